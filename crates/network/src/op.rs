//! What a node computes, in the words of ONNX.
//!
//! Operators that share a form share a type: [`Unary`] (one element to one element), [`Binary`] (pairs of elements) and
//! [`Reduction`] (elements along axes). Such a type says of itself what readers, writers and compression ask: its name,
//! whether it keeps 0, what it makes. Each is computed in one exhaustive `match` of the crate `inference`. Operators on the
//! integers of quantized activations are [`IntegerOp`].

use crate::ids::LayerId;
use crate::integer_op::IntegerOp;
use crate::pool::{PadMode, Pool};
use crate::quant::Quant;
use crate::recurrent::Recurrent;

/// What a node does. Parameters that the file computes from constants are numbers here; axes are resolved (not negative).
///
/// Inputs are those of the ONNX operator of the same name unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution, Gemm or MatMul with constant weights; `inputs` is the activation alone. See [`MacLayer`](crate::MacLayer).
    Mac(LayerId),
    /// A function of one element at a time.
    Unary(Unary),
    /// A function of pairs of elements, shapes broadcast.
    Binary(Binary),
    /// Joins the elements along some axes.
    Reduce {
        /// How they are joined.
        reduction: Reduction,
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Inputs: x, scale, bias, mean, variance.
    BatchNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Inputs: condition (bool), and what to take where it holds and where it does not; broadcast.
    Where,
    /// Product of two matrices that both depend on the input: not a MAC layer, for it has no weights.
    MatMul,
    /// Softmax along one axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// Logarithm of softmax along one axis.
    LogSoftmax {
        /// The axis.
        axis: usize,
    },
    /// Softmax over all axes from one on, taken as one axis: what Softmax was before opset 13.
    SoftmaxFrom {
        /// The first axis.
        axis: usize,
        /// Its logarithm.
        logarithm: bool,
    },
    /// Inputs: x, scale, bias (may be missing). Over all axes from one on: `(x − mean) / √(variance + epsilon) · scale +
    /// bias`.
    LayerNormalization {
        /// The first axis.
        axis: usize,
        /// Added to the variance.
        epsilon: f32,
    },
    /// Inputs: x `[N, C, …]`, scale `[C]`, bias `[C]`. As [`Op::LayerNormalization`], over each channel of each image.
    InstanceNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size` neighbouring channels (axis 1).
    Lrn {
        /// Weight of the mean square.
        alpha: f32,
        /// Exponent.
        beta: f32,
        /// Added to it.
        bias: f32,
        /// Channels of a neighbourhood; one more behind than before where it is even.
        size: usize,
    },
    /// Maximum over windows of `[N, C, H, W]`; `[N, C, W]` counts as height 1.
    MaxPool(Pool),
    /// Mean over windows of `[N, C, H, W]`; `[N, C, W]` counts as height 1.
    AveragePool(Pool),
    /// Mean over all axes from the third on, which stay with extent 1.
    GlobalAveragePool,
    /// Maximum over all axes from the third on, which stay with extent 1.
    GlobalMaxPool,
    /// All inputs one after another.
    Concat {
        /// Along this axis.
        axis: usize,
    },
    /// Parts of the one input; extents are those of the outputs' shapes.
    Split {
        /// Along this axis.
        axis: usize,
    },
    /// Padding before and after each axis; negative numbers crop. `inputs` is x alone.
    Pad {
        /// First the paddings before each axis, then those after.
        pads: Vec<i64>,
        /// How to fill.
        mode: PadMode,
        /// What to fill with, in `Constant` mode.
        value: f32,
    },
    /// A range of one or more axes; `inputs` is x alone. One entry per sliced axis, resolved as ONNX Slice does.
    Slice {
        /// First index.
        starts: Vec<i64>,
        /// Index to stop at.
        ends: Vec<i64>,
        /// Axes.
        axes: Vec<usize>,
        /// Steps; may be negative.
        steps: Vec<i64>,
    },
    /// Reshape, Flatten, Squeeze, Unsqueeze: same elements, the shape of the output value. `inputs` is x alone.
    Reshape,
    /// Permutes axes.
    Transpose {
        /// Axis `i` of the output is axis `perm[i]` of the input.
        perm: Vec<usize>,
    },
    /// Broadcasts to the shape of the output value. `inputs` is x alone.
    Expand,
    /// Repeats x as a whole along each axis, to the shape of the output value. `inputs` is x alone.
    Tile,
    /// Takes entries of an axis. Inputs: data, indices.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// Takes one entry of an axis for each element of the output. Inputs: data, indices of the output's shape.
    GatherElements {
        /// The axis.
        axis: usize,
    },
    /// Resizing to the shape of the output value. `inputs` is x alone.
    Resize {
        /// What stands between the elements of x.
        interpolation: Interpolation,
        /// Where the elements of the output lie on the input.
        coordinates: Coordinates,
        /// The scale of each axis, where extents are not exactly scale times extent: extents are then rounded down.
        scales: Option<Vec<f32>>,
    },
    /// Moves blocks of channels into space.
    DepthToSpace {
        /// Block size.
        block: usize,
        /// `CRD` order rather than `DCR`.
        column_row_depth: bool,
    },
    /// Moves blocks of space into channels.
    SpaceToDepth {
        /// Block size.
        block: usize,
    },
    /// Inputs: x, scale, zero point. The output's type is that of the value.
    QuantizeLinear {
        /// Channel axis of a scale with more than one entry.
        axis: usize,
    },
    /// Inputs: x, scale, zero point.
    DequantizeLinear {
        /// Channel axis of a scale with more than one entry.
        axis: usize,
    },
    /// Input: x. Outputs: its integers of unsigned 8 bits, their scale and zero point, over the range of all of x, 0
    /// included.
    DynamicQuantizeLinear,
    /// Arithmetic on integers. Inputs are the quantized activations alone.
    Integer(IntegerOp),
    /// Rounds to few levels. See there for the inputs.
    Quant(Quant),
    /// `scale · n + bias`, where `n` is how many thresholds of its channel an element reaches: MultiThreshold of QONNX.
    /// Inputs: x, thresholds `[C, count]` or `[1, count]`.
    MultiThreshold {
        /// The axis of the channels.
        axis: usize,
        /// Size of a step.
        scale: f32,
        /// What no threshold gives.
        bias: f32,
    },
    /// A part of LSTM, GRU or RNN. See there for the inputs.
    Recurrent(Box<Recurrent>),
    /// Changes the element type to that of the output value.
    Cast,
    /// Passes its first input on; Dropout at inference.
    Identity,
    /// An operator that nothing here runs. Costs are still right where its output's shape is known.
    Unsupported,
}

impl Op {
    /// Whether the operator gives the same on integers as on the real numbers of the same value. Arithmetic that overflows or
    /// rounds does not.
    pub fn moves_integers(&self) -> bool {
        match self {
            Op::Unary(function) => matches!(function, Unary::Relu | Unary::Clip { .. } | Unary::Not),
            Op::Binary(function) => match function.kind() {
                BinaryKind::Arithmetic => matches!(function, Binary::Min | Binary::Max),
                BinaryKind::Comparison | BinaryKind::Logic => true,
            },
            Op::Reduce { reduction, .. } => matches!(reduction, Reduction::Max | Reduction::Min),
            Op::Resize { interpolation, .. } => matches!(interpolation, Interpolation::Nearest(_)),
            Op::GatherElements { .. } => true,
            Op::MaxPool(_) | Op::GlobalMaxPool | Op::Where | Op::Tile | Op::SpaceToDepth { .. } => true,
            Op::Concat { .. } | Op::Split { .. } | Op::Pad { .. } | Op::Slice { .. } | Op::Reshape => true,
            Op::Transpose { .. } | Op::Expand | Op::Gather { .. } | Op::DepthToSpace { .. } | Op::Identity => true,
            Op::DequantizeLinear { .. } | Op::Cast | Op::Integer(_) => true,
            Op::Mac(_) | Op::MatMul | Op::Softmax { .. } | Op::LogSoftmax { .. } | Op::SoftmaxFrom { .. } => false,
            Op::BatchNormalization { .. } | Op::LayerNormalization { .. } | Op::InstanceNormalization { .. } => false,
            Op::Lrn { .. } | Op::AveragePool(_) | Op::GlobalAveragePool => false,
            Op::QuantizeLinear { .. } | Op::DynamicQuantizeLinear | Op::Quant(_) | Op::Unsupported => false,
            Op::MultiThreshold { .. } | Op::Recurrent(_) => false,
        }
    }
}

/// A function of one element at a time. The output has the shape and the type of the one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `max(0, x)`.
    Relu,
    /// `min(max, max(min, x))`.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// `x` where positive, else `alpha · x`.
    LeakyRelu {
        /// Slope below 0.
        alpha: f32,
    },
    /// `x` where positive, else `alpha · (e^x − 1)`.
    Elu {
        /// Factor below 0.
        alpha: f32,
    },
    /// `x` where positive, else `alpha · (e^x − 1)`, all times `gamma`.
    Selu {
        /// Factor below 0.
        alpha: f32,
        /// Factor of the whole.
        gamma: f32,
    },
    /// `max(0, x) + min(0, alpha · (e^(x/alpha) − 1))`.
    Celu {
        /// Factor below 0.
        alpha: f32,
    },
    /// `x` where larger than `alpha`, else 0.
    ThresholdedRelu {
        /// The threshold.
        alpha: f32,
    },
    /// `x + bias` below `−lambda`, `x − bias` above `lambda`, else 0.
    Shrink {
        /// The threshold.
        lambda: f32,
        /// What magnitudes lose.
        bias: f32,
    },
    /// `max(0, min(1, alpha · x + beta))`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Offset.
        beta: f32,
    },
    /// `x · max(0, min(1, x/6 + 1/2))`.
    HardSwish,
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x · Φ(x)`, Φ the normal distribution; with its approximation by a hyperbolic tangent where `approximate`.
    Gelu {
        /// The tanh form.
        approximate: bool,
    },
    /// `ln(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The tangent.
    Tan,
    /// The inverse of the sine.
    Asin,
    /// The inverse of the cosine.
    Acos,
    /// The inverse of the tangent.
    Atan,
    /// The hyperbolic sine.
    Sinh,
    /// The hyperbolic cosine.
    Cosh,
    /// The inverse of the hyperbolic cosine.
    Acosh,
    /// The inverse of the hyperbolic tangent.
    Atanh,
    /// `x · tanh(ln(1 + e^x))`.
    Mish,
    /// The error function.
    Erf,
    /// `e^x`.
    Exp,
    /// `√x`.
    Sqrt,
    /// The natural logarithm.
    Log,
    /// `|x|`.
    Abs,
    /// `−x`.
    Neg,
    /// The largest integer that is not above.
    Floor,
    /// The smallest integer that is not below.
    Ceil,
    /// The nearest integer, ties to even.
    Round,
    /// −1, 0 or 1.
    Sign,
    /// `1 / x`.
    Reciprocal,
    /// The opposite, of bool.
    Not,
}

