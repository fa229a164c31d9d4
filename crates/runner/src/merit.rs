//! Figures of merit: what the counts of a run mean to those who build or buy hardware.

use engine::{EnergyGroup, Event};

use crate::cost::{HardwareRun, LayerCost};
use crate::hardware::Hardware;

/// Operations of one multiply-accumulate, by the custom of the field.
const OPERATIONS_PER_MAC: f64 = 2.0;

/// Figures of one layer, or of a network, on one hardware; all of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merit {
    /// Energy in joules, all entries of the ledger.
    pub energy_j: f64,
    /// Its parts, in the order of [`EnergyGroup::ALL`]: compute, conversion and memory.
    pub energy_by_group_j: [f64; 3],
    /// Energy of the metric at the same unit, in joules.
    pub esn_energy_j: f64,
    /// `energy_j / esn_energy_j`: how far the hardware is from ideal; none where the metric is 0.
    pub ratio: Option<f64>,
    /// Cycles over the cycles of the ideal engine; none where the ideal engine needs none.
    pub cycle_ratio: Option<f64>,
    /// `cycles / clock` in seconds; none without a clock.
    pub latency_s: Option<f64>,
    /// `energy · latency` in joule-seconds; none without a clock.
    pub energy_delay_js: Option<f64>,
    /// `2 · MACs / energy` in 10^12 operations a second and watt, the MACs of the dense layer: pruned ones count as
    /// done. None where nothing was spent, or energies are normalized.
    pub tops_per_w: Option<f64>,
    /// The same, but only the MACs of nonzero weights count as done.
    pub effective_tops_per_w: Option<f64>,
}

impl Merit {
    /// The figures of a run of `layer` on `hardware`. For the sum of a network, `layer` is
    /// [`crate::NetworkCost::total_row`].
    pub fn new(hardware: &Hardware, layer: &LayerCost, run: &HardwareRun) -> Self {
        let energy_j = run.energy_j();
        let esn_energy_j = hardware.unit.times(run.check.expected).0;
        let cycles = run.cycles().to_f64();
        let latency_s = hardware.clock_hz.map(|clock| cycles / clock);
        let tops_per_w = |macs: u128| {
            let per_joule = over(OPERATIONS_PER_MAC * macs as f64, energy_j).filter(|_| !hardware.normalized);
            per_joule.map(|per_joule| per_joule / 1e12)
        };
        Self {
            energy_j,
            energy_by_group_j: EnergyGroup::ALL.map(|group| run.run.ledger.energy_of(group).0 / run.images as f64),
            esn_energy_j,
            ratio: over(energy_j, esn_energy_j),
            cycle_ratio: over(cycles, run.check.expected_cycles as f64),
            latency_s,
            energy_delay_js: latency_s.map(|latency| energy_j * latency),
            tops_per_w: tops_per_w(layer.esn.macs),
            effective_tops_per_w: tops_per_w(layer.nonzero_macs),
        }
    }
}

fn over(x: f64, y: f64) -> Option<f64> {
    (y > 0.0).then(|| x / y)
}

/// The unit of energies, as reports name it: `J`, or `normalized` where joules mean nothing.
pub fn energy_unit(normalized: bool) -> &'static str {
    if normalized { "normalized" } else { "J" }
}

/// Energy of each entry of the ledger, per image in joules.
pub fn energy_by_entry(run: &HardwareRun) -> Vec<(Event, f64)> {
    let entries = run.run.ledger.entries().iter();
    entries.map(|entry| (entry.event, entry.unit.times(entry.count).0 / run.images as f64)).collect()
}
