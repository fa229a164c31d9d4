//! Do the files of a run have the layout that is documented, agree with each other, and read back exactly? And is what a
//! pipe gets plain text?

use std::collections::HashMap;
use std::path::Path;

use esnsim_tests::{digital_toml, esnsim, repository};
use report::{ESN_COLUMNS, GAIN_COLUMNS, INSPECT_COLUMNS, SIMULATE_COLUMNS};
use serde_json::Value;
use testkit::check_all;

/// Cells by column.
type Row = HashMap<String, String>;

/// A CSV: its columns and its rows.
struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// Layers, and their row TOTAL.
type Block<'a> = (&'a [Row], &'a Row);

impl Table {
    fn read(path: &Path) -> Self {
        let mut csv = csv::Reader::from_path(path).expect("the run wrote it");
        let columns = csv.headers().expect("there is a header").iter().map(str::to_string).collect();
        Self { columns, rows: csv.deserialize().map(|row| row.expect("valid CSV")).collect() }
    }

    /// The rows, cut behind every TOTAL.
    fn blocks(&self) -> Vec<Block<'_>> {
        self.rows.split_inclusive(|row| row["layer"] == "TOTAL").map(block).collect()
    }
}

fn block(rows: &[Row]) -> Block<'_> {
    let (total, layers) = rows.split_last().expect("no piece is empty");
    assert_eq!(total["layer"], "TOTAL", "a block ends with its sum");
    (layers, total)
}

fn int(row: &Row, column: &str) -> u128 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

/// Quarters of a decimal that is a multiple of 0.25.
fn quarters(text: &str) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = ["0", "25", "5", "75"].iter().position(|f| *f == fraction).expect("a multiple of 0.25");
    4 * whole.parse::<u128>().expect("digits") + fraction as u128
}

/// Runs a command in a folder and returns its standard output and error.
fn run(folder: &Path, arguments: &[&str]) -> (String, String) {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    let output = assert.get_output().clone();
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    (text(output.stdout), text(output.stderr))
}

/// A run with hardware that is ideal and hardware that is not.
fn simulate(folder: &Path, more: &[&str]) -> (Table, Value) {
    std::fs::write(folder.join("array.toml"), digital_toml("array", 4, 8, "filter")).expect("writable");
    let configs = ["analog", "digital", "digital-filter"].map(|name| repository(&format!("configs/ideal-{name}.toml")));
    let mut arguments = vec!["simulate", "--csv", "run.csv", "--json", "run.json", "--hardware", "array.toml"];
    for path in &configs {
        arguments.extend(["--hardware", path.to_str().expect("paths of the repository are text")]);
    }
    run(folder, &[&arguments, more].concat());
    let json = std::fs::read(folder.join("run.json")).expect("the run wrote it");
    (Table::read(&folder.join("run.csv")), serde_json::from_slice(&json).expect("valid JSON"))
}

/// Words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A section of `docs/output.md`.
fn documented(heading: &str) -> String {
    let text = std::fs::read_to_string(repository("docs/output.md")).expect("it is in the repository");
    let section = text.split("\n## ").find(|section| section.starts_with(heading));
    section.unwrap_or_else(|| panic!("docs/output.md has no section {heading}")).to_string()
}

/// The first column of a section's table.
fn documented_columns(heading: &str) -> Vec<String> {
    let section = documented(heading);
    let cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.flat_map(quoted).map(str::to_string).collect()
}

#[test]
fn columns_are_those_that_are_documented() {
    assert_eq!(documented_columns("`simulate --csv`"), SIMULATE_COLUMNS);
    assert_eq!(documented_columns("`simulate --gains`"), GAIN_COLUMNS);
    assert_eq!(documented_columns("`esn --csv`"), ESN_COLUMNS);
    let inspect = documented("`inspect --csv`");
    let body = inspect.split_once('\n').expect("a heading and a body").1.replace('\n', " ");
    // Some are between the two ends of an ellipsis.
    let named: Vec<&str> = quoted(&body).flat_map(|list| list.split([',', '…'])).map(str::trim).collect();
    let places = named.iter().map(|name| INSPECT_COLUMNS.iter().position(|column| column == name));
    let places: Vec<usize> = places.map(|place| place.unwrap_or_else(|| panic!("{named:?}"))).collect();
    assert!(places.is_sorted() && places.first() == Some(&0) && places.last() == Some(&(INSPECT_COLUMNS.len() - 1)));
}

