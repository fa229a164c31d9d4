//! A stepped machine in slow motion: what its lanes hold in every cycle of a range, as a waveform and as a table.
//!
//! The main function is [`trace`]. What it returns is bounded by [`MAX_VALUES`], whatever the layer and the range.

mod input;
mod record;

use std::ops::Range;

use engine::{Activations, Layer};
use inference::Samples;
use network::{LayerId, Network};

use crate::error::RunnerError;
use crate::hardware::{Hardware, refused};
use crate::prepare::{Quantization, prepare};
use record::Recorder;

pub use record::{LaneSample, Sample, Sum, Trace};

/// Most values, cycles × signals, of one trace.
pub const MAX_VALUES: u64 = 1 << 22;

/// Signals of a trace beside those of its lanes: active, count and energy.
const COMMON_SIGNALS: u64 = 3;

/// Signals of a lane beside its accumulators: busy, filter, position, weight and plane.
const LANE_SIGNALS: u64 = 5;

/// What to trace.
#[derive(Clone, Copy)]
pub struct TracePlan<'a> {
    /// The network.
    pub network: &'a Network,
    /// The hardware.
    pub hardware: &'a Hardware,
    /// How real weights are quantized.
    pub quantization: Quantization,
    /// The layer.
    pub layer: LayerId,
    /// First cycle, and the first that is not traced any more.
    pub cycles: (u64, u64),
    /// Lanes that are shown: rows of elements, or filters in columns; the first ones.
    pub lanes: usize,
    /// Accumulators that are shown of each lane; the first ones.
    pub accumulators: usize,
    /// Images, and which of them the machine reads; pseudo-random 8-bit activations without.
    pub image: Option<(&'a dyn Samples, usize)>,
    /// Bits of the activations that an engine on integers reads, where the file does not say.
    pub activation_bits: u32,
    /// Images, the first ones, whose activations set the ranges where the file does not say.
    pub calibration_images: usize,
    /// Told after every cycle, traced or on the way there, how many are done.
    pub progress: &'a dyn Fn(u64),
}

impl TracePlan<'_> {
    /// Signals of the trace.
    pub fn signals(&self) -> u64 {
        let lane = LANE_SIGNALS.saturating_add(self.accumulators as u64);
        lane.saturating_mul(self.lanes as u64).saturating_add(COMMON_SIGNALS)
    }

    fn range(&self) -> Range<u64> {
        self.cycles.0..self.cycles.1
    }

    fn problem(&self, problem: String) -> RunnerError {
        RunnerError::Trace {
            path: self.network.path().to_path_buf(),
            layer: self.network.layers()[self.layer.0].name.clone(),
            hardware: self.hardware.engine.name().to_string(),
            problem,
        }
    }

    fn check(&self) -> Result<(), RunnerError> {
        let range = self.range();
        if range.is_empty() {
            return Err(self.problem(format!("cycles {}..{} are none", range.start, range.end)));
        }
        let (cycles, signals) = (range.end - range.start, self.signals());
        match cycles.checked_mul(signals) {
            Some(values) if values <= MAX_VALUES => Ok(()),
            _ => Err(self.problem(format!(
                "{cycles} cycles of {signals} signals; at most {MAX_VALUES} values are traced: ask for fewer cycles or lanes"
            ))),
        }
    }
}

/// Steps a layer up to the end of the range and records the cycles in it.
///
/// # Errors
///
/// [`RunnerError::Trace`] if the range is empty, begins after the layer's last cycle or makes more than [`MAX_VALUES`]
/// values with the lanes; those of [`crate::cost`], and of [`crate::evaluate`] where there is an image.
pub fn trace(plan: &TracePlan<'_>) -> Result<Trace, RunnerError> {
    plan.quantization.check(plan.network)?;
    plan.check()?;
    let refused = |source| refused(plan.network, plan.hardware, source);
    let layer = &plan.network.layers()[plan.layer.0];
    let weights = prepare(plan.network, plan.layer, plan.quantization)?;
    let engine_layer = Layer::new(&layer.name, &layer.geometry, &weights.codes).map_err(refused)?;
    let input = input::layer_input(plan)?;
    let activations = match &input {
        input::LayerInput::Integer(values) => Activations::Integer(values),
        input::LayerInput::Real(values) => Activations::Real(values),
    };
    let total_cycles = plan.hardware.engine.run_on(&engine_layer, activations).map_err(refused)?.cycles.0;
    if u128::from(plan.cycles.0) >= total_cycles {
        return Err(plan.problem(format!("it has {total_cycles} cycles, none from {} on", plan.cycles.0)));
    }
    let mut recorder = Recorder::new(plan, total_cycles);
    plan.hardware.engine.trace(&engine_layer, activations, &mut recorder).map_err(refused)?;
    Ok(recorder.finish())
}
