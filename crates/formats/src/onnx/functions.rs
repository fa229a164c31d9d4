//! Calls of functions that the file itself defines, replaced by their bodies.
//!
//! The newer exporter of PyTorch writes such functions. Inside a body, the names of the function's inputs and outputs
//! become those of the call, and all other names get the name of the call as a prefix. An attribute that refers to one
//! of the function gets its value.

use std::collections::HashMap;

use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// How deep calls may lie within calls. A function must not call itself.
const MAX_DEPTH: usize = 32;
/// Nodes after all calls are replaced.
const MAX_NODES: usize = 1 << 18;

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
    Inliner { functions, opset, calls: 0, nodes: 0 }.graph(graph, 0)
}

struct Inliner<'a> {
    functions: HashMap<Key<'a>, &'a FunctionProto>,
    opset: i64,
    calls: usize,
    /// Nodes so far.
    nodes: usize,
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
