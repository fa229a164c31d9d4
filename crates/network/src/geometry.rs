//! The geometry of a MAC layer.

use esn::WeightShape;
use thiserror::Error;

use crate::failure::{ErrorKind, Failure};

/// What a [`Geometry`] is made from; nothing in it is checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeometrySpec {
    /// Input channels over all groups.
    pub in_channels: usize,
    /// Output channels over all groups.
    pub filters: usize,
    /// Groups: filters of group `g` see only the input channels of group `g`.
    pub groups: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride along height and width.
    pub stride: [usize; 2],
    /// Dilation along height and width.
    pub dilation: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Input height and width.
    pub in_size: [usize; 2],
    /// Independent inputs of the layer in one image; 1 unless the graph folds other axes into the batch.
    pub repeats: usize,
}

impl GeometrySpec {
    /// A convolution of stride 1 in one group, without dilation and padding. Other values are set by name:
    /// `GeometrySpec { pads: [1; 4], ..GeometrySpec::convolution(3, 16, [3, 3], [32, 32]) }`.
    pub const fn convolution(in_channels: usize, filters: usize, kernel: [usize; 2], in_size: [usize; 2]) -> Self {
        Self {
            in_channels,
            filters,
            groups: 1,
            kernel,
            stride: [1; 2],
            dilation: [1; 2],
            pads: [0; 4],
            in_size,
            repeats: 1,
        }
    }
}

/// Why a specification is no geometry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GeometryError {
    /// A number that must be at least 1 is 0.
    #[error("{0} is 0; it must be at least 1")]
    Zero(&'static str),
    /// Channels or filters do not divide into the groups.
    #[error("{count} {what} do not divide into {groups} groups")]
    Groups {
        /// `"input channels"` or `"filters"`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many groups.
        groups: usize,
    },
    /// The dilated kernel is larger than the padded input.
    #[error("a kernel of {extent} does not fit a padded input of {padded} along {axis}")]
    KernelTooLarge {
        /// `"height"` or `"width"`.
        axis: &'static str,
        /// Extent of the dilated kernel.
        extent: usize,
        /// Extent of the padded input.
        padded: usize,
    },
    /// A product of sizes does not fit 63 bits.
    #[error("the number of {0} is too large to count")]
    TooLarge(&'static str),
}

impl Failure for GeometryError {
    fn kind(&self) -> ErrorKind {
        match self {
            GeometryError::Zero(_) | GeometryError::Groups { .. } | GeometryError::KernelTooLarge { .. } => {
                ErrorKind::BadArgument
            }
            GeometryError::TooLarge(_) => ErrorKind::OutOfLimits,
        }
    }
}

/// Where the weights of a MAC layer meet its input: a grouped 2-D convolution.
///
/// Every MAC layer has this form. A fully connected layer is a 1×1 convolution of a 1×1 input; a MatMul of `L` rows is
/// a 1×1 convolution of an `L`×1 input. The input of one repeat is `[in_channels, height, width]`, the output
/// `[filters, out_height, out_width]`, both row-major.
///
/// Lowered to a matrix, a group has `rows()` = `in_channels / groups · kernel_h · kernel_w` rows, in the order of the
/// weights of a filter (channel, kernel row, kernel column), and `columns()` = `filters / groups` columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    spec: GeometrySpec,
    out_size: [usize; 2],
}

impl Geometry {
    /// Checks a specification and computes the output size.
    ///
    /// # Errors
    ///
    /// [`GeometryError`] if a size is 0, groups do not divide, the kernel does not fit, or a count does not fit 63 bits.
    pub fn new(spec: GeometrySpec) -> Result<Self, GeometryError> {
        let at_least_one = [
            ("in_channels", spec.in_channels),
            ("filters", spec.filters),
            ("groups", spec.groups),
            ("kernel height", spec.kernel[0]),
            ("kernel width", spec.kernel[1]),
            ("stride along height", spec.stride[0]),
            ("stride along width", spec.stride[1]),
            ("dilation along height", spec.dilation[0]),
            ("dilation along width", spec.dilation[1]),
            ("input height", spec.in_size[0]),
            ("input width", spec.in_size[1]),
            ("repeats", spec.repeats),
        ];
        if let Some((what, _)) = at_least_one.iter().find(|(_, n)| *n == 0) {
            return Err(GeometryError::Zero(what));
        }
        for (what, count) in [("input channels", spec.in_channels), ("filters", spec.filters)] {
            if !count.is_multiple_of(spec.groups) {
                return Err(GeometryError::Groups { what, count, groups: spec.groups });
            }
        }
        let out_size = [out_extent(&spec, 0)?, out_extent(&spec, 1)?];
        let geometry = Self { spec, out_size };
        geometry.check_counts()?;
        Ok(geometry)
    }

