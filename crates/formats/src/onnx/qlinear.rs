//! Operators of onnxruntime on quantized activations that are no MAC layers, and DynamicQuantizeLinear.

use network::{ActivationQuantization, DataType, IntegerArithmetic, IntegerFunction, IntegerOp, Op};

use super::form::{Form, axis};
use super::integer_mac::Parameters;
use super::plan::{Action, Kept, Plan};
use super::view::View;
use super::{layout, quantize, windows};
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::shape::broadcast;

/// Understands the operators of onnxruntime's own domain; `None` for any other name.
pub(super) fn operator(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    Some(match view.op_type {
        "QLinearAdd" => binary(view, IntegerFunction::Add),
        "QLinearMul" => binary(view, IntegerFunction::Mul),
        "QLinearAveragePool" | "QLinearGlobalAveragePool" => pool(view),
        "QLinearConcat" => concat(view),
        "QLinearLeakyRelu" | "QLinearSigmoid" => unary(view),
        "QLinearSoftmax" => softmax(view),
        _ => return None,
    })
}

/// QLinearAdd and QLinearMul: a, its scale and zero point, b, its, the output's.
fn binary(view: &View<'_>, function: IntegerFunction) -> Result<Plan, Fault> {
    view.arity(7, 8)?;
    let form = Form::new(integer_type(view, 0)?, broadcast(view.shape(0)?, view.shape(3)?)?);
    plan(view, function, &[0, 3], [6, 7], form)
}

/// QLinearLeakyRelu and QLinearSigmoid: x, its scale and zero point, the output's.
fn unary(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(4, 5)?;
    let function = match view.op_type {
        "QLinearLeakyRelu" => IntegerFunction::LeakyRelu { alpha: view.attributes.float("alpha", 0.01)? },
        _ => IntegerFunction::Sigmoid,
    };
    let form = Form::new(integer_type(view, 0)?, view.shape(0)?.to_vec());
    plan(view, function, &[0], [3, 4], form)
}

/// QLinearSoftmax.
fn softmax(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(4, 5)?;
    let x = view.shape(0)?;
    let axis = axis(view.attributes.int("axis")?.unwrap_or(-1), x.len())?;
    let opset = view.attributes.int("opset")?.ok_or_else(|| invalid!("attribute \"opset\" is missing"))?;
    let form = Form::new(integer_type(view, 0)?, x.to_vec());
    // Before opset 13 all axes from this one on are one.
    if opset < 13 && x[axis + 1..].iter().any(|&n| n != 1) {
        return Ok(Plan::not_run("a softmax over several axes", form));
    }
    plan(view, IntegerFunction::Softmax { axis, beta: 1.0 }, &[0], [3, 4], form)
}

/// QLinearAveragePool and QLinearGlobalAveragePool.
fn pool(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(4, 5)?;
    if view.attributes.flag("channels_last", false)? {
        return Err(not_run!("its channels are on the last axis"));
    }
    let real = view.with_inputs(vec![view.optional(0)]);
    let understood = match view.op_type {
        "QLinearGlobalAveragePool" => windows::global_pool(&real)?,
        _ => windows::pool(&real)?,
    };
    let form = Form { data_type: integer_type(view, 0)?, ..understood.outputs[0].clone() };
    let function = match understood.action {
        Action::Run(Op::AveragePool(pool)) if pool.depth.is_some() => {
            return Err(not_run!("it pools integers along more than two axes"));
        }
        Action::Run(Op::AveragePool(pool)) => IntegerFunction::AveragePool(pool),
        Action::Run(_) => IntegerFunction::GlobalAveragePool,
        action @ (Action::Compute(_)
        | Action::Known(_)
        | Action::Mac(_)
        | Action::Sum(..)
        | Action::Integer(_)
        | Action::Recurrent(_)
        | Action::Sequence(_)
        | Action::Unreadable(_)
        | Action::NotRun(_)) => {
            return Ok(Plan { action, outputs: vec![form], kept: Kept::All, not_costed: None });
        }
    };
    plan(view, function, &[0], [3, 4], form)
}

/// QLinearConcat: the output's scale and zero point, then each input and its.
fn concat(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(5, usize::MAX)?;
    if view.inputs.len() % 3 != 2 {
        return Err(invalid!("{} inputs; expected 2 and 3 for each part", view.inputs.len()));
    }
    let parts: Vec<usize> = (2..view.inputs.len()).step_by(3).collect();
    let real = view.with_inputs(parts.iter().map(|&i| view.optional(i)).collect());
    let understood = layout::concat(&real)?;
    let form = understood.outputs[0].clone();
    let Action::Run(Op::Concat { axis }) = understood.action else {
        return Ok(Plan { kept: Kept::All, ..understood });
    };
    plan(view, IntegerFunction::Concat { axis }, &parts, [0, 1], form)
}

/// DynamicQuantizeLinear.
pub(super) fn dynamic(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    if let Some(found) = view.data_type(0).filter(|t| !t.is_real()) {
        return Err(invalid!("it quantizes {}", found.name()));
    }
    let integers = Form::new(Some(DataType::U8), view.shape(0)?.to_vec());
    let plan = Plan::run(Op::DynamicQuantizeLinear, integers);
    let (scale, zero_point) = (Form::new(Some(DataType::F32), vec![]), Form::new(Some(DataType::U8), vec![]));
    Ok(Plan { outputs: [plan.outputs, vec![scale, zero_point]].concat(), ..plan })
}

/// Runs a function whose operands, each followed by its scale and zero point, are at `parts`.
fn plan(
    view: &View<'_>,
    function: IntegerFunction,
    parts: &[usize],
    output: [usize; 2],
    form: Form,
) -> Result<Plan, Fault> {
    let linears = || -> Result<IntegerOp, Fault> {
        let inputs = parts.iter().map(|&i| linear(view, i, [i + 1, i + 2])).collect::<Result<_, _>>()?;
        let (arithmetic, output) = (IntegerArithmetic::OnnxRuntime, linear(view, parts[0], output)?);
        Ok(IntegerOp { function, arithmetic, inputs, output })
    };
    match linears() {
        Ok(op) => Ok(Plan { kept: Kept::Listed(parts.to_vec()), ..Plan::run(Op::Integer(op), form) }),
        Err(Fault::NotRun(reason)) => Ok(Plan::not_run(reason, form)),
        Err(fault) => Err(fault),
    }
}

/// The quantization of an activation, whose integers have the type of those at `codes`.
fn linear(view: &View<'_>, codes: usize, [scale, zero_point]: [usize; 2]) -> Result<ActivationQuantization, Fault> {
    let data_type = integer_type(view, codes)?.or(view.data_type(zero_point)).unwrap_or(DataType::U8);
    if let Some(found) = view.data_type(zero_point).filter(|&t| t != data_type) {
        return Err(invalid!("a zero point of type {}; expected {}", found.name(), data_type.name()));
    }
    view.input(scale)?;
    let by = Parameters { scale: Some(scale), zero_point };
    let found = quantize::activation_at(view, by, data_type)?;
    found.ok_or_else(|| not_run!("an activation does not have one constant scale and zero point"))
}

fn integer_type(view: &View<'_>, index: usize) -> Result<Option<DataType>, Fault> {
    match view.input(index)?.form.data_type {
        None => Ok(None),
        Some(small @ (DataType::U8 | DataType::I8)) => Ok(Some(small)),
        Some(other) => Err(invalid!("an operand of type {}; expected uint8 or int8", other.name())),
    }
}
