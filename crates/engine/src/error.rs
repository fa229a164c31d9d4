//! Why an engine cannot run a layer.

use network::{ErrorKind, Failure};
use thiserror::Error;

use crate::arithmetic::Arithmetic;

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
            EngineError::Shape { .. } | EngineError::Arithmetic { .. } | EngineError::Activation { .. } => {
                ErrorKind::BadArgument
            }
            EngineError::Unsupported { .. } => ErrorKind::Unsupported,
        }
    }
}
