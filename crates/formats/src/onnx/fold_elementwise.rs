//! Elementwise operators and reductions on constants.

use std::cmp::Ordering;

use network::rearrange::{for_each_offset, strides};
use network::{Binary, Op, Reduction, Unary};

use super::array::{Array, Data};
use crate::reading::fault::{Fault, invalid};

/// An operator with one input, on integers (if it has a meaning there) and on real numbers.
type OnOne = (fn(i64) -> Option<i64>, fn(f64) -> f64);
/// An operator with two inputs.
type OnTwo = (fn(i64, i64) -> Option<i64>, fn(f64, f64) -> f64);
/// Whether a comparison holds for the ordering of its inputs; of NaN there is none.
type Holds = fn(Option<Ordering>) -> bool;

/// Functions of one element that are computed here.
const UNARY: [(Unary, OnOne); 16] = [
    (Unary::Neg, (i64::checked_neg, |v| -v)),
    (Unary::Abs, (i64::checked_abs, f64::abs)),
    (Unary::Relu, (|v| Some(v.max(0)), |v| if v < 0.0 { 0.0 } else { v })),
    (Unary::Sqrt, (|_| None, f64::sqrt)),
    (Unary::Exp, (|_| None, f64::exp)),
    (Unary::Log, (|_| None, f64::ln)),
    (Unary::Floor, (|_| None, f64::floor)),
    (Unary::Ceil, (|_| None, f64::ceil)),
    (Unary::Round, (|_| None, f64::round_ties_even)),
    (Unary::Reciprocal, (|_| None, f64::recip)),
    (Unary::Sign, (|v| Some(v.signum()), |v| if v == 0.0 { 0.0 } else { v.signum() })),
    (Unary::Not, (|v| Some(i64::from(v == 0)), |v| v)),
    (Unary::Tanh, (|_| None, f64::tanh)),
    (Unary::Sigmoid, (|_| None, |v| 1.0 / (1.0 + (-v).exp()))),
    (Unary::Softplus, (|_| None, |v| v.max(0.0) + (-v.abs()).exp().ln_1p())),
    (Unary::Softsign, (|_| None, |v| v / (1.0 + v.abs()))),
];

/// Functions of two elements that are computed here. Integers divide towards zero, as in C.
const BINARY: [(Binary, OnTwo); 10] = [
    (Binary::Add, (i64::checked_add, |a, b| a + b)),
    (Binary::Sub, (i64::checked_sub, |a, b| a - b)),
    (Binary::Mul, (i64::checked_mul, |a, b| a * b)),
    (Binary::Div, (i64::checked_div, |a, b| a / b)),
    (Binary::Pow, (|a, b| a.checked_pow(u32::try_from(b).ok()?), f64::powf)),
    (Binary::And, (|a, b| Some(a & b), |_, _| f64::NAN)),
    (Binary::Or, (|a, b| Some(a | b), |_, _| f64::NAN)),
    (Binary::Xor, (|a, b| Some(a ^ b), |_, _| f64::NAN)),
    (Binary::Min, (|a, b| Some(a.min(b)), |a, b| if a < b || a.is_nan() { a } else { b })),
    (Binary::Max, (|a, b| Some(a.max(b)), |a, b| if a > b || a.is_nan() { a } else { b })),
];

/// Comparisons, by the orderings of their inputs for which they hold.
const COMPARISONS: [(Binary, Holds); 5] = [
    (Binary::Equal, |o| o == Some(Ordering::Equal)),
    (Binary::Greater, |o| o == Some(Ordering::Greater)),
    (Binary::GreaterOrEqual, |o| matches!(o, Some(Ordering::Greater | Ordering::Equal))),
    (Binary::Less, |o| o == Some(Ordering::Less)),
    (Binary::LessOrEqual, |o| matches!(o, Some(Ordering::Less | Ordering::Equal))),
];

/// What a table has for a function, if it has anything.
fn found<F: PartialEq, C: Copy>(table: &[(F, C)], function: F) -> Option<C> {
    table.iter().find(|(known, _)| *known == function).map(|(_, computed)| *computed)
}

/// Whether an operator on elements is computed here.
pub(super) fn is_folded(op: &Op) -> bool {
    let is_one = |function: Unary| found(&UNARY, function).is_some();
    let is_two = |function: Binary| found(&BINARY, function).is_some() || found(&COMPARISONS, function).is_some();
    matches!(op, Op::Where | Op::Unary(Unary::Clip { .. }))
        || matches!(op, Op::Unary(function) if is_one(*function))
        || matches!(op, Op::Binary(function) if is_two(*function))
        || matches!(op, Op::Reduce { .. })
}

