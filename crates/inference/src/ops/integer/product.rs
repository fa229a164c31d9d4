//! Products: of two activations, and of an activation and its slope below 0.

use network::ActivationQuantization;

use super::lite_rt::{Multiplier, clamp};
use super::onnxruntime::Output;
use crate::error::Problem;

/// The product of two integers in the arithmetic of onnxruntime.
pub(super) fn onnxruntime([a, b]: [ActivationQuantization; 2], to: Output) -> impl Fn(f32, f32) -> f32 {
    let (za, zb) = (a.zero_point as f32, b.zero_point as f32);
    let factor = a.scale * b.scale / to.scale;
    move |a, b| to.clamp(((a - za) * (b - zb) * factor + to.zero_point).round_ties_even())
}

/// MUL of LiteRT.
pub(super) struct Product {
    zero_points: [i32; 2],
    multiplier: Multiplier,
    output: ActivationQuantization,
}

impl Product {
    pub(super) fn new(inputs: &[ActivationQuantization; 2], output: &ActivationQuantization) -> Result<Self, Problem> {
        let multiplier = Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / output.scale))?;
        Ok(Self { zero_points: [inputs[0].zero_point, inputs[1].zero_point], multiplier, output: *output })
    }

    pub(super) fn apply(&self, a: i32, b: i32) -> i32 {
        let product = (a - self.zero_points[0]) * (b - self.zero_points[1]);
        clamp(self.multiplier.apply(product), &self.output)
    }
}

/// PRELU of LiteRT.
pub(super) struct Prelu {
    zero_points: [i32; 2],
    above: Multiplier,
    below: Multiplier,
    output: ActivationQuantization,
}

impl Prelu {
    pub(super) fn new(inputs: &[ActivationQuantization; 2], output: &ActivationQuantization) -> Result<Self, Problem> {
        Ok(Self {
            zero_points: [inputs[0].zero_point, inputs[1].zero_point],
            above: Multiplier::new(f64::from(inputs[0].scale / output.scale))?,
            below: Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / output.scale))?,
            output: *output,
        })
    }

    pub(super) fn apply(&self, x: i32, slope: i32) -> i32 {
        let (x, slope) = (x - self.zero_points[0], slope - self.zero_points[1]);
        let scaled = if x >= 0 { self.above.apply(x) } else { self.below.apply(x * slope) };
        clamp(scaled, &self.output)
    }
}
