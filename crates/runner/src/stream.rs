//! Weights that stream by, chunk by chunk: the metric of a layer, with its codes where they are wanted.
//!
//! No chunk is copied out of the file, and its pages are given back once it has been read. The metric alone so takes a
//! few chunks of memory a worker, whatever the size of the file.

use std::ops::Range;

use esn::{
    BitConvention, BitWidth, CodeTensor, Grid, LayerEsn, LayerStream, SignalNoise, StreamError, largest_magnitude,
};
use network::{LayerId, MacLayer, Network, WeightStream};
use rayon::prelude::*;

use crate::error::RunnerError;

/// Synthetic layers of fewer weights are drawn once and held, for drawing takes longer than all else.
const SMALLEST_DRAWN: usize = 1 << 20;

/// Layers of so many bytes at most are not read from the file a second time between the two passes.
const HELD: usize = 8 << 20;

/// Chunks that are measured at a stretch, shared among the workers.
const BATCH: usize = 16;

/// How many such stretches are shared out at a time.
const LOOKS: usize = 1 << 10;

/// Weights that are looked at at a stretch on the first pass.
const LOOK: usize = 1 << 17;

/// What a layer that streamed by was.
pub(crate) struct Streamed {
    /// The metric at the layer's positions.
    pub(crate) esn: LayerEsn,
    /// Signal and noise; none where they fit no number.
    pub(crate) snr: Option<SignalNoise>,
    /// The codes, where they are asked for.
    pub(crate) codes: Option<CodeTensor>,
    /// The step Δ of all weights.
    pub(crate) step: f64,
}

/// How a layer is put on the grid and counted.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    /// Bits of a weight.
    pub(crate) bits: BitWidth,
    /// How the bits of ±1 count.
    pub(crate) convention: BitConvention,
    /// Whether the codes are wanted.
    pub(crate) keeps_codes: bool,
}

/// Streams a layer. Everything is exactly as of the weights read at once; `None` where they have to be.
pub(crate) fn layer(network: &Network, id: LayerId, measure: Measure) -> Result<Option<Streamed>, RunnerError> {
    let layer = &network.layers()[id.0];
    let Some(stream) = streamed(network, id, measure.keeps_codes) else { return Ok(None) };
    let max_abs = max_abs(&stream, held(&stream) > 0)?;
    let refused = |error: StreamError| RunnerError::at_layer(network, layer, error.to_string());
    let shape = layer.geometry.weight_shape();
    let measured = LayerStream::new(shape, max_abs, measure.bits, measure.convention).map_err(refused)?;
    let step = measured.step();
    let mut codes = vec![0; if measure.keeps_codes { stream.len() } else { 0 }];
    let (esn, snr) = second_pass(&stream, measured, layer, measure.keeps_codes.then_some(codes.as_mut_slice()));
    let codes = measure.keeps_codes.then(|| CodeTensor::new(Grid::MidRise, shape, codes));
    let codes = codes.transpose().map_err(|error| RunnerError::at_layer(network, layer, error.to_string()))?;
    Ok(Some(Streamed { esn, snr, codes, step }))
}

/// Bytes of memory that a layer takes while it is measured.
pub(crate) fn memory(network: &Network, id: LayerId, keeps_codes: bool) -> usize {
    let codes = network.layers()[id.0].geometry.weight_shape().len().unwrap_or(0).saturating_mul(size_of::<i32>());
    match streamed(network, id, keeps_codes) {
        // Pages go as codes come, and engines take some memory of their own.
        Some(stream) if keeps_codes => held(&stream).max(codes.saturating_add(codes / 2)),
        Some(stream) => held(&stream),
        // The weights as they are stored, as numbers, and their codes.
        None => codes.saturating_mul(3),
    }
}

/// Bytes of the file that are in memory until the second pass.
fn held(stream: &WeightStream<'_>) -> usize {
    Some(stream.stored_bytes()).filter(|&bytes| bytes <= HELD).unwrap_or(0)
}

/// The stream of a layer that is not read at once.
fn streamed(network: &Network, id: LayerId, keeps_codes: bool) -> Option<WeightStream<'_>> {
    let geometry = &network.layers()[id.0].geometry;
    let fits = |stream: &WeightStream<'_>| geometry.weight_shape().len() == Some(stream.len());
    let one_group = geometry.spec().groups == 1;
    let stream = network.weight_stream(id).filter(|stream| one_group && !stream.is_empty() && fits(stream))?;
    let is_drawn = stream.stored_bytes() == 0;
    (!is_drawn || stream.len() >= SMALLEST_DRAWN && !keeps_codes).then_some(stream)
}

/// First pass: the largest magnitude, and that every weight is finite.
fn max_abs(stream: &WeightStream<'_>, held: bool) -> Result<f64, RunnerError> {
    let mut looks = (0..stream.len()).step_by(LOOK).map(|start| start..(start + LOOK).min(stream.len()));
    let look = |buffer: &mut Vec<[u8; 4]>, range: &Range<usize>| {
        let weights = stream.read(range.clone(), buffer);
        let largest = largest_magnitude(weights).ok_or_else(|| {
            let index = (0..weights.len()).find(|&index| !weights.get(index).is_finite()).unwrap_or(0);
            RunnerError::from(stream.not_finite(range.start + index, weights.get(index)))
        });
        if !held {
            stream.release(range.clone());
        }
        largest
    };
    let mut largest = 0.0;
    loop {
        let batch: Vec<Range<usize>> = looks.by_ref().take(LOOKS).collect();
        if batch.is_empty() {
            return Ok(largest);
        }
        let found: Vec<Result<f64, RunnerError>> = batch.par_iter().map_init(Vec::new, look).collect();
        largest =
            found.into_iter().try_fold(largest, |largest, found| Ok::<_, RunnerError>(f64::max(largest, found?)))?;
    }
}

/// Second pass: quantize and count.
fn second_pass(
    stream: &WeightStream<'_>,
    mut measured: LayerStream,
    layer: &MacLayer,
    mut codes: Option<&mut [i32]>,
) -> (LayerEsn, Option<SignalNoise>) {
    let mut chunks = measured.chunks().map(|range| {
        // The first codes that are left are those of the chunk.
        let codes =
            codes.as_mut().map(|left| left.split_off_mut(..range.len()).expect("there is a code for each weight"));
        (range, codes)
    });
    loop {
        let batch: Vec<(Range<usize>, Option<&mut [i32]>)> = chunks.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return measured.finish(layer.geometry.positions());
        }
        let measure = |buffer: &mut Vec<[u8; 4]>, (range, codes): (Range<usize>, Option<&mut [i32]>)| {
            let weights = stream.read(range.clone(), buffer);
            let chunk = match codes {
                Some(codes) => measured.encode(range.clone(), weights, codes),
                None => measured.measure(range.clone(), weights),
            };
            stream.release(range);
            chunk
        };
        let results: Vec<_> = batch.into_par_iter().map_init(Vec::new, measure).collect();
        results.iter().for_each(|chunk| measured.add(chunk));
    }
}
