//! Are shapes inferred, constants folded and operators of all opsets understood?

use formats::onnx::proto::{AttributeProto, TensorProto};
use network::{Binary, Interpolation, Op, PadMode, Reduction, Unary};

use testkit::*;

use crate::questions::*;

/// Ends a model with a layer, for a network without one is refused; the op under test makes `a`.
fn with_layer(model: Model, channels: i64) -> Model {
    model.weights("w", &[channels, 1]).node("MatMul", &["a", "w"], &["y"])
}

/// The operator of the first node, and the shape of its output.
fn first(model: Model, channels: i64) -> (Op, Vec<usize>) {
    let network = with_layer(model, channels).read();
    let node = &network.graph().nodes()[0];
    let shape = network.graph().value(node.outputs[0]).shape.clone();
    (node.op.clone(), shape.expect("a known shape"))
}

#[test]
fn shapes_computed_by_the_graph_are_folded() {
    // x.view(x.size(0), 2, -1), as the TorchScript exporter writes it.
    let network = with_layer(
        model()
            .input("x", &[0, 4, 6])
            .node("Shape", &["x"], &["shape"])
            .node_with("Constant", &[], &["zero"], vec![tensor("value", ints("", &[], &[0]))])
            .node_with("Gather", &["shape", "zero"], &["n"], vec![int("axis", 0)])
            .ints("axes", &[0])
            .node("Unsqueeze", &["n", "axes"], &["n1"])
            .ints("two", &[2])
            .ints("rest", &[-1])
            .node_with("Concat", &["n1", "two", "rest"], &["target"], vec![int("axis", 0)])
            .node("Reshape", &["x", "target"], &["a"]),
        12,
    )
    .read();
    assert_eq!(network.graph().nodes().len(), 2, "shape nodes vanish");
    assert_eq!(network.graph().nodes()[0].op, Op::Reshape);
    assert_eq!(output_shape(&network), [1, 2, 1]);
}

#[test]
fn pads_computed_by_the_graph_are_folded() {
    // Channel padding of an option-A shortcut: pads are [0, 4, 0, 0, 0, 4, 0, 0], built in PyTorch's order and turned.
    let pads = model()
        .input("x", &[0, 8, 4, 4])
        .ints("given", &[0, 0, 0, 0, 4, 4])
        .ints("missing", &[2])
        .node_with("ConstantOfShape", &["missing"], &["zeros"], vec![tensor("value", ints("", &[1], &[0]))])
        .node_with("Concat", &["given", "zeros"], &["all"], vec![int("axis", 0)])
        .ints("pairs", &[-1, 2])
        .node("Reshape", &["all", "pairs"], &["pairs_of"])
        .ints("back", &[-1])
        .ints("end", &[i64::MIN])
        .ints("axis", &[0])
        .node("Slice", &["pairs_of", "back", "end", "axis", "back"], &["turned"])
        .node_with("Transpose", &["turned"], &["columns"], vec![int_list("perm", &[1, 0])])
        .node("Reshape", &["columns", "back"], &["pads"])
        .node_with("Pad", &["x", "pads"], &["a"], vec![string("mode", "constant")]);
    let (op, shape) = first(pads, 4);
    assert_eq!(op, Op::Pad { pads: vec![0, 4, 0, 0, 0, 4, 0, 0], mode: PadMode::Constant, value: 0.0 });
    assert_eq!(shape, [1, 16, 4, 4]);
}

/// Operator, inputs, attributes, and what it makes of them.
type Folded<'a> = (&'a str, &'a [&'a [i64]], Vec<AttributeProto>, &'a [i64]);

