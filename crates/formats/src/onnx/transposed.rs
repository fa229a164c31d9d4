//! Transposed convolution.

use network::{GeometrySpec, MacOp, Operand, Scatter, WeightQuantization, WindowAxis};

use super::chain::{Chain, Quantized};
use super::mac::{Draft, bias, weights};
use super::plan::{Plan, or_not_run};
use super::tensors;
use super::view::View;
use super::windows::{positive, spatial, too_large};
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::shape::per_image;
use crate::reading::windows::span;

/// ConvTranspose with constant weights, `[channels, out_channels / groups, …]` and an axis of the kernel for each of space.
pub(super) fn conv_transpose(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 3)?;
    let (x, w) = (view.shape(0)?, view.shape(1)?);
    let size = spatial(x)?;
    if w.len() != x.len() || w[0] != x[1] || w.contains(&0) || size.is_empty() || size.contains(&0) {
        return Err(invalid!("weights of shape {w:?} for an input of {x:?}"));
    }
    if let Some(found) = view.data_type(0).filter(|t| !t.is_real()) {
        return Err(invalid!("input of type {}; expected real numbers", found.name()));
    }
    if let Some(found) = view.attributes.ints("kernel_shape")?
        && tensors::shape(found)? != w[2..]
    {
        return Err(invalid!("kernel_shape {found:?}, but weights of shape {w:?}"));
    }
    let found = view.attributes.int("group")?.unwrap_or(1);
    let groups = usize::try_from(found).ok().filter(|&groups| groups > 0 && w[0].is_multiple_of(groups));
    let groups = groups.ok_or_else(|| invalid!("{} input channels do not divide into {found} groups", w[0]))?;
    let channels = w[1].checked_mul(groups).ok_or_else(too_large)?;
    let axes = axes(view, size, &w[2..])?;
    let form = view.like_first([&[x[0], channels], axes.iter().map(|a| a.out).collect::<Vec<_>>().as_slice()].concat());
    let Some((scatter, in_size)) = spatial_axes(&axes) else {
        return Ok(Plan::not_costed("transposed convolution over more than three axes is not handled", form));
    };
    let filters = channels * scatter.taps();
    let repeats = per_image(x[0], view.batch)?;
    let spec = GeometrySpec { groups, repeats, ..GeometrySpec::convolution(x[1], filters, [1; 2], in_size) };
    or_not_run(form.clone(), || {
        let (op, operand) = (MacOp::ConvTranspose(scatter), Operand::ChannelsFirst);
        let weights = by_filter(weights(view, 1)?.clone(), [groups, w[0] / groups, w[1], scatter.taps()])?;
        Draft { op, spec, operand, alpha: 1.0, activation: 0 }.plan(view, weights, bias(view, 2, channels, 1.0)?, form)
    })
}

