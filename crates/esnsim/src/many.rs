//! Many runs: a plan into a store, stores put together, and the frontier of a store.

use std::path::{Path, PathBuf};

use explore::pareto::{Accuracy, Cost, Judged, judge};
use explore::store::{MergeReport, PointRow, Store, StoreLock, Writers};
use explore::sweep::{Plan, SweepOptions, SweepReport};
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

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Judges the points of a store by a cost and an accuracy, cheapest first.
///
/// # Errors
///
/// [`Error::NoPoints`] if no point has both; it says why.
pub fn frontier<'a>(
    store: &Path,
    rows: &'a [PointRow],
    cost: &Cost,
    accuracy: &Accuracy,
) -> Result<Vec<Judged<'a>>, Error> {
    let points = judge(rows, cost, accuracy);
    match points.is_empty() {
        true => {
            let (reason, mend) = nothing(rows, cost, accuracy);
            Err(Error::NoPoints { path: store.to_path_buf(), reason, mend })
        }
        false => Ok(points),
    }
}

/// Why no point can be judged, and what mends it.
fn nothing(rows: &[PointRow], cost: &Cost, accuracy: &Accuracy) -> (String, Option<Mend>) {
    let done = rows.iter().filter(|row| row.error.is_none()).count();
    if done == 0 {
        return (format!("no point is done; {} failed", rows.len()), None);
    }
    let hardware = rows.iter().filter_map(|row| row.costs.as_ref()).flat_map(|costs| &costs.hardware);
    let mut names: Vec<&str> = hardware.map(|hardware| hardware.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let has_none = |what: String| format!("none of {done} points has {what}");
    if rows.iter().any(|row| accuracy.of(row).is_some()) {
        let known = names.join(", ");
        return (format!("{}; the hardware is {known}", has_none(format!("cost {}", cost.id()))), None);
    }
    let none = has_none(format!("accuracy {}", accuracy.id()));
    match accuracy {
        Accuracy::Hardware(name) if !names.contains(&name.as_str()) => {
            let known = names.join(", ");
            (format!("{none}; the hardware is {known}{}", did_you_mean(name, names.iter().copied())), None)
        }
        Accuracy::Hardware(name) => (format!("{none}; no images ran on {name}"), Some(Mend::PlanAnalogAccuracy)),
        Accuracy::Top5 if rows.iter().any(|row| row.accuracy.is_some()) => {
            (format!("{none}; there is one from 100 classes on"), None)
        }
        Accuracy::Top1 | Accuracy::Top5 | Accuracy::Agreement => (format!("{none}; a plan with images has one"), None),
    }
}
