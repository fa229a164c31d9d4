//! The bit widths of a network's weights. Only figures and stores ask for them, so that [`crate::cost()`] leaves them
//! out.

use std::iter::Sum;
use std::ops::Add;

use esn::{BitConvention, BitHistogram, filter_esn};
use network::{LayerId, Network};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::prepare::{Quantization, prepare};

/// Bit widths of one layer, or, by `+` and `sum()`, of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerDetail {
    /// How many weights and filters have each width.
    pub bits: BitHistogram,
    /// Weights of filters and input channels that are not pruned: what equation (7) computes.
    pub computed_weights: u128,
    /// Multiply-accumulates of those weights.
    pub computed_macs: u128,
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
        let computed_weights = filters.iter().map(|filter| u128::from(filter.computed)).sum::<u128>();
        let positions = u128::from(network.layers()[id].geometry.positions());
        let bits = BitHistogram::new(&weights.codes, convention);
        Ok(LayerDetail { bits, computed_weights, computed_macs: computed_weights * positions })
    };
    let results: Vec<Result<LayerDetail, RunnerError>> =
        (0..network.layers().len()).into_par_iter().map(layer).collect();
    results.into_iter().collect()
}

impl Add for LayerDetail {
    type Output = LayerDetail;
    fn add(self, other: LayerDetail) -> LayerDetail {
        LayerDetail {
            bits: self.bits + other.bits,
            computed_weights: self.computed_weights + other.computed_weights,
            computed_macs: self.computed_macs + other.computed_macs,
        }
    }
}

impl Sum for LayerDetail {
    fn sum<I: Iterator<Item = LayerDetail>>(layers: I) -> LayerDetail {
        layers.fold(LayerDetail::default(), Add::add)
    }
}
