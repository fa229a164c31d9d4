//! Where the batch is, so that it can be left open.
//!
//! A graph is read with an open batch as 1, and its numbers do not say which 1 is the batch. Here the axis is followed from
//! the inputs through every node, as it would be for a batch of another size. A node that would not work for one (it joins
//! the batch with a constant of extent 1, say) ends that, and the batch is then written as the 1 it was read as.

use network::{Graph, MacLayer, Network, Node, Op, Operand, Recurrent, RecurrentInput, RecurrentPart, ValueId};

/// The axis that the batch is on, by value; `None` where the value does not depend on the batch or it is fixed. The error
/// is the name of the node behind which the batch can no longer be followed.
pub(super) fn axes(network: &Network) -> Result<Vec<Option<usize>>, String> {
    let graph = network.graph();
    let mut axes = vec![None; graph.values().len()];
    if !network.has_open_batch() {
        return Ok(axes);
    }
    for id in graph.inputs() {
        let has_axes = graph.value(*id).shape.as_ref().is_some_and(|shape| !shape.is_empty());
        axes[id.0] = has_axes.then_some(network.batch_axis());
    }
    for node in graph.nodes() {
        let inputs: Vec<Option<usize>> = node.inputs.iter().map(|id| id.and_then(|id| axes[id.0])).collect();
        if inputs.iter().all(Option::is_none) {
            continue;
        }
        let step = Step { graph, layers: network.layers(), node, inputs };
        let lost = || node.name.clone();
        if let Op::Recurrent(recurrent) = &node.op {
            let of_outputs = step.recurrent(recurrent).ok_or_else(lost)?;
            node.outputs.iter().zip(of_outputs).for_each(|(id, axis)| axes[id.0] = Some(axis));
            continue;
        }
        let axis = step.axis(&node.op).ok_or_else(lost)?;
        node.outputs.iter().for_each(|id| axes[id.0] = Some(axis));
    }
    Ok(axes)
}

/// One node, some input of which depends on the batch.
struct Step<'a> {
    graph: &'a Graph,
    layers: &'a [MacLayer],
    node: &'a Node,
    /// The axis of the batch, by input.
    inputs: Vec<Option<usize>>,
}

