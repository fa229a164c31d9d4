//! The cells that a layer fills.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use engine::{EngineError, Layer};
use network::{Geometry, GeometrySpec};

use crate::departures::Noise;
use crate::gaussian::Gaussian;
use crate::law::{max_magnitude, most_bits};
use crate::spec::ArraySpec;
use crate::tiling::Tiling;

/// A layer as it lies in the cells.
///
/// Without differential columns a filter is one column. With them every filter becomes two neighbouring columns: the
/// first has its positive weights, and the second the magnitudes of its negative ones. The output is their difference.
#[derive(Clone, Debug)]
pub(crate) struct Physical<'a> {
    /// The geometry of the layer, with columns in place of filters.
    pub(crate) geometry: Geometry,
    pub(crate) tiling: Tiling,
    /// Columns that hold one filter.
    pub(crate) per_filter: usize,
    /// Conversions of one column in one step: more than one where it lies in several columns of cells.
    pub(crate) conversions: usize,
    /// Largest magnitude of a code.
    pub(crate) largest: u32,
    codes: Cow<'a, [i32]>,
}

/// What is random about the cells of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The amplitude as programmed, drawn once.
    Programming = 1,
    /// The error of reads, drawn for a whole column.
    ColumnRead,
    /// The error of reads, drawn for every cell.
    CellRead,
}

impl<'a> Physical<'a> {
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if twice the columns are too many to count, or if an array has too few columns for
    /// one filter.
    pub(crate) fn new(spec: &ArraySpec, layer: &Layer<'a>) -> Result<Self, EngineError> {
        let per_filter = spec.departures.columns_per_filter();
        let of_layer = *layer.geometry().spec();
        let filters = of_layer.filters.saturating_mul(per_filter);
        let geometry = Geometry::new(GeometrySpec { filters, ..of_layer }).map_err(|e| EngineError::Unsupported {
            layer: layer.name().to_string(),
            problem: format!("with differential columns, {e}"),
        })?;
        let codes = layer.weights().codes();
        let largest = max_magnitude(codes);
        let codes = if per_filter == 1 { Cow::Borrowed(codes) } else { Cow::Owned(split(codes, geometry.rows())) };
        let [rows, columns] = [spec.rows, spec.columns].map(|extent| extent.map(NonZeroUsize::get));
        let widest = || most_bits(layer.weights().codes());
        let of_weight = spec.departures.columns.of_weight(widest);
        let cells_per_column = of_weight + spec.departures.columns.accumulators as usize;
        let tiling =
            Tiling::new(&geometry, rows, columns, cells_per_column).ok_or_else(|| EngineError::Unsupported {
                layer: layer.name().to_string(),
                problem: format!(
                    "a filter of {} bits needs {cells_per_column} columns, more than array.columns",
                    widest()
                ),
            })?;
        Ok(Self {
            geometry,
            tiling,
            per_filter,
            conversions: spec.departures.columns.conversions(of_weight),
            largest,
            codes,
        })
    }

    /// Codes of all cells, `[columns, channels, taps]`.
    pub(crate) fn codes(&self) -> &[i32] {
        &self.codes
    }

    /// Codes of one column, counted over all groups.
    pub(crate) fn column(&self, column: usize) -> &[i32] {
        let rows = self.geometry.rows();
        &self.codes[column * rows..(column + 1) * rows]
    }

    /// What every cell drives, in steps of the weight grid: its weight with the error of programming and the loss on
    /// wires.
    pub(crate) fn amplitudes(&self, noise: &Noise, layer: &str) -> Vec<f32> {
        let mut amplitudes: Vec<f32> = self.codes.iter().map(|&code| amplitude(code)).collect();
        if noise.programming > 0.0 {
            let sequence = random(noise.seed, layer, Source::Programming);
            let largest = self.largest as f32 / 2.0;
            for (index, amplitude) in amplitudes.iter_mut().enumerate() {
                let reference = if noise.programming_of_weight { amplitude.abs() } else { largest };
                *amplitude += noise.programming as f32 * reference * sequence.at(index as u64);
            }
        }
        if noise.ir_drop_rows > 0.0 || noise.ir_drop_columns > 0.0 {
            let rows = self.geometry.rows();
            for (index, amplitude) in amplitudes.iter_mut().enumerate() {
                let [row, column] = self.tiling.place(index / rows, index % rows);
                *amplitude *= ((1.0 - noise.ir_drop_rows * row) * (1.0 - noise.ir_drop_columns * column)) as f32;
            }
        }
        amplitudes
    }

    /// Standard deviation of the amplitude of a cell from read to read, in steps of the weight grid.
    pub(crate) fn read_sigma(&self, noise: &Noise) -> f32 {
        noise.read as f32 * if noise.read_of_largest { self.largest as f32 / 2.0 } else { 1.0 }
    }
}

/// Makes outputs, `[repeats, filters, out_height, out_width]`, of sums of columns, `[repeats, columns, out_height,
/// out_width]`.
pub(crate) fn join(columns: Vec<f32>, per_filter: usize, positions: usize) -> Vec<f32> {
    if per_filter == 1 {
        return columns;
    }
    let mut outputs = Vec::with_capacity(columns.len() / 2);
    for pair in columns.chunks_exact(2 * positions) {
        let (positive, negative) = pair.split_at(positions);
        outputs.extend(positive.iter().zip(negative).map(|(positive, negative)| positive - negative));
    }
    outputs
}

/// The positive and the negative part of every filter, as two columns.
fn split(codes: &[i32], rows: usize) -> Vec<i32> {
    let parts = |filter: &'_ [i32]| -> Vec<i32> {
        filter.iter().map(|&code| code.max(0)).chain(filter.iter().map(|&code| (-code).max(0))).collect()
    };
    codes.chunks_exact(rows).flat_map(parts).collect()
}

/// The random numbers of a layer from one source.
pub(crate) fn random(seed: u64, layer: &str, source: Source) -> Gaussian {
    Gaussian::new(seed).of(source as u64).of_text(layer)
}

/// What a cell drives, in steps of the weight grid. The result is exact, for codes have 17 bits.
fn amplitude(code: i32) -> f32 {
    code as f32 / 2.0
}
