//! The array, cycle by cycle.

use engine::{
    Activations, Cycles, EngineError, Layer, LayerRun, Ledger, MAC_ENTRY, Observer, Occupancy, Outputs, SteppedRun,
};

use crate::array::{ArraySpec, Granularity, POSITION_TAIL, ROW_FINISHED_EARLY};
use crate::input::{PaddedInput, check_accumulators, integers};
use crate::live::live_channels;
use crate::planes::Planes;

/// One plane of one weight, as the control of a row issues it to its elements.
#[derive(Clone, Copy, Debug)]
struct PlaneIssue {
    /// Distance of the weight's input from the corner of the receptive field.
    offset: u32,
    /// Index of the weight in its filter.
    weight: u32,
    plane: u8,
    /// Power of two of the plane, in units of the code.
    exponent: u8,
    /// −1, 0 or 1.
    digit: i8,
}

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

/// A row at work: what it does in the next cycle.
#[derive(Clone, Debug)]
pub struct Row {
    filter: usize,
    first_position: usize,
    /// The planes of the filter, in order; not empty.
    planes: Vec<PlaneIssue>,
    next: usize,
    /// The elements that have a position in this group.
    elements: Vec<ProcessingElement>,
}

impl Row {
    /// The filter that the row computes.
    pub fn filter(&self) -> usize {
        self.filter
    }

    /// The output positions of its elements, over all repeats; shorter than the row in the last group of a filter.
    pub fn positions(&self) -> std::ops::Range<usize> {
        self.first_position..self.first_position + self.elements.len()
    }

    /// Index in the filter, `[channels, taps]`, of the weight that is consumed next.
    pub fn weight(&self) -> usize {
        self.planes[self.next].weight as usize
    }

    /// The plane of that weight that is consumed next.
    pub fn plane(&self) -> u32 {
        u32::from(self.planes[self.next].plane)
    }

    /// The elements that work, one for each of [`Row::positions`].
    pub fn elements(&self) -> &[ProcessingElement] {
        &self.elements
    }

    /// Whether planes of the group are left; a row without is done once it was offered its next filter.
    fn has_planes(&self) -> bool {
        self.next < self.planes.len()
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

/// What the machine has counted so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    cycles: u128,
    busy: u128,
    position_tail: u128,
    row_finished_early: u128,
}

/// What does not change while the machine runs: the layer, its input, and the description of the array.
struct Work<'a> {
    spec: ArraySpec,
    layer: Layer<'a>,
    input: PaddedInput,
    /// Where the receptive field of each position begins in the input.
    corners: Vec<u32>,
    /// Input channels that are computed at filter granularity, `[groups, channels]`.
    live: Vec<bool>,
}

impl<'a> SteppedArray<'a> {
    pub(crate) fn new(spec: &ArraySpec, layer: &Layer<'a>, input: Activations<'_>) -> Result<Self, EngineError> {
        check_accumulators(layer)?;
        let geometry = layer.geometry();
        let input = PaddedInput::new(layer, integers(layer.name(), geometry, input)?)?;
        let corners = input.corners(geometry);
        let live = live_channels(layer.weights());
        let work = Work { spec: spec.clone(), layer: *layer, input, corners, live };
        let mut rows = Vec::new();
        let mut working = Vec::new();
        for row in 0..spec.rows.min(geometry.spec().filters) {
            let mut state = Row { filter: row, first_position: 0, planes: Vec::new(), next: 0, elements: Vec::new() };
            if work.load_filter(&mut state, row) {
                working.push(row);
            }
            rows.push(state);
        }
        Ok(Self { work, rows, working, outputs: vec![0; geometry.output_len()], counts: Counts::default() })
    }

    /// Advances every row by one cycle. Returns whether there was a cycle: `false` once the layer is done.
    #[inline]
    pub fn step(&mut self, observer: &mut impl Observer) -> bool {
        let Self { work, rows, working, outputs, counts } = self;
        let at_work = working.len();
        if at_work == 0 {
            return false;
        }
        let (mut busy, mut any_done) = (0, false);
        for &index in working.iter() {
            let row = &mut rows[index];
            let issue = row.planes[row.next];
            for element in &mut row.elements {
                element.add(issue, &work.input.values);
            }
            busy += row.elements.len();
            row.next += 1;
            if !row.has_planes() {
                any_done |= !work.finish_group(row, outputs);
            }
        }
        if any_done {
            working.retain(|&index| rows[index].has_planes());
        }
        let (rows, pes) = (work.spec.rows, work.spec.pes_per_row);
        observer.cycle(counts.cycles, busy as u64, busy as u128);
        counts.cycles += 1;
        counts.busy += busy as u128;
        counts.position_tail += (at_work * pes - busy) as u128;
        counts.row_finished_early += ((rows - at_work) * pes) as u128;
        true
    }

