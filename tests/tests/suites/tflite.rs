//! Do TFLite files give the numbers that the reference kernels of LiteRT give?
//!
//! `reference/tflite-operators.json` has a small file for each operator, its input, and the output: integers are compared
//! for equality, with the layers on the digital engine. `python/tflite_operators.py` made it. Networks beside the project are
//! compared by the classes that LiteRT names (`python/tflite_accuracy.py`).

use std::cell::Cell;

use bytes::Bytes;
use esnsim_tests::executors::read_whole;
use esnsim_tests::{Recorded, repository};
use formats::images::{ImageOptions, Images, Preprocessing};
use formats::onnx::write::{WriteOptions, to_bytes};
use formats::{ReadOptions, TfliteKernels};
use inference::{FloatExecutor, MacExecutor, Session};
use network::{
    ActivationQuantization, DataType, Failure, IntegerFunction, LayerId, Mend, Network, NoteKind, Op, Unary,
};
use runner::{
    EngineExecutor, Evaluation, EvaluationPlan, Hardware, ImageSamples, Metric, Quantization, evaluate, prepare,
};
use testkit::{check_all, shared, texts};

fn cases() -> Vec<Recorded> {
    Recorded::all("tflite-operators.json")
}

fn with_kernels(tflite_kernels: TfliteKernels) -> ReadOptions {
    ReadOptions { tflite_kernels, ..ReadOptions::default() }
}

fn read(bytes: Vec<u8>) -> Result<Network, network::NetworkError> {
    read_for(bytes, TfliteKernels::Reference)
}

fn read_for(bytes: Vec<u8>, kernels: TfliteKernels) -> Result<Network, network::NetworkError> {
    formats::from_bytes("case.tflite", Bytes::from(bytes), &with_kernels(kernels))
}

/// The layers on the digital engine where the file quantizes what they read, else in float.
fn executor(network: &Network) -> Box<dyn MacExecutor> {
    let inputs: Option<Vec<ActivationQuantization>> = network.layers().iter().map(|l| l.input_quantization).collect();
    match inputs {
        Some(inputs) => {
            let digital = Hardware::ideal().into_iter().find(|h| h.metric == Metric::EsnD).expect("it is one of three");
            Box::new(EngineExecutor::new(network, &digital, Quantization::new(None), &inputs).expect("it fits"))
        }
        None => Box::new(FloatExecutor::from_file(network).expect("weights are finite")),
    }
}

/// What is wrong with a case, of which these kernels of LiteRT gave `expected`.
fn difference(case: &Recorded, kernels: TfliteKernels, expected: &[f32]) -> Option<String> {
    let network = match read_for(case.file.clone(), kernels) {
        Ok(network) => network,
        Err(error) => return Some(error.to_string()),
    };
    let session = match Session::new(&network) {
        Ok(session) => session,
        Err(error) => return Some(format!("{error} {:?}", network.notes())),
    };
    let found = match session.run(&case.input, executor(&network).as_ref(), None) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let output = network.graph().value(network.graph().outputs()[0]);
    if output.shape.as_ref() != Some(&case.shape) {
        return Some(format!("shape {:?}, not {:?}", output.shape, case.shape));
    }
    let near = |a: f32, b: f32| match network.graph().value(network.graph().inputs()[0]).data_type {
        Some(DataType::F32) if output.data_type == Some(DataType::F32) => (a - b).abs() <= 1e-4 * b.abs().max(1.0),
        _ => a == b,
    };
    let wrong = found.iter().zip(expected).filter(|(a, b)| !near(**a, **b)).count();
    let first = found.iter().zip(expected).find(|(a, b)| !near(**a, **b));
    (wrong > 0).then(|| format!("{wrong} of {} differ, first {first:?}", expected.len()))
}

