//! Are quantized weights, biases and activations read as the file means them?

use formats::onnx::proto::TensorProto;
use network::{Bias, LayerId, LayerWeights, Network, Op, WeightValues};

use testkit::*;

use crate::questions::*;

/// `[3, 2]` integers on which every filter of a transposed product has its own scale.
fn per_column() -> Model {
    model()
        .input("x", &[0, 3])
        .tensor(int8s("q", &[3, 2], &[1, -2, 3, -4, 5, -128]))
        .tensor(floats("s", &[2], &[0.5, 0.25]))
        .tensor(int8s("z", &[2], &[0, 1]))
}

#[test]
fn conv_per_channel() {
    let network = model()
        .input("x", &[0, 1, 2, 2])
        .tensor(int8s("q", &[2, 1, 1, 2], &[1, 0, -3, 4]))
        .tensor(floats("s", &[2], &[0.5, 0.25]))
        .tensor(int8s("z", &[2], &[0, 1]))
        .node_with("DequantizeLinear", &["q", "s", "z"], &["w"], vec![int("axis", 0)])
        .node("Conv", &["x", "w"], &["y"])
        .read();
    assert_eq!(codes(&network, 0), (vec![2, 0, -8, 6], vec![0.5, 0.25]));
}

#[test]
fn matmul_per_column_becomes_per_filter() {
    let expected = (vec![2, 6, 10, -6, -10, -258], vec![0.5, 0.25]);
    let straight = per_column()
        .node_with("DequantizeLinear", &["q", "s", "z"], &["w"], vec![int("axis", 1)])
        .node("MatMul", &["x", "w"], &["y"])
        .read();
    assert_eq!(codes(&straight, 0), expected);

    let turned = per_column()
        .node("Transpose", &["q"], &["t"])
        .node_with("DequantizeLinear", &["t", "s", "z"], &["d"], vec![int("axis", 0)])
        .node("Transpose", &["d"], &["w"])
        .node_with("Gemm", &["x", "w"], &["y"], vec![])
        .read();
    assert_eq!(codes(&turned, 0), expected);
}

#[test]
fn scales_that_do_not_belong_to_filters_are_noted() {
    let message = model()
        .input("x", &[0, 3])
        .tensor(int8s("q", &[3, 2], &[1; 6]))
        .tensor(floats("s", &[3], &[0.5; 3]))
        .node_with("DequantizeLinear", &["q", "s"], &["w"], vec![int("axis", 0)])
        .node("MatMul", &["x", "w"], &["y"])
        .error();
    assert!(message.contains("these operators are not handled: MatMul"), "{message}");
}

#[test]
fn quantize_and_dequantize_over_real_weights() {
    // Ties go to the even integer, and what does not fit saturates.
    let network = model()
        .input("x", &[0, 1, 1, 1])
        .tensor(floats("r", &[6, 1, 1, 1], &[0.25, 0.75, -0.25, 100.0, -100.0, 0.6]))
        .tensor(floats("s", &[], &[0.5]))
        .tensor(int8s("z", &[], &[0]))
        .node("QuantizeLinear", &["r", "s", "z"], &["q"])
        .node("DequantizeLinear", &["q", "s", "z"], &["w"])
        .node("Conv", &["x", "w"], &["y"])
        .read();
    assert_eq!(codes(&network, 0), (vec![0, 4, 0, 254, -256, 2], vec![0.5]));
}

/// QuantizeLinear, Clip to `[-7, 7]` and DequantizeLinear on the activation and on the weights `r` or `q`.
fn clipped() -> Model {
    model()
        .input("x", &[0, 1, 1, 1])
        .floats("s", &[], &[0.5])
        .int8s("z", &[], &[0])
        .int8s("low", &[], &[-7])
        .int8s("high", &[], &[7])
        .node("QuantizeLinear", &["x", "s", "z"], &["xq"])
        .node("Clip", &["xq", "low", "high"], &["xc"])
        .node("DequantizeLinear", &["xc", "s", "z"], &["xd"])
}

