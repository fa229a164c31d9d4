//! Do networks without values of their weights have sizes and, with synthetic weights, costs; and does every output say
//! that weights are synthetic?

use std::fs;
use std::path::Path;
use std::process::Output;

use esnsim_tests::{assert_refused, refused_in, run_in};
use formats::onnx::proto::{StringStringEntryProto, TensorProto};
use serde_json::Value;
use testkit::{Model, check_all, floats, int_list, int8s, model, raw, value_info};

const TOPOLOGY: &str = "\
    Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
    a, 5, 7, 3, 3, 2, 4, 1,\n\
    b, 1, 1, 1, 1, 8, 10, 1,\n";

const MEND: &str = "; esn and simulate draw synthetic ones by --synthetic-weights SEED";

/// What a command that succeeds prints, and what it notes.
fn succeed(folder: &Path, arguments: &str) -> [String; 2] {
    let Output { status, stdout, stderr } = run_in(folder, arguments);
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    assert!(status.success(), "{arguments}: {stderr}");
    [stdout, stderr]
}

/// A convolution of weights and bias in a file that is not there, and a product whose bias is stored.
fn stripped() -> Model {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    let outside = |name: &str, dims: &[i64]| TensorProto {
        raw_data: None,
        data_location: 1,
        external_data: vec![entry("location", "net.external"), entry("offset", "0")],
        ..raw(name, 1, dims, vec![])
    };
    model()
        .input("x", &[0, 2, 5, 7])
        .tensor(outside("a", &[4, 2, 3, 3]))
        .tensor(outside("a.bias", &[4]))
        .tensor(outside("b", &[60, 10]))
        .weights("c", &[10])
        .node("Conv", &["x", "a", "a.bias"], &["conv"])
        .node("Flatten", &["conv"], &["flat"])
        .node("Gemm", &["flat", "b", "c"], &["y"])
}

/// `t.csv`, `net.onnx` and an image, `images.npy`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("t.csv"), TOPOLOGY).expect("writable");
    fs::write(folder.path().join("net.onnx"), stripped().bytes()).expect("writable");
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3, 5, 7), }\n";
    let images =
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[9; 105]].concat();
    fs::write(folder.path().join("images.npy"), images).expect("writable");
    folder
}

#[test]
fn sizes_are_shown_without_values() {
    let folder = folder();
    let [table, notes] = succeed(folder.path(), "inspect net.onnx --csv net.csv --topology-csv again.csv");
    assert!(table.contains("2 MAC layers, 672 weights (without values), 1,680 MACs an image, batch 1"), "{table}");
    let note = "the file has no values of tensor \"a\" and 2 more (external data \"net.external\" cannot be read";
    assert!(notes.contains(note) && notes.contains(MEND), "{notes}");
    let csv = fs::read_to_string(folder.path().join("net.csv")).expect("written");
    let row = csv.lines().find(|line| line.starts_with("Conv_conv,")).expect("a row");
    assert!(
        row.starts_with("Conv_conv,Conv,72,1080,15,2,5,7,4,3,5,") && row.ends_with(",1,,,,,,,,,,1,1,1,1,0,0"),
        "{row}"
    );
    let topology = fs::read_to_string(folder.path().join("again.csv")).expect("written");
    assert!(topology.contains("Conv_conv, 5, 7, 3, 3, 2, 4, 1,"), "{topology}");
    let [table, _] = succeed(folder.path(), "inspect --topology t.csv");
    assert!(table.contains("2 MAC layers, 152 weights (without values), 1,160 MACs an image"), "{table}");
}

