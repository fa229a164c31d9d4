//! One node of a file replaced by several: an older form, or an operator that others make up.
//!
//! The new nodes stand in the place of the old one. Their names, and those of the values between them, begin with its
//! name and that of its output.

use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use super::versions::BROADCASTS;
use super::write::attributes::{int, int_list, tensor};
use crate::reading::fault::{Fault, unsupported};

/// Nodes of a graph when some are replaced. One node becomes some twenty at most.
const MAX_NODES: usize = 1 << 20;

/// Since this version the axes of reductions are an input.
const AXES_ARE_INPUTS: i64 = 18;
/// Since this version those of ReduceSum are.
const AXES_OF_SUM_ARE_INPUTS: i64 = 13;

/// Replaces nodes of a graph, in branches too. `parts` gives what stands for a node; `None` leaves it as it is.
pub(super) fn replaced(
    graph: &mut GraphProto,
    parts: &impl Fn(&NodeProto) -> Result<Option<Vec<NodeProto>>, Fault>,
) -> Result<(), Fault> {
    let nodes = std::mem::take(&mut graph.node);
    graph.node.reserve(nodes.len());
    for mut node in nodes {
        node.graphs_mut().try_for_each(|branch| replaced(branch, parts))?;
        match parts(&node)? {
            Some(parts) => graph.node.extend(parts),
            None => graph.node.push(node),
        }
        if graph.node.len() > MAX_NODES {
            return Err(unsupported!("a graph of more than {MAX_NODES} nodes, when operators are taken apart"));
        }
    }
    Ok(())
}

/// The nodes that stand for one node, under construction.
pub(super) struct Steps<'a> {
    node: &'a NodeProto,
    opset: i64,
    nodes: Vec<NodeProto>,
}

impl<'a> Steps<'a> {
    /// Steps for `node`, in operators of this opset.
    pub(super) fn new(node: &'a NodeProto, opset: i64) -> Self {
        Self { node, opset, nodes: Vec::new() }
    }

    /// Adds a step with one output, and returns the output's name.
    pub(super) fn op(&mut self, op_type: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = self.node.output.first().map_or("", String::as_str);
        let output = format!("{output}/{}_{op_type}", self.nodes.len());
        self.push(op_type, inputs, vec![output.clone()], attribute);
        output
    }

    /// Adds the step whose outputs are those of the node, and ends.
    pub(super) fn end(mut self, op_type: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> Vec<NodeProto> {
        let is_taken = self.nodes.iter().any(|node| node.name == self.node.name);
        self.push(op_type, inputs, self.node.output.clone(), attribute);
        if !is_taken {
            self.nodes.last_mut().expect("just pushed").name = self.node.name.clone();
        }
        self.nodes
    }

    /// Adds the step that is the layer of the node, and bears its name; returns the output's name.
    pub(super) fn layer(&mut self, op_type: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = self.op(op_type, inputs, attribute);
        self.nodes.last_mut().expect("just pushed").name = self.own_name().to_string();
        output
    }

    /// Adds a node of the same operator that reads this value alone, in the place of the node, and ends.
    pub(super) fn behind(mut self, value: &str, attribute: Vec<AttributeProto>) -> Vec<NodeProto> {
        self.push(&self.node.op_type, &[value], self.node.output.clone(), attribute);
        self.nodes.last_mut().expect("just pushed").domain = self.node.domain.clone();
        self.nodes
    }

    fn own_name(&self) -> &'a str {
        let output = self.node.output.first().map_or("", String::as_str);
        if self.node.name.is_empty() { output } else { &self.node.name }
    }

    fn push(&mut self, op_type: &str, inputs: &[&str], output: Vec<String>, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output,
            name: format!("{}/{}_{op_type}", self.own_name(), self.nodes.len()),
            op_type: op_type.to_string(),
            attribute,
            ..NodeProto::default()
        });
    }

    /// A function of two operands that broadcast.
    pub(super) fn pair(&mut self, op_type: &str, a: &str, b: &str) -> String {
        let attributes = self.broadcasting();
        self.op(op_type, &[a, b], attributes)
    }

    /// What a node of two operands has to say so that they broadcast.
    pub(super) fn broadcasting(&self) -> Vec<AttributeProto> {
        if self.opset < BROADCASTS { vec![int("broadcast", 1)] } else { vec![] }
    }

    /// The number of axes of a value, as a tensor of one element.
    pub(super) fn rank(&mut self, value: &str) -> String {
        let shape = self.op("Shape", &[value], vec![]);
        self.op("Shape", &[&shape], vec![])
    }

    /// A constant list of integers.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(7, &[values.len() as i64], bytes)
    }

    /// A constant number without axes, in the type of a value.
    pub(super) fn float_like(&mut self, value: f32, other: &str) -> String {
        let number = self.constant(1, &[], value.to_le_bytes().to_vec());
        self.op("CastLike", &[&number, other], vec![])
    }

    /// A constant list of numbers, in the type of a value.
    pub(super) fn floats_like(&mut self, values: &[f32], other: &str) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let numbers = self.constant(1, &[values.len() as i64], bytes);
        self.op("CastLike", &[&numbers, other], vec![])
    }

    fn constant(&mut self, data_type: i32, dims: &[i64], bytes: Vec<u8>) -> String {
        self.op("Constant", &[], vec![tensor("value", stored(data_type, dims, bytes))])
    }

    /// As many integers 1 as a value says.
    pub(super) fn ones(&mut self, count: &str) -> String {
        let one = stored(7, &[1], 1i64.to_le_bytes().to_vec());
        self.op("ConstantOfShape", &[count], vec![tensor("value", one)])
    }

    /// Gives a value the shape that this value holds.
    pub(super) fn reshape(&mut self, value: &str, shape: &str) -> String {
        self.op("Reshape", &[value, shape], vec![])
    }

    /// Joins the elements of axes that a constant value holds; the axes stay.
    pub(super) fn reduce(&mut self, op_type: &str, value: &str, axes: &[i64]) -> String {
        let since = if op_type == "ReduceSum" { AXES_OF_SUM_ARE_INPUTS } else { AXES_ARE_INPUTS };
        if self.opset < since {
            return self.op(op_type, &[value], vec![int_list("axes", axes), int("keepdims", 1)]);
        }
        let axes = self.ints(axes);
        self.op(op_type, &[value, &axes], vec![int("keepdims", 1)])
    }
}

fn stored(data_type: i32, dims: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto { data_type, dims: dims.to_vec(), raw_data: Some(bytes.into()), ..TensorProto::default() }
}
