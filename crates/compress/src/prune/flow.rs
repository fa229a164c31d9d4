//! The channels of a network: where each comes from, and which must be removed together.

use super::layout::{Channel, Layout};

/// When a function of a channel is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZeroRule {
    /// Always, whatever the channel is. Example: a product with 0.
    Always,
    /// Where the channel is zero. Example: ReLU.
    Keeps,
    /// Never, as far as is known. Example: a sigmoid, for `σ(0)` is ½.
    Never,
}

/// Where a channel comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Nothing that pruning changes: the input of the network, a constant, what a lost track returns.
    Live,
    /// Padding with 0.
    Zero,
    /// A filter of a MAC layer.
    Filter {
        /// The layer.
        layer: usize,
        /// The filter.
        filter: usize,
    },
    /// A function of one channel.
    Map {
        /// The channel.
        of: Channel,
        /// When the result is zero.
        rule: ZeroRule,
        /// Whether the function adds a parameter of this channel (the shift of BatchNorm, a bias) that goes with the
        /// channel.
        clears: bool,
    },
    /// A sum: zero where all of its channels are.
    Sum(Vec<Channel>),
    /// A product: zero where any of its channels is.
    Product(Vec<Channel>),
}

impl Source {
    /// The channels that the source is made from. Those that a filter reads are not among them.
    pub fn channels(&self) -> &[Channel] {
        match self {
            Source::Map { of, .. } => std::slice::from_ref(of),
            Source::Sum(of) | Source::Product(of) => of,
            Source::Live | Source::Zero | Source::Filter { .. } => &[],
        }
    }
}

/// The channels that meet one MAC layer.
#[derive(Clone, Debug, Default)]
pub(super) struct LayerFlow {
    /// The channel that each input channel reads; empty where that is not known.
    pub inputs: Vec<Channel>,
    /// The channel that each filter makes.
    pub filters: Vec<Channel>,
}

/// All channels of a network, each made before it is read, and the layouts of its values.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub sources: Vec<Source>,
    /// By value of the graph; none where channels are not tracked.
    pub layouts: Vec<Option<Layout>>,
    /// By MAC layer.
    pub layers: Vec<LayerFlow>,
    /// By MAC layer, the first one with the same tensor of weights, in whatever arrangement.
    pub tensors: Vec<usize>,
    /// By MAC layer, the first one with the same tensor of weights in the same arrangement.
    pub first_uses: Vec<usize>,
    /// Input channels of different layers that are read with the same weights.
    pub tied_inputs: Vec<[Channel; 2]>,
    /// By channel: somebody outside the tracked part reads it, so that it stays.
    pub pinned: Vec<bool>,
    /// By channel: it can be zeroed but not taken out of the tensors.
    pub fixed: Vec<bool>,
    /// Why channels are pinned: what, and the channels.
    pub lost: Vec<(String, Vec<Channel>)>,
    parents: Vec<Channel>,
}

impl Flow {
    /// A new channel, in the class of those that it is made from.
    pub fn add(&mut self, source: Source) -> Channel {
        let of = source.channels().to_vec();
        let channel = self.add_apart(source);
        of.into_iter().for_each(|other| self.unite(channel, other));
        channel
    }

    /// A new channel, in a class of its own.
    pub fn add_apart(&mut self, source: Source) -> Channel {
        let channel = self.sources.len();
        self.pinned.push(matches!(source, Source::Live));
        self.fixed.push(false);
        self.parents.push(channel);
        self.sources.push(source);
        channel
    }

    /// Says that two channels are pruned together: one index of one tensor stands for both.
    pub fn unite(&mut self, a: Channel, b: Channel) {
        let (a, b) = (self.class(a), self.class(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parents[high] = low;
    }

    /// Says that a layer has the weights of an earlier one. Their filters are pruned together. Their input channels are
    /// not, for a channel that is zero in one of them may be alive in the other; they are taken out together or not at
    /// all.
    pub fn tie(&mut self, layer: usize, first: usize) {
        let (own, other) = (self.layers[layer].clone(), self.layers[first].clone());
        own.filters.iter().zip(other.filters).for_each(|(&a, b)| self.unite(a, b));
        if own.inputs.len() == other.inputs.len() {
            self.tied_inputs.extend(own.inputs.into_iter().zip(other.inputs).map(|(a, b)| [a, b]));
        } else {
            // Those of one of them are not tracked.
            self.fix(&[own.inputs, other.inputs].concat());
        }
    }

    /// The class of a channel: the smallest channel that it is pruned together with.
    pub fn class(&mut self, channel: Channel) -> Channel {
        let mut root = channel;
        while self.parents[root] != root {
            self.parents[root] = self.parents[self.parents[root]];
            root = self.parents[root];
        }
        root
    }

    /// The class of every channel.
    pub fn classes(&mut self) -> Vec<Channel> {
        (0..self.sources.len()).map(|channel| self.class(channel)).collect()
    }

    /// Keeps channels alive that are read where they are not tracked.
    pub fn pin(&mut self, channels: &[Channel], reason: String) {
        channels.iter().for_each(|&channel| self.pinned[channel] = true);
        self.lost.push((reason, channels.to_vec()));
    }

    /// Keeps channels in their tensors.
    pub fn fix(&mut self, channels: &[Channel]) {
        channels.iter().for_each(|&channel| self.fixed[channel] = true);
    }
}
