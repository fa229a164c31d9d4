//! Do engines classify as the network they hold does, and as another runtime says?
//!
//! `reference/accuracy.csv` has what onnxruntime found. The first 2,000 test images of CIFAR-10 are run where they and
//! the networks are beside the project, all of them: about 40 s on two cores in the profile of the tests.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use engine::Arithmetic;
use esn::BitWidth;
use esnsim_tests::repository;
use formats::ReadOptions;
use formats::images::{ImageOptions, Images, Preprocessing};
use inference::{FloatExecutor, Samples, Session};
use network::{LayerId, Network};
use runner::{
    Evaluation, EvaluationPlan, Hardware, ImageSamples, Metric, Quantization, embedded_images, embedded_network,
    evaluate, prepare,
};
use testkit::{check_all, int_list, model, shared};

/// CIFAR-10 images that are run.
const IMAGES: usize = 2000;

/// What onnxruntime found: right answers by network and width; 0 is the network as its file has it.
fn reference() -> HashMap<(String, u32), u64> {
    let mut csv = csv::Reader::from_path(repository("tests/reference/accuracy.csv")).expect("it is in the repository");
    let row = |row: HashMap<String, String>| {
        let bits = row["bits"].parse().unwrap_or(0);
        ((row["network"].clone(), bits), row["top1"].parse().expect("counts are integers"))
    };
    csv.deserialize().map(|r| row(r.expect("valid CSV"))).collect()
}

fn quantization(bits: u32) -> Quantization {
    Quantization::new((bits > 0).then(|| BitWidth::new(bits).expect("a width from 1 to 16")))
}

fn engine(metric: Metric) -> Hardware {
    Hardware::ideal().into_iter().find(|h| h.metric == metric).expect("each metric has its ideal engine")
}

fn digits() -> (Network, ImageSamples) {
    let network = embedded_network().expect("it is valid");
    let (images, preprocessing) = embedded_images(None).expect("they are valid");
    let samples = ImageSamples::new(&network, images, preprocessing).expect("they belong together");
    (network, samples)
}

