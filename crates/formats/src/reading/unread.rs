//! Nodes that no output of the network depends on. A runtime drops them before it computes anything, so that they cost
//! nothing; a layer among them is named.

use std::collections::HashSet;

use network::{MacLayer, NetworkBuilder, Note, NoteKind, ValueId, grouped};

use super::fault::{Fault, unsupported};

/// Layers that the note names; further ones are counted.
const NAMED: usize = 5;

/// What was taken out of a network.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Names of all nodes that were taken out.
    nodes: HashSet<String>,
    layers: Vec<MacLayer>,
}

/// Takes out the nodes whose results reach no output of the network. Nodes come in an order in which every value is made
/// before it is read. `captured` are values that something reads which is no input of a node, as the body of a loop does.
///
/// A node without outputs stays, for it may act by other ways; and so does everything in a network that returns nothing.
///
/// # Errors
///
/// [`Fault::Unsupported`] where no layer is left.
pub(crate) fn take_out(network: &mut NetworkBuilder, captured: &HashSet<ValueId>) -> Result<Unread, Fault> {
    if network.outputs().is_empty() {
        return Ok(Unread::default());
    }
    let mut read: Vec<bool> = vec![false; network.values().len()];
    network.outputs().iter().chain(captured).for_each(|id| read[id.0] = true);
    let mut kept = vec![true; network.nodes().len()];
    for (node, kept) in network.nodes().iter().zip(&mut kept).rev() {
        *kept = node.outputs.is_empty() || node.outputs.iter().any(|id| read[id.0]);
        if *kept {
            node.inputs.iter().flatten().for_each(|id| read[id.0] = true);
        }
    }
    let gone = network.nodes().iter().zip(&kept).filter(|(_, kept)| !**kept);
    let nodes = gone.map(|(node, _)| node.name.clone()).collect();
    let before = network.layers().len();
    let layers = network.retain_nodes(&kept);
    match network.layers().is_empty() && before > 0 {
        true => Err(unsupported!("no output of the network depends on any of its {before} layers")),
        false => Ok(Unread { nodes, layers }),
    }
}

impl Unread {
    /// Whether a node was taken out.
    pub(super) fn has(&self, node: &str) -> bool {
        self.nodes.contains(node)
    }

    /// One line about the layers; none where there are none.
    pub(crate) fn note(&self) -> Option<Note> {
        let named: Vec<String> = self.layers.iter().take(NAMED).map(|layer| format!("{:?}", layer.name)).collect();
        let (named, more) = (named.join(", "), if self.layers.len() > NAMED { ", …" } else { "" });
        let macs: u128 = self.layers.iter().map(|layer| layer.geometry.macs()).sum();
        let what = match self.layers.len() {
            0 => return None,
            1 => format!("layer {named} is left out, for no output of the network depends on it"),
            count => {
                format!("{count} layers are left out, for no output of the network depends on them: {named}{more}")
            }
        };
        Some(Note::new(
            NoteKind::LeftOut,
            format!("{what}; {} MACs an image that are not counted, nor written to files", grouped(macs)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use testkit::{Net, check_all};

    use super::*;

    /// A classifier of two layers, with a branch of so many layers, each behind a ReLU, that nobody reads.
    fn with_branch(layers: usize) -> (NetworkBuilder, ValueId) {
        let (mut net, x) = Net::new(&[1, 2, 4, 4]);
        let mut branch = net.conv(x, 3, 1);
        let stem = branch;
        for _ in 0..layers {
            let y = net.conv(branch, 3, 1);
            branch = net.relu(y);
        }
        let pooled = net.pool(stem);
        let flat = net.flatten(pooled);
        let y = net.dense(flat, 3);
        net.network.set_outputs(vec![y]);
        (net.network, branch)
    }

    #[test]
    fn chains_that_reach_no_output_are_taken_out_and_named() {
        check_all([0, 1, 2, 7], |&layers| {
            let (mut network, _) = with_branch(layers);
            let unread = take_out(&mut network, &HashSet::new()).expect("two layers stay");
            assert_eq!((unread.layers.len(), unread.nodes.len()), (layers, 2 * layers));
            let finished = network.finish().expect("what is left is a network");
            let names: Vec<&str> = finished.layers().iter().map(|layer| layer.name.as_str()).collect();
            assert_eq!(names, ["layer0", &format!("layer{}", layers + 1)]);
            let note = unread.note().map(|note| note.to_string()).unwrap_or_default();
            assert_eq!(note.contains("\"layer1\""), layers > 0, "{note}");
            let macs = layers * 3 * 3 * 9 * 16;
            assert_eq!(note.contains(&format!("{} MACs an image", grouped(macs as u128))), layers > 0, "{note}");
        });
    }

    #[test]
    fn what_a_body_of_a_loop_reads_stays() {
        let (mut network, branch) = with_branch(2);
        let unread = take_out(&mut network, &HashSet::from([branch])).expect("all stay");
        assert!(unread.note().is_none() && network.layers().len() == 4);
    }

    #[test]
    fn a_network_whose_layers_all_go_is_refused() {
        let (mut net, x) = Net::new(&[1, 2, 4, 4]);
        net.conv(x, 3, 1);
        let y = net.relu(x);
        net.network.set_outputs(vec![y]);
        let fault = take_out(&mut net.network, &HashSet::new()).expect_err("no layer is left");
        assert!(matches!(fault, Fault::Unsupported(problem) if problem.contains("any of its 1 layers")));
    }
}
