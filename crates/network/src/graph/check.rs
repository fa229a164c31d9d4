//! The proof that values, nodes and layers are the model of a CNN.

use thiserror::Error;

use super::{Node, Parts};
use crate::ids::{LayerId, NodeId, ValueId};
use crate::layer::{Bias, MacLayer, Operand};
use crate::op::Op;
use crate::scatter::Scatter;
use crate::window::WindowAxis;

/// Why values, nodes and layers are no network: whoever put them together has made a mistake.
///
/// A file that breaks its format's rules is another matter: its reader finds that before
/// ([`NetworkError::Invalid`](crate::NetworkError::Invalid)).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModelError {
    /// A value is named that is not there.
    #[error("{place}: value {value} is named; there are {count}")]
    NoSuchValue {
        /// Node, layer, or list of the graph.
        place: String,
        /// Index of the value.
        value: usize,
        /// How many values there are.
        count: usize,
    },
    /// A value is read before the node that makes it, or by that node.
    #[error("{place}: value {value:?} is read before node {maker:?} makes it")]
    ReadBeforeMade {
        /// The reader.
        place: String,
        /// Name of the value.
        value: String,
        /// Name of the node that makes it.
        maker: String,
    },
    /// A value is read that no node makes, and that is neither an input, nor constant, nor said to come from outside.
    #[error("{place}: value {value:?} is read; nothing makes it")]
    NeverMade {
        /// The reader: a node, or the outputs.
        place: String,
        /// Name of the value.
        value: String,
    },
    /// A value comes from two places.
    #[error("value {value:?} is made twice: by {first} and by {second}")]
    MadeTwice {
        /// Name of the value.
        value: String,
        /// The first place: a node, the inputs, or the constants.
        first: String,
        /// The second.
        second: String,
    },
    /// Layers are numbered in the order of their nodes, from 0 and without gaps; this node breaks the order.
    #[error("node {node:?}: layer {found} stands here; expected layer {expected} of {count}")]
    LayerOrder {
        /// Name of the node.
        node: String,
        /// The layer that the node is.
        found: usize,
        /// The layer whose turn it is.
        expected: usize,
        /// How many layers there are.
        count: usize,
    },
    /// A layer is no node of the graph.
    #[error("layer {layer:?}: no node stands for it")]
    LayerWithoutNode {
        /// Name of the layer.
        layer: String,
    },
    /// A layer and its node read or make different values.
    #[error("layer {layer:?}: its {end} is value {of_layer}, but that of its node is {of_node:?}")]
    LayerMismatch {
        /// Name of the layer.
        layer: String,
        /// `"input"` or `"output"`.
        end: &'static str,
        /// What the layer says.
        of_layer: usize,
        /// What the node says; none where it has no such end.
        of_node: Option<usize>,
    },
    /// A layer and its node have different names.
    #[error("layer {layer:?}: its node is named {node:?}")]
    LayerName {
        /// Name of the layer.
        layer: String,
        /// Name of its node.
        node: String,
    },
    /// The node of a layer reads or makes more than one value: weights and bias are the layer's.
    #[error("layer {layer:?}: its node has {inputs} inputs and {outputs} outputs; expected 1 of each")]
    LayerEnds {
        /// Name of the layer.
        layer: String,
        /// Inputs of the node.
        inputs: usize,
        /// Outputs of the node.
        outputs: usize,
    },
    /// A layer has not one of these for each filter, nor, where that stands for all, a single one.
    #[error("layer {layer:?}: {found} {what}; it has {filters} filters")]
    LayerNumbers {
        /// Name of the layer.
        layer: String,
        /// What there are too many or too few of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// Filters of the layer.
        filters: usize,
    },
    /// A transposed convolution has other taps or input positions than its geometry, which is one of size 1 × 1.
    #[error(
        "layer {layer:?}: {filters} filters at {positions} positions are no transposed convolution of {taps} taps at {inputs}"
    )]
    LayerScatter {
        /// Name of the layer.
        layer: String,
        /// Filters of the geometry.
        filters: usize,
        /// Positions of the geometry.
        positions: usize,
        /// Taps of the transposed convolution.
        taps: usize,
        /// Its input positions.
        inputs: usize,
    },
    /// A convolution of three dimensions has other planes than its geometry has channels and inputs.
    #[error(
        "layer {layer:?}: {channels} channels in {repeats} inputs are no planes under {taps} taps at {outputs} outputs"
    )]
    LayerPlanes {
        /// Name of the layer.
        layer: String,
        /// Channels of the geometry.
        channels: usize,
        /// Inputs of the geometry.
        repeats: usize,
        /// Taps along the depth.
        taps: usize,
        /// Outputs along the depth.
        outputs: usize,
    },
    /// The taps of one output channel of a transposed convolution have different scales or zero points.
    #[error("layer {layer:?}: the taps of output channel {channel} have different scales or zero points")]
    MixedScales {
        /// Name of the layer.
        layer: String,
        /// The output channel.
        channel: usize,
    },
    /// A constant is said to have another type or shape than its tensor.
    #[error("value {value:?}: {said}, but its tensor is {tensor}")]
    ConstantMismatch {
        /// Name of the value.
        value: String,
        /// Type and shape of the value.
        said: String,
        /// Type and shape of its tensor.
        tensor: String,
    },
    /// A layer reads or makes a value whose shape is not known, although its geometry is.
    #[error("layer {layer:?}: the shape of its {end} {value:?} is not known")]
    UnknownShape {
        /// Name of the layer.
        layer: String,
        /// `"input"` or `"output"`.
        end: &'static str,
        /// Name of the value.
        value: String,
    },
}

