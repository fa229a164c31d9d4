//! Does every form of Conv, ConvTranspose, Gemm and MatMul become the right layer?

use formats::onnx::proto::{SparseTensorProto, TensorProto};
use formats::{BatchAxis, ReadOptions};
use network::{Bias, Failure, LayerId, LayerWeights, MacOp, Mend, Network, Op, Operand, WeightValues};

use testkit::*;

use crate::questions::*;

/// One Conv of weights `w` over an input `x`.
fn conv(x: &[i64], w: &[i64], attributes: Vec<formats::onnx::proto::AttributeProto>) -> Model {
    model().input("x", x).weights("w", w).node_with("Conv", &["x", "w"], &["y"], attributes)
}

/// One ConvTranspose of weights `w` over an input `x`.
fn transposed(x: &[i64], w: &[i64], attributes: Vec<formats::onnx::proto::AttributeProto>) -> Model {
    model().input("x", x).weights("w", w).node_with("ConvTranspose", &["x", "w"], &["y"], attributes)
}

#[test]
fn transposed_convolutions() {
    // Attributes -> pads that cut off, output; weights [2, 3, 3, 2] over [2, 4, 5].
    let cases = [
        (vec![], [0; 4], [1, 3, 6, 6]),
        (vec![int_list("strides", &[2, 3]), int_list("dilations", &[2, 1])], [0; 4], [1, 3, 11, 14]),
        (vec![int_list("pads", &[1, 0, 0, 2]), int_list("strides", &[2, 1])], [1, 0, 0, 2], [1, 3, 8, 4]),
        (vec![int_list("output_padding", &[1, 2]), int_list("strides", &[2, 3])], [0; 4], [1, 3, 10, 16]),
        (vec![int_list("output_shape", &[8, 12]), int_list("strides", &[2, 3])], [1, 1, 0, 1], [1, 3, 8, 12]),
        (vec![int_list("output_shape", &[20, 5])], [0, 1, 0, 0], [1, 3, 20, 5]),
        (vec![string("auto_pad", "SAME_UPPER")], [1, 0, 1, 1], [1, 3, 4, 5]),
        (vec![string("auto_pad", "SAME_LOWER")], [1, 1, 1, 0], [1, 3, 4, 5]),
        (vec![string("auto_pad", "VALID"), int("group", 2)], [0; 4], [1, 6, 6, 6]),
    ];
    check_all(cases, |(attributes, pads, out)| {
        let network = transposed(&[0, 2, 4, 5], &[2, 3, 3, 2], attributes.clone()).read();
        let layer = layer(&network);
        let [_, height, width] = layer.window();
        let found = [height.pads[0], width.pads[0], height.pads[1], width.pads[1]];
        assert_eq!((layer.op.name(), [height.kernel, width.kernel], found), ("ConvTranspose", [3, 2], *pads));
        assert_eq!((output_shape(&network), layer.out_channels()), (out.to_vec(), out[1]));
        let spec = layer.geometry.spec();
        assert_eq!((spec.filters, spec.kernel, spec.in_size), (out[1] * 6, [1, 1], [4, 5]));
        assert_eq!((layer.geometry.macs(), network.batch()), (36 * 20, 1));
    });
    let line = transposed(&[1, 2, 5], &[2, 3, 4], vec![int_list("strides", &[2])]).read();
    assert_eq!((output_shape(&line), layer(&line).geometry.macs()), (vec![1, 3, 12], 24 * 5));
    let volume = transposed(&[1, 2, 3, 4, 5], &[2, 1, 2, 2, 2], vec![]).read();
    assert_eq!((output_shape(&volume), layer(&volume).geometry.macs()), (vec![1, 1, 4, 5, 6], 16 * 60));
}

