//! SOFTMAX of 16-bit integers, in the arithmetic of LiteRT: two tables of 512 steps, and straight lines between.
//!
//! ```text
//! e_k = e^(s · beta · (x_k − max x))    from a table on [−10, 0], in units of 2^−15
//! y_k = e_k / Σ e                       the reciprocal from a table of 1 / (1 + x) on [0, 1]
//! ```

use std::sync::LazyLock;

use network::{fixed_point_multiplier, multiply_fixed_point, saturated_16};

use crate::array::Array;
use crate::error::Problem;

/// Steps of a table, and integers of the argument in each.
const STEPS: i32 = 512;
const STEP_BITS: u32 = 7;
/// Steps that 16-bit integers make.
const RANGE: f64 = 65535.0;
/// The most numbers of a row, whose sum 32 bits hold.
const MOST: usize = 1 << 16;
/// The smallest exponent.
const LEAST: f64 = -10.0;

static EXPONENTIALS: LazyLock<Table> = LazyLock::new(|| Table::new([LEAST, 0.0], f64::exp));
static RECIPROCALS: LazyLock<Table> = LazyLock::new(|| Table::new([0.0, 1.0], |x| 1.0 / (1.0 + x)));

/// A function of all 16-bit integers, as values of the same type.
struct Table(Vec<i32>);

impl Table {
    /// Tabulates a function on `[from, to]`, in units of `2^−15`. Each value is moved by half of what a straight line to the
    /// next is off in the middle.
    fn new([from, to]: [f64; 2], function: impl Fn(f64) -> f64) -> Self {
        let step = (to - from) / f64::from(STEPS);
        let scaled = |x: f64| function(x) * 32768.0;
        let value = |i: i32| {
            let (x, next) = (from + f64::from(i) * step, from + f64::from(i + 1) * step);
            let (here, middle) = (scaled(x).round(), scaled(x + step / 2.0).round());
            let off = ((scaled(next) + here) / 2.0).round() - middle;
            here - (off / 2.0).round()
        };
        let values = (0..STEPS).map(value).chain([scaled(to).round()]);
        Self(values.map(|value| value.clamp(-32768.0, 32767.0) as i32).collect())
    }

    /// The function of a 16-bit integer.
    fn at(&self, x: i32) -> i32 {
        let place = (x >> STEP_BITS) + STEPS / 2;
        let part = x & ((1 << STEP_BITS) - 1);
        let (low, high) = (self.0[place as usize], self.0[place as usize + 1]);
        low + (((high - low) * part + (1 << (STEP_BITS - 1))) >> STEP_BITS)
    }
}

/// The softmax along one axis; `scale` is that of the input, times beta.
pub(super) fn lite_rt(mut x: Array, axis: usize, scale: f32) -> Result<Array, Problem> {
    if axis >= x.shape.len() {
        return Err(Problem::Invalid(format!("axis {axis} of {:?}", x.shape)));
    }
    let to_table = fixed_point_multiplier(f64::from(scale) / (-LEAST / RANGE));
    let to_table = to_table.ok_or_else(|| Problem::Unsupported(format!("a softmax of integers of scale {scale:e}")))?;
    let [_, count, inner] = x.around(axis);
    if count > MOST {
        return Err(Problem::Unsupported(format!("a softmax of {count} integers of 16 bits; {MOST} are handled")));
    }
    let mut row = vec![0; count];
    for block in x.data.chunks_exact_mut((count * inner).max(1)) {
        for i in 0..inner {
            row.iter_mut().enumerate().for_each(|(k, x)| *x = block[k * inner + i] as i32);
            normalize(&mut row, to_table, &EXPONENTIALS, &RECIPROCALS);
            row.iter().enumerate().for_each(|(k, y)| block[k * inner + i] = *y as f32);
        }
    }
    Ok(x)
}

/// The softmax of a row of integers.
fn normalize(row: &mut [i32], (multiplier, shift): (i32, i32), exponentials: &Table, reciprocals: &Table) {
    let largest = row.iter().copied().max().unwrap_or(0);
    for x in row.iter_mut() {
        let distance = multiply_fixed_point(*x - largest, multiplier, shift);
        *x = exponentials.at(saturated_16(i64::from(distance) + i64::from(i16::MAX)));
    }
    let sum: i32 = row.iter().sum();
    // The sum is 2^(31 − zeros) times a number from 1 to 2.
    let zeros = (sum as u32).leading_zeros();
    let shifted = ((i64::from(sum) << (zeros - 1)) + (1 << 13)) >> 14;
    let reciprocal = reciprocals.at(saturated_16(shifted - (1 << 15) - (1 << 16)));
    let right = 31 - zeros;
    for x in row {
        let product = i64::from(*x) * i64::from(reciprocal);
        *x = ((product + (1 << (right - 1))) >> right).clamp(0, i64::from(i16::MAX)) as i32;
    }
}
