//! Averages over windows.

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
