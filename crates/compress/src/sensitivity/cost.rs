//! Costs that are sums over layers, so that a budget of them can be shared out.

use esn::{BitConvention, LayerEsn};
use network::{LayerId, LayerWeights, Network};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;

/// A cost of one image that layers add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedCost {
    /// ESN_a, equation (2), with c = output positions.
    EsnA,
    /// ESN_d, equation (3), with c = output positions.
    EsnD,
    /// ESN'_d, equation (7).
    EsnDFilter,
}

impl SharedCost {
    /// The word that stands for it.
    pub fn name(self) -> &'static str {
        match self {
            SharedCost::EsnA => "esn-a",
            SharedCost::EsnD => "esn-d",
            SharedCost::EsnDFilter => "esn-d-filter",
        }
    }

    /// Units that one of it is counted in: ESN_a in quarters, which are whole numbers.
    fn units_of_one(self) -> u128 {
        match self {
            SharedCost::EsnA => 4,
            SharedCost::EsnD | SharedCost::EsnDFilter => 1,
        }
    }

    /// So much of it in whole units, rounded down.
    ///
    /// # Errors
    ///
    /// [`CompressError::Option`] if it is no finite number above 0.
    pub fn units(self, amount: f64) -> Result<u128, CompressError> {
        if amount.is_finite() && amount > 0.0 && amount < 1e37 {
            return Ok((amount * self.units_of_one() as f64).floor() as u128);
        }
        let problem = format!("a budget of {} of {amount}; expected a number above 0", self.name());
        Err(CompressError::Option { option: "allocate", problem })
    }

    /// So many units, as the metric counts.
    pub fn amount(self, units: u128) -> f64 {
        units as f64 / self.units_of_one() as f64
    }

    /// So many units of it a layer costs.
    pub fn of(self, layer: &LayerEsn) -> u128 {
        match self {
            SharedCost::EsnA => layer.esn_a_quarters_macs,
            SharedCost::EsnD => layer.esn_d_macs,
            SharedCost::EsnDFilter => layer.esn_d_filter,
        }
    }

    /// What every layer of a quantized network costs, in units, in the order of [`Network::layers`].
    ///
    /// # Errors
    ///
    /// [`CompressError::Layer`] for a layer of real weights; [`CompressError::Network`] for weights that cannot be read.
    pub fn of_layers(self, network: &Network) -> Result<Vec<u128>, CompressError> {
        let of_layer = |(index, layer): (usize, &network::MacLayer)| match network.weights(LayerId(index))? {
            LayerWeights::Quantized { codes, .. } => {
                Ok(self.of(&LayerEsn::new(&codes, layer.geometry.positions(), BitConvention::default())))
            }
            LayerWeights::Float(_) => Err(CompressError::Layer {
                layer: layer.name.clone(),
                problem: "its weights are real numbers, which have no cost".to_string(),
            }),
        };
        let costs = network.layers().par_iter().enumerate().map(of_layer);
        // Of several errors that of the first layer, whichever is found first.
        costs.collect::<Vec<_>>().into_iter().collect()
    }
}
