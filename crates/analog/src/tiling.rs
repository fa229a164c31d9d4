//! How the weights of a layer are cut into tiles of the size of an array.

use std::ops::Range;

use network::Geometry;

/// A layer cut into tiles.
///
/// Each group is a block of `rows × columns` weights. The blocks are cut into tiles of the size of an array, in the
/// order of groups, then columns, then rows. If rows and columns are unbounded, all blocks lie on the diagonal of a
/// single tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    groups: usize,
    rows: usize,
    columns: usize,
    array_rows: usize,
    /// Columns, as below, that an array holds.
    array_columns: usize,
    /// Columns of cells that one column is, with those beside it that hold none of its weights.
    cells_per_column: usize,
    /// Columns of cells of an array; some may be left over.
    cell_columns: usize,
    whole: bool,
}

/// Weights that an array holds at the same time: the same part of one or more groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) groups: Range<usize>,
    /// Rows of each group.
    pub(crate) rows: Range<usize>,
    /// Columns of each group.
    pub(crate) columns: Range<usize>,
}

/// Cells of one or more arrays that are read, or cell-cycles: cells times the cycles in which they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    /// Cells of a filter. Without columns of bits these are the cells with a weight, pruned or not.
    pub(crate) occupied: u128,
    pub(crate) row_edge: u128,
    pub(crate) column_edge: u128,
}

impl Tiling {
    /// The tiles of arrays of so many rows and columns of cells, of which each column of the layer takes
    /// `cells_per_column`; `None` if an array has not so many.
    pub(crate) fn new(
        geometry: &Geometry,
        array_rows: Option<usize>,
        array_columns: Option<usize>,
        cells_per_column: usize,
    ) -> Option<Self> {
        let (rows, columns) = (geometry.rows(), geometry.columns());
        let cell_columns = array_columns.map_or_else(|| columns.checked_mul(cells_per_column), Some)?;
        if cell_columns < cells_per_column {
            return None;
        }
        Some(Self {
            groups: geometry.spec().groups,
            rows,
            columns,
            array_rows: array_rows.unwrap_or(rows),
            array_columns: cell_columns / cells_per_column,
            cells_per_column,
            cell_columns,
            whole: array_rows.is_none() && array_columns.is_none(),
        })
    }

    /// Number of tiles.
    pub(crate) fn tiles(&self) -> u128 {
        if self.whole {
            return 1;
        }
        self.groups as u128 * self.column_tiles() as u128 * self.row_tiles() as u128
    }

    /// How many tiles the rows of a group are cut into.
    pub(crate) fn row_tiles(&self) -> usize {
        self.rows.div_ceil(self.array_rows)
    }

    /// Rows of a group that one of its row tiles holds.
    pub(crate) fn rows_of(&self, row_tile: usize) -> Range<usize> {
        let first = row_tile * self.array_rows;
        first..self.rows.min(first.saturating_add(self.array_rows))
    }

    /// The columns that share an array with this one. Columns are counted over all groups.
    pub(crate) fn columns_beside(&self, column: usize) -> Range<usize> {
        if self.whole {
            return 0..self.groups * self.columns;
        }
        let (group, column) = (column / self.columns, column % self.columns);
        let first = column / self.array_columns * self.array_columns;
        let last = self.columns.min(first.saturating_add(self.array_columns));
        group * self.columns + first..group * self.columns + last
    }

    /// The rows and the columns of cells that an array has for this layer.
    pub(crate) fn extent(&self) -> [usize; 2] {
        match self.whole {
            true => [self.groups * self.rows, self.groups * self.cell_columns],
            false => [self.array_rows, self.cell_columns],
        }
    }

    /// Where a cell lies along the rows and along the columns of its array, from 0 to less than 1. `column` is counted
    /// over all groups, `row` within the group.
    pub(crate) fn place(&self, column: usize, row: usize) -> [f64; 2] {
        let (group, in_group) = (column / self.columns, column % self.columns);
        let at = match self.whole {
            true => [group * self.rows + row, column * self.cells_per_column],
            false => [row % self.array_rows, in_group % self.array_columns * self.cells_per_column],
        };
        let extent = self.extent();
        [at[0] as f64 / extent[0] as f64, at[1] as f64 / extent[1] as f64]
    }

