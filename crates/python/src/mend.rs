//! What mends an error, or changes what a note tells, in the words of the package: the argument that does it.

use std::fmt::Display;

use esnsim::ImageNote;
use network::{Mend, Note};
use report::text::one_line;

/// How a user of the package mends an error: the argument, and what it does.
pub(crate) fn argument(mend: Mend) -> String {
    let words = match mend {
        Mend::GiveInputShape => "give a shape, batch first: input_shape={\"NAME\": (1, 3, 224, 224)}",
        Mend::GiveImages => "give images=",
        Mend::GiveBits => "bits=N quantizes such layers",
        Mend::LeaveOutBits { bits } => return format!("leave out bits={bits} to take them as they are"),
        Mend::NameArchitecture => "architecture= of read names it",
        Mend::NameArchitectureOrWriteWeights => {
            "architecture= of read names it; a name that ends in .safetensors or .npz takes the weights alone"
        }
        Mend::ListLayers => "inspect lists the layers",
        Mend::ShareStore => "processes share a store by shard=(i, n)",
        Mend::ShareStoreOfWhole => {
            "start that one by shard=(i, n), too, or give this one a store of its own, which esnsim.merge adds to the other"
        }
        Mend::UpgradeStore => "esnsim.upgrade makes it one of layout 3",
        Mend::CountInOneRun => "simulate(images=…) counts it",
        Mend::AskForCompression => {
            "ask for prune=, prune_below=, bits=, a step rule, bits shared out (allocate=, average_bits=, esn_d_filter_budget=), layer_options=, find_step= or reestimate_bn="
        }
        Mend::AskForQuantization => {
            "ask for bits=, a step rule, bits shared out (average_bits=, esn_d_filter_budget=) or layer_options="
        }
        Mend::NameGrid => "grid=\"mid-rise\" reads them as half-steps",
        Mend::NameArchitectureOrTopology => {
            "architecture= gives it the graph of a known network, topology= output positions"
        }
        Mend::NoBatchAxis => "batch_axis=\"none\" gives the costs of a run of the graph",
        Mend::NameState => "state=\"NAME\" takes another",
        Mend::NameLayers => "layers=[\"PATTERN\"] names the tensors that are layers",
        Mend::AllowLess => "without strict=True it is a note",
        Mend::AllowLoss => "without strict=True it is lost",
        Mend::PassOver => "of a plan that is not strict in [images] it is passed over",
        Mend::ShiftLabels => "label_offset=N of esnsim.Images is added to every label",
        Mend::CountLabelsFromOne => "labels are counted from 1: label_offset=-1 of esnsim.Images",
        Mend::GiveAsImages => "images= takes it",
        Mend::GiveAsStore => "pareto takes it, if a sweep wrote it",
        Mend::GiveAsTopology => "topology= takes it, if it is a table of layers",
        Mend::GiveAsHardwareOrPlan => "hardware= takes descriptions, sweep takes plans",
        Mend::NameOutput => "output=\"NAME\" of esnsim.Images chooses, of a plan output in [images]",
        Mend::GiveThreshold => "threshold=X of esnsim.Images says where, of a plan threshold in [images]",
        Mend::SayLayout => {
            "layout= of esnsim.Images, \"channels-first\", \"channels-last\" or \"as-is\" (as the network takes it), decides, of a \
             plan layout in [images]"
        }
        Mend::TakeNumbers => "preprocess=\"none\" of esnsim.Images takes the numbers as they are",
        Mend::SayInputLayout => "layout = \"nchw\" or \"nhwc\" in the file of preprocess= says it",
        Mend::PlanAnalogAccuracy => "analog-accuracy = true in the plan runs images on analog hardware",
        Mend::DrawWeights => "synthetic_weights=SEED of read draws them",
        Mend::FindSteps => "find_step=True takes them as they lie",
        Mend::ChangePreprocessing => "preprocess= of esnsim.Images changes that",
        Mend::RefusePassedOver => "a plan that is strict in [images] refuses them",
        Mend::KeepOrientation => "exif = false in [images] of a plan takes them as they are stored",
        Mend::ChooseOutput => "output=\"NAME\" of esnsim.Images chooses another",
        Mend::ChangeThreshold => "threshold=X of esnsim.Images sets another",
        Mend::CountLabelsFromZero => "label_offset=0 of esnsim.Images counts them from 0",
    };
    words.to_string()
}

/// A note as one line, with the argument that changes what it tells.
pub(crate) fn note(note: &Note) -> String {
    with_argument(note, note.mend())
}

/// What was decided about images as one line, with the argument that decides otherwise.
pub(crate) fn image_note(decided: &ImageNote) -> String {
    with_argument(decided, decided.mend())
}

fn with_argument(told: &dyn Display, mend: Option<Mend>) -> String {
    one_line(&match mend {
        Some(mend) => format!("{told}; {}", argument(mend)),
        None => told.to_string(),
    })
}
