//! What a run starts from: a network and hardware.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use compress::{FindStepOptions, FindStepReport};
use esn::BitWidth;
use formats::ReadOptions;
use network::{
    Encoding, LayerId, LayerWeights, MacLayer, Mend, Network, Note, NoteKind, Synthetic, WeightStream, WeightValues,
};
use runner::{Hardware, Metric, Quantization, embedded_network, is_quantized};

use crate::error::{Error, Need};
use crate::progress::{Progress, Quiet};

/// How a network is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// What the reader is told.
    pub read: ReadOptions,
    /// Looks for the grid that real weights already lie on ([`find_steps()`]) and puts them on it.
    pub find_steps: bool,
    /// Draws the weights that the file has no values of; left out, what needs their values is refused.
    pub synthetic: Option<Synthetic>,
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

    /// How real weights are quantized at each of these widths; where there is none at the default, which is 8 bits for a
    /// network `beside` others. Integers of a file are taken as they are. A network that holds nothing else has one
    /// quantization beside others, which the widths are for; alone it is refused when it is costed.
    pub fn quantizations(&self, widths: &[BitWidth], beside: bool) -> Vec<Quantization> {
        if beside && (widths.is_empty() || !self.has_real_weights()) {
            return vec![Quantization::compared()];
        }
        if widths.is_empty() {
            return vec![Quantization::new(None)];
        }
        let mut all: Vec<Quantization> = Vec::new();
        for &bits in widths {
            let quantization = self.quantization(Some(bits));
            if !all.contains(&quantization) {
                all.push(quantization);
            }
        }
        all
    }

    /// Whether a layer has weights that are real numbers, which a width quantizes.
    pub fn has_real_weights(&self) -> bool {
        self.network.layers().iter().any(|layer| !is_quantized(layer))
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

/// Refuses widths that none of several networks has real weights for.
///
/// # Errors
///
/// [`Error::Run`] names the first network.
pub fn check_widths(networks: &[&Opened], widths: &[BitWidth]) -> Result<(), Error> {
    let (Some(first), Some(&bits)) = (networks.first(), widths.first()) else { return Ok(()) };
    match networks.iter().any(|opened| opened.has_real_weights()) {
        true => Ok(()),
        false => Ok(first.quantization(Some(bits)).check(&first.network)?),
    }
}

/// Opens a network file. Without a path it is the layers of the topology, where the options name one, else the embedded
/// network.
///
/// # Errors
///
/// Those of the file's reader, and of the search for steps.
pub fn open(path: Option<&Path>, options: &OpenOptions) -> Result<Opened, Error> {
    let network = match (path, &options.read.topology) {
        (Some(path), _) => formats::read(path, &options.read)?,
        (None, Some(topology)) => formats::read_topology(topology)?,
        (None, None) => embedded_network()?,
    };
    opened(network, options)
}

/// Opens a network that comes through a pipe; `name` stands for its file in messages and reports.
///
/// # Errors
///
/// As [`open`].
pub fn open_piped(name: &str, pipe: impl Read, options: &OpenOptions) -> Result<Opened, Error> {
    opened(formats::read_piped(Path::new(name), pipe, &options.read)?, options)
}

/// What opening adds to reading: weights where there are none, steps, or a note that there seem to be some.
fn opened(network: Network, options: &OpenOptions) -> Result<Opened, Error> {
    let network = match options.synthetic {
        Some(synthetic) => drawn(&network, synthetic),
        None => network,
    };
    match options.find_steps {
        true => find_steps(&network, options.read.grid),
        false => {
            let is_said = network.notes().iter().any(|note| note.mend() == Some(Mend::FindSteps));
            let found = if is_said { None } else { grid_note(&network)? };
            let notes = network.notes().iter().cloned().chain(found).collect();
            Ok(Opened { network: network.with_notes(notes), steps: None })
        }
    }
}

/// The network with weights where its file has none; a note where nothing is drawn.
fn drawn(network: &Network, synthetic: Synthetic) -> Network {
    if network.layers_without_weights().next().is_some() {
        return network.with_synthetic_weights(synthetic);
    }
    let mut notes = network.notes().to_vec();
    notes.push(Note::new(NoteKind::Unchanged, "no weights are drawn: the file has those of every layer"));
    network.clone().with_notes(notes)
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
        let tensor = &network.layers()[layer].weights.tensor;
        let is_stored = !matches!(tensor.encoding, Encoding::Absent | Encoding::Drawn(_));
        few && is_stored && !is_quantized(&network.layers()[layer])
    };
    let Some(layer) = (0..network.layers().len()).filter(is_looked_at).max_by_key(|&layer| weights(layer)) else {
        return Ok(None);
    };
    let values = match network.weight_stream(LayerId(layer)) {
        Some(stream) => few_values(&stream, FEW_VALUES),
        None => match network.weights(LayerId(layer))? {
            LayerWeights::Float(WeightValues::F32(values)) => {
                at_most(FEW_VALUES, values.iter().map(|x| u64::from(x.to_bits())))
            }
            LayerWeights::Float(WeightValues::F64(values)) => at_most(FEW_VALUES, values.iter().map(|x| x.to_bits())),
            LayerWeights::Quantized { .. } => None,
        },
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

/// How many different weights there are; none where there are more than `most`. Almost always a few pages of the file tell.
fn few_values(stream: &WeightStream<'_>, most: usize) -> Option<usize> {
    /// Weights that are read at a stretch.
    const PIECE: usize = 1 << 12;
    let bits = |start: usize| {
        let mut buffer = Vec::new();
        let weights = stream.read(start..(start + PIECE).min(stream.len()), &mut buffer);
        (0..weights.len()).map(|index| u64::from(weights.get(index).to_bits())).collect::<Vec<_>>()
    };
    let values = at_most(most, (0..stream.len()).step_by(PIECE).flat_map(bits));
    stream.release(0..stream.len());
    values
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
    find_steps_watched(network, grid, &Quiet)
}

/// [`find_steps()`], which `progress` may stop by [`Progress::check`].
///
/// # Errors
///
/// As [`find_steps()`].
pub fn find_steps_watched(
    network: &Network,
    grid: Option<esn::Grid>,
    progress: &dyn Progress,
) -> Result<Opened, Error> {
    let found = compress::find_steps_watched(network, &FindStepOptions { grid }, &|| progress.check());
    let (network, report) = found.map_err(Error::compress(network.path()))?;
    // What a search for steps would find has been looked for.
    let notes = network.notes().iter().filter(|note| note.mend() != Some(Mend::FindSteps)).cloned().collect();
    Ok(Opened { network: network.with_notes(notes), steps: Some(report) })
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

/// The MAC layer of a name, else of a place, else of the end of a name. A name may lack the operator at its end, as
/// `/conv1` of `/conv1/Conv`. The place `"3"` is the third layer, counted from 1
/// in order of execution. The end `"conv1"` is that of `/model/conv1` and of `model.conv1`, where no other name ends so.
///
/// # Errors
///
/// [`Error::ManyLayers`] if several names end so; [`Error::NoLayer`] if none does.
pub fn find_layer(network: &Network, wanted: &str) -> Result<LayerId, Error> {
    let layers = network.layers();
    let place = wanted.parse::<usize>().ok().filter(|place| (1..=layers.len()).contains(place));
    let position = |is_meant: &dyn Fn(&MacLayer) -> bool| layers.iter().position(is_meant);
    let without_operator = format!("{wanted}/");
    let exact = position(&|layer| layer.name == wanted)
        .or_else(|| position(&|layer| layer.name.strip_suffix(layer.op.name()) == Some(&without_operator)))
        .or(place.map(|place| place - 1));
    if let Some(index) = exact {
        return Ok(LayerId(index));
    }
    let (path, wanted_layer) = (network.path().to_path_buf(), wanted.to_string());
    match layers.iter().enumerate().filter(|(_, layer)| ends_with(&layer.name, wanted)).collect::<Vec<_>>()[..] {
        [(index, _)] => Ok(LayerId(index)),
        [] => {
            let nearest = nearest(layers.iter().map(|layer| layer.name.as_str()), wanted);
            Err(Error::NoLayer { path, wanted: wanted_layer, layers: layers.len(), nearest })
        }
        ref several => {
            let names = several.iter().map(|(_, layer)| layer.name.clone()).collect();
            Err(Error::ManyLayers { path, wanted: wanted_layer, names })
        }
    }
}

/// Whether the last components of a name, which `/` or `.` sets apart, are those that are wanted.
fn ends_with(name: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches(['/', '.']);
    !wanted.is_empty() && name.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '.']))
}

/// The name that was probably meant: one with all components of what is wanted if there is one, else the one of which
/// some end is the nearest by letters.
fn nearest<'a>(names: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> Option<String> {
    let has =
        |name: &&str| wanted.split(['/', '.']).all(|component| name.split(['/', '.']).any(|other| other == component));
    let by_letters = || {
        let ends = |name: &'a str| name.match_indices(['/', '.']).map(move |(at, _)| &name[at + 1..]).chain([name]);
        let end = formats::nearest(wanted, names.clone().flat_map(ends))?;
        names.clone().find(|name| ends_with(name, end))
    };
    names.clone().find(has).or_else(by_letters).map(str::to_string)
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
