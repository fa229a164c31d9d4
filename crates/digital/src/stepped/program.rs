//! What the control of a row issues to its elements, cycle by cycle, to compute a filter.

use std::ops::Range;

use engine::Layer;

use crate::departures::{Departures, PlaneSkipping};
use crate::encoding::{Encoding, FilterWidths, PlaneUse, widest};
use crate::planes::Planes;
use crate::spec::Granularity;
use crate::storage::Storage;

/// One plane of one weight, as elements take it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaneIssue {
    /// Distance of the weight's input from the corner of the receptive field.
    pub(super) offset: u32,
    /// What the plane adds to the code: `digit · 2^exponent`, with an exponent of 17 at most.
    pub(super) value: i32,
}

/// Which plane it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaneName {
    /// Index of the weight in its filter.
    pub(super) weight: u32,
    pub(super) plane: u8,
}

/// The planes that every element of a row takes in one cycle. There are at most 17 of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// Index of the first plane.
    pub(super) first: usize,
    pub(super) planes: u8,
    /// Weights that are looked up before the operation.
    pub(super) weights: u8,
}

/// The planes of an operation by their use. Those that a weight skips are counted at its first operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperationUse {
    pub(super) useful: u8,
    pub(super) rounding: u8,
    pub(super) zeros: u8,
    pub(super) skipped: u8,
}

impl OperationUse {
    /// Planes that the ideal executes.
    #[inline(always)]
    pub(super) fn ideal(self) -> u8 {
        self.useful + self.skipped
    }
}

/// The operations of a filter for one group of positions.
///
/// A machine reads all of it again for every group. What elements take, what is counted and what only an observer asks
/// for are therefore lists of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) planes: Vec<PlaneIssue>,
    /// One for each plane.
    pub(super) names: Vec<PlaneName>,
    pub(super) operations: Vec<Operation>,
    /// One for each operation.
    pub(super) uses: Vec<OperationUse>,
    pub(super) tiles: Vec<Tile>,
}

impl Program {
    /// The planes of consecutive operations.
    #[inline]
    pub(super) fn planes_of(&self, operations: Range<usize>) -> &[PlaneIssue] {
        &self.planes[self.plane_indices(operations)]
    }

    /// Where the planes of consecutive operations stand.
    #[inline]
    pub(super) fn plane_indices(&self, operations: Range<usize>) -> Range<usize> {
        match &self.operations[operations] {
            [] => 0..0,
            [first, .., last] => first.first..last.first + usize::from(last.planes),
            [only] => only.first..only.first + usize::from(only.planes),
        }
    }

    fn clear(&mut self) {
        self.planes.clear();
        self.names.clear();
        self.operations.clear();
        self.uses.clear();
        self.tiles.clear();
    }

    fn push_plane(&mut self, (offset, name): (u32, PlaneName), exponent: u32, digit: i8) {
        self.planes.push(PlaneIssue { offset, value: i32::from(digit) << exponent });
        self.names.push(name);
    }
}

/// The part of a program whose weights are in the buffer at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// The first operation of the tile, and the first after it.
    pub(super) operations: (usize, usize),
    pub(super) weights: u64,
    /// Bits in the buffer, indices included.
    pub(super) bits: u64,
}

/// Writes the programs of filters.
pub(super) struct Programmer<'a> {
    pub(super) departures: &'a Departures,
    pub(super) encoding: &'a Encoding,
    pub(super) storage: &'a Storage,
    pub(super) layer: Layer<'a>,
    /// Which input channels have a nonzero weight, `[groups, channels]`; empty where no rule asks for them.
    pub(super) live: &'a [bool],
}