#[test]
fn integers_behind_a_clip_have_its_bounds() {
    let real = clipped()
        .floats("r", &[4, 1, 1, 1], &[0.5, -100.0, 3.6, 1.2])
        .node("QuantizeLinear", &["r", "s", "z"], &["q"])
        .node("Clip", &["q", "low", "high"], &["c"])
        .node("DequantizeLinear", &["c", "s", "z"], &["w"])
        .node("Conv", &["xd", "w"], &["y"])
        .read();
    assert_eq!(codes(&real, 0), (vec![2, -14, 14, 4], vec![0.5]));
    let activation = layer(&real).input_quantization.expect("it is quantized");
    assert_eq!((activation.min, activation.max, activation.bits()), (-7, 7, 4));

    // Integers that are stored, a transpose behind the first of two clips, and a bound that is left out.
    let stored = clipped()
        .int8s("q", &[1, 3], &[100, -100, 3])
        .int8s("four", &[], &[4])
        .floats("each", &[3], &[0.5, 0.25, 0.125])
        .node("Clip", &["q", "low", "high"], &["c"])
        .node("Transpose", &["c"], &["t"])
        .node("Clip", &["t", "", "four"], &["d"])
        .node_with("DequantizeLinear", &["d", "each"], &["f"], vec![int("axis", 0)])
        .ints("shape", &[3, 1, 1, 1])
        .node("Reshape", &["f", "shape"], &["w"])
        .node("Conv", &["xd", "w"], &["y"])
        .read();
    assert_eq!(codes(&stored, 0), (vec![8, -14, 6], vec![0.5, 0.25, 0.125]));
}

/// A 0 that an operator brings in is a level as well, be it outside the bounds.
#[test]
fn a_zero_behind_a_clip_is_within_the_bounds() {
    let pads = |mode: &str| vec![string("mode", mode)];
    let behind = |[low, high]: [i8; 2], op: &str, inputs: &[&str], attributes| {
        let network = model()
            .input("x", &[0, 1, 4, 4])
            .floats("s", &[], &[0.5])
            .int8s("z", &[], &[2])
            .int8s("low", &[], &[low])
            .int8s("high", &[], &[high])
            .ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1])
            .weights("w", &[2, 1, 1, 1])
            .node("QuantizeLinear", &["x", "s", "z"], &["xq"])
            .node("Clip", &["xq", "low", "high"], &["xc"])
            .node("DequantizeLinear", &["xc", "s", "z"], &["xd"])
            .node_with(op, &[&["xd"], inputs].concat(), &["p"], attributes)
            .node("Conv", &["p", "w"], &["y"])
            .read();
        layer(&network).input_quantization.map(|q| (q.min, q.max)).expect("it is quantized")
    };
    assert_eq!(behind([5, 20], "Identity", &[], vec![]), (5, 20));
    assert_eq!(behind([5, 20], "Pad", &["pads"], vec![]), (2, 20));
    assert_eq!(behind([5, 20], "Pad", &["pads"], pads("edge")), (5, 20));
    assert_eq!(behind([5, 20], "Relu", &[], vec![]), (2, 20));
    assert_eq!(behind([-20, -5], "Relu", &[], vec![]), (-20, 2));
}

#[test]
fn a_clipped_bias_stays_integers() {
    let network = clipped()
        .weights("w", &[2, 1, 1, 1])
        .tensor(int32s("b", &[2], &[1000, -70_000]))
        .tensor(int32s("least", &[], &[-32_768]))
        .tensor(int32s("most", &[], &[32_767]))
        .node("Clip", &["b", "least", "most"], &["c"])
        .node("DequantizeLinear", &["c", "s"], &["bias"])
        .node("Conv", &["xd", "w", "bias"], &["y"])
        .read();
    let Some(Bias::Integer { values, scales }) = &layer(&network).bias else { panic!("its bias are integers") };
    assert_eq!((values.as_slice(), scales.as_slice()), (&[1000, -32_768][..], &[0.5][..]));
}

