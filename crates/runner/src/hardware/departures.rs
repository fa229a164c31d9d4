//! Sections of a description that set an analog engine apart from the ideal. Each is optional; left out, it departs in
//! nothing.

use analog::{Adc, Bias, Dac, Noise, Reference, Resolution, WeightLaw};
use engine::Joules;
use serde::{Deserialize, Serialize};

use super::count;

/// How the energy of a MAC depends on its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LawWord {
    /// `code²`, the ideal.
    #[default]
    AmplitudeSquared,
    /// `|code| · max |code|` of the layer.
    FixedSupply,
    /// `|code|` times the square of the input.
    Conductance,
    /// The bits of the code, a cell each.
    Bits,
}

/// Quiescent energy of the cells.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BiasFile {
    /// Class of the output stage.
    pub class: Class,
    /// Part of class A's energy that class AB burns at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiescent_fraction: Option<f64>,
    /// Whose largest amplitude class A burns the energy of.
    #[serde(default)]
    pub reference: ReferenceWord,
}

/// Class of an output stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Class {
    /// Constant current.
    A,
    /// A quiescent current where the signal needs less.
    AB,
    /// The signal's current alone, the ideal.
    B,
}

/// Whose largest amplitude a bias is set for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferenceWord {
    /// The layer's.
    #[default]
    Layer,
    /// That of the part of a column that an array holds.
    Column,
    /// That of the weights that an array holds.
    Array,
}

/// Digital-to-analog converters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DacFile {
    /// Bits of an input's magnitude.
    pub bits: u32,
    /// Bits that are applied at a time; all, where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_step: Option<u32>,
    /// Joules of one conversion.
    #[serde(default)]
    pub conversion_j: f64,
    /// Cycles of one conversion.
    #[serde(default)]
    pub conversion_cycles: u64,
    /// Rows that share a converter.
    #[serde(default = "one")]
    pub rows_per_converter: u64,
    /// The activation of full scale.
    #[serde(default)]
    pub full_scale: InputScale,
}

/// The activation of a DAC's full scale.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a number, or \"data\"")]
pub enum InputScale {
    /// This one.
    Activation(f64),
    /// The largest of the image.
    Word(DataWord),
}

/// The word for a scale that follows the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum DataWord {
    /// `"data"`.
    #[serde(rename = "data")]
    Data,
}

impl Default for InputScale {
    fn default() -> Self {
        InputScale::Word(DataWord::Data)
    }
}

/// Analog-to-digital converters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdcFile {
    /// Bits of a partial sum; needed unless it is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// Joules of one conversion.
    #[serde(default)]
    pub conversion_j: f64,
    /// Cycles of one conversion.
    #[serde(default)]
    pub conversion_cycles: u64,
    /// Columns that share a converter.
    #[serde(default = "one")]
    pub columns_per_converter: u64,
    /// The partial sum of full scale.
    pub full_scale: SumScale,
    /// Sign of the partial sums that are converted.
    #[serde(default)]
    pub range: Range,
}

/// The partial sum of an ADC's full scale.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a number, \"exact\" or \"max-sum\"")]
pub enum SumScale {
    /// This one.
    Sum(f64),
    /// A rule.
    Word(SumRule),
}

/// Rules for an ADC's full scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SumRule {
    /// Nothing is rounded.
    Exact,
    /// The sum of the column's weights at full scale of the input.
    MaxSum,
}

/// Sign of the partial sums that are converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// Both.
    #[default]
    Bipolar,
    /// From 0 up.
    Unipolar,
}

/// Errors of the cells.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseFile {
    /// Seed of everything random.
    pub seed: u64,
    /// Standard deviation of programmed amplitudes.
    pub programming_sigma: f64,
    /// What that is relative to.
    pub programming_relative_to: ProgrammingUnit,
    /// Standard deviation of an amplitude from read to read.
    pub read_sigma: f64,
    /// What that is relative to.
    pub read_relative_to: ReadUnit,
    /// Part of the amplitude lost at the far end of the rows.
    pub ir_drop_along_rows: f64,
    /// Part of the amplitude lost at the far end of the columns.
    pub ir_drop_along_columns: f64,
}

/// What the error of programming is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgrammingUnit {
    /// The largest weight of the layer.
    #[default]
    LargestWeight,
    /// The weight of the cell.
    Weight,
}

/// What read noise is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadUnit {
    /// The largest weight of the layer.
    #[default]
    LargestWeight,
    /// The step of the weight grid.
    Step,
}

impl LawWord {
    pub(super) fn weight(self) -> WeightLaw {
        match self {
            LawWord::AmplitudeSquared => WeightLaw::AmplitudeSquared,
            LawWord::FixedSupply => WeightLaw::FixedSupply,
            LawWord::Conductance => WeightLaw::Conductance,
            LawWord::Bits => WeightLaw::Bits,
        }
    }
}

impl BiasFile {
    pub(super) fn bias(&self) -> Result<Bias, String> {
        let quiescent = match (self.class, self.quiescent_fraction) {
            (Class::A, None) => 1.0,
            (Class::B, None) => 0.0,
            (Class::AB, Some(fraction)) => fraction,
            (Class::AB, None) => {
                return Err("bias.quiescent_fraction is missing; class AB needs it, 0 to 1".to_string());
            }
            (Class::A | Class::B, Some(fraction)) => {
                return Err(format!(
                    "bias.quiescent_fraction is {fraction}; only class AB has it, bias.class is {:?}",
                    self.class
                ));
            }
        };
        let reference = match self.reference {
            ReferenceWord::Layer => Reference::Layer,
            ReferenceWord::Column => Reference::Column,
            ReferenceWord::Array => Reference::Array,
        };
        Ok(Bias { quiescent, reference })
    }
}

impl DacFile {
    pub(super) fn dac(&self) -> Result<Dac, String> {
        Ok(Dac {
            bits: self.bits,
            bits_per_step: self.bits_per_step.unwrap_or(self.bits),
            energy: Joules(self.conversion_j),
            cycles: self.conversion_cycles,
            rows_per_converter: count("dac.rows_per_converter", self.rows_per_converter)?,
            full_scale: match self.full_scale {
                InputScale::Activation(full_scale) => Some(full_scale),
                InputScale::Word(DataWord::Data) => None,
            },
        })
    }
}

impl AdcFile {
    pub(super) fn adc(&self) -> Result<Adc, String> {
        let bits = || self.bits.ok_or("adc.bits is missing; only adc.full_scale = \"exact\" does without".to_string());
        let resolution = match self.full_scale {
            SumScale::Word(SumRule::Exact) => Resolution::Exact,
            SumScale::Word(SumRule::MaxSum) => Resolution::MaxSum { bits: bits()? },
            SumScale::Sum(full_scale) => Resolution::Fixed { bits: bits()?, full_scale },
        };
        Ok(Adc {
            resolution,
            unipolar: self.range == Range::Unipolar,
            energy: Joules(self.conversion_j),
            cycles: self.conversion_cycles,
            columns_per_converter: count("adc.columns_per_converter", self.columns_per_converter)?,
        })
    }
}

impl NoiseFile {
    pub(super) fn noise(&self) -> Noise {
        Noise {
            seed: self.seed,
            programming: self.programming_sigma,
            programming_of_weight: self.programming_relative_to == ProgrammingUnit::Weight,
            read: self.read_sigma,
            read_of_largest: self.read_relative_to == ReadUnit::LargestWeight,
            ir_drop_rows: self.ir_drop_along_rows,
            ir_drop_columns: self.ir_drop_along_columns,
        }
    }
}

fn one() -> u64 {
    1
}

#[cfg(test)]
mod tests;
