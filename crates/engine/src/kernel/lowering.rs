//! Where the weights of a group find their inputs.

use std::array;
use std::ops::Range;

use esn::WeightShape;
use network::{Geometry, GeometrySpec};

/// Words that may have to stand behind a plane. No kernel works on more positions at a time.
const MOST_POSITIONS: usize = 128;

/// Positions that a strip holds, unless a single row holds more. The sums of a block of filters then stay in cache.
const STRIP_POSITIONS: usize = 2048;

/// The plane of a geometry and the taps into it.
///
/// A word of the plane holds `N` neighbouring channels of one pixel. The padded input is dealt to sheets, one for each
/// remainder of its coordinates by the stride. Along a sheet, neighbouring output positions read neighbouring words:
/// with `width` the width of a sheet, output position `(y, x)` reads for each weight word the word
/// `tap + y · width + x` of the plane. For example, at stride 2 there is a sheet of the even columns and one of the odd
/// columns. Positions with `x` beyond the output are computed too, and dropped. Where they are many, each column of the kernel
/// has a sheet of its own, as wide as the output: there is more to fill, and nothing to drop. So it is, too, where each channel
/// has filters of its own.
#[derive(Clone, Debug)]
pub(super) struct Lowering {
    spec: GeometrySpec,
    out: [usize; 2],
    channels: usize,
    words: usize,
    per_word: usize,
    /// By axis, the coordinate in the padded input at which each sheet begins.
    phases: [Vec<usize>; 2],
    /// By axis and phase, the rows or columns of the sheet that lie in the input.
    inside: [Vec<Range<usize>>; 2],
    sheet: [usize; 2],
    taps: Vec<usize>,
}

/// Some rows of the output, as positions of a sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// First row of the output.
    pub(super) first: usize,
    /// Number of rows.
    pub(super) count: usize,
    /// Position of the first row's first output.
    pub(super) start: usize,
    /// Positions up to the last row's last output.
    pub(super) len: usize,
}

impl Lowering {
    /// Lowers a geometry with `per_word` channels in a word. `None` if the plane has more bytes than an address space.
    pub(super) fn new(geometry: &Geometry, per_word: usize) -> Option<Self> {
        let (spec, out) = lay_down(geometry);
        let channels = spec.in_channels / spec.groups;
        let wide = [sheet_extent(&spec, out, 0)?, sheet_extent(&spec, out, 1)?];
        let mut phases = [phases(&spec, 0), phases(&spec, 1)];
        let mut sheet = wide;
        if is_depthwise(geometry.weight_shape()) || splits_columns(&spec, out, wide, phases[1].len()) {
            phases[1] = (0..spec.kernel[1]).map(|tap| tap * spec.dilation[1]).collect();
            sheet[1] = out[1];
        }
        let inside =
            [0, 1].map(|axis| phases[axis].iter().map(|&phase| inside(&spec, sheet[axis], axis, phase)).collect());
        let mut lowering = Self {
            spec,
            out,
            channels,
            words: channels.div_ceil(per_word),
            per_word,
            phases,
            inside,
            sheet,
            taps: Vec::new(),
        };
        lowering.checked_plane_len().filter(|&len| len <= isize::MAX as usize / 4)?;
        lowering.taps = lowering.make_taps();
        Some(lowering)
    }

    fn checked_plane_len(&self) -> Option<usize> {
        [self.words, self.phases[0].len(), self.phases[1].len(), self.sheet[0], self.sheet[1]]
            .iter()
            .try_fold(1usize, |product, &n| product.checked_mul(n))?
            .checked_add(MOST_POSITIONS)
    }

    fn make_taps(&self) -> Vec<usize> {
        let s = &self.spec;
        let sheet = self.sheet[0] * self.sheet[1];
        let place = |axis: usize, tap: usize| {
            let offset = tap * s.dilation[axis];
            let holds = |&phase: &usize| phase <= offset && (offset - phase).is_multiple_of(s.stride[axis]);
            let index = self.phases[axis].iter().rposition(holds).expect("every tap has a sheet");
            (index, (offset - self.phases[axis][index]) / s.stride[axis])
        };
        let mut in_word = Vec::with_capacity(s.kernel[0] * s.kernel[1]);
        for ky in 0..s.kernel[0] {
            let (phase_y, shift_y) = place(0, ky);
            for kx in 0..s.kernel[1] {
                let (phase_x, shift_x) = place(1, kx);
                let phase = phase_y * self.phases[1].len() + phase_x;
                in_word.push(phase * sheet + shift_y * self.sheet[1] + shift_x);
            }
        }
        let stride = self.phases[0].len() * self.phases[1].len() * sheet;
        (0..self.words).flat_map(|word| in_word.iter().map(move |tap| word * stride + tap)).collect()
    }