#[test]
fn files_have_the_columns_of_the_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(folder.path(), &["esn", "--csv", "esn.csv"]);
    run(folder.path(), &["inspect", "--csv", "inspect.csv"]);
    assert_eq!(simulate(folder.path(), &["--limit", "1"]).0.columns, SIMULATE_COLUMNS);
    assert_eq!(Table::read(&folder.path().join("esn.csv")).columns, ESN_COLUMNS);
    let inspect = Table::read(&folder.path().join("inspect.csv"));
    assert_eq!(inspect.columns, INSPECT_COLUMNS);
    assert_eq!(inspect.rows.len(), 10, "one row a layer");
}

#[test]
fn totals_are_the_sums_of_layers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (table, _) = simulate(folder.path(), &["--limit", "1"]);
    let blocks = table.blocks();
    assert_eq!(blocks.len(), 4, "one a hardware");
    for (layers, total) in blocks {
        for column in ["filters", "weights", "nonzero", "macs", "cycles", "energy_count"] {
            assert_eq!(layers.iter().map(|row| int(row, column)).sum::<u128>(), int(total, column), "{column}");
        }
        assert_eq!(layers.iter().map(|row| quarters(&row["esn"])).sum::<u128>(), quarters(&total["esn"]));
        assert!(layers.iter().all(|row| row["hardware"] == total["hardware"] && row["metric"] == total["metric"]));
    }
    run(folder.path(), &["esn", "--csv", "esn.csv"]);
    let esn = Table::read(&folder.path().join("esn.csv"));
    let (layers, total) = esn.blocks()[0];
    check_all(["weights", "nonzero", "macs", "esn_d", "esn_d_macs", "esn_d_filter", "filters"], |&column| {
        assert_eq!(layers.iter().map(|row| int(row, column)).sum::<u128>(), int(total, column), "{column}");
    });
    check_all(["esn_a", "esn_a_macs"], |&column| {
        assert_eq!(layers.iter().map(|row| quarters(&row[column])).sum::<u128>(), quarters(&total[column]), "{column}");
    });
    assert_eq!(layers.iter().map(|row| int(row, "max_bits")).max(), Some(int(total, "max_bits")));
}

#[test]
fn real_numbers_read_back_exactly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (table, _) = simulate(folder.path(), &["--limit", "3"]);
    for row in &table.rows {
        for column in ["utilization", "energy_j", "esn_energy_j", "ratio", "mean_bits", "sqnr_db"] {
            if !row[column].is_empty() {
                let value: f64 = row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]));
                assert!(value.is_finite() && format!("{value:?}") == row[column], "{column}: {}", row[column]);
            }
        }
        // Every description here has a unit of 1 fJ.
        assert_eq!(row["energy_j"].parse::<f64>().ok(), Some(1e-15 * int(row, "energy_count") as f64));
        let missing = row["layer"] == "TOTAL";
        assert_eq!((row["positions"].is_empty(), row["sqnr_db"].is_empty()), (missing, missing));
    }
}

#[test]
fn ideal_hardware_spends_exactly_the_metric() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (table, _) = simulate(folder.path(), &["--limit", "1"]);
    for row in &table.rows {
        if row["hardware"] == "array" {
            assert_eq!(row["check"], "not-ideal");
            assert_eq!(row["ratio"], "1.0", "a finite array of ideal elements spends no more");
            continue;
        }
        assert_eq!((row["check"].as_str(), row["ratio"].as_str(), row["utilization"].as_str()), ("pass", "1.0", "1.0"));
        let metric = if row["metric"] == "ESN_a" { quarters(&row["esn"]) } else { int(row, "esn") };
        assert_eq!(metric, int(row, "energy_count"));
    }
}

