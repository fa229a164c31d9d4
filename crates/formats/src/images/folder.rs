//! Picture files: single ones, folders of them, and folders of classes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader, Limits};

use super::error::ImageError;
use super::{Findings, Image, Source};

/// The longest side that a picture may have, in pixels.
const MAX_SIDE: u32 = 1 << 15;
/// The most bytes that a decoder may allocate.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Picture files and their labels.
#[derive(Debug, Default)]
pub(super) struct PictureFiles {
    files: Vec<(PathBuf, Option<usize>)>,
    /// Labels and names of the classes, where folders name them, in the order of the labels.
    classes: Option<Vec<(usize, String)>>,
    /// Columns of a manifest beside that of the files, where none has the labels.
    other_columns: Vec<String>,
}

impl PictureFiles {
    /// A list of files with their labels, without names of classes.
    pub fn new(files: Vec<(PathBuf, Option<usize>)>) -> Self {
        Self { files, ..Self::default() }
    }

    /// The same with the columns that were passed over.
    pub fn with_other_columns(self, other_columns: Vec<String>) -> Self {
        Self { other_columns, ..self }
    }

    /// One file without a label.
    pub fn single(path: &Path) -> Result<Self, ImageError> {
        fs::metadata(path).map_err(ImageError::io(path))?;
        Ok(Self::new(vec![(path.to_path_buf(), None)]))
    }
}

/// Lists a folder: its sub-folders are the classes, or it holds pictures itself. Hidden files and files that are no pictures
/// are passed over. Folders whose names are all numbers are the classes of these numbers; others are numbered in the order
/// of their names, as torchvision does it. The pictures of a class may lie in its only folder, as those of Tiny ImageNet.
pub(super) fn open(path: &Path) -> Result<PictureFiles, ImageError> {
    let (folders, pictures) = list(path)?;
    if folders.is_empty() {
        return Ok(PictureFiles::new(pictures.into_iter().map(|file| (file, None)).collect()));
    }
    if let Some(stray) = pictures.first() {
        let problem = "a picture beside folders of classes; the folder must hold either";
        return Err(ImageError::invalid(stray, problem));
    }
    let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = folders.iter().map(name).collect();
    let labels = labels_of(path, &names)?;
    let mut files = Vec::new();
    for (label, folder) in labels.iter().zip(&folders) {
        files.extend(pictures_of(folder)?.into_iter().map(|file| (file, Some(*label))));
    }
    let mut classes: Vec<(usize, String)> = labels.into_iter().zip(names).collect();
    classes.sort();
    // The order of the labels, so that a limit takes the first of every class in turn.
    files.sort_by_key(|(_, label)| *label);
    Ok(PictureFiles { files, classes: Some(classes), ..PictureFiles::default() })
}

/// The class of each folder.
fn labels_of(path: &Path, names: &[String]) -> Result<Vec<usize>, ImageError> {
    let is_number = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if !names.iter().all(is_number) {
        return Ok((0..names.len()).collect());
    }
    let number = |name: &String| {
        let wrong = || ImageError::invalid(&path.join(name), "its name is a number, and too large for a class");
        name.parse::<u32>().map(|number| number as usize).map_err(|_| wrong())
    };
    let labels = names.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    match labels.iter().position(|label| !seen.insert(label)) {
        Some(i) => Err(ImageError::invalid(&path.join(&names[i]), "another folder has the same number")),
        None => Ok(labels),
    }
}

/// The pictures of a class: those in its folder, else those in the only folder within.
fn pictures_of(folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let (within, pictures) = list(folder)?;
    match within.as_slice() {
        [only] if pictures.is_empty() => Ok(list(only)?.1),
        _ => Ok(pictures),
    }
}

/// Folders and pictures in a folder, each sorted by name.
fn list(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), ImageError> {
    let (mut folders, mut pictures) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(ImageError::io(path))? {
        let entry = entry.map_err(ImageError::io(path))?.path();
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            folders.push(entry);
        } else if is_picture(&entry) {
            pictures.push(entry);
        }
    }
    folders.sort();
    pictures.sort();
    Ok((folders, pictures))
}

/// Whether the end of the name says that the file is a picture we can read.
pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["jpg", "jpeg", "png", "bmp"].contains(&extension.as_str())
}

impl Source for PictureFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.files[index].1
    }

    fn get(&self, index: usize) -> Result<Image, ImageError> {
        decode(&self.files[index].0)
    }

    fn classes(&self) -> Option<&[(usize, String)]> {
        self.classes.as_deref()
    }

    fn findings(&self) -> Findings {
        Findings { other_columns: self.other_columns.clone(), ..Findings::default() }
    }
}

/// Decodes a picture to grey or to red, green, blue, 8 bits each. Transparency and orientation tags are left out.
fn decode(path: &Path) -> Result<Image, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(ImageError::io(path))?;
    let mut reader = reader;
    reader.limits(limits);
    let decoded = reader.decode().map_err(|error| match error {
        image::ImageError::IoError(source) => ImageError::Io { path: path.to_path_buf(), source },
        image::ImageError::Unsupported(error) => ImageError::unsupported(path, error.to_string()),
        image::ImageError::Limits(_) => ImageError::unsupported(
            path,
            format!("a picture with a side over {MAX_SIDE} or over {MAX_DECODED_BYTES} bytes decoded"),
        ),
        error @ (image::ImageError::Decoding(_) | image::ImageError::Encoding(_) | image::ImageError::Parameter(_)) => {
            ImageError::invalid(path, error.to_string())
        }
    })?;
    Ok(planes(path, decoded))
}

fn planes(path: &Path, decoded: DynamicImage) -> Image {
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let grey = !decoded.color().has_color();
    let (channels, interleaved) =
        if grey { (1, decoded.into_luma8().into_raw()) } else { (3, decoded.into_rgb8().into_raw()) };
    let data = (0..channels)
        .flat_map(|channel| interleaved.iter().skip(channel).step_by(channels).map(|&byte| f32::from(byte)))
        .collect();
    Image { name: path.display().to_string(), channels, height, width, data }
}
