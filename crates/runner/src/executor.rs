//! The bridge between `inference` and `engine`: the MAC layers of a session, computed on an engine.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::kernel::{CodeRoom, CodeSums, RealRoom, Sums};
use engine::{Activations, Arithmetic, Conversions, Layer, Outputs, PreparedLayer};
use esn::Grid;
use inference::{CodeOutput, CodedInput, ExecutorError, MacExecutor};
use network::{ActivationQuantization, Bias, Geometry, GeometrySpec, LayerId, MacLayer, Network, Requantization};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::finish::{Rounding, Scaling, quantize_activations};
use crate::hardware::{Hardware, refused};
use crate::prepare::{self, PreparedWeights, Quantization};

/// The MAC layers of a network, each held by an engine of one kind.
pub struct EngineExecutor {
    layers: Vec<HeldLayer>,
    /// Memory of layers that are done, for those to come.
    rooms: Mutex<Vec<Room>>,
}

/// What a layer is computed in.
#[derive(Debug, Default)]
struct Room {
    codes: Vec<u8>,
    sums: CodeRoom,
    real_sums: RealRoom,
    finished: Finished,
}

/// The activations of some neighbouring rows of one filter.
#[derive(Debug, Default)]
struct Finished {
    reals: Vec<f32>,
    codes: Vec<u8>,
}

