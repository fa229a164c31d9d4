//! Is every message of the library one line that names no option of a command line?

use std::path::PathBuf;

use esnsim::{Error, Need};

/// Every kind of message that is the face's own.
fn errors() -> Vec<Error> {
    let path = || PathBuf::from("net.onnx");
    let (name, layer, problem) = ("x".to_string(), "conv1".to_string(), "it is a folder".to_string());
    let needs = [Need::Images, Need::Reestimation, Need::Onnx].map(|need| Error::NeedsGraph { path: path(), need });
    let mut errors = vec![
        Error::SameName { first: path(), second: path(), name },
        Error::NoStep { path: path(), layer: layer.clone(), reason: None },
        Error::NoStep { path: path(), layer, reason: Some("its values lie on no grid".to_string()) },
        Error::NoImages,
        Error::NoLayer { path: path(), wanted: "conv9".to_string(), layers: 3 },
        Error::Place { path: path(), problem: problem.clone() },
        Error::Preprocessing { problem },
        Error::NothingToDo,
        Error::ReadOnly { path: path(), extension: "pth".to_string() },
        Error::Lossy { path: path(), first: "not in the new file: the graph".to_string(), more: 2 },
        Error::NoPoints { path: path(), reason: "no point is done; 3 failed".to_string() },
        Error::SameStore { path: path() },
    ];
    errors.extend(needs);
    errors
}

#[test]
fn messages_are_lines_without_options() {
    for error in errors() {
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
        assert!(!text.contains("--"), "a library names no option of a command line: {text}");
    }
}
