//! Equation (4): the analog ESN from the signal-to-noise ratio of quantization.

use std::array;
use std::iter::Sum;
use std::ops::Add;

use thiserror::Error;

use crate::code::CodeTensor;
use crate::metric::Quarters;

/// Why a signal-to-noise ratio cannot be formed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SnrError {
    /// There are not as many real weights as codes.
    #[error("{weights} weights stand beside {codes} codes")]
    Length {
        /// Number of real weights.
        weights: usize,
        /// Number of codes.
        codes: usize,
    },
    /// There is neither one step for the layer nor one for every filter.
    #[error("{steps} quantization steps for {filters} filters; there must be 1 or one a filter")]
    Steps {
        /// Number of steps.
        steps: usize,
        /// Number of filters.
        filters: usize,
    },
    /// A weight is NaN or infinite.
    #[error("weight {index} is {value}; weights must be finite")]
    NotFinite {
        /// Index of the weight in row-major order.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// A step is negative, NaN or infinite.
    #[error("quantization step {index} is {value}; steps must be finite and not negative")]
    BadStep {
        /// Index of the step.
        index: usize,
        /// The step.
        value: f64,
    },
    /// Squares of the weights do not fit a float64.
    #[error("the squared weights are too large to add in float64")]
    Overflow,
}

/// The power of a signal and of the noise on it, in the squared unit of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SignalNoise {
    /// `S = ‖W‖_F²`.
    pub signal: f64,
    /// `N`, the squared norm of the noise.
    pub noise: f64,
}

impl SignalNoise {
    /// `S / N`, linear and not in decibels. `None` where the noise is 0 or `S / N` does not fit a float64.
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.signal / self.noise;
        (self.noise > 0.0 && ratio.is_finite()).then_some(ratio)
    }

    /// Equation (4) for one layer: `1/12 · c · S/N · ‖W‖_0`.
    ///
    /// `c` is 1, or the output positions of the layer; `nonzero` is `‖W‖_0`. A layer that is pruned as a whole gives 0.
    /// Any other gives `None` where [`SignalNoise::ratio`] does.
    pub fn esn_a(&self, c: u64, nonzero: u128) -> Option<f64> {
        if nonzero == 0 {
            return Some(0.0);
        }
        self.ratio().map(|ratio| c as f64 * ratio * nonzero as f64 / 12.0)
    }
}

impl Add for SignalNoise {
    type Output = SignalNoise;
    fn add(self, other: SignalNoise) -> SignalNoise {
        SignalNoise { signal: self.signal + other.signal, noise: self.noise + other.noise }
    }
}

impl Sum for SignalNoise {
    /// `ΣS` and `ΣN`, added in order; the ratio of a network is `ΣS / ΣN`.
    fn sum<I: Iterator<Item = SignalNoise>>(layers: I) -> SignalNoise {
        layers.fold(SignalNoise::default(), Add::add)
    }
}

/// Signal `‖W‖_F²` and noise `‖W − Δ·W_int‖_F²` of a quantized layer.
///
/// `weights` and `codes` are row-major `[filters, channels, taps]`. `steps` has `Δ` in the unit of the weights, either
/// one number or one for each filter. Sums are float64, added in a fixed order: a filter is cut into pieces of 2^17
/// weights, and within a piece eight lanes take the weights in turn.
///
/// ```
/// use esn::{BitWidth, WeightShape, quantization_noise, quantize_max_abs};
///
/// let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 2 };
/// let weights = [1.0f32, -0.25];
/// let layer = quantize_max_abs(&weights, shape, BitWidth::new(1)?)?;
/// let power = quantization_noise(&weights, &layer.codes, &[layer.step])?;
/// assert_eq!(power.signal, 1.0625);
/// assert_eq!(power.noise, 0.3125); // levels ±0.5
/// assert_eq!(power.ratio(), Some(3.4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`SnrError`] if lengths disagree, a weight or a step is not finite, a step is negative, or a sum does not fit a
/// float64.
pub fn quantization_noise<T: Copy + Into<f64>>(
    weights: &[T],
    codes: &CodeTensor,
    steps: &[f64],
) -> Result<SignalNoise, SnrError> {
    let filters = codes.shape().filters;
    if weights.len() != codes.codes().len() {
        return Err(SnrError::Length { weights: weights.len(), codes: codes.codes().len() });
    }
    if steps.len() != 1 && steps.len() != filters {
        return Err(SnrError::Steps { steps: steps.len(), filters });
    }
    if let Some((index, &value)) = steps.iter().enumerate().find(|(_, step)| !(step.is_finite() && **step >= 0.0)) {
        return Err(SnrError::BadStep { index, value });
    }
    let len = codes.shape().filter_len();
    let total: SignalNoise = (0..filters)
        .map(|filter| {
            let step = if steps.len() == 1 { steps[0] } else { steps[filter] };
            filter_noise(&weights[filter * len..(filter + 1) * len], codes.filter(filter), step)
        })
        .sum();
    if total.signal.is_finite() && total.noise.is_finite() { Ok(total) } else { Err(why_not_finite(weights)) }
}