    /// Where each weight word, `[channel words, taps of the kernel]`, finds the input of position 0.
    pub(super) fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// Words of the plane. A kernel may read past the last position of a strip, and needs words behind the plane.
    pub(super) fn plane_len(&self) -> usize {
        self.words * self.phases[0].len() * self.phases[1].len() * self.sheet[0] * self.sheet[1]
    }

    /// Channels of a group, and channels in a word.
    pub(super) fn channels(&self) -> (usize, usize) {
        (self.channels, self.per_word)
    }

    /// Elements of the input of one group of one repeat.
    pub(super) fn group_len(&self) -> usize {
        self.channels * self.spec.in_size[0] * self.spec.in_size[1]
    }

    /// The specification and the size of the output, as the kernel takes them.
    pub(super) fn laid_down(&self) -> (GeometrySpec, [usize; 2]) {
        (self.spec, self.out)
    }

    /// Output positions of one repeat.
    pub(super) fn positions(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Positions that a kernel works on in one repeat: outputs, and what lies between their rows.
    pub(super) fn positions_of_sheet(&self) -> usize {
        self.out[0] * self.sheet[1]
    }

    /// The output rows, in strips.
    pub(super) fn strips(&self) -> impl Iterator<Item = Rows> {
        let step = (STRIP_POSITIONS / self.sheet[1]).max(1);
        (0..self.out[0]).step_by(step).map(move |first| {
            let count = step.min(self.out[0] - first);
            Rows { first, count, start: first * self.sheet[1], len: (count - 1) * self.sheet[1] + self.out[1] }
        })
    }

    /// Positions of the longest strip.
    pub(super) fn longest_strip(&self) -> usize {
        self.strips().next().map_or(0, |rows| rows.len)
    }

    /// The runs of a strip that are outputs: the positions of each within the strip, and the index of its first output.
    pub(super) fn runs(&self, rows: Rows) -> impl Iterator<Item = (Range<usize>, usize)> {
        let whole = self.sheet[1] == self.out[1];
        let (count, width) = if whole { (1, rows.len) } else { (rows.count, self.out[1]) };
        (0..count).map(move |row| {
            let from = row * self.sheet[1];
            (from..from + width, (rows.first + row) * self.out[1])
        })
    }

    /// Lays out the input of one group, `[channels, height, width]`, in the plane. `word` joins `N` channels of a
    /// pixel, of padding `N` times `zero`. A word that reaches beyond the last channel repeats another one there, for
    /// the weights of such channels are 0. `joined` is memory for the words of a channel.
    pub(super) fn fill<T: Copy, W: Copy, const N: usize>(
        &self,
        input: &[T],
        zero: T,
        joined: &mut Vec<W>,
        plane: &mut [W],
        word: impl Join<T, W, N>,
    ) {
        let [height, width] = self.spec.in_size;
        let padding = word.word([zero; N]);
        joined.resize(height * width, padding);
        let joined = &mut joined[..height * width];
        let mut sheets = plane.chunks_exact_mut(self.sheet[0] * self.sheet[1]);
        for channel in (0..self.channels).step_by(N) {
            let channels: [usize; N] =
                array::from_fn(|i| if channel + i < self.channels { channel + i } else { channel });
            let joined = word.joined(channels.map(|c| &input[c * height * width..][..height * width]), joined);
            for phase_y in 0..self.phases[0].len() {
                for phase_x in 0..self.phases[1].len() {
                    let sheet = sheets.next().expect("a plane has all sheets");
                    self.fill_sheet(joined, padding, [phase_y, phase_x], sheet);
                }
            }
        }
    }

    /// Fills the sheet of these phases by axis.
    fn fill_sheet<W: Copy>(&self, source: &[W], padding: W, phases: [usize; 2], sheet: &mut [W]) {
        let GeometrySpec { stride, pads, in_size: [_, width], .. } = self.spec;
        let phase: [usize; 2] = array::from_fn(|axis| self.phases[axis][phases[axis]]);
        let inside = &self.inside[0][phases[0]];
        let (above, rest) = sheet.split_at_mut(inside.start * self.sheet[1]);
        let (rows, below) = rest.split_at_mut(inside.len() * self.sheet[1]);
        above.fill(padding);
        below.fill(padding);
        if rows.is_empty() {
            return;
        }
        let source = &source[(inside.start * stride[0] + phase[0] - pads[0]) * width..];
        let columns = &self.inside[1][phases[1]];
        if stride == [1, 1] && self.sheet[1] == width && !columns.is_empty() {
            // The rows lie one behind another in both.
            let len = rows.len() - (width - columns.len());
            rows[columns.start..][..len].copy_from_slice(&source[columns.start + phase[1] - pads[1]..][..len]);
            for row in rows.chunks_exact_mut(width) {
                pad_with(&mut row[..columns.start], padding);
                pad_with(&mut row[columns.end..], padding);
            }
            return;
        }
        for (row, target) in rows.chunks_exact_mut(self.sheet[1]).enumerate() {
            self.fill_row(&source[row * stride[0] * width..][..width], padding, phase[1], columns.clone(), target);
        }
    }

    /// Fills a row of a sheet, of which `columns` lie in the input.
    fn fill_row<W: Copy>(&self, source: &[W], padding: W, phase: usize, columns: Range<usize>, target: &mut [W]) {
        let (stride, pad) = (self.spec.stride[1], self.spec.pads[1]);
        let Range { start: from, end: to } = columns;
        pad_with(&mut target[..from], padding);
        pad_with(&mut target[to..], padding);
        if from == to {
            return;
        }
        let first = from * stride + phase - pad;
        let target = &mut target[from..to];
        let source = &source[first..first + (target.len() - 1) * stride + 1];
        match stride {
            1 => target.copy_from_slice(source),
            // Pairs, whose first is taken, have vector instructions.
            2 => {
                let (pairs, last) = source.as_chunks::<2>();
                let (target_of_last, targets) = target.split_last_mut().expect("columns lie in the input");
                targets.iter_mut().zip(pairs).for_each(|(target, pair)| *target = pair[0]);
                *target_of_last = last[0];
            }
            _ => target.iter_mut().zip(source.iter().step_by(stride)).for_each(|(target, &source)| *target = source),
        }
    }
}

/// Fills words, mostly none or a single one.
#[inline(always)]
fn pad_with<W: Copy>(words: &mut [W], padding: W) {
    match words {
        [] => {}
        [word] => *word = padding,
        words => words.fill(padding),
    }
}

/// How `N` neighbouring channels become words.
pub(super) trait Join<T, W, const N: usize>: Copy {
    /// The word of a pixel.
    fn word(self, channels: [T; N]) -> W;

