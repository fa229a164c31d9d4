//! The graph between every reader and everything that runs or costs a network.

mod check;

pub use self::check::ModelError;

use crate::ids::{NodeId, ValueId};
use crate::layer::MacLayer;
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

impl Value {
    /// A value that the network computes, or is fed.
    pub fn new(name: impl Into<String>, data_type: Option<DataType>, shape: Option<Vec<usize>>) -> Self {
        Self { name: name.into(), data_type, shape, constant: None }
    }

    /// A constant, with the type and the shape of its tensor.
    pub fn constant(name: impl Into<String>, tensor: Tensor) -> Self {
        let (data_type, shape) = (Some(tensor.data_type), Some(tensor.shape.clone()));
        Self { name: name.into(), data_type, shape, constant: Some(tensor) }
    }
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
///
/// A graph comes out of [`NetworkBuilder::finish`](crate::NetworkBuilder::finish) alone, which proves all that is said
/// here, and nobody changes it afterwards. That is why it can know who makes and who reads each value.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    parts: Parts,
    /// By value.
    producers: Vec<Option<NodeId>>,
    /// By value, a node for each place.
    readers: Vec<Vec<NodeId>>,
}

/// What a graph is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    /// Values that are read although nothing in the graph makes them.
    pub(crate) outside: Vec<ValueId>,
}

impl Graph {
    /// Puts a graph together, and proves that it and its layers are a model.
    pub(crate) fn new(parts: Parts, layers: &[MacLayer]) -> Result<Self, ModelError> {
        let producers = check::check(&parts, layers)?;
        let mut readers = vec![Vec::new(); parts.values.len()];
        for (index, node) in parts.nodes.iter().enumerate() {
            node.inputs.iter().flatten().for_each(|id| readers[id.0].push(NodeId(index)));
        }
        Ok(Self { parts, producers, readers })
    }

    /// What the graph is made of, to be changed and put together again.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// All values; [`ValueId`] is an index into them.
    pub fn values(&self) -> &[Value] {
        &self.parts.values
    }

    /// All nodes that depend on the input, topologically sorted; [`NodeId`] is an index into them.
    pub fn nodes(&self) -> &[Node] {
        &self.parts.nodes
    }

    /// What the user feeds, batch first.
    pub fn inputs(&self) -> &[ValueId] {
        &self.parts.inputs
    }

    /// What the network returns.
    pub fn outputs(&self) -> &[ValueId] {
        &self.parts.outputs
    }

    /// The value with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.parts.values[id.0]
    }

    /// The node with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.parts.nodes[id.0]
    }

    /// The node that makes a value; none of inputs and constants.
    ///
    /// # Panics
    ///
    /// If `value` comes from another graph.
    pub fn producer(&self, value: ValueId) -> Option<NodeId> {
        self.producers[value.0]
    }

    /// The nodes that read a value, in order. A node that reads it in two places is there twice.
    ///
    /// # Panics
    ///
    /// If `value` comes from another graph.
    pub fn readers(&self, value: ValueId) -> &[NodeId] {
        &self.readers[value.0]
    }

    /// By value, in how many places it is used: read by nodes, or returned.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses: Vec<usize> = self.readers.iter().map(Vec::len).collect();
        self.parts.outputs.iter().for_each(|id| uses[id.0] += 1);
        uses
    }
}
