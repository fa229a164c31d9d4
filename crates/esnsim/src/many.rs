//! Many runs: a plan into a store, stores put together, and the frontier of a store.

use std::path::{Path, PathBuf};

use explore::pareto::{Accuracy, Survey};
use explore::store::{MergeReport, Points, Store, StoreLock, Upgrade, Writers, check_place};
use explore::sweep::{OpenPlan, Plan, Shard, SweepOptions, SweepReport, SweepStatus};
use formats::did_you_mean;
use network::Mend;

use crate::error::Error;

/// Runs every point of a plan that the store does not have; `docs/sweep.md` documents plan and store.
///
/// # Errors
///
/// Those of the plan and everything it names, and of the store. A point that fails for reasons of its own is stored as
/// failed, and the sweep goes on.
pub fn sweep(plan: &Plan, store: &Path, options: &SweepOptions<'_>) -> Result<SweepReport, Error> {
    Ok(explore::sweep::sweep(plan, store, options)?)
}

/// How many points of a plan, or of a shard of it, a store has; nothing is run and nothing written. Where there is no store yet,
/// all points are open.
///
/// # Errors
///
/// Those of the plan and everything it names, of reading the store, and of a store that [`sweep`] would not write to.
pub fn sweep_status(plan: &Plan, store: &Path, shard: Option<Shard>, memory_bytes: u64) -> Result<SweepStatus, Error> {
    let open = OpenPlan::open(plan.clone(), memory_bytes)?;
    check_place(store)?;
    let store = store.exists().then(|| Store::open_existing(store)).transpose()?;
    store.iter().try_for_each(Store::check_written)?;
    Ok(open.status(store.as_ref(), shard)?)
}

/// How many points a store has.
///
/// # Errors
///
/// Those of reading the store.
pub fn store_status(store: &Path) -> Result<SweepStatus, Error> {
    let known = Store::open_existing(store)?.known()?;
    let (done, failed) = (known.done().len(), known.failed().len());
    Ok(SweepStatus { points: done + failed, done, failed, open: 0 })
}

/// Puts the results of other stores into a store, which is made where it is not there. `done` is told of each source.
///
/// # Errors
///
/// [`Error::SameStore`] for a store among its own sources; those of the stores, and of a point that two have with
/// different results.
pub fn merge(store: &Path, sources: &[PathBuf], mut done: impl FnMut(&Path, &MergeReport)) -> Result<(), Error> {
    if let Some(path) = sources.iter().find(|path| same_file(path, store)) {
        return Err(Error::SameStore { path: path.clone() });
    }
    let sources = sources.iter().map(|path| Store::open_existing(path)).collect::<Result<Vec<_>, _>>()?;
    let target = Store::open(store)?;
    let _lock = StoreLock::take(store, Writers::Shards)?;
    for source in &sources {
        let report = target.merge(source)?;
        done(source.path(), &report);
    }
    Ok(())
}

/// Makes a store of an older layout one of today's, in its place.
///
/// # Errors
///
/// Those of the store, and if another process has it open.
pub fn upgrade(store: &Path) -> Result<Upgrade, Error> {
    Ok(explore::store::upgrade(store)?)
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Surveys points in one pass over their store: the frontiers by the axes that the survey is made with.
///
/// # Errors
///
/// Those of reading the store; [`Error::NoPoints`] if no point has the first cost and accuracy of the survey. It says why.
pub fn survey(points: &Points<'_>, survey: Survey) -> Result<Survey, Error> {
    let survey = survey.of(points)?;
    match survey.planes.first().is_some_and(|plane| plane.judged > 0) {
        true => Ok(survey),
        false => {
            let (reason, mend) = nothing(&survey);
            Err(Error::NoPoints { path: points.store.path().to_path_buf(), reason, mend })
        }
    }
}

/// Why no point can be judged, and what mends it.
fn nothing(survey: &Survey) -> (String, Option<Mend>) {
    let Survey { done, failed, .. } = survey;
    if *done == 0 {
        return (format!("no point is done; {failed} failed"), None);
    }
    let mut names: Vec<&str> = survey.hardware.iter().map(|hardware| &*hardware.name).collect();
    names.sort_unstable();
    let known = names.join(", ");
    let has_none = |what: String| format!("none of {done} points has {what}");
    let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
    if plane.has_accuracy {
        let cost = &plane.axes.cost;
        let why = match cost.is_of_hardware() {
            true => format!("the hardware is {known}"),
            false => "they were run before it was counted: run the plan again into a new store".to_string(),
        };
        return (format!("{}; {why}", has_none(format!("cost {}", cost.id()))), None);
    }
    let none = has_none(format!("accuracy {}", plane.axes.accuracy.id()));
    match &plane.axes.accuracy {
        Accuracy::Hardware(name) if !names.contains(&name.as_str()) => {
            (format!("{none}; the hardware is {known}{}", did_you_mean(name, names.iter().copied())), None)
        }
        Accuracy::Hardware(name) => (format!("{none}; no images ran on {name}"), Some(Mend::PlanAnalogAccuracy)),
        Accuracy::Top5 if survey.images.is_some() => (format!("{none}; there is one from 100 classes on"), None),
        Accuracy::Top1 | Accuracy::Top5 | Accuracy::Agreement => {
            (format!("{none}; a plan with images has one, and costs alone are in proxies --points"), None)
        }
    }
}
