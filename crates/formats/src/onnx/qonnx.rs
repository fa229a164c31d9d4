//! The operators of QONNX: Quant (also called IntQuant), BipolarQuant, Trunc.
//!
//! On constants they are computed while reading: the weights of the network are the integers that the rounding makes.
//! On activations they are run with the network.

use esn::Grid;
use network::{ActivationQuantization, DataType, Op, Quant, Rounding, WeightQuantization};

use super::array::Data;
use super::chain::Chain;
use super::form::{Form, MAX_FOLDED};
use super::plan::{Action, Kept, Plan};
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_run, unsupported};
use crate::reading::integers::smallest;
use crate::reading::shape::broadcast;

/// Domains in which exporters put these operators.
pub(super) const DOMAINS: [&str; 3] = ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"];

/// The widest integers, in bits. A bias has that many.
const MAX_BITS: f32 = 32.0;

/// Largest magnitude of the integer of a constant. The sum of integer and zero point must fit 32 bits.
const MAX_INTEGER: f32 = (1u32 << 30) as f32;

/// Elements of all constants that are rounded in one reading.
const MAX_ELEMENTS: usize = 1 << 28;

/// Quant, IntQuant: x, scale, zero point, bits.
pub(super) fn quant(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(4, 4)?;
    let (signed, narrow) = (view.attributes.flag("signed", true)?, view.attributes.flag("narrow", true)?);
    let rounding = rounding(view, "ROUND")?;
    let form = form(view, &[1, 2])?;
    or_not_run(view, form.clone(), || {
        let bits = number(view, 3, "bit width")?;
        let [min, max] = range(bits, signed, narrow)?;
        let quant = if bits == 1.0 && signed { Quant::Sign } else { Quant::Integer { min, max, rounding } };
        run_or_round(view, quant, &[0, 1, 2], form)
    })
}

/// BipolarQuant: x, scale.
pub(super) fn bipolar(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let form = form(view, &[1])?;
    or_not_run(view, form.clone(), || run_or_round(view, Quant::Bipolar, &[0, 1], form))
}

/// Trunc. Its inputs are x, scale, zero point, bits of the input, and bits of the output. Newer files have the scale of
/// the output before the last one.
pub(super) fn trunc(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(5, 6)?;
    let newer = view.inputs.len() == 6;
    let rounding = rounding(view, "FLOOR")?;
    let (signed, narrow) = (view.attributes.flag("signed", true)?, view.attributes.flag("narrow", false)?);
    let form = form(view, &[])?;
    or_not_run(view, form.clone(), || {
        let scale = positive(number(view, 1, "scale")?)?;
        let zero_point = number(view, 2, "zero point")?;
        let (bits_in, bits_out) = (number(view, 3, "bit width")?, number(view, 4 + usize::from(newer), "bit width")?);
        let quant = if newer {
            let output_scale = positive(number(view, 4, "output scale")?)?;
            let divisor = (output_scale / scale).log2().round_ties_even().exp2();
            let [min, max] = range(bits_out, signed, narrow)?;
            let output_zero_point = zero_point / divisor;
            Quant::Trunc { scale, zero_point, divisor, min, max, rounding, output_zero_point, output_scale }
        } else {
            let divisor = (bits_in - bits_out).exp2();
            let (min, max) = (f32::NEG_INFINITY, f32::INFINITY);
            let (output_zero_point, output_scale) = (zero_point, scale);
            Quant::Trunc { scale, zero_point, divisor, min, max, rounding, output_zero_point, output_scale }
        };
        if let Quant::Trunc { divisor, .. } = quant
            && !(divisor.is_normal() && divisor > 0.0)
        {
            return Err(invalid!("bits that drop to {divisor} of a step"));
        }
        Ok(Plan::run_on_first(Op::Quant(quant), form))
    })
}

