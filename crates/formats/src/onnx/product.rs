//! Products of matrices: Gemm and MatMul.

use network::{DataType, GeometrySpec, MacOp, Op, Operand};

use super::chain::Chain;
use super::elementwise::check_same_type;
use super::form::{Form, is_narrow};
use super::mac::{Draft, bias, weights};
use super::plan::{FoldOp, Plan, or_not_run};
use super::versions::BROADCASTS;
use super::view::View;
use crate::reading::fault::{Fault, invalid, not_costed};
use crate::reading::shape::{broadcast, per_image};

/// Gemm: `alpha · A' · B' + beta · C`, where A' and B' may be transposed.
pub(super) fn gemm(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 3)?;
    let attributes = &view.attributes;
    let (trans_a, trans_b) = (attributes.flag("transA", false)?, attributes.flag("transB", false)?);
    let (alpha, beta) = (attributes.float("alpha", 1.0)?, attributes.float("beta", 1.0)?);
    let (&[a0, a1], &[b0, b1]) = (view.shape(0)?, view.shape(1)?) else {
        return Err(invalid!("inputs of shapes {:?} and {:?}; expected two axes", view.shape(0)?, view.shape(1)?));
    };
    let (rows, a_depth) = if trans_a { (a1, a0) } else { (a0, a1) };
    let (b_depth, columns) = if trans_b { (b1, b0) } else { (b0, b1) };
    if a_depth != b_depth {
        return Err(invalid!("a product of {rows}x{a_depth} and {b_depth}x{columns}"));
    }
    let c = addend_shape(view, [rows, columns])?;
    if view.opset < BROADCASTS
        && !attributes.flag("broadcast", false)?
        && view.optional(2).is_some()
        && c != [rows, columns]
    {
        return Err(invalid!(
            "C of shape {:?}; expected {:?}, for its broadcast is 0",
            view.shape(2)?,
            [rows, columns]
        ));
    }
    let form = view.like_first(vec![rows, columns]);
    check_same_type(view, 0..2)?;
    let left = view.input(0)?.constant && !view.input(1)?.constant;
    or_not_run(form.clone(), || {
        if view.data_type(0).is_some_and(is_wide) {
            return Err(not_costed!("a product of integers is not handled"));
        }
        let (filters, positions) = if left { (rows, columns) } else { (columns, rows) };
        if left && trans_b {
            return Err(not_costed!("constant A with transB is not handled"));
        }
        // C is added along filters: the columns, or the rows where the weights are on the left.
        let along_filters = if left { c[1] == 1 } else { c[0] == 1 };
        if !along_filters {
            return Err(not_costed!("C of shape {c:?} is not one number a filter"));
        }
        let chain = weights(view, usize::from(!left))?;
        // Filters first: A' as it is, B' transposed.
        let flip = if left { trans_a } else { !trans_b };
        let chain = if flip { flipped(chain)? } else { chain };
        let operand = match (left, trans_a) {
            (true, _) => Operand::WeightsLeft,
            (false, true) => Operand::Transposed,
            (false, false) => Operand::ChannelsLast,
        };
        let spec = GeometrySpec::convolution(a_depth, filters, [1; 2], [per_image(positions, view.batch)?, 1]);
        let draft = Draft { op: MacOp::Gemm, spec, operand, alpha, activation: usize::from(left) };
        draft.plan(view, chain, bias(view, 2, filters, beta)?, form)
    })
}

/// Whether a type is one of integers whose products ONNX defines. Those of at most 16 bits are written by design tools,
/// and are costed as if they were real.
fn is_wide(data_type: DataType) -> bool {
    !data_type.is_real() && !is_narrow(data_type)
}

/// The shape of C as two axes; it must broadcast to the output.
fn addend_shape(view: &View<'_>, out: [usize; 2]) -> Result<[usize; 2], Fault> {
    if view.optional(2).is_none() {
        return Ok([1, 1]);
    }
    let c = view.shape(2)?;
    let padded = match *c {
        [] => [1, 1],
        [n] => [1, n],
        [m, n] => [m, n],
        _ => return Err(invalid!("C of shape {c:?}; expected two axes at most")),
    };
    match broadcast(&padded, &out)? == out {
        true => Ok(padded),
        false => Err(invalid!("C of shape {c:?} does not broadcast to {out:?}")),
    }
}

/// MatMul. It is a MAC layer where one side is constant; the product of two activations is run, but in no layer.
pub(super) fn matmul(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 2)?;
    let (a, b) = (view.shape(0)?, view.shape(1)?);
    let form = view.like_first(product_shape(a, b)?);
    check_same_type(view, 0..2)?;
    if view.data_type(0).is_some_and(is_wide) {
        return Ok(Plan::not_costed("a product of integers is not handled", form));
    }
    let constant = [view.input(0)?.constant, view.input(1)?.constant];
    match constant {
        [false, true] => or_not_run(form.clone(), || weights_right(view, a, b, form)),
        [true, false] => or_not_run(form.clone(), || weights_left(view, a, b, form)),
        [true, true] => Ok(Plan::compute(FoldOp::MatMul, form)),
        [false, false] => {
            let plan = Plan::run(Op::MatMul, form);
            Ok(Plan { not_costed: Some("both sides depend on the input of the network".to_string()), ..plan })
        }
    }
}

