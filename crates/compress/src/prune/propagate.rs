//! What else dies when filters are pruned.

use network::MacLayer;
use serde::Serialize;

use super::flow::{Flow, Source, ZeroRule};
use super::layout::Channel;
use super::weights::Weights;

/// Why all weights of a filter are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its turn came in the order of signal norm, with all filters that are coupled with it.
    Norm,
    /// Its largest magnitude was below the threshold.
    Below,
    /// Nothing alive reads its channel.
    Output,
    /// Only dead channels feed it. What it adds to its sum, and what a BatchNorm behind it adds, stays: its channel is
    /// a constant.
    Input,
    /// Its weights were pruned one by one, by magnitude or pattern. Its bias and BatchNorm stay.
    Weights,
    /// It was zero in the network as it came. Its bias and BatchNorm stay.
    Before,
}

/// What is zero in a network, beyond its weights as they are.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    /// By layer and filter: filters that are pruned, with their bias and BatchNorm.
    pub filters: Vec<Vec<Option<Why>>>,
    /// By layer and input channel: channels whose weights are pruned because only zero arrives.
    pub channels: Vec<Vec<bool>>,
    /// By channel of the flow: whether the parameter that it adds (a shift of BatchNorm, a bias) is cleared.
    pub cleared: Vec<bool>,
}

/// The state of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not known to be zero.
    Live,
    /// Zero, but what is added to it stays: a filter that came so, one that nobody needs, padding.
    Zero,
    /// Zero because a filter is pruned; what is added to it goes too.
    Pruned,
}

/// A network as pruning sees it: its channels, and which weights are not zero.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub flow: &'a Flow,
    /// By layer: for every filter and channel of its group, whether a weight is not 0.
    pub occupied: Vec<Vec<bool>>,
    /// By layer and filter: whether its bias is 0.
    pub unbiased: &'a [Vec<bool>],
    /// By layer: its name.
    pub names: Vec<String>,
    /// By layer: how often each weight is used for one image.
    pub positions: Vec<u64>,
    /// By layer: channels of a group.
    pub group_channels: Vec<usize>,
    /// By layer: filters of a group.
    pub group_filters: Vec<usize>,
}

impl<'a> Model<'a> {
    pub fn new(flow: &'a Flow, unbiased: &'a [Vec<bool>], layers: &[MacLayer], weights: &[Weights]) -> Self {
        Self {
            flow,
            names: layers.iter().map(|layer| layer.name.clone()).collect(),
            positions: layers.iter().map(|layer| layer.geometry.positions()).collect(),
            occupied: weights.iter().map(Weights::occupied).collect(),
            unbiased,
            group_channels: weights.iter().map(|w| w.shape.channels).collect(),
            group_filters: weights.iter().map(|w| w.shape.filters / w.shape.groups).collect(),
        }
    }

    /// The input channels of the layer, over all groups, that a filter has a weight for that is not zero.
    pub fn reads(&self, dead: &Dead, layer: usize, filter: usize) -> impl Iterator<Item = usize> {
        let width = self.group_channels[layer];
        let first = filter / self.group_filters[layer] * width;
        let row = &self.occupied[layer][filter * width..(filter + 1) * width];
        let channels = &dead.channels[layer][first..first + width];
        let alive = dead.filters[layer][filter].is_none();
        let reads =
            move |(c, (&occupied, &gone)): (usize, (&bool, &bool))| (alive && occupied && !gone).then_some(first + c);
        row.iter().zip(channels).enumerate().filter_map(reads)
    }

    /// Prunes input channels that only zeros arrive at, and filters that nothing alive reads, until nothing changes.
    /// The outputs of the network stay what they are.
    pub fn propagate(&self, dead: &mut Dead) {
        loop {
            let states = self.states(dead);
            let channels = self.kill_channels(dead, &states);
            let needed = self.needed(dead, &states);
            let filters = self.kill_filters(dead, &needed);
            if !channels && !filters {
                self.clear_unneeded(dead, &states, &needed);
                return;
            }
        }
    }

    /// Clears what is added to zero channels that nobody needs.
    fn clear_unneeded(&self, dead: &mut Dead, states: &[State], needed: &[bool]) {
        for (channel, source) in self.flow.sources.iter().enumerate() {
            if let Source::Map { of, clears: true, .. } = source {
                dead.cleared[channel] |= !needed[channel] && states[*of] != State::Live;
            }
        }
    }

    /// The state of every channel, in the order in which they are made. Marks what is cleared on the way.
    fn states(&self, dead: &mut Dead) -> Vec<State> {
        let mut states = Vec::with_capacity(self.flow.sources.len());
        for (channel, source) in self.flow.sources.iter().enumerate() {
            let state = match source {
                Source::Live => State::Live,
                Source::Zero => State::Zero,
                &Source::Filter { layer, filter } => self.filter_state(dead, &states, layer, filter),
                Source::Map { of, clears: true, .. } if states[*of] == State::Pruned => {
                    dead.cleared[channel] = true;
                    State::Pruned
                }
                Source::Map { .. } if dead.cleared[channel] => State::Zero,
                Source::Map { of, rule: ZeroRule::Keeps, .. } => states[*of],
                Source::Map { rule: ZeroRule::Always, .. } => State::Zero,
                Source::Map { .. } => State::Live,
                Source::Sum(of) => sum(of.iter().map(|&c| states[c])),
                Source::Product(of) => product(of.iter().map(|&c| states[c])),
            };
            states.push(state);
        }
        states
    }

