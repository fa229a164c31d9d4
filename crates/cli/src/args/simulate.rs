//! Options of `simulate`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{CommonOptions, InferenceOptions};

/// Options of `simulate`.
#[derive(Args)]
pub struct SimulateOptions {
    /// Network file (ONNX or TFLite); left out: the embedded digits network with its images.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,

    /// Hardware description or name of one that comes along, repeatable; `list` names them [default: the three ideal
    /// engines].
    #[arg(long, value_name = "TOML|NAME")]
    pub hardware: Vec<PathBuf>,

    /// Write the whole run as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the run as one self-contained page: layers on every hardware, bit widths, the check.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Advance the stepped machines through every layer, cycle by cycle, and compare outputs and counts.
    #[arg(long)]
    pub stepped: bool,

    /// Run the images with so many seeds of hardware that is random, its own and those after it, and tell the spread of
    /// the accuracy.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: Option<u64>,

    #[command(flatten)]
    pub inference: InferenceOptions,
}
