//! Operators on the integers of quantized activations, to the last bit of the runtime that they come from.
//!
//! Each file holds a function in every arithmetic that there is of it; [`IntegerFunction`] states the equations.
//! `onnxruntime` and `lite_rt` hold what the functions of one arithmetic share.

mod add;
mod concat;
mod lite_rt;
mod mean;
mod onnxruntime;
mod product;
mod resize;
mod softmax;
mod unary;
mod wide_softmax;

use network::{ActivationQuantization, IntegerArithmetic, IntegerFunction, IntegerOp};

use super::elementwise::{self, map, zip};
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use onnxruntime::{Output, real};

/// Refuses a function in an arithmetic that there is not of it.
pub(crate) fn check(op: &IntegerOp) -> Result<(), Problem> {
    match op.function.arithmetics().contains(&op.arithmetic) {
        true => Ok(()),
        false => Err(missing(op)),
    }
}

fn missing(op: &IntegerOp) -> Problem {
    Problem::Unsupported(format!("{} on integers in the arithmetic of {}", op.function.name(), op.arithmetic.name()))
}

/// Runs one operator. `inputs` hold integers, those of [`IntegerFunction::Quantize`] real numbers; the result holds integers
/// and has shape `shape`.
pub(crate) fn run(
    op: &IntegerOp,
    inputs: Vec<Input>,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    match op.arithmetic {
        IntegerArithmetic::OnnxRuntime => run_onnxruntime(op, inputs, shape, buffers),
        IntegerArithmetic::LiteRt => run_lite_rt(op, inputs, shape, buffers),
    }
}

