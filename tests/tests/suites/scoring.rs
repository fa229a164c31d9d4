//! Is the answer that is scored the one that is meant: the right output, read in the right way?

use std::fs;
use std::path::Path;

use esnsim_tests::esnsim;
use serde_json::Value;
use testkit::{Model, check_all, int, model};

/// Images of two pixels, `[n, 1, 1, 2]`, and their labels, as two files.
const PIXELS: [[f32; 2]; 5] = [[0.0, 1.0], [1.0, 0.0], [0.9, 0.2], [0.2, 0.6], [1.0, 1.0]];

/// The bytes of a numpy array of float32.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), data].concat()
}

/// An archive of the pixels with these labels.
fn archive(path: &Path, labels: &[u8; 5]) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(fs::File::create(path).expect("writable"));
    let pixels: Vec<u8> = PIXELS.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    for (name, bytes) in [("x", npy("<f4", "(5, 1, 1, 2)", &pixels)), ("y", npy("|u1", "(5,)", labels))] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("writable");
        archive.write_all(&bytes).expect("writable");
    }
    archive.finish().expect("writable");
}

/// A network of two pixels: one logit `2·a − 2·b − bias`.
fn logit(bias: f32) -> Model {
    model()
        .input("x", &[0, 1, 1, 2])
        .floats("w", &[2, 1], &[2.0, -2.0])
        .floats("b", &[1], &[-bias])
        .node("Flatten", &["x"], &["flat"])
        .node("Gemm", &["flat", "w", "b"], &["logit"])
}

struct Run {
    status: Option<i32>,
    stderr: String,
    json: Option<Value>,
}

/// Simulates a network on the images of an archive.
fn simulate(network: &Model, labels: &[u8; 5], more: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("net.onnx"), network.bytes()).expect("writable");
    archive(&folder.path().join("x.npz"), labels);
    let arguments = ["simulate", "net.onnx", "--images", "x.npz", "--preprocess", "none", "--json", "run.json"];
    let output = esnsim().current_dir(folder.path()).args(arguments).args(more).output().expect("the command runs");
    let json = fs::read(folder.path().join("run.json")).ok();
    Run {
        status: output.status.code(),
        stderr: String::from_utf8(output.stderr).expect("text"),
        json: json.map(|bytes| serde_json::from_slice(&bytes).expect("valid JSON")),
    }
}

/// Classes, and images that the network in float names right.
fn scored(run: &Run) -> (u64, u64) {
    let inference = &run.json.as_ref().expect("the run wrote it")["inference"];
    let count = |value: &Value| value.as_u64().expect("a count");
    (count(&inference["classes"]), count(&inference["float"]["top1"]))
}

#[test]
fn one_number_is_two_classes_on_either_side_of_a_threshold() {
    // 2a − 2b of the images: −2, 2, 1.4, −0.8, 0.
    let probability = logit(0.0).node("Sigmoid", &["logit"], &["y"]);
    let behind = logit(0.0).node("Sigmoid", &["logit"], &["p"]).node("Squeeze", &["p"], &["y"]);
    let integers = logit(0.0)
        .floats("s", &[], &[0.05])
        .uint8s("z", &[], &[128])
        .floats("s2", &[], &[1.0 / 256.0])
        .uint8s("z2", &[], &[0])
        .node("QuantizeLinear", &["logit", "s", "z"], &["q"])
        .node("com.microsoft:QLinearSigmoid", &["q", "s", "z", "s2", "z2"], &["p"])
        .node("DequantizeLinear", &["p", "s2", "z2"], &["y"]);
    let column = model()
        .input("x", &[0, 1, 1, 2])
        .floats("w", &[2, 2], &[-1.0, 1.0, 1.0, -1.0])
        .ints("one", &[1])
        .ints("two", &[2])
        .node("Flatten", &["x"], &["flat"])
        .node("Gemm", &["flat", "w"], &["logits"])
        .node_with("Softmax", &["logits"], &["p"], vec![int("axis", 1)])
        .node("Slice", &["p", "one", "two", "one"], &["y"]);
    /// What it is, the network, further options, the right labels, and a part of the note.
    type Case<'a> = (&'a str, Model, &'a [&'a str], [u8; 5], &'a str);
    let cases: [Case<'_>; 8] = [
        ("a logit", logit(0.0).returning("logit"), &[], [0, 1, 1, 0, 0], "above 0 is of class 1"),
        ("a logit with a bias", logit(1.0).returning("logit"), &[], [0, 1, 1, 0, 0], "above 0 is of class 1"),
        ("a probability", probability.clone().returning("y"), &[], [0, 1, 1, 0, 0], "above 0.5 is of class 1"),
        ("a probability of integers", integers, &[], [0, 1, 1, 0, 0], "above 0.5 is of class 1"),
        ("a column of a softmax", column, &[], [0, 1, 1, 0, 0], "above 0.5 is of class 1"),
        ("behind a squeeze", behind.returning("y"), &[], [0, 1, 1, 0, 0], "above 0.5 is of class 1"),
        ("a threshold", logit(0.0).returning("logit"), &["--threshold=-1"], [0, 1, 1, 1, 1], ""),
        ("a higher one", probability.returning("y"), &["--threshold", "0.85"], [0, 1, 0, 0, 0], ""),
    ];
    check_all(cases, |(name, network, more, labels, note)| {
        let run = simulate(network, labels, more);
        assert_eq!((run.status, scored(&run)), (Some(0), (2, 5)), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(note), "{name}: {}", run.stderr);
        assert_eq!(note.is_empty(), !run.stderr.contains("the output is one number"), "{name}: {}", run.stderr);
    });
    let unclear = simulate(&logit(0.0).node("Softplus", &["logit"], &["y"]), &[0, 1, 1, 0, 0], &[]);
    let asked = "output y: where class 1 begins is not clear";
    assert!(unclear.status == Some(2) && unclear.stderr.contains(asked), "{}", unclear.stderr);
    assert!(unclear.stderr.contains("--threshold X says where"), "{}", unclear.stderr);
    let run = simulate(&logit(0.0).returning("logit"), &[0, 1, 2, 0, 0], &[]);
    let wrong = "image 2, counted from 0, has label 2; the network has 2 classes, 0 to 1";
    assert!(run.status == Some(2) && run.stderr.contains(wrong), "{}", run.stderr);
}

