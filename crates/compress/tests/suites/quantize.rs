//! Do codes and steps come out as the definitions say?

use std::time::Instant;

use compress::{
    Allocation, Granularity, LayerOptions, QuantizeOptions, StepRule, esn_a_profile, esn_a_trace, quantize,
};
use esn::{BitConvention, BitWidth, Grid, LayerEsn, quantization_noise, quantize_max_abs};
use network::{DataType, Network, NoteKind};

use testkit::{chain, check_all, quantized_weights, real_weights, shared_network, weights};

const RULES: [StepRule; 4] = [StepRule::MaxAbs, StepRule::Mse, StepRule::Laplace, StepRule::Gauss];

fn options(bits: u32, step: StepRule) -> QuantizeOptions {
    QuantizeOptions { bits, step, ..QuantizeOptions::default() }
}

fn by_filter(options: QuantizeOptions) -> QuantizeOptions {
    QuantizeOptions { granularity: Granularity::Filter, ..options }
}

fn error(network: &Network, options: &QuantizeOptions) -> String {
    let message = quantize(network, options).expect_err("the options are wrong").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn small() -> Network {
    chain(&[(8, weights(1, 8 * 12)), (6, weights(2, 6 * 8)), (1, weights(3, 6))])
}

#[test]
fn max_abs_by_layer_is_the_papers_quantizer_at_every_width() {
    let networks = [Some(small()), shared_network("models/resnet20-cifar10-bn.onnx")];
    let networks: Vec<Network> = networks.into_iter().flatten().collect();
    let cases = (0..networks.len()).flat_map(|network| (1..=16).map(move |bits| (network, bits)));
    check_all(cases, |&(network, bits)| {
        let network = &networks[network];
        let (quantized, report) = quantize(network, &options(bits, StepRule::MaxAbs)).unwrap();
        for layer in 0..network.layers().len() {
            let shape = network.layers()[layer].geometry.weight_shape();
            let expected =
                quantize_max_abs(&real_weights(network, layer), shape, BitWidth::new(bits).unwrap()).unwrap();
            let (found, steps) = quantized_weights(&quantized, layer);
            assert_eq!(found, expected.codes, "layer {layer}, {bits} bits");
            assert_eq!(steps.iter().map(|&s| f64::from(s)).collect::<Vec<_>>(), [expected.step]);
            let power = quantization_noise(&real_weights(network, layer), &found, &[expected.step]).unwrap();
            assert_eq!(report.layers[layer].snr, power.ratio());
        }
    });
}

#[test]
fn codes_are_stored_in_the_narrowest_type() {
    let cases = [
        (7, true, DataType::I8),
        (8, true, DataType::I16),
        (8, false, DataType::I8),
        (9, false, DataType::I16),
        (16, true, DataType::I32),
        (16, false, DataType::I16),
    ];
    check_all(cases, |&(bits, mid_rise, expected)| {
        let options = QuantizeOptions { mid_rise, ..options(bits, StepRule::MaxAbs) };
        let (quantized, _) = quantize(&small(), &options).unwrap();
        assert_eq!(quantized.layers()[0].weights.tensor.data_type, expected, "{bits} bits, mid-rise {mid_rise}");
    });
}

#[test]
fn figures_of_resnet20_at_4_bits() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let (quantized, report) = quantize(&network, &options(4, StepRule::MaxAbs)).unwrap();
    let total: LayerEsn = (0..quantized.layers().len())
        .map(|layer| {
            let positions = quantized.layers()[layer].geometry.positions();
            LayerEsn::new(&quantized_weights(&quantized, layer).0, positions, BitConvention::default())
        })
        .sum();
    assert_eq!((total.esn_a().to_f64().round(), total.esn_d), (588_618.0, 433_157));
    assert_eq!((total.esn_d_macs, total.esn_d_filter), (62_046_401, 144_186_880));
    assert_eq!(report.layers.iter().map(|layer| layer.esn_a).sum::<f64>(), total.esn_a().to_f64());
}

