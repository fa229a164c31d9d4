//! Elementwise operators and softmax.

use network::{Binary, BinaryKind, DataType, Op, Unary};

use super::chain::Chain;
use super::form::{Form, axis, is_narrow};
use super::plan::{FoldOp, Kept, Plan};
use super::versions::BROADCASTS;
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::shape::broadcast;

/// Functions of one element, and an output of the same form.
pub(super) fn unary(view: &View<'_>, function: Unary) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    Ok(Plan::run(Op::Unary(function), view.like_first(view.shape(0)?.to_vec())))
}

/// Functions of pairs of elements, which broadcast.
pub(super) fn binary(view: &View<'_>, function: Binary) -> Result<Plan, Fault> {
    match (function, function.kind()) {
        (Binary::PRelu, _) => prelu(view),
        (Binary::Min | Binary::Max, _) => variadic(view, function),
        (_, BinaryKind::Arithmetic) => pairs(view, function),
        (_, BinaryKind::Comparison | BinaryKind::Logic) => predicate(view, function),
    }
}

/// Functions of two inputs.
fn pairs(view: &View<'_>, function: Binary) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    // The exponent of Pow may have another type than the base.
    if function != Binary::Pow {
        check_same_type(view, 0..2)?;
    }
    let (a, b) = (view.shape(0)?, view.shape(1)?);
    if view.opset < BROADCASTS && !view.attributes.flag("broadcast", false)? && a != b {
        return Err(invalid!("inputs of shapes {a:?} and {b:?}; expected equal ones, for its broadcast is 0"));
    }
    Ok(Plan::run(Op::Binary(function), view.like_first(broadcast(a, b)?)))
}

/// As [`pairs`], for comparisons and logic, which make bool.
fn predicate(view: &View<'_>, function: Binary) -> Result<Plan, Fault> {
    let logic = function.kind() == BinaryKind::Logic;
    if let Some(found) = view.data_type(0).filter(|&t| logic && t != DataType::Bool) {
        return Err(invalid!("inputs of type {}; expected bool", found.name()));
    }
    let mut plan = pairs(view, function)?;
    plan.outputs[0].data_type = Some(DataType::Bool);
    Ok(plan)
}

/// Functions of one or more inputs that broadcast.
pub(super) fn variadic(view: &View<'_>, function: Binary) -> Result<Plan, Fault> {
    view.arity(1, usize::MAX)?;
    check_same_type(view, 0..view.inputs.len())?;
    let mut shape = view.shape(0)?.to_vec();
    for i in 1..view.inputs.len() {
        shape = broadcast(&shape, view.shape(i)?)?;
    }
    let form = view.like_first(shape);
    Ok(Plan::run(if view.inputs.len() == 1 { Op::Identity } else { Op::Binary(function) }, form))
}

/// Where: picks between two inputs.
pub(super) fn select(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(3, 3)?;
    check_same_type(view, 1..3)?;
    if let Some(found) = view.data_type(0).filter(|&t| t != DataType::Bool) {
        return Err(invalid!("a condition of type {}; expected bool", found.name()));
    }
    let shape = broadcast(&broadcast(view.shape(0)?, view.shape(1)?)?, view.shape(2)?)?;
    Ok(Plan::run(Op::Where, Form::new(view.data_type(1), shape)))
}

/// Mod.
pub(super) fn modulo(view: &View<'_>) -> Result<Plan, Fault> {
    let float = view.attributes.flag("fmod", false)?;
    view.arity(2, 2)?;
    check_same_type(view, 0..2)?;
    let shape = broadcast(view.shape(0)?, view.shape(1)?)?;
    Ok(Plan::compute(FoldOp::Mod { float }, view.like_first(shape)))
}

/// Checks that inputs whose types are known have one type.
pub(super) fn check_same_type(view: &View<'_>, inputs: std::ops::Range<usize>) -> Result<(), Fault> {
    let mut types = inputs.filter_map(|i| view.data_type(i));
    let Some(first) = types.next() else { return Ok(()) };
    match types.find(|&other| other != first) {
        Some(other) => Err(invalid!("inputs of types {} and {}; expected one type", first.name(), other.name())),
        None => Ok(()),
    }
}

/// Clip: bounds are attributes before opset 11, inputs from then on.
pub(super) fn clip(view: &View<'_>) -> Result<Plan, Fault> {
    let form = view.like_first(view.shape(0)?.to_vec());
    let (min, max) = if view.opset < 11 {
        view.arity(1, 1)?;
        (view.attributes.optional_float("min")?, view.attributes.optional_float("max")?)
    } else {
        view.arity(1, 3)?;
        match (bound(view, 1, "lower bound"), bound(view, 2, "upper bound")) {
            (Ok(min), Ok(max)) => (min, max),
            (Err(Fault::NotRun(reason)), _) | (_, Err(Fault::NotRun(reason))) => {
                return Ok(Plan::not_run(reason, form));
            }
            (Err(fault), _) | (_, Err(fault)) => return Err(fault),
        }
    };
    let (min, max) = (min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY));
    if min.is_nan() || max.is_nan() {
        return Err(invalid!("bounds {min} and {max}"));
    }
    // A graph holds bounds as 32-bit float. On constants it is known whether that is exact.
    let is_exact = |chain: &Chain| chain.clone().clipped([min, max]).is_some();
    let is_wide = view.data_type(0).is_some_and(|t| !t.is_real() && !is_narrow(t));
    if is_wide && !view.input(0)?.known.as_ref().is_some_and(is_exact) {
        return Ok(Plan::not_run("it clips integers of more than 16 bits", form));
    }
    Ok(Plan::run_on_first(Op::Unary(Unary::Clip { min, max }), form))
}

