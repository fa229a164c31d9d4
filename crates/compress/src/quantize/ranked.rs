//! Magnitudes in order, out of which the sums over levels at any step come without a look at every weight.

use crate::quantize::levels::{LevelSums, Levels};

/// Half the distance from 1 to the next float64 number: what one rounding changes at most, relative.
pub(super) const ROUNDING: f64 = f64::EPSILON / 2.0;

/// How near a magnitude may be to a threshold before rounding decides on which side it is.
const NEAR: f64 = 1e-15;

/// Among so few magnitudes a place is found without a branch.
const WINDOW: usize = 4;

/// The magnitudes of a unit, the smallest first, and what the largest of them add up to.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    /// With a window of infinities behind them.
    magnitudes: Vec<f64>,
    count: usize,
    /// `Σ|W|` and `Σ W²` of the magnitudes from each place on.
    above: Vec<[f64; 2]>,
    /// Places where magnitudes with certain leading bits begin.
    starts: Vec<u32>,
    /// The leading bits of the smallest magnitude.
    first: u64,
}

/// Bits of a float64 number that are not looked at to find its place: 64 places are left for each factor of 2.
const TRAILING: u32 = 52 - 6;
/// Magnitudes may span so many places: a factor of 2^64.
const MOST_STARTS: u64 = 64 << 6;

/// The levels of all weights at some step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assignment {
    /// How many thresholds magnitudes have passed. Levels only grow as the step falls, so that this tells assignments apart.
    pub crossed: u64,
    pub sums: LevelSums,
}

impl Ranked {
    /// Ranks magnitudes, none of them 0. `None` where there is none, and where they span more than anyone needs.
    pub fn new(weights: &[f64]) -> Option<Self> {
        // Magnitudes have the order of their bits.
        let mut bits: Vec<u64> = weights.iter().map(|weight| weight.abs().to_bits()).collect();
        bits.sort_unstable();
        let (first, last) = (bits.first()? >> TRAILING, bits.last()? >> TRAILING);
        if last - first >= MOST_STARTS || u32::try_from(bits.len()).is_err() {
            return None;
        }
        let starts = (first..=last + 1).map(|leading| bits.partition_point(|&bits| bits >> TRAILING < leading) as u32);
        let starts = starts.collect();
        let mut magnitudes: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
        let count = magnitudes.len();
        let (mut above, mut sums) = (vec![[0.0; 2]; count + 1], [Sum::default(); 2]);
        for (place, &magnitude) in magnitudes.iter().enumerate().rev() {
            sums[0].add(magnitude);
            sums[1].add(magnitude * magnitude);
            above[place] = sums.map(Sum::total);
        }
        magnitudes.extend([f64::INFINITY; WINDOW]);
        Some(Self { magnitudes, count, above, starts, first })
    }

    /// The place of the first magnitude of at least `boundary`; `None` where one is so near that rounding decides.
    #[inline]
    pub fn place(&self, boundary: f64) -> Option<usize> {
        let (low, high) = (boundary * (1.0 - NEAR), boundary * (1.0 + NEAR));
        let leading = low.to_bits() >> TRAILING;
        let index = leading.wrapping_sub(self.first) as usize;
        if leading != high.to_bits() >> TRAILING || index >= self.starts.len() - 1 {
            return self.place_anywhere(low, high);
        }
        let (start, end) = (self.starts[index] as usize, self.starts[index + 1] as usize);
        if end - start > WINDOW {
            let among = &self.magnitudes[start..end];
            let place = among.partition_point(|&magnitude| magnitude < low);
            return among.get(place).is_none_or(|&next| next > high).then_some(start + place);
        }
        // What follows those of the same leading bits is larger than all of them.
        let window = &self.magnitudes[start..start + WINDOW];
        let below = |end: f64| window.iter().map(|&magnitude| usize::from(magnitude < end)).sum::<usize>();
        let (place, above) = (below(low), below(high));
        (place == above).then_some(start + place)
    }

    /// The same of a boundary between two groups of leading bits, or outside of all.
    fn place_anywhere(&self, low: f64, high: f64) -> Option<usize> {
        let magnitudes = &self.magnitudes[..self.count];
        if high < magnitudes[0] {
            return Some(0);
        }
        let place = magnitudes.partition_point(|&magnitude| magnitude < low);
        magnitudes.get(place).is_none_or(|&next| next > high).then_some(place)
    }

    /// The magnitudes of these places.
    pub fn magnitudes(&self, places: std::ops::Range<usize>) -> &[f64] {
        &self.magnitudes[places]
    }

    /// Levels and sums at a step; `None` where rounding decides on a level.
    pub fn at(&self, levels: Levels, step: f64) -> Option<Assignment> {
        let (count, largest) = (self.count, self.magnitudes[self.count - 1]);
        let Assignment { mut crossed, sums: LevelSums { mut cross, mut squares } } = self.at_the_start(levels);
        for k in 1..=levels.thresholds() {
            let threshold = levels.threshold(k as f64);
            let place = self.place(threshold * step)?;
            if place == count && threshold * step > largest {
                break;
            }
            crossed += (count - place) as u64;
            cross += self.above[place][0];
            squares += 2.0 * threshold * (count - place) as f64;
        }
        Some(Assignment { crossed, sums: LevelSums { cross, squares } })
    }

    /// Levels and sums before any magnitude has passed a threshold, as at steps of twice the largest magnitude and more.
    pub fn at_the_start(&self, levels: Levels) -> Assignment {
        let lowest = levels.top() - levels.thresholds() as f64;
        let squares = lowest * lowest * self.count as f64;
        Assignment { crossed: 0, sums: LevelSums { cross: lowest * self.above[0][0], squares } }
    }

    /// Levels and sums once every magnitude has passed every threshold.
    pub fn at_the_end(&self, levels: Levels) -> Assignment {
        let (count, top) = (self.count as u64, levels.top());
        let sums = LevelSums { cross: top * self.above[0][0], squares: top * top * count as f64 };
        Assignment { crossed: count * levels.thresholds() as u64, sums }
    }

    /// Squared error of clipping at `end` alone; `None` where rounding decides.
    pub fn clipped(&self, end: f64) -> Option<f64> {
        let place = self.place(end)?;
        let ([magnitudes, squares], count) = (self.above[place], (self.count - place) as f64);
        Some((squares - 2.0 * end * magnitudes + end * end * count).max(0.0))
    }
}

/// A sum that is off by two roundings at most, however many numbers it has (Neumaier 1974).
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        let (large, small) = if self.sum >= number { (self.sum, number) } else { (number, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}
