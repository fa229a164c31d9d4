//! Small valid inputs of every reader, made here.

pub(super) mod weights;

use std::fs;

use bytes::Bytes;
use formats::onnx::proto::{ModelProto, StringStringEntryProto};
use formats::onnx::write::{WriteOptions, to_bytes};
use network::architectures::{Architecture, Family, Shortcut, build};
use prost::Message;

use crate::{
    Recorded, analog_toml, digital_toml, exported_files, keras_files, picture_files, repository, tflite_files,
};
use testkit::{cifar_batch, cifar_records, float, gzip, idx, int, int_list, int32s, model, string, tar};

/// Valid inputs of the target of this name; none where there is no such target.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    match name {
        "onnx" => onnx(),
        "tflite" => tflite_files(),
        "keras" => keras_files(),
        "exported" => exported_files(),
        "safetensors" => weights::safetensors(),
        "index" => weights::indices(),
        "torch" => weights::checkpoints(),
        "arrays" => weights::arrays(),
        "topology" => weights::topologies(),
        "external" => vec![outside(convolutions()), outside(quantized())],
        "hardware" => hardware().into_iter().map(String::into_bytes).collect(),
        "preprocessing" => vec![PREPROCESSING.as_bytes().to_vec()],
        "plan" => plans(),
        "cifar" => vec![vec![7; 3073], vec![3; 2 * 3074]],
        "npy" => vec![
            npy("<f4", "(1, 3, 2, 2)", 48),
            npy("<i2", "(2, 4, 3)", 48),
            npy("|u1", "(2, 4, 4, 1)", 32),
            npy("<i8", "(1, 1, 2, 3)", 48),
        ],
        "npz" => vec![fs::read(repository("traces/digits-test.npz")).expect("it is in the repository")],
        "manifest" => vec![b"file,label\na.png,0\nb/c.jpg,1\n".to_vec(), b"file\n\"a b.png\"\n".to_vec()],
        "picture" => picture_files(),
        "dataset" => data_sets(),
        _ => Vec::new(),
    }
}

/// What lies in the file that [`seeds`] of `external` read their tensors from.
pub(super) fn external_data() -> Vec<u8> {
    (0..256u32).flat_map(|i| (i as f32 * 0.01 - 1.0).to_le_bytes()).collect()
}

const ANALOG_DEPARTURES: &str = "law = \"conductance\"\ninput_dependent = true\nassumed_mean_square_input = 0.25\naddition_j = 1e-15\n\
    [bias]\nclass = \"AB\"\nquiescent_fraction = 0.1\nreference = \"layer\"\n\
    [dac]\nbits = 8\nbits_per_step = 2\nconversion_j = 1e-12\nconversion_cycles = 2\nrows_per_converter = 4\n\
    [adc]\nbits = 8\nconversion_j = 1e-12\nconversion_cycles = 3\ncolumns_per_converter = 8\nfull_scale = \"max-sum\"\n\
    [noise]\nseed = 1\nprogramming_sigma = 0.01\nread_sigma = 0.01\nir_drop_along_rows = 0.1\n";

/// The description of a digital array with most of what a real one may lose.
fn with_digital_departures(ideal: &str) -> String {
    let array = "split_elements = true\nplanes_per_cycle = 2\nzero_skipping = \"weights\"\nschedule = \"longest-first\"\n\
        barrier = \"none\"\nfill_cycles_per_tile = 3\nfill_cycles_per_group = 1\nindex_bits_per_nonzero = 4\n[energy]\n";
    let buffers = "control_j_per_row_cycle = 1e-15\nweight_fetch_j_per_bit = 1e-15\n[buffers]\n\
        weight_buffer_bits_per_row = 64\nactivation_buffer_bits = 4096\nbits_per_activation = 8\n";
    ideal.replacen("[energy]\n", array, 1) + buffers
}

