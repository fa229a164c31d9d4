//! From the sums of a layer to its activations, and from activations to the codes that a layer reads, many at a time.
//!
//! Loops are compiled for several generations of vector instructions, of which the best that the processor has runs. What
//! they compute is the same on all: nothing is reordered, and no product is fused with a sum.

use inference::{CodeOutput, NEAR_BLOCK};
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
        let scale = self.scale * output.steps();
        let terms = [f64::from(self.missing) * scale, self.bias * output.steps()];
        // A sum beyond the codes is clamped, so that the terms that do not vary bound the one that does.
        let Some(near) = output.near(terms[0].abs() + terms[1].abs()) else {
            return self.all_codes(sums, output, codes);
        };
        let (scale, offset) = (scale as f32, (terms[0] + terms[1]) as f32);
        let (blocks, rest) = codes.as_chunks_mut();
        let (sums, sums_of_rest) = sums.as_chunks::<NEAR_BLOCK>();
        lanes::run(
            #[inline(always)]
            || {
                for (codes, sums) in blocks.iter_mut().zip(sums) {
                    near.block(
                        codes,
                        #[inline(always)]
                        |i| (sums[i] as f32).mul_add(scale, offset),
                        #[inline(always)]
                        |i| output.code(self.of(sums[i])),
                    );
                }
            },
        );
        self.all_codes(sums_of_rest, output, rest);
    }

    /// The codes one by one.
    fn all_codes(self, sums: &[i32], output: CodeOutput, codes: &mut [u8]) {
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

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    /// Codes by [`CodeOutput::code`] of every sum.
    fn the_long_way(scaling: Scaling, sums: &[i32], output: CodeOutput) -> Vec<u8> {
        sums.iter().map(|&sum| output.code(scaling.of(sum))).collect()
    }

    #[test]
    fn codes_are_those_of_the_long_way() {
        let mut random = network::Random::new(3);
        let mut sum = |bits: u32| (random.next() >> (64 - bits)) as i32 - (1 << (bits - 1));
        let near: Vec<i32> = (0..3_000).map(|_| sum(12)).collect();
        let far: Vec<i32> = (0..3_000).map(|_| sum(28)).collect();
        let outputs = [(0.5f32, 0, 0, 255), (0.0371, 114, 0, 255), (1.0e-3, -128, -128, 127), (7.0, 0, -7, 7)];
        let clips = [None, Some([0.0, 6.0]), Some([-1.0, 0.25])];
        let cases = outputs.iter().flat_map(|&output| clips.iter().map(move |&clip| (output, clip)));
        check_all(cases, |&((scale, zero_point, min, max), clip)| {
            let output = CodeOutput::new(ActivationQuantization { scale, zero_point, min, max }, clip);
            // In the first, every second sum lies between two codes.
            for (scale, bias, missing) in
                [(0.25, 0.0, 0), (0.003_1, -0.6, 1_777), (-2.1e-6, 3.0, -40), (0.01, 900.0, 0)]
            {
                let scaling = Scaling { missing, scale, bias };
                for sums in [&near, &far] {
                    let mut codes = vec![0; sums.len()];
                    scaling.codes(sums, output, &mut codes);
                    assert_eq!(codes, the_long_way(scaling, sums, output), "scale {scale}, bias {bias}");
                }
            }
        });
    }

    #[test]
    fn constants_that_cancel_go_the_long_way() {
        let quantization = ActivationQuantization { scale: 0.1, zero_point: 0, min: 0, max: 255 };
        let output = CodeOutput::new(quantization, None);
        assert!(output.near(1_000.0).is_some() && output.near(1.0e6).is_none() && output.near(f64::NAN).is_none());
        let scaling = Scaling { missing: 1 << 30, scale: 0.01, bias: -(f64::from(1 << 30) * 0.01) };
        let sums: Vec<i32> = (0..2_560).collect();
        let mut codes = vec![0; sums.len()];
        scaling.codes(&sums, output, &mut codes);
        assert_eq!(codes, the_long_way(scaling, &sums, output));
        assert!(codes.contains(&255) && codes.contains(&0));
    }
}
