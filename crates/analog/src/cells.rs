//! Arrays whose columns hold bits of weights, what their cells spend, and rows that are driven by pulses.

use engine::Joules;

use crate::departures::{Departures, Resolution, WeightLaw};
use crate::error::AnalogError;

/// How a weight lies in the columns of an array.
///
/// A weight takes `ceil(b / bits)` columns, where `b` is the number of bits of the widest weight of the layer, and the
/// columns of a filter are never spread over two arrays. For example, an array of 128 columns of one bit holds 10
/// filters of 5 bits, if each takes 7 columns more in which its sum grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Bits of a weight that a column holds, 1 to 17; `None` if a column holds whole weights.
    pub bits: Option<u32>,
    /// Whether the columns of a weight are added before they are read, each times its power of two. A weight is then
    /// read in one conversion. Otherwise each of its columns is read by itself.
    pub joined: bool,
    /// Further columns of each filter that hold no weight, such as those into which digital sums grow; at most 64.
    pub accumulators: u32,
}

/// Energies of an array in a step of an input vector, beside those of its converters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepEnergy {
    /// Energy of a cell of a filter in a step. It needs [`WeightLaw::Bits`], where a cell holds one bit.
    pub cell: Joules,
    /// Energy of a cell that belongs to no filter, while its array is read.
    pub idle_cell: Joules,
    /// Energy of an array, whatever it holds.
    pub array: Joules,
}

/// Rows that are driven by pulses. Without them the input of a step is one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulses {
    /// How many pulses a number is.
    pub coding: Coding,
    /// Energy of one pulse on one row.
    pub pulse: Joules,
    /// Energy of taking in one pulse at one column; only for [`Coding::Bits`].
    pub integration: Joules,
    /// Cycles of one pulse, or of taking its charge in once. A number of `n` bits takes `2^n − 1` of them.
    pub cycles: u64,
    /// Mean magnitude of the input over full scale that is assumed where no activations are given; only for
    /// [`Coding::Count`].
    pub assumed_mean: Option<f64>,
}

/// How many pulses a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// One for each of its bits, 0 or 1. The charge of bit `k` is taken in `2^k` times, so that time doubles with each
    /// bit and the number of pulses grows by one.
    Bits,
    /// As many as its magnitude.
    Count,
}

/// Most cycles of one pulse.
const MAX_PULSE_CYCLES: u64 = 1 << 12;

/// Most columns of a filter that hold no weight.
const MAX_ACCUMULATORS: u32 = 64;

/// Most bits of a weight.
const MAX_WEIGHT_BITS: u32 = 17;

impl Columns {
    /// Columns that hold a weight of so many bits, which are asked for only where they matter.
    pub(crate) fn of_weight(&self, weight_bits: impl FnOnce() -> u32) -> usize {
        self.bits.map_or(1, |bits| weight_bits().div_ceil(bits).max(1) as usize)
    }

    /// Conversions of a weight that takes so many columns.
    pub(crate) fn conversions(&self, of_weight: usize) -> usize {
        if self.joined { 1 } else { of_weight }
    }
}

impl Pulses {
    /// Cycles in which an array takes in a step of so many bits.
    pub(crate) fn cycles(&self, bits: u32) -> u64 {
        self.cycles * ((1 << bits) - 1)
    }

    /// Whether what is spent depends on the input.
    pub(crate) fn depend_on_input(&self) -> bool {
        self.coding == Coding::Count && self.pulse.0 > 0.0
    }
}

/// Refuses what no array has, or what contradicts itself. Errors name the keys of the description.
pub(crate) fn check(departures: &Departures) -> Result<(), AnalogError> {
    check_columns(departures)?;
    check_bits(departures)?;
    check_energy("energy.idle_cell_j_per_step", departures.step.idle_cell)?;
    check_energy("energy.array_j_per_step", departures.step.array)?;
    check_energy("energy.output_j", departures.output)?;
    departures.pulses.map_or(Ok(()), |pulses| check_pulses(&pulses, departures))
}

