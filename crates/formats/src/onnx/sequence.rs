//! Sequences of tensors. PyTorch writes them for `chunk` and `split`: one operator cuts a tensor, another takes a part.
//!
//! No sequence gets into the graph. A part that is taken becomes a slice of the tensor that was cut.

use network::Op;

use super::form::{Form, axis};
use super::plan::{Action, Kept, Plan};
use super::slot::Sequence;
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_run};

/// SplitToSequence: parts of one extent (the last may be shorter), or of extents of their own.
pub(super) fn split(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let axis = axis(view.attributes.int("axis")?.unwrap_or(0), x.len())?;
    let keep_dims = view.attributes.flag("keepdims", true)?;
    let given = view.ints(1, "split")?;
    if given.is_none() && !keep_dims {
        return Err(not_run!("parts that lose their axis are not handled"));
    }
    let extent = x[axis];
    let is_list = view.optional(1).is_some_and(|slot| slot.form.shape.as_ref().is_some_and(|shape| !shape.is_empty()));
    let bounds = match given.as_deref() {
        Some(extents) if is_list => sums(&tensors::shape(extents)?),
        other => {
            let part = other.map_or(1, |one| one.first().copied().unwrap_or(0));
            let part = usize::try_from(part).ok().filter(|&part| part > 0);
            let part = part.ok_or_else(|| invalid!("a split of {given:?}; expected at least 1"))?;
            Some((0..extent).step_by(part).chain([extent]).collect())
        }
    };
    let bounds = bounds.filter(|bounds: &Vec<usize>| bounds.last() == Some(&extent));
    let bounds = bounds.ok_or_else(|| invalid!("axis {axis} of {x:?} does not split into {given:?}"))?;
    let input = view.input(0)?;
    let sequence = Sequence { of: input.id, axis, bounds, form: input.form.clone() };
    Ok(Plan { action: Action::Sequence(sequence), ..Plan::not_run("", Form::default()) })
}

fn sums(extents: &[usize]) -> Option<Vec<usize>> {
    let mut bounds = vec![0usize];
    for &extent in extents {
        bounds.push(bounds.last()?.checked_add(extent)?);
    }
    Some(bounds)
}

/// SequenceAt: one part of a sequence, counted from the end where the index is negative.
pub(super) fn at(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let Some(sequence) = &view.input(0)?.sequence else { return Err(not_run!("")) };
    let index = view.ints(1, "position")?.unwrap_or_default();
    let (&[index], Some(mut shape)) = (index.as_slice(), sequence.form.shape.clone()) else {
        return Err(invalid!("positions {index:?}; expected one"));
    };
    let part = axis(index, sequence.bounds.len() - 1)
        .map_err(|_| invalid!("position {index} in a sequence of {}", sequence.bounds.len() - 1))?;
    let (start, end) = (sequence.bounds[part], sequence.bounds[part + 1]);
    shape[sequence.axis] = end - start;
    let op =
        Op::Slice { starts: vec![start as i64], ends: vec![end as i64], axes: vec![sequence.axis], steps: vec![1] };
    Ok(Plan { kept: Kept::Other(sequence.of), ..Plan::run(op, Form { shape: Some(shape), ..sequence.form.clone() }) })
}
