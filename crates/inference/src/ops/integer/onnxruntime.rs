//! What operators in the arithmetic of onnxruntime share: 32-bit float, ties to even.

use network::ActivationQuantization;

/// How the output is quantized.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) scale: f32,
    pub(super) zero_point: f32,
    min: f32,
    max: f32,
}

impl Output {
    pub(super) fn new(q: ActivationQuantization) -> Self {
        Self { scale: q.scale, zero_point: q.zero_point as f32, min: q.min as f32, max: q.max as f32 }
    }

    /// The integer of a real number, as QuantizeLinear has it.
    pub(super) fn of(self, x: f32) -> f32 {
        self.clamp((x / self.scale).round_ties_even() + self.zero_point)
    }

    pub(super) fn clamp(self, integer: f32) -> f32 {
        integer.clamp(self.min, self.max)
    }
}

/// The real number that an integer stands for.
pub(super) fn real(q: f32, from: ActivationQuantization) -> f32 {
    (q - from.zero_point as f32) * from.scale
}