/// One layer held by an engine, and what turns its sums into activations.
struct HeldLayer {
    prepared: Box<dyn PreparedLayer>,
    /// The layer at one position, where it is used step by step.
    stepwise: Option<Box<dyn PreparedLayer>>,
    /// How the input is rounded to integers; none for an engine that takes real numbers.
    input: Option<ActivationQuantization>,
    /// The same as codes of 8 bits; none where it has more, or where padding has no code.
    input_codes: Option<CodeOutput>,
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
    largest_bias: i64,
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
        Ok(Self { layers: held.into_iter().collect::<Result<_, _>>()?, rooms: Mutex::default() })
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
                RunnerError::at_layer(network, layer, problem)
            })?),
            Some(_) | None => None,
        };
        let input_codes = input.filter(|quantization| quantization.bits() <= 8);
        let input_codes = input_codes.map(|quantization| CodeOutput::new(quantization, None));
        let input_codes = input_codes.filter(|codes| (0..=255).contains(&codes.zero_point));
        Ok(Self { prepared, stepwise, input, input_codes, scales, bias, requantization })
    }

    /// The layer on codes of 8 bits, where its input has such and the engine sums them in 32 bits.
    fn on_codes(&self, layer: &MacLayer) -> Option<CodeSums<'_>> {
        let input = self.input_codes.filter(|_| layer.scatter().is_none())?;
        let sums = self.prepared.codes(input.zero_point)?;
        // Sums with a bias added have 32 bits, too.
        let bias = self.requantization.as_ref().map_or(0, |integer| integer.largest_bias);
        (sums.bound().checked_add(bias)? <= i64::from(i32::MAX)).then_some(sums)
    }

    /// What the sums of one filter stand for.
    fn reals(&self, sums: &Sums<'_>, unit: i32, reals: &mut [f32]) {
        match &self.requantization {
            Some(integer) => integer.rounding(sums).reals(sums.sums, reals),
            None => self.scaling(sums, unit).reals(sums.sums, reals),
        }
    }

    /// The codes of what the sums of one filter stand for.
    fn codes(&self, sums: &Sums<'_>, unit: i32, finish: CodeOutput, codes: &mut [u8]) {
        match &self.requantization {
            Some(integer) => integer.rounding(sums).codes(sums.sums, finish, codes),
            None => self.scaling(sums, unit).codes(sums.sums, finish, codes),
        }
    }

    fn scaling(&self, sums: &Sums<'_>, unit: i32) -> Scaling {
        let channel = sums.filter;
        // A unit is a power of two, so that no product is rounded in another way.
        Scaling { missing: sums.missing, scale: self.scales[channel] * f64::from(unit), bias: self.bias[channel] }
    }

    fn image(
        &self,
        layer: &MacLayer,
        input: &[f32],
        output: &mut [f32],
        room: &mut Room,
        conversions: &mut Conversions,
    ) -> Result<(), ExecutorError> {
        let Room { codes, sums: sum_room, real_sums, finished: Finished { reals, .. } } = room;
        if let (Some(sums), Some(coding)) = (self.on_codes(layer), self.input_codes) {
            codes.resize(input.len(), 0);
            coding.codes(input, codes);
            sums.sum(codes, sum_room, |handed| {
                handed.place(reals, output, |reals| self.reals(&handed, sums.unit(), reals));
            })?;
            return Ok(());
        }
        if let Some(sums) = self.prepared.reals().filter(|_| layer.scatter().is_none()) {
            let input = Activations::Real(input).finite_reals(&layer.name, &layer.geometry)?;
            sums.sum(input, real_sums, |handed| {
                let (scale, bias) = (self.scales[handed.filter], self.bias[handed.filter]);
                handed.place(reals, output, |reals| scaled(handed.sums, f64::from, [scale, bias], reals));
            })?;
            return Ok(());
        }
        let sums = self.sums(&*self.prepared, input, conversions)?;
        self.activations(layer, sums, layer.out_positions(), output);
        Ok(())
    }

    /// One position of a layer that is used step by step.
    fn vector(&self, layer: &MacLayer, input: &[f32], output: &mut [f32]) -> Result<(), ExecutorError> {
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
    fn activations(&self, layer: &MacLayer, sums: Outputs, positions: usize, output: &mut [f32]) {
        match (sums, &self.requantization) {
            (Outputs::Integer(sums), Some(integer)) => integer.real(&layer.outputs(sums), positions, output),
            (Outputs::Integer(sums), None) => self.scale(&layer.outputs(sums), positions, |sum| sum as f64, output),
            (Outputs::Real(sums), _) => self.scale(&layer.outputs(sums), positions, f64::from, output),
        }
    }

    /// `sum · scale + bias` of every output channel, over `[repeats, out_channels, positions]`.
    fn scale<T: Copy>(&self, sums: &[T], positions: usize, to_f64: impl Fn(T) -> f64 + Copy, output: &mut [f32]) {
        for (row, (sums, reals)) in sums.chunks_exact(positions).zip(output.chunks_exact_mut(positions)).enumerate() {
            let channel = row % self.scales.len();
            scaled(sums, to_f64, [self.scales[channel], self.bias[channel]], reals);
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
        let largest_bias = bias.iter().map(|bias| bias.saturating_abs()).max().unwrap_or(0);
        (weights.codes.grid() == Grid::MidTread).then(|| Self { rule: rule.clone(), bias, largest_bias })
    }

    /// The rounding of one filter's sums. Weights lie on the grid that has 0, where every sum is in whole steps.
    fn rounding(&self, sums: &Sums<'_>) -> Rounding<'_> {
        let missing = sums.missing + self.bias[sums.filter] as i32;
        Rounding { rule: &self.rule, channel: sums.filter, missing }
    }

    /// What the integers of the output stand for, over `[repeats, out_channels, positions]`. The engine counts half-steps.
    fn real(&self, sums: &[i64], positions: usize, output: &mut [f32]) {
        for (row, (sums, reals)) in sums.chunks_exact(positions).zip(output.chunks_exact_mut(positions)).enumerate() {
            let channel = row % self.bias.len();
            for (real, &sum) in reals.iter_mut().zip(sums) {
                *real = self.rule.real(sum / 2 + self.bias[channel], channel);
            }
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
        output: &mut Vec<f32>,
    ) -> Result<Conversions, ExecutorError> {
        let held = &self.layers[id.0];
        let images = input.chunks_exact(layer.geometry.input_len());
        let of_image = layer.geometry.spec().repeats * layer.out_channels() * layer.out_positions();
        output.resize(images.len() * of_image, 0.0);
        let (mut conversions, mut beyond) = (Conversions::default(), Conversions::default());
        let mut room = self.room();
        for (i, (image, output)) in images.zip(output.chunks_exact_mut(of_image)).enumerate() {
            held.image(layer, image, output, &mut room, if i < counted { &mut conversions } else { &mut beyond })?;
        }
        self.rooms().push(room);
        Ok(conversions)
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Room>> {
        // Nothing that can panic happens under the lock.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> Room {
        self.rooms().pop().unwrap_or_default()
    }
}

impl MacExecutor for EngineExecutor {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        self.run_counting(id, layer, input, 0, output).map(|_| ())
    }

    fn run_codes(
        &self,
        id: LayerId,
        layer: &MacLayer,
        codes: CodedInput<'_>,
        output: &mut [u8],
    ) -> Result<bool, ExecutorError> {
        let held = &self.layers[id.0];
        let CodedInput { codes: input, quantization, finish } = codes;
        let Some(sums) = held.on_codes(layer).filter(|_| held.input == Some(*quantization)) else { return Ok(false) };
        let mut room = self.room();
        let Room { sums: sum_room, finished: Finished { codes, .. }, .. } = &mut room;
        let (input_len, output_len) = (layer.geometry.input_len(), layer.geometry.output_len());
        for (image, output) in input.chunks_exact(input_len).zip(output.chunks_exact_mut(output_len)) {
            sums.sum(image, sum_room, |handed| {
                handed.place(codes, output, |codes| held.codes(&handed, sums.unit(), *finish, codes));
            })?;
        }
        self.rooms().push(room);
        Ok(true)
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let mut output = vec![0.0; vectors.len() / layer.in_channels() * layer.out_channels()];
        let outputs = output.chunks_exact_mut(layer.out_channels());
        for (vector, output) in vectors.chunks_exact(layer.in_channels()).zip(outputs) {
            self.layers[id.0].vector(layer, vector, output)?;
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
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let conversions = self.executor.run_counting(id, layer, input, self.images, output)?;
        let mut all = self.conversions.lock().expect("nothing panics while it holds the lock");
        all[id.0] = all[id.0].plus(conversions);
        Ok(())
    }

    fn run_codes(
        &self,
        id: LayerId,
        layer: &MacLayer,
        codes: CodedInput<'_>,
        output: &mut [u8],
    ) -> Result<bool, ExecutorError> {
        // What sums codes has no converters.
        self.executor.run_codes(id, layer, codes, output)
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        self.executor.run_vectors(id, layer, vectors)
    }
}

/// `sum · scale + bias` of the sums of one channel.
fn scaled<T: Copy>(sums: &[T], to_f64: impl Fn(T) -> f64, [scale, bias]: [f64; 2], reals: &mut [f32]) {
    lanes::run(
        #[inline(always)]
        move || {
            for (real, &sum) in reals.iter_mut().zip(sums) {
                *real = (to_f64(sum) * scale + bias) as f32;
            }
        },
    );
}

/// The geometry of a layer of 1 × 1 whose input is one vector.
fn one_position(geometry: &Geometry) -> Geometry {
    Geometry::new(GeometrySpec { in_size: [1; 2], ..*geometry.spec() }).expect("a part of a layer is a layer")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// Weights and activations of 8 bits that go through everything that runs on codes, and some that does not: a stride,
    /// padding, groups, signed and unsigned activations, clamps, sums of two, an activation that several layers read, one
    /// that a float operator reads.
    fn quantized() -> Network {
        let mut random = testkit::Random::new(7);
        let mut net = testkit::model().input("x", &[2, 3, 9, 7]);
        for (name, scale) in [("s0", 0.02), ("s1", 0.05), ("s2", 0.11), ("s3", 0.003)] {
            net = net.floats(name, &[], &[scale]);
        }
        net = net.uint8s("z0", &[], &[120]).uint8s("zero", &[], &[0]).int8s("z2", &[], &[-3]);
        for (name, shape) in [
            ("w0", [16, 3, 3, 3]),
            ("w1", [16, 16, 3, 3]),
            ("w2", [16, 1, 3, 3]),
            ("w3", [5, 16, 1, 1]),
            ("w4", [16, 16, 1, 1]),
        ] {
            let len = shape.iter().product::<i64>() as usize;
            let integers: Vec<i8> = random.reals(len).iter().map(|x| (x * 127.0) as i8).collect();
            net = net.int8s(name, &shape, &integers).node("DequantizeLinear", &[name, "s3"], &[&format!("{name}r")]);
        }
        net = net.floats("b0", &[16], &random.reals(16)).floats("six", &[], &[6.0]).floats("low", &[], &[-1.0]);
        let pads = || testkit::int_list("pads", &[1, 1, 1, 1]);
        net = net.node("QuantizeLinear", &["x", "s0", "z0"], &["i0"]).node(
            "DequantizeLinear",
            &["i0", "s0", "z0"],
            &["q0"],
        );
        net = net.node_with("Conv", &["q0", "w0r", "b0"], &["c0"], vec![pads(), testkit::int_list("strides", &[2, 2])]);
        net = net.node("Relu", &["c0"], &["r0"]).node("QuantizeLinear", &["r0", "s1", "zero"], &["a0"]);
        net = net.node("DequantizeLinear", &["a0", "s1", "zero"], &["d0"]);
        net = net.node_with("Conv", &["d0", "w1r"], &["c1"], vec![pads()]);
        net = net.node("QuantizeLinear", &["c1", "s2", "z2"], &["a1"]).node(
            "DequantizeLinear",
            &["a1", "s2", "z2"],
            &["d1"],
        );
        net = net.node("Conv", &["d0", "w4r"], &["c4"]).node("Clip", &["c4", "low", "six"], &["r4"]);
        net = net.node("QuantizeLinear", &["r4", "s1", "z2"], &["a4"]).node(
            "DequantizeLinear",
            &["a4", "s1", "z2"],
            &["d4"],
        );
        net = net.node("Add", &["d1", "d4"], &["t0"]).node("Relu", &["t0"], &["t1"]);
        net = net.node("QuantizeLinear", &["t1", "s1", "zero"], &["a5"]).node(
            "DequantizeLinear",
            &["a5", "s1", "zero"],
            &["d5"],
        );
        net = net.node_with("Conv", &["d5", "w2r"], &["c2"], vec![pads(), testkit::int("group", 16)]);
        net = net.node("QuantizeLinear", &["c2", "s1", "z0"], &["a2"]).node(
            "DequantizeLinear",
            &["a2", "s1", "z0"],
            &["d2"],
        );
        // A float operator, which reads what a layer reads, too.
        net = net.node("Sigmoid", &["d2"], &["g"]).node("Conv", &["d2", "w3r"], &["c3"]);
        net = net.node("GlobalAveragePool", &["g"], &["m"]).node("GlobalAveragePool", &["c3"], &["n"]);
        // A layer whose input has its channels last.
        let integers: Vec<i8> = random.reals(96).iter().map(|x| (x * 127.0) as i8).collect();
        net = net.int8s("w5", &[16, 6], &integers).node("DequantizeLinear", &["w5", "s3"], &["w5r"]);
        net = net.node_with("Transpose", &["d5"], &["t5"], vec![testkit::int_list("perm", &[0, 2, 3, 1])]);
        net = net.node("QuantizeLinear", &["t5", "s1", "z0"], &["a6"]).node(
            "DequantizeLinear",
            &["a6", "s1", "z0"],
            &["d6"],
        );
        net = net.node("MatMul", &["d6", "w5r"], &["c6"]).node("QuantizeLinear", &["c6", "s1", "z2"], &["a7"]);
        net = net.node("DequantizeLinear", &["a7", "s1", "z2"], &["d7"]);
        // A function between codes.
        net = net.node("HardSwish", &["d7"], &["h7"]).node("QuantizeLinear", &["h7", "s1", "z2"], &["a8"]);
        net = net.node("DequantizeLinear", &["a8", "s1", "z2"], &["d8"]);
        net = net.node("Flatten", &["m"], &["fm"]).node("Flatten", &["n"], &["fn"]).node("Flatten", &["d8"], &["f7"]);
        net.node_with("Concat", &["fm", "fn", "f7"], &["y"], vec![testkit::int("axis", 1)]).read()
    }

    #[test]
    fn a_run_on_codes_is_that_on_numbers() {
        let network = quantized();
        let inputs: Vec<ActivationQuantization> =
            network.layers().iter().map(|layer| layer.input_quantization.expect("the file says it")).collect();
        assert_eq!(inputs.len(), 6);
        let hardware = Hardware::ideal().into_iter().find(|h| h.engine.arithmetic() == Arithmetic::Integer);
        let hardware = hardware.expect("one is digital");
        let executor = EngineExecutor::new(&network, &hardware, Quantization::new(None), &inputs).expect("it fits");
        let session = inference::Session::new(&network).expect("it runs");
        let mut random = testkit::Random::new(3);
        for _ in 0..20 {
            let image: Vec<f32> = random.reals(2 * 3 * 9 * 7).iter().map(|x| 4.0 * x).collect();
            let mut seen = 0;
            let mut see = |_: LayerId, _: &[f32], _: &[f32]| seen += 1;
            let on_numbers = session.run(&image, &executor, Some(&mut see)).expect("a run");
            let asked = Asked { executor: &executor, takes_codes: true, on_codes: AtomicUsize::new(0) };
            let on_codes = session.run(&image, &asked, None).expect("a run");
            let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&on_codes), bits(&on_numbers));
            // All but one layer, whose output is no integer.
            assert_eq!((seen, asked.on_codes.load(Ordering::Relaxed)), (6, 5));
            // An executor that takes numbers alone gives the same.
            let numbers_only = Asked { takes_codes: false, ..asked };
            let on_numbers_only = session.run(&image, &numbers_only, None).expect("a run");
            assert_eq!(bits(&on_numbers_only), bits(&on_numbers));
        }
    }

    /// Counts the layers that run on codes, if it takes any.
    struct Asked<'a> {
        executor: &'a EngineExecutor,
        takes_codes: bool,
        on_codes: AtomicUsize,
    }

    impl MacExecutor for Asked<'_> {
        fn run(
            &self,
            id: LayerId,
            layer: &MacLayer,
            input: &[f32],
            output: &mut Vec<f32>,
        ) -> Result<(), ExecutorError> {
            self.executor.run(id, layer, input, output)
        }

        fn run_codes(
            &self,
            id: LayerId,
            layer: &MacLayer,
            codes: CodedInput<'_>,
            output: &mut [u8],
        ) -> Result<bool, ExecutorError> {
            let taken = self.takes_codes && self.executor.run_codes(id, layer, codes, output)?;
            self.on_codes.fetch_add(usize::from(taken), Ordering::Relaxed);
            Ok(taken)
        }
    }
}
