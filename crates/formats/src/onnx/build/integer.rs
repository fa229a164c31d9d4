//! MAC layers on integers in the graph: what makes real numbers of their input, the layer, what makes integers of its
//! output.

use network::{DataType, Tensor};

use super::{Builder, Chain, Form, Node, NodeProto, Op, ValueId};
use crate::onnx::integer_mac::{IntegerMac, Output};

impl<'a> Builder<'a> {
    /// Puts a layer on integers into the graph: a DequantizeLinear, the layer, and what makes integers of its output.
    pub(super) fn add_integer(&mut self, node: &NodeProto, mac: IntegerMac, ids: &[Option<ValueId>], output: ValueId) {
        let at = |index: usize| ids.get(index).copied().flatten();
        let x = at(mac.activation.codes).expect("the planner has looked at the activation of a MAC layer");
        let by = mac.activation.by;
        let scale = by.scale.map_or_else(|| Some(self.add_one(output)), at);
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

    /// A step before or behind the layer, with its name in the format. The one scale has no axis.
    fn add_step(&mut self, node: &NodeProto, (op_type, op): (&str, Op), inputs: Vec<Option<ValueId>>, output: ValueId) {
        let name = format!("{}/{op_type}", self.scopes.node_name(node));
        self.network.add_node(Node { name, op_type: op_type.to_string(), op, inputs, outputs: vec![output] });
    }

    /// A value of 32-bit float that the file does not name.
    fn add_inner(&mut self, of: ValueId, what: &str, shape: Option<Vec<usize>>) -> ValueId {
        let name = format!("{}/{what}", self.network.value(of).name);
        self.add_value(name, Form { data_type: Some(DataType::F32), shape }, None, false)
    }

    /// The number 1.
    fn add_one(&mut self, of: ValueId) -> ValueId {
        let name = format!("{}/scale", self.network.value(of).name);
        let chain = Chain::stored(&name, Tensor::from_f32(vec![], &[1.0]));
        self.add_value(name, Form::new(Some(DataType::F32), vec![]), Some(chain), true)
    }
}
