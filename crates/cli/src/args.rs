//! What a user can ask for.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use compress::Pruning;
use esn::{BitConvention, BitWidth, Grid};
use formats::{ReadOptions, TfliteKernels};
use network::Network;
use network::architectures::Family;
use runner::Quantization;

use crate::compress_command::pruning;

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
    /// Prune, quantize and re-estimate BatchNorm statistics; write the result as a standard file.
    Compress(CompressOptions),
    /// What is in a network file: graph, MAC layers, geometry, weight statistics.
    Inspect(InspectOptions),
    /// Run every point of a plan of networks, prunings, quantizations, hardware and images into a store.
    Sweep(crate::sweep::Options),
    /// Write a network, or its weights, in another format, and say what that loses.
    Convert(crate::convert::Options),
    /// Make a network of the literature with random weights, as ONNX.
    New(NewOptions),
    /// Energy against bits, pruned weights and pruned filters, on every hardware that comes along: table, CSV, figure.
    Landscape(crate::landscape::Options),
    /// A stepped machine cycle by cycle: waveforms (VCD) of its rows or columns, and energy and activity as CSV.
    Trace(crate::trace::Options),
    /// The frontier of accuracy against a cost over the points of a store: table, CSV, SVG and a page.
    Pareto(crate::pareto::Options),
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

    /// Levels that the integers of quantized weights stand for [default: those that the file names, else mid-tread].
    #[arg(long, value_enum)]
    pub grid: Option<GridName>,

    /// The graph that the weights of a file without one belong to: .pt, .pth, .safetensors, .npz.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Family::NAMES))]
    pub architecture: Option<String>,

    /// Sizes and output positions of the layers of a weight file: a CSV file in the layout of SCALE-Sim.
    #[arg(long, value_name = "FILE", conflicts_with = "architecture")]
    pub topology: Option<PathBuf>,

    /// Look for the grid that real weights already lie on (fake quantization): their codes are then taken as they are.
    /// Layers without one are quantized to --bits, or refused.
    #[arg(long)]
    pub find_step: bool,

    /// Kernels of TFLite whose rounding the integer layers of its files follow.
    #[arg(long, value_enum, default_value_t = KernelsName::Optimized)]
    pub tflite_kernels: KernelsName,
}

/// Kernels of TFLite.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelsName {
    /// Those that LiteRT runs unless told otherwise (XNNPACK).
    Optimized,
    /// Fixed-point multipliers.
    Reference,
}

impl ReadingOptions {
    /// What the reader is told.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            input_shapes: self.input_shape.clone(),
            grid: self.grid.map(GridName::grid),
            architecture: self.architecture.as_deref().and_then(Family::named),
            topology: self.topology.clone(),
            tflite_kernels: match self.tflite_kernels {
                KernelsName::Optimized => TfliteKernels::Optimized,
                KernelsName::Reference => TfliteKernels::Reference,
            },
        }
    }
}

/// Levels of quantized weights.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GridName {
    /// ±0.5, ±1.5, …: integers count half-steps.
    MidRise,
    /// 0, ±1, ±2, …: integers count whole steps.
    MidTread,
}

impl GridName {
    /// The grid of this name.
    pub fn grid(self) -> Grid {
        match self {
            GridName::MidRise => Grid::MidRise,
            GridName::MidTread => Grid::MidTread,
        }
    }
}

