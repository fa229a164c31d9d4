//! How long do the cost of ResNet-20 and its sums on analog arrays take, weights at hand?

use analog::{Adc, AnalogArray, Dac, Departures, Noise, Resolution};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use digital::{ArraySpec, DigitalArray, Granularity};
use engine::{Activations, Event, Joules, Layer, MacEngine, SteppedEngine};
use esn::{BitConvention, BitWidth, CodeTensor, LayerEsn, quantize_max_abs};
use esnsim_benches::{codes, input, resnet20};
use network::Geometry;
use std::hint::black_box;

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
        let busy = array.run(&layer).expect("the array holds the layer").ledger.count(Event::MAC);
        group.throughput(Throughput::Elements(busy as u64));
        group.sample_size(10).bench_function(name, |bencher| {
            bencher.iter(|| array.step(&layer, Activations::Integer(&input)).expect("the input fits"));
        });
    }
}

/// All MAC layers of one image on analog arrays of 128 × 128 cells, one thread.
fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analog inference of resnet20");
    for (name, departures) in departures() {
        let array = AnalogArray::new("array", Some(128), Some(128), 1, Joules(1e-15)).and_then(|a| a.with(departures));
        let array = array.expect("the description is valid");
        let layers: Vec<_> = resnet20()
            .into_iter()
            .map(|geometry| {
                let codes = codes(&geometry, 4);
                let layer = Layer::new("layer", &geometry, &codes).expect("shapes agree");
                let input: Vec<f32> = input(&geometry, 8).into_iter().map(|x| x as f32).collect();
                (array.prepare(&layer).expect("the array holds every layer"), input)
            })
            .collect();
        group.throughput(Throughput::Elements(1)).bench_function(name, |bencher| {
            bencher.iter(|| {
                for (held, input) in &layers {
                    black_box(held.forward(Activations::Real(input)).expect("the input is valid"));
                }
            });
        });
    }
}

fn departures() -> Vec<(&'static str, Departures)> {
    let noise = Noise { read: 0.01, ..Noise::default() };
    let dac =
        Dac { bits: 8, bits_per_step: 8, energy: Joules(0.0), cycles: 0, rows_per_converter: 1, full_scale: None };
    let adc = Adc {
        resolution: Resolution::MaxSum { bits: 8 },
        unipolar: false,
        energy: Joules(0.0),
        cycles: 0,
        columns_per_converter: 1,
    };
    let converters = Departures { dac: Some(dac), adc: Some(adc), ..Departures::default() };
    vec![
        ("exact", Departures::default()),
        ("DAC and ADC of 8 bits", converters.clone()),
        ("read noise", Departures { noise, ..Departures::default() }),
        ("DAC, ADC, read noise, differential", Departures { noise, differential: true, ..converters }),
    ]
}

criterion_group!(benches, cost, metric, stepped, forward);
criterion_main!(benches);
