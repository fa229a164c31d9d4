//! Options that several commands share, each defined once, with one meaning.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use esn::{BitConvention, BitWidth, Grid};
use esnsim::{Error, ImageRequest, OpenOptions, preprocessing, preprocessing_by_numbers};
use formats::images::{ArrayLayout, ImageChoices, Preprocessing};
use formats::{BatchAxis, ReadOptions, TfliteKernels};
use network::Synthetic;
use network::architectures::Family;

use super::groups::{GENERAL, HARDWARE, IMAGES, NETWORK, OUTPUT, QUANTIZATION};
use super::parse::{architecture, at_least_one, bit_width, grid, input_shape, sparsity, threads, whole};
use super::words::{Words, word, words};

/// Images whose activations set the ranges, where nobody says how many.
const CALIBRATION_IMAGES: usize = 64;

/// What the file of a network does not say about its graph.
#[derive(Args)]
#[command(next_help_heading = NETWORK)]
pub struct GraphOptions {
    /// Shape of an input that the file leaves open, as x=1,3,224,224
    ///
    /// The name is that of the input; `inspect` shows it. The option may be given several times.
    #[arg(long, value_name = "NAME=SHAPE", value_parser = input_shape)]
    pub input_shape: Vec<(String, Vec<usize>)>,

    /// Graph of weights that have none: resnet20, vgg7, …
    ///
    /// Files with weights and no graph are .pt, .pth, .safetensors and .npz. The names of graphs are those that `new`
    /// makes: `new --help` lists them.
    #[arg(long, value_name = "NAME", value_parser = architecture(), hide_possible_values = true)]
    pub architecture: Option<Family>,

    /// What the first axis of the network's input is
    ///
    /// Costs are those of one image. A first axis of tokens or frames is no batch: with none, costs are those of a run of the
    /// graph. Where an LSTM, GRU or RNN reads the input, the axis of its sequences stands for the first.
    #[arg(long, value_name = "AXIS", value_parser = batch_axis(), default_value = "first", hide_short_help = true)]
    pub batch_axis: BatchAxis,

    /// Table of operators that are not known (TOML)
    ///
    /// It says which layer is in an operator of an ONNX file, so that the costs have it: docs/networks.md describes the
    /// table.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub operators: Option<PathBuf>,

    /// Which of several networks in a weight file is taken
    ///
    /// NAME is the key or the module that its tensors stand under, as encoder_k or ema. Left out: copies of one network,
    /// such as averages and teachers, are left out with a note.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub state: Option<String>,

    /// Tensors of a weight file that are layers, as *.proj.weight
    ///
    /// A pattern of names: * stands for any text, ? for any character. The option may be given several times. Left out:
    /// names and shapes decide.
    #[arg(long, value_name = "PATTERN", conflicts_with = "architecture", hide_short_help = true)]
    pub layers: Vec<String>,
}

impl GraphOptions {
    /// How the file is read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            input_shapes: self.input_shape.clone(),
            batch_axis: self.batch_axis,
            architecture: self.architecture,
            operators: self.operators.clone(),
            state: self.state.clone(),
            layers: self.layers.clone(),
            ..ReadOptions::default()
        }
    }
}

/// How network files are read.
#[derive(Args)]
#[command(next_help_heading = NETWORK)]
pub struct ReadingOptions {
    #[command(flatten)]
    pub graph: GraphOptions,

    /// Sizes of the layers of a weight file, as CSV of SCALE-Sim
    ///
    /// A topology file gives the size and the output positions of every layer. It takes the place of a graph where costs
    /// alone are asked for. Without a network it is one by itself, of layers whose weights have no values.
    #[arg(long, value_name = "FILE", conflicts_with = "architecture")]
    pub topology: Option<PathBuf>,

    /// Grid of integer weights
    ///
    /// The levels that the integers of quantized weights stand for. Left out: the grid that the file names, else
    /// mid-tread.
    #[arg(long, value_name = "GRID", value_parser = grid())]
    pub grid: Option<Grid>,

    /// Look for the grid that real weights already lie on
    ///
    /// Weights of fake quantization are real numbers on a grid. Their codes are taken as they are where a step is found.
    /// Layers without a step are quantized to --bits, or refused where that is left out.
    #[arg(long)]
    pub find_step: bool,

