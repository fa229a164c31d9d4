//! Real weights, read once for however many ways to quantize them.

use std::sync::OnceLock;

use esn::BitWidth;
use network::{LayerId, LayerWeights, Network, WeightValues};

use crate::Watch;
use crate::error::CompressError;
use crate::quantize::levels::Unit;
use crate::quantize::options::Granularity;
use crate::quantize::widths::FinestCodes;

/// Weights beyond this have no `f32` steps; no network is trained to them.
const MAX_WEIGHT: f64 = 1e37;

/// The real weights of one tensor, and the units that share a step, each kind made when it is first asked for.
#[derive(Debug)]
pub(super) struct Reals {
    /// Row-major, `[out_channels, …]`.
    weights: Vec<f64>,
    filter_len: usize,
    whole: OnceLock<Vec<Unit>>,
    filters: OnceLock<Vec<Unit>>,
    finest_whole: OnceLock<Option<FinestCodes>>,
    finest_filters: OnceLock<Option<FinestCodes>>,
}

impl Reals {
    /// Reads the weights of a layer.
    ///
    /// # Errors
    ///
    /// [`CompressError::Layer`] if they are quantized already, or no `f32` step fits one.
    pub fn read(network: &Network, index: usize) -> Result<Self, CompressError> {
        let mac = &network.layers()[index];
        let error = |problem: String| CompressError::Layer { layer: mac.name.clone(), problem };
        let weights: Vec<f64> = match network.weights(LayerId(index))? {
            LayerWeights::Float(WeightValues::F32(values)) => values.into_iter().map(f64::from).collect(),
            LayerWeights::Float(WeightValues::F64(values)) => values,
            LayerWeights::Quantized { .. } => return Err(error("its weights are quantized already".to_string())),
        };
        if let Some(weight) = weights.iter().find(|weight| weight.abs() > MAX_WEIGHT) {
            return Err(error(format!("a weight is {weight:e}; up to ±{MAX_WEIGHT:e} are quantized")));
        }
        let filter_len = mac.channel_shape().filter_len();
        Ok(Self {
            weights,
            filter_len,
            whole: OnceLock::new(),
            filters: OnceLock::new(),
            finest_whole: OnceLock::new(),
            finest_filters: OnceLock::new(),
        })
    }

    /// The weights, row-major `[out_channels, …]`.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One unit for the layer, or one a filter.
    pub fn units(&self, granularity: Granularity) -> &[Unit] {
        match granularity {
            Granularity::Layer => self.whole.get_or_init(|| vec![Unit::new(&self.weights)]),
            Granularity::Filter => {
                self.filters.get_or_init(|| self.weights.chunks_exact(self.filter_len).map(Unit::new).collect())
            }
        }
    }

    /// The codes on mid-rise at a bit width, with the step that the largest magnitude of each unit gives, from one pass over the
    /// weights for all widths. `None` where they take a pass of their own.
    pub fn codes_of_max_abs(&self, granularity: Granularity, bits: BitWidth) -> Option<Vec<i32>> {
        let finest = match granularity {
            Granularity::Layer => &self.finest_whole,
            Granularity::Filter => &self.finest_filters,
        };
        let units = self.units(granularity);
        finest.get_or_init(|| FinestCodes::new(&self.weights, units)).as_ref()?.at(bits, units)
    }
}

/// Reads every tensor of weights, as the first layer that has it. `first_uses` says by layer which one that is.
///
/// # Errors
///
/// As [`Reals::read`].
pub(super) fn read_all(network: &Network, first_uses: &[usize], watch: Watch<'_>) -> Result<Vec<Reals>, CompressError> {
    let firsts = (0..first_uses.len()).filter(|&layer| first_uses[layer] == layer);
    let watched = |index| {
        watch();
        Reals::read(network, index)
    };
    firsts.map(watched).collect()
}
