//! Options of `landscape`.

use std::path::PathBuf;

use clap::Args;

use super::parse::threads;

/// Options of `landscape`.
#[derive(Args)]
pub struct LandscapeOptions {
    /// Hardware description or name of one that comes along, repeatable [default: the ideal engines and all others].
    #[arg(long, value_name = "TOML|NAME")]
    pub hardware: Vec<PathBuf>,

    /// Bits of every weight where pruning is varied.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub bits: u32,

    /// Per cent of the weights that are pruned where bits are varied.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=99))]
    pub pruned: u32,

    /// What codes, pruned weights and activations are drawn from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Write one row for each form of the layer on each hardware.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Draw energy against bits, pruned weights and pruned filters.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}
