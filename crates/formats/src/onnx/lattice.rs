//! Levels of quantizers that a file writes as plain operators.
//!
//! Training for quantization divides weights by a step, rounds them, and multiplies by the step again. Exporters write
//! these operators on constants. What they make are real numbers, and every one of them is an integer times a scale. A
//! [`Lattice`] is what is known of such numbers from the operators. Whether the numbers lie there is then seen from
//! themselves, so that an operator which moves some of them off their levels (a mask, a clip) needs no rule of its own.

use std::rc::Rc;

use esn::Grid;
use half::{bf16, f16};
use network::{DataType, Tensor, WeightQuantization};

use super::array::{Array, Data};
use crate::reading::integers::smallest;

/// Largest integer on a lattice, as large as a code may be.
const MAX_INTEGER: f64 = 65_535.0;

/// How far a number may be from its level, in steps. Numbers that pass further operators are rounded again and again.
const MAX_DEVIATION: f64 = 1.0 / 4096.0;

/// Roundings to the type of the weights that a number may be off its level, where these are larger.
const ROUNDINGS: f64 = 4.0;

/// Levels `q · scale + offset` with integers `q`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lattice {
    /// One number, or one for each part of `axis`. It may be negative, and is 0 where all elements are 0.
    scales: Rc<[f64]>,
    /// As many as there are scales.
    offsets: Rc<[f64]>,
    /// The axis of the constant that more than one scale belongs to.
    pub(super) axis: Option<usize>,
}

/// What a constant multiplies or adds: one number, or one for each part of an axis of the result.
pub(super) struct Factor {
    values: Vec<f64>,
    axis: Option<usize>,
}

impl Factor {
    /// What `x` is where it broadcasts to a result of `rank` axes. `None` where its elements differ along several axes.
    pub(super) fn of(x: &Array, rank: usize) -> Option<Self> {
        let Data::Real(values) = &x.data else { return None };
        let first = *values.first()?;
        if values.iter().all(|&value| value == first) {
            return Some(Self { values: vec![first], axis: None });
        }
        (0..x.shape.len()).filter(|&axis| x.shape[axis] > 1).find_map(|axis| {
            let inner: usize = x.shape[axis + 1..].iter().product();
            let extent = x.shape[axis];
            let depends = values.iter().enumerate().all(|(i, &value)| value == values[i / inner % extent * inner]);
            let along = || (0..extent).map(|part| values[part * inner]).collect();
            depends.then(|| Self { values: along(), axis: Some(axis + rank - x.shape.len()) })
        })
    }

    /// Whether there is one number for all elements.
    pub(super) fn is_one(&self) -> bool {
        self.axis.is_none()
    }
}

impl Lattice {
    /// All integers.
    pub(super) fn integers() -> Self {
        Self::of(vec![1.0], vec![0.0], None)
    }

    /// −1 and 1. A weight of 0 lies on every lattice.
    pub(super) fn signs() -> Self {
        Self::of(vec![2.0], vec![-1.0], None)
    }

    /// The levels of integers behind a DequantizeLinear; on the mid-rise grid they are odd.
    pub(super) fn dequantized(by: &WeightQuantization, axis: Option<usize>) -> Self {
        let count = by.scales.len().max(by.zero_points.len());
        let pairs = (0..count).map(|i| by.of(i)).map(|(scale, point)| (f64::from(scale), f64::from(point)));
        let level = |(scale, point): (f64, f64)| match by.grid {
            Grid::MidTread => (scale, -point * scale),
            Grid::MidRise => (2.0 * scale, -(point + 1.0) * scale),
        };
        let (scales, offsets) = pairs.map(level).unzip();
        Self::of(scales, offsets, axis)
    }

    /// Two levels, one of which is taken for each element.
    pub(super) fn of_two(a: &Factor, b: &Factor) -> Option<Self> {
        let zero = Self::of(vec![0.0], vec![0.0], None);
        let a = zero.with(a, |_, offset, value| (0.0, offset + value))?;
        a.with(b, |_, offset, value| (offset - value, value))
    }

    fn of(scales: Vec<f64>, offsets: Vec<f64>, axis: Option<usize>) -> Self {
        Self { scales: scales.into(), offsets: offsets.into(), axis }
    }

