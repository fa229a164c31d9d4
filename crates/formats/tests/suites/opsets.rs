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
