//! What the hardware is. Nothing of it changes in a run.

use engine::Joules;

use crate::error::{DigitalError, MAX_PES};

/// Which weights share one bit width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// Every weight takes its own number of planes, and a pruned weight none.
    Weight,
    /// Every weight of a filter takes the planes of the widest one. Zeros do so too: they are gated off, but still take
    /// their cycles and energy. Two things are not computed: filters without a nonzero weight, and input channels whose
    /// weights are zero in every filter of their group.
    Filter,
    /// As [`Granularity::Filter`], with the planes of the widest weight of the layer.
    Layer,
    /// As [`Granularity::Filter`], with this number of planes for every weight of every layer. A layer with a wider
    /// weight is refused.
    Fixed(u32),
}

/// The description of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct ArraySpec {
    /// Name of the hardware, for reports.
    pub name: String,
    /// Rows, `R ≥ 1`. Without departures, filters are dealt to them in turn: row `r` computes filters `r`, `r + R`,
    /// ….
    pub rows: usize,
    /// Processing elements of a row, `E ≥ 1`. They share the weight and work on neighbouring output positions.
    pub pes_per_row: usize,
    /// Which weights share one bit width.
    pub granularity: Granularity,
    /// Energy of one element in one cycle in which it works. Without departures an idle element spends nothing.
    pub pe_cycle_energy: Joules,
}

impl ArraySpec {
    /// Refuses what no array can be.
    ///
    /// # Errors
    ///
    /// [`DigitalError`] if there is no row or no element, more than `2^32` elements, or an energy that is negative or
    /// not finite.
    pub(crate) fn check(&self) -> Result<(), DigitalError> {
        let array = || self.name.clone();
        for (what, count) in [("rows", self.rows), ("pes_per_row", self.pes_per_row)] {
            if count == 0 {
                return Err(DigitalError::Zero { array: array(), what });
            }
        }
        if self.rows.checked_mul(self.pes_per_row).is_none_or(|pes| pes > MAX_PES) {
            return Err(DigitalError::TooLarge { array: array(), rows: self.rows, pes_per_row: self.pes_per_row });
        }
        let energy = self.pe_cycle_energy.0;
        if !(energy.is_finite() && energy >= 0.0) {
            return Err(DigitalError::Energy { array: array(), energy });
        }
        Ok(())
    }
}
