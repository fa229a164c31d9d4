//! Operators that others make up, taken apart: normalizations of newer opsets, pooling by norms, and others that are rare
//! in networks of images. The parts are run, folded, written and pruned as any node is.

use super::proto::{AttributeProto, GraphProto, NodeProto};
use super::steps::{Steps, replaced};
use super::versions::is_own;
use super::write::attributes::{float, int};
use super::{blocks, einsum, qonnx_parts, quantized_lstm};
use crate::reading::fault::{Fault, clean, invalid};

/// The most groups of channels.
const MAX_GROUPS: usize = 1 << 16;

/// Replaces such operators by their parts, in branches too.
pub(super) fn take_apart(graph: &mut GraphProto, opset: i64) -> Result<(), Fault> {
    let constants = einsum::constants(graph);
    let stored = blocks::Stored::of(graph);
    replaced(graph, &|node| {
        if node.domain == "com.microsoft" && node.op_type == "DynamicQuantizeLSTM" {
            return Ok(quantized_lstm::parts(node, opset, &stored));
        }
        if node.output.len() != 1 {
            return Ok(None);
        }
        if !is_own(&node.domain) {
            let is_packed = node.domain == "com.microsoft" && node.op_type == "MatMulNBits";
            return if is_packed { blocks::matmul(node, opset, &stored) } else { qonnx_parts::parts(node, opset) };
        }
        let found = Found { node, opset };
        match node.op_type.as_str() {
            "DequantizeLinear" => return Ok(blocks::dequantize(node, opset, &stored)),
            "Einsum" => return einsum::parts(node, opset, &constants),
            "GroupNormalization" if opset < 21 => found.group_normalization_of_groups(),
            "GroupNormalization" => found.group_normalization(),
            "RMSNormalization" => found.rms_normalization(),
            "LpNormalization" => found.lp_normalization(),
            "LpPool" => return found.lp_pool(),
            "GlobalLpPool" => found.global_lp_pool(),
            "Hardmax" => found.hardmax(),
            "Mean" => found.mean(),
            "Swish" => found.swish(),
            "MeanVarianceNormalization" => found.mean_variance_normalization(),
            _ => return Ok(None),
        }
        .map(Some)
        .map_err(|fault| found.named(fault))
    })
}

/// A node that is taken apart.
struct Found<'a> {
    node: &'a NodeProto,
    opset: i64,
}

