//! Steps that meet a target: a signal-to-noise ratio, or an ESN_a (section 2.7 of the paper).

use crate::Watch;
use crate::quantize::least_squares::least_squares_step;
use crate::quantize::levels::{Levels, STEP_OF_NOTHING, Unit, storable};

/// How far from a target counts as met.
pub(super) const TOLERANCE: f64 = 0.005;

/// Whether `found` is within [`TOLERANCE`] of `target`.
pub(super) fn meets(found: f64, target: f64) -> bool {
    (found - target).abs() <= TOLERANCE * target
}

/// The step whose linear S/N comes nearest to `target`.
///
/// S/N has its largest value at the step of least squared error and falls beyond it, as good as monotonically: between
/// the two the `f32` steps are bisected. A target above that largest value gets the step of least squared error.
pub(super) fn snr_step(unit: &Unit, levels: Levels, target: f64) -> f32 {
    if unit.is_empty() {
        return STEP_OF_NOTHING;
    }
    let snr = |step: f32| unit.signal / unit.noise(levels, f64::from(step));
    let mut fine = least_squares_step(unit, levels);
    let mut coarse = fine;
    if snr(fine) <= target {
        return fine;
    }
    while snr(coarse) > target && coarse < f32::MAX {
        coarse = storable(2.0 * f64::from(coarse));
    }
    while coarse.to_bits() - fine.to_bits() > 1 {
        let middle = f32::from_bits(fine.to_bits() + (coarse.to_bits() - fine.to_bits()) / 2);
        if snr(middle) > target { fine = middle } else { coarse = middle }
    }
    let distance = |step: f32| (snr(step) / target).ln().abs();
    if distance(fine) <= distance(coarse) { fine } else { coarse }
}

/// Units that share a target, each on its own levels.
pub(super) type Shared<'a> = [(&'a Unit, Levels)];

/// The steps at which the units together come nearest to `target`, an ESN_a with c = 1.
///
/// By equation (4) units of one S/N have `Δ ∝ sqrt(‖W‖² / ‖W‖_0)`, so one factor sets all steps; the ESN_a falls
/// as it grows, and the factor is bisected. No weight is clipped: a step never goes below the one with which the unit's
/// levels end at its largest magnitude, so that a target beyond the width is missed rather than met by clipping.
pub(super) fn esn_a_steps(units: &Shared, target: f64, watch: Watch<'_>) -> Vec<f32> {
    let live = || units.iter().filter(|(unit, _)| !unit.is_empty());
    let factor = |step: f64, unit: &Unit| step / unit.root_mean_square();
    let least = |&(unit, levels): &(&Unit, Levels)| factor(f64::from(levels.max_abs_step(unit.max_abs)), unit);
    let mut fine = live().map(least).fold(f64::INFINITY, f64::min);
    // Where every weight is below the first threshold above the lowest level.
    let mut coarse = live().map(|(unit, _)| factor(4.0 * unit.max_abs, unit)).fold(fine, f64::max);
    let steps =
        |factor: f64| -> Vec<f32> { units.iter().map(|&(unit, levels)| step_of(unit, levels, factor)).collect() };
    let total = |factor: f64| esn_a_total(units, &steps(factor));
    // A factor spans less than 2^64, and ends finer than f32 steps are.
    for _ in 0..90 {
        watch();
        let middle = (fine * coarse).sqrt();
        if total(middle) >= target {
            fine = middle
        } else {
            coarse = middle
        }
        if coarse / fine < 1.0 + 1e-9 {
            break;
        }
    }
    let chosen = nearest_mixture(units, &steps(fine), steps(coarse), target);
    units.iter().zip(chosen).map(|(&(unit, levels), step)| settled(unit, levels, step)).collect()
}

/// Between steps that give too much and steps that give too little, as near to each other as numbers are: takes as many
/// units from the former as come nearest to the target.
fn nearest_mixture(units: &Shared, fine: &[f32], mut coarse: Vec<f32>, target: f64) -> Vec<f32> {
    let mut sum = esn_a_total(units, &coarse);
    let (mut least, mut taken) = ((sum - target).abs(), 0);
    for (index, &(unit, levels)) in units.iter().enumerate() {
        sum += esn_a(unit, levels, fine[index]) - esn_a(unit, levels, coarse[index]);
        if (sum - target).abs() < least {
            (least, taken) = ((sum - target).abs(), index + 1);
        }
    }
    coarse[..taken].copy_from_slice(&fine[..taken]);
    coarse
}

/// The ESN_a of units with c = 1.
pub(super) fn esn_a_total(units: &Shared, steps: &[f32]) -> f64 {
    units.iter().zip(steps).map(|(&(unit, levels), &step)| esn_a(unit, levels, step)).sum()
}

/// The ESN_a of a unit with c = 1.
fn esn_a(unit: &Unit, levels: Levels, step: f32) -> f64 {
    unit.sums(levels, f64::from(step)).squares
}

fn step_of(unit: &Unit, levels: Levels, factor: f64) -> f32 {
    if unit.is_empty() {
        return STEP_OF_NOTHING;
    }
    storable(factor * unit.root_mean_square()).max(levels.max_abs_step(unit.max_abs))
}

/// Of the steps that give the same codes, the one of least squared error. It matters where many do, as at one bit.
fn settled(unit: &Unit, levels: Levels, step: f32) -> f32 {
    let sums = unit.sums(levels, f64::from(step));
    let least = levels.max_abs_step(unit.max_abs);
    let Some(best) = sums.best_step().map(|best| storable(best).max(least)) else { return step };
    // Every code shrinks as the step grows, so equal sums of squares mean equal codes.
    let same = |step: f32| esn_a(unit, levels, step) == sums.squares;
    let nudged = storable(f64::from(step) * if best > step { 1.001 } else { 0.999 });
    if same(best) {
        return best;
    }
    if !same(nudged) {
        return step;
    }
    let (mut inside, mut outside) = (step.to_bits(), best.to_bits());
    while inside.abs_diff(outside) > 1 {
        let middle = inside.midpoint(outside);
        if same(f32::from_bits(middle)) { inside = middle } else { outside = middle }
    }
    f32::from_bits(inside)
}
