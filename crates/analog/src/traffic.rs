//! What moves between the arrays and the memory beside them, in bits.

use crate::departures::Departures;
use crate::physical::Physical;

/// Bits that are moved for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) activation_bits: u128,
    pub(crate) partial_sum_bits: u128,
}

impl Traffic {
    /// Bits of the activations that are fetched and of the partial sums that are moved; `None` if they do not fit 128
    /// bits. A tile is applied to all positions before the next, as in a digital array:
    ///
    /// ```text
    /// activations   input bits · (1 if they fit the buffer, else strips of columns)
    /// partial sums  outputs · bits · (2 · tiles along the rows − 1)
    /// ```
    ///
    /// `output_len` is that of the layer. Padding is not fetched.
    pub(crate) fn new(departures: &Departures, physical: &Physical<'_>, output_len: usize) -> Option<Self> {
        let memory = &departures.memory;
        let input_bits = (physical.geometry.input_len() as u128).checked_mul(u128::from(memory.bits_per_activation))?;
        let fits = memory.activation_bits.is_none_or(|buffer| input_bits <= u128::from(buffer));
        let times = if fits { 1 } else { physical.tiling.column_strips() as u128 };
        let moves = 2 * physical.tiling.row_tiles() as u128 - 1;
        Some(Self {
            activation_bits: input_bits.checked_mul(times)?,
            partial_sum_bits: (output_len as u128)
                .checked_mul(u128::from(memory.bits_per_partial_sum))?
                .checked_mul(moves)?,
        })
    }
}
