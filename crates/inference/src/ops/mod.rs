//! Every operator of a graph that is not a MAC layer: real ones in 32-bit float, those on integers in [`integer`].

mod elementwise;
mod integer;
mod levels;
mod movement;
mod normalize;
mod pooling;
mod quantize;
mod recurrent;
mod reduce;
mod resize;
mod strided;
mod whole;

use network::{Binary, DataType, Op, Reduction, Unary};

use crate::adapter;
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use elementwise::{map, zip};
use pooling::Statistic;

pub(crate) use integer::check as check_integer;
pub(crate) use quantize::integer_range;
pub(crate) use recurrent::{Asked, Walk, shaped};
pub(crate) use resize::check_coordinates;
pub(crate) use strided::{gather_strided, strides};
pub(crate) use whole::is_computed as is_computed_on_integers;

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
    // What is left goes on to `owning`, and from there to `sharing`, which names every operator.
    #[allow(clippy::wildcard_enum_match_arm)]
    match op {
        Op::Split { axis } => split(inputs.remove(0), *axis, outputs, buffers),
        Op::Where => Ok(vec![choose(inputs, buffers)?]),
        Op::Integer(op) => Ok(vec![integer::run(op, inputs, &output.shape, buffers)?]),
        Op::Quant(quant) => Ok(vec![levels::run(*quant, inputs, buffers)?]),
        Op::Recurrent(recurrent) => {
            let arrays: Vec<&Array> = inputs.iter().map(Input::array).collect();
            recurrent::outputs(recurrent, &arrays, outputs)
        }
        Op::DynamicQuantizeLinear => Ok(quantize::dynamic(inputs.remove(0), buffers).into()),
        Op::Unary(function) => {
            let x = inputs.remove(0);
            inputs.into_iter().for_each(|input| input.recycle(buffers));
            Ok(vec![unary(*function)(x, buffers)])
        }
        Op::Binary(function) => match output.data_type.filter(|&data_type| whole::is_computed(*function, data_type)) {
            Some(data_type) => Ok(vec![on_integers(*function, inputs, data_type, buffers)?]),
            None => Ok(vec![binary(*function, inputs, buffers)?]),
        },
        op => {
            let x = inputs.remove(0);
            let rest: Vec<&Array> = inputs.iter().map(Input::array).collect();
            let result = owning(op, x, &rest, output, buffers)?;
            inputs.into_iter().for_each(|input| input.recycle(buffers));
            Ok(vec![result])
        }
    }
}

type Loop = Box<dyn Fn(Input, &mut Buffers) -> Array>;

/// Operators on one element at a time. The box holds the whole loop, so that each loop is compiled on its own.
fn unary(function: Unary) -> Loop {
    fn each(f: impl Fn(f32) -> f32 + 'static) -> Loop {
        Box::new(move |input, buffers| map(input, buffers, &f))
    }
    match function {
        Unary::Relu => each(elementwise::relu),
        Unary::Clip { min, max } => each(move |x| elementwise::clip(x, min, max)),
        Unary::LeakyRelu { alpha } => each(move |x| if x < 0.0 { alpha * x } else { x }),
        Unary::Elu { alpha } => each(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x }),
        Unary::Selu { alpha, gamma } => each(move |x| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x }),
        Unary::Celu { alpha } => each(move |x| if x < 0.0 { alpha * (x / alpha).exp_m1() } else { x }),
        Unary::ThresholdedRelu { alpha } => each(move |x| if x > alpha || x.is_nan() { x } else { 0.0 }),
        Unary::Shrink { lambda, bias } => each(move |x| elementwise::shrink(x, lambda, bias)),
        Unary::HardSigmoid { alpha, beta } => each(move |x| elementwise::clip(alpha * x + beta, 0.0, 1.0)),
        Unary::HardSwish => each(|x| x * elementwise::clip(x / 6.0 + 0.5, 0.0, 1.0)),
        Unary::Sigmoid => each(elementwise::sigmoid),
        Unary::Tanh => each(f32::tanh),
        Unary::Gelu { approximate } => each(move |x| elementwise::gelu(x, approximate)),
        Unary::Softplus => each(elementwise::softplus),
        Unary::Softsign => each(|x| x / (1.0 + x.abs())),
        Unary::Sin => each(f32::sin),
        Unary::Cos => each(f32::cos),
        Unary::Tan => each(f32::tan),
        Unary::Asin => each(f32::asin),
        Unary::Acos => each(f32::acos),
        Unary::Atan => each(f32::atan),
        Unary::Sinh => each(f32::sinh),
        Unary::Cosh => each(f32::cosh),
        Unary::Acosh => each(f32::acosh),
        Unary::Atanh => each(f32::atanh),
        Unary::Mish => each(|x| x * elementwise::softplus(x).tanh()),
        Unary::Erf => each(elementwise::erf),
        Unary::Exp => each(f32::exp),
        Unary::Sqrt => each(f32::sqrt),
        Unary::Log => each(f32::ln),
        Unary::Abs => each(f32::abs),
        Unary::Neg => each(|x| -x),
        Unary::Floor => each(f32::floor),
        Unary::Ceil => each(f32::ceil),
        Unary::Round => each(f32::round_ties_even),
        Unary::Sign => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        Unary::Reciprocal => each(f32::recip),
        Unary::Not => each(|x| truth(x == 0.0)),
    }
}

