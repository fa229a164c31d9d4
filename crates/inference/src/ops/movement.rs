//! Operators that move elements and compute nothing.

use network::PadMode;

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::{broadcast_shape, broadcast_strides};
use crate::ops::strided::{AxisMap, gather_mapped, gather_strided, strides};

/// Same elements, another shape.
pub(crate) fn reshape(x: Input, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let (found, expected) = (x.array().data.len(), shape.iter().product::<usize>());
    if found != expected {
        return Err(Problem::Invalid(format!("shape {:?} cannot become {shape:?}", x.array().shape)));
    }
    let mut array = x.into_owned(buffers);
    array.shape = shape.to_vec();
    Ok(array)
}

/// Axis `i` of the result is axis `perm[i]` of `x`.
pub(crate) fn transpose(x: &Array, perm: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if sorted.iter().copied().ne(0..x.shape.len()) {
        return Err(Problem::Invalid(format!("{perm:?} does not permute the axes of {:?}", x.shape)));
    }
    let own = strides(&x.shape);
    let shape: Vec<usize> = perm.iter().map(|&axis| x.shape[axis]).collect();
    let permuted: Vec<isize> = perm.iter().map(|&axis| own[axis]).collect();
    let data = gather_strided(&x.data, 0, &shape, &permuted, buffers);
    Ok(Array::new(shape, data))
}

/// Broadcasts to `shape`.
pub(crate) fn expand(x: &Array, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let fits = x.shape.len() <= shape.len()
        && x.shape.iter().rev().zip(shape.iter().rev()).all(|(&from, &to)| from == to || from == 1);
    if !fits {
        return Err(Problem::Invalid(format!("shape {:?} does not broadcast to {shape:?}", x.shape)));
    }
    let data = gather_strided(&x.data, 0, shape, &broadcast_strides(&x.shape, shape), buffers);
    Ok(Array::new(shape.to_vec(), data))
}

/// Repeats `x` as a whole along each axis, to `shape`.
pub(crate) fn tile(x: &Array, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let fits = x.shape.len() == shape.len()
        && x.shape.iter().zip(shape).all(|(&from, &to)| to == 0 || from != 0 && to.is_multiple_of(from));
    if !fits {
        return Err(Problem::Invalid(format!("shape {:?} does not repeat to {shape:?}", x.shape)));
    }
    let map = |(&from, &to): (&usize, &usize)| (0..to).map(|i| Some(i % from)).collect();
    let maps: Vec<AxisMap> = x.shape.iter().zip(shape).map(map).collect();
    let data = gather_mapped(x, &maps, 0.0, buffers);
    Ok(Array::new(shape.to_vec(), data))
}

/// Takes each element from `a` where `condition` is not 0, else from `b`; shapes broadcast.
pub(crate) fn choose([condition, a, b]: [&Array; 3], buffers: &mut Buffers) -> Result<Array, Problem> {
    let shape = broadcast_shape(&broadcast_shape(&condition.shape, &a.shape)?, &b.shape)?;
    let [condition, a, b] = [condition, a, b].map(|x| expand(x, &shape, buffers));
    let (condition, mut a, b) = (condition?, a?, b?);
    let pairs = condition.data.iter().zip(&b.data);
    a.data.iter_mut().zip(pairs).filter(|(_, (holds, _))| **holds == 0.0).for_each(|(a, (_, b))| *a = *b);
    buffers.give(condition.data);
    buffers.give(b.data);
    Ok(a)
}

/// A range of some axes, with the clamping of ONNX Slice.
pub(crate) fn slice(
    x: &Array,
    [starts, ends, steps]: [&[i64]; 3],
    axes: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut shape = x.shape.clone();
    let mut own = strides(&x.shape);
    let mut offset = 0;
    for (((&start, &end), &step), &axis) in starts.iter().zip(ends).zip(steps).zip(axes) {
        let Some(&extent) = x.shape.get(axis).filter(|_| step != 0) else {
            return Err(Problem::Invalid(format!("a slice of axis {axis} of {:?} by step {step}", x.shape)));
        };
        let (first, count) = slice_range(extent as i64, start, end, step);
        offset += first * own[axis];
        shape[axis] = count;
        // A step that leads out of the axis is taken by no index; another one is below the extent.
        own[axis] = if count > 1 { own[axis] * step as isize } else { 0 };
    }
    let data =
        if shape.contains(&0) { vec![] } else { gather_strided(&x.data, offset as usize, &shape, &own, buffers) };
    Ok(Array::new(shape, data))
}

