//! Operators that other runtimes have in domains of their own, written in those of the standard: dequantized, computed on
//! real numbers, quantized again. What is lost is their rounding, of which [`note`] tells.

use network::{
    ActivationQuantization, DataType, IntegerFunction, IntegerOp, Network, Node, Note, NoteKind, Op, Quant, Rounding,
    Tensor, ValueId,
};

use super::attributes::int;
use super::node::Draft;
use super::{Writer, tensors};
use crate::reading::fault::{Fault, unsupported};

/// What a user should know of a network with such operators.
pub(super) fn note(network: &Network) -> Option<Note> {
    let rounds = |node: &Node| matches!(node.op, Op::Integer(_) | Op::Quant(_));
    let found = network.layers().iter().any(|layer| layer.requantization.is_some());
    let found = found || network.graph().nodes().iter().any(rounds);
    found.then(|| {
        let text = "operators on integers are written as DequantizeLinear, real arithmetic and QuantizeLinear: their own \
                    rounding is lost, and each may differ by one step";
        Note::new(NoteKind::Rounding, text)
    })
}

impl Writer<'_> {
    /// Adds an operator on integers as one on real numbers between DequantizeLinear and QuantizeLinear. A table is one in ONNX
    /// too.
    pub(super) fn add_integer(&mut self, node: &Node, op: &IntegerOp) -> Result<(), Fault> {
        if let IntegerFunction::Lookup { first, table, .. } = &op.function {
            return self.add_lookup(node, *first, table);
        }
        let Some(real) = op.function.on_reals() else {
            let x = self.value(first_input(node)?)?;
            return self.add_quantized(node, x, op.output);
        };
        let mut inputs = op.inputs.clone();
        if let IntegerFunction::Softmax { beta, .. } = op.function {
            // Dequantizing by β times the scale is the factor of a softmax.
            inputs.iter_mut().for_each(|q| q.scale *= beta);
            if let Some(q) = inputs.iter().find(|q| !q.scale.is_finite() || q.scale <= 0.0) {
                return Err(unsupported!("a softmax with beta {beta} on integers, whose scale would be {}", q.scale));
            }
        }
        self.add_between(&Node { op: real, ..node.clone() }, &inputs, op.output)
    }

    /// Adds a node on real numbers between DequantizeLinear of its inputs and QuantizeLinear.
    fn add_between(
        &mut self,
        node: &Node,
        inputs: &[ActivationQuantization],
        output: ActivationQuantization,
    ) -> Result<(), Fault> {
        let mut reals = Vec::with_capacity(inputs.len());
        for (i, (id, quantization)) in node.inputs.iter().zip(inputs).enumerate() {
            let id = id.ok_or_else(|| unsupported!("an operator without input {i}"))?;
            let (codes, data_type) = (self.value(id)?, self.data_type(id)?);
            let name = format!("{}_input_{i}", node.name);
            let inputs = self.linear_inputs_of(&name, codes, *quantization, data_type)?;
            let real = self.values.claim(&format!("{name}_DequantizeLinear_Output"));
            self.push(&format!("{name}_DequantizeLinear"), Draft::new("DequantizeLinear", inputs), vec![real.clone()]);
            reals.push(real);
        }
        let draft = self.draft(node)?;
        let real = self.values.claim(&format!("{}_real", self.name(node.outputs[0])));
        let inputs = [reals, draft.inputs].concat();
        self.push(&node.name, Draft { inputs, ..draft }, vec![real.clone()]);
        self.add_quantized(node, real, output)
    }

    /// Quantizes `x` to the output of a node, whose activation function may leave a part of the integers.
    fn add_quantized(&mut self, node: &Node, mut x: String, by: ActivationQuantization) -> Result<(), Fault> {
        let data_type = self.data_type(node.outputs[0])?;
        let (low, high) = data_type.range().ok_or_else(|| unsupported!("integers of {}", data_type.name()))?;
        let name = format!("{}_output", node.name);
        if i64::from(by.min) > low || i64::from(by.max) < high {
            let real = |q: i32| (f64::from(q) - f64::from(by.zero_point)) * f64::from(by.scale);
            let mut inputs = vec![x];
            for (what, bound) in [("min", real(by.min)), ("max", real(by.max))] {
                let tensor = Tensor::from_f32(vec![], &[bound as f32]);
                inputs.push(self.add_tensor(&format!("{name}_{what}"), &tensor)?);
            }
            x = self.values.claim(&format!("{name}_clipped"));
            self.push(&format!("{name}_Clip"), Draft::new("Clip", inputs), vec![x.clone()]);
        }
        let inputs = self.linear_inputs_of(&name, x, by, data_type)?;
        let output = self.name(node.outputs[0]);
        self.push(&format!("{}_QuantizeLinear", node.name), Draft::new("QuantizeLinear", inputs), vec![output]);
        Ok(())
    }

    /// Adds a table of one 8-bit integer to another: an index into a constant, from its end where it is negative.
    fn add_lookup(&mut self, node: &Node, first: i32, table: &[i32]) -> Result<(), Fault> {
        let (name, output) = (node.name.as_str(), node.outputs[0]);
        let mut entries: Vec<i64> = table.iter().map(|&entry| i64::from(entry)).collect();
        let negative = usize::try_from(-first).ok().filter(|&negative| negative < entries.len());
        entries.rotate_left(negative.ok_or_else(|| unsupported!("a table from {first} on"))?);
        let data_type = self.data_type(output)?;
        let entries = tensors::integer(vec![table.len()], &entries, data_type);
        let entries = entries.ok_or_else(|| unsupported!("a table beyond {}", data_type.name()))?;
        let entries = self.add_tensor(&format!("{name}_table"), &entries)?;
        let x = self.value(first_input(node)?)?;
        let index = self.values.claim(&format!("{name}_index"));
        let attributes = vec![int("to", i64::from(tensors::number(DataType::I32)))];
        let cast = Draft { attributes, ..Draft::new("Cast", vec![x]) };
        self.push(&format!("{name}_Cast"), cast, vec![index.clone()]);
        let output = self.name(output);
        self.push(name, Draft::new("Gather", vec![entries, index]), vec![output]);
        Ok(())
    }

    /// Adds a MultiThreshold as what it counts: comparisons with all thresholds on a last axis, and their sum.
    pub(super) fn add_thresholds(&mut self, node: &Node, axis: usize, [scale, bias]: [f32; 2]) -> Result<(), Fault> {
        let (name, x) = (node.name.as_str(), first_input(node)?);
        let rank = self.shape(Some(x)).len();
        let constant = node.inputs.get(1).copied().flatten();
        let constant = constant.and_then(|id| self.network.graph().value(id).constant.clone());
        let thresholds = constant.ok_or_else(|| unsupported!("thresholds that are not constant"))?;
        let (&[rows, count], Some(behind)) = (thresholds.shape.as_slice(), rank.checked_sub(axis + 1)) else {
            return Err(unsupported!("thresholds of shape {:?}", thresholds.shape));
        };
        let shape = [vec![rows], vec![1; behind], vec![count]].concat();
        let thresholds = self.add_tensor(&format!("{name}_thresholds"), &Tensor { shape, ..thresholds })?;
        let last = self.ints(name, "axis", &[rank as i64])?;
        let (factor, offset) = (self.scalar(node, "scale", scale)?, self.scalar(node, "bias", bias)?);
        let data_type = tensors::number(self.data_type(x)?);
        let steps = [
            ("Unsqueeze", vec![last.clone()], vec![]),
            ("GreaterOrEqual", vec![thresholds], vec![]),
            ("Cast", vec![], vec![int("to", i64::from(data_type))]),
            ("ReduceSum", vec![last], vec![int("keepdims", 0)]),
            ("Mul", vec![factor], vec![]),
        ];
        let mut current = self.value(x)?;
        for (op_type, more, attributes) in steps {
            let next = self.values.claim(&format!("{name}_{op_type}_Output"));
            let inputs = [vec![current], more].concat();
            let draft = Draft { attributes, ..Draft::new(op_type, inputs) };
            self.push(&format!("{name}_{op_type}"), draft, vec![next.clone()]);
            current = next;
        }
        let output = self.name(node.outputs[0]);
        self.push(name, Draft::new("Add", vec![current, offset]), vec![output]);
        Ok(())
    }

    fn data_type(&self, id: ValueId) -> Result<DataType, Fault> {
        self.network.graph().value(id).data_type.ok_or_else(|| unsupported!("a value whose type is not known"))
    }

    /// Adds a rounding to few levels as Clip, QuantizeLinear and DequantizeLinear.
    pub(super) fn add_quant(&mut self, node: &Node, quant: Quant) -> Result<(), Fault> {
        let quantization = self.quantization_of(node, quant)?;
        let x = node.inputs[0].ok_or_else(|| unsupported!("an operator without its first input"))?;
        let (x, output, name) = (self.value(x)?, self.name(node.outputs[0]), node.name.as_str());
        let ActivationQuantization { scale, zero_point, min, max } = quantization;
        let bound = |q: i32| (q - zero_point) as f32 * scale;
        let (low, high) = (self.scalar(node, "min", bound(min))?, self.scalar(node, "max", bound(max))?);
        let [clipped, integers] = ["clipped", "quantized"].map(|what| self.values.claim(&format!("{output}_{what}")));
        self.push(&format!("{name}_Clip"), Draft::new("Clip", vec![x, low, high]), vec![clipped.clone()]);
        let inputs = self.linear_inputs(name, clipped, quantization)?;
        let parameters = inputs[1..].to_vec();
        self.push(&format!("{name}_QuantizeLinear"), Draft::new("QuantizeLinear", inputs), vec![integers.clone()]);
        let inputs = [vec![integers], parameters].concat();
        self.push(name, Draft::new("DequantizeLinear", inputs), vec![output]);
        Ok(())
    }

    /// The one scale and zero point of a [`Quant`] that the standard can say.
    fn quantization_of(&self, node: &Node, quant: Quant) -> Result<ActivationQuantization, Fault> {
        let Quant::Integer { min, max, rounding: Rounding::HalfEven } = quant else {
            return Err(unsupported!("writing {} with levels or a rounding that QuantizeLinear lacks", node.op_type));
        };
        let number = |i: usize| {
            let constant = node.inputs.get(i).copied().flatten();
            let tensor = constant.and_then(|id| self.network.graph().value(id).constant.as_ref())?;
            let values = tensor.to_f64().ok()?;
            <[f64; 1]>::try_from(values).ok().map(|[value]| value as f32)
        };
        let (Some(scale), Some(zero_point)) = (number(1), number(2)) else {
            return Err(unsupported!("writing {} of activations with more than one scale", node.op_type));
        };
        let quantization =
            ActivationQuantization { scale, zero_point: zero_point as i32, min: min as i32, max: max as i32 };
        if zero_point.fract() != 0.0 || integer_type(quantization).is_none() {
            return Err(unsupported!("writing {} with integers that 16 bits do not hold", node.op_type));
        }
        Ok(quantization)
    }

    /// The inputs of a QuantizeLinear or DequantizeLinear of `x`.
    fn linear_inputs(&mut self, name: &str, x: String, by: ActivationQuantization) -> Result<Vec<String>, Fault> {
        let data_type = integer_type(by).ok_or_else(|| unsupported!("integers that 16 bits do not hold"))?;
        self.linear_inputs_of(name, x, by, data_type)
    }

    /// The same with integers of this type.
    fn linear_inputs_of(
        &mut self,
        name: &str,
        x: String,
        by: ActivationQuantization,
        data_type: DataType,
    ) -> Result<Vec<String>, Fault> {
        let scale = tensors::real(vec![], &[f64::from(by.scale)], DataType::F32);
        let scale = scale.ok_or_else(|| unsupported!("a scale of {}", by.scale))?;
        let zero_point = tensors::integer(vec![], &[i64::from(by.zero_point)], data_type);
        let zero_point = zero_point.ok_or_else(|| unsupported!("a zero point beyond {}", data_type.name()))?;
        let scale = self.add_tensor(&format!("{name}_scale"), &scale)?;
        let zero_point = self.add_tensor(&format!("{name}_zero_point"), &zero_point)?;
        Ok(vec![x, scale, zero_point])
    }
}

fn first_input(node: &Node) -> Result<ValueId, Fault> {
    node.inputs.first().copied().flatten().ok_or_else(|| unsupported!("an operator without its first input"))
}

/// The smallest type that holds the integers and their zero point.
pub(super) fn integer_type(q: ActivationQuantization) -> Option<DataType> {
    let holds = |data_type: &DataType| {
        let (low, high) = data_type.range().expect("an integer type of at most 16 bits has a range");
        [q.min, q.max, q.zero_point].iter().all(|&q| (low..=high).contains(&i64::from(q)))
    };
    [DataType::U8, DataType::I8, DataType::U16, DataType::I16].into_iter().find(holds)
}

/// Whether a [`Quant`] needs integers of 16 bits. A zero point beyond its range is refused elsewhere.
pub(super) fn is_wide(quant: Quant) -> bool {
    let Quant::Integer { min, max, .. } = quant else { return false };
    max > 255.0 || min < -128.0 || (min < 0.0 && max > 127.0)
}
