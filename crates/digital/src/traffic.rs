//! The input of a layer as it lies in memory.

use engine::Layer;

use crate::departures::{Departures, ZeroSkipping};
use crate::encoding::Encoding;
use crate::live::live_channels;

/// Bits of the input that an array fetches.
pub(crate) struct InputTraffic {
    /// Bits of the input of each group of the layer. Only input channels that are computed are fetched, each as a whole
    /// and without padding.
    pub(crate) group_bits: Vec<u128>,
    /// Whether the activation buffer holds the input of all groups at once.
    pub(crate) fits: bool,
}

impl InputTraffic {
    pub(crate) fn new(departures: &Departures, encoding: &Encoding, layer: &Layer<'_>) -> Self {
        let spec = layer.geometry().spec();
        let channels = spec.in_channels / spec.groups;
        let elements = spec.repeats as u128 * spec.in_size[0] as u128 * spec.in_size[1] as u128;
        let channel_bits = elements * u128::from(departures.buffers.bits_per_activation);
        let group_bits: Vec<u128> = match encoding.zero_skipping {
            ZeroSkipping::None | ZeroSkipping::Pattern { .. } => vec![channels as u128 * channel_bits; spec.groups],
            ZeroSkipping::Filters | ZeroSkipping::Weights => live_channels(layer.weights())
                .chunks_exact(channels)
                .map(|live| live.iter().filter(|live| **live).count() as u128 * channel_bits)
                .collect(),
        };
        let buffer = departures.buffers.activation_bits.map_or(u128::MAX, u128::from);
        let fits = group_bits.iter().sum::<u128>() <= buffer;
        Self { group_bits, fits }
    }
}
