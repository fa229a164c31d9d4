//! What a network costs while it is pruned, for budgets.

use std::collections::HashSet;

use esn::{BitConvention, BitWidth, LayerEsn, quantize_max_abs};
use network::WeightValues;
use rayon::prelude::*;

use super::options::Budget;
use super::propagate::{Dead, Model};
use super::weights::Weights;
use crate::error::CompressError;

/// A kind of cost, with the bit width that ESN is measured at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cost {
    EsnA(BitWidth),
    EsnD(BitWidth),
    Macs,
    Parameters,
}

impl Cost {
    /// # Errors
    ///
    /// [`CompressError::Option`] if the budget is one of ESN and no bit width is given.
    pub fn new(budget: Budget, bits: Option<u32>) -> Result<Self, CompressError> {
        let width = || {
            let option = |problem: String| CompressError::Option { option: "bits", problem };
            let bits = bits.ok_or_else(|| {
                option(format!("a budget of {} needs the width that the network is to be quantized to", budget.name()))
            })?;
            BitWidth::new(bits).map_err(|e| option(e.to_string()))
        };
        Ok(match budget {
            Budget::EsnA(_) => Cost::EsnA(width()?),
            Budget::EsnD(_) => Cost::EsnD(width()?),
            Budget::Macs(_) => Cost::Macs,
            Budget::Parameters(_) => Cost::Parameters,
        })
    }

    /// What the network costs once what is dead is zero.
    pub fn of(self, model: &Model<'_>, weights: &[Weights], dead: &Dead) -> Result<f64, CompressError> {
        let layers = 0..weights.len();
        let computed = |l: usize| computed(model, weights, dead, l) as f64;
        let esn = |bits: BitWidth| {
            let layers = layers.clone().into_par_iter().map(|l| {
                let mut pruned = weights[l].clone();
                dead.apply_to(l, &mut pruned);
                layer_esn(model, &pruned, bits, l)
            });
            // Of several errors that of the first layer, whichever is found first.
            let layers = layers.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()?;
            Ok::<LayerEsn, CompressError>(layers.into_iter().sum())
        };
        Ok(match self {
            Cost::Macs => layers.map(|l| computed(l) * model.positions[l] as f64).sum(),
            Cost::Parameters => tensors(model, weights, dead).into_iter().map(computed).sum(),
            Cost::EsnA(bits) => esn(bits)?.esn_a_macs().to_f64(),
            Cost::EsnD(bits) => esn(bits)?.esn_d_macs as f64,
        })
    }
}

/// The layers whose weights are counted, one for each tensor that is written. Layers that arrange one tensor in different
/// ways have one each as soon as pruning changes it.
fn tensors(model: &Model<'_>, weights: &[Weights], dead: &Dead) -> Vec<usize> {
    let mut whole = HashSet::new();
    let is_whole = |layer: usize| !weights[layer].changed && !loses_weights(model, dead, layer);
    let is_first = |&layer: &usize| match is_whole(layer) {
        true => whole.insert(model.flow.tensors[layer]),
        false => model.flow.first_uses[layer] == layer,
    };
    (0..weights.len()).filter(is_first).collect()
}

/// Whether a weight of the layer that is not 0 belongs to what is dead.
fn loses_weights(model: &Model<'_>, dead: &Dead, layer: usize) -> bool {
    let left: usize = (0..dead.filters[layer].len()).map(|filter| model.reads(dead, layer, filter).count()).sum();
    left < model.occupied[layer].iter().filter(|&&occupied| occupied).count()
}

fn layer_esn(model: &Model<'_>, weights: &Weights, bits: BitWidth, layer: usize) -> Result<LayerEsn, CompressError> {
    let quantized = match &weights.values {
        WeightValues::F32(values) => quantize_max_abs(values, weights.shape, bits),
        WeightValues::F64(values) => quantize_max_abs(values, weights.shape, bits),
    };
    let problem =
        |e: esn::QuantizeError| CompressError::Layer { layer: model.names[layer].clone(), problem: e.to_string() };
    Ok(LayerEsn::new(&quantized.map_err(problem)?.codes, model.positions[layer], BitConvention::default()))
}

/// Weights of a layer that equation (7) computes: live filters × live channels of their group.
fn computed(model: &Model<'_>, weights: &[Weights], dead: &Dead, layer: usize) -> u64 {
    let shape = weights[layer].shape;
    let per_group = shape.filters / shape.groups;
    let group = |g: usize| {
        let mut channels = vec![false; shape.channels];
        let mut filters = 0;
        for filter in g * per_group..(g + 1) * per_group {
            let mut reads = 0;
            model.reads(dead, layer, filter).for_each(|c| {
                channels[c - g * shape.channels] = true;
                reads += 1;
            });
            filters += u64::from(reads > 0);
        }
        filters * channels.iter().filter(|&&live| live).count() as u64
    };
    (0..shape.groups).map(group).sum::<u64>() * shape.taps as u64
}
