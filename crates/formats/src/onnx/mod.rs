//! The reader of ONNX files, and the writer ([`mod@write`]).
//!
//! A file is mapped and decoded without copying a tensor ([`proto`]), its names are checked and its nodes ordered, and then
//! one pass (`build`) understands each node, infers the shapes of its outputs and folds what is constant. Weights are
//! never folded: they stay a stored tensor and the steps from there (`chain`).

mod attributes;
mod build;
mod chain;
mod constants;
mod elementwise;
pub(crate) mod external;

mod fold;
mod fold_elementwise;
mod functions;
mod fused;

mod inputs;
mod layout;
mod mac;
mod normalize;
mod operators;
mod order;
mod plan;
mod product;
pub mod proto;
mod qlinear;
mod qonnx;
mod qoperator;
mod quantize;
mod reduce;
mod resize;
mod sequence;
mod tensors;
mod windows;
pub mod write;

use std::path::Path;

use bytes::Bytes;
use network::{Network, NetworkError};
use prost::Message;

use crate::options::ReadOptions;
use crate::reading::fault::{self, Fault, invalid, unsupported};
use crate::reading::grid;
use external::ExternalFiles;
use proto::{GraphProto, ModelProto};

/// Oldest opset that is read: before it, broadcasting was an attribute.
const OLDEST_OPSET: i64 = 7;

/// Reads a mapped file; external data are looked for beside it.
pub(crate) fn read_mapped(path: &Path, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    read(path, bytes, ExternalFiles::new(folder.map(Path::to_path_buf)), options)
}

/// Reads a model in memory; `path` stands for it in messages.
pub(crate) fn read_bytes(path: &Path, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    read(path, bytes, ExternalFiles::new(None), options)
}

fn read(path: &Path, bytes: Bytes, external: ExternalFiles, options: &ReadOptions) -> Result<Network, NetworkError> {
    let Decoded { graph, opset, metadata } = decode(bytes).map_err(|fault| fault.at(path, "file".to_string()))?;
    let stated = grid::stated(&metadata).map_err(|fault| fault.at(path, "file".to_string()))?;
    let surroundings = build::Surroundings { path, opset, external, options, grid: options.grid.or(stated) };
    let network = build::build(&graph, surroundings)?;
    Ok(network.with_metadata(metadata))
}

/// What is looked at of a model.
struct Decoded {
    graph: GraphProto,
    /// The version of its operators.
    opset: i64,
    metadata: Vec<(String, String)>,
}

fn decode(bytes: Bytes) -> Result<Decoded, Fault> {
    let len = bytes.len();
    if len == 0 {
        return Err(invalid!("it is empty; expected an ONNX model"));
    }
    let mut model = ModelProto::decode(bytes).map_err(|e| {
        invalid!("its {len} bytes are no ONNX model, or it is cut off or garbled: {}", fault::clean(&e.to_string()))
    })?;
    let graph = model.graph.take();
    let mut graph = graph.ok_or_else(|| invalid!("its {len} bytes hold no graph; expected an ONNX model"))?;
    let mut versions =
        model.opset_import.iter().filter(|o| matches!(o.domain.as_str(), "" | "ai.onnx")).map(|o| o.version);
    let opset = versions.next().ok_or_else(|| invalid!("it imports no opset of the default domain"))?;
    if opset < 1 || versions.any(|other| other != opset) {
        return Err(invalid!("its opset is {opset}, or it imports more than one"));
    }
    if opset < OLDEST_OPSET {
        return Err(unsupported!("opset {opset}; {OLDEST_OPSET} and later are read"));
    }
    functions::inline(&model, &mut graph, opset)?;
    fused::split(&mut graph);
    let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Decoded { graph, opset, metadata })
}
