//! LSTM, GRU and RNN of ATen in those of ONNX.
//!
//! One call of ATen has all layers of a stack; ONNX has a node for each. PyTorch's gates come in another order than ONNX's,
//! and its matrices of two directions are tensors of their own:
//!
//! ```text
//!          PyTorch                     ONNX
//! LSTM     input forget cell output    input output forget cell
//! GRU      reset update new            update reset new
//! ```

use network::{DataType, Tensor};

use super::Translation;
use super::call::Call;
use super::nodes::{output, unknown};
use crate::onnx::proto::AttributeProto;
use crate::onnx::write::attributes::{counts, int, tensor, text, texts};
use crate::onnx::write::tensors::proto;
use crate::reading::fault::{Fault, unsupported};

/// LSTM, GRU and RNN, and the states that they begin with; none for another operator.
pub(super) fn recurrent(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    let (op_type, gates) = match family {
        "lstm" => ("LSTM", &[0, 3, 1, 2][..]),
        "gru" => ("GRU", &[1, 0, 2][..]),
        "rnn_tanh" | "rnn_relu" => ("RNN", &[0][..]),
        "zeros" => return Some(zeros(t, call)),
        _ => return None,
    };
    let relu = family == "rnn_relu";
    Some(Stack::of(call, op_type, gates, relu).and_then(|stack| match stack {
        Some(stack) => stack.write(t, call),
        None => unknown(t, call),
    }))
}

/// A tensor of zeros whose shape the archive gives.
fn zeros(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["size", "dtype"]);
    let made = output(call)?;
    let shape: Option<Vec<i64>> = call.shape(made)?.into_iter().collect();
    let (Some(shape), Some(DataType::F32)) = (shape, t.data_type(made)) else { return unknown(t, call) };
    let zero = tensor("value", proto(String::new(), &Tensor::from_f32(vec![1], &[0.0]))?);
    let shape = t.integers(&shape, call, "shape")?;
    t.add(call, "ConstantOfShape", vec![shape], made, vec![zero]);
    Ok(())
}

/// The layers of one call.
struct Stack<'a> {
    op_type: &'static str,
    /// PyTorch's gates in the order of ONNX.
    gates: &'static [i64],
    relu: bool,
    /// The tensors of all weights: by layer and direction those of the input and of the state, and a bias of each where there
    /// are biases.
    weights: Vec<&'a str>,
    layers: usize,
    directions: usize,
    hidden: i64,
    batch_first: bool,
    /// The states that it begins with, of all layers and directions: hidden states, and cells of an LSTM.
    states: Vec<&'a str>,
}

impl<'a> Stack<'a> {
    /// Reads a call; none for one that ONNX has no operator for, as an LSTM whose outputs are projected.
    fn of(call: &Call<'a>, op_type: &'static str, gates: &'static [i64], relu: bool) -> Result<Option<Self>, Fault> {
        let layers = usize::try_from(call.int("num_layers", 1)?).unwrap_or(0);
        let directions = if call.flag("bidirectional", false)? { 2 } else { 1 };
        let drops = call.flag("train", false)? && call.float("dropout", 0.0)? != 0.0;
        call.ignore(&["dropout"]);
        let weights = call.tensors("params")?;
        let each = if call.flag("has_biases", true)? { 4 } else { 2 };
        let count = layers.checked_mul(directions * each);
        if drops || layers == 0 || count != Some(weights.len()) {
            return Ok(None);
        }
        let states = if op_type == "LSTM" { call.tensors("hx")? } else { vec![call.tensor("hx")?] };
        let shape = call.shape(weights[1])?;
        let &[_, Some(hidden)] = shape.as_slice() else { return Err(unsupported!("recurrent weights {shape:?}")) };
        let batch_first = call.flag("batch_first", false)?;
        Ok(Some(Self { op_type, gates, relu, weights, layers, directions, hidden, batch_first, states }))
    }

    fn write(&self, t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
        let made = output(call)?;
        let turned = || vec![counts("perm", &[1, 0, 2])];
        let mut x = call.tensor("input")?.to_string();
        if self.batch_first {
            x = add(t, call, "Transpose", vec![x], "steps", turned());
        }
        let mut ends = vec![Vec::new(); self.states.len()];
        for layer in 0..self.layers {
            let [all, last @ ..] = self.add_layer(t, call, x, layer)?;
            ends.iter_mut().zip(last).for_each(|(ends, last)| ends.push(last));
            // Both directions of a step side by side.
            let perm = vec![counts("perm", &[0, 2, 1, 3])];
            let beside = add(t, call, "Transpose", vec![all], &format!("beside{layer}"), perm);
            x = reshaped(t, call, beside, &[0, 0, -1], &format!("layer{layer}"))?;
        }
        match self.batch_first {
            true => t.add(call, "Transpose", vec![x], made, turned()),
            false => t.add(call, "Identity", vec![x], made, vec![]),
        }
        // The operators bear the name of the module.
        t.graph.node.last_mut().expect("it has just been added").name = made.to_string();
        for (ends, made) in ends.into_iter().zip(call.outputs().into_iter().skip(1)) {
            t.add(call, "Concat", ends, made, vec![int("axis", 0)]);
        }
        Ok(())
    }

