//! How much the quantization of each layer changes what a network says, and a way to quantize every layer that follows
//! from it.
//!
//! The main function is [`sensitivity`]. It quantizes one layer at a time, in several ways, and measures how far the
//! network's output moves. [`Sensitivity::allocate`] then spends a budget where it helps most: it adds up the errors of
//! the layers, as if none knew of the others, and takes the ways of least error that the budget allows.
//!
//! Outputs are measured and not weights, because a layer's noise matters as much as the layers behind it pass it on. No
//! label and no gradient is needed.

mod allocate;
mod choices;
mod measure;

use std::sync::atomic::{AtomicUsize, Ordering};

use inference::{Sample, SampleError, Samples};
use network::Network;
use serde::Serialize;

use crate::error::CompressError;
use crate::reestimate::Original;
use crate::ties::first_uses;
use choices::Candidate;
use measure::Measurement;

pub use allocate::{Allotment, AllottedLayer};
pub use choices::{Choice, costs_of_choices};

/// What is measured, and on what.
pub struct SensitivityPlan<'a> {
    /// The network, with real weights; pruned or not.
    pub network: &'a Network,
    /// What a folded network's statistics are brought back to: the network before it was pruned.
    pub original: Original<'a>,
    /// Images; labels play no part.
    pub images: &'a dyn Samples,
    /// At most so many of them, spread evenly: those of a folder come class by class.
    pub limit: usize,
    /// Ways to quantize a layer.
    pub choices: &'a [Choice],
    /// What every layer of a quantized network costs, in the order of [`Network::layers`].
    pub cost: &'a (dyn Fn(&Network) -> Result<Vec<u128>, CompressError> + Sync),
    /// Whether statistics are re-estimated on the same images before a network's output is looked at.
    pub reestimate: bool,
    /// Told how many measurements are done, and of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// One way to quantize a layer, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredChoice {
    /// The way.
    #[serde(flatten)]
    pub choice: Choice,
    /// What the layer then costs, for one image.
    pub cost: u128,
    /// How far the network's outputs move with this layer alone quantized: `Σ (y − ŷ)² / Σ (y − ȳ)²`, `y` being an output
    /// of the network in float, `ŷ` that of the network with the quantized layer, and `ȳ` the mean of that output over
    /// the images. 0: not at all; at 1 as far as if all images gave the same.
    pub error: f64,
}

/// What quantizing one layer does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSensitivity {
    /// Name of the layer; of layers that have one tensor of weights, the first.
    pub layer: String,
    /// Ways of which none is both cheaper and better than another, the cheapest first.
    pub choices: Vec<MeasuredChoice>,
}

/// What quantizing each layer does to the output of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// How many images were looked at.
    pub images: usize,
    /// Every tensor of weights, in the order of the layers.
    pub layers: Vec<LayerSensitivity>,
}

/// Measures how far the output of a network moves when one layer is quantized, for each layer and each choice.
///
/// Ways whose weights are both further from the real ones and dearer than those of another way are not measured.
///
/// # Errors
///
/// [`CompressError::Option`] if there is no image or no choice, and those of [`crate::quantize()`] and
/// [`crate::reestimate()`].
pub fn sensitivity(plan: &SensitivityPlan<'_>) -> Result<Sensitivity, CompressError> {
    let is_without_images = plan.images.is_empty() || plan.limit == 0;
    for (option, is_empty) in [("images", is_without_images), ("choices", plan.choices.is_empty())] {
        if is_empty {
            let problem = "there is none; at least one is expected".to_string();
            return Err(CompressError::Option { option, problem });
        }
    }
    let images = KeptSamples::read(plan.images, plan.limit)?;
    let first_uses = first_uses(plan.network);
    let candidates = choices::candidates(plan, &first_uses)?;
    let measurement = Measurement::new(plan, &images)?;
    let done = AtomicUsize::new(0);
    (plan.progress)(0, candidates.len());
    let errors = measurement.errors(&candidates, &|| {
        (plan.progress)(1 + done.fetch_add(1, Ordering::Relaxed), candidates.len());
    })?;
    let tensors = (0..first_uses.len()).filter(|&layer| first_uses[layer] == layer);
    let layers = tensors.map(|tensor| {
        let own = candidates.iter().zip(&errors).filter(|(candidate, _)| candidate.tensor == tensor);
        layer_sensitivity(&plan.network.layers()[tensor].name, own)
    });
    Ok(Sensitivity { images: images.len(), layers: layers.collect::<Result<_, _>>()? })
}

/// What the ways to quantize one layer come to. A way whose outputs are not finite is none.
fn layer_sensitivity<'a>(
    layer: &str,
    candidates: impl Iterator<Item = (&'a Candidate, &'a f64)>,
) -> Result<LayerSensitivity, CompressError> {
    let finite = candidates.filter(|(_, error)| error.is_finite());
    let measured = finite.map(|(candidate, &error)| {
        let (choice, cost) = (candidate.choice.clone(), candidate.cost);
        MeasuredChoice { choice, cost, error }
    });
    let choices = undominated(measured.collect(), |measured| (measured.cost, measured.error));
    let layer = layer.to_string();
    match choices.is_empty() {
        true => Err(CompressError::Layer { layer, problem: "no way to quantize it leaves finite outputs".to_string() }),
        false => Ok(LayerSensitivity { layer, choices }),
    }
}

/// Those of which none is both cheaper and better than another, the cheapest first; of equal ones the first.
fn undominated<T>(mut all: Vec<T>, of: impl Fn(&T) -> (u128, f64)) -> Vec<T> {
    all.sort_by(|a, b| {
        let ((cost_a, error_a), (cost_b, error_b)) = (of(a), of(b));
        cost_a.cmp(&cost_b).then(error_a.total_cmp(&error_b))
    });
    let mut best = f64::INFINITY;
    all.retain(|one| {
        let is_better = of(one).1 < best;
        best = best.min(of(one).1);
        is_better
    });
    all
}

/// Images in memory, for they are read many times.
pub(crate) struct KeptSamples(Vec<Sample>);

impl KeptSamples {
    /// At most `limit` images, spread evenly over all.
    fn read(samples: &dyn Samples, limit: usize) -> Result<Self, CompressError> {
        let count = samples.len().min(limit);
        let read = |index| samples.sample(index * samples.len() / count).map_err(inference::InferenceError::from);
        Ok(Self((0..count).map(read).collect::<Result<_, _>>()?))
    }
}

impl Samples for KeptSamples {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        Ok(self.0[index].clone())
    }
}
