//! Do networks out of files keep their outputs when what is dead goes?

mod prune_support;

use compress::{Budget, FilterAmount, PruneOptions, PruneReport, Pruning, Scope, prune};
use network::Network;
use prune_support::*;

const RESNET20: [&str; 2] = ["models/resnet20-cifar10-bn.onnx", "models/resnet20-cifar10.onnx"];

fn filters(amount: FilterAmount) -> PruneOptions {
    PruneOptions { prunings: vec![Pruning::Filters(amount)], ..PruneOptions::default() }
}

fn masks(report: &PruneReport) -> Vec<Vec<usize>> {
    report.layers.iter().map(|layer| layer.dead_channels.clone()).collect()
}

/// Pruned, masked and compact forms give the same.
fn check(network: &Network, options: &PruneOptions) -> PruneReport {
    let (pruned, report) = prune(network, options).expect("it can be pruned");
    let (compact, _) =
        prune(network, &PruneOptions { compact: true, ..options.clone() }).expect("it can be made compact");
    for seed in 0..2 {
        let image = image(network, seed);
        let expected = run_masked(network, &image, &masks(&report));
        let zeroed = run(&pruned, &image);
        assert!(distance(&expected, &zeroed) < 1e-5, "masked {expected:?}, zeroed {zeroed:?}");
        let small = run(&compact, &image);
        assert!(distance(&zeroed, &small) < 1e-5, "zeroed {zeroed:?}, compact {small:?}");
    }
    report
}

#[test]
fn resnet20_in_all_forms() {
    for file in RESNET20 {
        let Some(network) = shared(file) else { return };
        for scope in [Scope::Global, Scope::Layer] {
            for amount in [FilterAmount::Fraction(0.3), FilterAmount::Width(0.5)] {
                let report = check(&network, &PruneOptions { scope, ..filters(amount) });
                println!("{:?}", report.notes);
                for layer in &report.layers {
                    println!(
                        "{} {} {} {}",
                        layer.layer, layer.filters_by_norm, layer.filters_by_output, layer.channels_by_input
                    );
                }
            }
        }
    }
}

#[test]
fn resnet20_has_seventeen_tiny_filters() {
    let Some(network) = shared(RESNET20[0]) else { return };
    let report = check(&network, &PruneOptions { below: Some(0.01), ..PruneOptions::default() });
    assert_eq!(report.layers.iter().map(|layer| layer.filters_below).sum::<usize>(), 17);
}

#[test]
fn budgets_are_met_and_not_overshot() {
    let Some(network) = shared(RESNET20[0]) else { return };
    for budget in [Budget::Macs(20e6), Budget::Parameters(150e3), Budget::EsnA(50e6), Budget::EsnD(40e6)] {
        let options = PruneOptions { bits: Some(4), ..filters(FilterAmount::Budget(budget)) };
        let report = check(&network, &options);
        println!("{budget:?}: {}", report.layers.iter().map(|layer| layer.filters_by_norm).sum::<usize>());
    }
}
