//! A network, and what is asked of it.

use std::path::PathBuf;

use esnsim::{
    Error, EvaluateOptions, Hardware, ImageRequest, Layout, NetworkImages, OpenOptions, Opened, Progress, Quiet,
    SimulateOptions, Simulation,
};
use network::LayerId;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{bad_argument, raised};
use crate::options::{Opening, convention, width};

/// What stands behind a bit width that nobody chose.
const DEFAULT_BITS: &str = "the default";

/// A network that was read. It does not change.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Network {
    opened: Opened,
    options: OpenOptions,
    file: Option<PathBuf>,
    is_embedded: bool,
}

/// Reads a network: a path, the bytes of a file, or nothing for the network that comes along.
#[pyfunction]
#[pyo3(signature = (source, name, opening))]
pub fn open(py: Python<'_>, source: Option<&Bound<'_, PyAny>>, name: &str, opening: Opening) -> PyResult<Network> {
    let options = opening.options()?;
    let bytes = source.and_then(|source| source.cast::<PyBytes>().ok()).map(|bytes| bytes.as_bytes().to_vec());
    let file: Option<PathBuf> = match (&bytes, source) {
        (None, Some(source)) => Some(source.extract()?),
        _ => None,
    };
    let is_embedded = source.is_none() && options.read.topology.is_none();
    let opened = py.detach(|| match &bytes {
        Some(bytes) => esnsim::open_piped(name, bytes.as_slice(), &options),
        None => esnsim::open(file.as_deref(), &options),
    });
    Ok(Network { opened: opened.map_err(|error| raised(&error))?, options, file, is_embedded })
}

/// Names of the hardware that comes along, and what each is.
#[pyfunction]
pub fn hardware() -> Vec<(String, String)> {
    let all = Hardware::ideal().into_iter().chain(Hardware::presets());
    all.map(|hardware| (hardware.engine.name().to_string(), hardware.summary().to_string())).collect()
}

/// What a simulation found.
#[pyclass(frozen, get_all, module = "esnsim._esnsim")]
pub struct Run {
    /// The run as the command writes it in JSON.
    json: String,
    /// The tables as the command prints them.
    text: String,
    /// Whether every ideal engine agrees with its metric.
    passes: bool,
    /// What was decided about images because nobody said it.
    notes: Vec<String>,
}

#[pymethods]
impl Network {
    /// Its name in messages and reports.
    #[getter]
    fn name(&self) -> String {
        report::text::network_name(&self.opened.network)
    }

    /// What a user should know of the reading, one line each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.opened.network.notes().iter().map(ToString::to_string).collect()
    }

    /// The layers as the command's `inspect` writes them in CSV, and as it prints them.
    fn inspect(&self, py: Python<'_>) -> PyResult<(String, String)> {
        let network = &self.opened.network;
        let statistics = py.detach(|| {
            let layers = (0..network.layers().len()).map(|layer| runner::weight_statistics(network, LayerId(layer)));
            layers.collect::<Result<Vec<_>, _>>()
        });
        let statistics = statistics.map_err(|error| raised(&error))?;
        let mut csv = Vec::new();
        report::write_inspect_csv(&mut csv, network, &statistics)?;
        let mut text = report::text::network_overview(network, &statistics);
        text += &report::text::layer_table(network, &statistics);
        Ok((String::from_utf8(csv).expect("CSV is text"), text))
    }

    /// Simulates the network on hardware; without any, the metric alone.
    #[pyo3(signature = (*, hardware, bits, bit_convention, images, limit, threads, metric_only))]
    #[allow(clippy::too_many_arguments, reason = "arguments of Python")]
    fn simulate(
        &self,
        py: Python<'_>,
        hardware: Vec<PathBuf>,
        bits: Option<u32>,
        bit_convention: &str,
        images: Option<PathBuf>,
        limit: Option<usize>,
        threads: Option<usize>,
        metric_only: bool,
    ) -> PyResult<Run> {
        let (bits, convention) = (width(bits)?, convention(bit_convention)?);
        if threads == Some(0) {
            return Err(bad_argument("threads is 0; expected at least 1".to_string()));
        }
        let work = || -> Result<Run, Error> {
            self.opened.check_steps(bits)?;
            let hardware = if metric_only { Vec::new() } else { esnsim::hardware(&hardware)? };
            let request = ImageRequest { path: images, limit, ..ImageRequest::default() };
            let wants_images = request.path.is_some();
            let images = if wants_images { esnsim::images(&self.opened.network, false, &request)? } else { None };
            let plan = SimulateOptions {
                quantization: self.opened.quantization(bits),
                convention,
                images: images.as_ref().map(|images| EvaluateOptions::new(&images.samples)),
            };
            self.run(&hardware, plan, images.as_ref(), &Quiet)
        };
        let done = py.detach(|| esnsim::on_threads(threads, work));
        done.and_then(|run| run).map_err(|error| raised(&error))
    }

    fn __repr__(&self) -> String {
        let network = &self.opened.network;
        format!("<esnsim.Network {}: {} layers>", self.name(), network.layers().len())
    }
}

impl Network {
    fn run(
        &self,
        hardware: &[Hardware],
        plan: SimulateOptions<'_>,
        images: Option<&NetworkImages>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let network = &self.opened.network;
        let run = esnsim::simulate(network, hardware, plan, progress)?;
        let run_on = images.zip(plan.images.as_ref());
        let record = esnsim::run_record(None, self.recorded(), network, &self.options, run_on)?;
        let mut text = text(&run, network, hardware.is_empty());
        if let Some(evaluation) = run.evaluation() {
            text += &report::text::accuracy(network, evaluation);
        }
        let notes = images.iter().flat_map(|images| &images.notes).map(ToString::to_string).collect();
        Ok(Run { json: run.json(&record), text, passes: run.passes(), notes })
    }

    /// The file of the record: none where the network is the one that comes along.
    fn recorded(&self) -> Option<&std::path::Path> {
        match (&self.file, self.is_embedded) {
            (Some(file), _) => Some(file),
            (None, true) => None,
            // Bytes have no file that could be read again.
            (None, false) => Some(self.opened.network.path()),
        }
    }
}

/// What the command prints: of the metric alone, the table of `esn`.
fn text(run: &Simulation<'_>, network: &network::Network, metric_only: bool) -> String {
    match metric_only {
        true => report::text::esn_by_layer(run.cost(), &report::text::left_out(network.not_costed())),
        false => run.text(DEFAULT_BITS, Layout::Summary { width: None }),
    }
}
