//! A strip in safe Rust, for every processor and for numbers of any width.

use std::ops::AddAssign;

use super::sweep::{Machine, Strip};

/// Filters of a block.
pub(super) const BLOCK: usize = 4;

/// Positions at a time.
const LANES: usize = 16;

/// A number that takes in products.
pub(super) trait Sum: Copy + Default + AddAssign {
    /// Adds `a · b`, which is rounded together with the sum, if at all.
    fn add_product(&mut self, a: Self, b: Self);
}

impl Sum for i32 {
    fn add_product(&mut self, a: Self, b: Self) {
        *self += a * b;
    }
}

impl Sum for i64 {
    fn add_product(&mut self, a: Self, b: Self) {
        *self += a * b;
    }
}

impl Sum for f32 {
    fn add_product(&mut self, a: Self, b: Self) {
        *self = a.mul_add(b, *self);
    }
}

/// The machine that takes in products one by one.
pub(super) fn machine<W: Copy, S: Sum + From<W>>() -> Machine<W, S> {
    Machine { block: BLOCK, positions: LANES, strip: strip::<W, S> }
}

fn strip<W: Copy, S: Sum + From<W>>(filters: usize, strip: &Strip<'_, W>, sums: &mut [S]) {
    match (filters, strip.len) {
        (1, 1) => positions::<W, S, 1, 1>(strip, sums),
        (2, 1) => positions::<W, S, 2, 1>(strip, sums),
        (3, 1) => positions::<W, S, 3, 1>(strip, sums),
        (4, 1) => positions::<W, S, 4, 1>(strip, sums),
        (1, _) => positions::<W, S, 1, LANES>(strip, sums),
        (2, _) => positions::<W, S, 2, LANES>(strip, sums),
        (3, _) => positions::<W, S, 3, LANES>(strip, sums),
        (4, _) => positions::<W, S, 4, LANES>(strip, sums),
        _ => unreachable!("a block has 1 to {BLOCK} filters"),
    }
}

fn positions<W: Copy, S: Sum + From<W>, const F: usize, const L: usize>(strip: &Strip<'_, W>, sums: &mut [S]) {
    for at in (0..strip.len).step_by(L) {
        let mut partial = [[S::default(); L]; F];
        for (weights, &tap) in strip.weights.as_chunks::<F>().0.iter().zip(strip.taps) {
            let inputs: &[W; L] = strip.plane[tap + at..].first_chunk().expect("a plane ends with a margin");
            for (partial, &weight) in partial.iter_mut().zip(weights) {
                for (partial, &input) in partial.iter_mut().zip(inputs) {
                    partial.add_product(S::from(weight), S::from(input));
                }
            }
        }
        for (filter, partial) in partial.iter().enumerate() {
            let sums = &mut sums[filter * strip.pitch + at..][..L];
            if strip.fresh {
                sums.fill(S::default());
            }
            sums.iter_mut().zip(partial).for_each(|(sum, &partial)| *sum += partial);
        }
    }
}
