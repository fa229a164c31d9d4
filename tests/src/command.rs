//! The `esnsim` command, as it is run by a shell.

use std::path::{Path, PathBuf};
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
