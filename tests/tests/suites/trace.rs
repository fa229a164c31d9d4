//! Is a trace what the machine did, can a reader of waveforms read it, and is it bounded?

use std::collections::HashMap;
use std::path::Path;

use esnsim_tests::{esnsim, repository};
use report::trace::TRACE_COLUMNS;
use testkit::check_all;
use vcd::{Command, IdCode, Parser, ScopeItem, Value};

fn trace(folder: &Path, arguments: &[&str]) -> String {
    let assert = esnsim().current_dir(folder).arg("trace").args(arguments).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("output is text")
}

/// Rows of the CSV: cycle, active, count, energy.
fn rows(path: &Path) -> Vec<(u64, u64, u64, f64)> {
    let mut csv = csv::Reader::from_path(path).expect("the run wrote it");
    assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), TRACE_COLUMNS);
    csv.deserialize().map(|row| row.expect("valid CSV")).collect()
}

/// A waveform: what every signal shows at every time.
struct Waves {
    signals: HashMap<String, IdCode>,
    times: Vec<(u64, HashMap<IdCode, String>)>,
}

impl Waves {
    fn read(path: &Path) -> Self {
        let mut parser = Parser::new(std::io::BufReader::new(std::fs::File::open(path).expect("the run wrote it")));
        let header = parser.parse_header().expect("a header");
        assert_eq!(header.timescale, Some((1, vcd::TimescaleUnit::PS)));
        let (mut signals, mut times) = (HashMap::new(), Vec::new());
        collect(&header.items, "", &mut signals);
        let mut now = HashMap::new();
        for command in parser {
            match command.expect("a valid command") {
                Command::Timestamp(time) => times.push((time, now.clone())),
                Command::ChangeScalar(id, value) => drop(now.insert(id, value.to_string())),
                Command::ChangeVector(id, value) => drop(now.insert(id, integer(&value.iter().collect::<Vec<_>>()))),
                Command::ChangeReal(id, value) => drop(now.insert(id, format!("{value:?}"))),
                other => panic!("{other:?}"),
            }
        }
        // What a time shows stands after it.
        for i in 0..times.len() {
            times[i].1 = times.get(i + 1).map_or(now.clone(), |(_, values)| values.clone());
        }
        Self { signals, times }
    }

    fn values(&self, signal: &str) -> Vec<&str> {
        let id = self.signals.get(signal).unwrap_or_else(|| panic!("{signal} of {:?}", self.signals.keys()));
        let cycles = &self.times[..self.times.len() - 1];
        cycles.iter().map(|(_, values)| values[id].as_str()).collect()
    }
}

fn collect(items: &[ScopeItem], path: &str, signals: &mut HashMap<String, IdCode>) {
    for item in items {
        match item {
            ScopeItem::Scope(scope) => collect(&scope.items, &format!("{path}{}.", scope.identifier), signals),
            ScopeItem::Var(var) => drop(signals.insert(format!("{path}{}", var.reference), var.code)),
            _ => {}
        }
    }
}

fn integer(bits: &[Value]) -> String {
    if bits.contains(&Value::X) {
        return "x".to_string();
    }
    bits.iter().fold(0u64, |sum, &bit| sum << 1 | u64::from(bit == Value::V1)).to_string()
}

#[test]
fn waveforms_and_table_agree_and_are_the_machine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    trace(folder.path(), &["--cycles", "5..40", "--vcd", "w.vcd", "--csv", "w.csv", "--bits", "3"]);
    let (rows, waves) = (rows(&folder.path().join("w.csv")), Waves::read(&folder.path().join("w.vcd")));
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), (5..40).collect::<Vec<_>>());
    let signal = |name: &str| waves.values(&format!("ideal-digital.{name}"));
    assert_eq!(signal("active"), vec!["1"; 35]);
    let counts: Vec<u64> = signal("mac_count").iter().map(|count| count.parse().expect("a number")).collect();
    assert_eq!(counts, rows.iter().map(|row| row.2).collect::<Vec<_>>());
    let times: Vec<u64> = waves.times.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (5..=40).map(|cycle| 1000 * cycle).collect::<Vec<_>>());
    // One element takes the planes of a weight one after another, weights in order.
    let steps = signal("lane0.weight").into_iter().zip(signal("lane0.plane"));
    let steps: Vec<(u64, u64)> =
        steps.map(|(w, p)| (w.parse().expect("a number"), p.parse().expect("a number"))).collect();
    for pair in steps.windows(2) {
        let ((weight, plane), next) = (pair[0], pair[1]);
        assert!(next == (weight, plane + 1) || next.1 == 0 && (next.0 > weight || next.0 == 0), "{pair:?}");
    }
    assert_eq!((signal("lane1.busy"), signal("lane1.filter")), (vec!["0"; 35], vec!["x"; 35]));
}

