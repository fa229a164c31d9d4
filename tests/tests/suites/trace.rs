//! Is a trace what the machine did, can a reader of waveforms read it, and is it bounded?

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use esnsim_tests::{analog_toml, digital_toml, esnsim, repository};
use report::trace::TRACE_COLUMNS;
use testkit::check_all;
use vcd::{Command, IdCode, Parser, ScopeItem, Value};

fn trace(folder: &Path, arguments: &[&str]) -> String {
    let assert = esnsim().current_dir(folder).arg("trace").args(arguments).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("output is text")
}

/// The CSV of a trace: the values of every column.
struct Table {
    names: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let mut csv = csv::Reader::from_path(path).expect("the run wrote it");
        let names: Vec<String> = csv.headers().expect("a header").iter().map(str::to_string).collect();
        assert_eq!(names[..TRACE_COLUMNS.len()], TRACE_COLUMNS);
        Self { names, rows: csv.records().map(|row| row.expect("valid CSV")).collect() }
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let at =
            self.names.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name} of {:?}", self.names));
        self.rows.iter().map(|row| &row[at]).collect()
    }

    fn numbers<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, name: &str) -> Vec<T> {
        self.column(name).iter().map(|value| value.parse().expect("a number")).collect()
    }
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
                Command::ChangeVector(id, value) => drop(now.insert(id, vector(&value.iter().collect::<Vec<_>>()))),
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

/// A vector of 64 bits as a signed integer, a longer one as a text of 8-bit characters; empty if it is undefined.
fn vector(bits: &[Value]) -> String {
    if bits.contains(&Value::X) {
        return String::new();
    }
    let number = |bits: &[Value]| bits.iter().fold(0u64, |sum, &bit| sum << 1 | u64::from(bit == Value::V1));
    match bits.len() {
        64 => (number(bits) as i64).to_string(),
        _ => bits.chunks(8).map(|bits| number(bits) as u8 as char).filter(|&c| c != '\0').collect(),
    }
}

#[test]
fn waveforms_and_table_agree_and_are_the_machine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    trace(folder.path(), &["--cycles", "5..40", "--vcd", "w.vcd", "--csv", "w.csv", "--bits", "3"]);
    let (table, waves) = (Table::read(&folder.path().join("w.csv")), Waves::read(&folder.path().join("w.vcd")));
    assert_eq!(table.numbers::<u64>("cycle"), (5..40).collect::<Vec<_>>());
    assert_eq!(table.column("active"), vec!["1"; 35]);
    let times: Vec<u64> = waves.times.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (5..=40).map(|cycle| 1000 * cycle).collect::<Vec<_>>());
    // One element takes the planes of a weight one after another, weights in order.
    let steps: Vec<(u64, u64)> = table.numbers("lane0.weight").into_iter().zip(table.numbers("lane0.plane")).collect();
    for pair in steps.windows(2) {
        let ((weight, plane), next) = (pair[0], pair[1]);
        assert!(next == (weight, plane + 1) || next.1 == 0 && (next.0 > weight || next.0 == 0), "{pair:?}");
    }
    let columns = ["plane_value", "activation0", "product0", "accumulator0"];
    let [values, activations, products, sums] = columns.map(|name| table.numbers::<i64>(&format!("lane0.{name}")));
    for at in 0..35 {
        assert_eq!(products[at], values[at] * activations[at], "cycle {}", at + 5);
        let next = sums.get(at + 1).filter(|_| steps[at + 1].0 >= steps[at].0);
        assert!(next.is_none_or(|&next| next == sums[at] + products[at]), "cycle {}", at + 5);
    }
    assert!(products.iter().any(|&product| product != 0), "the image is not black");
}

