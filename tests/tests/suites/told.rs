//! Is a user told what was done to networks and images, and what of it may surprise?

use std::collections::HashMap;
use std::path::Path;

use esnsim_tests::{assert_refused, esnsim, repository};
use serde_json::Value;
use testkit::check_all;

/// Runs a command and returns what it said on both channels.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    let output = assert.get_output();
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The totals of `compress --json`: before and after.
fn compressed(folder: &Path, arguments: &[&str]) -> [Value; 2] {
    said(folder, &[&["compress", "-o", "out.onnx", "--json", "out.json"], arguments].concat());
    let json = std::fs::read(folder.join("out.json")).expect("the run wrote it");
    let json: Value = serde_json::from_slice(&json).expect("valid JSON");
    [json["before"].clone(), json["after"].clone()]
}

#[test]
fn what_pruning_left_is_told_everywhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [before, after] = compressed(folder.path(), &["--prune", "macs=300000", "--bits", "4"]);
    assert_eq!(before["effective_macs"], before["macs"]);
    assert_eq!(after["macs"], before["macs"], "pruned filters stay in the tensors");
    let effective = after["effective_macs"].as_u64().expect("an integer");
    assert!(effective <= 300_000 && effective > 200_000, "{effective}");
    check_all([("esn", "esn.csv"), ("inspect", "inspect.csv")], |&(command, file)| {
        said(folder.path(), &[command, "out.onnx", "--csv", file]);
        let mut csv = csv::Reader::from_path(folder.path().join(file)).expect("the run wrote it");
        let rows: Vec<HashMap<String, String>> = csv.deserialize().collect::<Result<_, _>>().expect("a table");
        let of_layers = rows.iter().filter(|row| row["layer"] != "TOTAL");
        let sum: f64 = of_layers.map(|row| row["effective_macs"].parse::<f64>().expect("a number")).sum();
        assert_eq!(sum, effective as f64, "{command}");
    });
    let grouped = format!("({},{:03} effective)", effective / 1000, effective % 1000);
    assert!(said(folder.path(), &["inspect", "out.onnx"]).contains(&grouped));
}

#[test]
fn a_pruning_that_cannot_be_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        ("filters=1.0", "327 of 336 filters were pruned, not the 336 that were asked for"),
        ("width=0.0", "327 of 336 filters were pruned, not the 336 that were asked for"),
        ("macs=1e9", "no filter was pruned: the network has 763520 MACs, within the budget of 1000000000"),
    ];
    check_all(cases, |&(how, expected)| {
        let text = said(folder.path(), &["compress", "-o", "out.onnx", "--prune", how]);
        assert!(text.contains(expected), "{how}: {text}");
    });
    let text = said(folder.path(), &["compress", "-o", "out.onnx", "--prune", "filters=0.5"]);
    assert!(!text.contains("not the"), "{text}");
}

#[test]
fn a_budget_that_no_layer_has_a_use_for_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = repository("traces/digits-test.npz").display().to_string();
    let within = |budget: &str| {
        let of_images = ["--allocate-images", "2", "--calibrate-limit", "2", "--calibrate", &images];
        said(folder.path(), &[&["compress", "-o", "out.onnx", "--allocate", budget][..], &of_images].concat())
    };
    let text = within("esn-d=1e8");
    let note = "note: the budget of 100000000 of esn-d is more than its layers have a use for";
    assert!(text.contains(note), "{text}");
    let (_, most) = text.split_once("together they cost ").expect("it says what is spent");
    let most = most.lines().next().expect("a line");
    let text = within(&format!("esn-d={most}"));
    assert!(!text.contains("have a use for") && text.contains("1.0000"), "{text}");
}

