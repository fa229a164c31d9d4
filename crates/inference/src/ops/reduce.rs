//! Reductions over axes, and softmax.

use network::Reduction;

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::movement;

/// Joins the elements of a row. Sums and products are formed in 64 bits, in order, and rounded once.
fn join(reduction: Reduction, row: &[f32]) -> f32 {
    let sum = || row.iter().map(|&x| f64::from(x)).sum::<f64>();
    match reduction {
        Reduction::Mean => (sum() / row.len() as f64) as f32,
        Reduction::Sum => sum() as f32,
        Reduction::Product => row.iter().map(|&x| f64::from(x)).product::<f64>() as f32,
        Reduction::L1 => row.iter().map(|&x| f64::from(x).abs()).sum::<f64>() as f32,
        Reduction::SumSquare => row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() as f32,
        Reduction::LogSum => sum().ln() as f32,
        Reduction::LogSumExp => {
            let largest = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
            let shift = if largest.is_finite() { largest } else { 0.0 };
            (row.iter().map(|&x| (f64::from(x) - shift).exp()).sum::<f64>().ln() + shift) as f32
        }
        Reduction::L2 => row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32,
        Reduction::Min => row.iter().fold(f32::INFINITY, |min, &x| if x < min || x.is_nan() { x } else { min }),
        Reduction::Max => row.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max || x.is_nan() { x } else { max }),
    }
}

/// Reduces `axes` away, or to extent 1.
pub(crate) fn reduce(
    x: &Array,
    reduction: Reduction,
    axes: &[usize],
    keep_dims: bool,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let rank = x.shape.len();
    if let Some(axis) = axes.iter().find(|&&axis| axis >= rank) {
        return Err(Problem::Invalid(format!("axis {axis} to reduce is not one of {:?}", x.shape)));
    }
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let reduced: Vec<usize> = (0..rank).filter(|axis| axes.contains(axis)).collect();
    let length: usize = reduced.iter().map(|&axis| x.shape[axis]).product();
    if length == 0 {
        return Err(Problem::Invalid(format!("nothing to reduce in {:?} over axes {axes:?}", x.shape)));
    }
    let perm: Vec<usize> = kept.iter().chain(&reduced).copied().collect();
    let moved = if perm.is_sorted() { None } else { Some(movement::transpose(x, &perm, buffers)?) };
    let rows = moved.as_ref().unwrap_or(x);
    let mut data = buffers.take(rows.data.len() / length);
    data.extend(rows.data.chunks_exact(length).map(|row| join(reduction, row)));
    if let Some(moved) = moved {
        buffers.give(moved.data);
    }
    let extent = |axis: usize| if axes.contains(&axis) { keep_dims.then_some(1) } else { Some(x.shape[axis]) };
    Ok(Array::new((0..rank).filter_map(extent).collect(), data))
}

/// Softmax along `axis`, or its logarithm.
pub(crate) fn softmax(x: Input, axis: usize, logarithm: bool, buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    if axis >= array.shape.len() {
        return Err(Problem::Invalid(format!("softmax along axis {axis} of {:?}", array.shape)));
    }
    let [_, extent, inner] = array.around(axis);
    let mut lane = vec![0.0; extent];
    for block in array.data.chunks_mut((extent * inner).max(1)) {
        for start in 0..inner {
            lane.iter_mut().enumerate().for_each(|(i, x)| *x = block[start + i * inner]);
            softmax_lane(&mut lane, logarithm);
            lane.iter().enumerate().for_each(|(i, &x)| block[start + i * inner] = x);
        }
    }
    Ok(array)
}

/// Softmax over all axes from `axis` on, or its logarithm.
pub(crate) fn softmax_from(x: Input, axis: usize, logarithm: bool, buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    if axis >= array.shape.len() {
        return Err(Problem::Invalid(format!("softmax from axis {axis} of {:?}", array.shape)));
    }
    let extent = array.shape[axis..].iter().product::<usize>().max(1);
    array.data.chunks_mut(extent).for_each(|lane| softmax_lane(lane, logarithm));
    Ok(array)
}

fn softmax_lane(lane: &mut [f32], logarithm: bool) {
    let max = join(Reduction::Max, lane);
    let sum: f64 = lane.iter().map(|&x| f64::from((x - max).exp())).sum();
    if logarithm {
        let offset = max + sum.ln() as f32;
        lane.iter_mut().for_each(|x| *x -= offset);
    } else {
        lane.iter_mut().for_each(|x| *x = (f64::from((*x - max).exp()) / sum) as f32);
    }
}
