//! Every operator of a graph that is not a MAC layer, in 32-bit float.

mod elementwise;
mod levels;
mod movement;
mod normalize;
mod pooling;
mod qlinear;
mod quantize;
mod reduce;
mod resize;
mod strided;
mod tflite;

use network::{DataType, Op};

use crate::adapter;
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use elementwise::{map, zip};
use pooling::Statistic;
use reduce::Reduction;

pub(crate) use quantize::integer_range;
pub(crate) use resize::{Coordinates, Nearest};
pub(crate) use strided::{gather_strided, strides};

/// What is known of a value before the network runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValueSpec {
    pub shape: Vec<usize>,
    pub data_type: Option<DataType>,
}

/// Runs one operator. `inputs` are those that are present, in order; `outputs` are what the graph expects.
pub(crate) fn run(
    op: &Op,
    mut inputs: Vec<Input>,
    outputs: &[ValueSpec],
    buffers: &mut Buffers,
) -> Result<Vec<Array>, Problem> {
    if inputs.is_empty() || outputs.is_empty() {
        let counts = [inputs.len(), outputs.len()];
        return Err(Problem::Invalid(format!("inputs and outputs are {counts:?}; at least one of each is expected")));
    }
    let output = &outputs[0];
    match op {
        Op::Split { axis } => split(inputs.remove(0), *axis, outputs, buffers),
        Op::Where => Ok(vec![choose(inputs, buffers)?]),
        Op::QLinear(qlinear) => Ok(vec![qlinear::run(qlinear, inputs, &output.shape, buffers)?]),
        Op::Quant(quant) => Ok(vec![levels::run(*quant, inputs, buffers)?]),
        Op::DynamicQuantizeLinear => Ok(qlinear::dynamic(inputs.remove(0), buffers).into()),
        op if elementwise::is_binary(op) => Ok(vec![binary(op, inputs, buffers)?]),
        _ => {
            let x = inputs.remove(0);
            let rest: Vec<&Array> = inputs.iter().map(Input::array).collect();
            let result = match unary(op) {
                Some(f) => f(x, buffers),
                None => owning(op, x, &rest, output, buffers)?,
            };
            inputs.into_iter().for_each(|input| input.recycle(buffers));
            Ok(vec![result])
        }
    }
}

type Unary = Box<dyn Fn(Input, &mut Buffers) -> Array>;

/// Operators on one element at a time. The box holds the whole loop, so that each loop is compiled on its own.
fn unary(op: &Op) -> Option<Unary> {
    fn each(f: impl Fn(f32) -> f32 + 'static) -> Option<Unary> {
        Some(Box::new(move |input, buffers| map(input, buffers, &f)))
    }
    match *op {
        Op::Relu => each(elementwise::relu),
        Op::Clip { min, max } => each(move |x| elementwise::clip(x, min, max)),
        Op::LeakyRelu { alpha } => each(move |x| if x < 0.0 { alpha * x } else { x }),
        Op::Elu { alpha } => each(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x }),
        Op::Selu { alpha, gamma } => each(move |x| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x }),
        Op::Celu { alpha } => each(move |x| if x < 0.0 { alpha * (x / alpha).exp_m1() } else { x }),
        Op::ThresholdedRelu { alpha } => each(move |x| if x > alpha || x.is_nan() { x } else { 0.0 }),
        Op::HardSigmoid { alpha, beta } => each(move |x| elementwise::clip(alpha * x + beta, 0.0, 1.0)),
        Op::HardSwish => each(|x| x * elementwise::clip(x / 6.0 + 0.5, 0.0, 1.0)),
        Op::Sigmoid => each(elementwise::sigmoid),
        Op::Tanh => each(f32::tanh),
        Op::Gelu { approximate } => each(move |x| elementwise::gelu(x, approximate)),
        Op::Softplus => each(elementwise::softplus),
        Op::Softsign => each(|x| x / (1.0 + x.abs())),
        Op::Mish => each(|x| x * elementwise::softplus(x).tanh()),
        Op::Erf => each(elementwise::erf),
        Op::Exp => each(f32::exp),
        Op::Sqrt => each(f32::sqrt),
        Op::Log => each(f32::ln),
        Op::Abs => each(f32::abs),
        Op::Neg => each(|x| -x),
        Op::Floor => each(f32::floor),
        Op::Ceil => each(f32::ceil),
        Op::Round => each(f32::round_ties_even),
        Op::Sign => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        Op::Reciprocal => each(f32::recip),
        Op::Not => each(|x| truth(x == 0.0)),
        _ => None,
    }
}

