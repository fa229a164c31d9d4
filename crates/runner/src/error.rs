//! What can go wrong in a run. Every message is one line and says its own part; [`network::chain`] adds the causes.

use std::path::PathBuf;

use engine::EngineError;
use formats::images::ImageError;
use inference::{InferenceError, SampleError};
use network::NetworkError;
use thiserror::Error;

/// Why a run ended without a result.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The network file cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A hardware description cannot be used.
    #[error("{}: {problem}", path.display())]
    Hardware {
        /// The file.
        path: PathBuf,
        /// Key, what was expected, what was found.
        problem: String,
    },
    /// A layer of a network that cannot be costed or run.
    #[error("{}: layer {layer}: {problem}", path.display())]
    Layer {
        /// The network file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A bit width was asked for, but the file quantizes every weight already.
    #[error("{}: --bits {bits} asks to quantize weights that the file already quantizes; leave it out to take them as they are", path.display())]
    AlreadyQuantized {
        /// The network file.
        path: PathBuf,
        /// The width.
        bits: u32,
    },
    /// An engine refused a layer.
    #[error("{}: {hardware}", path.display())]
    Engine {
        /// The network file.
        path: PathBuf,
        /// The hardware's name.
        hardware: String,
        /// Why.
        source: Box<EngineError>,
    },
    /// The cost of an engine depends on activations, and there are none.
    #[error("{hardware}: its cost depends on the activations of a layer, so that it needs images; give --images")]
    NeedsImages {
        /// The hardware's name.
        hardware: String,
    },
    /// A trace that cannot be taken.
    #[error("{}: layer {layer} on {hardware}: {problem}", path.display())]
    Trace {
        /// The network file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// The hardware's name.
        hardware: String,
        /// What was expected and what was asked for.
        problem: String,
    },
    /// Images cannot be read or used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image that inference asked for and did not get.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// Inference failed, or the network cannot be run.
    #[error("{}", path.display())]
    Inference {
        /// The network file.
        path: PathBuf,
        /// Why.
        source: InferenceError,
    },
}
