//! What goes from step to step in UNIDIRECTIONAL_SEQUENCE_LSTM and UNIDIRECTIONAL_SEQUENCE_RNN.

use network::{
    ActivationQuantization, Bias, Cell, DataType, Direction, GateFunction, Recurrent, RecurrentInput, RecurrentPart,
    Requantization, Tensor,
};

use super::builder::{Builder, Held};
use super::constants::{Elements, elements};
use super::fused::Fused;
use super::operation::Operation;
use super::schema::Options;
use crate::reading::fault::{Fault, invalid, not_run};

/// The matrices of an LSTM that its input is multiplied by, and their places among the inputs of the operator, in the order of
/// [`network::Cell`]. The first may be left out together with the first of the next.
pub(super) const OF_INPUT: [(&str, usize); 4] =
    [("input_to_input", 1), ("input_to_output", 4), ("input_to_forget", 2), ("input_to_cell", 3)];
/// Those that its output of the step before is multiplied by.
pub(super) const OF_STATE: [(&str, usize); 4] =
    [("recurrent_to_input", 5), ("recurrent_to_output", 8), ("recurrent_to_forget", 6), ("recurrent_to_cell", 7)];
/// Biases and peepholes of an LSTM among the inputs of the operator, in the order of ONNX.
pub(super) const BIASES: [usize; 4] = [12, 15, 13, 14];
pub(super) const PEEPHOLES: [usize; 3] = [9, 11, 10];
/// Its matrices, and its states before the first step.
const MATRICES: std::ops::Range<usize> = 1..9;
pub(super) const STATES: [usize; 2] = [18, 19];
const PROJECTION: usize = 16;
const NORMALIZATION: std::ops::Range<usize> = 20..24;