fn filter_noise<T: Copy + Into<f64>>(weights: &[T], codes: &[i32], step: f64) -> SignalNoise {
    let pieces = weights.chunks(PIECE).zip(codes.chunks(PIECE));
    let power = |(weights, codes)| {
        let mut lanes = PowerLanes::default();
        lanes.add(weights, codes, step);
        lanes.sum()
    };
    pieces.map(power).sum()
}

/// Weights of a filter that are summed together before they are added to the sums of other pieces.
pub(crate) const PIECE: usize = 1 << 17;

/// Number of lanes.
const LANES: usize = 8;

/// Signal and noise of one piece of a filter. Its weights go to the lanes in turn, and the lanes are added in order.
/// The order is fixed, so that the sums are the same on every machine. There are eight lanes, so that the sums become
/// vector instructions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PowerLanes {
    signal: [f64; LANES],
    noise: [f64; LANES],
}

impl PowerLanes {
    /// Adds weights to the lanes, from the first lane on.
    #[inline(always)]
    pub(crate) fn add<T: Copy + Into<f64>>(&mut self, weights: &[T], codes: &[i32], step: f64) {
        self.add_with(weights, codes, step, |weight, code| weight - step * (code * 0.5));
    }

    /// The same sums, fast where the processor has a fused multiply-add. The step is a float32 number. Its product with half
    /// a code then fits a float64, so that only the difference is rounded here, too.
    #[inline(always)]
    pub(crate) fn add_fused(&mut self, weights: &[f32], codes: &[i32], step: f64) {
        let half = -0.5 * step;
        self.add_with(weights, codes, step, |weight, code| half.mul_add(code, weight));
    }

    #[inline(always)]
    fn add_with<T: Copy + Into<f64>>(
        &mut self,
        weights: &[T],
        codes: &[i32],
        step: f64,
        noise: impl Fn(f64, f64) -> f64,
    ) {
        let ((weights, last), (codes, last_codes)) = (weights.as_chunks::<LANES>(), codes.as_chunks::<LANES>());
        // Copies of the sums stay in registers.
        let (mut signals, mut noises) = (self.signal, self.noise);
        for (weights, codes) in weights.iter().zip(codes) {
            signals = array::from_fn(|lane| {
                let weight = weights[lane].into();
                signals[lane] + weight * weight
            });
            noises = array::from_fn(|lane| {
                let noise = noise(weights[lane].into(), f64::from(codes[lane]));
                noises[lane] + noise * noise
            });
        }
        (self.signal, self.noise) = (signals, noises);
        self.add_last(last, last_codes, step);
    }

    /// Adds fewer weights than there are lanes. A function of its own: within the one above it would keep the lanes from
    /// being the lanes of a vector.
    #[inline(never)]
    fn add_last<T: Copy + Into<f64>>(&mut self, weights: &[T], codes: &[i32], step: f64) {
        for (lane, (&weight, &code)) in weights.iter().zip(codes).enumerate() {
            let weight = weight.into();
            let noise = weight - step * (f64::from(code) * 0.5);
            self.signal[lane] += weight * weight;
            self.noise[lane] += noise * noise;
        }
    }

    /// The sum over the lanes.
    pub(crate) fn sum(&self) -> SignalNoise {
        (0..LANES).map(|lane| SignalNoise { signal: self.signal[lane], noise: self.noise[lane] }).sum()
    }
}

fn why_not_finite<T: Copy + Into<f64>>(weights: &[T]) -> SnrError {
    let mut values = weights.iter().map(|&weight| weight.into()).enumerate();
    match values.find(|(_, value): &(usize, f64)| !value.is_finite()) {
        Some((index, value)) => SnrError::NotFinite { index, value },
        None => SnrError::Overflow,
    }
}

/// Equation (4) beside equation (2), for a layer or, by `sum()`, a network.
///
/// Neither replaces the other. Equation (4) assumes uniform noise. At 1 or 2 bits the noise is not uniform, nor is it
/// in filters of near-zero weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SnrComparison {
    /// ESN_a by equation (4); `None` if it has no value for some layer.
    pub from_snr: Option<f64>,
    /// ESN_a by equation (2), exactly, with the same `c`.
    pub exact: Quarters,
}

impl SnrComparison {
    /// Equation (4) over equation (2); `None` where (4) has no value or (2) is 0.
    pub fn ratio(&self) -> Option<f64> {
        let from_snr = self.from_snr?;
        (self.exact.0 > 0).then(|| from_snr / self.exact.to_f64())
    }
}

impl Sum for SnrComparison {
    fn sum<I: Iterator<Item = SnrComparison>>(layers: I) -> SnrComparison {
        let none = SnrComparison { from_snr: Some(0.0), exact: Quarters(0) };
        layers.fold(none, |total, layer| SnrComparison {
            from_snr: total.from_snr.zip(layer.from_snr).map(|(a, b)| a + b),
            exact: Quarters(total.exact.0 + layer.exact.0),
        })
    }
}

#[cfg(test)]
mod tests;
