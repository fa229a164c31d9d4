//! Steps and values beside a layer that the file does not name.

use network::{DataType, Tensor};

use super::{Builder, Chain, Form, Node, NodeProto, Op, ValueId};

impl Builder<'_> {
    /// A step before or behind a layer, with its name in the format.
    pub(super) fn add_step(
        &mut self,
        node: &NodeProto,
        (op_type, op): (&str, Op),
        inputs: Vec<Option<ValueId>>,
        output: ValueId,
    ) {
        let name = format!("{}/{op_type}", self.scopes.node_name(node));
        self.network.add_node(Node { name, op_type: op_type.to_string(), op, inputs, outputs: vec![output] });
    }

    /// A value of 32-bit float that the file does not name.
    pub(super) fn add_inner(&mut self, of: ValueId, what: &str, shape: Option<Vec<usize>>) -> ValueId {
        let name = format!("{}/{what}", self.network.value(of).name);
        self.add_value(name, Form { data_type: Some(DataType::F32), shape }, None, false)
    }

    /// A number that the file does not name.
    pub(super) fn add_number(&mut self, of: ValueId, what: &str, number: f32) -> ValueId {
        let name = format!("{}/{what}", self.network.value(of).name);
        let chain = Chain::stored(&name, Tensor::from_f32(vec![], &[number]));
        self.add_value(name, Form::new(Some(DataType::F32), vec![]), Some(chain), true)
    }
}
