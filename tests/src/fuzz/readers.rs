//! The readers, each with a check of what comes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use esn::BitConvention;
use explore::sweep::Plan;
use formats::ReadOptions;
use formats::images::{
    ArrayLayout, ImageChoices, ImageError, ImageFormat, ImageOptions, Images, NetworkInput, Preprocessing,
};
use formats::onnx::write::{WriteOptions, to_bytes};
use inference::{FloatExecutor, Session};
use network::{LayerId, ModelError, Network, NetworkError, Synthetic};
use runner::{CostPlan, Hardware, NetworkCost, Quantization, RunnerError, cost};

/// Elements of all values of a graph that is run, and MACs of it: what bounds a run.
const MAX_ELEMENTS: usize = 1 << 16;
const MAX_MACS: u128 = 1 << 20;
/// Weights of a network that is costed and written again.
const MAX_WEIGHTS: u128 = 1 << 20;
/// Images of a store that are decoded.
const MAX_IMAGES: usize = 4;
/// Pixels of an image that is prepared for a network.
const MAX_PIXELS: usize = 1 << 20;

/// An error that a user sees must be one line that can do nothing to a terminal.
pub(super) fn check_message(error: &(dyn std::error::Error + 'static)) {
    let message = network::chain(error);
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    assert!(!causes.any(|cause| cause.is::<ModelError>()), "a reader made what is no network: {message}");
    assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
}

/// An ONNX file in memory.
pub(super) fn onnx(bytes: &[u8]) {
    match formats::from_bytes("input.onnx", Bytes::copy_from_slice(bytes), &ReadOptions::default()) {
        Ok(network) => follow(&network),
        Err(error) => check_message(&error),
    }
}

/// A TFLite file in memory.
pub(super) fn tflite(bytes: &[u8]) {
    match formats::from_bytes("input.tflite", Bytes::copy_from_slice(bytes), &ReadOptions::default()) {
        Ok(network) => follow(&network),
        Err(error) => check_message(&error),
    }
}

/// An ONNX file in a folder with files that its tensors may lie in.
pub(super) fn external(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("input.onnx");
    fs::write(folder.path().join("w.bin"), super::seeds::external_data()).expect("writable");
    fs::write(&path, bytes).expect("writable");
    match formats::read(&path, &ReadOptions::default()) {
        Ok(network) => follow(&network),
        Err(error) => check_message(&error),
    }
}

/// All that is done with a network: its weights, its cost, its file, and a run of it.
pub(super) fn follow(network: &Network) {
    if !is_small(network) {
        return;
    }
    if let Some(layer) = network.layers_without_weights().next() {
        check_message(&network.weights(layer).expect_err("the file has no values"));
        return follow(&network.with_synthetic_weights(Synthetic::new(1, 0.25).expect("it is a share")));
    }
    for index in 0..network.layers().len() {
        if let Err(error) = network.weights(LayerId(index)) {
            return check_message(&error);
        }
    }
    match costs(network) {
        Ok(before) => write_and_read(network, &before),
        Err(error) => check_message(&error),
    }
    run(network);
}

/// Whether its weights are few enough to be decoded again and again.
pub(super) fn is_small(network: &Network) -> bool {
    let weights = network.layers().iter().map(|layer| layer.geometry.weight_shape().len());
    let weights = weights.fold(0, |sum, len| sum + len.map_or(u128::MAX >> 32, |len| len as u128));
    weights <= MAX_WEIGHTS
}

pub(super) fn costs(network: &Network) -> Result<NetworkCost, RunnerError> {
    let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
    cost(&CostPlan { network, hardware: &[], quantization, convention })
}

/// A network that can be written is read again with the same costs.
fn write_and_read(network: &Network, before: &NetworkCost) {
    let written = match to_bytes(network, &WriteOptions::default()) {
        Ok(written) => written,
        Err(error @ NetworkError::Unsupported { .. }) => return check_message(&error),
        // Values that a file does not have can be written by nobody.
        Err(error) if !network.absent().is_empty() => return check_message(&error),
        Err(error) => panic!("a network that was read is invalid when it is written: {error}"),
    };
    let again = formats::from_bytes("again.onnx", written.bytes.into(), &ReadOptions::default());
    let again = again.unwrap_or_else(|error| panic!("what was written is not read: {error}"));
    let after = costs(&again).unwrap_or_else(|error| panic!("what was written has no cost: {error}"));
    assert_eq!(before.esn, after.esn, "the file that was written costs something else");
}

/// A small network runs, or says why not.
fn run(network: &Network) {
    let elements = |value: &network::Value| {
        value.shape.as_ref().map_or(0, |shape| shape.iter().fold(1usize, |product, &n| product.saturating_mul(n)))
    };
    let total = network.graph().values().iter().map(elements).fold(0usize, usize::saturating_add);
    let macs = network.layers().iter().map(|layer| layer.geometry.macs()).fold(0u128, u128::saturating_add);
    if total > MAX_ELEMENTS || macs.saturating_mul(network.batch() as u128) > MAX_MACS {
        return;
    }
    let session = match Session::new(network) {
        Ok(session) => session,
        Err(error) => return check_message(&error),
    };
    let executor = match FloatExecutor::from_file(network) {
        Ok(executor) => executor,
        Err(error) => return check_message(&error),
    };
    let input = vec![1.0; session.input_shape().iter().product()];
    match session.run(&input, &executor, None) {
        Ok(output) => assert_eq!(output.len(), session.output_len()),
        Err(error) => check_message(&error),
    }
}

/// A small network that any hardware has a cost of.
fn costed() -> &'static Network {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let file = Bytes::from(super::seeds("onnx").swap_remove(0));
        formats::from_bytes("costed.onnx", file, &ReadOptions::default()).expect("it is a seed")
    })
}

