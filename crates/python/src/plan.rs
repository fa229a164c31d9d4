//! A plan that is opened once and runs points as they are asked for.

use std::path::PathBuf;

use compress::Choice;
use esnsim::{Error, Grid};
use explore::pareto::Cost;
use explore::store::Store;
use explore::sweep::{OpenPlan as Open, Plan, PointEntry, RunOptions, SensitivityRequest};
use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::{bad_argument, raised};
use crate::many::{Counts, counts, memory_bytes};
use crate::options::{GRIDS, chosen};
use crate::work::{Watch, on_threads};

/// A plan whose files are open. Several threads may use it at a time.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct OpenPlan {
    open: Open,
}

#[pymethods]
impl OpenPlan {
    /// Opens everything that a plan names. The plan is the file, or `text`; then `path` stands for it in messages, and paths
    /// that it names start in the folder of `path`.
    #[new]
    #[pyo3(signature = (path, *, text, memory))]
    fn new(py: Python<'_>, path: PathBuf, text: Option<String>, memory: f64) -> PyResult<Self> {
        let memory_bytes = memory_bytes(memory)?;
        let work = |_: &_| -> Result<Open, Error> {
            let plan = match &text {
                Some(text) => Plan::parse(&path, text)?,
                None => Plan::read(&path)?,
            };
            Ok(Open::open(plan, memory_bytes)?)
        };
        Ok(Self { open: on_threads(py, None, None, work)? })
    }

    /// Every point's key: those of the plan in its order, then those that were added.
    fn keys(&self) -> Vec<String> {
        self.open.keys()
    }

    /// Adds a point that the plan does not list, a `[[point]]` of it in JSON, and returns its key.
    fn add(&self, point: &str) -> PyResult<String> {
        let entry: PointEntry =
            serde_json::from_str(point).map_err(|error| bad_argument(format!("point {point}: {error}")))?;
        self.open.add(&entry).map_err(|error| raised(&error))
    }

    /// A point in a few words.
    fn label(&self, key: &str) -> PyResult<String> {
        self.open.label(key).map_err(|error| raised(&error))
    }

    /// Runs those of the points that the store does not have.
    #[pyo3(signature = (keys, store, *, retry_failed, threads, progress))]
    fn run(
        &self,
        py: Python<'_>,
        keys: Vec<String>,
        store: PathBuf,
        retry_failed: bool,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Counts> {
        let work = |watch: &Watch| -> Result<Counts, Error> {
            let options = RunOptions {
                threads: threads.unwrap_or(0),
                retry_failed,
                progress: &|progress| watch.points(progress.done as u64, progress.to_do as u64),
                image: &|| watch.check(),
            };
            Ok(counts(&self.open.run(&keys, &store, &options)?))
        };
        on_threads(py, threads, progress, work)
    }

    /// How much each layer of a network of the plan bears (`sensitivity`), and the ways to quantize all of them that are worth
    /// their cost by that (`frontier`), as JSON. `prune` is the `prune` of a `[[point]]` in JSON, and
    /// `choices` a list of ways to quantize a layer; left out, the usual ones on `grid`.
    #[pyo3(signature = (*, network, prune, cost, choices, grid, images, reestimate, threads, progress))]
    #[allow(clippy::too_many_arguments, reason = "arguments of Python")]
    fn sensitivity(
        &self,
        py: Python<'_>,
        network: Option<String>,
        prune: &str,
        cost: &str,
        choices: Option<&str>,
        grid: &str,
        images: usize,
        reestimate: bool,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        let choices = match choices {
            Some(text) => parsed("choices", text)?,
            None => Choice::usual(chosen("grid", Some(grid), &GRIDS)?.unwrap_or(Grid::MidRise)),
        };
        let (prune, cost) = (parsed("prune", prune)?, known_cost(cost)?);
        let request = SensitivityRequest { network, prune, cost, choices: &choices, images, reestimate };
        let work = |watch: &Watch| -> Result<String, Error> {
            let progress = |done, of| watch.told("ways to quantize a layer", done as u64, of as u64);
            let found = self.open.sensitivity(&request, threads.unwrap_or(0), &progress)?;
            let frontier = found.frontier();
            Ok(json(&Measured { sensitivity: &found, frontier: &frontier }))
        };
        on_threads(py, threads, progress, work)
    }

    /// What each layer of the first network of the plan costs in each way of the list `choices`, as JSON: for each way a list, in
    /// the order of `sensitivity`.
    #[pyo3(signature = (*, prune, cost, choices, threads))]
    fn costs(
        &self,
        py: Python<'_>,
        prune: &str,
        cost: &str,
        choices: &str,
        threads: Option<usize>,
    ) -> PyResult<String> {
        let choices: Vec<Choice> = parsed("choices", choices)?;
        let (prune, cost) = (parsed("prune", prune)?, known_cost(cost)?);
        let request =
            SensitivityRequest { network: None, prune, cost, choices: &choices, images: 0, reestimate: false };
        let work = |_: &_| -> Result<String, Error> {
            let costs = self.open.costs_of_choices(&request, threads.unwrap_or(0))?;
            Ok(json(&costs))
        };
        on_threads(py, threads, None, work)
    }

    /// The results of these points in a store, each as JSON; `None` where the store has no such point.
    fn rows(&self, py: Python<'_>, store: PathBuf, keys: Vec<String>) -> PyResult<Vec<Option<String>>> {
        let work = |_: &_| -> Result<Vec<Option<String>>, Error> {
            let store = Store::open_existing(&store)?;
            let row = |key: &String| -> Result<Option<String>, Error> {
                // A text that is no key is one that no point has.
                let Ok(key) = key.parse() else { return Ok(None) };
                Ok(store.rows_of(&[key])?.iter().flatten().map(report::point_json).next())
            };
            keys.iter().map(row).collect()
        };
        on_threads(py, None, None, work)
    }
}

/// What was measured of a network.
#[derive(Serialize)]
struct Measured<'a, S, F> {
    sensitivity: &'a S,
    frontier: &'a F,
}

/// A result in JSON. Costs of layers may be larger than the numbers of `serde_json::Value`.
fn json(result: &impl Serialize) -> String {
    serde_json::to_string(result).expect("names and numbers have a JSON form")
}

/// An argument in JSON.
fn parsed<T: serde::de::DeserializeOwned>(argument: &str, text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|error| bad_argument(format!("{argument}: {error}")))
}

/// A cost of `pareto` by its name.
pub fn known_cost(cost: &str) -> PyResult<Cost> {
    cost.parse().map_err(|problem: String| bad_argument(format!("cost: {problem}, not {cost:?}")))
}
