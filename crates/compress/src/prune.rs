//! Pruning: filters by signal norm, weights by magnitude or in a pattern.

use network::Network;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;

/// Which filters or weights compete with one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Those of the whole network.
    #[default]
    Global,
    /// Those of each layer (for filters: of each group of coupled channels).
    Layer,
}

/// A cost of the whole network that filters are pruned down to.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// ESN_a with c = MACs, at the width that the network is to be quantized to.
    EsnA(f64),
    /// ESN_d with c = MACs, at the width that the network is to be quantized to.
    EsnD(f64),
    /// Multiply-accumulates of filters and channels that are computed, equation (7)'s `MAC_{l,m}` summed.
    Macs(f64),
    /// Weights of filters and channels that are computed.
    Parameters(f64),
}

/// How many filters go.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterAmount {
    /// This fraction, 0 to 1, of all prunable filters.
    Fraction(f64),
    /// All but this fraction of each group of coupled channels, rounded to the nearest channel and at least one: the
    /// paper's channel widths 0.25×, 0.5×, 0.75×.
    Width(f64),
    /// As many as it takes to come down to the budget.
    Budget(Budget),
}

/// One way of pruning.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pruning {
    /// Structured: whole filters in the order of their signal norm `‖W_m‖_F²`, the smallest first (section 2.8), coupled
    /// channels together. A pruned filter's bias, BatchNorm scale and shift become 0, so that its channel is exactly 0.
    Filters(FilterAmount),
    /// Unstructured: this fraction of the weights, the smallest magnitudes first.
    Weights(f64),
    /// N:M: the `keep` largest magnitudes of every `of` neighbouring weights along a filter's input channels.
    Pattern {
        /// N.
        keep: usize,
        /// M.
        of: usize,
    },
}

/// What to prune.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PruneOptions {
    /// Applied in order.
    pub prunings: Vec<Pruning>,
    /// What competes.
    pub scope: Scope,
    /// Also prunes filters whose largest magnitude is below this fraction of their layer's: they would be noise on a
    /// mid-rise grid.
    pub below: Option<f64>,
    /// Removes dead channels from the tensors instead of zeroing them.
    pub compact: bool,
    /// Bit width at which a budget of ESN_a or ESN_d is measured.
    pub bits: Option<u32>,
}

/// What was pruned, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PruneReport {
    /// One entry a layer.
    pub layers: Vec<LayerPruning>,
    /// What a user should know, one line each.
    pub notes: Vec<String>,
}

/// What became of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LayerPruning {
    /// Name of the layer.
    pub layer: String,
    /// Filters before.
    pub filters: usize,
    /// Filters pruned in the order of signal norm.
    pub filters_by_norm: usize,
    /// Filters pruned because their largest magnitude was below the threshold.
    pub filters_below: usize,
    /// Filters that were wholly zero before.
    pub filters_dead_before: usize,
    /// Input channels pruned because only dead channels feed them.
    pub channels_by_input: usize,
    /// Weights before.
    pub weights: u64,
    /// Weights that are zero, or gone, after.
    pub weights_pruned: u64,
}

/// Prunes a network of real weights.
///
/// # Errors
///
/// [`CompressError::Option`] for a fraction outside 0…1 or a pattern that keeps more than there is;
/// [`CompressError::Layer`] for a layer whose weights are quantized already.
pub fn prune(network: &Network, options: &PruneOptions) -> Result<(Network, PruneReport), CompressError> {
    let _ = options;
    Err(CompressError::Unsupported { place: network.path().display().to_string(), problem: "pruning".to_string() })
}