/// Where a value comes from, as far as the pass has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Nowhere,
    Outside,
    Input,
    Constant,
    Node(NodeId),
}

/// Checks everything that [`Graph`](super::Graph) and [`Network`](crate::Network) promise, and returns who makes each
/// value.
pub(super) fn check(parts: &Parts, layers: &[MacLayer]) -> Result<Vec<Option<NodeId>>, ModelError> {
    let check = Check { parts, layers };
    check.ids()?;
    let origins = check.origins()?;
    check.constants()?;
    check.order(&origins)?;
    check.layers()?;
    let maker = |origin: Origin| match origin {
        Origin::Node(id) => Some(id),
        Origin::Nowhere | Origin::Outside | Origin::Input | Origin::Constant => None,
    };
    Ok(origins.into_iter().map(maker).collect())
}

struct Check<'a> {
    parts: &'a Parts,
    layers: &'a [MacLayer],
}

impl Check<'_> {
    /// Every id is that of a value.
    fn ids(&self) -> Result<(), ModelError> {
        let Parts { nodes, inputs, outputs, outside, .. } = self.parts;
        self.exist("inputs", inputs)?;
        self.exist("outputs", outputs)?;
        self.exist("values from outside", outside)?;
        for node in nodes {
            let place = place(node);
            self.exist(&place, node.inputs.iter().flatten())?;
            self.exist(&place, &node.outputs)?;
        }
        for layer in self.layers {
            self.exist(&format!("layer {:?}", layer.name), [&layer.input, &layer.output])?;
        }
        Ok(())
    }

    fn exist<'i>(&self, place: &str, ids: impl IntoIterator<Item = &'i ValueId>) -> Result<(), ModelError> {
        let count = self.parts.values.len();
        match ids.into_iter().find(|id| id.0 >= count) {
            Some(id) => Err(ModelError::NoSuchValue { place: place.to_string(), value: id.0, count }),
            None => Ok(()),
        }
    }

    /// Every value comes from one place at the most.
    fn origins(&self) -> Result<Vec<Origin>, ModelError> {
        let constant = |value: &super::Value| if value.constant.is_some() { Origin::Constant } else { Origin::Nowhere };
        let mut origins: Vec<Origin> = self.parts.values.iter().map(constant).collect();
        let inputs = self.parts.inputs.iter().map(|&id| (id, Origin::Input));
        let outside = self.parts.outside.iter().map(|&id| (id, Origin::Outside));
        let made = self.parts.nodes.iter().enumerate();
        let made = made.flat_map(|(i, node)| node.outputs.iter().map(move |&id| (id, Origin::Node(NodeId(i)))));
        for (id, second) in inputs.chain(outside).chain(made) {
            let first = std::mem::replace(&mut origins[id.0], second);
            if first != Origin::Nowhere {
                let [first, second] = [first, second].map(|origin| self.describe(origin));
                return Err(ModelError::MadeTwice { value: self.name(id), first, second });
            }
        }
        Ok(origins)
    }

    /// Every constant has the type and the shape of its tensor.
    fn constants(&self) -> Result<(), ModelError> {
        for value in &self.parts.values {
            let Some(tensor) = &value.constant else { continue };
            let same = value.data_type == Some(tensor.data_type) && value.shape.as_ref() == Some(&tensor.shape);
            if !same {
                let said = format!("{:?} {:?}", value.data_type, value.shape);
                let tensor = format!("{:?} {:?}", Some(tensor.data_type), Some(&tensor.shape));
                return Err(ModelError::ConstantMismatch { value: value.name.clone(), said, tensor });
            }
        }
        Ok(())
    }

    /// Every value is there before it is read.
    fn order(&self, origins: &[Origin]) -> Result<(), ModelError> {
        for (index, node) in self.parts.nodes.iter().enumerate() {
            for &id in node.inputs.iter().flatten() {
                match origins[id.0] {
                    Origin::Node(maker) if maker.0 >= index => {
                        let maker = self.parts.nodes[maker.0].name.clone();
                        return Err(ModelError::ReadBeforeMade { place: place(node), value: self.name(id), maker });
                    }
                    Origin::Nowhere => {
                        return Err(ModelError::NeverMade { place: place(node), value: self.name(id) });
                    }
                    Origin::Node(_) | Origin::Input | Origin::Constant | Origin::Outside => {}
                }
            }
        }
        match self.parts.outputs.iter().find(|id| origins[id.0] == Origin::Nowhere) {
            Some(&id) => Err(ModelError::NeverMade { place: "outputs".to_string(), value: self.name(id) }),
            None => Ok(()),
        }
    }

    /// Every layer is one node, which reads and makes the same values, and layers stand in the order of their nodes.
    fn layers(&self) -> Result<(), ModelError> {
        let mut expected = 0;
        for node in &self.parts.nodes {
            let Op::Mac(LayerId(found)) = node.op else { continue };
            let count = self.layers.len();
            if found != expected || found >= count {
                return Err(ModelError::LayerOrder { node: node.name.clone(), found, expected, count });
            }
            self.layer(&self.layers[found], node)?;
            expected += 1;
        }
        match self.layers.get(expected) {
            Some(layer) => Err(ModelError::LayerWithoutNode { layer: layer.name.clone() }),
            None => Ok(()),
        }
    }

    fn layer(&self, layer: &MacLayer, node: &Node) -> Result<(), ModelError> {
        let read = node.inputs.first().copied().flatten();
        let made = node.outputs.first().copied();
        for (end, of_layer, of_node) in [("input", layer.input, read), ("output", layer.output, made)] {
            let name = layer.name.clone();
            if of_node != Some(of_layer) {
                let (of_layer, of_node) = (of_layer.0, of_node.map(|id| id.0));
                return Err(ModelError::LayerMismatch { layer: name, end, of_layer, of_node });
            }
            if self.parts.values[of_layer.0].shape.is_none() {
                return Err(ModelError::UnknownShape { layer: name, end, value: self.name(of_layer) });
            }
        }
        if layer.name != node.name {
            return Err(ModelError::LayerName { layer: layer.name.clone(), node: node.name.clone() });
        }
        let (inputs, outputs) = (node.inputs.len(), node.outputs.len());
        if (inputs, outputs) != (1, 1) {
            return Err(ModelError::LayerEnds { layer: layer.name.clone(), inputs, outputs });
        }
        numbers(layer)
    }

    fn name(&self, id: ValueId) -> String {
        self.parts.values[id.0].name.clone()
    }

    fn describe(&self, origin: Origin) -> String {
        match origin {
            Origin::Nowhere => "nothing".to_string(),
            Origin::Outside => "the outside".to_string(),
            Origin::Input => "the inputs".to_string(),
            Origin::Constant => "the constants".to_string(),
            Origin::Node(id) => place(&self.parts.nodes[id.0]),
        }
    }
}

