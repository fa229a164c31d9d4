//! Reads the files that networks come in, and writes those that other programs read.
//!
//! Everything behind this crate works on one model of a CNN, [`Network`]. Files hold that model in many shapes: ONNX
//! and TFLite store a graph, PyTorch and safetensors store tensors with names, a topology is a table of layers. This
//! crate is the one place that knows them.
//!
//! The main function is [`read`]. It looks at the content of a file, not at its name, and hands the file to one reader.
//! To write, [`prepare`] makes a file of a network in a [`WriteFormat`] and says what the file will not hold:
//!
//! ```
//! use formats::{ReadOptions, WriteFormat};
//! use network::architectures::{Architecture, Family, Shortcut, build};
//! use network::{LayerId, Network};
//!
//! let resnet = build(&Architecture::new(Family::CifarResNet { depth: 8, shortcut: Shortcut::A }))?;
//! let file = formats::prepare(&resnet, WriteFormat::Onnx, &[])?;
//! assert!(file.notes().is_empty(), "ONNX holds all of this network");
//! let mut bytes = Vec::new();
//! file.write(&mut bytes)?;
//!
//! let again = formats::from_bytes("resnet8.onnx", bytes.into(), &ReadOptions::default())?;
//! let shapes = |network: &Network| -> Vec<_> { network.layers().iter().map(|layer| layer.geometry).collect() };
//! assert_eq!(shapes(&again), shapes(&resnet));
//! for layer in (0..resnet.layers().len()).map(LayerId) {
//!     assert_eq!(again.weights(layer)?, resnet.weights(layer)?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: a file is checked once, at the edge. A reader checks every name and every shape,
//! computes what follows from constants alone, and makes a MAC layer of every convolution and every product with
//! constant weights. What comes out is a [`Network`] that cannot be wrong, or an error that names the file, the place,
//! what was expected and what was found. An operator that no reader understands is kept in the graph, and a note says
//! so. The bytes of weights stay in the mapped file: a reader notes where they lie and which steps lead from there to
//! the weights.
//!
//! What is left out: nothing here runs, costs or changes a network. Only one format has its weights rounded while it is
//! read, QONNX, for it states a rounding instead of integers.
//!
//! The files, each resting on those above it. No reader imports another reader:
//!
//! ```text
//! options.rs      what a reader needs to be told
//! document.rs     what is wrong with a document that people write, in words for them
//! kind.rs         what a file is that is not what was asked for
//! names.rs        the names of layers in weight files and topologies
//! npy.rs          the header of numpy arrays
//! pickle.rs       pickles as a table of objects
//! reading/        what readers share: faults, findings, the grid that a file states, shapes, windows, the end
//! images/         images, and what is done to them before a network sees them
//! onnx/           the reader of ONNX, and its writer in onnx/write/
//! tflite/         the reader of TFLite
//! weight_file/    the reader of weights without a graph: PyTorch, safetensors, Keras, numpy
//! weight_writer/  the writers of such files: safetensors, numpy
//! topology/       tables of layers, read and written
//! write.rs        which format is written by what
//! lib.rs          which file is read by what
//! ```

#![forbid(unsafe_code)]
// A case that is added must be decided wherever something is computed by cases.
#![warn(clippy::wildcard_enum_match_arm)]

mod document;
pub mod images;
mod kind;
mod names;
pub mod npy;
pub mod onnx;
mod options;
mod pickle;
mod reading;
mod tflite;
pub mod topology;
pub mod weight_file;
pub mod weight_writer;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use network::{Mapping, Network, NetworkError};

pub use document::{did_you_mean, did_you_mean_name, nearest, toml_problem};
pub use kind::FileKind;
pub use options::{BatchAxis, ReadOptions, TfliteKernels};
pub use reading::grid::GRID_KEY;
use topology::Topology;
use weight_file::WeightFile;
pub use write::{PreparedFile, WriteFormat, prepare};

/// A network that comes through a pipe is held in memory, up to this many bytes.
const MAX_PIPED: u64 = 4 << 30;

/// Reads and checks a network file. Its content decides which reader takes it. A file that is not at rest, a pipe or
/// `/dev/stdin`, is read to its end first.
///
/// # Errors
///
/// [`NetworkError`] names the file, the place, what was expected and what was found.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Network, NetworkError> {
    let io = |source| NetworkError::Io { path: path.to_path_buf(), source };
    let kind = std::fs::metadata(path).map_err(io)?;
    if !kind.is_file() && !kind.is_dir() {
        return read_piped(path, File::open(path).map_err(io)?, options);
    }
    let mapping = Mapping::open(path).map_err(io)?;
    let bytes = mapping.bytes();
    if weight_file::is_weight_file(&bytes) && !onnx::is_archive(&bytes) {
        return from_weights(&WeightFile::parse(path, bytes, vec![mapping], options.state.as_deref())?, options);
    }
    refuse_needless(path, options)?;
    let network = match tflite::is_tflite(&bytes) {
        true => {
            refuse_table(path, options)?;
            tflite::read(path, bytes, options)?
        }
        false => {
            refuse_kernels(path, options)?;
            onnx::read_mapped(path, &mapping, options)?
        }
    };
    // What was looked at lies all over the file.
    mapping.release(&mapping.bytes());
    Ok(network.with_mappings(vec![mapping]))
}

