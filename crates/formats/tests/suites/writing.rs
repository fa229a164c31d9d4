//! Does a written file read back as the network it came from?

use std::path::PathBuf;

use bytes::Bytes;
use esn::{CodeTensor, Grid};
use formats::GRID_KEY;
use formats::ReadOptions;
use formats::onnx::proto::ModelProto;
use formats::onnx::write::{WriteOptions, to_bytes, write};
use network::{
    ActivationQuantization, IntegerArithmetic, IntegerFunction, IntegerOp, LayerId, MacLayer, Mend, Network,
    NetworkError, NodeId, Op, Unary, WeightSource,
};
use prost::Message;
use testkit::*;

use crate::questions::*;

fn written(network: &Network) -> Vec<u8> {
    to_bytes(network, &WriteOptions::default()).expect("a network that can be written").bytes
}

fn read(bytes: Vec<u8>) -> Network {
    formats::from_bytes("written.onnx", Bytes::from(bytes), &ReadOptions::default()).expect("a valid file")
}

/// Reads what is written of a network, checks that nothing is lost, and that writing it once more gives the same file.
fn round_trip(network: &Network) -> Network {
    let bytes = written(network);
    let back = read(bytes.clone());
    assert_eq!(back.has_open_batch(), network.has_open_batch());
    assert_eq!(back.batch(), network.batch());
    assert_eq!(back.layers().len(), network.layers().len());
    for (i, (a, b)) in network.layers().iter().zip(back.layers()).enumerate() {
        assert_same_layer(a, b);
        let weights = |n: &Network| n.weights(LayerId(i)).expect("valid weights");
        assert_eq!(weights(network), weights(&back), "weights of {}", a.name);
    }
    let outputs =
        |n: &Network| n.graph().outputs().iter().map(|&id| n.graph().value(id).shape.clone()).collect::<Vec<_>>();
    assert_eq!(outputs(network), outputs(&back));
    let ops = |n: &Network| n.graph().nodes().iter().map(|node| node.op.clone()).collect::<Vec<_>>();
    assert_eq!(ops(network), ops(&back));
    let names = |n: &Network| n.graph().nodes().iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(network), names(&back));
    assert!(written(&back) == bytes, "what is read writes the same file");
    back
}

fn assert_same_layer(a: &MacLayer, b: &MacLayer) {
    let name = &a.name;
    assert_eq!((name, a.op, a.operand, a.geometry), (&b.name, b.op, b.operand, b.geometry));
    assert_eq!((a.alpha, a.input_quantization), (b.alpha, b.input_quantization), "{name}");
    let bias = |layer: &MacLayer| layer.bias.as_ref().map(|bias| format!("{bias:?}"));
    assert_eq!(bias(a), bias(b), "{name}");
    let points =
        |layer: &MacLayer| layer.weights.quantization.as_ref().map(|q| (q.scales.clone(), q.grid, q.data_type));
    assert_eq!(points(a), points(b), "{name}");
}

#[test]
fn real_files_come_back() {
    let cases = ["resnet20-cifar10-bn.onnx", "resnet20-cifar10.onnx", "resnet20-cifar10-int8-qdq-perchannel.onnx"];
    check_all(cases, |&name| {
        let Some(network) = shared_network(&format!("models/{name}")) else { return };
        assert!(network.has_open_batch());
        round_trip(&network);
    });
}

#[test]
fn the_network_that_comes_along_comes_back() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../traces/digits-resnet.onnx");
    round_trip(&formats::read(&path, &ReadOptions::default()).expect("a valid file"));
}

