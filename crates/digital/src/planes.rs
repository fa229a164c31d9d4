//! The bit planes of a weight. A processing element consumes one of them a cycle.

use esn::Grid;

/// A weight code as a sum of bit planes, each of them 0 or ± a power of two.
///
/// ```text
/// code = Σ_b digit(b) · 2^(b + shift),   b = 0 … width − 1
/// ```
///
/// - **Mid-rise** (odd codes, `shift` 0): every digit is ±1. `n` planes make every odd code of `−(2^n − 1) … 2^n − 1`.
/// - **Mid-tread** (even codes, `shift` 1): the planes are those of `−|W_int|` in two's complement, `W_int = code / 2`.
///   For a negative code the digit of the top plane is 0 or −1, and the others are 0 or +1. For a positive code every
///   digit is negated, which the accumulator does. `n` planes reach `|W_int| = 2^(n − 1)`, the whole of a signed n-bit
///   format.
/// - **Pruned** (code 0): every digit is 0. The element is gated off and adds nothing.
///
/// ```
/// use digital::Planes;
/// use esn::Grid;
///
/// let planes = Planes::encode(Grid::MidRise, -5, 3).expect("three planes reach ±7");
/// let digits: Vec<i8> = (0..planes.width()).map(|plane| planes.digit(plane)).collect();
/// assert_eq!(digits, [1, -1, -1]); // 1 − 2 − 4
/// assert_eq!(planes.code(), -5);
/// assert!(Planes::encode(Grid::MidRise, -5, 2).is_none());
/// assert_eq!(Planes::least_width(Grid::MidTread, -8), 3); // W_int = −4, the lowest of 3 bits
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// Bit b is set where the digit of plane b is +1.
    positive: u32,
    /// Bit b is set where the digit of plane b is −1.
    negative: u32,
    width: u32,
    shift: u32,
}

impl Planes {
    /// The most planes that a code of 17 bits needs.
    pub const MAX_WIDTH: u32 = 17;

    /// Encodes a code of the grid in `width` planes. `None` if the planes do not reach it, if `width` is above
    /// [`Planes::MAX_WIDTH`], or if the code is not on the grid.
    pub fn encode(grid: Grid, code: i32, width: u32) -> Option<Self> {
        if width > Self::MAX_WIDTH {
            return None;
        }
        let shift = match grid {
            Grid::MidRise => 0,
            Grid::MidTread => 1,
        };
        let (positive, negative) = match (grid, code) {
            (_, 0) => (0, 0),
            (Grid::MidRise, _) => mid_rise_digits(code, width)?,
            (Grid::MidTread, _) => mid_tread_digits(code, width)?,
        };
        Some(Self { positive, negative, width, shift })
    }

    /// The fewest planes that a code of the grid can be encoded in; 0 for a pruned weight.
    #[inline(always)]
    pub fn least_width(grid: Grid, code: i32) -> u32 {
        let magnitude = code.unsigned_abs();
        match grid {
            // The smallest n with |code| ≤ 2^n − 1.
            Grid::MidRise => u32::BITS - magnitude.leading_zeros(),
            // The smallest n ≥ 1 with |W_int| ≤ 2^(n − 1); there is no W_int between 0 and 1.
            Grid::MidTread if magnitude == 0 => 0,
            Grid::MidTread => u32::BITS - (magnitude / 2).saturating_sub(1).leading_zeros() + 1,
        }
    }

    /// Number of planes: cycles of one element for one multiply-accumulate.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The digit of a plane: −1, 0 or 1; 0 beyond the width.
    pub fn digit(&self, plane: u32) -> i8 {
        let bit = |bits: u32| (bits.checked_shr(plane).unwrap_or(0) & 1) as i8;
        bit(self.positive) - bit(self.negative)
    }

    /// The power of two of the lowest plane, in units of the code: 0 on the mid-rise grid, 1 on mid-tread.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The code that the planes add up to.
    pub fn code(&self) -> i32 {
        (0..self.width).map(|plane| i32::from(self.digit(plane)) << (plane + self.shift)).sum()
    }
}

/// The digits of an odd code that are +1, and those that are −1, by bit. Digit b is +1 where bit b of
/// `(code + 2^n − 1) / 2` is set.
fn mid_rise_digits(code: i32, width: u32) -> Option<(u32, u32)> {
    let all = (1u32 << width) - 1;
    if code % 2 == 0 || code.unsigned_abs() > all {
        return None;
    }
    let positive = ((code + all as i32) / 2) as u32;
    Some((positive, !positive & all))
}

