//! Operators whose state goes from step to step: UNIDIRECTIONAL_SEQUENCE_LSTM, UNIDIRECTIONAL_SEQUENCE_RNN and SVDF.
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
use super::mac::weights;
use super::operation::Operation;
use super::steps::{self, Steps, steps_first};
use crate::reading::fault::{Fault, invalid, not_costed, not_run};
use crate::reading::findings::{Finding, steps_not_run};
use crate::reading::shape::{per_image, sequences_lie, steps_per_image};

/// The matrices of an LSTM that its input is multiplied by, and their places among the inputs of the operator, in the order of
/// [`network::Cell`]. The first may be left out together with the first of the next.
const OF_INPUT: [(&str, usize); 4] =
    [("input_to_input", 1), ("input_to_output", 4), ("input_to_forget", 2), ("input_to_cell", 3)];
/// Those that its output of the step before is multiplied by.
const OF_STATE: [(&str, usize); 4] =
    [("recurrent_to_input", 5), ("recurrent_to_output", 8), ("recurrent_to_forget", 6), ("recurrent_to_cell", 7)];
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
    let of_input = sequence.matrices(b, operation, &OF_INPUT, [units, sequence.depth])?;
    let mut of_state = sequence.matrices(b, operation, &OF_STATE, [units, outputs])?;
    of_state.extend(sequence.matrices(b, operation, &[PROJECTION], [outputs, units])?);
    let steps = steps::lstm(b, operation, units);
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

/// SVDF: a matrix `[filters, numbers]`, and `[filters, steps]` of weights for what each filter has made in the last steps.
/// An output is the sum of as many filters as its rank says. One run of the graph is one step.
pub(super) fn svdf(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    operation.arity(5, 5)?;
    let (x, feature, time) = (operation.input(0)?, operation.input(1)?, operation.input(2)?);
    let rank = operation.options.positive(0, 0, "rank")?;
    let shapes = (b.shape(x), b.shape(feature), b.shape(time));
    let (&[batch, depth], &[filters, of_input], &[of_time, steps]) = shapes else {
        return Err(invalid!("an input and weights of shapes {shapes:?}; expected two axes each"));
    };
    if of_input != depth || of_time != filters || !filters.is_multiple_of(rank) {
        return Err(invalid!("an input and weights of shapes {shapes:?} and a rank of {rank}"));
    }
    let images = per_image(batch, b.network.batch())?;
    let of_input = Product {
        name: "feature",
        weights: feature,
        op: MacOp::Gemm,
        spec: GeometrySpec::convolution(depth, filters, [1; 2], [images, 1]),
        operand: Operand::ChannelsLast,
        reads: vec![batch, depth],
        makes: vec![batch, filters],
    };
    let memory = GeometrySpec::convolution(filters, filters, [1, steps], [1, steps]);
    let of_state = Product {
        name: "time",
        weights: time,
        op: MacOp::Conv,
        spec: GeometrySpec { groups: filters, repeats: images, ..memory },
        operand: Operand::ChannelsFirst,
        reads: vec![batch, filters, 1, steps],
        makes: vec![batch, filters, 1, 1],
    };
    let steps = Err(not_run!("its state leads from one run of the graph to the next"));
    stepped(b, operation, [vec![of_input], vec![of_state]], &[batch, filters / rank], steps)
}

/// The input of an operator that runs over a sequence.
struct Sequence {
    /// Sequences and steps, in the order of the file.
    axes: [usize; 2],
    /// Numbers of a step.
    depth: usize,
    /// Steps of one image.
    positions: usize,
    operand: Operand,
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
struct Product {
    /// What the name of its layer ends in.
    name: &'static str,
    /// The tensor of its weights.
    weights: usize,
    op: MacOp,
    spec: GeometrySpec,
    operand: Operand,
    /// Shape of the value that it reads, and of the one that it makes.
    reads: Vec<usize>,
    makes: Vec<usize>,
}

impl Product {
    /// Adds the layer, and returns its output.
    fn add(
        &self,
        b: &mut Builder<'_>,
        operation: &Operation<'_>,
        input: ValueId,
        input_quantization: Option<ActivationQuantization>,
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
            bias: None,
            alpha: 1.0,
            input_quantization,
            requantization: None,
            input,
            output,
        };
        b.network.add_mac(operation.kind, layer);
        Ok(output)
    }
}

/// Adds an operator: the products with its input, those with its state, and the nodes between and behind them.
fn stepped(
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
    for product in &of_input {
        made.push(product.add(b, operation, x, quantization)?);
    }
    let (recurrent, read) = match &steps {
        Ok(Steps { recurrent, constants }) => {
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
    for (product, &state) in of_state.iter().zip(states.iter().cycle()) {
        made.push(product.add(b, operation, state, None)?);
    }
    made.extend(read);
    let name = b.node_name(&format!("{}.outputs", operation.name));
    let output = b.declare(operation.output()?, shape)?;
    part(b, operation, name, (recurrent, RecurrentPart::Outputs), made, vec![output]);
    if let Err(reason) = &steps {
        let (operator, not_run) = (operation.kind.to_string(), Some(steps_not_run(reason)));
        let finding = Finding { operator, not_run, not_costed: None, unknown_shape: false };
        b.findings.add(&operation.name, finding, false);
    }
    Ok(())
}

/// The input of the operator as real numbers, and how the file quantizes it.
fn real_input(
    b: &mut Builder<'_>,
    operation: &Operation<'_>,
) -> Result<(ValueId, Option<ActivationQuantization>), Fault> {
    let tensor = operation.input(0)?;
    let value = b.value(tensor)?;
    if b.is_real(tensor)? {
        return Ok((value, None));
    }
    let shape = b.shape(tensor).to_vec();
    let quantization = b.quantization(tensor)?;
    let name = format!("{}/dequantize", operation.name);
    let parameters = b.parameters(&name, quantization, b.data_type(tensor)?);
    let inputs = [vec![value], parameters].concat();
    let op = Op::DequantizeLinear { axis: 0 };
    Ok((b.emit(&name, "DEQUANTIZE", op, inputs, (DataType::F32, shape)), Some(quantization)))
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
