//! Options of `compress`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use compress::{Allocation, Granularity, PruneOptions, Pruning, Scope, StepRule};
use esn::{BitWidth, Grid};
use esnsim::{AllocateRequest, CompressRequest, Error, ImageRequest, QuantizeRequest, layer_options, pruning};
use explore::pareto::Cost;

use super::groups::{IMAGES, OUTPUT, PRUNING, QUANTIZATION};
use super::parse::{at_least_one, bit_width, grid};
use super::shared::{GraphOptions, ImageReadingOptions, PreprocessingOptions, ThreadOptions};
use super::words::{Words, word, words};

/// Options of `compress`: what they ask for is done in the order prune, quantize, re-estimate.
#[derive(Args)]
pub struct CompressOptions {
    /// Network or weight file of real weights; left out: the embedded digits network
    pub network: Option<PathBuf>,

    #[command(flatten)]
    pub graph: GraphOptions,

    #[command(flatten)]
    pub pruning: PruningOptions,

    #[command(flatten)]
    pub quantization: QuantizationOptions,

    #[command(flatten)]
    pub statistics: StatisticsOptions,

    #[command(flatten)]
    pub preprocessing: PreprocessingOptions,

    /// The file to write: ONNX, .safetensors or .npz
    ///
    /// The end of its name decides, and ONNX is written where it says nothing. The other two hold the weights alone.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,

    /// Bits at which real weights are costed, before and after; left out: 8
    ///
    /// The network before is as its file has it: integers count as they are, real weights at this width. With --find-step,
    /// weights that lie on a grid count as they lie there.
    #[arg(long, value_name = "N", value_parser = bit_width, help_heading = OUTPUT)]
    pub baseline: Option<BitWidth>,

    /// Write what was done, by layer, and the costs as JSON
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub json: Option<PathBuf>,

    /// Fail where less comes out than was asked for
    ///
    /// It is an error that a pruning takes fewer filters than it was asked for, that steps miss their target, or that images
    /// of --calibrate are passed over. Nothing is written then.
    #[arg(long, help_heading = OUTPUT, hide_short_help = true)]
    pub strict: bool,

    #[command(flatten)]
    pub threads: ThreadOptions,
}

/// A budget of [`esnsim::allocation`]. Of energies on a hardware it is said where a sum in their place is found.
fn budget(text: &str) -> Result<(Cost, f64), String> {
    esnsim::allocation(text).map_err(|problem| match text.starts_with("energy:") {
        true => format!("{problem}; `proxies --fit` finds such a sum"),
        false => problem,
    })
}

impl CompressOptions {
    /// Refuses an option that says how something is done which nothing asks for.
    pub fn check_needed(&self) -> anyhow::Result<()> {
        if self.quantization.allocate_images.is_some() && self.quantization.allocate.is_none() {
            bail!("--allocate-images is given, and there is no --allocate that looks at images");
        }
        if self.pruning.prune_scope != Scope::Global && self.pruning.prune.is_empty() {
            bail!("--prune-scope is given, and there is no --prune whose filters or weights compete");
        }
        let looks = self.statistics.reestimate_bn || self.quantization.allocate.is_some();
        let of_images = [
            (self.statistics.calibrate.is_some(), "--calibrate"),
            (self.statistics.calibrate_limit.is_some(), "--calibrate-limit"),
            (self.preprocessing.layout.is_some(), "--layout"),
            (self.statistics.reading.no_exif, "--no-exif"),
        ];
        let given = of_images.into_iter().chain(self.preprocessing.given()).find(|(is_given, _)| *is_given);
        match given.filter(|_| !looks) {
            Some((_, option)) => {
                bail!("{option} is given, and nothing looks at images; --reestimate-bn or --allocate does")
            }
            None => Ok(()),
        }
    }

    /// What is asked for.
    pub fn request(&self) -> Result<CompressRequest, Error> {
        Ok(CompressRequest {
            // What the integers of a file stand for is the file's to say: `--grid` is what is made.
            read: self.graph.read_options(),
            prune: self.pruning.request(),
            find_steps: self.quantization.find_step,
            allocate: self.allocation()?,
            quantize: self.quantization.request()?,
            target_profile: self.quantization.target_profile.clone(),
            reestimate: self.statistics.request(&self.preprocessing, self.strict)?,
            baseline: self.baseline,
            strict: self.strict,
        })
    }

    /// The budget that is shared out among layers, if there is one.
    fn allocation(&self) -> Result<Option<AllocateRequest>, Error> {
        let Some((cost, budget)) = self.quantization.allocate.clone() else { return Ok(None) };
        let images = self.statistics.images(&self.preprocessing, self.strict)?;
        Ok(Some(AllocateRequest {
            cost,
            budget,
            images,
            limit: self.quantization.allocate_images.unwrap_or(ALLOCATE_IMAGES),
        }))
    }
}

