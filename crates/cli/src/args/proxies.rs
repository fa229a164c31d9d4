//! Options of `proxies`.

use std::path::PathBuf;

use clap::{Arg, Args};
use esn::BitWidth;
use esnsim::OpenOptions;
use explore::pareto::Cost;

use super::groups::{HARDWARE, OUTPUT, POINTS, PROXIES, QUANTIZATION};
use super::parse::{bit_width, whole};
use super::shared::{InferenceOptions, ReadingOptions, SyntheticOptions, ThreadOptions};

/// Options of `proxies`.
#[derive(Args)]
pub struct ProxiesOptions {
    /// Store of a sweep, or network files
    pub inputs: Vec<PathBuf>,

    /// First run this plan into the store
    ///
    /// As `sweep` does: points that the store has are not run again, and a store that is not there is made.
    #[arg(long, value_name = "TOML", help_heading = POINTS)]
    pub plan: Option<PathBuf>,

    /// Only points of this network of a store
    ///
    /// The option may be given several times. Points of networks of very different sizes are ranked by any number that grows with
    /// the size, so that each network by itself says more.
    #[arg(long, value_name = "NAME", help_heading = POINTS)]
    pub network: Vec<String>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub synthetic: SyntheticOptions,

    /// Bits of weights that a file holds as real numbers [default: 4]
    ///
    /// As `simulate` has them: 8 where several files are named. Several widths, as 2,3,4,8, are a network each.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = bit_width, help_heading = QUANTIZATION)]
    pub bits: Vec<BitWidth>,

    /// Hardware of the store, or for files a description (TOML) or name
    ///
    /// The option may be given several times. Left out: all hardware of the store; for files the ideal engines and every preset.
    #[arg(long, value_name = "TOML|NAME", help_heading = HARDWARE)]
    pub hardware: Vec<PathBuf>,

    /// Show so many of the cheapest networks
    ///
    /// They are shown for one hardware; of several, the cheapest on each that is at least half as accurate as the best. 0 shows none.
    #[arg(long, value_name = "N", default_value = "10", value_parser = whole::<usize>(0..=1_000_000), help_heading = PROXIES)]
    pub top: usize,

    /// Samples that an interval is made of
    ///
    /// The intervals are those of the bootstrap. 0 makes none, and sentences then say nothing that rests on them.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = whole::<usize>(0..=100_000), help_heading = PROXIES)]
    pub resamples: usize,

    /// Fit a weighted sum of costs to the energy of this hardware
    ///
    /// The sum is a cost without hardware, which `pareto --cost` takes. Its error is told on networks that it was not fitted to. The
    /// hardware need not be among that of --hardware.
    #[arg(long, value_name = "HARDWARE", help_heading = PROXIES)]
    pub fit: Option<PathBuf>,

    /// What such a sum is made of
    ///
    /// Costs without hardware, as `pareto --cost` names them: at most 8.
    #[arg(
        long,
        value_name = "COST,…",
        value_delimiter = ',',
        default_value = "esn-d,weight-bits,activation-bits,outputs",
        value_parser = term,
        requires = "fit",
        hide_short_help = true,
        help_heading = PROXIES
    )]
    pub terms: Vec<Cost>,

    #[command(flatten)]
    pub inference: InferenceOptions,

    /// Write a row for each hardware and number that stands for it
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub csv: Option<PathBuf>,

    /// Write a row for each network: every number, energy and cycles
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub points: Option<PathBuf>,

    /// Write everything that was found as JSON
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub json: Option<PathBuf>,

    /// Draw a heat map
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub svg: Option<PathBuf>,

    #[command(flatten)]
    pub threads: ThreadOptions,
}

/// Options that other commands show in short, and that are rarely needed here.
const RARE: [&str; 7] =
    ["topology", "grid", "tflite_kernels", "label_offset", "activation_bits", "calibration_images", "no_float"];

/// Leaves such an option out of the short help.
pub fn shown_in_short(option: Arg) -> Arg {
    let is_rare = RARE.contains(&option.get_id().as_str());
    if is_rare { option.hide_short_help(true) } else { option }
}

/// A cost that a sum is made of.
fn term(text: &str) -> Result<Cost, String> {
    let known = Cost::without_hardware().find(|cost| cost.id() == text.trim());
    known.ok_or_else(|| {
        let names: Vec<String> = Cost::without_hardware().map(|cost| cost.id()).collect();
        format!("expected costs without hardware: {}", names.join(", "))
    })
}

impl ProxiesOptions {
    /// How network files are opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { synthetic: self.synthetic.request(), ..self.reading.request(self.inputs.len() > 1) }
    }
}
