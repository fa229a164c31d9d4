//! Operators on one element, or one of each input, at a time.

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::strided::{for_each_row, merge_axes, strides};

/// Applies `f` to every element, in place where the input is not read again.
pub(crate) fn map(input: Input, buffers: &mut Buffers, f: impl Fn(f32) -> f32) -> Array {
    match input {
        Input::Owned(mut array) => {
            array.data.iter_mut().for_each(|x| *x = f(*x));
            array
        }
        Input::Shared(array) => {
            let mut data = buffers.take(array.data.len());
            data.extend(array.data.iter().map(|&x| f(x)));
            Array::new(array.shape.clone(), data)
        }
    }
}

/// Applies `f` to every pair of elements, shapes broadcast as in numpy.
pub(crate) fn zip(a: Input, b: Input, buffers: &mut Buffers, f: impl Fn(f32, f32) -> f32) -> Result<Array, Problem> {
    let shape = broadcast_shape(&a.array().shape, &b.array().shape)?;
    match (a, b) {
        (Input::Owned(mut a), b) if a.shape == shape => {
            zip_in_place(&mut a, b.array(), &f);
            b.recycle(buffers);
            Ok(a)
        }
        (a, Input::Owned(mut b)) if b.shape == shape => {
            zip_in_place(&mut b, a.array(), |y, x| f(x, y));
            a.recycle(buffers);
            Ok(b)
        }
        (a, b) => {
            let data = zip_new(a.array(), b.array(), &shape, buffers, f);
            a.recycle(buffers);
            b.recycle(buffers);
            Ok(Array::new(shape, data))
        }
    }
}

fn zip_in_place(target: &mut Array, other: &Array, f: impl Fn(f32, f32) -> f32) {
    let strides_target = strides(&target.shape);
    let strides_other = broadcast_strides(&other.shape, &target.shape);
    let (shape, [st, so]) = merge_axes(&target.shape, [&strides_target, &strides_other]);
    for_each_row(&shape, [&st, &so], |[t, o], len, [_, step]| {
        let row = &mut target.data[t as usize..t as usize + len];
        match step {
            0 => {
                let y = other.data[o as usize];
                row.iter_mut().for_each(|x| *x = f(*x, y));
            }
            _ => row.iter_mut().zip(&other.data[o as usize..]).for_each(|(x, &y)| *x = f(*x, y)),
        }
    });
}

fn zip_new(a: &Array, b: &Array, shape: &[usize], buffers: &mut Buffers, f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let mut output = buffers.take(shape.iter().product());
    let (strides_a, strides_b) = (broadcast_strides(&a.shape, shape), broadcast_strides(&b.shape, shape));
    let (shape, [sa, sb]) = merge_axes(shape, [&strides_a, &strides_b]);
    for_each_row(&shape, [&sa, &sb], |[i, j], len, steps| {
        let (a, b) = (&a.data[i as usize..], &b.data[j as usize..]);
        match steps {
            [0, 0] => output.extend((0..len).map(|_| f(a[0], b[0]))),
            [0, _] => output.extend(b[..len].iter().map(|&y| f(a[0], y))),
            [_, 0] => output.extend(a[..len].iter().map(|&x| f(x, b[0]))),
            _ => output.extend(a[..len].iter().zip(b).map(|(&x, &y)| f(x, y))),
        }
    });
    output
}

/// The shape that two shapes broadcast to.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Problem> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Problem::Invalid(format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

/// Strides of an array of shape `from` walked through as if it had shape `to`.
pub(crate) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    let missing = to.len() - from.len();
    let own = strides(from);
    (0..to.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(i) if from[i] != 1 => own[i],
            _ => 0,
        })
        .collect()
}

pub(crate) fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `x + bias` below `−lambda`, `x − bias` above `lambda`, else 0.
pub(crate) fn shrink(x: f32, lambda: f32, bias: f32) -> f32 {
    if x < -lambda {
        x + bias
    } else if x > lambda {
        x - bias
    } else if x.is_nan() {
        x
    } else {
        0.0
    }
}

/// Not `f32::clamp`: the bounds may be crossed, where ONNX says the upper one wins, and NaN stays.
pub(crate) fn clip(x: f32, min: f32, max: f32) -> f32 {
    let x = if x < min { min } else { x };
    if x > max { max } else { x }
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + e^x)`, without overflow.
pub(crate) fn softplus(x: f32) -> f32 {
    relu(x) + (-x.abs()).exp().ln_1p()
}

/// The smaller; NaN if either is.
pub(crate) fn minimum(x: f32, y: f32) -> f32 {
    if x < y || x.is_nan() { x } else { y }
}

/// The larger; NaN if either is.
pub(crate) fn maximum(x: f32, y: f32) -> f32 {
    if x > y || x.is_nan() { x } else { y }
}

pub(crate) fn gelu(x: f32, approximate: bool) -> f32 {
    if approximate {
        let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + inner.tanh())
    } else {
        0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
    }
}

/// The error function, within 2e-7: its Maclaurin series below 1, above it formula 7.1.26 of Abramowitz and Stegun,
/// "Handbook of Mathematical Functions".
pub(crate) fn erf(x: f32) -> f32 {
    let z = f64::from(x.abs());
    let magnitude = if z < 1.0 { erf_series(z) } else { erf_tail(z) };
    (magnitude as f32).copysign(x)
}

/// `2/√π · Σ (-1)^n z^(2n+1) / (n! (2n+1))`.
fn erf_series(z: f64) -> f64 {
    let (mut power, mut sum) = (z, z);
    for n in 1..14 {
        power *= -z * z / f64::from(n);
        sum += power / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn erf_tail(z: f64) -> f64 {
    const A: [f64; 5] = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
    let t = 1.0 / (1.0 + 0.3275911 * z);
    1.0 - A.iter().rev().fold(0.0, |sum, a| (sum + a) * t) * (-z * z).exp()
}