#[test]
fn every_kind_of_layer_comes_back() {
    let conv = vec![
        int_list("pads", &[1, 0, 2, 1]),
        int_list("strides", &[2, 1]),
        int_list("dilations", &[1, 2]),
        int("group", 2),
    ];
    let gemm = |flags: &[(&str, i64)]| {
        let mut attributes = vec![float("alpha", 0.5)];
        attributes.extend(flags.iter().map(|(name, value)| int(name, *value)));
        attributes
    };
    let models = [
        model().input("x", &[0, 4, 6, 7]).weights("w", &[6, 2, 3, 2]).weights("b", &[6]).node_with(
            "Conv",
            &["x", "w", "b"],
            &["y"],
            conv,
        ),
        model().input("x", &[0, 3, 9]).weights("w", &[5, 3, 4]).node("Conv", &["x", "w"], &["y"]),
        model().input("x", &[0, 3]).weights("w", &[3, 5]).weights("b", &[5]).node_with(
            "Gemm",
            &["x", "w", "b"],
            &["y"],
            gemm(&[]),
        ),
        model().input("x", &[1, 3]).weights("w", &[5, 1]).node_with(
            "Gemm",
            &["x", "w"],
            &["y"],
            gemm(&[("transA", 1), ("transB", 1)]),
        ),
        model().input("x", &[1, 3]).weights("w", &[5, 1]).weights("b", &[5, 1]).node_with(
            "Gemm",
            &["w", "x", "b"],
            &["y"],
            gemm(&[]),
        ),
        model().input("x", &[0, 4, 3]).weights("w", &[3, 5]).node("MatMul", &["x", "w"], &["y"]),
        model().input("x", &[0, 3]).weights("w", &[1, 1, 3, 5]).node("MatMul", &["x", "w"], &["y"]),
        model().input("x", &[0, 4, 3]).weights("w", &[3]).node("MatMul", &["x", "w"], &["y"]),
        model().input("x", &[0, 3, 4]).weights("w", &[5, 3]).node("MatMul", &["w", "x"], &["y"]),
        model().input("x", &[0, 3, 4]).weights("w", &[3]).node("MatMul", &["w", "x"], &["y"]),
    ];
    check_all(models, |model| {
        round_trip(&model.read());
    });
}

/// `x` is `[N, 4, 8, 8]`, and a product makes `y` of `a`, whose last axis has this extent.
fn around(model: Model, last: i64) -> Network {
    model.weights("w", &[last, 3]).node("MatMul", &["a", "w"], &["y"]).read()
}

#[test]
fn every_operator_comes_back() {
    let x = || model().input("x", &[0, 4, 8, 8]);
    let ints = |name: &str, list: &[i64]| int_list(name, list);
    let pool = || {
        vec![ints("kernel_shape", &[3, 2]), ints("strides", &[2, 1]), ints("pads", &[1, 0, 1, 1]), int("ceil_mode", 1)]
    };
    let mut average = pool();
    average.push(int("count_include_pad", 1));
    let smooth = ["Sigmoid", "Tanh", "HardSwish", "Softsign", "Erf", "Exp", "Sqrt", "Log"];
    check_all(["Relu", "Abs", "Neg", "Floor", "Ceil", "Sign", "Identity"].into_iter().chain(smooth), |&op| {
        assert!(round_trip(&around(x().node(op, &["x"], &["a"]), 8)).has_open_batch(), "{op}");
    });
    check_all(["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "PRelu"], |op| {
        round_trip(&around(x().weights("c", &[4, 1, 1]).node(op, &["x", "c"], &["a"]), 8));
    });
    let with = |op: &str, attributes| x().node_with(op, &["x"], &["a"], attributes);
    let cases = [
        ("LeakyRelu", vec![float("alpha", 0.125)], 8),
        ("Elu", vec![float("alpha", 0.75)], 8),
        ("HardSigmoid", vec![float("alpha", 0.125), float("beta", 0.375)], 8),
        ("Softmax", vec![int("axis", 1)], 8),
        ("LogSoftmax", vec![int("axis", -1)], 8),
        ("MaxPool", pool(), 8),
        ("AveragePool", average, 8),
        ("GlobalAveragePool", vec![], 1),
        ("GlobalMaxPool", vec![], 1),
        ("ReduceMean", vec![ints("axes", &[1]), int("keepdims", 0)], 8),
        ("ReduceMax", vec![ints("axes", &[2, 3])], 1),
        ("Transpose", vec![ints("perm", &[0, 2, 3, 1])], 4),
        ("Flatten", vec![], 256),
        ("DepthToSpace", vec![int("blocksize", 2), string("mode", "CRD")], 16),
        ("SpaceToDepth", vec![int("blocksize", 2)], 4),
        ("Selu", vec![float("alpha", 1.5), float("gamma", 0.5)], 8),
        ("Celu", vec![float("alpha", 0.5)], 8),
        ("ThresholdedRelu", vec![float("alpha", 0.5)], 8),
        ("Softplus", vec![], 8),
        ("Mish", vec![], 8),
        ("ReduceMin", vec![ints("axes", &[1])], 8),
        ("ReduceProd", vec![ints("axes", &[1])], 8),
        ("Round", vec![], 8),
        ("Reciprocal", vec![], 8),
        ("LRN", vec![int("size", 3), float("alpha", 0.5), float("bias", 2.0)], 8),
        ("ReduceL2", vec![ints("axes", &[1, 3]), int("keepdims", 0)], 8),
    ];
    check_all(cases, |&(op, ref attributes, last)| {
        let back = round_trip(&around(with(op, attributes.clone()), last));
        assert!(back.has_open_batch(), "{op}");
    });
    let gelu = with("Gelu", vec![string("approximate", "tanh")]).opset(20);
    round_trip(&around(gelu, 8));
}

