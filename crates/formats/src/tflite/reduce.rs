//! MEAN, SUM and other reductions over axes.

use network::{IntegerFunction, IntegerOp, Op, Reduction, fixed_point_multiplier};

use super::builder::Builder;
use super::layout;
use super::operation::Operation;
use crate::reading::fault::{Fault, invalid, not_run};

/// MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD.
pub(super) fn reduce(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 2)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let shape = b.shape(x).to_vec();
    let rank = shape.len();
    let mut axes = Vec::new();
    for axis in b.known_ints(operation.input(1)?, 64)? {
        let resolved = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        let inside = usize::try_from(resolved).ok().filter(|&axis| axis < rank);
        axes.push(inside.ok_or_else(|| invalid!("axis {axis} of {shape:?}"))?);
    }
    axes.sort_unstable();
    axes.dedup();
    let keep = operation.options.flag(0)?;
    let kept: Vec<usize> = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] }).collect();
    let target: Vec<usize> = match keep {
        true => kept.clone(),
        false => (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect(),
    };
    let mut ours: Vec<usize> = axes.iter().map(|&axis| layout::axis(rank, axis)).collect();
    ours.sort_unstable();
    let value = b.value(x)?;
    // Where channels stay and nothing else does, or rank 4 is not met, the order is the same without the reduced axes.
    let direct = keep || rank != 4 && target.len() != 4 || axes == [1, 2];
    let op = kind(b, operation, [x, output], ours, keep || !direct)?;
    if direct {
        return b.define(operation, output, op, vec![value], &target);
    }
    let data_type = b.data_type(output)?;
    let form = (data_type, layout::ours(&kept));
    let reduced = b.emit(&format!("{}/reduced", operation.name), operation.kind, op, vec![value], form);
    let flat = match layout::same_order(&kept) {
        true => reduced,
        false => b.channels_last(&operation.name, reduced, &kept, data_type),
    };
    let value = b.reshaped(&operation.name, flat, &target, data_type);
    b.assign(output, value, &target)
}

fn kind(
    b: &Builder<'_>,
    operation: &Operation<'_>,
    [x, output]: [usize; 2],
    axes: Vec<usize>,
    keep_dims: bool,
) -> Result<Op, Fault> {
    let real = b.is_real(x)?;
    Ok(match operation.kind {
        "MEAN" if !real => {
            let (input, q) = (b.quantization(x)?, b.quantization(output)?);
            let ratio = f64::from(input.scale) / f64::from(q.scale);
            if fixed_point_multiplier(ratio).is_none() {
                return Err(not_run!("the ratio of its scales is {ratio:e}"));
            }
            // Where there is no axis to reduce, all stay.
            let keep_dims = keep_dims || axes.is_empty();
            Op::Integer(IntegerOp::lite_rt(IntegerFunction::Mean { axes, keep_dims }, &[input], q))
        }
        "MEAN" => Op::Reduce { reduction: Reduction::Mean, axes, keep_dims },
        "SUM" | "REDUCE_PROD" if !real => return Err(not_run!("on integers this operator is not handled")),
        "SUM" => Op::Reduce { reduction: Reduction::Sum, axes, keep_dims },
        "REDUCE_PROD" => Op::Reduce { reduction: Reduction::Product, axes, keep_dims },
        other => {
            if !real {
                b.same_quantization(x, output)?;
            }
            match other {
                "REDUCE_MAX" => Op::Reduce { reduction: Reduction::Max, axes, keep_dims },
                _ => Op::Reduce { reduction: Reduction::Min, axes, keep_dims },
            }
        }
    })
}
