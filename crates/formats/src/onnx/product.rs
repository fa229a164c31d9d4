//! Products of matrices: Gemm and MatMul.

use network::{DataType, GeometrySpec, MacOp, Op, Operand};

use super::chain::Chain;
use super::elementwise::check_same_type;
use super::form::{Form, is_narrow};
use super::mac::{Draft, bias, weights};
use super::plan::{Addend, FoldOp, Plan, or_not_run};
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
        // A bias is along filters: the columns, or the rows where the weights are on the left.
        let along_filters = if left { c[1] == 1 } else { c[0] == 1 };
        let is_bias = along_filters && view.optional(2).is_none_or(|c| c.known.is_some());
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
        if is_bias {
            return draft.plan(view, chain, bias(view, 2, filters, beta)?, form);
        }
        if beta == 0.0 {
            return draft.plan(view, chain, None, form);
        }
        if view.data_type(2).is_some_and(|c| !c.is_real()) {
            return Err(invalid!("C of type {}; expected real numbers", view.data_type(2).map_or("?", DataType::name)));
        }
        let plan = draft.plan(view, chain, None, form)?;
        Ok(plan.with_addend(Addend { input: 2, factor: beta }))
    })
}

/// Whether a type is one of integers whose products ONNX defines. Those of at most 16 bits are written by design tools,
/// and are costed as if they were real.
fn is_wide(data_type: DataType) -> bool {
    !data_type.is_real() && !is_narrow(data_type)
}

/// The shape of C as two axes; it must broadcast to the output.
fn addend_shape(view: &View<'_>, out: [usize; 2]) -> Result<[usize; 2], Fault> {
    // No shape depends on C, so that nobody needs to know its own.
    if view.optional(2).is_none_or(|c| c.form.shape.is_none()) {
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
    let (stack, matrix) = match *b {
        [depth] => (Stack::ONE, [depth, 1]),
        _ => Stack::of(b, &a[..a.len().saturating_sub(2)])?,
    };
    let [depth, columns] = matrix;
    // Filters first: of every matrix, its columns.
    let chain = match (b.len(), stack.matrices) {
        (1, _) => reshaped(chain, &[1, depth])?,
        (_, 1) => flipped(reshaped(chain, &[depth, columns])?)?,
        (_, matrices) => {
            let turned = reshaped(chain, &[matrices, depth, columns])?.transposed(&[0, 2, 1]).ok_or_else(torn)?;
            reshaped(turned, &[matrices * columns, depth])?
        }
    };
    let positions = count(&a[..a.len() - 1])? / stack.groups();
    let (repeats, positions, operand) = match stack.matrices {
        1 => (1, per_image(positions, view.batch)?, Operand::ChannelsLast),
        // Each image has the matrices of its own.
        matrices => {
            let rows = if a.len() == 1 { 1 } else { a[a.len() - 2] };
            (per_image(positions / rows, view.batch)?, rows, Operand::Stack(matrices))
        }
    };
    let spec = GeometrySpec { repeats, ..stack.product([columns, depth], positions) };
    let draft = Draft { op: MacOp::MatMul, spec, operand, alpha: 1.0, activation: 0 };
    draft.plan(view, chain, None, form)
}

fn weights_left(view: &View<'_>, a: &[usize], b: &[usize], form: Form) -> Result<Plan, Fault> {
    let chain = weights(view, 0)?;
    let (stack, [rows, depth]) = match *a {
        [depth] => (Stack::ONE, [1, depth]),
        _ => Stack::of(a, &b[..b.len().saturating_sub(2)])?,
    };
    let chain = reshaped(chain, &[stack.matrices * rows, depth])?;
    let columns = if b.len() == 1 { 1 } else { b[b.len() - 1] };
    let stacked = count(&b[..b.len().saturating_sub(2)])? / stack.groups();
    // One matrix holds the whole batch in its columns; of a stack, every image has its own matrices.
    let (repeats, positions) = match stacked * stack.matrices {
        1 => (1, per_image(columns, view.batch)?),
        _ => (per_image(stacked, view.batch)?, columns),
    };
    let spec = GeometrySpec { repeats, ..stack.product([rows, depth], positions) };
    let draft = Draft { op: MacOp::MatMul, spec, operand: Operand::WeightsLeft, alpha: 1.0, activation: 1 };
    draft.plan(view, chain, None, form)
}

/// Weights that are one matrix or a stack of them.
struct Stack {
    matrices: usize,
    /// Whether each matrix has inputs of its own; else all have the same.
    is_own: bool,
}

impl Stack {
    const ONE: Self = Self { matrices: 1, is_own: false };

    /// The stack of weights, and rows and columns of a matrix. `inputs` are the axes of the other side before its matrices.
    fn of(weights: &[usize], inputs: &[usize]) -> Result<(Self, [usize; 2]), Fault> {
        let [stack @ .., rows, columns] = weights else { return Err(torn()) };
        let first = stack.iter().position(|&n| n != 1).unwrap_or(stack.len());
        let stack = &stack[first..];
        let own = &inputs[inputs.len().saturating_sub(stack.len())..];
        let is_own = own == stack;
        if !is_own && own.iter().any(|&n| n != 1) {
            return Err(not_costed!("its weights are a stack of matrices {stack:?} over a stack of inputs {inputs:?}"));
        }
        let matrices = count(stack)?;
        Ok((Self { matrices, is_own: is_own && matrices > 1 }, [*rows, *columns]))
    }

    /// Matrices with inputs of their own.
    fn groups(&self) -> usize {
        if self.is_own { self.matrices } else { 1 }
    }

    /// All its products as one layer, a matrix having so many filters of so many channels.
    fn product(&self, [filters, channels]: [usize; 2], positions: usize) -> GeometrySpec {
        let groups = self.groups();
        let in_channels = channels * groups;
        GeometrySpec {
            groups,
            ..GeometrySpec::convolution(in_channels, filters * self.matrices, [1; 2], [positions, 1])
        }
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
