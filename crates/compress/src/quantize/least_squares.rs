//! The step of least mean squared error.

use crate::quantize::levels::{LevelSums, Levels, STEP_OF_NOTHING, Unit, storable};

mod by_rank;

/// Ranks are asked for where no more thresholds come to each weight: with fewer weights a walk takes less time than sums over
/// thresholds.
const WORTH_RANKING: usize = 2;

/// Up to this many pairs of a weight and a threshold, every assignment of levels is looked at.
const EXACT: usize = 1 << 16;
/// Ratio of neighbouring steps that are tried where there are more pairs.
const RATIO: f64 = 0.95;
/// Around how many of the best steps tried a unit is walked.
const WALKED: usize = 8;
/// Around how many of these golden section looks where a walk is long.
const SMOOTH: usize = 3;

/// The step `Δ` of least `‖W − Δ·W_int‖²`; of equals the largest, whose codes are the smallest.
///
/// With its levels fixed, a unit's best step is `Σ W·W_int / Σ W_int²`, and it explains `(Σ W·W_int)² / Σ W_int²` of
/// the signal; so the best step is that of the assignment which explains the most. The levels change only where `Δ`
/// passes `|W| / threshold`: small units are walked through all of these and the result is exact. Larger ones are tried in
/// steps of 5 % over every `Δ` that can be best. Around the eight best of these the unit is walked in the same way. Where
/// even that is long, the error is a smooth function of `Δ`, and golden section around the three best finds the least.
///
/// Where [`by_rank`] finds the same step, it does so in a small part of the time.
pub(super) fn least_squares_step(unit: &Unit, levels: Levels) -> f32 {
    if unit.is_empty() {
        return STEP_OF_NOTHING;
    }
    let pairs = unit.len().saturating_mul(levels.thresholds());
    let ranked = unit.ranked().filter(|_| unit.len() >= levels.thresholds() / WORTH_RANKING);
    if let Some(step) = ranked.and_then(|ranked| by_rank::step(unit, ranked, levels, pairs <= EXACT)) {
        return step;
    }
    storable(if pairs <= EXACT { exact(unit, levels) } else { searched(unit, levels) })
}

/// Walks `Δ` down from infinity, where every weight has the level nearest to 0.
fn exact(unit: &Unit, levels: Levels) -> f64 {
    let first = levels.top() - levels.thresholds() as f64;
    let mut crossings: Vec<(f64, f64)> = Vec::with_capacity(unit.len() * levels.thresholds());
    for k in 1..=levels.thresholds() {
        let threshold = levels.threshold(k as f64);
        crossings.extend(unit.weights().iter().map(|weight| (weight.abs() / threshold, threshold)));
    }
    let cross = first * unit.mean_abs() * unit.len() as f64;
    let squares = first * first * unit.len() as f64;
    walk(LevelSums { cross, squares }, crossings).map_or(unit.max_abs, |(_, step)| step)
}

/// Walks down through steps at which a magnitude passes a threshold, from the levels above all of them. Returns the most
/// that any assignment explains, and its step; none where no level but 0 is reached.
fn walk(mut sums: LevelSums, mut crossings: Vec<(f64, f64)>) -> Option<(f64, f64)> {
    crossings.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut best = sums.best_step().map(|step| (sums.explained(), step));
    for (step, threshold) in crossings {
        sums.cross += step * threshold;
        // (t + 1/2)² − (t − 1/2)² of the levels on either side.
        sums.squares += 2.0 * threshold;
        let explained = sums.explained();
        if best.is_none_or(|(most, _)| explained > most * (1.0 + 1e-12)) {
            best = sums.best_step().map(|step| (explained, step));
        }
    }
    best
}

/// Tries steps in a fixed ratio from twice the largest magnitude, where every weight is below the first level, down to
/// where clipping alone costs more than the best so far.
fn searched(unit: &Unit, levels: Levels) -> f64 {
    let explained = |step: f64| unit.sums(levels, step).explained();
    let mut tried: Vec<(f64, f64)> = Vec::new();
    let mut most = 0.0f64;
    let mut step = 2.0 * unit.max_abs;
    while step > 0.0 && unit.clipped(levels.top() * step) <= unit.signal - most {
        tried.push((step, explained(step)));
        most = most.max(tried[tried.len() - 1].1);
        step *= RATIO;
    }
    let value = |i: usize| tried.get(i).map_or(0.0, |&(_, explained)| explained);
    let mut peaks: Vec<usize> = (0..tried.len())
        .filter(|&i| value(i) >= value(i + 1) && i.checked_sub(1).is_none_or(|before| value(i) > value(before)))
        .collect();
    peaks.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    let refine = |(rank, &peak): (usize, &usize)| {
        let step = tried[peak].0;
        match crossings(unit, levels, [step * RATIO, step / RATIO]) {
            Some(crossings) => walk(unit.sums(levels, step / RATIO), crossings),
            None => (rank < SMOOTH).then(|| golden(&explained, step)),
        }
    };
    let refined = peaks.iter().take(WALKED).enumerate().filter_map(refine);
    let (_, step) = refined.fold((0.0, unit.max_abs), |best, next| if next.0 > best.0 { next } else { best });
    unit.sums(levels, step).best_step().unwrap_or(step)
}

/// Where magnitudes pass thresholds between two steps, and which; none where these are many.
fn crossings(unit: &Unit, levels: Levels, [low, high]: [f64; 2]) -> Option<Vec<(f64, f64)>> {
    let mut crossings = Vec::new();
    for magnitude in unit.weights().iter().map(|weight| weight.abs()) {
        // A threshold lies no more than 1 below its number.
        let (first, last) = ((magnitude / high) as usize, (magnitude / low) as usize + 2);
        let thresholds = (first.max(1)..=last.min(levels.thresholds())).map(|k| levels.threshold(k as f64));
        let steps = thresholds.map(|threshold| (magnitude / threshold, threshold));
        crossings.extend(steps.filter(|(step, _)| (low..high).contains(step)));
        if crossings.len() > EXACT {
            return None;
        }
    }
    Some(crossings)
}

/// Golden section around a step; the most that is explained, and where.
fn golden(explained: &impl Fn(f64) -> f64, step: f64) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    let (mut low, mut high) = (step * RATIO, step / RATIO);
    let mut best = (explained(step), step);
    let at = |step: f64, best: &mut (f64, f64)| {
        let value = explained(step);
        if value > best.0 {
            *best = (value, step);
        }
        value
    };
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (at(left, &mut best), at(right, &mut best));
    for _ in 0..16 {
        if at_left > at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = at(left, &mut best);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = at(right, &mut best);
        }
    }
    best
}
