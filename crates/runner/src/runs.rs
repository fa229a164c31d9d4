//! Runs that follow one another, added up: layers of a network, images through a layer.

use engine::{Cycles, LayerRun, Ledger, Occupancy};

/// What one hardware counted on images, summed over them.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRuns {
    /// How many images were counted.
    pub images: u64,
    /// The sums, one a layer.
    pub layers: Vec<LayerRun>,
}

/// The sum of two runs. Layers, and images, run one after another, so that cycles add like energies.
pub(crate) fn add_runs(mut sum: LayerRun, next: &LayerRun) -> LayerRun {
    let mut ledger = Ledger::new();
    ledger.merge(&sum.ledger);
    ledger.merge(&next.ledger);
    for &(cause, count) in &next.idle {
        match sum.idle.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, total)) => *total += count,
            None => sum.idle.push((cause, count)),
        }
    }
    LayerRun {
        cycles: Cycles(sum.cycles.0 + next.cycles.0),
        ledger,
        occupancy: Occupancy::merge(sum.occupancy, next.occupancy),
        idle: sum.idle,
    }
}
