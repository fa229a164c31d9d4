//! The arrays as a MAC engine.

use engine::{
    Activations, Arithmetic, EngineError, Joules, Layer, LayerRun, MacEngine, Observer, PreparedLayer, Randomness,
    Silent, SteppedEngine, SteppedRun, WeightFormat,
};

use crate::cost;
use crate::departures::Departures;
use crate::error::AnalogError;
use crate::held::HeldLayer;
use crate::spec::ArraySpec;
use crate::stepped::SteppedArray;

/// Weight-stationary analog arrays of the same size that work at the same time.
///
/// A group of a layer is lowered to `in_channels / groups · kernel_h · kernel_w` rows and `filters / groups` columns,
/// and cut into tiles. In a cycle each array applies one input vector, that of one output position, to one tile:
///
/// ```text
/// tiles  = groups · ceil(rows / array rows) · ceil(columns / array columns)
/// cycles = ceil(positions · tiles / arrays)
/// ```
///
/// An array whose rows or columns are unbounded has as many as the layer needs. If both are unbounded, an array holds
/// all groups at once and needs a cycle a position. This is the ideal engine.
///
/// The ledger entry [`engine::Event::MAC`] counts `code²` for every MAC, those on padding included. This is the squared
/// amplitude in half-steps of the weight grid. Occupancy counts cell-cycles: those of cells that are read and hold a
/// weight, pruned or not, over `cycles · arrays · cells of an array`. [`AnalogArray::with`] adds what sets a real array apart.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalogArray {
    spec: ArraySpec,
}

impl AnalogArray {
    /// Checks a description. `rows` and `columns` are those of one array, `None` for unbounded; `arrays` is how many
    /// there are; `unit` is the energy of a MAC whose weight has an amplitude of half a step, `code = ±1`.
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
        Ok(Self { spec: ArraySpec::new(name, rows, columns, arrays, Some(unit))? })
    }

    /// The same of arrays whose cells spend the same whatever they hold: what a step of an array takes is one of the
    /// [`Departures`].
    ///
    /// # Errors
    ///
    /// [`AnalogError`] if a count is 0 or above 2^31.
    pub fn of_equal_cells(
        name: &str,
        rows: Option<usize>,
        columns: Option<usize>,
        arrays: usize,
    ) -> Result<Self, AnalogError> {
        Ok(Self { spec: ArraySpec::new(name, rows, columns, arrays, None)? })
    }

    /// The same arrays with departures from the ideal.
    ///
    /// # Errors
    ///
    /// [`AnalogError::Value`] if a departure has a value that no hardware has. The error names the key of the
    /// description.
    pub fn with(self, departures: Departures) -> Result<Self, AnalogError> {
        departures.check()?;
        Ok(Self { spec: ArraySpec { departures, ..self.spec } })
    }

    /// What sets these arrays apart from the ideal.
    pub fn departures(&self) -> &Departures {
        &self.spec.departures
    }

    /// Whether every count and cycle of every layer is that of the ideal engine. Errors of the cells change neither.
    pub fn is_ideal(&self) -> bool {
        self.spec.is_ideal()
    }

    /// How many arrays work at the same time.
    pub fn arrays(&self) -> usize {
        self.spec.arrays.get()
    }
}

impl MacEngine for AnalogArray {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::Real
    }

    /// Cells hold a weight each, whatever its width; a copy of the layer in a memory is dense.
    fn weight_format(&self) -> WeightFormat {
        WeightFormat::Dense
    }

    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
        cost::run(&self.spec, layer, None)
    }

    fn cost_depends_on_input(&self) -> bool {
        self.spec.departures.depend_on_input()
    }

    fn run_on(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<LayerRun, EngineError> {
        let input = input.finite_reals(layer.name(), layer.geometry())?;
        cost::run(&self.spec, layer, Some(input))
    }

    fn randomness(&self) -> Option<&dyn Randomness> {
        self.spec.departures.noise.is_random().then_some(self as &dyn Randomness)
    }

    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
        Ok(Box::new(HeldLayer::new(&self.spec, layer)?))
    }

    fn stepped(&self) -> Option<&dyn SteppedEngine> {
        Some(self)
    }
}

impl SteppedEngine for AnalogArray {
    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError> {
        let mut machine = self.load(layer, input)?;
        while machine.advance(&mut Silent) {}
        Ok(machine.finish())
    }

    fn trace(
        &self,
        layer: &Layer<'_>,
        input: Activations<'_>,
        mut observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        let mut machine = self.load(layer, input)?;
        observer.begin(&machine.parts());
        loop {
            if let Some(view) = observer.view() {
                view.lanes.iter().for_each(|&filter| observer.lane(filter, machine.lane(filter, view.elements)));
                observer.stages(machine.stages());
            }
            if observer.is_done() || !machine.advance(&mut observer) {
                return Ok(());
            }
        }
    }
}

/// Errors of programming are drawn once for a seed, read noise on each read. [`MacEngine::randomness`] offers them
/// where one of the two is above 0.
impl Randomness for AnalogArray {
    fn seed(&self) -> u64 {
        self.spec.departures.noise.seed
    }

    fn reseeded(&self, seed: u64) -> Box<dyn MacEngine> {
        let mut other = self.clone();
        other.spec.departures.noise.seed = seed;
        Box::new(other)
    }

    fn silent(&self) -> Box<dyn MacEngine> {
        let mut other = self.clone();
        other.spec.departures.noise.read = 0.0;
        Box::new(other)
    }
}

impl AnalogArray {
    /// The stepped machine before its first cycle. `input` is `[repeats, in_channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Arithmetic`] if the input is not real, [`EngineError::Shape`] if it has the wrong length,
    /// [`EngineError::Activation`] if one of its numbers is not finite, [`EngineError::Unsupported`] if the arrays
    /// cannot hold the layer.
    pub fn load<'a>(&'a self, layer: &Layer<'a>, input: Activations<'a>) -> Result<SteppedArray<'a>, EngineError> {
        SteppedArray::new(&self.spec, layer, input)
    }
}
