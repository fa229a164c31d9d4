//! Copying elements to other places: the two primitives behind every operator that only moves data.

use crate::array::{Array, Buffers};

/// Row-major strides of a shape.
pub(crate) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Collects `input[offset + Σ index · stride]` over all indices of `shape`, row-major. A stride of 0 repeats, a negative
/// one reverses. The caller guarantees that all of them lie inside.
pub(crate) fn gather_strided(
    input: &[f32],
    offset: usize,
    shape: &[usize],
    strides: &[isize],
    buffers: &mut Buffers,
) -> Vec<f32> {
    let mut output = buffers.take(shape.iter().product());
    let (shape, [strides]) = merge_axes(shape, [strides]);
    for_each_row(&shape, [&strides], |[start], len, [step]| {
        let start = offset.wrapping_add_signed(start);
        match step {
            1 => output.extend_from_slice(&input[start..start + len]),
            // Colours of a picture, whose channels lie side by side.
            3 => every::<3>(&input[start..], len, &mut output),
            _ => output.extend((0..len).map(|i| input[start.wrapping_add_signed(i as isize * step)])),
        }
    });
    output
}

/// Puts `len` numbers behind `output`, each `STEP` behind the one before. A step that the compiler knows has vector instructions.
fn every<const STEP: usize>(input: &[f32], len: usize, output: &mut Vec<f32>) {
    let before = output.len();
    output.resize(before + len, 0.0);
    let Some((last, taken)) = output[before..].split_last_mut() else { return };
    let (groups, rest) = (input.as_chunks::<STEP>().0, &input[(len - 1) * STEP..]);
    lanes::run(
        #[inline(always)]
        || {
            for (taken, group) in taken.iter_mut().zip(groups) {
                *taken = group[0];
            }
        },
    );
    *last = rest[0];
}

/// Joins neighbouring axes that all operands walk through evenly, so that rows are as long as they can be. The result has
/// at least one axis.
pub(crate) fn merge_axes<const N: usize>(shape: &[usize], strides: [&[isize]; N]) -> (Vec<usize>, [Vec<isize>; N]) {
    let mut merged_shape: Vec<usize> = Vec::with_capacity(shape.len().max(1));
    let mut merged: [Vec<isize>; N] = std::array::from_fn(|_| Vec::with_capacity(shape.len().max(1)));
    for (axis, &extent) in shape.iter().enumerate().filter(|&(_, &extent)| extent != 1) {
        let even = |n: usize| merged[n].last() == Some(&(strides[n][axis] * extent as isize));
        match merged_shape.last_mut() {
            Some(last) if (0..N).all(even) => {
                *last *= extent;
                (0..N).for_each(|n| *merged[n].last_mut().expect("as many strides as extents") = strides[n][axis]);
            }
            _ => {
                merged_shape.push(extent);
                (0..N).for_each(|n| merged[n].push(strides[n][axis]));
            }
        }
    }
    if merged_shape.is_empty() {
        merged_shape.push(1);
        merged.iter_mut().for_each(|strides| strides.push(1));
    }
    (merged_shape, merged)
}

/// Calls `row(starts, len, steps)` for every row of the last axis, in row-major order.
pub(crate) fn for_each_row<const N: usize>(
    shape: &[usize],
    strides: [&[isize]; N],
    mut row: impl FnMut([isize; N], usize, [isize; N]),
) {
    let Some((&len, outer)) = shape.split_last() else { return };
    let steps = strides.map(|strides| strides[outer.len()]);
    let mut index = vec![0; outer.len()];
    let mut starts = [0isize; N];
    for _ in 0..outer.iter().product::<usize>() {
        row(starts, len, steps);
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            (0..N).for_each(|n| starts[n] += strides[n][axis]);
            if index[axis] < outer[axis] {
                break;
            }
            (0..N).for_each(|n| starts[n] -= strides[n][axis] * outer[axis] as isize);
            index[axis] = 0;
        }
    }
}

/// For each index along an axis of the output, the index along the same axis of the input, or nothing.
pub(crate) type AxisMap = Vec<Option<usize>>;

/// Collects elements axis by axis through `maps`, one an axis; `fill` stands where any of them points nowhere.
pub(crate) fn gather_mapped(input: &Array, maps: &[AxisMap], fill: f32, buffers: &mut Buffers) -> Vec<f32> {
    let mut output = buffers.take(maps.iter().map(Vec::len).product());
    let unchanged = |axis: usize| {
        maps[axis].len() == input.shape[axis] && maps[axis].iter().enumerate().all(|(i, &from)| from == Some(i))
    };
    let mapped = (0..maps.len()).rev().find(|&axis| !unchanged(axis)).map_or(0, |axis| axis + 1);
    let block = input.shape[mapped..].iter().product();
    gather_axis(&Mapped { input, maps: &maps[..mapped], fill, block }, 0, 0, &mut output);
    output
}

struct Mapped<'a> {
    input: &'a Array,
    /// Of the axes up to the last that is not copied as it is.
    maps: &'a [AxisMap],
    fill: f32,
    /// Elements of all further axes.
    block: usize,
}

fn gather_axis(mapped: &Mapped, axis: usize, start: usize, output: &mut Vec<f32>) {
    let Some(map) = mapped.maps.get(axis) else {
        let from = start * mapped.block;
        output.extend_from_slice(&mapped.input.data[from..from + mapped.block]);
        return;
    };
    let filled = mapped.maps[axis + 1..].iter().map(Vec::len).product::<usize>() * mapped.block;
    for from in map {
        match from {
            Some(from) => gather_axis(mapped, axis + 1, start * mapped.input.shape[axis] + from, output),
            None => output.resize(output.len() + filled, mapped.fill),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gathered_lies_where_the_strides_say() {
        let input: Vec<f32> = (0..600).map(|i| i as f32).collect();
        // Pixels of three channels as planes, and parts of them; two channels; rows from the last to the first.
        let cases: [(usize, [usize; 3], [isize; 3]); 6] = [
            (0, [3, 20, 10], [1, 30, 3]),
            (1, [2, 1, 1], [1, 3, 3]),
            (2, [1, 1, 199], [0, 0, 3]),
            (0, [2, 30, 10], [1, 20, 2]),
            (599, [20, 3, 10], [-30, -1, -3]),
            (4, [1, 5, 0], [1, 3, 3]),
        ];
        for (offset, shape, strides) in cases {
            let place = |[a, b, c]: [usize; 3]| {
                let steps =
                    [a, b, c].iter().zip(strides).map(|(&index, stride)| index as isize * stride).sum::<isize>();
                offset.wrapping_add_signed(steps)
            };
            let indices =
                (0..shape[0]).flat_map(|a| (0..shape[1]).flat_map(move |b| (0..shape[2]).map(move |c| [a, b, c])));
            let expected: Vec<f32> = indices.map(|index| input[place(index)]).collect();
            assert_eq!(
                gather_strided(&input, offset, &shape, &strides, &mut Buffers::default()),
                expected,
                "{shape:?} {strides:?}"
            );
        }
    }
}
