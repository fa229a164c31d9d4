//! Bias correction of Banner et al. 2018: quantized weights keep the norm that they had.

use crate::quantize::layer::{Coded, Layer};
use crate::quantize::levels::storable;

/// Multiplies the step of each filter by `ξ = ‖W − E(W)‖ / ‖Ŵ − E(Ŵ)‖`, `Ŵ` the quantized weights of the filter and `E`
/// its mean. A filter whose quantized weights are all alike keeps its step.
///
/// The paper then shifts the weights by the difference of their means. Codes have no place for that; see
/// [`crate::QuantizeOptions::bias_correction`].
pub(super) fn correct_norms(layer: &Layer, coded: &mut Coded) {
    let filters = coded.codes.shape().filters;
    let len = coded.codes.shape().filter_len();
    let steps = (0..filters).map(|m| {
        let step = if coded.steps.len() == 1 { coded.steps[0] } else { coded.steps[m] };
        let real = spread(layer.weights[m * len..(m + 1) * len].iter().copied());
        let quantized = spread(coded.codes.filter(m).iter().map(|&code| 0.5 * f64::from(code))) * f64::from(step);
        let factor = real / quantized;
        if factor.is_finite() && factor > 0.0 { storable(factor * f64::from(step)) } else { step }
    });
    coded.steps = steps.collect();
}

/// `‖x − E(x)‖`.
fn spread(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, sum) = values.clone().fold((0.0, 0.0), |(count, sum), x| (count + 1.0, sum + x));
    let mean = sum / count;
    values.map(|x| (x - mean).powi(2)).sum::<f64>().sqrt()
}
