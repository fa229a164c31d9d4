//! What the memories and registers around the circuit hold for a layer: the work of its compiler.
//!
//! It knows the layer and the description of the array, and nothing of the crate `digital` but that description.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use digital::{ArraySpec, Granularity};
use engine::Layer;
use esn::Grid;

/// A word of the weight memory.
struct Weight {
    code: i32,
    offset: usize,
    last: bool,
    /// Index in the filter, which the circuit does not know.
    index: usize,
}

/// A word of the filter memory.
struct Filter {
    filter: usize,
    width: u32,
}

/// The state that a row starts from: first weight, first filter, number of filters.
type RowStart = [usize; 3];

/// The state that an element starts from: column, row and corner of its first position.
type ElementStart = [usize; 3];

/// The memories and registers for one layer.
pub struct Image {
    weights: Vec<Weight>,
    filters: Vec<Filter>,
    rows: Vec<RowStart>,
    elements: Vec<ElementStart>,
    inputs: Vec<i32>,
    registers: Vec<u32>,
}

/// Number of words: weights, filters, inputs.
pub type Words = [usize; 3];

impl Image {
    pub fn new(layer: &Layer<'_>, spec: &ArraySpec, input: &[i32]) -> Self {
        let plan = Plan::new(layer);
        let (weights, filters, rows) = plan.weight_memory(spec);
        let elements = (0..spec.pes_per_row).map(|position| plan.element_start(position)).collect();
        let registers = plan.registers(spec);
        Self { weights, filters, rows, elements, inputs: plan.padded(input), registers }
    }

    /// Index in its filter of a word of the weight memory.
    pub fn weight_index(&self, entry: usize) -> Option<usize> {
        self.weights.get(entry).map(|weight| weight.index)
    }

    pub fn words(&self) -> Words {
        [self.weights.len(), self.filters.len(), self.inputs.len()]
    }

    /// Writes `PREFIX.weights` and so on, for `$readmemh`, and returns the line of the list.
    pub fn write(&self, prefix: &Path) -> String {
        let file = |extension: &str, lines: String| {
            fs::write(prefix.with_extension(extension), lines).expect("a temporary folder is writable");
        };
        file("weights", hex(self.weights.iter().map(Weight::word)));
        file("filters", hex(self.filters.iter().map(|f| (f.filter as u128) << 5 | u128::from(f.width))));
        file("rows", hex(self.rows.iter().map(triple)));
        file("elements", hex(self.elements.iter().map(triple)));
        file("inputs", hex(self.inputs.iter().map(|&x| bits(x, 18))));
        let mut line = prefix.display().to_string();
        let numbers = self.registers.iter().map(|&n| n as usize).chain(self.words());
        numbers.for_each(|n| write!(line, " {n}").expect("a string takes all"));
        line
    }
}

impl Weight {
    fn word(&self) -> u128 {
        bits(self.code, 18) << 33 | (self.offset as u128) << 1 | u128::from(self.last)
    }
}

fn hex(words: impl Iterator<Item = u128>) -> String {
    words.fold(String::new(), |mut text, word| {
        writeln!(text, "{word:x}").expect("a string takes all");
        text
    })
}

/// The low `count` bits in two's complement.
fn bits(value: i32, count: u32) -> u128 {
    u128::from(value as u32 & ((1 << count) - 1))
}

fn triple(&[a, b, c]: &[usize; 3]) -> u128 {
    (a as u128) << 64 | (b as u128) << 32 | c as u128
}

/// A layer with the strides of its padded input.
struct Plan<'a> {
    layer: &'a Layer<'a>,
    out_size: [usize; 2],
    /// Height and width with padding.
    padded: [usize; 2],
    /// Distance in the activation buffer of neighbouring columns, rows and images of the output.
    distance: [usize; 3],
}

impl<'a> Plan<'a> {
    fn new(layer: &'a Layer<'a>) -> Self {
        let spec = layer.geometry().spec();
        let padded = [0, 1].map(|axis| spec.in_size[axis] + spec.pads[axis] + spec.pads[axis + 2]);
        let distance = [spec.stride[1], spec.stride[0] * padded[1], spec.in_channels * padded[0] * padded[1]];
        Self { layer, out_size: layer.geometry().out_size(), padded, distance }
    }

