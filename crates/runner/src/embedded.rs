//! A network and images that are part of the program, so that a user can try it without a file. `traces/README.md` says
//! where they come from.

use std::path::Path;

use bytes::Bytes;
use formats::ReadOptions;
use formats::images::{ImageError, ImageOptions, Images, Preprocessing};
use network::{Network, NetworkError};

/// What messages and reports call the network file.
const NAME: &str = "traces/digits-resnet.onnx";

/// The network file.
pub const NETWORK: &[u8] = include_bytes!("../traces/digits-resnet.onnx");
const PREPROCESSING: &str = include_str!("../traces/digits-resnet.preprocess.toml");
/// The file of its test images.
pub const IMAGES: &[u8] = include_bytes!("../traces/digits-test.npz");

/// A small residual CNN for 8×8 handwritten digits, BatchNorm kept.
///
/// # Errors
///
/// None on the file that comes along; the type is that of reading any network.
pub fn embedded_network() -> Result<Network, NetworkError> {
    formats::from_bytes(NAME, Bytes::from_static(NETWORK), &ReadOptions::default())
}

/// Its 500 test images, or the first `limit` of them, and how they become its input.
///
/// # Errors
///
/// None on the files that come along; the type is that of reading any images.
pub fn embedded_images(limit: Option<usize>) -> Result<(Images, Preprocessing), ImageError> {
    let options = ImageOptions { limit, ..ImageOptions::default() };
    Ok((Images::from_npz(Path::new("traces/digits-test.npz"), IMAGES, &options)?, embedded_preprocessing()?))
}

/// How any images become the input of the embedded network.
///
/// # Errors
///
/// None on the file that comes along; the type is that of reading any preprocessing.
pub fn embedded_preprocessing() -> Result<Preprocessing, ImageError> {
    Preprocessing::parse(Path::new("traces/digits-resnet.preprocess.toml"), PREPROCESSING)
}
