//! Correction of a MAC layer's mean and scale by filter, where BatchNorm is folded into it.

use inference::Moments;
use network::{Bias, LayerWeights, MacLayer, WeightSource, WeightValues};

/// What a filter's output is changed by: `y' = y · factor + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub factor: f64,
    pub shift: f64,
}

pub(super) const NO_CHANGE: Change = Change { factor: 1.0, shift: 0.0 };

/// The change that gives a filter the mean and standard deviation `wanted`: `(y − μ) / σ · σ_0 + μ_0`.
///
/// A filter that always makes the same is left as it is, for it is pruned, or nothing of what it should make is left to
/// scale. Where the original always makes the same, there is no scale to restore, and only the mean is.
pub(super) fn change(found: &Moments, wanted: &Moments) -> Change {
    let (deviation, wanted_deviation) = (found.variance().sqrt(), wanted.variance().sqrt());
    if !is_spread(deviation, found.mean) {
        return NO_CHANGE;
    }
    let factor = if is_spread(wanted_deviation, wanted.mean) { wanted_deviation / deviation } else { 1.0 };
    Change { factor, shift: wanted.mean - found.mean * factor }
}

/// Whether a deviation is more than what rounding makes of a constant.
fn is_spread(deviation: f64, mean: f64) -> bool {
    deviation > f64::from(f32::EPSILON) * mean.abs() && deviation > f64::from(f32::MIN_POSITIVE)
}

/// The layer with its filters changed: factors go into its scales, or weights where they are real, and shifts into its
/// bias.
pub(super) fn changed(layer: &MacLayer, weights: LayerWeights, changes: &[Change]) -> (MacLayer, LayerWeights) {
    let (shape, rows) = (layer.geometry.weight_extents(), layer.channel_shape().filter_len());
    let scaled = |(index, weight): (usize, f64)| (weight * changes[index / rows].factor) as f32;
    let real = |weights: Vec<f32>| {
        let source = WeightSource::from_f32(&layer.weights.name, shape, &weights);
        (source, LayerWeights::Float(WeightValues::F32(weights)))
    };
    let (source, weights) = match weights {
        LayerWeights::Float(WeightValues::F32(w)) => {
            real(w.into_iter().map(f64::from).enumerate().map(scaled).collect())
        }
        LayerWeights::Float(WeightValues::F64(w)) => real(w.into_iter().enumerate().map(scaled).collect()),
        LayerWeights::Quantized { codes, scales } => {
            let each = layer.filters_per_channel();
            let step = |m: usize| f64::from(if scales.len() == 1 { scales[0] } else { scales[m * each] });
            // Half of a step, the scale of a mid-rise grid, is to be a normal number too.
            let limit = |step: f64| (step as f32).clamp(2.0 * f32::MIN_POSITIVE, f32::MAX);
            let scales: Vec<f32> = changes.iter().enumerate().map(|(m, c)| limit(step(m) * c.factor)).collect();
            let source =
                layer.with_codes(&layer.weights.name, &codes, &scales).expect("there is one scale a filter").weights;
            let scales = scales.into_iter().flat_map(|scale| std::iter::repeat_n(scale, each)).collect();
            (source, LayerWeights::Quantized { codes, scales })
        }
    };
    let bias = |m: usize| layer.bias.as_ref().map_or(0.0, |bias| bias.value(m));
    let bias = changes.iter().enumerate().map(|(m, change)| (bias(m) * change.factor + change.shift) as f32);
    let layer =
        MacLayer { weights: source, bias: Some(Bias::Float(bias.collect())), requantization: None, ..layer.clone() };
    (layer, weights)
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn moments(mean: f64, deviation: f64) -> Moments {
        Moments { count: 4, mean, squares: 4.0 * deviation * deviation }
    }

    #[test]
    fn a_change_brings_mean_and_deviation_to_what_is_wanted() {
        let change = change(&moments(3.0, 2.0), &moments(-1.0, 5.0));
        assert_eq!(change, Change { factor: 2.5, shift: -8.5 });
    }

    #[test]
    fn constant_outputs_are_left_or_only_shifted() {
        check_all([moments(0.0, 0.0), moments(7.0, 1e-9), moments(0.0, 1e-40)], |found| {
            assert_eq!(change(found, &moments(1.0, 1.0)), NO_CHANGE);
        });
        assert_eq!(change(&moments(3.0, 2.0), &moments(5.0, 0.0)), Change { factor: 1.0, shift: 2.0 });
    }
}
