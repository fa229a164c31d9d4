//! One network on hardware: what it costs, whether ideal engines agree with ESN, and how well it does on images.

use std::path::Path;

use esn::BitConvention;
use inference::Samples;
use network::Network;
use report::figures::{RunFigures, write_run_page};
use report::text::Layout;
use report::{CostedNetwork, Report, text, write_file, write_reports, write_simulate_csv};
use runner::{
    Answer, CostPlan, Evaluation, EvaluationPlan, Hardware, NetworkCost, OutputSink, Quantization, RunRecord,
    SteppedLayer, cost, cost_watched, details, evaluate, evaluate_into, evaluate_seeds, step_all,
};

use crate::error::Error;
use crate::gain::Comparison;
use crate::progress::{Progress, Stage};

/// How a network is simulated.
#[derive(Clone, Copy)]
pub struct SimulateOptions<'a> {
    /// How real weights are quantized: [`Opened::quantization`](crate::Opened::quantization).
    pub quantization: Quantization,
    /// How the metric counts the bits of ±1.
    pub convention: BitConvention,
    /// Images to run; none for costs alone.
    pub images: Option<EvaluateOptions<'a>>,
}

impl SimulateOptions<'_> {
    /// Bits of activations where the file does not say.
    pub fn activation_bits(&self) -> u32 {
        self.images.map_or(ACTIVATION_BITS, |images| images.activation_bits)
    }
}

impl Default for SimulateOptions<'_> {
    /// Real weights at the default width, at least one bit a weight, no images.
    fn default() -> Self {
        let convention = BitConvention::NonzeroAtLeastOne;
        Self { quantization: Quantization::new(None), convention, images: None }
    }
}

/// Bits of activations where nobody says.
pub(crate) const ACTIVATION_BITS: u32 = 8;

/// How a network is run on images.
#[derive(Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// The images.
    pub samples: &'a dyn Samples,
    /// Which output is scored, and how; left out, it is decided by the network alone.
    pub answer: Option<Answer>,
    /// Bits of activations on integer engines, where the file does not quantize them.
    pub activation_bits: u32,
    /// Images, the first ones, whose activations set the ranges where the file does not.
    pub calibration_images: usize,
    /// Whether the float network runs too: without it there is no agreement and no noise.
    pub float: bool,
    /// Runs random hardware with so many seeds, its own and those after it; none for its own alone.
    pub seeds: Option<u64>,
    /// Another network, usually the one that this network was made of, whose answers are to be compared.
    pub reference: Option<Reference<'a>>,
    /// Takes what the network computes, in float and on each group of hardware.
    pub outputs: Option<&'a dyn OutputSink>,
}

/// A network that another one is held against, in float arithmetic, and the same images as its own input.
#[derive(Clone, Copy)]
pub struct Reference<'a> {
    /// The network.
    pub network: &'a Network,
    /// The images.
    pub samples: &'a dyn Samples,
    /// Which output is scored, and how; left out, it is decided by the network alone.
    pub answer: Option<Answer>,
}

impl<'a> EvaluateOptions<'a> {
    /// These images with 8-bit activations, ranges from the first 64 images, and the float network beside the engines.
    pub fn new(samples: &'a dyn Samples) -> Self {
        Self {
            samples,
            answer: None,
            activation_bits: ACTIVATION_BITS,
            calibration_images: 64,
            float: true,
            seeds: None,
            reference: None,
            outputs: None,
        }
    }
}

/// The metric alone: what a network costs, without any hardware.
///
/// # Errors
///
/// The first layer, in order of execution, whose weights cannot be read or put on the grid.
pub fn esn(network: &Network, quantization: Quantization, convention: BitConvention) -> Result<NetworkCost, Error> {
    Ok(cost(&CostPlan { network, hardware: &[], quantization, convention })?)
}

/// Simulates a network in one go: costs, then images where the options name some.
///
/// # Errors
///
/// Those of [`Simulation::start`] and [`Simulation::evaluate`].
pub fn simulate<'a>(
    network: &'a Network,
    hardware: &'a [Hardware],
    options: SimulateOptions<'a>,
    progress: &'a dyn Progress,
) -> Result<Simulation<'a>, Error> {
    let mut simulation = Simulation::start(network, hardware, options, progress)?;
    simulation.evaluate()?;
    Ok(simulation)
}

/// A simulation and what it has found so far. Its stages are functions, so that a front end can show each result as it
/// comes, and write what is known where a later stage fails.
pub struct Simulation<'a> {
    network: &'a Network,
    hardware: &'a [Hardware],
    options: SimulateOptions<'a>,
    progress: &'a dyn Progress,
    cost: NetworkCost,
    evaluation: Option<Evaluation>,
    stepped: Option<Vec<SteppedLayer>>,
}

