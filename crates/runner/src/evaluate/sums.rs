//! Results of batches, added in the order of the images.

use engine::Conversions;
use network::ActivationQuantization;

use super::batch::{BatchResult, EngineBatch};
use super::evaluation::{EngineEvaluation, Evaluation};
use super::meters::{self, Counts};
use super::plan::EvaluationPlan;
use super::score::{Score, argmax};
use crate::runs::MeasuredRuns;

/// Results so far, added in the order of the images.
pub(super) struct Sums {
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
    conversions: Vec<Conversions>,
    predictions: Vec<usize>,
}

impl Sums {
    pub fn new(layers: usize, hardware: usize, engines: usize) -> Self {
        let engine = || EngineSums {
            score: Score::default(),
            agreement: 0,
            powers: vec![(0.0, 0.0); layers],
            conversions: vec![Conversions::default(); layers],
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

    pub fn add(&mut self, batch: &BatchResult) {
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
                meters::add(sum, next);
            }
        }
    }

    pub fn finish(
        self,
        plan: &EvaluationPlan<'_>,
        groups: Vec<Vec<usize>>,
        reference: bool,
        activations: Vec<ActivationQuantization>,
    ) -> Evaluation {
        let engines = self.engines.into_iter().zip(groups).map(|(sums, members)| EngineEvaluation {
            hardware: members.iter().map(|&h| plan.hardware[h].engine.name().to_string()).collect(),
            arithmetic: plan.hardware[members[0]].engine.arithmetic(),
            score: sums.score,
            agreement: reference.then_some(sums.agreement),
            reference_agreement: None,
            sqnr_db: sums.powers.iter().map(|&power| decibels(power)).collect(),
            clipped: sums.conversions.iter().map(clipped).collect(),
            seeds: None,
            predictions: sums.predictions,
            members,
        });
        Evaluation {
            images: self.images,
            classes: self.classes,
            engines: engines.collect(),
            float: reference.then_some(self.float),
            reference: None,
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
        for (sum, conversions) in self.conversions.iter_mut().zip(&batch.conversions) {
            *sum = sum.plus(*conversions);
        }
    }
}

/// The part of the conversions that clipped; none without conversions.
fn clipped(conversions: &Conversions) -> Option<f64> {
    (conversions.total > 0).then(|| conversions.clipped as f64 / conversions.total as f64)
}

/// Ratio of signal to noise in dB; none where either is 0.
fn decibels((signal, noise): (f64, f64)) -> Option<f64> {
    (signal > 0.0 && noise > 0.0).then(|| 10.0 * (signal / noise).log10())
}
