//! Real weights onto a grid: the quantizer of the paper for mid-rise, and one for mid-tread.

use std::fmt;

use thiserror::Error;

use crate::code::{CodeError, CodeTensor, Grid, WeightShape};

/// Bits of a quantized weight, 1 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitWidth(u32);

impl BitWidth {
    /// The most bits.
    pub const MAX: u32 = 16;

    /// Checks a bit width.
    ///
    /// # Errors
    ///
    /// [`BitWidthError`] if it is not in `1..=16`.
    pub fn new(bits: u32) -> Result<Self, BitWidthError> {
        if (1..=Self::MAX).contains(&bits) { Ok(Self(bits)) } else { Err(BitWidthError { bits }) }
    }

    /// The number of bits.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Half the number of levels, `2^(bits − 1)`. The largest weight is that many steps away from 0.
    fn half_levels(self) -> f64 {
        f64::from(1u32 << (self.0 - 1))
    }
}

impl fmt::Display for BitWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of bits that makes no [`BitWidth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a bit width is 1 to {max}, not {bits}", max = BitWidth::MAX)]
pub struct BitWidthError {
    /// The number that was asked for.
    pub bits: u32,
}

/// Why weights cannot be quantized.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QuantizeError {
    /// A weight is NaN or infinite.
    #[error("weight {index} is {value}; weights must be finite")]
    NotFinite {
        /// Index of the weight in row-major order.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// A step is negative, NaN or infinite, or 0 although a weight is not.
    #[error("a quantization step must be finite and above 0, not {step:e}")]
    Step {
        /// The step.
        step: f64,
    },
    /// The step `max|W| / 2^(bits − 1)` is too small to be a float64.
    #[error("weights of at most {max_abs:e} have no float64 step at {bits} bits")]
    StepUnderflow {
        /// The largest magnitude of the weights.
        max_abs: f64,
        /// The bit width.
        bits: BitWidth,
    },
    /// The mid-tread grid was asked for at 1 bit.
    #[error("at 1 bit the mid-tread grid has no level but 0; it starts at 2 bits")]
    OnlyZero,
    /// The weights do not fill the shape.
    #[error(transparent)]
    Codes(#[from] CodeError),
}

/// The quantized weights of one layer. A weight is about `step · code / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The codes, on the mid-rise grid.
    pub codes: CodeTensor,
    /// The quantization step `Δ`, in the unit of the weights; 0 if every weight is 0.
    pub step: f64,
}

/// Quantizes a layer to `bits` bits with the step that its largest weight gives, `Δ = max|W| / 2^(bits − 1)`.
///
/// `weights` is row-major `[filters, channels, taps]` as `shape` says. The levels are those of [`quantize_mid_rise`].
/// A layer of zeros has step 0 and is pruned as a whole.
///
/// ```
/// use esn::{BitWidth, WeightShape, quantize_max_abs};
///
/// let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 5 };
/// let layer = quantize_max_abs(&[1.0f32, 0.3, 0.0, -0.2, -1.0], shape, BitWidth::new(2)?)?;
/// assert_eq!(layer.step, 0.5);
/// assert_eq!(layer.codes.codes(), [3, 1, 0, -1, -3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`QuantizeError::NotFinite`] if a weight is NaN or infinite, and names the first such weight.
/// [`QuantizeError::Codes`] if the weights do not fill the shape. [`QuantizeError::StepUnderflow`] if the step is not
/// exactly a float64. Division by a power of two is exact until the result is subnormal, so this happens only with
/// float64 weights below about `2^-1006`, and never with float32 weights.
pub fn quantize_max_abs<T: Copy + Into<f64>>(
    weights: &[T],
    shape: WeightShape,
    bits: BitWidth,
) -> Result<Quantized, QuantizeError> {
    let step = step_of(max_abs(weights)?, bits)?;
    Ok(Quantized { codes: encode(weights, shape, step, bits)?, step })
}

/// The step that the largest magnitude gives, `Δ = max|W| / 2^(bits − 1)`, without rounding.
///
/// # Errors
///
/// [`QuantizeError::StepUnderflow`] if the step is not exactly a float64.
pub(crate) fn step_of(max_abs: f64, bits: BitWidth) -> Result<f64, QuantizeError> {
    let step = max_abs / bits.half_levels();
    if step * bits.half_levels() != max_abs {
        return Err(QuantizeError::StepUnderflow { max_abs, bits });
    }
    Ok(step)
}

