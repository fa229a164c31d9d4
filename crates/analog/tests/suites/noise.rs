//! Are the errors of the cells distributed as they should, on both machines, and a function of seed, layer and input?

use analog::{Adc, AnalogArray, Dac, Departures, Noise, Resolution};
use engine::{Activations, Joules, Layer, MacEngine, Outputs, Randomness};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use testkit::check_all;

use crate::common;

/// 4 → 6 channels in 2 groups, 3 × 3, on 6 × 6 pixels: 18 rows and 3 columns a group, 36 positions, 216 outputs.
fn geometry() -> Geometry {
    common::two_groups([6, 6], 1)
}

fn weights() -> CodeTensor {
    let codes = (0..108).map(|i| if i % 4 == 0 { 0 } else { 2 * (i % 8) - 7 }).collect();
    CodeTensor::new(Grid::MidRise, geometry().weight_shape(), codes).expect("codes are on the grid")
}

fn input() -> Vec<f32> {
    (0..144).map(|i| ((i * 37) % 23) as f32 / 4.0 - 1.0).collect()
}

fn array(rows: usize, departures: Departures) -> AnalogArray {
    let array = AnalogArray::new("array", Some(rows), Some(4), 1, Joules(1e-15)).expect("the description is valid");
    array.with(departures).expect("the departures are valid")
}

fn noise(noise: Noise) -> Departures {
    Departures { noise, ..Departures::default() }
}

/// A converter of five bits that represents every number of [`input`] exactly.
fn dac(bits_per_step: u32) -> Dac {
    Dac { bits: 5, bits_per_step, energy: Joules(0.0), cycles: 0, rows_per_converter: 1, full_scale: Some(31.0 / 4.0) }
}

fn real(outputs: Outputs) -> Vec<f32> {
    match outputs {
        Outputs::Real(sums) => sums,
        Outputs::Integer(_) => panic!("an analog array computes real numbers"),
    }
}

fn forward(array: &dyn MacEngine, name: &str, input: &[f32]) -> Vec<f32> {
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new(name, &geometry, &weights).expect("shapes agree");
    real(array.prepare(&layer).and_then(|held| held.forward(Activations::Real(input))).expect("the input is valid"))
}

fn random(engine: &dyn MacEngine) -> &dyn Randomness {
    engine.randomness().expect("cells have errors")
}

fn step(array: &dyn MacEngine, input: &[f32]) -> Vec<f32> {
    let (geometry, weights) = (geometry(), weights());
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let machine = array.stepped().expect("the arrays exist cycle by cycle");
    real(machine.step(&layer, Activations::Real(input)).expect("the input is valid").outputs)
}

/// `Σ x²` of every output, in double precision.
fn squares(input: &[f32]) -> Vec<f64> {
    let geometry = geometry();
    let of_output = |i: usize| {
        let (group, position) = (i / 108, i % 36);
        let index = |row| geometry.input_index(group, row, position / 6, position % 6);
        (0..18).filter_map(index).map(|index| f64::from(input[index]).powi(2)).sum()
    };
    (0..216).map(of_output).collect()
}

/// Errors of many seeds, each over its standard deviation; in order.
fn errors(array: &AnalogArray, deviations: &[f64], seeds: u64, run: impl Fn(&dyn MacEngine) -> Vec<f32>) -> Vec<f64> {
    let quiet = run(random(array).silent().as_ref());
    let mut errors = Vec::new();
    for seed in 0..seeds {
        let noisy = run(random(array).reseeded(seed).as_ref());
        let error = noisy.iter().zip(&quiet).map(|(noisy, quiet)| f64::from(*noisy) - f64::from(*quiet));
        errors.extend(error.zip(deviations).map(|(error, deviation)| error / deviation));
    }
    errors.sort_by(f64::total_cmp);
    errors
}

/// Largest distance of two empirical distributions (Kolmogorov, Smirnov).
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut most) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        if a[i] <= b[j] {
            i += 1
        } else {
            j += 1
        }
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    most
}

/// Mean and variance are 0 and 1 within five standard errors.
fn assert_standard(errors: &[f64], what: &str) {
    let n = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / n;
    let variance = errors.iter().map(|x| x * x).sum::<f64>() / n;
    assert!(mean.abs() < 5.0 / n.sqrt(), "{what}: the mean is {mean}");
    assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{what}: the variance is {variance}");
}

