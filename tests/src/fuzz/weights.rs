//! The readers of weight files, with a check of what comes out.

use std::fs;

use bytes::Bytes;
use formats::ReadOptions;
use formats::weight_file::WeightFile;
use formats::weight_writer::{WeightFormat, WeightList};
use network::architectures::{Family, Shortcut};
use network::{Network, NetworkError};

use super::readers::{check_message, costs, follow, is_small};
use super::seeds;

/// The architectures that a file is put into.
const FAMILIES: [Family; 5] = [
    Family::CifarResNet { depth: 8, shortcut: Shortcut::A },
    Family::Vgg7,
    Family::DenseNetBc { depth: 40, growth: 12 },
    Family::ResNet18,
    Family::ResNet50,
];

/// A file of any format in memory.
pub(super) fn in_memory(bytes: &[u8]) {
    check(WeightFile::from_bytes("input", Bytes::copy_from_slice(bytes)));
}

/// An index of safetensors in a folder with two of them.
pub(super) fn index(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in seeds::weights::shards() {
        fs::write(folder.path().join(name), content).expect("writable");
    }
    let path = folder.path().join("model.safetensors.index.json");
    fs::write(&path, bytes).expect("writable");
    check(WeightFile::read(&path));
}

/// A topology of the layers of a weight file.
pub(super) fn topology(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [(name, weights), _] = seeds::weights::shards();
    let (weights_path, path) = (folder.path().join(name), folder.path().join("topology.csv"));
    fs::write(&weights_path, weights).expect("writable");
    fs::write(&path, bytes).expect("writable");
    match formats::read(&weights_path, &ReadOptions { topology: Some(path), ..ReadOptions::default() }) {
        Ok(network) => follow(&network),
        Err(error) => check_message(&error),
    }
}

fn check(file: Result<WeightFile, NetworkError>) {
    let file = match file {
        Ok(file) => file,
        Err(error) => return check_message(&error),
    };
    match file.to_network(&ReadOptions::default()) {
        Ok(network) if is_small(&network) => {
            follow(&network);
            write_and_read(&network);
        }
        Ok(_) => {}
        Err(error) => check_message(&error),
    }
    for family in FAMILIES {
        match file.in_architecture(family, &ReadOptions::default()) {
            Ok(network) => follow(&network),
            Err(error) => check_message(&error),
        }
    }
}

/// What both writers write is read again with the same costs.
fn write_and_read(network: &Network) {
    let Ok(before) = costs(network) else { return };
    for format in [WeightFormat::Safetensors, WeightFormat::Npz] {
        let list = match WeightList::new(network, format, &[]) {
            Ok(list) => list,
            Err(error) => {
                check_message(&error);
                continue;
            }
        };
        let mut bytes = Vec::new();
        list.write(format, &mut bytes).expect("memory is writable");
        let again = WeightFile::from_bytes("again", bytes.into());
        let again = again.and_then(|file| file.to_network(&ReadOptions::default()));
        let again = again.unwrap_or_else(|error| panic!("what was written is not read: {error}"));
        let after = costs(&again).unwrap_or_else(|error| panic!("what was written has no cost: {error}"));
        assert_eq!(before.esn, after.esn, "the {format:?} file that was written costs something else");
    }
}
