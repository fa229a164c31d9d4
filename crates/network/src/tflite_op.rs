//! Operators with the integer arithmetic of TFLite.
//!
//! They take and make the integers of quantized values, and round as the reference kernels of TFLite do (fixed-point
//! multipliers after gemmlowp, Jacob et al. 2018), so that a run is equal to theirs bit by bit. Layers with weights are
//! not among them: those are [`crate::MacLayer`] with a [`crate::Requantization`].

use crate::graph::Pool;
use crate::layer::ActivationQuantization;

/// What ONNX calls the way in which TFLite's resizing finds its positions.
pub fn resize_coordinates(align_corners: bool, half_pixel: bool) -> &'static str {
    match (align_corners, half_pixel) {
        (true, _) => "align_corners",
        (_, true) => "half_pixel",
        _ => "asymmetric",
    }
}

/// What an operator on quantized integers does. `min..=max` of an output's quantization is within the clamp of a fused
/// activation function. Axes and shapes are those of the graph (rank 4 is `[N, C, H, W]`).
#[derive(Clone, Debug, PartialEq)]
pub enum TfliteOp {
    /// One 8-bit integer to another: `table[q − first]`.
    Lookup {
        /// The smallest integer of the input's type.
        first: i32,
        /// 256 entries.
        table: Vec<i32>,
    },
    /// `x + y`, or `x − y`; broadcast.
    Add {
        /// Quantization of both inputs.
        inputs: [ActivationQuantization; 2],
        /// Quantization of the output.
        output: ActivationQuantization,
        /// Whether the second is subtracted.
        subtract: bool,
    },
    /// `x · y`, broadcast.
    Mul {
        /// Quantization of both inputs.
        inputs: [ActivationQuantization; 2],
        /// Quantization of the output.
        output: ActivationQuantization,
    },
    /// `x` where not negative, else `slope · x`; the second input is the slope, broadcast.
    PRelu {
        /// Quantization of x and the slope.
        inputs: [ActivationQuantization; 2],
        /// Quantization of the output.
        output: ActivationQuantization,
    },
    /// Mean over windows; padding does not count.
    AveragePool {
        /// The windows.
        pool: Pool,
        /// Smallest integer of the output.
        min: i32,
        /// Largest integer of the output.
        max: i32,
    },
    /// Mean over axes, which stay with extent 1 or go: the shape of the output value says.
    Mean {
        /// The axes.
        axes: Vec<usize>,
        /// Quantization of the input.
        input: ActivationQuantization,
        /// Quantization of the output.
        output: ActivationQuantization,
    },
    /// Softmax of `beta · x` along one axis.
    Softmax {
        /// The axis.
        axis: usize,
        /// Factor of the input.
        beta: f32,
        /// Quantization of the input.
        input: ActivationQuantization,
        /// Quantization of the output.
        output: ActivationQuantization,
    },
    /// Bilinear resizing of height and width to the shape of the output value.
    ResizeBilinear {
        /// Corners of input and output lie on each other.
        align_corners: bool,
        /// Elements lie in the middle of their pixel.
        half_pixel: bool,
        /// Weights and positions are 32-bit floats (uint8), rather than fixed-point numbers (int8).
        float: bool,
    },
    /// Real numbers to integers, ties away from 0.
    Quantize {
        /// Quantization of the output.
        output: ActivationQuantization,
    },
}
