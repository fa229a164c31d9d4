//! Shapes of tensors, and where their axes lie: `[N, H, W, C]` in the file, `[N, C, H, W]` here.

use crate::reading::shape;

/// The most axes of a tensor.
const MAX_AXES: usize = 8;
/// From the order of the file to the one here.
pub(super) const TO_CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
/// And back.
pub(super) const TO_CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// `[N, H, W, C]` as `[N, C, H, W]`.
pub(super) fn channels_first(shape: &[usize]) -> Vec<usize> {
    TO_CHANNELS_FIRST.iter().map(|&axis| shape[axis]).collect()
}

/// A shape of the file as the graph has it: rank 4 is permuted.
pub(super) fn ours(shape: &[usize]) -> Vec<usize> {
    if shape.len() == 4 { channels_first(shape) } else { shape.to_vec() }
}

/// Where an axis of the file is in the graph.
pub(super) fn axis(rank: usize, axis: usize) -> usize {
    const PLACES: [usize; 4] = [0, 2, 3, 1];
    if rank == 4 { PLACES[axis] } else { axis }
}

/// Whether the elements lie in the same order in both.
pub(super) fn same_order(shape: &[usize]) -> bool {
    shape.len() != 4 || shape[3] == 1 || shape[1] * shape[2] == 1
}

/// Number of elements; what is beyond 63 bits or has many axes is refused, in words.
pub(super) fn element_count(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_AXES {
        return Err(format!("{} axes; {MAX_AXES} at most are handled", shape.len()));
    }
    shape::element_count(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_follow_their_extents() {
        let shape = [2, 3, 5, 7];
        let moved = ours(&shape);
        assert_eq!(moved, [2, 7, 3, 5]);
        assert!((0..4).all(|a| moved[axis(4, a)] == shape[a]));
        assert_eq!(axis(3, 2), 2);
        assert!(same_order(&[2, 1, 1, 7]) && same_order(&[2, 3, 5, 1]) && !same_order(&shape));
    }
}
