//! Which weights are kept where zeros are skipped by a pattern: N of M neighbouring ones along the input channels.

use esn::CodeTensor;

/// Whether a layer follows a pattern, and has channels enough that the pattern leaves weights out.
pub(crate) fn saves(codes: &CodeTensor, keep: u32, of: u32) -> bool {
    let channels = codes.shape().channels;
    kept_channels(channels, keep, of) < channels && follows(codes, keep, of)
}

/// Whether in every filter no more than `keep` of `of` neighbouring weights are nonzero.
fn follows(codes: &CodeTensor, keep: u32, of: u32) -> bool {
    let shape = codes.shape();
    let block = of as usize * shape.taps;
    let is_full = |block: &[i32], tap: usize| nonzero(block, tap, shape.taps) > keep as usize;
    let filters = codes.codes().chunks_exact(shape.filter_len());
    filters.flat_map(|filter| filter.chunks(block)).all(|block| (0..shape.taps).all(|tap| !is_full(block, tap)))
}

/// How many weights of a filter of so many channels are kept, of each tap. A shorter rest of channels keeps as many as a whole
/// block does, if it has so many.
pub(crate) fn kept_channels(channels: usize, keep: u32, of: u32) -> usize {
    let (keep, of) = (keep as usize, of as usize);
    channels / of * keep + (channels % of).min(keep)
}

/// Whether a weight of a filter is kept: a nonzero one, or one of the first zeros of its block where there are fewer nonzero ones
/// than `keep`.
pub(crate) fn keeps(filter: &[i32], index: usize, taps: usize, (keep, of): (u32, u32)) -> bool {
    if filter[index] != 0 {
        return true;
    }
    let (channel, tap) = (index / taps, index % taps);
    let first = channel / of as usize * of as usize;
    let end = (first + of as usize).min(filter.len() / taps);
    let nonzero = nonzero(&filter[first * taps..end * taps], tap, taps);
    let before = filter[first * taps..index].iter().skip(tap).step_by(taps).filter(|code| **code == 0).count();
    nonzero + before < keep as usize
}

/// Nonzero weights of one tap in a block of channels.
fn nonzero(block: &[i32], tap: usize, taps: usize) -> usize {
    block.iter().skip(tap).step_by(taps).filter(|code| **code != 0).count()
}

#[cfg(test)]
mod tests {
    use esn::{Grid, WeightShape};

    use super::*;

    fn codes(filters: usize, channels: usize, taps: usize, codes: Vec<i32>) -> CodeTensor {
        let shape = WeightShape { filters, groups: 1, channels, taps };
        CodeTensor::new(Grid::MidTread, shape, codes.into_iter().map(|code| 2 * code).collect())
            .expect("codes are in range")
    }

    #[test]
    fn a_pattern_is_looked_for_along_channels() {
        // Six channels of two taps: the first tap is 1 1 0 0 | 1 1, the second 0 1 0 1 | 0 0.
        let weights = [1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0];
        assert!(follows(&codes(1, 6, 2, weights.to_vec()), 2, 4));
        assert!(!follows(&codes(1, 6, 2, weights.to_vec()), 1, 4));
        let mut third = weights;
        third[4] = 5;
        assert!(!follows(&codes(1, 6, 2, third.to_vec()), 2, 4), "three of four");
        assert!(!follows(&codes(2, 6, 2, [weights, third].concat()), 2, 4), "the second filter");
        assert!(saves(&codes(1, 3, 1, vec![1, 0, 1]), 2, 4), "two of three");
        assert!(!saves(&codes(1, 2, 1, vec![1, 1]), 2, 4), "nothing is left out of two");
    }

    #[test]
    fn as_many_weights_are_kept_as_are_counted() {
        let weights = [1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0];
        let kept: Vec<usize> = (0..12).filter(|&index| keeps(&weights, index, 2, (2, 4))).collect();
        // The rest has two channels, of which both are kept, the second tap's with two zeros.
        assert_eq!(kept, [0, 2, 3, 7, 8, 9, 10, 11]);
        assert_eq!(kept.len(), 2 * kept_channels(6, 2, 4));
        let zeros = [0; 8];
        let kept: Vec<usize> = (0..8).filter(|&index| keeps(&zeros, index, 1, (2, 4))).collect();
        assert_eq!(kept, [0, 1, 4, 5], "the first zeros of a block");
        assert_eq!(kept_channels(7, 2, 4), 4);
        assert_eq!(kept_channels(7, 4, 4), 7, "all");
    }
}
