//! Which format images are stored in, told by the content of a file.

use std::path::Path;

use super::cifar::{self, CifarVariant};
use super::error::ImageError;
use super::{ImageFormat, batch, idx, picture, tar};
use crate::kind::FileKind;

/// What is said to be readable.
const READ: &str = "folders, pictures, CSV manifests, .npy, .npz, files of CIFAR and MNIST (also .gz and .tar.gz), and tar \
                    archives of WebDataset are read";

/// The format of a file. The end of its name decides only where its content says nothing, so that the reader of that
/// format can say what it expected, and what of a text is a table.
///
/// # Errors
///
/// [`ImageError::Unsupported`] says what the file is, and what is read.
pub(super) fn format_of(path: &Path, bytes: &[u8]) -> Result<ImageFormat, ImageError> {
    if let Some(format) = known(bytes) {
        return Ok(format);
    }
    let named = by_name(path);
    let kind = FileKind::of(bytes);
    match (kind, named) {
        (Some(FileKind::NumpyArray), _) => Ok(ImageFormat::Npy),
        (Some(FileKind::Zip), Some(Named::Images(_)) | None) => Ok(ImageFormat::Npz),
        (_, Some(Named::Network)) => {
            Err(ImageError::unsupported(path, "by the end of its name it is a network or its weights; expected images"))
        }
        (_, Some(Named::Images(format))) => Ok(format),
        (Some(FileKind::Text), None) => Ok(ImageFormat::Manifest),
        (Some(kind), None) => Err(ImageError::unsupported(path, format!("it is {kind}; {READ}{}", hint(kind)))),
        (None, None) => Err(ImageError::unsupported(path, format!("its content is of no known format; {READ}"))),
    }
}

/// The format of a content that says it by itself.
fn known(bytes: &[u8]) -> Option<ImageFormat> {
    if idx::is_idx(bytes) {
        return Some(ImageFormat::Idx);
    }
    if tar::is_tar(bytes) {
        return Some(ImageFormat::Tar);
    }
    match cifar::variant_of(bytes) {
        Some(CifarVariant::Ten) => return Some(ImageFormat::Cifar10),
        Some(CifarVariant::Hundred) => return Some(ImageFormat::Cifar100),
        None => {}
    }
    if batch::is_pickle(bytes) {
        return Some(ImageFormat::CifarBatch);
    }
    if picture::begins_as_picture(bytes) {
        return Some(ImageFormat::File);
    }
    idx::begins_as_idx(bytes).then_some(ImageFormat::Idx)
}

/// What the end of a name says.
enum Named {
    Images(ImageFormat),
    Network,
}

fn by_name(path: &Path) -> Option<Named> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    Some(match ending.as_str() {
        "bin" => Named::Images(ImageFormat::Cifar10),
        "csv" | "tsv" => Named::Images(ImageFormat::Manifest),
        "npy" => Named::Images(ImageFormat::Npy),
        "npz" => Named::Images(ImageFormat::Npz),
        "tar" => Named::Images(ImageFormat::Tar),
        "onnx" | "tflite" | "pt" | "pt2" | "pth" | "safetensors" | "h5" | "keras" => Named::Network,
        ending => return picture::is_ending(ending).then_some(Named::Images(ImageFormat::File)),
    })
}

/// What to do with a file that is not read.
fn hint(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Parquet | FileKind::Hdf5 | FileKind::Matlab => {
            "; write its images and labels as .npz, or as a folder"
        }
        FileKind::Packed => "; unpack it first",
        FileKind::Cifar10
        | FileKind::Cifar100
        | FileKind::Idx
        | FileKind::Tar
        | FileKind::Picture
        | FileKind::NumpyArray
        | FileKind::Sqlite
        | FileKind::Zip
        | FileKind::Gzip
        | FileKind::Xml
        | FileKind::Json
        | FileKind::Toml
        | FileKind::LfsPointer
        | FileKind::Ort
        | FileKind::Text => "",
    }
}
