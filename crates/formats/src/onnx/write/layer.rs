//! MAC layers: Conv, ConvTranspose, Gemm and MatMul with their weights.

use esn::Grid;
use network::rearrange::transpose;
use network::{
    Bias, DataType, LayerId, LayerWeights, MacLayer, MacOp, NetworkError, Node, Operand, Tensor, ValueId,
    WeightQuantization, WeightValues, WindowAxis,
};

use super::attributes::{count, counts, flag, float};
use super::node::Draft;
use super::{Writer, tensors};
use crate::onnx::proto::AttributeProto;
use crate::reading::fault::{Fault, unsupported};

/// How the weights of a layer, `[filters, channels, kernel_h, kernel_w]`, lie in the tensor of its node.
struct Arrangement {
    shape: Vec<usize>,
    /// In how many parts, each of them `[filters, rows]`, the weights are turned to `[rows, filters]`; none where they are not.
    turned: Option<usize>,
    /// The axis of the output channels, or of those of a group.
    axis: usize,
}

impl Arrangement {
    fn apply<T: Copy>(&self, values: Vec<T>, layer: &MacLayer) -> Vec<T> {
        let Some(parts) = self.turned else { return values };
        let rows = layer.geometry.rows();
        transpose(&values, &[parts, layer.geometry.spec().filters / parts, rows], &[0, 2, 1])
    }
}

/// A layer with what it needs to be written.
struct Parts<'a> {
    layer: &'a MacLayer,
    /// The name of its weights; where an earlier layer has the same tensor, that of the earlier one's.
    weights: &'a str,
    /// Axes of the input and of the output.
    ranks: [usize; 2],
    /// The shape of the output.
    out: &'a [usize],
    /// Element type of the activations.
    real: DataType,
}

impl Parts<'_> {
    /// How the weights lie. In a MatMul whose output has fewer axes than its input they are a vector. Where the output
    /// has more axes, the weights have as many axes of extent 1 in front.
    fn arrangement(&self) -> Arrangement {
        let spec = self.layer.geometry.spec();
        let (filters, rows, [rank_in, rank_out]) = (spec.filters, self.layer.geometry.rows(), self.ranks);
        let is_vector = self.layer.op == MacOp::MatMul && rank_out < rank_in;
        let matrices = self.matrices();
        let front = self.stack(matrices);
        let product = |matrix: [usize; 2]| [front.as_slice(), &matrix].concat();
        let (shape, turned, axis) = match (self.layer.op, self.layer.operand) {
            (MacOp::Conv, _) => {
                let ends = [filters, self.layer.in_channels() / spec.groups];
                (ends.into_iter().chain(self.of_axes(|axis| axis.kernel)).collect(), None, 0)
            }
            (MacOp::ConvTranspose(_), _) => {
                let kernel = self.of_axes(|axis| axis.kernel);
                let ends = [spec.in_channels, self.layer.out_channels() / spec.groups];
                (ends.into_iter().chain(kernel).collect(), Some(spec.groups), 1)
            }
            (MacOp::Gemm, _) => (vec![filters, rows], None, 0),
            (MacOp::MatMul, _) if is_vector => (vec![rows], None, 0),
            (MacOp::MatMul, Operand::WeightsLeft) => (product([filters / matrices, rows]), None, front.len()),
            (MacOp::MatMul, _) => (product([rows, filters / matrices]), Some(matrices), front.len() + 1),
        };
        Arrangement { shape, turned, axis }
    }

    /// Matrices of a product's weights.
    fn matrices(&self) -> usize {
        match (self.layer.operand, self.out) {
            (Operand::Stack(matrices), _) => matrices,
            (Operand::WeightsLeft, [.., rows, _])
                if self.layer.op == MacOp::MatMul && self.ranks[1] >= self.ranks[0] =>
            {
                self.layer.out_channels() / rows
            }
            _ => 1,
        }
    }

    /// The axes of a product's weights in front of their matrices: those of the output that count the matrices, behind as
    /// many of 1 as make the axes that the input does not have.
    fn stack(&self, matrices: usize) -> Vec<usize> {
        let [rank_in, rank_out] = self.ranks;
        let before = &self.out[..rank_out.saturating_sub(2)];
        let counts = |first: &usize| before[*first..].iter().product::<usize>() == matrices;
        let first = (0..=before.len()).rev().find(counts).unwrap_or(before.len());
        let missing = rank_out.saturating_sub(rank_in).saturating_sub(before.len() - first);
        [vec![1; missing].as_slice(), &before[first..]].concat()
    }

    /// What the window has along each axis of space.
    fn of_axes(&self, of: impl Fn(&WindowAxis) -> usize) -> Vec<usize> {
        self.layer.window()[5 - self.ranks[0]..].iter().map(of).collect()
    }

    fn attributes(&self) -> Result<Vec<AttributeProto>, Fault> {
        let layer = self.layer;
        Ok(match &layer.op {
            MacOp::Conv => self.window_attributes(),
            MacOp::ConvTranspose(_) => {
                [self.window_attributes(), vec![counts("output_padding", &self.output_padding()?)]].concat()
            }
            MacOp::Gemm => vec![
                float("alpha", layer.alpha),
                flag("transA", layer.operand == Operand::Transposed),
                flag("transB", layer.operand != Operand::WeightsLeft),
            ],
            MacOp::MatMul => Vec::new(),
        })
    }

    fn window_attributes(&self) -> Vec<AttributeProto> {
        vec![
            counts("dilations", &self.of_axes(|axis| axis.dilation)),
            count("group", self.layer.geometry.spec().groups),
            counts("kernel_shape", &self.of_axes(|axis| axis.kernel)),
            counts("pads", &[self.of_axes(|axis| axis.pads[0]), self.of_axes(|axis| axis.pads[1])].concat()),
            counts("strides", &self.of_axes(|axis| axis.stride)),
        ]
    }

    fn output_padding(&self) -> Result<Vec<usize>, Fault> {
        let (window, first) = (self.layer.window(), 5 - self.ranks[0]);
        let axes = &window[first..];
        let padding = axes.iter().map(WindowAxis::output_padding).collect::<Option<Vec<_>>>();
        // Runtimes refuse more of it.
        let padding = padding
            .filter(|padding| padding.iter().zip(axes).all(|(&n, axis)| n == 0 || n < axis.stride.max(axis.dilation)));
        let sizes = || self.of_axes(|axis| axis.out);
        padding.ok_or_else(|| unsupported!("a transposed convolution to {:?} that no output padding makes", sizes()))
    }
}

