//! What an engine is given, what it must do, and what it returns.

use esn::CodeTensor;
use network::Geometry;
use thiserror::Error;

use crate::arithmetic::{Activations, Arithmetic, Outputs};
use crate::event::IdleCause;
use crate::lane::Lane;
use crate::ledger::{Cycles, Ledger};

/// One quantized layer as hardware sees it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    name: &'a str,
    geometry: &'a Geometry,
    weights: &'a CodeTensor,
}

impl<'a> Layer<'a> {
    /// Pairs weights with their geometry.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the weights do not have the geometry's shape.
    pub fn new(name: &'a str, geometry: &'a Geometry, weights: &'a CodeTensor) -> Result<Self, EngineError> {
        if weights.shape() != geometry.weight_shape() {
            return Err(EngineError::Shape {
                layer: name.to_string(),
                what: "weights",
                expected: geometry.weight_shape().len().unwrap_or(usize::MAX),
                found: weights.codes().len(),
            });
        }
        Ok(Self { name, geometry, weights })
    }

    /// Name of the layer, for messages.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Sizes of the layer: how its weights meet its input.
    pub fn geometry(&self) -> &'a Geometry {
        self.geometry
    }

    /// Its weights, `[filters, in_channels / groups, kernel_h, kernel_w]`.
    pub fn weights(&self) -> &'a CodeTensor {
        self.weights
    }
}

/// How much of the hardware that was there did work: `used / offered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Cycles of all processing elements (PEs) in which they were busy, or cells that held a weight.
    pub used: u128,
    /// All cycles of all processing elements, or all cells.
    pub offered: u128,
}

impl Occupancy {
    /// `used / offered`; 0 where nothing was offered.
    pub fn utilization(&self) -> f64 {
        if self.offered == 0 { 0.0 } else { self.used as f64 / self.offered as f64 }
    }

    /// Both counts added.
    pub fn merge(self, other: Occupancy) -> Occupancy {
        Occupancy { used: self.used + other.used, offered: self.offered + other.offered }
    }
}

/// What one layer cost, for one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerRun {
    /// Cycles from the first to the last, the latency of the layer.
    pub cycles: Cycles,
    /// Energy, by kind of event.
    pub ledger: Ledger,
    /// How much of the hardware did work.
    pub occupancy: Occupancy,
    /// Why hardware did no work: each cause with its count, in the unit of [`Occupancy`]. The counts add up to
    /// `offered − used`.
    pub idle: Vec<(IdleCause, u128)>,
}

impl LayerRun {
    /// How much hardware did no work for this reason; 0 where the engine does not know the cause.
    pub fn idle_by(&self, cause: IdleCause) -> u128 {
        self.idle.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }
}

/// A layer inside an engine, its weights in the form that the engine computes with.
pub trait PreparedLayer: Send + Sync {
    /// Computes the sums of one image.
    ///
    /// The arithmetic is that of the hardware. Where the order of operations does not change the result, any order is
    /// allowed.
    ///
    /// # Errors
    ///
    /// [`EngineError::Arithmetic`] for the wrong kind of numbers, [`EngineError::Shape`] for too many or too
    /// few of them.
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError>;
}

/// Sees every cycle of a stepped run.
pub trait Observer {
    /// Called after every cycle. In that cycle `active` elements or cells did work, and together they added `count` to
    /// [`crate::Event::MAC`].
    fn cycle(&mut self, cycle: u128, active: u64, count: u128);

    /// How many lanes the observer wants to see before the next cycle, the first ones. [`MacEngine::trace`] asks.
    fn lanes(&self) -> usize {
        0
    }

    /// Shows a lane as the next cycle begins; `None` if the lane has no work.
    fn lane(&mut self, index: usize, lane: Option<&Lane<'_>>) {
        let _ = (index, lane);
    }

    /// Whether the observer has seen enough. [`MacEngine::trace`] then ends.
    fn is_done(&self) -> bool {
        false
    }
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn cycle(&mut self, cycle: u128, active: u64, count: u128) {
        (**self).cycle(cycle, active, count);
    }

    fn lanes(&self) -> usize {
        (**self).lanes()
    }

    fn lane(&mut self, index: usize, lane: Option<&Lane<'_>>) {
        (**self).lane(index, lane);
    }

    fn is_done(&self) -> bool {
        (**self).is_done()
    }
}

/// The observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    #[inline(always)]
    fn cycle(&mut self, _cycle: u128, _active: u64, _count: u128) {}
}

/// What a stepped machine returns: the run it counted and the sums it computed.
#[derive(Clone, Debug, PartialEq)]
pub struct SteppedRun {
    /// Counted cycle by cycle.
    pub run: LayerRun,
    /// Computed cycle by cycle.
    pub outputs: Outputs,
}

