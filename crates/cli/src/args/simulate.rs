//! Options of `simulate`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use esnsim::{EvaluateOptions, OpenOptions, Reference};
use report::OutputRequest;
use runner::{AnswerRequest, ImageSamples};

use super::groups::{HARDWARE, IMAGES, OUTPUT};
use super::parse::whole;
use super::shared::{
    HardwareOptions, InferenceOptions, LayerTableOptions, MetricOptions, ReadingOptions, SyntheticOptions,
    ThreadOptions,
};

/// Options of `simulate`.
#[derive(Args)]
pub struct SimulateOptions {
    /// Network files; left out: the embedded digits network and its images
    ///
    /// Several are shown side by side, by their totals, and so is one at several widths (--bits). What each gains over the first
    /// is told for all hardware, beside the gain of ideal hardware and what ate the difference. Name the network before
    /// compression first. Where it has several widths, all are held against its widest.
    pub networks: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingOptions,

    #[command(flatten)]
    pub synthetic: SyntheticOptions,

    #[command(flatten)]
    pub metric: MetricOptions,

    #[command(flatten)]
    pub hardware: HardwareOptions,

    /// Show a table of layers for each hardware
    ///
    /// Each has cycles, utilization, the metric and the check by layer, and lines that say where time and energy go. Left
    /// out: totals of all hardware, then one table of layers with their energies.
    #[arg(long, help_heading = OUTPUT)]
    pub by_hardware: bool,

    /// Advance the stepped machines through every layer too
    ///
    /// They advance cycle by cycle. Their counts are compared with those of the fast engines, and their outputs with the
    /// reference.
    #[arg(long, help_heading = HARDWARE)]
    pub stepped: bool,

    /// Run random hardware with so many seeds
    ///
    /// They are the seed of the description and those after it. The spread of the accuracy is told.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=10_000), help_heading = HARDWARE, hide_short_help = true)]
    pub seeds: Option<u64>,

    #[command(flatten)]
    pub inference: InferenceOptions,

    /// Score this output, of several
    ///
    /// Left out: the only one that could hold the labels, else the only one whose name speaks of classes.
    #[arg(long, value_name = "NAME", help_heading = IMAGES)]
    pub output: Option<String>,

    /// Threshold of an output of one number
    ///
    /// An image above it is of class 1. Left out: 0.5 after a sigmoid, else 0.
    #[arg(long, value_name = "X", allow_hyphen_values = true, help_heading = IMAGES, hide_short_help = true)]
    pub threshold: Option<f32>,

    /// Compare the classes with those that this network names
    ///
    /// It is usually the one that the network was made of, before compression. It runs in float arithmetic on the same
    /// images; what it does to them is what --preprocess says, else the file beside it.
    #[arg(long, value_name = "FILE", help_heading = IMAGES)]
    pub reference: Option<PathBuf>,

    #[command(flatten)]
    pub table: LayerTableOptions,

    /// Write the whole run as JSON
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub json: Option<PathBuf>,

    /// Write the run as one self-contained page
    ///
    /// The page shows layers on every hardware, bit widths, and the check.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub html: Option<PathBuf>,

    /// Write what networks gain over the first, as CSV
    ///
    /// It has a row for each quantity, such as effective MACs and ESN_d, and for each hardware rows of energy and its parts, and
    /// of cycles and their factors.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, hide_short_help = true)]
    pub gains: Option<PathBuf>,

    /// Draw what networks gain over the first
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub svg: Option<PathBuf>,

    /// Write what each run computes: .npy or .csv
    ///
    /// The runs are the network in float and each hardware, those that compute the same once. The output is the one that is
    /// scored. An array has the axes images, runs and numbers; a CSV has a row for each image and run.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, hide_short_help = true)]
    pub logits: Option<PathBuf>,

    /// Write the class that each run names, and the label, as CSV
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, hide_short_help = true)]
    pub predictions: Option<PathBuf>,

    /// Write what each run computes at every layer into this folder
    ///
    /// An array for each layer, with the axes images, runs and those of the layer's output; index.json names files and runs.
    /// The folder is made where it is not there.
    #[arg(long, value_name = "DIR", help_heading = OUTPUT, hide_short_help = true)]
    pub layer_outputs: Option<PathBuf>,

    #[command(flatten)]
    pub threads: ThreadOptions,
}

impl SimulateOptions {
    /// How the networks are opened.
    pub fn open_options(&self) -> OpenOptions {
        let of_several = self.networks.len() > 1 || self.reference.is_some();
        OpenOptions { synthetic: self.synthetic.request(), ..self.reading.request(of_several) }
    }

    /// What the user says about the output that is scored.
    pub fn answer(&self) -> AnswerRequest {
        AnswerRequest { output: self.output.clone(), threshold: self.threshold }
    }

    /// An option that was given and shows one network at one width alone.
    pub fn of_one_network(&self) -> Option<&'static str> {
        let given = [
            (self.html.is_some(), "--html"),
            (self.by_hardware, "--by-hardware"),
            (self.stepped, "--stepped"),
            (self.reference.is_some(), "--reference"),
            (self.logits.is_some(), "--logits"),
            (self.predictions.is_some(), "--predictions"),
            (self.layer_outputs.is_some(), "--layer-outputs"),
        ];
        given.into_iter().find_map(|(is_given, option)| is_given.then_some(option))
    }

    /// An option that was given and shows several networks, or one at several widths.
    pub fn of_several(&self) -> Option<&'static str> {
        let given = [(self.gains.is_some(), "--gains"), (self.svg.is_some(), "--svg")];
        given.into_iter().find_map(|(is_given, option)| is_given.then_some(option))
    }

    /// Which files of what is computed are asked for.
    pub fn outputs(&self) -> anyhow::Result<OutputRequest> {
        if let Some(path) = &self.logits {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if !["npy", "csv"].contains(&extension.as_str()) {
                bail!("{}: --logits takes a name that ends in .npy or .csv", path.display());
            }
        }
        let (logits, predictions, layers) = (self.logits.clone(), self.predictions.clone(), self.layer_outputs.clone());
        Ok(OutputRequest { logits, predictions, layers })
    }

    /// How the network is run on these images.
    pub fn evaluation<'a>(&self, samples: &'a ImageSamples, reference: Option<Reference<'a>>) -> EvaluateOptions<'a> {
        EvaluateOptions {
            samples,
            answer: samples.answer(),
            activation_bits: self.inference.activation_bits(),
            calibration_images: self.inference.calibration_images(),
            float: !self.inference.no_float,
            seeds: self.seeds,
            reference,
            outputs: None,
        }
    }
}