#[test]
fn every_column_of_the_table_is_a_signal_of_the_waveforms() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("rows.toml"), rows_with_departures()).expect("the folder is writable");
    std::fs::write(folder.path().join("cells.toml"), cells_with_converters()).expect("the folder is writable");
    for hardware in ["rows.toml", "cells.toml"] {
        let arguments = ["--layer", "Gemm", "--hardware", hardware, "--vcd", "w.vcd", "--csv", "w.csv"];
        trace(folder.path(), &arguments);
        let (table, waves) = (Table::read(&folder.path().join("w.csv")), Waves::read(&folder.path().join("w.vcd")));
        let module = waves.signals.keys().next().and_then(|name| name.split('.').next()).expect("there are signals");
        assert_eq!(table.names.len(), waves.signals.len() + 1, "all but the cycle");
        for name in table.names.iter().skip(1) {
            let shown = waves.values(&format!("{module}.{name}"));
            for (cycle, (written, shown)) in table.column(name).into_iter().zip(shown).enumerate() {
                let equal = match (written.parse::<f64>(), shown.parse::<f64>()) {
                    (Ok(written), Ok(shown)) => (written - shown).abs() <= 1e-6 * written.abs(),
                    (Err(_), Ok(shown)) => written.is_empty() && shown.is_nan(),
                    _ => written == shown,
                };
                assert!(equal, "{hardware} {name}, cycle {cycle}: {written:?} and {shown:?}");
            }
        }
    }
}

/// Rows that fill their pipelines and wait for one another.
fn rows_with_departures() -> String {
    let array = "[array]\nfill_cycles_per_group = 2\nbarrier = \"position\"\n";
    digital_toml("rows", 4, 3, "weight").replace("[array]\n", array)
}

/// Cells behind converters that take cycles.
fn cells_with_converters() -> String {
    let converters = "[dac]\nbits = 4\nconversion_cycles = 2\n[adc]\nfull_scale = \"exact\"\nconversion_cycles = 3\n";
    analog_toml("cells", "\"unbounded\"", "4", 1) + converters
}

#[test]
fn only_lanes_and_elements_that_have_work_are_shown_and_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("rows.toml"), digital_toml("rows", 64, 16, "weight")).expect("writable");
    // Ten filters at one position.
    let arguments =
        ["--layer", "Gemm", "--hardware", "rows.toml", "--csv", "t.csv", "--lanes", "64", "--elements", "16"];
    trace(folder.path(), &arguments);
    let lanes = |table: &Table| -> Vec<String> {
        let modules = table.names.iter().filter_map(|name| name.strip_suffix(".busy"));
        modules.filter(|module| module.starts_with("lane")).map(str::to_string).collect()
    };
    let table = Table::read(&folder.path().join("t.csv"));
    assert_eq!(lanes(&table), (0..10).map(|row| format!("lane{row}")).collect::<Vec<_>>());
    assert_eq!(table.names.iter().filter(|name| name.contains("activation")).count(), 10, "one element each");
    // One lane of one element: 3 + 9 + 3 signals over all cycles of the layer.
    let asked = ["--lanes", "65536", "--elements", "65536", "--cycles", "0..26752", "--csv", "t.csv"];
    trace(folder.path(), &asked);
    assert_eq!(Table::read(&folder.path().join("t.csv")).names.len(), 1 + 3 + 9 + 3);
    // Tiles of four columns one after another: the last cycle has the last two of ten filters alone.
    std::fs::write(folder.path().join("cells.toml"), analog_toml("cells", "\"unbounded\"", "4", 1)).expect("writable");
    trace(folder.path(), &["--layer", "Gemm", "--hardware", "cells.toml", "--csv", "t.csv", "--cycles", "2..3"]);
    assert_eq!(lanes(&Table::read(&folder.path().join("t.csv"))), ["lane8", "lane9"]);
}

/// What a trace says on standard error.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let assert = esnsim().current_dir(folder).arg("trace").args(arguments).assert().success();
    String::from_utf8(assert.get_output().stderr.clone()).expect("notes are text")
}

