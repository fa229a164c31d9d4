//! Images in numpy arrays.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;
use zip::result::ZipError;

use network::DataType;

use super::error::ImageError;
use super::gzip::most_unpacked;
use super::input::{Layout, NetworkInput};
use super::pixels;
use super::placement::{Misplaced, Placement, place};
use super::{Findings, Image, ImageOptions, Source};
use crate::npy::{Header, HeaderError};

/// An array of images, of which one at a time is decoded.
#[derive(Debug)]
pub(super) struct ArrayImages {
    path: PathBuf,
    header: Header,
    bytes: Bytes,
    labels: Option<Vec<usize>>,
    placement: Placement,
    /// Which arrays of an archive of several these are: images and labels.
    arrays: Option<(String, Option<String>)>,
}

#[derive(Debug)]
enum Bytes {
    File(Mutex<File>),
    Memory(Vec<u8>),
}

/// An array that does not lie as images do is held in memory, up to this many bytes.
const MAX_REORDERED: u64 = 1 << 32;

/// Opens a file of one array. Its elements stay in the file where they are row-major.
pub(super) fn open_npy(path: &Path, options: &ImageOptions) -> Result<ArrayImages, ImageError> {
    let mut file = File::open(path).map_err(ImageError::io(path))?;
    let size = file.metadata().map_err(ImageError::io(path))?.len();
    let header = Header::read(&mut BufReader::new(&mut file)).map_err(|error| header_error(path, error))?;
    let expected = header.data_len().and_then(|len| len.checked_add(header.data_start));
    if expected.is_none_or(|expected| expected != size) {
        let shape = &header.shape;
        return Err(ImageError::invalid(path, format!("{size} bytes cannot be an array of shape {shape:?}")));
    }
    if !header.fortran_order {
        return ArrayImages::new(path, header, Bytes::File(Mutex::new(file)), None, options);
    }
    if size > MAX_REORDERED {
        let problem =
            format!("{size} bytes in the order of Fortran; at most {MAX_REORDERED} are brought into that of C");
        return Err(ImageError::unsupported(path, problem));
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(header.data_start)).map_err(ImageError::io(path))?;
    file.read_to_end(&mut bytes).map_err(ImageError::io(path))?;
    let bytes = header.row_major(bytes);
    ArrayImages::new(path, header, Bytes::Memory(bytes), None, options)
}

/// Opens an archive of arrays and unpacks the images and labels.
pub(super) fn open_npz(path: &Path, options: &ImageOptions) -> Result<ArrayImages, ImageError> {
    let file = File::open(path).map_err(ImageError::io(path))?;
    read_npz(path, BufReader::new(file), options)
}

/// Unpacks the images and labels of an archive; `path` stands for it in messages.
pub(super) fn read_npz(
    path: &Path,
    mut archive: impl Read + Seek,
    options: &ImageOptions,
) -> Result<ArrayImages, ImageError> {
    let size = archive.seek(SeekFrom::End(0)).map_err(ImageError::io(path))?;
    let mut archive = ZipArchive::new(archive).map_err(|error| zip_error(path, error))?;
    let names: Vec<String> = archive.file_names().map(|name| name.trim_end_matches(".npy").to_string()).collect();
    let (images, labels) = find_arrays(&names).ok_or_else(|| {
        let expected: Vec<&str> = ARRAYS.iter().map(|(images, _)| *images).collect();
        let expected = expected.join(", ");
        ImageError::invalid(path, format!("no array of images, named one of {expected}; there are {names:?}"))
    })?;
    let (header, bytes) = unpack(path, &mut archive, size, images)?;
    let class = labels.map(|name| read_labels(path, name, unpack(path, &mut archive, size, name)?)).transpose()?;
    let mut found = ArrayImages::new(path, header, Bytes::Memory(bytes), class, options)?;
    found.arrays = (names.len() > 2).then(|| (images.to_string(), labels.map(str::to_string)));
    Ok(found)
}