#[test]
fn operators_with_constant_inputs_come_back() {
    let x = || model().input("x", &[0, 4, 8, 8]);
    let bn = x().weights("s", &[4]).weights("m", &[4]);
    let bn = bn.node_with("BatchNormalization", &["x", "s", "s", "m", "s"], &["a"], vec![float("epsilon", 0.25)]);
    round_trip(&around(bn, 8));
    let clip = x().tensor(floats("max", &[], &[6.0])).node("Clip", &["x", "", "max"], &["a"]);
    round_trip(&around(clip, 8));
    let pad = x().ints("p", &[0, 2, 0, 0, 0, 2, 0, -1]).tensor(floats("v", &[], &[0.5]));
    round_trip(&around(pad.node("Pad", &["x", "p", "v"], &["a"]), 7));
    let slice = x().ints("s", &[0, 7]).ints("e", &[i64::MAX, i64::MIN]).ints("axes", &[0, 3]).ints("t", &[1, -2]);
    let slice = round_trip(&around(slice.node("Slice", &["x", "s", "e", "axes", "t"], &["a"]), 4));
    assert!(slice.has_open_batch());
    let expand = x().ints("s", &[2, 1, 1, 1, 1]).node("Expand", &["x", "s"], &["a"]);
    round_trip(&around(expand, 8));
    let gather = x().ints("i", &[3, 0, -1]).node_with("Gather", &["x", "i"], &["a"], vec![int("axis", 1)]);
    round_trip(&around(gather, 8));
    let sum = x().ints("axes", &[1]).node("ReduceSum", &["x", "axes"], &["a"]);
    round_trip(&around(sum, 8));
    let layer = x().weights("s", &[8, 8]).weights("b", &[8]);
    let layer = layer.node_with("LayerNormalization", &["x", "s", "b"], &["a"], vec![int("axis", 2)]);
    assert!(round_trip(&around(layer, 8)).has_open_batch());
    check_all([("LayerNormalization", &[8]), ("InstanceNormalization", &[4])], |&(op, shape)| {
        let model = x().weights("s", shape).weights("b", shape).node(op, &["x", "s", "b"], &["a"]);
        assert!(round_trip(&around(model, 8)).has_open_batch(), "{op}");
    });
    let tile = x().ints("r", &[1, 2, 1, 3]).node("Tile", &["x", "r"], &["a"]);
    assert!(round_trip(&around(tile, 24)).has_open_batch());
    let chosen = x().node("Greater", &["x", "x"], &["more"]).tensor(floats("zero", &[], &[0.0]));
    let chosen = round_trip(&around(chosen.node("Where", &["more", "x", "zero"], &["a"]), 8));
    assert!(chosen.has_open_batch());
    let three = x().node("Sum", &["x", "x", "x"], &["a"]);
    assert_eq!(round_trip(&around(three, 8)).graph().nodes()[0].op_type, "Sum");
    let split = x().ints("parts", &[1, 3]);
    let split = split.node_with("Split", &["x", "parts"], &["p", "q"], vec![int("axis", 1)]);
    let split = split.node_with("Concat", &["q", "p", "q"], &["a"], vec![int("axis", 1)]);
    round_trip(&around(split, 8));
    check_all([(2.0, 16), (0.375, 3)], |&(scale, last)| {
        let resize = x().tensor(floats("s", &[4], &[1.0, 1.0, scale, scale]));
        let resize = resize.node_with("Resize", &["x", "", "s"], &["a"], vec![string("mode", "linear")]);
        round_trip(&around(resize, last));
    });
    let sizes = x().ints("z", &[1, 4, 3, 7]).node("Resize", &["x", "", "", "z"], &["a"]);
    assert!(round_trip(&around(sizes, 7)).has_open_batch(), "sizes of the other axes");
}

