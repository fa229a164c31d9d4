//! Real networks and images, which stand beside the project and are no part of it.

use std::path::{Path, PathBuf};

/// A file beside the project, if it is there.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(relative);
    path.exists().then_some(path)
}

/// As [`shared`], and says that the test is skipped where the file is absent.
pub fn shared_or_skip(relative: &str) -> Option<PathBuf> {
    let path = shared(relative);
    if path.is_none() {
        eprintln!("skipped: {relative} is not beside the project");
    }
    path
}
