//! Do networks whose operators compute on integers, or on few levels, give what other runtimes give?
//!
//! `reference/integer_reference.py` made the figures. The networks stand beside the project.

use esn::BitConvention;
use esnsim_tests::repository;
use formats::ReadOptions;
use formats::images::{ImageOptions, Images, Preprocessing};
use inference::{FloatExecutor, MacExecutor, Samples, Session};
use network::{ActivationQuantization, Network};
use runner::{CostPlan, EngineExecutor, Hardware, ImageSamples, Metric, Quantization, cost};
use testkit::{check_all, shared};

fn read(relative: &str) -> Option<Network> {
    let path = shared(relative)?;
    Some(formats::read(&path, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}")))
}

/// The digital engine; every layer reads an activation that the file quantizes.
fn digital(network: &Network) -> EngineExecutor {
    let hardware = Hardware::ideal().into_iter().find(|h| h.metric == Metric::EsnD).expect("the metric has an engine");
    let inputs: Vec<ActivationQuantization> =
        network.layers().iter().map(|layer| layer.input_quantization.expect("the file quantizes it")).collect();
    EngineExecutor::new(network, &hardware, Quantization::new(None), &inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// FNV-1a of 64 bits.
fn checksum(bytes: impl Iterator<Item = u8>) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.fold(0xcbf2_9ce4_8422_2325, mix))
}

fn rows(name: &str) -> Vec<Vec<String>> {
    let mut csv =
        csv::Reader::from_path(repository(&format!("tests/reference/{name}"))).expect("it is in the repository");
    csv.records().map(|row| row.expect("valid CSV").iter().map(str::to_string).collect()).collect()
}

/// All 10,000 logits of the first 1,000 test images, to the last bit.
#[test]
fn the_digital_engine_has_the_logits_of_onnxruntime() {
    let Some(network) = read("models/resnet20-cifar10-int8-qoperator.onnx") else { return };
    let Some(images) = shared("data/cifar10/test_batch.bin") else { return };
    let options = ImageOptions { limit: Some(1000), ..ImageOptions::default() };
    let images = Images::open(&images, &options).unwrap_or_else(|error| panic!("{error}"));
    let preprocessing = Preprocessing::named("imagenet").expect("it has a name");
    let samples = ImageSamples::new(&network, images, preprocessing).expect("the network takes CIFAR images");
    let (session, executor) = (Session::new(&network).expect("every operator runs"), digital(&network));
    check_all(rows("resnet20-qoperator-logits.csv"), |row| {
        let first: usize = row[0].parse().expect("an index");
        let mut bytes = Vec::new();
        for index in first..first + 100 {
            let sample = samples.sample(index).expect("images are readable");
            let logits = session.run(&sample.values, &executor, None).expect("the network runs");
            bytes.extend(logits.iter().flat_map(|x| x.to_le_bytes()));
        }
        assert_eq!(checksum(bytes.into_iter()), row[1], "images from {first}");
    });
}

#[test]
fn operators_on_integers_cost_what_their_qdq_form_costs() {
    let files = ["models/resnet20-cifar10-int8-qoperator.onnx", "models/resnet20-cifar10-int8-qdq-perchannel.onnx"];
    let [Some(a), Some(b)] = files.map(read) else { return };
    let hardware = Hardware::ideal();
    let [a, b] = [&a, &b].map(|network| {
        let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
        let cost = cost(&CostPlan { network, hardware: &hardware, quantization, convention });
        cost.unwrap_or_else(|error| panic!("{error}")).total_row()
    });
    assert_eq!((a.esn.weights, a.esn.nonzero, a.esn.macs), (268_336, 260_820, 40_551_040));
    assert_eq!(a.esn, b.esn);
}

#[test]
fn both_executors_have_the_outputs_of_qonnx() {
    let Some(network) = read("models/tfc-mnist-2w2a-qonnx.onnx") else { return };
    let session = Session::new(&network).expect("every operator runs");
    let float = FloatExecutor::from_file(&network).expect("weights are finite");
    let executors: [&dyn MacExecutor; 2] = [&float, &digital(&network)];
    check_all(rows("tfc-qonnx-outputs.csv").iter().enumerate(), |&(k, row)| {
        let pixels: Vec<f32> = (0..784).map(|i| ((7919 * i + 104_729 * k) % 256) as f32 / 255.0).collect();
        for executor in executors {
            let found = session.run(&pixels, executor, None).expect("the network runs");
            assert_eq!(found.len(), row.len());
            for (y, expected) in found.iter().zip(row) {
                let expected: f32 = expected.parse().expect("a number");
                assert!((y - expected).abs() <= 1e-4, "image {k}: {y}, not {expected}");
            }
        }
    });
}
