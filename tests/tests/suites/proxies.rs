//! Does `proxies` rank as the definition says, over stores and over files alike, and the same at any number of threads?

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use esnsim_tests::{refused_in, run_in};
use tempfile::TempDir;
use testkit::check_all;

/// 16 points of the digits network, on hardware that differs in what it costs.
const PLAN: &str = r#"
networks = ["embedded"]
hardware = ["ideal", "gpu-8bit", "bit-serial", "in-memory-class-b"]
images = { path = "embedded", limit = 20 }

[[prune]]

[[prune]]
each = [{ filters = { fraction = 0.2 } }, { filters = { width = 0.5 } }]
compact = true

[[prune]]
each = [{ weights = 0.5 }]

[[quantize]]
bits = [1, 2, 4, 8]
"#;

type Row = HashMap<String, String>;

/// A folder with a store of the plan, made once for all tests of this file.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("plan.toml"), PLAN).expect("writable");
    done(folder.path(), "proxies runs.sqlite --plan plan.toml --resamples 0");
    folder
}

/// What a command prints that ends well.
fn done(folder: &Path, arguments: &str) -> String {
    let output = run_in(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {stderr}");
    String::from_utf8(output.stdout).expect("tables are text")
}

fn rows(folder: &Path, file: &str) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(folder.join(file)).expect("the file is there");
    csv.deserialize().map(|row| row.expect("a row")).collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {:?}", row[column]))
}

/// Kendall's τ-b by its definition; none where one of the two is constant. Energies that only rounding tells apart are equal.
fn tau(pairs: &[(f64, f64)]) -> Option<f64> {
    let sign = |a: f64, b: f64| if (a - b).abs() <= 1e-12 * a.max(b) { 0 } else { (a - b).signum() as i32 };
    let (mut sum, mut first, mut second) = (0, 0, 0);
    for (place, a) in pairs.iter().enumerate() {
        for b in &pairs[..place] {
            let (x, y) = (sign(a.0, b.0), sign(a.1, b.1));
            sum += x * y;
            first += x.abs();
            second += y.abs();
        }
    }
    (first > 0 && second > 0).then(|| f64::from(sum) / (f64::from(first) * f64::from(second)).sqrt())
}

#[test]
fn correlations_are_those_of_the_definition_and_files_do_not_depend_on_threads() {
    let folder = folder();
    let files = |threads: u32| {
        let names =
            ["proxies.csv", "points.csv", "proxies.json", "proxies.svg"].map(|name| format!("{threads}-{name}"));
        let [csv, points, json, svg] = &names;
        let text = done(
            folder.path(),
            &format!(
                "proxies runs.sqlite --threads {threads} --resamples 50 --csv {csv} --points {points} --json {json} --svg {svg}"
            ),
        );
        (text, names.map(|name| fs::read(folder.path().join(name)).expect("written")))
    };
    assert_eq!(files(1), files(3));

    let networks = rows(folder.path(), "1-points.csv");
    let table = rows(folder.path(), "1-proxies.csv");
    assert_eq!((networks.len(), table.len()), (16, 6 * 3 * 11));
    check_all(table, |row| {
        let what = match row["target"].as_str() {
            "energy" => "energy_j",
            "energy-without-memory" => "array_j",
            _ => "cycles",
        };
        let cost = format!("{what}:{}", row["hardware"]);
        let pairs: Vec<_> = networks.iter().map(|n| (number(n, &row["proxy"]), number(n, &cost))).collect();
        let expected = tau(&pairs);
        let found =
            Some(&row["tau"]).filter(|text| !text.is_empty()).map(|text| text.parse::<f64>().expect("a number"));
        assert_eq!(found.is_some(), expected.is_some(), "{row:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert!((found - expected).abs() < 1e-12, "{row:?}: {expected}");
            assert!(number(row, "low") <= number(row, "high"));
        }
    });
    // What an ideal engine spends is its metric, and nothing else is.
    let own = |hardware: &str, proxy: &str| {
        let table = rows(folder.path(), "1-proxies.csv");
        let of = |row: &&Row| row["hardware"] == hardware && row["proxy"] == proxy && row["target"] == "energy";
        number(table.iter().find(of).expect("it is there"), "tau")
    };
    assert_eq!(
        [own("ideal-analog", "esn-a"), own("ideal-digital", "esn-d"), own("ideal-digital-filter", "esn-d-filter")],
        [1.0; 3]
    );
    assert!(own("gpu-8bit", "macs") > own("gpu-8bit", "esn-d") && own("gpu-8bit", "macs") > own("gpu-8bit", "esn-a"));
}

