//! The operators of QONNX, as [`Quant`] states them.

use network::Quant;

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::{map, zip};

/// Runs one operator; `inputs` are x and, but for [`Quant::Trunc`], the scale and the zero point.
pub(crate) fn run(quant: Quant, inputs: Vec<Input>, buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut inputs = inputs.into_iter();
    match (quant, inputs.next(), inputs.next(), inputs.next()) {
        (Quant::Trunc { .. }, Some(x), None, None) => {
            Ok(map(x, buffers, |x| quant.truncated(x).expect("the operator is a Trunc")))
        }
        (Quant::Bipolar, Some(x), Some(scale), None) => {
            let steps = |x, scale| quant.steps(x, scale, 0.0).expect("the operator is no Trunc");
            zip(x, scale, buffers, |x, scale| steps(x, scale) * scale)
        }
        (Quant::Integer { .. } | Quant::Sign, Some(x), Some(scale), Some(zero_point)) => {
            let (scale, zero_point) = (scale.array(), zero_point.array());
            // Scale and zero point before rounding and behind it: each step is one of the reference, in 32-bit float.
            let quotient = zip(x, Input::Shared(scale), buffers, |x, scale| x / scale)?;
            let steps = |x, zero: f32| quant.steps(x, 1.0, zero).expect("the operator is no Trunc") - zero;
            let steps = zip(Input::Owned(quotient), Input::Shared(zero_point), buffers, steps)?;
            zip(Input::Owned(steps), Input::Shared(scale), buffers, |steps, scale| steps * scale)
        }
        _ => Err(Problem::Invalid("not the number of inputs that is expected".to_string())),
    }
}

/// `scale · n + bias`, where `n` counts the thresholds of the channel that an element reaches. Thresholds are `[C, count]`, or
/// `[1, count]` for all channels.
pub(crate) fn thresholds(
    x: &Array,
    thresholds: &Array,
    axis: usize,
    [scale, bias]: [f32; 2],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let channels = x.shape.get(axis).copied();
    let (&[rows, count], Some(channels)) = (thresholds.shape.as_slice(), channels) else {
        return Err(Problem::Invalid(format!("thresholds {:?} on axis {axis} of {:?}", thresholds.shape, x.shape)));
    };
    if rows != 1 && rows != channels {
        return Err(Problem::Invalid(format!("thresholds of {rows} channels; {channels} are expected")));
    }
    let [_, _, inner] = x.around(axis);
    let mut data = buffers.take(x.data.len());
    for (i, plane) in x.data.chunks(inner.max(1)).enumerate() {
        let own = &thresholds.data[if rows == 1 { 0 } else { i % channels * count }..][..count];
        let reached = |x: &f32| own.iter().filter(|&threshold| x >= threshold).count();
        data.extend(plane.iter().map(|x| scale * reached(x) as f32 + bias));
    }
    Ok(Array::new(x.shape.clone(), data))
}
