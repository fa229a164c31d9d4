//! What an engine does that advances cycle by cycle, and who may watch it.

use crate::arithmetic::{Activations, Outputs};
use crate::error::EngineError;
use crate::lane::Lane;
use crate::layer::Layer;
use crate::run::LayerRun;

/// An engine as a machine that advances cycle by cycle, with the arithmetic of each cycle.
///
/// It is the evidence for what [`crate::MacEngine`] counts with repetition factored out, and it has the waveforms. The
/// stepped machine of the analog engine drives tiles of cells with input vectors; its lanes are the columns of filters.
/// That of the digital engine moves rows of processing elements from bit plane to bit plane; its lanes are the rows.
///
/// An implementation may assume that a [`Layer`] is valid. It must count each cycle by what happens in it, and must not
/// take a count from the fast engine: two counts that share code prove nothing about each other.
pub trait SteppedEngine {
    /// Advances the machine through one image, to the end of the layer.
    ///
    /// # Errors
    ///
    /// As [`crate::MacEngine::run`] and [`crate::PreparedLayer::forward`].
    fn step(&self, layer: &Layer<'_>, input: Activations<'_>) -> Result<SteppedRun, EngineError>;

    /// Advances the machine as [`SteppedEngine::step`] does, and shows the observer the lanes that it asks for before
    /// every cycle. Ends when the observer has seen enough or the layer is done.
    ///
    /// # Errors
    ///
    /// As [`SteppedEngine::step`].
    fn trace(&self, layer: &Layer<'_>, input: Activations<'_>, observer: &mut dyn Observer) -> Result<(), EngineError>;
}

/// What a stepped machine returns: the run it counted and the sums it computed.
#[derive(Clone, Debug, PartialEq)]
pub struct SteppedRun {
    /// Counted cycle by cycle.
    pub run: LayerRun,
    /// Computed cycle by cycle.
    pub outputs: Outputs,
}

/// Sees every cycle of a stepped run.
pub trait Observer {
    /// Called after every cycle. In that cycle `active` elements or cells added to [`crate::Event::MAC`], and together
    /// they added `count`. A cell adds for the whole input in the cycle that takes its first step.
    fn cycle(&mut self, cycle: u128, active: u64, count: u128);

    /// How many lanes the observer wants to see before the next cycle, the first ones. [`SteppedEngine::trace`] asks.
    fn lanes(&self) -> usize {
        0
    }

    /// Shows a lane as the next cycle begins; `None` if the lane has no work.
    fn lane(&mut self, index: usize, lane: Option<&Lane<'_>>) {
        let _ = (index, lane);
    }

    /// Whether the observer has seen enough. [`SteppedEngine::trace`] then ends.
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
