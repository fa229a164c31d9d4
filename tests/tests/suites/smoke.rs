//! Does the command run with nothing but itself, and on what the repository ships? The suite `docs` runs the commands
//! of the documentation.

use std::collections::BTreeMap;
use std::path::Path;

use esnsim_tests::{esnsim, repository};

/// A folder with the hardware descriptions of the repository.
fn user_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("configs")).expect("a folder can be made");
    for (name, text) in configs() {
        std::fs::write(folder.path().join("configs").join(name), text).expect("writable");
    }
    folder
}

/// The hardware descriptions of the repository.
fn configs() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(repository("configs")).expect("it is in the repository");
    let paths =
        files.map(|file| file.expect("readable").path()).filter(|path| path.extension() == Some("toml".as_ref()));
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), std::fs::read_to_string(&path).expect("text"))).collect()
}

/// Runs a command that must succeed and returns its standard output.
fn run<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("output is text")
}

#[test]
fn without_a_file_every_command_shows_the_embedded_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let simulate = run(folder.path(), ["simulate"]);
    assert_eq!(simulate.matches("PASS: ").count(), 3, "{simulate}");
    assert!(simulate.contains("500 images, 10 classes") && simulate.contains("0.9860"), "{simulate}");
    let stepped = run(folder.path(), ["simulate", "--stepped", "--limit", "1"]);
    assert_eq!(stepped.matches("PASS: ").count(), 6, "{stepped}");
    assert!(run(folder.path(), ["esn"]).contains("145,973"));
    assert!(run(folder.path(), ["inspect", "--nodes"]).contains("GlobalAveragePool"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing is written unasked");
}

#[test]
fn help_tells_every_option() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(run(folder.path(), ["--version"]).starts_with("esnsim 0."));
    let overview = run(folder.path(), ["--help"]);
    for command in ["simulate", "esn", "inspect"] {
        assert!(overview.contains(&format!("  {command} ")), "{overview}");
        let help = run(folder.path(), [command, "--help"]);
        assert!(help.contains("Usage: esnsim ") && help.contains("--csv"), "{help}");
    }
}

#[test]
fn every_description_of_the_repository_runs() {
    let folder = user_folder();
    for name in configs().keys() {
        run(folder.path(), ["simulate", "--limit", "1", "--hardware", &format!("configs/{name}")]);
    }
}

#[test]
fn the_ideal_descriptions_of_the_repository_are_the_default() {
    let folder = user_folder();
    let files = ["ideal-analog.toml", "ideal-digital.toml", "ideal-digital-filter.toml"];
    let mut explicit = vec!["simulate".to_string(), "--csv".into(), "explicit.csv".into()];
    explicit.extend(files.iter().flat_map(|file| ["--hardware".to_string(), format!("configs/{file}")]));
    let (default, explicit) = (run(folder.path(), ["simulate", "--csv", "default.csv"]), run(folder.path(), explicit));
    assert_eq!(default, explicit);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the run wrote it");
    assert_eq!(read("default.csv"), read("explicit.csv"));
}
