//! What sets real arrays apart from the ideal engine.

use engine::Joules;

use crate::cells::{self, Coding, Columns, Pulses, StepEnergy};
use crate::error::AnalogError;

/// Departures from the ideal class-B engine. Each is named, and [`Departures::default`] has none.
///
/// A departure that costs energy has a ledger entry of its own. The entry is missing where its count or its energy is
/// 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Departures {
    /// A filter has two columns, one of its positive weights and one of its negative ones.
    pub differential: bool,
    /// A step of an input vector passes both converters before the next is taken in. Without this departure the
    /// conversion of the input, the array and the conversion of the columns work at the same time, each on another
    /// step.
    pub sequential: bool,
    /// Energy of one digital addition. Conversions that belong to the same output are added: those of its tiles, of its
    /// steps and of both its columns.
    pub addition: Joules,
    /// Energy of a MAC that a cell drives.
    pub law: Law,
    /// What a cell burns beyond the energy that it drives.
    pub bias: Bias,
    /// Digital-to-analog conversion of the input. Without it real numbers drive the rows.
    pub dac: Option<Dac>,
    /// Analog-to-digital conversion of the partial sums of columns. Without it they are read as they are.
    pub adc: Option<Adc>,
    /// Errors of the cells.
    pub noise: Noise,
    /// The memory beside the arrays. Weights stay in the cells and are not fetched.
    pub memory: Memory,
    /// How a weight lies in the columns of an array. Without this departure a column holds whole weights.
    pub columns: Columns,
    /// What an array spends in a step beside its converters.
    pub step: StepEnergy,
    /// Pulses that drive the rows. Without them the input of a step is one level.
    pub pulses: Option<Pulses>,
    /// Energy of what is done to one output after its last conversion, as activation and rounding.
    pub output: Joules,
}

/// The memory that activations come from and partial sums go to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// Bits of the activation buffer; `None` if it holds the input of any layer. Where the input does not fit, every strip
    /// of columns fetches it again.
    pub activation_bits: Option<u64>,
    /// Bits of an activation; 0 only where fetching one costs nothing.
    pub bits_per_activation: u64,
    /// Bits of a partial sum; 0 only where moving one costs nothing.
    pub bits_per_partial_sum: u64,
    /// Energy of fetching one bit of an activation.
    pub activation_bit: Joules,
    /// Energy of moving one bit of a partial sum.
    pub partial_sum_bit: Joules,
}

/// How the energy of a MAC depends on what it multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Law {
    /// Dependence on the weight.
    pub weight: WeightLaw,
    /// Whether the energy is proportional to the square of the input, too.
    pub input_dependent: bool,
    /// The mean square of the input that is assumed where no activations are given, as a part of the square of full
    /// scale.
    pub assumed_mean_square: Option<f64>,
}

/// How the energy of a MAC depends on its weight, `code` in half-steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightLaw {
    /// `code²`. This is the ideal class-B output stage, whose supply follows its signal.
    #[default]
    AmplitudeSquared,
    /// `|code|` times the largest `|code|` of the layer. The current follows the signal, the supply does not.
    FixedSupply,
    /// `|code|`. The cell is a conductance in proportion to its weight, at a voltage that the input sets.
    Conductance,
    /// The number of bits of the code. A cell holds one bit and spends the same whatever the bit is; see
    /// [`StepEnergy::cell`].
    Bits,
}

/// Quiescent energy of the cells.
///
/// A cell burns at least `quiescent · law(reference)` in every MAC, pruned or not. What exceeds the energy of its own
/// signal counts as bias. For example, at `quiescent` 0.1 and a largest weight of 10 half-steps a cell burns at least
/// 10 units. A weight of 3 half-steps drives 9 units, so that 1 unit is bias.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bias {
    /// 0 is class B, 1 is class A, and what lies between is class AB. Rounded to a multiple of 2^-20.
    pub quiescent: f64,
    /// The weights whose largest amplitude is the reference.
    pub reference: Reference,
}

/// The weights for whose largest amplitude the bias is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// Those of the layer.
    #[default]
    Layer,
    /// Those in the part of a column that an array holds.
    Column,
    /// Those that an array holds at the same time.
    Array,
}

