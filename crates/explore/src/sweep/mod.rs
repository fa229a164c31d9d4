//! Sweeps: every point of a plan, pruned, quantized, costed and run on images, into a store.
//!
//! The main function is [`sweep`]. A point is known by a hash of everything that its result depends on. So a plan that
//! grows adds points and never repeats one, and a sweep that was killed goes on where it stopped. Whoever chooses the next
//! point by the results of earlier ones asks an [`OpenPlan`] for it.

mod alternatives;
mod counted;
mod images;
mod inputs;
mod ledger;
mod open;
mod plan;
mod point;
mod points;
mod product;
mod pruned;
mod running;
mod sample;
mod sensitivity;

use std::path::Path;

pub use crate::configuration::{Configuration, ImagesIdentity, Method, PRUNE_ONLY_BITS};
pub use alternatives::OneOrMany;
pub use counted::SweepStatus;
pub use open::OpenPlan;
pub use plan::{ImagesEntry, Plan, PlanFile, PointEntry, PruneEntry, QuantizeEntry, SampleMethod};
pub use sensitivity::SensitivityRequest;

use crate::error::ExploreError;
use crate::store::PointRow;

/// The part of a plan that one process works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 on.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

/// How a sweep runs. No option changes a result.
pub struct SweepOptions<'a> {
    /// Only these points.
    pub shard: Option<Shard>,
    /// Bytes of memory that the sweep keeps to, as [`OpenPlan::open`] shares them out.
    pub memory_bytes: u64,
    /// How its points run.
    pub run: RunOptions<'a>,
}

/// How points run. No option changes a result.
///
/// Both functions may stop the run by unwinding. What is in the store by then stays there.
pub struct RunOptions<'a> {
    /// Worker threads; 0: one a core.
    pub threads: usize,
    /// Whether points that failed before are run again.
    pub retry_failed: bool,
    /// Told after every point.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// Called before every image that a point looks at, from any thread.
    pub image: &'a (dyn Fn() + Sync),
}

/// What the sweep tells after every point.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Points done in this run.
    pub done: usize,
    /// Points to do in this run.
    pub to_do: usize,
    /// The point; none before the first.
    pub row: Option<&'a PointRow>,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Points of the plan, or of its shard.
    pub points: usize,
    /// Points that were in the store before.
    pub found: usize,
    /// Points that were run.
    pub run: usize,
    /// Points of the plan, or of its shard, that failed, now or before.
    pub failed: usize,
    /// Points run of which less came out than they asked for: fewer filters pruned, or a target missed. Their notes say so.
    pub short: usize,
    /// Points run on which an ideal engine and its metric differ.
    pub differing: usize,
}

/// Runs every point of a plan that the store does not have. Points are written within a second
/// after they finish.
///
/// # Errors
///
/// Those of the plan and everything it names, and of the store. A point that fails for reasons of its own is stored as
/// failed, and the sweep goes on.
pub fn sweep(plan: &Plan, store: &Path, options: &SweepOptions<'_>) -> Result<SweepReport, ExploreError> {
    let open = OpenPlan::open(plan.clone(), options.memory_bytes)?;
    open.run_shard(options.shard, store, &options.run)
}

#[cfg(test)]
mod tests;