/// First index and number of indices of a slice of an axis.
fn slice_range(extent: i64, start: i64, end: i64, step: i64) -> (isize, usize) {
    if extent == 0 {
        return (0, 0);
    }
    let wrap = |i: i64| if i < 0 { i.saturating_add(extent) } else { i };
    let (low, high) = if step > 0 { (0, extent) } else { (-1, extent - 1) };
    let (first, last) = (wrap(start).clamp(low.max(0), high), wrap(end).clamp(low, high));
    let span = if step > 0 { last - first } else { first - last };
    let count = if span > 0 { (span - 1) / step.saturating_abs() + 1 } else { 0 };
    (first as isize, count as usize)
}

/// Parts of `x` along `axis`; `extents` are those of the parts.
pub(crate) fn split(x: &Array, axis: usize, extents: &[usize], buffers: &mut Buffers) -> Result<Vec<Array>, Problem> {
    if extents.iter().sum::<usize>() != x.shape[axis] {
        return Err(Problem::Invalid(format!("{:?} does not split along axis {axis} into {extents:?}", x.shape)));
    }
    let own = strides(&x.shape);
    let mut start = 0;
    let part = |&extent: &usize| {
        let mut shape = x.shape.clone();
        shape[axis] = extent;
        let data = gather_strided(&x.data, start * own[axis] as usize, &shape, &own, buffers);
        start += extent;
        Array::new(shape, data)
    };
    Ok(extents.iter().map(part).collect())
}

/// `first` and all of `rest` one after another along `axis`.
pub(crate) fn concat(first: &Array, rest: &[&Array], axis: usize, buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut shape = first.shape.clone();
    for next in rest {
        let same = |(i, (a, b)): (usize, (&usize, &usize))| i == axis || a == b;
        let fits = next.shape.len() == shape.len() && next.shape.iter().zip(&first.shape).enumerate().all(same);
        if !fits || axis >= shape.len() {
            let shapes = [&first.shape, &next.shape];
            return Err(Problem::Invalid(format!("shapes {shapes:?} do not concatenate along axis {axis}")));
        }
        shape[axis] += next.shape[axis];
    }
    let [outer, ..] = first.around(axis);
    let mut data = buffers.take(shape.iter().product());
    for i in 0..outer {
        for input in std::iter::once(first).chain(rest.iter().copied()) {
            let [_, extent, inner] = input.around(axis);
            data.extend_from_slice(&input.data[i * extent * inner..][..extent * inner]);
        }
    }
    Ok(Array::new(shape, data))
}

/// Pads before and after each axis; negative numbers crop first.
pub(crate) fn pad(x: &Array, pads: &[i64], mode: PadMode, value: f32, buffers: &mut Buffers) -> Result<Array, Problem> {
    let rank = x.shape.len();
    if pads.len() != 2 * rank {
        return Err(Problem::Invalid(format!("{} paddings for {rank} axes; there must be two an axis", pads.len())));
    }
    let map = |axis: usize| pad_map(x.shape[axis], pads[axis], pads[rank + axis], mode);
    let maps = (0..rank).map(map).collect::<Option<Vec<AxisMap>>>().ok_or_else(|| {
        Problem::Invalid(format!("{mode:?} padding of {:?} by {pads:?} has nothing to read there", x.shape))
    })?;
    let data = gather_mapped(x, &maps, value, buffers);
    Ok(Array::new(maps.iter().map(Vec::len).collect(), data))
}

/// Where the elements of a padded axis come from; `None` if padding needs elements that there are not.
fn pad_map(extent: usize, before: i64, after: i64, mode: PadMode) -> Option<AxisMap> {
    let crop = [before.min(0).unsigned_abs() as usize, after.min(0).unsigned_abs() as usize];
    let length = extent.checked_sub(crop[0].checked_add(crop[1])?)? as i64;
    let source = |i: i64| match mode {
        _ if (0..length).contains(&i) => Some(i),
        PadMode::Constant => None,
        PadMode::Edge => Some(i.clamp(0, length - 1)),
        PadMode::Wrap => Some(i.rem_euclid(length)),
        PadMode::Reflect if i < 0 => Some(-i),
        PadMode::Reflect => Some(2 * (length - 1) - i),
    };
    let (before, after) = (before.max(0), after.max(0));
    let enough = match mode {
        PadMode::Constant => true,
        PadMode::Edge | PadMode::Wrap => length > 0 || before + after == 0,
        PadMode::Reflect => before.max(after) < length.max(1),
    };
    enough.then(|| (-before..length + after).map(|i| source(i).map(|i| i as usize + crop[0])).collect())
}