/// A bool as a number.
fn truth(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

/// Functions of pairs of elements; some take any number of inputs, one after another.
fn binary(function: Binary, inputs: Vec<Input>, buffers: &mut Buffers) -> Result<Array, Problem> {
    if !function.is_variadic() && inputs.len() != 2 {
        return Err(Problem::Invalid(format!("{} inputs; 2 are expected", inputs.len())));
    }
    let mut inputs = inputs.into_iter();
    let mut result = inputs.next().expect("the caller checks that there is one");
    for next in inputs {
        result = Input::Owned(match function {
            Binary::Add => zip(result, next, buffers, |x, y| x + y),
            Binary::Sub => zip(result, next, buffers, |x, y| x - y),
            Binary::Mul => zip(result, next, buffers, |x, y| x * y),
            Binary::Div => zip(result, next, buffers, |x, y| x / y),
            Binary::Pow => zip(result, next, buffers, f32::powf),
            Binary::PRelu => zip(result, next, buffers, |x, slope| if x < 0.0 { slope * x } else { x }),
            Binary::Min => zip(result, next, buffers, elementwise::minimum),
            Binary::And => zip(result, next, buffers, |x, y| truth(x != 0.0 && y != 0.0)),
            Binary::Or => zip(result, next, buffers, |x, y| truth(x != 0.0 || y != 0.0)),
            Binary::Xor => zip(result, next, buffers, |x, y| truth((x != 0.0) != (y != 0.0))),
            Binary::Equal => zip(result, next, buffers, |x, y| truth(x == y)),
            Binary::Greater => zip(result, next, buffers, |x, y| truth(x > y)),
            Binary::GreaterOrEqual => zip(result, next, buffers, |x, y| truth(x >= y)),
            Binary::Less => zip(result, next, buffers, |x, y| truth(x < y)),
            Binary::LessOrEqual => zip(result, next, buffers, |x, y| truth(x <= y)),
            Binary::Max => zip(result, next, buffers, elementwise::maximum),
        }?);
    }
    Ok(result.into_owned(buffers))
}

/// Functions of integers, one input after another.
fn on_integers(
    function: Binary,
    inputs: Vec<Input>,
    data_type: DataType,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut inputs = inputs.into_iter();
    let mut result = inputs.next().expect("the caller checks that there is one");
    for next in inputs {
        result = Input::Owned(whole::binary(function, [result, next], data_type, buffers)?);
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

/// The further inputs of an operator that has `N` of them.
fn exactly<'a, const N: usize>(rest: &[&'a Array]) -> Result<[&'a Array; N], Problem> {
    rest.try_into().map_err(|_| Problem::Invalid(format!("{} inputs; {} are expected", rest.len() + 1, N + 1)))
}

/// A further input that is needed, by its place behind the first.
fn needed<'a>(rest: &[&'a Array], index: usize) -> Result<&'a Array, Problem> {
    let missing = || Problem::Invalid(format!("{} inputs; at least {} are expected", rest.len() + 1, index + 2));
    rest.get(index).copied().ok_or_else(missing)
}

