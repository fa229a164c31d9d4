//! Activations of 8 bits as bytes, and what turns numbers into them, many at a time.
//!
//! A code counts from the smallest integer of its type on, so that unsigned and signed types are alike. Loops are compiled
//! for several generations of vector instructions, of which the best that the processor has runs. What they compute is the
//! same on all, and the same as the operators in `ops` compute on integers in 32-bit float.

use network::ActivationQuantization;
/// A clamp that changes nothing.
const OPEN: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// How numbers become codes of 8 bits: a clamp, and QuantizeLinear behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeOutput {
    /// Size of a step.
    pub scale: f32,
    /// The code of 0, counted from 0 on.
    pub zero_point: i32,
    /// What the operator between lets through: the smallest and the largest number; of none, infinities.
    pub clip: [f32; 2],
    /// The quantization itself.
    pub quantization: ActivationQuantization,
    low: f32,
    high: f32,
    /// The bounds of the clamp in steps, within `low` and `high`.
    clip_steps: [f32; 2],
    /// `1 / scale`.
    steps: f64,
}

impl CodeOutput {
    /// Of a quantization of 8 bits, behind a clamp where there is one.
    pub fn new(quantization: ActivationQuantization, clip: Option<[f32; 2]>) -> Self {
        let ActivationQuantization { scale, zero_point, min, max } = quantization;
        let [low, high] = [(min - zero_point) as f32, (max - zero_point) as f32];
        let clip = clip.unwrap_or(OPEN);
        let clip_steps = clip.map(|bound| (bound / scale).clamp(low, high));
        let (zero_point, steps) = (zero_point - min, 1.0 / f64::from(scale));
        Self { scale, zero_point, clip, quantization, low, high, clip_steps, steps }
    }

    /// The code of a number.
    #[inline(always)]
    pub fn code(&self, x: f32) -> u8 {
        let clipped = x.clamp(self.clip[0], self.clip[1]);
        self.code_of_steps((clipped / self.scale).clamp(self.low, self.high))
    }

    /// The code of so many steps from 0, which are within the range of the codes.
    #[inline(always)]
    pub fn code_of_steps(&self, steps: f32) -> u8 {
        lanes::round_to_byte(steps).wrapping_add(self.zero_point as u8)
    }

    /// Whether integers of `made` come out as they are.
    pub fn is_exactly(&self, made: &ActivationQuantization) -> bool {
        let quantization = &self.quantization;
        let same = (made.scale, made.zero_point) == (quantization.scale, quantization.zero_point);
        self.clip == OPEN && same && quantization.min <= made.min && made.max <= quantization.max
    }

    /// Fills `codes` with the codes of as many numbers.
    pub fn codes(&self, numbers: &[f32], codes: &mut [u8]) {
        let output = *self;
        lanes::run(
            #[inline(always)]
            move || {
                for (code, &x) in codes.iter_mut().zip(numbers) {
                    *code = output.code(x);
                }
            },
        );
    }

