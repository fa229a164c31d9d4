//! What is fetched into the array, in bits.

use std::collections::HashSet;

use super::filter::FilterCost;
use super::setting::Setting;
use crate::traffic::InputTraffic;

impl Setting<'_> {
    /// Bits of activations, and bits of partial sums:
    ///
    /// ```text
    /// activations   Σ_passes input bits of the groups of the layer in the pass
    /// partial sums  Σ_filters positions · bits · (2 · tiles − 1)
    /// ```
    pub(super) fn traffic(&self, queues: &[Vec<usize>], filters: &[FilterCost]) -> (u128, u128) {
        let of_sum = u128::from(self.departures.buffers.bits_per_partial_sum);
        let of_filter = |filter: &FilterCost| self.positions * of_sum * (2 * u128::from(filter.tiles) - 1);
        let sums = filters.iter().filter(|filter| filter.tiles > 0).map(of_filter).sum();
        (self.activation_bits(queues), sums)
    }

    fn activation_bits(&self, queues: &[Vec<usize>]) -> u128 {
        if self.departures.buffers.bits_per_activation == 0 {
            return 0;
        }
        let input = InputTraffic::new(&self.departures, &self.encoding, self.layer);
        let per_group = self.layer.geometry().columns();
        let passes = queues.iter().map(Vec::len).max().unwrap_or(0);
        let mut fetched = HashSet::new();
        let mut bits = 0;
        for pass in 0..passes {
            if !input.fits {
                fetched.clear();
            }
            for group in queues.iter().filter_map(|queue| queue.get(pass)).map(|filter| filter / per_group) {
                if fetched.insert(group) {
                    bits += input.group_bits[group];
                }
            }
        }
        bits
    }
}
