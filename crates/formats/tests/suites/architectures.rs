//! Are the networks that are made those of the literature?

use bytes::Bytes;
use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, to_bytes};
use network::architectures::{Architecture, ArchitectureError, Family, Fan, Shortcut, build};
use network::{Bias, LayerId, LayerWeights, MacOp, Network, Op, WeightValues};
use testkit::check_all;

/// Parameters: weights, biases, and scale and shift of every BatchNorm.
fn parameters(network: &Network) -> usize {
    let weights = network.layers().iter().map(|layer| layer.geometry.spec().filters * layer.geometry.rows());
    let biases = network.layers().iter().map(|layer| match &layer.bias {
        Some(Bias::Float(values)) => values.len(),
        _ => 0,
    });
    let is_norm = |op: &Op| matches!(op, Op::BatchNormalization { .. });
    let norms = network.graph().nodes().iter().filter(|node| is_norm(&node.op)).map(|node| {
        let shape = network.graph().value(node.outputs[0]).shape.as_ref().expect("known");
        2 * shape[1]
    });
    weights.sum::<usize>() + biases.sum::<usize>() + norms.sum::<usize>()
}

fn macs(network: &Network) -> u128 {
    network.layers().iter().map(|layer| layer.geometry.macs()).sum()
}

fn made(family: Family) -> Network {
    build(&Architecture::new(family)).expect("a network of the literature")
}

fn cifar(depth: usize, shortcut: Shortcut) -> Network {
    made(Family::CifarResNet { depth, shortcut })
}

/// Rounds to so many digits behind the point, in millions.
fn millions(count: usize, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (count as f64 / 1e6 * unit).round() / unit
}

#[test]
fn resnets_for_cifar() {
    // He et al. 2016, table 6: 0.27, 0.46, 0.66 and 0.85 M parameters for 20, 32, 44 and 56 layers.
    check_all([(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)], |&(depth, expected)| {
        assert_eq!(millions(parameters(&cifar(depth, Shortcut::A)), 2), expected, "ResNet-{depth}");
    });
    // Their rule, section 4.2: a layer of 3×3 more for every two, so that each further block in all three stages adds
    // 2·9·(16² + 32² + 64²) weights and 4·(16 + 32 + 64) of BatchNorm.
    check_all([8, 14, 20], |&depth| {
        let blocks = depth / 6;
        let expected = 75_290 + (blocks - 1) * (96_768 + 448);
        assert_eq!(parameters(&cifar(depth, Shortcut::A)), expected, "ResNet-{depth}");
    });
    // Li et al. 2017, "Pruning filters for efficient ConvNets", table 1: 1.25e8 and 8.5e5 for ResNet-56.
    let deep = cifar(56, Shortcut::A);
    assert_eq!((macs(&deep) as f64 / 1e6).trunc(), 125.0);
    assert_eq!(millions(parameters(&deep), 2), 0.85);
}

/// "Prune or quantize?": 41 M MACs, and 800 filters with its shortcuts (Figure 6).
#[test]
fn resnet20_of_the_paper() {
    // The widely used PyTorch implementation of He et al.'s network, as it was trained for the checkpoints that go round:
    // 269,722 parameters, of them 268,336 weights of MAC layers.
    let network = cifar(20, Shortcut::A);
    assert_eq!((parameters(&network), macs(&network)), (269_722, 40_551_040));
    let filters = |network: &Network| -> usize {
        let convs = network.layers().iter().filter(|layer| layer.op == MacOp::Conv);
        convs.map(|layer| layer.geometry.spec().filters).sum()
    };
    let counts = [Shortcut::A, Shortcut::Projection, Shortcut::Paper].map(|shortcut| filters(&cifar(20, shortcut)));
    assert_eq!(counts, [688, 784, 800]);
    // Its shortcuts add 16·16·1024 + 16·32·256 + 32·64·64 MACs.
    assert_eq!(macs(&cifar(20, Shortcut::Paper)), 40_551_040 + 262_144 + 131_072 + 131_072);
}

#[test]
fn vgg7_adds_up() {
    // 3·128, 128·128, 128·256, 256·256, 256·512 and 512·512 times 9 taps; 512·4·4·10 + 10; 2·1792 of BatchNorm. MACs: two
    // layers each at 1024, 256 and 64 positions.
    let convs = [3_456, 147_456, 294_912, 589_824, 1_179_648, 2_359_296];
    let network = made(Family::Vgg7);
    assert_eq!(parameters(&network), convs.iter().sum::<usize>() + 81_930 + 3_584);
    let positions = [1024, 1024, 256, 256, 64, 64];
    let expected: u128 = convs.iter().zip(positions).map(|(n, p)| (n * p) as u128).sum::<u128>() + 81_920;
    assert_eq!(macs(&network), expected);
}

#[test]
fn densenet_bc() {
    // Huang et al. 2017, table 2: 0.8 M parameters for L = 100, k = 12 and 15.3 M for L = 250, k = 24; 769,162 is what
    // implementations of it report for ten classes.
    let network = made(Family::DenseNetBc { depth: 100, growth: 12 });
    assert_eq!(parameters(&network), 769_162);
    assert_eq!(network.layers().len(), 100, "L counts the layers with weights");
    let wide = Architecture { classes: 100, ..Architecture::new(Family::DenseNetBc { depth: 100, growth: 12 }) };
    assert_eq!(millions(parameters(&build(&wide).expect("valid")), 1), 0.8);
    assert_eq!(millions(parameters(&made(Family::DenseNetBc { depth: 250, growth: 24 })), 1), 15.3);
}

