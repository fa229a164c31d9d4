//! Nodes of ONNX as every family of operators adds them.

use network::DataType;

use super::Translation;
use super::call::Call;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::reading::fault::{Fault, unsupported};

/// The first value that the call makes.
pub(super) fn output<'a>(call: &Call<'a>) -> Result<&'a str, Fault> {
    call.outputs().first().copied().ok_or_else(|| unsupported!("{} makes no tensor", call.operator()))
}

/// A node with these arguments as its inputs.
pub(super) fn plain(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    op_type: &str,
    arguments: &[&str],
    more: Vec<AttributeProto>,
) -> Result<(), Fault> {
    let inputs = arguments.iter().map(|name| call.tensor(name).map(str::to_string)).collect::<Result<Vec<_>, _>>()?;
    t.add(call, op_type, inputs, output(call)?, more);
    Ok(())
}

/// A node whose operands have the type of what it makes, as PyTorch promotes them before it computes.
pub(super) fn computed(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    op_type: &str,
    arguments: &[&str],
    more: Vec<AttributeProto>,
) -> Result<(), Fault> {
    let Some(to) = t.data_type(output(call)?) else { return unknown(t, call) };
    let inputs = arguments.iter().map(|name| operand(t, call, name, to)).collect::<Result<Vec<_>, _>>()?;
    t.add(call, op_type, inputs, output(call)?, more);
    Ok(())
}

/// An argument as a value of this type, whether it is a tensor or a number.
pub(super) fn operand(t: &mut Translation<'_>, call: &Call<'_>, name: &str, to: DataType) -> Result<String, Fault> {
    match call.number(name) {
        Some(number) => t.number_of(to, number, call, name),
        None => Ok(t.cast(call.tensor(name)?, to, call, name)),
    }
}

/// The domain of operators without a translation.
const ATEN: &str = "aten";

/// Whether a node is an operator without a translation.
pub(super) fn is_unknown(node: &NodeProto) -> bool {
    node.domain == ATEN
}

/// An operator without a translation, under its own name: what is made of it is told of unknown operators.
pub(super) fn unknown(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    unknown_for(t, call, &[])
}

/// The same, named with the arguments that make it one.
pub(super) fn unknown_for(t: &mut Translation<'_>, call: &Call<'_>, arguments: &[&str]) -> Result<(), Fault> {
    let inputs = call.node.inputs.iter().flat_map(|argument| super::program::tensor_names(&argument.arg));
    let inputs = inputs.map(str::to_string).collect();
    let name = match arguments {
        [] => call.operator().to_string(),
        _ => format!("{}({})", call.operator(), arguments.join(", ")),
    };
    let outputs: Vec<String> = call.outputs().into_iter().map(str::to_string).collect();
    let Some(first) = outputs.first().cloned() else { return Ok(()) };
    t.add(call, &name, inputs, &first, vec![]);
    let node = t.graph.node.last_mut().expect("it has just been added");
    (node.domain, node.output) = (ATEN.to_string(), outputs);
    Ok(())
}

/// An axis counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted).ok().filter(|&axis| axis < rank).ok_or_else(|| unsupported!("axis {axis} of {rank}"))
}

pub(super) fn axes(call: &Call<'_>, name: &str, of: &str) -> Result<Vec<i64>, Fault> {
    let rank = call.rank(call.tensor(of)?)?;
    let found = call.ints(name)?.unwrap_or_default();
    found.into_iter().map(|one| axis(one, rank).map(|axis| axis as i64)).collect()
}
