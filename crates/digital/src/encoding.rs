//! How many planes of a weight an array executes, and how many the ideal would execute. Both engines follow these
//! rules.

use engine::{EngineError, Layer};
use esn::{CodeTensor, Grid};

use crate::departures::{Departures, PlaneSkipping, ZeroSkipping};
use crate::live::live_channels;
use crate::pattern;
use crate::planes::Planes;
use crate::spec::{ArraySpec, Granularity};

/// Number of widths, 0 included.
const WIDTHS: usize = Planes::MAX_WIDTH as usize + 1;

/// The rules of an array for one layer. All weights of the layer fit the array.
pub(crate) struct Encoding {
    pub(crate) grid: Grid,
    pub(crate) granularity: Granularity,
    pub(crate) plane_skipping: PlaneSkipping,
    pub(crate) zero_skipping: ZeroSkipping,
    /// Whose planes are useful, which means that the ideal executes them too.
    pub(crate) useful: Granularity,
    /// The supported width that each width is rounded up to. Width 0 becomes the least one.
    pub(crate) rounded: [u32; WIDTHS],
    /// Planes of the widest weight of the layer; 0 where nothing asks for them.
    layer_width: u32,
    taps: usize,
}

/// The widths of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilterWidths {
    /// Planes of its widest weight, 0 for a pruned filter; also 0 where nothing asks for them.
    pub(crate) own: u32,
    /// Planes that each of its weights takes; 0 where each takes its own number.
    pub(crate) shared: u32,
}

/// The planes of one weight, by their use. The ideal executes `useful + skipped` of them, the array all but `skipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaneUse {
    /// Planes that both the array and the ideal execute.
    pub(crate) useful: u32,
    /// Planes that the array executes beyond those of the ideal, of a weight that the ideal computes.
    pub(crate) rounding: u32,
    /// Planes of a weight that the ideal does not compute.
    pub(crate) zeros: u32,
    /// Planes that the ideal executes and the array skips.
    pub(crate) skipped: u32,
}

impl PlaneUse {
    /// Sorts `executed` planes of a weight of which the ideal executes `ideal`.
    pub(crate) fn new(executed: u32, ideal: u32) -> Self {
        let useful = executed.min(ideal);
        let extra = executed - useful;
        let (rounding, zeros) = if ideal == 0 { (0, extra) } else { (extra, 0) };
        Self { useful, rounding, zeros, skipped: ideal - useful }
    }
}

impl Encoding {
    /// Makes the rules for a layer.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if a weight is wider than the array.
    pub(crate) fn new(spec: &ArraySpec, departures: &Departures, layer: &Layer<'_>) -> Result<Self, EngineError> {
        let granularity = spec.granularity;
        let widths = &departures.supported_widths;
        let round = |width: u32| match widths.as_slice() {
            [] => Some(width.max(1)),
            widths => widths.iter().copied().find(|supported| *supported >= width),
        };
        let (top, key) = match granularity {
            Granularity::Fixed(width) => (width, "fixed_width_bits"),
            Granularity::Weight | Granularity::Filter | Granularity::Layer => {
                (widths.last().copied().unwrap_or(Planes::MAX_WIDTH), "supported_widths_bits")
            }
        };
        let codes = layer.weights();
        let mut layer_width = 0;
        if granularity == Granularity::Layer || top < Planes::MAX_WIDTH {
            layer_width = widest(codes.grid(), codes.codes());
        }
        if layer_width > top {
            let problem = too_wide(codes, layer_width, top, key);
            return Err(EngineError::Unsupported { layer: layer.name().to_string(), problem });
        }
        let mut rounded = [top; WIDTHS];
        for (rounded, width) in rounded.iter_mut().zip(0..) {
            *rounded = round(width).unwrap_or(top);
        }
        Ok(Self {
            grid: codes.grid(),
            granularity,
            plane_skipping: departures.plane_skipping,
            zero_skipping: departures.zero_skipping(granularity),
            useful: departures.useful_granularity(granularity),
            rounded,
            layer_width,
            taps: codes.shape().taps,
        })
    }

