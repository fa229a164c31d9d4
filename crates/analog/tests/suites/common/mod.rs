//! Layers, random ones too, and what outputs are compared by.

#![allow(dead_code, reason = "each test uses some of it")]

use engine::Outputs;
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use proptest::prelude::*;
use testkit::small_geometries;

/// 4 → 6 channels in 2 groups, 3 × 3 with padding: 18 rows and 3 columns a group.
pub fn two_groups(in_size: [usize; 2], repeats: usize) -> Geometry {
    let spec = GeometrySpec { groups: 2, pads: [1; 4], repeats, ..GeometrySpec::convolution(4, 6, [3, 3], in_size) };
    Geometry::new(spec).expect("it is a geometry")
}

/// A layer, sparse or not, and an input for it.
pub fn layers() -> impl Strategy<Value = (Geometry, CodeTensor, Vec<f32>)> {
    let codes = (1i32..=1 << 16, 0.0..=1.0, any::<bool>());
    (small_geometries(), codes).prop_flat_map(|(geometry, (top, density, even))| {
        let weight = (-top..top, prop::bool::weighted(density)).prop_map(move |(half, live)| match live {
            true if even => 2 * half,
            true => 2 * half + 1,
            false => 0,
        });
        let grid = if even { Grid::MidTread } else { Grid::MidRise };
        let shape = geometry.weight_shape();
        (
            Just(geometry),
            prop::collection::vec(weight, shape.len().expect("it is small"))
                .prop_map(move |codes| CodeTensor::new(grid, shape, codes).expect("codes are on the grid")),
            prop::collection::vec(prop_oneof![-8.0f32..8.0, Just(0.0)], geometry.input_len()),
        )
    })
}

/// The bits of outputs, which tell zeros and NaNs apart.
pub fn bits(outputs: &Outputs) -> Vec<u32> {
    match outputs {
        Outputs::Real(sums) => sums.iter().map(|sum| sum.to_bits()).collect(),
        Outputs::Integer(_) => panic!("an analog array computes real numbers"),
    }
}