fn check_columns(departures: &Departures) -> Result<(), AnalogError> {
    let columns = &departures.columns;
    if let Some(bits) = columns.bits.filter(|bits| !(1..=MAX_WEIGHT_BITS).contains(bits)) {
        return wrong("array.bits_per_column", bits, "1 to 17");
    }
    if columns.accumulators > MAX_ACCUMULATORS {
        return wrong("array.accumulator_columns", columns.accumulators, "0 to 64");
    }
    if columns.joined && columns.bits.is_none() {
        return wrong("array.join_columns", true, "array.bits_per_column beside it");
    }
    let rounds = departures.adc.is_some_and(|adc| adc.resolution != Resolution::Exact);
    match columns.bits {
        Some(bits) if rounds && !columns.joined => wrong(
            "array.bits_per_column",
            bits,
            "adc.full_scale = \"exact\" or array.join_columns = true: rounding each column of bits is unsupported",
        ),
        Some(_) | None => Ok(()),
    }
}

fn check_bits(departures: &Departures) -> Result<(), AnalogError> {
    let cell = departures.step.cell;
    check_energy("energy.cell_j_per_step", cell)?;
    if departures.law.weight != WeightLaw::Bits {
        return match cell.0 {
            0.0 => Ok(()),
            joules => wrong("energy.cell_j_per_step", number(joules), "energy.law = \"bits\" beside it"),
        };
    }
    if departures.columns.bits != Some(1) {
        let found = departures.columns.bits.map_or("missing".to_string(), |bits| bits.to_string());
        return wrong("array.bits_per_column", found, "1, for energy.law is \"bits\"");
    }
    if departures.law.input_dependent {
        return wrong("energy.input_dependent", true, "false, for energy.law is \"bits\"");
    }
    match departures.bias.units() {
        0 => Ok(()),
        _ => wrong("bias.class", "A or AB", "\"B\", for energy.law is \"bits\""),
    }
}

fn check_pulses(pulses: &Pulses, departures: &Departures) -> Result<(), AnalogError> {
    check_energy("pulses.pulse_j", pulses.pulse)?;
    check_energy("pulses.integration_j", pulses.integration)?;
    if departures.dac.is_none() {
        return wrong("pulses.coding", "given", "a section [dac], whose integers become pulses");
    }
    if !(1..=MAX_PULSE_CYCLES).contains(&pulses.cycles) {
        return wrong("pulses.cycles", pulses.cycles, "1 to 4096");
    }
    if pulses.coding == Coding::Count && pulses.integration.0 > 0.0 {
        return wrong("pulses.integration_j", number(pulses.integration.0), "0, or pulses.coding = \"bits\"");
    }
    match (pulses.assumed_mean, pulses.coding) {
        (Some(mean), Coding::Bits) => wrong("pulses.assumed_mean_input", mean, "pulses.coding = \"count\" beside it"),
        (Some(mean), Coding::Count) if !(mean > 0.0 && mean <= 1.0) => {
            wrong("pulses.assumed_mean_input", mean, "a part of full scale, above 0 and at most 1")
        }
        (Some(_) | None, Coding::Bits | Coding::Count) => Ok(()),
    }
}

fn check_energy(key: &'static str, joules: Joules) -> Result<(), AnalogError> {
    match joules.0.is_finite() && joules.0 >= 0.0 {
        true => Ok(()),
        false => wrong(key, number(joules.0), "0 or a positive, finite number of joules"),
    }
}

/// A number as a description has it: 1e-15 and no row of zeros.
fn number(found: f64) -> String {
    format!("{found:?}")
}

fn wrong(key: &'static str, found: impl ToString, expected: &'static str) -> Result<(), AnalogError> {
    Err(AnalogError::Value { key, found: found.to_string(), expected })
}
