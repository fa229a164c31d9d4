//! The networks of the paper, and a few of their families, made from nothing.
//!
//! [`build()`] makes a [`Network`] as a reader would: every shape known, BatchNorm kept, the batch open. Weights are He-normal
//! from a seed, so that a network exists before anyone has trained it: its costs are those of the trained one, and a trained
//! checkpoint without a graph can be put into it. Names of parameters are therefore those of the usual PyTorch code
//! (`layer1.0.conv1.weight`, `bn1.running_mean`).
//!
//! Left out: training, dropout, and the other members of each family.

mod builder;
mod densenet;
mod resnet;
mod vgg;

use thiserror::Error;

use crate::failure::{ErrorKind, Failure};
use crate::geometry::GeometryError;
use crate::network::Network;
use builder::Builder;

/// Weights of a network that is made; more do not fit an ONNX file.
const MAX_WEIGHTS: usize = 500_000_000;

/// How the shortcut of a CIFAR ResNet changes its channels (He et al. 2016, section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shortcut {
    /// Every second pixel, and zero channels on both sides: no weights.
    #[default]
    A,
    /// A 1×1 convolution with BatchNorm where channels change (option B).
    Projection,
    /// A 1×1 convolution with BatchNorm in the first block of each of the three stages, the first included: the variant
    /// whose ResNet-20 has the 800 filters of "Prune or quantize?", Figure 6.
    Paper,
}

/// A family of networks, with what tells its members apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// ResNet of basic blocks for CIFAR; `depth` is 6n + 2 (He et al. 2016, section 4.2).
    CifarResNet {
        /// Layers with weights on the longest path.
        depth: usize,
        /// How shortcuts change channels.
        shortcut: Shortcut,
    },
    /// Six 3×3 convolutions of 128, 128, 256, 256, 512, 512 filters, a 2×2 maximum after every second, and one fully
    /// connected layer.
    Vgg7,
    /// DenseNet-BC of three blocks for CIFAR; `depth` is 6n + 4 (Huang et al. 2017).
    DenseNetBc {
        /// Layers with weights (L).
        depth: usize,
        /// Channels that each layer adds (k).
        growth: usize,
    },
    /// ResNet-18 for ImageNet (He et al. 2016).
    ResNet18,
    /// ResNet-50 for ImageNet, with the stride in the 3×3 convolution as in torchvision.
    ResNet50,
}

impl Family {
    /// Names that [`Family::named`] knows.
    pub const NAMES: [&'static str; 10] = [
        "resnet8",
        "resnet14",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "vgg7",
        "densenet-bc",
        "resnet18",
        "resnet50",
    ];

    /// The family of this name: one of [`Family::NAMES`]. `densenet-bc` has depth 100 and growth 12, ResNets for CIFAR have
    /// shortcut [`Shortcut::A`].
    pub fn named(name: &str) -> Option<Self> {
        let cifar = |depth| Some(Family::CifarResNet { depth, shortcut: Shortcut::A });
        match name {
            "vgg7" => Some(Family::Vgg7),
            "densenet-bc" => Some(Family::DenseNetBc { depth: 100, growth: 12 }),
            "resnet18" => Some(Family::ResNet18),
            "resnet50" => Some(Family::ResNet50),
            "resnet8" => cifar(8),
            "resnet14" => cifar(14),
            "resnet20" => cifar(20),
            "resnet32" => cifar(32),
            "resnet44" => cifar(44),
            "resnet56" => cifar(56),
            _ => None,
        }
    }

    /// The name in messages and reports; that of a DenseNet tells its depth and growth.
    pub fn name(self) -> String {
        match self {
            Family::CifarResNet { depth, .. } => format!("resnet{depth}"),
            Family::Vgg7 => "vgg7".to_string(),
            Family::DenseNetBc { depth, growth } => format!("densenet-bc-{depth}-{growth}"),
            Family::ResNet18 => "resnet18".to_string(),
            Family::ResNet50 => "resnet50".to_string(),
        }
    }

    fn is_for_imagenet(self) -> bool {
        matches!(self, Family::ResNet18 | Family::ResNet50)
    }
}

/// What the variance of a He initialization is divided by: `w ~ N(0, 2 / fan)` (He et al. 2015).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fan {
    /// Weights of a filter, `channels · kernel_h · kernel_w`: activations keep their variance. The paper of He et al., and
    /// most code for CIFAR.
    #[default]
    In,
    /// Weights that read an input, `filters · kernel_h · kernel_w`: gradients keep theirs. torchvision's ResNets.
    Out,
}

/// A network to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    /// Which network.
    pub family: Family,
    /// Factor of all channels but those of the image (of DenseNet's growth); each rounds to the nearest number, at least 1.
    pub width: f64,
    /// Outputs of the last layer.
    pub classes: usize,
    /// Height and width of the image, which has three channels.
    pub input_size: usize,
    /// What the weights are made from.
    pub seed: u64,
    /// Variance of the weights.
    pub fan: Fan,
}

