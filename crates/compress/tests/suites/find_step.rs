//! Are grids found in real weights exactly where they are, and nowhere else?

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use compress::{FindStepOptions, FoundStep, Granularity, find_steps, find_steps_watched};
use esn::Grid;
use half::{bf16, f16};
use network::Network;

use testkit::{Random, chain, check_all, quantized_weights, shared_network};

/// What becomes of a layer of these weights, `[filters, rest]`.
fn find(filters: usize, weights: &[f32]) -> Result<(FoundStep, Vec<i32>, Vec<f32>), String> {
    find_with(filters, weights, FindStepOptions::default())
}

fn find_with(
    filters: usize,
    weights: &[f32],
    options: FindStepOptions,
) -> Result<(FoundStep, Vec<i32>, Vec<f32>), String> {
    let network = chain(&[(filters, weights.to_vec())]);
    let (found, report) = find_steps(&network, &options).unwrap();
    let finding = report.layers[0].clone();
    match (finding.found, finding.refused) {
        (Some(step), None) => {
            let (tensor, steps) = quantized_weights(&found, 0);
            Ok((step, tensor.codes().to_vec(), steps))
        }
        (None, Some(reason)) => Err(reason),
        other => panic!("found and refused: {other:?}"),
    }
}

/// Codes of a grid of `bits` bits: uniform or bell-shaped, pruned in part.
fn random_codes(numbers: &mut Random, grid: Grid, bits: u32, count: usize, bell: bool, pruned: f64) -> Vec<i32> {
    let top = 1 << (bits - 1);
    let code = |numbers: &mut Random| {
        let spread = if bell { numbers.normal() * 0.35 } else { 2.0 * numbers.unit() - 1.0 };
        match grid {
            Grid::MidRise => 2 * ((spread * f64::from(top)).floor() as i32).clamp(-top, top - 1) + 1,
            Grid::MidTread => 2 * ((spread * f64::from(top)).round() as i32).clamp(1 - top, top - 1),
        }
    };
    let mut codes: Vec<i32> = (0..count).map(|_| code(numbers)).collect();
    codes.iter_mut().for_each(|code| *code *= i32::from(numbers.unit() >= pruned));
    codes
}

/// Weights as a framework computes them: the level times the step, in float32.
fn dequantize(codes: &[i32], steps: &[f32]) -> Vec<f32> {
    let each = codes.len() / steps.len();
    codes.iter().enumerate().map(|(i, &code)| code as f32 * 0.5 * steps[i / each]).collect()
}

