//! Tensors that are views of a storage, as PyTorch has them: extents, strides and an offset.

use bytes::Bytes;

use super::fault::{Fault, invalid, unsupported};

/// What a view has of its storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    /// The elements, one after another.
    pub(crate) bytes: Bytes,
    /// The extents in the order in which the axes lie in memory.
    pub(crate) shape: Vec<usize>,
    /// The permutation that makes the view of it; none where the view is row-major.
    pub(crate) transpose: Option<Vec<usize>>,
}

/// The elements of a view of elements of `size` bytes. `offset` and `strides` count elements.
///
/// # Errors
///
/// Invalid where the view ends outside its storage; unsupported where its elements do not fill their place.
pub(crate) fn view(
    shape: &[usize],
    strides: &[usize],
    offset: usize,
    size: usize,
    storage: &Bytes,
) -> Result<View, Fault> {
    if shape.len() != strides.len() {
        return Err(invalid!("shape {shape:?} has strides {strides:?}"));
    }
    let stored = storage.len();
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let end = count.and_then(|count| offset.checked_add(count)?.checked_mul(size)).filter(|&end| end <= stored);
    let end =
        end.ok_or_else(|| invalid!("shape {shape:?} at element {offset} ends outside its storage of {stored} bytes"))?;
    let axes = order(shape, strides)
        .ok_or_else(|| unsupported!("shape {shape:?} has strides {strides:?}; save it contiguous"))?;
    let place = |axis: usize| axes.iter().position(|&other| other == axis).expect("all axes are there");
    let transpose = (!axes.is_sorted()).then(|| (0..shape.len()).map(place).collect());
    let shape = axes.iter().map(|&axis| shape[axis]).collect();
    Ok(View { bytes: storage.slice(offset * size..end), shape, transpose })
}

/// The axes in the order in which they lie in memory; none where the elements do not lie one after another.
fn order(shape: &[usize], strides: &[usize]) -> Option<Vec<usize>> {
    let all = || (0..shape.len()).collect();
    if shape.contains(&0) {
        return Some(all());
    }
    // The stride of an axis of 1 says nothing.
    let mut axes: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] > 1).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse(strides[axis]));
    let mut expected = 1usize;
    for &axis in axes.iter().rev() {
        if strides[axis] != expected {
            return None;
        }
        expected = expected.checked_mul(shape[axis])?;
    }
    if axes.is_sorted() {
        return Some(all());
    }
    axes.extend((0..shape.len()).filter(|&axis| shape[axis] <= 1));
    Some(axes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::check_all;

    #[test]
    fn axes_are_told_by_their_strides() {
        /// Extents, strides, extents in memory and the permutation.
        type Case = (&'static [usize], &'static [usize], &'static [usize], Option<&'static [usize]>);
        let cases: [Case; 5] = [
            (&[2, 3, 4], &[12, 4, 1], &[2, 3, 4], None),
            (&[2, 3, 4], &[12, 1, 3], &[2, 4, 3], Some(&[0, 2, 1])),
            (&[2, 1, 4], &[1, 1, 2], &[4, 2, 1], Some(&[1, 2, 0])),
            (&[1, 3], &[7, 1], &[1, 3], None),
            (&[0, 3], &[1, 5], &[0, 3], None),
        ];
        check_all(cases, |(shape, strides, stored, transpose)| {
            let storage = Bytes::from(vec![0; 100]);
            let found = view(shape, strides, 1, 2, &storage).expect("it fits");
            assert_eq!((found.shape.as_slice(), found.transpose.as_deref()), (*stored, *transpose));
            assert_eq!(found.bytes.len(), 2 * shape.iter().product::<usize>());
        });
    }

    #[test]
    fn what_does_not_lie_in_its_storage_is_refused() {
        let cases: [(&[usize], &[usize], usize); 6] = [
            (&[2, 3], &[6, 2], 0),
            (&[2, 3], &[0, 1], 0),
            (&[2, 3], &[3], 0),
            (&[2, 3], &[3, 1], 46),
            (&[2, 3], &[3, 1], usize::MAX),
            (&[usize::MAX, 3], &[3, 1], 0),
        ];
        check_all(cases, |(shape, strides, offset)| {
            let storage = Bytes::from(vec![0; 100]);
            assert!(view(shape, strides, *offset, 2, &storage).is_err());
        });
    }
}
