//! Files and programs that stand beside the project and may not be there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use formats::ReadOptions;
use network::Network;

/// Set where the files beside the project are laid: a missing one is a failure then.
const REQUIRE_SHARED: &str = "ESNSIM_REQUIRE_SHARED";

/// Says that a case is skipped, and why. The line begins with `skipped:` and goes past the capture of the test runner, so
/// that it is seen, and can be counted, though the test passes.
fn skip(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("standard error is open");
}

/// A file beside the project, by its path from `shared/`. None, and the case is skipped, where it is not there.
///
/// # Panics
///
/// If it is not there and `ESNSIM_REQUIRE_SHARED` is set.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(relative);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os(REQUIRE_SHARED).is_none(), "{REQUIRE_SHARED} is set, and shared/{relative} is not there");
    skip(&format!("shared/{relative} is not there"));
    None
}

/// The network of a file beside the project, read without options; else as [`shared`].
///
/// # Panics
///
/// If the file is no network; as [`shared`].
pub fn shared_network(relative: &str) -> Option<Network> {
    Some(formats::read(&shared(relative)?, &ReadOptions::default()).expect("a valid network"))
}

/// The first line of what a program says of its version. None, and the case is skipped, where it is not installed.
pub fn tool(name: &str, version_flag: &str) -> Option<String> {
    let Ok(output) = Command::new(name).arg(version_flag).output() else {
        skip(&format!("{name} is not installed"));
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().find(|line| line.chars().any(char::is_alphanumeric)).unwrap_or(name).to_string())
}
