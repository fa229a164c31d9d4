//! The end of every reading.

use std::path::Path;

use network::{Network, NetworkBuilder, NetworkError};

/// The network of a file. Readers refuse files that break their rules, so that an error here is a mistake of the reader.
pub(crate) fn finished(network: NetworkBuilder, path: &Path) -> Result<Network, NetworkError> {
    network.finish().map_err(|source| NetworkError::Model { path: path.to_path_buf(), source })
}
