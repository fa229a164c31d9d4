//! Are the numbers that runs compute written as they are, for the network in float and for every engine?

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use esnsim_tests::{esnsim, repository};
use formats::npy;
use serde_json::Value;
use testkit::check_all;

/// Images of the small network, each `[2, 3, 3]`.
const IMAGES: usize = 7;
const PIXELS: usize = 18;

/// Runs the command in a folder, and returns what it said on standard error.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    String::from_utf8(assert.get_output().stderr.clone()).expect("text")
}

/// An array of float32: its shape and its numbers.
fn array(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let header = npy::Header::read(&mut bytes.as_slice()).expect("an array");
    let numbers = bytes[header.data_start as usize..].chunks_exact(4);
    let numbers: Vec<f32> = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(numbers.len(), header.shape.iter().product::<usize>());
    (header.shape, numbers)
}

fn rows(path: &Path) -> Vec<HashMap<String, String>> {
    let mut csv = csv::Reader::from_path(path).expect("the run wrote it");
    csv.deserialize().map(|row| row.expect("valid CSV")).collect()
}

/// Pixels from 0 to 255, both of which are there, so that 8 bits hold them exactly.
fn pixel(image: usize, place: usize) -> u8 {
    ((image * 97 + place * 31) % 256) as u8 | if place == 0 { 255 } else { 0 }
}

fn weight(filter: usize, place: usize) -> i8 {
    ((filter * 8 + place) * 5 % 15) as i8 - 7
}

/// Three filters of 2 × 2 on two channels, of integers times 0.5, and a bias; and the images with their labels.
fn small(folder: &Path) {
    let weights: Vec<i8> = (0..3).flat_map(|filter| (0..8).map(move |place| weight(filter, place))).collect();
    let model = testkit::model()
        .input("x", &[0, 2, 3, 3])
        .int8s("q", &[3, 2, 2, 2], &weights)
        .floats("s", &[], &[0.5])
        .node("DequantizeLinear", &["q", "s"], &["w"])
        .floats("b", &[3], &[1.0, -2.0, 0.25])
        .node("Conv", &["x", "w", "b"], &["c"])
        .node("Flatten", &["c"], &["y"]);
    fs::write(folder.join("net.onnx"), model.bytes()).expect("writable");
    let pixels: Vec<u8> = (0..IMAGES).flat_map(|image| (0..PIXELS).map(move |place| pixel(image, place))).collect();
    let labels: Vec<u8> = (0..IMAGES).map(|image| (image % 12) as u8).collect();
    let mut archive = zip::ZipWriter::new(fs::File::create(folder.join("x.npz")).expect("writable"));
    for (name, shape, bytes) in [("x", &[IMAGES, 2, 3, 3][..], pixels), ("y", &[IMAGES], labels)] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("writable");
        archive.write_all(&npy::header("|u1", shape)).expect("writable");
        archive.write_all(&bytes).expect("writable");
    }
    archive.finish().expect("writable");
}

/// The convolution of an image by plain loops, `[3, 2, 2]`.
fn plain(image: usize) -> Vec<f32> {
    let mut outputs = Vec::new();
    for (filter, bias) in [1.0, -2.0, 0.25].into_iter().enumerate() {
        for (top, left) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let sum: i32 = (0..8)
                .map(|place| {
                    let (channel, row, column) = (place / 4, top + place / 2 % 2, left + place % 2);
                    let pixel = pixel(image, channel * 9 + row * 3 + column);
                    i32::from(weight(filter, place)) * i32::from(pixel)
                })
                .sum();
            outputs.push(sum as f32 * 0.5 + bias);
        }
    }
    outputs
}

#[test]
fn outputs_are_those_of_a_plain_computation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    small(path);
    let run_on = ["simulate", "net.onnx", "--images", "x.npz", "--preprocess", "none", "--limit", "7"];
    let files = ["--logits", "l.npy", "--predictions", "p.csv", "--layer-outputs", "layers"];
    let said = run(path, &[&run_on[..], &files].concat());
    assert!(
        said.contains("l.npy: outputs of 7 images; runs: float; ideal-analog; ideal-digital, ideal-digital-filter")
    );
    let expected: Vec<f32> = (0..IMAGES).flat_map(|image| plain(image).repeat(3)).collect();
    assert_eq!(array(&path.join("l.npy")), (vec![IMAGES, 3, 12], expected.clone()));
    assert_eq!(array(&path.join("layers/001-Conv_c.npy")), (vec![IMAGES, 3, 3, 2, 2], expected));
    let index: Value =
        serde_json::from_slice(&fs::read(path.join("layers/index.json")).expect("written")).expect("JSON");
    assert_eq!((&index["images"], &index["layers"][0]["layer"]), (&7.into(), &"Conv_c".into()));
    assert_eq!(index["runs"][2][1], "ideal-digital-filter");
    for (image, row) in rows(&path.join("p.csv")).iter().enumerate() {
        let outputs = plain(image);
        let largest = outputs.iter().copied().fold(f32::MIN, f32::max);
        let class = outputs.iter().position(|&x| x == largest).expect("one is the largest").to_string();
        assert_eq!((&row["image"], &row["label"]), (&image.to_string(), &(image % 12).to_string()));
        for name in ["float", "ideal-analog", "ideal-digital", "ideal-digital-filter"] {
            assert_eq!(row[name], class, "{name}, image {image}");
        }
    }
}

