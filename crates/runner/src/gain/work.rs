//! What a digital array executes for a layer, by what it is good for.

use digital::event;
use engine::{Event, WeightFormat, WeightMemory};

use crate::cost::{HardwareRun, LayerCost};
use crate::detail::LayerDetail;
use crate::hardware::{Hardware, Metric};

/// Amounts of one layer: bit planes of one image, or parts of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Work {
    /// What weights that are not pruned need.
    pub(super) needed: f64,
    /// What such weights take beyond that, because of the width that they share or that the hardware has.
    pub(super) width: f64,
    /// What zeros take, in filters and input channels that are not pruned.
    pub(super) zeros: f64,
    /// What pruned filters and input channels take.
    pub(super) dead: f64,
}

impl Work {
    /// The planes that an array executes. Of analog hardware all of its work is needed.
    ///
    /// Hardware that is held against ESN'_d computes the zeros of a filter like its other weights. Their part of the planes
    /// is taken to be their part of the MACs. That is exact where all filters of the layer take the same planes, as in a
    /// fixed width, and the mean of the layer elsewhere. Where planes are skipped nothing is divided.
    pub(super) fn planes(hardware: &Hardware, layer: &LayerCost, detail: &LayerDetail, run: &HardwareRun) -> Self {
        let of_image = |event| run.per_image(run.run.ledger.count(event)).to_f64();
        let [mac, rounding, computed] = [Event::MAC, event::WIDTH_ROUNDING, event::COMPUTED_ZEROS].map(of_image);
        let shares = Shares::new(layer, detail);
        match hardware.metric {
            Metric::EsnA => Self { needed: mac, ..Self::default() },
            Metric::EsnD => {
                let zeros = computed * part(shares.zeros, shares.zeros + shares.dead);
                Self { needed: mac, width: rounding, zeros, dead: computed - zeros }
            }
            Metric::EsnDFilter if !executes_metric(run) => {
                Self { needed: mac, width: rounding, zeros: 0.0, dead: computed }
            }
            Metric::EsnDFilter => {
                let live = mac + rounding;
                let zeros = live * part(shares.zeros, shares.nonzero + shares.zeros);
                let needed = (layer.esn.esn_d_macs as f64).min(live - zeros);
                Self { needed, width: live - zeros - needed, zeros, dead: computed }
            }
        }
    }

    /// All of it.
    pub(super) fn sum(self) -> f64 {
        self.needed + self.width + self.zeros + self.dead
    }
}

/// Whether the planes that count as useful are those of the metric, none of them skipped.
fn executes_metric(run: &HardwareRun) -> bool {
    run.run.ledger.count(Event::MAC) == (run.check.expected + run.check.gap) * u128::from(run.images)
}

/// MACs of a layer. Weights have the same proportions, as each is used at the same number of positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// Of weights that are not pruned.
    pub(super) nonzero: f64,
    /// Of zeros in filters and input channels that are not pruned.
    pub(super) zeros: f64,
    /// Of pruned filters and input channels.
    pub(super) dead: f64,
}

impl Shares {
    pub(super) fn new(layer: &LayerCost, detail: &LayerDetail) -> Self {
        let computed = detail.computed_macs;
        Self {
            nonzero: layer.nonzero_macs as f64,
            zeros: (computed - layer.nonzero_macs) as f64,
            dead: (layer.esn.macs - computed) as f64,
        }
    }
}

/// What the bits of a layer in memory are good for, as parts of all of them. All of these bits are fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fetched {
    /// Weights that are not pruned, each in the bits of the layer's widest, and what no other field has.
    pub(super) needed: f64,
    /// What such weights take beyond those bits.
    pub(super) width: f64,
    /// Their indices.
    pub(super) indices: f64,
    /// Zeros in filters and input channels that are not pruned.
    pub(super) zeros: f64,
    /// Pruned filters and input channels.
    pub(super) dead: f64,
}

impl Fetched {
    /// The bits of a layer, a weight in their mean width. A map of pruned filters and channels counts with it.
    ///
    /// Where every filter has a width of its own and pruned ones are stored, all is needed: pruned filters have other widths than
    /// the rest.
    pub(super) fn new(hardware: &Hardware, layer: &LayerCost, detail: &LayerDetail, run: &HardwareRun) -> Self {
        let WeightMemory { bits, weights, index_bits } = run.run.memory;
        let zeros = weights - layer.esn.nonzero;
        let live_zeros = zeros.min(detail.computed_weights - layer.esn.nonzero);
        let is_mixed = hardware.engine.weight_format() == WeightFormat::Filter && zeros > live_zeros;
        if weights == 0 || is_mixed {
            return Self { needed: 1.0, width: 0.0, indices: 0.0, zeros: 0.0, dead: 0.0 };
        }
        let of_stored = |count: u128| part(count as f64, weights as f64);
        let [of_weight, index] = [bits, index_bits].map(|bits| part(bits as f64, weights as f64));
        let needed = f64::from(layer.esn.max_bits).min(of_weight - index);
        let nonzero = of_stored(layer.esn.nonzero);
        Self {
            needed: part(nonzero * needed, of_weight),
            width: part(nonzero * (of_weight - index - needed), of_weight),
            indices: part(nonzero * index, of_weight),
            zeros: of_stored(live_zeros),
            dead: of_stored(zeros - live_zeros),
        }
    }
}

/// `x / y`; 0 where there is nothing to divide.
pub(super) fn part(x: f64, y: f64) -> f64 {
    if y > 0.0 { x / y } else { 0.0 }
}