#[test]
fn tables_know_the_function_of_real_numbers() {
    let expected = [
        ("relu int8", Some(Unary::Relu)),
        ("relu6 uint8", Some(Unary::Clip { min: 0.0, max: 6.0 })),
        ("logistic int8", Some(Unary::Sigmoid)),
        ("logistic uint8", Some(Unary::Sigmoid)),
        ("tanh int8", Some(Unary::Tanh)),
        ("hard_swish int8", Some(Unary::HardSwish)),
        ("quantize to uint8 int8", None),
    ];
    let cases = cases();
    check_all(expected, |(name, expected)| {
        let case = cases.iter().find(|case| case.name == *name).expect("a case of this name");
        let network = read(case.file.clone()).expect("valid");
        let tabulated = network.graph().nodes().iter().find_map(|node| match &node.op {
            Op::Integer(op) => match &op.function {
                IntegerFunction::Lookup { function, .. } => Some(*function),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(tabulated, Some(*expected), "{name}");
    });
}

#[test]
fn operators_give_what_the_reference_kernels_give() {
    all_give(TfliteKernels::Reference, |case| Some(&case.output));
}

#[test]
fn layers_give_what_the_default_kernels_give() {
    let names =
        |start: &str| cases().iter().filter(|case| case.default.is_some() && case.name.starts_with(start)).count();
    assert_eq!((names("transpose_conv"), names("conv_2d int4"), names("fully_connected int4")), (28, 2, 1));
    all_give(TfliteKernels::Optimized, |case| case.default.as_deref());
}

/// `reference/tflite-wide.json`; `python/tflite_wide.py` made it. Some kernels of LiteRT differ, and have outputs of their own.
#[test]
fn activations_of_16_bits_give_what_litert_gives() {
    let cases = Recorded::all("tflite-wide.json");
    assert_eq!((cases.len(), cases.iter().filter(|case| case.default.is_some()).count()), (70, 9));
    assert_all_give(&cases, TfliteKernels::Optimized, |case| Some(case.default.as_deref().unwrap_or(&case.output)));
    let (refused, run): (Vec<Recorded>, Vec<Recorded>) =
        cases.into_iter().partition(|case| case.name == "softmax from int8");
    assert_all_give(&run, TfliteKernels::Reference, |case| Some(&case.output));
    let network = read(refused[0].file.clone()).expect("it is read");
    assert!(texts(network.notes())[0].contains("from 8 to 16 bits it is handled as the optimized kernels"));
}

/// Checks all cases of which an output of these kernels was recorded.
fn all_give(kernels: TfliteKernels, expected: impl Fn(&Recorded) -> Option<&[f32]>) {
    assert_all_give(&cases(), kernels, expected);
}

fn assert_all_give(cases: &[Recorded], kernels: TfliteKernels, expected: impl Fn(&Recorded) -> Option<&[f32]>) {
    let wrong = |case: &Recorded| Some(format!("{}: {}", case.name, difference(case, kernels, expected(case)?)?));
    let wrong: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// A file with a state that goes from step to step, by its name.
fn recurrent(name: &str) -> Network {
    let case = Recorded::all("tflite-recurrent.json").into_iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name:?}"));
    let network = read(case.file).expect("it is valid");
    let output = network.graph().value(network.graph().outputs()[0]);
    assert_eq!(output.shape, Some(case.shape), "{name}");
    network
}

#[test]
fn products_of_recurrent_operators_are_layers() {
    // Of 3 numbers, 4 units and 5 steps: 4·4·3 + 4·4·4 = 112 weights of an LSTM. Three gates where two are coupled; a
    // projection to 2 outputs: 4·4·3 + 4·4·2 + 2·4. SVDF: 8·3 + 8·6, each weight once.
    let cases = [
        ("lstm", 8, 112, 560),
        ("lstm of integers", 8, 112, 560),
        ("lstm on integers", 8, 112, 560),
        ("lstm of coupled gates", 6, 84, 420),
        ("lstm with a projection", 9, 88, 440),
        ("lstm of two sequences", 8, 112, 560),
        ("lstm of two sequences, steps first", 8, 112, 560),
        ("lstm and dense", 9, 120, 600),
        ("rnn", 2, 28, 140),
        ("svdf", 2, 72, 72),
    ];
    check_all(cases, |&(name, layers, weights, macs)| {
        let network = recurrent(name);
        let found: u128 = network.layers().iter().map(|layer| layer.geometry.macs()).sum();
        assert_eq!((network.layers().len(), network.parameter_count(), found), (layers, weights, macs), "{name}");
        assert!(network.not_costed().is_empty(), "{name}");
    });
}

/// Files with an operator whose state goes from step to step, as they are refused or run.
fn refused_and_run() -> (Vec<Recorded>, Vec<Recorded>) {
    Recorded::all("tflite-recurrent.json").into_iter().partition(|case| {
        read(case.file.clone()).expect("it is valid").notes().iter().any(|note| note.kind() == NoteKind::NotRun)
    })
}

#[test]
fn recurrent_operators_on_real_numbers_give_what_litert_gives() {
    let (_, mut run) = refused_and_run();
    run.retain(|case| !case.name.contains(" on integers"));
    assert_eq!(run.len(), 10);
    check_all(0..run.len(), |&row| {
        let name = &run[row].name;
        let network = read_whole(run[row].file.clone());
        let executor = FloatExecutor::from_file(&network).expect("finite");
        let found = Session::new(&network).expect("it runs").run(&run[row].input, &executor, None).expect("a run");
        let worst = found.iter().zip(&run[row].output).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-5, "{name}: {worst}");
        let written = to_bytes(&network, &WriteOptions::default());
        let refusal = match name.as_str() {
            "lstm with clipped cells" => "an LSTM whose cells are clipped to ±0.25",
            _ => "real weights of gates that are layers of their own",
        };
        if name.starts_with("lstm") {
            let error = written.expect_err("ONNX has no such operator");
            assert!(error.to_string().contains(refusal), "{error}");
        } else if name.starts_with("svdf") {
            assert!(written.is_ok(), "{name}");
        }
    });
}

/// On the digital engine, as any case of integers.
#[test]
fn recurrent_operators_on_integers_give_what_litert_gives() {
    let (_, mut run) = refused_and_run();
    run.retain(|case| case.name.contains(" on integers"));
    assert_eq!(run.len(), 9);
    for kernels in [TfliteKernels::Reference, TfliteKernels::Optimized] {
        assert_all_give(&run, kernels, |case| Some(&case.output));
    }
    let lstm = recurrent("lstm on integers");
    let error = to_bytes(&lstm, &WriteOptions::default()).expect_err("ONNX has no such operator");
    assert!(error.to_string().contains("an LSTM whose gates are integers"), "{error}");
}

/// An engine of real numbers makes sums that are no integers, and the gates round them.
#[test]
fn an_analog_engine_comes_near_the_integers_of_an_lstm() {
    let case = Recorded::all("tflite-recurrent.json").into_iter().find(|case| case.name == "lstm on integers");
    let case = case.expect("a case of this name");
    let network = read(case.file).expect("it is valid");
    let analog = Hardware::ideal().into_iter().find(|h| h.metric == Metric::EsnA).expect("it is one of three");
    let executor = EngineExecutor::new(&network, &analog, Quantization::new(None), &[]).expect("it fits");
    let found = Session::new(&network).expect("it runs").run(&case.input, &executor, None).expect("a run");
    let worst = found.iter().zip(&case.output).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1.0, "{worst}");
}

#[test]
fn recurrent_operators_that_are_not_run_say_why() {
    let reason = |case: &Recorded| {
        let note = read(case.file.clone()).expect("it is valid").notes()[0].text().to_string();
        note.split("its steps are not run, for ").nth(1).map(str::to_string)
    };
    let reasons: Vec<(String, Option<String>)> =
        refused_and_run().0.iter().map(|case| (case.name.clone(), reason(case))).collect();
    let expected = [
        ("lstm of integers", "LiteRT rounds its states to integers at each step"),
        ("lstm of coupled gates", "its input gate is what the forget gate leaves"),
        ("lstm with a projection", "its outputs are projected"),
        ("svdf of integers", "LiteRT rounds its input to integers"),
        ("lstm on integers with peepholes", "its gates see its cells, which is handled on real numbers"),
    ];
    let expected = expected.map(|(name, reason)| (name.to_string(), Some(reason.to_string())));
    assert_eq!(reasons, expected);
}

/// `reference/tflite-told.json`; `python/tflite_told.py` made it.
#[test]
fn what_is_not_understood_is_told() {
    let cases = Recorded::all("tflite-told.json");
    let read = |name: &str| read(cases.iter().find(|case| case.name == name).expect("it is recorded").file.clone());
    // Layers, nodes that are not costed, and what is said of them.
    let told = [
        ("own operator with weights", 2, 1, "not costed: this operator is not known and reads a constant matrix"),
        ("own operator without weights", 2, 0, "operator CUSTOM:AcmeScale (node \"t1\") is not run"),
        ("compiled part", 2, 1, "not costed: a part of the network that was compiled for an accelerator"),
        ("graph in an operator", 2, 1, "not costed: it holds graphs of its own, which are not read"),
        ("gather of a table", 2, 0, "operator GATHER"),
        ("graph behind an open shape", 1, 2, "not costed: it holds graphs of its own, which are not read"),
        // The file tells the shape behind that.
        ("layer behind no shape", 2, 0, "operator RELU (node \"t2\") is not run"),
        ("layer behind an open shape", 1, 1, "not costed: the shape of its input is not known"),
    ];
    check_all(told, |&(name, layers, not_costed, said)| {
        let network = read(name).expect("it is valid");
        let notes = texts(network.notes()).join("\n");
        assert!(notes.contains(said), "{notes}");
        assert_eq!((network.layers().len(), network.not_costed().len()), (layers, not_costed), "{notes}");
    });
    let refused = [
        ("torn batch", "do not divide into a batch of 3", Mend::NoBatchAxis),
        ("open image", "shape [?, ?, ?, 4] has open extents besides the batch", Mend::GiveInputShape),
    ];
    check_all(refused, |&(name, said, mend)| {
        let error = read(name).expect_err("it is refused");
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.mend(), Some(mend));
    });
    let network = read("bias of axis 3").expect("LiteRT for microcontrollers reads it, too");
    assert!(network.layers()[0].bias.is_some());
}

