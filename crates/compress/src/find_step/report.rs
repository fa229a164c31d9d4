//! What the search for steps found, layer by layer.

use network::{Note, NoteKind};
use serde::Serialize;

use crate::quantize::Granularity;

/// What was found in a network, by layer in order of execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindStepReport {
    /// One a layer.
    pub layers: Vec<LayerFinding>,
}

/// What was found in one layer. A layer that the file quantizes has neither a step nor a reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFinding {
    /// Name of the layer.
    pub layer: String,
    /// The grid that its weights lie on, if one was found.
    pub found: Option<FoundStep>,
    /// Why the layer keeps its real weights, if it does.
    pub refused: Option<String>,
}

/// A grid that weights lie on, and how sure that is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundStep {
    /// `mid-rise` or `mid-tread`.
    pub grid: &'static str,
    /// What shares a step.
    pub granularity: Granularity,
    /// The smallest and the largest step `Δ`.
    pub steps: [f32; 2],
    /// Bits that hold the widest filter (the layer) with its sign: on mid-tread those of a two's complement integer,
    /// with a zero point where that saves bits.
    pub bits: u32,
    /// What to add to `W_int` so that it fits a two's complement integer of `bits` bits, if it does not by itself; one
    /// step a layer only.
    pub zero_point: Option<i32>,
    /// The lowest and the highest level, `W_int`.
    pub levels: [f64; 2],
    /// Distinct levels seen, 0 included, of [`FoundStep::levels_possible`].
    pub levels_seen: usize,
    /// Levels of a grid of `bits` bits.
    pub levels_possible: u64,
    /// The largest deviation of a weight from its level, in steps.
    pub deviation: f64,
    /// The type that values were rounded to: `float32`, `float16`, `bfloat16`.
    pub rounded_to: &'static str,
    /// Decimal logarithm of the chance that evenly spread random numbers would fit as well, by their values alone: 0
    /// where all weights have one magnitude and only their repetition tells.
    pub log10_chance: f64,
}

impl FindStepReport {
    /// Layers that are on a grid now and were not before.
    pub fn found(&self) -> impl Iterator<Item = (&str, &FoundStep)> {
        self.layers.iter().filter_map(|layer| Some((layer.layer.as_str(), layer.found.as_ref()?)))
    }

    /// Layers that keep real weights, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.layers.iter().filter_map(|layer| Some((layer.layer.as_str(), layer.refused.as_deref()?)))
    }

    /// One note of all layers that keep real weights: how many there are, and why the first does.
    pub fn refusal(&self) -> Option<Note> {
        let mut refused = self.refused();
        let (layer, why) = refused.next()?;
        Some(match refused.count() {
            0 => Note::of_layer(NoteKind::Unchanged, layer, format!("no step found: {why}")),
            others => {
                let text =
                    format!("no step found for {} layers, whose weights stay real; layer {layer}: {why}", others + 1);
                Note::new(NoteKind::Unchanged, text)
            }
        })
    }
}