impl Step<'_> {
    /// The axis of the batch in the outputs of a node that does `op`; `None` where it is lost.
    fn axis(&self, op: &Op) -> Option<usize> {
        // What is left goes on to `single`, which names every operator.
        #[allow(clippy::wildcard_enum_match_arm)]
        match op {
            Op::Mac(id) => self.mac(&self.layers[id.0]),
            Op::Binary(_) | Op::Where => self.broadcast(),
            // Operators on integers touch the same axes as those on real numbers.
            Op::Integer(op) => op.function.on_reals().map_or_else(|| self.alone(), |real| self.axis(&real)),
            Op::MatMul => self.broadcast().filter(|axis| axis + 2 < self.rank_out()),
            Op::Concat { axis } => self.concat(*axis),
            Op::GatherElements { axis } => self.concat(*axis),
            Op::Gather { axis } => self.gather(*axis),
            op => self.alone().and_then(|x| self.single(op, x)),
        }
    }

    /// The axis of the batch in the first input, of a node whose other inputs are parameters.
    fn alone(&self) -> Option<usize> {
        self.inputs[0].filter(|_| self.inputs[1..].iter().all(Option::is_none))
    }

    fn concat(&self, axis: usize) -> Option<usize> {
        let first = self.inputs[0].filter(|&first| first != axis)?;
        self.inputs.iter().all(|other| *other == Some(first)).then_some(first)
    }

    /// Operators of one input, on whose axis `x` the batch is.
    fn single(&self, op: &Op, x: usize) -> Option<usize> {
        let unless = |touched: bool| (!touched).then_some(x);
        match op {
            Op::BatchNormalization { .. } | Op::MaxPool(_) | Op::AveragePool(_) => unless(x != 0),
            Op::GlobalAveragePool | Op::GlobalMaxPool | Op::DepthToSpace { .. } => unless(x != 0),
            Op::InstanceNormalization { .. } | Op::SpaceToDepth { .. } => unless(x != 0),
            Op::Lrn { .. } => unless(x != 0),
            Op::LayerNormalization { axis, .. } | Op::SoftmaxFrom { axis, .. } => unless(*axis <= x),
            Op::Softmax { axis } | Op::LogSoftmax { axis } | Op::Split { axis } => unless(*axis == x),
            Op::QuantizeLinear { axis } | Op::DequantizeLinear { axis } => unless(*axis == x && self.is_by_channel()),
            Op::Reduce { axes, keep_dims, .. } => reduced(axes, *keep_dims, x),
            Op::Pad { pads, .. } => unless(pads[x] != 0 || pads[x + pads.len() / 2] != 0),
            Op::Slice { starts, ends, axes, steps } => {
                let whole = |i: usize| starts[i] == 0 && steps[i] == 1 && ends[i] >= self.extent(0, x) as i64;
                unless(axes.iter().position(|&axis| axis == x).is_some_and(|i| !whole(i)))
            }
            Op::Transpose { perm } => perm.iter().position(|&axis| axis == x),
            Op::Reshape => self.reshape(x),
            Op::Expand => {
                let out = x + self.rank_out() - self.rank(0);
                (self.extent(0, x) == self.out_shape()[out]).then_some(out)
            }
            Op::Resize { .. } | Op::Tile => unless(self.extent(0, x) != self.out_shape()[x]),
            Op::Unary(_) | Op::Cast | Op::Identity | Op::Quant(_) => Some(x),
            // Its scale is that of all images.
            Op::MultiThreshold { axis, .. } => unless(*axis == x),
            // `axes` has taken it, for its outputs have the batch on different axes.
            Op::Recurrent(_) | Op::DynamicQuantizeLinear | Op::Unsupported => None,
            Op::Mac(_) | Op::Binary(_) | Op::Where | Op::Integer(_) | Op::MatMul => None,
            Op::Concat { .. } | Op::Gather { .. } | Op::GatherElements { .. } => None,
        }
    }

    /// The axis of the batch in each output of a recurrent operator, which is that of its sequences. States before the first
    /// step have to be there for each of them.
    fn recurrent(&self, recurrent: &Recurrent) -> Option<Vec<usize>> {
        let sequences = usize::from(recurrent.steps_first);
        let parameters = self.inputs.len() - recurrent.inputs.len();
        let products = self.inputs[..parameters].iter().all(|axis| *axis == Some(sequences));
        let of_state = |input: &RecurrentInput| matches!(input, RecurrentInput::Hidden | RecurrentInput::Cell);
        let states = recurrent.inputs.iter().zip(&self.inputs[parameters..]).filter(|(input, _)| of_state(input));
        let fits =
            products && recurrent.lengths.is_none() && states.into_iter().all(|(_, axis)| *axis == Some(sequences));
        let of_outputs = match recurrent.part {
            RecurrentPart::States => vec![sequences; recurrent.states()],
            // The axis of directions stands before the sequences of `Y`, where there is one.
            RecurrentPart::Outputs => {
                let has_directions = self.out_shape().len() == 4 && recurrent.steps_first;
                vec![sequences + usize::from(has_directions), sequences, sequences]
            }
        };
        fits.then_some(of_outputs)
    }

    fn mac(&self, layer: &MacLayer) -> Option<usize> {
        let (x, rank, out) = (self.inputs[0]?, self.rank(0), self.rank_out());
        match layer.operand {
            Operand::ChannelsFirst | Operand::Planes(_) => (x == 0).then_some(0),
            // Weights with leading axes of 1 put axes in front.
            Operand::ChannelsLast | Operand::StepsFirst | Operand::Stack(_) => {
                (x + 1 < rank).then(|| x + out.saturating_sub(rank))
            }
            Operand::Transposed => (x == 1).then_some(0),
            // The axis before the last is summed over.
            Operand::WeightsLeft if rank < 2 || x + 2 == rank => None,
            Operand::WeightsLeft if x + 1 == rank => Some(out - 1),
            Operand::WeightsLeft => Some(x + out.saturating_sub(rank)),
        }
    }

    /// The batch must be on the same axis of all inputs that depend on it, counted from the last.
    fn broadcast(&self) -> Option<usize> {
        let out = self.rank_out();
        let aligned = |(i, axis): (usize, &Option<usize>)| axis.map(|axis| (axis + out).checked_sub(self.rank(i)));
        let mut found = self.inputs.iter().enumerate().filter_map(aligned);
        let first = found.next()??;
        found.all(|other| other == Some(first)).then_some(first)
    }

    fn gather(&self, axis: usize) -> Option<usize> {
        let x = self.inputs[0].filter(|&x| x != axis && self.inputs[1].is_none())?;
        Some(if x < axis { x } else { x + self.rank(1) - 1 })
    }

    /// The first axis with as many elements before it as the batch has now. Extents of 1 leave a choice; exporters put the
    /// batch first.
    fn reshape(&self, x: usize) -> Option<usize> {
        let before: usize = self.shape(0)[..x].iter().product();
        let out = self.out_shape();
        let fits = |&axis: &usize| out[..axis].iter().product::<usize>() == before;
        (0..out.len()).find(fits).filter(|_| !out.contains(&0))
    }

    fn is_by_channel(&self) -> bool {
        self.shape(1).iter().product::<usize>() > 1
    }

    fn shape(&self, input: usize) -> &[usize] {
        self.node.inputs.get(input).copied().flatten().map_or(&[], |id| self.shape_of(id))
    }

    fn shape_of(&self, id: ValueId) -> &[usize] {
        self.graph.value(id).shape.as_deref().unwrap_or_default()
    }

    fn rank(&self, input: usize) -> usize {
        self.shape(input).len()
    }

    fn extent(&self, input: usize, axis: usize) -> usize {
        self.shape(input)[axis]
    }

    fn out_shape(&self) -> &[usize] {
        self.node.outputs.first().map_or(&[], |&id| self.shape_of(id))
    }

    fn rank_out(&self) -> usize {
        self.out_shape().len()
    }
}

/// Where axis `x` is behind a reduction over `axes`; `None` where it is one of them.
fn reduced(axes: &[usize], keep_dims: bool, x: usize) -> Option<usize> {
    let gone = if keep_dims { 0 } else { axes.iter().filter(|&&axis| axis < x).count() };
    (!axes.contains(&x)).then(|| x - gone)
}
