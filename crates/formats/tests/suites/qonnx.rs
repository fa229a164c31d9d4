//! Are the operators of QONNX read as the integers that they make?

use esn::Grid;
use network::{Bias, LayerId, LayerWeights, Network, Op, Quant};

use testkit::*;

use crate::questions::*;

/// Integers by name.
type Attributes<'a> = &'a [(&'a str, i64)];

const VALUES: [f32; 6] = [0.24, 0.75, -0.26, 100.0, -100.0, 1.25];

/// `x` by weights `[6, 1, 1, 1]` that `op` rounds, their parameters at `s`, `z`, `n`.
fn weights(domain: &str, op: &str, inputs: &[&str], bits: f32, attributes: Attributes<'_>) -> Model {
    let attributes = attributes.iter().map(|(name, value)| int(name, *value)).collect();
    model()
        .input("x", &[0, 1, 1, 1])
        .tensor(floats("r", &[6, 1, 1, 1], &VALUES))
        .tensor(floats("s", &[], &[0.5]))
        .tensor(floats("many", &[6, 1, 1, 1], &[0.5, 0.25, 0.5, 1.0, 1.0, 2.0]))
        .tensor(floats("z", &[], &[0.0]))
        .tensor(floats("half", &[], &[0.5]))
        .tensor(floats("minus", &[], &[-1.0]))
        .tensor(floats("two", &[2], &[1.0, 1.0]))
        .tensor(floats("n", &[1], &[bits]))
        .node_with(&format!("{domain}:{op}"), inputs, &["w"], attributes)
        .node("Conv", &["x", "w"], &["y"])
}

fn quantized(network: &Network) -> (Vec<i32>, Vec<f32>, Grid) {
    let LayerWeights::Quantized { codes, scales } = network.weights(LayerId(0)).expect("valid") else {
        panic!("the weights are integers")
    };
    (codes.codes().to_vec(), scales, codes.grid())
}

#[test]
fn weights_become_the_integers_that_they_are_rounded_to() {
    let usual = ["r", "s", "z", "n"];
    let (signed, unsigned, narrow) = ([("narrow", 0)], [("signed", 0), ("narrow", 0)], [("narrow", 1)]);
    let cases: [(f32, Attributes<'_>, [i32; 6]); 5] = [
        (4.0, &signed, [0, 2, -1, 7, -8, 2]),
        (4.0, &narrow, [0, 2, -1, 7, -7, 2]),
        (4.0, &unsigned, [0, 2, 0, 15, 0, 2]),
        (2.0, &narrow, [0, 1, -1, 1, -1, 1]),
        (16.0, &signed, [0, 2, -1, 200, -200, 2]),
    ];
    let names = ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"]
        .into_iter()
        .flat_map(|domain| [(domain, "Quant"), (domain, "IntQuant")]);
    let cases = names.flat_map(|(domain, op)| cases.map(|case| (domain, op, case)));
    check_all(cases, |&(domain, op, (bits, attributes, expected))| {
        let network = weights(domain, op, &usual, bits, attributes).read();
        let codes = expected.iter().map(|q| 2 * q).collect();
        assert_eq!(quantized(&network), (codes, vec![0.5], Grid::MidTread), "{bits} bits");
    });
    let network = weights("onnx.brevitas", "Quant", &["r", "many", "z", "n"], 8.0, &signed).read();
    let expected = vec![0, 6, -2, 200, -200, 2];
    assert_eq!(quantized(&network), (expected, vec![0.5, 0.25, 0.5, 1.0, 1.0, 2.0], Grid::MidTread));
}

#[test]
fn signs_lie_on_the_mid_rise_grid() {
    let network = weights("onnx.brevitas", "BipolarQuant", &["r", "s"], 1.0, &[]).read();
    let expected = (vec![1, 1, -1, 1, -1, 1], vec![1.0], Grid::MidRise);
    assert_eq!(quantized(&network), expected);
    let network = weights("onnx.brevitas", "Quant", &["r", "s", "z", "n"], 1.0, &[("narrow", 0)]).read();
    assert_eq!(quantized(&network), expected);
}

#[test]
fn biases_and_activations_are_integers_too() {
    let domain = "qonnx.custom_op.general:Quant";
    let network = model()
        .input("x", &[0, 3])
        .tensor(floats("r", &[2, 3], &[0.3, -0.3, 1.0, 0.0, 2.0, 7.0]))
        .tensor(floats("b", &[2], &[0.3, -3.0]))
        .tensor(floats("s", &[], &[0.5]))
        .tensor(floats("z", &[], &[0.0]))
        .tensor(floats("n", &[], &[3.0]))
        .node_with(domain, &["x", "s", "z", "n"], &["a"], vec![int("narrow", 1)])
        .node(domain, &["r", "s", "z", "n"], &["v"])
        .node_with("Transpose", &["v"], &["t"], vec![int_list("perm", &[1, 0])])
        .node(domain, &["b", "s", "z", "n"], &["c"])
        .node("Gemm", &["a", "t", "c"], &["y"])
        .read();
    assert_eq!(codes(&network, 0), (vec![2, -2, 4, 0, 6, 6], vec![0.5]));
    let Some(Bias::Integer { values, scales }) = &layer(&network).bias else { panic!("the bias is integers") };
    assert_eq!((values.as_slice(), scales.as_slice()), (&[1, -3][..], &[0.5][..]));
    let input = layer(&network).input_quantization.expect("it is rounded");
    assert_eq!((input.scale, input.zero_point, input.min, input.max), (0.5, 0, -3, 3));
    assert!(network.graph().nodes().iter().any(|node| matches!(node.op, Op::Quant(Quant::Integer { .. }))));
}

#[test]
fn what_is_not_handled_says_so() {
    let usual = ["r", "s", "z", "n"];
    let quant =
        |inputs: &[&str], bits, attributes: &[(&str, i64)]| weights("onnx.brevitas", "Quant", inputs, bits, attributes);
    let cases = [
        (quant(&usual, 0.0, &[]), "a bit width of 0"),
        (quant(&usual, 2.5, &[]), "a bit width of 2.5"),
        (quant(&usual, 1e30, &[]), "a bit width of 1"),
        (quant(&usual, f32::NAN, &[]), "not one constant number"),
        (quant(&["r", "s", "z", "two"], 2.0, &[]), "not one constant number"),
        (quant(&["r", "s", "z", "x"], 2.0, &[]), "not constant"),
        (quant(&["r", "minus", "z", "n"], 2.0, &[]), "its scales hold -1"),
        (quant(&["r", "s", "half", "n"], 2.0, &[]), "a zero point of 0.5"),
        (quant(&usual[..3], 2.0, &[]), "3 inputs; expected 4"),
        (quant(&["x", "s", "z", "n"], 4.0, &[("signed", 2)]), "expected 0 or 1"),
        (quant(&usual, 4.0, &[("unheard", 1)]), "unexpected attribute"),
    ];
    check_all(cases, |(model, expected)| {
        let message = model.error();
        assert!(message.contains(expected), "{message} lacks {expected}");
    });
}
