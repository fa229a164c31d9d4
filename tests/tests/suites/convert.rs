//! Does a converted file hold what it says, and say what it does not hold?

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use esnsim_tests::{esnsim, repository};
use formats::ReadOptions;
use network::{LayerId, LayerWeights, Network, WeightValues};
use testkit::{check_all, int, model};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    esnsim().current_dir(folder).args(arguments).output().expect("the command runs")
}

fn succeed(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

/// Quantized weights with zero points by filter, a product with weights that are transposed, a bias, BatchNorm.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let integers: Vec<i8> = (0..18).map(|i| (i * 29 % 100 - 50) as i8).collect();
    let real: Vec<f32> = (0..6).map(|i| i as f32 - 2.5).collect();
    let file = model()
        .input("x", &[0, 1, 4, 4])
        .int8s("w.weight", &[2, 1, 3, 3], &integers)
        .floats("s", &[2], &[0.5, 0.25])
        .int8s("z", &[2], &[3, -4])
        .floats("b", &[2], &[0.5, -0.5])
        .floats("one", &[2], &[1.0, 2.0])
        .floats("v", &[2, 3], &real)
        .node_with("DequantizeLinear", &["w.weight", "s", "z"], &["wd"], vec![int("axis", 0)])
        .node("Conv", &["x", "wd", "b"], &["c"])
        .node("BatchNormalization", &["c", "one", "b", "b", "one"], &["n"])
        .node("GlobalAveragePool", &["n"], &["g"])
        .node("Flatten", &["g"], &["f"])
        .node("MatMul", &["f", "v"], &["y"])
        .bytes();
    std::fs::write(folder.path().join("net.onnx"), file).expect("writable");
    std::fs::copy(repository("traces/digits-resnet.onnx"), folder.path().join("digits.onnx")).expect("copied");
    folder
}

/// Name, type, shape and bytes of every tensor of a safetensors file.
fn safetensors(path: &Path) -> BTreeMap<String, (String, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).expect("it was written");
    let len = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).expect("JSON");
    let data = &bytes[8 + len..];
    let fields = header.as_object().expect("an object").iter().filter(|(name, _)| *name != "__metadata__");
    let number = |value: &serde_json::Value| value.as_u64().expect("a count") as usize;
    let tensors = fields.map(|(name, info)| {
        let shape = info["shape"].as_array().expect("extents").iter().map(number).collect();
        let (start, end) = (number(&info["data_offsets"][0]), number(&info["data_offsets"][1]));
        let data_type = info["dtype"].as_str().expect("a name").to_string();
        (name.clone(), (data_type, shape, data[start..end].to_vec()))
    });
    let tensors: BTreeMap<_, _> = tensors.collect();
    assert_eq!(tensors.values().map(|(_, _, bytes)| bytes.len()).sum::<usize>(), data.len(), "nothing between");
    tensors
}

#[test]
fn weights_are_written_under_their_names() {
    let folder = folder();
    let (stdout, stderr) = succeed(folder.path(), &["convert", "net.onnx", "w.safetensors"]);
    assert!(
        stdout.contains("2 layers (1 of integers), 24 weights") && stderr.contains("the graph of"),
        "{stdout}{stderr}"
    );
    let tensors = safetensors(&folder.path().join("w.safetensors"));
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    for name in ["w.weight", "w.weight_scale", "w.weight_zero_point", "w.bias", "MatMul_y.weight", "one"] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let (data_type, shape, bytes) = &tensors["w.weight"];
    let integers: Vec<u8> = (0..18).map(|i| (i * 29 % 100 - 50) as i8 as u8).collect();
    assert_eq!((data_type.as_str(), shape.as_slice(), bytes), ("I8", &[2, 1, 3, 3][..], &integers));
    // Filters first: the file's weights are [inputs, filters].
    let (_, shape, bytes) = &tensors["MatMul_y.weight"];
    let expected: Vec<u8> = [-2.5f32, 0.5, -1.5, 1.5, -0.5, 2.5].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!((shape.as_slice(), bytes), (&[3, 2][..], &expected));
    let (_, shape, bytes) = &tensors["w.weight_zero_point"];
    assert_eq!((shape.as_slice(), bytes.as_slice()), (&[2][..], &[3, 0, 0, 0, 252, 255, 255, 255][..]));
}