impl CommonOptions {
    /// How weights are quantized.
    ///
    /// The width beside `--find-step` is for layers without a step; where every layer has one, no width is asked for.
    pub fn quantization(&self, network: &Network) -> Quantization {
        let unused = self.reading.find_step && network.layers().iter().all(runner::is_quantized);
        Quantization::new(self.bits.filter(|_| !unused))
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
    /// Network file (ONNX or TFLite); left out: the embedded digits network with its images.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,

    /// Hardware description or name of one that comes along, repeatable; `list` names them [default: the three ideal
    /// engines].
    #[arg(long, value_name = "TOML|NAME")]
    pub hardware: Vec<PathBuf>,

    /// Write the whole run as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the run as one self-contained page: layers on every hardware, bit widths, the check.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Advance the stepped machines through every layer, cycle by cycle, and compare outputs and counts.
    #[arg(long)]
    pub stepped: bool,

    /// Run the images with so many seeds of hardware that is random, its own and those after it, and tell the spread of
    /// the accuracy.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: Option<u64>,

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

    #[command(flatten)]
    pub preprocessing: PreprocessingOptions,

    /// Add this to the labels of images [default: 1 for a network of 1,001 outputs and labels below 1,000, else 0].
    #[arg(long, value_name = "N")]
    pub label_offset: Option<usize>,

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

/// What is done to images before a network sees them.
#[derive(Args)]
pub struct PreprocessingOptions {
    /// Preprocessing of images: a TOML file, or `unit`, `imagenet`, `none` [default: NET.preprocess.toml beside the
    /// network, else `unit`, pixels / 255; bytes as they are for an integer input].
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
}

/// Options of `esn`.
#[derive(Args)]
pub struct EsnOptions {
    /// Network files (ONNX or TFLite); left out: the embedded digits network.
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub common: CommonOptions,
}

/// Options of `new`.
#[derive(Args)]
pub struct NewOptions {
    /// The network; ResNet-8 to ResNet-56 are those for CIFAR, ResNet-18 and ResNet-50 those for ImageNet.
    #[arg(value_parser = PossibleValuesParser::new(Family::NAMES))]
    pub network: String,

    /// The ONNX file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Factor of all channels.
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub width: f64,

    /// Outputs of the last layer [default: 10; 1000 for ImageNet].
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,

    /// Height and width of the image [default: 32; 224 for ImageNet].
    #[arg(long, value_name = "PIXELS")]
    pub input: Option<usize>,

    /// What the weights are made from; the same seed gives the same file.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Variance of the weights (He): 2 / inputs of a filter, or 2 / filters that an input feeds.
    #[arg(long, value_enum, default_value_t = FanName::In)]
    pub fan: FanName,

    /// How shortcuts of a ResNet for CIFAR change channels [default: A].
    #[arg(long, value_enum)]
    pub shortcut: Option<ShortcutName>,

    /// Layers of densenet-bc (L), 6n + 4 [default: 100].
    #[arg(long, value_name = "L")]
    pub depth: Option<usize>,

    /// Channels that each layer of densenet-bc adds (k) [default: 12].
    #[arg(long, value_name = "K")]
    pub growth: Option<usize>,
}

/// What the variance of weights is divided by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FanName {
    /// Inputs of a filter.
    In,
    /// Filters that an input feeds.
    Out,
}

/// Shortcuts of ResNets for CIFAR.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShortcutName {
    /// Every second pixel, zero channels: no weights.
    #[value(name = "A", alias = "a")]
    A,
    /// A 1x1 convolution where channels change.
    Projection,
    /// A 1x1 convolution in the first block of every stage, as in "Prune or quantize?".
    Paper,
}

/// Options of `inspect`.
#[derive(Args)]
pub struct InspectOptions {
    /// Network file (ONNX or TFLite); left out: the embedded digits network.
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    /// Also list every node of the graph.
    #[arg(long)]
    pub nodes: bool,

    /// Write one row per MAC layer as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the MAC layers as a topology file in the layout of SCALE-Sim.
    #[arg(long, value_name = "FILE")]
    pub topology_csv: Option<PathBuf>,
}

/// Options of `compress`: what they ask for is done in the order prune, quantize, re-estimate.
#[derive(Args)]
pub struct CompressOptions {
    /// Network or weight file of real weights; left out: the embedded digits network.
    pub network: Option<PathBuf>,

    /// The file to write: ONNX, or weights alone (.safetensors, .npz).
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Prune: filters=F or width=F by signal norm, weights=F by magnitude, N:M, or filters down to a budget: esn-a=X,
    /// esn-d=X, macs=X, parameters=X (repeatable, in order).
    #[arg(long, value_name = "HOW", value_parser = pruning)]
    pub prune: Vec<Pruning>,

    /// What competes with one another in pruning.
    #[arg(long, value_enum, default_value_t = ScopeWord::Global)]
    pub prune_scope: ScopeWord,

    /// Prune filters whose largest magnitude is below this fraction of their layer's.
    #[arg(long, value_name = "R")]
    pub prune_below: Option<f64>,

