//! What one filter takes of a row.

use std::ops::Range;

use esn::Grid;

use super::activity::Activity;
use super::setting::Setting;
use crate::departures::{PlaneSkipping, ZeroSkipping};
use crate::encoding::{FilterWidths, PlaneUse, width_of};
use crate::planes::Planes;
use crate::spec::Granularity;

/// What a filter takes.
#[derive(Clone, Debug, Default)]
pub(super) struct FilterCost {
    /// The number of parts that its row holds one after another; 0 for a filter of which nothing is computed.
    pub(super) tiles: u64,
    /// Weights that are computed.
    pub(super) issued: u64,
    /// Cycles at work for one group of positions in which no activation is 0.
    pub(super) cycles: u64,
    /// Cycles at work for all groups.
    pub(super) working: u128,
    /// Busy PE-cycles.
    pub(super) busy: u128,
    /// PE-cycles of the row at work on elements without a position.
    pub(super) position_tail: u128,
    pub(super) use_of_planes: PlaneSums,
}

/// A part of a filter that a row holds.
#[derive(Clone, Debug)]
pub(super) struct TileCost {
    /// Its weights, those that are not computed among them.
    pub(super) weights: Range<usize>,
    pub(super) issued: u64,
    pub(super) cycles: u64,
}

/// Planes of all elements by their use, as in [`PlaneUse`]; also those that the ideal executes on activations of 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlaneSums {
    pub(super) useful: u128,
    pub(super) rounding: u128,
    pub(super) zeros: u128,
    pub(super) skipped: u128,
    pub(super) on_zero_activations: u128,
}

/// A weight that is computed, for one position.
pub(super) struct IssuedWeight {
    /// Index in its filter.
    pub(super) index: usize,
    planes: PlaneUse,
    /// Cycles of an element that works on nothing else.
    pub(super) cycles: u32,
}

/// Sums over the weights of a filter, for one position.
#[derive(Clone, Copy, Debug, Default)]
struct WeightSums {
    issued: u64,
    cycles: u64,
    useful: u64,
    rounding: u64,
    zeros: u64,
    skipped: u64,
}

