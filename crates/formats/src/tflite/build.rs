//! Builds the graph: one pass over the operators, in which every shape is inferred and compared with the file's.

use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use network::{Network, NetworkError, Node, NoteKind, Op, ValueId};

use super::builder::{Builder, Held, Slot};
use super::constants::Constant;
use super::layout::{self, element_count};
use super::names;
use super::operation::Operation;
use super::operators;
use super::schema::{INT4, Model, Operator, TensorInfo};
use super::steps::steps_first;
use crate::options::{BatchAxis, ReadOptions};
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::findings::{Finding, NOT_HANDLED};
use crate::reading::finish::{counted, finished};
use crate::reading::unread;

/// Why a layer is not costed behind an operator that is not understood.
const UNKNOWN_SHAPE: &str = "the shape of its input is not known";

/// Builds a network from a decoded model.
pub(super) fn build(
    path: &Path,
    model: &Model<'_>,
    file: &Bytes,
    options: &ReadOptions,
) -> Result<Network, NetworkError> {
    let at_graph = |fault: Fault| fault.at(path, "graph".to_string());
    let mut builder = Builder::new(path, options);
    builder.add_tensors(model, file).map_err(at_graph)?;
    let inputs = builder.add_inputs(model, options).map_err(at_graph)?;
    for operator in &model.operators {
        let operation = builder.operation(model, operator);
        let place = operation.name.clone();
        builder.add_operator(operation).map_err(|fault| fault.at(path, format!("operator {place:?}")))?;
    }
    let outputs = builder.add_outputs(model).map_err(at_graph)?;
    let open_batch = !inputs.is_empty() && !builder.reshaped && model.tensors[model.inputs[0]].is_open(0);
    if model.other_graphs > 0 {
        builder.note(NoteKind::LeftOut, format!("the file has {} more graphs, which are not read", model.other_graphs));
    }
    let operators = counted(model.operators.iter().map(|operator| model.codes[operator.code].name.clone()));
    Ok(builder.finish(inputs, outputs, open_batch)?.with_file_operators(operators))
}