    /// Kernels of TFLite whose rounding is followed
    ///
    /// Integer layers of a TFLite file round as these kernels do.
    #[arg(long, value_name = "KERNELS", value_parser = kernels(), default_value = "optimized")]
    pub tflite_kernels: TfliteKernels,
}

impl ReadingOptions {
    /// The files that are read beside the network's.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.topology.iter().chain(&self.graph.operators)
    }

    /// Whether the embedded network is meant where this file is.
    pub fn is_embedded(&self, network: Option<&Path>) -> bool {
        network.is_none() && self.topology.is_none()
    }

    /// How `network` is opened, or without one the topology or the embedded network. Of several networks, some may be weights alone and
    /// others not, so that an architecture is for the former.
    pub fn request(&self, of_several: bool) -> OpenOptions {
        let read = ReadOptions {
            grid: self.grid,
            topology: self.topology.clone(),
            tflite_kernels: self.tflite_kernels,
            passes_over_needless: of_several,
            ..self.graph.read_options()
        };
        OpenOptions { read, find_steps: self.find_step, synthetic: None }
    }
}

/// Weights for networks whose file has none.
#[derive(Args)]
#[command(next_help_heading = NETWORK)]
pub struct SyntheticOptions {
    /// Draw weights that the file has no values of, from this seed
    ///
    /// They are normal numbers of the deviation of He et al., or integers where the file quantizes them. A weight depends
    /// on the seed, the name of its tensor and its place. Every output says that weights are synthetic. No images run on
    /// them.
    #[arg(long, value_name = "SEED", conflicts_with = "find_step", hide_short_help = true)]
    pub synthetic_weights: Option<u64>,

    /// Make such weights 0 with this probability
    #[arg(
        long,
        value_name = "FRACTION",
        requires = "synthetic_weights",
        value_parser = sparsity,
        default_value = "0",
        hide_short_help = true
    )]
    pub synthetic_sparsity: f64,
}

impl SyntheticOptions {
    /// How weights are drawn, if they are.
    pub fn request(&self) -> Option<Synthetic> {
        let seed = self.synthetic_weights?;
        Some(Synthetic::new(seed, self.synthetic_sparsity).expect("its parser has checked the sparsity"))
    }
}

fn batch_axis() -> Words<BatchAxis> {
    words([
        word("first", BatchAxis::First, "A batch: an extent of 8 are 8 images"),
        word("none", BatchAxis::None, "No batch, but a part of the input"),
    ])
}

fn kernels() -> Words<TfliteKernels> {
    words([
        word("optimized", TfliteKernels::Optimized, "Those that LiteRT runs unless told otherwise (XNNPACK)"),
        word("reference", TfliteKernels::Reference, "Fixed-point multipliers"),
    ])
}

/// How wide weights are.
#[derive(Args)]
#[command(next_help_heading = QUANTIZATION)]
pub struct WidthOptions {
    /// Bits of weights that the file holds as real numbers [default: 4]
    ///
    /// Such weights are quantized per layer, mid-rise, with the step from the largest magnitude. A file of integers
    /// refuses the option.
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,
}

/// How the metric counts.
#[derive(Args)]
#[command(next_help_heading = QUANTIZATION)]
pub struct MetricOptions {
    /// Bits of weights that the file holds as real numbers [default: 4]
    ///
    /// Such weights are quantized per layer, mid-rise, with the step from the largest magnitude. A file of integers
    /// refuses the option; beside others it stays as it is. Several widths, as 2,3,4,8, give a row each. Of several networks the
    /// default is 8: in so many bits a network usually runs before it is compressed.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = bit_width)]
    pub bits: Vec<BitWidth>,

    /// Bits of a weight of amplitude 0.5
    ///
    /// A circuit needs one bit for the sign of such a weight; equation (3), as the paper prints it, counts none. The
    /// option changes the metric only, so that as-printed makes the check read a gap.
    #[arg(
        long,
        value_name = "RULE",
        value_parser = convention(),
        default_value = "nonzero-at-least-one"
    )]
    pub bit_convention: BitConvention,
}

fn convention() -> Words<BitConvention> {
    words([
        word("nonzero-at-least-one", BitConvention::NonzeroAtLeastOne, "One"),
        word("as-printed", BitConvention::AsPrinted, "None"),
    ])
}

