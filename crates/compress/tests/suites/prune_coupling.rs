//! Are coupled channels found, pruned together, and taken out, in networks whose answers are known?

use compress::{Budget, DeadFilter, FilterAmount, PruneOptions, PruneReport, Pruning, Scope, Why, prune};
use network::{Binary, DataType, Network, NodeId, NoteKind, Op, PadMode, Reduction, Tensor, Unary};

use testkit::{Net, check_all, real_weights, texts};

use crate::prune_support::*;

fn half() -> PruneOptions {
    let prunings = vec![Pruning::Filters(FilterAmount::Width(0.5))];
    PruneOptions { prunings, ..PruneOptions::default() }
}

fn below(fraction: f64) -> PruneOptions {
    PruneOptions { below: Some(fraction), ..PruneOptions::default() }
}

/// The filters of a layer that died for a reason.
fn dead(report: &PruneReport, layer: usize, why: Why) -> Vec<usize> {
    let filters = report.layers[layer].dead_filters.iter();
    filters.filter(|dead| dead.why == why).map(|dead| dead.filter).collect()
}

/// Filters and input channels of every layer.
fn sizes(network: &Network) -> Vec<[usize; 2]> {
    let size = |layer: &network::MacLayer| [layer.geometry.spec().filters, layer.geometry.spec().in_channels];
    network.layers().iter().map(size).collect()
}

/// Filters by ascending norm.
fn ranking(network: &Network, layer: usize) -> Vec<usize> {
    let rows = network.layers()[layer].geometry.rows();
    let norms: Vec<f64> =
        real_weights(network, layer).chunks(rows).map(|f| f.iter().map(|&w| f64::from(w).powi(2)).sum()).collect();
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|&a, &b| norms[a].total_cmp(&norms[b]));
    order
}

fn sorted(mut filters: Vec<usize>) -> Vec<usize> {
    filters.sort_unstable();
    filters
}

#[test]
fn a_chain_loses_its_smallest_filters_and_what_reads_them() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 6, 1);
    let b = net.conv_bn_relu(a, 4, 1);
    let network = net.classify(b);
    let (report, compact) = check(&network, &half());
    let smallest = sorted(ranking(&network, 0)[..3].to_vec());
    assert_eq!(dead(&report, 0, Why::Norm), smallest);
    assert_eq!(report.layers[1].dead_channels, smallest);
    assert_eq!(report.layers[2].filters_by_norm, 0, "classes stay");
    assert_eq!(sizes(&compact), [[3, 2], [2, 3], [3, 2]]);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn a_residual_addition_couples_all_that_it_adds() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let stem = net.conv_bn_relu(x, 4, 1);
    let a = net.conv_bn_relu(stem, 6, 1);
    let b = net.conv(a, 4, 1);
    let b = net.batch_norm(b);
    let sum = net.same(Op::Binary(Binary::Add), &[stem, b]);
    let y = net.relu(sum);
    let (report, compact) = check(&net.classify(y), &half());
    assert_eq!(dead(&report, 0, Why::Norm), dead(&report, 2, Why::Norm));
    assert_eq!(sizes(&compact), [[2, 2], [3, 2], [2, 3], [3, 2]]);
}

#[test]
fn depthwise_filters_go_with_their_channel() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 6, 1);
    let b = net.conv_bn_relu(a, 6, 6);
    let c = net.conv_bn_relu(b, 4, 1);
    let (report, compact) = check(&net.classify(c), &half());
    assert_eq!(dead(&report, 0, Why::Norm), dead(&report, 1, Why::Norm));
    assert_eq!(sizes(&compact), [[3, 2], [3, 3], [2, 3], [3, 2]]);
    assert_eq!(compact.layers()[1].geometry.spec().groups, 3);
}