    /// Adds the operator of a layer, and returns its outputs: those of all steps, of the last one, and its cells.
    fn add_layer(
        &self,
        t: &mut Translation<'_>,
        call: &Call<'_>,
        x: String,
        layer: usize,
    ) -> Result<[String; 3], Fault> {
        let mut inputs = vec![x, self.add_matrix(t, call, layer, 0)?, self.add_matrix(t, call, layer, 1)?];
        inputs.push(match self.kinds() {
            4 => {
                let biases = vec![self.add_matrix(t, call, layer, 2)?, self.add_matrix(t, call, layer, 3)?];
                add(t, call, "Concat", biases, &format!("bias{layer}"), vec![int("axis", 1)])
            }
            _ => String::new(),
        });
        inputs.push(String::new());
        for (kind, state) in self.states.iter().enumerate() {
            inputs.push(self.add_state(t, call, state, &format!("state{kind}.{layer}"), layer)?);
        }
        let made = output(call)?;
        let outputs = ["all", "last", "cells"].map(|what| format!("{made}.{what}{layer}"));
        t.add(call, self.op_type, inputs, &outputs[0], self.attributes());
        let node = t.graph.node.last_mut().expect("it has just been added");
        node.output = outputs[..=self.states.len()].to_vec();
        node.name = if self.layers == 1 { call.name() } else { format!("{}.l{layer}", call.name()) };
        Ok(outputs)
    }

    /// Tensors of each layer and direction: two matrices, or two matrices and two biases.
    fn kinds(&self) -> usize {
        self.weights.len() / (self.layers * self.directions)
    }

    /// The tensors of one kind of a layer, one behind the other for its directions.
    fn add_matrix(&self, t: &mut Translation<'_>, call: &Call<'_>, layer: usize, kind: usize) -> Result<String, Fault> {
        let mut parts = Vec::new();
        for direction in 0..self.directions {
            let weight = self.weights[(layer * self.directions + direction) * self.kinds() + kind];
            let what = format!("weights{kind}.{layer}.{direction}");
            parts.push(self.add_arranged(t, call, weight, &what)?);
        }
        Ok(add(t, call, "Concat", parts, &format!("weights{kind}.{layer}"), vec![int("axis", 0)]))
    }

    /// A tensor with its gates in the order of ONNX, and an axis for the direction.
    fn add_arranged(
        &self,
        t: &mut Translation<'_>,
        call: &Call<'_>,
        weight: &str,
        what: &str,
    ) -> Result<String, Fault> {
        let gates = self.gates.len() as i64;
        let rest = &[-1][..call.rank(weight)?.saturating_sub(1).min(1)];
        let by_gate =
            reshaped(t, call, weight.to_string(), &[&[gates, self.hidden], rest].concat(), &format!("{what}.gates"))?;
        let order = t.integers(self.gates, call, &format!("{what}.order"))?;
        let ordered = add(t, call, "Gather", vec![by_gate, order], &format!("{what}.ordered"), vec![int("axis", 0)]);
        reshaped(t, call, ordered, &[&[1, gates * self.hidden], rest].concat(), what)
    }

    /// The part of a state that belongs to a layer.
    fn add_state(
        &self,
        t: &mut Translation<'_>,
        call: &Call<'_>,
        state: &str,
        what: &str,
        layer: usize,
    ) -> Result<String, Fault> {
        if self.layers == 1 {
            return Ok(state.to_string());
        }
        let [start, end] = [layer, layer + 1].map(|layer| (layer * self.directions) as i64);
        let start = t.integers(&[start], call, &format!("{what}.start"))?;
        let end = t.integers(&[end], call, &format!("{what}.end"))?;
        let axis = t.integers(&[0], call, &format!("{what}.axis"))?;
        Ok(add(t, call, "Slice", vec![state.to_string(), start, end, axis], what, vec![]))
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let direction = if self.directions == 2 { "bidirectional" } else { "forward" };
        let mut more = vec![int("hidden_size", self.hidden), text("direction", direction)];
        if self.op_type == "GRU" {
            more.push(int("linear_before_reset", 1));
        }
        if self.relu {
            more.push(texts("activations", &vec!["Relu"; self.directions]));
        }
        more
    }
}

/// Adds a node, and returns the name of what it makes: that of the call's output with `what` behind it.
fn add(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    op_type: &str,
    inputs: Vec<String>,
    what: &str,
    more: Vec<AttributeProto>,
) -> String {
    let made = format!("{}.{what}", call.outputs().first().copied().unwrap_or_default());
    t.add(call, op_type, inputs, &made, more);
    made
}

fn reshaped(t: &mut Translation<'_>, call: &Call<'_>, x: String, to: &[i64], what: &str) -> Result<String, Fault> {
    let shape = t.integers(to, call, &format!("{what}.shape"))?;
    Ok(add(t, call, "Reshape", vec![x, shape], what, vec![]))
}
