//! A network, and what is asked of it.

use std::path::{Path, PathBuf};

use compress::FindStepReport;
use esnsim::{
    CompressOptions, Error, EvaluateOptions, Hardware, Layout, NetworkImages, OpenOptions, Opened, Progress,
    SimulateOptions, Simulation, Stage, WriteFormat,
};
use inference::Samples;
use network::{LayerId, Mend, Note};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use runner::{EvaluationPlan, OutputSink};

use crate::answers::{Answers, Evaluation};
use crate::errors::{bad_argument, raised};
use crate::mend;
use crate::options::{Compression, ImageArguments, Opening, convention, width};
use crate::proxies::Subject;
use crate::run::{DEFAULT_BITS, Found, Run};
use crate::work::{Watch, Watched, on_threads};

/// Layers that clip more of their conversions are named.
const MUCH_CLIPPED: f64 = 0.01;

/// A network that was read. It does not change.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Network {
    opened: Opened,
    options: OpenOptions,
    origin: Origin,
}

/// A file of a network, whether the network was made of the one that comes along, and what its files say of its making.
type Kept<'py> = (Bound<'py, PyBytes>, bool, Vec<(String, String)>);

/// Where a network comes from.
#[derive(Clone)]
enum Origin {
    /// It comes along.
    Embedded,
    /// A file, or what its description says.
    File(Option<PathBuf>),
    /// It was made here, of the network that comes along or of another; no file has it. A file of it says how.
    Made { of_embedded: bool, provenance: Vec<(String, String)> },
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
    // The search for steps is what takes long, so that Ctrl-C stops it.
    let reading = OpenOptions { find_steps: false, ..options.clone() };
    let opened = py.detach(|| match &bytes {
        Some(bytes) => esnsim::open_piped(name, bytes.as_slice(), &reading),
        None => esnsim::open(file.as_deref(), &reading),
    });
    let mut opened = opened.map_err(|error| raised(&error))?;
    if options.find_steps {
        let network = opened.network;
        let grid = options.read.grid;
        opened = on_threads(py, None, None, |watch| esnsim::find_steps_watched(&network, grid, watch))?;
    }
    let origin = match (&bytes, source, &options.read.topology) {
        (None, None, None) => Origin::Embedded,
        (None, _, _) => Origin::File(file),
        // Bytes have no file that could be read again.
        (Some(_), _, _) => Origin::Made { of_embedded: false, provenance: esnsim::provenance() },
    };
    Ok(Network { opened, options, origin })
}

/// Names of the hardware that comes along, and what each is.
#[pyfunction]
pub fn hardware() -> Vec<(String, String)> {
    let named = |hardware: Hardware| (hardware.engine.name().to_string(), hardware.summary());
    Hardware::all().into_iter().map(named).collect()
}

/// A network that was made here and kept as a file, as it was: its name, whether it was made of the one that comes along, and what
/// its files say of its making.
#[pyfunction]
pub fn restore(
    py: Python<'_>,
    file: Vec<u8>,
    name: &str,
    of_embedded: bool,
    provenance: Vec<(String, String)>,
) -> PyResult<Network> {
    let options = OpenOptions::default();
    let opened = py.detach(|| esnsim::open_piped(name, file.as_slice(), &options));
    let origin = Origin::Made { of_embedded, provenance };
    Ok(Network { opened: opened.map_err(|error| raised(&error))?, options, origin })
}

#[pymethods]
impl Network {
    /// Its name in messages and reports.
    #[getter]
    fn name(&self) -> String {
        report::text::network_name(&self.opened.network)
    }

    /// Whether `bits` is of any use to it.
    #[getter]
    fn has_real_weights(&self) -> bool {
        self.opened.has_real_weights()
    }

