//! Where class 1 begins in an output of one number, as the operators say that make it.

use network::{Binary, DataType, Graph, IntegerFunction, IntegerOp, Node, Op, Reduction, Unary, ValueId};

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// It is a probability, or 0 and 1.
    Probability,
    /// It lies on both sides of 0.
    Signed,
    /// Nothing: it lies on one side of 0, its zero is not known, or it is computed from probabilities.
    Unclear,
}

impl Meaning {
    /// Of a number that is computed from one of this meaning, no longer on its scale.
    fn scaled(self) -> Self {
        if self == Self::Signed { Self::Signed } else { Self::Unclear }
    }
}

/// The number above which an image is of class 1: 0.5 of a probability, else 0. `None` where only the user knows: of numbers
/// that can never lie below 0, of constants, and of arithmetic on probabilities.
pub(crate) fn threshold(graph: &Graph, output: ValueId) -> Option<f32> {
    if graph.value(output).constant.is_some() {
        return None;
    }
    let mut known = Known { graph, meanings: vec![Meaning::Signed; graph.values().len()] };
    for node in graph.nodes() {
        let meaning = known.of_node(node);
        node.outputs.iter().for_each(|output| known.meanings[output.0] = meaning);
    }
    match known.meanings[output.0] {
        Meaning::Probability => Some(0.5),
        Meaning::Signed => Some(0.0),
        Meaning::Unclear => None,
    }
}

/// What is known of every value behind the nodes that are looked at. Nodes stand in an order in which each reads what is
/// made before it.
struct Known<'a> {
    graph: &'a Graph,
    meanings: Vec<Meaning>,
}