#[test]
fn resnets_for_imagenet() {
    // torchvision's metadata: 11,689,512 parameters and 1.814 GFLOPS, 25,557,032 and 4.089, one multiply-add being one.
    let cases = [(Family::ResNet18, 11_689_512, 1.814), (Family::ResNet50, 25_557_032, 4.089)];
    check_all(cases, |&(family, expected, giga)| {
        let network = made(family);
        assert_eq!(parameters(&network), expected, "{family:?}");
        assert_eq!((macs(&network) as f64 / 1e6).round() / 1e3, giga, "{family:?}");
    });
}

#[test]
fn width_scales_all_channels() {
    let family = Family::CifarResNet { depth: 20, shortcut: Shortcut::A };
    let half = build(&Architecture { width: 0.5, ..Architecture::new(family) }).expect("valid");
    let filters: Vec<usize> = half.layers().iter().map(|layer| layer.geometry.spec().filters).collect();
    assert_eq!((filters[0], filters[10], filters[18], filters[19]), (8, 16, 32, 10));
    let thin = build(&Architecture { width: 0.01, ..Architecture::new(Family::ResNet50) }).expect("valid");
    assert_eq!(thin.layers()[0].geometry.spec().filters, 1);
    let cases = [0.1, 0.3, 1.7]
        .into_iter()
        .flat_map(|width| Family::NAMES.iter().filter(|name| **name != "resnet50").map(move |name| (width, name)));
    check_all(cases, |&(width, name)| {
        let family = Family::named(name).expect("a name that is known");
        let small = Architecture { width: width / 2.0, input_size: 33, ..Architecture::new(family) };
        read_back(&build(&small).expect("valid"));
    });
}

/// The reader infers every shape anew: a graph that is wrong is refused.
fn read_back(network: &Network) {
    let bytes = to_bytes(network, &WriteOptions::default()).expect("it can be written");
    assert!(bytes.notes.is_empty());
    let back = formats::from_bytes("made.onnx", Bytes::from(bytes.bytes), &ReadOptions::default()).expect("valid");
    assert!(back.notes().is_empty() && back.has_open_batch());
    assert_eq!(back.layers().len(), network.layers().len());
    for (a, b) in network.layers().iter().zip(back.layers()) {
        assert_eq!((&a.name, a.op, a.operand, a.geometry), (&b.name, b.op, b.operand, b.geometry));
    }
    let shapes = |n: &Network| -> Vec<_> {
        let outputs = n.graph().nodes().iter().flat_map(|node| &node.outputs);
        outputs.map(|&id| (n.graph().value(id).name.clone(), n.graph().value(id).shape.clone())).collect()
    };
    assert_eq!(shapes(network), shapes(&back));
}

fn first_weights(network: &Network, layer: usize) -> Vec<f32> {
    match network.weights(LayerId(layer)).expect("valid") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected real weights, found {other:?}"),
    }
}

#[test]
fn weights_follow_from_the_seed() {
    let with = |seed, fan| {
        let family = Family::CifarResNet { depth: 20, shortcut: Shortcut::A };
        build(&Architecture { seed, fan, ..Architecture::new(family) }).expect("valid")
    };
    let one = first_weights(&with(1, Fan::In), 18);
    assert_eq!(one, first_weights(&with(1, Fan::In), 18));
    assert_ne!(one, first_weights(&with(2, Fan::In), 18));
    // Layer 7 has 16 channels and 32 filters of 3×3. Of 4,608 weights the variance is known to 2 %.
    check_all([(Fan::In, 16.0), (Fan::Out, 32.0)], |&(fan, units)| {
        let weights = first_weights(&with(1, fan), 7);
        let variance = weights.iter().map(|w| f64::from(w * w)).sum::<f64>() / weights.len() as f64;
        assert!((variance * units * 9.0 / 2.0 - 1.0).abs() < 0.08, "{fan:?}: {variance}");
    });
}

#[test]
fn numbers_out_of_range_are_named() {
    let base = Architecture::new(Family::Vgg7);
    let resnet = |depth| Architecture::new(Family::CifarResNet { depth, shortcut: Shortcut::A });
    let dense = |depth, growth| Architecture::new(Family::DenseNetBc { depth, growth });
    let cases = [
        (Architecture { width: f64::NAN, ..base }, "width: expected a factor above 0, at most 64, found NaN"),
        (Architecture { classes: 0, ..base }, "classes: expected 1 to 1000000, found 0"),
        (Architecture { input_size: 7, ..base }, "input size: expected 8 to 4096 pixels, found 7"),
        (resnet(18), "depth: expected 6n + 2 with n at least 1, at most 1202, found 18"),
        (resnet(2), "depth: expected 6n + 2 with n at least 1, at most 1202, found 2"),
        (dense(99, 12), "depth: expected 6n + 4 with n at least 1, at most 1000, found 99"),
        (dense(100, 0), "growth: expected 1 to 1024, found 0"),
    ];
    check_all(cases, |&(ref architecture, expected)| {
        assert_eq!(build(architecture).expect_err("out of range").to_string(), expected);
    });
    let large = Architecture { width: 64.0, ..base };
    assert!(matches!(build(&large), Err(ArchitectureError::TooLarge { .. })));
}