#[test]
fn arithmetic_on_constants_is_folded() {
    // The result is the shape of a Reshape.
    let cases: [Folded<'_>; 9] = [
        ("Add", &[&[1, 5], &[1]], vec![], &[2, 6]),
        ("Sub", &[&[3, 7], &[1]], vec![], &[2, 6]),
        ("Mul", &[&[1, 3], &[2]], vec![], &[2, 6]),
        ("Div", &[&[5, 13], &[2]], vec![], &[2, 6]),
        ("Mod", &[&[-1, 9], &[3]], vec![], &[2, 0]),
        ("Max", &[&[2, 3], &[1, 6]], vec![], &[2, 6]),
        ("Min", &[&[2, 9], &[8, 6]], vec![], &[2, 6]),
        ("Concat", &[&[2], &[6]], vec![int("axis", 0)], &[2, 6]),
        ("Gather", &[&[6, 1, 2], &[-1, 0]], vec![], &[2, 6]),
    ];
    check_all(cases, |&(op, inputs, ref attributes, expected)| {
        let mut model = model().input("x", &[1, 12]);
        let names = ["p", "q"];
        for (name, values) in names.iter().zip(inputs) {
            model = model.ints(name, values);
        }
        // A 0 copies the extent of the input.
        let channels = if expected[1] == 0 { 12 } else { 6 };
        if expected == [2, 0] {
            model.graph.input[0] = value_info("x", 1, &[2, 12]);
        }
        let (_, shape) = first(
            model.node_with(op, &names[..inputs.len()], &["s"], attributes.clone()).node(
                "Reshape",
                &["x", "s"],
                &["a"],
            ),
            channels,
        );
        assert_eq!(shape, [2, channels as usize], "{op}");
    });
}

#[test]
fn places_and_running_sums_of_constants_are_folded() {
    // The places of what is not 0 in [0, 5, 5] are [[1, 2]]; the running sum of [2, 4] is [2, 6].
    let places = model()
        .input("x", &[1, 2])
        .ints("given", &[0, 5, 5])
        .node("NonZero", &["given"], &["places"])
        .ints("flat", &[-1])
        .node("Reshape", &["places", "flat"], &["s"])
        .node("Reshape", &["x", "s"], &["a"]);
    assert_eq!(first(places, 2).1, [1, 2]);
    let sums = |attributes: Vec<AttributeProto>, given: &[i64]| {
        model()
            .input("x", &[2, 6])
            .ints("given", given)
            .tensor(ints("axis", &[], &[0]))
            .node_with("CumSum", &["given", "axis"], &["s"], attributes)
            .node("Reshape", &["x", "s"], &["a"])
    };
    assert_eq!(first(sums(vec![], &[2, 4]), 6).1, [2, 6]);
    assert_eq!(first(sums(vec![int("reverse", 1)], &[-4, 6]), 6).1, [2, 6]);
}

#[test]
fn choices_on_constants_are_folded() {
    // Expand's shape as PyTorch writes it: where(shape == -1, ones, shape).
    let model = model()
        .input("x", &[0, 1])
        .ints("shape", &[-1, 6])
        .ints("open", &[-1])
        .node("Shape", &["shape"], &["rank"])
        .node_with("ConstantOfShape", &["rank"], &["ones"], vec![tensor("value", ints("", &[1], &[1]))])
        .node("Equal", &["shape", "open"], &["is_open"])
        .node("Where", &["is_open", "ones", "shape"], &["target"])
        .node("Expand", &["x", "target"], &["a"]);
    let (op, shape) = first(model, 6);
    assert_eq!((op, shape), (Op::Expand, vec![1, 6]));
}

#[test]
fn clip_in_its_two_forms() {
    let old = model().opset(9).input("x", &[0, 6]).node_with(
        "Clip",
        &["x"],
        &["a"],
        vec![float("min", 0.0), float("max", 6.0)],
    );
    let new = model().input("x", &[0, 6]).tensor(floats("min", &[], &[0.0])).tensor(floats("max", &[], &[6.0])).node(
        "Clip",
        &["x", "min", "max"],
        &["a"],
    );
    check_all([old, new], |model| assert_eq!(first(model.clone(), 6).0, Op::Unary(Unary::Clip { min: 0.0, max: 6.0 })));
    let open = model().input("x", &[0, 6]).tensor(floats("max", &[], &[6.0])).node("Clip", &["x", "", "max"], &["a"]);
    assert_eq!(first(open, 6).0, Op::Unary(Unary::Clip { min: f32::NEG_INFINITY, max: 6.0 }));
}

