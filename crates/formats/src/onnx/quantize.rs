//! QuantizeLinear and DequantizeLinear.

use esn::Grid;
use network::{ActivationQuantization, DataType, Op, WeightQuantization};

use super::form::{Form, MAX_FOLDED, axis, is_narrow};
use super::integer_mac::Parameters;
use super::plan::{Plan, or_not_run};
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_run};

/// QuantizeLinear.
pub(super) fn quantize(view: &View<'_>) -> Result<Plan, Fault> {
    let shape = view.shape(0)?.to_vec();
    view.attributes.ignore("saturate");
    view.attributes.ignore("precision");
    let declared = output_type(view)?;
    if view.data_type(0).is_some_and(|t| !t.is_real()) {
        return Err(invalid!("it quantizes integers"));
    }
    let to = match (view.optional(2).map(|slot| slot.form.data_type), declared) {
        (Some(zero_point), _) => zero_point,
        (None, declared) => Some(declared.unwrap_or(DataType::U8)),
    };
    if to.is_some_and(|t| t.range().is_none()) {
        return Err(invalid!("a zero point of type {}", to.map_or("unknown", DataType::name)));
    }
    let form = Form::new(to, shape);
    or_not_run(form.clone(), || Ok(Plan::run(Op::QuantizeLinear { axis: channel_axis(view)? }, form)))
}

/// DequantizeLinear.
pub(super) fn dequantize(view: &View<'_>) -> Result<Plan, Fault> {
    let shape = view.shape(0)?.to_vec();
    let declared = output_type(view)?;
    if let Some(found) = view.data_type(0).filter(|t| t.range().is_none()) {
        return Err(invalid!("it dequantizes {}", found.name()));
    }
    if let (Some(x), Some(zero_point)) = (view.data_type(0), view.data_type(2))
        && x != zero_point
    {
        return Err(invalid!("a zero point of type {}; expected {}", zero_point.name(), x.name()));
    }
    let form = Form::new(declared.or(view.data_type(1)).or(Some(DataType::F32)), shape);
    or_not_run(form.clone(), || Ok(Plan::run(Op::DequantizeLinear { axis: channel_axis(view)? }, form)))
}

fn output_type(view: &View<'_>) -> Result<Option<DataType>, Fault> {
    match view.attributes.int("output_dtype")? {
        None | Some(0) => Ok(None),
        Some(number) => match tensors::data_type(i32::try_from(number).unwrap_or(-1)) {
            Err(Fault::Unsupported(what)) => Err(not_run!("it makes {what}")),
            other => other.map(Some),
        },
    }
}

/// The channel axis; checks scale and zero point against it.
fn channel_axis(view: &View<'_>) -> Result<usize, Fault> {
    view.arity(2, 3)?;
    let (x, scale) = (view.shape(0)?, view.shape(1)?);
    let found = view.attributes.int("axis")?.unwrap_or(1);
    if let Some(size) = view.attributes.int("block_size")?.filter(|&size| size != 0) {
        return Err(not_run!("its scales belong to blocks of a channel, block_size {size}"));
    }
    if let Some(data_type) = view.data_type(1).filter(|t| !t.is_real()) {
        return Err(invalid!("a scale of type {}", data_type.name()));
    }
    let single = |shape: &[usize]| shape.iter().all(|&n| n == 1);
    if view.optional(2).is_some() && view.shape(2)? != scale && !(single(scale) && single(view.shape(2)?)) {
        return Err(invalid!("zero points of shape {:?}; expected {scale:?}, that of the scale", view.shape(2)?));
    }
    match scale {
        [] | [1] => Ok(axis(found, x.len()).unwrap_or(0)),
        [channels] => {
            let axis = axis(found, x.len())?;
            if x[axis] != *channels {
                return Err(invalid!("{channels} scales for axis {axis} of {x:?}"));
            }
            Ok(axis)
        }
        _ => Err(invalid!("scales of shape {scale:?}; expected one number or one per channel")),
    }
}

/// Where QuantizeLinear and DequantizeLinear have their scale and zero point.
const OWN: Parameters = Parameters { scale: Some(1), zero_point: 2 };

