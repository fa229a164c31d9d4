//! Do real networks give what onnxruntime gives?
//!
//! Expected numbers are of onnxruntime 1.2x with its optimizations off, on the first test images of CIFAR-10.

use std::path::PathBuf;

use inference::images::{ImageOptions, Images, Preprocessing};
use inference::{FloatExecutor, Session};
use network::{Network, ReadOptions};

fn shared(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not there", file.display());
    None
}

/// Logits of the first `count` test images, and how many of them are classified right.
fn run(model: &str, count: usize) -> Option<(Vec<Vec<f32>>, usize)> {
    let (model, images) = (shared(model)?, shared("data/cifar10/test_batch.bin")?);
    let network = Network::read(&model, &ReadOptions::default()).unwrap();
    let session = Session::new(&network).unwrap();
    let executor = FloatExecutor::from_file(&network).unwrap();
    let images = Images::open(&images, &ImageOptions { limit: Some(count), ..Default::default() }).unwrap();
    let preprocessing = Preprocessing::named("imagenet").unwrap();
    let mut right = 0;
    let logits = (0..images.len())
        .map(|index| {
            let input = preprocessing.apply(&images.get(index).unwrap(), session.input_shape()).unwrap();
            let logits = session.run(&input, &executor, None).unwrap();
            right += usize::from(Some(largest(&logits)) == images.label(index));
            logits
        })
        .collect();
    Some((logits, right))
}

fn largest(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

#[test]
fn resnet20_in_float_equals_onnxruntime() {
    let expected = [[-3.8069897, -1.2574561, -7.521166, 15.028734], [3.5708375, 2.0467343, -2.221523, -1.0211878]];
    for model in ["models/resnet20-cifar10.onnx", "models/resnet20-cifar10-bn.onnx"] {
        let Some((logits, right)) = run(model, 200) else { return };
        for (index, expected) in [(0, expected[0]), (15, expected[1])] {
            let near = logits[index].iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-3);
            assert!(near, "{model}, image {index}: {:?}", logits[index]);
        }
        assert_eq!(right, 154, "{model}");
    }
}
