//! What an engine does that advances cycle by cycle, and who may watch it.

use crate::arithmetic::{Activations, Outputs};
use crate::error::EngineError;
use crate::lane::{Lane, Parts, StageWork, View};
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

    /// Advances the machine as [`SteppedEngine::step`] does, and shows the observer what it asks for before every cycle.
    /// Ends when the observer has seen enough or the layer is done.
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

    /// Tells what of the machine works on the layer, before the first cycle. [`SteppedEngine::trace`] does.
    fn begin(&mut self, parts: &Parts) {
        let _ = parts;
    }

    /// What the observer wants to see of the next cycle; `None` if nothing. [`SteppedEngine::trace`] asks.
    fn view(&self) -> Option<View> {
        None
    }

    /// Shows a lane as the next cycle begins.
    fn lane(&mut self, index: usize, lane: Lane) {
        let _ = (index, lane);
    }

    /// Shows what is in each stage of [`Parts::stages`] in the next cycle.
    fn stages(&mut self, stages: Vec<Option<StageWork>>) {
        let _ = stages;
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

    fn begin(&mut self, parts: &Parts) {
        (**self).begin(parts);
    }

    fn view(&self) -> Option<View> {
        (**self).view()
    }

    fn lane(&mut self, index: usize, lane: Lane) {
        (**self).lane(index, lane);
    }

    fn stages(&mut self, stages: Vec<Option<StageWork>>) {
        (**self).stages(stages);
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
