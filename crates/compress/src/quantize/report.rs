//! What quantization did, layer by layer.

use esn::{BitConvention, BitWidth, Grid, LayerEsn, quantization_noise};
use network::{Note, NoteKind};
use serde::Serialize;

use crate::error::CompressError;
use crate::quantize::layer::{Coded, Layer};
use crate::quantize::levels::{Levels, Unit};
use crate::quantize::options::{QuantizeOptions, StepRule};
use crate::quantize::target::{esn_a_steps, esn_a_total, meets};

/// What was quantized, and how well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QuantizeReport {
    /// One entry a layer.
    pub layers: Vec<LayerQuantization>,
    /// What a user should know, one line each.
    #[serde(serialize_with = "crate::notes::as_texts")]
    pub notes: Vec<Note>,
}

/// What became of one layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayerQuantization {
    /// Name of the layer.
    pub layer: String,
    /// Bit width that the codes were clipped to; with an allocation, the mean over live filters.
    pub bits: f64,
    /// With an allocation, the bit width of each filter; 0 where it is pruned.
    pub filter_bits: Vec<u32>,
    /// Smallest and largest step; those of wholly pruned filters, which mean nothing, are left out where others are.
    pub steps: (f64, f64),
    /// `‖W‖² / ‖W − Δ·W_int‖²`; none without noise.
    pub snr: Option<f64>,
    /// S/N that was asked for, by the rule that asks for it.
    pub target_snr: Option<f64>,
    /// ESN_a with c = 1 that was asked for, by rules that ask for it of each layer.
    pub target_esn_a: Option<f64>,
    /// ESN_a with c = 1 that came out.
    pub esn_a: f64,
    /// Whether a target could not be met within 0.5 %, or, where the network has the target, whether the bit width kept
    /// the layer from the common S/N; the notes say why.
    pub target_missed: bool,
    /// Weights that became 0 without having been; none on mid-rise.
    pub newly_zeroed: u64,
}

/// Describes every layer.
pub(super) fn report(
    layers: &[Layer],
    widths: &[Vec<BitWidth>],
    coded: &[Coded],
    options: &QuantizeOptions,
) -> Result<QuantizeReport, CompressError> {
    let mut report = QuantizeReport::default();
    for ((layer, widths), coded) in layers.iter().zip(widths).zip(coded) {
        let mut entry = describe(layer, widths, coded, options)?;
        match layer.rule {
            StepRule::EsnAProfile(targets) => check_profile(layer, targets[layer.index], &mut entry, &mut report.notes),
            StepRule::Snr(target) => check_snr(*target, &mut entry, &mut report.notes),
            StepRule::MaxAbs | StepRule::Mse | StepRule::Laplace | StepRule::Gauss => {}
            // The target of the whole network is checked below.
            StepRule::EsnA(_) => {}
        }
        report.layers.push(entry);
    }
    if let StepRule::EsnA(target) = options.step {
        check_common(layers, coded, &mut report);
        check_network(layers, target, &mut report);
    }
    note_zeros(layers, &mut report);
    Ok(report)
}

pub(super) fn describe(
    layer: &Layer,
    widths: &[BitWidth],
    coded: &Coded,
    options: &QuantizeOptions,
) -> Result<LayerQuantization, CompressError> {
    let steps: Vec<f64> = coded.steps.iter().map(|&step| f64::from(step)).collect();
    let power = quantization_noise(layer.weights, &coded.codes, &steps).map_err(|e| layer.error(e))?;
    let zeros = |values: usize| (layer.weights.len() - values) as u64;
    let nonzero_after = coded.codes.codes().iter().filter(|&&code| code != 0).count();
    let nonzero_before = layer.units.iter().map(Unit::len).sum::<usize>();
    let live: Vec<u32> = live_bits(layer, widths).filter(|&bits| bits > 0).collect();
    let mean = live.iter().sum::<u32>() as f64 / live.len() as f64;
    let allocated = options.allocation.is_some() && !layer.own_width;
    Ok(LayerQuantization {
        layer: layer.mac.name.clone(),
        bits: if allocated && !live.is_empty() { mean } else { f64::from(layer.levels.bits.get()) },
        filter_bits: if options.allocation.is_some() { live_bits(layer, widths).collect() } else { Vec::new() },
        steps: range_of_steps(layer, &steps),
        snr: power.ratio(),
        esn_a: LayerEsn::new(&coded.codes, 1, BitConvention::default()).esn_a().to_f64(),
        newly_zeroed: zeros(nonzero_after) - zeros(nonzero_before),
        ..LayerQuantization::default()
    })
}

