//! Options of `man`.

use std::path::PathBuf;

use clap::Args;

/// Options of `man`.
#[derive(Args)]
pub struct ManOptions {
    /// The folder to write into, which is made where it is not there
    pub folder: PathBuf,
}