/// UNPU stores every weight, pruned ones too, at the width of its layer.
#[test]
fn a_budget_of_bits_of_weights_is_told_beside_what_a_memory_needs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = repository("traces/digits-test.npz").display().to_string();
    let number = |text: &str| text.replace(',', "").parse::<u64>().expect("a number");
    let compressed = |more: &[&str]| {
        let arguments = ["compress", "-o", "out.onnx", "--allocate-images", "8", "--calibrate", &images];
        said(folder.path(), &[&arguments[..], more].concat())
    };
    let stored = || {
        said(folder.path(), &["simulate", "out.onnx", "--hardware", "unpu", "--csv", "out.csv"]);
        let mut rows = csv::Reader::from_path(folder.path().join("out.csv")).expect("written");
        let place = rows.headers().expect("a header").iter().position(|name| name == "weight_bits").expect("a column");
        // The row of all layers is the largest.
        rows.records().map(|row| number(&row.expect("a row")[place])).max().expect("rows")
    };
    let cases = [
        (120_000, &["--grid", "mid-tread", "--allocate", "model-bits=1.2e5"][..]),
        (120_000, &["--grid", "mid-tread", "--allocate", "weight-bits=1.2e5"]),
        (120_000, &["--grid", "mid-tread", "--allocate", "linear:weight-bits=2e-12,macs=1e-20=2.4e-7"]),
        (180_000, &["--allocate", "model-bits=1.8e5", "--prune", "weights=0.3"]),
        (120_000, &["--allocate", "model-bits=1.2e5", "--prune", "filters=0.1"]),
    ];
    let is_spent = |bits: u64, budget: u64| (9 * budget / 10..=budget).contains(&bits);
    check_all(cases, |&(budget, more)| {
        let text = compressed(more);
        let (_, note) = text.split_once(" counts ").unwrap_or_else(|| panic!("{text}"));
        let (counted, note) = note.split_once(" bits of weights").expect("the note goes on");
        assert!(is_spent(number(counted), budget), "{text}");
        let (_, needed) = note.split_once("a code for every weight needs ").expect("the note goes on");
        let needed = needed.lines().next().expect("a line");
        let (all, removed) = needed.split_once(", or ").unwrap_or((needed, ""));
        assert_eq!(number(all), stored());
        let are_filters = more.ends_with(&["filters=0.1"]);
        assert_eq!(removed, if are_filters { format!("{counted} if they are removed") } else { String::new() });
    });
    // Where pruned filters are removed, and no single weight is 0 on mid-rise, the count is what a memory needs.
    let text = compressed(&["--allocate", "model-bits=1.2e5", "--prune", "filters=0.1", "--compact"]);
    assert!(!text.contains("a code for every weight"), "{text}");
    assert!(is_spent(stored(), 120_000), "{text}");
}

#[test]
fn a_pruning_that_comes_to_less_is_told_everywhere_and_refused_where_that_is_not_to_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = testkit::model()
        .input("x", &[1, 3, 6, 6])
        .floats("w", &[8, 3, 1, 1], &testkit::reals(1, 24))
        .node("Conv", &["x", "w"], &["a"])
        .floats("v", &[12, 2, 1, 1], &testkit::reals(2, 24))
        .node_with("Conv", &["a", "v"], &["b"], vec![testkit::int("group", 4)])
        .floats("u", &[5, 12, 1, 1], &testkit::reals(3, 60))
        .node("Conv", &["b", "u"], &["y"])
        .returning("y");
    std::fs::write(folder.path().join("grouped.onnx"), model.bytes()).expect("writable");
    let arguments = ["compress", "grouped.onnx", "--prune", "filters=0.2", "-o", "out.onnx", "--json", "out.json"];
    let text = said(folder.path(), &arguments);
    let short = "0 of 20 filters were pruned, not the 4 that were asked for: coupled filters go together";
    assert!(text.contains(&format!("note: {short}")), "{text}");
    let row = text.lines().find(|line| line.starts_with("filters −20 %")).expect("a row of the table");
    assert!(row.contains("20 filters      4     0  coupled filters go together"), "{row}");
    let json: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("out.json")).expect("written")).expect("valid JSON");
    let outcome = &json["prune"][1]["prunings"][0];
    assert_eq!((&outcome["of"], &outcome["asked"], &outcome["done"]), (&20.into(), &4.into(), &0.into()));

    std::fs::remove_file(folder.path().join("out.onnx")).expect("it was written");
    let failed = esnsim().current_dir(folder.path()).args(arguments).arg("--strict").assert().code(2);
    let error = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(error.contains(short) && error.contains("without --strict"), "{error}");
    assert!(!folder.path().join("out.onnx").exists(), "nothing is written");
    let missed = ["compress", "grouped.onnx", "--target-esn-a", "1", "-o", "out.onnx", "--strict"];
    esnsim().current_dir(folder.path()).args(missed).assert().code(2);

    let plan = "networks = [\"grouped.onnx\"]\n[[prune]]\neach = [{ filters = { fraction = 0.2 } }, { filters = { fraction = 0.25 } }]\n";
    std::fs::write(folder.path().join("plan.toml"), plan).expect("writable");
    let text = said(folder.path(), &["sweep", "plan.toml", "--store", "s.sqlite"]);
    assert!(text.contains("1 point came to less than was asked for"), "{text}");
}

