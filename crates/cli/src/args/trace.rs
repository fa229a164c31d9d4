//! Options of `trace`.

use std::path::PathBuf;

use clap::Args;
use esn::BitWidth;

use super::parse::{bit_width, cycles, threads};
use super::shared::{InferenceOptions, ReadingOptions};

/// Options of `trace`.
#[derive(Args)]
pub struct TraceOptions {
    /// Network file; left out: the embedded digits network with its images.
    pub network: Option<PathBuf>,

    /// The layer: its name, or its place among the MAC layers, from 1 on.
    #[arg(long, value_name = "NAME|N", default_value = "1")]
    pub layer: String,

    /// Cycles to trace: the first, and the first that is not traced any more.
    #[arg(long, value_name = "A..B", default_value = "0..1024", value_parser = cycles)]
    pub cycles: (u64, u64),

    /// Hardware description [default: the ideal digital engine].
    #[arg(long, value_name = "TOML|NAME")]
    pub hardware: Option<PathBuf>,

    /// Rows, or columns, that waveforms show, the first ones.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub lanes: u32,

    /// Accumulators that waveforms show of each row, the first ones.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub accumulators: u32,

    /// Write waveforms, a value change dump that GTKWave and Surfer open.
    #[arg(long, value_name = "FILE")]
    pub vcd: Option<PathBuf>,

    /// Write one row per cycle as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// The image that the machine reads, from 1 on, of --images or of those that are embedded; without images the
    /// activations are pseudo-random.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub image: u64,

    /// Bit width of weights that the file holds as real numbers, quantized per layer, mid-rise [default: 4].
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub inference: InferenceOptions,
}
