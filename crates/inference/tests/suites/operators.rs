//! Do ONNX files give what ONNX and onnxruntime say of their operators?
//!
//! `reference/onnx-operators.json` has a small file for each case, its input and its output; `python/onnx_operators.py` made
//! it. A file that is written and read again has to give the same.

use std::path::Path;

use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, to_bytes};
use inference::{FloatExecutor, Session};
use network::Network;
use serde_json::Value;
use testkit::check_all;

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/onnx-operators.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("it is there")).expect("valid JSON")
}

fn bytes(case: &Value) -> Vec<u8> {
    let digits = case["file"].as_str().expect("hexadecimal").as_bytes();
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|n| n.as_f64().expect("a number") as f32).collect()
}

fn read(bytes: Vec<u8>) -> Result<Network, String> {
    formats::from_bytes("case.onnx", bytes.into(), &ReadOptions::default()).map_err(|error| error.to_string())
}

/// What the network gives, against what it should.
fn compare(network: &Network, case: &Value) -> Result<(), String> {
    let session = Session::new(network).map_err(|error| format!("{error} {:?}", network.notes()))?;
    let executor = FloatExecutor::from_file(network).map_err(|error| error.to_string())?;
    let found = session.run(&numbers(&case["input"]), &executor, None).map_err(|error| error.to_string())?;
    let (expected, output) = (numbers(&case["output"]), network.graph().value(network.graph().outputs()[0]));
    let shape: Vec<usize> = numbers(&case["shape"]).iter().map(|&n| n as usize).collect();
    if output.shape.as_ref() != Some(&shape) {
        return Err(format!("shape {:?}, not {shape:?}", output.shape));
    }
    alike(&found, &expected)
}

/// Whether all numbers are there and near; none is near a number that is none.
fn alike(found: &[f32], expected: &[f32]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} numbers, not {}", found.len(), expected.len()));
    }
    let is_near = |a: f32, b: f32| (a - b).abs() <= 2e-5 * b.abs().max(1.0);
    let pairs = found.iter().zip(expected).enumerate();
    let wrong: Vec<_> = pairs.filter(|(_, (a, b))| !is_near(**a, **b)).collect();
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} of {} differ, first {first:?}", wrong.len(), expected.len())),
    }
}

#[test]
fn what_is_missing_or_no_number_is_not_alike() {
    assert_eq!(alike(&[1.0, 2.0], &[1.0, 2.0]), Ok(()));
    let cases: [(&[f32], &[f32]); 4] =
        [(&[1.0], &[1.0, 2.0]), (&[1.0, 2.0], &[1.0]), (&[1.0, f32::NAN], &[1.0, 2.0]), (&[1.0, 2.1], &[1.0, 2.0])];
    check_all(cases, |(found, expected)| assert!(alike(found, expected).is_err()));
}

fn check(name: &str, run: impl Fn(&Value) -> Result<(), String>) {
    let cases = cases();
    let problem = |case: &Value| run(case).err().map(|problem| format!("{}: {problem}", case["name"]));
    let wrong: Vec<String> = cases.iter().filter_map(problem).collect();
    assert!(wrong.is_empty(), "{name}: {} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn operators_give_what_onnx_says() {
    check("read", |case| compare(&read(bytes(case))?, case));
}

#[test]
fn written_operators_give_the_same() {
    check("written", |case| {
        let network = read(bytes(case))?;
        let written = to_bytes(&network, &WriteOptions::default()).map_err(|error| error.to_string())?;
        compare(&read(written.bytes)?, case)
    });
}
