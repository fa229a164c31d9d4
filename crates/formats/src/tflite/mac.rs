//! The operators with weights: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL.

use std::iter;

use network::{
    ActivationQuantization, Bias, DataType, Geometry, GeometrySpec, MacLayer, MacOp, NoteKind, Op, Operand,
    Requantization, RequantizationRule, Scatter, Unary, ValueId, WeightQuantization, WeightSource, WeightTransform,
    WindowAxis,
};

use super::builder::{Builder, Held};
use super::fused::Fused;
use super::operation::Operation;
use super::quantization::Multiplier;
use super::schema::INT4;
use super::windows::{Padding, same_or_valid};
use crate::options::TfliteKernels;
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::shape::per_image;
use crate::reading::windows::span;

/// A MAC layer without its weights, its bias and its scales.
struct Draft {
    op: MacOp,
    spec: GeometrySpec,
    operand: Operand,
    /// The activation, as the layer takes it.
    input: ValueId,
    /// The tensors of the file: activation, weights, bias.
    x: usize,
    weights: usize,
    bias: Option<usize>,
    /// From the weights in the file to `[filters, channels, kernel_h, kernel_w]`.
    transforms: Vec<WeightTransform>,
    /// Which axis of the stored weights counts filters.
    filter_axis: usize,
    fused: Fused,
    /// Shape of the layer's input as it is fed, and of its output, both as in the graph.
    input_shape: Vec<usize>,
    layer_shape: Vec<usize>,
    /// Shape of the output in the order of the file.
    shape: Vec<usize>,
    /// Whether the multiplier comes from a product of scales in 32-bit float rather than 64-bit.
    float_product: bool,
    /// Whether a sum is rounded once on its way to an integer, as in fully connected layers. Convolutions round twice.
    rounds_once: bool,
    /// Whether the file says that sums of 16-bit activations have 32 bits. They have 64 otherwise.
    narrow_sums: bool,
    /// Whether XNNPACK leaves the layer to a kernel of LiteRT's own, which rounds in fixed point. So it does with convolutions
    /// whose weights have 4 bits.
    own_kernel: bool,
}

/// CONV_2D: weights `[filters, kernel_h, kernel_w, channels / groups]`.
pub(super) fn conv(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 3)?;
    let (x, weights) = (operation.input(0)?, operation.input(1)?);
    let (&[_, _, _, channels], &[filters, height, width, depth]) = (b.shape(x), b.shape(weights)) else {
        return Err(wrong_shapes(b, x, weights));
    };
    if depth == 0 || !channels.is_multiple_of(depth) {
        return Err(invalid!("weights of {depth} channels for an input of {channels}"));
    }
    let options = &operation.options;
    let stride = [options.positive(2, 0, "stride_h")?, options.positive(1, 0, "stride_w")?];
    let dilation = [options.positive(5, 1, "dilation_h")?, options.positive(4, 1, "dilation_w")?];
    let narrow_sums = sums_of_32_bits(operation, 6)?;
    let window = Window { kernel: [height, width], stride, dilation, fused: operation.fused(3)?, narrow_sums };
    let transforms = vec![WeightTransform::Transpose(vec![0, 3, 1, 2])];
    window.lower(b, operation, [filters, channels / depth], transforms, 0)
}

/// DEPTHWISE_CONV_2D: weights `[1, kernel_h, kernel_w, channels · multiplier]`.
pub(super) fn depthwise(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 3)?;
    let (x, weights) = (operation.input(0)?, operation.input(1)?);
    let (&[_, _, _, channels], &[1, height, width, filters]) = (b.shape(x), b.shape(weights)) else {
        return Err(wrong_shapes(b, x, weights));
    };
    if channels == 0 || !filters.is_multiple_of(channels) {
        return Err(invalid!("weights of {filters} channels for an input of {channels}"));
    }
    let options = &operation.options;
    let stride = [options.positive(2, 0, "stride_h")?, options.positive(1, 0, "stride_w")?];
    let dilation = [options.positive(6, 1, "dilation_h")?, options.positive(5, 1, "dilation_w")?];
    let fused = operation.fused(4)?;
    let window = Window { kernel: [height, width], stride, dilation, fused, narrow_sums: false };
    let transforms = vec![WeightTransform::Transpose(vec![3, 0, 1, 2])];
    window.lower(b, operation, [filters, channels], transforms, 3)
}

