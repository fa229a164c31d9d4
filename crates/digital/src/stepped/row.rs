//! The state of a row and its elements between two cycles.

use std::ops::Range;

use super::elements::{ProcessingElement, Run};
use super::program::{Operation, PlaneIssue, PlaneName, Program};

/// A row that has work left, and what it does in the next cycle.
#[derive(Clone, Debug)]
pub struct Row {
    /// The filters that the row computes, in order.
    pub(super) queue: Vec<usize>,
    /// The place of the present filter in the queue.
    pub(super) at: usize,
    /// The present filter.
    pub(super) filter: usize,
    /// The part of the present filter that the row holds.
    pub(super) tile: usize,
    /// The output position of the first element.
    pub(super) first_position: usize,
    /// The operations of the present filter for each group of positions; not empty.
    pub(super) program: Program,
    /// The operation that is next.
    pub(super) next: usize,
    /// The first operation after those of the tile.
    pub(super) end: usize,
    pub(super) task: Task,
    /// The elements that have a position in this group.
    pub(super) elements: Vec<ProcessingElement>,
    /// The same elements, by where their activations stand.
    pub(super) runs: Vec<Run>,
}

/// What a row does in a cycle. Tasks of 0 cycles are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Look up the next operation; takes no cycle.
    LookUp,
    /// Let the pipeline fill for this number of cycles.
    Fill(u64),
    /// Decode the indices of the next operation for this number of cycles.
    Decode(u64),
    /// Execute the next operation.
    Execute,
    /// Wait for the other rows at the end of a group.
    Wait,
    /// Nothing is left.
    Done,
}

impl Row {
    pub(super) fn new(queue: Vec<usize>) -> Self {
        Self {
            queue,
            at: 0,
            filter: 0,
            tile: 0,
            first_position: 0,
            program: Program::default(),
            next: 0,
            end: 0,
            task: Task::Done,
            elements: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// The filter that the row computes.
    pub fn filter(&self) -> usize {
        self.filter
    }

    /// The output positions of its elements, over all repeats. In the last group of a filter there may be fewer than
    /// the row has elements.
    pub fn positions(&self) -> Range<usize> {
        self.first_position..self.first_position + self.elements.len()
    }

    /// The weight that is consumed next: its index in the filter, `[channels, taps]`. Where several are consumed in one
    /// cycle it is the first of them, and where the row waits it is the last one that was consumed.
    pub fn weight(&self) -> usize {
        self.plane_name().weight as usize
    }

    /// The plane of [`Row::weight`] that is consumed next, counted from 0 among those that are executed.
    pub fn plane(&self) -> u32 {
        u32::from(self.plane_name().plane)
    }

    /// The elements that have a position, one for each of [`Row::positions`].
    pub fn elements(&self) -> &[ProcessingElement] {
        &self.elements
    }

    /// The operation that is next; where the row waits, the last one.
    pub(super) fn operation(&self) -> Operation {
        self.program.operations[self.operation_index()]
    }

    /// The planes of that operation, and which they are.
    pub(super) fn planes(&self) -> (&[PlaneIssue], &[PlaneName]) {
        let index = self.operation_index();
        let planes = self.program.plane_indices(index..index + 1);
        (&self.program.planes[planes.clone()], &self.program.names[planes])
    }

    fn plane_name(&self) -> PlaneName {
        self.program.names[self.operation().first]
    }

    fn operation_index(&self) -> usize {
        self.next.min(self.end - 1)
    }
}
