//! The images of a sweep, each decoded once as far as memory allows.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use formats::images::{ImageError, ImageOptions, Images, NetworkInput, Preprocessing};
use inference::{Sample, SampleError, Samples};
use network::Network;
use runner::identity::{bytes_sha256, images_sha256};
use runner::{Answer, AnswerRequest, Form, ImageSamples, RunnerError, embedded};

use super::plan::{EMBEDDED, ImagesEntry, Plan, named};
use crate::configuration::ImagesIdentity;
use crate::error::ExploreError;

/// Images in the form that a network takes, each decoded when it is first asked for and kept as long as there is room.
#[derive(Debug)]
pub(super) struct KeptSamples {
    samples: ImageSamples,
    /// The first ones; those past the end are decoded each time.
    kept: Vec<OnceLock<Sample>>,
}

impl KeptSamples {
    fn new(samples: ImageSamples, bytes_each: u64, room: u64) -> Self {
        let fit = usize::try_from(room / bytes_each.max(1)).unwrap_or(usize::MAX).min(samples.len());
        Self { samples, kept: (0..fit).map(|_| OnceLock::new()).collect() }
    }
}

impl Samples for KeptSamples {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        let Some(place) = self.kept.get(index) else { return self.samples.sample(index) };
        if let Some(sample) = place.get() {
            return Ok(sample.clone());
        }
        // Two threads may decode the same image; neither waits for the other.
        let sample = self.samples.sample(index)?;
        Ok(place.get_or_init(|| sample).clone())
    }
}

/// The images of one table of a plan, paired with one network.
#[derive(Clone, Debug)]
pub(super) struct PairedImages {
    pub samples: Arc<KeptSamples>,
    /// How the network answers; none where no output can be scored.
    pub answer: Option<Answer>,
    pub identity: ImagesIdentity,
}

/// Opens the images of a plan for one network after another. Networks that take the same input share what is decoded.
pub(super) struct ImageOpener<'a> {
    plan: &'a Plan,
    entry: &'a ImagesEntry,
    sha256: String,
    /// Bytes that decoded images may still take.
    room: u64,
    opened: Vec<(Form, PairedImages)>,
}

impl<'a> ImageOpener<'a> {
    /// Looks the images up.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Named`] names the path if it cannot be read.
    pub fn new(plan: &'a Plan, entry: &'a ImagesEntry, room: u64) -> Result<Self, ExploreError> {
        let sha256 = match entry.path.as_str() {
            EMBEDDED => bytes_sha256(embedded::IMAGES),
            name => {
                let path = plan.locate(name);
                images_sha256(&path).map_err(|source| named(plan, &path, source))?
            }
        };
        Ok(Self { plan, entry, sha256, room, opened: Vec::new() })
    }

    /// Pairs the images with a network, which the plan calls `name`. Where the network is not scored on them, labels and outputs
    /// play no part.
    ///
    /// # Errors
    ///
    /// Those of reading images and preprocessing, and of a network that takes no images; labels that are no classes, and outputs
    /// of which none can be scored.
    pub fn pair(&mut self, network: &Network, name: &str, is_scored: bool) -> Result<PairedImages, ExploreError> {
        let (images, preprocessing) = self.open(network, name)?;
        let resolved = resolved(&preprocessing);
        let mut samples = ImageSamples::new(network, images, preprocessing)
            .map_err(|e| RunnerError::Inference { path: network.path().to_path_buf(), source: Box::new(e) })?;
        let request = AnswerRequest { output: self.entry.output.clone(), threshold: self.entry.threshold };
        if is_scored {
            samples = samples.with_answer(network, &request)?;
            samples.check_labels()?;
        }
        let (form, answer) = (samples.form().clone(), samples.answer());
        let identity = ImagesIdentity {
            sha256: self.sha256.clone(),
            images: samples.len(),
            preprocessing: resolved,
            layout: self.entry.layout,
            keeps_orientation: !self.entry.exif,
            coarse_labels: self.entry.coarse_labels,
            output: request.output,
            threshold: request.threshold,
        };
        if let Some((_, same)) = self.opened.iter().find(|(f, paired)| *f == form && paired.identity == identity) {
            return Ok(PairedImages { answer, ..same.clone() });
        }
        let bytes_each = 4 * form.input.example().iter().map(|&n| n as u64).product::<u64>();
        let kept = KeptSamples::new(samples, bytes_each, self.room);
        self.room -= kept.kept.len() as u64 * bytes_each;
        let paired = PairedImages { samples: Arc::new(kept), answer, identity };
        self.opened.push((form, paired.clone()));
        Ok(paired)
    }

    fn open(&self, network: &Network, name: &str) -> Result<(Images, Preprocessing), ExploreError> {
        let said = self.entry.preprocess.as_ref().map(Path::new);
        let explicit = said.map(|word| Preprocessing::open(self.plan.folder(), word)).transpose()?;
        let own = match name {
            EMBEDDED => Some(embedded::embedded_preprocessing()?),
            _ => Preprocessing::for_network(network.path())?,
        };
        let preprocessing = explicit.or(own);
        if self.entry.path == EMBEDDED {
            if self.entry.layout.is_some() {
                return Err(ImageError::NoArray { path: EMBEDDED.into() }.into());
            }
            let (images, theirs) = embedded::embedded_images(self.entry.limit)?;
            return Ok((images, preprocessing.unwrap_or(theirs)));
        }
        let input = NetworkInput::of(network, preprocessing.as_ref().and_then(|said| said.layout));
        let (limit, layout, choices) = (self.entry.limit, self.entry.layout, self.entry.choices());
        let options = ImageOptions { limit, layout, input, choices, ..ImageOptions::default() };
        let images = Images::open(&self.plan.locate(&self.entry.path), &options)?;
        let preprocessing = preprocessing.unwrap_or_else(|| Preprocessing::default_for(network, images.element()));
        Ok((images, preprocessing))
    }
}

/// Every value of a preprocessing. By way of text, where an `f32` has its shortest form.
fn resolved(preprocessing: &Preprocessing) -> serde_json::Value {
    let json = "numbers and words have a JSON form";
    serde_json::from_str(&serde_json::to_string(preprocessing).expect(json)).expect(json)
}
