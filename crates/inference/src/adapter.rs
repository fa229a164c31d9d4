//! The one module that knows rten: convolution and matrix multiplication.
//!
//! Both give the same bits at any number of threads: rten shares a matrix product among threads by rows and columns, never
//! along the summed axis, so each element is summed in one order. The exception is its product of a vector and a matrix,
//! where the last columns of each thread's share are summed another way; [`matmul`] goes round it and [`convolve`] must
//! not be called for it.

use network::{Cause, ErrorKind, Geometry, GeometrySpec};
use rten::BufferPool;
use rten::ops::{self, Padding};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, TensorView};

use crate::array::Array;
use crate::error::Problem;

/// Convolves `input`, `[n, in_channels, height, width]`, to `[n, filters, out_height, out_width]`.
///
/// `weights` are the `[filters, channels, kernel_h, kernel_w]` of the geometry, `bias` is `[filters]`. A layer of one
/// filter of 1×1 is the caller's: see above.
pub(crate) fn convolve(
    geometry: &Geometry,
    weights: &[f32],
    bias: Option<&[f32]>,
    input: &[f32],
) -> Result<Vec<f32>, Cause> {
    check_extents(geometry)?;
    let spec = geometry.spec();
    // A stride beyond the input reaches no second position; the library would multiply by it in 32 bits.
    let stride = [0, 1].map(|axis| spec.stride[axis].min(padded(spec, axis)));
    let item = spec.in_channels * spec.in_size[0] * spec.in_size[1];
    let input_shape = [input.len() / item, spec.in_channels, spec.in_size[0], spec.in_size[1]];
    let weight_shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
    ops::conv(
        &BufferPool::new(),
        TensorView::from_data(&input_shape, input),
        TensorView::from_data(&weight_shape, weights),
        bias.map(|bias| NdTensorView::from_data([bias.len()], bias)),
        Padding::from(spec.pads),
        spec.groups,
        &stride,
        &spec.dilation,
    )
    .map(|output| output.into_data())
    // A layer that was checked is one that the kernel takes.
    .map_err(|error| Cause::told(ErrorKind::OwnBug, error.to_string()))
}

/// Refuses geometry that the library would index wrongly: it counts rows, columns and the elements from one row to another in
/// 32 bits with a sign.
fn check_extents(geometry: &Geometry) -> Result<(), Cause> {
    const MAX: usize = i32::MAX as usize;
    let spec = geometry.spec();
    for axis in 0..2 {
        let elements = if axis == 0 { spec.in_size[1] } else { 1 };
        let largest = padded(spec, axis).max(spec.dilation[axis]).saturating_mul(elements).max(spec.stride[axis]);
        if largest > MAX {
            let problem = format!(
                "a padded extent, stride or dilation that reaches over {largest} elements; the float convolution runs \
                 up to {MAX}"
            );
            return Err(Cause::told(ErrorKind::OutOfLimits, problem));
        }
    }
    Ok(())
}

/// Extent of the input with its padding.
fn padded(spec: &GeometrySpec, axis: usize) -> usize {
    spec.in_size[axis] + spec.pads[axis] + spec.pads[axis + 2]
}

/// Product of two matrices or stacks of them, as numpy's `matmul`; the result has `shape`.
pub(crate) fn matmul(a: &Array, b: &Array, shape: &[usize]) -> Result<Array, Problem> {
    let mismatch = |detail: &dyn std::fmt::Display| {
        Problem::Invalid(format!("matrices of shapes {:?} and {:?} do not make {shape:?}: {detail}", a.shape, b.shape))
    };
    let (mut left, mut right) = (a.shape.clone(), b.shape.clone());
    if left.len() == 1 {
        left.insert(0, 1);
    }
    if right.len() == 1 {
        right.push(1);
    }
    if left.len() < 2 || right.len() < 2 {
        return Err(mismatch(&"a scalar is no matrix"));
    }
    let mut left_view = TensorView::from_data(left.as_slice(), a.data.as_slice());
    let mut right_view = TensorView::from_data(right.as_slice(), b.data.as_slice());
    // A row times a matrix has the elements of the transposed matrix times a column.
    if left[left.len() - 2] == 1 {
        (left_view, right_view) = (transposed(right_view), transposed(left_view));
    }
    let product = ops::matmul::<f32, f32, f32>(&BufferPool::new(), left_view, right_view, None)
        .map_err(|error| mismatch(&error))?;
    if product.len() != shape.iter().product::<usize>() {
        return Err(mismatch(&format!("the product has shape {:?}", product.shape())));
    }
    Ok(Array::new(shape.to_vec(), product.into_data()))
}

fn transposed(mut view: TensorView<f32>) -> TensorView<f32> {
    let rank = view.ndim();
    view.move_axis(rank - 2, rank - 1);
    view
}
