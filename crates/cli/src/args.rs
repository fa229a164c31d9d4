//! What a user can ask for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use esn::{BitConvention, BitWidth};
use runner::Quantization;

/// Cycle-level simulator of ideal analog and digital MAC hardware for pruned and quantized CNNs, checked against the
/// effective signal norm (ESN).
#[derive(Parser)]
#[command(name = "esnsim", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Stream every layer through engines: cycles, energy, the check against ESN, and accuracy on images.
    Simulate(SimulateOptions),
    /// The metric alone, of one network by layer or of several side by side.
    Esn(EsnOptions),
    /// What is in a network file: graph, MAC layers, geometry, weight statistics.
    Inspect(InspectOptions),
}

/// Options that `simulate` and `esn` share, with one meaning.
#[derive(Args)]
pub struct CommonOptions {
    /// Bit width of weights that the file holds as real numbers, quantized per layer, mid-rise [default: 4].
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,

    /// Bits of a weight of amplitude 0.5: at least one, or none as the paper prints equation (3). Changes the metric
    /// only.
    #[arg(long, value_enum, default_value_t = Convention::NonzeroAtLeastOne)]
    pub bit_convention: Convention,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Write one row per layer as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,
}

/// How network files are read.
#[derive(Args)]
pub struct ReadingOptions {
    /// Shape of an input whose extents the file leaves open, as NAME=1,3,224,224 (repeatable).
    #[arg(long, value_name = "NAME=SHAPE", value_parser = input_shape)]
    pub input_shape: Vec<(String, Vec<usize>)>,
}

impl CommonOptions {
    /// How weights are quantized.
    pub fn quantization(&self) -> Quantization {
        Quantization::new(self.bits)
    }

    /// How the metric counts bits.
    pub fn convention(&self) -> BitConvention {
        match self.bit_convention {
            Convention::NonzeroAtLeastOne => BitConvention::NonzeroAtLeastOne,
            Convention::AsPrinted => BitConvention::AsPrinted,
        }
    }
}

/// Bits of a weight of amplitude 0.5.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Convention {
    /// One.
    NonzeroAtLeastOne,
    /// None.
    AsPrinted,
}

/// Options of `simulate`.
#[derive(Args)]
pub struct SimulateOptions {
    /// Network file (ONNX); left out: the embedded digits network with its images.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,

    /// Hardware description, repeatable [default: the three ideal engines].
    #[arg(long, value_name = "TOML")]
    pub hardware: Vec<PathBuf>,

    /// Write the whole run as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Advance the stepped machines through every layer, cycle by cycle, and compare outputs and counts.
    #[arg(long)]
    pub stepped: bool,

    #[command(flatten)]
    pub inference: InferenceOptions,
}

/// What inference runs on.
#[derive(Args)]
pub struct InferenceOptions {
    /// Images: a CIFAR-10 binary file, a folder, a CSV manifest (file,label), .npy or .npz.
    #[arg(long, value_name = "PATH")]
    pub images: Option<PathBuf>,

    /// Use so many images at most: the first ones, or evenly over the classes of a folder.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,

    /// Preprocessing of images: a TOML file, or `unit`, `imagenet`, `none` [default: NET.preprocess.toml beside the
    /// network, else `unit`, pixels / 255].
    #[arg(long, value_name = "TOML|NAME", conflicts_with_all = ["scale", "mean", "std"])]
    pub preprocess: Option<PathBuf>,

    /// Divide pixels by this before mean and std.
    #[arg(long, value_name = "X")]
    pub scale: Option<f32>,

    /// Subtract this from each channel, after scaling: one number, or one a channel.
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Vec<f32>,

    /// Divide each channel by this, after the mean: one number, or one a channel.
    #[arg(long, value_name = "X,…", value_delimiter = ',')]
    pub std: Vec<f32>,

    /// Bits of activations on integer engines, where the file does not quantize them.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub activation_bits: u32,

    /// Images, the first ones, whose activations set the ranges where the file does not.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub calibration_images: usize,

    /// Leave the float network out: faster, but without agreement and noise.
    #[arg(long)]
    pub no_float: bool,
}

/// Options of `esn`.
#[derive(Args)]
pub struct EsnOptions {
    /// Network files (ONNX); left out: the embedded digits network.
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,
}

/// Options of `inspect`.
#[derive(Args)]
pub struct InspectOptions {
    /// Network file (ONNX); left out: the embedded digits network.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    /// Also list every node of the graph.
    #[arg(long)]
    pub nodes: bool,

    /// Write one row per MAC layer as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

fn bit_width(text: &str) -> Result<BitWidth, String> {
    let bits: u32 = text.parse().map_err(|_| "expected a whole number from 1 to 16".to_string())?;
    BitWidth::new(bits).map_err(|e| e.to_string())
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err("expected a whole number from 1 to 1024".to_string()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("expected a whole number, at least 1".to_string()),
    }
}

fn input_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let expected = || format!("expected NAME=1,3,224,224, not {text:?}");
    let (name, shape) = text.rsplit_once('=').ok_or_else(expected)?;
    let extents = shape.split([',', 'x']).map(|n| n.trim().parse::<usize>().ok().filter(|&n| n > 0));
    let shape = extents.collect::<Option<Vec<usize>>>().ok_or_else(expected)?;
    Ok((name.to_string(), shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn shapes_are_read() {
        assert_eq!(input_shape("x=1,3,8,8"), Ok(("x".to_string(), vec![1, 3, 8, 8])));
        assert!(input_shape("x=1,0").is_err() && input_shape("1,3").is_err());
    }
}
