//! The bridge between `inference` and `engine`: the MAC layers of a session, computed on an engine.

use std::sync::Mutex;

use engine::{Activations, Arithmetic, Conversions, Layer, Outputs, PreparedLayer};
use esn::Grid;
use inference::{ExecutorError, MacExecutor};
use network::{ActivationQuantization, Bias, Geometry, GeometrySpec, LayerId, MacLayer, Network, Requantization};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::hardware::{Hardware, refused};
use crate::prepare::{self, PreparedWeights, Quantization};

/// The MAC layers of a network, each held by an engine of one kind.
pub struct EngineExecutor {
    layers: Vec<HeldLayer>,
}

/// One layer held by an engine, and what turns its sums into activations.
struct HeldLayer {
    prepared: Box<dyn PreparedLayer>,
    /// The layer at one position, where it is used step by step.
    stepwise: Option<Box<dyn PreparedLayer>>,
    /// How the input is rounded to integers; none for an engine that takes real numbers.
    input: Option<ActivationQuantization>,
    /// Size of one unit of the engine's sums, for each output channel.
    scales: Vec<f64>,
    /// What is added to the scaled sums of each output channel.
    bias: Vec<f64>,
    /// How the file makes integers of the sums; none where the engine takes real numbers, too.
    requantization: Option<IntegerOutput>,
}

/// The rounding of a file whose operators compute on integers.
struct IntegerOutput {
    rule: Requantization,
    /// What is added to each output channel's sum.
    bias: Vec<i64>,
}

impl EngineExecutor {
    /// Hands every layer to the engine. `inputs` says how the activations that each layer reads are quantized; only an
    /// engine on integers looks at it.
    ///
    /// # Errors
    ///
    /// As [`crate::cost::cost`].
    pub fn new(
        network: &Network,
        hardware: &Hardware,
        quantization: Quantization,
        inputs: &[ActivationQuantization],
    ) -> Result<Self, RunnerError> {
        let held: Vec<Result<HeldLayer, RunnerError>> = (0..network.layers().len())
            .into_par_iter()
            .map(|i| {
                let weights = prepare::prepare(network, LayerId(i), quantization)?;
                HeldLayer::new(network, hardware, LayerId(i), &weights, inputs.get(i).copied())
            })
            .collect();
        Ok(Self { layers: held.into_iter().collect::<Result<_, _>>()? })
    }
}

impl HeldLayer {
    fn new(
        network: &Network,
        hardware: &Hardware,
        id: LayerId,
        weights: &PreparedWeights,
        input: Option<ActivationQuantization>,
    ) -> Result<Self, RunnerError> {
        let layer = &network.layers()[id.0];
        let refused = |source| refused(network, hardware, source);
        let prepare = |geometry: &Geometry| {
            let engine_layer = Layer::new(&layer.name, geometry, &weights.codes)?;
            hardware.engine.prepare(&engine_layer)
        };
        let prepared = prepare(&layer.geometry).map_err(refused)?;
        let stepwise = match network.multiplies_states(id) {
            true => Some(prepare(&one_position(&layer.geometry)).map_err(refused)?),
            false => None,
        };
        let input = match hardware.engine.arithmetic() {
            Arithmetic::Integer => input,
            Arithmetic::Real => None,
        };
        // Integer sums are in half-steps of the weights times steps of the activations, real sums in steps of the
        // weights.
        let unit = input.map_or(1.0, |q| 0.5 * f64::from(q.scale)) * f64::from(layer.alpha);
        let channels = layer.out_channels();
        let scales = (0..channels).map(|m| weights.step(m * layer.filters_per_channel()) * unit).collect();
        let bias = match &layer.bias {
            Some(bias) => (0..channels).map(|m| bias.value(m)).collect(),
            None => vec![0.0; channels],
        };
        let requantization = match &layer.requantization {
            Some(rule) if input.is_some() => Some(IntegerOutput::new(rule, layer, weights).ok_or_else(|| {
                let problem = "its output is made of integers, but its weights or its bias are not".to_string();
                prepare::layer_error(network, layer, problem)
            })?),
            Some(_) | None => None,
        };
        Ok(Self { prepared, stepwise, input, scales, bias, requantization })
    }

