//! What runs compute on images, as files: outputs of the network, classes, and outputs of every layer.
//!
//! Numbers are written as they come, so that memory holds a few batches, and each file takes its name at the end of the run.
//! `docs/output.md` documents them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use formats::npy;
use network::Network;
use runner::{ImageOutputs, OutputForm, OutputSink, RunnerError};
use serde::Serialize;

use crate::file::{OutputError, WholeFile, write_file};

/// Characters of a layer's name in the name of a file.
const NAME_WIDTH: usize = 80;

/// The file of images, by their place, where each has one of its own.
pub type ImageFile<'a> = dyn Fn(usize) -> Option<PathBuf> + Sync + 'a;

/// Which files are asked for.
#[derive(Clone, Debug, Default)]
pub struct OutputRequest {
    /// What each run computes, as `.npy` or `.csv`.
    pub logits: Option<PathBuf>,
    /// The class that each run names, as CSV.
    pub predictions: Option<PathBuf>,
    /// The folder of the outputs of every layer.
    pub layers: Option<PathBuf>,
}

/// Files of what runs compute, under way.
pub struct OutputFiles<'a> {
    request: &'a OutputRequest,
    /// Names of the layers.
    layers: Vec<String>,
    image_file: &'a ImageFile<'a>,
    state: Mutex<State>,
}

/// What has been begun.
#[derive(Default)]
struct State {
    form: Option<OutputForm>,
    /// Images that were taken.
    taken: usize,
    logits: Option<WholeFile>,
    predictions: Option<WholeFile>,
    layers: Vec<WholeFile>,
}

/// What stands in the folder of layers beside their outputs.
#[derive(Serialize)]
struct Index<'a> {
    images: usize,
    runs: &'a [Vec<String>],
    layers: Vec<LayerEntry<'a>>,
}

/// The file of a layer.
#[derive(Serialize)]
struct LayerEntry<'a> {
    file: String,
    layer: &'a str,
    shape: Vec<usize>,
}

/// The name of the file that tells what is in a folder of layers.
const INDEX: &str = "index.json";

impl OutputRequest {
    /// Whether any file is asked for.
    pub fn is_empty(&self) -> bool {
        self.logits.is_none() && self.predictions.is_none() && self.layers.is_none()
    }

    /// Every file that will be written for a network.
    pub fn files(&self, network: &Network) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.logits.iter().chain(&self.predictions).cloned().collect();
        if let Some(folder) = &self.layers {
            let names = network.layers().iter().map(|layer| layer.name.as_str());
            files.extend(names.enumerate().map(|(place, name)| folder.join(layer_file(place, name))));
            files.push(folder.join(INDEX));
        }
        files
    }
}

impl<'a> OutputFiles<'a> {
    /// Begins nothing yet. `image_file` tells the file of an image.
    pub fn new(request: &'a OutputRequest, network: &Network, image_file: &'a ImageFile<'a>) -> Self {
        let layers = network.layers().iter().map(|layer| layer.name.clone()).collect();
        Self { request, layers, image_file, state: Mutex::default() }
    }

    /// Completes the files, and returns what was written, one line a file.
    ///
    /// # Errors
    ///
    /// [`OutputError`] names a file that cannot be written.
    pub fn complete(self) -> Result<Vec<String>, OutputError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(form) = state.form else { return Ok(Vec::new()) };
        let runs = form.runs.iter().map(|names| names.join(", ")).collect::<Vec<_>>().join("; ");
        let mut lines = Vec::new();
        for (file, axes) in [(state.logits, "outputs"), (state.predictions, "classes")] {
            let Some(file) = file else { continue };
            lines.push(format!("{}: {axes} of {} images; runs: {runs}", file.path().display(), form.images));
            file.complete()?;
        }
        let shape = |of_image: &Vec<usize>| [&[form.images, form.runs.len()][..], of_image].concat();
        let entries = self.layers.iter().zip(&form.layers).enumerate().map(|(place, (layer, of_image))| LayerEntry {
            file: layer_file(place, layer),
            layer,
            shape: shape(of_image),
        });
        let index = Index { images: form.images, runs: &form.runs, layers: entries.collect() };
        state.layers.into_iter().try_for_each(WholeFile::complete)?;
        if let Some(folder) = &self.request.layers {
            let layers = index.layers.len();
            lines.push(format!("{}: outputs of {layers} layers; {INDEX} names files and runs", folder.display()));
            write_file(&folder.join(INDEX), |writer| {
                serde_json::to_writer_pretty(&mut *writer, &index)?;
                writer.write_all(b"\n")
            })?;
        }
        Ok(lines)
    }

    fn begin_files(&self, form: &OutputForm, state: &mut State) -> Result<(), RunnerError> {
        let create = |path: &Path| WholeFile::create(path).map_err(failed);
        let shape = |of_image: &[usize]| [&[form.images, form.runs.len()], of_image].concat();
        state.logits = self.request.logits.as_deref().map(create).transpose()?;
        state.predictions = self.request.predictions.as_deref().map(create).transpose()?;
        if let Some(file) = &mut state.logits {
            let begun = match is_csv(file.path()) {
                true => csv_row(file, logit_columns(form.numbers)),
                false => file.write_all(&npy::header("<f4", &shape(&[form.numbers]))),
            };
            written(file, begun)?;
        }
        if let Some(file) = &mut state.predictions {
            let begun = csv_row(file, prediction_columns(form));
            written(file, begun)?;
        }
        let Some(folder) = &self.request.layers else { return Ok(()) };
        for (place, (name, of_image)) in self.layers.iter().zip(&form.layers).enumerate() {
            let mut file = create(&folder.join(layer_file(place, name)))?;
            let begun = file.write_all(&npy::header("<f4", &shape(of_image)));
            written(&file, begun)?;
            state.layers.push(file);
        }
        Ok(())
    }
}

