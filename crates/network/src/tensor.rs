//! Constant tensors that stay in the file they came from.

use std::ops::Range;

use bytes::Bytes;
use half::{bf16, f16};
use thiserror::Error;

use crate::draw::Draw;
use crate::failure::{ErrorKind, Failure};

/// Element type of a tensor. Integers of 4 bits are held in a byte each; a reader has unpacked them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DataType {
    I4,
    U4,
    F16,
    Bf16,
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    Bool,
}

impl DataType {
    /// The name in messages: `float32`, `int8`.
    pub fn name(self) -> &'static str {
        match self {
            DataType::F16 => "float16",
            DataType::Bf16 => "bfloat16",
            DataType::F32 => "float32",
            DataType::F64 => "float64",
            DataType::I4 => "int4",
            DataType::U4 => "uint4",
            DataType::I8 => "int8",
            DataType::U8 => "uint8",
            DataType::I16 => "int16",
            DataType::U16 => "uint16",
            DataType::I32 => "int32",
            DataType::U32 => "uint32",
            DataType::I64 => "int64",
            DataType::U64 => "uint64",
            DataType::Bool => "bool",
        }
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::Bool => 1,
            DataType::F16 | DataType::Bf16 | DataType::I16 | DataType::U16 => 2,
            DataType::F32 | DataType::I32 | DataType::U32 => 4,
            DataType::F64 | DataType::I64 | DataType::U64 => 8,
        }
    }

    /// Whether elements are real numbers.
    pub fn is_real(self) -> bool {
        matches!(self, DataType::F16 | DataType::Bf16 | DataType::F32 | DataType::F64)
    }

    /// A real number rounded to this type, where it is one of real numbers.
    pub fn rounded(self, value: f64) -> f64 {
        match self {
            DataType::F32 => f64::from(value as f32),
            DataType::F16 => f16::from_f64(value).to_f64(),
            DataType::Bf16 => bf16::from_f64(value).to_f64(),
            DataType::F64 | DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 => value,
            DataType::U16 | DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::Bool => value,
        }
    }

    /// Whether files hold two elements in a byte.
    pub fn is_packed(self) -> bool {
        matches!(self, DataType::I4 | DataType::U4)
    }

    /// Smallest and largest value of an integer type of at most 32 bits.
    pub fn range(self) -> Option<(i64, i64)> {
        match self {
            DataType::I4 => Some((-8, 7)),
            DataType::U4 => Some((0, 15)),
            DataType::I8 => Some((-128, 127)),
            DataType::U8 => Some((0, 255)),
            DataType::I16 => Some((-32768, 32767)),
            DataType::U16 => Some((0, 65535)),
            DataType::I32 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            DataType::U32 => Some((0, i64::from(u32::MAX))),
            DataType::I64 | DataType::U64 | DataType::Bool => None,
            DataType::F16 | DataType::Bf16 | DataType::F32 | DataType::F64 => None,
        }
    }
}

/// How the elements of a [`Tensor`] are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// Little-endian elements one after another.
    Raw,
    /// Base-128 varints one after another, as protobuf packs integers. Half precision is stored as its bit pattern.
    Varint,
    /// Not at all: the file gives type and shape alone.
    Absent,
    /// Not at all: they are made where they are read. Integers where the type is one.
    Drawn(Draw),
}

/// Why the elements of a tensor cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TensorError {
    /// The stored bytes do not hold as many elements as the shape.
    #[error("expected {expected} elements of {}, found data for {found}", data_type.name())]
    Count {
        /// Element type.
        data_type: DataType,
        /// Elements of the shape.
        expected: usize,
        /// Elements of the data.
        found: usize,
    },
    /// The tensor holds integers and real numbers are asked for, or the other way round.
    #[error("expected {expected}, found {}", found.name())]
    Type {
        /// `"real numbers"`, `"integers"` or `"stored elements"`.
        expected: &'static str,
        /// What the tensor holds.
        found: DataType,
    },
    /// A stored integer does not fit its type, or its bytes are garbled.
    #[error("element {index} is not {}", data_type.name())]
    Garbled {
        /// Index of the element, row-major.
        index: usize,
        /// Element type.
        data_type: DataType,
    },
    /// The file gives type and shape of the tensor and no elements.
    #[error("the file has type and shape of it, {} {shape:?}, and no values", data_type.name())]
    Absent {
        /// Element type.
        data_type: DataType,
        /// Extents.
        shape: Vec<usize>,
    },
}

