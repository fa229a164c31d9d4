//! Descriptions of analog engines.

use analog::{AnalogArray, Columns, Departures, Law, Memory, StepEnergy};
use engine::Joules;
use serde::{Deserialize, Serialize};

use super::departures::{AdcFile, BiasFile, DacFile, LawWord, NoiseFile};
use super::pulses::{CodingWord, PulsesFile};
use super::{EngineKind, Hardware, HardwareFile, Metric, check_name, clock, count, energy};

/// Description of an analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogFile {
    /// Name in reports.
    pub name: String,
    /// `"analog"`.
    pub engine: EngineKind,
    /// Its arrays.
    pub array: AnalogArrayFile,
    /// The memory beside them; it costs nothing, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffers: Option<AnalogBuffersFile>,
    /// Clock in hertz; left out, latency is cycles alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<f64>,
    /// Its energies.
    pub energy: AnalogEnergyFile,
    /// Quiescent energy of its cells; class B, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<BiasFile>,
    /// Converters of its input; real numbers drive it, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dac: Option<DacFile>,
    /// Pulses that drive its rows; an input is one level, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulses: Option<PulsesFile>,
    /// Converters of its partial sums; they are read as they are, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adc: Option<AdcFile>,
    /// Errors of its cells; none, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseFile>,
}

/// Arrays of the analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogArrayFile {
    /// Cells along the input vector.
    pub rows: Extent,
    /// Cells along the filters.
    pub columns: Extent,
    /// Arrays that work at the same time.
    pub arrays: u64,
    /// Whether a filter has two columns, of its positive and of its negative weights.
    #[serde(default)]
    pub differential: bool,
    /// Whether conversion of the input, array and conversion of the columns work at the same time, on vectors that
    /// follow one another.
    #[serde(default = "yes")]
    pub pipelined: bool,
    /// Bits of a weight that a column holds; whole weights, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_column: Option<u32>,
    /// Whether the columns of a weight are added before they are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join_columns: Option<bool>,
    /// Columns of a filter that hold no weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulator_columns: Option<u32>,
}

/// The memory beside the arrays, and the sizes of what is moved.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogBuffersFile {
    /// Activation buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_buffer_bits: Option<u64>,
    /// Size of an activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_activation: Option<u64>,
    /// Size of a partial sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_partial_sum: Option<u64>,
}

/// A number of cells, or `"unbounded"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a whole number, or \"unbounded\"")]
pub enum Extent {
    /// So many.
    Cells(u64),
    /// As many as a layer needs.
    Word(Unbounded),
}

/// The word for an extent without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Unbounded {
    /// `"unbounded"`.
    #[serde(rename = "unbounded")]
    Unbounded,
}

impl Extent {
    fn cells(self) -> Option<u64> {
        match self {
            Extent::Cells(cells) => Some(cells),
            Extent::Word(Unbounded::Unbounded) => None,
        }
    }
}

/// Energies of the analog engine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogEnergyFile {
    /// Whether the energies are in units of a choice and no joules.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalized: bool,
    /// Joules of one whole MAC, over all steps of its input, per squared half-step of its weight. Every law but that of
    /// bits needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_j_per_squared_half_step: Option<f64>,
    /// Joules of a cell of a filter in a step; the law of bits needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell_j_per_step: Option<f64>,
    /// Joules of a cell that belongs to no filter, in a step of its array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_cell_j_per_step: Option<f64>,
    /// Joules of an array in a step, whatever it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array_j_per_step: Option<f64>,
    /// Joules of what is done to one output after its last conversion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_j: Option<f64>,
    /// How that depends on the weight.
    #[serde(default)]
    pub law: LawWord,
    /// Whether it is proportional to the square of the input, too; where left out, only a conductance is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_dependent: Option<bool>,
    /// Mean square of the input, over that of full scale, that is assumed where no image is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed_mean_square_input: Option<f64>,
    /// Joules of one digital addition of conversions that belong to the same output.
    #[serde(default)]
    pub addition_j: f64,
    /// Joules of fetching one bit of an activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_fetch_j_per_bit: Option<f64>,
    /// Joules of moving one bit of a partial sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_sum_j_per_bit: Option<f64>,
}

impl AnalogFile {
    pub(super) fn build(self) -> Result<Hardware, String> {
        check_name(&self.name)?;
        let clock_hz = clock(self.clock_hz)?;
        let departures = self.departures()?;
        let unit = self.unit(&departures)?;
        let (rows, columns) = (extent("array.rows", self.array.rows)?, extent("array.columns", self.array.columns)?);
        let arrays = count("array.arrays", self.array.arrays)?;
        let engine = match unit {
            Some(unit) => AnalogArray::new(&self.name, rows, columns, arrays, unit),
            None => AnalogArray::of_equal_cells(&self.name, rows, columns, arrays),
        };
        let engine = engine.and_then(|engine| engine.with(departures)).map_err(|e| e.to_string())?;
        Ok(Hardware {
            ideal: engine.is_ideal(),
            engine: Box::new(engine),
            metric: if self.energy.law == LawWord::Bits { Metric::EsnD } else { Metric::EsnA },
            unit: unit.unwrap_or_default(),
            normalized: self.energy.normalized,
            clock_hz,
            resolved: HardwareFile::Analog(Box::new(self)),
        })
    }