/// Which weights become 0.
#[derive(Args)]
#[command(next_help_heading = PRUNING)]
pub struct PruningOptions {
    /// filters=F, width=F, weights=F, N:M, or esn-d=X and other budgets
    ///
    /// F is a fraction from 0 to 1. filters=F prunes that fraction of all filters by signal norm; width=F leaves that fraction of the channels of
    /// every layer; weights=F prunes that fraction of all weights by magnitude; N:M leaves the N largest of every M
    /// neighbours. esn-a=X, esn-d=X, macs=X and parameters=X prune filters until the network costs no more. The option
    /// may be given several times: each pruning is applied to what the one before left.
    #[arg(long, value_name = "HOW", value_parser = pruning)]
    pub prune: Vec<Pruning>,

    /// What competes
    ///
    /// Filters or weights compete with one another over the whole network, or within their layer.
    #[arg(long, value_name = "SCOPE", value_parser = scope(), default_value = "global")]
    pub prune_scope: Scope,

    /// Prune filters whose largest magnitude is below this
    ///
    /// It is a fraction of the largest magnitude of the filter's layer. These filters go first.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub prune_below: Option<f64>,

    /// Remove dead channels from the tensors
    ///
    /// Left out: they stay, as zeros.
    #[arg(long)]
    pub compact: bool,
}

impl PruningOptions {
    /// What is pruned, if anything is.
    pub fn request(&self) -> Option<PruneOptions> {
        if self.prune.is_empty() && self.prune_below.is_none() && !self.compact {
            return None;
        }
        Some(PruneOptions {
            prunings: self.prune.clone(),
            scope: self.prune_scope,
            below: self.prune_below,
            compact: self.compact,
            bits: None,
        })
    }
}

fn scope() -> Words<Scope> {
    words([
        word("global", Scope::Global, "The whole network"),
        word("layer", Scope::Layer, "Each layer, coupled channels together"),
    ])
}

/// Images that a budget is shared out by, where nobody says how many.
const ALLOCATE_IMAGES: usize = 128;

/// Images of --calibrate that are taken, where nobody says how many.
const CALIBRATE_IMAGES: usize = 5000;

/// What asks for quantization; other options only say how it is done. A list and no group: of a group, a message names every
/// member, and not the one that was given.
const ASKS: [&str; 9] = [
    "bits",
    "clip",
    "target_snr",
    "target_esn_a",
    "target_profile",
    "average_bits",
    "esn_d_filter_budget",
    "bias_correction",
    "layer_options",
];

/// How weights are put on a grid.
#[derive(Args)]
#[command(next_help_heading = QUANTIZATION)]
pub struct QuantizationOptions {
    /// Bit width of weights [default: 4 or 16, see --help]
    ///
    /// The default is 4 where steps are chosen by a rule, and at most 16 where a target or a sharing of bits decides.
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,

    /// Levels
    ///
    /// The grid that quantized weights lie on.
    #[arg(long, value_name = "GRID", value_parser = grid(), default_value = "mid-rise")]
    pub grid: Grid,

    /// Look for the grid that real weights already lie on
    ///
    /// Their integers are written. Layers without a step stay real.
    #[arg(long, conflicts_with_all = ASKS)]
    pub find_step: bool,

    /// What shares a step
    ///
    /// Left out: a layer, or a filter where bits are shared out among filters.
    #[arg(long, value_name = "WHAT", value_parser = granularity())]
    pub granularity: Option<Granularity>,

    /// Rule of the step
    ///
    /// How the step of a layer or filter is chosen. Left out: max-abs.
    #[arg(long, value_name = "RULE", value_parser = clip())]
    pub clip: Option<StepRule>,

