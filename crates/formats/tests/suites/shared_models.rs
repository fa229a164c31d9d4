//! Are real network files read as they should be?

use formats::ReadOptions;
use network::{Bias, LayerId, LayerWeights, MacOp, Network, NetworkError, WeightValues};
use testkit::{shared, texts};

fn read(name: &str) -> Option<Result<Network, NetworkError>> {
    Some(formats::read(&shared(&format!("models/{name}"))?, &ReadOptions::default()))
}

/// Weights and MACs over all layers.
fn totals(network: &Network) -> (usize, u128) {
    let weights = |g: &network::Geometry| g.spec().filters * g.rows();
    let layers = network.layers();
    (layers.iter().map(|l| weights(&l.geometry)).sum(), layers.iter().map(|l| l.geometry.macs()).sum())
}

fn check_resnet20(network: &Network) {
    assert_eq!(network.batch(), 1);
    assert_eq!(texts(network.notes()), [] as [&str; 0]);
    assert_eq!(network.layers().len(), 20);
    assert_eq!(totals(network), (268_336, 40_551_040));
    assert_eq!(network.layers()[19].op, MacOp::Gemm);
    let output = network.graph().value(network.graph().outputs()[0]);
    assert_eq!(output.shape.as_deref(), Some(&[1, 10][..]));
}

#[test]
fn resnet20_with_batch_norm() {
    let Some(network) = read("resnet20-cifar10-bn.onnx") else { return };
    let network = network.expect("the file is valid");
    check_resnet20(&network);
    for (i, layer) in network.layers().iter().enumerate() {
        let LayerWeights::Float(WeightValues::F32(values)) = network.weights(LayerId(i)).expect("finite") else {
            panic!("layer {} is float", layer.name);
        };
        assert_eq!(Some(values.len()), layer.geometry.weight_shape().len());
    }
}

#[test]
fn resnet20_with_folded_batch_norm() {
    let Some(network) = read("resnet20-cifar10.onnx") else { return };
    let network = network.expect("the file is valid");
    check_resnet20(&network);
    assert!(network.layers().iter().all(|l| matches!(l.bias, Some(Bias::Float(_)))));
}

#[test]
fn resnet20_quantized_per_channel() {
    let Some(network) = read("resnet20-cifar10-int8-qdq-perchannel.onnx") else { return };
    let network = network.expect("the file is valid");
    check_resnet20(&network);
    let mut nonzero = 0;
    for (i, layer) in network.layers().iter().enumerate() {
        let LayerWeights::Quantized { codes, scales } = network.weights(LayerId(i)).expect("valid codes") else {
            panic!("layer {} is quantized", layer.name);
        };
        nonzero += codes.codes().iter().filter(|&&code| code != 0).count();
        assert!(scales.len() == 1 || scales.len() == layer.geometry.spec().filters);
        assert!(matches!(layer.bias, Some(Bias::Integer { .. })), "bias of {}", layer.name);
        let input = layer.input_quantization.expect("every layer reads a quantized activation");
        assert_eq!((input.min, input.max), (0, 255));
    }
    assert_eq!(nonzero, 260_820);
}

#[test]
fn resnet20_with_operators_on_integers() {
    let Some(network) = read("resnet20-cifar10-int8-qoperator.onnx") else { return };
    let network = network.expect("the file is valid");
    check_resnet20(&network);
    for layer in network.layers() {
        assert!(layer.requantization.is_some() && layer.input_quantization.is_some(), "{}", layer.name);
        assert!(matches!(layer.bias, Some(Bias::Integer { .. })), "bias of {}", layer.name);
    }
}

#[test]
fn a_network_of_two_bits_in_qonnx() {
    let Some(network) = read("tfc-mnist-2w2a-qonnx.onnx") else { return };
    let network = network.expect("the file is valid");
    assert_eq!(texts(network.notes()), [] as [&str; 0]);
    assert_eq!(totals(&network), (59_008, 59_008));
    for (i, layer) in network.layers().iter().enumerate() {
        let LayerWeights::Quantized { codes, scales } = network.weights(LayerId(i)).expect("valid codes") else {
            panic!("layer {} is quantized", layer.name);
        };
        assert!(codes.codes().iter().all(|code| [-2, 0, 2].contains(code)) && scales == [1.0]);
        let input = layer.input_quantization.expect("every layer reads a quantized activation");
        assert_eq!((input.scale, input.zero_point, input.min, input.max), (1.0, 0, -1, 1));
    }
}