#[test]
fn a_transposed_convolution_has_a_filter_for_each_output_channel_and_tap() {
    let weights = |network: &Network| match network.weights(LayerId(0)).expect("valid weights") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected float32 weights, found {other:?}"),
    };
    // Stored by input channel, output channel and tap.
    let one = transposed(&[1, 2, 3, 3], &[2, 2, 1, 2], vec![]).read();
    assert_eq!(weights(&one), [1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0]);
    let two = transposed(&[1, 2, 3, 3], &[2, 2, 1, 2], vec![int("group", 2)]).read();
    assert_eq!(weights(&two), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let quantized = |axis: i64, scales: &[f32], groups: i64| {
        let model = model().input("x", &[1, 2, 3, 3]).int8s("q", &[2, 2, 1, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
        let model = model.floats("s", &[2], scales);
        let model = model.node_with("DequantizeLinear", &["q", "s"], &["w"], vec![int("axis", axis)]);
        model.node_with("ConvTranspose", &["x", "w"], &["y"], vec![int("group", groups)])
    };
    let of_channels = codes(&quantized(1, &[0.5, 0.25], 1).read(), 0);
    assert_eq!(of_channels, (vec![2, 10, 4, 12, 6, 14, 8, 16], vec![0.5, 0.5, 0.25, 0.25]));
    let of_groups = codes(&quantized(0, &[0.5, 0.25], 2).read(), 0).1;
    assert_eq!(of_groups, [[0.5; 4], [0.25; 4]].concat());
    let within_groups = codes(&quantized(1, &[0.5, 0.25], 2).read(), 0).1;
    assert_eq!(within_groups, [0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]);
    let message = quantized(0, &[0.5, 0.25], 1).error();
    assert!(message.contains("the scales of its weights belong to axis 0, not to output channels"), "{message}");
}

#[test]
fn transposed_convolutions_that_contradict_themselves_are_refused() {
    let of = |attributes| transposed(&[1, 4, 5, 5], &[4, 2, 3, 3], attributes);
    let cases = [
        (
            transposed(&[1, 3, 5, 5], &[4, 2, 3, 3], vec![]),
            "weights of shape [4, 2, 3, 3] for an input of [1, 3, 5, 5]",
        ),
        (of(vec![int("group", 3)]), "4 input channels do not divide into 3 groups"),
        (of(vec![int("group", 0)]), "4 input channels do not divide into 0 groups"),
        (of(vec![int_list("kernel_shape", &[3, 2])]), "kernel_shape [3, 2], but weights of shape [4, 2, 3, 3]"),
        (of(vec![int_list("strides", &[0, 1])]), "strides [0, 1]; expected 2 numbers of at least 1"),
        (of(vec![int_list("pads", &[4, 0, 3, 0])]), "pads [4, 3] cut off the whole output"),
        (of(vec![int_list("pads", &[1, 1])]), "pads [1, 1]; expected 4 numbers"),
        (of(vec![int_list("output_shape", &[1, 1, 7, 7])]), "output_shape [1, 1, 7, 7]; expected 2 numbers"),
        (of(vec![int_list("output_shape", &[0, 7])]), "cut off the whole output"),
        (
            of(vec![string("auto_pad", "SAME_UPPER"), int_list("pads", &[1, 1, 1, 1])]),
            "auto_pad SAME_UPPER beside pads [1, 1, 1, 1]",
        ),
        (of(vec![int_list("strides", &[1 << 62, 4])]), "too large to count"),
        (of(vec![int("groups", 2)]), "attribute \"groups\""),
    ];
    check_all(cases, |(model, problem)| {
        let message = model.error();
        assert!(message.contains(problem), "{message}");
    });
}

#[test]
fn convolutions() {
    // x, w, attributes -> kernel, pads, groups, output
    let cases = [
        ("plain", conv(&[0, 3, 8, 8], &[4, 3, 3, 3], vec![]), [3, 3], [0; 4], 1, vec![1, 4, 6, 6]),
        (
            "dilation and padding",
            conv(&[1, 3, 9, 8], &[4, 3, 3, 3], vec![int_list("dilations", &[2, 1]), int_list("pads", &[2, 1, 0, 3])]),
            [3, 3],
            [2, 1, 0, 3],
            1,
            vec![1, 4, 7, 10],
        ),
        (
            "groups",
            conv(&[1, 4, 8, 8], &[6, 2, 1, 3], vec![int("group", 2), int_list("kernel_shape", &[1, 3])]),
            [1, 3],
            [0; 4],
            2,
            vec![1, 6, 8, 6],
        ),
        ("depthwise", conv(&[1, 4, 8, 8], &[4, 1, 3, 3], vec![int("group", 4)]), [3, 3], [0; 4], 4, vec![1, 4, 6, 6]),
        (
            "same, extra at the end",
            conv(&[1, 1, 7, 8], &[1, 1, 2, 3], vec![string("auto_pad", "SAME_UPPER"), int_list("strides", &[1, 2])]),
            [2, 3],
            [0, 0, 1, 1],
            1,
            vec![1, 1, 7, 4],
        ),
        (
            "same, extra at the front",
            conv(&[1, 1, 7, 8], &[1, 1, 2, 3], vec![string("auto_pad", "SAME_LOWER"), int_list("strides", &[1, 2])]),
            [2, 3],
            [1, 1, 0, 0],
            1,
            vec![1, 1, 7, 4],
        ),
        (
            "valid",
            conv(&[1, 1, 7, 8], &[1, 1, 2, 3], vec![string("auto_pad", "VALID")]),
            [2, 3],
            [0; 4],
            1,
            vec![1, 1, 6, 6],
        ),
        (
            "one axis",
            conv(&[1, 3, 16], &[4, 3, 5], vec![int_list("pads", &[1, 2])]),
            [1, 5],
            [0, 1, 0, 2],
            1,
            vec![1, 4, 15],
        ),
    ];
    check_all(cases, |&(what, ref model, kernel, pads, groups, ref out)| {
        let network = model.read();
        let spec = geometry(&network).spec();
        assert_eq!((spec.kernel, spec.pads, spec.groups), (kernel, pads, groups), "{what}");
        assert_eq!(output_shape(&network), *out, "{what}");
        assert_eq!(layer(&network).operand, Operand::ChannelsFirst, "{what}");
        assert_eq!(network.batch(), 1, "{what}");
    });
}

#[test]
fn wrong_convolutions_are_refused() {
    let x = &[1, 4, 8, 8];
    let cases = [
        (conv(x, &[4, 3, 3, 3], vec![]), "1 groups"),
        (conv(x, &[4, 2, 3, 3], vec![int("group", 3)]), "3 groups"),
        (conv(x, &[4, 4, 3, 3], vec![int("group", 0)]), "group is 0"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("kernel_shape", &[3, 2])]), "kernel_shape"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("pads", &[1, 1])]), "pads"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("pads", &[1, 1, -1, 1])]), "negative"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("strides", &[0, 1])]), "strides"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("strides", &[1])]), "strides"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("dilations", &[1, -1])]), "dilations"),
        (conv(x, &[4, 4, 9, 3], vec![]), "does not fit"),
        (conv(x, &[4, 4, 3], vec![]), "weights of shape"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("pad", &[1, 1, 1, 1])]), "unexpected attribute \"pad\""),
        (conv(x, &[4, 4, 3, 3], vec![string("auto_pad", "SAME")]), "auto_pad"),
        (conv(x, &[4, 4, 3, 3], vec![string("auto_pad", "SAME_UPPER"), int_list("pads", &[0, 1, 1, 1])]), "auto_pad"),
        (conv(x, &[4, 4, 3, 3], vec![int("pads", 1)]), "expected Ints"),
        (conv(x, &[4, 4, 3, 3], vec![int_list("pads", &[i64::MAX, 0, 0, 0])]), "too large"),
        (
            model().input("x", x).tensor(int32s("w", &[1, 4, 1, 1], &[1, 2, 3, 4])).node("Conv", &["x", "w"], &["y"]),
            "weights of type int32",
        ),
    ];
    check_all(cases, |(model, expected)| {
        let message = model.error();
        assert!(message.contains("node \"Conv_y\"") && message.contains(expected), "{message}");
        assert!(!message.contains("unsupported"), "{message}");
    });
}

