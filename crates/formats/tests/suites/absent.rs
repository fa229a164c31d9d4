//! Are files read that have the sizes of a network and no values, and is it said what they lack?

use formats::onnx::proto::TensorProto;
use formats::topology::Topology;
use formats::{ReadOptions, WriteFormat, prepare};
use network::{
    Bias, DataType, ErrorKind, Failure, LayerId, LayerWeights, Mend, Network, NetworkError, NoteKind, Synthetic,
};
use testkit::{Model, check_all, floats, int, int8s, model, raw, value_info};

/// A tensor of a type and a shape alone.
fn empty(name: &str, data_type: i32, dims: &[i64]) -> TensorProto {
    raw(name, data_type, dims, vec![])
}

/// A 3×3 convolution of 2 to 4 channels with a bias.
fn convolution(tensors: [TensorProto; 2]) -> Model {
    let [weights, bias] = tensors;
    model().input("x", &[1, 2, 5, 5]).tensor(weights).tensor(bias).node("Conv", &["x", "w", "b"], &["y"])
}

fn has_no_values(network: &Network, layer: usize) -> bool {
    matches!(network.weights(LayerId(layer)), Err(NetworkError::Unsupported { mend: Some(Mend::DrawWeights), .. }))
}

#[test]
fn tensors_of_which_nothing_is_stored_are_layers_of_known_size() {
    let no_field = TensorProto { raw_data: None, ..empty("w", 1, &[4, 2, 3, 3]) };
    let halves = empty("w", 16, &[4, 2, 3, 3]);
    check_all([empty("w", 1, &[4, 2, 3, 3]), no_field, halves], |weights| {
        let network = convolution([weights.clone(), floats("b", &[4], &[1.0, 2.0, 3.0, 4.0])]).read();
        assert_eq!(network.layers()[0].geometry.macs(), 4 * 18 * 9);
        assert!(has_no_values(&network, 0));
        assert_eq!(network.absent().len(), 1);
        let note = &network.notes()[0];
        assert_eq!((note.kind(), note.mend()), (NoteKind::LeftOut, Some(Mend::DrawWeights)));
        assert!(note.text().contains("tensor \"w\" (0 bytes are stored of it)"), "{note}");
        assert!(matches!(&network.layers()[0].bias, Some(Bias::Float(bias)) if bias[3] == 4.0));
        let refused = prepare(&network, WriteFormat::Onnx, &[]).expect_err("values are missing");
        assert!(refused.to_string().contains("no values of tensor \"w\""), "{refused}");
    });
}

#[test]
fn a_bias_without_values_changes_no_cost_and_no_file_is_written_without_it() {
    let weights: Vec<f32> = (0..72).map(|i| i as f32).collect();
    let network = convolution([floats("w", &[4, 2, 3, 3], &weights), empty("b", 1, &[4])]).read();
    assert!(matches!(network.weights(LayerId(0)), Ok(LayerWeights::Float(_))));
    assert_eq!(network.layers_without_weights().count(), 0);
    let refused = network.check_complete().expect_err("a bias is missing");
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("no values of tensor \"b\""), "{refused}");
    assert!(prepare(&network, WriteFormat::Safetensors, &[]).is_err());
}

