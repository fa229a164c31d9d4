//! Quantization of weights: grid, step rule, bit allocation, bias correction.

use esn::BitWidth;
use network::Network;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;

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
    /// The grid ends at the largest magnitude: `Δ = max|W| / 2^(n−1)` on mid-rise.
    #[default]
    MaxAbs,
    /// Least mean squared error of the weights.
    Mse,
    /// Analytical clipping for a Laplace prior (Banner et al. 2018, ACIQ).
    Laplace,
    /// Analytical clipping for a Gauss prior (Banner et al. 2018, ACIQ).
    Gauss,
    /// This signal-to-noise ratio, linear, in every layer; the bit width only clips.
    Snr(f64),
    /// This ESN_a with c = 1 over the whole network: one S/N for all layers that meets it (section 2.7).
    EsnA(f64),
    /// This ESN_a with c = 1 for each layer, in order of execution (section 2.7).
    EsnAProfile(Vec<f64>),
}

/// How bits are shared out among filters.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// So many bits a filter on average within each layer (Banner et al. 2018).
    AverageBits(f64),
    /// At most this ESN'_d, equation (7), over the whole network.
    EsnDFilter(f64),
}

/// How to quantize.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct QuantizeOptions {
    /// Bit width of weights, 1 to 16.
    pub bits: u32,
    /// Levels ±0.5, ±1.5, … rather than 0, ±1, ±2, ….
    pub mid_rise: bool,
    /// What shares a step.
    pub granularity: Granularity,
    /// How a step is chosen.
    pub step: StepRule,
    /// Bits by filter; needs [`Granularity::Filter`].
    pub allocation: Option<Allocation>,
    /// Moves each filter's quantized weights to the mean and norm that they had (Banner et al. 2018): the factor goes into
    /// the filter's step, the shift of the mean into its bias where the input's mean is known, else it is left.
    pub bias_correction: bool,
    /// Width of the first layer, where it is another.
    pub first_bits: Option<u32>,
    /// Width of the last layer, where it is another.
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

/// What was quantized, and how well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QuantizeReport {
    /// One entry a layer.
    pub layers: Vec<LayerQuantization>,
    /// What a user should know, one line each.
    pub notes: Vec<String>,
}

/// What became of one layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayerQuantization {
    /// Name of the layer.
    pub layer: String,
    /// Bit width that the codes were clipped to; with an allocation, the mean over live filters.
    pub bits: f64,
    /// Smallest and largest step.
    pub steps: (f64, f64),
    /// `‖W‖² / ‖W − Δ·W_int‖²`; none without noise.
    pub snr: Option<f64>,
    /// ESN_a with c = 1 that was asked for, by rules that ask for it.
    pub target_esn_a: Option<f64>,
    /// ESN_a with c = 1 that came out.
    pub esn_a: f64,
    /// Whether the target could not be met within 0.5 %; the notes say why.
    pub target_missed: bool,
}

/// Quantizes a network of real weights. Exact zeros stay pruned.
///
/// Steps are `f32` numbers, so that a standard file holds them exactly.
///
/// # Errors
///
/// [`CompressError::Option`] for a width outside 1…16 and combinations that mean nothing; [`CompressError::Layer`] for a
/// layer whose weights are quantized already.
pub fn quantize(network: &Network, options: &QuantizeOptions) -> Result<(Network, QuantizeReport), CompressError> {
    BitWidth::new(options.bits).map_err(|e| CompressError::Option { option: "bits", problem: e.to_string() })?;
    Err(CompressError::Unsupported { place: network.path().display().to_string(), problem: "quantizing".to_string() })
}
