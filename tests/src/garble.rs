//! Damaged copies of an ONNX file: the same ones on every run.

use std::ops::Range;

use bytes::Bytes;
use formats::onnx::proto::{
    AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};
use prost::Message;

/// A damaged copy, and what was done to it.
pub struct Garbled {
    /// For messages.
    pub what: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Numbers that break code which trusts a file.
const EXTREMES: [i64; 9] = [i64::MIN, -1, 0, 1, 7, 1 << 31, 1 << 40, 1 << 62, i64::MAX];

/// Copies cut off at many places.
pub fn truncated(file: &[u8], count: usize) -> Vec<Garbled> {
    let lengths = (0..count).map(|i| i * file.len() / count).chain([1, 2, 3, 9, file.len() - 1]);
    lengths.map(|len| Garbled { what: format!("cut off at byte {len}"), bytes: file[..len].to_vec() }).collect()
}

/// Copies with one bit flipped; `everywhere`, or outside the numbers of the weights only.
pub fn flipped(file: &[u8], count: usize, everywhere: bool) -> Vec<Garbled> {
    places(file, count, everywhere)
        .map(|(place, noise)| {
            let bit = noise % 8;
            let mut bytes = file.to_vec();
            bytes[place] ^= 1 << bit;
            Garbled { what: format!("bit {bit} of byte {place} flipped"), bytes }
        })
        .collect()
}

/// Copies with a run of bytes outside the weights overwritten, left out or repeated.
pub fn rewritten(file: &[u8], count: usize) -> Vec<Garbled> {
    places(file, count, false)
        .map(|(place, noise)| {
            let end = file.len().min(place + 1 + noise / 8 % 12);
            let mut bytes = file.to_vec();
            let how = ["zeros", "ones", "varints without end", "nothing", "itself twice"][noise % 5];
            match noise % 5 {
                0 => bytes[place..end].fill(0),
                1 => bytes[place..end].fill(0xff),
                2 => bytes[place..end].fill(0x80),
                3 => drop(bytes.drain(place..end)),
                _ => drop(bytes.splice(place..place, file[place..end].to_vec())),
            }
            Garbled { what: format!("bytes {place}..{end} replaced by {how}"), bytes }
        })
        .collect()
}

/// Pseudo-random places and a number for each, by the high bits of Knuth's MMIX congruence.
fn places(file: &[u8], count: usize, everywhere: bool) -> impl Iterator<Item = (usize, usize)> {
    let numbers = if everywhere { Vec::new() } else { weight_bytes(file) };
    let len = file.len();
    let mut state = 0x0ddb_a115_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    std::iter::repeat_with(move || (next() % len, next()))
        .filter(move |(place, _)| !numbers.iter().any(|range| range.contains(place)))
        .take(count)
}

/// Where the numbers of the initializers lie in the file.
fn weight_bytes(file: &[u8]) -> Vec<Range<usize>> {
    let bytes = Bytes::copy_from_slice(file);
    let start = bytes.as_ptr() as usize;
    let graph = ModelProto::decode(bytes.clone()).ok().and_then(|model| model.graph).unwrap_or_default();
    let raw = graph.initializer.iter().filter_map(|tensor| tensor.raw_data.as_ref());
    // Decoding copies nothing, so that the slices lie in `bytes`.
    raw.map(|raw| raw.as_ptr() as usize - start..raw.as_ptr() as usize - start + raw.len()).collect()
}

/// Copies that are well-formed messages but contradict themselves, or hold numbers that no network has.
pub fn edited(file: &[u8]) -> Vec<Garbled> {
    let model = ModelProto::decode(Bytes::copy_from_slice(file)).expect("the original is a model");
    let mut editor = Editor { model, edits: Vec::new() };
    editor.dims();
    editor.tensors();
    editor.attributes();
    editor.inputs();
    editor.wiring();
    editor.names();
    editor.models();
    editor.edits
}

struct Editor {
    model: ModelProto,
    edits: Vec<Garbled>,
}

impl Editor {
    fn edit(&mut self, what: impl Into<String>, change: impl FnOnce(&mut ModelProto)) {
        let mut model = self.model.clone();
        change(&mut model);
        self.edits.push(Garbled { what: what.into(), bytes: model.encode_to_vec() });
    }

    fn edit_graph(&mut self, what: impl Into<String>, change: impl FnOnce(&mut GraphProto)) {
        self.edit(what, |model| change(model.graph.as_mut().expect("the original has a graph")));
    }

    /// Edits the first initializer: in most files the weights of the first convolution.
    fn edit_tensor(&mut self, what: impl Into<String>, change: impl FnOnce(&mut TensorProto)) {
        self.edit_graph(what, |graph| change(&mut graph.initializer[0]));
    }

