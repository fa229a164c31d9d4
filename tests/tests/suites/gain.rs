//! Does `simulate BEFORE AFTER` tell gains that are those of the costs of each network alone, and refuse what it cannot
//! compare? What eats a gain is proved where it is computed (`crates/runner/src/gain/tests.rs`).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use esnsim_tests::{assert_refused, repository, run_in};
use report::GAIN_COLUMNS;
use runner::Quantity;
use serde_json::Value;
use testkit::check_all;

type Row = HashMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(path).expect("the run wrote it");
    csv.deserialize().map(|row| row.expect("valid CSV")).collect()
}

/// Runs a command that must succeed, and returns what it printed.
fn printed(folder: &Path, arguments: &str) -> String {
    let output = run_in(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is text")
}

/// A folder with the embedded network as `net.onnx`, and what two compressions make of it.
fn networks() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(repository("traces/digits-resnet.onnx"), folder.path().join("net.onnx")).expect("it can be copied");
    printed(folder.path(), "compress net.onnx --prune weights=0.5 -o half.onnx");
    printed(folder.path(), "compress net.onnx --prune filters=0.3 --bits 3 --compact -o slim.onnx");
    folder
}

const HARDWARE: &str =
    "--hardware gpu-8bit --hardware bit-serial --hardware in-memory-class-b --hardware jia --hardware ideal";

#[test]
fn gains_are_those_of_the_costs_of_each_network_alone() {
    let folder = networks();
    let path = folder.path();
    let all = format!("simulate net.onnx half.onnx slim.onnx {HARDWARE} --csv costs.csv --gains gains.csv --svg g.svg");
    let text = printed(path, &all);
    let (costs, gains) = (rows(&path.join("costs.csv")), rows(&path.join("gains.csv")));
    printed(path, "esn net.onnx half.onnx slim.onnx --csv esn.csv");
    let esn = rows(&path.join("esn.csv"));
    let total = |rows: &[Row], network: &str, hardware: &str| -> Row {
        let is_it = |row: &&Row| {
            let of_hardware = row.get("hardware").is_none_or(|name| name == hardware);
            row["row"] == "total" && row["network"] == network && of_hardware
        };
        rows.iter().find(is_it).expect("a total of each").clone()
    };
    let columns = [
        ("weights", "weights"),
        ("effective weights", "effective_weights"),
        ("effective MACs", "effective_macs"),
        ("ESN_a", "esn_a_macs"),
        ("ESN_d", "esn_d_macs"),
        ("ESN'_d", "esn_d_filter"),
        ("energy", "energy_j"),
        ("cycles", "cycles"),
    ];
    let mut compared = 0;
    for row in gains.iter().filter(|row| row["part"].is_empty()) {
        // What `esn --csv` has no column for is held against other tables below.
        let Some((_, column)) = columns.iter().find(|(quantity, _)| *quantity == row["quantity"]) else { continue };
        let (costs, hardware) =
            if row["hardware"].is_empty() { (&esn, "") } else { (&costs, row["hardware"].as_str()) };
        assert_eq!(row["over"], "net.onnx");
        for (side, network) in [("before", "net.onnx"), ("after", &row["network"])] {
            let cost = total(costs, network, hardware)[*column].clone();
            assert_eq!(row[side].parse::<f64>(), cost.parse::<f64>(), "{row:?}: {side}");
        }
        let [before, after]: [f64; 2] = ["before", "after"].map(|side| row[side].parse().expect("a number"));
        assert_eq!(row["gain"].parse::<f64>(), Ok(before / after));
        compared += 1;
    }
    assert_eq!(compared, 2 * (6 + 7 * 2), "two networks, six quantities and seven kinds of hardware");
    let drawn = std::fs::read_to_string(path.join("g.svg")).expect("the run wrote it").replace("&apos;", "'");
    let names = ["net.onnx", "half.onnx", "slim.onnx", "gpu-8bit", "ideal-analog"];
    let told: HashSet<&str> = gains.iter().map(|row| &*row["quantity"]).collect();
    assert_eq!(told.len(), Quantity::ALL.len() + 2, "{told:?}");
    assert!(names.iter().chain(&told).all(|name| drawn.contains(name)), "a name or a quantity is not drawn");
    for (network, gain) in [("half.onnx", 1.0), ("slim.onnx", 5.01)] {
        assert!(text.contains(network) && text.contains(&format!("{gain:.2} ×")), "{network}: {text}");
    }
    let header = std::fs::read_to_string(path.join("gains.csv")).expect("the run wrote it");
    assert_eq!(header.lines().next(), Some(GAIN_COLUMNS.join(",").as_str()));
}

