//! Are weight files without a graph read as they were written, and broken ones refused in one line?

use std::io::Write;

use bytes::Bytes;
use esn::{CodeTensor, Grid};
use formats::ReadOptions;
use formats::weight_file::WeightFile;
use formats::weight_writer::{WeightFormat, WeightList};
use network::architectures::{Architecture, Family, build};
use network::{Bias, LayerId, LayerWeights, Mend, Network, NetworkError, ValueId, WeightSource, WeightValues};
use testkit::{check_all, shared, shared_network, texts};

use crate::torch::{Checkpoint, Element};

fn read(bytes: Vec<u8>) -> Result<WeightFile, NetworkError> {
    WeightFile::from_bytes("weights", bytes.into())
}

pub(crate) fn network(bytes: Vec<u8>) -> Result<Network, NetworkError> {
    formats::from_bytes("weights", bytes.into(), &ReadOptions::default())
}

/// The real weights of a layer.
pub(crate) fn weights(network: &Network, layer: usize) -> Vec<f32> {
    match network.weights(LayerId(layer)).expect("finite") {
        LayerWeights::Float(WeightValues::F32(values)) => values,
        other => panic!("float32 is expected: {other:?}"),
    }
}

pub(crate) fn problem<T: std::fmt::Debug>(result: Result<T, NetworkError>) -> String {
    let text = network::chain(&result.expect_err("it is refused"));
    assert!(!text.contains('\n') && text.chars().all(|c| !c.is_control()), "one line: {text:?}");
    text
}

pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn zip(entries: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let method = if deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).expect("writable");
        writer.write_all(bytes).expect("writable");
    }
    writer.finish().expect("writable").into_inner()
}

/// A model of one convolution, one linear layer and what belongs to no layer.
fn checkpoint() -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    checkpoint.add("module.conv.weight", &[2, 1, 1, 3], Element::F32, &floats(&[1.0, -2.0, 3.0, 0.5, 0.0, -1.0]));
    checkpoint.add("module.conv.bias", &[2], Element::F32, &floats(&[0.0, 1.0]));
    checkpoint.add("module.fc.weight", &[2, 2], Element::Bf16, &[0x80, 0x3f, 0x00, 0xc0, 0x40, 0x40, 0, 0]);
    checkpoint
}

#[test]
fn both_formats_of_pytorch_say_the_same() {
    type Write = fn(&Checkpoint) -> Vec<u8>;
    let formats: [(&str, Write); 2] = [("zip", Checkpoint::zip), ("legacy", Checkpoint::legacy)];
    let formats = formats.iter().flat_map(|&(name, write)| [(name, write, false), (name, write, true)]);
    check_all(formats.collect::<Vec<_>>(), |(_, write, is_old)| {
        let mut checkpoint = checkpoint();
        checkpoint.is_old = *is_old;
        let bytes = write(&checkpoint);
        let file = read(bytes.clone()).expect("it is valid");
        let names: Vec<&str> = file.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["module.conv.weight", "module.conv.bias", "module.fc.weight"]);
        let network = network(bytes).expect("it is valid");
        let layers: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(layers, ["conv", "fc"], "the wrapper is left out");
        assert_eq!(weights(&network, 0), [1.0, -2.0, 3.0, 0.5, 0.0, -1.0]);
        assert_eq!(weights(&network, 1), [1.0, -2.0, 3.0, 0.0]);
        assert!(!network.has_graph() && network.layers().iter().all(|layer| layer.geometry.positions() == 1));
        assert!(network.notes().iter().any(|note| note.text().contains("no graph")), "{:?}", network.notes());
    });
}

#[test]
fn tensors_in_objects_of_pytorch_are_told() {
    for bytes in [checkpoint().zip(), checkpoint().legacy()] {
        let notes = texts(network(bytes).expect("it is valid").notes()).join("\n");
        assert!(!notes.contains("storages"), "{notes}");
    }
    let mut packed = checkpoint();
    packed.packed.push(2);
    for bytes in [packed.zip(), packed.legacy()] {
        let network = network(bytes).expect("the convolution is read");
        let notes = texts(network.notes()).join("\n");
        assert_eq!(network.layers().len(), 1);
        assert!(notes.contains("1 of the file's 3 storages belong to no parameter"), "{notes}");
    }
}

