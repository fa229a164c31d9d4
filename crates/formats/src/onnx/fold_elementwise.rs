//! Elementwise operators and reductions on constants.

use network::Op;
use network::rearrange::{for_each_offset, strides};

use super::array::{Array, Data};
use crate::reading::fault::{Fault, invalid};

/// An operator with one input, on integers (if it has a meaning there) and on real numbers.
type Unary = (fn(i64) -> Option<i64>, fn(f64) -> f64);
/// An operator with two inputs.
type Binary = (fn(i64, i64) -> Option<i64>, fn(f64, f64) -> f64);

/// The elementwise operators of the graph with one input.
pub(super) fn unary(op: &Op) -> Option<Unary> {
    Some(match op {
        Op::Neg => (i64::checked_neg, |v| -v),
        Op::Abs => (i64::checked_abs, f64::abs),
        Op::Relu => (|v| Some(v.max(0)), |v| if v < 0.0 { 0.0 } else { v }),
        Op::Sqrt => (|_| None, f64::sqrt),
        Op::Exp => (|_| None, f64::exp),
        Op::Log => (|_| None, f64::ln),
        Op::Floor => (|_| None, f64::floor),
        Op::Ceil => (|_| None, f64::ceil),
        Op::Round => (|_| None, f64::round_ties_even),
        Op::Reciprocal => (|_| None, f64::recip),
        Op::Sign => (|v| Some(v.signum()), |v| if v == 0.0 { 0.0 } else { v.signum() }),
        Op::Not => (|v| Some(i64::from(v == 0)), |v| v),
        _ => return None,
    })
}

/// The elementwise operators of the graph with two inputs.
pub(super) fn binary(op: &Op) -> Option<Binary> {
    Some(match op {
        Op::Add => (i64::checked_add, |a, b| a + b),
        Op::Sub => (i64::checked_sub, |a, b| a - b),
        Op::Mul => (i64::checked_mul, |a, b| a * b),
        // Integers divide towards zero, as in C.
        Op::Div => (i64::checked_div, |a, b| a / b),
        Op::Pow => (|a, b| a.checked_pow(u32::try_from(b).ok()?), f64::powf),
        Op::And => (|a, b| Some(a & b), |_, _| f64::NAN),
        Op::Or => (|a, b| Some(a | b), |_, _| f64::NAN),
        Op::Xor => (|a, b| Some(a ^ b), |_, _| f64::NAN),
        Op::Min => (|a, b| Some(a.min(b)), |a, b| if a < b || a.is_nan() { a } else { b }),
        Op::Max => (|a, b| Some(a.max(b)), |a, b| if a > b || a.is_nan() { a } else { b }),
        _ => return None,
    })
}

/// Computes an elementwise operator of the graph; the output has shape `shape`.
pub(super) fn apply(op: &Op, inputs: &[Array], shape: &[usize]) -> Result<Option<Data>, Fault> {
    if let Some(function) = unary(op) {
        return Ok(map(&inputs[0].data, function));
    }
    if *op == Op::Where {
        let [condition, a, b] = [0, 1, 2].map(|i| spread(&inputs[i], shape));
        return Ok(select(&condition, &a, &b));
    }
    if let Some(holds) = comparison(op) {
        return Ok(compare(&spread(&inputs[0], shape), &spread(&inputs[1], shape), holds));
    }
    let Some(function) = binary(op) else { return Ok(None) };
    if *op == Op::Div && inputs.iter().skip(1).any(|x| matches!(&x.data, Data::Int(v) if v.contains(&0))) {
        return Err(invalid!("division of constant integers by 0"));
    }
    let mut result = spread(&inputs[0], shape);
    for input in &inputs[1..] {
        match join(&result, &spread(input, shape), function) {
            Some(joined) => result = joined,
            None => return Ok(None),
        }
    }
    Ok(Some(result))
}

/// The remainder of a division, elementwise; the output has shape `shape`.
pub(super) fn modulo(a: &Array, b: &Array, float: bool, shape: &[usize]) -> Option<Data> {
    let function: Binary = match float {
        true => (i64::checked_rem, |a, b| a % b),
        // The sign of an integer remainder is that of the divisor, as in Python.
        false => (|a, b| a.checked_rem(b)?.checked_add(b)?.checked_rem(b), |_, _| f64::NAN),
    };
    join(&spread(a, shape), &spread(b, shape), function)
}

/// Whether the operator holds for an ordering of its inputs; `None` where the operator compares nothing.
pub(super) fn comparison(op: &Op) -> Option<fn(Option<std::cmp::Ordering>) -> bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    Some(match op {
        Op::Equal => |o| o == Some(Equal),
        Op::Greater => |o| o == Some(Greater),
        Op::GreaterOrEqual => |o| matches!(o, Some(Greater | Equal)),
        Op::Less => |o| o == Some(Less),
        Op::LessOrEqual => |o| matches!(o, Some(Less | Equal)),
        _ => return None,
    })
}

/// How a reduction joins two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Product,
    Min,
    Max,
}

/// Reduces `axes`; the result is row-major over the axes that stay. `None` over no elements or on overflow.
pub(super) fn reduce(x: &Array, axes: &[usize], reduction: Reduction) -> Option<Data> {
    let op = match reduction {
        Reduction::Sum => Op::Add,
        Reduction::Product => Op::Mul,
        Reduction::Min => Op::Min,
        Reduction::Max => Op::Max,
    };
    let (on_ints, on_reals) = binary(&op)?;
    let own = strides(&x.shape);
    let kept: Vec<usize> = (0..x.shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let part = |axes: &[usize], of: &[usize]| axes.iter().map(|&axis| of[axis]).collect::<Vec<_>>();
    let mut inside = Vec::new();
    for_each_offset(&part(axes, &x.shape), &part(axes, &own), |offset| inside.push(offset));
    let mut starts = Vec::new();
    for_each_offset(&part(&kept, &x.shape), &part(&kept, &own), |offset| starts.push(offset));
    match &x.data {
        Data::Int(values) => {
            let total = |&start: &usize| {
                let mut group = inside.iter().map(|&i| values[start + i]);
                let first = group.next()?;
                group.try_fold(first, on_ints)
            };
            starts.iter().map(total).collect::<Option<_>>().map(Data::Int)
        }
        Data::Real(values) => {
            let total = |&start: &usize| inside.iter().map(|&i| values[start + i]).reduce(on_reals);
            starts.iter().map(total).collect::<Option<_>>().map(Data::Real)
        }
    }
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

fn map(x: &Data, (on_ints, on_reals): Unary) -> Option<Data> {
    match x {
        Data::Int(values) => values.iter().map(|&v| on_ints(v)).collect::<Option<_>>().map(Data::Int),
        Data::Real(values) => Some(Data::Real(values.iter().map(|&v| on_reals(v)).collect())),
    }
}

fn join(a: &Data, b: &Data, (on_ints, on_reals): Binary) -> Option<Data> {
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
