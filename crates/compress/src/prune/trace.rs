//! Follows channels through the graph, operator by operator.

use network::{BinaryKind, Graph, LayerId, MacLayer, Network, Node, Op, Operand, PadMode, ValueId};

use super::constants::numbers;
use super::flow::{Flow, LayerFlow, Source, ZeroRule};
use super::layout::{Channel, Layout};
use crate::ties::{first_uses, tensors};

/// Follows the channels of a network from its input through all operators.
pub(super) fn trace(network: &Network) -> Flow {
    let graph = network.graph();
    let mut flow = Flow::default();
    flow.layouts.resize(graph.values().len(), None);
    flow.layers.resize_with(network.layers().len(), LayerFlow::default);
    let mut tracer = Tracer { graph, layers: network.layers(), flow };
    graph.inputs().iter().for_each(|&id| tracer.input(id));
    graph.nodes().iter().for_each(|node| tracer.node(node));
    let outputs: Vec<Layout> = graph.outputs().iter().filter_map(|id| tracer.flow.layouts[id.0].clone()).collect();
    for cell in outputs.iter().flat_map(|layout| &layout.cells) {
        tracer.flow.pinned[*cell] = true;
    }
    tracer.flow.tensors = tensors(network);
    tracer.flow.first_uses = first_uses(network);
    for (layer, first) in tracer.flow.first_uses.clone().into_iter().enumerate().filter(|(layer, first)| layer != first)
    {
        tracer.flow.tie(layer, first);
    }
    tracer.flow
}

/// A trace under way.
pub(super) struct Tracer<'a> {
    pub graph: &'a Graph,
    layers: &'a [MacLayer],
    pub flow: Flow,
}