#[test]
fn notes_tell_what_was_not_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    let ends = "it has 26752 cycles: the trace ends there, not at cycle 99999";
    let (embedded, invented) = ("the layer reads embedded image 3;", "pseudo-random integers from 0 to 255");
    let images = repository("traces/digits-test.npz");
    let images = images.to_str().expect("paths of the repository are text");
    let cases: [(&[&str], &[&str], &[&str]); 4] = [
        (&["--cycles", "26000..99999", "--image", "3"], &[ends, embedded], &[invented]),
        (&["--cycles", "26000..26752", "--image", "3"], &[embedded], &["the trace ends"]),
        (&[network], &[invented, "give --images"], &["embedded", "the trace ends"]),
        (&[network, "--images", images, "--scale", "16"], &[], &[invented, "embedded"]),
    ];
    check_all(cases, |(arguments, there, not_there)| {
        let said = said(folder.path(), arguments);
        assert!(there.iter().all(|text| said.contains(text)), "{arguments:?}: {said}");
        assert!(!not_there.iter().any(|text| said.contains(text)), "{arguments:?}: {said}");
    });
}

/// A slice of a timeline: its track, its first cycle, the cycles and its name.
type Slice = (String, u64, u64, String);

/// The slices that the CSV of a trace has, by a plain loop over rows of it: `name` says what a lane does in a row.
fn runs(table: &Table, lane: &str, rows: Range<usize>, name: impl Fn(&dyn Fn(&str) -> String) -> String) -> Vec<Slice> {
    let mut runs: Vec<Slice> = Vec::new();
    for row in rows {
        let value = |column: &str| {
            let at = table.names.iter().position(|name| name == column).expect("there is such a column");
            table.rows[row][at].to_string()
        };
        let cycle = value("cycle").parse().expect("a number");
        let name = name(&|signal| value(&format!("{lane}.{signal}")));
        match runs.last_mut().filter(|(_, first, length, known)| *known == name && first + *length == cycle) {
            Some((_, _, length, _)) => *length += 1,
            None => runs.push((lane.to_string(), cycle, 1, name)),
        }
    }
    runs.retain(|(_, _, _, name)| !name.is_empty());
    runs
}

#[test]
fn a_timeline_has_the_slices_of_the_table_at_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("rows.toml"), rows_with_departures()).expect("writable");
    let files = ["--csv", "t.csv", "--perfetto", "t.json", "--lanes", "3"];
    let hardware = ["--layer", "2", "--hardware", "rows.toml", "--cycles", "100..1500"];
    let timeline = |threads| {
        trace(folder.path(), &[&hardware[..], &files[..], &["--threads", threads]].concat());
        std::fs::read(folder.path().join("t.json")).expect("the run wrote it")
    };
    let file = timeline("1");
    assert!(file == timeline("4"), "the same bytes");
    let json: serde_json::Value = serde_json::from_slice(&file).expect("it is JSON");
    let events = json["traceEvents"].as_array().expect("the events are a list");
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    assert_eq!(of("M").len() + of("X").len() + of("C").len(), events.len());
    let number =
        |event: &serde_json::Value, key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event}"));
    let threads: HashMap<u64, &str> = of("M")
        .into_iter()
        .filter(|event| event["name"] == "thread_name")
        .map(|event| (number(event, "tid"), event["args"]["name"].as_str().expect("a name")))
        .collect();
    let mut slices: Vec<Slice> = Vec::new();
    for event in of("X") {
        let name = event["name"].as_str().expect("a name").to_string();
        slices.push((threads[&number(event, "tid")].to_string(), number(event, "ts"), number(event, "dur"), name));
    }
    let table = Table::read(&folder.path().join("t.csv"));
    let mut expected = Vec::new();
    for lane in ["lane0", "lane1", "lane2"] {
        let place = |signal: &dyn Fn(&str) -> String| match signal("filter").as_str() {
            "" => signal("idle_cause"),
            filter => format!("filter {filter}, position {}", signal("position")),
        };
        let within = |signal: &dyn Fn(&str) -> String| match (signal("filter").as_str(), signal("busy").as_str()) {
            ("", _) => String::new(),
            (_, "0") => signal("idle_cause"),
            _ => format!("weight {}, code {}", signal("weight"), signal("code")),
        };
        for outer in runs(&table, lane, 0..table.rows.len(), place) {
            let first = outer.1 as usize - 100;
            let inner = runs(&table, lane, first..first + outer.2 as usize, within);
            expected.push(outer);
            expected.extend(inner);
        }
    }
    assert_eq!(slices, expected);
    for cause in ["pipeline fill", "synchronization"] {
        assert!(slices.iter().any(|slice| slice.3 == cause), "{cause} is seen");
    }
    let counted: Vec<u64> = of("C").iter().filter(|e| e["name"] == "active").map(|e| number(e, "ts")).collect();
    let active = table.numbers::<u64>("active");
    let changes = (0..active.len()).filter(|&at| at == 0 || active[at] != active[at - 1]).map(|at| at as u64 + 100);
    assert_eq!(counted, changes.collect::<Vec<_>>());
}

