//! Exact sums of layers in which each channel is read by a filter or two of its own, as in the depthwise layers of MobileNet.
//!
//! Such a layer has few products for what it reads. So channels are neither joined to words nor copied for each column of the
//! kernel: a channel is widened once, with its padding, and all taps are multiplied in one loop over the positions.
//!
//! ```text
//! plane   [phases of rows, phases of columns, rows of a phase, columns of a phase], one phase where the stride is 1
//! sums    position (y, x) reads plane[offset of the tap + y · columns of a phase + x], of its own phase
//! ```
//!
//! Where the processor multiplies pairs, a word of the plane has the pixel below it in its upper half, and two taps, one above the
//! other, are multiplied at once.

use std::array;
use std::ops::Range;

use network::{Geometry, GeometrySpec};

use super::lowering::{Lowering, Rows, inside, sheet_extent};
use super::sweep::{HandedStrip, Input, Machine, Runs, Strip};

/// A layer in which each channel has filters of its own, with its weights.
#[derive(Debug)]
pub(super) struct Depthwise {
    lowering: Lowering,
    spec: GeometrySpec,
    out: [usize; 2],
    /// Rows and columns of a phase.
    size: [usize; 2],
    /// How a channel is put in the plane, by phase of the columns.
    copies: Vec<Copies>,
    /// Where each tap finds the input of position 0.
    offsets: Vec<usize>,
    /// Filters that read a channel.
    columns: usize,
    /// `[filters, taps]`.
    weights: Vec<i32>,
    pairs: Pairs,
}

/// Taps two at a time, one above the other; those that have none below them are paired with a weight of 0.
#[derive(Debug)]
struct Pairs {
    offsets: Vec<usize>,
    /// `[filters, pairs]`, two numbers of 16 bits each.
    words: Vec<u32>,
}

/// Parts of rows, equally long, that lie in the plane.
#[derive(Debug)]
struct Copies {
    len: usize,
    /// Where each begins in the channel and in the plane.
    rows: Vec<[usize; 2]>,
}

/// What sums are made in.
#[derive(Debug, Default)]
pub(super) struct Room {
    plane: Vec<u32>,
    /// The plane, with each pixel joined with the one below it.
    joined: Vec<u32>,
    /// Sums of one filter, those between the rows among them.
    flat: Vec<i32>,
    /// The same without them.
    sums: Vec<i32>,
}

impl Depthwise {
    /// Takes in a layer that [is such a one](super::lowering::is_depthwise). `weights` is `[filters, taps]`; `pair` joins two of them
    /// to a word.
    pub(super) fn new(geometry: &Geometry, weights: Vec<i32>, pair: impl Fn([i32; 2]) -> u32) -> Self {
        let lowering = Lowering::new(geometry, 1).expect("it exists with one channel a word");
        let (spec, out) = lowering.laid_down();
        let size: [usize; 2] = array::from_fn(|axis| sheet_extent(&spec, out, axis).expect("it fits an address space"));
        let offset = |axis: usize, tap: usize| {
            let at = tap * spec.dilation[axis];
            (at % spec.stride[axis], at / spec.stride[axis])
        };
        let taps = (0..spec.kernel[0]).flat_map(|y| (0..spec.kernel[1]).map(move |x| (y, x)));
        let offsets: Vec<usize> = taps
            .map(|(y, x)| {
                let ((phase_y, y), (phase_x, x)) = (offset(0, y), offset(1, x));
                ((phase_y * spec.stride[1] + phase_x) * size[0] + y) * size[1] + x
            })
            .collect();
        let copies = (0..spec.stride[1]).map(|phase| Copies::new(&spec, size, phase)).collect();
        let pairs = Pairs::new(&offsets, size[1], &weights, pair);
        Self { lowering, spec, out, size, copies, offsets, columns: spec.filters / spec.groups, weights, pairs }
    }

