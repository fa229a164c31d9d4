//! Nodes that are no MAC layers.

use network::{
    Binary, Coordinates, DataType, Interpolation, Node, Op, PadMode, Pool, PoolAxis, Reduction, Tensor, Unary,
};

use super::attributes::{count, counts, flag, float, int, text};
use super::{Writer, tensors};
use crate::onnx::parameters;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::reading::fault::{Fault, unsupported};

/// A node without its name and outputs.
pub(super) struct Draft {
    pub(super) op_type: &'static str,
    pub(super) inputs: Vec<String>,
    pub(super) attributes: Vec<AttributeProto>,
}

impl Draft {
    pub(super) fn new(op_type: &'static str, inputs: Vec<String>) -> Self {
        Self { op_type, inputs, attributes: Vec::new() }
    }
}

impl Writer<'_> {
    /// Adds a node under a name that no other has.
    pub(super) fn push(&mut self, name: &str, draft: Draft, output: Vec<String>) {
        let Draft { op_type, inputs, attributes } = draft;
        self.graph.node.push(NodeProto {
            input: inputs,
            output,
            name: self.nodes.claim(name),
            op_type: op_type.to_string(),
            attribute: attributes,
            ..NodeProto::default()
        });
    }

    /// Adds a node that is no MAC layer.
    pub(super) fn add_node(&mut self, node: &Node) -> Result<(), Fault> {
        if let Op::SoftmaxFrom { axis, logarithm } = node.op {
            return self.add_softmax_from(node, axis, logarithm);
        }
        if let Op::Integer(op) = &node.op {
            return self.add_integer(node, op);
        }
        if let Op::Quant(quant) = node.op {
            return self.add_quant(node, quant);
        }
        if let Op::MultiThreshold { axis, scale, bias } = node.op {
            return self.add_thresholds(node, axis, [scale, bias]);
        }
        let mut draft = self.draft(node)?;
        let mut inputs = Vec::with_capacity(node.inputs.len() + draft.inputs.len());
        for id in &node.inputs {
            inputs.push(id.map(|id| self.value(id)).transpose()?.unwrap_or_default());
        }
        if node.op == Op::Binary(Binary::PRelu) {
            inputs[1] = self.slope(node, &inputs[1])?;
        }
        inputs.append(&mut draft.inputs);
        while inputs.last().is_some_and(String::is_empty) {
            inputs.pop();
        }
        let outputs = node.outputs.iter().map(|&id| self.name(id)).collect();
        self.push(&node.name, Draft { inputs, ..draft }, outputs);
        Ok(())
    }

    /// A node without its activations: its name in the format, its attributes, and those parameters that are inputs there.
    pub(super) fn draft(&mut self, node: &Node) -> Result<Draft, Fault> {
        match plain(&node.op) {
            // Add of any other number of inputs is Sum.
            Some("Add") if node.inputs.len() != 2 => Ok(Draft::new("Sum", Vec::new())),
            Some(op_type) => Ok(Draft::new(op_type, Vec::new())),
            None => self.parametric(node),
        }
    }

    /// A softmax over all axes from one on: newer opsets have it over one axis alone, so these become one and are parted
    /// again.
    fn add_softmax_from(&mut self, node: &Node, axis: usize, logarithm: bool) -> Result<(), Fault> {
        let input = node.inputs[0].map(|id| self.value(id)).transpose()?.unwrap_or_default();
        let (output, name) = (self.name(node.outputs[0]), node.name.as_str());
        let [flat, soft] = ["flat", "soft"].map(|part| self.values.claim(&format!("{output}_{part}")));
        let flatten = Draft { attributes: vec![count("axis", axis)], ..Draft::new("Flatten", vec![input]) };
        self.push(&format!("{name}_flatten"), flatten, vec![flat.clone()]);
        let op_type = if logarithm { "LogSoftmax" } else { "Softmax" };
        let softmax = Draft { attributes: vec![count("axis", 1)], ..Draft::new(op_type, vec![flat]) };
        self.push(name, softmax, vec![soft.clone()]);
        let mut back = self.target(node, "Reshape", -1)?;
        back.inputs.insert(0, soft);
        self.push(&format!("{name}_unflatten"), back, vec![output]);
        Ok(())
    }

    /// Operators with parameters. The inputs of the draft are those parameters that the format has as inputs.
    fn parametric(&mut self, node: &Node) -> Result<Draft, Fault> {
        let draft = |op_type, attributes| Ok(Draft { op_type, inputs: Vec::new(), attributes });
        // What is left goes on to `with_constants`, which names every operator.
        #[allow(clippy::wildcard_enum_match_arm)]
        match &node.op {
            Op::BatchNormalization { epsilon } => draft("BatchNormalization", vec![float("epsilon", *epsilon)]),
            Op::Unary(function) => self.unary(node, function),
            Op::LayerNormalization { axis, epsilon } => {
                draft("LayerNormalization", vec![count("axis", *axis), float("epsilon", *epsilon)])
            }
            Op::InstanceNormalization { epsilon } => draft("InstanceNormalization", vec![float("epsilon", *epsilon)]),
            Op::Lrn { alpha, beta, bias, size } => {
                let numbers = [("alpha", alpha), ("beta", beta), ("bias", bias)];
                let numbers = numbers.map(|(name, value)| float(name, *value));
                draft("LRN", numbers.into_iter().chain([count("size", *size)]).collect())
            }
            Op::SpaceToDepth { block } => draft("SpaceToDepth", vec![count("blocksize", *block)]),
            Op::Softmax { axis } => draft("Softmax", vec![count("axis", *axis)]),
            Op::LogSoftmax { axis } => draft("LogSoftmax", vec![count("axis", *axis)]),
            Op::MaxPool(pool) => draft("MaxPool", self.pool(node, pool, true)),
            Op::AveragePool(pool) => draft("AveragePool", self.pool(node, pool, false)),
            Op::Concat { axis } => draft("Concat", vec![count("axis", *axis)]),
            Op::Transpose { perm } => draft("Transpose", vec![counts("perm", perm)]),
            Op::Gather { axis } => draft("Gather", vec![count("axis", *axis)]),
            Op::GatherElements { axis } => draft("GatherElements", vec![count("axis", *axis)]),
            Op::DepthToSpace { block, column_row_depth } => {
                let mode = if *column_row_depth { "CRD" } else { "DCR" };
                draft("DepthToSpace", vec![count("blocksize", *block), text("mode", mode)])
            }
            Op::Cast => {
                let to = self.network.graph().value(node.outputs[0]).data_type;
                let to = to.ok_or_else(|| unsupported!("a cast to a type that is not known"))?;
                draft("Cast", vec![int("to", i64::from(tensors::number(to)))])
            }
            Op::QuantizeLinear { axis } => draft("QuantizeLinear", self.quantization(node, *axis, true)?),
            Op::DequantizeLinear { axis } => draft("DequantizeLinear", self.quantization(node, *axis, false)?),
            _ => self.with_constants(node),
        }
    }

    /// Functions of one element. Parameters are attributes, but for the bounds of a Clip.
    fn unary(&mut self, node: &Node, function: &Unary) -> Result<Draft, Fault> {
        let mut inputs = Vec::new();
        if let Unary::Clip { min, max } = *function {
            inputs = vec![self.bound(node, "min", min)?, self.bound(node, "max", max)?];
        }
        Ok(Draft { op_type: function.name(), inputs, attributes: parameters::written(function) })
    }

    /// Operators whose parameters are constant inputs.
    fn with_constants(&mut self, node: &Node) -> Result<Draft, Fault> {
        let name = node.name.as_str();
        match &node.op {
            Op::Reduce { reduction, axes, keep_dims } => self.reduction(name, *reduction, axes, *keep_dims),
            Op::Split { axis } => {
                let parts = node.outputs.iter().map(|&id| self.shape(Some(id))[*axis] as i64).collect::<Vec<_>>();
                let inputs = vec![self.ints(name, "split", &parts)?];
                Ok(Draft { op_type: "Split", inputs, attributes: vec![count("axis", *axis)] })
            }
            Op::Pad { pads, mode, value } => self.pad(node, pads, *mode, *value),
            Op::Slice { starts, ends, axes, steps } => {
                let x = node.inputs[0];
                let batch = x.and_then(|id| self.axes[id.0]);
                // A slice of the whole batch, however large.
                let end = |(&axis, &end): (&usize, &i64)| if Some(axis) == batch { i64::MAX } else { end };
                let ends: Vec<i64> = axes.iter().zip(ends).map(end).collect();
                let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
                let lists = [("starts", starts), ("ends", &ends), ("axes", &axes), ("steps", steps)];
                let inputs = lists.iter().map(|(what, list)| self.ints(name, what, list)).collect::<Result<_, _>>()?;
                Ok(Draft::new("Slice", inputs))
            }
            Op::Tile => {
                let (x, y) = (self.shape(node.inputs[0]), self.shape(Some(node.outputs[0])));
                let repeats: Vec<i64> = x.iter().zip(y).map(|(x, y)| (y / x.max(&1)) as i64).collect();
                Ok(Draft::new("Tile", vec![self.ints(name, "repeats", &repeats)?]))
            }
            Op::Reshape => self.target(node, "Reshape", -1),
            // An extent of 1 leaves that of the input.
            Op::Expand => self.target(node, "Expand", 1),
            Op::Resize { interpolation, coordinates, scales } => {
                self.resize(node, *interpolation, *coordinates, scales.as_deref())
            }
            Op::Unsupported => Err(unsupported!("writing the operator {}", node.op_type)),
            Op::Mac(_)
            | Op::Recurrent(_)
            | Op::Integer(_)
            | Op::Quant(_)
            | Op::MultiThreshold { .. }
            | Op::SoftmaxFrom { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Where
            | Op::MatMul
            | Op::DynamicQuantizeLinear
            | Op::GlobalAveragePool
            | Op::GlobalMaxPool
            | Op::Identity
            | Op::BatchNormalization { .. }
            | Op::LayerNormalization { .. }
            | Op::InstanceNormalization { .. }
            | Op::Lrn { .. }
            | Op::SpaceToDepth { .. }
            | Op::DepthToSpace { .. }
            | Op::Softmax { .. }
            | Op::LogSoftmax { .. }
            | Op::MaxPool(_)
            | Op::AveragePool(_)
            | Op::Concat { .. }
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::GatherElements { .. }
            | Op::Cast
            | Op::QuantizeLinear { .. }
            | Op::DequantizeLinear { .. } => {
                unreachable!("`add_nodes`, `add_node`, `plain` and `parametric` have taken these")
            }
        }
    }

    pub(super) fn shape(&self, id: Option<network::ValueId>) -> &[usize] {
        id.and_then(|id| self.network.graph().value(id).shape.as_deref()).unwrap_or_default()
    }

    /// A list of integers as a constant.
    pub(super) fn ints(&mut self, node: &str, what: &str, list: &[i64]) -> Result<String, Fault> {
        self.add_tensor(&format!("{node}_{what}"), &Tensor::from_i64(vec![list.len()], list))
    }

    /// A number in the type of the node's first input as a constant.
    pub(super) fn scalar(&mut self, node: &Node, what: &str, value: f32) -> Result<String, Fault> {
        let id = node.inputs[0].ok_or_else(|| unsupported!("an operator without its first input"))?;
        let data_type = self.network.graph().value(id).data_type.unwrap_or(DataType::F32);
        let tensor = match data_type.is_real() {
            true => tensors::real(vec![], &[f64::from(value)], data_type),
            false if value.fract() != 0.0 => None,
            false => tensors::integer(vec![], &[value as i64], data_type),
        };
        let tensor = tensor.ok_or_else(|| unsupported!("{what} {value} among numbers of {}", data_type.name()))?;
        self.add_tensor(&format!("{}_{what}", node.name), &tensor)
    }

    fn bound(&mut self, node: &Node, what: &str, value: f32) -> Result<String, Fault> {
        if value.is_infinite() { Ok(String::new()) } else { self.scalar(node, what, value) }
    }

    /// Axes are an input since opset `since`, an attribute before.
    fn reduction(&mut self, name: &str, reduction: Reduction, axes: &[usize], keep_dims: bool) -> Result<Draft, Fault> {
        let op_type = reduction.name();
        // From this version on, axes are an input.
        let since = if reduction == Reduction::Sum { 13 } else { 18 };
        let keep = flag("keepdims", keep_dims);
        if self.opset < since {
            return Ok(Draft { op_type, inputs: Vec::new(), attributes: vec![counts("axes", axes), keep] });
        }
        let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
        Ok(Draft { op_type, inputs: vec![self.ints(name, "axes", &axes)?], attributes: vec![keep] })
    }

    fn pad(&mut self, node: &Node, pads: &[i64], mode: PadMode, value: f32) -> Result<Draft, Fault> {
        let mut inputs = vec![self.ints(&node.name, "pads", pads)?];
        if mode == PadMode::Constant && value != 0.0 {
            inputs.push(self.scalar(node, "value", value)?);
        }
        let mode = match mode {
            PadMode::Constant => "constant",
            PadMode::Reflect => "reflect",
            PadMode::Edge => "edge",
            PadMode::Wrap => "wrap",
        };
        Ok(Draft { op_type: "Pad", inputs, attributes: vec![text("mode", mode)] })
    }

    /// Reshape and Expand: the shape of the output, `open` where the batch is.
    fn target(&mut self, node: &Node, op_type: &'static str, open: i64) -> Result<Draft, Fault> {
        let out = node.outputs[0];
        let mut target: Vec<i64> = self.shape(Some(out)).iter().map(|&n| n as i64).collect();
        if let Some(axis) = self.axes[out.0] {
            target[axis] = open;
        }
        let zero = op_type == "Reshape" && target.contains(&0);
        let attributes = if zero { vec![flag("allowzero", true)] } else { Vec::new() };
        Ok(Draft { op_type, inputs: vec![self.ints(&node.name, "shape", &target)?], attributes })
    }

    /// Resize takes extents, or, where the batch is open, scales that give just those, or extents of the other axes.
    fn resize(
        &mut self,
        node: &Node,
        interpolation: Interpolation,
        coordinates: Coordinates,
        own: Option<&[f32]>,
    ) -> Result<Draft, Fault> {
        let (x, y) = (self.shape(node.inputs[0]).to_vec(), self.shape(Some(node.outputs[0])).to_vec());
        let batch = node.inputs[0].and_then(|id| self.axes[id.0]);
        let mut attributes =
            vec![text("coordinate_transformation_mode", coordinates.name()), text("mode", interpolation.name())];
        match interpolation {
            Interpolation::Nearest(nearest) => attributes.push(text("nearest_mode", nearest.name())),
            Interpolation::Linear => {}
            Interpolation::Cubic { coefficient, exclude_outside } => {
                attributes.push(float("cubic_coeff_a", coefficient));
                attributes.push(flag("exclude_outside", exclude_outside));
            }
        }
        let scales = own.map(<[f32]>::to_vec).or_else(|| batch.and_then(|_| exact_scales(&x, &y)));
        let inputs = match scales {
            Some(scales) => {
                let scales = Tensor::from_f32(vec![scales.len()], &scales);
                vec![String::new(), self.add_tensor(&format!("{}_scales", node.name), &scales)?]
            }
            None => {
                let axes: Vec<usize> = (0..x.len()).filter(|&axis| Some(axis) != batch).collect();
                let sizes: Vec<i64> = axes.iter().map(|&axis| y[axis] as i64).collect();
                if batch.is_some() {
                    attributes.push(counts("axes", &axes));
                }
                vec![String::new(), String::new(), self.ints(&node.name, "sizes", &sizes)?]
            }
        };
        Ok(Draft { op_type: "Resize", inputs, attributes })
    }

    pub(super) fn pool(&self, node: &Node, pool: &Pool, is_max: bool) -> Vec<AttributeProto> {
        let axes = pool.axes();
        let axes = &axes[5 - self.shape(node.inputs[0]).len()..];
        let all = |of: fn(&PoolAxis) -> usize| axes.iter().map(of).collect::<Vec<_>>();
        let mut attributes = vec![
            flag("ceil_mode", pool.ceil_mode),
            counts("kernel_shape", &all(|axis| axis.kernel)),
            counts("pads", &[all(|axis| axis.pads[0]), all(|axis| axis.pads[1])].concat()),
            counts("strides", &all(|axis| axis.stride)),
        ];
        if is_max || axes.iter().any(|axis| axis.dilation != 1) {
            attributes.push(counts("dilations", &all(|axis| axis.dilation)));
        }
        if !is_max {
            attributes.push(flag("count_include_pad", pool.count_include_pad));
        }
        attributes
    }

    fn quantization(&self, node: &Node, axis: usize, quantizes: bool) -> Result<Vec<AttributeProto>, Fault> {
        let graph = self.network.graph();
        let input = |i: usize| node.inputs.get(i).copied().flatten();
        let data_type = |id: Option<network::ValueId>| id.and_then(|id| graph.value(id).data_type);
        let out = data_type(node.outputs.first().copied());
        let mut attributes = Vec::new();
        if self.shape(input(1)).iter().product::<usize>() > 1 {
            attributes.push(count("axis", axis));
        }
        match out {
            Some(out) if quantizes && input(2).is_none() && out != DataType::U8 => {
                attributes.push(int("output_dtype", i64::from(tensors::number(out))));
            }
            Some(out) if !quantizes && data_type(input(1)).is_some_and(|scale| scale != out) => {
                return Err(unsupported!("a dequantization to another type than its scale has"));
            }
            _ => {}
        }
        Ok(attributes)
    }

    /// The slope of a PRelu. One number a channel, as older opsets allow it, gets its axes of 1.
    fn slope(&mut self, node: &Node, name: &str) -> Result<String, Fault> {
        let (x, slope) = (self.shape(node.inputs[0]).to_vec(), self.shape(node.inputs[1]).to_vec());
        let [channels] = slope[..] else { return Ok(name.to_string()) };
        if x.len() <= 2 || x[1] != channels || channels == 1 {
            return Ok(name.to_string());
        }
        let constant = node.inputs[1].and_then(|id| self.network.graph().value(id).constant.clone());
        let tensor = constant.ok_or_else(|| unsupported!("a slope by channel that is not constant"))?;
        let mut shape = vec![1; x.len() - 1];
        shape[0] = channels;
        self.add_tensor(&format!("{name}_by_channel"), &Tensor { shape, ..tensor })
    }
}

/// Operators that have the same name in the file and no parameters.
fn plain(op: &Op) -> Option<&'static str> {
    if let Op::Binary(function) = op {
        return Some(function.name());
    }
    let names = [
        (Op::Where, "Where"),
        (Op::MatMul, "MatMul"),
        (Op::DynamicQuantizeLinear, "DynamicQuantizeLinear"),
        (Op::GlobalAveragePool, "GlobalAveragePool"),
        (Op::GlobalMaxPool, "GlobalMaxPool"),
        (Op::Identity, "Identity"),
    ];
    names.iter().find(|(plain, _)| plain == op).map(|(_, name)| *name)
}

/// The scales of a resizing, if a runtime gets exactly the extents of `y` back from them.
pub(super) fn exact_scales(x: &[usize], y: &[usize]) -> Option<Vec<f32>> {
    let scale = |(&x, &y): (&usize, &usize)| {
        let scale = y as f32 / x as f32;
        (f64::from(scale) * x as f64 == y as f64).then_some(scale)
    };
    x.iter().zip(y).map(scale).collect()
}