#[test]
fn a_softmax_over_several_axes_becomes_one_over_their_product() {
    let old = model().opset(11).input("x", &[0, 4, 8]).node_with("Softmax", &["x"], &["a"], vec![int("axis", 1)]);
    let network = around(old, 8);
    assert_eq!(network.graph().nodes()[0].op, Op::SoftmaxFrom { axis: 1, logarithm: false });
    let back = read(written(&network));
    let ops: Vec<&Op> = back.graph().nodes().iter().map(|node| &node.op).collect();
    assert_eq!(ops[..3], [&Op::Reshape, &Op::Softmax { axis: 1 }, &Op::Reshape]);
    assert!(back.has_open_batch());
    assert_eq!(output_shape(&back), output_shape(&network));
}

#[test]
fn quantized_weights_and_activations_come_back() {
    let model = model()
        .input("x", &[0, 1, 2, 2])
        .tensor(floats("xs", &[], &[0.125]))
        .tensor(raw("xz", 2, &[], vec![7]))
        .tensor(int8s("w_quantized", &[2, 1, 1, 2], &[1, 0, -3, 4]))
        .tensor(floats("s", &[2], &[0.5, 0.25]))
        .tensor(int8s("z", &[2], &[0, 1]))
        .tensor(int32s("b", &[2], &[100, -5]))
        .tensor(floats("bs", &[2], &[0.0625, 0.03125]))
        .node("QuantizeLinear", &["x", "xs", "xz"], &["xq"])
        .node("DequantizeLinear", &["xq", "xs", "xz"], &["xd"])
        .node_with("DequantizeLinear", &["w_quantized", "s", "z"], &["w"], vec![int("axis", 0)])
        .node_with("DequantizeLinear", &["b", "bs"], &["bias"], vec![int("axis", 0)])
        .node("Conv", &["xd", "w", "bias"], &["y"]);
    let back = round_trip(&model.read());
    assert_eq!(back.metadata(), [(GRID_KEY.to_string(), "mid-tread".to_string())]);

    let product = model_of_product().read();
    let back = round_trip(&product);
    assert_eq!(codes(&back, 0).1, [0.5, 0.25]);
}

/// A product whose columns have scales of their own, behind a QuantizeLinear on real weights.
fn model_of_product() -> Model {
    model()
        .input("x", &[0, 3])
        .tensor(floats("r", &[3, 2], &[0.25, 0.75, -0.25, 100.0, -100.0, 0.6]))
        .tensor(floats("s", &[2], &[0.5, 0.25]))
        .tensor(int8s("z", &[2], &[0, 0]))
        .node_with("QuantizeLinear", &["r", "s", "z"], &["q"], vec![int("axis", 1)])
        .node_with("DequantizeLinear", &["q", "s", "z"], &["w"], vec![int("axis", 1)])
        .node("MatMul", &["x", "w"], &["y"])
}

/// A bias that is not counted in steps of activation times weight would be misread by runtimes that fuse.
#[test]
fn an_integer_bias_with_a_scale_of_its_own_becomes_real() {
    let network = model()
        .input("x", &[0, 1, 1, 1])
        .tensor(floats("xs", &[], &[0.125]))
        .tensor(raw("xz", 2, &[], vec![7]))
        .tensor(int8s("q", &[1, 1, 1, 1], &[3]))
        .tensor(floats("s", &[], &[0.5]))
        .tensor(int32s("b", &[1], &[100]))
        .tensor(floats("bs", &[], &[0.5]))
        .node("QuantizeLinear", &["x", "xs", "xz"], &["xq"])
        .node("DequantizeLinear", &["xq", "xs", "xz"], &["xd"])
        .node("DequantizeLinear", &["q", "s"], &["w"])
        .node("DequantizeLinear", &["b", "bs"], &["bias"])
        .node("Conv", &["xd", "w", "bias"], &["y"])
        .read();
    let back = read(written(&network));
    assert!(matches!(&layer(&back).bias, Some(network::Bias::Float(values)) if values == &[50.0]));
}

