//! Rearrangements of elements in memory.

use crate::layer::WeightTransform;

/// Applies `transforms` in order to row-major elements of shape `shape`.
pub fn rearrange<T: Copy>(mut values: Vec<T>, shape: &[usize], transforms: &[WeightTransform]) -> Vec<T> {
    let mut shape = shape.to_vec();
    for transform in transforms {
        match transform {
            WeightTransform::Reshape(to) => shape.clone_from(to),
            WeightTransform::Transpose(perm) => {
                values = transpose(&values, &shape, perm);
                shape = perm.iter().map(|&p| shape[p]).collect();
            }
        }
    }
    values
}

/// Permutes the axes of row-major elements: axis `i` of the result is axis `perm[i]`.
pub fn transpose<T: Copy>(values: &[T], shape: &[usize], perm: &[usize]) -> Vec<T> {
    if values.is_empty() {
        return Vec::new();
    }
    let own = strides(shape);
    let extents: Vec<usize> = perm.iter().map(|&p| shape[p]).collect();
    let steps: Vec<usize> = perm.iter().map(|&p| own[p]).collect();
    let mut result = Vec::with_capacity(values.len());
    for_each_offset(&extents, &steps, |offset| result.push(values[offset]));
    result
}

/// Row-major strides of a shape.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

/// Calls `visit` with the offset of every element of a row-major walk over `extents` whose axes step by `steps`.
pub fn for_each_offset(extents: &[usize], steps: &[usize], mut visit: impl FnMut(usize)) {
    if extents.contains(&0) {
        return;
    }
    let mut index = vec![0usize; extents.len()];
    let mut offset = 0;
    loop {
        visit(offset);
        let mut axis = extents.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            offset += steps[axis];
            if index[axis] < extents[axis] {
                break;
            }
            offset -= steps[axis] * extents[axis];
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transpose_permutes_axes() {
        let values: Vec<usize> = (0..24).collect();
        let result = transpose(&values, &[2, 3, 4], &[2, 0, 1]);
        for (i, value) in result.iter().enumerate() {
            let (a, b, c) = (i / 6, i / 3 % 2, i % 3);
            assert_eq!(*value, b * 12 + c * 4 + a);
        }
    }

    #[test]
    fn scalars_and_empty_tensors_pass() {
        assert_eq!(transpose(&[7], &[], &[]), [7]);
        assert!(transpose::<u8>(&[], &[0, 3], &[1, 0]).is_empty());
    }
}
