//! Recurrent operators in the graph ([`network::Recurrent`]): their layers, and the two nodes around them.
//!
//! ```text
//! x -> NAME.input -> NAME -> NAME.recurrent -> NAME.outputs -> Y, Y_h, Y_c
//!                \____________________________/
//! ```

use network::{MacLayer, Note, NoteKind, Recurrent, RecurrentPart};

use super::{Builder, Form, Node, NodeProto, Op, ValueId, operator_name};
use crate::onnx::recurrent_layers::{DirectionLayers, RecurrentLayers};

impl<'a> Builder<'a> {
    /// Puts the layers of a recurrent operator into the graph, and its two nodes. `read` are its inputs behind the products,
    /// and all those of the node of the file.
    pub(super) fn add_recurrent(
        &mut self,
        node: &NodeProto,
        layers: RecurrentLayers,
        (read, ids): (&[Option<ValueId>], &[Option<ValueId>]),
        outputs: Vec<ValueId>,
    ) {
        let RecurrentLayers { directions, states, operator, assumed } = layers;
        let name = self.scopes.node_name(node);
        if let Some(assumed) = assumed {
            let text = format!("operator {} (node {name:?}): {assumed}", operator_name(node));
            self.notes.push(Note::new(NoteKind::Assumed, text));
        }
        let x = ids[0].expect("the planner has looked at the input");
        let (mut products, mut behind, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for DirectionLayers { input, recurrent, hidden } in directions {
            products.push(Some(self.add_product(node, input, ids, x)));
            behind.push(recurrent);
            last.extend(hidden);
        }
        behind.extend(last);
        let form = Form { shape: Some(states), ..self.slots[x.0].form.clone() };
        let mut state = |layer: &MacLayer| self.add_value(format!("{}/states", layer.name), form.clone(), None, false);
        let states: Vec<ValueId> = behind.iter().map(&mut state).collect();
        let of_outputs = self.scopes.claim_node(format!("{name}.outputs"));
        let operator = operator.ok();
        let before = [products.as_slice(), read].concat();
        self.add_part(node, name, (operator.clone(), RecurrentPart::States), before, states.clone());
        for (layer, state) in behind.into_iter().zip(states) {
            products.push(Some(self.add_product(node, layer, ids, state)));
        }
        products.extend(read);
        self.add_part(node, of_outputs, (operator, RecurrentPart::Outputs), products, outputs);
    }

    /// Adds one of the two nodes.
    fn add_part(
        &mut self,
        node: &NodeProto,
        name: String,
        (operator, part): (Option<Recurrent>, RecurrentPart),
        inputs: Vec<Option<ValueId>>,
        outputs: Vec<ValueId>,
    ) {
        let op = match operator {
            Some(operator) => Op::Recurrent(Box::new(Recurrent { part, ..operator })),
            None => Op::Unsupported,
        };
        self.network.add_node(Node { name, op_type: operator_name(node), op, inputs, outputs });
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
