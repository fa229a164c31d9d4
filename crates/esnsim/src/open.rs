//! What a run starts from: a network, hardware, images.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use compress::{FindStepOptions, FindStepReport};
use esn::BitWidth;
use formats::ReadOptions;
use formats::images::{ImageOptions, Images, Preprocessing};
use network::{LayerId, LayerWeights, Mend, Network, Note, NoteKind, WeightValues};
use runner::{Hardware, ImageSamples, Metric, Quantization, embedded_images, embedded_network, is_quantized};

use crate::error::{Error, Need};

/// How a network is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// What the reader is told.
    pub read: ReadOptions,
    /// Looks for the grid that real weights already lie on ([`find_steps()`]) and puts them on it.
    pub find_steps: bool,
}

/// A network that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The network; where steps were found, on their grid.
    pub network: Network,
    /// What the search for steps found; none where nobody asked.
    pub steps: Option<FindStepReport>,
}

impl Opened {
    /// How real weights are quantized: to the width that was asked for. A width beside a search for steps is for layers
    /// without a step; where every layer has one, the width has nothing left to do and is dropped.
    pub fn quantization(&self, bits: Option<BitWidth>) -> Quantization {
        let unused = self.steps.is_some() && self.network.layers().iter().all(is_quantized);
        Quantization::new(bits.filter(|_| !unused))
    }

    /// Refuses a network some of whose weights are real although their steps were asked for and no width was: which
    /// layers a figure counts as found and which as quantized here must be the user's choice.
    ///
    /// # Errors
    ///
    /// [`Error::NoStep`] names the first layer without a step, and why it has none.
    pub fn check_steps(&self, bits: Option<BitWidth>) -> Result<(), Error> {
        let Some(report) = self.steps.as_ref().filter(|_| bits.is_none()) else { return Ok(()) };
        let Some(real) = self.network.layers().iter().find(|layer| !is_quantized(layer)) else { return Ok(()) };
        let reason = report.refused().find(|(layer, _)| *layer == real.name).map(|(_, reason)| reason.to_string());
        Err(Error::NoStep { path: self.network.path().to_path_buf(), layer: real.name.clone(), reason })
    }
}

/// Opens a network file, or the embedded network where there is no path.
///
/// # Errors
///
/// Those of the file's reader, and of the search for steps.
pub fn open(path: Option<&Path>, options: &OpenOptions) -> Result<Opened, Error> {
    let network = match path {
        Some(path) => formats::read(path, &options.read)?,
        None => embedded_network()?,
    };
    match options.find_steps {
        true => find_steps(&network, options.read.grid),
        false => {
            let notes = network.notes().iter().cloned().chain(grid_note(&network)?).collect();
            Ok(Opened { network: network.with_notes(notes), steps: None })
        }
    }
}

/// Says so where real weights take so few values that they seem to lie on a grid already, as those of a network that was
/// fake-quantized do: rounded once more, to another grid, they are no longer what was trained. One layer is looked at, the
/// largest that is quickly read.
fn grid_note(network: &Network) -> Result<Option<Note>, Error> {
    /// Layers of more weights would take a while.
    const MOST_WEIGHTS: u64 = 1 << 22;
    /// Levels of an 8-bit grid.
    const FEW_VALUES: usize = 256;
    let weights = |layer: usize| network.layers()[layer].geometry.weight_shape().len().unwrap_or(usize::MAX) as u64;
    let is_looked_at = |&layer: &usize| {
        let few = (4 * FEW_VALUES as u64..=MOST_WEIGHTS).contains(&weights(layer));
        few && !is_quantized(&network.layers()[layer])
    };
    let Some(layer) = (0..network.layers().len()).filter(is_looked_at).max_by_key(|&layer| weights(layer)) else {
        return Ok(None);
    };
    let values = match network.weights(LayerId(layer))? {
        LayerWeights::Float(WeightValues::F32(values)) => {
            at_most(FEW_VALUES, values.iter().map(|x| u64::from(x.to_bits())))
        }
        LayerWeights::Float(WeightValues::F64(values)) => at_most(FEW_VALUES, values.iter().map(|x| x.to_bits())),
        LayerWeights::Quantized { .. } => None,
    };
    let name = &network.layers()[layer].name;
    Ok(values.map(|values| {
        let text = format!(
            "its {} real weights take {values} values alone: they seem to lie on a grid already",
            weights(layer)
        );
        Note::of_layer(NoteKind::Assumed, name, text).mended_by(Mend::FindSteps)
    }))
}

/// How many different numbers there are; none where there are more than `most`.
fn at_most(most: usize, numbers: impl Iterator<Item = u64>) -> Option<usize> {
    let mut seen = HashSet::new();
    for number in numbers {
        if seen.insert(number) && seen.len() > most {
            return None;
        }
    }
    Some(seen.len())
}

