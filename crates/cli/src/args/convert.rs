//! Options of `convert`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use esnsim::WriteFormat;

use super::groups::OUTPUT;
use super::shared::ReadingOptions;
use super::words::{Words, word, words};

/// Options of `convert`.
#[derive(Args)]
pub struct ConvertOptions {
    /// The file to read
    pub input: PathBuf,

    /// The file to write
    pub output: PathBuf,

    #[command(flatten)]
    pub reading: ReadingOptions,

    /// Its format [default: by the end of its name]
    #[arg(long, value_name = "FORMAT", value_parser = format(), help_heading = OUTPUT)]
    pub to: Option<WriteFormat>,

    /// Fail where the new file would hold less than the old one
    ///
    /// Nothing is written then.
    #[arg(long, help_heading = OUTPUT)]
    pub strict: bool,
}

impl ConvertOptions {
    /// The format to write.
    pub fn format(&self) -> anyhow::Result<WriteFormat> {
        match self.to.or_else(|| WriteFormat::of_name(&self.output)) {
            Some(format) => Ok(format),
            None => bail!(
                "{}: the end of its name tells no format that is written; expected .onnx, .safetensors or .npz, or --to",
                self.output.display()
            ),
        }
    }
}

fn format() -> Words<WriteFormat> {
    words([
        word("onnx", WriteFormat::Onnx, "The network: graph, weights, quantization"),
        word("safetensors", WriteFormat::Safetensors, "The weights alone"),
        word("npz", WriteFormat::Npz, "The weights alone, as numpy arrays"),
    ])
}
