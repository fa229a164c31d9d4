//! How many bits the weights of a layer take in memory, in each format that an array may read.
//!
//! Widths here hold the sign and, where a pruned weight is stored among others, the zero: on the mid-rise grid `n` bits
//! hold `|code| ≤ 2^n − 1`, nonzero, and one bit more tells a pruned weight; on mid-tread the width is that of `W_int`
//! in two's complement, which has a zero.

use std::iter::Sum;
use std::ops::Add;

use esn::{CodeTensor, Grid};

/// Bits that name the width of a filter, 0 to 17.
pub const WIDTH_FIELD_BITS: u128 = 5;

/// How an array keeps its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFormat {
    /// Every weight in the width of the layer's widest.
    Dense,
    /// Every weight in so many bits.
    Fixed(u32),
    /// Every weight in the width of its filter's widest, and a field for the width of each filter.
    Filter,
    /// Nonzero weights alone, each in its own width. No memory could be read so, but none can take fewer bits.
    Ideal,
    /// Nonzero weights alone, in the width of the layer's widest, each with an index of so many bits. Without a number,
    /// the index has as many bits as the place of a weight in its filter takes.
    Sparse(Option<u32>),
}

impl StorageFormat {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            StorageFormat::Dense => "dense",
            StorageFormat::Fixed(_) => "fixed",
            StorageFormat::Filter => "filter",
            StorageFormat::Ideal => "ideal",
            StorageFormat::Sparse(_) => "sparse",
        }
    }
}

/// Bits of the weights of a layer or, by `+` and `sum()`, of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightStorage {
    weights: u128,
    nonzero: u128,
    /// [`StorageFormat::Dense`].
    pub dense_bits: u128,
    /// [`StorageFormat::Filter`].
    pub filter_bits: u128,
    /// [`StorageFormat::Ideal`].
    pub ideal_bits: u128,
    /// Nonzero weights in the width of the layer's widest, without an index.
    pub nonzero_bits: u128,
    /// Bits of the places of the nonzero weights in their filters.
    pub index_bits: u128,
}

impl WeightStorage {
    /// Measures the weights of a layer.
    pub fn new(codes: &CodeTensor) -> Self {
        let (grid, filter_len) = (codes.grid(), codes.shape().filter_len());
        let all = Widths::of(grid, codes.codes());
        let filters = codes.codes().chunks_exact(filter_len).map(|filter| Widths::of(grid, filter));
        let filter_bits = filters.map(|filter| WIDTH_FIELD_BITS + filter.len * u128::from(filter.stored(grid)));
        let place_bits = usize::BITS - (filter_len - 1).leading_zeros();
        Self {
            weights: all.len,
            nonzero: all.nonzero,
            dense_bits: all.len * u128::from(all.stored(grid)),
            filter_bits: filter_bits.sum(),
            ideal_bits: all.sum,
            nonzero_bits: all.nonzero * u128::from(all.widest),
            index_bits: all.nonzero * u128::from(place_bits),
        }
    }

    /// Bits in this format.
    pub fn bits(&self, format: StorageFormat) -> u128 {
        match format {
            StorageFormat::Dense => self.dense_bits,
            StorageFormat::Fixed(bits) => self.weights * u128::from(bits),
            StorageFormat::Filter => self.filter_bits,
            StorageFormat::Ideal => self.ideal_bits,
            StorageFormat::Sparse(None) => self.nonzero_bits + self.index_bits,
            StorageFormat::Sparse(Some(index)) => self.nonzero_bits + self.nonzero * u128::from(index),
        }
    }
}

/// Widths of some weights.
#[derive(Clone, Copy, Default)]
struct Widths {
    len: u128,
    nonzero: u128,
    widest: u32,
    sum: u128,
}

impl Widths {
    fn of(grid: Grid, codes: &[i32]) -> Self {
        let mut widths = Self { len: codes.len() as u128, ..Self::default() };
        for &code in codes.iter().filter(|code| **code != 0) {
            let width = width(grid, code);
            widths.nonzero += 1;
            widths.widest = widths.widest.max(width);
            widths.sum += u128::from(width);
        }
        widths
    }