    /// The words of all pixels; channels are as long as `joined`.
    fn join(self, channels: [&[T]; N], joined: &mut [W]);

    /// The words of all pixels, in `joined` or where they lie already.
    fn joined<'a>(self, channels: [&'a [T]; N], joined: &'a mut [W]) -> &'a [W] {
        self.join(channels, joined);
        joined
    }
}

/// Numbers that are words as they are.
#[derive(Clone, Copy)]
pub(super) struct Alone;

impl<T: Copy> Join<T, T, 1> for Alone {
    fn word(self, [number]: [T; 1]) -> T {
        number
    }

    fn join(self, [numbers]: [&[T]; 1], joined: &mut [T]) {
        joined.copy_from_slice(numbers);
    }

    fn joined<'a>(self, [numbers]: [&'a [T]; 1], _: &'a mut [T]) -> &'a [T] {
        numbers
    }
}

impl<T: Copy, W: Copy, F: Fn([T; N]) -> W + Copy, const N: usize> Join<T, W, N> for F {
    fn word(self, channels: [T; N]) -> W {
        self(channels)
    }

    fn join(self, channels: [&[T]; N], joined: &mut [W]) {
        join(channels, joined, self);
    }
}

/// Four bytes in a word, the first one lowest, with these bits of the word flipped.
#[derive(Clone, Copy)]
pub(super) struct Bytes(pub(super) u32);

impl Bytes {
    /// Bytes as they are.
    pub(super) const PLAIN: Self = Self(0);

    /// Bytes less 128, which have a sign.
    pub(super) const SIGNED: Self = Self(0x8080_8080);
}

impl Join<u8, u32, 4> for Bytes {
    fn word(self, channels: [u8; 4]) -> u32 {
        u32::from_le_bytes(channels) ^ self.0
    }

    fn join(self, channels: [&[u8]; 4], joined: &mut [u32]) {
        let Self(flipped) = self;
        #[cfg(target_arch = "x86_64")]
        let done = if flipped == 0 { super::x86::join_bytes(channels, joined) } else { 0 };
        #[cfg(not(target_arch = "x86_64"))]
        let done = 0;
        join(
            channels.map(|channel| &channel[done..]),
            &mut joined[done..],
            #[inline(always)]
            move |four: [u8; 4]| u32::from_le_bytes(four) ^ flipped,
        );
    }
}

