//! Images, and how they become the input of a network.

use std::path::{Path, PathBuf};

use formats::images::{
    ArrayLayout, ImageChoices, ImageError, ImageOptions, Images, Labels, NetworkInput, PassedOver, Preprocessing,
};
use network::{DataType, Mend, Network, Note, NoteKind, ValueId};
use report::text::counted;
use report::write_file;
use runner::{AnswerRequest, Decision, ImageSamples, embedded_images, embedded_preprocessing};

use crate::error::{Error, Need};
use crate::open::check_graph;

/// Which images a network runs on, and how they become its input.
#[derive(Clone, Debug, Default)]
pub struct ImageRequest {
    /// A file or folder of images; none for those that belong to the embedded network.
    pub path: Option<PathBuf>,
    /// At most this many.
    pub limit: Option<usize>,
    /// How the axes of an array lie; none where the network's input decides.
    pub layout: Option<ArrayLayout>,
    /// How they are read.
    pub choices: ImageChoices,
    /// What is done to them; none for `NET.preprocess.toml` beside the network, else what fits the network's input.
    pub preprocessing: Option<Preprocessing>,
    /// Added to every label; none where the network's outputs decide.
    pub label_offset: Option<i64>,
    /// Whether labels play no part, so that they need not be those of the network's classes.
    pub unlabelled: bool,
    /// Which output is scored, and how, as far as the user says it.
    pub answer: AnswerRequest,
}

/// Images that fit a network.
#[derive(Debug)]
pub struct NetworkImages {
    /// Where they come from; none for those of the embedded network.
    pub path: Option<PathBuf>,
    /// How the axes of an array lie, where it was said.
    pub layout: Option<ArrayLayout>,
    /// The images as the network's input.
    pub samples: ImageSamples,
    /// What was decided for the user.
    pub notes: Vec<ImageNote>,
}

/// Something that was decided about images because the user did not say it.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageNote {
    /// Pixels are divided by 255 and nothing else is done to them.
    DividedBy255,
    /// Numbers are taken as they are: their type, and that of the network's input.
    AsTheyAre(DataType, DataType),
    /// The network takes unsigned 8-bit integers: pixels are fed as they are, 0 to 255.
    Bytes,
    /// The network takes signed 8-bit integers: pixels are fed as they are, minus 128.
    SignedBytes,
    /// The network has 1,001 outputs, background first: labels are counted from 1.
    LabelsFromOne,
    /// Images have another size than the network takes: height and width of the first, and of the input.
    Resized([usize; 2], [usize; 2]),
    /// Images have other channels than the network takes: those of the first, and of the input.
    Converted(usize, usize),
    /// Folders name other classes than the network has outputs, or numbers with a gap: the first classes, how many there are,
    /// and how many outputs.
    Folders(Vec<(usize, String)>, usize, usize),
    /// Of several outputs this one is scored, and not these.
    Output(String, Vec<String>),
    /// The network that answers are compared with has no output of the name that was asked for: the name, and its output that
    /// is compared.
    OutputOfReference(String, String),
    /// The output of this name has more than one axis for an image, of these extents, all of which are taken for classes.
    Map(String, Vec<usize>),
    /// The output is one number for an image: class 1 above this threshold, else class 0.
    Threshold(f32),
    /// Of an archive of several arrays, this one holds the images, and this one the labels.
    Arrays(String, Option<String>),
    /// Of an archive in parts, this one is read.
    Part(String),
    /// Labels are those of this file.
    LabelFile(String),
    /// There is no such file, so that there are no labels.
    NoLabelFile(String),
    /// Files that are not read, by what they are.
    PassedOver(Vec<PassedOver>),
    /// Classes without a picture.
    EmptyClasses(Vec<String>),
    /// So many of so many pictures are turned as their EXIF orientation says.
    Turned(usize, usize),
    /// So many of so many pictures are grey with 16 bits, of which what is above 255 is lost.
    Clipped(usize, usize),
    /// A manifest has these columns beside that of the files, and none is named as labels are.
    NoLabels(Vec<String>),
}

