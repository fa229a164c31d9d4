//! Calls of functions that the file itself defines, replaced by their bodies.
//!
//! The newer exporter of PyTorch writes such functions. Inside a body, the names of the function's inputs and outputs
//! become those of the call, and all other names get the name of the call as a prefix. An attribute that refers to one
//! of the function gets its value.

use std::collections::HashMap;

use super::proto::{
    AttributeProto, Dimension, DimensionValue, FunctionProto, GraphProto, ModelProto, NodeProto,
    StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// How deep calls may lie within calls. A function must not call itself.
const MAX_DEPTH: usize = 32;
/// Nodes after all calls are replaced.
const MAX_NODES: usize = 1 << 18;
/// Bytes of all bodies that take the place of calls, but for tensors, which all copies share.
const MAX_BYTES: usize = 1 << 29;

/// Domain, name and overload of a function.
type Key<'a> = (&'a str, &'a str, &'a str);

/// Replaces all calls in the graph of a model whose default opset is `opset`.
pub(super) fn inline(model: &ModelProto, graph: &mut GraphProto, opset: i64) -> Result<(), Fault> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let mut functions = HashMap::new();
    for function in &model.functions {
        let key = (function.domain.as_str(), function.name.as_str(), function.overload.as_str());
        if functions.insert(key, function).is_some() {
            return Err(invalid!("function {:?} is defined twice", clean(&function.name)));
        }
    }
    Inliner { functions, opset, calls: 0, nodes: 0, bytes: 0 }.graph(graph, 0)
}

struct Inliner<'a> {
    functions: HashMap<Key<'a>, &'a FunctionProto>,
    opset: i64,
    calls: usize,
    /// Nodes so far.
    nodes: usize,
    /// Bytes of bodies so far.
    bytes: usize,
}

impl Inliner<'_> {
    /// Replaces the calls in a graph.
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<(), Fault> {
        let nodes = std::mem::take(&mut graph.node);
        nodes.into_iter().try_for_each(|node| self.add(node, depth, &mut graph.node))
    }

    /// Adds a node, or the body of the function that it calls.
    fn add(&mut self, mut node: NodeProto, depth: usize, nodes: &mut Vec<NodeProto>) -> Result<(), Fault> {
        let key = (node.domain.as_str(), node.op_type.as_str(), node.overload.as_str());
        let Some(&function) = self.functions.get(&key) else {
            if self.nodes >= MAX_NODES {
                return Err(unsupported!("functions that unfold to more than {MAX_NODES} nodes"));
            }
            self.nodes += 1;
            node.graphs_mut().try_for_each(|branch| self.graph(branch, depth + 1))?;
            nodes.push(node);
            return Ok(());
        };
        if depth >= MAX_DEPTH {
            return Err(invalid!("function {:?} calls itself, or calls nest too deep", clean(&function.name)));
        }
        self.check_opset(function)?;
        self.calls += 1;
        if self.calls > MAX_NODES {
            return Err(unsupported!("more than {MAX_NODES} calls of functions"));
        }
        let call = Call::new(&node, function, self.calls)?;
        for inner in &function.node {
            self.bytes = self.bytes.saturating_add(call.size(inner));
            if self.bytes > MAX_BYTES {
                return Err(unsupported!("functions that unfold to more than {MAX_BYTES} bytes"));
            }
            self.add(call.node(inner), depth + 1, nodes)?;
        }
        Ok(())
    }

    fn check_opset(&self, function: &FunctionProto) -> Result<(), Fault> {
        let default = |domain: &str| matches!(domain, "" | "ai.onnx");
        match function.opset_import.iter().find(|o| default(&o.domain) && o.version != self.opset) {
            Some(other) => Err(unsupported!(
                "function {:?} is written in opset {}, the graph in {}",
                clean(&function.name),
                other.version,
                self.opset
            )),
            None => Ok(()),
        }
    }
}

/// One call: what the names and attributes of the function are here.
struct Call<'a> {
    name: String,
    number: usize,
    names: HashMap<&'a str, &'a str>,
    attributes: HashMap<&'a str, &'a AttributeProto>,
}

impl<'a> Call<'a> {
    fn new(node: &'a NodeProto, function: &'a FunctionProto, number: usize) -> Result<Self, Fault> {
        let name = clean(&node.name);
        if node.input.len() > function.input.len() || node.output.len() > function.output.len() {
            return Err(invalid!("node {name:?} calls {:?} with too many inputs or outputs", clean(&function.name)));
        }
        let given = node.input.iter().map(String::as_str).chain(std::iter::repeat(""));
        let inputs = function.input.iter().map(String::as_str).zip(given);
        let taken = function.output.iter().zip(&node.output).filter(|(_, actual)| !actual.is_empty());
        let outputs = taken.map(|(formal, actual)| (formal.as_str(), actual.as_str()));
        let defaults = function.attribute_proto.iter().chain(&node.attribute);
        let attributes = defaults.map(|attribute| (attribute.name.as_str(), attribute)).collect();
        Ok(Self { name, number, names: inputs.chain(outputs).collect(), attributes })
    }

