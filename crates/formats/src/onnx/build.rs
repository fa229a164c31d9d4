//! Builds the graph: one pass over the nodes, in which every shape is inferred and every constant folded.

mod branch;
mod classes;
mod inner;
mod integer;
mod known;
mod recurrent;
mod sum;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use esn::Grid;
use network::{
    ActivationQuantization, DataType, MacLayer, Network, NetworkBuilder, NetworkError, Node, Note, NoteKind, Op,
    PadMode, Tensor, Unary, Value, ValueId, and_more,
};

use super::attributes::{Attributes, BITS_OF_TOOLS};
use super::chain::Chain;
use super::external::ExternalFiles;
use super::form::{Form, MAX_FOLDED_WEIGHTS, check_size};
use super::inputs::{self, Inputs};
use super::plan::{Action, Kept, Plan};
use super::proto::{GraphProto, NodeProto, ValueInfoProto};
use super::recurrent::is_recurrent;
use super::scope::Scopes;
use super::slot::Slot;
use super::view::View;
use super::{operators, order, qonnx, quantize, sparse, tensors};
use crate::options::ReadOptions;
use crate::reading::fault::{Fault, clean, invalid, unsupported};
use crate::reading::findings::{Finding, Findings};
use crate::reading::finish::finished;
use crate::reading::{grid, unread};

/// Scales of all layers and of all constants on the way to them together. Many may share one tensor of scales, and each has a
/// copy. Real networks have one scale for each filter.
const MAX_SCALES: usize = 1 << 24;

/// The most elements of a rearranged constant that is computed because an operator other than a MAC layer reads it.
const MAX_WRITTEN: usize = 1 << 22;
/// Elements that are computed in one reading, so that a small file cannot ask for much work, and how many more are for
/// each byte that the file stores of initializers.
const MAX_FOLDED_IN_ALL: usize = 1 << 26;
const FOLDED_PER_BYTE: usize = 16;

/// What a graph needs from around it.
pub(super) struct Surroundings<'a> {
    pub(super) path: &'a Path,
    pub(super) opset: i64,
    pub(super) external: ExternalFiles,
    pub(super) options: &'a ReadOptions,
    /// The grid of stored weights, where it is known.
    pub(super) grid: Option<Grid>,
    /// Whether each shape that comes out of a node is the one that the graph declares, or an error.
    pub(super) declared_holds: bool,
}

/// Builds a network from the graph of a file.
pub(super) fn build(graph: &GraphProto, surroundings: Surroundings<'_>) -> Result<Network, NetworkError> {
    let path = surroundings.path;
    let inputs = inputs::inputs(graph, surroundings.options).map_err(|(place, fault)| fault.at(path, place))?;
    let mut builder = Builder::new(graph, surroundings);
    builder.add_inputs(inputs);
    builder.add_initializers(graph)?;
    builder.add_nodes(graph)?;
    builder.finish(graph)
}

/// The operator as messages call it.
fn operator_name(node: &NodeProto) -> String {
    match node.domain.as_str() {
        "" | "ai.onnx" => clean(&node.op_type),
        domain => clean(&format!("{domain}:{}", node.op_type)),
    }
}

struct Builder<'a> {
    path: &'a Path,
    opset: i64,
    external: ExternalFiles,
    grid: Option<Grid>,
    declared_holds: bool,
    open_batch: bool,
    network: NetworkBuilder,
    /// One for each value of the network.
    slots: Vec<Slot>,
    /// Constants that were computed, as plain tensors. What is known of their values stays the way to them, for others may
    /// read integers where one reads real numbers.
    written: HashMap<ValueId, Chain>,
    scopes: Scopes<'a>,
    /// Values that no node makes and nobody feeds.
    unmade: Vec<ValueId>,
    findings: Findings,
    /// What layers are read as, where that is not what the file stores.
    notes: Vec<Note>,
    /// Elements that may still be computed.
    budget: usize,
    /// Where initializers are stored, and how much they add to the budget.
    stored: Vec<std::ops::Range<usize>>,
    allowed: usize,
    /// Constants that were rounded to integers.
    rounded: usize,
    /// Scales of all layers and constants.
    scales: usize,
    /// Whether operators of the file say on which grid weights are.
    says_grid: bool,
    /// What graphs inside of nodes read.
    captured: HashSet<ValueId>,
    /// Shapes that a user gives, by the names of values.
    given: &'a [(String, Vec<usize>)],
}

