//! Operators on the integers of quantized activations, with the rounding of onnxruntime (its domain `com.microsoft`).

use crate::graph::Pool;
use crate::layer::ActivationQuantization;

/// An operator that reads integers, computes on the real numbers that they stand for and makes integers again. The order
/// of its 32-bit arithmetic is that of onnxruntime on a processor with fused multiply-add, so that ties round alike.
///
/// `x`, `a`, `b` are integers of inputs, `z` zero points, `s` scales; `y` without its clamp to the output's range.
#[derive(Clone, Debug, PartialEq)]
pub struct QLinear {
    /// What it computes.
    pub function: QLinearFunction,
    /// How each input is quantized, in the order of the node's inputs.
    pub inputs: Vec<ActivationQuantization>,
    /// How the output is quantized.
    pub output: ActivationQuantization,
}

/// The functions of [`QLinear`].
#[derive(Clone, Debug, PartialEq)]
pub enum QLinearFunction {
    /// Two inputs, broadcast. With `r = s / s_y`: `y = round(fma(a, r_a, fma(b, r_b, z_y − fma(r_a, z_a, r_b · z_b))))`.
    Add,
    /// Two inputs, broadcast. `y = round((a − z_a)(b − z_b) · (s_a · s_b / s_y) + z_y)`.
    Mul,
    /// `y = round((Σ (x − z_x) · s_x) / count / s_y + z_y)` over windows of `[N, C, H, W]`.
    AveragePool(Pool),
    /// `y = round(Σ (x − z_x) · (s_x / (s_y · count))) + z_y` over all axes from the third on.
    GlobalAveragePool,
    /// All inputs one after another, those that are quantized otherwise than the output taken to it by
    /// `y = round((x − z_x) · s_x / s_y) + z_y`.
    Concat {
        /// Along this axis.
        axis: usize,
    },
    /// `y = round(f((x − z_x) · s_x) / s_y) + z_y` with `f` as [`crate::Op::LeakyRelu`].
    LeakyRelu {
        /// Slope below 0.
        alpha: f32,
    },
    /// As [`QLinearFunction::LeakyRelu`], with `f` as [`crate::Op::Sigmoid`].
    Sigmoid,
    /// As [`QLinearFunction::LeakyRelu`], with `f` as [`crate::Op::Softmax`] along one axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
}