#[test]
fn the_gap_of_the_printed_formula_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (table, json) = simulate(folder.path(), &["--limit", "1", "--bit-convention", "as-printed"]);
    let check =
        |hardware: &str| table.blocks().iter().find(|(_, t)| t["hardware"] == hardware).map(|(_, t)| (*t).clone());
    let total = check("ideal-digital").expect("it is there");
    assert_eq!(total["check"], "gap");
    assert_eq!(total["esn"], "1249562");
    assert!(total["ratio"].parse::<f64>().expect("a number") > 1.2);
    assert_eq!(check("ideal-analog").expect("it is there")["check"], "pass");
    assert_eq!(json["quantization"]["bit_convention"], "as-printed");
}

/// A JSON value as a CSV cell shows it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other} is no cell"),
    }
}

#[test]
fn json_agrees_with_csv() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (table, json) = simulate(folder.path(), &["--limit", "5"]);
    assert_eq!((&json["schema"], &json["program"]), (&Value::from(2), &Value::from("esnsim")));
    let layers = json["layers"].as_array().expect("one object a layer");
    for (h, (rows, total)) in table.blocks().into_iter().enumerate() {
        let pairs = rows.iter().zip(layers).chain([(total, &json["total"])]);
        for (row, layer) in pairs {
            for column in ["layer", "op", "filters", "weights", "nonzero", "macs", "mean_bits"] {
                same(&row[column], &layer[column], column);
            }
            same(&row["positions"], &layer["positions"], "positions");
            let run = &layer["runs"][h];
            for column in ["hardware", "cycles", "energy_count", "esn", "metric"] {
                same(&row[column], &run[column], column);
            }
            for column in ["utilization", "energy_j", "esn_energy_j", "ratio"] {
                same(&row[column], &run[column], column);
            }
            same(&row["check"], &run["check"]["verdict"], "check");
        }
        let name = &total["hardware"];
        let engines = json["inference"]["engines"].as_array().expect("inference has run");
        let engine =
            engines.iter().find(|e| e["hardware"].as_array().is_some_and(|h| h.contains(&name.as_str().into())));
        let noise = &engine.expect("every hardware has its engine")["sqnr_db"];
        rows.iter().enumerate().for_each(|(l, row)| same(&row["sqnr_db"], &noise[l], "sqnr_db"));
    }
    assert_eq!(json["inference"]["images"], 5);
}

/// Equal as text or, where one is written otherwise, to the last bit.
fn same(csv: &str, json: &Value, column: &str) {
    let json = cell(json);
    let bits = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
    assert!(csv == json || bits(csv).is_some() && bits(csv) == bits(&json), "{column}: {csv} in CSV, {json} in JSON");
}

#[test]
fn json_agrees_with_the_metric_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, json) = simulate(folder.path(), &["--limit", "1"]);
    run(folder.path(), &["esn", "--csv", "esn.csv"]);
    let esn = Table::read(&folder.path().join("esn.csv"));
    let objects = json["layers"].as_array().expect("one object a layer").iter().chain([&json["total"]]);
    for (row, layer) in esn.rows.iter().zip(objects) {
        for column in ESN_COLUMNS.into_iter().filter(|column| *column != "network") {
            same(&row[column], &layer[column], column);
        }
    }
}