/// A layer has a bias for each output channel, and scales and zero points for each filter or for all. Those of a
/// transposed convolution's channel are alike, for its sums are added as integers.
fn numbers(layer: &MacLayer) -> Result<(), ModelError> {
    let (filters, channels) = (layer.geometry.spec().filters, layer.out_channels());
    // What there is, how many, and of how many things each or all have one.
    let mut all = Vec::new();
    match &layer.bias {
        Some(Bias::Float(values)) => all.push(("biases", values.len(), channels, false)),
        Some(Bias::Integer { values, scales }) => {
            all.push(("biases", values.len(), channels, false));
            all.push(("scales of biases", scales.len(), channels, true));
        }
        None => {}
    }
    if let Some(quantization) = &layer.weights.quantization {
        all.push(("scales of weights", quantization.scales.len(), filters, true));
        all.push(("zero points of weights", quantization.zero_points.len(), filters, true));
    }
    let wrong = all.iter().find(|(_, found, each, or_one)| found != each && !(*or_one && *found == 1));
    if let Some(&(what, found, filters, _)) = wrong {
        return Err(ModelError::LayerNumbers { layer: layer.name.clone(), what, found, filters });
    }
    match (layer.scatter(), layer.operand) {
        (Some(scatter), _) => transposed(layer, scatter),
        (None, Operand::Planes(depth)) => planes(layer, depth),
        (None, _) => Ok(()),
    }
}