/// An operator that runs: its first node, and the constants that both nodes read.
pub(super) struct Steps {
    pub(super) recurrent: Recurrent,
    pub(super) constants: Vec<(&'static str, Tensor)>,
    /// What integers its layers read and make, by the order of the layers; none where they are real numbers.
    pub(super) integers: Option<[Vec<LayerIntegers>; 2]>,
}

/// The integers of a layer: those that it reads, its bias, and those that it makes.
#[derive(Clone, Default)]
pub(super) struct LayerIntegers {
    pub(super) input: Option<ActivationQuantization>,
    pub(super) bias: Option<Bias>,
    pub(super) requantization: Option<Requantization>,
}

/// Whether the steps are the first axis of an operator's input, and not the sequences.
pub(super) fn steps_first(kind: &str, options: &Options<'_>) -> Result<bool, Fault> {
    match kind {
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => options.flag(3),
        "UNIDIRECTIONAL_SEQUENCE_RNN" => options.flag(0),
        _ => Ok(false),
    }
}

/// Refuses what no LSTM that runs has, whatever its numbers are.
pub(super) fn check_lstm(b: &Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    if operation.optional(PROJECTION).is_some() {
        return Err(not_run!("its outputs are projected"));
    }
    if NORMALIZATION.into_iter().any(|index| operation.optional(index).is_some()) {
        return Err(not_run!("its gates are normalized"));
    }
    if operation.optional(1).is_none() {
        return Err(not_run!("its input gate is what the forget gate leaves"));
    }
    check_states(b, operation, &STATES)
}

/// An LSTM of so many units on real numbers.
pub(super) fn lstm(b: &Builder<'_>, operation: &Operation<'_>, units: usize) -> Result<Steps, Fault> {
    check_lstm(b, operation)?;
    check_real(b, operation, MATRICES)?;
    let [biases, peepholes] = [&BIASES[..], &PEEPHOLES].map(|places| vectors(b, operation, places, units));
    let (biases, peepholes) = (biases?, peepholes?);
    let function = function(operation, 0)?;
    let functions = vec![GateFunction::Sigmoid, function, function];
    let mut steps = steps(operation, Cell::Lstm { coupled: false }, functions, biases)?;
    if peepholes.iter().any(|&weight| weight != 0.0) {
        steps.recurrent.inputs.push(RecurrentInput::Peepholes);
        steps.constants.push(("peepholes", Tensor::from_f32(vec![1, peepholes.len()], &peepholes)));
    }
    steps.recurrent.cell_clip = cell_clip(operation)?;
    Ok(steps)
}

/// An RNN of so many units.
pub(super) fn rnn(b: &Builder<'_>, operation: &Operation<'_>, units: usize) -> Result<Steps, Fault> {
    check_real(b, operation, 1..3)?;
    check_states(b, operation, &[4])?;
    let biases = vectors(b, operation, &[3], units)?;
    steps(operation, Cell::Rnn, vec![function(operation, 1)?], biases)
}

/// The bound of an LSTM's cells.
pub(super) fn cell_clip(operation: &Operation<'_>) -> Result<Option<f32>, Fault> {
    match operation.options.scalar(1, 0.0f32)? {
        clip if clip >= 0.0 => Ok(Some(clip).filter(|clip| *clip > 0.0 && clip.is_finite())),
        clip => Err(invalid!("it clips its cells to {clip}; expected a number of at least 0")),
    }
}

/// The operator with one bias a gate, which are those of its input.
fn steps(
    operation: &Operation<'_>,
    cell: Cell,
    functions: Vec<GateFunction>,
    biases: Vec<f32>,
) -> Result<Steps, Fault> {
    let recurrent = Recurrent {
        part: RecurrentPart::States,
        cell,
        directions: vec![Direction { reverse: false, functions }],
        matrices: cell.gates(),
        steps_first: steps_first(operation.kind, &operation.options)?,
        lengths: None,
        clip: None,
        cell_clip: None,
        integers: None,
        inputs: vec![RecurrentInput::Biases],
    };
    let both = [biases.as_slice(), &vec![0.0; biases.len()]].concat();
    let constants = vec![("biases", Tensor::from_f32(vec![1, both.len()], &both))];
    Ok(Steps { recurrent, constants, integers: None })
}

/// The activation function, from this field of the options.
fn function(operation: &Operation<'_>, field: usize) -> Result<GateFunction, Fault> {
    match operation.fused(field)? {
        Fused::Relu => Ok(GateFunction::Relu),
        Fused::Tanh => Ok(GateFunction::Tanh),
        other @ (Fused::None | Fused::ReluN1To1 | Fused::Relu6) => {
            Err(not_run!("its activation function {other:?} is not handled"))
        }
    }
}

/// The input and these matrices are real numbers.
fn check_real(b: &Builder<'_>, operation: &Operation<'_>, matrices: std::ops::Range<usize>) -> Result<(), Fault> {
    for tensor in [0].into_iter().chain(matrices).filter_map(|index| operation.optional(index)) {
        if !b.is_real(tensor)? {
            return Err(not_run!("LiteRT rounds its states to integers at each step"));
        }
    }
    Ok(())
}

/// States before the first step are those of a file that nobody has run: 0.
pub(super) fn check_states(b: &Builder<'_>, operation: &Operation<'_>, states: &[usize]) -> Result<(), Fault> {
    let is_fed = |index: &usize| operation.optional(*index).is_none_or(|tensor| !b.slots[tensor].info.variable);
    if states.iter().any(is_fed) { Err(not_run!("its first states are no variables")) } else { Ok(()) }
}

/// How a matrix of integers of this type is quantized.
pub(super) fn weights_of(b: &Builder<'_>, matrix: usize, data_type: DataType) -> Result<ActivationQuantization, Fault> {
    let q = b.integers_of(matrix, data_type)?;
    match q.zero_point {
        0 => Ok(q),
        other => Err(not_run!("its weights have a zero point of {other}; LiteRT takes 0")),
    }
}

/// Biases of 32-bit integers, one a unit.
pub(super) fn integer_biases(b: &Builder<'_>, tensor: usize, units: usize) -> Result<Vec<i64>, Fault> {
    let data_type = b.data_type(tensor)?;
    if data_type != DataType::I32 {
        return Err(not_run!("its biases are {}; 32-bit integers are handled", data_type.name()));
    }
    let values = b.known_ints(tensor, units)?;
    match values.len() == units {
        true => Ok(values),
        false => Err(invalid!("{} biases in {:?}; expected {units}", values.len(), b.slots[tensor].info.name)),
    }
}

/// Vectors of one number a unit, one after another; zeros where one is left out.
pub(super) fn vectors(
    b: &Builder<'_>,
    operation: &Operation<'_>,
    places: &[usize],
    units: usize,
) -> Result<Vec<f32>, Fault> {
    let mut all = Vec::new();
    for &place in places {
        let Some(tensor) = operation.optional(place) else {
            all.resize(all.len() + units, 0.0);
            continue;
        };
        let name = &b.slots[tensor].info.name;
        let Held::Constant(constant) = &b.slots[tensor].held else {
            return Err(not_run!("its input {name:?} is no constant"));
        };
        match elements(constant, name)? {
            Elements::Real(values) if values.len() == units => {
                if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
                    return Err(invalid!("{name:?} has {wrong}; expected finite numbers"));
                }
                all.extend(values);
            }
            Elements::Real(values) => return Err(invalid!("{} numbers in {name:?}; expected {units}", values.len())),
            Elements::Int(..) => return Err(not_run!("its input {name:?} holds integers")),
        }
    }
    Ok(all)
}
