//! SVDF: a fully connected layer of low rank, over what the last steps were.
//!
//! A matrix `[filters, numbers]` makes a number for each filter of what a step reads. An output is the weighted sum of what
//! `rank` filters have made in the last steps. One run of the graph is one step, and LiteRT keeps what the steps before it
//! have made. Here every image is the first step after zeros, as after LiteRT's `reset_all_variables`, so that results do not
//! depend on the order of images:
//!
//! ```text
//! x -> NAME.feature -> pad with the zeros of earlier steps -> NAME.time -> y
//! ```

use network::{ActivationQuantization, Bias, DataType, GeometrySpec, MacOp, NoteKind, Op, Operand, PadMode, ValueId};

use super::builder::Builder;
use super::fused::Fused;
use super::operation::Operation;
use super::quantization::Multiplier;
use super::recurrent::{Product, real_input, stepped};
use super::steps::{LayerIntegers, check_states, integer_biases, vectors, weights_of};
use crate::reading::fault::{Fault, invalid, not_run};
use crate::reading::shape::per_image;

/// Places of the inputs.
const FEATURE: usize = 1;
const TIME: usize = 2;
const BIAS: usize = 3;
const STATE: usize = 4;

/// The sizes of an operator.
struct Sizes {
    batch: usize,
    filters: usize,
    units: usize,
    steps: usize,
}

/// SVDF.
pub(super) fn svdf(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(5, 5)?;
    let (x, feature, time) = (operation.input(0)?, operation.input(FEATURE)?, operation.input(TIME)?);
    let rank = operation.options.positive(0, 0, "rank")?;
    let shapes = (b.shape(x), b.shape(feature), b.shape(time));
    let (&[batch, depth], &[filters, of_input], &[of_time, steps]) = shapes else {
        return Err(invalid!("an input and weights of shapes {shapes:?}; expected two axes each"));
    };
    if of_input != depth || of_time != filters || !filters.is_multiple_of(rank) {
        return Err(invalid!("an input and weights of shapes {shapes:?} and a rank of {rank}"));
    }
    let (images, units) = (per_image(batch, b.network.batch())?, filters / rank);
    let of_input = Product {
        name: "feature",
        weights: feature,
        op: MacOp::Gemm,
        spec: GeometrySpec::convolution(depth, filters, [1; 2], [images, 1]),
        operand: Operand::ChannelsLast,
        reads: vec![batch, depth],
        makes: vec![batch, filters],
    };
    let memory = GeometrySpec::convolution(filters, units, [1, steps], [1, steps]);
    let of_state = Product {
        name: "time",
        weights: time,
        op: MacOp::Conv,
        spec: GeometrySpec { groups: units, repeats: images, ..memory },
        operand: Operand::ChannelsFirst,
        reads: vec![batch, filters, 1, steps],
        makes: vec![batch, units, 1, 1],
    };
    let sizes = Sizes { batch, filters, units, steps };
    let numbers = match b.is_real(x)? {
        true => on_reals(b, operation, units),
        false => on_integers(b, operation, units),
    };
    match numbers {
        Ok(numbers) => numbers.add(b, operation, [of_input, of_state], &sizes),
        Err(Fault::NotRun(reason)) => {
            stepped(b, operation, [vec![of_input], vec![of_state]], &[batch, units], Err(Fault::NotRun(reason)))
        }
        Err(fault) => Err(fault),
    }
}

/// What the numbers of an operator are.
struct Numbers {
    /// Of the layer that reads the input, and of the one that reads what the steps have made.
    layers: [LayerIntegers; 2],
    /// How what the steps have made is quantized.
    state: Option<(ActivationQuantization, DataType)>,
    /// The activation function, where it is one of real numbers.
    activation: Option<Op>,
}

fn on_reals(b: &mut Builder<'_>, operation: &Operation<'_>, units: usize) -> Result<Numbers, Fault> {
    for place in [FEATURE, TIME] {
        if !b.is_real(operation.input(place)?)? {
            return Err(not_run!("LiteRT rounds its input to integers"));
        }
    }
    check_states(b, operation, &[STATE])?;
    let bias = match operation.optional(BIAS) {
        Some(_) => Some(Bias::Float(vectors(b, operation, &[BIAS], units)?)),
        None => None,
    };
    let of_time = LayerIntegers { bias, ..LayerIntegers::default() };
    Ok(Numbers { layers: [LayerIntegers::default(), of_time], state: None, activation: operation.fused(1)?.op() })
}

