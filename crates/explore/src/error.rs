//! What can go wrong in many runs. Every message is one line.

use std::path::PathBuf;
use std::sync::Arc;

use compress::CompressError;
use engine::EngineError;
use formats::images::ImageError;
use network::NetworkError;
use runner::RunnerError;
use thiserror::Error;

/// Why a sweep, a store or a landscape ended without a result.
#[derive(Debug, Error)]
pub enum ExploreError {
    /// A plan of a sweep.
    #[error("{}: {problem}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Key, what was expected, what was found.
        problem: String,
    },
    /// A store of results.
    #[error("{}: {problem}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An engine refused the layer of a landscape.
    #[error("{hardware}: {source}")]
    Landscape {
        /// The hardware's name.
        hardware: String,
        /// Why.
        source: Box<EngineError>,
    },
    /// One of the runs.
    #[error(transparent)]
    Run(#[from] RunnerError),
    /// A network file.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Pruning, quantization or re-estimation of statistics.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// Worker threads cannot be started.
    #[error("cannot start the worker threads: {0}")]
    Threads(String),
    /// Something that several points of a sweep share.
    #[error(transparent)]
    Shared(Arc<ExploreError>),
}
