//! Does pruning do what its options say, and nothing else?

use compress::{Budget, CompressError, FilterAmount, PruneOptions, Pruning, Scope, prune};
use esn::{BitConvention, BitWidth, LayerEsn, filter_esn, quantize_max_abs};
use network::{LayerId, LayerWeights, Network, WeightValues};
use proptest::prelude::*;

use testkit::{Net, check_all, real_weights, shared_network};

use crate::prune_support::*;

fn options(pruning: Pruning) -> PruneOptions {
    PruneOptions { prunings: vec![pruning], ..PruneOptions::default() }
}

fn filters(amount: FilterAmount) -> PruneOptions {
    options(Pruning::Filters(amount))
}

/// Three convolutions in a row, no channels coupled.
fn chain(widths: [usize; 3]) -> Network {
    let (mut net, x) = Net::new(&[1, 3, 6, 6]);
    let a = net.conv_bn_relu(x, widths[0], 1);
    let b = net.conv_bn_relu(a, widths[1], 1);
    let c = net.conv_bn_relu(b, widths[2], 1);
    net.classify(c)
}

/// Every cost of a network, measured on its weights as they are.
fn costs(network: &Network, bits: u32) -> [f64; 4] {
    let mut costs = [0.0; 4];
    for (i, layer) in network.layers().iter().enumerate() {
        let shape = layer.geometry.weight_shape();
        let width = BitWidth::new(bits).expect("a width");
        let codes = quantize_max_abs(&real_weights(network, i), shape, width).expect("finite weights").codes;
        let esn = LayerEsn::new(&codes, layer.geometry.positions(), BitConvention::default());
        let computed: u64 = filter_esn(&codes, BitConvention::default()).iter().map(|filter| filter.computed).sum();
        costs[0] += esn.esn_a_macs().to_f64();
        costs[1] += esn.esn_d_macs as f64;
        costs[2] += (computed * layer.geometry.positions()) as f64;
        costs[3] += computed as f64;
    }
    costs
}

fn all_weights(network: &Network) -> Vec<f32> {
    (0..network.layers().len()).flat_map(|i| real_weights(network, i)).collect()
}

fn zeros(weights: &[f32]) -> usize {
    weights.iter().filter(|&&w| w == 0.0).count()
}

#[test]
fn nothing_asked_nothing_changed() {
    let network = chain([6, 5, 4]);
    let nothing = [
        PruneOptions::default(),
        filters(FilterAmount::Fraction(0.0)),
        filters(FilterAmount::Width(1.0)),
        filters(FilterAmount::Budget(Budget::Macs(1e12))),
        options(Pruning::Weights(0.0)),
        options(Pruning::Pattern { keep: 4, of: 4 }),
        PruneOptions { below: Some(0.0), compact: true, ..PruneOptions::default() },
    ];
    check_all(nothing, |options| {
        let (same, report) = prune(&network, options).expect("it can be pruned");
        assert_eq!(all_weights(&same), all_weights(&network), "{options:?}");
        assert_eq!(format!("{:?}", same.graph()), format!("{:?}", network.graph()));
        assert!(report.layers.iter().all(|layer| layer.weights_pruned == 0 && layer.dead_filters.is_empty()));
    });
}

#[test]
fn the_smallest_go_first_and_equals_in_order() {
    let (mut net, x) = Net::new(&[1, 1, 4, 4]);
    let level = |m: usize| [3.0, 1.0, 2.0, 1.0][m];
    let weights: Vec<f32> = (0..36).map(|i| level(i / 9)).collect();
    let a = net.conv_with(x, 4, 1, &weights);
    let b = net.conv(a, 4, 1);
    let network = net.classify(b);
    let order = |count: usize| {
        let fraction = count as f64 / 8.0;
        let report = prune(&network, &filters(FilterAmount::Fraction(fraction))).expect("pruned").1;
        report.layers[0].dead_filters.iter().map(|dead| dead.filter).collect::<Vec<_>>()
    };
    // The other layer's filters are near 12 = 4 channels · 9 taps · ⅓.
    assert_eq!(order(1), [1]);
    assert_eq!(order(2), [1, 3]);
}