const PREPROCESSING: &str = "scale = 255.0\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n\
    crop_fraction = 0.875\nfit = \"crop\"\nchannel_order = \"rgb\"\nlayout = \"nchw\"\n";

fn onnx() -> Vec<Vec<u8>> {
    let files = [convolutions(), quantized(), shapes(), branches(), residual(), integer_operators(), brevitas()];
    let transposed = Recorded::all("conv-transpose.json").into_iter().map(|case| case.file);
    files.into_iter().map(|file| file.to_vec()).chain(transposed).chain([recurrent()]).collect()
}

/// Two directions of an LSTM behind a transposition, with lengths and an initial state, and a layer behind it.
fn recurrent() -> Vec<u8> {
    let inputs = ["steps", "w", "r", "", "lens", "h"];
    model()
        .input("x", &[0, 5, 3])
        .node_with("Transpose", &["x"], &["steps"], vec![int_list("perm", &[1, 0, 2])])
        .weights("w", &[2, 16, 3])
        .weights("r", &[2, 16, 4])
        .tensor(int32s("lens", &[1], &[4]))
        .weights("h", &[2, 1, 4])
        .node_with("LSTM", &inputs, &["all"], vec![string("direction", "bidirectional"), int("hidden_size", 4)])
        .ints("s", &[-1, 8])
        .node("Reshape", &["all", "s"], &["flat"])
        .weights("v", &[8, 2])
        .node("MatMul", &["flat", "v"], &["y"])
        .bytes()
}

/// Descriptions without and with departures from the ideal.
fn hardware() -> Vec<String> {
    let (analog, digital) = (analog_toml("a", "8", "\"unbounded\"", 2), digital_toml("d", 2, 8, "filter"));
    vec![analog.clone() + ANALOG_DEPARTURES, with_digital_departures(&digital), analog, digital]
}

pub(super) fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| if i % 7 == 0 { 0.0 } else { (i as f32 * 0.7).sin() }).collect()
}

/// Convolutions, poolings, BatchNorm and a fully connected layer.
fn convolutions() -> Bytes {
    let pads = [int_list("pads", &[1, 1, 1, 1])];
    let pool = [int_list("kernel_shape", &[2, 2]), int_list("strides", &[2, 2])];
    let norm = ["c2", "g", "s", "m", "v"];
    model()
        .input("x", &[0, 2, 6, 6])
        .floats("w1", &[4, 2, 3, 3], &waves(72))
        .floats("b1", &[4], &waves(4))
        .floats("w2", &[4, 2, 1, 1], &waves(8))
        .floats("g", &[4], &[1.0; 4])
        .floats("s", &[4], &waves(4))
        .floats("m", &[4], &waves(4))
        .floats("v", &[4], &[0.5; 4])
        .floats("w3", &[4, 3], &waves(12))
        .node_with("Conv", &["x", "w1", "b1"], &["c1"], pads.to_vec())
        .node("Relu", &["c1"], &["r1"])
        .node_with("MaxPool", &["r1"], &["p1"], pool.to_vec())
        .node_with("Conv", &["p1", "w2"], &["c2"], vec![int("group", 2)])
        .node_with("BatchNormalization", &norm, &["n2"], vec![float("epsilon", 1e-5)])
        .node("GlobalAveragePool", &["n2"], &["g2"])
        .node("Flatten", &["g2"], &["f2"])
        .node("Gemm", &["f2", "w3"], &["y"])
        .bytes()
        .into()
}

