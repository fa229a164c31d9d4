//! Which output of a network is scored, and how its numbers become a class.

use network::{Mend, Network, ValueId};

use crate::error::RunnerError;
use crate::threshold::threshold;

/// The output that is scored, and how a class is read from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Its place among the outputs of the network, which compression does not change.
    pub output: usize,
    /// Numbers of one image.
    pub width: usize,
    /// How they become a class.
    pub decision: Decision,
}

/// How the numbers of an image become a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// The class of the largest number, the first of equals.
    Largest,
    /// Of one number: class 1 above this threshold, else class 0.
    Above(f32),
}

/// What a user says about the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerRequest {
    /// Name of the output; left out, it is chosen where only one can be meant.
    pub output: Option<String>,
    /// Threshold of an output of one number; left out, 0.5 of a probability, else 0.
    pub threshold: Option<f32>,
}

/// Parts of names of outputs that hold classes, not features or boxes.
const WORDS_OF_CLASSES: [&str; 6] = ["logit", "class", "prob", "softmax", "pred", "score"];

impl Answer {
    /// Decides which output is scored. Of several, the one that the request names; else the only one that could hold
    /// `labels`, the largest label of the images; else the only one of those whose name speaks of classes.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Answer`] where the choice is the user's, where the rows of the output are no images, or where the output
    /// is one number whose threshold only the user knows, as an integer is.
    pub fn of(network: &Network, request: &AnswerRequest, labels: Option<usize>) -> Result<Self, RunnerError> {
        let graph = network.graph();
        let place = choose(network, request, labels)?;
        let output = *graph.outputs().get(place).ok_or_else(|| RunnerError::Answer {
            path: network.path().to_path_buf(),
            output: String::new(),
            problem: "the network has none".to_string(),
            mend: None,
        })?;
        let value = graph.value(output);
        let refuse = |problem: String, mend: Option<Mend>| RunnerError::Answer {
            path: network.path().to_path_buf(),
            output: value.name.clone(),
            problem,
            mend,
        };
        let width = width(network, output).ok_or_else(|| {
            let rows = match network.batch() {
                1 => "one row for an image".to_string(),
                images => format!("a row for each of {images} images"),
            };
            let found = value.shape.as_ref().map_or("no known shape".to_string(), |shape| format!("shape {shape:?}"));
            refuse(format!("it has {found}; expected {rows}"), None)
        })?;
        let decision = match (width, request.threshold) {
            (1, Some(threshold)) => Decision::Above(threshold),
            (1, None) if value.data_type.is_some_and(|data_type| !data_type.is_real()) => {
                return Err(refuse(
                    "it is one integer; class 1 begins somewhere".to_string(),
                    Some(Mend::GiveThreshold),
                ));
            }
            (1, None) => Decision::Above(threshold(graph, output).ok_or_else(|| {
                let problem = "where class 1 begins is not clear: it is one number that is no sigmoid and never on both \
                               sides of 0, or is computed from a probability";
                refuse(problem.to_string(), Some(Mend::GiveThreshold))
            })?),
            (width, Some(_)) => {
                return Err(refuse(format!("it has {width} numbers for an image; a threshold is for one"), None));
            }
            (_, None) => Decision::Largest,
        };
        Ok(Self { output: place, width, decision })
    }

    /// The value that is scored.
    pub fn value(&self, network: &Network) -> ValueId {
        network.graph().outputs()[self.output]
    }

    /// Classes that are told apart.
    pub fn classes(&self) -> usize {
        match self.decision {
            Decision::Largest => self.width,
            Decision::Above(_) => 2,
        }
    }

    /// The class of an image.
    pub(crate) fn class(&self, numbers: &[f32]) -> usize {
        match self.decision {
            Decision::Largest => {
                numbers.iter().enumerate().fold(0, |best, (i, &x)| if x > numbers[best] { i } else { best })
            }
            Decision::Above(threshold) => usize::from(numbers.first().is_some_and(|&x| x > threshold)),
        }
    }
}

/// The output that is meant, by its place.
fn choose(network: &Network, request: &AnswerRequest, labels: Option<usize>) -> Result<usize, RunnerError> {
    let graph = network.graph();
    let name = |id: &ValueId| graph.value(*id).name.as_str();
    let undecided = |candidates: &[ValueId], problem: &str| {
        let shape =
            |id: &ValueId| graph.value(*id).shape.as_ref().map_or("?".to_string(), |shape| format!("{shape:?}"));
        let listed: Vec<String> = candidates.iter().map(|id| format!("{} {}", name(id), shape(id))).collect();
        RunnerError::Answer {
            path: network.path().to_path_buf(),
            output: request.output.clone().unwrap_or_default(),
            problem: format!("{problem}: {}", listed.join(", ")),
            mend: Some(Mend::NameOutput),
        }
    };
    let outputs = graph.outputs();
    if let Some(wanted) = &request.output {
        let found = outputs.iter().position(|id| name(id) == wanted);
        return found.ok_or_else(|| undecided(outputs, "there is no such output; there are"));
    }
    if outputs.len() < 2 {
        return Ok(0);
    }
    let fits = |place: &usize| match (width(network, outputs[*place]), labels) {
        (Some(1), Some(largest)) => largest < 2,
        (Some(width), Some(largest)) => largest < width,
        (width, None) => width.is_some(),
        (None, Some(_)) => false,
    };
    let fitting: Vec<usize> = (0..outputs.len()).filter(fits).collect();
    let speaks = |place: &&usize| {
        let name = name(&outputs[**place]).to_lowercase();
        WORDS_OF_CLASSES.iter().any(|word| name.contains(word))
    };
    match fitting.as_slice() {
        [one] => Ok(*one),
        several => match several.iter().filter(speaks).copied().collect::<Vec<_>>().as_slice() {
            [one] => Ok(*one),
            [] | [_, _, ..] => Err(undecided(outputs, "which of the outputs is scored is not clear")),
        },
    }
}

/// Numbers of one image in an output whose rows are images, at least one; none where they are not, or the shape is not known.
fn width(network: &Network, output: ValueId) -> Option<usize> {
    let width = match (network.graph().value(output).shape.as_deref()?, network.batch()) {
        ([], 1) => 1,
        // An output of one axis has no row for each image; of one image it is the row.
        ([numbers], 1) => *numbers,
        ([rows, rest @ ..], batch) if *rows == batch => rest.iter().product(),
        _ => return None,
    };
    (width > 0).then_some(width)
}
