//! Operators that move elements: transpose, pad, concatenate, cut.

use network::{DataType, Op, PadMode, ValueId};

use super::builder::Builder;
use super::fused::Fused;
use super::operation::Operation;
use super::{layout, tables};
use crate::reading::fault::{Fault, invalid, not_run};

/// TRANSPOSE.
pub(super) fn transpose(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 2)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let from = b.shape(x).to_vec();
    let given = b.known_ints(operation.input(1)?, 64)?;
    let rank = from.len();
    let mut perm = Vec::with_capacity(rank);
    for &axis in &given {
        let resolved = usize::try_from(if axis < 0 { axis.saturating_add(rank as i64) } else { axis });
        let place = resolved.ok().filter(|axis| *axis < rank && !perm.contains(axis));
        perm.push(place.ok_or_else(|| invalid!("permutation {given:?} of {from:?}"))?);
    }
    if perm.len() != rank {
        return Err(invalid!("permutation {given:?} of {from:?}"));
    }
    let shape: Vec<usize> = perm.iter().map(|&axis| from[axis]).collect();
    let mut ours = vec![0; rank];
    for (place, &axis) in perm.iter().enumerate() {
        ours[layout::axis(rank, place)] = layout::axis(rank, axis);
    }
    let value = b.value(x)?;
    b.define(operation, output, Op::Transpose { perm: ours }, vec![value], &shape)
}

/// PAD and PADV2, with a constant: 0, or the third input.
pub(super) fn pad(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 3)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let from = b.shape(x).to_vec();
    let rank = from.len();
    let given = b.known_ints(operation.input(1)?, 128)?;
    if given.len() != 2 * rank {
        return Err(invalid!("{} paddings for {rank} axes", given.len()));
    }
    let (mut pads, mut shape) = (vec![0; 2 * rank], from.clone());
    for axis in 0..rank {
        let [before, after] = [given[2 * axis], given[2 * axis + 1]];
        let amounts = usize::try_from(before).ok().zip(usize::try_from(after).ok());
        let padded = amounts.and_then(|(before, after)| from[axis].checked_add(before)?.checked_add(after));
        shape[axis] = padded.ok_or_else(|| invalid!("paddings {before} and {after} of axis {axis}"))?;
        let place = layout::axis(rank, axis);
        (pads[place], pads[place + rank]) = (before, after);
    }
    let real = b.is_real(x)?;
    let zero = if real { 0.0 } else { b.same_quantization(x, output)?.zero_point as f32 };
    let value = match operation.optional(2) {
        Some(tensor) if operation.kind == "PADV2" => fill(b, tensor, real)?,
        _ => zero,
    };
    let input = b.value(x)?;
    b.define(operation, output, Op::Pad { pads, mode: PadMode::Constant, value }, vec![input], &shape)
}

fn fill(b: &Builder<'_>, tensor: usize, real: bool) -> Result<f32, Fault> {
    use super::constants::{Elements, elements};
    let info = &b.slots[tensor].info;
    let super::builder::Held::Constant(constant) = &b.slots[tensor].held else {
        return Err(not_run!("what it pads with is not constant"));
    };
    if constant.tensor.element_count() != 1 {
        return Err(invalid!("it pads with {:?} of shape {:?}; expected one number", info.name, info.shape));
    }
    match (elements(constant, &info.name)?, real) {
        (Elements::Real(values), true) => Ok(values[0]),
        (Elements::Int(values, _), false) => Ok(values[0] as f32),
        _ => Err(invalid!("it pads with {:?}, which has another type", info.name)),
    }
}