impl Failure for TensorError {
    fn kind(&self) -> ErrorKind {
        match self {
            TensorError::Count { .. } | TensorError::Garbled { .. } => ErrorKind::InvalidFile,
            TensorError::Type { .. } => ErrorKind::BadArgument,
            TensorError::Absent { .. } => ErrorKind::Unsupported,
        }
    }
}

/// A constant tensor, row-major. `chunks` are slices of the mapped file (or of memory, for folded constants): no element
/// is read or copied before it is asked for. Two tensors are equal if they are stored alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Element type.
    pub data_type: DataType,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// How the elements are stored.
    pub encoding: Encoding,
    /// The stored bytes, in order. An element never spans two chunks.
    pub chunks: Vec<Bytes>,
}

impl Tensor {
    /// A tensor of real numbers in memory; `values` fill `shape` row-major.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { data_type: DataType::F32, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor of real numbers of this type in memory, to which `values` are rounded; they fill `shape` row-major. Of a
    /// type that is not real, the numbers are 32-bit float.
    pub fn from_reals(data_type: DataType, shape: Vec<usize>, values: &[f64]) -> Self {
        let bytes: Vec<u8> = match data_type {
            DataType::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            DataType::F16 => values.iter().flat_map(|&v| f16::from_f64(v).to_le_bytes()).collect(),
            DataType::Bf16 => values.iter().flat_map(|&v| bf16::from_f64(v).to_le_bytes()).collect(),
            DataType::F32
            | DataType::I4
            | DataType::U4
            | DataType::I8
            | DataType::U8
            | DataType::I16
            | DataType::U16
            | DataType::I32
            | DataType::U32
            | DataType::I64
            | DataType::U64
            | DataType::Bool => values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect(),
        };
        let data_type = if data_type.is_real() { data_type } else { DataType::F32 };
        Self { data_type, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor of signed bytes in memory; `values`, all within −128…127, fill `shape` row-major.
    pub fn from_i8(shape: Vec<usize>, values: &[i32]) -> Self {
        let bytes: Vec<u8> = values.iter().map(|&v| v as i8 as u8).collect();
        Self { data_type: DataType::I8, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor of 16-bit integers in memory; `values`, all within −32768…32767, fill `shape` row-major.
    pub fn from_i16(shape: Vec<usize>, values: &[i32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|&v| (v as i16).to_le_bytes()).collect();
        Self { data_type: DataType::I16, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor of 32-bit integers in memory; `values` fill `shape` row-major.
    pub fn from_i32(shape: Vec<usize>, values: &[i32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { data_type: DataType::I32, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor of 64-bit integers in memory; `values` fill `shape` row-major.
    pub fn from_i64(shape: Vec<usize>, values: &[i64]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { data_type: DataType::I64, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
    }

    /// A tensor whose file gives type and shape and no elements.
    pub fn absent(data_type: DataType, shape: Vec<usize>) -> Self {
        Self { data_type, shape, encoding: Encoding::Absent, chunks: Vec::new() }
    }

    /// Whether the file has no elements of it.
    pub fn is_absent(&self) -> bool {
        self.encoding == Encoding::Absent
    }

    /// Number of elements. A reader has checked that it fits and that the stored bytes hold as many.
    pub fn element_count(&self) -> usize {
        self.shape.iter().fold(1, |product, &n| product.saturating_mul(n))
    }

    /// The part at `index` of the first axis, without that axis: `[2, 3]` of `[4, 2, 3]`. `None` where there is no such
    /// part, or its elements do not stand by themselves in the file.
    pub fn part(&self, index: usize) -> Option<Self> {
        let part = self.rows(index..index.checked_add(1)?)?;
        Some(Self { shape: self.shape[1..].to_vec(), ..part })
    }

    /// A range of the first axis: `[2, 3]` of `[4, 3]`. `None` as for [`Tensor::part`].
    pub fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let (&count, inner) =
            self.shape.split_first().filter(|(count, _)| rows.start <= rows.end && rows.end <= **count)?;
        let part = Self { shape: [&[rows.len()], inner].concat(), ..self.clone() };
        match self.encoding {
            Encoding::Absent => Some(part),
            Encoding::Raw => {
                let bytes = inner.iter().try_fold(self.data_type.size(), |bytes, extent| bytes.checked_mul(*extent))?;
                let stored: usize = self.chunks.iter().map(Bytes::len).sum();
                let whole = bytes.checked_mul(count) == Some(stored);
                whole.then(|| Self { chunks: sliced(&self.chunks, rows.start * bytes, rows.len() * bytes), ..part })
            }
            Encoding::Varint | Encoding::Drawn(_) => None,
        }
    }

    /// All elements as `f32`, row-major. Half precision is widened exactly; `float64` is rounded.
    ///
    /// # Errors
    ///
    /// [`TensorError`] if the tensor holds integers or does not hold as many elements as its shape.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        if let Some(drawn) = self.drawn(true, |x| x as f32)? {
            return Ok(drawn);
        }
        match self.data_type {
            DataType::F32 => self.raw(f32::from_le_bytes),
            DataType::F64 => self.raw(|b| f64::from_le_bytes(b) as f32),
            DataType::F16 => self.halves(|bits| f16::from_bits(bits).to_f32()),
            DataType::Bf16 => self.halves(|bits| bf16::from_bits(bits).to_f32()),
            DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16 => {
                Err(self.wrong_type("real numbers"))
            }
            DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::Bool => {
                Err(self.wrong_type("real numbers"))
            }
        }
    }

    /// All elements as `f64`, row-major, exactly.
    ///
    /// # Errors
    ///
    /// As [`Tensor::to_f32`].
    pub fn to_f64(&self) -> Result<Vec<f64>, TensorError> {
        // A drawn number is one of 32 bits.
        if let Some(drawn) = self.drawn(true, |x| f64::from(x as f32))? {
            return Ok(drawn);
        }
        match self.data_type {
            DataType::F32 => self.raw(|b| f64::from(f32::from_le_bytes(b))),
            DataType::F64 => self.raw(f64::from_le_bytes),
            DataType::F16 => self.halves(|bits| f16::from_bits(bits).to_f64()),
            DataType::Bf16 => self.halves(|bits| bf16::from_bits(bits).to_f64()),
            DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16 => {
                Err(self.wrong_type("real numbers"))
            }
            DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::Bool => {
                Err(self.wrong_type("real numbers"))
            }
        }
    }

    /// All elements of an integer or bool tensor, row-major.
    ///
    /// # Errors
    ///
    /// [`TensorError`] if the tensor holds real numbers, does not hold as many elements as its shape, or an element is
    /// garbled or beyond `i64`.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        if let Some(drawn) = self.drawn(false, |x| x as i64)? {
            return Ok(drawn);
        }
        if self.encoding == Encoding::Varint && !self.data_type.is_real() {
            return self.varints()?.enumerate().map(|(i, v)| self.narrow(i, v)).collect();
        }
        match self.data_type {
            DataType::I4 | DataType::I8 => self.raw(|[b]| i64::from(b as i8)),
            DataType::U4 | DataType::U8 => self.raw(|[b]| i64::from(b)),
            DataType::Bool => self.raw(|[b]| i64::from(b != 0)),
            DataType::I16 => self.raw(|b| i64::from(i16::from_le_bytes(b))),
            DataType::U16 => self.raw(|b| i64::from(u16::from_le_bytes(b))),
            DataType::I32 => self.raw(|b| i64::from(i32::from_le_bytes(b))),
            DataType::U32 => self.raw(|b| i64::from(u32::from_le_bytes(b))),
            DataType::U64 => {
                let values = self.raw(u64::from_le_bytes)?;
                values.into_iter().enumerate().map(|(i, v)| i64::try_from(v).map_err(|_| self.garbled(i))).collect()
            }
            DataType::I64 => self.raw(i64::from_le_bytes),
            DataType::F16 | DataType::Bf16 | DataType::F32 | DataType::F64 => Err(self.wrong_type("integers")),
        }
    }

    /// The elements where they are drawn; refuses those that are absent.
    fn drawn<T>(&self, real: bool, convert: impl Fn(f64) -> T) -> Result<Option<Vec<T>>, TensorError> {
        match self.encoding {
            Encoding::Raw | Encoding::Varint => Ok(None),
            Encoding::Absent => Err(TensorError::Absent { data_type: self.data_type, shape: self.shape.clone() }),
            Encoding::Drawn(draw) if draw.is_of_integers() == real => {
                Err(self.wrong_type(if real { "real numbers" } else { "integers" }))
            }
            Encoding::Drawn(draw) => Ok(Some(draw.all(self.element_count(), convert))),
        }
    }

    /// Decodes numbers of half precision by their bits.
    fn halves<T>(&self, convert: fn(u16) -> T) -> Result<Vec<T>, TensorError> {
        match self.encoding {
            Encoding::Raw => self.raw(|b| convert(u16::from_le_bytes(b))),
            Encoding::Varint => self
                .varints()?
                .enumerate()
                .map(|(i, v)| v.and_then(|v| u16::try_from(v).ok()).map(convert).ok_or_else(|| self.garbled(i)))
                .collect(),
            // Who asks for elements has dealt with these.
            Encoding::Absent | Encoding::Drawn(_) => Err(self.wrong_type("stored elements")),
        }
    }

    fn wrong_type(&self, expected: &'static str) -> TensorError {
        TensorError::Type { expected, found: self.data_type }
    }

    /// Decodes little-endian elements, which need no alignment.
    fn raw<const N: usize, T>(&self, decode: impl Fn([u8; N]) -> T) -> Result<Vec<T>, TensorError> {
        let expected = self.element_count();
        let found = self.chunks.iter().map(|chunk| chunk.len() / N).sum();
        let whole = self.encoding == Encoding::Raw && self.chunks.iter().all(|chunk| chunk.len().is_multiple_of(N));
        if !whole || found != expected {
            return Err(TensorError::Count { data_type: self.data_type, expected, found });
        }
        let mut values = Vec::with_capacity(expected);
        for chunk in &self.chunks {
            values.extend(chunk.as_chunks::<N>().0.iter().map(|&bytes| decode(bytes)));
        }
        Ok(values)
    }

    /// Decodes varints; an element that is no varint of 64 bits is `None`.
    fn varints(&self) -> Result<impl Iterator<Item = Option<u64>>, TensorError> {
        let (expected, found) = (self.element_count(), self.count_varints());
        if found != expected {
            return Err(TensorError::Count { data_type: self.data_type, expected, found });
        }
        let is_last = |byte: &u8| byte & 0x80 == 0;
        Ok(self.chunks.iter().flat_map(move |chunk| chunk.split_inclusive(is_last)).map(decode_varint))
    }

    /// Elements in varint chunks, an unfinished last one included.
    pub fn count_varints(&self) -> usize {
        let count = |chunk: &Bytes| {
            let finished = chunk.iter().filter(|&byte| byte & 0x80 == 0).count();
            finished + usize::from(chunk.last().is_some_and(|byte| byte & 0x80 != 0))
        };
        self.chunks.iter().map(count).sum()
    }

    /// A varint as a number of the element type; negative numbers are stored sign-extended to 64 bits.
    fn narrow(&self, index: usize, varint: Option<u64>) -> Result<i64, TensorError> {
        let bits = varint.ok_or_else(|| self.garbled(index))?;
        let value = bits as i64;
        let fits = match self.data_type.range() {
            Some((min, max)) => (min..=max).contains(&value),
            None => self.data_type != DataType::U64 || value >= 0,
        };
        match (fits, self.data_type) {
            (false, _) => Err(self.garbled(index)),
            (true, DataType::Bool) => Ok(i64::from(value != 0)),
            (true, _) => Ok(value),
        }
    }

    fn garbled(&self, index: usize) -> TensorError {
        TensorError::Garbled { index, data_type: self.data_type }
    }
}

/// So many bytes from `start` on, of chunks that hold them.
fn sliced(chunks: &[Bytes], start: usize, count: usize) -> Vec<Bytes> {
    let (mut skipped, mut left) = (start, count);
    let mut parts = Vec::new();
    for chunk in chunks {
        let from = skipped.min(chunk.len());
        let taken = left.min(chunk.len() - from);
        (skipped, left) = (skipped - from, left - taken);
        if taken > 0 {
            parts.push(chunk.slice(from..from + taken));
        }
    }
    parts
}

fn decode_varint(bytes: &[u8]) -> Option<u64> {
    let (last, finished) = (bytes.last()?, bytes.len() <= 10);
    if !finished || last & 0x80 != 0 || (bytes.len() == 10 && *last > 1) {
        return None;
    }
    Some(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn varint(data_type: DataType, shape: &[usize], chunks: &[&[u8]]) -> Tensor {
        let chunks = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect();
        Tensor { data_type, shape: shape.to_vec(), encoding: Encoding::Varint, chunks }
    }

    #[test]
    fn varints_are_signed_and_may_come_in_chunks() {
        let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let tensor = varint(DataType::I8, &[3], &[&[0x7f], &minus_one, &[0x00]]);
        assert_eq!(tensor.to_i64(), Ok(vec![127, -1, 0]));
    }

    #[test]
    fn garbled_varints_are_found() {
        let cases: [(DataType, &[u8]); 5] = [
            (DataType::I8, &[0x80, 0x01]),
            (DataType::U8, &[0x80, 0x02]),
            (DataType::I64, &[0xff]),
            (DataType::I64, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
            (DataType::I64, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ];
        check_all(cases, |&(data_type, bytes)| {
            let garbled = TensorError::Garbled { index: 0, data_type };
            assert_eq!(varint(data_type, &[1], &[bytes]).to_i64(), Err(garbled));
        });
        assert!(matches!(varint(DataType::I8, &[2], &[&[1]]).to_i64(), Err(TensorError::Count { found: 1, .. })));
    }

    #[test]
    fn raw_elements_need_no_alignment() {
        let mut bytes = vec![0u8];
        bytes.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
        let chunks = vec![Bytes::from(bytes).slice(1..)];
        let tensor = Tensor { data_type: DataType::F32, shape: vec![2], encoding: Encoding::Raw, chunks };
        assert_eq!(tensor.to_f32(), Ok(vec![1.5, -2.0]));
        assert_eq!(tensor.to_f64(), Ok(vec![1.5, -2.0]));
        assert_eq!(tensor.to_i64(), Err(TensorError::Type { expected: "integers", found: DataType::F32 }));
    }

    #[test]
    fn parts_are_slices_of_what_is_stored() {
        let bytes: Vec<Bytes> = [&[1u8, 2][..], &[3, 4, 5], &[6]].map(Bytes::from_static).to_vec();
        let tensor = Tensor { data_type: DataType::I8, shape: vec![2, 3], encoding: Encoding::Raw, chunks: bytes };
        let part = |index| tensor.part(index).map(|part| (part.to_i64(), part.shape));
        let parts = [part(0), part(1), part(2)];
        assert_eq!(parts, [Some((Ok(vec![1, 2, 3]), vec![3])), Some((Ok(vec![4, 5, 6]), vec![3])), None]);
        let rows = Tensor { shape: vec![3, 2], ..tensor.clone() }.rows(1..3).map(|rows| (rows.to_i64(), rows.shape));
        assert_eq!((rows, tensor.rows(1..3)), (Some((Ok(vec![3, 4, 5, 6]), vec![2, 2])), None));
        assert_eq!(Tensor { shape: vec![2, 4], ..tensor }.part(1), None);
        assert_eq!(varint(DataType::I8, &[2, 1], &[&[1, 2]]).part(0), None);
        let absent = Tensor::absent(DataType::F32, vec![2, 3]);
        assert_eq!(absent.part(1), Some(Tensor::absent(DataType::F32, vec![3])));
    }

    #[test]
    fn a_shape_that_asks_for_more_than_is_stored_is_no_allocation() {
        let tensor = Tensor { shape: vec![usize::MAX, 2], ..Tensor::from_f32(vec![1], &[1.0]) };
        assert!(matches!(tensor.to_f32(), Err(TensorError::Count { found: 1, .. })));
    }
}
