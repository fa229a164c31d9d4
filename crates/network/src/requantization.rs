//! How the integer sums of a layer become the integers of its output, to the last bit.
//!
//! A file whose operators compute on integers from end to end says how it rounds: in 32-bit float (ONNX) or with a
//! fixed-point multiplier (TFLite). The layer of such an operator stands between a DequantizeLinear and a
//! QuantizeLinear, so that every executor can run it on real numbers; one that has the integer sums follows the rule
//! instead and gives the real numbers that the integers of the output stand for.

use crate::activation::ActivationQuantization;
use crate::fixed_point::divide_by_power_of_two;

/// From `sum = Σ (q_x − z_x)(q_w − z_w) + bias`, the bias an integer, to the integer of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Requantization {
    /// The arithmetic.
    pub rule: RequantizationRule,
    /// What the integers of the output stand for. `min..=max` is within the clamp of a fused activation function.
    pub output: ActivationQuantization,
}

/// The arithmetic of a requantization; parameters are one, or one an output channel, which a filter is but in a
/// transposed convolution.
#[derive(Clone, Debug, PartialEq)]
pub enum RequantizationRule {
    /// `round(sum · multiplier)` in 32-bit float, ties to even; `multiplier = s_x · s_w / s_y`. QLinearConv and
    /// QLinearMatMul of ONNX, as onnxruntime computes them, and the optimized kernels of TFLite.
    Float {
        /// The multipliers.
        multipliers: Vec<f32>,
    },
    /// `sum · multiplier · 2^(shift − 31)` in 32-bit integers: a left shift, the rounding high half of the doubled
    /// product with ties up, and a rounding right shift with ties away from 0. TFLite, after gemmlowp (Jacob et al. 2018). Sums
    /// have 32 bits and wrap around, as those of TFLite do.
    FixedPoint {
        /// 2^30…2^31 − 1, or 0.
        multipliers: Vec<i32>,
        /// −31…30; positive shifts left.
        shifts: Vec<i32>,
    },
    /// The same product of a sum of up to 64 bits, rounded once, ties up. Fully connected layers of TFLite.
    FixedPointOnce {
        /// 2^30…2^31 − 1, or 0.
        multipliers: Vec<i32>,
        /// −31…30; positive shifts left.
        shifts: Vec<i32>,
    },
    /// `sum · m · 2^(shift − 15)` in 64-bit integers, rounded once, ties up; `m` is the multiplier rounded to its upper 16
    /// bits. Convolutions of TFLite whose activations have 16 bits and whose sums have 64.
    Wide {
        /// 2^30…2^31 − 1, or 0.
        multipliers: Vec<i32>,
        /// −31…7; positive shifts left.
        shifts: Vec<i32>,
    },
}

impl Requantization {
    /// The integer of the output, zero point added and clamped to `min..=max`.
    ///
    /// # Panics
    ///
    /// If there is no such filter.
    pub fn apply(&self, sum: i64, filter: usize) -> i32 {
        let output = &self.output;
        let (min, max, zero) = (i64::from(output.min), i64::from(output.max), i64::from(output.zero_point));
        let rounded = match &self.rule {
            RequantizationRule::Float { multipliers } => {
                let scaled = sum as f32 * of(multipliers, filter);
                // A float converts to an integer saturating; NaN, which no finite multiplier makes, to 0.
                scaled.round_ties_even() as i64
            }
            RequantizationRule::FixedPoint { multipliers, shifts } => {
                // LiteRT adds up in 32 bits, which wrap around.
                i64::from(multiply_fixed_point(sum as i32, of(multipliers, filter), of(shifts, filter)))
            }
            RequantizationRule::FixedPointOnce { multipliers, shifts } => {
                multiply_rounding_once(sum, of(multipliers, filter), of(shifts, filter))
            }
            RequantizationRule::Wide { multipliers, shifts } => {
                multiply_wide(sum, of(multipliers, filter), of(shifts, filter))
            }
        };
        rounded.saturating_add(zero).clamp(min, max) as i32
    }

