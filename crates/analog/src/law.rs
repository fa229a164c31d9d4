//! The energy that a cell takes for one MAC, in units, as integers.

use crate::departures::{Reference, WeightLaw};

/// Energy of one MAC of a cell, in units. By the ideal law it is the squared amplitude, in half-steps. Below 2^34.
#[inline]
pub(crate) fn law(law: WeightLaw, code: i32, largest: u32) -> u64 {
    let magnitude = u64::from(code.unsigned_abs());
    match law {
        WeightLaw::AmplitudeSquared => magnitude * magnitude,
        WeightLaw::FixedSupply => magnitude * u64::from(largest),
        WeightLaw::Conductance => magnitude,
    }
}

/// The least energy of a cell in one MAC, in `units` of bias energy, where the bias is set for the magnitude
/// `reference`. Below 2^55.
pub(crate) fn floor(units: u64, weight: WeightLaw, reference: u32, largest: u32) -> u64 {
    units * law(weight, reference as i32, largest)
}

/// The magnitude that a bias is set for: one of the largest magnitudes of layer, column and array.
pub(crate) fn reference(which: Reference, [layer, column, array]: [u32; 3]) -> u32 {
    match which {
        Reference::Layer => layer,
        Reference::Column => column,
        Reference::Array => array,
    }
}

/// The largest magnitude of some codes; 0 where there are none.
pub(crate) fn max_magnitude(codes: &[i32]) -> u32 {
    codes.iter().map(|code| code.unsigned_abs()).max().unwrap_or(0)
}
