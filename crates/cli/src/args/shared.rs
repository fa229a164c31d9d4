//! Options that several commands share, with one meaning.

use std::path::PathBuf;

use clap::Args;
use esn::{BitConvention, BitWidth, Grid};
use esnsim::{Error, ImageRequest, OpenOptions, preprocessing, preprocessing_by_numbers};
use formats::images::Preprocessing;
use formats::{ReadOptions, TfliteKernels};
use network::architectures::Family;

use super::parse::{architecture, at_least_one, bit_width, grid, input_shape, threads};
use super::words::{Words, word, words};

/// Options that `simulate` and `esn` share, with one meaning.
#[derive(Args)]
pub struct CommonOptions {
    /// Bit width of weights that the file holds as real numbers, quantized per layer, mid-rise [default: 4].
    #[arg(long, value_name = "N", value_parser = bit_width)]
    pub bits: Option<BitWidth>,

    /// Bits of a weight of amplitude 0.5: at least one, or none as the paper prints equation (3). Changes the metric
    /// only.
    #[arg(long, value_parser = convention(), default_value = "nonzero-at-least-one")]
    pub bit_convention: BitConvention,

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
    #[arg(long, value_parser = grid())]
    pub grid: Option<Grid>,

    /// The graph that the weights of a file without one belong to: .pt, .pth, .safetensors, .npz.
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    pub architecture: Option<Family>,

    /// Sizes and output positions of the layers of a weight file: a CSV file in the layout of SCALE-Sim.
    #[arg(long, value_name = "FILE", conflicts_with = "architecture")]
    pub topology: Option<PathBuf>,

    /// Look for the grid that real weights already lie on (fake quantization): their codes are then taken as they are.
    /// Layers without one are quantized to --bits, or refused.
    #[arg(long)]
    pub find_step: bool,

    /// Kernels of TFLite whose rounding the integer layers of its files follow.
    #[arg(long, value_parser = kernels(), default_value = "optimized")]
    pub tflite_kernels: TfliteKernels,
}

impl ReadingOptions {
    /// How the network is opened.
    pub fn open_options(&self) -> OpenOptions {
        let read = ReadOptions {
            input_shapes: self.input_shape.clone(),
            grid: self.grid,
            architecture: self.architecture,
            topology: self.topology.clone(),
            tflite_kernels: self.tflite_kernels,
        };
        OpenOptions { read, find_steps: self.find_step }
    }
}

fn convention() -> Words<BitConvention> {
    words([
        word("nonzero-at-least-one", BitConvention::NonzeroAtLeastOne, "One"),
        word("as-printed", BitConvention::AsPrinted, "None"),
    ])
}

fn kernels() -> Words<TfliteKernels> {
    words([
        word("optimized", TfliteKernels::Optimized, "Those that LiteRT runs unless told otherwise (XNNPACK)"),
        word("reference", TfliteKernels::Reference, "Fixed-point multipliers"),
    ])
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

impl InferenceOptions {
    /// The images that are asked for.
    pub fn request(&self) -> Result<ImageRequest, Error> {
        Ok(ImageRequest {
            path: self.images.clone(),
            limit: self.limit,
            preprocessing: self.preprocessing.given()?,
            label_offset: self.label_offset,
        })
    }
}

impl PreprocessingOptions {
    /// What the user says about preprocessing, by a file, a name or numbers.
    pub fn given(&self) -> Result<Option<Preprocessing>, Error> {
        if let Some(word) = &self.preprocess {
            return preprocessing(word).map(Some);
        }
        if self.scale.is_none() && self.mean.is_empty() && self.std.is_empty() {
            return Ok(None);
        }
        preprocessing_by_numbers(self.scale, &self.mean, &self.std).map(Some)
    }
}
