//! QuantizeLinear, DequantizeLinear and Cast, exactly as ONNX defines them.

use half::{bf16, f16};
use network::DataType;

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::elementwise::map;

/// Smallest and largest number of an integer type of at most 16 bits, or bool.
pub(crate) fn integer_range(data_type: DataType) -> Option<[f32; 2]> {
    match data_type {
        DataType::I4 => Some([-8.0, 7.0]),
        DataType::U4 => Some([0.0, 15.0]),
        DataType::I8 => Some([i8::MIN.into(), i8::MAX.into()]),
        DataType::U8 => Some([0.0, u8::MAX.into()]),
        DataType::I16 => Some([i16::MIN.into(), i16::MAX.into()]),
        DataType::U16 => Some([0.0, u16::MAX.into()]),
        DataType::Bool => Some([0.0, 1.0]),
        DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 => None,
        DataType::F16 | DataType::Bf16 | DataType::F32 | DataType::F64 => None,
    }
}

/// `saturate(round_half_even(x / scale) + zero_point)`, in 32-bit float. It divides: multiplying by the reciprocal, which
/// is faster, rounds some ties another way.
pub(crate) fn quantize(
    x: Input,
    scale: &Array,
    zero_point: Option<&Array>,
    axis: usize,
    data_type: DataType,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let [min, max] = integer_range(data_type).filter(|_| data_type != DataType::Bool).ok_or_else(|| {
        Problem::Unsupported(format!("quantizing to {}; 4, 8 and 16 bits are handled", data_type.name()))
    })?;
    let mut array = x.into_owned(buffers);
    for_each_scale(&mut array, scale, zero_point, axis, |row, scale, zero_point| {
        lanes::run(
            #[inline(always)]
            move || row.iter_mut().for_each(|x| *x = (round_half_even(*x / scale) + zero_point).clamp(min, max)),
        );
    })?;
    Ok(array)
}

/// `(q − zero_point) · scale`.
pub(crate) fn dequantize(
    q: Input,
    scale: &Array,
    zero_point: Option<&Array>,
    axis: usize,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut array = q.into_owned(buffers);
    for_each_scale(&mut array, scale, zero_point, axis, |row, scale, zero_point| {
        lanes::run(
            #[inline(always)]
            move || row.iter_mut().for_each(|q| *q = (*q - zero_point) * scale),
        );
    })?;
    Ok(array)
}

/// Rounds to the nearest integer, ties to even, what is beyond ±2^17 to that. The result is then saturated to at most 16
/// bits after adding a zero point of at most 16 bits, so the bound is never seen.
#[inline(always)]
fn round_half_even(x: f32) -> f32 {
    const BOUND: f32 = 131_072.0;
    lanes::round(x.clamp(-BOUND, BOUND))
}

/// Calls `apply(row, scale, zero point)` for every stretch of elements with one scale.
fn for_each_scale(
    array: &mut Array,
    scale: &Array,
    zero_point: Option<&Array>,
    axis: usize,
    apply: impl Fn(&mut [f32], f32, f32),
) -> Result<(), Problem> {
    if let Some(bad) = scale.data.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(Problem::Invalid(format!("a scale is {bad}; it must be positive and finite")));
    }
    if let Some(found) = zero_point.map(|z| z.data.len()).filter(|&n| n != scale.data.len()) {
        return Err(Problem::Invalid(format!("{} scales but {found} zero points", scale.data.len())));
    }
    let zero_point = |i: usize| zero_point.map_or(0.0, |z| z.data[i]);
    if scale.data.len() == 1 {
        apply(&mut array.data, scale.data[0], zero_point(0));
        return Ok(());
    }
    let extent = array.shape.get(axis).copied();
    if scale.shape.len() != 1 || extent != Some(scale.data.len()) {
        let shape = &scale.shape;
        return Err(Problem::Unsupported(format!(
            "scales of shape {shape:?} for axis {axis} of {:?}; one scale, or one an index of the axis, is handled",
            array.shape
        )));
    }
    let [_, channels, inner] = array.around(axis);
    for (i, row) in array.data.chunks_mut(inner.max(1)).enumerate() {
        apply(row, scale.data[i % channels], zero_point(i % channels));
    }
    Ok(())
}

/// Changes the element type. Real to integer drops the fraction; what does not fit is an error, for ONNX leaves it open.
pub(crate) fn cast(x: Input, to: DataType, buffers: &mut Buffers) -> Result<Array, Problem> {
    const I64: f32 = 9_223_372_036_854_775_808.0;
    let mut array = x.into_owned(buffers);
    let [min, max] = match to {
        DataType::F32 | DataType::F64 => return Ok(array),
        // Rounded once, here; what follows is computed in 32 bits again.
        DataType::F16 => {
            array.data.iter_mut().for_each(|x| *x = f16::from_f32(*x).to_f32());
            return Ok(array);
        }
        DataType::Bf16 => {
            array.data.iter_mut().for_each(|x| *x = bf16::from_f32(*x).to_f32());
            return Ok(array);
        }
        DataType::Bool => {
            array.data.iter_mut().for_each(|x| *x = f32::from(*x != 0.0));
            return Ok(array);
        }
        DataType::I32 => [-2_147_483_648.0, 2_147_483_520.0],
        DataType::U32 => [0.0, 4_294_967_040.0],
        DataType::I64 => [-I64, I64],
        DataType::U64 => [0.0, 2.0 * I64],
        DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16 => {
            integer_range(to).expect("a type of at most 16 bits has one")
        }
    };
    array.data.iter_mut().for_each(|x| *x = x.trunc());
    match array.data.iter().find(|x| !(min..=max).contains(*x)) {
        Some(x) => Err(Problem::Invalid(format!("{x} does not fit {to:?}"))),
        None => Ok(array),
    }
}

/// DynamicQuantizeLinear: integers from 0 to 255 over the range of `x`, 0 included, their scale and zero point.
pub(crate) fn dynamic(x: Input, buffers: &mut Buffers) -> [Array; 3] {
    let (low, high) = x.array().data.iter().fold((0.0f32, 0.0f32), |(low, high), &x| (low.min(x), high.max(x)));
    let scale = if high == low { 1.0 } else { (high - low) / 255.0 };
    let zero_point = (-low / scale).clamp(0.0, 255.0).round_ties_even();
    let integers = map(x, buffers, |x| ((x / scale).round_ties_even() + zero_point).clamp(0.0, 255.0));
    [integers, Array::new(vec![], vec![scale]), Array::new(vec![], vec![zero_point])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_dynamic_quantization_includes_0() {
        let of = |x: &[f32]| {
            let array = Array::new(vec![x.len()], x.to_vec());
            dynamic(Input::Owned(array), &mut Buffers::default()).map(|array| array.data)
        };
        assert_eq!(of(&[51.0, 25.5]), [vec![255.0, 128.0], vec![0.2], vec![0.0]]);
        assert_eq!(of(&[-51.0, 0.0]), [vec![0.0, 255.0], vec![0.2], vec![255.0]]);
        assert_eq!(of(&[0.0]), [vec![0.0], vec![1.0], vec![0.0]]);
    }
}