impl Writer<'_> {
    /// Adds the node of a MAC layer, behind those that dequantize its weights and bias.
    pub(super) fn add_layer(&mut self, node: &Node, id: LayerId) -> Result<(), NetworkError> {
        let weights = self.network.weights(id)?;
        let layer = &self.network.layers()[id.0];
        let named = self.network.shares_weights_with(id).map_or(layer, |first| &self.network.layers()[first.0]);
        self.add_parts(node, layer, &named.weights.name, weights).map_err(|fault| self.at(node, fault))
    }

    fn add_parts(&mut self, node: &Node, layer: &MacLayer, name: &str, weights: LayerWeights) -> Result<(), Fault> {
        if layer.alpha != 1.0 && layer.op != MacOp::Gemm {
            return Err(unsupported!("a factor of {} in a {}", layer.alpha, layer.op.name()));
        }
        let graph = self.network.graph();
        let rank = |id: ValueId| graph.value(id).shape.as_ref().map_or(0, Vec::len);
        let real = graph.value(layer.input).data_type.unwrap_or(DataType::F32);
        let ranks = [rank(layer.input), rank(layer.output)];
        let out = graph.value(layer.output).shape.as_deref().unwrap_or_default();
        let parts = Parts { layer, weights: name, ranks, out, real };
        let weights = self.add_weights(&parts, weights)?;
        let bias = self.add_bias(&parts)?;
        let input = self.value(layer.input)?;
        let mut inputs = match layer.operand {
            Operand::WeightsLeft => vec![weights, input],
            Operand::ChannelsFirst | Operand::Planes(_) | Operand::ChannelsLast => vec![input, weights],
            Operand::Stack(_) | Operand::StepsFirst | Operand::Transposed => vec![input, weights],
        };
        let (output, op_type, attributes) = (self.name(layer.output), layer.op.name(), parts.attributes()?);
        match bias {
            // MatMul takes no bias.
            Some(bias) if layer.op == MacOp::MatMul => {
                let product = self.values.claim(&format!("{output}_product"));
                self.push(&node.name, Draft { op_type, inputs, attributes }, vec![product.clone()]);
                self.push(&format!("{}_bias", node.name), Draft::new("Add", vec![product, bias]), vec![output]);
            }
            bias => {
                inputs.extend(bias);
                self.push(&node.name, Draft { op_type, inputs, attributes }, vec![output]);
            }
        }
        Ok(())
    }

    /// The name of the layer's weights as its node reads them.
    fn add_weights(&mut self, parts: &Parts<'_>, weights: LayerWeights) -> Result<String, Fault> {
        let (layer, to) = (parts.layer, parts.arrangement());
        let name = parts.weights;
        let too_fine = || unsupported!("weights that {} does not hold exactly", parts.real.name());
        let reals = |values: Vec<f64>| tensors::real(to.shape.clone(), &to.apply(values, layer), parts.real);
        let tensor = match (weights, &layer.weights.quantization) {
            (LayerWeights::Quantized { codes, .. }, Some(quantization)) => {
                let integers = stored_integers(layer, quantization, codes.codes());
                let shape = to.shape.clone();
                let tensor = tensors::integer(shape, &to.apply(integers, layer), quantization.data_type);
                let tensor = tensor.ok_or_else(|| unsupported!("weights beyond {}", quantization.data_type.name()))?;
                let scales = Scales::of(quantization, codes.codes(), layer, to.axis)?;
                if scales.scales.len() > 1 && parts.matrices() > 1 {
                    return Err(unsupported!(
                        "steps by filter of a stack of matrices; one step for the layer is written"
                    ));
                }
                return self.dequantized(name, &tensor, &scales, parts.real);
            }
            (LayerWeights::Quantized { .. }, None) => {
                unreachable!("only a layer with a quantization has quantized weights")
            }
            (LayerWeights::Float(WeightValues::F32(values)), _) if parts.real == DataType::F32 => {
                Tensor::from_f32(to.shape.clone(), &to.apply(values, layer))
            }
            (LayerWeights::Float(WeightValues::F32(values)), _) => {
                reals(values.into_iter().map(f64::from).collect()).ok_or_else(too_fine)?
            }
            (LayerWeights::Float(WeightValues::F64(values)), _) => reals(values).ok_or_else(too_fine)?,
        };
        self.add_tensor(name, &tensor)
    }

    /// The name of the layer's bias as its node reads it.
    fn add_bias(&mut self, parts: &Parts<'_>) -> Result<Option<String>, Fault> {
        let layer = parts.layer;
        let Some(bias) = &layer.bias else { return Ok(None) };
        let channels = layer.out_channels();
        // What is added to the rows of a product with its weights on the left is a column.
        let is_column = layer.operand == Operand::WeightsLeft && parts.ranks[1] > 1;
        let shape = if is_column { vec![channels, 1] } else { vec![channels] };
        let name = bias_name(&layer.weights.name);
        if let Bias::Integer { values, scales } = bias
            && !is_misread(layer, scales)
            && let Some(tensor) = tensors::integer(shape.clone(), values, DataType::I32)
        {
            let scales = Scales { scales: scales.clone(), zero_points: None, axis: 0 };
            return self.dequantized(&name, &tensor, &scales, parts.real).map(Some);
        }
        let values: Vec<f64> = bias.to_float().into_iter().map(f64::from).collect();
        let tensor = tensors::real(shape, &values, parts.real);
        let tensor = tensor.ok_or_else(|| unsupported!("a bias that {} does not hold exactly", parts.real.name()))?;
        self.add_tensor(&name, &tensor).map(Some)
    }

    /// Adds integers and the DequantizeLinear on them, and returns the name of what it makes.
    pub(super) fn dequantized(
        &mut self,
        name: &str,
        integers: &Tensor,
        by: &Scales,
        real: DataType,
    ) -> Result<String, Fault> {
        let base = name.strip_suffix("_quantized").unwrap_or(name);
        let shape = if by.scales.len() == 1 { vec![] } else { vec![by.scales.len()] };
        let scales: Vec<f64> = by.scales.iter().map(|&s| f64::from(s)).collect();
        let scales = tensors::real(shape.clone(), &scales, real);
        let scales = scales.ok_or_else(|| unsupported!("scales that {} does not hold exactly", real.name()))?;
        let mut inputs = vec![self.add_tensor(name, integers)?, self.add_tensor(&format!("{base}_scale"), &scales)?];
        if let Some(zero_points) = &by.zero_points {
            let points = tensors::integer(shape, zero_points, integers.data_type);
            let points =
                points.ok_or_else(|| unsupported!("zero points that {} does not hold", integers.data_type.name()))?;
            inputs.push(self.add_tensor(&format!("{base}_zero_point"), &points)?);
        }
        let attributes = if by.scales.len() == 1 { Vec::new() } else { vec![count("axis", by.axis)] };
        let output = self.values.claim(&format!("{base}_DequantizeLinear_Output"));
        let draft = Draft { op_type: "DequantizeLinear", inputs, attributes };
        self.push(&format!("{base}_DequantizeLinear"), draft, vec![output.clone()]);
        Ok(output)
    }
}