/// Names of arrays of images, and of the labels that go with them, in the order in which they are looked for. Of a data set
/// in parts that is to be tested on, the part for tests comes first.
const ARRAYS: [(&str, &[&str]); 15] = [
    ("images", &["labels", "y"]),
    ("x", &["y", "labels"]),
    ("X", &["y", "Y", "labels"]),
    ("data", &["labels", "y", "target", "targets"]),
    ("inputs", &["labels", "y", "target", "targets"]),
    ("signals", &["labels", "y", "target", "targets"]),
    ("features", &["labels", "y", "target", "targets"]),
    ("x_test", &["y_test"]),
    ("X_test", &["y_test", "Y_test"]),
    ("test_images", &["test_labels"]),
    ("x_val", &["y_val"]),
    ("X_val", &["y_val", "Y_val"]),
    ("val_images", &["val_labels"]),
    ("x_train", &["y_train"]),
    ("train_images", &["train_labels"]),
];

/// The array of images, and that of their labels where there is one.
fn find_arrays(names: &[String]) -> Option<(&'static str, Option<&'static str>)> {
    let is_there = |name: &str| names.iter().any(|found| found == name);
    let (images, labels) = ARRAYS.iter().find(|(images, _)| is_there(images))?;
    Some((images, labels.iter().find(|name| is_there(name)).copied()))
}

/// Unpacks an array of an archive of `size` bytes.
fn unpack(
    path: &Path,
    archive: &mut ZipArchive<impl Read + Seek>,
    size: u64,
    name: &str,
) -> Result<(Header, Vec<u8>), ImageError> {
    let entry = format!("{name}.npy");
    let entry = if archive.index_for_name(&entry).is_some() { entry } else { name.to_string() };
    let mut entry = archive.by_name(&entry).map_err(|error| zip_error(path, error))?;
    let header = Header::read(&mut entry).map_err(|error| header_error(path, error))?;
    // The directory may claim more than the whole file has.
    let stored = entry.compressed_size().min(size);
    let limit = most_unpacked(stored);
    let expected = header.data_len().filter(|&len| len <= limit).ok_or_else(|| {
        let shape = &header.shape;
        ImageError::unsupported(
            path,
            format!("array {name} of shape {shape:?}; at most {limit} bytes are unpacked of the {stored} in the file"),
        )
    })?;
    // The buffer grows with what is there, not with what the header says, and never beyond it.
    let mut bytes = Vec::new();
    entry.take(expected + 1).read_to_end(&mut bytes).map_err(ImageError::io(path))?;
    if bytes.len() as u64 != expected {
        let shape = &header.shape;
        let found = bytes.len();
        return Err(ImageError::invalid(
            path,
            format!("array {name} of shape {shape:?} has {found} bytes, not {expected}"),
        ));
    }
    let bytes = header.row_major(bytes);
    Ok((header, bytes))
}

/// Class numbers, one an image: `[images]` or `[images, 1]`; or one-hot, `[images, classes]`.
fn read_labels(path: &Path, name: &str, (header, bytes): (Header, Vec<u8>)) -> Result<Vec<usize>, ImageError> {
    // An array of that name is not named twice.
    let of = if name == "labels" { name.to_string() } else { format!("labels {name}") };
    let wrong = |problem: String| ImageError::invalid(path, format!("{of}: {problem}"));
    let numbers: Vec<f64> =
        bytes.chunks_exact(header.element.size()).map(|bytes| header.element.decode(bytes)).collect();
    match header.shape.as_slice() {
        [_] | [_, 1] => numbers.iter().enumerate().map(|(index, &label)| class(index, label)).collect::<Result<_, _>>(),
        &[_, classes] if classes > 1 => numbers.chunks_exact(classes).enumerate().map(one_hot).collect(),
        shape => Err(format!("shape {shape:?}; expected [images], or [images, classes] of one 1 an image")),
    }
    .map_err(wrong)
}

/// A class number.
fn class(index: usize, label: f64) -> Result<usize, String> {
    match label >= 0.0 && label.fract() == 0.0 && label <= u32::MAX.into() {
        true => Ok(label as usize),
        false => Err(format!("that of image {index}, counted from 0, is {label}; expected a class number from 0")),
    }
}

