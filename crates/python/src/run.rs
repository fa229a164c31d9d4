//! What a simulation found.

use esnsim::{BitConvention, Hardware, Quantization};
use pyo3::prelude::*;
use report::figures::{RunFigures, write_run_page};
use report::text::quantization_line;
use runner::{Evaluation, NetworkCost, RunRecord};

use crate::errors::raised;

/// What stands behind a bit width that nobody chose.
pub(crate) const DEFAULT_BITS: &str = "the default";

/// What a simulation found.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Run {
    /// The run as the command writes it in JSON; of the metric alone all but `run`.
    #[pyo3(get)]
    pub(crate) json: String,
    /// The tables as the command prints them.
    #[pyo3(get)]
    pub(crate) text: String,
    /// Whether every ideal engine agrees with its metric.
    #[pyo3(get)]
    pub(crate) passes: bool,
    /// What there is to know, one line each.
    #[pyo3(get)]
    pub(crate) notes: Vec<String>,
    pub(crate) found: Found,
}

/// What the page of a run is drawn from.
pub(crate) struct Found {
    pub network: network::Network,
    pub hardware: Vec<Hardware>,
    pub quantization: Quantization,
    pub convention: BitConvention,
    pub cost: NetworkCost,
    pub evaluation: Option<Evaluation>,
    /// None of the metric alone, which has no page.
    pub record: Option<RunRecord>,
}

#[pymethods]
impl Run {
    /// The page of the run, as the command writes it.
    fn html(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.found.page())
    }
}

impl Found {
    fn page(&self) -> PyResult<String> {
        let details = runner::details(&self.network, self.quantization, self.convention);
        let details = details.map_err(|error| raised(&error))?;
        let figures = RunFigures {
            network: &self.network,
            quantization: &quantization_line(&self.cost, self.quantization, DEFAULT_BITS),
            hardware: &self.hardware,
            cost: &self.cost,
            details: &details,
            evaluation: self.evaluation.as_ref(),
            record: self.record.as_ref().expect("a run on hardware has a record"),
        };
        let mut page = Vec::new();
        write_run_page(&mut page, &figures).expect("memory takes all that is written");
        Ok(String::from_utf8(page).expect("a page is text"))
    }
}