impl Tracer<'_> {
    fn input(&mut self, id: ValueId) {
        let channels = self.shape(id).and_then(|shape| shape.get(1).copied());
        let Some(channels) = channels else { return };
        let cells = (0..channels).map(|_| self.flow.add(Source::Live)).collect();
        self.flow.layouts[id.0] = Some(Layout::along(1, cells));
    }

    /// Sets the layouts of a node's outputs. Where an output cannot be tracked, what the node reads is pinned.
    fn node(&mut self, node: &Node) {
        let layouts = if let Op::Mac(id) = &node.op { self.mac(*id, node) } else { self.operator(node) };
        match layouts {
            Some(layouts) => {
                for (id, layout) in node.outputs.iter().zip(layouts) {
                    self.flow.layouts[id.0] = Some(layout);
                }
            }
            None => self.lose(node),
        }
    }

    fn lose(&mut self, node: &Node) {
        let layouts = node.inputs.iter().flatten().filter_map(|&id| self.layout(id));
        let read: Vec<Channel> = layouts.flat_map(|layout| layout.cells.iter().copied()).collect();
        if !read.is_empty() {
            self.flow.pin(&read, format!("{} {}", node.op_type, node.name));
        }
    }

    /// The layouts of the outputs of a node that is no MAC layer; none where channels cannot be tracked.
    fn operator(&mut self, node: &Node) -> Option<Vec<Layout>> {
        let x = node.inputs.first().copied().flatten()?;
        if self.graph.value(x).data_type.is_some_and(|found| !found.is_real()) && !handles_integers(&node.op) {
            return None;
        }
        // What is left goes on to `unary`, which names every operator.
        #[allow(clippy::wildcard_enum_match_arm)]
        let layout = match &node.op {
            Op::Binary(function) if function.kind() == BinaryKind::Arithmetic => self.elementwise(node, *function)?,
            Op::Concat { axis } => self.concat(node, *axis)?,
            Op::Split { axis } => return self.split(node, *axis),
            Op::BatchNormalization { .. } => self.batch_norm(node, self.layout(x)?.clone())?,
            Op::InstanceNormalization { .. } => self.instance_norm(node, self.layout(x)?.clone())?,
            Op::Gather { axis } => self.gather(node, *axis)?,
            _ => self.unary(node, x, self.layout(x)?.clone())?,
        };
        Some(vec![layout])
    }

    fn unary(&mut self, node: &Node, x: ValueId, layout: Layout) -> Option<Layout> {
        let across = |axes: &[usize]| axes.iter().any(|&axis| layout.position(axis).is_some());
        let from = |axis: usize| layout.axes.iter().any(|&own| own >= axis);
        match &node.op {
            Op::Unary(function) if !function.keeps_zero() => Some(self.never_zero(layout)),
            Op::Unary(_) | Op::Cast | Op::Identity => Some(layout),
            Op::Softmax { axis } | Op::LogSoftmax { axis } if !across(&[*axis]) => Some(self.never_zero(layout)),
            Op::SoftmaxFrom { axis, .. } if !from(*axis) => Some(self.never_zero(layout)),
            Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::GlobalMaxPool | Op::Resize { .. }
                if !from(2) =>
            {
                Some(layout)
            }
            Op::Reduce { axes, keep_dims, .. } if !across(axes) => Some(reduced(layout, axes, *keep_dims)),
            Op::Reshape => layout.reshaped(self.shape(x)?, self.shape(node.outputs[0])?),
            Op::Transpose { perm } => Some(layout.transposed(perm)),
            Op::Expand | Op::Tile => self.expand(node, x, layout),
            Op::Pad { pads, mode, value } => self.pad(layout, pads, *mode, *value),
            Op::Slice { starts, axes, steps, .. } => self.slice(node, layout, starts, axes, steps),
            Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. } => Some(layout),
            // Their axes are those of the channels.
            Op::Softmax { .. } | Op::LogSoftmax { .. } | Op::SoftmaxFrom { .. } | Op::Reduce { .. } => None,
            Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::GlobalMaxPool | Op::Resize { .. } => None,
            // `operator` has taken those that can be followed.
            Op::Mac(_) | Op::Binary(_) | Op::Concat { .. } | Op::Split { .. } | Op::Gather { .. } => None,
            Op::GatherElements { .. } | Op::MultiThreshold { .. } => None,
            Op::BatchNormalization { .. } | Op::InstanceNormalization { .. } => None,
            // Nobody follows channels through these.
            Op::Where | Op::MatMul | Op::LayerNormalization { .. } | Op::Lrn { .. } => None,
            Op::DepthToSpace { .. } | Op::SpaceToDepth { .. } => None,
            Op::DynamicQuantizeLinear | Op::Integer(_) | Op::Quant(_) | Op::Recurrent(_) | Op::Unsupported => None,
        }
    }

    fn never_zero(&mut self, mut layout: Layout) -> Layout {
        for cell in &mut layout.cells {
            *cell = self.flow.add(Source::Map { of: *cell, rule: ZeroRule::Never, clears: false });
        }
        layout
    }

    fn expand(&mut self, node: &Node, x: ValueId, layout: Layout) -> Option<Layout> {
        let (from, to) = (self.shape(x)?, self.shape(node.outputs[0])?);
        let layout = layout.shifted(to.len().checked_sub(from.len())?);
        layout.axes.iter().zip(&layout.extents).all(|(&axis, &extent)| to[axis] == extent).then_some(layout)
    }

    fn slice(
        &mut self,
        node: &Node,
        mut layout: Layout,
        starts: &[i64],
        axes: &[usize],
        steps: &[i64],
    ) -> Option<Layout> {
        let to = self.shape(node.outputs[0])?.to_vec();
        for ((&start, &axis), &step) in starts.iter().zip(axes).zip(steps) {
            if layout.position(axis).is_none() {
                continue;
            }
            if step != 1 {
                // Channels that a slice takes with gaps cannot close up.
                self.flow.fix(&layout.cells);
            }
            let index = |k: usize| usize::try_from(start + k as i64 * step).ok();
            let indices: Vec<usize> = (0..to[axis]).map(index).collect::<Option<_>>()?;
            layout = layout.selected(axis, &indices);
        }
        Some(layout)
    }

    fn split(&mut self, node: &Node, axis: usize) -> Option<Vec<Layout>> {
        let layout = self.layout(node.inputs[0]?)?.clone();
        let mut start = 0;
        let mut parts = Vec::new();
        for &output in &node.outputs {
            let extent = *self.shape(output)?.get(axis)?;
            parts.push(layout.selected(axis, &(start..start + extent).collect::<Vec<_>>()));
            start += extent;
        }
        Some(parts)
    }

    fn pad(&mut self, layout: Layout, pads: &[i64], mode: PadMode, value: f32) -> Option<Layout> {
        let rank = pads.len() / 2;
        let padded: Vec<usize> = (0..rank).filter(|&axis| pads[axis] != 0 || pads[axis + rank] != 0).collect();
        let on_channels = padded.iter().any(|&axis| layout.position(axis).is_some());
        let fills_zero = mode == PadMode::Constant && value == 0.0;
        if !on_channels {
            let keeps = fills_zero || mode != PadMode::Constant || padded.is_empty();
            return Some(if keeps { layout } else { self.never_zero(layout) });
        }
        // Channels of a value other than 0 would need other rules; nobody pads so.
        let (&[axis], true) = (layout.axes.as_slice(), fills_zero) else { return None };
        let cropped = |pad: i64| usize::try_from(-pad).unwrap_or(0);
        let kept = cropped(pads[axis])..layout.cells.len().checked_sub(cropped(pads[axis + rank]))?;
        let mut fill = |pad: i64| (0..pad.max(0)).map(|_| self.flow.add(Source::Zero)).collect::<Vec<_>>();
        let (before, after) = (fill(pads[axis]), fill(pads[axis + rank]));
        Some(Layout::along(axis, [&before, layout.cells.get(kept)?, &after].concat()))
    }

    fn gather(&mut self, node: &Node, axis: usize) -> Option<Layout> {
        let layout = self.layout(node.inputs[0]?)?.clone();
        let indices = self.graph.value(node.inputs.get(1).copied().flatten()?).constant.as_ref()?;
        let rank = indices.shape.len();
        if layout.position(axis).is_none() {
            let moved = |a: &usize| if *a > axis { a + rank - 1 } else { *a };
            return Some(Layout { axes: layout.axes.iter().map(moved).collect(), ..layout });
        }
        let extent = layout.extents[layout.position(axis)?];
        let resolve = |i: &f64| if *i < 0.0 { extent.checked_sub(-i as usize) } else { Some(*i as usize) };
        let entries: Vec<usize> = numbers(indices)?.iter().map(resolve).collect::<Option<_>>()?;
        if rank != 1 || entries.iter().any(|&i| i >= extent) {
            return None;
        }
        // Indices that skip or repeat channels are left as they are.
        self.flow.fix(&layout.cells);
        Some(layout.selected(axis, &entries))
    }

    fn concat(&mut self, node: &Node, axis: usize) -> Option<Layout> {
        let inputs: Vec<ValueId> = node.inputs.iter().copied().collect::<Option<_>>()?;
        let mut axes: Vec<usize> =
            inputs.iter().filter_map(|&id| self.layout(id)).flat_map(|layout| layout.axes.clone()).collect();
        axes.sort_unstable();
        axes.dedup();
        let joins_channels = axes.contains(&axis);
        let mut parts = Vec::new();
        for &id in &inputs {
            let extents: Vec<usize> = axes.iter().map(|&a| self.shape(id).map(|s| s[a])).collect::<Option<_>>()?;
            let cells = match self.layout(id) {
                Some(layout) => layout.on(&axes, &extents),
                // What is not tracked stays; it is no channel of anything that is.
                None if axes == [axis] => (0..extents[0]).map(|_| self.flow.add(Source::Live)).collect(),
                None => return None,
            };
            parts.push(Layout { axes: axes.clone(), extents, cells });
        }
        if joins_channels {
            return Some(Layout::joined(&parts, axis));
        }
        let mut layout = parts.first()?.clone();
        for (i, cell) in layout.cells.iter_mut().enumerate() {
            *cell = self.flow.add(Source::Sum(parts.iter().map(|part| part.cells[i]).collect()));
        }
        Some(layout)
    }

    fn mac(&mut self, id: LayerId, node: &Node) -> Option<Vec<Layout>> {
        let (layer, x) = (&self.layers[id.0], node.inputs.first().copied().flatten());
        let spec = *layer.geometry.spec();
        let inputs = x.and_then(|x| self.mac_inputs(layer, x));
        if inputs.is_none() {
            self.lose(node);
        }
        let filters: Vec<Channel> =
            (0..layer.out_channels()).map(|filter| self.flow.add(Source::Filter { layer: id.0, filter })).collect();
        let inputs = inputs.unwrap_or_default();
        if spec.groups > 1 {
            self.unite_groups(&filters, &inputs, spec.groups);
        }
        let layout = self.mac_output(layer, node.outputs[0], &filters);
        if layout.is_none() {
            self.flow.pin(&filters, format!("{} {}", node.op_type, node.name));
        }
        self.flow.layers[id.0] = LayerFlow { inputs, filters };
        layout.map(|layout| vec![layout])
    }

    /// Groups go whole: their filters and their input channels are one class.
    fn unite_groups(&mut self, filters: &[Channel], inputs: &[Channel], groups: usize) {
        if inputs.is_empty() {
            self.flow.fix(filters);
        }
        for (g, group) in filters.chunks(filters.len() / groups).enumerate() {
            let channels = inputs.len() / groups;
            let members = group.iter().chain(&inputs[g * channels..(g + 1) * channels]);
            members.for_each(|&member| self.flow.unite(group[0], member));
        }
    }

    fn mac_inputs(&self, layer: &MacLayer, x: ValueId) -> Option<Vec<Channel>> {
        let rank = self.shape(x)?.len();
        let axis = match layer.operand {
            Operand::ChannelsFirst | Operand::Planes(_) => 1,
            Operand::ChannelsLast | Operand::StepsFirst => rank.checked_sub(1)?,
            // Each matrix has channels of its own in the same place.
            Operand::Stack(_) => return None,
            Operand::WeightsLeft => rank.saturating_sub(2),
            Operand::Transposed => 0,
        };
        let cells = self.layout(x)?.only_along(axis)?;
        (cells.len() == layer.in_channels()).then(|| cells.to_vec())
    }

    fn mac_output(&self, layer: &MacLayer, y: ValueId, filters: &[Channel]) -> Option<Layout> {
        let shape = self.shape(y)?;
        let axis = match layer.operand {
            Operand::ChannelsFirst | Operand::Planes(_) => 1,
            Operand::Stack(_) => return None,
            Operand::ChannelsLast | Operand::StepsFirst | Operand::Transposed => shape.len().checked_sub(1)?,
            // `weights · vector` has no axis of positions.
            Operand::WeightsLeft if self.shape(layer.input)?.len() == 1 => 0,
            Operand::WeightsLeft => shape.len().checked_sub(2)?,
        };
        (shape.get(axis) == Some(&filters.len())).then(|| Layout::along(axis, filters.to_vec()))
    }

    pub fn layout(&self, id: ValueId) -> Option<&Layout> {
        self.flow.layouts[id.0].as_ref()
    }

    pub fn shape(&self, id: ValueId) -> Option<&[usize]> {
        self.graph.value(id).shape.as_deref()
    }
}

/// Operators for which the code of 0 means zero, whatever number it is.
fn handles_integers(op: &Op) -> bool {
    matches!(
        op,
        Op::DequantizeLinear { .. }
            | Op::Identity
            | Op::MaxPool(_)
            | Op::GlobalMaxPool
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Expand
            | Op::Concat { .. }
            | Op::Split { .. }
            | Op::Slice { .. }
            | Op::Gather { .. }
    )
}

fn reduced(layout: Layout, axes: &[usize], keep_dims: bool) -> Layout {
    if keep_dims {
        return layout;
    }
    let moved = |axis: &usize| axis - axes.iter().filter(|&a| a < axis).count();
    Layout { axes: layout.axes.iter().map(moved).collect(), ..layout }
}
