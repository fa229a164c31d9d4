//! How a network is put together, by readers, architectures, compression and tests alike.

use std::path::PathBuf;

use super::{About, Network};
use crate::graph::{Graph, ModelError, Node, Parts, Value};
use crate::ids::{LayerId, NodeId, ValueId};
use crate::layer::MacLayer;
use crate::names::Names;
use crate::op::Op;
use crate::tensor::Tensor;
use crate::ties::first_uses;

/// A network under construction.
///
/// Parts may come in any state and be changed in any order; [`NetworkBuilder::finish`] proves that they are a network.
/// It is the only way to one.
///
/// ```
/// use network::{DataType, NetworkBuilder, Node, Op, Unary, Value};
///
/// let mut builder = NetworkBuilder::new("by-hand");
/// let [x, y] = ["x", "y"].map(|name| builder.add_value(Value::new(name, Some(DataType::F32), Some(vec![1, 8]))));
/// builder.set_inputs(vec![x]);
/// builder.set_outputs(vec![y]);
/// builder.add_node(Node {
///     name: "relu".to_string(),
///     op_type: "Relu".to_string(),
///     op: Op::Unary(Unary::Relu),
///     inputs: vec![Some(x)],
///     outputs: vec![y],
/// });
/// let network = builder.finish()?;
/// assert_eq!(network.graph().producer(y).map(|id| network.graph().node(id).name.as_str()), Some("relu"));
/// # Ok::<(), network::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    parts: Parts,
    layers: Vec<MacLayer>,
    about: About,
}

/// How far a network had come ([`NetworkBuilder::mark`]).
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    values: usize,
    nodes: usize,
    layers: usize,
}

