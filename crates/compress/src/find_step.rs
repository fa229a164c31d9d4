//! The grid that real weights of a file already lie on.
//!
//! Research code often saves fake-quantized weights: real numbers, each `Δ·W_int` up to the rounding of its type.
//! [`find_steps`] looks for `Δ` in the values alone: first one step for the layer, then one a filter. Of two
//! explanations the one with fewer bits is taken. The step is the largest that explains every value within the rounding
//! of its type. Some layers keep their real weights, and the report says why: their values lie on no grid, or are so
//! few that they would lie on some grid by chance.

mod distinct;
mod evidence;
mod lattice;
mod layer;
mod precision;
mod report;

use network::{LayerId, LayerWeights, MacLayer, Network, Note, NoteKind, WeightValues};
use rayon::prelude::*;

use crate::Watch;
use crate::error::CompressError;
use crate::rebuild::with_layers;
use crate::ties::{first_uses, parted};
use esn::Grid;
use layer::{Found, find_layer};
pub use report::{FindStepReport, FoundStep, LayerFinding};

/// What a user knows about the weights beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindStepOptions {
    /// The only grid to look for. Without it, values that are odd multiples of half a step are mid-rise, all others
    /// mid-tread; of one magnitude alone, mid-tread if there are zeros too (ternary) and mid-rise if not (binary).
    pub grid: Option<Grid>,
}

/// Puts real weights that already lie on a grid on it: the layer then holds codes and steps as if the file had
/// quantized them. Layers that the file quantizes, and those whose values lie on no grid, stay as they are; the report
/// says why.
///
/// A value may be off its level by four roundings of float32 at the layer's largest magnitude; where every value fits
/// float16 (bfloat16) exactly, by one rounding of that type. Steps are `f32`, one a layer or one a filter; a filter
/// that is wholly 0 has step 1.
///
/// # Errors
///
/// [`CompressError::Network`] for weights that are garbled or not finite.
pub fn find_steps(network: &Network, options: &FindStepOptions) -> Result<(Network, FindStepReport), CompressError> {
    find_steps_watched(network, options, &|| ())
}

/// [`find_steps`], with someone who may stop it.
///
/// # Errors
///
/// As [`find_steps`].
pub fn find_steps_watched(
    network: &Network,
    options: &FindStepOptions,
    watch: Watch<'_>,
) -> Result<(Network, FindStepReport), CompressError> {
    let one = |index| one_layer(network, LayerId(index), options, watch);
    let layers = (0..network.layers().len()).into_par_iter().map(one);
    // Of several errors that of the first layer, whichever is found first.
    let layers = layers.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, CompressError>>()?;
    let (mut layers, findings): (Vec<MacLayer>, _) = layers.into_iter().unzip();
    // What was one tensor has the same codes, and stays one under one name.
    for (layer, first) in first_uses(network).into_iter().enumerate() {
        let name = layers[first].weights.name.clone();
        layers[layer].weights.name = name;
    }
    let report = FindStepReport { layers: findings };
    let found = with_layers(network, layers)?;
    let own = notes(&report).into_iter().chain(parted(network, &found));
    let notes = network.notes().iter().cloned().chain(own).collect();
    Ok((found.with_notes(notes), report))
}

/// What a user should know of the network from now on.
fn notes(report: &FindStepReport) -> Vec<Note> {
    let found = report.found().count();
    let text = format!("weights of {found} layers are real in the file; their codes were found in the values");
    let one = (found > 0).then(|| Note::new(NoteKind::Assumed, text));
    one.into_iter().chain(report.refusal()).collect()
}

fn one_layer(
    network: &Network,
    id: LayerId,
    options: &FindStepOptions,
    watch: Watch<'_>,
) -> Result<(MacLayer, LayerFinding), CompressError> {
    let mac = &network.layers()[id.0];
    let finding = |found, refused| LayerFinding { layer: mac.name.clone(), found, refused };
    if mac.weights.quantization.is_some() {
        return Ok((mac.clone(), finding(None, None)));
    }
    let shape = mac.channel_shape();
    let outcome = match network.weights(id)? {
        LayerWeights::Float(WeightValues::F32(weights)) => find_layer(&weights, shape, options, watch),
        LayerWeights::Float(WeightValues::F64(weights)) => find_layer(&weights, shape, options, watch),
        LayerWeights::Quantized { .. } => return Ok((mac.clone(), finding(None, None))),
    };
    Ok(match outcome {
        Ok(found) => (with_codes(mac, &found), finding(Some(found.step), None)),
        Err(reason) => (mac.clone(), finding(None, Some(reason))),
    })
}

/// The layer with its codes in place of its real weights.
fn with_codes(mac: &MacLayer, found: &Found) -> MacLayer {
    mac.with_codes(&mac.weights.name, &found.codes, &found.steps).expect("there is one step, or one a filter")
}
