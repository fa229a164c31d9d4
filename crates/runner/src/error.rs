//! What can go wrong in a run. Every message is one line and says its own part; [`network::chain`] adds the causes.

use std::path::PathBuf;

use engine::EngineError;
use formats::images::ImageError;
use formats::{did_you_mean, did_you_mean_name};
use inference::{InferenceError, SampleError};
use network::{ErrorKind, Failure, MacLayer, Mend, Network, NetworkError};
use thiserror::Error;

/// Why a run ended without a result.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The network file cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A hardware description cannot be used.
    #[error("{}: {problem}", path.display())]
    Hardware {
        /// The file.
        path: PathBuf,
        /// Key, what was expected, what was found.
        problem: String,
    },
    /// A name that no hardware has that comes along.
    #[error("{name}: no hardware that comes along; there is {}{}", known.join(", "), did_you_mean(name, known.iter().map(String::as_str)))]
    NoSuchPreset {
        /// What was asked for.
        name: String,
        /// The names of the hardware that comes along.
        known: Vec<String>,
    },
    /// Hardware that is neither a file nor comes along.
    #[error("{}: neither a file nor one of {}{}", path.display(), known.join(", "), did_you_mean_name(path, known.iter().map(String::as_str)))]
    UnknownHardware {
        /// What was asked for.
        path: PathBuf,
        /// The names of the hardware that comes along.
        known: Vec<String>,
    },
    /// A hardware description cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A layer of a network that cannot be costed or run.
    #[error("{}: layer {layer}: {problem}", path.display())]
    Layer {
        /// The network file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A bit width was asked for, but the file quantizes every weight already.
    #[error("{}: {bits} bits are asked for, and the file quantizes its weights already", path.display())]
    AlreadyQuantized {
        /// The network file.
        path: PathBuf,
        /// The width.
        bits: u32,
    },
    /// An engine refused a layer.
    #[error("{}: {hardware}", path.display())]
    Engine {
        /// The network file.
        path: PathBuf,
        /// The hardware's name.
        hardware: String,
        /// Why.
        source: Box<EngineError>,
    },
    /// The cost of an engine depends on activations, and there are none.
    #[error(
        "{hardware}: its cost depends on the activations of a layer, so that it needs images{}",
        if *has_graph {
            ""
        } else {
            ", and this network has no graph that they could run through; a description may assume them (assumed_mean_input, \
             assumed_mean_square_input)"
        }
    )]
    NeedsImages {
        /// The hardware's name.
        hardware: String,
        /// Whether the network could be run on images.
        has_graph: bool,
    },
    /// A trace that cannot be taken.
    #[error("{}: layer {layer} on {hardware}: {problem}", path.display())]
    Trace {
        /// The network file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// The hardware's name.
        hardware: String,
        /// What was expected and what was asked for.
        problem: String,
    },
    /// No output of a network can be scored.
    #[error("{}: {}{problem}", path.display(), if output.is_empty() { String::new() } else { format!("output {output}: ") })]
    Answer {
        /// The network file.
        path: PathBuf,
        /// The output; empty where none is named and several are there.
        output: String,
        /// What was expected and what was found.
        problem: String,
        /// What mends it.
        mend: Option<Mend>,
    },
    /// Images cannot be read or used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image that inference asked for and did not get.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// A label that no class of the network has.
    #[error("image {image}, counted from 0, has label {label}; the network has {classes} classes, 0 to {}", classes.saturating_sub(1))]
    Label {
        /// The image, counted from 0.
        image: usize,
        /// Its label, with what is added to labels.
        label: i64,
        /// Classes of the network.
        classes: usize,
        /// Whether all labels are classes if they are counted from 1.
        from_one: bool,
    },
    /// What runs compute cannot be written.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// Inference failed, or the network cannot be run.
    #[error("{}", path.display())]
    Inference {
        /// The network file.
        path: PathBuf,
        /// Why.
        source: Box<InferenceError>,
    },
}

impl RunnerError {
    /// An error at one layer of a network.
    pub(crate) fn at_layer(network: &Network, layer: &MacLayer, problem: String) -> Self {
        RunnerError::Layer { path: network.path().to_path_buf(), layer: layer.name.clone(), problem }
    }
}

impl Failure for RunnerError {
    fn kind(&self) -> ErrorKind {
        match self {
            RunnerError::Hardware { .. } => ErrorKind::InvalidFile,
            RunnerError::UnknownHardware { .. }
            | RunnerError::NoSuchPreset { .. }
            | RunnerError::AlreadyQuantized { .. }
            | RunnerError::NeedsImages { .. }
            | RunnerError::Label { .. }
            | RunnerError::Answer { .. }
            | RunnerError::Trace { .. } => ErrorKind::BadArgument,
            RunnerError::Read { .. } | RunnerError::Output { .. } => ErrorKind::Io,
            RunnerError::Layer { .. } => ErrorKind::Unsupported,
            RunnerError::Network(error) => error.kind(),
            RunnerError::Engine { source, .. } => source.kind(),
            RunnerError::Image(error) => error.kind(),
            RunnerError::Sample(error) => error.kind(),
            RunnerError::Inference { source, .. } => source.kind(),
        }
    }

    fn mend(&self) -> Option<Mend> {
        match self {
            RunnerError::AlreadyQuantized { bits, .. } => Some(Mend::LeaveOutBits { bits: *bits }),
            RunnerError::NeedsImages { has_graph, .. } => has_graph.then_some(Mend::GiveImages),
            RunnerError::Answer { mend, .. } => *mend,
            RunnerError::Label { from_one: true, .. } => Some(Mend::CountLabelsFromOne),
            RunnerError::Label { from_one: false, .. } => Some(Mend::ShiftLabels),
            RunnerError::Network(error) => error.mend(),
            RunnerError::Engine { source, .. } => source.mend(),
            RunnerError::Image(error) => error.mend(),
            RunnerError::Sample(error) => error.mend(),
            RunnerError::Inference { source, .. } => source.mend(),
            RunnerError::Hardware { .. }
            | RunnerError::UnknownHardware { .. }
            | RunnerError::NoSuchPreset { .. }
            | RunnerError::Read { .. }
            | RunnerError::Output { .. }
            | RunnerError::Layer { .. }
            | RunnerError::Trace { .. } => None,
        }
    }
}