/// Computes a function of one element. `None` where it is not computed here, or where the result cannot be held.
pub(super) fn one(function: Unary, x: &Array) -> Option<Data> {
    if let (Unary::Clip { min, max }, Data::Real(values)) = (function, &x.data) {
        let (min, max) = (f64::from(min), f64::from(max));
        // As in ONNX, the upper bound holds where it is below the lower one. NaN stays NaN.
        let clip = |&v: &f64| {
            if v < min {
                min.min(max)
            } else if v > max {
                max
            } else {
                v
            }
        };
        return Some(Data::Real(values.iter().map(clip).collect()));
    }
    map(&x.data, found(&UNARY, function)?)
}

/// Takes each element from the second input where the first holds, else from the third.
pub(super) fn choose(inputs: &[Array], shape: &[usize]) -> Option<Data> {
    let [condition, a, b] = [0, 1, 2].map(|i| spread(&inputs[i], shape));
    select(&condition, &a, &b)
}

/// Joins elements pair by pair; the output has shape `shape`. `None` as in [`one`].
pub(super) fn pairs(function: Binary, inputs: &[Array], shape: &[usize]) -> Result<Option<Data>, Fault> {
    if let Some(holds) = found(&COMPARISONS, function) {
        return Ok(compare(&spread(&inputs[0], shape), &spread(&inputs[1], shape), holds));
    }
    let Some(on_two) = found(&BINARY, function) else { return Ok(None) };
    let by_zero = |x: &Array| matches!(&x.data, Data::Int(v) if v.contains(&0));
    if function == Binary::Div && inputs.iter().skip(1).any(by_zero) {
        return Err(invalid!("division of constant integers by 0"));
    }
    let mut result = spread(&inputs[0], shape);
    for input in &inputs[1..] {
        match join(&result, &spread(input, shape), on_two) {
            Some(joined) => result = joined,
            None => return Ok(None),
        }
    }
    Ok(Some(result))
}

/// The remainder of a division, elementwise; the output has shape `shape`.
pub(super) fn modulo(a: &Array, b: &Array, float: bool, shape: &[usize]) -> Option<Data> {
    let function: OnTwo = match float {
        true => (i64::checked_rem, |a, b| a % b),
        // The sign of the remainder is that of the divisor, as in Python.
        false => (|a, b| a.checked_rem(b)?.checked_add(b)?.checked_rem(b), floored),
    };
    join(&spread(a, shape), &spread(b, shape), function)
}

fn floored(a: f64, b: f64) -> f64 {
    let remainder = a % b;
    if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) { remainder + b } else { remainder }
}

/// What becomes of each element before a reduction; `None` where that is the element.
fn prepare(reduction: Reduction) -> Option<OnOne> {
    match reduction {
        Reduction::L1 => found(&UNARY, Unary::Abs),
        Reduction::LogSumExp => found(&UNARY, Unary::Exp),
        Reduction::SumSquare | Reduction::L2 => Some((|v| v.checked_mul(v), |v| v * v)),
        Reduction::Mean | Reduction::Sum | Reduction::LogSum => None,
        Reduction::Product | Reduction::Min | Reduction::Max => None,
    }
}

/// The function that joins two elements.
fn joins(reduction: Reduction) -> Binary {
    match reduction {
        Reduction::L1 | Reduction::SumSquare | Reduction::Sum | Reduction::Mean | Reduction::L2 => Binary::Add,
        Reduction::LogSum | Reduction::LogSumExp => Binary::Add,
        Reduction::Product => Binary::Mul,
        Reduction::Min => Binary::Min,
        Reduction::Max => Binary::Max,
    }
}

/// What becomes of the whole of `count` elements. Means, roots and logarithms of integers are not computed.
fn finish(reduction: Reduction, whole: Data, count: usize) -> Option<Data> {
    let each = |sums: Vec<f64>, of: fn(f64) -> f64| Some(Data::Real(sums.into_iter().map(of).collect()));
    match (reduction, whole) {
        (Reduction::Mean, Data::Real(sums)) => {
            Some(Data::Real(sums.into_iter().map(|sum| sum / count as f64).collect()))
        }
        (Reduction::L2, Data::Real(sums)) => each(sums, f64::sqrt),
        (Reduction::LogSum | Reduction::LogSumExp, Data::Real(sums)) => each(sums, f64::ln),
        (Reduction::Mean | Reduction::L2 | Reduction::LogSum | Reduction::LogSumExp, Data::Int(_)) => None,
        (_, whole) => Some(whole),
    }
}

