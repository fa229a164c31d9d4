//! Layers quantized apart from one another, for whoever asks for many ways to quantize one network.
//!
//! [`crate::quantize()`] makes a whole network each time. Most rules look at one layer alone, so that a layer which is to be
//! quantized in a way that is known already need not be looked at again.

use std::sync::OnceLock;

use esn::CodeTensor;
use network::{Network, Note};

use crate::error::CompressError;
use crate::quantize::layer::{self, Wanted};
use crate::quantize::levels::Unit;
use crate::quantize::options::{Granularity, QuantizeOptions, StepRule};
use crate::quantize::reals::Reals;
use crate::quantize::report::{check_snr, describe, zero_notes};
use crate::quantize::rule::step_at_width;
use crate::quantize::{check, correct};
use crate::ties::tensors;

/// How one layer is quantized, with nothing left open: equal weights become equal codes by equal ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerWay {
    bits: u32,
    mid_rise: bool,
    granularity: Granularity,
    rule: Rule,
    bias_correction: bool,
}

/// The step rules that look at one layer alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    MaxAbs,
    Mse,
    Laplace,
    Gauss,
    /// The bits of the ratio.
    Snr(u64),
}

impl Rule {
    fn of(rule: &StepRule) -> Option<Self> {
        match rule {
            StepRule::MaxAbs => Some(Rule::MaxAbs),
            StepRule::Mse => Some(Rule::Mse),
            StepRule::Laplace => Some(Rule::Laplace),
            StepRule::Gauss => Some(Rule::Gauss),
            StepRule::Snr(ratio) => Some(Rule::Snr(ratio.to_bits())),
            StepRule::EsnA(_) | StepRule::EsnAProfile(_) => None,
        }
    }

    fn step_rule(self) -> StepRule {
        match self {
            Rule::MaxAbs => StepRule::MaxAbs,
            Rule::Mse => StepRule::Mse,
            Rule::Laplace => StepRule::Laplace,
            Rule::Gauss => StepRule::Gauss,
            Rule::Snr(bits) => StepRule::Snr(f64::from_bits(bits)),
        }
    }
}

/// What came of one layer.
#[derive(Clone, Debug)]
pub struct ApartLayer {
    /// The codes, in the shape of the layer's geometry.
    pub codes: CodeTensor,
    /// What there is to say of it.
    pub said: LayerSaid,
}

/// What quantization has to say of one layer.
#[derive(Clone, Debug)]
pub struct LayerSaid {
    name: String,
    notes: Vec<Note>,
    newly_zeroed: u64,
    is_pruned: bool,
}

/// The real weights of a network, read layer by layer when they are first asked for, and then held.
#[derive(Debug)]
pub struct ApartLayers {
    reals: Vec<OnceLock<Reals>>,
    has_ties: bool,
}

impl ApartLayers {
    /// Reads nothing yet. All calls must be about this network.
    pub fn new(network: &Network) -> Self {
        let firsts = tensors(network);
        let has_ties = firsts.iter().enumerate().any(|(layer, &first)| layer != first);
        Self { reals: network.layers().iter().map(|_| OnceLock::new()).collect(), has_ties }
    }

    /// How each layer is quantized by these options; `None` where layers do not stand alone: they share a tensor, a target or
    /// bits.
    ///
    /// # Errors
    ///
    /// [`CompressError::Option`] as of [`crate::quantize()`].
    pub fn ways(&self, network: &Network, options: &QuantizeOptions) -> Result<Option<Vec<LayerWay>>, CompressError> {
        if self.has_ties || options.allocation.is_some() {
            return Ok(None);
        }
        let firsts: Vec<usize> = (0..network.layers().len()).collect();
        check::check(options, network, &firsts)?;
        let way = |layer: usize| {
            let Wanted { bits, mid_rise, granularity, rule, .. } = Wanted::of(network, &[layer], options);
            let (rule, bias_correction) = (Rule::of(rule)?, options.bias_correction);
            Some(LayerWay { bits, mid_rise, granularity, rule, bias_correction })
        };
        Ok(firsts.into_iter().map(way).collect())
    }

    /// Quantizes one layer, to the codes that [`crate::quantize()`] gives it.
    ///
    /// # Errors
    ///
    /// [`CompressError::Layer`] if its weights are quantized already, or no `f32` step fits one.
    pub fn quantize(&self, network: &Network, layer: usize, way: &LayerWay) -> Result<ApartLayer, CompressError> {
        let place = &self.reals[layer];
        let reals = match place.get() {
            Some(reals) => reals,
            // Two threads may read the same layer; neither waits for the other.
            None => {
                let read = Reals::read(network, layer)?;
                place.get_or_init(|| read)
            }
        };
        quantize_one(network, layer, reals, way)
    }
}

/// The notes of a network whose layers were quantized so, as [`crate::quantize()`] has them.
pub fn notes_of_layers<'a>(layers: impl Iterator<Item = &'a LayerSaid> + Clone) -> Vec<Note> {
    let mut notes: Vec<Note> = layers.clone().flat_map(|said| said.notes.iter().cloned()).collect();
    let zeroed = layers.clone().map(|said| said.newly_zeroed).sum();
    notes.extend(zero_notes(zeroed, layers.filter(|said| said.is_pruned).map(|said| said.name.as_str())));
    notes
}

fn quantize_one(network: &Network, index: usize, reals: &Reals, way: &LayerWay) -> Result<ApartLayer, CompressError> {
    let options = QuantizeOptions {
        bits: way.bits,
        mid_rise: way.mid_rise,
        granularity: way.granularity,
        step: way.rule.step_rule(),
        bias_correction: way.bias_correction,
        ..QuantizeOptions::default()
    };
    let layer = layer::settle_layer(network, reals, &[index], &options)?;
    let widths = vec![layer.levels.bits; layer.units.len()];
    let steps = layer.units.iter().map(|unit| step_at_width(layer.rule, unit, layer.levels)).collect();
    let shares_a_pass = way.mid_rise && way.rule == Rule::MaxAbs;
    let known = shares_a_pass.then(|| reals.codes_of_max_abs(way.granularity, layer.levels.bits)).flatten();
    let mut coded = match known {
        Some(codes) => layer::coded(&layer, codes, steps)?,
        None => layer::encode(&layer, &widths, steps)?,
    };
    let mut notes = Vec::new();
    if let StepRule::Snr(target) = layer.rule {
        if options.bias_correction {
            correct::correct_norms(&layer, &mut coded);
        }
        check_snr(*target, &mut describe(&layer, &widths, &coded, &options)?, &mut notes);
    }
    let nonzero = coded.codes.codes().iter().filter(|&&code| code != 0).count();
    let said = LayerSaid {
        name: layer.mac.name.clone(),
        notes,
        newly_zeroed: (layer.units.iter().map(Unit::len).sum::<usize>() - nonzero) as u64,
        is_pruned: layer.units.iter().all(Unit::is_empty),
    };
    let codes = coded.codes.reshaped(layer.mac.geometry.weight_shape()).map_err(|e| layer.error(e))?;
    Ok(ApartLayer { codes, said })
}
