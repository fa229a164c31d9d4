//! Does every wrong file end in one clear line, without a panic and in bounded time?

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use formats::ReadOptions;
use formats::onnx::proto::{FunctionProto, ModelProto, StringStringEntryProto, TensorProto};
use network::LayerId;
use prost::Message;

use testkit::*;

fn valid() -> Model {
    model()
        .input("x", &[0, 2, 6, 6])
        .weights("w", &[3, 2, 3, 3])
        .tensor(floats("b", &[3], &[0.5; 3]))
        .ints("s", &[0, -1])
        .tensor(int8s("q", &[48, 2], &[1; 96]))
        .tensor(floats("qs", &[2], &[0.5, 0.25]))
        .node_with(
            "Conv",
            &["x", "w", "b"],
            &["c"],
            vec![int_list("pads", &[0, 0, 0, 0]), string("auto_pad", "NOTSET")],
        )
        .node("Relu", &["c"], &["r"])
        .node("Reshape", &["r", "s"], &["f"])
        .node_with("DequantizeLinear", &["q", "qs"], &["d"], vec![int("axis", 1)])
        .node("MatMul", &["f", "d"], &["y"])
}

/// Reads a file and all its weights; only that it ends is of interest. The error must be one line.
fn survive(bytes: Vec<u8>) -> bool {
    match formats::from_bytes("garbled.onnx", Bytes::from(bytes), &ReadOptions::default()) {
        Ok(network) => (0..network.layers().len()).all(|i| network.weights(LayerId(i)).is_ok()),
        Err(error) => {
            let message = network::chain(&error);
            assert!(!message.contains(char::is_control), "{message:?}");
            false
        }
    }
}

