//! Computes operators on constants. Exporters write the computation of shapes as such operators.

use network::rearrange::{for_each_offset, strides, transpose};
use network::{DataType, Op};

use super::array::{Array, Data, settle};
use super::fold_elementwise as elementwise;
use super::form::{Form, MAX_FOLDED, MAX_FOLDED_WEIGHTS, axis};
use super::plan::{Action, FoldOp};
use crate::reading::fault::{Fault, invalid};

/// Whether outputs of these sizes are computed here. A small file must not make large constants of little.
pub(super) fn is_small(inputs: &[usize], outputs: &[Form]) -> bool {
    let largest = inputs.iter().copied().max().unwrap_or(0);
    let count = |form: &Form| form.shape.as_ref().map(|shape| shape.iter().product::<usize>());
    let limit = largest.clamp(MAX_FOLDED, MAX_FOLDED_WEIGHTS);
    largest <= limit && outputs.iter().all(|form| count(form).is_some_and(|count| count <= limit))
}

/// How many elements are touched.
pub(super) fn work(action: &Action, inputs: &[usize], outputs: &[Form]) -> usize {
    let out = outputs.iter().filter_map(|form| form.shape.as_ref()).map(|s| s.iter().product::<usize>());
    let sizes = inputs.iter().copied().chain(out);
    if let Action::Compute(FoldOp::MatMul) = action {
        // rows · depth, depth · columns and rows · columns together are the square of the work.
        let square = sizes.fold(1u128, |product, count| product.saturating_mul(count as u128));
        return usize::try_from(square.isqrt()).unwrap_or(usize::MAX);
    }
    sizes.fold(0, usize::saturating_add)
}

/// Whether `action` is computed here.
pub(super) fn can_fold(action: &Action) -> bool {
    match action {
        Action::Compute(_) => true,
        Action::Run(op) => {
            elementwise::is_folded(op)
                || matches!(
                    op,
                    Op::Identity
                        | Op::Reshape
                        | Op::Transpose { .. }
                        | Op::Cast
                        | Op::Gather { .. }
                        | Op::GatherElements { .. }
                        | Op::Concat { .. }
                        | Op::Slice { .. }
                        | Op::Split { .. }
                        | Op::Expand
                        | Op::Tile
                )
        }
        Action::Known(_) | Action::Mac(_) | Action::Sum(..) => false,
        Action::Integer(_) | Action::Recurrent(_) => false,
        Action::Sequence(_) | Action::Unreadable(_) | Action::NotRun(_) => false,
    }
}

/// Computes `action`; `None` where the values cannot be held (an integer overflows, a type is not handled).
pub(super) fn fold(action: &Action, inputs: &[Array], outputs: &[Form]) -> Result<Option<Vec<Array>>, Fault> {
    if let Action::Run(Op::Split { axis }) = action {
        return Ok(split(&inputs[0], *axis, outputs));
    }
    let (Some(shape), Some(data_type)) = (&outputs[0].shape, outputs[0].data_type) else { return Ok(None) };
    let data = match action {
        Action::Run(op) => run(op, inputs, shape, data_type)?,
        Action::Compute(op) => compute(op, inputs, shape)?,
        Action::Known(_) | Action::Mac(_) | Action::Sum(..) => None,
        Action::Integer(_) | Action::Recurrent(_) => None,
        Action::Sequence(_) | Action::Unreadable(_) | Action::NotRun(_) => None,
    };
    let data = data.and_then(|data| settle(data, data_type)).filter(|d| d.len() == shape.iter().product::<usize>());
    Ok(data.map(|data| vec![Array { data_type, shape: shape.clone(), data }]))
}