/// What stands between weights without values and their layer: name of the tensor, and whether it still is a layer.
#[test]
fn steps_that_read_no_value_lead_from_absent_weights_to_a_layer() {
    let start = || model().input("x", &[1, 4]).tensor(empty("w", 1, &[3, 4]));
    let scale = || floats("s", &[], &[0.5]);
    let cases = [
        ("transposed", start().node("Transpose", &["w"], &["t"]), true),
        ("identical", start().node("Transpose", &["w"], &["i"]).node("Identity", &["i"], &["t"]), true),
        ("computed", start().node("Transpose", &["w"], &["i"]).node("Neg", &["i"], &["t"]), false),
        (
            "dequantized",
            model().input("x", &[1, 4]).tensor(empty("w", 3, &[4, 3])).tensor(scale()).node(
                "DequantizeLinear",
                &["w", "s"],
                &["t"],
            ),
            true,
        ),
        (
            "dequantized by an absent scale",
            model().input("x", &[1, 4]).tensor(empty("w", 3, &[4, 3])).tensor(empty("s", 1, &[3])).node(
                "DequantizeLinear",
                &["w", "s"],
                &["t"],
            ),
            true,
        ),
        (
            "quantized",
            start()
                .tensor(scale())
                .tensor(int8s("z", &[], &[0]))
                .node("QuantizeLinear", &["w", "s", "z"], &["q"])
                .node("DequantizeLinear", &["q", "s", "z"], &["d"])
                .node("Transpose", &["d"], &["t"]),
            true,
        ),
    ];
    check_all(cases, |(name, model, is_layer)| {
        // A second layer keeps the network from being none.
        let model = model.clone().tensor(empty("v", 1, &[3, 2])).node("MatMul", &["x", "t"], &["h"]);
        let network = model.node("MatMul", &["h", "v"], &["y"]).read();
        assert_eq!(network.layers().len(), 1 + usize::from(*is_layer), "{name}");
        assert_eq!(network.not_costed().len(), usize::from(!is_layer), "{name}");
        if *is_layer {
            assert!(has_no_values(&network, 0), "{name}");
            let drawn = network.with_synthetic_weights(Synthetic::new(1, 0.0).expect("a share"));
            drawn.weights(LayerId(0)).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    });
}

#[test]
fn a_parameter_without_values_is_named_where_a_shape_depends_on_it() {
    let message = model()
        .input("x", &[1, 4])
        .tensor(empty("to", 7, &[2]))
        .weights("w", &[2, 3])
        .node("Reshape", &["x", "to"], &["r"])
        .node("MatMul", &["r", "w"], &["y"])
        .error();
    assert!(message.contains("int64 [2], and no values"), "{message}");
}

/// Inputs of the graph beside `x`, the node that reads them, and which tensors are weights without values then.
#[test]
fn inputs_that_are_read_as_parameters_alone_are_weights_without_values() {
    let product = |w: &[i64]| model().input("x", &[0, 4]).input("w", w).node("MatMul", &["x", "w"], &["y"]);
    let conv = model().input("x", &[1, 2, 5, 5]).input("w", &[4, 2, 3, 3]).input("b", &[4]);
    let conv = || conv.clone().node("Conv", &["x", "w", "b"], &["y"]);
    let whole = |model: Model| model.weights("v", &[3, 2]).node("MatMul", &["y", "v"], &["z"]).returning("z");
    let cases: [(&str, Model, &[&str]); 6] = [
        ("a convolution", conv(), &["w", "b"]),
        ("a product", whole(product(&[4, 3])), &["w"]),
        (
            "an open extent",
            whole(model().input("x", &[0, 1]).input("w", &[0, 3]).node("MatMul", &["x", "w"], &["y"])),
            &[],
        ),
        ("the batch", whole(model().input("x", &[4, 4]).input("w", &[4, 3]).node("MatMul", &["x", "w"], &["y"])), &[]),
        ("also an activation", whole(product(&[4, 3]).node("Relu", &["w"], &["r"])), &[]),
        (
            "also an output",
            product(&[4, 3]).weights("v", &[3, 2]).node("MatMul", &["y", "v"], &["z"]).returning_all(&["z", "w"]),
            &[],
        ),
    ];
    check_all(cases, |(name, model, expected)| {
        let network = model.try_read();
        let Ok(network) = network else { panic!("{name}: {network:?}") };
        let absent: Vec<&str> = network.absent().iter().map(|absent| absent.tensor.as_str()).collect();
        assert_eq!(absent, *expected, "{name}");
        assert_eq!(network.graph().inputs().len(), if expected.is_empty() { 2 } else { 1 }, "{name}");
    });
    // Who gives an input a shape means to feed it.
    let options = ReadOptions { input_shapes: vec![("w".to_string(), vec![4, 3])], ..ReadOptions::default() };
    let fed = whole(product(&[4, 3])).read_with(&options).expect("it is valid");
    assert!(fed.absent().is_empty() && fed.graph().inputs().len() == 2);
}

#[test]
fn integers_at_operators_on_real_numbers_are_steps_of_one() {
    let integers = |op: &str, x: &[i64], w: &[i64]| {
        let mut model = model();
        model.graph.input.push(value_info("x", 3, x));
        let values: Vec<i8> = (0..w.iter().product::<i64>()).map(|i| (i - 2) as i8).collect();
        model.tensor(int8s("w", w, &values)).node(op, &["x", "w"], &["y"])
    };
    let cases = [
        integers("Conv", &[1, 2, 3, 3], &[2, 2, 1, 1]),
        integers("Gemm", &[1, 2], &[2, 2]),
        integers("MatMul", &[1, 2], &[2, 2]),
    ];
    check_all(cases, |model| {
        let network = model.read();
        let Ok(LayerWeights::Quantized { codes, scales }) = network.weights(LayerId(0)) else { panic!("no codes") };
        assert_eq!(scales, [1.0]);
        let mut sorted = codes.codes().to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, [-4, -2, 0, 2], "twice the integers");
        let note = network.notes().iter().find(|note| note.kind() == NoteKind::NotRun).expect("a note");
        assert!(note.text().contains("reads int8"), "{note}");
    });
    let mixed = model().input("x", &[1, 2, 3, 3]).int8s("w", &[1, 2, 1, 1], &[1, 2]).node("Conv", &["x", "w"], &["y"]);
    assert!(mixed.error().contains("weights of type int8; expected real numbers"));
}

#[test]
fn attributes_of_design_tools_are_noted_and_others_refused() {
    let with = |name: &str| {
        let model = model().input("x", &[1, 2]).weights("w", &[2, 3]);
        model.node_with("Gemm", &["x", "w"], &["y"], vec![int(name, 8)])
    };
    check_all(["act_size", "weight_size", "output_size"], |name| {
        let network = with(name).read();
        let notes: Vec<String> = network.notes().iter().map(ToString::to_string).collect();
        assert!(notes[0].ends_with(&format!("are passed over: {name}")), "{notes:?}");
    });
    assert!(with("wieght_size").error().contains("unexpected attribute \"wieght_size\""));
}

