//! What keeps cycles from gaining what the metric promises.
//!
//! Cycles of a digital array are a product, whose factors are compared one by one:
//!
//! ```text
//! cycles · elements = ESN_d · (busy for nonzero weights / ESN_d) · (busy / busy for nonzero weights) · (offered / busy)
//!                             width                                zeros                               idle
//! ```
//!
//! So elements that are idle for the same part of the time before and after are no loss, however large that part is.

use engine::IdleCause;

use super::work::{Work, part};
use super::{ComparedNetwork, SAME};
use crate::hardware::Hardware;

/// What takes time beyond the bits of weights that are not pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleCause {
    /// Zeros that are computed, in filters that are not pruned.
    Zeros,
    /// Pruned filters and input channels that are computed.
    DeadFilters,
    /// Weights take more cycles than their bits.
    Width,
    /// Elements have no work, for this reason more than for any other.
    Idle(IdleCause),
}

impl CycleCause {
    /// The word in files; of idle elements the name of the idle cause.
    pub fn name(self) -> &'static str {
        match self {
            CycleCause::Zeros => "zeros",
            CycleCause::DeadFilters => "dead-filters",
            CycleCause::Width => "width",
            CycleCause::Idle(cause) => cause.name(),
        }
    }

    /// Whether rows wait for one another: at a barrier, or done while another still works.
    pub fn is_waiting_rows(self) -> bool {
        match self {
            CycleCause::Idle(cause) => {
                [digital::idle::SYNCHRONIZATION, digital::idle::ROW_FINISHED_EARLY].contains(&cause)
            }
            CycleCause::Zeros | CycleCause::DeadFilters | CycleCause::Width => false,
        }
    }
}

/// What eats most of the gain in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CycleLoss {
    /// The cause.
    pub cause: CycleCause,
    /// By how much it divides the promised gain.
    pub factor: f64,
}

/// Time of one network on digital hardware, of one image, in PE-cycles.
#[derive(Clone, Debug, Default)]
struct Time {
    /// Elements are busy with weights that are not pruned, with zeros among them, and with pruned filters and channels.
    nonzero: f64,
    zeros: f64,
    dead: f64,
    /// All elements in all cycles.
    offered: f64,
    idle: Vec<(IdleCause, f64)>,
    /// Bits that weights need.
    esn_d: f64,
}

impl Time {
    fn new(h: usize, hardware: &Hardware, network: ComparedNetwork<'_>) -> Self {
        let total = &network.cost.totals[h];
        let of_image = |count: u128| total.per_image(count).to_f64();
        let mut time = Self {
            offered: of_image(total.run.occupancy.offered),
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

    /// What elements are idle for this cause, over what they are busy.
    fn idle_by(&self, cause: IdleCause) -> f64 {
        let idle = self.idle.iter().find(|(known, _)| *known == cause).map_or(0.0, |(_, idle)| *idle);
        part(idle, self.busy())
    }
}

/// What divides a promised gain of digital hardware most; none where the cycles gain that much.
pub(super) fn loss(
    h: usize,
    hardware: &Hardware,
    networks: [ComparedNetwork<'_>; 2],
    promised: f64,
) -> Option<CycleLoss> {
    let [before, after] = networks.map(|network| Time::new(h, hardware, network));
    let gained = part(before.offered, after.offered);
    if gained >= promised * (1.0 - SAME) {
        return None;
    }
    let grows = |factor: fn(&Time) -> f64| part(factor(&after), factor(&before));
    let rises = |ratio: fn(&Time) -> f64| ratio(&after) - ratio(&before);
    let of_zeros = rises(|time| part(time.zeros, time.nonzero));
    let of_dead = rises(|time| part(time.dead, time.nonzero));
    let zeros = if of_zeros >= of_dead { CycleCause::Zeros } else { CycleCause::DeadFilters };
    let idle_more = |cause| after.idle_by(cause) - before.idle_by(cause);
    let idle = after.idle.iter().map(|(cause, _)| *cause).max_by(|&a, &b| idle_more(a).total_cmp(&idle_more(b)));
    let factors = [
        Some((CycleCause::Width, grows(|time| part(time.nonzero, time.esn_d)))),
        Some((zeros, grows(|time| part(time.busy(), time.nonzero)))),
        idle.map(|cause| (CycleCause::Idle(cause), grows(|time| part(time.offered, time.busy())))),
    ];
    let most = factors.into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1));
    most.filter(|(_, factor)| *factor > 1.0).map(|(cause, factor)| CycleLoss { cause, factor })
}
