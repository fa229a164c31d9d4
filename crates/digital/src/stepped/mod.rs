//! The array cycle by cycle.
//!
//! ```text
//! program    what the control of a row issues     elements  what its elements do with it
//! row        the state of a row                   work      what a row does in a cycle
//! view       what an observer sees of a row
//! ```
//!
//! A watched array takes a cycle of every row, and then the next one. Rows see nothing of one another except at barriers.
//! An array that nobody watches therefore lets each row take its cycles up to the next barrier, before the next row takes
//! its own. The cycles of a row are the same, in the same order, and its program stays in the processor's cache.

mod elements;
mod program;
mod row;
mod view;
mod work;

use engine::{Activations, Cycles, EngineError, Lane, Layer, Observer, Outputs, Parts, SteppedRun};

use crate::account::{Counts, layer_run};
use crate::departures::{Barrier, Departures};
use crate::idle;
use crate::spec::ArraySpec;
pub use elements::ProcessingElement;
pub use row::Row;
use row::Task;
use work::Work;

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
        let mut outputs = vec![0; layer.geometry().output_len()];
        let mut counts = Counts { memory: work.storage.memory(), ..Counts::default() };
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
            if work.advance(row, 1, outputs, counts) == 0 {
                counts.waiting += 1;
            }
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
        self.finished()
    }

    /// As [`SteppedArray::run`] without an observer, which is faster.
    pub fn run_unobserved(mut self) -> SteppedRun {
        let mut taken = Vec::with_capacity(self.working.len());
        while !self.working.is_empty() {
            let Self { work, rows, working, outputs, counts } = &mut self;
            taken.clear();
            taken.extend(working.iter().map(|&index| work.advance(&mut rows[index], u64::MAX, outputs, counts)));
            let cycles = taken.iter().copied().max().unwrap_or(0);
            let pes = work.spec.pes_per_row as u128;
            counts.cycles += u128::from(cycles);
            counts.finished_early += u128::from(cycles) * (work.spec.rows - working.len()) as u128 * pes;
            for (&index, &taken) in working.iter().zip(&taken) {
                match rows[index].task {
                    Task::Wait => counts.waiting += u128::from(cycles - taken),
                    Task::Done => counts.finished_early += u128::from(cycles - taken) * pes,
                    Task::LookUp | Task::Fill(_) | Task::Decode(_) | Task::Execute => {
                        unreachable!("a row goes on until it waits or is done")
                    }
                }
            }
            self.pass_barriers();
        }
        self.finished()
    }

    fn finished(self) -> SteppedRun {
        let run = layer_run(&self.work.spec, &self.work.described, &self.counts);
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

    /// What works on the layer from here on.
    pub fn parts(&self) -> Parts {
        let elements = self.work.spec.pes_per_row.min(self.work.corners.len());
        Parts { lanes: self.working.clone(), elements, stages: Vec::new() }
    }

    /// A row as the next cycle begins, with its first `elements`.
    pub fn lane(&self, row: usize, elements: usize) -> Lane {
        match self.row(row) {
            Some(row) => view::lane(row, &self.work, elements),
            None => Lane::Free(Some(idle::ROW_FINISHED_EARLY)),
        }
    }

    /// Takes out the rows that are done. If all others wait, lets them go on.
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
