//! The metric of a layer that is larger than memory. Its weights come in chunks, are quantized, counted and forgotten.
//!
//! [`LayerStream`] finds exactly what [`quantize_max_abs`](crate::quantize_max_abs), [`LayerEsn::new`] and
//! [`quantization_noise`](crate::quantization_noise) find from all weights at once. Counts are integers, and the sums
//! of real numbers are added in the same order. The loops over weights are the same code too, here compiled for wider
//! vectors. To call a function that is compiled for instructions which only some processors have is unsafe; it is the
//! only unsafe code of this crate.

use std::ops::Range;

use thiserror::Error;

use crate::code::WeightShape;
use crate::metric::{BitConvention, Counts, LayerEsn, Magnitudes, bits};
use crate::quantize::{self, BitWidth, FusedStep, QuantizeError, step_of};
use crate::snr::{PIECE, PowerLanes, SignalNoise};
use crate::stored::{Bfloat16, Float16, Float32, Format, StoredWeights};

/// Weights that are quantized before they are counted. The codes of so few stay in the nearest cache.
const BLOCK: usize = 1024;

/// What becomes of a block of weights. Each part begins where a vector does, wherever this lies.
struct Room {
    reals: Block<f32>,
    codes: Block<i32>,
    magnitudes: Magnitudes,
}

#[repr(align(64))]
struct Block<T>([T; BLOCK]);

/// Why a layer cannot be streamed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StreamError {
    /// The layer has groups, or no weights.
    #[error("a layer of {0:?} is not streamed")]
    Shape(WeightShape),
    /// The weights have no step.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
}

/// The metric of one layer of one group, whose weights stream by. They are put on the mid-rise grid with the step that
/// the largest weight gives.
///
/// ```
/// use esn::{BitConvention, BitWidth, LayerStream, StoredWeights, WeightShape, largest_magnitude};
///
/// let weights = [1.0f32, 0.3, 0.0, -0.2, -1.0, 0.6].map(f32::to_le_bytes);
/// let shape = WeightShape { filters: 2, groups: 1, channels: 3, taps: 1 };
/// let max_abs = largest_magnitude(StoredWeights::F32(&weights)).expect("weights are finite");
/// let mut layer = LayerStream::new(shape, max_abs, BitWidth::new(2)?, BitConvention::default())?;
/// for range in layer.chunks().collect::<Vec<_>>() {
///     let chunk = layer.measure(range.clone(), StoredWeights::F32(&weights[range])); // on any thread
///     layer.add(&chunk); // in order
/// }
/// let (esn, power) = layer.finish(10);
/// assert_eq!((esn.nonzero, esn.macs), (5, 60));
/// assert!(power.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LayerStream {
    shape: WeightShape,
    convention: BitConvention,
    step: f64,
    range: quantize::Range,
    layer: LayerEsn,
    power: SignalNoise,
    /// The filter that is not complete yet.
    filter: Counts,
    filter_power: SignalNoise,
    /// Weights that were added.
    added: usize,
    /// The bits of the widest weight, summed over filters that are not pruned.
    widest_bits: u128,
    /// Filters whose largest `|code|` is 1.
    unit_filters: u128,
    live: Live,
}

/// Places, `[channels, taps]`, at which some filter has a nonzero weight: all, or those whose bit is set.
#[derive(Debug)]
enum Live {
    All,
    Some(Vec<u64>),
}

/// What one chunk of a layer adds up to.
#[derive(Debug)]
pub struct ChunkMeasure {
    range: Range<usize>,
    /// Counts, signal and noise of each filter in the chunk, in order. The last filter may go on in the next chunk.
    parts: Vec<(Counts, SignalNoise)>,
    /// Places with a nonzero weight, by bit, from the first place of the chunk on; `None` where they need not be known.
    live: Option<Vec<u64>>,
}

