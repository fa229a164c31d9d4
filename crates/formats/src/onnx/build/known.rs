//! Constants that follow from constants: steps that a chain takes in, and operators that are computed while reading.

use network::{Binary, Op, Unary};

use super::{Action, Chain, Fault, Form, Kept, Plan, View, clean, invalid, quantize};
use crate::onnx::array::Array;
use crate::onnx::{fold, lineage};

/// The outputs of a node, where all its inputs are known constants and the node is one that is computed while reading.
pub(super) fn known_outputs(plan: &Plan, view: &View<'_>, budget: &mut usize) -> Result<Option<Vec<Chain>>, Fault> {
    if let Action::Known(chain) = &plan.action {
        return Ok(Some(vec![chain.clone()]));
    }
    let kept = match plan.kept {
        Kept::All => view.inputs.as_slice(),
        Kept::Only(index) => &view.inputs[index..=index],
        Kept::Listed(_) | Kept::Other(_) => return Ok(None),
    };
    let known: Option<Vec<&Chain>> = kept.iter().map(|input| input.and_then(|slot| slot.known.as_ref())).collect();
    let Some(known) = known.filter(|known| !known.is_empty()) else { return Ok(None) };
    if let Action::Run(op) = &plan.action {
        if let Some(chain) = extended(op, &known, &plan.outputs[0], view)? {
            return Ok(Some(vec![chain]));
        }
        // Scales that lost their axis must not turn into real weights unnoticed.
        let is_quantized = known[0].quantized.as_ref().is_some_and(|quantized| !quantized.by_cast);
        if is_quantized && matches!(op, Op::Reshape | Op::Transpose { .. }) {
            return Ok(None);
        }
    }
    // Values that the file does not have lead to values that nobody has.
    if known.iter().any(|chain| chain.tensor.is_absent()) {
        return Ok(None);
    }
    let sizes: Vec<usize> = known.iter().map(|chain| chain.element_count()).collect();
    if !fold::can_fold(&plan.action) || !fold::is_small(&sizes, &plan.outputs) {
        return Ok(None);
    }
    let work = fold::work(&plan.action, &sizes, &plan.outputs);
    let Some(left) = budget.checked_sub(work) else { return Ok(None) };
    *budget = left;
    let arrays: Result<Vec<_>, _> = known.iter().map(|chain| chain.to_array()).collect();
    let arrays = arrays.map_err(|e| invalid!("a constant input: {e}"))?;
    let folded = fold::fold(&plan.action, &arrays, &plan.outputs)?;
    let inputs = known.iter().zip(&arrays).map(|(chain, array)| lineage::Input { chain, array });
    let inputs: Vec<lineage::Input<'_>> = inputs.collect();
    let stored = |(array, name): (Array, &String)| {
        let (mut lattices, mut from_integers) = (Vec::new(), false);
        if let Action::Run(op) = &plan.action {
            lattices = lineage::lattices(op, &inputs, &array);
            from_integers = lineage::is_from_integers(op, &inputs, &array);
        }
        Chain { from_integers, lattices, ..Chain::stored(&clean(name), array.into_tensor()) }
    };
    Ok(folded.map(|arrays| arrays.into_iter().zip(view.outputs).map(stored).collect()))
}

/// The constant behind an operator that a chain can take in as one more step.
fn extended(op: &Op, known: &[&Chain], output: &Form, view: &View<'_>) -> Result<Option<Chain>, Fault> {
    let (chain, shape) = (known[0].clone(), output.shape.as_deref().unwrap_or_default());
    if let Op::QuantizeLinear { axis } | Op::DequantizeLinear { axis } = op {
        let quantizes = matches!(op, Op::QuantizeLinear { .. });
        let integers = if quantizes { output.data_type } else { Some(chain.data_type) };
        let parameters = match integers {
            Some(data_type) => quantize::parameters(view, data_type)?,
            None => None,
        };
        let Some(parameters) = parameters else { return Ok(None) };
        let axis = (parameters.scales.len() > 1).then_some(*axis);
        return Ok(match (quantizes, output.data_type) {
            (true, _) => chain.quantize(parameters, axis),
            (false, Some(to)) => chain.dequantize(parameters, axis, to),
            (false, None) => None,
        });
    }
    if let Op::Transpose { perm } = op {
        return Ok(chain.transposed(perm));
    }
    if *op == Op::Reshape {
        return Ok(chain.reshaped(shape));
    }
    if let (Op::Binary(function), [a, b]) = (op, known) {
        return Ok(dequantized(*function, a, b).filter(|chain| chain.shape == shape));
    }
    if let Op::Unary(Unary::Clip { min, max }) = op {
        return Ok(chain.clipped([*min, *max]));
    }
    if *op == Op::Cast {
        return Ok(output.data_type.and_then(|to| chain.cast(to)));
    }
    Ok((*op == Op::Identity).then_some(chain))
}

/// Integers behind a Cast, less a zero point or times a scale, either of which is constant.
fn dequantized(function: Binary, a: &Chain, b: &Chain) -> Option<Chain> {
    match function == Binary::Sub {
        true => a.clone().shifted(b),
        false if function == Binary::Mul => a.clone().scaled(b).or_else(|| b.clone().scaled(a)),
        false => None,
    }
}