#[test]
fn what_needs_values_names_the_option() {
    let folder = folder();
    let commands = [
        ("esn net.onnx", "tensor \"a\": external data \"net.external\" cannot be read"),
        ("simulate net.onnx", "tensor \"a\""),
        ("simulate --topology t.csv", "tensor \"a\": a topology has sizes alone"),
        ("trace net.onnx --layer 1 --csv out.csv", "tensor \"a\""),
        ("compress net.onnx --bits 4 -o out.onnx", "tensor \"a\""),
        ("inspect net.onnx --find-step", "tensor \"a\""),
    ];
    check_all(commands, |(arguments, expected)| {
        let line = refused_in(folder.path(), arguments);
        assert!(line.contains(*expected) && line.ends_with(MEND), "{arguments}: {line}");
    });
    let line = refused_in(folder.path(), "convert net.onnx out.safetensors");
    assert!(line.contains("no values of tensor \"a\" and 2 more"), "{line}");
    assert!(!folder.path().join("out.safetensors").exists() && !folder.path().join("out.onnx").exists());
}

/// Figures of a program of its own in Python, which draws, quantizes and counts by the equations.
#[test]
fn costs_are_those_of_the_weights_that_are_drawn() {
    let folder = folder();
    let cases = [
        ("", "ESN_a 1,162 (c = 1), 9,142 (c = MACs); ESN_d 357 bits (c = 1), 2,807 (c = MACs)", "152 nonzero"),
        (
            "--synthetic-sparsity 0.5",
            "ESN_a 586.75 (c = 1), 5,385.25 (c = MACs); ESN_d 170 bits (c = 1), 1,374 (c = MACs)",
            "75 nonzero",
        ),
    ];
    check_all(cases, |(options, total, nonzero)| {
        let [text, _] = succeed(folder.path(), &format!("esn --topology t.csv --synthetic-weights 1 {options}"));
        assert!(text.contains(total) && text.contains(nonzero), "{text}");
    });
    // Weights depend on names, not on files.
    let [text, _] = succeed(folder.path(), "esn net.onnx --synthetic-weights 1");
    assert!(text.contains("Conv_conv") && text.contains("  570    175       8.55k"), "{text}");
}

#[test]
fn synthetic_weights_are_the_same_at_any_number_of_threads() {
    let folder = folder();
    let of = |file: &str, threads: usize| {
        let csv = format!("{threads}.csv");
        let options = "--synthetic-weights 3 --synthetic-sparsity 0.25";
        succeed(folder.path(), &format!("simulate {file} {options} --threads {threads} --csv {csv}"));
        fs::read(folder.path().join(csv)).expect("written")
    };
    check_all(["net.onnx", "--topology t.csv"], |file| assert!(of(file, 1) == of(file, 3)));
}

#[test]
fn every_output_says_that_weights_are_synthetic() {
    let folder = folder();
    let name = "(synthetic weights, seed 1, sparsity 0.5)";
    let run = "net.onnx --synthetic-weights 1 --synthetic-sparsity 0.5";
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).expect("written");
    check_all(["simulate", "simulate --by-hardware", "esn"], |command| {
        let [text, notes] = succeed(folder.path(), &format!("{command} {run} --csv out.csv"));
        assert!(text.contains(&format!("net.onnx {name}: 2 MAC layers")), "{text}");
        assert!(text.lines().any(|line| line.starts_with("SYNTHETIC WEIGHTS: drawn at random")), "{text}");
        assert!(notes.contains("SYNTHETIC WEIGHTS: those of 2 of 2 layers"), "{notes}");
        assert!(read("out.csv").lines().skip(1).all(|row| row.contains(&format!("\"net.onnx {name}\""))));
    });
    let [text, _] = succeed(folder.path(), &format!("simulate {run} --json out.json --html out.html"));
    assert_eq!(text.matches("PASS: ").count(), 3, "{text}");
    let json: Value = serde_json::from_str(&read("out.json")).expect("JSON");
    let drawn = serde_json::json!({"seed": 1, "sparsity": 0.5});
    assert_eq!([&json["network"]["synthetic_weights"], &json["run"]["read"]["synthetic_weights"]], [&drawn; 2]);
    assert!(json["network"]["notes"][0].as_str().expect("a note").starts_with("SYNTHETIC WEIGHTS"));
    let page = read("out.html");
    assert!(page.contains(&format!("<title>net.onnx {name}")) && page.contains("SYNTHETIC WEIGHTS: drawn"));
    let [text, _] = succeed(folder.path(), "esn net.onnx net.onnx --synthetic-weights 1");
    assert_eq!(text.matches("net.onnx (synthetic)").count(), 2, "{text}");
    let [text, _] = succeed(folder.path(), "simulate net.onnx net.onnx --synthetic-weights 1");
    assert!(text.contains("net.onnx (synthetic)"), "{text}");
}

