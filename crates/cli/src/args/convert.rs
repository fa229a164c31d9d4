//! Options of `convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use esnsim::WriteFormat;

use super::shared::ReadingOptions;

/// Options of `convert`.
#[derive(Args)]
pub struct ConvertOptions {
    /// The file to read.
    pub input: PathBuf,

    /// The file to write.
    pub output: PathBuf,

    /// Its format [default: by the end of its name].
    #[arg(long, value_enum)]
    pub to: Option<FormatName>,

    /// Fail, and write nothing, where the new file would hold less than the old one.
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    pub reading: ReadingOptions,
}

/// Formats that are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// The network: graph, weights, quantization.
    Onnx,
    /// The weights alone.
    Safetensors,
    /// The weights alone, as numpy arrays.
    Npz,
}

impl FormatName {
    /// The format of this name.
    pub fn format(self) -> WriteFormat {
        match self {
            FormatName::Onnx => WriteFormat::Onnx,
            FormatName::Safetensors => WriteFormat::Safetensors,
            FormatName::Npz => WriteFormat::Npz,
        }
    }
}
