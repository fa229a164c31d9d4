//! Which operator is understood by what.

use network::{Binary, Reduction};

use super::external::ExternalFiles;
use super::plan::Plan;
use super::proto::NodeProto;
use super::slot::Slot;
use super::view::View;
use super::{
    constants, custom, elementwise, layout, mac, normalize, parameters, product, qlinear, qonnx, qoperator, quantize,
    recurrent, reduce, resize, sequence, transposed, windows,
};
use crate::reading::fault::{Fault, not_costed, not_run};
use crate::reading::findings::NOT_HANDLED;

/// Operators with weights or products that nothing here costs.
const UNCOSTED: [&str; 21] = [
    "Attention",
    "CausalConvWithState",
    "ConvInteger",
    "DeformConv",
    "Einsum",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "GRU",
    "If",
    "LSTM",
    "LinearAttention",
    "Loop",
    "MatMulInteger",
    "MatMulNBits",
    "MultiHeadAttention",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
    "RNN",
    "Scan",
];

/// Whether an operator holds graphs of its own.
pub(super) fn has_branches(op_type: &str) -> bool {
    matches!(op_type, "If" | "Loop" | "Scan")
}

/// Why a node that is not run has multiply-accumulates that are not costed; `None` where it has none.
pub(super) fn not_costed(node: &NodeProto, inputs: &[&Slot]) -> Option<String> {
    let is_matrix = |slot: &&Slot| slot.constant && slot.form.shape.as_ref().is_some_and(|shape| shape.len() >= 2);
    if node.attribute.iter().any(|attribute| attribute.name == custom::BEHIND) {
        return None;
    }
    if UNCOSTED.contains(&node.op_type.as_str()) {
        return Some(NOT_HANDLED.to_string());
    }
    let own_domain = !matches!(node.domain.as_str(), "" | "ai.onnx");
    (own_domain && inputs.iter().any(is_matrix))
        .then(|| "this operator is not known and reads a constant matrix".to_string())
}

/// Understands a node. Attributes that the operator does not have are refused.
pub(super) fn plan(view: &View<'_>, external: &mut ExternalFiles) -> Result<Plan, Fault> {
    if view.attributes.has(custom::BEHIND) {
        let form = view.like_first(view.shape(0)?.to_vec());
        return Ok(Plan::not_run("the table of operators says what it costs, not what it computes", form));
    }
    let quantizes = matches!(view.op_type, "QuantizeLinear" | "DequantizeLinear");
    // onnxruntime writes 16-bit quantization as operators of its own domain, which mean the same.
    let known_domain = matches!(view.domain, "" | "ai.onnx") || (view.domain == "com.microsoft" && quantizes);
    let integer = match view.domain {
        "" | "ai.onnx" | "com.microsoft" => integers(view),
        domain if qonnx::DOMAINS.contains(&domain) => few_levels(view),
        _ => None,
    };
    if let Some(known) = integer {
        let plan = known?;
        view.attributes.finish()?;
        return Ok(plan);
    }
    if !known_domain {
        return Err(not_run!(""));
    }
    let known = match view.op_type {
        "Constant" => constants::constant(view, external),
        "ConstantOfShape" => constants::constant_of_shape(view, external),
        _ => match network(view).or_else(|| movement(view)).or_else(|| arithmetic(view)) {
            Some(known) => known,
            None => return outside(view),
        },
    };
    let plan = known?;
    view.attributes.finish()?;
    Ok(plan)
}

/// Layers, pooling, normalization, quantization.
fn network(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    Some(match view.op_type {
        "Conv" => mac::conv(view),
        "ConvTranspose" => transposed::conv_transpose(view),
        "Gemm" => product::gemm(view),
        "MatMul" => product::matmul(view),
        "GRU" | "LSTM" | "RNN" => recurrent::recurrent(view),
        "BatchNormalization" => normalize::batch_norm(view),
        "LayerNormalization" => normalize::layer_norm(view),
        "InstanceNormalization" => normalize::instance_norm(view),
        "LRN" => normalize::lrn(view),
        "MaxPool" | "AveragePool" => windows::pool(view),
        "LpPool" => windows::lp_pool(view),
        "GlobalAveragePool" | "GlobalMaxPool" => windows::global_pool(view),
        "QuantizeLinear" => quantize::quantize(view),
        "DequantizeLinear" => quantize::dequantize(view),
        "Resize" => resize::resize(view),
        "Upsample" => resize::upsample(view),
        "Softmax" | "LogSoftmax" => elementwise::softmax(view),
        "Dropout" => elementwise::dropout(view),
        _ => return None,
    })
}