/// Whether an option of a layer says that its bias, and so its sums, have 32 bits where activations have 16.
fn sums_of_32_bits(operation: &Operation<'_>, field: usize) -> Result<bool, Fault> {
    const INT32: i8 = 2;
    Ok(operation.options.scalar(field, 0i8)? == INT32)
}

fn wrong_shapes(b: &Builder<'_>, x: usize, weights: usize) -> Fault {
    // A tensor without extents may be one whose shape is only known in a run.
    if b.shape(x).is_empty() {
        return Fault::UnknownShape;
    }
    invalid!("weights of shape {:?} for an input of {:?}", b.shape(weights), b.shape(x))
}

/// The window of a convolution.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    fused: Fused,
    narrow_sums: bool,
}

impl Window {
    fn lower(
        self,
        b: &mut Builder<'_>,
        operation: &Operation<'_>,
        [filters, groups]: [usize; 2],
        transforms: Vec<WeightTransform>,
        filter_axis: usize,
    ) -> Result<(), Fault> {
        let x = operation.input(0)?;
        let shape = b.shape(x).to_vec();
        let padding = Padding::from_number(operation.options.scalar(0, 0i8)?)?;
        let mut pads = [0; 4];
        for axis in 0..2 {
            let span = span(self.kernel[axis].max(1), self.dilation[axis]).unwrap_or(usize::MAX);
            let (before, after) = same_or_valid(padding, shape[axis + 1], span, self.stride[axis]);
            (pads[axis], pads[axis + 2]) = (before, after);
        }
        let spec = GeometrySpec {
            in_channels: shape[3],
            filters,
            groups,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            pads,
            in_size: [shape[1], shape[2]],
            repeats: per_image(shape[0], b.network.batch())?,
        };
        let [height, width] = Geometry::new(spec).map_err(|e| invalid!("{e}"))?.out_size();
        let draft = Draft {
            op: MacOp::Conv,
            spec,
            operand: Operand::ChannelsFirst,
            input: b.value(x)?,
            x,
            weights: operation.input(1)?,
            bias: operation.optional(2),
            transforms,
            filter_axis,
            fused: self.fused,
            input_shape: super::layout::ours(&shape),
            layer_shape: vec![shape[0], filters, height, width],
            shape: vec![shape[0], height, width, filters],
            float_product: b.data_type(x)? == DataType::U8,
            rounds_once: false,
            narrow_sums: self.narrow_sums,
            own_kernel: b.slots[operation.input(1)?].info.data_type == Err(INT4),
        };
        draft.lower(b, operation)
    }
}

