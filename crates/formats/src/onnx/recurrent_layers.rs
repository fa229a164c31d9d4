//! The layers of a recurrent operator, as they are planned.

use network::{MacLayer, Recurrent};

/// A recurrent operator whose products are layers.
pub(super) struct RecurrentLayers {
    pub(super) directions: Vec<DirectionLayers>,
    /// The shape of the hidden states before the steps, of one direction.
    pub(super) states: Vec<usize>,
    /// What goes through the steps, as the node that makes the states; else why nothing does.
    pub(super) operator: Result<Recurrent, String>,
    /// What its costs assume, where that is to be told.
    pub(super) assumed: Option<String>,
}

/// The layers of a direction.
pub(super) struct DirectionLayers {
    pub(super) input: MacLayer,
    pub(super) recurrent: MacLayer,
    /// Where one gate multiplies reset states: its rows of the recurrent matrix.
    pub(super) hidden: Option<MacLayer>,
}
