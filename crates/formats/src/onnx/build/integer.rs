//! MAC layers on integers in the graph: what makes real numbers of their input, the layer, what makes integers of its
//! output.

use super::{Builder, NodeProto, Op, ValueId};
use crate::onnx::integer_mac::{IntegerMac, Output};

impl<'a> Builder<'a> {
    /// Puts a layer on integers into the graph: a DequantizeLinear, the layer, and what makes integers of its output.
    pub(super) fn add_integer(&mut self, node: &NodeProto, mac: IntegerMac, ids: &[Option<ValueId>], output: ValueId) {
        let at = |index: usize| ids.get(index).copied().flatten();
        let x = at(mac.activation.codes).expect("the planner has looked at the activation of a MAC layer");
        let by = mac.activation.by;
        let scale = by.scale.map_or_else(|| Some(self.add_number(output, "scale", 1.0)), at);
        let real = self.add_inner(output, "input", self.slots[x.0].form.shape.clone());
        let dequantize = ("DequantizeLinear", Op::DequantizeLinear { axis: 0 });
        self.add_step(node, dequantize, vec![Some(x), scale, at(by.zero_point)], real);
        let (step, parameters) = match mac.output {
            Output::Real => {
                self.add_mac(node, mac.layer, real, output);
                return;
            }
            Output::Integer => (("Cast", Op::Cast), vec![]),
            Output::Quantized(by) => {
                let step = ("QuantizeLinear", Op::QuantizeLinear { axis: 0 });
                (step, vec![by.scale.and_then(at), at(by.zero_point)])
            }
        };
        let product = self.add_inner(output, "product", self.slots[output.0].form.shape.clone());
        self.add_mac(node, mac.layer, real, product);
        self.add_step(node, step, [vec![Some(product)], parameters].concat(), output);
    }
}