/// The words of all pixels of `N` channels, 1, 2 or 4, which are as long as `joined`.
fn join<T: Copy, W: Copy, const N: usize>(channels: [&[T]; N], joined: &mut [W], word: impl Fn([T; N]) -> W + Copy) {
    let [a, b, c, d] = array::from_fn(|i| channels[i.min(N - 1)]);
    lanes::run(
        #[inline(always)]
        move || match N {
            1 => joined.iter_mut().zip(a).for_each(|(joined, &a)| *joined = word(first([a; 4]))),
            2 => {
                for ((joined, &a), &b) in joined.iter_mut().zip(a).zip(b) {
                    *joined = word(first([a, b, a, b]));
                }
            }
            4 => {
                for ((((joined, &a), &b), &c), &d) in joined.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *joined = word(first([a, b, c, d]));
                }
            }
            _ => unreachable!("no word holds {N} channels"),
        },
    );
}

/// The first `N` of four.
#[inline(always)]
fn first<T: Copy, const N: usize>(four: [T; 4]) -> [T; N] {
    let mut first = [four[0]; N];
    let mut i = 1;
    // No call: this stands in the innermost loop.
    while i < N {
        first[i] = four[i];
        i += 1;
    }
    first
}

/// The specification and the output size. An image of a single column becomes one of a single row, which is the same
/// memory with longer runs.
fn lay_down(geometry: &Geometry) -> (GeometrySpec, [usize; 2]) {
    let (mut spec, mut out) = (*geometry.spec(), geometry.out_size());
    if spec.in_size[1] == 1 && spec.pads[1] == 0 && spec.pads[3] == 0 {
        spec.kernel.swap(0, 1);
        spec.stride.swap(0, 1);
        spec.dilation.swap(0, 1);
        spec.in_size.swap(0, 1);
        spec.pads = [spec.pads[1], spec.pads[0], spec.pads[3], spec.pads[2]];
        out.swap(0, 1);
    }
    (spec, out)
}

/// The remainders by the stride that the offsets of the taps have along an axis.
fn phases(spec: &GeometrySpec, axis: usize) -> Vec<usize> {
    let mut phases: Vec<usize> =
        (0..spec.kernel[axis]).map(|tap| tap * spec.dilation[axis] % spec.stride[axis]).collect();
    phases.sort_unstable();
    phases.dedup();
    phases
}

/// The rows (axis 0) or columns of a sheet of some extent that lie in the input, where the sheet begins at `phase`.
pub(super) fn inside(spec: &GeometrySpec, extent: usize, axis: usize, phase: usize) -> Range<usize> {
    let (stride, pad, size) = (spec.stride[axis], spec.pads[axis], spec.in_size[axis]);
    let from = pad.saturating_sub(phase).div_ceil(stride).min(extent);
    from..(size + pad).saturating_sub(phase).div_ceil(stride).clamp(from, extent)
}

/// Whether each channel has a filter or two of its own. For more of them other ways to sum are faster.
pub(super) fn is_depthwise(shape: WeightShape) -> bool {
    shape.channels == 1 && shape.groups > 1 && shape.filters / shape.groups <= 2
}

/// Whether a sheet for each column of the kernel takes less time than sheets that are wider than the output, `wide`, of which
/// there are `sheets` in a row.
fn splits_columns(spec: &GeometrySpec, out: [usize; 2], wide: [usize; 2], sheets: usize) -> bool {
    /// Words that are filled in the time in which one word is multiplied for sixteen filters.
    const FILLED: usize = 4;
    /// Numbers that a cache near the processor holds.
    const NUMBERS: usize = 1 << 18;
    let multiplied = [spec.kernel[0], spec.kernel[1], spec.filters / spec.groups, FILLED];
    let multiplied = multiplied.iter().fold(wide[1] - out[1], |product, &n| product.saturating_mul(n));
    let filled = out[1].saturating_mul(spec.kernel[1] - sheets).saturating_mul(16);
    let numbers = [spec.in_channels / spec.groups, spec.kernel[1], wide[0], out[1]];
    let fits = numbers.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).is_some_and(|n| n <= NUMBERS);
    fits && filled < multiplied
}

/// Rows (axis 0) or columns of a sheet: the outputs, and what a kernel reaches beyond the last of them.
pub(super) fn sheet_extent(spec: &GeometrySpec, out: [usize; 2], axis: usize) -> Option<usize> {
    out[axis].checked_add((spec.kernel[axis] - 1) * spec.dilation[axis] / spec.stride[axis])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_joined_in_order() {
        for len in [0, 5, 63, 64, 200] {
            let channels: [Vec<u8>; 4] = array::from_fn(|c| (0..len).map(|i| (7 * i + 61 * c) as u8).collect());
            let mut joined = vec![0; len];
            for (how, flipped) in [(Bytes::PLAIN, 0), (Bytes::SIGNED, 0x80)] {
                how.join(channels.each_ref().map(Vec::as_slice), &mut joined);
                let word = |i: usize| u32::from_le_bytes(array::from_fn(|c| channels[c][i] ^ flipped));
                assert_eq!(joined, (0..len).map(word).collect::<Vec<u32>>());
            }
        }
    }
}
