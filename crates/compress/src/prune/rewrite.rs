//! The pruned network: its graph and layers, with what is dead set to 0 or taken out.

use network::{
    Bias, Binary, BinaryKind, Geometry, MacLayer, Network, NetworkBuilder, Node, NodeId, Op, Tensor, ValueId,
};

use super::constants::{Aligned, Constants, selected, zeroed};
use super::flow::{Flow, Source};
use super::layout::Layout;
use super::propagate::Dead;
use super::removal::Removal;
use super::weights::Weights;
use crate::error::CompressError;
use crate::rebuild::rebuilt;

/// Everything that is known about what is set to 0 or taken out.
#[derive(Clone, Copy)]
pub(super) struct Changes<'a> {
    pub flow: &'a Flow,
    pub dead: &'a Dead,
    pub removal: &'a Removal,
}

/// Builds the network. `weights` are zeroed already but still whole.
pub(super) fn rewrite(
    network: &Network,
    weights: Vec<Weights>,
    changes: Changes<'_>,
) -> Result<Network, CompressError> {
    let mut edited = network.edit();
    let mut constants = Constants::new(network.graph());
    for node in (0..network.graph().nodes().len()).map(NodeId) {
        changes.clear(&mut edited, &mut constants, node)?;
        changes.shrink(&mut edited, &mut constants, node)?;
    }
    for (i, layout) in changes.flow.layouts.iter().enumerate() {
        if let (Some(layout), Some(shape)) = (layout, &mut edited.value_mut(ValueId(i)).shape) {
            let kept = changes.removal.kept(layout);
            layout.axes.iter().zip(kept).for_each(|(&axis, kept)| shape[axis] = kept.len());
        }
    }
    let layers = network.layers().iter().zip(weights).enumerate();
    for (i, (layer, weights)) in layers {
        edited.layers_mut()[i] = changes.layer(network, i, layer, weights)?;
    }
    rebuilt(edited, network)
}

