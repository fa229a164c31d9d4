//! What an observer sees of a row as a cycle begins.

use engine::{Elements, IdleCause, Lane, LaneWork};

use super::program::PlaneIssue;
use super::row::{ProcessingElement, Row, Task};
use super::work::Work;
use crate::departures::ZeroActivations;
use crate::idle;

/// A row with its first `elements`.
pub(super) fn lane(row: &Row, work: &Work<'_>, elements: usize) -> Lane {
    let executes = row.task == Task::Execute;
    let code = work.layer.weights().filter(row.filter())[row.weight()];
    let lane = LaneWork {
        filter: row.filter(),
        position: row.positions().start,
        weight: row.weight(),
        elements: Elements::OneWeight {
            code,
            weights: u32::from(row.operation().weights.max(1)),
            plane: row.plane(),
            plane_value: plane_value(planes(row)),
            elements: row.elements().iter().take(elements).map(|pe| element(pe, row, work, executes)).collect(),
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
            ZeroActivations::Gate | ZeroActivations::Skip => {
                (work.active(row, row.operation()) == 0).then_some(idle::ZERO_ACTIVATION)
            }
        },
        Task::LookUp | Task::Done => None,
    }
}

/// The planes of the row's next operation.
fn planes(row: &Row) -> &[PlaneIssue] {
    let operation = row.operation();
    &row.program.planes[operation.first..operation.first + usize::from(operation.planes)]
}

/// What those of the planes add up to that belong to the first weight.
fn plane_value(planes: &[PlaneIssue]) -> i64 {
    planes.iter().take_while(|plane| plane.weight == planes[0].weight).map(|plane| plane.value()).sum()
}

fn element(pe: &ProcessingElement, row: &Row, work: &Work<'_>, executes: bool) -> engine::ProcessingElement {
    let (planes, input) = (planes(row), &work.input.values);
    let product = |&plane: &PlaneIssue| plane.value() * i64::from(pe.activation(plane, input));
    engine::ProcessingElement {
        activation: pe.activation(planes[0], input),
        product: if executes { planes.iter().map(product).sum() } else { 0 },
        accumulator: pe.accumulator(),
    }
}
