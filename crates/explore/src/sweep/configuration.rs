//! What the result of a point depends on, and the key made of it.

use compress::{
    Allocation, Budget, FilterAmount, Granularity, PruneOptions, Pruning, QuantizeOptions, Scope, StepRule,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// From this width on a pruned network counts as pruned only: the paper's pruned networks hold 8-bit weights.
pub const PRUNE_ONLY_BITS: u32 = 8;

/// Everything that the result of a point depends on, every value resolved. The order of fields is part of the key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    /// Raised when the same configuration would mean something else.
    pub schema: u32,
    /// SHA-256 of the network: of its file, weights outside it included.
    pub network: String,
    /// How it is pruned, if it is.
    pub prune: Option<PruneOptions>,
    /// How it is quantized; none: 4 bits max-abs per layer, or the integers that the file has.
    pub quantize: Option<QuantizeOptions>,
    /// The images that statistics are re-estimated on, if they are.
    pub reestimate: Option<ImagesIdentity>,
    /// The images that accuracy is measured on.
    pub images: Option<ImagesIdentity>,
    /// Each description with every value resolved.
    pub hardware: Vec<serde_json::Value>,
    /// Bits of activations.
    pub activation_bits: u32,
    /// Images that set ranges.
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
    /// How many of them.
    pub images: usize,
    /// Every value resolved.
    pub preprocessing: serde_json::Value,
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

    /// The first 128 bits of the SHA-256 of the canonical form, in hexadecimal.
    pub fn key(&self) -> String {
        let digest = Sha256::digest(self.to_json().as_bytes());
        hex(&digest[..16])
    }

    /// Which of the paper's three ways it is.
    pub fn method(&self) -> Method {
        let bits = self.quantize.as_ref().map_or(runner::DEFAULT_BITS, widest);
        match (&self.prune, bits) {
            (None, _) => Method::QuantizeOnly,
            (Some(_), PRUNE_ONLY_BITS..) => Method::PruneOnly,
            (Some(_), _) => Method::PruneThenQuantize,
        }
    }

    /// The configuration in a few words: `filters 50 %, 4 bits, re-estimated`.
    pub fn label(&self) -> String {
        let mut words = Vec::new();
        if let Some(prune) = &self.prune {
            words.push(prune_label(prune));
        }
        words.push(self.quantize.as_ref().map_or("as the file has it".to_string(), quantize_label));
        if self.reestimate.is_some() {
            words.push("re-estimated".to_string());
        }
        words.join(", ")
    }
}

/// Bits of the weights, which an allocation by filter overrules.
fn widest(options: &QuantizeOptions) -> u32 {
    match options.allocation {
        Some(Allocation::AverageBits(bits)) => bits.round() as u32,
        _ => options.bits,
    }
}

fn prune_label(options: &PruneOptions) -> String {
    let mut words: Vec<String> = options.prunings.iter().map(pruning_label).collect();
    if options.scope == Scope::Layer {
        words.push("per layer".to_string());
    }
    if let Some(below) = options.below {
        words.push(format!("below {}", percent(below)));
    }
    words.join(" ")
}

fn pruning_label(pruning: &Pruning) -> String {
    match pruning {
        Pruning::Filters(FilterAmount::Fraction(fraction)) => format!("filters −{}", percent(*fraction)),
        Pruning::Filters(FilterAmount::Width(width)) => format!("width {width}×"),
        Pruning::Filters(FilterAmount::Budget(budget)) => match budget {
            Budget::EsnA(budget) => format!("filters to ESN_a {budget:e}"),
            Budget::EsnD(budget) => format!("filters to ESN_d {budget:e}"),
            Budget::Macs(budget) => format!("filters to {budget:e} MACs"),
            Budget::Parameters(budget) => format!("filters to {budget:e} weights"),
        },
        Pruning::Weights(fraction) => format!("weights −{}", percent(*fraction)),
        Pruning::Pattern { keep, of } => format!("pattern {keep}:{of}"),
    }
}

fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e4).round() / 1e2)
}

fn quantize_label(options: &QuantizeOptions) -> String {
    let mut words = match options.allocation {
        None if options.bits == 1 => "1 bit".to_string(),
        None => format!("{} bits", options.bits),
        Some(Allocation::AverageBits(bits)) => format!("{bits} bits on average"),
        Some(Allocation::EsnDFilter(budget)) => format!("ESN'_d {budget:e}"),
    };
    if options.granularity == Granularity::Filter {
        words += " per filter";
    }
    match &options.step {
        StepRule::MaxAbs => {}
        StepRule::Mse => words += " mse",
        StepRule::Laplace => words += " Laplace",
        StepRule::Gauss => words += " Gauss",
        StepRule::Snr(ratio) => words += &format!(" S/N {ratio}"),
        StepRule::EsnA(target) => words += &format!(" ESN_a {target:e}"),
        StepRule::EsnAProfile(_) => words += " ESN_a profile",
    }
    if !options.mid_rise {
        words += " mid-tread";
    }
    if options.bias_correction {
        words += " bias-corrected";
    }
    for (what, bits) in [("first", options.first_bits), ("last", options.last_bits)] {
        words += &bits.map_or(String::new(), |bits| format!(" {what} {bits}"));
    }
    words
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
