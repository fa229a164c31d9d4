//! What an observer sees of a row as a cycle begins.

use engine::{Elements, IdleCause, Lane, LaneWork};

use super::program::{PlaneIssue, PlaneName};
use super::row::{Row, Task};
use super::work::Work;
use crate::departures::ZeroActivations;
use crate::idle;

/// A row with its first `elements`.
pub(super) fn lane(row: &Row, work: &Work<'_>, elements: usize) -> Lane {
    let executes = row.task == Task::Execute;
    let code = work.layer.weights().filter(row.filter())[row.weight()];
    let (planes, names) = row.planes();
    let lane = LaneWork {
        filter: row.filter(),
        position: row.positions().start,
        weight: row.weight(),
        elements: Elements::OneWeight {
            code,
            weights: u32::from(row.operation().weights.max(1)),
            plane: row.plane(),
            plane_value: plane_value(planes, names),
            elements: (0..row.elements().len().min(elements)).map(|pe| element(pe, row, work, executes)).collect(),
        },
    };
    Lane::with(lane, idle_cause(row, work))
}

/// Why no element of the row works in the next cycle.
fn idle_cause(row: &Row, work: &Work<'_>) -> Option<IdleCause> {
    match row.task {
        Task::Fill(_) => Some(idle::PIPELINE_FILL),
        Task::Decode(_) => Some(idle::INDEX_DECODING),
        Task::Wait => Some(idle::SYNCHRONIZATION),
        Task::Execute => match work.departures.zero_activations {
            ZeroActivations::Compute => None,
            ZeroActivations::Gate | ZeroActivations::Skip => (work.active(row) == 0).then_some(idle::ZERO_ACTIVATION),
        },
        Task::LookUp | Task::Done => None,
    }
}

/// What those of the planes add up to that belong to the first weight.
fn plane_value(planes: &[PlaneIssue], names: &[PlaneName]) -> i64 {
    let of_first = planes.iter().zip(names).take_while(|(_, name)| name.weight == names[0].weight);
    of_first.map(|(plane, _)| i64::from(plane.value)).sum()
}

fn element(pe: usize, row: &Row, work: &Work<'_>, executes: bool) -> engine::ProcessingElement {
    let (planes, _) = row.planes();
    let corner = work.corners[row.first_position + pe] as usize;
    let activation = |plane: &PlaneIssue| work.input.values[corner + plane.offset as usize];
    let product = |plane: &PlaneIssue| i64::from(plane.value) * i64::from(activation(plane));
    engine::ProcessingElement {
        activation: activation(&planes[0]),
        product: if executes { planes.iter().map(product).sum() } else { 0 },
        accumulator: row.elements()[pe].accumulator(),
    }
}
