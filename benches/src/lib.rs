//! Synthetic layers of real sizes for the benches.

use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// A square convolution with padding that keeps the size at stride 1.
///
/// # Panics
///
/// If the sizes make no geometry.
pub fn conv(channels: usize, filters: usize, groups: usize, kernel: usize, stride: usize, size: usize) -> Geometry {
    Geometry::new(GeometrySpec {
        in_channels: channels,
        filters,
        groups,
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1, 1],
        pads: [kernel / 2; 4],
        in_size: [size; 2],
        repeats: 1,
    })
    .expect("benches use valid sizes")
}

/// The MAC layers of ResNet-20 on a CIFAR-10 image, 41 million MACs.
pub fn resnet20() -> Vec<Geometry> {
    let mut layers = vec![conv(3, 16, 1, 3, 1, 32)];
    layers.extend([conv(16, 16, 1, 3, 1, 32); 6]);
    layers.extend([conv(16, 32, 1, 3, 2, 32), conv(16, 32, 1, 1, 2, 32)]);
    layers.extend([conv(32, 32, 1, 3, 1, 16); 5]);
    layers.extend([conv(32, 64, 1, 3, 2, 16), conv(32, 64, 1, 1, 2, 16)]);
    layers.extend([conv(64, 64, 1, 3, 1, 8); 5]);
    layers.push(conv(64, 10, 1, 1, 1, 1));
    layers
}

/// Random mid-rise codes of `bits` bits, none pruned.
///
/// # Panics
///
/// If `bits` is not in `1..=17`.
pub fn codes(geometry: &Geometry, bits: u32) -> CodeTensor {
    let mut random = SmallRng::seed_from_u64(u64::from(bits));
    let shape = geometry.weight_shape();
    let half = 1 << (bits - 1);
    let codes = (0..shape.len().expect("benches use small layers")).map(|_| 2 * random.random_range(-half..half) + 1);
    CodeTensor::new(Grid::MidRise, shape, codes.collect()).expect("odd codes are on the grid")
}

/// A random input of unsigned `bits`-bit integers, `[repeats, in_channels, height, width]`.
pub fn input(geometry: &Geometry, bits: u32) -> Vec<i32> {
    let mut random = SmallRng::seed_from_u64(7);
    (0..geometry.input_len()).map(|_| random.random_range(0..1 << bits)).collect()
}
