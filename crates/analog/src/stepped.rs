//! The arrays cycle by cycle.

mod view;

use std::ops::Range;

use engine::{Activations, EngineError, Layer, Observer, Outputs, SteppedRun};

use crate::account::{Tally, Time, layer_run};
use crate::cells::Coding;
use crate::converters::{Drive, Rounding, add_scaled, scale};
use crate::departures::{BIAS_UNITS, Departures};
use crate::gaussian::Gaussian;
use crate::law::{floor, law, max_magnitude, reference};
use crate::physical::{Physical, Source, join, random};
use crate::pipeline::{ArrayCycle, Pipeline, Timing};
use crate::spec::ArraySpec;
use crate::tiling::Tile;
use crate::traffic::Traffic;

/// Analog arrays on their way through one layer of one image.
///
/// The work is a list of pairs of a tile and a position: first all positions of the first tile, whose weights stay
/// where they are, then those of the next tile. In a round each array takes the next pair and applies its input vector,
/// in as many steps as the DAC needs. A step is converted, drives the array for a cycle, and its partial sums are
/// converted.
///
/// While a step drives an array, every cell of the tile adds its amplitude times its input to its column, in row order,
/// and spends the energy of its amplitude. The partial sum of the column is then added to those of the same output, in
/// the order of tiles. The sums of all steps are added at the end.
#[derive(Clone, Debug)]
pub struct SteppedArray<'a> {
    spec: &'a ArraySpec,
    layer: Layer<'a>,
    cells: Physical<'a>,
    amplitudes: Vec<f32>,
    rounding: Option<Rounding>,
    input: Inputs,
    pipeline: Pipeline,
    /// The step that is applied next: its round, and its place in the round.
    next: (u128, u32),
    tile: Option<LoadedTile>,
    timing: Timing,
    time: Time,
    tally: Tally,
    reads: Option<CellReads>,
    /// Sums of the columns, `[steps, repeats, columns, out_height, out_width]`.
    sums: Vec<Vec<f32>>,
    /// Whether each output has a partial sum yet.
    begun: Vec<bool>,
}

/// What drives the rows.
#[derive(Clone, Debug)]
struct Inputs {
    /// What drives the rows in each step.
    digits: Vec<Vec<f32>>,
    /// What 1 in each step stands for in the output. Without a DAC nothing is multiplied.
    weights: Option<Vec<f32>>,
    /// Squares of the integers of the DAC; empty where energy does not depend on them.
    squares: Vec<u64>,
    /// The largest possible square; 1 where energy does not depend on squares.
    full_square: u64,
    full_scale: f32,
    /// How a number becomes pulses, with the bits of each step; `None` where there are none.
    pulses: Option<(Coding, Vec<u32>)>,
}

/// Read noise, drawn for every cell that is read.
#[derive(Clone, Debug)]
struct CellReads {
    sigma: f32,
    sequence: Gaussian,
    done: u64,
}

/// A tile that an array holds, and the least energy of its cells.
#[derive(Clone, Debug)]
struct LoadedTile {
    index: u128,
    tile: Tile,
    /// The least energy of a cell of each column in a MAC, in units of bias energy, `[groups, columns]`; empty in class
    /// B.
    floors: Vec<u64>,
}

/// What cells did in one cycle.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    active: u64,
    mac: u128,
    bias: u128,
}

impl<'a> SteppedArray<'a> {
    /// Sets the machine before its first cycle.
    ///
    /// # Errors
    ///
    /// As [`crate::AnalogArray::load`].
    pub(crate) fn new(spec: &'a ArraySpec, layer: &Layer<'a>, input: Activations<'a>) -> Result<Self, EngineError> {
        let input = input.finite_reals(layer.name(), layer.geometry())?;
        let departures = &spec.departures;
        let cells = Physical::new(spec, layer)?;
        let inputs = Inputs::new(departures, input);
        let sigma = cells.read_sigma(&departures.noise);
        let timing = Timing::new(departures, cells.tiling.extent());
        let traffic = Traffic::new(departures, &cells, layer.geometry().output_len()).ok_or_else(|| {
            let problem = "a count of it does not fit 128 bits".to_string();
            EngineError::Unsupported { layer: layer.name().to_string(), problem }
        })?;
        let sequence = || random(departures.noise.seed, layer.name(), Source::CellRead).of_numbers(input);
        Ok(Self {
            spec,
            layer: *layer,
            amplitudes: cells.amplitudes(&departures.noise, layer.name()),
            rounding: Rounding::new(departures.adc, &cells),
            pipeline: Pipeline::new(timing),
            next: (0, 0),
            tile: None,
            timing,
            time: Time::default(),
            tally: Tally { traffic, outputs: layer.geometry().output_len() as u128, ..Tally::default() },
            reads: (sigma > 0.0).then(|| CellReads { sigma, sequence: sequence(), done: 0 }),
            sums: vec![vec![0.0; cells.geometry.output_len()]; inputs.digits.len()],
            begun: vec![false; layer.geometry().output_len()],
            input: inputs,
            cells,
        })
    }

