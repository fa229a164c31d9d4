//! Is a network that contradicts itself refused, and by the rule that it breaks? And does a graph know who makes and
//! who reads each value?

use esn::Grid;
use network::{
    Bias, Binary, DataType, Geometry, GeometrySpec, LayerId, MacLayer, MacOp, ModelError, NetworkBuilder, Node, NodeId,
    Op, Operand, Scatter, Tensor, Unary, Value, ValueId, WeightQuantization, WeightSource, WindowAxis,
};
use proptest::prelude::*;
use proptest::sample::Index;

const SHAPE: [usize; 4] = [1, 2, 3, 3];

/// A step of a graph: its kind, and which values it reads of those that are there.
type Step = (u8, Index, Index);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..4u8, any::<Index>(), any::<Index>()), 1..12)
}

fn value(network: &mut NetworkBuilder, name: String) -> ValueId {
    network.add_value(Value::new(name, Some(DataType::F32), Some(SHAPE.to_vec())))
}

fn node(name: &str, op: Op, inputs: &[ValueId], output: ValueId) -> Node {
    let inputs = inputs.iter().copied().map(Some).collect();
    Node { name: name.to_string(), op_type: "op".to_string(), op, inputs, outputs: vec![output] }
}

/// A convolution of 1 × 1 that keeps the shape.
fn layer(name: &str, input: ValueId, output: ValueId) -> MacLayer {
    MacLayer {
        name: name.to_string(),
        op: MacOp::Conv,
        geometry: Geometry::new(GeometrySpec::convolution(2, 2, [1, 1], [3, 3])).expect("a valid geometry"),
        operand: Operand::ChannelsFirst,
        weights: WeightSource::from_f32("w", [2, 2, 1, 1], &[1.0; 4]),
        bias: None,
        alpha: 1.0,
        input_quantization: None,
        requantization: None,
        input,
        output,
    }
}

/// A network of these steps between two layers. Every step reads values that are there already.
fn build(steps: &[Step]) -> NetworkBuilder {
    let mut network = NetworkBuilder::new("made");
    let x = value(&mut network, "x".to_string());
    network.set_inputs(vec![x]);
    let constant = network.add_constant("c", Tensor::from_f32(vec![1], &[2.0]));
    let mut there = vec![x];
    for (index, (kind, a, b)) in steps.iter().enumerate() {
        let (a, b) = (*a.get(&there), *b.get(&there));
        let y = value(&mut network, format!("v{index}"));
        let name = format!("n{index}");
        match (index, kind) {
            (0, _) | (_, 0) => {
                network.add_mac("Conv", layer(&name, a, y));
            }
            (_, 1) => {
                network.add_node(node(&name, Op::Unary(Unary::Relu), &[a], y));
            }
            (_, 2) => {
                network.add_node(node(&name, Op::Binary(Binary::Add), &[a, b], y));
            }
            _ => {
                network.add_node(node(&name, Op::Binary(Binary::Mul), &[a, constant], y));
            }
        }
        there.push(y);
    }
    let last = *there.last().expect("the input at least");
    let y = value(&mut network, "y".to_string());
    network.add_mac("Conv", layer("last", last, y));
    network.set_outputs(vec![y]);
    network
}

/// One way to break a network.
struct Break {
    what: &'static str,
    apply: fn(&mut NetworkBuilder, Index),
    is_found: fn(&ModelError) -> bool,
}

fn any_node(network: &NetworkBuilder, pick: Index) -> NodeId {
    NodeId(pick.index(network.nodes().len()))
}

