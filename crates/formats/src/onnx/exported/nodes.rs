//! Nodes of ONNX as every family of operators adds them.

use super::Translation;
use super::call::Call;
use crate::onnx::proto::AttributeProto;
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

/// An operator without a translation, under its own name: what is made of it is told of unknown operators.
pub(super) fn unknown(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let tensors: Vec<String> = call
        .node
        .inputs
        .iter()
        .flat_map(|argument| super::program::tensor_names(&argument.arg))
        .map(str::to_string)
        .collect();
    let name = call.operator().to_string();
    let outputs: Vec<String> = call.outputs().into_iter().map(str::to_string).collect();
    let Some(first) = outputs.first().cloned() else { return Ok(()) };
    t.add(call, &name, tensors, &first, vec![]);
    let node = t.graph.node.last_mut().expect("it has just been added");
    (node.domain, node.output) = ("aten".to_string(), outputs);
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