    /// What a user should know of the reading, one line each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.opened.network.notes().iter().map(mend::note).collect()
    }

    /// The name of its file, whole.
    #[getter]
    fn path(&self) -> String {
        self.opened.network.path().display().to_string()
    }

    /// What [`restore`] takes of a network that was made here.
    fn kept<'py>(&self, py: Python<'py>) -> PyResult<Kept<'py>> {
        let Origin::Made { of_embedded, provenance } = &self.origin else {
            return Err(bad_argument(format!("{} was read and not made", self.name())));
        };
        let network = &self.opened.network;
        let write = || -> Result<Vec<u8>, Error> {
            let file = formats::prepare(network, WriteFormat::Onnx, provenance)?;
            if let Some(lost) = file.notes().first() {
                let (path, first) = (network.path().to_path_buf(), lost.to_string());
                return Err(Error::Lossy { path, first, more: file.notes().len() - 1 });
            }
            let mut bytes = Vec::new();
            file.write(&mut bytes).expect("memory takes all that is written");
            Ok(bytes)
        };
        let bytes = py.detach(write).map_err(|error| raised(&error))?;
        Ok((PyBytes::new(py, &bytes), *of_embedded, provenance.clone()))
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
    #[pyo3(signature = (*, hardware, bits, bit_convention, images, threads, metric_only, progress))]
    #[allow(clippy::too_many_arguments, reason = "arguments of Python")]
    fn simulate(
        &self,
        py: Python<'_>,
        hardware: Vec<PathBuf>,
        bits: Option<u32>,
        bit_convention: &str,
        images: Option<ImageArguments>,
        threads: Option<usize>,
        metric_only: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Run> {
        let (bits, convention) = (width(bits)?, convention(bit_convention)?);
        let request = images.as_ref().map(|images| images.request(self.is_embedded())).transpose()?;
        let work = |watch: &Watch| -> Result<Run, Error> {
            self.opened.check_steps(bits)?;
            let hardware = if metric_only { Vec::new() } else { esnsim::hardware(&hardware)? };
            let opened = |request| esnsim::images(&self.opened.network, self.is_embedded(), request);
            let found = request.as_ref().map_or(Ok(None), opened)?;
            let evaluation = found.as_ref().zip(images.as_ref()).map(|(found, asked)| asked.evaluation(found));
            let plan = SimulateOptions { quantization: self.opened.quantization(bits), convention, images: evaluation };
            self.run(hardware, plan, found.as_ref(), watch)
        };
        on_threads(py, threads, progress, work)
    }

    /// What the network comes to on hardware, and how accurate it is, for a comparison. `beside` other networks real weights have
    /// the width that `simulate` gives them there.
    #[pyo3(signature = (name, *, hardware, fit, bits, beside, images, threads, progress))]
    #[allow(clippy::too_many_arguments, reason = "arguments of Python")]
    fn subject(
        &self,
        py: Python<'_>,
        name: &str,
        hardware: Vec<PathBuf>,
        fit: Option<PathBuf>,
        bits: Option<u32>,
        beside: bool,
        images: Option<ImageArguments>,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Subject> {
        let bits = width(bits)?;
        let request = images.as_ref().map(|images| images.request(self.is_embedded())).transpose()?;
        let work = |watch: &Watch| -> Result<Subject, Error> {
            self.opened.check_steps(bits)?;
            let (hardware, compared) = esnsim::proxy_hardware(&hardware, fit.as_deref())?;
            let opened = |request| esnsim::images(&self.opened.network, self.is_embedded(), request);
            let found = request.as_ref().map_or(Ok(None), opened)?;
            let evaluation = found
                .as_ref()
                .zip(images.as_ref())
                .map(|(found, asked)| EvaluateOptions { float: false, ..asked.evaluation(found) });
            let widths = self.opened.quantizations(bits.as_slice(), beside);
            let quantization = widths.into_iter().next().expect("there is one for a width, or the default");
            let plan = SimulateOptions { quantization, images: evaluation, ..SimulateOptions::default() };
            let normalized = hardware.iter().filter(|hardware| hardware.normalized);
            let normalized = normalized.map(|hardware| hardware.engine.name().into()).collect();
            let network = esnsim::subject(&self.opened.network, [&self.name(), name], &hardware, plan, watch)?;
            Ok(Subject { network, compared, normalized })
        };
        on_threads(py, threads, progress, work)
    }

    /// What it takes to read the network again, with digests of its file and weights: `run` of a report, as JSON.
    fn record(&self, py: Python<'_>) -> PyResult<String> {
        let work = |_: &_| esnsim::run_record(None, self.recorded(), &self.opened.network, &self.options, None);
        let record = on_threads(py, None, None, work)?;
        Ok(serde_json::json!(record).to_string())
    }

    /// Runs images, in float and on hardware, and keeps what each answers.
    #[pyo3(signature = (*, hardware, bits, images, threads, progress))]
    fn evaluate(
        &self,
        py: Python<'_>,
        hardware: Vec<PathBuf>,
        bits: Option<u32>,
        images: ImageArguments,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Evaluation> {
        let bits = width(bits)?;
        let request = images.request(self.is_embedded())?;
        let work = |watch: &Watch| -> Result<Evaluation, Error> {
            self.opened.check_steps(bits)?;
            let network = &self.opened.network;
            let hardware = esnsim::hardware(&hardware)?;
            let found = esnsim::images(network, self.is_embedded(), &request)?.ok_or(Error::NoImages)?;
            let (samples, answers) = (&found.samples, Answers::default());
            if samples.is_empty() {
                return Err(Error::NoImages);
            }
            watch.begin(Stage::Images, samples.len() as u64);
            let plan = EvaluationPlan {
                network,
                hardware: &hardware,
                quantization: self.opened.quantization(bits),
                samples,
                answer: samples.answer(),
                activation_bits: images.activation_bits,
                calibration_images: images.calibration_images,
                reference: true,
                progress: &|images| watch.advance(images as u64),
            };
            let evaluation = runner::evaluate_into(&plan, &answers as &dyn OutputSink)?;
            let json = serde_json::to_string(&evaluation).expect("figures and words are JSON");
            let text = report::text::accuracy(network, &evaluation);
            let notes = self.all_notes(&hardware, Some(&found), Some(&evaluation));
            Ok(Evaluation::new(json, text, notes, answers))
        };
        on_threads(py, threads, progress, work)
    }

    /// The network compressed. Statistics are re-estimated on `images`, where there are some.
    #[pyo3(signature = (asked, *, images, reestimates, threads))]
    fn compress(
        &self,
        py: Python<'_>,
        asked: Compression,
        images: Option<ImageArguments>,
        reestimates: bool,
        threads: Option<usize>,
    ) -> PyResult<Compressed> {
        let statistics = images.as_ref().map(|images| images.statistics(self.is_embedded())).transpose()?;
        let request = asked.request(&self.options.read, statistics, reestimates)?;
        let work = |watch: &Watch| -> Result<Compressed, Error> {
            let original = &self.opened.network;
            let found = request.images(original, self.is_embedded())?;
            let options = request.options(original, found.as_ref(), watch)?;
            let watched = options.reestimate.map(|samples| Watched { samples, watch });
            let reestimate = watched.as_ref().map(|watched| watched as &dyn Samples);
            let options = CompressOptions { reestimate, progress: Some(watch), ..options };
            let compressed = esnsim::compress(original, options)?;
            let costs = request.costs(original, &compressed)?;
            // What a search for steps would find was looked for.
            let of_reading = original.notes().iter();
            let of_reading = of_reading.filter(|note| !request.find_steps || note.mend() != Some(Mend::FindSteps));
            let of_images = found.iter().flat_map(|images| &images.notes).map(mend::image_note);
            let refusal = compressed.find_step.as_ref().and_then(FindStepReport::refusal);
            let of_steps = refusal.iter().map(mend::note);
            let notes = of_reading.map(mend::note).chain(of_images).chain(of_steps);
            Ok(Compressed {
                json: compressed.json(&costs),
                text: compressed.text(&costs),
                notes: notes.chain(compressed.notes().map(mend::note)).collect(),
                provenance: compressed.provenance(),
                network: compressed.network,
                options: self.options.clone(),
                of_embedded: self.is_embedded(),
            })
        };
        on_threads(py, threads, None, work)
    }

    /// Writes the network to a file, and what comes with it beside the file; the result is what that says.
    fn save(&self, py: Python<'_>, path: PathBuf, strict: bool) -> PyResult<Vec<String>> {
        let provenance = match &self.origin {
            Origin::Made { provenance, .. } => provenance.clone(),
            Origin::Embedded | Origin::File(_) => esnsim::provenance(),
        };
        py.detach(|| save(&self.opened.network, self.is_embedded(), &path, &provenance, strict))
    }

    fn __repr__(&self) -> String {
        let network = &self.opened.network;
        format!("<esnsim.Network {}: {} layers>", self.name(), network.layers().len())
    }
}

impl Network {
    /// A network that was made here; a file of it says how.
    pub fn made(network: network::Network, provenance: Vec<(String, String)>) -> Self {
        let origin = Origin::Made { of_embedded: false, provenance };
        Self { opened: Opened { network, steps: None }, options: OpenOptions::default(), origin }
    }

    fn run(
        &self,
        hardware: Vec<Hardware>,
        plan: SimulateOptions<'_>,
        images: Option<&NetworkImages>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let network = &self.opened.network;
        let run = esnsim::simulate(network, &hardware, plan, progress)?;
        let run_on = images.zip(plan.images.as_ref());
        // Of the metric alone it is made when somebody asks: it takes digests of all weights, which take longer than their sums.
        let record = match hardware.is_empty() {
            true => None,
            false => Some(esnsim::run_record(None, self.recorded(), network, &self.options, run_on)?),
        };
        let mut text = text(&run, network, hardware.is_empty());
        if let Some(evaluation) = run.evaluation() {
            text += &report::text::accuracy(network, evaluation);
        }
        let notes = self.all_notes(&hardware, images, run.evaluation());
        let (json, passes) = (run.json(record.as_ref()), run.passes());
        let (cost, evaluation, network) = (run.cost().clone(), run.evaluation().cloned(), network.clone());
        drop(run);
        let SimulateOptions { quantization, convention, .. } = plan;
        let found = Found { network, hardware, quantization, convention, cost, evaluation, record };
        Ok(Run { json, text, passes, notes, found })
    }

    /// What there is to know of a run: of the reading, the hardware, the images, and of results that are less than the network
    /// could do.
    fn all_notes(
        &self,
        hardware: &[Hardware],
        images: Option<&NetworkImages>,
        evaluation: Option<&runner::Evaluation>,
    ) -> Vec<String> {
        let network = &self.opened.network;
        let doubts: Vec<Note> = hardware.iter().flat_map(Hardware::doubts).collect();
        let of_library = network.notes().iter().chain(&doubts).map(mend::note);
        let of_images = images.iter().flat_map(|images| &images.notes).map(mend::image_note);
        let of_results = evaluation.into_iter().flat_map(|evaluation| doubts_of(network, evaluation));
        of_library.chain(of_images).chain(of_results).collect()
    }

    /// The network as the library opened it.
    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Whether images are those of the network that comes along.
    fn is_embedded(&self) -> bool {
        matches!(self.origin, Origin::Embedded | Origin::Made { of_embedded: true, .. })
    }

    /// The file of the record: none where the network is the one that comes along, a name of nothing where no file has it.
    fn recorded(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Embedded => None,
            Origin::File(file) => Some(file.as_deref().unwrap_or(self.opened.network.path())),
            Origin::Made { .. } => Some(Path::new("")),
        }
    }
}

/// A compressed network, and what was done.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Compressed {
    network: network::Network,
    options: OpenOptions,
    of_embedded: bool,
    provenance: Vec<(String, String)>,
    /// What was done, as the command writes it in JSON.
    #[pyo3(get)]
    json: String,
    /// The tables as the command prints them.
    #[pyo3(get)]
    text: String,
    /// What there is to know, one line each.
    #[pyo3(get)]
    notes: Vec<String>,
}