impl Setting<'_> {
    /// The cost of a filter. `activity` is that of its group of the layer, or `None` if no activation counts as 0.
    pub(super) fn filter_cost(&self, filter: usize, activity: Option<&Activity>) -> FilterCost {
        if activity.is_none() {
            let sums = self.sums(filter);
            let bits = u128::from(sums.issued) * u128::from(self.storage.weight_bits(filter));
            if sums.issued == 0 {
                return FilterCost::default();
            }
            if self.departures.buffers.weight_bits_per_row.is_none_or(|buffer| bits <= u128::from(buffer)) {
                return self.whole(&sums);
            }
        }
        self.walk(filter, activity)
    }

    /// Which channels of the group of a filter have a nonzero weight; empty where no rule asks for them.
    fn live_of(&self, filter: usize) -> &[bool] {
        let shape = self.layer.weights().shape();
        let group = filter / (shape.filters / shape.groups);
        if self.live.is_empty() { &[] } else { &self.live[group * shape.channels..(group + 1) * shape.channels] }
    }

    /// The cost of a filter that fits the buffer of its row, where no activation counts as 0.
    fn whole(&self, sums: &WeightSums) -> FilterCost {
        let every = |planes: u64| u128::from(planes) * self.positions;
        let cycles = u128::from(sums.cycles);
        let working = cycles * self.groups;
        FilterCost {
            tiles: 1,
            issued: sums.issued,
            cycles: sums.cycles,
            working,
            busy: every(sums.cycles),
            position_tail: cycles * self.tail(),
            use_of_planes: PlaneSums {
                useful: every(sums.useful),
                rounding: every(sums.rounding),
                zeros: every(sums.zeros),
                skipped: every(sums.skipped),
                on_zero_activations: 0,
            },
        }
    }

    /// The widths of a filter.
    fn widths_of(&self, filter: usize) -> FilterWidths {
        self.encoding.filter_widths(width_of(self.encoding.grid, self.storage.filter(filter).largest()))
    }

    /// Sums over the weights of a filter, from how many weights there are of each width.
    fn sums(&self, filter: usize) -> WeightSums {
        let (weights, widths, live) =
            (self.layer.weights().filter(filter), self.widths_of(filter), self.live_of(filter));
        let all = self.storage.filter(filter);
        let nonzero = all.count() - all.zeros();
        let live_weights = if widths.own == 0 { 0 } else { self.live_weights(live) };
        let issued = |nonzero: u64| match self.encoding.zero_skipping {
            ZeroSkipping::None => weights.len() as u64,
            ZeroSkipping::Filters => live_weights,
            ZeroSkipping::Weights => nonzero,
            ZeroSkipping::Pattern { keep, of } => self.encoding.kept_by_pattern(weights.len(), keep, of),
        };
        if self.encoding.granularity == Granularity::Weight {
            return self.sums_of_own_widths(weights, nonzero, issued);
        }
        let shared = widths.shared;
        let (issued, useful, of_zeros) = match self.encoding.useful {
            Granularity::Weight => {
                let issued = issued(nonzero);
                (issued, least_planes(self.encoding.grid, weights), u64::from(shared) * (issued - nonzero))
            }
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => {
                let issued = issued(0);
                (issued, u64::from(widths.own) * live_weights, u64::from(shared) * (issued - live_weights))
            }
        };
        let executed = issued * u64::from(shared);
        WeightSums {
            issued,
            cycles: self.shared_cycles(issued, shared),
            useful,
            rounding: executed - useful - of_zeros,
            zeros: of_zeros,
            skipped: 0,
        }
    }

    fn live_weights(&self, live: &[bool]) -> u64 {
        let taps = self.layer.weights().shape().taps;
        (live.iter().filter(|live| **live).count() * taps) as u64
    }

    /// Cycles of so many weights of one width.
    fn shared_cycles(&self, issued: u64, width: u32) -> u64 {
        let element = self.departures.element;
        if element.splits && width <= element.planes_per_cycle {
            return issued.div_ceil(u64::from(element.planes_per_cycle / width));
        }
        issued * u64::from(width.div_ceil(element.planes_per_cycle))
    }

    fn sums_of_own_widths(&self, weights: &[i32], nonzero: u64, issued: impl Fn(u64) -> u64) -> WeightSums {
        let (encoding, per_cycle) = (&self.encoding, self.departures.element.planes_per_cycle);
        if per_cycle == 1 && encoding.plane_skipping == PlaneSkipping::None && self.departures.supports_every_width() {
            let (issued, useful) = (issued(nonzero), least_planes(encoding.grid, weights));
            let zeros = issued - nonzero;
            let cycles = useful + zeros;
            return WeightSums { issued, cycles, useful, zeros, ..WeightSums::default() };
        }
        let mut sums = WeightSums::default();
        for (least, digits, count) in histogram(encoding.grid, encoding.plane_skipping, weights) {
            let given = encoding.rounded[least as usize];
            let executed = if encoding.plane_skipping == PlaneSkipping::None { given } else { digits };
            sums.add(count, executed, least, per_cycle);
        }
        let zeros = issued(nonzero) - nonzero;
        sums.add(zeros, encoding.rounded[0], 0, per_cycle);
        sums
    }

    /// The cost of a filter weight by weight. This way is taken where the filter does not fit its buffer, or
    /// activations may be 0.
    fn walk(&self, filter: usize, activity: Option<&Activity>) -> FilterCost {
        let tiles = self.tiles(filter);
        let mut cost = FilterCost {
            tiles: tiles.len() as u64,
            issued: tiles.iter().map(|tile| tile.issued).sum(),
            cycles: tiles.iter().map(|tile| tile.cycles).sum(),
            ..FilterCost::default()
        };
        for weight in self.issued_weights(filter, 0..self.layer.geometry().rows()) {
            self.add_weight(&mut cost, &weight, activity);
        }
        if self.departures.element.splits {
            // Weights that share a cycle do not add up one by one.
            let cycles = u128::from(cost.cycles);
            cost.working = cycles * self.groups;
            cost.busy = cycles * self.positions;
            cost.position_tail = cycles * self.tail();
        }
        cost
    }

    fn add_weight(&self, cost: &mut FilterCost, weight: &IssuedWeight, activity: Option<&Activity>) {
        let [all, groups, last] = match activity {
            Some(activity) => activity.of(weight.index),
            None => [self.positions, self.groups, 1],
        };
        let (cycles, planes) = (u128::from(weight.cycles), weight.planes);
        cost.working += cycles * groups;
        cost.busy += cycles * all;
        cost.position_tail += cycles * last * self.tail();
        let sums = &mut cost.use_of_planes;
        sums.useful += u128::from(planes.useful) * all;
        sums.rounding += u128::from(planes.rounding) * all;
        sums.zeros += u128::from(planes.zeros) * all;
        sums.skipped += u128::from(planes.skipped) * all;
        sums.on_zero_activations += u128::from(planes.useful + planes.skipped) * (self.positions - all);
    }

    /// The parts of a filter that its row holds one after another. A part takes weights in order while they fit, and
    /// one at least.
    pub(super) fn tiles(&self, filter: usize) -> Vec<TileCost> {
        let buffer = self.departures.buffers.weight_bits_per_row.map_or(u128::MAX, u128::from);
        let mut tiles: Vec<TileCost> = Vec::new();
        let (mut tile_bits, bits) = (0, u128::from(self.storage.weight_bits(filter)));
        for weight in self.issued_weights(filter, 0..self.layer.geometry().rows()) {
            if tiles.is_empty() || tile_bits + bits > buffer {
                tiles.push(TileCost { weights: weight.index..weight.index, issued: 0, cycles: 0 });
                tile_bits = 0;
            }
            tile_bits += bits;
            if let Some(tile) = tiles.last_mut() {
                tile.weights.end = weight.index + 1;
                tile.issued += 1;
                tile.cycles += u64::from(weight.cycles);
            }
        }
        if self.departures.element.splits {
            let width = self.widths_of(filter).shared;
            for tile in &mut tiles {
                tile.cycles = self.shared_cycles(tile.issued, width);
            }
        }
        tiles
    }

    /// The weights of a filter that are computed, out of a range of its weights.
    pub(super) fn issued_weights(&self, filter: usize, range: Range<usize>) -> impl Iterator<Item = IssuedWeight> {
        let taps = self.layer.weights().shape().taps;
        let weights = self.layer.weights().filter(filter);
        let (widths, channels) = (self.widths_of(filter), self.live_of(filter));
        let per_cycle = self.departures.element.planes_per_cycle;
        range.filter_map(move |index| {
            let code = weights[index];
            let live = widths.own > 0 && channels.get(index / taps).is_some_and(|live| *live);
            self.encoding.is_issued(weights, index, live).then(|| {
                let executed = executed(self.encoding.plane_skipping, code, self.encoding.planes(code, widths));
                let planes = PlaneUse::new(executed, self.encoding.ideal_planes(code, widths, live));
                IssuedWeight { index, planes, cycles: executed.div_ceil(per_cycle) }
            })
        })
    }
}