    fn check_counts(&self) -> Result<(), GeometryError> {
        let s = &self.spec;
        let counts = [
            ("weights", [s.filters, s.in_channels / s.groups, s.kernel[0], s.kernel[1]]),
            ("input elements", [s.repeats, s.in_channels, s.in_size[0], s.in_size[1]]),
            ("output elements", [s.repeats, s.filters, self.out_size[0], self.out_size[1]]),
        ];
        for (what, factors) in counts {
            factors
                .iter()
                .try_fold(1usize, |product, &n| product.checked_mul(n))
                .filter(|&product| product <= isize::MAX as usize)
                .ok_or(GeometryError::TooLarge(what))?;
        }
        Ok(())
    }

    /// The specification that this geometry was made from.
    pub fn spec(&self) -> &GeometrySpec {
        &self.spec
    }

    /// Output height and width.
    pub fn out_size(&self) -> [usize; 2] {
        self.out_size
    }

    /// Rows of the lowered matrix of one group; also the number of weights of a filter.
    pub fn rows(&self) -> usize {
        self.spec.in_channels / self.spec.groups * self.spec.kernel[0] * self.spec.kernel[1]
    }

    /// Columns of the lowered matrix of one group: its filters.
    pub fn columns(&self) -> usize {
        self.spec.filters / self.spec.groups
    }

    /// Output positions of one repeat: `out_height · out_width`.
    pub fn positions_per_repeat(&self) -> usize {
        self.out_size[0] * self.out_size[1]
    }

    /// Output positions of one image: how often each weight is used.
    pub fn positions(&self) -> u64 {
        self.spec.repeats as u64 * self.positions_per_repeat() as u64
    }

    /// Multiply-accumulates of one image: weights × positions, those on padding and pruned weights included.
    pub fn macs(&self) -> u128 {
        self.spec.filters as u128 * self.rows() as u128 * u128::from(self.positions())
    }

    /// The extents of the weights: `[filters, in_channels / groups, kernel_h, kernel_w]`.
    pub fn weight_extents(&self) -> [usize; 4] {
        let s = &self.spec;
        [s.filters, s.in_channels / s.groups, s.kernel[0], s.kernel[1]]
    }

    /// How the weights of the layer are laid out.
    pub fn weight_shape(&self) -> WeightShape {
        WeightShape {
            filters: self.spec.filters,
            groups: self.spec.groups,
            channels: self.spec.in_channels / self.spec.groups,
            taps: self.spec.kernel[0] * self.spec.kernel[1],
        }
    }

    /// Elements of the input of one image: `[repeats, in_channels, height, width]`.
    pub fn input_len(&self) -> usize {
        self.spec.repeats * self.spec.in_channels * self.spec.in_size[0] * self.spec.in_size[1]
    }

    /// Elements of the output of one image: `[repeats, filters, out_height, out_width]`.
    pub fn output_len(&self) -> usize {
        self.spec.repeats * self.spec.filters * self.positions_per_repeat()
    }

    /// Index into the input of one repeat, `[in_channels, height, width]`, that row `row` of group `group` reads at
    /// output position `(out_y, out_x)`; `None` where it reads padding.
    pub fn input_index(&self, group: usize, row: usize, out_y: usize, out_x: usize) -> Option<usize> {
        let s = &self.spec;
        let taps = s.kernel[0] * s.kernel[1];
        let (channel, tap) = (group * (s.in_channels / s.groups) + row / taps, row % taps);
        let y = (out_y * s.stride[0] + tap / s.kernel[1] * s.dilation[0]).checked_sub(s.pads[0])?;
        let x = (out_x * s.stride[1] + tap % s.kernel[1] * s.dilation[1]).checked_sub(s.pads[1])?;
        (y < s.in_size[0] && x < s.in_size[1]).then(|| (channel * s.in_size[0] + y) * s.in_size[1] + x)
    }
}

fn out_extent(spec: &GeometrySpec, axis: usize) -> Result<usize, GeometryError> {
    const AXES: [&str; 2] = ["height", "width"];
    let too_large = GeometryError::TooLarge("padded input elements");
    let padded = spec.in_size[axis]
        .checked_add(spec.pads[axis])
        .and_then(|n| n.checked_add(spec.pads[axis + 2]))
        .ok_or(too_large.clone())?;
    let extent =
        (spec.kernel[axis] - 1).checked_mul(spec.dilation[axis]).and_then(|n| n.checked_add(1)).ok_or(too_large)?;
    if extent > padded {
        return Err(GeometryError::KernelTooLarge { axis: AXES[axis], extent, padded });
    }
    Ok((padded - extent) / spec.stride[axis] + 1)
}
