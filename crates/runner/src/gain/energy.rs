//! What the energy of two networks is spent on, and what keeps the second from gaining what the metric promises.

use engine::{EnergyGroup, Entry, Event};

use super::work::{Fetched, Work};
use super::{ComparedNetwork, SAME};
use crate::cost::{HardwareRun, LayerCost};
use crate::detail::LayerDetail;
use crate::hardware::Hardware;

/// Why energy is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// MACs, as far as weights that are not pruned need them.
    Macs,
    /// Zeros in filters that are not pruned, which are computed, or stored and fetched.
    Zeros,
    /// Pruned filters and input channels that are still in the tensors.
    DeadFilters,
    /// Bits that are computed beyond those of a weight, or stored beyond those of the layer's widest.
    Width,
    /// Indices of weights, which are decoded, or stored and fetched.
    Indices,
    /// Elements or cells that have no work.
    Waiting,
    /// Conversion between numbers and voltages or currents.
    Converters,
    /// Weights that are not pruned, activations and partial sums that are fetched and moved.
    Memory,
    /// Control, and what arithmetic takes beside the MACs.
    Overhead,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 9] = [
        Cause::Macs,
        Cause::Zeros,
        Cause::DeadFilters,
        Cause::Width,
        Cause::Indices,
        Cause::Waiting,
        Cause::Converters,
        Cause::Memory,
        Cause::Overhead,
    ];

    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Macs => "macs",
            Cause::Zeros => "zeros",
            Cause::DeadFilters => "dead-filters",
            Cause::Width => "width",
            Cause::Indices => "indices",
            Cause::Waiting => "waiting",
            Cause::Converters => "converters",
            Cause::Memory => "memory",
            Cause::Overhead => "overhead",
        }
    }

    /// The cause of all energy of an event, but for those that are divided.
    fn of(event: Event) -> Self {
        match event.group() {
            EnergyGroup::Conversion => Cause::Converters,
            EnergyGroup::Memory => Cause::Memory,
            EnergyGroup::Compute if event == Event::MAC => Cause::Macs,
            EnergyGroup::Compute if event == digital::event::INDEX => Cause::Indices,
            EnergyGroup::Compute if [digital::event::IDLE, analog::event::IDLE_CELLS].contains(&event) => {
                Cause::Waiting
            }
            EnergyGroup::Compute => Cause::Overhead,
        }
    }
}

/// A part of the energy: that of one event for one reason, of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyPart {
    /// Why it is spent.
    pub cause: Cause,
    /// What it is spent on.
    pub event: Event,
    /// Joules before and after.
    pub joules: [f64; 2],
}

impl EnergyPart {
    /// What the part takes beyond a gain of `promised`, in joules.
    fn excess(&self, promised: f64) -> f64 {
        self.joules[1] - self.joules[0] / promised
    }
}

/// What eats most of the gain in energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyLoss {
    /// The cause that takes most beyond its promised part.
    pub cause: Cause,
    /// The event of this cause that does.
    pub event: Event,
    /// What the cause takes beyond its promised part, of what all such causes do together: from 0 to 1.
    pub share: f64,
}

/// Every part of the energy of two networks, in the order of the ledger. They add up to the energies.
pub(super) fn parts(
    h: usize,
    hardware: &Hardware,
    before: ComparedNetwork<'_>,
    after: ComparedNetwork<'_>,
) -> Vec<EnergyPart> {
    let mut all: Vec<EnergyPart> = Vec::new();
    for (side, network) in [before, after].into_iter().enumerate() {
        for (layer, detail) in network.layers() {
            for (cause, event, joules) in of_layer(hardware, layer, detail, &layer.runs[h]) {
                match all.iter_mut().find(|part| (part.cause, part.event) == (cause, event)) {
                    Some(part) => part.joules[side] += joules,
                    None => {
                        let mut part = EnergyPart { cause, event, joules: [0.0; 2] };
                        part.joules[side] = joules;
                        all.push(part);
                    }
                }
            }
        }
    }
    all.retain(|part| part.joules != [0.0; 2]);
    all
}

/// The parts of one layer.
fn of_layer(
    hardware: &Hardware,
    layer: &LayerCost,
    detail: &LayerDetail,
    run: &HardwareRun,
) -> Vec<(Cause, Event, f64)> {
    let of_entry = |entry: &Entry| -> Vec<(Cause, Event, f64)> {
        let (event, unit) = (entry.event, entry.unit.0);
        let all = unit * run.per_image(entry.count).to_f64();
        if event == digital::event::WEIGHT_FETCH {
            let Fetched { needed, width, indices, zeros, dead } = Fetched::new(hardware, layer, detail, run);
            let of = [
                (Cause::Memory, needed),
                (Cause::Width, width),
                (Cause::Indices, indices),
                (Cause::Zeros, zeros),
                (Cause::DeadFilters, dead),
            ];
            return of.map(|(cause, share)| (cause, event, all * share)).to_vec();
        }
        if event == Event::MAC {
            let Work { needed, width, zeros, dead } = Work::planes(hardware, layer, detail, run);
            return vec![
                (Cause::Macs, event, unit * needed),
                (Cause::Width, digital::event::WIDTH_ROUNDING, unit * width),
                (Cause::Zeros, digital::event::COMPUTED_ZEROS, unit * zeros),
                (Cause::DeadFilters, digital::event::COMPUTED_ZEROS, unit * dead),
            ];
        }
        // Planes of the same unit, which are divided with the MACs.
        if [digital::event::WIDTH_ROUNDING, digital::event::COMPUTED_ZEROS].contains(&event) {
            return Vec::new();
        }
        vec![(Cause::of(event), event, all)]
    };
    run.run.ledger.entries().iter().flat_map(of_entry).collect()
}

/// What eats most of a promised gain; none where the energy gains that much.
pub(super) fn loss(parts: &[EnergyPart], promised: f64) -> Option<EnergyLoss> {
    let [before, after] = [0, 1].map(|side| parts.iter().map(|part| part.joules[side]).sum::<f64>());
    if after <= before / promised * (1.0 + SAME) {
        return None;
    }
    let of_cause = |cause: Cause| parts.iter().filter(move |part| part.cause == cause);
    let excess = |cause| of_cause(cause).map(|part| part.excess(promised)).sum::<f64>();
    let lost: Vec<(Cause, f64)> =
        Cause::ALL.into_iter().map(|cause| (cause, excess(cause))).filter(|(_, excess)| *excess > 0.0).collect();
    let &(cause, most) = lost.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let event = of_cause(cause).max_by(|a, b| a.excess(promised).total_cmp(&b.excess(promised)))?.event;
    Some(EnergyLoss { cause, event, share: most / lost.iter().map(|(_, excess)| excess).sum::<f64>() })
}
