//! The reader of ONNX files, and the writer ([`mod@write`]).
//!
//! A file is mapped and decoded without copying a tensor. Calls of functions are replaced by their bodies, names are
//! checked and nodes are put in order. Then one pass goes over the nodes. For each node a planner says what it is and
//! which shapes its outputs have (a `Plan`), and the pass does one of four things with it: it computes the node, where
//! all inputs are constant and small; it makes a MAC layer of it; it puts it into the graph; or it notes that the node
//! is not run. An If whose condition is known by then is none of these: the nodes of its branch stand in its place.
//!
//! Weights are never computed: they stay a stored tensor and the steps from there to what a layer reads (a `Chain`).
//!
//! The files, each resting on those above it:
//!
//! ```text
//! proto.rs            the messages of the format
//! mapped.rs           the bytes of a model, given back as they are decoded
//! attributes.rs       the attributes of one node; none is left over unread
//! external.rs         tensors in files beside the model
//! tensors.rs          from a message to a checked tensor
//! sparse.rs           sparse tensors, written out
//! versions.rs         which version of ONNX's operators the nodes mean
//! functions.rs        calls of functions of the file, replaced by their bodies
//! fused.rs            FusedConv of onnxruntime, taken apart
//! steps.rs            one node replaced by several
//! older.rs            forms that operators had before opset 7, as nodes of today
//! custom.rs           operators of a user's table, as layers
//! compound.rs         operators that others make up, taken apart; Einsum in einsum.rs, those of QONNX in qonnx_parts.rs,
//!                     weights with scales of blocks in blocks.rs, DynamicQuantizeLSTM in quantized_lstm.rs
//! order.rs            an order in which every value is made before it is read
//! array.rs            a constant in memory
//! form.rs             type and shape of a value; axes, sizes
//! batch_axis.rs       the axis of an input that is the batch
//! inputs.rs           the shapes that a file or a user gives
//! lattice.rs          the levels of a quantizer
//! chain.rs            a constant as a stored tensor and the steps from there
//! lineage.rs          the levels behind operators on constants, by those of their inputs
//! scope.rs            which name is which value
//! slot.rs             what is known of a value while the graph is built
//! view.rs             a node as its planner sees it
//! integer_mac.rs      a MAC layer on integers, as it is planned; the layers of a recurrent operator in
//!                     recurrent_layers.rs
//! plan.rs             what is to be done with a node
//! elementwise.rs ...  the planners, one file for each family of operators: constants, elementwise, layout, mac,
//!                     normalize, product, qlinear, qonnx, qoperator, quantize, recurrent, reduce, resize, sequence,
//!                     transposed, windows
//! parameters.rs       the attributes of operators of one or two elements, for planners and for the writer
//! operators.rs        which operator is understood by which planner
//! fold.rs             operators computed on constants; the elementwise ones in fold_elementwise.rs
//! exported.rs ...     archives of torch.export, whose graph is written in operators of ONNX
//! build.rs            the pass over the nodes; constants, layers on integers or with a sum behind them, recurrent
//!                     operators, branches of an If, and classes at the end under build/
//! write/              the writer
//! ```

mod array;
mod attributes;
mod batch_axis;
mod blocks;
mod build;
mod chain;
mod compound;
mod constants;
mod custom;
mod einsum;
mod elementwise;
mod exported;
mod external;
mod fold;
mod fold_elementwise;
mod form;
mod functions;
mod fused;
mod inputs;
mod integer_mac;
mod lattice;
mod layout;
mod lineage;
mod mac;
mod mapped;
mod normalize;
mod older;
mod operators;
mod order;
mod parameters;
mod plan;
mod product;
pub mod proto;
mod qlinear;
mod qonnx;
mod qonnx_parts;
mod qoperator;
mod quantize;
mod quantized_lstm;
mod recurrent;
mod recurrent_layers;
mod reduce;
mod resize;
mod scope;
mod sequence;
mod slot;
mod sparse;
mod steps;
mod tensors;
mod transposed;
mod versions;
mod view;
mod windows;
pub mod write;

