//! What pruning did, layer by layer.

use network::Note;
use serde::Serialize;

use super::options::Pruning;
use super::propagate::Why;

/// What was pruned, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PruneReport {
    /// One entry a way of pruning, in the order in which they were applied.
    pub prunings: Vec<PruningOutcome>,
    /// One entry a layer.
    pub layers: Vec<LayerPruning>,
    /// What a user should know, one line each.
    #[serde(serialize_with = "crate::notes::as_texts")]
    pub notes: Vec<Note>,
    /// Whether every weight is there as it was.
    #[serde(skip)]
    pub changes_nothing: bool,
}

/// What one way of pruning was asked for, and what it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PruningOutcome {
    /// The way of pruning.
    pub pruning: Pruning,
    /// What is counted.
    pub unit: PrunedUnit,
    /// How many there are that compete: filters that may be pruned, or weights.
    pub of: u64,
    /// How many were to be pruned; none where a budget or a pattern decides.
    pub asked: Option<u64>,
    /// How many are pruned. Those that were dead or zero before and would have gone first are among them.
    pub done: u64,
    /// Why fewer are pruned than were asked for; none where they are not.
    pub short_because: Option<String>,
}

/// What a way of pruning counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrunedUnit {
    /// Whole filters.
    Filters,
    /// Single weights.
    Weights,
}

impl PrunedUnit {
    /// The word for several.
    pub fn name(self) -> &'static str {
        match self {
            PrunedUnit::Filters => "filters",
            PrunedUnit::Weights => "weights",
        }
    }
}

impl PruningOutcome {
    /// That less was done than was asked for, in one line; none where it was not.
    pub fn shortfall(&self) -> Option<String> {
        let why = self.short_because.as_ref()?;
        let Self { unit, of, asked, done, .. } = self;
        Some(match asked {
            Some(asked) if asked > done => {
                format!("{done} of {of} {} were pruned, not the {asked} that were asked for: {why}", unit.name())
            }
            Some(_) | None => why.clone(),
        })
    }
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
    /// The filters that [`LayerPruning::filters_removed`] counts, in order.
    pub removed_filters: Vec<usize>,
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
