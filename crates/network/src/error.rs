//! What can be wrong with a network file.

use std::path::PathBuf;

use thiserror::Error;

/// Why a network file cannot be used. Every message is one line that names the file.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The file cannot be opened or mapped.
    #[error("{}: {source}", path.display())]
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
    },
}