impl<'a> Simulation<'a> {
    /// Counts what every layer costs on every engine and checks ideal engines against ESN. Most hardware costs the same
    /// on every image; where some does not, the images run first and its cost is counted on them.
    ///
    /// # Errors
    ///
    /// The first layer that cannot be read or run; [`runner::RunnerError::NeedsImages`] where cost depends on images
    /// and there are none.
    pub fn start(
        network: &'a Network,
        hardware: &'a [Hardware],
        options: SimulateOptions<'a>,
        progress: &'a dyn Progress,
    ) -> Result<Self, Error> {
        let measures = hardware.iter().any(|hardware| hardware.engine.cost_depends_on_input());
        let evaluation = match options.images.filter(|_| measures) {
            Some(images) => Some(run_images(network, hardware, options.quantization, images, progress)?),
            None => None,
        };
        let plan = CostPlan { network, hardware, quantization: options.quantization, convention: options.convention };
        let measured = evaluation.as_ref().map_or(&[][..], |evaluation| &evaluation.measured);
        let cost = cost_watched(&plan, measured, &|| progress.check())?;
        Ok(Self { network, hardware, options, progress, cost, evaluation, stepped: None })
    }

    /// Runs the images, unless they have run already or there are none.
    ///
    /// # Errors
    ///
    /// [`Error::NoImages`] for an empty list; those of inference.
    pub fn evaluate(&mut self) -> Result<Option<&Evaluation>, Error> {
        if let (None, Some(images)) = (&self.evaluation, self.options.images) {
            let quantization = self.options.quantization;
            self.evaluation = Some(run_images(self.network, self.hardware, quantization, images, self.progress)?);
        }
        Ok(self.evaluation.as_ref())
    }

    /// Advances the stepped machines through every layer, cycle by cycle, and compares their counts with the fast
    /// engines' and their outputs with the reference.
    ///
    /// # Errors
    ///
    /// A layer whose input or output is too large to hold.
    pub fn step(&mut self) -> Result<&[SteppedLayer], Error> {
        let total = (self.hardware.len() * self.network.layers().len()) as u64;
        self.progress.begin(Stage::SteppedLayers, total);
        let advance = || self.progress.advance(1);
        let layers = step_all(self.network, self.hardware, self.options.quantization, &advance)?;
        self.progress.end(Stage::SteppedLayers, total);
        Ok(self.stepped.insert(layers))
    }

    /// The network that is simulated.
    pub fn network(&self) -> &Network {
        self.network
    }

    /// How it is.
    pub fn options(&self) -> &SimulateOptions<'a> {
        &self.options
    }

    /// What the network costs.
    pub fn cost(&self) -> &NetworkCost {
        &self.cost
    }

    /// How it did on images, where they have run.
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.evaluation.as_ref()
    }

    /// What the stepped machines found, where they have run.
    pub fn stepped(&self) -> Option<&[SteppedLayer]> {
        self.stepped.as_deref()
    }

    /// Whether every ideal engine agrees with its metric, and every stepped machine that ran with its fast engine.
    pub fn passes(&self) -> bool {
        self.cost.passes() && self.stepped.iter().flatten().all(SteppedLayer::passes)
    }

    /// The costs as a terminal shows them. `default_bits` says behind a width that nobody chose that it is the default.
    pub fn text(&self, default_bits: &str, layout: Layout) -> String {
        text::costs(self.network, self.hardware, &self.cost, &self.quantization_line(default_bits), layout)
    }

    fn quantization_line(&self, default_bits: &str) -> String {
        text::quantization_line(&self.cost, self.options.quantization, default_bits)
    }

    /// Writes one row for each layer and hardware as CSV; `docs/output.md` documents the columns.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] names the file; it is then as it was before.
    pub fn write_csv(&self, path: &Path) -> Result<(), Error> {
        write_csv(path, self.hardware, &[self])
    }

    /// The run as tables of several networks take it. The name is that of its file.
    pub fn costed<'b>(&'b self, name: &'b str) -> CostedNetwork<'b> {
        CostedNetwork { name, cost: &self.cost, evaluation: self.evaluation.as_ref() }
    }

    /// Writes the whole run as JSON; `docs/output.md` documents it. The record is that of [`run_record`](crate::run_record).
    ///
    /// # Errors
    ///
    /// As [`Simulation::write_csv`].
    pub fn write_json(&self, path: &Path, record: &RunRecord) -> Result<(), Error> {
        let report = self.report(Some(record));
        Ok(write_file(path, |writer| report.write_json(writer))?)
    }

    /// What [`Simulation::write_json`] writes, as text; without a record all but `run`.
    pub fn json(&self, record: Option<&RunRecord>) -> String {
        let mut bytes = Vec::new();
        self.report(record).write_json(&mut bytes).expect("memory takes all that is written");
        String::from_utf8(bytes).expect("JSON is text")
    }

    fn report<'b>(&'b self, record: Option<&'b RunRecord>) -> Report<'b> {
        let SimulateOptions { quantization, convention, .. } = self.options;
        let evaluation = self.evaluation.as_ref();
        Report::new(self.network, quantization, convention, self.hardware, &self.cost, evaluation, record)
    }

    /// Writes the run as one self-contained page. `default_bits` as for [`Simulation::text`], the record as for
    /// [`Simulation::write_json`].
    ///
    /// # Errors
    ///
    /// As [`Simulation::write_csv`], and those of reading the weights again.
    pub fn write_html(&self, path: &Path, default_bits: &str, record: &RunRecord) -> Result<(), Error> {
        let SimulateOptions { quantization, convention, .. } = self.options;
        let details = details(self.network, quantization, convention)?;
        let words = self.quantization_line(default_bits);
        let figures = RunFigures {
            network: self.network,
            quantization: &words,
            hardware: self.hardware,
            cost: &self.cost,
            details: &details,
            evaluation: self.evaluation.as_ref(),
            record,
        };
        Ok(write_file(path, |writer| write_run_page(writer, &figures))?)
    }
}

