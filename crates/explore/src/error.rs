//! What can go wrong in many runs. Every message is one line and says its own part; [`network::chain`] adds the causes.

use std::path::PathBuf;
use std::sync::Arc;

use compress::CompressError;
use engine::EngineError;
use formats::images::ImageError;
use network::{ErrorKind, Failure, Mend, NetworkError};
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
    /// A point that was asked for is none that an open plan can run.
    #[error("{}: {problem}", plan.display())]
    Point {
        /// The plan.
        plan: PathBuf,
        /// Key or option, what was expected, what was found.
        problem: String,
    },
    /// Hardware of a plan whose cost depends on activations: a sweep counts none.
    #[error("{}: hardware {hardware:?}: unsupported in a sweep: its cost depends on the activations", path.display())]
    NeedsImages {
        /// The plan.
        path: PathBuf,
        /// The hardware's name.
        hardware: String,
    },
    /// A file that a plan names cannot be read.
    #[error("{}: {}", plan.display(), path.display())]
    Named {
        /// The plan.
        plan: PathBuf,
        /// The file that it names.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A store of results cannot be used.
    #[error("{}: {problem}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What kind of error that is.
        kind: ErrorKind,
    },
    /// Another process writes to the store that this one is to have for itself.
    #[error("{}: another sweep is writing to it", path.display())]
    StoreInUse {
        /// The store.
        path: PathBuf,
    },
    /// Another process has the store for itself, which this one is to write to beside others.
    #[error("{}: a sweep of a whole plan is writing to it, beside which no other process may", path.display())]
    StoreOfWhole {
        /// The store.
        path: PathBuf,
    },
    /// A store of an older layout is to be written, which is only read.
    #[error("{}: a store of layout {layout}, which is read and no longer written", path.display())]
    OldStore {
        /// The store.
        path: PathBuf,
        /// Its layout.
        layout: u32,
    },
    /// A plan, a store or the lock of a store cannot be read or made.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
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
    /// Worker threads cannot be started. Text and source of this error of rayon are the same words, so that it stands in
    /// the text and is no source.
    #[error("cannot start the worker threads: {0}")]
    Threads(ThreadPoolBuildError),
    /// Something failed that several points of a sweep share.
    #[error(transparent)]
    Shared(Arc<ExploreError>),
}

impl Failure for ExploreError {
    fn kind(&self) -> ErrorKind {
        match self {
            ExploreError::Plan { .. } => ErrorKind::InvalidFile,
            ExploreError::NeedsImages { .. } => ErrorKind::Unsupported,
            ExploreError::Named { .. } | ExploreError::Io { .. } => ErrorKind::Io,
            ExploreError::Store { kind, .. } => *kind,
            ExploreError::StoreInUse { .. }
            | ExploreError::StoreOfWhole { .. }
            | ExploreError::OldStore { .. }
            | ExploreError::Point { .. } => ErrorKind::BadArgument,
            ExploreError::Threads(_) => ErrorKind::OutOfLimits,
            ExploreError::Landscape { source, .. } => source.kind(),
            ExploreError::Run(error) => error.kind(),
            ExploreError::Network(error) => error.kind(),
            ExploreError::Image(error) => error.kind(),
            ExploreError::Compress(error) => error.kind(),
            ExploreError::Shared(error) => error.kind(),
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            ExploreError::NeedsImages { .. } => Some(Mend::CountInOneRun),
            ExploreError::StoreInUse { .. } => Some(Mend::ShareStore),
            ExploreError::StoreOfWhole { .. } => Some(Mend::ShareStoreOfWhole),
            ExploreError::OldStore { .. } => Some(Mend::UpgradeStore),
            ExploreError::Landscape { source, .. } => source.mend(),
            ExploreError::Run(error) => error.mend(),
            ExploreError::Network(error) => error.mend(),
            ExploreError::Image(error) => error.mend(),
            ExploreError::Compress(error) => error.mend(),
            ExploreError::Shared(error) => error.mend(),
            ExploreError::Plan { .. }
            | ExploreError::Point { .. }
            | ExploreError::Named { .. }
            | ExploreError::Store { .. }
            | ExploreError::Io { .. }
            | ExploreError::Threads(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use network::chain;
    use testkit::check_all;

    use super::*;

    /// Texts that stand in stores and on terminals: they must not change.
    #[test]
    fn every_cause_is_said_once() {
        let missing = || Error::from(ErrorKind::NotFound);
        let source = || Box::new(EngineError::Unsupported { layer: "conv1".into(), problem: "18-bit weights".into() });
        let run = |error| ExploreError::Shared(Arc::new(ExploreError::Run(error)));
        let image = ImageError::Io { path: "images".into(), source: missing() };
        let nobody = network::Cause::told(network::ErrorKind::BadArgument, "no engine");
        let in_layer = inference::InferenceError::Executor { layer: "fc".into(), source: nobody };
        let cases = [
            (run(NetworkError::Io { path: "net.onnx".into(), source: missing() }.into()), "net.onnx: entity not found"),
            (run(RunnerError::Sample(image.into())), "images: entity not found"),
            (
                run(RunnerError::Engine { path: "net.onnx".into(), hardware: "ideal".into(), source: source() }),
                "net.onnx: ideal: layer conv1: unsupported: 18-bit weights",
            ),
            (
                run(RunnerError::Inference { path: "net.onnx".into(), source: Box::new(in_layer) }),
                "net.onnx: layer fc: no engine",
            ),
            (
                ExploreError::Landscape { hardware: "ideal".into(), source: source() },
                "ideal: layer conv1: unsupported: 18-bit weights",
            ),
        ];
        check_all(cases, |&(ref error, expected)| assert_eq!(chain(error), expected));
    }
}
