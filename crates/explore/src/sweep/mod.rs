//! Sweeps: every point of a plan, pruned, quantized, costed and run on images, into a store.
//!
//! The main function is [`sweep`]. A point is known by a hash of everything that its result depends on. So a plan that
//! grows adds points and never repeats one, and a sweep that was killed goes on where it stopped.

mod alternatives;
mod images;
mod inputs;
mod plan;
mod point;

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use compress::ReestimateOptions;
use runner::identity::bytes_sha256;

pub use crate::configuration::{Configuration, ImagesIdentity, Method, PRUNE_ONLY_BITS};
pub use alternatives::OneOrMany;
pub use inputs::Inputs;
pub use plan::{ImagesEntry, Plan, PlanFile, PointEntry, PruneEntry, QuantizeEntry};

use crate::error::ExploreError;
use crate::store::{PointRow, Status, Store, StoreLock, Writers};
use inputs::Point;
use point::{Ran, Workshop};

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
    /// Worker threads; 0: one a core.
    pub threads: usize,
    /// Bytes of memory that the sweep keeps to: half for decoded images, half for the points that run at a time.
    pub memory_bytes: u64,
    /// Whether points that failed before are run again.
    pub retry_failed: bool,
    /// Told after every point.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
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

/// Runs every point of a plan that the store does not have. Points are written as they finish, each in one transaction.
///
/// # Errors
///
/// Those of the plan and everything it names, and of the store. A point that fails for reasons of its own is stored as
/// failed, and the sweep goes on.
pub fn sweep(plan: &Plan, store: &Path, options: &SweepOptions<'_>) -> Result<SweepReport, ExploreError> {
    let mut inputs = Inputs::open(plan, options.memory_bytes / 2)?;
    let store_file = Store::open(store)?;
    let writers = if options.shard.is_some() { Writers::Shards } else { Writers::One };
    let _lock = StoreLock::take(store, writers)?;
    let resolved = plan.to_json();
    store_file.insert_plan(&bytes_sha256(resolved.as_bytes()), &resolved)?;
    let points = of_shard(inputs.take_points(), options.shard);
    if options.retry_failed {
        store_file.remove_failed(&points.iter().map(|point| point.key.as_str()).collect::<Vec<_>>())?;
    }
    let known = store_file.statuses()?;
    let mut report = SweepReport { points: points.len(), ..SweepReport::default() };
    report.failed = points.iter().filter(|point| known.get(&point.key) == Some(&Status::Failed)).count();
    let to_do: Vec<Point> = points.into_iter().filter(|point| !known.contains_key(&point.key)).collect();
    report.found = report.points - to_do.len();
    run_all(&inputs, to_do, store_file, options, &mut report)?;
    Ok(report)
}

/// Every n-th point, so that shards take their share of every network and pruning.
fn of_shard(points: Vec<Point>, shard: Option<Shard>) -> Vec<Point> {
    match shard {
        Some(Shard { index, of }) => points.into_iter().skip(index - 1).step_by(of).collect(),
        None => points,
    }
}

fn run_all(
    inputs: &Inputs,
    to_do: Vec<Point>,
    store: Store,
    options: &SweepOptions<'_>,
    report: &mut SweepReport,
) -> Result<(), ExploreError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(ExploreError::Threads)?;
    let at_once = points_at_once(&to_do, pool.current_num_threads(), options.memory_bytes / 2);
    let memory_bytes = (options.memory_bytes / 2 / at_once as u64).max(MIN_REESTIMATION_BYTES);
    let workshop = Workshop { inputs, pool: &pool, reestimate: ReestimateOptions { memory_bytes } };
    let count = to_do.len();
    (options.progress)(&Progress { done: 0, to_do: count, row: None });
    let queue = Mutex::new(to_do.into_iter());
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once {
            let (sender, queue, workshop) = (sender.clone(), &queue, &workshop);
            scope.spawn(move || {
                while let Some(point) = next(queue) {
                    // Nobody listens any more after an error: stop.
                    if sender.send(workshop.run(&point)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        write_results(results, &store, count, options, report)
    })
}

fn next(queue: &Mutex<std::vec::IntoIter<Point>>) -> Option<Point> {
    queue.lock().expect("no thread panics while it takes a point").next()
}

/// Writes rows as they come; the first error ends the sweep.
fn write_results(
    results: Receiver<Result<Ran, ExploreError>>,
    store: &Store,
    count: usize,
    options: &SweepOptions<'_>,
    report: &mut SweepReport,
) -> Result<(), ExploreError> {
    for ran in results {
        let Ran { row, short } = ran?;
        store.insert(&row)?;
        report.run += 1;
        report.short += usize::from(short);
        report.failed += usize::from(row.error.is_some());
        report.differing += usize::from(row.costs.iter().flat_map(|c| &c.hardware).any(|h| h.verdict == "fail"));
        (options.progress)(&Progress { done: report.run, to_do: count, row: Some(&row) });
    }
    Ok(())
}

/// Least memory for the activations of a re-estimation.
const MIN_REESTIMATION_BYTES: u64 = 256 << 20;

/// Points that run at a time: one a thread, so that none waits for the serial parts of another, as far as memory
/// allows.
fn points_at_once(points: &[Point], threads: usize, bytes: u64) -> usize {
    let largest = points.iter().map(point_bytes).max().unwrap_or(1);
    usize::try_from(bytes / largest).unwrap_or(usize::MAX).clamp(1, threads).min(points.len().max(1))
}

/// What a point takes beside the images, roughly: weights as codes, as real numbers and in the forms that engines
/// compute with; activations; and what re-estimation holds.
fn point_bytes(point: &Point) -> u64 {
    const BYTES_A_WEIGHT: u64 = 48;
    const BYTES_A_POINT: u64 = 32 << 20;
    let weights: u64 = point
        .network
        .network
        .layers()
        .iter()
        .map(|layer| layer.geometry.weight_shape().len().unwrap_or(0) as u64)
        .sum();
    let reestimation = if point.configuration.reestimate.is_some() { MIN_REESTIMATION_BYTES } else { 0 };
    BYTES_A_POINT + weights * BYTES_A_WEIGHT + reestimation
}

#[cfg(test)]
mod tests;
