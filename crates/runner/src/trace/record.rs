//! The cycles of a range, recorded as the machine goes through them.

use engine::{Event, Joules, Lane, LaneSums, LayerRun, Observer};

use super::plan::TracePlan;

/// Cycles of one layer on one hardware.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Name of the layer.
    pub layer: String,
    /// Name of the hardware.
    pub hardware: String,
    /// Clock, where the description names one.
    pub clock_hz: Option<f64>,
    /// Energy of one unit of [`Sample::count`].
    pub unit: Joules,
    /// Cycles that the layer takes in all.
    pub total_cycles: u128,
    /// Lanes that every sample has room for.
    pub lanes: usize,
    /// Accumulators of every lane that a sample has room for.
    pub accumulators: usize,
    /// The cycles, in order, without a gap.
    pub samples: Vec<Sample>,
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
    /// What the lanes held when the cycle began; none where a lane had no work.
    pub lanes: Vec<Option<LaneSample>>,
}

/// A lane as a cycle began.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSample {
    /// See [`Lane::filter`].
    pub filter: u64,
    /// See [`Lane::position`].
    pub position: u64,
    /// See [`Lane::weight`].
    pub weight: u64,
    /// See [`Lane::plane`].
    pub plane: u64,
    /// Its accumulators, the first ones.
    pub sums: Vec<Sum>,
}

/// What is in an accumulator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sum {
    /// In half-steps of the weight grid.
    Integer(i64),
    /// In steps of the weight grid.
    Real(f32),
}

/// Records the cycles of a range.
pub(super) struct Recorder<'a> {
    plan: &'a TracePlan<'a>,
    trace: Trace,
    /// The number of the next cycle.
    next: u64,
    lanes: Vec<Option<LaneSample>>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(plan: &'a TracePlan<'a>, run: &LayerRun) -> Self {
        // The ledger knows what its units cost: they are smaller where energy depends on the input.
        let unit = run.ledger.entry(Trace::EVENT).map_or(plan.hardware.unit, |entry| entry.unit);
        let trace = Trace {
            layer: plan.network.layers()[plan.layer.0].name.clone(),
            hardware: plan.hardware.engine.name().to_string(),
            clock_hz: plan.hardware.clock_hz,
            unit,
            total_cycles: run.cycles.0,
            lanes: plan.lanes,
            accumulators: plan.accumulators,
            samples: Vec::new(),
        };
        Self { plan, trace, next: 0, lanes: vec![None; plan.lanes] }
    }

    pub(super) fn finish(self) -> Trace {
        self.trace
    }

    fn is_recording(&self) -> bool {
        self.plan.range().contains(&self.next)
    }
}

impl Observer for Recorder<'_> {
    fn cycle(&mut self, cycle: u128, active: u64, count: u128) {
        if self.is_recording() {
            let none = vec![None; self.plan.lanes];
            let lanes = std::mem::replace(&mut self.lanes, none);
            self.trace.samples.push(Sample { cycle, active, count, lanes });
        }
        self.next += 1;
        (self.plan.progress)(1);
    }

    fn lanes(&self) -> usize {
        if self.is_recording() { self.plan.lanes } else { 0 }
    }

    fn lane(&mut self, index: usize, lane: Option<&Lane<'_>>) {
        self.lanes[index] = lane.map(|lane| sample(lane, self.plan.accumulators));
    }

    fn is_done(&self) -> bool {
        self.next >= self.plan.range().end
    }
}

fn sample(lane: &Lane<'_>, accumulators: usize) -> LaneSample {
    let sums = match lane.sums {
        LaneSums::Integer(sums) => sums.iter().take(accumulators).map(|&sum| Sum::Integer(sum)).collect(),
        LaneSums::Real(sums) => sums.iter().take(accumulators).map(|&sum| Sum::Real(sum)).collect(),
    };
    LaneSample {
        filter: lane.filter as u64,
        position: lane.position as u64,
        weight: lane.weight as u64,
        plane: u64::from(lane.plane),
        sums,
    }
}

impl Trace {
    /// Energy of a cycle in joules: that of its multiply-accumulates, [`Event::MAC`], alone.
    pub fn mac_energy_j(&self, sample: &Sample) -> f64 {
        self.unit.times(sample.count).0
    }

    /// The event that a trace counts.
    pub const EVENT: Event = Event::MAC;
}
