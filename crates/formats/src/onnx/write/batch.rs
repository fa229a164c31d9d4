//! Where the batch is, so that it can be left open.
//!
//! A graph is read with an open batch as 1, and its numbers do not say which 1 is the batch. Here the axis is followed from
//! the inputs through every node, as it would be for a batch of another size. A node that would not work for one (it joins
//! the batch with a constant of extent 1, say) ends that, and the batch is then written as the 1 it was read as.

use network::{Graph, MacLayer, Network, Node, Op, Operand, QLinear, QLinearFunction, TfliteOp, ValueId};

/// The axis that the batch is on, by value; `None` where the value does not depend on the batch or it is fixed. The error
/// is the name of the node behind which the batch can no longer be followed.
pub(super) fn axes(network: &Network) -> Result<Vec<Option<usize>>, String> {
    let graph = network.graph();
    let mut axes = vec![None; graph.values.len()];
    if !network.has_open_batch() {
        return Ok(axes);
    }
    for id in &graph.inputs {
        let has_axes = graph.value(*id).shape.as_ref().is_some_and(|shape| !shape.is_empty());
        axes[id.0] = has_axes.then_some(0);
    }
    for node in &graph.nodes {
        let inputs: Vec<Option<usize>> = node.inputs.iter().map(|id| id.and_then(|id| axes[id.0])).collect();
        if inputs.iter().all(Option::is_none) {
            continue;
        }
        let step = Step { graph, layers: network.layers(), node, inputs };
        let axis = step.axis().ok_or_else(|| node.name.clone())?;
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
    /// The axis of the batch in the outputs; `None` where it is lost.
    fn axis(&self) -> Option<usize> {
        match &self.node.op {
            Op::Unsupported => None,
            Op::Mac(id) => self.mac(&self.layers[id.0]),
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Min | Op::Max => self.broadcast(),
            Op::PRelu | Op::Where | Op::And | Op::Or | Op::Xor => self.broadcast(),
            Op::Equal | Op::Greater | Op::GreaterOrEqual | Op::Less | Op::LessOrEqual => self.broadcast(),
            Op::QLinear(QLinear { function: QLinearFunction::Add | QLinearFunction::Mul, .. }) => self.broadcast(),
            Op::Tflite(TfliteOp::Add { .. } | TfliteOp::Mul { .. } | TfliteOp::PRelu { .. }) => self.broadcast(),
            Op::MatMul => self.broadcast().filter(|axis| axis + 2 < self.rank_out()),
            Op::Concat { axis } | Op::QLinear(QLinear { function: QLinearFunction::Concat { axis }, .. }) => {
                let first = self.inputs[0].filter(|first| first != axis)?;
                self.inputs.iter().all(|other| *other == Some(first)).then_some(first)
            }
            Op::Gather { axis } => self.gather(*axis),
            op => {
                // Whatever else a node reads are its parameters.
                let alone = self.inputs[1..].iter().all(Option::is_none);
                self.inputs[0].filter(|_| alone).and_then(|x| self.single(op, x))
            }
        }
    }

    /// Operators of one input, on whose axis `x` the batch is.
    fn single(&self, op: &Op, x: usize) -> Option<usize> {
        let unless = |touched: bool| (!touched).then_some(x);
        match op {
            Op::BatchNormalization { .. } | Op::MaxPool(_) | Op::AveragePool(_) => unless(x != 0),
            Op::GlobalAveragePool | Op::GlobalMaxPool | Op::DepthToSpace { .. } => unless(x != 0),
            Op::InstanceNormalization { .. } | Op::SpaceToDepth { .. } => unless(x != 0),
            Op::Lrn { .. } => unless(x != 0),
            Op::QLinear(op) => match op.function {
                QLinearFunction::AveragePool(_) | QLinearFunction::GlobalAveragePool => unless(x != 0),
                QLinearFunction::Softmax { axis } => unless(axis == x),
                _ => Some(x),
            },
            Op::Tflite(op) => match op {
                TfliteOp::AveragePool { .. } => unless(x != 0),
                TfliteOp::Softmax { axis, .. } => unless(*axis == x),
                TfliteOp::Mean { axes, .. } => reduced(axes, self.rank(0) == self.rank_out(), x),
                TfliteOp::ResizeBilinear { .. } => unless(self.extent(0, x) != self.out_shape()[x]),
                _ => Some(x),
            },
            Op::LayerNormalization { axis, .. } | Op::SoftmaxFrom { axis, .. } => unless(*axis <= x),
            Op::Softmax { axis } | Op::LogSoftmax { axis } | Op::Split { axis } => unless(*axis == x),
            Op::QuantizeLinear { axis } | Op::DequantizeLinear { axis } => unless(*axis == x && self.is_by_channel()),
            Op::ReduceMean { axes, keep_dims } | Op::ReduceSum { axes, keep_dims } => reduced(axes, *keep_dims, x),
            Op::ReduceMax { axes, keep_dims } | Op::ReduceMin { axes, keep_dims } => reduced(axes, *keep_dims, x),
            Op::ReduceProd { axes, keep_dims } | Op::ReduceL2 { axes, keep_dims } => reduced(axes, *keep_dims, x),
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
            op => unless(!is_elementwise(op)),
        }
    }

    fn mac(&self, layer: &MacLayer) -> Option<usize> {
        let (x, rank, out) = (self.inputs[0]?, self.rank(0), self.rank_out());
        match layer.operand {
            Operand::ChannelsFirst => (x == 0).then_some(0),
            // Weights with leading axes of 1 put axes in front.
            Operand::ChannelsLast => (x + 1 < rank).then(|| x + out.saturating_sub(rank)),
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

/// Operators of one input that treat each element by itself. One that comes later is not among them until it is put there.
fn is_elementwise(op: &Op) -> bool {
    let bent = matches!(op, Op::Relu | Op::Clip { .. } | Op::LeakyRelu { .. } | Op::Elu { .. } | Op::Selu { .. });
    let bent = bent || matches!(op, Op::Celu { .. } | Op::ThresholdedRelu { .. } | Op::HardSigmoid { .. });
    let smooth = matches!(op, Op::Sigmoid | Op::Tanh | Op::Gelu { .. } | Op::Softplus | Op::Softsign | Op::Mish);
    let function = matches!(op, Op::HardSwish | Op::Erf | Op::Exp | Op::Sqrt | Op::Log | Op::Abs | Op::Neg);
    let rounds = matches!(op, Op::Floor | Op::Ceil | Op::Round | Op::Sign | Op::Reciprocal | Op::Not);
    bent || smooth || function || rounds || matches!(op, Op::Cast | Op::Identity | Op::Quant(_))
}

fn reduced(axes: &[usize], keep_dims: bool, x: usize) -> Option<usize> {
    let gone = if keep_dims { 0 } else { axes.iter().filter(|&&axis| axis < x).count() };
    (!axes.contains(&x)).then(|| x - gone)
}