impl OutputSink for OutputFiles<'_> {
    fn takes_layers(&self) -> bool {
        self.request.layers.is_some()
    }

    fn begin(&self, form: OutputForm) -> Result<(), RunnerError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin_files(&form, &mut state)?;
        state.form = Some(form);
        Ok(())
    }

    fn take(&self, images: &ImageOutputs<'_>) -> Result<(), RunnerError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { form, taken, logits, predictions, layers } = &mut *state;
        let Some(form) = form else { return Ok(()) };
        for (i, &label) in images.labels.iter().enumerate() {
            let image = *taken + i;
            if let Some(file) = logits {
                let done = write_logits(file, form, (image, i), images);
                written(file, done)?;
            }
            if let Some(file) = predictions {
                let path = (self.image_file)(image).map(|path| path.display().to_string()).unwrap_or_default();
                let cells = [image.to_string(), path, label.map(|label| label.to_string()).unwrap_or_default()];
                let classes =
                    form.runs.iter().zip(&images.runs).flat_map(|(names, run)| names.iter().map(|_| run.classes[i]));
                let done = csv_row(file, cells.into_iter().chain(classes.map(|class| class.to_string())));
                written(file, done)?;
            }
            for (l, file) in layers.iter_mut().enumerate() {
                let len: usize = form.layers[l].iter().product();
                let done = images.runs.iter().try_for_each(|run| write_numbers(file, &run.layers[l][i * len..][..len]));
                written(file, done)?;
            }
        }
        *taken += images.labels.len();
        Ok(())
    }
}

/// Writes what every run made of an image: its place in all, and among those that came together.
fn write_logits(
    file: &mut WholeFile,
    form: &OutputForm,
    (image, i): (usize, usize),
    images: &ImageOutputs<'_>,
) -> io::Result<()> {
    let as_csv = is_csv(file.path());
    for (names, run) in form.runs.iter().zip(&images.runs) {
        let numbers = &run.numbers[i * form.numbers..][..form.numbers];
        if as_csv {
            let label = images.labels[i].map(|label| label.to_string()).unwrap_or_default();
            let cells = [image.to_string(), label, names.join(";"), run.classes[i].to_string()];
            csv_row(file, cells.into_iter().chain(numbers.iter().map(|number| format!("{number:?}"))))?;
        } else {
            write_numbers(file, numbers)?;
        }
    }
    Ok(())
}

fn logit_columns(numbers: usize) -> impl Iterator<Item = String> {
    ["image", "label", "run", "class"].map(str::to_string).into_iter().chain((0..numbers).map(|n| format!("output{n}")))
}

fn prediction_columns(form: &OutputForm) -> impl Iterator<Item = String> + '_ {
    ["image", "file", "label"].map(str::to_string).into_iter().chain(form.runs.iter().flatten().cloned())
}

fn csv_row(file: &mut WholeFile, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(cells.collect::<Vec<_>>())?;
    csv.flush()
}

fn write_numbers(file: &mut WholeFile, numbers: &[f32]) -> io::Result<()> {
    numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))
}

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// `001-conv1.npy`: the place of the layer, from 1 on, and its name in characters that file systems take.
fn layer_file(place: usize, name: &str) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '#') { c } else { '_' };
    let name: String = name.trim_start_matches(['/', '.']).chars().map(tame).collect();
    let cut = name.len().saturating_sub(NAME_WIDTH);
    format!("{:03}-{}.npy", place + 1, &name[cut..])
}

fn written(file: &WholeFile, result: io::Result<()>) -> Result<(), RunnerError> {
    result.map_err(|e| RunnerError::Output { path: file.path().to_path_buf(), problem: e.to_string() })
}

fn failed(OutputError { path, problem }: OutputError) -> RunnerError {
    RunnerError::Output { path, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_layers_become_names_of_files() {
        assert_eq!(layer_file(0, "/conv1/Conv"), "001-conv1_Conv.npy");
        assert_eq!(layer_file(11, "../../é:\n#2"), "012-___#2.npy");
        assert_eq!(layer_file(1000, &"x".repeat(300)), format!("1001-{}.npy", "x".repeat(80)));
    }
}
