//! What goes from step to step in UNIDIRECTIONAL_SEQUENCE_LSTM on integers: activations of 8 bits, cells of 16.
//!
//! Gates have 12 fraction bits, whatever the file says of their intermediate tensors: LiteRT looks at those only where gates
//! are normalized.

use network::{
    ActivationQuantization, Bias, Cell, DataType, Direction, GateFunction, IntegerCell, Recurrent, RecurrentPart,
};

use super::builder::Builder;
use super::fused::Fused;
use super::operation::Operation;
use super::quantization::Multiplier;
use super::steps::{
    BIASES, LayerIntegers, OF_INPUT, OF_STATE, PEEPHOLES, STATES, Steps, cell_clip, check_lstm, integer_biases,
    steps_first, weights_of,
};
use crate::reading::fault::{Fault, not_run};

/// The intermediate tensor that says how hidden states are quantized.
const HIDDEN: usize = 4;

/// An LSTM of so many units.
pub(super) fn lstm(b: &mut Builder<'_>, operation: &Operation<'_>, units: usize) -> Result<Steps, Fault> {
    check_lstm(b, operation)?;
    if PEEPHOLES.into_iter().any(|place| operation.optional(place).is_some()) {
        return Err(not_run!("its gates see its cells, which is handled on real numbers"));
    }
    match operation.fused(0)? {
        Fused::Tanh => {}
        other @ (Fused::None | Fused::Relu | Fused::ReluN1To1 | Fused::Relu6) => {
            return Err(not_run!("LiteRT has TANH where its activation function is {other:?}"));
        }
    }
    let [x, state] = [operation.input(0)?, operation.input(STATES[0])?];
    let [x_q, state_q] = [b.integers_of(x, DataType::I8)?, b.integers_of(state, DataType::I8)?];
    let recurrent = Recurrent {
        part: RecurrentPart::States,
        cell: Cell::Lstm { coupled: false },
        directions: vec![Direction {
            reverse: false,
            functions: vec![GateFunction::Sigmoid, GateFunction::Tanh, GateFunction::Tanh],
        }],
        matrices: OF_STATE.len(),
        steps_first: steps_first(operation.kind, &operation.options)?,
        lengths: None,
        clip: None,
        cell_clip: None,
        integers: Some(cell(b, operation, state_q)?),
        inputs: Vec::new(),
    };
    let (mut of_input, mut of_state) = (Vec::new(), Vec::new());
    for ((_, matrix), bias) in OF_INPUT.into_iter().zip(BIASES) {
        let values = integer_biases(b, operation.input(bias)?, units)?;
        of_input.push(layer(b, operation.input(matrix)?, x_q, Some(values))?);
    }
    for (_, matrix) in OF_STATE {
        of_state.push(layer(b, operation.input(matrix)?, state_q, None)?);
    }
    Ok(Steps { recurrent, constants: Vec::new(), integers: Some([of_input, of_state]) })
}

/// The integers of a layer that reads such activations. Scales are multiplied in 32-bit float.
fn layer(
    b: &Builder<'_>,
    matrix: usize,
    input: ActivationQuantization,
    bias: Option<Vec<i64>>,
) -> Result<LayerIntegers, Fault> {
    let scale = weights_of(b, matrix, DataType::I8)?.scale * input.scale;
    let multiplier = Multiplier::new(f64::from(scale / IntegerCell::PRODUCT.scale))?;
    let bias = bias.map(|values| Bias::Integer { values, scales: vec![scale] });
    let requantization = Some(multiplier.rounding_to(IntegerCell::PRODUCT));
    Ok(LayerIntegers { input: Some(input), bias, requantization })
}

fn cell(b: &Builder<'_>, operation: &Operation<'_>, state: ActivationQuantization) -> Result<IntegerCell, Fault> {
    let Some(&hidden) = operation.intermediates.get(HIDDEN) else {
        return Err(not_run!("the file does not say how its hidden states are quantized"));
    };
    let hidden = b.integers_of(hidden, DataType::I8)?;
    let output = b.integers_of(operation.output()?, DataType::I8)?;
    if hidden != state || output != state {
        return Err(not_run!("its hidden states, what is kept of them and its output have different scales"));
    }
    let kept = b.integers_of(operation.input(STATES[1])?, DataType::I16)?;
    let exponent = kept.scale.log2();
    let cell_bits = (0..=6u32).find(|&bits| exponent == bits as f32 - 15.0 && kept.zero_point == 0);
    let cell_bits = cell_bits.ok_or_else(|| {
        let (scale, zero_point) = (kept.scale, kept.zero_point);
        not_run!("its cells have scale {scale:e} and zero point {zero_point}; 2^−15 to 2^−9 and 0 are handled")
    })?;
    let clip = cell_clip(operation)?.map(|clip| (clip / kept.scale).min(f32::from(i16::MAX)) as i32);
    // One factor has 15 fraction bits, and so has the other.
    let unit = 2f64.powi(-15);
    let multiplier = Multiplier::new(f64::from((unit / f64::from(hidden.scale) * unit) as f32))?;
    Ok(IntegerCell { cell_bits, clip: clip.filter(|clip| *clip > 0), hidden: multiplier.rounding_to(hidden) })
}
