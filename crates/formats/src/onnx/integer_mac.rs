//! A MAC layer on integers, as it is planned: the layer on real numbers, and what stands before and behind it.

use network::MacLayer;

/// A MAC layer between integers.
pub(super) struct IntegerMac {
    pub(super) layer: MacLayer,
    /// The activation, its scale (1 where it has none) and zero point, by input.
    pub(super) activation: Operand,
    pub(super) output: Output,
}

/// What becomes of a layer's sums, scaled and bias added.
pub(super) enum Output {
    /// Real numbers: they stay.
    Real,
    /// The integers that they are.
    Integer,
    /// Quantized, by these inputs: scale, zero point.
    Quantized(Parameters),
}

/// Where an operand's integers, scale and zero point are among the inputs.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) codes: usize,
    pub(super) by: Parameters,
}

/// Where scale and zero point are among the inputs of a node. Without a scale it is 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameters {
    pub(super) scale: Option<usize>,
    pub(super) zero_point: usize,
}
