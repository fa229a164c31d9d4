//! Functions of one element or two of ATen in operators of ONNX.

use network::DataType;

use super::Translation;
use super::call::Call;
use super::nodes::{computed, operand, output, plain, unknown};
use crate::onnx::write::attributes::{float, int, text};
use crate::reading::fault::Fault;

/// Functions of one element or two; none for another operator.
pub(super) fn functions(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    if let Some(op_type) = unary(family) {
        return Some(computed(t, call, op_type, &["self"], vec![]));
    }
    Some(match family {
        "add" => binary(t, call, "Add"),
        "sub" => binary(t, call, "Sub"),
        "mul" => binary(t, call, "Mul"),
        "div" => binary(t, call, "Div"),
        "rsqrt" => reciprocal_root(t, call),
        "pow" => computed(t, call, "Pow", &["self", "exponent"], vec![]),
        "gt" => compare(t, call, "Greater"),
        "ge" => compare(t, call, "GreaterOrEqual"),
        "lt" => compare(t, call, "Less"),
        "le" => compare(t, call, "LessOrEqual"),
        "eq" => compare(t, call, "Equal"),
        "where" => choose(t, call),
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

fn binary(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    let data_type = t.data_type(output(call)?).filter(|&data_type| data_type != DataType::Bool);
    let (Some(data_type), false) = (data_type, call.has("rounding_mode")) else { return unknown(t, call) };
    let (left, mut right) = (operand(t, call, "self", data_type)?, operand(t, call, "other", data_type)?);
    if call.float("alpha", 1.0)? != 1.0 {
        let (factor, scaled) = (operand(t, call, "alpha", data_type)?, format!("{}.scaled", output(call)?));
        t.add(call, "Mul", vec![right, factor], &scaled, vec![]);
        right = scaled;
    }
    t.add(call, op_type, vec![left, right], output(call)?, vec![]);
    Ok(())
}

/// `1 / √x`.
fn reciprocal_root(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let made = output(call)?;
    let Some(data_type) = t.data_type(made) else { return unknown(t, call) };
    let (input, root) = (operand(t, call, "self", data_type)?, format!("{made}.root"));
    t.add(call, "Sqrt", vec![input], &root, vec![]);
    t.add(call, "Reciprocal", vec![root], made, vec![]);
    Ok(())
}

/// Operands of one type are compared in it, integers with a fraction as real numbers.
fn compare(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    let Some(own) = t.data_type(call.tensor("self")?) else { return unknown(t, call) };
    let common = match call.number("other") {
        Some(number) if number.fract() != 0.0 && !own.is_real() => DataType::F32,
        Some(_) => own,
        None if t.data_type(call.tensor("other")?) == Some(own) => own,
        None => return unknown(t, call),
    };
    let inputs = vec![operand(t, call, "self", common)?, operand(t, call, "other", common)?];
    t.add(call, op_type, inputs, output(call)?, vec![]);
    Ok(())
}

fn choose(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (condition, made) = (call.tensor("condition")?, output(call)?);
    let (Some(DataType::Bool), Some(to)) = (t.data_type(condition), t.data_type(made)) else {
        return unknown(t, call);
    };
    let inputs = vec![condition.to_string(), operand(t, call, "self", to)?, operand(t, call, "other", to)?];
    t.add(call, "Where", inputs, made, vec![]);
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
    let Some(data_type) = t.data_type(output(call)?) else { return unknown(t, call) };
    let mut inputs = vec![operand(t, call, "self", data_type)?];
    for (bound, what) in [(min, "min"), (max, "max")] {
        inputs.push(match bound {
            Some(bound) => t.number_of(data_type, bound, call, what)?,
            None => String::new(),
        });
    }
    t.add(call, "Clip", inputs, output(call)?, vec![]);
    Ok(())
}

fn leaky_relu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let slope = float("alpha", call.float("negative_slope", 0.01)? as f32);
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
    plain(t, call, "Elu", &["self"], vec![float("alpha", call.float("alpha", 1.0)? as f32)])
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
    let spread = t.integers(&spread, call, "shape")?;
    t.add(call, "Reshape", vec![slope.to_string(), spread], &by_channel, vec![]);
    t.add(call, "PRelu", vec![input.to_string(), by_channel], output(call)?, vec![]);
    Ok(())
}

fn gelu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let form = call.text("approximate").unwrap_or("none").to_string();
    plain(t, call, "Gelu", &["self"], vec![text("approximate", &form)])
}

fn softmax(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    call.ignore(&["dtype", "half_to_float"]);
    computed(t, call, op_type, &["self"], vec![int("axis", call.int("dim", -1)?)])
}

/// The type is that of what is made, whatever the call takes it from.
fn cast(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["dtype", "other"]);
    computed(t, call, "Identity", &["self"], vec![])
}