#[test]
fn the_last_channel_stays() {
    let network = chain([6, 5, 4]);
    let cases = [Scope::Global, Scope::Layer]
        .into_iter()
        .flat_map(|scope| [FilterAmount::Fraction(1.0), FilterAmount::Width(0.0)].map(move |amount| (scope, amount)));
    check_all(cases, |&(scope, amount)| {
        let options = PruneOptions { scope, compact: true, ..filters(amount) };
        let (small, _) = prune(&network, &options).expect("pruned");
        let filters: Vec<usize> = small.layers().iter().map(|layer| layer.geometry.spec().filters).collect();
        assert_eq!(filters, [1, 1, 1, 3]);
    });
}

#[test]
fn no_layer_loses_all_its_input() {
    // The second half of the first layer's channels feeds a layer of its own, and all of it is weak.
    let (mut net, x) = Net::new(&[1, 1, 4, 4]);
    let weights: Vec<f32> = (0..72).map(|i| if i < 36 { 2.0 } else { 0.1 }).collect();
    let a = net.conv_with(x, 8, 1, &weights);
    let slice = network::Op::Slice { starts: vec![4], ends: vec![8], axes: vec![1], steps: vec![1] };
    let part = net.node(slice, &[a], &[1, 4, 4, 4]);
    let b = net.conv_bn_relu(part, 4, 1);
    let joined = net.concat(&[a, b], 1);
    let network = net.classify(joined);
    let (_, report) = prune(&network, &filters(FilterAmount::Width(0.5))).expect("pruned");
    let gone: Vec<usize> = report.layers[0].dead_filters.iter().map(|dead| dead.filter).collect();
    assert_eq!(gone, [0, 4, 5, 6]);
}

#[test]
fn unstructured_counts_are_exact() {
    let network = chain([6, 5, 4]);
    let total = all_weights(&network).len();
    check_all([0.1, 0.29, 0.5, 0.999, 1.0], |&fraction| {
        let (pruned, report) = prune(&network, &options(Pruning::Weights(fraction))).expect("pruned");
        let after = all_weights(&pruned);
        let expected = (fraction * total as f64).round() as usize;
        assert_eq!(zeros(&after), expected);
        assert_eq!(report.layers.iter().map(|layer| layer.weights_pruned).sum::<u64>(), expected as u64);
        let gone = all_weights(&network)
            .iter()
            .zip(&after)
            .filter(|(_, w)| **w == 0.0)
            .map(|(w, _)| w.abs())
            .fold(0.0, f32::max);
        let kept = after.iter().filter(|w| **w != 0.0).fold(f32::INFINITY, |min, w| min.min(w.abs()));
        assert!(gone <= kept);
        let by_layer = PruneOptions { scope: Scope::Layer, ..options(Pruning::Weights(fraction)) };
        let (pruned, _) = prune(&network, &by_layer).expect("pruned");
        for layer in 0..network.layers().len() {
            let found = real_weights(&pruned, layer);
            assert_eq!(zeros(&found), (fraction * found.len() as f64).round() as usize);
        }
    });
}

#[test]
fn equal_magnitudes_go_in_order() {
    let (mut net, x) = Net::new(&[1, 1, 4, 4]);
    let a = net.conv_with(x, 2, 1, &[0.5; 18]);
    let network = net.classify(a);
    let by_layer = PruneOptions { scope: Scope::Layer, ..options(Pruning::Weights(0.5)) };
    let (pruned, _) = prune(&network, &by_layer).expect("pruned");
    assert_eq!(real_weights(&pruned, 0), [[0.0; 9], [0.5; 9]].concat());
}

