//! Einsum of two operands, taken apart into Transpose, Reshape and MatMul: with constant weights it is a MAC layer.

use std::collections::HashSet;

use super::proto::{GraphProto, NodeProto};
use super::steps::Steps;
use super::write::attributes::{counts, int};
use crate::reading::fault::{Fault, clean, invalid};

/// The nodes that stand for an Einsum. Those of other than two operands stay as they are, and so do equations with `...`,
/// with a letter twice in an operand, and with a letter that one operand alone has and that is summed over.
pub(super) fn parts(
    node: &NodeProto,
    opset: i64,
    constants: &HashSet<String>,
) -> Result<Option<Vec<NodeProto>>, Fault> {
    let equation = node.attribute.iter().find(|attribute| attribute.name == "equation");
    let text = equation.and_then(|attribute| std::str::from_utf8(&attribute.s).ok()).unwrap_or_default();
    let [a, b] = node.input.as_slice() else { return Ok(None) };
    let Some(terms) = Terms::parse(text) else { return Ok(None) };
    let terms =
        terms.map_err(|problem| invalid!("node {:?}: equation {:?} {problem}", clean(&node.name), clean(text)))?;
    // The constant is the second factor, as in a layer.
    let swap = constants.contains(a) && !constants.contains(b);
    let (operands, terms) = if swap { ([b, a], terms.swapped()) } else { ([a, b], terms) };
    let Some(roles) = Roles::of(&terms) else { return Ok(None) };
    let mut steps = Steps::new(node, opset);
    let product = match roles.summed.is_empty() {
        true => roles.multiplied(&mut steps, operands, &terms),
        false => roles.contracted(&mut steps, operands, &terms),
    };
    let made = [roles.both.as_slice(), &roles.first, &roles.second].concat();
    let perm: Vec<usize> = terms.output.iter().filter_map(|letter| made.iter().position(|l| l == letter)).collect();
    Ok(Some(steps.end("Transpose", &[&product], vec![counts("perm", &perm)])))
}

/// The values of a graph that do not depend on its input.
pub(super) fn constants(graph: &GraphProto) -> HashSet<String> {
    let mut constants: HashSet<String> = graph.stored_names().map(str::to_string).collect();
    for node in &graph.node {
        let known = |name: &String| name.is_empty() || constants.contains(name);
        if node.input.iter().all(known) && node.graphs().next().is_none() {
            constants.extend(node.output.iter().cloned());
        }
    }
    constants
}

/// The letters of an equation.
struct Terms {
    operands: [Vec<char>; 2],
    output: Vec<char>,
}

impl Terms {
    /// `None` of what is not taken apart; the error is what is wrong.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let (a, b) = left.split_once(',')?;
        if text.contains("...") || b.contains(',') {
            return None;
        }
        let operands = [a, b].map(|term| term.chars().collect::<Vec<char>>());
        let all = operands.concat();
        let output: Vec<char> = match right {
            Some(right) => right.chars().collect(),
            None => {
                let once = |letter: &char| all.iter().filter(|other| *other == letter).count() == 1;
                let mut output: Vec<char> = all.iter().copied().filter(once).collect();
                output.sort_unstable();
                output
            }
        };
        if let Some(other) = all.iter().chain(&output).find(|c| !c.is_ascii_alphabetic()) {
            return Some(Err(format!("has {other:?}; expected letters")));
        }
        if let Some(letter) = output.iter().find(|letter| !all.contains(letter)) {
            return Some(Err(format!("makes {letter:?} of nothing")));
        }
        match has_twice(&output) {
            true => Some(Err("names a letter of the output twice".to_string())),
            false if operands.iter().any(|letters| has_twice(letters)) => None,
            false => Some(Ok(Self { operands, output })),
        }
    }

    fn swapped(self) -> Self {
        let [a, b] = self.operands;
        Self { operands: [b, a], output: self.output }
    }
}

fn has_twice(letters: &[char]) -> bool {
    letters.iter().enumerate().any(|(i, letter)| letters[..i].contains(letter))
}

/// What becomes of each letter.
struct Roles {
    /// Of both operands, and kept: a stack of products.
    both: Vec<char>,
    /// Of both operands, and summed over.
    summed: Vec<char>,
    /// Of the first operand alone.
    first: Vec<char>,
    /// Of the second operand alone.
    second: Vec<char>,
}

