//! Transposed convolution: where the sums of its taps are added up to outputs.

use std::ops::AddAssign;

use crate::window::WindowAxis;

/// Where the sums of a transposed convolution go.
///
/// The layer is a convolution of size 1 × 1 with one filter for each output channel and tap, in the order `[channels,
/// kernel_d, kernel_h, kernel_w]`, so that each weight is used once for each input position. Along every axis, its sum at
/// input position `p` for tap `i` is added to
///
/// ```text
/// output p · stride + i · dilation − pad
/// ```
///
/// and is dropped where there is no such output. An output that nothing is added to is 0. Bias and scales are those of
/// the output channels: they follow the addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scatter {
    /// Depth, height and width; those that the operator does not have are [`WindowAxis::ONE`].
    pub axes: [WindowAxis; 3],
}

impl Scatter {
    /// Taps of a kernel: filters of an output channel.
    pub fn taps(&self) -> usize {
        self.product(|axis| axis.kernel)
    }

    /// Input positions.
    pub fn in_positions(&self) -> usize {
        self.product(|axis| axis.size)
    }

    /// Outputs of a channel.
    pub fn out_positions(&self) -> usize {
        self.product(|axis| axis.out)
    }

    /// Adds up sums, `[n, filters, in_depth, in_height, in_width]` with `filters` of all channels and taps, to outputs,
    /// `[n, channels, out_depth, out_height, out_width]`. The taps of a channel are added in order.
    pub fn add_up<T: Copy + Default + AddAssign>(&self, sums: &[T]) -> Vec<T> {
        let (positions, taps, outs) = (self.in_positions(), self.taps(), self.out_positions());
        let mut outputs = vec![T::default(); sums.len() / (positions * taps) * outs];
        for (of_channel, output) in sums.chunks_exact(positions * taps).zip(outputs.chunks_exact_mut(outs)) {
            for (tap, of_tap) in of_channel.chunks_exact(positions).enumerate() {
                self.add_tap(tap, of_tap, output);
            }
        }
        outputs
    }

    /// Adds the sums of one tap, `[in_depth, in_height, in_width]`, to the outputs of a channel.
    fn add_tap<T: Copy + AddAssign>(&self, tap: usize, sums: &[T], output: &mut [T]) {
        let [depth, height, width] = &self.axes;
        let (across, down) = (tap % width.kernel, tap / width.kernel);
        // Columns that have an output follow one another.
        let Some(first) = (0..width.size).find(|&x| width.target(x, across).is_some()) else { return };
        let left = width.target(first, across).unwrap_or_default();
        for (row, sums) in sums.chunks_exact(width.size).enumerate() {
            let plane = depth.target(row / height.size, down / height.kernel);
            let line = height.target(row % height.size, down % height.kernel);
            let (Some(plane), Some(line)) = (plane, line) else { continue };
            let start = (plane * height.out + line) * width.out;
            let targets = output[start + left..start + width.out].iter_mut().step_by(width.stride);
            targets.zip(&sums[first..]).for_each(|(target, &sum)| *target += sum);
        }
    }

    fn product(&self, of: impl Fn(&WindowAxis) -> usize) -> usize {
        self.axes.iter().map(of).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along_height_and_width(height: WindowAxis, width: WindowAxis) -> Scatter {
        Scatter { axes: [WindowAxis::ONE, height, width] }
    }

    #[test]
    fn sums_are_added_where_kernels_overlap_and_dropped_outside() {
        let width = WindowAxis { size: 2, kernel: 3, stride: 2, dilation: 1, pads: [1, 0], out: 5 };
        // By tap, the sums of both inputs. The first input alone reaches the output that is cut off.
        let sums = [1, 10, 2, 20, 3, 30];
        assert_eq!(along_height_and_width(WindowAxis::ONE, width).add_up(&sums), [2, 3 + 10, 20, 30, 0]);
        assert_eq!(width.output_padding(), Some(1));
        assert_eq!(WindowAxis { out: 3, ..width }.output_padding(), None);
    }

    #[test]
    fn a_tap_may_have_no_output() {
        let far = WindowAxis { size: 2, kernel: 2, stride: 1, dilation: 9, pads: [0; 2], out: 2 };
        assert_eq!(along_height_and_width(far, WindowAxis::ONE).add_up(&[1, 2, 3, 4]), [1, 2]);
        assert_eq!(along_height_and_width(WindowAxis::ONE, far).add_up(&[1, 2, 3, 4]), [1, 2]);
    }
}
