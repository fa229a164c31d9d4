//! Options of `esn`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{LayerTableOptions, MetricOptions, ReadingOptions, ThreadOptions};

/// Options of `esn`.
#[derive(Args)]
pub struct EsnOptions {
    /// Network files; left out: the embedded digits network
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub metric: MetricOptions,

    #[command(flatten)]
    pub table: LayerTableOptions,

    #[command(flatten)]
    pub threads: ThreadOptions,
}
