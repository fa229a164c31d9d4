//! Which power follows W² and which |W|, in circuits that ngspice solves?
//!
//! The netlists of `rtl/spice/` sweep a weight over the levels of a 4-bit mid-rise grid and print a line `point …` a
//! weight. Exponents are slopes of least squares in the logarithms. Where ngspice is not installed the tests print
//! `skipped`.

use std::process::Command;

use esnsim_tests::repository;
use testkit::tool;

/// Levels of a 4-bit mid-rise grid.
const LEVELS: [f64; 8] = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5];

/// The numbers of every line `point …` that a netlist prints.
fn points<const N: usize>(netlist: &str) -> Option<Vec<[f64; N]>> {
    tool("ngspice", "--version")?;
    let output = Command::new("ngspice").arg("-b").arg(repository("rtl/spice").join(netlist)).output();
    let text = String::from_utf8_lossy(&output.expect("it was found above").stdout).into_owned();
    let numbers = |line: &str| -> [f64; N] {
        let numbers: Vec<f64> = line.split_ascii_whitespace().map(|n| n.parse().expect("a number")).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("{netlist} prints {N} numbers a point: {line}"))
    };
    let points: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("point ")).map(numbers).collect();
    assert!(!points.is_empty(), "{netlist}: {text}");
    Some(points)
}

/// Exponent and factor of `y = factor · x^exponent`, by least squares of `ln y` over `ln x`.
fn fit(points: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let logarithms: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |f: fn(&(f64, f64)) -> f64| logarithms.iter().map(f).sum::<f64>() / logarithms.len() as f64;
    let (x, y, xx, xy) = (mean(|p| p.0), mean(|p| p.1), mean(|p| p.0 * p.0), mean(|p| p.0 * p.1));
    let exponent = (xy - x * y) / (xx - x * x);
    (exponent, (y - exponent * x).exp())
}

fn close(found: f64, expected: f64, relative: f64, what: &str) {
    println!("{what}: {found:.6e}, expected {expected:.6e}");
    assert!((found / expected - 1.0).abs() < relative, "{what} is {found}, not {expected}");
}

#[test]
fn a_class_b_stage_gives_its_load_w_squared_and_takes_w_from_fixed_rails() {
    let Some(points) = points::<5>("class_b.cir") else { return };
    assert_eq!(points.iter().map(|point| point[0]).collect::<Vec<_>>(), LEVELS);
    let column = |index: usize| fit(points.iter().map(|point| (point[0], point[index])));
    let [load, supply, scaled_load, scaled_supply] = [1, 2, 3, 4].map(column);
    close(load.0, 2.0, 1e-3, "exponent of the load's power");
    close(supply.0, 1.0, 1e-2, "exponent of the supply's power, fixed rails");
    close(scaled_load.0, 2.0, 1e-3, "exponent of the load's power, rails that follow");
    close(scaled_supply.0, 2.0, 1e-2, "exponent of the supply's power, rails that follow");
    // A sine of 0.1 V · W on 1 kΩ: (0.1 W)² / 2 / R to the load, and V · 0.1 W · (2/π) / R from rails of ±V.
    close(load.1, 5e-6, 1e-2, "W to the load at W_int = 1");
    close(supply.1, 0.2 / std::f64::consts::PI * 1e-3, 1e-2, "W from fixed rails at W_int = 1");
    close(scaled_supply.1, 0.022 / std::f64::consts::PI * 1e-3, 1e-2, "W from rails that follow at W_int = 1");
    let efficiency = points[7][1] / points[7][2];
    close(efficiency, std::f64::consts::FRAC_PI_4 * 0.75, 1e-2, "efficiency at 0.75 of the rails");
}

#[test]
fn a_resistive_column_takes_w_and_x_squared() {
    let Some(points) = points::<4>("resistive_column.cir") else { return };
    let volts = [0.05, 0.1, 0.2];
    assert_eq!(points.len(), volts.len() * LEVELS.len());
    for volt in volts {
        let at = points.iter().filter(|point| point[1] == volt);
        close(fit(at.map(|point| (point[0], point[2]))).0, 1.0, 1e-4, "exponent of W");
    }
    for level in LEVELS {
        let at = points.iter().filter(|point| point[0] == level);
        close(fit(at.map(|point| (point[1], point[2]))).0, 2.0, 1e-4, "exponent of x");
    }
    for [level, volt, power, current] in points {
        // Σ x² and Σ x of the netlist's inputs, in units of its voltage; conductance W · 1 µS.
        close(power, 4.135 * volt * volt * level * 1e-6, 1e-4, "W from the inputs");
        close(current, 1.6 * volt * level * 1e-6, 1e-4, "A out of the column");
    }
}
