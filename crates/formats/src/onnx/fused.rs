//! Operators into which onnxruntime fuses a layer and its activation function, taken apart again.

use super::proto::{AttributeProto, AttributeType, GraphProto, NodeProto};

/// Replaces FusedConv by Conv and its activation, in branches too. Those with an addend or an activation of another
/// kind stay as they are.
pub(super) fn split(graph: &mut GraphProto) {
    graph.node.iter_mut().flat_map(NodeProto::graphs_mut).for_each(split);
    let is_fused = |node: &NodeProto| node.domain == "com.microsoft" && node.op_type == "FusedConv";
    if !graph.node.iter().any(is_fused) {
        return;
    }
    for node in std::mem::take(&mut graph.node) {
        match is_fused(&node).then(|| parts(&node)).flatten() {
            Some(parts) => graph.node.extend(parts),
            None => graph.node.push(node),
        }
    }
}

/// Conv, and the activation behind it.
fn parts(node: &NodeProto) -> Option<[NodeProto; 2]> {
    // A fourth input is added to the product before the activation.
    let [output] = node.output.as_slice() else { return None };
    if node.input.len() > 3 {
        return None;
    }
    let of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let activation = of("activation").map_or(Some(""), |a| std::str::from_utf8(&a.s).ok())?;
    let parameters = of("activation_params").map_or(&[][..], |a| a.floats.as_slice());
    let attribute = match (activation, parameters) {
        ("" | "Relu" | "Sigmoid" | "Tanh", []) => Vec::new(),
        ("LeakyRelu", &[alpha]) => vec![float("alpha", alpha)],
        ("HardSigmoid", &[alpha, beta]) => vec![float("alpha", alpha), float("beta", beta)],
        _ => return None,
    };
    let product = format!("{output}/product");
    let own = |a: &&AttributeProto| !matches!(a.name.as_str(), "activation" | "activation_params");
    let conv = NodeProto {
        output: vec![product.clone()],
        op_type: "Conv".to_string(),
        domain: String::new(),
        attribute: node.attribute.iter().filter(own).cloned().collect(),
        ..node.clone()
    };
    let behind = NodeProto {
        input: vec![product],
        output: node.output.clone(),
        name: if node.name.is_empty() { String::new() } else { format!("{}/activation", node.name) },
        op_type: if activation.is_empty() { "Identity".to_string() } else { activation.to_string() },
        attribute,
        ..NodeProto::default()
    };
    Some([conv, behind])
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: AttributeType::Float as i32, f, ..AttributeProto::default() }
}
