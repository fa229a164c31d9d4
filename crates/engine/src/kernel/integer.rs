//! Exact integer convolution.

mod parts;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use network::Geometry;

use super::depthwise::{self, Depthwise};
use super::lowering::{Bytes, Lowering, is_depthwise};
use super::portable;
use super::processor::Vectors;
use super::sweep::{Handed, HandedStrip, Input, Machine, Packed, Room, Runs, Schedule, Weights, Zeros};
use crate::error::EngineError;
use crate::layer::Layer;
use parts::{AsBytes, Parts};

/// Largest magnitude of an integer activation: 17 bits with sign, and −65536.
pub const MAX_ACTIVATION: i32 = 1 << 16;

/// The fewest weight words that a vector path must be able to sum before its 32-bit lanes are full. With fewer the path
/// is not worth taking.
const MIN_SPILL: usize = 16;

/// A layer that computes its sums `Σ code · x` exactly, with weights packed for the processor of this machine.
///
/// The sums are those of integers without a bound, whatever instructions compute them.
#[derive(Debug)]
pub struct IntegerConv {
    name: String,
    geometry: Geometry,
    codes: Arc<[i32]>,
    /// The rows of a group's lowered matrix that are summed.
    rows: Range<usize>,
    /// 1 where all codes are even, and 0 elsewhere. Codes are divided by 2 so often; what follows is of the quotients.
    halvings: u32,
    largest: i64,
    filter_sums: Vec<i64>,
    // The first input that needs a form of the weights makes it. Which form an input needs depends on its range.
    bytes: [OnceLock<Packed<u32>>; Vectors::ALL.len()],
    pairs: [OnceLock<Packed<u32>>; Vectors::ALL.len()],
    packed_words: OnceLock<Packed<i32>>,
    parts: [OnceLock<Parts>; Vectors::ALL.len()],
    depthwise: OnceLock<Depthwise>,
    /// How codes become signed bytes; none where they do not.
    as_bytes: Option<AsBytes>,
}

/// How sums are computed, the fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// 8-bit inputs and weights, 32-bit sums.
    Bytes(Vectors),
    /// 16-bit inputs and weights, 32-bit sums.
    Pairs(Vectors),
    /// 32-bit numbers throughout, safe Rust.
    Narrow,
    /// 64-bit sums, safe Rust; always possible.
    Wide,
    /// 8-bit inputs, weights of 9 bits as [`Parts`], 32-bit sums. For inputs that are bytes.
    Parts(Vectors),
    /// 8-bit inputs of channels that have filters of their own, 32-bit sums. For inputs that are bytes.
    Depthwise,
}

const PATHS: [Path; 11] = [
    Path::Depthwise,
    Path::Bytes(Vectors::Avx512),
    Path::Bytes(Vectors::Avx2),
    Path::Bytes(Vectors::Neon),
    Path::Parts(Vectors::Avx512),
    Path::Parts(Vectors::Avx2),
    Path::Parts(Vectors::Neon),
    Path::Pairs(Vectors::Avx512),
    Path::Pairs(Vectors::Avx2),
    Path::Narrow,
    Path::Wide,
];

/// What a path does with an input of a certain range.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// What is subtracted from every input, padding too. The sums are corrected for it.
    base: i32,
    /// Weight words after which sums are handed over, so that they never overflow.
    spill: usize,
}

impl IntegerConv {
    /// Takes a layer in.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if its padded input does not fit the address space, or a sum might not fit 64 bits.
    pub fn new(layer: &Layer<'_>) -> Result<Self, EngineError> {
        let geometry = layer.geometry();
        Self::of_rows(layer.name(), geometry, layer.weights().codes().into(), 0..geometry.rows())
    }