/// Quantized weights and activations.
fn quantized() -> Bytes {
    let integers: Vec<i8> = (0..36).map(|i| (i * 37 % 255 - 127) as i8).collect();
    model()
        .input("x", &[1, 1, 4, 4])
        .int8s("w", &[4, 1, 3, 3], &integers)
        .floats("ws", &[4], &[0.5, 0.25, 0.125, 1.0])
        .int8s("wz", &[4], &[0; 4])
        .floats("xs", &[], &[0.1])
        .uint8s("xz", &[], &[128])
        .node("QuantizeLinear", &["x", "xs", "xz"], &["xq"])
        .node("DequantizeLinear", &["xq", "xs", "xz"], &["xd"])
        .node_with("DequantizeLinear", &["w", "ws", "wz"], &["wd"], vec![int("axis", 0)])
        .node_with("Conv", &["xd", "wd"], &["y"], vec![int_list("strides", &[2, 2])])
        .bytes()
        .into()
}

/// Operators on integers.
fn integer_operators() -> Bytes {
    let scales = ["q", "xs", "xz"];
    let conv = [&scales[..], &["w", "ws", "wz", "ys", "yz"]].concat();
    let add = ["c", "ys", "yz", "c", "ys", "yz", "xs", "xz"];
    model()
        .input("x", &[1, 1, 4, 4])
        .floats("xs", &[], &[0.125])
        .uint8s("xz", &[], &[7])
        .int8s("w", &[2, 1, 3, 3], &[1, -2, 0, 4, 5, -128, 127, 0, 3, 1, -2, 0, 4, 5, -128, 127, 0, 3])
        .floats("ws", &[2], &[0.5, 0.25])
        .int8s("wz", &[2], &[0, 0])
        .floats("ys", &[], &[2.0])
        .uint8s("yz", &[], &[128])
        .node("QuantizeLinear", &["x", "xs", "xz"], &["q"])
        .node_with("QLinearConv", &conv, &["c"], vec![int_list("pads", &[1, 1, 1, 1])])
        .node("QLinearAdd", &add, &["a"])
        .node_with("QLinearGlobalAveragePool", &["a", "xs", "xz", "ys", "yz"], &["g"], vec![int("channels_last", 0)])
        .node("DequantizeLinear", &["g", "ys", "yz"], &["y"])
        .bytes()
        .into()
}

/// Quantizers of QONNX on weights and activations.
fn brevitas() -> Bytes {
    let flags = [int("signed", 1), int("narrow", 1)];
    let file = model()
        .input("x", &[1, 1, 4, 4])
        .floats("w", &[2, 1, 3, 3], &waves(18))
        .floats("s", &[2, 1, 1, 1], &[0.25, 0.5])
        .floats("one", &[], &[0.125])
        .floats("z", &[], &[0.0])
        .floats("n", &[], &[4.0])
        .node_with("Quant", &["x", "one", "z", "n"], &["q"], flags.to_vec())
        .node_with("Quant", &["w", "s", "z", "n"], &["v"], vec![string("rounding_mode", "ROUND"), flags[0].clone()])
        .node("Conv", &["q", "v"], &["c"])
        .node("BipolarQuant", &["c", "one"], &["y"])
        .bytes();
    let mut model = ModelProto::decode(file.as_slice()).expect("it was made here");
    let graph = model.graph.as_mut().expect("it was made here");
    for node in graph.node.iter_mut().filter(|node| node.op_type.ends_with("Quant")) {
        node.domain = "qonnx.custom_op.general".to_string();
    }
    model.encode_to_vec().into()
}

/// Shapes that are computed in the graph.
fn shapes() -> Bytes {
    model()
        .input("x", &[0, 2, 3])
        .ints("zero", &[0])
        .ints("one", &[1])
        .ints("rest", &[-1])
        .floats("w", &[6, 2], &waves(12))
        .node("Shape", &["x"], &["s"])
        .node("Slice", &["s", "zero", "one"], &["n"])
        .node_with("Concat", &["n", "rest"], &["t"], vec![int("axis", 0)])
        .node("Reshape", &["x", "t"], &["r"])
        .node("MatMul", &["r", "w"], &["m"])
        .node_with("Softmax", &["m"], &["y"], vec![int("axis", -1)])
        .bytes()
        .into()
}

