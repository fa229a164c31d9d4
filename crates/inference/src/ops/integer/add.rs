//! Sums and differences.

use network::ActivationQuantization;

use super::lite_rt::{Multiplier, clamp};
use super::onnxruntime::Output;
use crate::error::Problem;

/// The sum of two integers in the arithmetic of onnxruntime.
pub(super) fn onnxruntime([a, b]: [ActivationQuantization; 2], to: Output) -> impl Fn(f32, f32) -> f32 {
    let (ratio_a, ratio_b) = (a.scale / to.scale, b.scale / to.scale);
    let offset = to.zero_point - ratio_a.mul_add(a.zero_point as f32, ratio_b * b.zero_point as f32);
    move |a, b| to.clamp(a.mul_add(ratio_a, b.mul_add(ratio_b, offset)).round_ties_even())
}

/// ADD and SUB of LiteRT: both inputs are shifted left by 20 bits, those of 16 bits by 15, brought to twice the larger scale,
/// and the sum to the output's.
pub(super) struct Sum {
    zero_points: [i32; 2],
    inputs: [Multiplier; 2],
    result: Multiplier,
    output: ActivationQuantization,
    headroom: i32,
    subtract: bool,
}

/// Bits by which sums have more precision than their inputs, of 8 bits or of 16.
fn headroom(input: &ActivationQuantization) -> i32 {
    if input.max.abs_diff(input.min) > 255 { 15 } else { 20 }
}

impl Sum {
    pub(super) fn new(
        inputs: &[ActivationQuantization; 2],
        output: &ActivationQuantization,
        subtract: bool,
    ) -> Result<Self, Problem> {
        let headroom = headroom(&inputs[0]);
        let twice = f64::from(2.0 * inputs[0].scale.max(inputs[1].scale));
        Ok(Self {
            zero_points: [inputs[0].zero_point, inputs[1].zero_point],
            inputs: [
                Multiplier::new(f64::from(inputs[0].scale) / twice)?,
                Multiplier::new(f64::from(inputs[1].scale) / twice)?,
            ],
            result: Multiplier::new(twice / (f64::from(1 << headroom) * f64::from(output.scale)))?,
            output: *output,
            headroom,
            subtract,
        })
    }

    pub(super) fn apply(&self, a: i32, b: i32) -> i32 {
        let scaled = |x: i32, i: usize| self.inputs[i].apply((x - self.zero_points[i]) << self.headroom);
        let (a, b) = (scaled(a, 0), scaled(b, 1));
        clamp(self.result.apply(if self.subtract { a - b } else { a + b }), &self.output)
    }
}