#[test]
fn rows_that_are_no_images_are_refused() {
    let folded = model()
        .input("x", &[4, 1, 1, 2])
        .floats("w", &[2, 3], &[1.0; 6])
        .node("Flatten", &["x"], &["flat"])
        .node("MatMul", &["flat", "w"], &["rows"])
        .ints("first", &[0])
        .node("ReduceMean", &["rows", "first"], &["y"])
        .opset(18)
        .returning("y");
    let run = simulate(&folded, &[0; 5], &[]);
    let wrong = "output y: it has shape [1, 3]; expected a row for each of 4 images";
    assert!(run.status == Some(2) && run.stderr.contains(wrong), "{}", run.stderr);
}

/// Name, numbers for an image, and weights of an output.
type Output<'a> = (&'a str, i64, &'a [f32]);

/// A network of several outputs over two pixels: each a product of its own.
fn several(outputs: &[Output<'_>]) -> Model {
    let start = model().input("x", &[0, 1, 1, 2]).node("Flatten", &["x"], &["flat"]);
    let names: Vec<&str> = outputs.iter().map(|(name, ..)| *name).collect();
    let with = |model: Model, (name, width, weights): &Output<'_>| {
        let of = format!("{name}_w");
        model.floats(&of, &[2, *width], weights).node("MatMul", &["flat", &of], &[name])
    };
    outputs.iter().fold(start, with).returning_all(&names)
}

