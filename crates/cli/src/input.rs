//! What a command reads, and what it says on standard error while it works.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use formats::images::{ImageOptions, Images, Preprocessing};
use indicatif::{ProgressBar, ProgressStyle};
use inference::Samples;
use network::Network;
use runner::{Hardware, ImageSamples, embedded_images, embedded_network};

use crate::args::{CompressOptions, InferenceOptions, PreprocessingOptions, ReadingOptions};
use crate::find_step;
use crate::format::one_line;

/// Reads the network file, or takes the embedded network.
pub fn network(path: Option<&Path>, reading: &ReadingOptions) -> anyhow::Result<Network> {
    let network = match path {
        Some(path) => formats::read(path, &reading.options())?,
        None if reading.topology.is_some() => bail!("--topology needs a weight file; the embedded network has a graph"),
        None => embedded_network()?,
    };
    match reading.find_step {
        true => Ok(find_step::apply(&network, reading.options().grid)?.0),
        false => Ok(network),
    }
}

/// Reads the hardware descriptions, by file or by name, or takes the three ideal ones. Names tell them apart, so no two may be the same.
pub fn hardware(paths: &[PathBuf]) -> anyhow::Result<Vec<Hardware>> {
    if paths.is_empty() {
        return Ok(Hardware::ideal());
    }
    let hardware = paths.iter().map(|path| Hardware::open(path)).collect::<Result<Vec<_>, _>>()?;
    for (i, this) in hardware.iter().enumerate() {
        if let Some(other) = hardware[..i].iter().position(|h| h.engine.name() == this.engine.name()) {
            let (a, b) = (paths[other].display(), paths[i].display());
            bail!("{b}: name {:?} is also that of {a}; names in one run must differ", this.engine.name());
        }
    }
    Ok(hardware)
}

/// The images to run, if there are any: those the user names, or those that belong to the embedded network.
pub fn samples(
    network: &Network,
    embedded: bool,
    inference: &InferenceOptions,
) -> anyhow::Result<Option<Box<dyn Samples>>> {
    let (images, preprocessing) = match (&inference.images, embedded) {
        (Some(path), _) => {
            check_graph(network, "--images")?;
            (Images::open(path, &image_options(network, inference.limit))?, None)
        }
        (None, true) => {
            let (images, preprocessing) = embedded_images(inference.limit)?;
            (images, Some(preprocessing))
        }
        (None, false) if inference.limit.is_some() => bail!("--limit needs --images"),
        (None, false) => return Ok(None),
    };
    let preprocessing = match explicit_preprocessing(&inference.preprocessing)? {
        Some(explicit) => explicit,
        None => match preprocessing {
            Some(embedded) => embedded,
            None => preprocessing_of(network)?,
        },
    };
    let samples = ImageSamples::new(network, images, preprocessing);
    let samples = samples.with_context(|| network.path().display().to_string())?;
    let samples = match inference.label_offset {
        Some(offset) => samples.with_label_offset(offset),
        None => samples,
    };
    if inference.label_offset.is_none() && samples.form().label_offset > 0 {
        eprintln!(
            "note: the network has 1,001 outputs, background first: labels are counted from 1 (--label-offset 0: from 0)"
        );
    }
    Ok(Some(Box::new(samples)))
}

/// The images whose statistics a compressed network is to have.
pub fn calibration_images(
    network: &Network,
    path: &Path,
    options: &CompressOptions,
) -> anyhow::Result<Box<dyn Samples>> {
    let images = Images::open(path, &image_options(network, Some(options.calibrate_limit)))?;
    let preprocessing = match explicit_preprocessing(&options.preprocessing)? {
        Some(explicit) => explicit,
        None => preprocessing_of(network)?,
    };
    let samples = ImageSamples::new(network, images, preprocessing);
    Ok(Box::new(samples.with_context(|| network.path().display().to_string())?))
}

fn image_options(network: &Network, limit: Option<usize>) -> ImageOptions {
    let input = network.graph().inputs.first().and_then(|&id| network.graph().value(id).shape.as_deref());
    let channels = match input {
        Some(&[_, first, _, third]) => [first, third].into_iter().find(|n| matches!(n, 1 | 3)),
        _ => None,
    };
    ImageOptions { limit, channels, ..ImageOptions::default() }
}

/// What the user says about preprocessing, by a file, a name or numbers.
fn explicit_preprocessing(inference: &PreprocessingOptions) -> anyhow::Result<Option<Preprocessing>> {
    if let Some(word) = &inference.preprocess {
        return match word.to_str().and_then(Preprocessing::named) {
            Some(named) => Ok(Some(named)),
            None => Ok(Some(Preprocessing::read(word)?)),
        };
    }
    if inference.scale.is_none() && inference.mean.is_empty() && inference.std.is_empty() {
        return Ok(None);
    }
    let default = Preprocessing::default();
    let numbers = Preprocessing {
        scale: inference.scale.unwrap_or(default.scale),
        mean: inference.mean.clone(),
        std: inference.std.clone(),
        ..default
    };
    numbers.check().map_err(anyhow::Error::msg).context("preprocessing")?;
    Ok(Some(numbers))
}

fn preprocessing_of(network: &Network) -> anyhow::Result<Preprocessing> {
    if let Some(beside) = Preprocessing::for_network(network.path())? {
        return Ok(beside);
    }
    let default = Preprocessing::default_for(network);
    if default != Preprocessing::default() {
        let shift = if default.mean.is_empty() { "" } else { ", minus 128" };
        eprintln!("note: the network takes 8-bit integers: pixels are fed as they are, 0 to 255{shift}");
        return Ok(default);
    }
    eprintln!("note: pixels are divided by 255 and nothing else; --preprocess, --scale, --mean and --std change that");
    Ok(Preprocessing::default())
}

/// Refuses a network that is weights alone where `what` needs to know how they are connected.
pub fn check_graph(network: &Network, what: &str) -> anyhow::Result<()> {
    if !network.has_graph() {
        let path = network.path().display();
        bail!("{path}: it holds weights without a graph, and {what} needs one; --architecture names it");
    }
    Ok(())
}

/// Shows what the reader of the network had to say.
pub fn show_notes(network: &Network) {
    for note in network.notes() {
        eprintln!("note: {}", one_line(note));
    }
}

/// Refuses outputs that would overwrite an input or each other, or whose folder does not exist, before any work is done.
pub fn check_outputs<'a>(outputs: &[Option<&Path>], inputs: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
    let mut taken: Vec<PathBuf> = inputs.filter_map(|path| path.canonicalize().ok()).collect();
    for output in outputs.iter().flatten() {
        let folder = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Ok(folder) = folder.canonicalize() else {
            bail!("{}: there is no folder {}", output.display(), folder.display());
        };
        if output.is_dir() {
            bail!("{}: expected a file to write, found a folder", output.display());
        }
        let place = output.canonicalize().unwrap_or_else(|_| folder.join(output.file_name().unwrap_or_default()));
        if taken.contains(&place) && !place.starts_with("/dev") {
            bail!("{}: is also an input or another output of this run", output.display());
        }
        taken.push(place);
    }
    Ok(())
}

/// A bar on a terminal, silence in a pipe.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over `total` of what is counted.
    pub fn new(what: &str, total: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} {msg} {eta}").expect("the template is valid");
        Self(ProgressBar::new(total).with_style(style).with_message(what.to_string()))
    }

    /// So many more are done.
    pub fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    /// Says a line above the bar.
    pub fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
