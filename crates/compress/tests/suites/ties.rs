//! Does a tensor that several layers have stay one, with the same answers, whatever is done to it?

use compress::{
    Allocation, Budget, FilterAmount, FindStepOptions, Granularity, PruneOptions, Pruning, QuantizeOptions, Scope,
    StepRule, find_steps, prune, quantize,
};
use network::{LayerId, Network, NetworkBuilder, WeightSource};
use testkit::{Model, check_all, int, int_list, model, real_weights, reals, texts};

use crate::prune_support::{check, distance, image, run};

/// Two towers of two convolutions with the same tensors; the last layer, `fc`, reads both.
fn twins() -> Network {
    let pooled = |model: Model, tower: &str| {
        let [x, a, b, c, d] = ["x", "a", "b", "c", "d"].map(|name| format!("{name}{tower}"));
        model.node("Conv", &[&x, "w1"], &[&a]).node("Relu", &[&a], &[&b]).node("Conv", &[&b, "w2"], &[&c]).node(
            "GlobalAveragePool",
            &[&c],
            &[&d],
        )
    };
    let model = model()
        .input("x1", &[1, 3, 6, 6])
        .floats("w1", &[4, 3, 3, 3], &reals(1, 108))
        .floats("w2", &[6, 4, 1, 1], &reals(2, 24))
        .floats("w3", &[2, 12], &reals(3, 24))
        .node_with("Transpose", &["x1"], &["x2"], vec![int_list("perm", &[0, 1, 3, 2])]);
    let model = pooled(pooled(model, "1"), "2")
        .node_with("Concat", &["d1", "d2"], &["e"], vec![int("axis", 1)])
        .node("Flatten", &["e"], &["f"])
        .node_with("Gemm", &["f", "w3"], &["y"], vec![int("transB", 1)]);
    model.read()
}

/// One convolution twice, one behind the other.
fn repeated() -> Network {
    model()
        .input("x", &[1, 4, 6, 6])
        .floats("w", &[4, 4, 3, 3], &reals(4, 144))
        .floats("v", &[2, 4], &reals(5, 8))
        .node_with("Conv", &["x", "w"], &["a"], vec![int_list("pads", &[1, 1, 1, 1])])
        .node("Relu", &["a"], &["b"])
        .node_with("Conv", &["b", "w"], &["c"], vec![int_list("pads", &[1, 1, 1, 1])])
        .node("GlobalAveragePool", &["c"], &["d"])
        .node("Flatten", &["d"], &["e"])
        .node_with("Gemm", &["e", "v"], &["y"], vec![int("transB", 1)])
        .read()
}

/// An encoder and its transpose.
fn autoencoder() -> Network {
    model()
        .input("x", &[1, 6])
        .floats("w", &[6, 4], &reals(6, 24))
        .node("MatMul", &["x", "w"], &["a"])
        .node("Relu", &["a"], &["b"])
        .node_with("Gemm", &["b", "w"], &["y"], vec![int("transB", 1)])
        .read()
}

/// By layer, the first layer with the same tensor.
fn shares(network: &Network) -> Vec<Option<usize>> {
    (0..network.layers().len()).map(|id| network.shares_weights_with(LayerId(id)).map(|first| first.0)).collect()
}

const TWINS: [Option<usize>; 5] = [None, None, Some(0), Some(1), None];

fn one(pruning: Pruning) -> PruneOptions {
    PruneOptions { prunings: vec![pruning], ..PruneOptions::default() }
}

fn filters(amount: FilterAmount) -> PruneOptions {
    one(Pruning::Filters(amount))
}

fn pruned(network: &Network, pruning: Pruning) -> Network {
    prune(network, &one(pruning)).expect("it can be pruned").0
}

#[test]
fn layers_of_one_tensor_are_known() {
    assert_eq!(shares(&twins()), TWINS);
    assert_eq!(shares(&repeated()), [None, Some(0), None]);
    assert_eq!(shares(&autoencoder()), [None, Some(0)]);
    assert_eq!(twins().parameter_count(), 108 + 24 + 24);
}

#[test]
fn all_uses_lose_the_same_filters_and_no_answer_changes() {
    let (_, compact) = check(&twins(), &filters(FilterAmount::Fraction(0.5)));
    assert_eq!(shares(&compact), TWINS);
    let sizes: Vec<usize> = compact.layers().iter().map(|layer| layer.geometry.spec().filters).collect();
    assert_eq!((sizes[0], sizes[1]), (sizes[2], sizes[3]));
}

#[test]
fn a_budget_of_parameters_counts_a_tensor_once() {
    let (_, compact) = check(&twins(), &filters(FilterAmount::Budget(Budget::Parameters(120.0))));
    assert!((60..=120).contains(&compact.parameter_count()), "{}", compact.parameter_count());
    assert_eq!(shares(&compact), TWINS);
}