/// Writes one row for each layer and hardware of every run as CSV; `docs/output.md` documents the columns. All of them ran on
/// `hardware`.
///
/// # Errors
///
/// [`Error::Output`] names the file; it is then as it was before.
pub fn write_csv(path: &Path, hardware: &[Hardware], runs: &[&Simulation<'_>]) -> Result<(), Error> {
    let names: Vec<String> = runs.iter().map(|run| text::network_name(run.network)).collect();
    let networks = || runs.iter().zip(&names).map(|(run, name)| run.costed(name));
    Ok(write_file(path, |writer| write_simulate_csv(writer, hardware, networks()))?)
}

/// Writes several runs as JSON, each with its record and what its network gains over the first: a list of what
/// [`Simulation::write_json`] writes of one. The comparison is of these runs.
///
/// # Errors
///
/// As [`Simulation::write_json`].
pub fn write_json(
    path: &Path,
    runs: &[(&Simulation<'_>, RunRecord)],
    comparison: &Comparison<'_>,
) -> Result<(), Error> {
    let all = runs.iter().enumerate();
    let reports: Vec<Report<'_>> =
        all.map(|(i, (run, record))| run.report(Some(record)).with_gains(comparison.report(i))).collect();
    Ok(write_file(path, |writer| write_reports(writer, &reports))?)
}

/// Runs images on a network and its engines, and on random hardware with other seeds where that is asked for.
fn run_images(
    network: &Network,
    hardware: &[Hardware],
    quantization: Quantization,
    images: EvaluateOptions<'_>,
    progress: &dyn Progress,
) -> Result<Evaluation, Error> {
    let samples = images.samples;
    if samples.is_empty() {
        return Err(Error::NoImages);
    }
    progress.begin(Stage::Images, samples.len() as u64);
    let advance = |images: usize| progress.advance(images as u64);
    let plan = EvaluationPlan {
        network,
        hardware,
        quantization,
        samples,
        answer: images.answer,
        activation_bits: images.activation_bits,
        calibration_images: images.calibration_images,
        reference: images.float,
        progress: &advance,
    };
    let mut evaluation = match images.outputs {
        Some(sink) => evaluate_into(&plan, sink)?,
        None => evaluate(&plan)?,
    };
    progress.end(Stage::Images, evaluation.images as u64);
    if let Some(reference) = images.reference {
        hold_against(&mut evaluation, &plan, reference, progress)?;
    }
    if let Some(seeds) = images.seeds {
        let random = hardware.iter().filter(|hardware| hardware.seed().is_some()).count() as u64;
        let total = random * seeds.saturating_sub(1) * evaluation.images as u64;
        progress.begin(Stage::Seeds, total);
        evaluate_seeds(&plan, &mut evaluation, seeds)?;
        progress.end(Stage::Seeds, total);
    }
    Ok(evaluation)
}

/// Runs the reference in float arithmetic and compares its answers.
fn hold_against(
    evaluation: &mut Evaluation,
    plan: &EvaluationPlan<'_>,
    Reference { network, samples, answer }: Reference<'_>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    progress.begin(Stage::Reference, samples.len() as u64);
    let advance = |images: usize| progress.advance(images as u64);
    let of_reference = evaluate(&EvaluationPlan {
        network,
        hardware: &[],
        samples,
        answer,
        reference: true,
        progress: &advance,
        ..*plan
    })?;
    progress.end(Stage::Reference, of_reference.images as u64);
    let same = (of_reference.images, of_reference.classes) == (evaluation.images, evaluation.classes);
    if !same {
        return Err(Error::OtherReference {
            path: network.path().to_path_buf(),
            found: [of_reference.images, of_reference.classes],
            expected: [evaluation.images, evaluation.classes],
        });
    }
    evaluation.hold_against(network.path().display().to_string(), &of_reference);
    Ok(())
}
