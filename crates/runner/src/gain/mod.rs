//! What compression gains: a network held against the one that it was made of, on the same hardware.
//!
//! The main function is [`gains`]. A gain is what the network before takes over what the network after takes, so that 4
//! means a quarter. Where hardware gains less than the metric of its kind, its ledger says what ate the difference:
//! [`EnergyLoss`] and [`CycleLoss`].

mod energy;
mod time;
mod work;

#[cfg(test)]
mod tests;

use esn::{LayerEsn, Quarters};

use crate::cost::{LayerCost, NetworkCost};
use crate::detail::LayerDetail;
use crate::hardware::{Hardware, HardwareFile, Metric};
use crate::runs::PerImage;

pub use energy::{Cause, EnergyLoss, EnergyPart};
pub use time::{CycleCause, CycleLoss};

/// Gains that differ by no more than this part are called the same, so that nothing is to be explained.
pub const SAME: f64 = 0.02;

/// A network that is compared: what it costs, and the detail of its layers, both at one quantization.
#[derive(Clone, Copy, Debug)]
pub struct ComparedNetwork<'a> {
    /// What it costs, with a run for each hardware.
    pub cost: &'a NetworkCost,
    /// [`crate::details`] of its layers.
    pub details: &'a [LayerDetail],
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

/// What a network is counted in without any hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Weights in the tensors, each tensor once: the parameters.
    Weights,
    /// Weights that are not pruned, each tensor once.
    EffectiveWeights,
    /// MACs of weights that are not pruned, of one image.
    EffectiveMacs,
    /// The same MACs, each times the bits of the widest weight of its layer. Bits of activations are left out: compression
    /// of weights leaves them as they are, so that they are no part of the gain.
    BitOperations,
    /// Equation (2), of one image.
    EsnA,
    /// Equation (3), of one image.
    EsnD,
    /// Equation (7), of one image.
    EsnDFilter,
}

impl Quantity {
    /// All of them, in the order of reports.
    pub const ALL: [Quantity; 7] = [
        Quantity::Weights,
        Quantity::EffectiveWeights,
        Quantity::EffectiveMacs,
        Quantity::BitOperations,
        Quantity::EsnA,
        Quantity::EsnD,
        Quantity::EsnDFilter,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Quantity::Weights => "weights",
            Quantity::EffectiveWeights => "effective weights",
            Quantity::EffectiveMacs => "effective MACs",
            Quantity::BitOperations => "bit operations",
            Quantity::EsnA => "ESN_a",
            Quantity::EsnD => "ESN_d",
            Quantity::EsnDFilter => "ESN'_d",
        }
    }

    /// The count as files write it: ESN_a is a multiple of 0.25, all others are integers.
    pub fn text(self, count: u128) -> String {
        match self {
            Quantity::EsnA => Quarters(count).to_string(),
            Quantity::Weights
            | Quantity::EffectiveWeights
            | Quantity::EffectiveMacs
            | Quantity::BitOperations
            | Quantity::EsnD
            | Quantity::EsnDFilter => count.to_string(),
        }
    }

    /// ESN_a is counted in quarters.
    fn of(self, cost: &NetworkCost) -> u128 {
        let LayerEsn { weights, nonzero, esn_a_quarters_macs, esn_d_macs, esn_d_filter, .. } = cost.esn;
        match self {
            Quantity::Weights => weights,
            Quantity::EffectiveWeights => nonzero,
            Quantity::EffectiveMacs => cost.layers.iter().map(|layer| layer.nonzero_macs).sum(),
            Quantity::BitOperations => {
                cost.layers.iter().map(|layer| layer.nonzero_macs * u128::from(layer.esn.max_bits)).sum()
            }
            Quantity::EsnA => esn_a_quarters_macs,
            Quantity::EsnD => esn_d_macs,
            Quantity::EsnDFilter => esn_d_filter,
        }
    }
}

/// A count of two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountGain {
    /// Of the network before.
    pub before: u128,
    /// Of the network after.
    pub after: u128,
}

