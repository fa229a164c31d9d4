//! Convolution of 32-bit floats in a fixed order.

use std::num::NonZeroUsize;

use network::Geometry;

use super::integer::Sums;
use super::lowering::{Alone, Lowering};
use super::portable;
use super::processor::Vectors;
use super::sweep::{Handed, Input, Machine, Packed, Room, Schedule, Weights, Zeros};
use crate::error::EngineError;

/// A layer that computes its real sums in the order in which tiles of an analog array make them.
///
/// Products are added in row order to the partial sum of their tile, and partial sums in the order of tiles; both kinds of
/// sum begin at 0. A product is not rounded on its own: `partial + w · x` is rounded once, as `f32::mul_add` does. Padding is
/// multiplied and added like any input. The result is therefore that of this scalar loop, to the last bit, on every machine:
///
/// ```text
/// sum = 0;  for each tile { partial = 0;  for each row of it { partial = round(partial + w · x) }  sum += partial }
/// ```
#[derive(Debug)]
pub struct RealConv {
    name: String,
    geometry: Geometry,
    tile_rows: usize,
    path: Path,
    packed: Packed<f32>,
}

/// What real sums are made in. One serves any number of layers, one after another, and grows to the largest.
#[derive(Debug, Default)]
pub struct RealRoom(Room<f32, f32>);

/// How sums are computed: in vectors, or in safe Rust, which is always possible.
type Path = Option<Vectors>;

/// The fastest first.
const PATHS: [Path; 4] = [Some(Vectors::Avx512), Some(Vectors::Avx2), Some(Vectors::Neon), None];

impl RealConv {
    /// Takes in weights `[filters, in_channels / groups, kernel_h, kernel_w]` of the layer `name`. A tile has
    /// `tile_rows` rows of the lowered matrix of a group, and the last one what is left; with `None` there is one tile
    /// of all rows.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if there are more or fewer weights than the geometry has, [`EngineError::Unsupported`] if
    /// its padded input does not fit the address space.
    pub fn new(
        name: &str,
        geometry: &Geometry,
        weights: &[f32],
        tile_rows: Option<NonZeroUsize>,
    ) -> Result<Self, EngineError> {
        let path = PATHS.into_iter().find(|&path| machine(path).is_some()).expect("the last path is always possible");
        Self::with_path(path, name, geometry, weights, tile_rows)
    }

    fn with_path(
        path: Path,
        name: &str,
        geometry: &Geometry,
        weights: &[f32],
        tile_rows: Option<NonZeroUsize>,
    ) -> Result<Self, EngineError> {
        let layer = || name.to_string();
        let expected = geometry.spec().filters * geometry.rows();
        if weights.len() != expected {
            return Err(EngineError::Shape { layer: layer(), what: "weights", expected, found: weights.len() });
        }
        let lowering = Lowering::new(geometry, 1).ok_or_else(|| EngineError::Unsupported {
            layer: layer(),
            problem: "its padded input does not fit the address space".to_string(),
        })?;
        let block = machine(path).expect("a path is taken only where there is a machine").block;
        let (shape, rows) = (geometry.weight_shape(), 0..geometry.rows());
        let weights = Weights { values: weights, shape, rows, zeros: Zeros::Multiplied };
        Ok(Self {
            name: layer(),
            geometry: *geometry,
            tile_rows: tile_rows.map_or(usize::MAX, NonZeroUsize::get),
            path,
            packed: Packed::new(lowering, block, &weights, |[weight]| weight),
        })
    }

    /// `Σ w · x` for every output, `[repeats, filters, out_height, out_width]`; `input` is `[repeats, in_channels,
    /// height, width]`. A sum that overflows, or an input that is not finite, gives what IEEE 754 says.
    ///
    /// # Errors
    ///
    /// [`EngineError::Shape`] if the input has the wrong length.
    pub fn forward(&self, input: &[f32]) -> Result<Vec<f32>, EngineError> {
        let mut output = vec![0.0; self.geometry.output_len()];
        self.sweep(Schedule::ALL, input, |index, sums| output[index..index + sums.len()].copy_from_slice(sums))?;
        Ok(output)
    }

    /// Hands over the sums of all outputs, those of [`RealConv::forward`], in a room that the caller keeps.
    ///
    /// # Errors
    ///
    /// As [`RealConv::forward`].
    pub fn sum(
        &self,
        input: &[f32],
        room: &mut RealRoom,
        mut take: impl FnMut(Sums<'_, f32>),
    ) -> Result<(), EngineError> {
        self.check(input)?;
        let schedule = Schedule { tile: self.tile_rows, spill: usize::MAX, words: Schedule::ALL };
        let input = Input { values: input, zero: 0.0 };
        let machine = self.machine();
        self.packed.sweep_strips(&machine, schedule, input, Alone, &mut room.0, |strip| {
            take(Sums::new(strip, 0));
        });
        Ok(())
    }

    /// Tiles that a sum is made of.
    pub fn tiles(&self) -> usize {
        self.geometry.rows().div_ceil(self.tile_rows)
    }

    /// Computes the partial sums of one tile. `hand_over(index, sums)` is called with runs of neighbouring outputs of
    /// one filter, until every output was handed over once; `index` is that of the first output of the run in
    /// `[repeats, filters, out_height, out_width]`.
    ///
    /// # Errors
    ///
    /// As [`RealConv::forward`].
    ///
    /// # Panics
    ///
    /// If there is no such tile.
    pub fn forward_tile(
        &self,
        tile: usize,
        input: &[f32],
        hand_over: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        assert!(tile < self.tiles(), "a tile of the layer");
        let first = tile * self.tile_rows;
        self.sweep([first, first.saturating_add(self.tile_rows)], input, hand_over)
    }

    fn sweep(
        &self,
        words: [usize; 2],
        input: &[f32],
        mut hand_over: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        self.check(input)?;
        let schedule = Schedule { tile: self.tile_rows, spill: usize::MAX, words };
        let take = |handed: Handed<'_, f32>| hand_over(handed.index, handed.sums);
        self.packed.sweep(&self.machine(), schedule, input, Alone, take);
        Ok(())
    }

    fn check(&self, input: &[f32]) -> Result<(), EngineError> {
        let (expected, found) = (self.geometry.input_len(), input.len());
        match expected == found {
            true => Ok(()),
            false => Err(EngineError::Shape { layer: self.name.clone(), what: "input", expected, found }),
        }
    }

    fn machine(&self) -> Machine<f32, f32> {
        machine(self.path).expect("a path is taken only where there is a machine")
    }
}

fn machine(path: Path) -> Option<Machine<f32, f32>> {
    path.map_or_else(|| Some(portable::machine()), Vectors::reals)
}

#[cfg(test)]
mod tests;
