//! Operators that other runtimes have in domains of their own, written in those of the standard: dequantized, computed on
//! real numbers, quantized again. What is lost is their rounding, of which [`note`] tells.

use super::attributes::{count, float};
use super::node::Draft;
use super::{Writer, tensors};
use crate::graph::{Node, Op};
use crate::layer::ActivationQuantization;
use crate::network::Network;
use crate::onnx::fault::{Fault, unsupported};
use crate::qlinear::{QLinear, QLinearFunction};
use crate::quant::{Quant, Rounding};
use crate::tensor::DataType;

/// What a user should know of a network with such operators.
pub(super) fn note(network: &Network) -> Option<String> {
    let rounds = |node: &Node| matches!(node.op, Op::QLinear(_) | Op::Quant(_));
    let found = network.layers().iter().any(|layer| layer.requantization.is_some());
    let found = found || network.graph().nodes.iter().any(rounds);
    found.then(|| {
        "operators on integers are written as DequantizeLinear, real arithmetic and QuantizeLinear: their own rounding is \
         lost, and results may differ by one step"
            .to_string()
    })
}

impl Writer<'_> {
    /// Adds an operator on integers as one on real numbers between DequantizeLinear and QuantizeLinear.
    pub(super) fn add_qlinear(&mut self, node: &Node, op: &QLinear) -> Result<(), Fault> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (i, (id, quantization)) in node.inputs.iter().zip(&op.inputs).enumerate() {
            let id = id.ok_or_else(|| unsupported!("an operator without input {i}"))?;
            let codes = self.value(id)?;
            let name = format!("{}_input_{i}", node.name);
            inputs.push(self.add_linear(&name, "DequantizeLinear", codes, *quantization)?);
        }
        let (op_type, attributes) = match &op.function {
            QLinearFunction::Add => ("Add", vec![]),
            QLinearFunction::Mul => ("Mul", vec![]),
            QLinearFunction::AveragePool(pool) => ("AveragePool", self.pool(node, pool, false)),
            QLinearFunction::GlobalAveragePool => ("GlobalAveragePool", vec![]),
            QLinearFunction::Concat { axis } => ("Concat", vec![count("axis", *axis)]),
            QLinearFunction::LeakyRelu { alpha } => ("LeakyRelu", vec![float("alpha", *alpha)]),
            QLinearFunction::Sigmoid => ("Sigmoid", vec![]),
            QLinearFunction::Softmax { axis } => ("Softmax", vec![count("axis", *axis)]),
        };
        let output = self.name(node.outputs[0]);
        let real = self.values.claim(&format!("{output}_real"));
        self.push(&node.name, Draft { op_type, inputs, attributes }, vec![real.clone()]);
        let inputs = self.linear_inputs(&format!("{}_output", node.name), real, op.output)?;
        self.push(&format!("{}_QuantizeLinear", node.name), Draft::new("QuantizeLinear", inputs), vec![output]);
        Ok(())
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

    fn add_linear(
        &mut self,
        name: &str,
        op_type: &'static str,
        x: String,
        by: ActivationQuantization,
    ) -> Result<String, Fault> {
        let inputs = self.linear_inputs(name, x, by)?;
        let output = self.values.claim(&format!("{name}_{op_type}_Output"));
        self.push(&format!("{name}_{op_type}"), Draft::new(op_type, inputs), vec![output.clone()]);
        Ok(output)
    }

    /// The inputs of a QuantizeLinear or DequantizeLinear of `x`.
    fn linear_inputs(&mut self, name: &str, x: String, by: ActivationQuantization) -> Result<Vec<String>, Fault> {
        let data_type = integer_type(by).ok_or_else(|| unsupported!("integers that 16 bits do not hold"))?;
        let scale = tensors::real(vec![], &[f64::from(by.scale)], DataType::F32);
        let scale = scale.ok_or_else(|| unsupported!("a scale of {}", by.scale))?;
        let zero_point = tensors::integer(vec![], &[i64::from(by.zero_point)], data_type);
        let zero_point = zero_point.ok_or_else(|| unsupported!("a zero point beyond {}", data_type.name()))?;
        let scale = self.add_tensor(&format!("{name}_scale"), &scale)?;
        let zero_point = self.add_tensor(&format!("{name}_zero_point"), &zero_point)?;
        Ok(vec![x, scale, zero_point])
    }
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
