//! What an engine is given, must do, and returns.

use esn::CodeTensor;
use network::Geometry;
use thiserror::Error;

use crate::lane::Lane;
use crate::ledger::{Cycles, Ledger};

/// Name of the ledger entry in which every engine counts its multiply-accumulate work.
pub const MAC_ENTRY: &str = "mac";

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

    /// Where its weights meet its input.
    pub fn geometry(&self) -> &'a Geometry {
        self.geometry
    }

    /// Its weights, `[filters, in_channels / groups, kernel_h, kernel_w]`.
    pub fn weights(&self) -> &'a CodeTensor {
        self.weights
    }
}

/// How much of the offered hardware did work: `used / offered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Busy PE-cycles, or occupied cells.
    pub used: u128,
    /// All PE-cycles, or all cells.
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
    /// Latency.
    pub cycles: Cycles,
    /// Energy, by kind of event.
    pub ledger: Ledger,
    /// Work done over work offered.
    pub occupancy: Occupancy,
    /// Where offered work was not used, by cause, in the unit of [`Occupancy`]; adds up to `offered − used`.
    pub idle: Vec<(&'static str, u128)>,
}

/// The input of a layer: `[repeats, in_channels, height, width]`, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Activations<'a> {
    /// Integers with the zero point already subtracted, at most 17 bits with sign.
    Integer(&'a [i32]),
    /// Real numbers, all finite.
    Real(&'a [f32]),
}

/// The sums of a layer, `[repeats, filters, out_height, out_width]`, row-major, without bias.
#[derive(Clone, Debug, PartialEq)]
pub enum Outputs {
    /// `Σ code · x` exactly, in half-steps of the weight grid.
    Integer(Vec<i64>),
    /// `Σ (code / 2) · x`, in steps of the weight grid.
    Real(Vec<f32>),
}

/// A layer held by an engine, its weights in the form that the engine computes with.
pub trait PreparedLayer: Send + Sync {
    /// Computes the sums of one image. The arithmetic is the hardware's; only its order of no consequence may differ.
    ///
    /// # Errors
    ///
    /// [`EngineError::Arithmetic`] for the wrong kind of input, [`EngineError::Shape`] for one of the wrong length.
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError>;
}

/// Sees every cycle of a stepped run.
pub trait Observer {
    /// Called once a cycle, after it. `active` PEs or cells did work and spent `count` units of the entry
    /// [`MAC_ENTRY`] in it.
    fn cycle(&mut self, cycle: u128, active: u64, count: u128);

    /// How many lanes it wants to be shown in the next cycle, the first ones; asked by [`MacEngine::trace`].
    fn lanes(&self) -> usize {
        0
    }

    /// Shows a lane as the next cycle begins; none if it has no work.
    fn lane(&mut self, index: usize, lane: Option<&Lane<'_>>) {
        let _ = (index, lane);
    }

    /// Whether it has seen enough, so that [`MacEngine::trace`] ends.
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

/// The observer that looks away.
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

/// A MAC engine: one description of hardware.
///
/// An implementation may assume that a [`Layer`] is valid. It must count what its hardware does, never what a formula of
/// the metric says; keep no state between layers; give the same result for the same layer on every call and thread; and
/// return from [`MacEngine::run`] exactly the `LayerRun` that [`MacEngine::step`] counts, or from [`MacEngine::run_on`] where
/// [`MacEngine::cost_depends_on_input`].
pub trait MacEngine: Send + Sync {
    /// Name of this hardware, from its description.
    fn name(&self) -> &str;

    /// Whether it computes on integers (digital) or real numbers (analog).
    fn computes_integers(&self) -> bool;

    /// The cost of one image, with repetition factored out: time grows with the weights, not with the MACs.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if the hardware cannot hold the layer.
    fn run(&self, layer: &Layer<'_>) -> Result<LayerRun, EngineError>;

    /// Whether the cost of a layer depends on its activations, and [`MacEngine::run_on`] is to be asked for it.
    fn cost_depends_on_input(&self) -> bool {
        false
    }

    /// The cost of one image with these activations, `[repeats, in_channels, height, width]`. The same as
    /// [`MacEngine::run`] unless [`MacEngine::cost_depends_on_input`].
    ///
    /// # Errors
    ///
    /// As [`MacEngine::run`], and [`EngineError::Arithmetic`] or [`EngineError::Shape`] for an input that does not fit.
    fn run_on(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<LayerRun, EngineError> {
        let _ = input;
        self.run(layer)
    }

    /// The same hardware with another seed of its random departures (programming error, read noise); `None` where nothing
    /// is random. What is random must be a function of seed, layer name and input alone: an engine has no memory, so that
    /// results are the same in every order and at any number of threads.
    fn reseeded(&self, seed: u64) -> Option<Box<dyn MacEngine>> {
        let _ = seed;
        None
    }

    /// The same hardware without the read noise that [`MacEngine::step`] draws read by read and
    /// [`MacEngine::prepare`] from the distribution of their sum, so that the two are equal in distribution alone; `None`
    /// where they are equal anyway.
    fn without_read_noise(&self) -> Option<Box<dyn MacEngine>> {
        None
    }

    /// Takes a layer in to compute with it.
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

    /// Advances the machine as [`MacEngine::step`] does, until the observer has seen enough or the layer is done, and shows
    /// it the lanes it asks for before every cycle.
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
        /// `"integer"` or `"real"`.
        expected: &'static str,
    },
    /// An activation is outside what the engine takes.
    #[error("layer {layer}: activation {index} is {value}; {expected}")]
    Activation {
        /// The layer.
        layer: String,
        /// Index in the input.
        index: usize,
        /// Its value.
        value: String,
        /// What would be taken.
        expected: &'static str,
    },
    /// The hardware cannot hold the layer.
    #[error("layer {layer}: unsupported: {problem}")]
    Unsupported {
        /// The layer.
        layer: String,
        /// What it cannot hold.
        problem: String,
    },
}
