//! Floating-point numbers of 4 and 8 bits, as the 32-bit numbers that they are.

use network::{Mend, Note, NoteKind};

use super::fault::clean;
use crate::names::listed;

/// Whether a type of `onnx.proto` is one of them.
pub(crate) fn is_float(number: i32) -> bool {
    matches!(number, 17..=20 | 23 | 24)
}

/// The name of a type that is one of them.
pub(crate) fn name(number: i32) -> &'static str {
    match number {
        17 => "float8e4m3fn",
        18 => "float8e4m3fnuz",
        19 => "float8e5m2",
        20 => "float8e5m2fnuz",
        23 => "float4e2m1",
        _ => "float8e8m0",
    }
}

/// That weights are such numbers, of tensors by their names and types. They are costed as the real numbers that they are:
/// steps between them grow with their magnitude, and the metric has weights on a grid of equal steps.
pub(crate) fn note(weights: &[(String, i32)]) -> Option<Note> {
    let named: Vec<String> =
        weights.iter().map(|(tensor, number)| format!("{} ({})", clean(tensor), name(*number))).collect();
    let text = format!(
        "weights of floating-point numbers of few bits are taken as real numbers, for they lie on no grid of equal steps of \
         their own width; a bit width quantizes them anew: {}",
        listed(&named)
    );
    (!named.is_empty()).then(|| Note::new(NoteKind::Assumed, text).mended_by(Mend::FindSteps))
}

/// How a pattern is read.
struct Kind {
    exponent_bits: u32,
    mantissa_bits: u32,
    bias: i32,
    /// The last exponent is that of infinities and NaN.
    has_infinities: bool,
    /// All ones behind the sign are NaN.
    ones_are_nan: bool,
    /// There is no -0: its pattern is the only NaN.
    unsigned_zero: bool,
}

/// The numbers of patterns of 8 bits, of type `number`.
pub(crate) fn widened(number: i32, patterns: &[u8]) -> Vec<f32> {
    patterns.iter().map(|&pattern| float(number, pattern)).collect()
}

/// The number of a pattern of type `number`.
///
/// Source: the table of types of `onnx.proto`; Micikevicius et al. 2022 (E4M3, E5M2), Noune et al. 2022 (without negative
/// zero), OCP Microscaling Formats 1.0 (E2M1, E8M0).
pub(crate) fn float(number: i32, pattern: u8) -> f32 {
    let plain = |exponent_bits, mantissa_bits, bias| Kind {
        exponent_bits,
        mantissa_bits,
        bias,
        has_infinities: false,
        ones_are_nan: false,
        unsigned_zero: false,
    };
    let kind = match number {
        17 => Kind { ones_are_nan: true, ..plain(4, 3, 7) },
        18 => Kind { unsigned_zero: true, ..plain(4, 3, 8) },
        19 => Kind { has_infinities: true, ..plain(5, 2, 15) },
        20 => Kind { unsigned_zero: true, ..plain(5, 2, 16) },
        23 => plain(2, 1, 1),
        // A power of 2 without a sign.
        _ if pattern == u8::MAX => return f32::NAN,
        _ => return (f32::from(pattern) - 127.0).exp2(),
    };
    kind.value(pattern)
}

impl Kind {
    fn value(&self, pattern: u8) -> f32 {
        let behind = self.exponent_bits + self.mantissa_bits;
        let (negative, magnitude) = (pattern >> behind & 1 == 1, u32::from(pattern) & ((1 << behind) - 1));
        let exponent = magnitude >> self.mantissa_bits;
        let mantissa = magnitude & ((1 << self.mantissa_bits) - 1);
        let is_last = exponent == (1 << self.exponent_bits) - 1;
        let is_ones = magnitude == (1 << behind) - 1;
        if self.unsigned_zero && negative && magnitude == 0 || self.ones_are_nan && is_ones {
            return f32::NAN;
        }
        let value = match exponent {
            _ if self.has_infinities && is_last && mantissa == 0 => f32::INFINITY,
            _ if self.has_infinities && is_last => f32::NAN,
            // Numbers below the first power of 2 have its distance.
            0 => mantissa as f32 * ((1 - self.bias) as f32).exp2(),
            _ => (mantissa + (1 << self.mantissa_bits)) as f32 * ((exponent as i32 - self.bias) as f32).exp2(),
        };
        let value = value / (1 << self.mantissa_bits) as f32;
        if negative { -value } else { value }
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::float;

    /// Patterns and numbers of ml_dtypes 0.5.
    #[test]
    fn patterns() {
        let cases: [(i32, u8, f32); 17] = [
            (17, 0x01, 0.001_953_125),
            (17, 0x38, 1.0),
            (17, 0x7e, 448.0),
            (17, 0xb9, -1.125),
            (18, 0x7f, 240.0),
            (18, 0x40, 1.0),
            (18, 0x01, 0.000_976_562_5),
            (19, 0x7b, 57344.0),
            (19, 0x7c, f32::INFINITY),
            (19, 0xfc, f32::NEG_INFINITY),
            (19, 0x03, 4.577_636_7e-5),
            (20, 0x7f, 57344.0),
            (20, 0x81, -7.629_394_5e-6),
            (23, 0x7, 6.0),
            (23, 0x9, -0.5),
            (24, 0x7f, 1.0),
            (24, 0x00, 5.877_472e-39),
        ];
        check_all(cases, |&(number, pattern, expected)| assert_eq!(float(number, pattern), expected));
        check_all([(17, 0x7f), (17, 0xff), (18, 0x80), (19, 0x7d), (20, 0x80), (24, 0xff)], |&(number, pattern)| {
            assert!(float(number, pattern).is_nan());
        });
    }
}
