//! A chip on the bench: its description, with some values changed, run on a layer of the shape that it was measured with.

use std::path::Path;

use engine::{Activations, EnergyGroup, Event, Layer, LayerRun};
use esn::{CodeTensor, Grid};
use network::{Geometry, GeometrySpec};
use runner::Hardware;

/// A description that comes along, with values changed: `("dac.bits", 4.into())`.
pub fn chip(name: &str, changes: &[(&str, toml::Value)]) -> Hardware {
    let text = Hardware::description(name).expect("the chip comes along");
    let mut file: toml::Table = toml::from_str(text).expect("it is TOML");
    for (key, value) in changes {
        let (table, key) = match key.split_once('.') {
            Some((section, key)) => (file[section].as_table_mut().expect("a section"), key),
            None => (&mut file, *key),
        };
        table.insert(key.to_string(), value.clone());
    }
    let text = toml::to_string(&file).expect("it is still TOML");
    Hardware::parse(Path::new(name), &text).expect("the changed description is valid")
}

/// A product of a matrix with many vectors.
pub struct Shape {
    pub inputs: usize,
    pub filters: usize,
    /// Vectors.
    pub positions: usize,
    /// Bits of every weight, on the mid-rise grid, whose largest code is taken: `2^bits − 1`.
    pub weight_bits: u32,
}

/// What a chip took for a product.
pub struct Took {
    pub run: LayerRun,
    pub macs: f64,
    clock_hz: f64,
}

impl Shape {
    /// All weights are equal. `vector` is the input at every position; without one nothing may depend on it.
    pub fn run(&self, chip: &Hardware, vector: Option<&[f32]>) -> Took {
        let spec = GeometrySpec::convolution(self.inputs, self.filters, [1, 1], [1, self.positions]);
        let geometry = Geometry::new(spec).expect("it is small");
        let code = (1i32 << self.weight_bits) - 1;
        let codes = vec![code; self.inputs * self.filters];
        let weights = CodeTensor::new(Grid::MidRise, geometry.weight_shape(), codes).expect("codes are odd");
        let layer = Layer::new("bench", &geometry, &weights).expect("shapes agree");
        let run = match vector {
            None => chip.engine.run(&layer),
            Some(vector) => {
                let input: Vec<f32> = vector.iter().flat_map(|&x| vec![x; self.positions]).collect();
                chip.engine.run_on(&layer, Activations::Real(&input))
            }
        };
        Took {
            run: run.expect("the chip holds the layer"),
            macs: (self.inputs * self.filters * self.positions) as f64,
            clock_hz: chip.clock_hz.expect("a chip has a clock"),
        }
    }
}

impl Took {
    /// Joules without the memory beside the chip.
    pub fn joules(&self) -> f64 {
        let of = |group| self.run.ledger.energy_of(group).0;
        of(EnergyGroup::Compute) + of(EnergyGroup::Conversion)
    }

    /// Joules of some events.
    pub fn joules_of(&self, events: &[Event]) -> f64 {
        let entry = |&event: &Event| self.run.ledger.entry(event).map_or(0.0, |entry| entry.unit.times(entry.count).0);
        events.iter().map(entry).sum()
    }

    /// Operations in a second, two a MAC.
    pub fn operations_per_second(&self) -> f64 {
        2.0 * self.macs / (self.run.cycles.0 as f64 / self.clock_hz)
    }

    /// 10^12 operations for a joule.
    pub fn tops_per_watt(&self) -> f64 {
        2.0 * self.macs / self.joules() / 1e12
    }
}
