//! Does the float executor equal the definition of a convolution, and the same at any number of threads?

use inference::{FloatExecutor, MacExecutor};
use network::{Bias, GeometrySpec, LayerId, MacLayer};
use testkit::{check_all, reals, sums};

use crate::common::layer;

fn specs() -> Vec<GeometrySpec> {
    let base = GeometrySpec { pads: [1, 1, 1, 1], ..GeometrySpec::convolution(6, 4, [3, 3], [9, 7]) };
    let pointwise = GeometrySpec { kernel: [1, 1], pads: [0; 4], ..base };
    vec![
        base,
        GeometrySpec { stride: [2, 3], pads: [0, 1, 2, 0], ..base },
        GeometrySpec { dilation: [2, 2], kernel: [3, 2], ..base },
        GeometrySpec { groups: 2, repeats: 3, ..base },
        GeometrySpec { groups: 6, filters: 6, ..base },
        GeometrySpec { groups: 6, filters: 12, ..base },
        GeometrySpec { repeats: 2, ..pointwise },
        GeometrySpec { filters: 1, ..pointwise },
        GeometrySpec { filters: 1, stride: [2, 2], pads: [1, 1, 1, 1], ..pointwise },
        GeometrySpec { filters: 1, ..base },
        // A stride that reaches no second position.
        GeometrySpec { stride: [1 << 30, 1 << 30], ..base },
        // Fully connected, over the whole input or over one position.
        GeometrySpec { kernel: [9, 7], pads: [0; 4], repeats: 2, ..base },
        GeometrySpec { in_channels: 65, filters: 300, in_size: [1, 1], ..pointwise },
        // Enough rows and columns for several threads to share.
        GeometrySpec { in_channels: 40, filters: 150, in_size: [40, 40], ..base },
    ]
}

fn run(executor: &FloatExecutor, layer: &MacLayer, input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; 3];
    executor.run(LayerId(0), layer, input, &mut output).unwrap();
    output
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn it_equals_the_definition() {
    check_all(specs(), |&spec| {
        let plain = layer(spec);
        let weights = reals(1, plain.geometry.rows() * spec.filters);
        let input = reals(2, plain.geometry.input_len());
        let sums = sums(&plain.geometry, &wide(&weights), &wide(&input));
        let bias = reals(3, spec.filters);
        let biased = MacLayer { bias: Some(Bias::Float(bias.clone())), ..plain.clone() };
        let scaled = MacLayer { alpha: -0.5, ..biased.clone() };
        let executor = FloatExecutor::new(vec![weights]);
        for layer in [plain, biased, scaled] {
            let output = run(&executor, &layer, &input);
            assert_eq!(output.len(), sums.len(), "{spec:?}");
            for (i, (found, sum)) in output.iter().zip(&sums).enumerate() {
                let filter = i / layer.geometry.positions_per_repeat() % spec.filters;
                let bias = if layer.bias.is_some() { f64::from(bias[filter]) } else { 0.0 };
                let expected = sum * f64::from(layer.alpha) + bias;
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{spec:?}: {found}, not {expected}");
            }
        }
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    check_all(specs(), |&spec| {
        let layer = layer(spec);
        let executor = FloatExecutor::new(vec![reals(4, layer.geometry.rows() * spec.filters)]);
        let input = reals(5, layer.geometry.input_len());
        let bits = |threads: usize| -> Vec<u32> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&executor, &layer, &input)).into_iter().map(f32::to_bits).collect()
        };
        let alone = bits(1);
        check_all([2, 3, 7], |&threads| assert_eq!(bits(threads), alone, "{spec:?}, {threads} threads"));
    });
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let layer = layer(specs()[0]);
    let input = reals(1, layer.geometry.input_len());
    let message = |weights| {
        let made = FloatExecutor::new(weights).run(LayerId(0), &layer, &input, &mut Vec::new());
        made.unwrap_err().to_string()
    };
    assert_eq!(message(vec![]), "there are weights of 0 layers");
    assert_eq!(message(vec![vec![0.0; 5]]), "5 weights; the layer has 216");
}
