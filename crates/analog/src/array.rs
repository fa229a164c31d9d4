//! Arrays of cells, with repetition factored out.

use std::num::NonZeroUsize;

use engine::kernel::RealConv;
use engine::{
    Activations, Cycles, EngineError, Joules, Layer, LayerRun, Ledger, MAC_ENTRY, MacEngine, Outputs, PreparedLayer,
    Silent, SteppedRun,
};
use network::Geometry;
use thiserror::Error;

use crate::stepped::SteppedArray;
use crate::tiling::{Cells, Tiling};

/// Weight-stationary analog arrays of the same size that work at the same time.
///
/// A group of a layer is lowered to `in_channels / groups · kernel_h · kernel_w` rows and `filters / groups` columns and
/// cut into tiles. A cycle applies one input vector, that of one output position, to one tile on each array:
///
/// ```text
/// tiles  = groups · ceil(rows / array rows) · ceil(columns / array columns)
/// cycles = ceil(positions · tiles / arrays)
/// ```
///
/// An unbounded extent is as long as the layer needs. Unbounded both ways, an array holds all groups side by side and
/// needs a cycle a position: the ideal engine.
///
/// The ledger's entry [`MAC_ENTRY`] counts `code²` for every MAC, those on padding included: the squared amplitude in
/// half-steps of the weight grid. Occupancy counts cells: those that hold a weight, pruned ones too, over those of all
/// tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalogArray {
    name: String,
    rows: Option<NonZeroUsize>,
    columns: Option<NonZeroUsize>,
    arrays: NonZeroUsize,
    unit: Joules,
}

/// Most rows, columns and arrays: counts of cells then surely fit 128 bits.
const MAX_EXTENT: usize = 1 << 31;

/// Why a description makes no analog array.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AnalogError {
    /// A number that must be at least 1 is 0.
    #[error("an analog array has 0 {0}; it must have at least 1")]
    Zero(&'static str),
    /// A number is larger than an array is ever simulated with.
    #[error("an analog array has {found} {what}; it can have {MAX_EXTENT} at most")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: usize,
    },
    /// An energy that must be positive and finite is not.
    #[error("the energy of a MAC is {0} J per squared half-step; it must be positive and finite")]
    Energy(f64),
}

impl AnalogArray {
    /// Checks a description: `rows` and `columns` of one array (`None` is unbounded), how many `arrays` there are, and
    /// the energy `unit` of a MAC whose weight has an amplitude of half a step (`code` = ±1).
    ///
    /// # Errors
    ///
    /// [`AnalogError`] if a count is 0 or above 2^31, or the energy is not a positive, finite number.
    pub fn new(
        name: &str,
        rows: Option<usize>,
        columns: Option<usize>,
        arrays: usize,
        unit: Joules,
    ) -> Result<Self, AnalogError> {
        if !(unit.0.is_finite() && unit.0 > 0.0) {
            return Err(AnalogError::Energy(unit.0));
        }
        Ok(Self {
            name: name.to_string(),
            rows: rows.map(|n| count("rows", n)).transpose()?,
            columns: columns.map(|n| count("columns", n)).transpose()?,
            arrays: count("arrays", arrays)?,
            unit,
        })
    }

    /// Arrays that work at the same time.
    pub fn arrays(&self) -> usize {
        self.arrays.get()
    }

    pub(crate) fn tiling(&self, geometry: &Geometry) -> Tiling {
        Tiling::new(geometry, self.rows.map(NonZeroUsize::get), self.columns.map(NonZeroUsize::get))
    }

    /// Puts counts together.
    pub(crate) fn layer_run(&self, cycles: u128, squares: u128, cells: Cells) -> LayerRun {
        let mut ledger = Ledger::new();
        ledger.add(MAC_ENTRY, squares, self.unit);
        LayerRun { cycles: Cycles(cycles), ledger, occupancy: cells.occupancy(), idle: cells.idle() }
    }
}

fn count(what: &'static str, n: usize) -> Result<NonZeroUsize, AnalogError> {
    if n > MAX_EXTENT {
        return Err(AnalogError::TooLarge { what, found: n });
    }
    NonZeroUsize::new(n).ok_or(AnalogError::Zero(what))
}

impl MacEngine for AnalogArray {
    fn name(&self) -> &str {
        &self.name
    }

    fn computes_integers(&self) -> bool {
        false
    }

    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
        let geometry = layer.geometry();
        let tiling = self.tiling(geometry);
        let positions = u128::from(geometry.positions());
        let squares: u128 = layer.weights().codes().chunks(MAX_CHUNK).map(chunk_squares).map(u128::from).sum();
        let cycles = (positions * tiling.tiles()).div_ceil(self.arrays.get() as u128);
        Ok(self.layer_run(cycles, positions * squares, tiling.cells()))
    }

    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
        let amplitudes: Vec<f32> = layer.weights().codes().iter().copied().map(amplitude).collect();
        let sums = RealConv::new(layer.name(), layer.geometry(), &amplitudes, self.rows)?;
        Ok(Box::new(HeldLayer { name: layer.name().to_string(), geometry: *layer.geometry(), sums }))
    }

    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError> {
        let mut machine = SteppedArray::new(self, layer, input)?;
        while machine.advance(&mut Silent) {}
        Ok(machine.finish())
    }
}

/// Codes whose squares, at most 2^34 each, surely add up in 64 bits.
const MAX_CHUNK: usize = 1 << 29;

fn chunk_squares(codes: &[i32]) -> u64 {
    codes.iter().map(|&code| square(code)).sum()
}

/// Energy of one MAC of a cell, in units: its squared amplitude, in half-steps.
pub(crate) fn square(code: i32) -> u64 {
    let magnitude = u64::from(code.unsigned_abs());
    magnitude * magnitude
}

/// What a cell drives, in steps of the weight grid; exact, for codes have 17 bits.
pub(crate) fn amplitude(code: i32) -> f32 {
    code as f32 / 2.0
}

/// A layer whose amplitudes sit in the cells.
struct HeldLayer {
    name: String,
    geometry: Geometry,
    sums: RealConv,
}

impl PreparedLayer for HeldLayer {
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError> {
        let input = real_input(&self.name, &self.geometry, input)?;
        Ok(Outputs::Real(self.sums.forward(input)?))
    }
}

/// The input as the real numbers that an analog array takes, `[repeats, in_channels, height, width]`.
pub(crate) fn real_input<'a>(
    layer: &str,
    geometry: &Geometry,
    input: Activations<'a>,
) -> Result<&'a [f32], EngineError> {
    let layer = || layer.to_string();
    let Activations::Real(input) = input else {
        return Err(EngineError::Arithmetic { layer: layer(), expected: "real" });
    };
    let (expected, found) = (geometry.input_len(), input.len());
    if found != expected {
        return Err(EngineError::Shape { layer: layer(), what: "input", expected, found });
    }
    match input.iter().position(|x| !x.is_finite()) {
        None => Ok(input),
        Some(index) => Err(EngineError::Activation {
            layer: layer(),
            index,
            value: input[index].to_string(),
            expected: "real activations must be finite",
        }),
    }
}
