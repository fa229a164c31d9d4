//! Options of `convert`.

use std::path::PathBuf;

use clap::Args;
use esnsim::WriteFormat;

use super::shared::ReadingOptions;
use super::words::{Words, word, words};

/// Options of `convert`.
#[derive(Args)]
pub struct ConvertOptions {
    /// The file to read.
    pub input: PathBuf,

    /// The file to write.
    pub output: PathBuf,

    /// Its format [default: by the end of its name].
    #[arg(long, value_parser = format())]
    pub to: Option<WriteFormat>,

    /// Fail, and write nothing, where the new file would hold less than the old one.
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    pub reading: ReadingOptions,
}

fn format() -> Words<WriteFormat> {
    words([
        word("onnx", WriteFormat::Onnx, "The network: graph, weights, quantization"),
        word("safetensors", WriteFormat::Safetensors, "The weights alone"),
        word("npz", WriteFormat::Npz, "The weights alone, as numpy arrays"),
    ])
}
