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
mod weights;

use std::collections::HashMap;

use bytes::Bytes;

use self::call::Call;
use self::program::{Kind, Program, TensorMeta};
use super::proto::{
    AttributeProto, AttributeType, Dimension, DimensionValue, GraphProto, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
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
    stored: HashMap<String, TensorProto>,
    /// The name in the graph by the name in the module, of tensors that are there.
    operators: Vec<String>,
}

impl<'a> Translation<'a> {
    fn new(program: &'a Program, stored: HashMap<String, TensorProto>) -> Self {
        let graph = GraphProto { name: "torch.export".to_string(), ..GraphProto::default() };
        Self { program, graph, stored, operators: Vec::new() }
    }

    fn run(mut self) -> Result<(GraphProto, Vec<String>), Fault> {
        self.add_inputs()?;
        for node in &self.program.graph().nodes {
            let call = Call { node, program: self.program };
            let name = call.operator();
            if operators::is_silent(name) {
                continue;
            }
            self.operators.push(format!("aten:{}", name.strip_suffix(".default").unwrap_or(name)));
            operators::translate(&mut self, &call)
                .map_err(|fault| within(fault, &format!("node {:?}", node.name())))?;
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
                Kind::Stored(name) => {
                    let tensor = self.stored.get(name).cloned();
                    let tensor = tensor.ok_or_else(|| invalid!("no weights for {:?}", clean(name)))?;
                    self.graph.initializer.push(TensorProto { name: input.name.to_string(), ..tensor });
                }
            }
        }
        Ok(())
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
    fn constant(&mut self, tensor: TensorProto, call: &Call<'_>, what: &str) -> String {
        let name = format!("{}.{what}", call.outputs().first().copied().unwrap_or_default());
        self.graph.initializer.push(TensorProto { name: name.clone(), ..tensor });
        name
    }

    /// A constant of 64-bit integers, of one axis.
    fn integers(&mut self, values: &[i64], call: &Call<'_>, what: &str) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (dims, raw_data) = (vec![values.len() as i64], Some(bytes.into()));
        self.constant(TensorProto { dims, data_type: 7, raw_data, ..TensorProto::default() }, call, what)
    }

    /// The element type of a value, by its number in ONNX.
    fn element_type(&self, name: &str) -> Option<i32> {
        weights::element_type(self.program.graph().tensor_values.get(name)?.dtype)
    }

    /// A constant without axes, of this element type.
    fn number_of(&mut self, data_type: Option<i32>, value: f64, call: &Call<'_>, what: &str) -> Result<String, Fault> {
        let bytes = match data_type {
            Some(1) => (value as f32).to_le_bytes().to_vec(),
            Some(6) => (value as i32).to_le_bytes().to_vec(),
            Some(7) => (value as i64).to_le_bytes().to_vec(),
            Some(10) => half::f16::from_f64(value).to_le_bytes().to_vec(),
            Some(11) => value.to_le_bytes().to_vec(),
            Some(16) => half::bf16::from_f64(value).to_le_bytes().to_vec(),
            Some(_) | None => return Err(unsupported!("{}: a number beside values of this type", call.operator())),
        };
        let data_type = data_type.expect("its bytes are known");
        let tensor = TensorProto { data_type, raw_data: Some(bytes.into()), ..TensorProto::default() };
        Ok(self.constant(tensor, call, what))
    }
}

/// A fault with its place in front.
fn within(fault: Fault, place: &str) -> Fault {
    let placed = |problem: String| format!("{place}: {problem}");
    match fault {
        Fault::Invalid(problem) => Fault::Invalid(placed(problem)),
        Fault::Unsupported(problem) => Fault::Unsupported(placed(problem)),
        Fault::NotRun(problem) => Fault::NotRun(placed(problem)),
        Fault::NotCosted(problem) => Fault::NotCosted(placed(problem)),
        Fault::OpenShape(problem) => Fault::OpenShape(placed(problem)),
        Fault::UnknownShape => Fault::UnknownShape,
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
    let tensor_type = Some(TensorTypeProto { elem_type: weights::element_type(meta.dtype)?, shape });
    Some(ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type }) })
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_string(), i, r#type: AttributeType::Int as i32, ..AttributeProto::default() }
}

fn float(name: &str, value: f64) -> AttributeProto {
    let f = value as f32;
    AttributeProto { name: name.to_string(), f, r#type: AttributeType::Float as i32, ..AttributeProto::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_string(), ints, r#type: AttributeType::Ints as i32, ..AttributeProto::default() }
}

fn string(name: &str, text: &str) -> AttributeProto {
    let s = Bytes::copy_from_slice(text.as_bytes());
    AttributeProto { name: name.to_string(), s, r#type: AttributeType::String as i32, ..AttributeProto::default() }
}
