//! Inputs one after another.

use network::ActivationQuantization;

use super::onnxruntime::{Output, real};
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::map;
use crate::ops::movement;

/// Inputs one after another in the arithmetic of onnxruntime. Those quantized as the output go through as they are.
pub(super) fn onnxruntime(
    inputs: Vec<Input>,
    axis: usize,
    from: &[ActivationQuantization],
    output: ActivationQuantization,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let to = Output::new(output);
    let parts: Vec<Array> = inputs
        .into_iter()
        .zip(from)
        .map(|(x, &from)| match (from.scale, from.zero_point) == (output.scale, output.zero_point) {
            true => x.into_owned(buffers),
            false => map(x, buffers, |q| to.of(real(q, from))),
        })
        .collect();
    let rest: Vec<&Array> = parts[1..].iter().collect();
    let result = movement::concat(&parts[0], &rest, axis, buffers)?;
    parts.into_iter().for_each(|part| buffers.give(part.data));
    Ok(result)
}