/// A network of one convolution, its weights replaced by codes.
fn with_codes(grid: Grid, values: &[i32], steps: &[f32]) -> Network {
    let network =
        model().input("x", &[0, 1, 1, 2]).weights("w", &[2, 1, 1, 2]).node("Conv", &["x", "w"], &["y"]).read();
    let mut coded = network.edit();
    let layer = &mut coded.layers_mut()[0];
    let codes = CodeTensor::new(grid, layer.geometry.weight_shape(), values.to_vec()).expect("codes of the grid");
    layer.weights = WeightSource::from_codes("w", [2, 1, 1, 2], &codes, steps).expect("16 bits");
    coded.finish().expect("a network that holds together")
}

#[test]
fn grids_come_back() {
    let cases: [(Grid, &[i32], &[f32], i64); 4] = [
        (Grid::MidRise, &[1, -3, 0, 127], &[0.5], 17),
        (Grid::MidRise, &[1, -3, 0, 129], &[0.5, 0.25], 21),
        (Grid::MidTread, &[2, -254, 0, 6], &[0.5, 0.25], 17),
        (Grid::MidTread, &[2, -256, 0, 6], &[0.5], 21),
    ];
    check_all(cases, |&(grid, values, steps, opset)| {
        let network = with_codes(grid, values, steps);
        let bytes = written(&network);
        let model = ModelProto::decode(bytes.as_slice()).expect("a model");
        assert_eq!(model.opset_import[0].version, opset);
        let back = round_trip(&network);
        assert_eq!(codes(&back, 0), (values.to_vec(), steps.to_vec()));
        assert!(back.notes().is_empty(), "{:?}", back.notes());
    });
}

#[test]
fn a_pruned_filter_needs_no_step() {
    let network = with_codes(Grid::MidRise, &[1, -3, 0, 0], &[0.5, 0.0]);
    assert_eq!(codes(&read(written(&network)), 0), (vec![1, -3, 0, 0], vec![0.5, 2.0]));
    let network = with_codes(Grid::MidRise, &[1, -3, 0, 1], &[0.5, 0.0]);
    let error = to_bytes(&network, &WriteOptions::default()).expect_err("no step");
    assert!(error.to_string().ends_with("unsupported: a scale of 0 on weights that are not 0"), "{error}");
}

/// The file of mid-rise weights, with the metadata that names their grid changed or left out.
fn mid_rise_file(named: Option<&str>) -> Bytes {
    let bytes = written(&with_codes(Grid::MidRise, &[1, -3, 0, 5], &[0.5]));
    let mut model = ModelProto::decode(bytes.as_slice()).expect("a model");
    match named {
        Some(name) => model.metadata_props[0].value = name.to_string(),
        None => model.metadata_props.clear(),
    }
    model.encode_to_vec().into()
}

#[test]
fn a_grid_that_is_not_named_is_noted_and_may_be_given() {
    let read = |named, grid| {
        let options = ReadOptions { grid, ..ReadOptions::default() };
        formats::from_bytes("f.onnx", mid_rise_file(named), &options)
    };
    let silent = read(None, None).expect("a valid file");
    assert!(silent.notes().iter().any(|note| note.mend() == Some(Mend::NameGrid)), "{:?}", silent.notes());
    assert_eq!(codes(&silent, 0), (vec![2, -6, 0, 10], vec![0.25]));
    let given = read(None, Some(Grid::MidRise)).expect("a valid file");
    assert_eq!((codes(&given, 0), given.notes().len()), ((vec![1, -3, 0, 5], vec![0.5]), 0));
    let overruled = read(Some("mid-rise"), Some(Grid::MidTread)).expect("a valid file");
    assert_eq!(codes(&overruled, 0).0, [2, -6, 0, 10]);
    let message = read(Some("mid"), None).expect_err("no such grid").to_string();
    assert_eq!(message, "f.onnx: file: metadata esnsim.grid is \"mid\"; expected \"mid-rise\" or \"mid-tread\"");
}