    /// The levels of elements that are multiplied.
    pub(super) fn times(&self, by: &Factor) -> Option<Self> {
        self.with(by, |scale, offset, value| (scale * value, offset * value))
    }

    /// The levels of elements that are divided.
    pub(super) fn divided(&self, by: &Factor) -> Option<Self> {
        self.with(by, |scale, offset, value| (scale / value, offset / value))
    }

    /// The levels of elements that something is added to.
    pub(super) fn plus(&self, more: &Factor) -> Option<Self> {
        self.with(more, |scale, offset, value| (scale, offset + value))
    }

    /// The levels of elements that something is subtracted from.
    pub(super) fn less(&self, less: &Factor) -> Option<Self> {
        self.with(less, |scale, offset, value| (scale, offset - value))
    }

    /// The levels of the opposite elements.
    pub(super) fn negated(&self) -> Self {
        let opposite = |values: &[f64]| values.iter().map(|value| -value).collect();
        Self { scales: opposite(&self.scales), offsets: opposite(&self.offsets), ..self.clone() }
    }

    /// Scales and offsets joined with the numbers of a factor. `None` where these belong to another axis.
    fn with(&self, by: &Factor, join: impl Fn(f64, f64, f64) -> (f64, f64)) -> Option<Self> {
        let axis = match (self.axis, by.axis) {
            (Some(own), Some(other)) if own != other => return None,
            (own, other) => own.or(other),
        };
        let at = |values: &[f64], i: usize| if values.len() == 1 { values[0] } else { values[i] };
        let count = self.scales.len().max(by.values.len());
        let joined = (0..count).map(|i| join(at(&self.scales, i), at(&self.offsets, i), at(&by.values, i)));
        let (scales, offsets): (Vec<f64>, Vec<f64>) = joined.unzip();
        Some(Self::of(scales, offsets, axis))
    }

    /// The same levels where their axis is moved; `None` where it is no axis any more.
    pub(super) fn moved(self, to: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        match self.axis {
            None => Some(self),
            Some(axis) => Some(Self { axis: Some(to(axis)?), ..self }),
        }
    }

    /// Weights of this type, first axis filters, as integers and what makes real numbers of them. `None` where they do not
    /// lie on the lattice, or where 0 is neither a level nor halfway between two.
    pub(super) fn place(
        &self,
        values: &[f64],
        shape: &[usize],
        data_type: DataType,
    ) -> Option<(Tensor, WeightQuantization)> {
        let filters = *shape.first()?;
        if self.axis.is_some_and(|axis| axis != 0) || (self.scales.len() > 1 && self.scales.len() != filters) {
            return None;
        }
        let length = values.len() / self.scales.len();
        if length == 0 {
            return None;
        }
        let grid = self.grid(values, length)?;
        let steps = self.steps(values, length, grid)?;
        let roundoff = ROUNDINGS * roundoff(data_type);
        let mut integers = Vec::with_capacity(values.len());
        let mut is_seen = values.iter().all(|&value| value == 0.0);
        for ((values, &step), &offset) in values.chunks_exact(length).zip(&steps).zip(&*self.offsets) {
            let step = f64::from(step);
            for &value in values {
                let near = ((value.abs() + offset.abs()) * roundoff).max(step * MAX_DEVIATION);
                integers.push(integer_of(value, step, near)?);
                is_seen |= value != 0.0 && near < step / 4.0;
            }
        }
        // Numbers of a type as coarse as the levels lie near a level wherever they lie.
        if !is_seen {
            return None;
        }
        let is_level = |q: &i32| match grid {
            Grid::MidTread => f64::from(q.abs()) <= MAX_INTEGER,
            // A weight of 0 is pruned.
            Grid::MidRise => *q == 0 || q % 2 != 0,
        };
        if !integers.iter().all(is_level) {
            return None;
        }
        let grid = if is_ternary(&integers, length) { Grid::MidTread } else { grid };
        let tensor = smallest(shape.to_vec(), &integers, &[0]);
        let data_type = tensor.data_type;
        Some((tensor, WeightQuantization { scales: steps, zero_points: vec![0], grid, data_type, clip: None }))
    }