impl Known<'_> {
    fn of_node(&self, node: &Node) -> Meaning {
        match &node.op {
            Op::Unary(function) => of_function(*function, self.of_input(node, 0)),
            Op::Binary(function) => self.of_pair(*function, node),
            Op::Integer(op) => self.of_integers(op, node),
            Op::Softmax { .. } | Op::SoftmaxFrom { logarithm: false, .. } => Meaning::Probability,
            Op::LogSoftmax { .. } | Op::SoftmaxFrom { logarithm: true, .. } => Meaning::Unclear,
            Op::Reduce { reduction, .. } => match reduction {
                Reduction::Mean | Reduction::Max | Reduction::Min => self.of_input(node, 0),
                Reduction::Sum | Reduction::Product => self.of_input(node, 0).scaled(),
                Reduction::L1 | Reduction::L2 | Reduction::SumSquare => Meaning::Unclear,
                Reduction::LogSum | Reduction::LogSumExp => Meaning::Unclear,
            },
            Op::Cast => match input_type(self.graph, node) {
                // The zero of integers is that of their codes.
                Some(from) if !from.is_real() && from != DataType::Bool => Meaning::Unclear,
                Some(_) | None => self.of_input(node, 0),
            },
            // The first input is the condition.
            Op::Where => self.of_all(node, 1),
            Op::Concat { .. } => self.of_all(node, 0),
            Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalMaxPool | Op::GlobalAveragePool => self.of_input(node, 0),
            Op::Split { .. } | Op::Pad { .. } | Op::Slice { .. } | Op::Reshape | Op::Transpose { .. } => {
                self.of_input(node, 0)
            }
            Op::Expand | Op::Tile | Op::Gather { .. } | Op::Resize { .. } | Op::Identity => self.of_input(node, 0),
            Op::DepthToSpace { .. } | Op::SpaceToDepth { .. } | Op::GatherElements { .. } => self.of_input(node, 0),
            // Its thresholds decide where the levels begin.
            Op::MultiThreshold { .. } => Meaning::Unclear,
            Op::QuantizeLinear { .. } | Op::DequantizeLinear { .. } | Op::Quant(_) => self.of_input(node, 0),
            Op::DynamicQuantizeLinear => self.of_input(node, 0),
            Op::Mac(_) | Op::MatMul | Op::Lrn { .. } => Meaning::Signed,
            Op::BatchNormalization { .. } | Op::LayerNormalization { .. } | Op::InstanceNormalization { .. } => {
                Meaning::Signed
            }
            Op::Recurrent(recurrent) if !recurrent.is_signed() => Meaning::Unclear,
            Op::Recurrent(_) => Meaning::Signed,
            // The run ends there.
            Op::Unsupported => Meaning::Signed,
        }
    }

    fn of_pair(&self, function: Binary, node: &Node) -> Meaning {
        match function {
            Binary::Min | Binary::Max => self.of_all(node, 0),
            Binary::PRelu => self.of_input(node, 0),
            // Of two probabilities, either may be the larger one.
            Binary::Sub if self.computed(node, 0).count() == 2 => Meaning::Signed,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div => {
                let signed = self.computed(node, 0).any(|meaning| meaning == Meaning::Signed);
                if signed { Meaning::Signed } else { Meaning::Unclear }
            }
            Binary::Pow => Meaning::Unclear,
            Binary::And | Binary::Or | Binary::Xor | Binary::Equal => Meaning::Probability,
            Binary::Greater | Binary::GreaterOrEqual | Binary::Less | Binary::LessOrEqual => Meaning::Probability,
        }
    }

    fn of_integers(&self, op: &IntegerOp, node: &Node) -> Meaning {
        let of_real = |function| match self.of_pair(function, node) {
            // Integers that begin at the zero point never lie below 0.
            Meaning::Signed if op.output.min >= op.output.zero_point => Meaning::Unclear,
            meaning @ (Meaning::Signed | Meaning::Probability | Meaning::Unclear) => meaning,
        };
        match &op.function {
            IntegerFunction::Sigmoid | IntegerFunction::Softmax { .. } => Meaning::Probability,
            IntegerFunction::Lookup { function, .. } => {
                let input = self.of_input(node, 0);
                function.map_or(input, |function| of_function(function, input))
            }
            IntegerFunction::Add => of_real(Binary::Add),
            IntegerFunction::Sub => of_real(Binary::Sub),
            IntegerFunction::Mul => of_real(Binary::Mul),
            IntegerFunction::Concat { .. } => self.of_all(node, 0),
            IntegerFunction::Quantize | IntegerFunction::PRelu | IntegerFunction::LeakyRelu { .. } => {
                self.of_input(node, 0)
            }
            IntegerFunction::AveragePool(_) | IntegerFunction::GlobalAveragePool => self.of_input(node, 0),
            IntegerFunction::Mean { .. } | IntegerFunction::ResizeBilinear { .. } => self.of_input(node, 0),
        }
    }

    /// Of one input of a node.
    fn of_input(&self, node: &Node, index: usize) -> Meaning {
        let value = node.inputs.get(index).copied().flatten();
        let is_computed = value.is_some_and(|id| self.graph.value(id).constant.is_none());
        value.filter(|_| is_computed).map_or(Meaning::Unclear, |id| self.meanings[id.0])
    }

    /// Of a number that is one of these inputs, from `from` on: what all of them are that are computed from the image.
    fn of_all(&self, node: &Node, from: usize) -> Meaning {
        let mut computed = self.computed(node, from);
        let first = computed.next().unwrap_or(Meaning::Unclear);
        if computed.all(|meaning| meaning == first) { first } else { Meaning::Unclear }
    }

    /// Of the inputs from `from` on that are computed from the image.
    fn computed(&self, node: &Node, from: usize) -> impl Iterator<Item = Meaning> {
        let values = node.inputs.iter().skip(from).flatten();
        values.filter(|&&id| self.graph.value(id).constant.is_none()).map(|id| self.meanings[id.0])
    }
}

/// Of a function of a number of this meaning.
fn of_function(function: Unary, input: Meaning) -> Meaning {
    match function {
        Unary::Sigmoid | Unary::HardSigmoid { .. } | Unary::Not => Meaning::Probability,
        // Above 0 as the number before it, and the same as it between 0 and 1.
        Unary::Relu | Unary::Clip { .. } | Unary::LeakyRelu { .. } | Unary::Elu { .. } | Unary::Celu { .. } => input,
        Unary::ThresholdedRelu { .. } | Unary::Round => input,
        // What lies near 0 becomes 0, and keeps its sign elsewhere.
        Unary::Shrink { .. } => input.scaled(),
        Unary::Neg | Unary::Reciprocal | Unary::Selu { .. } | Unary::HardSwish | Unary::Tanh | Unary::Gelu { .. } => {
            input.scaled()
        }
        Unary::Softsign | Unary::Mish | Unary::Erf | Unary::Floor | Unary::Ceil | Unary::Sign => input.scaled(),
        Unary::Exp | Unary::Softplus | Unary::Sqrt | Unary::Abs | Unary::Log => Meaning::Unclear,
        // They keep the sign of a number.
        Unary::Atan | Unary::Sinh | Unary::Asin | Unary::Atanh => input.scaled(),
        Unary::Sin | Unary::Cos | Unary::Tan | Unary::Acos | Unary::Cosh | Unary::Acosh => Meaning::Unclear,
    }
}

