//! What runs compute on images, handed out as it comes: memory holds a few batches of it, never all images.

use network::{MacLayer, Network};

use super::plan::EvaluationPlan;
use crate::answer::Answer;
use crate::error::RunnerError;

/// Bytes of outputs of layers that are held at a time, unless one batch has more.
const HELD_BYTES: usize = 256 << 20;

/// Takes what a network computes on images, in float and on each group of engines.
///
/// [`OutputSink::begin`] comes first, then [`OutputSink::take`] for each batch, in the order of the images and on one thread.
pub trait OutputSink: Sync {
    /// Whether it takes the outputs of layers, too, and not only those of the network.
    fn takes_layers(&self) -> bool;

    /// Says what will come.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Output`] if it cannot be written. The run then ends.
    fn begin(&self, form: OutputForm) -> Result<(), RunnerError>;

    /// Takes the next images.
    ///
    /// # Errors
    ///
    /// As [`OutputSink::begin`].
    fn take(&self, images: &ImageOutputs<'_>) -> Result<(), RunnerError>;
}

/// What comes of a run, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputForm {
    /// Images in all.
    pub images: usize,
    /// The runs, in order: `float` where the float network runs, then the names of each group of hardware that computes the
    /// same.
    pub runs: Vec<Vec<String>>,
    /// Numbers of an image in the output that is scored.
    pub numbers: usize,
    /// By layer, the shape of the output of an image; empty where no layers are taken.
    pub layers: Vec<Vec<usize>>,
}

/// What some images gave, in every run.
#[derive(Clone, Debug)]
pub struct ImageOutputs<'a> {
    /// Their labels, one an image.
    pub labels: &'a [Option<usize>],
    /// By run.
    pub runs: Vec<RunOutputs<'a>>,
}

/// What one run made of some images.
#[derive(Clone, Debug)]
pub struct RunOutputs<'a> {
    /// The output that is scored, `[images, numbers]`.
    pub numbers: &'a [f32],
    /// The class that is named for each image.
    pub classes: Vec<usize>,
    /// By layer, its output, `[images]` and [`OutputForm::layers`]: sums with scale and bias, as the next node of the graph
    /// reads them. Empty where no layers are taken.
    pub layers: &'a [Vec<f32>],
}

impl OutputForm {
    /// What an evaluation with these groups of engines will give a sink.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Layer`] for a layer whose output has no row for each image of a batch.
    pub(super) fn new(
        plan: &EvaluationPlan<'_>,
        answer: Answer,
        groups: &[Vec<usize>],
        takes_layers: bool,
    ) -> Result<Self, RunnerError> {
        let names =
            |members: &Vec<usize>| members.iter().map(|&h| plan.hardware[h].engine.name().to_string()).collect();
        let float = plan.reference.then(|| vec!["float".to_string()]);
        let layers = plan.network.layers().iter().filter(|_| takes_layers);
        Ok(Self {
            images: plan.samples.len(),
            runs: float.into_iter().chain(groups.iter().map(names)).collect(),
            numbers: answer.width,
            layers: layers.map(|layer| image_shape(plan.network, layer)).collect::<Result<_, _>>()?,
        })
    }

    /// Batches whose outputs may be held at a time, at most `most`.
    pub(super) fn batches_at_once(&self, batch: usize, most: usize) -> usize {
        let of_image: usize = self.layers.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let bytes = of_image.saturating_mul(batch).saturating_mul(self.runs.len()).saturating_mul(size_of::<f32>());
        (HELD_BYTES / bytes.max(1)).clamp(1, most)
    }
}

/// The shape of a layer's output for one image: that of its value without the axis of the batch.
fn image_shape(network: &Network, layer: &MacLayer) -> Result<Vec<usize>, RunnerError> {
    let shape = network.graph().value(layer.output).shape.as_deref().unwrap_or_default();
    match (shape, network.batch()) {
        ([rows, rest @ ..], batch) if *rows == batch => Ok(rest.to_vec()),
        (shape, 1) => Ok(shape.to_vec()),
        (shape, batch) => Err(RunnerError::Layer {
            path: network.path().to_path_buf(),
            layer: layer.name.clone(),
            problem: format!(
                "its output of shape {shape:?} has no row for each of {batch} images, so that none is written"
            ),
        }),
    }
}