impl<'a> Builder<'a> {
    fn new(graph: &'a GraphProto, surroundings: Surroundings<'a>) -> Self {
        Self {
            path: surroundings.path,
            opset: surroundings.opset,
            external: surroundings.external,
            grid: surroundings.grid,
            declared_holds: surroundings.declared_holds,
            open_batch: false,
            network: NetworkBuilder::new(surroundings.path),
            slots: Vec::new(),
            written: HashMap::new(),
            scopes: Scopes::new(graph),
            unmade: Vec::new(),
            findings: Findings::default(),
            notes: Vec::new(),
            budget: MAX_FOLDED_IN_ALL,
            stored: Vec::new(),
            allowed: 0,
            rounded: 0,
            scales: 0,
            says_grid: false,
            captured: HashSet::new(),
            given: &surroundings.options.input_shapes,
        }
    }

    fn add_inputs(&mut self, inputs: Inputs<'a>) {
        self.network.set_batch(inputs.batch);
        self.network.set_batch_axis(inputs.batch_axis);
        self.open_batch = inputs.open_batch;
        let fed = inputs.fed.into_iter().map(|(name, form)| self.add_named(name, form, None, false)).collect();
        self.network.set_inputs(fed);
        for (name, data_type, shape) in inputs.parameters {
            self.external.add_absent(name, "it is an input of the graph, and read as a parameter alone");
            self.add_known(name, Chain::stored(&clean(name), Tensor::absent(data_type, shape)));
        }
    }

    fn add_initializers(&mut self, graph: &'a GraphProto) -> Result<(), NetworkError> {
        self.add_sparse_initializers(graph)?;
        for proto in &graph.initializer {
            let place = |fault: Fault| fault.at(self.path, format!("tensor {:?}", proto.name));
            if let Some((what, shape)) = tensors::unreadable(proto).map_err(place)? {
                self.add_unreadable(&proto.name, Form { data_type: None, shape: Some(shape) }, what);
                continue;
            }
            let tensor = tensors::tensor(proto, &mut self.external).map_err(place)?;
            self.stored.extend(tensor.chunks.iter().map(|chunk| {
                let start = chunk.as_ptr().addr();
                start..start.saturating_add(chunk.len())
            }));
            let clip = tensors::bounds(proto);
            self.add_known(&proto.name, Chain { clip, ..Chain::stored(&clean(&proto.name), tensor) });
        }
        self.add_budget();
        Ok(())
    }

    fn add_sparse_initializers(&mut self, graph: &'a GraphProto) -> Result<(), NetworkError> {
        for proto in &graph.sparse_initializer {
            let Some(values) = &proto.values else {
                return Err(invalid!("a sparse initializer without values").at(self.path, "graph".to_string()));
            };
            let place = |fault: Fault| fault.at(self.path, format!("sparse tensor {:?}", values.name));
            if let Some((what, _)) = tensors::unreadable(values).map_err(place)? {
                let shape = tensors::shape(&proto.dims).map_err(place)?;
                self.add_unreadable(&values.name, Form { data_type: None, shape: Some(shape) }, what);
                continue;
            }
            let tensor = sparse::dense(values, proto, &mut self.external).map_err(place)?;
            self.add_known(&values.name, Chain::stored(&clean(&values.name), tensor));
        }
        Ok(())
    }

    /// Adds the nodes of a graph; those of the branch that an If takes stand in its place.
    fn add_nodes(&mut self, graph: &'a GraphProto) -> Result<(), NetworkError> {
        let order = order::order(graph, |name| self.scopes.find(name).is_some());
        let order = order.map_err(|(index, fault)| {
            let place = index.map_or_else(|| "graph".to_string(), |index| self.place(&graph.node[index]));
            fault.at(self.path, place)
        })?;
        for index in order {
            let node = &graph.node[index];
            self.scopes.name_node(node);
            match self.taken_branch(node).map_err(|fault| fault.at(self.path, self.place(node)))? {
                Some(branch) => self.add_branch(node, branch)?,
                None => self.add_node(node).map_err(|fault| fault.at(self.path, self.place(node)))?,
            }
        }
        Ok(())
    }

    /// Where a fault of a node is.
    fn place(&self, node: &NodeProto) -> String {
        format!("node {:?}", self.scopes.node_name(node))
    }

    /// Adds a value that the file names.
    fn add_named(&mut self, name: &'a str, form: Form, known: Option<Chain>, constant: bool) -> ValueId {
        let called = self.scopes.value_name(name);
        let id = self.add_value(called, form, known, constant);
        self.scopes.bind(name, id);
        id
    }

