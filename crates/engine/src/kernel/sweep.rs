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

/// What a sweep works in. It grows as needed, and what it holds between sweeps does not matter.
#[derive(Debug)]
pub(super) struct Room<W, S> {
    joined: Vec<W>,
    plane: Vec<W>,
    sums: Vec<S>,
}

impl<W, S> Default for Room<W, S> {
    fn default() -> Self {
        Self { joined: Vec::new(), plane: Vec::new(), sums: Vec::new() }
    }
}

/// The input of a sweep.
#[derive(Clone, Copy)]
pub(super) struct Input<'a, T> {
    /// `[repeats, in_channels, height, width]`.
    pub(super) values: &'a [T],
    /// What padding is.
    pub(super) zero: T,
}

/// Sums of one filter in a whole strip that are handed over.
pub(super) struct HandedStrip<'a, S> {
    /// The filter, over all groups.
    pub(super) filter: usize,
    /// The strip, over all groups and repeats: all filters of a group have the same strips.
    pub(super) place: usize,
    /// Whether these are the first sums of their outputs. If not, they add to those handed over before.
    pub(super) first: bool,
    /// Sums of all positions of the strip, those that are no output among them.
    pub(super) sums: &'a [S],
    /// Which of them are outputs.
    pub(super) runs: Runs<'a>,
}

/// The runs of a strip that are outputs.
#[derive(Clone, Copy)]
pub(super) struct Runs<'a> {
    lowering: &'a Lowering,
    rows: Rows,
    base: usize,
}

impl Runs<'_> {
    /// The positions of each run within the strip, and the index of its first output in `[repeats, filters, out_height,
    /// out_width]`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let base = self.base;
        self.lowering.runs(self.rows).map(move |(run, index)| (run, base + index))
    }
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

/// Weights in the order in which a machine takes them, block by block.
#[derive(Debug)]
pub(super) struct Packed<W> {
    lowering: Lowering,
    block: usize,
    columns: usize,
    groups: usize,
    /// By group.
    blocks: Vec<Vec<Block<W>>>,
}

/// Some filters of a group, as many as a machine takes at a time or fewer.
#[derive(Debug)]
struct Block<W> {
    /// Within the group.
    columns: Vec<usize>,
    /// `[weight words, filters of the block]`.
    weights: Vec<W>,
    /// Where each weight word finds its inputs; none where the block has all words.
    taps: Option<Vec<usize>>,
}

impl<W> Block<W> {
    /// Packs filters, columns of a group whose first filter is `first`. If it `skips`, words that are 0 in all of them are
    /// left out.
    fn new<T: Copy + Default + PartialEq, const N: usize>(
        lowering: &Lowering,
        words: &Words<'_, T>,
        first: usize,
        columns: &[usize],
        skips: bool,
        word: impl Fn([T; N]) -> W,
    ) -> Self {
        let taps = lowering.taps();
        let filters = || columns.iter().map(|column| first + column);
        let is_zero = |row: usize| filters().all(|filter| words.word(filter, row) == [T::default(); N]);
        let live: Vec<usize> = (0..taps.len()).filter(|&row| !(skips && is_zero(row))).collect();
        let of_row = |&row: &usize| filters().map(move |filter| (filter, row));
        Self {
            columns: columns.to_vec(),
            weights: live.iter().flat_map(of_row).map(|(filter, row)| word(words.word(filter, row))).collect(),
            taps: (live.len() < taps.len()).then(|| live.iter().map(|&row| taps[row]).collect()),
        }
    }
}

/// Which weights are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// All, in their order.
    Multiplied,
    /// None of filters that are 0 as a whole, and none of words that are 0 in all filters of a block.
    Skipped,
}

/// Weights `[filters, channels, taps]`, word by word.
struct Words<'a, T> {
    weights: &'a [T],
    shape: WeightShape,
    /// Channels of a group.
    channels: usize,
}

impl<T: Copy + Default + PartialEq> Words<'_, T> {
    fn filter(&self, filter: usize) -> &[T] {
        let len = self.channels * self.shape.taps;
        &self.weights[filter * len..][..len]
    }

    /// The weights of `N` neighbouring channels at one tap; 0 beyond the last channel.
    fn word<const N: usize>(&self, filter: usize, row: usize) -> [T; N] {
        let (first, tap) = (row / self.shape.taps * N, row % self.shape.taps);
        let weights = self.filter(filter);
        array::from_fn(|i| {
            let channel = first + i;
            if channel < self.channels { weights[channel * self.shape.taps + tap] } else { T::default() }
        })
    }

    fn is_zero(&self, filter: usize) -> bool {
        self.filter(filter).iter().all(|&weight| weight == T::default())
    }
}