    /// Cycles that are done.
    pub fn cycle(&self) -> u128 {
        self.time.cycles
    }

    /// Energy spent so far, in units of the ledger's entry [`engine::Event::MAC`].
    pub fn count(&self) -> u128 {
        self.tally.mac
    }

    /// The sums so far, `[repeats, filters, out_height, out_width]`, in steps of the weight grid.
    pub fn outputs(&self) -> Vec<f32> {
        let mut sums = self.sums[0].clone();
        if let Some(weights) = &self.input.weights {
            scale(&mut sums, weights[0]);
            for (columns, &weight) in self.sums.iter().zip(weights).skip(1) {
                add_scaled(&mut sums, columns, weight);
            }
        }
        join(sums, self.cells.per_filter, self.cells.geometry.positions_per_repeat())
    }

    /// Does one cycle. Returns `false` if no work was left for one.
    pub fn advance(&mut self, observer: &mut impl Observer) -> bool {
        let Some(array) = self.pipeline.advance(self.has_more()) else {
            return false;
        };
        let mut work = Work::default();
        match array {
            ArrayCycle::EndsStep => self.apply_step(&mut work),
            ArrayCycle::TakesIn => {}
            ArrayCycle::Waits => {
                self.time.waiting += self.spec.arrays.get() as u128 * self.cells.tiling.array_cells();
            }
        }
        self.tally.mac += work.mac;
        self.tally.bias += work.bias;
        observer.cycle(self.time.cycles, work.active, work.mac);
        self.time.cycles += 1;
        true
    }

    /// What was counted and computed so far. This is the whole layer once [`SteppedArray::advance`] has returned
    /// `false`.
    pub fn finish(self) -> SteppedRun {
        let run = layer_run(self.spec, &self.layer, self.timing, self.time, &self.tally);
        SteppedRun { run, outputs: Outputs::Real(self.outputs()) }
    }

    fn steps(&self) -> u128 {
        self.input.digits.len() as u128
    }

    /// Whether there is another step for the pipeline to take in.
    fn has_more(&self) -> bool {
        self.pairs_of_round(self.pipeline.taken() / self.steps()) > 0
    }

    /// Arrays that have work in a round.
    fn pairs_of_round(&self, round: u128) -> u128 {
        let pairs = u128::from(self.cells.geometry.positions()) * self.cells.tiling.tiles();
        let arrays = self.spec.arrays.get() as u128;
        pairs.saturating_sub(round * arrays).min(arrays)
    }

    /// Applies the next step of the input vectors that the arrays work on.
    fn apply_step(&mut self, work: &mut Work) {
        let (round, step) = self.next;
        let positions = u128::from(self.cells.geometry.positions());
        let (arrays, pairs) = (self.spec.arrays.get() as u128, self.pairs_of_round(round));
        let first = round * arrays;
        let cycles = self.timing.array();
        self.time.no_work += cycles * (arrays - pairs) * self.cells.tiling.array_cells();
        for pair in first..first + pairs {
            let tile = self.load_tile(pair / positions);
            self.count_cells(&tile.tile, cycles);
            self.apply((pair % positions) as usize, step as usize, &tile, work);
            self.tile = Some(tile);
        }
        self.next = if u128::from(step) + 1 < self.steps() { (round, step + 1) } else { (round + 1, 0) };
    }

