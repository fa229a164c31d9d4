//! Functions of one element or two of ATen in operators of ONNX.

use super::call::Call;
use super::nodes::{output, plain, unknown};
use super::{Translation, float, int, string};
use crate::reading::fault::Fault;

/// Functions of one element or two; none for another operator.
pub(super) fn functions(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    if let Some(op_type) = unary(family) {
        return Some(plain(t, call, op_type, &["self"], vec![]));
    }
    Some(match family {
        "add" | "sub" | "mul" | "div" | "pow" => binary(t, call, family),
        "gt" | "ge" | "lt" | "le" | "eq" => compare(t, call, family),
        "where" => plain(t, call, "Where", &["condition", "self", "other"], vec![]),
        "relu6" => clip(t, call, Some(0.0), Some(6.0)),
        "hardtanh" => hardtanh(t, call),
        "clamp" | "clip" => clip(t, call, call.number("min"), call.number("max")),
        "clamp_min" => clip(t, call, call.number("min"), None),
        "silu" => times_own(t, call, "Sigmoid"),
        "hardsigmoid" => plain(t, call, "HardSigmoid", &["self"], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]),
        "leaky_relu" => leaky_relu(t, call),
        "elu" => elu(t, call),
        "prelu" | "_prelu_kernel" => prelu(t, call),
        "gelu" => gelu(t, call),
        "softmax" | "_softmax" => softmax(t, call, "Softmax"),
        "log_softmax" | "_log_softmax" => softmax(t, call, "LogSoftmax"),
        "to" | "_to_copy" => cast(t, call),
        _ => return None,
    })
}

/// The operator of ONNX that computes the same of each element.
fn unary(family: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 16] = [
        ("mish", "Mish"),
        ("hardswish", "HardSwish"),
        ("relu", "Relu"),
        ("sigmoid", "Sigmoid"),
        ("tanh", "Tanh"),
        ("exp", "Exp"),
        ("neg", "Neg"),
        ("abs", "Abs"),
        ("sqrt", "Sqrt"),
        ("log", "Log"),
        ("erf", "Erf"),
        ("floor", "Floor"),
        ("ceil", "Ceil"),
        ("round", "Round"),
        ("sign", "Sign"),
        ("reciprocal", "Reciprocal"),
    ];
    NAMES.iter().find(|(aten, _)| *aten == family).map(|(_, op_type)| *op_type)
}

fn binary(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Result<(), Fault> {
    if call.has("rounding_mode") {
        return unknown(t, call);
    }
    let op_type = match family {
        "add" => "Add",
        "sub" => "Sub",
        "mul" => "Mul",
        "div" => "Div",
        _ => "Pow",
    };
    let second = if family == "pow" { "exponent" } else { "other" };
    // A number takes the type of what is computed.
    let data_type = t.element_type(output(call)?);
    let operand = |name: &str, t: &mut Translation<'_>| match call.number(name) {
        Some(number) => t.number_of(data_type, number, call, name),
        None => Ok(call.tensor(name)?.to_string()),
    };
    let (left, mut right) = (operand("self", t)?, operand(second, t)?);
    let alpha = call.float("alpha", 1.0)?;
    if alpha != 1.0 {
        let (factor, scaled) = (t.number_of(data_type, alpha, call, "alpha")?, format!("{}.scaled", output(call)?));
        t.add(call, "Mul", vec![right, factor], &scaled, vec![]);
        right = scaled;
    }
    t.add(call, op_type, vec![left, right], output(call)?, vec![]);
    Ok(())
}

fn compare(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Result<(), Fault> {
    let op_type = match family {
        "gt" => "Greater",
        "ge" => "GreaterOrEqual",
        "lt" => "Less",
        "le" => "LessOrEqual",
        _ => "Equal",
    };
    let left = call.tensor("self")?;
    let right = match call.number("other") {
        Some(number) => t.number_of(t.element_type(left), number, call, "other")?,
        None => call.tensor("other")?.to_string(),
    };
    t.add(call, op_type, vec![left.to_string(), right], output(call)?, vec![]);
    Ok(())
}

fn hardtanh(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (min, max) = (call.float("min_val", -1.0)?, call.float("max_val", 1.0)?);
    clip(t, call, Some(min), Some(max))
}

fn clip(t: &mut Translation<'_>, call: &Call<'_>, min: Option<f64>, max: Option<f64>) -> Result<(), Fault> {
    if (call.has("min") && min.is_none()) || (call.has("max") && max.is_none()) {
        return unknown(t, call);
    }
    let data_type = t.element_type(output(call)?);
    let mut bound = |bound: Option<f64>, what| match bound {
        Some(bound) => t.number_of(data_type, bound, call, what),
        None => Ok(String::new()),
    };
    let inputs = vec![call.tensor("self")?.to_string(), bound(min, "min")?, bound(max, "max")?];
    t.add(call, "Clip", inputs, output(call)?, vec![]);
    Ok(())
}

fn leaky_relu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let slope = float("alpha", call.float("negative_slope", 0.01)?);
    plain(t, call, "LeakyRelu", &["self"], vec![slope])
}

/// `x · f(x)`.
fn times_own(t: &mut Translation<'_>, call: &Call<'_>, function: &str) -> Result<(), Fault> {
    let (input, made) = (call.tensor("self")?.to_string(), output(call)?);
    let gate = format!("{made}.gate");
    t.add(call, function, vec![input.clone()], &gate, vec![]);
    t.add(call, "Mul", vec![input, gate], made, vec![]);
    Ok(())
}

fn elu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    if call.float("scale", 1.0)? != 1.0 || call.float("input_scale", 1.0)? != 1.0 {
        return unknown(t, call);
    }
    plain(t, call, "Elu", &["self"], vec![float("alpha", call.float("alpha", 1.0)?)])
}

/// One slope for all channels, or one for each of them: `[C]` beside `[N, C, …]`.
fn prelu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (input, slope) = (call.tensor("self")?, call.tensor("weight")?);
    let (rank, shape) = (call.rank(input)?, call.shape(slope)?);
    if shape.len() != 1 || rank < 2 {
        return plain(t, call, "PRelu", &["self", "weight"], vec![]);
    }
    let spread: Vec<i64> = std::iter::once(-1).chain(std::iter::repeat_n(1, rank - 2)).collect();
    let by_channel = format!("{}.slope", output(call)?);
    let spread = t.integers(&spread, call, "shape");
    t.add(call, "Reshape", vec![slope.to_string(), spread], &by_channel, vec![]);
    t.add(call, "PRelu", vec![input.to_string(), by_channel], output(call)?, vec![]);
    Ok(())
}

fn gelu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let form = call.text("approximate").unwrap_or("none").to_string();
    plain(t, call, "Gelu", &["self"], vec![string("approximate", &form)])
}

fn softmax(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    plain(t, call, op_type, &["self"], vec![int("axis", call.int("dim", -1)?)])
}

fn cast(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let program = call.program;
    let of =
        |name: &str| program.graph().tensor_values.get(name).and_then(|meta| super::weights::element_type(meta.dtype));
    match (of(input), of(output(call)?)) {
        (Some(from), Some(to)) if from == to => plain(t, call, "Identity", &["self"], vec![]),
        (_, Some(to)) => plain(t, call, "Cast", &["self"], vec![int("to", i64::from(to))]),
        (_, None) => unknown(t, call),
    }
}
