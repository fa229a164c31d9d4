//! The `esnsim` command, as it is run by a shell.

use std::path::{Path, PathBuf};
use std::process::Command as Process;
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

/// The command's file. Cargo builds the binary of another package for no test, so that it is built here, once a suite,
/// in the profile of the suite; where nothing has changed that takes a fraction of a second.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    let suite = std::env::current_exe().expect("a running program has a file");
    // A suite is TARGET/PROFILE/deps/NAME.
    let profile = suite.ancestors().nth(2).expect("cargo puts suites two folders deep");
    let target = profile.parent().expect("a profile's folder lies in the target folder");
    let mut cargo = Process::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--bin", "esnsim", "--target-dir"]).arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "the esnsim binary does not build");
    profile.join(format!("esnsim{}", std::env::consts::EXE_SUFFIX))
}

/// A file of the repository, by its path from the root.
pub fn repository(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the suites lie in the repository").join(relative)
}