    /// Whether 0 is a level (mid-tread) or halfway between two (mid-rise), in all filters alike. `None` for anything else.
    fn grid(&self, values: &[f64], length: usize) -> Option<Grid> {
        let parts = values.chunks_exact(length).zip(self.scales.iter().zip(&*self.offsets));
        let used = parts.filter(|(values, _)| values.iter().any(|&value| value != 0.0));
        let halves = used.map(|(_, (&scale, &offset))| {
            let halves = 2.0 * offset / scale;
            let whole = halves.round();
            let near = MAX_DEVIATION.max(whole.abs() * ROUNDINGS * f64::from(f32::EPSILON));
            let is_whole = whole.abs() <= 2.0 * MAX_INTEGER && (halves - whole).abs() <= near;
            is_whole.then_some(whole % 2.0 != 0.0)
        });
        let odd: Vec<bool> = halves.collect::<Option<_>>()?;
        let first = odd.first().copied().unwrap_or(false);
        let grid = if first { Grid::MidRise } else { Grid::MidTread };
        odd.iter().all(|&odd| odd == first).then_some(grid)
    }

    /// What one integer counts in each part: a step on the mid-tread grid, half a step on mid-rise. Where all weights are
    /// 0 that says nothing, and it is the smallest of the others.
    fn steps(&self, values: &[f64], length: usize, grid: Grid) -> Option<Vec<f32>> {
        let units = if grid == Grid::MidRise { 0.5 } else { 1.0 };
        let is_used = |values: &[f64]| values.iter().any(|&value| value != 0.0);
        let of_part = |(values, &scale): (&[f64], &f64)| is_used(values).then_some((scale.abs() * units) as f32);
        let found: Vec<Option<f32>> = values.chunks_exact(length).zip(&*self.scales).map(of_part).collect();
        if found.iter().flatten().any(|step| !step.is_normal()) {
            return None;
        }
        let smallest = found.iter().flatten().copied().reduce(f32::min).unwrap_or(1.0);
        Some(found.into_iter().map(|step| step.unwrap_or(smallest)).collect())
    }
}

/// Whether there is one magnitude beside 0 in filters. Such weights are whole steps, whether zeros come from a rounding or
/// from a mask on signs.
fn is_ternary(integers: &[i32], length: usize) -> bool {
    let mut used = integers.chunks_exact(length).filter(|part| part.iter().any(|&q| q != 0));
    integers.iter().all(|q| q.abs() <= 1) && used.any(|part| part.contains(&0))
}

/// The integer that a number is, where `step` is 1; `None` where it is farther than `near` from it.
fn integer_of(value: f64, step: f64, near: f64) -> Option<i32> {
    let whole = (value / step).round();
    let is_near = (value - whole * step).abs() <= near && whole.abs() <= 2.0 * MAX_INTEGER;
    is_near.then_some(whole as i32)
}

/// How far a number of this type is from the real number that it stands for, relative to it.
fn roundoff(data_type: DataType) -> f64 {
    let epsilon = if data_type == DataType::F16 {
        f16::EPSILON.to_f32()
    } else if data_type == DataType::Bf16 {
        bf16::EPSILON.to_f32()
    } else {
        f32::EPSILON
    };
    f64::from(epsilon) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 0.25;

    /// As the type has it.
    fn in_bf16(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        values.into_iter().map(|value| bf16::from_f64(value).to_f64()).collect()
    }

    fn placed(values: &[f64]) -> Option<Vec<i64>> {
        let lattice = Lattice::integers().times(&Factor { values: vec![STEP], axis: None })?;
        let (tensor, _) = lattice.place(values, &[1, values.len()], DataType::Bf16)?;
        Some(tensor.to_i64().expect("it has values"))
    }

    #[test]
    fn coarse_numbers_are_integers_where_small_ones_show_it() {
        let integers: Vec<i64> = (-127..=127).collect();
        let values = in_bf16(integers.iter().map(|&q| q as f64 * STEP));
        assert_eq!(placed(&values), Some(integers));
        // Something is added that is less than a step.
        let moved = in_bf16(values.iter().enumerate().map(|(i, value)| value + STEP * 0.4 * (i as f64).sin()));
        assert_eq!(placed(&moved), None);
        let large = in_bf16((64..=127).map(|q| f64::from(q) * STEP));
        assert_eq!(placed(&large), None, "each number of the type is near a level there");
    }
}
