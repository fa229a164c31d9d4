//! Why an engine cannot run a layer.

use esn::WeightShape;
use network::{ErrorKind, Failure};
use thiserror::Error;

use crate::arithmetic::Arithmetic;

/// Why an engine cannot run a layer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The weights of a layer do not have the shape of its geometry.
    #[error("layer {layer}: its weights should be {}, not {}", shown(expected), shown(found))]
    Weights {
        /// The layer.
        layer: String,
        /// The shape of the geometry.
        expected: WeightShape,
        /// The shape of the weights.
        found: WeightShape,
    },
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

impl Failure for EngineError {
    fn kind(&self) -> ErrorKind {
        match self {
            EngineError::Weights { .. }
            | EngineError::Shape { .. }
            | EngineError::Arithmetic { .. }
            | EngineError::Activation { .. } => ErrorKind::BadArgument,
            EngineError::Unsupported { .. } => ErrorKind::Unsupported,
        }
    }
}

/// `[filters, channels, taps]`, and how many groups share them out.
fn shown(shape: &WeightShape) -> String {
    let WeightShape { filters, groups, channels, taps } = shape;
    let groups = if *groups == 1 { "1 group".to_string() } else { format!("{groups} groups") };
    format!("[{filters}, {channels}, {taps}] in {groups}")
}
