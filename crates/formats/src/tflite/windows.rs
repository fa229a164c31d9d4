//! Windows over height and width: padding, pooling, resizing.

use network::{
    ActivationQuantization, Coordinates, DataType, IntegerFunction, IntegerOp, Interpolation, Nearest, Op, Pool, Unary,
};

use super::builder::Builder;
use super::operation::Operation;
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::windows::{positions, same_padding};

/// How a window treats the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// As many outputs as strides begin in the input.
    Same,
    /// Whole windows only.
    Valid,
}

impl Padding {
    pub(super) fn from_number(number: i8) -> Result<Self, Fault> {
        match number {
            0 => Ok(Padding::Same),
            1 => Ok(Padding::Valid),
            _ => Err(invalid!("padding {number}; expected 0 (SAME) or 1 (VALID)")),
        }
    }
}

/// Padding before and after an axis for a window of `effective` elements. SAME makes `⌈extent / stride⌉` outputs, the odd
/// element of padding behind.
pub(super) fn same_or_valid(padding: Padding, extent: usize, effective: usize, stride: usize) -> (usize, usize) {
    if padding == Padding::Valid || extent == 0 {
        return (0, 0);
    }
    let total = same_padding(extent, effective, stride).unwrap_or(usize::MAX - extent);
    (total / 2, total - total / 2)
}

/// AVERAGE_POOL_2D and MAX_POOL_2D.
pub(super) fn pool(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(1, 1)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let options = &operation.options;
    let &[batch, height, width, channels] = b.shape(x) else {
        return Err(invalid!("an input of shape {:?}; expected four axes", b.shape(x)));
    };
    let padding = Padding::from_number(options.scalar(0, 0i8)?)?;
    let kernel = [options.positive(4, 0, "filter_height")?, options.positive(3, 0, "filter_width")?];
    let stride = [options.positive(2, 0, "stride_h")?, options.positive(1, 0, "stride_w")?];
    let (mut pads, mut out) = ([0; 4], [0; 2]);
    for (axis, extent) in [height, width].into_iter().enumerate() {
        let (before, after) = same_or_valid(padding, extent, kernel[axis], stride[axis]);
        (pads[axis], pads[axis + 2]) = (before, after);
        let padded = before.saturating_add(after).saturating_add(extent);
        let fits = positions(padded, kernel[axis], stride[axis]);
        out[axis] = fits.ok_or_else(|| invalid!("a window of {} does not fit an input of {extent}", kernel[axis]))?;
    }
    let pool = Pool { kernel, stride, dilation: [1; 2], pads, depth: None, ceil_mode: false, count_include_pad: false };
    let fused = operation.fused(5)?;
    let shape = [batch, out[0], out[1], channels];
    let average = operation.kind == "AVERAGE_POOL_2D";
    let value = b.value(x)?;
    if b.is_real(x)? {
        let op = if average { Op::AveragePool(pool) } else { Op::MaxPool(pool) };
        return b.define_fused(operation, op, vec![value], &shape, fused);
    }
    let range = fused.clamp(b.same_quantization(x, output)?)?;
    if average {
        let clamp = ActivationQuantization { min: range.min, max: range.max, ..ActivationQuantization::INTEGERS };
        let function = IntegerFunction::AveragePool(pool);
        let op = IntegerOp::lite_rt(function, &[ActivationQuantization::INTEGERS], clamp);
        return b.define(operation, output, Op::Integer(op), vec![value], &shape);
    }
    let whole = b.quantization(output)?;
    let op = Op::MaxPool(pool);
    if (range.min, range.max) == (whole.min, whole.max) {
        return b.define(operation, output, op, vec![value], &shape);
    }
    let form = (b.data_type(output)?, super::layout::ours(&shape));
    let value = b.emit(&format!("{}/maximum", operation.name), operation.kind, op, vec![value], form);
    let clip = Op::Unary(Unary::Clip { min: range.min as f32, max: range.max as f32 });
    b.define(operation, output, clip, vec![value], &shape)
}

/// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
pub(super) fn resize(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(2, 2)?;
    let (x, output) = (operation.input(0)?, operation.output()?);
    let size = b.known_ints(operation.input(1)?, 2)?;
    let &[batch, height, width, channels] = b.shape(x) else {
        return Err(invalid!("an input of shape {:?}; expected four axes", b.shape(x)));
    };
    let extents: Option<Vec<usize>> = size.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n > 0)).collect();
    let Some(&[to_height, to_width]) = extents.as_deref() else {
        return Err(invalid!("a size of {size:?}; expected two numbers above 0"));
    };
    let linear = operation.kind == "RESIZE_BILINEAR";
    // Field 0 and 1 were the size before it became an input.
    let first = if linear { 2 } else { 0 };
    let (align_corners, half_pixel) = (operation.options.flag(first)?, operation.options.flag(first + 1)?);
    if align_corners && half_pixel {
        return Err(invalid!("both align_corners and half_pixel_centers"));
    }
    let shape = [batch, to_height, to_width, channels];
    let value = b.value(x)?;
    let integer = !b.is_real(x)?;
    if integer {
        b.same_quantization(x, output)?;
    }
    if integer && linear {
        b.quantization_8(x)?;
        // The kernel counts positions in 1/1024 of a pixel, in 32 bits.
        if [height, width, to_height, to_width].iter().any(|&n| n > 1 << 20) {
            return Err(not_run!("an extent above 2^20 is not handled"));
        }
        let float = b.data_type(x)? == DataType::U8;
        let function = IntegerFunction::ResizeBilinear { align_corners, half_pixel, float };
        let op = IntegerOp::lite_rt(function, &[ActivationQuantization::INTEGERS], ActivationQuantization::INTEGERS);
        return b.define(operation, output, Op::Integer(op), vec![value], &shape);
    }
    let coordinates = Coordinates::of_tflite(align_corners, half_pixel);
    // With half_pixel the nearest is ⌊(i + 1/2) · ratio⌋, which is the position of ONNX rounded up at ties.
    let nearest = match coordinates {
        Coordinates::Asymmetric => Nearest::Floor,
        Coordinates::AlignCorners | Coordinates::HalfPixel | Coordinates::HalfPixelSymmetric => {
            Nearest::RoundPreferCeil
        }
        Coordinates::PytorchHalfPixel | Coordinates::TfHalfPixelForNn => Nearest::RoundPreferCeil,
    };
    let interpolation = if linear { Interpolation::Linear } else { Interpolation::Nearest(nearest) };
    let op = Op::Resize { interpolation, coordinates, scales: None };
    b.define(operation, output, op, vec![value], &shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_element_behind() {
        let same = |extent, kernel, stride| same_or_valid(Padding::Same, extent, kernel, stride);
        assert_eq!(same(32, 3, 1), (1, 1));
        assert_eq!(same(32, 3, 2), (0, 1));
        assert_eq!(same(5, 1, 3), (0, 0));
        assert_eq!(same(7, 5, 2), (2, 2));
        assert_eq!(same_or_valid(Padding::Valid, 7, 5, 2), (0, 0));
    }
}
