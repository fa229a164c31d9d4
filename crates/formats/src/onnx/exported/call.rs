//! One call of an ATen operator, and its arguments by name.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::program::{Node, Program, tensor_names};
use crate::reading::fault::{Fault, clean, unsupported};

/// Arguments that change no value: where and how PyTorch keeps a tensor, and which of its libraries computes.
const OF_NO_VALUE: [&str; 9] = [
    "memory_format",
    "layout",
    "device",
    "pin_memory",
    "non_blocking",
    "copy",
    "implicit",
    "cudnn_enabled",
    "cudnn_enable",
];

/// A node with the program that it belongs to.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) node: &'a Node,
    pub(super) program: &'a Program,
    /// The arguments that have been asked for.
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Call<'a> {
    pub(super) fn new(node: &'a Node, program: &'a Program) -> Self {
        Self { node, program, asked: RefCell::default() }
    }

    /// Arguments that say nothing beyond what is read of the call.
    pub(super) fn ignore(&self, names: &[&str]) {
        self.asked.borrow_mut().extend(names.iter().map(|name| (*name).to_string()));
    }

    /// The arguments that nobody has asked for.
    pub(super) fn unread(&self) -> Vec<&'a str> {
        let asked = self.asked.borrow();
        let names = self.node.inputs.iter().filter(|argument| argument.value().is_some());
        let names = names.map(|argument| argument.name.as_str());
        names.filter(|name| !asked.contains(*name) && !OF_NO_VALUE.contains(name)).collect()
    }

    /// The operator without its namespace: `conv2d.default`.
    pub(super) fn operator(&self) -> &'a str {
        let target = &self.node.target;
        ["torch.ops.aten.", "torch.ops."].iter().find_map(|space| target.strip_prefix(space)).unwrap_or(target)
    }

    /// The module of the network that the node belongs to, where it has weights of its own; else the value that it makes.
    pub(super) fn name(&self) -> String {
        let first = self.outputs().first().copied().unwrap_or_default();
        let stack = self.node.metadata.get("nn_module_stack").and_then(Value::as_str).unwrap_or_default();
        // `KEY,PATH,TYPE;KEY,PATH,TYPE`
        let module = stack.rsplit(';').next().and_then(|entry| entry.split(',').nth(1)).unwrap_or_default();
        if self.is_layer() && !module.is_empty() { module.to_string() } else { first.to_string() }
    }

    /// Whether the operator is one of a layer with weights.
    fn is_layer(&self) -> bool {
        const LAYERS: [&str; 8] = ["convolution", "linear", "addmm", "mm", "lstm", "gru", "rnn_tanh", "rnn_relu"];
        let family = self.operator().split('.').next().unwrap_or_default();
        let dimensions = |family: &str| matches!(family.strip_prefix("conv"), Some("1d" | "2d" | "3d"));
        let transposed = |family: &str| matches!(family.strip_prefix("conv_transpose"), Some("1d" | "2d" | "3d"));
        LAYERS.contains(&family) || dimensions(family) || transposed(family)
    }

    /// The tensors that the node makes.
    pub(super) fn outputs(&self) -> Vec<&'a str> {
        self.node.outputs()
    }

    /// The shape of a tensor; an open extent is none.
    pub(super) fn shape(&self, tensor: &str) -> Result<Vec<Option<i64>>, Fault> {
        let meta = self.program.graph().tensor_values.get(tensor);
        let meta = meta.ok_or_else(|| unsupported!("tensor {:?} has no shape", clean(tensor)))?;
        Ok(meta.sizes.iter().map(super::program::Size::fixed).collect())
    }

    /// Axes of a tensor.
    pub(super) fn rank(&self, tensor: &str) -> Result<usize, Fault> {
        Ok(self.shape(tensor)?.len())
    }

    /// An argument and its kind, `as_ints`; none where it is absent or `None`.
    fn argument(&self, name: &str) -> Option<(&'a str, &'a Value)> {
        self.ignore(&[name]);
        self.node.inputs.iter().find(|argument| argument.name == name)?.value()
    }

    /// Whether an argument is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    fn odd(&self, name: &str, expected: &str) -> Fault {
        let kind = self.argument(name).map_or("nothing", |(kind, _)| kind);
        unsupported!("{}: argument {name:?} is {}; expected {expected}", clean(self.operator()), clean(kind))
    }

    /// An argument that is a tensor.
    pub(super) fn tensor(&self, name: &str) -> Result<&'a str, Fault> {
        self.optional_tensor(name)?.ok_or_else(|| self.odd(name, "a tensor"))
    }

    pub(super) fn optional_tensor(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.argument(name) {
            None => Ok(None),
            Some(("as_tensor", tensor)) => {
                let name = tensor.get("name").and_then(Value::as_str);
                name.map(Some).ok_or_else(|| unsupported!("a tensor without a name"))
            }
            Some(_) => Err(self.odd(name, "a tensor")),
        }
    }

    /// An argument that is a list of tensors.
    pub(super) fn tensors(&self, name: &str) -> Result<Vec<&'a str>, Fault> {
        self.ignore(&[name]);
        let argument = self.node.inputs.iter().find(|argument| argument.name == name);
        let names = argument.map(|argument| tensor_names(&argument.arg)).unwrap_or_default();
        if names.is_empty() { Err(self.odd(name, "tensors")) } else { Ok(names) }
    }

    /// An argument that is a number; none where it is a tensor.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.argument(name)? {
            // An infinite number is a text.
            ("as_float", Value::String(text)) => text.parse().ok(),
            ("as_float" | "as_int", number) => number.as_f64(),
            ("as_bool", flag) => flag.as_bool().map(|flag| f64::from(u8::from(flag))),
            _ => None,
        }
    }

    pub(super) fn float(&self, name: &str, default: f64) -> Result<f64, Fault> {
        if !self.has(name) {
            return Ok(default);
        }
        self.number(name).ok_or_else(|| self.odd(name, "a number"))
    }

    /// A list of numbers; none where the argument is absent.
    pub(super) fn floats(&self, name: &str) -> Result<Option<Vec<f64>>, Fault> {
        match self.argument(name) {
            None => Ok(None),
            Some(("as_floats", list)) => {
                let numbers = list.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
                numbers.map(Some).ok_or_else(|| self.odd(name, "numbers"))
            }
            Some(_) => Err(self.odd(name, "numbers")),
        }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.argument(name) {
            None => Ok(default),
            Some(("as_bool", flag)) => flag.as_bool().ok_or_else(|| self.odd(name, "a flag")),
            Some(_) => Err(self.odd(name, "a flag")),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.argument(name)? {
            ("as_string", text) => text.as_str(),
            _ => None,
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, Fault> {
        match self.argument(name) {
            None => Ok(default),
            Some(("as_int", number)) => number.as_i64().ok_or_else(|| self.odd(name, "an integer")),
            Some(_) => Err(self.odd(name, "an integer")),
        }
    }

    /// A list of integers; none where the argument is absent.
    pub(super) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Fault> {
        let list = match self.argument(name) {
            None => return Ok(None),
            Some(("as_int", number)) => return Ok(number.as_i64().map(|number| vec![number])),
            Some(("as_ints" | "as_sym_ints", list)) => list.as_array().ok_or_else(|| self.odd(name, "integers"))?,
            Some(_) => return Err(self.odd(name, "integers")),
        };
        let number = |item: &Value| {
            let named = || self.program.integer(item.get("as_name").and_then(Value::as_str)?);
            item.as_i64().or_else(|| item.get("as_int").and_then(Value::as_i64)).or_else(named)
        };
        let numbers = list.iter().map(number).collect::<Option<Vec<i64>>>();
        numbers.map(Some).ok_or_else(|| self.odd(name, "integers that the archive knows"))
    }

    /// A list of integers for each of `len` spatial axes, where one stands for all.
    pub(super) fn spatial(&self, name: &str, len: usize, default: i64) -> Result<Vec<i64>, Fault> {
        match self.ints(name)?.as_deref() {
            None | Some([]) => Ok(vec![default; len]),
            Some([one]) => Ok(vec![*one; len]),
            Some(list) if list.len() == len => Ok(list.to_vec()),
            Some(_) => Err(self.odd(name, &format!("{len} integers"))),
        }
    }
}
