//! How PyTorch computes one weight of several tensors.
//!
//! Numbers are rounded to the type of the weight after every operation, as PyTorch rounds them. A norm and a product of a
//! matrix and a vector are summed in 64 bits and rounded once; PyTorch sums in another order, and may be a rounding off.
//!
//! Source: `torch/nn/utils/prune.py`, `parametrizations.py`, `weight_norm.py` and `spectral_norm.py` of PyTorch 2.

use network::{DataType, Tensor};

use super::WeightTensor;
use crate::reading::fault::{Fault, invalid};

/// One step from a stored tensor to a weight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// `w · mask`. A mask of one axis has a number for each filter.
    Mask(&'a WeightTensor),
    /// `w · (length / |w|)`, the norm over all axes but that along which there are lengths.
    Length(&'a WeightTensor),
    /// `w / (uᵀ W v)`, where `W` is the weight as a matrix. In the mode of evaluation `u` and `v` stay as they are.
    Spectral {
        /// One number for each row of `W`.
        left: &'a WeightTensor,
        /// One number for each column of `W`.
        right: &'a WeightTensor,
    },
}

impl<'a> Step<'a> {
    /// The tensors beside the weight.
    pub(super) fn parts(self) -> Vec<&'a WeightTensor> {
        match self {
            Self::Mask(part) | Self::Length(part) => vec![part],
            Self::Spectral { left, right } => vec![left, right],
        }
    }

    /// The weight in words, `w` being what it was before; `name` shortens names of tensors.
    pub(super) fn text(self, w: &str, name: impl Fn(&WeightTensor) -> String) -> String {
        match self {
            Self::Mask(mask) => format!("{w} · {}", name(mask)),
            Self::Length(length) => format!("{} · {w} / |{w}|", name(length)),
            Self::Spectral { left, right } => format!("{w} / ({} · {w} · {})", name(left), name(right)),
        }
    }

    /// Whether the step fits a weight of this shape.
    pub(super) fn fits(self, shape: &[usize]) -> bool {
        match self {
            Self::Mask(mask) => mask.shape == shape || (shape.len() > 1 && mask.shape == shape[..1]),
            Self::Length(length) => length_axis(&length.shape, shape).is_some(),
            Self::Spectral { left, right } => !rows_axes(left, right, shape).is_empty(),
        }
    }
}

