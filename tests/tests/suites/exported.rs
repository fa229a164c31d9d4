//! Are archives of `torch.export` the networks that PyTorch exported, and do they compute what PyTorch computes?
//!
//! `reference/exported-programs.json` has small archives, an input each, and PyTorch's output; `python/exported_programs.py`
//! made it. `exported-recurrent.json` beside it has recurrent operators, and their matrices as PyTorch writes them to ONNX.

use bytes::Bytes;
use esnsim_tests::{esnsim, exported_files, repository};
use formats::{BatchAxis, ReadOptions};
use inference::{FloatExecutor, Session};
use network::{Network, NetworkError};
use runner::{CostPlan, Quantization, cost};
use serde_json::Value;
use testkit::{check_all, real_weights, texts};

fn cases() -> Vec<(Value, Vec<u8>)> {
    listed("exported-programs.json").into_iter().zip(exported_files()).collect()
}

fn listed(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository(&format!("tests/reference/{file}"))).expect("it is there");
    serde_json::from_str(&text).expect("valid JSON")
}

/// The recurrent operators, which stand behind the others.
fn recurrent_cases() -> Vec<(Value, Vec<u8>)> {
    let programs = listed("exported-programs.json").len();
    listed("exported-recurrent.json").into_iter().zip(exported_files().into_iter().skip(programs)).collect()
}

fn try_read(file: &[u8]) -> Result<Network, NetworkError> {
    formats::from_bytes("program.pt2", Bytes::copy_from_slice(file), &ReadOptions::default())
}

fn numbers(case: &Value, key: &str) -> Vec<f32> {
    case[key].as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number") as f32).collect()
}

#[test]
fn programs_compute_what_pytorch_computes() {
    // Sequences of several images side by side are run as one.
    let whole = ReadOptions { batch_axis: BatchAxis::None, ..ReadOptions::default() };
    let all = cases().into_iter().map(|case| (case, ReadOptions::default()));
    let all = all.chain(recurrent_cases().into_iter().map(|case| (case, whole.clone())));
    check_all(all, |((case, file), options)| {
        let network = formats::from_bytes("program.pt2", Bytes::copy_from_slice(file), options).expect("it is read");
        assert_eq!(texts(network.notes()), [""; 0], "{}", case["name"]);
        let session = Session::new(&network).expect("it runs");
        let executor = FloatExecutor::from_file(&network).expect("weights are finite");
        let found = session.run(&numbers(case, "input"), &executor, None).expect("a run");
        let expected = numbers(case, "output");
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-5 * b.abs().max(1.0);
        assert!(found.len() == expected.len() && !found.iter().zip(&expected).any(far), "{found:?} {expected:?}");
    });
}

#[test]
fn transposed_convolutions_are_layers() {
    let upsampling =
        cases().into_iter().filter(|(case, _)| case["name"].as_str().is_some_and(|name| name.contains("up")));
    let files: Vec<Vec<u8>> = upsampling.map(|(_, file)| file).collect();
    assert_eq!(files.len(), 2);
    check_all(files, |file| {
        let network = try_read(file).expect("it is read");
        let macs: Vec<u128> = network.layers().iter().map(|layer| layer.geometry.macs()).collect();
        // Weights times positions of the input: 5 × 6, then 10 × 12, then 14.
        assert_eq!(macs, [4 * 3 * 9 * 30, 6 * 3 * 6 * 120, 3 * 2 * 4 * 14]);
        assert!(network.layers().iter().all(|layer| layer.op.name() == "ConvTranspose"));
    });
}

#[test]
fn layers_have_the_names_of_their_modules() {
    let cases = cases();
    let [layers, open] = [0, 1].map(|case: usize| try_read(&cases[case].1).expect("it is read"));
    let names: Vec<&str> = layers.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["stem", "depthwise", "dilated", "fc"]);
    assert_eq!((layers.has_open_batch(), open.has_open_batch()), (false, true));
    let macs = |network: &Network| network.layers().iter().map(|layer| layer.geometry.macs()).collect::<Vec<_>>();
    // 6 × 8 positions behind the stem.
    assert_eq!(macs(&layers), [216 * 48, 72 * 48, 576 * 48, 40]);
    assert_eq!(macs(&open), macs(&layers));
}

#[test]
fn recurrent_operators_have_the_matrices_that_pytorch_writes() {
    // Weights and MACs of one sequence of 5 steps, with the layer behind: of 3 numbers and 4 units, 112 and 560 in one LSTM.
    let expected = [
        ("lstm", "rnn", 120, 600),
        ("lstm of two layers and directions", "rnn.l0", 224 + 384 + 16, 1120 + 1920 + 80),
        ("gru without biases", "rnn.l0", 84 + 96 + 8, 420 + 480 + 40),
        ("rnn", "rnn", 56 + 16, 280 + 80),
    ];
    let cases = recurrent_cases();
    check_all(expected, |(name, operator, weights, macs)| {
        let (case, file) = cases.iter().find(|(case, _)| case["name"] == *name).expect("it is one of them");
        let network = try_read(file).expect("it is read");
        let found: u128 = network.layers().iter().map(|layer| layer.geometry.macs()).sum();
        assert_eq!((network.parameter_count(), found), (*weights, *macs), "{name}");
        assert!(network.layers()[0].name.starts_with(&format!("{operator}.input")), "{name}");
        let matrices = case["matrices"].as_array().expect("a list");
        assert_eq!(matrices.len() + 1, network.layers().len(), "{name}");
        for (layer, matrix) in matrices.iter().enumerate() {
            let matrix: Vec<f32> =
                matrix.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number") as f32).collect();
            assert_eq!(real_weights(&network, layer), matrix, "{name}: {}", network.layers()[layer].name);
        }
    });
}

#[test]
fn quantized_weights_are_integers() {
    let (_, file) = cases().into_iter().find(|(case, _)| case["name"] == "quantized").expect("it is one of them");
    let network = try_read(&file).expect("it is read");
    let plan = CostPlan {
        network: &network,
        hardware: &[],
        quantization: Quantization::new(None),
        convention: esn::BitConvention::default(),
    };
    let cost = cost(&plan).expect("weights are finite");
    let largest: Vec<u32> = cost.layers.iter().map(|layer| layer.esn.max_bits).collect();
    assert!(cost.layers.iter().all(|layer| layer.quantized_to.is_none()));
    assert_eq!(largest, [4, 8]);
}

#[test]
fn the_command_takes_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(cases().into_iter().enumerate(), |(index, (_, file))| {
        let path = folder.path().join(format!("{index}.pt2"));
        std::fs::write(&path, file).expect("writable");
        esnsim().arg("esn").arg(&path).assert().success();
        esnsim().arg("convert").arg(&path).arg(folder.path().join(format!("{index}.onnx"))).assert().success();
    });
}

#[test]
fn broken_archives_are_refused_in_one_line() {
    check_all(exported_files(), |file| {
        for part in 1..30 {
            let text = network::chain(&try_read(&file[..file.len() * part / 30]).expect_err("it is cut"));
            assert!(text.starts_with("program.pt2: ") && !text.contains('\n'), "{text:?}");
        }
    });
}
