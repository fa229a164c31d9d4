//! Plans of sweeps: TOML files. `docs/sweep.md` documents every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use compress::{
    Allocation, FilterAmount, Granularity, LayerOptions, PruneOptions, Pruning, QuantizeOptions, Scope, StepRule,
};
use esn::BitWidth;
use formats::images::{ArrayLayout, ImageChoices};
use formats::toml_problem;
use network::architectures::Family;
use network::{LayerId, Network};
use runner::Hardware;
use serde::{Deserialize, Serialize};

use super::alternatives::{OneOrMany, alternatives};
use crate::error::ExploreError;

/// The word in a plan for what comes with the program: the digits network, or its images.
pub const EMBEDDED: &str = "embedded";

/// Points of a plan: what a process can count through.
pub(super) const MAX_POINTS: u64 = 10_000_000;

/// Every layer that `bits-of-layers` does not name.
const EVERY_OTHER: &str = "*";

/// The largest plan that is read: a document people write by hand is far smaller.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A plan as it stands in a file: the product of its lists, and points of their own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlanFile {
    /// Network files, relative to the plan, or `"embedded"`.
    pub networks: Vec<String>,
    /// The graph, one of [`Family::NAMES`], of networks whose files hold weights alone.
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
    pub sample: Option<u64>,
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

