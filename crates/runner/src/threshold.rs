//! Where class 1 begins in an output of one number, as the operators say that make it.

use network::{Binary, DataType, Graph, IntegerFunction, IntegerOp, Node, Op, Reduction, Unary, ValueId};

/// What the operator behind a number says about it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// It is a probability, or 0 and 1.
    Probability,
    /// It lies on both sides of 0.
    Signed,
    /// Nothing: it lies on one side of 0, or its zero is not known.
    Unclear,
    /// The same as of this input of the node.
    Input(usize),
    /// It is computed from this input of the node, no longer on its scale.
    Scaled(usize),
}

/// The number above which an image is of class 1: 0.5 of a probability, else 0. `None` where only the user knows: of numbers
/// that can never lie below 0, of constants, and of arithmetic on probabilities.
pub(crate) fn threshold(graph: &Graph, output: ValueId) -> Option<f32> {
    let (mut value, mut is_scaled) = (output, false);
    // Nodes stand in an order in which each reads what is made before it, so that the way back has an end.
    loop {
        let Some(node) = graph.producer(value).map(|id| &graph.nodes()[id.0]) else {
            return graph.value(value).constant.is_none().then_some(0.0);
        };
        let index = match origin(graph, node) {
            Origin::Probability => return (!is_scaled).then_some(0.5),
            Origin::Signed => return Some(0.0),
            Origin::Unclear => return None,
            Origin::Input(index) => index,
            Origin::Scaled(index) => {
                is_scaled = true;
                index
            }
        };
        value = (*node.inputs.get(index)?)?;
    }
}

fn origin(graph: &Graph, node: &Node) -> Origin {
    match &node.op {
        Op::Unary(function) => of_function(*function),
        Op::Binary(function) => of_pairs(*function, graph, node),
        Op::Integer(op) => of_integers(op, graph, node),
        Op::Softmax { .. } | Op::SoftmaxFrom { logarithm: false, .. } => Origin::Probability,
        Op::LogSoftmax { .. } | Op::SoftmaxFrom { logarithm: true, .. } => Origin::Unclear,
        Op::Reduce { reduction, .. } => match reduction {
            Reduction::Mean | Reduction::Max | Reduction::Min => Origin::Input(0),
            Reduction::Sum | Reduction::Product => Origin::Scaled(0),
            Reduction::L2 => Origin::Unclear,
        },
        Op::Cast => match input_type(graph, node) {
            // The zero of integers is that of their codes.
            Some(from) if !from.is_real() && from != DataType::Bool => Origin::Unclear,
            Some(_) | None => Origin::Input(0),
        },
        // The first input is the condition.
        Op::Where => Origin::Input(computed(graph, node, 1).unwrap_or(1)),
        Op::Concat { .. } => Origin::Input(computed(graph, node, 0).unwrap_or(0)),
        Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalMaxPool | Op::GlobalAveragePool => Origin::Input(0),
        Op::Split { .. } | Op::Pad { .. } | Op::Slice { .. } | Op::Reshape | Op::Transpose { .. } => Origin::Input(0),
        Op::Expand | Op::Tile | Op::Gather { .. } | Op::Resize { .. } | Op::Identity => Origin::Input(0),
        Op::DepthToSpace { .. } | Op::SpaceToDepth { .. } | Op::GatherElements { .. } => Origin::Input(0),
        // Its thresholds decide where the levels begin.
        Op::MultiThreshold { .. } => Origin::Unclear,
        Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. } | Op::Quant(_) => Origin::Input(0),
        Op::DynamicQuantizeLinear => Origin::Input(0),
        Op::Mac(_) | Op::MatMul | Op::Lrn { .. } => Origin::Signed,
        Op::BatchNormalization { .. } | Op::LayerNormalization { .. } | Op::InstanceNormalization { .. } => {
            Origin::Signed
        }
        // The run ends there.
        Op::Unsupported => Origin::Signed,
    }
}