const BREAKS: [Break; 27] = [
    Break {
        what: "a node reads what it makes itself",
        apply: |network, pick| {
            let id = any_node(network, pick);
            let own = network.node(id).outputs[0];
            network.node_mut(id).inputs[0] = Some(own);
        },
        is_found: |error| matches!(error, ModelError::ReadBeforeMade { .. }),
    },
    Break {
        what: "the first node reads what a later one makes",
        apply: |network, pick| {
            let later = network.node(any_node(network, pick)).outputs[0];
            network.node_mut(NodeId(0)).inputs[0] = Some(later);
        },
        is_found: |error| matches!(error, ModelError::ReadBeforeMade { place, .. } if place.contains("\"n0\"")),
    },
    Break {
        what: "a node reads what nothing makes",
        apply: |network, pick| {
            let lost = value(network, "lost".to_string());
            let id = any_node(network, pick);
            network.node_mut(id).inputs.push(Some(lost));
        },
        is_found: |error| matches!(error, ModelError::NeverMade { place, .. } if place.starts_with("node")),
    },
    Break {
        what: "an output that nothing makes",
        apply: |network, _| {
            let lost = value(network, "lost".to_string());
            network.set_outputs(vec![lost]);
        },
        is_found: |error| matches!(error, ModelError::NeverMade { place, .. } if place == "outputs"),
    },
    Break {
        what: "two nodes make one value",
        apply: |network, pick| {
            let (made, x) = (network.node(any_node(network, pick)).outputs[0], network.inputs()[0]);
            network.add_node(node("again", Op::Identity, &[x], made));
        },
        is_found: |error| matches!(error, ModelError::MadeTwice { second, .. } if second == "node \"again\""),
    },
    Break {
        what: "one node makes a value in two places",
        apply: |network, pick| {
            let id = any_node(network, pick);
            let made = network.node(id).outputs[0];
            network.node_mut(id).outputs.push(made);
        },
        is_found: |error| matches!(error, ModelError::MadeTwice { first, second, .. } if first == second),
    },
    Break {
        what: "a node makes an input",
        apply: |network, pick| {
            let (id, x) = (any_node(network, pick), network.inputs()[0]);
            network.node_mut(id).outputs.push(x);
        },
        is_found: |error| matches!(error, ModelError::MadeTwice { first, .. } if first == "the inputs"),
    },
    Break {
        what: "a node makes a constant",
        apply: |network, pick| {
            let made = network.node(any_node(network, pick)).outputs[0];
            network.set_constant(made, Tensor::from_f32(vec![1], &[1.0]));
        },
        is_found: |error| matches!(error, ModelError::MadeTwice { first, .. } if first == "the constants"),
    },
    Break {
        what: "an input twice",
        apply: |network, _| network.set_inputs([network.inputs(), network.inputs()].concat()),
        is_found: |error| matches!(error, ModelError::MadeTwice { second, .. } if second == "the inputs"),
    },
    Break {
        what: "a value from outside that a node makes",
        apply: |network, pick| {
            let made = network.node(any_node(network, pick)).outputs[0];
            network.set_outside(vec![made]);
        },
        is_found: |error| matches!(error, ModelError::MadeTwice { first, .. } if first == "the outside"),
    },
    Break {
        what: "a node that reads a value that is not there",
        apply: |network, pick| {
            let (id, count) = (any_node(network, pick), network.values().len());
            network.node_mut(id).inputs.push(Some(ValueId(count)));
        },
        is_found: |error| matches!(error, ModelError::NoSuchValue { value, count, .. } if value == count),
    },
    Break {
        what: "an output that is not there",
        apply: |network, _| network.set_outputs(vec![ValueId(usize::MAX)]),
        is_found: |error| matches!(error, ModelError::NoSuchValue { place, .. } if place == "outputs"),
    },
    Break {
        what: "a layer that makes a value that is not there",
        apply: |network, _| network.layers_mut()[0].output = ValueId(usize::MAX),
        is_found: |error| matches!(error, ModelError::NoSuchValue { place, .. } if place == "layer \"n0\""),
    },
    Break {
        what: "a layer that reads another value than its node",
        apply: |network, _| network.layers_mut()[0].input = ValueId(1),
        is_found: |error| {
            matches!(error, ModelError::LayerMismatch { end: "input", of_layer: 1, of_node: Some(0), .. })
        },
    },
    Break {
        what: "a layer that makes another value than its node",
        apply: |network, _| network.layers_mut()[0].output = ValueId(1),
        is_found: |error| matches!(error, ModelError::LayerMismatch { end: "output", of_layer: 1, .. }),
    },
    Break {
        what: "two nodes for one layer",
        apply: |network, _| {
            let y = value(network, "twin".to_string());
            let x = network.inputs()[0];
            network.add_node(node("twin", Op::Mac(LayerId(0)), &[x], y));
        },
        is_found: |error| matches!(error, ModelError::LayerOrder { found: 0, .. }),
    },
    Break {
        what: "a node for a layer that is not there",
        apply: |network, _| {
            let y = value(network, "more".to_string());
            let (x, count) = (network.inputs()[0], network.layers().len());
            network.add_node(node("more", Op::Mac(LayerId(count)), &[x], y));
        },
        is_found: |error| matches!(error, ModelError::LayerOrder { found, count, .. } if found == count),
    },
    Break {
        what: "a layer without a node",
        apply: |network, _| {
            let y = value(network, "unseen".to_string());
            let x = network.inputs()[0];
            network.add_layer(layer("unseen", x, y));
        },
        is_found: |error| matches!(error, ModelError::LayerWithoutNode { layer } if layer == "unseen"),
    },
    Break {
        what: "a layer whose output has no shape",
        apply: |network, _| {
            let output = network.layers()[0].output;
            network.value_mut(output).shape = None;
        },
        is_found: |error| matches!(error, ModelError::UnknownShape { .. }),
    },
    Break {
        what: "a constant of another shape than its tensor",
        apply: |network, _| network.value_mut(ValueId(1)).shape = Some(vec![2]),
        is_found: |error| matches!(error, ModelError::ConstantMismatch { value, .. } if value == "c"),
    },
    Break {
        what: "a constant of another type than its tensor",
        apply: |network, _| network.value_mut(ValueId(1)).data_type = Some(DataType::I8),
        is_found: |error| matches!(error, ModelError::ConstantMismatch { value, .. } if value == "c"),
    },
    Break {
        what: "a layer of another name than its node",
        apply: |network, _| network.node_mut(NodeId(0)).name = "other".to_string(),
        is_found: |error| matches!(error, ModelError::LayerName { layer, node } if layer == "n0" && node == "other"),
    },
    Break {
        what: "the node of a layer that reads a second value",
        apply: |network, _| network.node_mut(NodeId(0)).inputs.push(Some(ValueId(1))),
        is_found: |error| matches!(error, ModelError::LayerEnds { inputs: 2, outputs: 1, .. }),
    },
    Break {
        what: "a layer with a bias too many",
        apply: |network, _| network.layers_mut()[0].bias = Some(Bias::Float(vec![0.0; 3])),
        is_found: |error| matches!(error, ModelError::LayerNumbers { what: "biases", found: 3, filters: 2, .. }),
    },
    Break {
        what: "a layer without a scale for its weights",
        apply: |network, _| {
            let (grid, data_type) = (Grid::MidTread, DataType::I8);
            let quantization = WeightQuantization { scales: vec![], zero_points: vec![0], grid, data_type, clip: None };
            network.layers_mut()[0].weights.quantization = Some(quantization);
        },
        is_found: |error| matches!(error, ModelError::LayerNumbers { what: "scales of weights", found: 0, .. }),
    },
    Break {
        what: "a transposed convolution of more taps than filters",
        apply: |network, _| network.layers_mut()[0].op = transposed(3),
        is_found: |error| matches!(error, ModelError::LayerScatter { filters: 2, taps: 3, .. }),
    },
    Break {
        what: "a transposed convolution whose taps have different scales",
        apply: |network, _| {
            let (grid, data_type, scales) = (Grid::MidTread, DataType::I8, vec![0.5, 0.25]);
            let quantization = WeightQuantization { scales, zero_points: vec![0], grid, data_type, clip: None };
            let layer = &mut network.layers_mut()[0];
            (layer.op, layer.bias) = (transposed(2), None);
            layer.weights.quantization = Some(quantization);
        },
        is_found: |error| matches!(error, ModelError::MixedScales { channel: 0, .. }),
    },
];

