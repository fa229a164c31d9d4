//! `esnsim trace`: a layer on the stepped machine, cycle by cycle, as waveforms and as a table.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use esn::BitWidth;
use network::{LayerId, Network};
use report::trace::{write_csv, write_vcd};
use report::write_file;
use runner::trace::{Trace, TracePlan, trace};
use runner::{Hardware, Quantization};

use crate::args::{InferenceOptions, ReadingOptions, bit_width, threads};
use crate::format::{grouped, joules, one_line};
use crate::input::{self, Progress};
use crate::print;

/// Options of `trace`.
#[derive(Args)]
pub struct Options {
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

/// Runs the command.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let inputs = options.network.iter().chain(&options.hardware).chain(options.inference.images.as_ref());
    input::check_outputs(&[options.vcd.as_deref(), options.csv.as_deref()], inputs)?;
    let hardware = match &options.hardware {
        Some(path) => input::hardware(std::slice::from_ref(path))?.into_iter().next(),
        None => Hardware::ideal().into_iter().find(|hardware| hardware.engine.computes_integers()),
    };
    let hardware = hardware.context("there is no hardware to trace")?;
    let network = input::network(options.network.as_deref(), &options.reading)?;
    input::show_notes(&network);
    let samples = input::samples(&network, options.network.is_none(), &options.inference)?;
    let image = usize::try_from(options.image - 1).unwrap_or(usize::MAX);
    if let Some(samples) = samples.as_deref().filter(|samples| image >= samples.len()) {
        bail!("--image {}: there are {} images", options.image, samples.len());
    }
    let progress = Progress::new("cycles", options.cycles.1);
    let found = trace(&TracePlan {
        network: &network,
        hardware: &hardware,
        quantization: Quantization::new(options.bits),
        layer: layer(&network, &options.layer)?,
        cycles: options.cycles,
        lanes: options.lanes as usize,
        accumulators: options.accumulators as usize,
        image: samples.as_deref().map(|samples| (samples, image)),
        activation_bits: options.inference.activation_bits,
        calibration_images: options.inference.calibration_images,
        progress: &|cycles| progress.advance(cycles),
    })?;
    progress.finish();
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_csv(writer, &found))?;
    }
    if let Some(path) = &options.vcd {
        write_file(path, |writer| write_vcd(writer, &found))?;
    }
    print(&summary(&found, samples.is_some().then_some(options.image)))?;
    Ok(true)
}

/// The layer of a name, else of a place.
fn layer(network: &Network, wanted: &str) -> anyhow::Result<LayerId> {
    let layers = network.layers();
    if let Some(index) = layers.iter().position(|layer| layer.name == wanted) {
        return Ok(LayerId(index));
    }
    match wanted.parse::<usize>() {
        Ok(place) if (1..=layers.len()).contains(&place) => Ok(LayerId(place - 1)),
        _ => bail!(
            "{}: --layer {wanted:?} is neither the name of a MAC layer nor one of 1 to {}; inspect lists them",
            network.path().display(),
            layers.len()
        ),
    }
}

/// What was traced, in a few lines.
fn summary(trace: &Trace, image: Option<u64>) -> String {
    let samples = &trace.samples;
    let (first, end) = (samples.first().map_or(0, |s| s.cycle), samples.last().map_or(0, |s| s.cycle + 1));
    let active: u128 = samples.iter().map(|sample| u128::from(sample.active)).sum();
    let count: u128 = samples.iter().map(|sample| sample.count).sum();
    let input = image.map_or("pseudo-random activations".to_string(), |image| format!("image {image}"));
    format!(
        "{} on {}, {input}: cycles {} to {} of {}\n{:.2} active a cycle, {} units of {}, {}\n",
        one_line(&trace.layer),
        trace.hardware,
        grouped(first),
        grouped(end),
        grouped(trace.total_cycles),
        active as f64 / samples.len().max(1) as f64,
        grouped(count),
        Trace::ENTRY,
        joules(trace.unit.times(count).0)
    )
}

/// `A..B`.
fn cycles(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once("..").and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match numbers {
        Some((first, end)) if first < end => Ok((first, end)),
        _ => Err("expected A..B, two cycles of which the first is smaller, as 0..1024".to_string()),
    }
}
