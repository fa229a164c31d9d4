//! Recurrent operators: LSTM, GRU and RNN.
//!
//! Each direction multiplies the input of every step by a constant matrix `W`, and the hidden state before every step by a
//! matrix `R`. Both products are MAC layers of 1 × 1 whose positions are the steps of one sequence:
//!
//! ```text
//! MACs = (gates · H · I + gates · H · H) · steps · directions;  gates = 4 of LSTM, 3 of GRU, 1 of RNN
//! ```
//!
//! Peepholes and gates multiply element by element, which no MAC layer does, and biases cost nothing. What goes from step
//! to step is a [`network::Recurrent`]. With `linear_before_reset` of 0 one gate of a GRU multiplies another vector than
//! the others, so that its rows of `R` are a layer of their own.

use network::{Cell, Direction, GateFunction, GeometrySpec, MacLayer, MacOp, Recurrent, RecurrentInput, RecurrentPart};

use super::array::Array;
use super::chain::Chain;
use super::elementwise::check_same_type;
use super::form::{Form, MAX_FOLDED};
use super::mac::{Draft, unknown_weights, weights};
use super::plan::{Action, Kept, Plan, or_not_run};
use super::quantized_lstm::ROUNDS_STATES;
use super::recurrent_layers::{DirectionLayers, RecurrentLayers};
use super::slot::Slot;
use super::view::View;
use crate::reading::fault::{Fault, clean, invalid, not_costed, not_run};
use crate::reading::findings::steps_not_run;
use crate::reading::shape::{sequences_lie, steps_per_image};

/// Inputs of the operators.
const W: usize = 1;
const R: usize = 2;
const BIAS: usize = 3;
const SEQUENCE_LENS: usize = 4;
pub(super) const INITIAL: std::ops::Range<usize> = 5..7;
const PEEPHOLES: usize = 7;

/// What the inputs behind the weights are to the operator, by their places.
const READ: [(usize, RecurrentInput); 4] = [
    (BIAS, RecurrentInput::Biases),
    (INITIAL.start, RecurrentInput::Hidden),
    (INITIAL.end - 1, RecurrentInput::Cell),
    (PEEPHOLES, RecurrentInput::Peepholes),
];

/// Whether an operator is one of these.
pub(super) fn is_recurrent(op_type: &str) -> bool {
    matches!(op_type, "LSTM" | "GRU" | "RNN")
}

/// LSTM, GRU and RNN: layers of their constant weights, and the shapes of their outputs.
pub(super) fn recurrent(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(3, if view.op_type == "LSTM" { 8 } else { 6 })?;
    let sizes = Sizes::read(view)?;
    sizes.check_inputs(view)?;
    let operator = sizes.operator(view)?;
    let plan = or_not_run(Form::default(), || {
        let layers = sizes.layers(view, operator)?;
        let kept = match layers.operator {
            Ok(_) => Kept::Listed(read(view).map(|(index, _)| index).collect()),
            Err(_) => Kept::Listed((BIAS..view.inputs.len()).collect()),
        };
        Ok(Plan { action: Action::Recurrent(Box::new(layers)), outputs: Vec::new(), kept, not_costed: None })
    })?;
    Ok(Plan { outputs: sizes.outputs(view), ..plan })
}

/// The inputs behind the weights that are there. States of 0 are as good as none.
fn read<'v>(view: &'v View<'_>) -> impl Iterator<Item = (usize, RecurrentInput)> + 'v {
    READ.into_iter().filter(|(index, _)| {
        let slot = view.optional(*index);
        slot.is_some_and(|slot| !INITIAL.contains(index) || !is_zero(slot))
    })
}

fn is_zero(slot: &Slot) -> bool {
    let known = slot.known.as_ref().filter(|chain| chain.element_count() <= MAX_FOLDED);
    let values = known.and_then(|chain| chain.to_array().ok()).and_then(Array::into_reals);
    values.is_some_and(|values| values.iter().all(|&value| value == 0.0))
}