    /// Rows that are driven for one output position, over all tiles.
    pub(crate) fn driven_rows(&self) -> u128 {
        let times = if self.whole { 1 } else { self.column_tiles() };
        self.groups as u128 * self.rows as u128 * times as u128
    }

    /// Columns that are read for one output position, over all tiles.
    pub(crate) fn read_columns(&self) -> u128 {
        self.groups as u128 * self.columns as u128 * self.row_tiles() as u128
    }

    /// Strips of columns that a group is cut into, each of which sees its whole input.
    pub(crate) fn column_strips(&self) -> usize {
        if self.whole { 1 } else { self.column_tiles() }
    }

    fn column_tiles(&self) -> usize {
        self.columns.div_ceil(self.array_columns)
    }

    /// A tile by its index, less than [`Tiling::tiles`].
    pub(crate) fn tile(&self, index: u128) -> Tile {
        if self.whole {
            return Tile { groups: 0..self.groups, rows: 0..self.rows, columns: 0..self.columns };
        }
        let index = usize::try_from(index).expect("there are no more tiles than weights");
        let (strip, row) = (index / self.row_tiles(), index % self.row_tiles() * self.array_rows);
        let (group, column) = (strip / self.column_tiles(), strip % self.column_tiles() * self.array_columns);
        Tile {
            groups: group..group + 1,
            rows: row..self.rows.min(row.saturating_add(self.array_rows)),
            columns: column..self.columns.min(column.saturating_add(self.array_columns)),
        }
    }

    /// Cells of one array, with a weight or without. An array that is unbounded has no cell off the blocks of its layer.
    pub(crate) fn array_cells(&self) -> u128 {
        match self.whole {
            true => self.groups as u128 * self.rows as u128 * self.cell_columns as u128,
            false => self.array_rows as u128 * self.cell_columns as u128,
        }
    }

    /// Cells of the arrays that hold all tiles.
    pub(crate) fn cells(&self) -> Cells {
        let columns = self.columns * self.cells_per_column;
        let [groups, rows, columns] = [self.groups, self.rows, columns].map(|n| n as u128);
        let all_rows = self.row_tiles() as u128 * self.array_rows as u128;
        let all_columns = self.column_tiles() as u128 * self.cell_columns as u128;
        Cells {
            occupied: groups * rows * columns,
            row_edge: groups * (all_rows - rows) * all_columns,
            column_edge: groups * rows * (all_columns - columns),
        }
    }

    /// Cells of an array that holds one tile.
    pub(crate) fn cells_of(&self, tile: &Tile) -> Cells {
        let [groups, rows, columns] = [&tile.groups, &tile.rows, &tile.columns].map(|range| range.len() as u128);
        let columns = columns * self.cells_per_column as u128;
        let (array_rows, array_columns) = (self.array_rows as u128, self.cell_columns as u128);
        Cells {
            occupied: groups * rows * columns,
            row_edge: groups * (array_rows - rows) * array_columns,
            column_edge: groups * rows * (array_columns - columns),
        }
    }
}

impl Cells {
    /// Both counts added.
    pub(crate) fn merge(self, other: Cells) -> Cells {
        Cells {
            occupied: self.occupied + other.occupied,
            row_edge: self.row_edge + other.row_edge,
            column_edge: self.column_edge + other.column_edge,
        }
    }

    /// The cell-cycles of so many reads; `None` if they do not fit 128 bits.
    pub(crate) fn times(self, reads: u128) -> Option<Cells> {
        Some(Cells {
            occupied: self.occupied.checked_mul(reads)?,
            row_edge: self.row_edge.checked_mul(reads)?,
            column_edge: self.column_edge.checked_mul(reads)?,
        })
    }
}