/// Channels and inputs of the geometry are those of a convolution of three dimensions, whose groups share no planes.
fn planes(layer: &MacLayer, depth: WindowAxis) -> Result<(), ModelError> {
    let spec = layer.geometry.spec();
    let (channels, repeats) = (spec.in_channels / spec.groups, spec.repeats);
    let (taps, outputs) = (depth.kernel, depth.out);
    let fits = |count: usize, by: usize| by > 0 && count.is_multiple_of(by);
    if fits(channels, taps) && fits(repeats, outputs) && depth.outputs() == Some(outputs) {
        return Ok(());
    }
    let channels = spec.in_channels;
    Err(ModelError::LayerPlanes { layer: layer.name.clone(), channels, repeats, taps, outputs })
}

/// A transposed convolution is one of size 1 × 1 of all its taps, and those of a channel have one scale and zero point.
fn transposed(layer: &MacLayer, scatter: &Scatter) -> Result<(), ModelError> {
    let (taps, inputs) = (scatter.taps(), scatter.in_positions());
    let (spec, positions) = (layer.geometry.spec(), layer.geometry.positions_per_repeat());
    let filters = spec.filters;
    if spec.kernel != [1; 2] || !filters.is_multiple_of(taps) || positions != inputs {
        return Err(ModelError::LayerScatter { layer: layer.name.clone(), filters, positions, taps, inputs });
    }
    let mixed = layer.weights.quantization.as_ref().and_then(|quantization| {
        (0..filters).find(|&filter| quantization.of(filter) != quantization.of(filter - filter % taps))
    });
    match mixed {
        Some(filter) => Err(ModelError::MixedScales { layer: layer.name.clone(), channel: filter / taps }),
        None => Ok(()),
    }
}

fn place(node: &Node) -> String {
    format!("node {:?}", node.name)
}