/// Which hardware there is.
#[derive(Args)]
#[command(next_help_heading = HARDWARE)]
pub struct HardwareOptions {
    /// Description (TOML) or name of a preset; several are compared
    ///
    /// The option may be given several times. `simulate --hardware list` names the presets; `ideal` stands for the three
    /// ideal engines. Left out: these three; of `landscape`, every preset as well.
    #[arg(long = "hardware", value_name = "TOML|NAME")]
    pub descriptions: Vec<PathBuf>,
}

impl HardwareOptions {
    /// Asks for the names of the presets.
    const LIST: &str = "list";

    /// Whether the names of the presets are asked for, and no run.
    pub fn asks_for_names(&self) -> bool {
        self.descriptions.iter().any(|name| name.as_os_str() == Self::LIST)
    }
}

/// A table of layers as a file.
#[derive(Args)]
#[command(next_help_heading = OUTPUT)]
pub struct LayerTableOptions {
    /// Write one row per layer as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// How a command uses the machine that it runs on.
#[derive(Args)]
#[command(next_help_heading = GENERAL)]
pub struct ThreadOptions {
    /// Worker threads [default: one a core]
    ///
    /// Results do not depend on their number.
    #[arg(long = "threads", value_name = "N", value_parser = threads)]
    pub count: Option<usize>,
}

/// What inference runs on.
#[derive(Args)]
#[command(next_help_heading = IMAGES)]
pub struct InferenceOptions {
    /// Images: folder, CIFAR or MNIST file, tar, CSV, .npy or .npz
    ///
    /// The content of a file says which it is. A folder holds one folder for each class, with pictures at any depth. A manifest has the columns file and label. The embedded network runs on
    /// its own images where the option is left out.
    #[arg(long, value_name = "PATH")]
    pub images: Option<PathBuf>,

    /// Use so many images at most
    ///
    /// They are the first ones, or those of a folder evenly over its classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,

    /// Refuse images of which some would be passed over
    ///
    /// A folder may hold files that are no pictures, or of a format that is not read, and classes without a picture. A note
    /// counts them; with this option they are an error.
    #[arg(long, hide_short_help = true)]
    pub strict: bool,

    #[command(flatten)]
    pub reading: ImageReadingOptions,

    #[command(flatten)]
    pub preprocessing: PreprocessingOptions,

    /// Add this to the labels of images [default: 0, or 1, see --help]
    ///
    /// The default is 1 for a network of 1,001 outputs and labels below 1,000, else 0.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub label_offset: Option<i64>,

    /// Take the coarse labels of CIFAR-100, of 20 classes
    ///
    /// CIFAR-100 has two labels for each image. Left out: the fine ones, of 100 classes.
    #[arg(long, hide_short_help = true)]
    pub coarse_labels: bool,

    /// Bits of activations on integer engines
    ///
    /// They hold where the file does not quantize activations.
    /// Left out: 8.
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=16))]
    pub activation_bits: Option<u32>,

    /// Images whose activations set the ranges [default: 64]
    ///
    /// They are the first ones, and set the ranges where the file does not.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub calibration_images: Option<usize>,

    /// Leave the float network out
    ///
    /// The run is faster, but has neither agreement nor noise.
    #[arg(long)]
    pub no_float: bool,
}

/// How images are read.
#[derive(Args)]
#[command(next_help_heading = IMAGES)]
pub struct ImageReadingOptions {
    /// Leave pictures as they are stored, whatever their EXIF orientation says
    ///
    /// Pictures of cameras may have to be turned. They are, as Pillow's exif_transpose turns them; torchvision leaves them
    /// as they are stored.
    #[arg(long, hide_short_help = true)]
    pub no_exif: bool,
}

impl ImageReadingOptions {
    /// What is chosen; `strict` where a file that is not read is an error.
    pub fn choices(&self, strict: bool) -> ImageChoices {
        ImageChoices { strict, keeps_orientation: self.no_exif, ..ImageChoices::default() }
    }
}

/// What is done to images before a network sees them.
#[derive(Args)]
#[command(next_help_heading = IMAGES)]
pub struct PreprocessingOptions {
    /// TOML, unit, imagenet or none; or --scale, --mean, --std
    ///
    /// What becomes of pixels before the network sees them: a TOML file, or the name of a usual preprocessing. Left out:
    /// NET.preprocess.toml beside the network, else `unit`, pixels / 255; an integer input takes the bytes as they are.
    #[arg(long, value_name = "TOML|NAME", conflicts_with_all = ["scale", "mean", "std"])]
    pub preprocess: Option<PathBuf>,

