//! Images in the form that a network takes.

use network::Network;

use crate::error::InferenceError;
use crate::images::{ImageError, Images, Preprocessing};

/// One image, ready to be fed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The network's input for one image, row-major, without the batch axis.
    pub values: Vec<f32>,
    /// The class, where known.
    pub label: Option<usize>,
}

/// Images in a fixed order, each made when it is asked for.
pub trait Samples: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image at `index`, below [`Samples::len`].
    ///
    /// # Errors
    ///
    /// [`ImageError`] names the file and what is wrong with it.
    fn sample(&self, index: usize) -> Result<Sample, ImageError>;
}

/// `batch` images from `start` on, one after another, and their labels; the last image stands in for those past the end.
///
/// # Errors
///
/// As [`Samples::sample`].
pub fn gather(samples: &dyn Samples, start: usize, batch: usize) -> Result<(Vec<f32>, Vec<Option<usize>>), ImageError> {
    let mut input = Vec::new();
    let mut labels = Vec::with_capacity(batch);
    for index in start..start + batch {
        let sample = samples.sample(index.min(samples.len() - 1))?;
        input.extend_from_slice(&sample.values);
        labels.push(sample.label);
    }
    Ok((input, labels))
}

/// Images of a file or folder, preprocessed for one network when they are asked for.
#[derive(Debug)]
pub struct ImageSamples {
    images: Images,
    preprocessing: Preprocessing,
    /// What the network takes.
    form: Form,
}

/// What of a network decides about the images it is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Shape of the input, batch first.
    pub input_shape: Vec<usize>,
    /// Whether the input is of an integer type.
    pub integers: bool,
    /// What is added to labels: 1 where the network has a class of background before those of the images.
    pub label_offset: usize,
}

impl ImageSamples {
    /// Pairs images with the network that is to see them.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] unless the network has exactly one input, of known shape.
    pub fn new(network: &Network, images: Images, preprocessing: Preprocessing) -> Result<Self, InferenceError> {
        let graph = network.graph();
        let shape = match graph.inputs.as_slice() {
            [input] => graph.value(*input).shape.clone(),
            _ => None,
        };
        let input_shape = shape.ok_or_else(|| InferenceError::Unsupported {
            place: "graph".to_string(),
            problem: format!("{} inputs; a network of one input of known shape is expected", graph.inputs.len()),
        })?;
        let input_type = graph.inputs.first().and_then(|&id| graph.value(id).data_type);
        let integers = input_type.is_some_and(|data_type| !data_type.is_real());
        let label_offset = background(network, &images);
        Ok(Self { images, preprocessing, form: Form { input_shape, integers, label_offset } })
    }

    /// Adds `offset` to every label, instead of what was found out.
    pub fn with_label_offset(mut self, offset: usize) -> Self {
        self.form.label_offset = offset;
        self
    }

    /// What of the network decides about the images.
    pub fn form(&self) -> &Form {
        &self.form
    }
}

impl Samples for ImageSamples {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, ImageError> {
        let image = self.images.get(index)?;
        let values = match self.form.integers {
            true => self.preprocessing.apply_to_integers(&image, &self.form.input_shape)?,
            false => self.preprocessing.apply(&image, &self.form.input_shape)?,
        };
        Ok(Sample { values, label: self.images.label(index).map(|label| label + self.form.label_offset) })
    }
}

/// 1 for a network of 1,001 outputs and labels that end before 1,000: the 1,000 classes of ImageNet behind one of
/// background, as the networks of TensorFlow have them.
fn background(network: &Network, images: &Images) -> usize {
    const CLASSES: usize = 1000;
    let output = network.graph().outputs.first().and_then(|&id| network.graph().value(id).shape.as_ref());
    let outputs = output.map(|shape| shape.iter().skip(1).product::<usize>());
    let below = (0..images.len()).filter_map(|i| images.label(i)).all(|label| label < CLASSES);
    usize::from(outputs == Some(CLASSES + 1) && below)
}
