//! The product of a plan's lists, counted through without being held.

use compress::{PruneOptions, QuantizeOptions};
use network::Network;

use super::plan::{LayerWidths, PlanFile, PruneEntry, QuantizeEntry};

/// One point of the product.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    /// Place in the list of networks.
    pub network: usize,
    pub prune: Option<PruneOptions>,
    pub quantize: Option<QuantizeOptions>,
    pub reestimate: bool,
}

/// The product of a plan's lists: networks, prunings, quantizations, re-estimation, the last one innermost.
#[derive(Debug)]
pub(super) struct Product {
    prune: Vec<PruneEntry>,
    quantize: Vec<QuantizeEntry>,
    reestimate: Vec<bool>,
    networks: Vec<OfNetwork>,
}

/// The part of one network.
#[derive(Debug)]
struct OfNetwork {
    /// Of each entry of quantization, the layers with lists of their own.
    layers: Vec<Vec<LayerWidths>>,
    prune: Choices,
    quantize: Choices,
    len: u128,
}

/// Entries with lists: each entry is the product of its lists, and its alternatives follow those of the entry before.
#[derive(Debug)]
pub(super) struct Choices {
    axes: Vec<Vec<usize>>,
    counts: Vec<u128>,
}

impl Choices {
    /// `None` where they are too many to count.
    fn new(axes: Vec<Vec<usize>>) -> Option<Self> {
        let count = |axes: &Vec<usize>| axes.iter().try_fold(1u128, |count, &len| count.checked_mul(len as u128));
        let counts: Vec<u128> = axes.iter().map(count).collect::<Option<_>>()?;
        counts.iter().try_fold(0u128, |sum, &count| sum.checked_add(count))?;
        Some(Self { axes, counts })
    }

    /// One alternative where there is no entry.
    fn len(&self) -> u128 {
        self.counts.iter().sum::<u128>().max(1)
    }

    /// Entry and places of an alternative.
    fn places(&self, mut index: u128) -> Option<(usize, Vec<usize>)> {
        for (entry, &count) in self.counts.iter().enumerate() {
            if index < count {
                return Some((entry, digits(index, &self.axes[entry])));
            }
            index -= count;
        }
        None
    }

    /// The lists of an entry, the outermost first; there is none without entries.
    pub fn axes(&self, entry: usize) -> &[usize] {
        self.axes.get(entry).map_or(&[], Vec::as_slice)
    }

    /// How many entries there are, at least one.
    pub fn entries(&self) -> usize {
        self.axes.len().max(1)
    }

    /// How many alternatives stand before those of an entry.
    pub fn before(&self, entry: usize) -> u128 {
        self.counts[..entry.min(self.counts.len())].iter().sum()
    }
}

/// A number in digits of these ranges, the first one the most significant.
fn digits(mut index: u128, axes: &[usize]) -> Vec<usize> {
    let mut places = vec![0; axes.len()];
    for (place, &len) in places.iter_mut().zip(axes).rev() {
        *place = (index % len as u128) as usize;
        index /= len as u128;
    }
    places
}

impl Product {
    /// The product of a plan over these networks; empty where a plan has nothing but points of their own.
    ///
    /// # Errors
    ///
    /// What is wrong with widths of layers; more points than 128 bits count.
    pub fn new<'n>(file: &PlanFile, networks: impl Iterator<Item = &'n Network>) -> Result<Self, String> {
        // Points of their own without the lists of the product are all that is wanted.
        let is_empty = !file.point.is_empty() && file.prune.is_empty() && file.quantize.is_empty();
        let too_many = || "the product has over 2^128 points".to_string();
        let of_network = |network: &Network| {
            let layers: Vec<Vec<LayerWidths>> =
                file.quantize.iter().map(|entry| entry.widths_of(network)).collect::<Result<_, _>>()?;
            let prune = Choices::new(file.prune.iter().map(PruneEntry::axes).collect()).ok_or_else(too_many)?;
            let axes = file.quantize.iter().zip(&layers).map(|(entry, layers)| entry.axes(layers)).collect();
            let quantize = Choices::new(axes).ok_or_else(too_many)?;
            let ways = prune.len().checked_mul(quantize.len());
            let len = ways.and_then(|ways| ways.checked_mul(file.reestimate.len() as u128)).ok_or_else(too_many)?;
            Ok::<_, String>(OfNetwork { layers, prune, quantize, len })
        };
        let networks: Vec<OfNetwork> = networks.filter(|_| !is_empty).map(of_network).collect::<Result<_, _>>()?;
        networks.iter().try_fold(0u128, |sum, network| sum.checked_add(network.len)).ok_or_else(too_many)?;
        Ok(Self {
            prune: file.prune.clone(),
            quantize: file.quantize.clone(),
            reestimate: file.reestimate.clone(),
            networks,
        })
    }

    /// How many points there are, some perhaps twice.
    pub fn len(&self) -> u128 {
        self.networks.iter().map(|network| network.len).sum()
    }

    /// How many networks there are.
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// The lists of prunings and of quantizations of a network.
    pub fn choices(&self, network: usize) -> [&Choices; 2] {
        [&self.networks[network].prune, &self.networks[network].quantize]
    }

    /// How many ways of re-estimation there are.
    pub fn reestimations(&self) -> usize {
        self.reestimate.len()
    }

    /// The number of a point.
    pub fn index(&self, network: usize, prune: u128, quantize: u128, reestimate: usize) -> u128 {
        let before: u128 = self.networks[..network].iter().map(|network| network.len).sum();
        let way = prune * self.networks[network].quantize.len() + quantize;
        before + way * self.reestimate.len() as u128 + reestimate as u128
    }

    /// A point by its number, below [`Product::len`].
    pub fn way(&self, mut index: u128) -> Way {
        let mut network = 0;
        while index >= self.networks[network].len {
            index -= self.networks[network].len;
            network += 1;
        }
        let of = &self.networks[network];
        let reestimations = self.reestimate.len() as u128;
        let (way, reestimate) = (index / reestimations, self.reestimate[(index % reestimations) as usize]);
        let (prune, quantize) = (way / of.quantize.len(), way % of.quantize.len());
        let prune = of.prune.places(prune).and_then(|(entry, places)| self.prune[entry].at(&places));
        let quantize = of.quantize.places(quantize);
        let quantize = quantize.map(|(entry, places)| self.quantize[entry].at(&of.layers[entry], &places));
        Way { network, prune, quantize, reestimate }
    }
}
