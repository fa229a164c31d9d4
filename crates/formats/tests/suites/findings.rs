//! Is what a network leaves out said once, and never taken for nothing?

use formats::ReadOptions;
use network::{NotCosted, Note, NoteKind, Op, Unary};

use testkit::*;

use crate::questions::*;

/// A layer from `x` of shape `[1, 2, 4, 4]` to `y`.
fn with_layer() -> Model {
    model().input("x", &[0, 2, 4, 4]).weights("w", &[2, 2, 1, 1]).node("Conv", &["x", "w"], &["y"])
}

/// Names and reasons of the nodes that are not costed.
fn not_costed(model: &Model) -> Vec<(String, String)> {
    let network = model.read();
    network.not_costed().iter().map(|NotCosted { node, reason, .. }| (node.clone(), reason.clone())).collect()
}

fn model_of(weights: formats::onnx::proto::TensorProto) -> Model {
    model().input("x", &[0, 4]).tensor(weights).node("MatMul", &["x", "w"], &["y"])
}

#[test]
fn nothing_is_left_out_of_a_plain_network() {
    let network = with_layer().read();
    assert!(network.not_costed().is_empty() && network.notes().is_empty());
}

#[test]
fn layers_that_are_not_costed_are_listed() {
    let x = with_layer;
    let cases = [
        (
            x().ints("s", &[2, 2, 2, 4]).node("Reshape", &["x", "s"], &["k"]).node("Conv", &["x", "k"], &["z"]),
            "its weights depend on the input of the network",
        ),
        (
            x().ints("s", &[2, 2, 2, 4]).node("Reshape", &["x", "s"], &["k"]).node(
                "ConvTranspose",
                &["x", "k"],
                &["z"],
            ),
            "its weights depend on the input of the network",
        ),
        (x().weights("e", &[4, 4]).node("Einsum", &["x", "e"], &["z"]), "this operator is not handled"),
        (x().weights("l", &[4, 4]).node("DeformConv", &["x", "l", "l"], &["z"]), "this operator is not handled"),
        (x().weights("q", &[4, 4]).node("acme:Product", &["x", "q"], &["z"]), "reads a constant matrix"),
        (x().node("MatMul", &["x", "x"], &["z"]), "both sides depend on the input"),
        (x().weights("m", &[5, 2, 4, 4]).node("MatMul", &["x", "m"], &["z"]), "a stack of matrices"),
    ];
    check_all(cases, |(model, reason)| {
        let found = not_costed(&model.clone().returning_all(&["y", "z"]));
        assert!(found.len() == 1 && found[0].0.ends_with("_z") && found[0].1.contains(*reason), "{found:?}");
    });
    let volume = with_layer()
        .ints("s", &[1, 2, 2, 2, 2, 2])
        .weights("k", &[3, 2, 1, 1, 1, 1])
        .node("Reshape", &["x", "s"], &["x6"])
        .node("Conv", &["x6", "k"], &["z"])
        .returning_all(&["y", "z"]);
    assert!(not_costed(&volume)[0].1.contains("more than three axes"));
    assert_eq!(volume.read().not_costed()[0].operator, "Conv");
}

#[test]
fn operators_without_products_leave_nothing_out() {
    let model = with_layer().node("acme:Blend", &["x"], &["z"]).node("Trilu", &["x"], &["s"]);
    assert_eq!(not_costed(&model.returning_all(&["y", "z", "s"])), []);
    // Nor do products of constants, which are formed once.
    let model = with_layer().weights("e", &[4, 4]).node("Einsum", &["e", "e"], &["z"]).returning_all(&["y", "z"]);
    assert_eq!(not_costed(&model), []);
    assert_eq!(
        texts(model.read().notes()),
        ["operator Einsum (node \"Einsum_z\") is not run; the shape of its output is not known"]
    );
}

#[test]
fn many_nodes_make_one_note() {
    let mut model = with_layer();
    let mut outputs = vec!["y".to_string()];
    for i in 0..300 {
        let [sine, product] = [format!("s{i}"), format!("m{i}")];
        model = model.node("Trilu", &["x"], &[&sine]).node("MatMul", &["x", "x"], &[&product]);
        outputs.extend([sine, product]);
    }
    let network = model.returning_all(&outputs.iter().map(String::as_str).collect::<Vec<_>>()).read();
    assert_eq!(network.not_costed().len(), 300);
    let kinds: Vec<NoteKind> = network.notes().iter().map(Note::kind).collect();
    assert_eq!(kinds, [NoteKind::NotRun, NoteKind::NotCosted]);
    assert_eq!(
        texts(network.notes()),
        [
            "operator Trilu (300 nodes: \"Trilu_s0\", \"Trilu_s1\", \"Trilu_s2\", \"Trilu_s3\", \"Trilu_s4\", …) is not run",
            "operator MatMul (300 nodes: \"MatMul_m0\", \"MatMul_m1\", \"MatMul_m2\", \"MatMul_m3\", \"MatMul_m4\", …) \
         is not costed: both sides depend on the input of the network",
        ]
    );
}

#[test]
fn nothing_is_said_of_nodes_that_no_output_depends_on() {
    let model = with_layer()
        .node("Trilu", &["y"], &["z"])
        .node("Trilu", &["x"], &["s"])
        .node("MatMul", &["s", "s"], &["m"])
        .node("Relu", &["x"], &["r"])
        .returning("z");
    let network = model.read();
    assert_eq!(network.not_costed(), []);
    assert_eq!(texts(network.notes()), ["operator Trilu (node \"Trilu_z\") is not run"]);
    let nodes: Vec<&str> = network.graph().nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(nodes, ["Conv_y", "Trilu_z"]);
}

