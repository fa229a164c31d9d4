//! Checks that a graph can run, and decides which values live how long.

use network::{Binary, Graph, LayerId, Network, Node, Op, Operand, RecurrentPart, Value, ValueId};

use crate::array::Array;
use crate::error::{InferenceError, Problem};
use crate::ops::{ValueSpec, check_coordinates, check_integer, is_computed_on_integers};

/// The most bytes of activations that one run may hold at a time.
const MAX_LIVE_BYTES: u128 = 4 << 30;

/// A graph made ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    /// By value; the constants that a step reads.
    pub constants: Vec<Option<Array>>,
    pub input: usize,
    pub input_spec: ValueSpec,
    pub input_name: String,
    pub output: usize,
    pub output_len: usize,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub name: String,
    pub op: Op,
    pub inputs: Vec<Source>,
    pub outputs: Vec<usize>,
    pub specs: Vec<ValueSpec>,
    /// Values that nobody reads after this step and that the operator was not given for good.
    pub release: Vec<usize>,
    /// Numbers that it makes and does not return: sums of a layer that are added up to outputs, and what a walk through
    /// steps makes besides.
    pub hidden: u128,
    /// The layers that read each output of a node that makes the states of a recurrent operator.
    pub recurrent: Vec<Vec<LayerId>>,
}

/// A value that a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub value: usize,
    /// This is the only place where anybody still reads it: the operator may change it.
    pub take: bool,
}

impl Plan {
    /// Checks a network and plans its run up to this output, the first where none is named.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] names the first node or value that cannot be run, or says that values of the network are absent.
    pub fn new(network: &Network, output: Option<ValueId>) -> Result<Self, InferenceError> {
        network.check_complete()?;
        let graph = network.graph();
        let &[input] = graph.inputs() else {
            let names: Vec<&str> = graph.inputs().iter().map(|&id| graph.value(id).name.as_str()).collect();
            return Err(unsupported("the graph", format!("inputs {names:?}; a network of one input is handled")));
        };
        let output = output.or(graph.outputs().first().copied());
        let output = output.ok_or_else(|| invalid("the graph", "it has no output".to_string()))?;
        check_operators(graph)?;
        check_batch_axis(network)?;
        check_recurrent(network)?;
        check_order(graph, input, output)?;
        let input_value = graph.value(input);
        let mut plan = Self {
            steps: graph.nodes().iter().map(|node| step(network, node)).collect::<Result<_, _>>()?,
            constants: constants(graph)?,
            input: input.0,
            input_spec: spec(input_value)?,
            input_name: input_value.name.clone(),
            output: output.0,
            output_len: element_count(&spec(graph.value(output))?.shape, &graph.value(output).name)?,
        };
        plan.decide_lifetimes();
        plan.check_memory()?;
        Ok(plan)
    }

    /// Finds the last reader of each value.
    fn decide_lifetimes(&mut self) {
        let mut last_reader = vec![None; self.constants.len()];
        for (index, step) in self.steps.iter().enumerate() {
            step.inputs.iter().for_each(|source| last_reader[source.value] = Some(index));
        }
        for (index, step) in self.steps.iter_mut().enumerate() {
            let dies = |value: usize| {
                last_reader[value] == Some(index) && self.constants[value].is_none() && value != self.output
            };
            let count = |value: usize| step.inputs.iter().filter(|source| source.value == value).count();
            let in_place = !matches!(step.op, Op::Mac(_) | Op::Recurrent(_));
            let takes: Vec<bool> =
                step.inputs.iter().map(|s| in_place && dies(s.value) && count(s.value) == 1).collect();
            let kept = step.inputs.iter().zip(&takes).filter(|(source, take)| dies(source.value) && !**take);
            let unread = step.outputs.iter().filter(|&&v| last_reader[v].is_none() && v != self.output);
            let mut release: Vec<usize> = kept.map(|(source, _)| source.value).chain(unread.copied()).collect();
            release.sort_unstable();
            release.dedup();
            step.release = release;
            step.inputs.iter_mut().zip(takes).for_each(|(source, take)| source.take = take);
        }
    }

    fn check_memory(&self) -> Result<(), InferenceError> {
        let (needed, step) = self.most_alive();
        match step {
            Some(step) if needed > MAX_LIVE_BYTES => {
                Err(InferenceError::Memory { place: step.name.clone(), needed, limit: MAX_LIVE_BYTES })
            }
            _ => Ok(()),
        }
    }