/// MultiThreshold: x, thresholds. Channels are on the second axis or, as `data_layout` says, on the last; of an input with
/// other than two or four axes on the last one.
pub(super) fn multi_threshold(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let last = view.attributes.choice("data_layout", &["NCHW", "NHWC"])? == "NHWC";
    let (scale, bias) = (view.attributes.float("out_scale", 1.0)?, view.attributes.float("out_bias", 0.0)?);
    // The type of integers that hold the levels.
    view.attributes.ignore("out_dtype");
    let (x, thresholds) = (view.shape(0)?, view.shape(1)?);
    let form = view.like_first(x.to_vec());
    let axis = match x.len() {
        0 | 1 => return Err(invalid!("an input of shape {x:?}; expected batch and channels")),
        2 | 4 if !last => 1,
        rank if last && rank != 2 && rank != 4 => return Ok(Plan::not_run("data_layout of such an input", form)),
        rank => rank - 1,
    };
    match *thresholds {
        [channels, _] if channels == 1 || channels == x[axis] => {
            Ok(Plan::run(Op::MultiThreshold { axis, scale, bias }, form))
        }
        _ => Err(invalid!("thresholds of shape {thresholds:?}; expected [{}, …] or [1, …]", x[axis])),
    }
}

/// The quantization of an activation behind a MultiThreshold, where its levels are a scale times integers.
pub(super) fn levels(view: &View<'_>, scale: f32, bias: f32) -> Result<Option<ActivationQuantization>, Fault> {
    let count = view.shape(1)?.last().copied().unwrap_or(0);
    let zero_point = -bias / scale;
    Ok(linear(scale, zero_point, [0.0, count as f32]))
}

/// The quantization of an activation behind a [`Quant`], where it has one.
pub(super) fn activation(quant: Quant, view: &View<'_>) -> Result<Option<ActivationQuantization>, Fault> {
    let known = |i: usize| view.optional(i).is_some_and(|slot| slot.known.is_some());
    let zero_point = match quant {
        Quant::Trunc { .. } => return Ok(truncated(quant, view.input(0)?.quantization)),
        Quant::Bipolar => Some(0.0),
        Quant::Integer { .. } | Quant::Sign if known(2) => single(view, 2, "zero points")?,
        Quant::Integer { .. } | Quant::Sign => None,
    };
    let scale = if known(1) { single(view, 1, "scales")? } else { None };
    let (Some(scale), Some(zero_point)) = (scale, zero_point) else { return Ok(None) };
    let (min, max) = match quant {
        Quant::Integer { min, max, .. } | Quant::Trunc { min, max, .. } => (min, max),
        Quant::Sign | Quant::Bipolar => (-1.0, 1.0),
    };
    Ok(linear(scale, zero_point, [min, max]))
}

/// The quantization behind a Trunc. Where the Trunc has no bounds of its own, they follow from the bounds of its input.
fn truncated(quant: Quant, from: Option<ActivationQuantization>) -> Option<ActivationQuantization> {
    let Quant::Trunc { scale, zero_point, divisor, min, max, rounding, output_zero_point, output_scale } = quant else {
        return None;
    };
    let from = from.filter(|q| q.scale == scale && q.zero_point as f32 == zero_point);
    let bounds = match from {
        Some(q) => [q.min, q.max].map(|q| rounding.apply((q as f32 / divisor).clamp(min, max))),
        None => [min, max],
    };
    linear(output_scale, output_zero_point, bounds)
}

/// Integers of at most 17 bits; `None` for others.
fn linear(scale: f32, zero_point: f32, [min, max]: [f32; 2]) -> Option<ActivationQuantization> {
    let fits = [zero_point, min, max].iter().all(|x| x.fract() == 0.0 && x.abs() <= 65536.0);
    let fits = fits && scale.is_finite() && scale > 0.0;
    let (zero_point, min, max) = (zero_point as i32, min as i32, max as i32);
    fits.then_some(ActivationQuantization { scale, zero_point, min, max })
}

