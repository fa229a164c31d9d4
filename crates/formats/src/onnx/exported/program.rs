//! The JSON of an exported program, as far as it is looked at.

use std::collections::BTreeMap;

use network::DataType;
use serde::Deserialize;
use serde_json::Value;

use crate::reading::fault::{Fault, clean, unsupported};

/// A program: its graph, and which of its inputs are fed.
#[derive(Debug, Deserialize)]
pub(super) struct Program {
    graph_module: GraphModule,
}

#[derive(Debug, Deserialize)]
struct GraphModule {
    graph: Graph,
    signature: Signature,
}

#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) tensor_values: BTreeMap<String, TensorMeta>,
    #[serde(default)]
    sym_int_values: BTreeMap<String, Value>,
}

/// A node: an operator, its arguments by name, what it makes.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) target: String,
    pub(super) inputs: Vec<NamedArgument>,
    outputs: Vec<Value>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedArgument {
    pub(super) name: String,
    /// An object of one field, whose name is the kind of the argument: `{"as_ints": [2, 2]}`.
    pub(super) arg: Value,
}

impl NamedArgument {
    /// The kind of the argument and its value; none for `None`.
    pub(super) fn value(&self) -> Option<(&str, &Value)> {
        let (kind, value) = self.arg.as_object()?.iter().next()?;
        (kind != "as_none").then_some((kind.as_str(), value))
    }
}

/// Shape, type and layout of a tensor.
#[derive(Debug, Deserialize)]
pub(super) struct TensorMeta {
    /// A number of its own; see [`TensorMeta::data_type`].
    dtype: i64,
    pub(super) sizes: Vec<Size>,
    pub(super) strides: Vec<Size>,
    pub(super) storage_offset: Size,
}

impl TensorMeta {
    /// The element type; none where it has no like here.
    pub(super) fn data_type(&self) -> Option<DataType> {
        Some(match self.dtype {
            1 => DataType::U8,
            2 => DataType::I8,
            3 => DataType::I16,
            4 => DataType::I32,
            5 => DataType::I64,
            6 => DataType::F16,
            7 => DataType::F32,
            8 => DataType::F64,
            12 => DataType::Bool,
            13 => DataType::Bf16,
            28 => DataType::U16,
            _ => return None,
        })
    }
}

/// An extent: `{"as_int": 8}`, or an expression in names where it is open.
#[derive(Debug, Deserialize)]
pub(super) struct Size(Value);

impl Size {
    /// The number; none where it is open.
    pub(super) fn fixed(&self) -> Option<i64> {
        self.0.get("as_int").and_then(Value::as_i64)
    }
}

#[derive(Debug, Deserialize)]
struct Signature {
    input_specs: Vec<Value>,
    output_specs: Vec<Value>,
}

/// An input of the graph.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind<'a>,
}

/// Where the value of an input comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    Fed,
    /// The archive stores it under this name.
    Stored(&'a str),
}

impl Program {
    pub(super) fn graph(&self) -> &Graph {
        &self.graph_module.graph
    }

    /// The inputs that are tensors, in order.
    pub(super) fn inputs(&self) -> Result<Vec<Input<'_>>, Fault> {
        self.graph_module.signature.input_specs.iter().filter_map(|spec| input(spec).transpose()).collect()
    }

    /// The names of the values that the graph returns. Values that it only updates are none.
    pub(super) fn outputs(&self) -> Result<Vec<&str>, Fault> {
        let returned = self.graph_module.signature.output_specs.iter().filter_map(|spec| spec.get("user_output"));
        returned
            .map(|spec| {
                let name = spec.get("arg").and_then(|arg| arg.get("as_tensor")).and_then(|tensor| tensor.get("name"));
                name.and_then(Value::as_str).ok_or_else(|| unsupported!("an output that is no tensor"))
            })
            .collect()
    }

    /// The number behind a name of an integer; none where it is open.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.graph().sym_int_values.get(name)?.get("as_int")?.as_i64()
    }
}

/// An input of a signature; none where it is no tensor.
fn input(spec: &Value) -> Result<Option<Input<'_>>, Fault> {
    // `{"parameter": {"arg": {"name": …}, "parameter_name": …}}`
    let (kind, fields) = spec.as_object().and_then(|spec| spec.iter().next()).ok_or_else(unknown)?;
    let name = |key: &str| fields.get(key).and_then(Value::as_str).ok_or_else(unknown);
    let arg = fields.get("arg").ok_or_else(unknown)?;
    let own = || arg.get("name").and_then(Value::as_str).ok_or_else(unknown);
    let stored = |key: &str| Ok(Some(Input { name: own()?, kind: Kind::Stored(name(key)?) }));
    match kind.as_str() {
        "parameter" => stored("parameter_name"),
        "buffer" => stored("buffer_name"),
        "tensor_constant" => stored("tensor_constant_name"),
        "user_input" => {
            let tensor = arg.get("as_tensor").and_then(|tensor| tensor.get("name")).and_then(Value::as_str);
            Ok(tensor.map(|name| Input { name, kind: Kind::Fed }))
        }
        other => Err(unsupported!("an input of the kind {:?}", clean(other))),
    }
}

fn unknown() -> Fault {
    unsupported!("its signature is not as this program knows it")
}

impl Node {
    /// The values that the node makes, as far as they are tensors.
    pub(super) fn outputs(&self) -> Vec<&str> {
        self.outputs.iter().flat_map(tensor_names).collect()
    }

    /// The name of the node in messages.
    pub(super) fn name(&self) -> &str {
        self.outputs().first().copied().unwrap_or(&self.target)
    }
}

/// The names in an argument of one tensor, or of a list of them.
pub(super) fn tensor_names(argument: &Value) -> Vec<&str> {
    if let Some(tensor) = argument.get("as_tensor") {
        return tensor.get("name").and_then(Value::as_str).into_iter().collect();
    }
    let list = argument.get("as_tensors").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|tensor| tensor.get("name").and_then(Value::as_str)).collect()
}
