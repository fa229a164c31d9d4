//! The input of a network: what examples have to fit.

use super::placement::canonical;
use network::{DataType, Graph, Network, Node, Op, Operand, ValueId};
use serde::{Deserialize, Serialize};

/// Where the channels lie in the input of a network. The names are those of pictures; inputs of other ranks have them, too:
/// `[N, C, L]` is channels first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[N, C, H, W]`
    #[serde(alias = "channels-first")]
    Nchw,
    /// `[N, H, W, C]`
    #[serde(alias = "channels-last")]
    Nhwc,
}

/// The input of a network, as far as it says what examples have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInput {
    /// Shape, batch first.
    pub shape: Vec<usize>,
    /// Type of its numbers, where the file tells.
    pub data_type: Option<DataType>,
    /// Where the channels lie, as far as it is known.
    pub layout: Option<Layout>,
    /// Whether a person said the layout. An array of the input's own shape is then taken to lie as the input does.
    pub is_said: bool,
}

impl From<&[usize]> for NetworkInput {
    /// An input of real numbers, of which the shape alone is known.
    fn from(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), data_type: None, layout: None, is_said: false }
    }
}

impl NetworkInput {
    /// The one input of a network; none where there are several, or its shape is not known. `said` is the layout that a person
    /// says; without it, the graph tells: a convolution reads its channels from the second axis, and a Transpose before it moves
    /// them there.
    pub fn of(network: &Network, said: Option<Layout>) -> Option<Self> {
        let graph = network.graph();
        let &[input] = graph.inputs() else { return None };
        let value = graph.value(input);
        let mut shape = value.shape.clone()?;
        // Where sequences run side by side, an example is one of them.
        if let Some(before) = shape.get_mut(..=network.batch_axis()) {
            before.rotate_right(1);
        }
        let layout = said.or_else(|| layout_in(network, input, shape.len()));
        Some(Self { shape, data_type: value.data_type, layout, is_said: said.is_some() })
    }

    /// Shape of one example.
    pub fn example(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or_default()
    }

    /// Whether the network takes integers.
    pub fn takes_integers(&self) -> bool {
        self.data_type.is_some_and(|data_type| !data_type.is_real())
    }

    /// Where the channels lie: as is known, else where a picture has 1 or 3.
    pub fn channels_lie(&self) -> Option<Layout> {
        let is_colour = |channels: usize| channels == 1 || channels == 3;
        match (self.layout, self.example()) {
            (Some(layout), _) => Some(layout),
            (None, &[first, _, _]) if is_colour(first) => Some(Layout::Nchw),
            (None, &[_, _, last]) if is_colour(last) => Some(Layout::Nhwc),
            (None, _) => None,
        }
    }

    /// How many channels a picture of the input has, where it is one whose channels are known.
    pub fn channels(&self) -> Option<usize> {
        let layout = self.channels_lie().filter(|_| self.example().len() == 3)?;
        Some(canonical(self.example(), layout)[0])
    }
}

/// Where the graph reads the channels of its input.
fn layout_in(network: &Network, input: ValueId, rank: usize) -> Option<Layout> {
    /// Nodes that are looked at.
    const NODES: usize = 64;
    if rank < 3 {
        return None;
    }
    let graph = network.graph();
    // By axis of a value, the axis of the input that it is; none for an axis of extent 1 that was put in.
    let mut reached: Vec<(ValueId, Vec<Option<usize>>)> = vec![(input, (0..rank).map(Some).collect())];
    let mut moved = None;
    let mut next = 0;
    while let Some((value, axes)) = reached.get(next).cloned().filter(|_| next < NODES) {
        next += 1;
        for &reader in graph.readers(value) {
            let node = graph.node(reader);
            if reads_channels(network, &node.op) {
                return layout_of_axis(*axes.get(1)?, rank);
            }
            if let Op::Transpose { perm } = &node.op
                && axes.iter().copied().eq((0..rank).map(Some))
                && perm.len() == rank
                && perm[1] == rank - 1
            {
                moved = moved.or(Some(Layout::Nhwc));
            }
            if let Some((output, axes)) = passed_on(graph, node, value, &axes)
                && reached.iter().all(|(known, _)| *known != output)
            {
                reached.push((output, axes));
            }
        }
    }
    moved
}

fn layout_of_axis(axis: Option<usize>, rank: usize) -> Option<Layout> {
    match axis? {
        1 => Some(Layout::Nchw),
        axis if axis == rank - 1 => Some(Layout::Nhwc),
        _ => None,
    }
}

/// Whether an operator takes the second axis of its input for channels.
fn reads_channels(network: &Network, op: &Op) -> bool {
    if let Op::Mac(layer) = op {
        return matches!(network.layers()[layer.0].operand, Operand::ChannelsFirst | Operand::Planes(_));
    }
    matches!(
        op,
        Op::BatchNormalization { .. }
            | Op::InstanceNormalization { .. }
            | Op::Lrn { .. }
            | Op::MaxPool(_)
            | Op::AveragePool(_)
            | Op::GlobalAveragePool
            | Op::GlobalMaxPool
    )
}

/// The output of a node that keeps the axes of what it reads, or moves them in a way that can be followed.
fn passed_on(
    graph: &Graph,
    node: &Node,
    value: ValueId,
    axes: &[Option<usize>],
) -> Option<(ValueId, Vec<Option<usize>>)> {
    let &output = node.outputs.first()?;
    let shape = graph.value(output).shape.as_deref()?;
    if let Op::Transpose { perm } = &node.op {
        let axes: Option<Vec<_>> = perm.iter().map(|&axis| axes.get(axis).copied()).collect();
        return Some((output, axes?));
    }
    if node.op == Op::Reshape {
        return Some((output, reshaped(graph.value(value).shape.as_deref()?, shape, axes)?));
    }
    let keeps = matches!(
        node.op,
        Op::Unary(_)
            | Op::Binary(_)
            | Op::Pad { .. }
            | Op::QuantizeLinear { .. }
            | Op::DequantizeLinear { .. }
            | Op::DynamicQuantizeLinear
            | Op::Quant(_)
            | Op::Cast
            | Op::Identity
    );
    (keeps && shape.len() == axes.len()).then(|| (output, axes.to_vec()))
}

/// The axes of a value of shape `to` that has the elements of one of shape `from`, where only axes of extent 1 come or go.
fn reshaped(from: &[usize], to: &[usize], axes: &[Option<usize>]) -> Option<Vec<Option<usize>>> {
    let wide = |shape: &[usize]| -> Vec<usize> { (1..shape.len()).filter(|&axis| shape[axis] != 1).collect() };
    let (before, after) = (wide(from), wide(to));
    let same = before.iter().map(|&axis| from[axis]).eq(after.iter().map(|&axis| to[axis]));
    if !same || from.first() != to.first() {
        return None;
    }
    let mut found = vec![None; to.len()];
    found[0] = axes[0];
    for (from, to) in before.into_iter().zip(after) {
        found[to] = axes[from];
    }
    Some(found)
}
