//! The graph between every reader and everything that runs or costs a network.

use crate::ids::{NodeId, ValueId};
use crate::op::Op;
use crate::tensor::{DataType, Tensor};

/// A tensor that flows through the graph, or a constant.
#[derive(Clone, Debug)]
pub struct Value {
    /// Name in the file.
    pub name: String,
    /// Element type, where known.
    pub data_type: Option<DataType>,
    /// Shape with the batch made a number; `None` behind an operator whose shapes we do not know.
    pub shape: Option<Vec<usize>>,
    /// The elements, if the value is the same for every input.
    pub constant: Option<Tensor>,
}

/// One operation. Inputs that the file leaves out are `None`.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the file; made from the operator and its first output where the file has none.
    pub name: String,
    /// The operator as the file calls it, for messages: `Conv`, `com.microsoft:QLinearAdd`.
    pub op_type: String,
    /// What it does.
    pub op: Op,
    /// Values it reads.
    pub inputs: Vec<Option<ValueId>>,
    /// Values it makes.
    pub outputs: Vec<ValueId>,
}

/// A CNN without its training: nodes in an order in which every value is made before it is read.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All values; [`ValueId`] is an index into them.
    pub values: Vec<Value>,
    /// All nodes that depend on the input, topologically sorted.
    pub nodes: Vec<Node>,
    /// What the user feeds, batch first.
    pub inputs: Vec<ValueId>,
    /// What the network returns.
    pub outputs: Vec<ValueId>,
}

impl Graph {
    /// All values; [`ValueId`] is an index into them.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// All nodes that depend on the input, topologically sorted; [`NodeId`] is an index into them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What the user feeds, batch first.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// What the network returns.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The value with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// The node with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}
