//! The bit widths of a network's weights. Only figures and stores ask for them, so that [`crate::cost()`] leaves them
//! out.

use std::iter::Sum;

use engine::StoredWeights;
use esn::{BitConvention, BitHistogram, CodeTensor, FilterEsn, filter_esn};
use network::{LayerId, Network};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::prepare::{Quantization, prepare};

/// Bit widths of one layer, or, by `sum()`, of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerDetail {
    /// How many weights and filters have each width.
    pub bits: BitHistogram,
    /// Weights of filters and input channels that are not pruned: what equation (7) computes.
    pub computed_weights: u128,
    /// Bits of all weights in a memory, at one width for the layer that has a code for each of them, also for pruned ones.
    pub memory_bits: u128,
    /// The same without pruned filters and input channels.
    pub live_memory_bits: u128,
    /// Multiply-accumulates of those weights.
    pub computed_macs: u128,
    /// Input channels, of all groups, that some filter reads.
    pub live_channels: u64,
    /// Whether an earlier layer has the same tensor of weights.
    pub is_further_use: bool,
}

/// The detail of every layer, in order.
///
/// # Errors
///
/// As [`crate::cost`].
pub fn details(
    network: &Network,
    quantization: Quantization,
    convention: BitConvention,
) -> Result<Vec<LayerDetail>, RunnerError> {
    let layer = |id: usize| {
        let weights = prepare(network, LayerId(id), quantization)?;
        let filters = filter_esn(&weights.codes, convention);
        let positions = network.layers()[id].geometry.positions();
        let is_further_use = network.shares_weights_with(LayerId(id)).is_some();
        Ok(LayerDetail { is_further_use, ..LayerDetail::new(&filters, &weights.codes, positions, convention) })
    };
    let results: Vec<Result<LayerDetail, RunnerError>> =
        (0..network.layers().len()).into_par_iter().map(layer).collect();
    results.into_iter().collect()
}

impl LayerDetail {
    /// The detail of a layer with a tensor of its own, of which `filters` is the metric.
    pub(crate) fn new(filters: &[FilterEsn], codes: &CodeTensor, positions: u64, convention: BitConvention) -> Self {
        let computed_weights = filters.iter().map(|filter| u128::from(filter.computed)).sum::<u128>();
        let shape = codes.shape();
        // Every filter of a group that is not pruned computes the same channels.
        let groups = filters.chunks(shape.filters / shape.groups);
        let of_groups = groups.map(|group| group.iter().map(|filter| filter.computed).max().unwrap_or_default());
        let all = StoredWeights::of(codes.grid(), codes.codes());
        let pruned = u128::from(all.count()) - computed_weights;
        Self {
            bits: BitHistogram::of_filters(filters, codes, convention),
            computed_weights,
            memory_bits: memory(all),
            live_memory_bits: memory(all.without_zeros(pruned as u64)),
            computed_macs: computed_weights * u128::from(positions),
            live_channels: of_groups.sum::<u64>() / shape.taps as u64,
            is_further_use: false,
        }
    }
}

/// Bits of weights that are stored at one width.
fn memory(weights: StoredWeights) -> u128 {
    u128::from(weights.count()) * u128::from(weights.width(0))
}

impl Sum for LayerDetail {
    /// The widths, the computed weights and their bits of every tensor once, the multiply-accumulates of every layer.
    fn sum<I: Iterator<Item = LayerDetail>>(layers: I) -> LayerDetail {
        layers.fold(LayerDetail::default(), |sum, layer| LayerDetail {
            bits: if layer.is_further_use { sum.bits } else { sum.bits + layer.bits },
            computed_weights: sum.computed_weights + if layer.is_further_use { 0 } else { layer.computed_weights },
            memory_bits: sum.memory_bits + if layer.is_further_use { 0 } else { layer.memory_bits },
            live_memory_bits: sum.live_memory_bits + if layer.is_further_use { 0 } else { layer.live_memory_bits },
            computed_macs: sum.computed_macs + layer.computed_macs,
            live_channels: sum.live_channels + layer.live_channels,
            is_further_use: false,
        })
    }
}
