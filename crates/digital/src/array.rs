//! The array as a MAC engine.

use engine::{
    Activations, Arithmetic, EngineError, Layer, LayerRun, MacEngine, Observer, PreparedLayer, SteppedEngine,
    SteppedRun, WeightFormat,
};

use crate::departures::{Departures, ZeroActivations};
use crate::encoding::Encoding;
use crate::error::DigitalError;
use crate::fast;
use crate::prepared::Prepared;
use crate::spec::{ArraySpec, Granularity};
use crate::stepped::SteppedArray;
use crate::storage;

/// A variable-bit MAC array: rows of processing elements that consume one bit plane of a weight a cycle.
///
/// A row works through its filters one after another. Within a filter it works through groups of `E` output positions,
/// one for each element; within a group through the weights; within a weight through its planes ([`crate::Planes`]).
/// Rows do not wait for one another, and a layer ends when its last row ends. A filter takes, where `positions` are
/// those of all repeats and multiply-accumulates on padding count like any other:
///
/// ```text
/// busy PE-cycles = positions · Σ_w planes(w)        row cycles = ceil(positions / E) · Σ_w planes(w)
/// ```
///
/// The ledger entry [`engine::Event::MAC`] counts busy PE-cycles, the only thing that costs energy. With one row of one
/// element, or at any size where nothing is idle, this is the ideal hardware of equation (3), or at filter granularity
/// that of equation (7). [`DigitalArray::with_departures`] makes an array that departs from the ideal. There the entry
/// counts only those executed planes that the ideal would execute too.
///
/// Source: the array with a bit width per filter of Maki et al. 2018.
///
/// ```
/// use digital::{ArraySpec, DigitalArray, Granularity};
/// use engine::{Activations, Event, Joules, Layer, MacEngine};
/// use esn::{CodeTensor, Grid};
/// use network::{Geometry, GeometrySpec};
///
/// let array = DigitalArray::new(ArraySpec {
///     name: "two rows".to_string(),
///     rows: 2,
///     pes_per_row: 1,
///     granularity: Granularity::Weight,
///     pe_cycle_energy: Joules(1e-15),
/// })?;
/// let geometry = Geometry::new(GeometrySpec {
///     in_channels: 2, filters: 2, groups: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4],
///     in_size: [3, 1], repeats: 1,
/// })?;
/// let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![1, -7, 0, 3])?;
/// let layer = Layer::new("conv", &geometry, &codes)?;
/// let run = array.run(&layer)?;
/// assert_eq!(run.ledger.count(Event::MAC), 3 * (1 + 3 + 0 + 2)); // three positions
/// assert_eq!(run.cycles.0, 3 * (1 + 3)); // the row of the first filter is the last to finish
///
/// // The machine that does every cycle counts the same. Nothing about it is random.
/// let stepped = array.stepped().expect("the array exists cycle by cycle");
/// assert_eq!(stepped.step(&layer, Activations::Integer(&[1, 2, 3, 10, 20, 30]))?.run, run);
/// assert!(array.randomness().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DigitalArray {
    spec: ArraySpec,
    departures: Departures,
}

impl DigitalArray {
    /// Checks a description of an array without departures.
    ///
    /// # Errors
    ///
    /// [`DigitalError`] if there is no row or no element, more than `2^32` elements, or an energy that is negative or
    /// not finite.
    pub fn new(spec: ArraySpec) -> Result<Self, DigitalError> {
        spec.check()?;
        let array = Self { spec, departures: Departures::default() };
        array.departures.check(&array.spec)?;
        Ok(array)
    }

    /// The same array with departures from the ideal.
    ///
    /// # Errors
    ///
    /// [`DigitalError::Departure`] if a departure is out of range or contradicts another. The message names its key.
    pub fn with_departures(self, departures: Departures) -> Result<Self, DigitalError> {
        departures.check(&self.spec)?;
        Ok(Self { departures, ..self })
    }

    /// The departures of the array from the ideal.
    pub fn departures(&self) -> &Departures {
        &self.departures
    }

    /// The description that the array was made from.
    pub fn spec(&self) -> &ArraySpec {
        &self.spec
    }

