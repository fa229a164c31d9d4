//! One batch of images through everything that is compared.

use compress::KernelExecutor;
use engine::Conversions;
use inference::{InferenceError, MacExecutor, Observe, Session, gather, node_output};
use network::LayerId;

use super::meters::{Counts, Meters};
use super::outputs::{ImageOutputs, RunOutputs};
use super::plan::EvaluationPlan;
use crate::answer::Answer;
use crate::error::RunnerError;
use crate::executor::{CountingExecutor, EngineExecutor};

/// Runs batches through everything that is compared.
pub(super) struct BatchRunner<'a> {
    pub plan: &'a EvaluationPlan<'a>,
    pub session: &'a Session,
    /// The float network; none where nothing is compared with it.
    pub float: Option<&'a KernelExecutor>,
    pub executors: &'a [EngineExecutor],
    /// One beside each executor.
    pub meters: &'a [Meters<'a>],
    /// Whether results have the outputs of layers.
    pub keeps_layers: bool,
}

/// What one batch gave.
pub(super) struct BatchResult {
    pub labels: Vec<Option<usize>>,
    pub float_logits: Option<Vec<f32>>,
    /// Outputs of layers in float, of the images that count, as the graph has them; empty where they are not kept.
    pub float_layers: Vec<Vec<f32>>,
    pub engines: Vec<EngineBatch>,
}

/// What one batch gave on one engine.
pub(super) struct EngineBatch {
    pub logits: Vec<f32>,
    /// As [`BatchResult::float_layers`].
    pub layers: Vec<Vec<f32>>,
    /// Signal and noise power of every layer's output, summed over the batch.
    pub powers: Vec<(f64, f64)>,
    /// Conversions of every layer, summed over the batch.
    pub conversions: Vec<Conversions>,
    /// Hardware whose cost depends on the activations, and its counts by layer.
    pub counts: Vec<(usize, Counts)>,
}

impl BatchResult {
    /// What a sink takes of it. A batch that was filled up has more rows than labels; its first images are the real ones.
    pub fn outputs(&self, answer: &Answer) -> ImageOutputs<'_> {
        let float = self.float_logits.iter().map(|logits| (logits.as_slice(), self.float_layers.as_slice()));
        let engines = self.engines.iter().map(|engine| (engine.logits.as_slice(), engine.layers.as_slice()));
        let runs = float.chain(engines).map(|(numbers, layers)| {
            let numbers = &numbers[..self.labels.len() * answer.width];
            let classes = numbers.chunks_exact(answer.width).map(|row| answer.class(row)).collect();
            RunOutputs { numbers, classes, layers }
        });
        ImageOutputs { labels: &self.labels, runs: runs.collect() }
    }
}

impl BatchRunner<'_> {
    /// Runs `count` images from `start` on; a batch that the file fixes is filled up with copies of the last.
    pub fn run_batch(&self, start: usize, count: usize) -> Result<BatchResult, RunnerError> {
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
        let float_layers = match float_logits.is_some() && self.keeps_layers {
            true => reference.iter().enumerate().map(|(l, output)| self.kept(LayerId(l), output, count)).collect(),
            false => Vec::new(),
        };
        Ok(BatchResult { labels, float_logits, float_layers, engines })
    }

    /// The output of a layer as the graph has it, of the first `count` images of a batch.
    fn kept(&self, id: LayerId, output: &[f32], count: usize) -> Vec<f32> {
        let batch = self.plan.network.batch();
        let mut kept = node_output(&self.plan.network.layers()[id.0], batch, output);
        kept.truncate(kept.len() / batch * count);
        kept
    }

    fn run_float(
        &self,
        float: &KernelExecutor,
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
        let mut layers = vec![Vec::new(); if self.keeps_layers { powers.len() } else { 0 }];
        let mut reading = meters.start(count);
        let mut observe = |id: LayerId, input: &[f32], output: &[f32]| {
            if let Some(reference) = reference {
                powers[id.0] = self.layer_powers(id, &reference[id.0], output);
            }
            if let Some(kept) = layers.get_mut(id.0) {
                *kept = self.kept(id, output, count);
            }
            reading.see(id, input);
        };
        let counting = CountingExecutor::new(executor, count);
        // A session that nobody observes need not make numbers of every layer's codes.
        let is_observed = reference.is_some() || self.keeps_layers || meters.members().next().is_some();
        let logits = self.run_session(input, &counting, if is_observed { Some(&mut observe) } else { None })?;
        let counts = meters.members().zip(reading.finish()?).collect();
        Ok(EngineBatch { logits, layers, powers, conversions: counting.finish(), counts })
    }

    /// Signal and noise power of a layer's output. Where the file rounds the output to integers, both sides are clamped
    /// to what these can hold: values beyond that are not passed on, and the clamping may stand for an activation
    /// function.
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
        let inference = |source: InferenceError| RunnerError::Inference {
            path: self.plan.network.path().to_path_buf(),
            source: source.into(),
        };
        self.session.run(input, executor, observe).map_err(inference)
    }
}

/// `Σ reference²` and `Σ (output − reference)²`, in float64. The order of the sums is fixed: eight partial sums, which
/// vectorize, are added at the end.
fn signal_and_noise(reference: &[f32], output: &[f32]) -> (f64, f64) {
    const LANES: usize = 8;
    let (mut signal, mut noise) = ([0.0f64; LANES], [0.0f64; LANES]);
    let ((references, rest_of_reference), (outputs, rest_of_output)) =
        (reference.as_chunks::<LANES>(), output.as_chunks::<LANES>());
    let sums = (&mut signal, &mut noise);
    lanes::run(
        #[inline(always)]
        move || {
            let (mut signal, mut noise) = (*sums.0, *sums.1);
            for (r, o) in references.iter().zip(outputs) {
                for lane in 0..LANES {
                    let (r, o) = (f64::from(r[lane]), f64::from(o[lane]));
                    signal[lane] += r * r;
                    noise[lane] += (o - r) * (o - r);
                }
            }
            (*sums.0, *sums.1) = (signal, noise);
        },
    );
    for (lane, (&r, &o)) in rest_of_reference.iter().zip(rest_of_output).enumerate() {
        let (r, o) = (f64::from(r), f64::from(o));
        signal[lane] += r * r;
        noise[lane] += (o - r) * (o - r);
    }
    (signal.iter().sum(), noise.iter().sum())
}
