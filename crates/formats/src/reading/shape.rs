//! Shapes: how many elements they have, what two of them broadcast to, and the share of one image.

use network::Operand;

use super::fault::{Fault, invalid};

/// Number of elements of a tensor of this shape. What does not fit 63 bits is refused, in words.
pub(crate) fn element_count(shape: &[usize]) -> Result<usize, String> {
    // Extents of 0 must not hide an overflow before them: a tensor is checked as a whole before it is sliced.
    shape
        .iter()
        .try_fold(1usize, |product, &n| product.checked_mul(n))
        .filter(|&product| product <= isize::MAX as usize)
        .ok_or_else(|| format!("shape {shape:?} has too many elements to count"))
}

/// The shape that two shapes broadcast to: axes align at the end, and extents of 1 stretch. `[2, 1, 5]` and `[3, 1]`
/// become `[2, 3, 5]`.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let join = |axis| match (extent(a, axis), extent(b, axis)) {
        (x, y) if x == y => Ok(x),
        (1, x) | (x, 1) => Ok(x),
        _ => Err(invalid!("shapes {a:?} and {b:?} do not broadcast")),
    };
    (0..rank).map(join).collect()
}

/// The share of one image of `total`, a count over all `batch` images of one run.
pub(crate) fn per_image(total: usize, batch: usize) -> Result<usize, Fault> {
    if batch == 0 || !total.is_multiple_of(batch) {
        return Err(Fault::TornBatch(format!("{total} inputs of the layer do not divide into a batch of {batch}")));
    }
    Ok(total / batch)
}

/// Steps of one image, of an input that begins with these two axes: one of steps, and `batch_axis` of sequences, which are
/// those of all `batch` images.
pub(crate) fn steps_per_image(axes: [usize; 2], batch_axis: usize, batch: usize) -> Result<usize, Fault> {
    let (sequences, steps) = (axes[batch_axis], axes[1 - batch_axis]);
    if batch == 0 || !sequences.is_multiple_of(batch) {
        return Err(Fault::TornBatch(format!(
            "its input has {sequences} sequences on axis {batch_axis}, which do not divide into a batch of {batch}"
        )));
    }
    let positions = (sequences / batch).checked_mul(steps);
    positions.ok_or_else(|| invalid!("{sequences} sequences of {steps} steps are too many to count"))
}

/// How sequences lie in the input of such a layer, of which each image has one where they lie side by side.
pub(crate) fn sequences_lie(batch_axis: usize, sequences: usize, batch: usize) -> Operand {
    if batch_axis == 1 && batch > 1 && sequences == batch { Operand::StepsFirst } else { Operand::ChannelsLast }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_align_at_the_end() {
        assert_eq!(broadcast(&[2, 1, 5], &[3, 1]).expect("they broadcast"), [2, 3, 5]);
        assert_eq!(broadcast(&[], &[0, 1]).expect("they broadcast"), [0, 1]);
        assert!(broadcast(&[2, 3], &[2]).is_err());
    }

    #[test]
    fn an_extent_of_zero_hides_no_overflow() {
        assert_eq!(element_count(&[2, 0, 3]), Ok(0));
        assert!(element_count(&[1 << 40, 1 << 40, 0]).is_err());
        assert!(element_count(&[1 << 63]).is_err());
    }
}
