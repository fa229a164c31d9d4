//! Tensors that lie in a file beside the model.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use network::{Absent, map_file};

use super::proto::TensorProto;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// Elements of all packed and sparse tensors that are written out in one reading. Many tensors may name the same external
/// data, so that a small file could ask for much memory.
const MAX_WRITTEN_OUT: usize = 1 << 26;

/// The folder that external data may come from, the files already mapped, and how much has been written out of them.
pub(super) struct ExternalFiles {
    folder: Option<PathBuf>,
    mapped: HashMap<String, Bytes>,
    written_out: usize,
    absent: Vec<Absent>,
}

/// What is found of an external tensor.
pub(super) enum Found {
    Bytes(Bytes),
    /// Nothing, for this reason: networks are exchanged without the file of their weights.
    Absent(String),
}

impl ExternalFiles {
    /// `folder` is that of the model; `None` where the model comes from memory.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, mapped: HashMap::new(), written_out: 0, absent: Vec::new() }
    }

    /// Notes a tensor that has a type and a shape and no values.
    pub(super) fn add_absent(&mut self, tensor: &str, reason: impl Into<String>) {
        self.absent.push(Absent { tensor: clean(tensor), reason: reason.into() });
    }

    /// The tensors without values that were noted.
    pub(super) fn take_absent(&mut self) -> Vec<Absent> {
        std::mem::take(&mut self.absent)
    }

    /// The bytes of an external tensor of `expected` bytes. A file that is not there, or that ends before the tensor
    /// does, is a network without its weights; a place outside of the model's folder is a fault.
    pub(super) fn slice(&mut self, tensor: &TensorProto, expected: usize) -> Result<Found, Fault> {
        let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
        let location = entry("location").ok_or_else(|| invalid!("external data without a location"))?;
        let offset = number("offset", entry("offset"))?.unwrap_or(0);
        let length = number("length", entry("length"))?.unwrap_or(expected);
        if length != expected {
            return Err(invalid!("external data of {length} bytes; its shape and type need {expected}"));
        }
        let file = match self.map(location)? {
            Found::Bytes(file) => file,
            absent @ Found::Absent(_) => return Ok(absent),
        };
        Ok(match offset.checked_add(length).filter(|&end| end <= file.len()) {
            Some(end) => Found::Bytes(file.slice(offset..end)),
            None => {
                let (file, shown) = (file.len(), clean(location));
                let data = format!("external data at {offset}, {length} bytes");
                Found::Absent(format!("{data}, ends outside {shown:?}, which has {file} bytes"))
            }
        })
    }

    /// Counts the elements of a tensor that is to be written out in memory.
    pub(super) fn count_written_out(&mut self, elements: usize) -> Result<(), Fault> {
        self.written_out = self.written_out.saturating_add(elements);
        match self.written_out <= MAX_WRITTEN_OUT {
            true => Ok(()),
            false => Err(unsupported!("packed and sparse tensors of more than {MAX_WRITTEN_OUT} elements in all")),
        }
    }

    fn map(&mut self, location: &str) -> Result<Found, Fault> {
        if let Some(bytes) = self.mapped.get(location) {
            return Ok(Found::Bytes(bytes.clone()));
        }
        let path = match self.resolve(location)? {
            Ok(path) => path,
            Err(missing) => return Ok(Found::Absent(format!("external data {location:?} cannot be read: {missing}"))),
        };
        let bytes = map_file(&path).map_err(|e| invalid!("external data {location:?} cannot be read: {e}"))?;
        self.mapped.insert(location.to_string(), bytes.clone());
        Ok(Found::Bytes(bytes))
    }

    /// The file at `location`, which has to lie inside the model's folder even after symbolic links are followed. The
    /// inner error is that it does not exist.
    fn resolve(&self, location: &str) -> Result<Result<PathBuf, io::Error>, Fault> {
        let Some(folder) = &self.folder else {
            return Err(Fault::Unsupported(format!("external data {location:?}; a model in memory has no folder")));
        };
        let relative = Path::new(location);
        let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || location.contains('\0') || !relative.components().all(plain) {
            return Err(invalid!("external data {location:?}; expected a relative path without '..'"));
        }
        let unreadable = |e: io::Error| invalid!("external data {location:?} cannot be read: {e}");
        let folder = folder.canonicalize().map_err(unreadable)?;
        let target = match folder.join(relative).canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(error)),
            target => target.map_err(unreadable)?,
        };
        if !target.starts_with(&folder) {
            return Err(invalid!("external data {location:?} leads out of the model's folder"));
        }
        Ok(Ok(target))
    }
}

fn number(key: &str, text: Option<&str>) -> Result<Option<usize>, Fault> {
    let parse = |text: &str| text.parse().map_err(|_| invalid!("external data has {key} {text:?}; expected a count"));
    text.map(parse).transpose()
}
