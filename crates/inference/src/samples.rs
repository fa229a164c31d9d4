//! Images in the form that a network takes.

use network::Cause;

/// Why an image cannot be had: the error of whoever makes it, carried through.
pub type SampleError = Cause;

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
    /// Whatever is wrong with the image; the text names its file.
    fn sample(&self, index: usize) -> Result<Sample, SampleError>;
}

/// `batch` images from `start` on, one after another, and their labels; the last image stands in for those past the end.
///
/// # Errors
///
/// As [`Samples::sample`].
pub fn gather(
    samples: &dyn Samples,
    start: usize,
    batch: usize,
) -> Result<(Vec<f32>, Vec<Option<usize>>), SampleError> {
    let mut input = Vec::new();
    let mut labels = Vec::with_capacity(batch);
    for index in start..start + batch {
        let sample = samples.sample(index.min(samples.len() - 1))?;
        input.extend_from_slice(&sample.values);
        labels.push(sample.label);
    }
    Ok((input, labels))
}