/// The digits of an even code that are +1, and those that are −1, by bit. They are the two's complement of
/// `−|code / 2|`, whose top plane counts negative; for a positive code the two are swapped.
fn mid_tread_digits(code: i32, width: u32) -> Option<(u32, u32)> {
    let top = 1u32 << width.checked_sub(1)?;
    let magnitude = code.unsigned_abs() / 2;
    if code % 2 != 0 || magnitude > top {
        return None;
    }
    let complement = magnitude.wrapping_neg() & (2 * top - 1);
    let (low, high) = (complement & !top, complement & top);
    Some(if code < 0 { (low, high) } else { (high, low) })
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    /// Every code of every grid, as wide as an unsigned 16-bit weight needs.
    fn all_codes() -> impl Iterator<Item = (Grid, i32)> {
        let mid_rise = (0..1 << 15).map(|i| 2 * i + 1).chain((1 << 15)..(1 << 16)).filter(|code| code % 2 != 0);
        let mid_tread = (1..=65535).map(|w_int| 2 * w_int);
        let both_signs = |grid| move |code: i32| [(grid, code), (grid, -code)];
        mid_rise.flat_map(both_signs(Grid::MidRise)).chain(mid_tread.flat_map(both_signs(Grid::MidTread)))
    }

    #[test]
    fn planes_rebuild_every_code_and_one_fewer_cannot() {
        for (grid, code) in all_codes() {
            let width = Planes::least_width(grid, code);
            let planes = Planes::encode(grid, code, width).expect("the least width reaches the code");
            assert_eq!((planes.code(), planes.width()), (code, width), "{grid:?}");
            assert_eq!(Planes::encode(grid, code, width - 1), None, "{grid:?} {code}");
        }
    }

    #[test]
    fn every_wider_encoding_has_the_same_value() {
        for (grid, code) in all_codes().step_by(97) {
            for width in Planes::least_width(grid, code)..=Planes::MAX_WIDTH {
                let planes = Planes::encode(grid, code, width).expect("wider reaches further");
                assert_eq!((planes.code(), planes.width()), (code, width), "{grid:?}");
            }
        }
        assert_eq!(Planes::encode(Grid::MidRise, 1, Planes::MAX_WIDTH + 1), None);
    }

    /// What n planes can make at all, from every pattern of digits: so no cleverer encoding needs fewer planes.
    #[test]
    fn fewer_planes_reach_no_further_in_any_pattern() {
        check_all(1..=8u32, |&width| {
            let sums = |digit: fn(u32) -> i32| {
                (0..1u32 << width).map(move |bits| (0..width).map(|b| digit(bits >> b & 1) << b).sum::<i32>())
            };
            let odd_reach = sums(|bit| 2 * bit as i32 - 1).map(i32::abs).max().unwrap();
            assert_eq!(odd_reach, (1 << width) - 1);
            assert_eq!(Planes::least_width(Grid::MidRise, odd_reach), width);
            assert_eq!(Planes::least_width(Grid::MidRise, odd_reach + 2), width + 1);
            let complement_reach =
                (0..1i32 << width).map(|bits| (1 << width) - bits).filter(|w| *w <= 1 << (width - 1));
            let lowest = complement_reach.max().unwrap();
            assert_eq!(Planes::least_width(Grid::MidTread, -2 * lowest), width);
            assert_eq!(Planes::least_width(Grid::MidTread, -2 * (lowest + 1)), width + 1);
        });
    }

    #[test]
    fn widths_at_the_edges() {
        check_all([1, -1], |&code| {
            assert_eq!(Planes::least_width(Grid::MidRise, code), 1, "the smallest weight takes one plane, its sign");
            assert_eq!(Planes::least_width(Grid::MidTread, 2 * code), 1);
        });
        let cases = (1..=16u32).flat_map(|n| [1, -1].map(move |sign| (n, sign)));
        check_all(cases, |&(n, sign)| {
            assert_eq!(Planes::least_width(Grid::MidRise, sign * ((1 << n) - 1)), n);
            assert_eq!(Planes::least_width(Grid::MidRise, sign * ((1 << n) + 1)), n + 1);
            let lowest = sign << n; // W_int = ±2^(n−1)
            assert_eq!(Planes::least_width(Grid::MidTread, lowest), n);
            assert_eq!(Planes::least_width(Grid::MidTread, lowest + 2 * sign), n + 1);
        });
    }

    #[test]
    fn pruned_weights_need_no_plane_and_are_gated_in_any() {
        check_all([Grid::MidRise, Grid::MidTread], |&grid| {
            assert_eq!(Planes::least_width(grid, 0), 0);
            check_all(0..=Planes::MAX_WIDTH, |&width| {
                let planes = Planes::encode(grid, 0, width).expect("0 is the sum of no digits");
                assert!((0..40).all(|plane| planes.digit(plane) == 0));
                assert_eq!((planes.code(), planes.width()), (0, width));
            });
        });
    }

    #[test]
    fn codes_off_the_grid_are_not_encoded() {
        assert_eq!(Planes::encode(Grid::MidRise, 2, 4), None);
        assert_eq!(Planes::encode(Grid::MidTread, 3, 4), None);
    }

    #[test]
    fn digits_of_the_two_grids() {
        let digits = |grid, code, width| -> Vec<i8> {
            let planes = Planes::encode(grid, code, width).expect("wide enough");
            (0..width).map(|plane| planes.digit(plane)).collect()
        };
        assert_eq!(digits(Grid::MidRise, 1, 1), [1]);
        assert_eq!(digits(Grid::MidRise, 1, 3), [-1, -1, 1]);
        assert_eq!(digits(Grid::MidTread, -2, 1), [-1]);
        assert_eq!(digits(Grid::MidTread, 2, 1), [1]);
        assert_eq!(digits(Grid::MidTread, -6, 3), [1, 0, -1]); // −3 = 0b101 in three bits
        assert_eq!(digits(Grid::MidTread, 6, 3), [-1, 0, 1]);
    }
}