#[test]
fn networks_stand_side_by_side_with_the_figures_that_each_has_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    run(path, &["compress", "--bits", "4", "-o", "a.onnx"]);
    run(path, &["compress", "--prune", "filters=0.3", "--bits", "3", "-o", "b.onnx"]);
    let hardware = ["--hardware", "ideal-digital", "--hardware", "gpu-8bit"];
    let alone = ["a.onnx", "b.onnx"].map(|file| {
        let (_, _) = run(path, &[&["simulate", file, "--csv", "one.csv"], &hardware[..]].concat());
        std::fs::read_to_string(path.join("one.csv")).expect("the run wrote it")
    });
    let (text, _) = run(path, &[&["simulate", "a.onnx", "b.onnx", "--csv", "both.csv"], &hardware[..]].concat());
    let both = std::fs::read_to_string(path.join("both.csv")).expect("the run wrote it");
    let (_, rows_of_b) = alone[1].split_once('\n').expect("a header");
    assert!(both == format!("{}{rows_of_b}", alone[0]), "the rows of both are not those of each");

    let table = Table::read(&path.join("both.csv"));
    let total = |network: &str, hardware: &str| {
        let is_it = |row: &&Row| (&*row["layer"], &*row["network"], &*row["hardware"]) == ("TOTAL", network, hardware);
        let row = table.rows.iter().find(is_it).expect("a total of each");
        [row["cycles"].parse::<f64>().expect("a number"), row["energy_j"].parse::<f64>().expect("a number")]
    };
    for hardware in ["ideal-digital", "gpu-8bit"] {
        let ([cycles_a, energy_a], [cycles_b, energy_b]) = (total("a.onnx", hardware), total("b.onnx", hardware));
        let line = text.lines().find(|line| line.starts_with(&format!("{hardware} ")) && line.contains("b.onnx"));
        let line = line.expect("a row for each hardware and network");
        let gains = [cycles_a / cycles_b, energy_a / energy_b].map(|gain| format!("{gain:.2} ×"));
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| cell.ends_with('×')).collect();
        assert_eq!(cells, gains, "{line}");
    }
}

#[test]
fn widths_go_to_real_weights_and_have_a_row_each() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    run(path, &["compress", "--bits", "3", "-o", "int.onnx"]);
    std::fs::copy(repository("traces/digits-resnet.onnx"), path.join("real.onnx")).expect("it can be copied");
    for (command, more) in [("esn", &[][..]), ("simulate", &["--hardware", "ideal-digital"])] {
        let csv = |arguments: &[&str]| {
            let (text, _) = run(path, &[&[command], arguments, &["--csv", "out.csv"], more].concat());
            (text, std::fs::read_to_string(path.join("out.csv")).expect("the run wrote it"))
        };
        let alone = [&["int.onnx"][..], &["real.onnx", "--bits", "2"], &["real.onnx", "--bits", "8"]];
        let [(_, int), (_, two), (_, eight)] = alone.map(csv);
        let (text, together) = csv(&["int.onnx", "real.onnx", "--bits", "2,8,2"]);
        let rows = |csv: &str| csv.split_once('\n').expect("a header").1.to_string();
        assert!(together == format!("{int}{}{}", rows(&two), rows(&eight)), "{command}: other rows than each alone");
        let (_, widths_alone) = csv(&["real.onnx", "--bits", "2,8"]);
        assert_eq!(rows(&widths_alone), rows(&two) + &rows(&eight), "{command}");
        let table = Table::read(&path.join("out.csv"));
        assert!(table.rows.iter().all(|row| ["2", "8"].contains(&row["bits"].as_str())), "{command}");
        let width = |file: &str, bits: &str| {
            let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
            text.lines().any(|line| words(line).windows(2).any(|pair| pair == [file, bits]))
        };
        for (file, bits) in [("int.onnx", "file"), ("real.onnx", "2"), ("real.onnx", "8")] {
            assert!(width(file, bits), "{command}: {file} {bits}: {text}");
        }
        let refused =
            esnsim().current_dir(path).args([command, "int.onnx", "int.onnx", "--bits", "2"]).assert().code(2);
        let error = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(error.contains("int.onnx: 2 bits are asked for"), "{error}");
    }
    let json = ["simulate", "int.onnx", "real.onnx", "--bits", "2,8", "--json", "out.json"];
    run(path, &json);
    let json: Value = serde_json::from_slice(&std::fs::read(path.join("out.json")).expect("written")).expect("JSON");
    let widths: Vec<&Value> = json.as_array().expect("a list").iter().map(|run| &run["quantization"]["bits"]).collect();
    assert_eq!(widths, [&Value::Null, &2.into(), &8.into()]);
    assert_eq!((&json[0]["layers"][0]["bits"], &json[2]["total"]["bits"]), (&Value::Null, &8.into()));
    let refused = esnsim().current_dir(path).args(["simulate", "--bits", "2,8", "--stepped"]).assert().code(2);
    let error = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(error.contains("--stepped takes one network at one width, not 1 network at 2 widths"), "{error}");
}

