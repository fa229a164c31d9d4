//! Measures how fast the array is counted and stepped: `cargo run --release -p esnsim-digital --example stepped_speed`.

use std::hint::black_box;
use std::time::Instant;

use digital::{ArraySpec, DigitalArray, Granularity};
use engine::{Activations, EngineError, Event, Joules, Layer, MacEngine, SteppedEngine};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let geometry = Geometry::new(GeometrySpec { pads: [1; 4], ..GeometrySpec::convolution(32, 32, [3, 3], [16, 16]) })?;
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32
    };
    let weights = geometry.weight_shape().len().ok_or("the weights fit a usize")?;
    // Four bits, with the spread of trained weights: 1.5 planes a weight on average.
    let magnitudes = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 5, 5, 7];
    let codes = (0..weights).map(|_| magnitudes[(random() & 15) as usize] * (1 - 2 * (random() & 1))).collect();
    let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes)?;
    let input: Vec<i32> = (0..geometry.input_len()).map(|_| random() & 255).collect();
    let layer = Layer::new("speed", &geometry, &codes)?;

    for granularity in [Granularity::Weight, Granularity::Filter] {
        for (rows, pes_per_row) in [(1, 1), (4, 1), (1, 16), (8, 8), (16, 64), (1024, 1024)] {
            let name = format!("{rows}x{pes_per_row}, {granularity:?}");
            let array =
                DigitalArray::new(ArraySpec { name, rows, pes_per_row, granularity, pe_cycle_energy: Joules(1.0) })?;
            let mut busy = 0.0;
            let seconds = best_of(20, || {
                let stepped = array.step(&layer, Activations::Integer(&input))?;
                busy = stepped.run.ledger.count(Event::MAC) as f64;
                Ok(())
            })?;
            let planes = busy / geometry.macs() as f64;
            let rate = busy / seconds / 1e6;
            println!("{}: {rate:.0} M busy PE-cycles/s, {planes:.2} planes a weight", array.name());

            let per_weight = best_of(100, || black_box(array.run(black_box(&layer))).map(drop))? / weights as f64;
            println!("    fast: {:.2} ns a weight", per_weight * 1e9);
        }
    }
    Ok(())
}

/// Seconds of the fastest of several runs, which other work on the machine disturbs least.
fn best_of(runs: usize, mut run: impl FnMut() -> Result<(), EngineError>) -> Result<f64, EngineError> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}
