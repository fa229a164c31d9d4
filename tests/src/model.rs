//! Small ONNX files.

use bytes::Bytes;
use formats::onnx::proto::{
    AttributeProto, AttributeType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// `TensorProto.DataType` of ONNX.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const UINT16: i32 = 4;
const INT64: i32 = 7;

/// Value of a node's attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A real number.
    Float(f32),
    /// A word.
    Text(&'static str),
}

/// Builds an ONNX file with one input `x`, `[N, …]`, and one output, the last node's first.
#[derive(Clone, Debug, Default)]
pub struct ModelBuilder {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    input: Vec<Option<i64>>,
}

impl ModelBuilder {
    /// A graph whose input `x` has this shape; `None` is a symbolic extent.
    pub fn new(input: &[Option<i64>]) -> Self {
        Self { input: input.to_vec(), ..Self::default() }
    }

    /// Adds an initializer of real numbers.
    pub fn floats(mut self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializers.push(tensor(name, FLOAT, shape, bytes));
        self
    }

    /// Adds an initializer of signed bytes.
    pub fn bytes(mut self, name: &str, shape: &[i64], values: &[i8]) -> Self {
        self.initializers.push(tensor(name, INT8, shape, values.iter().map(|&v| v as u8).collect()));
        self
    }

    /// Adds an initializer of unsigned bytes.
    pub fn unsigned_bytes(mut self, name: &str, shape: &[i64], values: &[u8]) -> Self {
        self.initializers.push(tensor(name, UINT8, shape, values.to_vec()));
        self
    }

    /// Adds an initializer of unsigned 16-bit integers.
    pub fn unsigned_words(mut self, name: &str, shape: &[i64], values: &[u16]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializers.push(tensor(name, UINT16, shape, bytes));
        self
    }

    /// Adds an initializer of 64-bit integers.
    pub fn integers(mut self, name: &str, shape: &[i64], values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializers.push(tensor(name, INT64, shape, bytes));
        self
    }

    /// Adds a node with one output.
    pub fn node(mut self, op_type: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Self {
        self.nodes.push(NodeProto {
            op_type: op_type.to_string(),
            name: format!("{output}_{op_type}"),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.to_string()],
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            ..NodeProto::default()
        });
        self
    }

    /// The file.
    pub fn build(&self) -> Bytes {
        let output = self.nodes.last().map_or("x".to_string(), |node| node.output[0].clone());
        let graph = GraphProto {
            name: "test".to_string(),
            node: self.nodes.clone(),
            initializer: self.initializers.clone(),
            input: vec![value_info("x", Some(&self.input))],
            output: vec![value_info(&output, None)],
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: 8,
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
            ..ModelProto::default()
        };
        model.encode_to_vec().into()
    }
}

fn tensor(name: &str, data_type: i32, shape: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        data_type,
        dims: shape.to_vec(),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

fn value_info(name: &str, shape: Option<&[Option<i64>]>) -> ValueInfoProto {
    let dimension = |extent: &Option<i64>| Dimension {
        value: Some(match extent {
            Some(n) => DimensionValue::DimValue(*n),
            None => DimensionValue::DimParam("N".to_string()),
        }),
    };
    let shape = shape.map(|shape| TensorShapeProto { dim: shape.iter().map(dimension).collect() });
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { tensor_type: Some(TensorTypeProto { elem_type: FLOAT, shape }) }),
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    let kind = match value {
        Attribute::Int(i) => {
            proto.i = *i;
            AttributeType::Int
        }
        Attribute::Ints(ints) => {
            proto.ints = ints.clone();
            AttributeType::Ints
        }
        Attribute::Float(f) => {
            proto.f = *f;
            AttributeType::Float
        }
        Attribute::Text(text) => {
            proto.s = Bytes::from_static(text.as_bytes());
            AttributeType::String
        }
    };
    proto.r#type = kind as i32;
    proto
}
