//! A plan that is opened once and runs points as they are asked for.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use compress::{ReestimateOptions, Sensitivity};
use runner::identity::bytes_sha256;

use super::inputs::{Inputs, Point};
use super::plan::{Plan, PointEntry};
use super::point::{Ran, Workshop};
use super::pruned::PrunedNetworks;
use super::sensitivity::SensitivityRequest;
use super::{Progress, RunOptions, SweepReport};
use crate::error::ExploreError;
use crate::key::PointKey;
use crate::store::{GroupWriter, Status, Store, StoreLock, Writers};

/// A plan whose files are open, and whose points run when somebody asks for them, in any number of calls.
///
/// What points share is made once for all calls: networks, decoded images, the answers of the float network. Of pruned
/// networks those that were asked for last are kept. [`super::sweep`] is one call that asks for every point.
pub struct OpenPlan {
    plan: Plan,
    inputs: Inputs,
    pruned: PrunedNetworks,
    /// Bytes of memory for the points that run at a time.
    room: u64,
    points: Mutex<Points>,
}

/// The points that can be asked for.
#[derive(Default)]
struct Points {
    in_order: Vec<Point>,
    /// By key.
    places: HashMap<PointKey, usize>,
}

impl Points {
    /// Adds a point behind the others, unless it is there.
    fn add(&mut self, point: Point) {
        let end = self.in_order.len();
        if *self.places.entry(point.key).or_insert(end) == end {
            self.in_order.push(point);
        }
    }
}

impl OpenPlan {
    /// Opens everything that a plan names. Of `memory_bytes`, half is for decoded images, an eighth for pruned
    /// networks, and the rest bounds the points that run at a time.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn open(plan: Plan, memory_bytes: u64) -> Result<Self, ExploreError> {
        let inputs = Inputs::open(&plan, memory_bytes / 2)?;
        let mut points = Points::default();
        inputs.points(&plan.file).into_iter().for_each(|point| points.add(point));
        let pruned = PrunedNetworks::new(memory_bytes / 8);
        let room = memory_bytes - memory_bytes / 2 - memory_bytes / 8;
        Ok(Self { plan, inputs, pruned, room, points: Mutex::new(points) })
    }

    /// Every point's key: those of the plan in its order, then those that were added.
    pub fn keys(&self) -> Vec<String> {
        self.points().in_order.iter().map(|point| point.key.to_string()).collect()
    }

    /// Adds a point that the plan does not list, and returns its key. A point that is there already, by the plan or by
    /// an earlier call, keeps its key and its place.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] if the entry would be refused as a `[[point]]` of the plan.
    pub fn add(&self, entry: &PointEntry) -> Result<String, ExploreError> {
        let file = &self.plan.file;
        entry.check(&file.networks, file.statistics.is_some()).map_err(|problem| self.refuse(problem))?;
        let point = self.inputs.point(entry);
        let key = point.key;
        self.points().add(point);
        Ok(key.to_string())
    }

    /// A point in a few words: `filters −20 %, 4 bits`.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a key that no point has.
    pub fn label(&self, key: &str) -> Result<String, ExploreError> {
        Ok(self.points_of(&[key])?.iter().map(|point| point.configuration.label()).collect())
    }

    /// Runs those of the points that the store does not have. Points are written within a second after they finish.
    /// A key that comes twice counts once.
    ///
    /// Other processes may work on other points of the same store meanwhile, but no sweep of a whole plan.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a key that no point has; those of the store, and of files that have gone. A point that
    /// fails for reasons of its own is stored as failed, and the run goes on.
    pub fn run<K: AsRef<str>>(
        &self,
        keys: &[K],
        store: &Path,
        options: &RunOptions<'_>,
    ) -> Result<SweepReport, ExploreError> {
        self.run_points(self.points_of(keys)?, store, Writers::Shards, options)
    }

    /// How much each layer of a network of the plan bears. `progress` is told how many ways to quantize a layer were measured,
    /// and of how many; it may stop the work by unwinding.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a network or a pruning that a point would be refused for; those of
    /// [`compress::sensitivity`].
    pub fn sensitivity(
        &self,
        request: &SensitivityRequest<'_>,
        threads: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Sensitivity, ExploreError> {
        let point = self.unquantized(request)?;
        self.in_workshop(threads, |workshop| workshop.sensitivity(&point, request, progress))
    }

    /// What every layer of a network of the plan costs in each of the request's ways: for each way, in the order of
    /// [`Sensitivity::layers`]. No image is looked at.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a network or a pruning that a point would be refused for; those of
    /// [`compress::costs_of_choices`].
    pub fn costs_of_choices(
        &self,
        request: &SensitivityRequest<'_>,
        threads: usize,
    ) -> Result<Vec<Vec<u128>>, ExploreError> {
        let point = self.unquantized(request)?;
        self.in_workshop(threads, |workshop| workshop.costs_of_choices(&point, request.choices, &request.cost))
    }

    /// The network of a request, pruned, as a point.
    fn unquantized(&self, request: &SensitivityRequest<'_>) -> Result<Point, ExploreError> {
        let (network, prune) = (request.network.clone(), request.prune.clone());
        let entry = PointEntry { network, prune, quantize: None, reestimate: request.reestimate };
        // Images of either table serve.
        entry.check(&self.plan.file.networks, true).map_err(|problem| self.refuse(problem))?;
        Ok(self.inputs.point(&entry))
    }

    /// Work on so many threads that is no point's.
    fn in_workshop<T>(
        &self,
        threads: usize,
        work: impl FnOnce(&Workshop<'_>) -> Result<T, ExploreError>,
    ) -> Result<T, ExploreError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(ExploreError::Threads)?;
        let reestimate = ReestimateOptions { memory_bytes: self.room };
        let (inputs, pruned) = (&self.inputs, &self.pruned);
        work(&Workshop { inputs, pruned, pool: &pool, reestimate, image: &|| {} })
    }

    /// Every point, in the order of [`OpenPlan::keys`].
    pub(super) fn all(&self) -> Vec<Point> {
        self.points().in_order.clone()
    }

    /// As [`OpenPlan::run`], of points that differ.
    pub(super) fn run_points(
        &self,
        points: Vec<Point>,
        store: &Path,
        writers: Writers,
        options: &RunOptions<'_>,
    ) -> Result<SweepReport, ExploreError> {
        let store_file = Store::open(store)?;
        let _lock = StoreLock::take(store, writers)?;
        let resolved = self.plan.to_json();
        store_file.insert_plan(&bytes_sha256(resolved.as_bytes()), &resolved)?;
        if options.retry_failed {
            store_file.remove_failed(&points.iter().map(|point| point.key).collect::<Vec<_>>())?;
        }
        let known = store_file.known()?;
        let mut report = SweepReport { points: points.len(), ..SweepReport::default() };
        report.failed = points.iter().filter(|point| known.status(point.key) == Some(Status::Failed)).count();
        let to_do: Vec<Point> = points.into_iter().filter(|point| !known.contains(point.key)).collect();
        report.found = report.points - to_do.len();
        self.run_all(to_do, store_file, options, &mut report)?;
        Ok(report)
    }

    fn run_all(
        &self,
        to_do: Vec<Point>,
        store: Store,
        options: &RunOptions<'_>,
        report: &mut SweepReport,
    ) -> Result<(), ExploreError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
        let pool = pool.map_err(ExploreError::Threads)?;
        let at_once = points_at_once(&to_do, pool.current_num_threads(), self.room);
        let memory_bytes = (self.room / at_once as u64).max(MIN_REESTIMATION_BYTES);
        let reestimate = ReestimateOptions { memory_bytes };
        let (inputs, pruned, image) = (&self.inputs, &self.pruned, options.image);
        let workshop = Workshop { inputs, pruned, pool: &pool, reestimate, image };
        let count = to_do.len();
        (options.progress)(&Progress { done: 0, to_do: count, row: None });
        let queue = Mutex::new(to_do.into_iter());
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            let start = |_| {
                let (sender, queue, workshop) = (sender.clone(), &queue, &workshop);
                scope.spawn(move || {
                    while let Some(point) = next(queue) {
                        // Nobody listens any more after an error: stop.
                        if sender.send(workshop.run(&point)).is_err() {
                            return;
                        }
                    }
                })
            };
            let workers: Vec<_> = (0..at_once).map(start).collect();
            drop(sender);
            let written = write_results(results, &store, count, options, report);
            for worker in workers {
                // Whoever stops the run by unwinding finds what was thrown.
                worker.join().unwrap_or_else(|thrown| resume_unwind(thrown));
            }
            written
        })
    }

    /// The points of these keys, each once.
    fn points_of<K: AsRef<str>>(&self, keys: &[K]) -> Result<Vec<Point>, ExploreError> {
        let points = self.points();
        let mut seen = HashSet::new();
        let keys = keys.iter().map(AsRef::as_ref).filter(|&key| seen.insert(key));
        let point =
            |key: &str| match key.parse().ok().and_then(|key: PointKey| points.places.get(&key)) {
                Some(&place) => Ok(points.in_order[place].clone()),
                None => Err(self
                    .refuse(format!("no point has the key {key:?}; expected one of the plan, or one that was added"))),
            };
        keys.map(point).collect()
    }

    fn points(&self) -> MutexGuard<'_, Points> {
        self.points.lock().expect("no thread panics while it looks points up")
    }

    fn refuse(&self, problem: String) -> ExploreError {
        ExploreError::Point { plan: self.plan.path.clone(), problem }
    }
}

