//! Operators that change the shape and no element.

use network::DataType;

use super::builder::{Builder, Held};
use super::constants::{Constant, Elements};
use super::layout::element_count;
use super::operation::Operation;
use crate::reading::fault::{Fault, invalid};

/// RESHAPE, SQUEEZE, EXPAND_DIMS.
pub(super) fn reshape(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let (x, output) = (operation.input(0)?, operation.output()?);
    let shape = target(b, operation)?;
    let data_type = b.data_type(x)?;
    if data_type != b.data_type(output)? {
        return Err(invalid!("an input of type {}, an output of another", data_type.name()));
    }
    let flat = b.flat(x)?;
    let value = b.reshaped(&operation.name, flat, &shape, data_type);
    b.assign(output, value, &shape)
}

/// SHAPE: known while reading.
pub(super) fn shape(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let (x, output) = (operation.input(0)?, operation.output()?);
    let shape: Vec<i64> = b.shape(x).iter().map(|&n| n as i64).collect();
    let (rank, data_type) = (shape.len(), b.data_type(output)?);
    if !matches!(data_type, DataType::I32 | DataType::I64) {
        return Err(invalid!("a shape of type {}", data_type.name()));
    }
    let tensor = Elements::Int(shape, data_type).into_tensor(&[rank]);
    b.slots[output].held = Held::Constant(Constant { tensor, dequantized: None });
    Ok(())
}

/// The shape that one of these operators makes. Where the shape is computed in the graph, it is the one that the file
/// declares for the output.
pub(super) fn target(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Vec<usize>, Fault> {
    let (x, output) = (operation.input(0)?, operation.output()?);
    let from = b.shape(x);
    let shape = match operation.kind {
        "SQUEEZE" => squeezed(from, &operation.options.ints(0)?.unwrap_or_default())?,
        "EXPAND_DIMS" => {
            let axis = b.known_ints(operation.input(1)?, 1)?.first().copied().unwrap_or(0);
            let resolved = if axis < 0 { axis.saturating_add(from.len() as i64 + 1) } else { axis };
            let inside = usize::try_from(resolved).ok().filter(|&axis| axis <= from.len());
            let mut shape = from.to_vec();
            shape.insert(inside.ok_or_else(|| invalid!("axis {axis} for {from:?}"))?, 1);
            shape
        }
        _ => {
            let stored = operation.options.ints(0)?.map(|s| s.into_iter().map(i64::from).collect::<Vec<_>>());
            let given = match operation.optional(1) {
                Some(tensor) => b.ints(tensor, 64)?,
                None => stored,
            };
            match given {
                Some(given) => resolved(from, &given)?,
                None => declared(b, output, from)?,
            }
        }
    };
    let (have, want) = (count(from)?, count(&shape)?);
    if have != want {
        return Err(invalid!("shape {from:?} cannot become {shape:?}"));
    }
    Ok(shape)
}

/// The shape that the file declares for an output. One open extent becomes what the others leave; several are not known where
/// what stands in their places cannot be right.
fn declared(b: &Builder<'_>, output: usize, from: &[usize]) -> Result<Vec<usize>, Fault> {
    let info = &b.slots[output].info;
    let open: Vec<usize> = (0..info.shape.len()).filter(|&axis| info.is_open(axis)).collect();
    let axis = match open.as_slice() {
        &[axis] => axis,
        [] => return Ok(info.shape.clone()),
        _ if count(from)? == count(&info.shape)? => return Ok(info.shape.clone()),
        _ => return Err(Fault::UnknownShape),
    };
    let mut given: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
    given[axis] = -1;
    resolved(from, &given)
}

fn count(shape: &[usize]) -> Result<usize, Fault> {
    element_count(shape).map_err(|problem| invalid!("{problem}"))
}

/// A shape in which one extent may be −1: it becomes what the other extents leave.
fn resolved(from: &[usize], given: &[i64]) -> Result<Vec<usize>, Fault> {
    let wrong = || invalid!("a new shape {given:?} for {from:?}");
    let mut shape = Vec::with_capacity(given.len());
    let mut open = None;
    for (i, &n) in given.iter().enumerate() {
        match n {
            -1 if open.is_none() => {
                open = Some(i);
                shape.push(1);
            }
            n => shape.push(usize::try_from(n).map_err(|_| wrong())?),
        }
    }
    if let Some(open) = open {
        let (have, others) = (count(from)?, count(&shape)?);
        if others == 0 || !have.is_multiple_of(others) {
            return Err(wrong());
        }
        shape[open] = have / others;
    }
    Ok(shape)
}

fn squeezed(from: &[usize], axes: &[i32]) -> Result<Vec<usize>, Fault> {
    let mut gone = vec![axes.is_empty(); from.len()];
    for &axis in axes {
        let resolved = if axis < 0 { i64::from(axis) + from.len() as i64 } else { i64::from(axis) };
        let place = usize::try_from(resolved).ok().filter(|&axis| from.get(axis) == Some(&1));
        gone[place.ok_or_else(|| invalid!("axis {axis} of {from:?} cannot be squeezed"))?] = true;
    }
    Ok(from.iter().zip(gone).filter(|(n, gone)| !(*gone && **n == 1)).map(|(&n, _)| n).collect())
}
