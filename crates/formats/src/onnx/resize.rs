//! Resize and its predecessor Upsample.

use network::{Coordinates, Interpolation, Nearest, Op};

use super::form::distinct_axes;
use super::plan::Plan;
use super::tensors;
use super::view::View;
use crate::reading::fault::{Fault, invalid};

/// What `coordinate_transformation_mode` may be that no resizing of the graph is.
const CROP_AND_RESIZE: &str = "tf_crop_and_resize";

/// Upsample, up to opset 9: scales of height and width as two attributes, then of all axes as one, then as an input.
pub(super) fn upsample(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let scales = if view.opset < 7 {
        view.arity(1, 1)?;
        planar_scales(view, x)?
    } else if view.opset < 9 {
        view.arity(1, 1)?;
        view.attributes.floats("scales")?.map(<[f32]>::to_vec)
    } else {
        view.arity(2, 2)?;
        view.floats(1, "scales")?
    };
    let scales = scales.ok_or_else(|| invalid!("its scales are missing"))?;
    let linear = if view.opset < 7 { "bilinear" } else { "linear" };
    let linear = view.attributes.choice("mode", &["nearest", linear])? == linear;
    let target = scaled(x, &scales)?;
    let interpolation = if linear { Interpolation::Linear } else { Interpolation::Nearest(Nearest::Floor) };
    Ok(planned(view, interpolation, Coordinates::Asymmetric, target))
}

/// The scales of Upsample before opset 7, which resizes height and width.
fn planar_scales(view: &View<'_>, x: &[usize]) -> Result<Option<Vec<f32>>, Fault> {
    if x.len() != 4 {
        return Err(invalid!("an input of shape {x:?}; expected four axes"));
    }
    let scales = ["height_scale", "width_scale"].map(|name| view.attributes.optional_float(name));
    let [height, width] = scales;
    Ok(height?.zip(width?).map(|(height, width)| vec![1.0, 1.0, height, width]))
}

/// Resize: scales or sizes.
pub(super) fn resize(view: &View<'_>) -> Result<Plan, Fault> {
    let x = view.shape(0)?;
    let attributes = &view.attributes;
    let mode = attributes.choice("mode", &["nearest", "linear", "cubic"])?;
    if view.opset < 11 {
        view.arity(2, 2)?;
        let scales = view.floats(1, "scales")?.unwrap_or_default();
        let target = scaled(x, &scales)?;
        // Runtimes do not agree on the neighbour of a position between two.
        let smaller = target.scales.is_some() && scales.iter().any(|&scale| scale < 1.0);
        if mode == "cubic" || (mode == "nearest" && smaller) {
            return Ok(Plan::not_run("this kind of resizing is not run", view.like_first(target.shape)));
        }
        let interpolation =
            if mode == "linear" { Interpolation::Linear } else { Interpolation::Nearest(Nearest::Floor) };
        return Ok(planned(view, interpolation, Coordinates::Asymmetric, target));
    }
    view.arity(1, 4)?;
    let words = [Coordinates::ALL.map(Coordinates::name).as_slice(), &[CROP_AND_RESIZE]].concat();
    let coordinates = Coordinates::named(attributes.choice("coordinate_transformation_mode", &words)?);
    let nearest = Nearest::named(attributes.choice("nearest_mode", &Nearest::ALL.map(Nearest::name))?);
    let target = target(view, x)?;
    attributes.ignore("extrapolation_value");
    let coefficient = attributes.float("cubic_coeff_a", -0.75)?;
    let exclude_outside = attributes.flag("exclude_outside", false)?;
    let antialias = attributes.flag("antialias", false)?;
    let stretched = attributes.string("keep_aspect_ratio_policy", "stretch")? == "stretch";
    match (coordinates, nearest) {
        (Some(coordinates), Some(nearest)) if !antialias && stretched => {
            let interpolation = match mode {
                "nearest" => Interpolation::Nearest(nearest),
                "linear" => Interpolation::Linear,
                _ => Interpolation::Cubic { coefficient, exclude_outside },
            };
            Ok(planned(view, interpolation, coordinates, target))
        }
        _ => Ok(Plan::not_run("this kind of resizing is not run", view.like_first(target.shape))),
    }
}

/// What a resizing makes.
struct Target {
    shape: Vec<usize>,
    /// The scales, where they do not give exactly these extents.
    scales: Option<Vec<f32>>,
}

/// The output shape, from scales or sizes.
fn target(view: &View<'_>, x: &[usize]) -> Result<Target, Fault> {
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
            Ok(Target { shape, scales: None })
        }
        (scales, sizes) => {
            Err(invalid!("scales {scales:?} and sizes {sizes:?}; expected one of them, with {} numbers", axes.len()))
        }
    }
}

/// Extents are rounded down, after a multiplication in 32-bit float as runtimes have it.
fn scaled(x: &[usize], scales: &[f32]) -> Result<Target, Fault> {
    let usable = |scale: &f32| scale.is_finite() && *scale > 0.0;
    if scales.len() != x.len() || !scales.iter().all(usable) {
        return Err(invalid!("scales {scales:?}; expected {} numbers above 0", x.len()));
    }
    let rounded: Vec<f32> = x.iter().zip(scales).map(|(&extent, &scale)| extent as f32 * scale).collect();
    if let Some(large) = rounded.iter().find(|&&extent| extent > 1e15) {
        return Err(invalid!("an output extent of {large} is too large"));
    }
    let shape: Vec<usize> = rounded.iter().map(|extent| extent.floor() as usize).collect();
    let is_exact = |((&from, &scale), &to): ((&usize, &f32), &usize)| from as f64 * f64::from(scale) == to as f64;
    let exact = x.iter().zip(scales).zip(&shape).all(is_exact);
    Ok(Target { shape, scales: (!exact).then(|| scales.to_vec()) })
}

fn planned(view: &View<'_>, interpolation: Interpolation, coordinates: Coordinates, target: Target) -> Plan {
    let Target { shape, scales } = target;
    let form = view.like_first(shape);
    if scales.is_some() && coordinates == Coordinates::AlignCorners {
        // ONNX puts the last element on scale times extent, runtimes on the extent rounded down.
        return Plan::not_run("its corners are aligned, and its scales do not give whole extents", form);
    }
    Plan::run_on_first(Op::Resize { interpolation, coordinates, scales }, form)
}
