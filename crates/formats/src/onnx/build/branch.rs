//! An If whose condition is known while reading: the nodes of the branch that it takes stand in its place.

use network::{DataType, NetworkError};

use super::{Attributes, Builder, Chain, Fault, GraphProto, NodeProto, invalid};

impl<'a> Builder<'a> {
    /// The branch that an If takes; `None` for any other node, and where the condition is not known.
    pub(super) fn taken_branch(&self, node: &'a NodeProto) -> Result<Option<&'a GraphProto>, Fault> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") || node.op_type != "If" {
            return Ok(None);
        }
        let [condition] = node.input.as_slice() else {
            return Err(invalid!("{} inputs; expected 1", node.input.len()));
        };
        let slot = self.scopes.find(condition).map(|id| &self.slots[id.0]);
        let Some(condition) = slot.and_then(|slot| slot.known.as_ref()) else { return Ok(None) };
        let attributes = Attributes::new(node)?;
        let [if_true, if_false] = ["then_branch", "else_branch"].map(|name| attributes.graph(name));
        let (if_true, if_false) = (if_true?, if_false?);
        attributes.finish()?;
        let branch = if holds(condition)? { if_true } else { if_false };
        if !branch.input.is_empty() {
            return Err(invalid!("{} inputs of its branch {:?}; expected none", branch.input.len(), branch.name));
        }
        if branch.output.len() != node.output.len() {
            let (found, expected) = (branch.output.len(), node.output.len());
            return Err(invalid!("{found} outputs of its branch {:?}; expected {expected}", branch.name));
        }
        Ok(Some(branch))
    }

    /// Reads a branch in the place of its If.
    pub(super) fn add_branch(&mut self, node: &'a NodeProto, branch: &'a GraphProto) -> Result<(), NetworkError> {
        let place = self.place(node);
        self.scopes.enter(node, branch).map_err(|fault| fault.at(self.path, place.clone()))?;
        self.add_initializers(branch)?;
        self.add_nodes(branch)?;
        let outputs = self.outputs_of(branch).map_err(|fault| fault.at(self.path, place))?;
        self.scopes.leave();
        for (name, id) in node.output.iter().zip(outputs) {
            self.scopes.bind(name, id);
        }
        Ok(())
    }
}

/// Whether a condition is true.
fn holds(condition: &Chain) -> Result<bool, Fault> {
    if condition.element_count() != 1 || condition.data_type != DataType::Bool {
        let (found, shape) = (condition.data_type.name(), &condition.shape);
        return Err(invalid!("a condition of type {found} and shape {shape:?}; expected one element of bool"));
    }
    let array = condition.to_array().map_err(|e| invalid!("its condition: {e}"))?;
    Ok(array.into_ints().is_some_and(|values| values != [0]))
}
