//! Options of `landscape`.

use std::path::PathBuf;

use clap::Args;
use esn::BitWidth;

use super::groups::{LAYER, OUTPUT};
use super::parse::{bit_width, whole};
use super::shared::{HardwareOptions, ThreadOptions};

/// Options of `landscape`.
#[derive(Args)]
pub struct LandscapeOptions {
    #[command(flatten)]
    pub hardware: HardwareOptions,

    /// Bits of every weight where pruning is varied
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        value_parser = bit_width,
        help_heading = LAYER
    )]
    pub bits: BitWidth,

    /// Per cent of pruned weights where bits are varied
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 0,
        value_parser = whole::<u32>(0..=99),
        help_heading = LAYER
    )]
    pub pruned: u32,

    /// What codes, pruned weights and activations are drawn from
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LAYER)]
    pub seed: u64,

    /// Write one row for each form of the layer on each hardware
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub csv: Option<PathBuf>,

    /// Draw energy against bits, pruned weights and pruned filters
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub svg: Option<PathBuf>,

    #[command(flatten)]
    pub threads: ThreadOptions,
}