/// A hardware description, and what a small network costs on it.
pub(super) fn hardware(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let hardware = match Hardware::parse(Path::new("input.toml"), text) {
        Ok(hardware) => hardware,
        Err(error) => return check_message(&error),
    };
    let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
    let plan = CostPlan { network: costed(), hardware: &[hardware], quantization, convention };
    if let Err(error) = cost(&plan) {
        check_message(&error);
    }
}

/// What is done to images.
pub(super) fn preprocessing(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Preprocessing::parse(Path::new("input.toml"), text) {
        Ok(preprocessing) => {
            let data = (0..5 * 4 * 3).map(|i| i as f32).collect();
            let image = formats::images::Image { name: "grey".to_string(), channels: 3, height: 4, width: 5, data };
            for shape in [[1, 3, 4, 4], [1, 3, 2, 3], [1, 4, 4, 3], [1, 1, 8, 8]] {
                if let Err(error) = preprocessing.apply(&image, &shape) {
                    check_message(&error);
                }
            }
        }
        Err(error) => check_message(&error),
    }
}

/// A plan of a sweep.
pub(super) fn plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Plan::parse(Path::new("input.toml"), text) {
        Ok(plan) => assert!(!plan.to_json().is_empty()),
        Err(error) => check_message(&error),
    }
}

/// Records of CIFAR-10 and of CIFAR-100.
pub(super) fn cifar(bytes: &[u8]) {
    with_file("bin", bytes, |path| {
        for format in [ImageFormat::Cifar10, ImageFormat::Cifar100] {
            images(Images::open(path, &ImageOptions { format: Some(format), ..ImageOptions::default() }));
        }
    });
}

/// A numpy array, alone and for networks of several inputs. Whose examples have the numbers of an input become that input.
pub(super) fn npy(bytes: &[u8]) {
    const INPUTS: [&[usize]; 7] =
        [&[1], &[1, 12], &[1, 3, 4], &[1, 3, 2, 2], &[1, 2, 2, 3], &[1, 4, 4, 4], &[1, 2, 3, 1, 2]];
    with_file("npy", bytes, |path| {
        images(Images::open(path, &ImageOptions::default()));
        let layouts =
            [None, Some(ArrayLayout::ChannelsFirst), Some(ArrayLayout::ChannelsLast), Some(ArrayLayout::AsIs)];
        for (shape, layout) in INPUTS.into_iter().flat_map(|shape| layouts.map(|layout| (shape, layout))) {
            let input = Some(NetworkInput::from(shape));
            let opened = Images::open(path, &ImageOptions { layout, input, ..ImageOptions::default() });
            match opened {
                Ok(opened) if opened.fitted().is_some() && !opened.is_empty() => becomes(&opened, shape),
                opened => images(opened),
            }
        }
    });
}

/// Proves that the first example becomes an input of this shape, unless it has NaN, which is refused.
fn becomes(images: &Images, shape: &[usize]) {
    let input = NetworkInput { layout: images.fitted(), ..shape.into() };
    let image = images.get(0).unwrap_or_else(|error| panic!("{error}"));
    if image.data.iter().any(|number| number.is_nan()) {
        return;
    }
    let values =
        Preprocessing::default().apply_for(&image, &input).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    assert_eq!(values.len(), shape[1..].iter().product::<usize>());
}

/// A numpy archive.
pub(super) fn npz(bytes: &[u8]) {
    images(Images::from_npz(Path::new("input.npz"), bytes, &ImageOptions::default()));
}

/// A table of files.
pub(super) fn manifest(bytes: &[u8]) {
    with_file("csv", bytes, |path| images(Images::open(path, &ImageOptions::default())));
}

/// A picture, whose content says of which kind it is.
pub(super) fn picture(bytes: &[u8]) {
    with_file("png", bytes, |path| images(Images::open(path, &ImageOptions::default())));
}

/// A file of a data set or an archive of one, whose content says of which kind it is.
pub(super) fn dataset(bytes: &[u8]) {
    with_file("data", bytes, |path| {
        for coarse_labels in [false, true] {
            let choices = ImageChoices { coarse_labels, ..ImageChoices::default() };
            images(Images::open(path, &ImageOptions { choices, ..ImageOptions::default() }));
        }
    });
}

fn with_file(extension: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path: PathBuf = folder.path().join("input").with_extension(extension);
    fs::write(&path, bytes).expect("writable");
    read(&path);
}

fn images(images: Result<Images, ImageError>) {
    let images = match images {
        Ok(images) => images,
        Err(error) => return check_message(&error),
    };
    images.looks();
    for index in 0..images.len().min(MAX_IMAGES) {
        images.label(index);
        match images.get(index) {
            Ok(image) => {
                assert_eq!(image.data.len(), image.channels * image.height * image.width);
                prepare(&image);
            }
            Err(error) => check_message(&error),
        }
    }
}

fn prepare(image: &formats::images::Image) {
    if image.data.len() > MAX_PIXELS {
        return;
    }
    if let Err(error) = Preprocessing::default().apply(image, &[1, image.channels, 8, 8]) {
        check_message(&error);
    }
}
