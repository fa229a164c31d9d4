//! Averages over windows, and bilinear resizing in fixed point.

use network::Pool;

use crate::array::{Array, Buffers};
use crate::error::Problem;

/// Means over the elements of windows that lie in the input, ties away from 0.
pub(super) fn average(
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
                let sum: i64 =
                    rows.map(|y| plane[y * width..][columns.clone()].iter().map(|&q| q as i64).sum::<i64>()).sum();
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

/// Bits of a position behind the point.
const FRACTION: u32 = 10;
const ONE: i64 = 1 << FRACTION;

/// Where the elements of an axis lie between those of another.
struct Axis {
    /// Lower and upper neighbour, and the distance from the lower in 1/1024.
    places: Vec<(usize, usize, i64)>,
}

impl Axis {
    fn new(from: usize, to: usize, align_corners: bool, half_pixel: bool) -> Self {
        let (from, to) = (from as i64, to as i64);
        let ratio = |from: i64, to: i64| (ONE * from + to / 2) / to;
        let step = if align_corners && to > 1 { ratio(from - 1, to - 1) } else { ratio(from, to) };
        let place = |i: i64| {
            let position = if half_pixel { i * step + step / 2 - ONE / 2 } else { i * step };
            let low = (position / ONE).max(0);
            let high = ((position + ONE - 1) / ONE).min(from - 1);
            (low.min(from - 1) as usize, high.max(0) as usize, position - ONE * low)
        };
        Self { places: (0..to).map(place).collect() }
    }
}

/// Resizes height and width of `[N, C, H, W]`, positions and weights in 1/1024, rounded once, ties away from 0.
pub(super) fn resize(
    x: &Array,
    align_corners: bool,
    half_pixel: bool,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let (&[n, c, height, width], &[to_n, to_c, to_height, to_width]) = (x.shape.as_slice(), shape) else {
        return Err(Problem::Invalid(format!("resizing of {:?} to {shape:?}", x.shape)));
    };
    if [n, c] != [to_n, to_c] || x.shape.contains(&0) || shape.contains(&0) {
        return Err(Problem::Invalid(format!("resizing of {:?} to {shape:?}", x.shape)));
    }
    let rows = Axis::new(height, to_height, align_corners, half_pixel);
    let columns = Axis::new(width, to_width, align_corners, half_pixel);
    let mut data = buffers.take(shape.iter().product());
    for plane in x.data.chunks_exact(height * width) {
        for &(top, bottom, y) in &rows.places {
            for &(left, right, x) in &columns.places {
                let at = |row: usize, column: usize| plane[row * width + column] as i64;
                let sum = at(top, left) * (ONE - y) * (ONE - x)
                    + at(bottom, left) * y * (ONE - x)
                    + at(top, right) * (ONE - y) * x
                    + at(bottom, right) * y * x;
                let half = if sum > 0 { 1 << (2 * FRACTION - 1) } else { -(1 << (2 * FRACTION - 1)) };
                data.push(((sum + half) / (1 << (2 * FRACTION))) as f32);
            }
        }
    }
    Ok(Array::new(shape.to_vec(), data))
}