    /// Adds a constant that is known.
    fn add_known(&mut self, name: &'a str, chain: Chain) {
        let form = Form::new(Some(chain.data_type), chain.shape.clone());
        self.scales += chain.quantized.as_ref().map_or(0, |quantized| quantized.parameters.scales.len());
        let id = self.add_named(name, form, Some(chain), true);
        self.unmade.push(id);
    }

    /// Allows more work for what initializers hold. Where several lie at one place of a file, it counts once.
    fn add_budget(&mut self) {
        self.stored.sort_unstable_by_key(|place| (place.start, place.end));
        let (mut bytes, mut end) = (0usize, 0);
        for place in &self.stored {
            bytes = bytes.saturating_add(place.end.saturating_sub(place.start.max(end)));
            end = end.max(place.end);
        }
        let allowed = bytes.saturating_mul(FOLDED_PER_BYTE);
        self.budget = self.budget.saturating_add(allowed.saturating_sub(self.allowed));
        self.allowed = self.allowed.max(allowed);
    }

    fn add_value(&mut self, name: String, form: Form, known: Option<Chain>, constant: bool) -> ValueId {
        let stored = known.as_ref().and_then(|chain| chain.as_stored().cloned());
        let value = Value { constant: stored, ..Value::new(name, form.data_type, form.shape.clone()) };
        let id = self.network.add_value(value);
        self.slots.push(Slot {
            id,
            form,
            known,
            constant,
            quantized_twice: false,
            stopped_by: None,
            quantization: None,
            clip: None,
            unreadable: None,
            sequence: None,
        });
        id
    }

    fn add_unreadable(&mut self, name: &'a str, form: Form, reason: String) {
        let id = self.add_named(name, form, None, true);
        self.slots[id.0].unreadable = Some(reason);
        self.unmade.push(id);
    }

    fn add_node(&mut self, node: &'a NodeProto) -> Result<(), Fault> {
        if self.scales > MAX_SCALES {
            return Err(unsupported!("layers and constants with more than {MAX_SCALES} scales in all"));
        }
        let ids: Vec<Option<ValueId>> = node.input.iter().map(|name| self.scopes.find(name)).collect();
        self.says_grid |= qonnx::DOMAINS.contains(&node.domain.as_str());
        self.add_read(node, ids, None)
    }

    /// Adds a node that reads the values `ids`, some of them as they are in `real`.
    fn add_read(
        &mut self,
        node: &'a NodeProto,
        ids: Vec<Option<ValueId>>,
        real: Option<&HashMap<ValueId, Slot>>,
    ) -> Result<(), Fault> {
        let slot = |id: ValueId| real.and_then(|real| real.get(&id)).unwrap_or(&self.slots[id.0]);
        let view = View {
            name: self.scopes.node_name(node),
            op_type: &node.op_type,
            domain: &node.domain,
            opset: self.opset,
            attributes: Attributes::new(node)?,
            inputs: ids.iter().map(|id| id.map(slot)).collect(),
            outputs: &node.output,
            batch: self.network.batch(),
        };
        let plan = match operators::plan(&view, &mut self.external) {
            Ok(plan) => plan,
            Err(Fault::NotRun(reason)) => Plan::not_run(reason, Form::default()),
            Err(Fault::NotCosted(reason)) => Plan::not_costed(reason, Form::default()),
            Err(Fault::UnknownShape) => behind_unknown(&view, &self.network, &self.findings)?,
            Err(fault) => return Err(fault),
        };
        if plan.not_costed.is_some() && real.is_none() {
            // The integers are no weights of this layer, because their scales do not belong to filters. Real numbers may be.
            let cast: Vec<_> =
                view.inputs.iter().flatten().filter(|slot| self.is_small_cast(slot)).map(|slot| slot.id).collect();
            if !cast.is_empty() {
                let real = self.as_real_numbers(&cast)?;
                return self.add_read(node, ids, Some(&real));
            }
        }
        let captured = order::captured_by(node).into_iter().filter_map(|name| self.scopes.find(name));
        self.captured.extend(captured);
        let plan = check_readable(check_outputs(plan, &view, &self.scopes)?, &view);
        // What the branches of a control flow operator read is not among its inputs.
        let constant =
            view.inputs.iter().flatten().all(|slot| slot.constant) && !operators::has_branches(&node.op_type);
        let levels = Levels::behind(&plan.action, &view)?;
        if let Action::Unreadable(reason) = plan.action {
            let form = plan.outputs.into_iter().next().unwrap_or_default();
            self.add_unreadable(&node.output[0], form, reason);
            return Ok(());
        }
        if let Action::Sequence(sequence) = plan.action {
            let id = self.add_named(&node.output[0], Form::default(), None, constant);
            self.slots[id.0].sequence = Some(sequence);
            self.unmade.push(id);
            return Ok(());
        }
        self.rounded += qonnx::count_rounded(&plan.action, self.rounded)?;
        if let Some(known) = known::known_outputs(&plan, &view, &mut self.budget)? {
            node.output.iter().zip(known).for_each(|(name, chain)| self.add_known(name, chain));
            return Ok(());
        }
        self.emit(node, plan, ids, constant, levels)
    }