#[test]
fn tensors_that_cannot_be_read_harm_only_their_readers() {
    let strings = raw("names", 8, &[3], vec![]);
    let network = with_layer().tensor(strings.clone()).read();
    assert!(network.not_costed().is_empty() && network.notes().is_empty());
    let network = with_layer().node_with("Constant", &[], &["c"], vec![tensor("value", strings)]).read();
    assert!(network.notes().is_empty());

    let complex = || with_layer().tensor(raw("q", 14, &[2, 2, 1, 1], vec![0; 32])).tensor(floats("s", &[], &[0.5]));
    let model = complex().node("DequantizeLinear", &["q", "s"], &["v"]).node("Conv", &["x", "v"], &["z"]);
    let model = model.returning_all(&["y", "z"]);
    let reason = "its weights have elements of type complex64".to_string();
    assert_eq!(not_costed(&model), [("Conv_z".to_string(), reason)]);
    let network = model.read();
    assert_eq!(network.graph().nodes().iter().filter(|node| node.op == Op::Unsupported).count(), 2);

    // A network of such weights alone has no layer.
    let strings = model_of(raw("w", 8, &[4, 1], vec![])).error();
    assert!(strings.contains("not handled: MatMul (its weights have elements of type string)"), "{strings}");

    // Its shape is as good as that of any other.
    let model = complex().node("Shape", &["q"], &["shape"]).node("Expand", &["s", "shape"], &["z"]);
    assert!(model.read().notes().is_empty());
    let wrong = with_layer().tensor(raw("q", 14, &[-2], vec![])).error();
    assert!(wrong.contains("tensor \"q\"") && wrong.contains("negative extent"), "{wrong}");
}

#[test]
fn weights_with_scales_of_blocks_are_real_numbers_in_the_end() {
    let model = model()
        .input("x", &[0, 4])
        .tensor(int8s("q", &[4, 2], &[1, 2, 3, 4, 5, 6, 7, 8]))
        .tensor(floats("s", &[2, 2], &[1.0, 10.0, 0.5, 0.25]))
        .node_with("DequantizeLinear", &["q", "s"], &["m"], vec![int("block_size", 2), int("axis", 0)])
        .node("MatMul", &["x", "m"], &["y"]);
    let network = model.read();
    assert_eq!(real_weights(&network, 0), [1.0, 3.0, 2.5, 3.5, 20.0, 40.0, 1.5, 2.0]);
    let notes = texts(network.notes());
    assert!(notes.len() == 1 && notes[0].contains("computed from integers"), "{notes:?}");
}

#[test]
fn fused_convolutions_are_taken_apart() {
    let fused = |inputs: &[&str], activation: &str| {
        model().input("x", &[0, 2, 4, 4]).weights("w", &[3, 2, 3, 3]).weights("b", &[3]).node_with(
            "com.microsoft:FusedConv",
            inputs,
            &["y"],
            vec![string("activation", activation), int_list("pads", &[1, 1, 1, 1])],
        )
    };
    let cases = [("Relu", Op::Unary(Unary::Relu)), ("Tanh", Op::Unary(Unary::Tanh)), ("", Op::Identity)];
    check_all(cases, |(activation, op)| {
        let network = fused(&["x", "w", "b"], activation).read();
        assert_eq!(geometry(&network).out_size(), [4, 4]);
        assert_eq!(network.graph().nodes()[1].op, *op);
        assert_eq!(output_shape(&network), [1, 3, 4, 4]);
    });
    check_all([(&["x", "w", "b", "x"][..], "Relu"), (&["x", "w"][..], "Gelu")], |&(inputs, activation)| {
        let message = fused(inputs, activation).error();
        assert!(message.contains("these operators are not handled: com.microsoft:FusedConv"), "{message}");
    });
}

/// A front end that nobody knows, and a layer behind it.
#[test]
fn the_shape_of_any_value_may_be_given() {
    let file = || {
        let front = model().input("bytes", &[0]).node("acme:PreprocessImage", &["bytes"], &["img"]);
        front.weights("w", &[8, 3, 3, 3]).node("Conv", &["img", "w"], &["y"])
    };
    let given = |shapes: &[(&str, &[usize])]| {
        let input_shapes = shapes.iter().map(|(name, shape)| ((*name).to_string(), shape.to_vec())).collect();
        file().read_with(&ReadOptions { input_shapes, ..ReadOptions::default() })
    };
    let network = given(&[("img", &[1, 3, 32, 32])]).expect("the shape is known");
    assert_eq!(network.layers()[0].geometry.macs(), 216 * 900);
    assert_eq!(texts(network.notes()), ["operator acme:PreprocessImage (node \"PreprocessImage_img\") is not run"]);
    let refused = |shapes: &[(&str, &[usize])]| given(shapes).expect_err("it does not fit").to_string();
    assert!(refused(&[]).contains("the shape of its input \"img\" is not known"));
    let wrong = refused(&[("img", &[1, 3, 32, 32]), ("y", &[1, 8, 3, 3])]);
    assert!(
        wrong.contains("[1, 8, 3, 3] was given for its output \"y\", but [1, 8, 30, 30] comes out of it"),
        "{wrong}"
    );
    assert!(refused(&[("z", &[1])]).contains("there is neither such an input nor a node that makes it"));
}
