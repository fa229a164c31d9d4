//! A stepped machine in slow motion: what its lanes hold in every cycle of a range.
//!
//! The main function is [`trace`]. What it returns is bounded by [`MAX_VALUES`], whatever the layer and the range.

mod input;
mod plan;
mod record;
mod signal;

use engine::{Activations, Layer};

use crate::error::RunnerError;
use crate::hardware::refused;
use crate::prepare::prepare;
use crate::stepped::stepped_engine;
use record::Recorder;

pub use plan::{DEFAULT_CYCLES, MAX_VALUES, TracePlan};
pub use record::{Sample, Trace};
pub use signal::{Signal, SignalKind, SignalValue};

/// Steps a layer up to the end of the range and records the cycles in it.
///
/// # Errors
///
/// [`RunnerError::Trace`] if the range is empty, begins after the layer's last cycle or has more than [`MAX_VALUES`]
/// values of signals that are shown; [`RunnerError::Engine`] if the engine has no stepped machine; those of [`crate::cost`], and of
/// [`crate::evaluate`] where there is an image.
pub fn trace(plan: &TracePlan<'_>) -> Result<Trace, RunnerError> {
    plan.quantization.check(plan.network)?;
    plan.check()?;
    let refused = |source| refused(plan.network, plan.hardware, source);
    let layer = &plan.network.layers()[plan.layer.0];
    let weights = prepare(plan.network, plan.layer, plan.quantization)?;
    let engine_layer = Layer::new(&layer.name, &layer.geometry, &weights.codes).map_err(refused)?;
    let machine = stepped_engine(plan.hardware.engine.as_ref(), &engine_layer).map_err(refused)?;
    let input = input::layer_input(plan)?;
    let activations = match &input {
        input::LayerInput::Integer(values) => Activations::Integer(values),
        input::LayerInput::Real(values) => Activations::Real(values),
    };
    let run = plan.hardware.engine.run_on(&engine_layer, activations).map_err(refused)?;
    let mut recorder = Recorder::new(plan, &run)?;
    machine.trace(&engine_layer, activations, &mut recorder).map_err(refused)?;
    let mut trace = recorder.finish()?;
    trace.notes.extend(input::note(plan));
    Ok(trace)
}