#[test]
fn a_budget_of_parameters_counts_a_tensor_of_two_arrangements_once_until_it_is_parted() {
    // Two hidden units are 12 + 12 weights, as the tensors are parted then.
    for (limit, left) in [(30.0, 24), (24.0, 24), (20.0, 12)] {
        let options = PruneOptions { compact: true, ..filters(FilterAmount::Budget(Budget::Parameters(limit))) };
        let (pruned, report) = prune(&autoencoder(), &options).expect("it can be pruned");
        assert_eq!(pruned.parameter_count(), left, "{limit}");
        let is_unchanged = texts(&report.notes).iter().any(|note| note.contains("within the budget"));
        assert_eq!(is_unchanged, left == 24, "{limit}: {:?}", report.notes);
    }
}

#[test]
fn a_layer_behind_itself_loses_filters_and_keeps_its_input() {
    let (zeroed, report) = prune(&repeated(), &filters(FilterAmount::Fraction(0.5))).expect("it can be pruned");
    assert_eq!(report.layers.iter().map(|layer| layer.dead_filters.len()).collect::<Vec<_>>(), [2, 2, 0]);
    assert_eq!(shares(&zeroed), shares(&repeated()));
    let options = PruneOptions { compact: true, ..filters(FilterAmount::Fraction(0.5)) };
    let (compact, _) = prune(&repeated(), &options).expect("it can be pruned");
    assert_eq!(compact.layers()[0].geometry, repeated().layers()[0].geometry, "the network's input has all channels");
    let image = image(&zeroed, 1);
    assert!(distance(&run(&zeroed, &image), &run(&compact, &image)) < 1e-5);
}

#[test]
fn filters_of_one_tensor_count_once() {
    // 4 + 6 filters of the towers may go; those of `fc` may not.
    let network = twins();
    for (layer, filters) in [(0, 2), (1, 3)] {
        let half = pruned(&network, Pruning::Filters(FilterAmount::Width(0.5)));
        let rows = half.layers()[layer].geometry.rows();
        let zero = real_weights(&half, layer).chunks(rows).filter(|f| f.iter().all(|&w| w == 0.0)).count();
        assert_eq!(zero, filters, "layer {layer}");
        assert_eq!(real_weights(&half, layer), real_weights(&half, layer + 2));
    }
}

#[test]
fn weights_go_once_from_all_uses() {
    let zeros = |network: &Network, layer: usize| real_weights(network, layer).iter().filter(|&&w| w == 0.0).count();
    let half = pruned(&twins(), Pruning::Weights(0.5));
    assert_eq!(shares(&half), TWINS);
    assert_eq!(zeros(&half, 0) + zeros(&half, 1) + zeros(&half, 4), (108 + 24 + 24) / 2, "of tensors, not of layers");
    let pattern = pruned(&twins(), Pruning::Pattern { keep: 1, of: 2 });
    assert_eq!(shares(&pattern), TWINS);
    let by_layer = PruneOptions { scope: Scope::Layer, ..one(Pruning::Weights(0.5)) };
    let (by_layer, _) = prune(&twins(), &by_layer).expect("it can be pruned");
    assert_eq!([0, 1, 4].map(|layer| zeros(&by_layer, layer)), [54, 12, 12]);
}

#[test]
fn a_tensor_is_quantized_once() {
    let rules = [
        QuantizeOptions { bits: 4, ..QuantizeOptions::default() },
        QuantizeOptions { bits: 4, last_bits: Some(8), granularity: Granularity::Filter, ..QuantizeOptions::default() },
        QuantizeOptions { bits: 6, step: StepRule::EsnA(2000.0), ..QuantizeOptions::default() },
        QuantizeOptions {
            granularity: Granularity::Filter,
            allocation: Some(Allocation::EsnDFilter(25000.0)),
            ..QuantizeOptions::default()
        },
    ];
    check_all(rules, |options| {
        for network in [twins(), repeated()] {
            let (quantized, report) = quantize(&network, options).expect("it can be quantized");
            assert_eq!(shares(&quantized), shares(&network));
            let names: Vec<&str> = report.layers.iter().map(|layer| layer.layer.as_str()).collect();
            let expected: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
            assert_eq!(names, expected);
        }
    });
}

#[test]
fn a_target_of_the_network_counts_a_tensor_once() {
    let options = QuantizeOptions { bits: 8, step: StepRule::EsnA(900.0), ..QuantizeOptions::default() };
    let (_, report) = quantize(&twins(), &options).expect("it can be quantized");
    let once: f64 = [0, 1, 4].iter().map(|&layer: &usize| report.layers[layer].esn_a).sum();
    assert!((once - 900.0).abs() < 0.005 * 900.0, "{once}");
}

