//! Tensors that layers of a weight file have beside those under their own names: the metadata says whose they are.

use std::collections::BTreeMap;

use super::fault::{Fault, invalid};

/// The key of the file's metadata under which layers stand whose weights are those of another: a JSON object of names,
/// without `.weight`.
pub(crate) const TIED_KEY: &str = "esnsim.tied";

/// Layers and the layer whose weights they have, by name.
pub(crate) type Tied = BTreeMap<String, String>;

/// What the metadata of a file says.
pub(crate) fn stated(metadata: &[(String, String)]) -> Result<Tied, Fault> {
    let Some((_, text)) = metadata.iter().find(|(key, _)| key == TIED_KEY) else { return Ok(Tied::new()) };
    serde_json::from_str(text)
        .map_err(|_| invalid!("metadata {TIED_KEY} is {text:?}; expected a JSON object of layers by name"))
}

/// The entry of the metadata; none where no layer has the weights of another.
pub(crate) fn entry(tied: &Tied) -> Option<(String, String)> {
    let text = || serde_json::to_string(tied).expect("names are text");
    (!tied.is_empty()).then(|| (TIED_KEY.to_string(), text()))
}