#[pymethods]
impl Compressed {
    /// The network.
    #[getter]
    fn network(&self) -> Network {
        Network {
            opened: Opened { network: self.network.clone(), steps: None },
            options: self.options.clone(),
            origin: Origin::Made { of_embedded: self.of_embedded, provenance: self.provenance.clone() },
        }
    }
}

/// Writes a network, and how images become its input beside it.
fn save(
    network: &network::Network,
    is_embedded: bool,
    path: &Path,
    provenance: &[(String, String)],
    strict: bool,
) -> PyResult<Vec<String>> {
    let write = || -> Result<Vec<Note>, Error> {
        let format = esnsim::write_format(path, network)?;
        let mut notes = esnsim::write(network, path, format, provenance, strict)?;
        if let Some(own) = esnsim::own_preprocessing(network, is_embedded)? {
            notes.extend(esnsim::write_preprocessing(&own, path)?);
        }
        Ok(notes)
    };
    let notes = write().map_err(|error| raised(&error))?;
    Ok(notes.iter().map(mend::note).collect())
}

/// Where results are less than the network could do.
fn doubts_of(network: &network::Network, evaluation: &runner::Evaluation) -> Vec<String> {
    let clipped = evaluation.clipping(MUCH_CLIPPED).into_iter().map(|clipping| {
        let (name, most) = (&clipping.hardware, &network.layers()[clipping.most].name);
        let (layers, all, share) = (clipping.layers, network.layers().len(), 100.0 * clipping.share);
        format!(
            "{name}: {layers} of {all} layers clip over 1 % of their conversions, {most} most, {share:.1} %: its ADC is too small \
             for these sums (full_scale, range) or its cells add errors to them (noise)"
        )
    });
    let chance = evaluation.is_at_chance().then(|| {
        "no more images are right than a guess would have: usual causes are preprocess=, the order of the classes, and labels \
         counted from elsewhere (label_offset=)"
            .to_string()
    });
    clipped.chain(chance).collect()
}

/// What the command prints: of the metric alone, the table of `esn`.
fn text(run: &Simulation<'_>, network: &network::Network, metric_only: bool) -> String {
    match metric_only {
        true => report::text::esn_by_layer(run.cost(), &report::text::left_out(network)),
        false => run.text(DEFAULT_BITS, Layout::Summary { width: None }),
    }
}