#[test]
fn axes_as_attribute_and_as_input() {
    let cases = [
        (11, "Squeeze", vec![1, 6]),
        (11, "Unsqueeze", vec![1, 1, 1, 6]),
        (13, "Squeeze", vec![1, 6]),
        (13, "Unsqueeze", vec![1, 1, 1, 6]),
    ];
    check_all(cases, |&(opset, op, ref expected)| {
        let model = model().opset(opset).input("x", &[1, 1, 6]);
        let model = match opset {
            11 => model.node_with(op, &["x"], &["a"], vec![int_list("axes", &[1])]),
            _ => model.ints("axes", &[1]).node(op, &["x", "axes"], &["a"]),
        };
        assert_eq!(first(model, 6), (Op::Reshape, expected.clone()), "{op} {opset}");
    });
    check_all([(11, "ReduceMean"), (18, "ReduceMean"), (11, "ReduceSum"), (13, "ReduceSum")], |&(opset, op)| {
        let as_input = opset == 18 || (opset == 13 && op == "ReduceSum");
        let model = model().opset(opset).input("x", &[0, 6, 4]);
        let model = match as_input {
            false => model.node_with(op, &["x"], &["a"], vec![int_list("axes", &[-1]), int("keepdims", 0)]),
            true => model.ints("axes", &[-1]).node_with(op, &["x", "axes"], &["a"], vec![int("keepdims", 0)]),
        };
        assert_eq!(first(model, 6).1, [1, 6], "{op} {opset}");
    });
}

#[test]
fn slice_in_its_two_forms() {
    let expected = Op::Slice { starts: vec![1], ends: vec![6], axes: vec![1], steps: vec![1] };
    let old = model().opset(9).input("x", &[0, 6]).node_with(
        "Slice",
        &["x"],
        &["a"],
        vec![int_list("starts", &[1]), int_list("ends", &[i64::MAX]), int_list("axes", &[-1])],
    );
    let new = model().input("x", &[0, 6]).ints("starts", &[-5]).ints("ends", &[i64::MAX]).ints("axes", &[1]).node(
        "Slice",
        &["x", "starts", "ends", "axes"],
        &["a"],
    );
    check_all([old, new], |model| assert_eq!(first(model.clone(), 5), (expected.clone(), vec![1, 5])));
}

#[test]
fn pooling_shapes() {
    let pool = |x: &[i64], attributes| model().input("x", x).node_with("MaxPool", &["x"], &["a"], attributes);
    let list = |kernel: i64, stride: i64, pad: i64| {
        vec![int_list("kernel_shape", &[kernel; 2]), int_list("strides", &[stride; 2]), int_list("pads", &[pad; 4])]
    };
    let ceil = |mut attributes: Vec<AttributeProto>| {
        attributes.push(int("ceil_mode", 1));
        attributes
    };
    // extent, attributes -> extent; ceil_mode drops a window that starts in the padding behind.
    let cases = [
        (8, list(2, 2, 0), 4),
        (7, list(2, 2, 0), 3),
        (7, ceil(list(2, 2, 0)), 4),
        (5, ceil(list(2, 2, 1)), 3),
        (112, list(3, 2, 1), 56),
    ];
    check_all(cases, |&(extent, ref attributes, expected)| {
        assert_eq!(
            first(pool(&[0, 3, extent, extent], attributes.clone()), expected as i64).1,
            [1, 3, expected, expected]
        );
    });
    let same = vec![int_list("kernel_shape", &[3, 3]), int_list("strides", &[2, 2]), string("auto_pad", "SAME_UPPER")];
    let (op, shape) = first(pool(&[0, 3, 8, 8], same), 4);
    assert!(matches!(op, Op::MaxPool(pool) if pool.pads == [0, 0, 1, 1]));
    assert_eq!(shape, [1, 3, 4, 4]);
}

