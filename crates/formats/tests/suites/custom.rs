//! Does a table of operators give the layers that it describes?

use std::fs;

use formats::ReadOptions;
use network::{MacOp, Network, NetworkError, Op};

use testkit::*;

use crate::questions::*;

fn read(model: &Model, table: &str) -> Result<Network, NetworkError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("operators.toml");
    fs::write(&path, table).expect("writable");
    model.read_with(&ReadOptions { operators: Some(path), ..ReadOptions::default() })
}

/// A convolution of another domain, and a layer behind it.
fn strange() -> Model {
    model()
        .input("x", &[0, 2, 8, 8])
        .int8s("w", &[3, 2, 3, 3], &[1, 2, 3].repeat(18))
        .weights("t", &[3, 7])
        .weights("v", &[4, 3, 1, 1])
        .node_with("acme:QConv", &["x", "t", "w"], &["a"], vec![int("step", 2), int_list("pads", &[1, 1, 1, 1])])
        .node("Conv", &["a", "v"], &["y"])
}

const QCONV: &str = "[[operator]]\nname = \"acme:QConv\"\nlayer = \"convolution\"\nweights = 2\nstrides = \"step\"\n";

#[test]
fn a_convolution_of_the_table_is_a_layer() {
    let network = read(&strange(), QCONV).expect("a table");
    assert_eq!(network.layers().len(), 2);
    let (layer, geometry) = (&network.layers()[0], network.layers()[0].geometry);
    assert_eq!((layer.name.as_str(), layer.op), ("QConv_a", MacOp::Conv));
    assert_eq!((geometry.out_size(), geometry.macs()), ([4, 4], 54 * 16));
    let quantization = layer.weights.quantization.as_ref().expect("integers");
    assert_eq!((quantization.scales.as_slice(), quantization.data_type), (&[1.0][..], network::DataType::I8));
    // What else the operator computes nobody knows; what stands behind it is costed all the same.
    assert_eq!(network.layers()[1].geometry.macs(), 12 * 16);
    let expected = "operator acme:QConv (node \"QConv_a/4_QConv\") is not run: the table of operators says what it costs, not \
                    what it computes";
    assert_eq!(texts(network.notes()), [expected]);
    assert!(network.not_costed().is_empty());
    assert_eq!(network.file_operators(), [("Conv".to_string(), 1), ("acme:QConv".to_string(), 1)]);

    // One of onnxruntime that is not costed otherwise.
    let table =
        QCONV.replace("acme:QConv", "LSTM").replace("convolution", "product").replace("strides = \"step\"\n", "");
    let recurrent = model().input("x", &[0, 6]).weights("w", &[6, 4]).node("LSTM", &["x", "", "w"], &["y"]);
    let network = read(&recurrent, &table).expect("a table");
    assert_eq!((network.layers()[0].geometry.macs(), network.not_costed().len()), (24, 0));

    let without = strange().error();
    assert!(without.contains("these operators before it are not handled: acme:QConv"), "{without}");
}

#[test]
fn channels_and_filters_may_lie_on_other_axes() {
    let last = model().input("x", &[0, 8, 6, 2]).weights("w", &[3, 3, 2, 5]).node("acme:Conv", &["x", "w"], &["y"]);
    let table = "[[operator]]\nname = \"acme:Conv\"\nlayer = \"convolution\"\nchannels = \"last\"\norder = \"HWCM\"\nruns = true";
    let network = read(&last, table).expect("a table");
    assert_eq!((output_shape(&network), network.layers()[0].geometry.spec().filters), (vec![1, 6, 4, 5], 5));
    assert!(network.notes().is_empty() && network.graph().nodes().iter().all(|node| node.op != Op::Unsupported));

    let signal = model().input("x", &[0, 2, 9]).weights("w", &[3, 2, 4]).node("acme:Conv", &["x", "w"], &["y"]);
    let table = "[[operator]]\nname = \"acme:Conv\"\nlayer = \"convolution\"\norder = \"MCW\"";
    assert_eq!(output_shape(&read(&signal, table).expect("a table")), [1, 3, 6]);

    let product =
        model().input("x", &[0, 6]).weights("w", &[4, 6]).weights("b", &[4]).node("Dense", &["w", "x", "b"], &["y"]);
    let table = "[[operator]]\nname = \"Dense\"\nlayer = \"product\"\ninput = 1\nweights = 0\nbias = 2\norder = \"MK\"";
    let network = read(&product, &format!("{table}\nruns = true")).expect("a table");
    assert_eq!(real_weights(&network, 0)[..7], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!((output_shape(&network), network.graph().nodes().len()), (vec![1, 4], 3));
    assert_eq!(read(&product, table).expect("a table").layers()[0].geometry.macs(), 24);
}

#[test]
fn what_a_table_does_not_say_right_is_refused() {
    let wrong = [
        (
            "[[operator]]\nname = \"a:B\"\nlayer = \"convolution\"\nstride = \"s\"",
            "line 4, in [[operator]]: there is no key \"stride\"; did you mean strides?",
        ),
        (
            "[[operator]]\nname = \"a:B\"\nlayer = \"conv\"",
            "line 3, in [[operator]]: layer is \"conv\"; expected convolution, product",
        ),
        ("[[operators]]\nname = \"a:B\"", "there is no key \"operators\"; did you mean operator?"),
        ("", "it describes no operator"),
        (
            "[[operator]]\nname = \"a:B\"\nlayer = \"product\"\nstrides = \"s\"",
            "operator \"a:B\": a product has no strides",
        ),
        (
            "[[operator]]\nname = \"a:B\"\nlayer = \"product\"\norder = \"MCHW\"",
            "order is \"MCHW\"; expected the letters of KM",
        ),
        ("[[operator]]\nname = \"a:B\"\nlayer = \"product\"\nweights = 0", "have to be different inputs"),
        (&format!("{QCONV}{QCONV}"), "operator \"acme:QConv\" comes twice"),
    ];
    check_all(wrong, |&(table, expected)| {
        let message = read(&strange(), table).expect_err("a wrong table").to_string();
        assert!(message.contains("operators.toml: table of operators: ") && message.contains(expected), "{message}");
    });
    let mismatched = [
        (QCONV.replace("step", "stride"), "node \"QConv_a\" has no attribute \"stride\""),
        (
            QCONV.replace("weights = 2", "weights = 5"),
            "node \"QConv_a\" has 3 inputs; the table of operators has the weights in 5",
        ),
    ];
    check_all(mismatched, |(table, expected)| {
        let message = read(&strange(), table).expect_err("another operator").to_string();
        assert!(message.starts_with("test.onnx: file: ") && message.contains(expected), "{message}");
    });
}