/// A recorded LSTM whose operator reads another tensor at one of its places.
fn lstm_with(place: usize, tensor: i32) -> Result<Network, network::NetworkError> {
    let case =
        Recorded::all("tflite-recurrent.json").into_iter().find(|case| case.name == "lstm").expect("it is recorded");
    let mut file = case.file;
    let inputs = [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -1, -1, 9, 10, 11, 12];
    let bytes: Vec<u8> = inputs.iter().flat_map(|index: &i32| index.to_le_bytes()).collect();
    let start = file.windows(bytes.len()).position(|window| window == bytes).expect("the operator has these inputs");
    file[start + 4 * place..][..4].copy_from_slice(&tensor.to_le_bytes());
    read(file)
}

#[test]
fn an_lstm_without_one_of_its_matrices_is_refused() {
    assert!(lstm_with(9, -1).is_ok(), "the file as it is");
    check_all([2, 3, 4, 6, 7, 8], |&place| {
        let message = network::chain(&lstm_with(place, -1).expect_err("a matrix is missing"));
        assert!(message.contains("input") && !message.contains('\n'), "{message}");
    });
}

/// Every image is the first step of an SVDF, which is said.
#[test]
fn images_of_an_svdf_do_not_depend_on_each_other() {
    let network = recurrent("svdf on integers");
    assert!(texts(network.notes())[0].starts_with("each image is the first step of its SVDF operators"));
    let time = &network.layers()[1];
    // Rank 2: each output is the sum of two filters over six steps.
    assert_eq!((time.geometry.rows(), time.out_channels()), (12, 4));
    assert_eq!(time.input_quantization.map(|q| q.bits()), Some(16));
    let eight = recurrent("svdf on integers of 8 bits");
    assert!(texts(eight.notes()).iter().any(|note| note.contains("as LiteRT for microcontrollers does")));
}

