//! From the tensors of an ONNX file to [`Tensor`]. Type, shape and length are checked; the elements are not read.

use bytes::Bytes;
use network::{DataType, Encoding, Note, Tensor, TensorError};

use super::array::{Array, Data};
use super::external::{ExternalFiles, Found};
use super::proto::{GraphProto, TensorProto};
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::few;
use crate::reading::shape;

/// Checks type, shape and stored length of a tensor. Its bytes stay where they are. Integers of 2 and 4 bits are unpacked,
/// and floating-point numbers of 4 and 8 bits become those of 32. A tensor of which nothing is stored, although its shape
/// has elements, is one without values, which `external` notes.
pub(super) fn tensor(proto: &TensorProto, external: &mut ExternalFiles) -> Result<Tensor, Fault> {
    let shape = shape(&proto.dims)?;
    let count = element_count(&shape)?;
    let bits = match proto.data_type {
        UINT2 | INT2 => 2,
        21 | 22 | FLOAT4E2M1 => 4,
        number if few::is_float(number) => 8,
        number => return held(proto, data_type(number)?, shape, external),
    };
    let signed = matches!(proto.data_type, 22 | INT2);
    let integer = if signed { DataType::I4 } else { DataType::U4 };
    let packed = held(proto, DataType::U8, vec![count.div_ceil(8 / bits)], external)?;
    if packed.is_absent() {
        let data_type = if few::is_float(proto.data_type) { DataType::F32 } else { integer };
        return Ok(Tensor::absent(data_type, shape));
    }
    external.count_written_out(count)?;
    let bytes = packed.to_i64().map_err(|e| invalid!("its packed elements: {e}"))?;
    let parts = bytes.into_iter().flat_map(|byte| (0..8 / bits).map(move |i| (byte >> (i * bits)) & ((1 << bits) - 1)));
    let patterns = parts.take(count);
    if few::is_float(proto.data_type) {
        let values: Vec<f32> = patterns.map(|pattern| few::float(proto.data_type, pattern as u8)).collect();
        return Ok(Tensor::from_f32(shape, &values));
    }
    // The highest bit of a signed integer counts negative.
    let sign = if signed { 1 << (bits - 1) } else { 0 };
    let integers: Vec<u8> = patterns.map(|pattern| ((pattern ^ sign) - sign) as u8).collect();
    Ok(Tensor { data_type: integer, shape, encoding: Encoding::Raw, chunks: vec![integers.into()] })
}

/// Unsigned and signed integers of 2 bits, and floating-point numbers of 4, in `onnx.proto`.
const UINT2: i32 = 25;
const INT2: i32 = 26;
const FLOAT4E2M1: i32 = 23;

/// The bounds of the integers of a stored type of 2 bits, which are held as those of 4.
pub(super) fn bounds(proto: &TensorProto) -> Option<[i32; 2]> {
    match proto.data_type {
        UINT2 => Some([0, 3]),
        INT2 => Some([-2, 1]),
        _ => None,
    }
}

/// A tensor as it is stored, in this type and shape.
fn held(
    proto: &TensorProto,
    data_type: DataType,
    shape: Vec<usize>,
    external: &mut ExternalFiles,
) -> Result<Tensor, Fault> {
    let count = element_count(&shape)?;
    let bytes = count.checked_mul(data_type.size()).ok_or_else(|| invalid!("shape {shape:?} is too large"))?;
    if proto.segment.is_some() {
        return Err(unsupported!("a tensor in segments"));
    }
    if proto.data_location == 1 {
        return Ok(match external.slice(proto, bytes)? {
            Found::Bytes(stored) => Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![stored] },
            Found::Absent(reason) => {
                external.add_absent(&proto.name, reason);
                Tensor::absent(data_type, shape)
            }
        });
    }
    if proto.data_location != 0 {
        return Err(invalid!("data location {}; expected 0 or 1", proto.data_location));
    }
    let (encoding, chunks) = stored(proto, data_type)?;
    if count > 0 && chunks.iter().all(Bytes::is_empty) {
        external.add_absent(&proto.name, "0 bytes are stored of it");
        return Ok(Tensor::absent(data_type, shape));
    }
    let tensor = Tensor { data_type, shape, encoding, chunks };
    check_length(&tensor, count, bytes)?;
    Ok(tensor)
}

/// The elements of a tensor as little-endian bytes.
pub(super) fn raw_bytes(tensor: &Tensor) -> Result<Vec<u8>, TensorError> {
    let stored = match tensor.encoding {
        Encoding::Raw => tensor.clone(),
        Encoding::Varint | Encoding::Absent | Encoding::Drawn(_) => {
            let data =
                if tensor.data_type.is_real() { Data::Real(tensor.to_f64()?) } else { Data::Int(tensor.to_i64()?) };
            Array { data_type: tensor.data_type, shape: tensor.shape.clone(), data }.into_tensor()
        }
    };
    Ok(stored.chunks.concat())
}

/// Why the elements of a tensor cannot be read, where their type is one that is not handled, and the shape of the
/// tensor.
pub(super) fn unreadable(proto: &TensorProto) -> Result<Option<(String, Vec<usize>)>, Fault> {
    let is_few = bounds(proto).is_some() || few::is_float(proto.data_type);
    match data_type(proto.data_type) {
        Err(Fault::Unsupported(what)) if !is_few => {
            let shape = shape(&proto.dims)?;
            element_count(&shape)?;
            Ok(Some((what, shape)))
        }
        _ => Ok(None),
    }
}

