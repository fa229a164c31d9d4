//! Codes of all bit widths from one pass over the weights.
//!
//! On the mid-rise grid, a step that follows from the largest magnitude is halved by each bit more. So with `Δ` the step at 16
//! bits, that at `n` bits is `2^(16 − n)·Δ`, and the codes at `n` bits are the upper bits of those at 16:
//!
//! ```text
//! floor(W / (2^k·Δ)) = floor(floor(W / Δ) / 2^k)
//! ```
//!
//! That holds for the float64 quotients, too, whose rounding does not depend on powers of two.

use esn::{BitWidth, Grid};

use crate::quantize::levels::{Levels, Unit};

/// The codes of a tensor at 16 bits on mid-rise, each unit with the step that its largest magnitude gives.
#[derive(Debug)]
pub(super) struct FinestCodes {
    codes: Vec<i32>,
}

/// The grid at 16 bits.
fn finest() -> Levels {
    Levels { grid: Grid::MidRise, bits: BitWidth::new(BitWidth::MAX).expect("it is the largest width") }
}

impl FinestCodes {
    /// The codes of weights whose units lie behind one another, equally long. `None` where a weight is not finite, which a pass at
    /// any other width says, too.
    pub fn new(weights: &[f64], units: &[Unit]) -> Option<Self> {
        let mut codes = Vec::with_capacity(weights.len());
        for (weights, unit) in weights.chunks_exact(weights.len() / units.len()).zip(units) {
            finest().encode_into(weights, step(unit, finest()), &mut codes).ok()?;
        }
        Some(Self { codes })
    }

    /// The codes at fewer bits. `None` where a step at 16 bits is not a part of that at fewer: it is below what a file holds.
    pub fn at(&self, bits: BitWidth, units: &[Unit]) -> Option<Vec<i32>> {
        let parts = f64::from(1u32 << (BitWidth::MAX - bits.get()));
        let is_part =
            |unit: &Unit| f64::from(step(unit, Levels { bits, ..finest() })) == parts * f64::from(step(unit, finest()));
        if !units.iter().filter(|unit| !unit.is_empty()).all(is_part) {
            return None;
        }
        let shift = BitWidth::MAX - bits.get() + 1;
        let mut upper = vec![0; self.codes.len()];
        let found = &mut upper;
        lanes::run(
            #[inline(always)]
            move || {
                for (upper, &code) in found.iter_mut().zip(&self.codes) {
                    // A pruned weight has code 0, and all others are odd.
                    *upper = (code >> shift << 1 | 1) & -(code & 1);
                }
            },
        );
        Some(upper)
    }
}

/// A unit of nothing but zeros has some step, and codes of 0 at any.
fn step(unit: &Unit, levels: Levels) -> f32 {
    levels.max_abs_step(unit.max_abs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(weights: &[f64], count: usize) -> Vec<Unit> {
        weights.chunks_exact(weights.len() / count).map(Unit::new).collect()
    }

    /// What a pass at each width says.
    fn one_by_one(weights: &[f64], units: &[Unit], bits: BitWidth) -> Vec<i32> {
        let levels = Levels { bits, ..finest() };
        let mut codes = Vec::new();
        for (weights, unit) in weights.chunks_exact(weights.len() / units.len()).zip(units) {
            levels.encode_into(weights, step(unit, levels), &mut codes).expect("weights are finite");
        }
        codes
    }

    fn widths() -> impl Iterator<Item = BitWidth> {
        (1..=BitWidth::MAX).map(|bits| BitWidth::new(bits).expect("1 to 16"))
    }

    proptest! {
        #[test]
        fn upper_bits_are_what_a_pass_at_each_width_says(
            weights in prop::collection::vec(prop_oneof![
                3 => -1.0f64..1.0,
                1 => Just(0.0),
                // Thresholds between levels, at some width and some step.
                1 => (-256i32..=256).prop_map(|parts| f64::from(parts) / 256.0),
            ], 12),
            exponent in -100i32..100,
            count in prop::sample::select(vec![1usize, 2, 3]),
        ) {
            let weights: Vec<f64> = weights.iter().map(|weight| weight * 2f64.powi(exponent)).collect();
            let units = units(&weights, count);
            let finest = FinestCodes::new(&weights, &units).expect("weights are finite");
            for bits in widths() {
                let expected = one_by_one(&weights, &units, bits);
                prop_assert_eq!(finest.at(bits, &units).expect("steps are normal numbers"), expected, "{} bits", bits);
            }
        }
    }

    #[test]
    fn weights_without_a_step_at_16_bits_are_left_to_a_pass_of_their_own() {
        let weights = [2f64.powi(-120), -(2f64.powi(-121)), 0.0, 2f64.powi(-122)];
        let units = units(&weights, 1);
        let finest = FinestCodes::new(&weights, &units).expect("weights are finite");
        let told: Vec<bool> = widths().map(|bits| finest.at(bits, &units).is_some()).collect();
        assert_eq!(told, [&[false; 15][..], &[true]].concat(), "the step at 16 bits is the least that a file holds");
        assert!(FinestCodes::new(&[f64::NAN], &[Unit::default()]).is_none());
    }
}
