//! Unstructured pruning: by magnitude, and N of M.

use super::filters::rounded;
use super::options::Scope;
use super::weights::Weights;

/// Sets a fraction of all weights to 0, the smallest magnitudes first.
pub(super) fn prune_weights(weights: &mut [Weights], fraction: f64, scope: Scope) {
    match scope {
        Scope::Global => prune_smallest(weights, fraction),
        Scope::Layer => weights.chunks_mut(1).for_each(|layer| prune_smallest(layer, fraction)),
    }
}

fn prune_smallest(weights: &mut [Weights], fraction: f64) {
    let mut magnitudes: Vec<f64> = weights.iter().flat_map(Weights::magnitudes).collect();
    let count = rounded(fraction, magnitudes.len());
    if count == 0 {
        return;
    }
    let (smaller, &mut threshold, _) = magnitudes.select_nth_unstable_by(count - 1, f64::total_cmp);
    // Of those as large as the threshold, the first go.
    let mut equals = count - smaller.iter().filter(|&&m| m < threshold).count();
    for layer in weights {
        layer.zero_where(|magnitude| {
            let equal = magnitude == threshold && equals > 0;
            equals -= usize::from(equal);
            magnitude < threshold || equal
        });
    }
}

/// Keeps the `keep` largest magnitudes of every `of` neighbouring weights along the input channels of each filter.
pub(super) fn prune_pattern(weights: &mut Weights, keep: usize, of: usize) {
    let (shape, magnitudes) = (weights.shape, weights.magnitudes());
    let mut gone = vec![false; magnitudes.len()];
    for filter in 0..shape.filters {
        for first in (0..shape.channels).step_by(of) {
            for tap in 0..shape.taps {
                let channels = first..(first + of).min(shape.channels);
                let index = |channel: usize| (filter * shape.channels + channel) * shape.taps + tap;
                let mut block: Vec<usize> = channels.map(index).collect();
                block.sort_by(|&a, &b| magnitudes[b].total_cmp(&magnitudes[a]));
                block.iter().skip(keep).for_each(|&i| gone[i] = true);
            }
        }
    }
    let mut gone = gone.into_iter();
    weights.zero_where(|_| gone.next().expect("one mark a weight"));
}