    /// Whose planes the ledger entry [`engine::Event::MAC`] counts.
    ///
    /// Where every weight has its own width, or zeros are skipped one by one, these are the planes of each nonzero
    /// weight: [`Granularity::Weight`], and the metric is ESN_d. Elsewhere every computed weight counts the planes of
    /// the widest weight of its filter: [`Granularity::Filter`], and the metric is ESN'_d.
    pub fn useful_granularity(&self) -> Granularity {
        self.departures.useful_granularity(self.spec.granularity)
    }

    /// Whether this is a single element, `R = E = 1`, without departures. Its cycles are the metric itself.
    pub fn is_ideal(&self) -> bool {
        self.spec.rows == 1 && self.spec.pes_per_row == 1 && self.departures.vanish(self.spec.granularity)
    }

    /// Loads a layer and one image into the machine that advances cycle by cycle. `input` is
    /// `[repeats, in_channels, height, width]`.
    ///
    /// # Errors
    ///
    /// As [`SteppedEngine::step`].
    pub fn load<'a>(&self, layer: &Layer<'a>, input: Activations<'_>) -> Result<SteppedArray<'a>, EngineError> {
        SteppedArray::new(&self.spec, &self.departures, layer, input)
    }
}

impl MacEngine for DigitalArray {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::Integer
    }

    fn weight_format(&self) -> WeightFormat {
        storage::format(self.spec.granularity, &self.departures)
    }

    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
        fast::run(&self.spec, &self.departures, layer)
    }

    fn cost_depends_on_input(&self) -> bool {
        self.departures.zero_activations != ZeroActivations::Compute
    }

    fn run_on(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<LayerRun, EngineError> {
        fast::run_on(&self.spec, &self.departures, layer, input)
    }

    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError> {
        // What cannot be run cannot be computed with.
        Encoding::new(&self.spec, &self.departures, layer)?;
        Ok(Box::new(Prepared::new(layer)?))
    }

    fn stepped(&self) -> Option<&dyn SteppedEngine> {
        Some(self)
    }
}

impl SteppedEngine for DigitalArray {
    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError> {
        Ok(self.load(layer, input)?.run_unobserved())
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
                view.lanes.iter().for_each(|&row| observer.lane(row, machine.lane(row, view.elements)));
            }
            if observer.is_done() || !machine.step(&mut observer) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Joules;
    use testkit::check_all;

    use super::*;

    fn spec(rows: usize, pes_per_row: usize, energy: f64) -> ArraySpec {
        let granularity = Granularity::Weight;
        ArraySpec { name: "test".to_string(), rows, pes_per_row, granularity, pe_cycle_energy: Joules(energy) }
    }

    #[test]
    fn descriptions_are_checked() {
        let message = |rows, pes, energy| DigitalArray::new(spec(rows, pes, energy)).map_err(|e| e.to_string()).err();
        let table = [
            (1, 1, 0.0, None),
            (1 << 16, 1 << 16, 1e-12, None),
            (0, 1, 1.0, Some("array test: rows is 0; it must be at least 1")),
            (1, 0, 1.0, Some("array test: pes_per_row is 0; it must be at least 1")),
            (2, 1, -1.0, Some("array test: energy of a PE-cycle is -1 J; it must be finite and not negative")),
            (
                1 << 32,
                2,
                1.0,
                Some("array test: 4294967296 rows of 2 elements; at most 4294967296 elements can be counted"),
            ),
        ];
        check_all(table, |&(rows, pes, energy, expected)| assert_eq!(message(rows, pes, energy).as_deref(), expected));
        assert!(message(usize::MAX, usize::MAX, 1.0).is_some());
        assert!(message(1, 1, f64::NAN).is_some() && message(1, 1, f64::INFINITY).is_some());
    }

    #[test]
    fn a_single_element_is_ideal() {
        check_all([(1, 1, true), (2, 1, false), (1, 2, false)], |&(rows, pes, ideal)| {
            assert_eq!(DigitalArray::new(spec(rows, pes, 1.0)).unwrap().is_ideal(), ideal);
        });
    }
}
