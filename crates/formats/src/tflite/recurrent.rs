//! Operators whose state goes from step to step: UNIDIRECTIONAL_SEQUENCE_LSTM and UNIDIRECTIONAL_SEQUENCE_RNN.
//!
//! Their products with constant weights are MAC layers, which are used once a step. Two nodes stand around them, as around
//! those of any recurrent operator ([`network::Recurrent`]). Where it is not handled what goes from step to step
//! (`steps.rs`), nothing runs either of the two.
//!
//! ```text
//! x -> NAME.input_to_cell -> NAME -> NAME.recurrent_to_cell -> NAME.outputs -> y
//! ```

use network::{
    ActivationQuantization, DataType, Geometry, GeometrySpec, MacLayer, MacOp, Node, Op, Operand, Recurrent,
    RecurrentPart, ValueId, WeightTransform,
};

use super::builder::Builder;
use super::integer_steps;
use super::mac::weights;
use super::operation::Operation;
use super::steps::{self, LayerIntegers, OF_INPUT, OF_STATE, Steps, steps_first};
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::findings::{Finding, steps_not_run};
use crate::reading::shape::{sequences_lie, steps_per_image};

/// What makes its output of its hidden units; left out where they are the output.
const PROJECTION: (&str, usize) = ("projection", 16);

/// UNIDIRECTIONAL_SEQUENCE_LSTM: a matrix for each gate, of `[units, numbers]` and of `[units, outputs]`.
pub(super) fn lstm(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(20, 24)?;
    if operation.options.flag(5)? {
        return Err(not_costed!("its recurrent weights are diagonals"));
    }
    let sequence = Sequence::of(b, operation)?;
    let (units, outputs) = match (b.shape(operation.input(4)?), b.shape(operation.input(8)?)) {
        (&[units, _], &[_, outputs]) => (units, outputs),
        (input, recurrent) => return Err(invalid!("weights of shapes {input:?} and {recurrent:?}; expected two axes")),
    };
    if operation.optional(1).is_some() != operation.optional(5).is_some() {
        return Err(invalid!("one of its two matrices of the input gate is left out"));
    }
    // The other gates have both.
    [2, 3, 4, 6, 7, 8].into_iter().try_for_each(|matrix| operation.input(matrix).map(|_| ()))?;
    if operation.optional(PROJECTION.1).is_none() && outputs != units {
        return Err(invalid!("{outputs} outputs of {units} units, and no projection"));
    }
    let of_input = sequence.matrices(b, operation, &OF_INPUT, [units, sequence.depth])?;
    let mut of_state = sequence.matrices(b, operation, &OF_STATE, [units, outputs])?;
    of_state.extend(sequence.matrices(b, operation, &[PROJECTION], [outputs, units])?);
    let steps = match b.is_real(operation.input(0)?)? {
        true => steps::lstm(b, operation, units),
        false => integer_steps::lstm(b, operation, units),
    };
    stepped(b, operation, [of_input, of_state], &sequence.made(outputs), steps)
}

/// UNIDIRECTIONAL_SEQUENCE_RNN: one matrix of `[units, numbers]` and one of `[units, units]`.
pub(super) fn rnn(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(5, 5)?;
    let sequence = Sequence::of(b, operation)?;
    let (found, depth) = (b.shape(operation.input(1)?), sequence.depth);
    let &[units, _] = found else { return Err(invalid!("weights of shape {found:?}; expected two axes")) };
    let of_input = sequence.matrices(b, operation, &[("input", 1)], [units, depth])?;
    let of_state = sequence.matrices(b, operation, &[("recurrent", 2)], [units, units])?;
    let steps = steps::rnn(b, operation, units);
    stepped(b, operation, [of_input, of_state], &sequence.made(units), steps)
}

/// The input of an operator that runs over a sequence.
struct Sequence {
    /// Sequences and steps, in the order of the file.
    axes: [usize; 2],
    /// Numbers of a step.
    depth: usize,
    /// Steps of one image.
    positions: usize,
    pub(super) operand: Operand,
}