    /// Puts a node into the graph.
    fn emit(
        &mut self,
        node: &'a NodeProto,
        mut plan: Plan,
        ids: Vec<Option<ValueId>>,
        constant: bool,
        Levels { quantization, clip }: Levels,
    ) -> Result<(), Fault> {
        if let Action::Compute(_) = plan.action {
            plan.action = Action::NotRun(Some(String::new()));
        }
        let inputs = match &plan.kept {
            Kept::All => ids.clone(),
            Kept::Only(index) => vec![ids[*index]],
            Kept::Listed(indices) => indices.iter().map(|&index| ids[index]).collect(),
            Kept::Other(id) => vec![Some(*id)],
        };
        let quantized_twice = constant && self.is_quantized_twice(&plan.action, &ids);
        let stopped_by = constant.then(|| self.stopped_by(node, &plan.action, &ids));
        // What is not run is written all the same.
        let unwritten = self.write_constants(&inputs)?;
        if let Some(reason) = unwritten.filter(|_| plan.action.runs()) {
            plan.action = plan.action.stopped(reason);
        }
        let mut outputs = Vec::new();
        // Outputs that are neither made nor read are left out: nobody needs their shape.
        let is_kept = |(i, name): &(usize, &String)| *i < plan.outputs.len() || self.scopes.is_used(name);
        let kept: Vec<(usize, &String)> = node.output.iter().enumerate().filter(is_kept).collect();
        for (i, name) in kept {
            let form = plan.outputs.get(i).cloned().unwrap_or_default();
            let form = self.or_declared(name, form)?;
            outputs.push(self.add_named(name, form, None, constant));
        }
        if let Some(&first) = outputs.first() {
            self.slots[first.0].quantization = quantization;
            let unreadable = ids.iter().flatten().find_map(|id| self.slots[id.0].unreadable.clone());
            self.slots[first.0].unreadable = unreadable.filter(|_| constant);
            self.slots[first.0].quantized_twice = quantized_twice;
            self.slots[first.0].stopped_by = stopped_by;
            self.slots[first.0].clip = clip;
        }
        self.note(node, &plan, &inputs, &outputs);
        let op = match plan.action {
            Action::Run(op) => op,
            Action::Mac(layer) => {
                self.add_layer(node, *layer, &inputs, &ids, outputs[0]);
                return Ok(());
            }
            Action::Recurrent(recurrent) => {
                self.add_recurrent(node, *recurrent, (&inputs, &ids), outputs);
                return Ok(());
            }
            Action::Sum(layer, addend) => {
                let product = self.add_inner(outputs[0], "product", self.slots[outputs[0].0].form.shape.clone());
                self.add_layer(node, *layer, &inputs, &ids, product);
                return self.add_sum(node, addend, &ids, product, outputs[0]);
            }
            Action::Integer(mac) => {
                self.add_integer(node, *mac, &ids, outputs[0]);
                return Ok(());
            }
            Action::NotRun(_) => Op::Unsupported,
            Action::Compute(_) | Action::Known(_) | Action::Sequence(_) | Action::Unreadable(_) => Op::Unsupported,
        };
        let (name, op_type) = (self.scopes.node_name(node), operator_name(node));
        self.network.add_node(Node { name, op_type, op, inputs, outputs });
        Ok(())
    }

