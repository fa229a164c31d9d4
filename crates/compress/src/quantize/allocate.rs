//! Bits shared out among filters, each with a width of its own.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use esn::{BitConvention, BitWidth, CodeTensor, Grid, filter_esn};
use rayon::prelude::*;

use crate::Watch;
use crate::error::CompressError;
use crate::quantize::layer::Layer;
use crate::quantize::levels::{Levels, Unit};
use crate::quantize::options::StepRule;
use crate::quantize::rule::step_at_width;

/// The narrowest grid that holds a weight which is not 0.
pub(super) fn least_bits(grid: Grid) -> u32 {
    if grid == Grid::MidRise { 1 } else { 2 }
}

/// The noise and the widest code of one filter at one bit width.
#[derive(Clone, Copy, Debug)]
struct Choice {
    noise: f64,
    /// Bits of the widest code, which a rule that does not use the whole grid may leave below the bit width.
    width: u32,
}

/// The choices of one filter, one for each bit width. Each is computed when it is first asked for.
struct Choices<'a> {
    unit: &'a Unit,
    grid: Grid,
    rule: &'a StepRule,
    watch: Watch<'a>,
    known: [Option<Choice>; BitWidth::MAX as usize + 1],
}

impl<'a> Choices<'a> {
    fn new(unit: &'a Unit, grid: Grid, rule: &'a StepRule, watch: Watch<'a>) -> Self {
        Self { unit, grid, rule, watch, known: [None; BitWidth::MAX as usize + 1] }
    }

    fn levels(&self, bits: u32) -> Levels {
        Levels { grid: self.grid, bits: width(bits) }
    }

    fn step(&self, bits: u32) -> f32 {
        step_at_width(self.rule, self.unit, self.levels(bits))
    }

    fn at(&mut self, bits: u32) -> Choice {
        if let Some(choice) = self.known[bits as usize] {
            return choice;
        }
        (self.watch)();
        let (levels, step) = (self.levels(bits), self.step(bits));
        let choice =
            Choice { noise: self.unit.noise(levels, f64::from(step)), width: levels.widest(self.unit.max_abs, step) };
        self.known[bits as usize] = Some(choice);
        choice
    }
}

fn width(bits: u32) -> BitWidth {
    BitWidth::new(bits).expect("allocations stay within 1 to 16 bits")
}

/// Bit widths of one layer's filters that average at most `average`, and as near to it as whole bits can.
///
/// The quota of a filter's levels is `2^M_i ∝ α_i^(2/3)`, `α_i` its clipping range (Banner et al. 2018, section 4);
/// whole bits are dealt out from there by the squared error that each saves. A pruned filter gets none and counts for
/// none.
pub(super) fn average_bits(layer: &Layer, rule: &StepRule, average: f64, watch: Watch<'_>) -> Vec<BitWidth> {
    let grid = layer.levels.grid;
    let least = least_bits(grid);
    let mut choices: Vec<Choices> = layer.units.iter().map(|unit| Choices::new(unit, grid, rule, watch)).collect();
    let live: Vec<usize> = (0..choices.len()).filter(|&m| !layer.units[m].is_empty()).collect();
    let mut widths = vec![least; choices.len()];
    for (&m, quota) in live.iter().zip(quotas(&choices, &live, average)) {
        widths[m] = (quota.floor() as u32).clamp(least, BitWidth::MAX);
    }
    let budget = (average * live.len() as f64).floor() as u32;
    let mut used: u32 = live.iter().map(|&m| widths[m]).sum();
    while used != budget {
        let (candidate, step) = if used < budget {
            (best_by(&live, |m| (widths[m] < BitWidth::MAX).then(|| saved(&mut choices[m], widths[m]))), 1)
        } else {
            (best_by(&live, |m| (widths[m] > least).then(|| -saved(&mut choices[m], widths[m] - 1))), -1)
        };
        let Some(m) = candidate else { break };
        widths[m] = widths[m].saturating_add_signed(step);
        used = used.saturating_add_signed(step);
    }
    widths.into_iter().map(width).collect()
}

/// `M_i = log2(α_i^(2/3) / Σ α^(2/3) · B)` bits, `B` being `2^average` levels a filter.
fn quotas(choices: &[Choices], live: &[usize], average: f64) -> Vec<f64> {
    let at = (average.round() as u32).clamp(least_bits(choices[0].grid), BitWidth::MAX);
    let range = |&m: &usize| f64::from(choices[m].step(at)) * choices[m].levels(at).reach();
    let shares: Vec<f64> = live.iter().map(|m| range(m).powf(2.0 / 3.0)).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| (share / sum * live.len() as f64).log2() + average).collect()
}

/// Squared error that one more bit saves.
fn saved(choices: &mut Choices, bits: u32) -> f64 {
    choices.at(bits).noise - choices.at(bits + 1).noise
}

/// The first of those with the largest value.
fn best_by(live: &[usize], mut value: impl FnMut(usize) -> Option<f64>) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for &m in live {
        if let Some(value) = value(m)
            && best.is_none_or(|(largest, _)| value > largest)
        {
            best = Some((value, m));
        }
    }
    best.map(|(_, m)| m)
}