/// Bits of each unit, 0 where it is pruned.
fn live_bits(layer: &Layer, widths: &[BitWidth]) -> impl Iterator<Item = u32> {
    layer.units.iter().zip(widths).map(|(unit, bits)| if unit.is_empty() { 0 } else { bits.get() })
}

fn range_of_steps(layer: &Layer, steps: &[f64]) -> (f64, f64) {
    let rows = layer.weights.len() / steps.len();
    let lives = |&(index, _): &(usize, &f64)| layer.weights[index * rows..(index + 1) * rows].iter().any(|&w| w != 0.0);
    let span = |(low, high): (f64, f64), (_, &step): (usize, &f64)| (low.min(step), high.max(step));
    let empty = (f64::INFINITY, f64::NEG_INFINITY);
    let live = steps.iter().enumerate().filter(lives).fold(empty, span);
    if live.0 <= live.1 { live } else { steps.iter().enumerate().fold(empty, span) }
}

pub(super) fn check_snr(target: f64, entry: &mut LayerQuantization, notes: &mut Vec<Note>) {
    entry.target_snr = Some(target);
    let Some(found) = entry.snr else { return };
    if !meets(found, target) {
        entry.target_missed = true;
        let (layer, bits) = (&entry.layer, entry.bits);
        let text = format!("an S/N of {target} was asked for; the nearest at {bits} bits is {found:.4}");
        notes.push(Note::of_layer(NoteKind::OffTarget, layer, text));
    }
}

fn check_profile(layer: &Layer, target: f64, entry: &mut LayerQuantization, notes: &mut Vec<Note>) {
    entry.target_esn_a = Some(target);
    if meets(entry.esn_a, target) {
        return;
    }
    entry.target_missed = true;
    let (name, found, bits) = (&entry.layer, entry.esn_a, entry.bits);
    let nonzero: usize = layer.units.iter().map(Unit::len).sum();
    let least = nonzero as f64 / 4.0;
    let at_width = layer.units.iter().map(|unit| layer.levels.max_abs_step(unit.max_abs)).collect::<Vec<_>>();
    let most = esn_a_total(&units_on(layer, layer.levels), &at_width);
    let why = if layer.levels.grid == Grid::MidRise && target < least {
        format!("mid-rise gives {nonzero} weights at least a quarter each, {least}")
    } else if target > most {
        format!("{bits} bits without clipping give at most {most}{}", wider(layer, target))
    } else {
        "no step comes nearer".to_string()
    };
    let text = format!("an ESN_a of {target} was asked for and {found} came out: {why}");
    notes.push(Note::of_layer(NoteKind::OffTarget, name, text));
}

/// The width that a target would take, where one does.
fn wider(layer: &Layer, target: f64) -> String {
    let levels = Levels { bits: BitWidth::new(BitWidth::MAX).expect("the largest width is one"), ..layer.levels };
    let units = units_on(layer, levels);
    let steps = esn_a_steps(&units, target, &|| ());
    if !meets(esn_a_total(&units, &steps), target) {
        return String::new();
    }
    let bits = layer.units.iter().zip(&steps).map(|(unit, &step)| levels.widest(unit.max_abs, step)).max();
    format!("; it takes {} bits", bits.unwrap_or(0))
}

