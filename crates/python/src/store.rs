//! A store that others fill: their results are put into it as they come.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use esnsim::Error;
use explore::PointKey;
use explore::pareto::CostValue;
use explore::store::{Status, Store, StoreLock, Writers};
use pyo3::prelude::*;

use crate::errors::bad_argument;
use crate::plan::known_cost;
use crate::work::on_threads;

/// A store that is open for writing and locked, as a sweep of this process locks it, until it is closed.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct LockedStore {
    open: Mutex<Option<(Store, StoreLock)>>,
}

impl LockedStore {
    fn open(&self) -> MutexGuard<'_, Option<(Store, StoreLock)>> {
        // Whatever is written is written whole or not at all.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&Store) -> Result<T, Error> + Send) -> PyResult<T> {
        let work = |_: &_| self.open().as_ref().map(|(store, _)| work(store)).transpose();
        let done = on_threads(py, Some(1), None, work)?;
        done.ok_or_else(|| bad_argument("the store was closed".to_string()))
    }
}

#[pymethods]
impl LockedStore {
    /// Opens a store, which is made where it is not there. With `shared`, other processes may write points of their own.
    #[new]
    #[pyo3(signature = (path, *, shared))]
    fn new(py: Python<'_>, path: PathBuf, shared: bool) -> PyResult<Self> {
        let writers = if shared { Writers::Shards } else { Writers::One };
        let work = |_: &_| -> Result<Self, Error> {
            let store = Store::open(&path)?;
            Ok(Self { open: Mutex::new(Some((store, StoreLock::take(&path, writers)?))) })
        };
        on_threads(py, Some(1), None, work)
    }

    /// Every point's key and how it ended.
    fn statuses(&self, py: Python<'_>) -> PyResult<HashMap<String, &'static str>> {
        let known = self.with(py, |store| Ok(store.known()?))?;
        let of = |keys: &[PointKey], status: Status| -> Vec<_> {
            keys.iter().map(|key| (key.to_string(), status.name())).collect()
        };
        Ok(of(known.done(), Status::Done).into_iter().chain(of(known.failed(), Status::Failed)).collect())
    }

    /// Removes those of the points that failed, so that they run again; how many there were.
    fn remove_failed(&self, py: Python<'_>, keys: Vec<String>) -> PyResult<usize> {
        let keys: Vec<PointKey> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        self.with(py, |store| Ok(store.remove_failed(&keys)?))
    }

    /// Adds every point and plan of another store, in one transaction: how many were added, and how many were
    /// there before.
    fn merge(&self, py: Python<'_>, source: PathBuf) -> PyResult<(usize, usize)> {
        let report = self.with(py, |store| Ok(store.merge(&Store::open_existing(&source)?)?))?;
        Ok((report.added, report.equal))
    }

    /// Closes the store and gives the lock back.
    fn close(&self) {
        *self.open() = None;
    }
}

/// What these points of a store cost, in their order: the nearest number; `None` where a point lacks the cost, or the store the point.
#[pyfunction]
pub fn costs_of(py: Python<'_>, store: PathBuf, keys: Vec<String>, cost: &str) -> PyResult<Vec<Option<f64>>> {
    let cost = known_cost(cost)?;
    let work = |_: &_| -> Result<Vec<Option<f64>>, Error> {
        let store = Store::open_existing(&store)?;
        let of = |key: &String| -> Result<Option<f64>, Error> {
            // A text that is no key is one that no point has.
            let Ok(key) = key.parse() else { return Ok(None) };
            let row = store.rows_of(&[key])?.pop().flatten();
            Ok(row.and_then(|row| cost.of_costs(row.costs.as_ref()?)).map(CostValue::to_f64))
        };
        keys.iter().map(of).collect()
    };
    on_threads(py, None, None, work)
}
