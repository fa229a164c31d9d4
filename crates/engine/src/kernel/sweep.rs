//! The loops around a kernel: over repeats, groups, blocks of filters, strips of rows, and tiles of weight words.

use std::array;
use std::ops::Range;

use esn::WeightShape;

use super::lowering::{Lowering, MARGIN, Rows};

/// One strip of positions for one block of filters and some of its weight words.
pub(super) struct Strip<'a, W> {
    /// `[weight words, filters of the block]`.
    pub(super) weights: &'a [W],
    /// Where each weight word finds its inputs in `plane`.
    pub(super) taps: &'a [usize],
    /// The plane from the strip's first position on.
    pub(super) plane: &'a [W],
    /// Positions.
    pub(super) len: usize,
    /// Distance of two filters' sums, at least `len` rounded up to [`MARGIN`].
    pub(super) pitch: usize,
}

/// The function that works on a strip.
pub(super) struct Machine<W, S> {
    /// The most filters that the function takes at a time.
    pub(super) block: usize,
    /// Adds the sum of products of the strip to `sums`, `[filters, pitch]`, for every filter and position. The first
    /// argument is the number of filters. What the function adds beyond the positions of the strip is never read.
    pub(super) strip: fn(usize, &Strip<'_, W>, &mut [S]),
}

/// How many weight words go together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Words summed on their own before they are added to the sums.
    pub(super) tile: usize,
    /// Words after which the sums are handed over and begin at zero again; a multiple of `tile`, or all.
    pub(super) spill: usize,
    /// The first word that is summed, and the one after the last.
    pub(super) words: [usize; 2],
}

impl Schedule {
    /// The words of all weights.
    pub(super) const ALL: [usize; 2] = [0, usize::MAX];
}

/// Sums of one filter that are handed over.
pub(super) struct Handed<'a, S> {
    /// The filter, over all groups.
    pub(super) filter: usize,
    /// Index of the first sum in the output, `[repeats, filters, out_height, out_width]`.
    pub(super) index: usize,
    /// Whether these are the first sums of their outputs. If not, they add to those handed over before.
    pub(super) first: bool,
    /// Sums of neighbouring outputs.
    pub(super) sums: &'a [S],
}

/// Weights in the order in which a machine takes them: `[groups, blocks, weight words, filters of the block]`.
#[derive(Debug)]
pub(super) struct Packed<W> {
    lowering: Lowering,
    block: usize,
    columns: usize,
    groups: usize,
    weights: Vec<W>,
}

impl<W: Copy> Packed<W> {
    /// Packs weights `[filters, channels, taps]`. `word` joins those of `N` channels, and absent channels have weights
    /// 0.
    pub(super) fn new<T: Copy + Default, const N: usize>(
        lowering: Lowering,
        shape: WeightShape,
        block: usize,
        weights: &[T],
        word: impl Fn([T; N]) -> W,
    ) -> Self {
        let columns = shape.filters / shape.groups;
        let (channels, per_word) = lowering.channels();
        assert_eq!(per_word, N, "the lowering is made for these words");
        let weight = |filter: usize, channel: usize, tap: usize| match channel < channels {
            true => weights[(filter * channels + channel) * shape.taps + tap],
            false => T::default(),
        };
        let mut packed = Vec::with_capacity(shape.filters * lowering.taps().len());
        for group in 0..shape.groups {
            for filters in ranges(0..columns, block) {
                for row in 0..lowering.taps().len() {
                    let (channel, tap) = (row / shape.taps * N, row % shape.taps);
                    let one = |column| word(array::from_fn(|i| weight(group * columns + column, channel + i, tap)));
                    packed.extend(filters.clone().map(one));
                }
            }
        }
        Self { lowering, block, columns, groups: shape.groups, weights: packed }
    }

    /// Sums the whole input, `[repeats, in_channels, height, width]`, and hands over all outputs.
    pub(super) fn sweep<T: Copy + Default, S: Copy + Default, const N: usize>(
        &self,
        machine: &Machine<W, S>,
        schedule: Schedule,
        input: &[T],
        word: impl Fn([T; N]) -> W,
        mut hand_over: impl FnMut(Handed<'_, S>),
    ) {
        let lowering = &self.lowering;
        let mut plane = vec![word([T::default(); N]); lowering.plane_len()];
        let pitch = lowering.longest_strip().next_multiple_of(MARGIN);
        let mut sums = vec![S::default(); self.block.min(self.columns) * pitch];
        for (slot, input) in input.chunks_exact(lowering.group_len()).enumerate() {
            lowering.fill(input, &mut plane, &word);
            for columns in ranges(0..self.columns, self.block) {
                for rows in lowering.strips() {
                    let job = Job { slot, columns: columns.clone(), rows, pitch };
                    self.run(machine, schedule, job, &plane, &mut sums, &mut hand_over);
                }
            }
        }
    }

    fn run<S: Copy + Default>(
        &self,
        machine: &Machine<W, S>,
        schedule: Schedule,
        job: Job,
        plane: &[W],
        sums: &mut [S],
        hand_over: &mut impl FnMut(Handed<'_, S>),
    ) {
        let lowering = &self.lowering;
        let taps = lowering.taps();
        let filters = job.columns.len();
        let block = &self.weights[((job.slot % self.groups) * self.columns + job.columns.start) * taps.len()..];
        let (pitch, len) = (job.pitch, job.rows.len);
        for spill in ranges(schedule.words[0]..taps.len().min(schedule.words[1]), schedule.spill) {
            sums.fill(S::default());
            for tile in ranges(spill.clone(), schedule.tile) {
                let weights = &block[tile.start * filters..tile.end * filters];
                let strip = Strip { weights, taps: &taps[tile], plane: &plane[job.rows.start..], len, pitch };
                (machine.strip)(filters, &strip, sums);
            }
            for (column, sums) in job.columns.clone().zip(sums.chunks_exact(pitch)) {
                let filter = job.slot % self.groups * self.columns + column;
                let base = (job.slot * self.columns + column) * lowering.positions();
                for (run, index) in lowering.runs(job.rows) {
                    let (index, first) = (base + index, spill.start == 0);
                    hand_over(Handed { filter, index, first, sums: &sums[run] });
                }
            }
        }
    }
}

/// A block of filters and a strip of rows of one group of one repeat, `slot = repeat · groups + group`.
struct Job {
    slot: usize,
    columns: Range<usize>,
    rows: Rows,
    pitch: usize,
}

/// Cuts a range into pieces of `step`; the last may be shorter.
fn ranges(whole: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    whole.clone().step_by(step).map(move |from| from..whole.end.min(from.saturating_add(step)))
}