    /// Whether constants are quantized in a second way, here or before.
    fn is_quantized_twice(&self, action: &Action, ids: &[Option<ValueId>]) -> bool {
        let mut slots = ids.iter().flatten().map(|id| &self.slots[id.0]);
        let quantizes = matches!(action, Action::Run(Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. }));
        let is_quantized = |slot: &Slot| slot.known.as_ref().is_some_and(|chain| chain.quantized.is_some());
        slots.any(|slot| slot.quantized_twice || (quantizes && is_quantized(slot)))
    }

    /// Notes a layer whose weights were integers and are real numbers now.
    fn note_lost_integers(&mut self, layer: &MacLayer, ids: &[Option<ValueId>]) {
        let chains =
            ids.iter().flatten().flat_map(|id| [self.slots[id.0].known.as_ref(), self.written.get(id)]).flatten();
        let is_lost = |chain: &Chain| chain.from_integers && chain.is_named(&layer.weights.name);
        if layer.weights.quantization.is_none() && chains.into_iter().any(is_lost) {
            let text = "its weights are computed from integers, but not by one scale and zero point for each filter or for \
                        all; they are taken for real numbers";
            self.notes.push(Note::of_layer(NoteKind::Assumed, layer.name.clone(), text));
        }
    }

    /// Whether operators of the file made the integers of a layer's weights, so that they say which levels there are.
    fn is_rounded_by_operators(&self, layer: &MacLayer, ids: &[Option<ValueId>]) -> bool {
        let mut chains = ids.iter().flatten().filter_map(|id| self.slots[id.0].known.as_ref());
        layer.weights.quantization.is_some() && chains.any(|chain| !chain.lattices.is_empty())
    }

    /// The operator that constants are not computed at: this one, or one before it.
    fn stopped_by(&self, node: &NodeProto, action: &Action, ids: &[Option<ValueId>]) -> String {
        if let Some(before) = ids.iter().flatten().find_map(|id| self.slots[id.0].stopped_by.clone()) {
            return before;
        }
        let name = operator_name(node);
        if let Action::NotRun(Some(reason)) = action
            && !reason.is_empty()
        {
            return format!("{name} ({reason})");
        }
        let counts = ids.iter().flatten().filter_map(|id| self.slots[id.0].known.as_ref()).map(Chain::element_count);
        match counts.max() {
            Some(count) if count > MAX_FOLDED_WEIGHTS => {
                format!("{name} ({count} elements; at most {MAX_FOLDED_WEIGHTS} are computed)")
            }
            Some(_) | None => name,
        }
    }

    /// Puts a layer of real numbers into the graph; `kept` is its activation, `ids` are all inputs of its node.
    fn add_layer(
        &mut self,
        node: &NodeProto,
        layer: MacLayer,
        kept: &[Option<ValueId>],
        ids: &[Option<ValueId>],
        output: ValueId,
    ) {
        let input = kept[0].expect("the planner has looked at the activation of a MAC layer");
        self.note_lost_integers(&layer, ids);
        self.says_grid |= self.is_rounded_by_operators(&layer, ids);
        self.add_mac(node, layer, input, output);
    }

    fn add_mac(&mut self, node: &NodeProto, layer: MacLayer, input: ValueId, output: ValueId) {
        self.scales += layer.weights.quantization.as_ref().map_or(0, |quantization| quantization.scales.len());
        self.network.add_mac(operator_name(node), MacLayer { input, output, ..layer });
    }

    /// Computes inputs that are rearranged or dequantized constants, so that they are plain tensors. Where one is too
    /// large, the result is the reason for the note.
    fn write_constants(&mut self, inputs: &[Option<ValueId>]) -> Result<Option<String>, Fault> {
        for &id in inputs.iter().flatten() {
            if self.slots[id.0].known.is_none() || self.network.value(id).constant.is_some() {
                continue;
            }
            if self.slots[id.0].known.as_ref().is_some_and(|chain| chain.tensor.is_absent()) {
                return Ok(Some("the file has no values of a constant input".to_string()));
            }
            let Some(written) = self.written(id)? else {
                return Ok(Some("a constant input is computed and too large".to_string()));
            };
            self.network.set_constant(id, written.tensor);
        }
        Ok(None)
    }

    /// The elements of a known value as a plain tensor; `None` where there are too many.
    fn written(&mut self, id: ValueId) -> Result<Option<Chain>, Fault> {
        if let Some(written) = self.written.get(&id) {
            return Ok(Some(written.clone()));
        }
        let Some(chain) = self.slots[id.0].known.as_ref().filter(|chain| self.can_write(chain)) else {
            return Ok(None);
        };
        self.budget -= chain.element_count();
        let name = &self.network.value(id).name;
        let written = chain.written_out(name).map_err(|e| invalid!("input {name:?}: {e}"))?;
        self.written.insert(id, written.clone());
        Ok(Some(written))
    }

    fn can_write(&self, chain: &Chain) -> bool {
        chain.element_count() <= MAX_WRITTEN.min(self.budget)
    }

    /// Whether a constant is integers behind a Cast, which [`Builder::written`] can make real numbers of.
    fn is_small_cast(&self, slot: &Slot) -> bool {
        slot.known.as_ref().is_some_and(|chain| {
            let by_cast = chain.quantized.as_ref().is_some_and(|quantized| quantized.by_cast);
            by_cast && !chain.tensor.is_absent() && (self.written.contains_key(&slot.id) || self.can_write(chain))
        })
    }

    /// These values as if the file stored their elements.
    fn as_real_numbers(&mut self, ids: &[ValueId]) -> Result<HashMap<ValueId, Slot>, Fault> {
        let mut slots = HashMap::new();
        for &id in ids {
            if let Some(written) = self.written(id)? {
                slots.insert(id, Slot { known: Some(written), ..self.slots[id.0].clone() });
            }
        }
        Ok(slots)
    }

    /// A form in which whatever inference does not know is what the file declares.
    fn or_declared(&self, name: &str, form: Form) -> Result<Form, Fault> {
        if let (true, Some(shape), Some(info)) = (self.declared_holds, &form.shape, self.scopes.declared(name)) {
            inputs::check_declared(info, shape)?;
        }
        let form = self.as_given(name, form)?;
        if form.shape.is_some() && form.data_type.is_some() {
            return Ok(form);
        }
        let declared = self
            .scopes
            .declared(name)
            .map(|info| inputs::declared_form(info, self.network.batch()))
            .unwrap_or_default();
        Ok(Form { data_type: form.data_type.or(declared.data_type), shape: form.shape.or(declared.shape) })
    }

    /// A form with the shape that a user gives for it.
    fn as_given(&self, name: &str, form: Form) -> Result<Form, Fault> {
        let Some((_, given)) = self.given.iter().rev().find(|(value, _)| value == name) else { return Ok(form) };
        match form.shape {
            Some(shape) if shape != *given => {
                Err(invalid!("shape {given:?} was given for its output {name:?}, but {shape:?} comes out of it"))
            }
            _ if given.contains(&0) => {
                Err(invalid!("shape {given:?} was given for its output {name:?}; an extent is 0"))
            }
            _ => Ok(Form { shape: Some(given.clone()), ..form }),
        }
    }

    /// Notes what is not run or not costed.
    fn note(&mut self, node: &NodeProto, plan: &Plan, inputs: &[Option<ValueId>], outputs: &[ValueId]) {
        let not_run = plan.action.not_run();
        let slots = |ids: &[ValueId]| ids.iter().map(|id| &self.slots[id.0]).collect::<Vec<_>>();
        let inputs: Vec<ValueId> = inputs.iter().flatten().copied().collect();
        let not_costed = match &plan.not_costed {
            Some(reason) => Some(reason.clone()),
            None if matches!(plan.action, Action::Recurrent(_)) => None,
            None => not_run.as_ref().and_then(|_| operators::not_costed(node, &slots(&inputs))),
        };
        if not_run.is_none() && not_costed.is_none() {
            return;
        }
        // What is computed from constants alone is computed once, not for every image.
        let once = slots(outputs).iter().all(|slot| slot.constant);
        let mut named = node.output.iter().zip(slots(outputs));
        let unknown_shape = named.any(|(name, slot)| slot.form.shape.is_none() && self.scopes.is_used(name));
        let silent = not_run == Some(None);
        let finding = Finding {
            operator: operator_name(node),
            not_run: not_run.map(Option::unwrap_or_default),
            not_costed: not_costed.filter(|_| !once),
            unknown_shape,
        };
        self.findings.add(&self.scopes.node_name(node), finding, silent);
    }

    /// Gives all layers the grid that is known. A DequantizeLinear does not say what its integers count: where nobody
    /// says it and the file looks as if they were half-steps, the result is a note.
    fn set_grid(&mut self) -> Option<Note> {
        let layers = self.network.layers_mut().iter_mut();
        for quantization in layers.filter_map(|layer| layer.weights.quantization.as_mut()) {
            // Where a file's own operators say mid-rise, that is so.
            if quantization.grid == Grid::MidTread {
                quantization.grid = self.grid.unwrap_or(Grid::MidTread);
            }
        }
        let doubtful = self.grid.is_none() && !self.says_grid && grid::looks_mid_rise(self.network.layers());
        doubtful.then(grid::looks_mid_rise_note)
    }

    /// What a graph returns.
    fn outputs_of(&self, graph: &GraphProto) -> Result<Vec<ValueId>, Fault> {
        let output = |output: &ValueInfoProto| {
            let missing = || invalid!("output {:?} is made by no node", output.name);
            self.scopes.find(&output.name).ok_or_else(missing)
        };
        graph.output.iter().map(output).collect()
    }

    /// The outputs of the network. No node makes an output that is constant, so that such outputs become plain tensors.
    fn outputs(&mut self, graph: &GraphProto) -> Result<Vec<ValueId>, Fault> {
        let outputs = self.outputs_of(graph)?;
        let constants: Vec<Option<ValueId>> = outputs.iter().copied().map(Some).collect();
        match self.write_constants(&constants)? {
            Some(_) => Err(unsupported!("an output that is constant, computed, and too large")),
            None => Ok(outputs),
        }
    }

    fn finish(mut self, graph: &GraphProto) -> Result<Network, NetworkError> {
        let outputs = self.outputs(graph).map_err(|fault| fault.at(self.path, "graph".to_string()))?;
        let outputs = self.before_classes(graph, outputs);
        if self.network.layers().is_empty() {
            let instead = self.findings.instead_of_layers();
            let fault = unsupported!(
                "expected Conv, ConvTranspose, Gemm, MatMul or a recurrent operator with constant weights; {instead}"
            );
            return Err(fault.at(self.path, "graph".to_string()));
        }
        let grid_note = self.set_grid();
        self.network.set_outputs(outputs);
        let unread = unread::take_out(&mut self.network, &self.captured);
        let unread = unread.map_err(|fault| fault.at(self.path, "graph".to_string()))?;
        // What the file holds and the graph does not: text, sequences, and constants that nobody computes.
        self.unmade.retain(|id| self.network.value(*id).constant.is_none());
        self.network.set_outside(self.unmade);
        let (mut notes, not_costed) = self.findings.into_parts(&unread);
        notes.extend(unread.note());
        notes.extend(self.notes);
        notes.extend(grid_note);
        notes.extend(integers_note(&self.network));
        notes.extend(bits_of_tools_note(graph));
        notes.extend(tensors::few_floats_note(graph));
        let network = finished(self.network, self.path, notes)?.with_absent(self.external.take_absent());
        Ok(network.with_not_costed(not_costed).with_open_batch(self.open_batch))
    }
}