#[test]
fn before_is_the_network_as_its_file_has_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Real weights: at 8 bits, or at what is asked for.
    let [before, after] = compressed(folder.path(), &["--bits", "6"]);
    assert_eq!((before["esn_d_filter"].as_u64(), after["esn_d_filter"].as_u64()), (Some(6_106_752), Some(4_579_712)));
    let [before, after] = compressed(folder.path(), &["--bits", "6", "--baseline", "6"]);
    assert_eq!(before, after);
    // Weights that lie on a grid: as they lie there.
    fake_quantized(folder.path());
    let [before, after] = compressed(folder.path(), &["fake.onnx", "--find-step"]);
    assert_eq!(before, after, "no weight changes");
}

/// Writes `fake.onnx`: 16 to 16 channels, 3 × 3, with weights of 1/64 times odd numbers up to 15.
fn fake_quantized(folder: &Path) {
    let weights: Vec<f32> = (0..16 * 16 * 9).map(|i| ((i * 7 % 16) as f32 - 7.5) / 32.0).collect();
    let model = testkit::model()
        .input("x", &[1, 16, 8, 8])
        .floats("w", &[16, 16, 3, 3], &weights)
        .node("Conv", &["x", "w"], &["y"])
        .returning("y");
    std::fs::write(folder.join("fake.onnx"), model.bytes()).expect("writable");
}

#[test]
fn weights_on_a_grid_are_not_rounded_again_without_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fake_quantized(folder.path());
    let expected =
        "its 2304 real weights take 16 values alone: they seem to lie on a grid already; --find-step takes them";
    check_all([&["esn", "fake.onnx"][..], &["simulate", "fake.onnx", "--bits", "6"]], |&arguments| {
        assert!(said(folder.path(), arguments).contains(expected), "{arguments:?}");
    });
    let found = said(folder.path(), &["esn", "fake.onnx", "--find-step"]);
    assert!(
        !found.contains("seem to lie") && found.contains("weights: integers, nothing is quantized here"),
        "{found}"
    );
    assert!(!said(folder.path(), &["esn"]).contains("seem to lie"), "trained weights take all values");
}

/// E4M3 from 2^−9 to 1.875, which are 1 to 960 steps of 2^−9.
#[test]
fn floats_of_8_bits_are_not_rounded_to_a_grid_without_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let patterns = (0..64).map(|i| i | (i & 1) << 7).collect();
    let model = testkit::model()
        .opset(19)
        .input("x", &[1, 8, 2, 2])
        .floats("s", &[], &[1.0])
        .tensor(testkit::raw("w8", 17, &[8, 8, 1, 1], patterns))
        .node("DequantizeLinear", &["w8", "s"], &["w"])
        .node("Conv", &["x", "w"], &["y"])
        .returning("y");
    std::fs::write(folder.path().join("few.onnx"), model.bytes()).expect("writable");
    let note = "a bit width quantizes them anew: w8 (float8e4m3fn); --find-step takes them as they lie";
    check_all(["esn", "simulate"], |&command| {
        let text = said(folder.path(), &[command, "few.onnx", "--bits", "8"]);
        assert!(text.contains(note) && text.contains("quantized to 8 bits"), "{text}");
        let found = said(folder.path(), &[command, "few.onnx", "--find-step"]);
        assert!(!found.contains("quantizes them anew") && found.contains("weights: integers"), "{found}");
    });
}

