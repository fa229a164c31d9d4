//! What a node is before it is run, folded or refused.

use network::{ActivationQuantization, DataType, MacLayer, Op, Tensor, ValueId};

use super::attributes::Attributes;
use super::chain::Chain;
use super::qoperator::IntegerMac;
use super::sequence::Sequence;
use super::tensors;
use crate::reading::fault::{Fault, invalid, not_run};

/// Elements of a constant that is computed while reading; longer ones are left alone.
pub(super) const MAX_FOLDED: usize = 1 << 20;

/// Type and shape of a value, as far as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    pub(super) data_type: Option<DataType>,
    pub(super) shape: Option<Vec<usize>>,
}

impl Form {
    pub(super) fn new(data_type: Option<DataType>, shape: Vec<usize>) -> Self {
        Self { data_type, shape: Some(shape) }
    }
}

/// Integers of a parameter: axes, extents, pads.
pub(super) const MAX_PARAMETERS: usize = 1 << 12;

/// A value while the graph is being built.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) id: ValueId,
    pub(super) name: String,
    pub(super) form: Form,
    /// Its elements, if they are known without running anything.
    pub(super) known: Option<Chain>,
    /// Whether it is the same for every input, known or not.
    pub(super) constant: bool,
    /// The quantization that its elements lie on.
    pub(super) quantization: Option<ActivationQuantization>,
    /// Why its elements cannot be read, if that is so: it is harmless until somebody needs them.
    pub(super) unreadable: Option<String>,
    /// What it consists of, if it is a sequence of tensors.
    pub(super) sequence: Option<Sequence>,
}

/// Operators that exist only while reading: on constants they are computed, elsewhere they are not run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FoldOp {
    Mod { float: bool },
    Range,
    Fill { value: Tensor },
}

/// What is to be done with a node.
pub(super) enum Action {
    Run(Op),
    Compute(FoldOp),
    Known(Chain),
    Mac(Box<MacLayer>),
    /// A MAC layer between the integers of an operator that computes on them.
    Integer(Box<IntegerMac>),
    /// Its output is a sequence, which is not in the graph.
    Sequence(Sequence),
    /// Its output is constant and cannot be read, for this reason.
    Unreadable(String),
    /// Not run, with the reason for the note; `None` where an earlier note says it.
    NotRun(Option<String>),
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
    /// None of them, but another value.
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

/// A node as its handler sees it.
pub(super) struct View<'a> {
    pub(super) name: String,
    pub(super) op_type: &'a str,
    pub(super) domain: &'a str,
    pub(super) opset: i64,
    pub(super) attributes: Attributes<'a>,
    pub(super) inputs: Vec<Option<&'a Slot>>,
    /// Names of the outputs; empty where one is left out.
    pub(super) outputs: &'a [String],
    /// Images in one run of the graph.
    pub(super) batch: usize,
}

