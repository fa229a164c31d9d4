//! The index of weights in several safetensors files: `{"weight_map": {tensor: file}}`.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use bytes::Bytes;
use network::Mapping;

use super::{Content, WeightTensor, safetensors};
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::grid::GRID_KEY;

/// An index has about 100 bytes a tensor.
const MAX_INDEX: usize = 1 << 25;

/// Whether a file begins as an index does.
pub(super) fn is_begin(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64)];
    start.trim_ascii_start().first() == Some(&b'{')
}

/// The tensors of all files that the index names, which lie beside it in `folder`.
pub(super) fn read(bytes: &Bytes, folder: Option<&Path>, mappings: &mut Vec<Mapping>) -> Result<Content, Fault> {
    if bytes.len() > MAX_INDEX {
        return Err(invalid!("a text of {} bytes; an index of safetensors has at most {MAX_INDEX}", bytes.len()));
    }
    let index: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|e| invalid!("it begins as JSON, but is no index of safetensors: {e}"))?;
    let map = index.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| invalid!("it is JSON without a weight_map; expected an index of safetensors"))?;
    let files: Option<BTreeSet<&str>> = map.values().map(|file| file.as_str()).collect();
    let files = files.ok_or_else(|| invalid!("its weight_map names a file by something that is no text"))?;
    let folder = folder.ok_or_else(|| unsupported!("an index of files; a file in memory has no folder"))?;
    let mut all = Content::default();
    for file in files {
        let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        if file.is_empty() || file.contains('\0') || !plain {
            return Err(invalid!("its weight_map names file {file:?}; expected one beside it"));
        }
        let mapping = Mapping::open(&folder.join(file)).map_err(|e| invalid!("file {file:?} cannot be read: {e}"))?;
        let bytes = mapping.bytes();
        mappings.push(mapping);
        let within = |fault| {
            if let Fault::Invalid(problem) = fault { invalid!("file {file:?}: {problem}") } else { fault }
        };
        let found = safetensors::read(&bytes).map_err(within)?;
        add_metadata(&mut all, found.metadata, file)?;
        let named = |tensor: &WeightTensor| map.get(&tensor.name).and_then(|f| f.as_str()) == Some(file);
        all.tensors.extend(found.tensors.into_iter().filter(named));
    }
    let (named, found) = (map.len(), all.tensors.len());
    match named == found {
        true => Ok(all),
        false => Err(invalid!("its weight_map names {named} tensors, its files hold {found} of them")),
    }
}

/// Adds the metadata of one file to that of all. Where two files differ in a key, the first one counts; where they
/// differ in the grid of integers, it is an error.
fn add_metadata(all: &mut Content, metadata: Vec<(String, String)>, file: &str) -> Result<(), Fault> {
    for (key, value) in metadata {
        match all.metadata.iter().find(|(other, _)| *other == key) {
            None => all.metadata.push((key, value)),
            Some((_, other)) if key == GRID_KEY && *other != value => {
                return Err(unsupported!("file {file:?} has {GRID_KEY} {value:?}, one before it {other:?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
