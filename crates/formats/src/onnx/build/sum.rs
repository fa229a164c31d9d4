//! A MAC layer to whose outputs something is added that is no bias.

use network::Binary;

use super::{Builder, Fault, Finding, NodeProto, Op, ValueId, operator_name};
use crate::onnx::plan::Addend;

impl Builder<'_> {
    /// Adds an input of the node to the product that its layer makes. Where a constant cannot be computed, the layer has its
    /// costs all the same, and a note says that the sum is not run.
    pub(super) fn add_sum(
        &mut self,
        node: &NodeProto,
        addend: Addend,
        ids: &[Option<ValueId>],
        product: ValueId,
        output: ValueId,
    ) -> Result<(), Fault> {
        let unwritten = self.write_constants(&[ids[addend.input]])?;
        let c = ids[addend.input];
        let scaled = match addend.factor {
            1.0 => c,
            factor => {
                let of_c = c.and_then(|c| self.slots[c.0].form.shape.clone());
                let (factor, scaled) =
                    (self.add_number(output, "beta", factor), self.add_inner(output, "addend", of_c));
                self.add_step(node, ("Mul", Op::Binary(Binary::Mul)), vec![c, Some(factor)], scaled);
                Some(scaled)
            }
        };
        let op = if unwritten.is_some() { Op::Unsupported } else { Op::Binary(Binary::Add) };
        self.add_step(node, ("Add", op), vec![Some(product), scaled], output);
        if unwritten.is_some() {
            let operator = operator_name(node);
            let finding = Finding { operator, not_run: unwritten, not_costed: None, unknown_shape: false };
            self.findings.add(&self.scopes.node_name(node), finding, false);
        }
        Ok(())
    }
}