    fn image(
        &self,
        layer: &MacLayer,
        input: &[f32],
        output: &mut Vec<f32>,
        conversions: &mut Conversions,
    ) -> Result<(), ExecutorError> {
        let sums = self.sums(&*self.prepared, input, conversions)?;
        self.activations(layer, sums, layer.out_positions(), output);
        Ok(())
    }

    /// One position of a layer that is used step by step.
    fn vector(&self, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let stepwise = self.stepwise.as_ref().expect("every layer that multiplies states has it");
        let sums = self.sums(&**stepwise, input, &mut Conversions::default())?;
        self.activations(layer, sums, 1, output);
        Ok(())
    }

    fn sums(
        &self,
        prepared: &dyn PreparedLayer,
        input: &[f32],
        conversions: &mut Conversions,
    ) -> Result<Outputs, ExecutorError> {
        Ok(match self.input {
            Some(quantization) => {
                let integers = quantize_activations(input, quantization);
                prepared.forward_counting(Activations::Integer(&integers), conversions)?
            }
            None => prepared.forward_counting(Activations::Real(input), conversions)?,
        })
    }

    /// What the sums stand for.
    fn activations(&self, layer: &MacLayer, sums: Outputs, positions: usize, output: &mut Vec<f32>) {
        match (sums, &self.requantization) {
            (Outputs::Integer(sums), Some(integer)) => integer.real(&layer.outputs(sums), positions, output),
            (Outputs::Integer(sums), None) => self.scale(&layer.outputs(sums), positions, |sum| sum as f64, output),
            (Outputs::Real(sums), _) => self.scale(&layer.outputs(sums), positions, f64::from, output),
        }
    }

    /// `sum · scale + bias` of every output channel, over `[repeats, out_channels, positions]`.
    fn scale<T: Copy>(&self, sums: &[T], positions: usize, to_f64: impl Fn(T) -> f64, output: &mut Vec<f32>) {
        for (row, sums) in sums.chunks_exact(positions).enumerate() {
            let channel = row % self.scales.len();
            let (scale, bias) = (self.scales[channel], self.bias[channel]);
            output.extend(sums.iter().map(|&sum| (to_f64(sum) * scale + bias) as f32));
        }
    }
}

impl IntegerOutput {
    /// `None` where weights are half-steps or the bias is real: no file of integer operators has that.
    fn new(rule: &Requantization, layer: &MacLayer, weights: &PreparedWeights) -> Option<Self> {
        let bias = match &layer.bias {
            None => vec![0; layer.out_channels()],
            Some(Bias::Integer { values, .. }) => values.clone(),
            Some(Bias::Float(_)) => return None,
        };
        (weights.codes.grid() == Grid::MidTread).then(|| Self { rule: rule.clone(), bias })
    }

    /// What the integers of the output stand for, over `[repeats, out_channels, positions]`. The engine counts half-steps.
    fn real(&self, sums: &[i64], positions: usize, output: &mut Vec<f32>) {
        for (row, sums) in sums.chunks_exact(positions).enumerate() {
            let channel = row % self.bias.len();
            output.extend(sums.iter().map(|&sum| self.rule.real(sum / 2 + self.bias[channel], channel)));
        }
    }
}

impl EngineExecutor {
    /// Runs a layer on a batch and counts the conversions of its first `counted` images.
    fn run_counting(
        &self,
        id: LayerId,
        layer: &MacLayer,
        input: &[f32],
        counted: usize,
    ) -> Result<(Vec<f32>, Conversions), ExecutorError> {
        let held = &self.layers[id.0];
        let images = input.len() / layer.geometry.input_len();
        let mut output =
            Vec::with_capacity(images * layer.geometry.spec().repeats * layer.out_channels() * layer.out_positions());
        let (mut conversions, mut beyond) = (Conversions::default(), Conversions::default());
        for (i, image) in input.chunks_exact(layer.geometry.input_len()).enumerate() {
            held.image(layer, image, &mut output, if i < counted { &mut conversions } else { &mut beyond })?;
        }
        Ok((output, conversions))
    }
}

impl MacExecutor for EngineExecutor {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        Ok(self.run_counting(id, layer, input, 0)?.0)
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let mut output = Vec::with_capacity(vectors.len() / layer.in_channels() * layer.out_channels());
        for vector in vectors.chunks_exact(layer.in_channels()) {
            self.layers[id.0].vector(layer, vector, &mut output)?;
        }
        Ok(output)
    }
}