fn of_function(function: Unary) -> Origin {
    match function {
        Unary::Sigmoid | Unary::HardSigmoid { .. } | Unary::Not => Origin::Probability,
        // Above 0 as the number before it, and the same as it between 0 and 1.
        Unary::Relu | Unary::Clip { .. } | Unary::LeakyRelu { .. } | Unary::Elu { .. } | Unary::Celu { .. } => {
            Origin::Input(0)
        }
        Unary::ThresholdedRelu { .. } | Unary::Round => Origin::Input(0),
        // What lies near 0 becomes 0, and keeps its sign elsewhere.
        Unary::Shrink { .. } => Origin::Scaled(0),
        Unary::Neg | Unary::Reciprocal | Unary::Selu { .. } | Unary::HardSwish | Unary::Tanh | Unary::Gelu { .. } => {
            Origin::Scaled(0)
        }
        Unary::Softsign | Unary::Mish | Unary::Erf | Unary::Floor | Unary::Ceil | Unary::Sign => Origin::Scaled(0),
        Unary::Exp | Unary::Softplus | Unary::Sqrt | Unary::Abs | Unary::Log => Origin::Unclear,
    }
}

fn of_pairs(function: Binary, graph: &Graph, node: &Node) -> Origin {
    let first = computed(graph, node, 0).unwrap_or(0);
    match function {
        Binary::Min | Binary::Max => Origin::Input(first),
        Binary::PRelu => Origin::Input(0),
        // A mean of probabilities, and a softmax that is written as a quotient, begin as these.
        Binary::Add | Binary::Div => Origin::Scaled(first),
        Binary::Sub | Binary::Mul if computed(graph, node, first + 1).is_none() => Origin::Scaled(first),
        Binary::Sub | Binary::Mul => Origin::Signed,
        Binary::Pow => Origin::Unclear,
        Binary::And | Binary::Or | Binary::Xor | Binary::Equal => Origin::Probability,
        Binary::Greater | Binary::GreaterOrEqual | Binary::Less | Binary::LessOrEqual => Origin::Probability,
    }
}

fn of_integers(op: &IntegerOp, graph: &Graph, node: &Node) -> Origin {
    let of_real = |function| match of_pairs(function, graph, node) {
        // Integers that begin at the zero point never lie below 0.
        Origin::Signed | Origin::Scaled(_) if op.output.min >= op.output.zero_point => Origin::Unclear,
        origin @ (Origin::Signed | Origin::Scaled(_) | Origin::Probability | Origin::Unclear | Origin::Input(_)) => {
            origin
        }
    };
    match &op.function {
        IntegerFunction::Sigmoid | IntegerFunction::Softmax { .. } => Origin::Probability,
        IntegerFunction::Lookup { function, .. } => function.map_or(Origin::Input(0), of_function),
        IntegerFunction::Add => of_real(Binary::Add),
        IntegerFunction::Sub => of_real(Binary::Sub),
        IntegerFunction::Mul => of_real(Binary::Mul),
        IntegerFunction::Concat { .. } => Origin::Input(computed(graph, node, 0).unwrap_or(0)),
        IntegerFunction::Quantize | IntegerFunction::PRelu | IntegerFunction::LeakyRelu { .. } => Origin::Input(0),
        IntegerFunction::AveragePool(_) | IntegerFunction::GlobalAveragePool => Origin::Input(0),
        IntegerFunction::Mean { .. } | IntegerFunction::ResizeBilinear { .. } => Origin::Input(0),
    }
}

/// The first input from `from` on that is computed from the image.
fn computed(graph: &Graph, node: &Node, from: usize) -> Option<usize> {
    let is_computed = |input: &Option<ValueId>| input.is_some_and(|id| graph.value(id).constant.is_none());
    node.inputs.iter().skip(from).position(is_computed).map(|index| from + index)
}

