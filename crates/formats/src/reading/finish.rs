//! The end of every reading.

use std::collections::BTreeMap;
use std::path::Path;

use network::{Network, NetworkBuilder, NetworkError};

/// The network of a file. Readers refuse files that break their rules, so that an error here is a mistake of the reader.
pub(crate) fn finished(network: NetworkBuilder, path: &Path) -> Result<Network, NetworkError> {
    network.finish().map_err(|source| NetworkError::Model { path: path.to_path_buf(), source })
}

/// How many operators a file has of each name.
pub(crate) fn counted(names: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.into_iter().collect()
}
