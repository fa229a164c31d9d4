//! Does `proxies` rank as the definition says, over stores and over files alike, and the same at any number of threads?

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use esnsim_tests::{binary, refused_in, run_in};
use explore::store::Store;
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

/// Kendall's τ-b by its definition; none where one of the two is constant.
fn tau(pairs: &[(f64, f64)]) -> Option<f64> {
    let sign = |a: f64, b: f64| i32::from(a > b) - i32::from(a < b);
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

/// Where a cost depends on activations it is the mean of the images, and latency is that of one of them.
#[test]
fn latency_is_of_one_image_on_hardware_that_looks_at_activations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = "--hardware eyeriss-v2 --limit 3";
    done(folder.path(), &format!("proxies --bits 4,8 {images} --points points.csv"));
    let of_proxies: Vec<f64> =
        rows(folder.path(), "points.csv").iter().map(|row| number(row, "cycles:eyeriss-v2")).collect();
    let of_simulate = [4, 8].map(|bits| {
        done(folder.path(), &format!("simulate --bits {bits} {images} --csv layers.csv"));
        // The last row is the whole.
        number(rows(folder.path(), "layers.csv").last().expect("a row of the whole"), "cycles").round()
    });
    assert_eq!(of_proxies, of_simulate);
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
    let text = done(folder.path(), "proxies runs.sqlite --hardware gpu-8bit --top 3 --points points.csv");
    let networks = rows(folder.path(), "points.csv");
    let best = networks.iter().map(|n| number(n, "right")).fold(0.0, f64::max);
    let broken = networks.iter().filter(|n| 2.0 * number(n, "right") < best).count();
    let behind = text.split_once("on gpu-8bit\n").expect("the list is there").1;
    let places: Vec<&str> =
        behind.lines().skip(1).take(3).map(|line| line.split(' ').next().expect("a place")).collect();
    assert_eq!(places, ["1", "2", "3"], "{text}");
    assert!(broken > 0 && behind.contains(&format!("and {} more", networks.len() - broken - 3)), "{text}");
    assert!(behind.contains(&format!("{broken} networks are less than half as accurate")), "{text}");
}

#[test]
fn of_several_hardware_the_cheapest_is_told_with_its_equals_and_what_is_left_out() {
    let folder = folder();
    let text = done(folder.path(), "proxies runs.sqlite --resamples 0 --points points.csv");
    let networks = rows(folder.path(), "points.csv");
    let best = networks.iter().map(|n| number(n, "right")).fold(0.0, f64::max);
    let (choices, broken): (Vec<&Row>, Vec<&Row>) = networks.iter().partition(|n| 2.0 * number(n, "right") >= best);
    let line = format!("{} networks are less than half as accurate as the best ({:.4})", broken.len(), best / 20.0);
    assert_eq!(text.matches(&line).count(), 2, "{line}\n{text}");
    let behind = text.split_once("cheapest on ").expect("the table is there").1;
    let least = choices.iter().map(|n| number(n, "energy_j:gpu-8bit")).fold(f64::INFINITY, f64::min);
    let ties = choices.iter().filter(|n| number(n, "energy_j:gpu-8bit") == least).count() - 1;
    let row = behind.lines().find(|line| line.starts_with("gpu-8bit ")).expect("it was costed");
    // Widths below 8 bits save nothing there.
    assert!(ties > 0 && row.contains(&format!(", and {ties} more ")), "{ties}: {row}");
}

#[test]
fn of_few_networks_no_file_has_a_correlation() {
    let folder = folder();
    let files = "--csv few.csv --json few.json --svg few.svg";
    done(folder.path(), &format!("proxies --bits 1,2,3,4,5,6,7,8,9 --hardware unpu --fit unpu {files}"));
    check_all(rows(folder.path(), "few.csv"), |row| {
        assert_eq!([&row["networks"], &row["tau"], &row["low"], &row["regret_mean"]], ["9", "", "", ""]);
    });
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).expect("written");
    let document: serde_json::Value = serde_json::from_str(&read("few.json")).expect("JSON");
    let hardware = &document["hardware"][0];
    assert!(hardware["energy"][0]["tau"].is_null() && hardware["sentence"].is_null(), "{hardware}");
    assert!(document["fit"]["unseen"]["tau"].is_null(), "{document}");
    assert!(!read("few.svg").contains("1.00\n") && read("few.svg").contains("fewer than 10 of them"));
    done(folder.path(), &format!("proxies --bits 1,2,3,4,5,6,7,8,9,10 --hardware unpu {files}"));
    assert!(rows(folder.path(), "few.csv").iter().any(|row| !row["tau"].is_empty()));
}

#[test]
fn a_sum_is_fitted_to_hardware_that_is_not_compared() {
    let folder = folder();
    let cases = [
        "proxies runs.sqlite --hardware gpu-8bit --fit bit-serial --resamples 0",
        "proxies --bits 1,2,3,4,5,6,7,8,9,10 --hardware unpu --fit bit-serial --resamples 0",
        "proxies --bits 1,2,3,4,5,6,7,8 --fit unpu --terms esn-d,weight-bits --resamples 0",
    ];
    check_all(cases, |arguments| {
        let text = done(folder.path(), arguments);
        let of = arguments.split(' ').skip_while(|word| *word != "--fit").nth(1).expect("a hardware");
        assert!(text.contains(&format!("energy on {of} as a sum")), "{text}");
        assert!(!text.contains(&format!("\n{of} ")) && !text.contains(&format!("\non {of}")), "{text}");
    });
}

