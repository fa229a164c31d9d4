//! Real weights as files store them, and how they become float32.

use std::ops::Range;

/// Real weights as a file stores them: row-major, little-endian, at any address.
///
/// ```
/// use esn::StoredWeights;
///
/// let ones = [0x00, 0x3c, 0x00, 0xbc];
/// let weights = StoredWeights::F16(ones.as_chunks().0);
/// assert_eq!((weights.len(), weights.get(0), weights.get(1)), (2, 1.0, -1.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum StoredWeights<'a> {
    /// float32.
    F32(&'a [[u8; 4]]),
    /// bfloat16.
    Bf16(&'a [[u8; 2]]),
    /// float16.
    F16(&'a [[u8; 2]]),
}

impl StoredWeights<'_> {
    /// Number of weights.
    pub fn len(&self) -> usize {
        match self {
            StoredWeights::F32(weights) => weights.len(),
            StoredWeights::Bf16(weights) | StoredWeights::F16(weights) => weights.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the weights, by their index.
    ///
    /// # Panics
    ///
    /// If `range` is not within [`StoredWeights::len`].
    pub fn part(&self, range: Range<usize>) -> Self {
        match *self {
            StoredWeights::F32(weights) => StoredWeights::F32(&weights[range]),
            StoredWeights::Bf16(weights) => StoredWeights::Bf16(&weights[range]),
            StoredWeights::F16(weights) => StoredWeights::F16(&weights[range]),
        }
    }

    /// One weight, exactly.
    ///
    /// # Panics
    ///
    /// If there is no such weight.
    pub fn get(&self, index: usize) -> f32 {
        match self {
            StoredWeights::F32(weights) => Float32::widen(weights[index]),
            StoredWeights::Bf16(weights) => Bfloat16::widen(weights[index]),
            StoredWeights::F16(weights) => {
                let widened = Float16::widen(weights[index]);
                // What is not finite has an exponent of its own.
                if widened.abs() < 65536.0 { widened } else { f32::from_bits(widened.to_bits() | 0x7f80_0000) }
            }
        }
    }
}

/// A type of stored numbers.
///
/// The crate `half` converts numbers one by one or a slice at a time, and would look for instructions in each loop. This is
/// compiled into the loops that quantize and count.
pub(crate) trait Format {
    /// The bytes of a number.
    type Stored: Copy;

    /// A finite number as float32, exactly.
    fn widen(stored: Self::Stored) -> f32;

    /// The largest magnitude; NaN or infinite if a number is.
    fn largest(numbers: &[Self::Stored]) -> f32;
}

pub(crate) struct Float32;

pub(crate) struct Bfloat16;

pub(crate) struct Float16;

// Without the sign bit numbers order as their bits do, and what is not finite is above what is.

impl Format for Float32 {
    type Stored = [u8; 4];

    #[inline(always)]
    fn widen(stored: [u8; 4]) -> f32 {
        f32::from_le_bytes(stored)
    }

    #[inline(always)]
    fn largest(numbers: &[[u8; 4]]) -> f32 {
        f32::from_bits(numbers.iter().fold(0, |largest, &number| largest.max(u32::from_le_bytes(number) & 0x7fff_ffff)))
    }
}

impl Format for Bfloat16 {
    type Stored = [u8; 2];

    /// A bfloat16 is the upper half of a float32.
    #[inline(always)]
    fn widen(stored: [u8; 2]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(stored)) << 16)
    }

    #[inline(always)]
    fn largest(numbers: &[[u8; 2]]) -> f32 {
        Self::widen(largest_half(numbers).to_le_bytes())
    }
}

impl Format for Float16 {
    type Stored = [u8; 2];

    #[inline(always)]
    fn widen(stored: [u8; 2]) -> f32 {
        /// The least normal number, `2^-14`, as float32: its exponent alone.
        const LEAST: u32 = 113 << 23;
        let half = u32::from(u16::from_le_bytes(stored));
        let (sign, magnitude) = ((half & 0x8000) << 16, (half & 0x7fff) << 13);
        // The exponent counts from another zero. What has none is a share of the least number.
        let normal = magnitude + LEAST - (1 << 23);
        let share = f32::from_bits(magnitude + LEAST) - f32::from_bits(LEAST);
        f32::from_bits(sign | if magnitude < 1 << 23 { share.to_bits() } else { normal })
    }

    #[inline(always)]
    fn largest(numbers: &[[u8; 2]]) -> f32 {
        match largest_half(numbers) {
            largest @ 0..0x7c00 => Self::widen(largest.to_le_bytes()),
            _ => f32::INFINITY,
        }
    }
}

/// The largest magnitude of numbers of 16 bits, by its bits.
#[inline(always)]
fn largest_half(numbers: &[[u8; 2]]) -> u16 {
    numbers.iter().fold(0, |largest, &number| largest.max(u16::from_le_bytes(number) & 0x7fff))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every float16 by its definition: sign, 5 bits of exponent, 10 bits of fraction.
    #[test]
    fn every_half_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff) / 1024.0);
            let magnitude = match exponent {
                0 => fraction * 2f64.powi(-14),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
            };
            let expected = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let bytes = [bits.to_le_bytes()];
            let found = StoredWeights::F16(&bytes).get(0);
            assert!(f64::from(found).total_cmp(&expected).is_eq() || found.is_nan() && expected.is_nan(), "{bits:04x}");
            let bfloat = StoredWeights::Bf16(&bytes).get(0);
            assert_eq!(bfloat.to_bits(), u32::from(bits) << 16, "{bits:04x}");
            let largest = [Float16::largest(&bytes), Bfloat16::largest(&bytes)];
            let magnitudes = [found, bfloat].map(|found| Some(found.abs()).filter(|found| found.is_finite()));
            assert_eq!(largest.map(|found| Some(found).filter(|found| found.is_finite())), magnitudes, "{bits:04x}");
        }
    }
}