#[test]
fn gemm() {
    let all = |list: &[(&str, i64)]| list.iter().map(|(name, value)| int(name, *value)).collect::<Vec<_>>();
    // w is [3, 2] or [2, 3]: 3 inputs, 2 filters; its values are 1 to 6.
    let straight = vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    let cases = [
        ("plain", [3, 2], all(&[]), Operand::ChannelsLast, straight.clone()),
        ("transB", [2, 3], all(&[("transB", 1)]), Operand::ChannelsLast, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ("transA", [3, 2], all(&[("transA", 1)]), Operand::Transposed, straight),
    ];
    check_all(cases, |&(what, w, ref attributes, operand, ref weights)| {
        let turned = model().input("x", &[1, 3]).weights("w", &w).node("Transpose", &["x"], &["t"]);
        let x = if operand == Operand::Transposed { "t" } else { "x" };
        let network = turned.node_with("Gemm", &[x, "w"], &["y"], attributes.clone()).read();
        assert_eq!(geometry(&network).macs(), 6, "{what}");
        let layer = layer(&network);
        assert_eq!((layer.op, layer.operand), (MacOp::Gemm, operand), "{what}");
        assert_eq!(real_weights(&network, 0), *weights, "{what}");
        assert_eq!(output_shape(&network), [1, 2], "{what}");
    });
}

#[test]
fn gemm_alpha_beta_and_bias() {
    let gemm = |c: formats::onnx::proto::TensorProto, attributes| {
        model().input("x", &[0, 3]).weights("w", &[3, 2]).tensor(c).node_with(
            "Gemm",
            &["x", "w", "c"],
            &["y"],
            attributes,
        )
    };
    let scaled = || vec![float("alpha", 0.5), float("beta", 3.0)];
    check_all([floats("c", &[2], &[1.0, 2.0]), floats("c", &[1, 2], &[1.0, 2.0])], |c| {
        let network = gemm(c.clone(), scaled()).read();
        assert_eq!(layer(&network).alpha, 0.5);
        assert!(matches!(&layer(&network).bias, Some(Bias::Float(b)) if b == &[3.0, 6.0]));
    });
    check_all([floats("c", &[], &[1.0]), floats("c", &[1], &[1.0]), floats("c", &[1, 1], &[1.0])], |c| {
        let network = gemm(c.clone(), scaled()).read();
        assert!(matches!(&layer(&network).bias, Some(Bias::Float(b)) if b == &[3.0, 3.0]));
    });
    assert!(gemm(floats("c", &[3], &[1.0; 3]), vec![]).error().contains("do not broadcast"));
    assert!(gemm(floats("c", &[2], &[1.0, f32::NAN]), vec![]).error().contains("bias 1 is NaN"));
}

#[test]
fn gemm_with_weights_on_the_left() {
    // A is 2 by 3, or 3 by 2 transposed.
    let straight = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let turned = vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    let cases = [([2, 3], vec![], straight), ([3, 2], vec![int("transA", 1)], turned)];
    check_all(cases, |&(a, ref attributes, ref weights)| {
        let network = model()
            .input("x", &[1, 15])
            .ints("s", &[3, 5])
            .weights("a", &a)
            .tensor(floats("c", &[2, 1], &[1.0, 2.0]))
            .node("Reshape", &["x", "s"], &["b"])
            .node_with("Gemm", &["a", "b", "c"], &["y"], attributes.clone())
            .read();
        assert_eq!(layer(&network).operand, Operand::WeightsLeft);
        assert_eq!(geometry(&network).positions(), 5);
        assert_eq!(real_weights(&network, 0), *weights);
        assert_eq!(output_shape(&network), [2, 5]);
        assert!(matches!(&layer(&network).bias, Some(Bias::Float(b)) if b == &[1.0, 2.0]));
    });
}

#[test]
fn matmul_on_either_side() {
    let right = model().input("x", &[0, 7, 3]).weights("w", &[3, 2]).node("MatMul", &["x", "w"], &["y"]).read();
    assert_eq!((layer(&right).operand, geometry(&right).spec().in_size), (Operand::ChannelsLast, [7, 1]));
    assert_eq!(real_weights(&right, 0), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    assert_eq!(output_shape(&right), [1, 7, 2]);

    let stacked = model().input("x", &[0, 7, 3]).weights("w", &[1, 3, 2]).node("MatMul", &["x", "w"], &["y"]).read();
    assert_eq!(geometry(&stacked).macs(), 42);

    let left = model().input("x", &[2, 4, 3, 5]).weights("w", &[6, 3]).node("MatMul", &["w", "x"], &["y"]).read();
    let spec = geometry(&left).spec();
    assert_eq!((layer(&left).operand, spec.in_size, spec.repeats), (Operand::WeightsLeft, [5, 1], 4));
    assert_eq!(output_shape(&left), [2, 4, 6, 5]);

    let vector = model().input("x", &[0, 7, 3]).weights("w", &[3]).node("MatMul", &["x", "w"], &["y"]).read();
    assert_eq!((geometry(&vector).spec().filters, geometry(&vector).macs()), (1, 21));
    assert_eq!(output_shape(&vector), [1, 7]);
}

#[test]
fn products_that_are_not_costed_are_noted() {
    let model = model()
        .input("x", &[0, 1, 2, 3, 3])
        .weights("w", &[3, 3])
        .weights("stack", &[4, 2, 3, 3])
        .node("MatMul", &["x", "w"], &["a"])
        .node("MatMul", &["a", "x"], &["b"])
        .node("MatMul", &["b", "stack"], &["y"]);
    let network = model.read();
    assert_eq!(network.layers().len(), 1);
    assert_eq!(network.graph().nodes()[1].op, Op::MatMul);
    assert_eq!(network.graph().nodes()[2].op, Op::Unsupported);
    assert_eq!(output_shape(&network), [1, 4, 2, 3, 3]);
    let notes = network.notes();
    assert!(notes.len() == 2 && notes.iter().all(|note| note.text().contains("not costed")), "{notes:?}");
}

#[test]
fn batches() {
    // x, options -> batch, repeats
    let fixed = conv(&[8, 3, 4, 4], &[2, 3, 1, 1], vec![]).read();
    assert_eq!((fixed.batch(), geometry(&fixed).macs()), (8, 96));
    assert_eq!(output_shape(&fixed), [8, 2, 4, 4]);

    let open = conv(&[0, 3, 4, 4], &[2, 3, 1, 1], vec![]);
    let given = ReadOptions { input_shapes: vec![("x".to_string(), vec![5, 3, 4, 4])], ..Default::default() };
    assert_eq!((open.read().batch(), open.read_with(&given).expect("a shape that fits").batch()), (1, 5));

    let folded = model()
        .input("x", &[2, 5, 3, 4, 4])
        .ints("s", &[-1, 3, 4, 4])
        .weights("w", &[2, 3, 1, 1])
        .node("Reshape", &["x", "s"], &["frames"])
        .node("Conv", &["frames", "w"], &["y"])
        .read();
    assert_eq!((folded.batch(), geometry(&folded).spec().repeats, geometry(&folded).macs()), (2, 5, 480));

    let rows = model().input("x", &[8, 3]).weights("w", &[3, 2]).node("Gemm", &["x", "w"], &["y"]).read();
    assert_eq!((rows.batch(), geometry(&rows).positions()), (8, 1));
    let note = &rows.notes()[0];
    assert!(
        note.text().contains("taken as a batch of 8: costs are those of one image, 6 MACs; a run of the graph has 48")
    );
    assert_eq!(note.mend(), Some(Mend::NoBatchAxis));
    let whole = ReadOptions { batch_axis: BatchAxis::None, ..ReadOptions::default() };
    let tokens = model().input("x", &[8, 3]).weights("w", &[3, 2]).node("Gemm", &["x", "w"], &["y"]);
    let tokens = tokens.read_with(&whole).expect("its first axis is no batch");
    assert_eq!((tokens.batch(), geometry(&tokens).macs(), tokens.notes().len()), (1, 48, 0));
    let frames = conv(&[8, 3, 4, 4], &[2, 3, 1, 1], vec![]).read_with(&whole).expect("its first axis is no batch");
    assert_eq!((geometry(&frames).spec().repeats, geometry(&frames).macs()), (8, 8 * 96));
    assert!(texts(fixed.notes())[0].contains("a run of the graph has 768"), "{:?}", fixed.notes());

    let torn = model()
        .input("x", &[8, 3])
        .ints("s", &[1, 24])
        .weights("w", &[24, 2])
        .node("Reshape", &["x", "s"], &["flat"])
        .node("Gemm", &["flat", "w"], &["y"]);
    assert!(torn.error().contains("unsupported: 1 inputs of the layer do not divide into a batch of 8"));
    assert_eq!(Failure::mend(&torn.try_read().expect_err("it is torn")), Some(Mend::NoBatchAxis));
}

#[test]
fn open_extents_need_a_shape() {
    let open = conv(&[0, 3, 0, 0], &[2, 3, 1, 1], vec![]);
    assert!(open.error().contains("input \"x\": unsupported: shape [?, 3, ?, ?] has open extents"));
    let given = |name: &str, shape: &[usize]| ReadOptions {
        input_shapes: vec![(name.to_string(), shape.to_vec())],
        ..Default::default()
    };
    let network = open.read_with(&given("x", &[1, 3, 5, 6])).expect("a shape that fits");
    assert_eq!(output_shape(&network), [1, 2, 5, 6]);
    let cases = [
        (given("x", &[1, 4, 5, 6]), "the file declares [?, 3, ?, ?]"),
        (given("x", &[1, 3, 5]), "the file declares [?, 3, ?, ?]"),
        (given("z", &[1, 3, 5, 6]), "inputs are [\"x\"]"),
        (given("x", &[0, 3, 5, 6]), "extent of 0"),
    ];
    check_all(cases, |(options, expected)| {
        let message = open.read_with(options).expect_err("a wrong shape").to_string();
        assert!(message.contains(expected), "{message}");
    });
}

#[test]
fn weights_may_be_shared_and_transposed() {
    let network = model()
        .input("x", &[0, 3])
        .weights("w", &[3, 3])
        .node_with("Transpose", &["w"], &["t"], vec![int_list("perm", &[1, 0])])
        .node("MatMul", &["x", "t"], &["a"])
        .node("MatMul", &["a", "w"], &["y"])
        .read();
    assert_eq!(network.layers().len(), 2);
    assert_eq!(real_weights(&network, 0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(real_weights(&network, 1), [1.0, 4.0, 7.0, 2.0, 5.0, 8.0, 3.0, 6.0, 9.0]);
    assert!(
        network.layers()[0].weights.transforms.iter().all(|t| !matches!(t, network::WeightTransform::Transpose(_)))
    );
}

#[test]
fn half_precision_and_typed_fields_are_widened() {
    let halves: Vec<u8> = [0x3c00u16, 0xc000, 0x0001].iter().flat_map(|v| v.to_le_bytes()).collect();
    let network = model()
        .input("x", &[0, 3])
        .tensor(raw("w", 10, &[3, 1], halves))
        .node_with("Cast", &["w"], &["wide"], vec![int("to", 1)])
        .node("MatMul", &["x", "wide"], &["y"])
        .read();
    assert_eq!(real_weights(&network, 0), [1.0, -2.0, 2.0f32.powi(-24)]);

    let mut typed = formats::onnx::proto::TensorProto { raw_data: None, ..raw("w", 10, &[3, 1], vec![]) };
    // The same bit patterns as varints, in two chunks.
    typed.int32_data = vec![vec![0x80, 0x78, 0x80, 0x80, 0x03].into(), vec![0x01].into()];
    let network = model()
        .input("x", &[0, 3])
        .tensor(typed)
        .node_with("Cast", &["w"], &["wide"], vec![int("to", 1)])
        .node("MatMul", &["x", "wide"], &["y"])
        .read();
    assert_eq!(real_weights(&network, 0), [1.0, -2.0, 2.0f32.powi(-24)]);
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let network = model()
        .input("x", &[0, 3])
        .tensor(floats("w", &[3, 1], &[1.0, f32::INFINITY, 2.0]))
        .node("MatMul", &["x", "w"], &["y"])
        .read();
    let message = network.weights(network::LayerId(0)).expect_err("infinite").to_string();
    assert!(
        message.contains("layer \"MatMul_y\"") && message.contains("weight 1") && message.contains("inf"),
        "{message}"
    );
}

#[test]
fn weights_stay_where_the_file_has_them() {
    let bytes = bytes::Bytes::from(
        model().input("x", &[0, 3]).weights("w", &[3, 2]).node("MatMul", &["x", "w"], &["y"]).bytes(),
    );
    let network = formats::from_bytes("f", bytes.clone(), &ReadOptions::default()).expect("valid");
    let chunk = &layer(&network).weights.tensor.chunks[0];
    assert!(bytes.as_ptr_range().contains(&chunk.as_ptr()), "a slice of the file, not a copy");
}

/// A sparse tensor `w` of shape `[2, 3]` that holds 5 and −7.
fn sparse(indices: TensorProto) -> Model {
    let mut model = model().input("x", &[0, 3]).node_with("Gemm", &["x", "w"], &["y"], vec![int("transB", 1)]);
    let values = Some(floats("w", &[2], &[5.0, -7.0]));
    model.graph.sparse_initializer.push(SparseTensorProto { values, indices: Some(indices), dims: vec![2, 3] });
    model
}

#[test]
fn sparse_tensors_are_written_out() {
    let cases = [ints("i", &[2], &[1, 5]), ints("i", &[2, 2], &[0, 1, 1, 2])];
    check_all(cases, |indices| {
        let network = sparse(indices.clone()).read();
        let LayerWeights::Float(WeightValues::F32(weights)) = network.weights(LayerId(0)).expect("readable") else {
            panic!("expected real weights")
        };
        assert_eq!(weights, [0.0, 5.0, 0.0, 0.0, 0.0, -7.0]);
    });
}

#[test]
fn wrong_sparse_tensors_are_refused() {
    let cases = [
        (ints("i", &[2], &[1, 6]), "index [6] of an extent of 6"),
        (ints("i", &[2], &[-1, 2]), "index [-1]"),
        (ints("i", &[2], &[3, 3]), "index 1 does not come behind"),
        (ints("i", &[2, 2], &[0, 1, 0, 3]), "index [0, 3] of an extent of 3"),
        (ints("i", &[3], &[0, 1, 2]), "indices of shape [3]; expected [2] or [2, 2]"),
        (floats("i", &[2], &[0.0, 1.0]), "indices of type float32"),
    ];
    check_all(cases, |(indices, expected)| {
        let message = sparse(indices.clone()).error();
        assert!(message.contains("sparse tensor \"w\"") && message.contains(expected), "{message}");
    });

    let mut huge = sparse(ints("i", &[2], &[0, 1]));
    huge.graph.sparse_initializer[0].dims = vec![1 << 20, 1 << 20];
    assert!(huge.error().contains("packed and sparse tensors of more than"), "{}", huge.error());
    let mut none = sparse(ints("i", &[2], &[0, 1]));
    none.graph.sparse_initializer[0].values = None;
    assert!(none.error().contains("a sparse initializer without values"), "{}", none.error());
}