#[test]
fn a_whole_layer_counts_what_simulate_counts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    esnsim().current_dir(folder.path()).args(["simulate", "--csv", "s.csv", "--limit", "1"]).assert().success();
    let mut csv = csv::Reader::from_path(folder.path().join("s.csv")).expect("the run wrote it");
    let costs: Vec<HashMap<String, String>> = csv.deserialize().map(|row| row.expect("valid CSV")).collect();
    for hardware in ["ideal-analog", "ideal-digital", "ideal-digital-filter"] {
        let arguments = ["--layer", "/fc/Gemm", "--hardware", hardware, "--cycles", "0..9999", "--csv", "t.csv"];
        trace(folder.path(), &arguments);
        let row = costs.iter().find(|row| row["hardware"] == hardware && row["layer"] == "/fc/Gemm").expect("a row");
        let rows = rows(&folder.path().join("t.csv"));
        assert_eq!(rows.len().to_string(), row["cycles"]);
        assert_eq!(rows.iter().map(|row| row.2).sum::<u64>().to_string(), row["energy_count"]);
    }
}

#[test]
fn energy_that_depends_on_the_input_has_the_unit_of_the_ledger() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ideal = std::fs::read_to_string(repository("configs/ideal-analog.toml")).expect("it is in the repository");
    let text = format!("{ideal}\nlaw = \"conductance\"\n[dac]\nbits = 8\n");
    std::fs::write(folder.path().join("cells.toml"), text).expect("the folder is writable");
    let hardware = ["--hardware", "cells.toml", "--csv"];
    let simulate =
        esnsim().current_dir(folder.path()).args(["simulate", "--limit", "1"]).args(hardware).arg("s.csv").ok();
    simulate.expect("the network is embedded");
    let mut csv = csv::Reader::from_path(folder.path().join("s.csv")).expect("the run wrote it");
    let costs: Vec<HashMap<String, String>> = csv.deserialize().map(|row| row.expect("valid CSV")).collect();
    let row = costs.iter().find(|row| row["layer"] == "/fc/Gemm").expect("a row");
    let figure = |column: &str| row[column].parse::<f64>().expect("a number");
    let unit = figure("energy_j") / figure("energy_count");
    let layer = ["--layer", "/fc/Gemm", "--cycles", "0..9999"];
    trace(folder.path(), &[layer.as_slice(), &hardware, &["t.csv"]].concat());
    for (_, _, count, energy) in rows(&folder.path().join("t.csv")) {
        let expected = count as f64 * unit;
        assert!(count > 0 && (energy - expected).abs() < 1e-9 * expected, "{energy} J, not {expected}");
    }
}

#[test]
fn every_description_can_be_traced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in std::fs::read_dir(repository("configs")).expect("it is in the repository") {
        let path = file.expect("readable").path();
        let hardware = path.to_str().expect("paths of the repository are text");
        let arguments = ["--layer", "10", "--cycles", "0..20", "--hardware", hardware, "--vcd", "w.vcd"];
        trace(folder.path(), &arguments);
        assert!(!Waves::read(&folder.path().join("w.vcd")).times.is_empty(), "{hardware}");
    }
}

#[test]
fn what_cannot_be_traced_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 8] = [
        (&["--cycles", "0..99999999"], "at most 4194304 values"),
        (&["--cycles", "0..18446744073709551615", "--lanes", "0"], "at most 4194304 values"),
        (&["--lanes", "65536", "--accumulators", "65536"], "at most 4194304 values"),
        (&["--cycles", "30000..30001"], "26752 cycles"),
        (&["--cycles", "7..7"], "expected A..B"),
        (&["--layer", "11"], "one of 1 to 10"),
        (&["--layer", "0"], "one of 1 to 10"),
        (&["--image", "501"], "500 images"),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(cases, |(arguments, expected)| {
        let assert = esnsim().current_dir(folder.path()).arg("trace").args(*arguments).assert().code(2);
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(stderr.contains(*expected), "{arguments:?}: {stderr}");
    });
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}
