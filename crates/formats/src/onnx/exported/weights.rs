//! The tensors of an archive: their bytes, and how they lie in them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use network::{Encoding, Tensor};
use serde::Deserialize;

use super::parse;
use super::program::{Size, TensorMeta};
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};
use crate::reading::strides::{self, View};

/// A tensor as it lies in memory, and the permutation that makes the weight of it where that is another.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) tensor: Tensor,
    pub(super) transpose: Option<Vec<usize>>,
}

/// The list of tensors of a model, and of its constants.
#[derive(Debug, Deserialize)]
struct Config {
    config: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    path_name: String,
    #[serde(default)]
    use_pickle: bool,
    tensor_meta: Option<TensorMeta>,
}

/// All tensors by name, without the names that the graph gives them.
pub(super) fn read(archive: &mut Archive, folder: &str, model: &str) -> Result<HashMap<String, Stored>, Fault> {
    let model = model.rsplit('/').next().unwrap_or(model).trim_end_matches(".json");
    let mut tensors = HashMap::new();
    for (kind, place) in [("weights", "data/weights/"), ("constants", "data/constants/")] {
        let list = format!("{folder}{place}{model}_{kind}_config.json");
        let Some(text) = archive.entry(&list)? else { continue };
        let Config { config } = parse(&list, &text)?;
        for (name, entry) in config {
            let path = format!("{folder}{place}{}", entry.path_name);
            let shown = clean(&name);
            let meta = match entry {
                Entry { use_pickle: false, tensor_meta: Some(meta), .. } => meta,
                Entry { .. } => return Err(unsupported!("tensor {shown:?} is stored as a pickle")),
            };
            let bytes =
                archive.entry(&path)?.ok_or_else(|| invalid!("tensor {shown:?}: no entry {:?}", clean(&path)))?;
            let stored = tensor(&meta, &bytes).map_err(|fault| fault.within(&format!("tensor {shown:?}")))?;
            tensors.insert(name, stored);
        }
    }
    Ok(tensors)
}

/// A tensor of the storage that it lies in.
fn tensor(meta: &TensorMeta, storage: &Bytes) -> Result<Stored, Fault> {
    let data_type = meta.data_type().ok_or_else(|| unsupported!("elements of a type that is not handled"))?;
    let numbers = |sizes: &[Size]| {
        let number = |size: &Size| size.fixed().and_then(|n| usize::try_from(n).ok());
        sizes.iter().map(number).collect::<Option<Vec<usize>>>().ok_or_else(|| invalid!("an extent that is no number"))
    };
    let (shape, strides) = (numbers(&meta.sizes)?, numbers(&meta.strides)?);
    let offset = numbers(std::slice::from_ref(&meta.storage_offset))?[0];
    let View { bytes, shape, transpose } = strides::view(&shape, &strides, offset, data_type.size(), storage)?;
    Ok(Stored { tensor: Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![bytes] }, transpose })
}