impl Changes<'_> {
    /// Clears what a node adds to channels that are pruned.
    fn clear(&self, edited: &mut NetworkBuilder, constants: &mut Constants, node: NodeId) -> Result<(), CompressError> {
        let Some(layout) = edited.node(node).outputs.first().and_then(|&id| self.layout(id)) else { return Ok(()) };
        let is_cleared = |&cell: &usize| {
            self.dead.cleared[cell] && matches!(self.flow.sources[cell], Source::Map { clears: true, .. })
        };
        let cleared: Vec<bool> = layout.cells.iter().map(is_cleared).collect();
        if !cleared.contains(&true) {
            return Ok(());
        }
        // No other operator is traced as one that adds something of a channel.
        if matches!(edited.node(node).op, Op::BatchNormalization { .. } | Op::InstanceNormalization { .. }) {
            for input in [1, 2] {
                change(edited, constants, node, input, |value, tensor| zeroed(value, tensor, &cleared))?;
            }
        }
        if matches!(edited.node(node).op, Op::Binary(Binary::Add | Binary::Sub)) {
            let rank = shape(edited, edited.node(node).outputs[0]).len();
            for (input, aligned) in constant_inputs(edited, node, rank) {
                if aligned.is_by_cell(&layout.axes, &layout.extents) {
                    let cells = aligned.cells(&layout.axes, &layout.extents);
                    let zeros: Vec<bool> = cells.into_iter().map(|cell| cleared[cell]).collect();
                    change(edited, constants, node, input, |value, tensor| zeroed(value, tensor, &zeros))?;
                }
            }
        }
        Ok(())
    }

    /// Takes channels that are gone out of a node's constants and attributes. Shapes of values are still those before.
    fn shrink(
        &self,
        edited: &mut NetworkBuilder,
        constants: &mut Constants,
        node: NodeId,
    ) -> Result<(), CompressError> {
        let Node { op, inputs, outputs, .. } = edited.node(node).clone();
        let Some(&output) = outputs.first() else { return Ok(()) };
        let Some(layout) = self.layout(output) else { return Ok(()) };
        let input = inputs.first().copied().flatten().and_then(|id| self.layout(id));
        let nothing_goes = |layout: &Layout| !layout.cells.iter().any(|&cell| self.removal.gone[cell]);
        if nothing_goes(layout) && input.is_none_or(nothing_goes) {
            return Ok(());
        }
        let kept = self.removal.kept(layout);
        let mut cut = |edited: &mut NetworkBuilder, input: usize, axis: usize, kept: &[usize]| {
            change(edited, constants, node, input, |value, tensor| selected(value, tensor, axis, kept))
        };
        match op {
            Op::InstanceNormalization { .. } => (1..3).try_for_each(|input| cut(edited, input, 0, &kept[0])),
            Op::BatchNormalization { .. } => (1..5).try_for_each(|input| cut(edited, input, 0, &kept[0])),
            Op::Binary(function) if function.kind() == BinaryKind::Arithmetic => {
                let axes = constant_axes(edited, node, layout, shape(edited, output).len());
                axes.into_iter().try_for_each(|(input, own, position)| cut(edited, input, own, &kept[position]))
            }
            Op::QuantizeLinear { axis } | Op::DequantizeLinear { axis } => {
                let Some(position) = layout.position(axis) else { return Ok(()) };
                let by_channel = |id: &ValueId| matches!(*shape(edited, *id), [n] if n > 1);
                let by_channel = |&i: &usize| inputs[i].as_ref().is_some_and(by_channel);
                let parameters: Vec<usize> = (1..inputs.len()).filter(by_channel).collect();
                parameters.into_iter().try_for_each(|input| cut(edited, input, 0, &kept[position]))
            }
            Op::Pad { .. } | Op::Slice { .. } => {
                if let Some(input) = input {
                    self.shrink_range(&mut edited.node_mut(node).op, input, layout);
                }
                Ok(())
            }
            // Nothing of these belongs to a channel.
            Op::Mac(_) | Op::Unary(_) | Op::Binary(_) | Op::Reduce { .. } | Op::Where | Op::MatMul => Ok(()),
            Op::Softmax { .. } | Op::LogSoftmax { .. } | Op::SoftmaxFrom { .. } => Ok(()),
            Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::GlobalMaxPool | Op::Lrn { .. } => Ok(()),
            Op::Concat { .. } | Op::Split { .. } | Op::Reshape | Op::Transpose { .. } | Op::Expand | Op::Tile => Ok(()),
            Op::Gather { .. } | Op::Resize { .. } | Op::DepthToSpace { .. } | Op::SpaceToDepth { .. } => Ok(()),
            Op::DynamicQuantizeLinear | Op::Cast | Op::Identity => Ok(()),
            // The trace pins the channels of these, so that none of them goes.
            Op::LayerNormalization { .. } | Op::Integer(_) | Op::Quant(_) | Op::Unsupported => Ok(()),
            Op::GatherElements { .. } | Op::MultiThreshold { .. } | Op::Recurrent(_) => Ok(()),
        }
    }

    /// Brings the channel axis of a Pad or Slice to the channels that stay.
    fn shrink_range(&self, op: &mut Op, input: &Layout, output: &Layout) {
        let staying = |cells: &[usize]| cells.iter().filter(|&&cell| !self.removal.gone[cell]).count() as i64;
        if let Op::Pad { pads, .. } = op {
            let (&[axis], rank) = (input.axes.as_slice(), pads.len() / 2) else { return };
            let (own, new) = (&input.cells, &output.cells);
            let count = |pad: i64| usize::try_from(pad.abs()).expect("a pad is no longer than its axis");
            let (before, after) = (pads[axis], pads[axis + rank]);
            let start = count(before);
            pads[axis] = if before < 0 { -staying(&own[..start]) } else { staying(&new[..start]) };
            let end = count(after);
            pads[axis + rank] =
                if after < 0 { -staying(&own[own.len() - end..]) } else { staying(&new[new.len() - end..]) };
        } else if let Op::Slice { starts, ends, axes, steps } = op {
            let kept = self.removal.kept(input);
            for (i, axis) in axes.iter().enumerate().filter(|(i, _)| steps[*i] == 1) {
                if let Some(position) = input.position(*axis) {
                    let before = |end: i64| kept[position].iter().filter(|&&k| (k as i64) < end).count() as i64;
                    (starts[i], ends[i]) = (before(starts[i]), before(ends[i]));
                }
            }
        }
    }

    fn layer(
        &self,
        network: &Network,
        index: usize,
        layer: &MacLayer,
        mut weights: Weights,
    ) -> Result<MacLayer, CompressError> {
        let flow = &self.flow.layers[index];
        let mut spec = *layer.geometry.spec();
        let staying = |cells: &[usize]| (0..cells.len()).filter(|&i| !self.removal.gone[cells[i]]).collect::<Vec<_>>();
        let filters = staying(&flow.filters);
        let channels = if flow.inputs.is_empty() { (0..layer.in_channels()).collect() } else { staying(&flow.inputs) };
        let shape = weights.shape;
        if filters.len() < shape.filters || channels.len() < layer.in_channels() {
            let group = |filter: usize| filter / (shape.filters / shape.groups) * shape.channels;
            weights.select(&filters, |filter| {
                let own = group(filter)..group(filter) + shape.channels;
                channels.iter().filter(|c| own.contains(c)).map(|c| c - own.start).collect()
            });
            spec.groups = if spec.groups == 1 { 1 } else { filters.len() / (shape.filters / shape.groups) };
            spec.filters = filters.len() * layer.filters_per_channel();
            spec.in_channels = channels.len() * layer.planes();
        }
        let invalid =
            |e: network::GeometryError| CompressError::Layer { layer: layer.name.clone(), problem: e.to_string() };
        let geometry = Geometry::new(spec).map_err(invalid)?;
        let extents = geometry.weight_extents();
        Ok(MacLayer {
            geometry,
            weights: if weights.changed {
                weights.source(&unique_name(network, self.flow, index), extents)
            } else {
                layer.weights.clone()
            },
            bias: layer.bias.as_ref().map(|bias| self.bias(bias, index, &filters)),
            // Changed weights are real numbers, and no sum of them is an integer.
            requantization: layer.requantization.clone().filter(|_| !weights.changed),
            ..layer.clone()
        })
    }

    fn bias(&self, bias: &Bias, layer: usize, filters: &[usize]) -> Bias {
        let dead = &self.dead.filters[layer];
        if filters.len() == dead.len() && dead.iter().all(Option::is_none) {
            return bias.clone();
        }
        let values = bias.to_float();
        Bias::Float(filters.iter().map(|&filter| if dead[filter].is_some() { 0.0 } else { values[filter] }).collect())
    }

    fn layout(&self, id: ValueId) -> Option<&Layout> {
        // Constants that were copied have no channels of their own.
        self.flow.layouts.get(id.0)?.as_ref()
    }
}