/// TRANSPOSE_CONV: the shape of the output, weights `[out_channels, kernel_h, kernel_w, channels]`, the activation.
pub(super) fn transposed(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(3, 4)?;
    let (x, weights) = (operation.input(2)?, operation.input(1)?);
    let (&[batch, height, width, channels], &[outs, kernel_h, kernel_w, depth]) = (b.shape(x), b.shape(weights)) else {
        return Err(wrong_shapes(b, x, weights));
    };
    if depth != channels || [height, width, outs, kernel_h, kernel_w].contains(&0) {
        return Err(wrong_shapes(b, x, weights));
    }
    let shape = transposed_shape(b, operation, [batch, outs])?;
    let options = &operation.options;
    let padding = Padding::from_number(options.scalar(0, 0i8)?)?;
    let stride = [options.positive(2, 0, "stride_h")?, options.positive(1, 0, "stride_w")?];
    let axis = |size: usize, kernel: usize, stride: usize, out: usize| {
        let (before, _) = same_or_valid(padding, out, kernel, stride);
        let reached = (size - 1).checked_mul(stride)?.checked_add(kernel)?;
        let after = reached.saturating_sub(before.checked_add(out)?);
        Some(WindowAxis { size, kernel, stride, dilation: 1, pads: [before, after], out })
    };
    let axes = axis(height, kernel_h, stride[0], shape[1]).zip(axis(width, kernel_w, stride[1], shape[2]));
    let (y_axis, x_axis) = axes.ok_or_else(|| invalid!("its output has too many elements to count"))?;
    let filters = [outs, kernel_h, kernel_w].into_iter().try_fold(1usize, usize::checked_mul);
    let filters = filters.ok_or_else(|| wrong_shapes(b, x, weights))?;
    let repeats = per_image(batch, b.network.batch())?;
    let draft = Draft {
        op: MacOp::ConvTranspose(Scatter { axes: [WindowAxis::ONE, y_axis, x_axis] }),
        spec: GeometrySpec { repeats, ..GeometrySpec::convolution(channels, filters, [1; 2], [height, width]) },
        operand: Operand::ChannelsFirst,
        input: b.value(x)?,
        x,
        weights,
        bias: operation.optional(3),
        transforms: vec![WeightTransform::Reshape(vec![filters, channels, 1, 1])],
        filter_axis: 0,
        fused: operation.fused(3)?,
        input_shape: super::layout::ours(&[batch, height, width, channels]),
        layer_shape: vec![batch, outs, shape[1], shape[2]],
        shape: shape.to_vec(),
        float_product: b.data_type(x)? == DataType::U8,
        rounds_once: false,
        narrow_sums: sums_of_32_bits(operation, 4)?,
        own_kernel: xnnpack_leaves(b, operation, padding, [kernel_h, kernel_w], stride)?,
    };
    draft.lower(b, operation)
}

/// Whether XNNPACK leaves a TRANSPOSE_CONV to LiteRT's own kernel, as tried with LiteRT 2.3.0: where the shape of the output
/// is computed, and where SAME has a stride that is larger than the kernel.
fn xnnpack_leaves(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
    padding: Padding,
    kernel: [usize; 2],
    stride: [usize; 2],
) -> Result<bool, Fault> {
    let has_gaps = padding == Padding::Same && (kernel[0] < stride[0] || kernel[1] < stride[1]);
    let leaves = has_gaps || !b.slots[operation.input(0)?].stored;
    if leaves && b.kernels == TfliteKernels::Optimized && b.data_type(operation.input(2)?)? == DataType::U8 {
        let text =
            "a TRANSPOSE_CONV of uint8 that XNNPACK leaves to another kernel rounds ties as the reference kernels do";
        b.note(NoteKind::Rounding, text);
    }
    Ok(leaves)
}

/// The shape of the output of TRANSPOSE_CONV, which is an input, or what the file declares where that is computed.
fn transposed_shape(
    b: &Builder<'_>,
    operation: &Operation<'_>,
    [batch, outs]: [usize; 2],
) -> Result<[usize; 4], Fault> {
    let declared = b.shape(operation.output()?).to_vec();
    let given = match b.ints(operation.input(0)?, 4)? {
        Some(given) => given.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect(),
        None if !b.reshaped => declared,
        None => return Err(not_costed!("the shape of its output is not constant")),
    };
    match *given.as_slice() {
        [n, height, width, m] if (n, m) == (batch, outs) && height > 0 && width > 0 => Ok([n, height, width, m]),
        _ => Err(invalid!("an output of shape {given:?}; expected {outs} channels of {batch} images")),
    }
}

