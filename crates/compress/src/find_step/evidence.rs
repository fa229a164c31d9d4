//! How likely it is that values without a grid would fit one as well.

use super::lattice::{Level, Unit};
use super::precision::Precision;

/// Decimal logarithm of the chance below which values that come again and again are taken to lie on a grid: they are
/// levels of something, and the question is only whether these are evenly spaced.
const REPEATED_LIMIT: f64 = -5.0;
/// The same for values of which few come twice.
const SINGLE_LIMIT: f64 = -9.0;
/// Values repeat if there are so many weights to a level.
const REPETITIONS: u64 = 4;
/// With so many weights that are not 0, the chance is below 10^-6 that all lie on every second level of a finer grid.
pub(super) const ENOUGH_WEIGHTS: u64 = 20;

/// Decimal logarithm of the chance that numbers of this type, spread evenly, would fit as well: of each level but the
/// one that decides on the unit, the part of the line that is within tolerance of a multiple (or 1 where the type
/// itself knows nothing finer), times the units that were tried.
pub(super) fn log10_chance(levels: &[Level], unit: &Unit, stored: Precision) -> f64 {
    let part = |level: &Level| {
        let tolerated = (4.0 * level.tolerance()).max(stored.spacing(level.value()));
        (tolerated / unit.size).min(1.0).log10()
    };
    let parts: Vec<f64> = levels.iter().map(part).collect();
    let most = parts.iter().copied().fold(0.0, f64::min);
    (parts.iter().sum::<f64>() - most + (unit.tried as f64).log10()).min(0.0)
}

/// Whether the chance of a coincidence is small enough. A single level is taken where enough weights have it.
pub(super) fn is_enough(log10_chance: f64, levels: u64, nonzero: u64) -> bool {
    if levels <= 1 {
        return nonzero >= ENOUGH_WEIGHTS;
    }
    let repeated = nonzero >= REPETITIONS * levels;
    log10_chance <= if repeated { REPEATED_LIMIT } else { SINGLE_LIMIT }
}
