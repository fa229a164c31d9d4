//! What a digital array executes for a layer, by what it is good for.

use digital::event;
use engine::{Event, WeightFormat};

use crate::cost::{HardwareRun, LayerCost};
use crate::detail::LayerDetail;
use crate::hardware::{Hardware, HardwareFile, Metric, WidthGranularity, ZeroSkippingWord};

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

    pub(super) fn sum(self) -> f64 {
        self.nonzero + self.zeros + self.dead
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
    /// Where every filter has a width of its own and pruned ones are stored, or indices stand, all is needed: pruned filters
    /// have other widths than the rest.
    pub(super) fn new(hardware: &Hardware, layer: &LayerCost, detail: &LayerDetail, run: &HardwareRun) -> Self {
        let shares = Shares::new(layer, detail);
        if let Some(fetched) = Self::by_pattern(hardware, layer, shares, run.weight_bits()) {
            return fetched;
        }
        let (stored, kept) = match stored(hardware) {
            Some(Stored::All) => (layer.esn.weights, shares),
            Some(Stored::Live) => (detail.computed_weights, Shares { dead: 0.0, ..shares }),
            Some(Stored::Nonzero) => (layer.esn.nonzero, Shares { zeros: 0.0, dead: 0.0, ..shares }),
            None => (0, shares),
        };
        let bits = part(run.weight_bits() as f64, stored as f64);
        if bits == 0.0 {
            return Self { needed: 1.0, width: 0.0, indices: 0.0, zeros: 0.0, dead: 0.0 };
        }
        let nonzero = part(kept.nonzero, kept.sum());
        let indices = index_bits(hardware).min(bits);
        let needed = f64::from(layer.esn.max_bits).min(bits - indices);
        Self {
            needed: nonzero * needed / bits,
            width: nonzero * (bits - indices - needed) / bits,
            indices: nonzero * indices / bits,
            zeros: part(kept.zeros, kept.sum()),
            dead: part(kept.dead, kept.sum()),
        }
    }

    /// The same of an array of a fixed width that skips zeros by a pattern: a layer that follows it keeps nonzero weights and some
    /// zeros, each with an index; another keeps all. None for other arrays.
    fn by_pattern(hardware: &Hardware, layer: &LayerCost, shares: Shares, bits: u128) -> Option<Self> {
        let (width, index) = pattern_widths(hardware)?;
        // A zero among weights that need the whole width takes a bit more.
        let widths = [width, width + 1];
        let whole = widths.into_iter().find(|width| layer.esn.weights * width == bits);
        let (width, index, kept) = match whole {
            Some(width) => (width, 0, shares),
            None => {
                let width = widths.into_iter().find(|width| bits.is_multiple_of(width + index))?;
                let stored = (bits / (width + index)) as f64;
                let nonzero = part(layer.esn.nonzero as f64, stored);
                (width, index, Shares { nonzero, zeros: 1.0 - nonzero, dead: 0.0 })
            }
        };
        let (of_weight, index) = ((width + index) as f64, index as f64);
        let (nonzero, needed) = (part(kept.nonzero, kept.sum()), f64::from(layer.esn.max_bits).min(width as f64));
        Some(Self {
            needed: nonzero * needed / of_weight,
            width: nonzero * (width as f64 - needed) / of_weight,
            indices: nonzero * index / of_weight,
            zeros: part(kept.zeros, kept.sum()),
            dead: part(kept.dead, kept.sum()),
        })
    }
}

/// Fixed width and bits of an index of an array that skips zeros by a pattern.
fn pattern_widths(hardware: &Hardware) -> Option<(u128, u128)> {
    let HardwareFile::Digital(file) = &hardware.resolved else { return None };
    let is_pattern = matches!(file.array.zero_skipping, Some(ZeroSkippingWord::Pattern(..)));
    let width = file.array.fixed_width_bits.filter(|_| is_pattern)?;
    Some((width.into(), file.array.index_bits_per_nonzero.unwrap_or(0).into()))
}

/// Which weights hardware keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    All,
    /// Those of filters and input channels that are not pruned.
    Live,
    Nonzero,
}

fn stored(hardware: &Hardware) -> Option<Stored> {
    let HardwareFile::Digital(file) = &hardware.resolved else { return None };
    let dense = match (file.array.zero_skipping, file.array.width_granularity) {
        // Some layers follow the pattern and others do not.
        (Some(ZeroSkippingWord::Pattern(..)), _) => return None,
        (Some(ZeroSkippingWord::None | ZeroSkippingWord::Weights), _) | (None, WidthGranularity::Weight) => Stored::All,
        (Some(ZeroSkippingWord::Filters), _)
        | (None, WidthGranularity::Filter | WidthGranularity::Layer | WidthGranularity::Fixed) => Stored::Live,
    };
    match hardware.engine.weight_format() {
        WeightFormat::Dense | WeightFormat::Fixed => Some(dense),
        WeightFormat::Filter => Some(dense).filter(|stored| *stored == Stored::Live),
        WeightFormat::Sparse => {
            Some(Stored::Nonzero).filter(|_| file.array.width_granularity != WidthGranularity::Filter)
        }
    }
}

fn index_bits(hardware: &Hardware) -> f64 {
    match &hardware.resolved {
        HardwareFile::Digital(file) => file.array.index_bits_per_nonzero.unwrap_or(0) as f64,
        HardwareFile::Analog(_) => 0.0,
    }
}

/// `x / y`; 0 where there is nothing to divide.
pub(super) fn part(x: f64, y: f64) -> f64 {
    if y > 0.0 { x / y } else { 0.0 }
}
