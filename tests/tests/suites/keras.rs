//! Are weights that Keras saved read with the names, shapes and elements that Keras gives them?
//!
//! `reference/keras-weights.json` has small files and their weights; `python/keras_weights.py` made it.

use bytes::Bytes;
use esnsim_tests::{esnsim, keras_files, repository};
use formats::ReadOptions;
use formats::weight_file::WeightFile;
use network::Network;
use serde_json::Value;
use testkit::{check_all, real_weights};

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(repository("tests/reference/keras-weights.json")).expect("it is there");
    serde_json::from_str(&text).expect("valid JSON")
}

fn read(file: &[u8]) -> Network {
    formats::from_bytes("model", Bytes::copy_from_slice(file), &ReadOptions::default()).expect("it is read")
}

/// Layers by name, in the order of the file: shape and weights.
fn layers(network: &Network) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let shape = |index: usize| network.layers()[index].weights.file_shape();
    let of = |index: usize| (network.layers()[index].name.clone(), shape(index), real_weights(network, index));
    (0..network.layers().len()).map(of).collect()
}

#[test]
fn weights_have_their_names_shapes_and_elements() {
    check_all(cases().into_iter().zip(keras_files()), |(case, file)| {
        let mut expected: Vec<(String, Vec<usize>, Vec<f32>)> = case["layers"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|layer| {
                let numbers = |key: &str| layer[key].as_array().expect("a list").iter();
                let shape = numbers("shape").map(|n| n.as_u64().expect("an extent") as usize).collect();
                let weights = numbers("weights").map(|n| n.as_f64().expect("a number") as f32).collect();
                (layer["layer"].as_str().expect("a name").to_string(), shape, weights)
            })
            .collect();
        let mut found = layers(&read(file));
        if case["name"] != "archive" && case["name"] != "whole model in HDF5" {
            // Without a configuration layers are in the order of their groups, and so are the parts of one layer.
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            found.sort_by(|a, b| a.0.cmp(&b.0));
        }
        assert_eq!(found, expected, "{}", case["name"]);
    });
}

#[test]
fn statistics_stay_beside_the_layers() {
    let file = WeightFile::from_bytes("m.keras", Bytes::from(keras_files().swap_remove(0))).expect("it is read");
    let names: Vec<&str> = file.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names[2..6], ["norm.gamma", "norm.beta", "norm.moving_mean", "norm.moving_variance"]);
    assert!(names.contains(&"stem.bias"), "{names:?}");
}

#[test]
fn the_command_takes_every_form() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_all(keras_files().into_iter().enumerate(), |(index, file)| {
        let path = folder.path().join(format!("{index}.h5"));
        std::fs::write(&path, file).expect("writable");
        esnsim().arg("esn").arg(&path).args(["--bits", "4"]).assert().success();
        let written = folder.path().join(format!("{index}.safetensors"));
        esnsim().arg("convert").args([&path, &written]).assert().success();
        let network = formats::read(&written, &ReadOptions::default()).expect("what is written is read");
        // A file of safetensors has an order of its own.
        let sorted = |network: &Network| {
            let mut layers = layers(network);
            layers.sort_by(|a, b| a.0.cmp(&b.0));
            layers
        };
        assert_eq!(sorted(&network), sorted(&read(file)));
    });
}

#[test]
fn broken_files_are_refused_in_one_line() {
    for file in keras_files() {
        for part in 1..40 {
            let cut = Bytes::copy_from_slice(&file[..file.len() * part / 40]);
            let error = formats::from_bytes("cut", cut, &ReadOptions::default()).expect_err("it is cut");
            let text = network::chain(&error);
            assert!(text.starts_with("cut: ") && !text.contains('\n'), "{text:?}");
        }
    }
}
