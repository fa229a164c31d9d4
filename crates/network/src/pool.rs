//! Windows and padding.

/// A pooling window over height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Stride along height and width.
    pub stride: [usize; 2],
    /// Dilation along height and width.
    pub dilation: [usize; 2],
    /// Padding: top, left, bottom, right; made explicit from `auto_pad`.
    pub pads: [usize; 4],
    /// The axis in front of the height, where there is one.
    pub depth: Option<PoolAxis>,
    /// Whether a window that starts inside the padded input but ends outside counts.
    pub ceil_mode: bool,
    /// Whether an average divides by the whole window, padding included.
    pub count_include_pad: bool,
}

/// A pooling window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolAxis {
    /// Window extent.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Padding before and after.
    pub pads: [usize; 2],
}

impl Pool {
    /// The window along depth, height and width; a depth that is not there has a window of 1.
    pub fn axes(&self) -> [PoolAxis; 3] {
        let one = PoolAxis { kernel: 1, stride: 1, dilation: 1, pads: [0; 2] };
        let planar = [0, 1].map(|axis| PoolAxis {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            dilation: self.dilation[axis],
            pads: [self.pads[axis], self.pads[axis + 2]],
        });
        [self.depth.unwrap_or(one), planar[0], planar[1]]
    }
}

/// How [`Op::Pad`](crate::Op::Pad) fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PadMode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}
