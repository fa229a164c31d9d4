//! Are operators understood as the opset of their file has them?

use formats::onnx::proto::{ModelProto, OperatorSetIdProto};
use network::{Network, NetworkError};
use prost::Message;

use testkit::*;

use crate::questions::*;

/// What reading a model gives that imports these domains in these versions.
fn importing(model: &Model, imports: &[(&str, i64)]) -> Result<Network, NetworkError> {
    let import = |&(domain, version): &(&str, i64)| OperatorSetIdProto { domain: domain.to_string(), version };
    let mut file = ModelProto::decode(model.bytes().as_slice()).expect("just encoded");
    file.opset_import = imports.iter().map(import).collect();
    formats::from_bytes("test.onnx", file.encode_to_vec().into(), &formats::ReadOptions::default())
}

#[test]
fn a_domain_that_is_imported_twice() {
    let conv = || model().input("x", &[0, 2, 4, 4]).weights("w", &[2, 2, 1, 1]).node("Conv", &["x", "w"], &["y"]);
    let plain: [&[(&str, i64)]; 4] = [
        &[("", 19), ("ai.onnx", 11)],
        &[("", 11), ("", 19)],
        &[("ai.onnx", 17)],
        &[("ai.onnx.training", 1), ("", 17), ("ai.onnx.preview.training", 1), ("ai.onnx.ml", 3)],
    ];
    check_all(plain, |imports| {
        assert_eq!(output_shape(&importing(&conv(), imports).expect("nothing changed")), [1, 2, 4, 4]);
    });
    let softmax = conv().node_with("Softmax", &["y"], &["z"], vec![int("axis", 1)]);
    assert!(importing(&softmax, &[("", 19), ("", 13)]).is_ok());
    let wrong: [(&[(&str, i64)], &str); 3] = [
        (
            &[("", 19), ("ai.onnx", 11), ("ai.onnx.training", 1)],
            "test.onnx: file: it imports the default domain twice, as opsets 11 and 19, and Softmax (node \"Softmax_z\") is \
             another operator in each; it has to import the one that its nodes are written in",
        ),
        (&[("ai.onnx.ml", 3)], "test.onnx: file: it imports no opset of the default domain"),
        (&[("", 0)], "test.onnx: file: it imports opset 0 of the default domain; the first is 1"),
    ];
    check_all(wrong, |&(imports, expected)| {
        assert_eq!(importing(&softmax, imports).expect_err("ambiguous").to_string(), expected);
    });
}

/// Notes of a network whose last layer reads `a`.
fn notes(model: Model) -> Vec<String> {
    let model = model.weights("last", &[4, 1]).node("MatMul", &["a", "last"], &["y"]);
    texts(model.read().notes()).iter().map(ToString::to_string).collect()
}

#[test]
fn what_older_opsets_leave_open_is_refused() {
    let x = |opset| model().opset(opset).input("x", &[0, 2, 3, 4]);
    let by_channel = |opset, attributes| x(opset).weights("b", &[2]).node_with("Add", &["x", "b"], &["a"], attributes);
    let axis = |axis| vec![int("broadcast", 1), int("axis", axis)];
    let wrong = [
        (by_channel(6, vec![]), "inputs of shapes [1, 2, 3, 4] and [2]; expected equal ones, for its broadcast is 0"),
        (by_channel(6, axis(-1)), "broadcasts at axis -1 of 2 inputs; expected two, and an axis of 0 or above"),
        (by_channel(6, axis(4)), "has a negative extent"),
        (x(5).node_with("Cast", &["x"], &["a"], vec![string("to", "REAL")]), "attribute \"to\" is \"REAL\""),
        (x(4).node("Reshape", &["x"], &["a"]), "its new shape is missing"),
        (x(1).node("Upsample", &["x"], &["a"]), "its scales are missing"),
    ];
    check_all(wrong, |(model, expected)| {
        let message = model.clone().weights("last", &[4, 1]).node("MatMul", &["a", "last"], &["y"]).error();
        assert!(message.contains(expected), "{message}");
    });
    let training = |op, inputs: &[&str]| x(6).weights("s", &[2]).node_with(op, inputs, &["a"], vec![int("is_test", 0)]);
    let told = [
        (training("Dropout", &["x"]), "is not run: it is in training mode, is_test 0"),
        (
            training("BatchNormalization", &["x", "s", "s", "s", "s"]),
            "is not run: it is in training mode or not spatial",
        ),
    ];
    check_all(told, |(model, expected)| {
        let notes = notes(model.clone());
        assert!(notes.len() == 1 && notes[0].ends_with(expected), "{notes:?}");
    });
}

#[test]
fn outputs_that_nobody_reads_are_left_out() {
    let x = |opset| model().opset(opset).input("x", &[0, 2, 3, 4]).weights("s", &[2]).weights("c", &[4]);
    let pool = vec![int_list("kernel_shape", &[1, 1])];
    let cases = [
        x(17).node("LayerNormalization", &["x", "c", "c"], &["a", "mean", "deviation"]),
        x(17).node("Dropout", &["x"], &["a", "mask"]),
        x(17).node_with("MaxPool", &["x"], &["a", "indices"], pool),
        x(9).node("BatchNormalization", &["x", "s", "s", "s", "s"], &["a", "m", "v", "", ""]),
    ];
    check_all(cases, |model| {
        let network = model.clone().weights("last", &[4, 1]).node("MatMul", &["a", "last"], &["y"]).read();
        assert_eq!(network.graph().nodes()[0].outputs.len(), 1);
        assert!(network.graph().values().iter().all(|value| value.shape.is_some()));
        assert_eq!(texts(network.notes()), [] as [&str; 0]);
    });
}
