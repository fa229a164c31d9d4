//! Operators on the integers of quantized activations.
//!
//! A network of integers is rounded after every operator, and two runtimes that compute the same real number may round it
//! differently. An [`IntegerOp`] therefore says two things: the [`IntegerFunction`] that it computes, and the
//! [`IntegerArithmetic`], whose order of operations and rounding counts. Layers with weights are not among them: those are
//! [`MacLayer`](crate::MacLayer) with a [`Requantization`](crate::Requantization).

use crate::activation::ActivationQuantization;
use crate::op::{Binary, Coordinates, Interpolation, Op, Reduction, Unary};
use crate::pool::Pool;

/// An operator that reads the integers of quantized activations and makes integers again.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerOp {
    /// What it computes.
    pub function: IntegerFunction,
    /// In whose arithmetic.
    pub arithmetic: IntegerArithmetic,
    /// How each input is quantized, in the order of the node's inputs. Empty where the function does not need it.
    pub inputs: Vec<ActivationQuantization>,
    /// How the output is quantized. `min..=max` is within the clamp of a fused activation function.
    pub output: ActivationQuantization,
}

/// Whose integer arithmetic an operator follows, to the last bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerArithmetic {
    /// onnxruntime (domain `com.microsoft`): 32-bit float, in its order of operations, with fused multiply-add, so that ties
    /// round alike. Rounding is to the nearest integer, ties to even.
    OnnxRuntime,
    /// The reference kernels of LiteRT: fixed-point multipliers after gemmlowp (Jacob et al. 2018), unless the function says
    /// otherwise. Where those kernels would overflow 32 bits, sums saturate here.
    LiteRt,
}

impl IntegerArithmetic {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            IntegerArithmetic::OnnxRuntime => "onnxruntime",
            IntegerArithmetic::LiteRt => "LiteRT",
        }
    }
}

/// The functions of [`IntegerOp`]. Axes and shapes are those of the graph (rank 4 is `[N, C, H, W]`).
///
/// In the equations `x`, `a`, `b` are integers of inputs, `z` zero points, `s` scales, and `y` is the integer of the output
/// before it is clamped to the output's range. Two inputs are broadcast.
#[derive(Clone, Debug, PartialEq)]
pub enum IntegerFunction {
    /// LiteRT: one integer of 8 or 16 bits to another, `y = table[x − first]`.
    Lookup {
        /// The smallest integer of the input's type.
        first: i32,
        /// An entry for each integer of that type.
        table: Vec<i32>,
        /// The function of real numbers that it tabulates; none where it takes integers to another scale.
        function: Option<Unary>,
    },
    /// LiteRT: real numbers to integers, `y = round(x / s_y) + z_y`, ties away from 0.
    Quantize,
    /// `a + b`. onnxruntime, with `r = s / s_y`:
    /// `y = round(fma(a, r_a, fma(b, r_b, z_y − fma(r_a, z_a, r_b · z_b))))`. LiteRT: both inputs are shifted left by 20 bits
    /// and brought to twice the larger scale, and their sum to the output's.
    Add,
    /// LiteRT: `a − b`, as [`IntegerFunction::Add`].
    Sub,
    /// `a · b`. onnxruntime: `y = round((a − z_a)(b − z_b) · (s_a · s_b / s_y) + z_y)`. LiteRT: the product by one fixed-point
    /// multiplier.
    Mul,
    /// LiteRT: `x` where not negative, else `slope · x`; the second input is the slope.
    PRelu,
    /// Mean over windows. onnxruntime: `y = round((Σ (x − z_x) · s_x) / count / s_y + z_y)`. LiteRT: the mean of the integers,
    /// ties away from 0; padding does not count, and input and output have one scale.
    AveragePool(Pool),
    /// onnxruntime: `y = round(Σ (x − z_x) · (s_x / (s_y · count))) + z_y` over all axes from the third on.
    GlobalAveragePool,
    /// LiteRT: mean over axes; the number of elements is part of the fixed-point multiplier.
    Mean {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// onnxruntime: all inputs one after another; those that are quantized otherwise than the output are taken to it by
    /// `y = round((x − z_x) · s_x / s_y) + z_y`.
    Concat {
        /// Along this axis.
        axis: usize,
    },
    /// onnxruntime: `y = round(f((x − z_x) · s_x) / s_y) + z_y` with `f` as [`Unary::LeakyRelu`](crate::Unary::LeakyRelu).
    LeakyRelu {
        /// Slope below 0.
        alpha: f32,
    },
    /// onnxruntime: as [`IntegerFunction::LeakyRelu`], with `f` as [`Unary::Sigmoid`](crate::Unary::Sigmoid).
    Sigmoid,
    /// Softmax of `beta · x` along one axis. onnxruntime, where `beta` is 1: as [`IntegerFunction::LeakyRelu`], with `f` as
    /// [`Op::Softmax`](crate::Op::Softmax). LiteRT: by a table of exponentials in 32-bit float, of 16-bit integers by two tables
    /// of 16-bit integers.
    Softmax {
        /// The axis.
        axis: usize,
        /// Factor of the input.
        beta: f32,
    },
    /// LiteRT: bilinear resizing of height and width to the shape of the output value.
    ResizeBilinear {
        /// Corners of input and output lie on each other.
        align_corners: bool,
        /// Elements lie in the middle of their pixel.
        half_pixel: bool,
        /// Weights and positions are 32-bit floats (uint8), rather than fixed-point numbers (int8).
        float: bool,
    },
}

impl IntegerFunction {
    /// The name in messages, that of the real operator.
    pub fn name(&self) -> &'static str {
        match self {
            IntegerFunction::Lookup { .. } => "Lookup",
            IntegerFunction::Quantize => "Quantize",
            IntegerFunction::Add => "Add",
            IntegerFunction::Sub => "Sub",
            IntegerFunction::Mul => "Mul",
            IntegerFunction::PRelu => "PRelu",
            IntegerFunction::AveragePool(_) => "AveragePool",
            IntegerFunction::GlobalAveragePool => "GlobalAveragePool",
            IntegerFunction::Mean { .. } => "Mean",
            IntegerFunction::Concat { .. } => "Concat",
            IntegerFunction::LeakyRelu { .. } => "LeakyRelu",
            IntegerFunction::Sigmoid => "Sigmoid",
            IntegerFunction::Softmax { .. } => "Softmax",
            IntegerFunction::ResizeBilinear { .. } => "ResizeBilinear",
        }
    }