/// A MAC engine: one piece of hardware, made from one description.
///
/// An implementation may assume that a [`Layer`] is valid. An implementation must
///
/// - count what its hardware does, never what a formula of the metric says;
/// - keep no state between layers;
/// - give the same result for the same layer on every call and thread;
/// - return from [`MacEngine::run`] exactly the [`LayerRun`] that [`MacEngine::step`] counts. Where
///   [`MacEngine::cost_depends_on_input`], this holds for [`MacEngine::run_on`] with the same input.
pub trait MacEngine: Send + Sync {
    /// The name of the hardware, from its description.
    fn name(&self) -> &str;

    /// The numbers that the engine computes on: real ones in an analog engine, integers in a digital one. All activations
    /// that the engine is given and all outputs that it gives are of this arithmetic.
    fn arithmetic(&self) -> Arithmetic;

    /// The cost of one image, with repetition factored out. The time that this takes grows with the number of weights,
    /// not with the number of MACs.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if the hardware cannot hold the layer.
    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError>;

    /// Whether the cost of a layer depends on its activations. If it does, [`MacEngine::run_on`] tells the cost.
    fn cost_depends_on_input(&self) -> bool {
        false
    }

    /// The cost of one image with these activations, `[repeats, in_channels, height, width]`. The cost is that of
    /// [`MacEngine::run`] unless [`MacEngine::cost_depends_on_input`].
    ///
    /// # Errors
    ///
    /// As [`MacEngine::run`]; also [`EngineError::Arithmetic`] or [`EngineError::Shape`] if the input does not fit.
    fn run_on(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<LayerRun, EngineError> {
        let _ = input;
        self.run(layer)
    }

    /// What is random about the engine; `None` where nothing is, and an engine that does not say has nothing.
    ///
    /// The digital engine has nothing random. The analog engine has, where cells have errors of programming or of
    /// reading.
    fn randomness(&self) -> Option<&dyn Randomness> {
        None
    }

    /// Takes in a layer to compute its outputs.
    ///
    /// # Errors
    ///
    /// As [`MacEngine::run`].
    fn prepare(&self, layer: &Layer<'_>) -> Result<Box<dyn PreparedLayer>, EngineError>;

    /// Advances the machine cycle by cycle through one image, doing the arithmetic of each cycle.
    ///
    /// # Errors
    ///
    /// As [`MacEngine::run`] and [`PreparedLayer::forward`].
    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError>;

    /// Advances the machine as [`MacEngine::step`] does, and shows the observer the lanes that it asks for before every
    /// cycle. Ends when the observer has seen enough or the layer is done.
    ///
    /// # Errors
    ///
    /// As [`MacEngine::step`]; [`EngineError::Unsupported`] from an engine that shows nothing.
    fn trace(&self, layer: &Layer<'_>, input: Activations<'_>, observer: &mut dyn Observer) -> Result<(), EngineError> {
        let _ = (input, observer);
        let problem = "this engine does not show its cycles".to_string();
        Err(EngineError::Unsupported { layer: layer.name().to_string(), problem })
    }
}

/// What is random about an engine: departures of its hardware that are drawn from a distribution.
///
/// There are two kinds of them. The analog engine has both:
///
/// - Drawn once for a seed: an error of programming stays in its cell, so that every image meets the same one.
/// - Drawn anew on each read: a cell that is read twice gives two different amplitudes. This is read noise.
///
/// What is random must be a function of the seed, the name of the layer and the input alone. An engine has no memory, so
/// results are the same in every order of layers and at any number of threads. No count may depend on it: what is
/// random changes outputs, never a [`LayerRun`].
pub trait Randomness {
    /// The seed of everything that is random.
    fn seed(&self) -> u64;

    /// The same hardware with another seed. Seeds that differ give different hardware, as two chips of one design do.
    fn reseeded(&self, seed: u64) -> Box<dyn MacEngine>;

    /// The same hardware without what is drawn anew on each read. What is drawn once for the seed stays.
    ///
    /// A stepped machine draws an error for every read. [`MacEngine::prepare`] may draw one for a whole sum, from the
    /// distribution that the sum of those errors has. The outputs of the two are then equal in distribution only. Those
    /// of the silent hardware are equal in every bit, which a test can check.
    fn silent(&self) -> Box<dyn MacEngine>;
}

/// Why an engine cannot run a layer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// A tensor has the wrong number of elements.
    #[error("layer {layer}: {what} should have {expected} elements, not {found}")]
    Shape {
        /// The layer.
        layer: String,
        /// Which tensor.
        what: &'static str,
        /// Elements expected.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// The engine computes on the other kind of number.
    #[error("layer {layer}: this engine computes on {expected} activations")]
    Arithmetic {
        /// The layer.
        layer: String,
        /// That of the engine.
        expected: Arithmetic,
    },
    /// An activation is not one that the engine takes.
    #[error("layer {layer}: activation {index} is {value}; {expected}")]
    Activation {
        /// The layer.
        layer: String,
        /// Index in the input.
        index: usize,
        /// The activation.
        value: String,
        /// What the engine takes.
        expected: &'static str,
    },
    /// The hardware cannot hold the layer.
    #[error("layer {layer}: unsupported: {problem}")]
    Unsupported {
        /// The layer.
        layer: String,
        /// What the hardware cannot hold.
        problem: String,
    },
}
