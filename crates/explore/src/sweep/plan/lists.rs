//! The lists of a plan as axes of a product: how many alternatives each has, and what one of each says.

use compress::{LayerOptions, PruneOptions, QuantizeOptions};
use network::{LayerId, Network};

use super::file::{PruneEntry, QuantizeEntry};

/// Every layer that `bits-of-layers` does not name.
const EVERY_OTHER: &str = "*";

impl PruneEntry {
    /// How many alternatives each list has, the outermost first.
    pub(in crate::sweep) fn axes(&self) -> Vec<usize> {
        let belows = self.below.as_ref().map_or(1, |below| below.0.len());
        vec![self.each.len().max(1), self.scope.0.len(), belows]
    }

    /// The alternative at these places of [`PruneEntry::axes`]; none stands for no pruning.
    pub(in crate::sweep) fn at(&self, places: &[usize]) -> Option<PruneOptions> {
        let prunings = match self.each.get(places[0]) {
            Some(&pruning) => vec![pruning],
            None => self.prunings.clone(),
        };
        let below = self.below.as_ref().map(|below| below.0[places[2]]);
        normal(PruneOptions { prunings, scope: self.scope.0[places[1]], below, compact: self.compact, bits: self.bits })
    }
}

/// Options that prune nothing are no pruning.
pub(in crate::sweep) fn normal(options: PruneOptions) -> Option<PruneOptions> {
    (!options.prunings.is_empty() || options.below.is_some()).then_some(options)
}

impl QuantizeEntry {
    /// How many alternatives each list has, the outermost first. `layers` are those that the widths of layers are of.
    pub(in crate::sweep) fn axes(&self, layers: &[LayerWidths]) -> Vec<usize> {
        let own = [
            self.granularity.0.len(),
            self.step.0.len(),
            self.allocation.as_ref().map_or(1, |list| list.0.len()),
            self.bias_correction.0.len(),
            self.mid_rise.as_ref().map_or(1, |list| list.0.len()),
            self.bits.as_ref().map_or(1, |list| list.0.len()),
        ];
        own.into_iter().chain(layers.iter().map(|layer| layer.bits.len())).collect()
    }

    /// The alternative at these places of [`QuantizeEntry::axes`].
    pub(in crate::sweep) fn at(&self, layers: &[LayerWidths], places: &[usize]) -> QuantizeOptions {
        let default = QuantizeOptions::default();
        let mut options = QuantizeOptions {
            granularity: self.granularity.0[places[0]],
            step: self.step.0[places[1]].clone(),
            allocation: self.allocation.as_ref().map(|list| list.0[places[2]]),
            bias_correction: self.bias_correction.0[places[3]],
            mid_rise: self.mid_rise.as_ref().map_or(default.mid_rise, |list| list.0[places[4]]),
            bits: self.bits.as_ref().map_or(default.bits, |list| list.0[places[5]]),
            first_bits: self.first_bits,
            last_bits: self.last_bits,
            layers: self.layers.clone(),
        };
        for (layer, &place) in layers.iter().zip(&places[6..]) {
            let bits = Some(layer.bits[place]);
            match options.layers.iter_mut().find(|own| own.layer == layer.name) {
                Some(own) => own.bits = bits,
                None => {
                    options.layers.push(LayerOptions { layer: layer.name.clone(), bits, ..LayerOptions::default() })
                }
            }
        }
        options
    }

    /// The widths that layers of a network get by their names, in the order of its layers.
    ///
    /// # Errors
    ///
    /// A name that no layer has.
    pub(in crate::sweep) fn widths_of(&self, network: &Network) -> Result<Vec<LayerWidths>, String> {
        let layers = network.layers();
        let missing = |name: &&String| *name != EVERY_OTHER && !layers.iter().any(|layer| layer.name == **name);
        if let Some(name) = self.bits_of_layers.keys().find(missing) {
            let some: Vec<&str> = layers.iter().take(3).map(|layer| layer.name.as_str()).collect();
            return Err(format!(
                "quantize.bits-of-layers: there is no layer {name:?}; the network's {} layers begin with {}",
                layers.len(),
                some.join(", ")
            ));
        }
        let has_own_bits = |name: &str| self.layers.iter().any(|own| own.layer == name && own.bits.is_some());
        let others = self.bits_of_layers.get(EVERY_OTHER);
        let widths = layers.iter().enumerate().filter_map(|(index, layer)| {
            let first = network.shares_weights_with(LayerId(index)).is_none() && !has_own_bits(&layer.name);
            let bits = self.bits_of_layers.get(&layer.name).or(others.filter(|_| first))?;
            Some(LayerWidths { name: layer.name.clone(), bits: bits.0.clone() })
        });
        Ok(widths.collect())
    }
}

/// The widths that one layer may have.
#[derive(Clone, Debug)]
pub(in crate::sweep) struct LayerWidths {
    name: String,
    bits: Vec<u32>,
}