/// An If within an If, on a condition that is computed while reading.
fn branches() -> Bytes {
    let inner = model().returning("i").floats("k", &[2, 2, 1, 1], &waves(4)).node("Conv", &["x", "k"], &["i"]);
    let outer = model().returning("o").branches("t", [inner, model().returning("x")]).node("Relu", &["t"], &["o"]);
    let other = model().returning("o").node("Neg", &["x"], &["o"]);
    model()
        .input("x", &[0, 2, 3, 3])
        .ints("one", &[1])
        .ints("two", &[2])
        .node("Shape", &["x"], &["s"])
        .node("Gather", &["s", "one"], &["n"])
        .node("Equal", &["n", "two"], &["c"])
        .branches("y", [outer, other])
        .bytes()
        .into()
}

/// A small ResNet of the program's own.
fn residual() -> Bytes {
    let family = Family::CifarResNet { depth: 8, shortcut: Shortcut::A };
    let architecture = Architecture { width: 0.125, input_size: 8, classes: 3, ..Architecture::new(family) };
    let network = build(&architecture).expect("the architecture is valid");
    to_bytes(&network, &WriteOptions::default()).expect("it is understood").bytes.into()
}

/// The same model with its largest tensor in a file beside it.
fn outside(model: Bytes) -> Vec<u8> {
    let mut model = ModelProto::decode(model).expect("it was made here");
    let graph = model.graph.as_mut().expect("it was made here");
    let tensor = graph.initializer.iter_mut().max_by_key(|tensor| tensor.raw_data.as_ref().map_or(0, Bytes::len));
    let tensor = tensor.expect("it has weights");
    let len = tensor.raw_data.take().map_or(0, |raw| raw.len());
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_string(), value };
    tensor.data_location = 1;
    tensor.external_data =
        vec![entry("location", "w.bin".into()), entry("offset", "4".into()), entry("length", len.to_string())];
    model.encode_to_vec()
}

fn plans() -> Vec<Vec<u8>> {
    let folder = fs::read_dir(repository("configs")).expect("it is in the repository");
    let mut plans: Vec<Vec<u8>> = folder
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|text| text.contains("networks ="))
        .map(String::into_bytes)
        .collect();
    plans.sort();
    plans.push(PLAN.as_bytes().to_vec());
    plans
}

const PLAN: &str = "networks = [\"embedded\"]\nhardware = [\"ideal\"]\nreestimate = [false, true]\n\
    [images]\npath = \"embedded\"\nlimit = 10\n\
    [statistics]\npath = \"embedded\"\n\
    [[prune]]\neach = [{ filters = { fraction = 0.5 } }]\nscope = [\"global\", \"layer\"]\n\
    [[quantize]]\nbits = [2, 4]\nmid-rise = [true, false]\nstep = [\"max-abs\", { snr = 10.0 }]\n";

fn npy(element: &str, shape: &str, data: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend((0..data).map(|i| (i % 4) as u8));
    bytes
}

/// Archives plain and packed, and what lies in them.
fn data_sets() -> Vec<Vec<u8>> {
    let picture = picture_files().swap_remove(0);
    let shard = tar(&[("a.png", &picture), ("a.cls", b"12"), ("a.json", b"{}"), ("b/c.png", &picture)]);
    let batch = cifar_batch(&[("labels", &[7])], &[5; 3072]);
    let coarse = cifar_batch(&[("fine_labels", &[7]), ("coarse_labels", &[1])], &[5; 3072]);
    let binary = tar(&[("cifar-10-batches-bin/test_batch.bin", &cifar_records(&[(&[3], 1)]))]);
    let numbers = idx(&[2, 2, 3], &[0; 12]);
    let packed = [gzip(&shard), gzip(&numbers), gzip(&tar(&[("cifar-100-python/test", &coarse)]))];
    [shard, batch, coarse, binary, numbers, cifar_records(&[(&[3, 77], 1)])].into_iter().chain(packed).collect()
}
