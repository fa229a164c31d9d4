//! Which version of the operators a network needs.

use network::{Bias, Coordinates, DataType, MacLayer, Network, Node, Op, PadMode, Unary};

use super::node::exact_scales;

/// 17, or 21 where an operator needs a later one than 17.
pub(super) fn opset(network: &Network, axes: &[Option<usize>]) -> i64 {
    let newer_layer = network.layers().iter().any(|layer| is_newer_layer(network, layer));
    let newer_node = network.graph().nodes().iter().any(|node| is_newer_node(network, node, axes));
    if newer_layer || newer_node { 21 } else { 17 }
}

/// Integers that QuantizeLinear and DequantizeLinear know from opset 21 on.
fn is_newer_type(data_type: Option<DataType>) -> bool {
    matches!(data_type, Some(DataType::I4 | DataType::U4 | DataType::I16 | DataType::U16))
}

fn is_half(data_type: Option<DataType>) -> bool {
    matches!(data_type, Some(DataType::F16 | DataType::Bf16))
}

/// Weights of 4 or 16 bits (opset 21), or a dequantization to half precision (opset 19).
fn is_newer_layer(network: &Network, layer: &MacLayer) -> bool {
    let quantized = layer.weights.quantization.as_ref();
    let dequantizes = quantized.is_some() || matches!(layer.bias, Some(Bias::Integer { .. }));
    let activation = network.graph().value(layer.input).data_type;
    is_newer_type(quantized.map(|q| q.data_type)) || (dequantizes && is_half(activation))
}

fn is_newer_node(network: &Network, node: &Node, axes: &[Option<usize>]) -> bool {
    let graph = network.graph();
    let in_type = |i: usize| node.inputs.get(i).copied().flatten().and_then(|id| graph.value(id).data_type);
    let out_type = node.outputs.first().and_then(|&id| graph.value(id).data_type);
    match &node.op {
        Op::Unary(Unary::Gelu { .. }) | Op::Unary(Unary::Mish) => true,
        Op::AveragePool(pool) => pool.dilation != [1, 1],
        Op::Pad { mode, .. } => *mode == PadMode::Wrap,
        Op::Resize { coordinates, scales, .. } => {
            let (x, y) = (node.inputs[0].map(|id| graph.value(id)), graph.value(node.outputs[0]));
            let is_open = node.inputs[0].is_some_and(|id| axes[id.0].is_some());
            let shapes = x.and_then(|x| x.shape.as_deref()).zip(y.shape.as_deref());
            let inexact = shapes.is_some_and(|(x, y)| exact_scales(x, y).is_none());
            *coordinates == Coordinates::HalfPixelSymmetric || (is_open && inexact && scales.is_none())
        }
        Op::QuantizeLinear { .. } => {
            // Without a zero point only the output says what the integers are.
            let unsaid = in_type(2).is_none() && out_type != Some(DataType::U8);
            unsaid || is_newer_type(out_type) || is_half(in_type(0))
        }
        Op::Quant(quant) => super::lowered::is_wide(*quant),
        Op::DequantizeLinear { .. } => is_newer_type(in_type(0)) || is_half(out_type),
        // It is written as the operator on real numbers between a dequantization and a quantization.
        Op::Integer(op) => {
            let on_reals = op.function.on_reals().map(|op| Node { op, ..node.clone() });
            is_newer_type(in_type(0))
                || is_newer_type(out_type)
                || on_reals.is_some_and(|node| is_newer_node(network, &node, axes))
        }
        Op::Mac(_)
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Reduce { .. }
        | Op::BatchNormalization { .. }
        | Op::Where
        | Op::MatMul
        | Op::Softmax { .. }
        | Op::LogSoftmax { .. }
        | Op::SoftmaxFrom { .. }
        | Op::LayerNormalization { .. }
        | Op::InstanceNormalization { .. }
        | Op::Lrn { .. }
        | Op::MaxPool(_)
        | Op::GlobalAveragePool
        | Op::GlobalMaxPool
        | Op::Concat { .. }
        | Op::Split { .. }
        | Op::Slice { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Expand
        | Op::Tile
        | Op::Gather { .. }
        | Op::GatherElements { .. }
        | Op::DepthToSpace { .. }
        | Op::SpaceToDepth { .. }
        | Op::DynamicQuantizeLinear
        | Op::MultiThreshold { .. }
        | Op::Cast
        | Op::Identity
        | Op::Recurrent(_)
        | Op::Unsupported => false,
    }
}
