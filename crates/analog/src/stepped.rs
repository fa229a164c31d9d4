//! The arrays cycle by cycle.

use engine::{Activations, EngineError, Layer, Observer, Outputs, SteppedRun};

use crate::array::{AnalogArray, amplitude, real_input, square};
use crate::tiling::{Cells, Tile, Tiling};

/// Analog arrays on their way through one layer of one image.
///
/// The work is a list of pairs of a tile and a position: all positions of the first tile, for its weights stay where they
/// are, then those of the next. In a cycle each array takes the next pair. Every cell of the tile drives its amplitude
/// times its input into its column, in row order, and spends the energy of its squared amplitude; the column's partial
/// sum is then added to its output, so partial sums of an output come in the order of tiles.
#[derive(Clone, Debug)]
pub struct SteppedArray<'a> {
    array: &'a AnalogArray,
    layer: Layer<'a>,
    tiling: Tiling,
    input: &'a [f32],
    /// Position and tile that come next; no tile when all is done.
    next: (u64, Option<Tile>),
    next_tile: u128,
    cycle: u128,
    squares: u128,
    cells: Cells,
    outputs: Vec<f32>,
    /// The input vector of one group.
    vector: Vec<f32>,
}

/// What cells did in one cycle.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    active: u64,
    squares: u128,
}

impl<'a> SteppedArray<'a> {
    /// Sets the machine before its first cycle. `input` is `[repeats, in_channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Arithmetic`] if the input is not real, [`EngineError::Shape`] if it has the wrong length,
    /// [`EngineError::Activation`] if a number of it is not finite.
    pub fn new(array: &'a AnalogArray, layer: &Layer<'a>, input: Activations<'a>) -> Result<Self, EngineError> {
        let input = real_input(layer.name(), layer.geometry(), input)?;
        let mut machine = Self {
            array,
            layer: *layer,
            tiling: array.tiling(layer.geometry()),
            input,
            next: (0, None),
            next_tile: 0,
            cycle: 0,
            squares: 0,
            cells: Cells::default(),
            outputs: vec![0.0; layer.geometry().output_len()],
            vector: Vec::new(),
        };
        machine.load_tile();
        Ok(machine)
    }

    /// Cycles done.
    pub fn cycle(&self) -> u128 {
        self.cycle
    }

    /// Energy spent so far, in units of the ledger's entry [`engine::MAC_ENTRY`].
    pub fn count(&self) -> u128 {
        self.squares
    }

    /// The sums so far, `[repeats, filters, out_height, out_width]`, in steps of the weight grid.
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// Does one cycle; returns whether there was work left for one.
    pub fn advance(&mut self, observer: &mut impl Observer) -> bool {
        if self.next.1.is_none() {
            return false;
        }
        let mut work = Work::default();
        for _ in 0..self.array.arrays() {
            let (position, Some(tile)) = self.next.clone() else { break };
            self.apply(position, &tile, &mut work);
            self.next.0 += 1;
            if self.next.0 == self.layer.geometry().positions() {
                self.load_tile();
            }
        }
        self.squares += work.squares;
        observer.cycle(self.cycle, work.active, work.squares);
        self.cycle += 1;
        true
    }

    /// What was counted and computed; of all work if [`SteppedArray::advance`] returned `false`.
    pub fn finish(self) -> SteppedRun {
        let run = self.array.layer_run(self.cycle, self.squares, self.cells);
        SteppedRun { run, outputs: Outputs::Real(self.outputs) }
    }

    /// Makes the next tile the one to work on, at its first position.
    fn load_tile(&mut self) {
        let tile = (self.next_tile < self.tiling.tiles()).then(|| self.tiling.tile(self.next_tile));
        if let Some(tile) = &tile {
            self.cells = self.cells.merge(self.tiling.cells_of(tile));
        }
        self.next_tile += 1;
        self.next = (0, tile);
    }

    /// Applies the input vector of a position to a tile.
    fn apply(&mut self, position: u64, tile: &Tile, work: &mut Work) {
        let geometry = self.layer.geometry();
        let per_repeat = geometry.positions_per_repeat();
        let position = usize::try_from(position).expect("positions are indices of outputs");
        let (repeat, position) = (position / per_repeat, position % per_repeat);
        for group in tile.groups.clone() {
            self.read_vector(repeat, position, group, tile);
            for column in tile.columns.clone() {
                let filter = group * geometry.columns() + column;
                let cells = &self.layer.weights().filter(filter)[tile.rows.clone()];
                let partial_sum = drive(cells, &self.vector, work);
                self.outputs[(repeat * geometry.spec().filters + filter) * per_repeat + position] += partial_sum;
            }
        }
    }

    /// Reads the inputs of a tile's rows into `vector`; padding is 0.
    fn read_vector(&mut self, repeat: usize, position: usize, group: usize, tile: &Tile) {
        let geometry = self.layer.geometry();
        let len = geometry.input_len() / geometry.spec().repeats;
        let input = &self.input[repeat * len..][..len];
        let (y, x) = (position / geometry.out_size()[1], position % geometry.out_size()[1]);
        self.vector.clear();
        self.vector.extend(
            tile.rows.clone().map(|row| geometry.input_index(group, row, y, x).map_or(0.0, |index| input[index])),
        );
    }
}

/// One column for one cycle: every cell, in row order.
fn drive(cells: &[i32], inputs: &[f32], work: &mut Work) -> f32 {
    let mut partial_sum = 0.0;
    for (&code, &input) in cells.iter().zip(inputs) {
        partial_sum += amplitude(code) * input;
        work.squares += u128::from(square(code));
        work.active += u64::from(code != 0);
    }
    partial_sum
}
