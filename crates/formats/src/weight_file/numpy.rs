//! Arrays of numpy: one (`.npy`), or an archive of them (`.npz`).

use bytes::Bytes;
use network::WeightTransform;

use super::WeightTensor;
use crate::npy::{Header, HeaderError};
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, invalid, unsupported};

/// All arrays of an archive, in its order.
pub(super) fn read_archive(mut archive: Archive) -> Result<Vec<WeightTensor>, Fault> {
    let mut tensors = Vec::new();
    for entry in archive.names() {
        let Some(name) = entry.strip_suffix(".npy") else { continue };
        let bytes = archive.entry(&entry)?.ok_or_else(|| invalid!("the archive lost its entry {entry:?}"))?;
        tensors.push(read_array(name, &bytes)?);
    }
    Ok(tensors)
}

/// One array under this name.
pub(super) fn read_array(name: &str, bytes: &Bytes) -> Result<WeightTensor, Fault> {
    let header = Header::read(&mut bytes.as_ref()).map_err(|error| match error {
        HeaderError::Io(error) => invalid!("array {name:?}: {error}"),
        HeaderError::Invalid(problem) => invalid!("array {name:?}: {}", problem.escape_debug()),
        HeaderError::Unsupported(problem) => unsupported!("array {name:?}: {}", problem.escape_debug()),
    })?;
    let data_type = header.element.number_type();
    let found = bytes.len() as u64 - header.data_start;
    if header.data_len() != Some(found) {
        return Err(invalid!("array {name:?} of shape {:?} has {found} bytes of data", header.shape));
    }
    let (stored, transpose) = header.stored();
    let mut elements = bytes.slice(header.data_start as usize..);
    if header.element.is_swapped() {
        let mut little = elements.to_vec();
        little.chunks_exact_mut(data_type.size()).for_each(<[u8]>::reverse);
        elements = little.into();
    }
    let mut tensor = WeightTensor::new(name.to_string(), data_type, header.shape, elements)?;
    tensor.tensor.shape = stored;
    tensor.transforms.extend(transpose.map(WeightTransform::Transpose));
    Ok(tensor)
}