impl LayerStream {
    /// Begins a layer. Its largest magnitude, `max_abs`, is known from a first pass over its weights
    /// ([`largest_magnitude`]).
    ///
    /// # Errors
    ///
    /// [`StreamError::Shape`] if the layer has more than one group or no weights, [`StreamError::Quantize`] if
    /// `max_abs` gives no step.
    pub fn new(
        shape: WeightShape,
        max_abs: f64,
        bits: BitWidth,
        convention: BitConvention,
    ) -> Result<Self, StreamError> {
        let len = shape.len().filter(|&len| len > 0 && shape.groups == 1).ok_or(StreamError::Shape(shape))?;
        let step = step_of(max_abs, bits)?;
        let layer = LayerEsn { weights: len as u128, filters: shape.filters as u128, ..LayerEsn::default() };
        Ok(Self {
            shape,
            convention,
            step,
            range: quantize::Range::new(bits),
            layer,
            power: SignalNoise::default(),
            filter: Counts::default(),
            filter_power: SignalNoise::default(),
            added: 0,
            widest_bits: 0,
            unit_filters: 0,
            live: Live::Some(vec![0; shape.filter_len().div_ceil(64)]),
        })
    }

    /// The step Δ, in the unit of the weights; 0 if every weight is 0.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// The chunks that the layer is measured in, as indices of row-major weights. A chunk is some whole filters, or a
    /// piece of one.
    pub fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (len, filters) = (self.shape.filter_len(), self.shape.filters);
        // Filters that fit a piece stay whole, longer ones are cut.
        let together = (PIECE / len).max(1);
        let size = if len > PIECE { PIECE } else { together * len };
        (0..filters.div_ceil(together)).flat_map(move |run| {
            let end = ((run + 1) * together).min(filters) * len;
            (run * together * len..end).step_by(size).map(move |start| start..(start + size).min(end))
        })
    }

    /// Quantizes and counts the weights of one chunk. `range` must be one of [`LayerStream::chunks`], and the weights
    /// finite.
    pub fn measure(&self, range: Range<usize>, weights: StoredWeights<'_>) -> ChunkMeasure {
        self.measure_stored(range, weights, None)
    }

    /// As [`LayerStream::measure`]. The codes of the chunk are put into `codes` as well.
    ///
    /// # Panics
    ///
    /// If `codes` has another length than the chunk.
    pub fn encode(&self, range: Range<usize>, weights: StoredWeights<'_>, codes: &mut [i32]) -> ChunkMeasure {
        assert_eq!(codes.len(), weights.len(), "there is a place for each code");
        self.measure_stored(range, weights, Some(codes))
    }

    fn measure_stored(
        &self,
        range: Range<usize>,
        weights: StoredWeights<'_>,
        codes: Option<&mut [i32]>,
    ) -> ChunkMeasure {
        match weights {
            StoredWeights::F32(weights) => self.measure_as::<Float32>(range, weights, codes),
            StoredWeights::Bf16(weights) => self.measure_as::<Bfloat16>(range, weights, codes),
            StoredWeights::F16(weights) => self.measure_as::<Float16>(range, weights, codes),
        }
    }

    fn measure_as<F: Format>(
        &self,
        range: Range<usize>,
        weights: &[F::Stored],
        mut codes: Option<&mut [i32]>,
    ) -> ChunkMeasure {
        let len = self.shape.filter_len();
        let mut room = Room { reals: Block([0.0; BLOCK]), codes: Block([0; BLOCK]), magnitudes: Magnitudes::default() };
        let of_filter = |(index, filter): (usize, &[F::Stored])| {
            let places = index * len..index * len + filter.len();
            let kept = codes.as_deref_mut().map(|codes| &mut codes[places]);
            let grid = OnGrid { step: self.step, range: self.range, convention: self.convention };
            let (mut counts, mut power) = (Counts::default(), PowerLanes::default());
            widest::count::<F>(filter, grid, kept, &mut room, &mut counts, &mut power);
            (counts, power.sum())
        };
        let parts: Vec<_> = weights.chunks(len).enumerate().map(of_filter).collect();
        let nonzero: u64 = parts.iter().map(|(counts, _)| counts.nonzero).sum();
        let dense = nonzero == weights.len() as u64 && weights.len() <= len;
        let full_filter = weights.len() >= len && parts.iter().any(|(counts, _)| counts.nonzero == len as u64);
        let live = match &self.live {
            Live::Some(_) if !dense && !full_filter => {
                let mut places = vec![0; len.min(weights.len()).div_ceil(64)];
                widest::note_places::<F>(weights, len, &mut places);
                Some(places)
            }
            Live::Some(_) | Live::All => None,
        };
        ChunkMeasure { range, parts, live }
    }

    /// Adds the next chunk.
    ///
    /// # Panics
    ///
    /// If the chunk does not follow the one that was added last.
    pub fn add(&mut self, chunk: &ChunkMeasure) {
        assert_eq!(chunk.range.start, self.added, "chunks are added in order");
        let len = self.shape.filter_len();
        self.note_live(chunk);
        // A piece of a filter is a chunk of its own.
        let size = chunk.range.len().min(len);
        for (counts, power) in &chunk.parts {
            self.filter.merge(counts);
            self.filter_power = self.filter_power + *power;
            self.added += size;
            if self.added.is_multiple_of(len) {
                self.close_filter();
            }
        }
    }

    /// The metric at this number of output positions. Also signal and noise; `None` if they do not fit a float64.
    ///
    /// # Panics
    ///
    /// If chunks are missing, or a count passes 128 bits.
    pub fn finish(mut self, positions: u64) -> (LayerEsn, Option<SignalNoise>) {
        assert_eq!(self.added as u128, self.layer.weights, "every chunk is added");
        let places = match &self.live {
            Live::All => self.shape.filter_len(),
            Live::Some(bits) => live_channels(bits, &self.shape) * self.shape.taps,
        };
        self.layer.esn_d_filter_weights = self.widest_bits * places as u128;
        let power = Some(self.power).filter(|power| power.signal.is_finite() && power.noise.is_finite());
        (self.layer.at_positions(positions, self.unit_filters * places as u128), power)
    }

    fn close_filter(&mut self) {
        let Counts { nonzero, units, max_code, squares, bits: sum, above: _ } = std::mem::take(&mut self.filter);
        self.power = self.power + std::mem::take(&mut self.filter_power);
        let widest = bits(max_code as i32, self.convention);
        self.layer.nonzero += u128::from(nonzero);
        self.layer.live_filters += u128::from(nonzero > 0);
        self.layer.units += u128::from(units);
        self.layer.esn_a_quarters += squares;
        self.layer.esn_d += sum;
        self.layer.max_bits = self.layer.max_bits.max(widest);
        self.widest_bits += u128::from(widest);
        self.unit_filters += u128::from(max_code == 1);
        if nonzero == self.shape.filter_len() as u64 {
            self.live = Live::All;
        }
    }

    fn note_live(&mut self, chunk: &ChunkMeasure) {
        let len = self.shape.filter_len();
        let Live::Some(bits) = &mut self.live else { return };
        let first = chunk.range.start % len;
        match &chunk.live {
            // Chunks inside a filter begin at a multiple of the piece, so that their words are those of the filter.
            Some(words) => bits[first / 64..].iter_mut().zip(words).for_each(|(all, word)| *all |= word),
            None => {
                // The chunk is dense: every place of it lives.
                let places = chunk.range.len().min(len);
                (first..first + places).for_each(|place| bits[place / 64] |= 1 << (place % 64));
            }
        }
    }
}

