//! LOGISTIC and TANH of 16-bit integers, tabulated while reading, in the arithmetic of LiteRT's kernels.
//!
//! The reference kernels interpolate between 256 values of the sigmoid, and `tanh(x) = 2·sigmoid(2x) − 1`. The optimized
//! kernels do the same, but have the arithmetic of gemmlowp where the scale is the power of two that it takes.

use network::{ActivationQuantization, IntegerOp, Unary, fixed_point_sigmoid, fixed_point_tanh, saturated_16};

use super::tables::tabulate;
use crate::options::TfliteKernels;
use crate::reading::fault::{Fault, not_run};

/// Values of the sigmoid for one unit of its argument.
const PER_UNIT: f64 = 24.0;
/// Fraction bits of the integers that gemmlowp takes, and of those that all kernels make.
const INPUT_BITS: i32 = 12;
const OUTPUT_BITS: i32 = 15;

/// LOGISTIC of 16-bit integers.
pub(super) fn logistic(
    input: &ActivationQuantization,
    output: &ActivationQuantization,
    kernels: TfliteKernels,
) -> Result<IntegerOp, Fault> {
    // Of TANH alone LiteRT takes a scale near 2^−15 for it.
    if output.scale != 2f32.powi(-OUTPUT_BITS) {
        return Err(other_levels());
    }
    let argument = Argument::of_integers(input, output, 0..=0)?;
    if kernels == TfliteKernels::Optimized && argument.exponent.is_some() {
        return Ok(tabulate(input, output, Some(Unary::Sigmoid), fixed_point_sigmoid));
    }
    let table = sigmoids();
    Ok(tabulate(input, output, Some(Unary::Sigmoid), |x| {
        let x = argument.of(x);
        let above = interpolated(&table, x.unsigned_abs(), 9).unwrap_or(0x7fff << 10);
        let sum = if x >= 0 { above + (1 << 9) } else { (1 << 25) - above + (1 << 9) - 1 };
        sum >> 10
    }))
}

/// TANH of 16-bit integers.
pub(super) fn tanh(
    input: &ActivationQuantization,
    output: &ActivationQuantization,
    kernels: TfliteKernels,
) -> Result<IntegerOp, Fault> {
    let argument = Argument::of_integers(input, output, 0..=1)?;
    if let (TfliteKernels::Optimized, Some(exponent)) = (kernels, argument.exponent) {
        // Of one fraction bit less, the integer of gemmlowp is twice the one of the file.
        let twice = |x: i32| saturated_16(i64::from(x) << exponent);
        return Ok(tabulate(input, output, Some(Unary::Tanh), |x| fixed_point_tanh(twice(x), 3)));
    }
    let table = sigmoids();
    Ok(tabulate(input, output, Some(Unary::Tanh), |x| {
        let x = argument.of(x);
        let above = interpolated(&table, x.unsigned_abs(), 8).unwrap_or(0xffff << 8);
        let sum = if x >= 0 { above - (1 << 23) + (1 << 7) } else { -above + (1 << 23) + (1 << 7) - 1 };
        sum >> 8
    }))
}

fn other_levels() -> Fault {
    not_run!("of 16 bits it is handled without zero points, and with a scale of 2^−15 of its output")
}

/// The power of two that LiteRT takes a scale for, where it takes it for one: a range of ±8 over 32,767 has a scale of
/// 1.00003 · 2^−12.
fn power_of_two(scale: f32) -> Option<i32> {
    let exponent = scale.ln() * (1.0 / std::f32::consts::LN_2);
    let nearest = exponent.round();
    ((exponent - nearest).abs() < 1e-3).then_some(nearest as i32)
}

/// From the integer of a file to an argument of the sigmoid of which 2^9 are one value of the table.
struct Argument {
    multiplier: i32,
    shift: u32,
    /// How many times an integer has to be doubled for gemmlowp, where the scale is a power of two that allows it.
    exponent: Option<i32>,
}

impl Argument {
    /// LiteRT has these operators without zero points, and with all fraction bits in the output.
    fn of_integers(
        input: &ActivationQuantization,
        output: &ActivationQuantization,
        exponents: std::ops::RangeInclusive<i32>,
    ) -> Result<Self, Fault> {
        let is_wide = |q: &ActivationQuantization| q.min == i32::from(i16::MIN) && q.zero_point == 0;
        if !is_wide(input) || !is_wide(output) || power_of_two(output.scale) != Some(-OUTPUT_BITS) {
            return Err(other_levels());
        }
        Self::new(input.scale, exponents)
    }

    fn new(scale: f32, exponents: std::ops::RangeInclusive<i32>) -> Result<Self, Fault> {
        let exponent = power_of_two(scale).map(|power| power + INPUT_BITS);
        if let Some(exponent) = exponent.filter(|exponent| exponents.contains(exponent)) {
            return Ok(Self { multiplier: 3 << exponent, shift: 0, exponent: Some(exponent) });
        }
        let mut multiplier = f64::from(scale) * f64::from(3 << INPUT_BITS);
        let mut shift = 0;
        while multiplier <= 32767.0 / 2.0 && shift <= 30 {
            shift += 1;
            multiplier *= 2.0;
        }
        if multiplier >= 65536.0 {
            return Err(not_run!("of 16 bits its input has a scale of {scale:e}; below 16/3 is handled"));
        }
        Ok(Self { multiplier: multiplier as i32, shift, exponent: None })
    }

    fn of(&self, x: i32) -> i32 {
        let round = if self.shift > 0 { 1i64 << (self.shift - 1) } else { 0 };
        ((i64::from(x) * i64::from(self.multiplier) + round) >> self.shift) as i32
    }
}

/// `sigmoid(i / 24)` in units of 2^−16. Each value is moved by half of what a straight line to the next is off in the middle.
fn sigmoids() -> Vec<i32> {
    let value = |i: i32| {
        let sigmoid = 1.0 / (1.0 + (-f64::from(i) / PER_UNIT).exp());
        let second_derivative = sigmoid * (1.0 - sigmoid) * (1.0 - 2.0 * sigmoid);
        let moved = sigmoid - second_derivative / (16.0 * PER_UNIT * PER_UNIT);
        (moved * 65536.0).round() as i32
    };
    (0..255).map(value).chain([0xffff]).collect()
}

/// The table at `x / 2^bits`, in units of 2^−(16 + bits); none beyond its last step.
fn interpolated(table: &[i32], x: u32, bits: u32) -> Option<i32> {
    let (place, part) = ((x >> bits) as usize, (x & ((1 << bits) - 1)) as i32);
    let (low, high) = (*table.get(place)?, *table.get(place + 1)?);
    Some((low << bits) + part * (high - low))
}