#[test]
fn archives_hold_the_same_elements() {
    let folder = folder();
    succeed(folder.path(), &["convert", "net.onnx", "w.safetensors"]);
    succeed(folder.path(), &["convert", "net.onnx", "w.npz"]);
    let file = std::fs::File::open(folder.path().join("w.npz")).expect("it was written");
    let mut archive = zip::ZipArchive::new(file).expect("an archive");
    let tensors = safetensors(&folder.path().join("w.safetensors"));
    assert_eq!(archive.len(), tensors.len());
    for (name, (_, _, bytes)) in tensors {
        let mut entry = archive.by_name(&format!("{name}.npy")).expect("the same names");
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        let mut array = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut array).expect("readable");
        let header = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
        assert!(array.starts_with(b"\x93NUMPY") && header.is_multiple_of(64) && array[header - 1] == b'\n');
        assert_eq!(array[header..], bytes, "{name}");
    }
}

/// A safetensors file of these tensors: name, type, shape, bytes.
fn write_safetensors(path: &Path, tensors: &[(&str, &str, &[usize], Vec<u8>)]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, data_type, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let info = serde_json::json!({ "dtype": data_type, "shape": shape, "data_offsets": offsets });
        header.insert((*name).to_string(), info);
        data.extend(bytes);
    }
    let header = serde_json::to_vec(&header).expect("JSON");
    let file = [(header.len() as u64).to_le_bytes().as_slice(), &header, &data].concat();
    std::fs::write(path, file).expect("writable");
}

/// Weights of one, two and three dimensions and what else checkpoints hold.
fn checkpoint(path: &Path) {
    let reals = |count: usize| (0..count).flat_map(|i| (i as f32 * 0.37 - 3.0).to_le_bytes()).collect::<Vec<u8>>();
    let tensors: [(&str, &str, &[usize], Vec<u8>); 8] = [
        ("c.weight", "F32", &[2, 3, 5], reals(30)),
        ("c.bias", "F32", &[2], reals(2)),
        ("d.weight", "F32", &[2, 1, 3, 3, 3], reals(54)),
        ("d.norm.running_var", "F32", &[2], reals(2)),
        ("block/kernel", "F16", &[2, 2], vec![0, 60, 0, 56, 0, 52, 0, 48]),
        ("d.norm.num_batches_tracked", "I64", &[], 77u64.to_le_bytes().to_vec()),
        ("position_ids", "I32", &[1, 2], vec![0, 0, 0, 0, 1, 0, 0, 0]),
        ("nothing", "F32", &[0, 4], Vec::new()),
    ];
    write_safetensors(path, &tensors);
}

#[test]
fn weights_without_a_graph_lose_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    checkpoint(&folder.path().join("all.safetensors"));
    let before = safetensors(&folder.path().join("all.safetensors"));
    assert_eq!(before.len(), 8);
    for (from, to) in [("all.safetensors", "b.safetensors"), ("b.safetensors", "c.npz"), ("c.npz", "d.safetensors")] {
        // Only archives have no place for what the writer says about itself.
        let (stdout, stderr) = succeed(folder.path(), &["convert", from, to]);
        assert!(stdout.contains("nothing is lost") || stderr.contains("the metadata of the file"), "{stdout}{stderr}");
    }
    check_all(["b.safetensors", "d.safetensors"], |&again| {
        assert_eq!(safetensors(&folder.path().join(again)), before, "{again}");
    });
}

