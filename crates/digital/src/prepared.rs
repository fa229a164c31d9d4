//! Inference on the array: the sums alone, for speed.

use engine::{Activations, EngineError, Layer, Outputs, PreparedLayer};
use esn::CodeTensor;
use network::Geometry;

use crate::input::integers;

/// A layer in the array. The elements add integers exactly, so the sums do not depend on their order.
pub(crate) struct Prepared {
    name: String,
    geometry: Geometry,
    weights: CodeTensor,
}

impl Prepared {
    pub(crate) fn new(layer: &Layer<'_>) -> Result<Self, EngineError> {
        crate::input::check_accumulators(layer)?;
        let (geometry, weights) = (*layer.geometry(), layer.weights().clone());
        Ok(Self { name: layer.name().to_string(), geometry, weights })
    }
}

impl PreparedLayer for Prepared {
    fn forward(&self, input: Activations<'_>) -> Result<Outputs, EngineError> {
        let input = integers(&self.name, &self.geometry, input)?;
        Ok(Outputs::Integer(sums(&self.geometry, &self.weights, input)))
    }
}

/// `Σ code · x` of every output, `[repeats, filters, out_height, out_width]`.
fn sums(geometry: &Geometry, weights: &CodeTensor, input: &[i32]) -> Vec<i64> {
    let [out_height, out_width] = geometry.out_size();
    let repeat_len = geometry.input_len() / geometry.spec().repeats;
    let mut outputs = Vec::with_capacity(geometry.output_len());
    for image in input.chunks_exact(repeat_len) {
        for filter in 0..geometry.spec().filters {
            let group = filter / geometry.columns();
            for position in 0..out_height * out_width {
                let (y, x) = (position / out_width, position % out_width);
                let product = |(row, &code): (usize, &i32)| {
                    let index = geometry.input_index(group, row, y, x);
                    index.map_or(0, |index| i64::from(code) * i64::from(image[index]))
                };
                outputs.push(weights.filter(filter).iter().enumerate().map(product).sum());
            }
        }
    }
    outputs
}
