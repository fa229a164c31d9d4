//! Options of `trace`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use inference::Samples;

use super::groups::{HARDWARE, OUTPUT, TRACE};
use super::parse::{at_least_one, cycles, whole};
use super::shared::{InferenceOptions, ReadingOptions, ThreadOptions, WidthOptions};

/// Options of `trace`.
#[derive(Args)]
pub struct TraceOptions {
    /// Network file; left out: the embedded digits network and its images
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub width: WidthOptions,

    /// Description or preset [default: the ideal digital engine]
    ///
    /// One machine is traced at a time. `simulate --hardware list` names the presets.
    #[arg(long, value_name = "TOML|NAME", help_heading = HARDWARE)]
    pub hardware: Option<PathBuf>,

    /// The layer: its name, or the end of it, or its place
    ///
    /// An end begins behind a `/` or a `.`: `conv1` finds `/model/conv1` if no other name ends so. Places are those
    /// among the MAC layers, from 1 on; `inspect` lists them.
    #[arg(long, value_name = "NAME|N", default_value = "1", help_heading = TRACE)]
    pub layer: String,

    /// The first cycle, and the first that is not traced [default: 0..1024]
    ///
    /// The trace ends with the layer. A note says so where B is beyond its end.
    #[arg(long, value_name = "A..B", value_parser = cycles, help_heading = TRACE)]
    pub cycles: Option<(u64, u64)>,

    /// The image that the machine reads, from 1 on
    ///
    /// It is one of --images, or of those that are embedded. Without images the activations are pseudo-random, and a note
    /// says so.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = at_least_one,
        help_heading = TRACE
    )]
    pub image: usize,

    /// Lanes that are shown: rows of elements, or columns of filters
    ///
    /// They are the first ones that have work in the cycles that are traced.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8,
        value_parser = whole::<u32>(0..=65_536),
        help_heading = TRACE
    )]
    pub lanes: u32,

    /// Processing elements, or cells, that are shown of each lane
    ///
    /// They are the first ones of the lane.
    #[arg(
        long,
        alias = "accumulators",
        value_name = "N",
        default_value_t = 4,
        value_parser = whole::<u32>(0..=65_536),
        help_heading = TRACE
    )]
    pub elements: u32,

    #[command(flatten)]
    pub inference: InferenceOptions,

    /// Write waveforms (VCD) for GTKWave or Surfer
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub vcd: Option<PathBuf>,

    /// Write one row per cycle as CSV
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub csv: Option<PathBuf>,

    /// Write a timeline (Chrome trace events) for ui.perfetto.dev
    ///
    /// chrome://tracing opens it as well. On the timeline 1 µs stands for one cycle.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub perfetto: Option<PathBuf>,

    #[command(flatten)]
    pub threads: ThreadOptions,
}

impl TraceOptions {
    /// The place of the image among `samples`, from 0 on.
    pub fn image_of(&self, samples: &dyn Samples) -> anyhow::Result<usize> {
        if self.image > samples.len() {
            bail!("--image {}: there are {} images, counted from 1", self.image, samples.len());
        }
        Ok(self.image - 1)
    }
}