#[test]
fn two_of_four_along_input_channels() {
    let network = chain([6, 5, 4]);
    let (pruned, _) = prune(&network, &options(Pruning::Pattern { keep: 2, of: 4 })).expect("pruned");
    let (before, after) = (real_weights(&network, 1), real_weights(&pruned, 1));
    for filter in 0..5 {
        for tap in 0..9 {
            let at = |channel: usize| (filter * 6 + channel) * 9 + tap;
            let mut block: Vec<usize> = (0..4).collect();
            block.sort_by(|&a, &b| before[at(b)].abs().total_cmp(&before[at(a)].abs()));
            let kept = |channel: usize| block[..2].contains(&channel) || channel >= 4;
            for channel in 0..6 {
                let expected = if kept(channel) { before[at(channel)] } else { 0.0 };
                assert_eq!(after[at(channel)], expected);
            }
        }
    }
}

#[test]
fn steps_follow_one_another() {
    let network = chain([6, 5, 4]);
    let both = PruneOptions {
        prunings: vec![Pruning::Filters(FilterAmount::Width(0.5)), Pruning::Weights(0.8)],
        ..PruneOptions::default()
    };
    let (pruned, report) = prune(&network, &both).expect("pruned");
    let total = all_weights(&network).len();
    assert_eq!(zeros(&all_weights(&pruned)), (0.8 * total as f64).round() as usize);
    assert_eq!(report.layers[0].filters_by_norm, 3);
    let (again, second) = prune(&network, &both).expect("pruned");
    assert_eq!((all_weights(&again), second), (all_weights(&pruned), report), "deterministic");
}

#[test]
fn budgets_are_met_but_not_by_more_than_it_takes() {
    let network = chain([7, 6, 5]);
    let dense = costs(&network, 4);
    let cases = [0.9, 0.5, 0.35, 0.2].into_iter().flat_map(|share| (0..4).map(move |i| (i, share)));
    check_all(cases, |&(i, share)| {
        let limit = dense[i] * share;
        let budget = [Budget::EsnA, Budget::EsnD, Budget::Macs, Budget::Parameters][i](limit);
        let options = PruneOptions { bits: Some(4), ..filters(FilterAmount::Budget(budget)) };
        let (pruned, report) = prune(&network, &options).expect("it can be met");
        assert!(costs(&pruned, 4)[i] <= limit, "{budget:?}");
        let count: usize = report.layers.iter().map(|layer| layer.filters_by_norm).sum();
        let less = filters(FilterAmount::Fraction((count - 1) as f64 / 18.0));
        let (more, less) = prune(&network, &less).expect("pruned");
        assert_eq!(less.layers.iter().map(|layer| layer.filters_by_norm).sum::<usize>(), count - 1);
        assert!(costs(&more, 4)[i] > limit, "{budget:?}: one filter less would do");
    });
}

#[test]
fn compact_forms_cost_what_their_zeros_cost() {
    let network = chain([7, 6, 5]);
    let options = filters(FilterAmount::Fraction(0.4));
    let (zeroed, _) = prune(&network, &options).expect("pruned");
    let (compact, _) = prune(&network, &PruneOptions { compact: true, ..options }).expect("pruned");
    assert_eq!(costs(&zeroed, 4), costs(&compact, 4));
    assert_eq!(zeros(&all_weights(&compact)), 0);
}

#[test]
fn a_zeroed_network_can_be_made_compact_later() {
    let network = chain([7, 6, 5]);
    let options = filters(FilterAmount::Width(0.5));
    let (zeroed, _) = prune(&network, &options).expect("pruned");
    let (at_once, _) = prune(&network, &PruneOptions { compact: true, ..options }).expect("pruned");
    let (later, report) =
        prune(&zeroed, &PruneOptions { compact: true, ..PruneOptions::default() }).expect("made compact");
    assert_eq!(all_weights(&later), all_weights(&at_once));
    assert_eq!(report.layers[0].filters_dead_before, report.layers[0].filters_removed);
}

