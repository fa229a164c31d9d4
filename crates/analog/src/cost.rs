//! What a layer costs, with repetition factored out.

use engine::{EngineError, Layer, LayerRun};
use network::Geometry;

use crate::account::{Tally, Time, layer_run};
use crate::cells::Coding;
use crate::converters::Drive;
use crate::departures::{BIAS_UNITS, Departures, WeightLaw};
use crate::law::{floor, law, max_magnitude, reference};
use crate::physical::Physical;
use crate::pipeline::Timing;
use crate::spec::ArraySpec;
use crate::traffic::Traffic;

/// The cost of one image. `input` is read only where energy depends on it.
///
/// # Errors
///
/// [`EngineError::Unsupported`] if a count passes 128 bits, if energy depends on the input and there is neither an
/// input nor an assumed mean square, or if the arrays cannot hold the layer.
pub(crate) fn run(spec: &ArraySpec, layer: &Layer<'_>, input: Option<&[f32]>) -> Result<LayerRun, EngineError> {
    let departures = &spec.departures;
    let physical = Physical::new(spec, layer)?;
    let (geometry, tiling) = (&physical.geometry, &physical.tiling);
    let steps = departures.input_steps();
    let reads = u128::from(geometry.positions()) * u128::from(steps);
    let of_column = physical.conversions as u128;
    let rounds = (u128::from(geometry.positions()) * tiling.tiles()).div_ceil(spec.arrays.get() as u128);
    let conversions = u128::from(steps) * tiling.row_tiles() as u128 * physical.per_filter as u128 * of_column;
    let too_large = || EngineError::Unsupported {
        layer: layer.name().to_string(),
        problem: "a count of it does not fit 128 bits".to_string(),
    };
    let (mac, bias) = cells(departures, layer, &physical, input)?.ok_or_else(too_large)?;
    let cell_steps = tiling.cells().times(reads).ok_or_else(too_large)?;
    let tally = Tally {
        mac,
        bias,
        dac: departures.dac.map_or(0, |_| reads * tiling.driven_rows()),
        adc: departures.adc.map_or(0, |_| reads * tiling.read_columns() * of_column),
        additions: layer.geometry().output_len() as u128 * (conversions - 1),
        array_steps: reads * tiling.tiles(),
        filter_cells: cell_steps.occupied,
        idle_cells: cell_steps.row_edge + cell_steps.column_edge,
        pulses: pulses(departures, layer, &physical, input)?,
        integrations: integrations(departures, &physical),
        outputs: layer.geometry().output_len() as u128,
        traffic: Traffic::new(departures, &physical, layer.geometry().output_len()).ok_or_else(too_large)?,
    };
    let timing = Timing::new(departures, tiling.extent());
    let time = time(spec, &physical, &timing, [u128::from(steps), rounds]).ok_or_else(too_large)?;
    Ok(layer_run(spec, layer, timing, time, &tally))
}

/// What the arrays do in time; `None` if a count passes 128 bits. With `n = rounds · steps` reads one after another, each of
/// `a` cycles:
///
/// ```text
/// read      a · positions · steps · cells of all tiles
/// no work   a · (rounds · arrays − positions · tiles) · steps · cells of an array
/// waiting   (cycles − a · n) · arrays · cells of an array
/// ```
fn time(spec: &ArraySpec, physical: &Physical<'_>, timing: &Timing, [steps, rounds]: [u128; 2]) -> Option<Time> {
    let (tiling, arrays) = (&physical.tiling, spec.arrays.get() as u128);
    let positions = u128::from(physical.geometry.positions());
    let cycles = timing.cycles(rounds * steps)?;
    // Whatever the arrays do, it is a part of this.
    cycles.checked_mul(arrays)?.checked_mul(tiling.array_cells())?;
    Some(Time {
        cycles,
        read: tiling.cells().times(timing.array() * positions * steps)?,
        no_work: timing.array() * (rounds * arrays - positions * tiling.tiles()) * steps * tiling.array_cells(),
        waiting: (cycles - timing.array() * rounds * steps) * arrays * tiling.array_cells(),
    })
}

/// Pulses on all rows: for each step and position as many as [`Coding`] says. `input` is read only where it decides them.
fn pulses(
    departures: &Departures,
    layer: &Layer<'_>,
    physical: &Physical<'_>,
    input: Option<&[f32]>,
) -> Result<u128, EngineError> {
    let (Some(pulses), Some(dac)) = (departures.pulses, departures.dac) else { return Ok(0) };
    let vectors = u128::from(physical.geometry.positions()) * physical.tiling.driven_rows();
    match (pulses.coding, input, pulses.assumed_mean) {
        (Coding::Bits, _, _) => Ok(vectors * u128::from(dac.bits)),
        // What has no energy is not counted in either machine.
        (Coding::Count, _, _) if !pulses.depend_on_input() => Ok(0),
        (Coding::Count, Some(input), _) => {
            let drive = Drive::new(Some(dac), input);
            let digits = (0..dac.steps()).map(|step| counted(physical, &drive.digits(step))).sum::<u128>();
            Ok(digits * physical.tiling.column_strips() as u128)
        }
        (Coding::Count, None, Some(mean)) => {
            let full = f64::from(dac.largest_digit()) * f64::from(dac.steps());
            Ok((vectors as f64 * full * mean).round() as u128)
        }
        (Coding::Count, None, None) => Err(EngineError::Unsupported {
            layer: layer.name().to_string(),
            problem: "its pulses depend on the activations: run it on images, or give pulses.assumed_mean_input"
                .to_string(),
        }),
    }
}

