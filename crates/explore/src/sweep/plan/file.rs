//! A plan as it stands in a file: its tables, and the defaults of their keys.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use compress::{Allocation, Granularity, LayerOptions, PruneOptions, Pruning, QuantizeOptions, Scope, StepRule};
use formats::images::{ArrayLayout, ImageChoices};
use runner::Hardware;
use serde::{Deserialize, Serialize};

use crate::sweep::alternatives::{OneOrMany, alternatives};

/// A plan as it stands in a file: the product of its lists, and points of their own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlanFile {
    /// Network files, relative to the plan, or `"embedded"`.
    pub networks: Vec<String>,
    /// The graph, one of [`Family::NAMES`](network::architectures::Family::NAMES), of networks whose files hold weights alone.
    pub architecture: Option<String>,
    /// Hardware descriptions, relative to the plan; `"ideal"` stands for the three ideal engines.
    #[serde(default = "ideal")]
    pub hardware: Vec<String>,
    /// Whether BatchNorm statistics are re-estimated.
    #[serde(default = "not_reestimated")]
    pub reestimate: Vec<bool>,
    /// Bits of the activations on engines on integers, where a network file does not say.
    #[serde(default = "eight_bits")]
    pub activation_bits: u32,
    /// How many images, from the first on, set the ranges of activations where a network file does not.
    #[serde(default = "calibration_images")]
    pub calibration_images: usize,
    /// Whether analog engines run the images too, each for itself.
    #[serde(default)]
    pub analog_accuracy: bool,
    /// What accuracy is measured on; without it only costs are.
    pub images: Option<ImagesEntry>,
    /// What statistics are re-estimated on.
    pub statistics: Option<ImagesEntry>,
    /// How many points of the product are taken; all of them where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<NonZeroU64>,
    /// Where the numbers begin that choose a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How a sample is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<SampleMethod>,
    /// Ways of pruning; none means no pruning.
    #[serde(default)]
    pub prune: Vec<PruneEntry>,
    /// Ways of quantizing; none means 4 bits, or the integers that a file has.
    #[serde(default)]
    pub quantize: Vec<QuantizeEntry>,
    /// Points outside the product.
    #[serde(default)]
    pub point: Vec<PointEntry>,
}

/// How the points of a sample are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleMethod {
    /// Every point of the product is as likely as any other, and none comes twice.
    #[default]
    Random,
    /// Each value of each list comes equally often, give or take one.
    LatinHypercube,
}

/// Images of a plan.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImagesEntry {
    /// A file or folder, relative to the plan, or `"embedded"`.
    pub path: String,
    /// At most so many: the first ones, or evenly over the classes of a folder.
    pub limit: Option<usize>,
    /// A TOML file, relative to the plan, or `unit`, `imagenet`, `none`.
    pub preprocess: Option<String>,
    /// How the axes of an array lie; decided by the network's input where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<ArrayLayout>,
    /// Whether a file that is not read, or a class without a picture, is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Whether pictures are turned as their EXIF orientation says.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub exif: bool,
    /// Whether labels are the coarse ones of CIFAR-100.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coarse_labels: bool,
    /// The output that is scored, where a network has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Threshold of an output of one number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

impl ImagesEntry {
    /// What the plan chooses about how they are read.
    pub(in crate::sweep) fn choices(&self) -> ImageChoices {
        ImageChoices { strict: self.strict, keeps_orientation: !self.exif, coarse_labels: self.coarse_labels }
    }
}

/// Ways of pruning: the product of its lists. Empty: no pruning.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PruneEntry {
    /// Alternatives, one pruning each.
    #[serde(deserialize_with = "alternatives")]
    pub each: Vec<Pruning>,
    /// One alternative: prunings applied in order.
    pub prunings: Vec<Pruning>,
    /// Which filters or weights compete with one another.
    pub scope: OneOrMany<Scope>,
    /// Filters whose largest magnitude is below this fraction of their layer's are pruned too.
    pub below: Option<OneOrMany<f64>>,
    /// Whether dead channels are removed instead of zeroed.
    pub compact: bool,
    /// Width at which a budget of ESN is measured.
    pub bits: Option<u32>,
}

/// Ways of quantizing: the product of its lists.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct QuantizeEntry {
    /// Bit widths.
    pub bits: Option<OneOrMany<u32>>,
    /// Grids.
    pub mid_rise: Option<OneOrMany<bool>>,
    /// What shares a step.
    pub granularity: OneOrMany<Granularity>,
    /// How a step is chosen.
    #[serde(alias = "clip")]
    pub step: OneOrMany<StepRule>,
    /// Bits by filter.
    pub allocation: Option<OneOrMany<Allocation>>,
    /// Whether each filter's quantized weights get the norm back that they had.
    pub bias_correction: OneOrMany<bool>,
    /// Width of the first layer.
    pub first_bits: Option<u32>,
    /// Width of the last layer.
    pub last_bits: Option<u32>,
    /// Layers of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerOptions>,
    /// Bit widths of layers by their names, each a list of the product; `*` stands for every layer that is not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bits_of_layers: BTreeMap<String, OneOrMany<u32>>,
}

/// A point outside the product.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PointEntry {
    /// One of the networks, as the list names it; left out: the first.
    pub network: Option<String>,
    /// How it is pruned.
    #[serde(default)]
    pub prune: PruneOptions,
    /// How it is quantized; left out: 4 bits, or the integers that the file has.
    pub quantize: Option<QuantizeOptions>,
    /// Whether statistics are re-estimated.
    #[serde(default)]
    pub reestimate: bool,
}

fn ideal() -> Vec<String> {
    vec![Hardware::ALL_IDEAL.to_string()]
}

fn not_reestimated() -> Vec<bool> {
    vec![false]
}

pub(super) fn eight_bits() -> u32 {
    8
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

pub(super) fn calibration_images() -> usize {
    64
}