/// A filter that an ESN'_d budget is spent on.
struct Filter<'a> {
    place: (usize, usize),
    choices: Choices<'a>,
    /// Multiply-accumulates that are computed: what a bit costs.
    macs: f64,
    /// `‖W‖²` of the layer.
    layer_signal: f64,
    bits: u32,
}

/// More bits for one filter.
#[derive(Debug)]
struct Raise {
    gain_per_cost: f64,
    filter: usize,
    from: u32,
    to: u32,
}

impl Ord for Raise {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of equals the earlier filter, so that the order is the same on every run.
        self.gain_per_cost.total_cmp(&other.gain_per_cost).then(other.filter.cmp(&self.filter))
    }
}

impl PartialOrd for Raise {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Raise {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Raise {}

impl Filter<'_> {
    fn cost(&mut self, bits: u32) -> f64 {
        self.macs * f64::from(self.choices.at(bits).width)
    }

    /// The best raise by one or two bits (the second looks over a bit that saves nothing); by one alone where `single`.
    fn raise(&mut self, filter: usize, single: bool) -> Option<Raise> {
        let from = self.bits;
        let last = (from + if single { 1 } else { 2 }).min(BitWidth::MAX);
        let candidates = (from + 1..=last).map(|to| {
            let gain = (self.choices.at(from).noise - self.choices.at(to).noise) / self.layer_signal;
            let cost = (self.cost(to) - self.cost(from)).max(0.0);
            Raise { gain_per_cost: if gain > 0.0 { gain / cost } else { 0.0 }, filter, from, to }
        });
        candidates.filter(|raise| raise.gain_per_cost > 0.0).max()
    }
}

/// Bit widths of every filter of the network, by layer, with an ESN'_d (equation (7)) of at most `budget`.
///
/// Greedy on `Σ_l N_l / S_l`, the noise-to-signal ratios of the layers added up: from the narrowest grid on, the filter
/// gets more bits whose raise saves most of that sum per ESN'_d. Layers of a width of their own keep it and are paid
/// first.
///
/// # Errors
///
/// [`CompressError::Option`] if the narrowest grids exceed the budget already.
pub(super) fn esn_d_filter(
    layers: &[Layer],
    budget: f64,
    watch: Watch<'_>,
) -> Result<Vec<Vec<BitWidth>>, CompressError> {
    let mut filters = spendable(layers, watch);
    filters.par_iter_mut().for_each(|filter| _ = filter.choices.at(filter.bits));
    let mut spent: f64 = filters.iter_mut().map(|filter| filter.cost(filter.bits)).sum();
    if spent > budget {
        let problem = format!("an ESN'_d of {budget}; the narrowest widths come to {spent}");
        return Err(CompressError::Option { option: "allocation", problem });
    }
    let fixed = |filter: &Filter| layers[filter.place.0].own_width;
    filters.par_iter_mut().filter(|filter| !fixed(filter)).for_each(|filter| _ = filter.raise(0, false));
    let mut heap: BinaryHeap<Raise> = (0..filters.len())
        .filter(|&index| !fixed(&filters[index]))
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(|index| filters[index].raise(index, false))
        .collect();
    while let Some(raise) = heap.pop() {
        let filter = &mut filters[raise.filter];
        let after = spent + filter.cost(raise.to) - filter.cost(raise.from);
        if after <= budget {
            filter.bits = raise.to;
            spent = after;
            heap.extend(filter.raise(raise.filter, false));
        } else if raise.to > raise.from + 1 {
            heap.extend(filter.raise(raise.filter, true));
        }
    }
    let mut widths: Vec<Vec<BitWidth>> =
        layers.iter().map(|layer| vec![layer.levels.bits; layer.units.len()]).collect();
    for filter in filters {
        widths[filter.place.0][filter.place.1] = width(filter.bits);
    }
    Ok(widths)
}

/// All filters that are not pruned, at their narrowest width, or at that of their layer.
fn spendable<'a>(layers: &'a [Layer], watch: Watch<'a>) -> Vec<Filter<'a>> {
    let mut filters = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let layer_signal = layer.units.iter().map(|unit| unit.signal).sum();
        let grid = layer.levels.grid;
        let bits = if layer.own_width { layer.levels.bits.get() } else { least_bits(grid) };
        for (m, (unit, computed)) in layer.units.iter().zip(computed_weights(layer)).enumerate() {
            if !unit.is_empty() {
                let macs = computed as f64 * layer.positions as f64;
                let choices = Choices::new(unit, grid, layer.rule, watch);
                filters.push(Filter { place: (index, m), choices, macs, layer_signal, bits });
            }
        }
    }
    filters
}

/// Weights of each filter that equation (7) counts: those of channels that are not pruned.
fn computed_weights(layer: &Layer) -> Vec<u64> {
    let occupied = layer.weights.iter().map(|&weight| i32::from(weight != 0.0)).collect();
    let codes = CodeTensor::new(Grid::MidRise, layer.mac.channel_shape(), occupied)
        .expect("the network is checked to have as many weights as its geometry, and 0 and 1 are levels");
    filter_esn(&codes, BitConvention::default()).iter().map(|filter| filter.computed).collect()
}
