//! Operators that move elements: another shape, order, selection, or more of the same.

use network::{Op, PadMode};

use super::chain::Chain;
use super::elementwise::check_same_type;
use super::form::{Form, MAX_PARAMETERS, axis, distinct_axes, is_narrow};
use super::plan::Plan;
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::shape::broadcast;

/// Identity.
pub(super) fn identity(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    Ok(Plan::run(Op::Identity, view.like_first(view.shape(0)?.to_vec())))
}

/// Reshape: 0 copies an extent, −1 takes what is left. The shape is an attribute before opset 5, an input from then on.
pub(super) fn reshape(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let allow_zero = view.attributes.flag("allowzero", false)?;
    let wanted = match view.opset < 5 && view.inputs.len() == 1 {
        true => view.attributes.ints("shape")?.map(<[i64]>::to_vec),
        false => view.ints(1, "new shape")?,
    };
    let wanted = wanted.ok_or_else(|| invalid!("its new shape is missing"))?;
    Ok(Plan::run_on_first(Op::Reshape, view.like_first(resolve_shape(x, &wanted, allow_zero)?)))
}

fn resolve_shape(x: &[usize], wanted: &[i64], allow_zero: bool) -> Result<Vec<usize>, Fault> {
    let fail = || invalid!("{x:?} cannot be reshaped to {wanted:?}");
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (i, &n) in wanted.iter().enumerate() {
        shape.push(match n {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !allow_zero => *x.get(i).ok_or_else(fail)?,
            n => usize::try_from(n).map_err(|_| fail())?,
        });
    }
    let (total, rest) = (tensors::element_count(x)?, tensors::element_count(&shape)?);
    if let Some(i) = open {
        if rest == 0 || !total.is_multiple_of(rest) {
            return Err(fail());
        }
        shape[i] = total / rest;
    } else if total != rest {
        return Err(fail());
    }
    Ok(shape)
}

/// Flatten to two axes.
pub(super) fn flatten(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let found = view.attributes.int("axis")?.unwrap_or(1);
    let split = if found == x.len() as i64 { x.len() } else { axis(found, x.len())? };
    let shape = vec![x[..split].iter().product(), x[split..].iter().product()];
    Ok(Plan::run(Op::Reshape, view.like_first(shape)))
}

/// Squeeze: drops axes of extent 1.
pub(super) fn squeeze(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let axes = match view.ints_by_opset("axes", 1, 13)? {
        Some(axes) => distinct_axes(&axes, x.len())?,
        None => (0..x.len()).filter(|&axis| x[axis] == 1).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| x[axis] != 1) {
        return Err(invalid!("axis {axis} of {x:?} is not 1 and cannot be dropped"));
    }
    let shape = (0..x.len()).filter(|axis| !axes.contains(axis)).map(|axis| x[axis]).collect();
    Ok(Plan::run_on_first(Op::Reshape, view.like_first(shape)))
}

/// Unsqueeze: adds axes of extent 1.
pub(super) fn unsqueeze(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let axes = view.ints_by_opset("axes", 1, 13)?.ok_or_else(|| invalid!("its axes are missing"))?;
    let axes = distinct_axes(&axes, x.len() + axes.len())?;
    let mut rest = x.iter();
    let extent = |axis| if axes.contains(&axis) { Some(1) } else { rest.next().copied() };
    let shape = (0..x.len() + axes.len()).filter_map(extent).collect();
    Ok(Plan::run_on_first(Op::Reshape, view.like_first(shape)))
}

/// Transpose.
pub(super) fn transpose(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let perm = match view.attributes.ints("perm")? {
        None => (0..x.len()).rev().collect(),
        Some(perm) if perm.len() == x.len() => distinct_axes(perm, x.len())?,
        Some(perm) => return Err(invalid!("perm {perm:?} of a tensor with {} axes", x.len())),
    };
    let shape = perm.iter().map(|&axis| x[axis]).collect();
    Ok(Plan::run(Op::Transpose { perm }, view.like_first(shape)))
}

/// Concat. Before opset 4 the axis is 1 where none is named.
pub(super) fn concat(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, usize::MAX)?;
    if view.inputs.iter().any(Option::is_none) {
        return Err(invalid!("an input is left out"));
    }
    check_same_type(view, 0..view.inputs.len())?;
    let mut shape = view.shape(0)?.to_vec();
    let default = (view.opset < 4).then_some(1);
    let found = view.attributes.int("axis")?.or(default);
    let found = found.ok_or_else(|| invalid!("attribute \"axis\" is missing"))?;
    let axis = axis(found, shape.len())?;
    for i in 1..view.inputs.len() {
        let other = view.shape(i)?;
        let fits = other.len() == shape.len() && (0..shape.len()).all(|a| a == axis || other[a] == shape[a]);
        if !fits {
            return Err(invalid!("{shape:?} and {other:?} do not concatenate along axis {axis}"));
        }
        shape[axis] = shape[axis].checked_add(other[axis]).ok_or_else(|| invalid!("the output is too large"))?;
    }
    Ok(Plan::run(Op::Concat { axis }, view.like_first(shape)))
}