/// The class whose number is 1 where all others are 0.
fn one_hot((index, row): (usize, &[f64])) -> Result<usize, String> {
    let wrong =
        || format!("those of image {index}, counted from 0, are not one 1 among zeros: {:?}", &row[..row.len().min(8)]);
    let place = row.iter().position(|&number| number == 1.0).ok_or_else(wrong)?;
    let others = row.iter().enumerate().filter(|(other, _)| *other != place);
    if others.into_iter().all(|(_, &number)| number == 0.0) { Ok(place) } else { Err(wrong()) }
}

impl ArrayImages {
    fn new(
        path: &Path,
        header: Header,
        bytes: Bytes,
        labels: Option<Vec<usize>>,
        options: &ImageOptions,
    ) -> Result<Self, ImageError> {
        let shape = &header.shape;
        if shape.get(1..).is_some_and(|example| example.contains(&0)) {
            return Err(ImageError::invalid(path, format!("images without elements: shape {shape:?}")));
        }
        let input = options.input.as_ref();
        let placement = place(shape, input, options.layout).map_err(|why| misplaced(path, shape, input, why))?;
        let examples = placement.examples;
        if let Some(found) = labels.as_ref().map(Vec::len).filter(|&found| found != examples) {
            return Err(ImageError::invalid(path, format!("{found} labels for {examples} images")));
        }
        Ok(Self { path: path.to_path_buf(), header, bytes, labels, placement, arrays: None })
    }

    fn bytes_of(&self, index: usize) -> Result<Vec<u8>, ImageError> {
        let len = self.placement.size.iter().product::<usize>() * self.header.element.size();
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(bytes[index * len..][..len].to_vec()),
            Bytes::File(file) => {
                let start = self.header.data_start + index as u64 * len as u64;
                let mut buffer = vec![0; len];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut buffer))
                    .map_err(ImageError::io(&self.path))?;
                Ok(buffer)
            }
        }
    }
}

/// What is wrong with the shape of an array.
fn misplaced(path: &Path, shape: &[usize], input: Option<&NetworkInput>, why: Misplaced) -> ImageError {
    let (path, shape) = (path.to_path_buf(), shape.to_vec());
    let input = input.map(|input| input.shape.clone()).unwrap_or_default();
    match why {
        Misplaced::TwoWays(ways) => ImageError::TwoWays { path, shape, ways: ways.join("; or ") },
        Misplaced::InputLayout => ImageError::InputLayout { images: path.display().to_string(), input },
        Misplaced::Shape(expected) => {
            ImageError::Shape { path, shape: shape.into(), input: input.into(), expected: expected.join("; or ") }
        }
        Misplaced::NoImages => {
            let problem = format!("an array of shape {shape:?}; images have 2 to 4 axes, the first counting them");
            ImageError::Invalid { path, problem }
        }
    }
}

impl Source for ArrayImages {
    fn len(&self) -> usize {
        self.placement.examples
    }

    fn element(&self) -> Option<DataType> {
        Some(self.header.element.number_type())
    }

    fn fitted(&self) -> Option<Layout> {
        self.placement.fitted
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels[index])
    }

    fn findings(&self) -> Findings {
        Findings { arrays: self.arrays.clone(), ..Findings::default() }
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        let (image, stored) = self.stored(index)?;
        Ok(pixels::image_of_planes(image, stored))
    }

    fn stored(&self, index: usize) -> Result<(Image, Layout), ImageError> {
        let data = self.header.element.decode_all(&self.bytes_of(index)?);
        let [channels, height, width] = self.placement.size;
        let name = format!("{}[{index}]", self.path.display());
        Ok((Image { name, channels, height, width, data }, self.placement.stored))
    }
}

fn header_error(path: &Path, error: HeaderError) -> ImageError {
    match error {
        HeaderError::Io(source) => ImageError::Io { path: path.to_path_buf(), source },
        HeaderError::Invalid(problem) => ImageError::invalid(path, problem),
        HeaderError::Unsupported(problem) => ImageError::unsupported(path, problem),
    }
}

fn zip_error(path: &Path, error: ZipError) -> ImageError {
    if let ZipError::Io(source) = error {
        return ImageError::Io { path: path.to_path_buf(), source };
    }
    if let ZipError::UnsupportedArchive(problem) = error {
        return ImageError::unsupported(path, problem);
    }
    ImageError::invalid(path, error.to_string())
}
