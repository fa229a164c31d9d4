//! Do inputs that are no pictures reach a network as they are meant? Signals, features, arrays of any number of channels and of
//! integers: the command names the classes that a plain sum over the same numbers names.

use std::fs;
use std::io::Write;
use std::path::Path;

use esnsim_tests::esnsim;
use serde_json::Value;
use testkit::{Model, check_all, int, int_list, model, reals, value_info};

const EXAMPLES: usize = 24;
const CLASSES: usize = 5;

/// What the network takes, and how the array holds it.
#[derive(Clone, Copy, Debug)]
struct Case {
    what: &'static str,
    channels: usize,
    /// Extents beside the channels.
    spatial: &'static [usize],
    network: Takes,
    /// Type of the network's input, as ONNX numbers types.
    input_type: i32,
    /// Whether the array has its channels last.
    last: bool,
    /// Shape of an example of the array, where it is not that of channels and extents.
    example: Option<&'static [usize]>,
    /// Type of the array, as numpy names it.
    stored: &'static str,
    /// Further options.
    more: &'static [&'static str],
}

/// The order in which a network takes an example.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    /// A convolution reads `[N, C, …]`.
    First,
    /// A Transpose stands before it.
    Last,
    /// A matrix product reads rows of the numbers in the order of `[C, …]`.
    Rows,
    /// It reads rows of what comes as `[N, …]`.
    Flattened,
}

/// Float numbers, channels first in both.
const PLAIN: Case = Case {
    what: "",
    channels: 1,
    spatial: &[32],
    network: Takes::First,
    input_type: FLOAT,
    last: false,
    example: None,
    stored: "<f4",
    more: &[],
};
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT16: i32 = 5;

impl Case {
    fn positions(&self) -> usize {
        self.spatial.iter().product()
    }

    fn numbers(&self) -> usize {
        self.channels * self.positions()
    }

    /// The numbers of all examples as stored, `[examples, channels, positions]`.
    fn values(&self) -> Vec<f64> {
        let real = reals(7, EXAMPLES * self.numbers());
        let stored = |x: f64| match self.stored {
            "|u1" => (127.5 + 127.0 * x).round(),
            "|i1" => (127.0 * x).round(),
            "<i2" => (3000.0 * x).round(),
            _ => f64::from(x as f32),
        };
        real.into_iter().map(|x| stored(x.into())).collect()
    }

    /// What a network gets for a stored number of which nothing is said.
    fn meant(&self, x: f64) -> f64 {
        match (self.stored, self.input_type) {
            ("|u1", INT8) => x - 128.0,
            ("|u1", FLOAT) => x / 255.0,
            _ => x,
        }
    }

    /// How large numbers are for the network: what its weights are divided by.
    fn scale(&self) -> f64 {
        match (self.stored, self.input_type) {
            ("|u1", FLOAT) => 0.5,
            ("|u1" | "|i1", _) => 70.0,
            ("<i2", _) => 1700.0,
            _ => 0.6,
        }
    }

    /// Weights `[classes, channels, positions]` and biases.
    fn parameters(&self) -> (Vec<f32>, Vec<f32>) {
        let divisor = self.scale() as f32 * (self.numbers() as f32).sqrt();
        let weights = reals(11, CLASSES * self.numbers()).into_iter().map(|w| w / divisor).collect();
        (weights, reals(13, CLASSES).into_iter().map(|b| b * 0.4).collect())
    }