#[test]
fn a_whole_layer_counts_what_simulate_counts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    esnsim().current_dir(folder.path()).args(["simulate", "--csv", "s.csv", "--limit", "1"]).assert().success();
    let mut csv = csv::Reader::from_path(folder.path().join("s.csv")).expect("the run wrote it");
    let costs: Vec<HashMap<String, String>> = csv.deserialize().map(|row| row.expect("valid CSV")).collect();
    check_all(["ideal-analog", "ideal-digital", "ideal-digital-filter"], |&hardware| {
        let arguments = ["--layer", "/fc/Gemm", "--hardware", hardware, "--cycles", "0..9999", "--csv", "t.csv"];
        trace(folder.path(), &arguments);
        let row = costs.iter().find(|row| row["hardware"] == hardware && row["layer"] == "/fc/Gemm").expect("a row");
        let table = Table::read(&folder.path().join("t.csv"));
        assert_eq!(table.rows.len().to_string(), row["cycles"]);
        assert_eq!(table.numbers::<u64>("mac_count").iter().sum::<u64>().to_string(), row["energy_count"]);
    });
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
    let table = Table::read(&folder.path().join("t.csv"));
    for (count, energy) in table.numbers::<u64>("mac_count").into_iter().zip(table.numbers::<f64>("mac_energy_j")) {
        let expected = count as f64 * unit;
        assert!(count > 0 && (energy - expected).abs() < 1e-9 * expected, "{energy} J, not {expected}");
    }
}

#[test]
fn every_description_can_be_traced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = |folder: &str| {
        let files = std::fs::read_dir(repository(folder)).expect("it is in the repository");
        files.map(|file| file.expect("readable").path()).filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    check_all([files("configs"), files("configs/silicon")].concat(), |path| {
        let hardware = path.to_str().expect("paths of the repository are text");
        let arguments = ["--layer", "10", "--cycles", "0..20", "--hardware", hardware, "--vcd", "w.vcd"];
        trace(folder.path(), &arguments);
        assert!(!Waves::read(&folder.path().join("w.vcd")).times.is_empty(), "{hardware}");
    });
}

#[test]
fn what_cannot_be_traced_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 8] = [
        (
            &["--layer", "2", "--cycles", "0..18446744073709551615"],
            "299456 of 299456 cycles with 15 signals; at most 4194304 values",
        ),
        (&["--cycles", "30000..30001"], "it has 26752 cycles, none from 30000 on"),
        (&["--cycles", "7..7"], "expected A..B"),
        (&["--layer", "11"], "one of 1 to 10"),
        (&["--layer", "0"], "one of 1 to 10"),
        (&["--layer", "conv3/Conv"], "the nearest name is /conv1/Conv"),
        (&["--layer", "0/Conv"], "several names: /layer2/shortcut/shortcut.0/Conv, /layer3/shortcut/shortcut.0/Conv"),
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