impl<'a> View<'a> {
    /// The node as if it read these values instead. Attributes that its handler asks for are asked for here, too.
    pub(super) fn with_inputs<'b>(&self, inputs: Vec<Option<&'b Slot>>) -> View<'b>
    where
        'a: 'b,
    {
        View {
            name: self.name.clone(),
            op_type: self.op_type,
            domain: self.domain,
            opset: self.opset,
            attributes: self.attributes.clone(),
            inputs,
            outputs: self.outputs,
            batch: self.batch,
        }
    }

    /// Checks the number of inputs; the first `min` must be there.
    pub(super) fn arity(&self, min: usize, max: usize) -> Result<(), Fault> {
        let found = self.inputs.len();
        if found < min || found > max {
            let expected = if min == max { min.to_string() } else { format!("{min} to {max}") };
            return Err(invalid!("{found} inputs; expected {expected}"));
        }
        match self.inputs[..min].iter().position(Option::is_none) {
            Some(missing) => Err(invalid!("input {missing} is left out")),
            None => Ok(()),
        }
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Slot> {
        self.inputs.get(index).copied().flatten()
    }

    /// An input that must be there.
    pub(super) fn input(&self, index: usize) -> Result<&'a Slot, Fault> {
        self.optional(index).ok_or_else(|| invalid!("input {index} is left out"))
    }

    /// The shape of an input.
    pub(super) fn shape(&self, index: usize) -> Result<&'a [usize], Fault> {
        self.input(index)?.form.shape.as_deref().ok_or(Fault::UnknownShape)
    }

    /// The element type of an input, where known.
    pub(super) fn data_type(&self, index: usize) -> Option<DataType> {
        self.optional(index).and_then(|slot| slot.form.data_type)
    }

    /// A value of the first input's type.
    pub(super) fn like_first(&self, shape: Vec<usize>) -> Form {
        Form::new(self.data_type(0), shape)
    }

    /// A constant input of at most `limit` elements; `None` where it is left out.
    pub(super) fn constant(&self, index: usize, what: &str, limit: usize) -> Result<Option<&'a Chain>, Fault> {
        let Some(slot) = self.optional(index) else { return Ok(None) };
        match &slot.known {
            Some(chain) if chain.element_count() <= limit => Ok(Some(chain)),
            Some(chain) => {
                Err(invalid!("its {what} have {} entries; at most {limit} make sense", chain.element_count()))
            }
            None => Err(not_run!("its {what} are not constant")),
        }
    }

    /// The integers of a constant input; `None` where it is left out.
    pub(super) fn ints(&self, index: usize, what: &str) -> Result<Option<Vec<i64>>, Fault> {
        self.long_ints(index, what, MAX_PARAMETERS)
    }

    /// As [`View::ints`], of at most `limit` elements.
    pub(super) fn long_ints(&self, index: usize, what: &str, limit: usize) -> Result<Option<Vec<i64>>, Fault> {
        let Some(chain) = self.constant(index, what, limit)? else { return Ok(None) };
        let array = chain.to_array().map_err(|e| invalid!("its {what}: {e}"))?;
        array.into_ints().map(Some).ok_or_else(|| invalid!("its {what} are {}", chain.data_type.name()))
    }

    /// The real numbers of a constant input; `None` where it is left out.
    pub(super) fn floats(&self, index: usize, what: &str) -> Result<Option<Vec<f32>>, Fault> {
        let Some(chain) = self.constant(index, what, MAX_FOLDED)? else { return Ok(None) };
        let array = chain.to_array().map_err(|e| invalid!("its {what}: {e}"))?;
        let reals = array.into_reals().ok_or_else(|| invalid!("its {what} are {}", chain.data_type.name()))?;
        Ok(Some(reals.into_iter().map(|v| v as f32).collect()))
    }

    /// Integers that older opsets have as an attribute and newer ones (from `since`) as a constant input.
    pub(super) fn ints_by_opset(&self, name: &str, index: usize, since: i64) -> Result<Option<Vec<i64>>, Fault> {
        if self.opset < since {
            self.arity(1, index)?;
            return Ok(self.attributes.ints(name)?.map(<[i64]>::to_vec));
        }
        self.ints(index, name)
    }
}

/// An axis counted from the front. `rank` axes exist.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    match usize::try_from(wrapped) {
        Ok(wrapped) if wrapped < rank => Ok(wrapped),
        _ => Err(invalid!("axis {axis} of a tensor with {rank} axes")),
    }
}

/// Axes counted from the front, none twice.
pub(super) fn distinct_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    if rank > tensors::MAX_AXES {
        return Err(invalid!("{} axes of a tensor with {rank}", axes.len()));
    }
    let mut seen = vec![false; rank];
    let check = |&a: &i64| {
        let a = axis(a, rank)?;
        match std::mem::replace(&mut seen[a], true) {
            true => Err(invalid!("axes {axes:?} name an axis twice")),
            false => Ok(a),
        }
    };
    axes.iter().map(check).collect()
}

/// The shape that two shapes broadcast to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let join = |axis| match (extent(a, axis), extent(b, axis)) {
        (x, y) if x == y => Ok(x),
        (1, x) | (x, 1) => Ok(x),
        _ => Err(invalid!("shapes {a:?} and {b:?} do not broadcast")),
    };
    (0..rank).map(join).collect()
}

/// Checks that the elements of a shape can be counted.
pub(super) fn check_size(form: &Form) -> Result<(), Fault> {
    match &form.shape {
        Some(shape) => tensors::element_count(shape).map(|_| ()),
        None => Ok(()),
    }
}