    /// Bits of each where the zeros are stored, too; none where there is nothing else.
    fn stored(&self, grid: Grid) -> u32 {
        let zero_bit = grid == Grid::MidRise && self.nonzero > 0 && self.nonzero < self.len;
        self.widest + u32::from(zero_bit)
    }
}

/// Bits of one nonzero weight, sign included.
fn width(grid: Grid, code: i32) -> u32 {
    match grid {
        Grid::MidRise => i32::BITS - code.unsigned_abs().leading_zeros(),
        Grid::MidTread => {
            let amplitude = code / 2;
            // Two's complement: −2^(n−1) … 2^(n−1) − 1 take n bits.
            let reach = if amplitude < 0 { !amplitude } else { amplitude };
            i32::BITS - reach.leading_zeros() + 1
        }
    }
}

impl Add for WeightStorage {
    type Output = WeightStorage;
    fn add(self, other: WeightStorage) -> WeightStorage {
        WeightStorage {
            weights: self.weights + other.weights,
            nonzero: self.nonzero + other.nonzero,
            dense_bits: self.dense_bits + other.dense_bits,
            filter_bits: self.filter_bits + other.filter_bits,
            ideal_bits: self.ideal_bits + other.ideal_bits,
            nonzero_bits: self.nonzero_bits + other.nonzero_bits,
            index_bits: self.index_bits + other.index_bits,
        }
    }
}

impl Sum for WeightStorage {
    fn sum<I: Iterator<Item = WeightStorage>>(layers: I) -> WeightStorage {
        layers.fold(WeightStorage::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esn::WeightShape;

    fn storage(grid: Grid, filters: usize, codes: Vec<i32>) -> WeightStorage {
        let channels = codes.len() / filters;
        let shape = WeightShape { filters, groups: 1, channels, taps: 1 };
        WeightStorage::new(&CodeTensor::new(grid, shape, codes).expect("valid"))
    }

    #[test]
    fn weights_are_measured_in_every_format() {
        let found = storage(Grid::MidRise, 3, vec![7, -1, 0, 3, 1, -1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(found.dense_bits, 12 * (3 + 1), "a pruned weight among others takes a bit of its own");
        assert_eq!(found.filter_bits, (5 + 4 * 4) + (5 + 4) + 5, "the second holds no zero, the third nothing");
        assert_eq!(found.ideal_bits, (3 + 1 + 2) + 4);
        assert_eq!(found.bits(StorageFormat::Sparse(None)), 7 * (3 + 2));
        assert_eq!(found.bits(StorageFormat::Sparse(Some(4))), 7 * (3 + 4));
        assert_eq!(found.bits(StorageFormat::Fixed(8)), 12 * 8);
    }

    #[test]
    fn mid_tread_is_twos_complement() {
        for (amplitude, bits) in [(1, 2), (-1, 1), (-2, 2), (2, 3), (127, 8), (-128, 8), (128, 9)] {
            assert_eq!(width(Grid::MidTread, 2 * amplitude), bits, "{amplitude}");
        }
        let found = storage(Grid::MidTread, 1, vec![2 * 7, 0, 0, -2 * 8]);
        assert_eq!((found.dense_bits, found.bits(StorageFormat::Sparse(None))), (16, 2 * (4 + 2)));
    }

    #[test]
    fn sums_are_those_of_layers() {
        let layers = [storage(Grid::MidRise, 1, vec![1, 0]), storage(Grid::MidRise, 1, vec![9])];
        let sum: WeightStorage = layers.into_iter().sum();
        for format in [StorageFormat::Dense, StorageFormat::Filter, StorageFormat::Sparse(Some(3))] {
            assert_eq!(sum.bits(format), layers.iter().map(|layer| layer.bits(format)).sum::<u128>());
        }
    }
}
