//! Operators that a user describes in a table, so that what they multiply and accumulate is counted.
//!
//! The table says of an operator which layer is in it: a convolution or a product, which input holds the weights and how
//! they are arranged, and which attributes hold the geometry. A node of it becomes that layer. What else the operator
//! computes the table does not say: unless it `runs`, a node that is not run stands behind the layer.
//!
//! ```toml
//! [[operator]]
//! name = "acme:Conv"        # as notes and `inspect` call it; ONNX's own have no domain
//! layer = "convolution"     # or "product"
//! input = 0                 # which input is the activation
//! weights = 1               # which input holds the weights
//! bias = 2                  # which one the bias; none where it is left out
//! channels = "first"        # of activations: "first" [N, C, ...] or "last" [N, ..., C]
//! order = "MCHW"            # axes of the weights: M filters, C channels of one filter, H and W; "KM" of a product
//! strides = "strides"       # the attribute that holds them; likewise pads, dilations and group
//! runs = false              # whether the operator computes exactly this layer
//! ```

use std::path::{Path, PathBuf};

use network::NetworkError;
use serde::Deserialize;

use super::proto::{AttributeProto, AttributeType, GraphProto, NodeProto};
use super::steps::{Steps, replaced};
use super::versions::is_own;
use super::write::attributes::{counts, int};
use crate::document::toml_problem;
use crate::reading::fault::{Fault, clean, invalid};

/// An attribute of the node behind such a layer. Its output has the shape of the layer's.
pub(super) const BEHIND: &str = "esnsim.behind_layer";

/// Bytes of a table; no table of operators comes near it.
const MAX_BYTES: u64 = 1 << 20;

/// Float in ONNX.
const FLOAT: i64 = 1;

/// What a table says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(default)]
    operator: Vec<Rule>,
}

/// What it says of one operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    layer: Layer,
    #[serde(default)]
    input: usize,
    #[serde(default = "one")]
    weights: usize,
    bias: Option<usize>,
    channels: Option<Channels>,
    order: Option<String>,
    strides: Option<String>,
    pads: Option<String>,
    dilations: Option<String>,
    group: Option<String>,
    #[serde(default)]
    runs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Convolution,
    Product,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Channels {
    First,
    Last,
}

fn one() -> usize {
    1
}

