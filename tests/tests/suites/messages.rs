//! What does every error say? `tests/reference/messages.txt` has one example of each variant of each public error on one
//! page: its kind, its line, and how the command mends it.

use std::fmt::Write;
use std::fs;
use std::io;
use std::sync::Arc;

use analog::AnalogError;
use compress::CompressError;
use digital::DigitalError;
use engine::{Arithmetic, EngineError};
use esn::{BitWidth, BitWidthError, CodeError, Grid, QuantizeError, SnrError, StreamError, TrainingError, WeightShape};
use esnsim::{Error, Need};
use esnsim_tests::repository;
use explore::ExploreError;
use formats::images::ImageError;
use inference::InferenceError;
use network::architectures::ArchitectureError;
use network::{Cause, DataType, ErrorKind, Failure, GeometryError, Mend, ModelError, NetworkError, TensorError, chain};
use rayon::ThreadPoolBuildError;
use report::OutputError;
use runner::RunnerError;

/// The page, and what is wrong on it.
#[derive(Default)]
struct Page {
    text: String,
    wrong: Vec<String>,
}

/// Puts the errors of one part of the project on the page.
type Part = fn(&mut Page);

impl Page {
    fn add(&mut self, name: &str, error: &(impl Failure + 'static)) {
        let line = chain(error);
        let _ = writeln!(self.text, "{name} ({:?})\n    {line}", error.kind());
        if let Some(mend) = error.mend() {
            let _ = writeln!(self.text, "    library: {mend}\n    command: {}", esnsim_cli::option(mend));
            if mend.to_string().contains("--") {
                self.wrong.push(format!("{name}: what mends it names an option: {mend}"));
            }
        }
        if line.contains("--") || line.contains('\n') {
            self.wrong.push(format!("{name}: no library message names an option or has two lines: {line}"));
        }
    }
}

/// Puts one example of every variant on the page. The compiler refuses a list without one of them.
macro_rules! examples {
    ($page:ident, $error:ident { $($variant:ident: $example:expr),+ $(,)? }) => {
        fn name(error: &$error) -> &'static str {
            match error {
                $($error::$variant { .. } => stringify!($variant),)+
            }
        }
        $({
            let example: $error = $example;
            assert_eq!(name(&example), stringify!($variant), "an example stands at the wrong name");
            $page.add(concat!(stringify!($error), "::", stringify!($variant)), &example);
        })+
    };
}

