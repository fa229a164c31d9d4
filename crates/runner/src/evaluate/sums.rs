//! Results of batches, added in the order of the images.

use engine::Conversions;
use network::ActivationQuantization;

use super::batch::{BatchResult, EngineBatch};
use super::evaluation::{EngineEvaluation, Evaluation};
use super::meters::{self, Counts};
use super::plan::EvaluationPlan;
use super::score::Score;
use crate::answer::Answer;
use crate::runs::MeasuredRuns;

/// Results so far, added in the order of the images.
pub(super) struct Sums {
    images: usize,
    answer: Answer,
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
    pub fn new(answer: Answer, layers: usize, hardware: usize, engines: usize) -> Self {
        let engine = || EngineSums {
            score: Score::default(),
            agreement: 0,
            powers: vec![(0.0, 0.0); layers],
            conversions: vec![Conversions::default(); layers],
            predictions: vec![],
        };
        Self {
            images: 0,
            answer,
            float: Score::default(),
            float_predictions: Vec::new(),
            engines: (0..engines).map(|_| engine()).collect(),
            counts: vec![Vec::new(); hardware],
        }
    }

    pub fn add(&mut self, batch: &BatchResult) {
        let float = batch.float_logits.as_deref();
        self.images += batch.labels.len();
        for (hardware, counts) in batch.engines.iter().flat_map(|engine| &engine.counts) {
            self.count(*hardware, counts);
        }
        // A batch that was filled up has more rows than labels; its first images are the real ones.
        let answer = self.answer;
        if let Some(numbers) = float {
            for (row, &label) in numbers.chunks_exact(answer.width).zip(&batch.labels) {
                self.float.count(&answer, row, label);
                self.float_predictions.push(answer.class(row));
            }
        }
        for (sums, engine) in self.engines.iter_mut().zip(&batch.engines) {
            sums.add(engine, float, &batch.labels, &answer);
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
            classes: self.answer.classes(),
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
    fn add(&mut self, batch: &EngineBatch, float: Option<&[f32]>, labels: &[Option<usize>], answer: &Answer) {
        for (i, (row, &label)) in batch.logits.chunks_exact(answer.width).zip(labels).enumerate() {
            let prediction = answer.class(row);
            self.score.count(answer, row, label);
            self.predictions.push(prediction);
            let agrees = float.is_some_and(|all| answer.class(&all[i * answer.width..][..answer.width]) == prediction);
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
