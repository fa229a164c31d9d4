//! The graph between every reader and everything that runs or costs a network.

use crate::layer::LayerId;
use crate::qlinear::QLinear;
use crate::quant::Quant;
use crate::tensor::{DataType, Tensor};
use crate::tflite_op::TfliteOp;

/// Index of a value in [`Graph::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// A tensor that flows through the graph, or a constant.
#[derive(Clone, Debug)]
pub struct Value {
    /// Name in the file.
    pub name: String,
    /// Element type, where known.
    pub data_type: Option<DataType>,
    /// Shape with the batch made a number; `None` behind an operator whose shapes we do not know.
    pub shape: Option<Vec<usize>>,
    /// The elements, if the value is the same for every input.
    pub constant: Option<Tensor>,
}

/// One operation. Inputs that the file leaves out are `None`.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the file; made from the operator and its first output where the file has none.
    pub name: String,
    /// The operator as the file calls it, for messages: `Conv`, `com.microsoft:QLinearAdd`.
    pub op_type: String,
    /// What it does.
    pub op: Op,
    /// Values it reads.
    pub inputs: Vec<Option<ValueId>>,
    /// Values it makes.
    pub outputs: Vec<ValueId>,
}

/// A CNN without its training: nodes in an order in which every value is made before it is read.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All values, in no particular order.
    pub values: Vec<Value>,
    /// All nodes that depend on the input, topologically sorted.
    pub nodes: Vec<Node>,
    /// What the user feeds, batch first.
    pub inputs: Vec<ValueId>,
    /// What the network returns.
    pub outputs: Vec<ValueId>,
}

impl Graph {
    /// The value with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another graph.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }
}

/// A pooling window over height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Stride along height and width.
    pub stride: [usize; 2],
    /// Dilation along height and width.
    pub dilation: [usize; 2],
    /// Padding: top, left, bottom, right; made explicit from `auto_pad`.
    pub pads: [usize; 4],
    /// Whether a window that starts inside the padded input but ends outside counts.
    pub ceil_mode: bool,
    /// Whether an average divides by the whole window, padding included.
    pub count_include_pad: bool,
}

/// How [`Op::Pad`] fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PadMode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

/// What a node does. Parameters that the file computes from constants are numbers here; axes are resolved (not negative).
///
/// Inputs are those of the ONNX operator of the same name unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution, Gemm or MatMul with constant weights; `inputs` is the activation alone. See [`crate::MacLayer`].
    Mac(LayerId),
    /// Inputs: x, scale, bias, mean, variance.
    BatchNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Elementwise, one input.
    Relu,
    /// Elementwise clamp of the one input.
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
    /// Inputs: x, slope (constant or not), broadcast as ONNX PRelu does.
    PRelu,
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
    /// `max(0, min(1, alpha · x + beta))`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Offset.
        beta: f32,
    },
    /// `x · max(0, min(1, x/6 + 1/2))`.
    HardSwish,
    /// Elementwise.
    Sigmoid,
    /// Elementwise.
    Tanh,
    /// Elementwise, exact form unless `approximate`.
    Gelu {
        /// The tanh form.
        approximate: bool,
    },
    /// `ln(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x · tanh(ln(1 + e^x))`.
    Mish,
    /// Elementwise error function.
    Erf,
    /// Elementwise exponential.
    Exp,
    /// Elementwise square root.
    Sqrt,
    /// Elementwise natural logarithm.
    Log,
    /// Elementwise magnitude.
    Abs,
    /// Elementwise negation.
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
    /// Elementwise, of bool.
    Not,
    /// Elementwise sum over all inputs, broadcast.
    Add,
    /// Elementwise, broadcast.
    Sub,
    /// Elementwise, broadcast.
    Mul,
    /// Elementwise, broadcast.
    Div,
    /// Elementwise power, broadcast.
    Pow,
    /// Elementwise minimum over all inputs, broadcast.
    Min,
    /// Elementwise maximum over all inputs, broadcast.
    Max,
    /// Elementwise, of bool, broadcast.
    And,
    /// Elementwise, of bool, broadcast.
    Or,
    /// Elementwise, of bool, broadcast.
    Xor,
    /// Elementwise comparison of two inputs, broadcast; makes bool.
    Equal,
    /// Elementwise comparison of two inputs, broadcast; makes bool.
    Greater,
    /// Elementwise comparison of two inputs, broadcast; makes bool.
    GreaterOrEqual,
    /// Elementwise comparison of two inputs, broadcast; makes bool.
    Less,
    /// Elementwise comparison of two inputs, broadcast; makes bool.
    LessOrEqual,
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
    /// Mean over axes.
    ReduceMean {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Sum over axes.
    ReduceSum {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Maximum over axes.
    ReduceMax {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Minimum over axes.
    ReduceMin {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Product over axes.
    ReduceProd {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// Root of the sum of squares over axes.
    ReduceL2 {
        /// The axes.
        axes: Vec<usize>,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
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
    /// Nearest-neighbour or linear resizing to the shape of the output value. `inputs` is x alone.
    Resize {
        /// Linear interpolation rather than the nearest neighbour.
        linear: bool,
        /// `coordinate_transformation_mode` of ONNX.
        coordinates: String,
        /// `nearest_mode` of ONNX.
        nearest: String,
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
    QLinear(QLinear),
    /// Rounds to few levels. See there for the inputs.
    Quant(Quant),
    /// Changes the element type to that of the output value.
    Cast,
    /// Passes its first input on; Dropout at inference.
    Identity,
    /// An operator on integers with the arithmetic of TFLite.
    Tflite(TfliteOp),
    /// An operator that nothing here runs. Costs are still right where its output's shape is known.
    Unsupported,
}