/// That operators on real numbers have integers, as design tools write them.
fn integers_note(network: &NetworkBuilder) -> Option<Note> {
    let data_type = |layer: &MacLayer| network.value(layer.input).data_type.filter(|t: &DataType| !t.is_real());
    let of_tools = |layer: &&MacLayer| layer.requantization.is_none() && data_type(layer).is_some();
    let mut layers = network.layers().iter().filter(of_tools);
    let first = layers.next()?;
    let more = and_more(layers.count());
    let text = format!(
        "layer {}{more}: ONNX has {} on real numbers, and here it reads {}; integers of weights are costed as steps of 1, and \
         the network is not run",
        first.name,
        first.op.name(),
        data_type(first).map_or("", DataType::name)
    );
    Some(Note::new(NoteKind::NotRun, text))
}

/// That bit widths which design tools write at operators are not what weights are costed at.
fn bits_of_tools_note(graph: &GraphProto) -> Option<Note> {
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let names: BTreeSet<&str> =
        attributes.map(|attribute| attribute.name.as_str()).filter(|name| BITS_OF_TOOLS.contains(name)).collect();
    let text = || {
        let names: Vec<&str> = names.iter().copied().collect();
        format!("attributes of design tools at operators of ONNX are passed over: {}", names.join(", "))
    };
    (!names.is_empty()).then(|| Note::new(NoteKind::LeftOut, text()))
}