#[test]
fn groups_go_whole() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 8, 1);
    let b = net.conv_bn_relu(a, 12, 4);
    let c = net.conv_bn_relu(b, 4, 1);
    let (report, compact) = check(&net.classify(c), &half());
    let groups: Vec<usize> = dead(&report, 0, Why::Norm).iter().step_by(2).map(|filter| filter / 2).collect();
    let filters: Vec<usize> = groups.iter().flat_map(|g| 3 * g..3 * g + 3).collect();
    assert_eq!(dead(&report, 1, Why::Norm), filters);
    assert_eq!(sizes(&compact), [[4, 2], [6, 4], [2, 6], [3, 2]]);
    assert_eq!(compact.layers()[1].geometry.spec().groups, 2);
}

#[test]
fn what_is_asked_for_and_what_is_done_are_both_told() {
    let (mut net, x) = Net::new(&[1, 3, 5, 5]);
    // Four groups of two filters here and three there, of which one stays.
    let a = net.conv(x, 8, 1);
    let b = net.conv(a, 12, 4);
    let network = net.classify(b);
    let together = "coupled filters go together";
    let rounded = "the share of each layer is rounded";
    let cases = [
        (FilterAmount::Fraction(0.2), Scope::Global, (Some(4), 0), Some(together)),
        (FilterAmount::Fraction(0.25), Scope::Global, (Some(5), 5), None),
        (FilterAmount::Fraction(0.4), Scope::Global, (Some(8), 5), Some(together)),
        (
            FilterAmount::Fraction(0.9),
            Scope::Global,
            (Some(18), 15),
            Some("the strongest channel of every layer stays"),
        ),
        (FilterAmount::Fraction(0.1), Scope::Layer, (Some(2), 0), Some(rounded)),
        (FilterAmount::Fraction(0.2), Scope::Layer, (Some(4), 5), None),
        (FilterAmount::Width(0.9), Scope::Global, (Some(2), 0), Some(rounded)),
        (FilterAmount::Budget(Budget::Parameters(300.0)), Scope::Global, (None, 10), None),
    ];
    check_all(cases, |&(amount, scope, (asked, done), why)| {
        let options = PruneOptions { prunings: vec![Pruning::Filters(amount)], scope, ..PruneOptions::default() };
        let report = prune(&network, &options).expect("it can be pruned").1;
        let [outcome] = &report.prunings[..] else { panic!("one pruning was asked for") };
        assert_eq!((outcome.of, outcome.asked, outcome.done), (20, asked, done));
        assert_eq!(outcome.done as usize, report.layers.iter().map(|layer| layer.filters_by_norm).sum::<usize>());
        let because = outcome.short_because.as_deref();
        assert!(because.is_some() == why.is_some() && because.unwrap_or_default().starts_with(why.unwrap_or_default()));
        assert_eq!(report.notes.iter().any(|note| note.kind() == NoteKind::OffTarget), why.is_some());
    });
}

#[test]
fn each_layer_is_asked_for_its_own_share() {
    // Three layers of three filters, apart or added up: each loses 3 − 2 filters.
    check_all([false, true], |&coupled| {
        let (mut net, x) = Net::new(&[1, 2, 5, 5]);
        let a = net.conv(x, 3, 1);
        let b = net.conv(a, 3, 1);
        let c = net.conv(b, 3, 1);
        let mut add = |a, b| if coupled { net.same(Op::Binary(Binary::Add), &[a, b]) } else { b };
        let ab = add(a, b);
        let y = add(ab, c);
        for (amount, scope) in [(FilterAmount::Width(0.5), Scope::Global), (FilterAmount::Fraction(0.4), Scope::Layer)]
        {
            let options = PruneOptions { prunings: vec![Pruning::Filters(amount)], scope, ..PruneOptions::default() };
            let report = prune(&net.clone().classify(y), &options).expect("it can be pruned").1;
            let outcome = &report.prunings[0];
            assert_eq!((outcome.of, outcome.asked, outcome.done), (9, Some(3), 3), "{amount:?}");
            assert_eq!(outcome.short_because, None);
        }
    });
}

#[test]
fn a_network_without_a_filter_to_prune_says_so() {
    let (net, x) = Net::new(&[1, 3, 5, 5]);
    let report = prune(&net.classify(x), &half()).expect("nothing happens").1;
    assert_eq!((report.prunings[0].of, report.prunings[0].asked), (0, Some(0)));
    assert!(texts(&report.notes)[0].starts_with("no filter can be pruned"), "{:?}", texts(&report.notes));
}

