//! What can be wrong with images.

use std::path::{Path, PathBuf};

use network::{DataType, ErrorKind, Failure, Mend};
use thiserror::Error;

use super::preprocessing::Preprocessing;
use crate::document::did_you_mean_name;
use crate::reading::fault::Fault;

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
    /// Part of a store of images is not read, where all of it is to be.
    #[error("{}: {problem}", path.display())]
    Incomplete {
        /// The folder or file.
        path: PathBuf,
        /// What is not read.
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
    /// The axes of an array can be read in two ways, and the network would get other numbers.
    #[error("{}: an array of shape {shape:?} fits in two ways that differ: {ways}", path.display())]
    TwoWays {
        /// The file.
        path: PathBuf,
        /// Shape of the array.
        shape: Vec<usize>,
        /// The ways, in words.
        ways: String,
    },
    /// An array has another shape than the network takes.
    #[error(
        "{}: an array of shape {shape:?} for a network input of {input:?}; expected {expected}",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Shape of the array.
        shape: Box<[usize]>,
        /// Shape of the network's input, batch first.
        input: Box<[usize]>,
        /// Shapes that would fit, `N` examples each.
        expected: String,
    },
    /// Where the channels lie in the network's input decides, and nothing says it.
    #[error("image {images}: where the channels lie in input {input:?} is not clear")]
    InputLayout {
        /// Name of the image, or of the file of an array.
        images: String,
        /// Shape of the network's input, batch first.
        input: Vec<usize>,
    },
    /// A layout is said of what is no array.
    #[error("{}: a layout is said of arrays (.npy, .npz) alone; pictures and CIFAR files have their own", path.display())]
    NoArray {
        /// The file or folder.
        path: PathBuf,
    },
    /// A number is none of the integers that the network takes.
    #[error("image {image}: {number} is no {}, which the network takes", data_type.name())]
    Number {
        /// Name of the image.
        image: String,
        /// The number.
        number: f32,
        /// Type of the network's input.
        data_type: DataType,
        /// Whether preprocessing made the number of another.
        changed: bool,
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
            ImageError::Unsupported { .. } | ImageError::Incomplete { .. } => ErrorKind::Unsupported,
            ImageError::Misfit { .. } | ImageError::UnknownPreprocessing { .. } => ErrorKind::BadArgument,
            ImageError::TwoWays { .. } | ImageError::Shape { .. } => ErrorKind::BadArgument,
            ImageError::InputLayout { .. } | ImageError::NoArray { .. } | ImageError::Number { .. } => {
                ErrorKind::BadArgument
            }
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            ImageError::TwoWays { .. } => Some(Mend::SayLayout),
            ImageError::Incomplete { .. } => Some(Mend::PassOver),
            ImageError::InputLayout { .. } => Some(Mend::SayInputLayout),
            ImageError::Number { changed, .. } => changed.then_some(Mend::TakeNumbers),
            ImageError::Io { .. }
            | ImageError::Invalid { .. }
            | ImageError::Unsupported { .. }
            | ImageError::UnknownPreprocessing { .. }
            | ImageError::Shape { .. }
            | ImageError::NoArray { .. }
            | ImageError::Misfit { .. } => None,
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

    /// What is wrong with a pickle, as an error of this file.
    pub(super) fn of_fault(path: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Invalid(problem) => Self::invalid(path, problem),
            Fault::Unsupported(problem)
            | Fault::OpenShape(problem)
            | Fault::TornBatch(problem)
            | Fault::NotRun(problem)
            | Fault::NotCosted(problem) => Self::unsupported(path, problem),
            Fault::UnknownShape => Self::unsupported(path, "something whose shape is not known"),
        }
    }

    pub(super) fn incomplete(path: &Path, problem: impl Into<String>) -> Self {
        Self::Incomplete { path: path.to_path_buf(), problem: one_line(&problem.into()) }
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