#[test]
fn both_matrices_of_recurrent_modules_are_layers() {
    // An LSTM of 3 numbers and 4 units in two directions, its outputs projected to 2.
    let mut checkpoint = Checkpoint::default();
    let tensors = [("weight_ih", &[16, 3][..]), ("weight_hh", &[16, 2]), ("bias_ih", &[16]), ("weight_hr", &[2, 4])];
    for direction in ["", "_reverse"] {
        for (name, shape) in tensors {
            let elements = floats(&vec![0.5; shape.iter().product()]);
            checkpoint.add(&format!("rnn.{name}_l0{direction}"), shape, Element::F32, &elements);
        }
    }
    let network = network(checkpoint.zip()).expect("it is valid");
    let names: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names[..3], ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.weight_hr_l0"]);
    assert_eq!(names[3..], ["rnn.weight_ih_l0_reverse", "rnn.weight_hh_l0_reverse", "rnn.weight_hr_l0_reverse"]);
    assert_eq!(network.parameter_count(), 2 * (16 * 3 + 16 * 2 + 2 * 4));
}

#[test]
fn weights_are_found_under_the_usual_keys() {
    let mut nested = checkpoint();
    nested.under = Some("state_dict");
    let file = read(nested.zip()).expect("it is valid");
    assert_eq!(file.tensors()[0].name, "module.conv.weight");
    assert_eq!(texts(file.notes()), [] as [&str; 0]);
}

