//! What an evaluation found.

use engine::Arithmetic;
use network::ActivationQuantization;
use serde::{Serialize, Serializer};

use super::score::Score;
use super::seeds::SeedStatistics;
use crate::runs::MeasuredRuns;

/// How the images went on one group of engines that compute the same sums.
#[derive(Clone, Debug, Serialize)]
pub struct EngineEvaluation {
    /// Names of the hardware of the group.
    pub hardware: Vec<String>,
    /// What they compute on.
    #[serde(serialize_with = "by_name")]
    pub arithmetic: Arithmetic,
    /// Accuracy.
    pub score: Score,
    /// Images on which the engine and the float network name the same class; none without the float network.
    pub agreement: Option<u64>,
    /// Images on which the engine and the reference name the same class; none without a reference.
    pub reference_agreement: Option<u64>,
    /// Signal-to-quantization-noise ratio of every layer's output against the float network's, in dB; none without the
    /// float network and where either is 0.
    pub sqnr_db: Vec<Option<f64>>,
    /// Part of the conversions of every layer that clipped, 0 to 1; none where nothing is converted, or without rounding.
    pub clipped: Vec<Option<f64>>,
    /// Accuracy over several seeds; none unless [`crate::evaluate_seeds`] was asked and the hardware is random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedStatistics>,
    /// The class named for each image.
    #[serde(skip)]
    pub predictions: Vec<usize>,
    #[serde(skip)]
    pub(super) members: Vec<usize>,
}

/// How another network did on the same images, in float arithmetic: usually the one that a compressed network was made of.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// Its file.
    pub file: String,
    /// Accuracy.
    pub score: Score,
    /// Images on which it and the float network name the same class; none without the float network.
    pub agreement: Option<u64>,
}

/// What inference on images found.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// How many images were run.
    pub images: usize,
    /// Classes, from the number of logits.
    pub classes: usize,
    /// How the network of the file did in float arithmetic; none where that was left out.
    pub float: Option<Score>,
    /// The class that the float network names for each image.
    #[serde(skip)]
    pub float_predictions: Vec<usize>,
    /// How another network did; none where none was named.
    pub reference: Option<Reference>,
    /// How each group of engines did.
    pub engines: Vec<EngineEvaluation>,
    /// How each layer's input is quantized for engines on integers; empty where there is none.
    #[serde(serialize_with = "quantizations")]
    pub activations: Vec<ActivationQuantization>,
    /// What hardware counted whose cost depends on the activations, in the order of the hardware; none for other
    /// hardware.
    #[serde(skip)]
    pub measured: Vec<Option<MeasuredRuns>>,
}

/// Layers of one group of engines whose converters clip much.
#[derive(Clone, Debug, PartialEq)]
pub struct Clipping {
    /// The first hardware of the group.
    pub hardware: String,
    /// How many layers clip more than the bound.
    pub layers: usize,
    /// The one that clips most, by its place.
    pub most: usize,
    /// The part of its conversions that clips.
    pub share: f64,
}

impl Evaluation {
    /// Where more than `bound` of the conversions of a layer clip, 0 to 1: such outputs are wrong, whatever their weights.
    pub fn clipping(&self, bound: f64) -> Vec<Clipping> {
        let of = |engine: &EngineEvaluation| {
            let shares = engine.clipped.iter().enumerate().filter_map(|(layer, share)| Some((layer, (*share)?)));
            let over: Vec<(usize, f64)> = shares.filter(|(_, share)| *share > bound).collect();
            let (most, share) = over.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
            Some(Clipping { hardware: engine.hardware.first()?.clone(), layers: over.len(), most, share })
        };
        self.engines.iter().filter_map(of).collect()
    }

    /// Whether the network, in float arithmetic or on the first hardware, is right no more often than a guess.
    pub fn is_at_chance(&self) -> bool {
        let score = self.float.as_ref().or(self.engines.first().map(|engine| &engine.score));
        score.is_some_and(|score| score.is_at_chance(self.classes))
    }

    /// Holds the classes that were named against those of another network on the same images, which is known by `file`.
    pub fn hold_against(&mut self, file: String, reference: &Evaluation) {
        let agreement = |predictions: &[usize]| {
            let equal = predictions.iter().zip(&reference.float_predictions).filter(|(a, b)| a == b);
            equal.count() as u64
        };
        for engine in &mut self.engines {
            engine.reference_agreement = Some(agreement(&engine.predictions));
        }
        self.reference = Some(Reference {
            file,
            score: reference.float.clone().unwrap_or_default(),
            agreement: self.float.is_some().then(|| agreement(&self.float_predictions)),
        });
    }

    /// The results of the group that a hardware belongs to, by its index in the plan.
    pub fn engine_of(&self, hardware: usize) -> Option<&EngineEvaluation> {
        self.engines.iter().find(|engine| engine.members.contains(&hardware))
    }
}

fn by_name<S: Serializer>(arithmetic: &Arithmetic, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(arithmetic.name())
}

/// The JSON of an [`ActivationQuantization`].
#[derive(Serialize)]
struct QuantizationRecord {
    scale: f32,
    zero_point: i32,
    min: i32,
    max: i32,
}

fn quantizations<S: Serializer>(all: &[ActivationQuantization], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().map(|&ActivationQuantization { scale, zero_point, min, max }| {
        QuantizationRecord { scale, zero_point, min, max }
    }))
}