/// Reduces `axes`; the result is row-major over the axes that stay. Real numbers are summed in 64 bits and rounded once.
/// `None` over no elements or on overflow.
pub(super) fn reduce(x: &Array, axes: &[usize], reduction: Reduction) -> Option<Data> {
    let (on_ints, on_reals) = found(&BINARY, joins(reduction))?;
    let own = strides(&x.shape);
    let kept: Vec<usize> = (0..x.shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let part = |axes: &[usize], of: &[usize]| axes.iter().map(|&axis| of[axis]).collect::<Vec<_>>();
    let mut inside = Vec::new();
    for_each_offset(&part(axes, &x.shape), &part(axes, &own), |offset| inside.push(offset));
    let mut starts = Vec::new();
    for_each_offset(&part(&kept, &x.shape), &part(&kept, &own), |offset| starts.push(offset));
    let prepared = prepare(reduction).map(|prepare| map(&x.data, prepare));
    let data = match &prepared {
        Some(prepared) => prepared.as_ref()?,
        None => &x.data,
    };
    let whole = match data {
        Data::Int(values) => {
            let total = |&start: &usize| {
                let mut group = inside.iter().map(|&i| values[start + i]);
                let first = group.next()?;
                group.try_fold(first, on_ints)
            };
            Data::Int(starts.iter().map(total).collect::<Option<_>>()?)
        }
        Data::Real(values) => {
            let total = |&start: &usize| inside.iter().map(|&i| values[start + i]).reduce(on_reals);
            Data::Real(starts.iter().map(total).collect::<Option<_>>()?)
        }
    };
    finish(reduction, whole, inside.len())
}

/// Offsets into a tensor of shape `from` for every element of shape `to`, which it broadcasts to.
pub(super) fn broadcast_offsets(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides(from);
    let missing = to.len() - from.len();
    let step = |axis: usize| match axis.checked_sub(missing) {
        Some(i) if from[i] != 1 => own[i],
        _ => 0,
    };
    let steps: Vec<usize> = (0..to.len()).map(step).collect();
    let mut offsets = Vec::new();
    for_each_offset(to, &steps, |offset| offsets.push(offset));
    offsets
}

fn spread(x: &Array, shape: &[usize]) -> Data {
    if x.shape == shape {
        return x.data.clone();
    }
    let offsets = broadcast_offsets(&x.shape, shape);
    match &x.data {
        Data::Int(values) => Data::Int(offsets.iter().map(|&i| values[i]).collect()),
        Data::Real(values) => Data::Real(offsets.iter().map(|&i| values[i]).collect()),
    }
}

fn map(x: &Data, (on_ints, on_reals): OnOne) -> Option<Data> {
    match x {
        Data::Int(values) => values.iter().map(|&v| on_ints(v)).collect::<Option<_>>().map(Data::Int),
        Data::Real(values) => Some(Data::Real(values.iter().map(|&v| on_reals(v)).collect())),
    }
}

fn join(a: &Data, b: &Data, (on_ints, on_reals): OnTwo) -> Option<Data> {
    match (a, b) {
        (Data::Int(a), Data::Int(b)) => {
            a.iter().zip(b).map(|(&a, &b)| on_ints(a, b)).collect::<Option<_>>().map(Data::Int)
        }
        (Data::Real(a), Data::Real(b)) => Some(Data::Real(a.iter().zip(b).map(|(&a, &b)| on_reals(a, b)).collect())),
        _ => None,
    }
}

fn compare(a: &Data, b: &Data, holds: fn(Option<std::cmp::Ordering>) -> bool) -> Option<Data> {
    let results = match (a, b) {
        (Data::Int(a), Data::Int(b)) => a.iter().zip(b).map(|(a, b)| i64::from(holds(a.partial_cmp(b)))).collect(),
        (Data::Real(a), Data::Real(b)) => a.iter().zip(b).map(|(a, b)| i64::from(holds(a.partial_cmp(b)))).collect(),
        _ => return None,
    };
    Some(Data::Int(results))
}

fn select(condition: &Data, a: &Data, b: &Data) -> Option<Data> {
    let Data::Int(condition) = condition else { return None };
    Some(match (a, b) {
        (Data::Int(a), Data::Int(b)) => {
            Data::Int(condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect())
        }
        (Data::Real(a), Data::Real(b)) => {
            Data::Real(condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect())
        }
        _ => return None,
    })
}