fn units_on<'a>(layer: &'a Layer, levels: Levels) -> Vec<(&'a Unit, Levels)> {
    layer.units.iter().map(|unit| (unit, levels)).collect()
}

/// Finds the layers that the bit width kept from the common S/N: all have `Δ` in one ratio to the root mean square of
/// the weights, or a larger one that just does not clip.
fn check_common(layers: &[Layer], coded: &[Coded], report: &mut QuantizeReport) {
    let ratio = |unit: &Unit, step: f32| f64::from(step) / unit.root_mean_square();
    let all = layers.iter().zip(coded).flat_map(|(layer, coded)| layer.units.iter().zip(&coded.unit_steps));
    let common =
        all.filter(|(unit, _)| !unit.is_empty()).map(|(unit, &step)| ratio(unit, step)).fold(f64::INFINITY, f64::min);
    for ((layer, coded), entry) in layers.iter().zip(coded).zip(&mut report.layers) {
        let held = |(unit, step): &(&Unit, &f32)| {
            let least = layer.levels.max_abs_step(unit.max_abs);
            !unit.is_empty() && **step == least && ratio(unit, least) > common * 1.05
        };
        let count = layer.units.iter().zip(&coded.unit_steps).filter(held).count();
        if count > 0 {
            entry.target_missed = true;
            let (name, bits) = (&entry.layer, entry.bits);
            let what = if layer.units.len() == 1 { "it".to_string() } else { format!("{count} of its filters") };
            let text = format!("{bits} bits without clipping keep {what} below the common S/N");
            report.notes.push(Note::of_layer(NoteKind::OffTarget, name, text));
        }
    }
}

fn check_network(layers: &[Layer], target: f64, report: &mut QuantizeReport) {
    let found: f64 = report.layers.iter().map(|entry| entry.esn_a).sum();
    if meets(found, target) {
        return;
    }
    let nonzero: usize = layers.iter().flat_map(|layer| layer.units).map(Unit::len).sum();
    let least = nonzero as f64 / 4.0;
    let mid_rise = layers.iter().any(|layer| layer.levels.grid == Grid::MidRise);
    let why = if mid_rise && target < least {
        format!("mid-rise gives {nonzero} weights at least a quarter each, {least}")
    } else if found < target {
        "that is the most that the bit width gives without clipping".to_string()
    } else {
        "no common S/N comes nearer".to_string()
    };
    let text = format!("an ESN_a of {target} was asked for and {found} came out: {why}");
    report.notes.push(Note::new(NoteKind::OffTarget, text));
    let live = |layer: &Layer| layer.units.iter().any(|unit| !unit.is_empty());
    layers.iter().zip(&mut report.layers).for_each(|(layer, entry)| entry.target_missed = live(layer));
}

fn note_zeros(layers: &[Layer], report: &mut QuantizeReport) {
    let zeroed: u64 = report.layers.iter().map(|entry| entry.newly_zeroed).sum();
    let pruned = layers.iter().filter(|layer| layer.units.iter().all(Unit::is_empty));
    report.notes.extend(zero_notes(zeroed, pruned.map(|layer| layer.mac.name.as_str())));
}

/// What there is to say of weights that became 0, and of layers that were 0 as a whole.
pub(super) fn zero_notes<'a>(newly_zeroed: u64, pruned: impl Iterator<Item = &'a str>) -> Vec<Note> {
    let zeroed = (newly_zeroed > 0).then(|| {
        let text = match newly_zeroed {
            1 => "1 weight of less than half a step became 0 and counts as pruned".to_string(),
            many => format!("{many} weights of less than half a step became 0 and count as pruned"),
        };
        Note::new(NoteKind::Consequence, text)
    });
    let text = "all weights are 0; its step is 1 and means nothing";
    zeroed.into_iter().chain(pruned.map(|name| Note::of_layer(NoteKind::Consequence, name, text))).collect()
}
