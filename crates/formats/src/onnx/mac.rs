//! Convolutions, and what every MAC layer needs: its weights, its bias, its share of the batch.

use esn::Grid;
use network::{
    Bias, DataType, Geometry, GeometrySpec, MacLayer, MacOp, Operand, ValueId, WeightQuantization, WeightSource,
    WindowAxis,
};

use super::array::Data;
use super::chain::Chain;
use super::form::{Form, is_narrow};
use super::plan::{Action, Kept, Plan, or_not_run};
use super::slot::Slot;
use super::tensors;
use super::view::View;
use super::windows::{Windows, spatial, too_large};
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::shape::per_image;

/// Conv with constant weights.
pub(super) fn conv(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 3)?;
    let (x, w) = (view.shape(0)?, view.shape(1)?);
    let size = spatial(x)?;
    if w.len() != x.len() || size.is_empty() {
        return Err(invalid!("weights of shape {w:?} for an input of {x:?}"));
    }
    check_types(view)?;
    let (filters, kernel) = (w[0], &w[2..]);
    let groups = groups(view, x[1], w)?;
    if let Some(found) = view.attributes.ints("kernel_shape")?
        && tensors::shape(found)? != kernel
    {
        return Err(invalid!("kernel_shape {found:?}, but weights of shape {w:?}"));
    }
    let windows = Windows::read(view, kernel, size, false)?;
    let form = view.like_first([&[x[0], filters], windows.out.as_slice()].concat());
    let Some(axes) = windows.spatial(size) else {
        return Ok(Plan::not_costed("convolution over more than three axes is not handled", form));
    };
    let repeats = per_image(x[0], view.batch)?;
    let (spec, operand) = convolution(axes, x[1], filters, repeats).ok_or_else(too_large)?;
    or_not_run(form.clone(), || {
        let draft =
            Draft { op: MacOp::Conv, spec: GeometrySpec { groups, ..spec }, operand, alpha: 1.0, activation: 0 };
        draft.plan(view, weights(view, 1)?, bias(view, 2, filters, 1.0)?, form)
    })
}

/// A convolution along depth, height and width. Where the depth has an extent, its planes are channels.
fn convolution(
    [depth, height, width]: [WindowAxis; 3],
    channels: usize,
    filters: usize,
    repeats: usize,
) -> Option<(GeometrySpec, Operand)> {
    let kernel = [height.kernel, width.kernel];
    let planar = GeometrySpec {
        stride: [height.stride, width.stride],
        dilation: [height.dilation, width.dilation],
        pads: [height.pads[0], width.pads[0], height.pads[1], width.pads[1]],
        repeats,
        ..GeometrySpec::convolution(channels, filters, kernel, [height.size, width.size])
    };
    if depth == WindowAxis::ONE {
        return Some((planar, Operand::ChannelsFirst));
    }
    let in_channels = channels.checked_mul(depth.kernel)?;
    let spec = GeometrySpec { in_channels, repeats: repeats.checked_mul(depth.out)?, ..planar };
    Some((spec, Operand::Planes(depth)))
}

/// Refuses integers beside real numbers, and integers too wide for the weights of a layer.
fn check_types(view: &View<'_>) -> Result<(), Fault> {
    let integer = |index: usize| view.data_type(index).filter(|t| !t.is_real());
    match (integer(0), integer(1)) {
        (Some(found), _) if !is_narrow(found) => Err(invalid!("input of type {}; expected real numbers", found.name())),
        (None, Some(found)) if view.data_type(0).is_some() => {
            Err(invalid!("weights of type {}; expected real numbers", found.name()))
        }
        _ => Ok(()),
    }
}

fn groups(view: &View<'_>, channels: usize, w: &[usize]) -> Result<usize, Fault> {
    let found = view.attributes.int("group")?.unwrap_or(1);
    let groups = usize::try_from(found).ok().filter(|&groups| groups > 0);
    let groups = groups.ok_or_else(|| invalid!("group is {found}; expected at least 1"))?;
    if w[1].checked_mul(groups) != Some(channels) || !w[0].is_multiple_of(groups) {
        return Err(invalid!("weights of shape {w:?} in {groups} groups for an input of {channels} channels"));
    }
    Ok(groups)
}

/// A MAC layer without its weights and its bias.
pub(super) struct Draft {
    pub(super) op: MacOp,
    pub(super) spec: GeometrySpec,
    pub(super) operand: Operand,
    pub(super) alpha: f32,
    /// Which input of the node is the activation.
    pub(super) activation: usize,
}

impl Draft {
    /// Makes the layer. The first axis of `weights` counts filters; the axes behind it are those of one filter.
    pub(super) fn layer(self, view: &View<'_>, weights: Chain, bias: Option<Bias>) -> Result<MacLayer, Fault> {
        let geometry = Geometry::new(self.spec).map_err(|e| invalid!("{e}"))?;
        Ok(MacLayer {
            name: view.name.clone(),
            op: self.op,
            geometry,
            operand: self.operand,
            weights: source(weights, &self.spec)?,
            bias,
            alpha: self.alpha,
            input_quantization: view.input(self.activation)?.quantization,
            requantization: None,
            // The builder knows the values.
            input: ValueId(0),
            output: ValueId(0),
        })
    }