fn input_type(graph: &Graph, node: &Node) -> Option<DataType> {
    graph.value((*node.inputs.first()?)?).data_type
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{
        ActivationQuantization, Cell, Direction, GateFunction, IntegerArithmetic, Network, Recurrent, RecurrentPart,
    };
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

    /// A function of a number and its sigmoid, in one.
    fn with_sigmoid(net: &mut Net, x: ValueId, function: Binary, of: Unary) -> ValueId {
        let (first, second) = (unary(net, x, of), unary(net, x, Unary::Sigmoid));
        net.same(Op::Binary(function), &[first, second])
    }

    /// What the second node of an RNN with such states makes.
    fn states(net: &mut Net, x: ValueId, function: GateFunction) -> ValueId {
        let direction = Direction { reverse: false, functions: vec![function] };
        let recurrent = Recurrent {
            part: RecurrentPart::Outputs,
            cell: Cell::Rnn,
            directions: vec![direction],
            matrices: 1,
            steps_first: true,
            lengths: None,
            clip: None,
            cell_clip: None,
            integers: None,
            inputs: Vec::new(),
        };
        net.same(Op::Recurrent(Box::new(recurrent)), &[x, x])
    }

    fn column(net: &mut Net, x: ValueId) -> ValueId {
        net.node(Op::Slice { starts: vec![1], ends: vec![2], axes: vec![1], steps: vec![1] }, &[x], &[1, 1])
    }

    fn column_of(net: &mut Net, x: ValueId, op: Op) -> ValueId {
        let x = net.same(op, &[x]);
        column(net, x)
    }

    #[test]
    fn class_1_begins_where_the_operators_say() {
        /// What it is, the numbers of the last layer, what is behind it, and the threshold.
        type Case = (&'static str, usize, Behind, Option<f32>);
        let cases: [Case; 26] = [
            ("a logit", 1, |_, x| x, Some(0.0)),
            ("states of tanh", 1, |net, x| states(net, x, GateFunction::Tanh), Some(0.0)),
            ("states of a sigmoid", 1, |net, x| states(net, x, GateFunction::Sigmoid), None),
            ("states of relu", 1, |net, x| states(net, x, GateFunction::Relu), None),
            ("a logit less a constant", 1, |net, x| with_one(net, x, Binary::Sub), Some(0.0)),
            ("a sigmoid", 1, |net, x| unary(net, x, Unary::Sigmoid), Some(0.5)),
            ("another", 1, |net, x| unary(net, x, Unary::HardSigmoid { alpha: 0.2, beta: 0.5 }), Some(0.5)),
            ("of integers", 1, |net, x| integers(net, x, IntegerFunction::Sigmoid, -128), Some(0.5)),
            ("of a table", 1, |net, x| table(net, x, Some(Unary::Sigmoid)), Some(0.5)),
            ("integers that move", 1, |net, x| table(net, x, None), Some(0.0)),
            ("a sum of integers from 0 on", 1, |net, x| integers(net, x, IntegerFunction::Add, -128), None),
            ("a column of a softmax", 2, |net, x| column_of(net, x, Op::Softmax { axis: 1 }), Some(0.5)),
            (
                "of integers",
                2,
                |net, x| {
                    let x = integers(net, x, IntegerFunction::Softmax { axis: 1, beta: 1.0 }, -128);
                    column(net, x)
                },
                Some(0.5),
            ),
            ("its logarithm", 2, |net, x| column_of(net, x, Op::LogSoftmax { axis: 1 }), None),
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
            ("a product of probabilities", 1, |net, x| with_sigmoid(net, x, Binary::Mul, Unary::Sigmoid), None),
            ("a number times a probability", 1, |net, x| with_sigmoid(net, x, Binary::Mul, Unary::Tanh), Some(0.0)),
            ("a difference of probabilities", 1, |net, x| with_sigmoid(net, x, Binary::Sub, Unary::Sigmoid), Some(0.0)),
            (
                "the larger of two probabilities",
                1,
                |net, x| with_sigmoid(net, x, Binary::Max, Unary::Sigmoid),
                Some(0.5),
            ),
            ("the larger of unlike numbers", 1, |net, x| with_sigmoid(net, x, Binary::Max, Unary::Tanh), None),
            (
                "one of unlike numbers",
                1,
                |net, x| {
                    let probability = unary(net, x, Unary::Sigmoid);
                    let both = net.node(Op::Concat { axis: 1 }, &[x, probability], &[1, 2]);
                    column(net, both)
                },
                None,
            ),
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
