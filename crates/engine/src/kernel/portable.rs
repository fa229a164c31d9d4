//! A strip in safe Rust, for every processor and for numbers of any width.

use std::ops::{AddAssign, Mul};

use super::sweep::{Machine, Strip};

/// Filters of a block.
pub(super) const BLOCK: usize = 4;

/// Positions at a time.
const LANES: usize = 16;

/// The machine that multiplies and adds with the operators of the type `S`.
pub(super) fn machine<W, S>() -> Machine<W, S>
where
    W: Copy,
    S: Copy + Default + From<W> + Mul<Output = S> + AddAssign,
{
    Machine { block: BLOCK, positions: LANES, strip: strip::<W, S> }
}

fn strip<W, S>(filters: usize, strip: &Strip<'_, W>, sums: &mut [S])
where
    W: Copy,
    S: Copy + Default + From<W> + Mul<Output = S> + AddAssign,
{
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

fn positions<W, S, const F: usize, const L: usize>(strip: &Strip<'_, W>, sums: &mut [S])
where
    W: Copy,
    S: Copy + Default + From<W> + Mul<Output = S> + AddAssign,
{
    for at in (0..strip.len).step_by(L) {
        let mut partial = [[S::default(); L]; F];
        for (weights, &tap) in strip.weights.as_chunks::<F>().0.iter().zip(strip.taps) {
            let inputs: &[W; L] = strip.plane[tap + at..].first_chunk().expect("a plane ends with a margin");
            for (partial, &weight) in partial.iter_mut().zip(weights) {
                for (partial, &input) in partial.iter_mut().zip(inputs) {
                    *partial += S::from(weight) * S::from(input);
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
