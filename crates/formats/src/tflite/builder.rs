//! The graph under construction, and what every function that understands an operator adds to it.

use std::path::Path;

use esn::Grid;
use network::{DataType, Names, NetworkBuilder, Node, Note, NoteKind, Op, Tensor, Value, ValueId};

use super::constants::Constant;
use super::layout::{element_count, ours};
use super::operation::Operation;
use super::schema::TensorInfo;
use crate::options::{ReadOptions, TfliteKernels};
use crate::reading::fault::{Fault, clean, invalid, not_run};
use crate::reading::findings::Findings;

/// The most elements of constants that are computed or made dense in one reading. The bound keeps a small file from
/// asking for much work.
const MAX_WRITTEN_IN_ALL: usize = 1 << 26;

/// A tensor of the file, as far as the pass has come.
#[derive(Debug)]
pub(super) struct Slot {
    /// What the file says. The shape is in the order of the file.
    pub(super) info: TensorInfo,
    pub(super) held: Held,
    /// Whether the file has its elements.
    pub(super) stored: bool,
    /// Whether an operator that is not understood makes it, and the file does not tell its shape: extents besides the batch are open,
    /// or there are none.
    pub(super) is_unknown: bool,
}

/// What is known of a tensor.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// Nothing has made it yet.
    Nothing,
    Constant(Constant),
    /// The same for every image, but not computed here.
    Computed,
    /// In the graph; rank 4 is `[N, C, H, W]`.
    Value(ValueId),
}

/// The graph so far.
pub(super) struct Builder<'a> {
    pub(super) path: &'a Path,
    pub(super) slots: Vec<Slot>,
    pub(super) network: NetworkBuilder,
    pub(super) grid: Grid,
    pub(super) kernels: TfliteKernels,
    /// Whether the user gave an input another shape than the file has. The shapes that the file declares for other
    /// tensors do not hold then.
    pub(super) reshaped: bool,
    node_names: Names,
    value_names: Names,
    pub(super) findings: Findings,
    /// Further notes, in order, each once.
    pub(super) notes: Vec<Note>,
    /// Elements that may still be written out.
    pub(super) budget: usize,
}

impl<'a> Builder<'a> {
    /// A graph without anything in it.
    pub(super) fn new(path: &'a Path, options: &ReadOptions) -> Self {
        Self {
            path,
            slots: Vec::new(),
            network: NetworkBuilder::new(path),
            grid: options.grid.unwrap_or(Grid::MidTread),
            kernels: options.tflite_kernels,
            reshaped: false,
            node_names: Names::default(),
            value_names: Names::default(),
            findings: Findings::default(),
            notes: Vec::new(),
            budget: MAX_WRITTEN_IN_ALL,
        }
    }

    /// The name itself, with a number where a node has it already.
    pub(super) fn node_name(&mut self, name: &str) -> String {
        self.node_names.counted(clean(name))
    }

    /// The name itself, with a number where a value has it already.
    pub(super) fn value_name(&mut self, name: &str) -> String {
        self.value_names.counted(clean(name))
    }

    /// The shape of a tensor, in the order of the file.
    pub(super) fn shape(&self, tensor: usize) -> &[usize] {
        &self.slots[tensor].info.shape
    }

    /// Says something once.
    pub(super) fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        let note = Note::new(kind, text);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Takes elements that are to be computed from those that may still be; refuses where too few are left.
    pub(super) fn spend(&mut self, elements: usize) -> Result<(), Fault> {
        self.budget = self.budget.checked_sub(elements).ok_or_else(|| not_run!("a constant input is too large"))?;
        Ok(())
    }

    pub(super) fn new_value(
        &mut self,
        name: &str,
        data_type: Option<DataType>,
        shape: Option<Vec<usize>>,
        constant: Option<Tensor>,
    ) -> ValueId {
        let name = self.value_name(name);
        self.network.add_value(Value { constant, ..Value::new(name, data_type, shape) })
    }

    /// A constant of the graph.
    pub(super) fn constant(&mut self, name: &str, tensor: Tensor) -> ValueId {
        self.new_value(name, Some(tensor.data_type), Some(tensor.shape.clone()), Some(tensor))
    }

    /// Adds a node whose output is no tensor of the file.
    pub(super) fn emit(
        &mut self,
        name: &str,
        op_type: &str,
        op: Op,
        inputs: Vec<ValueId>,
        (data_type, shape): (DataType, Vec<usize>),
    ) -> ValueId {
        let output = self.new_value(name, Some(data_type), Some(shape), None);
        let name = self.node_name(name);
        self.add_node(name, op_type, op, inputs, output);
        output
    }

    /// Adds a node that makes a tensor of the file, of shape `shape` in the file's order.
    ///
    /// # Errors
    ///
    /// [`Fault::Invalid`] if the file declares another shape or a type that does not exist here.
    pub(super) fn define(
        &mut self,
        operation: &Operation<'_>,
        tensor: usize,
        op: Op,
        inputs: Vec<ValueId>,
        shape: &[usize],
    ) -> Result<(), Fault> {
        let output = self.declare(tensor, shape)?;
        let found = inputs.first().and_then(|id| self.network.value(*id).data_type);
        let makes = self.network.value(output).data_type;
        let converts = matches!(operation.kind, "QUANTIZE" | "DEQUANTIZE" | "CAST" | "SHAPE");
        if let (Some(found), Some(makes), false) = (found, makes, converts)
            && found.is_real() != makes.is_real()
        {
            return Err(invalid!("it takes {} and makes {}", found.name(), makes.name()));
        }
        self.add_node(operation.name.clone(), operation.kind, op, inputs, output);
        Ok(())
    }

    /// Makes the value of a tensor that a node will make.
    pub(super) fn declare(&mut self, tensor: usize, shape: &[usize]) -> Result<ValueId, Fault> {
        let data_type = self.agree(tensor, shape)?;
        let name = self.slots[tensor].info.name.clone();
        let value = self.new_value(&name, Some(data_type), Some(ours(shape)), None);
        self.slots[tensor].held = Held::Value(value);
        Ok(value)
    }

    /// Takes a value that is there as a tensor of the file, of shape `shape` in the file's order.
    pub(super) fn assign(&mut self, tensor: usize, value: ValueId, shape: &[usize]) -> Result<(), Fault> {
        self.agree(tensor, shape)?;
        let name = self.slots[tensor].info.name.clone();
        self.network.value_mut(value).name = self.value_name(&name);
        self.slots[tensor].held = Held::Value(value);
        Ok(())
    }

    /// Checks a shape against the one that the file declares, and takes it.
    fn agree(&mut self, tensor: usize, shape: &[usize]) -> Result<DataType, Fault> {
        element_count(shape).map_err(|problem| invalid!("{problem}"))?;
        let info = &mut self.slots[tensor].info;
        // A tensor without extents may be one whose shape is only known in a run.
        if !info.may_have(shape) && !self.reshaped && !info.shape.is_empty() {
            return Err(invalid!(
                "it makes shape {shape:?}, but the file declares {:?} for {:?}",
                info.shape,
                info.name
            ));
        }
        info.shape = shape.to_vec();
        info.data_type.map_err(|t| not_run!("it makes elements of type {t}"))
    }

    pub(super) fn add_node(&mut self, name: String, op_type: &str, op: Op, inputs: Vec<ValueId>, output: ValueId) {
        let inputs = inputs.into_iter().map(Some).collect();
        self.network.add_node(Node { name, op_type: op_type.to_string(), op, inputs, outputs: vec![output] });
    }
}