#[test]
fn mid_tread_rounds_halves_to_even_and_says_what_became_zero() {
    let network = chain(&[(1, vec![0.75, 0.375, 0.125, -0.126, 0.1, 0.0, -0.75, 0.624])]);
    let options = QuantizeOptions { mid_rise: false, ..options(3, StepRule::MaxAbs) };
    let (quantized, report) = quantize(&network, &options).unwrap();
    let (found, steps) = quantized_weights(&quantized, 0);
    assert_eq!(steps, [0.25]);
    assert_eq!(found.codes(), [6, 4, 0, -2, 0, 0, -6, 4]);
    assert_eq!(report.layers[0].newly_zeroed, 2);
    let (_, report) = quantize(&network, &QuantizeOptions { bits: 2, ..options }).unwrap();
    assert_eq!(report.layers[0].newly_zeroed, 4); // 0.375 is a tie
    assert!(report.notes[0].text().starts_with("4 weights"), "{:?}", report.notes);
}

#[test]
fn exact_zeros_stay_pruned_under_every_rule_and_dead_layers_are_harmless() {
    let mut first = weights(5, 40);
    first[..10].fill(0.0);
    (10..40).step_by(3).for_each(|i| first[i] = -0.0);
    let network = chain(&[(4, first.clone()), (4, vec![0.0; 16])]);
    let mut rules = RULES.to_vec();
    rules.extend([StepRule::Snr(20.0), StepRule::EsnA(100.0), StepRule::EsnAProfile(vec![100.0, 0.0])]);
    let cases = rules
        .iter()
        .flat_map(|r| [(r, Granularity::Layer), (r, Granularity::Filter)])
        .flat_map(|(step, granularity)| [true, false].map(move |mid_rise| (step, granularity, mid_rise)));
    check_all(cases, |&(step, granularity, mid_rise)| {
        let options = QuantizeOptions { granularity, mid_rise, bias_correction: true, ..options(8, step.clone()) };
        let (quantized, report) = quantize(&network, &options).unwrap();
        let (found, steps) = quantized_weights(&quantized, 0);
        assert!(found.codes().iter().zip(&first).all(|(&code, &w)| w != 0.0 || code == 0), "{step:?}");
        assert!(!mid_rise || found.codes().iter().zip(&first).all(|(&code, &w)| (w == 0.0) == (code == 0)));
        assert!(steps.iter().all(|step| *step > 0.0 && step.is_finite()), "{step:?}: {steps:?}");
        let (dead, steps) = quantized_weights(&quantized, 1);
        assert!(dead.codes().iter().all(|&code| code == 0) && steps.iter().all(|&step| step == 1.0), "{steps:?}");
        assert!(report.notes.iter().any(|note| note.layer() == Some("layer1")), "{:?}", report.notes);
        assert!(!report.layers[1].target_missed && report.layers[1].snr.is_none());
    });
}

/// Squared error of weights with a step, by definition.
fn noise(values: &[f32], step: f64, bits: u32, mid_rise: bool) -> f64 {
    let half = f64::from(1u32 << (bits - 1));
    let level = |w: f64| match mid_rise {
        true => ((w / step).floor() + 0.5).clamp(0.5 - half, half - 0.5),
        false => (w / step).round_ties_even().clamp(1.0 - half, half - 1.0),
    };
    values.iter().map(|&w| f64::from(w)).filter(|&w| w != 0.0).map(|w| (w - step * level(w)).powi(2)).sum()
}

