//! What compression gains: a network held against the one that it was made of, on the same hardware.
//!
//! The main function is [`gains`]. A gain is what the network before takes over what the network after takes, so that 4
//! means a quarter. Each cost is held against its ideal, which makes full use of the compression:
//!
//! - **Weights in memory** shrink like the bits of effective weights, [`Quantity::EffectiveWeightBits`].
//! - **All other energy** of digital hardware shrinks like ESN_d, and that of analog hardware like its metric.
//! - **Cycles** of digital hardware shrink like ESN_d, those of analog hardware like [`Quantity::OutputPositions`].
//!
//! ESN_d is the ideal of all digital hardware, also of that whose own metric is ESN'_d. For ESN'_d counts zeros in filters as
//! work, and what such zeros cost is asked here.
//!
//! Where hardware gains less than its ideal, its ledger says what ate the difference. Energy is a sum, so that a part loses what
//! it takes beyond its ideal: [`EnergyGain::share_of_losses`]. Cycles are a product, so that a factor which grows divides the gain:
//! [`CycleFactor`].

mod cycles;
mod energy;
mod quantity;
mod work;

#[cfg(test)]
mod tests;

use esn::LayerEsn;

use crate::bits::BitCounts;
use crate::cost::{LayerCost, NetworkCost};
use crate::detail::LayerDetail;
use crate::hardware::{Hardware, HardwareFile, Metric};

pub use cycles::{CycleCause, CycleFactor, CycleGain};
pub use energy::{Cause, EnergyGain, EnergyPart};
pub use quantity::{CountGain, Quantity};

/// Gains that differ by no more than this part are called the same, so that nothing is to be explained.
pub const SAME: f64 = 0.02;

/// A network that is compared: what it costs, and what else is known of it, all at one quantization.
#[derive(Clone, Copy, Debug)]
pub struct ComparedNetwork<'a> {
    /// What it costs, with a run for each hardware.
    pub cost: &'a NetworkCost,
    /// [`crate::details`] of its layers.
    pub details: &'a [LayerDetail],
    /// Its bits.
    pub bits: BitCounts,
}

impl<'a> ComparedNetwork<'a> {
    fn layers(self) -> impl Iterator<Item = (&'a LayerCost, &'a LayerDetail)> {
        self.cost.layers.iter().zip(self.details)
    }
}

/// What a network gains over another one.
#[derive(Clone, Debug)]
pub struct Gains {
    /// Counts of the networks alone, in the order of [`Quantity::ALL`].
    pub quantities: Vec<(Quantity, CountGain)>,
    /// Energy and cycles, in the order of the hardware.
    pub hardware: Vec<HardwareGain>,
    /// Filters of the network after that are wholly zero and still in its tensors.
    pub dead_filters: u128,
    /// All filters of the network after.
    pub filters: u128,
}

/// What one hardware makes of the two networks, for one image.
#[derive(Clone, Debug)]
pub struct HardwareGain {
    /// Energy.
    pub energy: EnergyGain,
    /// Cycles.
    pub cycles: CycleGain,
}

/// Holds a network against the one that it was made of. Both were costed on `hardware`.
pub fn gains(hardware: &[Hardware], before: ComparedNetwork<'_>, after: ComparedNetwork<'_>) -> Gains {
    let networks = [before, after];
    let LayerEsn { filters, live_filters, .. } = after.cost.esn;
    let of_hardware = |(h, hardware): (usize, &Hardware)| HardwareGain {
        energy: EnergyGain::new(h, hardware, networks),
        cycles: CycleGain::new(h, hardware, networks),
    };
    Gains {
        quantities: Quantity::ALL.into_iter().map(|quantity| (quantity, CountGain::new(quantity, networks))).collect(),
        hardware: hardware.iter().enumerate().map(of_hardware).collect(),
        dead_filters: filters - live_filters,
        filters,
    }
}

/// What the arithmetic of ideal hardware of this kind is in proportion to.
fn ideal_arithmetic(hardware: &Hardware) -> Quantity {
    match hardware.metric {
        Metric::EsnA => Quantity::EsnA,
        Metric::EsnD | Metric::EsnDFilter => Quantity::EsnD,
    }
}

/// What the cycles of ideal hardware of this kind are in proportion to.
fn ideal_cycles(hardware: &Hardware) -> Quantity {
    match hardware.resolved {
        HardwareFile::Analog(_) => Quantity::OutputPositions,
        HardwareFile::Digital(_) => Quantity::EsnD,
    }
}

/// `x / y`; none where one of the two is 0.
fn over(x: f64, y: f64) -> Option<f64> {
    (x > 0.0 && y > 0.0).then(|| x / y)
}
