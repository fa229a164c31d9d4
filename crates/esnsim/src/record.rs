//! Everything that it takes to run again.

use std::path::Path;

use network::Network;
use runner::identity::{bytes_sha256, file_sha256, images_sha256, weights_sha256};
use runner::{Decision, ImageRecord, NetworkRecord, ReadRecord, RunRecord, embedded};

use crate::error::Error;
use crate::images::NetworkImages;
use crate::open::OpenOptions;
use crate::simulation::EvaluateOptions;

/// The name that reports give to the images of the embedded network.
const EMBEDDED_IMAGES: &str = "traces/digits-test.npz";

/// The record of a run: of the network that `file` names and `network` holds (without a file, that of a topology or the
/// embedded one), read with
/// these options, and of the images that it runs on. `command` is what a user wrote, where a command runs.
///
/// # Errors
///
/// [`Error::Read`] names a file that can no longer be read.
pub fn run_record(
    command: Option<Vec<String>>,
    file: Option<&Path>,
    network: &Network,
    options: &OpenOptions,
    images: Option<(&NetworkImages, &EvaluateOptions<'_>)>,
) -> Result<RunRecord, Error> {
    let scored_images = images.map(|(images, options)| image_record(network, images, options)).transpose()?;
    let reference = images.and_then(|(_, options)| options.reference).map(|reference| reference.network);
    let reference = reference.map(|network| network_record(network, Some(network.path()))).transpose()?;
    let read = ReadRecord::new(&options.read, options.find_steps, options.synthetic);
    let file = file.or(options.read.topology.as_deref());
    Ok(RunRecord { command, network: network_record(network, file)?, reference, read, images: scored_images })
}

/// The record of the network in a file, or of the embedded one.
fn network_record(network: &Network, file: Option<&Path>) -> Result<NetworkRecord, Error> {
    let sha256 = match file {
        // What came through a pipe is gone.
        Some(path) if !path.is_file() => None,
        Some(path) => Some(file_sha256(path).map_err(|source| unreadable(path, source))?),
        None => Some(bytes_sha256(embedded::NETWORK)),
    };
    let file = network.path().display().to_string();
    Ok(NetworkRecord { file, sha256, weights_sha256: weights_sha256(network) })
}

fn image_record(
    network: &Network,
    images: &NetworkImages,
    options: &EvaluateOptions<'_>,
) -> Result<ImageRecord, Error> {
    let (path, sha256) = match &images.path {
        Some(path) => (path.display().to_string(), images_sha256(path).map_err(|source| unreadable(path, source))?),
        None => (EMBEDDED_IMAGES.to_string(), bytes_sha256(embedded::IMAGES)),
    };
    let samples = &images.samples;
    Ok(ImageRecord {
        path,
        sha256,
        count: samples.images().len(),
        layout: images.layout,
        coarse_labels: samples.images().choices().coarse_labels,
        exif: !samples.images().choices().keeps_orientation,
        preprocessing: samples.preprocessing().clone(),
        label_offset: samples.form().label_offset,
        output: samples.answer().map(|answer| network.graph().value(answer.value(network)).name.clone()),
        threshold: match samples.answer().map(|answer| answer.decision) {
            Some(Decision::Above(threshold)) => Some(threshold),
            Some(Decision::Largest) | None => None,
        },
        activation_bits: options.activation_bits,
        calibration_images: options.calibration_images,
        float: options.float,
        seeds: options.seeds,
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Read { path: path.to_path_buf(), source }
}
