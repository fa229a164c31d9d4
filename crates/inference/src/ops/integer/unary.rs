//! One integer to another.

use network::ActivationQuantization;

use super::lite_rt::clamp;
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;

/// A table of LiteRT.
pub(super) fn lookup(x: Input, first: i32, table: &[i32], buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    for q in &mut array.data {
        let index = usize::try_from(*q as i64 - i64::from(first)).ok();
        let entry = index.and_then(|index| table.get(index));
        *q = *entry.ok_or_else(|| Problem::Invalid(format!("{q} is no integer of the input's type")))? as f32;
    }
    Ok(array)
}

/// QUANTIZE of LiteRT, of real numbers: `round(x / scale) + zero_point`, ties away from 0.
pub(super) fn quantize(x: Input, output: &ActivationQuantization, buffers: &mut Buffers) -> Array {
    let mut array = x.into_owned(buffers);
    // A float converts to an integer saturating.
    array.data.iter_mut().for_each(|x| *x = clamp((*x / output.scale).round() as i32, output) as f32);
    array
}