impl Unary {
    /// Those without parameters: a file names them and says no more.
    pub const PLAIN: [Unary; 29] = [
        Unary::Relu,
        Unary::HardSwish,
        Unary::Sigmoid,
        Unary::Tanh,
        Unary::Softplus,
        Unary::Softsign,
        Unary::Sin,
        Unary::Cos,
        Unary::Tan,
        Unary::Asin,
        Unary::Acos,
        Unary::Atan,
        Unary::Sinh,
        Unary::Cosh,
        Unary::Acosh,
        Unary::Atanh,
        Unary::Mish,
        Unary::Erf,
        Unary::Exp,
        Unary::Sqrt,
        Unary::Log,
        Unary::Abs,
        Unary::Neg,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::Sign,
        Unary::Reciprocal,
        Unary::Not,
    ];

    /// The name of the operator in ONNX.
    pub fn name(&self) -> &'static str {
        match self {
            Unary::Relu => "Relu",
            Unary::Clip { .. } => "Clip",
            Unary::LeakyRelu { .. } => "LeakyRelu",
            Unary::Elu { .. } => "Elu",
            Unary::Selu { .. } => "Selu",
            Unary::Celu { .. } => "Celu",
            Unary::ThresholdedRelu { .. } => "ThresholdedRelu",
            Unary::Shrink { .. } => "Shrink",
            Unary::HardSigmoid { .. } => "HardSigmoid",
            Unary::HardSwish => "HardSwish",
            Unary::Sigmoid => "Sigmoid",
            Unary::Tanh => "Tanh",
            Unary::Gelu { .. } => "Gelu",
            Unary::Softplus => "Softplus",
            Unary::Softsign => "Softsign",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Tan => "Tan",
            Unary::Asin => "Asin",
            Unary::Acos => "Acos",
            Unary::Atan => "Atan",
            Unary::Sinh => "Sinh",
            Unary::Cosh => "Cosh",
            Unary::Acosh => "Acosh",
            Unary::Atanh => "Atanh",
            Unary::Mish => "Mish",
            Unary::Erf => "Erf",
            Unary::Exp => "Exp",
            Unary::Sqrt => "Sqrt",
            Unary::Log => "Log",
            Unary::Abs => "Abs",
            Unary::Neg => "Neg",
            Unary::Floor => "Floor",
            Unary::Ceil => "Ceil",
            Unary::Round => "Round",
            Unary::Sign => "Sign",
            Unary::Reciprocal => "Reciprocal",
            Unary::Not => "Not",
        }
    }

    /// The function without parameters that ONNX calls so.
    pub fn named(name: &str) -> Option<Self> {
        Self::PLAIN.into_iter().find(|function| function.name() == name)
    }

    /// Whether 0 stays 0. A channel of zeros then stays one.
    pub fn keeps_zero(&self) -> bool {
        match *self {
            Unary::Relu | Unary::LeakyRelu { .. } | Unary::Elu { .. } | Unary::Selu { .. } | Unary::Celu { .. } => true,
            Unary::ThresholdedRelu { .. } | Unary::HardSwish | Unary::Mish | Unary::Gelu { .. } => true,
            Unary::Softsign | Unary::Tanh | Unary::Erf | Unary::Sqrt | Unary::Abs | Unary::Neg => true,
            Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sin | Unary::Tan | Unary::Asin => true,
            Unary::Atan | Unary::Sinh | Unary::Atanh => true,
            Unary::Cos | Unary::Acos | Unary::Cosh | Unary::Acosh => false,
            Unary::Clip { min, max } => min <= 0.0 && max >= 0.0,
            Unary::Shrink { lambda, bias } => lambda >= 0.0 || bias == 0.0,
            Unary::HardSigmoid { beta, .. } => beta <= 0.0,
            Unary::Sigmoid | Unary::Exp | Unary::Log | Unary::Softplus | Unary::Reciprocal | Unary::Not => false,
        }
    }
}

