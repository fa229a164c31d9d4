//! Does every command line of the README run?
//!
//! The lines are read from the README itself. Files of the user's have stand-ins of the same name: copies of the embedded
//! network, a TFLite network, weights, a CIFAR-10 file of grey records, and a small array.

use std::collections::BTreeMap;
use std::path::Path;

use esnsim_tests::{digital_toml, esnsim, repository};

/// The command lines of the README that run `esnsim`, as words behind its name.
fn readme_commands() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(repository("README.md")).expect("it is in the repository");
    let lines = readme.lines().filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        line.strip_prefix("esnsim ").or(line.strip_prefix("cargo run --release -- "))
    });
    lines.map(|line| line.split_whitespace().map(str::to_string).collect()).collect()
}

/// A folder that looks as the README's user's does.
fn user_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = std::fs::read(repository("traces/digits-resnet.onnx")).expect("it is in the repository");
    for name in ["NET.onnx", "A.onnx", "B.onnx", "C.onnx"] {
        std::fs::write(folder.path().join(name), &network).expect("writable");
    }
    let header = r#"{"fc.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let weights: Vec<u8> = [1.0f32, -0.5, 0.25, 0.0].iter().flat_map(|w| w.to_le_bytes()).collect();
    let weights = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &weights].concat();
    std::fs::write(folder.path().join("WEIGHTS.safetensors"), weights).expect("writable");
    std::fs::write(folder.path().join("NET.tflite"), tflite_network()).expect("writable");
    let records: Vec<u8> = (0..10u8).flat_map(|label| [vec![label], vec![25 * label; 3072]].concat()).collect();
    std::fs::write(folder.path().join("test_batch.bin"), records).expect("writable");
    let topology = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
                    fc, 7, 7, 1, 1, 2, 2, 1,\n";
    std::fs::write(folder.path().join("TOPOLOGY.csv"), topology).expect("writable");
    std::fs::write(folder.path().join("my-array.toml"), digital_toml("mine", 2, 8, "weight")).expect("writable");
    std::fs::create_dir(folder.path().join("configs")).expect("a folder can be made");
    for (name, text) in configs() {
        std::fs::write(folder.path().join("configs").join(name), text).expect("writable");
    }
    folder
}

/// A convolution of int8 on `[1, 5, 6, 4]`, one of the networks that the suite `tflite` runs.
fn tflite_network() -> Vec<u8> {
    let text = std::fs::read_to_string(repository("tests/reference/tflite-operators.json")).expect("it is there");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("valid JSON");
    let case = cases.iter().find(|case| case["name"] == "conv_2d [0, 1, 1, 1] int8").expect("it is one of them");
    let digits = case["file"].as_str().expect("hexadecimal").as_bytes();
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The hardware descriptions of the repository.
fn configs() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(repository("configs")).expect("it is in the repository");
    let paths =
        files.map(|file| file.expect("readable").path()).filter(|path| path.extension() == Some("toml".as_ref()));
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), std::fs::read_to_string(&path).expect("text"))).collect()
}

/// Runs a command that must succeed and returns its standard output.
fn run<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("output is text")
}

#[test]
fn every_command_line_of_the_readme_runs() {
    let commands = readme_commands();
    assert!(commands.len() >= 5, "the README shows how to run the command: {commands:?}");
    for command in commands {
        let folder = user_folder();
        let stdout = run(folder.path(), &command);
        assert!(!stdout.trim().is_empty(), "{command:?} says nothing");
        for option in ["--csv", "--json"] {
            let file = command.iter().position(|word| word == option).map(|at| folder.path().join(&command[at + 1]));
            assert!(file.is_none_or(|file| file.exists()), "{command:?} writes no {option}");
        }
    }
}

#[test]
fn without_a_file_every_command_shows_the_embedded_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let simulate = run(folder.path(), ["simulate"]);
    assert_eq!(simulate.matches("PASS: ").count(), 3, "{simulate}");
    assert!(simulate.contains("500 images, 10 classes") && simulate.contains("0.9860"), "{simulate}");
    let stepped = run(folder.path(), ["simulate", "--stepped", "--limit", "1"]);
    assert_eq!(stepped.matches("PASS: ").count(), 6, "{stepped}");
    assert!(run(folder.path(), ["esn"]).contains("145,973"));
    assert!(run(folder.path(), ["inspect", "--nodes"]).contains("GlobalAveragePool"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing is written unasked");
}

#[test]
fn help_tells_every_option() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(run(folder.path(), ["--version"]).starts_with("esnsim 0."));
    let overview = run(folder.path(), ["--help"]);
    for command in ["simulate", "esn", "inspect"] {
        assert!(overview.contains(&format!("  {command} ")), "{overview}");
        let help = run(folder.path(), [command, "--help"]);
        assert!(help.contains("Usage: esnsim ") && help.contains("--csv"), "{help}");
    }
}

#[test]
fn every_description_of_the_repository_runs() {
    let folder = user_folder();
    for name in configs().keys() {
        run(folder.path(), ["simulate", "--limit", "1", "--hardware", &format!("configs/{name}")]);
    }
}

#[test]
fn the_ideal_descriptions_of_the_repository_are_the_default() {
    let folder = user_folder();
    let files = ["ideal-analog.toml", "ideal-digital.toml", "ideal-digital-filter.toml"];
    let mut explicit = vec!["simulate".to_string(), "--csv".into(), "explicit.csv".into()];
    explicit.extend(files.iter().flat_map(|file| ["--hardware".to_string(), format!("configs/{file}")]));
    let (default, explicit) = (run(folder.path(), ["simulate", "--csv", "default.csv"]), run(folder.path(), explicit));
    assert_eq!(default, explicit);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the run wrote it");
    assert_eq!(read("default.csv"), read("explicit.csv"));
}