/// An engine on one batch, whose conversions are counted.
pub(crate) struct CountingExecutor<'a> {
    executor: &'a EngineExecutor,
    /// Images of the batch that count; the rest are copies that fill it up.
    images: usize,
    /// By layer.
    conversions: Mutex<Vec<Conversions>>,
}

impl<'a> CountingExecutor<'a> {
    pub(crate) fn new(executor: &'a EngineExecutor, images: usize) -> Self {
        let conversions = Mutex::new(vec![Conversions::default(); executor.layers.len()]);
        Self { executor, images, conversions }
    }

    /// The conversions of each layer.
    pub(crate) fn finish(self) -> Vec<Conversions> {
        self.conversions.into_inner().expect("nothing panics while it holds the lock")
    }
}

impl MacExecutor for CountingExecutor<'_> {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let (output, conversions) = self.executor.run_counting(id, layer, input, self.images)?;
        let mut all = self.conversions.lock().expect("nothing panics while it holds the lock");
        all[id.0] = all[id.0].plus(conversions);
        Ok(output)
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        self.executor.run_vectors(id, layer, vectors)
    }
}

/// The geometry of a layer of 1 × 1 whose input is one vector.
fn one_position(geometry: &Geometry) -> Geometry {
    Geometry::new(GeometrySpec { in_size: [1; 2], ..*geometry.spec() }).expect("a part of a layer is a layer")
}

/// Rounds activations to integers, zero point subtracted: `clamp(round(x / scale) + zero_point) − zero_point`, ties to
/// even as ONNX QuantizeLinear rounds.
pub fn quantize_activations(input: &[f32], quantization: ActivationQuantization) -> Vec<i32> {
    // Adding and taking away 1.5·2^23 rounds an f32 below 2^22 to an integer, ties to even; unlike a call of `rint` it
    // vectorizes on every machine.
    const ROUND: f32 = 12_582_912.0;
    let low = (quantization.min - quantization.zero_point) as f32;
    let high = (quantization.max - quantization.zero_point) as f32;
    input.iter().map(|&x| (((x / quantization.scale).clamp(low, high) + ROUND) - ROUND) as i32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_round_to_even_and_saturate() {
        let unsigned = ActivationQuantization { scale: 0.5, zero_point: 0, min: 0, max: 255 };
        let shifted = ActivationQuantization { scale: 2.0, zero_point: 100, min: 0, max: 255 };
        assert_eq!(quantize_activations(&[0.25, 0.75, 1.25, -3.0, 1e9], unsigned), [0, 2, 2, 0, 255]);
        assert_eq!(quantize_activations(&[-1.0, -3.0, -1e9, 1e9], shifted), [0, -2, -100, 155]);
    }

    #[test]
    fn conversions_of_steps_count_once() {
        let analog = "name = \"a\"\nengine = \"analog\"\n[array]\nrows = 8\ncolumns = 32\narrays = 1\n\
            [energy]\nmac_j_per_squared_half_step = 1e-15\n[adc]\nbits = 8\nfull_scale = \"max-sum\"\n\
            conversion_j = 1e-13\nconversion_cycles = 1\n";
        let hardware = Hardware::parse(std::path::Path::new("a.toml"), analog).expect("it is valid");
        // As many numbers as units, so that both layers are alike.
        let rnn = testkit::model().input("x", &[5, 1, 4]).weights("w", &[1, 4, 4]).weights("r", &[1, 4, 4]);
        let network = rnn.node("RNN", &["x", "w", "r"], &["y"]).read();
        let executor = EngineExecutor::new(&network, &hardware, Quantization::new(None), &[]).expect("it fits");
        let counting = CountingExecutor::new(&executor, 1);
        let session = inference::Session::new(&network).expect("it runs");
        session.run(&[0.1; 20], &counting, None).expect("a run");
        let found: Vec<u64> = counting.finish().iter().map(|conversions| conversions.total).collect();
        assert!(found[0] > 0 && found[0] == found[1], "{found:?}");
    }

    #[test]
    fn every_code_of_a_file_comes_back() {
        let quantization = ActivationQuantization { scale: 0.018_658_448, zero_point: 114, min: 0, max: 255 };
        let codes: Vec<i32> = (0..=255).map(|q| q - quantization.zero_point).collect();
        let real: Vec<f32> = codes.iter().map(|&q| q as f32 * quantization.scale).collect();
        assert_eq!(quantize_activations(&real, quantization), codes);
    }
}
