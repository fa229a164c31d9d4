//! Are LSTM, GRU and RNN what onnxruntime and PyTorch make of them, on every executor?
//!
//! `reference/recurrent.json` has random operators and networks; `python/recurrent.py` made it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use esnsim_tests::executors::{digital, ideal, read, read_whole, rewritten};
use esnsim_tests::{Recorded, analog_toml, hardware, run_in};
use formats::onnx::write::{WriteOptions, to_bytes};
use inference::{FloatExecutor, MacExecutor, Session, node_output};
use network::{ActivationQuantization, LayerId, LayerWeights, Network};
use runner::{EngineExecutor, Quantization};
use testkit::{Model, check_all, int_list, model, reals, string};

use crate::scoring::npy;

#[test]
fn recorded_networks_give_what_others_make_of_them() {
    let cases = Recorded::all("recurrent.json");
    let count = |kind: &str| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    let kinds = ["lstm: ", "gru: ", "rnn: ", "torch: "];
    assert_eq!(kinds.map(count), [20, 20, 20, 10]);
    check_all(0..cases.len(), |&row| {
        let network = cases[row].assert_whole();
        if cases[row].name.starts_with("torch: ") {
            ideal(&network);
        }
    });
}

const STEPS: usize = 6;
const UNITS: usize = 4;

/// An operator of two directions, whose outputs at all steps are those of the network.
fn of(op: &str, gates: usize) -> Model {
    let rows = gates * UNITS;
    model()
        .input("x", &[STEPS as i64, 1, 3])
        .floats("w", &[2, rows as i64, 3], &reals(2, 2 * rows * 3))
        .floats("r", &[2, rows as i64, UNITS as i64], &reals(3, 2 * rows * UNITS))
        .floats("b", &[2, 2 * rows as i64], &reals(4, 4 * rows))
        .node_with(op, &["x", "w", "r", "b"], &["y"], vec![string("direction", "bidirectional")])
}

/// What an engine makes, and the inputs that each layer is shown with, by its name.
fn observed(network: &Network, executor: &dyn MacExecutor) -> (Vec<f32>, BTreeMap<String, Vec<f32>>) {
    let seen = RefCell::new(BTreeMap::new());
    let mut observe = |id: LayerId, input: &[f32], _: &[f32]| {
        let before = seen.borrow_mut().insert(network.layers()[id.0].name.clone(), input.to_vec());
        assert!(before.is_none(), "a layer is shown twice");
    };
    let session = Session::new(network).expect("it runs");
    let output = session.run(&reals(5, STEPS * 3), executor, Some(&mut observe)).expect("a run");
    (output, seen.into_inner())
}

/// An analog array whose converters and cells are no ideal ones.
fn departed(network: &Network) -> EngineExecutor {
    let departures = "[dac]\nbits = 8\nbits_per_step = 4\nfull_scale = 1.0\nconversion_j = 1e-13\nconversion_cycles = 1\n\
        [adc]\nbits = 8\nfull_scale = \"max-sum\"\nconversion_cycles = 1\ncolumns_per_converter = 4\n\
        [noise]\nprogramming_sigma = 0.02\n";
    let analog = hardware(&(analog_toml("departed", "3", "8", 2) + departures));
    EngineExecutor::new(network, &analog, Quantization::new(None), &[]).expect("it fits")
}

#[test]
fn engines_go_from_step_to_step_with_their_own_arithmetic() {
    let codes = ActivationQuantization { scale: 1.0 / 127.0, zero_point: 128, min: 0, max: 255 };
    check_all([("LSTM", 4), ("GRU", 3), ("RNN", 1)], |&(op, gates)| {
        let network = read_whole(of(op, gates).bytes());
        let float = observed(&network, &FloatExecutor::from_file(&network).expect("finite")).0;
        let layers = network.layers().len();
        for engine in [digital(&network, &vec![codes; layers]), departed(&network)] {
            let (output, seen) = observed(&network, &engine);
            assert_eq!(seen.len(), layers);
            // States are [units, steps], outputs [steps, directions, units]: each is the state of the next step.
            for (direction, name, next) in [(0, "forward", 1), (1, "reverse", -1)] {
                let states = &seen[&format!("{op}_y.recurrent.{name}")];
                for step in 0..STEPS {
                    let at = step.checked_add_signed(next).filter(|&at| at < STEPS);
                    for unit in (0..UNITS).filter(|_| at.is_some()) {
                        let made = output[(step * 2 + direction) * UNITS + unit];
                        assert_eq!(made, states[unit * STEPS + at.expect("filtered")], "{op} {name} {step} {unit}");
                    }
                }
            }
            let worst = output.iter().zip(&float).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst > 0.0 && worst < 0.2, "{op}: {worst}");
        }
    });
}

/// Three numbers of each of five steps, sequence by sequence, in an LSTM; zeros before the first step.
fn sequences(count: i64) -> Network {
    let weights = model()
        .input("x", &[count, 5, 3])
        .node_with("Transpose", &["x"], &["steps"], vec![int_list("perm", &[1, 0, 2])])
        .floats("w", &[1, 16, 3], &reals(2, 48))
        .floats("r", &[1, 16, 4], &reals(3, 64))
        .floats("h", &[1, count.max(1), 4], &vec![0.0; 4 * count.max(1) as usize])
        .node("LSTM", &["steps", "w", "r", "", "", "h", "h"], &["", "last"])
        .ints("s", &[-1, 4])
        .node("Reshape", &["last", "s"], &["flat"])
        .floats("v", &[4, 10], &reals(4, 40))
        .node("Gemm", &["flat", "v"], &["y"]);
    read(weights.bytes())
}

