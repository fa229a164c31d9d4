//! The reader of TFLite files.
//!
//! A file is mapped and its tables are read with every offset checked ([`flatbuffer`], `schema`); the data of tensors stay
//! where they are. Then one pass over the operators, which the format keeps in order of execution, turns each into nodes
//! of the graph.
//!
//! Two decisions shape that pass. TFLite keeps images as `[N, H, W, C]`; here every activation of rank 4 is `[N, C, H, W]`
//! like everything else in the graph, with a Transpose behind the input and before whatever looks at the order of elements
//! (`layout`). And an integer operator with weights becomes DequantizeLinear, layer, QuantizeLinear, the layer with the
//! rule by which its sums become integers (`mac`), so that any executor can run it and one on integers follows the
//! file bit by bit. Integer operators without weights keep their arithmetic ([`network::TfliteOp`]).

mod activation;
mod build;
mod constants;
mod elementwise;
mod flatbuffer;
mod layout;
mod mac;
mod movement;
mod names;
mod operators;
mod quantization;
mod reduce;
mod reshape;
mod schema;
mod sparsity;
mod tables;
mod windows;

use std::path::Path;

use bytes::Bytes;
use network::{Network, NetworkError};

use crate::options::ReadOptions;
use flatbuffer::Buffer;

/// Whether a file calls itself TFLite.
pub(crate) fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

/// Reads a model in memory or mapped; `path` stands for it in messages.
pub(crate) fn read(path: &Path, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    let buffer = Buffer::new(&bytes);
    let model = schema::decode(&buffer, bytes.len()).map_err(|fault| fault.at(path, "file".to_string()))?;
    build::build(path, &model, &bytes, options)
}
