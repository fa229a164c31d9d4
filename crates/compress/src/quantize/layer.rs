//! A layer of real weights, and the codes that it becomes.

use esn::{BitWidth, CodeTensor};
use network::{MacLayer, Network};

use crate::error::CompressError;
use crate::quantize::levels::{Levels, Unit};
use crate::quantize::options::{Granularity, LayerOptions, QuantizeOptions, StepRule, grid};
use crate::quantize::reals::Reals;

/// One layer and its real weights.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    pub mac: &'a MacLayer,
    /// Its place in the network.
    pub index: usize,
    /// How often each weight is used for one image, by all layers that have this tensor.
    pub positions: u64,
    /// Row-major, the filters of an output channel side by side: here they are one filter, [`MacLayer::channel_shape`].
    pub weights: &'a [f64],
    /// One for the layer, or one a filter.
    pub units: &'a [Unit],
    /// The levels of the layer, where no allocation says otherwise.
    pub levels: Levels,
    /// Whether the layer's width was asked for by its name or its place, first or last.
    pub own_width: bool,
    /// How its steps are chosen.
    pub rule: &'a StepRule,
}

impl Layer<'_> {
    /// All weights of unit `index`, pruned ones included.
    pub fn unit_weights(&self, index: usize) -> &[f64] {
        let len = self.weights.len() / self.units.len();
        &self.weights[index * len..(index + 1) * len]
    }

    /// An error of this layer.
    pub fn error(&self, problem: impl ToString) -> CompressError {
        CompressError::Layer { layer: self.mac.name.clone(), problem: problem.to_string() }
    }
}

/// The layers of a network as `options` want them, one for each tensor of `reals`. `first_uses` says by layer which one is the
/// first with its tensor.
///
/// # Errors
///
/// [`CompressError::Option`] for a width that is none.
pub(super) fn settle<'a>(
    network: &'a Network,
    reals: &'a [Reals],
    first_uses: &[usize],
    options: &'a QuantizeOptions,
) -> Result<Vec<Layer<'a>>, CompressError> {
    let mut uses = vec![Vec::new(); first_uses.len()];
    first_uses.iter().enumerate().for_each(|(layer, &first)| uses[first].push(layer));
    let tensors = uses.iter().filter(|uses| !uses.is_empty());
    tensors.zip(reals).map(|(uses, reals)| settle_layer(network, reals, uses, options)).collect()
}

/// What `options` say of one layer, by its name, by its place, or for all.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub bits: u32,
    /// Whether the width was asked for by the layer's name or its place, first or last.
    pub own_width: bool,
    pub mid_rise: bool,
    pub granularity: Granularity,
    pub rule: &'a StepRule,
}

impl<'a> Wanted<'a> {
    /// `uses` are the layers that have one tensor.
    pub fn of(network: &Network, uses: &[usize], options: &'a QuantizeOptions) -> Self {
        let named = |own: &&LayerOptions| uses.iter().any(|&layer| network.layers()[layer].name == own.layer);
        let own = options.layers.iter().find(named);
        let is_last = uses.last().is_some_and(|last| last + 1 == network.layers().len());
        let place = [options.first_bits.filter(|_| uses[0] == 0), options.last_bits.filter(|_| is_last)];
        let own_width = own.and_then(|own| own.bits).or(place.into_iter().flatten().next());
        Self {
            bits: own_width.unwrap_or(options.bits),
            own_width: own_width.is_some(),
            mid_rise: own.and_then(|own| own.mid_rise).unwrap_or(options.mid_rise),
            granularity: own.and_then(|own| own.granularity).unwrap_or(options.granularity),
            rule: own.and_then(|own| own.step.as_ref()).unwrap_or(&options.step),
        }
    }
}

/// `uses` are the layers that have one tensor.
///
/// # Errors
///
/// As [`settle`].
pub(super) fn settle_layer<'a>(
    network: &'a Network,
    reals: &'a Reals,
    uses: &[usize],
    options: &'a QuantizeOptions,
) -> Result<Layer<'a>, CompressError> {
    let index = uses[0];
    let mac = &network.layers()[index];
    let Wanted { bits, own_width, mid_rise, granularity, rule } = Wanted::of(network, uses, options);
    let bits = BitWidth::new(bits).map_err(|e| CompressError::Option { option: "bits", problem: e.to_string() })?;
    let positions = uses.iter().map(|&layer| network.layers()[layer].geometry.positions()).sum();
    let (weights, units) = (reals.weights(), reals.units(granularity));
    Ok(Layer { mac, index, positions, weights, units, levels: Levels { grid: grid(mid_rise), bits }, own_width, rule })
}

/// Codes of one layer and what they are multiplied with.
#[derive(Debug)]
pub(super) struct Coded {
    pub codes: CodeTensor,
    /// `Δ` with which the codes were made, by unit.
    pub unit_steps: Vec<f32>,
    /// `Δ` that they are multiplied with, one number or one a filter; another where a correction changed it.
    pub steps: Vec<f32>,
}

/// Puts a layer's weights on the levels of each unit.
pub(super) fn encode(layer: &Layer, widths: &[BitWidth], steps: Vec<f32>) -> Result<Coded, CompressError> {
    let mut codes = Vec::with_capacity(layer.weights.len());
    for (index, (&bits, &step)) in widths.iter().zip(&steps).enumerate() {
        let levels = Levels { bits, ..layer.levels };
        levels.encode_into(layer.unit_weights(index), step, &mut codes).map_err(|e| layer.error(e))?;
    }
    coded(layer, codes, steps)
}

/// The same of codes that are known.
pub(super) fn coded(layer: &Layer, codes: Vec<i32>, steps: Vec<f32>) -> Result<Coded, CompressError> {
    let shape = layer.mac.channel_shape();
    let codes = CodeTensor::new(layer.levels.grid, shape, codes).map_err(|e| layer.error(e))?;
    Ok(Coded { codes, unit_steps: steps.clone(), steps })
}

/// A layer with codes in place of its real weights, under the name of the tensor that was quantized.
pub(super) fn with_codes(mac: &MacLayer, name: &str, coded: &Coded) -> MacLayer {
    mac.with_codes(name, &coded.codes, &coded.steps).expect("there is one step a unit, and one unit or one a filter")
}