    /// The operator on real numbers that it stands for, on the same axes and shapes. Of a softmax it leaves `beta` out. `None`
    /// where there is none, of a table and of [`IntegerFunction::Quantize`]: both treat each element by itself.
    pub fn on_reals(&self) -> Option<Op> {
        Some(match self {
            IntegerFunction::Lookup { .. } | IntegerFunction::Quantize => return None,
            IntegerFunction::Add => Op::Binary(Binary::Add),
            IntegerFunction::Sub => Op::Binary(Binary::Sub),
            IntegerFunction::Mul => Op::Binary(Binary::Mul),
            IntegerFunction::PRelu => Op::Binary(Binary::PRelu),
            IntegerFunction::AveragePool(pool) => Op::AveragePool(*pool),
            IntegerFunction::GlobalAveragePool => Op::GlobalAveragePool,
            IntegerFunction::Mean { axes, keep_dims } => {
                Op::Reduce { reduction: Reduction::Mean, axes: axes.clone(), keep_dims: *keep_dims }
            }
            IntegerFunction::Concat { axis } => Op::Concat { axis: *axis },
            IntegerFunction::LeakyRelu { alpha } => Op::Unary(Unary::LeakyRelu { alpha: *alpha }),
            IntegerFunction::Sigmoid => Op::Unary(Unary::Sigmoid),
            IntegerFunction::Softmax { axis, .. } => Op::Softmax { axis: *axis },
            IntegerFunction::ResizeBilinear { align_corners, half_pixel, .. } => {
                let coordinates = Coordinates::of_tflite(*align_corners, *half_pixel);
                Op::Resize { interpolation: Interpolation::Linear, coordinates, scales: None }
            }
        })
    }

    /// The arithmetics that there are of it. An operator in any other is refused before it runs.
    pub fn arithmetics(&self) -> &'static [IntegerArithmetic] {
        match self {
            IntegerFunction::Add | IntegerFunction::Mul => &[IntegerArithmetic::OnnxRuntime, IntegerArithmetic::LiteRt],
            IntegerFunction::AveragePool(_) => &[IntegerArithmetic::OnnxRuntime, IntegerArithmetic::LiteRt],
            // onnxruntime has no factor.
            IntegerFunction::Softmax { beta, .. } if *beta != 1.0 => &[IntegerArithmetic::LiteRt],
            IntegerFunction::Softmax { .. } => &[IntegerArithmetic::OnnxRuntime, IntegerArithmetic::LiteRt],
            IntegerFunction::GlobalAveragePool | IntegerFunction::Concat { .. } => &[IntegerArithmetic::OnnxRuntime],
            IntegerFunction::LeakyRelu { .. } | IntegerFunction::Sigmoid => &[IntegerArithmetic::OnnxRuntime],
            IntegerFunction::Lookup { .. } | IntegerFunction::Quantize => &[IntegerArithmetic::LiteRt],
            IntegerFunction::Sub | IntegerFunction::PRelu => &[IntegerArithmetic::LiteRt],
            IntegerFunction::Mean { .. } | IntegerFunction::ResizeBilinear { .. } => &[IntegerArithmetic::LiteRt],
        }
    }
}

impl IntegerOp {
    /// An operator of LiteRT's.
    pub fn lite_rt(
        function: IntegerFunction,
        inputs: &[ActivationQuantization],
        output: ActivationQuantization,
    ) -> Self {
        Self { function, arithmetic: IntegerArithmetic::LiteRt, inputs: inputs.to_vec(), output }
    }
}