/// The sum of the magnitudes that all rows see at all output positions.
fn counted(physical: &Physical<'_>, digits: &[f32]) -> u128 {
    let geometry = &physical.geometry;
    let [height, width] = geometry.out_size();
    let repeat = digits.len() / geometry.spec().repeats;
    let rows = (0..geometry.spec().groups).flat_map(|group| (0..geometry.rows()).map(move |row| (group, row)));
    let of_row = |(group, row): (usize, usize)| -> u128 {
        let positions = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let read = positions.filter_map(|(y, x)| geometry.input_index(group, row, y, x));
        read.map(|index| digits.chunks_exact(repeat).map(|image| u128::from(image[index].abs() as u32)).sum::<u128>())
            .sum()
    };
    rows.map(of_row).sum()
}

/// Pulses that all columns take in.
fn integrations(departures: &Departures, physical: &Physical<'_>) -> u128 {
    let (Some(pulses), Some(dac)) = (departures.pulses, departures.dac) else { return 0 };
    match pulses.coding {
        Coding::Bits => {
            let columns = physical.tiling.read_columns() * physical.conversions as u128;
            u128::from(physical.geometry.positions()) * columns * u128::from(dac.bits)
        }
        Coding::Count => 0,
    }
}

/// Counts of MACs and of bias; `None` if they do not fit 128 bits.
fn cells(
    departures: &Departures,
    layer: &Layer<'_>,
    physical: &Physical<'_>,
    input: Option<&[f32]>,
) -> Result<Option<(u128, u128)>, EngineError> {
    let floors = Floors::new(departures, physical);
    let weight_law = departures.law.weight;
    match (departures.law.input_dependent, departures.dac, input, departures.law.assumed_mean_square) {
        (false, ..) => Ok(alike(weight_law, physical, &floors)),
        (true, Some(dac), Some(input), _) => {
            let Drive::Integer { codes, .. } = Drive::new(Some(dac), input) else {
                unreachable!("a DAC makes integers")
            };
            Ok(driven(weight_law, physical, &floors, &codes, dac.largest()))
        }
        (true, Some(dac), None, Some(mean)) => Ok(assumed(weight_law, physical, &floors, mean, dac.largest())),
        (true, _, _, _) => Err(EngineError::Unsupported {
            layer: layer.name().to_string(),
            problem: "its energy depends on the activations: run it on images, or give \
                      energy.assumed_mean_square_input"
                .to_string(),
        }),
    }
}

/// The least energy of every cell in a MAC with an input of full scale, in units of bias energy.
struct Floors {
    /// That of the cells of each column, `[row tiles, columns]`; empty in class B.
    floors: Vec<u64>,
    columns: usize,
}

impl Floors {
    fn new(departures: &Departures, physical: &Physical<'_>) -> Self {
        let columns = physical.geometry.spec().filters;
        let units = departures.bias.units();
        if units == 0 {
            return Self { floors: Vec::new(), columns };
        }
        let tiling = &physical.tiling;
        let mut floors = Vec::with_capacity(tiling.row_tiles() * columns);
        for row_tile in 0..tiling.row_tiles() {
            let rows = tiling.rows_of(row_tile);
            let largest = |column: usize| max_magnitude(&physical.column(column)[rows.clone()]);
            let of_columns: Vec<u32> = (0..columns).map(largest).collect();
            let mut column = 0;
            while column < columns {
                let beside = tiling.columns_beside(column);
                let of_array = of_columns[beside.clone()].iter().copied().max().unwrap_or(0);
                let floor = |&of_column: &u32| {
                    let reference = reference(departures.bias.reference, [physical.largest, of_column, of_array]);
                    floor(units, departures.law.weight, reference, physical.largest)
                };
                floors.extend(of_columns[beside.clone()].iter().map(floor));
                column = beside.end;
            }
        }
        Self { floors, columns }
    }

    fn of(&self, row_tile: usize, column: usize) -> u64 {
        self.floors.get(row_tile * self.columns + column).copied().unwrap_or(0)
    }
}

/// Counts where energy does not depend on the input: every MAC of a cell costs the same.
fn alike(weight: WeightLaw, physical: &Physical<'_>, floors: &Floors) -> Option<(u128, u128)> {
    let positions = u128::from(physical.geometry.positions());
    if floors.floors.is_empty() && weight == WeightLaw::AmplitudeSquared {
        let squares: u128 = physical.codes().chunks(MAX_CHUNK).map(chunk_squares).map(u128::from).sum();
        return Some((positions.checked_mul(squares)?, 0));
    }
    let (mut mac, mut bias) = (0u128, 0u128);
    each_cell(weight, physical, floors, |signal, floor| {
        mac += u128::from(signal);
        bias += u128::from(floor.saturating_sub(signal * BIAS_UNITS));
    });
    Some((positions.checked_mul(mac)?, positions.checked_mul(bias)?))
}