/// The sizes of a recurrent operator.
struct Sizes {
    steps: usize,
    /// Sequences that run side by side: all images of the batch.
    sequences: usize,
    features: usize,
    hidden: usize,
    cell: Cell,
    /// What the names of the layers of each direction end in.
    directions: &'static [&'static str],
    /// Whether the sequences are the first axis of input and output, and not the steps.
    batch_first: bool,
}

impl Sizes {
    fn read(view: &View<'_>) -> Result<Self, Fault> {
        let attributes = &view.attributes;
        let directions: &[&str] = match attributes.choice("direction", &["forward", "reverse", "bidirectional"])? {
            "bidirectional" => &[".forward", ".reverse"],
            _ => &[""],
        };
        let batch_first = attributes.flag("layout", false)?;
        let cell = match view.op_type {
            "LSTM" => Cell::Lstm { coupled: attributes.flag("input_forget", false)? },
            "GRU" => Cell::Gru { reset_behind: attributes.flag("linear_before_reset", false)? },
            _ => Cell::Rnn,
        };
        // Parameters of functions that are not handled, and which outputs an old version has.
        ["activation_alpha", "activation_beta", "output_sequence"].iter().for_each(|name| attributes.ignore(name));
        check_same_type(view, 0..BIAS)?;
        let (x, r) = (view.shape(0)?, view.shape(R)?);
        let (&[first, second, features], &[_, _, hidden]) = (x, r) else {
            return Err(invalid!("input of shape {x:?} and recurrent weights of {r:?}; expected three axes each"));
        };
        let (steps, sequences) = if batch_first { (second, first) } else { (first, second) };
        if let Some(found) = attributes.int("hidden_size")?
            && usize::try_from(found) != Ok(hidden)
        {
            return Err(invalid!("hidden_size is {found}, but its recurrent weights have shape {r:?}"));
        }
        Ok(Self { steps, sequences, features, hidden, cell, directions, batch_first })
    }

    fn check_inputs(&self, view: &View<'_>) -> Result<(), Fault> {
        let (count, rows) = (self.directions.len(), self.cell.gates() * self.hidden);
        let states = self.placed(&[count], self.hidden);
        let expected = [
            (W, "weights", vec![count, rows, self.features]),
            (R, "recurrent weights", vec![count, rows, self.hidden]),
            (BIAS, "biases", vec![count, 2 * rows]),
            (SEQUENCE_LENS, "sequence_lens", vec![self.sequences]),
            (INITIAL.start, "initial hidden state", states.clone()),
            (INITIAL.end - 1, "initial cell state", states),
            (PEEPHOLES, "peepholes", vec![count, 3 * self.hidden]),
        ];
        for (index, what, expected) in expected {
            let found = view.optional(index).and_then(|slot| slot.form.shape.as_ref());
            if let Some(found) = found.filter(|found| **found != expected) {
                return Err(invalid!("{what} of shape {found:?}; expected {expected:?}"));
            }
        }
        Ok(())
    }

    /// The axes of a value with a vector of `last` numbers for each sequence, the others being `before`.
    fn placed(&self, before: &[usize], last: usize) -> Vec<usize> {
        let sequences = [self.sequences];
        match self.batch_first {
            true => [&sequences, before, &[last]].concat(),
            false => [before, &sequences, &[last]].concat(),
        }
    }

    /// `Y`, `Y_h` and, of LSTM, `Y_c`. The directions are an axis of `Y`, before the sequences or behind the steps.
    fn outputs(&self, view: &View<'_>) -> Vec<Form> {
        let count = self.directions.len();
        let all = view.like_first(self.placed(&[self.steps, count], self.hidden));
        let last = view.like_first(self.placed(&[count], self.hidden));
        match view.op_type {
            "LSTM" => vec![all, last.clone(), last],
            _ => vec![all, last],
        }
    }

