//! Bits that a network holds, multiplies and moves: what is often taken for its cost where no hardware is known.

use std::iter::Sum;

use network::{MacLayer, Network};

use crate::cost::{LayerCost, NetworkCost};
use crate::detail::LayerDetail;

/// Bits of one image, each a sum over layers. Pruned filters and pruned input channels count nowhere.
///
/// A layer has one width, that of its widest weight by equation (3), which is what is multiplied. Its activations have the width that
/// the file states, else one that is given.
///
/// A memory may need one bit more for each weight of a layer ([`LayerDetail::live_memory_bits`]): where zeros are stored on mid-rise, whose
/// codes are all taken by other weights, and where the largest weight on mid-tread is +2^n steps. −1, 0 and 1 have one bit by equation
/// (3), and two in memory.
///
/// # Panics
///
/// Making them and adding them up panics if a count passes `u128::MAX`, which no layer reaches: a network's dimensions are bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitCounts {
    /// Weights × width. Weights that several layers share count once.
    pub model_bits: u128,
    /// MACs × width × bits of an activation.
    pub bit_operations: u128,
    /// The same of weights that are not pruned.
    pub effective_bit_operations: u128,
    /// Weights that are fetched, each layer once, × width.
    pub weight_bits: u128,
    /// Bits of activations that are moved: each layer reads its input once and writes its output once.
    pub activation_bits: u128,
    /// Sums that become outputs: filters × output positions.
    pub outputs: u128,
}

impl BitCounts {
    /// The counts of a network of which `cost` and `details` are known. Activations have `activation_bits` bits where the
    /// file does not state a width.
    pub fn new(network: &Network, cost: &NetworkCost, details: &[LayerDetail], activation_bits: u32) -> Self {
        let layers = network.layers().iter().zip(&cost.layers).zip(details);
        layers.map(|((layer, cost), detail)| Self::of_layer(layer, cost, detail, activation_bits)).sum()
    }

    /// The counts of one layer.
    pub fn of_layer(layer: &MacLayer, cost: &LayerCost, detail: &LayerDetail, activation_bits: u32) -> Self {
        let width = u128::from(cost.esn.max_bits);
        let stated = layer.input_quantization.map(|activation| activation.bits());
        let of_activation = u128::from(stated.unwrap_or(activation_bits));
        let weights = times(detail.computed_weights, width);
        let outputs = times(cost.esn.live_filters, cost.positions.into());
        let input_of_channel = (layer.geometry.input_len() / layer.geometry.spec().in_channels) as u128;
        let inputs = times(detail.live_channels.into(), input_of_channel);
        let of_macs = times(width, of_activation);
        Self {
            model_bits: if detail.is_further_use { 0 } else { weights },
            bit_operations: times(detail.computed_macs, of_macs),
            effective_bit_operations: times(cost.nonzero_macs, of_macs),
            weight_bits: weights,
            activation_bits: times(plus(inputs, outputs), of_activation),
            outputs,
        }
    }
}

impl Sum for BitCounts {
    fn sum<I: Iterator<Item = BitCounts>>(layers: I) -> BitCounts {
        layers.fold(BitCounts::default(), |sum, layer| BitCounts {
            model_bits: plus(sum.model_bits, layer.model_bits),
            bit_operations: plus(sum.bit_operations, layer.bit_operations),
            effective_bit_operations: plus(sum.effective_bit_operations, layer.effective_bit_operations),
            weight_bits: plus(sum.weight_bits, layer.weight_bits),
            activation_bits: plus(sum.activation_bits, layer.activation_bits),
            outputs: plus(sum.outputs, layer.outputs),
        })
    }
}

const FITS: &str = "counts of real layers fit 128 bits";

fn times(a: u128, b: u128) -> u128 {
    a.checked_mul(b).expect(FITS)
}

fn plus(a: u128, b: u128) -> u128 {
    a.checked_add(b).expect(FITS)
}

#[cfg(test)]
mod tests {
    use esn::{BitConvention, CodeTensor, Grid, WeightShape, filter_esn};
    use testkit::check_all;

