//! Can a run be repeated from what it wrote? And is a network that was made of another one run as that one was?

use std::fs;
use std::path::Path;

use esnsim_tests::{esnsim, repository};
use serde_json::Value;

/// `sha256sum` of the files that come along.
const NETWORK_SHA256: &str = "90bae09feaaac3c1cfe537807ee155a216cb08b57d0c9dbe226bfe88ab9b23d5";
const IMAGES_SHA256: &str = "594e258f3c9cf42e9a67cecdb46b9cfb24ed81905bc6c871f5bf1940037ac325";

/// Runs a command in a folder; its standard output and error together.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = esnsim().current_dir(folder).args(arguments).output().expect("the command runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("output is text");
    assert!(output.status.success(), "{arguments:?}\n{text}");
    text
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the run wrote it")).expect("valid JSON")
}

/// Copies files that come along into a folder.
fn copies(folder: &Path) {
    for name in ["digits-resnet.onnx", "digits-resnet.preprocess.toml", "digits-test.npz"] {
        fs::copy(repository(&format!("traces/{name}")), folder.join(name)).expect("the folder is writable");
    }
}

#[test]
fn the_command_in_the_json_makes_the_same_json() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    let asked = [
        "simulate",
        "--json",
        "first.json",
        "digits-resnet.onnx",
        "--threads",
        "1",
        "--images",
        "digits-test.npz",
        "--limit",
        "20",
        "--mean=0.5",
        "--bits",
        "3",
        "--label-offset=0",
        "--hardware",
        "ideal",
        "--hardware",
        "gpu-8bit",
        "--no-float",
    ];
    said(path, &asked);
    let first = json(&path.join("first.json"));
    let command: Vec<&str> =
        first["run"]["command"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let expected = [
        "esnsim",
        "simulate",
        "digits-resnet.onnx",
        "--bits=3",
        "--hardware=ideal",
        "--hardware=gpu-8bit",
        "--images=digits-test.npz",
        "--limit=20",
        "--mean=0.5",
        "--label-offset=0",
        "--no-float",
    ];
    assert_eq!(command, expected);
    said(path, &[&command[1..], &["--json", "second.json"]].concat());
    let read = |name: &str| fs::read(path.join(name)).expect("the run wrote it");
    assert!(read("first.json") == read("second.json"), "the two runs differ");
}

#[test]
fn files_are_told_by_their_contents_and_choices_by_their_values() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    said(path, &["simulate", "--limit", "20", "--json", "embedded.json"]);
    let images = ["--images", "digits-test.npz", "--limit", "20", "--json", "files.json"];
    said(path, &[&["simulate", "digits-resnet.onnx"], &images[..]].concat());
    for name in ["embedded.json", "files.json"] {
        let run = &json(&path.join(name))["run"];
        assert_eq!(run["network"]["sha256"], NETWORK_SHA256, "{name}");
        assert_eq!(run["images"]["sha256"], IMAGES_SHA256, "{name}");
        assert_eq!(run["images"]["count"], 20, "{name}");
        assert_eq!(run["images"]["preprocessing"]["scale"], 16.0, "{name}");
        assert_eq!(run["images"]["calibration_images"], 64, "{name}");
        assert!(run["reference"].is_null(), "{name}");
    }
}

#[test]
fn a_network_that_was_made_takes_its_images_as_the_original_did() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    let made: [&[&str]; 3] = [
        &["compress", "--bits", "4", "-o", "embedded.onnx"],
        &["compress", "digits-resnet.onnx", "--bits", "4", "-o", "compressed.onnx"],
        &["convert", "digits-resnet.onnx", "converted.onnx"],
    ];
    for command in made {
        let output = command.last().expect("it is not empty");
        let beside = Path::new(output).with_extension("preprocess.toml");
        let text = said(path, command);
        assert!(text.contains(&format!("note: {} says how images become its input", beside.display())), "{text}");
        let text = fs::read_to_string(path.join(&beside)).expect("it was written");
        assert!(text.starts_with("scale = 16.0\n"), "{text}");
        said(path, &["simulate", output, "--images", "digits-test.npz", "--json", "run.json"]);
        // 494 of 500 at 4 bits, on integers; a pixel over 255 in place of 16 gives a fraction of it.
        let right = &json(&path.join("run.json"))["inference"]["engines"][1]["score"]["top1"];
        assert!(right.as_u64().is_some_and(|right| right >= 493), "{output}: {right} of 500");
    }
}