/// DEPTH_TO_SPACE and SPACE_TO_DEPTH: blocks of channels become blocks of space, or the other way round.
pub(super) fn depth_and_space(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let block = operation.options.positive(0, 0, "block_size")?;
    let &[batch, height, width, channels] = b.shape(x) else {
        return Err(invalid!("an input of shape {:?}; expected four axes", b.shape(x)));
    };
    let area = block.checked_mul(block).ok_or_else(|| invalid!("block_size is {block}"))?;
    let (op, shape) = if operation.kind == "DEPTH_TO_SPACE" {
        let grown = height.checked_mul(block).zip(width.checked_mul(block)).filter(|_| channels.is_multiple_of(area));
        let op = Op::DepthToSpace { block, column_row_depth: false };
        (op, grown.map(|(height, width)| [batch, height, width, channels / area]))
    } else {
        let whole = height.is_multiple_of(block) && width.is_multiple_of(block);
        let deep = channels.checked_mul(area).filter(|_| whole);
        (Op::SpaceToDepth { block }, deep.map(|channels| [batch, height / block, width / block, channels]))
    };
    let shape = shape.ok_or_else(|| invalid!("blocks of {block} for an input of shape {:?}", b.shape(x)))?;
    if !b.is_real(x)? {
        b.same_quantization(x, output)?;
    }
    let value = b.value(x)?;
    b.define(operation, output, op, vec![value], &shape)
}

/// CONCATENATION. Unsigned inputs may have scales of their own.
pub(super) fn concatenation(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, usize::MAX)?;
    let output = operation.output()?;
    let first = b.shape(operation.input(0)?).to_vec();
    let rank = first.len();
    let axis = resolve_axis(i64::from(operation.options.scalar(0, 0i32)?), rank)?;
    if operation.fused(1)? != Fused::None {
        return Err(not_run!("a fused activation function of a concatenation is not handled"));
    }
    let mut shape = first.clone();
    shape[axis] = 0;
    let mut values = Vec::new();
    for i in 0..operation.inputs.len() {
        let x = operation.input(i)?;
        let part = b.shape(x).to_vec();
        let fits = part.len() == rank && (0..rank).all(|a| a == axis || part[a] == first[a]);
        if !fits || b.data_type(x)? != b.data_type(output)? {
            return Err(invalid!("an input of shape {part:?} beside one of {first:?}, or of another type"));
        }
        shape[axis] = shape[axis].checked_add(part[axis]).ok_or_else(|| invalid!("too many elements"))?;
        values.push(part_value(b, operation, x, output)?);
    }
    b.define(operation, output, Op::Concat { axis: layout::axis(rank, axis) }, values, &shape)
}

/// An input of a concatenation on the scale of its output.
fn part_value(b: &mut Builder<'_>, operation: &Operation<'_>, x: usize, output: usize) -> Result<ValueId, Fault> {
    let value = b.value(x)?;
    let data_type = b.data_type(x)?;
    if data_type.is_real() || !matches!(data_type, DataType::I8 | DataType::U8) {
        return Ok(value);
    }
    let (from, to) = (b.quantization_8(x)?, b.quantization_8(output)?);
    if from == to {
        return Ok(value);
    }
    if data_type == DataType::I8 {
        return Err(not_run!("its inputs have other scales than its output"));
    }
    let op = Op::Integer(tables::rescale_float(&from, &to));
    let form = (data_type, layout::ours(b.shape(x)));
    Ok(b.emit(&format!("{}/rescale", operation.name), "QUANTIZE", op, vec![value], form))
}

/// PACK: inputs of one shape one behind another along a new axis.
pub(super) fn pack(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, usize::MAX)?;
    let output = operation.output()?;
    let first = b.shape(operation.input(0)?).to_vec();
    let axis = resolve_axis(i64::from(operation.options.scalar(1, 0i32)?), first.len() + 1)?;
    let mut expanded = first.clone();
    expanded.insert(axis, 1);
    let mut values = Vec::new();
    for i in 0..operation.inputs.len() {
        let x = operation.input(i)?;
        if b.shape(x) != first || b.data_type(x)? != b.data_type(output)? {
            return Err(invalid!("an input of shape {:?} beside one of {first:?}, or of another type", b.shape(x)));
        }
        if !b.is_real(x)? {
            b.same_quantization(x, output)?;
        }
        let (flat, data_type) = (b.flat(x)?, b.data_type(x)?);
        values.push(b.reshaped(&operation.name, flat, &expanded, data_type));
    }
    let mut shape = expanded;
    shape[axis] = operation.inputs.len();
    let axis = layout::axis(shape.len(), axis);
    b.define(operation, output, Op::Concat { axis }, values, &shape)
}

