//! Random layers and arrays, and the plain loops that they are compared with.
#![allow(dead_code, reason = "each suite uses its part")]

pub mod departures;

use digital::{ArraySpec, DigitalArray, Granularity};
use engine::Joules;
use esn::{CodeTensor, Grid, MAX_CODE};
use network::Geometry;
use proptest::prelude::*;
use testkit::small_geometries;

/// A layer with one image.
#[derive(Clone, Debug)]
pub struct Case {
    pub geometry: Geometry,
    pub codes: CodeTensor,
    pub input: Vec<i32>,
}

pub fn array(rows: usize, pes_per_row: usize, granularity: Granularity) -> DigitalArray {
    let spec = ArraySpec { name: "test".to_string(), rows, pes_per_row, granularity, pe_cycle_energy: Joules(3e-15) };
    DigitalArray::new(spec).expect("a valid array")
}

pub fn arrays() -> impl Strategy<Value = DigitalArray> {
    let size = || prop_oneof![4 => 1usize..6, 1 => 1usize..100, 1 => Just(1usize << 15)];
    let granularity = prop_oneof![Just(Granularity::Weight), Just(Granularity::Filter)];
    (size(), size(), granularity).prop_map(|(rows, pes, granularity)| array(rows, pes, granularity))
}

/// Layers on both grids at 1 to 17 bits, with zeros, pruned filters and pruned input channels.
pub fn cases() -> impl Strategy<Value = Case> {
    (small_geometries(), any::<bool>(), 1u32..=17).prop_flat_map(|(geometry, mid_rise, width)| {
        let shape = geometry.weight_shape();
        let count = shape.len().expect("small");
        let top = (1i32 << width) - 1;
        let weight = (-top..=top, prop_oneof![3 => Just(true), 1 => Just(false)]);
        let keep = |n: usize| proptest::collection::vec(prop_oneof![3 => Just(true), 1 => Just(false)], n);
        let weights =
            (proptest::collection::vec(weight, count), keep(shape.filters), keep(shape.groups * shape.channels));
        let input = proptest::collection::vec(prop_oneof![3 => -128..=127, 1 => -65536..=65536], geometry.input_len());
        (weights, input).prop_map(move |((weights, filters, channels), input)| {
            let level = |(index, (code, keep)): (usize, (i32, bool))| {
                let (filter, channel) = (index / shape.filter_len(), index / shape.taps % shape.channels);
                let group = filter / (shape.filters / shape.groups);
                let code = if mid_rise { code | 1 } else { (code & !1).max(1 - MAX_CODE) };
                if keep && filters[filter] && channels[group * shape.channels + channel] { code } else { 0 }
            };
            let codes = weights.into_iter().enumerate().map(level).collect();
            let grid = if mid_rise { Grid::MidRise } else { Grid::MidTread };
            Case { geometry, codes: CodeTensor::new(grid, shape, codes).expect("levels of the grid"), input }
        })
    })
}

/// Half of the activations 0, in runs, so that whole groups are.
pub fn with_zeros(mut case: Case, pattern: u64) -> Case {
    for (index, x) in case.input.iter_mut().enumerate() {
        if pattern >> (index / 3 % 64) & 1 == 1 {
            *x = 0;
        }
    }
    case
}

/// `Σ code · x`, by the plainest loops.
pub fn seven_loops(case: &Case) -> Vec<i64> {
    let wide = |numbers: &[i32]| numbers.iter().map(|&x| i64::from(x)).collect::<Vec<i64>>();
    testkit::sums(&case.geometry, &wide(case.codes.codes()), &wide(&case.input))
}