impl Sequence {
    fn of(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Self, Fault> {
        let shape = b.shape(operation.input(0)?);
        let &[first, second, depth] = shape else {
            return Err(invalid!("an input of shape {shape:?}; expected three axes"));
        };
        let batch_axis = usize::from(steps_first(operation.kind, &operation.options)?);
        let positions = steps_per_image([first, second], batch_axis, b.network.batch())?;
        let operand = sequences_lie(batch_axis, [first, second][batch_axis], b.network.batch());
        Ok(Self { axes: [first, second], depth, positions, operand })
    }

    /// The shape of a value with so many numbers a step.
    fn made(&self, numbers: usize) -> Vec<usize> {
        [self.axes.as_slice(), &[numbers]].concat()
    }

    /// The products with those of the matrices that are there, all of one shape `[filters, depth]`.
    fn matrices(
        &self,
        b: &Builder<'_>,
        operation: &Operation<'_>,
        places: &[(&'static str, usize)],
        [filters, depth]: [usize; 2],
    ) -> Result<Vec<Product>, Fault> {
        let mut products = Vec::new();
        for &(name, index) in places {
            let Some(weights) = operation.optional(index) else { continue };
            if *b.shape(weights) != [filters, depth] {
                return Err(invalid!("{name} of shape {:?}; expected {:?}", b.shape(weights), [filters, depth]));
            }
            products.push(Product {
                name,
                weights,
                op: MacOp::MatMul,
                spec: GeometrySpec::convolution(depth, filters, [1; 2], [self.positions, 1]),
                operand: self.operand,
                reads: self.made(depth),
                makes: self.made(filters),
            });
        }
        Ok(products)
    }
}

/// A product with constant weights.
pub(super) struct Product {
    /// What the name of its layer ends in.
    pub(super) name: &'static str,
    /// The tensor of its weights.
    pub(super) weights: usize,
    pub(super) op: MacOp,
    pub(super) spec: GeometrySpec,
    pub(super) operand: Operand,
    /// Shape of the value that it reads, and of the one that it makes.
    pub(super) reads: Vec<usize>,
    pub(super) makes: Vec<usize>,
}

impl Product {
    /// Adds the layer, and returns its output. `integers` are those of a layer whose sums become integers, else what is known
    /// of its input.
    pub(super) fn add(
        &self,
        b: &mut Builder<'_>,
        operation: &Operation<'_>,
        input: ValueId,
        integers: LayerIntegers,
    ) -> Result<ValueId, Fault> {
        let geometry = Geometry::new(self.spec).map_err(|e| invalid!("{e}"))?;
        let transforms = vec![WeightTransform::Reshape(geometry.weight_extents().to_vec())];
        let weights = weights(b, self.weights, 0, transforms)?;
        let name = b.node_name(&format!("{}.{}", operation.name, self.name));
        let output = b.new_value(&format!("{name}/sum"), Some(DataType::F32), Some(self.makes.clone()), None);
        let layer = MacLayer {
            name,
            op: self.op,
            geometry,
            operand: self.operand,
            weights,
            bias: integers.bias,
            alpha: 1.0,
            input_quantization: integers.input,
            requantization: integers.requantization,
            input,
            output,
        };
        b.network.add_mac(operation.kind, layer);
        Ok(output)
    }
}

/// Adds an operator: the products with its input, those with its state, and the nodes between and behind them.
pub(super) fn stepped(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
    [of_input, of_state]: [Vec<Product>; 2],
    shape: &[usize],
    steps: Result<Steps, Fault>,
) -> Result<(), Fault> {
    let steps = match steps {
        Ok(steps) => Ok(steps),
        Err(Fault::NotRun(reason)) => Err(reason),
        Err(fault) => return Err(fault),
    };
    let (x, quantization) = real_input(b, operation)?;
    let mut made = Vec::new();
    let unrounded =
        |input, products: &[Product]| vec![LayerIntegers { input, ..LayerIntegers::default() }; products.len()];
    let [ints_of_input, ints_of_state] = match &steps {
        Ok(Steps { integers: Some(integers), .. }) => integers.clone(),
        Ok(Steps { integers: None, .. }) | Err(_) => [unrounded(quantization, &of_input), unrounded(None, &of_state)],
    };
    for (product, integers) in of_input.iter().zip(ints_of_input) {
        made.push(product.add(b, operation, x, integers)?);
    }
    let (recurrent, read) = match &steps {
        Ok(Steps { recurrent, constants, .. }) => {
            let constant =
                |(what, tensor): &(&str, _)| b.constant(&format!("{}.{what}", operation.name), Clone::clone(tensor));
            (Some(recurrent), constants.iter().map(constant).collect())
        }
        Err(_) => (None, Vec::new()),
    };
    // Where it runs, all layers read one state.
    let state = |product: &Product| {
        let name = format!("{}.{}/state", operation.name, product.name);
        b.new_value(&name, Some(DataType::F32), Some(product.reads.clone()), None)
    };
    let own = if recurrent.is_some() { &of_state[..1] } else { &of_state };
    let states: Vec<ValueId> = own.iter().map(state).collect();
    let before = [made.as_slice(), &read].concat();
    part(b, operation, operation.name.clone(), (recurrent, RecurrentPart::States), before, states.clone());
    for ((product, integers), &state) in of_state.iter().zip(ints_of_state).zip(states.iter().cycle()) {
        made.push(product.add(b, operation, state, integers)?);
    }
    made.extend(read);
    let name = b.node_name(&format!("{}.outputs", operation.name));
    let outputs = operation.output()?;
    match recurrent.and_then(|recurrent| recurrent.integers.as_ref()) {
        Some(_) => {
            let value = b.new_value(&name, Some(DataType::F32), Some(shape.to_vec()), None);
            part(b, operation, name, (recurrent, RecurrentPart::Outputs), made, vec![value]);
            b.quantized(operation, outputs, value, shape)?;
        }
        None => {
            let value = b.declare(outputs, shape)?;
            part(b, operation, name, (recurrent, RecurrentPart::Outputs), made, vec![value]);
        }
    }
    if let Err(reason) = &steps {
        let (operator, not_run) = (operation.kind.to_string(), Some(steps_not_run(reason)));
        let finding = Finding { operator, not_run, not_costed: None, unknown_shape: false };
        b.findings.add(&operation.name, finding, false);
    }
    Ok(())
}

/// The input of the operator as real numbers, and how the file quantizes it.
pub(super) fn real_input(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
) -> Result<(ValueId, Option<ActivationQuantization>), Fault> {
    let tensor = operation.input(0)?;
    let value = b.value(tensor)?;
    if b.is_real(tensor)? {
        return Ok((value, None));
    }
    let quantization = b.quantization(tensor)?;
    let (data_type, shape) = (b.data_type(tensor)?, b.shape(tensor).to_vec());
    let value = b.dequantized(&operation.name, value, quantization, (data_type, shape));
    Ok((value, Some(quantization)))
}

/// Adds one of the two nodes.
fn part(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
    name: String,
    (recurrent, part): (Option<&Recurrent>, RecurrentPart),
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
) {
    let op = match recurrent {
        Some(recurrent) => Op::Recurrent(Box::new(Recurrent { part, ..recurrent.clone() })),
        None => Op::Unsupported,
    };
    let inputs = inputs.into_iter().map(Some).collect();
    b.network.add_node(Node { name, op_type: operation.kind.to_string(), op, inputs, outputs });
}