/// SPLIT (axis first, equal parts) and SPLIT_V (sizes and axis behind).
pub(super) fn split(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let equal = operation.kind == "SPLIT";
    let (x, axis) =
        if equal { (operation.input(1)?, operation.input(0)?) } else { (operation.input(0)?, operation.input(2)?) };
    let from = b.shape(x).to_vec();
    let axis = b.known_ints(axis, 1)?.first().copied().ok_or_else(|| invalid!("an axis that is empty"))?;
    let axis = resolve_axis(axis, from.len())?;
    let parts = operation.outputs.len();
    if parts == 0 || from[axis] < parts {
        return Err(invalid!("{parts} parts of axis {axis} of {from:?}"));
    }
    let sizes: Vec<usize> = match equal {
        true => vec![from[axis] / parts; parts],
        false => part_sizes(&b.known_ints(operation.input(1)?, parts)?, from[axis])?,
    };
    if sizes.len() != parts || sizes.iter().sum::<usize>() != from[axis] {
        return Err(invalid!("parts of {sizes:?} of axis {axis} of {from:?}"));
    }
    let value = b.value(x)?;
    let mut outputs = Vec::with_capacity(parts);
    for (&output, &size) in operation.outputs.iter().zip(&sizes) {
        if !b.is_real(x)? {
            b.same_quantization(x, output)?;
        }
        let mut shape = from.clone();
        shape[axis] = size;
        outputs.push(b.declare(output, &shape)?);
    }
    let op = Op::Split { axis: layout::axis(from.len(), axis) };
    let (name, op_type) = (operation.name.clone(), operation.kind.to_string());
    b.network.add_node(network::Node { name, op_type, op, inputs: vec![Some(value)], outputs });
    Ok(())
}

/// Sizes of which one may be −1: what is left.
fn part_sizes(given: &[i64], extent: usize) -> Result<Vec<usize>, Fault> {
    let known: i64 = given.iter().filter(|&&n| n != -1).fold(0, |sum: i64, &n| sum.saturating_add(n));
    let left = (extent as i64).saturating_sub(known);
    let size = |&n: &i64| usize::try_from(if n == -1 { left } else { n });
    given.iter().map(size).collect::<Result<_, _>>().map_err(|_| invalid!("parts of {given:?} of an axis of {extent}"))
}

/// SLICE: begin and size of each axis.
pub(super) fn slice(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(3, 3)?;
    let x = operation.input(0)?;
    let from = b.shape(x).to_vec();
    let (begin, size) = (b.known_ints(operation.input(1)?, 64)?, b.known_ints(operation.input(2)?, 64)?);
    if begin.len() != from.len() || size.len() != from.len() {
        return Err(invalid!("begin {begin:?} and size {size:?} for {from:?}"));
    }
    let mut cuts = Vec::with_capacity(from.len());
    for axis in 0..from.len() {
        let extent = from[axis] as i64;
        let end = if size[axis] == -1 { extent } else { begin[axis].saturating_add(size[axis]) };
        if begin[axis] < 0 || size[axis] < -1 || end > extent || end < begin[axis] {
            return Err(invalid!("begin {begin:?} and size {size:?} for {from:?}"));
        }
        cuts.push(Cut { start: begin[axis], end, step: 1, shrink: false });
    }
    cut(b, operation, x, &cuts)
}

/// The part of an axis.
struct Cut {
    start: i64,
    end: i64,
    /// At least 1.
    step: i64,
    /// Whether the axis, then of extent 1, goes.
    shrink: bool,
}

/// STRIDED_SLICE: begin, end and stride of each axis, with masks.
pub(super) fn strided_slice(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let x = operation.input(0)?;
    let cuts = strided_cuts(b, operation)?;
    cut(b, operation, x, &cuts)
}

