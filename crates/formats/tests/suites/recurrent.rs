//! Are the products of recurrent operators layers, with the costs of their steps?

use formats::onnx::proto::AttributeProto;
use formats::{BatchAxis, ReadOptions};
use network::{Network, NoteKind, Op};

use testkit::*;

use crate::questions::*;

/// Features, hidden units and steps of all networks here.
const FEATURES: i64 = 3;
const HIDDEN: i64 = 4;
const STEPS: i64 = 5;

/// The weights of an operator of so many gates and directions, `w` and `r`.
fn weights(model: Model, gates: i64, directions: i64) -> Model {
    let rows = gates * HIDDEN;
    model.weights("w", &[directions, rows, FEATURES]).weights("r", &[directions, rows, HIDDEN])
}

/// A recurrent operator that reads `x` of this shape.
fn of(op: &str, gates: i64, shape: &[i64], attributes: Vec<AttributeProto>) -> Model {
    let both = attributes.iter().any(|attribute| attribute.s == "bidirectional".as_bytes());
    let model = weights(model().input("x", shape), gates, if both { 2 } else { 1 });
    model.node_with(op, &["x", "w", "r"], &["y"], attributes)
}

/// Name and MACs of each layer.
fn layers(network: &Network) -> Vec<(&str, u128)> {
    network.layers().iter().map(|layer| (layer.name.as_str(), layer.geometry.macs())).collect()
}

const SHAPE: [i64; 3] = [STEPS, 1, FEATURES];

fn both() -> Vec<AttributeProto> {
    vec![string("direction", "bidirectional")]
}

#[test]
fn macs_are_gates_times_matrices_times_steps() {
    // LSTM: 4·4·3 + 4·4·4 = 112 weights, 5 steps.
    let lstm = of("LSTM", 4, &SHAPE, vec![int("hidden_size", HIDDEN)]).read();
    assert_eq!(layers(&lstm), [("LSTM_y.input", 240), ("LSTM_y.recurrent", 320)]);
    assert_eq!((lstm.parameter_count(), output_shape(&lstm)), (112, vec![5, 1, 1, 4]));
    assert!(lstm.notes().is_empty() && lstm.not_costed().is_empty());

    let behind = vec![int("linear_before_reset", 1)];
    let cases = [
        ("GRU", 3, vec![], 84, 420),
        ("GRU", 3, behind, 84, 420),
        ("RNN", 1, vec![string("direction", "reverse")], 28, 140),
    ];
    check_all(cases, |(op, gates, attributes, weights, macs)| {
        let network = of(op, *gates, &SHAPE, attributes.clone()).read();
        assert_eq!(network.parameter_count(), *weights);
        assert_eq!(layers(&network).iter().map(|(_, macs)| macs).sum::<u128>(), *macs);
    });

    let two = of("LSTM", 4, &SHAPE, both()).read();
    let expected = [
        ("LSTM_y.input.forward", 240),
        ("LSTM_y.input.reverse", 240),
        ("LSTM_y.recurrent.forward", 320),
        ("LSTM_y.recurrent.reverse", 320),
    ];
    assert_eq!((layers(&two), output_shape(&two)), (expected.to_vec(), vec![5, 2, 1, 4]));
    assert_eq!(two.parameter_count(), 224);
}

#[test]
fn rows_that_multiply_reset_states_are_a_layer_of_their_own() {
    let gru = of("GRU", 3, &SHAPE, vec![]).read();
    let expected = [("GRU_y.input", 180), ("GRU_y.recurrent", 160), ("GRU_y.recurrent_hidden", 80)];
    assert_eq!(layers(&gru), expected);
    assert_eq!(gru.layers()[2].weights.name, "r[8..12]");
    assert_eq!(real_weights(&gru, 2)[0], 8.0 * 4.0 + 1.0);
    let behind = of("GRU", 3, &SHAPE, vec![int("linear_before_reset", 1)]).read();
    assert_eq!(layers(&behind), [("GRU_y.input", 180), ("GRU_y.recurrent", 240)]);
}

#[test]
fn each_direction_has_its_own_matrix() {
    let network = of("RNN", 1, &SHAPE, both()).read();
    let [forward, reverse] = [real_weights(&network, 0), real_weights(&network, 1)];
    assert_eq!((forward[0], reverse[0], reverse.len()), (1.0, 13.0, 12));
    assert_eq!(network.layers()[1].weights.name, "w[1]");
}