    /// The channels with a nonzero weight, `[groups, channels]`; empty where no rule asks for them.
    pub(crate) fn live(&self, codes: &CodeTensor) -> Vec<bool> {
        match (self.useful, self.zero_skipping) {
            (Granularity::Weight, ZeroSkipping::Weights | ZeroSkipping::None | ZeroSkipping::Pattern { .. }) => {
                Vec::new()
            }
            (Granularity::Weight, ZeroSkipping::Filters)
            | (Granularity::Filter | Granularity::Layer | Granularity::Fixed(_), _) => live_channels(codes),
        }
    }

    /// The widths of a filter whose widest weight has `widest` planes.
    pub(crate) fn filter_widths(&self, widest: u32) -> FilterWidths {
        let own = match (self.granularity, self.zero_skipping) {
            (Granularity::Weight, ZeroSkipping::Weights | ZeroSkipping::None | ZeroSkipping::Pattern { .. }) => 0,
            (Granularity::Weight, ZeroSkipping::Filters)
            | (Granularity::Filter | Granularity::Layer | Granularity::Fixed(_), _) => widest,
        };
        let shared = match self.granularity {
            Granularity::Weight => 0,
            Granularity::Filter => self.rounded[own as usize],
            Granularity::Layer => self.rounded[self.layer_width as usize],
            Granularity::Fixed(width) => width,
        };
        FilterWidths { own, shared }
    }

    /// Whether a weight of a filter is computed. `live` says whether its channel and its filter have a nonzero weight.
    pub(crate) fn is_issued(&self, filter: &[i32], index: usize, live: bool) -> bool {
        match self.zero_skipping {
            ZeroSkipping::None => true,
            ZeroSkipping::Filters => live,
            ZeroSkipping::Weights => filter[index] != 0,
            ZeroSkipping::Pattern { keep, of } => pattern::keeps(filter, index, self.taps, (keep, of)),
        }
    }

    /// How many weights of a filter of so many weights a pattern keeps.
    pub(crate) fn kept_by_pattern(&self, weights: usize, keep: u32, of: u32) -> u64 {
        (pattern::kept_channels(weights / self.taps, keep, of) * self.taps) as u64
    }

    /// Planes that the ideal executes of a weight.
    pub(crate) fn ideal_planes(&self, code: i32, widths: FilterWidths, live: bool) -> u32 {
        match self.useful {
            Granularity::Weight => Planes::least_width(self.grid, code),
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => u32::from(live) * widths.own,
        }
    }

    /// Planes that the array gives a computed weight. Where planes are skipped it executes fewer or more of them.
    pub(crate) fn planes(&self, code: i32, widths: FilterWidths) -> u32 {
        match self.granularity {
            Granularity::Weight => self.rounded[Planes::least_width(self.grid, code) as usize],
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => widths.shared,
        }
    }
}

/// Planes of the widest weight.
pub(crate) fn widest(grid: Grid, weights: &[i32]) -> u32 {
    width_of(grid, weights.iter().map(|code| code.unsigned_abs()).max().unwrap_or(0))
}

/// Planes of the widest of weights whose largest magnitude is this: more are never needed for a smaller one.
pub(crate) fn width_of(grid: Grid, largest: u32) -> u32 {
    Planes::least_width(grid, largest as i32)
}

fn too_wide(codes: &CodeTensor, width: u32, top: u32, key: &str) -> String {
    let shape = codes.shape();
    let is_widest = |code: &i32| Planes::least_width(codes.grid(), *code) == width;
    let index = codes.codes().iter().position(is_widest).unwrap_or(0);
    let (filter, weight) = (index / shape.filter_len(), index % shape.filter_len());
    format!("weight {weight} of filter {filter} needs {width} planes; {key} allows {top} at most")
}
