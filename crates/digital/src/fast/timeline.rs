//! When the rows are done.

use super::activity::Activity;
use super::filter::{FilterCost, TileCost};
use super::setting::Setting;
use crate::departures::Barrier;

/// Cycles of the layer, and cycles in which rows wait, summed over the rows.
type Time = (u128, u128);

/// A row on its way through its tiles.
struct Cursor<'a> {
    /// The filters that are left, the present one first.
    queue: &'a [usize],
    /// The tiles that are left of the present filter, in reverse order.
    tiles: Vec<TileCost>,
}

impl Setting<'_> {
    /// Cycles of a filter if no activation is 0.
    pub(super) fn planned(&self, filter: &FilterCost) -> u128 {
        self.filter_cycles(filter, u128::from(filter.cycles) * self.groups)
    }

    /// Cycles of the layer, and cycles in which rows wait. `queues` has the filters of each row.
    pub(super) fn timeline(&self, queues: &[Vec<usize>], filters: &[FilterCost], activity: &[Activity]) -> Time {
        let cycles = |&filter: &usize| self.filter_cycles(&filters[filter], filters[filter].working);
        match self.departures.barrier {
            Barrier::None => {
                let row = |queue: &Vec<usize>| queue.iter().map(cycles).sum();
                (queues.iter().map(row).max().unwrap_or(0), 0)
            }
            Barrier::Filter => {
                let rows: Vec<Vec<u128>> = queues.iter().map(|queue| queue.iter().map(cycles).collect()).collect();
                in_step(&rows)
            }
            Barrier::Position => self.in_step_by_groups(queues, activity),
        }
    }

    /// Cycles of a filter that works for `working` cycles over all groups.
    fn filter_cycles(&self, filter: &FilterCost, working: u128) -> u128 {
        let tiles = u128::from(filter.tiles);
        let fill_of_groups = tiles * u128::from(self.departures.fill_cycles_per_group);
        tiles * u128::from(self.departures.fill_cycles_per_tile)
            + self.groups * (fill_of_groups + self.decoding(filter.issued))
            + working
    }

    /// Cycles of decoding the indices of so many weights.
    fn decoding(&self, issued: u64) -> u128 {
        u128::from(issued) * u128::from(self.departures.index_cycles_per_nonzero)
    }

    /// The time of rows that wait for one another after every group of positions. The rows go from tile to tile
    /// together.
    fn in_step_by_groups(&self, queues: &[Vec<usize>], activity: &[Activity]) -> Time {
        let mut rows: Vec<Cursor<'_>> = queues.iter().map(|queue| Cursor { queue, tiles: Vec::new() }).collect();
        for row in &mut rows {
            self.fetch_tiles(row);
        }
        let (mut cycles, mut waiting) = (0, 0);
        rows.retain(|row| !row.tiles.is_empty());
        while !rows.is_empty() {
            let time =
                if activity.is_empty() { self.equal_groups(&rows) } else { self.unequal_groups(&rows, activity) };
            cycles += time.0 + u128::from(self.departures.fill_cycles_per_tile);
            waiting += time.1;
            for row in &mut rows {
                row.tiles.pop();
                if row.tiles.is_empty() {
                    row.queue = &row.queue[1..];
                    self.fetch_tiles(row);
                }
            }
            rows.retain(|row| !row.tiles.is_empty());
        }
        (cycles, waiting)
    }

    fn fetch_tiles(&self, row: &mut Cursor<'_>) {
        if let Some(&filter) = row.queue.first() {
            row.tiles = self.tiles(filter);
            row.tiles.reverse();
        }
    }

    /// The time of one tile of every row, without its own filling, where all groups take the same.
    fn equal_groups(&self, rows: &[Cursor<'_>]) -> Time {
        let fill = u128::from(self.departures.fill_cycles_per_group);
        let group = |tile: &TileCost| fill + self.decoding(tile.issued) + u128::from(tile.cycles);
        let times: Vec<u128> = rows.iter().filter_map(|row| row.tiles.last().map(group)).collect();
        let longest = times.iter().copied().max().unwrap_or(0);
        let waits = |row: &Cursor<'_>| if row.is_at_its_end() { self.groups - 1 } else { self.groups };
        let waiting = rows.iter().zip(&times).map(|(row, time)| waits(row) * (longest - time)).sum();
        (longest * self.groups, waiting)
    }

    /// The time of one tile of every row, without its own filling, where groups differ because activations are skipped.
    fn unequal_groups(&self, rows: &[Cursor<'_>], activity: &[Activity]) -> Time {
        let groups = self.groups as usize;
        let mut longest = vec![0u128; groups];
        let (mut spent, mut at_the_end) = (0, Vec::new());
        for row in rows {
            let times = self.group_times(row, activity, groups);
            for (longest, &time) in longest.iter_mut().zip(&times) {
                *longest = time.max(*longest);
            }
            spent += times.iter().sum::<u128>();
            if row.is_at_its_end() {
                at_the_end.extend(times.last().copied());
            }
        }
        let cycles: u128 = longest.iter().sum();
        let last = longest.last().copied().unwrap_or(0);
        let not_waited: u128 = at_the_end.iter().map(|time| last - time).sum();
        (cycles, cycles * rows.len() as u128 - spent - not_waited)
    }

    /// Cycles of every group of the tile that a row holds, without the filling of the tile.
    fn group_times(&self, row: &Cursor<'_>, activity: &[Activity], groups: usize) -> Vec<u128> {
        let (Some(&filter), Some(tile)) = (row.queue.first(), row.tiles.last()) else { return Vec::new() };
        let activity = &activity[filter / self.layer.geometry().columns()];
        let stalls = u128::from(self.departures.fill_cycles_per_group) + self.decoding(tile.issued);
        let mut times = vec![stalls; groups];
        for weight in self.issued_weights(filter, tile.weights.clone()) {
            for (group, time) in times.iter_mut().enumerate() {
                let active = activity.groups_of(weight.index).is_none_or(|groups| groups[group]);
                *time += u128::from(weight.cycles) * u128::from(active);
            }
        }
        times
    }
}

impl Cursor<'_> {
    /// Whether the row is done after this tile.
    fn is_at_its_end(&self) -> bool {
        self.queue.len() == 1 && self.tiles.len() == 1
    }
}

/// The time of rows that wait for one another after every step, so that their n-th steps all end together. A row does
/// not wait after its last step, for it is done.
fn in_step(rows: &[Vec<u128>]) -> Time {
    let steps = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (mut cycles, mut waiting) = (0, 0);
    for step in 0..steps {
        let longest = rows.iter().filter_map(|row| row.get(step)).max().copied().unwrap_or(0);
        cycles += longest;
        waiting += rows.iter().filter(|row| step + 1 < row.len()).map(|row| longest - row[step]).sum::<u128>();
    }
    (cycles, waiting)
}
