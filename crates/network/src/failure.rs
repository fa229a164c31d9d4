//! What every error of this workspace can be asked: its kind, and what mends it. It stands in this crate because all
//! others see it.

use std::error::Error;
use std::fmt;

/// What kind of error an error is. Front ends choose exit codes and exceptions by it, never by a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A file breaks the rules of its format, or contradicts itself.
    InvalidFile,
    /// The input is fine, and this program does not handle it.
    Unsupported,
    /// What was asked for means nothing, or does not fit what it was asked of.
    BadArgument,
    /// The system could not read or write.
    Io,
    /// More memory, threads or elements would be needed than there may be.
    OutOfLimits,
    /// This program contradicts itself. No input should lead here.
    OwnBug,
}

/// What a user can do about an error or a note. A front end says it in its own words: the command names an option. The
/// text here names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mend {
    /// The file leaves the shape of an input open.
    GiveInputShape,
    /// Something depends on activations, and there are none.
    GiveImages,
    /// Weights are real numbers, and no width is given for them.
    GiveBits,
    /// A width is given for weights that are integers already.
    LeaveOutBits {
        /// The width that was given.
        bits: u32,
    },
    /// Weights have no graph; the network may be one of the literature.
    NameArchitecture,
    /// As [`Mend::NameArchitecture`], where the weights could be written without a graph, too.
    NameArchitectureOrWriteWeights,
    /// A layer is named that is not there.
    ListLayers,
    /// Several processes write to one store.
    ShareStore,
    /// A process has a store for itself, which a share of the points is to be written to.
    ShareStoreOfWhole,
    /// A store has an older layout than the one that is written.
    UpgradeStore,
    /// A sweep counts nothing that depends on activations; a single run does.
    CountInOneRun,
    /// Nothing is asked for.
    AskForCompression,
    /// It is said how weights are quantized, and not that they are.
    AskForQuantization,
    /// Integers of weights may count half-steps; only the user can say so.
    NameGrid,
    /// Weights have no graph: an architecture gives them one, a topology their output positions.
    NameArchitectureOrTopology,
    /// A file of weights holds several networks, and one was taken.
    NameState,
    /// Say that the first axis of an input is no batch.
    NoBatchAxis,
    /// Names and shapes of tensors decided which of them are layers.
    NameLayers,
    /// Something would be lost, and that was not to be.
    AllowLoss,
    /// All of a store of images was to be read.
    PassOver,
    /// Less was done than was asked for, and that was not to be.
    AllowLess,
    /// Real weights seem to lie on a grid already.
    FindSteps,
    /// Labels of images may be counted from elsewhere.
    ShiftLabels,
    /// Labels of images are counted from 1.
    CountLabelsFromOne,
    /// A file of images was given as a network.
    GiveAsImages,
    /// A database, as stores of sweeps are, was given as a network.
    GiveAsStore,
    /// A text, as tables of layers are, was given as a network.
    GiveAsTopology,
    /// A document, as descriptions of hardware and plans are, was given as a network.
    GiveAsHardwareOrPlan,
    /// Several outputs could be scored.
    NameOutput,
    /// An output is one number, and where its class 1 begins is not known.
    GiveThreshold,
    /// A plan did not ask analog engines to run images.
    PlanAnalogAccuracy,
    /// The axes of an array can be read in two ways.
    SayLayout,
    /// Preprocessing makes numbers of an array that the network does not take.
    TakeNumbers,
    /// Where the channels lie in the network's input is not known.
    SayInputLayout,
    /// A file has the sizes of weights and no values.
    DrawWeights,
    /// Images were prepared in a way that nobody chose.
    ChangePreprocessing,
    /// Files among images were passed over.
    RefusePassedOver,
    /// Pictures were turned as they say themselves.
    KeepOrientation,
    /// One of several outputs was taken.
    ChooseOutput,
    /// Class 1 begins at a threshold that nobody chose.
    ChangeThreshold,
    /// Labels were counted from 1, as the number of outputs suggests.
    CountLabelsFromZero,
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mend::GiveInputShape => "give the shape of the input, batch first",
            Mend::GiveImages => "give images",
            Mend::GiveBits => "give a bit width for such layers",
            Mend::LeaveOutBits { .. } => "ask for no bit width to take the weights as they are",
            Mend::NameArchitecture => "name the architecture that the weights belong to",
            Mend::NameArchitectureOrWriteWeights => {
                "name the architecture that the weights belong to, or write a format of weights alone"
            }
            Mend::ListLayers => "look at the list of layers",
            Mend::ShareStore => "give each process its own share of the points",
            Mend::ShareStoreOfWhole => "give that process a share of the points, too, or this one a store of its own",
            Mend::UpgradeStore => "upgrade the store",
            Mend::CountInOneRun => "count it in one run on images",
            Mend::AskForCompression => "ask for pruning, quantization, a search for steps or re-estimation",
            Mend::AskForQuantization => "ask for a width, a step rule or bits shared out",
            Mend::NameGrid => "name the grid if they are half-steps",
            Mend::NameArchitectureOrTopology => "name the architecture that the weights belong to, or give a topology",
            Mend::NoBatchAxis => "say that it is no batch, for the costs of a run of the graph",
            Mend::NameState => "name the state that is to be taken instead",
            Mend::NameLayers => "name the tensors that are layers",
            Mend::AllowLoss => "allow the loss",
            Mend::PassOver => "allow that it is passed over",
            Mend::AllowLess => "allow less",
            Mend::ShiftLabels => "give what is to be added to every label",
            Mend::CountLabelsFromOne => "labels are counted from 1: subtract 1 from every label",
            Mend::GiveAsImages => "give it as images",
            Mend::GiveAsStore => "give it as a store, if a sweep wrote it",
            Mend::GiveAsTopology => "give it as a topology, if it is a table of layers",
            Mend::GiveAsHardwareOrPlan => "give it as hardware, or as the plan of a sweep",
            Mend::NameOutput => "name the output that holds the classes",
            Mend::GiveThreshold => "give the threshold above which it is class 1",
            Mend::SayLayout => "say how the axes of the array lie",
            Mend::TakeNumbers => "ask for no preprocessing to take the numbers of the file as they are",
            Mend::SayInputLayout => "say in the preprocessing where the channels lie in the network's input",
            Mend::PlanAnalogAccuracy => "let the plan ask for the accuracy of analog engines",
            Mend::DrawWeights => "ask for synthetic weights",
            Mend::ChangePreprocessing => "give the preprocessing",
            Mend::RefusePassedOver => "refuse such files",
            Mend::KeepOrientation => "take pictures as they are stored",
            Mend::ChooseOutput => "name another output",
            Mend::ChangeThreshold => "give another threshold",
            Mend::CountLabelsFromZero => "say that labels are counted from 0",
            Mend::FindSteps => "look for their steps to take them as they lie",
        })
    }
}

