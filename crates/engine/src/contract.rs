//! What an engine must do, and what it may offer.

use crate::arithmetic::{Activations, Arithmetic, Outputs};
use crate::error::EngineError;
use crate::kernel::{CodeSums, RealConv};
use crate::layer::Layer;
use crate::run::LayerRun;
use crate::stepped::SteppedEngine;
use crate::weights::WeightFormat;

/// A MAC engine: one piece of hardware, made from one description.
///
/// Every engine counts ([`MacEngine::run`]) and computes ([`MacEngine::prepare`]). What only some have is a capability
/// that a consumer asks for: [`MacEngine::randomness`] and [`MacEngine::stepped`].
///
/// | | the analog engine | the digital engine |
/// |---|---|---|
/// | hardware | arrays of cells that hold a weight each | rows of processing elements |
/// | arithmetic | real | integer |
/// | [`crate::Event::MAC`] counts, without departures | squared half-steps of the weights | busy PE-cycles, one for each bit plane |
/// | occupancy counts | cell-cycles in which a cell that holds a weight is read | busy PE-cycles |
/// | cost depends on the input | if the energy law of its cells does | if activations of 0 are gated or skipped |
/// | randomness | errors of programming by seed, noise on each read | none |
/// | stepped machine | a step of an input vector a cycle | a bit plane a cycle in every row |
///
/// An implementation may assume that
///
/// - a [`Layer`] is valid: its weights have the shape of its geometry and are codes of one grid, at most 17 bits wide;
/// - an input is that of one image, for a batch comes image by image;
/// - what the ledger calls an event is compared with events of the same engine only.
///
/// It may not assume that layers come in their order, once, or from one thread, nor that activations fit them.
///
/// An implementation must
///
/// - count what its hardware does: cycles, events, and why hardware was idle, all as integers of one image;
/// - give the same result for the same layer on every call and thread;
/// - check activations, and refuse what it cannot hold or take with an [`EngineError`] that names the layer;
/// - return from [`MacEngine::run`] exactly the [`LayerRun`] that [`SteppedEngine::step`] counts. Where
///   [`MacEngine::cost_depends_on_input`], this holds for [`MacEngine::run_on`] with the same input.
///
/// An implementation must not
///
/// - call a formula of the metric, or the check of counts against the metric would check nothing;
/// - keep state from one layer or image to the next;
/// - read a file, a clock or a source of chance, or print;
/// - give a plausible number for a layer that it does not model: that is [`EngineError::Unsupported`].
pub trait MacEngine: Send + Sync {
    /// The name of the hardware, from its description.
    fn name(&self) -> &str;

    /// The numbers that the engine computes on: real ones in an analog engine, integers in a digital one. All
    /// activations that the engine is given and all outputs that it gives are of this arithmetic.
    fn arithmetic(&self) -> Arithmetic;

    /// The format in which the hardware keeps weights. [`LayerRun::memory`] is their size in it.
    fn weight_format(&self) -> WeightFormat;

    /// The cost of one image, with repetition factored out. The time that this takes grows with the number of weights,
    /// not with the number of MACs.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if the hardware cannot hold the layer, if a count passes 128 bits, or if the cost
    /// depends on an input and nothing is assumed of it.
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
    /// As [`MacEngine::run`]; where the cost depends on the input, also [`EngineError::Arithmetic`],
    /// [`EngineError::Shape`] or [`EngineError::Activation`] if the input does not fit. An engine whose cost does not
    /// depend on it looks at no input here.
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

    /// The engine as a machine that advances cycle by cycle; `None` where there is no such machine, and an engine that
    /// does not say has none. A stepped run or a trace of the engine is then unsupported. The analog and the digital
    /// engine both have one.
    fn stepped(&self) -> Option<&dyn SteppedEngine> {
        None
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
    /// [`EngineError::Arithmetic`] for the wrong kind of numbers, [`EngineError::Shape`] for too many or too few of
    /// them, [`EngineError::Activation`] for one that the engine does not take.
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError>;

    /// As [`PreparedLayer::forward`], and adds the conversions of the image. An engine that does not say has no converters
    /// that can clip.
    ///
    /// # Errors
    ///
    /// As [`PreparedLayer::forward`].
    fn forward_counting(&self, input: Activations<'_>, conversions: &mut Conversions) -> Result<Outputs, EngineError> {
        let _ = conversions;
        self.forward(input)
    }

    /// The layer on inputs of 8-bit codes that stand for `code − zero_point`, where the engine adds them exactly and 32 bits
    /// hold every sum; `None` elsewhere, and from an engine that does not say. The sums are those of
    /// [`PreparedLayer::forward`].
    ///
    /// # Panics
    ///
    /// If the zero point is not 0…255.
    fn codes(&self, zero_point: i32) -> Option<CodeSums<'_>> {
        let _ = zero_point;
        None
    }

    /// The convolution whose sums are those of [`PreparedLayer::forward`] for every finite input, bit by bit; `None` where the
    /// engine does more than to add up products, and from an engine that does not say. Whoever asks checks its input with
    /// [`Activations::finite_reals`].
    fn reals(&self) -> Option<&RealConv> {
        None
    }
}

/// Conversions of partial sums, and how many of them clipped: a sum more than half a step beyond the range of its
/// converter becomes the end of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversions {
    /// All of them.
    pub total: u64,
    /// Those that clipped.
    pub clipped: u64,
}

impl Conversions {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { total: self.total + other.total, clipped: self.clipped + other.clipped }
    }
}

/// What is random about an engine: departures of its hardware that are drawn from a distribution.
///
/// There are two kinds of them. The analog engine has both:
///
/// - Drawn once for a seed: an error of programming stays in its cell, so that every image meets the same one.
/// - Drawn anew on each read: a cell that is read twice gives two different amplitudes. This is read noise.
///
/// What is random must be a function of the seed, the name of the layer and the input alone. An engine has no memory,
/// so results are the same in every order of layers and at any number of threads. No count may depend on what is
/// random: it changes outputs, never a [`LayerRun`].
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
