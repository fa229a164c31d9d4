//! The loops around a kernel: over repeats, groups, blocks of filters, strips of rows, and tiles of weight words.

use std::array;
use std::ops::Range;

use esn::WeightShape;

use super::lowering::{Join, Lowering, Rows};

/// One strip of positions for one block of filters and some of its weight words.
pub(super) struct Strip<'a, W, A = W> {
    /// `[weight words, filters of the block]`.
    pub(super) weights: &'a [A],
    /// Where each weight word finds its inputs in `plane`.
    pub(super) taps: &'a [usize],
    /// The plane from the strip's first position on.
    pub(super) plane: &'a [W],
    /// Positions.
    pub(super) len: usize,
    /// Whether nothing was summed before, and what lies in the sums does not matter.
    pub(super) fresh: bool,
    /// Distance of two filters' sums, at least `len` rounded up to a multiple of [`Machine::positions`].
    pub(super) pitch: usize,
}

/// The function that works on a strip: words `W` of the plane times words `A` of the weights, summed to `S`.
pub(super) struct Machine<W, S, A = W> {
    /// The most filters that the function takes at a time.
    pub(super) block: usize,
    /// Positions that the function may work on together, some of them beyond the strip.
    pub(super) positions: usize,
    /// Adds the sum of products of the strip to `sums`, `[filters, pitch]`, for every filter and position, or sets them where
    /// the strip is fresh. The first argument is the number of filters. What the function makes of sums beyond the positions of
    /// the strip is never read.
    pub(super) strip: fn(usize, &Strip<'_, W, A>, &mut [S]),
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

    /// All words together, to sums that are handed over once.
    pub(super) const WHOLE: Self = Self { tile: usize::MAX, spill: usize::MAX, words: Self::ALL };
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
    /// Where the strip begins in `[repeats, filters, positions of a sheet]`.
    pub(super) start: usize,
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

impl<'a> Runs<'a> {
    /// Those of some rows. `base` is the index of the first output of the filter in `[repeats, filters, out_height, out_width]`.
    pub(super) fn new(lowering: &'a Lowering, rows: Rows, base: usize) -> Self {
        Self { lowering, rows, base }
    }
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
pub(super) struct Packed<A> {
    lowering: Lowering,
    block: usize,
    columns: usize,
    groups: usize,
    /// By group.
    blocks: Vec<Vec<Block<A>>>,
}

/// Some filters of a group, as many as a machine takes at a time or fewer.
#[derive(Debug)]
struct Block<A> {
    /// Within the group.
    columns: Vec<usize>,
    /// `[weight words, filters of the block]`.
    weights: Vec<A>,
    /// Where each weight word finds its inputs; none where the block has all words.
    taps: Option<Vec<usize>>,
}

impl<A> Block<A> {
    /// Packs filters, columns of a group whose first filter is `first`. If it `skips`, words that are 0 in all of them are
    /// left out.
    fn new<T: Copy + Default + PartialEq, const N: usize>(
        lowering: &Lowering,
        words: &Words<'_, T>,
        first: usize,
        columns: &[usize],
        skips: bool,
        word: impl Fn([T; N]) -> A,
    ) -> Self {
        let taps = lowering.taps();
        let filters = || columns.iter().map(|column| first + column);
        let is_zero = |row: usize| filters().all(|filter| words.word(filter, row) == [T::default(); N]);
        let live: Vec<usize> = words.rows::<N>().filter(|&row| !(skips && is_zero(row))).collect();
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

/// Weights that are packed.
pub(super) struct Weights<'a, T> {
    /// `[filters, channels, taps]`.
    pub(super) values: &'a [T],
    pub(super) shape: WeightShape,
    /// The rows of a group's lowered matrix, `channel · taps + tap`, that count. The others are taken for 0.
    pub(super) rows: Range<usize>,
    pub(super) zeros: Zeros,
}

/// Weights word by word.
struct Words<'a, T> {
    weights: &'a Weights<'a, T>,
    /// Channels of a group.
    channels: usize,
}

impl<T: Copy + Default + PartialEq> Words<'_, T> {
    /// The words with rows that count, `[channel words, taps]`.
    fn rows<const N: usize>(&self) -> Range<usize> {
        let (taps, rows) = (self.weights.shape.taps, &self.weights.rows);
        let of_channels = taps * N;
        rows.start / of_channels * taps..rows.end.div_ceil(of_channels) * taps
    }

    /// The weights of `N` neighbouring channels at one tap; 0 beyond the last channel.
    fn word<const N: usize>(&self, filter: usize, row: usize) -> [T; N] {
        let Weights { values, shape, rows, .. } = self.weights;
        let (first, tap) = (row / shape.taps * N, row % shape.taps);
        let weights = &values[filter * self.channels * shape.taps..][..self.channels * shape.taps];
        array::from_fn(|i| {
            let row = (first + i) * shape.taps + tap;
            if rows.contains(&row) { weights[row] } else { T::default() }
        })
    }

    fn is_zero(&self, filter: usize) -> bool {
        let first = filter * self.channels * self.weights.shape.taps;
        let Range { start, end } = self.weights.rows;
        self.weights.values[first + start..first + end].iter().all(|&weight| weight == T::default())
    }
}

impl<A: Copy> Packed<A> {
    /// Packs weights in blocks of filters. `word` joins those of `N` channels, and absent channels have weights 0.
    pub(super) fn new<T: Copy + Default + PartialEq, const N: usize>(
        lowering: Lowering,
        block: usize,
        weights: &Weights<'_, T>,
        word: impl Fn([T; N]) -> A,
    ) -> Self {
        let shape = weights.shape;
        let columns = shape.filters / shape.groups;
        let (channels, per_word) = lowering.channels();
        assert_eq!(per_word, N, "the lowering is made for these words");
        let words = Words { weights, channels };
        let skips = weights.zeros == Zeros::Skipped;
        let blocks_of = |group: usize| -> Vec<Block<A>> {
            let is_live = |column: &usize| !(skips && words.is_zero(group * columns + column));
            let (live, dead): (Vec<usize>, Vec<usize>) = (0..columns).partition(is_live);
            let in_blocks = live.chunks(block).chain(dead.chunks(block));
            in_blocks.map(|of_block| Block::new(&lowering, &words, group * columns, of_block, skips, &word)).collect()
        };
        let blocks = (0..shape.groups).map(blocks_of).collect();
        Self { lowering, block, columns, groups: shape.groups, blocks }
    }

    /// The words of every filter, in the order in which they are summed.
    pub(super) fn words_of_filters(&self) -> impl Iterator<Item = impl Iterator<Item = A>> {
        self.blocks.iter().flatten().flat_map(|block| {
            let filters = block.columns.len();
            (0..filters).map(move |filter| block.weights.iter().skip(filter).step_by(filters).copied())
        })
    }

    /// Sums the whole input, `[repeats, in_channels, height, width]`, and hands over all outputs, run by run.
    pub(super) fn sweep<T: Copy + Default, W: Copy, S: Copy + Default, const N: usize>(
        &self,
        machine: &Machine<W, S, A>,
        schedule: Schedule,
        input: &[T],
        word: impl Join<T, W, N>,
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
    pub(super) fn sweep_strips<T: Copy, W: Copy, S: Copy + Default, const N: usize>(
        &self,
        machine: &Machine<W, S, A>,
        schedule: Schedule,
        input: Input<'_, T>,
        word: impl Join<T, W, N>,
        room: &mut Room<W, S>,
        mut hand_over: impl FnMut(HandedStrip<'_, S>),
    ) {
        self.each_plane(machine, input, word, room, |slot, plane, sums| {
            self.sweep_plane(machine, schedule, slot, plane, sums, &mut hand_over);
        });
    }

    /// Lays out the input of each group of each repeat, `slot = repeat · groups + group`, in a plane, and hands it over with memory
    /// for sums.
    pub(super) fn each_plane<T: Copy, W: Copy, S, const N: usize>(
        &self,
        machine: &Machine<W, S, A>,
        input: Input<'_, T>,
        word: impl Join<T, W, N>,
        room: &mut Room<W, S>,
        mut hand_over: impl FnMut(usize, &[W], &mut Vec<S>),
    ) {
        let lowering = &self.lowering;
        let plane_len = lowering.plane_len() + machine.positions;
        room.plane.resize(room.plane.len().max(plane_len), word.word([input.zero; N]));
        let Room { joined, plane, sums } = room;
        let plane = &mut plane[..plane_len];
        for (slot, values) in input.values.chunks_exact(lowering.group_len()).enumerate() {
            lowering.fill(values, input.zero, joined, plane, word);
            hand_over(slot, plane, sums);
        }
    }

    /// Sums the plane of one group of one repeat, `slot = repeat · groups + group`. It is as long as the lowering says, and as
    /// many positions more as the machine works on together.
    pub(super) fn sweep_plane<W: Copy, S: Copy + Default>(
        &self,
        machine: &Machine<W, S, A>,
        schedule: Schedule,
        slot: usize,
        plane: &[W],
        sums: &mut Vec<S>,
        hand_over: &mut impl FnMut(HandedStrip<'_, S>),
    ) {
        let pitch = self.lowering.longest_strip().next_multiple_of(machine.positions);
        sums.resize(sums.len().max(self.block.min(self.columns) * pitch), S::default());
        let strips = self.lowering.strips().count();
        for block in &self.blocks[slot % self.groups] {
            for (strip, rows) in self.lowering.strips().enumerate() {
                let job = Job { slot, place: slot * strips + strip, block, rows, pitch };
                self.run(machine, schedule, job, plane, &mut sums[..block.columns.len() * pitch], hand_over);
            }
        }
    }

    fn run<W, S: Copy + Default>(
        &self,
        machine: &Machine<W, S, A>,
        schedule: Schedule,
        job: Job<'_, A>,
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
            if spill.is_empty() {
                sums.fill(S::default());
            }
            for tile in ranges(spill.clone(), schedule.tile) {
                let weights = &block.weights[tile.start * filters..tile.end * filters];
                let (taps, plane) = (&taps[tile.clone()], &plane[job.rows.start..]);
                let strip = Strip { weights, taps, plane, len, fresh: tile.start == spill.start, pitch };
                (machine.strip)(filters, &strip, sums);
            }
            for (column, sums) in block.columns.iter().zip(sums.chunks_exact(pitch)) {
                let filter = job.slot % self.groups * self.columns + column;
                let place = job.slot * self.columns + column;
                let runs = Runs::new(lowering, job.rows, place * lowering.positions());
                let start = place * lowering.positions_of_sheet() + job.rows.start;
                let first = spill.start == 0;
                hand_over(HandedStrip { filter, place: job.place, start, first, sums: &sums[..len], runs });
            }
        }
    }
}

/// A block of filters and a strip of rows of one group of one repeat, `slot = repeat · groups + group`.
struct Job<'a, A> {
    slot: usize,
    place: usize,
    block: &'a Block<A>,
    rows: Rows,
    pitch: usize,
}

/// Cuts a range into pieces of `step`; the last may be shorter.
fn ranges(whole: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    whole.clone().step_by(step).map(move |from| from..whole.end.min(from.saturating_add(step)))
}
