//! From the sums of a layer to its activations, and from activations to the codes that a layer reads, many at a time.
//!
//! Loops are compiled for several generations of vector instructions, of which the best that the processor has runs. What
//! they compute is the same on all: nothing is reordered, and no product is fused with a sum.

use inference::CodeOutput;
use network::{ActivationQuantization, Requantization, RequantizationRule};
/// Adding and taking away 1.5·2^23 rounds an f32 below 2^22 to an integer, ties to even; unlike a call of `rint` it
/// vectorizes on every machine. The last bits of the sum are those of the integer.
const ROUND: f32 = 12_582_912.0;

/// Rounds activations to integers, zero point subtracted: `clamp(round(x / scale) + zero_point) − zero_point`, ties to
/// even as ONNX QuantizeLinear rounds.
pub fn quantize_activations(input: &[f32], quantization: ActivationQuantization) -> Vec<i32> {
    let mut integers = vec![0; input.len()];
    quantize_to(input, quantization, &mut integers);
    integers
}

fn quantize_to(input: &[f32], quantization: ActivationQuantization, integers: &mut [i32]) {
    let [low, high] = range(quantization);
    let scale = quantization.scale;
    lanes::run(
        #[inline(always)]
        move || {
            for (integer, &x) in integers.iter_mut().zip(input) {
                *integer = (((x / scale).clamp(low, high) + ROUND) - ROUND) as i32;
            }
        },
    );
}

/// The same as codes from 0 on, of quantizations of at most 8 bits: what [`quantize_activations`] gives is
/// `code − zero_point`, with the [`zero_point`] of codes.
pub(crate) fn quantize_to_codes(input: &[f32], quantization: ActivationQuantization, codes: &mut Vec<u8>) {
    let [low, high] = range(quantization);
    let (scale, zero_point) = (quantization.scale, zero_point(quantization));
    codes.resize(input.len(), 0);
    let codes = codes.as_mut_slice();
    lanes::run(
        #[inline(always)]
        move || {
            for (code, &x) in codes.iter_mut().zip(input) {
                *code = code_of((x / scale).clamp(low, high), zero_point);
            }
        },
    );
}

/// The code that 0 has where codes begin at 0.
pub(crate) fn zero_point(quantization: ActivationQuantization) -> i32 {
    quantization.zero_point - quantization.min
}

/// Smallest and largest integer, zero point subtracted.
fn range(quantization: ActivationQuantization) -> [f32; 2] {
    [(quantization.min - quantization.zero_point) as f32, (quantization.max - quantization.zero_point) as f32]
}

/// The nearest integer, ties to even, plus the zero point; `x` is within the range of the codes.
#[inline(always)]
fn code_of(x: f32, zero_point: i32) -> u8 {
    ((x + ROUND).to_bits() as u8).wrapping_add(zero_point as u8)
}

/// How the sums of one filter become activations; each is worth `scale`.
#[derive(Clone, Copy)]
pub(crate) struct Scaling {
    pub missing: i32,
    pub scale: f64,
    pub bias: f64,
}

impl Scaling {
    #[inline(always)]
    fn of(self, sum: i32) -> f32 {
        (f64::from(sum + self.missing) * self.scale + self.bias) as f32
    }

    pub(crate) fn reals(self, sums: &[i32], reals: &mut Vec<f32>) {
        reals.resize(sums.len(), 0.0);
        let reals = reals.as_mut_slice();
        lanes::run(
            #[inline(always)]
            move || {
                for (real, &sum) in reals.iter_mut().zip(sums) {
                    *real = self.of(sum);
                }
            },
        );
    }

    pub(crate) fn codes(self, sums: &[i32], output: &CodeOutput, codes: &mut Vec<u8>) {
        codes.resize(sums.len(), 0);
        let (output, codes) = (*output, codes.as_mut_slice());
        lanes::run(
            #[inline(always)]
            move || {
                for (code, &sum) in codes.iter_mut().zip(sums) {
                    *code = output.code(self.of(sum));
                }
            },
        );
    }
}

/// How a file whose operators compute on integers rounds the sums of one filter, in whole steps.
#[derive(Clone, Copy)]
pub(crate) struct Rounding<'a> {
    pub rule: &'a Requantization,
    pub channel: usize,
    /// What is added to each sum.
    pub missing: i32,
}

impl Rounding<'_> {
    pub(crate) fn reals(self, sums: &[i32], reals: &mut Vec<f32>) {
        reals.resize(sums.len(), 0.0);
        let scale = self.rule.output.scale;
        self.each(
            sums,
            reals,
            #[inline(always)]
            move |integer| integer * scale,
        );
    }

    pub(crate) fn codes(self, sums: &[i32], output: &CodeOutput, codes: &mut Vec<u8>) {
        codes.resize(sums.len(), 0);
        let (scale, output) = (self.rule.output.scale, *output);
        match output.is_exactly(&self.rule.output) {
            // Rounding once more changes nothing.
            true => {
                let zero_point = output.zero_point;
                self.each(
                    sums,
                    codes,
                    #[inline(always)]
                    move |integer| code_of(integer, zero_point),
                );
            }
            false => self.each(
                sums,
                codes,
                #[inline(always)]
                move |integer| output.code(integer * scale),
            ),
        }
    }

    /// Hands over the integer of each sum, zero point subtracted.
    #[inline(always)]
    fn each<T>(self, sums: &[i32], made: &mut [T], finish: impl Fn(f32) -> T) {
        let Self { rule, channel, missing } = self;
        let [low, high] = range(rule.output);
        match &rule.rule {
            RequantizationRule::Float { multipliers } => {
                let multiplier = if multipliers.len() == 1 { multipliers[0] } else { multipliers[channel] };
                lanes::run(
                    #[inline(always)]
                    move || {
                        for (made, &sum) in made.iter_mut().zip(sums) {
                            // As `Requantization::apply`, which clamps behind the rounding; bounds are integers.
                            let scaled = ((sum + missing) as f32 * multiplier).clamp(low, high);
                            *made = finish((scaled + ROUND) - ROUND);
                        }
                    },
                );
            }
            RequantizationRule::FixedPoint { .. }
            | RequantizationRule::FixedPointOnce { .. }
            | RequantizationRule::Wide { .. } => {
                for (made, &sum) in made.iter_mut().zip(sums) {
                    let integer = rule.apply(i64::from(sum + missing), channel) - rule.output.zero_point;
                    *made = finish(integer as f32);
                }
            }
        }
    }
}
