//! Are operators on integers read as what they are: a layer between a DequantizeLinear and a QuantizeLinear?

use formats::onnx::proto::AttributeProto;
use network::{Bias, IntegerFunction, Op, RequantizationRule};

use testkit::*;

use crate::questions::*;

fn uint8s(name: &str, dims: &[i64], values: &[u8]) -> formats::onnx::proto::TensorProto {
    raw(name, 2, dims, values.to_vec())
}

/// `x` quantized to `q` by 1/8 and 7, and the parameters that the operators below take.
fn quantized(shape: &[i64]) -> Model {
    model()
        .input("x", shape)
        .tensor(floats("xs", &[], &[0.125]))
        .tensor(uint8s("xz", &[], &[7]))
        .tensor(floats("ws", &[2], &[0.5, 0.25]))
        .tensor(floats("one", &[], &[0.5]))
        .tensor(int8s("wz", &[2], &[0, 0]))
        .tensor(int8s("z", &[], &[3]))
        .tensor(floats("ys", &[], &[2.0]))
        .tensor(uint8s("yz", &[], &[128]))
        .tensor(int32s("b", &[2], &[100, -5]))
        .tensor(int8s("w", &[2, 1, 1, 1], &[1, -2]))
        .tensor(int8s("m", &[2, 3], &[1, 2, 3, -4, -5, -128]))
        .tensor(int8s("n", &[3, 2], &[1, -4, 2, -5, 3, -128]))
        .node("QuantizeLinear", &["x", "xs", "xz"], &["q"])
}

const CONV: [&str; 9] = ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"];
const GEMM: [&str; 9] = ["q", "xs", "xz", "m", "ws", "wz", "b", "ys", "yz"];
const MATMUL: [&str; 8] = ["q", "xs", "xz", "n", "ws", "wz", "ys", "yz"];

fn conv() -> Model {
    quantized(&[0, 1, 4, 4]).node("QLinearConv", &CONV, &["y"])
}

#[test]
fn a_convolution_becomes_three_nodes() {
    let network = conv().read();
    let ops: Vec<&str> = network.graph().nodes().iter().map(|node| node.op_type.as_str()).collect();
    assert_eq!(ops, ["QuantizeLinear", "DequantizeLinear", "QLinearConv", "QuantizeLinear"]);
    assert_eq!(codes(&network, 0), (vec![2, -4], vec![0.5, 0.25]));
    let layer = layer(&network);
    let input = layer.input_quantization.expect("the file quantizes it");
    assert_eq!((input.scale, input.zero_point, input.min, input.max), (0.125, 7, 0, 255));
    let requantization = layer.requantization.as_ref().expect("the file says how");
    let rule = RequantizationRule::Float { multipliers: vec![0.03125, 0.015625] };
    assert_eq!((&requantization.rule, requantization.output.zero_point), (&rule, 128));
    let Some(Bias::Integer { values, scales }) = &layer.bias else { panic!("the bias is integers") };
    assert_eq!((values.as_slice(), scales.as_slice()), (&[100, -5][..], &[0.0625, 0.03125][..]));
}

#[test]
fn products_know_their_filters() {
    let expected = (vec![2, 4, 6, -8, -10, -256], vec![0.5, 0.25]);
    let turned = vec![int("transB", 1), float("alpha", 0.5)];
    let gemm = quantized(&[0, 3]).node_with("com.microsoft:QGemm", &GEMM, &["y"], turned).read();
    assert_eq!(codes(&gemm, 0), expected);
    assert_eq!(layer(&gemm).alpha, 0.5);
    let rule = RequantizationRule::Float { multipliers: vec![0.015625, 0.0078125] };
    assert_eq!(layer(&gemm).requantization.as_ref().map(|r| &r.rule), Some(&rule));
    let real = quantized(&[0, 3]).node_with("com.microsoft:QGemm", &GEMM[..7], &["y"], vec![int("transB", 1)]).read();
    assert!(layer(&real).requantization.is_none() && layer(&real).bias.is_some());
    assert_eq!(codes(&quantized(&[0, 3]).node("QLinearMatMul", &MATMUL, &["y"]).read(), 0), expected);
    let zero_point = ["q", "xs", "xz", "n", "one", "z", "ys", "yz"];
    let moved = quantized(&[0, 3]).node("QLinearMatMul", &zero_point, &["y"]).read();
    assert_eq!(codes(&moved, 0), (vec![-4, -2, 0, -14, -16, -262], vec![0.5]));
}

#[test]
fn integer_products_of_dynamic_quantization_are_layers() {
    let network = model()
        .input("x", &[0, 3])
        .tensor(int8s("n", &[3, 2], &[1, -4, 2, -5, 3, -128]))
        .tensor(int8s("z", &[2], &[0, 1]))
        .node("DynamicQuantizeLinear", &["x"], &["q", "s", "zero"])
        .node("MatMulInteger", &["q", "n", "zero", "z"], &["i"])
        .node_with("Cast", &["i"], &["f"], vec![int("to", 1)])
        .node("Mul", &["f", "s"], &["y"])
        .read();
    assert_eq!(codes(&network, 0), (vec![2, 4, 6, -10, -12, -258], vec![1.0]));
    let input = layer(&network).input_quantization.expect("integers");
    assert_eq!((input.scale, input.zero_point, input.min, input.max), (1.0, 0, -255, 255));
    assert!(network.graph().nodes().iter().any(|node| node.op == Op::DynamicQuantizeLinear));
}