fn bound(view: &View<'_>, index: usize, what: &str) -> Result<Option<f32>, Fault> {
    if view.data_type(0).is_some_and(|t| !t.is_real()) {
        return match view.ints(index, what)?.as_deref() {
            None => Ok(None),
            Some([value]) => Ok(Some(*value as f32)),
            Some(other) => Err(invalid!("its {what} has {} entries; expected one", other.len())),
        };
    }
    match view.floats(index, what)?.as_deref() {
        None => Ok(None),
        Some([value]) => Ok(Some(*value)),
        Some(other) => Err(invalid!("its {what} has {} entries; expected one", other.len())),
    }
}

/// PRelu: the slope broadcasts to the input.
fn prelu(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let (x, slope) = (view.shape(0)?, view.shape(1)?);
    // Files of older opsets have a slope of shape [C] for the second axis of x.
    let by_channel = slope.len() == 1 && x.get(1) == Some(&slope[0]);
    if !by_channel && broadcast(x, slope)? != x {
        return Err(invalid!("a slope of shape {slope:?} does not broadcast to {x:?}"));
    }
    Ok(Plan::run(Op::Binary(Binary::PRelu), view.like_first(x.to_vec())))
}

/// Dropout at inference, which passes its input on.
pub(super) fn dropout(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, if view.opset < 12 { 1 } else { 3 })?;
    view.attributes.ignore("ratio");
    view.attributes.ignore("seed");
    let form = view.like_first(view.shape(0)?.to_vec());
    if view.is_training()? {
        return Ok(Plan::not_run("it is in training mode, is_test 0", form));
    }
    match view.ints(2, "training mode") {
        Ok(None) => {}
        Ok(Some(training)) if training == [0] => {}
        _ => return Ok(Plan::not_run("it may be in training mode", form)),
    }
    Ok(Plan { kept: Kept::Only(0), ..Plan::run(Op::Identity, form) })
}

/// Softmax and LogSoftmax. Before opset 13 all axes from `axis` on are one.
pub(super) fn softmax(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let one_axis = view.opset >= 13;
    let found = view.attributes.int("axis")?.unwrap_or(if one_axis { -1 } else { 1 });
    let form = view.like_first(x.to_vec());
    let axis = axis(found, x.len())?;
    let logarithm = view.op_type == "LogSoftmax";
    let several = !one_axis && x[axis + 1..].iter().any(|&extent| extent != 1);
    let op = match (several, logarithm) {
        (true, logarithm) => Op::SoftmaxFrom { axis, logarithm },
        (false, false) => Op::Softmax { axis },
        (false, true) => Op::LogSoftmax { axis },
    };
    Ok(Plan::run(op, form))
}

/// CastLike: a cast to the type of its second input.
pub(super) fn cast_like(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    view.attributes.ignore("saturate");
    view.attributes.ignore("round_mode");
    let form = Form::new(view.data_type(1), view.shape(0)?.to_vec());
    match form.data_type {
        Some(_) => Ok(Plan::run_on_first(Op::Cast, form)),
        None => Ok(Plan::not_run("the type of its second input is not known", form)),
    }
}

/// Cast to another element type.
pub(super) fn cast(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let to = if view.opset < 6 { named_type(view)? } else { view.attributes.int("to")? };
    let to = to.ok_or_else(|| invalid!("attribute \"to\" is missing"))?;
    view.attributes.ignore("saturate");
    view.attributes.ignore("round_mode");
    let shape = view.shape(0)?.to_vec();
    let number = i32::try_from(to).map_err(|_| invalid!("element type {to} does not exist"))?;
    match super::tensors::data_type(number) {
        Ok(to) => Ok(Plan::run(Op::Cast, Form::new(Some(to), shape))),
        Err(Fault::Unsupported(what)) => Ok(Plan::not_run(format!("it casts to {what}"), Form::new(None, shape))),
        Err(fault) => Err(fault),
    }
}

/// The number of the element type that a cast names before opset 6.
fn named_type(view: &View<'_>) -> Result<Option<i64>, Fault> {
    let names = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
    ];
    let found = view.attributes.string("to", "")?;
    match names.iter().position(|name| name.eq_ignore_ascii_case(found)) {
        Some(number) => Ok(Some(number as i64)),
        None if found.is_empty() => Ok(None),
        None => Err(invalid!("attribute \"to\" is {found:?}; expected one of {names:?}")),
    }
}

/// Operators that are not run and whose attributes nobody reads, but whose output has the shape of the first input.
pub(super) fn same_shape(view: &View<'_>) -> Result<Plan, Fault> {
    match view.inputs.first().copied().flatten() {
        Some(slot) => Ok(Plan::not_run("", Form { data_type: slot.form.data_type, shape: slot.form.shape.clone() })),
        None => Err(not_run!("")),
    }
}