    /// Plans the node as this layer.
    pub(super) fn plan(self, view: &View<'_>, weights: Chain, bias: Option<Bias>, form: Form) -> Result<Plan, Fault> {
        let kept = Kept::Only(self.activation);
        let layer = self.layer(view, weights, bias)?;
        Ok(Plan { action: Action::Mac(Box::new(layer)), outputs: vec![form], kept, not_costed: None })
    }
}

/// The constant weights at an input. Integers at an operator on real numbers, as design tools write them, count steps of
/// size 1: such a network has costs, and nothing runs it.
pub(super) fn weights(view: &View<'_>, index: usize) -> Result<Chain, Fault> {
    let slot = view.input(index)?;
    match &slot.known {
        Some(chain) if chain.data_type.is_real() => Ok(chain.clone()),
        Some(chain) if is_narrow(chain.data_type) => {
            let (scales, data_type) = (vec![1.0], chain.data_type);
            let one = WeightQuantization { scales, zero_points: vec![0], grid: Grid::MidTread, data_type, clip: None };
            let two_ways = || not_costed!("its weights are quantized in two ways");
            chain.clone().dequantize(one, None, DataType::F32).ok_or_else(two_ways)
        }
        Some(chain) => Err(invalid!("weights of type {}; expected real numbers", chain.data_type.name())),
        None => Err(unknown_weights(slot)),
    }
}

/// Why weights are not known while reading.
pub(super) fn unknown_weights(slot: &Slot) -> Fault {
    match &slot.unreadable {
        Some(what) => not_costed!("its weights have {what}"),
        None if slot.quantized_twice => not_costed!("its weights are quantized in two ways"),
        None if slot.constant => not_costed!("its weights come from {}", slot.not_folded()),
        None => not_costed!("its weights depend on the input of the network"),
    }
}

/// The weights as `[filters, channels, kernel_h, kernel_w]`.
fn source(weights: Chain, spec: &GeometrySpec) -> Result<WeightSource, Fault> {
    let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
    let torn = || not_costed!("its weights are rearranged in a way that is not handled");
    let chain = weights.reshaped(&shape).ok_or_else(torn)?;
    let chain = chain.on_levels().unwrap_or(chain);
    let quantization = match chain.quantization() {
        None => None,
        Some((quantization, None | Some(0))) => Some(quantization),
        Some((_, Some(axis))) => {
            return Err(not_costed!("the scales of its weights belong to axis {axis}, not to filters"));
        }
    };
    Ok(WeightSource { name: chain.name, tensor: chain.tensor, transforms: chain.transforms, quantization })
}

/// The bias at an input: one number, or one a filter.
pub(super) fn bias(view: &View<'_>, index: usize, filters: usize, beta: f32) -> Result<Option<Bias>, Fault> {
    let Some(slot) = view.optional(index) else { return Ok(None) };
    let Some(chain) = &slot.known else {
        return Err(not_costed!("its bias is not a constant that is known while reading"));
    };
    let count = chain.element_count();
    if count != filters && count != 1 {
        return Err(invalid!("bias of shape {:?} for {filters} filters", chain.shape));
    }
    if !chain.data_type.is_real() && view.data_type(0).is_none_or(DataType::is_real) {
        return Err(invalid!("bias of type {}; expected real numbers", chain.data_type.name()));
    }
    if beta == 0.0 {
        return Ok(None);
    }
    // No cost depends on a bias, and nothing runs a network whose values are absent.
    if chain.tensor.is_absent() {
        return Ok(Some(Bias::Float(vec![0.0; filters])));
    }
    if let Some(bias) = integer_bias(chain, filters).filter(|_| beta == 1.0) {
        return Ok(Some(bias));
    }
    let array = chain.to_array().map_err(|e| invalid!("bias: {e}"))?;
    let values: Vec<f32> = match array.data {
        Data::Real(values) => values.into_iter().map(|v| v as f32 * beta).collect(),
        Data::Int(values) => values.into_iter().map(|v| v as f32 * beta).collect(),
    };
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(invalid!("bias {i} is {}; expected a finite number", values[i]));
    }
    Ok(Some(Bias::Float(one_a_filter(values, filters))))
}

/// A bias behind a DequantizeLinear. `None` for real numbers, where scales or zero points belong to several integers each, and
/// where an integer does not fit 32 bits.
fn integer_bias(chain: &Chain, filters: usize) -> Option<Bias> {
    let parameters = &chain.quantized.as_ref()?.parameters;
    let Data::Int(codes) = chain.codes().ok()?.data else { return None };
    if [parameters.scales.len(), parameters.zero_points.len()].iter().any(|&n| n > 1 && n != codes.len()) {
        return None;
    }
    let value = |(i, q): (usize, i64)| i32::try_from(q - i64::from(parameters.of(i).1)).ok().map(i64::from);
    let values: Vec<i64> = codes.into_iter().enumerate().map(value).collect::<Option<_>>()?;
    Some(Bias::Integer { values: one_a_filter(values, filters), scales: parameters.scales.clone() })
}

fn one_a_filter<T: Copy>(values: Vec<T>, filters: usize) -> Vec<T> {
    if values.len() == 1 { vec![values[0]; filters] } else { values }
}
