//! The same step out of ranked magnitudes.
//!
//! Every decision of the search, which of two steps explains more, is made on sums that are nearer to the truth than those
//! over all weights. Where two values differ by less than rounding may add up to in either, the search says so and the weights
//! are looked at after all. So the step is the same to the last bit.

use std::cmp::Ordering;

use super::{EXACT, RATIO, SMOOTH, WALKED};
use crate::quantize::bounded::best_between;
use crate::quantize::levels::{Levels, Unit, storable};
use crate::quantize::ranked::{Assignment, ROUNDING, Ranked};

/// A search among the steps of one unit.
struct Search<'a> {
    unit: &'a Unit,
    ranked: &'a Ranked,
    levels: Levels,
    /// What rounding makes of what a step explains, relative.
    tolerance: f64,
}

/// A step, and what it explains.
#[derive(Clone, Copy, Debug)]
struct Tried {
    step: f64,
    at: Assignment,
}

impl Tried {
    fn explained(&self) -> f64 {
        self.at.sums.explained()
    }
}

/// The step of least squared error; `None` where rounding could make another one of it.
pub(super) fn step(unit: &Unit, ranked: &Ranked, levels: Levels, is_exact: bool) -> Option<f32> {
    // Eight sums over an eighth of the weights each, and one over thresholds.
    let roundings = unit.len() / 8 + levels.thresholds() + 64;
    let search = Search { unit, ranked, levels, tolerance: 4.0 * ROUNDING * roundings as f64 };
    if is_exact { search.exact() } else { search.searched() }
}