/// What STRIDED_SLICE takes of each axis.
fn strided_cuts(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Vec<Cut>, Fault> {
    operation.arity(4, 4)?;
    let from = b.shape(operation.input(0)?).to_vec();
    let [begin, end, stride] = [1, 2, 3].map(|i| operation.input(i).and_then(|tensor| b.known_ints(tensor, 64)));
    let (begin, end, stride) = (begin?, end?, stride?);
    let mask = |field: usize| operation.options.scalar(field, 0i32);
    let (begin_mask, end_mask, shrink_mask) = (mask(0)?, mask(1)?, mask(4)?);
    if mask(2)? != 0 || mask(3)? != 0 || operation.options.flag(5)? {
        return Err(not_run!("an ellipsis, a new axis or ends that are offsets are not handled"));
    }
    if begin.len() > from.len() || end.len() != begin.len() || stride.len() != begin.len() {
        return Err(invalid!("begin {begin:?}, end {end:?}, stride {stride:?} for {from:?}"));
    }
    let mut cuts = Vec::with_capacity(from.len());
    for axis in 0..from.len() {
        let extent = from[axis] as i64;
        if axis >= begin.len() {
            cuts.push(Cut { start: 0, end: extent, step: 1, shrink: false });
            continue;
        }
        let set = |mask: i32| mask >> axis & 1 == 1;
        if stride[axis] < 1 {
            return Err(not_run!("a stride of {}; at least 1 is handled", stride[axis]));
        }
        let place = |n: i64| if n < 0 { n.saturating_add(extent) } else { n }.clamp(0, extent);
        let start = if set(begin_mask) { 0 } else { place(begin[axis]) };
        let shrink = set(shrink_mask);
        let end = match (shrink, set(end_mask)) {
            (true, _) => start + 1,
            (false, true) => extent,
            (false, false) => place(end[axis]),
        };
        if shrink && start >= extent {
            return Err(invalid!("index {} of an axis of {extent}", begin[axis]));
        }
        cuts.push(Cut { start, end: end.max(start), step: stride[axis], shrink });
    }
    Ok(cuts)
}

/// What STRIDED_SLICE takes of a list, and whether that is a single number without an axis.
pub(super) fn cut_of_list(b: &Builder<'_>, operation: &Operation<'_>, list: &[i64]) -> Result<(Vec<i64>, bool), Fault> {
    let cuts = strided_cuts(b, operation)?;
    let [Cut { start, end, step, shrink }] = cuts.as_slice() else {
        return Err(not_run!("a constant of several axes is not cut"));
    };
    // Cuts lie within the axis.
    let taken = list[*start as usize..*end as usize].iter().step_by(*step as usize).copied().collect();
    Ok((taken, *shrink))
}

/// Cuts every axis, then drops those that shrink.
fn cut(b: &mut Builder<'_>, operation: &Operation<'_>, x: usize, cuts: &[Cut]) -> Result<(), Fault> {
    let output = operation.output()?;
    let (rank, data_type) = (cuts.len(), b.data_type(x)?);
    if matches!(data_type, DataType::I8 | DataType::U8 | DataType::I16) {
        b.same_quantization(x, output)?;
    }
    // At least 0, and at most the extent.
    let extent = |cut: &Cut| ((cut.end - cut.start) as usize).div_ceil(cut.step as usize);
    let shape: Vec<usize> = cuts.iter().map(extent).collect();
    let axes: Vec<usize> = (0..rank).map(|axis| layout::axis(rank, axis)).collect();
    let of = |f: fn(&Cut) -> i64| cuts.iter().map(f).collect::<Vec<i64>>();
    let op = Op::Slice { starts: of(|c| c.start), ends: of(|c| c.end), steps: of(|c| c.step), axes };
    let value = b.value(x)?;
    if cuts.iter().all(|cut| !cut.shrink) {
        return b.define(operation, output, op, vec![value], &shape);
    }
    let form = (data_type, layout::ours(&shape));
    let value = b.emit(&format!("{}/cut", operation.name), operation.kind, op, vec![value], form);
    let flat = match layout::same_order(&shape) {
        true => value,
        false => b.channels_last(&operation.name, value, &shape, data_type),
    };
    let kept: Vec<usize> = shape.iter().zip(cuts).filter(|(_, cut)| !cut.shrink).map(|(&n, _)| n).collect();
    let value = b.reshaped(&operation.name, flat, &kept, data_type);
    b.assign(output, value, &kept)
}

fn resolve_axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let resolved = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    let inside = usize::try_from(resolved).ok().filter(|&axis| axis < rank);
    inside.ok_or_else(|| invalid!("axis {axis} of {rank}"))
}