/// A function of two elements, shapes broadcast as in ONNX; `a` comes from the first input and `b` from the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`, of any number of inputs.
    Add,
    /// `a − b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a^b`.
    Pow,
    /// `a` where not negative, else `a · b`. A slope `b` of one axis may stand for the channels, as ONNX allows it.
    PRelu,
    /// The smaller, of any number of inputs; NaN if one is.
    Min,
    /// The larger, of any number of inputs; NaN if one is.
    Max,
    /// `a and b`, of bool.
    And,
    /// `a or b`, of bool.
    Or,
    /// `either a or b`, of bool.
    Xor,
    /// `a = b`.
    Equal,
    /// `a > b`.
    Greater,
    /// `a ≥ b`.
    GreaterOrEqual,
    /// `a < b`.
    Less,
    /// `a ≤ b`.
    LessOrEqual,
}

/// What a [`Binary`] reads and makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryKind {
    /// Numbers of numbers.
    Arithmetic,
    /// A bool of numbers.
    Comparison,
    /// A bool of bools.
    Logic,
}

impl Binary {
    /// All of them.
    pub const ALL: [Binary; 16] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::PRelu,
        Binary::Min,
        Binary::Max,
        Binary::And,
        Binary::Or,
        Binary::Xor,
        Binary::Equal,
        Binary::Greater,
        Binary::GreaterOrEqual,
        Binary::Less,
        Binary::LessOrEqual,
    ];

    /// The name of the operator in ONNX. `Add` of any other number of inputs than two is `Sum` there.
    pub fn name(self) -> &'static str {
        match self {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Pow => "Pow",
            Binary::PRelu => "PRelu",
            Binary::Min => "Min",
            Binary::Max => "Max",
            Binary::And => "And",
            Binary::Or => "Or",
            Binary::Xor => "Xor",
            Binary::Equal => "Equal",
            Binary::Greater => "Greater",
            Binary::GreaterOrEqual => "GreaterOrEqual",
            Binary::Less => "Less",
            Binary::LessOrEqual => "LessOrEqual",
        }
    }

    /// The function that ONNX calls so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// What it reads and makes.
    pub fn kind(self) -> BinaryKind {
        match self {
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow => BinaryKind::Arithmetic,
            Binary::PRelu | Binary::Min | Binary::Max => BinaryKind::Arithmetic,
            Binary::And | Binary::Or | Binary::Xor => BinaryKind::Logic,
            Binary::Equal | Binary::Greater | Binary::GreaterOrEqual => BinaryKind::Comparison,
            Binary::Less | Binary::LessOrEqual => BinaryKind::Comparison,
        }
    }

    /// Whether it may have any number of inputs, joined one after another.
    pub fn is_variadic(self) -> bool {
        matches!(self, Binary::Add | Binary::Min | Binary::Max)
    }
}

