//! Files of MNIST: an array in a file, which says its type and extents, and one of labels beside it.
//!
//! Source: "The IDX file format", yann.lecun.com/exdb/mnist.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::ImageError;
use super::findings::{Findings, Labels};
use super::gzip;
use super::placement::numbers_of;
use super::records::Records;

/// Types of elements by their number in the file: unsigned byte, signed byte, short, int, float, double.
const TYPES: [(u8, &str, u64); 6] =
    [(8, "u8", 1), (9, "i8", 1), (11, "i16", 2), (12, "i32", 4), (13, "f32", 4), (14, "f64", 8)];

/// What a file says of its array.
struct Header {
    element: &'static str,
    shape: Vec<usize>,
    /// Where the elements begin.
    start: usize,
    /// What the file should have.
    len: Option<u64>,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[0, 0, element, axes @ 1..=4, ..] = bytes else { return None };
        let &(_, element, size) = TYPES.iter().find(|(number, ..)| *number == element)?;
        let start = 4 + 4 * usize::from(axes);
        let shape = bytes.get(4..start)?.as_chunks::<4>().0.iter();
        let shape: Vec<usize> = shape.map(|&extent| u32::from_be_bytes(extent) as usize).collect();
        let len = shape.iter().try_fold(size, |product, &extent| product.checked_mul(extent as u64));
        Some(Self { element, shape, start, len: len.and_then(|len| len.checked_add(start as u64)) })
    }
}

/// Whether the bytes begin as such a file.
pub(super) fn begins_as_idx(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some()
}

/// Whether they also are as many as it says.
pub(super) fn is_idx(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some_and(|header| header.len == Some(bytes.len() as u64))
}

/// The images of a file, with the labels of the file beside it that is named as it is but for `images` and `idx3`.
pub(super) fn read(path: &Path, bytes: Bytes) -> Result<Records, ImageError> {
    let header = checked(path, &bytes)?;
    if header.element != "u8" {
        return Err(ImageError::unsupported(path, format!("images of elements {}; bytes are read", header.element)));
    }
    let (count, size) = match *header.shape {
        [count, height @ (1..), width @ (1..)] => (count, [1, height, width]),
        [count, channels @ (1 | 3), height @ (1..), width @ (1..)] => (count, [channels, height, width]),
        [_] => {
            let problem = "it has one number for each image, as labels have; give the file of the images";
            return Err(ImageError::invalid(path, problem));
        }
        _ => {
            let shape = &header.shape;
            let problem = format!("an array of shape {shape:?}; expected [images, height, width]");
            return Err(ImageError::unsupported(path, problem));
        }
    };
    let (labels, said) = labels_beside(path, count)?;
    let findings = Findings { labels: said, ..Findings::default() };
    Ok(Records {
        name: path.display().to_string(),
        bytes,
        start: header.start,
        stride: numbers_of(&size),
        size,
        count,
        labels,
        is_coarse: false,
        findings,
    })
}

/// The header of a file that has as many bytes as it says.
fn checked(path: &Path, bytes: &[u8]) -> Result<Header, ImageError> {
    let header =
        Header::read(bytes).ok_or_else(|| ImageError::invalid(path, "it does not begin as an IDX file does"))?;
    match header.len == Some(bytes.len() as u64) {
        true => Ok(header),
        false => {
            let (found, shape, element) = (bytes.len(), &header.shape, header.element);
            let problem = format!("{found} bytes cannot be an IDX file of shape {shape:?} of {element}");
            Err(ImageError::invalid(path, problem))
        }
    }
}

/// The labels of `count` images, and what is said of them.
fn labels_beside(path: &Path, count: usize) -> Result<(Option<Vec<usize>>, Option<Labels>), ImageError> {
    let Some(beside) = label_file(path) else { return Ok((None, None)) };
    let name = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let packed = beside.with_file_name(format!("{name}.gz"));
    let Some(found) = [beside, packed].into_iter().find(|file| file.is_file()) else {
        return Ok((None, Some(Labels::Missing(name))));
    };
    let bytes = network::map_file(&found).map_err(ImageError::io(&found))?;
    let bytes = if gzip::is_gzip(&bytes) { gzip::unpack(&found, &bytes)? } else { bytes };
    let header = checked(&found, &bytes)?;
    let labels: Vec<i64> = match (header.element, header.shape.len()) {
        ("u8", 1) => bytes[header.start..].iter().map(|&byte| byte.into()).collect(),
        ("i32", 1) => {
            bytes[header.start..].as_chunks().0.iter().map(|&bytes| i32::from_be_bytes(bytes).into()).collect()
        }
        (element, _) => {
            let shape = &header.shape;
            let problem = format!("labels of shape {shape:?} of {element}; expected one byte for each image");
            return Err(ImageError::unsupported(&found, problem));
        }
    };
    if labels.len() != count {
        return Err(ImageError::invalid(&found, format!("{} labels for the {count} images beside it", labels.len())));
    }
    let class = |(index, label): (usize, i64)| {
        usize::try_from(label).map_err(|_| ImageError::invalid(&found, format!("label {index} is {label}")))
    };
    let labels = labels.into_iter().enumerate().map(class).collect::<Result<_, _>>()?;
    let name = found.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((Some(labels), Some(Labels::File(name))))
}

/// `t10k-labels-idx1-ubyte` for `t10k-images-idx3-ubyte.gz`; none where the name has no `images`.
fn label_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let labels = name.replacen("images", "labels", 1).replacen("idx3", "idx1", 1);
    (name.contains("images")).then(|| path.with_file_name(labels))
}
