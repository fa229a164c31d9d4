//! Constant tensors that stay in the file they came from.

use bytes::Bytes;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DataType {
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

/// How the elements of a [`Tensor`] are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Little-endian elements one after another.
    Raw,
    /// Base-128 varints one after another, as protobuf packs integers.
    Varint,
}

/// A constant tensor, row-major. `chunks` are slices of the mapped file (or of memory, for folded constants): no element
/// is read or copied before it is asked for.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Element type.
    pub data_type: DataType,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// How the elements are stored.
    pub encoding: Encoding,
    /// The stored bytes, in order.
    pub chunks: Vec<Bytes>,
}