impl Architecture {
    /// The network as it is published: width 1, 32×32 images of 10 classes for CIFAR, 224×224 of 1,000 for ImageNet, seed 0.
    pub fn new(family: Family) -> Self {
        let (classes, input_size) = if family.is_for_imagenet() { (1000, 224) } else { (10, 32) };
        Self { family, width: 1.0, classes, input_size, seed: 0, fan: Fan::In }
    }

    fn check(&self) -> Result<(), ArchitectureError> {
        let wrong = |what, expected: String, found: String| Err(ArchitectureError::Number { what, expected, found });
        if !(self.width > 0.0 && self.width <= 64.0) {
            return wrong("width", "a factor above 0, at most 64".to_string(), self.width.to_string());
        }
        if !(1..=1_000_000).contains(&self.classes) {
            return wrong("classes", "1 to 1000000".to_string(), self.classes.to_string());
        }
        // VGG7 halves its image three times before a layer that needs all of it, DenseNet twice.
        let smallest = if self.family == Family::Vgg7 { 8 } else { 4 };
        if !(smallest..=4096).contains(&self.input_size) {
            return wrong("input size", format!("{smallest} to 4096 pixels"), self.input_size.to_string());
        }
        match self.family {
            Family::CifarResNet { depth, .. } if !(8..=1202).contains(&depth) || depth % 6 != 2 => {
                wrong("depth", "6n + 2 with n at least 1, at most 1202".to_string(), depth.to_string())
            }
            Family::DenseNetBc { depth, .. } if !(10..=1000).contains(&depth) || depth % 6 != 4 => {
                wrong("depth", "6n + 4 with n at least 1, at most 1000".to_string(), depth.to_string())
            }
            Family::DenseNetBc { growth, .. } if !(1..=1024).contains(&growth) => {
                wrong("growth", "1 to 1024".to_string(), growth.to_string())
            }
            Family::CifarResNet { .. } | Family::DenseNetBc { .. } => Ok(()),
            Family::Vgg7 | Family::ResNet18 | Family::ResNet50 => Ok(()),
        }
    }
}

/// Why a network cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchitectureError {
    /// A number outside its range.
    #[error("{what}: expected {expected}, found {found}")]
    Number {
        /// Which number.
        what: &'static str,
        /// Its range.
        expected: String,
        /// The number.
        found: String,
    },
    /// More weights than a file can hold.
    #[error("more than {MAX_WEIGHTS} weights at layer {layer:?}; expected a smaller width or depth")]
    TooLarge {
        /// The layer at which they are too many.
        layer: String,
    },
    /// A layer does not fit its input.
    #[error("layer {layer:?}")]
    Geometry {
        /// The layer.
        layer: String,
        /// What does not fit.
        source: GeometryError,
    },
}

impl Failure for ArchitectureError {
    fn kind(&self) -> ErrorKind {
        match self {
            ArchitectureError::Number { .. } => ErrorKind::BadArgument,
            ArchitectureError::TooLarge { .. } => ErrorKind::OutOfLimits,
            ArchitectureError::Geometry { source, .. } => source.kind(),
        }
    }
}

/// Makes a network. The input is `image`, `[N, 3, input_size, input_size]`, the output `logits`, `[N, classes]`.
///
/// Convolutions have no bias; the last layer's is 0. BatchNorm passes its input on: scale 1, shift 0, mean 0, variance 1.
/// The same architecture gives the same weights on every machine whose mathematical library rounds logarithm and cosine
/// alike.
///
/// # Errors
///
/// [`ArchitectureError`] names a number outside its range, or a layer that does not fit.
pub fn build(architecture: &Architecture) -> Result<Network, ArchitectureError> {
    assemble(architecture, true)
}

/// The network that [`build()`] makes, its weights left out: their tensors have shapes and no elements.
pub fn outline(architecture: &Architecture) -> Result<Network, ArchitectureError> {
    assemble(architecture, false)
}

fn assemble(architecture: &Architecture, with_weights: bool) -> Result<Network, ArchitectureError> {
    architecture.check()?;
    let mut builder = Builder::new(architecture, &architecture.family.name(), with_weights);
    match architecture.family {
        Family::CifarResNet { depth, shortcut } => resnet::cifar(&mut builder, depth, shortcut)?,
        Family::Vgg7 => vgg::vgg7(&mut builder)?,
        Family::DenseNetBc { depth, growth } => densenet::bc(&mut builder, depth, growth)?,
        Family::ResNet18 => resnet::resnet18(&mut builder)?,
        Family::ResNet50 => resnet::resnet50(&mut builder)?,
    }
    Ok(builder.finish())
}