/// How [`Op::Reduce`] joins elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// The largest; NaN if one is.
    Max,
    /// The smallest; NaN if one is.
    Min,
    /// Their product.
    Product,
    /// The sum of their magnitudes.
    L1,
    /// The root of the sum of their squares.
    L2,
    /// The sum of their squares.
    SumSquare,
    /// The natural logarithm of their sum.
    LogSum,
    /// The natural logarithm of the sum of `e^x`.
    LogSumExp,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Reduction; 10] = [
        Reduction::Mean,
        Reduction::Sum,
        Reduction::Max,
        Reduction::Min,
        Reduction::Product,
        Reduction::L1,
        Reduction::L2,
        Reduction::SumSquare,
        Reduction::LogSum,
        Reduction::LogSumExp,
    ];

    /// The name of the operator in ONNX.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Mean => "ReduceMean",
            Reduction::Sum => "ReduceSum",
            Reduction::Max => "ReduceMax",
            Reduction::Min => "ReduceMin",
            Reduction::Product => "ReduceProd",
            Reduction::L1 => "ReduceL1",
            Reduction::L2 => "ReduceL2",
            Reduction::SumSquare => "ReduceSumSquare",
            Reduction::LogSum => "ReduceLogSum",
            Reduction::LogSumExp => "ReduceLogSumExp",
        }
    }

    /// The reduction that ONNX calls so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reduction| reduction.name() == name)
    }
}

