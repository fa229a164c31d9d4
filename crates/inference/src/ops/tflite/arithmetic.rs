//! Sums, products, reductions, and real numbers to integers.

use network::{ActivationQuantization, fixed_point_multiplier, multiply_fixed_point};

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::{gather_strided, strides};

type Quantization = ActivationQuantization;

/// A real factor as integer kernels multiply with it.
#[derive(Clone, Copy, Debug)]
struct Multiplier {
    mantissa: i32,
    shift: i32,
}

impl Multiplier {
    fn new(real: f64) -> Result<Self, Problem> {
        let (mantissa, shift) = fixed_point_multiplier(real)
            .ok_or_else(|| Problem::Unsupported(format!("the ratio {real:e} of scales; below 2^31 is handled")))?;
        Ok(Self { mantissa, shift })
    }

    fn apply(self, x: i32) -> i32 {
        multiply_fixed_point(x, self.mantissa, self.shift)
    }

    /// Divided by a count, at least 1: as many bits are put behind the point as the count has, at most 32, and taken back
    /// by the shift.
    fn divided(self, count: usize) -> Self {
        let bits = (count.ilog2() as i32).min(32).min(31 + self.shift);
        let mantissa = (i64::from(self.mantissa) << bits) / count as i64;
        Self { mantissa: mantissa as i32, shift: self.shift - bits }
    }
}

fn clamp(x: i32, q: &Quantization) -> i32 {
    x.saturating_add(q.zero_point).clamp(q.min, q.max)
}

/// ADD and SUB: both inputs are shifted left by 20 bits, brought to twice the larger scale, and the sum to the output's.
pub(super) struct Sum {
    zero_points: [i32; 2],
    inputs: [Multiplier; 2],
    result: Multiplier,
    output: Quantization,
    subtract: bool,
}

/// Bits by which sums have more precision than their inputs.
const HEADROOM: i32 = 20;

impl Sum {
    pub(super) fn new(inputs: &[Quantization; 2], output: &Quantization, subtract: bool) -> Result<Self, Problem> {
        let twice = f64::from(2.0 * inputs[0].scale.max(inputs[1].scale));
        Ok(Self {
            zero_points: [inputs[0].zero_point, inputs[1].zero_point],
            inputs: [
                Multiplier::new(f64::from(inputs[0].scale) / twice)?,
                Multiplier::new(f64::from(inputs[1].scale) / twice)?,
            ],
            result: Multiplier::new(twice / (f64::from(1 << HEADROOM) * f64::from(output.scale)))?,
            output: *output,
            subtract,
        })
    }

    pub(super) fn apply(&self, a: i32, b: i32) -> i32 {
        let scaled = |x: i32, i: usize| self.inputs[i].apply((x - self.zero_points[i]) << HEADROOM);
        let (a, b) = (scaled(a, 0), scaled(b, 1));
        clamp(self.result.apply(if self.subtract { a - b } else { a + b }), &self.output)
    }
}

/// MUL.
pub(super) struct Product {
    zero_points: [i32; 2],
    multiplier: Multiplier,
    output: Quantization,
}

impl Product {
    pub(super) fn new(inputs: &[Quantization; 2], output: &Quantization) -> Result<Self, Problem> {
        let multiplier = Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / output.scale))?;
        Ok(Self { zero_points: [inputs[0].zero_point, inputs[1].zero_point], multiplier, output: *output })
    }

    pub(super) fn apply(&self, a: i32, b: i32) -> i32 {
        let product = (a - self.zero_points[0]) * (b - self.zero_points[1]);
        clamp(self.multiplier.apply(product), &self.output)
    }
}

/// PRELU.
pub(super) struct Prelu {
    zero_points: [i32; 2],
    above: Multiplier,
    below: Multiplier,
    output: Quantization,
}

impl Prelu {
    pub(super) fn new(inputs: &[Quantization; 2], output: &Quantization) -> Result<Self, Problem> {
        Ok(Self {
            zero_points: [inputs[0].zero_point, inputs[1].zero_point],
            above: Multiplier::new(f64::from(inputs[0].scale / output.scale))?,
            below: Multiplier::new(f64::from(inputs[0].scale * inputs[1].scale / output.scale))?,
            output: *output,
        })
    }

    pub(super) fn apply(&self, x: i32, slope: i32) -> i32 {
        let (x, slope) = (x - self.zero_points[0], slope - self.zero_points[1]);
        let scaled = if x >= 0 { self.above.apply(x) } else { self.below.apply(x * slope) };
        clamp(scaled, &self.output)
    }
}

/// Combines two arrays of one rank, broadcast to `shape`.
pub(super) fn zip(
    x: Input,
    y: &Array,
    shape: &[usize],
    buffers: &mut Buffers,
    f: impl Fn(i32, i32) -> i32,
) -> Result<Array, Problem> {
    let mut array = stretched(x.array(), shape, buffers)?;
    x.recycle(buffers);
    let other = stretched(y, shape, buffers)?;
    array.data.iter_mut().zip(&other.data).for_each(|(a, &b)| *a = f(*a as i32, b as i32) as f32);
    buffers.give(other.data);
    Ok(array)
}

/// An array broadcast to a shape of its rank.
fn stretched(x: &Array, shape: &[usize], buffers: &mut Buffers) -> Result<Array, Problem> {
    let fits = x.shape.len() == shape.len() && x.shape.iter().zip(shape).all(|(from, to)| from == to || *from == 1);
    if !fits {
        return Err(Problem::Invalid(format!("shape {:?} does not broadcast to {shape:?}", x.shape)));
    }
    let steps: Vec<isize> =
        strides(&x.shape).iter().zip(&x.shape).map(|(&step, &extent)| if extent == 1 { 0 } else { step }).collect();
    Ok(Array::new(shape.to_vec(), gather_strided(&x.data, 0, shape, &steps, buffers)))
}

/// QUANTIZE of real numbers: `round(x / scale) + zero_point`, ties away from 0.
pub(super) fn quantize(x: Input, output: &Quantization, buffers: &mut Buffers) -> Array {
    let mut array = x.into_owned(buffers);
    // A float converts to an integer saturating.
    array.data.iter_mut().for_each(|x| *x = clamp((*x / output.scale).round() as i32, output) as f32);
    array
}

/// MEAN over axes: the number of elements is part of the multiplier.
pub(super) fn mean(
    x: &Array,
    axes: &[usize],
    [input, output]: [&Quantization; 2],
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    if axes.iter().any(|&axis| axis >= x.shape.len()) {
        return Err(Problem::Invalid(format!("axes {axes:?} of {:?}", x.shape)));
    }
    let count: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    if count == 0 {
        return Err(Problem::Invalid(format!("nothing to average in {:?}", x.shape)));
    }
    let (all, rank) = (strides(&x.shape), x.shape.len());
    let kept = (0..rank).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    let extents: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
    let steps: Vec<isize> = order.iter().map(|&axis| all[axis]).collect();
    let rows = gather_strided(&x.data, 0, &extents, &steps, buffers);
    let multiplier = Multiplier::new(f64::from(input.scale) / f64::from(output.scale))?.divided(count);
    let offset = count as i64 * i64::from(input.zero_point);
    let mut data = buffers.take(shape.iter().product());
    data.extend(rows.chunks_exact(count).map(|row| {
        let sum = row.iter().map(|&q| q as i64).sum::<i64>() - offset;
        clamp(multiplier.apply(sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32), output) as f32
    }));
    buffers.give(rows);
    Ok(Array::new(shape.to_vec(), data))
}