#[test]
fn softmax_of_old_opsets_takes_all_axes_from_its_own() {
    let model = |opset, axis| {
        model().opset(opset).input("x", &[0, 3, 4]).node_with("Softmax", &["x"], &["a"], vec![int("axis", axis)])
    };
    assert_eq!(first(model(13, 1), 4).0, Op::Softmax { axis: 1 });
    assert_eq!(first(model(11, 2), 4).0, Op::Softmax { axis: 2 });
    assert_eq!(first(model(11, 1), 4), (Op::SoftmaxFrom { axis: 1, logarithm: false }, vec![1, 3, 4]));
}

#[test]
fn resize_by_scales_and_by_sizes() {
    let scales = model().input("x", &[0, 2, 4, 6]).tensor(floats("s", &[4], &[1.0, 1.0, 2.0, 1.5])).node(
        "Resize",
        &["x", "", "s"],
        &["a"],
    );
    let sizes = model().input("x", &[0, 2, 4, 6]).ints("s", &[1, 2, 8, 9]).node("Resize", &["x", "", "", "s"], &["a"]);
    check_all([scales, sizes], |model| {
        let (op, shape) = first(model.clone(), 9);
        assert!(matches!(op, Op::Resize { interpolation: Interpolation::Nearest(_), .. }));
        assert_eq!(shape, [1, 2, 8, 9]);
    });
}

