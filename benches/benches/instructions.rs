//! How many instructions do the hot paths take, counted by valgrind? A path that takes 5 % more than was counted fails.
//!
//! Counts hardly depend on the machine and not on its load. They depend on the compiler, so that `benches/instructions`, which
//! runs this, compares them only where the compiler is the one of the counts. Valgrind knows no AVX-512: integer layers take
//! pairs of AVX2 here, and real ones 8 lanes.

#![allow(missing_docs, reason = "the macros make items without a comment")]

use std::hint::black_box;

use analog::AnalogArray;
use digital::{ArraySpec, DigitalArray, Granularity};
use engine::kernel::{IntegerConv, RealConv};
use engine::{Activations, Joules, Layer, MacEngine, SteppedEngine};
use esn::{BitConvention, BitWidth, CodeTensor, LayerEsn, quantize_max_abs};
use esnsim_benches::{codes, conv, input};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use network::Geometry;

/// A layer of 1.2 million MACs at stride 1, or of 0.6 million at stride 2.
fn layer(stride: usize) -> (Geometry, CodeTensor) {
    let geometry = conv(32, 16, 1, 3, stride, 16);
    (geometry, codes(&geometry, 4))
}

fn integers((geometry, codes): (Geometry, CodeTensor)) -> (IntegerConv, Vec<i32>) {
    let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
    (IntegerConv::new(&layer).expect("it is small"), input(&geometry, 8))
}

fn reals((geometry, codes): (Geometry, CodeTensor)) -> (RealConv, Vec<f32>) {
    let weights = numbers(&codes);
    let input = input(&geometry, 8).iter().map(|&x| x as f32 / 7.0).collect();
    (RealConv::new("layer", &geometry, &weights, None).expect("it is small"), input)
}

fn numbers(codes: &CodeTensor) -> Vec<f32> {
    codes.codes().iter().map(|&code| code as f32 * 0.37).collect()
}

fn digital() -> DigitalArray {
    let (name, granularity) = ("array".to_string(), Granularity::Filter);
    let spec = ArraySpec { name, rows: 16, pes_per_row: 32, granularity, pe_cycle_energy: Joules(1e-15) };
    DigitalArray::new(spec).expect("the description is valid")
}

/// Fails beyond so many instructions and 5 % more.
fn at_most(counted: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, counted + counted / 20)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[library_benchmark]
#[bench::stride_1(args = (integers(layer(1)),), config = at_most(786_087))]
#[bench::stride_2(args = (integers(layer(2)),), config = at_most(584_358))]
fn integer_sums((conv, input): (IntegerConv, Vec<i32>)) -> Vec<i64> {
    black_box(conv.forward(&input).expect("the input is valid"))
}

#[library_benchmark]
#[bench::stride_1(args = (reals(layer(1)),), config = at_most(667_509))]
#[bench::stride_2(args = (reals(layer(2)),), config = at_most(420_472))]
fn real_sums((conv, input): (RealConv, Vec<f32>)) -> Vec<f32> {
    black_box(conv.forward(&input).expect("the input is valid"))
}

#[library_benchmark]
#[bench::layer(args = (layer(1),), config = at_most(50_460))]
fn metric((geometry, codes): (Geometry, CodeTensor)) -> LayerEsn {
    black_box(LayerEsn::new(&codes, geometry.positions(), BitConvention::NonzeroAtLeastOne))
}

#[library_benchmark]
#[bench::layer(args = (layer(1),), config = at_most(151_443))]
fn quantization((geometry, codes): (Geometry, CodeTensor)) -> usize {
    let bits = BitWidth::new(4).expect("4 is a width");
    let quantized = quantize_max_abs(&numbers(&codes), geometry.weight_shape(), bits).expect("weights are finite");
    black_box(quantized.codes.codes().len())
}

#[library_benchmark]
#[bench::layer(args = (layer(1),), config = at_most(123_871))]
fn cost_of_digital((geometry, codes): (Geometry, CodeTensor)) -> u128 {
    let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
    black_box(digital().run(&layer).expect("the array holds the layer").cycles.0)
}

#[library_benchmark]
#[bench::layer(args = (layer(1),), config = at_most(66_317))]
fn cost_of_analog((geometry, codes): (Geometry, CodeTensor)) -> u128 {
    let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
    let array = AnalogArray::new("array", Some(128), Some(128), 1, Joules(1e-15)).expect("the description is valid");
    black_box(array.run(&layer).expect("the array holds the layer").cycles.0)
}

#[library_benchmark]
#[bench::layer(args = (layer(2),), config = at_most(14_439_255))]
fn stepped_digital((geometry, codes): (Geometry, CodeTensor)) -> u128 {
    let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
    let input = input(&geometry, 8);
    black_box(digital().step(&layer, Activations::Integer(&input)).expect("the input fits").run.cycles.0)
}

library_benchmark_group!(
    name = paths,
    benchmarks = [integer_sums, real_sums, metric, quantization, cost_of_digital, cost_of_analog, stepped_digital]
);

main!(library_benchmark_groups = paths);