#[test]
fn weights_may_be_integers_with_scales() {
    let integers = |directions: i64, scales: &[f32], axis: i64| {
        let (rows, count) = (HIDDEN, directions * HIDDEN * FEATURES);
        let values: Vec<i8> = (0..count).map(|i| i as i8).collect();
        model()
            .input("x", &SHAPE)
            .int8s("q", &[directions, rows, FEATURES], &values)
            .weights("r", &[directions, rows, HIDDEN])
            .floats("s", &[scales.len() as i64], scales)
            .node_with("DequantizeLinear", &["q", "s"], &["w"], vec![int("axis", axis)])
    };
    let rnn = |model: Model, attributes| model.node_with("RNN", &["x", "w", "r"], &["y"], attributes).read();
    let by_filter = rnn(integers(1, &[0.5, 1.0, 2.0, 4.0], 1), vec![]);
    let (integers_of, scales) = codes(&by_filter, 0);
    assert_eq!((&integers_of[..4], scales), (&[0, 2, 4, 6][..], vec![0.5, 1.0, 2.0, 4.0]));
    let by_direction = rnn(integers(2, &[0.5, 0.25], 0), both());
    let (integers_of, scales) = codes(&by_direction, 1);
    assert_eq!((&integers_of[..2], scales), (&[24, 26][..], vec![0.25]));
}

/// An LSTM as onnxruntime quantizes one: weights `[directions, numbers, rows]` of integers, with scales of this shape.
fn quantized(directions: i64, scales: &[i64]) -> Model {
    let integers = |name: &str, depth: i64| {
        let values: Vec<i8> = (0..directions * depth * 16).map(|i| (i % 100) as i8).collect();
        int8s(name, &[directions, depth, 16], &values)
    };
    let count = scales.iter().product::<i64>() as usize;
    let parameters: Vec<f32> = (1..=count).map(|i| i as f32 / 16.0).collect();
    let attributes = if directions == 2 { both() } else { vec![] };
    model()
        .input("x", &SHAPE)
        .tensor(integers("w", FEATURES))
        .tensor(integers("r", HIDDEN))
        .floats("s", scales, &parameters)
        .int8s("z", scales, &vec![0; count])
        .node_with(
            "com.microsoft:DynamicQuantizeLSTM",
            &["x", "w", "r", "", "", "", "", "", "s", "z", "s", "z"],
            &["all", "y", "c"],
            attributes,
        )
}

#[test]
fn dynamically_quantized_weights_are_integers() {
    let one = quantized(1, &[1]).read();
    assert_eq!(layers(&one), [("DynamicQuantizeLSTM_all.input", 240), ("DynamicQuantizeLSTM_all.recurrent", 320)]);
    assert_eq!((output_shape(&one), one.not_costed().len()), (vec![1, 1, 4], 0));
    // The first filter is the first column: 0, 16, 32.
    let (integers, scales) = codes(&one, 0);
    assert_eq!((&integers[..4], scales), (&[0, 32, 64, 2][..], vec![1.0 / 16.0]));
    let (_, by_filter) = codes(&quantized(1, &[1, 16]).read(), 1);
    assert_eq!((by_filter.len(), by_filter[15]), (16, 1.0));
    // The second direction of 3 · 16 integers begins with 48.
    let two = quantized(2, &[2]).read();
    let (integers, scales) = codes(&two, 1);
    assert_eq!((&integers[..3], scales), (&[96, 128, 160][..], vec![2.0 / 16.0]));
    let unknown = quantized(2, &[2, 16]).error();
    assert!(unknown.contains("com.microsoft:DynamicQuantizeLSTM"), "{unknown}");
}

#[test]
fn layers_behind_have_shapes_and_costs() {
    // y is [steps, directions, batch, hidden], y_h is [directions, batch, hidden].
    let dense = |outputs: &[&str], read: &str| {
        weights(model().input("x", &SHAPE), 3, 1)
            .node("GRU", &["x", "w", "r"], outputs)
            .ints("s", &[-1, HIDDEN])
            .node("Reshape", &[read, "s"], &["flat"])
            .weights("v", &[HIDDEN, 2])
            .node("Gemm", &["flat", "v"], &["y"])
            .read()
    };
    let every_step = dense(&["all"], "all");
    assert_eq!((every_step.layers()[3].geometry.macs(), output_shape(&every_step)), (40, vec![5, 2]));
    let last_step = dense(&["", "last"], "last");
    assert_eq!((last_step.layers()[3].geometry.macs(), output_shape(&last_step)), (8, vec![1, 2]));
    let operators: Vec<&Op> = last_step.graph().nodes().iter().map(|node| &node.op).collect();
    assert!(matches!(operators[0], Op::Mac(_)) && matches!(operators[1], Op::Recurrent(_)), "{operators:?}");
}