#[test]
fn weights_without_a_graph_are_compressed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    checkpoint(&folder.path().join("all.safetensors"));
    let before = safetensors(&folder.path().join("all.safetensors"));
    let arguments = ["compress", "all.safetensors", "--prune", "weights=0.5", "--bits", "3", "-o", "q.safetensors"];
    succeed(folder.path(), &arguments);
    let after = safetensors(&folder.path().join("q.safetensors"));
    for (name, (data_type, shape, bytes)) in before {
        let weights = ["c.weight", "d.weight", "block/kernel"].contains(&name.as_str());
        let kept = after.get(&name).or(after.get(&format!("{}.weight", name.replace('/', "."))));
        let (new_type, new_shape, new_bytes) = kept.expect("every tensor has a place");
        assert_eq!(new_shape, &shape, "{name}");
        match weights {
            true => assert_eq!(new_type, "I8", "{name}"),
            false => assert_eq!((new_type, new_bytes), (&data_type, &bytes), "{name}"),
        }
    }
    let network = read(&folder.path().join("q.safetensors"));
    let nonzero = |layer: usize| match network.weights(LayerId(layer)).expect("valid") {
        LayerWeights::Quantized { codes, .. } => codes.codes().iter().filter(|&&code| code != 0).count(),
        LayerWeights::Float(_) => panic!("they were quantized"),
    };
    assert_eq!((0..3).map(nonzero).sum::<usize>(), 44);
    let cases = [
        (["compress", "all.safetensors", "--bits", "4", "-o", "x.onnx"].as_slice(), "without a graph"),
        (&["compress", "all.safetensors", "--bits", "4", "-o", "x.pth"], ".pth is read, not written"),
        (&["compress", "all.safetensors", "--prune", "filters=0.5", "-o", "x.npz"], "unsupported"),
        (&["compress", "all.safetensors", "--bits", "4", "--reestimate-bn", "-o", "x.npz"], "--architecture"),
    ];
    check_all(cases, |&(arguments, expected)| {
        let output = run(folder.path(), arguments);
        let message = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.code() == Some(2) && message.contains(expected), "{arguments:?}: {message}");
    });
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let folder = folder();
    check_all(["onnx", "safetensors", "npz"], |&format| {
        let files = ["a", "b"].map(|name| format!("{name}.{format}"));
        files.iter().for_each(|file| drop(succeed(folder.path(), &["convert", "digits.onnx", file])));
        let bytes = files.map(|file| std::fs::read(folder.path().join(file)).expect("it was written"));
        assert_eq!(bytes[0], bytes[1], "{format}");
    });
}

fn read(path: &Path) -> Network {
    formats::read(path, &ReadOptions::default()).expect("a valid file")
}

#[test]
fn onnx_is_read_back_with_the_same_weights() {
    let folder = folder();
    check_all(["net.onnx", "digits.onnx"], |&name| {
        let (stdout, _) = succeed(folder.path(), &["convert", name, "again.onnx", "--strict"]);
        assert!(stdout.contains("nothing is lost"), "{stdout}");
        let (before, after) = (read(&folder.path().join(name)), read(&folder.path().join("again.onnx")));
        for layer in 0..before.layers().len() {
            let weights = |network: &Network| network.weights(LayerId(layer)).expect("valid weights");
            assert_eq!(weights(&before), weights(&after));
            assert_eq!(before.layers()[layer].geometry, after.layers()[layer].geometry);
        }
    });
}