/// Digital-to-analog converters of the rows.
///
/// An activation becomes an integer, `x = round(activation / full scale · (2^bits − 1))`. Its sign is the polarity of
/// the drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dac {
    /// Bits of the magnitude, 1 to 16.
    pub bits: u32,
    /// Bits that are applied at a time, lowest first. An input vector takes `ceil(bits / bits_per_step)` steps.
    pub bits_per_step: u32,
    /// Energy of one conversion.
    pub energy: Joules,
    /// Cycles of one conversion.
    pub cycles: u64,
    /// Rows that share a converter. The converter serves them one after another.
    pub rows_per_converter: usize,
    /// The activation of full scale. Without it, full scale is the largest magnitude in the input of the layer, found
    /// anew for each image.
    pub full_scale: Option<f64>,
}

/// Analog-to-digital converters of the columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adc {
    /// How a partial sum is rounded.
    pub resolution: Resolution,
    /// Whether only partial sums from 0 up are converted.
    pub unipolar: bool,
    /// Energy of one conversion.
    pub energy: Joules,
    /// Cycles of one conversion.
    pub cycles: u64,
    /// Columns that share a converter. The converter serves them one after another.
    pub columns_per_converter: usize,
}

/// How a partial sum is rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolution {
    /// Not at all.
    Exact,
    /// To `bits` bits. Full scale is the partial sum of the column if every input has full scale and the sign of its
    /// weight.
    MaxSum {
        /// Bits of a conversion, 1 to 16; at least 2 unless unipolar.
        bits: u32,
    },
    /// To `bits` bits of a given full scale.
    Fixed {
        /// Bits of a conversion, 1 to 16; at least 2 unless unipolar.
        bits: u32,
        /// The partial sum of full scale, in steps of the weight grid times steps of the DAC. Without a DAC it is in
        /// steps of the weight grid times activations.
        full_scale: f64,
    },
}

/// Errors of the cells. Each is a function of the seed, the name of the layer, the input and the place of the cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Standard deviation of the amplitude that is programmed, relative to what [`Noise::programming_of_weight`] says.
    pub programming: f64,
    /// Whether the deviation is relative to the weight of the cell. Otherwise it is relative to the largest of the
    /// layer.
    pub programming_of_weight: bool,
    /// Standard deviation of the amplitude in every read of a cell, relative to what [`Noise::read_of_largest`] says.
    pub read: f64,
    /// Whether the deviation is relative to the largest weight of the layer. Otherwise it is in steps of the weight
    /// grid.
    pub read_of_largest: bool,
    /// Part of the amplitude that is lost at the far end of the rows. The loss grows linearly from row to row, from 0.
    pub ir_drop_rows: f64,
    /// Part of the amplitude that is lost at the far end of the columns. The loss grows linearly from column to column,
    /// from 0.
    pub ir_drop_columns: f64,
}

/// Most cycles that a conversion takes.
const MAX_CYCLES: u64 = 1 << 12;

/// Most bits of an activation or a partial sum in memory.
const MAX_WORD_BITS: u64 = 64;

/// Most bits of a converter.
const MAX_BITS: u32 = 16;

/// Largest standard deviation of an error, relative.
const MAX_SIGMA: f64 = 1e3;

/// Most rows or columns that share a converter.
const MAX_SHARED: usize = 1 << 31;

impl Departures {
    /// Refuses what no hardware has. Errors name the keys of the description.
    pub(crate) fn check(&self) -> Result<(), AnalogError> {
        energy("energy.addition_j", self.addition)?;
        self.check_law()?;
        number("bias.quiescent_fraction", self.bias.quiescent, "0 to 1", |q| (0.0..=1.0).contains(&q))?;
        self.dac.as_ref().map_or(Ok(()), Dac::check)?;
        self.adc.as_ref().map_or(Ok(()), Adc::check)?;
        self.memory.check()?;
        cells::check(self)?;
        self.noise.check()
    }

