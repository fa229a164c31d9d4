//! Windows that slide along an axis, as the formats define them: how far a window reaches, how much padding `SAME`
//! means, and at how many positions a window stands.

/// Elements from the first to the last that a dilated kernel reads, `(kernel − 1) · dilation + 1`. `kernel` is at least
/// 1; `None` where the number cannot be held.
pub(crate) fn span(kernel: usize, dilation: usize) -> Option<usize> {
    (kernel - 1).checked_mul(dilation)?.checked_add(1)
}

/// All padding of an axis that `SAME` asks for: enough for `⌈extent / stride⌉` positions. `extent` and `stride` are at
/// least 1; `None` where the number cannot be held.
pub(crate) fn same_padding(extent: usize, span: usize, stride: usize) -> Option<usize> {
    let steps = extent.div_ceil(stride) - 1;
    Some(steps.checked_mul(stride)?.checked_add(span)?.saturating_sub(extent))
}

/// Positions of a window in a padded input, whole windows only. `stride` is at least 1; `None` where not one fits.
pub(crate) fn positions(padded: usize, span: usize, stride: usize) -> Option<usize> {
    Some(padded.checked_sub(span)? / stride + 1)
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn same_makes_as_many_positions_as_strides_begin_in_the_input() {
        check_all([(32, 3, 1, 2), (7, 5, 1, 2), (9, 3, 2, 1), (5, 1, 1, 1)], |&(extent, kernel, dilation, stride)| {
            let span = span(kernel, dilation).expect("it can be held");
            let padding = same_padding(extent, span, stride).expect("it can be held");
            assert_eq!(positions(extent + padding, span, stride), Some(extent.div_ceil(stride)));
        });
        assert_eq!(positions(2, 3, 1), None);
        assert_eq!(same_padding(2, usize::MAX, 1), None);
    }
}