#[test]
fn layers_of_recurrent_operators_have_the_names_of_their_matrices() {
    let names = |name: &str| recurrent(name).layers().iter().map(|layer| layer.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("rnn"), ["t5.input", "t5.recurrent"]);
    assert_eq!(names("svdf"), ["t4.feature", "t4.time"]);
    let coupled = ["input_to_output", "input_to_forget", "input_to_cell"].map(|gate| format!("t15.{gate}"));
    assert_eq!(names("lstm of coupled gates")[..3], coupled);
    assert_eq!(names("lstm with a projection")[8], "t16.projection");
    let integers = recurrent("lstm on integers");
    assert!(integers.layers().iter().all(|layer| layer.input_quantization.is_some_and(|q| q.bits() == 8)));
    let refused = recurrent("lstm on integers with peepholes");
    assert!(refused.layers()[..4].iter().all(|layer| layer.input_quantization.is_some()));
    assert!(refused.layers()[4..].iter().all(|layer| layer.input_quantization.is_none()));
    let steps_first = recurrent("lstm of two sequences, steps first");
    assert_eq!((steps_first.batch(), steps_first.batch_axis()), (2, 1));
}

#[test]
fn one_tensor_or_one_buffer_of_two_layers_counts_once() {
    let cases = cases();
    let of_two_layers: Vec<&Recorded> = cases.iter().filter(|case| case.name.starts_with("two layers with")).collect();
    assert_eq!(of_two_layers.len(), 4);
    check_all(of_two_layers, |case| {
        // The layer that every case begins with, and the two.
        let network = read(case.file.clone()).expect("it is read");
        let shares: Vec<Option<LayerId>> = (0..3).map(|id| network.shares_weights_with(LayerId(id))).collect();
        assert_eq!((shares, network.parameter_count()), (vec![None, None, Some(LayerId(1))], 16 + 16));
    });
}

