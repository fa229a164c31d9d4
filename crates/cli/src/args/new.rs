//! Options of `new`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use esnsim::ArchitectureRequest;
use network::architectures::{Family, Fan, Shortcut};

use super::groups::{ARCHITECTURE, OUTPUT};
use super::words::{Words, word, words};

/// Options of `new`.
#[derive(Args)]
pub struct NewOptions {
    /// The network
    ///
    /// ResNet-8 to ResNet-56 are those for CIFAR, ResNet-18 and ResNet-50 those for ImageNet.
    #[arg(value_parser = PossibleValuesParser::new(Family::NAMES))]
    pub network: String,

    /// Factor of all channels
    #[arg(long, value_name = "X", default_value_t = 1.0, help_heading = ARCHITECTURE)]
    pub width: f64,

    /// Outputs of the last layer [default: 10; 1000 for ImageNet]
    #[arg(long, value_name = "N", help_heading = ARCHITECTURE)]
    pub classes: Option<usize>,

    /// Height and width of the image [default: 32; 224 for ImageNet]
    #[arg(long, value_name = "PIXELS", help_heading = ARCHITECTURE)]
    pub input: Option<usize>,

    /// Shortcuts (CIFAR) [default: A]
    ///
    /// How the shortcuts of a ResNet for CIFAR change the number of channels.
    #[arg(long, value_name = "KIND", value_parser = shortcut(), help_heading = ARCHITECTURE)]
    pub shortcut: Option<Shortcut>,

    /// Layers of densenet-bc (L), 6n + 4 [default: 100]
    #[arg(long, value_name = "L", help_heading = ARCHITECTURE)]
    pub depth: Option<usize>,

    /// Channels that each layer of densenet-bc adds (k) [default: 12]
    #[arg(long, value_name = "K", help_heading = ARCHITECTURE)]
    pub growth: Option<usize>,

    /// What the weights are made from; the same seed, the same file
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = ARCHITECTURE)]
    pub seed: u64,

    /// Divisor of the variance
    ///
    /// The variance of the weights is that of He: 2 / inputs of a filter, or 2 / filters that an input feeds.
    #[arg(long, value_name = "FAN", value_parser = fan(), default_value = "in", help_heading = ARCHITECTURE)]
    pub fan: Fan,

    /// The ONNX file to write
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
}

impl NewOptions {
    /// The network that is asked for.
    pub fn request(&self) -> ArchitectureRequest {
        ArchitectureRequest {
            name: self.network.clone(),
            width: self.width,
            classes: self.classes,
            input_size: self.input,
            seed: self.seed,
            fan: self.fan,
            shortcut: self.shortcut,
            depth: self.depth,
            growth: self.growth,
        }
    }
}

fn fan() -> Words<Fan> {
    words([word("in", Fan::In, "Inputs of a filter"), word("out", Fan::Out, "Filters that an input feeds")])
}

fn shortcut() -> Words<Shortcut> {
    words([
        word("A", Shortcut::A, "Every second pixel, zero channels: no weights").alias("a"),
        word("projection", Shortcut::Projection, "A 1x1 convolution where channels change"),
        word(
            "paper",
            Shortcut::Paper,
            "A 1x1 convolution in the first block of every stage, as in \"Prune or quantize?\"",
        ),
    ])
}