#[test]
fn an_even_integer_says_that_a_file_is_not_mid_rise() {
    let with = |integers: &[i8], zero_points: &[i8]| {
        model()
            .input("x", &[0, 1, 1, 1])
            .tensor(int8s("q", &[2, 1, 1, 1], integers))
            .tensor(floats("s", &[2], &[0.5; 2]))
            .tensor(int8s("z", &[2], zero_points))
            .node_with("DequantizeLinear", &["q", "s", "z"], &["w"], vec![int("axis", 0)])
            .node("Conv", &["x", "w"], &["y"])
            .read()
    };
    let cases = [
        ([1, 0], [0, 0], true),
        ([1, 2], [0, 0], false),
        ([0, 0], [0, 0], false),
        ([2, 4], [1, 1], true),
        ([2, 3], [1, 1], false),
        ([2, 3], [1, 2], true),
        ([2, 4], [1, 2], false),
    ];
    check_all(cases, |&(integers, zero_points, noted)| {
        assert_eq!(!with(&integers, &zero_points).notes().is_empty(), noted, "{integers:?} less {zero_points:?}");
    });
}

#[test]
fn what_is_not_understood_is_not_written() {
    let network = model()
        .input("x", &[0, 3, 4])
        .node("Trilu", &["x"], &["a"])
        .weights("w", &[4, 2])
        .node("MatMul", &["a", "w"], &["y"])
        .read();
    let error = to_bytes(&network, &WriteOptions::default()).expect_err("an operator that is not understood");
    assert!(matches!(error, NetworkError::Unsupported { .. }));
    assert_eq!(
        error.to_string(),
        "test.onnx: node \"Trilu_a\": unsupported: ONNX files with the operator Trilu are not written, for nothing here runs it; a \
         file of weights is (.safetensors)"
    );
}

#[test]
fn a_batch_that_cannot_be_followed_is_closed_and_noted() {
    let network = around(
        model().input("x", &[0, 4, 8]).weights("c", &[1, 1, 8]).node_with(
            "Concat",
            &["x", "c"],
            &["a"],
            vec![int("axis", 1)],
        ),
        8,
    );
    let mut bytes = Vec::new();
    let notes = write(&network, &WriteOptions::default(), &mut bytes).expect("it is written");
    assert!(notes[0].text().contains("Concat_a"), "{notes:?}");
    assert!(!read(bytes).has_open_batch());
}

#[test]
fn metadata_is_kept_and_provenance_replaces_its_own() {
    let entry = |key: &str, value: &str| (key.to_string(), value.to_string());
    let network = with_codes(Grid::MidRise, &[1; 4], &[0.5]);
    let network = network.with_metadata(vec![entry("esnsim.version", "0"), entry(GRID_KEY, "old"), entry("a", "b")]);
    let provenance = vec![entry("esnsim.version", "1"), entry("esnsim.command", "compress")];
    let bytes = to_bytes(&network, &WriteOptions { provenance }).expect("it is written").bytes;
    let expected = [("esnsim.version", "1"), ("a", "b"), ("esnsim.command", "compress"), (GRID_KEY, "mid-rise")]
        .map(|(k, v)| entry(k, v));
    assert_eq!(read(bytes).metadata(), expected);
}

#[test]
fn names_that_come_twice_are_told_apart() {
    let mut twice = model()
        .input("x", &[0, 2])
        .weights("w", &[2, 2])
        .node("MatMul", &["x", "w"], &["h"])
        .node("Relu", &["h"], &["r"])
        .node("MatMul", &["r", "w"], &["y"]);
    for node in &mut twice.graph.node {
        node.name = "same".to_string();
    }
    let bytes = written(&twice.read());
    let graph = ModelProto::decode(bytes.as_slice()).expect("a model").graph.expect("a graph");
    let names: Vec<&str> = graph.node.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["same", "same#2", "same#3"]);
    assert_eq!(graph.initializer.len(), 1, "weights that two layers share are stored once");
    assert_eq!(graph.node[0].output, ["h"]);
    assert!(read(bytes).graph().nodes().iter().any(|node| node.op == Op::Unary(Unary::Relu)));
}

#[test]
fn weights_without_a_graph_are_no_onnx_file() {
    let header = r#"{"a.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
    let network = formats::from_bytes("a.safetensors", file.into(), &ReadOptions::default()).expect("it is valid");
    let problem = to_bytes(&network, &WriteOptions::default()).expect_err("there is no graph").to_string();
    assert_eq!(
        problem,
        "a.safetensors: writing it as ONNX: unsupported: weights without a graph; a weight file holds them"
    );
}