    fn graph(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("the original has a graph")
    }

    /// Indices of the nodes of an operator.
    fn nodes(&self, op: &str) -> Vec<usize> {
        let nodes = self.graph().node.iter().enumerate();
        nodes.filter(|(_, node)| node.op_type == op).map(|(i, _)| i).collect()
    }

    fn dims(&mut self) {
        for tensor in [0, 1, self.graph().initializer.len() - 2] {
            for axis in 0..self.graph().initializer[tensor].dims.len().min(2) {
                for extreme in EXTREMES {
                    let what = format!("axis {axis} of tensor {tensor} is {extreme}");
                    self.edit_graph(what, |graph| graph.initializer[tensor].dims[axis] = extreme);
                }
            }
        }
        self.edit_tensor("axes in another order", |tensor| tensor.dims.reverse());
        self.edit_tensor("a fifth axis of 1", |tensor| tensor.dims.push(1));
        self.edit_tensor("no axis", |tensor| tensor.dims.clear());
        self.edit_tensor("many axes", |tensor| tensor.dims.extend([1; 10_000]));
        self.edit_tensor("axes whose product overflows", |tensor| tensor.dims = vec![1 << 21; 3]);
        self.edit_tensor("axes whose product overflows to 0", |tensor| tensor.dims = vec![1 << 32, 1 << 32]);
    }

    fn tensors(&mut self) {
        for data_type in (0..=24).chain([-1, i32::MAX]) {
            self.edit_tensor(format!("data type {data_type}"), |tensor| tensor.data_type = data_type);
        }
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45] {
            self.edit_tensor(format!("a weight of {number:e}"), |tensor| {
                let mut raw = tensor.raw_data.take().unwrap_or_default().to_vec();
                raw.splice(..raw.len().min(4), number.to_le_bytes());
                tensor.raw_data = Some(raw.into());
            });
        }
        self.edit_tensor("weights of 0 only", |tensor| {
            tensor.raw_data = tensor.raw_data.take().map(|raw| vec![0; raw.len()].into());
        });
        self.edit_tensor("a byte too few", |tensor| {
            tensor.raw_data = tensor.raw_data.take().map(|raw| raw.slice(1..));
        });
        self.edit_tensor("no numbers", |tensor| tensor.raw_data = None);
        self.edit_tensor("numbers twice", |tensor| tensor.float_data = tensor.raw_data.clone().into_iter().collect());
        for (key, value) in [("location", "../../../../etc/passwd"), ("location", ""), ("offset", "-1")] {
            self.edit_tensor(format!("external data, {key} {value:?}"), |tensor| {
                tensor.data_location = 1;
                tensor.external_data = vec![StringStringEntryProto { key: key.into(), value: value.into() }];
            });
        }
    }

