//! The commands. Each takes its options, calls the library and prints what it found.

pub mod completions;
pub mod compress;
pub mod convert;
pub mod esn;
pub mod hardware;
pub mod inspect;
pub mod landscape;
pub mod man;
pub mod new;
pub mod pareto;
pub mod proxies;
mod several;
pub mod simulate;
pub mod sweep;
pub mod trace;

use std::path::{Path, PathBuf};

use anyhow::bail;
use esnsim::{Error, ImageRequest, NetworkImages, OpenOptions, Opened, TfliteKernels};
use formats::BatchAxis;
use network::Network;
use report::text::found_steps;
use runner::{AnswerRequest, Hardware};

use crate::args::InferenceOptions;
use crate::terminal::{image_notes, notes, print};

/// Stands behind a width that nobody chose.
const DEFAULT_BITS_HINT: &str = "the default; --bits N chooses";

/// What a network from standard input is called in messages.
const STANDARD_INPUT: &str = "standard input";

/// Opens a network file, the embedded network, or for `-` what comes through standard input.
fn open_network(path: Option<&Path>, options: &OpenOptions) -> anyhow::Result<Opened> {
    if let Some(option) = of_file(options).filter(|_| path.is_none()) {
        let network = if options.read.topology.is_some() { "the layers of the topology" } else { "the embedded one" };
        bail!("{option} is for a file, and none is named: the network is {network}");
    }
    Ok(match path {
        Some(path) if path.as_os_str() == "-" => esnsim::open_piped(STANDARD_INPUT, std::io::stdin().lock(), options)?,
        path => esnsim::open(path, options)?,
    })
}

/// An option that is given and says how a file is read.
fn of_file(options: &OpenOptions) -> Option<&'static str> {
    let read = &options.read;
    let given = [
        (!read.input_shapes.is_empty(), "--input-shape"),
        (read.batch_axis != BatchAxis::default(), "--batch-axis"),
        (read.architecture.is_some(), "--architecture"),
        (read.operators.is_some(), "--operators"),
        (read.state.is_some(), "--state"),
        (!read.layers.is_empty(), "--layers"),
        (read.tflite_kernels != TfliteKernels::default(), "--tflite-kernels"),
        (read.grid.is_some() && !options.find_steps, "--grid"),
    ];
    given.into_iter().find_map(|(is_given, option)| is_given.then_some(option))
}

/// Opens the network that a command names, or the embedded one, and shows the steps that were found in it.
fn open(path: Option<&Path>, options: &OpenOptions) -> anyhow::Result<Opened> {
    let opened = open_network(path, options)?;
    if let Some(steps) = opened.steps.as_ref().filter(|steps| steps.found().next().is_some()) {
        print(&found_steps(steps))?;
    }
    Ok(opened)
}

/// Opens hardware by `opener`, and doubts values that hardly are what the user means.
fn hardware(
    opener: impl FnOnce(&[PathBuf]) -> Result<Vec<Hardware>, Error>,
    paths: &[PathBuf],
) -> anyhow::Result<Vec<Hardware>> {
    let hardware = opener(paths)?;
    notes(&hardware.iter().flat_map(Hardware::doubts).collect::<Vec<_>>());
    Ok(hardware)
}

/// The images to run, if there are any: those the user names, or those that belong to the embedded network. Where nobody asks
/// for an answer, their labels play no part.
fn images(
    network: &Network,
    embedded: bool,
    options: &InferenceOptions,
    answer: Option<AnswerRequest>,
) -> anyhow::Result<Option<NetworkImages>> {
    let unlabelled = answer.is_none();
    let asked = answer
        .as_ref()
        .map(|answer| [(answer.output.is_some(), "--output"), (answer.threshold.is_some(), "--threshold")]);
    if let Some((_, option)) = asked.into_iter().flatten().find(|(is_given, _)| *is_given)
        && options.images.is_none()
        && !embedded
    {
        bail!("{option} needs --images");
    }
    let request = ImageRequest { answer: answer.unwrap_or_default(), unlabelled, ..options.request(embedded)? };
    let images = esnsim::images(network, embedded, &request)?;
    image_notes(images.iter().flat_map(|images| &images.notes));
    Ok(images)
}