    /// How the axes of an array lie: channels-first, channels-last or as-is
    ///
    /// The first axis of a .npy or .npz counts its examples. Left out: as the network's input, or with the channels at the
    /// other end where only that fits; what fits in two ways is refused.
    #[arg(long, value_name = "WORD", value_parser = layouts(), hide_short_help = true)]
    pub layout: Option<ArrayLayout>,

    /// Divide pixels by this before mean and std
    #[arg(long, value_name = "X", allow_negative_numbers = true, hide_short_help = true)]
    pub scale: Option<f32>,

    /// Subtract this from each channel, after scaling: one number, or one each
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true, hide_short_help = true)]
    pub mean: Vec<f32>,

    /// Divide each channel by this, after the mean: one number, or one each
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_negative_numbers = true, hide_short_help = true)]
    pub std: Vec<f32>,
}

impl InferenceOptions {
    /// An option that is given and has no images that it could be for. The embedded network has some, as an array.
    pub fn without_images(&self, embedded: bool) -> Option<&'static str> {
        if self.images.is_some() {
            return None;
        }
        let of_files = [
            (self.preprocessing.layout.is_some(), "--layout"),
            (self.coarse_labels, "--coarse-labels"),
            (self.strict, "--strict"),
            (self.reading.no_exif, "--no-exif"),
        ];
        let of_any = [
            (self.limit.is_some(), "--limit"),
            (self.activation_bits.is_some(), "--activation-bits"),
            (self.calibration_images.is_some(), "--calibration-images"),
            (self.label_offset.is_some(), "--label-offset"),
            (self.no_float, "--no-float"),
        ];
        let of_any = of_any.into_iter().chain(self.preprocessing.given()).filter(|_| !embedded);
        of_files.into_iter().chain(of_any).find_map(|(is_given, option)| is_given.then_some(option))
    }

    /// Bits of activations.
    pub fn activation_bits(&self) -> u32 {
        self.activation_bits.unwrap_or(8)
    }

    /// Images whose activations set the ranges.
    pub fn calibration_images(&self) -> usize {
        self.calibration_images.unwrap_or(CALIBRATION_IMAGES)
    }

    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.images.iter().chain(self.preprocessing.files())
    }

    /// The images that are asked for; those of the embedded network may be left unsaid.
    pub fn request(&self, embedded: bool) -> anyhow::Result<ImageRequest> {
        if let Some(option) = self.without_images(embedded) {
            bail!("{option} needs --images");
        }
        Ok(ImageRequest {
            path: self.images.clone(),
            limit: self.limit,
            layout: self.preprocessing.layout,
            choices: ImageChoices { coarse_labels: self.coarse_labels, ..self.reading.choices(self.strict) },
            preprocessing: self.preprocessing.request()?,
            label_offset: self.label_offset,
            ..ImageRequest::default()
        })
    }
}

/// The words of `--layout`, and what they are called of pictures and of signals.
fn layouts() -> Words<ArrayLayout> {
    let first = word("channels-first", ArrayLayout::ChannelsFirst, "[examples, channels, …]; also nchw, ncw");
    let last = word("channels-last", ArrayLayout::ChannelsLast, "[examples, …, channels]; also nhwc, nwc");
    words([
        first.alias("nchw").alias("ncw"),
        last.alias("nhwc").alias("nwc"),
        word("as-is", ArrayLayout::AsIs, "The axes of the network's input, whichever they are"),
    ])
}

impl PreprocessingOptions {
    /// The options that say what becomes of pixels, and which of them are given.
    pub fn given(&self) -> [(bool, &'static str); 4] {
        [
            (self.preprocess.is_some(), "--preprocess"),
            (self.scale.is_some(), "--scale"),
            (!self.mean.is_empty(), "--mean"),
            (!self.std.is_empty(), "--std"),
        ]
    }

    /// The file that is read, if one is.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.preprocess.iter()
    }

    /// What the user says about preprocessing, by a file, a name or numbers.
    pub fn request(&self) -> Result<Option<Preprocessing>, Error> {
        if let Some(word) = &self.preprocess {
            return preprocessing(word).map(Some);
        }
        if self.scale.is_none() && self.mean.is_empty() && self.std.is_empty() {
            return Ok(None);
        }
        preprocessing_by_numbers(self.scale, &self.mean, &self.std).map(Some)
    }
}