    fn attributes(&mut self) {
        let conv = self.nodes("Conv")[0];
        for name in ["kernel_shape", "strides", "pads", "dilations", "group"] {
            for extreme in EXTREMES {
                self.edit_graph(format!("{name} of {extreme}"), |graph| {
                    set(&mut graph.node[conv], name, |attribute| {
                        attribute.i = extreme;
                        attribute.ints.iter_mut().for_each(|n| *n = extreme);
                    });
                });
            }
            self.edit_graph(format!("{name} without numbers"), |graph| {
                set(&mut graph.node[conv], name, |attribute| attribute.ints.clear());
            });
            self.edit_graph(format!("{name} of another type"), |graph| {
                set(&mut graph.node[conv], name, |attribute| attribute.r#type = 3);
            });
            self.edit_graph(format!("{name} twice"), |graph| {
                let attributes = &mut graph.node[conv].attribute;
                attributes.extend(attributes.iter().find(|a| a.name == name).cloned());
            });
        }
    }

    fn inputs(&mut self) {
        for axis in 0..4 {
            for extreme in EXTREMES {
                self.edit_graph(format!("axis {axis} of the input is {extreme}"), |graph| {
                    let tensor = graph.input[0].r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
                    let shape = tensor.and_then(|t| t.shape.as_mut()).expect("the original's input has a shape");
                    shape.dim[axis].value = Some(DimensionValue::DimValue(extreme));
                });
            }
        }
        self.edit_graph("an input without a type", |graph| graph.input[0].r#type = None);
        self.edit_graph("no input", |graph| graph.input.clear());
        self.edit_graph("the input twice", |graph| graph.input.push(graph.input[0].clone()));
        self.edit_graph("no output", |graph| graph.output.clear());
        self.edit_graph("an output that no node makes", |graph| graph.output[0].name = "nowhere".into());
    }

    fn wiring(&mut self) {
        let convs = self.nodes("Conv");
        let (middle, last) = (self.graph().node.len() / 2, self.graph().node.len() - 1);
        self.edit_graph("a cycle through all nodes", |graph| {
            graph.node[convs[0]].input[0] = graph.node[last].output[0].clone();
        });
        self.edit_graph("a node that reads itself", |graph| {
            graph.node[middle].input[0] = graph.node[middle].output[0].clone();
        });
        self.edit_graph("nodes in reverse order", |graph| graph.node.reverse());
        for &node in &convs {
            self.edit_graph(format!("weights of node {node} are its activation"), |graph| {
                graph.node[node].input.swap(0, 1);
            });
            self.edit_graph(format!("node {node} without inputs"), |graph| graph.node[node].input.clear());
            self.edit_graph(format!("node {node} without outputs"), |graph| graph.node[node].output.clear());
            self.edit_graph(format!("node {node} twice"), |graph| graph.node.push(graph.node[node].clone()));
            self.edit_graph(format!("node {node} left out"), |graph| drop(graph.node.remove(node)));
            for op in ["Gemm", "MatMul", "Relu", "ConvTranspose", "NoSuchOperator", ""] {
                self.edit_graph(format!("node {node} is {op:?}"), |graph| graph.node[node].op_type = op.into());
            }
        }
        self.edit_graph("a node with many inputs", |graph| {
            graph.node[convs[1]].input.extend(vec![String::new(); 100_000]);
        });
        self.edit_graph("a subgraph of itself", |graph| {
            let inner = AttributeProto { name: "body".into(), g: Some(graph.clone()), ..AttributeProto::default() };
            graph.node[middle].attribute.push(inner);
        });
    }

    fn names(&mut self) {
        for tensor in 0..self.graph().initializer.len() - 1 {
            self.edit_graph(format!("names of tensors {tensor} and {} exchanged", tensor + 1), |graph| {
                let name = std::mem::take(&mut graph.initializer[tensor].name);
                let next = std::mem::replace(&mut graph.initializer[tensor + 1].name, name);
                graph.initializer[tensor].name = next;
            });
        }
        for name in ["", "two\nlines", "\u{1b}[2J\u{7}", "\u{202e}", "error: none"] {
            self.edit_graph(format!("tensor and node of name {name:?}, weights missing"), |graph| {
                graph.initializer[0].name = name.into();
                graph.node[0].name = name.into();
            });
            self.edit_graph(format!("a node of name {name:?}"), |graph| graph.node[0].name = name.into());
        }
        self.edit_graph("a very long name", |graph| {
            graph.node[0].name = "x".repeat(100_000);
            graph.initializer[0].dims[0] = -1;
        });
        self.edit_graph("a tensor twice", |graph| graph.initializer.push(graph.initializer[0].clone()));
    }

    fn models(&mut self) {
        for version in [i64::MIN, -1, 0, 1, 6, 1000, i64::MAX] {
            self.edit(format!("opset {version}"), |model| model.opset_import[0].version = version);
        }
        self.edit("no opset", |model| model.opset_import.clear());
        self.edit("no graph", |model| model.graph = None);
        self.edit_graph("no nodes", |graph| graph.node.clear());
        self.edit_graph("no tensors", |graph| graph.initializer.clear());
        let endless = [vec![0x3a], vec![0xff; 9], vec![0x7f]].concat();
        self.edits.push(Garbled { what: "a graph of 2^63 bytes".into(), bytes: endless });
        self.edits.push(Garbled { what: "a varint of 11 bytes".into(), bytes: [vec![0x08], vec![0xff; 11]].concat() });
        // Field 3 of a node, field 1 of a graph, field 7 of a model, within one another.
        let nested = (0..5000).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut outer = vec![0x3a];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        });
        self.edits.push(Garbled { what: "messages within messages".into(), bytes: nested });
    }
}

/// Changes an attribute of a node, added where it is missing.
fn set(node: &mut NodeProto, name: &str, change: impl FnOnce(&mut AttributeProto)) {
    if !node.attribute.iter().any(|attribute| attribute.name == name) {
        let ints = if name == "group" { Vec::new() } else { vec![1; if name == "pads" { 4 } else { 2 }] };
        let kind = if name == "group" { 2 } else { 7 };
        let attribute = AttributeProto { name: name.into(), ints, i: 1, r#type: kind, ..AttributeProto::default() };
        node.attribute.push(attribute);
    }
    change(node.attribute.iter_mut().find(|attribute| attribute.name == name).expect("it was added above"));
}
