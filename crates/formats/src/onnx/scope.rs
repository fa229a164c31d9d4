//! Which name of the file is which value: in the graph, and in the branches that are read in the place of an If.

use std::collections::{HashMap, HashSet};

use network::{Names, ValueId};

use super::order;
use super::proto::{GraphProto, NodeProto, ValueInfoProto};
use crate::reading::fault::{Fault, clean, unsupported};

/// Bytes that names in branches have before their own, those of the Ifs around them. Real networks have some thousand.
const MAX_PREFIXES: usize = 1 << 26;

/// The graphs that are being read, the innermost last. A branch sees the names of the graphs around it, and hides those
/// that it has itself.
pub(super) struct Scopes<'a> {
    open: Vec<Scope<'a>>,
    /// What values of the network are called.
    names: Names,
    /// Bytes before names in branches so far.
    prefixes: usize,
    /// What nodes of the network are called.
    node_names: Names,
    /// The names of nodes that have been named, by their place in memory, where they stay.
    named: HashMap<*const NodeProto, String>,
}

/// The names of one graph.
struct Scope<'a> {
    ids: HashMap<&'a str, ValueId>,
    declared: HashMap<&'a str, &'a ValueInfoProto>,
    used: HashSet<&'a str>,
    /// The If that the graph is a branch of.
    inside: Option<Inside<'a>>,
}

/// Where a branch stands.
struct Inside<'a> {
    /// Name of the If.
    node: String,
    /// What the outputs of the branch are called outside.
    outputs: HashMap<&'a str, String>,
}

impl<'a> Scopes<'a> {
    /// The names of the graph of a file.
    pub(super) fn new(graph: &'a GraphProto) -> Self {
        Self {
            open: vec![Scope::new(graph, None)],
            names: order::names(graph).map(clean).collect(),
            prefixes: 0,
            node_names: Names::default(),
            named: HashMap::new(),
        }
    }

    /// Begins a branch of an If.
    pub(super) fn enter(&mut self, node: &'a NodeProto, branch: &'a GraphProto) -> Result<(), Fault> {
        let name = self.node_name(node);
        let named = order::names(branch).count() + branch.node.len();
        self.prefixes = self.prefixes.saturating_add(name.len().saturating_mul(named));
        if self.prefixes > MAX_PREFIXES {
            return Err(unsupported!(
                "names of Ifs before those in their branches that have over {MAX_PREFIXES} bytes in all"
            ));
        }
        let mut outputs = HashMap::new();
        for (inner, outer) in branch.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty()) {
            let called = self.value_name(outer);
            outputs.entry(inner.name.as_str()).or_insert(called);
        }
        self.open.push(Scope::new(branch, Some(Inside { node: name, outputs })));
        Ok(())
    }

    /// Ends the branch that was begun last.
    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// The value of this name.
    pub(super) fn find(&self, name: &str) -> Option<ValueId> {
        self.open.iter().rev().find_map(|scope| scope.ids.get(name).copied())
    }

    /// Gives a value of the innermost graph its name; one that is left out has none.
    pub(super) fn bind(&mut self, name: &'a str, id: ValueId) {
        if !name.is_empty() {
            self.innermost_mut().ids.insert(name, id);
        }
    }

    /// Whether some node of the innermost graph reads this value, or the graph returns it.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.innermost().used.contains(name)
    }

    /// What the innermost graph declares of a value.
    pub(super) fn declared(&self, name: &str) -> Option<&'a ValueInfoProto> {
        self.innermost().declared.get(name).copied()
    }

    /// What a value that the innermost graph calls `name` is called in the network.
    pub(super) fn value_name(&mut self, name: &str) -> String {
        match &self.innermost().inside {
            _ if name.is_empty() => String::new(),
            None => clean(name),
            Some(inside) => match inside.outputs.get(name) {
                Some(outer) => outer.clone(),
                None => self.names.counted(clean(&format!("{}/{name}", inside.node))),
            },
        }
    }

    /// Names a node of the innermost graph, so that no two have one name: the second `conv` is `conv#2`.
    pub(super) fn name_node(&mut self, node: &'a NodeProto) {
        let name = self.own_name(node);
        let name = self.node_names.counted(name);
        self.named.insert(std::ptr::from_ref(node), name);
    }

    /// A name for a node that the file does not have.
    pub(super) fn claim_node(&mut self, name: String) -> String {
        self.node_names.counted(name)
    }

    /// The name of a node of the innermost graph.
    pub(super) fn node_name(&self, node: &NodeProto) -> String {
        self.named.get(&std::ptr::from_ref(node)).cloned().unwrap_or_else(|| self.own_name(node))
    }

    /// The name that the file gives a node, made from its operator and the first output that it makes where it has none.
    fn own_name(&self, node: &NodeProto) -> String {
        let own = match (node.name.as_str(), node.output.iter().find(|output| !output.is_empty())) {
            ("", Some(output)) => clean(&format!("{}:{output}", node.op_type)),
            ("", None) => clean(&node.op_type),
            (name, _) => clean(name),
        };
        match &self.innermost().inside {
            None => own,
            Some(inside) => format!("{}/{own}", inside.node),
        }
    }

    fn innermost(&self) -> &Scope<'a> {
        self.open.last().expect("the graph of the file stays open")
    }

    fn innermost_mut(&mut self) -> &mut Scope<'a> {
        self.open.last_mut().expect("the graph of the file stays open")
    }
}

impl<'a> Scope<'a> {
    fn new(graph: &'a GraphProto, inside: Option<Inside<'a>>) -> Self {
        let declared = graph.value_info.iter().chain(&graph.output).map(|info| (info.name.as_str(), info)).collect();
        Self { ids: HashMap::new(), declared, used: order::used(graph), inside }
    }
}
