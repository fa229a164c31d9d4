//! The end of every reading.

use std::collections::BTreeMap;
use std::path::Path;

use network::{LayerId, Mend, Network, NetworkBuilder, NetworkError, Note, NoteKind, grouped};

use crate::names::listed;

/// The network of a file, with what a user should know of the reading. Readers refuse files that break their rules, so
/// that an error here is a mistake of the reader.
pub(crate) fn finished(network: NetworkBuilder, path: &Path, mut notes: Vec<Note>) -> Result<Network, NetworkError> {
    let network = network.finish().map_err(|source| NetworkError::Model { path: path.to_path_buf(), source })?;
    // A topology finishes a network for the second time.
    notes.extend(divided(&network).filter(|note| !notes.contains(note)));
    notes.extend(one_tensor(&network).filter(|note| !notes.contains(note)));
    Ok(network.with_notes(notes))
}

/// That the axis of the batch divides the costs.
fn divided(network: &Network) -> Option<Note> {
    let batch = network.batch() as u128;
    let input = network.graph().value(*network.graph().inputs().first()?);
    let macs: u128 = network.layers().iter().map(|layer| layer.geometry.macs()).sum();
    let (name, shape) = (&input.name, input.shape.as_ref()?);
    let axis = match network.batch_axis() {
        0 => "the first axis".to_string(),
        axis => format!("axis {axis}"),
    };
    let text = || {
        let whole = macs.saturating_mul(batch);
        format!(
            "{axis} of input {name:?} {shape:?} is taken as a batch of {batch}: costs are those of one image, \
             {} MACs; a run of the graph has {}",
            grouped(macs),
            grouped(whole)
        )
    };
    (batch > 1).then(|| Note::new(NoteKind::Assumed, text()).mended_by(Mend::NoBatchAxis))
}

/// That layers have the weights of others.
fn one_tensor(network: &Network) -> Option<Note> {
    let layers = network.layers();
    let same = |id: usize| {
        let first = network.shares_weights_with(LayerId(id))?;
        Some(format!("{} has those of {}", layers[id].name, layers[first.0].name))
    };
    let shared: Vec<String> = (0..layers.len()).filter_map(same).collect();
    let text = || {
        let layers = listed(&shared);
        format!("layers with one tensor of weights: {layers}; each weight counts once, and MACs for each layer")
    };
    (!shared.is_empty()).then(|| Note::new(NoteKind::Assumed, text()))
}

/// How many operators a file has of each name.
pub(crate) fn counted(names: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.into_iter().collect()
}
