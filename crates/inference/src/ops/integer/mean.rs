//! Means: over windows, over all positions, over axes.

use network::{ActivationQuantization, Pool};

use super::lite_rt::{Multiplier, clamp};
use super::onnxruntime::{Output, real};
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::map;
use crate::ops::pooling::{self, Statistic};
use crate::ops::reduce;
use crate::ops::{gather_strided, strides};

/// Means over windows in the arithmetic of onnxruntime.
pub(super) fn onnxruntime_windows(
    x: Input,
    from: ActivationQuantization,
    pool: &Pool,
    to: Output,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let x = map(x, buffers, |q| real(q, from));
    let means = pooling::pool(&x, pool, Statistic::Mean, shape, buffers)?;
    buffers.give(x.data);
    Ok(map(Input::Owned(means), buffers, |mean| to.clamp((mean / to.scale + to.zero_point).round_ties_even())))
}

/// Means over all positions in the arithmetic of onnxruntime.
///
/// Sums of at most 2^16 integers of 8 bits are exact in 32-bit float; those of more are not made here.
pub(super) fn onnxruntime_positions(
    x: Input,
    from: ActivationQuantization,
    to: Output,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let array = x.array();
    let count: usize = array.shape.iter().skip(2).product();
    if count > 1 << 16 {
        return Err(Problem::Unsupported(format!("a mean of {count} integers; 65536 at most")));
    }
    let space: Vec<usize> = (2..array.shape.len()).collect();
    let zero_point = from.zero_point as f32;
    let centred = map(x, buffers, |q| q - zero_point);
    let sums = reduce::reduce(&centred, network::Reduction::Sum, &space, true, buffers)?;
    buffers.give(centred.data);
    let factor = from.scale / (to.scale * count as f32);
    Ok(map(Input::Owned(sums), buffers, |sum| to.clamp((sum * factor).round_ties_even() + to.zero_point)))
}

/// AVERAGE_POOL_2D of LiteRT: means over the elements of windows that lie in the input, ties away from 0.
pub(super) fn lite_rt_windows(
    x: &Array,
    pool: &Pool,
    [min, max]: [i32; 2],
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let (&[n, c, height, width], &[to_n, to_c, to_height, to_width]) = (x.shape.as_slice(), shape) else {
        return Err(Problem::Invalid(format!("pooling of {:?} to {shape:?}", x.shape)));
    };
    if [n, c] != [to_n, to_c] {
        return Err(Problem::Invalid(format!("pooling of {:?} to {shape:?}", x.shape)));
    }
    let reach = |out: usize, axis: usize, extent: usize| {
        let (start, before) = (out * pool.stride[axis], pool.pads[axis]);
        start.saturating_sub(before)..(start + pool.kernel[axis]).saturating_sub(before).min(extent)
    };
    let mut data = buffers.take(shape.iter().product());
    for plane in x.data.chunks_exact((height * width).max(1)) {
        for row in 0..to_height {
            for column in 0..to_width {
                let (rows, columns) = (reach(row, 0, height), reach(column, 1, width));
                let count = (rows.len() * columns.len()) as i64;
                let sum = rows.map(|y| exact_sum(&plane[y * width..][columns.clone()])).sum::<f64>() as i64;
                if count == 0 {
                    return Err(Problem::Invalid("a window lies on padding alone".to_string()));
                }
                let half = count / 2;
                let mean = (if sum > 0 { sum + half } else { sum - half }) / count;
                data.push(mean.clamp(i64::from(min), i64::from(max)) as f32);
            }
        }
    }
    Ok(Array::new(shape.to_vec(), data))
}

/// The sum of integers of at most 16 bits, which 64-bit float holds whatever their order is.
fn exact_sum(integers: &[f32]) -> f64 {
    const LANES: usize = 8;
    let (blocks, rest) = integers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for block in blocks {
        for lane in 0..LANES {
            sums[lane] += f64::from(block[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&q| f64::from(q)).sum::<f64>()
}

/// MEAN of LiteRT over axes: the number of elements is part of the multiplier.
pub(super) fn lite_rt_axes(
    x: &Array,
    axes: &[usize],
    [input, output]: [&ActivationQuantization; 2],
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    if axes.iter().any(|&axis| axis >= x.shape.len()) {
        return Err(Problem::Invalid(format!("axes {axes:?} of {:?}", x.shape)));
    }
    let count: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    if count == 0 {
        return Err(Problem::Invalid(format!("nothing to average in {:?}", x.shape)));
    }
    let (all, rank) = (strides(&x.shape), x.shape.len());
    let kept = (0..rank).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    let extents: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
    let steps: Vec<isize> = order.iter().map(|&axis| all[axis]).collect();
    let rows = gather_strided(&x.data, 0, &extents, &steps, buffers);
    let multiplier = Multiplier::new(f64::from(input.scale) / f64::from(output.scale))?.divided(count);
    let offset = count as i64 * i64::from(input.zero_point);
    let mut data = buffers.take(shape.iter().product());
    data.extend(rows.chunks_exact(count).map(|row| {
        let sum = exact_sum(row) as i64 - offset;
        clamp(multiplier.apply(sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32), output) as f32
    }));
    buffers.give(rows);
    Ok(Array::new(shape.to_vec(), data))
}
