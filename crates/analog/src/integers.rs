//! Sums of columns where all that is added are integers.

mod making;

use std::ops::Range;
use std::sync::Arc;

use engine::kernel::{BitConv, BitRoom, CodeRoom, CodeSums, IntegerConv, ShortSums, Sums};
use engine::{Conversions, EngineError};

use crate::converters::{Digit, Rounding};
use crate::departures::{Dac, Departures};
use crate::physical::Physical;
use making::{ColumnConverter, Ends, Making, Step};

/// A 32-bit float holds all integers up to here.
const EXACT: u64 = 1 << 24;

/// Columns of cells without errors whose rows are driven by the integers of a DAC.
///
/// Every partial sum is then an integer of half-steps, which a float holds exactly in whatever order its products are
/// added. What the exact kernel adds is therefore what floats would have come to, bit by bit.
pub(crate) struct IntegerColumns {
    dac: Dac,
    /// By row tile. Where nothing is rounded, all rows are one tile.
    tiles: Vec<IntegerTile>,
    /// The same tiles where weights have no sign and the input is applied bit by bit.
    bits: Option<BitConv>,
    /// Positions of a column, those between the rows of the output among them.
    sheet: usize,
    /// `[repeats, columns]`
    sheets: usize,
    /// `[repeats, columns, out_height, out_width]`
    outputs: usize,
}

struct IntegerTile {
    conv: IntegerConv,
    /// By column; empty where partial sums are read as they are.
    converters: Vec<ColumnConverter>,
}

/// The integers that drive the rows in a step.
enum Digits {
    /// Each plus a number that makes the least of them 0.
    Bytes(Vec<u8>, u8),
    Shorts(Vec<i16>),
}