/// What a description of hardware has and no plan.
#[derive(Deserialize)]
struct DescriptionOfHardware {
    #[serde(rename = "engine")]
    _engine: String,
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
    pub(super) fn choices(&self) -> ImageChoices {
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

fn eight_bits() -> u32 {
    8
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn calibration_images() -> usize {
    64
}

/// A plan and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file; paths in it are relative to its folder.
    pub path: PathBuf,
    /// What it says, defaults filled in.
    pub file: PlanFile,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Io`] if the file cannot be read; [`ExploreError::Plan`] names the file, the key, what was
    /// expected and what was found.
    pub fn read(path: &Path) -> Result<Self, ExploreError> {
        let unread = |source| ExploreError::Io { path: path.to_path_buf(), source };
        let metadata = fs::metadata(path).map_err(unread)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return Err(problem(path, format!("expected a TOML file of at most {MAX_FILE_BYTES} bytes")));
        }
        let text = String::from_utf8(fs::read(path).map_err(unread)?)
            .map_err(|_| problem(path, "it is no text; expected a plan in TOML"))?;
        Self::parse(path, &text)
    }

    /// Reads a plan from a text; `path` stands for it in messages, and its folder is where relative paths start.
    ///
    /// # Errors
    ///
    /// As [`Plan::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ExploreError> {
        if toml::from_str::<DescriptionOfHardware>(text).is_ok() {
            return Err(problem(path, "it is a description of hardware, which a plan names in its list hardware"));
        }
        let file: PlanFile = toml::from_str(text).map_err(|e| problem(path, toml_problem(&e, text)))?;
        file.check().map_err(|words| problem(path, words))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// A path that the plan names.
    pub fn locate(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Where the paths that it names begin.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Everything the plan says as JSON, defaults filled in.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.file).expect("a plan out of TOML has a JSON form")
    }
}

pub(super) fn problem(path: &Path, problem: impl Into<String>) -> ExploreError {
    ExploreError::Plan { path: path.to_path_buf(), problem: problem.into() }
}

/// The error of a file that a plan names.
pub(super) fn named(plan: &Plan, path: &Path, source: io::Error) -> ExploreError {
    ExploreError::Named { plan: plan.path.clone(), path: path.to_path_buf(), source }
}

impl PlanFile {
    fn check(&self) -> Result<(), String> {
        if self.networks.is_empty() {
            return Err("networks is empty; expected network files, or \"embedded\"".to_string());
        }
        if let Some(name) = self.architecture.as_ref().filter(|name| Family::named(name).is_none()) {
            return Err(format!("architecture is {name:?}; expected one of {}", Family::NAMES.join(", ")));
        }
        if self.hardware.is_empty() || self.reestimate.is_empty() {
            return Err("hardware and reestimate may be left out, but not be empty".to_string());
        }
        if !(1..=16).contains(&self.activation_bits) {
            return Err(format!("activation-bits is {}; expected 1 to 16", self.activation_bits));
        }
        if self.calibration_images == 0 {
            return Err("calibration-images is 0; expected at least 1".to_string());
        }
        let of_images = [
            (self.activation_bits != eight_bits(), "activation-bits"),
            (self.calibration_images != calibration_images(), "calibration-images"),
            (self.analog_accuracy, "analog-accuracy"),
        ];
        let idle = of_images.into_iter().find(|(is_given, _)| *is_given && self.images.is_none());
        if let Some((_, key)) = idle {
            return Err(format!(
                "{key} is for runs on images, and there are none: a table [images] with a path has some"
            ));
        }
        if let Some(images) = self.images.iter().chain(&self.statistics).find(|images| images.limit == Some(0)) {
            return Err(format!("limit of {} is 0; expected at least 1", images.path));
        }
        if self.reestimate.contains(&true) {
            check_statistics(self.statistics.is_some())?;
        }
        self.check_sample()?;
        self.prune.iter().try_for_each(PruneEntry::check)?;
        self.quantize.iter().try_for_each(QuantizeEntry::check)?;
        self.point.iter().try_for_each(|point| point.check(&self.networks, self.statistics.is_some()))
    }
}

impl PlanFile {
    fn check_sample(&self) -> Result<(), String> {
        match self.sample {
            None if self.seed.is_some() => Err("seed is for a sample: sample = 1000 takes so many points".to_string()),
            None if self.method.is_some() => {
                Err("method is for a sample: sample = 1000 takes so many points".to_string())
            }
            Some(sample) if !(1..=MAX_POINTS).contains(&sample) => {
                Err(format!("sample is {sample}; expected 1 to {MAX_POINTS}"))
            }
            None | Some(_) => Ok(()),
        }
    }
}

impl PruneEntry {
    fn check(&self) -> Result<(), String> {
        if !self.each.is_empty() && !self.prunings.is_empty() {
            return Err("prune: each lists alternatives, prunings one after another; expected one of them".to_string());
        }
        self.each.iter().chain(&self.prunings).try_for_each(check_pruning)?;
        check_width("prune.bits", self.bits)?;
        self.below.iter().flat_map(|below| &below.0).try_for_each(|&below| check_fraction("below", below))
    }

    /// How many alternatives each list has, the outermost first.
    pub(super) fn axes(&self) -> Vec<usize> {
        let belows = self.below.as_ref().map_or(1, |below| below.0.len());
        vec![self.each.len().max(1), self.scope.0.len(), belows]
    }

    /// The alternative at these places of [`PruneEntry::axes`]; none stands for no pruning.
    pub(super) fn at(&self, places: &[usize]) -> Option<PruneOptions> {
        let prunings = match self.each.get(places[0]) {
            Some(&pruning) => vec![pruning],
            None => self.prunings.clone(),
        };
        let below = self.below.as_ref().map(|below| below.0[places[2]]);
        normal(PruneOptions { prunings, scope: self.scope.0[places[1]], below, compact: self.compact, bits: self.bits })
    }
}

/// Options that prune nothing are no pruning.
pub(super) fn normal(options: PruneOptions) -> Option<PruneOptions> {
    (!options.prunings.is_empty() || options.below.is_some()).then_some(options)
}

impl QuantizeEntry {
    fn check(&self) -> Result<(), String> {
        let bits = self.bits.iter().flat_map(|bits| &bits.0).copied().map(Some);
        let own = self.layers.iter().map(|layer| layer.bits);
        bits.chain([self.first_bits, self.last_bits])
            .chain(own)
            .try_for_each(|bits| check_width("quantize.bits", bits))?;
        for (name, widths) in &self.bits_of_layers {
            let key = format!("quantize.bits-of-layers, {name}");
            widths.0.iter().try_for_each(|&bits| check_width(&key, Some(bits)))?;
            if self.layers.iter().any(|own| own.layer == *name && own.bits.is_some()) {
                return Err(format!("{key}: the layer has bits in layers, too; expected one of them"));
            }
        }
        Ok(())
    }

    /// How many alternatives each list has, the outermost first. `layers` are those that the widths of layers are of.
    pub(super) fn axes(&self, layers: &[LayerWidths]) -> Vec<usize> {
        let own = [
            self.granularity.0.len(),
            self.step.0.len(),
            self.allocation.as_ref().map_or(1, |list| list.0.len()),
            self.bias_correction.0.len(),
            self.mid_rise.as_ref().map_or(1, |list| list.0.len()),
            self.bits.as_ref().map_or(1, |list| list.0.len()),
        ];
        own.into_iter().chain(layers.iter().map(|layer| layer.bits.len())).collect()
    }

    /// The alternative at these places of [`QuantizeEntry::axes`].
    pub(super) fn at(&self, layers: &[LayerWidths], places: &[usize]) -> QuantizeOptions {
        let default = QuantizeOptions::default();
        let mut options = QuantizeOptions {
            granularity: self.granularity.0[places[0]],
            step: self.step.0[places[1]].clone(),
            allocation: self.allocation.as_ref().map(|list| list.0[places[2]]),
            bias_correction: self.bias_correction.0[places[3]],
            mid_rise: self.mid_rise.as_ref().map_or(default.mid_rise, |list| list.0[places[4]]),
            bits: self.bits.as_ref().map_or(default.bits, |list| list.0[places[5]]),
            first_bits: self.first_bits,
            last_bits: self.last_bits,
            layers: self.layers.clone(),
        };
        for (layer, &place) in layers.iter().zip(&places[6..]) {
            let bits = Some(layer.bits[place]);
            match options.layers.iter_mut().find(|own| own.layer == layer.name) {
                Some(own) => own.bits = bits,
                None => {
                    options.layers.push(LayerOptions { layer: layer.name.clone(), bits, ..LayerOptions::default() })
                }
            }
        }
        options
    }

    /// The widths that layers of a network get by their names, in the order of its layers.
    ///
    /// # Errors
    ///
    /// A name that no layer has.
    pub(super) fn widths_of(&self, network: &Network) -> Result<Vec<LayerWidths>, String> {
        let layers = network.layers();
        let missing = |name: &&String| *name != EVERY_OTHER && !layers.iter().any(|layer| layer.name == **name);
        if let Some(name) = self.bits_of_layers.keys().find(missing) {
            let some: Vec<&str> = layers.iter().take(3).map(|layer| layer.name.as_str()).collect();
            return Err(format!(
                "quantize.bits-of-layers: there is no layer {name:?}; the network's {} layers begin with {}",
                layers.len(),
                some.join(", ")
            ));
        }
        let has_own_bits = |name: &str| self.layers.iter().any(|own| own.layer == name && own.bits.is_some());
        let others = self.bits_of_layers.get(EVERY_OTHER);
        let widths = layers.iter().enumerate().filter_map(|(index, layer)| {
            let first = network.shares_weights_with(LayerId(index)).is_none() && !has_own_bits(&layer.name);
            let bits = self.bits_of_layers.get(&layer.name).or(others.filter(|_| first))?;
            Some(LayerWidths { name: layer.name.clone(), bits: bits.0.clone() })
        });
        Ok(widths.collect())
    }
}

/// The widths that one layer may have.
#[derive(Clone, Debug)]
pub(super) struct LayerWidths {
    name: String,
    bits: Vec<u32>,
}

fn check_statistics(are_there: bool) -> Result<(), String> {
    match are_there {
        true => Ok(()),
        false => Err("reestimate needs images: a table [statistics] with a path".to_string()),
    }
}

impl PointEntry {
    /// Checks the point of a plan with these networks, and images for statistics or not.
    pub(super) fn check(&self, networks: &[String], has_statistics: bool) -> Result<(), String> {
        if self.reestimate {
            check_statistics(has_statistics)?;
        }
        if let Some(network) = self.network.as_ref().filter(|network| !networks.contains(network)) {
            return Err(format!("point: network {network:?} is not in networks"));
        }
        self.prune.prunings.iter().try_for_each(check_pruning)?;
        if let Some(below) = self.prune.below {
            check_fraction("below", below)?;
        }
        check_width("quantize.bits", self.quantize.as_ref().map(|quantize| quantize.bits))
    }
}

fn check_pruning(pruning: &Pruning) -> Result<(), String> {
    match *pruning {
        Pruning::Filters(FilterAmount::Fraction(fraction)) => check_fraction("filters.fraction", fraction),
        Pruning::Filters(FilterAmount::Width(width)) => check_fraction("filters.width", width),
        Pruning::Filters(FilterAmount::Budget(_)) => Ok(()),
        Pruning::Weights(fraction) => check_fraction("weights", fraction),
        Pruning::Pattern { keep, of } if keep == 0 || keep > of => {
            Err(format!("pattern keeps {keep} of {of}; expected at least 1 and at most all"))
        }
        Pruning::Pattern { .. } => Ok(()),
    }
}

fn check_fraction(key: &str, fraction: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&fraction) { Ok(()) } else { Err(format!("{key} is {fraction}; expected 0 to 1")) }
}

fn check_width(key: &str, bits: Option<u32>) -> Result<(), String> {
    bits.map_or(Ok(()), |bits| BitWidth::new(bits).map(|_| ()).map_err(|e| format!("{key}: {e}")))
}