impl ImageNote {
    /// What decides otherwise.
    pub fn mend(&self) -> Option<Mend> {
        match self {
            ImageNote::DividedBy255 | ImageNote::AsTheyAre(..) => Some(Mend::ChangePreprocessing),
            ImageNote::PassedOver(_) => Some(Mend::RefusePassedOver),
            ImageNote::Turned(..) => Some(Mend::KeepOrientation),
            ImageNote::Output(..) => Some(Mend::ChooseOutput),
            ImageNote::Threshold(_) => Some(Mend::ChangeThreshold),
            ImageNote::LabelsFromOne => Some(Mend::CountLabelsFromZero),
            ImageNote::Bytes
            | ImageNote::SignedBytes
            | ImageNote::Resized(..)
            | ImageNote::Converted(..)
            | ImageNote::Folders(..)
            | ImageNote::Arrays(..)
            | ImageNote::EmptyClasses(_)
            | ImageNote::Part(_)
            | ImageNote::LabelFile(_)
            | ImageNote::NoLabelFile(_)
            | ImageNote::Clipped(..)
            | ImageNote::Map(..)
            | ImageNote::OutputOfReference(..)
            | ImageNote::NoLabels(..) => None,
        }
    }
}

impl std::fmt::Display for ImageNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageNote::Resized([height, width], [to_height, to_width]) => {
                write!(f, "images of {height}×{width} pixels are resized to {to_height}×{to_width}")
            }
            ImageNote::Converted(1, to) => write!(f, "grey images are given {to} equal channels"),
            ImageNote::Converted(from, to) => write!(f, "images of {from} channels are converted to {to}"),
            ImageNote::Folders(first, folders, outputs) => f.write_str(&classes(first, *folders, *outputs)),
            ImageNote::AsTheyAre(numbers, input) => {
                let (numbers, input) = (numbers.name(), input.name());
                write!(f, "the numbers, {numbers}, are taken as they are: the network takes {input}")
            }
            ImageNote::Arrays(images, Some(labels)) => {
                write!(f, "images are those of the array {images}, labels those of {labels}")
            }
            ImageNote::Arrays(images, None) => {
                write!(f, "images are those of the array {images}, without labels")
            }
            ImageNote::Part(part) => write!(f, "images are those of {part} in the archive"),
            ImageNote::LabelFile(file) => write!(f, "labels are those of {file}"),
            ImageNote::NoLabelFile(file) => write!(f, "there is no {file}, so that images have no labels"),
            ImageNote::PassedOver(kinds) => {
                let count: usize = kinds.iter().map(|kind| kind.count).sum();
                let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                let (files, are) = if count == 1 { ("file", "is") } else { ("files", "are") };
                write!(f, "{count} {files} in the place of the images {are} not read: {}", kinds.join(", "))
            }
            ImageNote::EmptyClasses(classes) => {
                let (count, word) = (classes.len(), if classes.len() == 1 { "class has" } else { "classes have" });
                write!(f, "{count} {word} no picture: {}", shortened(classes))
            }
            ImageNote::Turned(turned, all) => {
                write!(
                    f,
                    "{turned} of {all} pictures are turned as their EXIF orientation says, which torchvision does not do"
                )
            }
            ImageNote::Clipped(clipped, all) => {
                write!(
                    f,
                    "{clipped} of {all} pictures are grey with 16 bits, of which numbers above 255 become 255, as in Pillow"
                )
            }
            ImageNote::NoLabels(columns) => {
                let columns = columns.join(", ");
                write!(f, "no column of the manifest is named label or class, so that it has no labels: {columns}")
            }
            ImageNote::Output(name, others) => {
                write!(f, "of the outputs {name} is scored, and not {}", others.join(", "))
            }
            ImageNote::OutputOfReference(asked, compared) => {
                write!(f, "the reference has no output {asked}: its output {compared} is compared")
            }
            ImageNote::Map(name, extents) => {
                let extents: Vec<String> = extents.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the output {name} has {} numbers for an image: top-1 and agreement compare the largest of all of them, not \
                     the class of each place",
                    extents.join("×")
                )
            }
            ImageNote::Threshold(threshold) => {
                write!(f, "the output is one number: an image above {threshold} is of class 1, else of class 0")
            }
            ImageNote::DividedBy255 => f.write_str("pixels are divided by 255 and nothing else"),
            ImageNote::Bytes => f.write_str("the network takes 8-bit integers: pixels are fed as they are, 0 to 255"),
            ImageNote::SignedBytes => {
                f.write_str("the network takes 8-bit integers: pixels are fed as they are, 0 to 255, minus 128")
            }
            ImageNote::LabelsFromOne => {
                f.write_str("the network has 1,001 outputs, background first: labels are counted from 1")
            }
        }
    }
}

