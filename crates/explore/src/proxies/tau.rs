//! Kendall's rank correlation τ-b, and an interval around it.

use network::Random;

/// How many samples an interval is made of, unless somebody asks for another number.
pub const RESAMPLES: usize = 1000;

/// The seed of every interval.
const SEED: u64 = 1;

/// Two rankings of the same things, whose agreement can be told for any sample of them.
#[derive(Clone, Debug)]
pub struct Rankings {
    /// Places of the things in the order of the first ranking.
    order: Vec<usize>,
    first: Vec<u32>,
    second: Vec<u32>,
    /// Ranks of the second ranking.
    ranks: usize,
}

/// An interval of τ-b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5 % of the samples lie below.
    pub low: f64,
    /// 2.5 % of the samples lie above.
    pub high: f64,
}

impl Rankings {
    /// The rank of each thing by two measures, equal ones where things are equal, as [`ranks`] makes them.
    ///
    /// # Panics
    ///
    /// If the two do not rank the same number of things.
    pub fn new(first: Vec<u32>, second: Vec<u32>) -> Self {
        assert_eq!(first.len(), second.len(), "both rank the same things");
        let mut order: Vec<usize> = (0..first.len()).collect();
        order.sort_by_key(|&place| first[place]);
        let ranks = second.iter().max().map_or(0, |&most| most as usize + 1);
        Self { order, first, second, ranks }
    }

    /// Kendall's τ-b; none where one of the two rankings has all things in one place.
    ///
    /// ```text
    /// τ_b = (C − D) / sqrt((n0 − n1) · (n0 − n2))
    /// ```
    ///
    /// Of `n0 = n (n − 1) / 2` pairs, `C` are in the same order in both rankings and `D` in the opposite one. `n1` pairs are tied
    /// in the first and `n2` in the second. M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945.
    pub fn tau(&self) -> Option<f64> {
        self.tau_of(&vec![1; self.first.len()])
    }

    /// An interval of 95 % by the bootstrap: things are drawn with replacement, as many as there are, so many times. The samples
    /// are the same in every run. None where fewer than half of them have a τ-b.
    ///
    /// B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979, the percentile method.
    pub fn interval(&self, resamples: usize) -> Option<Interval> {
        let mut seeds = Random::new(SEED);
        let mut taus: Vec<f64> = (0..resamples).filter_map(|_| self.tau_of(&self.sample(seeds.next()))).collect();
        if taus.is_empty() || 2 * taus.len() < resamples {
            return None;
        }
        taus.sort_by(f64::total_cmp);
        Some(Interval { low: quantile(&taus, 0.025), high: quantile(&taus, 0.975) })
    }

    /// How often each thing is drawn.
    fn sample(&self, seed: u64) -> Vec<u32> {
        let things = self.first.len();
        let mut random = Random::new(seed);
        let mut counts = vec![0; things];
        for _ in 0..things {
            // The upper bits of a product: as even as 64 bits are.
            counts[((u128::from(random.next()) * things as u128) >> 64) as usize] += 1;
        }
        counts
    }

    /// τ-b of a sample that has each thing so often.
    fn tau_of(&self, counts: &[u32]) -> Option<f64> {
        let mut before = Tree::new(self.ranks);
        let mut of_second = vec![0u64; self.ranks];
        let (mut difference, mut tied_first, mut total) = (0i128, 0u128, 0u64);
        for group in self.order.chunk_by(|&a, &b| self.first[a] == self.first[b]) {
            let drawn = || group.iter().filter(|&&place| counts[place] > 0);
            for &place in drawn() {
                let (below, above) = before.around(self.second[place] as usize);
                difference += i128::from(counts[place]) * (i128::from(below) - i128::from(above));
            }
            let mut size = 0;
            for &place in drawn() {
                let (rank, count) = (self.second[place] as usize, u64::from(counts[place]));
                before.add(rank, count);
                of_second[rank] += count;
                size += count;
            }
            tied_first += pairs(size);
            total += size;
        }
        let tied_second: u128 = of_second.into_iter().map(pairs).sum();
        let (first, second) = (pairs(total) - tied_first, pairs(total) - tied_second);
        (first > 0 && second > 0).then(|| {
            // The root of a square is exact, so that rankings which are the same have a τ-b of exactly 1.
            let tau = difference as f64 / (first as f64 * second as f64).sqrt();
            tau.clamp(-1.0, 1.0)
        })
    }
}

/// The rank of each value: 0 for the least, the same for equal ones, without gaps.
pub fn ranks<T: Ord>(values: &[T]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    for (rank, equal) in order.chunk_by(|&a, &b| values[a] == values[b]).enumerate() {
        equal.iter().for_each(|&place| ranks[place] = rank as u32);
    }
    ranks
}

fn pairs(things: u64) -> u128 {
    u128::from(things) * u128::from(things.saturating_sub(1)) / 2
}

