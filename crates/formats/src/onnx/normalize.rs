//! Normalizations.

use network::Op;

use super::form::axis;
use super::plan::Plan;
use super::view::View;
use crate::reading::fault::{Fault, invalid};
use crate::reading::shape::broadcast;

/// BatchNormalization at inference.
pub(super) fn batch_norm(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(5, 5)?;
    let epsilon = view.attributes.float("epsilon", 1e-5)?;
    view.attributes.ignore("momentum");
    let training = view.attributes.flag("training_mode", false)? || view.is_training()?;
    let spatial = view.attributes.flag("spatial", true)?;
    let x = view.shape(0)?;
    let form = view.like_first(x.to_vec());
    if training || !spatial {
        return Ok(Plan::not_run("it is in training mode or not spatial", form));
    }
    let channels = if x.len() < 2 { 1 } else { x[1] };
    for (i, what) in ["scale", "bias", "mean", "variance"].iter().enumerate() {
        let shape = view.shape(i + 1)?;
        if shape != [channels] {
            return Err(invalid!("{what} of shape {shape:?}; expected [{channels}]"));
        }
    }
    Ok(Plan::run(Op::BatchNormalization { epsilon }, form))
}

/// LayerNormalization: over the axis that it names and all behind it.
pub(super) fn layer_norm(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 3)?;
    let epsilon = view.attributes.float("epsilon", 1e-5)?;
    // The type to compute in; here that is 32-bit float or better.
    view.attributes.ignore("stash_type");
    let x = view.shape(0)?;
    let axis = axis(view.attributes.int("axis")?.unwrap_or(-1), x.len())?;
    for (i, what) in [(1, "scale"), (2, "bias")] {
        let fits = |shape: &[usize]| broadcast(&x[axis..], shape).is_ok_and(|joint| joint == x[axis..]);
        if view.optional(i).is_some() && !fits(view.shape(i)?) {
            return Err(invalid!("{what} of shape {:?} does not broadcast to {:?}", view.shape(i)?, &x[axis..]));
        }
    }
    Ok(Plan::run(Op::LayerNormalization { axis, epsilon }, view.like_first(x.to_vec())))
}

/// InstanceNormalization: over each channel of each image.
pub(super) fn instance_norm(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(3, 3)?;
    let epsilon = view.attributes.float("epsilon", 1e-5)?;
    let x = view.shape(0)?;
    if x.len() < 2 {
        return Err(invalid!("an input of shape {x:?}; expected batch and channels first"));
    }
    for (i, what) in [(1, "scale"), (2, "bias")] {
        if view.shape(i)? != [x[1]] {
            return Err(invalid!("{what} of shape {:?}; expected [{}]", view.shape(i)?, x[1]));
        }
    }
    Ok(Plan::run(Op::InstanceNormalization { epsilon }, view.like_first(x.to_vec())))
}

/// LRN: local response normalization over neighbouring channels.
pub(super) fn lrn(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let attributes = &view.attributes;
    let found = attributes.int("size")?.ok_or_else(|| invalid!("attribute \"size\" is missing"))?;
    let size = usize::try_from(found).ok().filter(|&size| size > 0);
    let size = size.ok_or_else(|| invalid!("size is {found}; expected at least 1"))?;
    let (alpha, beta) = (attributes.float("alpha", 0.0001)?, attributes.float("beta", 0.75)?);
    let x = view.shape(0)?;
    if x.len() < 2 {
        return Err(invalid!("an input of shape {x:?}; expected batch and channels first"));
    }
    let op = Op::Lrn { alpha, beta, bias: attributes.float("bias", 1.0)?, size };
    Ok(Plan::run(op, view.like_first(x.to_vec())))
}
