//! Options of `inspect`.

use std::path::PathBuf;

use clap::Args;

use super::groups::OUTPUT;
use super::shared::{LayerTableOptions, ReadingOptions};

/// Options of `inspect`.
#[derive(Args)]
pub struct InspectOptions {
    /// Network file; left out: the embedded digits network
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    /// Also list every node of the graph
    #[arg(long, help_heading = OUTPUT)]
    pub nodes: bool,

    #[command(flatten)]
    pub table: LayerTableOptions,

    /// Write the layers as a topology file of SCALE-Sim
    ///
    /// What the layout cannot hold is said in a note.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub topology_csv: Option<PathBuf>,
}
