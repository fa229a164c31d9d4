//! What does the command do with a file that was made to harm it? One line on standard error, exit code 2, in little time
//! and memory, whatever kind of file it is.

#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use esnsim_tests::fuzz::seeds;
use esnsim_tests::{analog_toml, binary, digital_toml};
use formats::onnx::proto::{ModelProto, StringStringEntryProto};
use prost::Message;
use tempfile::TempDir;
use testkit::{Model, check_all, int_list, model};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A hostile file may take so long and no longer.
const TIMEOUT: Duration = Duration::from_secs(20);
const HUGE: i64 = 1 << 60;

/// Arguments, with `FILE` for the file; its name; its bytes; what the line must hold.
type Case = (&'static str, &'static str, Vec<u8>, &'static str);

/// Runs the command in 2 GB of address space and returns its line.
fn refusal(folder: &Path, arguments: &str, name: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\""]).arg(binary()).current_dir(folder);
    shell.args(arguments.split_whitespace().map(|word| if word == "FILE" { name } else { word }));
    let output = shell.timeout(TIMEOUT).output().expect("a shell runs");
    let stderr = String::from_utf8(output.stderr).expect("stderr is text");
    assert_eq!(output.status.code(), Some(2), "{arguments} {name:?}: {stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{arguments} {name:?}: {stderr:?}");
    assert!(!stderr.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{stderr:?}");
    lines[0].to_string()
}

fn refused(cases: &[Case]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(cases, |(arguments, name, bytes, expected)| {
        fs::write(folder.path().join(name), bytes).expect("writable");
        let line = refusal(folder.path(), arguments, name);
        assert!(line.contains(*expected), "{name:?} should say {expected:?}: {line}");
    });
}

fn input() -> Model {
    model().input("x", &[0, 2])
}

fn changed(model: &Model, change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(model.bytes().as_slice()).expect("it was made here");
    change(&mut model);
    model.encode_to_vec()
}

#[test]
fn onnx() {
    let product = |model: Model| model.node("MatMul", &["a", "w"], &["y"]);
    let weights = || input().floats("w", &[2, 1], &[1.0, 2.0]);
    let huge = product(input().floats("w", &[HUGE, 16], &[1.0]).node("Relu", &["x"], &["a"]));
    let cycle = product(weights().node("Relu", &["b"], &["a"]).node("Relu", &["a"], &["b"]));
    let kernel = [int_list("kernel_shape", &[HUGE])];
    let window = product(weights().node_with("MaxPool", &["x"], &["a"], kernel.to_vec()));
    let control = changed(&product(weights().node("Relu", &["z"], &["a"])), |model| {
        let node = &mut model.graph.as_mut().expect("it has a graph").node[0];
        (node.name, node.input[0]) = ("\u{1b}[2J\nerror: ".to_string(), "\u{7}\r".to_string());
    });
    // A graph in a graph in a graph: field 7 of the model, fields of length 2^31.
    let deep = [0x3a, 0xff, 0xff, 0xff, 0xff, 0x07].repeat(1 << 16);
    refused(&[
        ("esn FILE", "huge.onnx", huge.bytes(), "elements"),
        ("esn FILE", "cycle.onnx", cycle.bytes(), "waits for its own"),
        ("esn FILE", "window.onnx", window.bytes(), "kernel"),
        ("esn FILE", "control.onnx", control, "is made by no node"),
        ("esn FILE", "deep.onnx", deep, "ONNX"),
        ("esn FILE", "\u{1b}[2J\n.onnx", b"text".to_vec(), "u{1b}[2J"),
    ]);
}

/// Data beside the model, which must be in its folder and in its file.
#[test]
fn external_data() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("model");
    fs::create_dir(&folder).expect("writable");
    let secret = outer.path().join("secret.bin");
    fs::write(&secret, [0; 8]).expect("writable");
    fs::write(folder.join("w.bin"), [0; 8]).expect("writable");
    std::os::unix::fs::symlink(&secret, folder.join("link.bin")).expect("writable");
    let absolute = secret.to_str().expect("UTF-8");
    let cases = [
        ("../secret.bin", "0", "without '..'"),
        (absolute, "0", "expected a relative path"),
        ("link.bin", "0", "leads out of the model's folder"),
        ("w.bin", "4", "ends outside"),
        ("w.bin", "18446744073709551612", "ends outside"),
        ("w\u{1b}[2J.bin", "0", "u{1b}[2J"),
        ("/dev/zero", "0", "expected a relative path"),
    ];
    check_all(cases, |(location, offset, expected)| {
        let model = input().floats("w", &[2, 1], &[1.0, 2.0]).node("MatMul", &["x", "w"], &["y"]);
        let model = changed(&model, |model| {
            let tensor = &mut model.graph.as_mut().expect("it has a graph").initializer[0];
            let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
            (tensor.raw_data, tensor.data_location) = (None, 1);
            tensor.external_data = vec![entry("location", location), entry("offset", offset)];
        });
        fs::write(folder.join("model.onnx"), model).expect("writable");
        let line = refusal(&folder, "esn FILE", "model.onnx");
        assert!(line.contains(*expected), "{location}: {line}");
    });
}

