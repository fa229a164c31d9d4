//! Which levels the results of operators on constants may lie on, by the levels of their inputs.

use network::{Binary, Op, Unary};

use super::array::{Array, Data};
use super::chain::Chain;
use super::lattice::{Factor, Lattice};

/// The most lattices that are kept of a constant. A quantizer makes one, and few operators leave more than one open.
const MAX_LATTICES: usize = 8;

/// An input of an operator: what is known of it, and its elements.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) chain: &'a Chain,
    pub(super) array: &'a Array,
}

/// The lattices that real numbers behind an operator may lie on, the likeliest first. One number has none: it is a scale,
/// not weights.
pub(super) fn lattices(op: &Op, inputs: &[Input<'_>], out: &Array) -> Vec<Lattice> {
    let mut kept: Vec<Lattice> = Vec::new();
    if matches!(out.data, Data::Real(_)) && out.data.len() > 1 {
        for lattice in possible(op, inputs, out) {
            if kept.len() < MAX_LATTICES && !kept.contains(&lattice) {
                kept.push(lattice);
            }
        }
    }
    kept
}

/// Whether real numbers were computed from as many integers, stored or rounded. What only takes elements or leaves them
/// out, a mask or a condition, is not among these.
pub(super) fn is_from_integers(op: &Op, inputs: &[Input<'_>], out: &Array) -> bool {
    let from = |input: &Input<'_>| {
        let is_mask = |data: &Data| match data {
            Data::Int(values) => values.iter().all(|value| matches!(value, 0 | 1)),
            Data::Real(values) => values.iter().all(|&value| value == 0.0 || value == 1.0),
        };
        let counts = input.chain.is_from_integers() && input.array.data.len() == out.data.len();
        counts && !is_mask(&input.array.data)
    };
    let is_real = matches!(out.data, Data::Real(_)) && out.shape.len() > 1;
    is_real && (rounds(op) || inputs.iter().any(from))
}

/// Whether an operator makes integers of real numbers.
fn rounds(op: &Op) -> bool {
    matches!(op, Op::Unary(Unary::Round | Unary::Floor | Unary::Ceil | Unary::Sign))
}

fn possible(op: &Op, inputs: &[Input<'_>], out: &Array) -> Vec<Lattice> {
    if let Op::Binary(function) = op {
        return pairs(*function, inputs, out);
    }
    if let Op::Slice { axes, .. } = op {
        return beside(inputs, axes);
    }
    if let Op::Gather { axis } | Op::Split { axis } | Op::Concat { axis } = op {
        return beside(inputs, &[*axis]);
    }
    if *op == Op::Where {
        return chosen(inputs, out);
    }
    if rounds(op) {
        let is_sign = *op == Op::Unary(Unary::Sign);
        return vec![if is_sign { Lattice::signs() } else { Lattice::integers() }];
    }
    if *op == Op::Cast && matches!(inputs[0].array.data, Data::Int(_)) {
        return vec![Lattice::integers()];
    }
    if *op == Op::Unary(Unary::Neg) {
        return inputs[0].chain.levels().iter().map(Lattice::negated).collect();
    }
    // What is not clipped stays where it is, and a bound may be a level as well.
    let stays = matches!(op, Op::Unary(Unary::Clip { .. } | Unary::Relu | Unary::Abs));
    let moves = matches!(op, Op::Cast | Op::Identity | Op::Expand | Op::Tile | Op::Reshape);
    if stays || moves { inherited(inputs, out) } else { Vec::new() }
}

/// The lattices of inputs that have an element for each of the output, on the same axes.
fn inherited(inputs: &[Input<'_>], out: &Array) -> Vec<Lattice> {
    let same = inputs.iter().filter(|input| input.array.shape == out.shape);
    same.flat_map(|input| input.chain.levels()).collect()
}

/// The lattices of parts: those whose scales belong to none of the axes that are cut or joined.
fn beside(inputs: &[Input<'_>], axes: &[usize]) -> Vec<Lattice> {
    let levels = inputs.iter().flat_map(|input| input.chain.levels());
    levels.filter(|lattice| lattice.axis.is_none_or(|axis| !axes.contains(&axis))).collect()
}

/// The lattices of a sum, a product or the like. Where one side is one number for all elements, or one for each part of
/// an axis, levels move with it. An estimator of gradients adds and subtracts the same tensor, and a mask multiplies by
/// 0 and 1; behind these the levels are those from before.
fn pairs(function: Binary, inputs: &[Input<'_>], out: &Array) -> Vec<Lattice> {
    let &[a, b] = inputs else { return inherited(inputs, out) };
    let rank = out.shape.len();
    let full = |input: Input<'_>| input.array.data.len() == out.data.len();
    let levels = |input: Input<'_>| if full(input) { input.chain.levels() } else { Vec::new() };
    let [of_a, of_b] = [levels(a), levels(b)];
    if of_a.is_empty() && of_b.is_empty() {
        return Vec::new();
    }
    let by_b = Factor::of(b.array, rank).filter(|_| !of_a.is_empty());
    let by_a = Factor::of(a.array, rank).filter(|_| !of_b.is_empty());
    let left = by_b.iter().flat_map(|by| of_a.iter().filter_map(|lattice| on_the_left(function, lattice, by)));
    let right = by_a.iter().flat_map(|by| of_b.iter().filter_map(|lattice| on_the_right(function, lattice, by)));
    let mut found: Vec<Lattice> = left.chain(right).collect();
    let is_whole = |by: &Option<Factor>| by.as_ref().is_some_and(Factor::is_one);
    if !is_whole(&by_a) && !is_whole(&by_b) {
        found.extend(inherited(inputs, out));
    }
    found
}

/// The lattice of `lattice ∘ by`.
fn on_the_left(function: Binary, lattice: &Lattice, by: &Factor) -> Option<Lattice> {
    match function {
        Binary::Add => lattice.plus(by),
        Binary::Sub => lattice.less(by),
        Binary::Mul => lattice.times(by),
        Binary::Div => lattice.divided(by),
        Binary::Min | Binary::Max => Some(lattice.clone()),
        Binary::Pow | Binary::PRelu | Binary::And | Binary::Or | Binary::Xor => None,
        Binary::Equal | Binary::Greater | Binary::GreaterOrEqual | Binary::Less | Binary::LessOrEqual => None,
    }
}

/// The lattice of `by ∘ lattice`.
fn on_the_right(function: Binary, lattice: &Lattice, by: &Factor) -> Option<Lattice> {
    match function {
        Binary::Sub => lattice.negated().plus(by),
        Binary::Add | Binary::Mul | Binary::Min | Binary::Max => on_the_left(function, lattice, by),
        Binary::Div | Binary::Pow | Binary::PRelu | Binary::And | Binary::Or | Binary::Xor => None,
        Binary::Equal | Binary::Greater | Binary::GreaterOrEqual | Binary::Less | Binary::LessOrEqual => None,
    }
}

/// The lattices behind a Where: those of what it takes, and where both are numbers, these two.
fn chosen(inputs: &[Input<'_>], out: &Array) -> Vec<Lattice> {
    let rank = out.shape.len();
    let factors = [1, 2].map(|i| Factor::of(inputs[i].array, rank));
    let two = if let [Some(a), Some(b)] = &factors { Lattice::of_two(a, b) } else { None };
    inherited(&inputs[1..], out).into_iter().chain(two).collect()
}