/// Scale and zero point of a node, where they are constant; `data_type` is that of the integers.
pub(super) fn parameters(view: &View<'_>, data_type: DataType) -> Result<Option<WeightQuantization>, Fault> {
    parameters_at(view, OWN, data_type)
}

/// As [`parameters`], of any operand.
pub(super) fn parameters_at(
    view: &View<'_>,
    at: Parameters,
    data_type: DataType,
) -> Result<Option<WeightQuantization>, Fault> {
    let constant = |i: usize| view.optional(i).is_none_or(|slot| slot.known.is_some());
    if !at.scale.is_none_or(constant) || !constant(at.zero_point) {
        return Ok(None);
    }
    let scales = match at.scale {
        // Of a file without values the scales are absent too: no code depends on them.
        Some(index) if is_absent(view, index) => Some(vec![1.0; tensors::element_count(view.shape(index)?)?.max(1)]),
        Some(index) => view.floats(index, "scales")?,
        None => Some(vec![1.0]),
    };
    let Some(scales) = scales else { return Ok(None) };
    if let Some((i, scale)) = scales.iter().enumerate().find(|(_, s)| !s.is_finite() || **s <= 0.0) {
        return Err(invalid!("scale {i} is {scale}; expected a finite number above 0"));
    }
    let narrow = |q: i64| i32::try_from(q).map_err(|_| invalid!("zero point {q} does not fit 32 bits"));
    let zero_points = match is_absent(view, at.zero_point) {
        true => vec![0],
        false => match view.long_ints(at.zero_point, "zero points", MAX_FOLDED)? {
            Some(points) => points.into_iter().map(narrow).collect::<Result<Vec<_>, _>>()?,
            None => vec![0],
        },
    };
    Ok(Some(WeightQuantization { scales, zero_points, grid: Grid::MidTread, data_type, clip: None }))
}

/// Whether an input is a tensor that the file has no values of, small enough to count as scales.
fn is_absent(view: &View<'_>, index: usize) -> bool {
    let chain = view.optional(index).and_then(|slot| slot.known.as_ref());
    chain.is_some_and(|chain| chain.tensor.is_absent() && chain.element_count() <= MAX_FOLDED)
}

/// The quantization of an activation that comes out of a DequantizeLinear.
pub(super) fn activation(view: &View<'_>) -> Result<Option<ActivationQuantization>, Fault> {
    let stored = view.data_type(0).or(view.data_type(2));
    let Some(data_type) = stored.filter(|&t| is_narrow(t)) else { return Ok(None) };
    let found = activation_at(view, OWN, data_type)?;
    let [low, high] = view.input(0)?.clip.unwrap_or([i32::MIN, i32::MAX]);
    Ok(found.map(|q| ActivationQuantization { min: q.min.max(low), max: q.max.min(high), ..q }))
}

/// The bounds that a Clip leaves of integers of at most 16 bits; `None` for other types, and where it leaves none.
pub(super) fn clip(view: &View<'_>, [min, max]: [f32; 2]) -> Result<Option<[i32; 2]>, Fault> {
    let x = view.input(0)?;
    let Some(data_type) = x.form.data_type.filter(|&t| is_narrow(t)) else { return Ok(None) };
    let (lowest, highest) = data_type.range().expect("an integer type of at most 16 bits has a range");
    let [low, high] = x.clip.unwrap_or([lowest as i32, highest as i32]);
    let (min, max) = ((min.ceil() as i32).max(low), (max.floor() as i32).min(high));
    Ok((min <= max).then_some([min, max]))
}

/// The quantization of an activation whose integers have at most 16 bits. `None` where it has several scales or zero
/// points, or where one of them is not constant.
pub(super) fn activation_at(
    view: &View<'_>,
    at: Parameters,
    data_type: DataType,
) -> Result<Option<ActivationQuantization>, Fault> {
    let Some(parameters) = parameters_at(view, at, data_type)? else { return Ok(None) };
    let (&[scale], &[zero_point]) = (parameters.scales.as_slice(), parameters.zero_points.as_slice()) else {
        return Ok(None);
    };
    let (min, max) = data_type.range().expect("an integer type of at most 16 bits has a range");
    Ok(Some(ActivationQuantization { scale, zero_point, min: min as i32, max: max as i32 }))
}
