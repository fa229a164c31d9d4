//! Ways to quantize a layer, and which of them are worth a measurement.

use esn::Grid;
use network::{MacLayer, Network};
use serde::{Deserialize, Serialize};

use super::{SensitivityPlan, undominated};
use crate::error::CompressError;
use crate::quantize::{Granularity, LayerOptions, QuantizeOptions, StepRule, quantize};
use crate::ties::first_uses;

/// One way to quantize a layer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Choice {
    /// Bit width.
    pub bits: u32,
    /// Whether the levels are mid-rise.
    pub mid_rise: bool,
    /// What shares a step.
    pub granularity: Granularity,
    /// How a step is chosen.
    pub step: StepRule,
}

/// Signal-to-noise ratios that layers are tried at, as powers of two, from `2^(1/2)` to `2^10`.
const HALF_POWERS: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20];
/// The width that clips nothing.
const UNCLIPPED: u32 = 16;

impl Choice {
    /// The ways that are tried where nobody says which: widths from 2 to 8 bits that end at the largest magnitude or have
    /// the least squared error, with a step for the layer or for each filter, and steps of a layer that have a chosen
    /// signal-to-noise ratio, which clip nothing. All on one grid, for a file has no more than one.
    pub fn usual(grid: Grid) -> Vec<Choice> {
        let mid_rise = grid == Grid::MidRise;
        let widths = (2..=8).flat_map(|bits| [StepRule::MaxAbs, StepRule::Mse].map(|step| (bits, step)));
        let widths = widths.flat_map(|(bits, step)| {
            let choice = |granularity| Choice { bits, mid_rise, granularity, step: step.clone() };
            [Granularity::Layer, Granularity::Filter].map(choice)
        });
        let ratios = HALF_POWERS.into_iter().map(|power| StepRule::Snr(2f64.powf(f64::from(power) / 2.0)));
        let unclipped = |step| Choice { bits: UNCLIPPED, mid_rise, granularity: Granularity::Layer, step };
        widths.chain(ratios.map(unclipped)).collect()
    }

    /// The way as what one layer gets.
    pub fn of_layer(&self, layer: &str) -> LayerOptions {
        LayerOptions {
            layer: layer.to_string(),
            bits: Some(self.bits),
            mid_rise: Some(self.mid_rise),
            granularity: Some(self.granularity),
            step: Some(self.step.clone()),
        }
    }

    /// The way as what all layers get.
    fn of_all(&self) -> QuantizeOptions {
        QuantizeOptions {
            bits: self.bits,
            mid_rise: self.mid_rise,
            granularity: self.granularity,
            step: self.step.clone(),
            ..QuantizeOptions::default()
        }
    }
}

/// What every tensor of weights costs if it is quantized in one of some ways: for each way, in the order of
/// [`super::Sensitivity::layers`]. No image is looked at.
///
/// `cost` is that of [`SensitivityPlan::cost`].
///
/// # Errors
///
/// Those of [`crate::quantize()`] and of `cost`.
pub fn costs_of_choices(
    network: &Network,
    choices: &[Choice],
    cost: &dyn Fn(&Network) -> Result<Vec<u128>, CompressError>,
) -> Result<Vec<Vec<u128>>, CompressError> {
    let first_uses = first_uses(network);
    let tensors: Vec<usize> = (0..first_uses.len()).filter(|&layer| first_uses[layer] == layer).collect();
    let of_choice = |choice: &Choice| {
        let (quantized, _) = quantize(network, &choice.of_all())?;
        let costs = cost(&quantized)?;
        let of_tensor = |&tensor: &usize| uses(&first_uses, tensor).map(|layer| costs[layer]).sum();
        Ok(tensors.iter().map(of_tensor).collect())
    };
    choices.iter().map(of_choice).collect()
}

/// The layers that have the tensor of this one.
fn uses(first_uses: &[usize], tensor: usize) -> impl Iterator<Item = usize> + Clone {
    (0..first_uses.len()).filter(move |&layer| first_uses[layer] == tensor)
}

/// A layer quantized in one way.
pub(super) struct Candidate {
    /// The first layer that has the tensor.
    pub tensor: usize,
    pub choice: Choice,
    /// What all layers that have the tensor cost.
    pub cost: u128,
    /// The layers that have the tensor, quantized.
    pub quantized: Vec<(usize, MacLayer)>,
    /// `‖W − Ŵ‖² / ‖W‖²`.
    noise: f64,
}

/// The ways of every layer that are worth a measurement: of which none has both less noise and less cost than another.
pub(super) fn candidates(plan: &SensitivityPlan<'_>, first_uses: &[usize]) -> Result<Vec<Candidate>, CompressError> {
    let mut by_tensor: Vec<Vec<Candidate>> = first_uses.iter().map(|_| Vec::new()).collect();
    for choice in plan.choices {
        let (quantized, report) = quantize(plan.network, &choice.of_all())?;
        let costs = (plan.cost)(&quantized)?;
        for (tensor, all) in by_tensor.iter_mut().enumerate().filter(|(tensor, _)| first_uses[*tensor] == *tensor) {
            let uses = uses(first_uses, tensor);
            all.push(Candidate {
                tensor,
                choice: choice.clone(),
                cost: uses.clone().map(|layer| costs[layer]).sum(),
                quantized: uses.map(|layer| (layer, quantized.layers()[layer].clone())).collect(),
                noise: report.layers[tensor].snr.map_or(0.0, |ratio| 1.0 / ratio),
            });
        }
    }
    let worth = |all: Vec<Candidate>| undominated(all, |candidate| (candidate.cost, candidate.noise));
    Ok(by_tensor.into_iter().flat_map(worth).collect())
}
