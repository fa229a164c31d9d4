//! Deterministic damage to bytes, and to ONNX models as what they are.

use bytes::Bytes;
use formats::onnx::proto::{AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto, TensorProto};
use prost::Message;

/// Numbers that break code which trusts a file.
const EXTREMES: [i64; 14] = [i64::MIN, -2, -1, 0, 1, 2, 3, 8, 255, 1 << 16, (1 << 31) - 1, 1 << 40, 1 << 60, i64::MAX];

/// Operators that a node may become.
const OPERATORS: [&str; 31] = [
    "Conv",
    "Gemm",
    "MatMul",
    "Relu",
    "Add",
    "Mul",
    "Concat",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Pad",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "BatchNormalization",
    "QuantizeLinear",
    "DequantizeLinear",
    "Softmax",
    "Shape",
    "Expand",
    "Gather",
    "Quant",
    "BipolarQuant",
    "QLinearConv",
    "QLinearMatMul",
    "QLinearAdd",
    "QLinearConcat",
    "QLinearAveragePool",
];

/// Pseudo-random numbers: the high bits of Knuth's MMIX congruence.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    /// A number below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number that breaks code which trusts a file, or a small one.
    pub(super) fn extreme(&mut self) -> i64 {
        match self.below(4) {
            0 => self.below(70) as i64,
            _ => EXTREMES[self.below(EXTREMES.len())],
        }
    }
}

/// A damaged copy of `bytes`: one to four changes of bytes, at times with parts of `other`.
pub fn mutate(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        change(&mut copy, other, random);
    }
    copy
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(other);
    }
    let place = random.below(bytes.len());
    let end = (place + 1 + random.below(16)).min(bytes.len());
    match random.below(9) {
        0 => bytes[place] ^= 1 << random.below(8),
        1 => bytes[place] = random.next() as u8,
        2 => bytes[place..end].fill([0, 0x7f, 0x80, 0xff][random.below(4)]),
        3 => drop(bytes.drain(place..end)),
        4 => {
            let repeated = bytes[place..end].to_vec();
            bytes.splice(place..place, repeated);
        }
        5 => {
            let number = random.extreme().to_le_bytes();
            let len = number.len().min(bytes.len() - place).min(1 << random.below(4));
            bytes[place..place + len].copy_from_slice(&number[..len]);
        }
        6 => bytes.truncate(place),
        7 => {
            let digits = random.extreme().to_string();
            let number = bytes[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            bytes.splice(place..place + number, digits.bytes());
        }
        _ if other.is_empty() => {}
        _ => {
            let start = random.below(other.len());
            let piece = &other[start..(start + 1 + random.below(64)).min(other.len())];
            bytes.splice(place..end, piece.iter().copied());
        }
    }
}

/// A copy of an ONNX model with one to three of its parts changed, still a well-formed message; `None` where the bytes are
/// no model.
pub fn mutate_model(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(Bytes::copy_from_slice(bytes)).ok()?;
    for _ in 0..1 + random.below(3) {
        match (random.below(20), model.graph.as_mut()) {
            (0, _) if !model.opset_import.is_empty() => model.opset_import[0].version = random.extreme(),
            (_, Some(graph)) => change_graph(graph, random),
            (_, None) => return None,
        }
    }
    Some(model.encode_to_vec())
}

fn change_graph(graph: &mut GraphProto, random: &mut Random) {
    match random.below(8) {
        0 | 1 if !graph.initializer.is_empty() => {
            let index = random.below(graph.initializer.len());
            change_tensor(&mut graph.initializer[index], random);
        }
        2 if !graph.input.is_empty() => change_input(graph, random),
        3 if graph.node.len() > 1 => {
            let (a, b) = (random.below(graph.node.len()), random.below(graph.node.len()));
            graph.node.swap(a, b);
        }
        4 if !graph.node.is_empty() => {
            let index = random.below(graph.node.len());
            let mut copy = graph.node[index].clone();
            copy.output.iter_mut().for_each(|name| name.push('\''));
            graph.node.insert(random.below(index + 1), copy);
        }
        _ if !graph.node.is_empty() => change_node(graph, random),
        _ => {}
    }
}

fn change_tensor(tensor: &mut TensorProto, random: &mut Random) {
    match random.below(6) {
        0 => tensor.data_type = random.below(24) as i32,
        1 => tensor.dims.push(random.extreme()),
        2 => tensor.dims.reverse(),
        3 => drop(tensor.dims.pop()),
        4 if !tensor.dims.is_empty() => {
            let axis = random.below(tensor.dims.len());
            tensor.dims[axis] = random.extreme();
        }
        _ => {
            if let Some(raw) = tensor.raw_data.take() {
                tensor.raw_data = Some(mutate(&raw, &[], random).into());
            }
        }
    }
}

fn change_input(graph: &mut GraphProto, random: &mut Random) {
    let index = random.below(graph.input.len());
    let tensor = graph.input[index].r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_mut()) else { return };
    if shape.dim.is_empty() {
        return;
    }
    let axis = random.below(shape.dim.len());
    shape.dim[axis].value = Some(DimensionValue::DimValue(random.extreme()));
}

fn change_node(graph: &mut GraphProto, random: &mut Random) {
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().cloned())
        .chain(graph.initializer.iter().map(|tensor| tensor.name.clone()))
        .collect();
    let index = random.below(graph.node.len());
    let node: &mut NodeProto = &mut graph.node[index];
    match random.below(6) {
        0 => node.op_type = OPERATORS[random.below(OPERATORS.len())].to_string(),
        1 if !node.input.is_empty() => {
            let input = random.below(node.input.len());
            node.input[input] = names[random.below(names.len())].clone();
        }
        2 => node.input.push(names[random.below(names.len())].clone()),
        3 => drop(node.input.pop()),
        4 => node.attribute.push(attribute(random)),
        _ if node.attribute.is_empty() => node.attribute.push(attribute(random)),
        _ => {
            let attribute = random.below(node.attribute.len());
            change_attribute(&mut node.attribute[attribute], random);
        }
    }
}

fn attribute(random: &mut Random) -> AttributeProto {
    const NAMES: [&str; 12] = [
        "kernel_shape",
        "strides",
        "pads",
        "dilations",
        "group",
        "axis",
        "axes",
        "perm",
        "transA",
        "transB",
        "ceil_mode",
        "keepdims",
    ];
    let name = NAMES[random.below(NAMES.len())];
    let (i, ints) = (random.extreme(), (0..random.below(5)).map(|_| random.extreme()).collect());
    AttributeProto {
        name: name.into(),
        i,
        ints,
        r#type: if random.below(2) == 0 { 2 } else { 7 },
        ..Default::default()
    }
}

fn change_attribute(attribute: &mut AttributeProto, random: &mut Random) {
    match random.below(4) {
        0 => attribute.i = random.extreme(),
        1 => attribute.ints.push(random.extreme()),
        2 if !attribute.ints.is_empty() => {
            let index = random.below(attribute.ints.len());
            attribute.ints[index] = random.extreme();
        }
        _ => attribute.f = [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e38][random.below(5)],
    }
}
