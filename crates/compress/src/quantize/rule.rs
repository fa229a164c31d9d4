//! The rules that decide on a unit's step without looking at others.

use crate::quantize::clipping::{gauss_clip, laplace_clip};
use crate::quantize::least_squares::least_squares_step;
use crate::quantize::levels::{Levels, STEP_OF_NOTHING, Unit, storable};
use crate::quantize::options::StepRule;
use crate::quantize::target::snr_step;

/// The step of a unit at a bit width.
///
/// # Panics
///
/// For the rules with a target of ESN_a, which units share.
pub(super) fn step_at_width(rule: &StepRule, unit: &Unit, levels: Levels) -> f32 {
    let bits = levels.bits.get();
    // A range that ends beyond the largest weight would leave levels unused.
    let clipped = |clip: f64| storable(2.0 * clip.min(unit.max_abs) / levels.count());
    match rule {
        StepRule::EsnA(_) | StepRule::EsnAProfile(_) => unreachable!("targets of ESN_a are solved for elsewhere"),
        _ if unit.is_empty() => STEP_OF_NOTHING,
        StepRule::MaxAbs => levels.max_abs_step(unit.max_abs),
        StepRule::Mse => least_squares_step(unit, levels),
        StepRule::Laplace => clipped(laplace_clip(bits) * unit.mean_abs()),
        StepRule::Gauss => clipped(gauss_clip(bits) * unit.root_mean_square()),
        StepRule::Snr(target) => snr_step(unit, levels, *target),
    }
}