    /// Choose steps for this signal-to-noise ratio
    ///
    /// The ratio is linear, and holds in every layer.
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with_all = ["clip", "target_esn_a", "target_profile"])]
    pub target_snr: Option<f64>,

    /// Choose steps for this ESN_a of the network
    ///
    /// Every weight is counted once.
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with_all = ["clip", "target_profile"])]
    pub target_esn_a: Option<f64>,

    /// Choose steps for the ESN_a of each layer of FILE
    ///
    /// FILE is another network, or a training trace (.json).
    #[arg(long, value_name = "FILE", conflicts_with = "clip")]
    pub target_profile: Option<PathBuf>,

    /// Share out bits among filters: so many on average
    ///
    /// The average is that of each layer.
    #[arg(long, value_name = "B", allow_negative_numbers = true, conflicts_with = "esn_d_filter_budget")]
    pub average_bits: Option<f64>,

    /// Share out bits among filters: at most this ESN'_d
    ///
    /// The bound is that of the network.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub esn_d_filter_budget: Option<f64>,

    /// Share out a budget among layers: COST=X, as esn-d=3e7
    ///
    /// Each layer is quantized in many ways, and the network's output on images of --calibrate tells how much that matters.
    /// Of all ways that cost no more than X for an image, the one is taken that should move the output least. Costs are those of
    /// `pareto --cost` that quantization changes and that need no hardware: a sum of `proxies --fit`, too, with X in joules. With
    /// --reestimate-bn, statistics are re-estimated before the output is looked at. Levels are those of --grid; nothing else chooses
    /// widths and steps.
    #[arg(long, value_name = "COST=X", value_parser = budget, conflicts_with_all = ASKS)]
    #[arg(conflicts_with_all = ["find_step", "granularity", "first_bits", "last_bits"])]
    pub allocate: Option<(Cost, f64)>,

    /// Images that --allocate looks at
    ///
    /// They are spread evenly over those of --calibrate. Left out: 128.
    #[arg(
        long, value_name = "N", value_parser = at_least_one, requires = "allocate", hide_short_help = true
    )]
    pub allocate_images: Option<usize>,

    /// Quantize some layers in another way, as this TOML file says
    ///
    /// The file has a table [[layers]] for each of them, with `layer`, its name, and any of `bits`, `mid-rise`,
    /// `granularity` and `step`.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub layer_options: Option<PathBuf>,

    /// Restore the norm of each filter's weights
    ///
    /// The shift of its mean is left to --reestimate-bn.
    #[arg(long, hide_short_help = true)]
    pub bias_correction: bool,

    /// Bit width of the first layer, where it is another
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub first_bits: Option<BitWidth>,

    /// Bit width of the last layer, where it is another
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub last_bits: Option<BitWidth>,
}

impl QuantizationOptions {
    /// How weights are quantized, but for the steps of a target profile, which a file has to tell.
    pub fn request(&self) -> Result<QuantizeRequest, Error> {
        Ok(QuantizeRequest {
            bits: self.bits,
            grid: self.grid,
            granularity: self.granularity,
            step: self.step_rule(),
            allocation: self.allocation(),
            bias_correction: self.bias_correction,
            first_bits: self.first_bits,
            last_bits: self.last_bits,
            layers: self.layer_options.as_deref().map_or(Ok(Vec::new()), layer_options)?,
        })
    }

    /// The rule that is given; no two are.
    fn step_rule(&self) -> Option<StepRule> {
        let snr = self.target_snr.map(StepRule::Snr);
        let esn_a = self.target_esn_a.map(StepRule::EsnA);
        snr.or(esn_a).or_else(|| self.clip.clone())
    }

    /// The way of sharing out bits that is given; no two are.
    fn allocation(&self) -> Option<Allocation> {
        let average = self.average_bits.map(Allocation::AverageBits);
        average.or_else(|| self.esn_d_filter_budget.map(Allocation::EsnDFilter))
    }
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

/// New statistics for BatchNorm.
#[derive(Args)]
#[command(next_help_heading = IMAGES)]
pub struct StatisticsOptions {
    /// Re-estimate BatchNorm statistics on these images
    ///
    /// The images are those of --calibrate. Of a folded network, mean and scale of every channel are corrected.
    #[arg(long)]
    pub reestimate_bn: bool,

    /// Images of --reestimate-bn and --allocate, as --images of `simulate`
    ///
    /// Their labels play no part. A folder is sampled evenly over its classes.
    #[arg(long, value_name = "PATH", alias = "images")]
    pub calibrate: Option<PathBuf>,

    /// Use so many of them at most [default: 5000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub calibrate_limit: Option<usize>,

    #[command(flatten)]
    pub reading: ImageReadingOptions,
}

impl StatisticsOptions {
    /// The images whose statistics the compressed network is to have, if it is to have any.
    fn request(&self, preprocessing: &PreprocessingOptions, strict: bool) -> Result<Option<ImageRequest>, Error> {
        self.reestimate_bn.then(|| self.images(preprocessing, strict)).transpose()
    }

    /// The images of --calibrate.
    fn images(&self, preprocessing: &PreprocessingOptions, strict: bool) -> Result<ImageRequest, Error> {
        Ok(ImageRequest {
            path: self.calibrate.clone(),
            limit: Some(self.calibrate_limit.unwrap_or(CALIBRATE_IMAGES)),
            layout: preprocessing.layout,
            choices: self.reading.choices(strict),
            preprocessing: preprocessing.request()?,
            label_offset: Some(0),
            unlabelled: true,
            ..ImageRequest::default()
        })
    }
}