#[test]
fn operators_are_those_of_the_file() {
    let Some(path) = testkit::shared("models/resnet8-cifar10-int8.tflite") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = path.to_str().expect("its path is text");
    let text = said(folder.path(), &["inspect", path]);
    let operators =
        "16 operators in the file: 3 ADD, 1 AVERAGE_POOL_2D, 9 CONV_2D, 1 FULLY_CONNECTED, 1 RESHAPE, 1 SOFTMAX";
    assert!(text.contains(operators) && !text.contains("DEQUANTIZE"), "{text}");
    assert!(said(folder.path(), &["inspect", "--nodes", path]).contains("10 DEQUANTIZE"), "the graph is another view");
}

/// Writes an 8-bit grey or colour picture of equal pixels as BMP.
fn picture(path: &Path, width: u32, height: u32) {
    let row = (3 * width).div_ceil(4) * 4;
    let size = 54 + row * height;
    let mut bytes = b"BM".to_vec();
    for word in [size, 0, 54, 40, width, height, 1 | 24 << 16, 0, row * height, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.resize(size as usize, 100);
    std::fs::write(path, bytes).expect("writable");
}

#[test]
fn traps_of_images_are_told_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for class in ["cat", "dog"] {
        std::fs::create_dir_all(folder.path().join("images").join(class)).expect("writable");
        for image in 0..12 {
            picture(&folder.path().join(format!("images/{class}/{image}.bmp")), 32, 24);
        }
    }
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    let run = |more: &[&str]| {
        let arguments = ["simulate", network, "--images", "images", "--hardware", "ideal-digital"];
        let output =
            esnsim().current_dir(folder.path()).args([&arguments[..], more].concat()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, notes) = run(&["--label-offset", "8"]);
    assert_eq!(status, Some(0), "{notes}");
    let expected = [
        "images of 24×32 pixels are resized to 8×8",
        "images of 3 channels are converted to 1",
        "2 folders of classes and 10 outputs: class 0 is \"cat\", 1 is \"dog\"",
    ];
    check_all(expected, |note| assert!(notes.contains(*note), "{note}: {notes}"));
    // Equal pictures have one answer, which is the label of none of them or of half.
    let at_chance = ["0", "2", "4", "6", "8"]
        .iter()
        .any(|offset| run(&["--label-offset", offset]).1.contains("no more images are right than a guess would have"));
    assert!(at_chance);
    let refused = [
        (
            "--label-offset=-1",
            "error: image 0, counted from 0, has label -1; the network has 10 classes, 0 to 9; --label-offset N",
        ),
        (
            "--label-offset=9",
            "error: image 12, counted from 0, has label 10; the network has 10 classes, 0 to 9; --label-offset N",
        ),
    ];
    check_all(refused, |&(option, expected)| {
        let (status, error) = run(&[option]);
        assert!(status == Some(2) && error.contains(expected), "{option}: {error}");
    });
}

/// The file of a case of `reference/pictures.json`.
fn reference_picture(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(repository("tests/reference/pictures.json")).expect("it is there");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
    let case = cases.iter().find(|case| case["name"] == name).expect("there is such a case");
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    let digits = case["file"].as_str().expect("text").as_bytes();
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn pictures_that_are_passed_over_turned_or_clipped_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Ten images, among them one WebP, one TIFF, one GIF and one in a deeper folder; and one that is not read.
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join("images").join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    };
    let plain = reference_picture("PNG of colours");
    for name in ["0/a.png", "0/b.PNG", "1/a.png", "1/deeper/b.png"] {
        write(name, &plain);
    }
    write("1/c.webp", &reference_picture("lossless WebP"));
    write("2/a.tiff", &reference_picture("TIFF of colours"));
    write("2/b.gif", &reference_picture("GIF"));
    write("2/c.jpg", &reference_picture("JPEG, orientation 6"));
    write("3/a.png", &reference_picture("PNG, orientation 3"));
    write("3/b.png", &reference_picture("grey PNG of 16 bits"));
    write("3/c.heic", b"");
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    let run = |more: &[&str]| {
        let arguments = ["simulate", network, "--images", "images", "--hardware", "ideal-digital"];
        let arguments = [&arguments[..], more].concat();
        let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("it runs");
        let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
        (output.status.code(), text)
    };
    let (status, text) = run(&[]);
    let expected = [
        "note: 1 file in the place of the images is not read: 1 .heic (3/c.heic); --strict makes that an error",
        "2 of 10 pictures are turned as their EXIF orientation says, which torchvision does not do; --no-exif takes them as",
        "1 of 10 pictures are grey with 16 bits, of which numbers above 255 become 255, as in Pillow",
        "10 images, 10 classes",
    ];
    assert_eq!(status, Some(0), "{text}");
    check_all(expected, |note| assert!(text.contains(*note), "{note}: {text}"));
    assert!(!run(&["--no-exif"]).1.contains("pictures are turned"));
    let (status, error) = run(&["--strict"]);
    let expected = "images: files that are not read: 1 .heic (3/c.heic); without --strict";
    assert!(status == Some(2) && error.contains(expected), "{error}");
}