use std::path::Path;

use bytes::Bytes;
use network::{Mapping, Network, NetworkError};
use prost::Message;

use crate::kind::no_network;
use crate::options::ReadOptions;
use crate::reading::fault::{self, Fault, invalid};
use crate::reading::finish::counted;
use crate::reading::grid;
use custom::Table;
pub(crate) use exported::is_archive;
use external::ExternalFiles;
use proto::{GraphProto, ModelProto};

/// Reads a mapped file; external data are looked for beside it.
pub(crate) fn read_mapped(path: &Path, mapping: &Mapping, options: &ReadOptions) -> Result<Network, NetworkError> {
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let external = ExternalFiles::new(folder.map(Path::to_path_buf));
    read(path, mapped::Model::new(mapping), external, options)
}

/// Reads a model in memory; `path` stands for it in messages.
pub(crate) fn read_bytes(path: &Path, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    read(path, mapped::Model::in_memory(bytes), ExternalFiles::new(None), options)
}

fn read(
    path: &Path,
    model: mapped::Model<'_>,
    external: ExternalFiles,
    options: &ReadOptions,
) -> Result<Network, NetworkError> {
    let bytes = model.bytes().clone();
    let is_archive = is_archive(&bytes);
    if is_archive {
        crate::refuse_table(path, options)?;
    }
    let table = options.operators.as_deref().map(Table::read).transpose()?;
    let Decoded { graph, opset, metadata, operators } = decode(model, table.as_ref()).map_err(|fault| {
        let is_invalid = matches!(fault, Fault::Invalid(_)) && !is_archive;
        let is_another = if is_invalid { no_network(path, &bytes) } else { None };
        is_another.unwrap_or_else(|| fault.at(path, "file".to_string()))
    })?;
    let stated = grid::stated(&metadata).map_err(|fault| fault.at(path, "file".to_string()))?;
    let grid = options.grid.or(stated);
    let surroundings = build::Surroundings { path, opset, external, options, grid, declared_holds: is_archive };
    let network = build::build(&graph, surroundings)?;
    Ok(network.with_metadata(metadata).with_file_operators(operators))
}

/// What is looked at of a model.
struct Decoded {
    graph: GraphProto,
    /// The version of its operators.
    opset: i64,
    metadata: Vec<(String, String)>,
    /// The operators of the file, before functions are inlined.
    operators: Vec<(String, usize)>,
}

fn decode(model: mapped::Model<'_>, table: Option<&Table>) -> Result<Decoded, Fault> {
    let len = model.bytes().len();
    if is_archive(model.bytes()) {
        let (mut graph, operators) = exported::read(model.bytes().clone())?;
        compound::take_apart(&mut graph, exported::OPSET)?;
        let operators = counted(operators.into_iter());
        return Ok(Decoded { graph, opset: exported::OPSET, metadata: Vec::new(), operators });
    }
    if len == 0 {
        return Err(invalid!("it is empty; expected an ONNX model"));
    }
    let mut model = ModelProto::decode(model).map_err(|e| {
        invalid!("its {len} bytes are no ONNX model, or it is cut off or garbled: {}", fault::clean(&e.to_string()))
    })?;
    let graph = model.graph.take();
    let mut graph = graph.ok_or_else(|| invalid!("its {len} bytes hold no graph; expected an ONNX model"))?;
    let opset = versions::opset(&model, &graph)?;
    let operators = counted(graph.node.iter().map(|node| match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}:{}", node.op_type),
    }));
    functions::inline(&model, &mut graph, opset)?;
    fused::split(&mut graph);
    if let Some(table) = table {
        table.apply(&mut graph, opset)?;
    }
    older::renew(&mut graph, opset)?;
    compound::take_apart(&mut graph, opset)?;
    let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Decoded { graph, opset, metadata, operators })
}