    /// Hands over the sums of all filters, channel by channel. `pairs` multiplies pairs of numbers of 16 bits, which weights have then.
    pub(super) fn sweep(
        &self,
        pairs: Option<&Machine<u32, i32>>,
        input: Input<'_, u8>,
        room: &mut Room,
        mut take: impl FnMut(HandedStrip<'_, i32>),
    ) {
        let GeometrySpec { stride, in_size, groups, .. } = self.spec;
        let Room { plane, joined, flat, sums } = room;
        let positions = self.out[0] * self.out[1];
        let together = pairs.map_or(1, |machine| machine.positions);
        plane.clear();
        plane.resize(stride[0] * stride[1] * self.size[0] * self.size[1], input.zero.into());
        joined.resize(plane.len() + together, 0);
        flat.resize(self.flat_len().next_multiple_of(together), 0);
        sums.resize(self.columns * positions, 0);
        let strips: Vec<Rows> = self.lowering.strips().collect();
        for (slot, channel) in input.values.chunks_exact(in_size[0] * in_size[1]).enumerate() {
            let first = slot % groups * self.columns;
            match pairs {
                Some(machine) => self.sum_pairs(machine, channel, first, (plane, joined, flat), sums),
                None => self.sum(channel, first, (plane, flat), sums),
            }
            for (column, sums) in sums.chunks_exact(positions).enumerate() {
                let place = slot * self.columns + column;
                for (strip, &rows) in strips.iter().enumerate() {
                    take(HandedStrip {
                        filter: first + column,
                        place: slot * strips.len() + strip,
                        start: place * positions + rows.start,
                        first: true,
                        sums: &sums[rows.start..rows.start + rows.len],
                        runs: Runs::new(&self.lowering, rows, place * positions),
                    });
                }
            }
        }
    }

    /// Positions up to the last output, those between the rows among them.
    fn flat_len(&self) -> usize {
        (self.out[0] - 1) * self.size[1] + self.out[1]
    }

    /// The sums of the filters of one channel, `[filters, positions]`. `filter` is the first of them.
    fn sum(&self, channel: &[u8], filter: usize, (plane, flat): (&mut [u32], &mut [i32]), sums: &mut [i32]) {
        let (positions, taps) = (self.out[0] * self.out[1], self.offsets.len());
        let flat = &mut flat[..self.flat_len()];
        lanes::run(
            #[inline(always)]
            || {
                self.widen(channel, plane);
                let weights = self.weights[filter * taps..].chunks_exact(taps);
                for (sums, weights) in sums.chunks_exact_mut(positions).zip(weights) {
                    match taps {
                        9 => multiply::<9>(plane, &self.offsets, weights, flat),
                        _ => multiply_each(plane, &self.offsets, weights, flat),
                    }
                    gather(flat, self.size[1], self.out[1], sums);
                }
            },
        );
    }

    /// As [`Depthwise::sum`], two taps at a time.
    fn sum_pairs(
        &self,
        machine: &Machine<u32, i32>,
        channel: &[u8],
        filter: usize,
        (plane, joined, flat): (&mut [u32], &mut [u32], &mut [i32]),
        sums: &mut [i32],
    ) {
        lanes::run(
            #[inline(always)]
            || {
                self.widen(channel, plane);
                join_below(plane, self.size[1], joined);
            },
        );
        let plane = &*joined;
        let (Pairs { offsets, words }, positions) = (&self.pairs, self.out[0] * self.out[1]);
        let words = words[filter * offsets.len()..].chunks_exact(offsets.len());
        for (sums, weights) in sums.chunks_exact_mut(positions).zip(words) {
            let (len, pitch) = (self.flat_len(), flat.len());
            (machine.strip)(1, &Strip { weights, taps: offsets, plane, len, fresh: true, pitch }, flat);
            let flat = &*flat;
            lanes::run(
                #[inline(always)]
                || gather(flat, self.size[1], self.out[1], sums),
            );
        }
    }

    /// Puts a channel in the plane, around which the padding stays.
    #[inline(always)]
    fn widen(&self, channel: &[u8], plane: &mut [u32]) {
        for copies in &self.copies {
            // Those of usual widths take no call.
            match (self.spec.stride[1], copies.len) {
                (1, len) if len.is_multiple_of(16) => copies.in_blocks::<16>(channel, plane),
                (1, 8) => copies.in_blocks::<8>(channel, plane),
                (1, 4) => copies.in_blocks::<4>(channel, plane),
                (1, _) => copies.in_blocks::<1>(channel, plane),
                (2, _) => copies.of_pairs(channel, plane),
                (stride, _) => copies.in_steps(stride, channel, plane),
            }
        }
    }
}

impl Copies {
    /// Those of a phase of the columns.
    fn new(spec: &GeometrySpec, [rows, columns]: [usize; 2], phase_x: usize) -> Self {
        let GeometrySpec { stride, pads, in_size: [height, width], .. } = *spec;
        let Range { start: from, end: to } = inside(spec, columns, 1, phase_x);
        if from == to {
            return Self { len: 0, rows: Vec::new() };
        }
        let first = from * stride[1] + phase_x - pads[1];
        let of_row = |row: usize| {
            let (phase_y, y) = ((row + pads[0]) % stride[0], (row + pads[0]) / stride[0]);
            let start = ((phase_y * stride[1] + phase_x) * rows + y) * columns + from;
            (y < rows).then_some([row * width + first, start])
        };
        Self { len: to - from, rows: (0..height).filter_map(of_row).collect() }
    }

    #[inline(always)]
    fn in_blocks<const N: usize>(&self, channel: &[u8], plane: &mut [u32]) {
        for &[from, to] in &self.rows {
            let (source, target) = (&channel[from..][..self.len], &mut plane[to..][..self.len]);
            for (target, source) in target.as_chunks_mut::<N>().0.iter_mut().zip(source.as_chunks::<N>().0) {
                *target = source.map(u32::from);
            }
        }
    }

