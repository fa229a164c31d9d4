//! `esnsim sweep`: every point of a plan into a store, and stores put together.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use esnsim::{Pace, Pacer};
use explore::store::{Upgrade, shared_file_system};
use explore::sweep::{Plan, Progress, SweepReport, SweepStatus};
use report::text::{counted, grouped, one_line};

use crate::Status;
use crate::args::SweepOptions;
use crate::interrupt::{Interrupt, unless_interrupted};
use crate::terminal::{Bar, print, say};

/// Failed points that are named while a sweep runs.
const FAILURES_SHOWN: usize = 8;

/// Runs the command; it fails where a point does, or an ideal engine and its metric differ.
pub fn run(options: &SweepOptions) -> anyhow::Result<Status> {
    if options.dry_run {
        return status(options);
    }
    if options.upgrade {
        upgrade(&options.store)?;
    }
    if let Some(system) = shared_file_system(&options.store) {
        say(&place(options, &system));
    }
    if !options.merge.is_empty() {
        merge(options)?;
    }
    match &options.plan {
        Some(path) => run_plan(options, &Plan::read(path)?),
        None => Ok(Status::Done),
    }
}

fn run_plan(options: &SweepOptions, plan: &Plan) -> anyhow::Result<Status> {
    let started = Instant::now();
    let shown = Shown::default();
    let pacer = Pacer::new(&options.store);
    let interrupt = Interrupt::listen();
    let progress = |progress: &Progress<'_>| {
        pacer.point(progress.done, progress.to_do, Instant::now());
        shown.point(progress);
        interrupt.check();
    };
    let image = || interrupt.check();
    let report = unless_interrupted(|| esnsim::sweep(plan, &options.store, &options.request(&progress, &image)));
    shown.finish();
    let Some(report) = report else {
        let done = shown.done.load(Ordering::Relaxed);
        pacer.stop(done, Instant::now());
        eprintln!("{}", shown.stopped(&options.store));
        return Ok(Status::Interrupted);
    };
    let report = report?;
    print(&summary(options, &report, started.elapsed().as_secs_f64()))?;
    Ok(Status::of(report.failed == 0 && report.differing == 0))
}

/// Says where a plan or a store stands, and runs nothing.
fn status(options: &SweepOptions) -> anyhow::Result<Status> {
    let status = match &options.plan {
        Some(path) => esnsim::sweep_status(&Plan::read(path)?, &options.store, options.shard, options.memory_bytes)?,
        None => esnsim::store_status(&options.store)?,
    };
    let SweepStatus { points, done, failed, open } = status;
    let store = one_line(&options.store.display().to_string());
    let points = counted(points as u128, "point");
    let [of_done, of_failed, of_open] = [done, failed, open].map(|count| grouped(count as u128));
    if options.plan.is_none() {
        print(&format!(
            "{store}: {points} in the store, {of_done} done, {of_failed} failed; how many are open, a plan says\n"
        ))?;
        return Ok(Status::of(failed == 0));
    }
    let mut text = format!("{store}: {points}, {of_done} done, {of_failed} failed, {of_open} open\n");
    if open > 0 {
        text += &match Pace::read(&options.store) {
            Some(pace) => {
                format!("the open ones take about {}, as long as those of the last sweep\n", pace.remaining(open))
            }
            None => "how long the open ones take is known when some have run\n".to_string(),
        };
    }
    print(&text)?;
    Ok(Status::of(failed == 0))
}

/// What a user has been shown of a sweep that runs.
#[derive(Default)]
pub(super) struct Shown {
    bar: OnceLock<Bar>,
    failures: AtomicUsize,
    /// Points that are in the store, or about to be, and those that were to run.
    done: AtomicUsize,
    to_do: AtomicUsize,
}

impl Shown {
    /// Ends the bar.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish();
        }
    }

    /// What a user is told of a sweep that Ctrl-C stopped.
    pub fn stopped(&self, store: &Path) -> String {
        let store = one_line(&store.display().to_string());
        let [done, to_do] = [&self.done, &self.to_do].map(|count| count.load(Ordering::Relaxed) as u128);
        let (done, to_do) = (grouped(done), counted(to_do, "point"));
        format!("{store}: stopped when {done} of {to_do} were done, which are kept; the same command runs the rest")
    }

    pub fn point(&self, progress: &Progress<'_>) {
        self.done.store(progress.done, Ordering::Relaxed);
        self.to_do.store(progress.to_do, Ordering::Relaxed);
        let bar = self.bar.get_or_init(|| Bar::new("points", progress.to_do as u64));
        let Some(row) = progress.row else { return };
        bar.advance(1);
        let Some(error) = &row.error else { return };
        match self.failures.fetch_add(1, Ordering::Relaxed) {
            0..FAILURES_SHOWN => bar.say(&format!("failed: {}: {}", row.configuration.label(), one_line(error))),
            FAILURES_SHOWN => bar.say("failed: more points, as the store says"),
            _ => {}
        }
    }
}

fn summary(options: &SweepOptions, report: &SweepReport, seconds: f64) -> String {
    let SweepReport { points, found, run, failed, short, differing } = *report;
    let [found, run] = [found, run].map(|count| grouped(count as u128));
    let store = one_line(&options.store.display().to_string());
    let points = counted(points as u128, "point");
    let mut text = format!("{store}: {points}, {found} there before, {run} run in {seconds:.1} s\n");
    if failed > 0 {
        text += &format!("{} failed: the store says why; --retry-failed runs them again\n", grouped(failed as u128));
    }
    if short > 0 {
        let points = counted(short as u128, "point");
        text += &format!("{points} came to less than was asked for: their notes in the store say how\n");
    }
    if differing > 0 {
        let points = counted(differing as u128, "point");
        text += &format!("FAIL: an ideal engine and its metric differ on {points}\n");
    }
    text
}

fn upgrade(store: &Path) -> anyhow::Result<()> {
    let name = one_line(&store.display().to_string());
    print(&match esnsim::upgrade(store)? {
        Upgrade::NotNeeded => format!("{name}: has the layout of today\n"),
        Upgrade::Done(points) => format!("{name}: {} written anew\n", counted(points as u128, "point")),
    })
}

/// Why several processes must not write to a store where it lies.
fn place(options: &SweepOptions, system: &str) -> String {
    format!(
        "{} lies on a file system of several machines ({system}), where SQLite's locks are not safe; give each shard a \
         store of its own and put them together with --merge",
        options.store.display()
    )
}

fn merge(options: &SweepOptions) -> anyhow::Result<()> {
    let mut printed = Ok(());
    esnsim::merge(&options.store, &options.merge, |source, report| {
        let name = one_line(&source.display().to_string());
        let (added, equal) = (counted(report.added as u128, "point"), grouped(report.equal as u128));
        let line = format!("{name}: {added} added, {equal} there before\n");
        if printed.is_ok() {
            printed = print(&line);
        }
    })?;
    printed
}