impl WeightSums {
    /// Adds `count` weights that take `executed` planes each, of which the ideal takes `ideal`.
    fn add(&mut self, count: u64, executed: u32, ideal: u32, per_cycle: u32) {
        let planes = PlaneUse::new(executed, ideal);
        self.issued += count;
        self.cycles += count * u64::from(executed.div_ceil(per_cycle));
        self.useful += count * u64::from(planes.useful);
        self.rounding += count * u64::from(planes.rounding);
        self.zeros += count * u64::from(planes.zeros);
        self.skipped += count * u64::from(planes.skipped);
    }
}

/// Planes that a computed weight executes.
fn executed(skipping: PlaneSkipping, code: i32, given: u32) -> u32 {
    match skipping {
        PlaneSkipping::None => given,
        // A zero that is computed takes a cycle, though it has no digit.
        PlaneSkipping::ZeroPlanes | PlaneSkipping::Csd => digits(skipping, code.unsigned_abs()).max(1),
    }
}

/// Nonzero digits of a magnitude. Those of the canonical signed digit form stand where `m` and `3m` differ.
fn digits(skipping: PlaneSkipping, magnitude: u32) -> u32 {
    match skipping {
        PlaneSkipping::Csd => (magnitude ^ (3 * magnitude)).count_ones(),
        PlaneSkipping::None | PlaneSkipping::ZeroPlanes => magnitude.count_ones(),
    }
}

/// How many nonzero weights there are of each least width and number of nonzero digits: `(width, digits, count)`. Where
/// no planes are skipped, digits do not matter and are 0.
fn histogram(grid: Grid, skipping: PlaneSkipping, weights: &[i32]) -> impl Iterator<Item = (u32, u32, u64)> {
    const SIDE: usize = Planes::MAX_WIDTH as usize + 1;
    let mut counts = [0u64; SIDE * SIDE];
    for &code in weights {
        let digits = if skipping == PlaneSkipping::None { 0 } else { digits(skipping, code.unsigned_abs()) };
        counts[Planes::least_width(grid, code) as usize * SIDE + digits as usize] += 1;
    }
    let of_nonzero = counts.into_iter().enumerate().skip(SIDE).filter(|(_, count)| *count > 0);
    of_nonzero.map(|(key, count)| ((key / SIDE) as u32, (key % SIDE) as u32, count))
}

/// Planes of all weights together, each in its own width.
fn least_planes(grid: Grid, weights: &[i32]) -> u64 {
    let mut planes = 0;
    let found = &mut planes;
    lanes::run(
        #[inline(always)]
        move || {
            let mut all = 0;
            // Widths of 2^16 weights fit 32 bits, in which the sum is fast.
            for chunk in weights.chunks(1 << 16) {
                let mut planes = 0u32;
                for &code in chunk {
                    planes += Planes::least_width(grid, code);
                }
                all += u64::from(planes);
            }
            *found = all;
        },
    );
    planes
}
