//! Who computes the MAC layers of a session.

use network::{Cause, LayerId, MacLayer};

/// An executor's own error, carried through.
pub type ExecutorError = Cause;

/// Computes MAC layers, whole: `alpha · outputs(weights ∗ input) + bias`, with [`MacLayer::outputs`],
/// [`MacLayer::alpha`] and [`MacLayer::bias`] of the layer. The session adds nothing to what it gets.
///
/// An implementation must give the same output for the same input on every call and thread.
pub trait MacExecutor: Sync {
    /// Computes one layer. `input` is `[repeats, in_channels, height, width]` of the layer's geometry and the result
    /// `[repeats, out_channels, out_height, out_width]` of the layer, `repeats` times the network's batch: whatever
    /// arrangement the node has is undone before and restored after.
    ///
    /// # Errors
    ///
    /// Whatever the executor finds wrong; the session adds the layer's name.
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError>;
}
