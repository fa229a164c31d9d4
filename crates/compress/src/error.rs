//! What can go wrong in compressing. Every message is one line and says its own part; [`network::chain`] adds the
//! causes.

use inference::{InferenceError, SampleError};
use network::{ErrorKind, Failure, Mend, ModelError, NetworkError};
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
    /// The network holds something that compression does not handle.
    #[error("{place}: unsupported: {problem}")]
    Unsupported {
        /// Node or layer.
        place: String,
        /// What is not handled, and what would be.
        problem: String,
    },
    /// The weights of the network file cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What compression made of the network is none: a mistake of this program.
    #[error("the compressed network")]
    Model(#[from] ModelError),
    /// Running the network on images failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// An image cannot be read or used.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

impl Failure for CompressError {
    fn kind(&self) -> ErrorKind {
        match self {
            CompressError::Option { .. } => ErrorKind::BadArgument,
            CompressError::Layer { .. } | CompressError::Unsupported { .. } => ErrorKind::Unsupported,
            CompressError::Network(error) => error.kind(),
            CompressError::Model(_) => ErrorKind::OwnBug,
            CompressError::Inference(error) => error.kind(),
            CompressError::Sample(error) => error.kind(),
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            CompressError::Network(error) => error.mend(),
            CompressError::Inference(error) => error.mend(),
            CompressError::Sample(error) => error.mend(),
            CompressError::Option { .. } | CompressError::Layer { .. } => None,
            CompressError::Unsupported { .. } | CompressError::Model(_) => None,
        }
    }
}
