//! Filters whose channels are coupled, and which are therefore pruned together.

use std::collections::HashMap;

use super::flow::{Flow, Source};
use super::layout::Channel;
use super::weights::Weights;

/// Filters that are pruned together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// The channels of the filters, in the order of layer and filter.
    pub filters: Vec<Channel>,
    /// The set that it belongs to: units of the same layers, so many filters of each.
    pub set: usize,
    /// How many filters of tensors these are: layers with one tensor of weights have the same.
    pub own: usize,
    /// `Σ ‖W_m‖_F²` over those.
    pub norm: f64,
}

/// All units of a network that may be pruned.
#[derive(Debug)]
pub(super) struct Units {
    /// In the order of their first filter.
    pub all: Vec<Unit>,
    /// By layer: the units that feed it; none where something that cannot be pruned feeds it too.
    feeds: Vec<Vec<usize>>,
}

/// Finds the units, with no norms yet.
pub(super) fn units(flow: &mut Flow) -> Units {
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
            units.push(Unit { filters: Vec::new(), set: 0, own: 0, norm: 0.0 });
            units.len() - 1
        });
        units[unit].filters.push(channel);
        let (layer, _) = filter_of(flow, channel);
        units[unit].own += usize::from(flow.first_uses[layer] == layer);
    }
    number_sets(flow, &mut units);
    let feeds = flow.layers.iter().map(|layer| match layer.inputs.iter().any(|&c| pinned[classes[c]]) {
        true => Vec::new(),
        false => layer.inputs.iter().filter_map(|&c| of_class.get(&classes[c]).copied()).collect(),
    });
    Units { feeds: feeds.collect(), all: units }
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
    let Source::Filter { layer, filter } = flow.sources[channel] else {
        unreachable!("units hold channels of filters alone");
    };
    (layer, filter)
}

/// Measures the units on weights as they are.
pub(super) fn measure(flow: &Flow, weights: &[Weights], units: &mut [Unit]) {
    let norms: Vec<Vec<f64>> = weights.iter().map(Weights::norms).collect();
    for unit in units {
        let norm = |&channel: &Channel| {
            let (layer, filter) = filter_of(flow, channel);
            if flow.first_uses[layer] == layer { norms[layer][filter] } else { 0.0 }
        };
        unit.norm = unit.filters.iter().map(norm).sum();
    }
}

/// The units of one set, by norm, the smallest first; equals in the order of their filters. Those that stay come last.
#[derive(Debug)]
pub(super) struct RankedSet {
    pub units: Vec<usize>,
    /// How many of the last ones stay: the strongest unit of the set, and of those that feed a layer.
    pub staying: usize,
}

/// All sets, ranked.
pub(super) fn ranked_sets(units: &Units) -> Vec<RankedSet> {
    let sets = units.all.iter().map(|unit| unit.set + 1).max().unwrap_or(0);
    let mut ranked = vec![Vec::new(); sets];
    units.all.iter().enumerate().for_each(|(i, unit)| ranked[unit.set].push(i));
    let strongest = |group: &Vec<usize>| {
        group.iter().copied().max_by(|&a, &b| units.all[a].norm.total_cmp(&units.all[b].norm).then(a.cmp(&b)))
    };
    let mut stays = vec![false; units.all.len()];
    ranked.iter().chain(&units.feeds).filter_map(strongest).for_each(|unit| stays[unit] = true);
    let rank = |mut set: Vec<usize>| {
        set.sort_by(|&a, &b| stays[a].cmp(&stays[b]).then(units.all[a].norm.total_cmp(&units.all[b].norm)));
        RankedSet { staying: set.iter().filter(|&&unit| stays[unit]).count(), units: set }
    };
    ranked.into_iter().map(rank).collect()
}

impl RankedSet {
    /// The units that may go.
    pub fn candidates(&self) -> &[usize] {
        &self.units[..self.units.len() - self.staying]
    }
}