/// FULLY_CONNECTED: weights `[filters, inputs]`; the input's elements are rows of `inputs`.
pub(super) fn fully_connected(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 3)?;
    let (x, weights) = (operation.input(0)?, operation.input(1)?);
    let &[filters, depth] = b.shape(weights) else { return Err(wrong_shapes(b, x, weights)) };
    if operation.options.scalar(1, 0i8)? != 0 {
        return Err(not_costed!("its weights are shuffled"));
    }
    let given = b.shape(x).to_vec();
    let count = given.iter().product::<usize>();
    if depth == 0 || !count.is_multiple_of(depth) {
        return Err(wrong_shapes(b, x, weights));
    }
    let rows = count / depth;
    let keep = operation.options.flag(2)?;
    let shape = match given.split_last() {
        Some((&last, leading)) if keep => {
            if last != depth {
                return Err(wrong_shapes(b, x, weights));
            }
            [leading, &[filters]].concat()
        }
        _ => vec![rows, filters],
    };
    let input_shape = if given.len() == 2 && given[1] == depth { given.clone() } else { vec![rows, depth] };
    let input = match input_shape == given {
        true => b.value(x)?,
        false => {
            let (flat, data_type) = (b.flat(x)?, b.data_type(x)?);
            b.reshaped(&operation.name, flat, &input_shape, data_type)
        }
    };
    let per_channel = b.slots[weights].info.quantization.as_ref().is_some_and(|q| q.scales.len() > 1);
    let spec = GeometrySpec::convolution(depth, filters, [1; 2], [per_image(rows, b.network.batch())?, 1]);
    let draft = Draft {
        op: MacOp::Gemm,
        spec,
        operand: Operand::ChannelsLast,
        input,
        x,
        weights,
        bias: operation.optional(2),
        transforms: vec![WeightTransform::Reshape(vec![filters, depth, 1, 1])],
        filter_axis: 0,
        fused: operation.fused(0)?,
        input_shape,
        layer_shape: vec![rows, filters],
        shape,
        float_product: !per_channel,
        rounds_once: true,
        narrow_sums: sums_of_32_bits(operation, 4)?,
        own_kernel: false,
    };
    draft.lower(b, operation)
}

/// BATCH_MATMUL of an activation and one constant matrix, `[inputs, filters]`, or `[filters, inputs]` where it is transposed.
pub(super) fn batch_matmul(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 2)?;
    let (x, weights, output) = (operation.input(0)?, operation.input(1)?, operation.output()?);
    let (given, stored) = (b.shape(x).to_vec(), b.shape(weights).to_vec());
    let [leading @ .., rows, columns] = stored.as_slice() else { return Err(wrong_shapes(b, x, weights)) };
    if matches!(b.slots[weights].held, Held::Value(_)) {
        return Err(not_costed!("both of its matrices depend on the input of the network"));
    }
    if operation.options.flag(0)? || leading.iter().any(|&n| n != 1) || given.len() < stored.len() {
        return Err(not_costed!("its constant is not one matrix on the right"));
    }
    if !(b.is_real(x)? && b.is_real(output)?) {
        return Err(not_costed!("it is handled on real numbers"));
    }
    let is_transposed = operation.options.flag(1)?;
    let (filters, depth) = if is_transposed { (*rows, *columns) } else { (*columns, *rows) };
    let Some((last, before)) = given.split_last().filter(|(last, _)| **last == depth && depth > 0) else {
        return Err(wrong_shapes(b, x, weights));
    };
    let rows = before.iter().product::<usize>();
    let (flat, data_type) = (b.flat(x)?, b.data_type(x)?);
    let input = b.reshaped(&operation.name, flat, &[rows, *last], data_type);
    let mut transforms = vec![WeightTransform::Reshape(stored[leading.len()..].to_vec())];
    if !is_transposed {
        transforms.push(WeightTransform::Transpose(vec![1, 0]));
    }
    transforms.push(WeightTransform::Reshape(vec![filters, depth, 1, 1]));
    let draft = Draft {
        op: MacOp::Gemm,
        spec: GeometrySpec::convolution(depth, filters, [1; 2], [per_image(rows, b.network.batch())?, 1]),
        operand: Operand::ChannelsLast,
        input,
        x,
        weights,
        bias: None,
        transforms,
        filter_axis: leading.len() + usize::from(!is_transposed),
        fused: Fused::None,
        input_shape: vec![rows, depth],
        layer_shape: vec![rows, filters],
        shape: [before, &[filters]].concat(),
        float_product: false,
        rounds_once: true,
        narrow_sums: false,
        own_kernel: false,
    };
    draft.lower(b, operation)
}

impl Draft {
    fn lower(self, b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
        let source = self.source(b)?;
        let output = operation.output()?;
        match (b.is_real(self.x)?, b.is_real(output)?) {
            (true, true) => self.lower_real(b, operation, source),
            (false, false) => self.lower_integer(b, operation, source),
            _ => Err(not_costed!("it takes {} and makes {}", type_name(b, self.x), type_name(b, output))),
        }
    }

