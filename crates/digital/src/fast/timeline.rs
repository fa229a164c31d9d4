//! When rows are done.

use super::Setting;
use super::filter::{FilterCost, TileCost};
use crate::departures::Barrier;

impl Setting<'_> {
    /// Cycles of a filter if no activation is 0.
    pub(super) fn planned(&self, filter: &FilterCost) -> u128 {
        filter.tiles.iter().map(|tile| self.tile_cycles(tile, u128::from(tile.cycles) * self.groups)).sum()
    }

    /// Cycles of the layer, and row-cycles in which rows wait, where every row has a queue of filters.
    pub(super) fn timeline(&self, queues: &[Vec<usize>], filters: &[FilterCost]) -> (u128, u128) {
        let filter_cycles = |filter: usize| -> u128 {
            filters[filter].tiles.iter().map(|tile| self.tile_cycles(tile, tile.working)).sum()
        };
        match self.departures.barrier {
            Barrier::None => {
                let row = |queue: &Vec<usize>| queue.iter().map(|&filter| filter_cycles(filter)).sum();
                (queues.iter().map(row).max().unwrap_or(0), 0)
            }
            Barrier::Filter => {
                let rows: Vec<Vec<u128>> =
                    queues.iter().map(|queue| queue.iter().map(|&filter| filter_cycles(filter)).collect()).collect();
                in_step(&rows, 1)
            }
            Barrier::Position => self.in_step_by_groups(queues, filters),
        }
    }

    /// Cycles of a tile that works for `working` cycles over all groups.
    fn tile_cycles(&self, tile: &TileCost, working: u128) -> u128 {
        u128::from(self.departures.fill_cycles_per_tile) + self.groups * self.stalls_per_group(tile) + working
    }

    fn stalls_per_group(&self, tile: &TileCost) -> u128 {
        let decoding = u128::from(tile.issued) * u128::from(self.departures.index_cycles_per_nonzero);
        u128::from(self.departures.fill_cycles_per_group) + decoding
    }

    /// The cycles of rows that wait for one another after every group of positions of a tile.
    fn in_step_by_groups(&self, queues: &[Vec<usize>], filters: &[FilterCost]) -> (u128, u128) {
        let rows: Vec<Vec<&TileCost>> =
            queues.iter().map(|queue| queue.iter().flat_map(|&filter| &filters[filter].tiles).collect()).collect();
        let tiles = rows.iter().map(Vec::len).max().unwrap_or(0);
        let fill = u128::from(self.departures.fill_cycles_per_tile);
        if rows.iter().flatten().all(|tile| tile.by_group.is_empty()) {
            // All groups are alike; those that begin a tile take the fill of it in every row.
            let group = |tile: &&TileCost| self.stalls_per_group(tile) + u128::from(tile.cycles);
            let rows: Vec<Vec<u128>> = rows.iter().map(|tiles| tiles.iter().map(group).collect()).collect();
            let (cycles, waiting) = in_step(&rows, self.groups);
            return (cycles + fill * tiles as u128, waiting);
        }
        let groups = |tile: &&TileCost| -> Vec<u128> {
            let stalls = self.stalls_per_group(tile);
            let with_fill =
                |(group, &working): (usize, &u64)| stalls + u128::from(working) + if group == 0 { fill } else { 0 };
            tile.by_group.iter().enumerate().map(with_fill).collect()
        };
        let rows: Vec<Vec<u128>> = rows.iter().map(|tiles| tiles.iter().flat_map(groups).collect()).collect();
        in_step(&rows, 1)
    }
}

/// The cycles of rows whose n-th steps all end together, and the row-cycles that they wait for it. Each step is taken
/// `repeats` times. A row does not wait after the last of its steps: it is done.
fn in_step(rows: &[Vec<u128>], repeats: u128) -> (u128, u128) {
    let steps = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (mut cycles, mut waiting) = (0, 0);
    for step in 0..steps {
        let longest = rows.iter().filter_map(|row| row.get(step)).max().copied().unwrap_or(0);
        cycles += longest * repeats;
        for row in rows.iter().filter(|row| step < row.len()) {
            let waits = if step + 1 < row.len() { repeats } else { repeats - 1 };
            waiting += waits * (longest - row[step]);
        }
    }
    (cycles, waiting)
}