#[test]
fn an_operator_that_stops_weights_is_named() {
    // No Clip leaves anything between 7 and -7.
    let stops: [(&str, &[&str]); 3] = [("Erf", &["r"]), ("Softmax", &["r"]), ("Clip", &["q", "high", "low"])];
    check_all(stops, |&(operator, inputs)| {
        let message = clipped()
            .floats("r", &[1, 1, 1, 1], &[3.0])
            .int8s("q", &[1, 1, 1, 1], &[3])
            .node(operator, inputs, &["c"])
            .node("Identity", &["c"], &["i"])
            .node_with("Cast", &["i"], &["w"], vec![int("to", 1)])
            .node("Conv", &["xd", "w"], &["y"])
            .error();
        let named = format!("its weights come from {operator}, which is not folded");
        assert!(message.contains(&named), "{message}");
    });
}

#[test]
fn integers_of_four_bits_are_packed_in_pairs() {
    // int4: 7, -8, -1 in 0x87 and 0x0f; uint4 of the same bytes: 7, 8, 15. What fills the last byte is nothing.
    let network = |weights: TensorProto, zero_point: TensorProto| {
        model()
            .opset(21)
            .input("x", &[0, 1, 1, 1])
            .tensor(weights)
            .floats("s", &[], &[0.5])
            .tensor(zero_point)
            .node("DequantizeLinear", &["q", "s", "z"], &["w"])
            .node("Conv", &["x", "w"], &["y"])
            .read()
    };
    let packed = |data_type: i32| raw("q", data_type, &[3, 1, 1, 1], vec![0x87, 0xff]);
    assert_eq!(codes(&network(packed(22), raw("z", 22, &[], vec![1])), 0), (vec![12, -18, -4], vec![0.5]));
    assert_eq!(codes(&network(packed(21), raw("z", 21, &[], vec![0])), 0), (vec![14, 16, 30], vec![0.5]));
    // As varints: 0x87 takes two bytes.
    let int32_data = vec![vec![0x87, 0x01, 0x0f].into()];
    let varints = TensorProto { raw_data: None, int32_data, ..packed(22) };
    assert_eq!(codes(&network(varints, raw("z", 22, &[], vec![0])), 0), (vec![14, -16, -2], vec![0.5]));
}

#[test]
fn real_numbers_become_integers_of_four_bits() {
    let network = model()
        .opset(21)
        .input("x", &[0, 1, 1, 1])
        .floats("r", &[3, 1, 1, 1], &[0.9, -100.0, 100.0])
        .floats("s", &[], &[0.5])
        .tensor(raw("z", 22, &[], vec![0]))
        .node("QuantizeLinear", &["x", "s", "z"], &["xq"])
        .node("DequantizeLinear", &["xq", "s", "z"], &["xd"])
        .node("QuantizeLinear", &["r", "s", "z"], &["q"])
        .node("DequantizeLinear", &["q", "s", "z"], &["w"])
        .node("Conv", &["xd", "w"], &["y"])
        .read();
    assert_eq!(codes(&network, 0), (vec![4, -16, 14], vec![0.5]));
    let activation = layer(&network).input_quantization.expect("it is quantized");
    assert_eq!((activation.min, activation.max), (-8, 7));
}

#[test]
fn packed_integers_of_the_wrong_length_are_refused() {
    let message = model().input("x", &[0, 1, 1, 1]).tensor(raw("q", 22, &[3], vec![0])).error();
    assert!(message.contains("tensor \"q\"") && message.contains("1 stored bytes"), "{message}");
    let message = model().input("x", &[0, 1, 1, 1]).tensor(raw("q", 22, &[1 << 40, 1 << 40], vec![0])).error();
    assert!(message.contains("tensor \"q\""), "{message}");
}

/// Integers `q` of shape `[2, 3]` behind a Cast, and scales `s` for both rows.
fn cast() -> Model {
    model()
        .input("x", &[0, 3])
        .int8s("q", &[2, 3], &[1, -2, 3, -4, 5, -128])
        .floats("s", &[2, 1], &[0.5, 0.25])
        .floats("one", &[], &[0.5])
        .floats("part", &[], &[0.375])
        .floats("z", &[2, 1], &[1.0, -1.0])
        .floats("columns", &[3], &[0.5, 0.25, 0.125])
        .node_with("Cast", &["q"], &["c"], vec![int("to", 1)])
}