    /// Advances until the layer is done and returns what was counted and computed, from the first cycle on.
    pub fn run(mut self, observer: &mut impl Observer) -> SteppedRun {
        while self.step(observer) {}
        let Counts { cycles, busy, position_tail, row_finished_early } = self.counts;
        let spec = &self.work.spec;
        let mut ledger = Ledger::new();
        ledger.add(MAC_ENTRY, busy, spec.pe_cycle_energy);
        let offered = cycles * spec.rows as u128 * spec.pes_per_row as u128;
        let run = LayerRun {
            cycles: Cycles(cycles),
            ledger,
            occupancy: Occupancy { used: busy, offered },
            idle: vec![(POSITION_TAIL, position_tail), (ROW_FINISHED_EARLY, row_finished_early)],
        };
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
}

impl Work<'_> {
    /// Reads the accumulators of a finished group out and gives the row its next group, or its next filter. Returns
    /// whether there is one.
    fn finish_group(&self, row: &mut Row, outputs: &mut [i64]) -> bool {
        let filters = self.layer.geometry().spec().filters;
        let per_repeat = self.layer.geometry().positions_per_repeat();
        for (position, element) in (row.first_position..).zip(&row.elements) {
            let (repeat, position) = (position / per_repeat, position % per_repeat);
            outputs[(repeat * filters + row.filter) * per_repeat + position] = element.accumulator;
        }
        let next_position = row.first_position + row.elements.len();
        if next_position < self.corners.len() {
            self.load_group(row, next_position);
            return true;
        }
        let next_filter = row.filter + self.spec.rows;
        self.load_filter(row, next_filter)
    }

    /// Gives the elements of a row the positions from `first` on.
    fn load_group(&self, row: &mut Row, first: usize) {
        let end = self.corners.len().min(first.saturating_add(self.spec.pes_per_row));
        row.first_position = first;
        row.next = 0;
        row.elements.clear();
        row.elements
            .extend(self.corners[first..end].iter().map(|&corner| ProcessingElement { corner, accumulator: 0 }));
    }

    /// Gives a row the first of the filters `filter`, `filter + R`, … that has anything to compute, and its first group.
    /// Returns whether there is one.
    fn load_filter(&self, row: &mut Row, filter: usize) -> bool {
        let filters = self.layer.geometry().spec().filters;
        for filter in (filter..filters).step_by(self.spec.rows) {
            self.issue_planes(filter, &mut row.planes);
            if !row.planes.is_empty() {
                row.filter = filter;
                self.load_group(row, 0);
                return true;
            }
        }
        false
    }

    /// Encodes the weights of a filter into the planes that a row consumes for each of its groups.
    fn issue_planes(&self, filter: usize, issues: &mut Vec<PlaneIssue>) {
        issues.clear();
        let (geometry, weights) = (self.layer.geometry(), self.layer.weights());
        let (shape, grid) = (weights.shape(), weights.grid());
        let codes = weights.filter(filter);
        let group = filter / geometry.columns();
        let filter_width = codes.iter().map(|&code| Planes::least_width(grid, code)).max().unwrap_or(0);
        let offsets = self.input.offsets(geometry, group);
        for (weight, (&code, offset)) in codes.iter().zip(offsets).enumerate() {
            let width = match self.spec.granularity {
                Granularity::Weight => Planes::least_width(grid, code),
                Granularity::Filter if self.live[group * shape.channels + weight / shape.taps] => filter_width,
                Granularity::Filter => 0,
            };
            let planes = Planes::encode(grid, code, width).expect("no width is below the least one of the weight");
            issues.extend((0..planes.width()).map(|plane| PlaneIssue {
                offset,
                weight: weight as u32,
                plane: plane as u8,
                exponent: (plane + planes.shift()) as u8,
                digit: planes.digit(plane),
            }));
        }
    }
}
