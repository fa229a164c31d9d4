//! Samples of a product that is too large to run.

use std::collections::BTreeSet;

use super::plan::SampleMethod;
use super::product::Product;

/// Numbers that a seed gives, the same everywhere: SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators" (2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, each as likely as any other.
    fn below(&mut self, end: u128) -> u128 {
        // The largest multiple of `end`: numbers from there on would favour small ones.
        let whole = u128::MAX - u128::MAX % end;
        loop {
            let drawn = u128::from(self.next()) << 64 | u128::from(self.next());
            if drawn < whole {
                return drawn % end;
            }
        }
    }

    /// The numbers below `len` in any order.
    fn permutation(&mut self, len: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..len as u32).collect();
        for i in (1..len).rev() {
            order.swap(i, self.below(i as u128 + 1) as usize);
        }
        order
    }
}

/// The numbers of `count` points of a product, in order. Of a Latin hypercube some may come twice.
pub(super) fn sample(product: &Product, count: usize, seed: u64, method: SampleMethod) -> Vec<u128> {
    let mut random = Random(seed);
    match method {
        SampleMethod::Random => distinct(product.len(), count, &mut random),
        SampleMethod::LatinHypercube => latin_hypercube(product, count, &mut random),
    }
}

/// `count` of the numbers below `len`, or all of them where there are fewer: Floyd's algorithm.
fn distinct(len: u128, count: usize, random: &mut Random) -> Vec<u128> {
    let count = (count as u128).min(len);
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        let drawn = random.below(last + 1);
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// Points of which each list is sampled evenly: for every list, the points fall into as many equal parts of it as there are
/// points, one into each, in an order of its own (McKay, Beckman and Conover 1979). Networks, and entries of prunings and
/// of quantizations, are such lists, too.
fn latin_hypercube(product: &Product, count: usize, random: &mut Random) -> Vec<u128> {
    if product.networks() == 0 {
        return Vec::new();
    }
    let networks = one_list(count, random, |_| product.networks());
    let mut ways = [vec![0u128; count], vec![0u128; count]];
    for (kind, numbers) in ways.iter_mut().enumerate() {
        let choices = |point: usize| product.choices(networks[point])[kind];
        let entries = one_list(count, random, |point| choices(point).entries());
        let axes = |point: usize| choices(point).axes(entries[point]);
        let most = (0..count).map(|point| axes(point).len()).max().unwrap_or(0);
        for axis in 0..most {
            let len = |point: usize| axes(point).get(axis).copied().unwrap_or(1);
            let places = one_list(count, random, len);
            for (point, number) in numbers.iter_mut().enumerate() {
                *number = *number * len(point) as u128 + places[point] as u128;
            }
        }
        numbers.iter_mut().enumerate().for_each(|(point, number)| *number += choices(point).before(entries[point]));
    }
    let reestimate = one_list(count, random, |_| product.reestimations());
    let index = |point: usize| product.index(networks[point], ways[0][point], ways[1][point], reestimate[point]);
    let mut all: Vec<u128> = (0..count).map(index).collect();
    all.sort_unstable();
    all
}

/// A place in one list for each point. `len` says how long the list is for a point.
fn one_list(count: usize, random: &mut Random, len: impl Fn(usize) -> usize) -> Vec<usize> {
    let parts = random.permutation(count);
    let place = |(point, part): (usize, u32)| {
        let len = len(point) as u128;
        // Anywhere within the part, where a list is longer than there are points.
        ((u128::from(part) * len + random.below(len)) / count as u128) as usize
    };
    parts.into_iter().enumerate().map(place).collect()
}