#[test]
fn a_preprocessing_that_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    fs::write(path.join("out.preprocess.toml"), "scale = 2.0\n").expect("the folder is writable");
    let text = said(path, &["compress", "--bits", "4", "-o", "out.onnx"]);
    let note = "note: out.preprocess.toml was there, with other numbers than the network came with: (x / 16 − 0) / 1";
    assert!(text.contains(note), "{text}");
    assert_eq!(fs::read_to_string(path.join("out.preprocess.toml")).expect("it is there"), "scale = 2.0\n");
}

#[test]
fn statistics_of_the_embedded_network_are_of_its_own_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    let compress = |output: &str, more: &[&str]| {
        let command = ["compress", "--bits", "3", "--reestimate-bn", "--calibrate", "digits-test.npz", "-o", output];
        said(path, &[&command, more].concat());
        fs::read(path.join(output)).expect("it was written")
    };
    assert!(compress("own.onnx", &[]) == compress("said.onnx", &["--scale", "16"]), "the statistics differ");
}

#[test]
fn answers_are_compared_with_those_of_the_original() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    said(path, &["compress", "--prune", "filters=0.1", "--bits", "3", "-o", "small.onnx"]);
    let run = ["simulate", "small.onnx", "--images", "digits-test.npz", "--reference", "digits-resnet.onnx"];
    let text = said(path, &[&run[..], &["--json", "run.json"]].concat());
    let found = json(&path.join("run.json"));
    let (inference, reference) = (&found["inference"], &found["inference"]["reference"]);
    // 493 of 500 is what the original gets alone.
    assert_eq!((&reference["file"], &reference["score"]["top1"]), (&"digits-resnet.onnx".into(), &493.into()));
    assert_eq!(found["run"]["reference"]["sha256"], NETWORK_SHA256);
    let float = inference["float"]["top1"].as_u64().expect("a count");
    let agreement = reference["agreement"].as_u64().expect("a count");
    // Where both are right they agree; where one alone is, they do not.
    assert!(agreement + (493 - float) <= 500 && agreement >= float - 7, "{agreement} agree, {float} are right");
    let line = text.lines().find(|line| line.starts_with("small.onnx in float")).expect("a row of its own");
    assert!(line.trim_end().ends_with(&format!("{:.4}", agreement as f64 / 500.0)), "{line}");

    let itself = ["simulate", "digits-resnet.onnx", "--images", "digits-test.npz", "--reference", "digits-resnet.onnx"];
    said(path, &[&itself[..], &["--json", "run.json"]].concat());
    assert_eq!(json(&path.join("run.json"))["inference"]["reference"]["agreement"], 500);
}

#[test]
fn a_reference_of_other_classes_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    copies(path);
    said(path, &["new", "resnet8", "--classes", "7", "-o", "seven.onnx"]);
    let arguments =
        ["simulate", "digits-resnet.onnx", "--images", "digits-test.npz", "--limit", "2", "--reference", "seven.onnx"];
    let output = esnsim().current_dir(path).args(arguments).output().expect("the command runs");
    let text = String::from_utf8(output.stderr).expect("text");
    let line = text.lines().last().unwrap_or_default();
    let wrong = "error: seven.onnx: ";
    assert!(output.status.code() == Some(2) && line.starts_with(wrong) && line.contains('7'), "{text}");
}