#[test]
fn parts_and_labels_of_data_sets_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("writable");
    let records = testkit::cifar_records(&[(&[1, 7], 5), (&[2, 99], 6)]);
    write("cifar.tar.gz", &testkit::gzip(&testkit::tar(&[("cifar-100-binary/test.bin", &records)])));
    write("digits-images-idx3-ubyte", &testkit::idx(&[2, 8, 8], &[3; 128]));
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    let run = |more: &[&str]| {
        let arguments = [&["simulate", network, "--hardware", "ideal-digital", "--images"][..], more].concat();
        let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = run(&["cifar.tar.gz"]);
    assert!(
        status == Some(2) && said.contains("image 1, counted from 0, has label 99; the network has 10 classes"),
        "{said}"
    );
    let (status, said) = run(&["cifar.tar.gz", "--coarse-labels"]);
    let part = "note: images are those of cifar-100-binary/test.bin in the archive";
    assert!(status == Some(0) && said.contains(part), "{said}");
    let (status, said) = run(&["digits-images-idx3-ubyte"]);
    let missing = "note: there is no digits-labels-idx1-ubyte, so that images have no labels";
    assert!(status == Some(0) && said.contains(missing), "{said}");
    write("digits-labels-idx1-ubyte", &testkit::idx(&[2], &[3, 4]));
    let (status, said) = run(&["digits-images-idx3-ubyte"]);
    assert!(status == Some(0) && said.contains("note: labels are those of digits-labels-idx1-ubyte"), "{said}");
    let (status, said) = run(&["digits-images-idx3-ubyte", "--coarse-labels"]);
    assert!(status == Some(2) && said.contains("coarse ones beside fine ones are those of CIFAR-100"), "{said}");
}

#[test]
fn a_plan_chooses_how_images_are_read_as_the_options_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    };
    write("photos/0/a.png", &reference_picture("PNG, orientation 3"));
    write("photos/1/a.heic", b"");
    write("fine.bin", &testkit::cifar_records(&[(&[1, 7], 5), (&[2, 99], 6)]));
    let run = |images: &str| {
        let plan = format!(
            "networks = [\"embedded\"]\nhardware = [\"ideal-digital\"]\n[images]\n{images}\n[[quantize]]\nbits = 4\n"
        );
        write("plan.toml", plan.as_bytes());
        let output = esnsim().current_dir(folder.path()).args(["sweep", "plan.toml", "-o", "store.db"]).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned())
    };
    let cases = [
        ("path = \"photos\"", Some(0), "1 run in"),
        // What is read in another way is another point; what only refuses is not.
        ("path = \"photos\"\nexif = false", Some(0), "1 run in"),
        ("path = \"photos\"\nexif = true\nstrict = false", Some(0), "0 run in"),
        ("path = \"photos\"\nstrict = true", Some(2), "files that are not read: 1 .heic (1/a.heic)"),
        ("path = \"fine.bin\"", Some(2), "image 1, counted from 0, has label 99; the network has 10 classes"),
        ("path = \"fine.bin\"\ncoarse-labels = true", Some(0), "1 run in"),
        ("path = \"photos\"\ncoarse-labels = true", Some(2), "coarse ones beside fine ones are those of CIFAR-100"),
    ];
    for (images, status, expected) in cases {
        let (found, said) = run(images);
        assert!(found == status && said.contains(expected), "{images}: {found:?} {said}");
    }
}