/// Where the elements are: in `raw_data`, or in the typed field that belongs to the type.
fn stored(proto: &TensorProto, data_type: DataType) -> Result<(Encoding, Vec<Bytes>), Fault> {
    let fields: [(&str, &Vec<Bytes>); 5] = [
        ("float_data", &proto.float_data),
        ("int32_data", &proto.int32_data),
        ("int64_data", &proto.int64_data),
        ("double_data", &proto.double_data),
        ("uint64_data", &proto.uint64_data),
    ];
    let home = match data_type {
        DataType::F32 => "float_data",
        DataType::F64 => "double_data",
        DataType::I64 => "int64_data",
        DataType::U32 | DataType::U64 => "uint64_data",
        DataType::F16 | DataType::Bf16 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16 => "int32_data",
        DataType::I4 | DataType::U4 | DataType::I32 | DataType::Bool => "int32_data",
    };
    let filled = |(_, chunks): &&(&str, &Vec<Bytes>)| chunks.iter().any(|chunk| !chunk.is_empty());
    let mut found = fields.iter().filter(filled);
    match (&proto.raw_data, found.next(), found.next()) {
        (Some(raw), None, _) => Ok((Encoding::Raw, vec![raw.clone()])),
        (None, None, _) => Ok((Encoding::Raw, Vec::new())),
        (None, Some((name, chunks)), None) if *name == home => {
            let encoding = if matches!(home, "float_data" | "double_data") { Encoding::Raw } else { Encoding::Varint };
            Ok((encoding, chunks.to_vec()))
        }
        (None, Some((name, _)), None) => Err(invalid!("{} in {name}; expected in {home}", data_type.name())),
        _ => Err(invalid!("elements in more than one field")),
    }
}

/// That weights are floating-point numbers of few bits.
pub(super) fn few_floats_note(graph: &GraphProto) -> Option<Note> {
    let is_weight = |tensor: &&TensorProto| few::is_float(tensor.data_type) && tensor.dims.len() > 1;
    let weights = graph.initializer.iter().filter(is_weight).map(|tensor| (tensor.name.clone(), tensor.data_type));
    few::note(&weights.collect::<Vec<_>>())
}

fn check_length(tensor: &Tensor, count: usize, bytes: usize) -> Result<(), Fault> {
    let (shape, name) = (&tensor.shape, tensor.data_type.name());
    if tensor.encoding == Encoding::Varint {
        let found = tensor.count_varints();
        return match found == count {
            true => Ok(()),
            false => Err(invalid!("{found} stored elements; shape {shape:?} needs {count}")),
        };
    }
    let found: usize = tensor.chunks.iter().map(Bytes::len).sum();
    let split = tensor.chunks.iter().any(|chunk| !chunk.len().is_multiple_of(tensor.data_type.size()));
    if found != bytes || split {
        return Err(invalid!("{found} stored bytes; shape {shape:?} of {name} needs {bytes}"));
    }
    Ok(())
}

/// A shape from the file; extents must not be negative.
pub(super) fn shape(dims: &[i64]) -> Result<Vec<usize>, Fault> {
    let extent = |&n: &i64| usize::try_from(n).map_err(|_| invalid!("shape {dims:?} has a negative extent"));
    dims.iter().map(extent).collect()
}

/// The most axes of a tensor. No CNN comes near it, and the bound keeps work on axes small.
pub(super) const MAX_AXES: usize = 64;

/// Number of elements. What does not fit 63 bits, or has more than [`MAX_AXES`] axes, is refused.
pub(super) fn element_count(shape: &[usize]) -> Result<usize, Fault> {
    if shape.len() > MAX_AXES {
        return Err(unsupported!("a tensor with {} axes; {MAX_AXES} at most are handled", shape.len()));
    }
    shape::element_count(shape).map_err(Fault::Invalid)
}

/// The element type with this number in `onnx.proto`.
pub(super) fn data_type(number: i32) -> Result<DataType, Fault> {
    const UNSUPPORTED: [(i32, &str); 12] = [
        (8, "string"),
        (14, "complex64"),
        (15, "complex128"),
        (17, "float8e4m3fn"),
        (18, "float8e4m3fnuz"),
        (19, "float8e5m2"),
        (20, "float8e5m2fnuz"),
        (23, "float4e2m1"),
        (24, "float8e8m0"),
        (25, "uint2"),
        (26, "int2"),
        (27, "a type newer than this reader"),
    ];
    Ok(match number {
        1 => DataType::F32,
        2 => DataType::U8,
        3 => DataType::I8,
        4 => DataType::U16,
        5 => DataType::I16,
        6 => DataType::I32,
        7 => DataType::I64,
        9 => DataType::Bool,
        10 => DataType::F16,
        11 => DataType::F64,
        12 => DataType::U32,
        13 => DataType::U64,
        16 => DataType::Bf16,
        21 => DataType::U4,
        22 => DataType::I4,
        _ => match UNSUPPORTED.iter().find(|(n, _)| *n == number) {
            Some((_, name)) => return Err(unsupported!("elements of type {name}")),
            None => return Err(invalid!("element type {number} does not exist")),
        },
    })
}
