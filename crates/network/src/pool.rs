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
    /// Whether a window that starts inside the padded input but ends outside counts.
    pub ceil_mode: bool,
    /// Whether an average divides by the whole window, padding included.
    pub count_include_pad: bool,
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