    /// What goes through the steps; else why nothing does.
    fn operator(&self, view: &View<'_>) -> Result<Result<Recurrent, String>, Fault> {
        let operator = || {
            if view.attributes.flag(ROUNDS_STATES, false)? {
                return Err(not_run!("onnxruntime rounds its states to integers at each step"));
            }
            Ok(Recurrent {
                part: RecurrentPart::States,
                cell: self.cell,
                directions: self.functions(view)?,
                matrices: 1,
                steps_first: !self.batch_first,
                lengths: self.lengths(view)?,
                clip: clip(view)?,
                cell_clip: None,
                integers: None,
                inputs: read(view).map(|(_, input)| input).collect(),
            })
        };
        match operator() {
            Ok(operator) => Ok(Ok(operator)),
            Err(Fault::NotRun(reason)) => {
                view.attributes.ignore("activations");
                view.attributes.ignore("clip");
                Ok(Err(reason))
            }
            Err(fault) => Err(fault),
        }
    }

    /// The activation functions of each direction.
    fn functions(&self, view: &View<'_>) -> Result<Vec<Direction>, Fault> {
        let own = self.cell.functions();
        let functions = match view.attributes.texts("activations")? {
            None => own.repeat(self.directions.len()),
            Some(names) => names.into_iter().map(function).collect::<Result<_, _>>()?,
        };
        let (found, expected) = (functions.len(), own.len() * self.directions.len());
        if found != expected {
            return Err(invalid!("attribute \"activations\" has {found} functions; expected {expected}"));
        }
        let backwards = view.attributes.string("direction", "forward")? == "reverse";
        let direction = |(place, functions): (usize, &[GateFunction])| Direction {
            reverse: backwards || place == 1,
            functions: functions.to_vec(),
        };
        Ok(functions.chunks(own.len()).enumerate().map(direction).collect())
    }

    /// The steps of each sequence, where some have fewer than all.
    fn lengths(&self, view: &View<'_>) -> Result<Option<Vec<usize>>, Fault> {
        let Some(lens) = view.long_ints(SEQUENCE_LENS, "lengths of sequences", MAX_FOLDED)? else { return Ok(None) };
        let length = |&len: &i64| match usize::try_from(len) {
            Ok(0) => Err(not_run!("sequence_lens has a sequence of no steps")),
            Ok(len) if len <= self.steps => Ok(len),
            Ok(_) | Err(_) => {
                Err(invalid!("sequence_lens has {len}; expected at most the {} steps of the input", self.steps))
            }
        };
        let lengths: Vec<usize> = lens.iter().map(length).collect::<Result<_, _>>()?;
        Ok(Some(lengths).filter(|lengths| lengths.iter().any(|&length| length < self.steps)))
    }

    fn layers(&self, view: &View<'_>, operator: Result<Recurrent, String>) -> Result<RecurrentLayers, Fault> {
        let batch_axis = usize::from(!self.batch_first);
        let axes = if self.batch_first { [self.sequences, self.steps] } else { [self.steps, self.sequences] };
        let positions = steps_per_image(axes, batch_axis, view.batch)?;
        let operand = sequences_lie(batch_axis, self.sequences, view.batch);
        let matrices = [self.matrices(view, W, self.features)?, self.matrices(view, R, self.hidden)?];
        let layer = |what: String, chain: Chain| {
            let [filters, depth] = [chain.shape[0], chain.shape[1]];
            let spec = GeometrySpec::convolution(depth, filters, [1; 2], [positions, 1]);
            let draft = Draft { op: MacOp::MatMul, spec, operand, alpha: 1.0, activation: 0 };
            Ok(MacLayer { name: format!("{}.{what}", view.name), ..draft.layer(view, chain, None)? })
        };
        // What quantizes the input of the node says nothing of its states.
        let of_state = |what: String, chain: Chain| Ok(MacLayer { input_quantization: None, ..layer(what, chain)? });
        let [inputs, recurrents] = matrices;
        let (recurrents, torn) = self.by_states(recurrents);
        let pairs = self.directions.iter().zip(inputs.into_iter().zip(recurrents));
        let direction = |(suffix, (input, (recurrent, hidden))): (&&str, (Chain, (Chain, Option<Chain>)))| {
            let hidden = hidden.map(|chain| of_state(format!("recurrent_hidden{suffix}"), chain));
            Ok(DirectionLayers {
                input: layer(format!("input{suffix}"), input)?,
                recurrent: of_state(format!("recurrent{suffix}"), recurrent)?,
                hidden: hidden.transpose()?,
            })
        };
        let directions = pairs.map(direction).collect::<Result<_, Fault>>()?;
        let states = self.placed(&[self.steps], self.hidden);
        let (operator, assumed) = match (operator, torn, self.cut_short(view)?) {
            (Ok(operator), false, short) => (Ok(operator), short),
            (Ok(_), true, short) => (Err(not_stepped("the rows of its recurrent weights are rearranged", short)), None),
            (Err(reason), _, short) => (Err(not_stepped(&reason, short)), None),
        };
        Ok(RecurrentLayers { directions, states, operator, assumed })
    }