/// What the ONNX file written of a case gives, and what LiteRT gave.
fn as_onnx(case: &Recorded) -> Result<(Vec<f32>, Vec<f32>), String> {
    let network = read(case.file.clone()).map_err(|error| error.to_string())?;
    let written = to_bytes(&network, &WriteOptions::default()).map_err(|error| error.to_string())?;
    let again = formats::from_bytes("case.onnx", written.bytes.into(), &ReadOptions::default());
    let again = again.map_err(|error| error.to_string())?;
    let session = Session::new(&again).map_err(|error| error.to_string())?;
    let executor = FloatExecutor::from_file(&again).map_err(|error| error.to_string())?;
    let found = session.run(&case.input, &executor, None).map_err(|error| error.to_string())?;
    Ok((found, case.output.clone()))
}

/// Integers go through real numbers there, so that each operator may round the other way. A step of what enters a softmax, or
/// a table with finer steps behind it, is several of what leaves.
#[test]
fn networks_are_written_as_standard_onnx_within_few_steps() {
    let (cases, exact) = (cases(), Cell::new(0));
    check_all(0..cases.len(), |&row| {
        let case = &cases[row];
        let name = &case.name;
        let (found, expected) = as_onnx(case).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let steps = match (name.contains("float32"), name.contains("softmax")) {
            (true, _) => 1e-3,
            (false, true) => 6.0,
            (false, false) => 3.0,
        };
        assert!(largest <= steps, "{name}: {largest}");
        exact.set(exact.get() + usize::from(found == expected));
    });
    assert!(exact.get() > 40, "only {} are equal to the last bit", exact.get());
}

#[test]
fn cut_and_garbled_files_are_errors_in_one_line() {
    let cases = cases();
    check_all((0..cases.len()).step_by(9), |&row| {
        let file = cases[row].file.clone();
        let survive = |bytes: Vec<u8>| {
            if let Err(error) = read(bytes).map(|network| Session::new(&network).map(|_| ())) {
                assert!(!error.to_string().contains('\n'), "{}: {error}", cases[row].name);
            }
        };
        (0..50).for_each(|i| survive(file[..file.len() * i / 50].to_vec()));
        for at in 0..file.len() {
            let mut garbled = file.clone();
            garbled[at] ^= [0xff, 0x80, 0x01, 0x7f][at % 4];
            survive(garbled);
        }
    });
}

/// Runs a network beside the project on images beside it, on the digital engine and in float.
fn run(
    (model, kernels): (&str, TfliteKernels),
    images: &str,
    limit: usize,
    preprocessing: Option<Preprocessing>,
) -> Option<Evaluation> {
    let (model, images) = (shared(model)?, shared(images)?);
    let network = formats::read(&model, &with_kernels(kernels)).unwrap_or_else(|error| panic!("{error}"));
    let options = ImageOptions { limit: Some(limit), ..ImageOptions::default() };
    let images = Images::open(&images, &options).unwrap_or_else(|error| panic!("{error}"));
    let preprocessing = preprocessing.unwrap_or_else(|| Preprocessing::default_for(&network, None));
    let samples = ImageSamples::new(&network, images, preprocessing).expect("they belong together");
    let hardware: Vec<Hardware> = Hardware::ideal().into_iter().filter(|h| h.metric == Metric::EsnD).collect();
    let plan = EvaluationPlan {
        network: &network,
        hardware: &hardware,
        quantization: Quantization::new(None),
        samples: &samples,
        answer: None,
        activation_bits: 8,
        calibration_images: 64,
        reference: true,
        progress: &|_| (),
    };
    Some(evaluate(&plan).unwrap_or_else(|error| panic!("{error}")))
}

