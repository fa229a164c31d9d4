//! Elements that no file has: made from a seed, each by itself.

use crate::random::{Random, mixed};

/// How the elements of a tensor are made where no file has them.
///
/// Element `i` is a function of the draw and of `i` alone. So any part of a tensor can be made at any time, on any
/// thread, and no tensor needs memory before somebody reads it. The normal numbers are those of SplitMix64 and of Box
/// and Muller, two at a time; whether an element is 0 is another number of SplitMix64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    key: u64,
    deviation: f64,
    /// An element is 0 where its 64 random bits, as a fraction, are below this.
    zeros: f64,
    levels: Levels,
}

/// Which numbers elements may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Levels {
    Real,
    /// Integers up to a magnitude.
    Whole(f64),
    /// Odd integers up to a magnitude, and 0: half-steps of the mid-rise grid.
    Odd(f64),
}

impl Draw {
    /// Real numbers of mean 0 and this deviation, of which this share is 0.
    pub(crate) fn real(key: u64, deviation: f64, zeros: f64) -> Self {
        Self { key, deviation, zeros, levels: Levels::Real }
    }

    /// Integers of mean 0 and this deviation, rounded to even and clipped; odd ones and 0 alone where `odd`.
    pub(crate) fn integers(key: u64, deviation: f64, zeros: f64, largest: f64, odd: bool) -> Self {
        let levels = match odd {
            true => Levels::Odd(2.0 * ((largest - 1.0) / 2.0).floor() + 1.0),
            false => Levels::Whole(largest),
        };
        Self { key, deviation, zeros, levels }
    }

    /// Whether elements are integers.
    pub(crate) fn is_of_integers(&self) -> bool {
        self.levels != Levels::Real
    }

    /// The elements from `start` on, as many as `elements` takes: float32, little-endian.
    pub(crate) fn fill(&self, start: usize, elements: &mut [[u8; 4]]) {
        self.each(start, elements.len(), |place, element| elements[place] = (element as f32).to_le_bytes());
    }

    /// All elements of a tensor of `count`.
    pub(crate) fn all<T>(&self, count: usize, convert: impl Fn(f64) -> T) -> Vec<T> {
        let mut elements = Vec::with_capacity(count);
        self.each(0, count, |_, element| elements.push(convert(element)));
        elements
    }

    fn each(&self, start: usize, count: usize, mut take: impl FnMut(usize, f64)) {
        let end = start + count;
        for pair in start / 2..end.div_ceil(2) {
            let normal = Random::skipping(self.key, 2 * pair as u64).normal_pair();
            for (index, normal) in [2 * pair, 2 * pair + 1].into_iter().zip(normal) {
                if (start..end).contains(&index) {
                    take(index - start, self.element(index, normal));
                }
            }
        }
    }

    fn element(&self, index: usize, normal: f64) -> f64 {
        let bits = mixed(mixed(!self.key).wrapping_add(index as u64));
        if (bits >> 11) as f64 / ((1u64 << 53) as f64) < self.zeros {
            return 0.0;
        }
        let real = normal * self.deviation;
        match self.levels {
            Levels::Real => real,
            Levels::Whole(largest) => real.round_ties_even().clamp(-largest, largest),
            Levels::Odd(largest) => (2.0 * (real / 2.0).floor() + 1.0).clamp(-largest, largest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_whole() {
        let draw = Draw::real(7, 0.5, 0.25);
        let whole = draw.all(1001, |x| x as f32);
        for (start, count) in [(0, 1001), (1, 7), (2, 6), (333, 334), (1000, 1), (500, 0)] {
            let mut part = vec![[0; 4]; count];
            draw.fill(start, &mut part);
            let part: Vec<f32> = part.into_iter().map(f32::from_le_bytes).collect();
            assert_eq!(part, whole[start..start + count], "{count} from {start} on");
        }
    }

    #[test]
    fn mean_deviation_and_zeros_are_what_is_asked_for() {
        const COUNT: usize = 100_000;
        let values = Draw::real(3, 0.5, 0.25).all(COUNT, |x| x);
        let zeros = values.iter().filter(|x| **x == 0.0).count() as f64 / COUNT as f64;
        let mean = values.iter().sum::<f64>() / COUNT as f64;
        let power = values.iter().map(|x| x * x).sum::<f64>() / COUNT as f64;
        // Standard errors: 0.0014 of the share, 0.0014 of the mean, 0.0011 of the power, which is 0.75 · 0.25.
        assert!((zeros - 0.25).abs() < 0.006 && mean.abs() < 0.006 && (power - 0.1875).abs() < 0.005);
    }

    #[test]
    fn integers_keep_to_their_levels() {
        let whole = Draw::integers(1, 2.0, 0.1, 3.0, false).all(1000, |x| x as i64);
        assert!(whole.iter().all(|q| (-3..=3).contains(q)) && whole.contains(&2) && whole.contains(&-3));
        let odd = Draw::integers(1, 2.0, 0.1, 3.0, true).all(1000, |x| x as i64);
        assert!(odd.iter().all(|q| [-3, -1, 0, 1, 3].contains(q)) && odd.contains(&0) && odd.contains(&-3));
    }
}
