//! Inference on the engines: accuracy, agreement with the float network, and the noise of every layer.
//!
//! The main functions are [`evaluate`] and, for hardware with random departures, [`evaluate_seeds`]. Batches run in
//! parallel, and their results are added in the order of the images, so that every figure is the same at any number of
//! threads.

mod batch;
mod calibrate;
mod evaluation;
mod meters;
mod outputs;
mod plan;
mod score;
mod seeds;
mod sums;

use compress::{CompressError, KernelExecutor};
use engine::Arithmetic;
use inference::{InferenceError, Session};
use network::Network;
use rayon::prelude::*;

use crate::answer::{Answer, AnswerRequest};
use crate::error::RunnerError;
use crate::executor::EngineExecutor;
use crate::hardware::Hardware;
use batch::{BatchResult, BatchRunner};
use meters::Meters;
use sums::Sums;

pub(crate) use calibrate::calibrate;
pub use evaluation::{Clipping, EngineEvaluation, Evaluation, Reference};
pub use outputs::{ImageOutputs, OutputForm, OutputSink, RunOutputs};
pub use plan::EvaluationPlan;
pub(crate) use plan::needs_calibration;
pub use score::{Score, standard_error};
pub use seeds::SeedStatistics;

/// Batches that run before their results are added. The number bounds memory and changes no figure.
const BATCHES_AT_ONCE: usize = 64;

/// Runs the images through the float network and every engine.
///
/// # Errors
///
/// [`RunnerError::Inference`] if an operator cannot be run, [`RunnerError::Image`] if an image cannot be read, and
/// those of [`crate::cost::cost`].
pub fn evaluate(plan: &EvaluationPlan<'_>) -> Result<Evaluation, RunnerError> {
    evaluate_with(plan, None)
}

/// As [`evaluate`], and hands what each run computes to a sink.
///
/// # Errors
///
/// As [`evaluate`], and those of the sink.
pub fn evaluate_into(plan: &EvaluationPlan<'_>, sink: &dyn OutputSink) -> Result<Evaluation, RunnerError> {
    evaluate_with(plan, Some(sink))
}

fn evaluate_with(plan: &EvaluationPlan<'_>, sink: Option<&dyn OutputSink>) -> Result<Evaluation, RunnerError> {
    let network = plan.network;
    let inference =
        |source: InferenceError| RunnerError::Inference { path: network.path().to_path_buf(), source: source.into() };
    let answer = match plan.answer.map_or_else(|| Answer::of(network, &AnswerRequest::default(), None), Ok) {
        Ok(answer) => answer,
        // What cannot run at all says so first: behind it no shape is known.
        Err(error) => return Err(Session::new(network).map_err(inference).err().unwrap_or(error)),
    };
    let session = Session::of_output(network, answer.value(network)).map_err(inference)?;
    let integers = plan.hardware.iter().any(|h| h.engine.arithmetic() == Arithmetic::Integer);
    let float =
        if plan.reference || integers && needs_calibration(network) { Some(float_executor(network)?) } else { None };
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
    let keeps_layers = sink.is_some_and(OutputSink::takes_layers);
    let form = OutputForm::new(plan, answer, &groups, keeps_layers)?;
    let at_once = form.batches_at_once(network.batch(), BATCHES_AT_ONCE);
    if let Some(sink) = sink {
        sink.begin(form)?;
    }
    let (float, executors, meters) = (float.as_ref(), executors.as_slice(), meters.as_slice());
    let runner = BatchRunner { plan, session: &session, float, executors, meters, keeps_layers };
    let mut sums = Sums::new(answer, network.layers().len(), plan.hardware.len(), executors.len());
    run_all(&runner, at_once, |result| {
        if let Some(sink) = sink {
            sink.take(&result.outputs(&answer))?;
        }
        sums.add(result);
        Ok(())
    })?;
    Ok(sums.finish(plan, groups, float.is_some(), activations))
}

/// Runs every batch, `at_once` of them at a time; results are taken in the order of the images.
fn run_all(
    runner: &BatchRunner<'_>,
    at_once: usize,
    mut take: impl FnMut(&BatchResult) -> Result<(), RunnerError>,
) -> Result<(), RunnerError> {
    let plan = runner.plan;
    let images = plan.samples.len();
    let batch = plan.network.batch();
    let starts: Vec<usize> = (0..images).step_by(batch).collect();
    for chunk in starts.chunks(at_once) {
        let results: Vec<Result<BatchResult, RunnerError>> = chunk
            .par_iter()
            .map(|&start| {
                let result = runner.run_batch(start, batch.min(images - start));
                (plan.progress)(batch.min(images - start));
                result
            })
            .collect();
        for result in results {
            take(&result?)?;
        }
    }
    Ok(())
}

/// The network in 32-bit float, with sums that are the same on every machine.
pub(crate) fn float_executor(network: &Network) -> Result<KernelExecutor, RunnerError> {
    let path = || network.path().to_path_buf();
    KernelExecutor::from_network(network).map_err(|error| match error {
        CompressError::Layer { layer, problem } => RunnerError::Layer { path: path(), layer, problem },
        CompressError::Network(source) => {
            RunnerError::Inference { path: path(), source: InferenceError::from(source).into() }
        }
        CompressError::Inference(source) => RunnerError::Inference { path: path(), source: source.into() },
        CompressError::Option { .. }
        | CompressError::Unsupported { .. }
        | CompressError::Model(_)
        | CompressError::Sample(_) => unreachable!("weights are read, and nothing is made of them: {error}"),
    })
}

/// Groups the hardware by what it computes, so that each group runs once: all engines on integers compute the same
/// sums.
fn group_engines(hardware: &[Hardware]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (h, this) in hardware.iter().enumerate() {
        match groups.iter_mut().find(|group| this.is_exact() && hardware[group[0]].is_exact()) {
            Some(group) => group.push(h),
            None => groups.push(vec![h]),
        }
    }
    groups
}

/// Runs the images again on all hardware that is random, once for every further seed, and puts the statistics of all
/// seeds into `evaluation`.
///
/// The seeds follow the one that `evaluation` was made with. For example, seed 7 and `seeds` = 3 give runs with 7, 8
/// and 9. Hardware without anything random is left as it is.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_seeds(plan: &EvaluationPlan<'_>, evaluation: &mut Evaluation, seeds: u64) -> Result<(), RunnerError> {
    for engine in &mut evaluation.engines {
        let hardware = &plan.hardware[engine.members[0]];
        let Some(first) = hardware.seed() else { continue };
        let mut all = vec![first];
        let mut scores = vec![engine.score.clone()];
        for seed in (1..seeds).map(|i| first.wrapping_add(i)) {
            let Some(other) = hardware.reseeded(seed) else { break };
            all.push(seed);
            scores.push(score(plan, &other)?);
        }
        engine.seeds = Some(SeedStatistics::new(all, &scores));
    }
    Ok(())
}

/// How the images go on one hardware alone.
fn score(plan: &EvaluationPlan<'_>, hardware: &Hardware) -> Result<Score, RunnerError> {
    let hardware = std::slice::from_ref(hardware);
    let evaluation = evaluate(&EvaluationPlan { hardware, reference: false, ..*plan })?;
    Ok(evaluation.engines.into_iter().next().map(|engine| engine.score).unwrap_or_default())
}