/// The name of a layer's weights; with a layer's own beside it where others have the same tensor in another arrangement.
fn unique_name(network: &Network, flow: &Flow, index: usize) -> String {
    let layers = network.layers();
    let first = flow.first_uses[index];
    let name = &layers[first].weights.name;
    let others = layers.iter().zip(&flow.first_uses).filter(|(_, use_of)| **use_of != first);
    let shared = others.into_iter().any(|(other, _)| other.weights.name == *name);
    if shared { format!("{name}.{}", layers[first].name) } else { name.clone() }
}

fn shape(edited: &NetworkBuilder, id: ValueId) -> &[usize] {
    edited.value(id).shape.as_deref().expect("a value with a layout has a shape, and constants have one")
}

/// The inputs of an elementwise node that are constants.
fn constant_inputs(edited: &NetworkBuilder, node: NodeId, rank: usize) -> Vec<(usize, Aligned)> {
    let inputs = edited.node(node).inputs.iter().enumerate();
    let constant = |(i, id): (usize, &Option<ValueId>)| {
        let tensor = edited.value((*id)?).constant.as_ref()?;
        Some((i, Aligned::new(&tensor.shape, rank)?))
    };
    inputs.filter_map(constant).collect()
}

/// Axes of constants beside the channels of an elementwise node: the input, its own axis, the place of that axis in the
/// layout of the output.
fn constant_axes(edited: &NetworkBuilder, node: NodeId, layout: &Layout, rank: usize) -> Vec<(usize, usize, usize)> {
    let mut axes = Vec::new();
    for (input, aligned) in constant_inputs(edited, node, rank) {
        let id = edited.node(node).inputs[input].expect("constant inputs are there");
        let own_rank = shape(edited, id).len();
        for (position, &axis) in layout.axes.iter().enumerate() {
            axes.extend(aligned.own_axis(axis, own_rank).map(|own| (input, own, position)));
        }
    }
    axes
}

/// Changes the constant at an input of a node.
fn change(
    edited: &mut NetworkBuilder,
    constants: &mut Constants,
    node: NodeId,
    input: usize,
    edit: impl FnOnce(&network::Value, &Tensor) -> Result<Tensor, CompressError>,
) -> Result<(), CompressError> {
    let id = edited.node(node).inputs[input].expect("channels are tracked only where it is there");
    let value = edited.value(id);
    let tensor = value.constant.as_ref().expect("channels are tracked only where it is constant");
    let tensor = edit(value, tensor)?;
    constants.replace(edited, node, input, tensor);
    Ok(())
}
