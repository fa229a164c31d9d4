//! Equations (1) to (3) and (7) in integers.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use crate::code::CodeTensor;

/// Number of different bit widths of a weight: 0 (pruned) to 17.
pub const BIT_WIDTHS: usize = 18;

/// How many bits the smallest levels of the mid-rise grid, ±0.5, count as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BitConvention {
    /// A weight that is not pruned has at least 1 bit, `max(1, ceil(log2|code|))`.
    #[default]
    NonzeroAtLeastOne,
    /// Equation (3) as it is printed, `ceil(log2|code|)`. ±0.5 has 0 bits.
    AsPrinted,
}

/// The bits of one weight, `ceil(log2|w_int| + 1) = ceil(log2|code|)` of equation (3). There are 0 to 17; 0 is for a
/// pruned weight.
///
/// ```
/// use esn::{BitConvention, bits};
///
/// let widths: Vec<u32> = [0, 1, -3, 5, 2, 4, -8].map(|code| bits(code, BitConvention::NonzeroAtLeastOne)).into();
/// assert_eq!(widths, [0, 1, 2, 3, 1, 2, 3]);
/// assert_eq!(bits(1, BitConvention::AsPrinted), 0);
/// ```
#[inline(always)]
pub fn bits(code: i32, convention: BitConvention) -> u32 {
    let magnitude = code.unsigned_abs();
    let ceil_log2 = u32::BITS - magnitude.saturating_sub(1).leading_zeros();
    let least = match convention {
        BitConvention::NonzeroAtLeastOne => u32::from(magnitude != 0),
        BitConvention::AsPrinted => 0,
    };
    ceil_log2.max(least)
}

/// `Σ code²` of at most 2^16 codes.
#[inline(always)]
fn wide_squares(codes: &[i32]) -> u128 {
    u128::from(codes.iter().map(|code| u64::from(code.unsigned_abs()).pow(2)).sum::<u64>())
}

/// A number of quarters, shown as an exact decimal. ESN_a is a multiple of 0.25.
///
/// ```
/// assert_eq!(esn::Quarters(2354473).to_string(), "588618.25");
/// assert_eq!(esn::Quarters(2354472).to_string(), "588618");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarters(pub u128);

impl Quarters {
    /// The nearest float64.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 4.0
    }
}

impl fmt::Display for Quarters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = ["", ".25", ".5", ".75"][(self.0 % 4) as usize];
        f.pad(&format!("{}{fraction}", self.0 / 4))
    }
}

/// The metric of one filter, every weight counted once (`c = 1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterEsn {
    /// Weights that are not pruned.
    pub nonzero: u64,
    /// Weights that hardware with one bit width for a whole filter computes. Of a pruned filter there are none. Of any
    /// other filter these are all weights, zeros included, whose input channel is not pruned in its group.
    pub computed: u64,
    /// The largest magnitude of a code.
    pub max_code: u32,
    /// Bits of the widest weight, which are the width of the filter in equation (7).
    pub max_bits: u32,
    /// Weights with `|code| = 1`.
    pub units: u64,
    /// `Σ code²`; ESN_a of the filter is a quarter of it.
    pub esn_a_quarters: u128,
    /// `Σ bits`.
    pub esn_d: u128,
    above: Above,
}

/// How many magnitudes of codes are above 2^p, by p from 1 on. A weight of `n > 1` bits is above 2^(n − 2) and not above 2^(n − 1).
type Above = [u64; BIT_WIDTHS - 1];

impl FilterEsn {
    /// The term of the filter in equation (7) with `c = 1`: computed weights × bits of the widest.
    pub fn esn_d_filter_weights(&self) -> u128 {
        u128::from(self.computed) * u128::from(self.max_bits)
    }

    fn new(filter: &[i32], live_weights: u64, convention: BitConvention, room: &mut Magnitudes) -> Self {
        let mut counts = Counts::default();
        counts.add(filter, convention, room);
        Self {
            nonzero: counts.nonzero,
            computed: if counts.nonzero == 0 { 0 } else { live_weights },
            max_code: counts.max_code,
            max_bits: bits(counts.max_code as i32, convention),
            units: counts.units,
            esn_a_quarters: counts.squares,
            esn_d: counts.bits,
            above: counts.above,
        }
    }
}

/// Room for magnitudes of 1024 codes. So many stay in the nearest cache, and their sums of 16 and 32 bits hold.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Magnitudes([i16; 1 << 10]);

impl Default for Magnitudes {
    fn default() -> Self {
        Self([0; 1 << 10])
    }
}

/// What the codes of one filter, or of a part of it, add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) nonzero: u64,
    /// Codes of magnitude 1.
    pub(crate) units: u64,
    /// The largest magnitude.
    pub(crate) max_code: u32,
    /// `Σ code²`.
    pub(crate) squares: u128,
    /// `Σ bits`.
    pub(crate) bits: u128,
    pub(crate) above: Above,
}

