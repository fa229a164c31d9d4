//! What can go wrong in any of it.

use std::path::{Path, PathBuf};

use compress::CompressError;
use explore::ExploreError;
use formats::images::ImageError;
use inference::InferenceError;
use network::architectures::{ArchitectureError, Family};
use network::{ErrorKind, Failure, Mend, NetworkError};
use report::OutputError;
use runner::RunnerError;
use thiserror::Error;

/// Why something was not done. Every message is one line and names no option of a command line: a front end adds how
/// its own user mends it. Causes are sources.
#[derive(Debug, Error)]
pub enum Error {
    /// A network file.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A run: hardware, layers, inference.
    #[error(transparent)]
    Run(Box<RunnerError>),
    /// A sweep, a store or a landscape.
    #[error(transparent)]
    Explore(Box<ExploreError>),
    /// Images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An output file.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A network of the literature that cannot be made.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// A name that no network of the literature has.
    #[error("network {name:?} is not known; expected one of {}", Family::NAMES.join(", "))]
    NoArchitecture {
        /// What was asked for.
        name: String,
    },
    /// An option of another family of networks.
    #[error("{option} does not belong to {name}")]
    ForeignOption {
        /// Name of the network.
        name: String,
        /// The option: `shortcut`, `depth` or `growth`.
        option: &'static str,
    },
    /// Pruning, quantization or re-estimation.
    #[error("{}", path.display())]
    Compress {
        /// The network file.
        path: PathBuf,
        /// Why.
        source: Box<CompressError>,
    },
    /// The network does not take these images.
    #[error("{}", path.display())]
    Inference {
        /// The network file.
        path: PathBuf,
        /// Why.
        source: Box<InferenceError>,
    },
    /// A file that belongs to the request cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of what layers get of their own that says something else.
    #[error("{}: {problem}", path.display())]
    LayerOptions {
        /// The file.
        path: PathBuf,
        /// The place, what was expected, what was found.
        problem: String,
    },
    /// Preprocessing by numbers that cannot be.
    #[error("preprocessing: {problem}")]
    Preprocessing {
        /// Which number, what was expected, what was found.
        problem: String,
    },
    /// Two descriptions of hardware in one run have one name.
    #[error("{}: name {name:?} is also that of {}; names in one run must differ", second.display(), first.display())]
    SameName {
        /// The first description.
        first: PathBuf,
        /// The second.
        second: PathBuf,
        /// The name.
        name: String,
    },
    /// Weights without a graph, where something needs to know how layers are connected.
    #[error("{}: it holds weights without a graph, and {need} needs one", path.display())]
    NeedsGraph {
        /// The weight file.
        path: PathBuf,
        /// What needs the graph.
        need: Need,
    },
    /// Steps of fake-quantized weights were asked for, a layer has none, and no width was given for such layers.
    #[error("{}: {}", path.display(), no_step(layer, reason.as_deref()))]
    NoStep {
        /// The network file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// Why none was found, where that is known.
        reason: Option<String>,
    },
    /// No network can be compared with the one before it.
    #[error("{name}: cannot be compared with {before}: {why}")]
    NotCompared {
        /// The first network after.
        name: String,
        /// The network before.
        before: String,
        /// Why.
        why: &'static str,
    },
    /// There are no images where some are needed.
    #[error("there is no image to run")]
    NoImages,
    /// A network that answers cannot be compared with.
    #[error(
        "{}: as a reference it names {} images and {} classes; those of the network are {} and {}",
        path.display(), found[0], found[1], expected[0], expected[1]
    )]
    OtherReference {
        /// The reference.
        path: PathBuf,
        /// Its images and classes.
        found: [usize; 2],
        /// Those of the network.
        expected: [usize; 2],
    },
    /// A layer that is not there.
    #[error(
        "{}: {wanted:?} is neither the name of a MAC layer, nor the end of one, nor one of 1 to {layers}{}",
        path.display(),
        nearest.as_ref().map_or(String::new(), |name| format!("; the nearest name is {name}"))
    )]
    NoLayer {
        /// The network file.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// MAC layers of the network.
        layers: usize,
        /// The name that was probably meant; none where none is near.
        nearest: Option<String>,
    },
    /// Layers whose names all end as the name that is wanted.
    #[error("{}: {wanted:?} is the end of several names: {}", path.display(), names.join(", "))]
    ManyLayers {
        /// The network file.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// The names.
        names: Vec<String>,
    },
    /// An output whose folder is missing, that is a folder, or that would overwrite an input or another output.
    #[error("{}: {problem}", path.display())]
    Place {
        /// The output.
        path: PathBuf,
        /// What is wrong with its place.
        problem: String,
    },
    /// Compression without anything to do.
    #[error("nothing to do: no pruning, no quantization, no search for steps and no re-estimation was asked for")]
    NothingToDo,
    /// It is said how weights are quantized, and nothing asks for quantization.
    #[error("{option} is given, and no quantization is asked for")]
    NoQuantization {
        /// What is said.
        option: &'static str,
    },
    /// A format that is read and not written.
    #[error("{}: unsupported: .{extension} is read, not written; .onnx, .safetensors and .npz are", path.display())]
    ReadOnly {
        /// The output.
        path: PathBuf,
        /// The end of its name.
        extension: String,
    },
    /// Something would be lost, and that was not to be.
    #[error("{}: {first}{}", path.display(), and_more(*more))]
    Lossy {
        /// The network file.
        path: PathBuf,
        /// The first thing that would be lost.
        first: String,
        /// How many there are besides.
        more: usize,
    },
    /// Less was done than was asked for, and that was not to be.
    #[error("{}: {first}{}", path.display(), and_more(*more))]
    Short {
        /// The network file.
        path: PathBuf,
        /// The first thing that came to less.
        first: String,
        /// How many there are besides.
        more: usize,
    },
    /// No point of a store can be judged.
    #[error("{}: {reason}", path.display())]
    NoPoints {
        /// The store.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What mends it.
        mend: Option<Mend>,
    },
    /// A store cannot be merged into itself.
    #[error("{}: cannot be merged into itself", path.display())]
    SameStore {
        /// The store.
        path: PathBuf,
    },
    /// The variables of SLURM do not make this process one of n tasks.
    #[error("SLURM: {problem}")]
    Slurm {
        /// The variable, what was expected, what was found.
        problem: String,
    },
    /// Worker threads cannot be started. Text and source of this error of rayon are the same words, so that it stands in
    /// the text and is no source.
    #[error("cannot start the worker threads: {0}")]
    Threads(rayon::ThreadPoolBuildError),
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Network(error) => error.kind(),
            Error::Run(error) => error.kind(),
            Error::Explore(error) => error.kind(),
            Error::Image(error) => error.kind(),
            Error::Output(error) => error.kind(),
            Error::Architecture(error) => error.kind(),
            Error::Compress { source, .. } => source.kind(),
            Error::Inference { source, .. } => source.kind(),
            Error::Read { .. } => ErrorKind::Io,
            Error::LayerOptions { .. } => ErrorKind::InvalidFile,
            Error::NoArchitecture { .. }
            | Error::ForeignOption { .. }
            | Error::Preprocessing { .. }
            | Error::SameName { .. }
            | Error::NeedsGraph { .. }
            | Error::NotCompared { .. }
            | Error::NoImages
            | Error::NoLayer { .. }
            | Error::OtherReference { .. }
            | Error::ManyLayers { .. }
            | Error::Place { .. }
            | Error::NothingToDo
            | Error::NoQuantization { .. }
            | Error::NoPoints { .. }
            | Error::SameStore { .. }
            | Error::Slurm { .. } => ErrorKind::BadArgument,
            Error::NoStep { .. } | Error::ReadOnly { .. } | Error::Lossy { .. } | Error::Short { .. } => {
                ErrorKind::Unsupported
            }
            Error::Threads(_) => ErrorKind::OutOfLimits,
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            Error::NeedsGraph { need, .. } => Some(match need {
                Need::Images | Need::Reestimation => Mend::NameArchitecture,
                Need::Onnx => Mend::NameArchitectureOrWriteWeights,
            }),
            Error::NotCompared { .. } => Some(Mend::NameArchitecture),
            Error::NoStep { .. } => Some(Mend::GiveBits),
            Error::NoLayer { .. } | Error::ManyLayers { .. } => Some(Mend::ListLayers),
            Error::NothingToDo => Some(Mend::AskForCompression),
            Error::NoQuantization { .. } => Some(Mend::AskForQuantization),
            Error::Lossy { .. } => Some(Mend::AllowLoss),
            Error::Short { .. } => Some(Mend::AllowLess),
            Error::NoPoints { mend, .. } => *mend,
            Error::Network(error) => error.mend(),
            Error::Run(error) => error.mend(),
            Error::Explore(error) => error.mend(),
            Error::Image(error) => error.mend(),
            Error::Output(error) => error.mend(),
            Error::Architecture(error) => error.mend(),
            Error::Compress { source, .. } => source.mend(),
            Error::Inference { source, .. } => source.mend(),
            Error::NoArchitecture { .. }
            | Error::ForeignOption { .. }
            | Error::LayerOptions { .. }
            | Error::Read { .. }
            | Error::Preprocessing { .. }
            | Error::OtherReference { .. }
            | Error::SameName { .. }
            | Error::Place { .. }
            | Error::ReadOnly { .. }
            | Error::SameStore { .. }
            | Error::Slurm { .. }
            | Error::NoImages
            | Error::Threads(_) => None,
        }
    }
}

impl Error {
    /// The error of a compression. One that names the network file already stays as it is.
    pub(crate) fn compress(path: &Path) -> impl Fn(CompressError) -> Self {
        move |error| match error {
            CompressError::Network(error) | CompressError::Inference(InferenceError::Network(error)) => {
                Error::Network(error)
            }
            source => Error::Compress { path: path.to_path_buf(), source: Box::new(source) },
        }
    }
}

impl From<RunnerError> for Error {
    fn from(error: RunnerError) -> Self {
        Error::Run(Box::new(error))
    }
}

impl From<ExploreError> for Error {
    fn from(error: ExploreError) -> Self {
        Error::Explore(Box::new(error))
    }
}

/// What needs the graph of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Running it on images.
    Images,
    /// Re-estimating its statistics.
    Reestimation,
    /// Writing it as ONNX.
    Onnx,
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Need::Images => "running images",
            Need::Reestimation => "re-estimating statistics",
            Need::Onnx => "ONNX",
        })
    }
}

fn no_step(layer: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("layer {layer}: no step found: {reason}"),
        None => format!("layer {layer}: no step found"),
    }
}

fn and_more(more: usize) -> String {
    if more > 0 { format!(" (and {more} more)") } else { String::new() }
}