/// An error that knows its kind and, where there is something, what mends it. Every public error of this workspace is
/// one.
///
/// An error that wraps another has the kind of its cause, and is mended as its cause is.
///
/// ```
/// use network::{ErrorKind, Failure, NetworkError};
///
/// let problem = "it ends early".to_string();
/// let error = NetworkError::Invalid { path: "net.onnx".into(), place: "graph".into(), problem };
/// assert_eq!(error.kind(), ErrorKind::InvalidFile);
/// ```
pub trait Failure: Error + Send + Sync + 'static {
    /// What kind of error it is.
    fn kind(&self) -> ErrorKind;

    /// What mends it, where that is known.
    fn mend(&self) -> Option<Mend> {
        None
    }
}

impl Failure for std::io::Error {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Io
    }
}

impl<F: Failure> Failure for Box<F> {
    fn kind(&self) -> ErrorKind {
        (**self).kind()
    }

    fn mend(&self) -> Option<Mend> {
        (**self).mend()
    }
}

/// An error of another part, carried through: whoever carries it knows its kind and not its type. Text and causes are
/// those of the error itself.
#[derive(Debug)]
pub struct Cause(Box<dyn Failure>);

/// The text of an error that has no type of its own.
#[derive(Debug)]
struct Told {
    kind: ErrorKind,
    text: String,
}

impl Cause {
    /// An error that is told in words alone.
    pub fn told(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::from(Told { kind, text: text.into() })
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// What mends it, where that is known.
    pub fn mend(&self) -> Option<Mend> {
        self.0.mend()
    }
}

impl<F: Failure> From<F> for Cause {
    fn from(error: F) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Told {}

impl Failure for Told {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Errors of the metric: all say that numbers do not fit what was asked of them.
macro_rules! bad_argument {
    ($($error:ty),+) => {
        $(impl Failure for $error {
            fn kind(&self) -> ErrorKind {
                ErrorKind::BadArgument
            }
        })+
    };
}
bad_argument!(
    esn::BitWidthError,
    esn::CodeError,
    esn::QuantizeError,
    esn::SnrError,
    esn::StreamError,
    esn::TrainingError
);
