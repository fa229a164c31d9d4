//! The BatchNorms of a network and the constants that hold their statistics.

use network::{LayerId, Names, Network, NetworkBuilder, NodeId, Op, Tensor, Value, ValueId};

use crate::error::CompressError;
use crate::rebuild::rebuilt;

/// A BatchNorm whose mean and variance are constants of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    /// Index of the node.
    pub node: usize,
    pub mean: ValueId,
    pub variance: ValueId,
}

/// Inputs of a BatchNormalization node that hold its statistics.
const MEAN: usize = 3;
const VARIANCE: usize = 4;

/// Finds all BatchNorms, in order, and gives each that shares its statistics with another reader constants of its own.
///
/// # Errors
///
/// [`CompressError::Unsupported`] if statistics are computed rather than stored.
pub(super) fn own_statistics(network: &Network) -> Result<(Network, Vec<Norm>), CompressError> {
    let edited = network.edit();
    let mut own = Own { names: edited.value_names(), uses: network.graph().uses(), edited };
    let mut norms = Vec::new();
    for (index, node) in network.graph().nodes().iter().enumerate() {
        if matches!(node.op, Op::BatchNormalization { .. }) {
            let mean = own.constant(NodeId(index), MEAN, "mean")?;
            let variance = own.constant(NodeId(index), VARIANCE, "variance")?;
            norms.push(Norm { node: index, mean, variance });
        }
    }
    Ok((rebuilt(own.edited, network)?, norms))
}

/// A network whose BatchNorms are given constants of their own.
struct Own {
    edited: NetworkBuilder,
    names: Names,
    /// By value, in how many places it is used.
    uses: Vec<usize>,
}

impl Own {
    fn constant(&mut self, node: NodeId, input: usize, what: &str) -> Result<ValueId, CompressError> {
        let name = self.edited.node(node).name.clone();
        let stored = self.edited.node(node).inputs.get(input).copied().flatten();
        let Some(id) = stored.filter(|&id| self.edited.value(id).constant.is_some()) else {
            let problem = format!("its {what} is computed by the network; a stored one can be re-estimated");
            return Err(CompressError::Unsupported { place: format!("BatchNormalization {name}"), problem });
        };
        if self.uses[id.0] == 1 {
            return Ok(id);
        }
        let value = Value { name: self.names.claim(&format!("{name}_{what}")), ..self.edited.value(id).clone() };
        let own = self.edited.add_value(value);
        self.edited.node_mut(node).inputs[input] = Some(own);
        self.uses[id.0] -= 1;
        Ok(own)
    }
}

/// Writes numbers over a constant, in its shape.
pub(super) fn set(network: &mut NetworkBuilder, id: ValueId, elements: &[f32]) {
    let constant = network.value(id).constant.as_ref();
    let shape = constant.map_or_else(|| vec![elements.len()], |constant| constant.shape.clone());
    network.set_constant(id, Tensor::from_f32(shape, elements));
}

/// What comes after a MAC layer, up to the next MAC layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Follows {
    /// A BatchNorm reads what the layer makes, perhaps through other operators.
    pub norm: bool,
    /// Another MAC layer does.
    pub mac: bool,
}

/// For every MAC layer, what follows it.
pub(super) fn followers(network: &Network) -> Vec<Follows> {
    let graph = network.graph();
    // From the last node back: what follows a value is known once all its readers are.
    let mut after = vec![Follows::default(); graph.values().len()];
    let mut layers = vec![Follows::default(); network.layers().len()];
    for node in graph.nodes().iter().rev() {
        let made = node.outputs.iter().map(|id| after[id.0]);
        let follows = made.fold(Follows::default(), |a, b| Follows { norm: a.norm || b.norm, mac: a.mac || b.mac });
        let read = if let Op::Mac(LayerId(index)) = node.op {
            layers[index] = follows;
            Follows { norm: false, mac: true }
        } else {
            let is_norm = matches!(node.op, Op::BatchNormalization { .. });
            Follows { norm: is_norm || follows.norm, mac: follows.mac }
        };
        for id in node.inputs.iter().flatten() {
            after[id.0].norm |= read.norm;
            after[id.0].mac |= read.mac;
        }
    }
    layers
}
