//! Recurrent operators: LSTM, GRU and RNN.
//!
//! Each direction multiplies the input of every step by a constant matrix `W`, and the hidden state before every step by a
//! matrix `R`. Both products are MAC layers of 1 × 1 whose positions are the steps of one sequence:
//!
//! ```text
//! MACs = (gates · H · I + gates · H · H) · steps · directions;  gates = 4 of LSTM, 3 of GRU, 1 of RNN
//! ```
//!
//! Peepholes and gates multiply element by element, which no MAC layer does, and biases cost nothing. What leads from one
//! step to the next is not run ([`super::build`] says how the layers stand in the graph). With `linear_before_reset` of 0
//! one gate of a GRU multiplies another vector by its rows of `R`; it multiplies as often.

use network::{GeometrySpec, MacLayer, MacOp, Operand};

use super::chain::Chain;
use super::elementwise::check_same_type;
use super::form::{Form, MAX_FOLDED};
use super::mac::{Draft, unknown_weights, weights};
use super::plan::{Action, Kept, Plan, or_not_run};
use super::recurrent_layers::{Direction, Recurrent};
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::findings::STEPS_NOT_RUN;
use crate::reading::shape::steps_per_image;

/// Inputs of the operators.
const W: usize = 1;
const R: usize = 2;
const BIAS: usize = 3;
const SEQUENCE_LENS: usize = 4;
pub(super) const INITIAL: std::ops::Range<usize> = 5..7;
const PEEPHOLES: usize = 7;

/// Whether an operator is one of these.
pub(super) fn is_recurrent(op_type: &str) -> bool {
    gates(op_type).is_some()
}

fn gates(op_type: &str) -> Option<usize> {
    match op_type {
        "LSTM" => Some(4),
        "GRU" => Some(3),
        "RNN" => Some(1),
        _ => None,
    }
}

/// LSTM, GRU and RNN: layers of their constant weights, and the shapes of their outputs.
pub(super) fn recurrent(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(3, if view.op_type == "LSTM" { 8 } else { 6 })?;
    let sizes = Sizes::read(view)?;
    sizes.check_inputs(view)?;
    let plan = or_not_run(Form::default(), || {
        let action = Action::Recurrent(Box::new(sizes.layers(view)?));
        Ok(Plan { action, outputs: Vec::new(), kept: Kept::All, not_costed: None })
    })?;
    Ok(Plan { outputs: sizes.outputs(view), ..plan })
}

/// The sizes of a recurrent operator.
struct Sizes {
    steps: usize,
    /// Sequences that run side by side: all images of the batch.
    sequences: usize,
    features: usize,
    hidden: usize,
    gates: usize,
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
        let own = match view.op_type {
            "LSTM" => "input_forget",
            "GRU" => "linear_before_reset",
            _ => "",
        };
        let without_cost = ["activations", "activation_alpha", "activation_beta", "clip", "output_sequence", own];
        without_cost.iter().for_each(|name| attributes.ignore(name));
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
        let gates = gates(view.op_type).expect("no other operator is planned here");
        Ok(Self { steps, sequences, features, hidden, gates, directions, batch_first })
    }

    fn check_inputs(&self, view: &View<'_>) -> Result<(), Fault> {
        let (count, rows) = (self.directions.len(), self.gates * self.hidden);
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

    fn layers(&self, view: &View<'_>) -> Result<Recurrent, Fault> {
        let batch_axis = usize::from(!self.batch_first);
        let axes = if self.batch_first { [self.sequences, self.steps] } else { [self.steps, self.sequences] };
        let positions = steps_per_image(axes, batch_axis, view.batch)?;
        let matrices = [self.matrices(view, W, self.features)?, self.matrices(view, R, self.hidden)?];
        let layer = |what: String, chain: Chain| {
            let [filters, depth] = [chain.shape[0], chain.shape[1]];
            let spec = GeometrySpec::convolution(depth, filters, [1; 2], [positions, 1]);
            let draft = Draft { op: MacOp::MatMul, spec, operand: Operand::ChannelsLast, alpha: 1.0, activation: 0 };
            Ok(MacLayer { name: format!("{}.{what}", view.name), ..draft.layer(view, chain, None)? })
        };
        let [inputs, recurrents] = matrices;
        let pairs = self.directions.iter().zip(inputs.into_iter().zip(recurrents));
        let direction = |(suffix, (input, recurrent)): (&&str, (Chain, Chain))| {
            let (input, recurrent) =
                (layer(format!("input{suffix}"), input)?, layer(format!("recurrent{suffix}"), recurrent)?);
            // What quantizes the input of the node says nothing of its states.
            Ok(Direction { input, recurrent: MacLayer { input_quantization: None, ..recurrent } })
        };
        let directions = pairs.map(direction).collect::<Result<_, Fault>>()?;
        let states = self.placed(&[self.steps], self.hidden);
        Ok(Recurrent { directions, states, reason: format!("{STEPS_NOT_RUN}{}", self.cut_short(view)?) })
    }

    /// The constant matrix of each direction.
    fn matrices(&self, view: &View<'_>, index: usize, depth: usize) -> Result<Vec<Chain>, Fault> {
        let slot = view.input(index)?;
        if slot.known.is_none() {
            return Err(unknown_weights(slot));
        }
        let chain = weights(view, index)?;
        let matrix = [self.gates * self.hidden, depth];
        let of_direction = |direction: usize| match self.directions.len() {
            1 => chain.clone().reshaped(&matrix),
            _ => chain.part(direction),
        };
        let matrices = (0..self.directions.len()).map(of_direction).collect::<Option<_>>();
        matrices.ok_or_else(|| not_costed!("its weights are rearranged in a way that is not handled"))
    }

    /// What is to be said of sequences that end before the last step.
    fn cut_short(&self, view: &View<'_>) -> Result<String, Fault> {
        let steps = self.steps;
        let lens = match view.long_ints(SEQUENCE_LENS, "lengths of sequences", MAX_FOLDED) {
            Ok(None) => return Ok(String::new()),
            Ok(Some(lens)) => lens,
            Err(Fault::NotRun(_)) => {
                return Ok(format!("; costs are those of {steps} steps, of which sequence_lens may leave some out"));
            }
            Err(fault) => return Err(fault),
        };
        if let Some(len) = lens.iter().find(|&&len| usize::try_from(len).map_or(true, |len| len > steps)) {
            return Err(invalid!("sequence_lens has {len}; expected at most the {steps} steps of the input"));
        }
        let shortest = lens.iter().min().filter(|&&shortest| shortest < steps as i64);
        let told = |shortest| {
            format!("; costs are those of {steps} steps, though sequence_lens has sequences of {shortest} steps")
        };
        Ok(shortest.map(told).unwrap_or_default())
    }
}
