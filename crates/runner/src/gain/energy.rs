//! What the energy of two networks is spent on, and what keeps the second from gaining what is ideal.

use engine::{EnergyGroup, Entry, Event};

use super::work::{Fetched, Work};
use super::{ComparedNetwork, CountGain, Quantity, SAME, ideal_arithmetic, over};
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

/// Sums of energies differ by this part of them and are still equal.
const ROUNDING: f64 = 1e-9;

/// A part of the energy: that of one event for one reason, of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyPart {
    /// Why it is spent.
    pub cause: Cause,
    /// What it is spent on.
    pub event: Event,
    /// Joules before and after.
    pub joules: [f64; 2],
    /// What the part is ideally in proportion to.
    pub ideal_by: Quantity,
    /// The gain of that quantity; none where one of the networks has none of it.
    pub ideal: Option<f64>,
}

impl EnergyPart {
    /// The name in files: `zeros: weight fetch`.
    pub fn name(&self) -> String {
        format!("{}: {}", self.cause.name(), self.event)
    }

    /// The gain; none where one of the networks takes none.
    pub fn gain(&self) -> Option<f64> {
        over(self.joules[0], self.joules[1])
    }

    /// What the part takes ideally, in joules.
    fn ideal_j(&self) -> Option<f64> {
        if self.joules[0] == 0.0 { Some(0.0) } else { self.ideal.map(|ideal| self.joules[0] / ideal) }
    }

    /// What the part takes beyond its ideal, in joules; none where it takes no more, but for rounding.
    fn loss_j(&self) -> Option<f64> {
        let loss = self.joules[1] - self.ideal_j()?;
        Some(loss).filter(|loss| *loss > ROUNDING * self.joules[1])
    }
}

/// What one hardware gains in energy.
#[derive(Clone, Debug)]
pub struct EnergyGain {
    /// Energy before and after, in joules, all entries of the ledger.
    pub joules: [f64; 2],
    /// What it is spent on, in the order of the ledger. The parts add up to the energies.
    pub parts: Vec<EnergyPart>,
}

impl EnergyGain {
    pub(super) fn new(h: usize, hardware: &Hardware, networks: [ComparedNetwork<'_>; 2]) -> Self {
        let joules = networks.map(|network| network.cost.totals[h].energy_j());
        Self { joules, parts: parts(h, hardware, networks) }
    }

    /// The gain; none where one of the networks takes none.
    pub fn gain(&self) -> Option<f64> {
        over(self.joules[0], self.joules[1])
    }

    /// The gain if every part took what is ideal; none where that is nothing, or not known.
    pub fn ideal(&self) -> Option<f64> {
        let all: Option<f64> = self.parts.iter().map(EnergyPart::ideal_j).sum();
        over(self.joules[0], all?)
    }

    /// What the parts are ideally in proportion to, each once.
    pub fn ideal_by(&self) -> Vec<Quantity> {
        let of_parts = |quantity: &Quantity| self.parts.iter().any(|part| part.ideal_by == *quantity);
        Quantity::ALL.into_iter().filter(of_parts).collect()
    }

    /// The part of the energy before that is held against `quantity`, from 0 to 1.
    pub fn share_by(&self, quantity: Quantity) -> f64 {
        let of_quantity = self.parts.iter().filter(|part| part.ideal_by == quantity);
        over(of_quantity.map(|part| part.joules[0]).sum(), self.joules[0]).unwrap_or(0.0)
    }

    /// What a part takes beyond its ideal, of what all parts do that take more than theirs: from 0 to 1. None where the
    /// hardware gains what is ideal, and for parts that take no more than theirs.
    ///
    /// All such losses together are more than what the hardware takes beyond its ideal where other parts take less than theirs.
    pub fn share_of_losses(&self, part: &EnergyPart) -> Option<f64> {
        if self.gain()? >= self.ideal()? * (1.0 - SAME) {
            return None;
        }
        let all: f64 = self.parts.iter().filter_map(EnergyPart::loss_j).sum();
        part.loss_j().map(|loss| loss / all)
    }

    /// The part that loses most; none where the hardware gains what is ideal.
    pub fn largest_loss(&self) -> Option<(&EnergyPart, f64)> {
        let losses = self.parts.iter().filter_map(|part| Some((part, self.share_of_losses(part)?)));
        losses.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Every part of the energy of two networks, in the order of the ledger.
fn parts(h: usize, hardware: &Hardware, networks: [ComparedNetwork<'_>; 2]) -> Vec<EnergyPart> {
    let mut all: Vec<EnergyPart> = Vec::new();
    for (side, network) in networks.into_iter().enumerate() {
        for (layer, detail) in network.layers() {
            for (cause, event, joules) in of_layer(hardware, layer, detail, &layer.runs[h]) {
                let at = all.iter().position(|part| (part.cause, part.event) == (cause, event)).unwrap_or_else(|| {
                    let ideal_by = ideal_by(hardware, event);
                    let ideal = CountGain::new(ideal_by, networks).factor();
                    all.push(EnergyPart { cause, event, joules: [0.0; 2], ideal_by, ideal });
                    all.len() - 1
                });
                all[at].joules[side] += joules;
            }
        }
    }
    all.retain(|part| part.joules != [0.0; 2]);
    all
}

/// What the energy of an event is ideally in proportion to.
fn ideal_by(hardware: &Hardware, event: Event) -> Quantity {
    if event == digital::event::WEIGHT_FETCH { Quantity::EffectiveWeightBits } else { ideal_arithmetic(hardware) }
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
