//! Options of `hardware`.

use clap::Args;

/// Options of `hardware`.
#[derive(Args)]
pub struct HardwareNameOptions {
    /// A name; left out: all names are listed
    pub name: Option<String>,
}