#[test]
fn both_machines_draw_read_noise_from_the_same_distribution() {
    let reads = Noise { read: 0.25, programming: 0.0, ..Noise::default() };
    let cases = [
        ("whole columns", array(18, noise(reads)), 0.25),
        ("three tiles", array(8, noise(reads)), 0.25),
        ("of the largest", array(8, noise(Noise { read_of_largest: true, ..reads })), 0.25 * 3.5),
        ("differential", array(8, Departures { differential: true, ..noise(reads) }), 0.25 * 2f64.sqrt()),
        ("a DAC", array(8, Departures { dac: Some(dac(5)), ..noise(reads) }), 0.25),
    ];
    check_all(cases, |(what, array, sigma)| {
        let deviations: Vec<f64> = squares(&input()).iter().map(|sum| sigma * sum.sqrt()).collect();
        let fast = errors(array, &deviations, 300, |engine| forward(engine, "layer", &input()));
        let stepped = errors(array, &deviations, 60, |engine| step(engine, &input()));
        assert_standard(&fast, what);
        assert_standard(&stepped, what);
        let (n, m) = (fast.len() as f64, stepped.len() as f64);
        // The distance is larger once in a thousand times.
        assert!(distance(&fast, &stepped) < 1.95 * ((n + m) / (n * m)).sqrt(), "{what}");
    });
}

#[test]
fn bits_in_series_are_read_with_noise_each() {
    let array = array(8, Departures { dac: Some(dac(2)), ..noise(Noise { read: 0.25, ..Noise::default() }) });
    let input = input();
    let digit = |step: u32| -> Vec<f32> {
        let digit = |x: &f32| (((x.abs() * 4.0) as u32 >> (2 * step)) & 3) as f32 * f32::from(1u8 << (2 * step)) / 4.0;
        input.iter().map(digit).collect()
    };
    let of_steps = [0, 1, 2].map(|step| squares(&digit(step)));
    let deviations: Vec<f64> = (0..216).map(|i| 0.25 * of_steps.iter().map(|of| of[i]).sum::<f64>().sqrt()).collect();
    let fast = errors(&array, &deviations, 300, |engine| forward(engine, "layer", &input));
    let stepped = errors(&array, &deviations, 60, |engine| step(engine, &input));
    assert_standard(&fast, "fast");
    assert_standard(&stepped, "stepped");
    let (n, m) = (fast.len() as f64, stepped.len() as f64);
    assert!(distance(&fast, &stepped) < 1.95 * ((n + m) / (n * m)).sqrt());
}

#[test]
fn noise_is_converted_with_the_sums() {
    let adc = Adc {
        resolution: Resolution::Fixed { bits: 8, full_scale: 127.0 },
        unipolar: false,
        energy: Joules(0.0),
        cycles: 0,
        columns_per_converter: 1,
    };
    let reads = noise(Noise { read: 0.25, ..Noise::default() });
    let rounded = array(8, Departures { adc: Some(adc), ..reads.clone() });
    let (noisy, rounded) = (forward(&array(8, reads), "layer", &input()), forward(&rounded, "layer", &input()));
    assert!(rounded.iter().all(|sum| sum.fract() == 0.0));
    assert!(rounded.iter().zip(&noisy).all(|(rounded, noisy)| (rounded - noisy).abs() <= 1.5001), "three tiles");
}

#[test]
fn programming_errors_stay_and_scale_with_what_they_are_relative_to() {
    let ones = vec![1.0; 144];
    check_all([false, true], |&of_weight| {
        let programming = Noise { programming: 0.1, programming_of_weight: of_weight, ..Noise::default() };
        let array = array(8, noise(programming));
        assert_eq!(forward(&array, "layer", &ones), forward(&array, "layer", &ones));
        assert_eq!(forward(&array, "layer", &ones), step(&array, &ones));
        assert_eq!(forward(&array, "layer", &ones), forward(random(&array).silent().as_ref(), "layer", &ones));
        let exact = forward(&self::array(8, Departures::default()), "layer", &ones);
        let mut errors = Vec::new();
        for seed in 0..2000 {
            let other = random(&array).reseeded(seed);
            let outputs = forward(other.as_ref(), "layer", &ones);
            // The centre of every filter sees all 18 weights; errors of positions of one filter are not independent.
            errors.extend((0..6).map(|filter| {
                let weights = weights();
                let references =
                    weights.filter(filter).iter().map(|&c| if of_weight { f64::from(c) / 2.0 } else { 3.5 });
                let deviation = 0.1 * references.map(|r| r * r).sum::<f64>().sqrt();
                f64::from(outputs[filter * 36 + 14] - exact[filter * 36 + 14]) / deviation
            }));
        }
        assert_standard(&errors, if of_weight { "of the weight" } else { "of the largest" });
    });
}