#[test]
fn json_has_the_gains_of_the_csv() {
    let folder = networks();
    let path = folder.path();
    printed(path, &format!("simulate net.onnx slim.onnx {HARDWARE} --json run.json --gains gains.csv"));
    let json: Value = serde_json::from_slice(&std::fs::read(path.join("run.json")).expect("written")).expect("JSON");
    assert!(json[0].get("gains").is_none(), "the first gains nothing over itself");
    let gains = &json[1]["gains"];
    assert_eq!((gains["over"].as_str(), &gains["not_compared"]), (Some("net.onnx"), &Value::Null));
    let entry = |list: &Value, key: &str, wanted: &str| -> Value {
        let entries = list.as_array().expect("a list");
        entries.iter().find(|entry| entry[key] == wanted).expect("it is in JSON").clone()
    };
    let of_json = |row: &Row| -> Value {
        if row["hardware"].is_empty() {
            return entry(&gains["quantities"], "quantity", &row["quantity"]);
        }
        let found = entry(&gains["hardware"], "hardware", &row["hardware"])[&row["quantity"]].clone();
        if row["part"].is_empty() { found } else { part(&found, &row["part"]) }
    };
    for row in rows(&path.join("gains.csv")) {
        let found = of_json(&row);
        for column in ["before", "after", "gain", "ideal"].into_iter().filter(|column| !row[*column].is_empty()) {
            let value = found[column].as_f64().unwrap_or_else(|| panic!("{column} of {row:?}: {found}"));
            assert_eq!(row[column].parse::<f64>(), Ok(value), "{row:?}");
        }
        if !row["part"].is_empty() {
            assert_eq!(row["loss"].parse::<f64>().ok(), found["share"].as_f64(), "{row:?}");
            continue;
        }
        let loss = &found["loss"];
        assert_eq!(loss.is_object(), !row["lost_to"].is_empty(), "{row:?}");
        if let Some(cause) = loss["cause"].as_str() {
            assert!(row["lost_to"].starts_with(cause), "{row:?}");
        }
    }
}

/// A part of an energy or a factor of cycles, named as in the CSV.
fn part(whole: &Value, wanted: &str) -> Value {
    let is_it = |part: &&Value| match part["entry"].as_str() {
        Some(entry) => format!("{}: {entry}", part["cause"].as_str().expect("a word")) == wanted,
        None => part["cause"] == wanted,
    };
    let parts = whole.get("parts").or(whole.get("factors")).and_then(Value::as_array).expect("a list");
    parts.iter().find(is_it).unwrap_or_else(|| panic!("{wanted} is not in JSON: {whole}")).clone()
}

#[test]
fn bit_operations_and_bits_are_those_of_proxies_and_of_the_metric() {
    let folder = networks();
    let path = folder.path();
    // Filters of zeros that are still there count nowhere, in either table.
    printed(path, "compress net.onnx --prune filters=0.3 --bits 3 -o dead.onnx");
    printed(path, "simulate net.onnx half.onnx dead.onnx --hardware ideal-digital --gains gains.csv");
    printed(path, "proxies net.onnx half.onnx dead.onnx --bits 8 --hardware ideal-digital --points points.csv");
    printed(path, "esn net.onnx half.onnx dead.onnx --bits 8 --csv esn.csv");
    let [gains, points, esn] = ["gains.csv", "points.csv", "esn.csv"].map(|file| rows(&path.join(file)));
    let number = |row: &Row, column: &str| row[column].parse::<u128>().expect("a count");
    for row in gains.iter().filter(|row| row["hardware"].is_empty()) {
        for (side, network) in [("before", "net.onnx"), ("after", &*row["network"])] {
            let of_network = |row: &&Row| row["network"] == network;
            let point = points.iter().find(of_network).expect("a row of each network");
            let layers = esn.iter().filter(of_network).filter(|row| row["row"] == "layer");
            let expected = match &*row["quantity"] {
                "bit operations" => number(point, "bit-operations"),
                "effective bit operations" => number(point, "effective-bit-operations"),
                "bits of effective weights" => {
                    layers.map(|row| number(row, "effective_weights") * number(row, "max_bits")).sum()
                }
                _ => continue,
            };
            assert_eq!(number(row, side), expected, "{}: {side}", row["quantity"]);
        }
    }
}