#[test]
fn casts_to_the_type_of_another_value() {
    // PyTorch's exporter builds the parameters of each BatchNormalization so, and the weights behind it are still found.
    let model = model()
        .input("x", &[0, 3, 4, 4])
        .tensor(floats("one", &[], &[1.0]))
        .ints("channels", &[3])
        .node("Expand", &["one", "channels"], &["ones"])
        .tensor(raw(
            "w",
            10,
            &[2, 3, 1, 1],
            [0x3c00u16, 0x4000, 0x4200].repeat(2).iter().flat_map(|v| v.to_le_bytes()).collect(),
        ))
        .node("CastLike", &["ones", "x"], &["scale"])
        .node("BatchNormalization", &["x", "scale", "scale", "scale", "scale"], &["n"])
        .node("CastLike", &["w", "x"], &["wide"])
        .node("Conv", &["n", "wide"], &["y"]);
    let network = model.read();
    assert_eq!(network.graph().nodes().len(), 2);
    assert_eq!(real_weights(&network, 0), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(texts(network.notes()), [] as [&str; 0]);
}

#[test]
fn normalizations_and_their_parameters() {
    let layer_norm = |axis: i64, shape: &[i64]| {
        model().input("x", &[0, 4, 6]).weights("s", shape).node_with(
            "LayerNormalization",
            &["x", "s", "s"],
            &["a"],
            vec![int("axis", axis), float("epsilon", 0.5)],
        )
    };
    let expected = |axis| (Op::LayerNormalization { axis, epsilon: 0.5 }, vec![1, 4, 6]);
    assert_eq!(first(layer_norm(-1, &[6]), 6), expected(2));
    assert_eq!(first(layer_norm(1, &[4, 6]), 6), expected(1));
    assert_eq!(first(layer_norm(1, &[6]), 6), expected(1));
    let message = with_layer(layer_norm(-1, &[4]), 6).error();
    assert!(message.contains("scale of shape [4] does not broadcast to [6]"), "{message}");

    let instance = |shape: &[i64]| {
        model().input("x", &[0, 4, 6]).weights("s", shape).node("InstanceNormalization", &["x", "s", "s"], &["a"])
    };
    assert_eq!(first(instance(&[4]), 6).0, Op::InstanceNormalization { epsilon: 1e-5 });
    assert!(with_layer(instance(&[6]), 6).error().contains("scale of shape [6]; expected [4]"));

    let lrn = |size| model().input("x", &[0, 4, 6]).node_with("LRN", &["x"], &["a"], vec![int("size", size)]);
    assert_eq!(first(lrn(5), 6).0, Op::Lrn { alpha: 1e-4, beta: 0.75, bias: 1.0, size: 5 });
    assert!(with_layer(lrn(0), 6).error().contains("size is 0"));
}

#[test]
fn more_operators() {
    let x = || model().input("x", &[0, 2, 4, 6]);
    let cases: [(Model, i64, Op, [usize; 4]); 6] = [
        (x().node("Sum", &["x", "x", "x"], &["a"]), 6, Op::Binary(Binary::Add), [1, 2, 4, 6]),
        (x().ints("r", &[1, 1, 2, 3]).node("Tile", &["x", "r"], &["a"]), 18, Op::Tile, [1, 2, 8, 18]),
        (
            x().node_with("SpaceToDepth", &["x"], &["a"], vec![int("blocksize", 2)]),
            3,
            Op::SpaceToDepth { block: 2 },
            [1, 8, 2, 3],
        ),
        (
            x().node_with("ReduceL2", &["x"], &["a"], vec![int_list("axes", &[1])]),
            6,
            Op::Reduce { reduction: Reduction::L2, axes: vec![1], keep_dims: true },
            [1, 1, 4, 6],
        ),
        (x().node("Mish", &["x"], &["a"]), 6, Op::Unary(Unary::Mish), [1, 2, 4, 6]),
        (x().node("Celu", &["x"], &["a"]), 6, Op::Unary(Unary::Celu { alpha: 1.0 }), [1, 2, 4, 6]),
    ];
    check_all(cases, |&(ref model, channels, ref op, shape)| {
        assert_eq!(first(model.clone(), channels), (op.clone(), shape.to_vec()));
    });
    let mask = x().node("Greater", &["x", "x"], &["m"]).node("Where", &["m", "x", "x"], &["a"]);
    let network = with_layer(mask, 6).read();
    let ops: Vec<&Op> = network.graph().nodes().iter().map(|node| &node.op).collect();
    assert_eq!(ops[..2], [&Op::Binary(Binary::Greater), &Op::Where]);
    assert_eq!(network.graph().value(network.graph().nodes()[0].outputs[0]).data_type, Some(network::DataType::Bool));
    let cases = [
        (x().node("Where", &["x", "x", "x"], &["a"]), "a condition of type float32"),
        (x().node("And", &["x", "x"], &["a"]), "inputs of type float32; expected bool"),
        (x().node_with("SpaceToDepth", &["x"], &["a"], vec![int("blocksize", 4)]), "4 by 6 does not divide"),
    ];
    check_all(cases, |(model, expected)| {
        let message = with_layer(model.clone(), 6).error();
        assert!(message.contains(expected), "{message}");
    });
}

#[test]
fn parts_of_a_sequence_are_slices() {
    let split = |split: TensorProto, index: i64| {
        model()
            .input("x", &[0, 7])
            .tensor(split)
            .tensor(ints("i", &[], &[index]))
            .node_with("SplitToSequence", &["x", "split"], &["parts"], vec![int("axis", 1)])
            .node("SequenceAt", &["parts", "i"], &["a"])
    };
    let slice = |start, end| Op::Slice { starts: vec![start], ends: vec![end], axes: vec![1], steps: vec![1] };
    let three = || ints("split", &[], &[3]);
    assert_eq!(first(split(three(), 1), 3), (slice(3, 6), vec![1, 3]));
    assert_eq!(first(split(three(), -1), 1), (slice(6, 7), vec![1, 1]));
    assert_eq!(first(split(ints("split", &[2], &[2, 5]), 1), 5), (slice(2, 7), vec![1, 5]));
    let cases = [
        (split(three(), 3), "position 3 in a sequence of 3"),
        (split(ints("split", &[2], &[2, 4]), 0), "does not split into"),
        (split(ints("split", &[], &[0]), 0), "expected at least 1"),
    ];
    check_all(cases, |(split, expected)| {
        let message = with_layer(split.clone(), 3).error();
        assert!(message.contains(expected), "{message}");
    });
}

#[test]
fn dropout_and_its_mask() {
    let plain = model().input("x", &[0, 6]).node("Dropout", &["x"], &["a", "mask"]);
    assert_eq!(first(plain, 6), (Op::Identity, vec![1, 6]));
    let mut used = with_layer(model().input("x", &[0, 6]).node("Dropout", &["x"], &["a", "mask"]), 6);
    used.graph.output.push(value_info("mask", 9, &[]));
    let network = used.read();
    assert_eq!(network.graph().nodes()[0].op, Op::Unsupported);
    assert!(network.notes()[0].text().contains("its output 1 is not made"), "{:?}", network.notes());
}

#[test]
fn unknown_operators() {
    let unknown = || with_layer(model().input("x", &[4, 6]).node("acme:Blend", &["x"], &["a"]), 6);
    let message = unknown().error();
    assert!(message.contains("node \"MatMul_y\": unsupported") && message.contains("acme:Blend"), "{message}");

    // The declared shape of an operator that is not known is believed; its open first extent is the batch.
    let network = unknown().value_info("a", &[0, 6]).read();
    assert_eq!(output_shape(&network), [4, 1]);
    assert_eq!(texts(network.notes())[0], "operator acme:Blend (node \"Blend_a\") is not run");
    assert_eq!(network.graph().nodes()[0].op, Op::Unsupported);

    // Of one that is known, it is not.
    let network =
        with_layer(model().input("x", &[4, 6]).node("Relu", &["x"], &["a"]).value_info("a", &[9, 9]), 6).read();
    assert_eq!(output_shape(&network), [4, 1]);
}

#[test]
fn a_network_without_layers_is_refused() {
    let message = model().input("x", &[0, 6]).node("Scan", &["x"], &["y"]).error();
    assert!(message.contains("unsupported") && message.contains("Scan"), "{message}");
    let message = model().input("x", &[0, 6]).node("Relu", &["x"], &["y"]).error();
    assert!(message.contains("MatMul or a recurrent operator with constant weights; found none"), "{message}");
}

#[test]
fn old_files_list_initializers_as_inputs() {
    let mut model = with_layer(model().input("x", &[0, 6]).node("Relu", &["x"], &["a"]), 6);
    model.graph.input.push(value_info("w", 1, &[6, 1]));
    assert_eq!(model.read().graph().inputs().len(), 1);
}

#[test]
fn nodes_may_come_in_any_order() {
    let mut model = with_layer(model().input("x", &[0, 6]).node("Relu", &["x"], &["b"]).node("Exp", &["b"], &["a"]), 6);
    model.graph.node.reverse();
    let names: Vec<String> = model.read().graph().nodes().iter().map(|n| n.op_type.clone()).collect();
    assert_eq!(names, ["Relu", "Exp", "MatMul"]);
}

#[test]
fn a_layer_may_name_outputs_that_nobody_reads() {
    let conv = model().input("x", &[0, 2, 4, 4]).weights("w", &[2, 2, 1, 1]).node("Conv", &["x", "w"], &["y", "more"]);
    assert_eq!(output_shape(&conv.read()), [1, 2, 4, 4]);
    let integers = model()
        .input("x", &[0, 4])
        .node("DynamicQuantizeLinear", &["x"], &["q", "s", "z"])
        .int8s("w", &[4, 2], &[1; 8])
        .node("MatMulInteger", &["q", "w", "z"], &["i", "more"])
        .node_with("Cast", &["i"], &["y"], vec![int("to", 1)]);
    assert_eq!(output_shape(&integers.read()), [1, 2]);
}

#[test]
fn functions_of_the_file_are_unfolded() {
    use formats::onnx::proto::*;
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    // leaky(x, slope) = LeakyRelu(Identity(x)) with the slope of the call.
    let slope = AttributeProto { ref_attr_name: "slope".to_string(), ..float("alpha", 0.0) };
    let node = |op: &str, input: &str, output: &str, attribute| NodeProto {
        input: owned(&[input]),
        output: owned(&[output]),
        op_type: op.to_string(),
        attribute,
        ..Default::default()
    };
    let function = FunctionProto {
        name: "leaky".to_string(),
        domain: "local".to_string(),
        input: owned(&["in"]),
        output: owned(&["out"]),
        attribute: owned(&["slope"]),
        node: vec![node("Identity", "in", "same", vec![]), node("LeakyRelu", "same", "out", vec![slope])],
        ..Default::default()
    };
    let graph = with_layer(
        model().input("x", &[0, 6]).node_with("local:leaky", &["x"], &["b"], vec![float("slope", 0.25)]).node_with(
            "local:leaky",
            &["b"],
            &["a"],
            vec![float("slope", 0.5)],
        ),
        6,
    );
    let read = |functions: Vec<FunctionProto>| {
        let mut file = <ModelProto as prost::Message>::decode(graph.bytes().as_slice()).expect("just encoded");
        file.functions = functions;
        let bytes = prost::Message::encode_to_vec(&file).into();
        formats::from_bytes("test.onnx", bytes, &formats::ReadOptions::default())
    };
    let network = read(vec![function.clone()]).expect("valid");
    let ops: Vec<Op> = network.graph().nodes().iter().map(|n| n.op.clone()).collect();
    let leaky = |alpha| Op::Unary(Unary::LeakyRelu { alpha });
    assert_eq!(ops[..4], [Op::Identity, leaky(0.25), Op::Identity, leaky(0.5)]);

    let mut endless = function.clone();
    endless.node[0].op_type = "leaky".to_string();
    endless.node[0].domain = "local".to_string();
    assert!(read(vec![endless]).expect_err("it calls itself").to_string().contains("calls itself"));
    assert!(read(vec![function.clone(), function]).expect_err("twice").to_string().contains("defined twice"));
}

#[test]
fn layers_that_no_output_depends_on_are_named_and_are_none() {
    let network = model()
        .input("x", &[1, 3, 6, 6])
        .weights("w", &[4, 3, 3, 3])
        .node("Conv", &["x", "w"], &["y"])
        .weights("v", &[4, 3, 3, 3])
        .node("Conv", &["x", "v"], &["dead"])
        .node("Relu", &["dead"], &["deader"])
        .read();
    assert_eq!((network.layers().len(), network.graph().nodes().len()), (1, 1));
    let expected = "layer \"Conv_dead\" is left out, for no output of the network depends on it; 1,728 MACs an image that \
                    are not counted, nor written to files";
    assert_eq!(texts(network.notes()), [expected]);
    // What only the body of a loop reads is read.
    let body = model().input("i", &[1]).node("Add", &["dead", "dead"], &["y"]);
    let looped = model()
        .input("x", &[1, 3, 6, 6])
        .weights("w", &[4, 3, 3, 3])
        .node("Conv", &["x", "w"], &["dead"])
        .ints("n", &[3])
        .node_with("Loop", &["n"], &["y"], vec![graph("body", body.graph)])
        .read();
    assert_eq!(looped.layers().len(), 1);
    let nothing = model().input("x", &[1, 3, 6, 6]).weights("w", &[4, 3, 3, 3]).node("Conv", &["x", "w"], &["dead"]);
    let error = nothing.node("Relu", &["x"], &["y"]).error();
    assert!(error.contains("no output of the network depends on any of its 1 layers"), "{error}");
}

#[test]
fn nodes_of_one_name_are_told_apart() {
    let mut model = model()
        .input("x", &[1, 3])
        .weights("w", &[3, 3])
        .node("MatMul", &["x", "w"], &["a"])
        .node("MatMul", &["a", "w"], &["b"])
        .node("Relu", &["b"], &["c"])
        .node("MatMul", &["c", "w"], &["y"]);
    for (node, name) in model.graph.node.iter_mut().zip(["dup", "dup", "dup", "dup#2"]) {
        node.name = name.to_string();
    }
    let network = model.read();
    let names: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["dup", "dup#2", "dup#2#2"]);
    assert_eq!(network.graph().nodes()[2].name, "dup#3");
}

