//! Images of a file in the form that a network takes.

use formats::images::{Images, NetworkInput, Preprocessing};
use inference::{InferenceError, Sample, SampleError, Samples};
use network::{ErrorKind, Network};

use crate::answer::{Answer, AnswerRequest};
use crate::error::RunnerError;

/// Images of a file or folder. Each is preprocessed for one network at the moment it is asked for.
#[derive(Debug)]
pub struct ImageSamples {
    images: Images,
    preprocessing: Preprocessing,
    /// What the network takes.
    form: Form,
    /// How the network answers; none where no output can be scored without the user's word.
    answer: Option<Answer>,
}

/// The form of the images that a network takes. Two networks of equal form can share preprocessed images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The input, and where its channels lie: as the preprocessing says, else as an array of its shape has them.
    pub input: NetworkInput,
    /// What is added to every label: 1 where the network's first class is a background that the images do not have.
    pub label_offset: i64,
}

impl ImageSamples {
    /// Pairs images with the network that is to see them.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] unless the network has exactly one input, of known shape; [`InferenceError::Sample`] for
    /// a preprocessing with numbers for other channels than the network's.
    pub fn new(network: &Network, images: Images, preprocessing: Preprocessing) -> Result<Self, InferenceError> {
        let said = preprocessing.layout;
        let mut input = NetworkInput::of(network, said).ok_or_else(|| InferenceError::Unsupported {
            place: "graph".to_string(),
            problem: format!(
                "{} inputs; a network of one input of known shape is expected",
                network.graph().inputs().len()
            ),
        })?;
        let shape = &input.shape;
        if shape.len() > 1 && shape[0] != network.batch() {
            return Err(InferenceError::Unsupported {
                place: "graph".to_string(),
                problem: format!("an input {shape:?} whose first axis is no batch; images are fed along one"),
            });
        }
        input.layout = said.or(images.fitted()).or(input.layout);
        let fits = input.channels().map_or(Ok(()), |channels| preprocessing.check_channels(channels));
        fits.map_err(|problem| SampleError::told(ErrorKind::BadArgument, problem))?;
        let answer = Answer::of(network, &AnswerRequest::default(), largest_label(&images)).ok();
        let label_offset = background(answer, &images);
        Ok(Self { images, preprocessing, form: Form { input, label_offset }, answer })
    }

    /// The same with the answer that a user asks for. It stays open where the shape of an output is not known: such a network
    /// cannot run, and says why.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Answer`] where no output can be scored.
    pub fn with_answer(mut self, network: &Network, request: &AnswerRequest) -> Result<Self, RunnerError> {
        let graph = network.graph();
        let is_known = graph.outputs().iter().all(|&id| graph.value(id).shape.is_some());
        let answer = Answer::of(network, request, largest_label(&self.images));
        self.answer = if is_known { Some(answer?) } else { answer.ok() };
        self.form.label_offset = background(self.answer, &self.images);
        Ok(self)
    }

    /// Adds `offset` to every label, in place of the offset that was found.
    pub fn with_label_offset(mut self, offset: i64) -> Self {
        self.form.label_offset = offset;
        self
    }

    /// Refuses labels that no class of the network has.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Label`] names the first.
    pub fn check_labels(&self) -> Result<(), RunnerError> {
        let Some(classes) = self.classes() else { return Ok(()) };
        let shifted = (0..self.images.len()).filter_map(|image| Some((image, self.shifted(self.images.label(image)?))));
        let is_wrong = |(_, label): &(usize, i64)| usize::try_from(*label).map_or(true, |label| label >= classes);
        match shifted.into_iter().find(is_wrong) {
            Some((image, label)) => {
                let labels = (0..self.images.len()).filter_map(|image| self.images.label(image));
                let from_one = labels.clone().min() == Some(1) && labels.max() == Some(classes);
                Err(RunnerError::Label { image, label, classes, from_one })
            }
            None => Ok(()),
        }
    }

    /// The images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// What is done to them.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// How the network answers; none where no output can be scored without the user's word.
    pub fn answer(&self) -> Option<Answer> {
        self.answer
    }

    /// Classes that the network tells apart, where that is known.
    pub fn classes(&self) -> Option<usize> {
        self.answer.map(|answer| answer.classes())
    }

    fn shifted(&self, label: usize) -> i64 {
        i64::try_from(label).unwrap_or(i64::MAX).saturating_add(self.form.label_offset)
    }

    /// The form of the images that the network takes.
    pub fn form(&self) -> &Form {
        &self.form
    }
}

impl Samples for ImageSamples {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        let values = self.images.input(index, &self.preprocessing, &self.form.input)?;
        let label = self.images.label(index).and_then(|label| usize::try_from(self.shifted(label)).ok());
        Ok(Sample { values, label })
    }
}

/// The largest label of the images; none without labels.
fn largest_label(images: &Images) -> Option<usize> {
    (0..images.len()).filter_map(|image| images.label(image)).max()
}

/// The offset of the labels: 1 for a network of 1,001 outputs whose images have labels below 1,000. Networks of
/// TensorFlow have one class of background before the 1,000 classes of ImageNet.
fn background(answer: Option<Answer>, images: &Images) -> i64 {
    const CLASSES: usize = 1000;
    let below = largest_label(images).is_none_or(|label| label < CLASSES);
    i64::from(answer.is_some_and(|answer| answer.classes() == CLASSES + 1) && below)
}