impl Builder<'_> {
    fn add_tensors(&mut self, model: &Model<'_>, file: &Bytes) -> Result<(), Fault> {
        for info in &model.tensors {
            let wrong = |problem: String| invalid!("tensor {:?}: {problem}", info.name);
            element_count(&info.shape).map_err(wrong)?;
            let stored = match model.buffers.get(info.buffer) {
                Some(stored) => *stored,
                // Buffer 0 is the empty one; a file without buffers has no constants.
                None if info.buffer == 0 => None,
                None => return Err(wrong(format!("buffer {} of {}", info.buffer, model.buffers.len()))),
            };
            let held = self.held(info, stored, file).map_err(wrong)?;
            let stored = matches!(held, Held::Constant(_));
            self.slots.push(Slot { info: info.clone(), held, stored, is_unknown: false });
        }
        Ok(())
    }

    /// What the file stores of a tensor.
    fn held(&mut self, info: &TensorInfo, stored: Option<(usize, usize)>, file: &Bytes) -> Result<Held, String> {
        let Some((start, len)) = stored else { return Ok(Held::Nothing) };
        let bytes = file.slice(start..start + len);
        let data_type = match info.data_type {
            Ok(data_type) => data_type,
            Err(INT4) if info.sparsity.is_none() => return self.held_nibbles(info, &bytes),
            Err(_) => return Ok(Held::Computed),
        };
        let Some(sparsity) = &info.sparsity else {
            return Constant::stored(info, data_type, bytes).map(Held::Constant);
        };
        let Some(left) = self.budget.checked_sub(element_count(&info.shape)?) else { return Ok(Held::Computed) };
        self.budget = left;
        let dense = sparsity.expand(&info.shape, data_type.size(), &bytes)?;
        Constant::stored(info, data_type, dense.into()).map(Held::Constant)
    }

    /// Integers of 4 bits, which take a byte each here.
    fn held_nibbles(&mut self, info: &TensorInfo, bytes: &[u8]) -> Result<Held, String> {
        let Some(left) = self.budget.checked_sub(element_count(&info.shape)?) else { return Ok(Held::Computed) };
        self.budget = left;
        Constant::of_nibbles(info, bytes).map(Held::Constant)
    }

    /// Makes the inputs of the graph, as the file lays them out, and brings those of rank 4 into the order used here.
    fn add_inputs(&mut self, model: &Model<'_>, options: &ReadOptions) -> Result<Vec<ValueId>, Fault> {
        for (name, _) in &options.input_shapes {
            if !model.inputs.iter().any(|&t| model.tensors[t].name == *name) {
                let names: Vec<&str> = model.inputs.iter().map(|&t| model.tensors[t].name.as_str()).collect();
                return Err(invalid!("input {name:?}: there is no such input; inputs are {names:?}"));
            }
        }
        let mut inputs = Vec::new();
        for (i, &tensor) in model.inputs.iter().enumerate() {
            let info = &mut self.slots[tensor].info;
            let given = options.input_shapes.iter().rev().find(|(name, _)| *name == info.name);
            if let Some((_, shape)) = given {
                element_count(shape).map_err(|problem| invalid!("input {:?}: {problem}", info.name))?;
                self.reshaped |= info.shape != *shape;
                info.shape.clone_from(shape);
            }
            let (name, shape) = (info.name.clone(), info.shape.clone());
            let data_type = info.data_type.map_err(|t| unsupported!("input {name:?}: elements of type {t}"))?;
            let is_placed = |axis: usize| self.slots[tensor].info.is_open(axis) && shape[axis] == 1;
            if given.is_none() && (1..shape.len()).any(is_placed) {
                let shown = (0..shape.len()).map(|axis| match self.slots[tensor].info.is_open(axis) {
                    true => "?".to_string(),
                    false => shape[axis].to_string(),
                });
                let shown = shown.collect::<Vec<_>>().join(", ");
                return Err(Fault::OpenShape(format!(
                    "input {name:?}: shape [{shown}] has open extents besides the batch"
                )));
            }
            if shape.contains(&0) {
                return Err(invalid!("input {name:?}: shape {shape:?} has an extent of 0"));
            }
            if i == 0 {
                let axis = batch_axis(model, tensor)?;
                let is_batch = shape.len() > 1 && options.batch_axis == BatchAxis::First;
                self.network.set_batch(if is_batch { shape[axis] } else { 1 });
                self.network.set_batch_axis(axis);
            }
            if !matches!(self.slots[tensor].held, Held::Nothing) {
                return Err(invalid!("input {name:?} is a constant, or an input twice"));
            }
            let fed = self.new_value(&name, Some(data_type), Some(shape.clone()), None);
            inputs.push(fed);
            let value = match shape.len() {
                4 => {
                    let op = Op::Transpose { perm: layout::TO_CHANNELS_FIRST.to_vec() };
                    let form = (data_type, layout::channels_first(&shape));
                    self.emit(&format!("{name}/channels_first"), "TRANSPOSE", op, vec![fed], form)
                }
                _ => fed,
            };
            self.slots[tensor].held = Held::Value(value);
        }
        Ok(inputs)
    }

    /// The outputs of the graph, in the order of the file.
    fn add_outputs(&mut self, model: &Model<'_>) -> Result<Vec<ValueId>, Fault> {
        let mut outputs = Vec::new();
        for &tensor in &model.outputs {
            let info = &self.slots[tensor].info;
            match self.slots[tensor].held {
                Held::Value(inner) => {
                    let output = self.in_file_order(tensor)?;
                    if output != inner {
                        // The name is that of what the network returns, not of what is permuted.
                        let other = self.value_name(&format!("{}/channels_first", self.slots[tensor].info.name));
                        let name = std::mem::replace(&mut self.network.value_mut(inner).name, other);
                        self.network.value_mut(output).name = name;
                    }
                    outputs.push(output);
                }
                Held::Nothing => return Err(invalid!("output {:?} is made by no operator", info.name)),
                Held::Constant(_) | Held::Computed => {
                    return Err(unsupported!("output {:?} does not depend on the input", info.name));
                }
            }
        }
        Ok(outputs)
    }

    fn operation<'m>(&mut self, model: &'m Model<'_>, operator: &'m Operator<'_>) -> Operation<'m> {
        let code = &model.codes[operator.code];
        // Operators have no names; converters join those of fused operations by semicolons.
        let output = operator.outputs.first().map(|&t| model.tensors[t].name.as_str());
        let name = match output.and_then(|name| name.split(';').find(|part| !part.is_empty())) {
            Some(name) => self.node_name(name),
            None => self.node_name(&code.name),
        };
        Operation {
            name,
            kind: &code.name,
            inputs: &operator.inputs,
            outputs: &operator.outputs,
            intermediates: &operator.intermediates,
            options: operator.options,
        }
    }

    fn add_operator(&mut self, operation: Operation<'_>) -> Result<(), Fault> {
        for &tensor in operation.inputs.iter().flatten() {
            let slot = &self.slots[tensor];
            if matches!(slot.held, Held::Nothing) && !slot.info.variable {
                return Err(invalid!("it reads {:?} before anything makes it", slot.info.name));
            }
        }
        for (i, &tensor) in operation.outputs.iter().enumerate() {
            if !matches!(self.slots[tensor].held, Held::Nothing) || operation.outputs[..i].contains(&tensor) {
                return Err(invalid!("it makes {:?}, which is there already", self.slots[tensor].info.name));
            }
        }
        let live = operation.inputs.iter().flatten().any(|&t| matches!(self.slots[t].held, Held::Value(_)));
        if !live && !operation.inputs.is_empty() {
            return self.fold(&operation);
        }
        let before = self.network.mark();
        let is_behind_unknown = operation.inputs.iter().flatten().any(|&t| self.slots[t].is_unknown);
        let lowered = if is_behind_unknown { Err(Fault::UnknownShape) } else { operators::lower(self, &operation) };
        match lowered {
            Ok(()) => Ok(()),
            Err(fault) if fault.ends_reading() => Err(fault),
            Err(fault) => {
                self.network.rewind(before);
                self.add_unsupported(&operation, fault)
            }
        }
    }

    /// Takes an operator that reads constants alone. A few such operators are computed; of the others it is only known
    /// that their outputs are constant.
    fn fold(&mut self, operation: &Operation<'_>) -> Result<(), Fault> {
        let folded = operators::fold(self, operation)?;
        if let (Some(constant), Some(&output)) = (&folded, operation.outputs.first()) {
            let (found, info) = (&constant.tensor.shape, &self.slots[output].info);
            if !info.may_have(found) && !info.shape.is_empty() {
                return Err(invalid!("it makes {:?} of shape {found:?}; the file says {:?}", info.name, info.shape));
            }
        }
        for (i, &tensor) in operation.outputs.iter().enumerate() {
            self.slots[tensor].held = match (&folded, i) {
                (Some(constant), 0) => Held::Constant(constant.clone()),
                _ => Held::Computed,
            };
        }
        Ok(())
    }

    /// Keeps an operator that is not run in the graph, with the shapes that the file says.
    fn add_unsupported(&mut self, operation: &Operation<'_>, fault: Fault) -> Result<(), Fault> {
        if self.reshaped {
            return Err(unsupported!(
                "{} is not handled, so that the shapes behind it are not known for the given input shape",
                operation.kind
            ));
        }
        let (reason, cost) = match fault {
            Fault::NotCosted(reason) => (reason.clone(), Some(reason)),
            Fault::NotRun(reason) if operation.has_weights() => (reason.clone(), Some(reason)),
            Fault::NotRun(reason) => (reason, self.may_multiply(operation).map(str::to_string)),
            Fault::UnknownShape if operation.has_weights() => (String::new(), Some(UNKNOWN_SHAPE.to_string())),
            Fault::UnknownShape => (String::new(), self.may_multiply(operation).map(str::to_string)),
            fault @ (Fault::Invalid(_) | Fault::Unsupported(_) | Fault::OpenShape(_) | Fault::TornBatch(_)) => {
                return Err(fault);
            }
        };
        let inputs = operation.inputs.iter().flatten();
        let inputs: Vec<Option<ValueId>> = inputs
            .filter_map(|&t| if let Held::Value(id) = self.slots[t].held { Some(Some(id)) } else { None })
            .collect();
        let mut outputs = Vec::new();
        for &tensor in operation.outputs {
            let info = self.slots[tensor].info.clone();
            // A 1 that stands in an open extent is no extent, and without extents the shape may be known in a run alone.
            let is_placed = (1..info.shape.len()).any(|axis| info.is_open(axis) && info.shape[axis] == 1);
            self.slots[tensor].is_unknown = is_placed || info.shape.is_empty();
            let shape = layout::ours(&info.shape);
            let value = self.new_value(&info.name, info.data_type.ok(), Some(shape), None);
            self.slots[tensor].held = Held::Value(value);
            outputs.push(value);
        }
        let operator = operation.kind.to_string();
        let reason = if reason == NOT_HANDLED { String::new() } else { reason };
        let finding = Finding { operator, not_run: Some(reason), not_costed: cost, unknown_shape: false };
        self.findings.add(&operation.name, finding, false);
        let (name, op_type) = (operation.name.clone(), operation.kind.to_string());
        self.network.add_node(Node { name, op_type, op: Op::Unsupported, inputs, outputs });
        Ok(())
    }

    /// Why an operator that is not understood may multiply weights that no layer stands for; `None` where it has none.
    fn may_multiply(&self, operation: &Operation<'_>) -> Option<&'static str> {
        if names::is_compiled(operation.kind) {
            return Some("a part of the network that was compiled for an accelerator");
        }
        if names::has_graphs(operation.kind) {
            return Some("it holds graphs of its own, which are not read");
        }
        let is_matrix = |&tensor: &usize| {
            let slot = &self.slots[tensor];
            matches!(slot.held, Held::Constant(_) | Held::Computed) && slot.info.shape.len() >= 2
        };
        let reads_matrix = operation.inputs.iter().flatten().any(is_matrix);
        (names::is_unknown(operation.kind) && reads_matrix)
            .then_some("this operator is not known and reads a constant matrix")
    }

    fn finish(
        mut self,
        inputs: Vec<ValueId>,
        outputs: Vec<ValueId>,
        open_batch: bool,
    ) -> Result<Network, NetworkError> {
        if self.network.layers().is_empty() {
            let instead = self.findings.instead_of_layers();
            let expected = "expected CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with constant weights";
            return Err(unsupported!("{expected}; {instead}").at(self.path, "graph".to_string()));
        }
        self.network.set_inputs(inputs);
        self.network.set_outputs(outputs);
        let unread = unread::take_out(&mut self.network, &HashSet::new());
        let unread = unread.map_err(|fault| fault.at(self.path, "graph".to_string()))?;
        let (mut notes, not_costed) = self.findings.into_parts(&unread);
        notes.extend(unread.note());
        notes.extend(self.notes);
        let network = finished(self.network, self.path, notes)?;
        Ok(network.with_not_costed(not_costed).with_open_batch(open_batch))
    }
}

/// The axis of the batch in an input: the second where an operator reads it as steps of sequences, else the first.
fn batch_axis(model: &Model<'_>, input: usize) -> Result<usize, Fault> {
    for operator in model.operators.iter().filter(|operator| operator.inputs.first() == Some(&Some(input))) {
        let kind = &model.codes[operator.code].name;
        let options = operators::options_kind(kind).and_then(|number| operator.options.of_kind(number).ok());
        if let Some(options) = options.filter(|_| model.tensors[input].shape.len() == 3)
            && steps_first(kind, &options)?
        {
            return Ok(1);
        }
    }
    Ok(0)
}
