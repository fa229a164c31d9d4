//! Do TFLite files give the numbers that the reference kernels of LiteRT give?
//!
//! `reference/tflite-operators.json` has a small file for each operator, its input, and the output: integers are compared
//! for equality, with the layers on the digital engine. `python/tflite_operators.py` made it.

use bytes::Bytes;
use esnsim_tests::repository;
use inference::{FloatExecutor, MacExecutor, Session};
use network::{ActivationQuantization, DataType, Network, ReadOptions};
use runner::{EngineExecutor, Hardware, Metric, Quantization};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(repository("tests/reference/tflite-operators.json")).expect("it is there");
    serde_json::from_str(&text).expect("valid JSON")
}

fn bytes(case: &Value) -> Vec<u8> {
    let digits = case["file"].as_str().expect("hexadecimal").as_bytes();
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|n| n.as_f64().expect("a number") as f32).collect()
}

fn read(bytes: Vec<u8>) -> Result<Network, network::NetworkError> {
    Network::from_bytes("case.tflite", Bytes::from(bytes), &ReadOptions::default())
}

/// The layers on the digital engine where the file quantizes what they read, else in float.
fn executor(network: &Network) -> Box<dyn MacExecutor> {
    let inputs: Option<Vec<ActivationQuantization>> = network.layers().iter().map(|l| l.input_quantization).collect();
    match inputs {
        Some(inputs) => {
            let digital = Hardware::ideal().into_iter().find(|h| h.metric == Metric::EsnD).expect("it is one of three");
            Box::new(EngineExecutor::new(network, &digital, Quantization::new(None), &inputs).expect("it fits"))
        }
        None => Box::new(FloatExecutor::from_file(network).expect("weights are finite")),
    }
}

/// What is wrong with a case.
fn difference(case: &Value) -> Option<String> {
    let network = match read(bytes(case)) {
        Ok(network) => network,
        Err(error) => return Some(error.to_string()),
    };
    let session = match Session::new(&network) {
        Ok(session) => session,
        Err(error) => return Some(format!("{error} {:?}", network.notes())),
    };
    let found = match session.run(&numbers(&case["input"]), executor(&network).as_ref(), None) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let expected = numbers(&case["output"]);
    let output = network.graph().value(network.graph().outputs[0]);
    let shape: Vec<usize> = numbers(&case["shape"]).iter().map(|&n| n as usize).collect();
    if output.shape.as_ref() != Some(&shape) {
        return Some(format!("shape {:?}, not {shape:?}", output.shape));
    }
    let near = |a: f32, b: f32| match network.graph().value(network.graph().inputs[0]).data_type {
        Some(DataType::F32) if output.data_type == Some(DataType::F32) => (a - b).abs() <= 1e-4 * b.abs().max(1.0),
        _ => a == b,
    };
    let wrong = found.iter().zip(&expected).filter(|(a, b)| !near(**a, **b)).count();
    let first = found.iter().zip(&expected).find(|(a, b)| !near(**a, **b));
    (wrong > 0).then(|| format!("{wrong} of {} differ, first {first:?}", expected.len()))
}

#[test]
fn operators_give_what_the_reference_kernels_give() {
    let cases = cases();
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| difference(case).map(|d| format!("{}: {d}", case["name"]))).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn cut_and_garbled_files_are_errors_in_one_line() {
    for case in cases().iter().step_by(9) {
        let file = bytes(case);
        let survive = |bytes: Vec<u8>| {
            if let Err(error) = read(bytes).map(|network| Session::new(&network).map(|_| ())) {
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        };
        (0..50).for_each(|i| survive(file[..file.len() * i / 50].to_vec()));
        for at in 0..file.len() {
            let mut garbled = file.clone();
            garbled[at] ^= [0xff, 0x80, 0x01, 0x7f][at % 4];
            survive(garbled);
        }
    }
}