    fn check_law(&self) -> Result<(), AnalogError> {
        let law = &self.law;
        if let Some(mean) = law.assumed_mean_square {
            let wanted = "a part of the square of full scale, above 0 and at most 1";
            number("energy.assumed_mean_square_input", mean, wanted, |m| m > 0.0 && m <= 1.0)?;
        }
        let wrong = |key, found: &str, expected| Err(AnalogError::Value { key, found: found.to_string(), expected });
        if law.input_dependent {
            return match self.dac {
                Some(_) => Ok(()),
                None => {
                    wrong("energy.input_dependent", "true", "a section [dac], whose integers the energy is counted in")
                }
            };
        }
        let by_pulses = self.pulses.is_some_and(|pulses| pulses.coding == Coding::Bits);
        if law.weight == WeightLaw::Conductance && !by_pulses {
            let expected = "true, for a conductance spends the square of its input; or pulses.coding = \"bits\"";
            return wrong("energy.input_dependent", "false", expected);
        }
        match law.assumed_mean_square {
            Some(_) => wrong(
                "energy.assumed_mean_square_input",
                "given",
                "a law that depends on the input (energy.input_dependent = true)",
            ),
            None => Ok(()),
        }
    }

    /// Columns that hold one filter.
    pub(crate) fn columns_per_filter(&self) -> usize {
        if self.differential { 2 } else { 1 }
    }

    /// Whether every count and cycle of every layer is that of the ideal engine.
    pub(crate) fn are_free(&self) -> bool {
        let dac = self.dac.is_none_or(|dac| dac.energy.0 == 0.0 && dac.cycles == 0 && dac.steps() == 1);
        let adc = self.adc.is_none_or(|adc| adc.energy.0 == 0.0 && adc.cycles == 0);
        let law = self.law.weight == WeightLaw::AmplitudeSquared && !self.law.input_dependent;
        let memory = self.memory.activation_bit.0 == 0.0 && self.memory.partial_sum_bit.0 == 0.0;
        let steps = self.step == StepEnergy::default() && self.pulses.is_none() && self.output.0 == 0.0;
        let columns = self.columns == Columns::default();
        dac && adc && law && memory && steps && columns && !self.differential && self.bias.units() == 0
    }

    /// Whether what is spent depends on the input.
    pub(crate) fn depend_on_input(&self) -> bool {
        self.law.input_dependent || self.pulses.is_some_and(|pulses| pulses.depend_on_input())
    }

    /// Pulses in which a cell is driven for one MAC; 1 where the input of a step is one level, or a number of pulses.
    pub fn pulses_of_mac(&self) -> u32 {
        match (self.pulses.map(|pulses| pulses.coding), self.dac) {
            (Some(Coding::Bits), Some(dac)) => dac.bits,
            (Some(Coding::Bits | Coding::Count) | None, _) => 1,
        }
    }

    /// Steps that one input vector takes.
    pub fn input_steps(&self) -> u32 {
        self.dac.map_or(1, |dac| dac.steps())
    }
}

impl Bias {
    /// [`Bias::quiescent`] in units of 2^-20.
    pub(crate) fn units(&self) -> u64 {
        (self.quiescent * BIAS_UNITS as f64).round() as u64
    }
}

/// Units of bias energy in the energy of a MAC of ±1.
pub(crate) const BIAS_UNITS: u64 = 1 << 20;

impl Dac {
    /// Steps that one input vector takes.
    pub(crate) fn steps(&self) -> u32 {
        self.bits.div_ceil(self.bits_per_step)
    }

    /// The largest integer that an activation becomes.
    pub(crate) fn largest(&self) -> u32 {
        (1 << self.bits) - 1
    }

    /// The largest integer that is applied in one step.
    pub(crate) fn largest_digit(&self) -> u32 {
        (1 << self.bits_per_step.min(self.bits)) - 1
    }

    fn check(&self) -> Result<(), AnalogError> {
        integer("dac.bits", self.bits.into(), "1 to 16", 1, MAX_BITS.into())?;
        let per_step = "1 to dac.bits";
        integer("dac.bits_per_step", self.bits_per_step.into(), per_step, 1, self.bits.into())?;
        energy("dac.conversion_j", self.energy)?;
        integer("dac.conversion_cycles", self.cycles, "0 to 4096", 0, MAX_CYCLES)?;
        integer("dac.rows_per_converter", self.rows_per_converter as u64, "1 to 2^31", 1, MAX_SHARED as u64)?;
        let full_scale = self.full_scale.unwrap_or(1.0);
        number("dac.full_scale", full_scale, "\"data\", or an activation of 1e-30 to 1e30", is_scale)
    }
}