    /// Takes in some rows of the lowered matrix of each group, as a tile of an analog array has them; the sums are those of
    /// these rows alone. `codes` are those of all rows, `[filters, in_channels / groups, kernel_h, kernel_w]`, of at most
    /// 17 bits.
    ///
    /// # Errors
    ///
    /// As [`IntegerConv::new`], and [`EngineError::Shape`] if there are more or fewer codes than the geometry has weights.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    pub fn of_rows(
        name: &str,
        geometry: &Geometry,
        codes: Arc<[i32]>,
        rows: Range<usize>,
    ) -> Result<Self, EngineError> {
        assert!(rows.start <= rows.end && rows.end <= geometry.rows(), "rows of the layer");
        let layer = || name.to_string();
        let expected = geometry.spec().filters * geometry.rows();
        if codes.len() != expected {
            return Err(EngineError::Shape { layer: layer(), what: "weights", expected, found: codes.len() });
        }
        let unsupported = |problem: &str| EngineError::Unsupported { layer: layer(), problem: problem.to_string() };
        if Lowering::new(geometry, 1).is_none() {
            return Err(unsupported("its padded input does not fit the address space"));
        }
        // |code| and |activation| are at most 2^17 and 2^16.
        if geometry.rows() > 1 << 29 {
            return Err(unsupported("a filter of more than 2^29 weights may sum to more than 64 bits"));
        }
        let filters = || codes.chunks_exact(geometry.rows()).map(|filter| &filter[rows.clone()]);
        let halvings = u32::from(filters().flatten().all(|code| code % 2 == 0));
        let largest = filters().flatten().map(|code| i64::from((code >> halvings).unsigned_abs())).max().unwrap_or(0);
        let filter_sum = |filter: &[i32]| filter.iter().map(|&code| i64::from(code >> halvings)).sum();
        let filter_sums = filters().map(filter_sum).collect();
        let live = filters().filter(|filter| filter.iter().any(|&code| code != 0));
        let as_bytes = AsBytes::of(live.flatten().map(|&code| code >> halvings));
        Ok(Self {
            name: layer(),
            geometry: *geometry,
            rows: rows.clone(),
            halvings,
            largest,
            filter_sums,
            bytes: Default::default(),
            pairs: Default::default(),
            packed_words: OnceLock::new(),
            parts: Default::default(),
            depthwise: OnceLock::new(),
            as_bytes,
            codes,
        })
    }

    /// Positions of one filter for which there are sums: outputs, and what lies between their rows.
    pub fn sheet(&self) -> usize {
        Lowering::new(&self.geometry, 1).expect("it was found to exist").positions_of_sheet()
    }

    /// `Σ code · x` for every output, `[repeats, filters, out_height, out_width]`. `input` is `[repeats, in_channels,
    /// height, width]`, its zero point subtracted; padding is 0.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length, [`EngineError::Activation`] if a number of it is
    /// beyond ±[`MAX_ACTIVATION`].
    pub fn forward(&self, input: &[i32]) -> Result<Vec<i64>, EngineError> {
        let range = self.check(input)?;
        let (path, plan) = PATHS
            .iter()
            .find_map(|&path| Some((path, self.plan(path, range)?)))
            .expect("the last path is always possible");
        Ok(self.forward_by(path, plan, input))
    }

    /// Checks the input, and returns its smallest and its largest number, the zeros of padding included.
    fn check(&self, input: &[i32]) -> Result<(i32, i32), EngineError> {
        self.check_len(input.len())?;
        let (low, high) = input.iter().fold((0, 0), |(low, high), &x| (x.min(low), x.max(high)));
        if low >= -MAX_ACTIVATION && high <= MAX_ACTIVATION {
            return Ok((low, high));
        }
        let index = input.iter().position(|x| x.unsigned_abs() > MAX_ACTIVATION as u32).expect("one is out of range");
        Err(EngineError::Activation {
            layer: self.name.clone(),
            index,
            value: input[index].to_string(),
            expected: "integer activations reach ±65536 at most",
        })
    }

    /// How a path would sum inputs of `low..=high`. `None` if the path cannot, or the processor does not have it.
    fn plan(&self, path: Path, (low, high): (i32, i32)) -> Option<Plan> {
        let all = usize::MAX;
        match path {
            Path::Bytes(vectors) => {
                vectors.bytes()?;
                let fits = self.largest <= 127 && high - low <= 255;
                let base = low + vectors.byte_offset();
                let spill = self.spill(i64::from((high - base).max(base - low)), 4)?;
                fits.then_some(Plan { base, spill })
            }
            Path::Pairs(vectors) => {
                vectors.pairs()?;
                let fits = |x: i32| i16::try_from(x).is_ok();
                let base = if fits(low) && fits(high) { 0 } else { low + 32768 };
                let spill = self.spill(i64::from((high - base).max(base - low)), 2)?;
                (self.largest <= 32767 && fits(high - base)).then_some(Plan { base, spill })
            }
            Path::Narrow => {
                let bound = self.largest * i64::from(high.max(-low)) * self.rows.len() as i64;
                (bound <= i64::from(i32::MAX)).then_some(Plan { base: 0, spill: all })
            }
            Path::Wide => Some(Plan { base: 0, spill: all }),
            Path::Parts(_) | Path::Depthwise => None,
        }
    }

    /// How many words of `per_word` products a 32-bit lane surely holds, with inputs of at most `input` in magnitude.
    /// `None` if they are too few to be worth it.
    fn spill(&self, input: i64, per_word: usize) -> Option<usize> {
        let words = i64::from(i32::MAX) / (input.max(1) * self.largest.max(1) * per_word as i64);
        let rows = self.rows.len().div_ceil(per_word);
        let words = words as usize;
        (words >= rows.min(MIN_SPILL)).then_some(words)
    }

    /// How the layer sums inputs of 8-bit codes that stand for `code − zero_point`. `None` if a sum might pass 32 bits.
    ///
    /// # Panics
    ///
    /// If the zero point is not 0…255; padding has no code then.
    pub fn codes(&self, zero_point: i32) -> Option<CodeSums<'_>> {
        assert!((0..=255).contains(&zero_point), "a zero point of {zero_point}");
        let path = PATHS.into_iter().find(|&path| self.takes_codes(path))?;
        Some(CodeSums { conv: self, path, zero_point, bound: self.bound_of_codes(path)? })
    }

    /// No sum of 8-bit codes is larger in magnitude on a path, nor what it is put together from. `None` where that does not fit 32
    /// bits.
    fn bound_of_codes(&self, path: Path) -> Option<i64> {
        // Of codes as they are and of what they stand for, for both are at most 255 in magnitude. A byte times its scale is up to one
        // larger than its code, and a byte or an offset is no larger than 128.
        let largest = if matches!(path, Path::Parts(_)) { (self.largest + 1).max(128) } else { self.largest };
        let bound = largest.checked_mul(255 * self.rows.len() as i64)?;
        (bound <= i64::from(i32::MAX)).then_some(bound)
    }

    /// Whether a path sums 8-bit codes.
    fn takes_codes(&self, path: Path) -> bool {
        let takes = match path {
            Path::Depthwise => is_depthwise(self.geometry.weight_shape()) && self.rows == (0..self.geometry.rows()),
            Path::Bytes(vectors) => vectors.bytes().is_some() && self.largest <= 127,
            Path::Parts(vectors) => vectors.bytes().is_some() && self.as_bytes.is_some(),
            Path::Pairs(vectors) => vectors.pairs().is_some() && self.largest <= 32767,
            Path::Narrow => true,
            Path::Wide => false,
        };
        takes && self.bound_of_codes(path).is_some()
    }

    /// How the layer sums inputs of 16 bits, up to `largest` in magnitude. `None` if a sum might pass 32 bits.
    pub fn shorts(&self, largest: u16) -> Option<ShortSums<'_>> {
        let bound = self.largest.checked_mul(i64::from(largest) * self.rows.len() as i64)?;
        if bound > i64::from(i32::MAX) {
            return None;
        }
        let fits = |path: Path| match path {
            Path::Pairs(vectors) => vectors.pairs().is_some() && self.largest <= 32767,
            Path::Narrow => true,
            Path::Bytes(_) | Path::Parts(_) | Path::Depthwise | Path::Wide => false,
        };
        Some(ShortSums { conv: self, path: PATHS.into_iter().find(|&path| fits(path))? })
    }

    fn check_len(&self, found: usize) -> Result<(), EngineError> {
        let expected = self.geometry.input_len();
        if found == expected {
            return Ok(());
        }
        Err(EngineError::Shape { layer: self.name.clone(), what: "input", expected, found })
    }

    fn depthwise(&self) -> &Depthwise {
        let weights = || self.codes.iter().map(|code| code >> self.halvings).collect();
        self.depthwise.get_or_init(|| Depthwise::new(&self.geometry, weights(), pair))
    }

    fn forward_by(&self, path: Path, plan: Plan, input: &[i32]) -> Vec<i64> {
        match path {
            Path::Bytes(vectors) => self.sweep_words(self.of_bytes(vectors), plan, input, bytes),
            Path::Pairs(vectors) => self.sweep_words(self.of_pairs(vectors), plan, input, pair),
            Path::Narrow => self.sweep(self.packed_words(), &portable::machine::<i32, i32>(), plan, input, |[x]| x),
            Path::Wide => self.sweep(self.packed_words(), &portable::machine::<i32, i64>(), plan, input, |[x]| x),
            Path::Parts(_) | Path::Depthwise => unreachable!("no plan has this path"),
        }
    }

    /// `word` packs neighbours of a sum, weights or inputs alike.
    fn sweep_words<const N: usize>(
        &self,
        (packed, machine): (&Packed<u32>, Machine<u32, i32>),
        plan: Plan,
        input: &[i32],
        word: impl Fn([i32; N]) -> u32 + Copy,
    ) -> Vec<i64> {
        self.sweep(
            packed,
            &machine,
            plan,
            input,
            #[inline(always)]
            move |x: [i32; N]| {
                let mut based = x;
                based.iter_mut().for_each(|x| *x -= plan.base);
                word(based)
            },
        )
    }

    /// What multiplies bytes, and the weights in its form.
    fn of_bytes(&self, vectors: Vectors) -> (&Packed<u32>, Machine<u32, i32>) {
        let machine = vectors.bytes().expect("a path is taken only where there is a machine");
        (self.bytes[vectors as usize].get_or_init(|| self.pack(machine.block, bytes)), machine)
    }

    /// As [`IntegerConv::of_bytes`] of pairs.
    fn of_pairs(&self, vectors: Vectors) -> (&Packed<u32>, Machine<u32, i32>) {
        let machine = vectors.pairs().expect("a path is taken only where there is a machine");
        (self.pairs[vectors as usize].get_or_init(|| self.pack(machine.block, pair)), machine)
    }

    /// Hands over the sums of inputs of 8 or 16 bits, by pairs where the path is one of them.
    fn sum_strips<T: Copy + Into<i32>>(
        &self,
        path: Path,
        input: Input<'_, T>,
        room: &mut CodeRoom,
        take: impl FnMut(HandedStrip<'_, i32>),
    ) {
        if let Path::Pairs(vectors) = path {
            let (packed, machine) = self.of_pairs(vectors);
            packed.sweep_strips(
                &machine,
                Schedule::WHOLE,
                input,
                #[inline(always)]
                |[a, b]: [T; 2]| pair([a.into(), b.into()]),
                &mut room.words,
                take,
            );
        } else {
            let (packed, machine) = (self.packed_words(), portable::machine::<i32, i32>());
            packed.sweep_strips(&machine, Schedule::WHOLE, input, |[x]: [T; 1]| x.into(), &mut room.numbers, take);
        }
    }

    fn packed_words(&self) -> &Packed<i32> {
        self.packed_words.get_or_init(|| self.pack(portable::BLOCK, |[code]| code))
    }

    fn pack<W: Copy, const N: usize>(&self, block: usize, word: impl Fn([i32; N]) -> W) -> Packed<W> {
        let lowering = Lowering::new(&self.geometry, N).expect("it exists with one channel a word");
        Packed::new(lowering, block, &self.weights(), |codes| word(codes.map(|code| code >> self.halvings)))
    }

    fn weights(&self) -> Weights<'_, i32> {
        let (values, shape) = (&*self.codes, self.geometry.weight_shape());
        Weights { values, shape, rows: self.rows.clone(), zeros: Zeros::Skipped }
    }

    fn sweep<W: Copy, S: Copy + Default + Into<i64>, const N: usize>(
        &self,
        packed: &Packed<W>,
        machine: &Machine<W, S>,
        plan: Plan,
        input: &[i32],
        word: impl Fn([i32; N]) -> W + Copy,
    ) -> Vec<i64> {
        let mut output = vec![0i64; self.geometry.output_len()];
        let schedule = Schedule { tile: plan.spill, spill: plan.spill, words: Schedule::ALL };
        packed.sweep(machine, schedule, input, word, |handed: Handed<'_, S>| {
            let output = &mut output[handed.index..handed.index + handed.sums.len()];
            // x = (x − base) + base, so base · Σ code is missing from the sum; once.
            let missing = if handed.first { i64::from(plan.base) * self.filter_sums[handed.filter] } else { 0 };
            for (output, &sum) in output.iter_mut().zip(handed.sums) {
                *output += (sum.into() + missing) << self.halvings;
            }
        });
        output
    }
}

