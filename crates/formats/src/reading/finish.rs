//! The end of every reading.

use std::collections::BTreeMap;
use std::path::Path;

use network::{LayerId, Network, NetworkBuilder, NetworkError, Note, NoteKind};

use crate::names::listed;

/// The network of a file, with what a user should know of the reading. Readers refuse files that break their rules, so
/// that an error here is a mistake of the reader.
pub(crate) fn finished(network: NetworkBuilder, path: &Path, mut notes: Vec<Note>) -> Result<Network, NetworkError> {
    let network = network.finish().map_err(|source| NetworkError::Model { path: path.to_path_buf(), source })?;
    // A topology finishes a network for the second time.
    notes.extend(one_tensor(&network).filter(|note| !notes.contains(note)));
    Ok(network.with_notes(notes))
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
