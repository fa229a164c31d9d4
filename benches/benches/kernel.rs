//! How long do the kernels take for one image of ResNet-20, and for layers of other kinds?

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use engine::Layer;
use engine::kernel::{IntegerConv, RealConv};
use esnsim_benches::{codes, conv, input, resnet20};
use network::Geometry;

/// Bits of codes and of activations: one pair for each way to compute on a processor with AVX-512 VNNI.
const BITS: [(u32, u32); 3] = [(4, 8), (8, 8), (16, 16)];

fn networks() -> Vec<(&'static str, Vec<Geometry>)> {
    vec![
        ("resnet20", resnet20()),
        ("depthwise 128, 3x3, 32x32", vec![conv(128, 128, 128, 3, 1, 32)]),
        ("512 to 512, 3x3, 8x8", vec![conv(512, 512, 1, 3, 1, 8)]),
        ("dense 4096 to 4096", vec![conv(4096, 4096, 1, 1, 1, 1)]),
    ]
}

fn integer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("integer kernel");
    for (name, layers) in networks() {
        for (code_bits, input_bits) in BITS {
            let prepare = |geometry: &Geometry| {
                let codes = codes(geometry, code_bits);
                let layer = Layer::new(name, geometry, &codes).expect("shapes agree");
                (IntegerConv::new(&layer).expect("it is small"), input(geometry, input_bits))
            };
            let layers: Vec<_> = layers.iter().map(prepare).collect();
            let run = |(conv, input): &(IntegerConv, Vec<i32>)| conv.forward(input).expect("the input is valid").len();
            let id = BenchmarkId::new(name, format!("{code_bits}-bit codes, {input_bits}-bit activations"));
            group.bench_function(id, |bencher| bencher.iter(|| layers.iter().map(run).sum::<usize>()));
        }
    }
}

fn real(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("real kernel");
    for (name, layers) in networks() {
        let prepare = |geometry: &Geometry| {
            let weights: Vec<f32> = codes(geometry, 4).codes().iter().map(|&code| code as f32 / 2.0).collect();
            let input: Vec<f32> = input(geometry, 8).iter().map(|&x| x as f32 / 7.0).collect();
            (RealConv::new(name, geometry, &weights, None).expect("it is small"), input)
        };
        let layers: Vec<_> = layers.iter().map(prepare).collect();
        let run = |(conv, input): &(RealConv, Vec<f32>)| conv.forward(input).expect("the input is valid").len();
        group.bench_function(name, |bencher| bencher.iter(|| layers.iter().map(run).sum::<usize>()));
    }
}

criterion_group!(benches, integer, real);
criterion_main!(benches);
