//! Maximum and mean over windows.

use network::{Pool, PoolAxis};

use crate::array::{Array, Buffers};
use crate::error::Problem;

/// Which number stands for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    Max,
    Mean,
}

/// Pools `[N, C, D, H, W]`, `[N, C, H, W]` or `[N, C, W]` to `out_shape`.
pub(crate) fn pool(
    x: &Array,
    pool: &Pool,
    statistic: Statistic,
    out_shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let (in_size, out_size) = (space(&x.shape)?, space(out_shape)?);
    if x.shape[..2] != out_shape[..2] {
        return Err(Problem::Invalid(format!("pooling of shape {:?} cannot make {out_shape:?}", x.shape)));
    }
    let axes = pool.axes();
    let windows = [0, 1, 2].map(|axis| Windows::new(&axes[axis], in_size[axis], out_size[axis]));
    if let Some(axis) = windows.iter().position(|windows| windows.taps.iter().any(Vec::is_empty)) {
        let size = [axes[axis].kernel, axes[axis].dilation];
        return Err(Problem::Invalid(format!("a window (kernel, dilation {size:?}) lies on padding alone")));
    }
    let mut data = buffers.filled(out_shape.iter().product());
    let [_, height, width] = in_size;
    let channels = Channels { data: &x.data, len: in_size.iter().product(), height, width };
    match statistic {
        Statistic::Max => pool_channels(&channels, &windows, &mut data, f32::NEG_INFINITY, larger, |x, _| x),
        Statistic::Mean => {
            let divide = |sum: f32, [inside, whole]: [u128; 2]| {
                sum / (if pool.count_include_pad { whole } else { inside }) as f32
            };
            pool_channels(&channels, &windows, &mut data, 0.0, |sum, x| sum + x, divide);
        }
    }
    Ok(Array::new(out_shape.to_vec(), data))
}

/// Depth, height and width.
fn space(shape: &[usize]) -> Result<[usize; 3], Problem> {
    match *shape {
        [_, _, depth, height, width] => Ok([depth, height, width]),
        [_, _, height, width] => Ok([1, height, width]),
        [_, _, width] => Ok([1, 1, width]),
        _ => Err(Problem::Unsupported(format!("pooling of shape {shape:?}; one to three axes of space are handled"))),
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
    fn new(axis: &PoolAxis, in_extent: usize, out_extent: usize) -> Self {
        let [before, after] = axis.pads;
        let (kernel, dilation) = (axis.kernel, axis.dilation.max(1));
        let start = |out: usize| out.saturating_mul(axis.stride);
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

/// The channels of all images, `[channels, depth, height, width]`, each of `len` elements.
struct Channels<'a> {
    data: &'a [f32],
    len: usize,
    height: usize,
    width: usize,
}

/// Channels that are folded side by side: a processor adds many numbers while it waits for one sum.
const ABREAST: usize = 8;

fn pool_channels(
    channels: &Channels<'_>,
    windows: &[Windows; 3],
    output: &mut [f32],
    start: f32,
    fold: impl Fn(f32, f32) -> f32 + Copy,
    finish: impl Fn(f32, [u128; 2]) -> f32 + Copy,
) {
    let made: usize = windows.iter().map(|axis| axis.taps.len()).product();
    let (inputs, outputs) = (channels.len * ABREAST, made * ABREAST);
    if channels.len == 0 || made == 0 {
        return;
    }
    let blocks = channels.data.chunks_exact(inputs).zip(output.chunks_exact_mut(outputs));
    blocks.for_each(|(data, output)| pool_block::<ABREAST>(channels, data, windows, output, start, fold, finish));
    let done = channels.data.len() / inputs;
    let rest =
        channels.data[done * inputs..].chunks_exact(channels.len).zip(output[done * outputs..].chunks_exact_mut(made));
    rest.for_each(|(data, output)| pool_block::<1>(channels, data, windows, output, start, fold, finish));
}

/// Pools `N` channels, each in the order of its window.
fn pool_block<const N: usize>(
    channels: &Channels<'_>,
    data: &[f32],
    [planes, rows, columns]: &[Windows; 3],
    output: &mut [f32],
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
    finish: impl Fn(f32, [u128; 2]) -> f32,
) {
    let made = output.len() / N;
    let mut place = 0;
    for (zs, covered_z) in planes.taps.iter().zip(&planes.covered) {
        for (ys, covered_y) in rows.taps.iter().zip(&rows.covered) {
            for (xs, covered_x) in columns.taps.iter().zip(&columns.covered) {
                let mut results = [start; N];
                for (z, y) in zs.iter().flat_map(|z| ys.iter().map(move |y| (z, y))) {
                    let row = (z * channels.height + y) * channels.width;
                    let rows: [&[f32]; N] = std::array::from_fn(|n| &data[n * channels.len + row..][..channels.width]);
                    for &x in xs {
                        for n in 0..N {
                            results[n] = fold(results[n], rows[n][x]);
                        }
                    }
                }
                let product = |extents: [usize; 3]| extents.iter().map(|&n| n as u128).product();
                let inside = product([zs.len(), ys.len(), xs.len()]);
                let whole = product([*covered_z, *covered_y, *covered_x]);
                for (n, result) in results.into_iter().enumerate() {
                    output[n * made + place] = finish(result, [inside, whole]);
                }
                place += 1;
            }
        }
    }
}

/// The larger; NaN once one is seen.
fn larger(max: f32, x: f32) -> f32 {
    if x > max || x.is_nan() { x } else { max }
}
