//! What an evaluation runs on which images.

use inference::Samples;
use network::Network;

use crate::answer::Answer;
use crate::hardware::Hardware;
use crate::prepare::Quantization;

/// What an evaluation runs on which images.
#[derive(Clone, Copy)]
pub struct EvaluationPlan<'a> {
    /// The network.
    pub network: &'a Network,
    /// The hardware; engines that compute the same sums run once.
    pub hardware: &'a [Hardware],
    /// How real weights are quantized.
    pub quantization: Quantization,
    /// The images.
    pub samples: &'a dyn Samples,
    /// Which output is scored, and how; left out, [`Answer::of`] decides.
    pub answer: Option<Answer>,
    /// Bits of the activations that an engine on integers reads, where the file does not say how they are quantized.
    pub activation_bits: u32,
    /// How many images, from the first on, set the ranges of activations where the file does not say.
    pub calibration_images: usize,
    /// Whether the float network runs too. Without it there is no agreement and no noise to report.
    pub reference: bool,
    /// Told after every batch how many images are done.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

/// Whether the file leaves open how some layer's input is quantized.
pub(crate) fn needs_calibration(network: &Network) -> bool {
    network.layers().iter().any(|layer| layer.input_quantization.is_none())
}