/// Counts where the square of every input is taken to be the part `mean` of that of full scale.
fn assumed(
    weight: WeightLaw,
    physical: &Physical<'_>,
    floors: &Floors,
    mean: f64,
    largest: u32,
) -> Option<(u128, u128)> {
    let positions = u128::from(physical.geometry.positions());
    let full = u128::from(largest).pow(2);
    let square = mean * full as f64;
    let (mut mac, mut bias) = (0u128, 0u128);
    each_cell(weight, physical, floors, |signal, floor| {
        mac += u128::from(signal);
        let signal = ((signal * BIAS_UNITS) as f64 * square) as u128;
        bias += (u128::from(floor) * full).saturating_sub(signal);
    });
    // A conversion from a float saturates, and a count that large is refused.
    let mac = Some((positions as f64 * mac as f64 * square).round() as u128).filter(|&mac| mac < u128::MAX)?;
    Some((mac, positions.checked_mul(bias)?))
}

/// Calls `cell` for every cell, with the energy of its signal by its weight alone, and with its floor.
fn each_cell(weight: WeightLaw, physical: &Physical<'_>, floors: &Floors, mut cell: impl FnMut(u64, u64)) {
    let tiling = &physical.tiling;
    for column in 0..physical.geometry.spec().filters {
        let codes = physical.column(column);
        for row_tile in 0..tiling.row_tiles() {
            let floor = floors.of(row_tile, column);
            for &code in &codes[tiling.rows_of(row_tile)] {
                cell(law(weight, code, physical.largest), floor);
            }
        }
    }
}

/// Counts where energy is proportional to the square of the input `x`, which is at most `largest`. Each row is visited
/// once, for all its cells see the same inputs.
fn driven(
    weight: WeightLaw,
    physical: &Physical<'_>,
    floors: &Floors,
    x: &[i32],
    largest: u32,
) -> Option<(u128, u128)> {
    let geometry = &physical.geometry;
    let full = u128::from(largest).pow(2);
    let rows_of_tile = physical.tiling.rows_of(0).len();
    let (mut mac, mut bias) = (0u128, 0u128);
    for group in 0..geometry.spec().groups {
        for row in 0..geometry.rows() {
            let squares = Squares::of_row(geometry, group, row, x, !floors.floors.is_empty());
            for column in group * geometry.columns()..(group + 1) * geometry.columns() {
                let signal = law(weight, physical.column(column)[row], physical.largest);
                mac = u128::from(signal).checked_mul(squares.sum)?.checked_add(mac)?;
                let floor = u128::from(floors.of(row / rows_of_tile, column)) * full;
                bias = squares.below(floor, u128::from(signal * BIAS_UNITS))?.checked_add(bias)?;
            }
        }
    }
    Some((mac, bias))
}

/// The squared inputs that one row sees at all output positions.
struct Squares {
    sum: u128,
    /// The squares in ascending order; empty where only their sum is wanted.
    squares: Vec<u64>,
    /// `sums[n]` is the sum of the first `n` squares.
    sums: Vec<u128>,
}

impl Squares {
    fn of_row(geometry: &Geometry, group: usize, row: usize, x: &[i32], sorted: bool) -> Self {
        let [height, width] = geometry.out_size();
        let mut squares = Vec::with_capacity(geometry.spec().repeats * height * width);
        for image in x.chunks_exact(x.len() / geometry.spec().repeats) {
            for (out_y, out_x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let index = geometry.input_index(group, row, out_y, out_x);
                squares.push(index.map_or(0, |index| u64::from(image[index].unsigned_abs()).pow(2)));
            }
        }
        let sum = squares.iter().map(|&square| u128::from(square)).sum();
        if !sorted {
            return Self { sum, squares: Vec::new(), sums: Vec::new() };
        }
        squares.sort_unstable();
        let mut before = 0;
        let sums = squares.iter().map(|&square| {
            let sum = before;
            before += u128::from(square);
            sum
        });
        let sums = sums.chain([sum]).collect();
        Self { sum, squares, sums }
    }

    /// `Σ max(floor − signal · square, 0)`.
    fn below(&self, floor: u128, signal: u128) -> Option<u128> {
        if floor == 0 {
            return Some(0);
        }
        let count = self.squares.partition_point(|&square| signal * u128::from(square) < floor);
        // What is taken away is no more than what it is taken from.
        Some((count as u128).checked_mul(floor)? - signal * self.sums[count])
    }
}

/// So many codes have squares, at most 2^34 each, whose sum surely fits 64 bits.
const MAX_CHUNK: usize = 1 << 29;

fn chunk_squares(codes: &[i32]) -> u64 {
    codes.iter().map(|&code| law(WeightLaw::AmplitudeSquared, code, 0)).sum()
}