/// How a layer sums inputs of 8-bit codes; see [`IntegerConv::codes`].
#[derive(Clone, Copy, Debug)]
pub struct CodeSums<'a> {
    conv: &'a IntegerConv,
    path: Path,
    zero_point: i32,
    bound: i64,
}

/// What sums of codes are made in. One serves any number of layers, one after another, and grows to the largest.
#[derive(Debug, Default)]
pub struct CodeRoom {
    words: Room<u32, i32>,
    numbers: Room<i32, i32>,
    /// By strip of a group: the sums of the inputs.
    inputs: Vec<Vec<i32>>,
    /// Sums put together from parts.
    whole: Vec<i32>,
    depthwise: depthwise::Room,
}

/// Sums of one filter over some neighbouring rows of the output.
#[derive(Clone, Copy)]
pub struct Sums<'a, S = i32> {
    /// The filter, over all groups.
    pub filter: usize,
    /// What is missing from each sum.
    pub missing: i32,
    /// `Σ code · x / unit − missing`, of outputs and of some positions between the rows.
    pub sums: &'a [S],
    /// Where the sums begin in `[repeats, filters, sheet]`; see [`IntegerConv::sheet`].
    pub start: usize,
    runs: Runs<'a>,
}

impl<'a, S> Sums<'a, S> {
    pub(super) fn new(strip: HandedStrip<'a, S>, missing: i32) -> Self {
        let HandedStrip { filter, sums, start, runs, .. } = strip;
        Self { filter, missing, sums, start, runs }
    }