/// Where the elements of a resized axis lie on the axis before: `coordinate_transformation_mode` of ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `(i + 1/2) · from / to − 1/2`.
    HalfPixel,
    /// As [`Coordinates::HalfPixel`], moved so that the middles of both axes meet. The two differ only where the scale is not
    /// the ratio of the extents.
    HalfPixelSymmetric,
    /// As [`Coordinates::HalfPixel`]; 0 where the new axis has one element.
    PytorchHalfPixel,
    /// `i · (from − 1) / (to − 1)`: first and last elements lie on each other.
    AlignCorners,
    /// `i · from / to`.
    Asymmetric,
    /// `(i + 1/2) · from / to`. Nothing here runs it.
    TfHalfPixelForNn,
}

impl Coordinates {
    /// All of them.
    pub const ALL: [Coordinates; 6] = [
        Coordinates::HalfPixel,
        Coordinates::HalfPixelSymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::AlignCorners,
        Coordinates::Asymmetric,
        Coordinates::TfHalfPixelForNn,
    ];

    /// The word in ONNX.
    pub fn name(self) -> &'static str {
        match self {
            Coordinates::HalfPixel => "half_pixel",
            Coordinates::HalfPixelSymmetric => "half_pixel_symmetric",
            Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
            Coordinates::AlignCorners => "align_corners",
            Coordinates::Asymmetric => "asymmetric",
            Coordinates::TfHalfPixelForNn => "tf_half_pixel_for_nn",
        }
    }

    /// What ONNX calls so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|coordinates| coordinates.name() == name)
    }

    /// What the two options of TFLite's resizing mean.
    pub fn of_tflite(align_corners: bool, half_pixel: bool) -> Self {
        match (align_corners, half_pixel) {
            (true, _) => Coordinates::AlignCorners,
            (false, true) => Coordinates::HalfPixel,
            (false, false) => Coordinates::Asymmetric,
        }
    }
}

