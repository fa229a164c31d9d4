//! What can go wrong while a network is made ready or runs.

use network::{ErrorKind, Failure, Mend, NetworkError};
use thiserror::Error;

use crate::executor::ExecutorError;
use crate::samples::SampleError;

/// Why a network cannot run, or a run failed. Every message is one line that names the place.
#[derive(Debug, Error)]
pub enum InferenceError {
    /// The network is valid but needs something that is not there.
    #[error("{place}: unsupported: {problem}")]
    Unsupported {
        /// Node or value.
        place: String,
        /// What is not handled, and what would be.
        problem: String,
    },
    /// The network or its input contradicts itself.
    #[error("{place}: {problem}")]
    Invalid {
        /// Node or value.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The activations need more memory than a run may take.
    #[error("{place}: live activations of {needed} bytes; at most {limit} are allowed")]
    Memory {
        /// The node where the most is alive.
        place: String,
        /// Bytes alive there.
        needed: u128,
        /// The most that is allowed.
        limit: u128,
    },
    /// The executor of the MAC layers failed.
    #[error("layer {layer}")]
    Executor {
        /// Name of the layer.
        layer: String,
        /// The executor's own error.
        source: ExecutorError,
    },
    /// Weights cannot be read.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An image cannot be had.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

impl Failure for InferenceError {
    fn kind(&self) -> ErrorKind {
        match self {
            InferenceError::Unsupported { .. } => ErrorKind::Unsupported,
            InferenceError::Invalid { .. } => ErrorKind::InvalidFile,
            InferenceError::Memory { .. } => ErrorKind::OutOfLimits,
            InferenceError::Executor { source, .. } => source.kind(),
            InferenceError::Network(error) => error.kind(),
            InferenceError::Sample(error) => error.kind(),
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            InferenceError::Executor { source, .. } => source.mend(),
            InferenceError::Network(error) => error.mend(),
            InferenceError::Sample(error) => error.mend(),
            InferenceError::Unsupported { .. } | InferenceError::Invalid { .. } | InferenceError::Memory { .. } => None,
        }
    }
}

/// What an operation finds wrong; who runs it knows its name.
#[derive(Debug)]
pub(crate) enum Problem {
    Invalid(String),
    Unsupported(String),
}

impl Problem {
    pub fn at(self, place: &str) -> InferenceError {
        let place = place.to_string();
        match self {
            Problem::Invalid(problem) => InferenceError::Invalid { place, problem },
            Problem::Unsupported(problem) => InferenceError::Unsupported { place, problem },
        }
    }
}
