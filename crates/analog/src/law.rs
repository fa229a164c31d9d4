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
        WeightLaw::Bits => u64::from(bits(code)),
    }
}

/// The most bits that a code has, of which [`bits`] speaks. The digits of all codes together have those of the longest.
pub(crate) fn most_bits(codes: &[i32]) -> u32 {
    let [mut odd, mut even, mut below] = [0u32; 3];
    for code in codes {
        let magnitude = code.unsigned_abs();
        let is_odd = 0u32.wrapping_sub(magnitude & 1);
        odd |= magnitude & is_odd;
        even |= magnitude & !is_odd;
        below |= (magnitude / 2).saturating_sub(1) & !is_odd;
    }
    let of_even = if even == 0 { 0 } else { u32::BITS - below.leading_zeros() + 1 };
    of_even.max(u32::BITS - odd.leading_zeros())
}

/// Bits of a code, 0 for a pruned one. An odd code is one of the mid-rise grid, of which `n` bits hold ±(2^n − 1); an even
/// one is twice a two's complement number of `n` bits, the lowest of which is −2^(n − 1).
pub(crate) fn bits(code: i32) -> u32 {
    let magnitude = code.unsigned_abs();
    match (magnitude, magnitude % 2) {
        (0, _) => 0,
        (_, 0) => u32::BITS - (magnitude / 2 - 1).leading_zeros() + 1,
        (_, _) => u32::BITS - magnitude.leading_zeros(),
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

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::{bits, most_bits};

    #[test]
    fn a_code_has_the_bits_of_its_grid() {
        let cases =
            [(0, 0), (1, 1), (-1, 1), (3, 2), (15, 4), (17, 5), (2, 1), (-4, 2), (6, 3), (8, 3), (-16, 4), (18, 5)];
        check_all(cases, |&(code, expected)| assert_eq!(bits(code), expected, "{code}"));
        let codes = cases.map(|(code, _)| code);
        check_all(0..=codes.len(), |&count| {
            let codes = &codes[..count];
            assert_eq!(most_bits(codes), codes.iter().map(|&code| bits(code)).max().unwrap_or(0));
        });
    }
}
