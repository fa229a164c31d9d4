//! How far a stored number may be from the level it stands for.

/// The type that values were rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Single,
    Half,
    Brain,
}

/// Half an ulp of float32 at 1, the error of one rounding.
const SINGLE_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;

impl Precision {
    /// The narrowest of the three types that holds every value exactly, or float32 where none does.
    pub fn narrowest(values: &[f64]) -> Self {
        match values.iter().map(|&value| significant_bits(value)).max().unwrap_or(0) {
            0..=8 => Precision::Brain,
            9..=11 => Precision::Half,
            _ => Precision::Single,
        }
    }

    fn significant_bits(self) -> i32 {
        match self {
            Precision::Single => 24,
            Precision::Half => 11,
            Precision::Brain => 8,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Single => "float32",
            Precision::Half => "float16",
            Precision::Brain => "bfloat16",
        }
    }

    /// How far a value of this magnitude may be off its level, in the unit of the weights. Code that quantizes in
    /// float32 multiplies, adds an offset and takes it away again, so that errors are those of the largest magnitude;
    /// narrower types come last, by one rounding of the value itself.
    pub fn tolerance(self, magnitude: f64, largest: f64) -> f64 {
        let computed = 4.0 * SINGLE_ROUNDING * largest;
        let rounding = 0.5f64.powi(self.significant_bits()) * magnitude;
        match self {
            Precision::Single => computed,
            Precision::Brain => rounding + computed,
            // Below 2^-14 float16 has steps of 2^-24.
            Precision::Half => rounding.max(0.5f64.powi(25)) + computed,
        }
    }

    /// Distance of neighbouring numbers of this type at a magnitude above 0.
    pub fn spacing(self, magnitude: f64) -> f64 {
        2f64.powi(magnitude.log2().floor() as i32 + 1 - self.significant_bits())
    }
}

/// Bits from the first to the last that is set in the significand.
fn significant_bits(value: f64) -> u32 {
    const FRACTION: u64 = (1 << 52) - 1;
    53 - (value.to_bits() & FRACTION | 1 << 52).trailing_zeros()
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn the_narrowest_type_is_found() {
        let cases: [(&[f64], Precision); 5] = [
            (&[0.5, -3.0], Precision::Brain),
            (&[f64::from(257.0f32)], Precision::Half),
            (&[f64::from(0.1f32)], Precision::Single),
            (&[0.1], Precision::Single),
            (&[], Precision::Brain),
        ];
        check_all(cases, |&(values, expected)| assert_eq!(Precision::narrowest(values), expected, "{values:?}"));
    }

    #[test]
    fn neighbours_are_a_spacing_apart() {
        check_all([1.0f32, 1.5, 0.3, 1e-20], |&value| {
            let next = f64::from(f32::from_bits(value.to_bits() + 1)) - f64::from(value);
            assert_eq!(Precision::Single.spacing(f64::from(value)), next);
        });
    }
}
