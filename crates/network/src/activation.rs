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

    /// Bits that tell the codes apart: 8 for 0 to 255.
    pub fn bits(&self) -> u32 {
        let steps = u64::from(self.max.abs_diff(self.min));
        u64::BITS - steps.leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_tell_the_codes_apart() {
        let bits = |min, max| ActivationQuantization { scale: 1.0, zero_point: 0, min, max }.bits();
        assert_eq!([bits(0, 255), bits(-128, 127), bits(0, 15), bits(0, 16), bits(0, 1)], [8, 8, 4, 5, 1]);
        assert_eq!((bits(3, 3), ActivationQuantization::INTEGERS.bits()), (0, 32));
    }
}