fn text(text: &str) -> String {
    text.to_string()
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

fn no_threads() -> ThreadPoolBuildError {
    let refused = |_| Err(io::Error::from(io::ErrorKind::WouldBlock));
    rayon::ThreadPoolBuilder::new().spawn_handler(refused).build().expect_err("no thread is started")
}

fn network_error() -> NetworkError {
    NetworkError::Io { path: "net.onnx".into(), source: missing() }
}

fn model_error() -> ModelError {
    ModelError::NoSuchValue { place: text("node conv1"), value: 7, count: 3 }
}

fn image_error() -> ImageError {
    ImageError::Io { path: "images.npy".into(), source: missing() }
}

fn engine_error() -> EngineError {
    EngineError::Unsupported { layer: text("conv1"), problem: text("18-bit weights; the array holds 8") }
}

fn inference_error() -> InferenceError {
    InferenceError::Unsupported { place: text("node \"Einsum_3\""), problem: text("this operator is not run") }
}

/// The errors of the metric.
fn metric(page: &mut Page) {
    let shape = WeightShape { filters: 4, groups: 1, channels: 2, taps: 9 };
    page.add("BitWidthError", &BitWidthError { bits: 17 });
    {
        examples!(
            page,
            CodeError {
                Shape: CodeError::Shape { shape, codes: 71 },
                OffGrid: CodeError::OffGrid { index: 3, code: 2, grid: Grid::MidRise },
                TooWide: CodeError::TooWide { index: 3, code: 1 << 20 },
            }
        );
    }
    {
        let bits = BitWidth::new(4).expect("it is a width");
        examples!(
            page,
            QuantizeError {
                NotFinite: QuantizeError::NotFinite { index: 3, value: f64::NAN },
                Step: QuantizeError::Step { step: -1.0 },
                StepUnderflow: QuantizeError::StepUnderflow { max_abs: 1e-323, bits },
                OnlyZero: QuantizeError::OnlyZero,
                Codes: CodeError::Shape { shape, codes: 71 }.into(),
            }
        );
    }
    {
        examples!(
            page,
            SnrError {
                Length: SnrError::Length { weights: 72, codes: 71 },
                Steps: SnrError::Steps { steps: 3, filters: 4 },
                NotFinite: SnrError::NotFinite { index: 3, value: f64::NAN },
                BadStep: SnrError::BadStep { index: 0, value: -1.0 },
                Overflow: SnrError::Overflow,
            }
        );
    }
    {
        examples!(
            page,
            StreamError {
                Shape: StreamError::Shape(WeightShape { groups: 2, ..shape }),
                Quantize: QuantizeError::OnlyZero.into(),
            }
        );
    }
    examples!(
        page,
        TrainingError {
            Length: TrainingError::Length { snapshot: 2, expected: 72, found: 71 },
            NotFinite: TrainingError::NotFinite { snapshot: 2, index: 3, value: f64::NAN },
            Overflow: TrainingError::Overflow { snapshot: 2 },
            NoSnapshots: TrainingError::NoSnapshots,
        }
    );
}

/// The errors of networks and what they are made of.
fn networks(page: &mut Page) {
    let path = || "net.onnx".into();
    {
        examples!(
            page,
            NetworkError {
                Io: network_error(),
                Invalid: NetworkError::Invalid {
                    path: path(),
                    place: text("layer conv1"),
                    problem: text("weight 3 is NaN; weights must be finite"),
                },
                Unsupported: NetworkError::Unsupported {
                    path: path(),
                    place: text("input \"x\""),
                    problem: text("the file gives no shape"),
                    mend: Some(Mend::GiveInputShape),
                },
                Model: NetworkError::Model { path: path(), source: model_error() },
            }
        );
    }
    {
        examples!(
            page,
            GeometryError {
                Zero: GeometryError::Zero("stride"),
                Groups: GeometryError::Groups { what: "filters", count: 6, groups: 4 },
                KernelTooLarge: GeometryError::KernelTooLarge { axis: "height", extent: 5, padded: 4 },
                TooLarge: GeometryError::TooLarge("multiply-accumulates"),
            }
        );
    }
    {
        examples!(
            page,
            TensorError {
                Count: TensorError::Count { data_type: DataType::F32, expected: 72, found: 71 },
                Type: TensorError::Type { expected: "integers", found: DataType::F32 },
                Garbled: TensorError::Garbled { index: 3, data_type: DataType::I8 },
                Absent: TensorError::Absent { data_type: DataType::F32, shape: vec![64, 3, 7, 7] },
            }
        );
    }
    examples!(
        page,
        ArchitectureError {
            Number: ArchitectureError::Number { what: "width", expected: text("above 0"), found: text("-1") },
            TooLarge: ArchitectureError::TooLarge { layer: text("conv1") },
            Geometry: ArchitectureError::Geometry { layer: text("conv1"), source: GeometryError::Zero("stride") },
        }
    );
}

/// The errors of engines and their descriptions.
fn engines(page: &mut Page) {
    let (layer, array) = (|| text("conv1"), || text("mine"));
    {
        let shape = WeightShape { filters: 4, groups: 1, channels: 2, taps: 9 };
        examples!(
            page,
            EngineError {
                Weights: EngineError::Weights {
                    layer: layer(),
                    expected: WeightShape { groups: 2, channels: 1, ..shape },
                    found: shape,
                },
                Shape: EngineError::Shape { layer: layer(), what: "input", expected: 160, found: 80 },
                Arithmetic: EngineError::Arithmetic { layer: layer(), expected: Arithmetic::Integer },
                Activation: EngineError::Activation {
                    layer: layer(),
                    index: 3,
                    value: text("NaN"),
                    expected: "it must be finite",
                },
                Unsupported: engine_error(),
            }
        );
    }
    {
        examples!(
            page,
            AnalogError {
                Zero: AnalogError::Zero("rows"),
                TooLarge: AnalogError::TooLarge { what: "rows", found: 1 << 40 },
                Energy: AnalogError::Energy(-1e-15),
                Value: AnalogError::Value { key: "dac.bits", found: text("0"), expected: "1 to 16" },
            }
        );
    }
    examples!(
        page,
        DigitalError {
            Zero: DigitalError::Zero { array: array(), what: "rows" },
            TooLarge: DigitalError::TooLarge { array: array(), rows: 1 << 20, pes_per_row: 1 << 20 },
            Departure: DigitalError::Departure {
                array: array(),
                problem: text("skip and fixed_bits exclude each other")
            },
            Energy: DigitalError::Energy { array: array(), energy: -1e-15 },
        }
    );
}

/// The errors of images, inference and compression.
fn work(page: &mut Page) {
    {
        let path = || "images.npy".into();
        examples!(
            page,
            ImageError {
                Io: image_error(),
                Invalid: ImageError::Invalid { path: path(), problem: text("it does not begin as a numpy array does") },
                Unsupported: ImageError::Unsupported { path: path(), problem: text("an array of 5 axes") },
                TwoWays: ImageError::TwoWays {
                    path: path(),
                    shape: vec![24, 3, 3, 3],
                    ways: text("[N, C, H, W], channels first; or [N, H, W, C], channels last"),
                },
                Shape: ImageError::Shape {
                    path: path(),
                    shape: [24, 128, 8].into(),
                    input: [1, 9, 128].into(),
                    expected: text("[N, 9, 128]; or [N, 128, 9], channels last"),
                },
                InputLayout: ImageError::InputLayout { images: text("images.npy"), input: vec![1, 4, 4, 4] },
                Number: ImageError::Number {
                    image: text("codes.npy[3]"),
                    number: -170.0,
                    data_type: network::DataType::I8,
                    changed: true,
                },
                NoArray: ImageError::NoArray { path: "photos".into() },
                Incomplete: ImageError::Incomplete {
                    path: "photos".into(),
                    problem: text("files that are not read: 2 .heic (cat/a.heic, …)"),
                },
                UnknownPreprocessing: ImageError::UnknownPreprocessing { word: "imagnet".into() },
                Misfit: ImageError::Misfit {
                    image: text("images.npy[3]"),
                    problem: text("3 channels; the network takes 1")
                },
            }
        );
    }
    {
        examples!(
            page,
            InferenceError {
                Unsupported: inference_error(),
                Invalid: InferenceError::Invalid { place: text("node \"Add_3\""), problem: text("shapes do not fit") },
                Memory: InferenceError::Memory { place: text("node \"Conv_1\""), needed: 1 << 40, limit: 1 << 33 },
                Executor: InferenceError::Executor {
                    layer: text("fc"),
                    source: Cause::told(ErrorKind::OwnBug, "its input is empty"),
                },
                Network: network_error().into(),
                Sample: InferenceError::Sample(image_error().into()),
            }
        );
    }
    examples!(
        page,
        CompressError {
            Option: CompressError::Option { option: "bits", problem: text("a bit width is 1 to 16, not 17") },
            Layer: CompressError::Layer {
                layer: text("conv1"),
                problem: text("its weights are quantized already; pruning comes first"),
            },
            Unsupported: CompressError::Unsupported {
                place: text("pruning filters"),
                problem: text("there is no graph in which channels are followed"),
            },
            Network: network_error().into(),
            Inference: inference_error().into(),
            Sample: CompressError::Sample(image_error().into()),
            Model: CompressError::Model(model_error()),
        }
    );
}

/// The errors of runs.
fn runs(page: &mut Page) {
    let (network, hardware) = (|| "net.onnx".into(), || text("mine"));
    {
        examples!(
            page,
            RunnerError {
                Network: network_error().into(),
                Hardware: RunnerError::Hardware { path: "mine.toml".into(), problem: text("array.rows is 0") },
                NoSuchPreset: RunnerError::NoSuchPreset {
                    name: text("gpu-9bit"),
                    known: vec![text("gpu-8bit"), text("bit-serial")],
                },
                UnknownHardware: RunnerError::UnknownHardware {
                    path: "abacus".into(),
                    known: vec![text("ideal-analog"), text("ideal-digital-weight")],
                },
                Read: RunnerError::Read { path: "mine.toml".into(), source: missing() },
                Layer: RunnerError::Layer { path: network(), layer: text("conv1"), problem: text("it has no codes") },
                AlreadyQuantized: RunnerError::AlreadyQuantized { path: network(), bits: 4 },
                Engine: RunnerError::Engine { path: network(), hardware: hardware(), source: Box::new(engine_error()) },
                NeedsImages: RunnerError::NeedsImages { hardware: hardware(), has_graph: true },
                Answer: RunnerError::Answer {
                    path: "net.onnx".into(),
                    output: text("y"),
                    problem: text("it is one integer; class 1 begins somewhere"),
                    mend: Some(Mend::GiveThreshold),
                },
                Output: RunnerError::Output { path: "logits.npy".into(), problem: text("No space left on device") },
                Label: RunnerError::Label { image: 17, label: 12, classes: 10, from_one: false },
                Trace: RunnerError::Trace {
                    path: network(),
                    layer: text("conv1"),
                    hardware: hardware(),
                    problem: text("cycles 9..9 are none"),
                },
                Image: image_error().into(),
                Sample: RunnerError::Sample(image_error().into()),
                Inference: RunnerError::Inference { path: network(), source: Box::new(inference_error()) },
            }
        );
    }
    let (plan, store) = (|| "plan.toml".into(), || "points.sqlite".into());
    examples!(
        page,
        ExploreError {
            Plan: ExploreError::Plan { path: plan(), problem: text("bits is 17; expected 1 to 16") },
            Point: ExploreError::Point { plan: plan(), problem: text("point: network \"other\" is not in networks") },
            NeedsImages: ExploreError::NeedsImages { path: plan(), hardware: hardware() },
            Named: ExploreError::Named { plan: plan(), path: network(), source: missing() },
            Store: ExploreError::Store {
                path: store(),
                problem: text("expected a store, which a sweep writes; found an SQLite database of another program"),
                kind: ErrorKind::InvalidFile,
            },
            StoreInUse: ExploreError::StoreInUse { path: store() },
            StoreOfWhole: ExploreError::StoreOfWhole { path: store() },
            OldStore: ExploreError::OldStore { path: store(), layout: 2 },
            Io: ExploreError::Io { path: store(), source: missing() },
            Landscape: ExploreError::Landscape { hardware: hardware(), source: Box::new(engine_error()) },
            Run: RunnerError::NeedsImages { hardware: hardware(), has_graph: true }.into(),
            Network: network_error().into(),
            Image: image_error().into(),
            Compress: CompressError::Option { option: "bits", problem: text("a bit width is 1 to 16, not 17") }.into(),
            Threads: ExploreError::Threads(no_threads()),
            Shared: ExploreError::Shared(Arc::new(network_error().into())),
        }
    );
}

/// The errors of the library's face.
fn face(page: &mut Page) {
    let path = || "net.onnx".into();
    let option = || CompressError::Option { option: "bits", problem: text("a bit width is 1 to 16, not 17") };
    page.add("OutputError", &OutputError { path: "out.csv".into(), problem: text("no space left on device") });
    for need in [Need::Images, Need::Reestimation, Need::Onnx] {
        page.add(&format!("Error::NeedsGraph, {need:?}"), &Error::NeedsGraph { path: "net.npz".into(), need });
    }
    examples!(
        page,
        Error {
            Network: network_error().into(),
            Run: RunnerError::NeedsImages { hardware: text("mine"), has_graph: true }.into(),
            Explore: ExploreError::StoreInUse { path: "points.sqlite".into() }.into(),
            Image: image_error().into(),
            Output: OutputError { path: "out.csv".into(), problem: text("no space left on device") }.into(),
            Architecture: ArchitectureError::TooLarge { layer: text("conv1") }.into(),
            NoArchitecture: Error::NoArchitecture { name: text("alexnet") },
            ForeignOption: Error::ForeignOption { name: text("resnet20"), option: "depth" },
            Compress: Error::Compress { path: path(), source: Box::new(option()) },
            Inference: Error::Inference { path: path(), source: Box::new(inference_error()) },
            Read: Error::Read { path: "trace.json".into(), source: missing() },
            LayerOptions: Error::LayerOptions {
                path: "layers.toml".into(),
                problem: text("layer conv1: bits is 17; expected 1 to 16"),
            },
            Preprocessing: Error::Preprocessing { problem: text("std is 0; expected a number above 0") },
            SameName: Error::SameName { first: "a.toml".into(), second: "b.toml".into(), name: text("mine") },
            NeedsGraph: Error::NeedsGraph { path: "net.npz".into(), need: Need::Images },
            NoStep: Error::NoStep { path: path(), layer: text("conv1"), reason: Some(text("too many values")) },
            NotCompared: Error::NotCompared {
                name: text("weights.safetensors"),
                before: text("net.onnx"),
                why: "it has no graph, and the first network has one"
            },
            NoImages: Error::NoImages,
            OtherReference: Error::OtherReference { path: path(), found: [500, 100], expected: [500, 10] },
            NoLayer: Error::NoLayer { path: path(), wanted: text("conv9"), layers: 8, nearest: Some(text("conv1")) },
            ManyLayers: Error::ManyLayers {
                path: path(),
                wanted: text("conv1"),
                names: vec![text("a/conv1"), text("b/conv1")]
            },
            Place: Error::Place { path: "no/out.csv".into(), problem: text("there is no folder no") },
            NothingToDo: Error::NothingToDo,
            NoQuantization: Error::NoQuantization { option: "a width of the first layer" },
            ReadOnly: Error::ReadOnly { path: "out.pt".into(), extension: text("pt") },
            Lossy: Error::Lossy { path: path(), first: text("not in the new file: the graph of 9 nodes"), more: 1 },
            Short: Error::Short {
                path: path(),
                first: text("0 of 20 filters were pruned, not the 4 that were asked for: coupled filters go together"),
                more: 0,
            },
            NoPoints: Error::NoPoints {
                path: "points.sqlite".into(),
                reason: text("none of 9 points has accuracy top1:mine; no images ran on mine"),
                mend: Some(Mend::PlanAnalogAccuracy),
            },
            SameStore: Error::SameStore { path: "points.sqlite".into() },
            Slurm: Error::Slurm {
                problem: text("SLURM_ARRAY_TASK_ID is not set; expected the variables of an array job"),
            },
            Threads: Error::Threads(no_threads()),
        }
    );
}

#[test]
fn every_message_is_on_one_page() {
    let mut page = Page::default();
    let parts: [(&str, Part); 6] = [
        ("The metric", metric),
        ("Networks", networks),
        ("Engines", engines),
        ("Images, inference, compression", work),
        ("Runs", runs),
        ("The library's face", face),
    ];
    for (title, add) in parts {
        let _ = writeln!(page.text, "{}== {title} ==\n", if page.text.is_empty() { "" } else { "\n" });
        add(&mut page);
    }
    assert!(page.wrong.is_empty(), "{}", page.wrong.join("\n"));
    let file = repository("tests/reference/messages.txt");
    if std::env::var_os("ESNSIM_WRITE_MESSAGES").is_some() {
        fs::write(&file, &page.text).expect("the folder is writable");
    }
    let committed = fs::read_to_string(&file).expect("it is in the repository");
    let changed = page.text.lines().zip(committed.lines()).find(|(now, before)| now != before);
    assert!(page.text == committed, "ESNSIM_WRITE_MESSAGES=1 writes the page anew; first change: {changed:?}");
}