fn gemm(model: Model) -> Network {
    model.node_with("Gemm", &["x", "w"], &["y"], vec![int("transB", 1)]).read()
}

#[test]
fn cast_and_mul_are_a_dequantization() {
    let scaled = gemm(cast().node("Mul", &["c", "s"], &["w"]));
    assert_eq!(codes(&scaled, 0), (vec![2, -4, 6, -8, 10, -256], vec![0.5, 0.25]));
    let first = gemm(cast().node("Mul", &["one", "c"], &["w"]));
    assert_eq!(codes(&first, 0), (vec![2, -4, 6, -8, 10, -256], vec![0.5]));
    // Codes are 2 · (q − z).
    let shifted = gemm(cast().node("Sub", &["c", "z"], &["d"]).node("Mul", &["d", "s"], &["w"]));
    assert_eq!(codes(&shifted, 0), (vec![0, -6, 4, -6, 12, -254], vec![0.5, 0.25]));
    let turned = cast().node("Mul", &["c", "s"], &["t"]).node("Transpose", &["t"], &["w"]);
    let turned = turned.node("MatMul", &["x", "w"], &["y"]).read();
    assert_eq!(codes(&turned, 0), (vec![2, -4, 6, -8, 10, -256], vec![0.5, 0.25]));
    for network in [scaled, first, shifted, turned] {
        assert!(network.notes().is_empty(), "{:?}", network.notes());
    }
}

#[test]
fn integers_that_are_lost_are_noted() {
    let real = |network: &Network| match network.weights(LayerId(0)).expect("readable") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("expected real weights, found {other:?}"),
    };
    let noted = |network: &Network| {
        let texts: Vec<String> = network.notes().iter().map(ToString::to_string).collect();
        assert!(matches!(texts.as_slice(), [text] if text.contains("computed from integers")), "{texts:?}");
    };
    let added = gemm(cast().node("Add", &["c", "s"], &["w"]));
    assert_eq!(real(&added), [1.5, -1.5, 3.5, -3.75, 5.25, -127.75]);
    noted(&added);
    let fraction = gemm(cast().node("Sub", &["c", "part"], &["d"]).node("Mul", &["d", "s"], &["w"]));
    assert_eq!(real(&fraction), [0.3125, -1.1875, 1.3125, -1.09375, 1.15625, -32.09375]);
    noted(&fraction);
    // These scales belong to the channels of the input.
    let columns = gemm(cast().node("Mul", &["c", "columns"], &["w"]));
    assert_eq!(real(&columns), [0.5, -0.5, 0.375, -2.0, 1.25, -16.0]);
    noted(&columns);
}

/// A constant is for each reader what it can use, whatever the others make of it and in whichever order they come.
#[test]
fn integers_stay_for_a_layer_where_others_read_real_numbers() {
    // Tied embedding: rows are looked up, and the classifier multiplies by the same table.
    let mut embedding = model()
        .input("x", &[0, 3])
        .int8s("q", &[2, 3], &[1, -2, 3, -4, 5, -128])
        .floats("s", &[2], &[0.5, 0.25])
        .node_with("DequantizeLinear", &["q", "s"], &["w"], vec![int("axis", 0)])
        .node("Gather", &["w", "ids"], &["rows"])
        .node("Add", &["x", "rows"], &["h"])
        .node_with("Gemm", &["h", "w"], &["y"], vec![int("transB", 1)]);
    embedding.graph.input.push(value_info("ids", 7, &[1]));
    let network = embedding.read();
    assert_eq!(codes(&network, 0), (vec![2, -4, 6, -8, 10, -256], vec![0.5, 0.25]));
    let values = network.graph().values();
    let table = values.iter().find(|value| value.name == "w").and_then(|value| value.constant.as_ref());
    let rows = table.expect("the lookup reads a tensor").to_f32().expect("real numbers");
    assert_eq!(rows, [0.5, -1.0, 1.5, -1.0, 1.25, -32.0]);
    assert!(network.notes().is_empty(), "{:?}", network.notes());
}