impl Counts {
    /// Counts more codes.
    #[inline(always)]
    pub(crate) fn add(&mut self, codes: &[i32], convention: BitConvention, room: &mut Magnitudes) {
        for chunk in codes.chunks(room.0.len()) {
            let magnitudes = &mut room.0[..chunk.len()];
            let mut largest = 0;
            for (narrow, code) in magnitudes.iter_mut().zip(chunk) {
                let magnitude = code.unsigned_abs();
                largest = largest.max(magnitude);
                *narrow = magnitude as i16;
            }
            self.max_code = self.max_code.max(largest);
            if largest < 1 << 8 {
                self.add_narrow(magnitudes, largest, convention)
            } else {
                self.add_wide(chunk, convention)
            }
        }
    }

    /// Counts magnitudes below 2^8, of which `largest` is the largest.
    #[inline(always)]
    fn add_narrow(&mut self, magnitudes: &[i16], largest: u32, convention: BitConvention) {
        let above =
            |least: i16| u64::from(magnitudes.iter().map(|&magnitude| u16::from(magnitude > least)).sum::<u16>());
        let square = |&magnitude: &i16| i32::from(magnitude) * i32::from(magnitude);
        let (nonzero, not_units) = (above(0), if largest > 1 { above(1) } else { 0 });
        let units = nonzero - not_units;
        // ceil(log2(m)) is how many of 1, 2, 4, … are below m.
        let mut bits = not_units;
        for power in (1..8).take_while(|power| largest > 1 << power) {
            let above = above(1 << power);
            self.above[power] += above;
            bits += above;
        }
        let least = match convention {
            BitConvention::NonzeroAtLeastOne => units,
            BitConvention::AsPrinted => 0,
        };
        self.nonzero += nonzero;
        self.units += units;
        self.squares += magnitudes.iter().map(square).sum::<i32>() as u128;
        self.bits += u128::from(bits + least);
    }

    /// Counts at most 1024 codes of any magnitude.
    #[inline(always)]
    fn add_wide(&mut self, chunk: &[i32], convention: BitConvention) {
        let (mut nonzero, mut units, mut bits_sum) = (0u32, 0u32, 0u32);
        for &code in chunk {
            let magnitude = code.unsigned_abs();
            nonzero += u32::from(magnitude != 0);
            units += u32::from(magnitude == 1);
            bits_sum += bits(code, convention);
        }
        for (power, count) in self.above.iter_mut().enumerate().skip(1) {
            *count += u64::from(chunk.iter().map(|code| u32::from(code.unsigned_abs() > 1 << power)).sum::<u32>());
        }
        self.nonzero += u64::from(nonzero);
        self.units += u64::from(units);
        self.squares += wide_squares(chunk);
        self.bits += u128::from(bits_sum);
    }

    /// Adds the counts of another part of the filter.
    pub(crate) fn merge(&mut self, other: &Counts) {
        self.nonzero += other.nonzero;
        self.units += other.units;
        self.max_code = self.max_code.max(other.max_code);
        self.squares += other.squares;
        self.bits += other.bits;
        self.above.iter_mut().zip(other.above).for_each(|(all, other)| *all += other);
    }
}

/// The metric of every filter of a layer, in order.
pub fn filter_esn(codes: &CodeTensor, convention: BitConvention) -> Vec<FilterEsn> {
    each_filter(codes, convention).collect()
}

/// The metric of one layer, or, by `+` and `sum()`, of a network.
///
/// Names with `macs` have `c` = output positions, so that every multiply-accumulate counts. Names without it have
/// `c = 1`, so that every weight counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerEsn {
    /// Number of weights.
    pub weights: u128,
    /// Weights that are not pruned, `‖W‖_0`.
    pub nonzero: u128,
    /// Number of filters.
    pub filters: u128,
    /// Filters that are not pruned.
    pub live_filters: u128,
    /// Multiply-accumulates of the dense layer: weights × positions.
    pub macs: u128,
    /// `Σ code²`, which is four times ESN_a: equation (2) with `c = 1`.
    pub esn_a_quarters: u128,
    /// `Σ bits`, which is ESN_d: equation (3) with `c = 1`.
    pub esn_d: u128,
    /// Four times ESN_a: equation (2) with `c` = positions.
    pub esn_a_quarters_macs: u128,
    /// ESN_d: equation (3) with `c` = positions.
    pub esn_d_macs: u128,
    /// ESN'_d of equation (7): computed MACs of each filter × bits of its widest weight. The name has no `macs`, but
    /// `c` = positions.
    pub esn_d_filter: u128,
    /// Equation (7) with `c = 1`: computed weights in place of computed MACs.
    pub esn_d_filter_weights: u128,
    /// Bits of the widest weight.
    pub max_bits: u32,
    /// Weights with `|code| = 1`.
    pub units: u128,
    /// MACs of weights with `|code| = 1`. By that much `esn_d_macs` differs between the two [`BitConvention`]s.
    pub unit_macs: u128,
    /// Computed MACs of filters whose largest `|code|` is 1. By that much `esn_d_filter` differs between the two
    /// [`BitConvention`]s.
    pub unit_filter_macs: u128,
}

