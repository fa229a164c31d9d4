//! Floating-point numbers of 8 bits, and the scales beside them.
//!
//! They are widened to 32 bits while a file is read. Where a tensor of scales stands beside such weights, under one of the
//! names that checkpoints have for it, the weights are multiplied by it, in 32-bit float: one number for all, one a filter, or
//! one for each block of filters and channels.

use std::collections::HashMap;

use bytes::Bytes;
use network::{Note, NoteKind, Tensor};

use super::{Content, WeightTensor};
use crate::names::listed;
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::few;

/// Elements of a file that are widened; each takes three bytes more than the file has.
const MAX_WIDENED: usize = 1 << 29;

/// Names of scales beside a tensor `x.weight`. Those with `inv` are factors of the weights, too: they were divisors when the
/// weights were rounded.
const SCALES: [&str; 4] = ["weight_scale_inv", "weight_scale", "scale_weight", "weight.scale"];

// Types of `onnx.proto`, which number such patterns.
pub(super) const E4M3FN: i32 = 17;
pub(super) const E4M3FNUZ: i32 = 18;
pub(super) const E5M2: i32 = 19;
pub(super) const E5M2FNUZ: i32 = 20;
pub(super) const E8M0: i32 = 24;

/// A tensor whose elements have `number` for their type in `onnx.proto`, still in 8 bits: its type is that of bytes, and its
/// shape and steps are those of the file.
pub(super) fn widened(tensor: WeightTensor, number: i32) -> Result<WeightTensor, Fault> {
    let bytes: Bytes = tensor.tensor.chunks.concat().into();
    if bytes.len() > MAX_WIDENED {
        let (name, found) = (&tensor.name, bytes.len());
        return Err(unsupported!("tensor {name:?} has {found} floats of 8 bits; at most {MAX_WIDENED} are widened"));
    }
    let values = few::widened(number, &bytes);
    Ok(WeightTensor { tensor: Tensor::from_f32(tensor.tensor.shape, &values), eight_bits: Some(number), ..tensor })
}

/// The content with such weights times their scales, which are no tensors of their own any more.
pub(super) fn scaled(mut content: Content) -> Result<Content, Fault> {
    let total: usize =
        content.tensors.iter().filter(|t| t.eight_bits.is_some()).map(|t| t.tensor.element_count()).sum();
    if total > MAX_WIDENED {
        return Err(unsupported!("{total} floats of 8 bits; at most {MAX_WIDENED} of a file are widened"));
    }
    let places: HashMap<String, usize> =
        content.tensors.iter().enumerate().map(|(place, tensor)| (tensor.name.clone(), place)).collect();
    let mut taken = vec![false; content.tensors.len()];
    let mut named = Vec::new();
    for place in 0..content.tensors.len() {
        let tensor = &content.tensors[place];
        let Some(stem) = tensor.name.strip_suffix("weight").filter(|_| tensor.eight_bits.is_some()) else { continue };
        let Some(&scale) = SCALES.iter().find_map(|name| places.get(&format!("{stem}{name}"))) else { continue };
        named.push(format!("{} · {}", tensor.name, content.tensors[scale].name));
        content.tensors[place].tensor = times(tensor, &content.tensors[scale])?;
        content.tensors[place].transforms.clear();
        taken[scale] = true;
    }
    let of_weights = |tensor: &WeightTensor| Some((tensor.name.clone(), tensor.eight_bits?));
    let is_matrix = |tensor: &&WeightTensor| tensor.shape.len() > 1 && tensor.eight_bits != Some(E8M0);
    let weights: Vec<(String, i32)> = content.tensors.iter().filter(is_matrix).filter_map(of_weights).collect();
    content.notes.extend(few::note(&weights));
    if named.is_empty() {
        return Ok(content);
    }
    let mut taken = taken.into_iter();
    content.tensors.retain(|_| !taken.next().unwrap_or(false));
    let text = format!("weights of 8-bit floats are multiplied by the scales beside them: {}", listed(&named));
    content.notes.push(Note::new(NoteKind::Assumed, text));
    Ok(content)
}