/// Takes an entry of an axis for each element of the output, which has the shape of the indices.
pub(crate) fn gather_elements(
    x: &Array,
    indices: &Array,
    axis: usize,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let Some(&extent) = x.shape.get(axis).filter(|_| indices.shape.len() == x.shape.len()) else {
        return Err(Problem::Invalid(format!("indices {:?} along axis {axis} of {:?}", indices.shape, x.shape)));
    };
    let (own, from) = (strides(&indices.shape), strides(&x.shape));
    let mut data = buffers.take(indices.data.len());
    for (i, &index) in indices.data.iter().enumerate() {
        let resolved = if index < 0.0 { index + extent as f32 } else { index };
        if !(resolved >= 0.0 && (resolved as usize) < extent) {
            return Err(Problem::Invalid(format!("index {index} is outside axis {axis} of {:?}", x.shape)));
        }
        let place = |a: usize| if a == axis { resolved as usize } else { i / own[a] as usize % indices.shape[a] };
        data.push(x.data[(0..x.shape.len()).map(|a| place(a) * from[a] as usize).sum::<usize>()]);
    }
    Ok(Array::new(indices.shape.clone(), data))
}

/// Takes entries of `axis` by `indices`; negative ones count from the end. The result has `shape`.
pub(crate) fn gather(
    x: &Array,
    indices: &Array,
    axis: usize,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let Some(&extent) = x.shape.get(axis) else {
        return Err(Problem::Invalid(format!("axis {axis} to gather from is not one of {:?}", x.shape)));
    };
    let resolve = |&index: &f32| {
        let resolved = if index < 0.0 { index + extent as f32 } else { index };
        (resolved >= 0.0 && (resolved as usize) < extent).then_some(Some(resolved as usize)).ok_or(index)
    };
    let map = indices
        .data
        .iter()
        .map(resolve)
        .collect::<Result<AxisMap, f32>>()
        .map_err(|index| Problem::Invalid(format!("index {index} is outside axis {axis} of {:?}", x.shape)))?;
    let identity = |extent: usize| (0..extent).map(Some).collect::<AxisMap>();
    let maps: Vec<AxisMap> =
        (0..x.shape.len()).map(|a| if a == axis { map.clone() } else { identity(x.shape[a]) }).collect();
    let data = gather_mapped(x, &maps, 0.0, buffers);
    if data.len() != shape.iter().product::<usize>() {
        return Err(Problem::Invalid(format!("gathering makes {} elements, shape {shape:?} has not", data.len())));
    }
    Ok(Array::new(shape.to_vec(), data))
}

/// Moves blocks of space of `[N, C, H, W]` into channels: of a block, all channels of its first element come first.
pub(crate) fn space_to_depth(x: &Array, block: usize, buffers: &mut Buffers) -> Result<Array, Problem> {
    let &[n, c, h, w] = x.shape.as_slice() else {
        return Err(Problem::Invalid(format!("SpaceToDepth of shape {:?}; it takes [N, C, H, W]", x.shape)));
    };
    if block == 0 || h % block != 0 || w % block != 0 {
        return Err(Problem::Invalid(format!("{h}×{w} does not divide into blocks of {block}×{block}")));
    }
    let split = [n, c, h / block, block, w / block, block];
    let (perm, own) = ([0, 3, 5, 1, 2, 4], strides(&split));
    let data = gather_strided(&x.data, 0, &perm.map(|axis| split[axis]), &perm.map(|axis| own[axis]), buffers);
    Ok(Array::new(vec![n, c * block * block, h / block, w / block], data))
}

/// Moves blocks of channels of `[N, C, H, W]` into space.
pub(crate) fn depth_to_space(
    x: &Array,
    block: usize,
    column_row_depth: bool,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let &[n, c, h, w] = x.shape.as_slice() else {
        return Err(Problem::Invalid(format!("DepthToSpace of shape {:?}; it takes [N, C, H, W]", x.shape)));
    };
    if block == 0 || c % (block * block) != 0 {
        return Err(Problem::Invalid(format!("{c} channels do not divide into blocks of {block}×{block}")));
    }
    let depth = c / (block * block);
    // Both orders become [n, depth, h, block, w, block]; they differ in where depth lies in the channels.
    let (split, perm) = if column_row_depth {
        ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3])
    } else {
        ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2])
    };
    let own = strides(&split);
    let data = gather_strided(&x.data, 0, &perm.map(|axis| split[axis]), &perm.map(|axis| own[axis]), buffers);
    Ok(Array::new(vec![n, depth, h * block, w * block], data))
}
