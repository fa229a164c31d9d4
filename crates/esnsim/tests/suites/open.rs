//! Does a run start from what its user asked for?

use std::path::{Path, PathBuf};

use esnsim::{BitWidth, Error, ImageRequest, Network, OpenOptions, check_outputs, find_layer, hardware, images, open};
use inference::Samples;
use network::LayerId;
use testkit::check_all;

fn embedded() -> Network {
    open(None, &OpenOptions::default()).expect("it is part of the library").network
}

#[test]
fn a_layer_is_found_by_its_name_or_its_place() {
    let network = embedded();
    let second = network.layers()[1].name.clone();
    assert_eq!(find_layer(&network, &second).expect("there is one"), LayerId(1));
    assert_eq!(find_layer(&network, "2").expect("there are two"), LayerId(1));
    check_all(["0", "999", "no such layer"], |missing| {
        let error = find_layer(&network, missing).expect_err("there is none");
        assert!(matches!(&error, Error::NoLayer { wanted, .. } if wanted == missing), "{error}");
    });
}

#[test]
fn a_layer_is_found_by_the_end_of_its_name() {
    let network = embedded();
    let name = |wanted: &str| find_layer(&network, wanted).map(|id| network.layers()[id.0].name.clone());
    for (wanted, found) in [
        ("Gemm", "/fc/Gemm"),
        ("fc/Gemm", "/fc/Gemm"),
        ("layer2/conv1/Conv", "/layer2/conv1/Conv"),
        ("layer3/shortcut/shortcut.0/Conv", "/layer3/shortcut/shortcut.0/Conv"),
        // The whole name of one layer is the end of others.
        ("/conv1/Conv", "/conv1/Conv"),
    ] {
        assert_eq!(name(wanted).expect("one name ends so"), found);
    }
    let error = find_layer(&network, "0/Conv").expect_err("two names end so");
    let expected = ["/layer2/shortcut/shortcut.0/Conv", "/layer3/shortcut/shortcut.0/Conv"];
    assert!(matches!(&error, Error::ManyLayers { names, .. } if *names == expected), "{error}");
    // Components are whole; the name that has those that are wanted is nearer than a shorter one.
    for (wanted, near) in [("emm", "/fc/Gemm"), ("conv1", "/conv1/Conv"), ("/layer2/conv2/Conv2", "/layer2/conv2/Conv")]
    {
        let error = find_layer(&network, wanted).expect_err("no name ends so");
        assert!(matches!(&error, Error::NoLayer { nearest: Some(name), .. } if name == near), "{error}");
    }
}

#[test]
fn hardware_is_told_apart_by_its_names() {
    let names = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        hardware(&paths).map(|found| found.iter().map(|h| h.engine.name().to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names(&[]).expect("the ideal engines"), ["ideal-analog", "ideal-digital", "ideal-digital-filter"]);
    assert_eq!(names(&["gpu-8bit", "ideal-digital"]).expect("presets"), ["gpu-8bit", "ideal-digital"]);
    let three = ["ideal-analog", "ideal-digital", "ideal-digital-filter"];
    assert_eq!(names(&["ideal", "gpu-8bit"]).expect("all"), [&three[..], &["gpu-8bit"]].concat());
    assert!(names(&["ideal", "ideal-digital"]).is_err(), "one name twice");
    assert!(matches!(names(&["gpu-8bit", "gpu-8bit"]), Err(Error::SameName { name, .. }) if name == "gpu-8bit"));
    assert!(matches!(names(&["no-such-hardware"]), Err(Error::Run(_))));
}

#[test]
fn the_embedded_network_has_images_and_others_only_those_they_are_given() {
    let network = embedded();
    let request = ImageRequest { limit: Some(7), ..ImageRequest::default() };
    let found = images(&network, true, &request).expect("they are part of the library").expect("there are some");
    assert_eq!(found.samples.len(), 7);
    assert!(found.notes.is_empty(), "its preprocessing is known");
    assert!(images(&network, false, &request).expect("no error").is_none());
}

#[test]
fn real_weights_without_a_step_need_a_width() {
    let options = OpenOptions { find_steps: true, ..OpenOptions::default() };
    let opened = open(None, &options).expect("it is part of the library");
    let error = opened.check_steps(None).expect_err("its weights lie on no grid");
    assert!(matches!(&error, Error::NoStep { reason: Some(_), .. }), "{error}");
    let four = BitWidth::new(4).ok();
    opened.check_steps(four).expect("a width serves layers without a step");
    assert!(opened.quantization(four).is_requested());
}

#[test]
fn an_output_never_takes_the_place_of_an_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("net.onnx");
    std::fs::write(&file, "x").expect("writable");
    let inputs = [file.clone()];
    let other = folder.path().join("out.csv");
    let missing = folder.path().join("no").join("out.csv");
    check_outputs(&[Some(&other), None], inputs.iter()).expect("a place of its own");
    let cases: [&[Option<&Path>]; 4] =
        [&[Some(&file)], &[Some(&other), Some(&other)], &[Some(&missing)], &[Some(folder.path())]];
    check_all(cases, |&outputs| {
        assert!(matches!(check_outputs(outputs, inputs.iter()), Err(Error::Place { .. })), "{outputs:?}");
    });
}
