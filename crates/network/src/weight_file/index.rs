//! The index of weights in several safetensors files: `{"weight_map": {tensor: file}}`.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use bytes::Bytes;

use super::{WeightTensor, safetensors};
use crate::mapping::Mapping;
use crate::onnx::fault::{Fault, invalid, unsupported};

/// An index has about 100 bytes a tensor.
const MAX_INDEX: usize = 1 << 25;

/// Whether a file begins as an index does.
pub(super) fn is_begin(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64)];
    start.trim_ascii_start().first() == Some(&b'{')
}

/// The tensors of all files that the index names, which lie beside it in `folder`.
pub(super) fn read(
    bytes: &Bytes,
    folder: Option<&Path>,
    mappings: &mut Vec<Mapping>,
) -> Result<Vec<WeightTensor>, Fault> {
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
    let mut tensors = Vec::new();
    for file in files {
        let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        if file.is_empty() || file.contains('\0') || !plain {
            return Err(invalid!("its weight_map names file {file:?}; expected one beside it"));
        }
        let mapping = Mapping::open(&folder.join(file)).map_err(|e| invalid!("file {file:?} cannot be read: {e}"))?;
        let bytes = mapping.bytes();
        mappings.push(mapping);
        let within = |fault| match fault {
            Fault::Invalid(problem) => invalid!("file {file:?}: {problem}"),
            other => other,
        };
        let found = safetensors::read(&bytes).map_err(within)?;
        let named = |tensor: &WeightTensor| map.get(&tensor.name).and_then(|f| f.as_str()) == Some(file);
        tensors.extend(found.into_iter().filter(named));
    }
    match tensors.len() == map.len() {
        true => Ok(tensors),
        false => Err(invalid!("its weight_map names {} tensors, its files hold {} of them", map.len(), tensors.len())),
    }
}