impl Roles {
    /// `None` where a letter of one operand alone is summed over.
    fn of(terms: &Terms) -> Option<Self> {
        let [a, b] = &terms.operands;
        let kept = |letter: &&char| terms.output.contains(letter);
        let (both, summed): (Vec<char>, Vec<char>) = a.iter().filter(|c| b.contains(c)).partition(kept);
        let (first, lost): (Vec<char>, Vec<char>) = a.iter().filter(|c| !b.contains(c)).partition(kept);
        let (second, lost_too): (Vec<char>, Vec<char>) = b.iter().filter(|c| !a.contains(c)).partition(kept);
        (lost.is_empty() && lost_too.is_empty()).then_some(Self { both, summed, first, second })
    }

    /// A product that is summed over some letters: a MatMul.
    fn contracted(&self, steps: &mut Steps<'_>, [a, b]: [&String; 2], terms: &Terms) -> String {
        let [stack, depth, rows, columns] = [&self.both, &self.summed, &self.first, &self.second].map(Vec::len);
        let a = arranged(steps, a, &terms.operands[0], &[&self.both, &self.first, &self.summed]);
        let b = arranged(steps, b, &terms.operands[1], &[&self.both, &self.summed, &self.second]);
        let whole = [part(steps, &a, 0, stack + rows), part(steps, &b, stack + depth, stack + depth + columns)];
        let one_row = stack == 0 || rows == 1;
        let (x, y) = match one_row && depth == 1 && columns == 1 {
            true => (a, b),
            false => {
                let (head, rest) = (part(steps, &a, 0, if one_row { stack + rows } else { stack }), steps.ints(&[-1]));
                let sum = part(steps, &b, stack, stack + depth);
                let sum = steps.op("ReduceProd", &[&sum], vec![int("keepdims", 1)]);
                let middle = if one_row { None } else { Some(rest.as_str()) };
                let left: Vec<&str> = std::iter::once(head.as_str()).chain(middle).chain([sum.as_str()]).collect();
                let left = steps.op("Concat", &left, vec![int("axis", 0)]);
                let stacked = part(steps, &b, 0, stack);
                let right = steps.op("Concat", &[&stacked, &sum, &rest], vec![int("axis", 0)]);
                (steps.reshape(&a, &left), steps.reshape(&b, &right))
            }
        };
        let product = steps.layer("MatMul", &[&x, &y], vec![]);
        if one_row && columns == 1 {
            return product;
        }
        let shape = steps.op("Concat", &[&whole[0], &whole[1]], vec![int("axis", 0)]);
        steps.reshape(&product, &shape)
    }

    /// A product that is summed over nothing: elements are multiplied.
    fn multiplied(&self, steps: &mut Steps<'_>, [a, b]: [&String; 2], terms: &Terms) -> String {
        let [stack, rows, columns] = [&self.both, &self.first, &self.second].map(Vec::len);
        let a = arranged(steps, a, &terms.operands[0], &[&self.both, &self.first]);
        let b = arranged(steps, b, &terms.operands[1], &[&self.both, &self.second]);
        let (own, behind) = (part(steps, &a, 0, stack + rows), steps.ints(&vec![1; columns]));
        let (stacked, between) = (part(steps, &b, 0, stack), steps.ints(&vec![1; rows]));
        let rest = part(steps, &b, stack, stack + columns);
        let left = steps.op("Concat", &[&own, &behind], vec![int("axis", 0)]);
        let right = steps.op("Concat", &[&stacked, &between, &rest], vec![int("axis", 0)]);
        let (x, y) = (steps.reshape(&a, &left), steps.reshape(&b, &right));
        steps.op("Mul", &[&x, &y], vec![])
    }
}

/// An operand with its axes in the order of these letters.
fn arranged(steps: &mut Steps<'_>, operand: &str, letters: &[char], order: &[&Vec<char>]) -> String {
    let wanted = order.iter().flat_map(|letters| letters.iter());
    let perm: Vec<usize> = wanted.filter_map(|letter| letters.iter().position(|l| l == letter)).collect();
    steps.op("Transpose", &[operand], vec![counts("perm", &perm)])
}

/// Some extents of a value.
fn part(steps: &mut Steps<'_>, value: &str, start: usize, end: usize) -> String {
    steps.op("Shape", &[value], vec![int("start", start as i64), int("end", end as i64)])
}
