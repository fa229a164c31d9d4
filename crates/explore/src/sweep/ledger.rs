//! What layers cost that points share: a layer that comes again with the same weights and the same way to quantize it is not
//! costed again.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use compress::{ApartLayers, CompressError, LayerSaid, LayerWay, QuantizeOptions, notes_of_layers};
use network::{LayerId, Network, Note};
use rayon::prelude::*;
use runner::identity::layer_identity;
use runner::{Hardware, LayerCost, LayerDetail, NetworkCost, cost_of_codes};

use super::point::CONVENTION;

/// A pruned network whose layers are quantized and costed one by one.
pub(super) struct LayersOfNetwork {
    apart: ApartLayers,
    identities: Vec<u128>,
}

/// What is known of one layer.
struct KnownLayer {
    said: LayerSaid,
    cost: LayerCost,
    detail: LayerDetail,
}

/// Weights, and how they are quantized.
type Key = (u128, LayerWay);

/// What a whole network costs, and what quantizing it had to say.
pub(super) struct Costed {
    pub cost: NetworkCost,
    pub details: Vec<LayerDetail>,
    pub notes: Vec<Note>,
}

/// Layers that were costed, those that were asked for last. All are about the same hardware.
pub(super) struct Ledger {
    /// Entries of one generation.
    most: usize,
    known: Mutex<Generations>,
}

/// Entries that were asked for lately, and those before. When there are many of the former, the latter go.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Arc<KnownLayer>>,
    old: HashMap<Key, Arc<KnownLayer>>,
}

impl LayersOfNetwork {
    pub fn new(network: &Network) -> Self {
        let layers = (0..network.layers().len()).into_par_iter();
        let identities = layers.map(|layer| layer_identity(network, LayerId(layer))).collect();
        Self { apart: ApartLayers::new(network), identities }
    }
}

impl Ledger {
    /// Keeps roughly so many bytes of what layers cost on so much hardware.
    pub fn new(room: u64, hardware: usize) -> Self {
        const BYTES_A_LAYER: u64 = 1 << 10;
        const BYTES_A_RUN: u64 = 1 << 10;
        let most = room / 2 / (BYTES_A_LAYER + BYTES_A_RUN * hardware as u64);
        Self { most: usize::try_from(most).unwrap_or(usize::MAX).max(1), known: Mutex::default() }
    }

    /// What a network costs that is quantized by these options. `None` where its layers do not stand alone, or something is
    /// wrong with one: the network is then to be quantized as a whole, which says what.
    pub fn cost(
        &self,
        network: &Network,
        layers: &LayersOfNetwork,
        options: &QuantizeOptions,
        hardware: &[Hardware],
    ) -> Result<Option<Costed>, CompressError> {
        let Some(ways) = layers.apart.ways(network, options)? else { return Ok(None) };
        let keys: Vec<Key> = layers.identities.iter().copied().zip(ways).collect();
        let mut found = self.look_up(&keys);
        let missing: Vec<usize> = (0..keys.len()).filter(|&layer| found[layer].is_none()).collect();
        let made = missing.par_iter().map(|&layer| {
            let way = &keys[layer].1;
            let quantized = layers.apart.quantize(network, layer, way).ok()?;
            let (cost, detail) = cost_of_codes(network, LayerId(layer), &quantized.codes, hardware, CONVENTION).ok()?;
            Some((layer, Arc::new(KnownLayer { said: quantized.said, cost, detail })))
        });
        let Some(made) = made.collect::<Option<Vec<_>>>() else { return Ok(None) };
        self.keep(made.iter().map(|(layer, known)| (keys[*layer], Arc::clone(known))));
        made.into_iter().for_each(|(layer, known)| found[layer] = Some(known));
        let all: Vec<Arc<KnownLayer>> = found.into_iter().flatten().collect();
        Ok(Some(Costed {
            cost: NetworkCost::sum(all.iter().map(|known| known.cost.clone()).collect()),
            details: all.iter().map(|known| known.detail).collect(),
            notes: notes_of_layers(all.iter().map(|known| &known.said)),
        }))
    }

    fn look_up(&self, keys: &[Key]) -> Vec<Option<Arc<KnownLayer>>> {
        let mut known = self.known();
        keys.iter().map(|key| known.get(key)).collect()
    }

    fn keep(&self, made: impl Iterator<Item = (Key, Arc<KnownLayer>)>) {
        let mut known = self.known();
        for (key, layer) in made {
            if known.young.len() >= self.most {
                known.old = mem::take(&mut known.young);
            }
            known.young.insert(key, layer);
        }
    }

    fn known(&self) -> MutexGuard<'_, Generations> {
        self.known.lock().expect("no thread panics while it looks layers up")
    }
}

impl Generations {
    /// An entry, which counts as young from now on.
    fn get(&mut self, key: &Key) -> Option<Arc<KnownLayer>> {
        if let Some(known) = self.young.get(key) {
            return Some(Arc::clone(known));
        }
        let known = self.old.remove(key)?;
        self.young.insert(*key, Arc::clone(&known));
        Some(known)
    }
}