    /// Remove dead channels from the tensors instead of zeroing them.
    #[arg(long)]
    pub compact: bool,

    /// Quantize weights to this bit width [default with a step rule: 4; with a target or an allocation: at most 16].
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,

    /// Levels of the quantized weights.
    #[arg(long, value_enum, default_value_t = GridName::MidRise)]
    pub grid: GridName,

    /// Look for the grid that real weights already lie on, and write their integers. Layers without one stay real.
    #[arg(long, conflicts_with_all = ["bits", "clip", "target_snr", "target_esn_a", "target_profile", "average_bits", "esn_d_filter_budget", "bias_correction"])]
    pub find_step: bool,

    /// What shares a step [default: layer; with an allocation: filter].
    #[arg(long, value_enum)]
    pub granularity: Option<GranularityWord>,

    /// How the step is chosen [default: max-abs].
    #[arg(long, value_enum)]
    pub clip: Option<Clip>,

    /// Choose steps for this linear signal-to-noise ratio in every layer.
    #[arg(long, value_name = "X", conflicts_with_all = ["clip", "target_esn_a", "target_profile"])]
    pub target_snr: Option<f64>,

    /// Choose steps for this ESN_a of the network, every weight counted once.
    #[arg(long, value_name = "X", conflicts_with_all = ["clip", "target_profile"])]
    pub target_esn_a: Option<f64>,

    /// Choose steps for the ESN_a of each layer of another network file, or of a training trace (.json).
    #[arg(long, value_name = "FILE", conflicts_with = "clip")]
    pub target_profile: Option<PathBuf>,

    /// Share out bits among filters: so many on average in each layer.
    #[arg(long, value_name = "B", conflicts_with = "esn_d_filter_budget")]
    pub average_bits: Option<f64>,

    /// Share out bits among filters: at most this ESN'_d over the network.
    #[arg(long, value_name = "X")]
    pub esn_d_filter_budget: Option<f64>,

    /// Restore the norm of each filter's weights after quantizing; the shift of its mean is left to --reestimate-bn.
    #[arg(long)]
    pub bias_correction: bool,

    /// Bit width of the first layer, where it is another.
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub first_bits: Option<BitWidth>,

    /// Bit width of the last layer, where it is another.
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub last_bits: Option<BitWidth>,

    /// Unlabeled images for --reestimate-bn: as --images of `simulate`. A folder is sampled evenly over its classes.
    #[arg(long, value_name = "PATH")]
    pub calibrate: Option<PathBuf>,

    /// Use so many of them at most.
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = at_least_one)]
    pub calibrate_limit: usize,

    /// Re-estimate BatchNorm statistics (of a folded network: correct mean and scale per channel) on those images.
    #[arg(long)]
    pub reestimate_bn: bool,

    #[command(flatten)]
    pub preprocessing: PreprocessingOptions,

    /// Shape of an input whose extents the file leaves open, as NAME=1,3,224,224 (repeatable).
    #[arg(long, value_name = "NAME=SHAPE", value_parser = input_shape)]
    pub input_shape: Vec<(String, Vec<usize>)>,

    /// The graph that the weights of a file without one belong to: .pt, .pth, .safetensors, .npz.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Family::NAMES))]
    pub architecture: Option<String>,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Write what was done, by layer, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What competes in pruning.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeWord {
    /// The whole network.
    Global,
    /// Each layer, coupled channels together.
    Layer,
}

/// What shares a step.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GranularityWord {
    /// A layer.
    Layer,
    /// A filter.
    Filter,
}

/// How a step is chosen.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Clip {
    /// The grid ends at the largest magnitude.
    MaxAbs,
    /// Least mean squared error.
    Mse,
    /// Analytical clipping, Laplace prior (ACIQ).
    Laplace,
    /// Analytical clipping, Gauss prior (ACIQ).
    Gauss,
}

/// A bit width.
pub fn bit_width(text: &str) -> Result<BitWidth, String> {
    let bits: u32 = text.parse().map_err(|_| "expected a whole number from 1 to 16".to_string())?;
    BitWidth::new(bits).map_err(|e| e.to_string())
}

/// A number of worker threads.
pub fn threads(text: &str) -> Result<usize, String> {
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
