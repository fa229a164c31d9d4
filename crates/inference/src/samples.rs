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
    /// Shape of the network's input, batch first.
    input_shape: Vec<usize>,
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
        Ok(Self { images, preprocessing, input_shape })
    }
}

impl Samples for ImageSamples {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, ImageError> {
        let image = self.images.get(index)?;
        let values = self.preprocessing.apply(&image, &self.input_shape)?;
        Ok(Sample { values, label: self.images.label(index) })
    }
}
