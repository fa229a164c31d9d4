//! What an engine counts.

use crate::event::IdleCause;
use crate::ledger::{Cycles, Ledger};
use crate::weights::WeightMemory;

/// What one layer cost, for one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerRun {
    /// Cycles from the first to the last, the latency of the layer.
    pub cycles: Cycles,
    /// Energy, by kind of event.
    pub ledger: Ledger,
    /// How much of the hardware did work.
    pub occupancy: Occupancy,
    /// Why hardware did no work: each cause with its count, in the unit of [`Occupancy`]. The counts add up to
    /// `offered − used`.
    pub idle: Vec<(IdleCause, u128)>,
    /// What the weights take in the memory of the hardware, in the format of [`crate::MacEngine::weight_format`]. Hardware that
    /// fetches weights fetches all of these bits.
    pub memory: WeightMemory,
}

impl LayerRun {
    /// How much hardware did no work for this reason; 0 where the engine does not know the cause.
    pub fn idle_by(&self, cause: IdleCause) -> u128 {
        self.idle.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }
}

/// How much of the hardware that was there did work: `used / offered`. Both are work over time, in PE-cycles or
/// cell-cycles, so that the sum over layers is weighted by their cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Cycles of all processing elements (PEs) in which they were busy, or of all cells in which they were read and held
    /// a weight.
    pub used: u128,
    /// Cycles of the layer times processing elements, or times cells.
    pub offered: u128,
}

impl Occupancy {
    /// `used / offered`; 0 where nothing was offered.
    pub fn utilization(&self) -> f64 {
        if self.offered == 0 { 0.0 } else { self.used as f64 / self.offered as f64 }
    }

    /// Both counts added.
    pub fn merge(self, other: Occupancy) -> Occupancy {
        Occupancy { used: self.used + other.used, offered: self.offered + other.offered }
    }
}