    /// Which sums are outputs: their places in `sums`, and the index of the first in `[repeats, filters, out_height,
    /// out_width]`.
    pub fn runs(&self) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
        self.runs.iter()
    }

    /// Where all sums are neighbouring outputs, the index of the first.
    pub fn whole(&self) -> Option<usize> {
        let (run, index) = self.runs.iter().next()?;
        (run.len() == self.sums.len()).then_some(index)
    }

    /// Puts what `make` makes of all sums, one of each, where `output`, `[repeats, filters, out_height, out_width]`, has the outputs.
    /// `made` is memory for it.
    pub fn place<T: Copy + Default>(&self, made: &mut Vec<T>, output: &mut [T], make: impl FnOnce(&mut [T])) {
        let len = self.sums.len();
        if let Some(index) = self.whole() {
            return make(&mut output[index..index + len]);
        }
        made.resize(len, T::default());
        make(made);
        self.runs().for_each(|(run, index)| output[index..index + run.len()].copy_from_slice(&made[run]));
    }
}

impl CodeSums<'_> {
    /// What one of the sums is worth, in half-steps: 1, or 2 where all codes of weights are even.
    pub fn unit(&self) -> i32 {
        1 << self.conv.halvings
    }

    /// No sum is larger in magnitude.
    pub fn bound(&self) -> i64 {
        self.bound
    }

    /// Hands over the sums of all outputs. `codes` is `[repeats, in_channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length.
    pub fn sum(&self, codes: &[u8], room: &mut CodeRoom, mut take: impl FnMut(Sums<'_>)) -> Result<(), EngineError> {
        let conv = self.conv;
        conv.check_len(codes.len())?;
        let input = Input { values: codes, zero: self.zero_point as u8 };
        // x = (code − offset) − (zero_point − offset): what is missing is the last part times Σ code of the weights.
        let offset = match self.path {
            Path::Bytes(vectors) | Path::Parts(vectors) => vectors.byte_offset(),
            Path::Pairs(_) | Path::Narrow | Path::Wide | Path::Depthwise => 0,
        };
        let take = |strip: HandedStrip<'_, i32>| {
            let missing = -(i64::from(self.zero_point - offset) * conv.filter_sums[strip.filter]) as i32;
            take(Sums::new(strip, missing));
        };
        match self.path {
            Path::Bytes(vectors) => {
                let (packed, machine) = conv.of_bytes(vectors);
                packed.sweep_bytes(&machine, vectors.join(), input, &mut room.words, take);
            }
            Path::Parts(vectors) => conv.sum_parts(vectors, input, room, take),
            Path::Depthwise => {
                let of_pairs = Vectors::ALL.into_iter().find_map(Vectors::pairs);
                let pairs = of_pairs.filter(|_| conv.largest <= 32767);
                conv.depthwise().sweep(pairs.as_ref(), input, &mut room.depthwise, take);
            }
            // 32 bits hold every sum, so that no input is `Wide`.
            Path::Pairs(_) | Path::Narrow | Path::Wide => {
                conv.sum_strips(self.path, input, room, take);
            }
        }
        Ok(())
    }
}

