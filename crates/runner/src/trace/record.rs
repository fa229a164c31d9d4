//! The cycles of a range, recorded as the machine goes through them.

use std::ops::Range;

use engine::{Arithmetic, Event, Joules, Lane, LayerRun, Observer, Parts, StageWork, View};
use network::Note;

use super::plan::TracePlan;
use super::signal;
use crate::error::RunnerError;

/// Cycles of one layer on one hardware.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Name of the layer.
    pub layer: String,
    /// Name of the hardware.
    pub hardware: String,
    /// The numbers that the hardware computes on.
    pub arithmetic: Arithmetic,
    /// Clock, where the description names one.
    pub clock_hz: Option<f64>,
    /// Energy of one unit of [`Sample::count`].
    pub unit: Joules,
    /// Whether energies are in units of a choice and no joules.
    pub normalized: bool,
    /// Cycles that the layer takes in all.
    pub total_cycles: u128,
    /// The lanes that are shown, in ascending order. Each has work in one of the cycles.
    pub lanes: Vec<usize>,
    /// Elements of each lane that are shown.
    pub elements: usize,
    /// Names of the stages; see [`Parts::stages`].
    pub stages: Vec<&'static str>,
    /// The cycles, in order, without a gap.
    pub samples: Vec<Sample>,
    /// What a user should know of the trace.
    pub notes: Vec<Note>,
}

/// One cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The number of the cycle, from 0 on.
    pub cycle: u128,
    /// Elements or cells that did work.
    pub active: u64,
    /// Units of [`Event::MAC`] that the cycle spent.
    pub count: u128,
    /// What is in each of [`Trace::stages`].
    pub stages: Vec<Option<StageWork>>,
    /// Lanes with their indexes, in ascending order. A lane of [`Trace::lanes`] that is not there had no work yet.
    pub lanes: Vec<(usize, Lane)>,
}

impl Sample {
    /// A lane by its index.
    pub fn lane(&self, index: usize) -> Option<&Lane> {
        self.lanes.binary_search_by_key(&index, |(index, _)| *index).ok().map(|at| &self.lanes[at].1)
    }
}

impl Trace {
    /// The event that a trace counts.
    pub const EVENT: Event = Event::MAC;

    /// Energy of a cycle in joules: that of its multiply-accumulates, [`Event::MAC`], alone.
    pub fn mac_energy_j(&self, sample: &Sample) -> f64 {
        self.unit.times(sample.count).0
    }
}

/// Cycles after which progress is told. To tell it takes longer than a cycle.
const CYCLES_A_REPORT: u64 = 1 << 10;

/// Records the cycles of a range.
pub(super) struct Recorder<'a> {
    plan: &'a TracePlan<'a>,
    range: Range<u64>,
    trace: Trace,
    /// Lanes that have work on the layer at some time.
    lanes: Vec<usize>,
    /// The number of the next cycle.
    next: u64,
    /// What the machine shows of the next cycle.
    stages: Vec<Option<StageWork>>,
    shown: Vec<(usize, Lane)>,
    refused: Option<RunnerError>,
}

impl<'a> Recorder<'a> {
    /// # Errors
    ///
    /// [`RunnerError::Trace`] if no cycle of the layer is in the range.
    pub(super) fn new(plan: &'a TracePlan<'a>, run: &LayerRun) -> Result<Self, RunnerError> {
        let (range, note) = plan.range_in(run.cycles.0)?;
        // The ledger knows what its units cost: they are smaller where energy depends on the input.
        let unit = run.ledger.entry(Trace::EVENT).map_or(plan.hardware.unit, |entry| entry.unit);
        let trace = Trace {
            layer: plan.network.layers()[plan.layer.0].name.clone(),
            hardware: plan.hardware.engine.name().to_string(),
            arithmetic: plan.hardware.engine.arithmetic(),
            clock_hz: plan.hardware.clock_hz,
            unit,
            normalized: plan.hardware.normalized,
            total_cycles: run.cycles.0,
            lanes: Vec::new(),
            elements: 0,
            stages: Vec::new(),
            samples: Vec::new(),
            notes: note.into_iter().collect(),
        };
        let (lanes, stages, shown) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { plan, range, trace, lanes, next: 0, stages, shown, refused: None })
    }

    /// # Errors
    ///
    /// [`RunnerError::Trace`] if the range has too many values.
    pub(super) fn finish(self) -> Result<Trace, RunnerError> {
        (self.plan.progress)(self.next % CYCLES_A_REPORT);
        self.refused.map_or(Ok(self.trace), Err)
    }

    /// Whether a lane is one of those that are shown. The first lanes that have work become so.
    fn shows(&mut self, index: usize, lane: &Lane) -> bool {
        let lanes = &mut self.trace.lanes;
        match lanes.binary_search(&index) {
            Ok(_) => true,
            Err(at) => {
                let is_new = lane.work().is_some() && lanes.len() < self.plan.lanes;
                if is_new {
                    lanes.insert(at, index);
                }
                is_new
            }
        }
    }
}

impl Observer for Recorder<'_> {
    fn cycle(&mut self, cycle: u128, active: u64, count: u128) {
        if self.range.contains(&self.next) {
            let (stages, lanes) = (std::mem::take(&mut self.stages), std::mem::take(&mut self.shown));
            self.trace.samples.push(Sample { cycle, active, count, stages, lanes });
        }
        self.next += 1;
        if self.next.is_multiple_of(CYCLES_A_REPORT) {
            (self.plan.progress)(CYCLES_A_REPORT);
        }
    }

    fn begin(&mut self, parts: &Parts) {
        self.lanes.clone_from(&parts.lanes);
        self.trace.stages.clone_from(&parts.stages);
        self.trace.elements = self.plan.elements.min(parts.elements);
        let lanes = self.plan.lanes.min(parts.lanes.len());
        let signals = signal::count(parts.stages.len(), lanes, self.trace.arithmetic, self.trace.elements);
        let checked = self.plan.check_values(self.range.end - self.range.start, signals, self.trace.total_cycles);
        self.refused = checked.err();
    }

    fn view(&self) -> Option<View> {
        let all_found = self.trace.lanes.len() == self.plan.lanes;
        let lanes = || if all_found { self.trace.lanes.clone() } else { self.lanes.clone() };
        self.range.contains(&self.next).then(|| View { lanes: lanes(), elements: self.trace.elements })
    }

    fn lane(&mut self, index: usize, lane: Lane) {
        if self.shows(index, &lane) {
            self.shown.push((index, lane));
        }
    }

    fn stages(&mut self, stages: Vec<Option<StageWork>>) {
        self.stages = stages;
    }

    fn is_done(&self) -> bool {
        self.refused.is_some() || self.next >= self.range.end
    }
}