#[test]
fn transposed_tensors_are_put_in_order() {
    let mut checkpoint = Checkpoint::default();
    checkpoint.add_strided("fc.weight", &[2, 3], &[1, 2], Element::F32, &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let network = network(checkpoint.zip()).expect("it is valid");
    assert_eq!(weights(&network, 0), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    let mut expanded = Checkpoint::default();
    expanded.add_strided("fc.weight", &[2, 3], &[0, 1], Element::F32, &floats(&[0.0; 6]));
    let found = problem(read(expanded.zip()));
    assert!(found.contains("unsupported: tensor \"fc.weight\": shape [2, 3] has strides [0, 1]"), "{found}");
}

/// 384, 640, 896, … are lengths whose first bytes are those of a pickle.
#[test]
fn a_header_of_any_length_is_that_of_safetensors() {
    check_all((384..=1408).step_by(8), |&length| {
        let header = r#"{"w":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
        let file = safetensors(&format!("{header:<length$}"), &1.0f32.to_le_bytes());
        let network = formats::from_bytes("w.safetensors", file.into(), &ReadOptions::default());
        assert_eq!(network.map(|n| n.layers().len()).map_err(|e| e.to_string()), Ok(1), "{length}");
    });
}

#[test]
fn safetensors_are_read() {
    let header = r#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b.weight":{"dtype":"I8","shape":[2,2],"data_offsets":[8,12]},"b.weight_scale":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]}}"#;
    let data = [floats(&[1.0, -3.0]), vec![1, 0xff, 0, 5], floats(&[0.5, 0.25])].concat();
    let network = network(safetensors(header, &data)).expect("it is valid");
    assert_eq!(weights(&network, 0), [1.0, -3.0]);
    let LayerWeights::Quantized { codes, scales } = network.weights(LayerId(1)).expect("valid") else {
        panic!("integers with a scale are codes")
    };
    assert_eq!((codes.codes(), scales.as_slice()), (&[2, -2, 0, 10][..], &[0.5, 0.25][..]));
    assert_eq!(network.layers().len(), 2);
}

#[test]
fn integers_without_a_scale_are_not_costed() {
    let header = r#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"q":{"dtype":"I32","shape":[1,1],"data_offsets":[8,12]}}"#;
    let network = network(safetensors(header, &[0; 12])).expect("it is valid");
    assert_eq!(network.not_costed()[0].node, "q");
    assert_eq!(network.layers().len(), 1);
}

#[test]
fn arrays_are_read() {
    let data = floats(&[1.0, 2.0, -3.0, 4.0]);
    let one = network(npy("<f4", "(2, 2)", &data)).expect("it is valid");
    assert_eq!((weights(&one, 0), one.layers()[0].name.as_str()), (vec![1.0, 2.0, -3.0, 4.0], "weights"));
    let array = npy("<f4", "(2, 2)", &data);
    check_all([false, true], |&deflate| {
        let archive = network(zip(&[("layer.weight.npy", &array)], deflate)).expect("it is valid");
        assert_eq!((weights(&archive, 0), archive.layers()[0].name.as_str()), (vec![1.0, 2.0, -3.0, 4.0], "layer"));
    });
    assert!(problem(read(npy("|O", "(1, 1)", &[0; 8]))).contains("unsupported: array \"weights\""));
}

#[test]
fn arrays_lie_in_any_order() {
    let big: Vec<u8> = [1.0f32, 2.0, -3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let mut array = npy(">f4", "(2, 3)", &big);
    let rows = network(array.clone()).expect("it is valid");
    assert_eq!(weights(&rows, 0), [1.0, 2.0, -3.0, 4.0, 5.0, 6.0]);
    let at = array.windows(5).position(|text| text == b"False").expect("the order is there");
    array[at..at + 5].copy_from_slice(b"True ");
    let columns = network(array).expect("it is valid");
    assert_eq!(weights(&columns, 0), [1.0, -3.0, 5.0, 2.0, 4.0, 6.0]);
}

#[test]
fn floats_of_8_bits_are_widened_and_scaled() {
    let entry = |name: &str, kind: &str, shape: &str, from: usize, to: usize| {
        format!(r#""{name}":{{"dtype":"{kind}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let header = [
        entry("a.weight", "F8_E4M3", "[2,2]", 0, 4),
        entry("b.weight", "F8_E5M2", "[2,2]", 4, 8),
        entry("a.weight_scale", "F32", "[2,1]", 8, 16),
    ];
    // 1, −1, 448 and 2^-9; 1, 2, −0.5 and 2^-16.
    let patterns = [0x38, 0xb8, 0x7e, 0x01, 0x3c, 0x40, 0xb8, 0x01];
    let file = safetensors(&format!("{{{}}}", header.join(",")), &[patterns.to_vec(), floats(&[0.5, 2.0])].concat());
    let network = network(file).expect("it is valid");
    assert_eq!(weights(&network, 0), [0.5, -0.5, 896.0, 1.0 / 256.0]);
    assert_eq!(weights(&network, 1), [1.0, 2.0, -0.5, 1.0 / 65536.0]);
    let told = "weights of 8-bit floats are multiplied by the scales beside them: a.weight · a.weight_scale";
    assert!(texts(network.notes()).iter().any(|note| note == told), "{:?}", network.notes());
    let note = network.notes().iter().find(|note| note.mend() == Some(Mend::FindSteps)).expect("a note of their grid");
    assert!(note.text().ends_with("a.weight (float8e4m3fn), b.weight (float8e5m2)"), "{note}");
    let wrong = [entry("a.weight", "F8_E4M3", "[2,2]", 0, 4), entry("a.weight_scale", "F32", "[3]", 4, 16)];
    let wrong = safetensors(&format!("{{{}}}", wrong.join(",")), &[0; 16]);
    assert!(problem(read(wrong)).contains("\"a.weight\" of shape [2, 2] has \"a.weight_scale\" of shape [3]"));
}

#[test]
fn the_axes_of_a_tensor_are_those_of_a_convolution() {
    let cases: [(&[usize], [usize; 4]); 4] = [
        (&[2, 3], [2, 3, 1, 1]),
        (&[2, 3, 5], [2, 3, 1, 5]),
        (&[2, 3, 5, 7], [2, 3, 5, 7]),
        (&[2, 3, 4, 5, 7], [2, 12, 5, 7]),
    ];
    check_all(cases, |(shape, expected)| {
        let mut checkpoint = Checkpoint::default();
        checkpoint.add("x", shape, Element::F32, &vec![0; 4 * shape.iter().product::<usize>()]);
        let network = network(checkpoint.zip()).expect("it is valid");
        let spec = network.layers()[0].geometry.spec();
        assert_eq!([spec.filters, spec.in_channels, spec.kernel[0], spec.kernel[1]], *expected);
    });
}

/// Every layer and constant of a network that is made, as a checkpoint.
pub(crate) fn trained(architecture: &Architecture, rename: impl Fn(&str) -> String) -> (Network, Checkpoint) {
    let made = build(architecture).expect("it can be made");
    let mut checkpoint = Checkpoint::default();
    for (id, layer) in made.layers().iter().enumerate() {
        let shape = &layer.weights.tensor.shape;
        let shape = if layer.bias.is_some() { &shape[..2] } else { &shape[..] };
        checkpoint.add(&rename(&layer.weights.name), shape, Element::F32, &floats(&weights(&made, id)));
        if let Some(bias) = &layer.bias {
            let name = layer.weights.name.replace(".weight", ".bias");
            checkpoint.add(&rename(&name), &shape[..1], Element::F32, &floats(&bias.to_float()));
        }
    }
    for value in made.graph().values().iter().filter(|value| value.constant.is_some()) {
        let tensor = value.constant.as_ref().expect("it is constant").to_f32().expect("real");
        checkpoint.add(&rename(&value.name), &[tensor.len()], Element::F32, &floats(&tensor));
    }
    (made, checkpoint)
}

#[test]
fn every_architecture_takes_its_own_weights_back() {
    let width = |family, width| Architecture { width, classes: 7, ..Architecture::new(family) };
    let dense = Family::DenseNetBc { depth: 16, growth: 4 };
    let cases = [
        width(Family::named("resnet8").expect("known"), 0.5),
        width(Family::Vgg7, 0.0625),
        width(dense, 1.0),
        width(Family::ResNet18, 0.0625),
    ];
    check_all(cases, |architecture| {
        let (made, checkpoint) = trained(architecture, |name| format!("module.{name}"));
        let file = read(checkpoint.zip()).expect("it is valid");
        let fitted = file.in_architecture(architecture.family, &ReadOptions::default()).expect("its own names");
        assert_eq!(fitted.layers().len(), made.layers().len());
        for (id, (a, b)) in fitted.layers().iter().zip(made.layers()).enumerate() {
            assert_eq!((a.geometry, weights(&fitted, id)), (b.geometry, weights(&made, id)), "{}", a.name);
        }
        let constants = |network: &Network| -> Vec<_> {
            network.graph().values().iter().filter_map(|value| value.constant.clone()).collect()
        };
        assert_eq!(constants(&fitted), constants(&made));
        assert!(fitted.has_graph());
    });
}

#[test]
fn other_names_of_the_same_modules_are_known() {
    let architecture = Architecture::new(Family::named("resnet8").expect("known"));
    let (_, checkpoint) = trained(&architecture, |name| name.replace("linear.", "fc."));
    let file = read(checkpoint.zip()).expect("it is valid");
    assert!(file.in_architecture(architecture.family, &ReadOptions::default()).is_ok());
}

#[test]
fn features_beside_an_architecture_are_told() {
    let architecture = Architecture::new(Family::named("resnet8").expect("known"));
    let (_, mut checkpoint) = trained(&architecture, |name| format!("module.{name}"));
    checkpoint.add("module.queue", &[2, 3], Element::F32, &floats(&[0.5; 6]));
    let file = read(checkpoint.zip()).expect("it is valid");
    let fitted = file.in_architecture(architecture.family, &ReadOptions::default()).expect("all but the queue fits");
    let note = "left out are features that training stored: \"module.queue\"";
    let told = testkit::texts(fitted.notes());
    assert!(told.iter().any(|text| text == note), "{told:?}");
}

#[test]
fn what_does_not_fit_an_architecture_is_named() {
    let family = Family::named("resnet8").expect("known");
    let architecture = Architecture::new(family);
    let (_, mut more) = trained(&architecture, str::to_string);
    more.add("extra.weight", &[1], Element::F32, &[0; 4]);
    more.add("bn1.num_batches_tracked", &[1], Element::F32, &[0; 4]);
    let text = problem(read(more.zip()).expect("valid").in_architecture(family, &ReadOptions::default()));
    assert!(text.contains("it has besides \"extra.weight\"") && !text.contains("tracked"), "{text}");
    let (_, renamed) = trained(&architecture, |name| name.replace("layer2.0.bn1", "layer2.0.norm"));
    let text = problem(read(renamed.zip()).expect("valid").in_architecture(family, &ReadOptions::default()));
    assert!(text.contains("it lacks \"layer2.0.bn1.weight\""), "{text}");
    let text = problem(read(checkpoint().zip()).expect("valid").in_architecture(family, &ReadOptions::default()));
    assert!(text.contains("lacks tensor \"conv1.weight\""), "{text}");
}

#[test]
fn hostile_files_are_refused_in_one_line() {
    let big = r#"{"a":{"dtype":"F32","shape":[1152921504606846976,16],"data_offsets":[0,8]}}"#;
    let beyond = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}"#;
    let overlap = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    let six = r#"{"a\u0007":{"dtype":"F4","shape":[4,4],"data_offsets":[0,8]}}"#;
    let no_quantizer: &[u8] =
        b"\x80\x02}U\x01actorch._utils\n_rebuild_qtensor\n((U\x07storagectorch\nQInt8Storage\nU\x010U\x03cpuK\x01tQ\
          K\0K\x01\x85K\x01\x85)tRs.";
    let cases: [(Vec<u8>, &str); 10] = [
        (zip(&[("a/data.pkl", no_quantizer), ("a/data/0", &[0])], false), "quantized by \"\""),
        (safetensors(big, &[0; 8]), "header"),
        (safetensors(beyond, &[0; 8]), "header"),
        (safetensors(overlap, &[0; 12]), "header"),
        (safetensors(six, &[0; 8]), "elements of F4"),
        (safetensors("{}", &[]), "no tensor"),
        (npy("<f4", "(1152921504606846976, 16)", &[0; 8]), "shape"),
        (zip(&[("x.txt", b"hello")], false), "archive without data.pkl"),
        (zip(&[("a/data.pkl", b"\x80\x02}.")], false), "no tensor"),
        (b"\x80\x02]q\x00.".to_vec(), "no PyTorch checkpoint"),
    ];
    check_all(cases, |(bytes, expected)| {
        let text = problem(read(bytes.clone()));
        assert!(text.contains(*expected), "{text}");
    });
    let mut outside = Checkpoint::default();
    outside.add("x", &[1 << 31, 1 << 31], Element::F32, &[0; 8]);
    assert!(problem(read(outside.zip())).contains("ends outside its storage"));
}

/// Dictionaries that share each other would have 2^40 names.
#[test]
fn shared_dictionaries_take_bounded_time() {
    let mut pickle = b"\x80\x02}q\x00".to_vec();
    for level in 0..30u8 {
        // {"a": the last one, "b": the last one}
        pickle.extend([b'}', b'q', level + 1, b'(', b'X', 1, 0, 0, 0, b'a', b'h', level]);
        pickle.extend([b'X', 1, 0, 0, 0, b'b', b'h', level, b'u']);
    }
    pickle.push(b'.');
    assert!(problem(read(zip(&[("a/data.pkl", &pickle)], false))).contains("unsupported: dictionaries"));
}

/// A dictionary of a million items without names, a million times; and a module that has the same parameters as often.
#[test]
fn shared_items_take_bounded_time_and_memory() {
    const ITEMS: usize = 1 << 19;
    let dictionary = |item: &[u8]| [&b"}q\x01("[..], &item.repeat(ITEMS), b"u"].concat();
    let nameless = [b"\x80\x02", &dictionary(b"NN")[..], b"0](", &b"h\x01".repeat(ITEMS), b"e."].concat();
    let parts = [b"U\x0b_parametersq\x02", &dictionary(b"h\x02N")[..], b"q\x03"].concat();
    let module = b"cnet\nNet\n)\x81}(";
    let module = [b"\x80\x02", &parts[..], module, &b"h\x02h\x03".repeat(ITEMS), b"ub."].concat();
    for pickle in [nameless, module] {
        let text = problem(read(zip(&[("a/data.pkl", &pickle)], false)));
        assert!(text.contains("unsupported: dictionaries"), "{text}");
    }
}

/// Two thousand tensors whose scales are the same 64 Ki numbers; each would have a copy of them.
#[test]
fn shared_scales_take_bounded_memory() {
    const SCALES: usize = 1 << 16;
    let storage = |class: &str, key: u8| {
        format!("((U\x07storagectorch\n{class}\nU\x01{key}U\x03cpuJ\0\0\x01\0tQK\0J\0\0\x01\0").into_bytes()
    };
    let view =
        |class, key| [b"ctorch._utils\n_rebuild_tensor_v2\n", &storage(class, key)[..], b"\x85K\x01\x85tR"].concat();
    let tensor = [
        b"ctorch._utils\n_rebuild_qtensor\n",
        &storage("QInt8Storage", 1)[..],
        b"K\x01\x86K\x01K\x01\x86(ctorch\nper_channel_affine\n",
        &view("FloatStorage", 0),
        &view("QInt8Storage", 1),
        b"K\0ttRq\0",
    ]
    .concat();
    let mut pickle = [b"\x80\x02", &tensor[..], b"0}("].concat();
    (0..2000u16).for_each(|i| pickle.extend([&b"M"[..], &i.to_le_bytes()[..], b"h\0"].concat()));
    pickle.extend(b"u.");
    let (scales, integers) = (floats(&[0.5; SCALES]), vec![0; SCALES]);
    let text = problem(read(zip(&[("a/data.pkl", &pickle), ("a/data/0", &scales), ("a/data/1", &integers)], false)));
    assert!(text.contains("more than 16777216 scales"), "{text}");
}

#[test]
fn a_bomb_is_not_unpacked() {
    // An array of 0.6 GB of zeros in a megabyte.
    let header = npy("<f4", "(16777216, 9)", &[]);
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    bomb.start_file("x.npy", options).expect("writable");
    bomb.write_all(&header).expect("writable");
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..16 * 9 * 4 {
        bomb.write_all(&zeros).expect("writable");
    }
    let bytes = bomb.finish().expect("writable").into_inner();
    assert!(bytes.len() < 1 << 24);
    assert!(problem(read(bytes)).contains("at most 536870912 bytes of an archive are unpacked"));
}

/// Files of every format.
fn all_formats() -> Vec<Vec<u8>> {
    let header = r#"{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[2,2],"data_offsets":[8,12]}}"#;
    let array = npy("<f4", "(2, 2)", &[0; 16]);
    vec![
        checkpoint().zip(),
        checkpoint().legacy(),
        safetensors(header, &[1; 12]),
        zip(&[("a.npy", &array), ("b.npy", &array)], false),
        zip(&[("a.npy", &array), ("b.npy", &array)], true),
        array,
    ]
}

/// What a damaged file may do: be refused in one line, or be a network whose weights can be read.
fn survives(bytes: Vec<u8>) {
    match network(bytes) {
        Ok(network) => (0..network.layers().len()).for_each(|id| drop(network.weights(LayerId(id)))),
        Err(error) => drop(problem::<()>(Err(error))),
    }
}

#[test]
fn truncated_files_are_survived() {
    for bytes in all_formats() {
        for part in 0..50 {
            survives(bytes[..bytes.len() * part / 50].to_vec());
        }
    }
}

#[test]
fn garbled_files_are_survived() {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for bytes in all_formats() {
        for _ in 0..1000 {
            let mut garbled = bytes.clone();
            for _ in 0..=next() % 4 {
                let at = next() % garbled.len();
                garbled[at] = next() as u8;
            }
            survives(garbled);
        }
    }
}

/// A real checkpoint of the old format, and the same network exported with its graph.
#[test]
fn a_real_checkpoint_is_the_network_that_was_exported() {
    let Some(weights_only) = shared("models/resnet20-cifar10.th") else { return };
    let Some(exported) = shared_network("models/resnet20-cifar10-bn.onnx") else { return };
    let options = ReadOptions { architecture: Family::named("resnet20"), ..ReadOptions::default() };
    let fitted = formats::read(&weights_only, &options).expect("it is valid");
    assert_eq!(fitted.layers().len(), 20);
    for (id, (a, b)) in fitted.layers().iter().zip(exported.layers()).enumerate() {
        assert_eq!((a.geometry, weights(&fitted, id)), (b.geometry, weights(&exported, id)), "{}", a.name);
    }
    let bytes = Bytes::from(std::fs::read(&weights_only).expect("readable"));
    for part in 1..50 {
        let cut = bytes.slice(..bytes.len() * part / 50);
        problem(WeightFile::from_bytes("cut", cut));
    }
}

/// Metadata, an integer tensor of one odd number, and its scale.
fn integers(name: &str, metadata: &str) -> Vec<u8> {
    let header = format!(
        r#"{{{metadata}"{name}.weight_scale":{{"dtype":"F32","shape":[],"data_offsets":[0,4]}},"{name}.weight":{{"dtype":"I8","shape":[1,1],"data_offsets":[4,5]}}}}"#
    );
    safetensors(&header, &[&floats(&[0.5])[..], &[3]].concat())
}

const MID_RISE: &str = r#""__metadata__":{"esnsim.grid":"mid-rise"},"#;

#[test]
fn the_grid_stands_in_the_metadata() {
    let cases = [
        (MID_RISE, None, Grid::MidRise, 3),
        (MID_RISE, Some(Grid::MidTread), Grid::MidTread, 6),
        ("", None, Grid::MidTread, 6),
        ("", Some(Grid::MidRise), Grid::MidRise, 3),
    ];
    check_all(cases, |(metadata, grid, expected, code)| {
        let options = ReadOptions { grid: *grid, ..ReadOptions::default() };
        let network = formats::from_bytes("w", integers("a", metadata).into(), &options).expect("it is valid");
        let LayerWeights::Quantized { codes, .. } = network.weights(LayerId(0)).expect("valid") else {
            panic!("integers with a scale are codes")
        };
        assert_eq!((codes.grid(), codes.codes()), (*expected, &[*code][..]));
        let doubtful = network.notes().iter().any(|note| note.mend() == Some(Mend::NameGrid));
        assert_eq!(doubtful, metadata.is_empty() && grid.is_none());
    });
    let wrong = integers("a", r#""__metadata__":{"esnsim.grid":"\u001b"},"#);
    assert!(problem(network(wrong)).contains("expected \"mid-rise\" or \"mid-tread\""));
}

#[test]
fn layers_with_the_weights_of_another_stand_in_the_metadata() {
    let with = |tied: &str| integers("a", &format!(r#""__metadata__":{{"esnsim.tied":"{tied}"}},"#));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let topology = folder.path().join("rows.csv");
    std::fs::write(&topology, "Layer, M, N, K,\na, 2, 1, 1,\nb, 5, 1, 1,\n").expect("writable");
    let options = ReadOptions { topology: Some(topology), ..ReadOptions::default() };
    let tied = with(r#"{\"b\":\"a\"}"#);
    let fitted = formats::from_bytes("w", tied.clone().into(), &options).expect("both rows have weights");
    assert_eq!(fitted.shares_weights_with(LayerId(1)), Some(LayerId(0)));
    assert_eq!((fitted.weights(LayerId(0)).ok(), fitted.parameter_count()), (fitted.weights(LayerId(1)).ok(), 1));
    // Without rows nothing says that the second one computes anything of its own.
    assert_eq!(network(tied).expect("it is valid").layers().len(), 1);
    check_all(["[1]", r#"{\"b\":1}"#, r#"{\"b\":\"c\"}"#, "x"], |wrong| {
        assert!(problem(network(with(wrong))).contains("metadata esnsim.tied"));
    });
}

#[test]
fn files_of_one_index_lie_on_one_grid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("writable");
    let map = r#"{"weight_map":{"a.weight":"1","a.weight_scale":"1","b.weight":"2","b.weight_scale":"2"}}"#;
    write("w.safetensors.index.json", map.as_bytes());
    write("1", &integers("a", MID_RISE));
    let read = || formats::read(&folder.path().join("w.safetensors.index.json"), &ReadOptions::default());
    write("2", &integers("b", MID_RISE));
    let network = read().expect("it is valid");
    assert_eq!(network.metadata(), [("esnsim.grid".to_string(), "mid-rise".to_string())]);
    write("2", &integers("b", &MID_RISE.replace("rise", "tread")));
    assert!(problem(read()).contains("file \"2\" has esnsim.grid \"mid-tread\", one before it \"mid-rise\""));
}

#[test]
fn layers_on_different_grids_are_not_written() {
    let read = |metadata: &str| network(integers("a", metadata)).expect("it is valid");
    let (rise, tread) = (read(MID_RISE), read(""));
    let (mut mixed, mut other) = (rise.edit(), tread.layers()[0].clone());
    let copy = |id: ValueId| mixed.add_value(tread.graph().value(id).clone());
    [other.input, other.output] = [other.input, other.output].map(copy);
    mixed.set_outside(vec![rise.layers()[0].input, other.input]);
    mixed.add_mac("Gemm", other);
    let mixed = mixed.finish().expect("a network that holds together").with_metadata(Vec::new());
    check_all([WeightFormat::Safetensors, WeightFormat::Npz], |&format| {
        let text = problem(WeightList::new(&mixed, format, &[]));
        assert!(text.contains("unsupported: layers \"a\" and \"a\" lie on different grids"), "{text}");
    });
}

#[test]
fn an_architecture_takes_integers() {
    let family = Family::named("resnet8").expect("known");
    let made = build(&Architecture::new(family)).expect("it can be made");
    let mut quantized = made.edit();
    for (id, layer) in quantized.layers_mut().iter_mut().enumerate() {
        let shape = &layer.weights.tensor.shape;
        let shape = [shape[0], shape[1], shape[2], shape[3]];
        let codes = weights(&made, id).iter().map(|w| if *w < 0.0 { -3 } else { 1 }).collect();
        let codes = CodeTensor::new(Grid::MidRise, layer.geometry.weight_shape(), codes).expect("odd");
        let steps: Vec<f32> = (0..shape[0]).map(|filter| 0.5 + filter as f32).collect();
        layer.weights = WeightSource::from_codes(&layer.weights.name, shape, &codes, &steps).expect("one a filter");
        if layer.bias.is_some() {
            layer.bias = Some(Bias::Integer { values: vec![7; shape[0]], scales: vec![0.25] });
        }
    }
    let quantized = quantized.finish().expect("a network that holds together");
    let mut bytes = Vec::new();
    let list = WeightList::new(&quantized, WeightFormat::Safetensors, &[]).expect("one grid");
    list.write(WeightFormat::Safetensors, &mut bytes).expect("writable");
    let back = read(bytes).expect("it is valid").in_architecture(family, &ReadOptions::default()).expect("it fits");
    for (id, (a, b)) in back.layers().iter().zip(quantized.layers()).enumerate() {
        let of = |network: &Network| network.weights(LayerId(id)).expect("valid");
        assert_eq!((of(&back), a.geometry), (of(&quantized), b.geometry), "{}", a.name);
        assert_eq!(a.bias.as_ref().map(Bias::to_float), b.bias.as_ref().map(Bias::to_float));
    }
}

#[test]
fn weights_of_a_transposed_convolution_are_written_by_input_channel() {
    let model = |quantized: bool| {
        let file = testkit::model().input("x", &[1, 4, 3, 3]);
        let file = match quantized {
            true => file.int8s("q", &[4, 3, 2, 1], &[5; 24]).floats("s", &[3], &[0.5, 1.0, 2.0]).node_with(
                "DequantizeLinear",
                &["q", "s"],
                &["w"],
                vec![testkit::int("axis", 1)],
            ),
            false => file.weights("w", &[4, 3, 2, 1]),
        };
        file.node_with("ConvTranspose", &["x", "w"], &["y"], vec![testkit::int("group", 2)]).read()
    };
    let list = WeightList::new(&model(false), WeightFormat::Safetensors, &[]).map(|list| {
        let mut bytes = Vec::new();
        list.write(WeightFormat::Safetensors, &mut bytes).expect("writable");
        bytes
    });
    let back = network(list.expect("it can be written")).expect("it is valid");
    assert_eq!(back.layers()[0].weights.file_shape(), [4, 3, 2, 1]);
    assert_eq!(weights(&back, 0), (1..=24).map(|i| i as f32).collect::<Vec<_>>());
    let text = problem(WeightList::new(&model(true), WeightFormat::Npz, &[]));
    assert!(text.contains("unsupported: a scale for each output channel of a transposed convolution"), "{text}");
}