/// Split: extents are an attribute before opset 13, an input from then on; in opset 1 either. Without them parts are
/// equal.
pub(super) fn split(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 2)?;
    let x = view.shape(0)?;
    let axis = axis(view.attributes.int("axis")?.unwrap_or(0), x.len())?;
    let parts = view.outputs.len();
    let wanted = view.attributes.int("num_outputs")?;
    if parts == 0 || wanted.is_some_and(|n| n != parts as i64) {
        return Err(invalid!("num_outputs {wanted:?}, but the node has {parts} outputs"));
    }
    let by_input = view.opset < 2 && view.inputs.len() == 2;
    let found = if by_input { view.ints(1, "split")? } else { view.ints_by_opset("split", 1, 13)? };
    let extents: Vec<usize> = match found {
        Some(extents) => tensors::shape(&extents)?,
        None => {
            let part = x[axis].div_ceil(parts);
            (0..parts).map(|i| x[axis].saturating_sub(i * part).min(part)).collect()
        }
    };
    let sum = extents.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
    if extents.len() != parts || sum != Some(x[axis]) {
        return Err(invalid!("axis {axis} of {x:?} does not split into {parts} outputs of {extents:?}"));
    }
    let form = |&extent: &usize| {
        let mut shape = x.to_vec();
        shape[axis] = extent;
        view.like_first(shape)
    };
    let outputs = extents.iter().map(form).collect();
    Ok(Plan { outputs, ..Plan::run_on_first(Op::Split { axis }, Form::default()) })
}

/// Slice: parameters are attributes before opset 10, inputs from then on.
pub(super) fn slice(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let missing = |what: &str| invalid!("its {what} are missing");
    let [starts, ends, axes, steps] = if view.opset < 10 {
        view.arity(1, 1)?;
        let get = |name| view.attributes.ints(name).map(|list| list.map(<[i64]>::to_vec));
        [get("starts")?, get("ends")?, get("axes")?, None]
    } else {
        view.arity(3, 5)?;
        [view.ints(1, "starts")?, view.ints(2, "ends")?, view.ints(3, "axes")?, view.ints(4, "steps")?]
    };
    let (starts, ends) = (starts.ok_or_else(|| missing("starts"))?, ends.ok_or_else(|| missing("ends"))?);
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(invalid!("starts {starts:?}, ends {ends:?}, axes {axes:?} and steps {steps:?} differ in length"));
    }
    let axes = distinct_axes(&axes, x.len())?;
    let mut shape = x.to_vec();
    let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
    for (i, &axis) in axes.iter().enumerate() {
        let (first, last, count) = slice_range(x[axis], starts[i], ends[i], steps[i])?;
        firsts.push(first);
        lasts.push(last);
        shape[axis] = count;
    }
    let op = Op::Slice { starts: firsts, ends: lasts, axes, steps };
    Ok(Plan::run_on_first(op, view.like_first(shape)))
}

/// First index, end and length of a slice of an axis. The end of a slice that runs backwards to the very first entry is
/// `−extent − 1`, which means the same when it is resolved once more.
fn slice_range(extent: usize, start: i64, end: i64, step: i64) -> Result<(i64, i64, usize), Fault> {
    if step == 0 {
        return Err(invalid!("a slice with step 0"));
    }
    let extent = extent as i64;
    if extent == 0 {
        return Ok((0, 0, 0));
    }
    let wrap = |n: i64| if n < 0 { n.saturating_add(extent) } else { n };
    let (first, last) = if step > 0 {
        (wrap(start).clamp(0, extent), wrap(end).clamp(0, extent))
    } else {
        (wrap(start).clamp(0, extent - 1), wrap(end).clamp(-1, extent - 1))
    };
    let span = if step > 0 { last - first } else { first - last };
    let count = if span > 0 { (span as u64).div_ceil(step.unsigned_abs()) } else { 0 };
    Ok((first, if last < 0 { -extent - 1 } else { last }, count as usize))
}

