//! What an observer sees of the first array as a cycle begins.

use std::ops::Range;

use engine::{Cell, Elements, Lane, LaneWork, Parts, StageWork};

use super::SteppedArray;
use crate::tiling::Tile;

impl SteppedArray<'_> {
    /// What the first array works on.
    pub fn parts(&self) -> Parts {
        let geometry = &self.cells.geometry;
        let positions = u128::from(geometry.positions());
        let arrays = self.spec.arrays.get() as u128;
        // The first array takes every `arrays`-th pair of a tile and a position.
        let taken = |tile: &u128| (tile * positions).next_multiple_of(arrays) < (tile + 1) * positions;
        let mut lanes: Vec<usize> = (0..self.cells.tiling.tiles())
            .filter(taken)
            .flat_map(|tile| self.columns(&self.cells.tiling.tile(tile)))
            .map(|column| column / self.cells.per_filter)
            .collect();
        lanes.sort_unstable();
        lanes.dedup();
        Parts { lanes, elements: self.cells.tiling.rows_of(0).len(), stages: self.pipeline.stages() }
    }

    /// The column of a filter, or its pair of columns, in the first array with its first `cells`.
    pub fn lane(&self, filter: usize, cells: usize) -> Lane {
        let (round, step) = self.next;
        let drives = self.pipeline.ahead(self.has_more()).is_some_and(|ahead| ahead.drives());
        let cause = if drives { None } else { self.timing.waits_for() };
        let Some((tile, position)) = self.pair(round).filter(|(tile, _)| self.holds(tile, filter)) else {
            return Lane::Free(cause);
        };
        let rows = tile.rows.start..tile.rows.end.min(tile.rows.start.saturating_add(cells));
        let work = LaneWork {
            filter,
            position,
            weight: tile.rows.start,
            elements: Elements::OneSum {
                cells: self.cells_of(filter, position, step as usize, rows, drives),
                accumulator: self.output(filter, position),
            },
        };
        Lane::with(work, cause)
    }

    /// What is in each stage in the next cycle.
    pub fn stages(&self) -> Vec<Option<StageWork>> {
        let Some(ahead) = self.pipeline.ahead(self.has_more()) else { return Vec::new() };
        let work = |(step, waits): (u128, bool)| {
            let (_, position) = self.pair(step / self.steps())?;
            Some(StageWork { position, step: (step % self.steps()) as u32, waits })
        };
        ahead.held().into_iter().map(|held| held.and_then(work)).collect()
    }

    /// The tile and the position that the first array takes in a round; `None` after the last.
    fn pair(&self, round: u128) -> Option<(Tile, usize)> {
        let pair = round * self.spec.arrays.get() as u128;
        let positions = u128::from(self.cells.geometry.positions());
        (self.pairs_of_round(round) > 0)
            .then(|| (self.cells.tiling.tile(pair / positions), (pair % positions) as usize))
    }

    /// Whether a tile has a column of a filter.
    fn holds(&self, tile: &Tile, filter: usize) -> bool {
        let (column, columns) = (filter * self.cells.per_filter, self.cells.geometry.columns());
        tile.groups.contains(&(column / columns)) && tile.columns.contains(&(column % columns))
    }

    /// The cells of some rows of a filter, in one step of the input vector of a position.
    fn cells_of(&self, filter: usize, position: usize, step: usize, rows: Range<usize>, drives: bool) -> Vec<Cell> {
        let geometry = self.layer.geometry();
        let codes = self.layer.weights().filter(filter);
        let group = filter / geometry.columns();
        let mut indices = Vec::new();
        self.read_vector(position, group, rows.clone(), &mut indices);
        let cell = |(row, index): (usize, Option<usize>)| {
            let activation = index.map_or(0.0, |index| self.input.digits[step][index]);
            // Adding 0 makes a negative zero a zero.
            let product = if drives { self.amplitude(filter, row) * activation + 0.0 } else { 0.0 };
            Cell { code: codes[row], activation, product }
        };
        rows.zip(indices).map(cell).collect()
    }

    /// What the cell of a weight drives, or its pair of cells, in steps of the weight grid.
    fn amplitude(&self, filter: usize, row: usize) -> f32 {
        let of_column = |column: usize| self.amplitudes[column * self.cells.geometry.rows() + row];
        match self.spec.departures.differential {
            false => of_column(filter),
            true => of_column(2 * filter) - of_column(2 * filter + 1),
        }
    }

    /// The sum so far of one filter at one position over all repeats, in steps of the weight grid.
    fn output(&self, filter: usize, position: usize) -> f32 {
        let positions = self.cells.geometry.positions_per_repeat();
        let (repeat, position) = (position / positions, position % positions);
        let columns = self.cells.geometry.spec().filters;
        let sum = |column: usize| {
            let index = (repeat * columns + column) * positions + position;
            match &self.input.weights {
                Some(weights) => self.sums.iter().zip(weights).map(|(sums, weight)| sums[index] * weight).sum(),
                None => self.sums[0][index],
            }
        };
        match self.spec.departures.differential {
            false => sum(filter),
            true => sum(2 * filter) - sum(2 * filter + 1),
        }
    }
}
