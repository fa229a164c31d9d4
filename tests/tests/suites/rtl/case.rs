//! Layers to run: random ones of every kind, and those of the embedded network.

use digital::{ArraySpec, DigitalArray, Granularity};
use engine::{Joules, Layer};
use esn::{BitWidth, CodeTensor, Grid, MAX_CODE, WeightShape};
use network::{Geometry, GeometrySpec, LayerId};
use runner::{Quantization, embedded_network, prepare};
use testkit::Random;

/// A layer, one image, and the array that it runs on.
pub struct Case {
    pub name: String,
    pub geometry: Geometry,
    pub codes: CodeTensor,
    pub input: Vec<i32>,
    pub array: DigitalArray,
}

impl Case {
    pub fn layer(&self) -> Layer<'_> {
        Layer::new(&self.name, &self.geometry, &self.codes).expect("the codes have the shape of the geometry")
    }

    /// A layer of any kind on an array of `[rows, elements a row]`; odd seeds at filter granularity.
    pub fn random(seed: u64, shape: [usize; 2]) -> Self {
        let mut random = Draw(Random::new(seed));
        let geometry = random.geometry();
        let codes = random.codes(geometry.weight_shape());
        let input = random.input(geometry.input_len());
        let granularity = if seed.is_multiple_of(2) { Granularity::Weight } else { Granularity::Filter };
        Self { name: format!("random {seed}"), geometry, codes, input, array: array(shape, granularity) }
    }

    /// All layers of the embedded network, on pseudo-random 8-bit activations.
    pub fn embedded(bits: u32, granularity: Granularity, shape: [usize; 2]) -> Vec<Self> {
        let network = embedded_network().expect("it is valid");
        let quantization = Quantization::new(Some(BitWidth::new(bits).expect("a width from 1 to 16")));
        let case = |(index, layer): (usize, &network::MacLayer)| {
            let weights = prepare(&network, LayerId(index), quantization).unwrap_or_else(|error| panic!("{error}"));
            let mut random = Draw(Random::new(index as u64));
            let input = (0..layer.geometry.input_len()).map(|_| random.0.below(256) as i32).collect();
            let (name, geometry, codes) = (layer.name.clone(), layer.geometry, weights.codes);
            Self { name, geometry, codes, input, array: array(shape, granularity) }
        };
        network.layers().iter().enumerate().map(case).collect()
    }
}

fn array([rows, pes_per_row]: [usize; 2], granularity: Granularity) -> DigitalArray {
    let name = format!("{rows} × {pes_per_row}");
    let spec = ArraySpec { name, rows, pes_per_row, granularity, pe_cycle_energy: Joules(1.0) };
    DigitalArray::new(spec).expect("a valid array")
}

/// Layers drawn at random.
struct Draw(Random);

impl Draw {
    fn geometry(&mut self) -> Geometry {
        let groups = self.0.between(1, 3);
        let (channels, columns) = (self.0.between(1, 4), self.0.between(1, 6));
        let kernel = [self.0.between(1, 3), self.0.between(1, 3)];
        let stride = [self.0.between(1, 3), self.0.between(1, 3)];
        let dilation = [self.0.between(1, 2), self.0.between(1, 2)];
        let pads = [(); 4].map(|()| self.0.below(3));
        // Large enough for the kernel.
        let extent = |axis: usize| (kernel[axis] - 1) * dilation[axis] + 1;
        let in_size = [0, 1].map(|axis| self.0.between(1, 7).max(extent(axis)));
        let (in_channels, filters, repeats) = (groups * channels, groups * columns, self.0.between(1, 2));
        let spec = GeometrySpec { in_channels, filters, groups, kernel, stride, dilation, pads, in_size, repeats };
        Geometry::new(spec).expect("the kernel fits")
    }

    /// Levels of either grid at 1 to 8, 16 or 17 bits, with pruned weights, filters and input channels; now and then a
    /// layer that is pruned altogether.
    fn codes(&mut self, shape: WeightShape) -> CodeTensor {
        let grid = if self.0.below(2) == 0 { Grid::MidRise } else { Grid::MidTread };
        let width = [1, 2, 3, 4, 5, 6, 7, 8, 16, 17][self.0.below(10)];
        let density = [0, 10, 40, 70, 100, 100][self.0.below(6)];
        let filters: Vec<bool> = (0..shape.filters).map(|_| self.0.below(4) > 0).collect();
        let channels: Vec<bool> = (0..shape.groups * shape.channels).map(|_| self.0.below(4) > 0).collect();
        let mut codes = Vec::new();
        for (filter, filter_lives) in filters.iter().enumerate() {
            let group = filter / (shape.filters / shape.groups);
            for weight in 0..shape.filter_len() {
                let lives = *filter_lives && channels[group * shape.channels + weight / shape.taps];
                let level = self.level(grid, width);
                codes.push(if lives && self.0.below(100) < density { level } else { 0 });
            }
        }
        CodeTensor::new(grid, shape, codes).expect("levels of the grid")
    }

    /// A level that `width` planes reach; often the outermost.
    fn level(&mut self, grid: Grid, width: u32) -> i32 {
        let levels = 1usize << (width - 1);
        let index = if self.0.below(8) == 0 { levels } else { self.0.between(1, levels) } as i32;
        let magnitude = match grid {
            Grid::MidRise => 2 * index - 1,
            Grid::MidTread => (2 * index).min(MAX_CODE - 1),
        };
        if self.0.below(2) == 0 { magnitude } else { -magnitude }
    }

    fn input(&mut self, len: usize) -> Vec<i32> {
        let wide = self.0.below(4) == 0;
        let most = if wide { 65536 } else { 255 };
        (0..len).map(|_| self.0.between(0, 2 * most) as i32 - most as i32).collect()
    }
}
