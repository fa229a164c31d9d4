//! What a traced layer reads.

use engine::Arithmetic;
use inference::{InferenceError, Samples, Session, gather};
use network::{LayerId, Mend, Note, NoteKind};

use super::plan::TracePlan;
use crate::error::RunnerError;
use crate::evaluate::{EvaluationPlan, calibrate, float_executor, needs_calibration};
use crate::executor::EngineExecutor;
use crate::finish::quantize_activations;
use crate::stepped::pattern;

/// The activations of one image, `[repeats, in_channels, height, width]`, as the hardware takes them.
pub(super) enum LayerInput {
    Integer(Vec<i32>),
    Real(Vec<f32>),
}

/// What the layer reads of the image when the hardware runs the network up to it, or a pattern.
pub(super) fn layer_input(plan: &TracePlan<'_>) -> Result<LayerInput, RunnerError> {
    if let Some((samples, image)) = plan.image {
        return of_image(plan, samples, image);
    }
    let values = pattern(plan.network, &plan.network.layers()[plan.layer.0])?;
    Ok(match plan.hardware.engine.arithmetic() {
        Arithmetic::Integer => LayerInput::Integer(values),
        Arithmetic::Real => LayerInput::Real(values.into_iter().map(|x| x as f32).collect()),
    })
}

/// Tells of activations that no image gave.
pub(super) fn note(plan: &TracePlan<'_>) -> Option<Note> {
    if plan.image.is_some() {
        return None;
    }
    let text = "without an image the layer reads pseudo-random integers from 0 to 255, the same in every run";
    let note = Note::new(NoteKind::Assumed, text);
    Some(if plan.network.has_graph() { note.mended_by(Mend::GiveImages) } else { note })
}

fn of_image(plan: &TracePlan<'_>, samples: &dyn Samples, image: usize) -> Result<LayerInput, RunnerError> {
    let network = plan.network;
    let inference =
        |source: InferenceError| RunnerError::Inference { path: network.path().to_path_buf(), source: source.into() };
    let integers = plan.hardware.engine.arithmetic() == Arithmetic::Integer;
    let evaluation = EvaluationPlan {
        network,
        hardware: std::slice::from_ref(plan.hardware),
        quantization: plan.quantization,
        samples,
        answer: None,
        activation_bits: plan.activation_bits,
        calibration_images: plan.calibration_images,
        reference: false,
        progress: &|_| {},
    };
    let session = Session::new(network).map_err(inference)?;
    let float = match integers && needs_calibration(network) {
        true => Some(float_executor(network)?),
        false => None,
    };
    let quantizations = if integers { calibrate(&evaluation, &session, float.as_ref())? } else { Vec::new() };
    let executor = EngineExecutor::new(network, plan.hardware, plan.quantization, &quantizations)?;
    let (batch, _) = gather(samples, image, network.batch())?;
    let mut read = Vec::new();
    let mut keep = |id: LayerId, input: &[f32], _: &[f32]| {
        if id == plan.layer {
            read = input[..network.layers()[id.0].geometry.input_len()].to_vec();
        }
    };
    session.run(&batch, &executor, Some(&mut keep)).map_err(inference)?;
    Ok(match quantizations.get(plan.layer.0) {
        Some(&quantization) => LayerInput::Integer(quantize_activations(&read, quantization)),
        None => LayerInput::Real(read),
    })
}