#[test]
fn folders_that_are_numbers_are_told_where_they_do_not_fit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    // Class 5 is absent; then classes are counted from 1.
    let without_5: Vec<u32> = (0..10).filter(|class| *class != 5).collect();
    let cases: [(&str, Vec<u32>, Option<i32>, &str); 3] = [
        ("all", (0..10).collect(), Some(0), ""),
        (
            "gap",
            without_5,
            Some(0),
            "9 folders of classes and 10 outputs: class 0 is \"0\", 1 is \"1\", 2 is \"2\", 3 is \"3\", …",
        ),
        (
            "from 1",
            (1..=10).collect(),
            Some(2),
            "image 9, counted from 0, has label 10; the network has 10 classes, 0 to 9; labels are counted from 1: --label-offset=-1",
        ),
    ];
    check_all(cases, |(name, classes, status, expected)| {
        for class in classes {
            std::fs::create_dir_all(folder.path().join(name).join(class.to_string())).expect("writable");
            picture(&folder.path().join(format!("{name}/{class}/a.bmp")), 8, 8);
        }
        let arguments = ["simulate", network, "--images", name, "--hardware", "ideal-digital"];
        let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == *status && stderr.contains(expected), "{stderr}");
        assert_eq!(expected.is_empty(), !stderr.contains("folders of classes") && *status == Some(0), "{stderr}");
    });
}

#[test]
fn a_layer_that_nobody_reads_is_named_by_every_command_and_counted_by_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = testkit::model()
        .input("x", &[1, 3, 8, 8])
        .weights("w", &[4, 3, 3, 3])
        .node("Conv", &["x", "w"], &["y"])
        .weights("v", &[4, 3, 3, 3])
        .node("Conv", &["x", "v"], &["dead"])
        .node("Relu", &["dead"], &["deader"]);
    std::fs::write(folder.path().join("net.onnx"), model.bytes()).expect("writable");
    let note = "note: layer \"Conv_dead\" is left out, for no output of the network depends on it; 3,888 MACs an image";
    let commands: [&[&str]; 6] = [
        &["esn", "net.onnx"],
        &["inspect", "net.onnx"],
        &["simulate", "net.onnx"],
        &["simulate", "net.onnx", "net.onnx"],
        &["compress", "net.onnx", "--bits", "3", "-o", "q.onnx"],
        &["convert", "net.onnx", "copy.onnx"],
    ];
    check_all(commands, |&arguments| {
        let text = said(folder.path(), arguments);
        assert!(text.contains(note), "{text}");
        assert!(!text.contains("7,776") && !text.contains("7.78k"), "{text}");
        assert!(text.contains("3,888") || arguments[0] == "convert", "{text}");
    });
    assert!(said(folder.path(), &["convert", "net.onnx", "copy.onnx"]).contains("1 thing is lost"));
    assert!(!said(folder.path(), &["esn", "copy.onnx"]).contains("note:"), "the copy has no such layer");
    let strict = ["convert", "net.onnx", "strict.onnx", "--strict"];
    let failed = esnsim().current_dir(folder.path()).args(strict).assert().code(2);
    let error = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(error.contains("error: net.onnx: layer \"Conv_dead\" is left out"), "{error}");
    assert!(!folder.path().join("strict.onnx").exists());
}