#[test]
fn images_of_a_batch_are_apart() {
    let (one, three, x) = (sequences(1), sequences(3), reals(6, 45));
    let run = |network: &Network, x: &[f32]| {
        let (mut seen, layers) = (Vec::new(), network.layers());
        let mut observe = |id: LayerId, input: &[f32], output: &[f32]| {
            seen.push([input.to_vec(), node_output(&layers[id.0], network.batch(), output)]);
        };
        let executor = FloatExecutor::from_file(network).expect("finite");
        let session = Session::new(network).expect("it runs");
        (session.run(x, &executor, Some(&mut observe)).expect("a run"), seen)
    };
    let (together, of_all) = run(&three, &x);
    let apart: Vec<_> = x.chunks(15).map(|x| run(&one, x)).collect();
    assert_eq!(together, apart.iter().flat_map(|(output, _)| output.clone()).collect::<Vec<f32>>());
    for (layer, of_all) in of_all.iter().enumerate() {
        let joined = |end: usize| apart.iter().flat_map(|(_, seen)| seen[layer][end].clone()).collect::<Vec<f32>>();
        assert_eq!(*of_all, [joined(0), joined(1)], "layer {layer}");
    }
    let steps_first = model()
        .input("x", &[5, 2, 3])
        .floats("w", &[1, 4, 3], &reals(2, 12))
        .floats("r", &[1, 4, 4], &reals(3, 16))
        .node("RNN", &["x", "w", "r"], &["", "y"]);
    let error = Session::new(&read(steps_first.bytes())).expect_err("it has two images").to_string();
    assert!(error.contains("the 2 images of a run lie on axis 1; expected axis 0"), "{error}");
}

#[test]
fn an_open_batch_stays_open() {
    let steps_first = model()
        .input("x", &[5, 0, 3])
        .floats("w", &[2, 4, 3], &reals(2, 24))
        .floats("r", &[2, 4, 4], &reals(3, 32))
        .node_with("RNN", &["x", "w", "r"], &["y"], vec![string("direction", "bidirectional")]);
    check_all([sequences(0), read(steps_first.bytes())], |network| {
        let written = to_bytes(network, &WriteOptions::default()).expect("it is written");
        assert!(network.has_open_batch() && written.notes.is_empty(), "{:?}", written.notes);
        let again = read(written.bytes);
        assert!(again.has_open_batch() && again.batch_axis() == network.batch_axis());
    });
}

#[test]
fn quantized_weights_are_written_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = Recorded::all("recurrent.json");
    let chosen = cases.iter().filter(|case| case.name.starts_with("torch: ") && case.name.ends_with("False"));
    for (place, case) in chosen.enumerate() {
        std::fs::write(folder.path().join("net.onnx"), &case.file).expect("writable");
        let output = run_in(folder.path(), &format!("compress net.onnx --bits 3 -o small{place}.onnx"));
        assert!(output.status.success(), "{output:?}");
        let small = read(std::fs::read(folder.path().join(format!("small{place}.onnx"))).expect("it is written"));
        let again = rewritten(&small);
        for id in (0..small.layers().len()).map(LayerId) {
            let weights = small.weights(id).expect("they are there");
            assert!(matches!(weights, LayerWeights::Quantized { .. }), "{}", case.name);
            assert_eq!(weights, again.weights(id).expect("they are there"), "{}", case.name);
        }
    }
}

/// First states that a layer makes of the input are no products of the operator.
#[test]
fn a_layer_that_makes_the_first_states_is_written() {
    let weights = model()
        .input("x", &[STEPS as i64, 1, 3])
        .node_with("ReduceSum", &["x", "first"], &["sum"], vec![])
        .ints("first", &[0])
        .floats("m", &[3, UNITS as i64], &reals(5, 3 * UNITS))
        .node("MatMul", &["sum", "m"], &["h"])
        .floats("w", &[1, 4 * UNITS as i64, 3], &reals(2, 4 * UNITS * 3))
        .floats("r", &[1, 4 * UNITS as i64, UNITS as i64], &reals(3, 4 * UNITS * UNITS))
        .node("LSTM", &["x", "w", "r", "", "", "h", "h"], &["y"]);
    let network = read(weights.bytes());
    let again = rewritten(&network);
    assert_eq!((network.layers().len(), again.layers().len()), (3, 3));
    let run = |network: &Network| {
        let executor = FloatExecutor::from_file(network).expect("weights are there");
        Session::new(network).expect("it runs").run(&reals(9, STEPS * 3), &executor, None).expect("a run")
    };
    assert_eq!(run(&network), run(&again));
}

#[test]
fn the_commands_run_it_on_sequences() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = Recorded::all("recurrent.json");
    let case = cases.iter().find(|case| case.name == "torch: network 2, dynamo False").expect("it is recorded");
    std::fs::write(folder.path().join("gru.onnx"), &case.file).expect("writable");
    let images = [case.input.as_slice(), &reals(7, case.input.len())].concat();
    let bytes: Vec<u8> = images.into_iter().flat_map(f32::to_le_bytes).collect();
    std::fs::write(folder.path().join("x.npy"), npy("<f4", "(2, 7, 6)", &bytes)).expect("writable");
    let output = |arguments: &str| {
        let output = run_in(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let shown = output(
        "simulate gru.onnx --bits 8 --images x.npy --hardware ideal-digital --hardware ideal-analog --logits l.csv",
    );
    assert!(shown.contains("PASS: ideal-digital") && shown.contains("2 images, 10 classes"), "{shown}");
    output("compress gru.onnx --bits 6 -o small.onnx");
    assert!(output("inspect small.onnx").contains("1 GRU"));
    output("trace small.onnx --layer 1 --image 1 --images x.npy --hardware ideal-digital --cycles 0..9");
}