#[test]
fn layers_with_one_absent_tensor_share_it_and_others_of_that_size_do_not() {
    let network = model()
        .input("x", &[1, 2])
        .tensor(empty("w", 1, &[2, 2]))
        .tensor(empty("v", 1, &[2, 2]))
        .node("MatMul", &["x", "w"], &["a"])
        .node("MatMul", &["a", "w"], &["b"])
        .node("MatMul", &["b", "v"], &["y"])
        .read();
    let shared: Vec<Option<LayerId>> = (0..3).map(|id| network.shares_weights_with(LayerId(id))).collect();
    assert_eq!(shared, [None, Some(LayerId(0)), None]);
    let drawn = network.with_synthetic_weights(Synthetic::new(1, 0.0).expect("a share"));
    let weights: Vec<_> = (0..3).map(|id| drawn.weights(LayerId(id)).expect("drawn")).collect();
    assert!(weights[0] == weights[1] && weights[0] != weights[2]);
}

const CONV: &str =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

/// A topology; and of each layer name, weights, positions.
#[test]
fn a_topology_is_a_network_by_itself() {
    type Layers<'a> = &'a [(&'a str, u128, u64)];
    let of = |rows: &str| format!("{CONV}{rows}");
    let cases: [(String, Layers); 8] = [
        (of("a, 34, 18, 3, 3, 3, 8, 2,\nb, 1, 1, 1, 1, 8, 10, 1,"), &[("a", 216, 16 * 8), ("b", 80, 1)]),
        ("Layer, M, N, K,\nq, 7, 5, 3,\n".to_string(), &[("q", 15, 7)]),
        ("L,M,N,K,\nq, 7, 5, 3,\n".to_string(), &[("q", 15, 7)]),
        (of("a, 3, 3, 3, 3, 2, 1, 1,\na, 3, 3, 3, 3, 2, 1, 1,"), &[("a", 18, 1), ("a#2", 18, 1)]),
        (
            of("\nNetwork A,\na, 3, 3, 3, 3, 2, 1, 1,\n\nNetwork B,\nb, 3, 3, 3, 3, 2, 1, 1,"),
            &[("a", 18, 1), ("b", 18, 1)],
        ),
        (CONV.replace("IFMAP Height", "IFMAP Width") + "a, 5, 3, 3, 3, 1, 2, 1,", &[("a", 18, 3)]),
        (CONV.replace(", ", "\t ").replace(',', "\t") + "a\t5\t3\t3\t3\t1\t2\t1\t", &[("a", 18, 3)]),
        (CONV.replace("Strides,", "Strides, Batch Size,") + "a, 5, 3, 3, 3, 1, 2, 1, 4,", &[("a", 18, 3)]),
    ];
    check_all(cases, |(text, expected)| {
        let network = Topology::parse("t.csv".as_ref(), text).and_then(Topology::into_network).expect("a topology");
        let layers = network.layers().iter();
        let found: Vec<(&str, u128, u64)> = layers
            .map(|layer| {
                let (geometry, name) = (&layer.geometry, layer.name.as_str());
                (name, geometry.spec().filters as u128 * geometry.rows() as u128, geometry.positions())
            })
            .collect();
        assert_eq!(found, *expected);
        assert!(!network.has_graph() && has_no_values(&network, 0));
    });
}

#[test]
fn a_topology_by_itself_says_what_is_wrong_with_a_row() {
    let network = |text: String| Topology::parse("t.csv".as_ref(), &text).and_then(Topology::into_network);
    let cases = [
        (format!("{CONV}a, 3, 3, 5, 5, 1, 1, 1,"), "line 2, layer \"a\": "),
        (format!("{CONV}a, 3, B, 3, 3, 1, 1, 1,"), "line 2: IFMAP Width is \"B\""),
        (format!("{CONV}a, 3, 3, 3, ,1 2, 2, 1,"), "line 2: Filter Width is nothing"),
        (format!("{CONV}Network A,\n"), "it has a header and no rows"),
        (format!("{CONV}a, 1, 1, 1, 1, 9223372036854775807, 9, 1,"), "line 2, layer \"a\": "),
    ];
    check_all(cases, |(text, expected)| {
        let message = network(text.clone()).expect_err("it is refused").to_string();
        assert!(message.starts_with("t.csv: ") && message.contains(*expected), "{message}");
    });
    let depthwise = network(format!("{CONV}a, 9, 9, 3, 3, 32, 1, 1,")).expect("a topology");
    assert!(depthwise.notes()[0].text().contains("one filter over all channels"), "{:?}", depthwise.notes());
    assert_eq!(depthwise.layers()[0].weights.tensor.data_type, DataType::F32);
}
