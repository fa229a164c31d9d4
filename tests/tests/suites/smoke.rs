//! Does the command run with nothing but itself, and on what the repository ships? The suite `docs` runs the commands
//! of the documentation.

use std::collections::BTreeMap;
use std::path::Path;

use esnsim_tests::{esnsim, repository};
use testkit::check_all;

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
    check_all(["simulate", "esn", "inspect"], |&command| {
        assert!(overview.contains(&format!("  {command} ")), "{overview}");
        let help = run(folder.path(), [command, "--help"]);
        assert!(help.contains("Usage: esnsim ") && help.contains("--csv"), "{help}");
    });
}

/// The commands that the overview lists, but for `help`.
fn commands(folder: &Path) -> Vec<String> {
    let overview = run(folder, ["-h"]);
    let lines = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_string).collect()
}

#[test]
fn short_help_is_a_screen_and_long_help_has_every_option_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(commands(folder.path()), |command| {
        let (short, long) = (run(folder.path(), [command, "-h"]), run(folder.path(), [command, "--help"]));
        assert!(short.lines().count() <= 48, "{short}");
        assert!(short.lines().chain(long.lines()).all(|line| line.chars().count() <= 100), "{short}{long}");
        assert!(short.contains(&format!("Example: esnsim {command} ")), "{short}");
        let options = |help: &str| -> Vec<String> {
            let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
            let names = lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
            names.map(str::to_string).collect()
        };
        for option in options(&short) {
            assert!(options(&long).contains(&option), "{command} {option}\n{long}");
        }
    });
}

#[test]
fn a_shell_completes_commands_options_and_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let commands = commands(folder.path());
    let cases = [
        ("bash", "_esnsim()"),
        ("zsh", "#compdef esnsim"),
        ("fish", "complete -c esnsim"),
        ("powershell", "Register-Arg"),
    ];
    check_all(cases, |&(shell, opening)| {
        let script = run(folder.path(), ["completions", shell]);
        assert!(script.contains(opening), "{shell}\n{script}");
        check_all(commands.iter().map(String::as_str).chain(["hardware", "prune-scope"]), |word| {
            assert!(script.contains(word), "{shell} does not complete {word}");
        });
        // PowerShell is told of options alone.
        assert!(shell == "powershell" || script.contains("mid-tread"), "{shell} does not complete words");
    });
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let commands = commands(folder.path());
    let said = run(folder.path(), ["man", "pages/man1"]);
    assert!(said.contains(&format!("{} pages", commands.len() + 1)), "{said}");
    let read =
        |name: &str| std::fs::read_to_string(folder.path().join("pages/man1").join(name)).expect("it was written");
    assert!(read("esnsim.1").contains("esnsim\\-simulate(1)"), "{}", read("esnsim.1"));
    check_all(&commands, |command| {
        let (page, help) = (read(&format!("esnsim-{command}.1")), run(folder.path(), [command, "-h"]));
        assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
        let about = help.lines().next().expect("help has lines").replace('-', "\\-");
        assert!(page.contains(&about), "{about}\n{page}");
    });
}

#[test]
fn every_description_of_the_repository_runs() {
    let folder = user_folder();
    check_all(configs().keys(), |name| {
        run(folder.path(), ["simulate", "--limit", "1", "--hardware", &format!("configs/{name}")]);
    });
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