/// The weight that `base` becomes, row-major, in the type of `base`; none where the numbers do not tell which of two ways
/// a step takes.
pub(super) fn compute(base: &WeightTensor, steps: &[Step<'_>]) -> Result<Option<Tensor>, Fault> {
    let data_type = base.tensor.data_type;
    let mut values = numbers(base)?;
    for &step in steps {
        if apply(step, &mut values, &base.shape, data_type)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(Tensor::from_reals(data_type, base.shape.clone(), &values)))
}

/// The numbers of a tensor, row-major; integers and bool become real.
pub(super) fn numbers(tensor: &WeightTensor) -> Result<Vec<f64>, Fault> {
    let stored = tensor.in_order();
    let numbers = match stored.data_type.is_real() {
        true => stored.to_f64(),
        false => stored.to_i64().map(|values| values.into_iter().map(|value| value as f64).collect()),
    };
    numbers.map_err(|e| invalid!("tensor {:?}: {e}", tensor.name))
}

/// Does one step; none where the numbers do not tell which of two ways it takes.
fn apply(step: Step<'_>, values: &mut [f64], shape: &[usize], data_type: DataType) -> Result<Option<()>, Fault> {
    match step {
        Step::Mask(mask) => {
            let inner = values.len() / mask.tensor.element_count().max(1);
            let mask = numbers(mask)?;
            values.iter_mut().enumerate().for_each(|(i, value)| *value = data_type.rounded(*value * mask[i / inner]));
        }
        Step::Length(length) => {
            let axis = length_axis(&length.shape, shape).expect("the caller has asked whether the step fits");
            let part = parts_along(axis, shape);
            let lengths = numbers(length)?;
            let mut squares = vec![0.0; lengths.len()];
            values.iter().enumerate().for_each(|(i, value)| squares[part(i)] += value * value);
            let norm = |square: f64| data_type.rounded(square.sqrt());
            let factor = |(length, square): (f64, f64)| data_type.rounded(length / norm(square));
            let factors: Vec<f64> = lengths.into_iter().zip(squares).map(factor).collect();
            values.iter_mut().enumerate().for_each(|(i, value)| *value = data_type.rounded(*value * factors[part(i)]));
        }
        Step::Spectral { left, right } => {
            let axes = rows_axes(left, right, shape);
            let Some(sigma) = sigma(values, shape, &axes, [&numbers(left)?, &numbers(right)?], data_type) else {
                return Ok(None);
            };
            values.iter_mut().for_each(|value| *value = data_type.rounded(*value / sigma));
        }
    }
    Ok(Some(()))
}

/// The axis of a weight that has a length for each of its parts: `Some(None)` where there is one length for all.
#[allow(clippy::option_option, reason = "a length of the whole weight fits it as well")]
fn length_axis(lengths: &[usize], shape: &[usize]) -> Option<Option<usize>> {
    if lengths.is_empty() {
        return Some(None);
    }
    let is_axis = |&axis: &usize| {
        let own = |(i, &extent): (usize, &usize)| if i == axis { extent == shape[i] } else { extent == 1 };
        lengths.iter().enumerate().all(own)
    };
    (lengths.len() == shape.len()).then(|| (0..shape.len()).find(is_axis)).flatten().map(Some)
}

/// Which part of the axis an element of a row-major tensor belongs to.
fn parts_along(axis: Option<usize>, shape: &[usize]) -> impl Fn(usize) -> usize {
    let inner: usize = axis.map_or(1, |axis| shape[axis + 1..].iter().product());
    let extent = axis.map_or(1, |axis| shape[axis]);
    move |i| i / inner % extent
}

/// The axes of a weight that its matrix may have as rows: 0, or 1 of a transposed convolution. `u` and `v` tell it by
/// their lengths, unless both axes have one extent.
fn rows_axes(left: &WeightTensor, right: &WeightTensor, shape: &[usize]) -> Vec<usize> {
    let count: usize = shape.iter().product();
    let fits = |&axis: &usize| {
        let rows = shape[axis];
        rows > 0 && left.shape == [rows] && right.shape == [count / rows]
    };
    (0..shape.len().min(2)).filter(fits).collect()
}

/// The least cosine of the angle between `u` and `W v` by which the rows are known.
const NEAR: f64 = 0.9;

/// `uᵀ W v`, where the rows of `W` are the parts of one of `axes`.
///
/// Of two axes it is the one that `u` was computed along, in the last step of the power iteration: `u = W v / |W v|`.
/// Only the last step of training lies between the two. None where that does not tell the axes apart.
fn sigma(values: &[f64], shape: &[usize], axes: &[usize], [u, v]: [&[f64]; 2], data_type: DataType) -> Option<f64> {
    let products = axes.iter().map(|&axis| products(values, shape, axis, v));
    let is_rows = |products: &Vec<f64>| axes.len() == 1 || cosine(u, products) >= NEAR;
    let of_rows = |products: Vec<f64>| {
        let sum: f64 = products.iter().zip(u).map(|(&product, u)| u * data_type.rounded(product)).sum();
        data_type.rounded(sum)
    };
    let mut possible: Vec<f64> = products.filter(is_rows).map(of_rows).collect();
    possible.dedup();
    if let [sigma] = possible[..] { Some(sigma) } else { None }
}

/// `W v`, where the rows of `W` are the parts of `axis`.
fn products(values: &[f64], shape: &[usize], axis: usize, v: &[f64]) -> Vec<f64> {
    let inner: usize = shape[axis + 1..].iter().product();
    let extent = shape[axis];
    let mut products = vec![0.0; extent];
    for (i, value) in values.iter().enumerate() {
        // The axes before and behind that of the rows are the column, in this order.
        let column = i / (inner * extent) * inner + i % inner;
        products[i / inner % extent] += value * v[column];
    }
    products
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
