//! Does a sweep end with the same rows however it is run: killed and resumed, in shards, on any number of threads?

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use esnsim_tests::{binary, esnsim, repository};
use explore::store::{PointRow, Store, StoreLock, Writers};
use tempfile::TempDir;
use testkit::check_all;

/// 40 points of the digits network.
const PLAN: &str = r#"
networks = ["embedded"]

[images]
path = "embedded"
limit = 20

[[prune]]

[[prune]]
each = [{ filters = { fraction = 0.1 } }, { filters = { fraction = 0.3 } }, { weights = 0.5 }]

[[quantize]]
bits = [1, 2, 3, 4, 6]
granularity = ["layer", "filter"]
"#;
const POINTS: usize = 40;
const KILLS: u32 = 10;

struct Folder(TempDir);

impl Folder {
    fn new(plan: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::write(folder.path("plan.toml"), plan).expect("a temporary folder is writable");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the command to its end in this folder; returns the exit code and what it printed.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = esnsim().current_dir(self.0.path()).args(arguments).output().expect("the command starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().expect("not killed"), text(&output.stdout), text(&output.stderr))
    }

    fn sweep(&self, store: &str, more: &[&str]) -> String {
        let (code, out, err) = self.run(&[&["sweep", "plan.toml", "--store", store], more].concat());
        assert_eq!(code, 0, "{out}{err}");
        out
    }

    fn rows(&self, store: &str) -> Vec<PointRow> {
        rows(&self.path(store))
    }
}

fn rows(store: &Path) -> Vec<PointRow> {
    Store::open_existing(store).and_then(|store| store.rows()).expect("a store")
}

/// Numbers from 0 to 1 that a linear congruence gives (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn a_sweep_killed_again_and_again_ends_with_the_rows_of_an_undisturbed_one() {
    let folder = Folder::new(PLAN);
    let started = Instant::now();
    folder.sweep("whole.sqlite", &["--threads", "1"]);
    let whole = started.elapsed();
    let expected = folder.rows("whole.sqlite");
    assert_eq!(expected.len(), POINTS);

    let store = folder.path("killed.sqlite");
    let mut random = Random(20_260_101);
    let mut known = Vec::new();
    for _ in 0..KILLS {
        let mut child = Command::new(binary())
            .args(["sweep", "plan.toml", "--threads", "1", "--store"])
            .arg(&store)
            .current_dir(folder.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        std::thread::sleep(whole.mul_f64(0.3 * random.next()) + Duration::from_millis(1));
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        if store.exists() && std::fs::metadata(&store).is_ok_and(|metadata| metadata.len() > 0) {
            let now = rows(&store);
            assert!(known.iter().all(|row| now.contains(row)), "a finished row is lost or another");
            known = now;
        }
    }
    let out = folder.sweep("killed.sqlite", &[]);
    let (before, after) = (known.len(), POINTS - known.len());
    assert!(out.contains(&format!("{POINTS} points, {before} there before, {after} run")), "{out}");
    assert_eq!(folder.rows("killed.sqlite"), expected);
}

#[test]
fn shards_merge_into_the_whole() {
    let folder = Folder::new(PLAN);
    folder.sweep("whole.sqlite", &[]);
    let expected = folder.rows("whole.sqlite");
    for shard in ["1/3", "2/3", "3/3"] {
        folder.sweep(&format!("{}.sqlite", &shard[..1]), &["--shard", shard, "--threads", "2"]);
    }
    let merge = ["sweep", "--merge", "1.sqlite", "2.sqlite", "3.sqlite", "-o", "merged.sqlite"];
    assert_eq!(folder.run(&merge).0, 0);
    assert_eq!(folder.rows("merged.sqlite"), expected);
    let out = folder.sweep("merged.sqlite", &["--merge", "whole.sqlite"]);
    assert!(out.contains("0 points added, 40 there before") && out.contains("0 run"), "{out}");
}

#[test]
fn tasks_of_an_array_job_merge_into_the_whole() {
    let folder = Folder::new(PLAN);
    folder.sweep("whole.sqlite", &[]);
    let task = |variables: &[(&str, &str)], store: &str| {
        let mut command = esnsim();
        for name in ["ID", "MIN", "MAX", "COUNT", "STEP"] {
            command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
        }
        command.envs(variables.iter().map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value)));
        command.args(["sweep", "plan.toml", "--shard", "slurm", "--store", store]);
        command.current_dir(folder.0.path()).output().expect("the command starts")
    };
    let mut merge = vec!["sweep", "--store", "merged.sqlite", "--merge"];
    for (id, store, points) in [("4", "4.sqlite", 14), ("6", "6.sqlite", 13), ("8", "8.sqlite", 13)] {
        let array = [("ID", id), ("MIN", "4"), ("MAX", "8"), ("COUNT", "3"), ("STEP", "2")];
        let output = task(&array, store);
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && out.contains(&format!("{points} points, 0 there before")), "{out}");
        merge.push(store);
    }
    assert_eq!(folder.run(&merge).0, 0);
    assert_eq!(folder.rows("merged.sqlite"), folder.rows("whole.sqlite"));
    let cases: [(&[(&str, &str)], &str); 2] = [
        (&[], "SLURM_ARRAY_TASK_ID is not set"),
        (
            &[("ID", "9"), ("MIN", "1"), ("MAX", "9"), ("COUNT", "3"), ("STEP", "1")],
            "3 tasks from 1 to 9 in steps of 1",
        ),
    ];
    check_all(cases, |(variables, expected)| {
        let output = task(variables, "none.sqlite");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains(expected), "{err}");
    });
    assert!(!folder.path("none.sqlite").exists());
}

