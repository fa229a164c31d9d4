//! Layers whose weights are one tensor of a file: what is done to it is done to all of them.

use network::{LayerId, MacLayer, Network, Note, NoteKind};

/// By layer, the first one that has the same tensor, in whatever arrangement; the layer itself where it is the first.
pub(crate) fn tensors(network: &Network) -> Vec<usize> {
    let first_of = |layer: usize| network.shares_weights_with(LayerId(layer)).map_or(layer, |first| first.0);
    (0..network.layers().len()).map(first_of).collect()
}

/// By layer, the first one that has the same tensor in the same arrangement; the layer itself where it is the first.
pub(crate) fn first_uses(network: &Network) -> Vec<usize> {
    let layers = network.layers();
    let firsts = tensors(network);
    let is_same = |a: usize, b: usize| firsts[a] == firsts[b] && is_arranged_alike(&layers[a], &layers[b]);
    let first_alike = |layer: usize| (firsts[layer]..layer).find(|&other| is_same(other, layer)).unwrap_or(layer);
    (0..layers.len()).map(first_alike).collect()
}

fn is_arranged_alike(a: &MacLayer, b: &MacLayer) -> bool {
    let shape = |layer: &MacLayer| (layer.channel_shape(), layer.window().map(|axis| axis.kernel));
    let arranged = a.weights.transforms == b.weights.transforms && a.weights.tensor.shape == b.weights.tensor.shape;
    arranged && shape(a) == shape(b)
}

/// That layers of one tensor have a tensor each after a change.
pub(crate) fn parted(before: &Network, after: &Network) -> Option<Note> {
    let is_parted = |&layer: &usize| {
        let shares = |network: &Network| network.shares_weights_with(LayerId(layer)).is_some();
        shares(before) && !shares(after)
    };
    let parted: Vec<usize> = (0..before.layers().len()).filter(is_parted).collect();
    let name = before.layers()[*parted.first()?].name.clone();
    let more = match parted.len() - 1 {
        0 => String::new(),
        more => format!(" (and of {more} more layers)"),
    };
    let text = format!("its weights{more} were one tensor with those of an earlier layer, and are their own now");
    Some(Note::of_layer(NoteKind::Consequence, name, text))
}
