//! Where the images of a batch lie in an input: on the first axis, unless a recurrent operator reads the input.
//!
//! LSTM, GRU and RNN read `[steps, batch, features]` unless their `layout` says otherwise. The axes of an input are followed
//! to such an operator through what keeps them or moves them. Its batch is then the batch of the input. There is none where
//! an axis was added to be it, as PyTorch does for one sequence.

use std::collections::{HashMap, HashSet};

use super::external::ExternalFiles;
use super::form::{axis, distinct_axes};
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::recurrent::{INITIAL, is_recurrent};
use super::tensors;
use super::versions::is_own;

/// Values that are looked at for one input, and readers of each.
const MAX_VALUES: usize = 64;

/// The most axes that a Squeeze or an Unsqueeze names.
const MAX_AXES: i64 = 8;

/// Operators whose output has the axes of their first input.
const KEEPING: [&str; 16] = [
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Clip",
    "DequantizeLinear",
    "Dropout",
    "Elu",
    "Gelu",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "QuantizeLinear",
    "Relu",
    "Sigmoid",
    "Slice",
    "Tanh",
];

/// The axes of a value as those of the input that it comes from; `None` for one that was added.
type Axes = Vec<Option<usize>>;

/// Who reads which value, of a graph with recurrent operators.
pub(super) struct Readers<'a> {
    /// Nodes by the values that they read, and the place of each.
    by_value: HashMap<&'a str, Vec<(&'a NodeProto, usize)>>,
    stored: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Readers<'a> {
    /// Those of a graph. Where no node is recurrent there are none, for the batch is then the first axis.
    pub(super) fn of(graph: &'a GraphProto) -> Self {
        let mut readers = Self { by_value: HashMap::new(), stored: HashMap::new() };
        if !graph.node.iter().any(is_own_recurrent) {
            return readers;
        }
        for node in &graph.node {
            for (index, name) in node.input.iter().enumerate() {
                readers.by_value.entry(name.as_str()).or_default().push((node, index));
            }
            let constant = node.attribute.iter().find(|attribute| attribute.name == "value");
            if let (Some(tensor), Some(output)) = (constant.and_then(|found| found.t.as_ref()), node.output.first()) {
                readers.stored.insert(output, tensor);
            }
        }
        readers.stored.extend(graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)));
        readers
    }

    /// The axis of the batch in an input of `rank` axes; `None` where it has no batch.
    pub(super) fn batch_axis(&self, input: &'a str, rank: usize) -> Option<usize> {
        let mut next: Vec<(&str, Axes)> = vec![(input, (0..rank).map(Some).collect())];
        let mut seen = HashSet::from([input]);
        while let Some((value, axes)) = next.pop() {
            for &(node, index) in self.by_value.get(value).into_iter().flatten().take(MAX_VALUES) {
                if is_own_recurrent(node) {
                    match batch_of(node, index).map(|axis| axes.get(axis)) {
                        Some(Some(&axis)) => return axis,
                        Some(None) | None => continue,
                    }
                }
                let Some(output) = node.output.first().filter(|_| is_own(&node.domain)) else { continue };
                if let Some(axes) = self.behind(node, index, &axes)
                    && seen.len() < MAX_VALUES
                    && seen.insert(output)
                {
                    next.push((output, axes));
                }
            }
        }
        Some(0)
    }

    /// The axes behind a node that keeps or moves those of its input.
    fn behind(&self, node: &NodeProto, index: usize, axes: &Axes) -> Option<Axes> {
        let rank = |name: &String| self.stored.get(name.as_str()).map(|tensor| tensor.dims.len());
        match (node.op_type.as_str(), index) {
            ("Transpose", 0) => {
                let perm = node.attribute.iter().find(|attribute| attribute.name == "perm")?;
                distinct_axes(&perm.ints, axes.len()).ok()?.into_iter().map(|axis| axes.get(axis).copied()).collect()
            }
            ("Unsqueeze", 0) => {
                let mut added = self.axes_of(node, |given| axes.len() + given)?;
                added.sort_unstable();
                let mut behind = axes.clone();
                added.into_iter().for_each(|axis| behind.insert(axis.min(behind.len()), None));
                Some(behind)
            }
            ("Squeeze", 0) => {
                let gone = self.axes_of(node, |_| axes.len())?;
                Some((0..axes.len()).filter(|axis| !gone.contains(axis)).map(|axis| axes[axis]).collect())
            }
            // A table of vectors, by their places.
            ("Gather", 1) => (rank(&node.input[0]) == Some(2)).then(|| [axes.as_slice(), &[None]].concat()),
            ("MatMul", 0) => {
                let (_, before) = axes.split_last().filter(|_| axes.len() > 2 && rank(&node.input[1]) == Some(2))?;
                Some([before, &[None]].concat())
            }
            ("Add" | "Div" | "Mul" | "Sub", _) => {
                let other = node.input.get(1 - index.min(1))?;
                rank(other).filter(|&other| other <= axes.len()).map(|_| axes.clone())
            }
            (op, 0) if KEEPING.contains(&op) => Some(axes.clone()),
            _ => None,
        }
    }

    /// The axes that a Squeeze or an Unsqueeze names, of as many as `rank` makes of their count.
    fn axes_of(&self, node: &NodeProto, rank: impl Fn(usize) -> usize) -> Option<Vec<usize>> {
        let attribute = node.attribute.iter().find(|attribute| attribute.name == "axes");
        let given = match (attribute, node.input.get(1)) {
            (Some(attribute), _) => attribute.ints.clone(),
            (None, input) => {
                let is_list = |tensor: &&&TensorProto| matches!(*tensor.dims, [] | [0..=MAX_AXES]);
                let stored = self.stored.get(input?.as_str()).filter(is_list)?;
                tensors::tensor(stored, &mut ExternalFiles::new(None)).ok()?.to_i64().ok()?
            }
        };
        let rank = rank(given.len());
        given.iter().map(|&found| axis(found, rank).ok()).collect()
    }
}

/// Whether a node is recurrent, and not what a user's table leaves of one.
fn is_own_recurrent(node: &NodeProto) -> bool {
    is_own(&node.domain) && is_recurrent(&node.op_type) && node.input.len() > 2
}

/// The axis of the batch in an input of a recurrent operator: the activation, or an initial state.
fn batch_of(node: &NodeProto, index: usize) -> Option<usize> {
    let layout = node.attribute.iter().find(|attribute| attribute.name == "layout");
    let batch_first = layout.is_some_and(|attribute| attribute.i == 1);
    (index == 0 || INITIAL.contains(&index)).then_some(usize::from(!batch_first))
}