/// A bool as a number.
fn truth(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

/// Operators on pairs of elements; Add, Min and Max take any number of inputs, one after another.
fn binary(op: &Op, inputs: Vec<Input>, buffers: &mut Buffers) -> Result<Array, Problem> {
    let any_number = matches!(op, Op::Add | Op::Min | Op::Max);
    if !any_number && inputs.len() != 2 {
        return Err(Problem::Invalid(format!("{} inputs; 2 are expected", inputs.len())));
    }
    let mut inputs = inputs.into_iter();
    let mut result = inputs.next().expect("the caller checks that there is one");
    for next in inputs {
        result = Input::Owned(match op {
            Op::Add => zip(result, next, buffers, |x, y| x + y),
            Op::Sub => zip(result, next, buffers, |x, y| x - y),
            Op::Mul => zip(result, next, buffers, |x, y| x * y),
            Op::Div => zip(result, next, buffers, |x, y| x / y),
            Op::Pow => zip(result, next, buffers, f32::powf),
            Op::PRelu => zip(result, next, buffers, |x, slope| if x < 0.0 { slope * x } else { x }),
            Op::Min => zip(result, next, buffers, elementwise::minimum),
            Op::And => zip(result, next, buffers, |x, y| truth(x != 0.0 && y != 0.0)),
            Op::Or => zip(result, next, buffers, |x, y| truth(x != 0.0 || y != 0.0)),
            Op::Xor => zip(result, next, buffers, |x, y| truth((x != 0.0) != (y != 0.0))),
            Op::Equal => zip(result, next, buffers, |x, y| truth(x == y)),
            Op::Greater => zip(result, next, buffers, |x, y| truth(x > y)),
            Op::GreaterOrEqual => zip(result, next, buffers, |x, y| truth(x >= y)),
            Op::Less => zip(result, next, buffers, |x, y| truth(x < y)),
            Op::LessOrEqual => zip(result, next, buffers, |x, y| truth(x <= y)),
            _ => zip(result, next, buffers, elementwise::maximum),
        }?);
    }
    Ok(result.into_owned(buffers))
}

/// Where: takes each element from the second input where the first holds, else from the third.
fn choose(inputs: Vec<Input>, buffers: &mut Buffers) -> Result<Array, Problem> {
    let [condition, a, b] = <[Input; 3]>::try_from(inputs)
        .map_err(|inputs| Problem::Invalid(format!("{} inputs; 3 are expected", inputs.len())))?;
    let result = movement::choose([condition.array(), a.array(), b.array()], buffers)?;
    [condition, a, b].into_iter().for_each(|input| input.recycle(buffers));
    Ok(result)
}

fn split(x: Input, axis: usize, outputs: &[ValueSpec], buffers: &mut Buffers) -> Result<Vec<Array>, Problem> {
    let extents: Option<Vec<usize>> = outputs.iter().map(|spec| spec.shape.get(axis).copied()).collect();
    let extents = extents
        .filter(|_| axis < x.array().shape.len())
        .ok_or_else(|| Problem::Invalid(format!("axis {axis} to split is not one of {:?}", x.array().shape)))?;
    let parts = movement::split(x.array(), axis, &extents, buffers)?;
    x.recycle(buffers);
    Ok(parts)
}

/// Operators that may change their first input in place, then those that make something new from it.
fn owning(op: &Op, x: Input, rest: &[&Array], output: &ValueSpec, buffers: &mut Buffers) -> Result<Array, Problem> {
    match (op, rest) {
        (Op::BatchNormalization { epsilon }, &[scale, bias, mean, variance]) => {
            normalize::batch_normalization(x, [scale, bias, mean, variance], *epsilon, buffers)
        }
        (Op::LayerNormalization { axis, epsilon }, &[scale]) => {
            normalize::layer_normalization(x, scale, None, *axis, *epsilon, buffers)
        }
        (Op::LayerNormalization { axis, epsilon }, &[scale, bias]) => {
            normalize::layer_normalization(x, scale, Some(bias), *axis, *epsilon, buffers)
        }
        (Op::InstanceNormalization { epsilon }, &[scale, bias]) => {
            normalize::instance_normalization(x, scale, bias, *epsilon, buffers)
        }
        (Op::QuantizeLinear { axis }, &[scale, ..]) => {
            let data_type = output.data_type.unwrap_or(DataType::U8);
            quantize::quantize(x, scale, rest.get(1).copied(), *axis, data_type, buffers)
        }
        (Op::DequantizeLinear { axis }, &[scale, ..]) => {
            quantize::dequantize(x, scale, rest.get(1).copied(), *axis, buffers)
        }
        (Op::Tflite(op), _) => tflite::run(op, x, rest, &output.shape, buffers),
        (Op::Cast, _) => quantize::cast(x, output.data_type.unwrap_or(DataType::F32), buffers),
        (Op::Softmax { axis }, _) => reduce::softmax(x, *axis, false, buffers),
        (Op::LogSoftmax { axis }, _) => reduce::softmax(x, *axis, true, buffers),
        (Op::SoftmaxFrom { axis, logarithm }, _) => reduce::softmax_from(x, *axis, *logarithm, buffers),
        (Op::Reshape, _) => movement::reshape(x, &output.shape, buffers),
        (Op::Identity, _) => Ok(x.into_owned(buffers)),
        _ => {
            let result = sharing(op, x.array(), rest, &output.shape, buffers);
            x.recycle(buffers);
            result
        }
    }
}

fn sharing(op: &Op, x: &Array, rest: &[&Array], shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let space: Vec<usize> = (2..x.shape.len()).collect();
    match (op, rest) {
        (Op::MaxPool(pool), _) => pooling::pool(x, pool, Statistic::Max, shape, buffers),
        (Op::AveragePool(pool), _) => pooling::pool(x, pool, Statistic::Mean, shape, buffers),
        (Op::GlobalAveragePool, _) => reduce::reduce(x, Reduction::Mean, &space, true, buffers),
        (Op::GlobalMaxPool, _) => reduce::reduce(x, Reduction::Max, &space, true, buffers),
        (Op::ReduceMean { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Mean, axes, *keep_dims, buffers),
        (Op::ReduceSum { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Sum, axes, *keep_dims, buffers),
        (Op::ReduceMax { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Max, axes, *keep_dims, buffers),
        (Op::ReduceMin { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Min, axes, *keep_dims, buffers),
        (Op::ReduceProd { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Product, axes, *keep_dims, buffers),
        (Op::ReduceL2 { axes, keep_dims }, _) => reduce::reduce(x, Reduction::Norm, axes, *keep_dims, buffers),
        (Op::Lrn { alpha, beta, bias, size }, _) => normalize::lrn(x, [*alpha, *beta, *bias], *size, buffers),
        (Op::Concat { axis }, _) => movement::concat(x, rest, *axis, buffers),
        (Op::Pad { pads, mode, value }, _) => movement::pad(x, pads, *mode, *value, buffers),
        (Op::Slice { starts, ends, axes, steps }, _) => {
            movement::slice(x, [starts.as_slice(), ends.as_slice(), steps.as_slice()], axes, buffers)
        }
        (Op::Transpose { perm }, _) => movement::transpose(x, perm, buffers),
        (Op::Expand, _) => movement::expand(x, shape, buffers),
        (Op::Tile, _) => movement::tile(x, shape, buffers),
        (Op::Gather { axis }, &[indices]) => movement::gather(x, indices, *axis, shape, buffers),
        (Op::Resize { linear: true, coordinates, .. }, _) => {
            resize::linear(x, shape, Coordinates::from_name(coordinates)?, buffers)
        }
        (Op::Resize { linear: false, coordinates, nearest }, _) => {
            let (coordinates, mode) = (Coordinates::from_name(coordinates)?, Nearest::from_name(nearest)?);
            resize::nearest(x, shape, coordinates, mode, buffers)
        }
        (Op::SpaceToDepth { block }, _) => movement::space_to_depth(x, *block, buffers),
        (Op::DepthToSpace { block, column_row_depth }, _) => {
            movement::depth_to_space(x, *block, *column_row_depth, buffers)
        }
        (Op::MatMul, &[y]) => adapter::matmul(x, y, shape),
        _ => Err(Problem::Invalid(format!("{} inputs, which is not the number expected", rest.len() + 1))),
    }
}

#[cfg(test)]
mod tests;