/// How a layer sums inputs of 16 bits; see [`IntegerConv::shorts`].
#[derive(Clone, Copy, Debug)]
pub struct ShortSums<'a> {
    conv: &'a IntegerConv,
    path: Path,
}

impl ShortSums<'_> {
    /// As [`CodeSums::unit`].
    pub fn unit(&self) -> i32 {
        1 << self.conv.halvings
    }

    /// Hands over the sums of all outputs. `input` is `[repeats, in_channels, height, width]`, of numbers that are no larger
    /// than was said; padding is 0.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length.
    pub fn sum(&self, input: &[i16], room: &mut CodeRoom, mut take: impl FnMut(Sums<'_>)) -> Result<(), EngineError> {
        let conv = self.conv;
        conv.check_len(input.len())?;
        let input = Input { values: input, zero: 0 };
        let take = |strip: HandedStrip<'_, i32>| take(Sums::new(strip, 0));
        conv.sum_strips(self.path, input, room, take);
        Ok(())
    }
}

impl Packed<u32> {
    /// Sums inputs of bytes with weights of bytes.
    fn sweep_bytes(
        &self,
        machine: &Machine<u32, i32>,
        join: Bytes,
        input: Input<'_, u8>,
        room: &mut Room<u32, i32>,
        take: impl FnMut(HandedStrip<'_, i32>),
    ) {
        self.sweep_strips(machine, Schedule::WHOLE, input, join, room, take);
    }
}

/// Four 8-bit numbers, signed or not, in a word.
#[inline(always)]
fn bytes([a, b, c, d]: [i32; 4]) -> u32 {
    (a as u32 & 0xff) | (b as u32 & 0xff) << 8 | (c as u32 & 0xff) << 16 | (d as u32 & 0xff) << 24
}

/// Two 16-bit numbers in a word.
#[inline(always)]
fn pair([a, b]: [i32; 2]) -> u32 {
    (a as u32 & 0xffff) | (b as u32 & 0xffff) << 16
}

#[cfg(test)]
mod tests;
