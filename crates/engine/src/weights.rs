//! How hardware keeps the weights of a layer in memory, and how many bits that takes.

use std::fmt;

use esn::{CodeTensor, Grid};

/// The format in which hardware keeps weights. What is stored is what is fetched: a description has one format, which
/// the size of its weights and the energy of fetching them both follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightFormat {
    /// Every weight in the width of the layer's widest.
    Dense,
    /// Every weight in one width for all layers.
    Fixed,
    /// Every weight in the width of its filter's widest, and a field for that width in each filter.
    Filter,
    /// Nonzero weights alone, each with an index that says where it stands.
    Sparse,
}

impl WeightFormat {
    /// The word in files.
    pub const fn name(self) -> &'static str {
        match self {
            WeightFormat::Dense => "dense",
            WeightFormat::Fixed => "fixed",
            WeightFormat::Filter => "filter",
            WeightFormat::Sparse => "sparse",
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Weights that are stored side by side, each in the same number of bits.
///
/// - **Mid-rise** (odd codes): `n` bits hold every odd code of `−(2^n − 1) … 2^n − 1`, and no zero. Where a pruned weight
///   is stored among others and all `n` bits are taken, one bit more tells it.
/// - **Mid-tread** (even codes): `n` bits hold `W_int = code / 2` in two's complement, which has a zero.
///
/// ```
/// use engine::StoredWeights;
/// use esn::Grid;
///
/// let weights = StoredWeights::of(Grid::MidRise, &[7, -1, 3]);
/// assert_eq!((weights.count(), weights.largest(), weights.width(0), weights.width(8)), (3, 7, 3, 8));
/// // Three bits are all taken by the odd codes −7 … 7. A zero among them needs a fourth, but eight bits have room.
/// let pruned = StoredWeights::of(Grid::MidRise, &[7, 0, 3]);
/// assert_eq!((pruned.width(0), pruned.width(8)), (4, 8));
/// // W_int = 4 in two's complement.
/// assert_eq!(StoredWeights::of(Grid::MidTread, &[8, 0]).width(0), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredWeights {
    grid: Grid,
    count: u64,
    zeros: u64,
    /// The largest code, at least 0.
    highest: i32,
    /// The smallest code, at most 0.
    lowest: i32,
}

impl StoredWeights {
    /// No weights of a grid.
    pub fn none(grid: Grid) -> Self {
        Self { grid, count: 0, zeros: 0, highest: 0, lowest: 0 }
    }

    /// These weights, as codes of the grid.
    pub fn of(grid: Grid, codes: &[i32]) -> Self {
        let mut all = Self { count: codes.len() as u64, ..Self::none(grid) };
        let found = &mut all;
        lanes::run(
            #[inline(always)]
            move || {
                let (mut zeros, mut highest, mut lowest) = (0, 0, 0);
                // Zeros of 2^16 codes fit 32 bits, in which the sum is fast.
                for chunk in codes.chunks(1 << 16) {
                    let mut zeros_here = 0u32;
                    for &code in chunk {
                        zeros_here += u32::from(code == 0);
                        highest = highest.max(code);
                        lowest = lowest.min(code);
                    }
                    zeros += u64::from(zeros_here);
                }
                (found.zeros, found.highest, found.lowest) = (zeros, highest, lowest);
            },
        );
        all
    }

    /// The same weights but for so many zeros, which are not stored.
    ///
    /// # Panics
    ///
    /// If there are not so many zeros, which is a bug of the engine.
    pub fn without_zeros(self, zeros: u64) -> Self {
        let left = self.zeros.checked_sub(zeros).expect("no more zeros are left out than there are");
        Self { count: self.count - zeros, zeros: left, ..self }
    }

    /// Both together.
    pub fn merge(self, other: Self) -> Self {
        Self {
            grid: self.grid,
            count: self.count + other.count,
            zeros: self.zeros + other.zeros,
            highest: self.highest.max(other.highest),
            lowest: self.lowest.min(other.lowest),
        }
    }

    /// How many weights there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are zero.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// The largest magnitude of a code; 0 where there is none.
    pub fn largest(&self) -> u32 {
        self.highest.unsigned_abs().max(self.lowest.unsigned_abs())
    }

    /// Bits of each weight in a memory whose words have `least` bits, or more where the widest weight needs them.
    pub fn width(&self, least: u32) -> u32 {
        let needed = match self.grid {
            Grid::MidRise => bits(self.largest()),
            // Two's complement: −2^(n−1) … 2^(n−1) − 1 take n bits.
            Grid::MidTread if (self.highest, self.lowest) == (0, 0) => 0,
            Grid::MidTread => bits((self.highest / 2).max(!(self.lowest / 2)).unsigned_abs()) + 1,
        };
        let width = least.max(needed);
        let is_full = self.grid == Grid::MidRise && width == needed && needed > 0;
        width + u32::from(is_full && self.zeros > 0)
    }
}

fn bits(magnitude: u32) -> u32 {
    u32::BITS - magnitude.leading_zeros()
}

/// What the memory of the hardware holds of a layer's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightMemory {
    /// All bits: weights, their indices, and what else is needed to read them.
    pub bits: u128,
    /// How many weights are stored.
    pub weights: u128,
    /// Bits of the indices among them.
    pub index_bits: u128,
}

impl WeightMemory {
    /// A layer in [`WeightFormat::Dense`].
    pub fn dense(weights: &CodeTensor) -> Self {
        let stored = StoredWeights::of(weights.grid(), weights.codes());
        let count = u128::from(stored.count());
        Self { bits: count * u128::from(stored.width(0)), weights: count, index_bits: 0 }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            bits: self.bits + other.bits,
            weights: self.weights + other.weights,
            index_bits: self.index_bits + other.index_bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn mid_tread_is_twos_complement() {
        check_all([(1, 2), (-1, 1), (-2, 2), (2, 3), (127, 8), (-128, 8), (128, 9)], |&(amplitude, bits)| {
            assert_eq!(StoredWeights::of(Grid::MidTread, &[2 * amplitude]).width(0), bits, "{amplitude}");
        });
        let pruned = StoredWeights::of(Grid::MidTread, &[2 * 7, 0, 0, -2 * 8]);
        assert_eq!((pruned.width(0), pruned.zeros()), (4, 2));
    }

    #[test]
    fn nothing_but_zeros_takes_what_the_words_of_the_memory_have() {
        check_all([Grid::MidRise, Grid::MidTread], |&grid| {
            let zeros = StoredWeights::of(grid, &[0; 3]);
            assert_eq!((zeros.width(0), zeros.width(8)), (0, 8));
            assert_eq!(zeros.without_zeros(3).count(), 0);
        });
    }

    #[test]
    fn parts_merge_into_the_whole() {
        check_all([Grid::MidRise, Grid::MidTread], |&grid| {
            let codes = if grid == Grid::MidRise { [9, 0, -1, 3, 0, -15] } else { [8, 0, -2, 4, 0, -16] };
            let (first, second) = codes.split_at(2);
            let whole = StoredWeights::of(grid, &codes);
            assert_eq!(StoredWeights::of(grid, first).merge(StoredWeights::of(grid, second)), whole);
            assert_eq!(StoredWeights::none(grid).merge(whole), whole);
        });
    }
}