#[test]
fn noise_is_a_function_of_seed_layer_and_input() {
    let array = array(8, noise(Noise { read: 0.25, ..Noise::default() }));
    let (first, mut second) = (input(), input());
    second[0] += 1.0;
    let error = |engine: &dyn MacEngine, name: &str, input: &[f32]| -> Vec<f32> {
        let quiet = forward(random(&array).silent().as_ref(), name, input);
        forward(engine, name, input).iter().zip(quiet).map(|(noisy, quiet)| noisy - quiet).collect()
    };
    let base = error(&array, "layer", &first);
    assert_eq!(base, error(&array, "layer", &first));
    assert_ne!(base, error(&array, "other", &first));
    assert_ne!(base, error(&array, "layer", &second));
    assert_ne!(base, error(random(&array).reseeded(9).as_ref(), "layer", &first));
    assert_eq!(random(random(&array).reseeded(9).as_ref()).seed(), 9);
    assert!(random(&array).silent().randomness().is_none(), "nothing but reads is random");
    assert!(self::array(8, Departures::default()).randomness().is_none());
}

#[test]
fn an_ir_drop_weakens_the_far_end() {
    let drop = |rows, columns| {
        let noise = Noise { ir_drop_rows: rows, ir_drop_columns: columns, ..Noise::default() };
        AnalogArray::new("array", Some(4), Some(2), 1, Joules(1.0))
            .expect("valid")
            .with(Departures { noise, ..Departures::default() })
            .expect("valid")
    };
    let geometry = Geometry::new(GeometrySpec::convolution(6, 3, [1, 1], [1, 1])).expect("it is a geometry");
    let weights = CodeTensor::new(Grid::MidTread, geometry.weight_shape(), vec![2; 18]).expect("2 is even");
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let run = |array: AnalogArray| {
        real(array.prepare(&layer).and_then(|held| held.forward(Activations::Real(&[1.0; 6]))).expect("valid"))
    };
    // Rows 0 to 3 of 4 lose 0, 1/8, 2/8, 3/8; two more rows are in the next tile. Columns lose 0 and 1/4; the third
    // column is the first of the next tile.
    let rows = 4.0 - 6.0 / 8.0 + 2.0 - 1.0 / 8.0;
    assert_eq!(run(drop(0.5, 0.0)), [rows; 3]);
    assert_eq!(run(drop(0.0, 0.5)), [6.0, 4.5, 6.0]);
    assert_eq!(run(drop(0.5, 0.5)), [rows, rows * 0.75, rows]);
}

/// On an unbounded array two groups of two rows and two columns lie on one diagonal: rows 0 to 3 of 4, columns 0 to 3 of 4.
#[test]
fn an_ir_drop_reaches_from_group_to_group_of_an_unbounded_array() {
    let geometry = Geometry::new(GeometrySpec { groups: 2, ..GeometrySpec::convolution(4, 4, [1, 1], [1, 1]) });
    let geometry = geometry.expect("it is a geometry");
    let weights = CodeTensor::new(Grid::MidTread, geometry.weight_shape(), vec![2; 8]).expect("2 is even");
    let layer = Layer::new("layer", &geometry, &weights).expect("shapes agree");
    let run = |rows, columns| {
        let noise = Noise { ir_drop_rows: rows, ir_drop_columns: columns, ..Noise::default() };
        let array = AnalogArray::new("array", None, None, 1, Joules(1.0)).expect("valid");
        let array = array.with(Departures { noise, ..Departures::default() }).expect("valid");
        real(array.prepare(&layer).and_then(|held| held.forward(Activations::Real(&[1.0; 4]))).expect("valid"))
    };
    assert_eq!(run(0.5, 0.0), [1.875, 1.875, 1.375, 1.375]);
    assert_eq!(run(0.0, 0.5), [2.0, 1.75, 1.5, 1.25]);
}
