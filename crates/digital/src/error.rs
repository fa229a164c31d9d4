//! What can be wrong with a description of an array.

use network::{ErrorKind, Failure};
use thiserror::Error;

/// Why a description is no array.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DigitalError {
    /// There are no rows, or no elements in a row.
    #[error("array {array}: {what} is 0; it must be at least 1")]
    Zero {
        /// Name of the array.
        array: String,
        /// `"rows"` or `"pes_per_row"`.
        what: &'static str,
    },
    /// There are too many elements to count their cycles.
    #[error("array {array}: {rows} rows of {pes_per_row} elements; at most {max} elements can be counted", max = MAX_PES)]
    TooLarge {
        /// Name of the array.
        array: String,
        /// Rows asked for.
        rows: usize,
        /// Elements a row asked for.
        pes_per_row: usize,
    },
    /// A departure from the ideal is out of range, or contradicts another.
    #[error("array {array}: {problem}")]
    Departure {
        /// Name of the array.
        array: String,
        /// What is wrong; names the keys of the description.
        problem: String,
    },
    /// The energy is negative, NaN or infinite.
    #[error("array {array}: energy of a PE-cycle is {energy} J; it must be finite and not negative")]
    Energy {
        /// Name of the array.
        array: String,
        /// The energy in joules.
        energy: f64,
    },
}

impl Failure for DigitalError {
    fn kind(&self) -> ErrorKind {
        match self {
            DigitalError::Zero { .. } | DigitalError::Departure { .. } | DigitalError::Energy { .. } => {
                ErrorKind::BadArgument
            }
            DigitalError::TooLarge { .. } => ErrorKind::OutOfLimits,
        }
    }
}

/// Most elements of an array. With no more of them, products of cycles and elements stay within 128 bits.
pub(crate) const MAX_PES: usize = 1 << 32;