#[test]
fn what_means_nothing_is_refused() {
    let network = chain([3, 3, 3]);
    let cases = [
        (filters(FilterAmount::Fraction(1.5)), "filters: 1.5; expected a fraction from 0 to 1"),
        (filters(FilterAmount::Width(-0.1)), "width: -0.1; expected a fraction from 0 to 1"),
        (options(Pruning::Weights(f64::NAN)), "weights: NaN; expected a fraction from 0 to 1"),
        (PruneOptions { below: Some(2.0), ..PruneOptions::default() }, "below: 2; expected a fraction from 0 to 1"),
        (
            options(Pruning::Pattern { keep: 5, of: 4 }),
            "pattern: 5 of 4; expected at least 1 weight to stay and at most all of them",
        ),
        (
            options(Pruning::Pattern { keep: 0, of: 0 }),
            "pattern: 0 of 0; expected at least 1 weight to stay and at most all of them",
        ),
        (
            filters(FilterAmount::Budget(Budget::EsnA(1.0))),
            "bits: a budget of ESN_a needs the width that the network is to be quantized to",
        ),
        (filters(FilterAmount::Budget(Budget::Macs(f64::INFINITY))), "budget: MACs of inf; expected a number from 0"),
        (PruneOptions { bits: Some(17), ..PruneOptions::default() }, "bits: a bit width is 1 to 16, not 17"),
    ];
    check_all(cases, |&(ref options, expected)| {
        let error = prune(&network, options).expect_err("it means nothing");
        assert_eq!(error.to_string(), expected);
    });
    let error = prune(&network, &filters(FilterAmount::Budget(Budget::Macs(1.0)))).expect_err("out of reach");
    assert!(error.to_string().starts_with("budget: 1 of MACs is out of reach: "), "{error}");
}

#[test]
fn quantized_layers_are_refused() {
    let Some(network) = shared_network("models/resnet20-cifar10-int8-qdq-perchannel.onnx") else { return };
    let error = prune(&network, &filters(FilterAmount::Fraction(0.5))).expect_err("it is quantized");
    assert!(matches!(error, CompressError::Layer { .. }), "{error}");
}

#[test]
fn double_precision_stays() {
    let mut network = chain([4, 4, 4]);
    let mut widened = network.edit();
    let weights_of_first = &mut widened.layers_mut()[0].weights;
    let values = real_weights(&network, 0);
    weights_of_first.tensor.chunks =
        vec![values.iter().flat_map(|&w| (f64::from(w) + 1e-12).to_le_bytes()).collect::<Vec<u8>>().into()];
    weights_of_first.tensor.data_type = network::DataType::F64;
    network = widened.finish().expect("a network that holds together");
    let (pruned, _) = prune(&network, &filters(FilterAmount::Width(0.5))).expect("pruned");
    let LayerWeights::Float(WeightValues::F64(found)) = pruned.weights(LayerId(0)).expect("valid") else {
        panic!("expected float64");
    };
    assert!(found.iter().zip(&values).all(|(&w, &v)| w == 0.0 || w == f64::from(v) + 1e-12));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn more_pruning_never_costs_more(a in 0.0f64..1.0, b in 0.0f64..1.0, layer in any::<bool>()) {
        let network = chain([6, 5, 4]);
        let scope = if layer { Scope::Layer } else { Scope::Global };
        let cost = |fraction| {
            let options = PruneOptions { scope, ..filters(FilterAmount::Fraction(fraction)) };
            let (pruned, _) = prune(&network, &options).expect("pruned");
            costs(&pruned, 4)[2..].to_vec()
        };
        let (low, high) = (cost(a.min(b)), cost(a.max(b)));
        prop_assert!(high[0] <= low[0] && high[1] <= low[1]);
    }

    #[test]
    fn forms_agree_at_any_fraction(fraction in 0.0f64..1.0, seed in 0u64..100) {
        let network = chain([6, 5, 4]);
        let options = filters(FilterAmount::Fraction(fraction));
        let (zeroed, report) = prune(&network, &options).expect("pruned");
        let (compact, _) = prune(&network, &PruneOptions { compact: true, ..options }).expect("pruned");
        let masks: Vec<Vec<usize>> = report.layers.iter().map(|layer| layer.dead_channels.clone()).collect();
        let image = image(&network, seed);
        let found = run(&zeroed, &image);
        prop_assert!(distance(&run_masked(&network, &image, &masks), &found) < 1e-5);
        prop_assert!(distance(&found, &run(&compact, &image)) < 1e-5);
    }
}
