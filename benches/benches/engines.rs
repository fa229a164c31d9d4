//! How long does the cost of ResNet-20 take, weights at hand?

use analog::AnalogArray;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use digital::{ArraySpec, DigitalArray, Granularity};
use engine::{Activations, Joules, Layer, MAC_ENTRY, MacEngine};
use esn::{BitConvention, BitWidth, CodeTensor, LayerEsn, quantize_max_abs};
use esnsim_benches::{codes, input, resnet20};
use network::Geometry;

fn engines() -> Vec<(&'static str, Box<dyn MacEngine>)> {
    let analog =
        |rows, columns| AnalogArray::new("array", rows, columns, 1, Joules(1e-15)).expect("the description is valid");
    vec![
        ("analog, unbounded", Box::new(analog(None, None))),
        ("analog, 128 x 128", Box::new(analog(Some(128), Some(128)))),
        ("digital, width of the weight", Box::new(digital(1, 1, Granularity::Weight))),
        ("digital, width of the filter", Box::new(digital(1, 1, Granularity::Filter))),
        ("digital, 16 x 32, width of the filter", Box::new(digital(16, 32, Granularity::Filter))),
    ]
}

fn digital(rows: usize, pes_per_row: usize, granularity: Granularity) -> DigitalArray {
    let spec = ArraySpec { name: "array".to_string(), rows, pes_per_row, granularity, pe_cycle_energy: Joules(1e-15) };
    DigitalArray::new(spec).expect("the description is valid")
}

fn cost(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cost of resnet20");
    let layers: Vec<_> = resnet20().into_iter().map(|geometry| (geometry, codes(&geometry, 4))).collect();
    for (name, engine) in engines() {
        let run = |(geometry, codes): &(Geometry, CodeTensor)| {
            let layer = Layer::new("layer", geometry, codes).expect("shapes agree");
            engine.run(&layer).expect("the engine holds every layer").cycles.0
        };
        group.bench_function(name, |bencher| bencher.iter(|| layers.iter().map(run).sum::<u128>()));
    }
}

fn metric(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("metric of resnet20");
    let layers: Vec<_> = resnet20().into_iter().map(|geometry| (geometry, codes(&geometry, 4))).collect();
    let esn = |(geometry, codes): &(Geometry, CodeTensor)| {
        LayerEsn::new(codes, geometry.positions(), BitConvention::NonzeroAtLeastOne)
    };
    group.bench_function("ESN", |bencher| bencher.iter(|| layers.iter().map(esn).sum::<LayerEsn>()));
    let bits = BitWidth::new(4).expect("4 is a width");
    let real: Vec<(Geometry, Vec<f32>)> = layers
        .iter()
        .map(|(geometry, codes)| (*geometry, codes.codes().iter().map(|&code| code as f32 * 0.37).collect()))
        .collect();
    let quantize = |(geometry, weights): &(Geometry, Vec<f32>)| {
        quantize_max_abs(weights, geometry.weight_shape(), bits).expect("weights are finite").codes.codes().len()
    };
    group.bench_function("quantize", |bencher| bencher.iter(|| real.iter().map(quantize).sum::<usize>()));
}

/// One layer through the stepped machine, in busy PE-cycles a second.
fn stepped(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stepped");
    let geometry = resnet20()[10];
    let (codes, input) = (codes(&geometry, 4), input(&geometry, 8));
    let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
    for (name, array) in
        [("1 x 1", digital(1, 1, Granularity::Weight)), ("16 x 32", digital(16, 32, Granularity::Filter))]
    {
        let busy = array.run(&layer).expect("the array holds the layer").ledger.count(MAC_ENTRY);
        group.throughput(Throughput::Elements(busy as u64));
        group.sample_size(10).bench_function(name, |bencher| {
            bencher.iter(|| array.step(&layer, Activations::Integer(&input)).expect("the input fits"));
        });
    }
}

criterion_group!(benches, cost, metric, stepped);
criterion_main!(benches);