/// The largest common divisor of the codes of a filter, which no one can tell from its values.
fn divisor(codes: &[i32]) -> i32 {
    codes.iter().fold(0, |mut a, &b| {
        let mut b = b.abs();
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

#[test]
fn grids_of_1_to_12_bits_are_found_exactly() {
    let mut numbers = Random::new(7);
    let mut tried = 0;
    for grid in [Grid::MidRise, Grid::MidTread] {
        for bits in 1..=12 {
            for case in 0..24 {
                if grid == Grid::MidTread && bits < 2 {
                    continue;
                }
                let (filters, each) = ([4, 16, 1][case % 3], [400, 90, 3000][case % 3]);
                let pruned = [0.0, 0.5, 0.9][case / 3 % 3];
                let codes_in = random_codes(&mut numbers, grid, bits, filters * each, case % 2 == 0, pruned);
                let step = (2.0 * numbers.unit() + 0.1) as f32 * [1.0, 1e-3, 1e4][case % 3];
                let (found, codes_out, steps) = find(filters, &dequantize(&codes_in, &[step]))
                    .unwrap_or_else(|reason| panic!("{grid:?} {bits} bits, case {case}: {reason}"));
                let odd_one_out = grid == Grid::MidRise && bits == 1 && pruned > 0.0;
                if odd_one_out {
                    assert_eq!(found.grid, "mid-tread", "one magnitude and zeros are ternary");
                    continue;
                }
                assert_eq!(codes_out, codes_in, "{grid:?} {bits} bits, case {case}");
                assert_eq!(found.granularity, Granularity::Layer);
                assert!((steps[0] / step - 1.0).abs() < 1e-6, "{} for {step}", steps[0]);
                assert!(found.bits <= bits && found.deviation < 1e-2, "{found:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 500);
}

#[test]
fn steps_of_filters_are_found_exactly() {
    let mut numbers = Random::new(8);
    for grid in [Grid::MidRise, Grid::MidTread] {
        for bits in 2..=8 {
            for case in 0..8 {
                let (filters, each) = [(8, 200), (32, 72)][case % 2];
                let codes_in = random_codes(&mut numbers, grid, bits, filters * each, case < 4, 0.2);
                let steps: Vec<f32> = (0..filters).map(|_| (0.05 + numbers.unit()) as f32).collect();
                let (found, codes_out, steps_out) =
                    find(filters, &dequantize(&codes_in, &steps)).unwrap_or_else(|e| panic!("{grid:?} {bits}: {e}"));
                assert_eq!(found.granularity, Granularity::Filter);
                assert_eq!(codes_out, codes_in, "{grid:?} {bits} bits, case {case}");
                assert!(steps_out.iter().zip(&steps).all(|(a, b)| (a / b - 1.0).abs() < 1e-6));
            }
        }
    }
}

#[test]
fn power_of_two_steps_of_filters_are_not_one_wide_grid() {
    let mut numbers = Random::new(9);
    let codes_in = random_codes(&mut numbers, Grid::MidTread, 4, 8 * 300, false, 0.0);
    let steps: Vec<f32> = (0..8).map(|m| 0.5f32.powi(m)).collect();
    let (found, codes_out, _) = find(8, &dequantize(&codes_in, &steps)).expect("a grid");
    assert_eq!((found.granularity, found.bits), (Granularity::Filter, 4));
    assert_eq!(codes_out, codes_in);
}

#[test]
fn few_weights_a_filter_need_the_same_largest_code() {
    let mut numbers = Random::new(10);
    // Depthwise: nine weights a filter, the largest at the end of the grid.
    let mut codes_in = random_codes(&mut numbers, Grid::MidTread, 8, 64 * 9, false, 0.0);
    codes_in.iter_mut().step_by(9).for_each(|code| *code = 254);
    let steps: Vec<f32> = (0..64).map(|_| (0.05 + numbers.unit()) as f32).collect();
    let (found, codes_out, _) = find(64, &dequantize(&codes_in, &steps)).expect("a grid");
    assert_eq!((codes_out, found.bits), (codes_in.clone(), 8));
    // One filter of even codes only: its step could be twice as large.
    codes_in[..9].copy_from_slice(&[120, 80, -40, 4, 8, 16, -20, 28, 44]);
    assert!(divisor(&codes_in[..9]) > 2);
    let reason = find(64, &dequantize(&codes_in, &steps)).expect_err("ambiguous");
    assert!(reason.contains("filter 0 has too few weights"), "{reason}");
}

#[test]
fn ternary_and_binary_weights() {
    let mut numbers = Random::new(11);
    let signs: Vec<f32> = (0..600).map(|_| if numbers.unit() < 0.5 { -0.037 } else { 0.037 }).collect();
    let (found, codes_out, steps) = find(6, &signs).expect("binary");
    assert_eq!((found.grid, found.bits, found.levels_seen, found.levels_possible), ("mid-rise", 1, 2, 2));
    assert!(codes_out.iter().all(|code| code.abs() == 1) && steps == [0.074]);

    let ternary: Vec<f32> = signs.iter().map(|&w| if numbers.unit() < 0.3 { 0.0 } else { w }).collect();
    let (found, codes_out, steps) = find(6, &ternary).expect("ternary");
    assert_eq!((found.grid, found.bits, found.levels_seen), ("mid-tread", 2, 3));
    assert!(codes_out.iter().all(|code| [0, 2].contains(&code.abs())) && steps == [0.037]);
    let mid_rise = FindStepOptions { grid: Some(Grid::MidRise) };
    let (found, ..) = find_with(6, &ternary, mid_rise).expect("binary with pruned weights");
    assert_eq!((found.grid, found.bits), ("mid-rise", 1));

    // XNOR-Net: one scale a filter.
    let scaled: Vec<f32> = signs.iter().enumerate().map(|(i, w)| w * (1.0 + (i / 100) as f32 * 0.3)).collect();
    let (found, ..) = find(6, &scaled).expect("binary");
    assert_eq!((found.granularity, found.bits, found.grid), (Granularity::Filter, 1, "mid-rise"));
}

#[test]
fn quantizers_of_the_literature() {
    let mut numbers = Random::new(12);
    let real: Vec<f32> = (0..4000).map(|_| numbers.normal() as f32 * 0.1).collect();
    let largest = real.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    // DoReFa: tanh, then 2·round(7·x)/7 − 1, computed in float32.
    let tanh = |w: f32| w.tanh() / largest.tanh();
    let dorefa: Vec<f32> = real.iter().map(|&w| 2.0 * ((0.5 * tanh(w) + 0.5) * 7.0).round() / 7.0 - 1.0).collect();
    let (found, codes_out, _) = find(4, &dorefa).expect("uniform levels");
    assert_eq!((found.grid, found.bits), ("mid-rise", 3));
    assert!(codes_out.iter().zip(&dorefa).all(|(&code, &w)| (code as f32 / 7.0 - w).abs() < 1e-6));
    // Asymmetric, with a zero point: (clamp(round(w/s) + z, 0, 255) − z)·s.
    let (scale, zero) = (largest * 1.5 / 255.0, 80.0f32);
    let shifted: Vec<f32> =
        real.iter().map(|w| ((w / scale).round_ties_even() + zero).clamp(0.0, 255.0) * scale - zero * scale).collect();
    let (found, ..) = find(4, &shifted).expect("a zero point is a level");
    assert_eq!((found.grid, found.bits), ("mid-tread", 8));
    assert!(found.zero_point.is_some());
    // Levels that are powers of two lie on a wide uniform grid.
    let powers: Vec<f32> =
        real.iter().map(|w| w.signum() * 2f32.powi(w.abs().log2().round().clamp(-6.0, -1.0) as i32)).collect();
    let (found, ..) = find(4, &powers).expect("powers of two");
    let extreme = |end: fn(f32, f32) -> f32| f64::from(powers.iter().copied().fold(0.0, end)) * 64.0;
    assert_eq!((found.levels, found.levels_seen < 14), ([extreme(f32::min), extreme(f32::max)], true));
}

#[test]
fn narrower_types_are_allowed_for() {
    let mut numbers = Random::new(13);
    for (bits, grid) in [(3, Grid::MidRise), (4, Grid::MidRise), (5, Grid::MidTread), (8, Grid::MidTread)] {
        let codes_in = random_codes(&mut numbers, grid, bits, 8 * 500, false, 0.1);
        let weights = dequantize(&codes_in, &[0.013_7]);
        let half: Vec<f32> = weights.iter().map(|&w| f16::from_f32(w).to_f32()).collect();
        let (found, codes_out, _) = find(8, &half).unwrap_or_else(|e| panic!("float16, {bits} bits: {e}"));
        assert_eq!((codes_out, found.rounded_to), (codes_in.clone(), "float16"), "{bits} bits");
        let brain: Vec<f32> = weights.iter().map(|&w| bf16::from_f32(w).to_f32()).collect();
        match find(8, &brain) {
            Ok((found, codes_out, _)) => {
                assert_eq!((codes_out, found.rounded_to), (codes_in, "bfloat16"), "{bits} bits")
            }
            // Four levels are thin evidence with so few digits, and neighbours at 8 bits cannot be told apart.
            Err(reason) => assert!([3, 8].contains(&bits), "{bits} bits: {reason}"),
        }
    }
}

/// Weights that lie on no grid, `case` by `case`.
fn no_grid(numbers: &mut Random, case: usize, count: usize) -> Vec<f32> {
    let centroids: Vec<f32> = (0..4 + case % 60).map(|_| numbers.normal() as f32).collect();
    let normal: Vec<f32> = (0..count).map(|_| numbers.normal() as f32 * 0.05).collect();
    match case % 8 {
        0 => normal,
        1 => normal.iter().map(|_| numbers.unit() as f32 - 0.5).collect(),
        2 => normal.iter().map(|&w| f16::from_f32(w).to_f32()).collect(),
        3 => normal.iter().map(|&w| bf16::from_f32(w).to_f32()).collect(),
        4 => normal.iter().map(|_| centroids[(numbers.unit() * centroids.len() as f64) as usize]).collect(),
        // Levels that were uniform before a function that is not linear.
        5 => normal.iter().map(|w| ((w * 60.0).round() / 8.0).tanh()).collect(),
        // Steps that grow outwards.
        6 => normal.iter().map(|w| w.signum() * 1.37f32.powi((w.abs() * 100.0) as i32)).collect(),
        _ => normal.iter().map(|&w| if w.abs() < 0.03 { 0.0 } else { w }).collect(),
    }
}

#[test]
fn weights_without_a_grid_are_refused_always() {
    let mut numbers = Random::new(14);
    for case in 0..6000 {
        let (filters, each) = [(1, 40), (4, 9), (8, 27), (16, 72), (3, 5), (64, 9), (2, 2), (1, 1)][case / 8 % 8];
        let weights = no_grid(&mut numbers, case, filters * each);
        if let Ok((found, ..)) = find(filters, &weights) {
            panic!("case {case}, {filters} filters of {each}: {found:?}");
        }
    }
}

#[test]
fn an_affine_grid_is_named_and_refused() {
    let mut numbers = Random::new(15);
    let weights: Vec<f32> = (0..2000).map(|_| -0.371_345_67 + 0.05 * (numbers.unit() * 16.0).floor() as f32).collect();
    let reason = find(1, &weights).map(|(found, ..)| found).expect_err("0 is no level");
    assert!(reason.contains("0 is no level"), "{reason}");
    // An offset that is a multiple of a far smaller step.
    let weights: Vec<f32> = weights.iter().map(|w| ((w + 0.371_345_67) / 0.05).round() * 0.05 - 0.3713).collect();
    let reason = find(1, &weights).map(|(found, ..)| found).expect_err("0 is no level");
    assert!(reason.contains("0 is no level"), "{reason}");
}

#[test]
fn thin_evidence_is_no_grid() {
    check_all([vec![0.5; 4], vec![0.3, -0.3, 0.1, 0.2], vec![0.0; 30], vec![0.7], [0.1, 0.37].repeat(40)], |weights| {
        find(1, weights).expect_err("too little to tell");
    });
}

#[test]
fn trained_weights_are_refused() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let (_, report) = find_steps(&network, &FindStepOptions::default()).unwrap();
    assert_eq!((report.found().count(), report.refused().count()), (0, network.layers().len()));
}

#[test]
fn a_quantized_network_is_found_again_in_its_dequantized_weights() {
    let Some(network) = shared_network("models/resnet20-cifar10-int8-qdq-perchannel.onnx") else { return };
    let (unchanged, report) = find_steps(&network, &FindStepOptions::default()).unwrap();
    assert_eq!((report.found().count(), report.refused().count()), (0, 0), "integers of the file stay");
    assert_eq!(quantized_weights(&unchanged, 0), quantized_weights(&network, 0));
    for layer in 0..network.layers().len() {
        let (tensor, steps) = quantized_weights(&network, layer);
        let weights = dequantize(tensor.codes(), &steps);
        let filters = tensor.shape().filters;
        let (found, codes_out, _) = find(filters, &weights).unwrap_or_else(|e| panic!("layer {layer}: {e}"));
        assert_eq!(found.granularity, Granularity::Filter, "layer {layer}");
        assert_eq!(codes_out, tensor.codes(), "layer {layer}");
    }
}

#[test]
fn a_search_is_watched_at_every_filter_and_can_be_stopped() {
    let mut numbers = Random::new(7);
    let network = chain(&[(50, (0..50 * 40).map(|_| numbers.normal() as f32).collect())]);
    let called = AtomicUsize::new(0);
    let search = |stop_at: usize| {
        called.store(0, Ordering::Relaxed);
        let watch = || {
            if called.fetch_add(1, Ordering::Relaxed) + 1 == stop_at {
                resume_unwind(Box::new("stopped"));
            }
        };
        catch_unwind(AssertUnwindSafe(|| find_steps_watched(&network, &FindStepOptions::default(), &watch)))
    };
    assert!(search(usize::MAX).is_ok_and(|found| found.is_ok()));
    assert!(called.load(Ordering::Relaxed) >= 50, "each filter");
    let stopped = search(3).expect_err("it is stopped");
    assert_eq!(stopped.downcast_ref(), Some(&"stopped"));
}

#[test]
fn large_layers_take_seconds() {
    let mut numbers = Random::new(16);
    let codes_in = random_codes(&mut numbers, Grid::MidTread, 8, 2048 * 2048, true, 0.0);
    let quantized = dequantize(&codes_in, &[0.01]);
    let random: Vec<f32> = codes_in.iter().map(|_| numbers.normal() as f32).collect();
    for weights in [quantized, random] {
        let network: Network = chain(&[(2048, weights)]);
        let started = Instant::now();
        find_steps(&network, &FindStepOptions::default()).unwrap();
        let took = started.elapsed();
        println!("{} weights in {took:?}", 2048 * 2048);
        assert!(took.as_secs() < 20, "{took:?}");
    }
}