    /// The recurrent matrices by the states that they multiply, and whether some cannot be told apart.
    fn by_states(&self, matrices: Vec<Chain>) -> (Vec<(Chain, Option<Chain>)>, bool) {
        let (first, all) = (2 * self.hidden, 3 * self.hidden);
        let whole = || matrices.iter().map(|matrix| (matrix.clone(), None)).collect();
        if !self.cell.resets_before() {
            return (whole(), false);
        }
        let cut = |matrix: &Chain| Some((matrix.rows(0..first)?, Some(matrix.rows(first..all)?)));
        match matrices.iter().map(cut).collect::<Option<_>>() {
            Some(cut) => (cut, false),
            None => (whole(), true),
        }
    }

    /// The constant matrix of each direction.
    fn matrices(&self, view: &View<'_>, index: usize, depth: usize) -> Result<Vec<Chain>, Fault> {
        let slot = view.input(index)?;
        if slot.known.is_none() {
            return Err(unknown_weights(slot));
        }
        let chain = weights(view, index)?;
        let matrix = [self.cell.gates() * self.hidden, depth];
        let of_direction = |direction: usize| match self.directions.len() {
            1 => chain.clone().reshaped(&matrix),
            _ => chain.part(direction),
        };
        let matrices = (0..self.directions.len()).map(of_direction).collect::<Option<_>>();
        matrices.ok_or_else(|| not_costed!("its weights are rearranged in a way that is not handled"))
    }

    /// What is to be said of sequences that end before the last step.
    fn cut_short(&self, view: &View<'_>) -> Result<Option<String>, Fault> {
        let steps = self.steps;
        Ok(match view.long_ints(SEQUENCE_LENS, "lengths of sequences", MAX_FOLDED) {
            Ok(lens) => {
                lens.and_then(|lens| lens.into_iter().filter(|&len| len < steps as i64).min()).map(|shortest| {
                    format!("costs are those of {steps} steps, though sequence_lens has sequences of {shortest} steps")
                })
            }
            Err(Fault::NotRun(_)) => {
                Some(format!("costs are those of {steps} steps, of which sequence_lens may leave some out"))
            }
            Err(fault) => return Err(fault),
        })
    }
}

/// The bound of pre-activations.
fn clip(view: &View<'_>) -> Result<Option<f32>, Fault> {
    match view.attributes.optional_float("clip")? {
        Some(clip) if !(clip > 0.0 && clip.is_finite()) => {
            Err(invalid!("attribute \"clip\" is {clip}; expected a finite number above 0"))
        }
        clip => Ok(clip),
    }
}

/// A function by its name, which some exporters write in small letters.
fn function(name: &str) -> Result<GateFunction, Fault> {
    let known = GateFunction::ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name));
    known.ok_or_else(|| not_run!("its activation {:?} is not handled", clean(name)))
}

/// Why nothing goes through the steps, and what the costs assume.
fn not_stepped(reason: &str, assumed: Option<String>) -> String {
    let assumed = assumed.map(|assumed| format!("; {assumed}")).unwrap_or_default();
    steps_not_run(&format!("{reason}{assumed}"))
}