/// The largest magnitude of the weights, 0 where there are none. `None` if a weight is NaN or infinite.
pub fn largest_magnitude(weights: StoredWeights<'_>) -> Option<f64> {
    let largest = match weights {
        StoredWeights::F32(weights) => widest::largest::<Float32>(weights),
        StoredWeights::Bf16(weights) => widest::largest::<Bfloat16>(weights),
        StoredWeights::F16(weights) => widest::largest::<Float16>(weights),
    };
    largest.is_finite().then_some(f64::from(largest))
}

/// The number of channels with a nonzero weight at any of their places.
fn live_channels(bits: &[u64], shape: &WeightShape) -> usize {
    let lives = |place: usize| bits[place / 64] >> (place % 64) & 1 == 1;
    (0..shape.channels).filter(|channel| (channel * shape.taps..(channel + 1) * shape.taps).any(lives)).count()
}

/// How weights are put on the grid and counted.
#[derive(Clone, Copy)]
struct OnGrid {
    step: f64,
    range: quantize::Range,
    convention: BitConvention,
}

/// Quantizes and counts weights of one filter. `FUSED`: the processor has a fused multiply-add.
#[inline(always)]
fn count_here<F: Format, const FUSED: bool>(
    weights: &[F::Stored],
    OnGrid { step, range, convention }: OnGrid,
    mut kept: Option<&mut [i32]>,
    room: &mut Room,
    counts: &mut Counts,
    power: &mut PowerLanes,
) {
    let fused = FusedStep::new(step).filter(|_| FUSED);
    for (index, weights) in weights.chunks(BLOCK).enumerate() {
        let (reals, codes) = (&mut room.reals.0[..weights.len()], &mut room.codes.0[..weights.len()]);
        match fused {
            Some(fused) => {
                encode::<F>(weights, reals, codes, |weight| fused.code(range, weight));
                power.add_fused(reals, codes, step);
            }
            None => {
                encode::<F>(weights, reals, codes, |weight| range.code(f64::from(weight), step));
                power.add(reals, codes, step);
            }
        }
        counts.add(codes, convention, &mut room.magnitudes);
        if let Some(kept) = &mut kept {
            kept[index * BLOCK..][..codes.len()].copy_from_slice(codes);
        }
    }
}

