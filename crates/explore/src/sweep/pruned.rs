//! Pruned networks that points share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use compress::{PruneOptions, PruneReport};
use network::Network;

use super::inputs::{Point, SharedNetwork};
use super::ledger::LayersOfNetwork;
use crate::error::ExploreError;

/// At most so many are kept, however small they are: each has a graph of its own.
const MOST: usize = 16;

/// Weights in double precision, three times: in order, those of layers, and those of filters. Codes of 32 bits, twice: those of layers,
/// and those of filters.
const SHARED_BYTES_A_WEIGHT: u64 = 24 + 8;

/// A pruned network and what was pruned, where something was, or why there is none.
type Made = Result<(Network, Option<PruneReport>), Arc<ExploreError>>;

/// A pruned network.
pub(super) struct PrunedNetwork {
    network: Arc<SharedNetwork>,
    pub options: Option<PruneOptions>,
    /// Made by whoever needs it first.
    pub made: OnceLock<Made>,
    /// Its layers one by one, for points that ask for costs alone.
    pub layers: OnceLock<LayersOfNetwork>,
}

impl PrunedNetwork {
    fn is_of(&self, point: &Point) -> bool {
        Arc::ptr_eq(&self.network, &point.network) && self.options == point.configuration.prune
    }

    /// What it takes beside the network that it is made of: weights of its own, where something is pruned, and what ways to
    /// quantize them share, where somebody asked for that.
    fn bytes(&self) -> u64 {
        let own = if self.options.is_some() { 4 } else { 0 };
        let shared = if self.layers.get().is_some() { SHARED_BYTES_A_WEIGHT } else { 0 };
        (own + shared) * self.network.weights()
    }
}

/// The pruned networks that were asked for last, as many as there is room for, and always the very last. Points follow one
/// another by pruning, so that few are needed at a time.
pub(super) struct PrunedNetworks {
    room: u64,
    /// The last one that was asked for comes first.
    kept: Mutex<VecDeque<Arc<PrunedNetwork>>>,
}

impl PrunedNetworks {
    /// Keeps roughly so many bytes.
    pub fn new(room: u64) -> Self {
        Self { room, kept: Mutex::default() }
    }

    /// The pruned network of a point, which others may have made. It lives as long as somebody holds it.
    pub fn of(&self, point: &Point) -> Arc<PrunedNetwork> {
        let mut kept = self.kept.lock().expect("no thread panics while it looks networks up");
        let known = kept.iter().position(|pruned| pruned.is_of(point)).and_then(|place| kept.remove(place));
        let asked = known.unwrap_or_else(|| {
            let (network, options) = (Arc::clone(&point.network), point.configuration.prune.clone());
            Arc::new(PrunedNetwork { network, options, made: OnceLock::new(), layers: OnceLock::new() })
        });
        kept.push_front(Arc::clone(&asked));
        while kept.len() > 1 && (kept.len() > MOST || kept.iter().map(|pruned| pruned.bytes()).sum::<u64>() > self.room)
        {
            kept.pop_back();
        }
        asked
    }
}