    fn node(&self, inner: &NodeProto) -> NodeProto {
        let attribute = inner.attribute.iter().filter_map(|attribute| self.attribute(attribute)).collect();
        NodeProto {
            input: inner.input.iter().map(|name| self.name_of(name)).collect(),
            output: inner.output.iter().map(|name| self.name_of(name)).collect(),
            name: format!("{}/{}", self.name, inner.name),
            op_type: inner.op_type.clone(),
            attribute,
            domain: inner.domain.clone(),
            overload: inner.overload.clone(),
        }
    }

    fn name_of(&self, name: &str) -> String {
        match self.names.get(name) {
            _ if name.is_empty() => String::new(),
            Some(actual) => (*actual).to_string(),
            None => format!("{}/{}/{name}", self.name, self.number),
        }
    }

    /// About how many bytes [`Call::node`] makes.
    fn size(&self, inner: &NodeProto) -> usize {
        Sizes { prefix: self.name.len() + MAX_NODES.ilog10() as usize + 3, attributes: &self.attributes }.node(inner)
    }

    /// A branch within the body: it shares the names of the body.
    fn branch(&self, branch: &GraphProto) -> GraphProto {
        let mut renamed =
            GraphProto { node: branch.node.iter().map(|node| self.node(node)).collect(), ..branch.clone() };
        let sparse = renamed.sparse_initializer.iter_mut().filter_map(|sparse| sparse.values.as_mut());
        let tensors = renamed.initializer.iter_mut().chain(sparse).map(|tensor| &mut tensor.name);
        let declared = renamed.input.iter_mut().chain(&mut renamed.output).chain(&mut renamed.value_info);
        tensors.chain(declared.map(|value| &mut value.name)).for_each(|name| *name = self.name_of(name));
        renamed
    }

    /// An attribute of the body with its reference filled in; `None` where the call leaves the attribute out.
    fn attribute(&self, attribute: &AttributeProto) -> Option<AttributeProto> {
        if attribute.ref_attr_name.is_empty() {
            let g = attribute.g.as_ref().map(|branch| self.branch(branch));
            return Some(AttributeProto { g, ..attribute.clone() });
        }
        let actual = self.attributes.get(attribute.ref_attr_name.as_str())?;
        Some(AttributeProto { name: attribute.name.clone(), ..(*actual).clone() })
    }
}

/// How many bytes copies of parts of a body take.
struct Sizes<'a> {
    /// What comes before a name.
    prefix: usize,
    /// What attributes refer to.
    attributes: &'a HashMap<&'a str, &'a AttributeProto>,
}

impl Sizes<'_> {
    fn node(&self, node: &NodeProto) -> usize {
        let names = node.input.iter().chain(&node.output).chain([&node.name]).map(|name| self.name(name));
        let attributes = node.attribute.iter().map(|attribute| match attribute.ref_attr_name.as_str() {
            "" => self.attribute(attribute),
            of_call => self.attributes.get(of_call).map_or(0, |actual| self.attribute(actual)),
        });
        total(size_of::<NodeProto>(), names.chain(attributes))
    }

    fn attribute(&self, attribute: &AttributeProto) -> usize {
        let numbers = size_of_val(attribute.ints.as_slice()) + size_of_val(attribute.floats.as_slice());
        let own = size_of::<AttributeProto>() + numbers + size_of_val(attribute.strings.as_slice());
        let tensor = attribute.t.iter().map(|tensor| self.tensor(tensor));
        total(own, tensor.chain(attribute.g.iter().map(|graph| self.graph(graph))))
    }

    fn graph(&self, graph: &GraphProto) -> usize {
        let values = graph.input.iter().chain(&graph.output).chain(&graph.value_info).map(|value| self.value(value));
        let sparse = graph.sparse_initializer.iter().flat_map(|sparse| sparse.values.iter().chain(&sparse.indices));
        let tensors = graph.initializer.iter().chain(sparse).map(|tensor| self.tensor(tensor));
        total(0, graph.node.iter().map(|node| self.node(node)).chain(values).chain(tensors))
    }

    fn value(&self, value: &ValueInfoProto) -> usize {
        let shape = value.r#type.as_ref().and_then(|of| of.tensor_type.as_ref()?.shape.as_ref());
        let extents = shape.into_iter().flat_map(|shape| &shape.dim).map(|extent| match &extent.value {
            Some(DimensionValue::DimParam(name)) => size_of::<Dimension>() + name.len(),
            Some(DimensionValue::DimValue(_)) | None => size_of::<Dimension>(),
        });
        total(size_of::<ValueInfoProto>() + self.name(&value.name), extents)
    }

    /// The elements are chunks of the file, which copies share.
    fn tensor(&self, tensor: &TensorProto) -> usize {
        let data =
            [&tensor.float_data, &tensor.int32_data, &tensor.int64_data, &tensor.double_data, &tensor.uint64_data];
        let chunks = data.into_iter().map(|chunks| size_of_val(chunks.as_slice()));
        let text = |entry: &StringStringEntryProto| size_of_val(entry) + entry.key.len() + entry.value.len();
        let own = size_of::<TensorProto>() + self.name(&tensor.name) + size_of_val(tensor.dims.as_slice());
        total(own, chunks.chain(tensor.external_data.iter().map(text)))
    }

    fn name(&self, name: &str) -> usize {
        size_of::<String>() + self.prefix + name.len()
    }
}

fn total(own: usize, parts: impl Iterator<Item = usize>) -> usize {
    parts.fold(own, usize::saturating_add)
}