/// Weights times their scales, row-major.
fn times(weights: &WeightTensor, scales: &WeightTensor) -> Result<Tensor, Fault> {
    let (name, shape) = (&weights.name, &weights.shape);
    let broken = |tensor: &WeightTensor, e| invalid!("tensor {:?}: {e}", tensor.name);
    let mut values = weights.in_order().to_f32().map_err(|e| broken(weights, e))?;
    let factors = scales.in_order().to_f32().map_err(|e| broken(scales, e))?;
    let torn = || {
        unsupported!(
            "tensor {name:?} of shape {shape:?} has {:?} of shape {:?}; one number, one a filter, or one a block of filters and \
             channels is handled",
            scales.name,
            scales.shape
        )
    };
    let filters = shape.first().copied().unwrap_or(1).max(1);
    let row = values.len() / filters;
    let per_row = match (factors.len(), scales.shape.as_slice()) {
        (1, _) => 1,
        (count, _) if count == filters => 1,
        (_, &[_, columns]) if shape.len() == 2 && columns > 0 && columns <= row => columns,
        _ => return Err(torn()),
    };
    let rows = (factors.len() / per_row).max(1);
    let [tall, wide] = [(filters, rows), (row, per_row)].map(|(all, parts)| block(all, parts));
    let (Some(tall), Some(wide)) = (tall, wide) else { return Err(torn()) };
    for (filter, weights) in values.chunks_exact_mut(row.max(1)).enumerate() {
        for (channel, weight) in weights.iter_mut().enumerate() {
            *weight *= factors[filter / tall * per_row + channel / wide];
        }
    }
    Ok(Tensor::from_f32(shape.clone(), &values))
}

/// How many of `all` share one of `parts` numbers, where blocks are powers of 2 or as many as there are; the last block may
/// be shorter.
fn block(all: usize, parts: usize) -> Option<usize> {
    if parts == 1 {
        return Some(all.max(1));
    }
    if parts == all {
        return Some(1);
    }
    let size = all.div_ceil(parts).next_power_of_two();
    (all.div_ceil(size) == parts).then_some(size)
}

#[cfg(test)]
mod tests {
    use network::DataType;
    use testkit::check_all;

    use super::*;

    fn tensor(name: &str, shape: &[usize], bytes: &[u8]) -> WeightTensor {
        let bytes = Bytes::copy_from_slice(bytes);
        WeightTensor::new(name.to_string(), DataType::U8, shape.to_vec(), bytes).expect("it fits")
    }

    /// Weights of 1 (0x38 of E4M3), and these scales.
    fn product(shape: &[usize], scales: &[usize]) -> Option<Vec<f32>> {
        let count: usize = shape.iter().product();
        let weights = widened(tensor("a.weight", shape, &vec![0x38; count]), E4M3FN).expect("few");
        let numbers: Vec<f32> = (1..=scales.iter().product()).map(|i| i as f32).collect();
        let scale = WeightTensor {
            tensor: Tensor::from_f32(scales.to_vec(), &numbers),
            ..tensor("a.weight_scale_inv", scales, &vec![0; numbers.len()])
        };
        let content = scaled(vec![weights, scale].into()).ok()?;
        // Of the grid that they lie on, and of the scales.
        assert_eq!((content.tensors.len(), content.notes.len()), (1, 2));
        Some(content.tensors[0].tensor.to_f32().expect("real"))
    }

    #[test]
    fn weights_are_multiplied_by_their_scales() {
        assert_eq!(product(&[2, 3], &[1]), Some(vec![1.0; 6]));
        assert_eq!(product(&[2, 3], &[2, 1]), Some(vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0]));
        assert_eq!(product(&[2, 1, 1, 2], &[2]), Some(vec![1.0, 1.0, 2.0, 2.0]));
        // Blocks of 2 by 4, the last of them shorter.
        let blocks = product(&[3, 6], &[2, 2]).expect("blocks");
        assert_eq!(blocks[..6], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(blocks[12..], [3.0, 3.0, 3.0, 3.0, 4.0, 4.0]);
        check_all([vec![3], vec![2, 5], vec![4, 1]], |scales| assert_eq!(product(&[2, 3], scales), None));
    }

    #[test]
    fn patterns_are_numbers() {
        let values = |number| widened(tensor("w", &[3], &[0x38, 0xb8, 0x01]), number).expect("few").tensor;
        assert_eq!(values(E4M3FN).to_f32().expect("real"), [1.0, -1.0, 1.0 / 512.0]);
        assert_eq!(values(E5M2).to_f32().expect("real"), [0.5, -0.5, 1.0 / 65536.0]);
    }
}