#[test]
fn scales_of_one_layer_may_be_none_of_another() {
    let matmul = |model: Model, y: &str| model.node("MatMul", &["x", "w"], &[y]);
    let gemm = |model: Model| model.node_with("Gemm", &["x", "w"], &["g"], vec![int("transB", 1)]);
    let square = model()
        .input("x", &[0, 2])
        .int8s("q", &[2, 2], &[1, -2, 3, -4])
        .floats("s", &[2, 1], &[0.5, 0.25])
        .node_with("Cast", &["q"], &["c"], vec![int("to", 1)])
        .node("Mul", &["c", "s"], &["w"])
        .returning_all(&["g", "m"]);
    let orders = [gemm(matmul(square.clone(), "m")), matmul(gemm(square.clone()), "m")];
    check_all(orders, |model| {
        let network = model.read();
        let index = |name: &str| network.layers().iter().position(|layer| layer.name == name).expect("a layer");
        assert_eq!(codes(&network, index("Gemm_g")), (vec![2, -4, 6, -8], vec![0.5, 0.25]));
        // Filters of a MatMul are columns.
        assert_eq!(real_weights(&network, index("MatMul_m")), [0.5, 0.75, -1.0, -1.0]);
        let told = texts(network.notes());
        assert!(
            matches!(told.as_slice(), [text] if text.starts_with("layer MatMul_m: its weights are computed")),
            "{told:?}"
        );
    });
    let twice = matmul(matmul(square.returning_all(&["m", "n"]), "m"), "n").read();
    let told = texts(twice.notes());
    assert!(told.iter().any(|text| text.contains("MatMul_n has those of MatMul_m")), "{told:?}");
}

#[test]
fn masks_are_no_integers() {
    let masked = |model: Model| {
        let model = model
            .input("x", &[0, 2])
            .floats("r", &[2, 2], &[0.5, 0.25, -0.5, 1.0])
            .floats("zero", &[], &[0.0])
            .tensor(bools("mask", &[2, 2], &[true, false, true, true]));
        model.node_with("Gemm", &["x", "w"], &["y"], vec![int("transB", 1)]).read()
    };
    let cases = [
        model().node("Where", &["mask", "r", "zero"], &["w"]),
        model().node_with("Cast", &["mask"], &["m"], vec![int("to", 1)]).node("Mul", &["r", "m"], &["w"]),
    ];
    check_all(cases, |model| {
        let network = masked(model.clone());
        assert_eq!(real_weights(&network, 0), [0.5, 0.0, -0.5, 1.0]);
        assert!(network.notes().is_empty(), "{:?}", network.notes());
    });
    // Integers that a mask chooses from stay integers; those that scale real numbers are lost.
    let cast = || model().int8s("q", &[2, 2], &[1, 2, 3, 4]).node_with("Cast", &["q"], &["c"], vec![int("to", 1)]);
    let chosen = masked(cast().node("Where", &["mask", "c", "zero"], &["w"]));
    assert_eq!(codes(&chosen, 0), (vec![2, 0, 6, 8], vec![1.0]));
    let told = texts(masked(cast().node("Mul", &["r", "c"], &["w"])).notes());
    assert!(matches!(told.as_slice(), [text] if text.contains("computed from integers")), "{told:?}");
}

