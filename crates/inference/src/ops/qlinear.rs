//! Operators on the integers of quantized activations, in the order of arithmetic that [`QLinearFunction`] states.

use network::{ActivationQuantization, Pool, QLinear, QLinearFunction};

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::{self, map, zip};
use crate::ops::movement;
use crate::ops::pooling::{self, Statistic};
use crate::ops::reduce::{self, Reduction};

/// Runs one operator. `inputs` hold integers, and so does the result, of shape `shape`.
pub(crate) fn run(op: &QLinear, inputs: Vec<Input>, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    if inputs.len() != op.inputs.len() {
        let (found, expected) = (inputs.len(), op.inputs.len());
        return Err(Problem::Invalid(format!("{found} inputs; {expected} are expected")));
    }
    let to = Output::new(op.output);
    if let QLinearFunction::Concat { axis } = op.function {
        return concat(op, inputs, axis, buffers);
    }
    let mut inputs = inputs.into_iter().zip(&op.inputs);
    let (x, &from) = inputs.next().ok_or_else(|| Problem::Invalid("no input".to_string()))?;
    match (&op.function, inputs.next()) {
        (QLinearFunction::Add, Some((y, &other))) => zip(x, y, buffers, adder([from, other], to)),
        (QLinearFunction::Mul, Some((y, &other))) => {
            let (za, zb) = (from.zero_point as f32, other.zero_point as f32);
            let factor = from.scale * other.scale / to.scale;
            zip(x, y, buffers, |a, b| to.clamp(((a - za) * (b - zb) * factor + to.zero_point).round_ties_even()))
        }
        (QLinearFunction::AveragePool(pool), None) => average_pool(x, from, pool, to, shape, buffers),
        (QLinearFunction::GlobalAveragePool, None) => global_average(x, from, to, buffers),
        (QLinearFunction::Sigmoid, None) => Ok(map(x, buffers, |q| to.of(elementwise::sigmoid(real(q, from))))),
        (QLinearFunction::LeakyRelu { alpha }, None) => {
            let leaky = |x: f32| if x < 0.0 { alpha * x } else { x };
            Ok(map(x, buffers, |q| to.of(leaky(real(q, from)))))
        }
        (QLinearFunction::Softmax { axis }, None) => {
            let x = map(x, buffers, |q| real(q, from));
            let soft = reduce::softmax(Input::Owned(x), *axis, false, buffers)?;
            Ok(map(Input::Owned(soft), buffers, |x| to.of(x)))
        }
        _ => Err(Problem::Invalid("not the number of inputs that is expected".to_string())),
    }
}

/// How the output is quantized.
#[derive(Clone, Copy)]
struct Output {
    scale: f32,
    zero_point: f32,
    min: f32,
    max: f32,
}

impl Output {
    fn new(q: ActivationQuantization) -> Self {
        Self { scale: q.scale, zero_point: q.zero_point as f32, min: q.min as f32, max: q.max as f32 }
    }

    /// The integer of a real number, as QuantizeLinear has it.
    fn of(self, x: f32) -> f32 {
        self.clamp((x / self.scale).round_ties_even() + self.zero_point)
    }

    fn clamp(self, integer: f32) -> f32 {
        integer.clamp(self.min, self.max)
    }
}

fn real(q: f32, from: ActivationQuantization) -> f32 {
    (q - from.zero_point as f32) * from.scale
}

fn adder([a, b]: [ActivationQuantization; 2], to: Output) -> impl Fn(f32, f32) -> f32 {
    let (ratio_a, ratio_b) = (a.scale / to.scale, b.scale / to.scale);
    let offset = to.zero_point - ratio_a.mul_add(a.zero_point as f32, ratio_b * b.zero_point as f32);
    move |a, b| to.clamp(a.mul_add(ratio_a, b.mul_add(ratio_b, offset)).round_ties_even())
}

fn average_pool(
    x: Input,
    from: ActivationQuantization,
    pool: &Pool,
    to: Output,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let x = map(x, buffers, |q| real(q, from));
    let means = pooling::pool(&x, pool, Statistic::Mean, shape, buffers)?;
    buffers.give(x.data);
    Ok(map(Input::Owned(means), buffers, |mean| to.clamp((mean / to.scale + to.zero_point).round_ties_even())))
}