impl Table {
    /// Reads a table from its file.
    pub(super) fn read(path: &Path) -> Result<Self, NetworkError> {
        let io = |source| NetworkError::Io { path: path.to_path_buf(), source };
        let place = |problem: String| NetworkError::Invalid {
            path: PathBuf::from(path),
            place: "table of operators".to_string(),
            problem,
        };
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > MAX_BYTES {
            return Err(place(format!("it has {size} bytes; expected at most {MAX_BYTES}")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let text = String::from_utf8(bytes).map_err(|_| place("it is no text; expected TOML".to_string()))?;
        let table: Self = toml::from_str(&text).map_err(|error| place(toml_problem(&error, &text)))?;
        table.check().map_err(place)?;
        Ok(table)
    }

    fn check(&self) -> Result<(), String> {
        for (i, rule) in self.operator.iter().enumerate() {
            let name = clean(&rule.name);
            if self.operator[..i].iter().any(|other| other.name == rule.name) {
                return Err(format!("operator {name:?} comes twice"));
            }
            rule.check().map_err(|problem| format!("operator {name:?}: {problem}"))?;
        }
        match self.operator.is_empty() {
            true => Err("it describes no operator; expected [[operator]]".to_string()),
            false => Ok(()),
        }
    }

    /// Replaces nodes of the operators that the table describes, in branches too.
    pub(super) fn apply(&self, graph: &mut GraphProto, opset: i64) -> Result<(), Fault> {
        replaced(graph, &|node| {
            let name = match is_own(&node.domain) {
                true => node.op_type.clone(),
                false => format!("{}:{}", node.domain, node.op_type),
            };
            let rule = self.operator.iter().find(|rule| rule.name == name);
            rule.map(|rule| rule.parts(node, opset)).transpose()
        })
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("its name is empty".to_string());
        }
        let places = [Some(self.input), Some(self.weights), self.bias];
        if self.input == self.weights || self.bias.is_some_and(|bias| places[..2].contains(&Some(bias))) {
            return Err(format!("input {}, weights {} and bias have to be different inputs", self.input, self.weights));
        }
        let geometry = [&self.strides, &self.pads, &self.dilations, &self.group];
        if self.layer == Layer::Product && (geometry.iter().any(|name| name.is_some()) || self.channels.is_some()) {
            return Err("a product has no strides, pads, dilations, group or channels".to_string());
        }
        let order = self.order();
        let known: &[&str] = match self.layer {
            Layer::Convolution => &["MCHW", "MCW"],
            Layer::Product => &["KM"],
        };
        let is_order_of = |axes: &&&str| {
            let (mut found, mut expected): (Vec<char>, Vec<char>) = (order.chars().collect(), axes.chars().collect());
            found.sort_unstable();
            expected.sort_unstable();
            found == expected
        };
        match known.iter().any(|axes| is_order_of(&axes)) {
            true => Ok(()),
            false => Err(format!("order is {order:?}; expected the letters of {} in some order", known.join(" or "))),
        }
    }

    /// The axes of the weights, in the order that the file has them.
    fn order(&self) -> &str {
        self.order.as_deref().unwrap_or(match self.layer {
            Layer::Convolution => "MCHW",
            Layer::Product => "KM",
        })
    }

    /// The layer of a node, and what stands behind it.
    fn parts(&self, node: &NodeProto, opset: i64) -> Result<Vec<NodeProto>, Fault> {
        let input = |index: usize| node.input.get(index).map(String::as_str).filter(|name| !name.is_empty());
        let needed = |index: usize, what: &str| {
            let (name, count) = (clean(&node.name), node.input.len());
            input(index).ok_or_else(|| {
                invalid!("node {name:?} has {count} inputs; the table of operators has {what} in {index}")
            })
        };
        let (x, w) = (needed(self.input, "the activation")?, needed(self.weights, "the weights")?);
        let mut steps = Steps::new(node, opset);
        let mut operands = vec![self.real(&mut steps, x), self.real(&mut steps, w)];
        if let Some(bias) = self.bias.and_then(input) {
            operands.push(self.real(&mut steps, bias));
        }
        let result = match self.layer {
            Layer::Convolution => self.convolution(&mut steps, node, operands)?,
            Layer::Product => self.product(&mut steps, operands),
        };
        Ok(match self.runs {
            true => steps.end("Identity", &[&result], vec![]),
            false => steps.behind(&result, vec![int(BEHIND, 1)]),
        })
    }

    /// An operand as real numbers: those of an operator that is only costed may be integers.
    fn real(&self, steps: &mut Steps<'_>, operand: &str) -> String {
        if self.runs { operand.to_string() } else { steps.op("Cast", &[operand], vec![int("to", FLOAT)]) }
    }

    fn convolution(&self, steps: &mut Steps<'_>, node: &NodeProto, mut operands: Vec<String>) -> Result<String, Fault> {
        let order = self.order();
        let axes = order.len() - 2;
        let last = self.channels == Some(Channels::Last);
        if last {
            let perm: Vec<usize> = [0, axes + 1].into_iter().chain(1..=axes).collect();
            operands[0] = steps.op("Transpose", &[&operands[0]], vec![counts("perm", &perm)]);
        }
        let wanted = if axes == 1 { "MCW" } else { "MCHW" };
        let perm: Vec<usize> = wanted.chars().filter_map(|axis| order.find(axis)).collect();
        operands[1] = steps.op("Transpose", &[&operands[1]], vec![counts("perm", &perm)]);
        let inputs: Vec<&str> = operands.iter().map(String::as_str).collect();
        let product = steps.layer("Conv", &inputs, self.geometry(node, axes)?);
        if !last {
            return Ok(product);
        }
        let perm: Vec<usize> = std::iter::once(0).chain(2..axes + 2).chain([1]).collect();
        Ok(steps.op("Transpose", &[&product], vec![counts("perm", &perm)]))
    }

    /// The attributes of the node under the names that Conv has for them. One number stands for all axes.
    fn geometry(&self, node: &NodeProto, axes: usize) -> Result<Vec<AttributeProto>, Fault> {
        let named =
            [("strides", &self.strides, axes), ("pads", &self.pads, 2 * axes), ("dilations", &self.dilations, axes)];
        let find = |own: &str, given: &Option<String>| {
            let name = given.as_deref().unwrap_or(own);
            let found = node.attribute.iter().find(|attribute| attribute.name == name);
            match (found, given) {
                (None, Some(name)) => Err(invalid!("node {:?} has no attribute {name:?}", clean(&node.name))),
                (found, _) => Ok(found),
            }
        };
        let mut attributes = Vec::new();
        for (own, given, count) in named {
            if let Some(found) = find(own, given)? {
                let is_one = found.r#type == AttributeType::Int as i32;
                let ints = if is_one { vec![found.i; count] } else { found.ints.clone() };
                let r#type = AttributeType::Ints as i32;
                attributes.push(AttributeProto { name: own.to_string(), ints, r#type, ..AttributeProto::default() });
            }
        }
        if let Some(found) = find("group", &self.group)? {
            attributes.push(int("group", found.i));
        }
        attributes.extend(node.attribute.iter().filter(|attribute| attribute.name == "auto_pad").cloned());
        Ok(attributes)
    }

    fn product(&self, steps: &mut Steps<'_>, operands: Vec<String>) -> String {
        let weights = match self.order() {
            "MK" => steps.op("Transpose", &[&operands[1]], vec![counts("perm", &[1, 0])]),
            _ => operands[1].clone(),
        };
        let product = steps.layer("MatMul", &[&operands[0], &weights], vec![]);
        match operands.get(2) {
            Some(bias) if self.runs => steps.pair("Add", &product, bias),
            Some(_) | None => product,
        }
    }
}