    /// On real numbers; weights that are stored as integers stay integers.
    fn lower_real(self, b: &mut Builder<'_>, operation: &Operation<'_>, source: WeightSource) -> Result<(), Fault> {
        let dynamic = matches!(&b.slots[self.weights].held, Held::Constant(c) if !c.is_real());
        if dynamic {
            b.note(
                NoteKind::Rounding,
                "layers with integer weights and real activations (dynamic-range quantization) are computed on real \
                 numbers; TFLite rounds their activations to 8 bits of each image's own range",
            );
        }
        let bias = self.real_bias(b)?;
        let mut value = self.add(b, operation, source, bias, None, self.input)?;
        if let Some(op) = self.fused.op() {
            let name = format!("{}/activation", operation.name);
            value = b.emit(&name, "ACTIVATION", op, vec![value], (DataType::F32, self.layer_shape.clone()));
        }
        self.finish(b, operation, value)
    }

    /// DequantizeLinear, layer, QuantizeLinear.
    fn lower_integer(self, b: &mut Builder<'_>, operation: &Operation<'_>, source: WeightSource) -> Result<(), Fault> {
        let output = operation.output()?;
        let (x_q, y_q) = (b.quantization(self.x)?, b.quantization(output)?);
        let clamped = self.fused.clamp(y_q)?;
        let quantization = source.quantization.as_ref();
        let weights = quantization.ok_or_else(|| not_costed!("its weights are real, its activations integers"))?;
        let bias = self.integer_bias(b, x_q, weights)?;
        let rule = match (b.data_type(self.x)?, b.data_type(output)?) {
            (DataType::I16, DataType::I16) if !self.narrow_sums => self.wide_rule(b, x_q, y_q, weights)?,
            (DataType::I16, DataType::I16) => self.fixed_point_rule(x_q, y_q, weights)?,
            _ => self.rule(b, x_q, y_q, weights)?,
        };
        let rule = Some(Requantization { rule, output: clamped });
        let form = (b.data_type(self.x)?, self.input_shape.clone());
        let x = b.dequantized(&operation.name, self.input, x_q, form);
        let mut value = self.add(b, operation, source, bias, Some((x_q, rule)), x)?;
        if (clamped.min, clamped.max) != (y_q.min, y_q.max) {
            let real = |q: i32| (q - y_q.zero_point) as f32 * y_q.scale;
            let op = Op::Unary(Unary::Clip { min: real(clamped.min), max: real(clamped.max) });
            let name = format!("{}/activation", operation.name);
            value = b.emit(&name, "ACTIVATION", op, vec![value], (DataType::F32, self.layer_shape.clone()));
        }
        let form = (b.data_type(output)?, self.layer_shape.clone());
        let value = b.emit_quantize(&operation.name, value, y_q, form);
        self.finish(b, operation, value)
    }

    /// Adds the layer and its node; returns what it makes.
    fn add(
        &self,
        b: &mut Builder<'_>,
        operation: &Operation<'_>,
        weights: WeightSource,
        bias: Option<Bias>,
        integer: Option<(ActivationQuantization, Option<Requantization>)>,
        input: ValueId,
    ) -> Result<ValueId, Fault> {
        let (input_quantization, requantization) = integer.map_or((None, None), |(q, rule)| (Some(q), rule));
        let name = format!("{}/sum", operation.name);
        let weights = WeightSource { quantization: weights.quantization.map(|q| self.by_filter(q)), ..weights };
        let output = b.new_value(&name, Some(DataType::F32), Some(self.layer_shape.clone()), None);
        let layer = MacLayer {
            name: operation.name.clone(),
            op: self.op,
            geometry: Geometry::new(self.spec).map_err(|e| invalid!("{e}"))?,
            operand: self.operand,
            weights,
            bias,
            alpha: 1.0,
            input_quantization,
            requantization,
            input,
            output,
        };
        b.network.add_mac(operation.kind, layer);
        Ok(output)
    }

    /// Gives the tensor of the file the value that the last node has made.
    fn finish(&self, b: &mut Builder<'_>, operation: &Operation<'_>, value: ValueId) -> Result<(), Fault> {
        let output = operation.output()?;
        if super::layout::ours(&self.shape) == self.layer_shape {
            return b.assign(output, value, &self.shape);
        }
        let data_type = b.data_type(output)?;
        let value = b.reshaped(&operation.name, value, &self.shape, data_type);
        b.assign(output, value, &self.shape)
    }