fn on_integers(b: &mut Builder<'_>, operation: &Operation<'_>, units: usize) -> Result<Numbers, Fault> {
    check_states(b, operation, &[STATE])?;
    let fused = operation.fused(1)?;
    if fused != Fused::Relu {
        return Err(not_run!("LiteRT has RELU on integers, and its activation function is {fused:?}"));
    }
    let x = b.integers_of(operation.input(0)?, DataType::I8)?;
    let feature = weights_of(b, operation.input(FEATURE)?, DataType::I8)?;
    let (time, state, data_type) = memory(b, operation)?;
    let output = b.integers_of(operation.output()?, DataType::I8)?;
    // Scales are multiplied in 32-bit float. The activation function is left to the bounds of the output's type.
    let to_state = Multiplier::new(f64::from(x.scale * feature.scale / state.scale))?;
    let of_input = LayerIntegers { input: Some(x), bias: None, requantization: Some(to_state.rounding_to(state)) };
    let to_output = Multiplier::new(f64::from(state.scale * time.scale / output.scale))?;
    let bias = match operation.optional(BIAS) {
        Some(tensor) => {
            let values = integer_biases(b, tensor, units)?;
            Some(Bias::Integer { values, scales: vec![state.scale * time.scale] })
        }
        None => None,
    };
    let of_time = LayerIntegers { input: Some(state), bias, requantization: Some(to_output.rounding_to(output)) };
    Ok(Numbers { layers: [of_input, of_time], state: Some((state, data_type)), activation: None })
}

/// How the weights of the steps, and what the steps have made, are quantized. LiteRT has 16 bits, LiteRT for
/// microcontrollers 8 bits, too.
fn memory(
    b: &Builder<'_>,
    operation: &Operation<'_>,
) -> Result<(ActivationQuantization, ActivationQuantization, DataType), Fault> {
    let (time, state) = (operation.input(TIME)?, operation.input(STATE)?);
    let data_type = b.data_type(time)?;
    if !matches!(data_type, DataType::I8 | DataType::I16) {
        return Err(not_run!("its weights of the steps are {}; 8- and 16-bit integers are handled", data_type.name()));
    }
    let (time, state) = (weights_of(b, time, data_type)?, b.integers_of(state, data_type)?);
    if data_type == DataType::I16 && state.zero_point != 0 {
        return Err(not_run!("what its steps have made has a zero point of {}; LiteRT takes 0", state.zero_point));
    }
    Ok((time, state, data_type))
}

impl Numbers {
    fn add(
        self,
        b: &mut Builder<'_>,
        operation: &Operation<'_>,
        [of_input, of_state]: [Product; 2],
        sizes: &Sizes,
    ) -> Result<(), Fault> {
        let Sizes { batch, filters, units, steps } = *sizes;
        if self.state.is_some_and(|(_, data_type)| data_type == DataType::I8) {
            b.note(
                NoteKind::Rounding,
                "an SVDF with 8 bits for what its steps have made is computed as LiteRT for microcontrollers does, but where \
                 that overflows 8 bits, numbers saturate here",
            );
        }
        let [ints_of_input, ints_of_state] = self.layers;
        let (x, _) = real_input(b, operation)?;
        let made = of_input.add(b, operation, x, ints_of_input)?;
        let made = match self.state {
            Some((q, data_type)) => {
                b.rounded(&format!("{}/state", operation.name), made, q, (data_type, vec![batch, filters]))
            }
            None => made,
        };
        let (name, form) = (format!("{}/step", operation.name), (DataType::F32, vec![batch, filters, 1, 1]));
        let made = b.emit(&name, "RESHAPE", Op::Reshape, vec![made], form);
        let state = earlier_steps(b, operation, made, of_state.reads.clone(), steps);
        let mut value = of_state.add(b, operation, state, ints_of_state)?;
        let shape = [batch, units];
        value = b.emit(
            &format!("{}/sum", operation.name),
            "RESHAPE",
            Op::Reshape,
            vec![value],
            (DataType::F32, shape.to_vec()),
        );
        b.note(
            NoteKind::Assumed,
            "each image is the first step of its SVDF operators, after zeros; LiteRT keeps what the steps before have made",
        );
        let output = operation.output()?;
        match (self.state, self.activation) {
            (Some(_), _) => b.quantized(operation, output, value, &shape),
            (None, Some(op)) => b.define(operation, output, op, vec![value], &shape),
            (None, None) => b.assign(output, value, &shape),
        }
    }
}

/// A step with zeros for those before it.
fn earlier_steps(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
    step: ValueId,
    shape: Vec<usize>,
    steps: usize,
) -> ValueId {
    let pads = vec![0, 0, 0, steps as i64 - 1, 0, 0, 0, 0];
    let op = Op::Pad { pads, mode: PadMode::Constant, value: 0.0 };
    b.emit(&operation.name, operation.kind, op, vec![step], (DataType::F32, shape))
}
