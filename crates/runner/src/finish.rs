//! From the sums of a layer to its activations, and from activations to the codes that a layer reads, many at a time.
//!
//! Loops are compiled for several generations of vector instructions, of which the best that the processor has runs. What
//! they compute is the same on all: nothing is reordered, and no product is fused with a sum.

use inference::CodeOutput;
use network::{ActivationQuantization, Requantization, RequantizationRule};

/// Rounds activations to integers, zero point subtracted: `clamp(round(x / scale) + zero_point) − zero_point`, ties to
/// even as ONNX QuantizeLinear rounds.
pub fn quantize_activations(input: &[f32], quantization: ActivationQuantization) -> Vec<i32> {
    let ([low, high], scale) = (range(quantization), quantization.scale);
    let mut integers = vec![0; input.len()];
    let made = integers.as_mut_slice();
    lanes::run(
        #[inline(always)]
        move || {
            for (integer, &x) in made.iter_mut().zip(input) {
                *integer = lanes::round((x / scale).clamp(low, high)) as i32;
            }
        },
    );
    integers
}

/// Smallest and largest integer, zero point subtracted.
fn range(quantization: ActivationQuantization) -> [f32; 2] {
    [(quantization.min - quantization.zero_point) as f32, (quantization.max - quantization.zero_point) as f32]
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

    pub(crate) fn reals(self, sums: &[i32], reals: &mut [f32]) {
        self.each(
            sums,
            reals,
            #[inline(always)]
            |real| real,
        );
    }

    pub(crate) fn codes(self, sums: &[i32], output: CodeOutput, codes: &mut [u8]) {
        self.each(
            sums,
            codes,
            #[inline(always)]
            move |real| output.code(real),
        );
    }

    /// Hands over the number of each sum.
    #[inline(always)]
    fn each<T>(self, sums: &[i32], made: &mut [T], finish: impl Fn(f32) -> T) {
        lanes::run(
            #[inline(always)]
            move || {
                for (made, &sum) in made.iter_mut().zip(sums) {
                    *made = finish(self.of(sum));
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
    pub(crate) fn reals(self, sums: &[i32], reals: &mut [f32]) {
        let scale = self.rule.output.scale;
        self.each(
            sums,
            reals,
            #[inline(always)]
            move |steps| steps * scale,
        );
    }

    pub(crate) fn codes(self, sums: &[i32], output: CodeOutput, codes: &mut [u8]) {
        let scale = self.rule.output.scale;
        match output.is_exactly(&self.rule.output) {
            // Rounding once more changes nothing.
            true => self.each(
                sums,
                codes,
                #[inline(always)]
                move |steps| output.code_of_steps(steps),
            ),
            false => self.each(
                sums,
                codes,
                #[inline(always)]
                move |steps| output.code(steps * scale),
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
                            *made = finish(lanes::round(scaled));
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