    /// The codes of sums of numbers that stand as codes themselves.
    pub(crate) fn codes_of_sums(&self, terms: [Codes<'_>; 2], codes: &mut [u8]) {
        let [a, b] = terms;
        let (output, of_a, of_b) = (*self, Reals::of(a.quantization), Reals::of(b.quantization));
        let sum = |a: &[u8], b: &[u8], codes: &mut [u8]| {
            lanes::run(
                #[inline(always)]
                move || {
                    for ((code, &a), &b) in codes.iter_mut().zip(a).zip(b) {
                        *code = output.code(of_a.real(a) + of_b.real(b));
                    }
                },
            );
        };
        let [step_a, step_b] = [of_a, of_b].map(|of| f64::from(of.scale) * self.steps);
        let zero = -(f64::from(of_a.zero_point) * step_a + f64::from(of_b.zero_point) * step_b);
        // No term is larger than that of the farthest code.
        let farthest = |of: Reals| f64::from(of.zero_point.abs().max((255 - of.zero_point).abs()));
        let terms = farthest(of_a) * step_a + farthest(of_b) * step_b;
        let Some(near) = self.near(terms + zero.abs()) else { return sum(a.codes, b.codes, codes) };
        let (step_a, step_b, zero) = (step_a as f32, step_b as f32, zero as f32);
        let (made, rest) = codes.as_chunks_mut();
        let (a, rest_a) = a.codes.as_chunks::<NEAR_BLOCK>();
        let (b, rest_b) = b.codes.as_chunks::<NEAR_BLOCK>();
        lanes::run(
            #[inline(always)]
            || {
                for ((codes, a), b) in made.iter_mut().zip(a).zip(b) {
                    near.block(
                        codes,
                        #[inline(always)]
                        |i| f32::from(a[i]).mul_add(step_a, f32::from(b[i]).mul_add(step_b, zero)),
                        #[inline(always)]
                        |i| output.code(of_a.real(a[i]) + of_b.real(b[i])),
                    );
                }
            },
        );
        sum(rest_a, rest_b, rest);
    }

    /// So many steps make up 1.
    pub fn steps(&self) -> f64 {
        self.steps
    }

    /// A shorter way to the same codes, for sums whose terms add up to no more than `terms` in magnitude, in steps. A single
    /// term that varies need not be counted: where it is larger than the codes and the other terms together, the sum is clamped.
    /// `None` where the shorter way is too inexact.
    #[inline]
    pub fn near(&self, terms: f64) -> Option<NearCodes> {
        let [low, high] = self.clip_steps;
        let largest = f64::from(self.low.abs().max(self.high.abs()));
        let margin = (largest + 1.0 + terms) * NearCodes::ERROR;
        let is_exact_enough = margin < 0.01;
        let (certain, zero_point) = ((0.5 - margin) as f32, self.zero_point as u8);
        is_exact_enough.then_some(NearCodes { low, high, certain, zero_point })
    }
}

/// Codes in few operations of 32 bits, where that is certain to give what [`CodeOutput::code`] gives.
///
/// Both ways round a few times, and what they take for the number of steps differs by a few units in the last place of the
/// terms. Both then give the same code, unless a point at which a code ends and the next begins lies between the two. So a
/// number that is no nearer to such a point than the largest possible difference has the right code, and only the others,
/// about one in a thousand, go the long way.
#[derive(Clone, Copy, Debug)]
pub struct NearCodes {
    low: f32,
    high: f32,
    /// How far a number may lie from an integer.
    certain: f32,
    zero_point: u8,
}

/// Codes that are made together: all of them go the long way if one has to.
pub const NEAR_BLOCK: usize = 64;

impl NearCodes {
    /// The difference of both ways by the magnitude of the terms: no more than eight roundings, each by half a unit in the last
    /// of the 24 places of a float.
    const ERROR: f64 = 8.0 / (1u32 << 24) as f64;

    /// Codes from `low` to `high`, counted from 0 on, of numbers that are no farther than `certain` from an integer.
    pub(crate) fn between([low, high]: [u8; 2], certain: f32) -> Self {
        Self { low: low.into(), high: high.into(), certain, zero_point: 0 }
    }

    /// The code of so many steps, and how far they are from it.
    #[inline(always)]
    pub(crate) fn nearest(self, steps: f32) -> (u8, f32) {
        let steps = steps.clamp(self.low, self.high);
        (lanes::round_to_byte(steps).wrapping_add(self.zero_point), (steps - lanes::round(steps)).abs())
    }

    /// Makes codes of numbers that are `steps(i)` steps, computed in 32 bits with no more than five roundings; where they are
    /// not certain, `exactly(i)`. Both closures must be `#[inline(always)]`.
    #[inline(always)]
    pub fn block(self, codes: &mut [u8; NEAR_BLOCK], steps: impl Fn(usize) -> f32, exactly: impl Fn(usize) -> u8) {
        let mut uncertain = 0u32;
        for (i, code) in codes.iter_mut().enumerate() {
            let (nearest, distance) = self.nearest(steps(i));
            uncertain |= u32::from(distance > self.certain);
            *code = nearest;
        }
        if uncertain != 0 {
            for (i, code) in codes.iter_mut().enumerate() {
                *code = exactly(i);
            }
        }
    }
}

/// Codes, and what they stand for.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub codes: &'a [u8],
    pub quantization: ActivationQuantization,
}