/// Cuts and flips at positions spread over the file.
fn garble(bytes: &[u8], cuts: usize, flips: usize) {
    let started = Instant::now();
    for i in 0..cuts {
        survive(bytes[..bytes.len() * i / cuts].to_vec());
    }
    for i in 0..flips {
        let mut garbled = bytes.to_vec();
        // A multiplier without a common factor with the length visits positions in no particular order.
        let position = i.wrapping_mul(2_654_435_761) % bytes.len();
        garbled[position] ^= 1 << (i % 8);
        if i % 3 == 0 {
            let other = position / 2;
            garbled[other] = garbled[other].wrapping_add(0x7f);
        }
        survive(garbled);
    }
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[test]
fn garbled_files_end_in_an_error_or_a_network() {
    let bytes = valid().bytes();
    assert!(survive(bytes.clone()), "the file itself is valid");
    garble(&bytes, 100, 4000);
    if let Some(path) = shared("models/resnet20-cifar10-bn.onnx") {
        garble(&std::fs::read(path).expect("readable"), 40, 160);
    }
}

#[test]
fn garbled_structure_of_a_real_file() {
    let Some(path) = shared("models/resnet20-cifar10-bn.onnx") else { return };
    let bytes = std::fs::read(path).expect("readable");
    // Nodes lie in the first bytes of the file, where a flip hits structure rather than weights.
    for i in 0..300 {
        let mut garbled = bytes.clone();
        garbled[i * 53 % 15_000] ^= 1 << (i % 8);
        survive(garbled);
    }
}

#[test]
fn files_that_are_no_models() {
    let cases = [
        (vec![], "it is empty"),
        (b"hello, this is plain text\n".to_vec(), "unsupported: it is text; expected a network"),
        (b"\x1c\0\0\0TFL3".to_vec(), "an offset leads to byte 28"),
        (vec![0x08, 0x08], "no graph"),
        (vec![0xff; 64], "no ONNX model"),
        (valid().bytes()[..400].to_vec(), "cut off"),
    ];
    check_all(cases, |(bytes, expected)| {
        let error =
            formats::from_bytes("f", Bytes::from(bytes.clone()), &ReadOptions::default()).expect_err("no model");
        let message = error.to_string();
        assert!(message.starts_with("f: file: ") && message.contains(expected), "{message}");
    });
    let options = ReadOptions { topology: Some("layers.csv".into()), ..ReadOptions::default() };
    let error = formats::from_bytes("f", Bytes::from(valid().bytes()), &options).expect_err("it has a graph");
    assert!(error.to_string().contains("a topology is for weights without a graph"), "{error}");
    let missing = formats::read(&PathBuf::from("/nowhere/at/all.onnx"), &ReadOptions::default()).expect_err("no file");
    assert!(network::chain(&missing).starts_with("/nowhere/at/all.onnx: "));
    let folder = formats::read(&std::env::temp_dir(), &ReadOptions::default()).expect_err("a folder");
    assert!(network::chain(&folder).contains("not a regular file"));
}

#[test]
fn names_must_make_a_graph() {
    let base = || model().input("x", &[0, 6]).weights("w", &[6, 1]);
    let layer = |model: Model| model.node("MatMul", &["a", "w"], &["y"]);
    let cases = [
        (
            layer(base().node("Relu", &["b"], &["a"]).node("Relu", &["a"], &["b"])),
            "node \"Relu_a\": the node waits for its own",
        ),
        (layer(base().node("Relu", &["a"], &["a"])), "cycle"),
        (
            layer(base().node("Relu", &["x"], &["a"]).node("Exp", &["x"], &["a"])),
            "node \"Exp_a\": output \"a\" already is",
        ),
        (layer(base().node("Relu", &["x"], &["a"]).node("Exp", &["x"], &["w"])), "already is an input or initializer"),
        (layer(base().node("Relu", &["z"], &["a"])), "input \"z\" is made by no node"),
        (layer(base().weights("w", &[6, 1]).node("Relu", &["x"], &["a"])), "initializer \"w\" comes twice"),
        (layer(base().input("x", &[0, 6]).node("Relu", &["x"], &["a"])), "input \"x\" comes twice"),
        (base().node("MatMul", &["x", "w"], &["z"]), "output \"y\" is made by no node"),
    ];
    check_all(cases, |(model, expected)| {
        let message = model.error();
        assert!(message.contains(*expected), "{message}");
    });
}

#[test]
fn control_characters_are_escaped() {
    let mut model = model().input("x", &[0, 6]).weights("w", &[5, 1]).node("MatMul", &["x", "w"], &["y"]);
    model.graph.node[0].name = "two\nlines\u{1b}[31m".to_string();
    assert!(!model.error().contains(char::is_control));
    model.graph.node[0].input[1] = "no\nsuch".to_string();
    assert!(!model.error().contains(char::is_control));
}

#[test]
fn huge_shapes_are_refused_without_memory() {
    let huge = 1i64 << 60;
    let layer = |model: Model| model.weights("w", &[6, 1]).node("MatMul", &["a", "w"], &["y"]);
    let cases = [
        (layer(model().input("x", &[huge, huge]).node("Relu", &["x"], &["a"])), "too many elements"),
        (layer(model().input("x", &[0, -7]).node("Relu", &["x"], &["a"])), "extent of -7"),
        (
            layer(model().input("x", &[0, 6]).tensor(floats("h", &[huge], &[1.0])).node("Relu", &["x"], &["a"])),
            "stored bytes",
        ),
        (
            layer(model().input("x", &[0, 6]).tensor(floats("h", &[huge, huge], &[1.0])).node("Relu", &["x"], &["a"])),
            "too many elements",
        ),
        (
            layer(model().input("x", &[0, 6]).tensor(floats("h", &[-1], &[1.0])).node("Relu", &["x"], &["a"])),
            "negative extent",
        ),
        (
            layer(model().input("x", &[0, 1]).ints("s", &[huge, huge]).node("Expand", &["x", "s"], &["a"])),
            "too many elements",
        ),
        (
            layer(model().input("x", &[0, 6]).ints("p", &[0, i64::MAX, 0, i64::MAX]).node("Pad", &["x", "p"], &["a"])),
            "do not fit",
        ),
    ];
    check_all(cases, |(model, expected)| {
        let message = model.error();
        assert!(message.contains(*expected), "{message}");
    });
}

#[test]
fn large_constants_are_not_computed() {
    // 2^40 zeros, multiplied by themselves, again and again.
    let mut model = model().input("x", &[0, 6]).weights("w", &[6, 1]).ints("s", &[1 << 20, 1 << 20]).node(
        "ConstantOfShape",
        &["s"],
        &["c0"],
    );
    for i in 0..100 {
        let (from, to) = (format!("c{i}"), format!("c{}", i + 1));
        model = model.node("Mul", &[&from, &from], &[&to]);
    }
    let network = model.node("MatMul", &["x", "w"], &["y"]).read();
    assert_eq!(network.layers().len(), 1);

    // Constants of the largest size that is computed, more of them than are computed in all.
    let mut model = testkit::model().input("x", &[0, 6]).weights("w", &[6, 1]).ints("s", &[1 << 20]);
    let names: Vec<String> = (0..400).map(|i| format!("c{i}")).collect();
    for name in &names {
        model = model.node("ConstantOfShape", &["s"], &[name]);
    }
    let started = Instant::now();
    let read: Vec<&str> = std::iter::once("a").chain(names.iter().map(String::as_str)).collect();
    let network = model.node("MatMul", &["x", "w"], &["a"]).node("acme:Use", &read, &["y"]).read();
    assert!(!network.notes().is_empty() && started.elapsed() < Duration::from_secs(30));
}

/// Every layer would have a copy of the same scales, a thousand times what the file holds.
#[test]
fn shared_scales_take_bounded_memory() {
    const FILTERS: i64 = 1 << 16;
    let mut model = model()
        .input("x", &[0, 1])
        .tensor(int8s("q", &[1, FILTERS], &[1; FILTERS as usize]))
        .tensor(floats("s", &[FILTERS], &[0.5; FILTERS as usize]))
        .node_with("DequantizeLinear", &["q", "s"], &["w"], vec![int("axis", 1)]);
    for i in 0..1000 {
        model = model.node("MatMul", &["x", "w"], &[&format!("y{i}")]);
    }
    let message = model.node("Relu", &["y0"], &["y"]).error();
    assert!(message.contains("unsupported: layers and constants with more than 16777216 scales"), "{message}");
}

/// Every constant on the way would have a copy as well.
#[test]
fn shared_scales_of_constants_take_bounded_memory() {
    const FILTERS: i64 = 1 << 16;
    let mut model = valid()
        .tensor(int8s("k", &[1, FILTERS], &[1; FILTERS as usize]))
        .tensor(floats("ks", &[FILTERS], &[0.5; FILTERS as usize]))
        .node_with("DequantizeLinear", &["k", "ks"], &["i0"], vec![int("axis", 1)]);
    for i in 0..300 {
        model = model.node("Identity", &[&format!("i{i}")], &[&format!("i{}", i + 1)]);
    }
    let message = model.error();
    assert!(message.contains("unsupported: layers and constants with more than 16777216 scales"), "{message}");
}

/// A layer from `x` to `y`, and a condition `c` that holds.
fn with_condition() -> Model {
    model().input("x", &[0, 2, 6, 6]).weights("w", &[3, 2, 3, 3]).tensor(bools("c", &[], &[true])).node(
        "Conv",
        &["x", "w"],
        &["y"],
    )
}

/// The name of an If stands before each name in its branch.
#[test]
fn names_in_branches_take_bounded_memory() {
    let mut taken = model().returning("i").node("Relu", &["y"], &["i"]);
    for i in 0..2000 {
        taken = taken.floats(&format!("t{i}"), &[], &[1.0]);
    }
    let other = model().returning("i").node("Relu", &["y"], &["i"]);
    let mut model = with_condition().branches("z", [taken, other]);
    model.try_read().expect("it is small");
    model.graph.node.last_mut().expect("the If").name = "n".repeat(1 << 16);
    let message = model.error();
    assert!(message.contains("unsupported: names of Ifs before those in their branches that have over 67108864 bytes"));
}

/// Each call copies the body of the function, of which one node may hold a whole graph.
#[test]
fn bodies_of_functions_take_bounded_memory() {
    let mut branch = model().returning("b").node("Relu", &["in"], &["b"]);
    for i in 0..5000 {
        branch = branch.value_info(&format!("v{i}"), &[1]);
    }
    let other = model().returning("b").node("Tanh", &["in"], &["b"]);
    let body = model().branches("out", [branch, other]);
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let function = FunctionProto {
        name: "f".to_string(),
        domain: "local".to_string(),
        input: owned(&["in", "c"]),
        output: owned(&["out"]),
        node: body.graph.node,
        ..Default::default()
    };
    let calls = |count: usize| {
        let called = (0..count).map(|i| format!("z{i}"));
        let model = called.fold(with_condition(), |model, z| model.node("local:f", &["y", "c"], &[&z]));
        let mut file = ModelProto::decode(model.bytes().as_slice()).expect("just encoded");
        file.functions = vec![function.clone()];
        formats::from_bytes("test.onnx", file.encode_to_vec().into(), &ReadOptions::default())
    };
    calls(3).expect("it is small");
    let message = calls(2000).expect_err("it is too large").to_string();
    assert!(message.contains("unsupported: functions that unfold to more than 536870912 bytes"), "{message}");
}

#[test]
fn stored_tensors_are_checked() {
    let read = |t: TensorProto| model().input("x", &[0, 2]).tensor(t).node("MatMul", &["x", "w"], &["y"]).error();
    let typed = |data_type: i32| TensorProto { raw_data: None, ..raw("w", data_type, &[2, 1], vec![]) };
    let cases = [
        (raw("w", 1, &[2, 1], vec![0; 7]), "7 stored bytes"),
        (raw("w", 99, &[2, 1], vec![0; 8]), "element type 99 does not exist"),
        (TensorProto { float_data: vec![vec![0; 6].into(), vec![0; 2].into()], ..typed(1) }, "8 stored bytes"),
        (TensorProto { float_data: vec![vec![0; 8].into()], ..typed(3) }, "int8 in float_data; expected in int32_data"),
        (TensorProto { int32_data: vec![vec![1].into()], ..typed(3) }, "1 stored elements"),
        (
            TensorProto { float_data: vec![vec![0; 8].into()], ..raw("w", 1, &[2, 1], vec![0; 8]) },
            "more than one field",
        ),
    ];
    check_all(cases, |(tensor, expected)| {
        let message = read(tensor.clone());
        assert!(message.contains("tensor \"w\": ") && message.contains(*expected), "{message}");
    });
    // A varint that is too large for its type, and one that never ends, are found when they are read.
    check_all([vec![0x80, 0x02, 0x01], vec![0x01, 0xff]], |bytes| {
        let tensor = TensorProto { name: "q".to_string(), int32_data: vec![bytes.clone().into()], ..typed(3) };
        let network = model()
            .input("x", &[0, 2])
            .tensor(tensor)
            .tensor(floats("s", &[], &[0.5]))
            .node("DequantizeLinear", &["q", "s"], &["w"])
            .node("MatMul", &["x", "w"], &["y"])
            .read();
        let message = network.weights(LayerId(0)).expect_err("garbled").to_string();
        assert!(message.contains("layer \"MatMul_y\"") && message.contains("is not int8"), "{message}");
    });
}

/// A model whose weights, `[2, 1]`, lie in another file.
fn external(entries: &[(&str, &str)]) -> Model {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: key.to_string(), value: value.to_string() };
    let tensor = TensorProto {
        raw_data: None,
        data_location: 1,
        external_data: entries.iter().map(entry).collect(),
        ..raw("w", 1, &[2, 1], vec![])
    };
    model().input("x", &[0, 2]).tensor(tensor).node("MatMul", &["x", "w"], &["y"])
}