/// Operators that may change their first input in place. `rest` are the further inputs.
fn owning(op: &Op, x: Input, rest: &[&Array], output: &ValueSpec, buffers: &mut Buffers) -> Result<Array, Problem> {
    // What is left goes on to `sharing`, which names every operator.
    #[allow(clippy::wildcard_enum_match_arm)]
    match op {
        Op::BatchNormalization { epsilon } => normalize::batch_normalization(x, exactly(rest)?, *epsilon, buffers),
        Op::LayerNormalization { axis, epsilon } => {
            let (scale, bias) = (needed(rest, 0)?, rest.get(1).copied());
            normalize::layer_normalization(x, scale, bias, *axis, *epsilon, buffers)
        }
        Op::InstanceNormalization { epsilon } => {
            let [scale, bias] = exactly(rest)?;
            normalize::instance_normalization(x, scale, bias, *epsilon, buffers)
        }
        Op::QuantizeLinear { axis } => {
            let data_type = output.data_type.unwrap_or(DataType::U8);
            quantize::quantize(x, needed(rest, 0)?, rest.get(1).copied(), *axis, data_type, buffers)
        }
        Op::DequantizeLinear { axis } => {
            quantize::dequantize(x, needed(rest, 0)?, rest.get(1).copied(), *axis, buffers)
        }
        Op::Cast => quantize::cast(x, output.data_type.unwrap_or(DataType::F32), buffers),
        Op::Softmax { axis } => reduce::softmax(x, *axis, false, buffers),
        Op::LogSoftmax { axis } => reduce::softmax(x, *axis, true, buffers),
        Op::SoftmaxFrom { axis, logarithm } => reduce::softmax_from(x, *axis, *logarithm, buffers),
        Op::Reshape => movement::reshape(x, &output.shape, buffers),
        Op::Identity => Ok(x.into_owned(buffers)),
        op => {
            let result = sharing(op, x.array(), rest, &output.shape, buffers);
            x.recycle(buffers);
            result
        }
    }
}

/// Operators that make something new from their first input.
fn sharing(op: &Op, x: &Array, rest: &[&Array], shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let space: Vec<usize> = (2..x.shape.len()).collect();
    match op {
        Op::MaxPool(pool) => pooling::pool(x, pool, Statistic::Max, shape, buffers),
        Op::AveragePool(pool) => pooling::pool(x, pool, Statistic::Mean, shape, buffers),
        Op::GlobalAveragePool => reduce::reduce(x, Reduction::Mean, &space, true, buffers),
        Op::GlobalMaxPool => reduce::reduce(x, Reduction::Max, &space, true, buffers),
        Op::Reduce { reduction, axes, keep_dims } => reduce::reduce(x, *reduction, axes, *keep_dims, buffers),
        Op::Lrn { alpha, beta, bias, size } => normalize::lrn(x, [*alpha, *beta, *bias], *size, buffers),
        Op::Concat { axis } => movement::concat(x, rest, *axis, buffers),
        Op::Pad { pads, mode, value } => movement::pad(x, pads, *mode, *value, buffers),
        Op::Slice { starts, ends, axes, steps } => {
            movement::slice(x, [starts.as_slice(), ends.as_slice(), steps.as_slice()], axes, buffers)
        }
        Op::Transpose { perm } => movement::transpose(x, perm, buffers),
        Op::Expand => movement::expand(x, shape, buffers),
        Op::Tile => movement::tile(x, shape, buffers),
        Op::Gather { axis } => {
            let [indices] = exactly(rest)?;
            movement::gather(x, indices, *axis, shape, buffers)
        }
        Op::GatherElements { axis } => {
            let [indices] = exactly(rest)?;
            movement::gather_elements(x, indices, *axis, buffers)
        }
        Op::MultiThreshold { axis, scale, bias } => {
            let [thresholds] = exactly(rest)?;
            levels::thresholds(x, thresholds, *axis, [*scale, *bias], buffers)
        }
        Op::Resize { interpolation, coordinates, scales } => {
            resize::resize(x, shape, *interpolation, *coordinates, scales.as_deref(), buffers)
        }
        Op::SpaceToDepth { block } => movement::space_to_depth(x, *block, buffers),
        Op::DepthToSpace { block, column_row_depth } => movement::depth_to_space(x, *block, *column_row_depth, buffers),
        Op::MatMul => {
            let [y] = exactly(rest)?;
            adapter::matmul(x, y, shape)
        }
        Op::Mac(_) | Op::Unsupported => Err(Problem::Unsupported("this operator is not run here".to_string())),
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Where
        | Op::Split { .. }
        | Op::Integer(_)
        | Op::Quant(_)
        | Op::DynamicQuantizeLinear
        | Op::Recurrent(_)
        | Op::BatchNormalization { .. }
        | Op::LayerNormalization { .. }
        | Op::InstanceNormalization { .. }
        | Op::QuantizeLinear { .. }
        | Op::DequantizeLinear { .. }
        | Op::Cast
        | Op::Softmax { .. }
        | Op::LogSoftmax { .. }
        | Op::SoftmaxFrom { .. }
        | Op::Reshape
        | Op::Identity => unreachable!("`run` and `owning` have taken these"),
    }
}

#[cfg(test)]
mod tests;
