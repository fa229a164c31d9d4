//! The version of ONNX's own operators that the nodes of a file mean.

use super::proto::{GraphProto, ModelProto, NodeProto};
use crate::reading::fault::{Fault, clean, invalid};

/// Since this version operands broadcast as in NumPy. Before, they did so where `broadcast` was 1, and `axis` said where
/// the axes of the second one belong.
pub(super) const BROADCASTS: i64 = 7;

/// Operators that mean something else, or have their parameters elsewhere, from these versions on. Versions that only
/// add element types, or attributes that a node names, are left out.
const CHANGES: [(&str, &[i64]); 38] = [
    ("Add", &[7]),
    ("And", &[7]),
    ("BatchNormalization", &[7]),
    ("Cast", &[6]),
    ("Clip", &[11]),
    ("Concat", &[4]),
    ("Div", &[7]),
    ("Dropout", &[7, 12]),
    ("Equal", &[7]),
    ("Greater", &[7]),
    ("GroupNormalization", &[21]),
    ("Hardmax", &[13]),
    ("Less", &[7]),
    ("LogSoftmax", &[13]),
    ("Mul", &[7]),
    ("Or", &[7]),
    ("Pad", &[2, 11]),
    ("PRelu", &[7]),
    ("Pow", &[7]),
    ("ReduceL1", &[18]),
    ("ReduceL2", &[18]),
    ("ReduceMax", &[18]),
    ("ReduceMean", &[18]),
    ("ReduceMin", &[18]),
    ("ReduceProd", &[18]),
    ("ReduceSum", &[13]),
    ("Reshape", &[5]),
    ("Resize", &[11]),
    ("Selu", &[6]),
    ("Slice", &[10]),
    ("Softmax", &[13]),
    ("Split", &[2, 13]),
    ("Squeeze", &[13]),
    ("Sub", &[7]),
    ("Tile", &[6]),
    ("Unsqueeze", &[13]),
    ("Upsample", &[7, 9]),
    ("Xor", &[7]),
];

/// The version of ONNX's own operators that a model imports. A model that imports several is read where none of its
/// operators changed between them.
pub(super) fn opset(model: &ModelProto, graph: &GraphProto) -> Result<i64, Fault> {
    let own = model.opset_import.iter().filter(|import| is_own(&import.domain));
    let versions: Vec<i64> = own.map(|import| import.version).collect();
    let (Some(&low), Some(&high)) = (versions.iter().min(), versions.iter().max()) else {
        return Err(invalid!("it imports no opset of the default domain"));
    };
    if low < 1 {
        return Err(invalid!("it imports opset {low} of the default domain; the first is 1"));
    }
    match changed(graph, low, high) {
        None => Ok(high),
        Some(node) => Err(invalid!(
            "it imports the default domain twice, as opsets {low} and {high}, and {} (node {:?}) is another operator in \
             each; it has to import the one that its nodes are written in",
            node.op_type,
            clean(&node.name)
        )),
    }
}

/// A node whose operator changed behind version `low`, up to `high`.
fn changed(graph: &GraphProto, low: i64, high: i64) -> Option<&NodeProto> {
    let turns = |node: &NodeProto| {
        let changes = CHANGES.iter().find(|(name, _)| *name == node.op_type).map_or(&[][..], |(_, changes)| changes);
        is_own(&node.domain) && changes.iter().any(|&version| low < version && version <= high)
    };
    graph.node.iter().find_map(|node| match turns(node) {
        true => Some(node),
        false => node.graphs().find_map(|branch| changed(branch, low, high)),
    })
}

/// Whether a domain is that of ONNX's own operators.
pub(super) fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
