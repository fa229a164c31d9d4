//! What can be wrong with a description of an analog array.

use network::{ErrorKind, Failure};
use thiserror::Error;

/// Why a description makes no analog array.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AnalogError {
    /// A number that must be at least 1 is 0.
    #[error("an analog array has 0 {0}; it must have at least 1")]
    Zero(&'static str),
    /// A number is larger than that of any array that is simulated.
    #[error("an analog array has {found} {what}; it can have {MAX_EXTENT} at most")]
    TooLarge {
        /// What is counted: `"rows"`, `"columns"` or `"arrays"`.
        what: &'static str,
        /// The number that was given.
        found: usize,
    },
    /// An energy that must be positive and finite is not.
    #[error("the energy of a MAC is {0} J per squared half-step; it must be positive and finite")]
    Energy(f64),
    /// A departure has a value that no hardware has.
    #[error("{key} is {found}; expected {expected}")]
    Value {
        /// The key of the description, for example `"dac.bits"`.
        key: &'static str,
        /// The value that was given.
        found: String,
        /// The values that are taken.
        expected: &'static str,
    },
}

impl Failure for AnalogError {
    fn kind(&self) -> ErrorKind {
        match self {
            AnalogError::Zero(_) | AnalogError::Energy(_) | AnalogError::Value { .. } => ErrorKind::BadArgument,
            AnalogError::TooLarge { .. } => ErrorKind::OutOfLimits,
        }
    }
}

/// The most rows, columns or arrays. Counts of cells then surely fit 128 bits.
pub(crate) const MAX_EXTENT: usize = 1 << 31;