#[test]
fn least_squares_is_not_beaten_by_any_step_tried() {
    let resnet = shared_network("models/resnet20-cifar10-bn.onnx").map(|network| real_weights(&network, 9));
    let mut layers: Vec<Vec<f32>> =
        [1, 2, 3, 7, 40, 300, 5000].iter().map(|&count| weights(count as u64, count)).collect();
    layers.extend(resnet);
    layers.push(vec![0.3; 50]);
    let grids = [(1, true), (2, true), (3, true), (4, true), (8, true), (2, false), (5, false)];
    let cases = (0..layers.len()).flat_map(|layer| grids.map(|(bits, mid_rise)| (layer, bits, mid_rise)));
    check_all(cases, |&(layer, bits, mid_rise)| {
        let values = &layers[layer];
        let network = chain(&[(1, values.clone())]);
        let max = values.iter().fold(0.0f64, |m, &w| m.max(f64::from(w).abs()));
        let options = QuantizeOptions { mid_rise, ..options(bits, StepRule::Mse) };
        let (quantized, _) = quantize(&network, &options).unwrap();
        let found = noise(values, f64::from(quantized_weights(&quantized, 0).1[0]), bits, mid_rise);
        let best = (1..4000).map(|i| noise(values, 2.5 * max * 0.998f64.powi(i), bits, mid_rise));
        let best = best.fold(f64::INFINITY, f64::min);
        let signal: f64 = values.iter().map(|&w| f64::from(w).powi(2)).sum();
        assert!(found <= best * 1.0005 + 1e-12 * signal, "{} weights, {bits} bits: {found} > {best}", values.len());
    });
}

#[test]
fn a_weight_alone_is_one_bit_of_its_own_size() {
    let network = chain(&[(3, vec![0.7, -0.2, 1e-40])]);
    let (quantized, _) = quantize(&network, &by_filter(options(4, StepRule::Mse))).unwrap();
    let (found, steps) = quantized_weights(&quantized, 0);
    assert_eq!(found.codes(), [1, -1, 1]);
    assert_eq!(steps[..2], [1.4, 0.4]);
}

#[test]
fn analytical_clipping_divides_its_range_into_the_levels() {
    let values = weights(9, 4000);
    let network = chain(&[(4, values.clone())]);
    let mean = values.iter().map(|&w| f64::from(w).abs()).sum::<f64>() / 4000.0;
    let square = values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / 4000.0;
    let cases = [(2, 2.83, 1.71), (3, 3.90, 2.15), (4, 5.03, 2.55)].into_iter().flat_map(|(bits, laplace, gauss)| {
        [(bits, StepRule::Laplace, laplace * mean), (bits, StepRule::Gauss, gauss * square.sqrt())]
    });
    check_all(cases, |&(bits, ref rule, alpha)| {
        let (quantized, _) = quantize(&network, &options(bits, rule.clone())).unwrap();
        let step = f64::from(quantized_weights(&quantized, 0).1[0]);
        assert!((step * f64::from(1 << bits) / 2.0 / alpha - 1.0).abs() < 0.005, "{bits} bits");
    });
}

#[test]
fn a_target_snr_is_met_by_layer_and_by_filter() {
    let network = chain(&[(8, weights(1, 8 * 400)), (6, weights(2, 6 * 8))]);
    let cases = [8.0, 30.0, 1000.0].into_iter().flat_map(|target| {
        [(Granularity::Layer, true), (Granularity::Filter, true), (Granularity::Layer, false)]
            .map(move |(granularity, mid_rise)| (target, granularity, mid_rise))
    });
    check_all(cases, |&(target, granularity, mid_rise)| {
        let options = QuantizeOptions { granularity, mid_rise, ..options(12, StepRule::Snr(target)) };
        let (_, report) = quantize(&network, &options).unwrap();
        let found = report.layers[0].snr.unwrap();
        assert!((found / target - 1.0).abs() < 0.005 && !report.layers[0].target_missed, "{found} for {target}");
        assert_eq!(report.layers[0].target_snr, Some(target));
    });
    let (_, report) = quantize(&network, &options(2, StepRule::Snr(1000.0))).unwrap();
    assert!(report.layers[0].target_missed && report.notes[0].text().contains("at 2 bits"), "{:?}", report.notes);
}