/// Pad: pads are an attribute before opset 11, an input from then on.
pub(super) fn pad(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, if view.opset < 11 { 1 } else { 4 })?;
    let x = view.shape(0)?;
    let mode = match view.attributes.choice("mode", &["constant", "reflect", "edge", "wrap"])? {
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        _ => PadMode::Constant,
    };
    let (found, value) = if view.opset < 11 {
        (
            view.attributes.ints(if view.opset < 2 { "paddings" } else { "pads" })?.map(<[i64]>::to_vec),
            view.attributes.float("value", 0.0)?,
        )
    } else {
        (view.ints(1, "pads")?, pad_value(view)?)
    };
    let found = found.ok_or_else(|| invalid!("its pads are missing"))?;
    let axes = match view.ints(3, "axes")? {
        Some(axes) => distinct_axes(&axes, x.len())?,
        None => (0..x.len()).collect(),
    };
    if found.len() != 2 * axes.len() {
        return Err(invalid!("pads {found:?}; expected {} numbers", 2 * axes.len()));
    }
    let mut pads = vec![0; 2 * x.len()];
    for (i, &axis) in axes.iter().enumerate() {
        pads[axis] = found[i];
        pads[axis + x.len()] = found[i + axes.len()];
    }
    let extent = |axis: usize| {
        let padded = (x[axis] as i64).checked_add(pads[axis])?.checked_add(pads[axis + x.len()])?;
        usize::try_from(padded).ok()
    };
    let shape: Option<Vec<usize>> = (0..x.len()).map(extent).collect();
    let shape = shape.ok_or_else(|| invalid!("pads {pads:?} do not fit {x:?}"))?;
    Ok(Plan::run_on_first(Op::Pad { pads, mode, value }, view.like_first(shape)))
}

fn pad_value(view: &View<'_>) -> Result<f32, Fault> {
    let Some(chain) = view.constant(2, "padding value", 1)? else { return Ok(0.0) };
    if is_narrow(chain.data_type) {
        return match view.ints(2, "padding value")?.as_deref() {
            None | Some([]) => Ok(0.0),
            Some([value]) => Ok(*value as f32),
            Some(values) => Err(invalid!("{} padding values; expected one", values.len())),
        };
    }
    if !chain.data_type.is_real() {
        return Err(not_run!("it pads integers of more than 16 bits"));
    }
    match view.floats(2, "padding value")?.as_deref() {
        // An empty tensor stands for a value that is left out in some exports.
        None | Some([]) => Ok(0.0),
        Some([value]) => Ok(*value),
        Some(values) => Err(invalid!("{} padding values; expected one", values.len())),
    }
}

/// Expand: broadcasts with a shape.
pub(super) fn expand(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let x = view.shape(0)?;
    let wanted = view.ints(1, "new shape")?.ok_or_else(|| invalid!("input 1 is left out"))?;
    let shape = broadcast(x, &tensors::shape(&wanted)?)?;
    Ok(Plan::run_on_first(Op::Expand, view.like_first(shape)))
}

/// Tile: repeats a tensor along its axes. Before opset 6 its inputs are how often, and along which axis.
pub(super) fn tile(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let older = view.opset < 6 && view.inputs.len() == 3;
    view.arity(if older { 3 } else { 2 }, 3)?;
    let mut repeats = tensors::shape(&view.ints(1, "repeats")?.ok_or_else(|| invalid!("input 1 is left out"))?)?;
    if older {
        let (&[times], Some(&[found])) = (repeats.as_slice(), view.ints(2, "axis")?.as_deref()) else {
            return Err(invalid!("repeats {repeats:?} and several axes; expected one of each"));
        };
        let along = axis(found, x.len())?;
        repeats = (0..x.len()).map(|axis| if axis == along { times } else { 1 }).collect();
    }
    if repeats.len() != x.len() {
        return Err(invalid!("repeats {repeats:?} of a tensor with {} axes", x.len()));
    }
    let shape: Option<Vec<usize>> = x.iter().zip(&repeats).map(|(a, b)| a.checked_mul(*b)).collect();
    let shape = shape.ok_or_else(|| invalid!("the output is too large"))?;
    Ok(Plan::run_on_first(Op::Tile, view.like_first(shape)))
}

/// Gather: entries of an axis.
pub(super) fn gather(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let (x, indices) = (view.shape(0)?, view.shape(1)?);
    if view.data_type(1).is_some_and(|t| t.is_real()) {
        return Err(invalid!("indices that are real numbers"));
    }
    let axis = axis(view.attributes.int("axis")?.unwrap_or(0), x.len())?;
    let extent = x[axis] as i64;
    let is_short = |chain: &Chain| chain.element_count() <= MAX_PARAMETERS;
    if view.inputs[1].and_then(|slot| slot.known.as_ref()).is_some_and(is_short) {
        let entries = view.ints(1, "indices")?.unwrap_or_default();
        if let Some(index) = entries.iter().find(|&&i| i < -extent || i >= extent) {
            return Err(invalid!("index {index} of an axis of {extent}"));
        }
    }
    let shape = [&x[..axis], indices, &x[axis + 1..]].concat();
    Ok(Plan::run(Op::Gather { axis }, view.like_first(shape)))
}