/// Looks for the steps of all layers with real weights and puts those that have one on their grid.
///
/// # Errors
///
/// [`Error::Network`] for weights that are garbled or not finite.
pub fn find_steps(network: &Network, grid: Option<esn::Grid>) -> Result<Opened, Error> {
    let found = compress::find_steps(network, &FindStepOptions { grid });
    let (network, report) = found.map_err(Error::compress(network.path()))?;
    Ok(Opened { network, steps: Some(report) })
}

/// Opens hardware descriptions, by file, by the name of a preset or by `ideal`, which stands for the three ideal engines;
/// without any, these three.
///
/// # Errors
///
/// Those of a description; [`Error::SameName`] where two have one name, for the name tells them apart in every output.
pub fn hardware(paths: &[PathBuf]) -> Result<Vec<Hardware>, Error> {
    if paths.is_empty() {
        return Ok(Hardware::ideal());
    }
    let mut opened: Vec<(&PathBuf, Hardware)> = Vec::new();
    for path in paths {
        for hardware in Hardware::open_all(Path::new(""), path)? {
            let name = hardware.engine.name();
            if let Some((other, _)) = opened.iter().find(|(_, other)| other.engine.name() == name) {
                let (first, second) = ((*other).clone(), path.clone());
                return Err(Error::SameName { first, second, name: name.to_string() });
            }
            opened.push((path, hardware));
        }
    }
    Ok(opened.into_iter().map(|(_, hardware)| hardware).collect())
}

/// The one machine that a trace shows: that of a description or a preset; without either, the ideal digital array.
///
/// # Errors
///
/// Those of the description.
pub fn traced_hardware(path: Option<&Path>) -> Result<Hardware, Error> {
    match path {
        Some(path) => Ok(Hardware::open(path)?),
        None => {
            let digital = Hardware::ideal().into_iter().find(|hardware| hardware.metric == Metric::EsnD);
            Ok(digital.expect("an ideal engine is digital"))
        }
    }
}

/// The hardware of a landscape: as [`hardware()`]; without any description, the ideal engines and every preset.
///
/// # Errors
///
/// As [`hardware()`].
pub fn landscape_hardware(paths: &[PathBuf]) -> Result<Vec<Hardware>, Error> {
    match paths {
        [] => Ok(Hardware::ideal().into_iter().chain(Hardware::presets()).collect()),
        paths => hardware(paths),
    }
}

/// The MAC layer of a name, else of a place: `"3"` is the third, counted from 1 in order of execution.
///
/// # Errors
///
/// [`Error::NoLayer`] if there is neither.
pub fn find_layer(network: &Network, wanted: &str) -> Result<LayerId, Error> {
    let layers = network.layers();
    if let Some(index) = layers.iter().position(|layer| layer.name == wanted) {
        return Ok(LayerId(index));
    }
    match wanted.parse::<usize>() {
        Ok(place) if (1..=layers.len()).contains(&place) => Ok(LayerId(place - 1)),
        _ => {
            Err(Error::NoLayer { path: network.path().to_path_buf(), wanted: wanted.to_string(), layers: layers.len() })
        }
    }
}

/// Refuses weights without a graph where something needs to know how they are connected.
///
/// # Errors
///
/// [`Error::NeedsGraph`].
pub fn check_graph(network: &Network, need: Need) -> Result<(), Error> {
    match network.has_graph() {
        true => Ok(()),
        false => Err(Error::NeedsGraph { path: network.path().to_path_buf(), need }),
    }
}

/// Which images a network runs on, and how they become its input.
#[derive(Clone, Debug, Default)]
pub struct ImageRequest {
    /// A file or folder of images; none for those that belong to the embedded network.
    pub path: Option<PathBuf>,
    /// At most this many.
    pub limit: Option<usize>,
    /// What is done to them; none for `NET.preprocess.toml` beside the network, else what fits the network's input.
    pub preprocessing: Option<Preprocessing>,
    /// Added to every label; none where the network's outputs decide.
    pub label_offset: Option<i64>,
    /// Whether labels play no part, so that they need not be those of the network's classes.
    pub unlabelled: bool,
}

/// Images that fit a network.
#[derive(Debug)]
pub struct NetworkImages {
    /// The images as the network's input.
    pub samples: ImageSamples,
    /// What was decided for the user.
    pub notes: Vec<ImageNote>,
}

/// Something that was decided about images because the user did not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageNote {
    /// Pixels are divided by 255 and nothing else is done to them.
    DividedBy255,
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
    /// Folders name other classes than the network has outputs: the first names, in the order of their labels, how many there
    /// are, and how many outputs.
    Folders(Vec<String>, usize, usize),
}