    /// The real number that [`Requantization::apply`]'s integer stands for.
    ///
    /// # Panics
    ///
    /// If there is no such filter.
    pub fn real(&self, sum: i64, filter: usize) -> f32 {
        (self.apply(sum, filter) - self.output.zero_point) as f32 * self.output.scale
    }
}

impl Requantization {
    /// Smallest and largest real number that an integer of the output stands for.
    pub fn real_range(&self) -> (f32, f32) {
        let real = |q: i32| (q - self.output.zero_point) as f32 * self.output.scale;
        (real(self.output.min), real(self.output.max))
    }
}

fn of<T: Copy>(parameters: &[T], filter: usize) -> T {
    if parameters.len() == 1 { parameters[0] } else { parameters[filter] }
}

fn saturated(sum: i64) -> i32 {
    sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// `x · multiplier · 2^(shift − 31)`, rounded twice as the fixed-point kernels of TFLite do: the doubled product to its
/// high half, ties up, then the right shift, ties away from 0.
pub fn multiply_fixed_point(x: i32, multiplier: i32, shift: i32) -> i32 {
    let (left, right) = (shift.clamp(0, 31) as u32, (-shift).clamp(0, 31) as u32);
    let shifted = saturated(i64::from(x) << left);
    let product = i64::from(shifted) * i64::from(multiplier);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    divide_by_power_of_two(saturated((product + nudge) / (1 << 31)), right)
}

/// `x · multiplier · 2^(shift − 31)`, rounded once, ties up. `shift` is −31…30.
fn multiply_rounding_once(x: i64, multiplier: i32, shift: i32) -> i64 {
    scaled_once(x, multiplier, 31 - shift.clamp(-31, 30))
}

/// `x · multiplier / 2^right`, rounded once, ties up; `right` is at least 1.
fn scaled_once(x: i64, multiplier: i32, right: i32) -> i64 {
    let rounded = (i128::from(x) * i128::from(multiplier) + (1i128 << (right - 1))) >> right;
    rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// `x · m · 2^(shift − 15)`, rounded once, ties up; `m` is the multiplier in 16 bits. `shift` is −31…14.
fn multiply_wide(x: i64, multiplier: i32, shift: i32) -> i64 {
    const LARGEST: i32 = 0x7fff;
    let reduced = if multiplier < LARGEST << 16 { (multiplier + (1 << 15)) >> 16 } else { LARGEST };
    scaled_once(x, reduced, 15 - shift.clamp(-31, 14))
}

/// A positive real multiplier as the fixed-point one of [`multiply_fixed_point`]; `(0, 0)` for 0 and what is below
/// 2^-32. `None` if it is negative, not finite, or 2^31 and more.
pub fn fixed_point_multiplier(real: f64) -> Option<(i32, i32)> {
    if !(real.is_finite() && (0.0..2f64.powi(31)).contains(&real)) {
        return None;
    }
    if real == 0.0 {
        return Some((0, 0));
    }
    let mut exponent = real.log2().floor() as i32 + 1;
    // The logarithm may be off by one next to a power of 2.
    while real / 2f64.powi(exponent) >= 1.0 {
        exponent += 1;
    }
    while real / 2f64.powi(exponent) < 0.5 {
        exponent -= 1;
    }
    let mut mantissa = (real / 2f64.powi(exponent) * 2f64.powi(31)).round() as i64;
    if mantissa == 1 << 31 {
        (mantissa, exponent) = (mantissa / 2, exponent + 1);
    }
    match exponent {
        ..-31 => Some((0, 0)),
        31.. => None,
        _ => Some((mantissa as i32, exponent)),
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn output(zero_point: i32, min: i32, max: i32) -> ActivationQuantization {
        ActivationQuantization { scale: 0.5, zero_point, min, max }
    }

    #[test]
    fn float_rounds_ties_to_even_and_saturates() {
        let rule = RequantizationRule::Float { multipliers: vec![0.5, 0.25] };
        let requantization = Requantization { rule, output: output(10, 0, 20) };
        assert_eq!([1, 3, -1, 5].map(|sum| requantization.apply(sum, 0)), [10, 12, 10, 12]);
        assert_eq!(requantization.apply(3, 1), 11);
        assert_eq!([1000, -1000, i64::MIN].map(|sum| requantization.apply(sum, 0)), [20, 0, 0]);
        assert_eq!(requantization.real(4, 0), 1.0);
    }

    #[test]
    fn fixed_point_rounds_twice() {
        // A half: mantissa 2^30, exponent 0.
        assert_eq!(fixed_point_multiplier(0.5), Some((1 << 30, 0)));
        assert_eq!([1, 3, -1, -3, 4].map(|x| multiply_fixed_point(x, 1 << 30, 0)), [1, 2, 0, -1, 2]);
        assert_eq!([5, 6, -5, -6, -7].map(|x| multiply_fixed_point(x, 1 << 30, -1)), [2, 2, -1, -2, -2]);
        let rule = RequantizationRule::FixedPoint { multipliers: vec![1 << 30], shifts: vec![-24] };
        let requantization = Requantization { rule, output: output(0, -128, 127) };
        assert_eq!([(1 << 31) - 1, 1 << 31, 1 << 32].map(|sum| requantization.apply(sum, 0)), [64, -64, 0]);
    }

    #[test]
    fn rounding_once_differs_from_rounding_twice() {
        let (mantissa, shift) = fixed_point_multiplier(0.25).expect("in range");
        assert_eq!([1, 2, 3, -2, -6].map(|x| multiply_rounding_once(x, mantissa, shift)), [0, 1, 1, 0, -1]);
        let (mantissa, shift) = fixed_point_multiplier(0.25 - 1e-9).expect("in range");
        assert_eq!((multiply_rounding_once(2, mantissa, shift), multiply_fixed_point(2, mantissa, shift)), (0, 1));
        assert_eq!(multiply_rounding_once(1 << 40, 1 << 30, 0), 1 << 39);
        let rule = RequantizationRule::FixedPointOnce { multipliers: vec![1 << 30], shifts: vec![30] };
        assert_eq!(Requantization { rule, output: output(0, -128, 127) }.apply(i64::MAX, 0), 127);
    }

    #[test]
    fn wide_sums_have_multipliers_of_16_bits() {
        let (mantissa, shift) = fixed_point_multiplier(0.25).expect("in range");
        assert_eq!([1, 2, 3, -2, -6].map(|x| multiply_wide(x, mantissa, shift)), [0, 1, 1, 0, -1]);
        // 0.3 is 19661 / 2^16 in 16 bits.
        let (mantissa, shift) = fixed_point_multiplier(0.3).expect("in range");
        assert_eq!(multiply_wide(1 << 40, mantissa, shift), 19661 << 24);
        assert_eq!(multiply_wide(1 << 16, i32::MAX, 0), 0x7fff << 1);
        assert_eq!(multiply_wide(i64::MAX, i32::MAX, 14), i64::MAX);
    }

    #[test]
    fn multipliers_are_normalized() {
        check_all([1e-9, 0.001, 0.25, 0.3, 0.999_999_999_9, 1.0, 1.5, 1000.0], |&real| {
            let (mantissa, exponent) = fixed_point_multiplier(real).expect("in range");
            assert!(mantissa >= 1 << 30);
            let back = f64::from(mantissa) * 2f64.powi(exponent - 31);
            assert!((back / real - 1.0).abs() < 1e-9, "{real} {back}");
        });
        assert_eq!(fixed_point_multiplier(1e-12), Some((0, 0)));
        assert_eq!([-1.0, f64::NAN, f64::INFINITY, 3e9].map(fixed_point_multiplier), [None; 4]);
    }
}
