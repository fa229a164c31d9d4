//! What a network answers on images, on every engine: kept in memory, for arrays of NumPy.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use runner::{ImageOutputs, OutputForm, OutputSink, RunnerError};

/// Stands for a label that an image does not have.
const NO_LABEL: i64 = -1;

/// What came of every image, row-major.
#[derive(Default)]
struct Taken {
    form: Option<OutputForm>,
    /// `[images]`.
    labels: Vec<i64>,
    /// `[images, runs]`: the class that is named.
    classes: Vec<i64>,
    /// `[images, runs, numbers]`: the output that is scored.
    numbers: Vec<f32>,
}

/// Takes answers as they come.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Taken>);

impl OutputSink for Answers {
    fn takes_layers(&self) -> bool {
        false
    }

    fn begin(&self, form: OutputForm) -> Result<(), RunnerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).form = Some(form);
        Ok(())
    }

    fn take(&self, images: &ImageOutputs<'_>) -> Result<(), RunnerError> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let width = taken.form.as_ref().map_or(0, |form| form.numbers);
        for (i, label) in images.labels.iter().enumerate() {
            // There are far fewer classes than integers.
            taken.labels.push(label.map_or(NO_LABEL, |label| label as i64));
            taken.classes.extend(images.runs.iter().map(|run| run.classes[i] as i64));
            for run in &images.runs {
                taken.numbers.extend_from_slice(&run.numbers[i * width..][..width]);
            }
        }
        Ok(())
    }
}

/// How a network does on images.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Evaluation {
    /// Scores, as the command writes them in the JSON of a simulation.
    #[pyo3(get)]
    json: String,
    /// The table as the command prints it.
    #[pyo3(get)]
    text: String,
    /// What there is to know, one line each.
    #[pyo3(get)]
    notes: Vec<String>,
    taken: Taken,
}

impl Evaluation {
    pub(crate) fn new(json: String, text: String, notes: Vec<String>, answers: Answers) -> Self {
        let taken = answers.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { json, text, notes, taken }
    }
}

#[pymethods]
impl Evaluation {
    /// The runs, in order: `float`, then the names of each group of hardware that computes the same.
    #[getter]
    fn runs(&self) -> Vec<Vec<String>> {
        self.taken.form.as_ref().map_or_else(Vec::new, |form| form.runs.clone())
    }

    /// Numbers of an image in the output that is scored.
    #[getter]
    fn numbers(&self) -> usize {
        self.taken.form.as_ref().map_or(0, |form| form.numbers)
    }

    /// `[images]` of `int64` in the order of this machine's bytes; -1 where an image has no label.
    fn labels<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.taken.labels, |label| label.to_ne_bytes())
    }

    /// `[images, runs]` of `int64`: the class that is named.
    fn classes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.taken.classes, |class| class.to_ne_bytes())
    }

    /// `[images, runs, numbers]` of `float32`: the output that is scored.
    fn logits<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.taken.numbers, |number| number.to_ne_bytes())
    }
}

fn bytes<'py, T: Copy, const N: usize>(py: Python<'py>, all: &[T], of: impl Fn(T) -> [u8; N]) -> Bound<'py, PyBytes> {
    let flat: Vec<u8> = all.iter().flat_map(|&each| of(each)).collect();
    PyBytes::new(py, &flat)
}