#[test]
fn tflite() {
    let with = |at: usize, number: u32| {
        let mut file = seeds("tflite").swap_remove(0);
        file[at..at + 4].copy_from_slice(&number.to_le_bytes());
        file
    };
    let root = u32::from_le_bytes(*with(4, u32::from_le_bytes(*b"TFL3")).first_chunk().expect("it has bytes")) as usize;
    refused(&[
        ("esn FILE", "root.tflite", with(0, u32::MAX), "an offset leads to byte"),
        ("esn FILE", "vtable.tflite", with(root, 0x8000_0000), "vtable"),
        ("esn FILE", "cut.tflite", with(0, 24)[..40].to_vec(), "file"),
    ]);
}

fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 16]].concat()
}

#[test]
fn safetensors_and_indices() {
    let tensor = |shape: &str, offsets: &str| {
        safetensors(&format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#))
    };
    let overlap = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let deep = format!(r#"{{"a":{}"#, "[".repeat(1 << 20));
    let long = [&(1u64 << 62).to_le_bytes()[..], b"{}"].concat();
    let index = |file: &str| format!(r#"{{"weight_map":{{"a":{file:?}}}}}"#).into_bytes();
    refused(&[
        ("esn FILE", "huge.safetensors", tensor("[1152921504606846976,16]", "[0,16]"), "header"),
        ("esn FILE", "beyond.safetensors", tensor("[2,2]", "[8,24]"), "header"),
        ("esn FILE", "overlap.safetensors", safetensors(overlap), "header"),
        ("esn FILE", "deep.safetensors", safetensors(&deep), "header"),
        ("esn FILE", "long.safetensors", long, "error"),
        ("esn FILE", "up.index.json", index("../a.safetensors"), "expected one beside it"),
        ("esn FILE", "absolute.index.json", index("/dev/zero"), "expected one beside it"),
        ("esn FILE", "missing.index.json", index("a.safetensors"), "cannot be read"),
        ("esn FILE", "control.index.json", br#"{"weight_map":{"a":"\u001b[2J"}}"#.to_vec(), "u{1b}[2J"),
        ("esn FILE", "itself.index.json", index("itself.index.json"), "header"),
        ("esn FILE", "deep.index.json", "[".repeat(1 << 20).replacen('[', "{\"a\":", 1).into_bytes(), "JSON"),
    ]);
}

fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("writable");
        writer.write_all(bytes).expect("writable");
    }
    writer.finish().expect("writable").into_inner()
}

fn npy(shape: &str, data: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let frame = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    [frame, vec![0; data]].concat()
}

/// 600 MB of zeros behind `begin` in less than 16 MB.
fn bomb(name: &str, begin: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file(name, options.compression_level(Some(1))).expect("writable");
    writer.write_all(begin).expect("writable");
    let zeros = vec![0; 1 << 20];
    (0..573).for_each(|_| writer.write_all(&zeros).expect("writable"));
    let bytes = writer.finish().expect("writable").into_inner();
    assert!(bytes.len() < 16 << 20);
    bytes
}

#[test]
fn checkpoints_and_arrays() {
    let pickle = |pickle: &[u8]| archive(&[("a/data.pkl", pickle)], CompressionMethod::Stored);
    let deep = [&b"\x80\x02"[..], &b"}U\x01a".repeat(1 << 18), b"N", &b"s".repeat(1 << 18), b"."].concat();
    let open = [&b"\x80\x02"[..], &b"(".repeat(1 << 22)].concat();
    let tensor =
        b"\x80\x02}U\x01actorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQ\
          K\0\x8a\x08\0\0\0\0\0\0\0\x10K\x10\x86K\x01K\x01\x86\x89)tRs.";
    let huge = archive(&[("a/data.pkl", tensor), ("a/data/0", &[0; 16])], CompressionMethod::Stored);
    refused(&[
        ("esn FILE", "deep.pt", pickle(&deep), "deep"),
        ("esn FILE", "open.pt", pickle(&open), "objects"),
        ("esn FILE", "run.pt", pickle(b"cos\nsystem\n(U\x0ctouch harmedtR."), "no tensor"),
        ("esn FILE", "huge.pt", huge, "ends outside its storage"),
        ("esn FILE", "bomb.pt", bomb("a/data.pkl", b"\x80\x02"), "unpacked"),
        ("esn FILE", "bomb.npz", bomb("a.npy", &npy("(150000000, 1)", 0)), "unpacked"),
        ("esn FILE", "huge.npy", npy("(1152921504606846976, 16)", 16), "bytes of data"),
        ("esn FILE", "control.npy", npy("(\u{1b}[2J, 16)", 16), "garbled"),
    ]);
}

#[test]
fn topologies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = safetensors(r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#);
    fs::write(folder.path().join("a.safetensors"), weights).expect("writable");
    let head = "Layer, M, N, K,\n";
    let rows = [
        ("a, 99999999999999999999999, 2, 2,", "line 2"),
        ("\u{1b}[2J, 1, 3, 2,", "u{1b}[2J"),
        ("a, -1, 2, 2,", "line 2"),
    ];
    check_all(rows, |&(row, expected)| {
        fs::write(folder.path().join("t.csv"), format!("{head}{row}\n")).expect("writable");
        let line = refusal(folder.path(), "esn a.safetensors --topology FILE", "t.csv");
        assert!(line.contains(expected), "{row}: {line}");
    });
    // A size that can be counted but not held.
    fs::write(folder.path().join("t.csv"), format!("{head}a, 1000000000000000, 2, 2,\n")).expect("writable");
    let line = refusal(folder.path(), "simulate a.safetensors --topology FILE --stepped", "t.csv");
    assert!(line.contains("2000000000000000 inputs or outputs"), "{line}");
}

#[test]
fn descriptions_and_plans() {
    let analog = analog_toml("a", "8", "\"unbounded\"", 2);
    let digital = digital_toml("d", 2, 8, "filter");
    let many = analog.replace("arrays = 2", "arrays = 18446744073709551616");
    let word = digital.replace("\"filter\"", "\"\\u001b[2J\"");
    let deep = format!("networks = {}", "[".repeat(1 << 18));
    let tables = format!("[{}a]\n", "a.".repeat(1 << 18));
    refused(&[
        ("simulate --hardware FILE", "many.toml", many.into_bytes(), "line"),
        ("simulate --hardware FILE", "word.toml", word.into_bytes(), "u{1b}[2J"),
        ("simulate --hardware FILE", "deep.toml", deep.clone().into_bytes(), "line 1"),
        ("simulate --hardware FILE", "tables.toml", tables.into_bytes(), "recursion limit"),
        ("simulate --images FILE", "deep.csv", deep.clone().into_bytes(), "file"),
        ("simulate --preprocess FILE", "p.toml", deep.clone().into_bytes(), "line 1"),
        ("sweep FILE --store runs.sqlite", "plan.toml", deep.into_bytes(), "line 1"),
    ]);
}

/// A PNG whose header says that it has 2^31 − 1 pixels each way.
fn large_picture() -> Vec<u8> {
    let mut bytes = seeds("picture").swap_remove(0);
    bytes[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    bytes
}

#[test]
fn images() {
    let manifest = b"file,label\n\x1b[2J.png,0\n".to_vec();
    refused(&[
        ("simulate --images FILE", "huge.npy", npy("(1152921504606846976, 1, 28, 28)", 16), "error"),
        ("simulate --images FILE", "bomb.npz", bomb("images.npy", &npy("(190000, 1, 28, 28)", 0)), "error"),
        ("simulate --images FILE", "large.png", large_picture(), "large.png"),
        ("simulate --images FILE", "manifest.csv", manifest, "u{1b}[2J"),
        ("simulate --images FILE", "cut.bin", vec![0; 100], "100"),
    ]);
}

/// Nothing above ran what a pickle asks for.
#[test]
fn pickles_are_never_run() {
    let folder: TempDir = tempfile::tempdir().expect("a temporary folder");
    let pickle = archive(&[("a/data.pkl", b"cos\nsystem\n(U\x0ctouch harmedtR.")], CompressionMethod::Stored);
    fs::write(folder.path().join("run.pt"), pickle).expect("writable");
    refusal(folder.path(), "esn FILE", "run.pt");
    assert!(!folder.path().join("harmed").exists());
}
