//! The array, cycle by cycle.

mod program;
mod work;

use engine::{Activations, Cycles, EngineError, Layer, Observer, Outputs, SteppedRun};

use crate::account::{Counts, layer_run};
use crate::array::ArraySpec;
use crate::departures::{Barrier, Departures};
use program::{PlaneIssue, Program};
use work::Work;

/// A processing element: an accumulator and the output position that it works on.
#[derive(Clone, Copy, Debug)]
pub struct ProcessingElement {
    corner: u32,
    accumulator: i64,
}

impl ProcessingElement {
    /// The sum of the planes so far, in half-steps of the weight grid.
    pub fn accumulator(&self) -> i64 {
        self.accumulator
    }

    /// Adds `digit · x · 2^exponent`, the work of one cycle.
    #[inline(always)]
    fn add(&mut self, issue: PlaneIssue, input: &[i32]) {
        let x = i64::from(input[self.corner as usize + issue.offset as usize]);
        self.accumulator += i64::from(issue.digit) * (x << issue.exponent);
    }
}

/// A row that has work left: what it does in the next cycle.
#[derive(Clone, Debug)]
pub struct Row {
    /// The filters that it computes, and which of them it is at.
    queue: Vec<usize>,
    at: usize,
    filter: usize,
    /// The part of the filter that it holds.
    tile: usize,
    first_position: usize,
    /// What the filter takes for each group; not empty.
    program: Program,
    /// The operation that is next, and the first after the tile.
    next: usize,
    end: usize,
    task: Task,
    /// The elements that have a position in this group.
    elements: Vec<ProcessingElement>,
}

/// What a row does in a cycle. Tasks of 0 cycles are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Look up the next operation; takes no cycle.
    LookUp,
    /// Let the pipeline fill for so many cycles.
    Fill(u64),
    /// Decode the indices of the next operation for so many cycles.
    Decode(u64),
    /// Execute the next operation.
    Execute,
    /// Wait for the other rows at the end of a group.
    Wait,
    /// Nothing is left.
    Done,
}

impl Row {
    fn new(queue: Vec<usize>) -> Self {
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
        }
    }

    /// The filter that the row computes.
    pub fn filter(&self) -> usize {
        self.filter
    }

    /// The output positions of its elements, over all repeats; shorter than the row in the last group of a filter.
    pub fn positions(&self) -> std::ops::Range<usize> {
        self.first_position..self.first_position + self.elements.len()
    }

    /// Index in the filter, `[channels, taps]`, of the weight that is consumed next; where the row waits, of the last one.
    /// Where several are consumed in a cycle, of the first of them.
    pub fn weight(&self) -> usize {
        self.next_plane().weight as usize
    }

    /// The plane of that weight that is consumed next, counted from 0 among those that are executed.
    pub fn plane(&self) -> u32 {
        u32::from(self.next_plane().plane)
    }

    /// The elements that work, one for each of [`Row::positions`].
    pub fn elements(&self) -> &[ProcessingElement] {
        &self.elements
    }

    fn next_plane(&self) -> PlaneIssue {
        let operation = self.program.operations[self.next.min(self.end - 1)];
        self.program.planes[operation.first]
    }
}