#[test]
fn optional_inputs_cost_nothing() {
    let with_all = |lens: &[i32]| {
        weights(model().input("x", &SHAPE), 4, 1)
            .weights("b", &[1, 32])
            .tensor(int32s("lens", &[1], lens))
            .weights("h", &[1, 1, HIDDEN])
            .weights("p", &[1, 12])
            .node_with(
                "LSTM",
                &["x", "w", "r", "b", "lens", "h", "h", "p"],
                &["all", "y", "c"],
                vec![int("input_forget", 1), float("clip", 3.0)],
            )
    };
    let network = with_all(&[5]).read();
    assert_eq!((layers(&network)[1].1, output_shape(&network), network.notes().len()), (320, vec![1, 1, 4], 0));
    let short = with_all(&[3]).read();
    let note = short.notes()[0].text();
    let expected =
        "operator LSTM (node \"LSTM_all\"): costs are those of 5 steps, though sequence_lens has sequences of 3 steps";
    assert_eq!((note, short.notes()[0].kind()), (expected, NoteKind::Assumed));
    let long = with_all(&[6]).error();
    assert!(long.contains("sequence_lens has 6; expected at most the 5 steps of the input"), "{long}");
}

#[test]
fn what_has_no_steps_here_is_costed_and_named() {
    let lens = |model: Model| model.node("LSTM", &["x", "w", "r", "", "lens"], &["y"]).read();
    let known = |lens: i32| weights(model().input("x", &SHAPE), 4, 1).tensor(int32s("lens", &[1], &[lens]));
    let fed = weights(model().input("x", &SHAPE).input("f", &[1]), 4, 1);
    let fed = fed.node_with("Cast", &["f"], &["lens"], vec![int("to", 6)]);
    let affine = of("RNN", 1, &SHAPE, vec![strings("activations", &["Affine"])]).read();
    let cases = [
        (affine, "operator RNN (node \"RNN_y\") is not run: ", "its activation \"Affine\" is not handled"),
        (quantized(1, &[1]).read(), "operator LSTM (node", "onnxruntime rounds its states to integers at each step"),
        (lens(known(0)), "operator LSTM (node", "sequence_lens has a sequence of no steps; costs are those of 5 steps"),
        (
            lens(fed),
            "operator LSTM (node",
            "its lengths of sequences are not constant; costs are those of 5 steps, of which",
        ),
    ];
    check_all(cases, |(network, start, reason)| {
        let note = network.notes()[0].text();
        assert!(note.starts_with(start) && note.contains(&format!("its steps are not run, for {reason}")), "{note}");
        assert!(network.layers().len() == 2 && network.not_costed().is_empty());
    });
}

#[test]
fn functions_are_one_for_each_place_and_direction() {
    let functions = |names: &[&str]| of("GRU", 3, &SHAPE, vec![strings("activations", names)]);
    let network = functions(&["sigmoid", "Relu"]).read();
    assert!(network.notes().is_empty());
    let message = functions(&["Sigmoid", "Tanh", "Tanh"]).error();
    assert!(message.contains("attribute \"activations\" has 3 functions; expected 2"), "{message}");
}

#[test]
fn the_batch_is_the_axis_of_the_sequences() {
    let macs = |network: &Network| layers(network)[0].1;
    // 5 steps of 2 sequences: one of them has 5 steps.
    let steps_first = of("LSTM", 4, &[STEPS, 2, FEATURES], vec![]).read();
    assert_eq!((steps_first.batch(), steps_first.batch_axis(), macs(&steps_first)), (2, 1, 240));
    let note = steps_first.notes()[0].text();
    assert!(note.starts_with("axis 1 of input \"x\" [5, 2, 3] is taken as a batch of 2: "), "{note}");
    let batch_first = of("LSTM", 4, &[2, STEPS, FEATURES], vec![int("layout", 1)]).read();
    assert_eq!((batch_first.batch(), batch_first.batch_axis(), macs(&batch_first)), (2, 0, 240));
    assert_eq!(output_shape(&batch_first), [2, 5, 1, 4]);
    let whole = ReadOptions { batch_axis: BatchAxis::None, ..ReadOptions::default() };
    let all = of("LSTM", 4, &[STEPS, 2, FEATURES], vec![]).read_with(&whole).expect("it is valid");
    assert_eq!((all.batch(), macs(&all)), (1, 480));

    // Only the axis of the sequences may be left open.
    let open = of("LSTM", 4, &[STEPS, 0, FEATURES], vec![]).read();
    assert_eq!((open.batch(), macs(&open)), (1, 240));
    let message = of("LSTM", 4, &[0, 1, FEATURES], vec![]).error();
    assert!(message.contains("shape [?, 1, 3] has open extents besides the batch"), "{message}");
}