#[test]
fn external_data() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("model");
    std::fs::create_dir_all(folder.join("data")).expect("a folder");
    let values: Vec<u8> = [0.0f32, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join("data/w.bin"), &values).expect("a file");
    std::fs::write(outer.path().join("secret.bin"), &values).expect("a file");
    let read = |entries: &[(&str, &str)]| {
        let path = folder.join("model.onnx");
        std::fs::write(&path, external(entries).bytes()).expect("a file");
        formats::read(&path, &ReadOptions::default())
    };

    let good = [("location", "data/w.bin"), ("offset", "4"), ("length", "8")];
    assert_eq!(real_weights(&read(&good).expect("valid"), 0), [3.0, 4.0]);
    assert_eq!(real_weights(&read(&good[..2]).expect("the length may be left out"), 0), [3.0, 4.0]);

    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.path().join("secret.bin"), folder.join("link.bin")).expect("a link");
        std::os::unix::fs::symlink(folder.join("data/w.bin"), folder.join("inside.bin")).expect("a link");
        let message = read(&[("location", "link.bin")]).expect_err("a link to the outside").to_string();
        assert!(message.contains("leads out of the model's folder"), "{message}");
        read(&[("location", "inside.bin")]).expect("a link inside the folder");
    }
    let absolute = outer.path().join("secret.bin");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("location", "data/w.bin"), ("length", "12")], "need 8"),
        (&[("location", "data/w.bin"), ("offset", "-4")], "expected a count"),
        (&[("location", "../secret.bin")], "without '..'"),
        (&[("location", absolute.to_str().expect("UTF-8"))], "expected a relative path"),
        (&[("location", "data")], "not a regular file"),
        (&[("offset", "0")], "without a location"),
    ];
    check_all(cases, |(entries, expected)| {
        let message = read(entries).expect_err("wrong external data").to_string();
        assert!(message.contains("tensor \"w\": ") && message.contains(*expected), "{message}");
    });
    let message = external(&good).error();
    assert!(message.contains("unsupported: external data"), "{message}");

    // Sizes are all that is left of data that is not there, or that is beyond the end of its file.
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("location", "data/w.bin"), ("offset", "8")], "ends outside"),
        (&[("location", "data/w.bin"), ("offset", "18446744073709551615")], "ends outside"),
        (&[("location", "missing.bin")], "cannot be read"),
    ];
    check_all(cases, |(entries, expected)| {
        let network = read(entries).expect("its sizes are known");
        let message = network.weights(LayerId(0)).expect_err("there are no values").to_string();
        assert!(message.contains("tensor \"w\": ") && message.contains(*expected), "{message}");
    });
}