#[test]
fn a_layer_named_total_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = testkit::model().input("x", &[1, 1, 2, 2]).weights("w", &[2, 1, 1, 1]);
    let mut network = network.node("Conv", &["x", "w"], &["y"]);
    network.graph.node[0].name = "TOTAL".to_string();
    std::fs::write(folder.path().join("net.onnx"), network.bytes()).expect("writable");
    for command in [&["esn", "net.onnx", "--csv", "t.csv"][..], &["simulate", "net.onnx", "--csv", "t.csv"]] {
        run(folder.path(), command);
        let table = Table::read(&folder.path().join("t.csv"));
        assert!(table.rows.iter().all(|row| row["layer"] == "TOTAL"), "{command:?}");
        let kinds: Vec<&str> = table.rows.iter().map(|row| row["row"].as_str()).collect();
        assert!(kinds.chunks(2).all(|pair| pair == ["layer", "total"]), "{command:?}: {kinds:?}");
    }
}

#[test]
fn layers_of_one_name_have_rows_that_can_be_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut model = testkit::model()
        .input("x", &[1, 3])
        .weights("w", &[3, 3])
        .node("MatMul", &["x", "w"], &["a"])
        .node("MatMul", &["a", "w"], &["b"])
        .node("MatMul", &["b", "w"], &["y"]);
    for (node, name) in model.graph.node.iter_mut().zip(["dup", "dup", "=SUM(A1)"]) {
        node.name = name.to_string();
    }
    std::fs::write(folder.path().join("net.onnx"), model.bytes()).expect("writable");
    let names = ["dup", "dup#2", "=SUM(A1)"];
    check_all(["esn", "inspect", "simulate"], |&command| {
        run(folder.path(), &[command, "net.onnx", "--csv", "out.csv"]);
        let table = Table::read(&folder.path().join("out.csv"));
        let of_layers = table.rows.iter().filter(|row| row["layer"] != "TOTAL").map(|row| row["layer"].as_str());
        assert_eq!(of_layers.take(3).collect::<Vec<_>>(), names);
    });
    run(folder.path(), &["compress", "net.onnx", "--prune", "weights=0.5", "-o", "out.onnx", "--json", "out.json"]);
    let json: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("out.json")).expect("written")).expect("valid JSON");
    let layers = json["prune"][1]["layers"].as_array().expect("a list");
    assert_eq!(layers.iter().map(|layer| layer["layer"].as_str().expect("a name")).collect::<Vec<_>>(), names);
    // The second is found by its own name, also in a file that is written.
    let (text, _) = run(folder.path(), &["trace", "net.onnx", "--layer", "dup#2", "--cycles", "0..2"]);
    assert!(text.starts_with("dup#2 on ideal-digital"), "{text}");
    let (text, _) = run(folder.path(), &["inspect", "out.onnx"]);
    assert!(text.lines().any(|line| line.starts_with("dup#2 ")), "{text}");
}

#[test]
fn a_pipe_gets_plain_text_and_no_progress() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let commands: [&[&str]; 5] = [
        &["simulate", "--stepped", "--limit", "50"],
        &["esn"],
        &["inspect", "--nodes"],
        &["--help"],
        &["simulate", "--help"],
    ];
    check_all(commands, |&command| {
        let (stdout, stderr) = run(folder.path(), command);
        let plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(plain(&stdout) && plain(&stderr), "{command:?}\n{stdout}{stderr}");
        assert!(stdout.ends_with('\n'), "{command:?}\n{stdout}");
        // What is left is how long it took.
        let timing = |line: &str| line.contains(" images in ") || line.contains(" cycles stepped in ");
        assert!(stderr.lines().all(timing), "{command:?}\n{stderr}");
    });
}