impl<'a> Found<'a> {
    fn named(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Invalid(problem) => Fault::Invalid(format!("node {:?}: {problem}", clean(&self.node.name))),
            other @ (Fault::Unsupported(_)
            | Fault::OpenShape(_)
            | Fault::TornBatch(_)
            | Fault::NotRun(_)
            | Fault::NotCosted(_)
            | Fault::UnknownShape) => other,
        }
    }

    /// The inputs, none of them left out.
    fn inputs<const N: usize>(&self) -> Result<[&'a str; N], Fault> {
        let names: Vec<&str> = self.node.input.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let count = self.node.input.len();
        <[&str; N]>::try_from(names).map_err(|_| invalid!("{count} inputs; expected {N}"))
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f)
    }

    /// Refuses attributes that the operator does not have.
    fn only(&self, names: &[&str]) -> Result<(), Fault> {
        match self.node.attribute.iter().find(|attribute| !names.contains(&attribute.name.as_str())) {
            Some(attribute) => Err(invalid!("unexpected attribute {:?}", clean(&attribute.name))),
            None => Ok(()),
        }
    }

    fn steps(&self) -> Steps<'a> {
        Steps::new(self.node, self.opset)
    }

    fn groups(&self) -> Result<i64, Fault> {
        self.only(&["epsilon", "num_groups", "stash_type"])?;
        match self.int("num_groups", 0) {
            groups if groups > 0 => Ok(groups),
            groups => Err(invalid!("num_groups is {groups}; expected at least 1")),
        }
    }

    /// The groups of channels, each of mean 0 and variance 1, as `[N, C, positions]`.
    fn standardized_groups(&self, steps: &mut Steps<'_>, x: &str, groups: i64) -> String {
        let by_group = steps.ints(&[0, groups, -1]);
        let grouped = steps.reshape(x, &by_group);
        let count = usize::try_from(groups).unwrap_or(0).min(MAX_GROUPS);
        let (scale, bias) = (steps.floats_like(&vec![1.0; count], x), steps.floats_like(&vec![0.0; count], x));
        let epsilon = float("epsilon", self.float("epsilon", 1e-5));
        let even = steps.op("InstanceNormalization", &[&grouped, &scale, &bias], vec![epsilon]);
        let channels = steps.op("Shape", &[x], vec![int("start", 0), int("end", 2)]);
        let rest = steps.ints(&[-1]);
        let by_channel = steps.op("Concat", &[&channels, &rest], vec![int("axis", 0)]);
        steps.reshape(&even, &by_channel)
    }

    /// MeanVarianceNormalization: `(x − mean) / (√(mean(x²) − mean²) + 1e-9)`.
    fn mean_variance_normalization(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["axes"])?;
        let [x] = self.inputs()?;
        let axes = self.attribute("axes").map_or(vec![0, 2, 3], |attribute| attribute.ints.clone());
        let mut steps = self.steps();
        let mean = steps.reduce("ReduceMean", x, &axes);
        let (square, square_of_mean) = (steps.pair("Mul", x, x), steps.pair("Mul", &mean, &mean));
        let mean_of_squares = steps.reduce("ReduceMean", &square, &axes);
        let variance = steps.pair("Sub", &mean_of_squares, &square_of_mean);
        let deviation = steps.op("Sqrt", &[&variance], vec![]);
        let least = steps.float_like(1e-9, x);
        let divisor = steps.pair("Add", &deviation, &least);
        let centred = steps.pair("Sub", x, &mean);
        let attributes = steps.broadcasting();
        Ok(steps.end("Div", &[&centred, &divisor], attributes))
    }

    /// GroupNormalization with a scale and a bias for each channel.
    fn group_normalization(&self) -> Result<Vec<NodeProto>, Fault> {
        let ([x, scale, bias], groups) = (self.inputs()?, self.groups()?);
        let mut steps = self.steps();
        let even = self.standardized_groups(&mut steps, x, groups);
        // Channels that do not divide into groups end here.
        let (by_group, by_channel) = (steps.ints(&[groups, -1]), steps.ints(&[-1, 1]));
        let scale = steps.reshape(scale, &by_group);
        let scale = steps.reshape(&scale, &by_channel);
        let bias = steps.reshape(bias, &by_channel);
        Ok(self.scaled(steps, x, [&even, &scale, &bias]))
    }

    /// GroupNormalization with a scale and a bias for each group, as before opset 21.
    fn group_normalization_of_groups(&self) -> Result<Vec<NodeProto>, Fault> {
        let ([x, scale, bias], groups) = (self.inputs()?, self.groups()?);
        let mut steps = self.steps();
        let even = self.standardized_groups(&mut steps, x, groups);
        let channels = steps.op("Shape", &[x], vec![int("start", 1), int("end", 2)]);
        let (count, rows, by_channel) = (steps.ints(&[groups]), steps.ints(&[groups, 1]), steps.ints(&[-1, 1]));
        let each = steps.op("Div", &[&channels, &count], vec![]);
        let spread = steps.op("Concat", &[&count, &each], vec![int("axis", 0)]);
        let [scale, bias] = [scale, bias].map(|parameter| {
            let column = steps.reshape(parameter, &rows);
            let table = steps.op("Expand", &[&column, &spread], vec![]);
            steps.reshape(&table, &by_channel)
        });
        Ok(self.scaled(steps, x, [&even, &scale, &bias]))
    }

    /// `even · scale + bias` in the shape of `x`.
    fn scaled(&self, mut steps: Steps<'_>, x: &str, [even, scale, bias]: [&str; 3]) -> Vec<NodeProto> {
        let scaled = steps.op("Mul", &[even, scale], vec![]);
        let moved = steps.op("Add", &[&scaled, bias], vec![]);
        let shape = steps.op("Shape", &[x], vec![]);
        steps.end("Reshape", &[&moved, &shape], vec![])
    }

    /// RMSNormalization: `x / √(mean x² + epsilon) · scale` over all axes from one on.
    fn rms_normalization(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["axis", "epsilon", "stash_type"])?;
        let ([x, scale], axis) = (self.inputs()?, self.int("axis", -1));
        let mut steps = self.steps();
        let squares = steps.op("Mul", &[x, x], vec![]);
        let end = if axis < 0 { steps.ints(&[0]) } else { steps.rank(x) };
        let (first, one) = (steps.ints(&[axis]), steps.ints(&[1]));
        let axes = steps.op("Range", &[&first, &end, &one], vec![]);
        let mean = steps.op("ReduceMean", &[&squares, &axes], vec![int("keepdims", 1)]);
        let epsilon = steps.float_like(self.float("epsilon", 1e-5), x);
        let above = steps.op("Add", &[&mean, &epsilon], vec![]);
        let root = steps.op("Sqrt", &[&above], vec![]);
        let even = steps.op("Div", &[x, &root], vec![]);
        Ok(steps.end("Mul", &[&even, scale], vec![]))
    }

    /// The order of a norm: a whole number above 0.
    fn order(&self) -> Result<i64, Fault> {
        let found = self.attribute("p");
        // LpPool and GlobalLpPool of opset 1 have a real number.
        let order = found.map_or(2.0, |p| if self.opset < 2 && p.i == 0 { f64::from(p.f) } else { p.i as f64 });
        match order.fract() == 0.0 && (1.0..=64.0).contains(&order) {
            true => Ok(order as i64),
            false => Err(invalid!("a norm of order {order}; expected a whole number from 1 to 64")),
        }
    }

    /// `|x|^order`.
    fn powers(&self, steps: &mut Steps<'_>, x: &str, order: i64) -> String {
        let size = steps.op("Abs", &[x], vec![]);
        match order {
            1 => size,
            2 => steps.op("Mul", &[x, x], vec![]),
            _ => {
                let exponent = steps.float_like(order as f32, x);
                steps.pair("Pow", &size, &exponent)
            }
        }
    }

    /// The root of this order of a sum of powers.
    fn root(&self, steps: &mut Steps<'_>, sum: &str, order: i64) -> String {
        match order {
            1 => steps.op("Identity", &[sum], vec![]),
            2 => steps.op("Sqrt", &[sum], vec![]),
            _ => {
                let exponent = steps.float_like(1.0 / order as f32, sum);
                steps.pair("Pow", sum, &exponent)
            }
        }
    }

    /// LpNormalization: `x / ‖x‖` along an axis; 0 where the norm is 0.
    fn lp_normalization(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["axis", "p"])?;
        let ([x], order) = (self.inputs()?, self.order()?);
        let mut steps = self.steps();
        let powers = self.powers(&mut steps, x, order);
        let sum = steps.reduce("ReduceSum", &powers, &[self.int("axis", -1)]);
        let norm = self.root(&mut steps, &sum, order);
        let (zero, one) = (steps.float_like(0.0, x), steps.float_like(1.0, x));
        let nothing = steps.pair("Equal", &norm, &zero);
        let divisor = steps.op("Where", &[&nothing, &one, &norm], vec![]);
        let attributes = steps.broadcasting();
        Ok(steps.end("Div", &[x, &divisor], attributes))
    }

    /// LpPool: the norm of each window, padding being 0. One whose windows may end behind the padding is left as it is.
    fn lp_pool(&self) -> Result<Option<Vec<NodeProto>>, Fault> {
        if self.int("ceil_mode", 0) != 0 {
            return Ok(None);
        }
        let own = ["auto_pad", "dilations", "kernel_shape", "pads", "strides"];
        let all = [&own[..], &["p", "ceil_mode"]].concat();
        let ([x], order) = (self.inputs()?, self.order()?);
        self.only(&all)?;
        let kernel = self.attribute("kernel_shape").map_or(&[][..], |attribute| attribute.ints.as_slice());
        let elements: f32 = kernel.iter().map(|&extent| extent as f32).product();
        let mut steps = self.steps();
        let powers = self.powers(&mut steps, x, order);
        let windows = self.node.attribute.iter().filter(|attribute| own.contains(&attribute.name.as_str()));
        let attributes = windows.cloned().chain([int("count_include_pad", 1)]).collect();
        let mean = steps.op("AveragePool", &[&powers], attributes);
        let count = steps.float_like(elements, x);
        let sum = steps.pair("Mul", &mean, &count);
        let root = self.root(&mut steps, &sum, order);
        Ok(Some(steps.end("Identity", &[&root], vec![])))
    }

    /// GlobalLpPool: the norm of each channel of each image.
    fn global_lp_pool(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["p"])?;
        let ([x], order) = (self.inputs()?, self.order()?);
        let mut steps = self.steps();
        let powers = self.powers(&mut steps, x, order);
        // The mean of a channel times its elements is their sum.
        let mean = steps.op("GlobalAveragePool", &[&powers], vec![]);
        let elements = steps.op("Size", &[x], vec![]);
        let channels = steps.op("Size", &[&mean], vec![]);
        let count = steps.op("Div", &[&elements, &channels], vec![]);
        let count = steps.op("CastLike", &[&count, x], vec![]);
        let sum = steps.pair("Mul", &mean, &count);
        let root = self.root(&mut steps, &sum, order);
        Ok(steps.end("Identity", &[&root], vec![]))
    }

    /// Hardmax: 1 at the first of the largest elements along an axis, else 0. Before opset 13 all axes from its own on are
    /// one.
    fn hardmax(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["axis"])?;
        let [input] = self.inputs()?;
        let mut steps = self.steps();
        let older = self.opset < 13;
        let (x, axis) = match older {
            true => (steps.op("Flatten", &[input], vec![int("axis", self.int("axis", 1))]), 1),
            false => (input.to_string(), self.int("axis", -1)),
        };
        let largest = steps.reduce("ReduceMax", &x, &[axis]);
        let is_largest = steps.pair("Equal", &x, &largest);
        let is_largest = steps.op("CastLike", &[&is_largest, &x], vec![]);
        // Elements count down along the axis, so that of several largest ones the first counts most.
        let shape = steps.op("Shape", &[&x], vec![]);
        let (at, zero, down) = (steps.ints(&[axis]), steps.ints(&[0]), steps.ints(&[-1]));
        let extent = steps.op("Gather", &[&shape, &at], vec![int("axis", 0)]);
        let places = steps.op("Range", &[&extent, &zero, &down], vec![]);
        let places = steps.op("CastLike", &[&places, &x], vec![]);
        let places = match axis {
            axis if axis < 0 => {
                let column: Vec<i64> = std::iter::once(-1).chain((axis + 1..0).map(|_| 1)).collect();
                let column = steps.ints(&column);
                steps.reshape(&places, &column)
            }
            _ => {
                let behind = steps.op("Shape", &[&x], vec![int("start", axis + 1)]);
                let count = steps.op("Shape", &[&behind], vec![]);
                let ones = steps.ones(&count);
                let column = steps.op("Concat", &[&down, &ones], vec![int("axis", 0)]);
                steps.reshape(&places, &column)
            }
        };
        let ranked = steps.pair("Mul", &is_largest, &places);
        let first = steps.reduce("ReduceMax", &ranked, &[axis]);
        let is_first = steps.pair("Equal", &ranked, &first);
        if !older {
            return Ok(steps.end("CastLike", &[&is_first, &x], vec![]));
        }
        let result = steps.op("CastLike", &[&is_first, &x], vec![]);
        let shape = steps.op("Shape", &[input], vec![]);
        Ok(steps.end("Reshape", &[&result, &shape], vec![]))
    }

    /// Mean of any number of inputs.
    fn mean(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["consumed_inputs"])?;
        let inputs: Vec<&str> = self.node.input.iter().map(String::as_str).collect();
        let first = *inputs.first().ok_or_else(|| invalid!("0 inputs; expected at least 1"))?;
        let mut steps = self.steps();
        let sum = steps.op("Sum", &inputs, vec![]);
        let count = steps.float_like(inputs.len() as f32, first);
        let attributes = steps.broadcasting();
        Ok(steps.end("Div", &[&sum, &count], attributes))
    }

    /// Swish: `x · sigmoid(alpha · x)`.
    fn swish(&self) -> Result<Vec<NodeProto>, Fault> {
        self.only(&["alpha"])?;
        let [x] = self.inputs()?;
        let mut steps = self.steps();
        let alpha = steps.float_like(self.float("alpha", 1.0), x);
        let slope = steps.pair("Mul", x, &alpha);
        let gate = steps.op("Sigmoid", &[&slope], vec![]);
        Ok(steps.end("Mul", &[x, &gate], vec![]))
    }
}
