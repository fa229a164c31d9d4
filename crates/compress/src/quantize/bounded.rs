//! The assignment of levels that explains most of a unit between two steps, found by bounds instead of a walk through all of
//! them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::quantize::levels::{LevelSums, Levels};
use crate::quantize::ranked::{Assignment, ROUNDING, Ranked};

/// Where so few thresholds are passed, every assignment is looked at.
const FEW: u64 = 16;
/// Parts that are looked at, at most.
const PARTS: usize = 10_000;
/// What a walk takes for equal, doubled.
const EQUAL: f64 = 2e-12;

/// Steps of a part, from `high` down to `low`, and the assignments at both ends.
#[derive(Clone, Copy, Debug)]
struct Part {
    high: (f64, Assignment),
    low: (f64, Assignment),
    /// No assignment in it explains more.
    most: f64,
}

impl Part {
    /// The bound on what is explained follows from the slope: where a magnitude passes threshold `t` at step `Δ`, `Σ W·W_int`
    /// grows by `t·Δ` and `Σ W_int²` by `2t`. So the first is a concave function of the second, of slopes between
    /// `low/2` and `high/2`, and lies below two lines; and the square of a line over a line has its maximum at an end.
    fn new(high: (f64, Assignment), low: (f64, Assignment)) -> Self {
        let (a, b) = (high.1.sums, low.1.sums);
        let (cross, squares) = (b.cross - a.cross, b.squares - a.squares);
        let meet = ((2.0 * cross - low.0 * squares) / (high.0 - low.0)).clamp(0.0, squares);
        let corner = LevelSums { cross: a.cross + 0.5 * high.0 * meet, squares: a.squares + meet };
        let most = a.explained().max(b.explained()).max(corner.explained()) * (1.0 + EQUAL);
        Self { high, low, most }
    }

    fn passed(&self) -> u64 {
        self.low.1.crossed - self.high.1.crossed
    }

    /// A step within.
    fn middle(&self) -> f64 {
        if self.low.0 > 0.0 { (self.low.0 * self.high.0).sqrt() } else { 0.5 * self.high.0 }
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        self.most.total_cmp(&other.most)
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

/// An assignment that may be the best.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    assignment: Assignment,
    /// Whether magnitudes pass different thresholds at the very step where it begins or ends: a walk may take them in any
    /// order.
    is_fragile: bool,
}

/// The assignment that explains most between two steps, of equals that of the largest step, as a walk through all of them
/// finds it. `None` where rounding could lead a walk to another one.
pub(super) fn best_between(
    ranked: &Ranked,
    levels: Levels,
    high: (f64, Assignment),
    low: (f64, Assignment),
) -> Option<Assignment> {
    // What rounding may add up to in a walk, by its length, and in sums out of ranks.
    let far = EQUAL + 8.0 * ROUNDING * (low.1.crossed - high.1.crossed + 4096) as f64;
    let mut best = high.1.sums.explained().max(low.1.sums.explained());
    let mut parts = BinaryHeap::from([Part::new(high, low)]);
    let mut candidates = Vec::new();
    for _ in 0..PARTS {
        let Some(part) = parts.pop().filter(|part| part.most >= best * (1.0 - far)) else {
            return unrivalled(candidates, levels);
        };
        if part.passed() <= FEW {
            for candidate in assignments(ranked, levels, &part)? {
                let explained = candidate.assignment.sums.explained();
                best = best.max(explained);
                if explained >= best * (1.0 - far) {
                    candidates.push(candidate);
                }
            }
            continue;
        }
        let middle = part.middle();
        let middle = (0..8).map(|i| middle * (1.0 + 1e-9 * f64::from(i)));
        let middle = middle.filter(|step| (part.low.0..part.high.0).contains(step));
        let middle = { middle }.find_map(|step| Some((step, ranked.at(levels, step)?)))?;
        best = best.max(middle.1.sums.explained());
        let halves = [Part::new(part.high, middle), Part::new(middle, part.low)];
        parts.extend(halves.into_iter().filter(|half| half.most >= best * (1.0 - far)));
    }
    None
}

/// Every assignment of a part, from its largest step on.
fn assignments(ranked: &Ranked, levels: Levels, part: &Part) -> Option<Vec<Candidate>> {
    let mut crossings: Vec<(f64, f64)> = Vec::new();
    for k in 1..=levels.thresholds() {
        let threshold = levels.threshold(k as f64);
        let from = if part.low.0 > 0.0 { ranked.place(threshold * part.low.0)? } else { 0 };
        let passing = ranked.magnitudes(from..ranked.place(threshold * part.high.0)?.max(from));
        crossings.extend(passing.iter().map(|magnitude| (magnitude / threshold, threshold)));
    }
    crossings.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
    let is_fragile = |place: usize| {
        let pair = crossings.get(place..place + 2);
        pair.is_some_and(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1)
    };
    let mut assignment = part.high.1;
    let mut all = vec![Candidate { assignment, is_fragile: is_fragile(0) }];
    for (place, &(step, threshold)) in crossings.iter().enumerate() {
        assignment.crossed += 1;
        assignment.sums.cross += step * threshold;
        assignment.sums.squares += 2.0 * threshold;
        let is_fragile = (place.saturating_sub(1)..=place + 1).any(is_fragile);
        all.push(Candidate { assignment, is_fragile });
    }
    Some(all)
}

/// The best of the candidates, where it is so by more than rounding makes of it.
fn unrivalled(candidates: Vec<Candidate>, levels: Levels) -> Option<Assignment> {
    let explained = |candidate: &Candidate| candidate.assignment.sums.explained();
    let best = *candidates.iter().max_by(|a, b| explained(a).total_cmp(&explained(b)))?;
    let step = best.assignment.sums.best_step()?;
    let is_beaten = |other: &Candidate| {
        let apart = other.assignment.crossed.abs_diff(best.assignment.crossed);
        let shift = other.assignment.sums.best_step().map_or(1.0, |other| (other - step).abs() / step);
        // Roundings between the two, and those before, as far as they do not hit both alike.
        let roundings = apart as f64 + levels.thresholds() as f64 + 64.0 + 1e6 * shift;
        apart == 0 || explained(other) < explained(&best) * (1.0 - EQUAL - 4.0 * ROUNDING * roundings)
    };
    (!best.is_fragile && candidates.iter().all(is_beaten)).then_some(best.assignment)
}
