//! A window along one axis.

/// How the window of an operator moves along one axis.
///
/// Of a convolution, output `o` reads for tap `i` the input `o · stride + i · dilation − pad`, and 0 where there is none.
/// Of a transposed convolution it is the other way round: what input `o` makes for tap `i` is added to that output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowAxis {
    /// Inputs.
    pub size: usize,
    /// Taps.
    pub kernel: usize,
    /// Places from one position of the window to the next.
    pub stride: usize,
    /// Places from one tap to the next.
    pub dilation: usize,
    /// Padding before and after; of a transposed convolution, outputs that are cut off. The first shifts the window, and
    /// `size` or `out` bounds it.
    pub pads: [usize; 2],
    /// Outputs.
    pub out: usize,
}

impl WindowAxis {
    /// An axis of extent 1, on which nothing happens.
    pub const ONE: Self = Self { size: 1, kernel: 1, stride: 1, dilation: 1, pads: [0; 2], out: 1 };

    /// How many outputs a convolution has. `None` where its kernel does not fit its padded input, or a stride is 0.
    pub fn outputs(&self) -> Option<usize> {
        let span = self.kernel.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)?;
        let padded = self.size.checked_add(self.pads[0])?.checked_add(self.pads[1])?;
        Some(padded.checked_sub(span)?.checked_div(self.stride)? + 1)
    }

    /// Of a transposed convolution, outputs behind all that the kernel reaches and the pads leave: what the file calls
    /// output padding. `None` where there are fewer outputs than the pads leave.
    pub fn output_padding(&self) -> Option<usize> {
        let reached = (self.size - 1) * self.stride + (self.kernel - 1) * self.dilation + 1;
        (self.out + self.pads[0] + self.pads[1]).checked_sub(reached)
    }

    /// The input that a convolution reads at an output for a tap; `None` where it reads padding.
    pub fn source(&self, output: usize, tap: usize) -> Option<usize> {
        self.reached(output, tap).filter(|&place| place < self.size)
    }

    /// The output that a transposed convolution adds to at an input for a tap; `None` where there is none.
    pub(crate) fn target(&self, input: usize, tap: usize) -> Option<usize> {
        self.reached(input, tap).filter(|&place| place < self.out)
    }

    fn reached(&self, position: usize, tap: usize) -> Option<usize> {
        (position * self.stride + tap * self.dilation).checked_sub(self.pads[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convolution_reads_padding_outside() {
        let axis = WindowAxis { size: 4, kernel: 3, stride: 2, dilation: 1, pads: [1, 1], out: 2 };
        let read = |output| [0, 1, 2].map(|tap| axis.source(output, tap));
        assert_eq!(read(0), [None, Some(0), Some(1)]);
        assert_eq!(read(1), [Some(1), Some(2), Some(3)]);
        assert_eq!(axis.source(2, 1), None);
        assert_eq!(axis.outputs(), Some(2));
    }
}
