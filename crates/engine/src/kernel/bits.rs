//! Exact convolution of inputs of one bit.

use std::ops::Range;

use network::Geometry;

use super::integer::Sums;
use super::lowering::{Bytes, Lowering};
use super::sweep::{HandedStrip, Machine, Packed, Schedule, Weights, Zeros};
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::error::EngineError;

/// Channels that an index has a bit of.
const CHANNELS: usize = 4;

/// How many tables are added as bytes.
const RUNS: [usize; 3] = [16, 4, 1];

/// The sums of four weights, by the bits of their inputs.
type Table = [u8; 1 << CHANNELS];

/// A layer of weights without sign, in tiles of rows, that computes the sums of bits of its inputs by looking them up.
///
/// Weights of four neighbouring channels have sixteen sums, which fit a vector. One instruction looks up those of 64
/// positions.
#[derive(Debug)]
pub struct BitConv {
    name: String,
    geometry: Geometry,
    lowering: Lowering,
    /// How many tables of a filter, one after another, have a sum that a byte holds.
    run: usize,
    tiles: Vec<Packed<Table>>,
}

/// What sums are made in. One serves any number of layers, one after another.
#[derive(Debug, Default)]
pub struct BitRoom {
    joined: Vec<u32>,
    /// Four numbers a word.
    numbers: Vec<u32>,
    /// One bit of each of them.
    indices: Vec<u8>,
    sums: Vec<u16>,
}

impl BitConv {
    /// Takes in codes `[filters, in_channels / groups, kernel_h, kernel_w]`, and the rows of a group's lowered matrix that
    /// each tile has. `None` where the processor has no instruction for it, a code has a sign, or sums pass their bits.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if there are more or fewer codes than the geometry has weights.
    pub fn new(
        name: &str,
        geometry: &Geometry,
        codes: &[i32],
        tiles: &[Range<usize>],
    ) -> Result<Option<Self>, EngineError> {
        let expected = geometry.spec().filters * geometry.rows();
        if codes.len() != expected {
            let (layer, found) = (name.to_string(), codes.len());
            return Err(EngineError::Shape { layer, what: "weights", expected, found });
        }
        let largest = codes.iter().copied().max().unwrap_or(0);
        let longest = tiles.iter().map(Range::len).max().unwrap_or(0);
        let fits = codes.iter().all(|&code| code >= 0)
            && largest <= i32::from(u8::MAX) / CHANNELS as i32
            && longest <= usize::from(u16::MAX) / largest.max(1) as usize;
        let (Some(lowering), Some(machine), true) = (Lowering::new(geometry, CHANNELS), machine(1), fits) else {
            return Ok(None);
        };
        let shape = geometry.weight_shape();
        let tile = |rows: &Range<usize>| {
            let weights = Weights { values: codes, shape, rows: rows.clone(), zeros: Zeros::Skipped };
            Packed::new(lowering.clone(), machine.block, &weights, table)
        };
        let tiles: Vec<_> = tiles.iter().map(tile).collect();
        let run = RUNS
            .into_iter()
            .find(|&run| tiles.iter().all(|tile| tile.words_of_filters().all(|tables| fit_bytes(tables, run))));
        let run = run.expect("no entry of a table is larger than a byte");
        Ok(Some(Self { name: name.to_string(), geometry: *geometry, lowering, run, tiles }))
    }

