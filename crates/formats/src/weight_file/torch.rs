//! PyTorch checkpoints. A checkpoint is a zip archive of a pickle and storages. Before PyTorch 1.6 it was a file of
//! five pickles with the storages behind them.
//!
//! Source: `torch/serialization.py` and `torch/_utils.py` of PyTorch 2.

use std::collections::HashMap;

use bytes::Bytes;

use super::Content;
use super::state_dict::{self, StateDict};
use super::torch_tensor::{Storages, storage_of};
use crate::pickle::{Object, Pickle};
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// First object of a file of the old format.
const MAGIC: &[u8; 10] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The most scales of all quantized tensors together. They are copied, and tensors may share a storage. Real networks
/// have one scale for each filter.
const MAX_SCALES: usize = 1 << 24;

/// Name of the pickle in an archive that is a checkpoint.
pub(super) fn pickle_entry(names: &[String]) -> Option<&String> {
    names.iter().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
}

/// Reads an archive; `entry` is its pickle.
pub(super) fn read_archive(mut archive: Archive, entry: &str, state: Option<&str>) -> Result<Content, Fault> {
    let prefix = entry.strip_suffix("data.pkl").unwrap_or_default().to_string();
    if archive.entry(&format!("{prefix}byteorder"))?.is_some_and(|order| order.as_ref() == b"big") {
        return Err(unsupported!("a checkpoint in big-endian order"));
    }
    let bytes = archive.entry(entry)?.ok_or_else(|| invalid!("the archive has no {}", clean(entry)))?;
    let pickle = Pickle::read(&bytes, 0)?;
    checkpoint(&pickle, state, &mut ArchiveStorages { archive, prefix })
}

/// Reads a file of the old format.
pub(super) fn read_legacy(bytes: &Bytes, state: Option<&str>) -> Result<Content, Fault> {
    let magic = bytes.windows(MAGIC.len()).take(16).any(|window| window == MAGIC);
    if !magic {
        return Err(unsupported!("a pickle that is no PyTorch checkpoint; save a state_dict with torch.save"));
    }
    let mut at = 0;
    for _ in ["magic number", "version"] {
        at = Pickle::read(bytes, at)?.end;
    }
    let system = Pickle::read(bytes, at)?;
    if is_big_endian(&system) {
        return Err(unsupported!("a checkpoint in big-endian order"));
    }
    let pickle = Pickle::read(bytes, system.end)?;
    let keys = Pickle::read(bytes, pickle.end)?;
    let mut storages = LegacyStorages::read(bytes, &pickle, &keys)?;
    checkpoint(&pickle, state, &mut storages)
}

fn checkpoint(pickle: &Pickle<'_>, state: Option<&str>, storages: &mut dyn Storages) -> Result<Content, Fault> {
    let StateDict { tensors, mut notes, is_chosen } = state_dict::find(pickle, state)?;
    notes.extend(state_dict::unreached(pickle)?);
    let mut budget = MAX_SCALES;
    let tensor = |(name, id): (String, _)| {
        let tensor = super::torch_tensor::read(pickle, id, &unpacked(name), storages)?;
        let scales = tensor.quantization.as_ref().map_or(0, |quantization| quantization.scales.len());
        let left = budget.checked_sub(scales);
        budget = left.ok_or_else(|| unsupported!("tensors with more than {MAX_SCALES} scales in all"))?;
        Ok(tensor)
    };
    let tensors = tensors.into_iter().map(tensor).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Content { notes, is_chosen, ..tensors.into() })
}

/// The name of a tensor in a layer on integers, which PyTorch saves as a pair of weight and bias.
fn unpacked(name: String) -> String {
    let pair = ["weight", "bias"].into_iter().zip(["0", "1"]);
    let of_layer = |(own, place): (&str, &str)| {
        let stem = name.strip_suffix(place)?.strip_suffix("_packed_params._packed_params.")?;
        (stem.is_empty() || stem.ends_with('.')).then(|| format!("{stem}{own}"))
    };
    pair.filter_map(of_layer).next().unwrap_or(name)
}

fn is_big_endian(system: &Pickle<'_>) -> bool {
    let Object::Dict(items) = system.get(system.root) else { return false };
    items.iter().any(|&(key, value)| {
        matches!((system.get(key), system.get(value)), (Object::Text("little_endian"), Object::Bool(false)))
    })
}

/// Storages that are entries of an archive.
struct ArchiveStorages {
    archive: Archive,
    prefix: String,
}

impl Storages for ArchiveStorages {
    fn get(&mut self, key: &str) -> Result<Bytes, Fault> {
        let entry = format!("{}data/{key}", self.prefix);
        self.archive.entry(&entry)?.ok_or_else(|| invalid!("the archive has no storage {:?}", clean(&entry)))
    }
}

/// Storages that stand behind the pickles, each behind its number of elements.
struct LegacyStorages(HashMap<String, Bytes>);

impl LegacyStorages {
    fn read(bytes: &Bytes, pickle: &Pickle<'_>, keys: &Pickle<'_>) -> Result<Self, Fault> {
        let mut sizes = HashMap::new();
        for id in 0..pickle.objects.len() {
            if let Some(storage) = storage_of(pickle, id) {
                sizes.insert(storage.key, storage.element_size());
            }
        }
        let Object::List(ids) = keys.get(keys.root) else {
            return Err(invalid!("the keys of its storages are no list"));
        };
        let (mut found, mut at) = (HashMap::new(), keys.end);
        for &id in ids {
            let Object::Text(key) = *keys.get(id) else { return Err(invalid!("the key of a storage is no text")) };
            let size = sizes.get(key).ok_or_else(|| invalid!("storage {key:?} belongs to no tensor"))?;
            let size =
                size.ok_or_else(|| unsupported!("storage {key:?} has elements of a type that is not handled"))?;
            let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|count| u64::from_le_bytes(*count));
            let count = count.ok_or_else(|| invalid!("it is cut off before storage {key:?}"))?;
            let end = usize::try_from(count).ok().and_then(|n| n.checked_mul(size)?.checked_add(at + 8));
            let end = end.filter(|&end| end <= bytes.len()).ok_or_else(|| {
                invalid!("storage {key:?} at byte {at} has {count} elements of {size} bytes, which are not there")
            })?;
            found.insert(key.to_string(), bytes.slice(at + 8..end));
            at = end;
        }
        Ok(Self(found))
    }
}

impl Storages for LegacyStorages {
    fn get(&mut self, key: &str) -> Result<Bytes, Fault> {
        self.0.get(key).cloned().ok_or_else(|| invalid!("it has no storage {key:?}"))
    }
}