/// Between the sorted values, linear, as NumPy's default.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// Counts by rank, of which sums up to a rank are quickly told (Fenwick 1994).
struct Tree {
    sums: Vec<u64>,
    total: u64,
}

impl Tree {
    fn new(ranks: usize) -> Self {
        Self { sums: vec![0; ranks + 1], total: 0 }
    }

    fn add(&mut self, rank: usize, count: u64) {
        self.total += count;
        let mut at = rank + 1;
        while at < self.sums.len() {
            self.sums[at] += count;
            at += at & at.wrapping_neg();
        }
    }

    /// How many there are below a rank, and above it.
    fn around(&self, rank: usize) -> (u64, u64) {
        (self.up_to(rank), self.total - self.up_to(rank + 1))
    }

    /// How many there are of the first ranks.
    fn up_to(&self, ranks: usize) -> u64 {
        let (mut at, mut sum) = (ranks, 0);
        while at > 0 {
            sum += self.sums[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tau(x: &[i32], y: &[i32]) -> Option<f64> {
        Rankings::new(ranks(x), ranks(y)).tau()
    }

    /// The definition, pair by pair.
    fn naive(x: &[i32], y: &[i32]) -> Option<f64> {
        let (mut difference, mut first, mut second) = (0i64, 0u64, 0u64);
        for i in 0..x.len() {
            for j in 0..i {
                let (a, b) = ((x[i] - x[j]).signum(), (y[i] - y[j]).signum());
                difference += i64::from(a * b);
                first += u64::from(a != 0);
                second += u64::from(b != 0);
            }
        }
        (first > 0 && second > 0).then(|| difference as f64 / (first as f64 * second as f64).sqrt())
    }

    /// Values of `scipy.stats.kendalltau`, SciPy 1.17.
    #[test]
    fn known_values_are_those_of_scipy() {
        let cases: [(&[i32], &[i32], f64); 4] = [
            (&[12, 2, 1, 12, 2], &[1, 4, 7, 1, 0], -0.471_404_520_791_031_6),
            (&[1, 2, 3, 4, 5], &[3, 1, 2, 5, 4], 0.4),
            (&[1, 1, 2, 2, 3, 3], &[1, 2, 1, 2, 3, 3], 0.666_666_666_666_666_7),
            (&[5, 4, 3], &[1, 2, 3], -1.0),
        ];
        for (x, y, expected) in cases {
            let found = tau(x, y).expect("neither is constant");
            assert!((found - expected).abs() < 1e-12, "{x:?} {y:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn what_is_constant_has_no_correlation() {
        assert_eq!((tau(&[1, 1, 1], &[1, 2, 3]), tau(&[1, 2], &[7, 7]), tau(&[1], &[1])), (None, None, None));
        assert_eq!(tau(&[], &[]), None);
        assert_eq!(Rankings::new(ranks(&[1, 1]), ranks(&[1, 2])).interval(100), None);
    }

    #[test]
    fn an_interval_holds_its_value_and_is_the_same_each_time() {
        let x: Vec<i32> = (0..60).collect();
        let y: Vec<i32> = x.iter().map(|x| x + 17 * (x % 4)).collect();
        let rankings = Rankings::new(ranks(&x), ranks(&y));
        let interval = rankings.interval(RESAMPLES).expect("it has one");
        let tau = rankings.tau().expect("neither is constant");
        assert!(interval.low < tau && tau < interval.high && interval.high < 1.0, "{tau} {interval:?}");
        assert!(interval.high - interval.low > 0.05, "{interval:?}");
        assert_eq!(rankings.interval(RESAMPLES), Some(interval));
        let same = Rankings::new(ranks(&x), ranks(&x)).interval(50).expect("it has one");
        assert_eq!(same, Interval { low: 1.0, high: 1.0 });
    }

    proptest! {
        #[test]
        fn tau_is_that_of_the_definition(pairs in prop::collection::vec((0..9i32, 0..9i32), 0..60)) {
            let (x, y): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
            prop_assert_eq!(tau(&x, &y), naive(&x, &y).map(|tau: f64| tau.clamp(-1.0, 1.0)));
        }

        #[test]
        fn a_sample_counts_as_the_things_that_it_draws(pairs in prop::collection::vec((0..9i32, 0..9i32), 1..40), seed: u64) {
            let (x, y): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
            let rankings = Rankings::new(ranks(&x), ranks(&y));
            let counts = rankings.sample(seed);
            prop_assert_eq!(counts.iter().sum::<u32>() as usize, x.len());
            let drawn = |values: &[i32]| -> Vec<i32> {
                values.iter().zip(&counts).flat_map(|(&value, &count)| vec![value; count as usize]).collect()
            };
            prop_assert_eq!(rankings.tau_of(&counts), tau(&drawn(&x), &drawn(&y)));
        }
    }
}