/// Two layers with one tensor, the first and the last one.
fn first_and_last() -> Network {
    model()
        .input("x", &[1, 4])
        .floats("w", &[4, 4], &reals(7, 16))
        .node("MatMul", &["x", "w"], &["a"])
        .node("MatMul", &["a", "w"], &["y"])
        .read()
}

#[test]
fn a_tensor_has_one_target_and_one_width() {
    let profile = |targets: &[f64]| QuantizeOptions {
        bits: 8,
        step: StepRule::EsnAProfile(targets.to_vec()),
        ..QuantizeOptions::default()
    };
    let widths = |first, last| QuantizeOptions {
        bits: 4,
        first_bits: Some(first),
        last_bits: Some(last),
        ..QuantizeOptions::default()
    };
    let network = first_and_last();
    for same in [profile(&[90.0, 90.0]), widths(6, 6)] {
        quantize(&network, &same).expect("it can be quantized");
    }
    let refused = [
        (
            profile(&[90.0, 95.5]),
            "step: a target ESN_a of 95.5 for layer MatMul_y and 90 for layer MatMul_a: they have one tensor of weights; \
             expected one target for both",
        ),
        (
            widths(6, 7),
            "last_bits: 7 bits for layer MatMul_y and 6 for layer MatMul_a: they have one tensor of weights; \
             expected one width for both",
        ),
    ];
    check_all(refused, |(options, expected)| {
        assert_eq!(quantize(&network, options).expect_err("it is refused").to_string(), *expected);
    });
}

#[test]
fn a_width_of_the_last_layer_reaches_its_tensor() {
    let network = first_and_last();
    let options = QuantizeOptions { bits: 4, last_bits: Some(7), ..QuantizeOptions::default() };
    let (quantized, report) = quantize(&network, &options).expect("it can be quantized");
    assert_eq!(report.layers.iter().map(|layer| layer.bits).collect::<Vec<_>>(), [7.0, 7.0]);
    assert_eq!(shares(&quantized), [None, Some(0)]);
}

#[test]
fn what_is_parted_is_said() {
    let (parted, report) = prune(&autoencoder(), &one(Pruning::Weights(0.5))).expect("it can be pruned");
    let notes = texts(&report.notes);
    assert_eq!(shares(&parted), [None, None]);
    assert!(notes[0].contains("were one tensor with those of an earlier layer"), "{notes:?}");
    assert_ne!(parted.layers()[0].weights.name, parted.layers()[1].weights.name, "they cannot have one name");
}

/// The twins with other names for the tensors of the second tower, as files have them that store one buffer for two tensors.
fn with_two_names() -> Network {
    let mut edited = twins().edit();
    edited.layers_mut()[2].weights.name = "other".to_string();
    edited.layers_mut()[3].weights.name = "another".to_string();
    edited.finish().expect("names are free")
}

#[test]
fn one_buffer_under_two_names_stays_one() {
    let network = with_two_names();
    assert_eq!(shares(&network), TWINS);
    assert_eq!(shares(&pruned(&network, Pruning::Weights(0.5))), TWINS);
    assert_eq!(shares(&pruned(&network, Pruning::Filters(FilterAmount::Width(0.5)))), TWINS);
    let (quantized, _) = quantize(&network, &QuantizeOptions::default()).expect("it can be quantized");
    assert_eq!(shares(&quantized), TWINS);
    // Values of a grid, so that their step is found again.
    let mut dequantized = network.edit();
    for layer in dequantized.layers_mut() {
        let spec = *layer.geometry.spec();
        let values: Vec<f32> = (0..spec.filters * layer.geometry.rows()).map(|i| (i * 7 % 23) as f32 - 11.0).collect();
        let name = layer.weights.name.clone();
        layer.weights =
            WeightSource::from_f32(&name, [spec.filters, spec.in_channels, spec.kernel[0], spec.kernel[1]], &values);
    }
    let source = |network: &NetworkBuilder, layer: usize| network.layers()[layer].weights.clone();
    for (layer, first) in [(2, 0), (3, 1)] {
        let name = source(&dequantized, layer).name;
        dequantized.layers_mut()[layer].weights = WeightSource { name, ..source(&dequantized, first) };
    }
    let dequantized = dequantized.finish().expect("shapes stay");
    let (found, report) = find_steps(&dequantized, &FindStepOptions::default()).expect("finite");
    assert!(report.found().count() >= 2, "{report:?}");
    assert_eq!(shares(&found), TWINS);
}