#[test]
fn parts_of_the_energy_add_up_and_what_ate_the_rest_is_one_of_them() {
    let folder = networks();
    let path = folder.path();
    printed(path, &format!("simulate net.onnx half.onnx slim.onnx {HARDWARE} --gains gains.csv"));
    let gains = rows(&path.join("gains.csv"));
    let energies = gains.iter().filter(|row| row["quantity"] == "energy" && row["part"].is_empty());
    check_all(energies.map(|row| row["network"].clone() + " " + &row["hardware"]), |of| {
        let own: Vec<&Row> = gains
            .iter()
            .filter(|row| row["network"].clone() + " " + &row["hardware"] == *of && row["quantity"] == "energy")
            .collect();
        let (whole, parts) = own.split_first().expect("a row of the whole");
        let number = |row: &Row, side: &str| row[side].parse::<f64>().expect("a number");
        for side in ["before", "after"] {
            let sum: f64 = parts.iter().map(|row| number(row, side)).sum();
            assert!((sum - number(whole, side)).abs() <= 1e-9 * sum, "{side}: {sum} of {}", whole[side]);
        }
        let lost = &whole["lost_to"];
        assert!(lost.is_empty() || parts.iter().any(|row| row["part"] == *lost), "{lost}");
        let gain = |column: &str| number(whole, column);
        assert!(!lost.is_empty() || gain("gain") >= 0.98 * gain("ideal") - 1e-9, "{whole:?}");
        let shares: Vec<f64> = parts.iter().filter_map(|row| row["loss"].parse().ok()).collect();
        assert_eq!(shares.is_empty(), lost.is_empty(), "{shares:?}");
        if !shares.is_empty() {
            let largest = shares.iter().copied().fold(0.0, f64::max);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() <= 1e-9, "losses do not add up: {shares:?}");
            assert_eq!(gain("loss"), largest, "what is named does not lose most: {shares:?}");
        }
    });
}

#[test]
fn factors_of_the_cycles_multiply_to_the_gain() {
    let folder = networks();
    let path = folder.path();
    printed(path, &format!("simulate net.onnx half.onnx slim.onnx {HARDWARE} --gains gains.csv"));
    let gains = rows(&path.join("gains.csv"));
    let all = gains.iter().filter(|row| row["quantity"] == "cycles");
    let (whole, factors): (Vec<&Row>, Vec<&Row>) = all.partition(|row| row["part"].is_empty());
    let number = |row: &Row, column: &str| row[column].parse::<f64>().expect("a number");
    check_all(whole.iter().map(|row| row["network"].clone() + " " + &row["hardware"]), |of| {
        let is_of = |row: &&&Row| row["network"].clone() + " " + &row["hardware"] == *of;
        let whole = whole.iter().find(is_of).expect("it is one of them");
        let own: Vec<f64> = factors.iter().filter(is_of).map(|row| number(row, "gain")).collect();
        let product = number(whole, "ideal") * own.iter().product::<f64>();
        assert!((product - number(whole, "gain")).abs() <= 1e-9 * product, "{own:?} times the ideal: {product}");
        if !whole["lost_to"].is_empty() {
            let least = own.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(number(whole, "loss"), 1.0 / least, "{own:?}");
        }
    });
}

#[test]
fn files_of_gains_are_the_same_at_any_number_of_threads() {
    let folder = networks();
    let made = |threads: u32| {
        let files = "--gains gains.csv --svg gains.svg --json run.json";
        let text = printed(
            folder.path(),
            &format!("simulate net.onnx half.onnx slim.onnx {HARDWARE} {files} --threads {threads}"),
        );
        let read = |file: &str| std::fs::read(folder.path().join(file)).expect("the run wrote it");
        (text, ["gains.csv", "gains.svg", "run.json"].map(read))
    };
    assert!(made(1) == made(3), "results depend on the number of threads");
}

#[test]
fn what_costs_more_than_before_is_said_to_grow() {
    let folder = networks();
    let text = printed(folder.path(), "simulate half.onnx net.onnx --hardware ideal-digital");
    for line in ["energy grows 1.37 ×, as is ideal", "cycles grow 1.37 ×, as is ideal"] {
        assert!(text.contains(&format!("  ideal-digital: {line}\n")), "{text}");
    }
}