#[test]
fn the_profile_of_another_file_is_met_within_half_a_percent() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    check_all([2, 3, 4, 6], |&bits| {
        let (other, _) = quantize(&network, &options(bits, StepRule::MaxAbs)).unwrap();
        let profile = esn_a_profile(&other, 1).unwrap();
        assert_eq!(profile, esn_a_profile(&network, bits).unwrap());
        let profile: Vec<f64> = profile.iter().map(|esn_a| esn_a * 1.37).collect();
        check_all([Granularity::Layer, Granularity::Filter], |&granularity| {
            let options = QuantizeOptions { granularity, ..options(12, StepRule::EsnAProfile(profile.clone())) };
            let (quantized, report) = quantize(&network, &options).unwrap();
            for (index, (layer, target)) in report.layers.iter().zip(&profile).enumerate() {
                let exact = LayerEsn::new(&quantized_weights(&quantized, index).0, 1, BitConvention::default())
                    .esn_a()
                    .to_f64();
                assert_eq!(layer.esn_a, exact);
                let allowed = match layer.target_missed {
                    true => nearest_esn_a(&real_weights(&network, index), *target),
                    false => 0.005 * target,
                };
                let missed =
                    (exact - target).abs() > allowed || layer.target_missed && granularity == Granularity::Filter;
                assert!(!missed, "{bits} bits, {}: {exact} for {target}: {:?}", layer.layer, report.notes);
            }
        });
    });
}

/// How near to a target the mid-rise grid can come: ESN_a changes only where a step passes `|w| / k`.
fn nearest_esn_a(values: &[f32], target: f64) -> f64 {
    let esn_a =
        |step: f32| -> f64 { values.iter().map(|&w| ((f64::from(w) / f64::from(step)).floor() + 0.5).powi(2)).sum() };
    let steps = values.iter().flat_map(|w| (1..40).map(move |k| w.abs() / k as f32));
    steps.flat_map(|s| [s.next_down(), s, s.next_up()]).fold(f64::INFINITY, |d, s| d.min((esn_a(s) - target).abs()))
}

#[test]
fn one_target_for_the_network_gives_all_layers_one_snr() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let cases = [(4e6, Granularity::Layer), (1e6, Granularity::Layer), (4e6, Granularity::Filter)];
    check_all(cases, |&(target, granularity)| {
        let options = QuantizeOptions { granularity, ..options(12, StepRule::EsnA(target)) };
        let (quantized, report) = quantize(&network, &options).unwrap();
        let found: f64 = report.layers.iter().map(|layer| layer.esn_a).sum();
        assert!((found / target - 1.0).abs() < 0.005, "{found} for {target}");
        let ratios = (0..20).flat_map(|layer| {
            let (values, (_, steps)) = (real_weights(&network, layer), quantized_weights(&quantized, layer));
            let units = values
                .chunks(values.len() / steps.len())
                .map(|unit| (unit.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / unit.len() as f64).sqrt());
            units.zip(steps).map(|(rms, step)| f64::from(step) / rms).collect::<Vec<_>>()
        });
        let (low, high) = ratios.fold((f64::INFINITY, 0.0f64), |(l, h), r| (l.min(r), h.max(r)));
        assert!(high / low < 1.05, "{low} to {high}");
        assert!(!report.layers.iter().any(|layer| layer.target_missed), "{:?}", report.notes);
    });
}

#[test]
fn targets_that_no_grid_meets_are_reported_and_nothing_is_clipped() {
    let network = chain(&[(4, weights(1, 4 * 100))]);
    let run = |bits, step| quantize(&network, &options(bits, step)).unwrap();
    let (quantized, report) = run(4, StepRule::EsnAProfile(vec![50.0]));
    assert!(
        report.layers[0].target_missed && report.notes[0].text().contains("at least a quarter"),
        "{:?}",
        report.notes
    );
    assert!(quantized_weights(&quantized, 0).0.codes().iter().all(|code| code.abs() == 1));
    let (quantized, report) = run(4, StepRule::EsnAProfile(vec![1e5]));
    assert!(report.layers[0].target_missed && report.notes[0].text().contains("it takes 7 bits"), "{:?}", report.notes);
    assert_eq!((report.notes[0].kind(), report.notes[0].layer()), (NoteKind::OffTarget, Some("layer0")));
    assert_eq!(quantized_weights(&quantized, 0), quantized_weights(&run(4, StepRule::MaxAbs).0, 0));
    let (_, report) = run(7, StepRule::EsnAProfile(vec![1e5]));
    assert!(!report.layers[0].target_missed, "{:?}", report.notes);
    let (_, report) = run(4, StepRule::EsnA(1e5));
    assert!(
        report.layers[0].target_missed && report.notes.iter().any(|note| note.text().contains("the most")),
        "{report:?}"
    );
}

