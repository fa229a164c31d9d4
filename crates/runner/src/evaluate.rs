//! Inference on the engines: accuracy, agreement with the float network, and the noise of every layer.
//!
//! Batches run in parallel and their results are added in the order of the images, so that every figure is the same at
//! any number of threads.

use inference::{FloatExecutor, MacExecutor, Observe, Samples, Session, gather};
use network::{ActivationQuantization, LayerId, Network};
use rayon::prelude::*;
use serde::Serialize;

use crate::calibrate::calibrate;
use crate::error::RunnerError;
use crate::executor::EngineExecutor;
use crate::hardware::Hardware;
use crate::measured::{self, Counts, MeasuredRuns, Meters};
use crate::prepare::Quantization;
use crate::seeds::SeedStatistics;

/// From so many classes on, top-5 accuracy is reported too.
const TOP5_CLASSES: usize = 100;

/// Batches that run before their results are added: bounds memory, changes no figure.
const BATCHES_AT_ONCE: usize = 64;

/// What to run on which images.
#[derive(Clone, Copy)]
pub struct EvaluationPlan<'a> {
    /// The network.
    pub network: &'a Network,
    /// The hardware; engines that compute the same sums run once.
    pub hardware: &'a [Hardware],
    /// How real weights are quantized.
    pub quantization: Quantization,
    /// The images.
    pub samples: &'a dyn Samples,
    /// Bits of the activations that an engine on integers reads, where the file does not say.
    pub activation_bits: u32,
    /// Images, the first ones, whose activations set the ranges where the file does not say.
    pub calibration_images: usize,
    /// Whether the float network runs too: without it there is no agreement and no noise.
    pub reference: bool,
    /// Told after every batch how many images are done.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

/// How one arithmetic did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Images with a label.
    pub labelled: u64,
    /// Of those, images whose largest logit is that of the label.
    pub top1: u64,
    /// Of those, images whose label is among the five largest logits; none below 100 classes.
    pub top5: Option<u64>,
}

impl Score {
    /// Top-1 accuracy; none without labels.
    pub fn top1_accuracy(&self) -> Option<f64> {
        (self.labelled > 0).then(|| self.top1 as f64 / self.labelled as f64)
    }

    /// Top-5 accuracy; none without labels or below 100 classes.
    pub fn top5_accuracy(&self) -> Option<f64> {
        self.top5.filter(|_| self.labelled > 0).map(|top5| top5 as f64 / self.labelled as f64)
    }

    fn count(&mut self, logits: &[f32], label: Option<usize>) {
        let Some(label) = label else { return };
        self.labelled += 1;
        let rank = rank_of(logits, label);
        self.top1 += u64::from(rank == Some(0));
        if logits.len() >= TOP5_CLASSES {
            *self.top5.get_or_insert(0) += u64::from(rank.is_some_and(|r| r < 5));
        }
    }
}

/// How one engine did.
#[derive(Clone, Debug, Serialize)]
pub struct EngineEvaluation {
    /// Names of the hardware that computes these sums.
    pub hardware: Vec<String>,
    /// `"integer"` or `"real"`.
    pub arithmetic: &'static str,
    /// Accuracy.
    pub score: Score,
    /// Images on which engine and float network name the same class; none without the float network.
    pub agreement: Option<u64>,
    /// Signal-to-quantization-noise ratio of every layer's output against the float network's, in dB; none without the
    /// float network and where either is 0.
    pub sqnr_db: Vec<Option<f64>>,
    /// Accuracy over several seeds; none unless [`crate::evaluate_seeds`] was asked and the hardware is random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedStatistics>,
    /// The class named for each image.
    #[serde(skip)]
    pub predictions: Vec<usize>,
    #[serde(skip)]
    pub(crate) members: Vec<usize>,
}

/// Results of inference.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Images run.
    pub images: usize,
    /// Classes, from the number of logits.
    pub classes: usize,
    /// The network as the file has it, in float arithmetic; none where it was left out.
    pub float: Option<Score>,
    /// The class that the float network names for each image.
    #[serde(skip)]
    pub float_predictions: Vec<usize>,
    /// Each engine.
    pub engines: Vec<EngineEvaluation>,
    /// How each layer's input is quantized for engines on integers; empty where there is none.
    #[serde(skip)]
    pub activations: Vec<ActivationQuantization>,
    /// What hardware counted whose cost depends on the activations, in the order of the hardware; none for other hardware.
    #[serde(skip)]
    pub measured: Vec<Option<MeasuredRuns>>,
}