#[test]
fn an_einsum_with_constant_weights_is_a_layer() {
    let of = |equation: &str, inputs: [&str; 2]| {
        let x = model().input("x", &[0, 3, 4, 2]).weights("w", &[5, 3]);
        x.node_with("Einsum", &inputs, &["y"], vec![string("equation", equation)])
    };
    let cases = [("bchw,oc->bohw", ["x", "w"], vec![1, 5, 4, 2]), ("oc,bchw->bhwo", ["w", "x"], vec![1, 4, 2, 5])];
    check_all(cases, |&(equation, inputs, ref shape)| {
        let network = of(equation, inputs).read();
        assert_eq!((layer(&network).name.as_str(), geometry(&network).macs()), ("Einsum_y", 120));
        assert_eq!((output_shape(&network), texts(network.notes()).len()), (shape.clone(), 0));
    });
    let wrong = [("bchw,oc->bohz", "makes 'z' of nothing"), ("bchw,o1->bohw", "has '1'"), ("bchw,oc->boow", "twice")];
    check_all(wrong, |&(equation, expected)| {
        let message = of(equation, ["x", "w"]).error();
        assert!(message.contains("Einsum_y") && message.contains(expected), "{message}");
    });
}

#[test]
fn parts_of_operators_are_refused_where_the_operator_is_wrong() {
    let x = || model().input("x", &[0, 6, 4, 2]).weights("s", &[6]);
    let groups = |opset, groups: i64| {
        let attributes = vec![int("num_groups", groups)];
        x().opset(opset).weights("p", &[4]).node_with(
            "GroupNormalization",
            if opset < 21 { &["x", "p", "p"] } else { &["x", "s", "s"] },
            &["a"],
            attributes,
        )
    };
    let cases = [
        (groups(21, 4), "[6] cannot be reshaped to [4, -1]"),
        (groups(18, 4), "do not broadcast"),
        (groups(21, 0), "num_groups is 0"),
        (
            x().node_with("LpPool", &["x"], &["a"], vec![int("q", 2), int_list("kernel_shape", &[1, 1])]),
            "unexpected attribute \"q\"",
        ),
        (x().node_with("LpNormalization", &["x"], &["a"], vec![int("p", 0)]), "a norm of order 0"),
        (x().node("RMSNormalization", &["x"], &["a"]), "1 inputs; expected 2"),
    ];
    check_all(cases, |(model, expected)| {
        let message = with_layer(model.clone(), 2).error();
        assert!(message.contains(expected), "{message}");
    });
    let rounded = x().node_with("LpPool", &["x"], &["a"], vec![int_list("kernel_shape", &[2, 2]), int("ceil_mode", 1)]);
    let network = with_layer(rounded, 1).read();
    assert!(network.notes()[0].text().contains("its ceil_mode is 1"), "{:?}", network.notes());
}