impl NetworkBuilder {
    /// Nothing yet, of a batch of 1. `path` is the file, or what stands for it in messages.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { parts: Parts::default(), layers: Vec::new(), about: About::new(path.into()) }
    }

    /// The parts of a network that is there, to be changed.
    pub(super) fn of(network: &Network) -> Self {
        Self { parts: network.graph.parts().clone(), layers: network.layers.clone(), about: network.about.clone() }
    }

    /// Sets the file, or what stands for it in messages.
    pub fn set_path(&mut self, path: impl Into<PathBuf>) {
        self.about.path = path.into();
    }

    /// Images in one run of the graph.
    pub fn batch(&self) -> usize {
        self.about.batch
    }

    /// Sets how many images one run of the graph takes.
    pub fn set_batch(&mut self, batch: usize) {
        self.about.batch = batch;
    }

    /// Sets on which axis of the first input these images lie.
    pub fn set_batch_axis(&mut self, axis: usize) {
        self.about.batch_axis = axis;
    }

    /// Adds a value.
    pub fn add_value(&mut self, value: Value) -> ValueId {
        self.parts.values.push(value);
        ValueId(self.parts.values.len() - 1)
    }

    /// Adds a constant, with the type and the shape of its tensor.
    pub fn add_constant(&mut self, name: impl Into<String>, tensor: Tensor) -> ValueId {
        self.add_value(Value::constant(name, tensor))
    }

    /// Makes a value a constant, or gives it other elements; its type and its shape are then those of the tensor.
    ///
    /// # Panics
    ///
    /// If there is no such value.
    pub fn set_constant(&mut self, id: ValueId, tensor: Tensor) {
        let name = std::mem::take(&mut self.parts.values[id.0].name);
        self.parts.values[id.0] = Value::constant(name, tensor);
    }

    /// Adds a node behind all others. That of a MAC layer comes with [`NetworkBuilder::add_mac`].
    pub fn add_node(&mut self, node: Node) -> NodeId {
        self.parts.nodes.push(node);
        NodeId(self.parts.nodes.len() - 1)
    }

    /// Adds a MAC layer and its node, of the same name, input and output.
    pub fn add_mac(&mut self, op_type: impl Into<String>, layer: MacLayer) -> LayerId {
        let (name, inputs, outputs) = (layer.name.clone(), vec![Some(layer.input)], vec![layer.output]);
        let id = self.add_layer(layer);
        self.add_node(Node { name, op_type: op_type.into(), op: Op::Mac(id), inputs, outputs });
        id
    }

    /// Adds a MAC layer whose node ([`Op::Mac`]) the caller adds.
    pub fn add_layer(&mut self, layer: MacLayer) -> LayerId {
        self.layers.push(layer);
        LayerId(self.layers.len() - 1)
    }

    /// Sets what the user feeds, batch first.
    pub fn set_inputs(&mut self, inputs: Vec<ValueId>) {
        self.parts.inputs = inputs;
    }

    /// Sets what the network returns.
    pub fn set_outputs(&mut self, outputs: Vec<ValueId>) {
        self.parts.outputs = outputs;
    }

    /// Sets the values that come from outside the model, though nobody feeds them: the inputs of layers that nothing
    /// connects, and what a file holds in a form that the model does not (text, sequences).
    pub fn set_outside(&mut self, outside: Vec<ValueId>) {
        self.parts.outside = outside;
    }

    /// All values so far.
    pub fn values(&self) -> &[Value] {
        &self.parts.values
    }

    /// All nodes so far.
    pub fn nodes(&self) -> &[Node] {
        &self.parts.nodes
    }

    /// All layers so far.
    pub fn layers(&self) -> &[MacLayer] {
        &self.layers
    }

    /// What the network returns.
    pub fn outputs(&self) -> &[ValueId] {
        &self.parts.outputs
    }

    /// What the user feeds.
    pub fn inputs(&self) -> &[ValueId] {
        &self.parts.inputs
    }

    /// A value.
    ///
    /// # Panics
    ///
    /// If there is no such value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.parts.values[id.0]
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.parts.nodes[id.0]
    }

    /// A value, to be changed.
    ///
    /// # Panics
    ///
    /// If there is no such value.
    pub fn value_mut(&mut self, id: ValueId) -> &mut Value {
        &mut self.parts.values[id.0]
    }

    /// A node, to be changed.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.parts.nodes[id.0]
    }

    /// All layers, to be changed.
    pub fn layers_mut(&mut self) -> &mut [MacLayer] {
        &mut self.layers
    }

    /// The names of all values, for a further one that differs from them.
    pub fn value_names(&self) -> Names {
        self.parts.values.iter().map(|value| value.name.clone()).collect()
    }

    /// Where the network has come to.
    pub fn mark(&self) -> Mark {
        Mark { values: self.parts.values.len(), nodes: self.parts.nodes.len(), layers: self.layers.len() }
    }

    /// Takes out the nodes that are not `kept`, one mark a node, and the MAC layers that they are, which are returned in
    /// order.
    ///
    /// # Panics
    ///
    /// If there is not one mark for each node.
    pub fn retain_nodes(&mut self, kept: &[bool]) -> Vec<MacLayer> {
        assert_eq!(kept.len(), self.parts.nodes.len(), "one mark a node");
        let mut goes = vec![false; self.layers.len()];
        for (node, _) in self.parts.nodes.iter().zip(kept).filter(|(_, kept)| !**kept) {
            if let Op::Mac(id) = node.op {
                goes[id.0] = true;
            }
        }
        let mut marks = kept.iter();
        self.parts.nodes.retain(|_| *marks.next().expect("one mark a node"));
        let places: Vec<usize> = goes
            .iter()
            .scan(0, |next, goes| {
                let place = *next;
                *next += usize::from(!goes);
                Some(place)
            })
            .collect();
        for node in &mut self.parts.nodes {
            if let Op::Mac(id) = &mut node.op {
                id.0 = places[id.0];
            }
        }
        let layers = std::mem::take(&mut self.layers).into_iter().zip(goes);
        let (gone, stay): (Vec<_>, Vec<_>) = layers.partition(|(_, goes)| *goes);
        self.layers = stay.into_iter().map(|(layer, _)| layer).collect();
        gone.into_iter().map(|(layer, _)| layer).collect()
    }

    /// Takes back all values, nodes and layers that came after a mark.
    pub fn rewind(&mut self, mark: Mark) {
        self.parts.values.truncate(mark.values);
        self.parts.nodes.truncate(mark.nodes);
        self.layers.truncate(mark.layers);
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if it is none: a value that is missing, read before it is made, or made twice; a constant whose type
    /// or shape is another than its tensor's; a layer that is no node, or other than its node, or out of order, or whose
    /// input or output has no shape, or that has not one bias and one scale for each filter.
    pub fn finish(self) -> Result<Network, ModelError> {
        let graph = Graph::new(self.parts, &self.layers)?;
        let first_uses = first_uses(&self.layers);
        Ok(Network { graph, layers: self.layers, first_uses, about: self.about })
    }
}
