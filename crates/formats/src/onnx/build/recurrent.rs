//! Recurrent operators in the graph.
//!
//! Layers have an input and an output, and hidden states go in a circle. The circle is cut at the states before the steps:
//! the node of the operator makes them, and a further node makes its outputs. Nothing runs either of the two.
//!
//! ```text
//! x -> NAME.input -> NAME -> NAME.recurrent -> NAME.outputs -> Y, Y_h, Y_c
//!                \____________________________/
//! ```

use network::MacLayer;

use super::{Builder, Form, Node, NodeProto, Op, ValueId, operator_name};
use crate::onnx::recurrent_layers::Recurrent;

impl<'a> Builder<'a> {
    /// Puts the layers of a recurrent operator into the graph, and the operator behind them.
    pub(super) fn add_recurrent(
        &mut self,
        node: &NodeProto,
        recurrent: Recurrent,
        ids: &[Option<ValueId>],
        outputs: Vec<ValueId>,
    ) {
        let Recurrent { directions, states, .. } = recurrent;
        let x = ids[0].expect("the planner has looked at the input");
        let (mut products, mut behind) = (Vec::new(), Vec::new());
        for direction in directions {
            products.push(Some(self.add_product(node, direction.input, ids, x)));
            behind.push(direction.recurrent);
        }
        let name = self.scopes.node_name(node);
        let form = Form { shape: Some(states), ..self.slots[x.0].form.clone() };
        let mut state = |layer: &MacLayer| self.add_value(format!("{}/states", layer.name), form.clone(), None, false);
        let states: Vec<ValueId> = behind.iter().map(&mut state).collect();
        let of_outputs = self.scopes.claim_node(format!("{name}.outputs"));
        self.add_rest(node, name, products.clone(), states.clone());
        for (layer, state) in behind.into_iter().zip(states) {
            products.push(Some(self.add_product(node, layer, ids, state)));
        }
        products.extend(ids.iter().skip(3));
        self.add_rest(node, of_outputs, products, outputs);
    }

    /// A part of the operator that nothing runs.
    fn add_rest(&mut self, node: &NodeProto, name: String, inputs: Vec<Option<ValueId>>, outputs: Vec<ValueId>) {
        self.network.add_node(Node { name, op_type: operator_name(node), op: Op::Unsupported, inputs, outputs });
    }

    /// Adds a layer of the operator, and returns its output.
    fn add_product(&mut self, node: &NodeProto, layer: MacLayer, ids: &[Option<ValueId>], input: ValueId) -> ValueId {
        let layer = MacLayer { name: self.scopes.claim_node(layer.name), ..layer };
        let mut form = self.slots[input.0].form.clone();
        if let Some(last) = form.shape.as_mut().and_then(|shape| shape.last_mut()) {
            *last = layer.out_channels();
        }
        let output = self.add_value(format!("{}/product", layer.name), form, None, false);
        self.add_layer(node, layer, &[Some(input)], ids, output);
        output
    }
}
