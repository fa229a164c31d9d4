//! Options of `compress`.

use std::path::PathBuf;

use clap::Args;
use compress::{Granularity, Pruning, Scope, StepRule};
use esn::{BitWidth, Grid};
use esnsim::pruning;
use network::architectures::Family;

use super::parse::{architecture, at_least_one, bit_width, grid, input_shape, threads};
use super::shared::PreprocessingOptions;
use super::words::{Words, word, words};

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
    #[arg(long, value_parser = scope(), default_value = "global")]
    pub prune_scope: Scope,

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
    #[arg(long, value_parser = grid(), default_value = "mid-rise")]
    pub grid: Grid,

    /// Look for the grid that real weights already lie on, and write their integers. Layers without one stay real.
    #[arg(long, conflicts_with_all = ["bits", "clip", "target_snr", "target_esn_a", "target_profile", "average_bits", "esn_d_filter_budget", "bias_correction"])]
    pub find_step: bool,

    /// What shares a step [default: layer; with an allocation: filter].
    #[arg(long, value_parser = granularity())]
    pub granularity: Option<Granularity>,

    /// How the step is chosen [default: max-abs].
    #[arg(long, value_parser = clip())]
    pub clip: Option<StepRule>,

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
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    pub architecture: Option<Family>,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Write what was done, by layer, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

fn scope() -> Words<Scope> {
    words([
        word("global", Scope::Global, "The whole network"),
        word("layer", Scope::Layer, "Each layer, coupled channels together"),
    ])
}

fn granularity() -> Words<Granularity> {
    words([word("layer", Granularity::Layer, "A layer"), word("filter", Granularity::Filter, "A filter")])
}

fn clip() -> Words<StepRule> {
    words([
        word("max-abs", StepRule::MaxAbs, "The grid ends at the largest magnitude"),
        word("mse", StepRule::Mse, "Least mean squared error"),
        word("laplace", StepRule::Laplace, "Analytical clipping, Laplace prior (ACIQ)"),
        word("gauss", StepRule::Gauss, "Analytical clipping, Gauss prior (ACIQ)"),
    ])
}
