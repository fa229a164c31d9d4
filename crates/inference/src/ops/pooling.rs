//! Maximum and mean over windows.

use network::Pool;

use crate::array::{Array, Buffers};
use crate::error::Problem;

/// Which number stands for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    Max,
    Mean,
}

/// Pools `[N, C, H, W]` or `[N, C, W]` to `out_shape`.
pub(crate) fn pool(
    x: &Array,
    pool: &Pool,
    statistic: Statistic,
    out_shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let (in_size, out_size) = (plane_size(&x.shape)?, plane_size(out_shape)?);
    if x.shape[..2] != out_shape[..2] {
        return Err(Problem::Invalid(format!("pooling of shape {:?} cannot make {out_shape:?}", x.shape)));
    }
    let windows = [0, 1].map(|axis| Windows::new(pool, axis, in_size[axis], out_size[axis]));
    if let Some(axis) = windows.iter().position(|windows| windows.taps.iter().any(Vec::is_empty)) {
        let size = [pool.kernel[axis], pool.dilation[axis]];
        return Err(Problem::Invalid(format!("a window (kernel, dilation {size:?}) lies on padding alone")));
    }
    let mut data = buffers.take(out_shape.iter().product());
    for plane in x.data.chunks_exact((in_size[0] * in_size[1]).max(1)) {
        match statistic {
            Statistic::Max => pool_plane(plane, in_size[1], &windows, &mut data, f32::NEG_INFINITY, larger, |x, _| x),
            Statistic::Mean => {
                let divide = |sum: f32, [inside, whole]: [u128; 2]| {
                    sum / (if pool.count_include_pad { whole } else { inside }) as f32
                };
                pool_plane(plane, in_size[1], &windows, &mut data, 0.0, |sum, x| sum + x, divide);
            }
        }
    }
    Ok(Array::new(out_shape.to_vec(), data))
}

fn plane_size(shape: &[usize]) -> Result<[usize; 2], Problem> {
    match *shape {
        [_, _, height, width] => Ok([height, width]),
        [_, _, width] => Ok([1, width]),
        _ => Err(Problem::Unsupported(format!("pooling of shape {shape:?}; one or two axes of space are handled"))),
    }
}

/// The windows along one axis.
struct Windows {
    /// Input indices that each window reads, padding left out.
    taps: Vec<Vec<usize>>,
    /// Elements that each window covers, padding counted, but not what lies beyond it in `ceil_mode`.
    covered: Vec<usize>,
}

impl Windows {
    /// In time and memory of what is read: a window may be far larger than the input.
    fn new(pool: &Pool, axis: usize, in_extent: usize, out_extent: usize) -> Self {
        let (before, after) = (pool.pads[axis], pool.pads[axis + 2]);
        let (kernel, dilation) = (pool.kernel[axis], pool.dilation[axis].max(1));
        let start = |out: usize| out.saturating_mul(pool.stride[axis]);
        // How many elements of the window lie before this place of the padded input.
        let before_place = |out, place: usize| place.saturating_sub(start(out)).div_ceil(dilation).min(kernel);
        let end = before.saturating_add(in_extent);
        let taps = |out| {
            let inside = before_place(out, before)..before_place(out, end);
            inside.map(|k| start(out) + k * dilation - before).collect()
        };
        Self {
            taps: (0..out_extent).map(taps).collect(),
            covered: (0..out_extent).map(|out| before_place(out, end.saturating_add(after))).collect(),
        }
    }
}

fn pool_plane(
    plane: &[f32],
    width: usize,
    [rows, columns]: &[Windows; 2],
    output: &mut Vec<f32>,
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
    finish: impl Fn(f32, [u128; 2]) -> f32,
) {
    for (ys, covered_y) in rows.taps.iter().zip(&rows.covered) {
        for (xs, covered_x) in columns.taps.iter().zip(&columns.covered) {
            let mut result = start;
            for y in ys {
                let row = &plane[y * width..(y + 1) * width];
                result = xs.iter().fold(result, |result, &x| fold(result, row[x]));
            }
            let product = |y: usize, x: usize| y as u128 * x as u128;
            output.push(finish(result, [product(ys.len(), xs.len()), product(*covered_y, *covered_x)]));
        }
    }
}

/// The larger; NaN once one is seen.
fn larger(max: f32, x: f32) -> f32 {
    if x > max || x.is_nan() { x } else { max }
}
