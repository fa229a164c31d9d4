//! Who makes which value, and an order in which every value is made before it is read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::proto::{GraphProto, NodeProto};
use crate::reading::fault::{Fault, invalid};

/// A fault and the node it belongs to.
pub(super) type NodeFault = (Option<usize>, Fault);

/// Who makes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// It is fed or stored.
    Given,
    /// The node with this index.
    Node(usize),
}

/// Orders nodes so that every value is made before it is read, be it read in a branch. Where there is a choice, the
/// order is that of the file. Checks that each name is made once, and that each input of a node is made here or, as
/// `is_around` says, in a graph around this one.
pub(super) fn order(graph: &GraphProto, is_around: impl Fn(&str) -> bool) -> Result<Vec<usize>, NodeFault> {
    let makers = makers(graph)?;
    let mut waits_for = vec![0usize; graph.node.len()];
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        if let Some(name) = inputs(node).find(|name| !makers.contains_key(name) && !is_around(name)) {
            return Err((Some(index), invalid!("input {name:?} is made by no node")));
        }
        // A branch may name what nobody makes, as long as it is not taken.
        let maker = |name| match makers.get(name) {
            Some(Maker::Node(maker)) => Some(*maker),
            Some(Maker::Given) | None => None,
        };
        let awaited: HashSet<usize> = reads(node).into_iter().filter_map(maker).collect();
        waits_for[index] = awaited.len();
        for maker in awaited {
            readers.entry(maker).or_default().push(index);
        }
    }
    let mut ready: BinaryHeap<_> = (0..graph.node.len()).filter(|&i| waits_for[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(graph.node.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in readers.get(&index).into_iter().flatten() {
            waits_for[reader] -= 1;
            if waits_for[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match waits_for.iter().position(|&n| n > 0) {
        Some(index) => Err((Some(index), invalid!("the node waits for its own output (a cycle)"))),
        None => Ok(order),
    }
}

/// Names that a graph reads or returns.
pub(super) fn used(graph: &GraphProto) -> HashSet<&str> {
    graph.node.iter().flat_map(reads).chain(graph.output.iter().map(|output| output.name.as_str())).collect()
}

/// What a node reads: its inputs, and what its branches take from the graphs around them.
fn reads(node: &NodeProto) -> HashSet<&str> {
    inputs(node).chain(node.graphs().flat_map(captured)).collect()
}

fn inputs(node: &NodeProto) -> impl Iterator<Item = &str> {
    node.input.iter().map(String::as_str).filter(|name| !name.is_empty())
}

/// What the graphs inside of a node take from those around them.
pub(super) fn captured_by(node: &NodeProto) -> HashSet<&str> {
    node.graphs().flat_map(captured).collect()
}

/// What a branch takes from the graphs around it.
fn captured(graph: &GraphProto) -> HashSet<&str> {
    let own: HashSet<&str> = names(graph).collect();
    used(graph).into_iter().filter(|name| !own.contains(name)).collect()
}

/// The names that a graph makes or is given.
pub(super) fn names(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let made = graph.input.iter().map(|input| &input.name).chain(graph.node.iter().flat_map(|node| &node.output));
    graph.stored_names().chain(made.map(String::as_str))
}

/// The maker of every name; an initializer may also be listed as an input.
fn makers(graph: &GraphProto) -> Result<HashMap<&str, Maker>, NodeFault> {
    let mut makers = HashMap::new();
    for name in graph.stored_names() {
        if makers.insert(name, Maker::Given).is_some() {
            return Err((None, invalid!("initializer {name:?} comes twice")));
        }
    }
    let mut fed = HashSet::new();
    for name in graph.input.iter().map(|i| i.name.as_str()) {
        if !fed.insert(name) {
            return Err((None, invalid!("input {name:?} comes twice")));
        }
        makers.insert(name, Maker::Given);
    }
    for (index, node) in graph.node.iter().enumerate() {
        for name in node.output.iter().map(String::as_str).filter(|name| !name.is_empty()) {
            if let Some(first) = makers.insert(name, Maker::Node(index)) {
                let first = match first {
                    Maker::Given => "an input or initializer".to_string(),
                    Maker::Node(other) => format!("the output of node {:?}", graph.node[other].name),
                };
                return Err((Some(index), invalid!("output {name:?} already is {first}")));
            }
        }
    }
    Ok(makers)
}