/// How many folders of classes there are, and the names of the first.
fn classes(first: &[(usize, String)], folders: usize, outputs: usize) -> String {
    let names: Vec<String> = first.iter().map(|(label, name)| format!("{label} is {name:?}")).collect();
    let (names, more) = (names.join(", "), if folders > first.len() { ", …" } else { "" });
    let (folders, outputs) = (counted(folders as u128, "folder"), counted(outputs as u128, "output"));
    format!("{folders} of classes and {outputs}: class {names}{more}")
}

/// The first names of a list, and whether there are more.
fn shortened(names: &[String]) -> String {
    /// So many are named.
    const NAMED: usize = 4;
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

/// Opens the images of a request for a network; none where the request names none and the network is not the embedded
/// one.
///
/// # Errors
///
/// Those of the images and their preprocessing; [`Error::NeedsGraph`] for weights alone.
pub fn images(network: &Network, embedded: bool, request: &ImageRequest) -> Result<Option<NetworkImages>, Error> {
    let preprocessing = |own| request.preprocessing.clone().or(own);
    match (&request.path, embedded) {
        (Some(path), _) => {
            check_graph(network, Need::Images)?;
            let preprocessing = preprocessing(own_preprocessing(network, embedded)?);
            let input = NetworkInput::of(network, preprocessing.as_ref().and_then(|said| said.layout));
            let (limit, layout, choices) = (request.limit, request.layout, request.choices);
            let options = ImageOptions { limit, layout, input, choices, ..ImageOptions::default() };
            pair(network, Images::open(path, &options)?, preprocessing, request).map(Some)
        }
        (None, true) => {
            if request.layout.is_some() {
                return Err(ImageError::NoArray { path: network.path().to_path_buf() }.into());
            }
            let (images, own) = embedded_images(request.limit)?;
            pair(network, images, preprocessing(Some(own)), request).map(Some)
        }
        (None, false) => Ok(None),
    }
}

/// The images of a request as the input of a network that answers are compared with. An output of the name that is asked
/// for is compared where the network has one. Else it is found as where none is asked for, and a note says which it is.
///
/// # Errors
///
/// As [`images`].
pub fn images_of_reference(
    reference: &Network,
    embedded: bool,
    request: ImageRequest,
) -> Result<Option<NetworkImages>, Error> {
    let graph = reference.graph();
    let has = |name: &String| graph.outputs().iter().any(|&id| graph.value(id).name == *name);
    let Some(asked) = request.answer.output.clone().filter(|name| !has(name)) else {
        return images(reference, embedded, &request);
    };
    let answer = AnswerRequest { output: None, ..request.answer };
    let mut found = images(reference, embedded, &ImageRequest { answer, ..request })?;
    if let Some(found) = &mut found {
        let compared = found.samples.answer().map(|answer| graph.value(answer.value(reference)).name.clone());
        found.notes.extend(compared.map(|compared| ImageNote::OutputOfReference(asked.clone(), compared)));
    }
    Ok(found)
}

/// Brings images and network together. `said` is the preprocessing that a person says, or that comes with the network.
fn pair(
    network: &Network,
    images: Images,
    said: Option<Preprocessing>,
    request: &ImageRequest,
) -> Result<NetworkImages, Error> {
    let mut notes = Vec::new();
    let preprocessing = match said {
        Some(said) => said,
        None => default_preprocessing(network, &images, &mut notes),
    };
    let samples = ImageSamples::new(network, images, preprocessing)
        .map_err(|e| Error::Inference { path: network.path().to_path_buf(), source: Box::new(e) })?;
    let samples = match request.unlabelled {
        true => samples,
        false => samples.with_answer(network, &request.answer)?,
    };
    let samples = match request.label_offset {
        Some(offset) => samples.with_label_offset(offset),
        None => samples,
    };
    if request.label_offset.is_none() && samples.form().label_offset > 0 {
        notes.push(ImageNote::LabelsFromOne);
    }
    if !request.unlabelled {
        samples.check_labels()?;
        notes.extend(answer_notes(network, &samples, &request.answer));
    }
    notes.extend(form_notes(&samples)?);
    Ok(NetworkImages { path: request.path.clone(), layout: request.layout, samples, notes })
}

/// What was decided about the output that is scored.
fn answer_notes(network: &Network, samples: &ImageSamples, request: &AnswerRequest) -> Vec<ImageNote> {
    let Some(answer) = samples.answer() else { return Vec::new() };
    let mut notes = Vec::new();
    let graph = network.graph();
    let name = |id: ValueId| graph.value(id).name.clone();
    if request.output.is_none() && graph.outputs().len() > 1 {
        let scored = answer.value(network);
        let others = graph.outputs().iter().copied().filter(|&id| id != scored).map(name);
        notes.push(ImageNote::Output(name(scored), others.collect()));
    }
    let scored = graph.value(answer.value(network));
    if let Some([_, extents @ ..]) = scored.shape.as_deref()
        && extents.iter().filter(|&&extent| extent > 1).count() > 1
    {
        notes.push(ImageNote::Map(scored.name.clone(), extents.to_vec()));
    }
    if let (Decision::Above(threshold), None) = (answer.decision, request.threshold) {
        notes.push(ImageNote::Threshold(threshold));
    }
    notes
}

/// What becomes of the form of images, as the first of them tells, and of the names of their folders.
fn form_notes(samples: &ImageSamples) -> Result<Vec<ImageNote>, Error> {
    /// Folders that are named.
    const NAMED: usize = 4;
    let mut notes = Vec::new();
    let images = samples.images();
    if images.is_empty() {
        return Ok(notes);
    }
    let found = images.findings();
    if let Some((images, labels)) = found.arrays {
        notes.push(ImageNote::Arrays(images, labels));
    }
    if !found.other_columns.is_empty() {
        notes.push(ImageNote::NoLabels(found.other_columns));
    }
    notes.extend(found.part.map(ImageNote::Part));
    notes.extend(found.labels.map(|labels| match labels {
        Labels::File(name) => ImageNote::LabelFile(name),
        Labels::Missing(name) => ImageNote::NoLabelFile(name),
    }));
    if !found.passed_over.is_empty() {
        notes.push(ImageNote::PassedOver(found.passed_over));
    }
    if !found.empty_classes.is_empty() {
        notes.push(ImageNote::EmptyClasses(found.empty_classes));
    }
    let looks = images.looks();
    if looks.turned > 0 {
        notes.push(ImageNote::Turned(looks.turned, images.len()));
    }
    if looks.clipped > 0 {
        notes.push(ImageNote::Clipped(looks.clipped, images.len()));
    }
    let first = images.get(0)?;
    let [channels, height, width] = samples.preprocessing().input_size(&first, &samples.form().input)?;
    if [first.height, first.width] != [height, width] {
        notes.push(ImageNote::Resized([first.height, first.width], [height, width]));
    }
    if first.channels != channels {
        notes.push(ImageNote::Converted(first.channels, channels));
    }
    if let (Some(classes), Some(outputs)) = (images.classes(), samples.classes())
        && classes.iter().map(|(label, _)| *label).ne(0..outputs)
    {
        notes.push(ImageNote::Folders(classes.iter().take(NAMED).cloned().collect(), classes.len(), outputs));
    }
    Ok(notes)
}

/// The preprocessing that comes with a network: that of the embedded one, or of the file `NET.preprocess.toml` beside
/// `NET.onnx`. None where nothing is said.
///
/// # Errors
///
/// Those of reading the file.
pub fn own_preprocessing(network: &Network, embedded: bool) -> Result<Option<Preprocessing>, Error> {
    Ok(match embedded {
        true => Some(embedded_preprocessing()?),
        false => Preprocessing::for_network(network.path())?,
    })
}

/// Writes what comes with a network beside a file that was made of it, as `OUT.preprocess.toml` beside `OUT.onnx`: read
/// with other numbers, the new network would be wrong about the same images. A file that is there already is left as it
/// is, and a note says so where it tells other numbers.
///
/// # Errors
///
/// [`Error::Output`]; those of reading the file that is there.
pub fn write_preprocessing(preprocessing: &Preprocessing, output: &Path) -> Result<Option<Note>, Error> {
    let path = output.with_extension("preprocess.toml");
    if path.exists() {
        let same = Preprocessing::read(&path).is_ok_and(|there| there == *preprocessing);
        let text =
            format!("{} was there, with other numbers than the network came with: {preprocessing}", path.display());
        return Ok((!same).then(|| Note::new(NoteKind::Unchanged, text)));
    }
    let text = preprocessing.to_toml();
    write_file(&path, |writer| writer.write_all(text.as_bytes()))?;
    let text = format!("{} says how images become its input", path.display());
    Ok(Some(Note::new(NoteKind::Consequence, text)))
}

/// What the input of a network needs of which nothing is said.
fn default_preprocessing(network: &Network, images: &Images, notes: &mut Vec<ImageNote>) -> Preprocessing {
    let default = Preprocessing::default_for(network, images.element());
    let input = network.graph().inputs().first().and_then(|&id| network.graph().value(id).data_type);
    let as_they_are = default.scale == 1.0 && default.mean.is_empty();
    let numbers = images.element().unwrap_or(DataType::U8);
    notes.push(match as_they_are {
        true if input == Some(DataType::U8) => ImageNote::Bytes,
        true => ImageNote::AsTheyAre(numbers, input.unwrap_or(numbers)),
        false if default.mean.is_empty() => ImageNote::DividedBy255,
        false => ImageNote::SignedBytes,
    });
    default
}

/// The preprocessing of a name (`unit`, `imagenet`, `none`) or of a TOML file.
///
/// # Errors
///
/// Those of reading the file.
pub fn preprocessing(name_or_file: &Path) -> Result<Preprocessing, Error> {
    Ok(Preprocessing::open(Path::new(""), name_or_file)?)
}

/// Preprocessing by numbers: pixels divided by `scale` (255 where there is none), then `mean` subtracted, then divided
/// by `std`; each one number, one a channel, or none.
///
/// # Errors
///
/// [`Error::Preprocessing`] if a number is not finite, or a divisor is 0.
pub fn preprocessing_by_numbers(scale: Option<f32>, mean: &[f32], std: &[f32]) -> Result<Preprocessing, Error> {
    let default = Preprocessing::default();
    let numbers =
        Preprocessing { scale: scale.unwrap_or(default.scale), mean: mean.to_vec(), std: std.to_vec(), ..default };
    numbers.check().map_err(|problem| Error::Preprocessing { problem })?;
    Ok(numbers)
}