    /// Every second one, the first of each pair.
    #[inline(always)]
    fn of_pairs(&self, channel: &[u8], plane: &mut [u32]) {
        for &[from, to] in &self.rows {
            let (source, target) = (&channel[from..][..2 * self.len - 1], &mut plane[to..][..self.len]);
            let (pairs, last) = source.as_chunks::<2>();
            let (target_of_last, targets) = target.split_last_mut().expect("no row is empty");
            targets.iter_mut().zip(pairs).for_each(|(target, pair)| *target = u32::from(pair[0]));
            *target_of_last = u32::from(last[0]);
        }
    }

    #[inline(always)]
    fn in_steps(&self, stride: usize, channel: &[u8], plane: &mut [u32]) {
        for &[from, to] in &self.rows {
            let source = channel[from..].iter().step_by(stride);
            plane[to..][..self.len].iter_mut().zip(source).for_each(|(target, &code)| *target = u32::from(code));
        }
    }
}

impl Pairs {
    /// Pairs taps whose offsets are `row` apart.
    fn new(offsets: &[usize], row: usize, weights: &[i32], pair: impl Fn([i32; 2]) -> u32) -> Self {
        // From the topmost tap on, each with the one below it.
        let mut left: Vec<usize> = (0..offsets.len()).collect();
        left.sort_by_key(|&tap| offsets[tap]);
        let mut pairs: Vec<(usize, Option<usize>)> = Vec::new();
        while !left.is_empty() {
            let tap = left.remove(0);
            let below = left.iter().position(|&other| offsets[other] == offsets[tap] + row);
            pairs.push((tap, below.map(|place| left.remove(place))));
        }
        let of_filter = |filter: &[i32]| -> Vec<u32> {
            let of_pair =
                |&(tap, below): &(usize, Option<usize>)| pair([filter[tap], below.map_or(0, |below| filter[below])]);
            pairs.iter().map(of_pair).collect()
        };
        Self {
            offsets: pairs.iter().map(|&(tap, _)| offsets[tap]).collect(),
            words: weights.chunks_exact(offsets.len()).flat_map(of_filter).collect(),
        }
    }
}

/// Joins each pixel with the one below it, which stands in the upper half of their word.
#[inline(always)]
fn join_below(plane: &[u32], row: usize, joined: &mut [u32]) {
    for ((joined, &pixel), &below) in joined.iter_mut().zip(plane).zip(&plane[row..]) {
        *joined = pixel | below << 16;
    }
    // Below the last row is nothing that has a weight.
    let last = plane.len() - row..plane.len();
    joined[last.clone()].copy_from_slice(&plane[last]);
}

/// `Σ weight · plane[offset + position]` for all positions.
#[inline(always)]
fn multiply<const TAPS: usize>(plane: &[u32], offsets: &[usize], weights: &[i32], sums: &mut [i32]) {
    let len = sums.len();
    let inputs: [&[u32]; TAPS] = array::from_fn(|tap| &plane[offsets[tap]..][..len]);
    let weights: [i32; TAPS] = array::from_fn(|tap| weights[tap]);
    for position in 0..len {
        let mut sum = 0;
        for tap in 0..TAPS {
            sum += weights[tap] * inputs[tap][position] as i32;
        }
        sums[position] = sum;
    }
}

/// The same of any number of taps.
#[inline(always)]
fn multiply_each(plane: &[u32], offsets: &[usize], weights: &[i32], sums: &mut [i32]) {
    sums.fill(0);
    for (&offset, &weight) in offsets.iter().zip(weights) {
        for (sum, &input) in sums.iter_mut().zip(&plane[offset..]) {
            *sum += weight * input as i32;
        }
    }
}

/// Rows that lie `pitch` apart become rows that lie one behind another.
#[inline(always)]
fn gather(flat: &[i32], pitch: usize, width: usize, sums: &mut [i32]) {
    #[inline(always)]
    fn in_blocks<const N: usize>(flat: &[i32], pitch: usize, width: usize, sums: &mut [i32]) {
        for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
            let flat = &flat[row * pitch..][..width];
            for (sums, flat) in sums.as_chunks_mut::<N>().0.iter_mut().zip(flat.as_chunks::<N>().0) {
                *sums = *flat;
            }
        }
    }
    match width {
        width if width.is_multiple_of(16) => in_blocks::<16>(flat, pitch, width, sums),
        8 => in_blocks::<8>(flat, pitch, width, sums),
        4 => in_blocks::<4>(flat, pitch, width, sums),
        _ => in_blocks::<1>(flat, pitch, width, sums),
    }
}