#[test]
fn at_one_bit_of_esn_a_the_levels_are_those_of_least_error() {
    let values = weights(4, 600);
    let network = chain(&[(1, values.clone())]);
    let (quantized, report) = quantize(&network, &options(8, StepRule::EsnAProfile(vec![150.0]))).unwrap();
    let mean = values.iter().map(|w| w.abs()).sum::<f32>() / 600.0;
    let max = values.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    let (found, steps) = quantized_weights(&quantized, 0);
    assert!(found.codes().iter().all(|code| code.abs() == 1) && !report.layers[0].target_missed);
    assert!(steps[0] >= max && (steps[0] / max.max(2.0 * mean) - 1.0).abs() < 0.01, "{steps:?}, {max}, {mean}");
}

#[test]
fn a_trace_gives_the_targets_by_name() {
    let network = small();
    let layers = |scale: f64| {
        let entry = |i: usize| format!(r#"{{"esn_a": {}, "name": "layer{i}", "snr": 3}}"#, scale * i as f64);
        format!("[{}, {}, {}]", entry(2), entry(0), entry(1))
    };
    let one = format!(r#"{{"layers": {}}}"#, layers(1.5));
    assert_eq!(esn_a_trace(&one, &network, None).unwrap(), [0.0, 1.5, 3.0]);
    let many = format!(
        r#"{{"epochs": [{{"epoch": 1, "layers": {}}}, {{"epoch": 80, "layers": {}}}]}}"#,
        layers(1.0),
        layers(2.0)
    );
    assert_eq!(esn_a_trace(&many, &network, None).unwrap(), [0.0, 2.0, 4.0]);
    assert_eq!(esn_a_trace(&many, &network, Some(1)).unwrap(), [0.0, 1.0, 2.0]);
    // Else by the names of weights, as the state of a model of PyTorch has them.
    let model = testkit::model()
        .input("x", &[1, 4])
        .floats("one.weight", &[4, 3], &testkit::reals(1, 12))
        .node("MatMul", &["x", "one.weight"], &["h"])
        .floats("two", &[3, 2], &testkit::reals(2, 6))
        .node("MatMul", &["h", "two"], &["y"]);
    let of_torch = formats::from_bytes("net.onnx", model.bytes().into(), &Default::default()).unwrap();
    let names = r#"{"layers": [{"name": "two", "esn_a": 8}, {"name": "one", "esn_a": 7}]}"#;
    assert_eq!(esn_a_trace(names, &of_torch, None).unwrap(), [7.0, 8.0]);
    let cases = [
        ("[]", None, "expected {"),
        (one.as_str(), Some(3), "without epochs"),
        (many.as_str(), Some(3), "[1, 80]"),
        (r#"{"layers": []}"#, None, "layer layer0 of the network is not in it"),
        (r#"{"layers": [{"name": "layer0", "esn_a": -1}]}"#, None, "-1"),
    ];
    check_all(cases, |&(json, epoch, part)| {
        let message = esn_a_trace(json, &network, epoch).unwrap_err().to_string();
        assert!(message.contains(part) && !message.contains('\n'), "{message}");
    });
}

#[test]
fn average_bits_are_met_and_follow_the_range_of_the_filter() {
    let mut values = weights(1, 8 * 100);
    values[..100].iter_mut().for_each(|w| *w *= 8.0);
    values[100..200].fill(0.0);
    let network = chain(&[(8, values)]);
    let averages = [(1.0, true), (2.0, true), (3.5, true), (4.0, true), (3.5, false), (16.0, true)];
    let cases = averages.into_iter().flat_map(|(average, mid_rise)| RULES.map(|step| (average, mid_rise, step)));
    check_all(cases, |&(average, mid_rise, ref step)| {
        let allocation = Some(Allocation::AverageBits(average));
        let options = by_filter(QuantizeOptions { mid_rise, allocation, ..options(4, step.clone()) });
        let (quantized, report) = quantize(&network, &options).unwrap();
        let layer = &report.layers[0];
        assert_eq!(layer.filter_bits[1], 0);
        let sum = layer.filter_bits.iter().sum::<u32>();
        assert_eq!(sum, (average * 7.0).floor() as u32, "{step:?}, {average}: {:?}", layer.filter_bits);
        assert_eq!(layer.bits, f64::from(sum) / 7.0);
        let others = layer.filter_bits[2..].iter().max().unwrap();
        assert!(layer.filter_bits[0] >= *others, "{step:?}, {average}: {:?}", layer.filter_bits);
        let top = |m: usize| quantized_weights(&quantized, 0).0.filter(m).iter().map(|c| c.abs()).max().unwrap();
        assert!((0..8).all(|m| top(m) < 1 << layer.filter_bits[m]));
    });
}

#[test]
fn an_esn_d_budget_is_kept_and_more_of_it_is_never_worse() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let run = |budget: f64, step: &StepRule| {
        let allocation = Some(Allocation::EsnDFilter(budget));
        quantize(&network, &by_filter(QuantizeOptions { allocation, ..options(4, step.clone()) }))
    };
    check_all([StepRule::MaxAbs, StepRule::Mse], |step| {
        let mut before = f64::INFINITY;
        for budget in [45e6, 80e6, 120e6, 200e6] {
            let (quantized, report) = run(budget, step).unwrap();
            let found: LayerEsn = (0..network.layers().len())
                .map(|l| {
                    let positions = network.layers()[l].geometry.positions();
                    LayerEsn::new(&quantized_weights(&quantized, l).0, positions, BitConvention::default())
                })
                .sum();
            let found = found.esn_d_filter as f64;
            assert!(found <= budget && found > budget * 0.99, "{step:?}: {found} of {budget}");
            let noise: f64 = report.layers.iter().map(|layer| 1.0 / layer.snr.unwrap()).sum();
            assert!(noise < before, "{step:?}, {budget}: {noise} after {before}");
            before = noise;
        }
    });
    let message = run(40e6, &StepRule::MaxAbs).unwrap_err().to_string();
    assert!(message.contains("40551040"), "{message}");
}

#[test]
fn bias_correction_restores_the_norm_of_every_filter() {
    let network = small();
    check_all([Granularity::Layer, Granularity::Filter], |&granularity| {
        let plain = QuantizeOptions { granularity, ..options(2, StepRule::MaxAbs) };
        let corrected = QuantizeOptions { bias_correction: true, ..plain.clone() };
        let (before, _) = quantize(&network, &plain).unwrap();
        let (after, _) = quantize(&network, &corrected).unwrap();
        assert_eq!(quantized_weights(&before, 0).0, quantized_weights(&after, 0).0);
        let (found, steps) = quantized_weights(&after, 0);
        let spread = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt()
        };
        for (m, filter) in real_weights(&network, 0).chunks(12).enumerate() {
            let quantized: Vec<f64> =
                found.filter(m).iter().map(|&c| f64::from(c) / 2.0 * f64::from(steps[m])).collect();
            let filter: Vec<f64> = filter.iter().map(|&w| f64::from(w)).collect();
            assert!((spread(&quantized) / spread(&filter) - 1.0).abs() < 1e-6, "filter {m}");
        }
    });
}

#[test]
fn the_first_and_last_layer_keep_their_own_width() {
    let network = small();
    let allocations = [None, Some(Allocation::AverageBits(3.0)), Some(Allocation::EsnDFilter(8000.0))];
    check_all(allocations, |&allocation| {
        let own = QuantizeOptions { first_bits: Some(8), last_bits: Some(6), ..options(3, StepRule::MaxAbs) };
        let (quantized, report) = quantize(&network, &by_filter(QuantizeOptions { allocation, ..own })).unwrap();
        assert_eq!((report.layers[0].bits, report.layers[2].bits), (8.0, 6.0), "{allocation:?}");
        let top = |l: usize| quantized_weights(&quantized, l).0.codes().iter().map(|c| c.abs()).max().unwrap();
        assert_eq!((top(0), top(2)), (255, 63), "{allocation:?}");
    });
}

#[test]
fn a_layer_of_its_own_is_what_a_network_of_its_options_has() {
    let network = small();
    let own = [
        LayerOptions { layer: "layer0".to_string(), bits: Some(8), ..LayerOptions::default() },
        LayerOptions {
            layer: "layer1".to_string(),
            bits: Some(5),
            mid_rise: Some(false),
            granularity: Some(Granularity::Filter),
            step: Some(StepRule::Mse),
        },
    ];
    let mixed = QuantizeOptions { layers: own.to_vec(), ..options(3, StepRule::MaxAbs) };
    let (found, report) = quantize(&network, &mixed).unwrap();
    let alone = [
        options(8, StepRule::MaxAbs),
        by_filter(QuantizeOptions { mid_rise: false, ..options(5, StepRule::Mse) }),
        options(3, StepRule::MaxAbs),
    ];
    check_all(alone.iter().enumerate(), |&(layer, options)| {
        let (expected, expected_report) = quantize(&network, options).unwrap();
        assert_eq!(quantized_weights(&found, layer), quantized_weights(&expected, layer), "layer {layer}");
        assert_eq!(report.layers[layer], expected_report.layers[layer], "layer {layer}");
    });
    assert_eq!(mixed.label(), "2 layers of their own 5 to 8 bits, any other 3 bits");
    assert_eq!(mixed.nominal_bits(), Some(3));
}

#[test]
fn a_width_that_applies_to_no_layer_or_is_but_a_bound_does_not_lead_the_words() {
    let own = |bits: Option<u32>, step: Option<StepRule>| LayerOptions {
        layer: "layer0".to_string(),
        bits,
        step,
        ..LayerOptions::default()
    };
    let with = |own: LayerOptions, all: QuantizeOptions| QuantizeOptions { layers: vec![own], mid_rise: false, ..all };
    let four = || options(4, StepRule::MaxAbs);
    let sixteen = || options(16, StepRule::Snr(100.0));
    let cases = [
        (four(), "4 bits"),
        (by_filter(options(1, StepRule::Mse)), "1 bit per filter mse"),
        (sixteen(), "S/N 100, at most 16 bits"),
        (by_filter(sixteen()), "per filter S/N 100, at most 16 bits"),
        (with(own(Some(6), None), four()), "mid-tread, 1 layer of its own 6 bits, any other 4 bits"),
        (with(own(None, Some(StepRule::Mse)), four()), "4 bits mid-tread, 1 layer of its own"),
        (
            with(own(Some(8), None), sixteen()),
            "S/N 100 mid-tread, 1 layer of its own at most 8 bits, any other at most 16 bits",
        ),
        (
            with(own(Some(16), Some(StepRule::Snr(9.0))), four()),
            "mid-tread, 1 layer of its own at most 16 bits, any other 4 bits",
        ),
    ];
    check_all(cases, |(options, expected)| assert_eq!(options.label(), *expected));
}

#[test]
fn layers_of_their_own_that_mean_nothing_are_refused() {
    let network = small();
    let own = |layer: &str| LayerOptions { layer: layer.to_string(), bits: Some(5), ..LayerOptions::default() };
    let with = |layers: Vec<LayerOptions>| QuantizeOptions { layers, ..options(4, StepRule::MaxAbs) };
    let shared = || by_filter(QuantizeOptions { allocation: Some(Allocation::AverageBits(3.0)), ..with(vec![]) });
    let cases = [
        (with(vec![own("layer9")]), "there is no layer \"layer9\"; the network's 3 layers begin with layer0, layer1"),
        (with(vec![own("layer1"), own("layer1")]), "layer layer1 stands there twice"),
        (with(vec![LayerOptions { bits: None, ..own("layer1") }]), "layer layer1: nothing is said of it"),
        (with(vec![LayerOptions { bits: Some(17), ..own("layer1") }]), "layer layer1: a bit width is 1 to 16, not 17"),
        (
            with(vec![LayerOptions { bits: Some(1), mid_rise: Some(false), ..own("layer1") }]),
            "layer layer1: at 1 bit the mid-tread grid has no level but 0",
        ),
        (with(vec![LayerOptions { step: Some(StepRule::EsnA(9.0)), ..own("layer1") }]), "one of the network"),
        (
            QuantizeOptions {
                step: StepRule::EsnA(9.0),
                ..with(vec![LayerOptions { step: Some(StepRule::Mse), ..own("layer1") }])
            },
            "one of the network",
        ),
        (QuantizeOptions { first_bits: Some(8), ..with(vec![own("layer0")]) }, "5 bits there and 8 by its place"),
        (QuantizeOptions { last_bits: Some(8), ..with(vec![own("layer2")]) }, "5 bits there and 8 by its place"),
        (
            QuantizeOptions {
                layers: vec![LayerOptions { granularity: Some(Granularity::Layer), ..own("layer1") }],
                ..shared()
            },
            "granularity = filter",
        ),
        (
            QuantizeOptions {
                layers: vec![LayerOptions { step: Some(StepRule::Snr(9.0)), ..own("layer1") }],
                ..shared()
            },
            "bits by filter go with",
        ),
    ];
    check_all(cases, |(options, expected)| {
        let message = error(&network, options);
        assert!(message.contains(expected), "{message}: {expected}");
    });
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let network = small();
    let with = |change: &dyn Fn(&mut QuantizeOptions)| {
        let mut options = options(4, StepRule::MaxAbs);
        change(&mut options);
        options
    };
    let average = Some(Allocation::AverageBits(3.0));
    let cases = [
        (with(&|o| o.bits = 0), "bits: a bit width is 1 to 16, not 0"),
        (with(&|o| o.first_bits = Some(17)), "first_bits: "),
        (with(&|o| (o.bits, o.mid_rise) = (1, false)), "starts at 2 bits"),
        (with(&|o| o.allocation = average), "granularity = filter"),
        (with(&|o| o.step = StepRule::Snr(0.0)), "S/N of 0"),
        (with(&|o| (o.step, o.mid_rise) = (StepRule::Snr(0.9), false)), "mid-tread"),
        (with(&|o| o.step = StepRule::EsnA(f64::NAN)), "NaN"),
        (with(&|o| o.step = StepRule::EsnAProfile(vec![1.0])), "1 layers; the network has 3"),
        (with(&|o| o.step = StepRule::EsnAProfile(vec![1.0, -2.0, 1.0])), "of layer layer1 of -2"),
        (
            with(&|o| {
                (o.allocation, o.granularity, o.step) = (average, Granularity::Filter, StepRule::Snr(10.0));
            }),
            "decides on steps by itself",
        ),
        (
            with(&|o| {
                (o.allocation, o.granularity) = (Some(Allocation::AverageBits(0.5)), Granularity::Filter);
            }),
            "expected 1 to 16",
        ),
    ];
    check_all(cases, |(options, part)| {
        let message = error(&network, options);
        assert!(message.contains(*part), "{message}");
    });
    let (quantized, _) = quantize(&network, &options(4, StepRule::MaxAbs)).unwrap();
    assert!(
        error(&quantized, &options(4, StepRule::MaxAbs)).contains("layer layer0: its weights are quantized already")
    );
}

/// What a person waits for. The time is printed, not judged: machines differ.
#[test]
fn every_rule_runs_on_resnet20() {
    let Some(network) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let mut rules = RULES.to_vec();
    let profile = esn_a_profile(&network, 5).unwrap();
    rules.extend([StepRule::Snr(50.0), StepRule::EsnA(2e6), StepRule::EsnAProfile(profile)]);
    let widths = [(Granularity::Layer, 4), (Granularity::Filter, 4), (Granularity::Filter, 8)];
    let cases = rules.iter().flat_map(|step| widths.map(|(granularity, bits)| (step, granularity, bits)));
    check_all(cases, |&(step, granularity, bits)| {
        let start = Instant::now();
        let options = QuantizeOptions { granularity, ..options(bits, step.clone()) };
        let (quantized, report) = quantize(&network, &options).unwrap();
        let name = format!("{step:?}");
        println!("{:.12} {granularity:?} {bits} bits: {:?}", name, start.elapsed());
        assert_eq!(report.layers.len(), 20);
        assert_eq!(quantized_weights(&quantized, 0).0.grid(), Grid::MidRise);
    });
}
