//! Readers and writers: files on one side, [`Network`], weights and [`images`] on the other.
//!
//! The main function is [`read`]. It looks at the content of a file, not at its name, and hands it to one reader: ONNX
//! ([`onnx`]), TFLite, or a weight file without a graph ([`weight_file`]: PyTorch, safetensors, NumPy). A reader turns a
//! file into a [`Network`] once, at the edge: it checks every name and shape, folds constant subgraphs, and makes a MAC
//! layer of every Conv, Gemm and MatMul with constant weights. Weights stay in the mapped file.
//!
//! Readers do not know each other. What several of them need while a graph is built (faults, findings, names, the grid
//! that a file states) is in the private module `reading`.

pub mod images;
pub mod npy;
pub mod onnx;
mod options;
mod reading;
mod tflite;
pub mod topology;
pub mod weight_file;
pub mod weight_writer;

use std::path::Path;

use bytes::Bytes;
use network::{Mapping, Network, NetworkError};

pub use options::{ReadOptions, TfliteKernels};
pub use reading::grid::GRID_KEY;
use topology::Topology;
use weight_file::WeightFile;

/// Reads and checks a network file. Its content decides which reader takes it.
///
/// # Errors
///
/// [`NetworkError`] names the file, the place, what was expected and what was found.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Network, NetworkError> {
    let mapping = Mapping::open(path).map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })?;
    let bytes = mapping.bytes();
    if weight_file::is_weight_file(&bytes) {
        return from_weights(&WeightFile::parse(path, bytes, vec![mapping])?, options);
    }
    if let Some(problem) = needless(options) {
        let problem = problem.to_string();
        return Err(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem });
    }
    let network = match tflite::is_tflite(&bytes) {
        true => tflite::read(path, bytes, options)?,
        false => onnx::read_mapped(path, bytes, options)?,
    };
    Ok(network.with_mappings(vec![mapping]))
}

/// Reads a network from memory; `name` stands for the file in messages.
///
/// # Errors
///
/// As [`read`]. External data is refused: there is no folder to look in.
pub fn from_bytes(name: &str, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    if weight_file::is_weight_file(&bytes) {
        return from_weights(&WeightFile::from_bytes(name, bytes)?, options);
    }
    match tflite::is_tflite(&bytes) {
        true => tflite::read(Path::new(name), bytes, options),
        false => onnx::read_bytes(Path::new(name), bytes, options),
    }
}

fn from_weights(file: &WeightFile, options: &ReadOptions) -> Result<Network, NetworkError> {
    match (options.architecture, &options.topology) {
        (Some(_), Some(topology)) => {
            let problem = "an architecture has its own geometry; a topology is for weights without one".to_string();
            Err(NetworkError::Unsupported { path: topology.clone(), place: "file".to_string(), problem })
        }
        (Some(family), None) => file.in_architecture(family, options),
        (None, Some(topology)) => Topology::read(topology)?.give(file.to_network(options)?),
        (None, None) => file.to_network(options),
    }
}

/// What is said of options that only weights without a graph can use.
fn needless(options: &ReadOptions) -> Option<&'static str> {
    match (&options.architecture, &options.topology) {
        (Some(_), _) => Some("it is no weight file; an architecture is for weights without a graph"),
        (None, Some(_)) => Some("it is no weight file; a topology is for weights without a graph"),
        (None, None) => None,
    }
}