/// How a tile sums them.
enum TileSums<'a> {
    Bytes(CodeSums<'a>),
    Shorts(ShortSums<'a>),
}

impl IntegerColumns {
    /// `None` where products are no integers, or where their sums might be larger than a float holds exactly.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if the kernel cannot hold the layer.
    pub(crate) fn new(
        layer: &str,
        physical: &Physical<'_>,
        departures: &Departures,
        rounding: Option<&Rounding>,
    ) -> Result<Option<Self>, EngineError> {
        let has_errors = departures.noise.moves_amplitudes() || departures.noise.read > 0.0;
        let Some(dac) = departures.dac.filter(|dac| dac.largest_digit() <= 255 && !has_errors) else {
            return Ok(None);
        };
        let (geometry, tiling) = (physical.geometry, &physical.tiling);
        // Where nothing is rounded, partial sums need not be apart.
        let whole = rounding.is_none();
        let tiles = (0..if whole { 1 } else { tiling.row_tiles() })
            .map(|tile| if whole { 0..geometry.rows() } else { tiling.rows_of(tile) })
            .collect::<Vec<_>>();
        let longest = tiles.iter().map(Range::len).max().unwrap_or(0) as u64;
        let largest = u64::from(physical.largest) * u64::from(dac.largest_digit());
        if largest.checked_mul(longest).is_none_or(|sum| sum > EXACT) {
            return Ok(None);
        }
        let codes: Arc<[i32]> = physical.codes().into();
        let columns = geometry.spec().filters;
        let tile = |(tile, rows): (usize, Range<usize>)| -> Result<IntegerTile, EngineError> {
            let converter = |column: usize| {
                let converter = rounding?.converter(tile, column, dac.largest_digit() as f32);
                let magnitude =
                    physical.column(column)[rows.clone()].iter().map(|code| code.unsigned_abs()).sum::<u32>();
                Some(ColumnConverter::new(converter, magnitude as f32 / 2.0 * dac.largest_digit() as f32))
            };
            let converters = (0..columns).map_while(converter).collect();
            Ok(IntegerTile { conv: IntegerConv::of_rows(layer, &geometry, Arc::clone(&codes), rows)?, converters })
        };
        let bits = match dac.bits_per_step == 1 && dac.bits <= u8::BITS {
            true => BitConv::new(layer, &geometry, &codes, &tiles)?,
            false => None,
        };
        let tiles: Vec<IntegerTile> = tiles.into_iter().enumerate().map(tile).collect::<Result<_, _>>()?;
        let sheet = tiles.first().map_or(0, |tile| tile.conv.sheet());
        let sheets = geometry.spec().repeats * columns;
        let held = Self { dac, tiles, bits, sheet, sheets, outputs: geometry.output_len() };
        let is_possible = |signed: bool| held.tiles.iter().all(|tile| held.sums(tile, signed).is_some());
        Ok((is_possible(false) && is_possible(true)).then_some(held))
    }

    /// The byte that stands for 0, where digits have both signs or not. `None` if they do not fit a byte.
    fn zero(&self, signed: bool) -> Option<u8> {
        let largest = self.dac.largest_digit();
        let zero = if signed { largest } else { 0 };
        u8::try_from(zero + largest).is_ok().then_some(zero as u8)
    }

    fn sums<'a>(&self, tile: &'a IntegerTile, signed: bool) -> Option<TileSums<'a>> {
        match self.zero(signed) {
            Some(zero) => tile.conv.codes(zero.into()).map(TileSums::Bytes),
            None => tile.conv.shorts(self.dac.largest_digit() as u16).map(TileSums::Shorts),
        }
    }

    /// Sums of all columns over tiles and steps, `[repeats, columns, out_height, out_width]`, as activations times steps of
    /// the weight grid. `codes` are the integers of the DAC, `[repeats, in_channels, height, width]`, and `unit` is the
    /// activation that 1 stands for.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length.
    pub(crate) fn forward(
        &self,
        codes: &[i32],
        unit: f32,
        conversions: &mut Conversions,
    ) -> Result<Vec<f32>, EngineError> {
        let signed = codes.iter().fold(0, |all, &code| all | code) < 0;
        let mut making = Making::new(self.sheets * self.sheet, self.outputs);
        match &self.bits {
            Some(bits) if !signed => self.look_up(bits, codes, unit, &mut making)?,
            Some(_) | None => self.multiply(signed, codes, unit, &mut making)?,
        }
        let converted = self.tiles.iter().filter(|tile| !tile.converters.is_empty()).count();
        conversions.total += self.outputs as u64 * converted as u64 * u64::from(self.dac.steps());
        let (outputs, clipped) = making.finish();
        conversions.clipped += clipped;
        Ok(outputs)
    }

    fn multiply(&self, signed: bool, codes: &[i32], unit: f32, making: &mut Making) -> Result<(), EngineError> {
        let mut digits = match self.zero(signed) {
            Some(zero) => Digits::Bytes(vec![zero; codes.len()], zero),
            None => Digits::Shorts(vec![0; codes.len()]),
        };
        let mut room = CodeRoom::default();
        for step in self.steps(unit) {
            digits.set(codes, step.digit);
            for (index, tile) in self.tiles.iter().enumerate() {
                let sums = self.sums(tile, signed).expect("the columns are held only where all tiles take digits");
                let place = self.place(index);
                digits.sum(&sums, &mut room, |unit, sums| {
                    making.take(step, place, tile.converters.get(sums.filter), unit, sums)
                })?;
            }
        }
        Ok(())
    }

    /// As [`IntegerColumns::multiply`], of numbers without sign that are applied bit by bit.
    fn look_up(&self, bits: &BitConv, codes: &[i32], unit: f32, making: &mut Making) -> Result<(), EngineError> {
        let numbers: Vec<u8> = codes.iter().map(|&code| code as u8).collect();
        let steps: Vec<Step> = self.steps(unit).collect();
        bits.sum(&numbers, self.dac.bits, &mut BitRoom::default(), |step, tile, sums| {
            let converter = self.tiles[tile].converters.get(sums.filter);
            making.take(steps[step], self.place(tile), converter, 1, &sums);
        })
    }

    fn steps(&self, unit: f32) -> impl Iterator<Item = Step> {
        let (dac, steps) = (self.dac, self.dac.steps());
        (0..steps).map(move |index| {
            let ends = Ends { first: index == 0, last: index + 1 == steps };
            let digit = Digit::new(dac, index);
            Step { digit, weight: digit.unit() * unit, ends }
        })
    }

    fn place(&self, tile: usize) -> Ends {
        Ends { first: tile == 0, last: tile + 1 == self.tiles.len() }
    }
}

impl Digits {
    /// Those of one step.
    fn set(&mut self, codes: &[i32], digit: Digit) {
        match self {
            Digits::Bytes(bytes, zero) => {
                let (bytes, zero) = (bytes.as_mut_slice(), i32::from(*zero));
                lanes::run(
                    #[inline(always)]
                    move || {
                        for (byte, &code) in bytes.iter_mut().zip(codes) {
                            *byte = (digit.of(code) + zero) as u8;
                        }
                    },
                );
            }
            Digits::Shorts(shorts) => lanes::run(
                #[inline(always)]
                || shorts.iter_mut().zip(codes).for_each(|(short, &code)| *short = digit.of(code) as i16),
            ),
        }
    }

    /// Hands over the sums of a tile, with what 1 of them is in half-steps.
    fn sum(
        &self,
        sums: &TileSums<'_>,
        room: &mut CodeRoom,
        mut take: impl FnMut(i32, &Sums<'_>),
    ) -> Result<(), EngineError> {
        match (self, sums) {
            (Digits::Bytes(bytes, _), TileSums::Bytes(sums)) => {
                sums.sum(bytes, room, |handed| take(sums.unit(), &handed))
            }
            (Digits::Shorts(shorts), TileSums::Shorts(sums)) => {
                sums.sum(shorts, room, |handed| take(sums.unit(), &handed))
            }
            (Digits::Bytes(..), TileSums::Shorts(_)) | (Digits::Shorts(_), TileSums::Bytes(_)) => {
                unreachable!("both are chosen by the signs of the input")
            }
        }
    }
}