/// Plans a quantization: it is run on activations, and computed at once on constants.
fn run_or_round(view: &View<'_>, quant: Quant, kept: &[usize], form: Form) -> Result<Plan, Fault> {
    for (&i, what) in kept[1..].iter().zip(["scales", "zero points"]) {
        let Some(values) = view.floats(i, what)? else { return Err(invalid!("its {what} are left out")) };
        if let Some(bad) = values.iter().find(|v| !v.is_finite() || (i == 1 && **v <= 0.0)) {
            return Err(invalid!("its {what} hold {bad}"));
        }
    }
    match &view.input(0)?.known {
        Some(chain) if chain.element_count() > MAX_ELEMENTS => {
            Err(not_run!("{} constants to round; {MAX_ELEMENTS} at most", chain.element_count()))
        }
        Some(chain) => {
            let outputs = vec![form];
            let action = Action::Known(rounded(view, quant, chain)?);
            Ok(Plan { action, outputs, kept: Kept::Only(0), not_costed: None })
        }
        None => Ok(Plan { kept: Kept::Listed(kept.to_vec()), ..Plan::run(Op::Quant(quant), form) }),
    }
}

/// How many rounded integers an action holds. All of them stay in memory: where there are too many together with those
/// `before` it, reading ends.
pub(super) fn count_rounded(action: &Action, before: usize) -> Result<usize, Fault> {
    let Action::Known(Chain { quantized: Some(_), tensor, .. }) = action else { return Ok(0) };
    let count = tensor.element_count();
    match count <= MAX_ELEMENTS.saturating_sub(before) {
        true => Ok(count),
        false => Err(unsupported!("more than {MAX_ELEMENTS} constants to round")),
    }
}

/// A constant as integers behind a DequantizeLinear.
fn rounded(view: &View<'_>, quant: Quant, chain: &Chain) -> Result<Chain, Fault> {
    let scales = view.floats(1, "scales")?.unwrap_or_default();
    let zero_points = match quant {
        Quant::Bipolar => vec![0.0],
        Quant::Integer { .. } | Quant::Sign | Quant::Trunc { .. } => view.floats(2, "zero points")?.unwrap_or_default(),
    };
    let axes = [channel_axis(view, 1, &chain.shape)?, channel_axis(view, 2, &chain.shape)?];
    let axis = axes[0].or(axes[1]);
    if axes.iter().flatten().any(|&other| Some(other) != axis) {
        return Err(not_run!("its scales and zero points belong to different axes"));
    }
    if let Some(point) = zero_points.iter().find(|z| z.fract() != 0.0 || z.abs() > 65536.0) {
        return Err(not_run!("a zero point of {point} on constants; integers of 16 bits are handled"));
    }
    let array = chain.to_array().map_err(|e| invalid!("its input: {e}"))?;
    let Data::Real(values) = array.data else { return Err(invalid!("it rounds integers")) };
    let extent = axis.map_or(1, |axis| chain.shape[axis]);
    let inner = axis.map_or(1, |axis| chain.shape[axis + 1..].iter().product::<usize>()).max(1);
    let of = |list: &[f32], i: usize| if list.len() == 1 { list[0] } else { list[i / inner % extent] };
    let step = |(i, &x): (usize, &f64)| quant.steps(x as f32, of(&scales, i), of(&zero_points, i));
    if let Some(i) = values.iter().position(|x| !x.is_finite()) {
        return Err(invalid!("element {i} of its input is {}; expected a finite number", values[i]));
    }
    let steps: Vec<f32> = values.iter().enumerate().filter_map(step).collect();
    if let Some(step) = steps.iter().find(|step| step.abs() > MAX_INTEGER) {
        return Err(not_run!("the integer {step} of a constant; {MAX_INTEGER} at most"));
    }
    let integers: Vec<i32> = steps.into_iter().map(|step| step as i32).collect();
    let zero_points: Vec<i32> = zero_points.iter().map(|&z| z as i32).collect();
    let tensor = smallest(chain.shape.clone(), &integers, &zero_points);
    // Levels ±1/2 have a step of twice the scale, and half of that is what a half-step counts.
    let is_sign = matches!(quant, Quant::Sign | Quant::Bipolar) && zero_points.iter().all(|&z| z == 0);
    let grid = if is_sign { Grid::MidRise } else { Grid::MidTread };
    let parameters = WeightQuantization { scales, zero_points, grid, data_type: tensor.data_type, clip: None };
    let integers = Chain::stored(&chain.name, tensor);
    integers.dequantize(parameters, axis, DataType::F32).ok_or_else(|| not_run!("it rounds integers"))
}

