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
            Self::Spectral { left, right } => rows_axis(left, right, shape).is_some(),
        }
    }
}

/// The weight that `base` becomes, row-major, in the type of `base`.
pub(super) fn compute(base: &WeightTensor, steps: &[Step<'_>]) -> Result<Tensor, Fault> {
    let data_type = base.tensor.data_type;
    let mut values = numbers(base)?;
    for &step in steps {
        apply(step, &mut values, &base.shape, data_type)?;
    }
    Ok(Tensor::from_reals(data_type, base.shape.clone(), &values))
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

fn apply(step: Step<'_>, values: &mut [f64], shape: &[usize], data_type: DataType) -> Result<(), Fault> {
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
            let axis = rows_axis(left, right, shape).expect("the caller has asked whether the step fits");
            let sigma = sigma(values, shape, axis, [&numbers(left)?, &numbers(right)?], data_type);
            values.iter_mut().for_each(|value| *value = data_type.rounded(*value / sigma));
        }
    }
    Ok(())
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

/// The axis of a weight that its matrix has as rows: 0, or 1 of a transposed convolution. `u` and `v` tell it.
fn rows_axis(left: &WeightTensor, right: &WeightTensor, shape: &[usize]) -> Option<usize> {
    let count: usize = shape.iter().product();
    let fits = |&axis: &usize| {
        let rows = shape[axis];
        rows > 0 && left.shape == [rows] && right.shape == [count / rows]
    };
    (0..shape.len().min(2)).find(fits)
}

/// `uᵀ W v`, where the rows of `W` are the parts of `axis`.
fn sigma(values: &[f64], shape: &[usize], axis: usize, [u, v]: [&[f64]; 2], data_type: DataType) -> f64 {
    let inner: usize = shape[axis + 1..].iter().product();
    let extent = shape[axis];
    let mut products = vec![0.0; extent];
    for (i, value) in values.iter().enumerate() {
        // The axes before and behind that of the rows are the column, in this order.
        let column = i / (inner * extent) * inner + i % inner;
        products[i / inner % extent] += value * v[column];
    }
    let sum: f64 = products.iter().zip(u).map(|(&product, u)| u * data_type.rounded(product)).sum();
    data_type.rounded(sum)
}