fn weights_right(view: &View<'_>, a: &[usize], b: &[usize], form: Form) -> Result<Plan, Fault> {
    let chain = weights(view, 1)?;
    let chain = match *b {
        [depth] => reshaped(chain, &[1, depth])?,
        _ => {
            let matrix = matrix(b)?;
            flipped(reshaped(chain, &matrix)?)?
        }
    };
    let [filters, depth] = [chain.shape[0], chain.shape[1]];
    let positions = count(&a[..a.len() - 1])?;
    let spec = GeometrySpec::convolution(depth, filters, [1; 2], [per_image(positions, view.batch)?, 1]);
    let draft = Draft { op: MacOp::MatMul, spec, operand: Operand::ChannelsLast, alpha: 1.0, activation: 0 };
    draft.plan(view, chain, None, form)
}

fn weights_left(view: &View<'_>, a: &[usize], b: &[usize], form: Form) -> Result<Plan, Fault> {
    let chain = weights(view, 0)?;
    let chain = match *a {
        [depth] => reshaped(chain, &[1, depth])?,
        _ => reshaped(chain, &matrix(a)?)?,
    };
    let [filters, depth] = [chain.shape[0], chain.shape[1]];
    let columns = if b.len() == 1 { 1 } else { b[b.len() - 1] };
    let stacked = count(&b[..b.len().saturating_sub(2)])?;
    // One matrix holds the whole batch in its columns; of a stack, every image has its own matrices.
    let (repeats, positions) = match stacked {
        1 => (1, per_image(columns, view.batch)?),
        stacked => (per_image(stacked, view.batch)?, columns),
    };
    let spec = GeometrySpec { repeats, ..GeometrySpec::convolution(depth, filters, [1; 2], [positions, 1]) };
    let draft = Draft { op: MacOp::MatMul, spec, operand: Operand::WeightsLeft, alpha: 1.0, activation: 1 };
    draft.plan(view, chain, None, form)
}

/// Rows and columns of weights whose axes before the last two are 1.
fn matrix(shape: &[usize]) -> Result<[usize; 2], Fault> {
    match shape {
        [stack @ .., rows, columns] if stack.iter().all(|&n| n == 1) => Ok([*rows, *columns]),
        _ => Err(not_costed!("its weights of shape {shape:?} are a stack of matrices")),
    }
}

fn count(extents: &[usize]) -> Result<usize, Fault> {
    super::tensors::element_count(extents)
}

fn torn() -> Fault {
    not_costed!("its weights are rearranged in a way that is not handled")
}

fn reshaped(chain: Chain, shape: &[usize]) -> Result<Chain, Fault> {
    chain.reshaped(shape).ok_or_else(torn)
}

fn flipped(chain: Chain) -> Result<Chain, Fault> {
    chain.transposed(&[1, 0]).ok_or_else(torn)
}

/// The shape of a product as MatMul defines it: the last two axes multiply, those before broadcast.
fn product_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let fail = || invalid!("a product of tensors of shapes {a:?} and {b:?}");
    let (&a_depth, a_rest) = a.split_last().ok_or_else(fail)?;
    let (b_stack, b_depth, columns) = match b {
        [] => return Err(fail()),
        [depth] => (&b[..0], *depth, None),
        [stack @ .., depth, columns] => (stack, *depth, Some(*columns)),
    };
    let (a_stack, rows) = match a_rest {
        [] => (a_rest, None),
        [stack @ .., rows] => (stack, Some(*rows)),
    };
    if a_depth != b_depth {
        return Err(fail());
    }
    let mut shape = broadcast(a_stack, b_stack)?;
    shape.extend(rows);
    shape.extend(columns);
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn products_have_the_shapes_of_matmul() {
        let cases: [(&[usize], &[usize], &[usize]); 6] = [
            (&[2, 3], &[3, 5], &[2, 5]),
            (&[3], &[3, 5], &[5]),
            (&[2, 3], &[3], &[2]),
            (&[7, 2, 3], &[3, 5], &[7, 2, 5]),
            (&[7, 1, 2, 3], &[4, 3, 5], &[7, 4, 2, 5]),
            (&[3], &[3], &[]),
        ];
        check_all(cases, |&(a, b, expected)| assert_eq!(product_shape(a, b).expect("valid"), expected));
        assert!(product_shape(&[2, 3], &[4, 5]).is_err());
        assert!(product_shape(&[], &[4, 5]).is_err());
    }
}