    /// Counts the cells of an array that is read with a tile, for so many cycles.
    fn count_cells(&mut self, tile: &Tile, cycles: u128) {
        let cells = self.cells.tiling.cells_of(tile);
        self.tally.array_steps += 1;
        self.tally.filter_cells += cells.occupied;
        self.tally.idle_cells += cells.row_edge + cells.column_edge;
        let cell_cycles = cells.times(cycles).expect("the cells of an array and the cycles of a step fit 96 bits");
        self.time.read = self.time.read.merge(cell_cycles);
    }

    /// The tile of an index: the one that is loaded, or another one that is loaded now.
    fn load_tile(&mut self, index: u128) -> LoadedTile {
        if let Some(tile) = self.tile.take_if(|tile| tile.index == index) {
            return tile;
        }
        let tile = self.cells.tiling.tile(index);
        LoadedTile { index, floors: self.floors(&tile), tile }
    }

    /// The least energy of the cells of each column of a tile, in units of bias energy.
    fn floors(&self, tile: &Tile) -> Vec<u64> {
        let departures = &self.spec.departures;
        let units = departures.bias.units();
        if units == 0 {
            return Vec::new();
        }
        let of_column = |column: usize| max_magnitude(&self.cells.column(column)[tile.rows.clone()]);
        let magnitudes: Vec<u32> = self.columns(tile).map(of_column).collect();
        let of_array = magnitudes.iter().copied().max().unwrap_or(0);
        let floor = |&of_column: &u32| {
            let reference = reference(departures.bias.reference, [self.cells.largest, of_column, of_array]);
            floor(units, departures.law.weight, reference, self.cells.largest)
        };
        magnitudes.iter().map(floor).collect()
    }

    /// The columns of a tile, counted over all groups.
    fn columns(&self, tile: &Tile) -> impl Iterator<Item = usize> + use<> {
        let (columns, in_group) = (self.cells.geometry.columns(), tile.columns.clone());
        tile.groups.clone().flat_map(move |group| in_group.clone().map(move |column| group * columns + column))
    }

    /// Applies one step of the input vector of a position to a tile.
    fn apply(&mut self, position: usize, step: usize, loaded: &LoadedTile, work: &mut Work) {
        let tile = &loaded.tile;
        let per_repeat = self.cells.geometry.positions_per_repeat();
        let (in_layer, repeat, position) = (position, position / per_repeat, position % per_repeat);
        let departures = &self.spec.departures;
        let mut vector = Vec::new();
        let mut row_indices = Vec::new();
        let mut group = None;
        for (i, column) in self.columns(tile).enumerate() {
            let of_column = column / self.cells.geometry.columns();
            if group.replace(of_column) != Some(of_column) {
                self.read_vector(in_layer, of_column, tile.rows.clone(), &mut row_indices);
                let digits = &self.input.digits[step];
                vector.clear();
                vector.extend(row_indices.iter().map(|index| index.map_or(0.0, |index| digits[index])));
                self.tally.dac += departures.dac.map_or(0, |_| vector.len() as u128);
                self.tally.pulses += self.input.pulses(step, &vector);
            }
            if step == 0 {
                let floor = loaded.floors.get(i).copied().unwrap_or(0);
                self.spend(column, tile, &row_indices, floor, work);
            }
            let mut partial_sum = self.drive(column, tile, &vector);
            if let Some(rounding) = &self.rounding {
                let row_tile = tile.rows.start / self.cells.tiling.rows_of(0).len();
                partial_sum = rounding.converter(row_tile, column, self.input.full_scale).convert(partial_sum);
            }
            let conversions = self.cells.conversions as u128;
            self.tally.adc += departures.adc.map_or(0, |_| conversions);
            self.tally.integrations += conversions * self.input.integrations(step);
            self.add(repeat, column, position, step, partial_sum);
        }
    }

    /// Where rows of a group read the input, `[repeats, in_channels, height, width]`, at a position over all repeats;
    /// `None` for padding.
    fn read_vector(&self, position: usize, group: usize, rows: Range<usize>, indices: &mut Vec<Option<usize>>) {
        let geometry = &self.cells.geometry;
        let per_repeat = geometry.positions_per_repeat();
        let (repeat, position) = (position / per_repeat, position % per_repeat);
        let offset = repeat * (geometry.input_len() / geometry.spec().repeats);
        let (y, x) = (position / geometry.out_size()[1], position % geometry.out_size()[1]);
        indices.clear();
        let index = |row| geometry.input_index(group, row, y, x).map(|index| offset + index);
        indices.extend(rows.map(index));
    }