fn run(op: &Op, inputs: &[Array], shape: &[usize], data_type: DataType) -> Result<Option<Data>, Fault> {
    let x = &inputs[0];
    Ok(match op {
        Op::Identity | Op::Reshape => Some(x.data.clone()),
        Op::Transpose { perm } => Some(match &x.data {
            Data::Int(values) => Data::Int(transpose(values, &x.shape, perm)),
            Data::Real(values) => Data::Real(transpose(values, &x.shape, perm)),
        }),
        Op::Cast => cast(&x.data, data_type),
        Op::Gather { axis } => Some(gather(x, &inputs[1], *axis)?),
        Op::GatherElements { axis } => Some(gather_elements(x, &inputs[1], *axis)?),
        Op::Concat { axis } => Some(concat(inputs, *axis)),
        Op::Slice { starts, axes, steps, .. } => Some(slice(x, starts, axes, steps, shape)),
        Op::Expand => Some(x.data.pick(&elementwise::broadcast_offsets(&x.shape, shape))),
        Op::Tile => Some(tile(x, shape)),
        Op::Unary(function) => elementwise::one(*function, &inputs[0]),
        Op::Binary(function) => elementwise::pairs(*function, inputs, shape)?,
        Op::Reduce { reduction, axes, .. } => elementwise::reduce(x, axes, *reduction),
        Op::Where => elementwise::choose(inputs, shape),
        // `fold` computes a Split, which has several outputs.
        Op::Split { .. } => None,
        // Nothing that exporters write to compute shapes.
        Op::Mac(_) | Op::MatMul | Op::Softmax { .. } | Op::LogSoftmax { .. } | Op::SoftmaxFrom { .. } => None,
        Op::BatchNormalization { .. } | Op::LayerNormalization { .. } | Op::InstanceNormalization { .. } => None,
        Op::Lrn { .. } | Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::GlobalMaxPool => None,
        Op::Pad { .. } | Op::Resize { .. } | Op::DepthToSpace { .. } | Op::SpaceToDepth { .. } => None,
        Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. } | Op::DynamicQuantizeLinear => None,
        Op::Integer(_) | Op::Quant(_) | Op::MultiThreshold { .. } | Op::Recurrent(_) | Op::Unsupported => None,
    })
}

fn compute(op: &FoldOp, inputs: &[Array], shape: &[usize]) -> Result<Option<Data>, Fault> {
    Ok(match op {
        FoldOp::Range => range(inputs, shape[0]),
        FoldOp::Fill { value } => {
            let count: usize = shape.iter().product();
            match value.data_type.is_real() {
                true => value.to_f64().ok().map(|v| Data::Real(vec![v[0]; count])),
                false => value.to_i64().ok().map(|v| Data::Int(vec![v[0]; count])),
            }
        }
        FoldOp::Mod { float } => elementwise::modulo(&inputs[0], &inputs[1], *float, shape),
        FoldOp::MatMul => product(&inputs[0], &inputs[1]),
    })
}

fn cast(data: &Data, to: DataType) -> Option<Data> {
    Some(match data {
        Data::Int(values) if to == DataType::Bool => Data::Int(values.iter().map(|&v| i64::from(v != 0)).collect()),
        Data::Real(values) if to == DataType::Bool => Data::Int(values.iter().map(|&v| i64::from(v != 0.0)).collect()),
        Data::Int(values) if to.is_real() => Data::Real(values.iter().map(|&v| v as f64).collect()),
        Data::Real(values) if !to.is_real() => {
            let inside = values.iter().all(|v| v.is_finite() && v.abs() < 9e15);
            inside.then(|| Data::Int(values.iter().map(|v| v.trunc() as i64).collect()))?
        }
        Data::Int(_) | Data::Real(_) => data.clone(),
    })
}

fn gather(x: &Array, indices: &Array, axis: usize) -> Result<Data, Fault> {
    let extent = x.shape[axis];
    let inner: usize = x.shape[axis + 1..].iter().product();
    let outer: usize = x.shape[..axis].iter().product();
    let Data::Int(indices) = &indices.data else { return Err(invalid!("indices that are real numbers")) };
    let resolve = |&i: &i64| self::axis(i, extent).map_err(|_| invalid!("index {i} of an axis of {extent}"));
    let indices = indices.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    let mut offsets = Vec::new();
    for o in 0..outer {
        for &i in &indices {
            let start = (o * extent + i) * inner;
            offsets.extend(start..start + inner);
        }
    }
    Ok(x.data.pick(&offsets))
}

fn gather_elements(x: &Array, indices: &Array, axis: usize) -> Result<Data, Fault> {
    let extent = x.shape[axis];
    let Data::Int(entries) = &indices.data else { return Err(invalid!("indices that are real numbers")) };
    let (own, from) = (strides(&indices.shape), strides(&x.shape));
    let offset = |(i, &entry): (usize, &i64)| {
        let index = self::axis(entry, extent).map_err(|_| invalid!("index {entry} of an axis of {extent}"))?;
        let place = |a: usize| if a == axis { index } else { i / own[a] % indices.shape[a] };
        Ok((0..x.shape.len()).map(|a| place(a) * from[a]).sum())
    };
    let offsets = entries.iter().enumerate().map(offset).collect::<Result<Vec<usize>, Fault>>()?;
    Ok(x.data.pick(&offsets))
}

