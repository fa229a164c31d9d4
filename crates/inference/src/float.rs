//! The reference executor: MAC layers in 32-bit float.

use std::sync::Arc;

use network::{Cause, ErrorKind, Geometry, LayerId, LayerWeights, MacLayer, Network, WeightValues};

use crate::adapter;
use crate::error::InferenceError;
use crate::executor::{ExecutorError, MacExecutor};

/// Computes MAC layers in 32-bit float, `alpha` and bias included.
///
/// All weights are in memory: about as much as the network file holds in 32 bits.
#[derive(Clone, Debug)]
pub struct FloatExecutor {
    /// Copies of an executor share them.
    weights: Vec<Arc<Vec<f32>>>,
}

impl FloatExecutor {
    /// Takes the weights of every layer, in the order of [`Network::layers`], each row-major `[filters, channels, kernel_h,
    /// kernel_w]`.
    pub fn new(weights: Vec<Vec<f32>>) -> Self {
        Self { weights: weights.into_iter().map(Arc::new).collect() }
    }

    /// Reads the weights of a network as its file gives them; quantized ones become `code / 2 · scale`.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Network`] if the weights of a layer cannot be read.
    pub fn from_file(network: &Network) -> Result<Self, InferenceError> {
        let read = |id: usize| Ok(dequantize(network.weights(LayerId(id))?));
        Ok(Self::new((0..network.layers().len()).map(read).collect::<Result<_, InferenceError>>()?))
    }

    /// Gives one layer other weights, row-major `[filters, channels, kernel_h, kernel_w]`.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn set_weights(&mut self, id: LayerId, weights: Vec<f32>) {
        self.weights[id.0] = Arc::new(weights);
    }
}

/// The weights of a layer as real numbers of 32 bits; quantized ones become `code / 2 · scale`.
pub fn dequantize(weights: LayerWeights) -> Vec<f32> {
    match weights {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        LayerWeights::Float(WeightValues::F64(values)) => values.into_iter().map(|value| value as f32).collect(),
        LayerWeights::Quantized { codes, scales } => {
            let per_filter = codes.codes().len() / codes.shape().filters.max(1);
            let scale = |i: usize| if scales.len() == 1 { scales[0] } else { scales[i / per_filter] };
            codes.codes().iter().enumerate().map(|(i, &code)| code as f32 * 0.5 * scale(i)).collect()
        }
    }
}

impl FloatExecutor {
    /// The weights of a layer.
    fn weights(&self, id: LayerId, geometry: &Geometry) -> Result<&[f32], ExecutorError> {
        let misfit = |problem: String| Cause::told(ErrorKind::BadArgument, problem);
        let weights = self.weights.get(id.0);
        let weights = weights.ok_or_else(|| misfit(format!("there are weights of {} layers", self.weights.len())))?;
        let expected = geometry.rows() * geometry.spec().filters;
        match weights.len() == expected {
            true => Ok(weights),
            false => Err(misfit(format!("{} weights; the layer has {expected}", weights.len()))),
        }
    }
}

impl MacExecutor for FloatExecutor {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let geometry = &layer.geometry;
        let weights = self.weights(id, geometry)?;
        let bias = layer.bias.as_ref().map(network::Bias::to_float);
        // alpha multiplies the product alone, and sums of a transposed convolution are added first: the bias waits.
        let waits = layer.alpha != 1.0 || layer.scatter().is_some();
        *output = product(geometry, weights, bias.as_deref().filter(|_| !waits), input)?;
        if waits {
            *output = layer.outputs(std::mem::take(output));
            scale_and_add(output, bias.as_deref(), layer);
        }
        Ok(())
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let (weights, depth) = (self.weights(id, &layer.geometry)?, layer.in_channels());
        let bias = layer.bias.as_ref().map(network::Bias::to_float);
        let output = |(m, filter): (usize, &[f32]), vector: &[f32]| {
            layer.alpha * dot(filter, vector) + bias.as_ref().map_or(0.0, |bias| bias[m])
        };
        let outputs = |vector| weights.chunks_exact(depth).enumerate().map(move |filter| (filter, vector));
        Ok(vectors.chunks_exact(depth).flat_map(outputs).map(|(filter, vector)| output(filter, vector)).collect())
    }
}

/// `alpha · y + bias` of outputs, `[n, out_channels, out_height, out_width]`.
pub fn scale_and_add(output: &mut [f32], bias: Option<&[f32]>, layer: &MacLayer) {
    for (i, plane) in output.chunks_mut(layer.out_positions()).enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[i % layer.out_channels()]);
        plane.iter_mut().for_each(|y| *y = layer.alpha * *y + bias);
    }
}

fn product(geometry: &Geometry, weights: &[f32], bias: Option<&[f32]>, input: &[f32]) -> Result<Vec<f32>, Cause> {
    let spec = geometry.spec();
    let whole_input = spec.groups == 1 && spec.kernel == spec.in_size && spec.pads == [0; 4];
    let single_filter = spec.filters == 1 && spec.kernel == [1, 1];
    if whole_input || single_filter {
        return Ok(dot_products(geometry, weights, bias, input));
    }
    adapter::convolve(geometry, weights, bias, input)
}

/// Each output as a plain dot product. For fully connected layers, which read each weight once, it is as quick as memory.
fn dot_products(geometry: &Geometry, weights: &[f32], bias: Option<&[f32]>, input: &[f32]) -> Vec<f32> {
    let spec = geometry.spec();
    let rows = geometry.rows();
    let [_, width] = geometry.out_size();
    let mut gathered = vec![0.0; rows];
    let mut output = Vec::with_capacity(input.len() / rows * spec.filters);
    for item in input.chunks_exact(spec.in_channels * spec.in_size[0] * spec.in_size[1]) {
        let positions = geometry.positions_per_repeat();
        let start = output.len();
        output.resize(start + spec.filters * positions, 0.0);
        for position in 0..positions {
            for (row, x) in gathered.iter_mut().enumerate() {
                *x = geometry.input_index(0, row, position / width, position % width).map_or(0.0, |i| item[i]);
            }
            for (m, filter) in weights.chunks_exact(rows).enumerate() {
                output[start + m * positions + position] = dot(filter, &gathered) + bias.map_or(0.0, |bias| bias[m]);
            }
        }
    }
    output
}

/// Sum of products in sixteen interleaved parts, an order that processors can do at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        (0..LANES).for_each(|i| sums[i] += x[i] * y[i]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}
