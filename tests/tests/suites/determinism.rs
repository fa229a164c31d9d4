//! Are the files of a run the same bytes at any number of threads, and on every run?

use std::path::Path;

use esnsim_tests::{analog_toml, digital_toml, esnsim};
use testkit::check_all;

/// What a run leaves behind: CSV, JSON and standard output.
type Outcome = [Vec<u8>; 3];

/// Runs a command that writes `--csv` and, where `json` says so, `--json`.
fn run(folder: &Path, arguments: &[&str], threads: &str, json: bool) -> Outcome {
    let (csv_path, json_path) = (folder.join("run.csv"), folder.join("run.json"));
    let mut command = esnsim();
    command.current_dir(folder).args(arguments).args(["--threads", threads, "--csv"]).arg(&csv_path);
    if json {
        command.arg("--json").arg(&json_path);
    }
    let output = command.assert().success().get_output().stdout.clone();
    let read = |path: &Path| std::fs::read(path).expect("the run wrote it");
    [read(&csv_path), if json { read(&json_path) } else { Vec::new() }, output]
}

/// The outcome is that of one thread at 1, 2, 3 and 8 threads, and again.
fn assert_same(folder: &Path, arguments: &[&str], json: bool) {
    let expected = run(folder, arguments, "1", json);
    check_all(["1", "2", "3", "8", "8"], |&threads| {
        let found = run(folder, arguments, threads, json);
        for (what, (found, expected)) in ["CSV", "JSON", "standard output"].iter().zip(found.iter().zip(&expected)) {
            assert!(found == expected, "{arguments:?}: {what} differs at {threads} threads");
        }
    });
}

#[test]
fn costs_and_inference_on_all_images_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_same(folder.path(), &["simulate"], true);
}

#[test]
fn finite_hardware_and_stepped_machines_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, toml: String| std::fs::write(folder.path().join(name), toml).expect("writable");
    write("analog.toml", analog_toml("cells", "32", "8", 3));
    write("digital.toml", digital_toml("elements", 4, 8, "filter"));
    let arguments = ["simulate", "--bits", "3", "--stepped", "--hardware", "analog.toml", "--hardware", "digital.toml"];
    assert_same(folder.path(), &arguments, true);
}

#[test]
fn the_metric_does_not_depend_on_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_same(folder.path(), &["esn", "--bits", "2"], false);
}
