//! Quantization of weights: grid, step rule, bit allocation, bias correction.

mod allocate;
mod check;
mod clipping;
mod correct;
mod layer;
mod least_squares;
mod levels;
mod profile;
mod report;
mod rule;
mod target;

use esn::BitWidth;
use network::Network;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;
use layer::{Coded, Layer};
use levels::Levels;
pub use profile::{esn_a_profile, esn_a_trace};
pub use report::{LayerQuantization, QuantizeReport};

/// What shares one step `Δ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// All weights of a layer.
    #[default]
    Layer,
    /// All weights of a filter.
    Filter,
}

/// How the step is chosen, given the bit width.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepRule {
    /// The grid ends at the largest magnitude: `Δ = max|W| / 2^(n−1)` on mid-rise, `max|W| / (2^(n−1) − 1)` on mid-tread.
    #[default]
    MaxAbs,
    /// Least mean squared error of the weights; of equally good steps the largest.
    Mse,
    /// Analytical clipping for a Laplace prior of scale `b = E|W|` (Banner et al. 2018, ACIQ): `[−α, α]`, `α/b` the root of
    /// `(α/b)·e^(α/b) = 3·4^n`, is divided into as many steps as the grid has levels. Pruned weights do not count, and `α`
    /// is at most `max|W|`.
    Laplace,
    /// The same for a Gauss prior of scale `σ = sqrt(E W²)`.
    Gauss,
    /// This signal-to-noise ratio, linear, in every layer (every filter, at filter granularity); the bit width only clips.
    Snr(f64),
    /// This ESN_a with c = 1 over the whole network (section 2.7): one S/N for all layers, by equation (4) `Δ ∝
    /// sqrt(‖W‖²/‖W‖_0)`, that meets it. The bit width is a maximum: nothing is clipped.
    EsnA(f64),
    /// This ESN_a with c = 1 for each layer, in order of execution (section 2.7). The bit width is a maximum: nothing is
    /// clipped, and what it does not allow is reported as missed. So is what mid-rise does not: below a quarter of the
    /// weights that are not pruned. At filter granularity the filters of a layer get one S/N.
    EsnAProfile(Vec<f64>),
}

/// How bits are shared out among filters, 1 to 16 each (2 to 16 on mid-tread).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// So many bits a filter on average within each layer (Banner et al. 2018).
    AverageBits(f64),
    /// At most this ESN'_d, equation (7), over the whole network, with the least sum over layers of noise / signal.
    EsnDFilter(f64),
}

/// How to quantize.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct QuantizeOptions {
    /// Bit width of weights, 1 to 16, on mid-tread 2 to 16 (1 bit has no level but 0). An allocation does not look at it.
    pub bits: u32,
    /// Levels ±0.5, ±1.5, … rather than 0, ±1, ±2, ….
    pub mid_rise: bool,
    /// What shares a step.
    pub granularity: Granularity,
    /// How a step is chosen.
    pub step: StepRule,
    /// Bits by filter; needs [`Granularity::Filter`] and a rule in which the width decides on the step.
    pub allocation: Option<Allocation>,
    /// Gives each filter's quantized weights the norm around their mean that they had (Banner et al. 2018): the factor goes
    /// into the filter's step, so that a file then holds one a filter. The shift of the mean, the other half of that
    /// correction, adds `ΔE(W) · Σ x` to the output and needs the mean of the input: it is left to
    /// [`crate::reestimate()`], which sees images.
    pub bias_correction: bool,
    /// Width of the first layer, where it is another; an allocation leaves it alone.
    pub first_bits: Option<u32>,
    /// Width of the last layer, where it is another; an allocation leaves it alone.
    pub last_bits: Option<u32>,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        Self {
            bits: 4,
            mid_rise: true,
            granularity: Granularity::Layer,
            step: StepRule::MaxAbs,
            allocation: None,
            bias_correction: false,
            first_bits: None,
            last_bits: None,
        }
    }
}

/// Quantizes a network of real weights. Exact zeros stay pruned.
///
/// On mid-rise `W_int = clamp(floor(W/Δ) + 0.5, ±(2^(n−1) − 0.5))`, so that nothing else becomes 0; on mid-tread
/// `W_int = clamp(round(W/Δ), ±(2^(n−1) − 1))`, halves to even, and the report counts the small weights that do. Steps are
/// `f32` numbers before any code is made, so that a standard file holds them exactly. A layer or filter that is wholly 0
/// has step 1 and codes of 0.
///
/// # Errors
///
/// [`CompressError::Option`] for a width outside 1…16 and combinations that mean nothing; [`CompressError::Layer`] for a
/// layer whose weights are quantized already.
pub fn quantize(network: &Network, options: &QuantizeOptions) -> Result<(Network, QuantizeReport), CompressError> {
    check::check(options, network)?;
    let layers = layer::load(network, options)?;
    let widths = widths(&layers, options)?;
    let steps = steps(&layers, &widths, &options.step);
    let coded = layers.par_iter().zip(&widths).zip(steps).map(|((layer, widths), steps)| {
        let mut coded = layer::encode(layer, widths, steps)?;
        if options.bias_correction {
            correct::correct_norms(layer, &mut coded);
        }
        Ok(coded)
    });
    let coded = coded.collect::<Result<Vec<Coded>, CompressError>>()?;
    let report = report::report(&layers, &widths, &coded, options)?;
    let quantized = layers.iter().zip(&coded).map(|(layer, coded)| layer::with_codes(layer, coded)).collect();
    Ok((crate::rebuild::with_layers(network, quantized), report))
}

/// The bit width of every unit of every layer.
fn widths(layers: &[Layer], options: &QuantizeOptions) -> Result<Vec<Vec<BitWidth>>, CompressError> {
    let of_layer = |layer: &Layer| vec![layer.levels.bits; layer.units.len()];
    match options.allocation {
        None => Ok(layers.iter().map(of_layer).collect()),
        Some(Allocation::AverageBits(average)) => Ok(layers
            .par_iter()
            .map(|layer| match layer.own_width {
                true => of_layer(layer),
                false => allocate::average_bits(layer, &options.step, average),
            })
            .collect()),
        Some(Allocation::EsnDFilter(budget)) => allocate::esn_d_filter(layers, &options.step, budget),
    }
}

/// The step of every unit of every layer.
fn steps(layers: &[Layer], widths: &[Vec<BitWidth>], rule: &StepRule) -> Vec<Vec<f32>> {
    let units = |index: usize| {
        let layer: &Layer = &layers[index];
        layer.units.iter().zip(&widths[index]).map(|(unit, &bits)| (unit, Levels { bits, ..layer.levels }))
    };
    match rule {
        StepRule::EsnA(target) => {
            let all: Vec<_> = (0..layers.len()).flat_map(units).collect();
            let mut steps = target::esn_a_steps(&all, *target).into_iter();
            layers.iter().map(|layer| steps.by_ref().take(layer.units.len()).collect()).collect()
        }
        StepRule::EsnAProfile(targets) => (0..layers.len())
            .into_par_iter()
            .map(|index| target::esn_a_steps(&units(index).collect::<Vec<_>>(), targets[index]))
            .collect(),
        _ => (0..layers.len())
            .into_par_iter()
            .map(|index| units(index).map(|(unit, levels)| rule::step_at_width(rule, unit, levels)).collect())
            .collect(),
    }
}