/// Plans a node one of whose inputs has no known shape. A MAC layer there could not be costed and would be missing in
/// every sum: that ends the reading. Any other node is kept and not run.
fn behind_unknown(view: &View<'_>, network: &NetworkBuilder, findings: &Findings) -> Result<Plan, Fault> {
    let is_own = matches!(view.domain, "" | "ai.onnx");
    let plain = is_own && matches!(view.op_type, "Conv" | "ConvTranspose" | "Gemm" | "MatMul");
    let integer = matches!(view.op_type, "QLinearConv" | "QLinearMatMul" | "QGemm" | "ConvInteger" | "MatMulInteger");
    let is_mac = plain || integer;
    let unknown = view.inputs.iter().flatten().find(|slot| slot.form.shape.is_none());
    match unknown {
        Some(slot) if is_mac && view.inputs.iter().flatten().any(|slot| slot.constant) => {
            Err(Fault::OpenShape(format!(
                "the shape of its input {:?} is not known, for the file declares none and these operators before it are \
                 not handled: {}",
                network.value(slot.id).name,
                findings.not_run()
            )))
        }
        _ => {
            let has_macs = is_mac || (is_own && is_recurrent(view.op_type));
            let not_costed = has_macs.then(|| "the shape of its input is not known".to_string());
            Ok(Plan { action: Action::NotRun(None), not_costed, ..Plan::not_run("", Form::default()) })
        }
    }
}

