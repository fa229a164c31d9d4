//! Small ONNX files.

use bytes::Bytes;
use formats::ReadOptions;
use formats::onnx::proto::*;
use network::{Network, NetworkError};
use prost::Message;

/// An ONNX file under construction.
#[derive(Clone, Debug)]
pub struct Model {
    /// Version of ONNX's own operators.
    pub opset: i64,
    /// The graph; what no method adds is added by hand.
    pub graph: GraphProto,
}

/// A file of opset 17 whose graph returns `y`, the value of that name.
pub fn model() -> Model {
    let output = ValueInfoProto { name: "y".to_string(), r#type: None };
    Model { opset: 17, graph: GraphProto { name: "g".to_string(), output: vec![output], ..Default::default() } }
}

impl Model {
    /// Sets the version of ONNX's own operators.
    pub fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// A float input; an extent of 0 is symbolic.
    pub fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph.input.push(value_info(name, 1, shape));
        self
    }

    /// Returns this value in place of `y`.
    pub fn returning(mut self, name: &str) -> Self {
        self.graph.output[0].name = name.to_string();
        self
    }

    /// Returns exactly these values.
    pub fn returning_all(mut self, names: &[&str]) -> Self {
        let output = |name: &&str| ValueInfoProto { name: name.to_string(), r#type: None };
        self.graph.output = names.iter().map(output).collect();
        self
    }

    /// The shape of a float value inside the graph; an extent of 0 is symbolic.
    pub fn value_info(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph.value_info.push(value_info(name, 1, shape));
        self
    }

    /// A float initializer with values 1, 2, 3, …
    pub fn weights(self, name: &str, shape: &[i64]) -> Self {
        let values: Vec<f32> = (1..=shape.iter().product::<i64>()).map(|i| i as f32).collect();
        self.tensor(floats(name, shape, &values))
    }

    /// A float initializer.
    pub fn floats(self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        self.tensor(floats(name, shape, values))
    }

    /// An initializer of signed bytes.
    pub fn int8s(self, name: &str, shape: &[i64], values: &[i8]) -> Self {
        self.tensor(int8s(name, shape, values))
    }

    /// An initializer of unsigned bytes.
    pub fn uint8s(self, name: &str, shape: &[i64], values: &[u8]) -> Self {
        self.tensor(uint8s(name, shape, values))
    }

    /// An initializer of 64-bit integers, of one axis.
    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        self.tensor(ints(name, &[values.len() as i64], values))
    }

    /// Any initializer.
    pub fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph.initializer.push(tensor);
        self
    }

    /// A node without attributes. Its operator is `Conv` or, of another domain, `com.microsoft:QGemm`.
    pub fn node(self, op: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        self.node_with(op, inputs, outputs, vec![])
    }

    /// A node with attributes.
    pub fn node_with(mut self, op: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> Self {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let (domain, op_type) = op.split_once(':').unwrap_or(("", op));
        self.graph.node.push(NodeProto {
            input: owned(inputs),
            output: owned(outputs),
            name: format!("{op_type}_{}", outputs.first().unwrap_or(&"")),
            op_type: op_type.to_string(),
            domain: domain.to_string(),
            attribute,
            ..Default::default()
        });
        self
    }

    /// An If on the condition `c`, with one output.
    pub fn branches(self, output: &str, [if_true, if_false]: [Model; 2]) -> Self {
        let branches = vec![graph("then_branch", if_true.graph), graph("else_branch", if_false.graph)];
        self.node_with("If", &["c"], &[output], branches)
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: self.opset }];
        let graph = Some(self.graph.clone());
        ModelProto { ir_version: 8, opset_import, graph, ..Default::default() }.encode_to_vec()
    }

    /// What reading the file with these options gives.
    pub fn read_with(&self, options: &ReadOptions) -> Result<Network, NetworkError> {
        formats::from_bytes("test.onnx", Bytes::from(self.bytes()), options)
    }

    /// What reading the file gives.
    pub fn try_read(&self) -> Result<Network, NetworkError> {
        self.read_with(&ReadOptions::default())
    }

    /// The network.
    ///
    /// # Panics
    ///
    /// If the file is refused.
    pub fn read(&self) -> Network {
        self.try_read().expect("the model is valid")
    }

    /// The message of the error.
    ///
    /// # Panics
    ///
    /// If the file is read, or the message is not one line that names the file.
    pub fn error(&self) -> String {
        let message = self.try_read().expect_err("the model is wrong").to_string();
        assert!(!message.contains('\n') && message.starts_with("test.onnx: "), "{message:?}");
        message
    }
}

/// A value of the graph; an extent of 0 is symbolic.
pub fn value_info(name: &str, elem_type: i32, shape: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| Dimension {
        value: Some(match n {
            0 => DimensionValue::DimParam("open".to_string()),
            n => DimensionValue::DimValue(n),
        }),
    };
    let shape = Some(TensorShapeProto { dim: shape.iter().map(dim).collect() });
    let r#type = Some(TypeProto { tensor_type: Some(TensorTypeProto { elem_type, shape }) });
    ValueInfoProto { name: name.to_string(), r#type }
}

/// A tensor of any type (`TensorProto.DataType`), its numbers in little-endian bytes.
pub fn raw(name: &str, data_type: i32, dims: &[i64], bytes: Vec<u8>) -> TensorProto {
    let raw_data = Some(Bytes::from(bytes));
    TensorProto { name: name.to_string(), data_type, dims: dims.to_vec(), raw_data, ..Default::default() }
}

/// A tensor of float32.
pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    raw(name, 1, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// A tensor of int64.
pub fn ints(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    raw(name, 7, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// A tensor of int8.
pub fn int8s(name: &str, dims: &[i64], values: &[i8]) -> TensorProto {
    raw(name, 3, dims, values.iter().map(|&v| v as u8).collect())
}

/// A tensor of uint8.
pub fn uint8s(name: &str, dims: &[i64], values: &[u8]) -> TensorProto {
    raw(name, 2, dims, values.to_vec())
}

/// A tensor of uint16.
pub fn uint16s(name: &str, dims: &[i64], values: &[u16]) -> TensorProto {
    raw(name, 4, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// A tensor of bool.
pub fn bools(name: &str, dims: &[i64], values: &[bool]) -> TensorProto {
    raw(name, 9, dims, values.iter().map(|&v| u8::from(v)).collect())
}

/// A tensor of int32.
pub fn int32s(name: &str, dims: &[i64], values: &[i32]) -> TensorProto {
    raw(name, 6, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: kind as i32, ..Default::default() }
}

/// An attribute that is an integer.
pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::Int) }
}

/// An attribute that is a real number.
pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::Float) }
}

/// An attribute that is a list of integers.
pub fn int_list(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::Ints) }
}

/// An attribute that is a text.
pub fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: Bytes::from(s.to_string()), ..attribute(name, AttributeType::String) }
}

/// An attribute that is a list of texts.
pub fn strings(name: &str, list: &[&str]) -> AttributeProto {
    let strings = list.iter().map(|s| Bytes::from(s.to_string())).collect();
    AttributeProto { strings, ..attribute(name, AttributeType::Strings) }
}

/// An attribute that is a tensor.
pub fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(t), ..attribute(name, AttributeType::Tensor) }
}

/// An attribute that is a graph.
pub fn graph(name: &str, g: GraphProto) -> AttributeProto {
    AttributeProto { g: Some(g), ..attribute(name, AttributeType::Graph) }
}
