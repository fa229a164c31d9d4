//! The BatchNorms of a network and the constants that hold their statistics.

use network::{Graph, LayerId, Network, Op, Tensor, Value, ValueId};

use crate::error::CompressError;

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
pub(super) fn own_statistics(network: &Network) -> Result<(Graph, Vec<Norm>), CompressError> {
    let mut graph = network.graph().clone();
    let mut norms = Vec::new();
    for node in 0..graph.nodes.len() {
        if matches!(graph.nodes[node].op, Op::BatchNormalization { .. }) {
            let mean = own_constant(&mut graph, node, MEAN, "mean")?;
            let variance = own_constant(&mut graph, node, VARIANCE, "variance")?;
            norms.push(Norm { node, mean, variance });
        }
    }
    Ok((graph, norms))
}

fn own_constant(graph: &mut Graph, node: usize, input: usize, what: &str) -> Result<ValueId, CompressError> {
    let name = graph.nodes[node].name.clone();
    let stored = graph.nodes[node].inputs.get(input).copied().flatten();
    let constant = stored.filter(|&id| graph.value(id).constant.is_some());
    let Some(id) = constant else {
        let problem = format!("its {what} is computed by the network; a stored one can be re-estimated");
        return Err(CompressError::Unsupported { place: format!("BatchNormalization {name}"), problem });
    };
    let readers = graph.nodes.iter().flat_map(|node| &node.inputs).filter(|&&read| read == Some(id)).count();
    if readers == 1 && !graph.outputs.contains(&id) {
        return Ok(id);
    }
    let value = Value { name: free_name(graph, &format!("{name}_{what}")), ..graph.value(id).clone() };
    graph.values.push(value);
    let own = ValueId(graph.values.len() - 1);
    graph.nodes[node].inputs[input] = Some(own);
    Ok(own)
}

fn free_name(graph: &Graph, wanted: &str) -> String {
    let taken = |name: &str| graph.values.iter().any(|value| value.name == name);
    let numbered = (2..).map(|n| format!("{wanted}_{n}"));
    std::iter::once(wanted.to_string()).chain(numbered).find(|name| !taken(name)).expect("numbers do not end")
}

/// Writes numbers over a constant, in its shape.
pub(super) fn set(graph: &mut Graph, id: ValueId, elements: &[f32]) {
    let value = &mut graph.values[id.0];
    let shape = value.constant.as_ref().map_or_else(|| vec![elements.len()], |constant| constant.shape.clone());
    value.constant = Some(Tensor::from_f32(shape, elements));
    value.data_type = value.constant.as_ref().map(|constant| constant.data_type);
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
    let mut after = vec![Follows::default(); graph.values.len()];
    let mut layers = vec![Follows::default(); network.layers().len()];
    for node in graph.nodes.iter().rev() {
        let made = node.outputs.iter().map(|id| after[id.0]);
        let follows = made.fold(Follows::default(), |a, b| Follows { norm: a.norm || b.norm, mac: a.mac || b.mac });
        let read = match node.op {
            Op::Mac(LayerId(index)) => {
                layers[index] = follows;
                Follows { norm: false, mac: true }
            }
            Op::BatchNormalization { .. } => Follows { norm: true, mac: follows.mac },
            _ => follows,
        };
        for id in node.inputs.iter().flatten() {
            after[id.0].norm |= read.norm;
            after[id.0].mac |= read.mac;
        }
    }
    layers
}