    /// The class of each example by a plain sum.
    fn classes(&self) -> Vec<u8> {
        let (weights, biases) = self.parameters();
        let class = |x: &[f64]| {
            let sum = |k: usize| {
                let weights = &weights[k * x.len()..][..x.len()];
                let terms = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * self.meant(*x));
                terms.sum::<f64>() + f64::from(biases[k])
            };
            let sums: Vec<f64> = (0..CLASSES).map(sum).collect();
            (0..CLASSES).max_by(|a, b| sums[*a].total_cmp(&sums[*b])).expect("there are classes") as u8
        };
        self.values().chunks_exact(self.numbers()).map(class).collect()
    }

    /// The network.
    fn network(&self) -> Model {
        let dims = |of: &[usize]| -> Vec<i64> { of.iter().map(|&n| n as i64).collect() };
        let first = dims(&[&[0, self.channels], self.spatial].concat());
        let shape = match self.network {
            Takes::First => first.clone(),
            Takes::Last => dims(&[&[0], self.spatial, &[self.channels]].concat()),
            Takes::Rows => vec![0, self.numbers() as i64],
            Takes::Flattened => dims(&[&[0], self.spatial].concat()),
        };
        let (weights, biases) = self.parameters();
        let kernel = [vec![CLASSES as i64], first[1..].to_vec()].concat();
        let mut model = model().floats("b", &[CLASSES as i64], &biases);
        model.graph.input.push(value_info("x", self.input_type, &shape));
        let model = match self.input_type {
            FLOAT => model.node("Identity", &["x"], &["f"]),
            _ => model.node_with("Cast", &["x"], &["f"], vec![int("to", 1)]),
        };
        let model = match self.network {
            Takes::Last => {
                let axes = self.spatial.len() as i64 + 2;
                let perm = [vec![0, axes - 1], (1..axes - 1).collect()].concat();
                model.node_with("Transpose", &["f"], &["t"], vec![int_list("perm", &perm)])
            }
            Takes::First | Takes::Rows | Takes::Flattened => model.node("Identity", &["f"], &["t"]),
        };
        let (convolved, flat) = (model.clone().floats("w", &kernel, &weights), ["t", "w", "b"]);
        match self.network {
            Takes::First | Takes::Last => convolved.node("Conv", &flat, &["c"]).node("Flatten", &["c"], &["y"]),
            Takes::Rows | Takes::Flattened => model
                .floats("w", &[CLASSES as i64, self.numbers() as i64], &weights)
                .node("Flatten", &["t"], &["rows"])
                .node_with("Gemm", &["rows", "w", "b"], &["y"], vec![int("transB", 1)]),
        }
    }

    /// The array of the examples.
    fn array(&self) -> Vec<u8> {
        let values = self.values();
        let (channels, positions) = (self.channels, self.positions());
        let at = |n: usize, c: usize, p: usize| values[(n * channels + c) * positions + p];
        let example = |n: usize| -> Vec<f64> {
            match self.last {
                true => {
                    (0..positions).flat_map(|p| (0..channels).map(move |c| (c, p))).map(|(c, p)| at(n, c, p)).collect()
                }
                false => {
                    (0..channels).flat_map(|c| (0..positions).map(move |p| (c, p))).map(|(c, p)| at(n, c, p)).collect()
                }
            }
        };
        let bytes = (0..EXAMPLES).flat_map(example).flat_map(|x| match self.stored {
            "<f4" => (x as f32).to_le_bytes().to_vec(),
            "<f8" => x.to_le_bytes().to_vec(),
            "<i2" => (x as i16).to_le_bytes().to_vec(),
            "|i1" => (x as i8).to_le_bytes().to_vec(),
            "|u1" => vec![x as u8],
            other => panic!("{other}"),
        });
        let shape = match (self.example, self.last) {
            (Some(example), _) => example.to_vec(),
            (None, false) => [&[channels], self.spatial].concat(),
            (None, true) => [self.spatial, &[channels]].concat(),
        };
        npy(self.stored, &[&[EXAMPLES][..], &shape].concat(), bytes.collect())
    }

    /// Writes `net.onnx` and `x.npz`.
    fn write(&self, folder: &Path) {
        fs::write(folder.join("net.onnx"), self.network().bytes()).expect("writable");
        let mut archive = zip::ZipWriter::new(fs::File::create(folder.join("x.npz")).expect("writable"));
        for (name, bytes) in [("x", self.array()), ("y", npy("|u1", &[EXAMPLES], self.classes()))] {
            archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("writable");
            archive.write_all(&bytes).expect("writable");
        }
        archive.finish().expect("writable");
    }

    /// Exit code, images that the network in float names right, and standard error.
    fn run(&self) -> (Option<i32>, Option<u64>, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.write(folder.path());
        simulate(folder.path(), self.more)
    }
}

fn npy(descr: &str, shape: &[usize], data: Vec<u8>) -> Vec<u8> {
    let shape = format!("{shape:?}").replace('[', "(").replace(']', ",)");
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), &data].concat()
}

/// Exit code, images that the network in float names right, and standard error of `simulate` on `net.onnx` and `x.npz`.
fn simulate(folder: &Path, more: &[&str]) -> (Option<i32>, Option<u64>, String) {
    let arguments = ["simulate", "net.onnx", "--images", "x.npz", "--bits", "8", "--json", "run.json"];
    let output = esnsim().current_dir(folder).args(arguments).args(more).output().expect("the command runs");
    let json = fs::read(folder.join("run.json")).ok();
    let json: Option<Value> = json.map(|bytes| serde_json::from_slice(&bytes).expect("valid JSON"));
    let right = json.and_then(|json| json["inference"]["float"]["top1"].as_u64());
    (output.status.code(), right, String::from_utf8(output.stderr).expect("text"))
}

