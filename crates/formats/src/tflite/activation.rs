//! Operators on one element at a time, softmax, and the ways between integers and real numbers.

use network::{ActivationQuantization, Binary, DataType, IntegerFunction, IntegerOp, Op, Tensor, Unary, ValueId};

use super::builder::Builder;
use super::fused::Fused;
use super::operation::Operation;
use super::{layout, tables, wide_tables};
use crate::options::TfliteKernels;
use crate::reading::fault::{Fault, invalid, not_run};

/// An operator on one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Relu(Fused),
    Relu0To1,
    LeakyRelu(f32),
    HardSwish,
    Logistic,
    Tanh,
    Elu,
    Gelu { approximate: bool },
    Exp,
    Log,
    Sqrt,
    Abs,
    Neg,
    Floor,
    Ceil,
    Round,
}

/// The operator on one element that an operation is, if it is one.
pub(super) fn unary(operation: &Operation<'_>) -> Result<Option<Activation>, Fault> {
    Ok(Some(match operation.kind {
        "RELU" => Activation::Relu(Fused::Relu),
        "RELU_N1_TO_1" => Activation::Relu(Fused::ReluN1To1),
        "RELU6" => Activation::Relu(Fused::Relu6),
        "RELU_0_TO_1" => Activation::Relu0To1,
        "LEAKY_RELU" => {
            let alpha = operation.options.scalar(0, 0.0f32)?;
            if !alpha.is_finite() {
                return Err(invalid!("alpha is {alpha}"));
            }
            Activation::LeakyRelu(alpha)
        }
        "HARD_SWISH" => Activation::HardSwish,
        "LOGISTIC" => Activation::Logistic,
        "TANH" => Activation::Tanh,
        "ELU" => Activation::Elu,
        "GELU" => Activation::Gelu { approximate: operation.options.flag(0)? },
        "EXP" => Activation::Exp,
        "LOG" => Activation::Log,
        "SQRT" => Activation::Sqrt,
        "ABS" => Activation::Abs,
        "NEG" => Activation::Neg,
        "FLOOR" => Activation::Floor,
        "CEIL" => Activation::Ceil,
        "ROUND" => Activation::Round,
        _ => return Ok(None),
    }))
}

impl Activation {
    fn on_reals(self) -> Op {
        match self {
            Activation::Relu(fused) => fused.op().unwrap_or(Op::Identity),
            Activation::Relu0To1 => Op::Unary(Unary::Clip { min: 0.0, max: 1.0 }),
            Activation::LeakyRelu(alpha) => Op::Unary(Unary::LeakyRelu { alpha }),
            Activation::HardSwish => Op::Unary(Unary::HardSwish),
            Activation::Logistic => Op::Unary(Unary::Sigmoid),
            Activation::Tanh => Op::Unary(Unary::Tanh),
            Activation::Elu => Op::Unary(Unary::Elu { alpha: 1.0 }),
            Activation::Gelu { approximate } => Op::Unary(Unary::Gelu { approximate }),
            Activation::Exp => Op::Unary(Unary::Exp),
            Activation::Log => Op::Unary(Unary::Log),
            Activation::Sqrt => Op::Unary(Unary::Sqrt),
            Activation::Abs => Op::Unary(Unary::Abs),
            Activation::Neg => Op::Unary(Unary::Neg),
            Activation::Floor => Op::Unary(Unary::Floor),
            Activation::Ceil => Op::Unary(Unary::Ceil),
            Activation::Round => Op::Unary(Unary::Round),
        }
    }

    fn on_integers(self, b: &mut Builder<'_>, x: usize, output: usize) -> Result<IntegerOp, Fault> {
        let is_wide = b.data_type(x)? == DataType::I16;
        let is_tabulated = matches!(self, Activation::Relu(_) | Activation::LeakyRelu(_))
            || is_wide && matches!(self, Activation::Logistic | Activation::Tanh);
        let (x, y) = match is_tabulated {
            true => (b.tabulated(x)?, b.quantization(output)?),
            false => (b.quantization_8(x)?, b.quantization_8(output)?),
        };
        match self {
            Activation::Logistic if is_wide => wide_tables::logistic(&x, &y, b.kernels),
            Activation::Tanh if is_wide => wide_tables::tanh(&x, &y, b.kernels),
            Activation::Relu(fused) => tables::relu(&x, &fused.clamp(y)?, fused.function()),
            Activation::LeakyRelu(alpha) => tables::leaky_relu(&x, &y, alpha),
            Activation::HardSwish => tables::hard_swish(&x, &y),
            Activation::Logistic => Ok(tables::function(&x, &y, Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()))),
            Activation::Tanh => Ok(tables::function(&x, &y, Unary::Tanh, f32::tanh)),
            Activation::Elu => {
                let elu = |x: f32| if x < 0.0 { x.exp_m1() } else { x };
                Ok(tables::function(&x, &y, Unary::Elu { alpha: 1.0 }, elu))
            }
            Activation::Relu0To1
            | Activation::Gelu { .. }
            | Activation::Exp
            | Activation::Log
            | Activation::Sqrt
            | Activation::Abs
            | Activation::Neg
            | Activation::Floor
            | Activation::Ceil
            | Activation::Round => Err(not_run!("on integers this operator is not handled")),
        }
    }
}

/// An operator on one element at a time.
pub(super) fn elementwise(b: &mut Builder<'_>, operation: &Operation<'_>, activation: Activation) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let op = match b.is_real(x)? {
        true => activation.on_reals(),
        false => Op::Integer(activation.on_integers(b, x, output)?),
    };
    let (value, shape) = (b.value(x)?, b.shape(x).to_vec());
    b.define(operation, output, op, vec![value], &shape)
}