    /// The filters of the geometry that are one output channel.
    fn taps(&self) -> usize {
        if let MacOp::ConvTranspose(scatter) = &self.op { scatter.taps() } else { 1 }
    }

    /// Scales and zero points by filter, of those by output channel.
    fn by_filter(&self, q: WeightQuantization) -> WeightQuantization {
        fn repeated<T: Copy>(list: Vec<T>, taps: usize) -> Vec<T> {
            if list.len() == 1 { list } else { list.into_iter().flat_map(|one| iter::repeat_n(one, taps)).collect() }
        }
        let taps = self.taps();
        WeightQuantization { scales: repeated(q.scales, taps), zero_points: repeated(q.zero_points, taps), ..q }
    }

    fn source(&self, b: &Builder<'_>) -> Result<WeightSource, Fault> {
        weights(b, self.weights, self.filter_axis, self.transforms.clone())
    }

    fn real_bias(&self, b: &mut Builder<'_>) -> Result<Option<Bias>, Fault> {
        let Some(tensor) = self.bias else { return Ok(None) };
        let name = b.slots[tensor].info.name.clone();
        let Held::Constant(constant) = b.slots[tensor].held.clone() else {
            return Err(not_costed!("its bias is not constant"));
        };
        self.check_bias(b, tensor)?;
        match super::constants::elements(&constant, &name)? {
            super::constants::Elements::Real(values) => match values.iter().find(|v| !v.is_finite()) {
                Some(bad) => Err(invalid!("a bias is {bad}; expected a finite number")),
                None => Ok(Some(Bias::Float(values))),
            },
            super::constants::Elements::Int(..) => Err(not_costed!("its bias {name:?} holds integers")),
        }
    }

    fn integer_bias(
        &self,
        b: &mut Builder<'_>,
        x: ActivationQuantization,
        weights: &WeightQuantization,
    ) -> Result<Option<Bias>, Fault> {
        let Some(tensor) = self.bias else { return Ok(None) };
        self.check_bias(b, tensor)?;
        let values = b.known_ints(tensor, self.spec.filters / self.taps())?;
        if b.data_type(self.x)? != DataType::I16
            && let Some(q) = values.iter().find(|&&q| i32::try_from(q).is_err())
        {
            return Err(not_costed!("a bias of {q} does not fit 32 bits"));
        }
        let scales = weights.scales.iter().map(|scale| scale * x.scale).collect();
        Ok(Some(Bias::Integer { values, scales }))
    }

    fn check_bias(&self, b: &mut Builder<'_>, tensor: usize) -> Result<(), Fault> {
        let (shape, channels) = (b.shape(tensor).to_vec(), self.spec.filters / self.taps());
        if shape.iter().product::<usize>() != channels {
            return Err(invalid!("a bias of shape {shape:?} for {channels} filters"));
        }
        b.spend(channels)
    }

    /// The rule by which the sums of the layer become integers.
    fn rule(
        &self,
        b: &mut Builder<'_>,
        x: ActivationQuantization,
        y: ActivationQuantization,
        weights: &WeightQuantization,
    ) -> Result<RequantizationRule, Fault> {
        b.spend(weights.scales.len())?;
        match b.kernels {
            TfliteKernels::Optimized if !self.own_kernel => float_rule(x, y, weights),
            TfliteKernels::Optimized | TfliteKernels::Reference => self.fixed_point_rule(x, y, weights),
        }
    }

    /// The multipliers of [`Draft::fixed_point_rule`], for sums of 64 bits.
    fn wide_rule(
        &self,
        b: &mut Builder<'_>,
        x: ActivationQuantization,
        y: ActivationQuantization,
        weights: &WeightQuantization,
    ) -> Result<RequantizationRule, Fault> {
        b.spend(weights.scales.len())?;
        let (multipliers, shifts) = self.multipliers(x, y, weights)?;
        if self.rounds_once {
            return Ok(RequantizationRule::FixedPointOnce { multipliers, shifts });
        }
        match shifts.iter().find(|&&shift| shift > 7) {
            Some(shift) => Err(not_costed!("its scales multiply sums by over 2^{}, and TFLite takes 2^7", shift - 1)),
            None => Ok(RequantizationRule::Wide { multipliers, shifts }),
        }
    }

