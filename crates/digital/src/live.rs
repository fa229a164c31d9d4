//! Which weights an array with filter-wide planes computes.

use esn::CodeTensor;

/// For every group and channel, `[groups, channels]`, whether any filter of the group has a weight there that is not 0.
/// The array does not compute the other channels.
pub(crate) fn live_channels(codes: &CodeTensor) -> Vec<bool> {
    let shape = codes.shape();
    let per_group = shape.filters / shape.groups;
    let mut live = vec![false; shape.groups * shape.channels];
    for (filter, weights) in codes.codes().chunks_exact(shape.filter_len()).enumerate() {
        let group = filter / per_group;
        let live = &mut live[group * shape.channels..(group + 1) * shape.channels];
        for (live, taps) in live.iter_mut().zip(weights.chunks_exact(shape.taps)) {
            *live |= taps.iter().fold(0, |any, code| any | code) != 0;
        }
    }
    live
}