/// What [`Op::Resize`] puts between elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    /// The nearest of them.
    Nearest(Nearest),
    /// The mean of two, weighted by their distances.
    Linear,
    /// The mean of four, weighted by cubic splines (Keys 1981); at the edges the last element repeats.
    Cubic {
        /// The slope at distance 1, often −0.75.
        coefficient: f32,
        /// Whether elements beyond the edges have no weight instead.
        exclude_outside: bool,
    },
}

impl Interpolation {
    /// The word in ONNX.
    pub fn name(self) -> &'static str {
        match self {
            Interpolation::Nearest(_) => "nearest",
            Interpolation::Linear => "linear",
            Interpolation::Cubic { .. } => "cubic",
        }
    }
}

/// Which element a position between two elements stands for: `nearest_mode` of ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// The nearest; of two that are equally near, the lower.
    RoundPreferFloor,
    /// The nearest; of two that are equally near, the upper.
    RoundPreferCeil,
    /// The lower.
    Floor,
    /// The upper.
    Ceil,
}

impl Nearest {
    /// All of them; the first is what a file means that says nothing.
    pub const ALL: [Nearest; 4] = [Nearest::RoundPreferFloor, Nearest::RoundPreferCeil, Nearest::Floor, Nearest::Ceil];

    /// The word in ONNX.
    pub fn name(self) -> &'static str {
        match self {
            Nearest::RoundPreferFloor => "round_prefer_floor",
            Nearest::RoundPreferCeil => "round_prefer_ceil",
            Nearest::Floor => "floor",
            Nearest::Ceil => "ceil",
        }
    }

    /// What ONNX calls so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|nearest| nearest.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert!(Unary::PLAIN.iter().all(|function| Unary::named(function.name()) == Some(*function)));
        assert!(Binary::ALL.iter().all(|function| Binary::named(function.name()) == Some(*function)));
        assert!(Reduction::ALL.iter().all(|reduction| Reduction::named(reduction.name()) == Some(*reduction)));
        assert!(
            Coordinates::ALL.iter().all(|coordinates| Coordinates::named(coordinates.name()) == Some(*coordinates))
        );
        assert!(Nearest::ALL.iter().all(|nearest| Nearest::named(nearest.name()) == Some(*nearest)));
        // A file that names a function with parameters has to say them.
        assert_eq!(Unary::named("Clip"), None);
    }
}