/// All examples are named right, and are of several classes, so that a wrong order would show.
fn check_right(cases: impl IntoIterator<Item = Case>) {
    check_all(cases, |case| {
        let mut classes = case.classes();
        classes.sort_unstable();
        classes.dedup();
        assert!(classes.len() > 1, "{}: {classes:?}", case.what);
        let (status, right, stderr) = case.run();
        assert_eq!((status, right), (Some(0), Some(EXAMPLES as u64)), "{}: {stderr}", case.what);
    });
}

#[test]
fn signals_features_and_rows_are_run() {
    let rows = Case { network: Takes::Rows, spatial: &[40], ..PLAIN };
    let flattened = Case { network: Takes::Flattened, spatial: &[12, 12], ..PLAIN };
    check_right([
        Case { what: "a signal", ..PLAIN },
        Case { what: "a signal, without its axis of channels", example: Some(&[32]), ..PLAIN },
        Case { what: "a signal, channels last", last: true, ..PLAIN },
        Case { what: "nine sensors", channels: 9, spatial: &[128], ..PLAIN },
        Case { what: "nine sensors, channels last", channels: 9, spatial: &[128], last: true, ..PLAIN },
        Case { what: "the network takes channels last", channels: 6, spatial: &[50], network: Takes::Last, ..PLAIN },
        Case { what: "both do", channels: 6, spatial: &[50], network: Takes::Last, last: true, ..PLAIN },
        Case { what: "of 64 bits", stored: "<f8", ..PLAIN },
        Case { what: "rows", example: Some(&[40]), ..rows },
        Case { what: "16,000 samples", spatial: &[16_000], example: Some(&[16_000]), ..rows },
        Case { what: "frames for a network of rows", spatial: &[49, 10], example: Some(&[49, 10]), ..rows },
        Case { what: "rows and columns without channels", example: Some(&[12, 12]), ..flattened },
        Case { what: "the same with an axis of channels", ..flattened },
        Case { what: "keywords", spatial: &[49, 10], network: Takes::Last, last: true, ..PLAIN },
        Case { what: "keywords as rows", spatial: &[49, 10], network: Takes::Last, example: Some(&[490]), ..PLAIN },
        Case { what: "wake words", channels: 40, spatial: &[30, 1], network: Takes::Last, last: true, ..PLAIN },
        Case { what: "wake words, channels first", channels: 40, spatial: &[30, 1], network: Takes::Last, ..PLAIN },
    ]);
}

#[test]
fn any_number_of_channels_is_run_in_any_layout() {
    let layouts = [(Takes::First, false), (Takes::First, true), (Takes::Last, false), (Takes::Last, true)];
    check_right([1, 2, 3, 4, 6, 12, 13].into_iter().flat_map(|channels| {
        let (what, spatial) = ("channels", &[5, 7]);
        layouts.map(|(network, last)| Case { what, channels, spatial, network, last, ..PLAIN })
    }));
}

#[test]
fn integers_of_the_inputs_own_type_are_taken_as_they_are() {
    let int8 = Case { stored: "|i1", input_type: INT8, channels: 40, spatial: &[30, 1], ..PLAIN };
    check_right([
        Case { what: "int8", ..int8 },
        Case { what: "int8 that is said to be as it is", more: &["--preprocess", "none"], ..int8 },
        Case { what: "int8, wake words", network: Takes::Last, last: true, ..int8 },
        Case { what: "int16", stored: "<i2", input_type: INT16, ..PLAIN },
        Case { what: "uint8", stored: "|u1", input_type: UINT8, ..PLAIN },
        Case { what: "bytes for int8", stored: "|u1", input_type: INT8, ..PLAIN },
        Case { what: "bytes for int8, rows", stored: "|u1", input_type: INT8, network: Takes::Rows, ..PLAIN },
        Case { what: "bytes for real numbers", stored: "|u1", ..PLAIN },
        Case { what: "int16 for real numbers, as said", stored: "<i2", more: &["--preprocess", "none"], ..PLAIN },
    ]);
    let (_, _, stderr) = int8.run();
    assert!(stderr.contains("note: the numbers, int8, are taken as they are: the network takes int8"), "{stderr}");
    let parts = Case { stored: "<f4", ..int8 };
    let (status, _, stderr) = parts.run();
    let expected = "is no int8, which the network takes; --preprocess none takes the numbers of the file as they are";
    assert!(status == Some(2) && stderr.contains(expected), "{stderr}");
    // Nothing tells codes from pixels in wider integers; a code below 0 shows it.
    let wide = Case { stored: "<i2", input_type: INT8, ..PLAIN };
    assert!(wide.run().2.contains(expected));
}