#[test]
fn concatenated_channels_are_found_behind_their_offset() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 4, 1);
    let b = net.conv_bn_relu(x, 6, 1);
    let joined = net.concat(&[a, b], 1);
    // As in DenseNet, BatchNorm reads the concatenation.
    let normalized = net.batch_norm(joined);
    let c = net.conv_bn_relu(normalized, 4, 1);
    let (report, compact) = check(&net.classify(c), &half());
    let expected =
        dead(&report, 0, Why::Norm).into_iter().chain(dead(&report, 1, Why::Norm).into_iter().map(|f| f + 4));
    assert_eq!(report.layers[2].dead_channels, expected.collect::<Vec<_>>());
    assert_eq!(sizes(&compact), [[2, 2], [3, 2], [2, 5], [3, 2]]);
}

#[test]
fn an_option_a_shortcut_shifts_channels() {
    let (mut net, x) = Net::new(&[1, 2, 6, 6]);
    let a = net.conv_bn_relu(x, 4, 1);
    let starts = Op::Slice { starts: vec![0, 0], ends: vec![6, 6], axes: vec![2, 3], steps: vec![1, 1] };
    let sliced = net.same(starts, &[a]);
    let pad = Op::Pad { pads: vec![0, 2, 0, 0, 0, 2, 0, 0], mode: PadMode::Constant, value: 0.0 };
    let padded = net.node(pad, &[sliced], &[1, 8, 6, 6]);
    let b = net.conv(a, 8, 1);
    let b = net.batch_norm(b);
    let sum = net.same(Op::Binary(Binary::Add), &[padded, b]);
    let c = net.conv_bn_relu(sum, 4, 1);
    let (report, compact) = check(&net.classify(c), &half());
    let (first, second) = (dead(&report, 0, Why::Norm), dead(&report, 1, Why::Norm));
    assert_eq!(
        first.iter().map(|f| f + 2).collect::<Vec<_>>(),
        second.iter().copied().filter(|f| (2..6).contains(f)).collect::<Vec<_>>()
    );
    assert_eq!(sizes(&compact), [[2, 2], [4, 2], [2, 4], [3, 2]]);
    let pads = compact.graph().nodes().iter().find_map(|node| match &node.op {
        Op::Pad { pads, .. } => Some(pads.clone()),
        _ => None,
    });
    let outer = second.iter().filter(|&&f| f < 2).count() as i64;
    assert_eq!(pads.expect("the Pad is there"), [0, 2 - outer, 0, 0, 0, outer, 0, 0]);
}

#[test]
fn a_flattened_map_is_pruned_in_blocks() {
    let (mut net, x) = Net::new(&[1, 2, 3, 3]);
    let a = net.conv_bn_relu(x, 4, 1);
    let flat = net.flatten(a);
    let b = net.dense(flat, 6);
    let b = net.relu(b);
    let y = net.dense(b, 3);
    let (report, compact) = check(&net.finish(y), &half());
    let blocks = dead(&report, 0, Why::Norm).into_iter().flat_map(|f| 9 * f..9 * f + 9);
    assert_eq!(report.layers[1].dead_channels, blocks.collect::<Vec<_>>());
    assert_eq!(sizes(&compact), [[2, 2], [3, 18], [3, 3]]);
}

#[test]
fn a_gate_goes_with_what_it_multiplies() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 6, 1);
    let pooled = net.pool(a);
    let squeezed = net.conv(pooled, 4, 1);
    let squeezed = net.relu(squeezed);
    let gate = net.conv(squeezed, 6, 1);
    let gate = net.same(Op::Unary(Unary::Sigmoid), &[gate]);
    let gated = net.same(Op::Binary(Binary::Mul), &[a, gate]);
    let b = net.conv_bn_relu(gated, 4, 1);
    let (report, compact) = check(&net.classify(b), &half());
    assert_eq!(dead(&report, 0, Why::Norm), dead(&report, 2, Why::Norm));
    assert_eq!(sizes(&compact), [[3, 2], [2, 3], [3, 2], [2, 3], [3, 2]]);
}