/// Operators on the integers of quantized activations.
fn integers(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    let own = view.domain == "com.microsoft";
    Some(match view.op_type {
        "QLinearConv" => qoperator::linear_conv(view),
        "QLinearMatMul" if !own => qoperator::linear_matmul(view),
        "ConvInteger" if !own => qoperator::conv_integer(view),
        "MatMulInteger" if !own => qoperator::matmul_integer(view),
        "DynamicQuantizeLinear" if !own => qlinear::dynamic(view),
        "QGemm" if own => qoperator::gemm(view),
        _ if own => return qlinear::operator(view),
        _ => return None,
    })
}

/// Operators of QONNX.
fn few_levels(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    Some(match view.op_type {
        "Quant" | "IntQuant" => qonnx::quant(view),
        "BipolarQuant" => qonnx::bipolar(view),
        "Trunc" => qonnx::trunc(view),
        "MultiThreshold" => qonnx::multi_threshold(view),
        _ => return None,
    })
}

fn movement(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    Some(match view.op_type {
        "Identity" => layout::identity(view),
        "Reshape" => layout::reshape(view),
        "Flatten" => layout::flatten(view),
        "Squeeze" => layout::squeeze(view),
        "Unsqueeze" => layout::unsqueeze(view),
        "Transpose" => layout::transpose(view),
        "Concat" => layout::concat(view),
        "Split" => layout::split(view),
        "Slice" => layout::slice(view),
        "SplitToSequence" => sequence::split(view),
        "SequenceAt" => sequence::at(view),
        "Pad" => layout::pad(view),
        "Expand" => layout::expand(view),
        "Tile" => layout::tile(view),
        "Gather" => layout::gather(view),
        "GatherElements" => layout::gather_elements(view),
        "SpaceToDepth" => layout::space_to_depth(view),
        "DepthToSpace" => layout::depth_to_space(view),
        "Cast" => elementwise::cast(view),
        "CastLike" => elementwise::cast_like(view),
        "Shape" => constants::shape(view),
        "Size" => constants::size(view),
        "Range" => constants::range(view),
        "NonZero" => constants::non_zero(view),
        "CumSum" => constants::cum_sum(view),
        _ => return None,
    })
}

fn arithmetic(view: &View<'_>) -> Option<Result<Plan, Fault>> {
    match parameters::read(view.op_type, &view.attributes) {
        Ok(Some(function)) => return Some(elementwise::unary(view, function)),
        Ok(None) => {}
        Err(fault) => return Some(Err(fault)),
    }
    if let Some(function) = Binary::named(view.op_type) {
        return Some(elementwise::binary(view, function));
    }
    if let Some(total) = Reduction::named(view.op_type) {
        return Some(reduce::reduce(view, total));
    }
    Some(match view.op_type {
        "Clip" => elementwise::clip(view),
        "Sum" => elementwise::variadic(view, Binary::Add),
        "Mod" => elementwise::modulo(view),
        "Where" => elementwise::select(view),
        "ArgMax" | "ArgMin" => reduce::arg_reduce(view),
        _ => return None,
    })
}

/// Why neither branch of an If is taken. One whose condition is known is none to be planned.
fn not_taken(view: &View<'_>) -> Fault {
    match view.optional(0) {
        Some(slot) if !slot.constant => not_costed!("its condition depends on the input of the network"),
        Some(_) | None => not_costed!("its condition comes from an operator that is not folded"),
    }
}

/// Operators that are not run; of some, at least the shape is known.
fn outside(view: &View<'_>) -> Result<Plan, Fault> {
    match view.op_type {
        "Asinh" | "BitwiseNot" | "Silu" | "Trilu" => elementwise::same_shape(view),
        "If" => Err(not_taken(view)),
        _ => Err(not_run!("")),
    }
}
