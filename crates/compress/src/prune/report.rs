//! What pruning did, layer by layer.

use network::Note;
use serde::Serialize;

use super::propagate::Why;

/// What was pruned, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PruneReport {
    /// One entry a layer.
    pub layers: Vec<LayerPruning>,
    /// What a user should know, one line each.
    #[serde(serialize_with = "crate::notes::as_texts")]
    pub notes: Vec<Note>,
}

/// What became of one layer. Filters and channels are numbered as they were before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LayerPruning {
    /// Name of the layer.
    pub layer: String,
    /// Filters before.
    pub filters: usize,
    /// Input channels before, over all groups.
    pub channels: usize,
    /// Filters pruned in the order of signal norm.
    pub filters_by_norm: usize,
    /// Filters pruned because their largest magnitude was below the threshold.
    pub filters_below: usize,
    /// Filters pruned because nothing alive reads their channel.
    pub filters_by_output: usize,
    /// Filters left without a weight because only dead channels feed them; their channel is a constant, bias and
    /// BatchNorm included, and may be alive.
    pub filters_by_input: usize,
    /// Filters that unstructured pruning left without a weight.
    pub filters_by_weights: usize,
    /// Filters that were wholly zero before.
    pub filters_dead_before: usize,
    /// Input channels pruned because only dead channels feed them.
    pub channels_by_input: usize,
    /// Filters taken out of the tensors.
    pub filters_removed: usize,
    /// Input channels taken out of the tensors.
    pub channels_removed: usize,
    /// Weights before.
    pub weights: u64,
    /// Weights that are zero, or gone, after.
    pub weights_pruned: u64,
    /// Every filter without a weight that is not zero, and why, in order.
    pub dead_filters: Vec<DeadFilter>,
    /// The input channels that [`LayerPruning::channels_by_input`] counts, in order.
    pub dead_channels: Vec<usize>,
}

/// A filter whose weights are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeadFilter {
    /// The filter.
    pub filter: usize,
    /// Why.
    pub why: Why,
}

impl LayerPruning {
    /// Notes a dead filter.
    pub(super) fn add(&mut self, filter: usize, why: Why) {
        self.dead_filters.push(DeadFilter { filter, why });
        *match why {
            Why::Norm => &mut self.filters_by_norm,
            Why::Below => &mut self.filters_below,
            Why::Output => &mut self.filters_by_output,
            Why::Input => &mut self.filters_by_input,
            Why::Weights => &mut self.filters_by_weights,
            Why::Before => &mut self.filters_dead_before,
        } += 1;
    }
}
