//! Builds small ONNX models for tests.

// Every test binary uses its own part of this.
#![allow(dead_code)]

use bytes::Bytes;
use formats::ReadOptions;
use formats::onnx::proto::*;
use network::{Geometry, LayerId, LayerWeights, MacLayer, Network, NetworkError, WeightValues};
use prost::Message;

/// A model under construction.
pub struct Model {
    pub opset: i64,
    pub graph: GraphProto,
}

/// A model of opset 17 whose graph returns `y`.
pub fn model() -> Model {
    let output = ValueInfoProto { name: "y".to_string(), r#type: None };
    Model { opset: 17, graph: GraphProto { name: "g".to_string(), output: vec![output], ..Default::default() } }
}

impl Model {
    pub fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// A float input; an extent of 0 is symbolic.
    pub fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph.input.push(value_info(name, 1, shape));
        self
    }

    pub fn value_info(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph.value_info.push(value_info(name, 1, shape));
        self
    }

    /// A float initializer with values 1, 2, 3, …
    pub fn weights(self, name: &str, shape: &[i64]) -> Self {
        let values: Vec<f32> = (1..=shape.iter().product::<i64>()).map(|i| i as f32).collect();
        self.tensor(floats(name, shape, &values))
    }

    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        self.tensor(ints(name, &[values.len() as i64], values))
    }

    pub fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph.initializer.push(tensor);
        self
    }

    pub fn node(self, op: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        self.node_with(op, inputs, outputs, vec![])
    }

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

    pub fn bytes(&self) -> Vec<u8> {
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: self.opset }];
        let graph = Some(self.graph.clone());
        ModelProto { ir_version: 8, opset_import, graph, ..Default::default() }.encode_to_vec()
    }

    pub fn read_with(&self, options: &ReadOptions) -> Result<Network, NetworkError> {
        formats::from_bytes("test.onnx", Bytes::from(self.bytes()), options)
    }

    pub fn try_read(&self) -> Result<Network, NetworkError> {
        self.read_with(&ReadOptions::default())
    }

    pub fn read(&self) -> Network {
        self.try_read().expect("the model is valid")
    }

    /// The message of the error, which must be one line that names the file.
    pub fn error(&self) -> String {
        let message = self.try_read().expect_err("the model is wrong").to_string();
        assert!(!message.contains('\n') && message.starts_with("test.onnx: "), "{message:?}");
        message
    }
}

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

/// A tensor with raw data.
pub fn raw(name: &str, data_type: i32, dims: &[i64], bytes: Vec<u8>) -> TensorProto {
    let raw_data = Some(Bytes::from(bytes));
    TensorProto { name: name.to_string(), data_type, dims: dims.to_vec(), raw_data, ..Default::default() }
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    raw(name, 1, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub fn ints(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    raw(name, 7, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub fn int8s(name: &str, dims: &[i64], values: &[i8]) -> TensorProto {
    raw(name, 3, dims, values.iter().map(|&v| v as u8).collect())
}

pub fn int32s(name: &str, dims: &[i64], values: &[i32]) -> TensorProto {
    raw(name, 6, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: kind as i32, ..Default::default() }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::Int) }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::Float) }
}

pub fn int_list(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::Ints) }
}

pub fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: Bytes::from(s.to_string()), ..attribute(name, AttributeType::String) }
}

pub fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(t), ..attribute(name, AttributeType::Tensor) }
}

/// The only layer of a network.
pub fn layer(network: &Network) -> &MacLayer {
    assert_eq!(network.layers().len(), 1, "{:?}", network.notes());
    &network.layers()[0]
}

pub fn geometry(network: &Network) -> &Geometry {
    &layer(network).geometry
}

/// Real weights of a layer.
pub fn real_weights(network: &Network, index: usize) -> Vec<f32> {
    match network.weights(LayerId(index)).expect("valid weights") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected float weights, found {other:?}"),
    }
}

/// Codes and scales of a layer.
pub fn codes(network: &Network, index: usize) -> (Vec<i32>, Vec<f32>) {
    match network.weights(LayerId(index)).expect("valid weights") {
        LayerWeights::Quantized { codes, scales } => (codes.codes().to_vec(), scales),
        other => panic!("expected quantized weights, found {other:?}"),
    }
}

/// The shape of the first output of the graph.
pub fn output_shape(network: &Network) -> Vec<usize> {
    network.graph().value(network.graph().outputs()[0]).shape.clone().expect("a known shape")
}