#[test]
fn sixteen_shards_of_which_four_are_killed_end_with_the_rows_of_one_process() {
    const SHARDS: usize = 16;
    let folder = Folder::new(PLAN);
    let start = |place: usize| {
        let shard = format!("{}/{SHARDS}", place + 1);
        Command::new(binary())
            .args(["sweep", "plan.toml", "--store", "shared.sqlite", "--threads", "1", "--shard", &shard])
            .current_dir(folder.0.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("the command starts")
    };
    let mut children: Vec<_> = (0..SHARDS).map(start).collect();
    let mut random = Random(16);
    for place in [1, 6, 11, 15] {
        std::thread::sleep(Duration::from_millis(1) + Duration::from_millis(200).mul_f64(random.next()));
        children[place].kill().expect("it can be killed, also where it has ended");
        children[place].wait().expect("it is gone");
        children[place] = start(place);
    }
    for child in &mut children {
        assert!(child.wait().expect("it ends").success());
    }
    folder.sweep("whole.sqlite", &[]);
    assert_eq!(folder.rows("shared.sqlite"), folder.rows("whole.sqlite"));
}

/// The store that the program made before there was layout 2, its plan, and the frontier that it had.
fn old_store(name: &str) -> PathBuf {
    repository(&format!("tests/reference/store-layout-1/{name}"))
}

#[test]
fn an_old_store_has_its_frontier_before_and_after_it_is_upgraded() {
    let plan = std::fs::read_to_string(old_store("plan.toml")).expect("it is part of the project");
    let folder = Folder::new(&plan);
    std::fs::copy(old_store("points.sqlite"), folder.path("s.sqlite")).expect("readable");
    let records = |path: &Path| -> Vec<Vec<String>> {
        let reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("it is there");
        let fields = |record: csv::StringRecord| record.iter().map(str::to_string).collect();
        reader.into_records().map(|record| fields(record.expect("it is a table"))).collect()
    };
    // Two columns came later, and words for points that have layers of their own.
    let layers = r#"[{"layer":"/layer1/conv1/Conv","bits":8}]"#;
    let today = |field: String| match field.as_str() {
        "4 bits, 1 layer of its own 8 bits" => "1 layer of its own 8 bits, any other 4 bits, point 97a3e7".to_string(),
        _ => field,
    };
    let mut expected = records(&old_store("points.csv"));
    for record in &mut expected {
        let added = match (record[0].as_str(), record[5].contains("of its own")) {
            ("key", _) => "layers",
            (_, true) => layers,
            (_, false) => "",
        };
        // That of `esn_d_macs`, as a real number.
        let cost = match record[15].as_str() {
            "esn_d_macs" => "cost".to_string(),
            "" => String::new(),
            count => format!("{count}.0"),
        };
        *record = record.drain(..).map(today).chain([added.to_string(), cost]).collect();
    }
    let csv = || {
        let (code, out, err) = folder.run(&["pareto", "s.sqlite", "--csv", "s.csv"]);
        assert_eq!(code, 0, "{out}{err}");
        records(&folder.path("s.csv"))
    };
    assert_eq!(csv(), expected);
    let (code, _, err) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite"]);
    assert_eq!((code, err.lines().count()), (2, 1), "{err}");
    assert!(err.contains("a store of layout 1") && err.contains("sweep --upgrade --store"), "{err}");
    let (code, out, err) = folder.run(&["sweep", "--upgrade", "--store", "s.sqlite"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("6 points written anew"), "{out}");
    assert_eq!(csv(), expected);
    // Keys are those of today's program, which finds every point; one of them failed.
    let (code, out, err) = folder.run(&["sweep", "plan.toml", "--upgrade", "--store", "s.sqlite"]);
    assert!(
        code == 1 && out.contains("has the layout of today") && out.contains("6 points, 6 there before"),
        "{out}{err}"
    );
}

#[test]
fn a_status_counts_points_and_runs_none() {
    let folder = Folder::new(PLAN);
    for word in ["--dry-run", "--status"] {
        let (code, out, err) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite", word]);
        assert_eq!(code, 0, "{err}");
        assert!(out.starts_with("s.sqlite: 40 points, 0 done, 0 failed, 40 open\n"), "{out}");
        assert!(!folder.path("s.sqlite").exists());
    }
    folder.sweep("s.sqlite", &["--shard", "1/4"]);
    let (_, out, _) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite", "--status"]);
    assert!(out.starts_with("s.sqlite: 40 points, 10 done, 0 failed, 30 open\nthe open ones take about "), "{out}");
    let (_, out, _) = folder.run(&["sweep", "--store", "s.sqlite", "--status"]);
    assert_eq!(out, "s.sqlite: 10 points in the store, 10 done, 0 failed; how many are open, a plan says\n");
}

#[test]
fn a_plan_that_grows_adds_points_and_repeats_none() {
    let folder = Folder::new(PLAN);
    folder.sweep("s.sqlite", &[]);
    let before = folder.rows("s.sqlite");
    std::fs::write(folder.path("plan.toml"), PLAN.replace("bits = [1,", "bits = [5, 1,")).expect("writable");
    let out = folder.sweep("s.sqlite", &[]);
    assert!(out.contains("48 points, 40 there before, 8 run"), "{out}");
    let after = folder.rows("s.sqlite");
    assert!(before.iter().all(|row| after.contains(row)));
}

#[test]
fn a_point_is_what_compress_and_simulate_make_of_it() {
    let plan = r#"
        networks = ["embedded"]
        [images]
        path = "embedded"
        limit = 100
        [[point]]
        prune = { prunings = [{ filters = { fraction = 0.2 } }] }
        quantize = { bits = 3 }
    "#;
    let folder = Folder::new(plan);
    folder.sweep("s.sqlite", &[]);
    let trace = |name: &str| repository(&format!("traces/{name}")).display().to_string();
    let compress =
        ["compress", &trace("digits-resnet.onnx"), "-o", "slim.onnx", "--prune", "filters=0.2", "--bits", "3"];
    let (code, out, err) = folder.run(&compress);
    assert_eq!(code, 0, "{out}{err}");
    let (images, preprocessing) = (trace("digits-test.npz"), trace("digits-resnet.preprocess.toml"));
    let mut simulate = vec!["simulate", "slim.onnx", "--images", &images, "--limit", "100", "--no-float"];
    simulate.extend(["--preprocess", &preprocessing, "--json", "run.json"]);
    let (code, out, err) = folder.run(&simulate);
    assert_eq!(code, 0, "{out}{err}");
    let text = std::fs::read_to_string(folder.path("run.json")).expect("written");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let row = folder.rows("s.sqlite").remove(0);
    let (costs, accuracy) = (row.costs.expect("costs"), row.accuracy.expect("accuracy"));
    let total = &report["total"];
    assert_eq!(total["esn_a_macs"].as_f64(), Some(costs.esn_a_macs.to_f64()));
    assert_eq!(total["esn_d_macs"].as_u64().map(u128::from), Some(costs.esn_d_macs));
    assert_eq!(total["esn_d_filter"].as_u64().map(u128::from), Some(costs.esn_d_filter));
    let digital = &report["inference"]["engines"][1];
    assert_eq!(digital["score"]["top1"].as_u64(), Some(accuracy.score.top1), "{digital}");
}

#[test]
fn a_point_that_cannot_be_is_stored_with_its_reason_and_the_rest_goes_on() {
    let plan = format!("{PLAN}\n[[point]]\nprune = {{ prunings = [{{ filters = {{ budget = {{ macs = 1 }} }} }}] }}\n");
    let folder = Folder::new(&plan);
    let (code, out, err) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("1 failed") && err.contains("failed: "), "{out}{err}");
    let rows = folder.rows("s.sqlite");
    let failed: Vec<&PointRow> = rows.iter().filter(|row| row.error.is_some()).collect();
    assert_eq!((rows.len(), failed.len()), (POINTS + 1, 1));
    // It stays failed, is not run again unless asked, and the exit code goes on saying so.
    let (code, out, _) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite"]);
    assert!(code == 1 && out.contains("0 run"), "{out}");
    let (code, out, _) = folder.run(&["sweep", "plan.toml", "--store", "s.sqlite", "--retry-failed"]);
    assert!(code == 1 && out.contains("1 run"), "{out}");
}

#[test]
fn weights_alone_are_swept_in_their_architecture() {
    let folder = Folder::new(
        r#"
        networks = ["made.onnx", "weights.safetensors"]
        architecture = "resnet8"
        [[prune]]
        prunings = [{ filters = { fraction = 0.25 } }]
        [[quantize]]
        bits = [2, 4]
        "#,
    );
    for arguments in
        [["new", "resnet8", "-o", "made.onnx"].as_slice(), &["convert", "made.onnx", "weights.safetensors"]]
    {
        let (code, _, err) = folder.run(arguments);
        assert_eq!(code, 0, "{err}");
    }
    folder.sweep("s.sqlite", &[]);
    let rows = folder.rows("s.sqlite");
    let costs = |network: &str| -> Vec<_> {
        rows.iter().filter(|row| row.network == network).map(|row| row.costs.as_ref().expect("it is done")).collect()
    };
    let (graph, alone) = (costs("made.onnx"), costs("weights.safetensors"));
    assert_eq!((graph.len(), alone.len()), (2, 2));
    assert!(graph[0] != graph[1] && graph.iter().all(|costs| alone.contains(costs)), "{graph:?} {alone:?}");
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_exit_code_2() {
    let folder = Folder::new(PLAN);
    std::fs::write(folder.path("text.sqlite"), "This is no database, and long enough.\n".repeat(99)).expect("writable");
    std::fs::write(folder.path("wrong.toml"), "networks = [\"embedded\"]\nspeed = 1\n").expect("writable");
    folder.sweep("s.sqlite", &["--shard", "1/40"]);
    let cases = [
        (vec!["sweep", "none.toml", "--store", "x.sqlite"], "none.toml"),
        (vec!["sweep", "wrong.toml", "--store", "x.sqlite"], "speed"),
        (vec!["sweep", "plan.toml", "--store", "text.sqlite"], "text.sqlite"),
        (vec!["sweep", "plan.toml", "--store", "none/x.sqlite"], "none/x.sqlite: there is no folder none"),
        (vec!["sweep", "plan.toml", "--store", "none/x.sqlite", "--dry-run"], "none/x.sqlite: there is no folder none"),
        (vec!["sweep", "plan.toml", "--store", "text.sqlite", "--dry-run"], "text.sqlite"),
        (vec!["sweep", "--merge", "s.sqlite", "--store", "s.sqlite"], "itself"),
        (vec!["sweep", "--merge", "text.sqlite", "--store", "x.sqlite"], "text.sqlite"),
        (vec!["pareto", "none.sqlite"], "none.sqlite"),
        (vec!["pareto", "text.sqlite"], "text.sqlite"),
        (vec!["pareto", "s.sqlite", "--cost", "cycles:none"], "ideal-digital"),
        (vec!["pareto", "s.sqlite", "--accuracy", "top5"], "top5"),
        (vec!["pareto", "s.sqlite", "--csv", "s.sqlite"], "s.sqlite"),
    ];
    check_all(cases, |(arguments, expected)| {
        let (code, out, err) = folder.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    });
    assert!(!folder.path("x.sqlite").exists());
}

#[test]
fn a_shard_beside_a_sweep_of_the_whole_says_what_is_up() {
    // A store each: a command that another test starts may hold a lock for a moment that was let go here.
    let in_use = |writers, more: &[&str]| {
        let folder = Folder::new(PLAN);
        let _lock = StoreLock::take(&folder.path("s.sqlite"), writers).expect("free");
        let (code, _, err) = folder.run(&[&["sweep", "plan.toml", "--store", "s.sqlite"], more].concat());
        assert_eq!((code, err.lines().count()), (2, 1), "{err}");
        err
    };
    let shard = in_use(Writers::One, &["--shard", "1/2"]);
    assert!(
        shard.contains("a sweep of a whole plan is writing to it") && shard.contains("start that one by"),
        "{shard}"
    );
    let whole = in_use(Writers::Shards, &[]);
    assert!(whole.contains("another sweep is writing to it; processes share a store by --shard"), "{whole}");
}

/// A shell may have started the suites with Ctrl-C ignored, which `env` of GNU takes back.
#[cfg(target_os = "linux")]
#[test]
fn a_sweep_that_ctrl_c_stops_says_how_far_it_came_and_goes_on_later() {
    let folder = Folder::new(&PLAN.replace("limit = 20", "limit = 300"));
    let store = folder.path("s.sqlite");
    let child = Command::new("env")
        .args(["--default-signal=INT", binary().to_str().expect("a path in UTF-8")])
        .args(["sweep", "plan.toml", "--threads", "1", "--store", "s.sqlite"])
        .current_dir(folder.0.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let started = Instant::now();
    // The store may be there before its tables are.
    let rows_by_now = || Store::open_existing(&store).and_then(|store| store.rows());
    let has_rows = || rows_by_now().is_ok_and(|rows| !rows.is_empty());
    while !has_rows() {
        assert!(started.elapsed() < Duration::from_secs(120), "no point was done");
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    let done = folder.rows("s.sqlite").len();
    assert!(0 < done && done < POINTS, "{done} points were done when Ctrl-C came");
    let told = format!(
        "s.sqlite: stopped when {done} of {POINTS} points were done, which are kept; the same command runs the rest"
    );
    assert_eq!(err.lines().collect::<Vec<_>>(), ["stopping what runs; Ctrl-C again ends it at once", &told]);
    let pace = std::fs::read_to_string(folder.path("s.sqlite.pace")).expect("it is there");
    assert!(pace.starts_with(&format!("{done} points in ")), "{pace}");
    let out = folder.sweep("s.sqlite", &[]);
    assert!(out.contains(&format!("{POINTS} points, {done} there before, {} run", POINTS - done)), "{out}");
}

#[test]
fn the_frontier_is_written_in_every_form() {
    let folder = Folder::new(PLAN);
    folder.sweep("s.sqlite", &[]);
    let arguments = ["pareto", "s.sqlite", "--cost", "esn-a", "--html", "f.html", "--csv", "f.csv", "--svg", "svg"];
    let (code, out, err) = folder.run(&arguments);
    assert_eq!(code, 0, "{out}{err}");
    let mut csv = csv::Reader::from_path(folder.path("f.csv")).expect("written");
    let header = csv.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|n| n == name).expect("the column is there");
    let records: Vec<_> = csv.records().map(|record| record.expect("readable")).collect();
    assert_eq!(records.len(), POINTS);
    let number = |record: &csv::StringRecord, name: &str| record[column(name)].parse::<f64>().expect("a number");
    for record in &records {
        let (cost, accuracy) = (number(record, "esn_a_macs"), number(record, "top1"));
        let beaten = records.iter().any(|other| {
            let (c, a) = (number(other, "esn_a_macs"), number(other, "top1"));
            c <= cost && a >= accuracy && (c < cost || a > accuracy)
        });
        assert_eq!(&record[column("frontier")], if beaten { "false" } else { "true" });
    }
    let page = std::fs::read_to_string(folder.path("f.html")).expect("written");
    let addresses = page.matches("http").count();
    // The name space of SVG, and the policy that lets the page load nothing.
    assert_eq!((addresses, page.matches("http://www.w3.org/2000/svg").count()), (2, 1), "the page asks for nothing");
    check_all(["accuracy-esn-a", "accuracy-esn-d", "accuracy-esn-d-filter", "histogram-max-bits"], |&name| {
        let svg = std::fs::read_to_string(folder.path(&format!("svg/{name}.svg"))).expect("written");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
    });
}

#[test]
fn a_run_is_written_as_a_page() {
    let folder = Folder::new(PLAN);
    let (code, out, err) = folder.run(&["simulate", "--limit", "10", "--html", "run.html"]);
    assert_eq!(code, 0, "{out}{err}");
    let page = std::fs::read_to_string(folder.path("run.html")).expect("written");
    assert!(page.starts_with("<!doctype html>") && page.contains("ideal-digital-filter"));
}