#[inline(always)]
fn encode<F: Format>(weights: &[F::Stored], reals: &mut [f32], codes: &mut [i32], code: impl Fn(f32) -> i32) {
    for ((&weight, real), found) in weights.iter().zip(reals).zip(codes) {
        *real = F::widen(weight);
        *found = code(*real);
    }
}

#[inline(always)]
fn largest_here<F: Format, const FUSED: bool>(weights: &[F::Stored]) -> f32 {
    F::largest(weights)
}

/// Sets the bits of places of a filter at which some weight is not 0.
#[inline(always)]
fn note_places_here<F: Format, const FUSED: bool>(weights: &[F::Stored], len: usize, places: &mut [u64]) {
    for filter in weights.chunks(len) {
        for (word, weights) in places.iter_mut().zip(filter.chunks(64)) {
            for (place, &weight) in weights.iter().enumerate() {
                *word |= u64::from(F::widen(weight) != 0.0) << place;
            }
        }
    }
}

/// The same loops compiled for the widest vectors of the processor. No operation is contracted or reordered by that.
mod widest {
    use super::*;

    macro_rules! dispatch {
        ($name:ident, $here:ident, ($($argument:ident: $type:ty),*) -> $result:ty) => {
            pub(super) fn $name<F: Format>($($argument: $type),*) -> $result {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx512f,avx512cd,avx512dq,avx512bw,avx512vl,fma")]
                    fn avx512<F: Format>($($argument: $type),*) -> $result {
                        $here::<F, true>($($argument),*)
                    }
                    #[target_feature(enable = "avx2,fma")]
                    fn avx2<F: Format>($($argument: $type),*) -> $result {
                        $here::<F, true>($($argument),*)
                    }
                    if is_x86_feature_detected!("avx512f")
                        && is_x86_feature_detected!("avx512cd")
                        && is_x86_feature_detected!("avx512dq")
                        && is_x86_feature_detected!("avx512bw")
                        && is_x86_feature_detected!("avx512vl")
                        && is_x86_feature_detected!("fma")
                    {
                        // SAFETY: the processor has every feature that the function is compiled for.
                        #[allow(unsafe_code)]
                        return unsafe { avx512::<F>($($argument),*) };
                    }
                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                        // SAFETY: the processor has every feature that the function is compiled for.
                        #[allow(unsafe_code)]
                        return unsafe { avx2::<F>($($argument),*) };
                    }
                }
                $here::<F, false>($($argument),*)
            }
        };
    }

    dispatch!(largest, largest_here, (weights: &[F::Stored]) -> f32);
    dispatch!(note_places, note_places_here, (weights: &[F::Stored], len: usize, places: &mut [u64]) -> ());
    dispatch!(count, count_here, (weights: &[F::Stored], grid: OnGrid, kept: Option<&mut [i32]>, room: &mut Room,
        counts: &mut Counts, power: &mut PowerLanes) -> ());
}

#[cfg(test)]
mod tests;
