//! Operators of QONNX that others make up: those with channels on the last axis, and rounding to few floating-point
//! numbers.

use super::proto::NodeProto;
use super::qonnx::DOMAINS;
use super::steps::Steps;
use super::write::attributes::counts;
use crate::reading::fault::{Fault, clean, invalid};

/// The domain of operators whose activations, and weights of a Conv, have their channels on the last axis.
const CHANNELS_LAST: &str = "qonnx.custom_op.channels_last";

/// The smallest normal 32-bit float, which keeps the logarithm of 0 finite.
const TINY: f32 = f32::MIN_POSITIVE;

/// The nodes that stand for an operator of QONNX; `None` of others, and of kinds that are not handled.
pub(super) fn parts(node: &NodeProto, opset: i64) -> Result<Option<Vec<NodeProto>>, Fault> {
    let steps = Steps::new(node, opset);
    Ok(match (node.domain.as_str(), node.op_type.as_str()) {
        (CHANNELS_LAST, "Conv" | "MaxPool") => windows(steps, node),
        (CHANNELS_LAST, "BatchNormalization") => batch_normalization(steps, node)?,
        (domain, "MaxPoolNHWC") if DOMAINS.contains(&domain) => windows(steps, node),
        (domain, "FloatQuant") if DOMAINS.contains(&domain) => float_quant(steps, node)?,
        _ => None,
    })
}

/// Conv and MaxPool, between two Transposes. Without `kernel_shape` the number of axes is not known.
fn windows(mut steps: Steps<'_>, node: &NodeProto) -> Option<Vec<NodeProto>> {
    let kernel = node.attribute.iter().find(|attribute| attribute.name == "kernel_shape")?;
    let axes = kernel.ints.len();
    let (x, rest) = node.input.split_first()?;
    let first: Vec<usize> = [0, axes + 1].into_iter().chain(1..=axes).collect();
    let last: Vec<usize> = std::iter::once(0).chain(2..axes + 2).chain([1]).collect();
    let mut inputs = vec![steps.op("Transpose", &[x], vec![counts("perm", &first)])];
    let op_type = if node.op_type == "Conv" { "Conv" } else { "MaxPool" };
    for (i, input) in rest.iter().enumerate() {
        inputs.push(match op_type == "Conv" && i == 0 {
            true => steps.op("Transpose", &[input], vec![counts("perm", &first)]),
            false => input.clone(),
        });
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let result = steps.layer(op_type, &inputs, node.attribute.clone());
    Some(steps.end("Transpose", &[&result], vec![counts("perm", &last)]))
}

/// BatchNormalization over the last axis, on which parameters of one axis lie by themselves.
fn batch_normalization(mut steps: Steps<'_>, node: &NodeProto) -> Result<Option<Vec<NodeProto>>, Fault> {
    let [x, scale, bias, mean, variance] = node.input.as_slice() else {
        return Err(invalid!("node {:?} has {} inputs; expected 5", clean(&node.name), node.input.len()));
    };
    let of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    if of("training_mode").is_some_and(|attribute| attribute.i != 0) {
        return Ok(None);
    }
    let epsilon = steps.float_like(of("epsilon").map_or(1e-5, |attribute| attribute.f), variance);
    let above = steps.pair("Add", variance, &epsilon);
    let root = steps.op("Sqrt", &[&above], vec![]);
    let factor = steps.pair("Div", scale, &root);
    let moved = steps.pair("Mul", mean, &factor);
    let offset = steps.pair("Sub", bias, &moved);
    let scaled = steps.pair("Mul", x, &factor);
    let attributes = steps.broadcasting();
    Ok(Some(steps.end("Add", &[&scaled, &offset], attributes)))
}

/// FloatQuant: x, scale, bits of the exponent, bits of the mantissa, bias of the exponent, largest value. One that does not
/// saturate makes infinities or NaN, and is not handled.
///
/// ```text
/// step = 2^max(⌊log₂|x / scale|⌋ − mantissa, 1 − bias − mantissa)
/// y = clamp(round(x / scale / step) · step, ±max) · scale
/// max = min(largest value, (2 − 2^−mantissa) · 2^(2^exponent − 1 − bias))
/// ```
fn float_quant(mut steps: Steps<'_>, node: &NodeProto) -> Result<Option<Vec<NodeProto>>, Fault> {
    let [x, scale, exponent, mantissa, bias, largest] = node.input.as_slice() else {
        return Err(invalid!("node {:?} has {} inputs; expected 6", clean(&node.name), node.input.len()));
    };
    let of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let saturates = of("saturation").is_none_or(|attribute| attribute.i == 1);
    let rounding = of("rounding_mode").map_or(&b"ROUND"[..], |attribute| &attribute.s);
    let round = match rounding.to_ascii_uppercase().as_slice() {
        b"ROUND" | b"HALF_EVEN" => "Round",
        b"CEIL" => "Ceil",
        b"FLOOR" => "Floor",
        _ => return Ok(None),
    };
    if !saturates {
        return Ok(None);
    }
    let own = steps.pair("Div", x, scale);
    let step = float_step(&mut steps, &own, mantissa, bias);
    let quotient = steps.pair("Div", &own, &step);
    let count = steps.op(round, &[&quotient], vec![]);
    let rounded = steps.pair("Mul", &count, &step);
    let largest = largest_float(&mut steps, [exponent, mantissa, bias, largest]);
    let smallest = steps.op("Neg", &[&largest], vec![]);
    let below = steps.op("Min", &[&rounded, &largest], vec![]);
    let inside = steps.op("Max", &[&below, &smallest], vec![]);
    let attributes = steps.broadcasting();
    Ok(Some(steps.end("Mul", &[&inside, scale], attributes)))
}

/// The distance of floating-point numbers around each element.
fn float_step(steps: &mut Steps<'_>, x: &str, mantissa: &str, bias: &str) -> String {
    let [tiny, per_octave, one, two] =
        [TINY, std::f32::consts::LOG2_E, 1.0, 2.0].map(|value| steps.float_like(value, x));
    let size = steps.op("Abs", &[x], vec![]);
    let size = steps.pair("Add", &size, &tiny);
    let logarithm = steps.op("Log", &[&size], vec![]);
    let octaves = steps.pair("Mul", &logarithm, &per_octave);
    let octave = steps.op("Floor", &[&octaves], vec![]);
    let exponent = steps.pair("Sub", &octave, mantissa);
    let lowest = steps.pair("Sub", &one, bias);
    let lowest = steps.pair("Sub", &lowest, mantissa);
    let exponent = steps.op("Max", &[&exponent, &lowest], vec![]);
    steps.pair("Pow", &two, &exponent)
}

fn largest_float(steps: &mut Steps<'_>, [exponent, mantissa, bias, largest]: [&String; 4]) -> String {
    let [one, two] = [1.0, 2.0].map(|value| steps.float_like(value, largest));
    let patterns = steps.pair("Pow", &two, exponent);
    let highest = steps.pair("Sub", &patterns, &one);
    let highest = steps.pair("Sub", &highest, bias);
    let last_bit = steps.op("Neg", &[mantissa], vec![]);
    let last_bit = steps.pair("Pow", &two, &last_bit);
    let significand = steps.pair("Sub", &two, &last_bit);
    let octave = steps.pair("Pow", &two, &highest);
    let all = steps.pair("Mul", &significand, &octave);
    steps.op("Min", &[&all, largest], vec![])
}
