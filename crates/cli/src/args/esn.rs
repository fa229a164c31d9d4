//! Options of `esn`.

use std::path::PathBuf;

use clap::Args;
use esnsim::OpenOptions;

use super::shared::{LayerTableOptions, MetricOptions, ReadingOptions, SyntheticOptions, ThreadOptions};

/// Options of `esn`.
#[derive(Args)]
pub struct EsnOptions {
    /// Network files; left out: the embedded digits network
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub synthetic: SyntheticOptions,

    #[command(flatten)]
    pub metric: MetricOptions,

    #[command(flatten)]
    pub table: LayerTableOptions,

    #[command(flatten)]
    pub threads: ThreadOptions,
}

impl EsnOptions {
    /// How the networks are opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { synthetic: self.synthetic.request(), ..self.reading.request(self.networks.len() > 1) }
    }
}
