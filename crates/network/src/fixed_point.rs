//! Sigmoid and tanh on 16-bit fixed-point numbers, to the last bit of gemmlowp.
//!
//! The integer LSTM of LiteRT has its gates in this arithmetic, and the optimized kernels of LOGISTIC and TANH have it where
//! the scale is a power of two. A number of `i` integer bits stands for `x / 2^(15 − i)`. Results have no integer bits.
//!
//! ```text
//! sigmoid(x) = 1 / (1 + e^−x)    tanh(x) = (1 − e^−2x) / (1 + e^−2x)    for x > 0; both are odd about their value at 0
//! ```
//!
//! `e^x` is a polynomial on a quarter, times a constant for each binary digit of what is left. The quotient comes from
//! three steps of Newton and Raphson. Source: gemmlowp, `fixedpoint/fixedpoint.h`.

/// One without integer bits, as near as there is.
const ONE: i32 = i16::MAX as i32;
/// One with two integer bits.
const ONE_OF_2: i32 = 1 << 13;
/// `e^(−2^k)` for `k` = −2, −1, …, 4 without integer bits, of 32 bits.
const POWERS: [i32; 7] = [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];

/// `sigmoid(x / 2^12)`, in units of `2^−15`. `x` is a 16-bit integer.
pub fn fixed_point_sigmoid(x: i32) -> i32 {
    if x == 0 {
        return 1 << 14;
    }
    let above = {
        let x = newton_raphson(exp_below_zero(-x.abs(), 3));
        shift_left(x, 1)
    };
    if x > 0 { above } else { ONE - above }
}

/// `tanh(x / 2^(15 − integer_bits))`, in units of `2^−15`. `x` is a 16-bit integer, and `integer_bits` at most 6.
pub fn fixed_point_tanh(x: i32, integer_bits: u32) -> i32 {
    if x == 0 {
        return 0;
    }
    let above = shift_left(newton_raphson(exp_below_zero(-x.abs(), integer_bits + 1)) - ONE_OF_2, 2);
    if x > 0 { above } else { -above }
}

/// `x / 2^exponent` to the nearest, ties away from 0. `exponent` is at most 31.
pub fn divide_by_power_of_two(x: i32, exponent: u32) -> i32 {
    let mask = (1i64 << exponent) - 1;
    let threshold = (mask >> 1) + i64::from(x < 0);
    ((i64::from(x) >> exponent) + i64::from(i64::from(x) & mask > threshold)) as i32
}

/// The high half of the doubled product of 16-bit integers, to the nearest, ties away from 0.
pub fn high_product_16(a: i32, b: i32) -> i32 {
    let product = a * b;
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    saturated_16(i64::from((product + nudge) / (1 << 15)))
}

/// The nearest 16-bit integer.
pub fn saturated_16(x: i64) -> i32 {
    x.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i32
}

fn shift_left(x: i32, amount: u32) -> i32 {
    saturated_16(i64::from(x) << amount)
}

/// A constant of 32 bits in 16.
fn narrow(constant: i32) -> i32 {
    divide_by_power_of_two(constant, 16)
}

/// `e^x` without integer bits, of `x` ≤ 0 with so many.
fn exp_below_zero(x: i32, integer_bits: u32) -> i32 {
    if x == 0 {
        return ONE;
    }
    let fraction_bits = 15 - integer_bits;
    // Of more than 5 integer bits, the constants below do not reach.
    if integer_bits > 5 && x < -(32 << fraction_bits) {
        return 0;
    }
    let quarter = 1 << (fraction_bits - 2);
    let within = (x & (quarter - 1)) - quarter;
    let left = within - x;
    let digits = POWERS.iter().enumerate().take(integer_bits as usize + 2);
    let is_set = |(place, _): &(usize, &i32)| left & (quarter << place) != 0;
    let start = exp_of_a_quarter(shift_left(within, integer_bits));
    digits.filter(is_set).fold(start, |result, (_, &power)| high_product_16(result, narrow(power)))
}

/// `e^x` of `x` from −1/4 to 0: the polynomial of degree 4 about −1/8.
fn exp_of_a_quarter(x: i32) -> i32 {
    let (at_centre, third) = (narrow(1_895_147_668), narrow(715_827_883));
    let x = x + (1 << 12);
    let square = high_product_16(x, x);
    let cube = high_product_16(square, x);
    let fourth = divide_by_power_of_two(high_product_16(square, square), 2);
    let higher = divide_by_power_of_two(high_product_16(fourth + cube, third) + square, 1);
    saturated_16(i64::from(at_centre + high_product_16(at_centre, x + higher)))
}

/// `2 / (1 + x)` with two integer bits, of `x` from 0 to 1 without any.
fn newton_raphson(x: i32) -> i32 {
    let half_denominator = (x + ONE + 1) / 2;
    // 48/17 − 32/17 · d is the best line to start from.
    let start = narrow(1_515_870_810) + high_product_16(half_denominator, narrow(-1_010_580_540));
    (0..3).fold(start, |x, _| {
        let error = ONE_OF_2 - high_product_16(half_denominator, x);
        x + shift_left(high_product_16(x, error), 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_near_the_function_of_real_numbers_everywhere() {
        for x in i32::from(i16::MIN)..=i32::from(i16::MAX) {
            let real = f64::from(x) / f64::from(1 << 12);
            let sigmoid = f64::from(fixed_point_sigmoid(x)) / 32768.0;
            assert!((sigmoid - 1.0 / (1.0 + (-real).exp())).abs() < 4e-4, "sigmoid of {x}: {sigmoid}");
            for integer_bits in 0..=6 {
                let real = f64::from(x) / f64::from(1 << (15 - integer_bits));
                let tanh = f64::from(fixed_point_tanh(x, integer_bits)) / 32768.0;
                assert!((tanh - real.tanh()).abs() < 8e-4, "tanh of {x} with {integer_bits} bits: {tanh}");
            }
        }
    }

    #[test]
    fn quotients_by_powers_of_two_round_ties_away_from_zero() {
        let cases = [(5, 1, 3), (-5, 1, -3), (6, 2, 2), (-6, 2, -2), (7, 3, 1), (-4, 3, -1), (-3, 3, 0), (9, 0, 9)];
        testkit::check_all(cases, |&(x, exponent, expected)| {
            assert_eq!(divide_by_power_of_two(x, exponent), expected, "{x} / 2^{exponent}");
        });
        assert_eq!(divide_by_power_of_two(i32::MIN, 31), -1);
    }
}
