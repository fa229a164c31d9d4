//! Does a network that is written and read again compute the same? Codes and geometry are compared in the crate of the
//! writer; here the logits are, bit for bit.

use bytes::Bytes;
use esn::{BitConvention, BitWidth, LayerEsn, quantize_max_abs};
use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, to_bytes};
use inference::{FloatExecutor, Session};
use network::architectures::{Architecture, Family, build};
use network::{LayerId, LayerWeights, Network, WeightSource, WeightValues};
use runner::{CostPlan, Quantization, cost, embedded_network};
use testkit::{check_all, shared};

/// Logits of one made-up image.
fn logits(network: &Network) -> Vec<f32> {
    let session = Session::new(network).expect("a network that runs");
    let count: usize = session.input_shape().iter().product();
    let pixel = |i: usize| ((i * 7919) % 251) as f32 / 125.0 - 1.0;
    let image: Vec<f32> = (0..count).map(pixel).collect();
    let executor = FloatExecutor::from_file(network).expect("weights that can be read");
    session.run(&image, &executor, None).expect("a run")
}

fn rewritten(network: &Network) -> Network {
    let written = to_bytes(network, &WriteOptions::default()).expect("a network that can be written");
    assert!(written.notes.is_empty(), "{:?}", written.notes);
    formats::from_bytes("written.onnx", Bytes::from(written.bytes), &ReadOptions::default()).expect("a valid file")
}

/// The network with weights on the mid-rise grid, `Δ = max|W| / 2^(bits − 1)` a layer.
fn quantized(network: &Network, bits: u32) -> Network {
    let bits = BitWidth::new(bits).expect("1 to 16");
    let mut rounded = network.edit();
    for (i, layer) in rounded.layers_mut().iter_mut().enumerate() {
        let values = match network.weights(LayerId(i)).expect("valid weights") {
            LayerWeights::Float(WeightValues::F32(values)) => values,
            other => panic!("expected real weights, found {other:?}"),
        };
        let found = quantize_max_abs(&values, layer.geometry.weight_shape(), bits).expect("finite weights");
        let spec = layer.geometry.spec();
        let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
        let source = WeightSource::from_codes(&layer.weights.name, shape, &found.codes, &[found.step as f32]);
        layer.weights = source.expect("16 bits hold codes of 15-bit weights");
    }
    rounded.finish().expect("a network that holds together").with_notes(Vec::new()).with_metadata(Vec::new())
}

fn costs(network: &Network) -> Vec<LayerEsn> {
    let quantization = Quantization::new(None);
    let plan = CostPlan { network, hardware: &[], quantization, convention: BitConvention::NonzeroAtLeastOne };
    cost(&plan).expect("costs").layers.into_iter().map(|layer| layer.esn).collect()
}

#[test]
fn logits_and_costs_survive() {
    let digits = embedded_network().expect("the embedded network");
    assert_eq!(logits(&digits), logits(&rewritten(&digits)));
    // Codes of 7 bits fit signed bytes, those of 8 do not.
    check_all([1, 2, 4, 7, 8, 12], |&bits| {
        let network = quantized(&digits, bits);
        let back = rewritten(&network);
        assert_eq!(logits(&network), logits(&back), "{bits} bits");
        assert_eq!(costs(&network), costs(&back), "{bits} bits");
    });
}

#[test]
fn real_networks_survive() {
    let cases = ["resnet20-cifar10-bn.onnx", "resnet20-cifar10.onnx", "resnet20-cifar10-int8-qdq-perchannel.onnx"];
    check_all(cases, |&name| {
        let Some(path) = shared(&format!("models/{name}")) else { return };
        let network = formats::read(&path, &ReadOptions::default()).expect("a valid file");
        let back = rewritten(&network);
        assert_eq!(logits(&network), logits(&back), "{name}");
        assert_eq!(costs(&network), costs(&back), "{name}");
    });
}

#[test]
fn made_networks_run_as_written() {
    check_all(["resnet8", "vgg7", "densenet-bc", "resnet18"], |&name| {
        let family = Family::named(name).expect("a name that is known");
        let small = Architecture { width: 0.125, input_size: 33, ..Architecture::new(family) };
        let network = build(&small).expect("a network");
        let out = logits(&network);
        assert!(out.iter().all(|x| x.is_finite()) && out.iter().any(|&x| x != out[0]), "{name}");
        assert_eq!(out, logits(&rewritten(&network)), "{name}");
    });
}
