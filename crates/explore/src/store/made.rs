//! Figures of points out of what a run found.

use engine::{EnergyGroup, Event};
use runner::{BitCounts, Hardware, HardwareRun, LayerDetail, NetworkCost};

use super::row::{HardwareRow, PointCosts, Spent};

impl PointCosts {
    /// What a network comes to on this hardware, in the order of the cost's totals.
    pub fn new(hardware: &[Hardware], cost: &NetworkCost, details: &[LayerDetail], bits: BitCounts) -> Self {
        let esn = &cost.esn;
        let detail: LayerDetail = details.iter().copied().sum();
        Self {
            weights: esn.weights,
            nonzero: esn.nonzero,
            filters: esn.filters,
            live_filters: esn.live_filters,
            macs: esn.macs,
            weights_alive: detail.computed_weights,
            macs_alive: detail.computed_macs,
            effective_macs: Some(cost.total_row().nonzero_macs),
            esn_a: esn.esn_a(),
            esn_d: esn.esn_d,
            esn_a_macs: esn.esn_a_macs(),
            esn_d_macs: esn.esn_d_macs,
            esn_d_filter: esn.esn_d_filter,
            max_bits: esn.max_bits,
            filter_bits: detail.bits.filters.to_vec(),
            weight_bits: detail.bits.weights.to_vec(),
            bits: Some(bits),
            hardware: hardware
                .iter()
                .zip(&cost.totals)
                .map(|(hardware, total)| hardware_row(hardware, total))
                .collect(),
        }
    }
}

fn hardware_row(hardware: &Hardware, total: &HardwareRun) -> HardwareRow {
    // Where a cost depends on the activations, one image differs from another: the whole number that is nearest to their mean.
    let images = u128::from(total.images);
    let of_image = |sum: u128| sum / images + u128::from(sum % images >= images.div_ceil(2));
    let energy_of = |group| total.run.ledger.energy_of(group).0 / total.images as f64;
    HardwareRow {
        name: hardware.engine.name().into(),
        metric: hardware.metric.name().into(),
        verdict: total.check.verdict.name().into(),
        cycles: of_image(total.run.cycles.0),
        energy_count: of_image(total.run.ledger.count(Event::MAC)),
        energy_j: total.energy_j(),
        spent: Some(Spent {
            compute_j: energy_of(EnergyGroup::Compute),
            conversion_j: energy_of(EnergyGroup::Conversion),
            memory_j: energy_of(EnergyGroup::Memory),
        }),
        utilization: total.run.occupancy.utilization(),
        score: None,
        agreement: None,
    }
}
