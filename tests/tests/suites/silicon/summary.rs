//! Groups of figures, with the constants that were fitted for them and how far the descriptions are from them.

use super::chips::colonnade_with_one_constant;
use super::points::{POINTS, Point, Printed, Use};

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    pub what: &'static str,
    pub fitted_at: &'static str,
    pub constants: u32,
    pub holds: fn(&Printed) -> bool,
    /// Most percent that its mean and its worst error may have.
    pub mark: Option<(f64, f64)>,
}

fn colonnade(printed: &Printed, source: &str, volts: &[&str]) -> bool {
    printed.chip == "colonnade" && printed.source == source && volts.contains(&printed.volts.as_str())
}

fn is(printed: &Printed, chip: &str, quantity: &str) -> bool {
    printed.chip == chip && printed.quantity == quantity
}

pub const ROWS: [Row; 18] = [
    Row {
        what: "Colonnade, 0.8 V, 1-bit inputs, energy",
        fitted_at: "weights of 1 and 16 bits",
        constants: 2,
        holds: |p| colonnade(p, "Fig. 16b", &["0.8"]),
        mark: Some((2.0, 4.0)),
    },
    Row {
        what: "Colonnade, 0.8 V, b × b bits, energy",
        fitted_at: "nothing more",
        constants: 0,
        holds: |p| colonnade(p, "Fig. 16a", &["0.8"]),
        mark: Some((3.0, 5.0)),
    },
    Row {
        what: "Colonnade, 0.7 V, both",
        fitted_at: "1-bit weights and inputs",
        constants: 1,
        holds: |p| p.chip == "colonnade" && p.volts == "0.7",
        mark: Some((4.0, 12.0)),
    },
    Row {
        what: "Colonnade, 0.6 V, both",
        fitted_at: "1-bit weights and inputs",
        constants: 1,
        holds: |p| p.chip == "colonnade" && p.volts == "0.6",
        mark: Some((4.0, 12.0)),
    },
    Row {
        what: "UNPU, efficiency",
        fitted_at: "16 bits",
        constants: 1,
        holds: |p| is(p, "unpu", "efficiency"),
        mark: Some((3.0, 5.0)),
    },
    Row {
        what: "UNPU, peak throughput",
        fitted_at: "16 bits",
        constants: 1,
        holds: |p| is(p, "unpu", "peak throughput"),
        mark: None,
    },
    Row {
        what: "NeuRRAM, efficiency, 14 settings",
        fitted_at: "the energies below",
        constants: 0,
        holds: |p| is(p, "neurram", "efficiency"),
        mark: Some((5.0, 12.0)),
    },
    Row {
        what: "NeuRRAM, energy of word lines",
        fitted_at: "inputs of 1 and 8 bits",
        constants: 1,
        holds: |p| is(p, "neurram", "energy, word lines"),
        mark: None,
    },
    Row {
        what: "NeuRRAM, energy of input pulses",
        fitted_at: "inputs of 1 and 8 bits",
        constants: 1,
        holds: |p| is(p, "neurram", "energy, input pulses"),
        mark: None,
    },
    Row {
        what: "NeuRRAM, energy of neurons and control",
        fitted_at: "inputs of 1 and 8 bits",
        constants: 1,
        holds: |p| is(p, "neurram", "energy, neurons and control"),
        mark: None,
    },
    Row {
        what: "NeuRRAM, throughput",
        fitted_at: "times of the public model",
        constants: 3,
        holds: |p| is(p, "neurram", "throughput of 48 cores"),
        mark: None,
    },
    Row {
        what: "Sinangil, 0.8 V, energy by values",
        fitted_at: "mean outputs of 0 and 15",
        constants: 2,
        holds: |p| p.chip == "sinangil" && p.source == "Fig. 13a",
        mark: Some((3.0, 6.0)),
    },
    Row {
        what: "Sinangil, 0.8 V, efficiency",
        fitted_at: "nothing more",
        constants: 0,
        holds: |p| is(p, "sinangil", "efficiency") && p.volts == "0.8",
        mark: Some((3.0, 6.0)),
    },
    Row {
        what: "Sinangil, 1.0 V, efficiency",
        fitted_at: "a mean output of 0",
        constants: 1,
        holds: |p| is(p, "sinangil", "efficiency") && p.volts == "1.0",
        mark: None,
    },
    Row {
        what: "Jia, energies of Table I, two voltages",
        fitted_at: "themselves",
        constants: 6,
        holds: |p| p.chip == "jia" && p.source == "Table I",
        mark: Some((0.5, 0.5)),
    },
    Row {
        what: "Jia, efficiency of Table II, two voltages",
        fitted_at: "nothing more",
        constants: 0,
        holds: |p| is(p, "jia", "efficiency"),
        mark: Some((3.0, 3.0)),
    },
    Row {
        what: "Jia, throughput, two voltages, four widths",
        fitted_at: "1 bit at 0.85 V",
        constants: 1,
        holds: |p| is(p, "jia", "throughput"),
        mark: None,
    },
    Row {
        what: "Wang, 1.0 V, shares and efficiency",
        fitted_at: "themselves",
        constants: 4,
        holds: |p| p.chip == "wang" && p.volts == "1.0" && p.quantity != "density",
        mark: Some((0.5, 0.5)),
    },
];

impl Row {
    /// The figures that the descriptions say something of.
    pub fn points(&self) -> impl Iterator<Item = &'static Point> {
        POINTS.iter().filter(|point| point.model.is_some() && (self.holds)(&point.printed))
    }

    pub fn fitted(&self) -> usize {
        self.points().filter(|point| matches!(point.model, Some((_, Use::Fitted)))).count()
    }

    /// Mean and worst error of all its points, as parts of 1.
    pub fn errors(&self) -> (f64, f64) {
        let errors: Vec<f64> = self.points().filter_map(Point::error).map(f64::abs).collect();
        assert!(!errors.is_empty(), "{} has no point", self.what);
        (errors.iter().sum::<f64>() / errors.len() as f64, errors.iter().copied().fold(0.0, f64::max))
    }
}

/// Errors of Colonnade where an idle cell spends what others do. The one constant is fitted at weights of 5 bits.
pub fn one_constant_errors<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<f64> {
    let ratio = |point: &Point| {
        let bits = point.printed.input_bits.expect("it has input bits");
        colonnade_with_one_constant(point.printed.weight_bits, bits) / point.printed.measured
    };
    let ratios: Vec<(u32, f64)> = points.map(|point| (point.printed.weight_bits, ratio(point))).collect();
    let (_, anchor) = ratios.iter().find(|(bits, _)| *bits == 5).expect("every width is there");
    ratios.iter().map(|(_, ratio)| (ratio / anchor - 1.0).abs()).collect()
}