/// An array with a layer and one image in it, advanced cycle by cycle.
///
/// ```
/// use digital::{ArraySpec, DigitalArray, Granularity};
/// use engine::{Activations, Joules, Layer, Outputs, Silent};
/// use esn::{CodeTensor, Grid};
/// use network::{Geometry, GeometrySpec};
///
/// let one_element = DigitalArray::new(ArraySpec {
///     name: "one element".to_string(),
///     rows: 1,
///     pes_per_row: 1,
///     granularity: Granularity::Weight,
///     pe_cycle_energy: Joules(1e-15),
/// })?;
/// let geometry = Geometry::new(GeometrySpec {
///     in_channels: 2, filters: 1, groups: 1, kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4],
///     in_size: [1, 1], repeats: 1,
/// })?;
/// let codes = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), vec![5, -1])?;
/// let layer = Layer::new("fc", &geometry, &codes)?;
/// let mut machine = one_element.load(&layer, Activations::Integer(&[10, 100]))?;
/// let mut sums = Vec::new();
/// while machine.step(&mut Silent) {
///     sums.extend(machine.row(0).map(|row| row.elements()[0].accumulator()));
/// }
/// assert_eq!(sums, [-10, -10 + 20, -10 + 20 + 40]); // the last cycle, −100, ends the filter
/// assert_eq!(machine.run(&mut Silent).outputs, Outputs::Integer(vec![5 * 10 - 100]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SteppedArray<'a> {
    work: Work<'a>,
    /// The rows that were dealt a filter, with work left or done.
    rows: Vec<Row>,
    /// Rows with work left, in ascending order.
    working: Vec<usize>,
    outputs: Vec<i64>,
    counts: Counts,
}

impl<'a> SteppedArray<'a> {
    pub(crate) fn new(
        spec: &ArraySpec,
        departures: &Departures,
        layer: &Layer<'a>,
        input: Activations<'_>,
    ) -> Result<Self, EngineError> {
        let mut work = Work::new(spec, departures, layer, input)?;
        let mut rows: Vec<Row> = work.deal().into_iter().map(Row::new).collect();
        let (mut outputs, mut counts) = (vec![0; layer.geometry().output_len()], Counts::default());
        for row in &mut rows {
            work.begin_filter(row, 0, &outputs, &mut counts);
            work.settle(row, &mut outputs, &mut counts);
        }
        let working = (0..rows.len()).collect();
        let mut array = Self { work, rows, working, outputs, counts };
        array.pass_barriers();
        Ok(array)
    }

    /// Advances every row by one cycle. Returns whether there was a cycle: `false` once the layer is done.
    #[inline]
    pub fn step(&mut self, observer: &mut impl Observer) -> bool {
        let Self { work, rows, working, outputs, counts } = self;
        let at_work = working.len();
        if at_work == 0 {
            return false;
        }
        let (busy, useful) = (counts.busy, counts.useful);
        let mut any_idle = false;
        for &index in working.iter() {
            let row = &mut rows[index];
            work.cycle(row, outputs, counts);
            any_idle |= matches!(row.task, Task::Wait | Task::Done);
        }
        let (rows, pes) = (work.spec.rows, work.spec.pes_per_row);
        observer.cycle(counts.cycles, (counts.busy - busy) as u64, counts.useful - useful);
        counts.cycles += 1;
        counts.finished_early += ((rows - at_work) * pes) as u128;
        if any_idle {
            self.pass_barriers();
        }
        true
    }

    /// Advances until the layer is done and returns what was counted and computed, from the first cycle on.
    pub fn run(mut self, observer: &mut impl Observer) -> SteppedRun {
        while self.step(observer) {}
        let run = layer_run(&self.work.spec, &self.work.departures, &self.counts);
        SteppedRun { run, outputs: Outputs::Integer(self.outputs) }
    }

    /// Cycles so far.
    pub fn cycles(&self) -> Cycles {
        Cycles(self.counts.cycles)
    }

    /// The state of a row; `None` if it is done or never had a filter to compute.
    pub fn row(&self, row: usize) -> Option<&Row> {
        self.working.binary_search(&row).ok().map(|_| &self.rows[row])
    }

    /// Takes the rows that are done out, and lets the others go on while all of them wait.
    fn pass_barriers(&mut self) {
        let Self { work, rows, working, outputs, counts } = self;
        working.retain(|&index| rows[index].task != Task::Done);
        if work.departures.barrier == Barrier::None {
            return;
        }
        while !working.is_empty() && working.iter().all(|&index| rows[index].task == Task::Wait) {
            for &index in working.iter() {
                work.begin_next(&mut rows[index], outputs, counts);
                work.settle(&mut rows[index], outputs, counts);
            }
            working.retain(|&index| rows[index].task != Task::Done);
        }
    }
}
