//! Networks of the literature, sweeps, frontiers and landscapes.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use esnsim::{ArchitectureRequest, BitWidth, Error, Pace, Pacer};
use explore::PointKey;
use explore::landscape::{LandscapePlan, landscape as cost_landscape};
use explore::pareto::{Accuracy, Axes, Cost, Survey, judged};
use explore::store::{Points, Store, Upgrade};
use explore::sweep::{Plan, Progress, RunOptions, Shard, SweepOptions, SweepReport, SweepStatus};
use network::architectures::{Fan, Shortcut, build};
use pyo3::prelude::*;
use report::figures::{FrontierPage, landscape_svg};
use report::text::{frontier_table, landscape_table};
use report::{write_frontier_csv, write_landscape_csv};

use crate::errors::{bad_argument, raised};
use crate::network::Network;
use crate::options::chosen;
use crate::work::{Watch, on_threads};

/// A network of the literature with random weights.
#[pyfunction]
#[pyo3(signature = (name, *, width, classes, input, shortcut, depth, growth, seed, fan))]
#[allow(clippy::too_many_arguments, reason = "arguments of Python")]
pub fn new(
    py: Python<'_>,
    name: &str,
    width: f64,
    classes: Option<usize>,
    input: Option<usize>,
    shortcut: Option<&str>,
    depth: Option<usize>,
    growth: Option<usize>,
    seed: u64,
    fan: &str,
) -> PyResult<Network> {
    let shortcuts = [("A", Shortcut::A), ("projection", Shortcut::Projection), ("paper", Shortcut::Paper)];
    let request = ArchitectureRequest {
        width,
        classes,
        input_size: input,
        shortcut: chosen("shortcut", shortcut, &shortcuts)?,
        depth,
        growth,
        seed,
        fan: chosen("fan", Some(fan), &[("in", Fan::In), ("out", Fan::Out)])?.unwrap_or(Fan::In),
        ..ArchitectureRequest::new(name)
    };
    let work = |_: &_| -> Result<Network, Error> {
        let architecture = request.architecture()?;
        Ok(Network::made(build(&architecture)?, request.provenance(&architecture)))
    };
    on_threads(py, None, None, work)
}

/// How many points: of the plan, found in the store, run, failed, short of what was asked for, and on which an ideal engine and
/// its metric differ.
pub(crate) type Counts = (usize, usize, usize, usize, usize, usize);

pub(crate) fn counts(report: &SweepReport) -> Counts {
    (report.points, report.found, report.run, report.failed, report.short, report.differing)
}

/// GiB of memory, as bytes.
pub(crate) fn memory_bytes(gibibytes: f64) -> PyResult<u64> {
    match (0.25..=65536.0).contains(&gibibytes) {
        true => Ok((gibibytes * f64::from(1u32 << 30)) as u64),
        false => Err(bad_argument(format!("memory is {gibibytes} GiB; expected 0.25 to 65536"))),
    }
}

/// Runs every point of a plan that the store does not have.
#[pyfunction]
#[pyo3(signature = (plan, store, *, shard, retry_failed, memory, threads, progress))]
#[allow(clippy::too_many_arguments, reason = "arguments of Python")]
pub fn sweep(
    py: Python<'_>,
    plan: PathBuf,
    store: PathBuf,
    shard: Option<(usize, usize)>,
    retry_failed: bool,
    memory: f64,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Counts> {
    let shard = share(shard)?;
    let memory_bytes = memory_bytes(memory)?;
    let work = |watch: &Watch| -> Result<Counts, Error> {
        let plan = Plan::read(&plan)?;
        let pacer = Pacer::new(&store);
        let progress = |progress: &Progress<'_>| {
            pacer.point(progress.done, progress.to_do, Instant::now());
            watch.points(progress.done as u64, progress.to_do as u64);
        };
        let image = || watch.check();
        let run = RunOptions { threads: threads.unwrap_or(0), retry_failed, progress: &progress, image: &image };
        let options = SweepOptions { shard, memory_bytes, run };
        Ok(counts(&esnsim::sweep(&plan, &store, &options)?))
    };
    on_threads(py, threads, progress, work)
}

/// The share of a sweep that `(i, n)` stands for.
fn share(shard: Option<(usize, usize)>) -> PyResult<Option<Shard>> {
    match shard {
        Some((index, of)) if !(1..=of).contains(&index) => {
            Err(bad_argument(format!("shard is ({index}, {of}); expected (i, n) with i from 1 to n")))
        }
        shard => Ok(shard.map(|(index, of)| Shard { index, of })),
    }
}

/// How many points of a plan a store has: points, done, failed, open, and the seconds that the open ones take by what the last
/// sweep took.
#[pyfunction]
#[pyo3(signature = (plan, store, *, shard, memory))]
pub fn sweep_status(
    py: Python<'_>,
    plan: PathBuf,
    store: PathBuf,
    shard: Option<(usize, usize)>,
    memory: f64,
) -> PyResult<(usize, usize, usize, usize, Option<f64>)> {
    let shard = share(shard)?;
    let memory_bytes = memory_bytes(memory)?;
    let work = |_: &_| -> Result<_, Error> {
        let SweepStatus { points, done, failed, open } =
            esnsim::sweep_status(&Plan::read(&plan)?, &store, shard, memory_bytes)?;
        let seconds = Pace::read(&store).map(|pace| pace.remaining_seconds(open));
        Ok((points, done, failed, open, seconds))
    };
    on_threads(py, None, None, work)
}

