//! The reader of TFLite files.
//!
//! A file is mapped and its tables are read with every offset checked; the data of tensors stay where they are. Then
//! one pass goes over the operators, which the format keeps in the order of execution. It turns each operator into
//! nodes of the graph.
//!
//! Two decisions shape that pass:
//!
//! - TFLite keeps images as `[N, H, W, C]`. Here every activation of rank 4 is `[N, C, H, W]`, like everything else in
//!   the graph. A Transpose stands behind each such input, and before whatever looks at the order of elements.
//! - An integer operator with weights becomes a DequantizeLinear, a layer and a QuantizeLinear. The layer carries the
//!   rule by which its sums become integers. Any executor can run these three, and one that works on integers follows
//!   the file bit by bit. Integer operators without weights keep their arithmetic ([`network::IntegerOp`]).
//!
//! The files, each resting on those above it:
//!
//! ```text
//! flatbuffer.rs    tables and vectors of a FlatBuffers file, every offset checked
//! names.rs         names of operators by number
//! sparsity.rs      tensors whose zeros are left out
//! schema.rs        the tables of a model as plain structures
//! layout.rs        shapes, and where axes lie in the file and here
//! constants.rs     constants and their elements
//! fused.rs         activation functions inside other operators
//! operation.rs     one operator: its tensors and options
//! builder.rs       the graph under construction
//! operands.rs      tensors as an operator reads them: values of the graph, or known numbers
//! quantization.rs  scales and zero points, and the multipliers between them
//! tables.rs        functions on 8- and 16-bit integers as tables; wide_tables.rs those that LiteRT interpolates
//! steps.rs         what goes from step to step in recurrent operators; integer_steps.rs the same on integers
//! activation.rs ... the operators, one file for each family: activation, elementwise, mac, movement, recurrent, reduce,
//!                  reshape, svdf, windows
//! batches.rs       blocks of space that become images of a batch, and back
//! shape_numbers.rs what operators make of the numbers of a shape
//! operators.rs     which function understands which operator
//! build.rs         the pass over the operators
//! ```

mod activation;
mod batches;
mod build;
mod builder;
mod constants;
mod elementwise;
mod flatbuffer;
mod fused;
mod integer_steps;
mod layout;
mod mac;
mod movement;
mod names;
mod operands;
mod operation;
mod operators;
mod quantization;
mod recurrent;
mod reduce;
mod reshape;
mod schema;
mod shape_numbers;
mod sparsity;
mod steps;
mod svdf;
mod tables;
mod wide_tables;
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