/// Quantizes a layer to `bits` bits with a given step `Δ`, in the unit of the weights.
///
/// ```text
/// W_int = clamp(floor(W / Δ) + 0.5, ±(2^(bits − 1) − 0.5)),  code = 2 · W_int;  W = 0 is pruned, code 0
/// ```
///
/// `W / Δ` is a float64 division; this is the mid-rise quantizer of the paper in double precision. `weights` is
/// row-major, `[filters, channels, taps]` as `shape` says.
///
/// # Errors
///
/// As [`quantize_max_abs`], and [`QuantizeError::Step`] if the step is negative, not finite, or 0 while a weight is
/// not.
pub fn quantize_mid_rise<T: Copy + Into<f64>>(
    weights: &[T],
    shape: WeightShape,
    step: f64,
    bits: BitWidth,
) -> Result<CodeTensor, QuantizeError> {
    check_step(weights, step)?;
    encode(weights, shape, step, bits)
}

/// As [`quantize_mid_rise`], of weights that are part of a layer: their codes are put behind others.
///
/// # Errors
///
/// As [`quantize_mid_rise`], but for the shape.
pub fn append_mid_rise<T: Copy + Into<f64>>(
    weights: &[T],
    step: f64,
    bits: BitWidth,
    codes: &mut Vec<i32>,
) -> Result<(), QuantizeError> {
    check_step(weights, step)?;
    let range = Range::new(bits);
    codes.extend(weights.iter().map(|&weight| range.code(weight.into(), step)));
    Ok(())
}

/// Quantizes a layer to `bits` bits, 2 at least, on the mid-tread grid with a given step `Δ`, in the unit of the
/// weights.
///
/// ```text
/// W_int = clamp(round(W / Δ), ±(2^(bits − 1) − 1)),  code = 2 · W_int
/// ```
///
/// Halves are rounded to the even neighbour, as by ONNX QuantizeLinear. The grid is symmetric. A weight of at most half
/// a step becomes 0 and counts as pruned. `W / Δ` is a float64 division.
///
/// ```
/// use esn::{BitWidth, WeightShape, quantize_mid_tread};
///
/// let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 6 };
/// let codes = quantize_mid_tread(&[0.2f32, 0.5, 0.75, 1.5, -9.0, 0.0], shape, 1.0, BitWidth::new(3)?)?;
/// assert_eq!(codes.codes(), [0, 0, 2, 4, -6, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`quantize_mid_rise`], and [`QuantizeError::OnlyZero`] at 1 bit.
pub fn quantize_mid_tread<T: Copy + Into<f64>>(
    weights: &[T],
    shape: WeightShape,
    step: f64,
    bits: BitWidth,
) -> Result<CodeTensor, QuantizeError> {
    let mut codes = Vec::with_capacity(weights.len());
    append_mid_tread(weights, step, bits, &mut codes)?;
    Ok(CodeTensor::new(Grid::MidTread, shape, codes)?)
}

/// As [`quantize_mid_tread`], of weights that are part of a layer: their codes are put behind others.
///
/// # Errors
///
/// As [`quantize_mid_tread`], but for the shape.
pub fn append_mid_tread<T: Copy + Into<f64>>(
    weights: &[T],
    step: f64,
    bits: BitWidth,
    codes: &mut Vec<i32>,
) -> Result<(), QuantizeError> {
    check_step(weights, step)?;
    let top = bits.half_levels() - 1.0;
    if top == 0.0 {
        return Err(QuantizeError::OnlyZero);
    }
    codes.extend(weights.iter().map(|&weight| {
        let weight: f64 = weight.into();
        // The conversion takes NaN, which 0/0 gives, to 0.
        2 * (weight / step).clamp(-top, top).round_ties_even() as i32
    }));
    Ok(())
}

/// Checks that the weights are finite, and that the step is above 0, or 0 if every weight is 0.
fn check_step<T: Copy + Into<f64>>(weights: &[T], step: f64) -> Result<(), QuantizeError> {
    let max_abs = max_abs(weights)?;
    let usable = step.is_finite() && (step > 0.0 || step == 0.0 && max_abs == 0.0);
    if usable { Ok(()) } else { Err(QuantizeError::Step { step }) }
}

/// Encodes finite weights; `step` is above 0 unless every weight is 0.
fn encode<T: Copy + Into<f64>>(
    weights: &[T],
    shape: WeightShape,
    step: f64,
    bits: BitWidth,
) -> Result<CodeTensor, QuantizeError> {
    let range = Range::new(bits);
    let code = |&weight: &T| range.code(weight.into(), step);
    Ok(CodeTensor::new(Grid::MidRise, shape, weights.iter().map(code).collect())?)
}