#[test]
fn no_image_runs_on_synthetic_or_absent_weights() {
    let folder = folder();
    let with = |weights: TensorProto, bias: TensorProto| {
        let model = model().input("x", &[1, 3, 5, 7]).tensor(weights).tensor(bias);
        model.node("Conv", &["x", "a", "b"], &["y"]).bytes()
    };
    let stripped = with(raw("a", 1, &[4, 3, 3, 3], vec![]), floats("b", &[4], &[1.0; 4]));
    fs::write(folder.path().join("weights.onnx"), stripped).expect("writable");
    let line = refused_in(folder.path(), "simulate weights.onnx --synthetic-weights 1 --images images.npy");
    assert!(line.contains("weights: unsupported: they are synthetic (seed 1)"), "{line}");
    // Weights are there, and a bias is not.
    let weights: Vec<f32> = (0..108).map(|i| i as f32 - 50.0).collect();
    let stripped = with(floats("a", &[4, 3, 3, 3], &weights), raw("b", 1, &[4], vec![]));
    fs::write(folder.path().join("bias.onnx"), stripped).expect("writable");
    let [text, _] = succeed(folder.path(), "simulate bias.onnx");
    assert_eq!(text.matches("PASS: ").count(), 3, "{text}");
    let line = refused_in(folder.path(), "simulate bias.onnx --images images.npy");
    assert!(line.contains("the file has no values of tensor \"b\""), "{line}");
    let line = refused_in(folder.path(), "compress bias.onnx --bits 4 -o out.onnx");
    assert!(line.contains("the file has no values of tensor \"b\""), "{line}");
    let [_, notes] = succeed(folder.path(), "esn bias.onnx --synthetic-weights 1");
    assert!(notes.contains("no weights are drawn"), "{notes}");
}

#[test]
fn options_of_synthetic_weights_are_checked() {
    let folder = folder();
    let cases = [
        ("esn net.onnx --synthetic-sparsity 0.5", "--synthetic-weights <SEED>"),
        ("esn net.onnx --synthetic-weights 1 --synthetic-sparsity 1", "expected a number from 0 to below 1"),
        ("esn net.onnx --synthetic-weights x", "invalid digit"),
        ("esn net.onnx --synthetic-weights 1 --find-step", "cannot be used with"),
        ("inspect net.onnx --synthetic-weights 1", "unexpected argument"),
    ];
    assert_refused(folder.path(), &cases);
}

/// A network of integers at operators on real numbers, as Stream has FSRCNN.
#[test]
fn integers_at_a_float_convolution_have_costs_and_run_on_no_image() {
    let folder = folder();
    let mut model = model();
    model.graph.input.push(value_info("x", 3, &[1, 3, 5, 7]));
    let values: Vec<i8> = (0..108).map(|i| (i % 16 - 8) as i8).collect();
    let model = model.tensor(int8s("w", &[4, 3, 3, 3], &values));
    let model = model.node_with("Conv", &["x", "w"], &["y"], vec![int_list("kernel_shape", &[3, 3])]);
    fs::write(folder.path().join("int.onnx"), model.bytes()).expect("writable");
    let [text, notes] = succeed(folder.path(), "esn int.onnx");
    let squares: i64 = values.iter().map(|&q| i64::from(q) * i64::from(q)).sum();
    assert!(text.contains(&format!("TOTAL  ESN_a {},{:03} (c = 1)", squares / 1000, squares % 1000)), "{text}");
    assert!(notes.contains("ONNX has Conv on real numbers, and here it reads int8"), "{notes}");
    let line = refused_in(folder.path(), "simulate int.onnx --images images.npy");
    assert!(line.contains("arithmetic on int8"), "{line}");
}