    /// The weights that are computed, row after row and filter after filter.
    fn weight_memory(&self, spec: &ArraySpec) -> (Vec<Weight>, Vec<Filter>, Vec<RowStart>) {
        let (mut weights, mut filters, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..spec.rows {
            let start = [weights.len(), filters.len()];
            for filter in (row..self.layer.geometry().spec().filters).step_by(spec.rows) {
                let of_filter = self.filter_weights(filter, spec.granularity);
                if !of_filter.is_empty() {
                    weights.extend(of_filter);
                    filters.push(Filter { filter, width: self.width(filter) });
                }
            }
            rows.push([start[0], start[1], filters.len() - start[1]]);
        }
        (weights, filters, rows)
    }

    /// Weight granularity: the nonzero weights. Filter granularity: those of the input channels that any filter of the
    /// group uses, unless the filter is pruned.
    fn filter_weights(&self, filter: usize, granularity: Granularity) -> Vec<Weight> {
        let codes = self.layer.weights().filter(filter);
        if codes.iter().all(|&code| code == 0) {
            return Vec::new();
        }
        let computed = |index: &usize| match granularity {
            Granularity::Weight => codes[*index] != 0,
            // The circuit has the two granularities of the ideal array.
            Granularity::Filter | Granularity::Layer | Granularity::Fixed(_) => self.group_uses(filter, *index),
        };
        let weight = |index| Weight { code: codes[index], offset: self.offset(filter, index), last: false, index };
        let mut weights: Vec<Weight> = (0..codes.len()).filter(computed).map(weight).collect();
        weights.last_mut().expect("the filter has a nonzero weight").last = true;
        weights
    }

    /// Whether a filter of the same group has a nonzero weight in the input channel of a weight.
    fn group_uses(&self, filter: usize, index: usize) -> bool {
        let (shape, columns) = (self.layer.weights().shape(), self.layer.geometry().columns());
        let channel = index / shape.taps * shape.taps;
        let first = filter / columns * columns;
        let taps = |filter| &self.layer.weights().filter(filter)[channel..channel + shape.taps];
        (first..first + columns).any(|filter| taps(filter).iter().any(|&code| code != 0))
    }

    /// Planes that the widest weight of a filter needs: as many as reach it, counted up.
    fn width(&self, filter: usize) -> u32 {
        let weights = self.layer.weights();
        let reaches = |planes: u32, code: i32| match weights.grid() {
            Grid::MidRise => code.unsigned_abs() < 1 << planes,
            Grid::MidTread => code.unsigned_abs() <= 1 << planes,
        };
        let all = |planes: &u32| weights.filter(filter).iter().all(|&code| reaches(*planes, code));
        (1..).find(all).expect("some number of planes reaches every code")
    }

    /// Distance of a weight's activation from the corner of the receptive field.
    fn offset(&self, filter: usize, index: usize) -> usize {
        let spec = self.layer.geometry().spec();
        let taps = spec.kernel[0] * spec.kernel[1];
        let group = filter / self.layer.geometry().columns();
        let channel = group * (spec.in_channels / spec.groups) + index / taps;
        let [y, x] = [index % taps / spec.kernel[1], index % spec.kernel[1]];
        (channel * self.padded[0] + y * spec.dilation[0]) * self.padded[1] + x * spec.dilation[1]
    }

    fn element_start(&self, position: usize) -> ElementStart {
        let [x, y, image] = self.split(position);
        [x, y, image * self.distance[2] + y * self.distance[1] + x * self.distance[0]]
    }

    /// A number of positions as columns, rows and whole images.
    fn split(&self, positions: usize) -> [usize; 3] {
        let [height, width] = self.out_size;
        [positions % width, positions / width % height, positions / width / height]
    }

    /// In the order of the list; differences of addresses wrap around.
    fn registers(&self, spec: &ArraySpec) -> Vec<u32> {
        let [height, width] = self.out_size;
        let [column, row, image] = self.distance;
        let [step_x, step_y, _] = self.split(spec.pes_per_row);
        let [_, _, advance] = self.element_start(spec.pes_per_row);
        let difference = |to: usize, from: usize| (to as u32).wrapping_sub(from as u32);
        let mut registers = vec![
            u32::from(self.layer.weights().grid() == Grid::MidTread),
            u32::from(spec.granularity == Granularity::Filter),
            self.layer.geometry().positions() as u32,
        ];
        registers.extend([width, height, step_x, step_y, advance].map(|n| n as u32));
        registers.extend([difference(row, width * column), difference(image, height * row)]);
        registers
    }

    /// The input between zeros.
    fn padded(&self, input: &[i32]) -> Vec<i32> {
        let spec = self.layer.geometry().spec();
        let images = spec.repeats * spec.in_channels;
        let mut padded = Vec::with_capacity(images * self.padded[0] * self.padded[1]);
        for image in input.chunks_exact(spec.in_size[0] * spec.in_size[1]) {
            for y in 0..self.padded[0] {
                let inside = y.checked_sub(spec.pads[0]).filter(|&y| y < spec.in_size[0]);
                let line = inside.map_or(&[][..], |y| &image[y * spec.in_size[1]..(y + 1) * spec.in_size[1]]);
                let end = padded.len() + self.padded[1];
                if !line.is_empty() {
                    padded.resize(padded.len() + spec.pads[1], 0);
                    padded.extend(line);
                }
                padded.resize(end, 0);
            }
        }
        padded
    }
}