/// The numbers that codes stand for, as DequantizeLinear has them.
#[derive(Clone, Copy)]
struct Reals {
    zero_point: i32,
    scale: f32,
}

impl Reals {
    fn of(quantization: ActivationQuantization) -> Self {
        Self { zero_point: quantization.zero_point - quantization.min, scale: quantization.scale }
    }

    #[inline(always)]
    fn real(self, code: u8) -> f32 {
        (i32::from(code) - self.zero_point) as f32 * self.scale
    }
}

impl Codes<'_> {
    pub(crate) fn reals(&self, reals: &mut [f32]) {
        let (of, codes) = (Reals::of(self.quantization), self.codes);
        lanes::run(
            #[inline(always)]
            move || {
                for (real, &code) in reals.iter_mut().zip(codes) {
                    *real = of.real(code);
                }
            },
        );
    }
}

/// Swaps the two last axes of `[matrices, rows, columns]`.
pub(crate) fn transpose(codes: &[u8], [rows, columns]: [usize; 2], made: &mut [u8]) {
    // What is read and written lies in cache.
    const BLOCK: usize = 16;
    let matrices = codes.chunks_exact(rows * columns).zip(made.chunks_exact_mut(rows * columns));
    for (from, to) in matrices {
        for row in (0..rows).step_by(BLOCK) {
            let height = BLOCK.min(rows - row);
            for (column, line) in to.chunks_exact_mut(rows).enumerate() {
                let source = from[row * columns + column..].iter().step_by(columns);
                line[row..row + height].iter_mut().zip(source).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// QLinearAdd of onnxruntime: see [`crate::ops`], whose numbers these are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntegerSum {
    ratios: [f32; 2],
    offset: f32,
    min: i32,
    mins: [i32; 2],
    range: [f32; 2],
}

impl IntegerSum {
    pub(crate) fn new([a, b]: [ActivationQuantization; 2], to: ActivationQuantization) -> Self {
        let (ratio_a, ratio_b) = (a.scale / to.scale, b.scale / to.scale);
        let offset = to.zero_point as f32 - ratio_a.mul_add(a.zero_point as f32, ratio_b * b.zero_point as f32);
        let range = [to.min as f32, to.max as f32];
        Self { ratios: [ratio_a, ratio_b], offset, min: to.min, mins: [a.min, b.min], range }
    }

    pub(crate) fn codes(&self, [a, b]: [&[u8]; 2], codes: &mut [u8]) {
        let Self { ratios: [ratio_a, ratio_b], offset, min, mins, range: [low, high] } = *self;
        lanes::run(
            #[inline(always)]
            move || {
                for ((code, &a), &b) in codes.iter_mut().zip(a).zip(b) {
                    let [a, b] = [(i32::from(a) + mins[0]) as f32, (i32::from(b) + mins[1]) as f32];
                    // A clamp to integers may as well come before the rounding.
                    let sum = a.mul_add(ratio_a, b.mul_add(ratio_b, offset)).clamp(low, high);
                    *code = lanes::round_to_byte(sum).wrapping_sub(min as u8);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use network::{IntegerArithmetic, IntegerFunction, IntegerOp};
    use testkit::check_all;

    use super::*;
    use crate::array::{Array, Buffers, Input};
    use crate::ops;

    fn quantization(scale: f32, zero_point: i32, min: i32, max: i32) -> ActivationQuantization {
        ActivationQuantization { scale, zero_point, min, max }
    }

    /// Every pair of codes.
    fn pairs() -> [Vec<u8>; 2] {
        let codes = |of: fn(u16) -> u16| (0..=u16::MAX).map(|pair| of(pair) as u8).collect();
        [codes(|pair| pair & 0xff), codes(|pair| pair >> 8)]
    }

    fn integers(codes: &[u8], min: i32) -> Array {
        Array::new(vec![codes.len()], codes.iter().map(|&code| (i32::from(code) + min) as f32).collect())
    }

    #[test]
    fn sums_are_those_of_the_operators() {
        let ranges = [(0.02, 3, 0, 255), (0.7, -128, -128, 127), (0.000_3, 127, -128, 127), (3.0, 255, 0, 255)];
        let of = |(scale, zero_point, min, max): (f32, i32, i32, i32)| quantization(scale, zero_point, min, max);
        let cases = ranges
            .iter()
            .flat_map(|&a| ranges.iter().map(move |&b| (a, b, ranges[1])))
            .map(|(a, b, to)| [a, b, to].map(of));
        check_all(cases, |&[a, b, to]| {
            let codes = pairs();
            let mut sums = vec![0; codes[0].len()];
            // On integers, as onnxruntime adds them.
            IntegerSum::new([a, b], to).codes([&codes[0], &codes[1]], &mut sums);
            let op = IntegerOp {
                function: IntegerFunction::Add,
                arithmetic: IntegerArithmetic::OnnxRuntime,
                inputs: vec![a, b],
                output: to,
            };
            let terms = [integers(&codes[0], a.min), integers(&codes[1], b.min)];
            let inputs = terms.iter().map(Input::Shared).collect();
            let specs = [ops::ValueSpec { shape: terms[0].shape.clone(), data_type: None }];
            let made = ops::run(&network::Op::Integer(op), inputs, &specs, &mut Buffers::default()).expect("it runs");
            assert_eq!(integers(&sums, to.min), made[0]);
            // On what they stand for, and back.
            let mut reals = [vec![0.0; sums.len()], vec![0.0; sums.len()]];
            for ((reals, codes), quantization) in reals.iter_mut().zip(&codes).zip([a, b]) {
                Codes { codes, quantization }.reals(reals);
            }
            let output = CodeOutput::new(to, Some([-1.5, 60.0]));
            output.codes_of_sums(
                [Codes { codes: &codes[0], quantization: a }, Codes { codes: &codes[1], quantization: b }],
                &mut sums,
            );
            for ((code, x), y) in sums.iter().zip(&reals[0]).zip(&reals[1]) {
                let rounded =
                    ((x + y).clamp(-1.5, 60.0) / to.scale).round_ties_even() as i64 + i64::from(to.zero_point);
                assert_eq!(
                    i64::from(*code) + i64::from(to.min),
                    rounded.clamp(to.min.into(), to.max.into()),
                    "{x} + {y}"
                );
            }
        });
    }

    #[test]
    fn matrices_are_transposed() {
        check_all([[1, 5], [3, 1], [2, 3], [17, 40]], |&[rows, columns]| {
            let codes: Vec<u8> = (0..2 * rows * columns).map(|i| (i % 251) as u8).collect();
            let (mut made, mut again) = (vec![0; codes.len()], vec![0; codes.len()]);
            transpose(&codes, [rows, columns], &mut made);
            assert_eq!(made[rows * columns + rows - 1], codes[rows * columns + (rows - 1) * columns]);
            transpose(&made, [columns, rows], &mut again);
            assert_eq!(again, codes);
        });
    }

    #[test]
    fn codes_come_back_from_what_they_stand_for() {
        check_all([quantization(0.5, 7, 0, 255), quantization(1.0, 0, -128, 127)], |&quantization| {
            let codes: Vec<u8> = (0..=255).collect();
            let (mut numbers, mut again) = (vec![0.0; 256], vec![0; 256]);
            Codes { codes: &codes, quantization }.reals(&mut numbers);
            assert_eq!(numbers[200], (200 + quantization.min - quantization.zero_point) as f32 * quantization.scale);
            CodeOutput::new(quantization, None).codes(&numbers, &mut again);
            assert_eq!(again, codes);
        });
    }
}
