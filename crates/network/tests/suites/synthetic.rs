//! Are weights that no file has drawn as it is said, and do they depend on nothing but seed, name and place?

use esn::Grid;
use network::{
    DataType, Geometry, GeometrySpec, LayerId, LayerWeights, MacLayer, MacOp, Network, NetworkBuilder, Operand,
    Synthetic, Tensor, Value, WeightQuantization, WeightSource, WeightTransform, WeightValues,
};
use testkit::check_all;

/// Layers of `filters` filters of two weights, by the names of their tensors.
fn network(layers: &[(&str, usize)]) -> Network {
    quantized(layers, None)
}

fn quantized(layers: &[(&str, usize)], quantization: Option<WeightQuantization>) -> Network {
    let mut network = NetworkBuilder::new("made");
    let mut outside = Vec::new();
    for &(name, filters) in layers {
        let data_type = quantization.as_ref().map_or(DataType::F32, |quantization| quantization.data_type);
        let mut value = |shape: Vec<usize>| network.add_value(Value::new(name, Some(DataType::F32), Some(shape)));
        let (input, output) = (value(vec![1, 2]), value(vec![1, filters]));
        let weights = WeightSource {
            name: name.to_string(),
            tensor: Tensor::absent(data_type, vec![filters, 2]),
            transforms: vec![WeightTransform::Reshape(vec![filters, 2, 1, 1])],
            quantization: quantization.clone(),
        };
        let layer = MacLayer {
            name: name.to_string(),
            op: MacOp::Gemm,
            geometry: Geometry::new(GeometrySpec::convolution(2, filters, [1; 2], [1; 2])).expect("valid"),
            operand: Operand::ChannelsLast,
            weights,
            bias: None,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input,
            output,
        };
        outside.push(input);
        network.add_mac("Gemm", layer);
    }
    network.set_outside(outside);
    network.finish().expect("a network")
}

fn drawn(network: &Network, seed: u64, sparsity: f64, layer: usize) -> Vec<f32> {
    let network = network.with_synthetic_weights(Synthetic::new(seed, sparsity).expect("a share"));
    match network.weights(LayerId(layer)).expect("they are drawn") {
        LayerWeights::Float(WeightValues::F32(weights)) => weights,
        other => panic!("{other:?}"),
    }
}

/// The same equations in Python, with its own logarithm and cosine.
#[test]
fn weights_are_those_of_the_equations() {
    let expected = [0.119_377_76, 0.577_750_8, -0.750_896_9, -0.658_499_96];
    let close = |found: &[f32], expected: &[f32]| {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    };
    let found = drawn(&network(&[("w", 2)]), 1, 0.0, 0);
    assert!(close(&found, &expected), "{found:?}");
    let found = drawn(&network(&[("w", 4)]), 1, 0.5, 0);
    let expected = [0.119_377_76, 0.0, -0.750_896_9, 0.0, -0.091_466_35, 0.0, 0.0, 0.0];
    assert!(close(&found, &expected), "{found:?}");
}

#[test]
fn a_weight_depends_on_seed_name_and_place_alone() {
    let [ab, ba] = [network(&[("a", 3), ("b", 3)]), network(&[("b", 3), ("a", 5)])];
    assert_eq!(drawn(&ab, 1, 0.0, 0), drawn(&ba, 1, 0.0, 1)[..6], "another order, another size");
    assert_ne!(drawn(&ab, 1, 0.0, 0), drawn(&ab, 1, 0.0, 1), "another name");
    assert_ne!(drawn(&ab, 1, 0.0, 0), drawn(&ab, 2, 0.0, 0), "another seed");
}

#[test]
fn integers_fill_the_levels_that_the_file_quantizes_to() {
    let with = |data_type, grid, clip| WeightQuantization {
        scales: vec![0.25],
        zero_points: vec![if data_type == DataType::U8 { 128 } else { 0 }],
        grid,
        data_type,
        clip,
    };
    let tread = Grid::MidTread;
    let cases: [(WeightQuantization, [i32; 4]); 4] = [
        // Twice the integers that Python draws.
        (with(DataType::I8, tread, None), [116, -32, -80, -38]),
        (with(DataType::U8, tread, None), [116, -32, -80, -38]),
        (with(DataType::I4, Grid::MidRise, None), [7, -1, -5, -3]),
        (with(DataType::I8, tread, Some([-1, 1])), [2, -2, -2, -2]),
    ];
    check_all(cases, |(quantization, expected)| {
        let network = quantized(&[("q", 2)], Some(quantization.clone()));
        let drawn = network.with_synthetic_weights(Synthetic::new(1, 0.0).expect("a share"));
        let Ok(LayerWeights::Quantized { codes, .. }) = drawn.weights(LayerId(0)) else { panic!("no codes") };
        assert_eq!(codes.codes(), expected);
    });
}

#[test]
fn no_small_file_fills_memory_with_drawn_weights() {
    let network = network(&[("w", 1 << 31)]).with_synthetic_weights(Synthetic::new(1, 0.0).expect("a share"));
    let refused = network.weights(LayerId(0)).expect_err("it is too large").to_string();
    assert!(refused.contains("4294967296 synthetic weights at once; 1073741824 of a layer at most"), "{refused}");
    let stream = network.weight_stream(LayerId(0)).expect("parts of it are small");
    assert_eq!(stream.read(4_294_967_290..4_294_967_296, &mut Vec::new()).len(), 6);
}

#[test]
fn a_stream_of_drawn_weights_is_the_whole_in_parts() {
    let network = network(&[("w", 501)]).with_synthetic_weights(Synthetic::new(3, 0.25).expect("a share"));
    let LayerWeights::Float(WeightValues::F32(whole)) = network.weights(LayerId(0)).expect("drawn") else {
        panic!("no real weights")
    };
    let stream = network.weight_stream(LayerId(0)).expect("it is in order");
    assert_eq!(stream.len(), 1002);
    let mut buffer = Vec::new();
    let parts = [0..333, 333..334, 334..1002];
    let mut read = |part| {
        let weights = stream.read(part, &mut buffer);
        (0..weights.len()).map(|index| weights.get(index)).collect::<Vec<_>>()
    };
    let parts: Vec<f32> = parts.into_iter().flat_map(&mut read).collect();
    assert_eq!(parts, whole);
}

#[test]
fn a_network_says_that_its_weights_are_synthetic_and_refuses_to_answer() {
    let network = network(&[("a", 3), ("b", 3)]);
    assert!(network.synthetic().is_none() && network.layers_without_weights().count() == 2);
    let synthetic = Synthetic::new(7, 0.5).expect("a share");
    let drawn = network.with_synthetic_weights(synthetic);
    assert_eq!(drawn.synthetic(), Some(synthetic));
    let note = drawn.notes()[0].to_string();
    assert!(note.contains("SYNTHETIC WEIGHTS: those of 2 of 2 layers") && note.contains("seed 7"), "{note}");
    let refused = drawn.check_complete().expect_err("it has no answers").to_string();
    assert!(refused.contains("they are synthetic (seed 7)"), "{refused}");
    assert!([-0.1, 1.0, f64::NAN].iter().all(|&share| Synthetic::new(1, share).is_none()));
}
