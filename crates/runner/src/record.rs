//! Everything that it takes to run again.

use formats::images::{ArrayLayout, Preprocessing};
use formats::{BatchAxis, ReadOptions, TfliteKernels};
use network::Synthetic;
use serde::Serialize;

/// What was run, so that it can be run again: every file by its contents, every choice by its value. Together with the
/// resolved hardware and the quantization of a report nothing is missing.
#[derive(Clone, Debug, Serialize)]
pub struct RunRecord {
    /// The command and the options that decide what is computed; none where a program called the library.
    pub command: Option<Vec<String>>,
    /// The network.
    pub network: NetworkRecord,
    /// The network that it was held against; none where it was held against none.
    pub reference: Option<NetworkRecord>,
    /// How the network was read.
    pub read: ReadRecord,
    /// The images; none for costs alone.
    pub images: Option<ImageRecord>,
}

/// A network by its contents.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkRecord {
    /// Its file.
    pub file: String,
    /// SHA-256 of the file; none where it came through a pipe.
    pub sha256: Option<String>,
    /// SHA-256 of weights and constants, which may lie outside of the file.
    pub weights_sha256: String,
}

/// How a network was read.
#[derive(Clone, Debug, Serialize)]
pub struct ReadRecord {
    /// Shapes that the user gave for inputs, by name.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// What the first axis of the input was taken for: `first`, a batch, or `none`.
    pub batch_axis: &'static str,
    /// Grid of integer weights that the user named.
    pub grid: Option<&'static str>,
    /// Graph that weights were put into.
    pub architecture: Option<String>,
    /// Topology file that weights were given sizes by.
    pub topology: Option<String>,
    /// Table of operators that are not known.
    pub operators: Option<String>,
    /// Which of several networks in a weight file was taken.
    pub state: Option<String>,
    /// Patterns of the names of tensors that were to be layers.
    pub layers: Vec<String>,
    /// Kernels of TFLite whose rounding is followed.
    pub tflite_kernels: &'static str,
    /// Whether the grid was looked for that real weights lie on.
    pub find_step: bool,
    /// How weights were to be drawn that the file lacks; none where they were not to be.
    pub synthetic_weights: Option<SyntheticRecord>,
}

/// How weights are drawn that a file lacks.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SyntheticRecord {
    /// What they are drawn from.
    pub seed: u64,
    /// The probability of a weight to be 0.
    pub sparsity: f64,
}

impl From<Synthetic> for SyntheticRecord {
    fn from(synthetic: Synthetic) -> Self {
        Self { seed: synthetic.seed(), sparsity: synthetic.sparsity() }
    }
}

impl ReadRecord {
    /// That of these options.
    pub fn new(read: &ReadOptions, find_step: bool, synthetic: Option<Synthetic>) -> Self {
        Self {
            input_shapes: read.input_shapes.clone(),
            batch_axis: match read.batch_axis {
                BatchAxis::First => "first",
                BatchAxis::None => "none",
            },
            grid: read.grid.map(|grid| grid.name()),
            architecture: read.architecture.map(|family| family.name()),
            topology: read.topology.as_ref().map(|path| path.display().to_string()),
            operators: read.operators.as_ref().map(|path| path.display().to_string()),
            state: read.state.clone(),
            layers: read.layers.clone(),
            tflite_kernels: match read.tflite_kernels {
                TfliteKernels::Optimized => "optimized",
                TfliteKernels::Reference => "reference",
            },
            find_step,
            synthetic_weights: synthetic.map(SyntheticRecord::from),
        }
    }
}

/// The images of a run, and how they became the input of the network.
#[derive(Clone, Debug, Serialize)]
pub struct ImageRecord {
    /// File or folder.
    pub path: String,
    /// SHA-256 of the file, or of the names and sizes in the folder: [`images_sha256`](crate::identity::images_sha256).
    pub sha256: String,
    /// How many of them were run.
    pub count: usize,
    /// How the axes of an array lie, where it was said.
    pub layout: Option<ArrayLayout>,
    /// Whether pictures were turned as their EXIF orientation says.
    pub exif: bool,
    /// Whether labels were the coarse ones of CIFAR-100.
    pub coarse_labels: bool,
    /// What was done to them, every default filled in.
    pub preprocessing: Preprocessing,
    /// What was added to every label.
    pub label_offset: i64,
    /// The output that was scored; none where no labels played a part.
    pub output: Option<String>,
    /// Of an output of one number, the threshold above which an image is of class 1.
    pub threshold: Option<f32>,
    /// Bits of activations on engines on integers, where the file does not quantize them.
    pub activation_bits: u32,
    /// The first images, whose activations set the ranges where the file does not.
    pub calibration_images: usize,
    /// Whether the float network ran too.
    pub float: bool,
    /// Seeds of random hardware beside its own.
    pub seeds: Option<u64>,
}

impl RunRecord {
    /// The record for people: what each line is, and the line.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if let Some(command) = &self.command {
            lines.push(("command", command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
        }
        let networks = [("network", Some(&self.network)), ("reference", self.reference.as_ref())];
        for (what, network) in networks.into_iter().filter_map(|(what, network)| Some((what, network?))) {
            lines.push((what, network.file.clone()));
            lines.push(match &network.sha256 {
                Some(sha256) => ("its SHA-256", sha256.clone()),
                None => ("SHA-256 of its weights", network.weights_sha256.clone()),
            });
        }
        if let Some(images) = &self.images {
            let ImageRecord { path, sha256, count, label_offset, activation_bits, calibration_images, .. } = images;
            lines.push(("images", format!("{count} of {path}, label offset {label_offset}")));
            lines.push(("their SHA-256", sha256.clone()));
            lines.push(("preprocessing", images.preprocessing.to_string()));
            let ranges = format!("{activation_bits} bits, ranges of {calibration_images} images, unless in the file");
            lines.push(("activations", ranges));
        }
        lines
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b.onnx"), "a/b.onnx");
        assert_eq!(quoted("my net"), "'my net'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