/// SOFTMAX and LOG_SOFTMAX, along the last axis.
pub(super) fn softmax(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let shape = b.shape(x).to_vec();
    let last = shape.len().checked_sub(1).ok_or_else(|| invalid!("a softmax of a single number"))?;
    let axis = layout::axis(shape.len(), last);
    let logarithm = operation.kind == "LOG_SOFTMAX";
    let beta = if logarithm { 1.0 } else { operation.options.scalar(0, 0.0f32)? };
    if !(beta.is_finite() && beta > 0.0) {
        return Err(not_run!("its beta is {beta}; above 0 is handled"));
    }
    let mut value = b.value(x)?;
    if !b.is_real(x)? {
        if logarithm {
            return Err(not_run!("on integers this operator is not handled"));
        }
        let (input, q) = softmax_integers(b, x, output)?;
        let op = Op::Integer(IntegerOp::lite_rt(IntegerFunction::Softmax { axis, beta }, &[input], q));
        return b.define(operation, output, op, vec![value], &shape);
    }
    if beta != 1.0 {
        let name = format!("{}/beta", operation.name);
        let factor = b.constant(&name, Tensor::from_f32(vec![1; shape.len()], &[beta]));
        value =
            b.emit(&name, "MUL", Op::Binary(Binary::Mul), vec![value, factor], (DataType::F32, layout::ours(&shape)));
    }
    let op = if logarithm { Op::LogSoftmax { axis } } else { Op::Softmax { axis } };
    b.define(operation, output, op, vec![value], &shape)
}

/// How a softmax on integers is quantized. LiteRT has one of 16 bits without zero points, and those of 8 bits.
fn softmax_integers(
    b: &Builder<'_>,
    x: usize,
    output: usize,
) -> Result<(ActivationQuantization, ActivationQuantization), Fault> {
    let (input, q) = (b.quantization(x)?, b.quantization(output)?);
    match (b.data_type(x)?, b.data_type(output)?) {
        (DataType::I16, DataType::I16) => {
            let unit = 1.0 / 32768.0;
            match input.zero_point == 0 && q.zero_point == 0 && (q.scale - unit).abs() <= 0.001 * unit {
                true => Ok((input, q)),
                false => Err(not_run!(
                    "of 16 bits it is handled without zero points, and with a scale of 2^−15 of its output"
                )),
            }
        }
        (DataType::I8 | DataType::U8, DataType::I16) => match b.kernels {
            TfliteKernels::Optimized => Ok((input, q)),
            TfliteKernels::Reference => {
                Err(not_run!("from 8 to 16 bits it is handled as the optimized kernels of TFLite have it"))
            }
        },
        (DataType::I8, DataType::I8) | (DataType::U8, DataType::U8) => Ok((input, q)),
        (from, to) => Err(not_run!("from {} to {} it is not handled", from.name(), to.name())),
    }
}

/// QUANTIZE: of real numbers, or from one scale to another.
pub(super) fn quantize(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let shape = b.shape(x).to_vec();
    let op = match b.is_real(x)? {
        true => IntegerOp::lite_rt(IntegerFunction::Quantize, &[], b.quantization(output)?),
        false if b.data_type(output)? == DataType::I32 => {
            tables::rescale_to_32_bits(&b.tabulated(x)?, &b.wide(output)?)?
        }
        false => tables::rescale(&b.tabulated(x)?, &b.quantization(output)?)?,
    };
    let value = b.value(x)?;
    b.define(operation, output, Op::Integer(op), vec![value], &shape)
}

/// DEQUANTIZE.
pub(super) fn dequantize(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let (value, shape) = (b.value(x)?, b.shape(x).to_vec());
    if b.is_real(x)? {
        return b.define(operation, output, Op::Cast, vec![value], &shape);
    }
    let q = b.quantization(x)?;
    let parameters = b.parameters(&operation.name, q, b.data_type(x)?);
    let inputs = [vec![value], parameters].concat();
    b.define(operation, output, Op::DequantizeLinear { axis: 0 }, inputs, &shape)
}

/// CAST.
pub(super) fn cast(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let (value, shape) = (b.value(x)?, b.shape(x).to_vec());
    b.define(operation, output, Op::Cast, vec![value], &shape)
}

impl Builder<'_> {
    /// [`Builder::define`] of an operator on real numbers and the activation function that is fused into it.
    pub(super) fn define_fused(
        &mut self,
        operation: &Operation<'_>,
        op: Op,
        inputs: Vec<ValueId>,
        shape: &[usize],
        fused: Fused,
    ) -> Result<(), Fault> {
        let output = operation.output()?;
        let Some(activation) = fused.op() else { return self.define(operation, output, op, inputs, shape) };
        layout::element_count(shape).map_err(|problem| invalid!("{problem}"))?;
        let data_type = self.network.value(inputs[0]).data_type.unwrap_or(DataType::F32);
        let form = (data_type, layout::ours(shape));
        let value = self.emit(&format!("{}/sum", operation.name), operation.kind, op, inputs, form);
        self.define(operation, output, activation, vec![value], shape)
    }

    /// The quantization of both tensors, of an operator that does not change it.
    pub(super) fn same_quantization(&self, x: usize, output: usize) -> Result<network::ActivationQuantization, Fault> {
        let (from, to) = (self.quantization(x)?, self.quantization(output)?);
        match from == to {
            true => Ok(to),
            false => Err(not_run!("its input and its output have different scales")),
        }
    }
}