#[test]
fn classes_at_the_end_are_left_out() {
    let numbers = || model().input("x", &[0, 3]).weights("w", &[3, 4]).node("MatMul", &["x", "w"], &["n"]);
    let arg_max = |axis| numbers().node_with("ArgMax", &["n"], &["c"], vec![int("axis", axis), int("keepdims", 0)]);
    let top = |largest| {
        let file = numbers().ints("k", &[2]);
        file.node_with("TopK", &["n", "k"], &["v", "i"], vec![int("largest", largest)]).returning_all(&["v", "i"])
    };
    let cases = [
        (arg_max(1).returning_all(&["c"]), &["n"][..], 1),
        (arg_max(-1).node_with("Cast", &["c"], &["y"], vec![int("to", 6)]), &["n"], 1),
        (arg_max(1).returning_all(&["n", "c"]), &["n"], 1),
        (top(1), &["n"], 2),
        (arg_max(0).returning_all(&["c"]), &["c"], 0),
        (top(0), &["v", "i"], 0),
    ];
    check_all(cases, |(file, expected, notes)| {
        let network = file.read();
        let names: Vec<&str> =
            network.graph().outputs().iter().map(|&id| network.graph().value(id).name.as_str()).collect();
        assert_eq!(names, *expected);
        let told = network.notes().iter().filter(|note| note.text().contains(" says by "));
        assert_eq!(told.count(), *notes, "{:?}", network.notes());
        let is_run = network.graph().nodes().iter().all(|node| node.op != Op::Unsupported);
        assert_eq!(is_run, *notes > 0);
    });
}