fn same(found: &[usize], expected: &[usize]) -> usize {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).filter(|(a, b)| a == b).count()
}

/// Both kernels of LiteRT: name of the file of classes, and how many it has right of 2,000 images and 200 photographs.
const KERNELS: [(TfliteKernels, &str, u64, u64); 2] =
    [(TfliteKernels::Optimized, "optimized", 1531, 98), (TfliteKernels::Reference, "reference", 1530, 99)];

#[test]
fn the_integer_resnet8_classifies_as_in_litert() {
    check_all(KERNELS, |&(kernels, name, expected_right, _)| {
        let model = ("models/resnet8-cifar10-int8.tflite", kernels);
        let Some(evaluation) = run(model, "data/cifar10/test_batch.bin", 2000, None) else { return };
        let text = repository(&format!("tests/reference/resnet8-int8-{name}.txt"));
        let text = std::fs::read_to_string(text).expect("it is there");
        let expected: Vec<usize> = text.trim().bytes().map(|digit| usize::from(digit - b'0')).collect();
        let digital = &evaluation.engines[0];
        let (same, right) = (same(&digital.predictions, &expected), digital.score.top1);
        assert!(same >= 1998, "{name}: {same} of 2000 images have the same class");
        assert!(right.abs_diff(expected_right) <= 2, "{name}: {right} right of 2000; LiteRT has {expected_right}");
    });
}

#[test]
fn the_float_resnet8_is_right_as_often_as_in_litert() {
    let raw = Preprocessing::named("none");
    let evaluation = run(
        ("models/resnet8-cifar10-float.tflite", TfliteKernels::default()),
        "data/cifar10/test_batch.bin",
        2000,
        raw,
    );
    let Some(float) = evaluation.and_then(|evaluation| evaluation.float) else { return };
    assert!(float.top1.abs_diff(1547) <= 2, "{} right of 2000; LiteRT has 1547", float.top1);
}

/// The photographs are decoded and resized by two programs, so that pixels differ by a step. That is seen in the classes:
/// the two sets of kernels of LiteRT itself agree on 188 of these photographs.
#[test]
fn the_integer_mobilenet_classifies_as_in_litert() {
    let cropped = Preprocessing { scale: 1.0, crop_fraction: 0.875, ..Preprocessing::default() };
    check_all(KERNELS, |&(kernels, name, _, expected_right)| {
        let model = ("models/mobilenet_v1_0.25_128_quant.tflite", kernels);
        let manifest = "data/imagenet-sample/manifest.csv";
        let Some(evaluation) = run(model, manifest, 200, Some(cropped.clone())) else { return };
        let text = repository(&format!("tests/reference/mobilenet-{name}.txt"));
        let text = std::fs::read_to_string(text).expect("it is there");
        let expected: Vec<usize> = text.split_whitespace().map(|n| n.parse().expect("a class")).collect();
        let digital = &evaluation.engines[0];
        let (same, right) = (same(&digital.predictions, &expected), digital.score.top1);
        assert!(same >= 184, "{name}: {same} of 200 photographs have the same class");
        assert!(right.abs_diff(expected_right) <= 3, "{name}: {right} right of 200; LiteRT has {expected_right}");
    });
}

/// Sums over the codes, read through LiteRT's interpreter.
#[test]
fn weights_are_those_that_litert_holds() {
    let cases: [(&str, [u64; 3]); 2] = [
        ("models/resnet8-cifar10-int8.tflite", [77_360, 76_549, 124_606_619]),
        ("models/mobilenet_v1_0.25_128_quant.tflite", [463_856, 449_956, 174_008_054]),
    ];
    check_all(cases, |&(model, expected)| {
        let Some(path) = shared(model) else { return };
        let network = formats::read(&path, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        let mut sums = [0; 3];
        for id in 0..network.layers().len() {
            let codes = prepare(&network, LayerId(id), Quantization::new(None)).expect("they are codes").codes;
            for &code in codes.codes() {
                let w = u64::from(code.unsigned_abs() / 2);
                sums = [sums[0] + 1, sums[1] + u64::from(w > 0), sums[2] + w * w];
            }
        }
        assert_eq!(sums, expected, "{model}");
    });
}