impl Adc {
    fn check(&self) -> Result<(), AnalogError> {
        let least = if self.unipolar { 1 } else { 2 };
        let wanted = if self.unipolar { "1 to 16" } else { "2 to 16, one of them the sign" };
        if let Resolution::MaxSum { bits } | Resolution::Fixed { bits, .. } = self.resolution {
            integer("adc.bits", bits.into(), wanted, least, MAX_BITS.into())?;
        }
        if let Resolution::Fixed { full_scale, .. } = self.resolution {
            number("adc.full_scale", full_scale, "\"exact\", \"max-sum\" or 1e-30 to 1e30", is_scale)?;
        }
        energy("adc.conversion_j", self.energy)?;
        integer("adc.conversion_cycles", self.cycles, "0 to 4096", 0, MAX_CYCLES)?;
        integer("adc.columns_per_converter", self.columns_per_converter as u64, "1 to 2^31", 1, MAX_SHARED as u64)
    }
}

/// Largest buffer, in bits.
const MAX_BUFFER_BITS: u64 = 1 << 48;

impl Memory {
    fn check(&self) -> Result<(), AnalogError> {
        energy("energy.activation_fetch_j_per_bit", self.activation_bit)?;
        energy("energy.partial_sum_j_per_bit", self.partial_sum_bit)?;
        let size = self.activation_bits.unwrap_or(1);
        integer("buffers.activation_buffer_bits", size, "1 to 2^48", 1, MAX_BUFFER_BITS)?;
        let least = |needed: bool| u64::from(needed);
        let fetched = self.activation_bit.0 > 0.0 || self.activation_bits.is_some();
        let (activation, sum) = ("buffers.bits_per_activation", "buffers.bits_per_partial_sum");
        let wanted = "1 to 64, for activations are fetched";
        integer(activation, self.bits_per_activation, wanted, least(fetched), MAX_WORD_BITS)?;
        let wanted = "1 to 64, for moving partial sums has an energy";
        integer(sum, self.bits_per_partial_sum, wanted, least(self.partial_sum_bit.0 > 0.0), MAX_WORD_BITS)
    }
}

impl Noise {
    fn check(&self) -> Result<(), AnalogError> {
        for (key, sigma) in [("noise.programming_sigma", self.programming), ("noise.read_sigma", self.read)] {
            number(key, sigma, "0 to 1000", |s| (0.0..=MAX_SIGMA).contains(&s))?;
        }
        let drops =
            [("noise.ir_drop_along_rows", self.ir_drop_rows), ("noise.ir_drop_along_columns", self.ir_drop_columns)];
        for (key, part) in drops {
            number(key, part, "0 to 1", |p| (0.0..=1.0).contains(&p))?;
        }
        Ok(())
    }

    /// Whether cells drive anything but their weights, the same in all reads.
    pub(crate) fn moves_amplitudes(&self) -> bool {
        self.programming > 0.0 || self.ir_drop_rows > 0.0 || self.ir_drop_columns > 0.0
    }

    /// Whether two seeds give different hardware.
    pub(crate) fn is_random(&self) -> bool {
        self.programming > 0.0 || self.read > 0.0
    }
}

fn is_scale(scale: f64) -> bool {
    (1e-30..=1e30).contains(&scale)
}

fn energy(key: &'static str, joules: Joules) -> Result<(), AnalogError> {
    number(key, joules.0, "0 or a positive, finite number of joules", |j| j.is_finite() && j >= 0.0)
}

fn number(
    key: &'static str,
    found: f64,
    expected: &'static str,
    valid: impl Fn(f64) -> bool,
) -> Result<(), AnalogError> {
    if valid(found) { Ok(()) } else { Err(AnalogError::Value { key, found: found.to_string(), expected }) }
}

fn integer(key: &'static str, found: u64, expected: &'static str, from: u64, to: u64) -> Result<(), AnalogError> {
    if (from..=to).contains(&found) {
        Ok(())
    } else {
        Err(AnalogError::Value { key, found: found.to_string(), expected })
    }
}