#[test]
fn of_several_outputs_the_one_that_is_meant_is_scored() {
    // The second class where the first pixel is larger.
    let classes: (i64, &[f32]) = (2, &[0.0, 1.0, 1.0, 0.0]);
    let narrow: (i64, &[f32]) = (1, &[0.0, 0.0]);
    let output = |name, (width, weights): (i64, &'static [f32])| (name, width, weights);
    let labels = [0, 1, 1, 0, 0];
    /// What it is, the outputs, further options, and a part of the note.
    type Case<'a> = (&'a str, Vec<Output<'a>>, &'a [&'a str], &'a str);
    let cases: [Case<'_>; 4] = [
        (
            "by its name",
            vec![output("features", (2, &[0.0; 4])), output("logits", classes)],
            &[],
            "of the outputs logits is scored, and not features",
        ),
        (
            "by its width",
            vec![output("a", (2, &[0.0; 4])), output("b", (3, &[0.0, 1.0, -9.0, 1.0, 0.0, -9.0]))],
            &["--label-offset=0", "--output", "b"],
            "",
        ),
        ("asked for", vec![output("a", (2, &[0.0; 4])), output("b", classes)], &["--output", "b"], ""),
        (
            "the only wide one",
            vec![output("quality", narrow), output("b", (3, &[0.0, 1.0, -9.0, 1.0, 0.0, -9.0]))],
            &[],
            "of the outputs b is scored, and not quality",
        ),
    ];
    check_all(cases, |(name, outputs, more, note)| {
        // A third class that is never named tells the widths apart.
        let labels = if *name == "the only wide one" { [0, 1, 1, 0, 2] } else { labels };
        let run = simulate(&several(outputs), &labels, more);
        let right = if labels[4] == 2 { 4 } else { 5 };
        assert_eq!((run.status, scored(&run).1), (Some(0), right), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(note), "{name}: {}", run.stderr);
    });
    let undecided = several(&[output("a", (2, &[0.0; 4])), output("b", classes)]);
    let run = simulate(&undecided, &labels, &[]);
    let asks = "which of the outputs is scored is not clear: a [1, 2], b [1, 2]; --output NAME chooses, of a plan output in [images]";
    assert!(run.status == Some(2) && run.stderr.contains(asks), "{}", run.stderr);
    let run = simulate(&undecided, &labels, &["--output", "c"]);
    let there = "output c: there is no such output; there are: a [1, 2], b [1, 2]";
    assert!(run.status == Some(2) && run.stderr.contains(there), "{}", run.stderr);
}

#[test]
fn a_plan_names_the_output_that_is_scored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let classes: Output<'_> = ("b", 2, &[0.0, 1.0, 1.0, 0.0]);
    fs::write(path.join("net.onnx"), several(&[("a", 2, &[0.0; 4]), classes]).bytes()).expect("writable");
    archive(&path.join("x.npz"), &[0, 1, 1, 0, 0]);
    let sweep = |output: &str| {
        let images = format!("[images]\npath = \"x.npz\"\npreprocess = \"none\"\n{output}\n");
        let plan = format!("networks = [\"net.onnx\"]\n{images}[[quantize]]\nbits = 8\n");
        fs::write(path.join("plan.toml"), plan).expect("writable");
        let run = esnsim().current_dir(path).args(["sweep", "plan.toml", "-o", "s.sqlite"]).output();
        let run = run.expect("the command runs");
        (run.status.code(), String::from_utf8(run.stderr).expect("text"))
    };
    let (status, stderr) = sweep("");
    assert!(status == Some(2) && stderr.contains("which of the outputs is scored is not clear"), "{stderr}");
    let (status, stderr) = sweep("output = \"b\"");
    assert_eq!(status, Some(0), "{stderr}");
    let pareto = esnsim().current_dir(path).args(["pareto", "s.sqlite", "--csv", "p.csv"]).output();
    assert!(pareto.expect("the command runs").status.success());
    let mut csv = csv::Reader::from_path(path.join("p.csv")).expect("it was written");
    let row: std::collections::HashMap<String, String> = csv.deserialize().next().expect("a row").expect("valid");
    assert_eq!((row["top1"].as_str(), row["float_top1"].as_str()), ("1.0", "1.0"));
}

#[test]
fn the_output_that_is_compared_of_a_reference_without_that_name_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    fs::write(path.join("net.onnx"), logit(0.0).returning("logit").bytes()).expect("writable");
    archive(&path.join("x.npz"), &[0, 1, 1, 1, 1]);
    let note = "the reference has no output logit: its output probability is compared";
    check_all([("logit", false), ("probability", true)], |&(output, is_told)| {
        let original = logit(0.0).returning("logit");
        let original =
            if is_told { original.node("Identity", &["logit"], &[output]).returning(output) } else { original };
        fs::write(path.join("original.onnx"), original.bytes()).expect("writable");
        let images = ["--images", "x.npz", "--preprocess", "none", "--output", "logit"];
        let arguments = ["simulate", "net.onnx", "--reference", "original.onnx"];
        let output = esnsim().current_dir(path).args(arguments).args(images).output().expect("the command runs");
        let told = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success() && told.contains(note) == is_told, "{told}");
    });
}

#[test]
fn the_threshold_holds_for_the_reference_too_and_is_recorded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let network = logit(0.0).returning("logit");
    for name in ["net.onnx", "original.onnx"] {
        fs::write(path.join(name), network.bytes()).expect("writable");
    }
    archive(&path.join("x.npz"), &[0, 1, 1, 1, 1]);
    let arguments = ["simulate", "net.onnx", "--images", "x.npz", "--preprocess", "none", "--threshold=-1"];
    let more = ["--reference", "original.onnx", "--json", "run.json"];
    let output = esnsim().current_dir(path).args(arguments).args(more).output().expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&fs::read(path.join("run.json")).expect("written")).expect("valid JSON");
    let reference = &json["inference"]["reference"];
    assert_eq!((&reference["score"]["top1"], &reference["agreement"]), (&5.into(), &5.into()));
    let images = &json["run"]["images"];
    assert_eq!((&images["output"], &images["threshold"]), (&"logit".into(), &Value::from(-1.0)));
}
