//! The writer of ONNX files.
//!
//! Every [`Network`] becomes a file that any ONNX runtime takes. MAC layers are written as Conv, Gemm and MatMul, and
//! quantized weights as integers behind a DequantizeLinear. Parameters that the reader turned into numbers become
//! constants again. Two things have no place in the format and stand in the metadata of the file: the grid that stored
//! integers lie on ([`GRID_KEY`]), and where the file comes from ([`WriteOptions::provenance`]). The
//! same network and options give the same bytes.
//!
//! The opset is 17, or 21 where an operator needs it: 16-bit quantization above all.

pub(super) mod attributes;
mod batch;
mod layer;
mod lowered;
mod node;
mod opset;
mod recurrent;
pub(super) mod tensors;

use std::collections::HashMap;
use std::io::{self, Write};

use esn::Grid;
use network::{DataType, Names, Network, NetworkError, Node, Note, NoteKind, Op, Tensor, ValueId};
use prost::Message;

use super::proto::{
    Dimension, DimensionValue, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::reading::fault::{Fault, unsupported};
use crate::reading::grid::{self, GRID_KEY};

/// The most bytes that a message of protobuf can have.
const MAX_BYTES: usize = i32::MAX as usize;

/// What goes into a file beside the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Metadata by key (`esnsim.command`, `esnsim.version`). An entry of the network with the same key is replaced.
    pub provenance: Vec<(String, String)>,
}

/// An ONNX file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// What a user should know, one line each: that a batch which was open is 1 in the file, and why.
    pub notes: Vec<Note>,
}

