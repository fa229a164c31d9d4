//! Small inputs that once gave wrong numbers without a word, beside the project: do they give the right ones now?
//!
//! Their right values were computed by NumPy and onnxruntime. Inputs of the same kinds that the project makes itself stand in
//! the suites `scoring`, `meaning` and `told` and in those of the crates.

use std::path::Path;

use esnsim_tests::esnsim;
use serde_json::Value;
use testkit::{check_all, shared};

/// Runs a command on files of the cases, which stand in it as `@NAME`. Returns the exit code, and all that it said.
fn run(folder: &Path, arguments: &str) -> (i32, String) {
    let argument = |word: &str| match word.strip_prefix('@') {
        Some(name) => shared(&format!("cases/{name}")).expect("the others are there").display().to_string(),
        None => word.to_string(),
    };
    let arguments: Vec<String> = arguments.split(' ').map(argument).collect();
    let output = esnsim().current_dir(folder).args(arguments).output().expect("it starts");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code().expect("no signal ends it"), text)
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).expect("the run wrote it")).expect("valid JSON")
}

#[test]
fn the_answer_that_is_meant_is_scored() {
    let Some(_) = shared("cases") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        ("@single_logit.onnx --images @single_logit.npz --preprocess none --bits 2", 60, 2),
        ("@feat_logits.onnx --images @feat_logits.npz --preprocess none --bits 8", 48, 5),
        ("@grey12.onnx --images @folders_0_to_11 --bits 12", 12, 12),
        ("@signal_1d.onnx --images @signal_1d.npz --preprocess none --bits 8", 20, 5),
    ];
    check_all(cases, |(arguments, right, classes)| {
        let (code, text) = run(folder.path(), &format!("simulate {arguments} --json run.json"));
        assert_eq!(code, 0, "{text}");
        let inference = &json(folder.path(), "run.json")["inference"];
        assert_eq!(
            (&inference["float"]["labelled"], &inference["float"]["top1"]),
            (&(*right).into(), &(*right).into())
        );
        assert_eq!(inference["classes"], *classes);
    });
}

#[test]
fn weights_are_those_of_the_network() {
    let Some(_) = shared("cases") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Weights, MACs, ESN_a and ESN_d with c = 1.
    let cases = [
        ("@moco.pth --bits 4", ["296", "296", "2500.00", "695"]),
        ("@tied_storage.pth --bits 4", ["296", "296", "2500.00", "695"]),
        ("@shared_linear.onnx --bits 4", ["100", "200", "1181.00", "266"]),
        ("@qcdq_4bit.onnx", ["108", "3888", "1223.00", "245"]),
    ];
    check_all(cases, |(arguments, expected)| {
        let (code, text) = run(folder.path(), &format!("esn {arguments} --csv esn.csv"));
        assert_eq!(code, 0, "{text}");
        let mut csv = csv::Reader::from_path(folder.path().join("esn.csv")).expect("the run wrote it");
        let rows: Vec<std::collections::HashMap<String, String>> =
            csv.deserialize().collect::<Result<_, _>>().expect("a table");
        let total = rows.last().expect("a row for the sum");
        let found = ["weights", "macs", "esn_a", "esn_d"].map(|column| total[column].as_str());
        let numbers = |texts: [&str; 4]| texts.map(|text| text.parse::<f64>().expect("a number"));
        assert_eq!(numbers(found), numbers(*expected));
    });
    let (code, text) = run(folder.path(), "esn @optimizer_state.pth --bits 4");
    assert!(code == 2 && text.contains("the state of an optimizer"), "{text}");
}

#[test]
fn both_uses_of_a_tensor_lose_the_same_filters() {
    let Some(_) = shared("cases") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, text) = run(folder.path(), "compress @siamese.onnx --prune filters=0.375 -o out.onnx --json c.json");
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(folder.path(), "inspect out.onnx --csv out.csv");
    assert_eq!(code, 0, "{text}");
    let mut csv = csv::Reader::from_path(folder.path().join("out.csv")).expect("the run wrote it");
    let rows: Vec<std::collections::HashMap<String, String>> =
        csv.deserialize().collect::<Result<_, _>>().expect("a table");
    assert_eq!(rows[1]["weights_of"], rows[0]["layer"], "the tensor is written once");
    assert_eq!((&rows[0]["dead_filters"], &rows[1]["dead_filters"]), (&"2".to_string(), &"2".to_string()));
}

#[test]
fn what_coupled_filters_keep_a_pruning_from_is_told() {
    let Some(_) = shared("cases") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, text) = run(folder.path(), "compress @grouped4.onnx --prune filters=0.2 -o out.onnx --json c.json");
    assert!(code == 0 && text.contains("note: 0 of 20 filters were pruned, not the 4 that were asked for"), "{text}");
    let pruning = &json(folder.path(), "c.json")["prune"][1]["prunings"][0];
    assert_eq!((&pruning["asked"], &pruning["done"]), (&4.into(), &0.into()), "{pruning}");
    let (code, text) = run(folder.path(), "compress @grouped4.onnx --prune filters=0.2 -o strict.onnx --strict");
    assert!(code == 2 && !folder.path().join("strict.onnx").exists(), "{text}");
}
