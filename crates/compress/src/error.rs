//! What can go wrong in compressing. Every message is one line.

use inference::{InferenceError, SampleError};
use network::NetworkError;
use thiserror::Error;

/// Why a network cannot be compressed as asked.
#[derive(Debug, Error)]
pub enum CompressError {
    /// An option has a value that means nothing.
    #[error("{option}: {problem}")]
    Option {
        /// The option, as its field is called.
        option: &'static str,
        /// What was expected and what was found.
        problem: String,
    },
    /// A layer cannot be compressed so.
    #[error("layer {layer}: {problem}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What is wrong.
        problem: String,
    },
    /// The network holds something that this does not handle.
    #[error("{place}: unsupported: {problem}")]
    Unsupported {
        /// Node or layer.
        place: String,
        /// What is not handled, and what would be.
        problem: String,
    },
    /// The network file.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Running the network on images.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The images.
    #[error(transparent)]
    Sample(#[from] SampleError),
}
