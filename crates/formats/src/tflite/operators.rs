//! Which function understands which operator.

use super::builder::{Builder, Held};
use super::constants::Constant;
use super::operation::Operation;
use super::{
    activation, batches, elementwise, mac, movement, recurrent, reduce, reshape, shape_numbers, svdf, windows,
};
use crate::reading::fault::{Fault, not_costed, not_run};
use crate::reading::findings::NOT_HANDLED;

/// The number of an operator's options in the schema; `None` where nothing is looked up in them.
pub(super) fn options_kind(kind: &str) -> Option<u8> {
    Some(match kind {
        "CONV_2D" => 1,
        "DEPTHWISE_CONV_2D" => 2,
        "AVERAGE_POOL_2D" | "MAX_POOL_2D" => 5,
        "SVDF" => 6,
        "FULLY_CONNECTED" => 8,
        "SOFTMAX" => 9,
        "CONCATENATION" => 10,
        "ADD" => 11,
        "RESIZE_BILINEAR" => 15,
        "RESHAPE" => 17,
        "SPACE_TO_DEPTH" => 19,
        "MUL" => 21,
        "MEAN" | "SUM" | "REDUCE_MAX" | "REDUCE_MIN" | "REDUCE_PROD" => 27,
        "SUB" => 28,
        "DIV" => 29,
        "SQUEEZE" => 30,
        "UNIDIRECTIONAL_SEQUENCE_RNN" => 31,
        "STRIDED_SLICE" => 32,
        "SPLIT" => 35,
        "TRANSPOSE_CONV" => 49,
        "DEPTH_TO_SPACE" => 94,
        "PACK" => 59,
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => 71,
        "RESIZE_NEAREST_NEIGHBOR" => 74,
        "LEAKY_RELU" => 75,
        "BATCH_MATMUL" => 101,
        "GELU" => 116,
        _ => return None,
    })
}

/// Turns an operator that depends on the input into nodes.
pub(super) fn lower(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let checked;
    let operation = match options_kind(operation.kind) {
        Some(kind) => {
            checked = operation.of_kind(kind)?;
            &checked
        }
        None => operation,
    };
    match operation.kind {
        "CONV_2D" => mac::conv(b, operation),
        "DEPTHWISE_CONV_2D" => mac::depthwise(b, operation),
        "TRANSPOSE_CONV" => mac::transposed(b, operation),
        "FULLY_CONNECTED" => mac::fully_connected(b, operation),
        "BATCH_MATMUL" => mac::batch_matmul(b, operation),
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => recurrent::lstm(b, operation),
        "UNIDIRECTIONAL_SEQUENCE_RNN" => recurrent::rnn(b, operation),
        "SVDF" => svdf::svdf(b, operation),
        "AVERAGE_POOL_2D" | "MAX_POOL_2D" => windows::pool(b, operation),
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" => windows::resize(b, operation),
        "ADD" | "SUB" | "MUL" | "DIV" => elementwise::arithmetic(b, operation),
        "MAXIMUM" | "MINIMUM" => elementwise::extreme(b, operation),
        "PRELU" => elementwise::prelu(b, operation),
        "MEAN" | "SUM" | "REDUCE_MAX" | "REDUCE_MIN" | "REDUCE_PROD" => reduce::reduce(b, operation),
        "SOFTMAX" | "LOG_SOFTMAX" => activation::softmax(b, operation),
        "QUANTIZE" => activation::quantize(b, operation),
        "DEQUANTIZE" => activation::dequantize(b, operation),
        "CAST" => activation::cast(b, operation),
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => reshape::reshape(b, operation),
        "SHAPE" => reshape::shape(b, operation),
        "TRANSPOSE" => movement::transpose(b, operation),
        "PAD" | "PADV2" => movement::pad(b, operation),
        "CONCATENATION" => movement::concatenation(b, operation),
        "SPACE_TO_BATCH_ND" => batches::space_to_batch(b, operation),
        "BATCH_TO_SPACE_ND" => batches::batch_to_space(b, operation),
        "DEPTH_TO_SPACE" | "SPACE_TO_DEPTH" => movement::depth_and_space(b, operation),
        "PACK" => movement::pack(b, operation),
        "SPLIT" | "SPLIT_V" => movement::split(b, operation),
        "SLICE" => movement::slice(b, operation),
        "STRIDED_SLICE" => movement::strided_slice(b, operation),
        _ => match activation::unary(operation)? {
            Some(unary) => activation::elementwise(b, operation, unary),
            None if operation.has_weights() => Err(not_costed!("{NOT_HANDLED}")),
            None => Err(not_run!("{NOT_HANDLED}")),
        },
    }
}

/// Computes an operator whose inputs are constant; `None` where it is not one of the few that are.
pub(super) fn fold(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Option<Constant>, Fault> {
    let Some(tensor) = operation.optional(0) else { return Ok(None) };
    let Held::Constant(constant) = &b.slots[tensor].held else { return Ok(None) };
    match operation.kind {
        "DEQUANTIZE" => {
            let parameters = b.slots[tensor].info.quantization.clone();
            let stored_real = constant.tensor.data_type.is_real();
            let dequantized = if stored_real { None } else { parameters };
            Ok((stored_real || dequantized.is_some()).then(|| Constant { dequantized, ..constant.clone() }))
        }
        // The zeros that the file leaves out were written when it was read.
        "DENSIFY" => Ok(Some(constant.clone())),
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => {
            let shape = reshape::target(b, operation)?;
            let output = operation.output()?;
            let agrees = b.slots[output].info.may_have(&shape);
            Ok(agrees.then(|| constant.reshaped(&shape)).flatten())
        }
        "STRIDED_SLICE" | "PACK" | "CONCATENATION" | "GATHER" | "REDUCE_PROD" | "MUL" | "ADD" | "SUB" | "CAST" => {
            shape_numbers::fold(b, operation)
        }
        _ => Ok(None),
    }
}
