//! Does hardware bend away from the ideal as Figure 1 of "Prune or quantize?" sketches, and is that what the documentation
//! shows?

use std::collections::HashMap;
use std::path::Path;

use esnsim_tests::{esnsim, repository};
use report::LANDSCAPE_COLUMNS;
use testkit::check_all;

type Row = HashMap<String, String>;

fn read(path: &Path) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(path).expect("it is there");
    assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), LANDSCAPE_COLUMNS);
    csv.deserialize().map(|row| row.expect("valid CSV")).collect()
}

fn documented() -> Vec<Row> {
    read(&repository("docs/landscape/points.csv"))
}

/// A number of one hardware over one sweep, by what is varied.
fn line(rows: &[Row], hardware: &str, sweep: &str, column: &str) -> Vec<(u32, f64)> {
    let varied = if sweep == "bits" { "bits" } else { "pruned_percent" };
    let own = rows.iter().filter(|row| row["hardware"] == hardware && row["sweep"] == sweep && !row[column].is_empty());
    let line: Vec<_> = own.map(|row| (number(row, varied) as u32, number(row, column))).collect();
    assert!(line.len() >= 8, "{hardware} {sweep}");
    line
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

/// Energy per nonzero MAC and bit: the same at every point of hardware that is ideal along the sweep.
fn per_unit(rows: &[Row], hardware: &str, sweep: &str) -> Vec<f64> {
    let own = rows.iter().filter(|row| row["hardware"] == hardware && row["sweep"] == sweep);
    own.map(|row| number(row, "energy_j") / number(row, "nonzero_macs") / number(row, "bits")).collect()
}

fn spread(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max) / values.iter().copied().fold(f64::INFINITY, f64::min) - 1.0
}

#[test]
fn the_documented_figure_is_what_the_command_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(["1", "3"], |&threads| {
        let arguments = ["landscape", "--csv", "points.csv", "--svg", "landscape.svg", "--threads", threads];
        esnsim().current_dir(folder.path()).args(arguments).assert().success();
        check_all(["points.csv", "landscape.svg"], |&file| {
            let made = std::fs::read(folder.path().join(file)).expect("the run wrote it");
            let shown = std::fs::read(repository("docs/landscape").join(file)).expect("it is in the repository");
            assert!(made == shown, "docs/landscape/{file} is not what esnsim landscape makes");
        });
    });
}

#[test]
fn ideal_lines_go_straight_through_the_origin() {
    let rows = documented();
    check_all(["bits", "pruned-weights", "pruned-filters"], |&sweep| {
        assert!(spread(&per_unit(&rows, "ideal-digital", sweep)) < 1e-14, "{sweep}");
    });
    check_all(["bits", "pruned-filters"], |&sweep| {
        assert!(spread(&per_unit(&rows, "ideal-digital-filter", sweep)) < 1e-14, "{sweep}");
    });
    // Which squares are pruned is drawn; the mean of those that stay moves a little.
    assert!(spread(&per_unit(&rows, "ideal-analog", "pruned-weights")) < 0.02);
}

#[test]
fn hardware_that_gains_nothing_is_flat() {
    let rows = documented();
    let flat = [
        ("gpu-8bit", "pruned-weights"),
        ("gpu-8bit", "pruned-filters"),
        ("cpu-serial", "bits"),
        ("gpu-8bit", "bits"),
        ("ideal-digital-filter", "pruned-weights"),
        ("variable-bit-filter", "pruned-weights"),
        ("multi-precision", "pruned-weights"),
        ("analog-class-a", "pruned-weights"),
    ];
    check_all(flat, |&(hardware, sweep)| {
        let line: Vec<f64> =
            line(&rows, hardware, sweep, "relative_without_memory").into_iter().map(|(_, energy)| energy).collect();
        assert!(spread(&line) < 1e-12, "{hardware} {sweep}: {line:?}");
    });
}

#[test]
fn sparse_hardware_gains_beyond_a_threshold_alone() {
    let rows = documented();
    let sparse = line(&rows, "sparse-8bit", "pruned-weights", "energy_j");
    let dense = line(&rows, "gpu-8bit", "pruned-weights", "energy_j");
    let cheaper: Vec<bool> = sparse.iter().zip(&dense).map(|((_, sparse), (_, dense))| sparse < dense).collect();
    assert!(!cheaper[0] && cheaper.last() == Some(&true) && cheaper.is_sorted(), "{cheaper:?}");
    // Fetched weights: 9 bits of a pruned layer in dense words, 12 of each weight that is left.
    assert_eq!(sparse[cheaper.iter().position(|c| *c).expect("it is somewhere")].0, 50);
    let serial = line(&rows, "cpu-serial", "pruned-weights", "relative_without_memory");
    assert!(serial.iter().all(|&(pruned, cost)| (cost - (1.0 - f64::from(pruned) / 100.0)).abs() < 1e-4), "{serial:?}");
}

#[test]
fn fused_multipliers_go_down_in_steps() {
    let rows = documented();
    let line = line(&rows, "multi-precision", "bits", "compute_j");
    let at = |bits: u32| line.iter().find(|(b, _)| *b == bits).expect("it is measured").1;
    check_all([(1, 2), (3, 4), (5, 8), (6, 8), (7, 8)], |&(bits, step)| assert_eq!(at(bits), at(step), "{bits}"));
    assert!(at(2) < 0.51 * at(4) && at(4) < 0.51 * at(8));
}

#[test]
fn converters_hold_the_analog_array_up() {
    let rows = documented();
    let [cells, array] = ["analog-class-b", "in-memory-class-b"]
        .map(|hardware| line(&rows, hardware, "bits", "relative_without_memory"));
    assert!(cells[0].1 < 1e-4 && array[0].1 > 4e-3, "{cells:?} {array:?}");
    let (a, ab, b) = ("analog-class-a", "analog-class-ab", "analog-class-b");
    check_all(["bits", "pruned-weights", "pruned-filters"], |&sweep| {
        let [a, ab, b] = [a, ab, b].map(|hardware| line(&rows, hardware, sweep, "energy_j"));
        assert!(a.iter().zip(&ab).zip(&b).all(|((a, ab), b)| a.1 >= ab.1 && ab.1 >= b.1), "{sweep}");
    });
}

#[test]
fn hardware_that_cannot_hold_a_width_has_no_number_there() {
    let rows = documented();
    let wide = |hardware: &str| {
        let row = rows.iter().find(|row| row["hardware"] == hardware && row["bits"] == "16").expect("a row");
        row["energy_j"].clone()
    };
    assert_eq!(wide("gpu-8bit"), "");
    assert_ne!(wide("ideal-digital"), "");
}