    /// Whether the energy of a MAC is proportional to the square of its input. A conductance is, unless its voltage is that of
    /// a pulse.
    fn squares_input(&self) -> bool {
        let by_pulses = self.pulses.as_ref().is_some_and(|pulses| pulses.coding == CodingWord::Bits);
        self.energy.input_dependent.unwrap_or(self.energy.law == LawWord::Conductance && !by_pulses)
    }

    /// Whether everything is assumed of the input that energy depends on.
    pub(super) fn assumes_input(&self) -> bool {
        let energy = &self.energy;
        let squares = self.squares_input();
        let counted = self.pulses.as_ref().is_some_and(|pulses| pulses.coding == CodingWord::Count);
        let assumed = self.pulses.as_ref().is_some_and(|pulses| pulses.assumed_mean_input.is_some());
        (!squares || energy.assumed_mean_square_input.is_some()) && (!counted || assumed)
    }

    /// Energy of a MAC that the law counts as one unit; none where cells spend the same whatever they hold. Cells of bits spend
    /// theirs in every step of the input, and other cells in every pulse, where an input is one pulse for each of its bits.
    fn unit(&self, departures: &Departures) -> Result<Option<Joules>, String> {
        let of_mac = "energy.mac_j_per_squared_half_step";
        let of_cell = "energy.cell_j_per_step";
        let file = &self.energy;
        match (file.law, file.mac_j_per_squared_half_step, file.cell_j_per_step) {
            (LawWord::Bits, None, Some(joules)) => {
                Ok(Some(Joules(energy(of_cell, joules)?.0 * f64::from(departures.input_steps()))))
            }
            (LawWord::Bits, Some(_), _) => {
                Err(format!("{of_mac} does not go with energy.law \"bits\"; give {of_cell}"))
            }
            (LawWord::Bits, None, None) => Err(format!("{of_cell} is missing; energy.law \"bits\" needs it")),
            (LawWord::AmplitudeSquared | LawWord::FixedSupply | LawWord::Conductance, Some(joules), _) => {
                Ok(Some(Joules(energy(of_mac, joules)?.0 * f64::from(departures.pulses_of_mac()))))
            }
            (LawWord::AmplitudeSquared | LawWord::FixedSupply | LawWord::Conductance, None, _) => {
                let of_array = file.array_j_per_step.filter(|joules| *joules > 0.0);
                let missing =
                    format!("{of_mac} is missing; every energy.law but \"bits\" needs it, or energy.array_j_per_step");
                of_array.map(|_| None).ok_or(missing)
            }
        }
    }

    fn departures(&self) -> Result<Departures, String> {
        let energy = &self.energy;
        let joules = |value: Option<f64>| Joules(value.unwrap_or(0.0));
        let law = Law {
            weight: energy.law.weight(),
            input_dependent: self.squares_input(),
            assumed_mean_square: energy.assumed_mean_square_input,
        };
        Ok(Departures {
            differential: self.array.differential,
            sequential: !self.array.pipelined,
            addition: Joules(energy.addition_j),
            law,
            bias: self.bias.as_ref().map(BiasFile::bias).transpose()?.unwrap_or_default(),
            dac: self.dac.as_ref().map(DacFile::dac).transpose()?,
            adc: self.adc.as_ref().map(AdcFile::adc).transpose()?,
            noise: self.noise.as_ref().map(NoiseFile::noise).unwrap_or_default(),
            memory: self.memory(),
            columns: Columns {
                bits: self.array.bits_per_column,
                joined: self.array.join_columns.unwrap_or(false),
                accumulators: self.array.accumulator_columns.unwrap_or(0),
            },
            step: StepEnergy {
                cell: joules(energy.cell_j_per_step),
                idle_cell: joules(energy.idle_cell_j_per_step),
                array: joules(energy.array_j_per_step),
            },
            pulses: self.pulses.as_ref().map(PulsesFile::pulses),
            output: joules(energy.output_j),
        })
    }

    fn memory(&self) -> Memory {
        let of = |get: fn(&AnalogBuffersFile) -> Option<u64>| self.buffers.as_ref().and_then(get);
        let joules = |value: Option<f64>| Joules(value.unwrap_or(0.0));
        Memory {
            activation_bits: of(|buffers| buffers.activation_buffer_bits),
            bits_per_activation: of(|buffers| buffers.bits_per_activation).unwrap_or(0),
            bits_per_partial_sum: of(|buffers| buffers.bits_per_partial_sum).unwrap_or(0),
            activation_bit: joules(self.energy.activation_fetch_j_per_bit),
            partial_sum_bit: joules(self.energy.partial_sum_j_per_bit),
        }
    }
}

fn yes() -> bool {
    true
}

fn extent(key: &str, extent: Extent) -> Result<Option<usize>, String> {
    extent.cells().map(|cells| count(key, cells)).transpose()
}
