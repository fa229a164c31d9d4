//! What converters make of numbers.

use std::borrow::Cow;

use crate::departures::{Adc, Dac, Resolution};
use crate::physical::Physical;

/// The input of a layer as it drives the rows, `[repeats, in_channels, height, width]`.
pub(crate) enum Drive<'a> {
    /// Real numbers, as they are.
    Real(&'a [f32]),
    /// Integers of a DAC.
    Integer {
        /// The converter.
        dac: Dac,
        /// The integers, at most [`Dac::largest`] in magnitude.
        codes: Vec<i32>,
        /// The activation that 1 stands for.
        step: f32,
    },
}

impl<'a> Drive<'a> {
    pub(crate) fn new(dac: Option<Dac>, input: &'a [f32]) -> Self {
        let Some(dac) = dac else { return Drive::Real(input) };
        let full_scale = dac.full_scale.map_or_else(|| largest(input), |scale| scale as f32);
        let top = dac.largest() as f32;
        // An input of zeros has any scale.
        let step = if full_scale > 0.0 { full_scale / top } else { 1.0 };
        let mut codes = vec![0; input.len()];
        let to = codes.as_mut_slice();
        lanes::run(
            #[inline(always)]
            move || {
                for (code, &x) in to.iter_mut().zip(input) {
                    *code = lanes::round_to_integer((x / step).clamp(-top, top));
                }
            },
        );
        Drive::Integer { dac, codes, step }
    }

    /// The number of steps in which the input is applied.
    pub(crate) fn steps(&self) -> u32 {
        match self {
            Drive::Real(_) => 1,
            Drive::Integer { dac, .. } => dac.steps(),
        }
    }

    /// What drives the rows in one step.
    pub(crate) fn digits(&self, step: u32) -> Cow<'_, [f32]> {
        match self {
            Drive::Real(input) => Cow::Borrowed(input),
            Drive::Integer { dac, codes, .. } => {
                let digit = Digit::new(*dac, step);
                codes.iter().map(|&code| digit.of(code) as f32).collect()
            }
        }
    }

    /// What 1 in a step stands for, in activations: its power of two times the step of the DAC.
    pub(crate) fn weight(&self, step: u32) -> f32 {
        match self {
            Drive::Real(_) => 1.0,
            Drive::Integer { dac, step: unit, .. } => Digit::new(*dac, step).unit() * unit,
        }
    }

    /// Largest number that drives a row in a step.
    pub(crate) fn full_scale(&self) -> f32 {
        match self {
            Drive::Real(input) => largest(input),
            Drive::Integer { dac, .. } => dac.largest_digit() as f32,
        }
    }
}

/// The bits of a DAC's integers that are applied in one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digit {
    shift: u32,
    mask: i32,
}

impl Digit {
    pub(crate) fn new(dac: Dac, step: u32) -> Self {
        Self { shift: step * dac.bits_per_step, mask: dac.largest_digit() as i32 }
    }

    /// What 1 stands for, in integers of the DAC.
    pub(crate) fn unit(self) -> f32 {
        (1u32 << self.shift) as f32
    }

    /// The digit of the magnitude, with the sign of the integer.
    #[inline(always)]
    pub(crate) fn of(self, code: i32) -> i32 {
        let sign = code >> 31;
        ((((code ^ sign) - sign) >> self.shift & self.mask) ^ sign) - sign
    }
}

fn largest(input: &[f32]) -> f32 {
    input.iter().fold(0.0f32, |most, x| most.max(x.abs()))
}

/// The rounding of the columns' converters, for one layer.
#[derive(Clone, Debug)]
pub(crate) struct Rounding {
    low: f32,
    high: f32,
    scale: Scale,
    columns: usize,
}

#[derive(Clone, Debug)]
enum Scale {
    /// One full scale for all columns.
    Fixed(f64),
    /// `Σ |w|` of the part of each column that a tile holds, `[row tiles, columns]`, in steps of the weight grid.
    MaxSum(Vec<f64>),
}

/// The converter of one column, with its full scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Converter {
    low: f32,
    high: f32,
    step: f32,
    inverse: f32,
}

impl Rounding {
    /// `None` where partial sums are read as they are.
    pub(crate) fn new(adc: Option<Adc>, physical: &Physical<'_>) -> Option<Self> {
        let adc = adc?;
        let (bits, scale) = match adc.resolution {
            Resolution::Exact => return None,
            Resolution::MaxSum { bits } => (bits, Scale::MaxSum(magnitudes(physical))),
            Resolution::Fixed { bits, full_scale } => (bits, Scale::Fixed(full_scale)),
        };
        let levels = |bits: u32| ((1u32 << bits) - 1) as f32;
        let high = if adc.unipolar { levels(bits) } else { levels(bits - 1) };
        let low = if adc.unipolar { 0.0 } else { -high };
        Some(Self { low, high, scale, columns: physical.geometry.spec().filters })
    }

    /// The converter of a column in a row tile, where rows are driven by numbers up to `full_scale`.
    pub(crate) fn converter(&self, row_tile: usize, column: usize, full_scale: f32) -> Converter {
        let full_scale = match &self.scale {
            Scale::Fixed(full_scale) => *full_scale,
            Scale::MaxSum(sums) => sums[row_tile * self.columns + column] * f64::from(full_scale),
        };
        let step = (full_scale / f64::from(self.high)) as f32;
        // A column without weights, or driven by nothing, has nothing to convert.
        let (step, inverse) = if (1.0 / step).is_finite() { (step, 1.0 / step) } else { (0.0, 0.0) };
        Converter { low: self.low, high: self.high, step, inverse }
    }
}

impl Converter {
    /// Whether a partial sum lies more than half a step beyond the range.
    #[inline(always)]
    pub(crate) fn clips(self, partial_sum: f32) -> bool {
        let scaled = partial_sum * self.inverse;
        scaled > self.high + 0.5 || scaled < self.low - 0.5
    }

    #[inline(always)]
    pub(crate) fn convert(self, partial_sum: f32) -> f32 {
        lanes::round((partial_sum * self.inverse).clamp(self.low, self.high)) * self.step
    }

    /// Whether all partial sums of up to this magnitude, of either sign, lie in the range.
    pub(crate) fn takes(self, largest: f32) -> bool {
        self.low == -self.high && largest * self.inverse < self.high + 0.5
    }

    /// As [`Converter::convert`], of a partial sum that it [`takes`](Converter::takes): it rounds to a level of the range.
    #[inline(always)]
    pub(crate) fn convert_within(self, partial_sum: f32) -> f32 {
        lanes::round(partial_sum * self.inverse) * self.step
    }
}

fn magnitudes(physical: &Physical<'_>) -> Vec<f64> {
    let tiling = &physical.tiling;
    let columns = physical.geometry.spec().filters;
    let part = |tile: usize, column: usize| {
        let cells = &physical.column(column)[tiling.rows_of(tile)];
        cells.iter().map(|code| u64::from(code.unsigned_abs())).sum::<u64>() as f64 / 2.0
    };
    let part = &part;
    (0..tiling.row_tiles()).flat_map(|tile| (0..columns).map(move |column| part(tile, column))).collect()
}

/// Multiplies the sums of a step with the weight of the step.
pub(crate) fn scale(sums: &mut [f32], weight: f32) {
    sums.iter_mut().for_each(|sum| *sum *= weight);
}

/// Adds the sums of columns of a step, each times the weight of the step.
pub(crate) fn add_scaled(sums: &mut [f32], columns: &[f32], weight: f32) {
    sums.iter_mut().zip(columns).for_each(|(sum, column)| *sum += column * weight);
}
