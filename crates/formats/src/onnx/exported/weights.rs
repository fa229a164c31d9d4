//! The tensors of an archive: their bytes, and how they lie in them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use network::WeightTransform;
use serde::Deserialize;

use super::program::{Size, TensorMeta};
use super::{parse, within};
use crate::onnx::proto::TensorProto;
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// The list of tensors of a model, and of its constants.
#[derive(Debug, Deserialize)]
struct Config {
    config: BTreeMap<String, Stored>,
}

#[derive(Debug, Deserialize)]
struct Stored {
    path_name: String,
    #[serde(default)]
    use_pickle: bool,
    tensor_meta: Option<TensorMeta>,
}

/// All tensors by name, without the names that the graph gives them.
pub(super) fn read(archive: &mut Archive, folder: &str, model: &str) -> Result<HashMap<String, TensorProto>, Fault> {
    let model = model.rsplit('/').next().unwrap_or(model).trim_end_matches(".json");
    let mut tensors = HashMap::new();
    for (kind, place) in [("weights", "data/weights/"), ("constants", "data/constants/")] {
        let list = format!("{folder}{place}{model}_{kind}_config.json");
        let Some(text) = archive.entry(&list)? else { continue };
        let Config { config } = parse(&list, &text)?;
        for (name, stored) in config {
            let path = format!("{folder}{place}{}", stored.path_name);
            let shown = clean(&name);
            let meta = match stored {
                Stored { use_pickle: false, tensor_meta: Some(meta), .. } => meta,
                Stored { .. } => return Err(unsupported!("tensor {shown:?} is stored as a pickle")),
            };
            let bytes =
                archive.entry(&path)?.ok_or_else(|| invalid!("tensor {shown:?}: no entry {:?}", clean(&path)))?;
            tensors.insert(name, tensor(&meta, &bytes).map_err(|fault| within(fault, &format!("tensor {shown:?}")))?);
        }
    }
    Ok(tensors)
}

/// The number of an element type in ONNX, by that of PyTorch's export; none where it has none here.
pub(super) fn element_type(dtype: i64) -> Option<i32> {
    Some(match dtype {
        1 => 2,   // uint8
        2 => 3,   // int8
        3 => 5,   // int16
        4 => 6,   // int32
        5 => 7,   // int64
        6 => 10,  // float16
        7 => 1,   // float32
        8 => 11,  // float64
        12 => 9,  // bool
        13 => 16, // bfloat16
        _ => return None,
    })
}

/// Bytes of an element of such a type.
fn size_of(dtype: i64) -> usize {
    match dtype {
        3 | 6 | 13 => 2,
        4 | 7 => 4,
        5 | 8 => 8,
        _ => 1,
    }
}

/// A tensor row-major, of the storage that it lies in.
fn tensor(meta: &TensorMeta, storage: &Bytes) -> Result<TensorProto, Fault> {
    let data_type = element_type(meta.dtype).ok_or_else(|| unsupported!("elements of the type {}", meta.dtype))?;
    let numbers = |sizes: &[Size]| {
        let number = |size: &Size| size.fixed().and_then(|n| usize::try_from(n).ok());
        sizes.iter().map(number).collect::<Option<Vec<usize>>>().ok_or_else(|| invalid!("an extent that is no number"))
    };
    let (shape, strides) = (numbers(&meta.sizes)?, numbers(&meta.strides)?);
    let offset = numbers(std::slice::from_ref(&meta.storage_offset))?[0];
    if strides.len() != shape.len() {
        return Err(invalid!("{} strides for {} axes", strides.len(), shape.len()));
    }
    let (perm, stored) = order(&shape, &strides).ok_or_else(|| unsupported!("strides {strides:?} of {shape:?}"))?;
    let size = size_of(meta.dtype);
    let bytes = |count: usize| count.checked_mul(size);
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let range = count.and_then(bytes).and_then(|len| Some((bytes(offset)?, bytes(offset)?.checked_add(len)?)));
    let (start, end) = range
        .filter(|(_, end)| *end <= storage.len())
        .ok_or_else(|| invalid!("shape {shape:?} at element {offset} of {} bytes", storage.len()))?;
    let bytes = storage.slice(start..end);
    let transforms = [WeightTransform::Transpose(perm.clone())];
    let is_in_order = perm.iter().copied().eq(0..perm.len());
    let raw_data = if is_in_order { bytes } else { rearranged(&bytes, size, &stored, &transforms).into() };
    let dims = shape.iter().map(|&extent| extent as i64).collect();
    Ok(TensorProto { dims, data_type, raw_data: Some(raw_data), ..TensorProto::default() })
}

/// The axes of a tensor in the order in which they lie in memory, and their extents; none where its elements do not fill
/// their place. The permutation leads from there to the tensor.
fn order(shape: &[usize], strides: &[usize]) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    // Of an axis of 1 the stride says nothing.
    axes.sort_by_key(|&axis| std::cmp::Reverse(if shape[axis] > 1 { strides[axis] } else { usize::MAX }));
    if shape.contains(&0) {
        return Some(((0..shape.len()).collect(), shape.to_vec()));
    }
    let mut expected = 1usize;
    for &axis in axes.iter().rev().filter(|&&axis| shape[axis] > 1) {
        if strides[axis] != expected {
            return None;
        }
        expected = expected.checked_mul(shape[axis])?;
    }
    let stored = axes.iter().map(|&axis| shape[axis]).collect();
    let perm = (0..shape.len()).map(|axis| axes.iter().position(|&other| other == axis).expect("all axes are there"));
    let mut perm: Vec<usize> = perm.collect();
    if axes.iter().filter(|&&axis| shape[axis] > 1).is_sorted() {
        perm = (0..shape.len()).collect();
        return Some((perm, shape.to_vec()));
    }
    Some((perm, stored))
}

fn rearranged(bytes: &[u8], size: usize, stored: &[usize], transforms: &[WeightTransform]) -> Vec<u8> {
    fn of<const N: usize>(bytes: &[u8], stored: &[usize], transforms: &[WeightTransform]) -> Vec<u8> {
        let elements: Vec<[u8; N]> = bytes.as_chunks().0.to_vec();
        network::rearrange::rearrange(elements, stored, transforms).into_flattened()
    }
    match size {
        2 => of::<2>(bytes, stored, transforms),
        4 => of::<4>(bytes, stored, transforms),
        8 => of::<8>(bytes, stored, transforms),
        _ => of::<1>(bytes, stored, transforms),
    }
}
