//! RESIZE_BILINEAR of LiteRT.

use crate::array::{Array, Buffers};
use crate::error::Problem;

/// How positions and weights are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub(super) align_corners: bool,
    pub(super) half_pixel: bool,
    pub(super) float: bool,
}

/// Resizes height and width of `[N, C, H, W]`.
pub(super) fn resize(x: &Array, mode: Mode, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let (&[n, c, height, width], &[to_n, to_c, to_height, to_width]) = (x.shape.as_slice(), shape) else {
        return Err(Problem::Invalid(format!("resizing of {:?} to {shape:?}", x.shape)));
    };
    if [n, c] != [to_n, to_c] || x.shape.contains(&0) || shape.contains(&0) {
        return Err(Problem::Invalid(format!("resizing of {:?} to {shape:?}", x.shape)));
    }
    let mut data = buffers.take(shape.iter().product());
    if mode.float {
        let (rows, columns) = (float_places(height, to_height, mode), float_places(width, to_width, mode));
        blend(x, width, [&rows, &columns], &mut data, |[a, b, c, d], y, x| {
            (a * (1.0 - y) * (1.0 - x) + b * y * (1.0 - x) + c * (1.0 - y) * x + d * y * x + 0.5).trunc()
        });
    } else {
        let (rows, columns) = (fixed_places(height, to_height, mode), fixed_places(width, to_width, mode));
        blend(x, width, [&rows, &columns], &mut data, |corners, y, x| {
            let [a, b, c, d] = corners.map(|q| q as i64);
            let sum = a * (ONE - y) * (ONE - x) + b * y * (ONE - x) + c * (ONE - y) * x + d * y * x;
            let half = if sum > 0 { 1 << (2 * FRACTION - 1) } else { -(1 << (2 * FRACTION - 1)) };
            ((sum + half) / (1 << (2 * FRACTION))) as f32
        });
    }
    Ok(Array::new(shape.to_vec(), data))
}

/// Where an element lies between two of the input: lower and upper neighbour, and the distance from the lower.
type Place<T> = (usize, usize, T);

/// Applies `f` to the four neighbours (top left, bottom left, top right, bottom right) and both distances.
fn blend<T: Copy>(
    x: &Array,
    width: usize,
    [rows, columns]: [&[Place<T>]; 2],
    data: &mut Vec<f32>,
    f: impl Fn([f32; 4], T, T) -> f32,
) {
    for plane in x.data.chunks_exact(x.shape[2] * width) {
        for &(top, bottom, y) in rows {
            for &(left, right, x) in columns {
                let at = |row: usize, column: usize| plane[row * width + column];
                data.push(f([at(top, left), at(bottom, left), at(top, right), at(bottom, right)], y, x));
            }
        }
    }
}

/// Bits of a position behind the point.
const FRACTION: u32 = 10;
const ONE: i64 = 1 << FRACTION;

/// Positions in 1/1024 of a pixel.
fn fixed_places(from: usize, to: usize, mode: Mode) -> Vec<Place<i64>> {
    let (from, to) = (from as i64, to as i64);
    let ratio = |from: i64, to: i64| (ONE * from + to / 2) / to;
    let step = if mode.align_corners && to > 1 { ratio(from - 1, to - 1) } else { ratio(from, to) };
    let place = |i: i64| {
        let position = if mode.half_pixel { i * step + step / 2 - ONE / 2 } else { i * step };
        let low = (position / ONE).max(0);
        let high = ((position + ONE - 1) / ONE).min(from - 1);
        (low.min(from - 1) as usize, high.max(0) as usize, position - ONE * low)
    };
    (0..to).map(place).collect()
}

/// Positions in 32-bit float.
fn float_places(from: usize, to: usize, mode: Mode) -> Vec<Place<f32>> {
    let step = match mode.align_corners && to > 1 {
        true => (from - 1) as f32 / (to - 1) as f32,
        false => from as f32 / to as f32,
    };
    let place = |i: usize| {
        let position = if mode.half_pixel { (i as f32 + 0.5) * step - 0.5 } else { i as f32 * step };
        let low = (position.floor().max(0.0) as usize).min(from - 1);
        let high = (position.ceil().max(0.0) as usize).min(from - 1);
        (low, high, position - low as f32)
    };
    (0..to).map(place).collect()
}
