//! Archives of `torch.export` (`.pt2`): a graph of ATen operators as JSON, and the weights beside it. Nothing is run.
//!
//! The graph is written in operators of ONNX, as PyTorch's own exporter does, and read on as an ONNX model. An operator
//! that has no translation becomes one of the domain `aten`, which nobody knows: it is named, and the shape that the
//! archive gives for its output is believed.
//!
//! Source: <https://docs.pytorch.org/docs/stable/export/pt2_archive.html>, and `torch/_export/serde/schema.py` for the
//! names of fields.

mod call;
mod functions;
mod layers;
mod movement;
mod nodes;
mod operators;
mod program;
mod quantizers;
mod recurrent;
mod weights;

use std::collections::HashMap;

use bytes::Bytes;
use network::{DataType, Tensor};

use self::call::Call;
use self::program::{Kind, Program, TensorMeta};
use self::weights::Stored;
use super::array::{Array, Data, settle};
use super::proto::{
    AttributeProto, Dimension, DimensionValue, GraphProto, NodeProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use super::write::attributes::{counts, int};
use super::write::tensors::{number, proto};
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// The version of ONNX whose operators the graph is written in.
pub(super) const OPSET: i64 = 20;

/// Whether a file is such an archive.
pub(crate) fn is_archive(bytes: &Bytes) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        && Archive::open(bytes.clone()).is_ok_and(|archive| archive.names().iter().any(|name| is_mark(name)))
}

/// Whether an entry says that the archive is one of `torch.export`, of a present or an earlier form.
fn is_mark(entry: &str) -> bool {
    entry.rsplit('/').next() == Some("archive_format") || entry == "serialized_exported_program.json"
}

/// The graph, and how many operators the archive has of each name.
pub(super) fn read(bytes: Bytes) -> Result<(GraphProto, Vec<String>), Fault> {
    let mut archive = Archive::open(bytes)?;
    let names = archive.names();
    let Some(folder) = names.iter().find_map(|name| name.strip_suffix("archive_format")) else {
        return Err(unsupported!(
            "an archive of torch.export of a form before PyTorch 2.8; save it again with a later version"
        ));
    };
    let models: Vec<&String> =
        names.iter().filter(|name| name.starts_with(&format!("{folder}models/")) && name.ends_with(".json")).collect();
    let [model] = models.as_slice() else {
        return Err(unsupported!("an archive of {} models; expected 1", models.len()));
    };
    let text = archive.entry(model)?.expect("it is among the names");
    let program: Program = parse(model, &text)?;
    let stored = weights::read(&mut archive, folder, model)?;
    Translation::new(&program, stored).run()
}

/// An entry of JSON.
fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text)
        .map_err(|e| unsupported!("entry {:?} is not as this program knows it: {}", clean(name), clean(&e.to_string())))
}

/// A graph under translation.
struct Translation<'a> {
    program: &'a Program,
    graph: GraphProto,
    /// Weights and constants by the name that the module gives them.
    stored: HashMap<String, Stored>,
    /// Where the graph has its initializers, by their names.
    places: HashMap<String, usize>,
    /// The operators of the archive, in order.
    operators: Vec<String>,
}

impl<'a> Translation<'a> {
    fn new(program: &'a Program, stored: HashMap<String, Stored>) -> Self {
        let graph = GraphProto { name: "torch.export".to_string(), ..GraphProto::default() };
        Self { program, graph, stored, places: HashMap::new(), operators: Vec::new() }
    }

