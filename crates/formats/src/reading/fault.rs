//! What is wrong with one node or tensor, before file and place are known.

use std::path::Path;

use network::{Mend, NetworkError};

/// Why a node cannot be taken as it is.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file breaks the format's rules: reading ends.
    Invalid(String),
    /// Going on would give wrong numbers: reading ends.
    Unsupported(String),
    /// The file leaves the shape of an input open, and nobody gives it: reading ends.
    OpenShape(String),
    /// What a node reads does not divide into the images of the batch: reading ends.
    TornBatch(String),
    /// The node stays in the graph as `Op::Unsupported`, with a note that says why.
    NotRun(String),
    /// As [`Fault::NotRun`], for a node with multiply-accumulates. No sum of costs contains them, and the note says so.
    NotCosted(String),
    /// The node stays in the graph as `Op::Unsupported`; an operator before it already has the note.
    UnknownShape,
}

impl Fault {
    /// Whether the node cannot stay in the graph, and nothing is read.
    pub(crate) fn ends_reading(&self) -> bool {
        match self {
            Fault::Invalid(_) | Fault::Unsupported(_) | Fault::OpenShape(_) | Fault::TornBatch(_) => true,
            Fault::NotRun(_) | Fault::NotCosted(_) | Fault::UnknownShape => false,
        }
    }

    /// The same with its place in front.
    pub(crate) fn within(self, place: &str) -> Self {
        let placed = |problem: String| format!("{place}: {problem}");
        match self {
            Fault::Invalid(problem) => Fault::Invalid(placed(problem)),
            Fault::Unsupported(problem) => Fault::Unsupported(placed(problem)),
            Fault::OpenShape(problem) => Fault::OpenShape(placed(problem)),
            Fault::TornBatch(problem) => Fault::TornBatch(placed(problem)),
            Fault::NotRun(problem) => Fault::NotRun(placed(problem)),
            Fault::NotCosted(problem) => Fault::NotCosted(placed(problem)),
            Fault::UnknownShape => Fault::UnknownShape,
        }
    }

    /// The error that ends the reading.
    pub(crate) fn at(self, path: &Path, place: String) -> NetworkError {
        let path = path.to_path_buf();
        match self {
            Fault::Invalid(problem) => NetworkError::Invalid { path, place, problem },
            Fault::Unsupported(problem) | Fault::NotRun(problem) | Fault::NotCosted(problem) => {
                NetworkError::Unsupported { path, place, problem, mend: None }
            }
            Fault::OpenShape(problem) => {
                NetworkError::Unsupported { path, place, problem, mend: Some(Mend::GiveInputShape) }
            }
            Fault::TornBatch(problem) => {
                NetworkError::Unsupported { path, place, problem, mend: Some(Mend::NoBatchAxis) }
            }
            Fault::UnknownShape => {
                let problem = "the shape of an input is not known".to_string();
                NetworkError::Unsupported { path, place, problem, mend: None }
            }
        }
    }
}

/// Makes a [`Fault::Invalid`] as `format!` does.
macro_rules! invalid {
    ($($arguments:tt)*) => { $crate::reading::fault::Fault::Invalid(format!($($arguments)*)) };
}
/// Makes a [`Fault::Unsupported`] as `format!` does.
macro_rules! unsupported {
    ($($arguments:tt)*) => { $crate::reading::fault::Fault::Unsupported(format!($($arguments)*)) };
}
/// Makes a [`Fault::NotRun`] as `format!` does.
macro_rules! not_run {
    ($($arguments:tt)*) => { $crate::reading::fault::Fault::NotRun(format!($($arguments)*)) };
}
/// Makes a [`Fault::NotCosted`] as `format!` does.
macro_rules! not_costed {
    ($($arguments:tt)*) => { $crate::reading::fault::Fault::NotCosted(format!($($arguments)*)) };
}
pub(crate) use {invalid, not_costed, not_run, unsupported};

/// A name from the file as it may stand in a message: control characters escaped, so that a message stays one line.
pub(crate) fn clean(name: &str) -> String {
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.to_string() }
}