/// Sums of at most 2^16 integers of 8 bits are exact in 32-bit float; those of more are not made here.
fn global_average(x: Input, from: ActivationQuantization, to: Output, buffers: &mut Buffers) -> Result<Array, Problem> {
    let array = x.array();
    let count: usize = array.shape.iter().skip(2).product();
    if count > 1 << 16 {
        return Err(Problem::Unsupported(format!("a mean of {count} integers; 65536 at most")));
    }
    let space: Vec<usize> = (2..array.shape.len()).collect();
    let zero_point = from.zero_point as f32;
    let centred = map(x, buffers, |q| q - zero_point);
    let sums = reduce::reduce(&centred, Reduction::Sum, &space, true, buffers)?;
    buffers.give(centred.data);
    let factor = from.scale / (to.scale * count as f32);
    Ok(map(Input::Owned(sums), buffers, |sum| to.clamp((sum * factor).round_ties_even() + to.zero_point)))
}

/// Inputs quantized as the output go through as they are.
fn concat(op: &QLinear, inputs: Vec<Input>, axis: usize, buffers: &mut Buffers) -> Result<Array, Problem> {
    let to = Output::new(op.output);
    let parts: Vec<Array> = inputs
        .into_iter()
        .zip(&op.inputs)
        .map(|(x, &from)| match (from.scale, from.zero_point) == (op.output.scale, op.output.zero_point) {
            true => x.into_owned(buffers),
            false => map(x, buffers, |q| to.of(real(q, from))),
        })
        .collect();
    let rest: Vec<&Array> = parts[1..].iter().collect();
    let result = movement::concat(&parts[0], &rest, axis, buffers)?;
    parts.into_iter().for_each(|part| buffers.give(part.data));
    Ok(result)
}

/// DynamicQuantizeLinear: integers from 0 to 255 over the range of `x`, 0 included, their scale and zero point.
pub(crate) fn dynamic(x: Input, buffers: &mut Buffers) -> [Array; 3] {
    let (low, high) = x.array().data.iter().fold((0.0f32, 0.0f32), |(low, high), &x| (low.min(x), high.max(x)));
    let scale = if high == low { 1.0 } else { (high - low) / 255.0 };
    let zero_point = (-low / scale).clamp(0.0, 255.0).round_ties_even();
    let integers = map(x, buffers, |x| ((x / scale).round_ties_even() + zero_point).clamp(0.0, 255.0));
    [integers, Array::new(vec![], vec![scale]), Array::new(vec![], vec![zero_point])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(scale: f32, zero_point: i32) -> ActivationQuantization {
        ActivationQuantization { scale, zero_point, min: 0, max: 255 }
    }

    fn apply(function: QLinearFunction, inputs: &[ActivationQuantization], x: &[f32]) -> Vec<f32> {
        let op = QLinear { function, inputs: inputs.to_vec(), output: linear(0.5, 10) };
        let array = Array::new(vec![1, 1, 1, x.len()], x.to_vec());
        let shape = match op.function {
            QLinearFunction::GlobalAveragePool => vec![1, 1, 1, 1],
            _ => array.shape.clone(),
        };
        let values = inputs.iter().map(|_| Input::Shared(&array)).collect();
        run(&op, values, &shape, &mut Buffers::default()).expect("it runs").data
    }

    #[test]
    fn integers_are_those_of_onnxruntime() {
        let (one, half) = (linear(1.0, 5), linear(0.25, 4));
        assert_eq!(apply(QLinearFunction::Add, &[half, half], &[4.0, 5.0, 7.0, 255.0]), [10.0, 11.0, 13.0, 255.0]);
        assert_eq!(apply(QLinearFunction::Mul, &[one, half], &[5.0, 6.0, 7.0, 0.0]), [10.0, 11.0, 13.0, 20.0]);
        assert_eq!(apply(QLinearFunction::LeakyRelu { alpha: 0.5 }, &[one], &[5.0, 7.0, 0.0]), [10.0, 14.0, 5.0]);
        assert_eq!(apply(QLinearFunction::GlobalAveragePool, &[half], &[5.0, 5.0, 5.0, 5.0]), [10.0]);
        assert_eq!(apply(QLinearFunction::Sigmoid, &[one], &[5.0]), [11.0]);
    }

    #[test]
    fn the_range_of_dynamic_quantization_includes_0() {
        let of = |x: &[f32]| {
            let array = Array::new(vec![x.len()], x.to_vec());
            dynamic(Input::Owned(array), &mut Buffers::default()).map(|array| array.data)
        };
        assert_eq!(of(&[51.0, 25.5]), [vec![255.0, 128.0], vec![0.2], vec![0.0]]);
        assert_eq!(of(&[-51.0, 0.0]), [vec![0.0, 255.0], vec![0.2], vec![255.0]]);
        assert_eq!(of(&[0.0]), [vec![0.0], vec![1.0], vec![0.0]]);
    }
}
