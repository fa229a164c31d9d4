//! What a network is counted in without any hardware.

use esn::{LayerEsn, Quarters};

use super::{ComparedNetwork, over};
use crate::hardware::Metric;

/// What a network is counted in without any hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Weights in the tensors, each tensor once: the parameters.
    Weights,
    /// Weights that are not pruned, each tensor once.
    EffectiveWeights,
    /// The weights of each layer that are not pruned, each in the bits of the layer's widest: what memory of weights has to
    /// deliver at least.
    EffectiveWeightBits,
    /// MACs of weights that are not pruned, of one image.
    EffectiveMacs,
    /// [`BitCounts::bit_operations`](crate::BitCounts::bit_operations), of one image.
    BitOperations,
    /// [`BitCounts::effective_bit_operations`](crate::BitCounts::effective_bit_operations), of one image.
    EffectiveBitOperations,
    /// Output positions of all layers, of one image: the cycles of an ideal analog array.
    OutputPositions,
    /// Equation (2), of one image.
    EsnA,
    /// Equation (3), of one image.
    EsnD,
    /// Equation (7), of one image.
    EsnDFilter,
}

impl Quantity {
    /// All of them, in the order of reports.
    pub const ALL: [Quantity; 10] = [
        Quantity::Weights,
        Quantity::EffectiveWeights,
        Quantity::EffectiveWeightBits,
        Quantity::EffectiveMacs,
        Quantity::BitOperations,
        Quantity::EffectiveBitOperations,
        Quantity::OutputPositions,
        Quantity::EsnA,
        Quantity::EsnD,
        Quantity::EsnDFilter,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Quantity::Weights => "weights",
            Quantity::EffectiveWeights => "effective weights",
            Quantity::EffectiveWeightBits => "bits of effective weights",
            Quantity::EffectiveMacs => "effective MACs",
            Quantity::BitOperations => "bit operations",
            Quantity::EffectiveBitOperations => "effective bit operations",
            Quantity::OutputPositions => "output positions",
            Quantity::EsnA => Metric::EsnA.name(),
            Quantity::EsnD => Metric::EsnD.name(),
            Quantity::EsnDFilter => Metric::EsnDFilter.name(),
        }
    }

    /// The count as files write it: ESN_a is a multiple of 0.25, all others are integers.
    pub fn text(self, count: u128) -> String {
        if self == Quantity::EsnA { Quarters(count).to_string() } else { count.to_string() }
    }

    /// ESN_a is counted in quarters.
    fn of(self, network: ComparedNetwork<'_>) -> u128 {
        let ComparedNetwork { cost, bits, .. } = network;
        let LayerEsn { weights, nonzero, esn_a_quarters_macs, esn_d_macs, esn_d_filter, .. } = cost.esn;
        match self {
            Quantity::Weights => weights,
            Quantity::EffectiveWeights => nonzero,
            Quantity::EffectiveWeightBits => {
                cost.layers.iter().map(|layer| layer.esn.nonzero * u128::from(layer.esn.max_bits)).sum()
            }
            Quantity::EffectiveMacs => cost.layers.iter().map(|layer| layer.nonzero_macs).sum(),
            Quantity::BitOperations => bits.bit_operations,
            Quantity::EffectiveBitOperations => bits.effective_bit_operations,
            Quantity::OutputPositions => cost.layers.iter().map(|layer| u128::from(layer.positions)).sum(),
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
    /// The count of two networks.
    pub(super) fn new(quantity: Quantity, [before, after]: [ComparedNetwork<'_>; 2]) -> Self {
        Self { before: quantity.of(before), after: quantity.of(after) }
    }

    /// `before / after`; none where one of the two is 0.
    pub fn factor(self) -> Option<f64> {
        over(self.before as f64, self.after as f64)
    }
}
