//! What the result of a point depends on, and the key made of it.

use compress::{PruneOptions, QuantizeOptions};
use formats::images::ArrayLayout;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::key::PointKey;

/// From this bit width on, a pruned network counts as pruned only: the pruned networks of the paper hold 8-bit weights.
pub const PRUNE_ONLY_BITS: u32 = 8;

/// So many characters of a hash tell the networks of one store apart.
const SHORT_KEY: usize = 6;

/// Everything that the result of a point depends on, every default filled in. The order of the fields is part of the
/// key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    /// Layout of the configuration. The number is raised when the same fields would mean something else.
    pub schema: u32,
    /// SHA-256 of the network file, and of weights that lie outside it.
    pub network: String,
    /// How the network is pruned, if it is.
    pub prune: Option<PruneOptions>,
    /// How the network is quantized. None means 4 bits max-abs per layer, or the integers that the file has.
    pub quantize: Option<QuantizeOptions>,
    /// The images that statistics are re-estimated on, if they are.
    pub reestimate: Option<ImagesIdentity>,
    /// The images that accuracy is measured on.
    pub images: Option<ImagesIdentity>,
    /// The hardware descriptions, every default filled in.
    pub hardware: Vec<serde_json::Value>,
    /// Bits of the activations on engines on integers.
    pub activation_bits: u32,
    /// How many images set the ranges of activations.
    pub calibration_images: usize,
    /// Whether analog engines run the images too.
    pub analog_accuracy: bool,
}

/// Which images, and how they become a network's input.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImagesIdentity {
    /// SHA-256 of the file, or of the names and sizes in the folder.
    pub sha256: String,
    /// How many of the images.
    pub images: usize,
    /// The preprocessing, every default filled in.
    pub preprocessing: serde_json::Value,
    /// How the axes of an array lie, where the plan says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<ArrayLayout>,
    /// Whether pictures stay as they are stored, whatever their EXIF orientation says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_orientation: bool,
    /// Whether labels are the coarse ones of CIFAR-100.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coarse_labels: bool,
    /// The output that is scored, where the plan names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Threshold of an output of one number, where the plan gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

/// The paper's three ways to a cheaper network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Not pruned.
    QuantizeOnly,
    /// Pruned, with weights of 8 bits or more.
    PruneOnly,
    /// Pruned, with narrower weights.
    PruneThenQuantize,
}

impl Method {
    /// All of them. A store knows each by its place here.
    pub const ALL: [Method; 3] = [Method::QuantizeOnly, Method::PruneOnly, Method::PruneThenQuantize];

    /// The place in [`Method::ALL`].
    pub fn place(self) -> usize {
        match self {
            Method::QuantizeOnly => 0,
            Method::PruneOnly => 1,
            Method::PruneThenQuantize => 2,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Method::QuantizeOnly => "quantize only",
            Method::PruneOnly => "prune only",
            Method::PruneThenQuantize => "prune, then quantize",
        }
    }
}

impl Configuration {
    /// The canonical form: compact JSON, fields in their order, numbers in the shortest form that reads back.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("configurations out of TOML have a JSON form")
    }

    /// The first 128 bits of the SHA-256 of the canonical form.
    pub fn key(&self) -> PointKey {
        PointKey::of(Sha256::new_with_prefix(self.to_json()))
    }

    /// Which of the paper's three ways it is.
    pub fn method(&self) -> Method {
        let bits = self.quantize.as_ref().map_or(Some(runner::DEFAULT_BITS), QuantizeOptions::nominal_bits);
        match (&self.prune, bits) {
            (None, _) => Method::QuantizeOnly,
            (Some(_), Some(PRUNE_ONLY_BITS..)) => Method::PruneOnly,
            (Some(_), _) => Method::PruneThenQuantize,
        }
    }

    /// The configuration in a few words: `filters 50 %, 4 bits, re-estimated`. Where layers have a way of their own, the words
    /// are those of many points, and characters follow that tell them apart. They are the same on any images.
    pub fn label(&self) -> String {
        let mut words = Vec::new();
        if let Some(prune) = &self.prune {
            words.push(prune.label());
        }
        words.push(self.quantize.as_ref().map_or("as the file has it".to_string(), QuantizeOptions::label));
        if self.reestimate.is_some() {
            words.push("re-estimated".to_string());
        }
        if self.quantize.as_ref().is_some_and(|options| !options.layers.is_empty()) {
            words.push(format!("point {}", &self.way().to_string()[..SHORT_KEY]));
        }
        words.join(", ")
    }

    /// A hash of the network, its pruning and its quantization alone. Points that differ in images or hardware share it.
    fn way(&self) -> PointKey {
        let way = serde_json::to_string(&(&self.network, &self.prune, &self.quantize));
        PointKey::of(Sha256::new_with_prefix(way.expect("configurations out of TOML have a JSON form")))
    }

    /// The layers that are quantized in a way of their own, as JSON; empty where there is none.
    pub fn layers_json(&self) -> String {
        match &self.quantize {
            Some(options) if !options.layers.is_empty() => {
                serde_json::to_string(&options.layers).expect("configurations out of TOML have a JSON form")
            }
            Some(_) | None => String::new(),
        }
    }
}