/// Scales and zero points, equally many.
pub(super) struct Scales {
    pub(super) scales: Vec<f32>,
    /// `None` for a bias, which has none.
    pub(super) zero_points: Option<Vec<i64>>,
    pub(super) axis: usize,
}

impl Scales {
    /// One for all, or one an output channel along `axis`.
    pub(super) fn of(
        quantization: &WeightQuantization,
        codes: &[i32],
        layer: &MacLayer,
        axis: usize,
    ) -> Result<Self, Fault> {
        let by_filter = quantization.scales.len().max(quantization.zero_points.len()) > 1;
        let count = if by_filter { layer.out_channels() } else { 1 };
        let (mut scales, mut zero_points) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (i, part) in codes.chunks(codes.len() / count).enumerate() {
            let (scale, zero_point) = quantization.of(i * layer.filters_per_channel());
            scales.push(match scale > 0.0 && scale.is_finite() {
                true => scale,
                // Pruned weights have no step. Any scale leaves them 0, but the format wants one above 0.
                false if part.iter().all(|&code| code == 0) => 1.0,
                false => return Err(unsupported!("a scale of {scale} on weights that are not 0")),
            });
            zero_points.push(i64::from(zero_point));
        }
        // 32-bit integers have no zero point but 0, and runtimes refuse even that.
        let unsaid = quantization.data_type == DataType::I32 && zero_points.iter().all(|&q| q == 0);
        let all = Self { scales, zero_points: (!unsaid).then_some(zero_points), axis };
        if layer.scatter().is_some() && by_filter { all.in_groups(layer) } else { Ok(all) }
    }

