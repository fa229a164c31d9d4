//! The levels of a grid, and the weights that share a step on it.

use std::sync::OnceLock;

use esn::{
    BitConvention, BitWidth, CodeTensor, Grid, QuantizeError, WeightShape, append_mid_rise, append_mid_tread, bits,
    quantize_mid_rise, quantize_mid_tread,
};

use crate::quantize::ranked::Ranked;

/// The smallest step: half of it, the scale of a mid-rise grid in a file, is still a normal `f32`.
const MIN_STEP: f32 = 2.0 * f32::MIN_POSITIVE;

/// The step of a unit whose weights are all pruned. Files want scales above 0, and this one multiplies nothing but
/// zeros.
pub(super) const STEP_OF_NOTHING: f32 = 1.0;

/// The nearest step that a file holds exactly.
pub(super) fn storable(step: f64) -> f32 {
    (step as f32).clamp(MIN_STEP, f32::MAX)
}

/// The levels of a grid at a bit width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub grid: Grid,
    pub bits: BitWidth,
}

impl Levels {
    /// How many steps the grid reaches from 0: a weight of this many steps is at its end on mid-rise, and on its last
    /// level on mid-tread.
    pub fn reach(self) -> f64 {
        let half_levels = f64::from(1u32 << (self.bits.get() - 1));
        if self.grid == Grid::MidRise { half_levels } else { half_levels - 1.0 }
    }

    /// Number of levels: `2^n`, on mid-tread one less.
    pub fn count(self) -> f64 {
        2.0 * self.top() + 1.0
    }

    /// The largest `|W_int|`.
    pub fn top(self) -> f64 {
        if self.grid == Grid::MidRise { self.reach() - 0.5 } else { self.reach() }
    }

    /// Thresholds between levels on one side of 0: a magnitude of `threshold(k)·Δ` is where the k-th level begins, `k`
    /// from 1 to this.
    pub fn thresholds(self) -> usize {
        self.top() as usize
    }

    /// In steps; see [`Levels::thresholds`].
    pub fn threshold(self, k: f64) -> f64 {
        if self.grid == Grid::MidRise { k } else { k - 0.5 }
    }

    /// The step with which the grid ends at the largest magnitude.
    pub fn max_abs_step(self, max_abs: f64) -> f32 {
        storable(max_abs / self.reach())
    }

    /// Bits of the codes of a magnitude, of whichever sign has the larger one.
    pub fn widest(self, magnitude: f64, step: f32) -> u32 {
        let codes =
            self.encode(&[magnitude, -magnitude], step).expect("two finite weights, a step above 0, and a width");
        codes.codes().iter().map(|&code| bits(code, BitConvention::default())).max().unwrap_or(0)
    }

    /// Puts the codes of weights with one step behind others.
    pub fn encode_into(self, weights: &[f64], step: f32, codes: &mut Vec<i32>) -> Result<(), QuantizeError> {
        match self.grid {
            Grid::MidRise => append_mid_rise(weights, f64::from(step), self.bits, codes),
            Grid::MidTread => append_mid_tread(weights, f64::from(step), self.bits, codes),
        }
    }

    /// The codes of weights with one step.
    pub fn encode(self, weights: &[f64], step: f32) -> Result<CodeTensor, QuantizeError> {
        let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: weights.len() };
        match self.grid {
            Grid::MidRise => quantize_mid_rise(weights, shape, f64::from(step), self.bits),
            Grid::MidTread => quantize_mid_tread(weights, shape, f64::from(step), self.bits),
        }
    }
}

/// Weights that share a step, pruned ones left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    weights: Vec<f64>,
    /// The largest magnitude.
    pub max_abs: f64,
    /// `‖W‖²`.
    pub signal: f64,
    /// `Σ|W|`.
    sum_abs: f64,
    /// Made for whoever asks for ranks.
    ranked: OnceLock<Option<Ranked>>,
}

/// What the levels of a unit's weights at some step add up to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelSums {
    /// `Σ W·W_int`.
    pub cross: f64,
    /// `Σ W_int²`: the ESN_a with c = 1.
    pub squares: f64,
}