impl CountGain {
    /// `before / after`; none where one of the two is 0.
    pub fn factor(self) -> Option<f64> {
        over(self.before as f64, self.after as f64)
    }
}

/// What one hardware makes of the two networks, for one image.
#[derive(Clone, Debug)]
pub struct HardwareGain {
    /// Energy before and after, in joules, all entries of the ledger.
    pub energy_j: [f64; 2],
    /// Cycles before and after.
    pub cycles: [PerImage; 2],
    /// The metric that ideal hardware of this kind spends: ESN_d of digital hardware, ESN_a of analog hardware.
    pub promised_by: Metric,
    /// What ideal hardware of this kind gains in energy: the gain of that metric.
    pub promised: Option<f64>,
    /// Whether it is analog hardware. An ideal analog array takes a cycle for each output position, whatever the weights are.
    pub is_analog: bool,
    /// What ideal hardware of this kind gains in cycles: as much as in energy on the digital side.
    pub promised_cycles: Option<f64>,
    /// What the energy is spent on, before and after.
    pub energy_parts: Vec<EnergyPart>,
    /// What ate most of the gain in energy; none where the hardware gains what is promised.
    pub energy_loss: Option<EnergyLoss>,
    /// What ate most of the gain in cycles; none where the hardware gains what is promised, and on analog hardware.
    pub cycle_loss: Option<CycleLoss>,
}

impl HardwareGain {
    /// The gain in energy; none where one of the networks takes none.
    pub fn energy(&self) -> Option<f64> {
        over(self.energy_j[0], self.energy_j[1])
    }

    /// The gain in cycles; none where one of the networks takes none.
    pub fn in_cycles(&self) -> Option<f64> {
        over(self.cycles[0].to_f64(), self.cycles[1].to_f64())
    }

    fn new(h: usize, hardware: &Hardware, before: ComparedNetwork<'_>, after: ComparedNetwork<'_>) -> Self {
        let runs = [&before.cost.totals[h], &after.cost.totals[h]];
        let (quantity, promised_by) = match hardware.metric {
            Metric::EsnA => (Quantity::EsnA, Metric::EsnA),
            Metric::EsnD | Metric::EsnDFilter => (Quantity::EsnD, Metric::EsnD),
        };
        let promised = CountGain { before: quantity.of(before.cost), after: quantity.of(after.cost) }.factor();
        let is_analog = match hardware.resolved {
            HardwareFile::Analog(_) => true,
            HardwareFile::Digital(_) => false,
        };
        let [first, second] =
            [before, after].map(|network| network.layers().map(|(layer, _)| layer.positions).sum::<u64>());
        let promised_cycles = if is_analog { over(first as f64, second as f64) } else { promised };
        let energy_parts = energy::parts(h, hardware, before, after);
        Self {
            energy_j: runs.map(|run| run.energy_j()),
            cycles: runs.map(|run| run.cycles()),
            promised_by,
            promised,
            is_analog,
            promised_cycles,
            energy_loss: promised.and_then(|promised| energy::loss(&energy_parts, promised)),
            cycle_loss: promised
                .filter(|_| !is_analog)
                .and_then(|promised| time::loss(h, hardware, [before, after], promised)),
            energy_parts,
        }
    }
}

/// Holds a network against the one that it was made of. Both were costed on `hardware`.
pub fn gains(hardware: &[Hardware], before: ComparedNetwork<'_>, after: ComparedNetwork<'_>) -> Gains {
    let count = |quantity: Quantity| CountGain { before: quantity.of(before.cost), after: quantity.of(after.cost) };
    let LayerEsn { filters, live_filters, .. } = after.cost.esn;
    Gains {
        quantities: Quantity::ALL.into_iter().map(|quantity| (quantity, count(quantity))).collect(),
        hardware: hardware.iter().enumerate().map(|(h, of)| HardwareGain::new(h, of, before, after)).collect(),
        dead_filters: filters - live_filters,
        filters,
    }
}

/// `x / y`; none where one of the two is 0.
fn over(x: f64, y: f64) -> Option<f64> {
    (x > 0.0 && y > 0.0).then(|| x / y)
}
