//! The metric of large layers, chunk by chunk. Memory holds a few chunks a worker, whatever the size of the file.

use std::ops::Range;

use esn::{BitConvention, BitWidth, LayerEsn, LayerStream, SignalNoise, StreamError, largest_magnitude};
use network::{LayerId, MacLayer, Network, WeightStream};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::prepare::layer_error;

/// Layers of fewer weights are read at once.
const SMALLEST: usize = 1 << 20;

/// Chunks that are measured at a stretch, shared among the workers.
const BATCH: usize = 16;

/// Weights that are looked at at a stretch on the first pass.
const LOOK: usize = 1 << 17;

/// The metric of a layer at its positions, and signal and noise, exactly as of the weights read at once; `None` where
/// the layer is small or cannot be streamed.
pub(crate) fn layer_esn(
    network: &Network,
    id: LayerId,
    bits: BitWidth,
    convention: BitConvention,
) -> Result<Option<(LayerEsn, Option<SignalNoise>)>, RunnerError> {
    let layer = &network.layers()[id.0];
    let stream = network.weight_stream(id).filter(|stream| stream.len() >= SMALLEST);
    let Some(stream) = stream.filter(|_| layer.geometry.spec().groups == 1) else { return Ok(None) };
    let max_abs = max_abs(&stream)?;
    let refused = |error: StreamError| layer_error(network, layer, error.to_string());
    let measured = LayerStream::new(layer.geometry.weight_shape(), max_abs, bits, convention).map_err(refused)?;
    Ok(Some(measure(&stream, measured, layer)))
}

/// First pass: the largest magnitude, and that every weight is finite.
fn max_abs(stream: &WeightStream<'_>) -> Result<f64, RunnerError> {
    let looks: Vec<usize> = (0..stream.len()).step_by(LOOK).collect();
    let look = |buffer: &mut Vec<f32>, start: usize| {
        let weights = stream.read(start..(start + LOOK).min(stream.len()), buffer);
        largest_magnitude(weights).ok_or_else(|| {
            let index = weights.iter().position(|weight| !weight.is_finite()).unwrap_or(0);
            RunnerError::from(stream.not_finite(start + index, weights[index]))
        })
    };
    let mut largest = 0.0;
    for batch in looks.chunks(BATCH) {
        let found: Vec<Result<f64, RunnerError>> =
            batch.par_iter().map_init(Vec::new, |buffer, &start| look(buffer, start)).collect();
        release(stream, batch[0], (batch[batch.len() - 1] + LOOK).min(stream.len()));
        for found in found {
            largest = f64::max(largest, found?);
        }
    }
    Ok(largest)
}

/// Second pass: quantize and count.
fn measure(stream: &WeightStream<'_>, mut measured: LayerStream, layer: &MacLayer) -> (LayerEsn, Option<SignalNoise>) {
    let mut chunks = measured.chunks();
    loop {
        let batch: Vec<Range<usize>> = chunks.by_ref().take(BATCH).collect();
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return measured.finish(layer.geometry.positions());
        };
        let (start, end) = (first.start, last.end);
        let measure =
            |buffer: &mut Vec<f32>, range: Range<usize>| measured.measure(range.clone(), stream.read(range, buffer));
        let results: Vec<_> =
            batch.into_par_iter().map_init(Vec::new, |buffer, range| measure(buffer, range)).collect();
        release(stream, start, end);
        results.iter().for_each(|chunk| measured.add(chunk));
    }
}

/// Gives back what has been read, and the batch before once more: reading maps some pages around those that are
/// touched.
fn release(stream: &WeightStream<'_>, start: usize, end: usize) {
    stream.release(start.saturating_sub(BATCH * LOOK)..end);
}