impl LevelSums {
    /// The step of least squared error for weights on these levels, `Σ W·W_int / Σ W_int²`.
    pub fn best_step(self) -> Option<f64> {
        (self.squares > 0.0 && self.cross > 0.0).then(|| self.cross / self.squares)
    }

    /// How much of `‖W‖²` these levels explain with the best step, `(Σ W·W_int)² / Σ W_int²`; what is left is noise.
    pub fn explained(self) -> f64 {
        if self.squares > 0.0 && self.cross > 0.0 { self.cross * self.cross / self.squares } else { 0.0 }
    }
}

impl Unit {
    pub fn new(weights: &[f64]) -> Self {
        let weights: Vec<f64> = weights.iter().copied().filter(|&weight| weight != 0.0).collect();
        let max_abs = weights.iter().fold(0.0, |max: f64, weight| max.max(weight.abs()));
        let signal = weights.iter().map(|weight| weight * weight).sum();
        let sum_abs = weights.iter().map(|weight| weight.abs()).sum();
        Self { weights, max_abs, signal, sum_abs, ranked: OnceLock::new() }
    }

    /// `‖W‖_0`.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The weights, none of them 0.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The magnitudes in order, where they can be ranked.
    pub fn ranked(&self) -> Option<&Ranked> {
        self.ranked.get_or_init(|| Ranked::new(&self.weights)).as_ref()
    }

    /// Mean magnitude: the scale `b` of a Laplace prior around 0.
    pub fn mean_abs(&self) -> f64 {
        self.sum_abs / self.len() as f64
    }

    /// Root of the mean square: the scale `σ` of a Gauss prior around 0.
    pub fn root_mean_square(&self) -> f64 {
        (self.signal / self.len() as f64).sqrt()
    }

    /// Sums over the levels at a step.
    pub fn sums(&self, levels: Levels, step: f64) -> LevelSums {
        let (top, reach) = (levels.top(), levels.reach());
        match levels.grid {
            Grid::MidRise => {
                self.sums_of(|weight| (floor((weight / step).clamp(-reach, reach)) + 0.5).clamp(-top, top))
            }
            Grid::MidTread => self.sums_of(|weight| round((weight / step).clamp(-top, top))),
        }
    }

    /// `‖W − Δ·W_int‖²` at a step.
    pub fn noise(&self, levels: Levels, step: f64) -> f64 {
        let sums = self.sums(levels, step);
        (self.signal - 2.0 * step * sums.cross + step * step * sums.squares).max(0.0)
    }

    /// Squared error of clipping at `end` alone.
    pub fn clipped(&self, end: f64) -> f64 {
        if end >= self.max_abs {
            return 0.0;
        }
        self.weights.iter().map(|weight| (weight.abs() - end).max(0.0).powi(2)).sum()
    }

    /// Adds in eight interleaved parts, an order that processors can do at once.
    fn sums_of(&self, level: impl Fn(f64) -> f64) -> LevelSums {
        const LANES: usize = 8;
        let (mut cross, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let mut take = |lane: usize, weight: f64| {
            let level = level(weight);
            cross[lane] += weight * level;
            squares[lane] += level * level;
        };
        let (chunks, tail) = self.weights.as_chunks::<LANES>();
        chunks.iter().for_each(|chunk| (0..LANES).for_each(|lane| take(lane, chunk[lane])));
        tail.iter().for_each(|&weight| take(0, weight));
        LevelSums { cross: cross.iter().sum(), squares: squares.iter().sum() }
    }
}

/// Nearest integer of `x`, `|x| ≤ 2^50`, ties to even, without a call: between 2^52 and 2^53 float64 numbers are the
/// integers.
#[inline(always)]
fn round(x: f64) -> f64 {
    const INTEGERS: f64 = 1.5 * (1u64 << 52) as f64;
    x + INTEGERS - INTEGERS
}

#[inline(always)]
fn floor(x: f64) -> f64 {
    let nearest = round(x);
    if nearest > x { nearest - 1.0 } else { nearest }
}