impl LayerEsn {
    /// Computes the metric of a layer whose weights are each used at `positions` output positions.
    ///
    /// A filter is pruned when all its weights are 0. An input channel is pruned when its weights are 0 in every filter
    /// of its group. In equation (7) neither is computed, and a zero elsewhere takes the width of its filter.
    ///
    /// ```
    /// use esn::{BitConvention, CodeTensor, Grid, LayerEsn, WeightShape};
    ///
    /// let shape = WeightShape { filters: 2, groups: 1, channels: 3, taps: 1 };
    /// let codes = CodeTensor::new(Grid::MidRise, shape, vec![5, 0, 0, -1, 0, 1])?;
    /// let layer = LayerEsn::new(&codes, 10, BitConvention::default());
    /// assert_eq!(layer.esn_a_quarters, 25 + 1 + 1);
    /// assert_eq!(layer.esn_a().to_string(), "6.75");
    /// assert_eq!(layer.esn_d_macs, 10 * (3 + 1 + 1));
    /// assert_eq!(layer.esn_d_filter, 10 * (2 * 3 + 2 * 1)); // two of the three channels are live
    /// # Ok::<(), esn::CodeError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a count passes 128 bits, which takes more than `2^30` weights and `2^63` positions at the same time.
    pub fn new(codes: &CodeTensor, positions: u64, convention: BitConvention) -> Self {
        Self::sum_filters(each_filter(codes, convention), codes, positions)
    }

    /// The same of filters that are measured already: `filters` is what [`filter_esn`] says of `codes`.
    ///
    /// # Panics
    ///
    /// As [`LayerEsn::new`].
    pub fn of_filters(filters: &[FilterEsn], codes: &CodeTensor, positions: u64) -> Self {
        Self::sum_filters(filters.iter().copied(), codes, positions)
    }

    fn sum_filters(filters: impl Iterator<Item = FilterEsn>, codes: &CodeTensor, positions: u64) -> Self {
        let mut layer = Self { weights: codes.codes().len() as u128, ..Self::default() };
        let mut unit_filter_weights = 0;
        for filter in filters {
            layer.filters += 1;
            layer.live_filters += u128::from(filter.nonzero > 0);
            layer.nonzero += u128::from(filter.nonzero);
            layer.units += u128::from(filter.units);
            layer.esn_a_quarters += filter.esn_a_quarters;
            layer.esn_d += filter.esn_d;
            layer.esn_d_filter_weights += filter.esn_d_filter_weights();
            layer.max_bits = layer.max_bits.max(filter.max_bits);
            unit_filter_weights += if filter.max_code == 1 { u128::from(filter.computed) } else { 0 };
        }
        layer.at_positions(positions, unit_filter_weights)
    }

    /// Fills in the counts of MACs. `unit_filter_weights` are the computed weights of filters whose largest `|code|` is
    /// 1.
    pub(crate) fn at_positions(mut self, positions: u64, unit_filter_weights: u128) -> Self {
        let per_position = |count: u128| count.checked_mul(u128::from(positions)).expect(FITS);
        self.macs = per_position(self.weights);
        self.esn_a_quarters_macs = per_position(self.esn_a_quarters);
        self.esn_d_macs = per_position(self.esn_d);
        self.esn_d_filter = per_position(self.esn_d_filter_weights);
        self.unit_macs = per_position(self.units);
        self.unit_filter_macs = per_position(unit_filter_weights);
        self
    }

    /// What a further use of weights that are counted already adds: multiply-accumulates, but no weights and no filters.
    #[must_use]
    pub fn of_further_use(self) -> Self {
        Self {
            macs: self.macs,
            esn_a_quarters_macs: self.esn_a_quarters_macs,
            esn_d_macs: self.esn_d_macs,
            esn_d_filter: self.esn_d_filter,
            max_bits: self.max_bits,
            unit_macs: self.unit_macs,
            unit_filter_macs: self.unit_filter_macs,
            ..Self::default()
        }
    }

    /// ESN_a with `c = 1`.
    pub fn esn_a(&self) -> Quarters {
        Quarters(self.esn_a_quarters)
    }

