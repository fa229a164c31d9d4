//! Arithmetic on integers, as runtimes have it: a result beyond the type wraps around.
//!
//! Elements are 32-bit floats, which hold integers up to 2^24. Beyond it, and where something is divided by 0, nothing is
//! computed.

use std::cell::Cell;

use network::{Binary, DataType};

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::zip;

/// The largest integer up to which a 32-bit float holds all.
const LARGEST: i64 = 1 << 24;

/// Whether a function is computed on integers of a type, to integers of the same.
pub(crate) fn is_computed(function: Binary, data_type: DataType) -> bool {
    let is_arithmetic = matches!(function, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow);
    is_arithmetic && !data_type.is_real() && data_type != DataType::Bool
}

/// A function of pairs of integers of this type.
pub(crate) fn binary(
    function: Binary,
    [a, b]: [Input; 2],
    data_type: DataType,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let failed = Cell::new(false);
    let result = zip(a, b, buffers, |x, y| {
        let number = exact(x).zip(exact(y)).and_then(|(x, y)| compute(function, x, y)).map(|n| wrapped(n, data_type));
        failed.set(failed.get() || number.is_none_or(|n| n.abs() > LARGEST));
        number.unwrap_or(0) as f32
    })?;
    match failed.get() {
        true => Err(Problem::Unsupported(format!(
            "a division of {} by 0, or a number beyond 2^24, up to which integers are exact here",
            data_type.name()
        ))),
        false => Ok(result),
    }
}

fn exact(x: f32) -> Option<i64> {
    (x.abs() <= LARGEST as f32).then_some(x as i64)
}

/// A quotient is cut off towards 0.
fn compute(function: Binary, x: i64, y: i64) -> Option<i64> {
    // No other function is asked for.
    #[allow(clippy::wildcard_enum_match_arm)]
    match function {
        Binary::Add => x.checked_add(y),
        Binary::Sub => x.checked_sub(y),
        Binary::Mul => x.checked_mul(y),
        Binary::Div => x.checked_div(y),
        Binary::Pow => x.checked_pow(u32::try_from(y).ok()?),
        _ => None,
    }
}

/// The integer of the type that has the same low bits.
fn wrapped(number: i64, data_type: DataType) -> i64 {
    let Some((least, most)) = data_type.range() else { return number };
    (number - least).rem_euclid(most - least + 1) + least
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn integers_wrap_around() {
        let cases = [
            (Binary::Add, DataType::I8, [100.0, 100.0], Some(-56.0)),
            (Binary::Sub, DataType::U8, [3.0, 5.0], Some(254.0)),
            (Binary::Mul, DataType::I16, [300.0, 300.0], Some(24464.0)),
            (Binary::Div, DataType::I32, [-7.0, 2.0], Some(-3.0)),
            (Binary::Div, DataType::I32, [7.0, 0.0], None),
            (Binary::Pow, DataType::I64, [-3.0, 3.0], Some(-27.0)),
            (Binary::Pow, DataType::I64, [3.0, -1.0], None),
            (Binary::Mul, DataType::I32, [5000.0, 5000.0], None),
            (Binary::Add, DataType::I64, [16_777_216.0, 1.0], None),
        ];
        check_all(cases, |&(function, data_type, [x, y], expected)| {
            let [a, b] = [x, y].map(|x| Input::Owned(Array::new(vec![], vec![x])));
            let found = binary(function, [a, b], data_type, &mut Buffers::default());
            assert_eq!(found.ok().map(|array| array.data[0]), expected);
        });
    }
}
