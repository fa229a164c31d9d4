//! Operators that make constants.

use network::Tensor;
use network::rearrange::strides;

use super::array::{Array, Data, settle};
use super::attributes::Attributes;
use super::chain::Chain;
use super::external::ExternalFiles;
use super::form::{Form, MAX_FOLDED, axis};
use super::plan::{Action, FoldOp, Plan};
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid};

/// Constant, in any of its forms.
pub(super) fn constant(view: &View<'_>, external: &mut ExternalFiles) -> Result<Plan, Fault> {
    view.arity(0, 0)?;
    let attributes = &view.attributes;
    if let Some((what, form)) = unreadable(attributes)? {
        return Ok(Plan::unreadable(what, form));
    }
    let name = view.outputs.first().map_or("", String::as_str);
    let list = [value_tensor(attributes, external)?, value_numbers(attributes)?];
    let mut found = list.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(tensor), None) => {
            let plan = Plan::known(name, tensor);
            match (attributes.tensor("value")?.and_then(tensors::bounds), plan.action) {
                (clip @ Some(_), Action::Known(chain)) => {
                    Ok(Plan { action: Action::Known(Chain { clip, ..chain }), outputs: plan.outputs, ..plan })
                }
                (_, action) => Ok(Plan { action, ..plan }),
            }
        }
        (Some(_), Some(_)) => Err(invalid!("more than one value")),
        (None, _) => Err(invalid!("it has no value")),
    }
}

/// Why the constant of a node cannot be read, and what is known of it.
fn unreadable(attributes: &Attributes<'_>) -> Result<Option<(String, Form)>, Fault> {
    let kinds = [
        ("value_string", "elements of type string"),
        ("value_strings", "elements of type string"),
        ("sparse_value", "elements in a sparse tensor"),
    ];
    if let Some((kind, what)) = kinds.iter().find(|(kind, _)| attributes.has(kind)) {
        attributes.ignore(kind);
        return Ok(Some((what.to_string(), Form::default())));
    }
    let Some(proto) = attributes.tensor("value")? else { return Ok(None) };
    Ok(tensors::unreadable(proto)?.map(|(what, shape)| (what, Form { data_type: None, shape: Some(shape) })))
}

fn value_tensor(attributes: &Attributes<'_>, external: &mut ExternalFiles) -> Result<Option<Tensor>, Fault> {
    attributes.tensor("value")?.map(|proto| tensors::tensor(proto, external)).transpose()
}

fn value_numbers(attributes: &Attributes<'_>) -> Result<Option<Tensor>, Fault> {
    let float = attributes.optional_float("value_float")?.map(|v| Tensor::from_f32(vec![], &[v]));
    let floats = attributes.floats("value_floats")?.map(|v| Tensor::from_f32(vec![v.len()], v));
    let int = attributes.int("value_int")?.map(|v| Tensor::from_i64(vec![], &[v]));
    let ints = attributes.ints("value_ints")?.map(|v| Tensor::from_i64(vec![v.len()], v));
    Ok(float.or(floats).or(int).or(ints))
}

/// Shape, with the `start` and `end` of opset 15.
pub(super) fn shape(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let clamp = |n: i64| (if n < 0 { n.saturating_add(x.len() as i64) } else { n }).clamp(0, x.len() as i64) as usize;
    let start = clamp(view.attributes.int("start")?.unwrap_or(0));
    let end = clamp(view.attributes.int("end")?.unwrap_or(i64::MAX)).max(start);
    let extents: Vec<i64> = x[start..end].iter().map(|&n| n as i64).collect();
    Ok(Plan::known(&view.name, Tensor::from_i64(vec![extents.len()], &extents)))
}

/// Size.
pub(super) fn size(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let count = tensors::element_count(view.shape(0)?)? as i64;
    Ok(Plan::known(&view.name, Tensor::from_i64(vec![], &[count])))
}

