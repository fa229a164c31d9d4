//! How the points of an open plan run: several at a time, and their rows into a store.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;

use rayon::ThreadPool;
use runner::Verdict;
use runner::identity::bytes_sha256;

use super::counted::Counted;
use super::inputs::SharedNetwork;
use super::open::OpenPlan;
use super::point::Ran;
use super::{Progress, RunOptions, SweepReport};
use crate::error::ExploreError;
use crate::store::{GroupWriter, KnownPoints, Store, StoreLock, Writers};

/// Rows that wait to be written, at most: points that take no time do not run ahead of the store.
const ROWS_WAITING: usize = 1024;

/// Least memory for the activations of a re-estimation.
const MIN_REESTIMATION_BYTES: u64 = 256 << 20;

impl OpenPlan {
    /// Runs the points that `count` finds open in a store.
    pub(super) fn run_counted(
        &self,
        count: &(dyn Fn(&KnownPoints) -> Counted + Sync),
        store: &Path,
        writers: Writers,
        options: &RunOptions<'_>,
    ) -> Result<SweepReport, ExploreError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
        let pool = pool.map_err(ExploreError::Threads)?;
        let store_file = Store::open(store)?;
        let _lock = StoreLock::take(store, writers)?;
        let resolved = self.plan.to_json();
        store_file.insert_plan(&bytes_sha256(resolved.as_bytes()), &resolved)?;
        let known = store_file.known()?;
        let Counted { status, mut open, failed } = pool.install(|| count(&known));
        drop(known);
        let mut report = SweepReport { points: status.points, failed: status.failed, ..SweepReport::default() };
        if options.retry_failed && !failed.is_empty() {
            store_file.remove_failed(&failed.iter().map(|&(_, key)| key).collect::<Vec<_>>())?;
            open.extend(failed.iter().map(|(place, _)| place));
            open.sort_unstable();
            report.failed = 0;
        }
        report.found = report.points - open.len();
        self.run_all(open, store_file, &pool, options, &mut report)?;
        Ok(report)
    }

    fn run_all(
        &self,
        to_do: Vec<u64>,
        store: Store,
        pool: &ThreadPool,
        options: &RunOptions<'_>,
        report: &mut SweepReport,
    ) -> Result<(), ExploreError> {
        let largest = self.inputs.networks().iter().map(|network| point_bytes(network)).max().unwrap_or(1);
        let at_once = points_at_once(to_do.len(), largest, pool.current_num_threads(), self.room);
        let memory_bytes = (self.room / at_once as u64).max(MIN_REESTIMATION_BYTES);
        let workshop = self.workshop(pool, memory_bytes, options.image);
        let count = to_do.len();
        (options.progress)(&Progress { done: 0, to_do: count, row: None });
        let queue = Mutex::new(to_do.into_iter());
        let (sender, results) = mpsc::sync_channel(ROWS_WAITING);
        thread::scope(|scope| {
            let start = |_| {
                let (sender, queue, workshop) = (sender.clone(), &queue, &workshop);
                scope.spawn(move || {
                    while let Some(place) = next(queue) {
                        let point = self.point(place);
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
}

/// What a point of a network takes beside the images, roughly: weights as codes, as real numbers and in the forms that
/// engines compute with; activations; and what re-estimation holds.
fn point_bytes(network: &SharedNetwork) -> u64 {
    const BYTES_A_WEIGHT: u64 = 48;
    const BYTES_A_POINT: u64 = 32 << 20;
    let reestimation = if network.statistics.is_some() { MIN_REESTIMATION_BYTES } else { 0 };
    BYTES_A_POINT + network.weights() * BYTES_A_WEIGHT + reestimation
}

fn next(queue: &Mutex<std::vec::IntoIter<u64>>) -> Option<u64> {
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
        report.differing +=
            usize::from(row.costs.iter().flat_map(|c| &c.hardware).any(|h| *h.verdict == *Verdict::Fail.name()));
        (options.progress)(&Progress { done: report.run, to_do: count, row: Some(&row) });
    }
}

/// Points that run at a time: one a thread, so that none waits for the serial parts of another, as far as memory
/// allows. `largest` is what a point takes at most.
fn points_at_once(points: usize, largest: u64, threads: usize, bytes: u64) -> usize {
    usize::try_from(bytes / largest).unwrap_or(usize::MAX).clamp(1, threads).min(points.max(1))
}
