//! A second, much smaller reading of an ONNX file, which shares nothing with the first but the layout of the messages.

use std::collections::HashMap;

use bytes::Bytes;
use formats::onnx::proto::{ModelProto, NodeProto, TensorProto};
use prost::Message;

/// What the Conv, ConvTranspose and Gemm nodes of a file hold in all, their weights quantized mid-rise, one step a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Layers.
    pub layers: usize,
    /// Weights.
    pub weights: u128,
    /// Weights that are not 0.
    pub nonzero: u128,
    /// `Σ code²`.
    pub quarters: u128,
}

/// Reads a file whose nodes of these kinds all take a plain, finite float32 initializer as their weights; none for any
/// other file.
pub fn totals(file: &[u8], bits: u32) -> Option<Totals> {
    let graph = ModelProto::decode(Bytes::copy_from_slice(file)).ok()?.graph?;
    let initializers: HashMap<&str, &TensorProto> = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    if initializers.len() != graph.initializer.len() {
        return None;
    }
    let mut totals = Totals::default();
    for node in graph.node.iter().filter(|node| is_mac(node)) {
        let weights = floats(initializers.get(node.input.get(1)?.as_str())?)?;
        let codes = codes(&weights, bits);
        totals.layers += 1;
        totals.weights += codes.len() as u128;
        totals.nonzero += codes.iter().filter(|&&code| code != 0).count() as u128;
        totals.quarters += codes.iter().map(|&code| u128::from(code.unsigned_abs()).pow(2)).sum::<u128>();
    }
    Some(totals)
}

fn is_mac(node: &NodeProto) -> bool {
    matches!(node.domain.as_str(), "" | "ai.onnx") && matches!(node.op_type.as_str(), "Conv" | "ConvTranspose" | "Gemm")
}

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    const FLOAT: i32 = 1;
    let raw = tensor.raw_data.as_ref().filter(|_| tensor.data_type == FLOAT && tensor.data_location == 0)?;
    let count = tensor.dims.iter().try_fold(4i64, |product, &n| product.checked_mul(n))?;
    let (words, rest) = raw.as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let fits = i64::try_from(raw.len()) == Ok(count) && rest.is_empty();
    (fits && values.iter().all(|v| v.is_finite())).then_some(values)
}

fn codes(weights: &[f32], bits: u32) -> Vec<i64> {
    let levels = f64::from(1u32 << (bits - 1));
    let step = weights.iter().fold(0.0f64, |max, &w| max.max(f64::from(w).abs())) / levels;
    let code = |&w: &f32| {
        if w == 0.0 {
            return 0;
        }
        let w_int = ((f64::from(w) / step).floor() + 0.5).clamp(0.5 - levels, levels - 0.5);
        (2.0 * w_int) as i64
    };
    weights.iter().map(code).collect()
}