fn next(queue: &Mutex<std::vec::IntoIter<Point>>) -> Option<Point> {
    queue.lock().expect("no thread panics while it takes a point").next()
}

/// Writes rows in groups as they come; the first error ends the run.
fn write_results(
    results: Receiver<Result<Ran, ExploreError>>,
    store: &Store,
    count: usize,
    options: &RunOptions<'_>,
    report: &mut SweepReport,
) -> Result<(), ExploreError> {
    let mut writer = GroupWriter::new(store);
    loop {
        let ran = match writer.due_in() {
            Some(wait) => results.recv_timeout(wait),
            None => results.recv().map_err(RecvTimeoutError::from),
        };
        let Ran { row, short } = match ran {
            Ok(ran) => ran?,
            Err(RecvTimeoutError::Timeout) => {
                writer.flush()?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return writer.flush(),
        };
        let row = Arc::new(row);
        writer.insert(Arc::clone(&row))?;
        report.run += 1;
        report.short += usize::from(short);
        report.failed += usize::from(row.error.is_some());
        report.differing += usize::from(row.costs.iter().flat_map(|c| &c.hardware).any(|h| &*h.verdict == "fail"));
        (options.progress)(&Progress { done: report.run, to_do: count, row: Some(&row) });
    }
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
    let reestimation = if point.configuration.reestimate.is_some() { MIN_REESTIMATION_BYTES } else { 0 };
    BYTES_A_POINT + point.network.weights() * BYTES_A_WEIGHT + reestimation
}
