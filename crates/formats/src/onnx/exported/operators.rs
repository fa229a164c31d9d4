//! Operators of ATen in those of ONNX: which family knows one.
//!
//! Arguments and their defaults are those of PyTorch's `native_functions.yaml`.

use super::call::Call;
use super::functions::functions;
use super::layers::layers;
use super::movement::movement;
use super::nodes::{is_unknown, unknown, unknown_for};
use super::recurrent::recurrent;
use super::{Translation, quantizers};
use crate::reading::fault::Fault;

/// Operators that make no tensor, or check something that holds.
pub(super) fn is_silent(operator: &str) -> bool {
    const SILENT: [&str; 6] = [
        "sym_size.int",
        "sym_constrain_range_for_size.default",
        "_assert_scalar.default",
        "_assert_tensor_metadata.default",
        "sym_numel.default",
        "sym_stride.int",
    ];
    SILENT.contains(&operator) || operator.starts_with("_operator.") && operator != "_operator.getitem"
}

/// Writes one call. Where it has an argument that its family does not look at, it is an operator without a translation.
pub(super) fn translate(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let before = (t.graph.node.len(), t.graph.initializer.len());
    write(t, call)?;
    let unread = call.unread();
    if !unread.is_empty() && !t.graph.node.last().is_some_and(is_unknown) {
        t.cut_back(before.0, before.1);
        return unknown_for(t, call, &unread);
    }
    Ok(())
}

fn write(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (family, overload) = call.operator().split_once('.').unwrap_or((call.operator(), ""));
    let family = family.strip_suffix('_').unwrap_or(family);
    if family == "quantized_decomposed" {
        return quantizers::translate(t, call, overload);
    }
    let known = layers(t, call, family)
        .or_else(|| functions(t, call, family))
        .or_else(|| movement(t, call, family))
        .or_else(|| recurrent(t, call, family));
    known.unwrap_or_else(|| unknown(t, call))
}