/// Every axis, with `output_shape` and `auto_pad` made explicit.
fn axes(view: &View<'_>, size: &[usize], kernel: &[usize]) -> Result<Vec<WindowAxis>, Fault> {
    let rank = size.len();
    let mode = view.attributes.choice("auto_pad", &["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])?;
    let (stride, dilation) = (positive(view, "strides", rank)?, positive(view, "dilations", rank)?);
    let pads = counts(view, "pads", 2 * rank)?.unwrap_or_else(|| vec![0; 2 * rank]);
    let extra = counts(view, "output_padding", rank)?.unwrap_or_else(|| vec![0; rank]);
    let wanted = counts(view, "output_shape", rank)?;
    if mode != "NOTSET" && wanted.is_none() && pads.iter().any(|&pad| pad != 0) {
        return Err(invalid!("auto_pad {mode} beside pads {pads:?}"));
    }
    let axis = |i: usize| {
        let (size, kernel, stride, dilation) = (size[i], kernel[i], stride[i], dilation[i]);
        let steps = (size - 1).checked_mul(stride)?;
        let full = steps.checked_add(span(kernel, dilation)?)?.checked_add(extra[i])?;
        let out = match &wanted {
            Some(wanted) => Some(wanted[i]),
            // Shape inference of ONNX and onnxruntime add nothing behind what the kernel reaches.
            None if mode.starts_with("SAME") => Some(size.checked_mul(stride)?.min(full)),
            None => None,
        };
        // An output beyond what the kernel reaches is 0, at the end.
        let (pads, out) = match out {
            Some(out) => (split(full.saturating_sub(out), mode), out),
            None => ([pads[i], pads[i + rank]], full.saturating_sub(pads[i].checked_add(pads[i + rank])?)),
        };
        // Places are computed before they are cut off.
        full.checked_add(pads[0])?.checked_add(pads[1])?;
        Some(WindowAxis { size, kernel, stride, dilation, pads, out })
    };
    let axes = (0..rank).map(axis).collect::<Option<Vec<WindowAxis>>>().ok_or_else(too_large)?;
    match axes.iter().find(|axis| axis.out == 0) {
        Some(axis) => Err(invalid!("pads {:?} cut off the whole output", axis.pads)),
        None => Ok(axes),
    }
}

/// How much of `total` is cut off before and after.
fn split(total: usize, mode: &str) -> [usize; 2] {
    let (small, large) = (total / 2, total - total / 2);
    if mode == "SAME_UPPER" { [small, large] } else { [large, small] }
}

fn counts(view: &View<'_>, name: &str, len: usize) -> Result<Option<Vec<usize>>, Fault> {
    match view.attributes.ints(name)? {
        None => Ok(None),
        Some(list) if list.len() == len => tensors::shape(list).map(Some),
        Some(list) => Err(invalid!("{name} {list:?}; expected {len} numbers")),
    }
}

/// Depth, height and width, and the positions as height and width; `None` for more axes.
fn spatial_axes(axes: &[WindowAxis]) -> Option<(Scatter, [usize; 2])> {
    let mut all = [WindowAxis::ONE; 3];
    let missing = all.len().checked_sub(axes.len())?;
    all[missing..].copy_from_slice(axes);
    let [depth, height, width] = all.map(|axis| axis.size);
    Some((Scatter { axes: all }, [depth.checked_mul(height)?, width]))
}

/// Brings weights, `[groups · channels, out_channels, taps]` with the channels of one group, into
/// `[groups · out_channels · taps, channels]`: a filter for each output channel and tap.
fn by_filter(weights: Chain, [groups, channels, outs, taps]: [usize; 4]) -> Result<Chain, Fault> {
    let quantized = match weights.quantized.clone() {
        Some(quantized) => Some(scales_by_filter(quantized, [groups, channels, outs, taps])?),
        None => None,
    };
    let torn = || not_costed!("its weights are rearranged in a way that is not handled");
    let chain = Chain { quantized: None, ..weights };
    let chain = chain.reshaped(&[groups, channels, outs * taps]).and_then(|chain| chain.transposed(&[0, 2, 1]));
    let chain = chain.and_then(|chain| chain.reshaped(&[groups * outs * taps, channels, 1, 1])).ok_or_else(torn)?;
    Ok(Chain { quantized, ..chain })
}

/// Gives every filter the scale and zero point of its output channel. Along axis 1 there is one for each output channel
/// of a group, along axis 0 one for each input channel, which has to be the only one of its group.
fn scales_by_filter(quantized: Quantized, [groups, channels, outs, taps]: [usize; 4]) -> Result<Quantized, Fault> {
    let Some(axis) = quantized.axis else { return Ok(quantized) };
    if axis > 1 || axis == 0 && channels > 1 {
        return Err(not_costed!("the scales of its weights belong to axis {axis}, not to output channels"));
    }
    let place = |filter: usize| if axis == 0 { filter / taps / outs } else { filter / taps % outs };
    let all = (0..groups * outs * taps).map(|filter| quantized.parameters.of(place(filter)));
    let (scales, zero_points) = all.unzip();
    let parameters = WeightQuantization { scales, zero_points, ..quantized.parameters };
    Ok(Quantized { parameters, axis: Some(0), ..quantized })
}