impl Evaluation {
    /// The evaluation that serves this hardware.
    pub fn engine_of(&self, hardware: usize) -> Option<&EngineEvaluation> {
        self.engines.iter().find(|engine| engine.members.contains(&hardware))
    }
}

/// Runs the images through the float network and every engine.
///
/// # Errors
///
/// [`RunnerError::Inference`] if an operator cannot be run, [`RunnerError::Image`] if an image cannot be read, and
/// those of [`crate::cost::cost`].
pub fn evaluate(plan: &EvaluationPlan<'_>) -> Result<Evaluation, RunnerError> {
    let network = plan.network;
    let inference = |source| RunnerError::Inference { path: network.path().to_path_buf(), source };
    let session = Session::new(network).map_err(inference)?;
    let integers = plan.hardware.iter().any(|h| h.engine.computes_integers());
    let float = if plan.reference || integers && needs_calibration(network) {
        Some(FloatExecutor::from_file(network).map_err(inference)?)
    } else {
        None
    };
    let activations = if integers { calibrate(plan, &session, float.as_ref())? } else { Vec::new() };
    let groups = group_engines(plan.hardware);
    let executors = groups
        .iter()
        .map(|members| EngineExecutor::new(network, &plan.hardware[members[0]], plan.quantization, &activations))
        .collect::<Result<Vec<_>, _>>()?;
    let meters = groups
        .iter()
        .map(|members| Meters::new(network, plan.hardware, members, plan.quantization, &activations))
        .collect::<Result<Vec<_>, _>>()?;
    let float = float.filter(|_| plan.reference);
    let runner = BatchRunner { plan, session: &session, float: float.as_ref(), executors: &executors, meters: &meters };
    let mut sums = Sums::new(network.layers().len(), plan.hardware.len(), executors.len());
    runner.run_all(&mut sums)?;
    Ok(sums.finish(plan, groups, float.is_some(), activations))
}

/// Whether the file leaves the range of some layer's input open.
pub(crate) fn needs_calibration(network: &Network) -> bool {
    network.layers().iter().any(|layer| layer.input_quantization.is_none())
}

/// Hardware that computes the same sums runs once: all engines on integers are exact.
fn group_engines(hardware: &[Hardware]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (h, this) in hardware.iter().enumerate() {
        match groups.iter_mut().find(|group| this.exact && hardware[group[0]].exact) {
            Some(group) => group.push(h),
            None => groups.push(vec![h]),
        }
    }
    groups
}

/// Runs one batch after another through everything that is compared.
struct BatchRunner<'a> {
    plan: &'a EvaluationPlan<'a>,
    session: &'a Session,
    float: Option<&'a FloatExecutor>,
    executors: &'a [EngineExecutor],
    /// Beside each executor.
    meters: &'a [Meters<'a>],
}

/// What one batch gave.
struct BatchResult {
    /// Images that went through the graph, copies included.
    size: usize,
    labels: Vec<Option<usize>>,
    float_logits: Option<Vec<f32>>,
    engines: Vec<EngineBatch>,
}

/// What one batch gave on one engine.
struct EngineBatch {
    logits: Vec<f32>,
    /// Signal and noise power of every layer's output, summed over the batch.
    powers: Vec<(f64, f64)>,
    /// Hardware whose cost depends on the activations, and its counts by layer.
    counts: Vec<(usize, Counts)>,
}

