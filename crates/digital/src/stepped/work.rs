//! What a row of the array does in a cycle, and what it begins next.

use std::collections::HashSet;

use engine::{Activations, EngineError, Layer};

use super::program::{Operation, Program, Programmer};
use super::row::{ProcessingElement, Row, Task};
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
    /// Whether one operation always follows another at once, so that nothing is looked up between them.
    straight: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        spec: &ArraySpec,
        departures: &Departures,
        layer: &Layer<'a>,
        input: Activations<'_>,
    ) -> Result<Self, EngineError> {
        check_accumulators(layer)?;
        let encoding = Encoding::new(spec, departures, layer)?;
        let geometry = layer.geometry();
        let input = PaddedInput::new(layer, integers(layer.name(), geometry, input)?)?;
        let live = encoding.live(layer.weights());
        Ok(Self {
            spec: spec.clone(),
            storage: Storage::new(departures, &encoding, layer.weights(), &live),
            live,
            corners: input.corners(geometry),
            traffic: InputTraffic::new(departures, &encoding, layer),
            fetched: HashSet::new(),
            straight: departures.index_bits_per_nonzero == 0
                && departures.index_cycles_per_nonzero == 0
                && departures.zero_activations != ZeroActivations::Skip,
            departures: departures.clone(),
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

    /// One cycle of a row.
    #[inline]
    pub(super) fn cycle(&mut self, row: &mut Row, outputs: &mut [i64], counts: &mut Counts) {
        match &mut row.task {
            Task::Execute => {
                self.execute(row, counts);
                row.next += 1;
                if self.straight && row.next < row.end {
                    return;
                }
                row.task = Task::LookUp;
            }
            Task::Fill(left) => {
                *left -= 1;
                counts.filling += 1;
            }
            Task::Decode(left) => {
                *left -= 1;
                counts.decoding += 1;
            }
            Task::Wait => counts.waiting += 1,
            Task::LookUp | Task::Done => {}
        }
        self.settle(row, outputs, counts);
    }

    /// Every element takes the planes of the next operation.
    #[inline(always)]
    fn execute(&self, row: &mut Row, counts: &mut Counts) {
        let operation = row.program.operations[row.next];
        let planes = &row.program.planes[operation.first..operation.first + usize::from(operation.planes)];
        for &issue in planes {
            for element in &mut row.elements {
                element.add(issue, &self.input.values);
            }
        }
        let elements = row.elements.len();
        let active = match self.departures.zero_activations {
            ZeroActivations::Compute => elements,
            ZeroActivations::Gate | ZeroActivations::Skip => self.active(row, operation),
        };
        counts.working += 1;
        counts.busy += active as u128;
        counts.position_tail += (self.spec.pes_per_row - elements) as u128;
        // At most 17 planes of at most 2^32 elements.
        let of_active = |planes: u8| u128::from(active as u64 * u64::from(planes));
        counts.useful += of_active(operation.useful);
        if operation.useful != operation.planes || operation.skipped > 0 {
            counts.rounding += of_active(operation.rounding);
            counts.zeros += of_active(operation.zeros);
            counts.skipped += of_active(operation.skipped);
        }
        if active < elements {
            counts.zero_activation += (elements - active) as u128;
            counts.on_zero_activations +=
                (elements - active) as u128 * u128::from(operation.useful + operation.skipped);
        }
    }

    /// Elements whose activation for the weight of an operation is not 0.
    pub(super) fn active(&self, row: &Row, operation: Operation) -> usize {
        let offset = row.program.planes[operation.first].offset as usize;
        row.elements.iter().filter(|element| self.input.values[element.corner as usize + offset] != 0).count()
    }

    /// Passes over everything that takes no cycle, until the row has a task for the next cycle, waits, or is done.
    pub(super) fn settle(&mut self, row: &mut Row, outputs: &mut [i64], counts: &mut Counts) {
        loop {
            match row.task {
                Task::Fill(0) => row.task = Task::LookUp,
                Task::LookUp if row.next == row.end => self.finish_group(row, outputs, counts),
                Task::LookUp => {
                    let weights = u64::from(row.program.operations[row.next].weights);
                    counts.index_bits += u128::from(weights * self.departures.index_bits_per_nonzero);
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
        let operation = row.program.operations[row.next];
        if self.active(row, operation) == 0 {
            let ideal = u128::from(operation.useful + operation.skipped);
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
        row.elements.clear();
        row.elements
            .extend(self.corners[first..end].iter().map(|&corner| ProcessingElement { corner, accumulator: 0 }));
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