/// GatherElements: one entry of an axis for each element of the output, which has the shape of the indices.
pub(super) fn gather_elements(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let (x, indices) = (view.shape(0)?, view.shape(1)?);
    if view.data_type(1).is_some_and(|t| t.is_real()) {
        return Err(invalid!("indices that are real numbers"));
    }
    let axis = axis(view.attributes.int("axis")?.unwrap_or(0), x.len())?;
    let fits = |(other, (of, from)): (usize, (&usize, &usize))| other == axis || of <= from;
    if indices.len() != x.len() || !indices.iter().zip(x).enumerate().all(fits) {
        return Err(invalid!("indices of shape {indices:?} along axis {axis} of {x:?}"));
    }
    Ok(Plan::run(Op::GatherElements { axis }, view.like_first(indices.to_vec())))
}

/// SpaceToDepth.
pub(super) fn space_to_depth(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let found = view.attributes.int("blocksize")?.ok_or_else(|| invalid!("attribute \"blocksize\" is missing"))?;
    let by_depth = view.attributes.choice("mode", &["DCR", "CRD"])? == "DCR";
    let &[n, c, h, w] = view.shape(0)? else {
        return Err(invalid!("an input of shape {:?}; expected four axes", view.shape(0)?));
    };
    let divides = |b: &usize| *b > 0 && h.is_multiple_of(*b) && w.is_multiple_of(*b);
    let Some(block) = usize::try_from(found).ok().filter(divides) else {
        return Err(invalid!("an input of {h} by {w} does not divide into blocks of {found} by {found}"));
    };
    let channels = block.checked_mul(block).and_then(|area| c.checked_mul(area));
    let channels = channels.ok_or_else(|| invalid!("the output is too large"))?;
    let form = view.like_first(vec![n, channels, h / block, w / block]);
    Ok(if by_depth { Plan::run(Op::SpaceToDepth { block }, form) } else { Plan::not_run("its mode is CRD", form) })
}

/// DepthToSpace.
pub(super) fn depth_to_space(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let found = view.attributes.int("blocksize")?.ok_or_else(|| invalid!("attribute \"blocksize\" is missing"))?;
    let column_row_depth = view.attributes.choice("mode", &["DCR", "CRD"])? == "CRD";
    let &[n, c, h, w] = view.shape(0)? else {
        return Err(invalid!("an input of shape {:?}; expected four axes", view.shape(0)?));
    };
    let block = usize::try_from(found).ok().filter(|&b| b > 0);
    let area = block.and_then(|b| b.checked_mul(b)).filter(|&area| c.is_multiple_of(area));
    let (Some(block), Some(area)) = (block, area) else {
        return Err(invalid!("{c} channels do not divide into blocks of {found} by {found}"));
    };
    let (Some(h), Some(w)) = (h.checked_mul(block), w.checked_mul(block)) else {
        return Err(invalid!("the output is too large"));
    };
    Ok(Plan::run(Op::DepthToSpace { block, column_row_depth }, view.like_first(vec![n, c / area, h, w])))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn slices_resolve_as_onnx_says() {
        // (extent, start, end, step) -> (first, end, count)
        let cases = [
            ((8, 0, i64::MAX, 2), (0, 8, 4)),
            ((8, 1, -1, 1), (1, 7, 6)),
            ((8, -1, i64::MIN, -1), (7, -9, 8)),
            ((8, 5, 2, 1), (5, 2, 0)),
            ((8, 100, 0, -3), (7, 0, 3)),
            ((8, 0, 8, i64::MAX), (0, 8, 1)),
        ];
        check_all(cases, |&((extent, start, end, step), expected)| {
            assert_eq!(slice_range(extent, start, end, step).expect("valid"), expected);
            let (first, last, count) = expected;
            assert_eq!(slice_range(extent, first, last, step).expect("valid").2, count, "resolved once more");
        });
    }

    #[test]
    fn reshape_copies_and_infers() {
        assert_eq!(resolve_shape(&[2, 3, 4], &[0, -1], false).expect("valid"), [2, 12]);
        assert!(resolve_shape(&[2, 3, 4], &[-1, -1], false).is_err());
        assert!(resolve_shape(&[2, 3, 4], &[5, -1], false).is_err());
        assert!(resolve_shape(&[0, 3], &[0, -1], false).is_err());
        assert_eq!(resolve_shape(&[0, 3], &[3, 0], true).expect("valid"), [3, 0]);
    }
}
