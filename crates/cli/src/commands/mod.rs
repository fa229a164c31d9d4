//! The commands. Each takes its options, calls the library and prints what it found.

pub mod compress;
pub mod convert;
pub mod esn;
pub mod inspect;
pub mod landscape;
pub mod new;
pub mod pareto;
pub mod simulate;
pub mod sweep;
pub mod trace;

use std::path::Path;

use anyhow::bail;
use esnsim::{NetworkImages, Opened};
use network::Network;
use report::text::found_steps;

use crate::args::{InferenceOptions, ReadingOptions};
use crate::terminal::{image_notes, print};

/// Opens the network that a command names, or the embedded one, and shows the steps that were found in it.
fn open(path: Option<&Path>, reading: &ReadingOptions) -> anyhow::Result<Opened> {
    if path.is_none() && reading.topology.is_some() {
        bail!("--topology needs a weight file; the embedded network has a graph");
    }
    let opened = esnsim::open(path, &reading.open_options())?;
    if let Some(steps) = opened.steps.as_ref().filter(|steps| steps.found().next().is_some()) {
        print(&found_steps(steps))?;
    }
    Ok(opened)
}

/// The images to run, if there are any: those the user names, or those that belong to the embedded network.
fn images(network: &Network, embedded: bool, options: &InferenceOptions) -> anyhow::Result<Option<NetworkImages>> {
    if options.images.is_none() && !embedded && options.limit.is_some() {
        bail!("--limit needs --images");
    }
    let images = esnsim::images(network, embedded, &options.request()?)?;
    image_notes(images.iter().flat_map(|images| &images.notes));
    Ok(images)
}