    /// The most bytes of activations that are alive at a time in one run, and the step during which they are.
    pub fn most_alive(&self) -> (u128, Option<&Step>) {
        let bytes = |shape: &[usize]| 4 * shape.iter().map(|&extent| extent as u128).product::<u128>();
        let mut sizes = vec![0; self.constants.len()];
        sizes[self.input] = bytes(&self.input_spec.shape);
        let mut live = sizes[self.input];
        let mut most = (live, None);
        for step in &self.steps {
            for (&output, spec) in step.outputs.iter().zip(&step.specs) {
                sizes[output] = bytes(&spec.shape);
                live += sizes[output];
            }
            if live + 4 * step.hidden > most.0 {
                most = (live + 4 * step.hidden, Some(step));
            }
            let taken = step.inputs.iter().filter(|source| source.take).map(|source| source.value);
            live -= taken.chain(step.release.iter().copied()).map(|value| sizes[value]).sum::<u128>();
        }
        most
    }
}

fn unsupported(place: &str, problem: String) -> InferenceError {
    Problem::Unsupported(problem).at(place)
}

fn invalid(place: &str, problem: String) -> InferenceError {
    Problem::Invalid(problem).at(place)
}

fn place(node: &Node) -> String {
    format!("{} {}", node.op_type, node.name)
}

fn check_operators(graph: &Graph) -> Result<(), InferenceError> {
    let bad: Vec<&Node> = graph.nodes().iter().filter(|node| node.op == Op::Unsupported).collect();
    if let Some(first) = bad.first() {
        let more = match bad.len() - 1 {
            0 => String::new(),
            1 => ", nor 1 other node".to_string(),
            more => format!(", nor {more} other nodes"),
        };
        return Err(unsupported(&place(first), format!("nothing here runs this operator{more}")));
    }
    graph.nodes().iter().try_for_each(|node| check_node(graph, node).map_err(|problem| problem.at(&place(node))))
}

/// Checks what would otherwise be found only while running.
fn check_node(graph: &Graph, node: &Node) -> Result<(), Problem> {
    if let Op::Resize { coordinates, .. } = &node.op {
        check_coordinates(*coordinates)?;
    }
    if let Op::Integer(op) = &node.op {
        check_integer(op)?;
    }
    // Scales, zero points and indices have types of their own.
    let first_alone = matches!(
        node.op,
        Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. } | Op::Gather { .. } | Op::GatherElements { .. }
    );
    let operands = node.inputs.iter().take(if first_alone { 1 } else { usize::MAX });
    let integer = operands.flatten().map(|&id| graph.value(id)).find(|value| is_integer(value));
    match integer {
        Some(value) if !node.op.moves_integers() && !is_whole(graph, node) => Err(Problem::Unsupported(format!(
            "arithmetic on {} ({}); this operator is handled on real numbers",
            value.data_type.expect("an integer has a type").name(),
            value.name
        ))),
        _ => Ok(()),
    }
}

/// Whether a node computes on integers of one type, to integers of the same.
fn is_whole(graph: &Graph, node: &Node) -> bool {
    let Op::Binary(function) = node.op else { return false };
    let mut types = node.inputs.iter().flatten().chain(&node.outputs).map(|&id| graph.value(id).data_type);
    let Some(first) = types.next().flatten() else { return false };
    // An exponent has a type of its own.
    let is_one = function == Binary::Pow || types.clone().all(|other| other == Some(first));
    // A real number takes an integer for its exponent.
    if function == Binary::Pow && first.is_real() {
        return true;
    }
    is_one && types.all(|other| other.is_some_and(|other| !other.is_real())) && is_computed_on_integers(function, first)
}

/// Images of a run lie one after another.
fn check_batch_axis(network: &Network) -> Result<(), InferenceError> {
    if network.batch() > 1 && network.batch_axis() > 0 {
        let problem =
            format!("the {} images of a run lie on axis {}; expected axis 0", network.batch(), network.batch_axis());
        return Err(unsupported("the input", problem));
    }
    Ok(())
}

/// Checks that layers stand for all products of recurrent operators, and that each image has its sequences by itself.
fn check_recurrent(network: &Network) -> Result<(), InferenceError> {
    let graph = network.graph();
    for node in graph.nodes() {
        let Op::Recurrent(recurrent) = &node.op else { continue };
        let (batch, layers) = (network.batch(), recurrent_layers(graph, node));
        let is_apart = |id: &LayerId| network.layers()[id.0].operand == Operand::StepsFirst;
        if batch > 1 && recurrent.steps_first && !layers.iter().flatten().all(is_apart) {
            let problem = format!("several sequences of each of {batch} images lie side by side in each step");
            return Err(unsupported(&place(node), problem));
        }
        let expected = |value: usize| if value < recurrent.directions.len() { recurrent.matrices } else { 1 };
        if let Some(value) = layers.iter().enumerate().position(|(value, layers)| layers.len() != expected(value)) {
            let problem =
                format!("{} layers multiply its states {value}; {} are expected", layers[value].len(), expected(value));
            return Err(invalid(&place(node), problem));
        }
    }
    Ok(())
}

fn is_integer(value: &Value) -> bool {
    value.data_type.is_some_and(|data_type| !data_type.is_real())
}

