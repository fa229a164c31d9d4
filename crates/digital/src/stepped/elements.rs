//! What the elements of a row do while it executes: their arithmetic, and what they count.

use std::ops::Range;

use super::program::{OperationUse, PlaneIssue, Program};

/// Additions that take longer than the choice of vectors for them.
const WORTH_VECTORS: usize = 32;

/// A processing element: an accumulator for the output position that it works on.
#[derive(Clone, Copy, Debug)]
pub struct ProcessingElement {
    pub(super) accumulator: i64,
}

impl ProcessingElement {
    /// The sum of the planes so far, in half-steps of the weight grid.
    pub fn accumulator(&self) -> i64 {
        self.accumulator
    }

    /// Adds a plane times an activation, the work of one cycle.
    #[inline(always)]
    fn add(&mut self, plane: PlaneIssue, activation: i32) {
        self.accumulator += i64::from(plane.value) * i64::from(activation);
    }
}

/// Neighbouring elements that find their activations side by side in the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where the receptive field of the first element begins in the input.
    corner: usize,
    elements: usize,
}

impl Run {
    /// The activations of the elements for a weight.
    #[inline(always)]
    fn activations<'i>(&self, offset: u32, input: &'i [i32]) -> &'i [i32] {
        let first = self.corner + offset as usize;
        &input[first..first + self.elements]
    }
}

/// Sorts the elements whose receptive fields begin at `corners` into as few runs as there are.
pub(super) fn find_runs(corners: &[u32], runs: &mut Vec<Run>) {
    runs.clear();
    let run = |corners: &[u32]| Run { corner: corners[0] as usize, elements: corners.len() };
    runs.extend(corners.chunk_by(|a, b| *b == *a + 1).map(run));
}

/// Consecutive operations of a program, for the elements of a row: a cycle each, in which every element takes the planes of
/// one of them.
pub(super) struct Cycles<'a> {
    pub(super) runs: &'a [Run],
    pub(super) program: &'a Program,
    pub(super) operations: Range<usize>,
    pub(super) input: &'a [i32],
    /// Whether elements with an activation of 0 are gated off.
    pub(super) gates: bool,
}

impl Cycles<'_> {
    #[inline]
    pub(super) fn execute(&self, elements: &mut [ProcessingElement]) -> Executed {
        let planes = self.program.planes_of(self.operations.clone());
        if planes.len().saturating_mul(elements.len()) >= WORTH_VECTORS {
            return self.execute_in_vectors(elements, planes);
        }
        self.add_planes(elements, planes);
        self.count_each(elements.len())
    }

    #[inline(never)]
    fn execute_in_vectors(&self, elements: &mut [ProcessingElement], planes: &[PlaneIssue]) -> Executed {
        let mut executed = Executed::default();
        lanes::run(
            #[inline(always)]
            || {
                self.add_planes(elements, planes);
                executed = match self.gates {
                    true => self.count_each(elements.len()),
                    false => Executed::by_all(&self.program.uses[self.operations.clone()], elements.len() as u64),
                };
            },
        );
        executed
    }

    /// What the elements count, operation by operation.
    #[inline(always)]
    fn count_each(&self, elements: usize) -> Executed {
        let Self { runs, program, input, gates, .. } = *self;
        let mut executed = Executed::default();
        for index in self.operations.clone() {
            let first = program.operations[index].first;
            let active = if gates { active(runs, program.planes[first].offset, input) } else { elements };
            executed.add(program.uses[index], active as u64, (elements - active) as u64);
        }
        executed
    }

    /// Every element takes the planes one after another.
    #[inline(always)]
    fn add_planes(&self, elements: &mut [ProcessingElement], planes: &[PlaneIssue]) {
        let Self { runs, input, .. } = *self;
        if let ([element], [run]) = (&mut *elements, runs) {
            let mut alone = *element;
            let field = &input[run.corner..];
            planes.iter().for_each(|&plane| alone.add(plane, field[plane.offset as usize]));
            *element = alone;
            return;
        }
        for &plane in planes {
            let mut rest = &mut *elements;
            for run in runs {
                let (of_run, after) = rest.split_at_mut(run.elements);
                let pairs = of_run.iter_mut().zip(run.activations(plane.offset, input));
                pairs.for_each(|(element, &activation)| element.add(plane, activation));
                rest = after;
            }
        }
    }
}

/// Elements whose activation for a weight is not 0.
#[inline(always)]
pub(super) fn active(runs: &[Run], offset: u32, input: &[i32]) -> usize {
    let of_run = |run: &Run| run.activations(offset, input).iter().map(|&x| usize::from(x != 0)).sum::<usize>();
    runs.iter().map(of_run).sum()
}

/// What the elements of a row count while it executes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Executed {
    /// Cycles of active elements.
    pub(super) active: u64,
    /// Cycles of elements that are gated off.
    pub(super) gated: u64,
    /// Planes of active elements, by their use.
    pub(super) useful: u64,
    pub(super) rounding: u64,
    pub(super) zeros: u64,
    pub(super) skipped: u64,
    /// Planes that the ideal would execute on elements that are gated off.
    pub(super) on_zero_activations: u64,
}

impl Executed {
    /// Counts operations in each of which all `elements` are active.
    #[inline(always)]
    fn by_all(uses: &[OperationUse], elements: u64) -> Self {
        let mut of_one = [0u64; 4];
        for by_use in uses {
            let planes = [by_use.useful, by_use.rounding, by_use.zeros, by_use.skipped];
            of_one.iter_mut().zip(planes).for_each(|(sum, planes)| *sum += u64::from(planes));
        }
        let [useful, rounding, zeros, skipped] = of_one.map(|planes| planes * elements);
        Self { active: uses.len() as u64 * elements, useful, rounding, zeros, skipped, ..Self::default() }
    }

    /// Counts an operation in which some elements are gated off.
    #[inline(always)]
    fn add(&mut self, by_use: OperationUse, active: u64, gated: u64) {
        self.active += active;
        self.gated += gated;
        self.useful += active * u64::from(by_use.useful);
        self.rounding += active * u64::from(by_use.rounding);
        self.zeros += active * u64::from(by_use.zeros);
        self.skipped += active * u64::from(by_use.skipped);
        self.on_zero_activations += gated * u64::from(by_use.ideal());
    }
}