#[test]
fn found_codes_are_written_as_integers() {
    let folder = folder();
    let quantized = ["compress", "digits.onnx", "--bits", "3", "-o", "q.onnx"];
    succeed(folder.path(), &quantized);
    let (codes, fake) = (read(&folder.path().join("q.onnx")), folder.path().join("fake.onnx"));
    fake_quantized(&codes, &fake);
    succeed(folder.path(), &["convert", "fake.onnx", "found.onnx", "--find-step"]);
    let found = read(&folder.path().join("found.onnx"));
    for layer in 0..codes.layers().len() {
        assert_eq!(found.weights(LayerId(layer)).expect("valid"), codes.weights(LayerId(layer)).expect("valid"));
    }
    let figures = |file: &str, more: &[&str]| succeed(folder.path(), &[&["esn", file], more].concat()).0;
    let total = |text: String| text.lines().find(|l| l.starts_with("TOTAL  ESN_a")).map(str::to_string);
    assert_eq!(total(figures("fake.onnx", &["--find-step"])), total(figures("q.onnx", &[])));
    // Layers without a step need a width, and a width where every layer has a step has nothing to do.
    check_all(["esn", "simulate", "trace"], |&command| {
        let refused = run(folder.path(), &[command, "digits.onnx", "--find-step"]);
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no step found"), "{command}");
        succeed(folder.path(), &[command, "digits.onnx", "--find-step", "--bits", "4"]);
        succeed(folder.path(), &[command, "fake.onnx", "--find-step", "--bits", "4"]);
    });
}

/// The network with its codes as real numbers.
fn fake_quantized(network: &Network, path: &Path) {
    let mut fake = network.edit();
    for (index, layer) in fake.layers_mut().iter_mut().enumerate() {
        let weights = match network.weights(LayerId(index)).expect("valid") {
            LayerWeights::Quantized { codes, scales } => {
                codes.codes().iter().map(|&code| code as f32 * 0.5 * scales[0]).collect()
            }
            LayerWeights::Float(WeightValues::F32(values)) => values,
            LayerWeights::Float(WeightValues::F64(_)) => unreachable!("the network is float32"),
        };
        let spec = layer.geometry.spec();
        let shape = [spec.filters, spec.in_channels / spec.groups, spec.kernel[0], spec.kernel[1]];
        layer.weights = network::WeightSource::from_f32(&layer.weights.name, shape, &weights);
    }
    let fake = fake.finish().expect("a network that holds together");
    let fake = fake.with_notes(Vec::new()).with_metadata(Vec::new()).with_open_batch(false);
    let written = formats::onnx::write::to_bytes(&fake, &Default::default()).expect("it is understood");
    std::fs::write(path, written.bytes).expect("writable");
}

#[test]
fn what_would_be_lost_is_an_error_if_asked() {
    let folder = folder();
    let cases: [(&[&str], &str); 5] = [
        (&["convert", "digits.onnx", "w.npz", "--strict"], "error: digits.onnx: not in the new file: the graph of"),
        (&["convert", "digits.onnx", "w.npz", "--strict"], "with it; without --strict it is lost\n"),
        (&["convert", "digits.onnx", "w.pt"], "expected .onnx, .safetensors or .npz"),
        (&["convert", "digits.onnx", "digits.onnx"], "is also an input"),
        (&["convert", "digits.onnx", "no/w.npz"], "there is no folder"),
    ];
    check_all(cases, |(arguments, expected)| {
        let output = run(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(*expected), "{arguments:?}: {stderr}");
        assert!(!folder.path().join("w.npz").exists() && !folder.path().join("w.pt").exists());
    });
}

