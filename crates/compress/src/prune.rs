//! Pruning: filters by signal norm, weights by magnitude or in a pattern.
//!
//! The main function is [`prune`]. It works in four steps:
//!
//! 1. channels are followed through the graph ([`trace`]): which filters are coupled, what does a dead channel feed?
//! 2. filters or weights are chosen ([`filters`], [`sparse`]);
//! 3. what dies with them is found ([`propagate`]);
//! 4. the network is written anew ([`rewrite`]).

mod budget;
mod constants;
mod elementwise;
mod filters;
mod flow;
mod job;
mod layout;
mod options;
mod propagate;
mod removal;
mod report;
mod rewrite;
mod sparse;
mod trace;
mod units;
mod weights;

use network::Network;

use crate::Watch;
use crate::error::CompressError;
use job::Job;

pub use options::{Budget, FilterAmount, PruneOptions, Pruning, Scope};
pub use propagate::Why;
pub use report::{DeadFilter, LayerPruning, PruneReport, PrunedUnit, PruningOutcome};

/// Prunes a network of real weights. Where a file holds weights without a graph, single weights can be pruned, but no
/// filters.
///
/// Filters whose channels are coupled (by a residual addition, a depthwise or grouped convolution, a
/// squeeze-and-excitation gate) are one group and are pruned together, in the order of `Σ ‖W_m‖_F²` over the group.
/// More goes with them:
///
/// - with a filter, its bias and the scale and shift of the BatchNorm behind it, so that its channel is exactly 0;
/// - with a channel that only zeros feed, the weights that read it;
/// - with a channel that nothing alive reads any more, its filter.
///
/// A filter that thereby loses all its input, but not what its BatchNorm adds, makes a constant and stays.
/// Groups are never split, and the strongest of each layer stays, so that fewer filters may be pruned than were asked for;
/// the report says how many, and why.
///
/// The classes that the network returns are never pruned, and neither are channels that an operator mixes in a way that
/// is not tracked; the report names it.
///
/// With [`PruneOptions::compact`] the dead channels are taken out of the tensors, which changes no output; what cannot
/// be taken out (one channel of two that share an index of a tensor) stays as zeros, and the report counts it.
///
/// # Errors
///
/// [`CompressError::Option`] for a fraction outside 0…1, a pattern that keeps none or more than there is, and a budget
/// that cannot be met; [`CompressError::Layer`] for a layer whose weights are quantized already;
/// [`CompressError::Unsupported`] for filters of weights without a graph.
pub fn prune(network: &Network, options: &PruneOptions) -> Result<(Network, PruneReport), CompressError> {
    prune_watched(network, options, &|| ())
}

/// [`prune`], with someone who may stop it.
///
/// # Errors
///
/// As [`prune`].
pub fn prune_watched(
    network: &Network,
    options: &PruneOptions,
    watch: Watch<'_>,
) -> Result<(Network, PruneReport), CompressError> {
    options.check()?;
    let needs_graph = options.compact
        || options.below.is_some()
        || options.prunings.iter().any(|pruning| matches!(pruning, Pruning::Filters(_)));
    if needs_graph && !network.has_graph() {
        let problem = "there is no graph in which channels are followed; weights=F and N:M need none".to_string();
        return Err(CompressError::Unsupported { place: "pruning filters".to_string(), problem });
    }
    let mut job = Job::new(network, watch)?;
    if let Some(below) = options.below {
        job.prune_below(below);
    }
    for &pruning in &options.prunings {
        job.prune(pruning, options)?;
    }
    job.finish(options.compact)
}