    use super::*;
    use crate::cost::{CostPlan, cost};
    use crate::detail::details;
    use crate::prepare::Quantization;

    #[test]
    fn counts_of_the_embedded_network_follow_from_its_layers() {
        let network = crate::embedded_network().expect("it is part of the program");
        let quantization = Quantization::new(esn::BitWidth::new(4).ok());
        let convention = BitConvention::NonzeroAtLeastOne;
        let plan = CostPlan { network: &network, hardware: &[], quantization, convention };
        let cost = cost(&plan).expect("it has weights");
        let details = details(&network, quantization, convention).expect("as before");
        let counts = BitCounts::new(&network, &cost, &details, 8);
        // Nothing is pruned, and the widest weight of every layer takes all bits.
        assert_eq!(counts.model_bits, 4 * cost.esn.weights);
        assert_eq!(counts.weight_bits, counts.model_bits);
        assert_eq!(counts.bit_operations, 4 * 8 * cost.esn.macs);
        let nonzero: u128 = cost.layers.iter().map(|layer| layer.nonzero_macs).sum();
        assert_eq!(counts.effective_bit_operations, 4 * 8 * nonzero);
        let lens = |len: fn(&network::Geometry) -> usize| -> u128 {
            network.layers().iter().map(|layer| len(&layer.geometry) as u128).sum()
        };
        let (inputs, outputs) = (lens(network::Geometry::input_len), lens(network::Geometry::output_len));
        assert_eq!((counts.activation_bits, counts.outputs), (8 * (inputs + outputs), outputs));
    }

    #[test]
    #[should_panic(expected = "fit 128 bits")]
    fn a_sum_that_does_not_fit_is_not_wrapped() {
        let most = BitCounts { bit_operations: u128::MAX, ..BitCounts::default() };
        let one = BitCounts { bit_operations: 1, ..BitCounts::default() };
        let _ = [most, one].into_iter().sum::<BitCounts>();
    }

    #[test]
    fn pruned_channels_are_not_live() {
        // Two groups of two filters and two channels: of the first, one channel is pruned; of the second, every filter.
        let shape = WeightShape { filters: 4, groups: 2, channels: 2, taps: 1 };
        let codes = CodeTensor::new(Grid::MidRise, shape, vec![3, 0, 1, 0, 0, 0, 0, 0]).expect("odd codes");
        let filters = filter_esn(&codes, BitConvention::NonzeroAtLeastOne);
        let detail = LayerDetail::new(&filters, &codes, 5, BitConvention::NonzeroAtLeastOne);
        assert_eq!((detail.live_channels, detail.computed_weights, detail.computed_macs), (1, 2, 10));
        // Codes up to 3 take 2 bits, and 3 where there is a 0 among them.
        assert_eq!((detail.live_memory_bits, detail.memory_bits), (2 * 2, 8 * 3));
    }

    #[test]
    fn every_stored_weight_has_a_code() {
        // Two filters of two channels. On mid-tread a weight of n steps has the code 2n.
        let cases = [
            (Grid::MidRise, [3, 1, -3, 1], 2),
            (Grid::MidRise, [3, 0, -3, 1], 3),
            (Grid::MidTread, [2, 0, -2, 2], 2),
            (Grid::MidTread, [6, 0, -6, 2], 3),
            (Grid::MidTread, [-8, 0, 4, 2], 3),
            (Grid::MidTread, [8, 0, 4, 2], 4),
        ];
        check_all(cases, |&(grid, codes, width)| {
            let shape = WeightShape { filters: 2, groups: 1, channels: 2, taps: 1 };
            let codes = CodeTensor::new(grid, shape, codes.to_vec()).expect("codes of the grid");
            let filters = filter_esn(&codes, BitConvention::NonzeroAtLeastOne);
            let detail = LayerDetail::new(&filters, &codes, 1, BitConvention::NonzeroAtLeastOne);
            assert_eq!((detail.live_memory_bits, detail.memory_bits), (4 * width, 4 * width));
        });
    }
}