#[test]
fn files_have_the_numbers_of_a_store() {
    let folder = folder();
    done(folder.path(), "proxies --bits 1,2,4,8 --hardware gpu-8bit --hardware ideal --limit 20 --points files.csv");
    done(folder.path(), "proxies runs.sqlite --points store.csv");
    let (files, store) = (rows(folder.path(), "files.csv"), rows(folder.path(), "store.csv"));
    check_all(files, |row| {
        let bits = row["name"].rsplit(", ").next().expect("it ends with the width").to_string();
        let same = store.iter().find(|other| other["name"] == bits).unwrap_or_else(|| panic!("{bits}: {store:?}"));
        // Ranges of activations are those of the network before its weights are rounded here, and after it there.
        let differs = ["name", "network", "right"];
        for (column, value) in row.iter().filter(|(column, _)| !differs.contains(&column.as_str())) {
            assert_eq!(*value, same[column], "{column}, {bits}");
        }
    });
}

#[test]
fn a_fitted_sum_is_a_cost_of_a_frontier() {
    let folder = folder();
    let text = done(folder.path(), "proxies runs.sqlite --fit bit-serial --resamples 0 --json fit.json");
    let json = fs::read_to_string(folder.path().join("fit.json")).expect("written");
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let cost = document["fit"]["cost"].as_str().expect("a text");
    assert!(cost.starts_with("linear:") && text.contains(&format!("--cost {cost}")), "{text}");
    let error = |of: &str| document["fit"][of]["mean"].as_f64().expect("a number");
    assert!(error("seen") > 0.0 && error("seen") <= error("unseen") && error("unseen") < 0.5, "{json}");
    let frontier = done(folder.path(), &format!("pareto runs.sqlite --cost {cost}"));
    assert!(frontier.contains("linear cost  "), "{frontier}");
}

#[test]
fn one_hardware_has_the_cheapest_networks_in_order() {
    let folder = folder();
    let text = done(folder.path(), "proxies runs.sqlite --hardware gpu-8bit --top 3");
    let behind = text.split_once("on gpu-8bit\n").expect("the list is there").1;
    let places: Vec<&str> =
        behind.lines().skip(1).take(3).map(|line| line.split(' ').next().expect("a place")).collect();
    assert_eq!(places, ["1", "2", "3"], "{text}");
    assert!(text.contains("and 13 more"), "{text}");
}

#[test]
fn wrong_use_is_told_in_one_line() {
    let folder = folder();
    let cases = [
        (
            "proxies runs.sqlite --hardware gpu-8bits",
            "no point was costed on gpu-8bits; the hardware is ideal-analog, ",
        ),
        ("proxies runs.sqlite --network other", "no point is of network other; the networks are embedded"),
        ("proxies runs.sqlite runs.sqlite", "a store stands alone"),
        ("proxies runs.sqlite --bits 2", "--bits is of network files"),
        ("proxies runs.sqlite --images nofile", "--images is of network files"),
        ("proxies runs.sqlite --limit 3", "--limit is of network files"),
        ("proxies --bits 4", "ranks need two networks at least; 1 with costs, 0 that failed"),
        ("proxies --plan plan.toml", "--plan takes one store"),
        ("proxies --network embedded", "--network is of a store"),
        ("proxies runs.sqlite --fit gpu-8bit --terms cycles:gpu-8bit", "1 to 8 different costs without hardware"),
        ("proxies --bits 1,2,3 --fit gpu-8bit", "3 networks have an energy on gpu-8bit and all of 4 terms"),
    ];
    check_all(cases, |(arguments, expected)| {
        let error = refused_in(folder.path(), arguments);
        assert!(error.contains(expected), "{arguments}: {error}");
    });
}
