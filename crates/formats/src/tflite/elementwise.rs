//! Operators on pairs of elements, broadcast.

use network::{ActivationQuantization, Binary, IntegerFunction, IntegerOp, Op, ValueId};

use super::builder::Builder;
use super::operation::Operation;
use super::quantization::Multiplier;
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::shape::broadcast;

/// ADD, SUB, MUL, DIV.
pub(super) fn arithmetic(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let (values, shape) = operands(b, operation)?;
    let (x, y, output) = (operation.input(0)?, operation.input(1)?, operation.output()?);
    let fused = operation.fused(0)?;
    if b.is_real(x)? {
        let op = match operation.kind {
            "ADD" => Op::Binary(Binary::Add),
            "SUB" => Op::Binary(Binary::Sub),
            "MUL" => Op::Binary(Binary::Mul),
            _ => Op::Binary(Binary::Div),
        };
        return b.define_fused(operation, op, values, &shape, fused);
    }
    let inputs = [b.quantization(x)?, b.quantization(y)?];
    let output_q = fused.clamp(b.quantization(output)?)?;
    let function = match operation.kind {
        "ADD" | "SUB" => {
            check_add(&inputs, &output_q)?;
            if operation.kind == "SUB" { IntegerFunction::Sub } else { IntegerFunction::Add }
        }
        "MUL" => {
            Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / output_q.scale))?;
            IntegerFunction::Mul
        }
        _ => return Err(not_run!("on integers this operator is not handled")),
    };
    let op = IntegerOp::lite_rt(function, &inputs, output_q);
    b.define(operation, output, Op::Integer(op), values, &shape)
}

/// The multipliers of an addition must be below 1.
fn check_add(inputs: &[ActivationQuantization; 2], output: &ActivationQuantization) -> Result<(), Fault> {
    let twice = 2.0 * f64::from(inputs[0].scale.max(inputs[1].scale));
    let real = twice / (f64::from(1 << 20) * f64::from(output.scale));
    match real < 1.0 {
        true => Ok(()),
        false => Err(not_run!("the scales of its inputs are more than 2^19 times that of its output")),
    }
}

/// MAXIMUM and MINIMUM.
pub(super) fn extreme(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let (values, shape) = operands(b, operation)?;
    let (x, y, output) = (operation.input(0)?, operation.input(1)?, operation.output()?);
    if !b.is_real(x)? {
        b.same_quantization(x, output)?;
        b.same_quantization(y, output)?;
    }
    let op = if operation.kind == "MAXIMUM" { Op::Binary(Binary::Max) } else { Op::Binary(Binary::Min) };
    b.define(operation, output, op, values, &shape)
}

/// PRELU.
pub(super) fn prelu(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let (values, shape) = operands(b, operation)?;
    let (x, slope, output) = (operation.input(0)?, operation.input(1)?, operation.output()?);
    if shape != b.shape(x) {
        return Err(invalid!("a slope of shape {:?} for an input of {:?}", b.shape(slope), b.shape(x)));
    }
    if b.is_real(x)? {
        return b.define(operation, output, Op::Binary(Binary::PRelu), values, &shape);
    }
    let (inputs, q) = ([b.quantization_8(x)?, b.quantization_8(slope)?], b.quantization_8(output)?);
    Multiplier::new(f64::from(inputs[0].scale / q.scale))?;
    Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / q.scale))?;
    let op = IntegerOp::lite_rt(IntegerFunction::PRelu, &inputs, q);
    b.define(operation, output, Op::Integer(op), values, &shape)
}

/// Two inputs of one type, with as many axes as their common shape, and that shape in the order of the file.
fn operands(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(Vec<ValueId>, Vec<usize>), Fault> {
    operation.arity(2, 2)?;
    let (x, y) = (operation.input(0)?, operation.input(1)?);
    if b.data_type(x)? != b.data_type(y)? {
        return Err(invalid!("inputs of types {} and {}", b.data_type(x)?.name(), b.data_type(y)?.name()));
    }
    let shape = broadcast(b.shape(x), b.shape(y))?;
    Ok((vec![b.operand(x, shape.len())?, b.operand(y, shape.len())?], shape))
}
