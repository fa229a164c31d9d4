//! Errors of the library in the words of the command line: which option mends them.

use compress::CompressError;
use esnsim::Error;
use explore::ExploreError;
use formats::images::ImageError;
use inference::InferenceError;
use network::architectures::ArchitectureError;
use network::{ErrorKind, Failure, Mend, NetworkError};
use report::OutputError;
use runner::RunnerError;

/// What kind of error it is. What no library says, this front end found wrong with its arguments.
pub fn kind(error: &anyhow::Error) -> ErrorKind {
    failure(error).map_or(ErrorKind::BadArgument, Failure::kind)
}

/// The error of a library that a command ended with.
fn failure(error: &anyhow::Error) -> Option<&dyn Failure> {
    fn of<F: Failure>(error: &anyhow::Error) -> Option<&dyn Failure> {
        error.downcast_ref::<F>().map(|failure| failure as &dyn Failure)
    }
    let libraries = [
        of::<Error>,
        of::<ArchitectureError>,
        of::<CompressError>,
        of::<ExploreError>,
        of::<ImageError>,
        of::<InferenceError>,
        of::<NetworkError>,
        of::<OutputError>,
        of::<RunnerError>,
        of::<std::io::Error>,
    ];
    libraries.into_iter().find_map(|of| of(error))
}

/// An error, its causes and the option that mends it, in one line.
pub fn message(error: &anyhow::Error) -> String {
    let text = network::chain(error.as_ref());
    match failure(error).and_then(Failure::mend) {
        Some(mend) => format!("{text}; {}", option(mend)),
        None => text,
    }
}

/// How a user of the command mends an error: the option, and what it does.
pub fn option(mend: Mend) -> String {
    let words = match mend {
        Mend::GiveInputShape => "pass a shape, batch first (--input-shape NAME=1,3,224,224)",
        Mend::GiveImages => "give --images",
        Mend::GiveBits => "--bits N quantizes such layers",
        Mend::LeaveOutBits { bits } => return format!("leave out --bits {bits} to take them as they are"),
        Mend::NameArchitecture => "--architecture names it",
        Mend::NameArchitectureOrWriteWeights => {
            "--architecture names it; a name that ends in .safetensors or .npz takes the weights alone"
        }
        Mend::ListLayers => "inspect lists what --layer takes",
        Mend::ShareStore => "processes share a store by --shard i/n",
        Mend::ShareStoreOfWhole => {
            "start that one by --shard i/n, too, or give this one a store of its own, which --merge adds to the other"
        }
        Mend::UpgradeStore => "sweep --upgrade --store STORE makes it one of layout 3",
        Mend::CountInOneRun => "simulate --images counts it",
        Mend::AskForCompression => {
            "ask for --prune, --prune-below, --bits, a step rule, bits shared out (--allocate, --average-bits, --esn-d-filter-budget), --layer-options, --find-step or --reestimate-bn"
        }
        Mend::AskForQuantization => "ask for --bits, a step rule, bits shared out or --layer-options",
        Mend::NameGrid => "--grid mid-rise reads them as half-steps",
        Mend::NameArchitectureOrTopology => {
            "--architecture gives it the graph of a known network, --topology output positions"
        }
        Mend::NoBatchAxis => "--batch-axis none gives the costs of a run of the graph",
        Mend::NameState => "--state NAME takes another",
        Mend::NameLayers => "--layers PATTERN names the tensors that are layers",
        Mend::AllowLess => "without --strict it is a note",
        Mend::AllowLoss => "without --strict it is lost",
        Mend::PassOver => "without --strict, of a plan strict in [images], it is passed over",
        Mend::ShiftLabels => "--label-offset N is added to every label",
        Mend::CountLabelsFromOne => "labels are counted from 1: --label-offset=-1",
        Mend::GiveAsImages => "--images takes it",
        Mend::GiveAsStore => "pareto takes it, if a sweep wrote it",
        Mend::GiveAsTopology => "--topology takes it, if it is a table of layers",
        Mend::GiveAsHardwareOrPlan => "--hardware takes descriptions, sweep takes plans",
        Mend::NameOutput => "--output NAME chooses, of a plan output in [images]",
        Mend::GiveThreshold => "--threshold X says where, of a plan threshold in [images]",
        Mend::SayLayout => {
            "--layout channels-first, channels-last or as-is (as the network takes it) decides, of a plan layout in [images]"
        }
        Mend::TakeNumbers => "--preprocess none takes the numbers of the file as they are",
        Mend::SayInputLayout => "layout = \"nchw\" or \"nhwc\" in the file of --preprocess says it",
        Mend::PlanAnalogAccuracy => "analog-accuracy = true in the plan runs images on analog hardware",
        Mend::DrawWeights => "esn and simulate draw synthetic ones by --synthetic-weights SEED",
        Mend::FindSteps => "--find-step takes them as they lie",
        Mend::ChangePreprocessing => "--preprocess, --scale, --mean and --std change that",
        Mend::RefusePassedOver => "--strict makes that an error",
        Mend::KeepOrientation => "--no-exif takes them as they are stored",
        Mend::ChooseOutput => "--output NAME chooses another",
        Mend::ChangeThreshold => "--threshold X sets another",
        Mend::CountLabelsFromZero => "--label-offset 0 counts them from 0",
    };
    words.to_string()
}
