//! What can go wrong in many runs. Every message is one line and says its own part; [`network::chain`] adds the causes.

use std::path::PathBuf;
use std::sync::Arc;

use compress::CompressError;
use engine::EngineError;
use formats::images::ImageError;
use network::NetworkError;
use rayon::ThreadPoolBuildError;
use runner::RunnerError;
use thiserror::Error;

/// Why a sweep, a store or a landscape ended without a result.
#[derive(Debug, Error)]
pub enum ExploreError {
    /// A plan of a sweep cannot be used.
    #[error("{}: {problem}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Key, what was expected, what was found.
        problem: String,
    },
    /// A store of results cannot be used.
    #[error("{}: {problem}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An engine refused the layer of a landscape.
    #[error("{hardware}")]
    Landscape {
        /// The hardware's name.
        hardware: String,
        /// Why.
        source: Box<EngineError>,
    },
    /// One of the runs failed.
    #[error(transparent)]
    Run(#[from] RunnerError),
    /// A network file cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Images cannot be read or used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Pruning, quantization or re-estimation of statistics failed.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// Worker threads cannot be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] ThreadPoolBuildError),
    /// Something failed that several points of a sweep share.
    #[error(transparent)]
    Shared(Arc<ExploreError>),
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use network::chain;

    use super::*;

    /// Texts that stand in stores and on terminals: they must not change.
    #[test]
    fn every_cause_is_said_once() {
        let missing = || Error::from(ErrorKind::NotFound);
        let source = || Box::new(EngineError::Unsupported { layer: "conv1".into(), problem: "18-bit weights".into() });
        let run = |error| ExploreError::Shared(Arc::new(ExploreError::Run(error)));
        let image = ImageError::Io { path: "images".into(), source: missing() };
        let in_layer = inference::InferenceError::Executor { layer: "fc".into(), source: "no engine".into() };
        let cases = [
            (run(NetworkError::Io { path: "net.onnx".into(), source: missing() }.into()), "net.onnx: entity not found"),
            (run(RunnerError::Sample(Box::new(image))), "images: entity not found"),
            (
                run(RunnerError::Engine { path: "net.onnx".into(), hardware: "ideal".into(), source: source() }),
                "net.onnx: ideal: layer conv1: unsupported: 18-bit weights",
            ),
            (
                run(RunnerError::Inference { path: "net.onnx".into(), source: in_layer }),
                "net.onnx: layer fc: no engine",
            ),
            (
                ExploreError::Landscape { hardware: "ideal".into(), source: source() },
                "ideal: layer conv1: unsupported: 18-bit weights",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(chain(&error), expected);
        }
    }
}