impl Search<'_> {
    fn at(&self, step: f64) -> Option<Tried> {
        Some(Tried { step, at: self.ranked.at(self.levels, step)? })
    }

    /// Which of two steps explains more; `None` where rounding decides. Equal levels explain the same.
    fn compare(&self, a: &Tried, b: &Tried) -> Option<Ordering> {
        if a.at.crossed == b.at.crossed {
            return Some(Ordering::Equal);
        }
        let (a, b) = (a.explained(), b.explained());
        ((a - b).abs() > self.tolerance * a.max(b)).then(|| a.total_cmp(&b))
    }

    fn exact(&self) -> Option<f32> {
        let high = 4.0 * self.unit.max_abs;
        let (start, end) = (self.ranked.at_the_start(self.levels), self.ranked.at_the_end(self.levels));
        let best = best_between(self.ranked, self.levels, (high, start), (0.0, end))?;
        self.stored(&best)
    }

    /// The `f32` step that is best for an assignment; `None` where rounding decides on its last bit.
    fn stored(&self, best: &Assignment) -> Option<f32> {
        let step = best.sums.best_step()?;
        let off = 4.0 * ROUNDING * (EXACT + self.unit.len() + self.levels.thresholds()) as f64;
        let [low, high] = [storable(step * (1.0 - off)), storable(step * (1.0 + off))];
        (low == high).then_some(low)
    }

    fn searched(&self) -> Option<f32> {
        let tried = self.tried()?;
        let mut best: Option<Tried> = None;
        for (rank, peak) in self.peaks(&tried)?.into_iter().take(WALKED).enumerate() {
            let Some(refined) = self.refine(rank, tried[peak].step)? else { continue };
            let is_better = match &best {
                None => refined.explained() > 0.0,
                Some(best) => self.compare_walked(&refined, best)? == Ordering::Greater,
            };
            best = if is_better { Some(refined) } else { best };
        }
        let best = best?;
        // A walk gives the step with what rounding adds up to in it: the levels must be the same all around.
        let off = 4.0 * ROUNDING * (EXACT + self.unit.len()) as f64;
        let [low, high] = [self.at(best.step * (1.0 - off))?, self.at(best.step * (1.0 + off))?];
        if low.at.crossed != high.at.crossed {
            return None;
        }
        self.stored(&low.at)
    }

    /// As [`Search::compare`], of steps that a walk may have found.
    fn compare_walked(&self, a: &Tried, b: &Tried) -> Option<Ordering> {
        let walked = 8.0 * ROUNDING * EXACT as f64;
        let wider = Search { tolerance: self.tolerance + walked, ..*self };
        wider.compare(a, b)
    }

    fn tried(&self) -> Option<Vec<Tried>> {
        let signal = self.unit.signal;
        let mut tried: Vec<Tried> = Vec::new();
        let mut most = 0.0f64;
        let mut step = 2.0 * self.unit.max_abs;
        while step > 0.0 {
            let end = self.levels.top() * step;
            let clipped = if end >= self.unit.max_abs { 0.0 } else { self.ranked.clipped(end)? };
            let left = signal - most;
            let rounding = self.tolerance * signal + ROUNDING * (2 * self.unit.len()) as f64 * clipped;
            if (clipped - left).abs() <= rounding {
                return None;
            }
            if clipped > left {
                break;
            }
            // The first step is twice the largest magnitude. On mid-tread that is half a step, which is rounded to 0.
            let next = match tried.is_empty() {
                true => Tried { step, at: self.ranked.at_the_start(self.levels) },
                false => self.at(step)?,
            };
            most = most.max(next.explained());
            tried.push(next);
            step *= RATIO;
        }
        Some(tried)
    }

    /// The steps that explain more than their neighbours, the best first.
    fn peaks(&self, tried: &[Tried]) -> Option<Vec<usize>> {
        let mut peaks = Vec::new();
        for (i, at) in tried.iter().enumerate() {
            let falls = match tried.get(i + 1) {
                Some(next) => self.compare(at, next)? != Ordering::Less,
                None => true,
            };
            let rises = match i.checked_sub(1) {
                Some(before) => self.compare(at, &tried[before])? == Ordering::Greater,
                None => true,
            };
            if falls && rises {
                peaks.push(i);
            }
        }
        let mut is_clear = true;
        peaks.sort_by(|&a, &b| {
            self.compare(&tried[b], &tried[a]).unwrap_or_else(|| {
                is_clear = false;
                Ordering::Equal
            })
        });
        is_clear.then_some(peaks)
    }

    /// The best step around one: `Some(None)` where a long walk is left out.
    fn refine(&self, rank: usize, step: f64) -> Option<Option<Tried>> {
        let (low, high) = (self.at(step * RATIO)?, self.at(step / RATIO)?);
        if low.at.crossed - high.at.crossed > EXACT as u64 {
            return if rank < SMOOTH { Some(Some(self.golden(step)?)) } else { Some(None) };
        }
        let best = best_between(self.ranked, self.levels, (high.step, high.at), (low.step, low.at))?;
        Some(Some(Tried { step: best.sums.best_step()?, at: best }))
    }

    /// Golden section around a step, with the very steps of the search over weights.
    fn golden(&self, step: f64) -> Option<Tried> {
        const GOLDEN: f64 = 0.618_033_988_749_894_8;
        let (mut low, mut high) = (step * RATIO, step / RATIO);
        let mut best = self.at(step)?;
        let mut look = |step: f64| {
            let value = self.at(step)?;
            if self.compare(&value, &best)? == Ordering::Greater {
                best = value;
            }
            Some(value)
        };
        let mut left = look(high - GOLDEN * (high - low))?;
        let mut right = look(low + GOLDEN * (high - low))?;
        for _ in 0..16 {
            if self.compare(&left, &right)? == Ordering::Greater {
                (high, right) = (right.step, left);
                left = look(high - GOLDEN * (high - low))?;
            } else {
                (low, left) = (left.step, right);
                right = look(low + GOLDEN * (high - low))?;
            }
        }
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use esn::{BitWidth, Grid};
    use testkit::check_all;

    use super::super::{exact, searched};
    use super::*;

    /// Numbers with a peak at 0, as trained weights have: sums of numbers that a linear congruence gives (Knuth's MMIX).
    fn weights(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1 << 24) as f64 - 0.5
        };
        (0..count).map(|_| f64::from((next() * next() + 0.3 * next() * next() * next()) as f32)).collect()
    }

    #[test]
    fn ranks_give_the_step_of_the_weights_or_none() {
        let sizes = [9, 27, 100, 576, 1000, 2304, 9216, 30_000];
        let cases = sizes.into_iter().flat_map(|count| (1..=8).map(move |bits| (count, bits)));
        let (mut found, mut asked) = (0, 0);
        for (count, bits) in cases {
            let unit = Unit::new(&weights(count, count as u64 + u64::from(bits)));
            let ranked = unit.ranked().expect("these can be ranked");
            for grid in [Grid::MidRise, Grid::MidTread] {
                if grid == Grid::MidTread && bits == 1 {
                    continue;
                }
                let levels = Levels { grid, bits: BitWidth::new(bits).expect("a width") };
                let is_exact = unit.len() * levels.thresholds() <= EXACT;
                let by_weights = storable(if is_exact { exact(&unit, levels) } else { searched(&unit, levels) });
                let by_rank = step(&unit, ranked, levels, is_exact);
                if by_rank.is_none() {
                    println!("{count} weights at {bits} bits, {grid:?}");
                }
                assert!(by_rank.is_none_or(|step| step == by_weights), "{count} weights at {bits} bits, {grid:?}");
                (found, asked) = (found + usize::from(by_rank.is_some()), asked + 1);
            }
        }
        assert!(10 * found >= 9 * asked, "{found} of {asked} steps are found by rank");
    }

    #[test]
    fn what_rounding_decides_is_left_to_the_weights() {
        // Every magnitude is a whole number of any best step: thresholds are met exactly.
        let on_the_grid: Vec<f64> = (0..2000).map(|i| f64::from(i % 8) - 3.5).collect();
        let equal = vec![1.0; 500];
        check_all([on_the_grid, equal], |weights| {
            let unit = Unit::new(weights);
            for bits in 1..=5 {
                let levels = Levels { grid: Grid::MidRise, bits: BitWidth::new(bits).expect("a width") };
                let by_weights = storable(exact(&unit, levels));
                let ranked = unit.ranked().expect("these can be ranked");
                assert!(step(&unit, ranked, levels, true).is_none_or(|step| step == by_weights), "{bits} bits");
            }
        });
    }
}
