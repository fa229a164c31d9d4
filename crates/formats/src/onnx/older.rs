//! Forms that operators had before opset 7, as nodes of today. What a planner can tell by the opset alone is left to it.

use super::proto::{GraphProto, NodeProto};
use super::steps::{Steps, replaced};
use super::versions::{BROADCASTS, is_own};
use super::write::attributes::{float, int};
use crate::reading::fault::{Fault, clean, invalid};

/// Operators of two operands that had `broadcast` and `axis`.
const PAIRS: [&str; 11] = ["Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"];

/// Replaces nodes of older forms, in branches too.
pub(super) fn renew(graph: &mut GraphProto, opset: i64) -> Result<(), Fault> {
    if opset >= BROADCASTS {
        return Ok(());
    }
    replaced(graph, &|node| match node.op_type.as_str() {
        _ if !is_own(&node.domain) => Ok(None),
        "Selu" if opset < 6 => Ok(Some(vec![selu(node)])),
        op_type if PAIRS.contains(&op_type) => aligned(node, opset),
        // A slope for each channel.
        "PRelu" => at_axis(node, opset, 1).map(Some),
        _ => Ok(None),
    })
}

/// Selu with the factors that it had before version 6, where the node names none.
fn selu(node: &NodeProto) -> NodeProto {
    let mut node = node.clone();
    for (name, value) in [("alpha", 1.6732), ("gamma", 1.0507)] {
        if !node.attribute.iter().any(|attribute| attribute.name == name) {
            node.attribute.push(float(name, value));
        }
    }
    node
}

/// An operator whose second operand has its first axis at `axis` of the first one: axes of 1 are put behind it, so that
/// it broadcasts as in NumPy.
fn aligned(node: &NodeProto, opset: i64) -> Result<Option<Vec<NodeProto>>, Fault> {
    let of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let (Some(axis), true) = (of("axis"), of("broadcast").is_some_and(|attribute| attribute.i == 1)) else {
        return Ok(None);
    };
    at_axis(node, opset, axis.i).map(Some)
}

/// As [`aligned`], at an axis that is known.
fn at_axis(node: &NodeProto, opset: i64, axis: i64) -> Result<Vec<NodeProto>, Fault> {
    let ([a, b], 0..) = (node.input.as_slice(), axis) else {
        let (name, inputs) = (clean(&node.name), node.input.len());
        return Err(invalid!(
            "node {name:?} broadcasts at axis {axis} of {inputs} inputs; expected two, and an axis of 0 or above"
        ));
    };
    let mut steps = Steps::new(node, opset);
    let (shape, rank) = (steps.op("Shape", &[b], vec![]), steps.rank(a));
    let own_rank = steps.op("Shape", &[&shape], vec![]);
    let first = steps.ints(&[axis]);
    let behind = steps.op("Sub", &[&rank, &own_rank], vec![]);
    let behind = steps.op("Sub", &[&behind, &first], vec![]);
    let ones = steps.ones(&behind);
    let target = steps.op("Concat", &[&shape, &ones], vec![int("axis", 0)]);
    let b = steps.op("Reshape", &[b, &target], vec![]);
    let attributes = node.attribute.iter().filter(|attribute| attribute.name != "axis").cloned().collect();
    Ok(steps.end(&node.op_type, &[a, &b], attributes))
}
