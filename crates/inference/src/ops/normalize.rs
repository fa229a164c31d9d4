//! Normalizations. Means and sums of squares are formed in 64 bits, in order.

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;
use crate::ops::movement;

/// `(x − mean) / sqrt(variance + epsilon) · scale + bias`, channels on axis 1, as one multiplication and addition.
///
/// `parameters` are scale, bias, mean and variance, each `[C]`.
pub(crate) fn batch_normalization(
    x: Input,
    parameters: [&Array; 4],
    epsilon: f32,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    let channels = array.shape.get(1).copied().unwrap_or(1);
    if let Some(found) = parameters.iter().map(|p| p.data.len()).find(|&n| n != channels) {
        return Err(Problem::Invalid(format!("{found} parameters for {channels} channels")));
    }
    let inner = array.shape.iter().skip(2).product::<usize>().max(1);
    let [scale, bias, mean, variance] = parameters.map(|p| p.data.as_slice());
    for (i, plane) in array.data.chunks_mut(inner).enumerate() {
        let c = i % channels;
        let factor = scale[c] / (variance[c] + epsilon).sqrt();
        let offset = bias[c] - mean[c] * factor;
        lanes::run(
            #[inline(always)]
            move || plane.iter_mut().for_each(|x| *x = *x * factor + offset),
        );
    }
    Ok(array)
}

/// `(x − mean) / sqrt(variance + epsilon) · scale + bias` over all axes from `axis` on; scale and bias broadcast to them.
pub(crate) fn layer_normalization(
    x: Input,
    scale: &Array,
    bias: Option<&Array>,
    axis: usize,
    epsilon: f32,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    let Some(shape) = array.shape.get(axis..).filter(|shape| !shape.is_empty()).map(<[usize]>::to_vec) else {
        return Err(Problem::Invalid(format!("normalization from axis {axis} of {:?}", array.shape)));
    };
    let scale = movement::expand(scale, &shape, buffers)?;
    let bias = bias.map(|bias| movement::expand(bias, &shape, buffers)).transpose()?;
    for row in array.data.chunks_mut(scale.data.len().max(1)) {
        standardize(row, epsilon);
        row.iter_mut().zip(&scale.data).for_each(|(x, scale)| *x *= scale);
        if let Some(bias) = &bias {
            row.iter_mut().zip(&bias.data).for_each(|(x, bias)| *x += bias);
        }
    }
    Ok(array)
}

/// `(x − mean) / sqrt(variance + epsilon) · scale + bias` over each channel (axis 1) of each image.
pub(crate) fn instance_normalization(
    x: Input,
    scale: &Array,
    bias: &Array,
    epsilon: f32,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    let channels = array.shape.get(1).copied().unwrap_or(0);
    if let Some(found) = [scale, bias].iter().map(|p| p.data.len()).find(|&n| n != channels) {
        return Err(Problem::Invalid(format!("{found} parameters for {channels} channels")));
    }
    let inner = array.shape.iter().skip(2).product::<usize>().max(1);
    for (i, plane) in array.data.chunks_mut(inner).enumerate() {
        standardize(plane, epsilon);
        let (scale, bias) = (scale.data[i % channels], bias.data[i % channels]);
        plane.iter_mut().for_each(|x| *x = *x * scale + bias);
    }
    Ok(array)
}

/// `(x − mean) / sqrt(variance + epsilon)`; the variance divides by the number of elements.
fn standardize(row: &mut [f32], epsilon: f32) {
    let count = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
    row.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * factor) as f32);
}

/// `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size` channels (axis 1) around each: `(size − 1) / 2` before it,
/// rounded down, and the rest behind.
pub(crate) fn lrn(
    x: &Array,
    [alpha, beta, bias]: [f32; 3],
    size: usize,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    if x.shape.len() < 2 || size == 0 {
        return Err(Problem::Invalid(format!("a neighbourhood of {size} channels of {:?}", x.shape)));
    }
    let [_, channels, inner] = x.around(1);
    let (before, behind) = ((size - 1) / 2, size / 2);
    let mut data = buffers.take(x.data.len());
    for image in x.data.chunks_exact((channels * inner).max(1)) {
        for c in 0..channels {
            let near = c.saturating_sub(before)..c.saturating_add(behind + 1).min(channels);
            data.extend((0..inner).map(|i| {
                let squares: f64 = near.clone().map(|n| f64::from(image[n * inner + i]).powi(2)).sum();
                let base = f64::from(bias) + f64::from(alpha) / size as f64 * squares;
                (f64::from(image[c * inner + i]) / base.powf(f64::from(beta))) as f32
            }));
        }
    }
    Ok(Array::new(x.shape.clone(), data))
}