/// No node makes it, so that the file must hold it.
#[test]
fn an_output_that_is_computed_from_constants_is_written() {
    let mut model = model()
        .input("x", &[0, 2])
        .weights("w", &[2, 3])
        .tensor(int8s("q", &[2, 2], &[1, -2, 3, 4]))
        .tensor(floats("s", &[], &[0.5]))
        .node("MatMul", &["x", "w"], &["y"])
        .node("DequantizeLinear", &["q", "s"], &["d"])
        .node_with("Transpose", &["d"], &["t"], vec![int_list("perm", &[1, 0])]);
    let output = model.graph.output[0].clone();
    model.graph.output.push(formats::onnx::proto::ValueInfoProto { name: "t".to_string(), ..output });
    model.graph.output[1].r#type = None;
    let network = model.read();
    let constant = |network: &Network| {
        let value = network.graph().value(network.graph().outputs()[1]);
        value.constant.as_ref().expect("it is constant").to_f32().expect("it is real")
    };
    assert_eq!(constant(&network), [0.5, 1.5, -1.0, 2.0]);
    assert_eq!(constant(&read(written(&network))), [0.5, 1.5, -1.0, 2.0]);
}

/// Sizes beside an open batch, instead of scales, need `axes`, which Resize has since opset 18: also where it is written
/// for an operator on integers.
#[test]
fn the_opset_is_that_of_what_an_integer_operator_becomes() {
    let model = model()
        .input("x", &[0, 4, 8, 7])
        .tensor(floats("s", &[], &[0.1]))
        .tensor(int8s("z", &[], &[3]))
        .node("QuantizeLinear", &["x", "s", "z"], &["q"])
        .ints("sizes", &[1, 4, 8, 10])
        .node_with("Resize", &["q", "", "", "sizes"], &["r"], vec![string("mode", "linear")])
        .node("DequantizeLinear", &["r", "s", "z"], &["a"]);
    let mut network = around(model, 10).edit();
    let place = network.nodes().iter().position(|node| matches!(node.op, Op::Resize { .. })).expect("it is there");
    let quantization = ActivationQuantization { scale: 0.1, zero_point: 3, min: -128, max: 127 };
    let function = IntegerFunction::ResizeBilinear { align_corners: false, half_pixel: true, float: false };
    network.node_mut(NodeId(place)).op = Op::Integer(IntegerOp {
        function,
        arithmetic: IntegerArithmetic::LiteRt,
        inputs: vec![quantization],
        output: quantization,
    });
    let bytes = written(&network.finish().expect("a model"));
    let file = ModelProto::decode(bytes.as_slice()).expect("ONNX");
    let opset = file.opset_import.iter().find(|set| set.domain.is_empty());
    assert_eq!(opset.map(|set| set.version), Some(21), "the writer's newer opset, for 17 has no `axes`");
    assert!(read(bytes).has_open_batch());
}

#[test]
fn few_bits_are_written_as_they_were_read() {
    // int4 holds three weights in two bytes; of int8 a Clip leaves 4 bits.
    let four_bits = model()
        .opset(21)
        .tensor(raw("q", 22, &[3, 1, 1, 1], vec![0x87, 0x0f]))
        .tensor(raw("z", 22, &[], vec![0]))
        .node("QuantizeLinear", &["x", "s", "z"], &["xq"]);
    let clipped = model()
        .int8s("q", &[3, 1, 1, 1], &[7, -7, -1])
        .int8s("z", &[], &[0])
        .int8s("low", &[], &[-7])
        .int8s("high", &[], &[7])
        .node("QuantizeLinear", &["x", "s", "z"], &["xw"])
        .node("Clip", &["xw", "low", "high"], &["xq"]);
    check_all([four_bits, clipped], |model| {
        let network = model
            .clone()
            .input("x", &[0, 1, 2, 2])
            .floats("s", &[], &[0.5])
            .node("DequantizeLinear", &["xq", "s", "z"], &["xd"])
            .node("DequantizeLinear", &["q", "s", "z"], &["w"])
            .node("Conv", &["xd", "w"], &["y"])
            .read();
        round_trip(&network);
    });
}