/// Operator, inputs, attributes, and the shape that comes out.
type Case<'a> = (&'static str, &'a [&'static str], Vec<AttributeProto>, [usize; 4]);

#[test]
fn elementwise_operators_keep_their_activations_alone() {
    let binary = ["q", "xs", "xz", "q", "xs", "xz", "ys", "yz"];
    let unary = ["q", "xs", "xz", "ys", "yz"];
    let concat = ["ys", "yz", "q", "xs", "xz", "q", "xs", "xz"];
    let pool = vec![int_list("kernel_shape", &[2, 2])];
    let cases: [Case; 7] = [
        ("QLinearAdd", &binary, vec![], [1, 1, 4, 4]),
        ("QLinearMul", &binary, vec![], [1, 1, 4, 4]),
        ("QLinearConcat", &concat, vec![int("axis", 1)], [1, 2, 4, 4]),
        ("QLinearAveragePool", &unary, pool, [1, 1, 3, 3]),
        ("QLinearGlobalAveragePool", &unary, vec![int("channels_last", 0)], [1, 1, 1, 1]),
        ("QLinearLeakyRelu", &unary, vec![float("alpha", 0.5)], [1, 1, 4, 4]),
        ("QLinearSoftmax", &unary, vec![int("axis", 1), int("opset", 13)], [1, 1, 4, 4]),
    ];
    check_all(cases, |&(op, inputs, ref attributes, ref shape)| {
        let network = quantized(&[0, 1, 4, 4])
            .node_with(&format!("com.microsoft:{op}"), inputs, &["a"], attributes.clone())
            .node("QLinearConv", &CONV, &["y"])
            .returning_all(&["y", "a"])
            .read();
        let node = network.graph().nodes().iter().find(|node| node.op_type.ends_with(op)).expect("it is in the graph");
        let Op::Integer(integer) = &node.op else { panic!("{op} runs") };
        assert_eq!((node.inputs.len(), integer.output.zero_point), (integer.inputs.len(), 128), "{op}");
        assert_eq!(integer.function == IntegerFunction::Add, op == "QLinearAdd");
        assert_eq!(network.graph().value(node.outputs[0]).shape.as_deref(), Some(&shape[..]), "{op}");
    });
}

/// A hostile or unusual file ends in one clear line, or is not run and says so; it never gives wrong numbers.
#[test]
fn what_contradicts_itself_is_refused() {
    let with = |index: usize, name: &'static str| {
        let mut inputs = CONV;
        inputs[index] = name;
        quantized(&[0, 1, 4, 4])
            .tensor(floats("three", &[3], &[0.5; 3]))
            .tensor(floats("minus", &[], &[-0.5]))
            .tensor(floats("nan", &[], &[f32::NAN]))
            .tensor(floats("tiny", &[], &[1e-45]))
            .tensor(floats("huge", &[], &[f32::MAX]))
            .node("QLinearConv", &inputs, &["y"])
    };
    let cases = [
        (with(1, "three"), "does not have one constant scale"),
        (with(1, "minus"), "scale 0 is -0.5"),
        (with(4, "three"), "3 scales for 2 filters"),
        (with(4, "nan"), "scale 0 is NaN"),
        (with(5, "xz"), "zero point of type uint8; expected int8"),
        (with(0, "x"), "an operand of type float32"),
        (with(7, "b"), "output zero point of type int32"),
        (with(8, "w"), "a bias of type int8"),
        (with(3, "q"), "zero point of type int8; expected uint8"),
        (both_sides(), "depend on the input"),
        (with(1, "xz"), "scales are uint8"),
        (quantized(&[0, 1, 4, 4]).node("QLinearConv", &CONV[..7], &["y"]), "7 inputs; expected 8 to 9"),
        (quantized(&[0, 2, 4, 4]).node("QLinearConv", &CONV, &["y"]), "weights of shape"),
        (conv_with(vec![int("channels_last", 1)]), "channels are on the last axis"),
        (conv_with(vec![int("group", 0)]), "group is 0"),
        (conv_with(vec![int("unheard", 1)]), "unexpected attribute"),
    ];
    check_all(cases, |(model, expected)| {
        let message = model.error();
        assert!(message.contains(expected), "{message} lacks {expected}");
    });
    let overflow = {
        let mut inputs = CONV;
        (inputs[1], inputs[6]) = ("huge", "tiny");
        quantized(&[0, 1, 4, 4])
            .tensor(floats("tiny", &[], &[1e-45]))
            .tensor(floats("huge", &[], &[f32::MAX]))
            .node("QLinearConv", &inputs, &["y"])
            .error()
    };
    assert!(overflow.contains("expected a finite number"), "{overflow}");
}

/// A product of two activations, which has no weights.
fn both_sides() -> Model {
    let inputs = ["q", "xs", "xz", "q", "xs", "xz", "ys", "yz"];
    quantized(&[3, 3]).node("QLinearMatMul", &inputs, &["y"])
}

fn conv_with(attributes: Vec<AttributeProto>) -> Model {
    quantized(&[0, 1, 4, 4]).node_with("QLinearConv", &CONV, &["y"], attributes)
}
