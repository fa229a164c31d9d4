//! What the reader knows of a value besides what the network says of it.

use network::{ActivationQuantization, ValueId};

use super::chain::Chain;
use super::form::Form;

/// What is known of a value while the graph is being built. Its name is the network's.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) id: ValueId,
    pub(super) form: Form,
    /// Its elements, if they are known without running anything.
    pub(super) known: Option<Chain>,
    /// Whether it is the same for every input of the network, be its elements known or not.
    pub(super) constant: bool,
    /// Whether it is a constant that is quantized in two ways, which no [`Chain`] holds.
    pub(super) quantized_twice: bool,
    /// The operator that stops the reader from knowing its elements, where it is constant and they are not known.
    pub(super) stopped_by: Option<String>,
    /// The quantization that its elements lie on.
    pub(super) quantization: Option<ActivationQuantization>,
    /// Smallest and largest of its integers, where a Clip leaves fewer than their type has.
    pub(super) clip: Option<[i32; 2]>,
    /// Why its elements cannot be read, if that is so. The file is still fine as long as nobody needs them.
    pub(super) unreadable: Option<String>,
    /// What it consists of, if it is a sequence of tensors.
    pub(super) sequence: Option<Sequence>,
}

impl Slot {
    /// What a constant whose elements are not known comes from, for messages.
    pub(super) fn not_folded(&self) -> String {
        format!("{}, which is not folded", self.stopped_by.as_deref().unwrap_or("an operator"))
    }
}

/// A tensor cut into parts along an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sequence {
    pub(super) of: ValueId,
    pub(super) axis: usize,
    /// Where each part begins, and where the last one ends.
    pub(super) bounds: Vec<usize>,
    /// Form of the tensor that is cut.
    pub(super) form: Form,
}
