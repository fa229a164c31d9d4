//! Arrays of cells, with repetition factored out.

use std::num::NonZeroUsize;

use engine::{
    Activations, EngineError, Joules, Layer, LayerRun, MacEngine, Observer, PreparedLayer, Silent, SteppedRun,
};
use network::Geometry;
use thiserror::Error;

use crate::cost;
use crate::departures::Departures;
use crate::held::HeldLayer;
use crate::stepped::SteppedArray;
use crate::tiling::Tiling;

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
/// The ledger's entry [`engine::MAC_ENTRY`] counts `code²` for every MAC, those on padding included: the squared amplitude in
/// half-steps of the weight grid. Occupancy counts cells: those that hold a weight, pruned ones too, over those of all
/// tiles. [`AnalogArray::with`] adds what sets a real array apart.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalogArray {
    name: String,
    rows: Option<NonZeroUsize>,
    columns: Option<NonZeroUsize>,
    arrays: NonZeroUsize,
    unit: Joules,
    departures: Departures,
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
    /// A departure has a value that no hardware has.
    #[error("{key} is {found}; expected {expected}")]
    Value {
        /// The key of the description.
        key: &'static str,
        /// What it is.
        found: String,
        /// What it can be.
        expected: &'static str,
    },
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
            departures: Departures::default(),
        })
    }

    /// The same arrays with departures from the ideal.
    ///
    /// # Errors
    ///
    /// [`AnalogError::Value`] if a departure has a value that no hardware has; names the key of the description.
    pub fn with(self, departures: Departures) -> Result<Self, AnalogError> {
        departures.check()?;
        Ok(Self { departures, ..self })
    }

    /// What sets these arrays apart from the ideal.
    pub fn departures(&self) -> &Departures {
        &self.departures
    }

    /// Whether every count and cycle of every layer is that of the ideal engine. Errors of the cells change neither.
    pub fn is_ideal(&self) -> bool {
        self.rows.is_none() && self.columns.is_none() && self.arrays.get() == 1 && self.departures.are_free()
    }

    /// Arrays that work at the same time.
    pub fn arrays(&self) -> usize {
        self.arrays.get()
    }

    /// Rows of one array; none where they are unbounded.
    pub(crate) fn rows(&self) -> Option<NonZeroUsize> {
        self.rows
    }

    /// Energy of a MAC of a weight of ±1 half-step, with an input of full scale.
    pub(crate) fn unit(&self) -> Joules {
        self.unit
    }

    /// Tiles of a layer whose filters are columns.
    pub(crate) fn tiling(&self, geometry: &Geometry) -> Tiling {
        Tiling::new(geometry, self.rows.map(NonZeroUsize::get), self.columns.map(NonZeroUsize::get))
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
        cost::run(self, layer, None)
    }

    fn cost_depends_on_input(&self) -> bool {
        self.departures.law.input_dependent
    }

    fn run_on(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<LayerRun, EngineError> {
        let input = real_input(layer.name(), layer.geometry(), input)?;
        cost::run(self, layer, Some(input))
    }

    fn reseeded(&self, seed: u64) -> Option<Box<dyn MacEngine>> {
        self.departures.noise.is_random().then(|| {
            let mut other = self.clone();
            other.departures.noise.seed = seed;
            Box::new(other) as Box<dyn MacEngine>
        })
    }

    fn without_read_noise(&self) -> Option<Box<dyn MacEngine>> {
        (self.departures.noise.read > 0.0).then(|| {
            let mut other = self.clone();
            other.departures.noise.read = 0.0;
            Box::new(other) as Box<dyn MacEngine>
        })
    }

    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
        Ok(Box::new(HeldLayer::new(self, layer)?))
    }

    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError> {
        let mut machine = SteppedArray::new(self, layer, input)?;
        while machine.advance(&mut Silent) {}
        Ok(machine.finish())
    }

    fn trace(
        &self,
        layer: &Layer<'_>,
        input: Activations<'_>,
        mut observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        let mut machine = SteppedArray::new(self, layer, input)?;
        let filters = layer.geometry().spec().filters;
        loop {
            for filter in 0..observer.lanes().min(filters) {
                observer.lane(filter, machine.column(filter).as_ref().map(|column| column.lane()).as_ref());
            }
            if observer.is_done() || !machine.advance(&mut observer) {
                return Ok(());
            }
        }
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
