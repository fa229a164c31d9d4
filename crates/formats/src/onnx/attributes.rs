//! The attributes of one node: read by name and type, and none left over.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use super::proto::{AttributeProto, AttributeType, GraphProto, NodeProto, TensorProto};
use crate::reading::fault::{Fault, clean, invalid};

/// Attributes that exporters still write, although they mean nothing any more. Planners ask for `is_test` where it did.
const IGNORED: [&str; 2] = ["consumed_inputs", "is_test"];

/// Attributes that ZigZag and Stream add to operators of ONNX: bits of weights, activations and outputs. The standard
/// has none of these names, so that none is a garbled one.
pub(super) const BITS_OF_TOOLS: [&str; 3] = ["act_size", "output_size", "weight_size"];

/// The attributes of one node. An attribute that nobody asks for is an error ([`Attributes::finish`]): if the name
/// `pads` is garbled, the node must not be taken for one without padding.
#[derive(Clone)]
pub(super) struct Attributes<'a> {
    /// Copies share these: what is asked of one copy is no longer left over in the others.
    entries: Rc<Vec<(&'a AttributeProto, Cell<bool>)>>,
}

impl<'a> Attributes<'a> {
    /// Refuses a name that comes twice, and references to the attributes of a function, which only function bodies
    /// have.
    pub(super) fn new(node: &'a NodeProto) -> Result<Self, Fault> {
        let mut names = HashSet::new();
        for attribute in &node.attribute {
            let name = clean(&attribute.name);
            if !names.insert(attribute.name.as_str()) {
                return Err(invalid!("attribute {name:?} comes twice"));
            }
            if !attribute.ref_attr_name.is_empty() {
                return Err(invalid!("attribute {name:?} refers to an attribute of a function"));
            }
        }
        let used = |name: &str| IGNORED.contains(&name) || BITS_OF_TOOLS.contains(&name);
        let entries = node.attribute.iter().map(|a| (a, Cell::new(used(&a.name)))).collect();
        Ok(Self { entries: Rc::new(entries) })
    }

    /// Whether the node has this attribute.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(a, _)| a.name == name)
    }

    /// An integer.
    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, Fault> {
        Ok(self.get(name, AttributeType::Int)?.map(|a| a.i))
    }

    /// An integer that means yes or no.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.int(name)? {
            None => Ok(default),
            Some(n @ (0 | 1)) => Ok(n == 1),
            Some(n) => Err(invalid!("attribute {name:?} is {n}; expected 0 or 1")),
        }
    }

    /// A real number, finite.
    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32, Fault> {
        match self.get(name, AttributeType::Float)?.map(|a| a.f) {
            None => Ok(default),
            Some(value) if value.is_finite() => Ok(value),
            Some(value) => Err(invalid!("attribute {name:?} is {value}; expected a finite number")),
        }
    }

    /// A real number that may be missing.
    pub(super) fn optional_float(&self, name: &str) -> Result<Option<f32>, Fault> {
        Ok(self.get(name, AttributeType::Float)?.map(|a| a.f))
    }

    /// A list of integers.
    pub(super) fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, Fault> {
        Ok(self.get(name, AttributeType::Ints)?.map(|a| a.ints.as_slice()))
    }

    /// A list of real numbers.
    pub(super) fn floats(&self, name: &str) -> Result<Option<&'a [f32]>, Fault> {
        Ok(self.get(name, AttributeType::Floats)?.map(|a| a.floats.as_slice()))
    }

    /// A string.
    pub(super) fn string(&self, name: &str, default: &'a str) -> Result<&'a str, Fault> {
        let Some(attribute) = self.get(name, AttributeType::String)? else { return Ok(default) };
        std::str::from_utf8(&attribute.s).map_err(|_| invalid!("attribute {name:?} is not UTF-8"))
    }

    /// A string out of a list; anything else is invalid.
    pub(super) fn choice(&self, name: &str, choices: &[&'static str]) -> Result<&'static str, Fault> {
        let found = self.string(name, choices[0])?;
        let known = choices.iter().find(|&&choice| choice == found);
        known.copied().ok_or_else(|| invalid!("attribute {name:?} is {found:?}; expected one of {choices:?}"))
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, Fault> {
        let Some(attribute) = self.get(name, AttributeType::Strings)? else { return Ok(None) };
        let texts: Result<_, _> = attribute.strings.iter().map(|bytes| std::str::from_utf8(bytes)).collect();
        texts.map(Some).map_err(|_| invalid!("attribute {name:?} is not UTF-8"))
    }

    /// A tensor.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<&'a TensorProto>, Fault> {
        let Some(attribute) = self.get(name, AttributeType::Tensor)? else { return Ok(None) };
        attribute.t.as_ref().map(Some).ok_or_else(|| invalid!("attribute {name:?} holds no tensor"))
    }

    /// A graph, such as the branch of an If; it must be there.
    pub(super) fn graph(&self, name: &str) -> Result<&'a GraphProto, Fault> {
        let attribute = self.get(name, AttributeType::Graph)?.and_then(|attribute| attribute.g.as_ref());
        attribute.ok_or_else(|| invalid!("attribute {name:?} holds no graph"))
    }

    /// Takes an attribute that changes nothing here.
    pub(super) fn ignore(&self, name: &str) {
        self.mark(name);
    }

    /// Refuses attributes that nobody asked for.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        match self.entries.iter().find(|(_, used)| !used.get()) {
            Some((attribute, _)) => Err(invalid!("unexpected attribute {:?}", attribute.name)),
            None => Ok(()),
        }
    }

    fn mark(&self, name: &str) -> Option<&'a AttributeProto> {
        let (attribute, used) = self.entries.iter().find(|(a, _)| a.name == name)?;
        used.set(true);
        Some(attribute)
    }

    fn get(&self, name: &str, expected: AttributeType) -> Result<Option<&'a AttributeProto>, Fault> {
        let Some(attribute) = self.mark(name) else { return Ok(None) };
        match AttributeType::try_from(attribute.r#type) {
            // Files older than IR version 2 leave the type out.
            Ok(found) if found == expected || found == AttributeType::Undefined => Ok(Some(attribute)),
            Ok(found) => Err(invalid!("attribute {name:?} is {found:?}; expected {expected:?}")),
            Err(_) => Err(invalid!("attribute {name:?} has type {}, which does not exist", attribute.r#type)),
        }
    }
}
