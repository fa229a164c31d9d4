//! Resize and its predecessor Upsample.

use network::{Coordinates, Nearest, Op};

use super::form::distinct_axes;
use super::plan::Plan;
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid};

/// What `coordinate_transformation_mode` may be that no resizing of the graph is.
const CROP_AND_RESIZE: &str = "tf_crop_and_resize";

/// Upsample (opset 7 to 9): scales as an attribute, then as an input.
pub(super) fn upsample(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let scales = if view.opset < 9 {
        view.arity(1, 1)?;
        view.attributes.floats("scales")?.map(<[f32]>::to_vec)
    } else {
        view.arity(2, 2)?;
        view.floats(1, "scales")?
    };
    let scales = scales.ok_or_else(|| invalid!("its scales are missing"))?;
    let linear = view.attributes.choice("mode", &["nearest", "linear"])? == "linear";
    let (shape, exact) = scaled(x, &scales)?;
    let op = Op::Resize { linear, coordinates: Coordinates::Asymmetric, nearest: Nearest::Floor };
    Ok(finish(view, op, shape, exact))
}

/// Resize: scales or sizes.
pub(super) fn resize(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let attributes = &view.attributes;
    let mode = attributes.choice("mode", &["nearest", "linear", "cubic"])?;
    if view.opset < 11 {
        view.arity(2, 2)?;
        let scales = view.floats(1, "scales")?.unwrap_or_default();
        let (shape, exact) = scaled(x, &scales)?;
        let op = Op::Resize { linear: mode == "linear", coordinates: Coordinates::Asymmetric, nearest: Nearest::Floor };
        return Ok(finish(view, op, shape, exact));
    }
    view.arity(1, 4)?;
    let words = [Coordinates::ALL.map(Coordinates::name).as_slice(), &[CROP_AND_RESIZE]].concat();
    let coordinates = Coordinates::named(attributes.choice("coordinate_transformation_mode", &words)?);
    let nearest = Nearest::named(attributes.choice("nearest_mode", &Nearest::ALL.map(Nearest::name))?);
    let (shape, exact) = target(view, x)?;
    for name in ["cubic_coeff_a", "exclude_outside", "extrapolation_value"] {
        attributes.ignore(name);
    }
    let antialias = attributes.flag("antialias", false)?;
    let stretched = attributes.string("keep_aspect_ratio_policy", "stretch")? == "stretch";
    match (coordinates, nearest) {
        (Some(coordinates), Some(nearest)) if mode != "cubic" && !antialias && stretched => {
            let op = Op::Resize { linear: mode == "linear", coordinates, nearest };
            Ok(finish(view, op, shape, exact))
        }
        _ => Ok(Plan::not_run("this kind of resizing is not run", view.like_first(shape))),
    }
}

/// The output shape, and whether sizes and scales agree exactly.
fn target(view: &View<'_>, x: &[usize]) -> Result<(Vec<usize>, bool), Fault> {
    let axes = match view.attributes.ints("axes")? {
        Some(axes) => distinct_axes(axes, x.len())?,
        None => (0..x.len()).collect(),
    };
    let scales = view.floats(2, "scales")?.filter(|scales| !scales.is_empty());
    let sizes = view.ints(3, "sizes")?.filter(|sizes| !sizes.is_empty());
    let mut shape = x.to_vec();
    match (scales, sizes) {
        (Some(scales), None) if scales.len() == axes.len() => {
            let mut all = vec![1.0; x.len()];
            axes.iter().zip(&scales).for_each(|(&axis, &scale)| all[axis] = scale);
            scaled(x, &all)
        }
        (None, Some(sizes)) if sizes.len() == axes.len() => {
            let sizes = tensors::shape(&sizes)?;
            axes.iter().zip(&sizes).for_each(|(&axis, &size)| shape[axis] = size);
            Ok((shape, true))
        }
        (scales, sizes) => {
            Err(invalid!("scales {scales:?} and sizes {sizes:?}; expected one of them, with {} numbers", axes.len()))
        }
    }
}

fn scaled(x: &[usize], scales: &[f32]) -> Result<(Vec<usize>, bool), Fault> {
    let usable = |scale: &f32| scale.is_finite() && *scale > 0.0;
    if scales.len() != x.len() || !scales.iter().all(usable) {
        return Err(invalid!("scales {scales:?}; expected {} numbers above 0", x.len()));
    }
    let target = |(&extent, &scale): (&usize, &f32)| extent as f64 * f64::from(scale);
    let exact: Vec<f64> = x.iter().zip(scales).map(target).collect();
    if let Some(large) = exact.iter().find(|&&extent| extent > 1e15) {
        return Err(invalid!("an output extent of {large} is too large"));
    }
    let shape = exact.iter().map(|extent| extent.floor() as usize).collect();
    Ok((shape, exact.iter().all(|extent| extent.fract() == 0.0)))
}

fn finish(view: &View<'_>, op: Op, shape: Vec<usize>, exact: bool) -> Plan {
    let form = view.like_first(shape);
    match exact {
        true => Plan::run_on_first(op, form),
        // The operator of the graph takes its scale from the extents, which then differs from the scale of the file.
        false => Plan::not_run("its scales do not give whole extents", form),
    }
}
