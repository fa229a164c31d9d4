//! Options of `esn`.

use std::path::PathBuf;

use clap::Args;

use super::shared::CommonOptions;

/// Options of `esn`.
#[derive(Args)]
pub struct EsnOptions {
    /// Network files (ONNX or TFLite); left out: the embedded digits network.
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,
}