/// Makes an ONNX file of a network.
///
/// Names of values and nodes stay; one that comes twice gets a number. Real weights are written in the type of the
/// layer's activations, quantized ones as their integers (int8, uint8, int16, uint16 or int32). Reading the file gives
/// the same codes, scales, geometry and costs.
///
/// # Errors
///
/// [`NetworkError::Unsupported`] names a node that nothing here understands, or weights that their type cannot hold
/// exactly, or is that of [`Network::check_complete`]; [`NetworkError::Invalid`] is that of [`Network::weights`]. Weights without a graph and a file of more than
/// 2 GiB are unsupported.
pub fn to_bytes(network: &Network, options: &WriteOptions) -> Result<Written, NetworkError> {
    network.check_complete()?;
    refuse_unsupported(network)?;
    let file = |fault: Fault| fault.at(network.path(), "writing it as ONNX".to_string());
    if !network.has_graph() {
        return Err(file(unsupported!("weights without a graph; a weight file holds them")));
    }
    let (axes, mut notes) = match batch::axes(network) {
        Ok(axes) => (axes, Vec::new()),
        Err(node) => (vec![None; network.graph().values().len()], vec![closed_batch(&node)]),
    };
    notes.extend(lowered::note(network));
    let grid = grid::of_all(network.layers()).map_err(file)?;
    let opset = opset::opset(network, &axes);
    let mut writer = Writer::new(network, axes, opset);
    writer.add_nodes()?;
    let graph = writer.finish();
    let model = ModelProto {
        // The version that came with the opset.
        ir_version: if opset > 17 { 10 } else { 8 },
        producer_name: "esnsim".to_string(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
        metadata_props: metadata(network, grid, options),
        ..ModelProto::default()
    };
    if model.encoded_len() > MAX_BYTES {
        let size = model.encoded_len();
        return Err(file(unsupported!("{size} bytes; a file of at most {MAX_BYTES}, what the format can hold")));
    }
    Ok(Written { bytes: model.encode_to_vec(), notes })
}

/// Writes a network as an ONNX file, as [`to_bytes`] makes it, and returns its notes.
///
/// # Errors
///
/// Those of [`to_bytes`], before anything is written; [`NetworkError::Io`] if the writer fails.
pub fn write(network: &Network, options: &WriteOptions, writer: &mut dyn Write) -> Result<Vec<Note>, NetworkError> {
    let Written { bytes, notes } = to_bytes(network, options)?;
    let failed = |source: io::Error| NetworkError::Io { path: network.path().to_path_buf(), source };
    writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(failed)?;
    Ok(notes)
}

fn refuse_unsupported(network: &Network) -> Result<(), NetworkError> {
    match network.graph().nodes().iter().find(|node| node.op == Op::Unsupported) {
        None => Ok(()),
        Some(node) => Err(unsupported!("ONNX files with the operator {} are not written, for nothing here runs it; a file of weights is (.safetensors)", node.op_type)
            .at(network.path(), format!("node {:?}", node.name))),
    }
}

fn closed_batch(node: &str) -> Note {
    let text = format!("the batch is 1 in the file, for at node {node:?} a larger one cannot be told from other axes");
    Note::new(NoteKind::LeftOut, text)
}

fn metadata(network: &Network, grid: Option<Grid>, options: &WriteOptions) -> Vec<StringStringEntryProto> {
    let mut entries: Vec<(String, String)> = network.metadata().to_vec();
    entries.retain(|(key, _)| key != GRID_KEY);
    let grid = grid.map(|grid| (GRID_KEY.to_string(), grid.name().to_string()));
    for (key, value) in options.provenance.iter().cloned().chain(grid) {
        match entries.iter_mut().find(|(other, _)| *other == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    entries.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect()
}

/// A graph under construction.
struct Writer<'a> {
    network: &'a Network,
    opset: i64,
    /// The axis of the batch by value, where it is left open.
    axes: Vec<Option<usize>>,
    /// Name by value, once it has one.
    names: Vec<Option<String>>,
    values: Names,
    nodes: Names,
    /// Index of the first initializer by the name it was asked for.
    asked: HashMap<String, usize>,
    /// Whether a value that is constant is among the initializers.
    stored: Vec<bool>,
    graph: GraphProto,
}

impl<'a> Writer<'a> {
    /// Gives every value its name, inputs and outputs first.
    fn new(network: &'a Network, axes: Vec<Option<usize>>, opset: i64) -> Self {
        let graph = network.graph();
        let count = graph.values().len();
        let mut writer = Self {
            network,
            opset,
            axes,
            names: vec![None; count],
            values: Names::default(),
            nodes: Names::default(),
            asked: HashMap::new(),
            stored: vec![false; count],
            graph: GraphProto { name: "network".to_string(), ..GraphProto::default() },
        };
        let inner = graph.nodes().iter().flat_map(|node| node.inputs.iter().flatten().chain(&node.outputs));
        for id in graph.inputs().iter().chain(graph.outputs()).chain(inner) {
            if writer.names[id.0].is_none() {
                writer.names[id.0] = Some(writer.values.claim(&graph.value(*id).name));
            }
        }
        writer
    }

    fn add_nodes(&mut self) -> Result<(), NetworkError> {
        for node in self.network.graph().nodes() {
            if let Op::Mac(id) = node.op {
                if !self.is_of_recurrent(id) {
                    self.add_layer(node, id)?;
                }
            } else if let Op::Recurrent(recurrent) = &node.op {
                self.add_recurrent(node, recurrent)?;
            } else {
                self.add_node(node).map_err(|fault| self.at(node, fault))?;
            }
        }
        for &id in self.network.graph().outputs() {
            let place = || format!("output {:?}", self.network.graph().value(id).name);
            self.value(id).map_err(|fault| fault.at(self.network.path(), place()))?;
        }
        Ok(())
    }

    fn at(&self, node: &Node, fault: Fault) -> NetworkError {
        fault.at(self.network.path(), format!("node {:?}", node.name))
    }

    fn finish(mut self) -> GraphProto {
        let graph = self.network.graph();
        let input: Vec<ValueInfoProto> = graph.inputs().iter().map(|&id| self.info(id)).collect();
        let output = graph.outputs().iter().map(|&id| self.info(id)).collect();
        self.graph.input = input;
        self.graph.output = output;
        self.graph
    }

    /// The name of a value that a node reads; a constant becomes an initializer when it is first read.
    fn value(&mut self, id: ValueId) -> Result<String, Fault> {
        let name = self.name(id);
        let constant = &self.network.graph().value(id).constant;
        if let Some(tensor) = constant.as_ref().filter(|_| !self.stored[id.0]) {
            self.graph.initializer.push(tensors::proto(name.clone(), tensor)?);
            self.stored[id.0] = true;
        }
        Ok(name)
    }

    fn name(&self, id: ValueId) -> String {
        self.names[id.0].clone().expect("every value that a node or the graph mentions has a name")
    }

    /// Adds a tensor that is no value of the graph, and returns its name: `wanted`, unless that is taken by another.
    fn add_tensor(&mut self, wanted: &str, tensor: &Tensor) -> Result<String, Fault> {
        let proto = tensors::proto(String::new(), tensor)?;
        let same = |other: &TensorProto| TensorProto { name: String::new(), ..other.clone() } == proto;
        if let Some(&first) = self.asked.get(wanted)
            && same(&self.graph.initializer[first])
        {
            return Ok(self.graph.initializer[first].name.clone());
        }
        let name = self.values.claim(wanted);
        self.asked.entry(wanted.to_string()).or_insert(self.graph.initializer.len());
        self.graph.initializer.push(TensorProto { name: name.clone(), ..proto });
        Ok(name)
    }

    /// Type and shape of an input or output of the graph.
    fn info(&self, id: ValueId) -> ValueInfoProto {
        let value = self.network.graph().value(id);
        let (batch, axis) = (self.network.batch(), self.axes[id.0]);
        let dimension = |(i, &extent): (usize, &usize)| Dimension {
            value: match axis == Some(i) {
                false => Some(DimensionValue::DimValue(extent as i64)),
                true if extent == batch => Some(DimensionValue::DimParam("N".to_string())),
                // A multiple of the batch.
                true => None,
            },
        };
        let shape = value.shape.as_ref();
        let shape = shape.map(|shape| TensorShapeProto { dim: shape.iter().enumerate().map(dimension).collect() });
        let elem_type = tensors::number(value.data_type.unwrap_or(DataType::F32));
        let r#type = Some(TypeProto { tensor_type: Some(TensorTypeProto { elem_type, shape }) });
        ValueInfoProto { name: self.name(id), r#type }
    }
}