/// A network beside the project and the CIFAR-10 images.
fn cifar(network: &str) -> Option<(Network, ImageSamples)> {
    let (path, images) = (shared(network)?, shared("data/cifar10/test_batch.bin")?);
    let network = formats::read(&path, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let options = ImageOptions { limit: Some(IMAGES), ..ImageOptions::default() };
    let images = Images::open(Path::new(&images), &options).unwrap_or_else(|error| panic!("{error}"));
    let preprocessing = Preprocessing::named("imagenet").expect("it has a name");
    let samples = ImageSamples::new(&network, images, preprocessing).expect("the network takes CIFAR images");
    Some((network, samples))
}

fn run(network: &Network, hardware: &[Hardware], bits: u32, samples: &dyn Samples, reference: bool) -> Evaluation {
    let plan = EvaluationPlan {
        network,
        hardware,
        quantization: quantization(bits),
        samples,
        answer: None,
        activation_bits: 8,
        calibration_images: 500,
        reference,
        progress: &|_| (),
    };
    evaluate(&plan).unwrap_or_else(|error| panic!("{error}"))
}

/// Right answers of the float network whose weights are the dequantized codes. Threads take every n-th image.
fn dequantized_top1(network: &Network, bits: u32, samples: &dyn Samples) -> u64 {
    let weights = |id| prepare(network, LayerId(id), quantization(bits)).expect("weights are finite").dequantize();
    let executor = FloatExecutor::new((0..network.layers().len()).map(weights).collect());
    let session = Session::new(network).expect("every operator runs");
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let right = |index: &usize| {
        let sample = samples.sample(*index).expect("images are readable");
        let logits = session.run(&sample.values, &executor, None).expect("the network runs");
        let best = (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
        sample.label == Some(best)
    };
    thread::scope(|scope| {
        let count = |start| (start..samples.len()).step_by(threads).filter(right).count() as u64;
        let workers: Vec<_> = (0..threads).map(|start| scope.spawn(move || count(start))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).sum()
    })
}

/// `found` right answers of `images` are within `tolerance`, a share, of `expected`.
fn assert_near(found: u64, expected: u64, images: usize, tolerance: f64, what: &str) {
    let difference = found.abs_diff(expected) as f64 / images as f64;
    assert!(difference <= tolerance + 1e-12, "{what}: {found} right of {images}, not {expected}");
}

#[test]
fn the_embedded_network_reads_493_of_500_digits() {
    let (network, samples) = digits();
    let evaluation = run(&network, &Hardware::ideal(), 0, &samples, true);
    let float = evaluation.float.expect("the float network has run");
    assert_eq!((evaluation.images, evaluation.classes, float.labelled, float.top1), (500, 10, 500, 493));
    assert_eq!(reference()[&("digits-resnet".to_string(), 0)], 493);
    let groups: Vec<&[String]> = evaluation.engines.iter().map(|engine| engine.hardware.as_slice()).collect();
    assert_eq!(groups, [&["ideal-analog".to_string()][..], &["ideal-digital".into(), "ideal-digital-filter".into()]]);
    for engine in &evaluation.engines {
        assert_near(engine.score.top1, 493, 500, 0.004, &engine.hardware.join(", "));
    }
}

/// No image of these networks has two logits so close that the order of a sum could decide.
#[test]
fn dequantized_digits_networks_are_right_as_often_as_in_another_runtime() {
    let (network, samples) = digits();
    let reference = reference();
    check_all(1..=8, |&bits| {
        let expected = reference[&("digits-resnet".to_string(), bits)];
        assert_eq!(dequantized_top1(&network, bits, &samples), expected, "{bits} bits");
    });
}

/// Engines on integers take the ranges of activations from the float network. One-bit weights make far larger activations,
/// which saturate there: at one bit, where the network guesses anyway, they are not compared.
#[test]
fn engines_are_right_as_often_as_the_dequantized_digits_network() {
    let (network, samples) = digits();
    let reference = reference();
    check_all(1..=8, |&bits| {
        let expected = reference[&("digits-resnet".to_string(), bits)];
        for engine in run(&network, &Hardware::ideal(), bits, &samples, false).engines {
            let what = format!("{} at {bits} bits", engine.hardware.join(", "));
            if !(engine.arithmetic == Arithmetic::Integer && bits == 1) {
                assert_near(engine.score.top1, expected, 500, 0.004, &what);
            }
        }
    });
}

#[test]
fn the_analog_engine_is_right_as_often_as_the_dequantized_resnet20() {
    let Some((network, samples)) = cifar("models/resnet20-cifar10-bn.onnx") else { return };
    let reference = |bits| reference()[&("resnet20-cifar10-bn".to_string(), bits)];
    let evaluation = run(&network, &[engine(Metric::EsnA)], 4, &samples, true);
    let float = evaluation.float.expect("the float network has run");
    assert_eq!(float.labelled, IMAGES as u64);
    assert_near(float.top1, reference(0), IMAGES, 0.001, "float");
    let dequantized = dequantized_top1(&network, 4, &samples);
    assert_near(dequantized, reference(4), IMAGES, 0.001, "dequantized");
    assert_near(evaluation.engines[0].score.top1, dequantized, IMAGES, 0.002, "analog");
}

#[test]
fn the_digital_engine_names_the_classes_that_another_runtime_names() {
    let Some((network, samples)) = cifar("models/resnet20-cifar10-int8-qdq-perchannel.onnx") else { return };
    let path = repository("tests/reference/resnet20-qdq-argmax.txt");
    let text = std::fs::read_to_string(path).expect("it is in the repository");
    let expected: Vec<usize> = text.trim().bytes().map(|digit| usize::from(digit - b'0')).collect();
    let evaluation = run(&network, &[engine(Metric::EsnD)], 0, &samples, false);
    let engine = &evaluation.engines[0];
    assert_eq!((expected.len(), engine.predictions.len()), (IMAGES, IMAGES));
    let top1 = reference()[&("resnet20-cifar10-int8-qdq-perchannel".to_string(), 0)];
    assert_near(engine.score.top1, top1, IMAGES, 0.005, "digital");
    let same = engine.predictions.iter().zip(&expected).filter(|(a, b)| a == b).count();
    assert!(same as f64 >= 0.995 * IMAGES as f64, "{same} of {IMAGES} images have the same class");
}

/// Above its first row, the output reads 2^32 rows of padding.
#[test]
fn strides_and_pads_beyond_32_bits_are_followed_or_refused() {
    let window = [int_list("pads", &[1 << 32, 0, 0, 0]), int_list("strides", &[1 << 32, 1])];
    let model = model().input("x", &[0, 1, 2, 2]).floats("w", &[2, 1, 1, 1], &[1.0, 2.0]);
    let file = model.node_with("Conv", &["x", "w"], &["y"], window.to_vec()).bytes();
    let network = formats::from_bytes("made.onnx", file.into(), &ReadOptions::default()).expect("it is valid");
    let executor = FloatExecutor::from_file(&network).expect("weights are finite");
    let output = Session::new(&network).and_then(|session| session.run(&[1.0, 2.0, 3.0, 4.0], &executor, None));
    if let Ok(output) = output {
        assert_eq!(output, [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0, 4.0]);
    }
}

/// Both branches read the first layer; the one that is taken has a layer of its own and reads a weight of the graph.
#[test]
fn the_branch_that_an_if_takes_is_run() {
    let scaled = model().returning("s").floats("k", &[1, 2, 1, 1], &[10.0, 1.0]).node("Conv", &["a", "k"], &["p"]);
    let branches = [scaled.node("Mul", &["p", "two"], &["s"]), model().returning("n").node("Neg", &["a"], &["n"])];
    for (channels, expected) in [(1, vec![24.0, 48.0]), (2, vec![-1.0, -2.0, -2.0, -4.0])] {
        let model = model()
            .input("x", &[0, 1, 1, 2])
            .floats("w", &[2, 1, 1, 1], &[1.0, 2.0])
            .floats("two", &[], &[2.0])
            .ints("one", &[1])
            .ints("channels", &[channels])
            .node("Conv", &["x", "w"], &["a"])
            .node("Shape", &["x"], &["extents"])
            .node("Gather", &["extents", "one"], &["found"])
            .node("Equal", &["found", "channels"], &["c"])
            .branches("y", branches.clone());
        let network = model.read();
        let executor = FloatExecutor::from_file(&network).expect("weights are finite");
        let session = Session::new(&network).expect("every operator runs");
        assert_eq!(session.run(&[1.0, 2.0], &executor, None).expect("it runs"), expected, "{channels}");
    }
}