    fn run(mut self) -> Result<(GraphProto, Vec<String>), Fault> {
        self.add_inputs()?;
        for node in &self.program.graph().nodes {
            let call = Call::new(node, self.program);
            let name = call.operator();
            if operators::is_silent(name) {
                continue;
            }
            self.operators.push(format!("aten:{}", name.strip_suffix(".default").unwrap_or(name)));
            let place = format!("node {:?}", clean(node.name()));
            operators::translate(&mut self, &call).map_err(|fault| fault.within(&place))?;
        }
        let program = self.program;
        for (name, meta) in &program.graph().tensor_values {
            let info = value_info(name, meta);
            self.graph.value_info.extend(info);
        }
        for name in program.outputs()? {
            self.graph.output.push(ValueInfoProto { name: name.to_string(), r#type: None });
        }
        Ok((self.graph, self.operators))
    }

    /// What is fed, and what the archive stores.
    fn add_inputs(&mut self) -> Result<(), Fault> {
        let program = self.program;
        for input in program.inputs()? {
            let meta = || {
                let meta = program.graph().tensor_values.get(input.name);
                meta.ok_or_else(|| invalid!("input {:?} has no shape", clean(input.name)))
            };
            match input.kind {
                Kind::Fed => {
                    let info = value_info(input.name, meta()?);
                    let info = info.ok_or_else(|| unsupported!("input {:?}: its type", clean(input.name)))?;
                    self.graph.input.push(info);
                }
                Kind::Stored(name) => self.add_stored(input.name, name)?,
            }
        }
        Ok(())
    }

    /// A tensor of the archive under the name that the graph has for it.
    fn add_stored(&mut self, name: &str, module: &str) -> Result<(), Fault> {
        let stored = self.stored.get(module).ok_or_else(|| invalid!("no weights for {:?}", clean(module)))?;
        let Stored { tensor, transpose } = stored.clone();
        let Some(transpose) = transpose else { return self.add_initializer(name.to_string(), &tensor) };
        let in_memory = format!("{name}.stored");
        self.graph.node.push(NodeProto {
            name: name.to_string(),
            op_type: "Transpose".to_string(),
            input: vec![in_memory.clone()],
            output: vec![name.to_string()],
            attribute: vec![counts("perm", &transpose)],
            ..NodeProto::default()
        });
        self.add_initializer(in_memory, &tensor)
    }

    fn add_initializer(&mut self, name: String, tensor: &Tensor) -> Result<(), Fault> {
        self.places.insert(name.clone(), self.graph.initializer.len());
        self.graph.initializer.push(proto(name, tensor)?);
        Ok(())
    }

    /// Takes out the nodes and initializers that came after so many of each.
    fn cut_back(&mut self, nodes: usize, initializers: usize) {
        self.graph.node.truncate(nodes);
        for tensor in self.graph.initializer.drain(initializers..) {
            self.places.remove(&tensor.name);
        }
    }

    /// Adds a node of ONNX that makes `output`.
    fn add(&mut self, call: &Call<'_>, op_type: &str, inputs: Vec<String>, output: &str, more: Vec<AttributeProto>) {
        let is_main = call.outputs().first() == Some(&output);
        self.graph.node.push(NodeProto {
            name: if is_main { call.name() } else { output.to_string() },
            op_type: op_type.to_string(),
            input: inputs,
            output: vec![output.to_string()],
            attribute: more,
            ..NodeProto::default()
        });
    }

    /// Adds a constant and returns its name.
    fn constant(&mut self, tensor: &Tensor, call: &Call<'_>, what: &str) -> Result<String, Fault> {
        let name = format!("{}.{what}", call.outputs().first().copied().unwrap_or_default());
        self.add_initializer(name.clone(), tensor)?;
        Ok(name)
    }

    /// A constant of 64-bit integers, of one axis.
    fn integers(&mut self, values: &[i64], call: &Call<'_>, what: &str) -> Result<String, Fault> {
        let (data_type, shape, data) = (DataType::I64, vec![values.len()], Data::Int(values.to_vec()));
        self.constant(&Array { data_type, shape, data }.into_tensor(), call, what)
    }

    /// A constant without axes, rounded to this element type.
    fn number_of(&mut self, data_type: DataType, value: f64, call: &Call<'_>, what: &str) -> Result<String, Fault> {
        let is_whole = value.fract() == 0.0 && value.abs() < (1u64 << 53) as f64;
        let data = match data_type.is_real() {
            true => Some(Data::Real(vec![value])),
            false => is_whole.then(|| Data::Int(vec![value as i64])),
        };
        let data = data.and_then(|data| settle(data, data_type)).ok_or_else(|| {
            unsupported!("argument {what:?} is {value}, beside elements of the type {}", data_type.name())
        })?;
        self.constant(&Array { data_type, shape: Vec::new(), data }.into_tensor(), call, what)
    }

    /// The element type of a value.
    fn data_type(&self, name: &str) -> Option<DataType> {
        self.program.graph().tensor_values.get(name)?.data_type()
    }

    /// A value in this element type; `what` is it in the names of what is made.
    fn cast(&mut self, name: &str, to: DataType, call: &Call<'_>, what: &str) -> String {
        if self.data_type(name) == Some(to) {
            return name.to_string();
        }
        let made = format!("{}.{what}", call.outputs().first().copied().unwrap_or_default());
        self.add(call, "Cast", vec![name.to_string()], &made, vec![int("to", i64::from(number(to)))]);
        made
    }
}

/// The shape and the type of a value, as ONNX declares it; none where the type has no like there.
fn value_info(name: &str, meta: &TensorMeta) -> Option<ValueInfoProto> {
    let dimension = |size: &program::Size| Dimension {
        value: match size.fixed() {
            Some(n) => Some(DimensionValue::DimValue(n)),
            None => Some(DimensionValue::DimParam("n".to_string())),
        },
    };
    let shape = Some(TensorShapeProto { dim: meta.sizes.iter().map(dimension).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: number(meta.data_type()?), shape });
    Some(ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type }) })
}
