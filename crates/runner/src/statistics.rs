//! Statistics of the weights of a layer, for people who look before they quantize.

use network::{LayerId, LayerWeights, Network, WeightValues};

use crate::error::RunnerError;

/// What the weights of one layer look like, as real numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WeightStatistics {
    /// Number of weights.
    pub weights: u64,
    /// Exact zeros.
    pub zeros: u64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, of the population.
    pub std: f64,
    /// Output channels whose weights are all zero.
    pub dead_filters: u64,
}

/// Reads one layer and describes its weights; `None` where the file has no values of them.
///
/// # Errors
///
/// [`RunnerError::Network`] for weights that are garbled or not finite.
pub fn weight_statistics(network: &Network, id: LayerId) -> Result<Option<WeightStatistics>, RunnerError> {
    let layer = &network.layers()[id.0];
    if layer.weights.tensor.is_absent() {
        return Ok(None);
    }
    let rows = layer.geometry.rows();
    let filter_len = rows * layer.filters_per_channel();
    Ok(Some(match network.weights(id)? {
        LayerWeights::Float(WeightValues::F32(weights)) => describe(&weights, filter_len),
        LayerWeights::Float(WeightValues::F64(weights)) => describe(&weights, filter_len),
        LayerWeights::Quantized { codes, scales } => {
            let scale = |i: usize| f64::from(scales[if scales.len() == 1 { 0 } else { i / rows }]);
            let codes = codes.codes().iter().enumerate();
            let real: Vec<f64> = codes.map(|(i, &code)| f64::from(code) * 0.5 * scale(i)).collect();
            describe(&real, filter_len)
        }
    }))
}

fn describe<T: Copy + Into<f64>>(weights: &[T], filter_len: usize) -> WeightStatistics {
    let values = || weights.iter().map(|&w| -> f64 { w.into() });
    let count = weights.len() as f64;
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|w| (w - mean) * (w - mean)).sum::<f64>() / count;
    let dead = weights.chunks(filter_len).filter(|filter| filter.iter().all(|&w| w.into() == 0.0));
    WeightStatistics {
        weights: weights.len() as u64,
        zeros: values().filter(|&w| w == 0.0).count() as u64,
        min: values().fold(f64::INFINITY, f64::min),
        max: values().fold(f64::NEG_INFINITY, f64::max),
        mean,
        std: variance.sqrt(),
        dead_filters: dead.count() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_described() {
        let found = describe(&[1.0f32, -3.0, 0.0, 0.0], 2);
        let expected =
            WeightStatistics { weights: 4, zeros: 2, min: -3.0, max: 1.0, mean: -0.5, std: 1.5, dead_filters: 1 };
        assert_eq!(found, expected);
    }
}