    /// Spends the energy of the MACs of one column, that of every cell on its whole input.
    fn spend(&self, column: usize, tile: &Tile, indices: &[Option<usize>], floor: u64, work: &mut Work) {
        let weight = self.spec.departures.law.weight;
        let input_dependent = !self.input.squares.is_empty();
        for (&code, index) in self.cells.column(column)[tile.rows.clone()].iter().zip(indices) {
            let square = match input_dependent {
                true => index.map_or(0, |index| self.input.squares[index]),
                false => 1,
            };
            let signal = u128::from(law(weight, code, self.cells.largest)) * u128::from(square);
            let floor = u128::from(floor) * u128::from(self.input.full_square);
            work.mac += signal;
            work.bias += floor.saturating_sub(signal * u128::from(BIAS_UNITS));
            work.active += u64::from(code != 0);
        }
    }

    /// The partial sum of one column, over its cells in row order.
    fn drive(&mut self, column: usize, tile: &Tile, vector: &[f32]) -> f32 {
        let rows = self.cells.geometry.rows();
        let amplitudes = &self.amplitudes[column * rows..][tile.rows.clone()];
        let mut partial_sum = 0.0;
        for (&amplitude, &input) in amplitudes.iter().zip(vector) {
            let amplitude = match &mut self.reads {
                Some(reads) => amplitude + reads.next(),
                None => amplitude,
            };
            partial_sum = amplitude.mul_add(input, partial_sum);
        }
        partial_sum
    }

    /// Adds a partial sum to those of its output.
    fn add(&mut self, repeat: usize, column: usize, position: usize, step: usize, partial_sum: f32) {
        let geometry = &self.cells.geometry;
        let positions = geometry.positions_per_repeat();
        self.sums[step][(repeat * geometry.spec().filters + column) * positions + position] += partial_sum;
        let filters = self.layer.geometry().spec().filters;
        let output = (repeat * filters + column / self.cells.per_filter) * positions + position;
        let begun = std::mem::replace(&mut self.begun[output], true);
        self.tally.additions += self.cells.conversions as u128 - u128::from(!begun);
    }
}

impl Inputs {
    fn new(departures: &Departures, input: &[f32]) -> Self {
        let drive = Drive::new(departures.dac, input);
        let squares = match (&drive, departures.law.input_dependent) {
            (Drive::Integer { codes, .. }, true) => {
                codes.iter().map(|code| u64::from(code.unsigned_abs()).pow(2)).collect()
            }
            (Drive::Integer { .. }, false) | (Drive::Real(_), _) => Vec::new(),
        };
        let largest = departures.dac.filter(|_| departures.law.input_dependent).map_or(1, |dac| dac.largest());
        Self {
            digits: (0..drive.steps()).map(|step| drive.digits(step).into_owned()).collect(),
            weights: departures.dac.map(|_| (0..drive.steps()).map(|step| drive.weight(step)).collect()),
            squares,
            full_square: u64::from(largest).pow(2),
            full_scale: drive.full_scale(),
            pulses: departures.pulses.zip(departures.dac).map(|(pulses, dac)| {
                let bits = |step| dac.bits_per_step.min(dac.bits - step * dac.bits_per_step);
                (pulses.coding, (0..dac.steps()).map(bits).collect())
            }),
        }
    }

    /// Pulses on the rows in a step.
    fn pulses(&self, step: usize, vector: &[f32]) -> u128 {
        match &self.pulses {
            None => 0,
            Some((Coding::Bits, bits)) => vector.len() as u128 * u128::from(bits[step]),
            Some((Coding::Count, _)) => vector.iter().map(|digit| u128::from(digit.abs() as u32)).sum(),
        }
    }

    /// Pulses that a column takes in in a step.
    fn integrations(&self, step: usize) -> u128 {
        match &self.pulses {
            Some((Coding::Bits, bits)) => u128::from(bits[step]),
            Some((Coding::Count, _)) | None => 0,
        }
    }
}

impl CellReads {
    /// The error of the next read.
    fn next(&mut self) -> f32 {
        let error = self.sigma * self.sequence.at(self.done);
        self.done += 1;
        error
    }
}