impl std::fmt::Display for ImageNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ImageNote::Resized([height, width], [to_height, to_width]) => {
                return write!(f, "images of {height}×{width} pixels are resized to {to_height}×{to_width}");
            }
            ImageNote::Converted(1, to) => return write!(f, "grey images are given {to} equal channels"),
            ImageNote::Converted(from, to) => return write!(f, "images of {from} channels are converted to {to}"),
            ImageNote::Folders(names, folders, outputs) => {
                let names: Vec<String> = names.iter().enumerate().map(|(label, name)| format!("{label} is {name:?}")).collect();
                let more = if folders > &names.len() { ", …" } else { "" };
                let labels = names.join(", ");
                return write!(
                    f,
                    "{folders} folders of classes and {outputs} outputs: labels are the folders in the order of their names, \
                     \"10\" before \"2\": {labels}{more}"
                );
            }
            ImageNote::DividedBy255 => "pixels are divided by 255 and nothing else",
            ImageNote::Bytes => "the network takes 8-bit integers: pixels are fed as they are, 0 to 255",
            ImageNote::SignedBytes => {
                "the network takes 8-bit integers: pixels are fed as they are, 0 to 255, minus 128"
            }
            ImageNote::LabelsFromOne => "the network has 1,001 outputs, background first: labels are counted from 1",
        })
    }
}

/// Opens the images of a request for a network; none where the request names none and the network is not the embedded
/// one.
///
/// # Errors
///
/// Those of the images and their preprocessing; [`Error::NeedsGraph`] for weights alone.
pub fn images(network: &Network, embedded: bool, request: &ImageRequest) -> Result<Option<NetworkImages>, Error> {
    let (images, own) = match (&request.path, embedded) {
        (Some(path), _) => {
            check_graph(network, Need::Images)?;
            (Images::open(path, &image_options(network, request.limit))?, None)
        }
        (None, true) => {
            let (images, preprocessing) = embedded_images(request.limit)?;
            (images, Some(preprocessing))
        }
        (None, false) => return Ok(None),
    };
    pair(network, images, own, request).map(Some)
}

/// Brings images and network together. `own` is the preprocessing that comes with the images.
fn pair(
    network: &Network,
    images: Images,
    own: Option<Preprocessing>,
    request: &ImageRequest,
) -> Result<NetworkImages, Error> {
    let mut notes = Vec::new();
    let preprocessing = match request.preprocessing.clone().or(own) {
        Some(given) => given,
        None => preprocessing_of(network, &mut notes)?,
    };
    let samples = ImageSamples::new(network, images, preprocessing)
        .map_err(|e| Error::Inference { path: network.path().to_path_buf(), source: Box::new(e) })?;
    let samples = match request.label_offset {
        Some(offset) => samples.with_label_offset(offset),
        None => samples,
    };
    if request.label_offset.is_none() && samples.form().label_offset > 0 {
        notes.push(ImageNote::LabelsFromOne);
    }
    if !request.unlabelled {
        samples.check_labels()?;
    }
    notes.extend(form_notes(&samples)?);
    Ok(NetworkImages { samples, notes })
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
    let first = images.get(0)?;
    let [channels, height, width] = samples.preprocessing().input_size(&first, &samples.form().input_shape)?;
    if [first.height, first.width] != [height, width] {
        notes.push(ImageNote::Resized([first.height, first.width], [height, width]));
    }
    if first.channels != channels {
        notes.push(ImageNote::Converted(first.channels, channels));
    }
    if let (Some(names), Some(outputs)) = (images.class_names(), samples.classes())
        && names.len() != outputs
    {
        notes.push(ImageNote::Folders(names.iter().take(NAMED).cloned().collect(), names.len(), outputs));
    }
    Ok(notes)
}

fn image_options(network: &Network, limit: Option<usize>) -> ImageOptions {
    let input = network.graph().inputs().first().and_then(|&id| network.graph().value(id).shape.as_deref());
    let channels = match input {
        Some(&[_, first, _, third]) => [first, third].into_iter().find(|n| matches!(n, 1 | 3)),
        _ => None,
    };
    ImageOptions { limit, channels, ..ImageOptions::default() }
}

/// The preprocessing that a file beside the network states, else what its input needs.
fn preprocessing_of(network: &Network, notes: &mut Vec<ImageNote>) -> Result<Preprocessing, Error> {
    if let Some(beside) = Preprocessing::for_network(network.path())? {
        return Ok(beside);
    }
    let default = Preprocessing::default_for(network);
    notes.push(match (default == Preprocessing::default(), default.mean.is_empty()) {
        (true, _) => ImageNote::DividedBy255,
        (false, true) => ImageNote::Bytes,
        (false, false) => ImageNote::SignedBytes,
    });
    Ok(default)
}

/// The preprocessing of a name (`unit`, `imagenet`, `none`) or of a TOML file.
///
/// # Errors
///
/// Those of reading the file.
pub fn preprocessing(name_or_file: &Path) -> Result<Preprocessing, Error> {
    match name_or_file.to_str().and_then(Preprocessing::named) {
        Some(named) => Ok(named),
        None => Ok(Preprocessing::read(name_or_file)?),
    }
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
