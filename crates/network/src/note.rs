//! What a user should know about something that was done all the same.

use std::fmt;

use crate::failure::Mend;

/// What kind of note a note is. Programs that act on notes choose by it, never by a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// An operator is not run, so that the network cannot be run on images. It may not be costed either.
    NotRun,
    /// Multiply-accumulates are in no layer, so that sums over the layers leave them out.
    NotCosted,
    /// Part of a file was not read, or part of a network was not written.
    LeftOut,
    /// A file leaves something open, and it was decided.
    Assumed,
    /// Results may differ from those of the runtime that the file is made for, by their rounding.
    Rounding,
    /// A target was not met.
    OffTarget,
    /// Part of a network stays as it was, although a change was asked for.
    Unchanged,
    /// What came about beside what was asked for.
    Consequence,
}

/// A note: its kind, the layer that it is about, a text, and what a user can do about it. It is shown as one line, which
/// names no option of a command line:
///
/// ```
/// use network::{Note, NoteKind};
///
/// let note = Note::of_layer(NoteKind::OffTarget, "conv1", "no step comes nearer");
/// assert_eq!(note.to_string(), "layer conv1: no step comes nearer");
/// assert_eq!(note.layer(), Some("conv1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    kind: NoteKind,
    layer: Option<String>,
    text: String,
    mend: Option<Mend>,
}

impl Note {
    /// A note about the whole.
    pub fn new(kind: NoteKind, text: impl Into<String>) -> Self {
        Self { kind, layer: None, text: text.into(), mend: None }
    }

    /// A note about one MAC layer, by its name.
    pub fn of_layer(kind: NoteKind, layer: impl Into<String>, text: impl Into<String>) -> Self {
        Self { layer: Some(layer.into()), ..Self::new(kind, text) }
    }

    /// The same note with what a user can do about it.
    pub fn mended_by(self, mend: Mend) -> Self {
        Self { mend: Some(mend), ..self }
    }

    /// Its kind.
    pub fn kind(&self) -> NoteKind {
        self.kind
    }

    /// The name of the MAC layer that it is about; none where it is about the whole.
    pub fn layer(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    /// What it says, without the layer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a user can do about it, if there is something.
    pub fn mend(&self) -> Option<Mend> {
        self.mend
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layer {
            Some(layer) => write!(f, "layer {layer}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What stands behind the first of many names; nothing where there are no more.
///
/// ```
/// use network::and_more;
///
/// assert_eq!([0, 3].map(|more| format!("conv1{}", and_more(more))), ["conv1", "conv1 and 3 more"]);
/// ```
pub fn and_more(more: usize) -> String {
    if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// A count with thousands separators: `40,551,040`.
pub fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