impl Programmer<'_> {
    /// Writes the program of a filter. `offsets` says where its weights find their input, `[channels, taps]`.
    pub(super) fn write(&self, filter: usize, offsets: &[u32], program: &mut Program) {
        program.clear();
        let weights = self.layer.weights();
        let shape = weights.shape();
        let first_channel = filter / self.layer.geometry().columns() * shape.channels;
        let codes = weights.filter(filter);
        let widths = self.encoding.filter_widths(widest(weights.grid(), codes));
        for (weight, (&code, &offset)) in codes.iter().zip(offsets).enumerate() {
            let channel = self.live.get(first_channel + weight / shape.taps);
            let live = widths.own > 0 && channel.is_some_and(|live| *live);
            if self.encoding.is_issued(codes, weight, live) {
                self.tile_for(self.storage.weight_bits(filter), program);
                self.issue(code, weight, offset, (widths, live), program);
            }
        }
    }

    /// Makes room for a weight: in the last tile, or in a new one if its buffer is full.
    fn tile_for(&self, bits: u64, program: &mut Program) {
        let buffer = self.departures.buffers.weight_bits_per_row.unwrap_or(u64::MAX);
        let full = program.tiles.last().is_none_or(|tile| tile.bits + bits > buffer);
        if full {
            let next = program.operations.len();
            program.tiles.push(Tile { operations: (next, next), weights: 0, bits: 0 });
        }
        if let Some(tile) = program.tiles.last_mut() {
            tile.bits += bits;
            tile.weights += 1;
        }
    }

    /// Appends the operations of a weight to the last tile.
    fn issue(
        &self,
        code: i32,
        weight: usize,
        offset: u32,
        (widths, live): (FilterWidths, bool),
        program: &mut Program,
    ) {
        let first = program.planes.len();
        self.push_planes(code, widths, (offset, weight as u32), program);
        let executed = (program.planes.len() - first) as u32;
        let mut left = PlaneUse::new(executed, self.encoding.ideal_planes(code, widths, live));
        let per_cycle = self.departures.element.planes_per_cycle;
        let mut begins_weight = true;
        for start in (0..executed).step_by(per_cycle as usize) {
            let planes = per_cycle.min(executed - start);
            let useful = planes.min(left.useful);
            let rounding = (planes - useful).min(left.rounding);
            left.useful -= useful;
            left.rounding -= rounding;
            let operation =
                Operation { first: first + start as usize, planes: planes as u8, weights: u8::from(begins_weight) };
            let by_use = OperationUse {
                useful: useful as u8,
                rounding: rounding as u8,
                zeros: (planes - useful - rounding) as u8,
                skipped: if begins_weight { left.skipped as u8 } else { 0 },
            };
            begins_weight = false;
            self.push_operation((operation, by_use), executed, program);
        }
    }

    /// Appends an operation to the last tile, or merges it with the operation before, whose cycle it then shares.
    fn push_operation(&self, (operation, by_use): (Operation, OperationUse), width: u32, program: &mut Program) {
        let Some(tile) = program.tiles.last_mut() else { return };
        let element = self.departures.element;
        let lanes = if element.splits { element.planes_per_cycle / width } else { 1 };
        let (begin, end) = tile.operations;
        if lanes > 1
            && end > begin
            && let (Some(last), Some(last_use)) = (program.operations.last_mut(), program.uses.last_mut())
            && u32::from(last.weights) < lanes
        {
            last.planes += operation.planes;
            last.weights += 1;
            last_use.useful += by_use.useful;
            last_use.rounding += by_use.rounding;
            last_use.zeros += by_use.zeros;
            return;
        }
        program.operations.push(operation);
        program.uses.push(by_use);
        tile.operations.1 = program.operations.len();
    }

    /// Appends the planes that a computed weight executes.
    fn push_planes(&self, code: i32, widths: FilterWidths, (offset, weight): (u32, u32), program: &mut Program) {
        let name = |plane: usize| (offset, PlaneName { weight, plane: plane as u8 });
        let digits = match self.encoding.plane_skipping {
            PlaneSkipping::None => {
                let width = match self.encoding.granularity {
                    Granularity::Weight => self.encoding.planes(code, widths),
                    Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => widths.shared,
                };
                let encoded = Planes::encode(self.encoding.grid, code, width)
                    .expect("no width is below the least one of the weight");
                for plane in 0..width {
                    program.push_plane(name(plane as usize), plane + encoded.shift(), encoded.digit(plane));
                }
                return;
            }
            PlaneSkipping::ZeroPlanes => essential_bits(code),
            PlaneSkipping::Csd => canonical_digits(code),
        };
        // A zero that is computed takes a cycle, though it has no digit.
        let digits = if digits.is_empty() { vec![(0, 0)] } else { digits };
        for (plane, (exponent, digit)) in digits.into_iter().enumerate() {
            program.push_plane(name(plane), u32::from(exponent), digit);
        }
    }
}

/// The bits of the magnitude that are 1, with the sign of the code, as exponents and digits.
fn essential_bits(code: i32) -> Vec<(u8, i8)> {
    let magnitude = code.unsigned_abs();
    (0..u32::BITS as u8).filter(|bit| magnitude >> bit & 1 == 1).map(|bit| (bit, code.signum() as i8)).collect()
}

/// The nonzero digits of the canonical signed digit form, in which no two are neighbours, as exponents and digits.
fn canonical_digits(code: i32) -> Vec<(u8, i8)> {
    let (mut rest, mut exponent) = (code, 0);
    let mut digits = Vec::new();
    while rest != 0 {
        if rest % 2 != 0 {
            // +1 or −1, whichever leaves a multiple of 4.
            let digit = 2 - rest.rem_euclid(4);
            digits.push((exponent, digit as i8));
            rest -= digit;
        }
        rest /= 2;
        exponent += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use esn::MAX_CODE;

    #[test]
    fn digits_add_up_and_the_canonical_form_has_no_neighbours() {
        let sum =
            |digits: &[(u8, i8)]| digits.iter().map(|&(exponent, digit)| i32::from(digit) << exponent).sum::<i32>();
        for code in -MAX_CODE..=MAX_CODE {
            let (bits, canonical) = (essential_bits(code), canonical_digits(code));
            assert_eq!((sum(&bits), sum(&canonical)), (code, code));
            assert!(canonical.windows(2).all(|pair| pair[1].0 > pair[0].0 + 1), "{code}");
            assert!(canonical.len() <= bits.len());
        }
    }
}
