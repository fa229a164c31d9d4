//! What a user asks of quantization: grid, step rule, bit allocation, bias correction.

use esn::Grid;
use serde::{Deserialize, Serialize};

/// What shares one step `Δ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
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
    /// The grid ends at the largest magnitude: `Δ = max|W| / 2^(n−1)` on mid-rise, `max|W| / (2^(n−1) − 1)` on
    /// mid-tread.
    #[default]
    MaxAbs,
    /// Least mean squared error of the weights; of equally good steps the largest.
    Mse,
    /// Analytical clipping for a Laplace prior of scale `b = E|W|` (Banner et al. 2018, ACIQ): `[−α, α]`, `α/b` the
    /// root of `(α/b)·e^(α/b) = 3·4^n`, is divided into as many steps as the grid has levels. Pruned weights do not
    /// count, and `α` is at most `max|W|`.
    Laplace,
    /// Analytical clipping, as with [`StepRule::Laplace`], for a Gauss prior of scale `σ = sqrt(E W²)`.
    Gauss,
    /// This signal-to-noise ratio in every layer, or in every filter at filter granularity. It is a ratio of powers,
    /// not dB: 100 is 20 dB. The bit width only clips.
    Snr(f64),
    /// This ESN_a with c = 1 over the whole network (section 2.7): one S/N for all layers, by equation (4) `Δ ∝
    /// sqrt(‖W‖²/‖W‖_0)`, that meets it. The bit width is a maximum: nothing is clipped.
    EsnA(f64),
    /// This ESN_a with c = 1 for each layer, in order of execution (section 2.7). The bit width is a maximum: nothing
    /// is clipped. The report names the targets that were missed because the width does not allow them, or because
    /// mid-rise does not: it has no ESN_a below a quarter of the weights that are not pruned. At filter granularity the
    /// filters of a layer get one S/N.
    EsnAProfile(Vec<f64>),
}

impl StepRule {
    /// Whether steps are chosen for a target, and not for the width.
    fn has_target(&self) -> bool {
        match self {
            StepRule::MaxAbs | StepRule::Mse | StepRule::Laplace | StepRule::Gauss => false,
            StepRule::Snr(_) | StepRule::EsnA(_) | StepRule::EsnAProfile(_) => true,
        }
    }
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

/// What one layer gets in place of what the options say for all. What is left out is as for all layers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LayerOptions {
    /// Name of the layer.
    pub layer: String,
    /// Its bit width; an allocation then leaves the layer alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// Its levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid_rise: Option<bool>,
    /// What shares a step in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Granularity>,
    /// How its steps are chosen, by a rule that needs no other layer.
    #[serde(default, alias = "clip", skip_serializing_if = "Option::is_none")]
    pub step: Option<StepRule>,
}

/// How to quantize.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct QuantizeOptions {
    /// Bit width of weights, 1 to 16, on mid-tread 2 to 16 (1 bit has no level but 0). An allocation does not look at
    /// it.
    pub bits: u32,
    /// Whether the levels are ±0.5, ±1.5, … (mid-rise) rather than 0, ±1, ±2, … (mid-tread).
    pub mid_rise: bool,
    /// What shares a step.
    pub granularity: Granularity,
    /// How a step is chosen.
    #[serde(alias = "clip")]
    pub step: StepRule,
    /// How bits are shared out among filters. It needs [`Granularity::Filter`] and a step rule that starts from a
    /// width.
    pub allocation: Option<Allocation>,
    /// Gives each filter's quantized weights the norm around their mean that they had (Banner et al. 2018): the factor
    /// goes into the filter's step, so that a file then holds one a filter. The shift of the mean, the other half of
    /// that correction, adds `ΔE(W) · Σ x` to the output and needs the mean of the input: it is left to
    /// [`crate::reestimate()`], which sees images.
    pub bias_correction: bool,
    /// Bit width of the first layer, where it is to have another than the rest. An allocation leaves that layer alone.
    pub first_bits: Option<u32>,
    /// Bit width of the last layer, likewise.
    pub last_bits: Option<u32>,
    /// Layers that are quantized in another way than the rest. Layers that have one tensor of weights are one: an entry
    /// for one of them holds for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerOptions>,
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
            layers: Vec::new(),
        }
    }
}