/// Plans a node as not run where the elements of an input cannot be read.
fn check_readable(plan: Plan, view: &View<'_>) -> Plan {
    let unreadable = view.inputs.iter().flatten().find_map(|slot| slot.unreadable.as_ref());
    match (unreadable, &plan.action) {
        (Some(what), Action::Run(_) | Action::Compute(_)) => {
            Plan { action: Action::NotRun(Some(format!("an input has {what}"))), kept: Kept::All, ..plan }
        }
        _ => plan,
    }
}

/// Checks that an operator makes all outputs of its node that somebody reads.
fn check_outputs(plan: Plan, view: &View<'_>, scopes: &Scopes<'_>) -> Result<Plan, Fault> {
    if view.outputs.is_empty() {
        return Err(invalid!("it has no output"));
    }
    for form in &plan.outputs {
        check_size(form)?;
    }
    if let Action::NotRun(_) = plan.action {
        return Ok(plan);
    }
    let made = plan.outputs.len();
    match view.outputs.iter().skip(made).position(|name| scopes.is_used(name)) {
        Some(index) => {
            let first = plan.outputs.into_iter().next().unwrap_or_default();
            Ok(Plan::not_run(format!("its output {} is not made", made + index), first))
        }
        None => Ok(plan),
    }
}

/// What is known of the levels that the elements of a node's first output lie on.
struct Levels {
    quantization: Option<ActivationQuantization>,
    clip: Option<[i32; 2]>,
}

impl Levels {
    fn behind(action: &Action, view: &View<'_>) -> Result<Self, Fault> {
        Ok(Self { quantization: output_quantization(action, view)?, clip: output_clip(action, view)? })
    }
}

/// The quantization that the elements of the first output lie on. It comes from a DequantizeLinear, and operators that
/// only move values keep it.
fn output_quantization(action: &Action, view: &View<'_>) -> Result<Option<ActivationQuantization>, Fault> {
    let Action::Run(op) = action else { return Ok(None) };
    if let Op::DequantizeLinear { .. } = op {
        return quantize::activation(view);
    }
    if let Op::Quant(quant) = op {
        return qonnx::activation(*quant, view);
    }
    if let Op::MultiThreshold { scale, bias, .. } = *op {
        return qonnx::levels(view, scale, bias);
    }
    let before = view.input(0)?.quantization;
    // A 0 that comes in may lie outside the bounds that a Clip left.
    let with_zero = |q: ActivationQuantization| ActivationQuantization {
        min: q.min.min(q.zero_point),
        max: q.max.max(q.zero_point),
        ..q
    };
    if moves_levels(op) {
        return Ok(before);
    }
    Ok(before.filter(|_| adds_zero(op)).map(with_zero))
}

/// The bounds of the integers in the first output. They come from a Clip, and operators that only move values keep them.
fn output_clip(action: &Action, view: &View<'_>) -> Result<Option<[i32; 2]>, Fault> {
    let Action::Run(op) = action else { return Ok(None) };
    if let Op::Unary(Unary::Clip { min, max }) = op {
        return quantize::clip(view, [*min, *max]);
    }
    if moves_levels(op) { Ok(view.input(0)?.clip) } else { Ok(None) }
}

/// Whether an operator only makes numbers that it reads, and 0.
fn adds_zero(op: &Op) -> bool {
    let pads = matches!(op, Op::Pad { mode: PadMode::Constant, value, .. } if *value == 0.0);
    pads || *op == Op::Unary(Unary::Relu)
}

/// Whether an operator only makes numbers that it reads.
fn moves_levels(op: &Op) -> bool {
    let pads = matches!(op, Op::Pad { mode, .. } if *mode != PadMode::Constant);
    pads || matches!(op, Op::Identity | Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::MaxPool(_))
}