#[test]
fn classes_are_those_of_the_largest_outputs_and_counted_in_the_score() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let run_on = ["simulate", "--limit", "70", "--bits", "2", "--hardware", "ideal-analog", "--hardware", "gpu-8bit"];
    let files = ["--logits", "l.csv", "--predictions", "p.csv", "--layer-outputs", "layers", "--json", "run.json"];
    run(path, &[&run_on[..], &files].concat());
    let (logits, predictions) = (rows(&path.join("l.csv")), rows(&path.join("p.csv")));
    assert_eq!((logits.len(), predictions.len()), (70 * 3, 70));
    let number = |row: &HashMap<String, String>, n: usize| row[&format!("output{n}")].parse::<f32>().expect("a number");
    for (image, runs) in logits.chunks(3).enumerate() {
        for (row, name) in runs.iter().zip(["float", "ideal-analog", "gpu-8bit"]) {
            let best = (0..10).fold(0, |best, n| if number(row, n) > number(row, best) { n } else { best });
            assert_eq!((&*row["run"], &row["class"]), (name, &best.to_string()));
            assert_eq!(predictions[image][name], row["class"]);
        }
    }
    let json: Value = serde_json::from_slice(&fs::read(path.join("run.json")).expect("written")).expect("JSON");
    let right = |name: &str| predictions.iter().filter(|row| row[name] == row["label"]).count() as u64;
    let engines = json["inference"]["engines"].as_array().expect("a list");
    let counted = |score: &Value| score["top1"].as_u64().expect("a count");
    assert_eq!(counted(&json["inference"]["float"]), right("float"));
    for (engine, name) in engines.iter().zip(["ideal-analog", "gpu-8bit"]) {
        assert_eq!(counted(&engine["score"]), right(name), "{name}");
    }
    // The last layer makes the output; arrays hold the same numbers as the table.
    run(path, &[&run_on[..], &["--logits", "l.npy", "--threads", "1"]].concat());
    let numbers: Vec<f32> = logits.iter().flat_map(|row| (0..10).map(|n| number(row, n))).collect();
    assert_eq!(array(&path.join("l.npy")), (vec![70, 3, 10], numbers.clone()));
    assert_eq!(array(&path.join("layers/010-fc_Gemm.npy")), (vec![70, 3, 10], numbers));
    assert_eq!(array(&path.join("layers/001-conv1_Conv.npy")).0[..3], [70, 3, 16]);
}

#[test]
fn a_folder_of_pictures_tells_which_is_which() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    for (class, name) in [("0", "b.png"), ("0", "a.png"), ("1", "c.png")] {
        fs::create_dir_all(path.join("pictures").join(class)).expect("a folder can be made");
        let picture = image::GrayImage::from_pixel(8, 8, image::Luma([7]));
        picture.save(path.join("pictures").join(class).join(name)).expect("writable");
    }
    let net = repository("traces/digits-resnet.onnx").display().to_string();
    run(path, &["simulate", &net, "--images", "pictures", "--predictions", "p.csv", "--no-float"]);
    let files: Vec<(String, String)> =
        rows(&path.join("p.csv")).iter().map(|row| (row["file"].clone(), row["label"].clone())).collect();
    let expected = [("pictures/0/a.png", "0"), ("pictures/0/b.png", "0"), ("pictures/1/c.png", "1")];
    assert_eq!(files, expected.map(|(file, label)| (file.to_string(), label.to_string())));
    // A run that ends before its end leaves no file.
    fs::write(path.join("pictures/1/d.png"), b"no picture").expect("writable");
    let arguments = ["simulate", &net, "--images", "pictures", "--predictions", "q.csv", "--logits", "q.npy"];
    let failed = esnsim().current_dir(path).args(arguments).args(["--layer-outputs", "layers"]).assert().code(2);
    let error = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(error.contains("d.png"), "{error}");
    assert!(!path.join("q.csv").exists() && !path.join("q.npy").exists());
    assert_eq!(fs::read_dir(path.join("layers")).expect("the folder was made").count(), 0);
}

#[test]
fn files_of_numbers_are_whole_or_not_there_and_overwrite_no_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    small(path);
    fs::create_dir(path.join("layers")).expect("a folder can be made");
    fs::copy(path.join("net.onnx"), path.join("layers/index.json")).expect("it can be copied");
    let on = "--images x.npz --preprocess none";
    let cases = [
        ("net.onnx --logits l.npy".to_string(), "--logits needs --images"),
        ("net.onnx --layer-outputs d".to_string(), "--layer-outputs needs --images"),
        (format!("net.onnx {on} --logits l.txt"), "l.txt: --logits takes a name that ends in .npy or .csv"),
        (format!("net.onnx {on} --predictions net.onnx"), "net.onnx: is also an input"),
        (format!("net.onnx {on} --predictions p.csv --csv p.csv"), "p.csv: is also an input or another output"),
        (format!("net.onnx {on} --logits no/l.npy"), "there is no folder no"),
        (format!("layers/index.json {on} --layer-outputs layers"), "index.json: is also an input"),
        (format!("net.onnx {on} --layer-outputs net.onnx"), "net.onnx"),
        (format!("net.onnx net.onnx {on} --logits l.npy"), "--logits takes one network at one width"),
        (format!("net.onnx {on} --label-offset 9 --logits l.npy --predictions p.csv"), "label"),
    ];
    check_all(cases, |(arguments, expected)| {
        let arguments = arguments.split(' ');
        let failed = esnsim().current_dir(path).arg("simulate").args(arguments).assert().code(2);
        let error = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
        assert!(error.contains(expected), "{error}");
        assert!(!path.join("l.npy").exists() && !path.join("p.csv").exists());
    });
}
