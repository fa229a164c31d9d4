//! What a row of the array does in a cycle, and what it begins next.

use std::collections::HashSet;
use std::ops::Range;

use engine::{Activations, EngineError, Layer};

use super::elements::{self, Executed, ProcessingElement};
use super::program::{Operation, Program, Programmer};
use super::row::{Row, Task};
use crate::account::Counts;
use crate::departures::{Barrier, Departures, ZeroActivations};
use crate::encoding::Encoding;
use crate::input::{PaddedInput, check_accumulators, integers};
use crate::schedule::deal;
use crate::spec::ArraySpec;
use crate::storage::Storage;
use crate::traffic::InputTraffic;

/// What all rows share. The description of the array, the layer and its input do not change while the machine runs.
/// What the activation buffer holds does.
pub(super) struct Work<'a> {
    pub(super) spec: ArraySpec,
    /// The departures of the array.
    pub(super) described: Departures,
    /// The departures as they hold for the layer.
    pub(super) departures: Departures,
    pub(super) layer: Layer<'a>,
    encoding: Encoding,
    live: Vec<bool>,
    pub(super) storage: Storage,
    pub(super) input: PaddedInput,
    /// Where the receptive field of each position begins in the input.
    pub(super) corners: Vec<u32>,
    traffic: InputTraffic,
    /// Groups of the layer whose input was fetched, with the pass in which it was. If the input stays, the pass is 0.
    fetched: HashSet<(usize, usize)>,
    /// Whether one operation always follows another at once.
    straight: bool,
    /// Whether anything is counted when an operation is looked up.
    counts_look_ups: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        spec: &ArraySpec,
        departures: &Departures,
        layer: &Layer<'a>,
        input: Activations<'_>,
    ) -> Result<Self, EngineError> {
        check_accumulators(layer)?;
        let described = departures;
        let departures = described.of_layer(layer.weights()).into_owned();
        let encoding = Encoding::new(spec, &departures, layer)?;
        let geometry = layer.geometry();
        let input = PaddedInput::new(layer, integers(layer.name(), geometry, input)?)?;
        let live = encoding.live(layer.weights());
        Ok(Self {
            spec: spec.clone(),
            storage: Storage::new(&departures, &encoding, layer.weights(), &live),
            live,
            corners: input.corners(geometry),
            traffic: InputTraffic::new(&departures, &encoding, layer),
            fetched: HashSet::new(),
            straight: departures.index_cycles_per_nonzero == 0 && departures.zero_activations != ZeroActivations::Skip,
            counts_look_ups: departures.index_bits_per_nonzero > 0,
            described: described.clone(),
            departures,
            layer: *layer,
            encoding,
            input,
        })
    }

    /// The filters of every row, from the lengths of their programs.
    pub(super) fn deal(&self) -> Vec<Vec<usize>> {
        let mut program = Program::default();
        let filters = 0..self.layer.geometry().spec().filters;
        let planned: Vec<u128> = filters
            .map(|filter| {
                self.write(filter, &mut program);
                self.planned(&program)
            })
            .collect();
        deal(self.spec.rows, &planned, &self.departures)
    }

    /// Cycles of a program if no activation is 0.
    fn planned(&self, program: &Program) -> u128 {
        let groups = self.corners.len().div_ceil(self.spec.pes_per_row) as u128;
        let departures = &self.departures;
        let tile = |tile: &super::program::Tile| {
            let executing = (tile.operations.1 - tile.operations.0) as u128;
            let decoding = u128::from(tile.weights) * u128::from(departures.index_cycles_per_nonzero);
            let group = u128::from(departures.fill_cycles_per_group) + decoding + executing;
            u128::from(departures.fill_cycles_per_tile) + groups * group
        };
        program.tiles.iter().map(tile).sum()
    }

    fn write(&self, filter: usize, program: &mut Program) {
        let Self { departures, encoding, layer, live, storage, .. } = self;
        let geometry = layer.geometry();
        let offsets = self.input.offsets(geometry, filter / geometry.columns());
        Programmer { departures, encoding, storage, layer: *layer, live }.write(filter, &offsets, program);
    }

    /// Lets a row go on until it waits or is done, for `limit` cycles at most. Returns the cycles that it took.
    #[inline]
    pub(super) fn advance(&mut self, row: &mut Row, limit: u64, outputs: &mut [i64], counts: &mut Counts) -> u64 {
        let mut left = limit;
        while left > 0 {
            left -= match &mut row.task {
                Task::Execute => {
                    let ahead = if self.straight { row.end - row.next } else { 1 };
                    let cycles = left.min(ahead as u64);
                    self.execute(row, row.next..row.next + cycles as usize, counts);
                    cycles
                }
                Task::Fill(cycles) => count_down(cycles, left, &mut counts.filling),
                Task::Decode(cycles) => count_down(cycles, left, &mut counts.decoding),
                Task::LookUp | Task::Wait | Task::Done => break,
            };
            self.settle(row, outputs, counts);
        }
        limit - left
    }

    /// The cycles of consecutive operations, in each of which every element takes the planes of one of them.
    #[inline]
    fn execute(&self, row: &mut Row, operations: Range<usize>, counts: &mut Counts) {
        let cycles = elements::Cycles {
            runs: &row.runs,
            program: &row.program,
            operations: operations.clone(),
            input: &self.input.values,
            gates: self.departures.zero_activations != ZeroActivations::Compute,
        };
        let executed = cycles.execute(&mut row.elements);
        let cycles = operations.len() as u128;
        counts.working += cycles;
        counts.position_tail += cycles * (self.spec.pes_per_row - row.elements.len()) as u128;
        counts.add(&executed);
        row.next = operations.end;
        row.task = Task::LookUp;
        if self.straight {
            // An operation that follows at once is looked up while the one before is executed.
            let looked_up = operations.start + 1..row.end.min(operations.end + 1);
            self.look_up(&row.program.operations[looked_up], counts);
            if row.next < row.end {
                row.task = Task::Execute;
            }
        }
    }

    /// Counts the look-ups of operations.
    #[inline]
    fn look_up(&self, operations: &[Operation], counts: &mut Counts) {
        if self.counts_look_ups {
            let weights: u64 = operations.iter().map(|operation| u64::from(operation.weights)).sum();
            counts.index_bits += u128::from(weights) * u128::from(self.departures.index_bits_per_nonzero);
        }
    }

    /// Elements whose activation for the weight of the next operation is not 0.
    pub(super) fn active(&self, row: &Row) -> usize {
        elements::active(&row.runs, row.planes().0[0].offset, &self.input.values)
    }

    /// Passes over everything that takes no cycle, until the row has a task for the next cycle, waits, or is done.
    pub(super) fn settle(&mut self, row: &mut Row, outputs: &mut [i64], counts: &mut Counts) {
        loop {
            match row.task {
                Task::Fill(0) => row.task = Task::LookUp,
                Task::LookUp if row.next == row.end => self.finish_group(row, outputs, counts),
                Task::LookUp => {
                    let operation = row.program.operations[row.next];
                    self.look_up(&[operation], counts);
                    let weights = u64::from(operation.weights);
                    row.task = Task::Decode(weights * self.departures.index_cycles_per_nonzero);
                }
                Task::Decode(0) => {
                    row.task = Task::Execute;
                    if self.departures.zero_activations == ZeroActivations::Skip {
                        self.skip_if_silent(row, counts);
                    }
                }
                Task::Fill(_) | Task::Decode(_) | Task::Execute | Task::Wait | Task::Done => return,
            }
        }
    }

    /// Passes over the next operation if the activations of all elements are 0.
    fn skip_if_silent(&self, row: &mut Row, counts: &mut Counts) {
        if self.active(row) == 0 {
            let ideal = u128::from(row.program.uses[row.next].ideal());
            counts.on_zero_activations += row.elements.len() as u128 * ideal;
            row.next += 1;
            row.task = Task::LookUp;
        }
    }

    /// Reads out the accumulators of a finished group. The row then goes on, waits if there is a barrier, or is done.
    fn finish_group(&mut self, row: &mut Row, outputs: &mut [i64], counts: &mut Counts) {
        for (position, element) in (row.first_position..).zip(&row.elements) {
            outputs[self.output_index(row.filter, position)] = element.accumulator;
        }
        self.move_sums(row, counts);
        let ends_filter = row.positions().end == self.corners.len() && row.tile + 1 == row.program.tiles.len();
        let waits = match self.departures.barrier {
            Barrier::None => false,
            Barrier::Filter => ends_filter,
            Barrier::Position => true,
        };
        if ends_filter && row.at + 1 == row.queue.len() {
            row.task = Task::Done;
        } else if waits {
            row.task = Task::Wait;
        } else {
            self.begin_next(row, outputs, counts);
        }
    }

    /// Begins the next group of a row that has one: of its tile, of its filter, or of its next filter.
    pub(super) fn begin_next(&mut self, row: &mut Row, outputs: &[i64], counts: &mut Counts) {
        let next_position = row.positions().end;
        if next_position < self.corners.len() {
            self.begin_group(row, next_position, 0, outputs, counts);
        } else if row.tile + 1 < row.program.tiles.len() {
            self.begin_tile(row, row.tile + 1, outputs, counts);
        } else {
            self.begin_filter(row, row.at + 1, outputs, counts);
        }
    }

    /// Begins the filter at a place of the queue of a row. If the queue has no such place, the row is done.
    pub(super) fn begin_filter(&mut self, row: &mut Row, at: usize, outputs: &[i64], counts: &mut Counts) {
        let Some(&filter) = row.queue.get(at) else {
            row.task = Task::Done;
            return;
        };
        (row.at, row.filter) = (at, filter);
        self.write(filter, &mut row.program);
        let group = filter / self.layer.geometry().columns();
        if self.fetched.insert((group, if self.traffic.fits { 0 } else { at })) {
            counts.activation_bits += self.traffic.group_bits[group];
        }
        self.begin_tile(row, 0, outputs, counts);
    }

    fn begin_tile(&self, row: &mut Row, tile: usize, outputs: &[i64], counts: &mut Counts) {
        row.tile = tile;
        self.begin_group(row, 0, self.departures.fill_cycles_per_tile, outputs, counts);
    }

    /// Gives the elements of a row the positions from `first` on, with the sums of the tiles before.
    fn begin_group(&self, row: &mut Row, first: usize, fill: u64, outputs: &[i64], counts: &mut Counts) {
        let end = self.corners.len().min(first.saturating_add(self.spec.pes_per_row));
        (row.next, row.end) = row.program.tiles[row.tile].operations;
        row.first_position = first;
        elements::find_runs(&self.corners[first..end], &mut row.runs);
        row.elements.clear();
        row.elements.resize(end - first, ProcessingElement { accumulator: 0 });
        if row.tile > 0 {
            for (position, element) in (first..).zip(&mut row.elements) {
                element.accumulator = outputs[self.output_index(row.filter, position)];
            }
            self.move_sums(row, counts);
        }
        row.task = Task::Fill(fill + self.departures.fill_cycles_per_group);
    }

    fn move_sums(&self, row: &Row, counts: &mut Counts) {
        counts.partial_sum_bits +=
            row.elements.len() as u128 * u128::from(self.departures.buffers.bits_per_partial_sum);
    }

    fn output_index(&self, filter: usize, position: usize) -> usize {
        let per_repeat = self.layer.geometry().positions_per_repeat();
        let (repeat, position) = (position / per_repeat, position % per_repeat);
        (repeat * self.layer.geometry().spec().filters + filter) * per_repeat + position
    }
}

/// Takes cycles in which nothing but a countdown happens, `limit` at most, and counts them.
fn count_down(cycles: &mut u64, limit: u64, counter: &mut u128) -> u64 {
    let taken = limit.min(*cycles);
    *cycles -= taken;
    *counter += u128::from(taken);
    taken
}

impl Counts {
    fn add(&mut self, executed: &Executed) {
        self.busy += u128::from(executed.active);
        self.zero_activation += u128::from(executed.gated);
        self.useful += u128::from(executed.useful);
        self.rounding += u128::from(executed.rounding);
        self.zeros += u128::from(executed.zeros);
        self.skipped += u128::from(executed.skipped);
        self.on_zero_activations += u128::from(executed.on_zero_activations);
    }
}