    /// Hands over the sums of the lowest `bits` bits of the inputs, lowest first and tile by tile for each output: bit, tile,
    /// sums. `numbers` are `[repeats, in_channels, height, width]`; padding is 0.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length.
    ///
    /// # Panics
    ///
    /// If a byte has fewer bits.
    pub fn sum(
        &self,
        numbers: &[u8],
        bits: u32,
        room: &mut BitRoom,
        mut take: impl FnMut(usize, usize, Sums<'_, u16>),
    ) -> Result<(), EngineError> {
        assert!(bits <= u8::BITS, "bits of a byte");
        let (expected, found) = (self.geometry.input_len(), numbers.len());
        if found != expected {
            return Err(EngineError::Shape { layer: self.name.clone(), what: "input", expected, found });
        }
        let machine = machine(self.run).expect("the layer is held only where there is a machine");
        let BitRoom { joined, numbers: plane, indices, sums } = room;
        let plane_len = self.lowering.plane_len() + machine.positions;
        plane.resize(plane_len, 0);
        indices.resize(plane_len, 0);
        for (slot, numbers) in numbers.chunks_exact(self.lowering.group_len()).enumerate() {
            self.lowering.fill(numbers, 0, joined, plane, Bytes::PLAIN);
            for bit in 0..bits {
                make_indices(bit, plane, indices);
                for (index, tile) in self.tiles.iter().enumerate() {
                    let take = &mut |strip: HandedStrip<'_, u16>| take(bit as usize, index, Sums::new(strip, 0));
                    tile.sweep_plane(&machine, Schedule::WHOLE, slot, indices, sums, take);
                }
            }
        }
        Ok(())
    }
}

/// Makes indices of tables of one bit of four numbers a word.
fn make_indices(bit: u32, words: &[u32], indices: &mut [u8]) {
    lanes::run(
        #[inline(always)]
        move || {
            for (index, &word) in indices.iter_mut().zip(words) {
                // Bits 0, 8, 16 and 24 become 24 to 27; no two products meet in a bit that is read.
                *index = ((word >> bit & 0x0101_0101).wrapping_mul(0x0102_0408) >> 24) as u8 & 0xf;
            }
        },
    );
}

fn table(codes: [i32; CHANNELS]) -> Table {
    std::array::from_fn(|bits| {
        codes.iter().enumerate().map(|(channel, &code)| if bits >> channel & 1 == 1 { code as u8 } else { 0 }).sum()
    })
}

/// Whether a byte holds the sum of every `run` tables from the first on; the last entry of a table is its largest.
fn fit_bytes(tables: impl Iterator<Item = Table>, run: usize) -> bool {
    let mut sum = 0;
    tables.enumerate().all(|(index, table)| {
        sum = if index % run == 0 { 0 } else { sum } + u32::from(table[15]);
        sum <= u32::from(u8::MAX)
    })
}

#[cfg(target_arch = "x86_64")]
fn machine(run: usize) -> Option<Machine<u8, u16, Table>> {
    x86::lookups(run)
}

#[cfg(not(target_arch = "x86_64"))]
fn machine(_: usize) -> Option<Machine<u8, u16, Table>> {
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::geometries;

    use super::*;

    fn cases() -> impl Strategy<Value = (Geometry, Vec<i32>, Vec<u8>, usize)> {
        let largest = prop_oneof![Just(1i32), Just(15), Just(31), Just(63)];
        (geometries(), largest).prop_flat_map(|(geometry, largest)| {
            let weights = geometry.weight_shape().len().expect("it is small");
            let code = prop_oneof![Just(0), Just(largest), 0..=largest];
            let number = prop_oneof![Just(255u8), any::<u8>()];
            (
                Just(geometry),
                prop::collection::vec(code, weights),
                prop::collection::vec(number, geometry.input_len()),
                1..=geometry.rows(),
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn looked_up_sums_equal_seven_loops((geometry, codes, numbers, tile_rows) in cases()) {
            let rows = geometry.rows();
            let tiles: Vec<_> = (0..rows).step_by(tile_rows).map(|first| first..rows.min(first + tile_rows)).collect();
            let Some(conv) = BitConv::new("layer", &geometry, &codes, &tiles).expect("the codes fit") else {
                prop_assert!(machine(1).is_none(), "all codes fit their bits");
                return Ok(());
            };
            let mut room = BitRoom::default();
            let mut all = vec![vec![vec![0i64; geometry.output_len()]; tiles.len()]; 8];
            conv.sum(&numbers, 8, &mut room, |bit, tile, handed| {
                for (run, index) in handed.runs() {
                    for (sum, &part) in all[bit][tile][index..].iter_mut().zip(&handed.sums[run]) {
                        *sum += i64::from(part);
                    }
                }
            }).expect("the input fits");
            for (bit, sums) in all.into_iter().enumerate() {
                let bits: Vec<i64> = numbers.iter().map(|number| i64::from(number >> bit & 1)).collect();
                for (tile, sums) in tiles.iter().zip(sums) {
                    let weight = |(i, &code): (usize, &i32)| if tile.contains(&(i % rows)) { code.into() } else { 0 };
                    let weights: Vec<i64> = codes.iter().enumerate().map(weight).collect();
                    prop_assert_eq!(sums, testkit::sums(&geometry, &weights, &bits));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_looked_up_is_left_to_others() {
        let geometry = Geometry::new(network::GeometrySpec::convolution(2, 1, [1, 1], [1, 1])).expect("it is small");
        let taken = |codes: &[i32]| BitConv::new("layer", &geometry, codes, &[0..1, 1..2]).map(|conv| conv.is_some());
        assert_eq!(taken(&[-1, 1]), Ok(false));
        assert_eq!(taken(&[64, 1]), Ok(false));
        assert_eq!(taken(&[63, 0]), Ok(machine(1).is_some()));
        assert!(taken(&[1]).is_err());
    }
}
