//! Sums of columns where all that is added are integers.

use std::ops::Range;
use std::sync::Arc;

use engine::kernel::{BitConv, BitRoom, CodeRoom, CodeSums, IntegerConv, ShortSums, Sums};
use engine::{Conversions, EngineError};

use crate::converters::{Converter, Rounding, power_of_step};
use crate::departures::{Dac, Noise};
use crate::physical::Physical;

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

/// The converter of a column's part in a tile.
#[derive(Clone, Copy)]
struct ColumnConverter {
    converter: Converter,
    /// Whether a partial sum can lie beyond its range.
    clips: bool,
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

/// Sums in the making, `[repeats, columns, sheet]`.
struct Making {
    /// Of the tiles that are done, in this step.
    step: Vec<f32>,
    /// Of the steps that are done.
    total: Vec<f32>,
    /// `[repeats, columns, out_height, out_width]`
    outputs: Vec<f32>,
    clipped: u64,
}

/// One application of the input.
#[derive(Clone, Copy)]
struct Step {
    index: u32,
    /// The activation that 1 stands for.
    weight: f32,
    ends: Ends,
}

/// Whether something is the first and the last of its kind.
#[derive(Clone, Copy)]
struct Ends {
    first: bool,
    last: bool,
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
        rounding: Option<&Rounding>,
        (dac, noise): (Option<Dac>, &Noise),
    ) -> Result<Option<Self>, EngineError> {
        let Some(dac) = dac.filter(|dac| dac.largest_digit() <= 255 && !noise.moves_amplitudes()) else {
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
                let largest = magnitude as f32 / 2.0 * dac.largest_digit() as f32;
                Some(ColumnConverter { converter, clips: !converter.takes(largest) })
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
        let len = self.sheets * self.sheet;
        let (step, total, outputs) = (vec![0.0; len], vec![0.0; len], vec![0.0; self.outputs]);
        let mut making = Making { step, total, outputs, clipped: 0 };
        match &self.bits {
            Some(bits) if !signed => self.look_up(bits, codes, unit, &mut making)?,
            Some(_) | None => self.multiply(signed, codes, unit, &mut making)?,
        }
        let converted = self.tiles.iter().filter(|tile| !tile.converters.is_empty()).count();
        conversions.total += self.outputs as u64 * converted as u64 * u64::from(self.dac.steps());
        conversions.clipped += making.clipped;
        Ok(making.outputs)
    }

    fn multiply(&self, signed: bool, codes: &[i32], unit: f32, making: &mut Making) -> Result<(), EngineError> {
        let mut digits = match self.zero(signed) {
            Some(zero) => Digits::Bytes(vec![zero; codes.len()], zero),
            None => Digits::Shorts(vec![0; codes.len()]),
        };
        let mut room = CodeRoom::default();
        for step in self.steps(unit) {
            digits.set(self.dac, codes, step.index);
            for (index, tile) in self.tiles.iter().enumerate() {
                let sums = self.sums(tile, signed).expect("the columns are held only where all tiles take digits");
                let place = self.place(index);
                digits.sum(&sums, &mut room, |unit, sums| making.take(step, place, tile, unit, sums))?;
            }
        }
        Ok(())
    }

    /// As [`IntegerColumns::multiply`], of numbers without sign that are applied bit by bit.
    fn look_up(&self, bits: &BitConv, codes: &[i32], unit: f32, making: &mut Making) -> Result<(), EngineError> {
        let numbers: Vec<u8> = codes.iter().map(|&code| code as u8).collect();
        let steps: Vec<Step> = self.steps(unit).collect();
        bits.sum(&numbers, self.dac.bits, &mut BitRoom::default(), |step, tile, sums| {
            making.take(steps[step], self.place(tile), &self.tiles[tile], 1, &sums);
        })
    }

    fn steps(&self, unit: f32) -> impl Iterator<Item = Step> {
        let (dac, steps) = (self.dac, self.dac.steps());
        (0..steps).map(move |index| {
            let ends = Ends { first: index == 0, last: index + 1 == steps };
            Step { index, weight: power_of_step(dac, index) * unit, ends }
        })
    }

    fn place(&self, tile: usize) -> Ends {
        Ends { first: tile == 0, last: tile + 1 == self.tiles.len() }
    }
}

impl Digits {
    /// Those of one step.
    fn set(&mut self, dac: Dac, codes: &[i32], step: u32) {
        let (shift, mask) = (step * dac.bits_per_step, dac.largest_digit() as i32);
        match self {
            Digits::Bytes(bytes, zero) => {
                let (bytes, zero) = (bytes.as_mut_slice(), i32::from(*zero));
                lanes::run(
                    #[inline(always)]
                    move || {
                        for (byte, &code) in bytes.iter_mut().zip(codes) {
                            *byte = (digit(code, shift, mask) + zero) as u8;
                        }
                    },
                );
            }
            Digits::Shorts(shorts) => lanes::run(
                #[inline(always)]
                || shorts.iter_mut().zip(codes).for_each(|(short, &code)| *short = digit(code, shift, mask) as i16),
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

impl Making {
    /// Takes in partial sums of a tile, 1 of which is `unit` half-steps.
    fn take<S: Copy + Into<i32>>(
        &mut self,
        step: Step,
        place: Ends,
        tile: &IntegerTile,
        unit: i32,
        sums: &Sums<'_, S>,
    ) {
        let partial = Partial { missing: sums.missing, unit: unit as f32 / 2.0 };
        match tile.converters.get(sums.filter) {
            None => self.add(
                step,
                place,
                sums,
                #[inline(always)]
                move |sum| partial.of(sum),
            ),
            Some(&ColumnConverter { converter, clips: false }) => self.add(
                step,
                place,
                sums,
                #[inline(always)]
                move |sum| converter.convert_within(partial.of(sum)),
            ),
            Some(&ColumnConverter { converter, clips: true }) => {
                let clips = |sum: S| converter.clips(partial.of(sum.into()));
                let clipped = |run: Range<usize>| sums.sums[run].iter().filter(|&&sum| clips(sum)).count() as u64;
                self.clipped += sums.runs().map(|(run, _)| clipped(run)).sum::<u64>();
                self.add(
                    step,
                    place,
                    sums,
                    #[inline(always)]
                    move |sum| converter.convert(partial.of(sum)),
                );
            }
        }
    }

    /// Adds a number for each sum to those of the tiles before, and those of all tiles, times the weight of the step, to the
    /// total. A sum begins at 0, to which a number is added: that makes 0 of −0.
    fn add<S: Copy + Into<i32>>(
        &mut self,
        step: Step,
        place: Ends,
        sums: &Sums<'_, S>,
        number: impl Fn(i32) -> f32 + Copy,
    ) {
        let at = sums.start..sums.start + sums.sums.len();
        let (of_step, total) = (&mut self.step[at.clone()], &mut self.total[at]);
        let (weight, new) = (step.weight, sums.sums);
        match (place, step.ends.first) {
            (Ends { first: true, last: false }, _) => each(
                of_step,
                new,
                #[inline(always)]
                move |_, sum| 0.0 + number(sum),
            ),
            (Ends { first: false, last: false }, _) => each(
                of_step,
                new,
                #[inline(always)]
                move |before, sum| before + number(sum),
            ),
            (Ends { first: true, last: true }, true) => each(
                total,
                new,
                #[inline(always)]
                move |_, sum| (0.0 + number(sum)) * weight,
            ),
            (Ends { first: true, last: true }, false) => each(
                total,
                new,
                #[inline(always)]
                move |total, sum| total + (0.0 + number(sum)) * weight,
            ),
            (Ends { first: false, last: true }, true) => each_of_two(
                total,
                (of_step, new),
                #[inline(always)]
                move |_, before, sum| (before + number(sum)) * weight,
            ),
            (Ends { first: false, last: true }, false) => each_of_two(
                total,
                (of_step, new),
                #[inline(always)]
                move |total, before, sum| total + (before + number(sum)) * weight,
            ),
        }
        if place.last && step.ends.last {
            sums.runs().for_each(|(run, at)| self.outputs[at..at + run.len()].copy_from_slice(&total[run]));
        }
    }
}

/// Makes numbers of what they were and of new sums.
fn each<S: Copy + Into<i32>>(to: &mut [f32], sums: &[S], make: impl Fn(f32, i32) -> f32) {
    lanes::run(
        #[inline(always)]
        move || {
            for (to, &sum) in to.iter_mut().zip(sums) {
                *to = make(*to, sum.into());
            }
        },
    );
}

/// As [`each`], and of other numbers.
fn each_of_two<S: Copy + Into<i32>>(
    to: &mut [f32],
    (others, sums): (&[f32], &[S]),
    make: impl Fn(f32, f32, i32) -> f32,
) {
    lanes::run(
        #[inline(always)]
        move || {
            for ((to, &other), &sum) in to.iter_mut().zip(others).zip(sums) {
                *to = make(*to, other, sum.into());
            }
        },
    );
}

/// The digit of a magnitude, with the sign of the number.
#[inline(always)]
fn digit(code: i32, shift: u32, mask: i32) -> i32 {
    let sign = code >> 31;
    ((((code ^ sign) - sign) >> shift & mask) ^ sign) - sign
}

/// What makes partial sums of the sums of the kernel.
#[derive(Clone, Copy)]
struct Partial {
    missing: i32,
    unit: f32,
}

impl Partial {
    #[inline(always)]
    fn of(self, sum: i32) -> f32 {
        (sum + self.missing) as f32 * self.unit
    }
}
