//! Do real networks give what onnxruntime gives?
//!
//! Expected numbers are of onnxruntime 1.32.0 with its optimizations off, on the first test images of CIFAR-10.

use formats::ReadOptions;
use formats::images::{ImageOptions, Images, Preprocessing};
use inference::{FloatExecutor, Session};
use testkit::{check_all, shared};

/// Logits of the first `count` test images, and how many of them are classified right.
fn run(model: &str, count: usize) -> Option<(Vec<Vec<f32>>, usize)> {
    let (model, images) = (shared(model)?, shared("data/cifar10/test_batch.bin")?);
    let network = formats::read(&model, &ReadOptions::default()).unwrap();
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

/// First logits of images 0 and 15.
type Logits = [[f32; 4]; 2];

fn check(model: &str, expected: Logits, tolerance: f32, right: usize) {
    let Some((logits, found)) = run(model, 200) else { return };
    check_all([(0, expected[0]), (15, expected[1])], |&(index, expected)| {
        let near = logits[index].iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance);
        assert!(near, "{model}, image {index}: {:?}", logits[index]);
    });
    assert_eq!(found, right, "{model}");
}

#[test]
fn resnet20_in_float_equals_onnxruntime() {
    let expected = [[-3.8069897, -1.2574561, -7.521166, 15.028734], [3.5708375, 2.0467343, -2.221523, -1.0211878]];
    check("models/resnet20-cifar10.onnx", expected, 1e-3, 154);
    check("models/resnet20-cifar10-bn.onnx", expected, 1e-3, 154);
}

#[test]
fn resnet20_in_8_bits_equals_onnxruntime() {
    // Sums in another order turn a tie of rounding now and then, and with it a step of 0.18 of the last layer.
    let expected = [[-3.9736397, -1.4449599, -7.5860395, 14.810839], [3.4317796, 2.34806, -2.34806, -0.9030999]];
    check("models/resnet20-cifar10-int8-qdq-perchannel.onnx", expected, 0.4, 153);
}

#[test]
fn photographs_of_a_manifest_are_decoded() {
    let Some(manifest) = shared("data/imagenet-sample/manifest.csv") else { return };
    let images = Images::open(&manifest, &ImageOptions::default()).unwrap();
    assert_eq!((images.len(), images.label(0), images.label(1)), (200, Some(0), Some(5)));
    let image = images.get(1).unwrap();
    assert_eq!((image.channels, image.height.min(image.width)), (3, 256));
    let input = Preprocessing { crop_fraction: 0.875, ..Default::default() }.apply(&image, &[1, 128, 128, 3]).unwrap();
    assert_eq!(input.len(), 128 * 128 * 3);
    assert!(input.iter().all(|x| (0.0..=1.0).contains(x)));
}
