//! What keeps cycles from gaining what is ideal.
//!
//! Cycles of a digital array are a product, whose factors are compared one by one:
//!
//! ```text
//! cycles · elements = ESN_d · (nonzero / ESN_d) · ((nonzero + zeros) / nonzero) · (busy / (nonzero + zeros)) · (1 + idle / busy)
//!                             width               zeros                           dead filters                 idle
//! ```
//!
//! `nonzero` is the time that elements are busy with weights that are not pruned, `busy` all time that they are.
//!
//! So elements that are idle for the same part of the time before and after are no loss, however large that part is. Cycles of an
//! analog array are its output positions times the cycles of one.

use engine::IdleCause;

use super::work::{Work, part};
use super::{ComparedNetwork, CountGain, Quantity, SAME, ideal_cycles, over};
use crate::hardware::Hardware;
use crate::runs::PerImage;

/// What takes time beyond the ideal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleCause {
    /// Weights take more cycles than their bits.
    Width,
    /// Zeros that are computed, in filters that are not pruned.
    Zeros,
    /// Pruned filters and input channels that are computed.
    DeadFilters,
    /// Elements have no work, and this is the idle cause that changed that most.
    Idle(IdleCause),
    /// An output position of an analog array takes more than one cycle, or several share one.
    Position,
}

impl CycleCause {
    /// The name in files, behind which an idle cause stands: `idle: row finished early`.
    pub fn name(self) -> String {
        match self {
            CycleCause::Width => "width".to_string(),
            CycleCause::Zeros => "zeros".to_string(),
            CycleCause::DeadFilters => "dead-filters".to_string(),
            CycleCause::Idle(cause) => format!("idle: {cause}"),
            CycleCause::Position => "cycles of a position".to_string(),
        }
    }
}

/// A factor of the cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CycleFactor {
    /// What it is the factor of.
    pub cause: CycleCause,
    /// The factor before and after.
    pub factor: [f64; 2],
}

impl CycleFactor {
    /// By how much it multiplies the gain: the factor before over the factor after; 1 where there is none.
    pub fn gain(&self) -> f64 {
        over(self.factor[0], self.factor[1]).unwrap_or(1.0)
    }
}

/// What one hardware gains in cycles.
#[derive(Clone, Debug)]
pub struct CycleGain {
    /// Cycles before and after.
    pub cycles: [PerImage; 2],
    /// What they are ideally in proportion to.
    pub ideal_by: Quantity,
    /// The gain of that quantity; none where one of the networks has none of it.
    pub ideal: Option<f64>,
    /// Every factor that is not 1 in both networks. Their gains times the ideal are the gain.
    pub factors: Vec<CycleFactor>,
}

impl CycleGain {
    pub(super) fn new(h: usize, hardware: &Hardware, networks: [ComparedNetwork<'_>; 2]) -> Self {
        let ideal_by = ideal_cycles(hardware);
        let counts = CountGain::new(ideal_by, networks);
        let cycles = networks.map(|network| network.cost.totals[h].cycles());
        let factors = if ideal_by == Quantity::OutputPositions {
            let positions = [counts.before, counts.after];
            let factor = [0, 1].map(|side| part(cycles[side].to_f64(), positions[side] as f64));
            vec![CycleFactor { cause: CycleCause::Position, factor }]
        } else {
            factors(networks.map(|network| Time::new(h, hardware, network)))
        };
        Self { cycles, ideal_by, ideal: counts.factor(), factors }
    }

    /// The gain; none where one of the networks takes none.
    pub fn gain(&self) -> Option<f64> {
        over(self.cycles[0].to_f64(), self.cycles[1].to_f64())
    }

    /// The factor that divides the ideal gain most; none where the hardware gains what is ideal.
    pub fn largest_loss(&self) -> Option<&CycleFactor> {
        if self.gain()? >= self.ideal? * (1.0 - SAME) {
            return None;
        }
        self.factors.iter().min_by(|a, b| a.gain().total_cmp(&b.gain()))
    }
}

/// Time of one network on digital hardware, of one image, in PE-cycles.
#[derive(Clone, Debug, Default)]
struct Time {
    /// Bits that weights need.
    esn_d: f64,
    /// Elements are busy with weights that are not pruned, with zeros among them, and with pruned filters and channels.
    nonzero: f64,
    zeros: f64,
    dead: f64,
    /// Why elements are idle.
    idle: Vec<(IdleCause, f64)>,
}

impl Time {
    fn new(h: usize, hardware: &Hardware, network: ComparedNetwork<'_>) -> Self {
        let total = &network.cost.totals[h];
        let mut time = Self {
            idle: total.idle().map(|(cause, count)| (cause, count.to_f64())).collect(),
            esn_d: network.cost.esn.esn_d_macs as f64,
            ..Self::default()
        };
        for (layer, detail) in network.layers() {
            let run = &layer.runs[h];
            let work = Work::planes(hardware, layer, detail, run);
            let busy = run.per_image(run.run.occupancy.used).to_f64();
            let of = |planes: f64| busy * part(planes, work.sum());
            time.nonzero += of(work.needed + work.width);
            time.zeros += of(work.zeros);
            time.dead += of(work.dead);
        }
        time
    }

    fn busy(&self) -> f64 {
        self.nonzero + self.zeros + self.dead
    }

    /// What elements are idle, over what they are busy.
    fn idle(&self) -> f64 {
        self.idle.iter().map(|(cause, _)| self.idle_by(*cause)).sum()
    }

    fn idle_by(&self, cause: IdleCause) -> f64 {
        let idle = self.idle.iter().find(|(known, _)| *known == cause).map_or(0.0, |(_, idle)| *idle);
        part(idle, self.busy())
    }
}

/// The factors of two networks. Those that are 1 in both are left out.
fn factors(times: [Time; 2]) -> Vec<CycleFactor> {
    let of = |cause, factor: fn(&Time) -> f64| CycleFactor { cause, factor: [factor(&times[0]), factor(&times[1])] };
    let busy = [
        of(CycleCause::Width, |time| part(time.nonzero, time.esn_d)),
        of(CycleCause::Zeros, |time| part(time.nonzero + time.zeros, time.nonzero)),
        of(CycleCause::DeadFilters, |time| part(time.busy(), time.nonzero + time.zeros)),
    ];
    let idle = idle_cause(&times).map(|cause| of(CycleCause::Idle(cause), |time| 1.0 + time.idle()));
    busy.into_iter().chain(idle).filter(|factor| factor.factor != [1.0; 2]).collect()
}

/// The idle cause that changes most in the direction in which all of them together change; none where no element is idle.
fn idle_cause(times: &[Time; 2]) -> Option<IdleCause> {
    let [before, after] = times;
    let direction = (after.idle() - before.idle()).signum();
    let change = |cause: IdleCause| direction * (after.idle_by(cause) - before.idle_by(cause));
    let all = times.iter().flat_map(|time| &time.idle).map(|(cause, _)| *cause);
    all.max_by(|&a, &b| change(a).total_cmp(&change(b)))
}