/// The inputs and how they are quantized, of an operator of `N` inputs.
fn operands<'a, const N: usize>(
    op: &IntegerOp,
    inputs: Vec<Input<'a>>,
) -> Result<([Input<'a>; N], [ActivationQuantization; N]), Problem> {
    let counts = [inputs.len(), op.inputs.len()];
    match (<[Input<'a>; N]>::try_from(inputs), <[ActivationQuantization; N]>::try_from(op.inputs.as_slice())) {
        (Ok(inputs), Ok(quantizations)) => Ok((inputs, quantizations)),
        _ => Err(Problem::Invalid(format!("{} inputs, {} of them quantized; {N} are expected", counts[0], counts[1]))),
    }
}

fn run_onnxruntime(
    op: &IntegerOp,
    inputs: Vec<Input>,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let to = Output::new(op.output);
    match &op.function {
        IntegerFunction::Add => {
            let ([a, b], from) = operands(op, inputs)?;
            zip(a, b, buffers, add::onnxruntime(from, to))
        }
        IntegerFunction::Mul => {
            let ([a, b], from) = operands(op, inputs)?;
            zip(a, b, buffers, product::onnxruntime(from, to))
        }
        IntegerFunction::AveragePool(pool) => {
            let ([x], [from]) = operands(op, inputs)?;
            mean::onnxruntime_windows(x, from, pool, to, shape, buffers)
        }
        IntegerFunction::GlobalAveragePool => {
            let ([x], [from]) = operands(op, inputs)?;
            mean::onnxruntime_positions(x, from, to, buffers)
        }
        IntegerFunction::Concat { axis } => match inputs.len() == op.inputs.len() && !inputs.is_empty() {
            true => concat::onnxruntime(inputs, *axis, &op.inputs, op.output, buffers),
            false => Err(Problem::Invalid(format!("{} inputs; {} are expected", inputs.len(), op.inputs.len()))),
        },
        IntegerFunction::LeakyRelu { alpha } => {
            let ([x], [from]) = operands(op, inputs)?;
            let leaky = |x: f32| if x < 0.0 { alpha * x } else { x };
            Ok(map(x, buffers, |q| to.of(leaky(real(q, from)))))
        }
        IntegerFunction::Sigmoid => {
            let ([x], [from]) = operands(op, inputs)?;
            Ok(map(x, buffers, |q| to.of(elementwise::sigmoid(real(q, from)))))
        }
        IntegerFunction::Softmax { axis, .. } => {
            let ([x], [from]) = operands(op, inputs)?;
            softmax::onnxruntime(x, *axis, from, to, buffers)
        }
        IntegerFunction::Lookup { .. }
        | IntegerFunction::Quantize
        | IntegerFunction::Sub
        | IntegerFunction::PRelu
        | IntegerFunction::Mean { .. }
        | IntegerFunction::ResizeBilinear { .. } => Err(missing(op)),
    }
}

fn run_lite_rt(op: &IntegerOp, inputs: Vec<Input>, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let to = &op.output;
    match &op.function {
        IntegerFunction::Lookup { first, table, .. } => unary::lookup(alone(inputs)?, *first, table, buffers),
        IntegerFunction::Quantize => Ok(unary::quantize(alone(inputs)?, to, buffers)),
        IntegerFunction::Add | IntegerFunction::Sub => {
            let ([a, b], from) = operands(op, inputs)?;
            let sum = add::Sum::new(&from, to, op.function == IntegerFunction::Sub)?;
            lite_rt::zip(a, b, shape, buffers, |a, b| sum.apply(a, b))
        }
        IntegerFunction::Mul => {
            let ([a, b], from) = operands(op, inputs)?;
            let product = product::Product::new(&from, to)?;
            lite_rt::zip(a, b, shape, buffers, |a, b| product.apply(a, b))
        }
        IntegerFunction::PRelu => {
            let ([x, slope], from) = operands(op, inputs)?;
            let prelu = product::Prelu::new(&from, to)?;
            lite_rt::zip(x, slope, shape, buffers, |x, slope| prelu.apply(x, slope))
        }
        IntegerFunction::AveragePool(pool) => {
            let x = alone(inputs)?;
            let result = mean::lite_rt_windows(x.array(), pool, [to.min, to.max], shape, buffers);
            x.recycle(buffers);
            result
        }
        IntegerFunction::Mean { axes, .. } => {
            let ([x], [from]) = operands(op, inputs)?;
            let result = mean::lite_rt_axes(x.array(), axes, [&from, to], shape, buffers);
            x.recycle(buffers);
            result
        }
        IntegerFunction::Softmax { axis, beta } => {
            let ([x], [from]) = operands(op, inputs)?;
            match from.bits() {
                0..=8 => softmax::lite_rt(x.into_owned(buffers), *axis, *beta, [&from, to]),
                _ => wide_softmax::lite_rt(x.into_owned(buffers), *axis, from.scale * beta),
            }
        }
        IntegerFunction::ResizeBilinear { align_corners, half_pixel, float } => {
            let x = alone(inputs)?;
            let mode = resize::Mode { align_corners: *align_corners, half_pixel: *half_pixel, float: *float };
            let result = resize::resize(x.array(), mode, shape, buffers);
            x.recycle(buffers);
            result
        }
        IntegerFunction::GlobalAveragePool
        | IntegerFunction::Concat { .. }
        | IntegerFunction::LeakyRelu { .. }
        | IntegerFunction::Sigmoid => Err(missing(op)),
    }
}

/// The one input of an operator whose scale does not matter.
fn alone(inputs: Vec<Input<'_>>) -> Result<Input<'_>, Problem> {
    match <[Input; 1]>::try_from(inputs) {
        Ok([x]) => Ok(x),
        Err(inputs) => Err(Problem::Invalid(format!("{} inputs; 1 is expected", inputs.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(scale: f32, zero_point: i32) -> ActivationQuantization {
        ActivationQuantization { scale, zero_point, min: 0, max: 255 }
    }

    fn apply(function: IntegerFunction, inputs: &[ActivationQuantization], x: &[f32]) -> Vec<f32> {
        let arithmetic = IntegerArithmetic::OnnxRuntime;
        let op = IntegerOp { function, arithmetic, inputs: inputs.to_vec(), output: linear(0.5, 10) };
        let array = Array::new(vec![1, 1, 1, x.len()], x.to_vec());
        let is_global = op.function == IntegerFunction::GlobalAveragePool;
        let shape = if is_global { vec![1, 1, 1, 1] } else { array.shape.clone() };
        let values = inputs.iter().map(|_| Input::Shared(&array)).collect();
        run(&op, values, &shape, &mut Buffers::default()).expect("it runs").data
    }

    #[test]
    fn integers_are_those_of_onnxruntime() {
        let (one, half) = (linear(1.0, 5), linear(0.25, 4));
        assert_eq!(apply(IntegerFunction::Add, &[half, half], &[4.0, 5.0, 7.0, 255.0]), [10.0, 11.0, 13.0, 255.0]);
        assert_eq!(apply(IntegerFunction::Mul, &[one, half], &[5.0, 6.0, 7.0, 0.0]), [10.0, 11.0, 13.0, 20.0]);
        assert_eq!(apply(IntegerFunction::LeakyRelu { alpha: 0.5 }, &[one], &[5.0, 7.0, 0.0]), [10.0, 14.0, 5.0]);
        assert_eq!(apply(IntegerFunction::GlobalAveragePool, &[half], &[5.0, 5.0, 5.0, 5.0]), [10.0]);
        assert_eq!(apply(IntegerFunction::Sigmoid, &[one], &[5.0]), [11.0]);
    }

    #[test]
    fn an_arithmetic_that_a_function_has_not_is_refused() {
        let (arithmetic, output) = (IntegerArithmetic::OnnxRuntime, linear(1.0, 0));
        let op = IntegerOp { function: IntegerFunction::PRelu, arithmetic, inputs: vec![output; 2], output };
        assert!(matches!(check(&op), Err(Problem::Unsupported(text)) if text.contains("PRelu")));
        let op = IntegerOp { arithmetic: IntegerArithmetic::LiteRt, ..op };
        assert!(check(&op).is_ok());
        let softmax = |beta| IntegerOp { function: IntegerFunction::Softmax { axis: 1, beta }, ..op.clone() };
        assert!(check(&softmax(2.0)).is_ok());
        let onnxruntime = |beta| IntegerOp { arithmetic: IntegerArithmetic::OnnxRuntime, ..softmax(beta) };
        assert!(check(&onnxruntime(1.0)).is_ok());
        assert!(matches!(check(&onnxruntime(2.0)), Err(Problem::Unsupported(_))));
    }
}
