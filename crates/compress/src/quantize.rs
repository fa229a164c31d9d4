//! Quantization of weights: grid, step rule, bit allocation, bias correction.
//!
//! The main function is [`quantize`]. It decides on a bit width for every unit (a layer or a filter), then on a step,
//! and only then makes codes.

mod allocate;
mod apart;
mod bounded;
mod check;
mod clipping;
mod correct;
mod layer;
mod least_squares;
mod levels;
mod options;
mod profile;
mod ranked;
mod reals;
mod report;
mod rule;
mod target;
mod widths;

use esn::BitWidth;
use network::Network;
use rayon::prelude::*;

use crate::Watch;
use crate::error::CompressError;
use crate::ties::{first_uses, parted};
use layer::{Coded, Layer};
use levels::Levels;
use rule::step_at_width;

pub use apart::{ApartLayer, ApartLayers, LayerSaid, LayerWay, notes_of_layers};
pub use options::{Allocation, Granularity, LayerOptions, QuantizeOptions, StepRule};
pub use profile::{esn_a_profile, esn_a_trace};
pub use report::{LayerQuantization, QuantizeReport};

/// Quantizes a network of real weights. Exact zeros stay pruned.
///
/// On mid-rise `W_int = clamp(floor(W/Δ) + 0.5, ±(2^(n−1) − 0.5))`, so that nothing else becomes 0; on mid-tread `W_int
/// = clamp(round(W/Δ), ±(2^(n−1) − 1))`, halves to even, and the report counts the small weights that do. Steps are
/// `f32` numbers before any code is made, so that a standard file holds them exactly. A layer or filter that is wholly
/// 0 has step 1 and codes of 0.
///
/// # Errors
///
/// [`CompressError::Option`] for a width outside 1…16, combinations that mean nothing, and two widths or targets for
/// layers that have one tensor; [`CompressError::Layer`] for a layer whose weights are quantized already.
pub fn quantize(network: &Network, options: &QuantizeOptions) -> Result<(Network, QuantizeReport), CompressError> {
    quantize_watched(network, options, &|| ())
}

/// [`quantize`], with someone who may stop it.
///
/// # Errors
///
/// As [`quantize`].
pub fn quantize_watched(
    network: &Network,
    options: &QuantizeOptions,
    watch: Watch<'_>,
) -> Result<(Network, QuantizeReport), CompressError> {
    let first_uses = first_uses(network);
    check::check(options, network, &first_uses)?;
    // A tensor that several layers have is quantized once.
    let reals = reals::read_all(network, &first_uses, watch)?;
    let layers = layer::settle(network, &reals, &first_uses, options)?;
    let widths = widths(&layers, options, watch)?;
    let steps = steps(&layers, &widths, &options.step, watch);
    let coded = layers.par_iter().zip(&widths).zip(steps).map(|((layer, widths), steps)| {
        watch();
        let mut coded = layer::encode(layer, widths, steps)?;
        if options.bias_correction {
            correct::correct_norms(layer, &mut coded);
        }
        Ok(coded)
    });
    // Of several errors that of the first layer, whichever is found first.
    let coded = coded.collect::<Vec<_>>().into_iter().collect::<Result<Vec<Coded>, CompressError>>()?;
    let mut report = report::report(&layers, &widths, &coded, options)?;
    let tensors: Vec<usize> = first_uses.iter().map(|first| place_of(&layers, *first)).collect();
    report.layers = tensors.iter().map(|&tensor| report.layers[tensor].clone()).collect();
    let uses = network.layers().iter().zip(&tensors);
    uses.clone().zip(&mut report.layers).for_each(|((mac, _), entry)| entry.layer.clone_from(&mac.name));
    let quantized =
        uses.map(|(mac, &tensor)| layer::with_codes(mac, &layers[tensor].mac.weights.name, &coded[tensor])).collect();
    let quantized = crate::rebuild::with_layers(network, quantized)?;
    report.notes.extend(parted(network, &quantized));
    Ok((quantized, report))
}

/// Where the first layer with a tensor stands among those that are quantized.
fn place_of(layers: &[Layer], first: usize) -> usize {
    layers.iter().position(|layer| layer.index == first).expect("the first layer with a tensor is quantized")
}

/// The bit width of every unit of every layer.
fn widths(layers: &[Layer], options: &QuantizeOptions, watch: Watch<'_>) -> Result<Vec<Vec<BitWidth>>, CompressError> {
    let of_layer = |layer: &Layer| vec![layer.levels.bits; layer.units.len()];
    match options.allocation {
        None => Ok(layers.iter().map(of_layer).collect()),
        Some(Allocation::AverageBits(average)) => Ok(layers
            .par_iter()
            .map(|layer| match layer.own_width {
                true => of_layer(layer),
                false => allocate::average_bits(layer, layer.rule, average, watch),
            })
            .collect()),
        Some(Allocation::EsnDFilter(budget)) => allocate::esn_d_filter(layers, budget, watch),
    }
}

/// The step of every unit of every layer. `rule` is that of the network: where it solves for a target, it holds for all.
fn steps(layers: &[Layer], widths: &[Vec<BitWidth>], rule: &StepRule, watch: Watch<'_>) -> Vec<Vec<f32>> {
    let units = |index: usize| {
        let layer: &Layer = &layers[index];
        layer.units.iter().zip(&widths[index]).map(|(unit, &bits)| (unit, Levels { bits, ..layer.levels }))
    };
    match rule {
        StepRule::EsnA(target) => {
            let all: Vec<_> = (0..layers.len()).flat_map(units).collect();
            let mut steps = target::esn_a_steps(&all, *target, watch).into_iter();
            layers.iter().map(|layer| steps.by_ref().take(layer.units.len()).collect()).collect()
        }
        StepRule::EsnAProfile(targets) => (0..layers.len())
            .into_par_iter()
            .map(|index| target::esn_a_steps(&units(index).collect::<Vec<_>>(), targets[layers[index].index], watch))
            .collect(),
        StepRule::MaxAbs | StepRule::Mse | StepRule::Laplace | StepRule::Gauss | StepRule::Snr(_) => (0..layers.len())
            .into_par_iter()
            .map(|index| {
                let step = |(unit, levels)| {
                    watch();
                    step_at_width(layers[index].rule, unit, levels)
                };
                units(index).map(step).collect()
            })
            .collect(),
    }
}
