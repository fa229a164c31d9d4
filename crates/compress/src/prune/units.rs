//! What is pruned in one piece: filters whose channels are coupled.

use std::collections::HashMap;

use super::flow::{Flow, Source};
use super::layout::Channel;
use super::weights::Weights;

/// Filters that go together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// The channels of the filters, in the order of layer and filter.
    pub filters: Vec<Channel>,
    /// The set that it belongs to: units of the same layers, so many filters of each.
    pub set: usize,
    /// `Σ ‖W_m‖_F²` over the filters.
    pub norm: f64,
}

/// All units of a network that may be pruned, in the order of their first filter, with no norms yet.
pub(super) fn units(flow: &mut Flow) -> Vec<Unit> {
    let classes = flow.classes();
    let mut pinned = vec![false; classes.len()];
    classes.iter().zip(&flow.pinned).for_each(|(&class, &pin)| pinned[class] |= pin);
    let mut units: Vec<Unit> = Vec::new();
    let mut of_class = HashMap::new();
    for &channel in flow.layers.iter().flat_map(|layer| &layer.filters) {
        let class = classes[channel];
        if pinned[class] {
            continue;
        }
        let unit = *of_class.entry(class).or_insert_with(|| {
            units.push(Unit { filters: Vec::new(), set: 0, norm: 0.0 });
            units.len() - 1
        });
        units[unit].filters.push(channel);
    }
    number_sets(flow, &mut units);
    units
}

fn number_sets(flow: &Flow, units: &mut [Unit]) {
    let mut sets = HashMap::new();
    for unit in units {
        let layers: Vec<usize> = unit.filters.iter().map(|&channel| filter_of(flow, channel).0).collect();
        let next = sets.len();
        unit.set = *sets.entry(layers).or_insert(next);
    }
}

/// Layer and filter that a channel comes from.
pub(super) fn filter_of(flow: &Flow, channel: Channel) -> (usize, usize) {
    match flow.sources[channel] {
        Source::Filter { layer, filter } => (layer, filter),
        _ => unreachable!("units hold channels of filters alone"),
    }
}

/// Measures the units on weights as they are.
pub(super) fn measure(flow: &Flow, weights: &[Weights], units: &mut [Unit]) {
    let norms: Vec<Vec<f64>> = weights.iter().map(Weights::norms).collect();
    for unit in units {
        let norm = |&channel: &Channel| {
            let (layer, filter) = filter_of(flow, channel);
            norms[layer][filter]
        };
        unit.norm = unit.filters.iter().map(norm).sum();
    }
}

/// The units of each set, by norm, the smallest first; equals in the order of their filters.
pub(super) fn ranked_sets(units: &[Unit]) -> Vec<Vec<usize>> {
    let sets = units.iter().map(|unit| unit.set + 1).max().unwrap_or(0);
    let mut ranked = vec![Vec::new(); sets];
    units.iter().enumerate().for_each(|(i, unit)| ranked[unit.set].push(i));
    for set in &mut ranked {
        set.sort_by(|&a, &b| units[a].norm.total_cmp(&units[b].norm));
    }
    ranked
}
