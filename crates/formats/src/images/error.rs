//! What can be wrong with images.

use std::path::{Path, PathBuf};

use network::{ErrorKind, Failure};
use thiserror::Error;

use super::preprocessing::Preprocessing;
use crate::document::did_you_mean_name;

/// Why images cannot be read or used. Every message is one line that names the file, and the image in it.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file or folder cannot be read.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file breaks its format's rules.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A file is valid but holds something that this program does not handle.
    #[error("{}: unsupported: {problem}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not handled, and what would be.
        problem: String,
    },
    /// A preprocessing that is neither a file nor known by name.
    #[error(
        "preprocessing {}: neither a file nor one of {}{}",
        word.display(), Preprocessing::NAMES.join(", "), did_you_mean_name(word, Preprocessing::NAMES)
    )]
    UnknownPreprocessing {
        /// What was asked for.
        word: PathBuf,
    },
    /// An image and the network, or its preprocessing, do not fit each other.
    #[error("image {image}: {problem}")]
    Misfit {
        /// Name of the image.
        image: String,
        /// What was expected and what was found.
        problem: String,
    },
}

impl Failure for ImageError {
    fn kind(&self) -> ErrorKind {
        match self {
            ImageError::Io { .. } => ErrorKind::Io,
            ImageError::Invalid { .. } => ErrorKind::InvalidFile,
            ImageError::Unsupported { .. } => ErrorKind::Unsupported,
            ImageError::Misfit { .. } | ImageError::UnknownPreprocessing { .. } => ErrorKind::BadArgument,
        }
    }
}

impl ImageError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(super) fn invalid(path: &Path, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_path_buf(), problem: one_line(&problem.into()) }
    }

    pub(super) fn unsupported(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unsupported { path: path.to_path_buf(), problem: one_line(&problem.into()) }
    }
}

/// Text as one line: what it cites out of a file may hold control characters, and what a library says may end a line.
fn one_line(text: &str) -> String {
    let visible = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.trim().chars().flat_map(visible).collect()
}