impl<W: Copy> Packed<W> {
    /// Packs weights `[filters, channels, taps]`. `word` joins those of `N` channels, and absent channels have weights
    /// 0.
    pub(super) fn new<T: Copy + Default + PartialEq, const N: usize>(
        lowering: Lowering,
        shape: WeightShape,
        block: usize,
        weights: &[T],
        zeros: Zeros,
        word: impl Fn([T; N]) -> W,
    ) -> Self {
        let columns = shape.filters / shape.groups;
        let (channels, per_word) = lowering.channels();
        assert_eq!(per_word, N, "the lowering is made for these words");
        let words = Words { weights, shape, channels };
        let skips = zeros == Zeros::Skipped;
        let blocks_of = |group: usize| -> Vec<Block<W>> {
            let is_live = |column: &usize| !(skips && words.is_zero(group * columns + column));
            let (live, dead): (Vec<usize>, Vec<usize>) = (0..columns).partition(is_live);
            let in_blocks = live.chunks(block).chain(dead.chunks(block));
            in_blocks.map(|of_block| Block::new(&lowering, &words, group * columns, of_block, skips, &word)).collect()
        };
        let blocks = (0..shape.groups).map(blocks_of).collect();
        Self { lowering, block, columns, groups: shape.groups, blocks }
    }

    /// Sums the whole input, `[repeats, in_channels, height, width]`, and hands over all outputs, run by run.
    pub(super) fn sweep<T: Copy + Default, S: Copy + Default, const N: usize>(
        &self,
        machine: &Machine<W, S>,
        schedule: Schedule,
        input: &[T],
        word: impl Fn([T; N]) -> W,
        mut hand_over: impl FnMut(Handed<'_, S>),
    ) {
        let input = Input { values: input, zero: T::default() };
        self.sweep_strips(machine, schedule, input, word, &mut Room::default(), |strip| {
            for (run, index) in strip.runs.iter() {
                hand_over(Handed { filter: strip.filter, index, first: strip.first, sums: &strip.sums[run] });
            }
        });
    }

    /// As [`Packed::sweep`], in a room that the caller keeps, and handing over strips as wholes.
    pub(super) fn sweep_strips<T: Copy, S: Copy + Default, const N: usize>(
        &self,
        machine: &Machine<W, S>,
        schedule: Schedule,
        input: Input<'_, T>,
        word: impl Fn([T; N]) -> W,
        room: &mut Room<W, S>,
        mut hand_over: impl FnMut(HandedStrip<'_, S>),
    ) {
        let lowering = &self.lowering;
        let pitch = lowering.longest_strip().next_multiple_of(MARGIN);
        room.plane.resize(room.plane.len().max(lowering.plane_len()), word([input.zero; N]));
        room.sums.resize(room.sums.len().max(self.block.min(self.columns) * pitch), S::default());
        let Room { joined, plane, sums } = room;
        let plane = &mut plane[..lowering.plane_len()];
        for (slot, values) in input.values.chunks_exact(lowering.group_len()).enumerate() {
            lowering.fill(values, input.zero, joined, plane, &word);
            let strips = lowering.strips().count();
            for block in &self.blocks[slot % self.groups] {
                for (strip, rows) in lowering.strips().enumerate() {
                    let job = Job { slot, place: slot * strips + strip, block, rows, pitch };
                    self.run(machine, schedule, job, plane, &mut sums[..block.columns.len() * pitch], &mut hand_over);
                }
            }
        }
    }

    fn run<S: Copy + Default>(
        &self,
        machine: &Machine<W, S>,
        schedule: Schedule,
        job: Job<'_, W>,
        plane: &[W],
        sums: &mut [S],
        hand_over: &mut impl FnMut(HandedStrip<'_, S>),
    ) {
        let (lowering, block) = (&self.lowering, job.block);
        let taps = block.taps.as_deref().unwrap_or(lowering.taps());
        let filters = block.columns.len();
        let (pitch, len) = (job.pitch, job.rows.len);
        let (start, end) = (schedule.words[0], taps.len().min(schedule.words[1]));
        // Without a word there are sums, too: zeros.
        let none = (start >= end).then_some(start..start);
        for spill in ranges(start..end, schedule.spill).chain(none) {
            sums.fill(S::default());
            for tile in ranges(spill.clone(), schedule.tile) {
                let weights = &block.weights[tile.start * filters..tile.end * filters];
                let strip = Strip { weights, taps: &taps[tile], plane: &plane[job.rows.start..], len, pitch };
                (machine.strip)(filters, &strip, sums);
            }
            for (column, sums) in block.columns.iter().zip(sums.chunks_exact(pitch)) {
                let filter = job.slot % self.groups * self.columns + column;
                let base = (job.slot * self.columns + column) * lowering.positions();
                let runs = Runs { lowering, rows: job.rows, base };
                let first = spill.start == 0;
                hand_over(HandedStrip { filter, place: job.place, first, sums: &sums[..len], runs });
            }
        }
    }
}

/// A block of filters and a strip of rows of one group of one repeat, `slot = repeat · groups + group`.
struct Job<'a, W> {
    slot: usize,
    place: usize,
    block: &'a Block<W>,
    rows: Rows,
    pitch: usize,
}

/// Cuts a range into pieces of `step`; the last may be shorter.
fn ranges(whole: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    whole.clone().step_by(step).map(move |from| from..whole.end.min(from.saturating_add(step)))
}
