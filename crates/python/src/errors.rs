//! Errors of the library as exceptions: one class for each kind, and the one line that the command prints.

use esnsim::{ErrorKind, Failure};
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;

use crate::mend::argument;

create_exception!(esnsim, Error, PyException, "What esnsim could not do. Every error is one of its subclasses.");
create_exception!(esnsim, InvalidFile, Error, "A file breaks the rules of its format, or contradicts itself.");
create_exception!(esnsim, Unsupported, Error, "The input is fine, and esnsim does not handle it.");
create_exception!(esnsim, BadArgument, Error, "What was asked for means nothing, or does not fit.");
create_exception!(esnsim, ReadWrite, Error, "The system could not read or write.");
create_exception!(esnsim, OutOfLimits, Error, "More memory, threads or elements would be needed than there may be.");
create_exception!(esnsim, OwnBug, Error, "esnsim contradicts itself. No input should lead here.");
create_exception!(
    esnsim,
    WorkerLost,
    Error,
    "Processes of a cluster ended again and again, in a point or before they had one."
);

/// The exception of an error: its causes in one line, and what mends it.
pub(crate) fn raised(error: &(impl Failure + 'static)) -> PyErr {
    let mut text = network::chain(error);
    if let Some(mend) = error.mend() {
        text = format!("{text}; {}", argument(mend));
    }
    of_kind(error.kind(), report::text::one_line(&text))
}

/// An argument that means nothing.
pub(crate) fn bad_argument(text: String) -> PyErr {
    of_kind(ErrorKind::BadArgument, text)
}

fn of_kind(kind: ErrorKind, text: String) -> PyErr {
    match kind {
        ErrorKind::InvalidFile => InvalidFile::new_err(text),
        ErrorKind::Unsupported => Unsupported::new_err(text),
        ErrorKind::BadArgument => BadArgument::new_err(text),
        ErrorKind::Io => ReadWrite::new_err(text),
        ErrorKind::OutOfLimits => OutOfLimits::new_err(text),
        ErrorKind::OwnBug => OwnBug::new_err(text),
    }
}