fn input_type(graph: &Graph, node: &Node) -> Option<DataType> {
    graph.value((*node.inputs.first()?)?).data_type
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{ActivationQuantization, IntegerArithmetic, Network};
    use testkit::{Net, check_all};

    /// Puts something behind a value of one number for an image.
    type Behind = fn(&mut Net, ValueId) -> ValueId;

    /// A fully connected layer of this many numbers, and what is behind it.
    fn network(filters: usize, behind: Behind) -> Network {
        let (mut net, x) = Net::new(&[1, 2]);
        let y = net.dense(x, filters);
        let y = behind(&mut net, y);
        net.finish(y)
    }

    /// An operator on integers between QuantizeLinear and DequantizeLinear. Its output begins at the zero point.
    fn integers(net: &mut Net, x: ValueId, function: IntegerFunction, min: i32) -> ValueId {
        let (scale, zero) = (net.constant(&[], &[0.1]), net.constant(&[], &[-128.0]));
        let quantization = ActivationQuantization { scale: 0.1, zero_point: -128, min, max: 127 };
        let (inputs, output) = (vec![quantization], quantization);
        let op = IntegerOp { function, arithmetic: IntegerArithmetic::LiteRt, inputs, output };
        let x = net.same(Op::QuantizeLinear { axis: 0 }, &[x, scale, zero]);
        let x = net.same(Op::Integer(op), &[x]);
        net.same(Op::DequantizeLinear { axis: 0 }, &[x, scale, zero])
    }

    fn table(net: &mut Net, x: ValueId, function: Option<Unary>) -> ValueId {
        integers(net, x, IntegerFunction::Lookup { first: -128, table: vec![0; 256], function }, -128)
    }

    fn unary(net: &mut Net, x: ValueId, function: Unary) -> ValueId {
        net.same(Op::Unary(function), &[x])
    }

    fn with_one(net: &mut Net, x: ValueId, function: Binary) -> ValueId {
        let one = net.constant(&[1], &[1.0]);
        net.same(Op::Binary(function), &[one, x])
    }

    fn column(net: &mut Net, x: ValueId) -> ValueId {
        net.node(Op::Slice { starts: vec![1], ends: vec![2], axes: vec![1], steps: vec![1] }, &[x], &[1, 1])
    }

    #[test]
    fn class_1_begins_where_the_operators_say() {
        /// What it is, the numbers of the last layer, what is behind it, and the threshold.
        type Case = (&'static str, usize, Behind, Option<f32>);
        let cases: [Case; 17] = [
            ("a logit", 1, |_, x| x, Some(0.0)),
            ("a logit less a constant", 1, |net, x| with_one(net, x, Binary::Sub), Some(0.0)),
            ("a sigmoid", 1, |net, x| unary(net, x, Unary::Sigmoid), Some(0.5)),
            ("another", 1, |net, x| unary(net, x, Unary::HardSigmoid { alpha: 0.2, beta: 0.5 }), Some(0.5)),
            ("of integers", 1, |net, x| integers(net, x, IntegerFunction::Sigmoid, -128), Some(0.5)),
            ("of a table", 1, |net, x| table(net, x, Some(Unary::Sigmoid)), Some(0.5)),
            ("integers that move", 1, |net, x| table(net, x, None), Some(0.0)),
            ("a sum of integers from 0 on", 1, |net, x| integers(net, x, IntegerFunction::Add, -128), None),
            (
                "a column of a softmax",
                2,
                |net, x| {
                    let x = net.same(Op::Softmax { axis: 1 }, &[x]);
                    column(net, x)
                },
                Some(0.5),
            ),
            (
                "of integers",
                2,
                |net, x| {
                    let x = integers(net, x, IntegerFunction::Softmax { axis: 1, beta: 1.0 }, -128);
                    column(net, x)
                },
                Some(0.5),
            ),
            (
                "its logarithm",
                2,
                |net, x| {
                    let x = net.same(Op::LogSoftmax { axis: 1 }, &[x]);
                    column(net, x)
                },
                None,
            ),
            ("a column of logits", 2, column, Some(0.0)),
            (
                "the opposite probability",
                1,
                |net, x| {
                    let x = unary(net, x, Unary::Sigmoid);
                    with_one(net, x, Binary::Sub)
                },
                None,
            ),
            (
                "a sigmoid in parts",
                1,
                |net, x| {
                    let x = unary(net, x, Unary::Neg);
                    let x = unary(net, x, Unary::Exp);
                    let x = with_one(net, x, Binary::Add);
                    unary(net, x, Unary::Reciprocal)
                },
                None,
            ),
            ("what is never below 0", 1, |net, x| unary(net, x, Unary::Softplus), None),
            ("0 or 1", 1, |net, x| with_one(net, x, Binary::Greater), Some(0.5)),
            ("a rectifier", 1, |net, x| unary(net, x, Unary::Relu), Some(0.0)),
        ];
        check_all(cases, |(name, filters, behind, expected)| {
            let network = network(*filters, *behind);
            let graph = network.graph();
            assert_eq!(threshold(graph, graph.outputs()[0]), *expected, "{name}");
        });
    }

    #[test]
    fn a_long_way_back_needs_no_stack() {
        let network = network(1, |net, x| (0..200_000).fold(x, |x, _| net.same(Op::Identity, &[x])));
        assert_eq!(threshold(network.graph(), network.graph().outputs()[0]), Some(0.0));
    }
}