#[test]
fn what_fits_in_two_ways_is_decided_by_the_option() {
    let cube = Case { what: "a cube", channels: 3, spatial: &[3, 3], ..PLAIN };
    let square = Case { what: "a square", channels: 8, spatial: &[8], ..PLAIN };
    let rows = Case { what: "rows", channels: 3, spatial: &[4, 5], example: Some(&[60]), ..PLAIN };
    check_all([cube, square, rows, Case { network: Takes::Last, last: true, ..cube }], |case| {
        let (status, _, stderr) = case.run();
        assert_eq!(status, Some(2), "{stderr}");
        for words in ["x.npz", "channels first", "channels last", "--layout channels-first, channels-last or as-is"] {
            assert!(stderr.contains(words), "{stderr}");
        }
    });
    check_right([
        Case { more: &["--layout", "channels-first"], ..cube },
        Case { more: &["--layout", "nchw"], ..cube },
        Case { more: &["--layout", "as-is"], ..cube },
        Case { more: &["--layout", "channels-last"], last: true, ..cube },
        Case { more: &["--layout", "nhwc"], last: true, ..cube },
        Case { more: &["--layout", "as-is"], last: true, network: Takes::Last, ..cube },
        Case { more: &["--layout", "nchw"], network: Takes::Last, ..cube },
        Case { more: &["--layout", "ncw"], ..square },
        Case { more: &["--layout", "nwc"], last: true, ..square },
        Case { more: &["--layout", "channels-first"], ..rows },
        Case { more: &["--layout", "channels-last"], last: true, ..rows },
    ]);
}

#[test]
fn the_layout_of_a_preprocess_file_reaches_arrays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cube = Case { channels: 3, spatial: &[3, 3], ..PLAIN };
    cube.write(folder.path());
    for words in ["nchw", "channels-first"] {
        let text = format!("scale = 1\nlayout = \"{words}\"\n");
        fs::write(folder.path().join("said.toml"), text).expect("writable");
        let (status, right, stderr) = simulate(folder.path(), &["--preprocess", "said.toml"]);
        assert_eq!((status, right), (Some(0), Some(EXAMPLES as u64)), "{stderr}");
    }
    // A network in which nothing tells where the channels lie, and an array that is said to have them last.
    let block = Case { channels: 4, spatial: &[4, 4], network: Takes::Rows, last: true, ..PLAIN };
    let model = block.network();
    let mut unclear = model.clone();
    unclear.graph.input[0] = value_info("x", FLOAT, &[0, 4, 4, 4]);
    block.write(folder.path());
    fs::write(folder.path().join("net.onnx"), unclear.bytes()).expect("writable");
    let (status, _, stderr) = simulate(folder.path(), &["--layout", "nhwc"]);
    assert!(
        status == Some(2) && stderr.contains("layout = \"nchw\" or \"nhwc\" in the file of --preprocess"),
        "{stderr}"
    );
    fs::write(folder.path().join("said.toml"), "scale = 1\nlayout = \"nchw\"\n").expect("writable");
    let (status, right, stderr) = simulate(folder.path(), &["--layout", "nhwc", "--preprocess", "said.toml"]);
    assert_eq!((status, right), (Some(0), Some(EXAMPLES as u64)), "{stderr}");
}

#[test]
fn other_shapes_are_refused_in_one_line_with_those_that_fit() {
    let cases = [
        (
            Case { example: Some(&[16, 2]), ..PLAIN },
            "an array of shape [24, 16, 2] for a network input of [1, 1, 32]; expected [N, 1, 32]",
        ),
        (
            Case { channels: 12, spatial: &[4, 4], example: Some(&[6, 8, 4]), ..PLAIN },
            "expected [N, 12, 4, 4]; or [N, 4, 4, 12], channels last",
        ),
        (Case { network: Takes::Rows, example: Some(&[32]), more: &["--layout", "nope"], ..PLAIN }, "--layout"),
    ];
    check_all(cases, |(case, expected)| {
        let (status, _, stderr) = case.run();
        assert!(status == Some(2) && stderr.contains(expected), "{stderr}");
    });
    let output = esnsim().args(["simulate", "--layout", "nchw"]).output().expect("the command runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--layout needs --images"));
}