/// Reads a topology file as a network of its own: the sizes of layers, which nothing connects, and no weights.
///
/// # Errors
///
/// [`NetworkError`] names the line: a column that is missing, a size that is no whole number of at least 1, a filter
/// larger than its input.
pub fn read_topology(path: &Path) -> Result<Network, NetworkError> {
    Topology::read(path)?.into_network()
}

/// Reads a network out of a pipe, to its end; `path` stands for it in messages.
///
/// # Errors
///
/// As [`from_bytes`]; [`NetworkError::Unsupported`] for over 4 GiB.
pub fn read_piped(path: &Path, pipe: impl Read, options: &ReadOptions) -> Result<Network, NetworkError> {
    let mut bytes = Vec::new();
    let read = pipe.take(MAX_PIPED + 1).read_to_end(&mut bytes);
    read.map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })?;
    if bytes.len() as u64 > MAX_PIPED {
        let problem = format!("over {MAX_PIPED} bytes through a pipe; write them to a file, which is read in place");
        let (path, place) = (path.to_path_buf(), "file".to_string());
        return Err(NetworkError::Unsupported { path, place, problem, mend: None });
    }
    from_bytes(&path.display().to_string(), bytes.into(), options)
}

/// Reads a network from memory; `name` stands for the file in messages.
///
/// # Errors
///
/// As [`read`]. External data is refused: there is no folder to look in.
pub fn from_bytes(name: &str, bytes: Bytes, options: &ReadOptions) -> Result<Network, NetworkError> {
    let path = Path::new(name);
    if weight_file::is_weight_file(&bytes) && !onnx::is_archive(&bytes) {
        let file = WeightFile::parse(path, bytes, Vec::new(), options.state.as_deref())?;
        return from_weights(&file, options);
    }
    refuse_needless(path, options)?;
    match tflite::is_tflite(&bytes) {
        true => {
            refuse_table(path, options)?;
            tflite::read(path, bytes, options)
        }
        false => {
            refuse_kernels(path, options)?;
            onnx::read_bytes(path, bytes, options)
        }
    }
}

/// Refuses a table of operators, which only ONNX files can use.
fn refuse_table(path: &Path, options: &ReadOptions) -> Result<(), NetworkError> {
    if options.operators.is_none() || options.passes_over_needless {
        return Ok(());
    }
    let problem = "it is no ONNX file; a table of operators is for those".to_string();
    Err(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem, mend: None })
}

/// Refuses a choice of the kernels of TFLite for any other file.
fn refuse_kernels(path: &Path, options: &ReadOptions) -> Result<(), NetworkError> {
    if options.tflite_kernels == TfliteKernels::default() || options.passes_over_needless {
        return Ok(());
    }
    let problem = "it is no TFLite file; a choice of its kernels is for those".to_string();
    Err(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem, mend: None })
}

fn from_weights(file: &WeightFile, options: &ReadOptions) -> Result<Network, NetworkError> {
    refuse_table(file.path(), options)?;
    refuse_kernels(file.path(), options)?;
    if options.architecture.is_some() && !options.layers.is_empty() {
        let problem = "an architecture has its own layers; a choice of layers is for weights without one".to_string();
        let (path, place) = (file.path().to_path_buf(), "file".to_string());
        return Err(NetworkError::Unsupported { path, place, problem, mend: None });
    }
    match (options.architecture, &options.topology) {
        (Some(_), Some(topology)) => {
            let problem = "an architecture has its own geometry; a topology is for weights without one".to_string();
            let (path, place) = (topology.clone(), "file".to_string());
            Err(NetworkError::Unsupported { path, place, problem, mend: None })
        }
        (Some(family), None) => file.in_architecture(family, options),
        (None, Some(topology)) => Topology::read(topology)?.give(file.to_network(options)?),
        (None, None) => file.to_network(options),
    }
}

/// Refuses options that only weights without a graph can use.
fn refuse_needless(path: &Path, options: &ReadOptions) -> Result<(), NetworkError> {
    if options.passes_over_needless {
        return Ok(());
    }
    let needless = [
        (options.architecture.is_some(), "an architecture"),
        (options.topology.is_some(), "a topology"),
        (options.state.is_some(), "the name of a state"),
        (!options.layers.is_empty(), "a choice of layers"),
    ];
    let Some((_, needless)) = needless.into_iter().find(|(is_given, _)| *is_given) else { return Ok(()) };
    let problem = format!("it is no weight file; {needless} is for weights without a graph");
    Err(NetworkError::Unsupported { path: path.to_path_buf(), place: "file".to_string(), problem, mend: None })
}