    /// `s_x · s_w / s_y` as fixed-point multipliers. The product `s_x · s_w` is taken in 32-bit float where
    /// [`Draft::float_product`] says so, otherwise in 64-bit float.
    fn fixed_point_rule(
        &self,
        x: ActivationQuantization,
        y: ActivationQuantization,
        weights: &WeightQuantization,
    ) -> Result<RequantizationRule, Fault> {
        let (multipliers, shifts) = self.multipliers(x, y, weights)?;
        Ok(match self.rounds_once {
            true => RequantizationRule::FixedPointOnce { multipliers, shifts },
            false => RequantizationRule::FixedPoint { multipliers, shifts },
        })
    }

    fn multipliers(
        &self,
        x: ActivationQuantization,
        y: ActivationQuantization,
        weights: &WeightQuantization,
    ) -> Result<(Vec<i32>, Vec<i32>), Fault> {
        let (mut multipliers, mut shifts) = (Vec::new(), Vec::new());
        for &scale in &weights.scales {
            let product = match self.float_product {
                true => f64::from(x.scale * scale),
                false => f64::from(x.scale) * f64::from(scale),
            };
            let Multiplier { mantissa, shift } = Multiplier::new(product / f64::from(y.scale))?;
            multipliers.push(mantissa);
            shifts.push(shift);
        }
        Ok((multipliers, shifts))
    }
}

/// Constant weights: where they lie, and their scales one an output channel, which is `filter_axis` of what is stored.
pub(super) fn weights(
    b: &Builder<'_>,
    tensor: usize,
    filter_axis: usize,
    transforms: Vec<WeightTransform>,
) -> Result<WeightSource, Fault> {
    let slot = &b.slots[tensor];
    let constant = match &slot.held {
        Held::Constant(constant) => constant,
        Held::Value(_) => return Err(not_costed!("its weights depend on the input of the network")),
        Held::Nothing | Held::Computed if slot.info.sparsity.is_some() => {
            return Err(not_costed!("its sparse weights are too large"));
        }
        Held::Nothing | Held::Computed => match slot.info.data_type {
            Err(t) => return Err(not_costed!("its weights have elements of type {t}")),
            Ok(_) => return Err(not_costed!("its weights come from an operator that is not folded")),
        },
    };
    let parameters = constant.dequantized.as_ref().or(slot.info.quantization.as_ref());
    let data_type = constant.tensor.data_type;
    let quantization = match (data_type.is_real(), parameters) {
        (true, _) => None,
        (false, None) => return Err(not_costed!("its weights are integers without a scale")),
        (false, Some(q)) if q.scales.len() > 1 && q.axis != filter_axis => {
            return Err(not_costed!("the scales of its weights belong to axis {}, not to filters", q.axis));
        }
        (false, Some(q)) => Some(WeightQuantization {
            scales: q.scales.clone(),
            zero_points: q.zero_points.clone(),
            grid: b.grid,
            data_type,
            clip: None,
        }),
    };
    Ok(WeightSource { name: slot.info.name.clone(), tensor: constant.tensor.clone(), transforms, quantization })
}

fn float_rule(
    x: ActivationQuantization,
    y: ActivationQuantization,
    weights: &WeightQuantization,
) -> Result<RequantizationRule, Fault> {
    let multipliers: Vec<f32> = weights.scales.iter().map(|scale| x.scale * scale / y.scale).collect();
    match multipliers.iter().find(|multiplier| !multiplier.is_finite()) {
        Some(multiplier) => Err(invalid!("its scales give a multiplier of {multiplier}; expected a finite number")),
        None => Ok(RequantizationRule::Float { multipliers }),
    }
}

fn type_name(b: &Builder<'_>, tensor: usize) -> &'static str {
    b.slots[tensor].info.data_type.map_or_else(|name| name, DataType::name)
}