/// Weights that pass DequantizeLinear, QuantizeLinear and DequantizeLinear: first from integers `q` with `s` and `z`, then
/// with the parameters of this name.
fn thrice(scale: &str, zero_point: &str) -> Model {
    model()
        .input("x", &[0, 2, 1, 1])
        .int8s("q", &[2, 2, 1, 1], &[-128, 127, 5, -1])
        .floats("s", &[2], &[0.1, 0.3])
        .int8s("z", &[2], &[0, 3])
        .floats("same s", &[2], &[0.1, 0.3])
        .int8s("same z", &[2], &[0, 3])
        .floats("other s", &[2], &[0.1, 0.25])
        .int8s("other z", &[2], &[0, 2])
        .node_with("DequantizeLinear", &["q", "s", "z"], &["r"], vec![int("axis", 0)])
        .node_with("QuantizeLinear", &["r", scale, zero_point], &["again"], vec![int("axis", 0)])
        .node_with("DequantizeLinear", &["again", scale, zero_point], &["w"], vec![int("axis", 0)])
        .node("Conv", &["x", "w"], &["y"])
}

#[test]
fn integers_that_are_quantized_again_alike_stay_as_they_are() {
    // Codes are 2 · (q − z).
    let expected = (vec![-256, 254, 4, -8], vec![0.1, 0.3]);
    assert_eq!(codes(&thrice("s", "z").read(), 0), expected);
    assert_eq!(codes(&thrice("same s", "same z").read(), 0), expected);

    // Real weights are rounded once: 0.26 / 0.5 is 1, and 100 saturates. One scale may stand for two that are equal, and a
    // zero point that is left out for 0.
    let real = model()
        .input("x", &[0, 1, 1, 1])
        .floats("r", &[2, 1, 1, 1], &[0.26, 100.0])
        .floats("one", &[], &[0.5])
        .floats("each", &[2], &[0.5, 0.5])
        .int8s("z", &[], &[0])
        .int8s("zs", &[2], &[0, 0])
        .node("QuantizeLinear", &["r", "one", "z"], &["q"])
        .node("DequantizeLinear", &["q", "one"], &["d"])
        .node_with("QuantizeLinear", &["d", "each", "zs"], &["again"], vec![int("axis", 0)])
        .node_with("DequantizeLinear", &["again", "each"], &["w"], vec![int("axis", 0)])
        .node("Conv", &["x", "w"], &["y"])
        .read();
    assert_eq!(codes(&real, 0), (vec![2, 254], vec![0.5, 0.5]));
}

#[test]
fn integers_that_are_quantized_again_otherwise_are_not_weights() {
    let reason = "these operators are not handled: Conv (its weights are quantized in two ways)";
    for (scale, zero_point) in [("other s", "z"), ("s", "other z"), ("other s", "other z")] {
        let message = thrice(scale, zero_point).error();
        assert!(message.contains(reason), "{message}");
    }
    // 127 · 3e38 is no number of float32, so that its integer would be another.
    let infinite = model()
        .input("x", &[0, 1, 1, 1])
        .int8s("q", &[1, 1, 1, 1], &[3])
        .floats("s", &[], &[3e38])
        .int8s("z", &[], &[0])
        .node("DequantizeLinear", &["q", "s", "z"], &["r"])
        .node("QuantizeLinear", &["r", "s", "z"], &["again"])
        .node("DequantizeLinear", &["again", "s", "z"], &["w"])
        .node("Conv", &["x", "w"], &["y"])
        .error();
    assert!(infinite.contains(reason), "{infinite}");

    let message = model()
        .input("x", &[0, 1, 1, 1])
        .weights("r", &[2, 1, 1, 1])
        .tensor(floats("s", &[], &[0.5]))
        .tensor(floats("other", &[], &[0.25]))
        .tensor(int8s("z", &[], &[0]))
        .node("QuantizeLinear", &["r", "s", "z"], &["q"])
        .node("DequantizeLinear", &["q", "other", "z"], &["w"])
        .node("Conv", &["x", "w"], &["y"])
        .error();
    assert!(message.contains(reason), "{message}");
}