/// Little-endian bytes.
fn bytes_of(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Half of the filters of a convolution 3 → 8 pruned as `torch.nn.utils.prune` does it, and a linear layer 8 → 10.
fn pruned(path: &Path) {
    let weights = |count: usize| bytes_of((0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.01));
    let mask = (0..216).map(|i| if i / 27 % 2 == 0 { 1.0 } else { 0.0 });
    let tensors: [(&str, &str, &[usize], Vec<u8>); 5] = [
        ("conv.bias", "F32", &[8], weights(8)),
        ("conv.weight_orig", "F32", &[8, 3, 3, 3], weights(216)),
        ("conv.weight_mask", "F32", &[8, 3, 3, 3], bytes_of(mask)),
        ("fc.weight", "F32", &[10, 8], weights(80)),
        ("fc.bias", "F32", &[10], weights(10)),
    ];
    write_safetensors(path, &tensors);
}

#[test]
fn a_mask_is_multiplied_out_by_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    pruned(&folder.path().join("pruned.safetensors"));
    let made = "note: weights that are made of several tensors: \"conv.weight\" = weight_orig · weight_mask";
    let (stdout, stderr) = succeed(folder.path(), &["esn", "pruned.safetensors", "--bits", "4"]);
    assert!(stdout.contains("2 MAC layers, 296 weights (188 nonzero)") && stderr.contains(made), "{stdout}{stderr}");
    let (stdout, stderr) = succeed(folder.path(), &["convert", "pruned.safetensors", "whole.safetensors"]);
    assert!(stdout.contains("2 layers (0 of integers), 296 weights") && stderr.contains(made), "{stdout}{stderr}");
    let compress = ["compress", "pruned.safetensors", "--bits", "4", "-o", "q.safetensors"];
    let (stdout, stderr) = succeed(folder.path(), &compress);
    assert!(stdout.contains("188") && stderr.contains(made), "{stdout}{stderr}");
    check_all(["whole.safetensors", "q.safetensors"], |&name| {
        let network = read(&folder.path().join(name));
        let nonzero: usize = (0..2)
            .map(|id| match network.weights(LayerId(id)).expect("readable") {
                LayerWeights::Float(WeightValues::F32(values)) => values.iter().filter(|&&value| value != 0.0).count(),
                LayerWeights::Quantized { codes, .. } => codes.codes().iter().filter(|&&code| code != 0).count(),
                other => panic!("float32 or codes are expected: {other:?}"),
            })
            .sum();
        assert_eq!((network.layers().len(), nonzero), (2, 188), "{name}");
        assert!(!safetensors(&folder.path().join(name)).contains_key("conv.weight_mask"));
    });
}

/// A network of the literature all of whose weights have a mask costs what the same network costs with its weights.
#[test]
fn masks_fit_an_architecture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    succeed(folder.path(), &["new", "resnet8", "-o", "net.onnx"]);
    succeed(folder.path(), &["convert", "net.onnx", "plain.safetensors"]);
    let plain = safetensors(&folder.path().join("plain.safetensors"));
    let (mut masked, mut whole) = (Vec::new(), Vec::new());
    for (name, (data_type, shape, bytes)) in &plain {
        if shape.len() < 2 {
            masked.push((name.clone(), data_type, shape, bytes.clone()));
            whole.push((name.clone(), data_type, shape, bytes.clone()));
            continue;
        }
        let kept = |i: usize| i * 7 % 10 < 5;
        let values = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).enumerate();
        let mask = (0..bytes.len() / 4).map(|i| if kept(i) { 1.0 } else { 0.0 });
        masked.push((format!("{name}_orig"), data_type, shape, bytes.clone()));
        masked.push((format!("{name}_mask"), data_type, shape, bytes_of(mask)));
        let product = values.map(|(i, value)| if kept(i) { value } else { 0.0 });
        whole.push((name.clone(), data_type, shape, bytes_of(product)));
    }
    for (file, tensors) in [("masked.safetensors", masked), ("whole.safetensors", whole)] {
        let tensors: Vec<(&str, &str, &[usize], Vec<u8>)> = tensors
            .iter()
            .map(|(name, data_type, shape, bytes)| (name.as_str(), data_type.as_str(), shape.as_slice(), bytes.clone()))
            .collect();
        write_safetensors(&folder.path().join(file), &tensors);
    }
    let cost = |file: &str| {
        let options = ["--architecture", "resnet8", "--bits", "4", "--hardware", "ideal-digital"];
        let (stdout, stderr) = succeed(folder.path(), &[&["simulate", file][..], &options].concat());
        (stdout.replace(file, "file"), stderr)
    };
    let (found, told) = cost("masked.safetensors");
    assert_eq!(found, cost("whole.safetensors").0);
    assert!(told.contains("= weight_orig · weight_mask"), "{told}");
}
