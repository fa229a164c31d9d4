//! Options of `inspect`.

use std::path::PathBuf;

use clap::Args;

use super::shared::ReadingOptions;

/// Options of `inspect`.
#[derive(Args)]
pub struct InspectOptions {
    /// Network file (ONNX or TFLite); left out: the embedded digits network.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    /// Also list every node of the graph.
    #[arg(long)]
    pub nodes: bool,

    /// Write one row per MAC layer as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the MAC layers as a topology file in the layout of SCALE-Sim.
    #[arg(long, value_name = "FILE")]
    pub topology_csv: Option<PathBuf>,
}
