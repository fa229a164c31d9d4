//! Do networks out of files keep their outputs when what is dead goes?

use std::path::PathBuf;

use compress::{Budget, FilterAmount, LayerPruning, PruneOptions, PruneReport, Pruning, Scope, prune};
use formats::ReadOptions;
use network::Network;

use testkit::{check_all, shared_network};

use crate::prune_support::*;

const RESNET20: [&str; 2] = ["models/resnet20-cifar10-bn.onnx", "models/resnet20-cifar10.onnx"];

fn filters(amount: FilterAmount) -> PruneOptions {
    PruneOptions { prunings: vec![Pruning::Filters(amount)], ..PruneOptions::default() }
}

fn masks(report: &PruneReport) -> Vec<Vec<usize>> {
    report.layers.iter().map(|layer| layer.dead_channels.clone()).collect()
}

/// Pruned, masked and compact forms give the same; the report of the compact one.
fn check(network: &Network, options: &PruneOptions) -> PruneReport {
    let (pruned, report) = prune(network, options).expect("it can be pruned");
    let options = PruneOptions { compact: true, ..options.clone() };
    let (compact, small) = prune(network, &options).expect("it can be made compact");
    for seed in 0..2 {
        let image = image(network, seed);
        let expected = run_masked(network, &image, &masks(&report));
        let zeroed = run(&pruned, &image);
        assert!(distance(&expected, &zeroed) < 1e-5, "masked {expected:?}, zeroed {zeroed:?}");
        let short = run(&compact, &image);
        assert!(distance(&zeroed, &short) < 1e-5, "zeroed {zeroed:?}, compact {short:?}");
    }
    small
}

/// Dead filters of all layers, and those of them that left the tensors.
fn dead_and_removed(report: &PruneReport) -> [usize; 2] {
    let sum = |count: fn(&LayerPruning) -> usize| report.layers.iter().map(count).sum();
    [sum(|layer| layer.dead_filters.len()), sum(|layer| layer.filters_removed)]
}

#[test]
fn resnet20_in_all_forms() {
    check_all(RESNET20, |file| {
        let Some(network) = shared_network(file) else { return };
        check_all([Scope::Global, Scope::Layer], |&scope| {
            let report = check(&network, &PruneOptions { scope, ..filters(FilterAmount::Fraction(0.3)) });
            let [dead, removed] = dead_and_removed(&report);
            // Of 688 filters, in groups of up to 10 that need not fit, or to the nearest in each of twelve sets.
            let expected = if scope == Scope::Global { 206 - 9..=206 } else { 206 - 12..=206 + 12 };
            assert!(expected.contains(&dead), "{scope:?}: {dead}");
            assert_eq!(removed, dead, "shortcuts of option A shrink too");
            assert!(report.notes.is_empty(), "{:?}", report.notes);
        });
    });
}

#[test]
fn half_the_width_halves_every_layer_of_resnet20() {
    let Some(network) = shared_network(RESNET20[0]) else { return };
    let report = check(&network, &filters(FilterAmount::Width(0.5)));
    for layer in &report.layers[..19] {
        assert_eq!(layer.filters_removed * 2, layer.filters, "{}", layer.layer);
    }
    let input_channels = report.layers[1..].iter().all(|layer| layer.channels_removed * 2 == layer.channels);
    assert!(input_channels && report.layers[0].channels_removed == 0);
}

#[test]
fn resnet20_has_seventeen_tiny_filters() {
    let Some(network) = shared_network(RESNET20[0]) else { return };
    let report = check(&network, &PruneOptions { below: Some(0.01), ..PruneOptions::default() });
    assert_eq!(report.layers.iter().map(|layer| layer.filters_below).sum::<usize>(), 17);
}

#[test]
fn budgets_are_met_on_resnet20() {
    let Some(network) = shared_network(RESNET20[0]) else { return };
    let cases = [Budget::Macs(20e6), Budget::Parameters(150e3), Budget::EsnA(50e6), Budget::EsnD(40e6)]
        .into_iter()
        .flat_map(|budget| [Scope::Global, Scope::Layer].map(move |scope| (budget, scope)));
    check_all(cases, |&(budget, scope)| {
        let options = PruneOptions { bits: Some(4), scope, ..filters(FilterAmount::Budget(budget)) };
        let [dead, removed] = dead_and_removed(&check(&network, &options));
        assert!(dead > 50 && removed == dead, "{budget:?}: {dead}");
    });
}

#[test]
fn the_digits_network_in_all_forms() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../traces/digits-resnet.onnx");
    let network = formats::read(&file, &ReadOptions::default()).expect("a valid network");
    check_all([FilterAmount::Fraction(0.5), FilterAmount::Width(0.25)], |&amount| {
        let [dead, removed] = dead_and_removed(&check(&network, &filters(amount)));
        assert!(dead > 0 && removed == dead);
    });
}
