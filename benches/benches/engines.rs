//! How long does the cost of ResNet-20 take, weights at hand?

use analog::AnalogArray;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Joules, Layer, MacEngine};
use esn::CodeTensor;
use esnsim_benches::{codes, resnet20};
use network::Geometry;

fn engines() -> Vec<(&'static str, Box<dyn MacEngine>)> {
    let analog =
        |rows, columns| AnalogArray::new("array", rows, columns, 1, Joules(1e-15)).expect("the description is valid");
    vec![
        ("analog, unbounded", Box::new(analog(None, None))),
        ("analog, 128 x 128", Box::new(analog(Some(128), Some(128)))),
    ]
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

criterion_group!(benches, cost);
criterion_main!(benches);
