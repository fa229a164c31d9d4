//! The weight grid in integers.

use thiserror::Error;

/// Largest magnitude of a code, which has 17 bits. An unsigned 16-bit weight with zero point 0 needs that many:
/// `2·65535`.
pub const MAX_CODE: i32 = (1 << 17) - 1;

/// The set of levels that the quantized weights of a layer lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// The grid of the paper, with levels ±0.5, ±1.5, ±2.5, …. Codes are odd, but that of a pruned weight, which is 0.
    MidRise,
    /// The grid of integer formats (`W_int = q − zero_point`), with levels 0, ±1, ±2, …. Codes are even.
    MidTread,
}

impl Grid {
    /// The name in metadata and on the command line: `mid-rise`, `mid-tread`.
    pub fn name(self) -> &'static str {
        match self {
            Grid::MidRise => "mid-rise",
            Grid::MidTread => "mid-tread",
        }
    }
}

/// The shape of the weights of a layer, which are laid out row-major, `[filters, channels, taps]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightShape {
    /// Filters, which are the output channels, of all groups together.
    pub filters: usize,
    /// Groups. Filter `m` belongs to group `m / (filters / groups)`.
    pub groups: usize,
    /// Input channels of one group.
    pub channels: usize,
    /// Kernel height × kernel width; 1 for a fully connected layer.
    pub taps: usize,
}

#[allow(clippy::len_without_is_empty, reason = "no tensor of codes is empty")]
impl WeightShape {
    /// Number of weights, or `None` where it does not fit a `usize`.
    pub fn len(&self) -> Option<usize> {
        self.filters.checked_mul(self.channels)?.checked_mul(self.taps)
    }

    /// Weights of one filter: `channels · taps`.
    pub fn filter_len(&self) -> usize {
        self.channels * self.taps
    }
}

/// Why codes do not make a [`CodeTensor`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodeError {
    /// The shape and the number of codes disagree, or the shape is empty or does not divide into its groups.
    #[error("{codes} codes do not fill a weight tensor of {shape:?}")]
    Shape {
        /// The shape that was asked for.
        shape: WeightShape,
        /// How many codes there are.
        codes: usize,
    },
    /// A code is not on the grid. On mid-rise such a code is even and not 0, on mid-tread it is odd.
    #[error("weight {index} has code {code}, which is not a level of the {grid:?} grid")]
    OffGrid {
        /// Index of the weight in row-major order.
        index: usize,
        /// The code.
        code: i32,
        /// The grid that the code should lie on.
        grid: Grid,
    },
    /// A code needs more than 17 bits.
    #[error("weight {index} has code {code}; codes reach ±{MAX_CODE} at most")]
    TooWide {
        /// Index of the weight in row-major order.
        index: usize,
        /// The code.
        code: i32,
    },
}

/// The weights of one layer as integer codes, `code = 2·W_int`, row-major `[filters, channels, taps]`.
///
/// A `CodeTensor` cannot be wrong: every code is a level of its grid and at most [`MAX_CODE`] in magnitude, and the
/// shape is not empty and divides into its groups. A pruned weight has code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTensor {
    grid: Grid,
    shape: WeightShape,
    codes: Vec<i32>,
}

impl CodeTensor {
    /// Checks codes against grid and shape.
    ///
    /// # Errors
    ///
    /// [`CodeError`] if the shape is empty, does not hold exactly `codes.len()` weights or does not divide into its
    /// groups, or if a code is off the grid or too wide.
    pub fn new(grid: Grid, shape: WeightShape, codes: Vec<i32>) -> Result<Self, CodeError> {
        check_shape(shape, codes.len())?;
        // Almost always every code passes; without an early exit the pass over them becomes vector instructions.
        if codes.iter().fold(false, |any, &code| any | !is_level(grid, code)) {
            let index = codes.iter().position(|&code| !is_level(grid, code)).expect("a code was found above");
            let code = codes[index];
            let too_wide = code.unsigned_abs() > MAX_CODE as u32;
            return Err(if too_wide {
                CodeError::TooWide { index, code }
            } else {
                CodeError::OffGrid { index, code, grid }
            });
        }
        Ok(Self { grid, shape, codes })
    }

    /// The same codes in another shape.
    ///
    /// # Errors
    ///
    /// [`CodeError::Shape`] as of [`CodeTensor::new`].
    pub fn reshaped(self, shape: WeightShape) -> Result<Self, CodeError> {
        check_shape(shape, self.codes.len())?;
        Ok(Self { shape, ..self })
    }

    /// The grid that the codes lie on.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The layout of the codes.
    pub fn shape(&self) -> WeightShape {
        self.shape
    }

    /// All codes, row-major `[filters, channels, taps]`.
    pub fn codes(&self) -> &[i32] {
        &self.codes
    }

    /// The codes of one filter, row-major `[channels, taps]`.
    ///
    /// # Panics
    ///
    /// If there is no such filter.
    pub fn filter(&self, filter: usize) -> &[i32] {
        let len = self.shape.filter_len();
        &self.codes[filter * len..(filter + 1) * len]
    }
}

fn check_shape(shape: WeightShape, codes: usize) -> Result<(), CodeError> {
    let fits = shape.groups > 0
        && shape.filters > 0
        && shape.filters.is_multiple_of(shape.groups)
        && codes > 0
        && shape.len() == Some(codes);
    if fits { Ok(()) } else { Err(CodeError::Shape { shape, codes }) }
}

#[inline(always)]
fn is_level(grid: Grid, code: i32) -> bool {
    let parity = match grid {
        Grid::MidRise => (code == 0) | (code & 1 == 1),
        Grid::MidTread => code & 1 == 0,
    };
    parity & (code.unsigned_abs() <= MAX_CODE as u32)
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn codes_are_levels_of_their_grid() {
        let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 2 };
        let off = |grid, code| Err(CodeError::OffGrid { index: 1, code, grid });
        let wide = |code| Err(CodeError::TooWide { index: 1, code });
        let cases = [
            (Grid::MidRise, MAX_CODE, Ok(())),
            (Grid::MidRise, -MAX_CODE, Ok(())),
            (Grid::MidRise, 0, Ok(())),
            (Grid::MidRise, 2, off(Grid::MidRise, 2)),
            (Grid::MidRise, -2, off(Grid::MidRise, -2)),
            (Grid::MidRise, MAX_CODE + 2, wide(MAX_CODE + 2)),
            (Grid::MidTread, MAX_CODE - 1, Ok(())),
            (Grid::MidTread, 1, off(Grid::MidTread, 1)),
            (Grid::MidTread, -1, off(Grid::MidTread, -1)),
            (Grid::MidTread, i32::MIN, wide(i32::MIN)),
        ];
        check_all(cases, |&(grid, code, ref expected)| {
            let found = CodeTensor::new(grid, shape, vec![0, code]).map(|_| ());
            assert_eq!(found, *expected, "{} {code}", grid.name());
        });
        assert_eq!((Grid::MidRise.name(), Grid::MidTread.name()), ("mid-rise", "mid-tread"));
    }
}
