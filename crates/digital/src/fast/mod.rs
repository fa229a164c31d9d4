//! The cost of a layer with repetition factored out. The time that this takes grows with the number of weights.
//!
//! ```text
//! setting    what a cost depends on                                     activity   where activations are not 0
//! filter     what a filter takes of a row, in sums over its weights     timeline   when the rows are done
//! traffic    what is fetched for them
//! ```

mod activity;
mod filter;
mod setting;
mod timeline;
mod traffic;

use engine::{Activations, EngineError, Layer, LayerRun};

use crate::account::{Counts, layer_run};
use crate::departures::{Departures, ZeroActivations};
use crate::input::integers;
use crate::schedule::deal;
use crate::spec::ArraySpec;
use activity::Activity;
use filter::FilterCost;
use setting::Setting;

/// Counts what [`crate::SteppedArray`] would count if no activation were 0, without stepping.
///
/// Every group of positions repeats the planes of a filter. With `groups = ceil(positions / E)`, a row works for
/// `groups · Σ planes` cycles over its filters; the cycles in which it idles come on top.
///
/// # Errors
///
/// [`EngineError::Unsupported`] if a count passes 128 bits, or a weight is too wide.
pub(crate) fn run(spec: &ArraySpec, departures: &Departures, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
    let setting = Setting::new(spec, departures, layer)?;
    setting.run(&[])
}

/// Counts what [`crate::SteppedArray`] would count with these activations, without stepping.
///
/// # Errors
///
/// As [`run`]; also [`EngineError::Arithmetic`], [`EngineError::Shape`] or [`EngineError::Activation`] for activations
/// that do not fit.
pub(crate) fn run_on(
    spec: &ArraySpec,
    departures: &Departures,
    layer: &Layer<'_>,
    input: Activations<'_>,
) -> Result<LayerRun, EngineError> {
    let setting = Setting::new(spec, departures, layer)?;
    let input = integers(layer.name(), layer.geometry(), input)?;
    if departures.zero_activations == ZeroActivations::Compute {
        return setting.run(&[]);
    }
    setting.run(&Activity::of_groups(&setting, input)?)
}

impl Setting<'_> {
    /// Counts the layer. `activity` has an element for each group of the layer, or none if no activation counts as 0.
    fn run(&self, activity: &[Activity]) -> Result<LayerRun, EngineError> {
        let per_group = self.layer.geometry().columns();
        let filters = 0..self.layer.geometry().spec().filters;
        let filters: Vec<FilterCost> =
            filters.map(|filter| self.filter_cost(filter, activity.get(filter / per_group))).collect();
        let planned: Vec<u128> = filters.iter().map(|filter| self.planned(filter)).collect();
        let queues = deal(self.spec.rows, &planned, &self.departures);
        let mut counts = filters.iter().map(|filter| self.counts(filter)).fold(Counts::default(), Counts::plus);
        (counts.cycles, counts.waiting) = self.timeline(&queues, &filters, activity);
        counts.memory = self.storage.memory();
        (counts.activation_bits, counts.partial_sum_bits) = self.traffic(&queues, &filters);

        let pes = self.spec.pes_per_row as u128;
        let offered = counts.cycles.checked_mul(self.spec.rows as u128).and_then(|cycles| cycles.checked_mul(pes));
        let Some(offered) = offered else {
            let problem = "its PE-cycles on this array do not fit 128 bits".to_string();
            return Err(EngineError::Unsupported { layer: self.layer.name().to_string(), problem });
        };
        let row_cycles = counts.working + counts.filling + counts.decoding + counts.waiting;
        counts.finished_early = offered - row_cycles * pes;
        Ok(layer_run(self.spec, self.described, &counts))
    }

    /// What a filter adds to the counts, whatever row computes it.
    fn counts(&self, filter: &FilterCost) -> Counts {
        let FilterCost { use_of_planes: planes, .. } = *filter;
        let (tiles, issued, working) = (u128::from(filter.tiles), u128::from(filter.issued), filter.working);
        let fills = u128::from(self.departures.fill_cycles_per_tile)
            + self.groups * u128::from(self.departures.fill_cycles_per_group);
        Counts {
            busy: filter.busy,
            position_tail: filter.position_tail,
            zero_activation: working * self.spec.pes_per_row as u128 - filter.position_tail - filter.busy,
            working,
            filling: tiles * fills,
            decoding: self.groups * issued * u128::from(self.departures.index_cycles_per_nonzero),
            index_bits: self.groups * issued * u128::from(self.departures.index_bits_per_nonzero),
            useful: planes.useful,
            rounding: planes.rounding,
            zeros: planes.zeros,
            skipped: planes.skipped,
            on_zero_activations: planes.on_zero_activations,
            ..Counts::default()
        }
    }
}
