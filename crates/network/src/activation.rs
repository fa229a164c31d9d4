//! What the integers of an activation stand for.

/// Linear quantization of an activation: `x = (q − zero_point) · scale`, `q` in `min..=max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationQuantization {
    /// Size of a step.
    pub scale: f32,
    /// The code of 0.
    pub zero_point: i32,
    /// Smallest code.
    pub min: i32,
    /// Largest code.
    pub max: i32,
}

impl ActivationQuantization {
    /// Integers that stand for themselves: a step of 1, no zero point, no bounds. Operators for which scales do not matter
    /// have it.
    pub const INTEGERS: Self = Self { scale: 1.0, zero_point: 0, min: i32::MIN, max: i32::MAX };
}