fn concat(inputs: &[Array], axis: usize) -> Data {
    let mut result = match &inputs[0].data {
        Data::Int(_) => Data::Int(Vec::new()),
        Data::Real(_) => Data::Real(Vec::new()),
    };
    let outer: usize = inputs[0].shape[..axis].iter().product();
    for o in 0..outer {
        for input in inputs {
            let block: usize = input.shape[axis..].iter().product();
            result.append(&input.data, o * block..(o + 1) * block);
        }
    }
    result
}

fn slice(x: &Array, starts: &[i64], axes: &[usize], steps: &[i64], shape: &[usize]) -> Data {
    // Steps are multiplied modulo 2^64: an axis of one element may have any step, and never takes it.
    let mut own = strides(&x.shape);
    let mut first = 0usize;
    for ((&start, &axis), &step) in starts.iter().zip(axes).zip(steps) {
        first = first.wrapping_add((start as usize).wrapping_mul(own[axis]));
        own[axis] = own[axis].wrapping_mul(step as usize);
    }
    let mut indices = Vec::new();
    walk(shape, &own, |offset| indices.push(first.wrapping_add(offset)));
    x.data.pick(&indices)
}

/// A row-major walk with steps that may be negative, modulo 2^64.
fn walk(extents: &[usize], steps: &[usize], mut visit: impl FnMut(usize)) {
    let own = strides(extents);
    let count: usize = extents.iter().product();
    for i in 0..count {
        let axis_offset = |axis: usize| (i / own[axis] % extents[axis]).wrapping_mul(steps[axis]);
        visit((0..extents.len()).map(axis_offset).fold(0, usize::wrapping_add));
    }
}

fn split(x: &Array, axis: usize, outputs: &[Form]) -> Option<Vec<Array>> {
    let mut start = 0;
    let mut parts = Vec::new();
    for form in outputs {
        let shape = form.shape.clone()?;
        let data = slice(x, &[start], &[axis], &[1], &shape);
        start += shape[axis] as i64;
        parts.push(Array { data_type: x.data_type, shape, data });
    }
    Some(parts)
}

fn tile(x: &Array, shape: &[usize]) -> Data {
    let (own, target) = (strides(&x.shape), strides(shape));
    let mut indices = Vec::new();
    for_each_offset(shape, &target, |offset| {
        let axis_offset = |axis: usize| offset / target[axis] % shape[axis] % x.shape[axis] * own[axis];
        indices.push((0..shape.len()).map(axis_offset).sum());
    });
    x.data.pick(&indices)
}

fn range(inputs: &[Array], count: usize) -> Option<Data> {
    match (&inputs[0].data, &inputs[2].data) {
        (Data::Int(start), Data::Int(step)) => {
            let value = |i: usize| i64::try_from(i).ok()?.checked_mul(step[0])?.checked_add(start[0]);
            (0..count).map(value).collect::<Option<_>>().map(Data::Int)
        }
        (Data::Real(start), Data::Real(step)) => {
            Some(Data::Real((0..count).map(|i| start[0] + i as f64 * step[0]).collect()))
        }
        _ => None,
    }
}

/// The product of two matrices, or of a matrix and a vector. Sums are formed in 64 bits. `None` of stacks of matrices.
fn product(a: &Array, b: &Array) -> Option<Data> {
    let (Data::Real(x), Data::Real(y)) = (&a.data, &b.data) else { return None };
    let (rows, depth) = match *a.shape {
        [depth] => (1, depth),
        [rows, depth] => (rows, depth),
        _ => return None,
    };
    let columns = match *b.shape {
        [_] => 1,
        [_, columns] => columns,
        _ => return None,
    };
    let sum = |i: usize| {
        let (row, column) = (i / columns, i % columns);
        (0..depth).map(|k| x[row * depth + k] * y[k * columns + column]).sum()
    };
    Some(Data::Real((0..rows * columns).map(sum).collect()))
}
