//! Networks that return classes. What says at their end which of several numbers is the largest is left out: the network
//! returns the numbers, and whoever scores it finds the largest.

use std::collections::HashMap;

use network::{DataType, Note, NoteKind, ValueId};

use super::{Builder, GraphProto, NodeProto};
use crate::reading::fault::clean;

/// Nodes that stand behind one that tells classes and change no class.
const BEHIND: [&str; 6] = ["Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"];

impl Builder<'_> {
    /// What the network returns, with numbers in the place of their classes. None is returned twice.
    pub(super) fn before_classes(&mut self, graph: &GraphProto, outputs: Vec<ValueId>) -> Vec<ValueId> {
        let makers: HashMap<&str, &NodeProto> =
            graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node))).collect();
        let mut returned = Vec::new();
        for (output, id) in graph.output.iter().zip(outputs) {
            let before = self.classified(&makers, &output.name);
            if let Some((node, numbers)) = before {
                let (numbers, output) = (&self.network.value(numbers).name, clean(&output.name));
                let text = format!(
                    "output {output:?} says by {} which numbers of {numbers:?} are the largest, and is left out; the network ends with {numbers:?}",
                    node.op_type
                );
                self.notes.push(Note::new(NoteKind::LeftOut, text));
            }
            returned.push(before.map_or(id, |(_, numbers)| numbers));
        }
        let mut seen = std::collections::HashSet::new();
        returned.retain(|id| seen.insert(*id));
        returned
    }

    /// The node that makes classes of numbers for this output, and the numbers.
    fn classified<'n>(&self, makers: &HashMap<&str, &'n NodeProto>, output: &str) -> Option<(&'n NodeProto, ValueId)> {
        let mut node = *makers.get(output)?;
        // A circle was refused before.
        while BEHIND.contains(&node.op_type.as_str()) {
            node = makers.get(node.input.first()?.as_str())?;
        }
        let number = |name: &str, default| {
            node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |attribute| attribute.i)
        };
        let axis = match (node.domain.as_str(), node.op_type.as_str()) {
            ("" | "ai.onnx", "ArgMax") if number("select_last_index", 0) == 0 => number("axis", 0),
            ("" | "ai.onnx", "TopK") if number("largest", 1) == 1 => number("axis", -1),
            _ => return None,
        };
        let numbers = self.scopes.find(node.input.first()?)?;
        let slot = &self.slots[numbers.0];
        let rank = slot.form.shape.as_ref()?.len() as i64;
        let along_classes = rank > 1 && (axis == 1 || axis == -1 || axis == rank - 1);
        (along_classes && !slot.constant && slot.form.data_type.is_some_and(DataType::is_real))
            .then_some((node, numbers))
    }
}
