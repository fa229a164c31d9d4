//! safetensors: a header of JSON, then the elements.
//!
//! Source: <https://github.com/huggingface/safetensors>, whose crate reads the header and checks that the tensors lie
//! one behind the other and fill the file.

use std::collections::HashMap;

use bytes::Bytes;
use network::DataType;
use safetensors::{Dtype, SafeTensors};

use super::{Content, WeightTensor, eight_bits};
use crate::reading::fault::{Fault, clean, invalid, unsupported};
use crate::reading::tied::{self, TIED_KEY, Tied};

/// Headers have about 100 bytes a tensor.
const MAX_HEADER: u64 = 1 << 25;

/// Whether a file begins as this format does.
pub(super) fn is_begin(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && header_len(bytes) < 1 << 32
}

fn header_len(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length))
}

/// All tensors, in the order of their data, and the metadata by key.
pub(super) fn read(bytes: &Bytes) -> Result<Content, Fault> {
    let header = header_len(bytes);
    if header > MAX_HEADER {
        return Err(invalid!("its header has {header} bytes; at most {MAX_HEADER} are expected"));
    }
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| {
        invalid!("its safetensors header does not fit its {} bytes: {}", bytes.len(), clean(&e.to_string()))
    })?;
    let data = bytes.slice(8 + header..);
    let tensor = |name: String| {
        let info = metadata.info(&name).ok_or_else(|| invalid!("its header has no tensor {name:?}"))?;
        let (start, end) = info.data_offsets;
        let of =
            |name: String, data_type| WeightTensor::new(name, data_type, info.shape.clone(), data.slice(start..end));
        if let Some((_, number)) = FEW.iter().find(|(known, _)| *known == info.dtype) {
            return eight_bits::widened(of(name, DataType::U8)?, *number);
        }
        let data_type = data_type(info.dtype).ok_or_else(|| {
            unsupported!(
                "tensor {name:?} has elements of {:?}; floats of 8 to 64 bits and integers of 8 to 64 bits are read",
                info.dtype
            )
        })?;
        of(name, data_type)
    };
    let mut tensors = metadata.offset_keys().into_iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    let mut metadata: Vec<(String, String)> =
        metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    // The header's own order is lost in its reader.
    metadata.sort();
    add_tied(&mut tensors, &tied::stated(&metadata)?)?;
    Ok(Content { metadata, ..tensors.into() })
}

/// Adds the weights of layers that have those of others, with their scale and zero point.
fn add_tied(tensors: &mut Vec<WeightTensor>, tied: &Tied) -> Result<(), Fault> {
    let places: HashMap<String, usize> =
        tensors.iter().enumerate().map(|(place, tensor)| (tensor.name.clone(), place)).collect();
    for (layer, first) in tied {
        if !places.contains_key(&format!("{first}.weight")) {
            return Err(invalid!("metadata {TIED_KEY} gives {layer:?} the weights of {first:?}, which has none"));
        }
        for part in ["weight", "weight_scale", "weight_zero_point"] {
            let name = format!("{layer}.{part}");
            let Some(&place) = places.get(&format!("{first}.{part}")).filter(|_| !places.contains_key(&name)) else {
                continue;
            };
            let same = WeightTensor { name, ..tensors[place].clone() };
            tensors.push(same);
        }
    }
    Ok(())
}

/// Floating-point numbers of 8 bits, by their number in `onnx.proto`.
const FEW: [(Dtype, i32); 5] = [
    (Dtype::F8_E4M3, eight_bits::E4M3FN),
    (Dtype::F8_E4M3FNUZ, eight_bits::E4M3FNUZ),
    (Dtype::F8_E5M2, eight_bits::E5M2),
    (Dtype::F8_E5M2FNUZ, eight_bits::E5M2FNUZ),
    (Dtype::F8_E8M0, eight_bits::E8M0),
];

/// The types that are taken.
const TYPES: [(Dtype, DataType); 13] = [
    (Dtype::F16, DataType::F16),
    (Dtype::BF16, DataType::Bf16),
    (Dtype::F32, DataType::F32),
    (Dtype::F64, DataType::F64),
    (Dtype::I8, DataType::I8),
    (Dtype::U8, DataType::U8),
    (Dtype::I16, DataType::I16),
    (Dtype::U16, DataType::U16),
    (Dtype::I32, DataType::I32),
    (Dtype::U32, DataType::U32),
    (Dtype::I64, DataType::I64),
    (Dtype::U64, DataType::U64),
    (Dtype::BOOL, DataType::Bool),
];

fn data_type(stored: Dtype) -> Option<DataType> {
    TYPES.iter().find(|(known, _)| *known == stored).map(|(_, data_type)| *data_type)
}