/// A transposed convolution of so many taps in a row, over 3 × 3 positions.
fn transposed(taps: usize) -> MacOp {
    let axis = |kernel: usize| WindowAxis { size: 3, kernel, out: 3, ..WindowAxis::ONE };
    MacOp::ConvTranspose(Scatter { axes: [WindowAxis::ONE, axis(1), axis(taps)] })
}

proptest! {
    #[test]
    fn a_graph_knows_who_makes_and_who_reads_each_value(steps in steps()) {
        let network = build(&steps).finish().expect("every step reads what is there");
        let graph = network.graph();
        let uses = graph.uses();
        for id in (0..graph.values().len()).map(ValueId) {
            let made = graph.nodes().iter().position(|node| node.outputs.contains(&id));
            prop_assert_eq!(graph.producer(id), made.map(NodeId));
            let reads = |(i, node): (usize, &Node)| {
                vec![NodeId(i); node.inputs.iter().filter(|&&x| x == Some(id)).count()]
            };
            let readers: Vec<NodeId> = graph.nodes().iter().enumerate().flat_map(reads).collect();
            prop_assert_eq!(graph.readers(id), readers.as_slice());
            prop_assert_eq!(uses[id.0], readers.len() + graph.outputs().iter().filter(|&&y| y == id).count());
        }
    }

    #[test]
    fn a_network_that_is_taken_apart_and_not_changed_is_the_same(steps in steps()) {
        let network = build(&steps).finish().expect("every step reads what is there");
        let again = network.edit().finish().expect("nothing has changed");
        prop_assert_eq!(format!("{network:?}"), format!("{again:?}"));
    }

    #[test]
    fn what_is_broken_is_refused_by_the_rule_that_it_breaks(steps in steps(), pick in any::<Index>()) {
        for Break { what, apply, is_found } in BREAKS {
            let mut network = build(&steps);
            apply(&mut network, pick);
            match network.finish() {
                Err(error) => prop_assert!(is_found(&error), "{}: {}", what, error),
                Ok(_) => prop_assert!(false, "{}: not found", what),
            }
        }
    }

    #[test]
    fn what_comes_after_a_mark_can_be_taken_back(steps in steps(), more in steps()) {
        let mut network = build(&steps);
        let (before, mark) = (format!("{network:?}"), network.mark());
        let x = network.inputs()[0];
        for index in 0..more.len() {
            let y = value(&mut network, format!("w{index}"));
            network.add_mac("Conv", layer("m", x, y));
        }
        network.rewind(mark);
        prop_assert_eq!(format!("{network:?}"), before);
    }
}