/// Checks that every value is there before it is read.
fn check_order(graph: &Graph, input: ValueId, output: ValueId) -> Result<(), InferenceError> {
    let mut made = vec![false; graph.values().len()];
    made[input.0] = true;
    for node in graph.nodes() {
        let missing = node.inputs.iter().flatten().find(|id| !made[id.0] && graph.value(**id).constant.is_none());
        if let Some(&id) = missing {
            return Err(invalid(&place(node), format!("it reads {} before anything makes it", graph.value(id).name)));
        }
        node.outputs.iter().for_each(|id| made[id.0] = true);
    }
    if !made[output.0] {
        return Err(unsupported(&graph.value(output).name, "this output does not depend on the input".to_string()));
    }
    Ok(())
}

fn step(network: &Network, node: &Node) -> Result<Step, InferenceError> {
    let graph = network.graph();
    let source = |id: &ValueId| Source { value: id.0, take: false };
    Ok(Step {
        name: place(node),
        op: node.op.clone(),
        inputs: node.inputs.iter().flatten().map(source).collect(),
        outputs: node.outputs.iter().map(|id| id.0).collect(),
        specs: node.outputs.iter().map(|&id| spec(graph.value(id))).collect::<Result<_, _>>()?,
        release: Vec::new(),
        hidden: hidden(network, node),
        recurrent: recurrent_layers(graph, node),
    })
}

/// The layers that multiply the states of a recurrent operator, by its outputs.
fn recurrent_layers(graph: &Graph, node: &Node) -> Vec<Vec<LayerId>> {
    let Op::Recurrent(recurrent) = &node.op else { return Vec::new() };
    let readers = |id: &ValueId| graph.readers(*id).iter().map(|&reader| &graph.node(reader).op);
    let layers =
        |id: &ValueId| readers(id).filter_map(|op| if let Op::Mac(id) = op { Some(*id) } else { None }).collect();
    match recurrent.part {
        RecurrentPart::States => node.outputs.iter().map(layers).collect(),
        RecurrentPart::Outputs => Vec::new(),
    }
}

/// How many numbers a node makes that are no outputs.
fn hidden(network: &Network, node: &Node) -> u128 {
    if let Op::Mac(id) = node.op {
        return hidden_sums(network, id);
    }
    let (Op::Recurrent(recurrent), Some(&first)) = (&node.op, node.outputs.first()) else { return 0 };
    let shape = network.graph().value(first).shape.as_deref().unwrap_or_default();
    // States before and behind all steps.
    2 * recurrent.directions.len() as u128 * shape.iter().map(|&extent| extent as u128).product::<u128>()
}

/// How many sums a layer makes for a batch where these are no outputs.
fn hidden_sums(network: &Network, id: LayerId) -> u128 {
    let layer = &network.layers()[id.0];
    let sums = layer.geometry.output_len() as u128 * network.batch() as u128;
    if layer.scatter().is_some() { sums } else { 0 }
}

fn spec(value: &Value) -> Result<ValueSpec, InferenceError> {
    let shape = value
        .shape
        .clone()
        .ok_or_else(|| unsupported(&value.name, "the shape of this value is not known".to_string()))?;
    element_count(&shape, &value.name)?;
    Ok(ValueSpec { shape, data_type: value.data_type })
}

fn element_count(shape: &[usize], name: &str) -> Result<usize, InferenceError> {
    shape
        .iter()
        .try_fold(1usize, |product, &extent| product.checked_mul(extent))
        .filter(|&count| count <= isize::MAX as usize / 4)
        .ok_or_else(|| unsupported(name, format!("shape {shape:?} has more elements than memory can hold")))
}

/// Reads the constants that some node uses.
fn constants(graph: &Graph) -> Result<Vec<Option<Array>>, InferenceError> {
    let mut constants = vec![None; graph.values().len()];
    for id in graph.nodes().iter().flat_map(|node| node.inputs.iter().flatten()) {
        let value = graph.value(*id);
        if let (None, Some(tensor)) = (&constants[id.0], &value.constant) {
            let problem = |error: &dyn std::fmt::Display| invalid(&value.name, error.to_string());
            let data = if tensor.data_type.is_real() {
                tensor.to_f32().map_err(|error| problem(&error))?
            } else {
                exactly(tensor.to_i64().map_err(|error| problem(&error))?, &value.name)?
            };
            if data.len() != element_count(&tensor.shape, &value.name)? {
                return Err(invalid(&value.name, format!("{} elements for shape {:?}", data.len(), tensor.shape)));
            }
            constants[id.0] = Some(Array::new(tensor.shape.clone(), data));
        }
    }
    Ok(constants)
}

/// Integers as the real numbers that they are.
fn exactly(integers: Vec<i64>, name: &str) -> Result<Vec<f32>, InferenceError> {
    match integers.iter().find(|x| (**x as f32) as i128 != i128::from(**x)) {
        Some(x) => Err(unsupported(name, format!("the integer {x}, which 32-bit float does not hold exactly"))),
        None => Ok(integers.into_iter().map(|x| x as f32).collect()),
    }
}