#[test]
fn integer_bias_and_quantized_activation() {
    let activation = |op: &str, attributes| {
        model()
            .input("x", &[0, 1, 4, 4])
            .tensor(floats("xs", &[], &[0.125]))
            .tensor(raw("xz", 2, &[], vec![7]))
            .tensor(int8s("q", &[2, 1, 1, 1], &[1, 2]))
            .tensor(floats("s", &[1], &[0.5]))
            .tensor(int32s("b", &[2], &[100, -5]))
            .tensor(floats("bs", &[1], &[0.0625]))
            .node("QuantizeLinear", &["x", "xs", "xz"], &["xq"])
            .node("DequantizeLinear", &["xq", "xs", "xz"], &["xd"])
            .node_with(op, &["xd"], &["p"], attributes)
            .node("DequantizeLinear", &["q", "s"], &["w"])
            .node("DequantizeLinear", &["b", "bs"], &["bias"])
            .node("Conv", &["p", "w", "bias"], &["y"])
            .read()
    };
    let pool = vec![int_list("kernel_shape", &[2, 2])];
    let cases = [
        ("MaxPool", pool.clone(), true),
        ("Relu", vec![], true),
        ("AveragePool", pool, false),
        ("Sigmoid", vec![], false),
    ];
    check_all(cases, |&(op, ref attributes, kept)| {
        let network = activation(op, attributes.clone());
        let layer = layer(&network);
        match &layer.bias {
            Some(Bias::Integer { values, scales }) => {
                assert_eq!((values.as_slice(), scales.as_slice()), (&[100, -5][..], &[0.0625][..]))
            }
            other => panic!("expected an integer bias, found {other:?}"),
        }
        let found = layer.input_quantization.map(|q| (q.scale, q.zero_point, q.min, q.max));
        assert_eq!(found, kept.then_some((0.125, 7, 0, 255)), "behind {op}");
        let is_quantize = |op: &Op| matches!(op, Op::QuantizeLinear { .. });
        assert!(network.graph().nodes().iter().any(|n| is_quantize(&n.op)), "activations keep their nodes");
        assert_eq!(network.graph().nodes().len(), 4, "those of constants vanish");
    });
}

/// A bias of two axes whose scales or zero points belong to rows: each real number has its own.
#[test]
fn a_bias_of_rows_is_real() {
    let convolved = |model: Model| {
        let network = model
            .input("x", &[0, 3, 2, 2])
            .weights("w", &[6, 3, 1, 1])
            .floats("s", &[2], &[0.5, 0.25])
            .floats("z", &[2, 1], &[1.0, 2.0])
            .node("Conv", &["x", "w", "bias"], &["y"])
            .read();
        match &layer(&network).bias {
            Some(Bias::Float(values)) => values.clone(),
            other => panic!("expected real numbers, found {other:?}"),
        }
    };
    let scaled = model().tensor(int32s("b", &[2, 3], &[0, 1, 2, 3, 4, 5])).node_with(
        "DequantizeLinear",
        &["b", "s"],
        &["bias"],
        vec![int("axis", 0)],
    );
    assert_eq!(convolved(scaled), [0.0, 0.5, 1.0, 0.75, 1.0, 1.25]);
    let shifted = model()
        .int8s("b", &[2, 3], &[0, 1, 2, 3, 4, 5])
        .node_with("Cast", &["b"], &["c"], vec![int("to", 1)])
        .node("Sub", &["c", "z"], &["bias"]);
    assert_eq!(convolved(shifted), [-1.0, 0.0, 1.0, 1.0, 2.0, 3.0]);
}

#[test]
fn wrong_quantization_is_refused() {
    let cases = [
        (floats("s", &[2], &[0.5, 0.0]), "scale 1 is 0"),
        (floats("s", &[2], &[f32::NAN, 0.5]), "scale 0 is NaN"),
        (floats("s", &[3], &[0.5; 3]), "zero points of shape [2]"),
        (int8s("s", &[2], &[1, 1]), "a scale of type int8"),
    ];
    check_all(cases, |(scale, expected)| {
        let mut model = per_column();
        model.graph.initializer[1] = scale.clone();
        let message = model
            .node_with("DequantizeLinear", &["q", "s", "z"], &["w"], vec![int("axis", 1)])
            .node("MatMul", &["x", "w"], &["y"])
            .error();
        assert!(message.contains("node \"DequantizeLinear_w\"") && message.contains(expected), "{message}");
    });
}
