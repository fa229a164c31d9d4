//! `esnsim sweep`: every point of a plan into a store, and stores put together.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use explore::store::{Store, StoreLock, Writers};
use explore::sweep::{Plan, Shard, SweepOptions, SweepReport, sweep};

use crate::format::one_line;
use crate::input::Progress;
use crate::print;

/// Bytes of a GiB.
const GIB: f64 = (1u64 << 30) as f64;

/// Failed points that are named while a sweep runs.
const FAILURES_SHOWN: usize = 8;

/// Options of `sweep`.
#[derive(Args)]
pub struct Options {
    /// Plan (TOML): networks, prunings, quantizations, hardware, images.
    #[arg(required_unless_present = "merge")]
    plan: Option<PathBuf>,

    /// Results (SQLite); made where it is not there. Points that it has are not run again.
    #[arg(long, short = 'o', value_name = "FILE")]
    store: PathBuf,

    /// Only every n-th point from the i-th on. Shards may write to one store, or each to its own.
    #[arg(long, value_name = "i/n", value_parser = shard)]
    shard: Option<Shard>,

    /// First put the results of these stores into the store. A point that two have must be equal in both.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merge: Vec<PathBuf>,

    /// Run points again that failed before.
    #[arg(long)]
    retry_failed: bool,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = crate::args::threads)]
    threads: Option<usize>,

    /// Memory to keep to, roughly.
    #[arg(long, value_name = "GiB", default_value_t = 4.0, value_parser = gibibytes)]
    memory: f64,
}

/// Runs the command; `false` where a point failed, or an ideal engine and its metric differ.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    if !options.merge.is_empty() {
        merge(options)?;
    }
    match &options.plan {
        Some(path) => run_plan(options, &Plan::read(path)?),
        None => Ok(true),
    }
}

fn run_plan(options: &Options, plan: &Plan) -> anyhow::Result<bool> {
    let started = Instant::now();
    let (bar, failures) = (OnceLock::new(), AtomicUsize::new(0));
    let report = sweep(
        plan,
        &options.store,
        &SweepOptions {
            shard: options.shard,
            threads: options.threads.unwrap_or(0),
            memory_bytes: (options.memory * GIB) as u64,
            retry_failed: options.retry_failed,
            progress: &|progress| {
                let bar = bar.get_or_init(|| Progress::new("points", progress.to_do as u64));
                let Some(row) = progress.row else { return };
                bar.advance(1);
                let Some(error) = &row.error else { return };
                match failures.fetch_add(1, Ordering::Relaxed) {
                    0..FAILURES_SHOWN => {
                        bar.say(&format!("failed: {}: {}", row.configuration.label(), one_line(error)))
                    }
                    FAILURES_SHOWN => bar.say("failed: more points, as the store says"),
                    _ => {}
                }
            },
        },
    );
    if let Some(bar) = bar.get() {
        bar.finish();
    }
    let report = report?;
    print(&summary(options, &report, started.elapsed().as_secs_f64()))?;
    Ok(report.failed == 0 && report.differing == 0)
}

fn summary(options: &Options, report: &SweepReport, seconds: f64) -> String {
    let SweepReport { points, found, run, failed, differing } = *report;
    let store = one_line(&options.store.display().to_string());
    let mut text = format!("{store}: {points} points, {found} there before, {run} run in {seconds:.1} s\n");
    if failed > 0 {
        text += &format!("{failed} failed: the store says why; --retry-failed runs them again\n");
    }
    if differing > 0 {
        text += &format!("FAIL: an ideal engine and its metric differ on {differing} points\n");
    }
    text
}

fn merge(options: &Options) -> anyhow::Result<()> {
    if let Some(path) = options.merge.iter().find(|path| same_file(path, &options.store)) {
        bail!("{}: cannot be merged into itself", path.display());
    }
    let sources = options.merge.iter().map(|path| Store::open_existing(path)).collect::<Result<Vec<_>, _>>()?;
    let store = Store::open(&options.store)?;
    let _lock = StoreLock::take(&options.store, Writers::Shards)?;
    for source in &sources {
        let report = store.merge(source)?;
        let name = one_line(&source.path().display().to_string());
        print(&format!("{name}: {} points added, {} there before\n", report.added, report.equal))?;
    }
    Ok(())
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((index, of)) if (1..=of).contains(&index) => Ok(Shard { index, of }),
        _ => Err("expected i/n with i from 1 to n, as 2/8".to_string()),
    }
}

fn gibibytes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(x) if (0.25..=65536.0).contains(&x) => Ok(x),
        _ => Err("expected a number of GiB, at least 0.25".to_string()),
    }
}
