//! What operators in the arithmetic of LiteRT's reference kernels share: fixed-point multipliers on 32-bit integers.
//!
//! Arrays hold the integers as 32-bit floats, exactly. Sums are formed in 64-bit integers: where those kernels would
//! overflow 32 bits, they saturate here.

use network::{ActivationQuantization, fixed_point_multiplier, multiply_fixed_point};

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::{gather_strided, strides};

/// A real factor as integer kernels multiply with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Multiplier {
    mantissa: i32,
    shift: i32,
}

impl Multiplier {
    pub(super) fn new(real: f64) -> Result<Self, Problem> {
        let (mantissa, shift) = fixed_point_multiplier(real)
            .ok_or_else(|| Problem::Unsupported(format!("the ratio {real:e} of scales; below 2^31 is handled")))?;
        Ok(Self { mantissa, shift })
    }

    pub(super) fn apply(self, x: i32) -> i32 {
        multiply_fixed_point(x, self.mantissa, self.shift)
    }

    /// Divided by a count, at least 1: as many bits are put behind the point as the count has, at most 32, and taken back
    /// by the shift.
    pub(super) fn divided(self, count: usize) -> Self {
        let bits = (count.ilog2() as i32).min(32).min(31 + self.shift);
        let mantissa = (i64::from(self.mantissa) << bits) / count as i64;
        Self { mantissa: mantissa as i32, shift: self.shift - bits }
    }
}

/// An integer without its zero point, as an integer of the output.
pub(super) fn clamp(x: i32, q: &ActivationQuantization) -> i32 {
    x.saturating_add(q.zero_point).clamp(q.min, q.max)
}

/// Combines two arrays of one rank, broadcast to `shape`.
pub(super) fn zip(
    x: Input,
    y: Input,
    shape: &[usize],
    buffers: &mut Buffers,
    f: impl Fn(i32, i32) -> i32,
) -> Result<Array, Problem> {
    let mut array = stretched(x.array(), shape, buffers)?;
    x.recycle(buffers);
    let other = stretched(y.array(), shape, buffers)?;
    y.recycle(buffers);
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