#[test]
fn sweeps_traces_and_calibration_take_the_layout_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Case { channels: 3, spatial: &[3, 3], last: true, ..PLAIN }.write(folder.path());
    let run = |arguments: &[&str]| {
        let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("the command runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let plan = |key: &str| {
        let images = format!("path = \"x.npz\"\npreprocess = \"none\"\n{key}");
        let text = format!("networks = [\"net.onnx\"]\n[images]\n{images}\n[[quantize]]\nbits = 8\n");
        fs::write(folder.path().join("plan.toml"), text).expect("writable");
        run(&["sweep", "plan.toml", "--store", "store.sqlite"])
    };
    let (status, stderr) = plan("");
    assert!(status == Some(2) && stderr.contains("of a plan layout in [images]"), "{stderr}");
    let (status, stderr) = plan("layout = \"nope\"");
    assert!(status == Some(2) && stderr.contains("channels-first") && stderr.contains("as-is"), "{stderr}");
    let (status, stderr) = plan("layout = \"channels-last\"");
    assert_eq!(status, Some(0), "{stderr}");
    let (status, stderr) = run(&["pareto", "store.sqlite", "--csv", "points.csv"]);
    assert_eq!(status, Some(0), "{stderr}");
    let points = fs::read_to_string(folder.path().join("points.csv")).expect("the run wrote it");
    let mut points = csv::Reader::from_reader(points.as_bytes());
    let column = points.headers().expect("a header").iter().position(|name| name == "float_top1").expect("a column");
    let point = points.records().next().expect("a point").expect("a row");
    assert_eq!(point[column].parse::<f64>().expect("a number"), 1.0);

    let trace = ["trace", "net.onnx", "--images", "x.npz", "--preprocess", "none", "--hardware", "ideal-digital"];
    let (status, stderr) = run(&trace);
    assert!(status == Some(2) && stderr.contains("--layout"), "{stderr}");
    let (status, stderr) = run(&[&trace[..], &["--layout", "nhwc"]].concat());
    assert_eq!(status, Some(0), "{stderr}");

    let compress = ["compress", "net.onnx", "-o", "out.onnx", "--bits", "4", "--reestimate-bn", "--calibrate", "x.npz"];
    let (status, stderr) = run(&compress);
    assert!(status == Some(2) && stderr.contains("--layout"), "{stderr}");
    let (status, stderr) = run(&[&compress[..], &["--layout", "nhwc"]].concat());
    assert_eq!(status, Some(0), "{stderr}");
}

#[test]
fn a_signal_of_the_cases_is_named_right() {
    let (Some(network), Some(signals)) =
        (testkit::shared("cases/signal_1d.onnx"), testkit::shared("cases/signal_1d.npz"))
    else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy(network, folder.path().join("net.onnx")).expect("writable");
    fs::copy(signals, folder.path().join("x.npz")).expect("writable");
    let (status, right, stderr) = simulate(folder.path(), &["--preprocess", "none"]);
    assert_eq!((status, right), (Some(0), Some(20)), "{stderr}");
}

#[test]
fn codes_of_a_tflite_network_are_those_that_pictures_become() {
    let (Some(network), Some(pictures)) =
        (testkit::shared("models/resnet8-cifar10-int8.tflite"), testkit::shared("data/cifar10/test_batch.bin"))
    else {
        return;
    };
    const IMAGES: usize = 12;
    const PLANE: usize = 1024;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let records = fs::read(&pictures).expect("readable");
    let records: Vec<&[u8]> = records.chunks_exact(3 * PLANE + 1).take(IMAGES).collect();
    let codes = |record: &&[u8]| -> Vec<u8> {
        (0..PLANE).flat_map(|p| (0..3).map(move |c| (c, p))).map(|(c, p)| record[1 + c * PLANE + p] ^ 0x80).collect()
    };
    let array = npy("|i1", &[IMAGES, 32, 32, 3], records.iter().flat_map(codes).collect());
    fs::write(folder.path().join("x.npy"), array).expect("writable");
    let sqnr = |images: &Path| {
        let network = network.to_str().expect("text");
        let images = images.to_str().expect("text");
        let arguments = ["simulate", network, "--images", images, "--limit", "12", "--json", "run.json"];
        let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: Value =
            serde_json::from_slice(&fs::read(folder.path().join("run.json")).expect("written")).expect("JSON");
        let engines = json["inference"]["engines"].as_array().expect("engines").clone();
        engines.iter().map(|engine| [engine["sqnr_db"].clone(), engine["agreement"].clone()]).collect::<Vec<_>>()
    };
    assert_eq!(sqnr(&folder.path().join("x.npy")), sqnr(&pictures));
}
