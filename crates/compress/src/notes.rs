//! How notes stand in a report.

use network::Note;
use serde::{Serialize, Serializer};

/// A list of lines, as a user reads them.
pub(crate) fn as_texts<S: Serializer>(notes: &[Note], serializer: S) -> Result<S::Ok, S::Error> {
    notes.iter().map(ToString::to_string).collect::<Vec<String>>().serialize(serializer)
}