#[test]
fn a_shuffle_permutes_channels() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv_bn_relu(x, 6, 1);
    let split = net.node(Op::Reshape, &[a], &[1, 2, 3, 4, 4]);
    let turned = net.node(Op::Transpose { perm: vec![0, 2, 1, 3, 4] }, &[split], &[1, 3, 2, 4, 4]);
    let shuffled = net.node(Op::Reshape, &[turned], &[1, 6, 4, 4]);
    let b = net.conv_bn_relu(shuffled, 4, 1);
    let network = net.classify(b);
    let (report, compact) = check(&network, &half());
    let gone = dead(&report, 0, Why::Norm);
    assert_eq!(report.layers[1].dead_channels, sorted(gone.iter().map(|f| f % 3 * 2 + f / 3).collect()));
    // Only rows and columns of the 2 × 3 grid that die whole can leave it.
    let rows = (0..2).filter(|i| (0..3).any(|j| !gone.contains(&(3 * i + j)))).count();
    let columns = (0..3).filter(|j| (0..2).any(|i| !gone.contains(&(3 * i + j)))).count();
    assert_eq!(sizes(&compact)[0], [rows * columns, 2]);
}

#[test]
fn split_channels_are_found_in_their_half() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv_bn_relu(x, 6, 1);
    let first = net.node(Op::Split { axis: 1 }, &[a], &[1, 3, 4, 4]);
    let second = net.value("half", &[1, 3, 4, 4]);
    let split = NodeId(net.network.nodes().len() - 1);
    net.network.node_mut(split).outputs.push(second);
    let b = net.conv_bn_relu(second, 4, 1);
    let joined = net.concat(&[first, b], 1);
    let slice = Op::Slice { starts: vec![1], ends: vec![6], axes: vec![1], steps: vec![1] };
    let part = net.node(slice, &[joined], &[1, 5, 4, 4]);
    let c = net.conv_bn_relu(part, 4, 1);
    let (report, compact) = check(&net.classify(c), &half());
    let gone = dead(&report, 0, Why::Norm);
    assert_eq!(report.layers[1].dead_channels, gone.iter().filter(|&&f| f > 2).map(|f| f - 3).collect::<Vec<_>>());
    let halves = gone.iter().filter(|&&f| f < 3).count();
    assert!(sizes(&compact)[1][1] == 3 - (gone.len() - halves), "{:?}", sizes(&compact));
}

#[test]
fn parameters_by_channel_follow() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv(x, 6, 1);
    let (factor, offset) = (net.random(6), net.random(6));
    let (factor, offset) = (net.constant(&[6, 1, 1], &factor), net.constant(&[1, 6, 1, 1], &offset));
    let scaled = net.same(Op::Binary(Binary::Mul), &[a, factor]);
    let shifted = net.same(Op::Binary(Binary::Add), &[scaled, offset]);
    let slope = net.random(6);
    let slope = net.constant(&[6, 1, 1], &slope);
    let sloped = net.same(Op::Binary(Binary::PRelu), &[shifted, slope]);
    // Hard swish, spelled out: a constant for all channels keeps them coupled and changes nothing in the end.
    let (three, six) = (net.constant(&[], &[3.0]), net.constant(&[], &[6.0]));
    let moved = net.same(Op::Binary(Binary::Add), &[sloped, three]);
    let clipped = net.same(Op::Unary(Unary::Clip { min: 0.0, max: 6.0 }), &[moved]);
    let product = net.same(Op::Binary(Binary::Mul), &[sloped, clipped]);
    let swished = net.same(Op::Binary(Binary::Div), &[product, six]);
    let b = net.conv_bn_relu(swished, 4, 1);
    let (report, compact) = check(&net.classify(b), &half());
    assert_eq!(report.layers[1].dead_channels, dead(&report, 0, Why::Norm));
    assert_eq!(sizes(&compact), [[3, 2], [2, 3], [3, 2]]);
}

