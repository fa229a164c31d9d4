//! Which input channels have a nonzero weight.

use esn::CodeTensor;

/// Whether any filter of the group has a nonzero weight in a channel, for every group and channel,
/// `[groups, channels]`. An array that skips zeros by filters does not compute the other channels.
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