#[test]
fn the_batch_is_found_before_the_operator() {
    let lstm = |before: Model| weights(before, 4, 1).node("LSTM", &["steps", "w", "r"], &["y"]).read();
    let turned = lstm(model().input("x", &[2, STEPS, FEATURES]).node_with(
        "Transpose",
        &["x"],
        &["steps"],
        vec![int_list("perm", &[1, 0, 2])],
    ));
    let one_sequence =
        lstm(model().input("x", &[STEPS, FEATURES]).ints("at", &[1]).node("Unsqueeze", &["x", "at"], &["steps"]));
    let projected = lstm(
        model()
            .input("x", &[STEPS, 2, 7])
            .weights("v", &[7, FEATURES])
            .weights("c", &[FEATURES])
            .node("MatMul", &["x", "v"], &["product"])
            .node("Add", &["c", "product"], &["sum"])
            .node("Relu", &["sum"], &["steps"]),
    );
    let images = lstm(
        model()
            .input("x", &[2, FEATURES, 1, STEPS])
            .weights("k", &[FEATURES, FEATURES, 1, 1])
            .node("Conv", &["x", "k"], &["columns"])
            .ints("s", &[2, FEATURES, STEPS])
            .node("Reshape", &["columns", "s"], &["lines"])
            .node_with("Transpose", &["lines"], &["steps"], vec![int_list("perm", &[2, 0, 1])]),
    );
    let cases = [
        ("turned", turned, (2, 0)),
        ("one sequence", one_sequence, (1, 0)),
        ("projected", projected, (2, 1)),
        ("images", images, (2, 0)),
    ];
    check_all(cases, |(what, network, batch)| {
        assert_eq!((network.batch(), network.batch_axis()), *batch, "{what}");
        let macs = layers(network).iter().rev().take(2).map(|(_, macs)| macs).sum::<u128>();
        assert_eq!(macs, 560, "{what}");
    });
}

#[test]
fn weights_that_are_no_constants_are_not_costed() {
    let model = weights(model().input("x", &SHAPE).input("v", &[1, 16, 3]), 4, 1)
        .node("Relu", &["v"], &["made"])
        .node("LSTM", &["x", "made", "r"], &["all", "last"])
        .ints("s", &[-1, HIDDEN])
        .node("Reshape", &["last", "s"], &["flat"])
        .weights("m", &[HIDDEN, 2])
        .node("Gemm", &["flat", "m"], &["y"]);
    let network = model.read();
    assert_eq!((layers(&network), output_shape(&network)), (vec![("Gemm_y", 8)], vec![1, 2]));
    let [found] = network.not_costed() else { panic!("{:?}", network.not_costed()) };
    assert_eq!(
        (found.operator.as_str(), found.reason.as_str()),
        ("LSTM", "its weights depend on the input of the network")
    );
}

#[test]
fn what_does_not_fit_is_invalid() {
    let of_weights = |w: &[i64], r: &[i64], attributes| {
        let model = model().input("x", &SHAPE).weights("w", w).weights("r", r);
        model.node_with("GRU", &["x", "w", "r"], &["y"], attributes).error()
    };
    let cases = [
        (of_weights(&[1, 12, 2], &[1, 12, 4], vec![]), "weights of shape [1, 12, 2]; expected [1, 12, 3]"),
        (of_weights(&[1, 12, 3], &[1, 16, 4], vec![]), "recurrent weights of shape [1, 16, 4]; expected [1, 12, 4]"),
        (of_weights(&[1, 12, 3], &[1, 12, 4], both()), "weights of shape [1, 12, 3]; expected [2, 12, 3]"),
        (of_weights(&[1, 12, 3], &[1, 12, 4], vec![int("hidden_size", 5)]), "hidden_size is 5, but its recurrent"),
        (
            of_weights(&[1, 12, 3], &[1, 12, 4], vec![string("direction", "both")]),
            "attribute \"direction\" is \"both\"",
        ),
        (of_weights(&[1, 12, 3], &[1, 12, 4], vec![int("input_forget", 1)]), "unexpected attribute \"input_forget\""),
        (of_weights(&[12, 3], &[12, 4], vec![]), "recurrent weights of [12, 4]; expected three axes each"),
        (
            of("RNN", 1, &SHAPE, vec![float("clip", 0.0)]).error(),
            "attribute \"clip\" is 0; expected a finite number above 0",
        ),
        (of("LSTM", 4, &[2, FEATURES], vec![]).error(), "input of shape [2, 3] and recurrent weights of"),
        (
            weights(model().input("x", &SHAPE), 1, 1)
                .int8s("i", &[1, 4, 3], &[1; 12])
                .node("RNN", &["x", "i", "r"], &["y"])
                .error(),
            "inputs of types float32 and int8; expected one type",
        ),
    ];
    check_all(cases, |(message, expected)| {
        assert!(message.contains("node \"") && message.contains(expected), "{message}");
    });
    // The first input says that there are 4 images, which 3 sequences are not.
    let torn = model().input("images", &[4, 2]).input("x", &[STEPS, 3, FEATURES]);
    let torn = weights(torn, 4, 1).node("LSTM", &["x", "w", "r"], &["y"]).error();
    assert!(torn.contains("has 3 sequences on axis 1, which do not divide into a batch of 4"), "{torn}");
}