impl QuantizeOptions {
    /// Bits that the options name for the weights: the bit width, or the average of an allocation by filter, rounded;
    /// of layers with a width of their own the narrowest, where it is narrower. None where steps have a target, of which
    /// the width is but a bound.
    pub fn nominal_bits(&self) -> Option<u32> {
        let rules = self.layers.iter().filter_map(|own| own.step.as_ref()).chain([&self.step]);
        if rules.into_iter().any(StepRule::has_target) {
            return None;
        }
        let bits = match self.allocation {
            Some(Allocation::AverageBits(bits)) => bits.round() as u32,
            Some(Allocation::EsnDFilter(_)) | None => self.bits,
        };
        Some(self.layers.iter().filter_map(|own| own.bits).fold(bits, u32::min))
    }

    /// The grid of weights that no layer says otherwise of.
    pub(super) fn grid(&self) -> Grid {
        grid(self.mid_rise)
    }

    /// The options in a few words: `4 bits per filter mse mid-tread`. A width that is but a bound says so, `S/N 100, at most
    /// 16 bits`, and one that layers with widths of their own leave to the others comes behind them:
    /// `mid-tread, 2 layers of their own 5 to 8 bits, any other 4 bits`.
    pub fn label(&self) -> String {
        let width = self.width_label();
        let way = self.way_label();
        let own = self.own_label();
        let mut words = Vec::new();
        if !self.layers.is_empty() && self.layers.iter().all(|own| own.bits.is_some()) {
            words.extend([way, own, format!("any other {width}")]);
        } else if self.step.has_target() {
            words.extend([way, width, own]);
        } else {
            words.extend([[width, way].join(" ").trim_end().to_string(), own]);
        }
        words.retain(|part| !part.is_empty());
        words.join(", ")
    }

    /// The width of layers without one of their own.
    fn width_label(&self) -> String {
        let bits = bits_label(self.bits);
        match self.allocation {
            None if self.step.has_target() => format!("at most {bits}"),
            None => bits,
            Some(Allocation::AverageBits(bits)) => format!("{bits} bits on average"),
            Some(Allocation::EsnDFilter(budget)) => format!("ESN'_d {budget:e}"),
        }
    }

    /// All but the width, where it is not the default.
    fn way_label(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        if self.granularity == Granularity::Filter {
            words.push("per filter".to_string());
        }
        match &self.step {
            StepRule::MaxAbs => {}
            StepRule::Mse => words.push("mse".to_string()),
            StepRule::Laplace => words.push("Laplace".to_string()),
            StepRule::Gauss => words.push("Gauss".to_string()),
            StepRule::Snr(ratio) => words.push(format!("S/N {ratio}")),
            StepRule::EsnA(target) => words.push(format!("ESN_a {target:e}")),
            StepRule::EsnAProfile(_) => words.push("ESN_a profile".to_string()),
        }
        if !self.mid_rise {
            words.push("mid-tread".to_string());
        }
        if self.bias_correction {
            words.push("bias-corrected".to_string());
        }
        let ends = [("first", self.first_bits), ("last", self.last_bits)];
        words.extend(ends.into_iter().filter_map(|(what, bits)| Some(format!("{what} {}", bits?))));
        words.join(" ")
    }

    /// Layers of their own in words: how many, and their widths where they have some.
    fn own_label(&self) -> String {
        let widths = self.layers.iter().filter_map(|own| own.bits);
        let is_bound = |own: &LayerOptions| own.bits.is_some() && own.step.as_ref().unwrap_or(&self.step).has_target();
        let range = match (widths.clone().min(), widths.max()) {
            (Some(_), Some(most)) if self.layers.iter().any(is_bound) => format!(" at most {}", bits_label(most)),
            (Some(least), Some(most)) if least == most => format!(" {}", bits_label(most)),
            (Some(least), Some(most)) => format!(" {least} to {most} bits"),
            (None, _) | (_, None) => String::new(),
        };
        match self.layers.len() {
            0 => String::new(),
            1 => format!("1 layer of its own{range}"),
            many => format!("{many} layers of their own{range}"),
        }
    }
}

/// A width in words.
fn bits_label(bits: u32) -> String {
    if bits == 1 { "1 bit".to_string() } else { format!("{bits} bits") }
}

/// The grid that a user means.
pub(super) fn grid(mid_rise: bool) -> Grid {
    if mid_rise { Grid::MidRise } else { Grid::MidTread }
}