#[test]
fn layers_stand_in_the_order_of_their_nodes() {
    let mut network = NetworkBuilder::new("made");
    let [x, a, y] = ["x", "a", "y"].map(|name| value(&mut network, name.to_string()));
    network.set_inputs(vec![x]);
    network.set_outputs(vec![y]);
    network.add_layer(layer("second", a, y));
    network.add_layer(layer("first", x, a));
    network.add_node(node("first", Op::Mac(LayerId(1)), &[x], a));
    network.add_node(node("second", Op::Mac(LayerId(0)), &[a], y));
    let expected = ModelError::LayerOrder { node: "first".to_string(), found: 1, expected: 0, count: 2 };
    assert_eq!(network.finish().expect_err("the second layer comes first"), expected);
    assert_eq!(expected.to_string(), "node \"first\": layer 1 stands here; expected layer 0 of 2");
}

#[test]
fn what_comes_from_outside_is_read_without_being_made() {
    let mut network = NetworkBuilder::new("weights");
    let [x, y] = ["x", "y"].map(|name| value(&mut network, name.to_string()));
    network.add_mac("Conv", layer("alone", x, y));
    let error = network.clone().finish().expect_err("nobody feeds x");
    assert_eq!(error.to_string(), "node \"alone\": value \"x\" is read; nothing makes it");
    network.set_outside(vec![x]);
    let network = network.finish().expect("x is said to come from outside");
    assert!(!network.has_graph());
    assert_eq!(network.graph().producer(x), None);
}