    /// ESN_a with `c` = positions.
    pub fn esn_a_macs(&self) -> Quarters {
        Quarters(self.esn_a_quarters_macs)
    }
}

const FITS: &str = "counts of layers that fit memory fit 128 bits";

impl Add for LayerEsn {
    type Output = LayerEsn;

    /// Adds every count; `max_bits` is the larger one.
    fn add(self, other: LayerEsn) -> LayerEsn {
        let add = |a: u128, b: u128| a.checked_add(b).expect(FITS);
        LayerEsn {
            weights: add(self.weights, other.weights),
            nonzero: add(self.nonzero, other.nonzero),
            filters: add(self.filters, other.filters),
            live_filters: add(self.live_filters, other.live_filters),
            macs: add(self.macs, other.macs),
            esn_a_quarters: add(self.esn_a_quarters, other.esn_a_quarters),
            esn_d: add(self.esn_d, other.esn_d),
            esn_a_quarters_macs: add(self.esn_a_quarters_macs, other.esn_a_quarters_macs),
            esn_d_macs: add(self.esn_d_macs, other.esn_d_macs),
            esn_d_filter: add(self.esn_d_filter, other.esn_d_filter),
            esn_d_filter_weights: add(self.esn_d_filter_weights, other.esn_d_filter_weights),
            max_bits: self.max_bits.max(other.max_bits),
            units: add(self.units, other.units),
            unit_macs: add(self.unit_macs, other.unit_macs),
            unit_filter_macs: add(self.unit_filter_macs, other.unit_filter_macs),
        }
    }
}

impl Sum for LayerEsn {
    fn sum<I: Iterator<Item = LayerEsn>>(layers: I) -> LayerEsn {
        layers.fold(LayerEsn::default(), Add::add)
    }
}

/// How many weights and filters have each bit width, 0 to 17. With [`BitConvention::AsPrinted`], weights of ±0.5 have
/// width 0 as pruned ones do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitHistogram {
    /// Weights by their bits.
    pub weights: [u64; BIT_WIDTHS],
    /// Filters by the bits of their widest weight.
    pub filters: [u64; BIT_WIDTHS],
}

impl BitHistogram {
    /// Counts the bit widths of a layer.
    pub fn new(codes: &CodeTensor, convention: BitConvention) -> Self {
        Self::of_filters(&filter_esn(codes, convention), codes, convention)
    }

    /// The same of filters that are measured already: `filters` is what [`filter_esn`] says of `codes`.
    pub fn of_filters(filters: &[FilterEsn], codes: &CodeTensor, convention: BitConvention) -> Self {
        let mut histogram = Self::default();
        for filter in filters {
            histogram.filters[filter.max_bits as usize] += 1;
            let least = match convention {
                BitConvention::NonzeroAtLeastOne => filter.nonzero,
                BitConvention::AsPrinted => filter.nonzero - filter.units,
            };
            histogram.weights[0] += codes.shape().filter_len() as u64 - least;
            let mut wider = least;
            for width in 1..filter.max_bits as usize {
                histogram.weights[width] += wider - filter.above[width];
                wider = filter.above[width];
            }
            histogram.weights[filter.max_bits as usize] += wider;
        }
        histogram
    }
}

impl Add for BitHistogram {
    type Output = BitHistogram;
    fn add(mut self, other: BitHistogram) -> BitHistogram {
        for width in 0..BIT_WIDTHS {
            self.weights[width] += other.weights[width];
            self.filters[width] += other.filters[width];
        }
        self
    }
}

impl Sum for BitHistogram {
    fn sum<I: Iterator<Item = BitHistogram>>(layers: I) -> BitHistogram {
        layers.fold(BitHistogram::default(), Add::add)
    }
}

fn each_filter(codes: &CodeTensor, convention: BitConvention) -> impl Iterator<Item = FilterEsn> {
    let shape = codes.shape();
    let per_group = shape.filters / shape.groups;
    let (mut room, mut live_weights) = (Magnitudes::default(), 0);
    (0..shape.filters).map(move |filter| {
        if filter.is_multiple_of(per_group) {
            live_weights = live_channels(codes, filter..filter + per_group) * shape.taps as u64;
        }
        FilterEsn::new(codes.filter(filter), live_weights, convention, &mut room)
    })
}

/// Channels of a group with a nonzero weight in any of its filters.
fn live_channels(codes: &CodeTensor, filters: std::ops::Range<usize>) -> u64 {
    let shape = codes.shape();
    let lives = |channel: usize| {
        let taps = channel * shape.taps..(channel + 1) * shape.taps;
        filters.clone().any(|filter| codes.filter(filter)[taps.clone()].iter().any(|&code| code != 0))
    };
    (0..shape.channels).filter(|&channel| lives(channel)).count() as u64
}

#[cfg(test)]
mod tests;
