//! The `esnsim` command, as it is run by a shell.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::Command;

/// A run that takes longer is a failure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The command, ready for arguments.
pub fn esnsim() -> Command {
    let mut command = Command::new(binary());
    command.timeout(TIMEOUT);
    command
}

/// The command's file: the binary of this package, which Cargo builds before it runs the suites.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let suite = std::env::current_exe().expect("a running program has a file");
        // A suite is TARGET/PROFILE/deps/NAME, a binary TARGET/PROFILE/NAME.
        let profile = suite.ancestors().nth(2).expect("cargo puts suites two folders deep");
        let binary = profile.join(format!("esnsim-under-test{}", std::env::consts::EXE_SUFFIX));
        assert!(binary.is_file(), "{} is missing: run the suites by `cargo test`, which builds it", binary.display());
        binary
    })
}

/// A file of the repository, by its path from the root.
pub fn repository(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the suites lie in the repository").join(relative)
}

/// Runs the command in a folder. Arguments are parted by spaces.
///
/// # Panics
///
/// If the command does not start.
pub fn run_in(folder: &Path, arguments: &str) -> Output {
    esnsim().current_dir(folder).args(arguments.split_whitespace()).output().expect("the command runs")
}

/// The error of a command that is refused as it should be: exit code 2, and one line.
///
/// # Panics
///
/// If it succeeds, or ends in another way.
pub fn refused_in(folder: &Path, arguments: &str) -> String {
    let output = run_in(folder, arguments);
    let stderr = String::from_utf8(output.stderr).expect("messages are text");
    assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert!(errors.len() == 1 && !stderr.contains("panicked"), "{arguments}: {stderr}");
    errors[0].to_string()
}

/// Checks that each command is refused, in a message that holds what is expected.
///
/// # Panics
///
/// With every command that is not.
pub fn assert_refused(folder: &Path, cases: &[(&str, &str)]) {
    testkit::check_all(cases, |(arguments, expected)| {
        let output = run_in(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(*expected), "{arguments}: {stderr}");
    });
}
