//! The layers of a recurrent operator, as they are planned.

use network::MacLayer;

/// A recurrent operator whose products are layers.
pub(super) struct Recurrent {
    pub(super) directions: Vec<Direction>,
    /// The shape of the hidden states before the steps, of one direction.
    pub(super) states: Vec<usize>,
    /// Why it is not run, and what its costs assume.
    pub(super) reason: String,
}

/// The two layers of a direction.
pub(super) struct Direction {
    pub(super) input: MacLayer,
    pub(super) recurrent: MacLayer,
}
