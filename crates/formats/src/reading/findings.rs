//! What a user should know about a reading: operators that are not run, and multiply-accumulates that no layer stands
//! for.

use std::collections::{BTreeSet, HashMap};

use network::{NotCosted, Note, NoteKind};

use super::unread::Unread;

/// Nodes that a note names; further ones are counted.
const NAMED: usize = 5;
/// Operators that the error of a network without layers names.
const LISTED: usize = 10;

/// The reason where a reader knows no better one.
pub(crate) const NOT_HANDLED: &str = "this operator is not handled";

/// Why an operator is not run whose state goes from step to step.
pub(crate) fn steps_not_run(reason: &str) -> String {
    format!("the products with its weights are layers, and its steps are not run, for {reason}")
}

/// What is said of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Finding {
    pub(crate) operator: String,
    /// Why it is not run; empty where there is nothing to add, `None` where it is run.
    pub(crate) not_run: Option<String>,
    /// Why its multiply-accumulates are in no layer; `None` where it has none or they are.
    pub(crate) not_costed: Option<String>,
    /// Whether the shape of an output that somebody reads is not known.
    pub(crate) unknown_shape: bool,
}

/// The findings of a graph, in the order of its nodes.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    groups: Vec<Group>,
    by_finding: HashMap<Finding, usize>,
    not_costed: Vec<NotCosted>,
}

/// Nodes of which the same is said.
#[derive(Debug)]
struct Group {
    finding: Finding,
    /// Their names.
    nodes: Vec<String>,
}

impl Findings {
    /// Takes a finding. A `silent` one makes no note, for the note of another node says the same.
    pub(crate) fn add(&mut self, node: &str, finding: Finding, silent: bool) {
        if let Some(reason) = &finding.not_costed {
            let (node, operator) = (node.to_string(), finding.operator.clone());
            self.not_costed.push(NotCosted { node, operator, reason: reason.clone() });
        }
        if silent {
            return;
        }
        let next = self.groups.len();
        let index = *self.by_finding.entry(finding.clone()).or_insert(next);
        if index == next {
            self.groups.push(Group { finding, nodes: Vec::new() });
        }
        self.groups[index].nodes.push(node.to_string());
    }

    /// One line for each operator and reason, and the nodes that are not costed. Nothing is said of nodes that were taken
    /// out.
    pub(crate) fn into_parts(mut self, unread: &Unread) -> (Vec<Note>, Vec<NotCosted>) {
        self.groups.iter_mut().for_each(|group| group.nodes.retain(|node| !unread.has(node)));
        self.not_costed.retain(|found| !unread.has(&found.node));
        let groups = self.groups.iter().filter(|group| !group.nodes.is_empty());
        (groups.map(Group::note).collect(), self.not_costed)
    }

    /// The operators that are not run, for messages.
    pub(crate) fn not_run(&self) -> String {
        let refused = self.groups.iter().filter(|group| group.finding.not_run.is_some());
        list(refused.map(|group| group.finding.operator.clone()).collect())
    }

    /// Which operators a network without layers has instead, for its error.
    pub(crate) fn instead_of_layers(&self) -> String {
        let of = |group: &Group| match (&group.finding.not_costed, &group.finding.not_run) {
            (Some(reason), _) if reason != NOT_HANDLED => Some(format!("{} ({reason})", group.finding.operator)),
            (Some(_), _) | (None, Some(_)) => Some(group.finding.operator.clone()),
            (None, None) => None,
        };
        let refused: BTreeSet<String> = self.groups.iter().filter_map(of).collect();
        match refused.is_empty() {
            true => "found none".to_string(),
            false => format!("these operators are not handled: {}", list(refused)),
        }
    }
}

impl Group {
    fn note(&self) -> Note {
        let Finding { operator, not_run, not_costed, unknown_shape } = &self.finding;
        let named: Vec<String> = self.nodes.iter().take(NAMED).map(|node| format!("{node:?}")).collect();
        let (named, count) = (named.join(", "), self.nodes.len());
        let more = if count > NAMED { ", …" } else { "" };
        let nodes = if count == 1 { format!("node {named}") } else { format!("{count} nodes: {named}{more}") };
        let mut verdict = match (not_run, not_costed) {
            (Some(_), Some(cost)) => format!("not run and not costed: {cost}"),
            (Some(reason), None) if reason.is_empty() => "not run".to_string(),
            (Some(reason), None) => format!("not run: {reason}"),
            (None, cost) => format!("not costed: {}", cost.as_deref().unwrap_or_default()),
        };
        if *unknown_shape {
            verdict.push_str("; the shape of its output is not known");
        }
        let kind = if not_run.is_some() { NoteKind::NotRun } else { NoteKind::NotCosted };
        Note::new(kind, format!("operator {operator} ({nodes}) is {verdict}"))
    }
}

fn list(operators: BTreeSet<String>) -> String {
    let more = if operators.len() > LISTED { ", …" } else { "" };
    let named: Vec<String> = operators.into_iter().take(LISTED).collect();
    format!("{}{more}", named.join(", "))
}