/// The axis of a constant that more than one scale or zero point belongs to.
fn channel_axis(view: &View<'_>, index: usize, shape: &[usize]) -> Result<Option<usize>, Fault> {
    let Some(slot) = view.optional(index) else { return Ok(None) };
    let of = slot.form.shape.as_deref().ok_or(Fault::UnknownShape)?;
    let mut axes = (0..of.len()).filter(|&axis| of[axis] != 1);
    match (axes.next(), axes.next()) {
        (None, _) => Ok(None),
        // The form of the output is that of the constants, so that these broadcast to them.
        (Some(axis), None) => Ok(Some(axis + shape.len() - of.len())),
        (Some(_), Some(_)) => Err(not_run!("scales of shape {of:?}, which belong to more than one axis")),
    }
}

fn rounding(view: &View<'_>, default: &'static str) -> Result<Rounding, Fault> {
    let name = view.attributes.string("rounding_mode", default)?;
    Rounding::from_name(name).ok_or_else(|| invalid!("rounding_mode is {name:?}, which is not known"))
}

/// Smallest and largest integer.
fn range(bits: f32, signed: bool, narrow: bool) -> Result<[f32; 2], Fault> {
    if bits.fract() != 0.0 || !(1.0..=MAX_BITS).contains(&bits) {
        return Err(not_run!("a bit width of {bits}; integers from 1 to {MAX_BITS} are handled"));
    }
    let narrower = f32::from(u8::from(narrow));
    Ok(match signed {
        true => [-(bits - 1.0).exp2() + narrower, (bits - 1.0).exp2() - 1.0],
        false => [0.0, bits.exp2() - 1.0 - narrower],
    })
}

/// The form of the output: that of x, which the parameters must not widen.
fn form(view: &View<'_>, parameters: &[usize]) -> Result<Form, Fault> {
    if let Some(found) = view.data_type(0).filter(|t| !t.is_real()) {
        return Err(invalid!("it rounds {}", found.name()));
    }
    let x = view.shape(0)?;
    for &i in parameters {
        let by = view.shape(i)?;
        if broadcast(x, by)? != x {
            return Err(not_run!("its scales or zero points of shape {by:?} do not broadcast to {x:?}"));
        }
    }
    Ok(view.like_first(x.to_vec()))
}

/// Turns what is not handled into a node that is not run. On a constant it makes a constant that cannot be read; a node
/// that needs its elements gives the reason.
fn or_not_run(view: &View<'_>, form: Form, plan: impl FnOnce() -> Result<Plan, Fault>) -> Result<Plan, Fault> {
    match plan() {
        Err(Fault::NotRun(reason)) if view.input(0)?.constant => {
            Ok(Plan::unreadable(format!("a quantization that is not handled ({reason})"), form))
        }
        Err(Fault::NotRun(reason)) => Ok(Plan::not_run(reason, form)),
        other => other,
    }
}

/// One constant number, real or integer.
fn number(view: &View<'_>, index: usize, what: &str) -> Result<f32, Fault> {
    let found = single(view, index, what)?;
    found.filter(|x| x.is_finite()).ok_or_else(|| not_run!("its {what} is not one constant number"))
}

/// A constant of one element; `None` where it has more.
fn single(view: &View<'_>, index: usize, what: &str) -> Result<Option<f32>, Fault> {
    let chain = view.constant(index, what, MAX_FOLDED)?;
    let chain = chain.ok_or_else(|| invalid!("its {what} is left out"))?;
    let array = chain.to_array().map_err(|e| invalid!("its {what}: {e}"))?;
    Ok(match array.data {
        Data::Int(values) => <[i64; 1]>::try_from(values).ok().map(|[v]| v as f32),
        Data::Real(values) => <[f64; 1]>::try_from(values).ok().map(|[v]| v as f32),
    })
}

fn positive(scale: f32) -> Result<f32, Fault> {
    match scale > 0.0 {
        true => Ok(scale),
        false => Err(invalid!("a scale of {scale}; expected a number above 0")),
    }
}