    fn filter_state(&self, dead: &Dead, states: &[State], layer: usize, filter: usize) -> State {
        match dead.filters[layer][filter] {
            Some(Why::Output) => return State::Zero,
            Some(_) => return State::Pruned,
            None => {}
        }
        let inputs = &self.flow.layers[layer].inputs;
        let arrives = |c: usize| inputs.get(c).is_none_or(|&channel| states[channel] == State::Live);
        let alive = !self.unbiased[layer][filter] || self.reads(dead, layer, filter).any(arrives);
        if alive { State::Live } else { State::Zero }
    }

    fn kill_channels(&self, dead: &mut Dead, states: &[State]) -> bool {
        let inputs =
            |layer: usize| self.flow.layers[layer].inputs.iter().map(|&channel| states[channel] != State::Live);
        let mut changed = false;
        for (layer, dies) in self.in_all_uses(inputs).into_iter().enumerate() {
            for (gone, dies) in dead.channels[layer].iter_mut().zip(dies) {
                changed |= dies && !*gone;
                *gone |= dies;
            }
        }
        changed
    }

    /// By layer, what holds of each of its channels, and of those of all layers with the same weights: a weight that one
    /// of them needs stays in all of them.
    fn in_all_uses<I: Iterator<Item = bool>>(&self, holds: impl Fn(usize) -> I) -> Vec<Vec<bool>> {
        let layers = 0..self.flow.layers.len();
        let mut all: Vec<Vec<bool>> = layers.clone().map(|layer| holds(layer).collect()).collect();
        for layer in layers.clone() {
            let first = self.flow.first_uses[layer];
            // Where channels are not tracked, all live.
            let own: Vec<bool> = all[layer].clone();
            let own = |channel: usize| own.get(channel).copied().unwrap_or(false);
            all[first].iter_mut().enumerate().for_each(|(channel, of_first)| *of_first &= own(channel));
        }
        layers.map(|layer| all[self.flow.first_uses[layer]].clone()).collect()
    }

    /// Which channels can still change an output, or a value that is not tracked.
    fn needed(&self, dead: &Dead, states: &[State]) -> Vec<bool> {
        let mut needed = self.flow.pinned.clone();
        for (channel, source) in self.flow.sources.iter().enumerate().rev() {
            if !needed[channel] || states[channel] != State::Live {
                continue;
            }
            let &Source::Filter { layer, filter } = source else {
                source.channels().iter().for_each(|&of| needed[of] = true);
                continue;
            };
            let inputs = &self.flow.layers[layer].inputs;
            let read = self.reads(dead, layer, filter).filter_map(|c| inputs.get(c));
            read.for_each(|&channel| needed[channel] = true);
        }
        needed
    }

    fn kill_filters(&self, dead: &mut Dead, needed: &[bool]) -> bool {
        let filters = |layer: usize| self.flow.layers[layer].filters.iter().map(|&channel| !needed[channel]);
        let mut changed = false;
        for (layer, dies) in self.in_all_uses(filters).into_iter().enumerate() {
            for (why, dies) in dead.filters[layer].iter_mut().zip(dies) {
                if dies && why.is_none() {
                    *why = Some(Why::Output);
                    changed = true;
                }
            }
        }
        changed
    }

    /// Channels of which a filter still reads something.
    pub fn read_channels(&self, dead: &Dead) -> Vec<bool> {
        let mut read = vec![false; self.flow.sources.len()];
        for (layer, flow) in self.flow.layers.iter().enumerate().filter(|(_, flow)| !flow.inputs.is_empty()) {
            for filter in 0..flow.filters.len() {
                self.reads(dead, layer, filter).for_each(|c| read[flow.inputs[c]] = true);
            }
        }
        read
    }
}

impl Dead {
    /// Nothing dead yet.
    pub fn new(flow: &Flow, weights: &[Weights]) -> Self {
        Self {
            filters: weights.iter().map(|w| vec![None; w.shape.filters]).collect(),
            channels: weights.iter().map(|w| vec![false; w.shape.channels * w.shape.groups]).collect(),
            cleared: vec![false; flow.sources.len()],
        }
    }

    /// Prunes the filter that a channel comes from, if it comes from one.
    pub fn prune(&mut self, flow: &Flow, channel: Channel, reason: Why) {
        if let Source::Filter { layer, filter } = flow.sources[channel] {
            self.filters[layer][filter].get_or_insert(reason);
        }
    }

    /// Sets the weights of all layers that are dead to 0.
    pub fn apply(&self, weights: &mut [Weights]) {
        weights.iter_mut().enumerate().for_each(|(layer, weights)| self.apply_to(layer, weights));
    }

    /// Sets the weights of a layer that are dead to 0.
    pub fn apply_to(&self, layer: usize, weights: &mut Weights) {
        let (filters, channels) = (&self.filters[layer], &self.channels[layer]);
        let (shape, len) = (weights.shape, weights.shape.filter_len());
        for filter in (0..shape.filters).filter(|&filter| filters[filter].is_some()) {
            weights.zero(filter * len..(filter + 1) * len);
        }
        let per_group = shape.filters / shape.groups;
        for channel in (0..channels.len()).filter(|&channel| channels[channel]) {
            let (group, own) = (channel / shape.channels, channel % shape.channels);
            for filter in group * per_group..(group + 1) * per_group {
                let start = filter * len + own * shape.taps;
                weights.zero(start..start + shape.taps);
            }
        }
    }
}

fn sum(states: impl Iterator<Item = State>) -> State {
    states.fold(State::Zero, |sum, state| match (sum, state) {
        (State::Live, _) | (_, State::Live) => State::Live,
        (State::Pruned, _) | (_, State::Pruned) => State::Pruned,
        _ => State::Zero,
    })
}

fn product(states: impl Iterator<Item = State>) -> State {
    states.fold(State::Live, |product, state| match (product, state) {
        (State::Pruned, _) | (_, State::Pruned) => State::Pruned,
        (State::Zero, _) | (_, State::Zero) => State::Zero,
        _ => State::Live,
    })
}