#[test]
fn quantized_activations_keep_their_channels() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv_bn_relu(x, 6, 1);
    let scales = net.constant(&[6], &[0.01, 0.02, 0.03, 0.04, 0.05, 0.06]);
    let zero = net.constant(&[6], &[0.0; 6]);
    net.network.set_constant(zero, Tensor::from_i8(vec![6], &[-100, -90, -80, -70, -60, -50]));
    let codes = net.same(Op::QuantizeLinear { axis: 1 }, &[a, scales, zero]);
    net.network.value_mut(codes).data_type = Some(DataType::I8);
    let real = net.same(Op::DequantizeLinear { axis: 1 }, &[codes, scales, zero]);
    let b = net.conv_bn_relu(real, 4, 1);
    let (report, compact) = check(&net.classify(b), &half());
    assert_eq!(report.layers[1].dead_channels, dead(&report, 0, Why::Norm));
    assert_eq!(sizes(&compact), [[3, 2], [2, 3], [3, 2]]);
}

#[test]
fn gathered_channels_are_zeroed_in_place() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv_bn_relu(x, 4, 1);
    let indices = net.constant(&[3], &[0.0; 3]);
    net.network.set_constant(indices, Tensor::from_i64(vec![3], &[3, -4, 1]));
    let gathered = net.node(Op::Gather { axis: 1 }, &[a, indices], &[1, 3, 4, 4]);
    let b = net.conv_bn_relu(gathered, 4, 1);
    let (report, compact) = check(&net.classify(b), &half());
    let read = [3, 0, 1].map(|filter| report.layers[0].dead_filters.iter().any(|dead| dead.filter == filter));
    assert_eq!(report.layers[1].dead_channels, (0..3).filter(|&c| read[c]).collect::<Vec<_>>());
    assert_eq!(sizes(&compact)[0], [4, 2]);
}

#[test]
fn constants_that_nodes_share_are_copied() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let ones = net.constant(&[4], &[1.0; 4]);
    let halves = net.constant(&[4], &[0.5; 4]);
    let mut y = x;
    for _ in 0..3 {
        y = net.conv(y, 4, 1);
        y = net.same(Op::BatchNormalization { epsilon: 1e-5 }, &[y, ones, halves, halves, ones]);
    }
    let network = net.classify(y);
    let (_, compact) = check(&network, &half());
    assert_eq!(sizes(&compact), [[2, 2], [2, 2], [2, 2], [3, 2]]);
    let mut names: Vec<&str> = compact.graph().values().iter().map(|value| value.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), compact.graph().values().len());
}

#[test]
fn where_channels_are_mixed_they_stay() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv_bn_relu(x, 4, 1);
    let b = net.conv(a, 4, 1);
    let mixed = net.same(Op::Softmax { axis: 1 }, &[b]);
    let c = net.conv_bn_relu(mixed, 4, 1);
    let network = net.classify(c);
    let (report, compact) = check(&network, &half());
    assert_eq!(sizes(&compact), [[2, 2], [4, 2], [2, 4], [3, 2]]);
    assert_eq!(texts(&report.notes), ["Softmax node4: channels are not tracked through it; 4 filters are not pruned"]);
    // Single weights go wherever they are, and nothing is said of filters.
    let weights = PruneOptions { prunings: vec![Pruning::Weights(0.5)], ..PruneOptions::default() };
    assert!(prune(&network, &weights).unwrap().1.notes.is_empty());
}

#[test]
fn tokens_and_attention_are_left_alone() {
    let (mut net, x) = Net::new(&[1, 2, 4, 4]);
    let a = net.conv(x, 4, 1);
    let flat = net.node(Op::Reshape, &[a], &[1, 4, 16]);
    let tokens = net.node(Op::Transpose { perm: vec![0, 2, 1] }, &[flat], &[1, 16, 4]);
    let hidden = net.dense(tokens, 6);
    let hidden = net.same(Op::Unary(Unary::Gelu { approximate: false }), &[hidden]);
    let back = net.dense(hidden, 4);
    let sum = net.same(Op::Binary(Binary::Add), &[tokens, back]);
    let keys = net.node(Op::Transpose { perm: vec![0, 2, 1] }, &[sum], &[1, 4, 16]);
    let scores = net.node(Op::MatMul, &[sum, keys], &[1, 16, 16]);
    let mean =
        net.node(Op::Reduce { reduction: Reduction::Mean, axes: vec![1], keep_dims: false }, &[scores], &[1, 16]);
    let y = net.dense(mean, 3);
    let (report, compact) = check(&net.finish(y), &half());
    // The hidden layer between two products is tracked, attention is not.
    assert_eq!(sizes(&compact), [[4, 2], [3, 4], [4, 3], [3, 16]]);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
}

