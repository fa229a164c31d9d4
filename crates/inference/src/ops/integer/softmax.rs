//! Softmax along one axis.

use network::ActivationQuantization;

use super::onnxruntime::{Output, real};
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::map;
use crate::ops::reduce;

/// Softmax of real numbers between integers, in the arithmetic of onnxruntime.
pub(super) fn onnxruntime(
    x: Input,
    axis: usize,
    from: ActivationQuantization,
    to: Output,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let x = map(x, buffers, |q| real(q, from));
    let soft = reduce::softmax(Input::Owned(x), axis, false, buffers)?;
    Ok(map(Input::Owned(soft), buffers, |x| to.of(x)))
}

/// SOFTMAX of LiteRT by a table of exponentials:
/// `e^(−beta · s_x · d)` for the distance `d` of an integer to the largest of its row, added up in 32-bit float in order,
/// and the quotient rounded to the scale of the output.
pub(super) fn lite_rt(
    mut x: Array,
    axis: usize,
    beta: f32,
    [input, output]: [&ActivationQuantization; 2],
) -> Result<Array, Problem> {
    if axis >= x.shape.len() {
        return Err(Problem::Invalid(format!("axis {axis} of {:?}", x.shape)));
    }
    let scale = -input.scale * beta;
    let table: Vec<f32> = (0..256).map(|distance| (scale * distance as f32).exp()).collect();
    let [_, count, inner] = x.around(axis);
    for block in x.data.chunks_exact_mut((count * inner).max(1)) {
        for i in 0..inner {
            let row = || (0..count).map(|k| k * inner + i);
            let largest = row().map(|at| block[at]).fold(f32::NEG_INFINITY, f32::max);
            let term = |q: f32| table[((largest - q) as usize).min(255)];
            let sum = row().fold(0.0f32, |sum, at| sum + term(block[at]));
            let factor = 1.0 / (sum * output.scale);
            for at in row() {
                let rounded = (term(block[at]) * factor).round() as i32;
                block[at] = rounded.saturating_add(output.zero_point).clamp(output.min, output.max) as f32;
            }
        }
    }
    Ok(x)
}