/// NonZero, of constants: the places of what is not 0, an axis a row, in row-major order.
pub(super) fn non_zero(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let Some(chain) = view.constant(0, "elements", MAX_FOLDED)? else { return Err(invalid!("input 0 is left out")) };
    let array = chain.to_array().map_err(|e| invalid!("its elements: {e}"))?;
    let is_set: Vec<bool> = match &array.data {
        Data::Int(values) => values.iter().map(|&value| value != 0).collect(),
        Data::Real(values) => values.iter().map(|&value| value != 0.0).collect(),
    };
    let set: Vec<usize> = (0..is_set.len()).filter(|&i| is_set[i]).collect();
    let (own, rank) = (strides(&array.shape), array.shape.len());
    let place = |axis: usize, i: usize| (i / own[axis] % array.shape[axis]) as i64;
    let places: Vec<i64> = (0..rank).flat_map(|axis| set.iter().map(move |&i| place(axis, i))).collect();
    Ok(Plan::known(&view.name, Tensor::from_i64(vec![rank, set.len()], &places)))
}

/// CumSum, of constants.
pub(super) fn cum_sum(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let (exclusive, reverse) = (view.attributes.flag("exclusive", false)?, view.attributes.flag("reverse", false)?);
    let form = view.like_first(view.shape(0)?.to_vec());
    let Some(chain) = view.input(0)?.known.as_ref().filter(|chain| chain.element_count() <= MAX_FOLDED) else {
        return Ok(Plan::not_run("", form));
    };
    let &[found] = view.ints(1, "axis")?.unwrap_or_default().as_slice() else {
        return Err(invalid!("several axes; expected one"));
    };
    let array = chain.to_array().map_err(|e| invalid!("its elements: {e}"))?;
    let axis = axis(found, array.shape.len())?;
    let inner: usize = array.shape[axis + 1..].iter().product();
    let extent = array.shape[axis];
    let Data::Int(mut values) = array.data else { return Ok(Plan::not_run("a sum of real numbers", form)) };
    for start in (0..values.len()).filter(|i| (i / inner.max(1)).is_multiple_of(extent)) {
        let mut sum = 0i64;
        for step in 0..extent {
            let place = start + inner * if reverse { extent - 1 - step } else { step };
            let before = sum;
            sum = sum.checked_add(values[place]).ok_or_else(|| invalid!("a sum of constants is too large"))?;
            values[place] = if exclusive { before } else { sum };
        }
    }
    let (data_type, data) = (chain.data_type, Data::Int(values));
    match settle(data, data_type) {
        Some(data) => Ok(Plan::known(&view.name, Array { data_type, shape: array.shape, data }.into_tensor())),
        None => Ok(Plan::not_run("a sum of constants does not fit its type", form)),
    }
}

/// ConstantOfShape.
pub(super) fn constant_of_shape(view: &View<'_>, external: &mut ExternalFiles) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let value = match value_tensor(&view.attributes, external)? {
        None => Tensor::from_f32(vec![1], &[0.0]),
        Some(tensor) if tensor.element_count() == 1 => tensor,
        Some(tensor) => return Err(invalid!("a value of shape {:?}; expected one element", tensor.shape)),
    };
    let extents = view.ints(0, "shape")?.ok_or_else(|| invalid!("input 0 is left out"))?;
    let form = Form::new(Some(value.data_type), tensors::shape(&extents)?);
    Ok(Plan::compute(FoldOp::Fill { value }, form))
}

/// Range. Its inputs must be constant, for its length follows from them.
pub(super) fn range(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(3, 3)?;
    let data_type = view.data_type(0);
    let number = |i: usize| -> Result<f64, Fault> {
        let chain = view.constant(i, "limits", 1)?.ok_or_else(|| invalid!("input {i} is left out"))?;
        let array = chain.to_array().map_err(|e| invalid!("its limits: {e}"))?;
        let values = match array.data {
            super::array::Data::Int(values) => values.into_iter().map(|v| v as f64).collect(),
            super::array::Data::Real(values) => values,
        };
        match values.as_slice() {
            [value] if value.is_finite() => Ok(*value),
            values => Err(invalid!("limits {values:?}; expected one number each")),
        }
    };
    let (start, end, step) = (number(0)?, number(1)?, number(2)?);
    if step == 0.0 {
        return Err(invalid!("a range with step 0"));
    }
    let count = ((end - start) / step).ceil().max(0.0);
    if count > 1e15 {
        return Err(invalid!("a range of {count} numbers"));
    }
    Ok(Plan::compute(FoldOp::Range, Form::new(data_type, vec![count as usize])))
}
