//! What a node is before it is run, folded or refused.

use network::{MacLayer, Op, Tensor, ValueId};

use super::chain::Chain;
use super::form::Form;
use super::integer_mac::IntegerMac;
use super::recurrent_layers::RecurrentLayers;
use super::slot::Sequence;
use crate::reading::fault::Fault;

/// Operators that the graph does not have. They are computed on constants, and not run on anything else.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FoldOp {
    Mod { float: bool },
    Range,
    Fill { value: Tensor },
    MatMul,
}

/// What is to be done with a node.
pub(super) enum Action {
    Run(Op),
    Compute(FoldOp),
    Known(Chain),
    Mac(Box<MacLayer>),
    /// A MAC layer, and what is added to its outputs that is no bias.
    Sum(Box<MacLayer>, Addend),
    /// A MAC layer between the integers of an operator that computes on them.
    Integer(Box<IntegerMac>),
    /// MAC layers of a recurrent operator, and what goes through its steps.
    Recurrent(Box<RecurrentLayers>),
    /// Its output is a sequence, which is not in the graph.
    Sequence(Sequence),
    /// Its output is constant and cannot be read, for this reason.
    Unreadable(String),
    /// Not run, with the reason for the note; `None` where an earlier note says it.
    NotRun(Option<String>),
}

impl Action {
    /// The same, but not run, for this reason.
    pub(super) fn stopped(self, reason: String) -> Self {
        match self {
            Action::Recurrent(recurrent) => {
                Action::Recurrent(Box::new(RecurrentLayers { operator: Err(reason), ..*recurrent }))
            }
            Action::Run(_) | Action::Compute(_) | Action::Known(_) | Action::Mac(_) | Action::Sum(..) => {
                Action::NotRun(Some(reason))
            }
            Action::Integer(_) | Action::Sequence(_) | Action::Unreadable(_) | Action::NotRun(_) => {
                Action::NotRun(Some(reason))
            }
        }
    }

    /// Whether the node is run, and not as the layer that it is.
    pub(super) fn runs(&self) -> bool {
        match self {
            Action::Run(_) | Action::Integer(_) => true,
            Action::Recurrent(recurrent) => recurrent.operator.is_ok(),
            Action::Compute(_) | Action::Known(_) | Action::Mac(_) | Action::Sum(..) => false,
            Action::Sequence(_) | Action::Unreadable(_) | Action::NotRun(_) => false,
        }
    }

    /// Why the node is not run, as in [`Action::NotRun`]; `None` where it is run.
    pub(super) fn not_run(&self) -> Option<Option<String>> {
        match self {
            Action::NotRun(reason) => Some(reason.clone()),
            Action::Recurrent(recurrent) => recurrent.operator.as_ref().err().map(|reason| Some(reason.clone())),
            Action::Run(_) | Action::Compute(_) | Action::Known(_) | Action::Mac(_) | Action::Sum(..) => None,
            Action::Integer(_) | Action::Sequence(_) | Action::Unreadable(_) => None,
        }
    }
}

/// An input of a node that is added to the outputs of its layer, times a factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addend {
    pub(super) input: usize,
    pub(super) factor: f32,
}

/// A node understood: what to do, what comes out, and how many of its inputs stay inputs.
pub(super) struct Plan {
    pub(super) action: Action,
    pub(super) outputs: Vec<Form>,
    /// Inputs that the node keeps; the others became parameters.
    pub(super) kept: Kept,
    /// Why the multiply-accumulates of the node are in no layer.
    pub(super) not_costed: Option<String>,
}

/// Which inputs of the file's node are inputs of the graph's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    All,
    Only(usize),
    Listed(Vec<usize>),
    /// None of them. The graph's node reads another value.
    Other(ValueId),
}

impl Plan {
    fn new(action: Action, output: Form) -> Self {
        Self { action, outputs: vec![output], kept: Kept::All, not_costed: None }
    }

    /// Runs `op` on all inputs and makes one output.
    pub(super) fn run(op: Op, output: Form) -> Self {
        Self::new(Action::Run(op), output)
    }

    /// Runs `op` on its first input and makes one output.
    pub(super) fn run_on_first(op: Op, output: Form) -> Self {
        Self { kept: Kept::Only(0), ..Self::run(op, output) }
    }

    pub(super) fn compute(op: FoldOp, output: Form) -> Self {
        Self::new(Action::Compute(op), output)
    }

    pub(super) fn known(name: &str, tensor: Tensor) -> Self {
        let output = Form::new(Some(tensor.data_type), tensor.shape.clone());
        Self::new(Action::Known(Chain::stored(name, tensor)), output)
    }

    /// The same layer, to whose outputs an input is added.
    pub(super) fn with_addend(self, addend: Addend) -> Self {
        let Action::Mac(layer) = self.action else { return self };
        Self { action: Action::Sum(layer, addend), ..self }
    }

    /// Not run, but the shape behind it is known.
    pub(super) fn not_run(reason: impl Into<String>, output: Form) -> Self {
        Self::new(Action::NotRun(Some(reason.into())), output)
    }

    /// Neither run nor costed, but the shape behind it is known.
    pub(super) fn not_costed(reason: impl Into<String>, output: Form) -> Self {
        Self { not_costed: Some(reason.into()), ..Self::not_run("", output) }
    }

    /// A constant that cannot be read.
    pub(super) fn unreadable(reason: String, output: Form) -> Self {
        Self::new(Action::Unreadable(reason), output)
    }
}

/// Turns a [`Fault::NotRun`] or [`Fault::NotCosted`] into a plan that keeps the shape of the output.
pub(super) fn or_not_run(form: Form, plan: impl FnOnce() -> Result<Plan, Fault>) -> Result<Plan, Fault> {
    match plan() {
        Err(Fault::NotRun(reason)) => Ok(Plan::not_run(reason, form)),
        Err(Fault::NotCosted(reason)) => Ok(Plan::not_costed(reason, form)),
        other => other,
    }
}