    /// Those of a transposed convolution in groups, whose weights are `[channels, out_channels / groups, …]`: one axis has
    /// them where all groups have the same, or where each group has one input channel and the same for all that it makes.
    fn in_groups(mut self, layer: &MacLayer) -> Result<Self, Fault> {
        let (groups, inputs) = (layer.geometry.spec().groups, layer.geometry.rows());
        let each = self.scales.len() / groups;
        let of = |i: usize| (self.scales[i], self.zero_points.as_ref().map(|points| points[i]));
        let kept: Vec<usize> = if (0..self.scales.len()).all(|i| of(i) == of(i % each)) {
            (0..each).collect()
        } else if inputs == 1 && (0..self.scales.len()).all(|i| of(i) == of(i - i % each)) {
            self.axis = 0;
            (0..groups).map(|group| group * each).collect()
        } else {
            return Err(unsupported!(
                "scales of {} output channels in {groups} groups, which no axis has; one step a layer has, and a file of weights \
                 holds them (.safetensors)",
                self.scales.len()
            ));
        };
        self.scales = kept.iter().map(|&i| self.scales[i]).collect();
        self.zero_points = self.zero_points.map(|points| kept.iter().map(|&i| points[i]).collect());
        Ok(self)
    }
}

/// The integers that codes were read from.
pub(super) fn stored_integers(layer: &MacLayer, quantization: &WeightQuantization, codes: &[i32]) -> Vec<i64> {
    let (rows, half_steps) = (layer.geometry.rows(), if quantization.grid == Grid::MidRise { 1 } else { 2 });
    let stored = |(i, code): (usize, &i32)| i64::from(code / half_steps) + i64::from(quantization.of(i / rows).1);
    codes.iter().enumerate().map(stored).collect()
}

/// Runtimes that find quantized activations around a layer take an integer bias as counted in steps of activation scale
/// × weight scale, whatever its own scale says. One that is not is written as real numbers.
fn is_misread(layer: &MacLayer, scales: &[f32]) -> bool {
    let (Some(input), Some(weights)) = (&layer.input_quantization, &layer.weights.quantization) else { return false };
    let off = |m: usize| {
        let implied = f64::from(input.scale) * f64::from(weights.of(m * layer.filters_per_channel()).0);
        let scale = f64::from(if scales.len() == 1 { scales[0] } else { scales[m] });
        (scale - implied).abs() > 1e-5 * implied
    };
    (0..layer.out_channels()).any(off)
}

/// A bias has no name of its own.
fn bias_name(weights: &str) -> String {
    let base = weights.strip_suffix("_quantized").unwrap_or(weights);
    match base.strip_suffix("weight") {
        Some(stem) => format!("{stem}bias"),
        None => format!("{base}_bias"),
    }
}