/// The bounds of `floor(W / Δ)` on the mid-rise grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    lowest: f64,
    highest: f64,
}

impl Range {
    pub(crate) fn new(bits: BitWidth) -> Self {
        Self { lowest: -bits.half_levels(), highest: bits.half_levels() - 1.0 }
    }

    /// The code of a finite weight; `step` is above 0 unless the weight is 0.
    #[inline(always)]
    pub(crate) fn code(self, weight: f64, step: f64) -> i32 {
        let steps = weight / step;
        // Written so that 0/0 ends at a bound too: its code is replaced by 0 below.
        let steps = if steps < self.highest { steps } else { self.highest };
        let steps = if steps > self.lowest { steps } else { self.lowest };
        if weight == 0.0 { 0 } else { 2 * floor(steps) + 1 }
    }
}

/// A step by which the code of a float32 weight is found without a division. The codes are those of [`Range::code`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FusedStep {
    step: f32,
    reciprocal: f32,
}

impl FusedStep {
    /// `None` where the step or its reciprocal is no normal float32 number.
    pub(crate) fn new(step: f64) -> Option<Self> {
        let narrow = step as f32;
        let reciprocal = narrow.recip();
        let exact = f64::from(narrow) == step && narrow.is_normal() && reciprocal.is_normal();
        exact.then_some(Self { step: narrow, reciprocal })
    }

    /// The code of a finite weight of at most `2^15` steps. Fast where the processor has a fused multiply-add.
    #[inline(always)]
    pub(crate) fn code(self, range: Range, weight: f32) -> i32 {
        // Between 2^23 and 2^24 float32 numbers are the integers, as in `floor`.
        const INTEGERS: f32 = 1.5 * (1u32 << 23) as f32;
        let shifted = weight.mul_add(self.reciprocal, INTEGERS);
        let nearest = shifted.to_bits().wrapping_sub(INTEGERS.to_bits()) as i32;
        // The product is off by less than 2^-7, so that the floor of the quotient is the nearest integer or the one
        // below: below where `weight − nearest · step` has a minus sign, which one rounding leaves exact. The float64
        // quotient of two float32 numbers has the same floor, for it is an integer or at least 2^-24 away from the
        // nearest one.
        let below = (INTEGERS - shifted).mul_add(self.step, weight).to_bits() as i32 >> 31;
        let floor = (nearest + below).max(range.lowest as i32).min(range.highest as i32);
        if weight == 0.0 { 0 } else { 2 * floor + 1 }
    }
}

/// The floor of `x`, `|x| ≤ 2^31`, without a branch or a call. A loop around it becomes vector instructions on every
/// x86-64 processor, while the instruction behind `f64::floor` is newer than the oldest of them.
#[inline(always)]
fn floor(x: f64) -> i32 {
    // Between 2^52 and 2^53 float64 numbers are the integers: adding rounds x to one, and its low bits are that
    // integer.
    const INTEGERS: f64 = 1.5 * (1u64 << 52) as f64;
    let shifted = x + INTEGERS;
    let nearest = shifted.to_bits() as i32;
    nearest - i32::from(shifted - INTEGERS > x)
}

/// The largest magnitude of the weights; 0 where there are none.
fn max_abs<T: Copy + Into<f64>>(weights: &[T]) -> Result<f64, QuantizeError> {
    const LANES: usize = 8;
    let mut largest = [0.0f64; LANES];
    let mut not_finite = [0.0f64; LANES];
    let mut take = |lane: usize, weight: T| {
        let weight: f64 = weight.into();
        let magnitude = weight.abs();
        largest[lane] = if magnitude > largest[lane] { magnitude } else { largest[lane] };
        // 0 for every finite weight, NaN for any other, and once NaN always NaN.
        not_finite[lane] += weight * 0.0;
    };
    let (chunks, tail) = weights.as_chunks::<LANES>();
    for chunk in chunks {
        (0..LANES).for_each(|lane| take(lane, chunk[lane]));
    }
    tail.iter().for_each(|&weight| take(0, weight));
    if not_finite.iter().any(|lane| lane.is_nan()) {
        return Err(first_not_finite(weights));
    }
    Ok(largest.into_iter().fold(0.0, f64::max))
}

fn first_not_finite<T: Copy + Into<f64>>(weights: &[T]) -> QuantizeError {
    let (index, value) = weights
        .iter()
        .map(|&weight| weight.into())
        .enumerate()
        .find(|(_, weight)| !weight.is_finite())
        .expect("a lane became NaN, so a weight is not finite");
    QuantizeError::NotFinite { index, value }
}

#[cfg(test)]
mod tests;
