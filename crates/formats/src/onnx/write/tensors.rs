//! From [`Tensor`] and numbers in memory to the tensors of a file.

use bytes::Bytes;
use half::{bf16, f16};
use network::{DataType, Encoding, Tensor};

use crate::onnx::proto::TensorProto;
use crate::onnx::tensors::raw_bytes;
use crate::reading::fault::{Fault, invalid};

/// A tensor as the file holds it: raw, little-endian.
pub(in crate::onnx) fn proto(name: String, tensor: &Tensor) -> Result<TensorProto, Fault> {
    let raw = match (tensor.encoding, tensor.chunks.as_slice()) {
        _ if tensor.data_type.is_packed() => packed(tensor)?,
        (Encoding::Raw, [chunk]) => chunk.clone(),
        (Encoding::Raw, chunks) => chunks.concat().into(),
        (Encoding::Varint | Encoding::Absent | Encoding::Drawn(_), _) => {
            raw_bytes(tensor).map_err(|e| invalid!("{e}"))?.into()
        }
    };
    let dims = tensor.shape.iter().map(|&n| n as i64).collect();
    let data_type = number(tensor.data_type);
    Ok(TensorProto { name, dims, data_type, raw_data: Some(raw), ..TensorProto::default() })
}

/// Integers of 4 bits, two a byte, the first in the low half.
fn packed(tensor: &Tensor) -> Result<Bytes, Fault> {
    let values = tensor.to_i64().map_err(|e| invalid!("{e}"))?;
    let half = |value: &i64| (value & 15) as u8;
    let byte = |pair: &[i64]| half(&pair[0]) | pair.get(1).map_or(0, half) << 4;
    Ok(values.chunks(2).map(byte).collect::<Vec<u8>>().into())
}

/// Real numbers in `data_type`; `None` where one of them is not exactly a number of that type.
pub(super) fn real(shape: Vec<usize>, values: &[f64], data_type: DataType) -> Option<Tensor> {
    let bytes = match data_type {
        DataType::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        DataType::F32 => exact(values, |v| v as f32, f64::from, f32::to_le_bytes)?,
        DataType::F16 => exact(values, f16::from_f64, f16::to_f64, f16::to_le_bytes)?,
        DataType::Bf16 => exact(values, bf16::from_f64, bf16::to_f64, bf16::to_le_bytes)?,
        DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16 => return None,
        DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::Bool => return None,
    };
    Some(Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![Bytes::from(bytes)] })
}

fn exact<T: Copy, const N: usize>(
    values: &[f64],
    narrow: fn(f64) -> T,
    widen: fn(T) -> f64,
    bytes: fn(T) -> [u8; N],
) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(values.len() * N);
    for &value in values {
        let narrowed = narrow(value);
        if widen(narrowed).to_bits() != value.to_bits() {
            return None;
        }
        all.extend(bytes(narrowed));
    }
    Some(all)
}

/// Integers in `data_type`; `None` where one of them does not fit.
pub(super) fn integer(shape: Vec<usize>, values: &[i64], data_type: DataType) -> Option<Tensor> {
    let (min, max) = data_type.range()?;
    if values.iter().any(|value| !(min..=max).contains(value)) {
        return None;
    }
    let size = data_type.size();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(size)).collect();
    Some(Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![Bytes::from(bytes)] })
}

/// The number of an element type in `onnx.proto`.
pub(in crate::onnx) fn number(data_type: DataType) -> i32 {
    match data_type {
        DataType::F32 => 1,
        DataType::U8 => 2,
        DataType::I8 => 3,
        DataType::U16 => 4,
        DataType::I16 => 5,
        DataType::I32 => 6,
        DataType::I64 => 7,
        DataType::Bool => 9,
        DataType::F16 => 10,
        DataType::F64 => 11,
        DataType::U32 => 12,
        DataType::U64 => 13,
        DataType::Bf16 => 16,
        DataType::U4 => 21,
        DataType::I4 => 22,
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn types_have_the_numbers_that_are_read() {
        check_all((1..=22).filter(|n| ![8, 14, 15, 17, 18, 19, 20].contains(n)), |&n| {
            assert_eq!(number(crate::onnx::tensors::data_type(n).expect("a type that is read")), n);
        });
    }

    #[test]
    fn numbers_are_written_exactly_or_not_at_all() {
        assert!(real(vec![2], &[0.5, -0.0], DataType::F16).is_some());
        assert!(real(vec![1], &[0.1], DataType::F32).is_none());
        let integers = integer(vec![2], &[-3, 127], DataType::I8).expect("they fit");
        assert_eq!(integers.to_i64().expect("integers"), [-3, 127]);
        assert!(integer(vec![1], &[128], DataType::I8).is_none());
    }

    #[test]
    fn varints_become_raw() {
        let packed = Tensor {
            data_type: DataType::I32,
            shape: vec![2],
            encoding: Encoding::Varint,
            chunks: vec![Bytes::from_static(&[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
        };
        let proto = proto("t".to_string(), &packed).expect("valid");
        assert_eq!(proto.raw_data.as_deref(), Some(&[3, 0, 0, 0, 255, 255, 255, 255][..]));
    }
}
