//! Sparse tensors (COO): values, and where they stand. They are written out, for weights are dense everywhere else.

use bytes::Bytes;
use network::{DataType, Encoding, Tensor};

use super::external::ExternalFiles;
use super::proto::{SparseTensorProto, TensorProto};
use super::tensors;
use crate::reading::fault::{Fault, invalid};

/// The dense tensor with `values` where the indices of `proto` say, and 0 elsewhere.
pub(super) fn dense(
    values: &TensorProto,
    proto: &SparseTensorProto,
    external: &mut ExternalFiles,
) -> Result<Tensor, Fault> {
    let values = tensors::tensor(values, external)?;
    let [count] = *values.shape.as_slice() else {
        return Err(invalid!("values of shape {:?}; expected one axis", values.shape));
    };
    let shape = tensors::shape(&proto.dims)?;
    let elements = tensors::element_count(&shape)?;
    let offsets = offsets(proto, count, &shape, external)?;
    external.count_written_out(elements)?;
    let size = values.data_type.size();
    let stored = tensors::raw_bytes(&values).map_err(|e| invalid!("its values: {e}"))?;
    let mut bytes = vec![0u8; elements * size];
    for (value, offset) in stored.chunks_exact(size).zip(offsets) {
        bytes[offset * size..(offset + 1) * size].copy_from_slice(value);
    }
    Ok(Tensor { data_type: values.data_type, shape, encoding: Encoding::Raw, chunks: vec![Bytes::from(bytes)] })
}

/// Where the values stand in row-major order. Indices are `[NNZ]`, offsets already, or `[NNZ, rank]`, one an axis. They
/// ascend, as ONNX demands, so that none comes twice.
fn offsets(
    proto: &SparseTensorProto,
    count: usize,
    shape: &[usize],
    external: &mut ExternalFiles,
) -> Result<Vec<usize>, Fault> {
    let indices = proto.indices.as_ref().ok_or_else(|| invalid!("it has no indices"))?;
    let indices = tensors::tensor(indices, external)?;
    let extents = match *indices.shape.as_slice() {
        [found] if found == count => vec![tensors::element_count(shape)?],
        [found, axes] if found == count && axes == shape.len() && axes > 0 => shape.to_vec(),
        _ => {
            let rank = shape.len();
            return Err(invalid!("indices of shape {:?}; expected [{count}] or [{count}, {rank}]", indices.shape));
        }
    };
    if indices.data_type != DataType::I64 {
        return Err(invalid!("indices of type {}; expected int64", indices.data_type.name()));
    }
    let indices = indices.to_i64().map_err(|e| invalid!("its indices: {e}"))?;
    let offsets: Vec<usize> =
        indices.chunks_exact(extents.len()).map(|index| offset(index, &extents)).collect::<Result<_, _>>()?;
    match offsets.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(i) => Err(invalid!("index {} does not come behind the one before it", i + 1)),
        None => Ok(offsets),
    }
}

/// The row-major offset of an element.
fn offset(index: &[i64], extents: &[usize]) -> Result<usize, Fault> {
    index.iter().zip(extents).try_fold(0, |offset, (&i, &extent)| {
        let inside = usize::try_from(i).ok().filter(|&i| i < extent);
        let i = inside.ok_or_else(|| invalid!("index {index:?} of an extent of {extent}"))?;
        Ok(offset * extent + i)
    })
}