#[test]
fn of_several_widths_the_widest_of_the_first_network_is_before() {
    let folder = networks();
    let path = folder.path();
    let text = printed(path, "simulate net.onnx --bits 4,8 --hardware ideal-digital --gains gains.csv --json run.json");
    assert!(text.contains("gain over net.onnx (8 bits)  net.onnx (4 bits)"), "{text}");
    let gains = rows(&folder.path().join("gains.csv"));
    let weights = gains.iter().find(|row| row["quantity"] == "weights").expect("they are told");
    assert_eq!((&*weights["over"], &*weights["network"]), ("net.onnx (8 bits)", "net.onnx (4 bits)"));
    let json: Value = serde_json::from_slice(&std::fs::read(path.join("run.json")).expect("written")).expect("JSON");
    assert_eq!((&json[0]["gains"]["over"], json[1].get("gains")), (&"net.onnx (8 bits)".into(), None));
    // In the table of costs rows stand as they are asked for.
    let gained: Vec<&str> = text.lines().filter(|line| line.contains("PASS")).collect();
    assert!(matches!(gained[..], [four, eight] if four.contains("2.80 ×") && eight.contains("1.00 ×")), "{text}");

    let text = printed(path, "simulate net.onnx half.onnx slim.onnx --bits 2,8,4 --hardware ideal-digital");
    let header = text.lines().find(|line| line.starts_with("gain over")).expect("a table");
    assert!(header.starts_with("gain over net.onnx (8 bits)"), "{header}");
    for name in ["net.onnx (2 bits)", "net.onnx (4 bits)", "half.onnx (8 bits)", "slim.onnx"] {
        assert!(header.contains(&format!("  {name}")), "{header}");
    }
    let text = printed(path, "simulate net.onnx net.onnx --bits 4,2 --hardware ideal-digital");
    let header = text.lines().find(|line| line.starts_with("gain over")).expect("a table");
    let names: Vec<&str> = header.split("  ").map(str::trim).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["gain over net.onnx #1", "net.onnx #2", "net.onnx #3", "net.onnx #4"]);
}

#[test]
fn real_weights_beside_other_networks_have_eight_bits() {
    let folder = networks();
    check_all(["esn", "simulate --hardware ideal-digital"], |command| {
        let name = command.split(' ').next().expect("a command");
        printed(folder.path(), &format!("{command} net.onnx slim.onnx --csv default.csv"));
        printed(folder.path(), &format!("{command} net.onnx slim.onnx --bits 8 --csv eight.csv"));
        let [default, eight] = ["default.csv", "eight.csv"].map(|file| std::fs::read(folder.path().join(file)));
        assert!(default.expect("written") == eight.expect("written"), "{name}");
        printed(folder.path(), &format!("{command} net.onnx --csv default.csv"));
        assert!(rows(&folder.path().join("default.csv")).iter().all(|row| row["bits"] == "4"), "{name}: alone");
    });
}

#[test]
fn what_is_not_comparable_is_named_and_other_inputs_too() {
    let folder = networks();
    let path = folder.path();
    printed(path, "convert net.onnx weights.safetensors");
    let text = printed(path, "simulate net.onnx weights.safetensors --hardware ideal-digital");
    let why = "\n\nweights.safetensors (no graph): not compared: it has no graph, so that each of its weights counts as one MAC";
    assert!(text.contains(why) && !text.contains("gain over"), "{text}");
    let row = text.lines().find(|line| line.contains("safetensors (no graph) ")).expect("it is costed");
    assert!(!row.contains('×'), "a gain over what it is not compared with: {row}");

    // Beside a network that is compared, files have that one alone, and a note says so.
    let files = "--gains gains.csv --svg g.svg";
    let output =
        run_in(path, &format!("simulate net.onnx weights.safetensors half.onnx --hardware ideal-digital {files}"));
    let notes = String::from_utf8(output.stderr).expect("notes are text");
    for file in ["gains.csv", "g.svg"] {
        let note = format!("note: {file}: has nothing of weights.safetensors (no graph), which is not compared");
        assert!(notes.contains(&note), "{notes}");
    }
    assert!(rows(&path.join("gains.csv")).iter().all(|row| row["network"] == "half.onnx"));
    let refusal = "weights.safetensors: cannot be compared with net.onnx: it has no graph";
    assert_refused(
        path,
        &[
            ("simulate net.onnx weights.safetensors --gains none.csv", refusal),
            ("simulate net.onnx weights.safetensors --svg none.svg", refusal),
        ],
    );
    assert!(!path.join("none.csv").exists() && !path.join("none.svg").exists());

    printed(path, "new resnet20 --input 16 -o small.onnx");
    printed(path, "new resnet20 -o large.onnx");
    let text = printed(path, "simulate large.onnx small.onnx --hardware ideal-digital");
    let note = "its input is [1, 3, 16, 16], and [1, 3, 32, 32] of the first network: that is a part of the gains";
    assert!(text.contains(note), "{text}");
    assert_refused(
        path,
        &[
            ("simulate net.onnx --gains g.csv", "--gains takes two networks or more, the one before compression first"),
            ("simulate net.onnx --svg g.svg", "--svg takes two networks or more"),
            (
                "simulate net.onnx half.onnx --gains net.onnx",
                "net.onnx: is also an input or another output of this run",
            ),
            ("simulate net.onnx half.onnx --gains g.csv --svg g.csv", "g.csv: is also an input or another output"),
        ],
    );
}