/// Writes down beside a store that so many points of a sweep took so many seconds.
#[pyfunction]
pub fn keep_pace(store: PathBuf, points: u64, seconds: f64) {
    if let Some(pace) = Pace::new(points, seconds) {
        pace.write(&store);
    }
}

/// The share `(i, n)` of a sweep of this task of an array job of SLURM.
#[pyfunction]
pub fn slurm_shard() -> PyResult<(usize, usize)> {
    let shard = esnsim::slurm_shard(|name| std::env::var(name).ok()).map_err(|error| raised(&error))?;
    Ok((shard.index, shard.of))
}

/// Puts the results of other stores into a store; how many points of each were added, and how many were there before.
#[pyfunction]
pub fn merge(py: Python<'_>, store: PathBuf, sources: Vec<PathBuf>) -> PyResult<Vec<(usize, usize)>> {
    let work = |_: &_| -> Result<Vec<(usize, usize)>, Error> {
        let mut reports = Vec::new();
        esnsim::merge(&store, &sources, |_, report| reports.push((report.added, report.equal)))?;
        Ok(reports)
    };
    on_threads(py, None, None, work)
}

/// The points of a store by a cost and an accuracy: all of them in CSV, the frontier as the command prints it, and its page. With
/// `keys`, those points alone.
#[pyfunction]
#[pyo3(signature = (store, cost, accuracy, keys = None))]
pub fn pareto(
    py: Python<'_>,
    store: PathBuf,
    cost: &str,
    accuracy: &str,
    keys: Option<HashSet<String>>,
) -> PyResult<(String, String, String)> {
    let cost: Cost = cost.parse().map_err(|problem| bad_argument(format!("cost {cost:?}: {problem}")))?;
    let accuracy: Accuracy =
        accuracy.parse().map_err(|problem| bad_argument(format!("accuracy {accuracy:?}: {problem}")))?;
    let keys: Option<HashSet<PointKey>> = keys.map(|keys| keys.iter().filter_map(|key| key.parse().ok()).collect());
    let work = |_: &_| -> Result<(String, String, String), Error> {
        let file = Store::open_existing(&store)?;
        let points = Points { store: &file, only: keys.as_ref() };
        let survey = esnsim::survey(&points, Survey::by_all(Axes { cost, accuracy }))?;
        let table = frontier_table(&survey, &judged(&file, &survey.planes[0].frontier())?);
        let name = store.file_name().unwrap_or_default().to_string_lossy();
        let page = FrontierPage::new(&points, &survey, &name, None)?;
        let (mut csv, mut html) = (Vec::new(), Vec::new());
        write_frontier_csv(&mut csv, &points, &survey)
            .expect("the store was read, and memory takes all that is written");
        page.write(&mut html).expect("memory takes all that is written");
        Ok((text(csv), table, text(html)))
    };
    on_threads(py, None, None, work)
}

/// Makes a store of an older layout one of today's, in its place; how many points it has, none where it was one already.
#[pyfunction]
pub fn upgrade(py: Python<'_>, store: PathBuf) -> PyResult<Option<usize>> {
    let work = |_: &_| -> Result<Option<usize>, Error> {
        Ok(match esnsim::upgrade(&store)? {
            Upgrade::NotNeeded => None,
            Upgrade::Done(points) => Some(points),
        })
    };
    on_threads(py, None, None, work)
}

/// The file system that a store lies on, where several machines may write to it and the locks of SQLite are not safe.
#[pyfunction]
pub fn shared_file_system(store: PathBuf) -> Option<String> {
    explore::store::shared_file_system(&store)
}

/// What hardware makes of fewer bits and of pruning: in CSV, as the command prints it, and drawn as SVG.
#[pyfunction]
#[pyo3(signature = (*, hardware, bits, pruned, seed, threads))]
pub fn landscape(
    py: Python<'_>,
    hardware: Vec<PathBuf>,
    bits: u32,
    pruned: u32,
    seed: u64,
    threads: Option<usize>,
) -> PyResult<(String, String, String)> {
    let bits = BitWidth::new(bits).map_err(|error| bad_argument(error.to_string()))?.get();
    if pruned > 99 {
        return Err(bad_argument(format!("pruned is {pruned} per cent; expected 0 to 99")));
    }
    let work = |_: &_| -> Result<(String, String, String), Error> {
        let hardware = esnsim::landscape_hardware(&hardware)?;
        let points = cost_landscape(&LandscapePlan { hardware: &hardware, bits, pruned_percent: pruned, seed })?;
        let mut csv = Vec::new();
        write_landscape_csv(&mut csv, &points).expect("memory takes all that is written");
        let svg = landscape_svg(&points).expect("every point is on the axes, which its own numbers set");
        Ok((text(csv), landscape_table(&hardware, &points, bits), svg))
    };
    on_threads(py, threads, None, work)
}

fn text(written: Vec<u8>) -> String {
    String::from_utf8(written).expect("tables and pages are text")
}
