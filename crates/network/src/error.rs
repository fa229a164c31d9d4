//! What can be wrong with a network file, and how any error is told with its causes.

use std::error::Error as StdError;
use std::path::PathBuf;

use thiserror::Error;

use crate::failure::{ErrorKind, Failure, Mend};
use crate::graph::ModelError;

/// Why a network file cannot be used. Every message is one line that names the file; [`chain`] adds the cause.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The file cannot be opened or mapped.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file breaks its format's rules.
    #[error("{}: {place}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Node, tensor or field.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The file is valid but holds something that this program does not handle.
    #[error("{}: {place}: unsupported: {problem}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Node, tensor or field.
        place: String,
        /// What is not handled, and what would be.
        problem: String,
        /// What mends it, where that is known.
        mend: Option<Mend>,
    },
    /// A reader put a network together wrongly. That is a mistake of this program, and no fault of the file.
    #[error("{}: the network that was made of it", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What the network contradicts.
        source: ModelError,
    },
}

impl Failure for NetworkError {
    fn kind(&self) -> ErrorKind {
        match self {
            NetworkError::Io { .. } => ErrorKind::Io,
            NetworkError::Invalid { .. } => ErrorKind::InvalidFile,
            NetworkError::Unsupported { .. } => ErrorKind::Unsupported,
            NetworkError::Model { .. } => ErrorKind::OwnBug,
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            NetworkError::Io { .. } | NetworkError::Invalid { .. } | NetworkError::Model { .. } => None,
            NetworkError::Unsupported { mend, .. } => *mend,
        }
    }
}

/// An error and its causes as one text, joined by `": "`: what a front end prints and what a store keeps.
///
/// An error of this workspace says its own part alone and leaves the cause to [`std::error::Error::source`], so that
/// the joined text says everything once. An error of another crate that repeats its cause word for word is wrapped as
/// text, not as a source.
///
/// ```
/// use std::io::{Error, ErrorKind};
///
/// use network::NetworkError;
///
/// let error = NetworkError::Io { path: "net.onnx".into(), source: Error::from(ErrorKind::NotFound) };
/// assert_eq!(error.to_string(), "net.onnx");
/// assert_eq!(network::chain(&error), "net.onnx: entity not found");
/// ```
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