#[test]
fn recurrent_operators_are_costed_compressed_run_and_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Steps are the rows of an image; three numbers of each go into the operator.
    let model = |cell: &str| {
        testkit::model()
            .input("x", &[1, 8, 8])
            .floats("k", &[3, 8, 1], &testkit::reals(1, 24))
            .node("Conv", &["x", "k"], &["rows"])
            .node_with("Transpose", &["rows"], &["steps"], vec![testkit::int_list("perm", &[2, 0, 1])])
            .floats("w", &[1, 16, 3], &testkit::reals(2, 48))
            .floats("r", &[1, 16, 4], &testkit::reals(3, 64))
            .node_with(
                "LSTM",
                &["steps", "w", "r"],
                &["", "last"],
                vec![testkit::strings("activations", &["Sigmoid", cell, "Tanh"])],
            )
            .ints("s", &[1, 4])
            .node("Reshape", &["last", "s"], &["flat"])
            .floats("v", &[4, 10], &testkit::reals(4, 40))
            .node("Gemm", &["flat", "v"], &["y"])
            .bytes()
    };
    std::fs::write(folder.path().join("lstm.onnx"), model("Softplus")).expect("writable");
    std::fs::write(folder.path().join("plain.onnx"), model("Tanh")).expect("writable");
    let note = "operator LSTM (node \"LSTM_\") is not run: the products with its weights are layers, and its steps are not run, \
                for its activation \"Softplus\" is not handled";
    let commands: [&[&str]; 5] = [
        &["inspect", "lstm.onnx"],
        &["esn", "lstm.onnx", "--bits", "4"],
        &["simulate", "lstm.onnx", "--bits", "4", "--hardware", "ideal-digital", "--stepped"],
        &["compress", "lstm.onnx", "--bits", "4", "--prune", "weights=0.5", "-o", "out.npz"],
        &["convert", "lstm.onnx", "out.safetensors"],
    ];
    check_all(commands, |arguments| {
        let text = said(folder.path(), arguments);
        assert!(text.contains(note), "{arguments:?}: {text}");
    });
    assert!(said(folder.path(), &["inspect", "lstm.onnx"]).contains("4 MAC layers, 176 weights"));

    for arguments in [&["inspect", "plain.onnx"][..], &["compress", "plain.onnx", "--bits", "8", "-o", "small.onnx"]] {
        assert!(!said(folder.path(), arguments).contains("not run"), "{arguments:?}");
    }
    assert!(said(folder.path(), &["inspect", "small.onnx"]).contains("4 MAC layers, 176 weights"));
    let layers = ["LSTM_.input", "LSTM_.recurrent"].map(|name| format!("{name} "));
    let again = said(folder.path(), &["inspect", "small.onnx"]);
    assert!(layers.iter().all(|layer| again.contains(layer)) && !again.contains("not run"), "{again}");

    // A pruned filter takes its column of the first matrix along. The gates stay: none of their filters is pruned.
    let pruned = said(folder.path(), &["compress", "lstm.onnx", "--prune", "filters=1.0", "-o", "out.npz"]);
    let row = |name: &str| {
        let line = pruned.lines().find(|line| line.starts_with(name)).expect("a row of the table");
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>()
    };
    let by_norm = ["Conv_rows", "LSTM_.input", "LSTM_.recurrent", "Gemm_y"].map(|name| row(name)[2].clone());
    assert_eq!(by_norm, ["2", "0", "0", "0"], "{pruned}");
    assert_eq!(row("LSTM_.input")[5..8], ["2", "48", "32"], "{pruned}");

    let cases = [
        ("convert lstm.onnx out.onnx", "node \"LSTM_\": unsupported: ONNX files with the operator LSTM"),
        ("compress lstm.onnx --bits 4 -o out.onnx", "node \"LSTM_\": unsupported: ONNX files with the operator LSTM"),
    ];
    assert_refused(folder.path(), &cases);
}

#[test]
fn macs_of_a_product_of_two_activations_are_told_beside_the_total() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Two images a run: scores of [2, 4, 4] out of rows of 6 numbers, and a layer in front.
    let model = testkit::model()
        .input("x", &[2, 4, 6])
        .floats("w", &[6, 6], &testkit::reals(1, 36))
        .node("MatMul", &["x", "w"], &["q"])
        .node_with("Transpose", &["x"], &["t"], vec![testkit::int_list("perm", &[0, 2, 1])])
        .node("MatMul", &["q", "t"], &["y"]);
    std::fs::write(folder.path().join("scores.onnx"), model.bytes()).expect("writable");
    for arguments in [&["esn", "scores.onnx"][..], &["simulate", "scores.onnx", "--json", "run.json"]] {
        let text = said(folder.path(), arguments);
        assert!(
            text.contains("TOTAL leaves out 1 node that is not costed: MatMul (MatMul_y), 96 MACs an image"),
            "{text}"
        );
    }
    let json = std::fs::read(folder.path().join("run.json")).expect("the run wrote it");
    let json: Value = serde_json::from_slice(&json).expect("valid JSON");
    assert_eq!(json["network"]["not_costed"][0]["macs"], 96, "{json}");
}
