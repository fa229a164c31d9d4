//! From counts to a run: the ledger and the idle causes of an array, in a fixed order.

use engine::{Cycles, Event, IdleCause, Joules, LayerRun, Ledger, Occupancy, WeightMemory};

use crate::departures::{Barrier, Departures, PlaneSkipping, ZeroActivations, ZeroSkipping};
use crate::event;
use crate::idle;
use crate::spec::{ArraySpec, Granularity};

/// Everything that a machine counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) cycles: u128,
    /// PE-cycles in which elements are busy; those in which they idle, by cause, follow.
    pub(crate) busy: u128,
    pub(crate) position_tail: u128,
    pub(crate) zero_activation: u128,
    pub(crate) finished_early: u128,
    /// Row-cycles in which a row works; those of its stalls follow.
    pub(crate) working: u128,
    pub(crate) filling: u128,
    pub(crate) decoding: u128,
    pub(crate) waiting: u128,
    /// Planes of all elements, by their use.
    pub(crate) useful: u128,
    pub(crate) rounding: u128,
    pub(crate) zeros: u128,
    pub(crate) skipped: u128,
    pub(crate) on_zero_activations: u128,
    /// Bits that are decoded, fetched or moved.
    pub(crate) index_bits: u128,
    pub(crate) memory: WeightMemory,
    pub(crate) activation_bits: u128,
    pub(crate) partial_sum_bits: u128,
}

impl Counts {
    /// Both counts added.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cycles: self.cycles + other.cycles,
            busy: self.busy + other.busy,
            position_tail: self.position_tail + other.position_tail,
            zero_activation: self.zero_activation + other.zero_activation,
            finished_early: self.finished_early + other.finished_early,
            working: self.working + other.working,
            filling: self.filling + other.filling,
            decoding: self.decoding + other.decoding,
            waiting: self.waiting + other.waiting,
            useful: self.useful + other.useful,
            rounding: self.rounding + other.rounding,
            zeros: self.zeros + other.zeros,
            skipped: self.skipped + other.skipped,
            on_zero_activations: self.on_zero_activations + other.on_zero_activations,
            index_bits: self.index_bits + other.index_bits,
            memory: self.memory.plus(other.memory),
            activation_bits: self.activation_bits + other.activation_bits,
            partial_sum_bits: self.partial_sum_bits + other.partial_sum_bits,
        }
    }
}

/// The run that was counted. An entry or a cause is left out if it belongs to a departure that the array does not have.
pub(crate) fn layer_run(spec: &ArraySpec, departures: &Departures, counts: &Counts) -> LayerRun {
    let pes = spec.pes_per_row as u128;
    let offered = counts.cycles * spec.rows as u128 * pes;
    LayerRun {
        cycles: Cycles(counts.cycles),
        ledger: ledger(spec, departures, counts, offered),
        occupancy: Occupancy { used: counts.busy, offered },
        idle: idle(departures, counts, pes),
        memory: counts.memory,
    }
}

fn ledger(spec: &ArraySpec, departures: &Departures, counts: &Counts, offered: u128) -> Ledger {
    let energy = &departures.energy;
    let (plane, free) = (spec.pe_cycle_energy, Joules(0.0));
    let spends = |unit: Joules| unit.0 > 0.0;
    let entries = [
        (true, Event::MAC, counts.useful, plane),
        (rounds_widths(departures, spec.granularity), event::WIDTH_ROUNDING, counts.rounding, plane),
        (computes_zeros(departures, spec.granularity), event::COMPUTED_ZEROS, counts.zeros, plane),
        (departures.plane_skipping != PlaneSkipping::None, event::SKIPPED_PLANES, counts.skipped, free),
        (gates(departures), event::ON_ZERO_ACTIVATIONS, counts.on_zero_activations, free),
        (spends(energy.idle_pe_cycle), event::IDLE, offered - counts.busy, energy.idle_pe_cycle),
        (spends(energy.index_bit), event::INDEX, counts.index_bits, energy.index_bit),
        (spends(energy.array_cycle), event::ARRAY_CONTROL, counts.cycles, energy.array_cycle),
        (
            spends(energy.row_cycle),
            event::ROW_CONTROL,
            counts.working + counts.filling + counts.decoding,
            energy.row_cycle,
        ),
        (spends(energy.weight_bit), event::WEIGHT_FETCH, counts.memory.bits, energy.weight_bit),
        (spends(energy.activation_bit), event::ACTIVATION_FETCH, counts.activation_bits, energy.activation_bit),
        (spends(energy.partial_sum_bit), event::PARTIAL_SUMS, counts.partial_sum_bits, energy.partial_sum_bit),
    ];
    let mut ledger = Ledger::new();
    for (_, event, count, unit) in entries.into_iter().filter(|entry| entry.0) {
        ledger.add(event, count, unit);
    }
    ledger
}

fn idle(departures: &Departures, counts: &Counts, pes: u128) -> Vec<(IdleCause, u128)> {
    let fills = departures.fill_cycles_per_tile > 0 || departures.fill_cycles_per_group > 0;
    let causes = [
        (true, idle::POSITION_TAIL, counts.position_tail),
        (true, idle::ROW_FINISHED_EARLY, counts.finished_early),
        (departures.barrier != Barrier::None, idle::SYNCHRONIZATION, counts.waiting * pes),
        (fills, idle::PIPELINE_FILL, counts.filling * pes),
        (departures.index_cycles_per_nonzero > 0, idle::INDEX_DECODING, counts.decoding * pes),
        (gates(departures), idle::ZERO_ACTIVATION, counts.zero_activation),
    ];
    causes.into_iter().filter(|cause| cause.0).map(|(_, cause, count)| (cause, count)).collect()
}

fn gates(departures: &Departures) -> bool {
    departures.zero_activations != ZeroActivations::Compute
}

/// Whether weights can take more planes than the ideal gives them.
fn rounds_widths(departures: &Departures, granularity: Granularity) -> bool {
    !departures.supports_every_width()
        || matches!(granularity, Granularity::Layer | Granularity::Fixed(_))
        || granularity != departures.useful_granularity(granularity)
}

/// Whether zeros are computed that the ideal skips.
fn computes_zeros(departures: &Departures, granularity: Granularity) -> bool {
    match departures.useful_granularity(granularity) {
        Granularity::Weight => departures.zero_skipping(granularity) != ZeroSkipping::Weights,
        Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => {
            departures.zero_skipping(granularity) == ZeroSkipping::None
        }
    }
}