/// Nine small weights a filter, but those of filter 1 are a thousandth.
fn tiny_filter(net: &mut Net, filters: usize, channels: usize) -> Vec<f32> {
    let mut weights = net.random(filters * channels * 9);
    weights[channels * 9..2 * channels * 9].iter_mut().for_each(|w| *w *= 1e-3);
    weights
}

/// Two branches that are added, the first with a tiny filter; `mask` multiplies what its BatchNorm returns.
fn two_branches(mask: [f32; 4]) -> Network {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let weights = tiny_filter(&mut net, 4, 2);
    let a = net.conv_with(x, 4, 1, &weights);
    let a = net.batch_norm(a);
    let mask = net.constant(&[4, 1, 1], &mask);
    let a = net.same(Op::Binary(Binary::Mul), &[a, mask]);
    let b = net.conv_bn_relu(x, 4, 1);
    let sum = net.same(Op::Binary(Binary::Add), &[a, b]);
    let c = net.conv_bn_relu(sum, 4, 1);
    net.classify(c)
}

#[test]
fn a_channel_that_an_addition_feeds_from_elsewhere_stays() {
    let options = PruneOptions { compact: true, ..below(0.01) };
    let (network, masked) = (two_branches([1.0; 4]), two_branches([1.0, 0.0, 1.0, 1.0]));
    let (compact, report) = prune(&network, &options).expect("pruned");
    assert_eq!(report.layers[0].dead_filters, [DeadFilter { filter: 1, why: Why::Below }]);
    assert!(report.layers[2].dead_channels.is_empty());
    assert_eq!(sizes(&compact)[0], [4, 2]);
    assert!(report.notes[0].text().starts_with("1 dead filters stay"), "{:?}", report.notes);
    let image = image(&network, 0);
    assert!(distance(&run(&masked, &image), &run(&compact, &image)) < 1e-5);
}

#[test]
fn what_a_batch_norm_adds_behind_a_starved_filter_stays() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let weights = tiny_filter(&mut net, 4, 2);
    let a = net.conv_with(x, 4, 1, &weights);
    let a = net.batch_norm(a);
    let b = net.conv_bn_relu(a, 4, 4);
    let c = net.conv_bn_relu(b, 4, 1);
    let (report, _) = check(&net.classify(c), &below(0.01));
    assert_eq!(report.layers[0].dead_filters, [DeadFilter { filter: 1, why: Why::Below }]);
    assert_eq!(report.layers[1].dead_filters, [DeadFilter { filter: 1, why: Why::Input }]);
    assert!(report.layers[2].dead_channels.is_empty(), "a constant is no zero");
}

#[test]
fn what_nobody_reads_dies_too() {
    let (mut net, x) = Net::new(&[1, 2, 5, 5]);
    let a = net.conv_bn_relu(x, 4, 1);
    let weights = tiny_filter(&mut net, 4, 1);
    let b = net.conv_with(a, 4, 4, &weights);
    let b = net.batch_norm(b);
    let b = net.relu(b);
    let c = net.conv_bn_relu(b, 4, 1);
    let (report, compact) = check(&net.classify(c), &below(0.01));
    assert_eq!(report.layers[0].dead_filters, [DeadFilter { filter: 1, why: Why::Output }]);
    assert_eq!(report.layers[1].dead_filters, [DeadFilter { filter: 1, why: Why::Below }]);
    assert_eq!(report.layers[2].dead_channels, [1]);
    assert_eq!(sizes(&compact), [[3, 2], [3, 3], [4, 3], [3, 4]]);
}