#[test]
fn widths_of_one_file_are_left_out_one_at_a_time_and_those_of_two_together() {
    let folder = folder();
    let parts = |inputs: &str| {
        done(
            folder.path(),
            &format!("proxies {inputs} --bits 1,2,3,4,5,6 --hardware unpu --fit unpu --json parts.json"),
        );
        let json = fs::read_to_string(folder.path().join("parts.json")).expect("written");
        let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let fit = &document["fit"];
        (fit["parts"].as_u64().expect("a number"), fit["parts_are"].as_str().expect("a word").to_string())
    };
    done(folder.path(), "compress --prune filters=0.25 --compact -o slim.onnx");
    done(folder.path(), "compress --prune weights=0.5 -o sparse.onnx");
    assert_eq!(parts("slim.onnx --terms esn-d,outputs"), (5, "points".to_string()));
    assert_eq!(parts("slim.onnx sparse.onnx"), (2, "networks".to_string()));
}

/// Starts the command as a shell does at which somebody sits.
#[cfg(target_os = "linux")]
fn started(folder: &Path, arguments: &str) -> Child {
    Command::new("env")
        .args(["--default-signal=INT", binary().to_str().expect("a path in UTF-8")])
        .args(arguments.split(' '))
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Presses Ctrl-C as soon as something is there.
#[cfg(target_os = "linux")]
fn interrupted_when(child: Child, is_there: impl Fn() -> bool) -> Output {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(120), "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    child.wait_with_output().expect("it ends")
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_keeps_the_points_of_a_plan_that_are_done() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("plan.toml"), PLAN.replace("limit = 20", "limit = 300")).expect("writable");
    let child = started(folder.path(), "proxies runs.sqlite --plan plan.toml --threads 1");
    let store = folder.path().join("runs.sqlite");
    let rows = || Store::open_existing(&store).and_then(|store| store.rows()).map_or(0, |rows| rows.len());
    let output = interrupted_when(child, || rows() > 0);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{err}");
    let done = rows();
    let told = format!("stopped when {done} of 16 points were done, which are kept; the same command runs the rest");
    assert!(done < 16 && err.contains(&told), "{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_no_part_of_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = || fs::read_dir(folder.path()).expect("readable").count();
    let child = started(folder.path(), "simulate --threads 1 --predictions predictions.csv");
    let output = interrupted_when(child, || files() > 0);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), files()), (Some(130), 0), "{err}");
}

#[test]
fn points_of_another_plan_are_told_of() {
    let folder = folder();
    let fewer = PLAN.replace("bits = [1, 2, 4, 8]", "bits = [4, 8]");
    fs::write(folder.path().join("fewer.toml"), fewer).expect("writable");
    let told = |plan: &str| {
        let output = run_in(folder.path(), &format!("proxies runs.sqlite --plan {plan} --resamples 0"));
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let note = "note: runs.sqlite holds 8 points beside those of the plan, which are compared, too\n";
    assert!(told("fewer.toml").contains(note), "{}", told("fewer.toml"));
    assert!(!told("plan.toml").contains("beside those"), "{}", told("plan.toml"));
}

#[test]
fn wrong_use_is_told_in_one_line() {
    let folder = folder();
    done(folder.path(), "compress --bits 4 -o four.onnx");
    done(folder.path(), "compress --bits 8 -o eight.onnx");
    fs::write(folder.path().join("none.sqlite"), "").expect("writable");
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
        (
            "proxies --bits 4",
            "ranks need two networks at least; 1 with costs, 0 that failed; add networks, or several widths",
        ),
        ("proxies --plan plan.toml", "--plan takes one store"),
        ("proxies --network embedded", "--network is of a store"),
        (
            "proxies runs.sqlite --fit gpu-8bit --terms cycles:gpu-8bit",
            "invalid value 'cycles:gpu-8bit' for '--terms <COST,…>': expected costs without hardware: esn-a, esn-d, ",
        ),
        (
            "proxies runs.sqlite --fit gpu-8bit --terms esn-d,macs,esn-d",
            "1 to 8 different costs without hardware as its terms; esn-d comes twice",
        ),
        ("proxies --bits 1,2,3 --fit gpu-8bit", "3 networks have an energy on gpu-8bit and all of 4 terms"),
        ("proxies runs.sqlite --fit ideal", "a fit takes one hardware; ideal is ideal-analog, ideal-digital, "),
        ("proxies four.onnx eight.onnx --bits 3", "leave out --bits 3 to take them as they are"),
        ("proxies four.onnx eight.onnx four.onnx", "four.onnx is named twice; name each network once"),
        ("proxies four.onnx eight.onnx ./four.onnx", "four.onnx is named twice; name each network once"),
        ("proxies none.sqlite", "expected a store, which a sweep writes; found an empty file"),
    ];
    check_all(cases, |(arguments, expected)| {
        let error = refused_in(folder.path(), arguments);
        assert!(error.contains(expected), "{arguments}: {error}");
    });
}