impl BatchRunner<'_> {
    fn run_all(&self, sums: &mut Sums) -> Result<(), RunnerError> {
        let images = self.plan.samples.len();
        let batch = self.plan.network.batch();
        let starts: Vec<usize> = (0..images).step_by(batch).collect();
        for chunk in starts.chunks(BATCHES_AT_ONCE) {
            let results: Vec<Result<BatchResult, RunnerError>> = chunk
                .par_iter()
                .map(|&start| {
                    let result = self.run_batch(start, batch.min(images - start));
                    (self.plan.progress)(batch.min(images - start));
                    result
                })
                .collect();
            for result in results {
                sums.add(&result?);
            }
        }
        Ok(())
    }

    /// Runs `count` images from `start` on; a batch that the file fixes is filled up with copies of the last.
    fn run_batch(&self, start: usize, count: usize) -> Result<BatchResult, RunnerError> {
        let (input, mut labels) = gather(self.plan.samples, start, self.plan.network.batch())?;
        labels.truncate(count);
        let mut reference = vec![Vec::new(); self.plan.network.layers().len()];
        let float_logits = match self.float {
            Some(float) => Some(self.run_float(float, &input, &mut reference)?),
            None => None,
        };
        let engines = self
            .executors
            .iter()
            .zip(self.meters)
            .map(|(executor, meters)| {
                self.run_engine(executor, meters, (&input, count), float_logits.is_some().then_some(&reference))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(BatchResult { size: self.plan.network.batch(), labels, float_logits, engines })
    }

    fn run_float(
        &self,
        float: &FloatExecutor,
        input: &[f32],
        reference: &mut [Vec<f32>],
    ) -> Result<Vec<f32>, RunnerError> {
        let mut keep = |id: LayerId, _: &[f32], output: &[f32]| reference[id.0] = output.to_vec();
        self.run_session(input, float, Some(&mut keep))
    }

    /// Runs one engine on a batch of which `count` images are real.
    fn run_engine(
        &self,
        executor: &EngineExecutor,
        meters: &Meters<'_>,
        (input, count): (&[f32], usize),
        reference: Option<&Vec<Vec<f32>>>,
    ) -> Result<EngineBatch, RunnerError> {
        let mut powers = vec![(0.0, 0.0); self.plan.network.layers().len()];
        let mut reading = meters.start(count);
        let mut observe = |id: LayerId, input: &[f32], output: &[f32]| {
            if let Some(reference) = reference {
                powers[id.0] = self.layer_powers(id, &reference[id.0], output);
            }
            reading.see(id, input);
        };
        let logits = self.run_session(input, executor, Some(&mut observe))?;
        Ok(EngineBatch { logits, powers, counts: meters.members().zip(reading.finish()?).collect() })
    }

    /// Signal and noise of a layer's output. Where integers of the output saturate, which may stand for an activation
    /// function, what lies beyond them on either side is not passed on and does not count.
    fn layer_powers(&self, id: LayerId, reference: &[f32], output: &[f32]) -> (f64, f64) {
        let Some(rule) = &self.plan.network.layers()[id.0].requantization else {
            return signal_and_noise(reference, output);
        };
        let (low, high) = rule.real_range();
        let clamped = |values: &[f32]| values.iter().map(|x| x.clamp(low, high)).collect::<Vec<f32>>();
        signal_and_noise(&clamped(reference), &clamped(output))
    }

    fn run_session(
        &self,
        input: &[f32],
        executor: &dyn MacExecutor,
        observe: Option<Observe<'_>>,
    ) -> Result<Vec<f32>, RunnerError> {
        let inference = |source| RunnerError::Inference { path: self.plan.network.path().to_path_buf(), source };
        self.session.run(input, executor, observe).map_err(inference)
    }
}

/// `Σ reference²` and `Σ (output − reference)²`, in float64. Eight partial sums: a fixed order that vectorizes.
fn signal_and_noise(reference: &[f32], output: &[f32]) -> (f64, f64) {
    const LANES: usize = 8;
    let (mut signal, mut noise) = ([0.0f64; LANES], [0.0f64; LANES]);
    let (mut references, mut outputs) = (reference.chunks_exact(LANES), output.chunks_exact(LANES));
    for (r, o) in references.by_ref().zip(outputs.by_ref()) {
        for lane in 0..LANES {
            let (r, o) = (f64::from(r[lane]), f64::from(o[lane]));
            signal[lane] += r * r;
            noise[lane] += (o - r) * (o - r);
        }
    }
    for (lane, (&r, &o)) in references.remainder().iter().zip(outputs.remainder()).enumerate() {
        let (r, o) = (f64::from(r), f64::from(o));
        signal[lane] += r * r;
        noise[lane] += (o - r) * (o - r);
    }
    (signal.iter().sum(), noise.iter().sum())
}

/// Results so far, added in the order of the images.
struct Sums {
    images: usize,
    classes: usize,
    float: Score,
    float_predictions: Vec<usize>,
    engines: Vec<EngineSums>,
    /// By hardware; empty where the cost does not depend on the activations.
    counts: Vec<Counts>,
}

/// Results of one engine so far.
struct EngineSums {
    score: Score,
    agreement: u64,
    powers: Vec<(f64, f64)>,
    predictions: Vec<usize>,
}

impl Sums {
    fn new(layers: usize, hardware: usize, engines: usize) -> Self {
        let engine = || EngineSums {
            score: Score::default(),
            agreement: 0,
            powers: vec![(0.0, 0.0); layers],
            predictions: vec![],
        };
        Self {
            images: 0,
            classes: 0,
            float: Score::default(),
            float_predictions: Vec::new(),
            engines: (0..engines).map(|_| engine()).collect(),
            counts: vec![Vec::new(); hardware],
        }
    }

    fn add(&mut self, batch: &BatchResult) {
        let float = batch.float_logits.as_deref();
        let first = float.or(batch.engines.first().map(|engine| engine.logits.as_slice()));
        self.images += batch.labels.len();
        for (hardware, counts) in batch.engines.iter().flat_map(|engine| &engine.counts) {
            self.count(*hardware, counts);
        }
        // A batch that was filled up has more logits than labels; its first images are the real ones.
        self.classes = first.map_or(0, |logits| logits.len()) / batch.size;
        if self.classes == 0 {
            return;
        }
        if let Some(logits) = float {
            for (logits, &label) in logits.chunks_exact(self.classes).zip(&batch.labels) {
                self.float.count(logits, label);
                self.float_predictions.push(argmax(logits));
            }
        }
        let classes = self.classes;
        for (sums, engine) in self.engines.iter_mut().zip(&batch.engines) {
            sums.add(engine, float, &batch.labels, classes);
        }
    }

    fn count(&mut self, hardware: usize, counts: &Counts) {
        let sums = &mut self.counts[hardware];
        sums.resize(counts.len(), None);
        for (sum, next) in sums.iter_mut().zip(counts) {
            if let Some(next) = next {
                measured::add(sum, next);
            }
        }
    }

    fn finish(
        self,
        plan: &EvaluationPlan<'_>,
        groups: Vec<Vec<usize>>,
        reference: bool,
        activations: Vec<ActivationQuantization>,
    ) -> Evaluation {
        let engines = self.engines.into_iter().zip(groups).map(|(sums, members)| {
            let integers = plan.hardware[members[0]].engine.computes_integers();
            EngineEvaluation {
                hardware: members.iter().map(|&h| plan.hardware[h].engine.name().to_string()).collect(),
                arithmetic: if integers { "integer" } else { "real" },
                score: sums.score,
                agreement: reference.then_some(sums.agreement),
                sqnr_db: sums.powers.iter().map(|&power| decibels(power)).collect(),
                seeds: None,
                predictions: sums.predictions,
                members,
            }
        });
        Evaluation {
            images: self.images,
            classes: self.classes,
            engines: engines.collect(),
            float: reference.then_some(self.float),
            float_predictions: self.float_predictions,
            activations,
            measured: self.counts.into_iter().map(|counts| measured_runs(counts, self.images)).collect(),
        }
    }
}

/// Counts of every layer; none where nothing was counted.
fn measured_runs(counts: Counts, images: usize) -> Option<MeasuredRuns> {
    let layers = counts.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    (!layers.is_empty()).then_some(MeasuredRuns { images: images as u64, layers })
}

impl EngineSums {
    fn add(&mut self, batch: &EngineBatch, float: Option<&[f32]>, labels: &[Option<usize>], classes: usize) {
        for (i, (logits, &label)) in batch.logits.chunks_exact(classes).zip(labels).enumerate() {
            let prediction = argmax(logits);
            self.score.count(logits, label);
            self.predictions.push(prediction);
            let agrees = float.is_some_and(|all| argmax(&all[i * classes..(i + 1) * classes]) == prediction);
            self.agreement += u64::from(agrees);
        }
        for (sum, power) in self.powers.iter_mut().zip(&batch.powers) {
            *sum = (sum.0 + power.0, sum.1 + power.1);
        }
    }
}

/// Ratio of signal to noise in dB; none where either is 0.
fn decibels((signal, noise): (f64, f64)) -> Option<f64> {
    (signal > 0.0 && noise > 0.0).then(|| 10.0 * (signal / noise).log10())
}

/// Index of the largest logit, the first of equals.
fn argmax(logits: &[f32]) -> usize {
    logits.iter().enumerate().fold(0, |best, (i, &x)| if x > logits[best] { i } else { best })
}

/// How many logits come before the label's: larger ones, and equal ones of smaller index. None where there is no such
/// class.
fn rank_of(logits: &[f32], label: usize) -> Option<usize> {
    let own = *logits.get(label)?;
    Some(logits.iter().enumerate().filter(|&(i, &x)| x > own || x == own && i < label).count())
}
