//! Reductions over axes.

use network::{Op, Reduction};

use super::form::{Form, distinct_axes};
use super::plan::Plan;
use super::view::View;
use crate::reading::fault::Fault;

/// Reductions. Axes are an attribute in older opsets, an input in newer.
pub(super) fn reduce(view: &View<'_>, reduction: Reduction) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let keep_dims = view.attributes.flag("keepdims", true)?;
    let noop = view.attributes.flag("noop_with_empty_axes", false)?;
    let since = if reduction == Reduction::Sum { 13 } else { 18 };
    let found = view.ints_by_opset("axes", 1, since)?.unwrap_or_default();
    if found.is_empty() && noop {
        return Ok(Plan::run_on_first(Op::Identity, view.like_first(x.to_vec())));
    }
    let axes = if found.is_empty() { (0..x.len()).collect() } else { distinct_axes(&found, x.len())? };
    let form = view.like_first(reduced_shape(x, &axes, keep_dims));
    Ok(Plan::run_on_first(Op::Reduce { reduction, axes, keep_dims }, form))
}

fn reduced_shape(x: &[usize], axes: &[usize], keep_dims: bool) -> Vec<usize> {
    let extent = |axis: usize| match (axes.contains(&axis), keep_dims) {
        (false, _) => Some(x[axis]),
        (true, true) => Some(1),
        (true, false) => None,
    };
    (0..x.len()).filter_map(extent).collect()
}

/// ArgMax and ArgMin, which are not run; their shapes are known.
pub(super) fn arg_reduce(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let axis = super::form::axis(view.attributes.int("axis")?.unwrap_or(0), x.len())?;
    let keep_dims = view.attributes.flag("keepdims", true)?;
    view.attributes.ignore("select_last_index");
    let shape = reduced_shape(x, &[axis], keep_dims);
    Ok(Plan::not_run("", Form::new(Some(network::DataType::I64), shape)))
}
