//! The largest number of which all magnitudes are whole multiples, each within its tolerance.

use super::precision::Precision;

/// Largest multiple that is looked for: `2·W_int` of a 16-bit mid-rise grid, and far beyond 12 bits on mid-tread.
const MAX_MULTIPLE: f64 = 65_535.0;
/// A difference of two magnitudes serves as a first guess only if it is known to this fraction.
const MAX_RELATIVE_ERROR: f64 = 0.1;
/// Passes over the magnitudes: each narrows the unit, which decides on multiples that were open before.
const PASSES: usize = 3;

/// Magnitudes that stand for one level: the level lies in `low..=high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub low: f64,
    pub high: f64,
}

impl Level {
    /// Its middle.
    pub fn value(&self) -> f64 {
        0.5 * (self.low + self.high)
    }

    /// Half its width.
    pub fn tolerance(&self) -> f64 {
        0.5 * (self.high - self.low)
    }
}

/// What magnitudes are multiples of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    /// The unit, the mean of `level / multiple`.
    pub size: f64,
    /// The smallest and the largest that fit every level.
    pub range: [f64; 2],
    /// Units that were tried, this one included.
    pub tried: u64,
}

/// Joins ascending magnitudes that may stand for the same level. Those that may stand for 0 are left out. `None` where
/// neighbours follow so closely that levels cannot be told apart.
pub(super) fn levels(magnitudes: &[f64], precision: Precision) -> Option<Vec<Level>> {
    let largest = magnitudes.last().copied().unwrap_or(0.0);
    let mut levels: Vec<Level> = Vec::new();
    let mut last = 0.0;
    for &magnitude in magnitudes {
        let tolerance = precision.tolerance(magnitude, largest);
        if magnitude <= tolerance {
            continue;
        }
        match levels.last_mut().filter(|_| magnitude - last <= 2.0 * tolerance) {
            Some(level) => level.low = magnitude - tolerance,
            None => levels.push(Level { low: magnitude - tolerance, high: magnitude + tolerance }),
        }
        last = magnitude;
        if levels.last().is_some_and(|level| level.low > level.high) {
            return None;
        }
    }
    Some(levels)
}

/// The largest unit that fits ascending levels; `None` where there is none down to a 65,535th of the largest.
pub(super) fn unit(levels: &[Level]) -> Option<Unit> {
    let largest = levels.last()?.value();
    let (value, tolerance) = first_guess(levels)?;
    let tries = (MAX_MULTIPLE * (value + tolerance) / largest) as u64;
    (1..=tries).find_map(|tried| {
        let parts = tried as f64;
        let range = fit(levels, [(value - tolerance) / parts, (value + tolerance) / parts])?;
        let middle = 0.5 * (range[0] + range[1]);
        let mean = levels.iter().map(|level| level.value() / multiple(level.value(), middle)).sum::<f64>();
        Some(Unit { size: (mean / levels.len() as f64).clamp(range[0], range[1]), range, tried })
    })
}

/// How many units a magnitude is.
pub(super) fn multiple(magnitude: f64, unit: f64) -> f64 {
    (magnitude / unit).round()
}

/// A small multiple of the unit and how well it is known: the smallest magnitude, or difference of neighbours.
fn first_guess(levels: &[Level]) -> Option<(f64, f64)> {
    let smallest = levels.first().map(|level| (level.value(), level.tolerance()));
    let differences =
        levels.windows(2).map(|pair| (pair[1].value() - pair[0].value(), pair[0].tolerance() + pair[1].tolerance()));
    let known = smallest.into_iter().chain(differences).filter(|(value, error)| *error <= MAX_RELATIVE_ERROR * value);
    known.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// Narrows a range of units to those of which every level is a multiple; `None` where none is, or where a level could
/// be one of several multiples.
fn fit(levels: &[Level], mut range: [f64; 2]) -> Option<[f64; 2]> {
    for _ in 0..PASSES {
        let mut open = false;
        for level in levels {
            let (least, most) = ((level.low / range[1]).ceil(), (level.high / range[0]).floor());
            if most < least || most < 1.0 {
                return None;
            }
            if least < most {
                open = true;
                continue;
            }
            range = [range[0].max(level.low / least), range[1].min(level.high / least)];
            if range[0] > range[1] {
                return None;
            }
        }
        if !open {
            return Some(range);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn find(magnitudes: &[f64]) -> Option<f64> {
        unit(&levels(magnitudes, Precision::Single)?).map(|unit| unit.size)
    }

    #[test]
    fn the_largest_unit_is_found() {
        let cases = [(&[1.0, 2.0, 3.0][..], 0.3), (&[4.0, 6.0, 10.0, 14.0], 0.17), (&[3.0, 7.0], 1e-3)];
        check_all(cases, |&(multiples, unit)| {
            let magnitudes: Vec<f64> = multiples.iter().map(|k| f64::from((k * unit) as f32)).collect();
            let divisor = if multiples.iter().all(|k| k % 2.0 == 0.0) { 2.0 } else { 1.0 };
            let found = find(&magnitudes).expect("they are multiples");
            assert!((found / (divisor * unit) - 1.0).abs() < 1e-6, "{multiples:?}: {found}");
        });
    }

    #[test]
    fn numbers_without_a_common_unit_have_none() {
        let irrational: Vec<f64> = (2..40).map(|n| f64::from(n).sqrt()).collect();
        assert_eq!(find(&irrational), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn noise_within_a_rounding_is_one_level() {
        let one = f64::from(1.0f32.next_up());
        let joined = levels(&[0.5, 1.0, one, 2.0], Precision::Single).expect("they are far apart");
        assert_eq!(joined.len(), 3);
    }
}
