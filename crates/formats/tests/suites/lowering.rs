//! Are operators that the standard lacks written as those that it has?

use bytes::Bytes;
use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, Written, to_bytes};
use network::{LayerId, Network, Note, Op};

use testkit::*;

/// What is written of a network, read again: the same layers, but for their rounding.
fn lowered(network: &Network) -> (Network, Vec<Note>) {
    let Written { bytes, notes } = to_bytes(network, &WriteOptions::default()).expect("it can be written");
    let back = formats::from_bytes("written.onnx", Bytes::from(bytes), &ReadOptions::default()).expect("a valid file");
    assert_eq!(back.layers().len(), network.layers().len());
    assert_eq!(back.has_open_batch(), network.has_open_batch());
    for (i, (a, b)) in network.layers().iter().zip(back.layers()).enumerate() {
        assert_eq!((a.op, a.geometry, a.alpha), (b.op, b.geometry, b.alpha), "{}", a.name);
        assert!(b.requantization.is_none());
        let [x, y] = [network, &back].map(|n| n.weights(LayerId(i)).expect("valid weights"));
        assert_eq!(x, y, "weights of {}", a.name);
        assert_eq!(a.bias.as_ref().map(|b| b.to_float()), b.bias.as_ref().map(|b| b.to_float()), "bias of {}", a.name);
        let step = |layer: &network::MacLayer| layer.input_quantization.map(|q| (q.scale, q.zero_point));
        assert_eq!(step(a), step(b), "input of {}", a.name);
    }
    assert!(back.graph().nodes().iter().all(|node| !matches!(node.op, Op::Integer(_) | Op::Quant(_))));
    (back, notes)
}

#[test]
fn real_files_are_written_in_the_standard() {
    check_all(["resnet20-cifar10-int8-qoperator.onnx", "tfc-mnist-2w2a-qonnx.onnx"], |&name| {
        let Some(network) = shared_network(&format!("models/{name}")) else { return };
        let (_, notes) = lowered(&network);
        assert!(notes.iter().any(|note| note.text().contains("differ by one step")), "{notes:?}");
    });
}

#[test]
fn every_operator_on_integers_is_written() {
    let unary = ["q", "s", "z", "s", "z"];
    let binary = ["q", "s", "z", "q", "s", "z", "s", "z"];
    let pool = vec![int_list("kernel_shape", &[1, 1])];
    let softmax = vec![int("axis", 1), int("opset", 13)];
    let cases: [(&str, &[&str], Vec<_>, &str); 8] = [
        ("QLinearAdd", &binary, vec![], "Add"),
        ("QLinearMul", &binary, vec![], "Mul"),
        ("QLinearConcat", &["s", "z", "q", "s", "z"], vec![int("axis", 1)], "Concat"),
        ("QLinearAveragePool", &unary, pool, "AveragePool"),
        ("QLinearGlobalAveragePool", &unary, vec![], "GlobalAveragePool"),
        ("QLinearLeakyRelu", &unary, vec![], "LeakyRelu"),
        ("QLinearSigmoid", &unary, vec![], "Sigmoid"),
        ("QLinearSoftmax", &unary, softmax, "Softmax"),
    ];
    check_all(cases, |&(op, inputs, ref attributes, expected)| {
        let network = model()
            .input("x", &[0, 1, 1, 1])
            .tensor(floats("s", &[], &[0.5]))
            .tensor(raw("z", 2, &[], vec![9]))
            .tensor(int8s("w", &[2, 1, 1, 1], &[3, -4]))
            .tensor(int8s("wz", &[], &[0]))
            .node("QuantizeLinear", &["x", "s", "z"], &["q"])
            .node_with(&format!("com.microsoft:{op}"), inputs, &["a"], attributes.clone())
            .node("QLinearConv", &["a", "s", "z", "w", "s", "wz", "s", "z"], &["y"])
            .read();
        let (back, _) = lowered(&network);
        assert!(back.graph().nodes().iter().any(|node| node.op_type == expected), "{op}");
    });
}

#[test]
fn levels_that_the_standard_lacks_are_refused() {
    let activation = |scales: &[f32], mode: &str, bits: f32| {
        let shape = if scales.len() == 1 { vec![] } else { vec![2, 1, 1] };
        let network = model()
            .input("x", &[0, 2, 1, 1])
            .weights("w", &[1, 2, 1, 1])
            .tensor(floats("s", &shape, scales))
            .tensor(floats("z", &[], &[0.0]))
            .tensor(floats("n", &[], &[bits]))
            .node_with("onnx.brevitas:Quant", &["x", "s", "z", "n"], &["a"], vec![string("rounding_mode", mode)])
            .node("Conv", &["a", "w"], &["y"])
            .read();
        to_bytes(&network, &WriteOptions::default()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(activation(&[0.5], "ROUND", 3.0), Ok(()));
    assert_eq!(activation(&[0.5], "ROUND", 12.0), Ok(()));
    let cases = [
        (activation(&[0.5, 0.25], "ROUND", 3.0), "more than one scale"),
        (activation(&[0.5], "FLOOR", 3.0), "levels or a rounding"),
        (activation(&[0.5], "ROUND", 1.0), "levels or a rounding"),
        (activation(&[0.5], "ROUND", 20.0), "16 bits do not hold"),
    ];
    check_all(cases, |(result, expected)| {
        let message = result.as_ref().expect_err("the standard lacks it");
        assert!(message.contains("unsupported") && message.contains(expected), "{message} lacks {expected}");
    });
}
