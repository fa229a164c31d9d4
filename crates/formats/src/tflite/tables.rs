//! Operators on one integer of 8 or 16 bits, tabulated while reading by the arithmetic of the reference kernels.

use network::{
    ActivationQuantization, IntegerFunction, IntegerOp, Unary, divide_by_power_of_two, fixed_point_multiplier,
    high_product_16, saturated_16,
};

use super::quantization::Multiplier;
use crate::reading::fault::{Fault, not_run};

type Quantization = ActivationQuantization;

/// Tabulates `f` over the integers of the input; its results are clamped to the range of the output. On real numbers it is
/// `function`, or a change of scale.
pub(super) fn tabulate(
    input: &Quantization,
    output: &Quantization,
    function: Option<Unary>,
    f: impl Fn(i32) -> i32,
) -> IntegerOp {
    let table = (input.min..=input.max).map(|q| f(q).clamp(output.min, output.max)).collect();
    let function = IntegerFunction::Lookup { first: input.min, table, function };
    IntegerOp::lite_rt(function, &[*input], *output)
}

/// The same real number on another scale: `(q − z) · s_in / s_out`. QUANTIZE on integers.
pub(super) fn rescale(input: &Quantization, output: &Quantization) -> Result<IntegerOp, Fault> {
    let multiplier = Multiplier::new(f64::from(input.scale) / f64::from(output.scale))?;
    Ok(tabulate(input, output, None, |q| multiplier.apply(q - input.zero_point).saturating_add(output.zero_point)))
}

/// [`rescale`] to integers of 32 bits, which activations hold as far as 32-bit float counts exactly.
pub(super) fn rescale_to_32_bits(input: &Quantization, output: &Quantization) -> Result<IntegerOp, Fault> {
    const EXACT: u32 = 1 << 24;
    let op = rescale(input, output)?;
    if let IntegerFunction::Lookup { table, .. } = &op.function
        && let Some(beyond) = table.iter().find(|q| q.unsigned_abs() > EXACT)
    {
        return Err(not_run!("it makes the integer {beyond}; up to 2^24 is handled"));
    }
    Ok(op)
}

/// RELU and its relatives: a rescaling whose ratio is formed in 32-bit float, with the output's range clamped already.
pub(super) fn relu(input: &Quantization, output: &Quantization, function: Option<Unary>) -> Result<IntegerOp, Fault> {
    let multiplier = Multiplier::new(f64::from(input.scale / output.scale))?;
    Ok(tabulate(input, output, function, |q| multiplier.apply(q - input.zero_point).saturating_add(output.zero_point)))
}

/// An input of CONCATENATION on another scale than the output, rounded in 32-bit float.
pub(super) fn rescale_float(input: &Quantization, output: &Quantization) -> IntegerOp {
    let scale = input.scale * (1.0 / output.scale);
    let bias = -(input.zero_point as f32) * scale;
    tabulate(input, output, None, |q| ((q as f32 * scale + bias).round() as i32).saturating_add(output.zero_point))
}

/// LEAKY_RELU.
pub(super) fn leaky_relu(input: &Quantization, output: &Quantization, alpha: f32) -> Result<IntegerOp, Fault> {
    if alpha < 0.0 {
        return Err(not_run!("a negative slope on integers is not handled"));
    }
    let below = Multiplier::new(f64::from(input.scale * alpha / output.scale))?;
    let above = Multiplier::new(f64::from(input.scale / output.scale))?;
    Ok(tabulate(input, output, Some(Unary::LeakyRelu { alpha }), |q| {
        let x = q - input.zero_point;
        let scaled = if x >= 0 { above.apply(x) } else { below.apply(x) };
        scaled.saturating_add(output.zero_point)
    }))
}

/// A function of real numbers: dequantized, computed in 32-bit float, quantized by the reciprocal of the scale.
pub(super) fn function(
    input: &Quantization,
    output: &Quantization,
    function: Unary,
    f: impl Fn(f32) -> f32,
) -> IntegerOp {
    let inverse = 1.0 / output.scale;
    tabulate(input, output, Some(function), |q| {
        let y = f((q - input.zero_point) as f32 * input.scale);
        ((y * inverse).round() as i32).saturating_add(output.zero_point)
    })
}

/// HARD_SWISH in 16-bit fixed point: `x · clamp(x/6 + 1/2, 0, 1)`, the clamp as a number of `[−1, 1)` shifted up by 1
/// and halved.
pub(super) fn hard_swish(input: &Quantization, output: &Quantization) -> Result<IntegerOp, Fault> {
    let high_resolution = input.scale / 128.0;
    let narrow = |real: f32| {
        let found = fixed_point_multiplier(f64::from(real));
        let (mantissa, exponent) = found.ok_or_else(|| not_run!("the ratio of its scales is {real:e}"))?;
        let rounded = i64::from(mantissa) + (1 << 15);
        Ok(((rounded >> 16).min(i64::from(i16::MAX)) as i32, exponent))
    };
    let (to_output, output_exponent) = narrow(high_resolution / output.scale)?;
    let (to_gate, gate_exponent) = narrow(high_resolution / (3.0 / 32768.0))?;
    if output_exponent > 0 {
        return Err(not_run!("the scale of its output is below 1/128 of the input's"));
    }
    let quotient = |x: i32, exponent: i32| divide_by_power_of_two(x, exponent.clamp(0, 30) as u32);
    Ok(tabulate(input, output, Some(Unary::HardSwish), |q| {
        let x = (q - input.zero_point) << 7;
        let mut gate = x;
        if gate_exponent > 0 {
            gate = shift_left(gate, gate_exponent - 1);
        }
        gate = high_product_16(gate, to_gate);
        if gate_exponent > 0 {
            gate = shift_left(gate, 1);
        }
        if gate_exponent < 0 {
            gate = quotient(gate, -gate_exponent);
        }
        let gate = (gate + (1 << 15)) >> 1;
        let product = high_product_towards_zero(gate, high_product_16(x, to_output));
        quotient(product, -output_exponent) + output.zero_point
    }))
}

fn shift_left(x: i32, amount: i32) -> i32 {
    saturated_16(i64::from(x) << amount.clamp(0, 31))
}

/// The high half of the doubled product of 16-bit numbers, towards 0.
fn high_product_towards_zero(a: i32, b: i32) -> i32 {
    saturated_16(i64::from(a * b / (1 << 15)))
}
