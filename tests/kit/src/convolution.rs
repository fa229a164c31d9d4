//! A convolution by its definition, and geometries of every kind to try kernels on.

use std::ops::{Add, Mul};

use network::{Geometry, GeometrySpec};
use proptest::prelude::*;

/// The sum of products of every output, `[repeats, filters, out_h, out_w]`, each added up in the order of its weights.
/// Weights are `[filters, in_channels / groups, kernel_h, kernel_w]`, the input `[repeats, in_channels, in_h, in_w]`; padding
/// is 0.
pub fn sums<T: Copy + Default + Add<Output = T> + Mul<Output = T>>(
    geometry: &Geometry,
    weights: &[T],
    input: &[T],
) -> Vec<T> {
    let mut sums = vec![T::default(); geometry.output_len()];
    products(geometry, |output, weight, index| {
        let input = index.map_or(T::default(), |index| input[index]);
        sums[output] = sums[output] + weights[weight] * input;
    });
    sums
}

/// Visits every product of a convolution, by seven loops, with the indices of its output, its weight and its input (none on
/// padding).
pub fn products(geometry: &Geometry, mut visit: impl FnMut(usize, usize, Option<usize>)) {
    let s = geometry.spec();
    let (channels, columns) = (s.in_channels / s.groups, s.filters / s.groups);
    let mut output = 0;
    for repeat in 0..s.repeats {
        for filter in 0..s.filters {
            for y in 0..geometry.out_size()[0] {
                for x in 0..geometry.out_size()[1] {
                    let mut weight = filter * geometry.rows();
                    for channel in 0..channels {
                        let plane = repeat * s.in_channels + filter / columns * channels + channel;
                        for ky in 0..s.kernel[0] {
                            for kx in 0..s.kernel[1] {
                                visit(output, weight, input_index(s, plane, [y, x], [ky, kx]));
                                weight += 1;
                            }
                        }
                    }
                    output += 1;
                }
            }
        }
    }
}

fn input_index(s: &GeometrySpec, plane: usize, out: [usize; 2], tap: [usize; 2]) -> Option<usize> {
    let at = |axis: usize| {
        let padded = (out[axis] * s.stride[axis] + tap[axis] * s.dilation[axis]) as i64;
        let at = padded - s.pads[axis] as i64;
        (0..s.in_size[axis] as i64).contains(&at).then_some(at as usize)
    };
    Some((plane * s.in_size[0] + at(0)?) * s.in_size[1] + at(1)?)
}

/// Geometries of every kind to try kernels on: groups and depthwise, stride, dilation, lopsided padding, repeats, single
/// rows and columns, outputs wider than a vector.
pub fn geometries() -> impl Strategy<Value = Geometry> {
    let channels = (1usize..=3, prop_oneof![1usize..=9, Just(1)], prop_oneof![1usize..=10, Just(1)]);
    let size = prop_oneof![
        (1usize..=12, 1usize..=12),
        (1usize..=3, 30usize..=70),
        (1usize..=70, Just(1usize)),
        (Just(1usize), Just(1usize)),
    ];
    let kernel = prop_oneof![(1usize..=3, 1usize..=3), (Just(1usize), Just(1usize))];
    let axes = ((1usize..=3, 1usize..=3), (1usize..=3, 1usize..=3));
    let pads = prop_oneof![prop::array::uniform4(0usize..=3), Just([0; 4])];
    that_fit((channels, size, kernel, axes, pads, 1usize..=2))
}

/// Geometries of every kind that a machine can be stepped through, cycle by cycle, in a moment.
pub fn small_geometries() -> impl Strategy<Value = Geometry> {
    let channels = prop_oneof![
        2 => (1usize..=3, 1usize..=4, 1usize..=5),
        1 => (1usize..=4).prop_map(|groups| (groups, 1, 1)),
    ];
    let size = (1usize..=7, 1usize..=7);
    let kernel = (1usize..=3, 1usize..=3);
    let axes = ((1usize..=2, 1usize..=2), (1usize..=2, 1usize..=2));
    that_fit((channels, size, kernel, axes, prop::array::uniform4(0usize..=2), 1usize..=2))
}

type Pair = (usize, usize);

/// Groups with the channels and filters of each, size of the input, kernel, stride and dilation, pads, repeats.
type Numbers = ((usize, usize, usize), Pair, Pair, (Pair, Pair), [usize; 4], usize);

/// The geometries of numbers whose kernel fits into the padded input.
fn that_fit(numbers: impl Strategy<Value = Numbers>) -> impl Strategy<Value = Geometry> {
    numbers.prop_filter_map(
        "the kernel fits",
        |((groups, channels, columns), size, kernel, (stride, dilation), pads, repeats)| {
            Geometry::new(GeometrySpec {
                in_channels: groups * channels,
                filters: groups * columns,
                groups,
                kernel: kernel.into(),
                stride: stride.into(),
                dilation: dilation.into(),
                pads,
                in_size: size.into(),
                repeats,
            })
            .ok()
        },
    )
}
